//! When messages fall due if the rate changes: one phase after another.
//!
//! Invariant: when a message is due is a function of the plan, the seed and its number, whoever sends it. That is why
//! rates that depend on answers have no place in a phase.

use crate::fact::ProducerId;
use crate::scenario::plan::{Phase, Rate};
use crate::sim::draw::{self, Purpose};
use crate::sim::{Span, Time, exponential};

/// The phases of one producer, as far as one of its instances has come.
#[derive(Clone, Debug)]
pub(super) struct Schedule {
    phases: Vec<Phase>,
    producer: ProducerId,
    seed: u64,
    /// The phase that the last message fell into; beyond the list: all are over.
    current: usize,
    starts: Time,
    ends: Time,
    /// When the last message of this phase fell due; none: none has yet.
    last: Option<Time>,
    /// Nothing is sent before: the process was down.
    floor: Time,
}

impl Schedule {
    /// None if a single rate holds from beginning to end, or only steps make it send.
    pub(super) fn new(phases: &[Phase], producer: ProducerId, seed: u64) -> Option<Self> {
        if phases.is_empty() || matches!(phases, [Phase { lasts: None, rate }] if *rate != Rate::Pause) {
            return None;
        }
        let ends =
            phases.first().and_then(|phase| phase.lasts).map_or(Time::NEVER, |lasts| Time::ZERO + lasts);
        let phases = phases.to_vec();
        let (starts, floor) = (Time::ZERO, Time::ZERO);
        Some(Self { phases, producer, seed, current: 0, starts, ends, last: None, floor })
    }

    /// When message `last` is due, if `first` is the one after the message asked for before.
    pub(super) fn step(&mut self, first: u32, last: u32) -> Time {
        let mut due = Time::NEVER;
        for number in first..=last {
            due = self.next(number);
            if due == Time::NEVER {
                break;
            }
        }
        due.max(self.floor)
    }

    /// The first process starts now, and with it the first phase.
    pub(super) fn begin(&mut self, now: Time) {
        let later = |time: Time| Time(time.0.saturating_add(now.0));
        (self.starts, self.ends, self.last) = (later(self.starts), later(self.ends), self.last.map(later));
    }

    /// The process was down until now.
    pub(super) fn not_before(&mut self, now: Time) {
        self.floor = now;
    }

    fn next(&mut self, number: u32) -> Time {
        while let Some(phase) = self.phases.get(self.current) {
            let due = match (phase.rate, self.last) {
                (Rate::Every(_), None) => self.starts,
                (Rate::Every(gap), Some(last)) => last + gap,
                (Rate::Poisson(mean), last) => {
                    last.unwrap_or(self.starts) + gap(mean, self.seed, self.producer, number)
                }
                (Rate::Pause | Rate::OneByOne | Rate::Max, _) => Time::NEVER,
            };
            if due < self.ends {
                self.last = Some(due);
                return due;
            }
            self.current += 1;
            self.last = None;
            self.starts = self.ends;
            let lasts = self.phases.get(self.current).and_then(|phase| phase.lasts);
            self.ends = lasts.map_or(Time::NEVER, |lasts| self.starts + lasts);
        }
        Time::NEVER
    }
}

/// The gap before a message, exponentially distributed.
pub(super) fn gap(mean: Span, seed: u64, producer: ProducerId, number: u32) -> Span {
    exponential(mean, draw::bits(seed, Purpose::Gap, u64::from(producer.0), u64::from(number)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(phases: &[(Option<u64>, Rate)], instances: u32, instance: u32) -> Vec<(u32, u64)> {
        let phases: Vec<_> =
            phases.iter().map(|&(lasts, rate)| Phase { lasts: lasts.map(Span::from_millis), rate }).collect();
        let mut schedule = Schedule::new(&phases, ProducerId(0), 7).expect("there are phases");
        let (mut first, mut number, mut found) = (1, instance + 1, Vec::new());
        while found.len() < 1000 {
            match schedule.step(first, number) {
                Time::NEVER => break,
                due => found.push((number, due.0 / 1_000_000)),
            }
            (first, number) = (number + 1, number + instances);
        }
        found
    }

    const PHASES: &[(Option<u64>, Rate)] = &[
        (Some(25), Rate::Every(Span::from_millis(10))),
        (Some(50), Rate::Pause),
        (Some(3), Rate::Every(Span::from_millis(1))),
        (Some(20), Rate::Poisson(Span::from_millis(2))),
        (Some(30), Rate::Every(Span::from_millis(20))),
    ];

    #[test]
    fn phases_follow_one_another() {
        let due: Vec<u64> = schedule(PHASES, 1, 0).into_iter().map(|(_, at)| at).collect();
        assert_eq!(due[..6], [0, 10, 20, 75, 76, 77]);
        assert_eq!(due[due.len() - 2..], [98, 118]);
        assert!(due[6..due.len() - 2].iter().all(|at| (78..98).contains(at)), "{due:?}");
    }

    #[test]
    fn instances_share_the_phases() {
        let mut shared: Vec<_> = (0..3).flat_map(|instance| schedule(PHASES, 3, instance)).collect();
        shared.sort_unstable();
        assert_eq!(shared, schedule(PHASES, 1, 0));
    }

    #[test]
    fn one_rate_without_end_is_no_schedule() {
        let all = [Phase { lasts: None, rate: Rate::Max }];
        assert!(Schedule::new(&all, ProducerId(0), 7).is_none());
        assert!(Schedule::new(&[], ProducerId(0), 7).is_none(), "only steps make it send");
    }

    #[test]
    fn what_fell_due_meanwhile_is_due_when_the_process_is_back() {
        let phases = [
            Phase { lasts: Some(Span(30)), rate: Rate::Every(Span(10)) },
            Phase { lasts: None, rate: Rate::Every(Span(5)) },
        ];
        let mut schedule = Schedule::new(&phases, ProducerId(0), 7).expect("there are phases");
        assert_eq!(schedule.step(1, 1), Time(0));
        schedule.not_before(Time(32));
        let due: Vec<u64> = (2..7).map(|number| schedule.step(number, number).0).collect();
        assert_eq!(due, [32, 32, 32, 35, 40]);
    }
}
