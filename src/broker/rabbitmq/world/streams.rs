//! What waits in a stream for whom: each subscription has a position of its own.

use super::{World, consumers, is_up, running, serving};
use crate::broker::rabbitmq::broker::QueueProc;
use crate::broker::rabbitmq::broker::stream::{Reader, Stream};
use crate::broker::rabbitmq::client::Consumer;
use crate::broker::rabbitmq::config::StreamOffset;
use crate::broker::rabbitmq::topology::QueueId;
use crate::fact::{MessageId, NONE, NodeId, SubscriptionId};

/// The replica that leads.
fn leading(engine: &World, queue: QueueId) -> Option<&Stream> {
    serving(engine, queue).find_map(|(_, process)| match process {
        QueueProc::Stream(stream) => Some(stream.as_ref()),
        _ => None,
    })
}

/// What a consumer will be handed yet.
pub(super) fn waiting(engine: &World, queue: QueueId, subscription: SubscriptionId) -> Vec<MessageId> {
    let Some(stream) = leading(engine, queue) else { return Vec::new() };
    let from = match subscription {
        NONE => Some(0),
        _ => position(engine, queue, subscription),
    };
    // Without any consumers in the plan, all of it.
    let from = from.or_else(|| consumers(engine).next().is_none().then_some(0));
    let content = &engine.model.shared.content;
    let from = from.unwrap_or(u64::MAX);
    stream.readable(from).map(|(_, envelope)| content.message(envelope)).collect()
}

/// Where a subscription goes on: the first of its instances to be behind; none: with what comes from now on.
pub(in super::super) fn position(
    engine: &World,
    queue: QueueId,
    subscription: SubscriptionId,
) -> Option<u64> {
    let own = consumers(engine).filter(|(_, consumer)| consumer.worker.subscription == subscription);
    own.filter_map(|(node, consumer)| next(engine, node, consumer, queue)).min()
}

/// The next offset that a consumer gets, or would get if it connected now.
fn next(engine: &World, node: NodeId, consumer: &Consumer, queue: QueueId) -> Option<u64> {
    let reading = consumer.reading(queue)?;
    if is_up(engine, node) {
        let here = reading.next.or_else(|| reader(engine, node, queue).map(Reader::begins));
        if here.is_some() {
            return here;
        }
    }
    match consumer.begins(reading) {
        StreamOffset::First => Some(0),
        StreamOffset::At(offset) => Some(offset),
        StreamOffset::Last | StreamOffset::Next => None,
    }
}

/// A consumer as the node knows it that it is connected with.
pub(in super::super) fn reader(engine: &World, client: NodeId, queue: QueueId) -> Option<&Reader> {
    running(engine).find_map(|(_, broker)| match &broker.queues[queue.0 as usize] {
        Some(QueueProc::Stream(stream)) => stream.reader_of(client),
        _ => None,
    })
}

/// Whether a consumer has been handed all there is.
pub(super) fn is_read(engine: &World, client: NodeId, queue: QueueId) -> bool {
    let committed = leading(engine, queue).map_or(0, Stream::committed);
    reader(engine, client, queue).is_some_and(|reader| reader.next >= committed)
}
