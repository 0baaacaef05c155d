//! Reading tables leniently: each accessor reports what is wrong with its key and goes on, so that one pass finds
//! every mistake.

use crate::broker::{EntityKind, FAMILIES, Family};
use crate::scenario::plan::Version;
use crate::sim::{Dist, Span};

use super::diagnostic::{Diagnostic, Spot, nearest};
use super::keys::Keys;
use super::tree::{self, Entry, Node, Table};
use super::value;

/// What a reading pass knows, and what it found wrong.
pub(super) struct Reader {
    /// The family of the file.
    pub(super) family: &'static dyn Family,
    /// The release that the run is about.
    pub(super) version: Version,
    /// Whether everything that will be there is there.
    pub(super) extent: Extent,
    /// The mistakes so far.
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// How much of a scenario a pass sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// All of it: missing keys and dangling names are mistakes.
    Whole,
    /// A part: the base under variants, or what is left of a file with syntax errors.
    Part,
}

/// Tables inside named tables: beside keys that stand directly in `[producer]`, they are no names.
const PARTS: &[&str] = &["config", "if_fails", "when"];

/// A key that begins with a field's name is taken for it from so many letters on: `binding` for `bind`.
const FIELD_LETTERS: usize = 4;

impl Reader {
    /// Reports a mistake that is one wherever the rest of the file stands.
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reports a mistake that something elsewhere could put right: a missing key, a dangling name.
    pub(super) fn report_relation(&mut self, diagnostic: Diagnostic) {
        if self.extent == Extent::Whole {
            self.diagnostics.push(diagnostic);
        }
    }

    /// Reports keys that a table does not have, with the nearest one that it has.
    pub(super) fn check_keys(&mut self, table: &Table, keys: &[&Keys], more: &[&'static str]) {
        for (name, entry) in table.in_order() {
            if more.contains(&name) || keys.iter().any(|keys| keys.find(name).is_some()) {
                continue;
            }
            let owner = keys.first().map_or("this table", |keys| keys.owner);
            let shown = shown(name);
            let diagnostic =
                Diagnostic::at(entry.key, format!("{owner} has no key `{shown}`"), "unknown key");
            let known = keys.iter().flat_map(|keys| keys.names()).chain(more.iter().copied());
            let known: Vec<&str> = known.collect();
            let near = nearest(name, known.iter().copied()).or_else(|| same_stem(name, &known));
            let elsewhere = if near.is_none() { self.elsewhere(name) } else { None };
            self.report(match elsewhere {
                Some(help) => diagnostic.help(help),
                None => suggest(diagnostic, near.unwrap_or(name), near),
            });
        }
    }

    /// Where a key belongs that a table does not have: into a table of this family's, or into another family's
    /// scenarios.
    fn elsewhere(&self, name: &str) -> Option<String> {
        let own = self.family.entities().iter();
        let begins = |field: &&str| field.len() >= FIELD_LETTERS && name.starts_with(*field);
        let fields = own.clone().flat_map(|one| one.fields.iter().map(|field| field.name));
        if let Some(field) =
            fields.clone().find(|field| *field == name).or_else(|| fields.clone().find(begins))
        {
            let has = |one: &&EntityKind| one.fields.iter().any(|other| other.name == field);
            let tables: Vec<_> = own.filter(has).map(|one| format!("`[{}.NAME]`", one.table)).collect();
            return Some(format!("write it as `{field}` of {}", listed(&tables)));
        }
        let knows = |family: &&&dyn Family| {
            let fields = [family.producer_fields(), family.consumer_fields(), family.cluster_fields()];
            family.entities().iter().any(|one| one.table == name)
                || fields.iter().flat_map(|fields| fields.iter()).any(|field| field.name == name)
                || family.roles().iter().any(|role| role.plural == name)
        };
        let other = FAMILIES.iter().filter(|family| family.name() != self.family.name()).find(knows)?;
        Some(format!("{} has it: this scenario's family is {}", other.name(), self.family.name()))
    }

    /// The table under this key, if it is there.
    pub(super) fn table<'t>(&mut self, table: &'t Table, key: &str) -> Option<&'t Table> {
        let entry = table.get(key)?;
        if let Node::Table(inner) = &entry.node {
            return Some(inner);
        }
        self.wrong(entry, key, "expected a table");
        None
    }

    /// The tables under this key by their names: `[producer.NAME]`.
    pub(super) fn named<'t>(&mut self, table: &'t Table, key: &str) -> Vec<(&'t str, &'t Entry, &'t Table)> {
        let Some(all) = self.table(table, key) else { return Vec::new() };
        // Languages are known names, and hold nothing but texts.
        let is_bare =
            |entry: &Entry| key != "text" && !matches!(entry.node, Node::Table(_) | Node::Bool(false));
        let mut bare = all.in_order().into_iter().filter(|(_, entry)| is_bare(entry));
        if let Some((name, entry)) = bare.next() {
            let message = format!("`[{key}]` needs a name of its own");
            let label = format!("`{}` would be the name", shown(name));
            let help = format!("write `[{key}.NAME]`");
            self.report_relation(Diagnostic::at(entry.key, message, label).help(help));
        }
        let has_bare = all.entries.values().any(is_bare);
        let mut found = Vec::new();
        for (name, entry) in &all.entries {
            let is_part =
                |name| PARTS.contains(&name) || self.family.entities().iter().any(|one| one.settings == name);
            if has_bare && (is_bare(entry) || is_part(name.as_str())) {
                continue;
            }
            match &entry.node {
                Node::Table(inner) => found.push((name.as_str(), entry, inner)),
                Node::Bool(false) => {
                    let message = format!("there is no {key} `{}` to remove", shown(name));
                    let help = "`false` removes a table in a variant or in a `--set` line";
                    self.report(Diagnostic::at(entry.at, message, "removes nothing").help(help));
                }
                _ => self.wrong(entry, name, "expected a table"),
            }
        }
        found
    }

    /// The string under this key.
    pub(super) fn text<'t>(&mut self, table: &'t Table, key: &str) -> Option<&'t str> {
        let entry = table.get(key)?;
        if let Node::Text(text) = &entry.node {
            return Some(text);
        }
        self.wrong(entry, key, "expected a string");
        None
    }

    /// The strings of the list under this key; a single string is a list of one.
    pub(super) fn texts(&mut self, table: &Table, key: &str) -> Vec<(Spot, String)> {
        let Some(entry) = table.get(key) else { return Vec::new() };
        match &entry.node {
            Node::Text(text) => vec![(entry.at, text.clone())],
            Node::List(list) => {
                let mut texts = Vec::new();
                for (spot, item) in list {
                    if let Node::Text(text) = item {
                        texts.push((*spot, text.clone()));
                    } else {
                        let label = format!("expected a string, found {}", item.what());
                        self.report(Diagnostic::at(*spot, format!("wrong element of `{key}`"), label));
                    }
                }
                texts
            }
            _ => {
                self.wrong(entry, key, "expected a string or a list of strings");
                Vec::new()
            }
        }
    }

    /// The truth value under this key.
    pub(super) fn flag(&mut self, table: &Table, key: &str) -> Option<bool> {
        let entry = table.get(key)?;
        if let Node::Bool(value) = entry.node {
            return Some(value);
        }
        self.wrong(entry, key, "expected `true` or `false`");
        None
    }

    /// The whole number under this key, within its limits.
    pub(super) fn int(&mut self, table: &Table, key: &str, min: i64, max: i64) -> Option<i64> {
        let entry = table.get(key)?;
        match entry.node {
            Node::Int(number) if (min..=max).contains(&number) => Some(number),
            Node::Int(number) => {
                let message = format!("`{key} = {number}` is out of range");
                self.report(Diagnostic::at(entry.at, message, limits(number, min, max)));
                None
            }
            _ => {
                self.wrong(entry, key, "expected a whole number");
                None
            }
        }
    }

    /// What a parser makes of the value under this key; its error becomes the label.
    pub(super) fn parsed<T>(
        &mut self,
        table: &Table,
        key: &str,
        parse: impl Fn(&Node) -> Result<T, String>,
    ) -> Option<T> {
        let entry = table.get(key)?;
        match parse(&entry.node) {
            Ok(value) => Some(value),
            Err(why) => {
                self.report(Diagnostic::at(entry.at, format!("wrong value for `{key}`"), why));
                None
            }
        }
    }

    /// The time under this key.
    pub(super) fn duration(&mut self, table: &Table, key: &str) -> Option<Span> {
        self.parsed(table, key, |node| value::duration(text_of(node)))
    }

    /// The distribution of times under this key.
    pub(super) fn dist(&mut self, table: &Table, key: &str) -> Option<Dist> {
        self.parsed(table, key, |node| value::dist(text_of(node)))
    }

    /// One of these words.
    pub(super) fn word<T: Copy>(&mut self, table: &Table, key: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(table, key)?;
        if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
            return Some(*value);
        }
        let all: Vec<String> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
        let entry = table.get(key)?;
        let message = format!("wrong value for `{key}`");
        let diagnostic = Diagnostic::at(entry.at, message, format!("expected {}", listed(&all)));
        self.report(suggest(diagnostic, text, words.iter().map(|(word, _)| *word)));
        None
    }

    /// Reports a value of the wrong type.
    pub(super) fn wrong(&mut self, entry: &Entry, key: &str, expected: &str) {
        let message = format!("wrong type for `{}`", shown(key));
        let label = format!("{expected}, found {}", entry.node.what());
        self.report(Diagnostic::at(entry.at, message, label));
    }

    /// Reports a key that has to be there.
    pub(super) fn missing(&mut self, owner: &Entry, name: &str, key: &str) {
        let message = format!("`{}` has no `{key}`", shown(name));
        self.report_relation(Diagnostic::at(owner.key, message, format!("`{key}` is missing")));
    }
}

/// The only known name that begins as this one does: `retries` for `retry`.
fn same_stem<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let stem = name.get(..4.max(name.len().saturating_sub(2)))?;
    let mut all = known.iter().copied().filter(|known| known.starts_with(stem));
    all.next().filter(|_| all.next().is_none())
}

/// Names the nearest of the known names.
pub(super) fn suggest<'a>(
    diagnostic: Diagnostic,
    name: &str,
    known: impl IntoIterator<Item = &'a str>,
) -> Diagnostic {
    match nearest(name, known) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}

/// `a, b or c`.
pub(super) fn listed(all: &[String]) -> String {
    match all {
        [] => "nothing".to_owned(),
        [one] => one.clone(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}

/// A name of the author's for a message: short, and all of it shows.
pub(super) fn shown(name: &str) -> String {
    let mut text = tree::visible(&name.chars().take(60).collect::<String>());
    if name.chars().count() > 60 {
        text.push('…');
    }
    text
}

fn limits(number: i64, min: i64, max: i64) -> String {
    if number < min { format!("at least {min}") } else { format!("the limit is {max}") }
}

/// The text of a node; anything else is a text that no parser takes.
fn text_of(node: &Node) -> &str {
    match node {
        Node::Text(text) => text,
        _ => "",
    }
}
