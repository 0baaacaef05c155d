//! What producers send, and when: `rate`, `phases`, and how many messages that makes. And the services that they or
//! their consumers call.

use crate::scenario::plan::{Phase, Plan, ProducerPlan, Rate, ServicePlan};
use crate::sim::{Dist, Span};

use super::compile::limited;
use super::diagnostic::{Diagnostic, Spot};
use super::keys::{PHASE, SERVICE};
use super::reader::{Reader, shown, suggest};
use super::tree::{Entry, Node, Table};
use super::{names, value};

/// Phases of one producer at most.
const PHASES_MAX: usize = 1_000;

/// `rate` or `phases`; nothing that says when or how much: only steps make it send. With `message` alone, steps do if
/// any tells it to.
pub(super) fn phases(reader: &mut Reader, table: &Table, is_told: bool) -> Vec<Phase> {
    let says = |key: &&str| table.get(key).is_some();
    if !["rate", "messages", "phases"].iter().any(says) && (is_told || !says(&"message")) {
        return Vec::new();
    }
    let rate = reader.parsed(table, "rate", |node| match node {
        Node::Text(text) => value::rate(text),
        _ => value::rate(""),
    });
    let one = vec![Phase { lasts: None, rate: rate.unwrap_or(Rate::Every(Span::from_millis(1))) }];
    let Some(entry) = table.get("phases") else { return one };
    if let Some(other) = table.get("rate") {
        let message = "`rate` and `phases` exclude each other";
        reader.report(Diagnostic::at(entry.key, message, "here").and(other.key, "and here"));
        return one;
    }
    let Some(list) = tables(reader, table, "phases") else { return one };
    if list.is_empty() || list.len() > PHASES_MAX {
        let label = format!("expected 1 to {PHASES_MAX} phases");
        reader.report(Diagnostic::at(entry.at, "wrong number of phases", label));
        return one;
    }
    let last = list.len() - 1;
    let phase = |(at, (spot, table)): (usize, (Spot, &Table))| phase(reader, spot, table, at == last);
    list.into_iter().enumerate().map(phase).collect()
}

fn phase(reader: &mut Reader, spot: Spot, table: &Table, is_last: bool) -> Phase {
    reader.check_keys(table, &[&PHASE], &[]);
    let rate = reader.parsed(table, "rate", |node| match node {
        Node::Text(text) => value::phase_rate(text),
        _ => value::phase_rate(""),
    });
    if table.get("rate").is_none() {
        reader.report(Diagnostic::at(spot, "a phase has no `rate`", "`0/s` is a pause"));
    }
    let lasts = reader.parsed(table, "for", |node| {
        let lasts = value::duration(if let Node::Text(text) = node { text } else { "" })?;
        if lasts == Span::ZERO { Err("a phase takes time".to_owned()) } else { Ok(lasts) }
    });
    if !is_last && table.get("for").is_none() {
        let message = "a phase that another one follows needs an end";
        reader.report(Diagnostic::at(spot, message, "`for` is missing"));
    }
    Phase { lasts, rate: rate.unwrap_or(Rate::Pause) }
}

/// The tables of the list under this key.
pub(super) fn tables<'t>(reader: &mut Reader, table: &'t Table, key: &str) -> Option<Vec<(Spot, &'t Table)>> {
    let entry = table.get(key)?;
    let Node::List(list) = &entry.node else {
        reader.wrong(entry, key, "expected a list of tables");
        return None;
    };
    let mut found = Vec::new();
    for (spot, node) in list {
        if let Node::Table(inner) = node {
            found.push((*spot, inner));
        } else {
            let label = format!("expected a table, found {}", node.what());
            reader.report(Diagnostic::at(*spot, format!("wrong element of `{key}`"), label));
        }
    }
    Some(found)
}

/// How many messages a producer sends at most, if its rate does not depend on answers.
pub(super) fn messages(producer: &ProducerPlan, run_for: Span) -> u64 {
    let mut left = run_for;
    let mut sum = 0u64;
    for phase in &producer.phases {
        let lasts = phase.lasts.unwrap_or(left).min(left);
        left = left - lasts;
        sum += match phase.rate {
            Rate::Every(gap) | Rate::Poisson(gap) => lasts.0.div_ceil(gap.0),
            Rate::OneByOne | Rate::Max | Rate::Pause => 0,
        };
    }
    producer.messages.map_or(sum, u64::from)
}

/// `[service.NAME]`.
pub(super) fn services(reader: &mut Reader, file: &Table) -> Vec<ServicePlan> {
    let tables = limited(reader, file, "service");
    tables.into_iter().map(|(name, entry, table)| service(reader, name, entry, table)).collect()
}

fn service(reader: &mut Reader, name: &str, entry: &Entry, table: &Table) -> ServicePlan {
    names::check(reader, "service", name, entry.key);
    reader.check_keys(table, &[&SERVICE], &[]);
    let breaks = reader.parsed(table, "breaks", |node| match node {
        Node::Bool(true) => Ok(Some(None)),
        Node::Bool(false) => Ok(None),
        Node::Text(text) => value::duration(text).map(|span| Some(Some(span))),
        _ => Err("expected a time such as `30s`, or `true` for good".to_owned()),
    });
    ServicePlan {
        name: name.to_owned(),
        workers: reader.int(table, "workers", 1, 1_000).unwrap_or(1) as u16,
        process: reader.dist(table, "process").unwrap_or(Dist::Constant(Span::from_millis(1))),
        queue: reader.int(table, "queue", 0, 10_000_000).unwrap_or(100) as u32,
        breaks: breaks.flatten(),
    }
}

/// The service of that name has to be there.
pub(super) fn check_service(reader: &mut Reader, entry: &Entry, name: &str, plan: &Plan) {
    let names = || plan.services.iter().map(|service| service.name.as_str());
    if !names().any(|known| known == name) {
        let message = format!("there is no service `{}`", shown(name));
        let diagnostic = Diagnostic::at(entry.at, message, "declare it as `[service.NAME]`");
        reader.report_relation(suggest(diagnostic, name, names()));
    }
}

/// What belongs to a queue's client has no meaning for a producer that calls a service.
pub(super) fn check_direct(reader: &mut Reader, table: &Table) {
    for key in ["config", "client", "own_write"] {
        if let Some(entry) = table.get(key) {
            let message = format!("`{key}` has no meaning for a producer that calls a service");
            reader.report(Diagnostic::at(entry.key, message, "it uses no client library"));
        }
    }
}
