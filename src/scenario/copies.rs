//! `copies = 3`: a table that stands for several alike, `load-1` to `load-3`.

use crate::scenario::plan::{EntityPlan, Plan};

use super::compile::TABLES_MAX;
use super::diagnostic::Diagnostic;
use super::reader::{Reader, shown};
use super::tree::{Entry, Node, Table};

/// The plan itself, or its copies in the order of their numbers.
pub(super) fn of(
    reader: &mut Reader,
    table: &Table,
    plan: EntityPlan,
    all: &[(&str, &Entry, &Table)],
) -> Vec<EntityPlan> {
    let Some(count) = reader.int(table, "copies", 1, TABLES_MAX as i64) else { return vec![plan] };
    let copies: Vec<_> = (1..=count)
        .map(|number| {
            let (name, copy_of) = (format!("{}-{number}", plan.name), Some(plan.name.clone()));
            EntityPlan { name, copy_of, ..plan.clone() }
        })
        .collect();
    for (name, other, _) in all {
        if copies.iter().any(|copy| copy.name == *name)
            && let Some(entry) = table.get("copies")
        {
            let message = format!("`{}` is also a copy of `{}`", shown(name), shown(&plan.name));
            reader
                .report(Diagnostic::at(other.key, message, "this name is taken").and(entry.key, "by a copy"));
        }
    }
    copies
}

/// Leads the name of a table with copies to all of these.
pub(super) fn meant(plan: &Plan, address: &str, diagnostic: Diagnostic) -> Diagnostic {
    let count = plan.entities.iter().filter(|one| one.copy_of.as_deref() == Some(address)).count();
    if count == 0 {
        return diagnostic;
    }
    let name = shown(address);
    diagnostic.help(format!("there are `{name}-1` to `{name}-{count}`: did you mean `{name}-*`?"))
}

/// If the path is about a copy: its number, and the table that it is a copy of.
pub(super) fn original(file: &Table, path: &[String]) -> Option<(u32, String)> {
    let [kind, name, ..] = path else { return None };
    let Node::Table(tables) = &file.get(kind)?.node else { return None };
    let (original, number) = name.rsplit_once('-')?;
    let Node::Table(table) = &tables.get(original)?.node else { return None };
    table.get("copies")?;
    Some((number.parse().ok()?, original.to_owned()))
}
