//! `when = { … }` and `wait_until = { … }`: what a fault or a step waits for.

use crate::scenario::plan::{Condition, Moment};

use super::claims;
use super::diagnostic::Diagnostic;
use super::keys::WHEN;
use super::reader::Reader;
use super::target::Cast;
use super::tree::{Node, Table};

/// The moments of every family.
const MOMENTS: &[(&str, Moment)] = &[
    ("sent", Moment::Sent),
    ("confirmed", Moment::Confirmed),
    ("failed", Moment::Failed),
    ("delivered", Moment::Delivered),
    ("effect", Moment::Effect),
    ("acknowledged", Moment::Acknowledged),
    ("leader_elected", Moment::LeaderElected),
    ("detected_down", Moment::DetectedDown),
];

/// The condition under this key: a moment or a state.
pub(super) fn condition(reader: &mut Reader, cast: &Cast<'_>, owner: &Table, key: &str) -> Option<Condition> {
    let entry = owner.get(key)?;
    let when = reader.table(owner, key)?;
    reader.check_keys(when, &[&WHEN], &[]);
    let by = reader.text(when, "by").map(str::to_owned);
    let nth = reader.int(when, "nth", 1, i64::from(u32::MAX)).unwrap_or(1) as u32;
    match (when.get("observed"), when.get("state")) {
        (None, None) => {
            reader.missing(entry, key, "observed");
            return None;
        }
        (Some(one), Some(other)) => {
            let message = format!("`{key}` waits for two things");
            reader.report(Diagnostic::at(other.key, message, "either this").and(one.key, "or this"));
            return None;
        }
        (None, Some(_)) => return state(reader, cast, when),
        (Some(_), None) => {}
    }
    if let (Some(name), Some(entry)) = (&by, when.get("by")) {
        cast.check_by(reader, entry.at, name);
    }
    let moment = reader.word(when, "observed", MOMENTS)?;
    Some(Condition::Observed { moment, by, nth })
}

/// `state = { "orders/0.leader" = "broker-2" }`: all of it at once.
fn state(reader: &mut Reader, cast: &Cast<'_>, when: &Table) -> Option<Condition> {
    for key in ["by", "nth"] {
        if let Some(entry) = when.get(key) {
            let message = format!("`{key}` belongs to `observed`");
            reader.report(Diagnostic::at(entry.key, message, "a state has none"));
        }
    }
    let entry = when.get("state")?;
    let Node::Table(table) = &entry.node else {
        reader.wrong(entry, "state", "expected a table such as `{ \"orders/0.leader\" = \"broker-2\" }`");
        return None;
    };
    if table.entries.is_empty() {
        reader.report(Diagnostic::at(entry.at, "wrong value for `state`", "names no state"));
        return None;
    }
    let tests = claims::states(reader, table, cast.plan);
    (tests.len() == super::overlay::leaves(table).len()).then_some(Condition::State(tests))
}
