//! How a message gets from whoever publishes it to the processes of a queue.

use smallvec::SmallVec;

use super::{Env, quorum};
use crate::broker::rabbitmq::message::{Msg, Pid, Proc, Publish};
use crate::broker::rabbitmq::topology::{QueueId, QueueKind};

/// The nodes whose processes of a queue have to answer.
pub(super) type Nodes = SmallVec<[u16; 2]>;

/// Sends it to the leader of a classic queue and to all its mirrors; which nodes that were. None: the queue's process
/// is gone and so is the message. With no leader the mirrors keep what channels send until one of them leads.
pub(super) fn to_classic(queue: QueueId, publish: Publish, env: &mut Env<'_, '_>) -> Nodes {
    let meta = &env.core.meta;
    let record = meta.queue(queue);
    let mut nodes = Nodes::new();
    if !record.exists {
        return nodes;
    }
    if record.is_live {
        nodes.push(record.leader);
        nodes.extend(record.others.iter().copied());
    } else {
        nodes.extend(record.others.iter().copied().filter(|&node| meta.runs(node)));
    }
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
        QueueKind::Quorum | QueueKind::Stream => quorum::enqueue_untracked(queue, publish.envelope, env),
    }
}
