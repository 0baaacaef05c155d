//! A vector for what grows during a run: logs, ledger columns, stores.
//!
//! Clones share their full chunks until one of them writes there, so that a snapshot costs one pointer per 1024 items
//! and a copy of the last chunk, and a kept snapshot costs only the chunks that changed since. The last chunk belongs
//! to its vector alone: almost everything is written there, and nobody has to be asked whether it is shared. Growing
//! never moves what is already there.
//!
//! What is at the end is used most, so an index is looked for in the last chunk first, with one comparison: one that
//! lies before it wraps round to a number that is larger than any chunk.
//!
//! Invariant: every full chunk holds exactly [`CHUNK`] items, the last one at most as many; it is empty only if the
//! whole vector is.

use std::mem;
use std::ops::{Index, IndexMut};
use std::sync::Arc;

use super::PushWith;

/// Items in a full chunk.
const CHUNK: usize = 1024;

/// A vector whose clones share their chunks.
#[derive(Clone, Debug)]
pub struct Chunked<T> {
    full: Vec<Arc<Vec<T>>>,
    last: Vec<T>,
    /// How many items the full chunks hold.
    before: usize,
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Self { full: Vec::new(), last: Vec::new(), before: 0 }
    }
}

impl<T> Chunked<T> {
    /// An empty vector.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many items there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.before + self.last.len()
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.last.is_empty()
    }

    /// The item at this index.
    #[inline]
    pub fn get(&self, index: usize) -> Option<&T> {
        match self.last.get(index.wrapping_sub(self.before)) {
            None => self.earlier(index),
            found => found,
        }
    }

    /// The last item.
    pub fn last(&self) -> Option<&T> {
        self.last.last()
    }

    /// All items in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.full.iter().flat_map(|chunk| chunk.iter()).chain(&self.last)
    }

    /// The items from this index on, in order.
    #[inline]
    pub fn iter_from(&self, index: usize) -> impl Iterator<Item = &T> {
        let (first, skip) = (index / CHUNK, index % CHUNK);
        let full = self.full.get(first..).unwrap_or_default();
        let of_last = index.saturating_sub(self.before);
        let skip = if full.is_empty() { 0 } else { skip };
        let of_full = full.iter().flat_map(|chunk| chunk.iter()).skip(skip);
        of_full.chain(self.last.get(of_last..).unwrap_or_default())
    }

    /// Lets go of whole chunks among the first `count` items; how many items that were: the others move down by so
    /// many.
    #[inline]
    pub fn forget(&mut self, count: usize) -> usize {
        let chunks = (count / CHUNK).min(self.full.len());
        if chunks == 0 {
            return 0;
        }
        self.full.drain(..chunks);
        self.before -= chunks * CHUNK;
        chunks * CHUNK
    }

    /// The item at this index, if a full chunk has it.
    #[inline(never)]
    fn earlier(&self, index: usize) -> Option<&T> {
        self.full.get(index / CHUNK)?.get(index % CHUNK)
    }

    #[cold]
    fn missing(&self, index: usize) -> ! {
        panic!("index {index} of {} items", self.len())
    }

    /// Makes room for one more item in the last chunk.
    #[cold]
    fn grow(&mut self) {
        if self.last.len() == CHUNK {
            let chunk = mem::replace(&mut self.last, Vec::with_capacity(CHUNK));
            self.full.push(Arc::new(chunk));
            self.before += CHUNK;
            return;
        }
        // A short vector stays small; a long one gets whole chunks at once.
        let len = self.last.len();
        let room = if self.full.is_empty() { (len * 2).clamp(4, CHUNK) } else { CHUNK };
        self.last.reserve_exact(room - len);
    }
}

impl<T> PushWith<T> for Chunked<T> {
    #[inline]
    fn push_with(&mut self, make: impl FnOnce() -> T) {
        if self.last.len() == self.last.capacity() || self.last.len() == CHUNK {
            self.grow();
        }
        self.last.push_with(make);
    }
}

impl<T: Clone> Chunked<T> {
    /// Appends an item.
    #[inline]
    pub fn push(&mut self, item: T) {
        self.push_with(|| item);
    }

    /// Drops all items from this length on.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len() {
            return;
        }
        let whole = len.saturating_sub(1) / CHUNK;
        if whole < self.full.len() {
            let chunk = self.full.swap_remove(whole);
            self.full.truncate(whole);
            self.before = whole * CHUNK;
            self.last = Arc::try_unwrap(chunk).unwrap_or_else(|chunk| Vec::clone(&chunk));
        }
        self.last.truncate(len - self.before);
    }

    /// The item at this index, to be changed.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        match self.last.get_mut(index.wrapping_sub(self.before)) {
            None => Self::earlier_mut(&mut self.full, index),
            found => found,
        }
    }

    /// The item at this index, if a full chunk has it: nobody else sees what is written there.
    #[inline(never)]
    fn earlier_mut(full: &mut [Arc<Vec<T>>], index: usize) -> Option<&mut T> {
        Arc::make_mut(full.get_mut(index / CHUNK)?).get_mut(index % CHUNK)
    }
}

impl<T> Index<usize> for Chunked<T> {
    type Output = T;
    #[inline]
    fn index(&self, index: usize) -> &T {
        match self.get(index) {
            Some(item) => item,
            None => self.missing(index),
        }
    }
}

impl<T: Clone> IndexMut<usize> for Chunked<T> {
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut T {
        let at = index.wrapping_sub(self.before);
        if at < self.last.len() {
            return &mut self.last[at];
        }
        if index >= self.before {
            self.missing(index);
        }
        Self::earlier_mut(&mut self.full, index).expect("every full chunk is full")
    }
}

impl<T: PartialEq> PartialEq for Chunked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<T: Clone> Extend<T> for Chunked<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, items: I) {
        for item in items {
            self.push(item);
        }
    }
}

impl<T: Clone> FromIterator<T> for Chunked<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut all = Self::new();
        all.extend(items);
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_clone_keeps_what_it_saw() {
        let mut log: Chunked<u32> = (0..3000).collect();
        let before = log.clone();
        log[2000] = 7;
        log.truncate(2500);
        log.push(9);
        assert_eq!((before.len(), before[2000], before[2500]), (3000, 2000, 2500));
        assert_eq!((log.len(), log[2000], log.last()), (2501, 7, Some(&9)));
    }

    #[test]
    fn untouched_chunks_are_shared_and_unshared_ones_are_not_copied() {
        let mut log: Chunked<u32> = (0..3000).collect();
        let address = log.full[1].as_ptr();
        log[1500] = 1;
        assert_eq!(log.full[1].as_ptr(), address, "nobody shares it: written in place");
        let copy = log.clone();
        log[1500] = 2;
        assert!(Arc::ptr_eq(&log.full[0], &copy.full[0]));
        assert!(!Arc::ptr_eq(&log.full[1], &copy.full[1]));
    }

    #[test]
    fn a_chunk_never_has_room_for_more_than_it_may_hold() {
        let mut log: Chunked<u8> = (0..1500).map(|_| 0).collect();
        let copy = log.clone();
        log.extend((0..700).map(|_| 1));
        assert!(log.full.iter().all(|chunk| chunk.capacity() <= CHUNK));
        assert!(log.last.capacity() <= CHUNK);
        assert_eq!((copy.len(), log.len()), (1500, 2200));
    }

    proptest! {
        #[test]
        fn it_behaves_like_a_vector(
            steps in prop::collection::vec((0u8..6, 0usize..5000), 0..60),
        ) {
            let (mut ours, mut model) = (Chunked::new(), Vec::new());
            let mut kept = Vec::new();
            for (kind, n) in steps {
                match kind {
                    5 if n < model.len() => {
                        let gone = ours.forget(n);
                        prop_assert!(gone <= n && n - gone < CHUNK);
                        model.drain(..gone);
                    }
                    0 => {
                        ours.extend(0..n);
                        model.extend(0..n);
                    }
                    1 => {
                        ours.truncate(n);
                        model.truncate(n);
                    }
                    2 if n < model.len() => {
                        ours[n] = 77;
                        model[n] = 77;
                    }
                    3 => kept.push((ours.clone(), model.clone())),
                    _ => {
                        ours.push(n);
                        model.push(n);
                    }
                }
                prop_assert_eq!(ours.len(), model.len());
                prop_assert_eq!(ours.get(n), model.get(n));
                prop_assert_eq!(ours.last(), model.last());
                prop_assert!(ours.iter_from(n).eq(model.iter().skip(n)));
            }
            kept.push((ours, model));
            for (ours, model) in kept {
                prop_assert!(ours.iter().eq(model.iter()));
            }
        }
    }
}
