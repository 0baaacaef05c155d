//! A consumer that does only what steps say: it takes messages, processes them, and holds them until a step says what
//! is to become of them.
//!
//! `ack = "all"` is one `basic.ack` with `multiple`, `nack = "all"` one `basic.nack`; everything else is one method for
//! each message, in the order given. A message that was settled before can be named again: its tag is unknown by then,
//! and the broker closes the channel, as it does to an application that acknowledges twice.

use super::super::super::model::{RabbitCtx, Shared};
use super::super::super::packet::{Frame, Settle};
use super::super::super::topology::QueueId;
use super::super::connection::METHOD_BYTES;
use super::{Consumer, Delivered};
use crate::scenario::plan::WhichMessages;

/// What such a consumer was told, and holds.
#[derive(Clone, Debug, Default)]
pub(super) struct ByHand {
    /// It uses `basic.get` instead of consuming.
    pub(super) gets: bool,
    /// How many messages are left to take; [`u32::MAX`]: all there are.
    left: u32,
    /// The queue that was asked and has not answered: its place in the list.
    asked: Option<usize>,
    /// How many queues in a row said that they are empty, and who is asked next.
    empty: usize,
    next: usize,
    /// Processed and not settled, in the order in which they were finished.
    held: Vec<Delivered>,
    /// Settled on this channel.
    past: Vec<Delivered>,
}

impl ByHand {
    pub(super) fn new(gets: bool) -> Self {
        Self { gets, ..Self::default() }
    }

    pub(super) fn restart(&mut self) {
        *self = Self::new(self.gets);
    }

    /// The channel is gone, and with it all tags.
    pub(super) fn lost(&mut self) {
        self.held.clear();
        self.past.clear();
        self.asked = None;
    }

    pub(super) fn hold(&mut self, delivered: Delivered) {
        self.held.push(delivered);
    }

    /// The queue that was asked has given a message.
    pub(super) fn got(&mut self) -> Option<QueueId> {
        self.empty = 0;
        self.asked.take().map(|at| QueueId(at as u16))
    }

    /// The queue that was asked is empty.
    pub(super) fn found_nothing(&mut self) {
        self.asked = None;
        self.empty += 1;
    }

    pub(super) fn held(&self) -> &[Delivered] {
        &self.held
    }
}

impl Consumer {
    /// Whether the application takes another message from the library.
    #[inline]
    pub(super) fn may_take(&mut self) -> bool {
        let Some(by_hand) = &mut self.by_hand else { return true };
        if by_hand.left == 0 || self.buffer.is_empty() {
            return false;
        }
        if by_hand.left < u32::MAX {
            by_hand.left -= 1;
        }
        true
    }

    /// Asks for the next message, if steps told it to take more: the queues in turn, until all of them are empty.
    #[inline]
    pub(super) fn get_more(&mut self, ctx: &mut RabbitCtx<'_>) {
        let Some(by_hand) = &mut self.by_hand else { return };
        let is_free = self.link.is_open() && self.setup == 0 && self.buffer.is_empty();
        if !by_hand.gets || by_hand.left == 0 || by_hand.asked.is_some() || !is_free || !self.worker.is_idle()
        {
            return;
        }
        if by_hand.empty >= self.queues.len() {
            by_hand.left = 0;
            return;
        }
        let queue = self.queues[by_hand.next % self.queues.len()].id;
        by_hand.next += 1;
        by_hand.asked = Some(usize::from(queue.0));
        self.link.write(Frame::Get { queue, no_ack: self.config.no_ack }, METHOD_BYTES, ctx);
    }

    /// A step tells it to take messages and process them; none: all that it can get now.
    pub(in super::super::super) fn told_to_get(
        &mut self,
        count: Option<u32>,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        if let Some(by_hand) = &mut self.by_hand {
            by_hand.left = count.unwrap_or(u32::MAX);
            by_hand.empty = 0;
            self.go_on(shared, ctx);
        }
    }

    /// Whether it has done what it was told to. `is_drained` says whether a queue has nothing ready.
    pub(in super::super::super) fn has_done(&self, is_drained: impl Fn(QueueId) -> bool) -> bool {
        let Some(by_hand) = &self.by_hand else { return self.worker.is_idle() };
        let is_full = || self.config.prefetch as usize <= by_hand.held.len();
        let has_taken = match by_hand.left {
            0 => true,
            u32::MAX if !by_hand.gets => {
                let is_ready = self.link.is_gone() || self.link.is_open() && self.setup == 0;
                let has_all = || self.queues.iter().all(|queue| queue.is_cancelled || is_drained(queue.id));
                is_ready && self.buffer.is_empty() && (is_full() || has_all())
            }
            _ => self.link.is_gone(),
        };
        has_taken && self.worker.is_idle()
    }

    /// A step tells it to acknowledge; false: it has nothing that is meant.
    pub(in super::super::super) fn told_to_ack(
        &mut self,
        which: &WhichMessages,
        shared: &Shared,
        ctx: &mut RabbitCtx<'_>,
    ) -> bool {
        let meant = self.meant(which, shared);
        if let (WhichMessages::All, Some(last)) = (which, meant.iter().max_by_key(|one| one.tag)) {
            self.acknowledge(last.tag, true, last.message, ctx);
        } else {
            for one in &meant {
                self.acknowledge(one.tag, false, one.message, ctx);
            }
        }
        !meant.is_empty()
    }

    /// A step tells it to give messages back or up; false: it has none that is meant.
    pub(in super::super::super) fn told_to_give_back(
        &mut self,
        which: &WhichMessages,
        (is_requeued, is_reject): (bool, bool),
        shared: &Shared,
        ctx: &mut RabbitCtx<'_>,
    ) -> bool {
        let requeue = is_requeued;
        let how = if is_reject { Settle::Reject { requeue } } else { Settle::Nack { requeue } };
        let meant = self.meant(which, shared);
        let last =
            meant.iter().max_by_key(|one| one.tag).filter(|_| *which == WhichMessages::All && !is_reject);
        if let Some(last) = last {
            self.link.write(Frame::Settle { tag: last.tag, multiple: true, how }, METHOD_BYTES, ctx);
        } else {
            for one in &meant {
                self.link.write(Frame::Settle { tag: one.tag, multiple: false, how }, METHOD_BYTES, ctx);
            }
        }
        !meant.is_empty()
    }

    /// The deliveries that a step means, in the order in which it names them; they are settled from now on.
    fn meant(&mut self, which: &WhichMessages, shared: &Shared) -> Vec<Delivered> {
        let Some(by_hand) = self.by_hand.as_mut().filter(|_| self.link.is_open()) else { return Vec::new() };
        let number = |one: &Delivered| shared.catalogue.origin(one.message).number;
        let meant = match which {
            WhichMessages::All => std::mem::take(&mut by_hand.held),
            WhichMessages::Numbers(numbers) => {
                let mut meant = Vec::new();
                for wanted in numbers {
                    if let Some(at) = by_hand.held.iter().position(|one| number(one) == *wanted) {
                        meant.push(by_hand.held.remove(at));
                        continue;
                    }
                    let mut settled = meant.iter().rev().chain(by_hand.past.iter().rev());
                    if let Some(again) = settled.find(|one| number(one) == *wanted).copied() {
                        meant.push(again);
                    }
                }
                meant
            }
        };
        by_hand.past.extend(&meant);
        meant
    }
}
