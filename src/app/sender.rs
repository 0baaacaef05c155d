//! The application half of one producer instance: when its messages fall due, and what it does about an answer.
//!
//! Message `k` of a producer belongs to instance `(k - 1) mod instances`, so who sends what does not depend on speed.
//! What fell due while the process was down is sent when it is back.

use super::books::{Books, Written};
use super::schedule::{Schedule, gap};
use crate::fact::{MessageId, ProducerId};
use crate::scenario::plan::{ProducerPlan, Rate, Reaction};
use crate::sim::{Span, Time};

/// One call of a client library's send takes this long where nothing else slows a producer down (`rate = "max"`), and
/// the family does not know better.
const CALL: Span = Span::from_micros(1);

/// The application half of a producer instance.
#[derive(Clone, Debug)]
pub struct Sender {
    producer: ProducerId,
    instance: u16,
    instances: u32,
    seed: u64,
    rate: Rate,
    /// Several phases; none: there is one rate from beginning to end.
    phases: Option<Box<Schedule>>,
    /// Its own database, if something is written there with each message.
    books: Option<Box<Books>>,
    messages: u32,
    ends: Time,
    call: Span,
    reaction_failed: Reaction,
    reaction_unknown: Reaction,
    attempts_max: u16,
    attempt_every: Span,
    /// The number of the next message; beyond `messages`: none is left.
    number: u32,
    due: Time,
    unanswered: u32,
    /// Its first process has started: its schedule began then.
    has_begun: bool,
    /// It sends only what it is told to; how much of that is left.
    told: Option<u32>,
}

/// What the client library said about an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It succeeded.
    Confirmed,
    /// It failed.
    Failed(Doubt),
}

/// Whether a failure says that nothing was stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// It was refused.
    None,
    /// Nobody knows: a time-out, a lost connection. If no answer will ever come, nobody was told of a failure either:
    /// that is [`Fact::Unanswered`](crate::fact::Fact::Unanswered).
    MayBeStored,
}

impl Sender {
    /// Instance `instance` of a producer whose messages fall due before `ends`.
    pub fn new(plan: &ProducerPlan, producer: ProducerId, instance: u16, seed: u64, ends: Time) -> Self {
        let mut sender = Self {
            producer,
            instance,
            instances: u32::from(plan.instances),
            seed,
            rate: plan.rate(),
            books: plan.own_write.map(Books::new).map(Box::new),
            phases: Schedule::new(&plan.phases, producer, seed).map(Box::new),
            messages: plan.messages.unwrap_or(u32::MAX),
            ends,
            call: CALL,
            reaction_failed: plan.if_failed,
            reaction_unknown: plan.if_unknown.unwrap_or(plan.if_failed),
            attempts_max: plan.attempts_max,
            attempt_every: plan.attempt_every,
            number: u32::from(instance) + 1,
            due: Time::ZERO,
            unanswered: 0,
            has_begun: false,
            told: plan.phases.is_empty().then_some(0),
        };
        sender.due = match &mut sender.phases {
            Some(phases) => phases.step(1, sender.number),
            None => sender.gaps(1, sender.number, Time::ZERO),
        };
        sender
    }

    /// A call of this client library takes that long.
    #[must_use]
    pub fn calling(mut self, takes: Span) -> Self {
        self.call = takes;
        self
    }

    /// Whose instance this is.
    #[inline]
    pub fn producer(&self) -> ProducerId {
        self.producer
    }

    /// Which instance, from 0.
    #[inline]
    pub fn instance(&self) -> u16 {
        self.instance
    }

    /// When the next message falls due by the clock; none: nothing is left, or it waits for an answer.
    #[inline]
    pub fn due(&self) -> Option<Time> {
        let waits = self.is_one_by_one() && self.unanswered > 0;
        (self.has_more() && !waits).then_some(self.due)
    }

    /// Whether it will send more by itself.
    #[inline]
    pub fn has_more(&self) -> bool {
        match self.told {
            None => self.number <= self.messages && self.due < self.ends,
            Some(left) => left > 0 && self.number <= self.messages,
        }
    }

    /// How many messages it has begun and not ended.
    pub fn unanswered(&self) -> u32 {
        self.unanswered
    }

    /// How many rows its outbox has; none: it has none.
    pub fn outbox(&self) -> Option<usize> {
        self.books.as_ref().and_then(|books| books.outbox())
    }

    /// Whether something it sent is unanswered.
    pub fn is_waiting(&self) -> bool {
        self.unanswered > 0 || self.books.as_ref().is_some_and(|books| books.is_busy())
    }

    /// Whether a write to the own database is under way.
    pub fn is_writing(&self) -> bool {
        self.books.as_ref().is_some_and(|books| books.is_busy())
    }

    /// Whether a message that fell due is first written to the own database: sent when [`Sender::written`] says so.
    #[inline]
    pub fn writes_first(&mut self) -> bool {
        self.books.as_mut().is_some_and(|books| books.begin_due())
    }

    /// Whether something is written to the own database now that the message is confirmed.
    #[inline]
    pub fn writes_after(&mut self, message: MessageId) -> bool {
        self.books.as_mut().is_some_and(|books| books.begin_confirmed(message))
    }

    /// A write to the own database is committed: what that means.
    pub fn written(&mut self, message: MessageId) -> Written {
        self.books.as_mut().map_or(Written::Done, |books| books.written(message))
    }

    /// An attempt failed that stands in the outbox: it is sent again after this long, whatever the plan says.
    pub fn relays(&mut self, message: MessageId) -> Option<Span> {
        let is_relayed = self.books.as_mut().is_some_and(|books| books.is_relayed(message));
        is_relayed.then_some(self.attempt_every)
    }

    /// Whether it sends whenever the client library has room.
    #[inline]
    pub fn is_greedy(&self) -> bool {
        matches!(self.rate, Rate::Max)
    }

    /// Whether it sends its next message when the one before is answered.
    #[inline]
    pub fn is_one_by_one(&self) -> bool {
        matches!(self.rate, Rate::OneByOne)
    }

    /// The next message falls due now: its number. The one after it gets its time.
    #[inline]
    pub fn take(&mut self, now: Time) -> u32 {
        let number = self.number;
        self.unanswered += 1;
        if let Some(left) = &mut self.told {
            *left -= 1;
        }
        self.number = number.saturating_add(self.instances);
        if let Some(phases) = &mut self.phases {
            self.due = phases.step(number + 1, self.number);
            return number;
        }
        self.due = match self.rate {
            Rate::Every(_) | Rate::Poisson(_) => self.gaps(number + 1, self.number, self.due),
            Rate::OneByOne | Rate::Pause => now,
            Rate::Max => now + self.call,
        };
        number
    }

    /// The client answered an attempt; some: the application sends again after that long.
    #[inline]
    pub fn answered(&mut self, now: Time, attempt: u16, answer: Answer) -> Option<Span> {
        let reaction = match answer {
            Answer::Confirmed => Reaction::GiveUp,
            Answer::Failed(Doubt::None) => self.reaction_failed,
            Answer::Failed(Doubt::MayBeStored) => self.reaction_unknown,
        };
        if reaction == Reaction::SendAgain && attempt < self.attempts_max {
            return Some(self.attempt_every);
        }
        self.unanswered -= 1;
        if self.is_one_by_one() {
            self.due = now;
        }
        None
    }

    /// It is told to send so many messages now.
    pub fn tell(&mut self, count: u32, now: Time) {
        self.told = Some(self.told.unwrap_or_default().saturating_add(count));
        self.due = now;
    }

    /// The process was started, and its schedule begins; or restarted: it goes on with its next message and knows
    /// nothing of what was under way, but for the outbox: messages to send again, with the number of the attempt.
    pub fn restart(&mut self, now: Time) -> Vec<(MessageId, u16)> {
        let again = self.books.as_mut().map_or_else(Vec::new, |books| books.restart());
        self.unanswered = again.len() as u32;
        if !self.has_begun {
            self.has_begun = true;
            self.due = Time(self.due.0.saturating_add(now.0));
            if let Some(phases) = &mut self.phases {
                phases.begin(now);
            }
        }
        self.due = self.due.max(now);
        if let Some(phases) = &mut self.phases {
            phases.not_before(now);
        }
        again
    }

    /// The sum of the gaps before messages `first ..= last`, after `from`. The first message is due at once.
    #[inline]
    fn gaps(&self, first: u32, last: u32, from: Time) -> Time {
        match self.rate {
            Rate::Every(gap) if first == 1 => from + gap * u64::from(last - 1),
            Rate::Every(gap) => from + gap * u64::from(last.saturating_sub(first) + 1),
            Rate::Poisson(mean) => {
                (first..=last).fold(from, |at, number| at + gap(mean, self.seed, self.producer, number))
            }
            Rate::OneByOne | Rate::Max | Rate::Pause => from,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::plan::Phase;

    fn plan(rate: Rate, instances: u16) -> ProducerPlan {
        ProducerPlan {
            instances,
            phases: vec![Phase { lasts: None, rate }],
            messages: Some(6),
            if_failed: Reaction::SendAgain,
            if_unknown: Some(Reaction::GiveUp),
            attempts_max: 2,
            ..ProducerPlan::new("shop", "orders")
        }
    }

    fn schedule(rate: Rate, instances: u16, instance: u16) -> Vec<(u32, Time)> {
        let mut sender = Sender::new(&plan(rate, instances), ProducerId(0), instance, 9, Time::NEVER);
        std::iter::from_fn(|| {
            let due = sender.due()?;
            Some((sender.take(due), due))
        })
        .collect()
    }

    #[test]
    fn instances_share_one_schedule() {
        for rate in [Rate::Every(Span::from_millis(10)), Rate::Poisson(Span::from_millis(10))] {
            let mut shared = schedule(rate, 2, 0);
            shared.extend(schedule(rate, 2, 1));
            shared.sort_unstable();
            assert_eq!(shared, schedule(rate, 1, 0));
            assert_eq!(shared.len(), 6);
        }
    }

    #[test]
    fn evenly_spaced_messages_start_at_once() {
        let due: Vec<_> = schedule(Rate::Every(Span(10)), 1, 0).into_iter().map(|(_, at)| at.0).collect();
        assert_eq!(due, [0, 10, 20, 30, 40, 50]);
    }

    #[test]
    fn one_by_one_waits_for_the_answer() {
        let mut sender = Sender::new(&plan(Rate::OneByOne, 1), ProducerId(0), 0, 9, Time::NEVER);
        assert_eq!(sender.take(Time(0)), 1);
        assert_eq!(sender.due(), None);
        assert_eq!(sender.answered(Time(7), 1, Answer::Confirmed), None);
        assert_eq!(sender.due(), Some(Time(7)));
    }

    #[test]
    fn it_sends_again_as_its_plan_says() {
        let mut sender = Sender::new(&plan(Rate::OneByOne, 1), ProducerId(0), 0, 9, Time::NEVER);
        sender.take(Time(0));
        let again = Some(Span::from_millis(100));
        assert_eq!(sender.answered(Time(1), 1, Answer::Failed(Doubt::None)), again);
        assert_eq!(sender.answered(Time(2), 2, Answer::Failed(Doubt::None)), None, "two attempts at most");
        sender.take(Time(2));
        assert_eq!(sender.answered(Time(3), 1, Answer::Failed(Doubt::MayBeStored)), None);
    }
}
