//! Lists: scenarios, a family's settings, its moments.

use super::paint::{HEAD, paint, put, wrap};
use crate::broker::{Family, Kind, Scope, Setting, Status};
use crate::lab::list::Entry;
use crate::lab::shown::Shown;
use crate::scenario::keys::MOMENTS;
use crate::scenario::plan::Version;

/// Scenarios that are named of a setting at most.
const SHOWN_MAX: usize = 3;

/// Every scenario with its title and variants.
pub fn scenarios(entries: &[Entry]) -> String {
    let width = entries.iter().map(|entry| entry.name.chars().count()).max().unwrap_or(0);
    let mut out = String::new();
    for entry in entries {
        let mut lines = String::new();
        wrap(&mut lines, &format!("{:<width$}  ", entry.name), &entry.title);
        put!(out, "{}{}", paint(HEAD, &entry.name), &lines[entry.name.len()..]);
        if !entry.variants.is_empty() {
            wrap(&mut out, &" ".repeat(width + 2), &format!("variants: {}", entry.variants.join(", ")));
        }
    }
    out
}

/// Every setting of a family, by whose setting it is, with scenarios that show what it does.
pub fn settings(family: &dyn Family, shown: &Shown) -> String {
    let scope = |scope| scope_of(family, scope);
    let mut out = String::new();
    let mut last = None;
    for setting in family.settings() {
        if last != Some(setting.scope) {
            let gap = if last.is_none() { "" } else { "\n" };
            put!(out, "{gap}{}\n", paint(HEAD, &scope(setting.scope)));
            last = Some(setting.scope);
        }
        put!(out, "  {}{}\n", setting.name, traits(setting));
        wrap(&mut out, "      ", setting.meaning);
        let by = shown.by(setting);
        if !by.is_empty() {
            let more = if by.len() > SHOWN_MAX { ", …" } else { "" };
            wrap(&mut out, "      ", &format!("see {}{more}", by[..by.len().min(SHOWN_MAX)].join(", ")));
        }
    }
    out
}

/// Every moment that a fault can wait for.
pub fn moments() -> String {
    let lines = MOMENTS.iter().map(|(name, meaning)| format!("{name:<15} {meaning}\n"));
    lines.collect()
}

fn scope_of(family: &dyn Family, scope: Scope) -> String {
    let with = |kind: &str, client: Option<&str>| match client {
        Some(client) => format!("[{kind}.NAME] config, with client = \"{client}\""),
        None => format!("[{kind}.NAME] config"),
    };
    match scope {
        Scope::Cluster => "[cluster] config".to_owned(),
        Scope::Entity(kind) => {
            let settings = family.entities().iter().find(|one| one.table == kind).map(|one| one.settings);
            format!("[{kind}.NAME] {}", settings.unwrap_or("config"))
        }
        Scope::Producer(client) => with("producer", client),
        Scope::Consumer(client) => with("consumer", client),
        Scope::Message => "[producer.NAME] message properties".to_owned(),
    }
}

fn traits(setting: &Setting) -> String {
    let mut traits = Vec::new();
    match setting.kind {
        Kind::Bool => traits.push("true or false".to_owned()),
        Kind::Int(low, high) => traits.push(format!("{low} to {high}")),
        Kind::OneOf(words) => traits.push(words.join(" or ")),
        Kind::Digits(low, high) => traits.push(format!("{low} to {high}, also as text")),
        Kind::Bytes => traits.push("bytes".to_owned()),
        Kind::Part => traits.push("a number with a fraction".to_owned()),
        Kind::CountOrTexts(low, high) => traits.push(format!("{low} to {high}, or a list")),
        Kind::Texts => traits.push("a list".to_owned()),
        Kind::Text | Kind::Table | Kind::Tables(_) => {}
    }
    for (since, default) in setting.defaults {
        let is_first = *since == Version(0, 0, 0);
        let since = if is_first { String::new() } else { format!(" since {since}") };
        traits.push(format!("default {default}{since}"));
    }
    if setting.since > Version(0, 0, 0) && setting.defaults.first().is_none_or(|(at, _)| *at != setting.since)
    {
        traits.push(format!("since {}", setting.since));
    }
    if let Some(until) = setting.until {
        traits.push(format!("gone in {until}"));
    }
    if setting.status == Status::NotModelled {
        traits.push("not modelled".to_owned());
    }
    if traits.is_empty() { String::new() } else { format!("  ({})", traits.join("; ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_fits_a_terminal() {
        let entry = Entry {
            name: "kafka/acks-one".to_owned(),
            family: "kafka".to_owned(),
            title: "acks=1: the leader dies with the only copy".to_owned(),
            variants: vec!["acks=1".to_owned(), "acks=all".to_owned()],
            facts: vec![],
            claims: vec![],
        };
        let text = anstream::adapter::strip_str(&scenarios(&[entry])).to_string();
        assert_eq!(
            text,
            "kafka/acks-one  acks=1: the leader dies with the only copy\n                \
             variants: acks=1, acks=all\n"
        );
        assert!(moments().lines().all(|line| line.len() <= 80));
    }
}
