//! Whether what a scenario claims holds.
//!
//! Invariant: what cannot be compared (a measure that does not apply, a path that leads nowhere) does not hold, except
//! `!=`. A claim is never green by default.

use super::measure::Measured;
use crate::scenario::expect::{Comparison, Expectation, Operand, Quantity, Test};
use crate::scenario::plan::Value;

/// A claim and what was observed.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The claim as people read it.
    pub text: String,
    /// What was observed; none: the path leads nowhere in this run.
    pub observed: Option<Measured>,
    /// What it was compared with, if that is another measure.
    pub against: Option<f64>,
    /// Whether the claim holds.
    pub holds: bool,
}

/// Evaluates a claim. `look_up` gives the value of a path in this run, or in the run of another variant.
pub fn evaluate(
    expectation: &Expectation,
    look_up: &dyn Fn(Option<&str>, &str) -> Option<Measured>,
) -> Checked {
    let observed = look_up(None, &expectation.path);
    let against = match &expectation.test {
        Test::Compare(_, Operand::Path { factor, variant, path }) => {
            look_up(variant.as_deref(), path).and_then(|value| number(&value)).map(|value| value * factor)
        }
        _ => None,
    };
    let holds = observed.as_ref().is_some_and(|observed| match &expectation.test {
        Test::Is(value) => is(observed, value),
        Test::Within(low, high, is_inclusive) => {
            let upper = if *is_inclusive { Comparison::AtMost } else { Comparison::Less };
            holds(observed, Comparison::AtLeast, low) && holds(observed, upper, high)
        }
        Test::Compare(comparison, Operand::Quantity(quantity)) => holds(observed, *comparison, quantity),
        Test::Compare(comparison, Operand::Path { .. }) => compare(number(observed), *comparison, against),
    });
    Checked { text: expectation.text.clone(), observed, against, holds }
}

/// The paths that a claim reads: its own, and the one on its right side.
pub fn paths(expectation: &Expectation) -> impl Iterator<Item = &str> {
    let right = match &expectation.test {
        Test::Compare(_, Operand::Path { path, .. }) => Some(path.as_str()),
        _ => None,
    };
    std::iter::once(expectation.path.as_str()).chain(right)
}

/// The other variant whose run a claim needs.
pub fn needs(expectation: &Expectation) -> Option<&str> {
    match &expectation.test {
        Test::Compare(_, Operand::Path { variant, .. }) => variant.as_deref(),
        _ => None,
    }
}

fn is(observed: &Measured, value: &Value) -> bool {
    match (observed, value) {
        (Measured::State(state), value) => state == value || written(state) == written(value),
        (Measured::Count { n, .. }, Value::Int(number)) => u64::try_from(*number) == Ok(*n),
        (Measured::Count { n, .. }, Value::Bool(truth)) => (*n > 0) == *truth,
        (observed, Value::Int(wanted)) => compare(number(observed), Comparison::Equal, Some(*wanted as f64)),
        (_, _) => false,
    }
}

fn written(value: &Value) -> String {
    Measured::State(value.clone()).to_string()
}

fn holds(observed: &Measured, comparison: Comparison, quantity: &Quantity) -> bool {
    let (left, right) = match (observed, *quantity) {
        (Measured::Count { .. } | Measured::Share { .. }, Quantity::Percent(percent)) => {
            (observed.percent(), percent)
        }
        (Measured::Time(_), Quantity::Millis(right)) | (_, Quantity::Number(right)) => {
            (number(observed), right)
        }
        _ => return false,
    };
    compare(left, comparison, Some(right))
}

/// Counts as they are, times in milliseconds.
fn number(measured: &Measured) -> Option<f64> {
    match measured {
        Measured::Count { n, .. } => Some(*n as f64),
        Measured::Time(time) => time.map(crate::sim::Span::as_millis),
        Measured::Rate(rate) => *rate,
        Measured::State(Value::Int(number)) => Some(*number as f64),
        Measured::State(_) | Measured::Share { .. } => None,
    }
}

fn compare(left: Option<f64>, comparison: Comparison, right: Option<f64>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        return comparison == Comparison::NotEqual && left.is_some() != right.is_some();
    };
    comparison.holds(left, right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Span;

    fn look_up(variant: Option<&str>, path: &str) -> Option<Measured> {
        let count = |n| Some(Measured::Count { n, of: 200 });
        match (variant, path) {
            (None, "lost") => count(30),
            (Some("kill"), "lost") => count(3),
            (None, "unavailable") => Some(Measured::Time(None)),
            (None, "latency.confirm.p99") => Some(Measured::Time(Some(Span::from_millis(40)))),
            (None, "orders/0.leader") => Some(Measured::State(Value::Text("broker-2".to_owned()))),
            (None, "throughput") => Some(Measured::Rate(Some(99.5))),
            _ => None,
        }
    }

    fn check(path: &str, test: Test) -> bool {
        let expectation = Expectation { text: String::new(), path: path.to_owned(), test };
        evaluate(&expectation, &look_up).holds
    }

    fn than(comparison: Comparison, quantity: Quantity) -> Test {
        Test::Compare(comparison, Operand::Quantity(quantity))
    }

    #[test]
    fn claims_hold_or_not() {
        use Comparison::{AtLeast, AtMost, Equal, Greater, Less, NotEqual};
        use Quantity::{Millis, Number, Percent};
        let rows = [
            ("lost", Test::Is(Value::Int(30)), true),
            ("lost", Test::Is(Value::Int(-30)), false),
            ("lost", than(AtLeast, Number(30.0)), true),
            ("lost", than(Greater, Number(30.0)), false),
            ("lost", than(Equal, Percent(15.0)), true),
            ("lost", than(Less, Percent(15.0)), false),
            ("lost", than(Less, Millis(99.0)), false),
            ("lost", Test::Within(Number(10.0), Number(30.0), true), true),
            ("lost", Test::Within(Number(10.0), Number(30.0), false), false),
            ("latency.confirm.p99", than(AtMost, Millis(40.0)), true),
            ("latency.confirm.p99", than(Less, Millis(40.0)), false),
            ("throughput", than(Greater, Number(99.0)), true),
            ("orders/0.leader", Test::Is(Value::Text("broker-2".to_owned())), true),
            ("orders/0.leader", Test::Is(Value::Text("broker-1".to_owned())), false),
            ("unavailable", than(Less, Millis(1.0)), false),
            ("unavailable", than(NotEqual, Millis(1.0)), true),
            ("no.such.path", than(AtLeast, Number(0.0)), false),
        ];
        for (path, test, expected) in rows {
            assert_eq!(check(path, test.clone()), expected, "{path} {test:?}");
        }
    }

    #[test]
    fn the_right_side_may_be_a_measure_of_another_variant() {
        let against = |factor, variant: &str| {
            let operand =
                Operand::Path { factor, variant: Some(variant.to_owned()), path: "lost".to_owned() };
            let expectation = Expectation {
                text: "lost > 9 * variant.kill.lost".to_owned(),
                path: "lost".to_owned(),
                test: Test::Compare(Comparison::Greater, operand),
            };
            assert_eq!(needs(&expectation), Some(variant));
            assert_eq!(paths(&expectation).collect::<Vec<_>>(), ["lost", "lost"]);
            evaluate(&expectation, &look_up)
        };
        assert!(against(9.0, "kill").holds);
        let failed = against(10.0, "kill");
        assert_eq!((failed.holds, failed.against), (false, Some(30.0)));
        assert!(!against(1.0, "a variant that did not run").holds);
    }
}
