//! The producing application's own database: a write that goes with each message. When it is committed the user hears
//! "done". The database outlives the process; what the process was about to do does not.

use std::collections::BTreeMap;

use crate::fact::MessageId;
use crate::scenario::plan::OwnWrite;
use crate::sim::Span;

/// A write to the application's own database takes this long.
pub const OWN_WRITE: Span = Span::from_millis(1);

/// The writes of one producer instance.
#[derive(Clone, Debug)]
pub(super) struct Books {
    kind: OwnWrite,
    /// The outbox: messages that are committed and not yet marked as sent, with the attempts made so far.
    outbox: BTreeMap<MessageId, u16>,
    /// Writes under way.
    open: u32,
}

/// What a write means that was just committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// The user hears "done", and the message is sent now.
    ThenSend,
    /// The user hears "done"; the message was confirmed before.
    Done,
    /// A row of the outbox is marked as sent: nobody hears of it.
    Marked,
}

impl Books {
    pub(super) fn new(kind: OwnWrite) -> Self {
        Self { kind, outbox: BTreeMap::new(), open: 0 }
    }

    /// Whether a message that fell due is written before it is sent.
    pub(super) fn begin_due(&mut self) -> bool {
        let is_first = matches!(self.kind, OwnWrite::BeforeSending | OwnWrite::Outbox);
        self.open += u32::from(is_first);
        is_first
    }

    /// Whether something is written now that the message is confirmed.
    pub(super) fn begin_confirmed(&mut self, message: MessageId) -> bool {
        let is_wanted = match self.kind {
            OwnWrite::BeforeSending => false,
            OwnWrite::AfterConfirm => true,
            OwnWrite::Outbox => self.outbox.contains_key(&message),
        };
        self.open += u32::from(is_wanted);
        is_wanted
    }

    /// A write is committed.
    pub(super) fn written(&mut self, message: MessageId) -> Written {
        self.open -= 1;
        match self.kind {
            OwnWrite::BeforeSending => Written::ThenSend,
            OwnWrite::AfterConfirm => Written::Done,
            OwnWrite::Outbox if self.outbox.remove(&message).is_some() => Written::Marked,
            OwnWrite::Outbox => {
                self.outbox.insert(message, 1);
                Written::ThenSend
            }
        }
    }

    /// Whether the message stands in the outbox, and therefore is sent until it is confirmed; counts the attempt.
    pub(super) fn is_relayed(&mut self, message: MessageId) -> bool {
        let row = self.outbox.get_mut(&message);
        row.map(|attempts| *attempts = attempts.saturating_add(1)).is_some()
    }

    /// How many messages stand in the outbox; none: there is no outbox.
    pub(super) fn outbox(&self) -> Option<usize> {
        (self.kind == OwnWrite::Outbox).then_some(self.outbox.len())
    }

    /// Whether a write is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.open > 0
    }

    /// The process was restarted: what was under way never happened, what stands in the outbox is sent again.
    pub(super) fn restart(&mut self) -> Vec<(MessageId, u16)> {
        self.open = 0;
        for attempts in self.outbox.values_mut() {
            *attempts = attempts.saturating_add(1);
        }
        self.outbox.iter().map(|(&message, &attempt)| (message, attempt)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const M: MessageId = MessageId(7);

    #[test]
    fn before_sending_the_write_comes_first_and_is_forgotten() {
        let mut books = Books::new(OwnWrite::BeforeSending);
        assert!(books.begin_due() && books.is_busy());
        assert_eq!(books.written(M), Written::ThenSend);
        assert!(!books.begin_confirmed(M) && !books.is_busy());
        assert_eq!(books.restart(), []);
    }

    #[test]
    fn after_the_confirm_the_write_comes_last() {
        let mut books = Books::new(OwnWrite::AfterConfirm);
        assert!(!books.begin_due() && books.begin_confirmed(M));
        assert_eq!(books.written(M), Written::Done);
    }

    #[test]
    fn an_outbox_is_sent_until_it_is_marked_even_by_the_next_process() {
        let mut books = Books::new(OwnWrite::Outbox);
        assert!(books.begin_due());
        assert_eq!(books.restart(), [], "the commit did not come to pass");
        assert!(books.begin_due());
        assert_eq!(books.written(M), Written::ThenSend);
        assert!(books.is_relayed(M));
        assert_eq!(books.restart(), [(M, 3)]);
        assert!(books.begin_confirmed(M));
        assert_eq!(books.restart(), [(M, 4)], "confirmed, but not marked");
        assert!(books.begin_confirmed(M));
        assert_eq!(books.written(M), Written::Marked);
        assert_eq!(books.restart(), []);
    }
}
