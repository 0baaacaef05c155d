//! Which of a producer's queues may hold something, so that nobody looks through all of them.

/// A set of small numbers, walked in order.
#[derive(Clone, Debug, Default)]
pub(super) struct Waiting {
    words: Vec<u64>,
}

impl Waiting {
    /// Nothing, of this many.
    pub(super) fn new(count: u32) -> Self {
        Self { words: vec![0; count.div_ceil(64) as usize] }
    }

    #[inline]
    pub(super) fn insert(&mut self, number: u32) {
        self.words[number as usize / 64] |= 1 << (number % 64);
    }

    #[inline]
    pub(super) fn remove(&mut self, number: u32) {
        self.words[number as usize / 64] &= !(1 << (number % 64));
    }

    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.words.iter().all(|&word| word == 0)
    }

    /// The first one that is not below `from`.
    #[inline]
    pub(super) fn next(&self, from: u32) -> Option<u32> {
        let (first, skipped) = (from as usize / 64, !0 << (from % 64));
        let mut mask = skipped;
        for (at, &word) in self.words.iter().enumerate().skip(first) {
            if word & mask != 0 {
                return Some(at as u32 * 64 + (word & mask).trailing_zeros());
            }
            mask = !0;
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_walked_in_order() {
        let mut waiting = Waiting::new(200);
        assert!(waiting.is_empty());
        for number in [199, 0, 64, 63, 5] {
            waiting.insert(number);
        }
        waiting.remove(5);
        let mut found = Vec::new();
        let mut from = 0;
        while let Some(number) = waiting.next(from) {
            found.push(number);
            from = number + 1;
        }
        assert_eq!(found, [0, 63, 64, 199]);
        assert_eq!(waiting.next(200), None);
        assert!(!waiting.is_empty());
    }
}
