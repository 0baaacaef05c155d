//! What a scenario claims about its runs, parsed: `lost = ">= 1"`, `billing.lost = "3..=5"`,
//! `lost = "> 10 * variant.kill.lost"`, `orders/0.leader = "broker-2"`.

use super::plan::Value;

/// One claim.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// As people read it: `billing.lost >= 1`.
    pub text: String,
    /// The measure or state: `lost`, `billing.lost`, `latency.confirm.p99`, `orders/0.leader`.
    pub path: String,
    /// What must hold of it.
    pub test: Test,
}

/// What must hold of an observed value.
#[derive(Clone, Debug, PartialEq)]
pub enum Test {
    /// Equal to this number, name or truth value.
    Is(Value),
    /// A comparison with a number or with another path.
    Compare(Comparison, Operand),
    /// Within a range; the bool says whether the upper end belongs to it.
    Within(Quantity, Quantity, bool),
}

/// How to compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Less,
    AtMost,
    Equal,
    NotEqual,
    AtLeast,
    Greater,
}

/// The right side of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub enum Operand {
    /// A number with its unit.
    Quantity(Quantity),
    /// Another path, perhaps of another variant, times a factor.
    Path {
        /// `10` in `10 * variant.kill.lost`; else 1.
        factor: f64,
        /// The variant whose run is meant; none: this one.
        variant: Option<String>,
        /// The path.
        path: String,
    },
}

/// A number with its unit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quantity {
    /// A plain number.
    Number(f64),
    /// A share of the messages addressed (of the messages sent, for counts of producers), in percent.
    Percent(f64),
    /// A length of time, in milliseconds.
    Millis(f64),
}

/// What is claimed of many runs with different seeds together.
#[derive(Clone, Debug, PartialEq)]
pub struct OverSeeds {
    /// How many seeds: the plan's and those after it.
    pub seeds: u32,
    /// What is claimed.
    pub shares: Vec<Share>,
}

/// In how many of the runs something holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Share {
    /// As people read it: `over 200 seeds lost > 0 in 40%..=60%`.
    pub text: String,
    /// What holds in a run, or not.
    pub condition: Expectation,
    /// What must hold of the share.
    pub test: Test,
}

impl Test {
    /// Whether it holds of a state of the world: a number, a name or a truth value.
    pub fn is_met_by(&self, value: &Value) -> bool {
        let number = |quantity: &Quantity| match *quantity {
            Quantity::Number(number) => Some(number),
            Quantity::Percent(_) | Quantity::Millis(_) => None,
        };
        let observed = match value {
            Value::Int(number) => Some(*number as f64),
            _ => None,
        };
        match self {
            Self::Is(wanted) => wanted == value,
            Self::Compare(comparison, Operand::Quantity(quantity)) => {
                observed.zip(number(quantity)).is_some_and(|(left, right)| comparison.holds(left, right))
            }
            Self::Compare(_, Operand::Path { .. }) => false,
            Self::Within(low, high, is_inclusive) => {
                let ends = number(low).zip(number(high));
                let upper = if *is_inclusive { Comparison::AtMost } else { Comparison::Less };
                observed
                    .zip(ends)
                    .is_some_and(|(observed, (low, high))| observed >= low && upper.holds(observed, high))
            }
        }
    }
}

impl Comparison {
    /// Whether it holds between two numbers.
    pub fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Equal => (left - right).abs() < f64::EPSILON,
            Self::NotEqual => (left - right).abs() >= f64::EPSILON,
            Self::AtLeast => left >= right,
            Self::Greater => left > right,
        }
    }
}
