//! Overlays: what a variant or a `--set` line changes.
//!
//! Tables merge key by key, everything else is replaced whole, and `NAME = false` removes a named table. A producer's
//! `rate` and `phases` are alternatives: the one that an overlay writes displaces the other. Expectations add up
//! instead: they are kept out of the merge and joined by [`super::claims`].

use super::diagnostic::{Diagnostic, Spot, nearest};
use super::keys::DESCRIPTIONS;
use super::tree::{Entry, Node, Table};

/// Merges an overlay into a file's table.
pub(super) fn merge(base: &mut Table, overlay: &Table, named: &[&str], diagnostics: &mut Vec<Diagnostic>) {
    for (name, entry) in &overlay.entries {
        if DESCRIPTIONS.contains(&name.as_str()) {
            let message = format!("`{name}` cannot be changed here");
            diagnostics.push(Diagnostic::at(entry.key, message, "belongs to the file as a whole"));
        } else if name == "expect" {
            // Joined elsewhere.
        } else if name == "step" && matches!(entry.node, Node::List(_)) {
            // A list replaces the whole script.
            let mut script = Table::default();
            script.entries.insert(name.clone(), entry.clone());
            super::steps::named(&mut script, diagnostics);
            base.entries.append(&mut script.entries);
        } else if let (true, Node::Table(changes)) = (named.contains(&name.as_str()), &entry.node) {
            let slot = base.entries.entry(name.clone()).or_insert_with(|| Entry {
                key: entry.key,
                at: entry.at,
                node: Node::Table(Table::default()),
            });
            match &mut slot.node {
                Node::Table(table) => merge_named(table, name, changes, diagnostics),
                _ => *slot = entry.clone(),
            }
        } else {
            put(base, name, entry);
        }
    }
}

fn merge_named(base: &mut Table, kind: &str, changes: &Table, diagnostics: &mut Vec<Diagnostic>) {
    for (name, entry) in &changes.entries {
        if entry.node != Node::Bool(false) && (kind != "step" || base.get(name).is_some()) {
            if let ("producer", Node::Table(changes)) = (kind, &entry.node) {
                displace(base.table_mut(name), changes);
            }
            put(base, name, entry);
        } else if base.get(name).is_none() {
            let does = if entry.node == Node::Bool(false) { "remove" } else { "change" };
            let message = format!("there is no {kind} `{name}` to {does}");
            let mut diagnostic = Diagnostic::at(entry.key, message, "not declared");
            if let Some(near) = nearest(name, base.entries.keys().map(String::as_str)) {
                diagnostic = diagnostic.help(format!("did you mean `{near}`?"));
            }
            diagnostics.push(diagnostic);
        } else {
            base.entries.remove(name);
        }
    }
}

/// `rate` and `phases` are alternatives: whoever writes the one means it instead of the other.
fn displace(producer: Option<&mut Table>, changes: &Table) {
    let Some(producer) = producer else { return };
    for (one, other) in [("rate", "phases"), ("phases", "rate")] {
        if changes.get(one).is_some() && changes.get(other).is_none() {
            producer.entries.remove(other);
        }
    }
}

/// Tables key by key, the rest whole.
fn put(base: &mut Table, name: &str, entry: &Entry) {
    if let (Some(Entry { node: Node::Table(table), .. }), Node::Table(changes)) =
        (base.entries.get_mut(name), &entry.node)
    {
        for (name, entry) in &changes.entries {
            put(table, name, entry);
        }
    } else {
        base.entries.insert(name.to_owned(), entry.clone());
    }
}

/// Gives every table of settings the vendor's dotted names: `config.linger.ms = 5` becomes `"linger.ms" = 5`. The kinds
/// of named tables come with what their settings are called.
pub(super) fn flatten_configs(file: &mut Table, kinds: &[(&str, &str)], diagnostics: &mut Vec<Diagnostic>) {
    if let Some(cluster) = file.table_mut("cluster") {
        flatten_config(cluster, "config", diagnostics);
    }
    for (kind, settings) in kinds {
        for entry in file.table_mut(kind).into_iter().flat_map(|table| table.entries.values_mut()) {
            if let Node::Table(table) = &mut entry.node {
                flatten_config(table, settings, diagnostics);
            }
        }
    }
}

fn flatten_config(owner: &mut Table, settings: &str, diagnostics: &mut Vec<Diagnostic>) {
    let Some(config) = owner.table_mut(settings) else { return };
    let mut flat = Table::default();
    for (path, entry) in leaves(config) {
        if let Some(first) = flat.entries.get(&path) {
            let message = format!("`{path}` is written twice");
            diagnostics.push(Diagnostic::at(entry.key, message, "here").and(first.key, "and here"));
        } else {
            flat.entries.insert(path, entry);
        }
    }
    *config = flat;
}

/// Everything in a table that is not itself a table, with its dotted path, in the order of the file.
pub(super) fn leaves(table: &Table) -> Vec<(String, Entry)> {
    let mut found = Vec::new();
    collect(table, None, &mut found);
    found.sort_by_key(|(_, entry)| entry.key);
    found
}

/// Nesting is bounded by the parser.
fn collect(table: &Table, prefix: Option<(&str, Spot)>, found: &mut Vec<(String, Entry)>) {
    for (name, entry) in &table.entries {
        let (path, key) = match prefix {
            Some((prefix, before)) => (format!("{prefix}.{name}"), joined(before, entry.key)),
            None => (name.clone(), entry.key),
        };
        match &entry.node {
            Node::Table(inner) if !inner.entries.is_empty() => collect(inner, Some((&path, key)), found),
            _ => found.push((path, Entry { key, ..entry.clone() })),
        }
    }
}

/// The place of a dotted key as a whole, if it was written in one piece.
fn joined(before: Spot, key: Spot) -> Spot {
    if before.source == key.source && before.end + 1 == key.start {
        Spot { start: before.start, ..key }
    } else {
        key
    }
}
