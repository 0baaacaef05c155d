//! What an application says about deliveries: acknowledgements, one by one or many at once; giving back, giving up, and
//! publishing elsewhere.

use std::collections::VecDeque;

use super::super::super::config::Client;
use super::super::super::content::Envelope;
use super::super::super::model::{RabbitCtx, Shared, Timer};
use super::super::super::packet::{Frame, Settle};
use super::super::super::topology::StampId;
use super::super::connection::METHOD_BYTES;
use super::{Consumer, Delivered};
use crate::app::Item;
use crate::fact::{Fact, GivenUp, MessageId};
use crate::scenario::plan::Then;

/// The body of a reply.
const REPLY_BYTES: u32 = 100;

/// Acknowledgements with `multiple`: what arrived and is not covered by one, in the order of tags.
#[derive(Clone, Debug, Default)]
pub(super) struct Batch {
    open: VecDeque<(u64, Stage)>,
    /// Finished without a gap before them, and not acknowledged.
    count: u32,
    /// The last of them.
    last: Option<(u64, MessageId)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Open,
    /// To be acknowledged.
    Finished(MessageId),
    /// Given back or up by itself.
    Settled,
}

impl Batch {
    #[inline]
    pub(super) fn arrived(&mut self, tag: u64, every: u32) {
        if every > 1 {
            self.open.push_back((tag, Stage::Open));
        }
    }

    /// A delivery is finished: the last tag and message of a full batch, if that makes one.
    fn finish(&mut self, tag: u64, message: MessageId, every: u32) -> Option<(u64, MessageId)> {
        self.mark(tag, Stage::Finished(message));
        if self.count < every {
            return None;
        }
        self.count = 0;
        self.last.take()
    }

    /// A delivery was settled by itself.
    fn settle(&mut self, tag: u64) {
        self.mark(tag, Stage::Settled);
    }

    fn mark(&mut self, tag: u64, stage: Stage) {
        let at = self.open.partition_point(|(known, _)| *known < tag);
        if let Some(one) = self.open.get_mut(at).filter(|(known, _)| *known == tag) {
            one.1 = stage;
        }
        while let Some(&(tag, stage)) = self.open.front()
            && stage != Stage::Open
        {
            self.open.pop_front();
            if let Stage::Finished(message) = stage {
                self.count += 1;
                self.last = Some((tag, message));
            }
        }
    }

    /// How many wait for their acknowledgement.
    pub(super) fn waiting(&self) -> u32 {
        let behind = self.open.iter().filter(|(_, stage)| matches!(stage, Stage::Finished(_))).count();
        self.count + behind as u32
    }
}

impl Consumer {
    /// The application is done with an item: which delivery that was, if what is said about it still gets there.
    #[inline]
    fn take(&mut self, item: Item) -> Option<Delivered> {
        // The usual case: what was handed over first is finished first.
        match self.handed.pop_front_if(|first| first.item() == item) {
            None => self.take_from_among(item),
            first => first,
        }
    }

    fn take_from_among(&mut self, item: Item) -> Option<Delivered> {
        let at = self.handed.iter().position(|delivered| delivered.item() == item)?;
        self.handed.remove(at)
    }

    /// Nothing is to be said about it.
    pub(super) fn forget(&mut self, item: Item) {
        self.take(item);
    }

    /// Whether what is said about a delivery reaches the broker.
    fn is_current(&self, delivered: &Delivered) -> bool {
        self.link.is_open() && delivered.channel == self.link.channel()
    }

    /// The application has processed a message: whoever waits for a reply gets one, before it is acknowledged.
    #[inline]
    pub(super) fn processed_well(&mut self, item: Item, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        if self.is_asked {
            self.reply_if_asked(item, shared, ctx);
        }
        self.finish(item, ctx);
    }

    fn reply_if_asked(&mut self, item: Item, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let producer = shared.catalogue.origin(item.message).producer;
        if let Some(Some(replies)) = shared.topology.replies.get(usize::from(producer.0)).copied() {
            self.reply(item.message, replies.stamp, shared, ctx);
        }
    }

    /// On the same channel, without waiting for a confirm. Without a connection there is no reply.
    fn reply(&mut self, message: MessageId, id: StampId, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        if !self.link.is_open() {
            return;
        }
        let envelope = Envelope::new(message, id, shared.topology.stamp(id), REPLY_BYTES);
        let envelope = shared.content.add(envelope);
        let publish = Frame::Publish { envelope, is_mandatory: false };
        self.link.write(publish, METHOD_BYTES + REPLY_BYTES, ctx);
        if self.numbers_publishes() {
            // Its confirm is nobody's business.
            self.sent_on.push_back(None);
        }
    }

    /// Whether the channel is in confirm mode.
    pub(super) fn numbers_publishes(&self) -> bool {
        self.sends_on.is_some() && self.config.confirms
    }

    /// The application is done with this message.
    pub(super) fn finish(&mut self, item: Item, ctx: &mut RabbitCtx<'_>) {
        let Some(delivered) = self.take(item) else { return };
        if self.config.keeps_offset {
            self.keep_offset(&delivered);
        }
        if let Some(by_hand) = &mut self.by_hand {
            if delivered.channel == self.link.channel() && !self.config.no_ack {
                by_hand.hold(delivered);
            }
            return;
        }
        if self.config.no_ack || !self.is_current(&delivered) {
            return;
        }
        let (tag, message) = (delivered.tag, delivered.message);
        if self.config.ack_every <= 1 {
            self.acknowledge(tag, false, message, ctx);
        } else if let Some((tag, message)) = self.batch.finish(tag, message, self.config.ack_every) {
            self.acknowledge(tag, true, message, ctx);
        }
    }

    #[inline]
    pub(super) fn acknowledge(
        &mut self,
        tag: u64,
        multiple: bool,
        message: MessageId,
        ctx: &mut RabbitCtx<'_>,
    ) {
        self.link.write(Frame::Settle { tag, multiple, how: Settle::Ack }, METHOD_BYTES, ctx);
        ctx.observe(Fact::Acknowledged { message, subscription: self.worker.subscription });
    }

    /// It could not be processed, and is given back or given up.
    pub(super) fn give_back(&mut self, item: Item, then: &Then, ctx: &mut RabbitCtx<'_>) {
        let Some(delivered) = self.take(item) else { return };
        if self.config.no_ack {
            // There is nobody to give it back to.
            let (message, subscription) = (delivered.message, self.worker.subscription);
            ctx.observe(Fact::GivenUp { message, subscription, how: GivenUp::Discarded });
            return;
        }
        if !self.is_current(&delivered) {
            return;
        }
        // In Spring the listener throws, and the container has a rule for that.
        let requeue = self.config.client != Client::Spring || self.config.requeues_rejected;
        let how = match then {
            Then::Requeue => Settle::Nack { requeue },
            _ => Settle::Reject { requeue: false },
        };
        self.batch.settle(delivered.tag);
        self.link.write(Frame::Settle { tag: delivered.tag, multiple: false, how }, METHOD_BYTES, ctx);
    }

    /// It could not be processed, and is published somewhere else.
    pub(super) fn send_on(&mut self, message: MessageId, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let Some(id) = self.sends_on else { return };
        if !self.link.is_open() {
            // The call throws: nothing is acknowledged, so the message comes again.
            if let Some(item) = self.worker.sent_on(message) {
                self.forget(item);
            }
            return;
        }
        let size = shared.catalogue.size(message);
        let envelope = Envelope::new(message, id, shared.topology.stamp(id), size);
        let envelope = shared.content.add(envelope);
        self.link.write(Frame::Publish { envelope, is_mandatory: false }, METHOD_BYTES + size, ctx);
        if self.numbers_publishes() {
            self.sent_on.push_back(Some(message));
        } else {
            self.went_on(message, ctx);
        }
    }

    /// The broker answered what was published elsewhere.
    pub(super) fn sent_on_answered(
        &mut self,
        seq: u64,
        multiple: bool,
        is_ack: bool,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let Some(at) = seq.checked_sub(self.sent_on_first) else { return };
        let from = if multiple { 0 } else { at };
        for at in from..=at {
            let Some(message) = self.sent_on.get_mut(at as usize).and_then(Option::take) else { continue };
            if is_ack {
                self.went_on(message, ctx);
            } else {
                ctx.timer(self.sends_on_every, Timer::SendOnAgain(message));
            }
        }
        while let Some(None) = self.sent_on.front() {
            self.sent_on.pop_front();
            self.sent_on_first += 1;
        }
    }

    /// It is where it was sent to, as far as the application knows.
    fn went_on(&mut self, message: MessageId, ctx: &mut RabbitCtx<'_>) {
        if let Some(item) = self.worker.sent_on(message) {
            let subscription = self.worker.subscription;
            ctx.observe(Fact::GivenUp { message, subscription, how: GivenUp::DeadLettered });
            self.finish(item, ctx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finished(batch: &mut Batch, tags: &[u64]) -> Vec<Option<u64>> {
        let finish = |tag: &u64| batch.finish(*tag, MessageId(*tag as u32), 3).map(|(tag, _)| tag);
        tags.iter().map(finish).collect()
    }

    fn batch(tags: std::ops::RangeInclusive<u64>) -> Batch {
        let mut batch = Batch::default();
        tags.for_each(|tag| batch.arrived(tag, 3));
        batch
    }

    #[test]
    fn a_batch_is_acknowledged_when_it_is_full() {
        let mut batch = batch(1..=7);
        assert_eq!(finished(&mut batch, &[1, 2, 3, 4, 5]), [None, None, Some(3), None, None]);
        assert_eq!(batch.waiting(), 2, "the rest waits for more");
        assert_eq!(finished(&mut batch, &[6]), [Some(6)]);
    }

    #[test]
    fn multiple_covers_only_what_is_finished_without_a_gap() {
        let mut batch = batch(1..=6);
        assert_eq!(finished(&mut batch, &[2, 3, 4]), [None, None, None]);
        assert_eq!(batch.waiting(), 3);
        assert_eq!(finished(&mut batch, &[1]), [Some(4)]);
    }

    #[test]
    fn what_was_settled_by_itself_is_not_counted_and_never_the_last() {
        let mut batch = batch(1..=6);
        batch.settle(2);
        assert_eq!(finished(&mut batch, &[1, 3]), [None, None]);
        batch.settle(4);
        assert_eq!(finished(&mut batch, &[5]), [Some(5)]);
    }
}
