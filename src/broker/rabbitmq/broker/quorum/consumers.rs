//! The consumers of a quorum queue, what each of them holds, and whose turn it is.
//!
//! The highest priority among those that can take a message is served, in turn within it. A consumer that is cancelled
//! keeps what it holds until that is settled.

use std::collections::VecDeque;

use super::GET;
use super::fifo::{Item, Setup};
use crate::broker::rabbitmq::message::{Pid, Subscribe};
use crate::broker::rabbitmq::packet::ConsumerTag;

/// The largest prefetch; also that of consumers that want any number.
const PREFETCH_MAX: u32 = 2_000;

/// A consumer, by its channel and tag.
pub(super) type Who = (Pid, ConsumerTag);

/// A consumer.
#[derive(Clone, Debug)]
pub(super) struct Consumer {
    pub(super) who: Who,
    priority: i32,
    pub(super) prefetch: u32,
    /// It takes no more.
    is_cancelled: bool,
    /// Its node is out of reach.
    pub(super) is_lost: bool,
    id_next: u64,
    pub(super) held: Held,
    /// The how manieth it was.
    number: u32,
}

/// What a consumer holds, in the order of the numbers under which it got it.
#[derive(Clone, Debug, Default)]
pub(super) struct Held(VecDeque<(u64, Item)>);

impl Held {
    #[inline]
    fn push(&mut self, id: u64, item: Item) -> &mut Item {
        debug_assert!(self.0.back().is_none_or(|(last, _)| *last < id), "numbers follow one another");
        &mut self.0.push_back_mut((id, item)).1
    }

    #[inline]
    fn take(&mut self, id: u64) -> Option<Item> {
        if self.0.front().is_some_and(|(first, _)| *first == id) {
            // The usual case: the oldest one.
            return self.0.pop_front().map(|(_, item)| item);
        }
        let at = self.0.binary_search_by_key(&id, |(known, _)| *known).ok()?;
        self.0.remove(at).map(|(_, item)| item)
    }

    #[inline]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Item> {
        self.0.iter().map(|(_, item)| item)
    }

    fn into_values(self) -> impl Iterator<Item = Item> {
        self.0.into_iter().map(|(_, item)| item)
    }

    /// From the first number to before the second.
    pub(super) fn range(&self, from: u64, to: u64) -> impl Iterator<Item = (u64, &Item)> {
        let at = self.0.partition_point(|(id, _)| *id < from);
        self.0.iter().skip(at).take_while(move |(id, _)| *id < to).map(|(id, item)| (*id, item))
    }
}

/// All of them, those of the highest priority first; within a priority, whose turn it is first.
#[derive(Clone, Debug, Default)]
pub(super) struct Consumers {
    all: Vec<Consumer>,
    /// The single active consumer.
    active: Option<Who>,
    number_next: u32,
}

impl Consumer {
    fn can_take(&self) -> bool {
        !self.is_cancelled && !self.is_lost && (self.held.len() as u32) < self.prefetch
    }
}

impl Consumers {
    pub(super) fn iter(&self) -> impl Iterator<Item = &Consumer> {
        self.all.iter()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Consumer> {
        self.all.iter_mut()
    }

    /// Those that were not cancelled.
    pub(super) fn subscribed(&self) -> usize {
        self.all.iter().filter(|one| !one.is_cancelled).count()
    }

    pub(super) fn get(&mut self, who: Who) -> Option<&mut Consumer> {
        self.all.iter_mut().find(|one| one.who == who)
    }

    pub(super) fn find(&self, who: Who) -> Option<&Consumer> {
        self.all.iter().find(|one| one.who == who)
    }

    /// A consumer comes; one that is here already, as its channel asked twice, stays as it is.
    pub(super) fn add(&mut self, channel: Pid, wanted: Subscribe) {
        let Subscribe { tag, no_ack, priority, prefetch, .. } = wanted;
        let who = (channel, tag);
        if let Some(known) = self.get(who) {
            known.is_cancelled = false;
            return;
        }
        let prefetch = if prefetch == 0 || no_ack { PREFETCH_MAX } else { u32::from(prefetch) };
        self.insert(Consumer {
            who,
            priority,
            prefetch: prefetch.min(PREFETCH_MAX),
            is_cancelled: false,
            is_lost: false,
            id_next: 0,
            held: Held::default(),
            number: self.number_next,
        });
    }

    fn insert(&mut self, one: Consumer) {
        self.number_next += 1;
        let at = self.all.partition_point(|other| other.priority >= one.priority);
        self.all.insert(at, one);
    }

    /// Holds a message for `basic.get`, under the number of its command.
    pub(super) fn hold_got(&mut self, channel: Pid, index: u64, item: Item) {
        let who = (channel, GET);
        if self.get(who).is_none() {
            self.insert(Consumer {
                who,
                priority: i32::MIN,
                prefetch: 0,
                is_cancelled: true,
                is_lost: false,
                id_next: 0,
                held: Held::default(),
                number: self.number_next,
            });
        }
        if let Some(one) = self.get(who) {
            one.held.push(index, item);
        }
    }

    /// The consumer that gets the next message; none: none can take one.
    #[inline]
    pub(super) fn next(&mut self, setup: &Setup) -> Option<usize> {
        if setup.is_single {
            if !self.elect(setup) {
                return None;
            }
            let active = self.active?;
            return self.all.iter().position(|one| one.who == active && one.can_take());
        }
        self.all.iter().position(Consumer::can_take)
    }

    /// Chooses the single active consumer: the one there is stays while it is there, but (from 4.0) gives way to one of
    /// a higher priority when it holds nothing any more. Until then nobody is given anything; whether that is over.
    fn elect(&mut self, setup: &Setup) -> bool {
        let is_candidate = |one: &&Consumer| !one.is_cancelled && !one.is_lost;
        let candidates = self.all.iter().filter(is_candidate);
        let first = if setup.yields {
            candidates.min_by_key(|one| (std::cmp::Reverse(one.priority), one.number))
        } else {
            candidates.min_by_key(|one| one.number)
        };
        let active = self.active.and_then(|active| self.find(active)).filter(is_candidate);
        match (active, first) {
            (Some(active), Some(first)) if setup.yields && first.priority > active.priority => {
                if !active.held.is_empty() {
                    return false;
                }
                self.active = Some(first.who);
            }
            (Some(_), _) => {}
            (None, first) => self.active = first.map(|one| one.who),
        }
        true
    }

    /// Who gets the messages of a queue with a single active consumer.
    pub(super) fn active(&self) -> Option<Who> {
        self.active
    }

    /// The consumer takes a message, under which number; it is somebody else's turn then.
    #[inline]
    pub(super) fn take(&mut self, at: usize, item: Item) -> (Who, u64, &mut Item) {
        let priority = self.all[at].priority;
        let last = self.all.partition_point(|other| other.priority >= priority) - 1;
        if at != last {
            self.all[at..=last].rotate_left(1);
        }
        let one = &mut self.all[last];
        let id = one.id_next;
        one.id_next += 1;
        (one.who, id, one.held.push(id, item))
    }

    /// Takes back what a consumer holds under that number.
    #[inline]
    pub(super) fn release(&mut self, who: Who, id: u64) -> Option<Item> {
        let at = self.all.iter().position(|one| one.who == who)?;
        let item = self.all[at].held.take(id);
        if self.all[at].is_cancelled && self.all[at].held.is_empty() {
            self.all.remove(at);
        }
        item
    }

    /// A consumer wants no more.
    pub(super) fn cancel(&mut self, who: Who) {
        if let Some(at) = self.all.iter().position(|one| one.who == who) {
            self.all[at].is_cancelled = true;
            if self.all[at].held.is_empty() {
                self.all.remove(at);
            }
        }
    }

    /// The consumers of a channel go; what they held.
    pub(super) fn remove_channel(&mut self, channel: Pid) -> Vec<Item> {
        let (gone, stay) = std::mem::take(&mut self.all).into_iter().partition(|one| one.who.0 == channel);
        self.all = stay;
        let gone: Vec<Consumer> = gone;
        gone.into_iter().flat_map(|one| one.held.into_values()).collect()
    }

    /// Takes back what the consumers of a node hold.
    pub(super) fn release_node(&mut self, node: u16) -> Vec<Item> {
        let mut items = Vec::new();
        for one in self.all.iter_mut().filter(|one| one.who.0.node == node) {
            items.extend(std::mem::take(&mut one.held).into_values());
        }
        self.all.retain(|one| !(one.is_cancelled && one.held.is_empty()));
        items
    }
}
