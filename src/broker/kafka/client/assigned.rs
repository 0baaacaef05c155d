//! A partition that a member owns: how far it has read, handed over, finished and committed.

use std::collections::VecDeque;

use crate::broker::picture::Field;
use crate::fact::MessageId;

/// A partition that this member owns.
#[derive(Clone, Debug)]
pub(in super::super) struct Assigned {
    pub(in super::super) partition: u32,
    /// The next offset to hand over; none: not known yet.
    pub(in super::super) position: Option<u64>,
    /// Fetched and not handed over.
    pub(super) fetched: VecDeque<(u64, MessageId)>,
    /// The next offset to fetch.
    pub(super) fetch_at: u64,
    /// The offset after the last one that the application finished; with a pool: before which all are finished.
    pub(super) done: u64,
    /// The last message handed over, and the last one finished.
    pub(super) handed: Option<MessageId>,
    pub(super) finished: Option<MessageId>,
    /// The last offset that was committed, or is being committed.
    pub(super) committed: u64,
    /// Asked for where to begin.
    pub(super) is_resetting: bool,
    /// What a pool works on, from the first unfinished on: offset, message, whether it is finished.
    window: VecDeque<(u64, MessageId, bool)>,
}

/// What a commit says of one partition: the next offset, and the message before it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Progress {
    pub(super) partition: u32,
    pub(super) offset: u64,
    pub(super) last: Option<MessageId>,
}

impl Assigned {
    pub(super) fn new(partition: u32) -> Self {
        Self {
            partition,
            position: None,
            fetched: VecDeque::new(),
            fetch_at: 0,
            done: 0,
            handed: None,
            finished: None,
            committed: 0,
            is_resetting: false,
            window: VecDeque::new(),
        }
    }

    /// Reading begins here.
    pub(super) fn begin(&mut self, offset: u64) {
        self.position = Some(offset);
        self.fetched.clear();
        self.window.clear();
        self.fetch_at = offset;
        self.done = offset;
        self.committed = offset;
        self.is_resetting = false;
    }

    /// A pool was handed a message.
    pub(super) fn hand_off(&mut self, offset: u64, message: MessageId) {
        self.window.push_back((offset, message, false));
    }

    /// How many offsets were handed over and not committed; none: nobody knows what is committed.
    pub(super) fn uncommitted(&self) -> Option<u64> {
        self.position?.checked_sub(self.committed)
    }

    /// All of it, in words.
    pub(super) fn tell(&self, fields: &mut Vec<Field>) {
        let position = self.position.map_or_else(|| "unknown".to_owned(), |at| at.to_string());
        let committed = self.committed;
        let committed = if committed == u64::MAX { "unknown".to_owned() } else { committed.to_string() };
        fields.push(Field::new("position", position));
        if self.position.is_some() {
            fields.push(Field::new("committed", committed));
            fields.push(Field::new("finished before", self.done));
            fields.push(Field::new("fetch offset", self.fetch_at));
        }
        fields.push(Field::new("fetched ahead", self.fetched.len()));
        if self.is_resetting {
            fields.push(Field::new("resetting", true));
        }
        if !self.window.is_empty() {
            fields.push(Field::new("with the pool", self.window.len()));
        }
    }

    /// The application finished what it was handed from here; what it was handed in an earlier ownership is not known.
    pub(super) fn finish(&mut self, offset: u64, message: MessageId, is_pool: bool) {
        if !is_pool {
            if self.position.is_some_and(|position| position > offset) {
                self.done = offset + 1;
                self.finished = Some(message);
            }
            return;
        }
        let Ok(at) = self.window.binary_search_by_key(&offset, |&(offset, ..)| offset) else { return };
        self.window[at].2 = true;
        while let Some(&(offset, message, true)) = self.window.front() {
            self.done = offset + 1;
            self.finished = Some(message);
            self.window.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pools_safe_offset_is_the_lowest_that_is_unfinished() {
        let mut assigned = Assigned::new(0);
        assigned.begin(5);
        for offset in 5..9 {
            assigned.position = Some(offset + 1);
            assigned.hand_off(offset, MessageId(offset as u32));
        }
        assigned.finish(7, MessageId(7), true);
        assert_eq!((assigned.done, assigned.finished), (5, None));
        assigned.finish(5, MessageId(5), true);
        assert_eq!((assigned.done, assigned.finished), (6, Some(MessageId(5))));
        assigned.finish(6, MessageId(6), true);
        assert_eq!((assigned.done, assigned.finished), (8, Some(MessageId(7))));
        assigned.finish(3, MessageId(3), true);
        assert_eq!(assigned.done, 8, "from an earlier ownership");
    }
}
