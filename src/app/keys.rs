//! Which keys a producer's messages have.
//!
//! Keys are numbers everywhere; `keys = 16` makes 0 to 15. A key that is written, such as `"a"`, has the number after
//! all of those; the bytes that a client library hashes are the number in decimal, or the key as it is written.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::scenario::plan::{Plan, ProducerPlan};
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
    /// As written, one by one; for a message without a written key as the rest says.
    Exact(Arc<Exact>, Arc<Keying>),
}

/// Messages that are written one by one: the last number of each run of them, its key, and its size.
#[derive(Clone, Debug, Default)]
pub(super) struct Exact {
    runs: Vec<(u32, Option<u32>, u32)>,
}

impl Exact {
    fn of(plan: &ProducerPlan, names: &KeyNames) -> Self {
        let mut last = 0;
        let run = |exact: &crate::scenario::plan::Exact| {
            last += exact.repeat;
            let key = exact.key.as_deref().map(|key| names.number(key));
            (last, key, exact.size_bytes.unwrap_or(plan.size_bytes))
        };
        Self { runs: plan.exact.iter().map(run).collect() }
    }

    fn run(&self, number: u32) -> Option<&(u32, Option<u32>, u32)> {
        self.runs.get(self.runs.partition_point(|(last, ..)| *last < number))
    }
}

/// The written keys that are no small numbers, and the numbers that stand for them.
#[derive(Clone, Debug, Default)]
pub struct KeyNames {
    first: u32,
    names: Vec<String>,
}

/// A written key below this that is a plain number is that number.
const NUMBERS_MAX: u32 = 1_000_000;

impl KeyNames {
    /// Of all producers of a plan: the same written key is the same key, whoever sends it.
    pub(super) fn of(plan: &Plan) -> Self {
        let written =
            || plan.producers.iter().flat_map(|one| &one.exact).filter_map(|exact| exact.key.as_deref());
        let counts = plan.producers.iter().filter_map(|one| one.keys).map(|keys| keys.count);
        let first = counts.chain(written().filter_map(plain).map(|key| key + 1)).max().unwrap_or(0);
        let names: BTreeSet<&str> = written().filter(|key| plain(key).is_none()).collect();
        Self { first, names: names.into_iter().map(str::to_owned).collect() }
    }

    fn number(&self, key: &str) -> u32 {
        let named = || self.names.binary_search_by(|name| name.as_str().cmp(key)).unwrap_or_default();
        plain(key).unwrap_or_else(|| self.first + named() as u32)
    }

    /// The key as it is written: what a client library hashes.
    pub fn text(&self, key: u32) -> Cow<'_, str> {
        let name = key.checked_sub(self.first).and_then(|at| self.names.get(at as usize));
        name.map_or_else(|| Cow::Owned(key.to_string()), |name| Cow::Borrowed(name.as_str()))
    }
}

fn plain(key: &str) -> Option<u32> {
    let number: u32 = key.parse().ok()?;
    (number < NUMBERS_MAX && number.to_string() == key).then_some(number)
}

impl Keying {
    /// As the plan wants it.
    pub(super) fn of(plan: &ProducerPlan, names: &KeyNames) -> Self {
        let drawn = match plan.keys {
            None => Self::None,
            Some(keys) => match keys.zipf {
                None => Self::Even(keys.count),
                Some(exponent) => Self::Zipf(zipf(keys.count, exponent)),
            },
        };
        if plan.exact.is_empty() {
            return drawn;
        }
        Self::Exact(Arc::new(Exact::of(plan, names)), Arc::new(drawn))
    }

    /// The size of the message of that number, if it is written one by one.
    #[inline]
    pub(super) fn size(&self, number: u32) -> Option<u32> {
        let Self::Exact(exact, _) = self else { return None };
        exact.run(number).map(|(.., size)| *size)
    }

    /// Which of the producer's written messages it is, from 0.
    pub(super) fn written(&self, number: u32) -> Option<usize> {
        let Self::Exact(exact, _) = self else { return None };
        let at = exact.runs.partition_point(|(last, ..)| *last < number);
        (at < exact.runs.len()).then_some(at)
    }

    /// The key of the message of that number, to which these random bits belong.
    #[inline]
    pub(super) fn key(&self, number: u32, bits: impl FnOnce() -> u64) -> Option<u32> {
        if let Self::None = self { None } else { self.some_key(number, bits) }
    }

    fn some_key(&self, number: u32, bits: impl FnOnce() -> u64) -> Option<u32> {
        match self {
            Self::None => None,
            Self::Even(count) => Some(draw::below(bits(), u64::from(*count)) as u32),
            Self::Zipf(ends) => {
                let bits = bits();
                let key = ends.partition_point(|&end| end <= bits);
                Some(key.min(ends.len() - 1) as u32)
            }
            Self::Exact(exact, drawn) => match exact.run(number) {
                Some((_, Some(key), _)) => Some(*key),
                _ => drawn.drawn(bits()),
            },
        }
    }

    /// The key that belongs to these random bits, of a producer whose messages are all alike.
    fn drawn(&self, bits: u64) -> Option<u32> {
        if matches!(self, Self::Exact(..)) { None } else { self.key(0, || bits) }
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
            counts[keying.key(1, || bits(1, Purpose::Test, i, 0)).expect("it has keys") as usize] += 1;
        }
        let ratio = f64::from(counts[0]) / f64::from(counts[1]);
        assert!((ratio - 2.14).abs() < 0.1, "{counts:?}");
        assert!(counts.windows(2).all(|pair| f64::from(pair[1]) < f64::from(pair[0]) * 1.1), "{counts:?}");
        assert_eq!(keying.key(1, || u64::MAX), Some(15));
        assert_eq!(keying.key(1, || 0), Some(0));
    }

    #[test]
    fn an_exponent_of_zero_is_even() {
        let ends = zipf(4, 0.0);
        assert_eq!(ends[..2], [1 << 62, 1 << 63]);
    }

    #[test]
    fn written_keys_have_numbers_of_their_own_and_keep_their_bytes() {
        let exact = |key: Option<&str>, size_bytes, repeat| crate::scenario::plan::Exact {
            key: key.map(str::to_owned),
            size_bytes,
            repeat,
            ..crate::scenario::plan::Exact::default()
        };
        let plan = ProducerPlan {
            keys: Some(crate::scenario::plan::Keys { count: 3, zipf: None }),
            exact: vec![exact(Some("b"), Some(7), 1), exact(Some("2"), None, 2), exact(None, None, 9)],
            ..ProducerPlan::new("shop", "orders")
        };
        let mut whole = crate::lab::fake::plan(&[]);
        whole.producers = vec![plan.clone()];
        let names = KeyNames::of(&whole);
        let keying = Keying::of(&plan, &names);
        let keys: Vec<_> = (1..=4).map(|number| keying.key(number, || u64::MAX)).collect();
        assert_eq!(keys, [Some(3), Some(2), Some(2), Some(2)]);
        assert_eq!([3, 2].map(|key| names.text(key).into_owned()), ["b", "2"]);
        assert_eq!([1, 2, 4].map(|number| keying.size(number)), [Some(7), Some(100), Some(100)]);
    }
}
