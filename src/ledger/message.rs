//! The ledger's columns: 32 bytes a message, and 8 bytes for each subscription that could get it.

use super::fate::{Answer, Removal};
use crate::fact::GivenUp;
use crate::sim::{Span, Time};

/// What is kept of every message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message {
    /// When its send was due.
    pub(super) due: Time,
    /// When an attempt was first confirmed; never: [`Time::NEVER`].
    pub(super) confirmed: Time,
    /// Its number within the producer, from 1.
    pub(super) number: u32,
    /// Its key, or [`Message::NO_KEY`].
    pub(super) key: u32,
    /// Which producer instance sends it, counted over all producers.
    pub(super) instance: u16,
    /// Attempts handed to the client library.
    pub(super) attempts: u16,
    /// Attempts that were answered with a failure.
    pub(super) failures: u16,
    /// Whether the application waits for an answer.
    pub(super) is_open: bool,
    /// What else the sending application knows: a sum of [`Message::WRITTEN`] and [`Message::RETURNED`].
    pub(super) marks: u8,
}

impl Message {
    /// The key of a message without key.
    pub(super) const NO_KEY: u32 = u32::MAX;
    /// The sending application's own database has the write that goes with it.
    pub(super) const WRITTEN: u8 = 1;
    /// The last attempt came back: nothing took it.
    pub(super) const RETURNED: u8 = 2;

    /// Whether it has a mark.
    pub(super) fn is(&self, mark: u8) -> bool {
        self.marks & mark != 0
    }

    /// Its key; none: it has none.
    pub(super) fn key(&self) -> Option<u32> {
        (self.key != Self::NO_KEY).then_some(self.key)
    }

    /// What the sending application was told so far.
    pub(super) fn answer(&self) -> Answer {
        if self.confirmed != Time::NEVER {
            Answer::Confirmed
        } else if self.failures > 0 && self.failures >= self.attempts {
            Answer::Failed
        } else {
            Answer::Unknown
        }
    }
}

/// What is kept of a message at one subscription: time to the first effect (48 bits, in nanoseconds, so that anything
/// above three days counts as three days), number of effects (8 bits, saturating), whether it was delivered, whether it
/// was put into a dead-letter destination, and by which other rule it was last given up.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Reception(u64);

const DELAY_BITS: u32 = 48;
const DELAY_MAX: u64 = (1 << DELAY_BITS) - 1;
const EFFECT: u64 = 1 << DELAY_BITS;
const EFFECTS_MAX: u64 = 0xff;
const DELIVERED: u64 = 1 << 56;
const DEAD_LETTERED: u64 = 1 << 57;
const REMOVAL_SHIFT: u32 = 58;
const REMOVAL: u64 = 7 << REMOVAL_SHIFT;

impl Reception {
    /// Records a delivery and says whether there was one before.
    pub(super) fn deliver(&mut self) -> bool {
        let was_delivered = self.0 & DELIVERED != 0;
        self.0 |= DELIVERED;
        was_delivered
    }

    /// Records an effect so long after the send was due, and says whether nothing had become of it until then.
    #[inline]
    pub(super) fn effect(&mut self, delay: Span) -> bool {
        let was_open = !self.is_over();
        match self.effects() {
            0 => self.0 |= EFFECT | delay.0.min(DELAY_MAX),
            EFFECTS_MAX => {}
            _ => self.0 += EFFECT,
        }
        was_open
    }

    /// Records that it was given up, and says whether nothing had become of it until then.
    pub(super) fn give_up(&mut self, how: GivenUp) -> bool {
        let was_open = !self.is_over();
        let rule = match how {
            GivenUp::DeadLettered => {
                self.0 |= DEAD_LETTERED;
                return was_open;
            }
            GivenUp::Discarded => 1,
            GivenUp::Expired => 2,
            GivenUp::Overflowed => 3,
            GivenUp::Unroutable => 4,
        };
        self.0 = self.0 & !REMOVAL | rule << REMOVAL_SHIFT;
        was_open
    }

    /// By which rule it was taken away, if it was given up. What sits in a dead-letter destination is not gone.
    pub(super) fn removal(self) -> Option<Removal> {
        if self.0 & DEAD_LETTERED != 0 { Some(Removal::DeadLettered) } else { self.removal_for_good() }
    }

    /// By which rule it was last taken away, a dead-letter destination apart.
    pub(super) fn removal_for_good(self) -> Option<Removal> {
        match (self.0 & REMOVAL) >> REMOVAL_SHIFT {
            1 => Some(Removal::Discarded),
            2 => Some(Removal::Expired),
            3 => Some(Removal::Overflowed),
            4 => Some(Removal::Unroutable),
            _ => None,
        }
    }

    /// Whether it had an effect or was given up.
    #[inline]
    pub(super) fn is_over(self) -> bool {
        self.0 & (EFFECTS_MAX << DELAY_BITS | DEAD_LETTERED | REMOVAL) != 0
    }

    /// How often the message changed the store.
    pub(super) fn effects(self) -> u64 {
        self.0 >> DELAY_BITS & EFFECTS_MAX
    }

    /// From the due time to the first effect.
    pub(super) fn delay(self) -> Option<Span> {
        (self.effects() > 0).then_some(Span(self.0 & DELAY_MAX))
    }

    /// Whether the subscription ever saw it.
    pub(super) fn was_seen(self) -> bool {
        self.0 & DELIVERED != 0 || self.effects() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_with_one_subscription_costs_forty_bytes() {
        assert_eq!(size_of::<Message>() + size_of::<Reception>(), 40);
    }

    #[test]
    fn a_reception_remembers_the_first_effect_and_counts_the_rest() {
        let mut reception = Reception::default();
        assert!(!reception.was_seen() && reception.delay().is_none());
        assert!(!reception.deliver() && reception.deliver());
        assert!(reception.effect(Span(5)) && !reception.effect(Span(9)));
        assert_eq!((reception.effects(), reception.delay()), (2, Some(Span(5))));
        for _ in 0..1000 {
            assert!(!reception.effect(Span(9)));
        }
        assert_eq!((reception.effects(), reception.delay()), (255, Some(Span(5))));
    }

    #[test]
    fn a_reception_knows_by_which_rule_it_was_given_up() {
        let rows = [
            (&[GivenUp::Discarded][..], Removal::Discarded),
            (&[GivenUp::Expired], Removal::Expired),
            (&[GivenUp::Discarded, GivenUp::Overflowed], Removal::Overflowed),
            (&[GivenUp::Overflowed, GivenUp::Unroutable], Removal::Unroutable),
            (&[GivenUp::DeadLettered, GivenUp::Expired], Removal::DeadLettered),
        ];
        for (given_up, expected) in rows {
            let mut reception = Reception::default();
            assert!(reception.removal().is_none());
            let was_open: Vec<_> = given_up.iter().map(|&how| reception.give_up(how)).collect();
            assert!(was_open[0] && !was_open[1..].contains(&true));
            assert_eq!(reception.removal(), Some(expected));
            assert!(!reception.was_seen());
        }
    }

    #[test]
    fn an_endless_delay_saturates() {
        let mut reception = Reception::default();
        reception.effect(Span::FOREVER);
        assert_eq!((reception.effects(), reception.delay()), (1, Some(Span(DELAY_MAX))));
    }
}
