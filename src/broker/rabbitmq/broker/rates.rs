//! How much goes through a node: what the management plugin shows as message rates.

use crate::sim::Time;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Rate {
    Publish,
    Confirm,
    Deliver,
    Redeliver,
    Ack,
}

impl Rate {
    /// In the order in which the management page lists them.
    pub(in super::super) const ALL: [Self; 5] =
        [Self::Publish, Self::Confirm, Self::Deliver, Self::Redeliver, Self::Ack];

    /// As the management page calls it.
    pub(in super::super) fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Confirm => "confirm",
            Self::Deliver => "deliver",
            Self::Redeliver => "redeliver",
            Self::Ack => "ack",
        }
    }
}

/// Counts of the second that runs, and of the one before.
#[derive(Clone, Copy, Debug, Default)]
pub(in super::super) struct Rates {
    second: u64,
    now: [u32; Rate::ALL.len()],
    before: [u32; Rate::ALL.len()],
}

impl Rates {
    /// So many more of a kind.
    #[inline]
    pub(super) fn count(&mut self, what: Rate, more: u32, at: Time) {
        let second = second(at);
        if second != self.second {
            self.before = if second == self.second + 1 { self.now } else { Default::default() };
            self.now = Default::default();
            self.second = second;
        }
        self.now[what as usize] += more;
    }

    /// How many there were in the last whole second.
    pub(in super::super) fn of(&self, what: Rate, at: Time) -> u32 {
        match second(at) - self.second {
            0 => self.before[what as usize],
            1 => self.now[what as usize],
            _ => 0,
        }
    }
}

fn second(at: Time) -> u64 {
    at.0 / 1_000_000_000
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Span;

    #[test]
    fn a_rate_is_that_of_the_last_whole_second() {
        let at = |ms| Time::ZERO + Span::from_millis(ms);
        let mut rates = Rates::default();
        rates.count(Rate::Ack, 3, at(200));
        assert_eq!(rates.of(Rate::Ack, at(900)), 0);
        assert_eq!(rates.of(Rate::Ack, at(1500)), 3);
        rates.count(Rate::Ack, 1, at(1600));
        assert_eq!((rates.of(Rate::Ack, at(1700)), rates.of(Rate::Ack, at(2100))), (3, 1));
        assert_eq!(rates.of(Rate::Ack, at(9000)), 0);
    }
}
