//! Names that authors give: they stand in paths and targets, so they are plain words.

use super::diagnostic::{Diagnostic, Spot};
use super::reader::{Reader, shown};
use super::tree::Entry;

/// Names of clients that would be taken for something else.
const RESERVED: &[&str] = &[
    "audit",
    "backlog",
    "clients",
    "consumers",
    "fault",
    "latency",
    "none",
    "producers",
    "store",
    "variant",
];

/// Letters of names at most.
const LETTERS_MAX: usize = 64;

/// Checks the name of a producer, consumer or fault: letters of any script, digits, `-` and `_`.
pub(super) fn check(reader: &mut Reader, kind: &str, name: &str, spot: Spot) {
    let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let letters = name.chars().count();
    if letters == 0 || letters > LETTERS_MAX || !name.chars().all(plain) {
        let message = format!("`{}` is no name for a {kind}", shown(name));
        let label = format!("expected up to {LETTERS_MAX} letters, digits, `-` or `_`");
        reader.report(Diagnostic::at(spot, message, label));
    } else if kind != "fault" && is_reserved(reader, name) {
        let message = format!("`{name}` is no name for a {kind}");
        reader.report(Diagnostic::at(spot, message, "it means something else in targets and expectations"));
    }
}

/// Checks the name of a family's own table: anything that paths can hold; the family may want more.
pub(super) fn check_entity(reader: &mut Reader, kind: &str, name: &str, entry: &Entry) {
    let bad = |c: char| c.is_control() || matches!(c, '/' | '#' | '"');
    if name.is_empty() || name.chars().count() > 255 || name.chars().any(bad) {
        let message = format!("`{}` is no name for a {kind}", shown(name));
        reader.report(Diagnostic::at(
            entry.key,
            message,
            "expected up to 255 letters without `/`, `#`, `\"`",
        ));
    }
}

fn is_reserved(reader: &Reader, name: &str) -> bool {
    let node = |singular: &str| {
        let rest = name.strip_prefix(singular).and_then(|rest| rest.strip_prefix('-'));
        rest.is_some_and(|rest| rest.parse::<u32>().is_ok())
    };
    RESERVED.contains(&name)
        || super::measure::find(name).is_some()
        || reader.family.roles().iter().any(|role| role.plural == name || node(role.singular))
}
