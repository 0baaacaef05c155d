//! The consumers of a classic queue, and whose turn it is.
//!
//! The highest priority among those that can take a message is served, in turn within it. A consumer can take one
//! while it holds fewer than its prefetch, or its channel fewer than the channel's.

use crate::broker::rabbitmq::broker::Core;
use crate::broker::rabbitmq::message::{Pid, Subscribe};
use crate::broker::rabbitmq::packet::ConsumerTag;

/// A consumer of a queue.
#[derive(Clone, Copy, Debug)]
pub(in super::super::super) struct Consumer {
    pub(in super::super::super) channel: Pid,
    pub(in super::super::super) tag: ConsumerTag,
    pub(in super::super::super) no_ack: bool,
    pub(in super::super::super) is_exclusive: bool,
    pub(in super::super::super) priority: i32,
    /// Zero: unlimited.
    pub(in super::super::super) prefetch: u32,
    pub(in super::super::super) is_global: bool,
    pub(in super::super::super) unacked: u32,
    /// The how manieth consumer of the queue it was.
    number: u32,
}

/// All of them, those of the highest priority first; within a priority, whose turn it is first.
#[derive(Clone, Debug, Default)]
pub(in super::super::super) struct Consumers {
    all: Vec<Consumer>,
    /// The single active consumer.
    active: Option<(Pid, ConsumerTag)>,
    /// The active consumer was cancelled, and the queue has not done anything since.
    was_cancelled: bool,
    number_next: u32,
}

impl Consumers {
    pub(in super::super::super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(in super::super::super) fn iter(&self) -> impl Iterator<Item = &Consumer> {
        self.all.iter()
    }

    /// Who gets the messages of a queue with a single active consumer.
    pub(in super::super::super) fn active(&self) -> Option<(Pid, ConsumerTag)> {
        self.active
    }

    pub(super) fn has_exclusive(&self) -> bool {
        self.all.iter().any(|one| one.is_exclusive)
    }

    pub(super) fn get(&self, at: usize) -> &Consumer {
        &self.all[at]
    }

    pub(super) fn add(&mut self, channel: Pid, wanted: Subscribe) {
        let Subscribe { tag, no_ack, is_exclusive, priority, prefetch, is_global, .. } = wanted;
        let prefetch = if no_ack { 0 } else { u32::from(prefetch) };
        let (unacked, number, is_first) = (0, self.number_next, self.active.is_none());
        self.number_next += 1;
        let one =
            Consumer { channel, tag, no_ack, is_exclusive, priority, prefetch, is_global, unacked, number };
        let at = self.all.partition_point(|other| other.priority >= priority);
        self.all.insert(at, one);
        if is_first {
            self.active = Some((channel, tag));
        }
    }

    /// The consumer that gets the next message; none: none can take one.
    #[inline]
    pub(super) fn next(&self, is_single: bool, core: &Core) -> Option<usize> {
        if is_single {
            let active = self.active?;
            let at = self.all.iter().position(|one| (one.channel, one.tag) == active)?;
            return self.can_take(&self.all[at], core).then_some(at);
        }
        self.all.iter().position(|one| self.can_take(one, core))
    }

    fn can_take(&self, one: &Consumer, core: &Core) -> bool {
        if one.prefetch == 0 {
            return true;
        }
        if !one.is_global {
            return one.unacked < one.prefetch;
        }
        if one.channel.node == core.id {
            return core.limiter.held(one.channel) < one.prefetch;
        }
        let of_channel = self.all.iter().filter(|other| other.channel == one.channel);
        of_channel.map(|other| other.unacked).sum::<u32>() < one.prefetch
    }

    /// The consumer took a message: it is somebody else's turn.
    #[inline]
    pub(super) fn took(&mut self, at: usize) -> Consumer {
        let one = &mut self.all[at];
        if !one.no_ack {
            one.unacked += 1;
        }
        let taken = *one;
        self.was_cancelled = false;
        let last = self.all.partition_point(|other| other.priority >= taken.priority) - 1;
        if at != last {
            self.all[at..=last].rotate_left(1);
        }
        taken
    }

    /// A delivery to this consumer is settled.
    #[inline]
    pub(super) fn settled(&mut self, channel: Pid, tag: Option<ConsumerTag>) {
        let Some(tag) = tag else { return };
        if let Some(one) = self.all.iter_mut().find(|one| one.channel == channel && one.tag == tag) {
            one.unacked = one.unacked.saturating_sub(1);
        }
    }

    /// A consumer goes; whether it was there.
    pub(super) fn remove(&mut self, channel: Pid, tag: ConsumerTag, is_single: bool) -> bool {
        let before = self.all.len();
        self.all.retain(|one| (one.channel, one.tag) != (channel, tag));
        if self.active == Some((channel, tag)) {
            self.elect();
            self.was_cancelled = is_single && self.active.is_some();
        }
        self.all.len() < before
    }

    /// All consumers of a channel go; whether there were any.
    pub(super) fn remove_channel(&mut self, channel: Pid) -> bool {
        let before = self.all.len();
        self.all.retain(|one| one.channel != channel);
        if self.active.is_some_and(|(active, _)| active == channel) {
            self.elect();
        }
        self.all.len() < before
    }

    /// The one that came first takes over.
    fn elect(&mut self) {
        self.active = self.all.iter().min_by_key(|one| one.number).map(|one| (one.channel, one.tag));
    }

    /// The active consumer was cancelled, another one stands by, and nothing happened since: the next publish goes to
    /// that one before what is ready.
    pub(super) fn was_cancelled(&self) -> bool {
        self.was_cancelled
    }

    /// All go.
    pub(super) fn drain(&mut self) -> Vec<Consumer> {
        self.active = None;
        self.was_cancelled = false;
        std::mem::take(&mut self.all)
    }
}
