//! `config` tables and fields against what the family declares.

use crate::broker::{Field, Kind, Scope, Setting, Status};
use crate::scenario::plan::{Config, Value};

use super::diagnostic::Diagnostic;
use super::reader::{Reader, listed, shown, suggest};
use super::tree::{Entry, Node, Table};

/// The settings under `config`, under the vendor's canonical names.
pub(super) fn config(reader: &mut Reader, owner: &Table, scope: Scope) -> Config {
    let mut config = Config::new();
    let Some(table) = reader.table(owner, "config") else { return config };
    for (name, entry) in table.in_order() {
        let Some(setting) = find(reader, name, entry, scope) else { continue };
        let Some(value) = value(reader, name, entry, setting.kind) else { continue };
        if config.insert(setting.name.to_owned(), value).is_some() {
            let message = format!("`{}` is written twice", setting.name);
            reader.report(Diagnostic::at(entry.key, message, "another name of the same setting"));
        }
    }
    config
}

/// The fields of a table that the family declares.
pub(super) fn fields(reader: &mut Reader, table: &Table, fields: &[Field]) -> Config {
    let mut found = Config::new();
    for field in fields {
        if let Some(entry) = table.get(field.name)
            && let Some(value) = value(reader, field.name, entry, field.kind)
        {
            found.insert(field.name.to_owned(), value);
        }
    }
    found
}

/// The setting of that name, if this release has it and it is modelled.
fn find(reader: &mut Reader, name: &str, entry: &Entry, scope: Scope) -> Option<&'static Setting> {
    let all = reader.family.settings();
    let named = |setting: &&Setting| setting.name == name || setting.aliases.contains(&name);
    let own = |setting: &&Setting| covers(setting.scope, scope);
    let Some(setting) = all.iter().filter(own).find(named) else {
        let elsewhere = all.iter().find(named);
        reader.report(unknown(name, entry, scope, elsewhere, all.iter().filter(own)));
        return None;
    };
    let version = reader.version;
    if version < setting.since {
        let message = format!("`{name}` exists since {}; this scenario runs {version}", setting.since);
        reader.report(Diagnostic::at(entry.key, message, "not in this release"));
        return None;
    }
    if let Some(until) = setting.until.filter(|until| version >= *until) {
        let message = format!("`{name}` exists no more since {until}; this scenario runs {version}");
        reader.report(Diagnostic::at(entry.key, message, "not in this release"));
        return None;
    }
    if setting.status == Status::NotModelled {
        let message = format!("`{name}` is not modelled");
        reader
            .report(Diagnostic::at(entry.key, message, "it would change nothing here").help(setting.meaning));
        return None;
    }
    Some(setting)
}

fn unknown<'a>(
    name: &str,
    entry: &Entry,
    scope: Scope,
    elsewhere: Option<&Setting>,
    own: impl Iterator<Item = &'a Setting>,
) -> Diagnostic {
    if let Some(setting) = elsewhere {
        let message = format!("`{name}` is no setting of {}", owner(scope));
        let label = format!("a setting of {}", owner(setting.scope));
        return Diagnostic::at(entry.key, message, label);
    }
    let message = format!("{} has no setting `{}`", owner(scope), shown(name));
    let modelled = own.filter(|setting| setting.status == Status::Modelled);
    suggest(Diagnostic::at(entry.key, message, "unknown setting"), name, modelled.map(|s| s.name))
}

/// Whether settings declared for the one scope hold in the other.
fn covers(declared: Scope, wanted: Scope) -> bool {
    match (declared, wanted) {
        (Scope::Producer(None), Scope::Producer(_)) | (Scope::Consumer(None), Scope::Consumer(_)) => true,
        _ => declared == wanted,
    }
}

fn owner(scope: Scope) -> String {
    let of = |role: &str, client: Option<&str>| match client {
        Some(client) => format!("a {client} {role}"),
        None => format!("a {role}"),
    };
    match scope {
        Scope::Cluster => "the cluster".to_owned(),
        Scope::Entity(kind) => format!("a {kind}"),
        Scope::Producer(client) => of("producer", client),
        Scope::Consumer(client) => of("consumer", client),
    }
}

fn value(reader: &mut Reader, name: &str, entry: &Entry, kind: Kind) -> Option<Value> {
    let refused = |label: String| Diagnostic::at(entry.at, format!("wrong value for `{name}`"), label);
    let (value, label) = match (kind, &entry.node) {
        (Kind::Bool, Node::Bool(value)) => (Some(Value::Bool(*value)), String::new()),
        (Kind::Bool, node) => (None, format!("expected `true` or `false`, found {}", node.what())),
        (Kind::Int(min, max), Node::Int(number)) => {
            let inside = (min..=max).contains(number);
            (inside.then_some(Value::Int(*number)), format!("expected a number from {min} to {max}"))
        }
        (Kind::Int(..), node) => (None, format!("expected a whole number, found {}", node.what())),
        (Kind::OneOf(words), node) => {
            let text = match node {
                Node::Text(text) => text.clone(),
                Node::Int(number) => number.to_string(),
                Node::Bool(value) => value.to_string(),
                _ => String::new(),
            };
            let all: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            (
                words.contains(&text.as_str()).then_some(Value::Text(text)),
                format!("expected {}", listed(&all)),
            )
        }
        (Kind::Text, Node::Text(text)) => (Some(Value::Text(text.clone())), String::new()),
        (Kind::Text, node) => (None, format!("expected a string, found {}", node.what())),
    };
    if value.is_none() {
        reader.report(refused(label));
    }
    value
}
