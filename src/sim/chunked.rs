//! A vector for what grows during a run: logs, ledger columns, stores.
//!
//! Clones share their chunks until one of them writes, so that a snapshot costs one pointer per 1024 items, and a kept
//! snapshot costs only the chunks that changed since. Growing never moves what is already there.
//!
//! Invariant: every chunk but the last holds exactly [`CHUNK`] items; no chunk is empty.

use std::ops::{Index, IndexMut};
use std::sync::Arc;

/// Items in a full chunk.
const CHUNK: usize = 1024;

/// A vector whose clones share their chunks.
#[derive(Clone, Debug)]
pub struct Chunked<T> {
    chunks: Vec<Arc<Vec<T>>>,
    len: usize,
}

impl<T> Default for Chunked<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T> Chunked<T> {
    /// An empty vector.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no item.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The item at this index.
    pub fn get(&self, index: usize) -> Option<&T> {
        self.chunks.get(index / CHUNK)?.get(index % CHUNK)
    }

    /// The last item.
    pub fn last(&self) -> Option<&T> {
        self.chunks.last()?.last()
    }

    /// All items in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// The items from this index on, in order.
    pub fn iter_from(&self, index: usize) -> impl Iterator<Item = &T> {
        let (first, skip) = (index / CHUNK, index % CHUNK);
        self.chunks.iter().skip(first).flat_map(|chunk| chunk.iter()).skip(skip)
    }
}

impl<T: Clone> Chunked<T> {
    /// Appends an item.
    pub fn push(&mut self, item: T) {
        if self.len.is_multiple_of(CHUNK) {
            self.chunks.push(Arc::default());
        }
        let is_only = self.chunks.len() == 1;
        let chunk = self.chunks.last_mut().expect("a chunk with room was just ensured");
        let chunk = Arc::make_mut(chunk);
        if chunk.len() == chunk.capacity() {
            // A short vector stays small; a long one gets whole chunks at once.
            let room = if is_only { (chunk.len() * 2).clamp(4, CHUNK) } else { CHUNK };
            chunk.reserve_exact(room - chunk.len());
        }
        chunk.push(item);
        self.len += 1;
    }

    /// Drops all items from this length on.
    pub fn truncate(&mut self, len: usize) {
        if len >= self.len {
            return;
        }
        self.chunks.truncate(len.div_ceil(CHUNK));
        if !len.is_multiple_of(CHUNK) {
            let chunk = self.chunks.last_mut().expect("a cut inside a chunk leaves that chunk");
            Arc::make_mut(chunk).truncate(len % CHUNK);
        }
        self.len = len;
    }

    /// The item at this index, to be changed.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut T> {
        if index >= self.len {
            return None;
        }
        Arc::make_mut(self.chunks.get_mut(index / CHUNK)?).get_mut(index % CHUNK)
    }
}

impl<T> Index<usize> for Chunked<T> {
    type Output = T;
    fn index(&self, index: usize) -> &T {
        &self.chunks[index / CHUNK][index % CHUNK]
    }
}

impl<T: Clone> IndexMut<usize> for Chunked<T> {
    fn index_mut(&mut self, index: usize) -> &mut T {
        &mut Arc::make_mut(&mut self.chunks[index / CHUNK])[index % CHUNK]
    }
}

impl<T: PartialEq> PartialEq for Chunked<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len == other.len && self.iter().eq(other.iter())
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
        let address = log.chunks[1].as_ptr();
        log[1500] = 1;
        assert_eq!(log.chunks[1].as_ptr(), address, "nobody shares it: written in place");
        let copy = log.clone();
        log[1500] = 2;
        assert!(Arc::ptr_eq(&log.chunks[0], &copy.chunks[0]));
        assert!(!Arc::ptr_eq(&log.chunks[1], &copy.chunks[1]));
    }

    #[test]
    fn a_chunk_never_has_room_for_more_than_it_may_hold() {
        let mut log: Chunked<u8> = (0..1500).map(|_| 0).collect();
        let copy = log.clone();
        log.extend((0..700).map(|_| 1));
        assert!(log.chunks.iter().all(|chunk| chunk.capacity() <= CHUNK));
        assert_eq!((copy.len(), log.len()), (1500, 2200));
    }

    proptest! {
        #[test]
        fn it_behaves_like_a_vector(
            steps in prop::collection::vec((0u8..5, 0usize..5000), 0..60),
        ) {
            let (mut ours, mut model) = (Chunked::new(), Vec::new());
            let mut kept = Vec::new();
            for (kind, n) in steps {
                match kind {
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
