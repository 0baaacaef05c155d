//! What can be seen of a member from outside.

use super::fifo::Fifo;
use super::member::Quorum;
use crate::broker::picture::Field;
use crate::broker::rabbitmq::broker::Env;
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::model::{RabbitCtx, Shared};
use crate::broker::rabbitmq::topology::QueueId;
use crate::fact::{Fact, PlaceId, Rule};

impl Quorum {
    /// All that it has is gone, by this rule.
    pub(super) fn observe_gone(&self, rule: Rule, shared: &Shared, ctx: &mut RabbitCtx<'_>) {
        let place = PlaceId(u32::from(self.queue.0));
        if ctx.has_details() {
            for item in self.fifo.items() {
                let message = shared.content.message(item.envelope);
                ctx.observe(Fact::Removed { message, place, offset: item.index, rule });
            }
        }
    }

    /// Whether time alone will change something.
    pub(in super::super) fn expects(&self) -> bool {
        self.leads() && (self.fifo.next_due().is_some() || !self.fifo.dead.is_empty())
    }

    pub(in super::super) fn memory(&self, _shared: &Shared) -> u64 {
        // Bodies are on disk; what is left is an entry for each.
        100 * self.messages() as u64
    }

    /// The number of the message that is delivered next.
    pub(in super::super) fn head(&self) -> Option<u64> {
        let ready = || self.fifo.ready.iter().next().map(|item| item.index);
        self.fifo.returned.front().map(|item| item.index).or_else(ready)
    }

    /// Up to which number its log is on the device.
    pub(in super::super) fn durable_to(&self) -> u64 {
        self.raft.durable() + 1
    }

    /// The number that the next message gets.
    pub(in super::super) fn number_next(&self) -> u64 {
        self.raft.last().index + 1
    }

    pub(in super::super) fn each_numbered(&self, show: &mut dyn FnMut(u64, EnvelopeId)) {
        self.fifo.items().for_each(|item| show(item.index, item.envelope));
    }

    /// For the management page.
    pub(in super::super::super) fn fields(&self) -> Vec<Field> {
        let mut fields = vec![
            Field::new("term", self.raft.term()),
            Field::new("log ends at", self.raft.last().index),
            Field::new("durable to", self.raft.durable()),
            Field::new("committed to", self.raft.commit()),
        ];
        for member in self.raft.others() {
            if let Some(matched) = self.raft.matched(member) {
                let node = self.members[usize::from(member.0)];
                fields.push(Field::new(format!("member on broker-{}", node + 1), format!("has {matched}")));
            }
        }
        fields.push(Field::new("returned", self.fifo.returned.len()));
        fields.push(Field::new("dead letters under way", self.fifo.dead.len()));
        if let Some((channel, tag)) = self.fifo.consumers.active() {
            let node = channel.node + 1;
            fields.push(Field::new(
                "single active consumer",
                format!("tag {tag} of a channel on broker-{node}"),
            ));
        }
        fields
    }

    pub(in super::super) fn ready(&self) -> usize {
        self.fifo.waiting()
    }

    pub(in super::super) fn consumers(&self) -> usize {
        self.fifo.consumers.subscribed()
    }

    pub(in super::super) fn each(&self, show: &mut dyn FnMut(EnvelopeId)) {
        self.fifo.items().for_each(|item| show(item.envelope));
    }

    pub(in super::super) fn messages(&self) -> usize {
        self.fifo.waiting() + self.unacked() + self.fifo.delayed.len() + self.fifo.dead.len()
    }

    /// What consumers hold: not what is kept back, or waits for its dead-letter destination.
    pub(in super::super) fn unacked(&self) -> usize {
        self.fifo.consumers.iter().map(|one| one.held.len()).sum()
    }

    /// Its log is thrown away, with the queue.
    pub(in super::super) fn wipe(&mut self, _ctx: &mut RabbitCtx<'_>) {
        self.fifo = Fifo::default();
    }
}

/// A copy is here now.
pub(super) fn observe_stored(queue: QueueId, envelope: EnvelopeId, offset: u64, env: &mut Env<'_, '_>) {
    if env.ctx.has_details() {
        let message = env.shared.content.message(envelope);
        env.ctx.observe(Fact::Stored { message, place: PlaceId(u32::from(queue.0)), offset });
    }
}
