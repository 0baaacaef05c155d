//! What single verbs of faults say besides whom they hit: torn files, clocks, what is healed, what is altered.

use crate::broker::Scope;
use crate::scenario::plan::{Target, Verb};

use super::diagnostic::Diagnostic;
use super::faults::Fault;
use super::reader::{Reader, shown, suggest};
use super::target::Cast;
use super::tree::Node;
use super::{settings, value};

/// `heal = "partition"`: a fault by its name, or nodes.
pub(super) fn healed(reader: &mut Reader, fault: &Fault<'_>, cast: &Cast<'_>) -> Option<Target> {
    let names = reader.texts(fault.table, "heal");
    let mut all = Vec::new();
    for name in names {
        if cast.faults.contains(&name.1) {
            all.push(Target::Name(name.1));
        } else {
            all.push(cast.target(reader, &[name], 0));
        }
    }
    match all.len() {
        0 => None,
        1 => all.pop(),
        _ => Some(Target::All(all)),
    }
}

/// `of = "orders/0", last = "10 B"`.
pub(super) fn torn(reader: &mut Reader, fault: &Fault<'_>, cast: &Cast<'_>) -> Option<(String, u64)> {
    fault.require(reader, "of");
    fault.require(reader, "last");
    let of = reader.text(fault.table, "of").map(str::to_owned);
    if let (Some(of), Some(entry)) = (&of, fault.table.get("of"))
        && let Err(why) = reader.family.check_file(cast.plan, of)
    {
        let message = format!("there is no file `{}`", shown(of));
        let known = cast.plan.entities.iter().map(|entity| entity.name.as_str());
        reader.report_relation(suggest(Diagnostic::at(entry.at, message, why), of, known));
    }
    let last = reader.parsed(fault.table, "last", |node| match value::bytes(node)? {
        0 => Err("expected at least one byte".to_owned()),
        bytes => Ok(bytes),
    });
    of.zip(last)
}

/// `by = "+1h"` or `by = "-5s"`, in nanoseconds.
pub(super) fn jump(reader: &mut Reader, fault: &Fault<'_>) -> Option<i64> {
    reader.parsed(fault.table, "by", |node| {
        let expected = || "expected a jump such as `+1h` or `-5s`".to_owned();
        let Node::Text(text) = node else { return Err(expected()) };
        let (sign, rest) = match text.trim().split_at_checked(1) {
            Some(("+", rest)) => (1, rest),
            Some(("-", rest)) => (-1, rest),
            _ => return Err(expected()),
        };
        let span = value::duration(rest.trim()).map_err(|_| expected())?;
        if span.0 == 0 {
            return Err("a jump by nothing does nothing".to_owned());
        }
        i64::try_from(span.0).map(|by| sign * by).map_err(|_| expected())
    })
}

/// `alter = "topic orders", to = { partitions = 4 }`.
pub(super) fn alter(reader: &mut Reader, fault: &Fault<'_>, cast: &Cast<'_>) -> Option<Verb> {
    fault.require(reader, "to");
    let to = reader.table(fault.table, "to");
    let entry = fault.table.get("alter")?;
    let text = reader.text(fault.table, "alter")?.to_owned();
    let (table, name) = text.split_once(' ').unwrap_or((&text, ""));
    let Some(kind) = reader.family.entities().iter().find(|kind| kind.table == table) else {
        let message = format!("`{}` is nothing that can be altered", shown(&text));
        let diagnostic = Diagnostic::at(entry.at, message, "expected a table such as `topic orders`");
        reader.report(suggest(diagnostic, table, reader.family.entities().iter().map(|kind| kind.table)));
        return None;
    };
    let names =
        || cast.plan.entities.iter().filter(|one| one.kind == kind.table).map(|one| one.name.as_str());
    if !names().any(|known| known == name) {
        let message = format!("there is no {} `{}`", kind.table, shown(name));
        reader.report_relation(suggest(Diagnostic::at(entry.at, message, "not declared"), name, names()));
    }
    let to = to?;
    let known = super::compile::names_of(kind);
    reader.check_keys(to, &[&super::keys::ALTERED], &known);
    let mut fields = settings::fields(reader, to, kind.fields);
    fields.extend(settings::under(reader, to, kind.settings, Scope::Entity(kind.table)));
    if fields.is_empty() {
        // Else what stands there is wrong, which has been said.
        if let Some(entry) = fault.table.get("to").filter(|_| to.entries.is_empty()) {
            reader.report(Diagnostic::at(entry.at, "wrong value for `to`", "changes nothing"));
        }
        return None;
    }
    Some(Verb::Alter { kind: kind.table, name: name.to_owned(), fields })
}
