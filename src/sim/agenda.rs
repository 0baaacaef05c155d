//! Pending events in the order of their times; equal times in the order in which they were scheduled.
//!
//! A 4-ary heap of packed 128-bit keys (time, sequence number, slot) over a slab of payloads: comparing is one integer
//! comparison, moving is 16 bytes, cloning is two copies. The removal of the earliest event is postponed until the next
//! call: most events schedule another one, which then takes its place at the top in a single pass.
//!
//! What cannot overtake each other (packets in one direction of a connection) shares a [`Lane`]: only the first event
//! of a lane is in the heap, the others wait behind it in the slab. That keeps the heap as small as there are lanes.

use std::mem;

use super::time::Time;

const SLOT_BITS: u32 = 24;
const SEQUENCE_BITS: u32 = 40;
const SLOT_MASK: u128 = (1 << SLOT_BITS) - 1;
/// No slot.
const NOWHERE: u32 = u32::MAX;
/// Later than every event.
const NEVER: u128 = u128::MAX;
/// Where the earliest key is. The places before it stay empty, so that the children of a place fill a group.
const TOP: usize = 3;

/// Pending events.
#[derive(Clone, Debug)]
pub struct Agenda<E> {
    /// The places of the heap, four to a group: the children of place `p` are those of group `p - 2`. Empty places have
    /// the key [`NEVER`].
    groups: Vec<[u128; 4]>,
    /// How many places are taken, and those before the top.
    end: usize,
    slots: Vec<Slot<E>>,
    /// The first free slot; each names the next one.
    free: u32,
    sequence: u64,
    /// The top of the heap was handed out and not yet removed.
    is_top_taken: bool,
}

#[derive(Clone, Debug)]
struct Slot<E> {
    key: u128,
    /// Of an event, the next one of its lane; of a free slot, the next free one.
    next: u32,
    generation: u32,
    event: Option<E>,
}

/// A scheduled event, to cancel it by. A ticket of an event that was dispatched or cancelled does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    slot: u32,
    generation: u32,
}

/// Events that come one after the other, in the order in which they were scheduled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    /// The last one that was scheduled.
    last: Ticket,
}

impl Default for Lane {
    fn default() -> Self {
        Self { last: Ticket { slot: NOWHERE, generation: 0 } }
    }
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Self {
            groups: vec![[NEVER; 4]],
            end: TOP,
            slots: Vec::new(),
            free: NOWHERE,
            sequence: 0,
            is_top_taken: false,
        }
    }
}

impl<E> Agenda<E> {
    /// Schedules an event.
    #[inline(always)]
    pub fn push(&mut self, at: Time, event: E) -> Ticket {
        let (ticket, key) = self.keep(at, event);
        self.place(key);
        ticket
    }

    /// Schedules an event as the last one of a lane: not before the one that is the last one now.
    #[inline(always)]
    pub fn push_behind(&mut self, lane: &mut Lane, at: Time, event: E) {
        let Some(last) = self.last_of(lane) else {
            lane.last = self.push(at, event);
            return;
        };
        let before = lane.last.slot as usize;
        let (ticket, _) = self.keep(at.max(last), event);
        self.slots[before].next = ticket.slot;
        lane.last = ticket;
    }

    /// When the last event of a lane comes; none: nothing of it is pending.
    #[inline(always)]
    pub fn last_of(&self, lane: &Lane) -> Option<Time> {
        let slot = self.slots.get(lane.last.slot as usize)?;
        (slot.generation == lane.last.generation).then(|| time_of(slot.key))
    }

    /// Takes the earliest event that is not after `until`.
    #[inline(always)]
    pub fn pop(&mut self, until: Time) -> Option<(Time, E)> {
        loop {
            self.settle();
            let key = self.groups[0][TOP];
            let at = time_of(key);
            if at > until || self.is_empty() {
                return None;
            }
            let number = (key & SLOT_MASK) as u32;
            let slot = &mut self.slots[number as usize];
            slot.generation = slot.generation.wrapping_add(1);
            let event = slot.event.take();
            let next = mem::replace(&mut slot.next, self.free);
            self.free = number;
            if next == NOWHERE {
                self.is_top_taken = true;
            } else {
                let key = self.slots[next as usize].key;
                self.sift_down(key);
            }
            if let Some(event) = event {
                return Some((at, event));
            }
        }
    }

    /// Forgets an event. Its key stays until its time comes, and is then skipped. Whether the event was still pending.
    pub fn cancel(&mut self, ticket: Ticket) -> bool {
        let slot = &mut self.slots[ticket.slot as usize];
        slot.generation == ticket.generation && slot.event.take().is_some()
    }

    /// The ticket of the event that was just taken; none: another one has taken its place since.
    pub fn taken(&self) -> Option<Ticket> {
        if !self.is_top_taken {
            return None;
        }
        let slot = (self.groups[0][TOP] & SLOT_MASK) as u32;
        Some(Ticket { slot, generation: self.slots[slot as usize].generation.wrapping_sub(1) })
    }

    /// Everything that is pending, in no particular order: when, in which order among equal times, and what.
    pub fn pending(&self) -> impl Iterator<Item = (Time, u64, &E)> {
        let heads = self.groups.as_flattened()[..self.end].iter().skip(TOP + usize::from(self.is_top_taken));
        let lanes = heads.flat_map(|&key| {
            let first = self.slots.get((key & SLOT_MASK) as usize);
            std::iter::successors(first, |slot| self.slots.get(slot.next as usize))
        });
        lanes.filter_map(|slot| {
            let rank = (slot.key >> SLOT_BITS) as u64 & ((1 << SEQUENCE_BITS) - 1);
            Some((time_of(slot.key), rank, slot.event.as_ref()?))
        })
    }

    /// Whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.end == TOP + usize::from(self.is_top_taken)
    }

    /// The limit that was exceeded, if one was: what was scheduled since then may be missing, so the run must stop.
    #[inline]
    pub fn overflow(&self) -> Option<&'static str> {
        if self.sequence >> SEQUENCE_BITS == 0 {
            return None;
        }
        let is_full = self.slots.len() as u128 > SLOT_MASK;
        Some(if is_full {
            "more than 2^24 events are pending"
        } else {
            "more than 2^40 events were scheduled"
        })
    }

    /// Puts an event into a slot: its ticket and its key.
    #[inline(always)]
    fn keep(&mut self, at: Time, event: E) -> (Ticket, u128) {
        if self.free == NOWHERE {
            self.grow();
        }
        let number = self.free;
        let key = (u128::from(at.0) << (SLOT_BITS + SEQUENCE_BITS))
            | (u128::from(self.sequence) << SLOT_BITS)
            | u128::from(number);
        self.sequence += 1;
        let slot = &mut self.slots[number as usize];
        self.free = mem::replace(&mut slot.next, NOWHERE);
        slot.key = key;
        debug_assert!(slot.event.is_none(), "a free slot holds no event");
        // So the old one need not be dropped, and the new one is made where it stays.
        mem::forget(slot.event.replace(event));
        (Ticket { slot: number, generation: slot.generation }, key)
    }

    /// Provides a free slot. One too many has a number that does not fit into a key: the caller sees `overflow` before
    /// the next event is dispatched.
    #[cold]
    fn grow(&mut self) {
        if self.slots.len() as u128 > SLOT_MASK {
            self.sequence |= 1 << SEQUENCE_BITS;
        }
        self.free = self.slots.len() as u32;
        self.slots.push(Slot { key: NEVER, next: NOWHERE, generation: 0, event: None });
    }

    /// Puts a key into the heap: to the top, if what was there was handed out.
    #[inline(always)]
    fn place(&mut self, key: u128) {
        if self.is_top_taken {
            self.is_top_taken = false;
            self.sift_down(key);
        } else {
            if self.end.is_multiple_of(4) {
                self.groups.push([NEVER; 4]);
            }
            self.end += 1;
            self.sift_up(self.end - 1, key);
        }
    }

    /// Removes the top if it was handed out and nothing took its place.
    #[inline(always)]
    fn settle(&mut self) {
        if !self.is_top_taken {
            return;
        }
        self.is_top_taken = false;
        self.end -= 1;
        let last = mem::replace(&mut self.groups.as_flattened_mut()[self.end], NEVER);
        if self.end > TOP {
            self.sift_down(last);
        }
        if self.end.is_multiple_of(4) {
            self.groups.pop();
        }
    }

    /// Puts a key to the top and lets it sink.
    #[inline(always)]
    fn sift_down(&mut self, key: u128) {
        let mut at = TOP;
        while let Some(four) = self.groups.get(at - 2) {
            let (a, low) = if four[1] < four[0] { (1, four[1]) } else { (0, four[0]) };
            let (b, high) = if four[3] < four[2] { (3, four[3]) } else { (2, four[2]) };
            let (child, smallest) = if high < low { (b, high) } else { (a, low) };
            if key <= smallest {
                break;
            }
            let below = 4 * (at - 2) + child;
            self.groups.as_flattened_mut()[at] = smallest;
            at = below;
        }
        self.groups.as_flattened_mut()[at] = key;
    }

    /// Puts a key to this place and lets it rise.
    #[inline]
    fn sift_up(&mut self, mut at: usize, key: u128) {
        let places = self.groups.as_flattened_mut();
        while at > TOP {
            let parent = at / 4 + 2;
            if places[parent] <= key {
                break;
            }
            places[at] = places[parent];
            at = parent;
        }
        places[at] = key;
    }
}

#[inline(always)]
fn time_of(key: u128) -> Time {
    Time((key >> (SLOT_BITS + SEQUENCE_BITS)) as u64)
}

#[cfg(test)]
mod tests {
    use super::super::draw::{Purpose, below, bits};
    use super::*;

    #[test]
    fn equal_times_keep_the_order_of_scheduling() {
        let mut agenda = Agenda::default();
        for name in ["first", "second", "third"] {
            agenda.push(Time(5), name);
        }
        agenda.push(Time(4), "earlier");
        let order: Vec<_> = std::iter::from_fn(|| agenda.pop(Time::NEVER)).map(|(_, name)| name).collect();
        assert_eq!(order, ["earlier", "first", "second", "third"]);
    }

    #[test]
    fn a_cancelled_event_never_comes_and_its_ticket_is_dead() {
        let mut agenda = Agenda::default();
        let ticket = agenda.push(Time(1), 'a');
        agenda.push(Time(2), 'b');
        agenda.cancel(ticket);
        assert_eq!(agenda.pop(Time::NEVER), Some((Time(2), 'b')));
        agenda.push(Time(3), 'c');
        agenda.cancel(ticket);
        assert_eq!(agenda.pop(Time(2)), None);
        assert_eq!(agenda.pop(Time(3)), Some((Time(3), 'c')));
        assert!(agenda.is_empty());
    }

    #[test]
    fn what_is_pending_is_what_will_come() {
        let mut agenda = Agenda::default();
        let ticket = agenda.push(Time(3), 'c');
        for (at, name) in [(7, 'g'), (1, 'a'), (5, 'e'), (5, 'f')] {
            agenda.push(Time(at), name);
        }
        agenda.cancel(ticket);
        assert_eq!(agenda.pop(Time::NEVER), Some((Time(1), 'a')));
        let mut pending: Vec<_> = agenda.pending().map(|(at, rank, &name)| (at, rank, name)).collect();
        pending.sort_unstable();
        let names: Vec<_> = pending.into_iter().map(|(.., name)| name).collect();
        assert_eq!(names, ['e', 'f', 'g']);
    }

    #[test]
    fn a_lane_keeps_its_order_and_nobody_else_waits_for_it() {
        let mut agenda = Agenda::default();
        let mut lane = Lane::default();
        agenda.push_behind(&mut lane, Time(5), "first");
        agenda.push_behind(&mut lane, Time(3), "second");
        agenda.push(Time(5), "between");
        agenda.push_behind(&mut lane, Time(9), "third");
        agenda.push(Time(4), "before");
        assert_eq!((agenda.last_of(&lane), agenda.pending().count()), (Some(Time(9)), 5));
        let order: Vec<_> = std::iter::from_fn(|| agenda.pop(Time::NEVER)).map(|(_, name)| name).collect();
        assert_eq!(order, ["before", "first", "second", "between", "third"]);
        assert_eq!(agenda.last_of(&lane), None);
    }

    #[test]
    fn agrees_with_a_sorted_list_under_random_use() {
        let mut agenda = Agenda::default();
        let mut lanes = <[Lane; 4]>::default();
        let mut model: Vec<(u64, u64)> = Vec::new();
        let mut last = [0; 4];
        let mut clock = 0;
        for round in 0..40_000u64 {
            let random = bits(11, Purpose::Test, round, 0);
            // More is scheduled than taken, then the other way round: it grows, and becomes empty.
            let share = if round / 500 % 2 == 0 { 6 } else { 4 };
            if below(random, 10) < share {
                let at = clock + (random >> 20) % 50;
                if let Some(lane) = lanes.get_mut((random >> 40) as usize % 6) {
                    let last = &mut last[(random >> 40) as usize % 6];
                    *last = at.max(*last);
                    agenda.push_behind(lane, Time(at), round);
                    model.push((*last, round));
                } else {
                    agenda.push(Time(at), round);
                    model.push((at, round));
                }
            } else {
                model.sort_unstable();
                let expected = if model.is_empty() { None } else { Some(model.remove(0)) };
                let got = agenda.pop(Time::NEVER).map(|(at, id)| (at.0, id));
                assert_eq!(got, expected);
                clock = got.map_or(clock, |(at, _)| at);
            }
            assert_eq!((agenda.is_empty(), agenda.pending().count()), (model.is_empty(), model.len()));
        }
    }
}
