//! Where clients begin and how producers spread: `connect_to`, `spread`.

use crate::scenario::plan::{Plan, Spread};

use super::diagnostic::Diagnostic;
use super::reader::{Reader, shown, suggest};
use super::tree::Table;

/// The nodes that a client tries first; each that is no node of the cluster is reported.
pub(super) fn connect_to(reader: &mut Reader, table: &Table, plan: &Plan) -> Vec<String> {
    if table.get("connect_to").is_none() {
        return Vec::new();
    }
    let nodes: Vec<String> = (reader.family.roles().iter())
        .flat_map(|role| {
            let count = plan.cluster.roles.get(role.plural).copied().unwrap_or(0);
            (1..=count).map(|number| format!("{}-{number}", role.singular))
        })
        .collect();
    let mut names = Vec::new();
    for (spot, name) in reader.texts(table, "connect_to") {
        if !nodes.contains(&name) {
            let message = format!("`{}` is no node of this cluster", shown(&name));
            let diagnostic = Diagnostic::at(spot, message, "nobody to connect to");
            reader.report_relation(suggest(diagnostic, &name, nodes.iter().map(String::as_str)));
        } else if names.contains(&name) {
            let message = format!("`{}` is named twice", shown(&name));
            reader.report(Diagnostic::at(spot, message, "each node is tried once a round"));
        } else {
            names.push(name);
        }
    }
    names
}

/// How messages are spread over the places that `send_to` matches; left out: by key if there are keys.
pub(super) fn spread(reader: &mut Reader, table: &Table, send_to: &str, has_keys: bool) -> Spread {
    const WORDS: &[(&str, Spread)] = &[("by key", Spread::ByKey), ("round robin", Spread::RoundRobin)];
    let default = if has_keys { Spread::ByKey } else { Spread::RoundRobin };
    let Some(spread) = reader.word(table, "spread", WORDS) else { return default };
    if let Some(entry) = table.get("spread") {
        if !send_to.contains('*') {
            let message = "there is nothing to spread over";
            let label = "`send_to` leads to one place; `\"load-*\"` leads to several";
            reader.report_relation(Diagnostic::at(entry.at, message, label));
        } else if spread == Spread::ByKey && !has_keys {
            reader.report_relation(Diagnostic::at(
                entry.at,
                "these messages have no keys",
                "add `keys = 100`",
            ));
        }
    }
    spread
}
