//! What can be claimed of a state: a name that it never has would make a claim that no run can decide.

use crate::broker::Family;
use crate::scenario::expect::Test;
use crate::scenario::plan::{Plan, Value};

use super::super::diagnostic::nearest;
use super::super::measure::MEASURES;
use super::super::reader::shown;

/// Whether the state can ever be what is claimed of it.
pub(super) fn check(family: &dyn Family, plan: &Plan, path: &str, test: &Test) -> Result<(), String> {
    let value = match test {
        Test::Is(value) => Some(value),
        Test::Compare(..) | Test::Within(..) => None,
    };
    if super::message_of(path).is_some() {
        return fate(value);
    }
    family.check_state_value(plan, path, value)
}

fn fate(value: Option<&Value>) -> Result<(), String> {
    // The measures begin with the counts of messages by their fates.
    let names = || MEASURES.iter().map(|measure| measure.name).take_while(|name| *name != "addressed");
    let Some(Value::Text(text)) = value else {
        return Err("expected the name of a fate, such as `lost`".to_owned());
    };
    if names().any(|name| name == text) {
        return Ok(());
    }
    Err(match nearest(text, names()) {
        Some(near) => format!("`{}` is no fate: did you mean `{near}`?", shown(text)),
        None => format!("`{}` is no fate: {}", shown(text), names().collect::<Vec<_>>().join(", ")),
    })
}
