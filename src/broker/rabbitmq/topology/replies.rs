//! Where the replies to a producer's requests go, if it is one that waits for replies.

use super::build::Interner;
use super::{Headers, KeyId, QueueId, Stamp, StampId, Topology};
use crate::scenario::plan::Plan;

/// The pseudo-queue of direct replies: a routing key that leads back to the channel that asked, with nothing in
/// between.
const DIRECT: &str = "amq.rabbitmq.reply-to";

/// Whether replies can come to this address: to a queue of that name, or straight to the channel that asked.
pub(in crate::broker::rabbitmq) fn check(plan: &Plan, address: &str) -> Result<(), String> {
    let mut queues = plan.entities.iter().filter(|entity| entity.kind == "queue").map(|queue| &queue.name);
    if address == DIRECT || queues.any(|name| name == address) {
        return Ok(());
    }
    Err(format!("expected the name of a queue, or `{DIRECT}`"))
}

/// Where replies go, and what is written on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker::rabbitmq) struct Replies {
    /// None: straight to the channel that asked.
    pub(in crate::broker::rabbitmq) queue: Option<QueueId>,
    /// The default exchange and the name of the queue.
    pub(in crate::broker::rabbitmq) stamp: StampId,
}

/// Fills in, for each producer, what a reply to its requests is like.
pub(super) fn add(topology: &mut Topology, plan: &Plan, keys: &mut Interner) {
    for (at, producer) in plan.producers.iter().enumerate() {
        let replies = producer.rpc.as_ref().and_then(|rpc| {
            let queue = topology.queue_named(&rpc.reply_to);
            let vhost = queue.map_or(topology.producers[at].vhost, |queue| topology.queue(queue).vhost);
            let exchange = topology.exchange_named(vhost, "")?;
            let key = keys.key(&rpc.reply_to);
            if rpc.reply_to == DIRECT {
                topology.direct_reply = Some(key);
            }
            Some(Replies { queue, stamp: stamp(topology, exchange, key, vhost) })
        });
        topology.replies.push(replies);
    }
}

fn stamp(topology: &mut Topology, exchange: super::ExchangeId, key: KeyId, vhost: super::VhostId) -> StampId {
    topology.stamps.push(Stamp {
        vhost,
        exchange,
        key,
        carbon: Vec::new(),
        blind: Vec::new(),
        headers: Headers::new(),
        is_persistent: false,
        priority: None,
        expiration: None,
        deaths: Vec::new(),
        delay: None,
        producer_name: None,
        publishing_id: None,
    });
    StampId(topology.stamps.len() as u32 - 1)
}
