//! Measures by name: what a path such as `lost`, `billing.lost` or `latency.confirm.p99` says of a verdict.
//!
//! Without a name before it, a measure is the sum over subscriptions or producers, or the worst for times.

use super::{Counts, Fate, Latency, ProducerVerdict, SubscriptionVerdict, Verdict};
use crate::scenario::plan::Value;
use crate::sim::Span;

/// The value of a path.
#[derive(Clone, Debug, PartialEq)]
pub enum Measured {
    /// So many, out of so many messages addressed or sent.
    Count {
        /// How many.
        n: u64,
        /// What a percentage refers to.
        of: u64,
    },
    /// A length of time; none: it does not apply or never ended.
    Time(Option<Span>),
    /// Something a second; none: nothing was measured.
    Rate(Option<f64>),
    /// The world's state.
    State(Value),
    /// In so many runs out of so many.
    Share {
        /// In how many.
        n: u64,
        /// Out of how many.
        of: u64,
    },
}

impl Measured {
    /// So many out of so many, in percent; none: out of none.
    pub fn percent(&self) -> Option<f64> {
        match *self {
            Self::Count { n, of } | Self::Share { n, of } => (of > 0).then(|| n as f64 * 100.0 / of as f64),
            _ => None,
        }
    }
}

impl Measured {
    /// As JSON shows it: a number, a name, or a time with its unit.
    pub fn to_json(&self) -> serde_json::Value {
        match self {
            Self::Count { n, .. } => (*n).into(),
            Self::Share { .. } => self.to_string().into(),
            Self::Time(time) => time.map(|time| time.to_string()).into(),
            Self::Rate(rate) => (*rate).into(),
            Self::State(Value::Bool(truth)) => (*truth).into(),
            Self::State(Value::Int(number)) => (*number).into(),
            Self::State(value) => value.shown().into(),
        }
    }
}

impl std::fmt::Display for Measured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Count { n, .. } => write!(f, "{n}"),
            Self::Share { n, of } => {
                write!(f, "{:.1}% ({n} of {of} runs)", self.percent().unwrap_or_default())
            }
            Self::Time(Some(time)) => write!(f, "{time}"),
            Self::Rate(Some(rate)) => write!(f, "{rate:.1}/s"),
            Self::Time(None) | Self::Rate(None) => write!(f, "nothing"),
            Self::State(value) => write!(f, "{}", value.shown()),
        }
    }
}

/// Every measure that [`Verdict::measure`] knows, in the order in which a table shows them; the fates come first.
pub const MEASURES: [&str; 25] = [
    "sent",
    "confirmed",
    "failed",
    "unknown",
    "addressed",
    "latent",
    "redelivered",
    "reordered",
    "stale",
    "leftover",
    "inconsistent",
    "store.expected",
    "store.actual",
    "backlog.peak",
    "backlog.end",
    "backlog.drained_after",
    "latency.confirm.p50",
    "latency.confirm.p99",
    "latency.confirm.max",
    "latency.end_to_end.p50",
    "latency.end_to_end.p99",
    "latency.end_to_end.max",
    "throughput",
    "unavailable",
    "told.wrong",
];

impl Verdict {
    /// The value of a path; none: there is no such measure.
    pub fn measure(&self, path: &str) -> Option<Measured> {
        match path {
            "throughput" => return Some(Measured::Rate(self.throughput_per_s)),
            "inconsistent" => {
                return Some(Measured::Count { n: self.inconsistent, of: self.messages.sent });
            }
            _ => {}
        }
        of_counts(&self.messages, path)
            .or_else(|| fold(self.producers.iter().filter_map(|producer| producer.measure(path))))
            .or_else(|| fold(self.subscriptions.iter().filter_map(|one| one.measure(path))))
            .or_else(|| self.named(path))
    }

    /// `NAME.path`, of a subscription or a producer.
    fn named(&self, path: &str) -> Option<Measured> {
        let rest = |name: &str| path.strip_prefix(name)?.strip_prefix('.');
        let subscription = self.subscriptions.iter().find_map(|one| one.measure(rest(&one.name)?));
        subscription.or_else(|| {
            self.producers.iter().find_map(|producer| {
                let path = rest(&producer.name)?;
                of_counts(&producer.messages, path).or_else(|| producer.measure(path))
            })
        })
    }
}

impl ProducerVerdict {
    fn measure(&self, path: &str) -> Option<Measured> {
        match path {
            "told.wrong" => Some(Measured::Count { n: self.told_wrong, of: self.messages.sent }),
            "unavailable" => Some(Measured::Time(self.unavailable)),
            "throughput" => Some(Measured::Rate(self.throughput_per_s)),
            _ => of_latency(&self.latency_confirm, path.strip_prefix("latency.confirm.")?),
        }
    }
}

impl SubscriptionVerdict {
    fn measure(&self, path: &str) -> Option<Measured> {
        let n = match path {
            "addressed" => self.addressed,
            "latent" => self.latent,
            "redelivered" => self.redelivered,
            "reordered" => self.reordered,
            "stale" => self.stale,
            "leftover" => self.leftover,
            "backlog.peak" => self.backlog.peak,
            "backlog.end" => self.backlog.end,
            "store.expected" => self.store.expected,
            "store.actual" => self.store.actual,
            "backlog.drained_after" => return Some(Measured::Time(self.backlog.drained_after)),
            _ => {
                if let Some(percentile) = path.strip_prefix("latency.end_to_end.") {
                    return of_latency(&self.latency_end_to_end, percentile);
                }
                self.fates.of(Fate::named(path)?)
            }
        };
        Some(Measured::Count { n, of: self.addressed })
    }
}

fn of_counts(counts: &Counts, path: &str) -> Option<Measured> {
    let n = match path {
        "sent" => counts.sent,
        "confirmed" => counts.confirmed,
        "failed" => counts.failed,
        "unknown" => counts.unknown,
        _ => return None,
    };
    Some(Measured::Count { n, of: counts.sent })
}

fn of_latency(latency: &Latency, percentile: &str) -> Option<Measured> {
    match percentile {
        "p50" => Some(Measured::Time(latency.p50)),
        "p99" => Some(Measured::Time(latency.p99)),
        "max" => Some(Measured::Time(latency.max)),
        _ => None,
    }
}

/// The sum of counts; the worst of times.
fn fold(values: impl Iterator<Item = Measured>) -> Option<Measured> {
    values.reduce(|left, right| match (left, right) {
        (Measured::Count { n, of }, Measured::Count { n: m, of: more }) => {
            Measured::Count { n: n + m, of: of + more }
        }
        (Measured::Time(left), Measured::Time(right)) => Measured::Time(left.max(right)),
        (left, _) => left,
    })
}
