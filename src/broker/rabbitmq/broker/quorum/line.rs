//! A line of messages: in at the back, out at the front. Clones share what they hold, so that the state of a long
//! queue can be kept as a snapshot.

use crate::sim::Chunked;

/// A line.
#[derive(Clone, Debug)]
pub(super) struct Line<T> {
    all: Chunked<T>,
    /// How many of them have left.
    served: usize,
}

impl<T> Default for Line<T> {
    fn default() -> Self {
        Self { all: Chunked::new(), served: 0 }
    }
}

impl<T: Clone> Line<T> {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.all.len() - self.served
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline]
    pub(super) fn push(&mut self, item: T) {
        self.all.push(item);
    }

    #[inline]
    pub(super) fn front(&self) -> Option<&T> {
        self.all.get(self.served)
    }

    #[inline]
    pub(super) fn pop(&mut self) -> Option<T> {
        let item = self.all.get(self.served)?.clone();
        self.served += 1;
        if self.served == self.all.len() {
            self.all.truncate(0);
            self.served = 0;
        } else {
            self.served -= self.all.forget(self.served);
        }
        Some(item)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &T> {
        self.all.iter_from(self.served)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_first_in_first_out_and_forgets_who_has_left() {
        let mut line = Line::default();
        for number in 0..10_000 {
            line.push(number);
            if number % 10 != 0 {
                line.pop();
            }
        }
        assert_eq!((line.len(), line.front()), (1_000, Some(&9_000)));
        assert!(line.all.len() < 3_100, "{} are held", line.all.len());
        assert!(line.iter().copied().eq(9_000..10_000));
        assert_eq!((line.pop(), line.len()), (Some(9_000), 999));
    }
}
