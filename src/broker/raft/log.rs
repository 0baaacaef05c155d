//! A member's log: entries from one on, of which the first ones may be released.
//!
//! Released entries leave the memory by whole chunks: none of the others is moved.

use super::{Batch, Entry, Place};
use crate::sim::Chunked;

/// A log. Clones share what they hold.
#[derive(Clone, Debug)]
pub(super) struct Log<C> {
    entries: Chunked<Entry<C>>,
    /// The index before the first of `entries`.
    base: u64,
    /// The last released entry.
    start: Place,
    /// The last entry, released or not.
    last: Place,
}

impl<C> Default for Log<C> {
    fn default() -> Self {
        Self { entries: Chunked::new(), base: 0, start: Place::default(), last: Place::default() }
    }
}

impl<C: Copy> Log<C> {
    /// A log whose entries up to this one are released.
    pub(super) fn after(start: Place) -> Self {
        Self { entries: Chunked::new(), base: start.index, start, last: start }
    }

    /// The last released entry.
    pub(super) fn start(&self) -> Place {
        self.start
    }

    /// The last entry.
    #[inline]
    pub(super) fn last(&self) -> Place {
        self.last
    }

    /// The entry at this index, unless it is released or not there yet.
    #[inline]
    pub(super) fn get(&self, index: u64) -> Option<&Entry<C>> {
        if index <= self.start.index {
            return None;
        }
        self.entries.get((index - self.base - 1) as usize)
    }

    /// The term of the entry at this index; none: it is released or not there yet.
    #[inline]
    pub(super) fn term(&self, index: u64) -> Option<u32> {
        // The usual case: where the log ends.
        if index == self.last.index {
            return Some(self.last.term);
        }
        if index == self.start.index {
            return Some(self.start.term);
        }
        self.get(index).map(|entry| entry.term)
    }

    /// Appends an entry and says where it stands.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry<C>) -> u64 {
        self.entries.push(entry);
        self.last = Place { index: self.last.index + 1, term: entry.term };
        self.last.index
    }

    /// The last entry, if it has this index and is not released.
    #[inline]
    pub(super) fn newest(&self, index: u64) -> Option<&Entry<C>> {
        if index == self.last.index && index > self.start.index { self.entries.last() } else { None }
    }

    /// Entries from this index on, to before that one.
    pub(super) fn slice(&self, from: u64, end: u64) -> Batch<C> {
        debug_assert!(from > self.start.index, "released entries are not read");
        (from..end).filter_map(|index| self.get(index)).copied().collect()
    }

    /// Drops everything after this index.
    pub(super) fn truncate(&mut self, index: u64) {
        debug_assert!(index >= self.start.index, "what is released is committed");
        let Some(term) = self.term(index) else { return };
        self.entries.truncate((index - self.base) as usize);
        self.last = Place { index, term };
    }

    /// The last index before those that have the term of this one.
    pub(super) fn before_term_of(&self, index: u64) -> u64 {
        let term = self.term(index);
        let mut at = index;
        while at > self.start.index && self.term(at) == term {
            at -= 1;
        }
        at
    }

    /// Entries up to this index are not needed any more.
    pub(super) fn release(&mut self, index: u64) {
        let Some(term) = self.term(index) else { return };
        self.start = Place { index, term };
        self.base += self.entries.forget((index - self.base) as usize) as u64;
    }

    /// How many entries are in memory, released ones included.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(terms: &[u32]) -> Log<u64> {
        let mut log = Log::default();
        for (&term, number) in terms.iter().zip(1..) {
            assert_eq!(log.push(Entry { term, command: Some(number) }), number);
        }
        log
    }

    #[test]
    fn indexes_begin_at_one_and_stay_after_a_release() {
        let mut log = filled(&[1, 1, 2, 2]);
        assert_eq!((log.term(0), log.term(1), log.term(4), log.term(5)), (Some(0), Some(1), Some(2), None));
        log.release(2);
        assert_eq!((log.term(1), log.term(2), log.term(3)), (None, Some(1), Some(2)));
        assert_eq!((log.get(2), log.get(3).and_then(|entry| entry.command)), (None, Some(3)));
        assert_eq!(log.last(), Place { index: 4, term: 2 });
        log.truncate(2);
        assert_eq!(log.last(), Place { index: 2, term: 1 });
        assert_eq!(log.push(Entry { term: 5, command: None }), 3);
    }

    #[test]
    fn a_term_ends_where_the_one_before_it_did() {
        let log = filled(&[1, 1, 3, 3, 3, 4]);
        assert_eq!((log.before_term_of(5), log.before_term_of(6), log.before_term_of(2)), (2, 5, 0));
    }

    #[test]
    fn memory_does_not_grow_with_what_is_released() {
        let mut log = Log::default();
        for number in 1..=100_000u64 {
            log.push(Entry { term: 1, command: Some(number) });
            log.release(number.saturating_sub(10));
        }
        assert!(log.held() < 2200, "{} entries are held", log.held());
        let kept: Vec<_> = log.slice(99_991, 100_001).iter().map(|entry| entry.command).collect();
        assert_eq!(kept, (99_991..=100_000).map(Some).collect::<Vec<_>>());
    }
}
