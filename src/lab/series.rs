//! What charts show: a run's measures over time, in buckets of equal length.

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
