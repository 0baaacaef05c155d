//! Appending without a copy in between.
//!
//! What is handed to `push` is built first and moved then, because making room comes between the two. For an item of
//! several words that is more than a copy: it is written field by field and read back in larger pieces an instant
//! later, for which the processor has to wait until the fields have left its store buffer. Where such an item is
//! appended for every message, room is made first and the item is built where it stays.

use std::collections::VecDeque;
use std::iter;

/// A collection that lets an item be built at its end.
pub trait PushWith<T> {
    /// Makes room for one more item, and makes it there.
    fn push_with(&mut self, make: impl FnOnce() -> T);
}

impl<T> PushWith<T> for Vec<T> {
    #[inline]
    fn push_with(&mut self, make: impl FnOnce() -> T) {
        self.extend(iter::once_with(make));
    }
}

impl<T> PushWith<T> for VecDeque<T> {
    #[inline]
    fn push_with(&mut self, make: impl FnOnce() -> T) {
        self.extend(iter::once_with(make));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_follow_one_another() {
        let (mut all, mut line) = (Vec::new(), VecDeque::new());
        for number in 0..100 {
            all.push_with(|| number);
            line.push_with(|| number);
            if number % 3 == 0 {
                line.pop_front();
            }
        }
        assert!(all.into_iter().eq(0..100));
        assert!(line.into_iter().eq(34..100));
    }
}
