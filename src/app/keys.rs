//! Which keys a producer's messages have.

use std::sync::Arc;

use crate::scenario::plan::ProducerPlan;
use crate::sim::draw;

/// How one producer's keys are drawn.
#[derive(Clone, Debug)]
pub(super) enum Keying {
    /// Messages have no key.
    None,
    /// So many keys, all equally frequent.
    Even(u32),
    /// By their share of the 64-bit numbers: the upper end of each key's.
    Zipf(Arc<[u64]>),
}

impl Keying {
    /// As the plan wants it.
    pub(super) fn of(plan: &ProducerPlan) -> Self {
        match plan.keys {
            None => Self::None,
            Some(keys) => match keys.zipf {
                None => Self::Even(keys.count),
                Some(exponent) => Self::Zipf(zipf(keys.count, exponent)),
            },
        }
    }

    /// The key that belongs to these random bits.
    #[inline]
    pub(super) fn key(&self, bits: impl FnOnce() -> u64) -> Option<u32> {
        match self {
            Self::None => None,
            Self::Even(count) => Some(draw::below(bits(), u64::from(*count)) as u32),
            Self::Zipf(ends) => {
                let bits = bits();
                let key = ends.partition_point(|&end| end <= bits);
                Some(key.min(ends.len() - 1) as u32)
            }
        }
    }
}

/// Key k, counted from 1, with a frequency of 1 over k to the power of the exponent. The powers come from `libm` and
/// are added up in order, so that the table has the same bits on every platform.
fn zipf(count: u32, exponent: f64) -> Arc<[u64]> {
    let weight = |rank: u32| libm::pow(f64::from(rank), -exponent);
    let total: f64 = (1..=count).map(weight).sum();
    let mut sum = 0.0;
    (1..=count)
        .map(|rank| {
            sum += weight(rank);
            // Two to the power of 64; a cast saturates.
            (sum / total * 18_446_744_073_709_551_616.0) as u64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::draw::{Purpose, bits};

    #[test]
    fn zipf_keys_have_their_frequencies_and_the_same_table_everywhere() {
        let ends = zipf(16, 1.1);
        assert_eq!(ends[0], 6_089_486_479_231_228_928, "the table is the same on every platform");
        let keying = Keying::Zipf(ends);
        let mut counts = [0u32; 16];
        for i in 0..100_000 {
            counts[keying.key(|| bits(1, Purpose::Test, i, 0)).expect("it has keys") as usize] += 1;
        }
        let ratio = f64::from(counts[0]) / f64::from(counts[1]);
        assert!((ratio - 2.14).abs() < 0.1, "{counts:?}");
        assert!(counts.windows(2).all(|pair| f64::from(pair[1]) < f64::from(pair[0]) * 1.1), "{counts:?}");
        assert_eq!(keying.key(|| u64::MAX), Some(15));
        assert_eq!(keying.key(|| 0), Some(0));
    }

    #[test]
    fn an_exponent_of_zero_is_even() {
        let ends = zipf(4, 0.0);
        assert_eq!(ends[..2], [1 << 62, 1 << 63]);
    }
}
