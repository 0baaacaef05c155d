//! Tables that only a variant or a `--set` line brings: most likely a name of the file, mistyped.

use crate::scenario::plan::{Plan, Then};

use super::diagnostic::{Diagnostic, Spot, nearest};
use super::keys::VERBS;
use super::reader::{Extent, Reader, shown};
use super::tree::{Entry, Node, Table};

/// A named table that the file without its variants does not have.
struct Stranger<'t> {
    kind: &'static str,
    name: &'t str,
    key: Spot,
    /// Whether it has what a client or a fault cannot be without.
    is_whole: bool,
    /// The name that was probably meant.
    near: Option<&'t str>,
}

/// Reports each one that nobody uses, and leads the mistakes in the others to the name that was probably meant.
/// `first` is the number of mistakes before the merged file was read.
pub(super) fn check(
    reader: &mut Reader,
    base: &Table,
    merged: &Table,
    plan: &Plan,
    kinds: &[&'static str],
    first: usize,
) {
    let all = kinds.iter().filter(|kind| **kind != "step").flat_map(|kind| strangers(base, merged, kind));
    for stranger in all {
        let is_place = !["producer", "consumer", "fault"].contains(&stranger.kind);
        if stranger.is_whole {
            continue;
        }
        let is_needed =
            || is_used(plan, &stranger) || reader.family.is_needed(plan, stranger.kind, stranger.name);
        if is_place && reader.extent == Extent::Whole && !is_needed() {
            unused(reader, &stranger);
        } else if let Some(near) = stranger.near {
            let mut is_first = true;
            let help = format!("did you mean `{}.{}`?", stranger.kind, shown(near));
            let mut later = reader.diagnostics.split_off(first.min(reader.diagnostics.len()));
            later.retain_mut(|one| {
                let is_here = one.labels.first().is_some_and(|(spot, _)| *spot == stranger.key);
                let is_kept = !is_here || is_first;
                if is_here {
                    (one.help, is_first) = (Some(help.clone()), false);
                }
                is_kept
            });
            reader.diagnostics.append(&mut later);
        }
    }
}

fn strangers<'t>(base: &'t Table, merged: &'t Table, kind: &'static str) -> Vec<Stranger<'t>> {
    let own = base.table(kind);
    let names = || own.into_iter().flat_map(|own| own.entries.keys().map(String::as_str));
    let stranger = |(name, entry): (&'t String, &'t Entry)| {
        let Node::Table(table) = &entry.node else { return None };
        let is_new = own.is_none_or(|own| own.get(name).is_none());
        let (key, is_whole) = (entry.key, is_whole(kind, table));
        is_new.then(|| Stranger { kind, name, key, is_whole, near: nearest(name, names()) })
    };
    merged.table(kind).into_iter().flat_map(|all| &all.entries).filter_map(stranger).collect()
}

fn is_whole(kind: &str, table: &Table) -> bool {
    let has = |key: &str| table.get(key).is_some();
    match kind {
        "producer" => has("send_to"),
        "consumer" => has("read_from"),
        "fault" => VERBS.keys.iter().any(|verb| has(verb.name)) && (has("at") || has("when")),
        _ => false,
    }
}

/// Whether somebody sends to it, reads from it or calls it.
fn is_used(plan: &Plan, stranger: &Stranger<'_>) -> bool {
    let name = stranger.name;
    let copies = plan.entities.iter().filter(|one| one.copy_of.as_deref() == Some(name));
    let names: Vec<&str> = copies.map(|one| one.name.as_str()).chain([name]).collect();
    let leads = |address: &str| {
        names.iter().any(|name| match address.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => address == *name || address.strip_suffix(name).is_some_and(|kind| kind.ends_with(' ')),
        })
    };
    plan.producers.iter().any(|one| leads(&one.send_to))
        || plan.consumers.iter().any(|one| {
            let on = match &one.if_fails.then {
                Then::SendTo(to) => leads(to),
                _ => false,
            };
            on || leads(&one.read_from) || one.calls.as_deref() == Some(name)
        })
}

fn unused(reader: &mut Reader, stranger: &Stranger<'_>) {
    let Stranger { kind, name, key, near, .. } = stranger;
    let message = format!("{kind} `{}` is new here, and nobody uses it", shown(name));
    let help = match near {
        Some(near) => format!("did you mean `{}`?", shown(near)),
        None => format!("one that nobody is to use belongs to the file itself: `[{kind}.{}]`", shown(name)),
    };
    reader.report(Diagnostic::at(*key, message, "not declared in the file itself").help(help));
}
