//! What a quorum queue does after each command: hand out what it can, let go of what expired, keep to its limits.

use super::consumers::Who;
use super::fifo::{Effect, Fifo, Item, Setup};
use super::{GET, Handed};
use crate::broker::rabbitmq::content::Reason;
use crate::broker::rabbitmq::message::Pid;
use crate::sim::{PushWith, Time};

/// A queue that was full takes messages again when it is at most this full, in percent.
const GO_ON_PERCENT: u64 = 80;

impl Fifo {
    /// Messages go to consumers, expire, and are pushed out.
    pub(super) fn serve(&mut self, at: Time, is_new: bool, setup: &Setup, effects: &mut Vec<Effect>) {
        self.release_delayed(at);
        loop {
            // A message without any time to live is there for a consumer that waits, and for nobody else.
            self.expire(at, !is_new, setup, effects);
            if self.waiting() == 0 {
                break;
            }
            let Some(consumer) = self.consumers.next(setup) else { break };
            let Some(item) = self.take_next(setup) else { break };
            let ((to, tag), id, item) = self.consumers.take(consumer, item);
            effects.push_with(|| Effect::Deliver(to, tag, hand(id, item)));
        }
        self.expire(at, true, setup, effects);
        self.keep_to_limits(setup, effects);
    }

    /// The next message: what came back goes first.
    #[inline]
    fn take_next(&mut self, setup: &Setup) -> Option<Item> {
        let item = self.returned.pop_front().or_else(|| self.ready.pop(setup.priorities))?;
        self.bytes -= u64::from(item.size);
        self.in_memory = self.in_memory.saturating_sub(u32::from(!item.is_on_disk));
        Some(item)
    }

    /// The same, where it is not done for each message.
    #[inline(never)]
    fn take_one(&mut self, setup: &Setup) -> Option<Item> {
        self.take_next(setup)
    }

    /// `basic.get`: the first message, whatever consumers there are.
    pub(super) fn get(&mut self, index: u64, by: Pid, at: Time, setup: &Setup, effects: &mut Vec<Effect>) {
        self.expire(at, true, setup, effects);
        let handed = self.take_one(setup).map(|mut item| {
            let handed = hand(index, &mut item);
            self.consumers.hold_got(by, index, item);
            handed
        });
        effects.push(Effect::Got(by, handed));
    }

    /// What was kept back long enough comes back.
    fn release_delayed(&mut self, at: Time) {
        if self.delayed.is_empty() {
            return;
        }
        let due = self.delayed.partition_point(|(due, _)| *due <= at);
        for (_, item) in self.delayed.drain(..due) {
            self.bytes += u64::from(item.size);
            self.returned.push_back(item);
        }
    }

    /// Only heads expire: of what came back, else of what is ready.
    #[inline]
    fn expire(&mut self, at: Time, now_too: bool, setup: &Setup, effects: &mut Vec<Effect>) {
        if self.has_expiring {
            self.expire_heads(at, now_too, setup, effects);
        }
    }

    fn expire_heads(&mut self, at: Time, now_too: bool, setup: &Setup, effects: &mut Vec<Effect>) {
        let is_expired = |item: &Item| item.expires < at || now_too && item.expires == at;
        loop {
            let head = match self.returned.front() {
                Some(head) if is_expired(head) => self.returned.pop_front(),
                Some(_) => None,
                None => self.ready.take_head(is_expired),
            };
            let Some(item) = head else { return };
            self.bytes -= u64::from(item.size);
            self.die(item, Reason::Expired, setup, effects);
        }
    }

    /// When a head expires, or what is kept back falls due.
    pub(super) fn next_due(&self) -> Option<Time> {
        let expires = match self.returned.front() {
            Some(head) => Some(head.expires),
            None => self.ready.heads().map(|head| head.expires).min(),
        };
        let due = self.delayed.first().map(|(due, _)| *due);
        expires.into_iter().chain(due).min().filter(|&due| due != Time::NEVER)
    }

    /// Whether it holds more than so many percent of its limits. What consumers hold does not count.
    fn is_over(&self, percent: u64, setup: &Setup) -> bool {
        let count = (self.waiting() + self.dead.len()) as u64;
        let over = |value: u64, limit: Option<u64>| limit.is_some_and(|limit| value > limit * percent / 100);
        over(count, setup.max_length) || over(self.bytes, setup.max_bytes)
    }

    /// The oldest go; or, with `reject-publish`, senders are told to hold back, and what is under way comes in still.
    fn keep_to_limits(&mut self, setup: &Setup, effects: &mut Vec<Effect>) {
        if setup.drops_head {
            while self.is_over(100, setup)
                && let Some(item) = self.take_one(setup)
            {
                self.die(item, Reason::Maxlen, setup, effects);
            }
            return;
        }
        let is_full =
            if self.is_full { self.is_over(GO_ON_PERCENT, setup) } else { self.is_over(100, setup) };
        if is_full != self.is_full {
            self.is_full = is_full;
            effects.push(Effect::Full(None, is_full));
        }
    }

    /// What a consumer still holds of these numbers.
    pub(super) fn held(&self, who: Who, from: u64, to: u64) -> impl Iterator<Item = Handed> {
        let one = self.consumers.find(who).filter(|_| who.1 != GET);
        one.into_iter().flat_map(move |one| one.held.range(from, to)).map(|(id, item)| Handed {
            id,
            envelope: item.envelope,
            redelivered: item.deliveries > 1,
            count: item.count,
            is_on_disk: item.is_on_disk,
        })
    }
}

/// The message is handed to somebody, by this number.
#[inline]
fn hand(id: u64, item: &mut Item) -> Handed {
    item.deliveries += 1;
    let Item { envelope, count, is_on_disk, deliveries, .. } = *item;
    Handed { id, envelope, redelivered: deliveries > 1, count, is_on_disk }
}
