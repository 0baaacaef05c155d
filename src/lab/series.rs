//! What charts show: a run's measures over time, in buckets of equal length.

use crate::broker::World;
use crate::fact::{Fact, Observation, SubscriptionId};
use crate::ledger::Ledger;
use crate::sim::{Span, Time};

/// A run over time. Buckets begin at time zero; the last one may be unfinished.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// How long a bucket is.
    pub bucket: Span,
    /// One for each bucket, in order.
    pub samples: Vec<Sample>,
    /// The names of the family's gauges, in the order of [`Sample::gauges`].
    pub gauges: Vec<String>,
}

/// What happened in one bucket, and how things stood at its end.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sample {
    /// Messages that fell due.
    pub due: u64,
    /// Messages confirmed for the first time.
    pub confirmed: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Deliveries, by subscription.
    pub delivered: Vec<u64>,
    /// First effects, by subscription.
    pub effects: Vec<u64>,
    /// Confirmed messages without effect at the bucket's end, by subscription.
    pub backlog: Vec<u64>,
    /// From due to confirmed, of those confirmed in this bucket.
    pub confirm: Quantiles,
    /// From due to the first effect, over all subscriptions, of the effects in this bucket.
    pub end_to_end: Quantiles,
    /// The family's gauges at the bucket's end.
    pub gauges: Vec<i64>,
}

/// Quantiles of lengths of time; all zero if there were none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// How many there were.
    pub count: u64,
    /// Half are not longer.
    pub p50: Span,
    /// 99 of 100 are not longer.
    pub p99: Span,
    /// The longest.
    pub max: Span,
}

impl Series {
    /// The bucket that an instant lies in.
    pub fn bucket_of(&self, at: Time) -> usize {
        (at.0.checked_div(self.bucket.0).unwrap_or(0) as usize).min(self.samples.len().saturating_sub(1))
    }
}

/// A chart has about so many buckets.
const BUCKETS: u64 = 400;
/// So many lengths of time of a bucket are kept exactly; of more, every second, then every fourth.
const KEPT_MAX: usize = 1 << 15;

/// Fills a series while a run is recorded. Every observation is shown to it *before* the ledger folds it.
#[derive(Clone, Debug)]
pub(super) struct Meter {
    series: Series,
    confirm: Delays,
    end_to_end: Delays,
}

impl Meter {
    /// An empty series that has room for runs of this length.
    pub(super) fn new(lasts: Span, world: &dyn World, ledger: &Ledger) -> Self {
        let gauges = world.gauges().into_iter().map(|gauge| gauge.name).collect();
        let series = Series { bucket: round_bucket(lasts), samples: Vec::new(), gauges };
        let mut meter = Self { series, confirm: Delays::default(), end_to_end: Delays::default() };
        meter.open(ledger);
        meter
    }

    /// What there is so far.
    pub(super) fn series(&self) -> &Series {
        &self.series
    }

    /// The last instant of the open bucket.
    pub(super) fn closes_at(&self) -> Time {
        Time((self.series.bucket * self.series.samples.len() as u64).0.saturating_sub(1))
    }

    fn open(&mut self, ledger: &Ledger) {
        let count = ledger.layout().subscriptions.len();
        let none = || vec![0; count];
        let sample = Sample { delivered: none(), effects: none(), backlog: none(), ..Sample::default() };
        self.series.samples.push(sample);
    }

    /// The open bucket is over: this is how things stand, and a new one begins.
    pub(super) fn close(&mut self, world: &dyn World, ledger: &Ledger) {
        self.measure(world, ledger);
        self.confirm.clear();
        self.end_to_end.clear();
        self.open(ledger);
    }

    /// Brings the open bucket up to date.
    pub(super) fn measure(&mut self, world: &dyn World, ledger: &Ledger) {
        let Some(sample) = self.series.samples.last_mut() else { return };
        for (number, backlog) in sample.backlog.iter_mut().enumerate() {
            *backlog = ledger.waiting(SubscriptionId(number as u16));
        }
        sample.confirm = self.confirm.quantiles();
        sample.end_to_end = self.end_to_end.quantiles();
        sample.gauges = world.gauges().into_iter().map(|gauge| gauge.value).collect();
    }

    /// Counts an observation that the ledger does not know yet.
    pub(super) fn fold(&mut self, observation: &Observation, ledger: &Ledger) {
        let Some(sample) = self.series.samples.last_mut() else { return };
        let since_due = |message| observation.at.since(ledger.due_at(message).unwrap_or(observation.at));
        match observation.fact {
            Fact::Due { .. } => sample.due += 1,
            Fact::Failed { .. } => sample.failed += 1,
            Fact::Confirmed { message, .. } if ledger.confirmed_at(message).is_none() => {
                sample.confirmed += 1;
                self.confirm.push(since_due(message));
            }
            Fact::Delivered { subscription, .. } => sample.delivered[subscription.0 as usize] += 1,
            Fact::Effect { message, subscription, .. } if ledger.effects(message, subscription) == 0 => {
                sample.effects[subscription.0 as usize] += 1;
                self.end_to_end.push(since_due(message));
            }
            _ => {}
        }
    }
}

/// The shortest of 1, 2, 2.5 and 5 times a power of ten, at least a millisecond, of which so many make the whole.
fn round_bucket(lasts: Span) -> Span {
    let mut unit = Span::from_millis(1);
    loop {
        for tenths in [10, 20, 25, 50] {
            let bucket = Span(unit.0 / 10 * tenths);
            if bucket.0.saturating_mul(BUCKETS) >= lasts.0 {
                return bucket;
            }
        }
        unit = unit * 10;
    }
}

/// Lengths of time, thinned out evenly when there are many.
#[derive(Clone, Debug, Default)]
struct Delays {
    kept: Vec<Span>,
    /// One of two to this power is kept.
    thinned: u32,
    count: u64,
    longest: Span,
}

impl Delays {
    fn push(&mut self, delay: Span) {
        if self.count.trailing_zeros() >= self.thinned {
            if self.kept.len() == KEPT_MAX {
                let mut is_odd = true;
                self.kept.retain(|_| {
                    is_odd = !is_odd;
                    !is_odd
                });
                self.thinned += 1;
            }
            if self.count.trailing_zeros() >= self.thinned {
                self.kept.push(delay);
            }
        }
        self.count += 1;
        self.longest = self.longest.max(delay);
    }

    fn clear(&mut self) {
        self.kept.clear();
        (self.thinned, self.count, self.longest) = (0, 0, Span::ZERO);
    }

    fn quantiles(&self) -> Quantiles {
        let mut sorted = self.kept.clone();
        sorted.sort_unstable();
        let rank = |percent: usize| (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        let at = |percent| sorted.get(rank(percent)).copied().unwrap_or_default();
        Quantiles { count: self.count, p50: at(50), p99: at(99), max: self.longest }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_round() {
        let of = |secs| round_bucket(Span::from_secs(secs));
        assert_eq!(of(90), Span::from_millis(250));
        assert_eq!(of(0), Span::from_millis(1));
        assert_eq!(of(4), Span::from_millis(10));
        assert_eq!(of(86_400), Span::from_secs(250));
    }

    #[test]
    fn many_lengths_of_time_are_thinned_evenly() {
        let mut delays = Delays::default();
        for n in 1..=100 {
            delays.push(Span(n));
        }
        let few = Quantiles { count: 100, p50: Span(50), p99: Span(99), max: Span(100) };
        assert_eq!(delays.quantiles(), few);
        for n in 101..=1_000_000 {
            delays.push(Span(n));
        }
        let many = delays.quantiles();
        assert!(delays.kept.len() <= KEPT_MAX);
        assert_eq!((many.count, many.max), (1_000_000, Span(1_000_000)));
        assert!(many.p50.0.abs_diff(500_000) < 100 && many.p99.0.abs_diff(990_000) < 100);
    }
}
