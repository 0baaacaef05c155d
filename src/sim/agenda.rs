//! Pending events in the order of their times; equal times in the order in which they were scheduled.
//!
//! A 4-ary heap of packed 128-bit keys (time, sequence number, slot) over a slab of payloads: comparing is one integer
//! comparison, moving is 16 bytes, cloning is three copies. The removal of the earliest event is postponed until the
//! next call: most events schedule another one, which then takes its place at the top in a single pass.

use super::time::Time;

const SLOT_BITS: u32 = 24;
const SEQUENCE_BITS: u32 = 40;
const SLOT_MASK: u128 = (1 << SLOT_BITS) - 1;

/// Pending events.
#[derive(Clone, Debug)]
pub struct Agenda<E> {
    heap: Vec<u128>,
    slots: Vec<Slot<E>>,
    free: Vec<u32>,
    sequence: u64,
    /// The top of the heap was handed out and not yet removed.
    is_top_taken: bool,
    overflow: Option<&'static str>,
}

#[derive(Clone, Debug)]
struct Slot<E> {
    generation: u32,
    event: Option<E>,
}

/// A scheduled event, to cancel it by. A ticket of an event that was dispatched or cancelled does nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    slot: u32,
    generation: u32,
}

impl<E> Default for Agenda<E> {
    fn default() -> Self {
        Self {
            heap: Vec::new(),
            slots: Vec::new(),
            free: Vec::new(),
            sequence: 0,
            is_top_taken: false,
            overflow: None,
        }
    }
}

impl<E> Agenda<E> {
    /// Schedules an event.
    #[inline(always)]
    pub fn push(&mut self, at: Time, event: E) -> Ticket {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => self.grow(),
        };
        let entry = &mut self.slots[slot as usize];
        entry.event = Some(event);
        let generation = entry.generation;
        let key = (u128::from(at.0) << (SLOT_BITS + SEQUENCE_BITS))
            | (u128::from(self.sequence) << SLOT_BITS)
            | u128::from(slot);
        self.sequence += 1;
        if self.is_top_taken {
            self.is_top_taken = false;
            self.sift_down(key);
        } else {
            self.heap.push(key);
            self.sift_up(self.heap.len() - 1, key);
        }
        Ticket { slot, generation }
    }

    /// Takes the earliest event that is not after `until`.
    #[inline(always)]
    pub fn pop(&mut self, until: Time) -> Option<(Time, E)> {
        loop {
            self.settle();
            let key = *self.heap.first()?;
            let at = Time((key >> (SLOT_BITS + SEQUENCE_BITS)) as u64);
            if at > until {
                return None;
            }
            self.is_top_taken = true;
            let slot = (key & SLOT_MASK) as u32;
            let entry = &mut self.slots[slot as usize];
            entry.generation = entry.generation.wrapping_add(1);
            self.free.push(slot);
            if let Some(event) = entry.event.take() {
                return Some((at, event));
            }
        }
    }

    /// Forgets an event. Its key stays in the heap until its time comes, and is then skipped. Whether the event was
    /// still pending.
    pub fn cancel(&mut self, ticket: Ticket) -> bool {
        let entry = &mut self.slots[ticket.slot as usize];
        entry.generation == ticket.generation && entry.event.take().is_some()
    }

    /// The ticket of the event that was just taken; none: another one has taken its place since.
    pub fn taken(&self) -> Option<Ticket> {
        let key = self.heap.first().filter(|_| self.is_top_taken)?;
        let slot = (key & SLOT_MASK) as u32;
        Some(Ticket { slot, generation: self.slots[slot as usize].generation.wrapping_sub(1) })
    }

    /// How many keys are pending, cancelled ones included.
    pub fn len(&self) -> usize {
        self.heap.len() - usize::from(self.is_top_taken)
    }

    /// Everything that is pending, in no particular order: when, in which order among equal times, and what.
    pub fn pending(&self) -> impl Iterator<Item = (Time, u64, &E)> {
        self.heap.iter().skip(usize::from(self.is_top_taken)).filter_map(|&key| {
            let event = self.slots[(key & SLOT_MASK) as usize].event.as_ref()?;
            let at = Time((key >> (SLOT_BITS + SEQUENCE_BITS)) as u64);
            Some((at, (key >> SLOT_BITS) as u64 & ((1 << SEQUENCE_BITS) - 1), event))
        })
    }

    /// Whether nothing is pending.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The limit that was exceeded, if one was: what was scheduled since then may be missing, so the run must stop.
    pub fn overflow(&self) -> Option<&'static str> {
        if self.sequence >> SEQUENCE_BITS > 0 {
            return Some("more than 2^40 events were scheduled");
        }
        self.overflow
    }

    #[cold]
    fn grow(&mut self) -> u32 {
        if self.slots.len() as u128 > SLOT_MASK {
            // The last slot is sacrificed; the caller sees `overflow` before the next event is dispatched.
            self.overflow = Some("more than 2^24 events are pending");
            return SLOT_MASK as u32;
        }
        self.slots.push(Slot { generation: 0, event: None });
        (self.slots.len() - 1) as u32
    }

    /// Removes the top if it was handed out and nothing took its place.
    #[inline(always)]
    fn settle(&mut self) {
        if self.is_top_taken {
            self.is_top_taken = false;
            if let Some(last) = self.heap.pop()
                && !self.heap.is_empty()
            {
                self.sift_down(last);
            }
        }
    }

    /// Puts `key` at the top and lets it sink.
    #[inline(always)]
    fn sift_down(&mut self, key: u128) {
        let heap = self.heap.as_mut_slice();
        let len = heap.len();
        let mut at = 0;
        loop {
            let first = 4 * at + 1;
            let (child, smallest) = if let Some(four) = heap.get(first..first + 4) {
                let (a, low) = if four[1] < four[0] { (1, four[1]) } else { (0, four[0]) };
                let (b, high) = if four[3] < four[2] { (3, four[3]) } else { (2, four[2]) };
                if high < low { (first + b, high) } else { (first + a, low) }
            } else if first < len {
                let mut best = (first, heap[first]);
                for (child, &candidate) in heap.iter().enumerate().skip(first + 1) {
                    if candidate < best.1 {
                        best = (child, candidate);
                    }
                }
                best
            } else {
                break;
            };
            if key <= smallest {
                break;
            }
            heap[at] = smallest;
            at = child;
        }
        heap[at] = key;
    }

    #[inline]
    fn sift_up(&mut self, mut at: usize, key: u128) {
        while at > 0 {
            let parent = (at - 1) / 4;
            if self.heap[parent] <= key {
                break;
            }
            self.heap[at] = self.heap[parent];
            at = parent;
        }
        self.heap[at] = key;
    }
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
    fn agrees_with_a_sorted_list_under_random_use() {
        let mut agenda = Agenda::default();
        let mut model: Vec<(u64, u64)> = Vec::new();
        let mut clock = 0;
        for round in 0..20_000u64 {
            let random = bits(11, Purpose::Test, round, 0);
            if below(random, 5) < 3 {
                let at = clock + (random >> 20) % 50;
                agenda.push(Time(at), round);
                model.push((at, round));
            } else {
                model.sort_unstable();
                let expected = if model.is_empty() { None } else { Some(model.remove(0)) };
                let got = agenda.pop(Time::NEVER).map(|(at, id)| (at.0, id));
                assert_eq!(got, expected);
                clock = got.map_or(clock, |(at, _)| at);
            }
        }
    }
}
