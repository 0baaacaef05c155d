//! `config` tables and fields against what the family declares.

use crate::broker::{FAMILIES, Field, Kind, Scope, Setting, Status};
use crate::scenario::plan::{Config, Value};

use super::diagnostic::{Diagnostic, Spot};
use super::reader::{Reader, listed, shown, suggest};
use super::tree::{Entry, Node, Table};

/// The settings under `config`, under the vendor's canonical names.
pub(super) fn config(reader: &mut Reader, owner: &Table, scope: Scope) -> Config {
    under(reader, owner, "config", scope)
}

/// The settings under this key; an empty one has none.
pub(super) fn under(reader: &mut Reader, owner: &Table, key: &str, scope: Scope) -> Config {
    let mut config = Config::new();
    let Some(table) = reader.table(owner, key) else { return config };
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
        let other = || FAMILIES.iter().find(|family| family.settings().iter().any(|one| named(&one)));
        let mistake = match other().filter(|_| elsewhere.is_none()) {
            Some(other) => {
                let message = format!("{} has no setting `{}`", owner(scope), shown(name));
                let label = format!("a setting of {}", other.name());
                let help = format!("this scenario's family is {}", reader.family.name());
                Diagnostic::at(entry.key, message, label).help(help)
            }
            None => unknown(name, entry, scope, elsewhere, all.iter().filter(own)),
        };
        reader.report(mistake);
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
    let what = if scope == Scope::Message { "property" } else { "setting" };
    let message = format!("{} has no {what} `{}`", owner(scope), shown(name));
    let modelled = own.filter(|setting| setting.status == Status::Modelled);
    suggest(Diagnostic::at(entry.key, message, format!("unknown {what}")), name, modelled.map(|s| s.name))
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
        Scope::Message => "a message".to_owned(),
    }
}

/// A value of this kind; what is wrong with it is reported.
fn value(reader: &mut Reader, name: &str, entry: &Entry, kind: Kind) -> Option<Value> {
    match (kind, &entry.node) {
        (Kind::Table, Node::Table(table)) => return Some(Value::Table(free(reader, table))),
        (Kind::Tables(fields), Node::List(_)) => return tables(reader, name, entry, fields),
        _ => {}
    }
    match plain(kind, &entry.node) {
        Ok(value) => Some(value),
        Err(label) => {
            reader.report(Diagnostic::at(entry.at, format!("wrong value for `{name}`"), label));
            None
        }
    }
}

/// A value that holds no tables; an error says what was expected.
fn plain(kind: Kind, node: &Node) -> Result<Value, String> {
    let ranged = |number: i64, min: i64, max: i64| {
        let is_inside = (min..=max).contains(&number);
        is_inside.then_some(Value::Int(number)).ok_or(format!("expected a number from {min} to {max}"))
    };
    match (kind, node) {
        (Kind::Bool, Node::Bool(value)) => Ok(Value::Bool(*value)),
        (Kind::Bool, node) => Err(format!("expected `true` or `false`, found {}", node.what())),
        (Kind::Int(min, max) | Kind::Digits(min, max) | Kind::CountOrTexts(min, max), Node::Int(number)) => {
            ranged(*number, min, max)
        }
        (Kind::Digits(min, max), Node::Text(text)) if text.bytes().all(|byte| byte.is_ascii_digit()) => text
            .parse()
            .map_or(Err(format!("expected a number from {min} to {max}")), |number| ranged(number, min, max)),
        (Kind::Int(..) | Kind::Digits(..), node) => {
            Err(format!("expected a whole number, found {}", node.what()))
        }
        (Kind::OneOf(words), node) => {
            let text = match node {
                Node::Text(text) => text.clone(),
                Node::Int(number) => number.to_string(),
                Node::Bool(value) => value.to_string(),
                _ => String::new(),
            };
            if words.contains(&text.as_str()) {
                return Ok(Value::Text(text));
            }
            let all: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
            Err(format!("expected {}", listed(&all)))
        }
        (Kind::Text, Node::Text(text)) => Ok(Value::Text(text.clone())),
        (Kind::Texts, Node::Text(text)) => Ok(Value::Texts(vec![text.clone()])),
        (Kind::Text, node) => Err(format!("expected a string, found {}", node.what())),
        (Kind::CountOrTexts(..), node) if !matches!(node, Node::List(_)) => {
            Err(format!("expected a whole number or a list of strings, found {}", node.what()))
        }
        (Kind::Texts | Kind::CountOrTexts(..), Node::List(list)) => texts(list).map(Value::Texts),
        (Kind::Texts, node) => Err(format!("expected a string or a list of them, found {}", node.what())),
        (Kind::Bytes, node) => {
            let size = super::value::bytes(node)?;
            i64::try_from(size).map(Value::Int).map_err(|_| "too large".to_owned())
        }
        (Kind::Part, Node::Float(number)) if *number >= 0.0 => Ok(Value::Text(number.to_string())),
        (Kind::Part, Node::Int(number)) if *number >= 0 => Ok(Value::Text(number.to_string())),
        (Kind::Part, node) => Err(format!("expected a number such as `0.4`, found {}", node.what())),
        (Kind::Table, node) => Err(format!("expected a table, found {}", node.what())),
        (Kind::CountOrTexts(..) | Kind::Tables(_), node) => {
            Err(format!("expected a list of tables, found {}", node.what()))
        }
    }
}

fn texts(list: &[(Spot, Node)]) -> Result<Vec<String>, String> {
    let text = |node: &Node| match node {
        Node::Text(text) => Ok(text.clone()),
        node => Err(format!("expected strings, found {}", node.what())),
    };
    list.iter().map(|(_, node)| text(node)).collect()
}

/// A table whose names are the author's own.
fn free(reader: &mut Reader, table: &Table) -> Config {
    let mut all = Config::new();
    for (name, entry) in table.in_order() {
        let value = match &entry.node {
            Node::Bool(value) => Value::Bool(*value),
            Node::Int(number) => Value::Int(*number),
            Node::Text(text) => Value::Text(text.clone()),
            _ => {
                reader.wrong(entry, name, "expected a string, a whole number or a truth value");
                continue;
            }
        };
        all.insert(name.to_owned(), value);
    }
    all
}

/// A list of tables with these fields.
fn tables(reader: &mut Reader, name: &str, entry: &Entry, declared: &[Field]) -> Option<Value> {
    let Node::List(list) = &entry.node else { return None };
    let known = || declared.iter().map(|field| field.name);
    let mut all = Vec::new();
    for (spot, node) in list {
        let Node::Table(table) = node else {
            let label = format!("expected a table, found {}", node.what());
            reader.report(Diagnostic::at(*spot, format!("wrong element of `{name}`"), label));
            continue;
        };
        for (key, entry) in table.in_order() {
            if !known().any(|known| known == key) {
                let message = format!("`{name}` has no key `{}`", shown(key));
                reader.report(suggest(Diagnostic::at(entry.key, message, "unknown key"), key, known()));
            }
        }
        all.push(fields(reader, table, declared));
    }
    Some(Value::Tables(all))
}
