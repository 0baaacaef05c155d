//! How long a producer instance had something to send and got no confirm.

use crate::sim::{Span, Time};

/// One producer instance's waiting for confirms.
///
/// The clock runs while at least one of its messages is due and unanswered; every confirm sets it back, and so does
/// the moment at which nothing is unanswered any more. The longest reading is what the contract calls `unavailable`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Availability {
    unanswered: u32,
    since: Time,
    longest: Span,
}

impl Availability {
    /// A message fell due, or was handed to the client again after a failure.
    pub(super) fn ask(&mut self, at: Time) {
        if self.unanswered == 0 {
            self.since = at;
        }
        self.unanswered += 1;
    }

    /// A message was answered with success.
    pub(super) fn confirm(&mut self, at: Time) {
        self.longest = self.longest_at(at);
        self.unanswered -= 1;
        self.since = at;
    }

    /// A message was answered with a failure.
    pub(super) fn fail(&mut self, at: Time) {
        self.longest = self.longest_at(at);
        self.unanswered -= 1;
    }

    /// The longest wait so far, the present one included.
    pub(super) fn longest_at(&self, now: Time) -> Span {
        if self.unanswered == 0 { self.longest } else { self.longest.max(now.since(self.since)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `d`ue, `c`onfirmed or `f`ailed, and when.
    type Story = &'static [(u64, char)];

    fn longest(story: Story, end: u64) -> u64 {
        let mut instance = Availability::default();
        for &(at, what) in story {
            match what {
                'd' => instance.ask(Time(at)),
                'c' => instance.confirm(Time(at)),
                _ => instance.fail(Time(at)),
            }
        }
        instance.longest_at(Time(end)).0
    }

    #[test]
    fn the_clock_runs_only_while_something_is_unanswered() {
        let rows: [(&str, Story, u64, u64); 6] = [
            ("nothing sent", &[], 100, 0),
            ("quick answers, long pauses", &[(0, 'd'), (2, 'c'), (50, 'd'), (53, 'c')], 100, 3),
            ("two in flight: each confirm sets it back", &[(0, 'd'), (1, 'd'), (4, 'c'), (9, 'c')], 100, 5),
            ("a failure among others is no confirm", &[(0, 'd'), (1, 'd'), (4, 'f'), (9, 'c')], 100, 9),
            ("failed, and nothing left unanswered", &[(0, 'd'), (4, 'f'), (50, 'd'), (51, 'c')], 100, 4),
            ("still waiting at the end", &[(0, 'd'), (1, 'c'), (10, 'd')], 100, 90),
        ];
        for (story, events, end, expected) in rows {
            assert_eq!(longest(events, end), expected, "{story}");
        }
    }
}
