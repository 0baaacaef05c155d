//! Latencies: exact percentiles of a set of samples.

use crate::sim::Span;

/// Percentiles by nearest rank; none: nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Latency {
    /// Half of the samples are no longer than this.
    pub p50: Option<Span>,
    /// 99 of 100 samples are no longer than this.
    pub p99: Option<Span>,
    /// The longest sample.
    pub max: Option<Span>,
}

impl Latency {
    /// The percentiles of these samples, in any order.
    pub(super) fn of(mut samples: Vec<u64>) -> Self {
        let mut rank = |percent: usize| {
            let index = (samples.len() * percent).div_ceil(100).checked_sub(1)?;
            Some(Span(*samples.select_nth_unstable(index).1))
        };
        Self { p50: rank(50), p99: rank(99), max: rank(100) }
    }

    /// The larger of each.
    #[must_use]
    pub fn worst(self, other: Self) -> Self {
        Self { p50: self.p50.max(other.p50), p99: self.p99.max(other.p99), max: self.max.max(other.max) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples_that_were_measured() {
        let of = |samples: Vec<u64>| {
            let latency = Latency::of(samples);
            [latency.p50, latency.p99, latency.max].map(|span| span.map(|span| span.0))
        };
        assert_eq!(of(vec![]), [None; 3]);
        assert_eq!(of(vec![7]), [Some(7); 3]);
        assert_eq!(of((1..=100).rev().collect()), [Some(50), Some(99), Some(100)]);
        assert_eq!(of((1..=1000).collect()), [Some(500), Some(990), Some(1000)]);
        assert_eq!(of(vec![3, 1]), [Some(1), Some(3), Some(3)]);
    }
}
