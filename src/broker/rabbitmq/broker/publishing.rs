//! How a message gets from whoever publishes it to the processes of a queue.

use smallvec::SmallVec;

use super::{Env, quorum, stream};
use crate::broker::rabbitmq::message::{Msg, Pid, Proc, Publish};
use crate::broker::rabbitmq::topology::{QueueId, QueueKind};

/// The nodes whose processes of a queue have to answer.
pub(super) type Nodes = SmallVec<[u16; 2]>;

/// Sends it to the leader of a classic queue and to all its mirrors; which nodes that were. While nobody leads, mirrors
/// keep what they get until one of them does. None: all its processes are gone and so is the message.
pub(super) fn to_classic(queue: QueueId, publish: Publish, env: &mut Env<'_, '_>) -> Nodes {
    let meta = &env.core.meta;
    let record = meta.queue(queue);
    if !record.exists {
        return Nodes::new();
    }
    let nodes: Nodes = if record.is_live {
        std::iter::once(record.leader).chain(record.others.iter().copied()).collect()
    } else {
        record.others.iter().copied().filter(|&node| meta.runs(node)).collect()
    };
    for &node in &nodes {
        env.send(Pid { node, proc: Proc::Queue(queue) }, Msg::Publish(publish));
    }
    nodes
}

/// Sends it to a queue, and never mind what becomes of it.
pub(super) fn without_tracking(queue: QueueId, publish: Publish, env: &mut Env<'_, '_>) {
    match env.shared.topology.queue(queue).kind {
        QueueKind::Classic { .. } => {
            to_classic(queue, publish, env);
        }
        QueueKind::Quorum => quorum::enqueue_untracked(queue, publish.envelope, env),
        QueueKind::Stream => stream::write_untracked(queue, publish.envelope, env),
    }
}
