//! TOML as a tree in which every key and value knows where it was written, in the file or in a `--set` line.
//!
//! Reading recovers from syntax errors, so that all of them are reported at once. The parser bounds nesting itself
//! (80 levels); anything deeper is a located error.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Source, Spot};

/// Files above this size are refused.
pub const BYTES_MAX: usize = 1 << 20;

/// A table: its entries by key.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// By key; in the order of the file they are [`Table::in_order`].
    pub entries: BTreeMap<String, Entry>,
}

/// A key with its value.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Where the key was written.
    pub key: Spot,
    /// Where the value was written.
    pub at: Spot,
    /// The value.
    pub node: Node,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `true`, `false`.
    Bool(bool),
    /// A whole number that fits 64 bits.
    Int(i64),
    /// A number with a fraction.
    Float(f64),
    /// A string.
    Text(String),
    /// A list; each element with its place.
    List(Vec<(Spot, Node)>),
    /// A table.
    Table(Table),
    /// Something the language has no use for: a date, a number beyond 64 bits.
    Other(&'static str),
}

impl Node {
    /// What it is, for people: `a string`.
    pub fn what(&self) -> &'static str {
        match self {
            Self::Bool(_) => "a truth value",
            Self::Int(_) => "a whole number",
            Self::Float(_) => "a number with a fraction",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(what) => what,
        }
    }
}

impl Table {
    /// The entry of that key.
    pub fn get(&self, key: &str) -> Option<&Entry> {
        self.entries.get(key)
    }

    /// The table under that key, if there is one and it is a table.
    pub fn table(&self, key: &str) -> Option<&Self> {
        match &self.get(key)?.node {
            Node::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The table under that key, for changing it.
    pub fn table_mut(&mut self, key: &str) -> Option<&mut Self> {
        match &mut self.entries.get_mut(key)?.node {
            Node::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The entries as they stand in the file.
    pub fn in_order(&self) -> Vec<(&str, &Entry)> {
        let mut entries: Vec<_> = self.entries.iter().map(|(name, entry)| (name.as_str(), entry)).collect();
        entries.sort_by_key(|(_, entry)| entry.key);
        entries
    }

    /// The place of the value at this path, or of its nearest ancestor that was written.
    pub fn locate(&self, path: &[String]) -> Option<Spot> {
        let (first, rest) = path.split_first()?;
        let entry = self.get(first)?;
        let deeper = match &entry.node {
            Node::Table(table) => table.locate(rest),
            Node::List(list) => located(list, rest),
            _ => None,
        };
        deeper.or(Some(if matches!(entry.node, Node::Table(_)) { entry.key } else { entry.at }))
    }
}

/// The place of an element of a list, by its number from 0, or of what lies deeper in it.
fn located(list: &[(Spot, Node)], path: &[String]) -> Option<Spot> {
    let (first, rest) = path.split_first()?;
    let (spot, node) = list.get(first.parse::<usize>().ok()?)?;
    let deeper = match node {
        Node::Table(table) => table.locate(rest),
        _ => None,
    };
    deeper.or(Some(*spot))
}

/// Reads a source. Syntax errors are reported, and what could be read is returned.
pub fn read(source: &Source, index: usize) -> (Table, Vec<Diagnostic>) {
    if source.text.len() > BYTES_MAX {
        let spot = Spot::new(index, 0..0);
        let message = format!("the file is larger than the limit of {BYTES_MAX} bytes");
        return (Table::default(), vec![Diagnostic::at(spot, message, "")]);
    }
    let (table, errors) = DeTable::parse_recoverable(&source.text);
    let mut diagnostics: Vec<_> = errors
        .iter()
        .map(|error| {
            let end = source.text.len();
            let spot = Spot::new(index, error.span().unwrap_or(end..end));
            Diagnostic::at(spot, format!("not TOML: {}", visible(error.message())), "")
        })
        .collect();
    // What follows from the first mistake in a line says nothing new.
    let line = |one: &Diagnostic| {
        let at = one.labels.first().map_or(0, |(spot, _)| spot.start);
        source.text.get(..at).unwrap_or(&source.text).matches('\n').count()
    };
    diagnostics.sort_by_key(|one| one.labels.first().map(|(spot, _)| *spot));
    diagnostics.dedup_by_key(|one| line(one));
    let table = convert_table(table.get_ref(), index);
    hidden_in_table(&table, &mut diagnostics);
    (table, diagnostics)
}

/// Whether a terminal would obey the character, or show what follows it in another order.
pub(super) fn is_hidden(c: char) -> bool {
    let is_turning =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
    c.is_control() || is_turning
}

/// With characters that do not show written out: the parser quotes its input.
pub(super) fn visible(text: &str) -> String {
    text.chars()
        .flat_map(|c| if is_hidden(c) { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect()
}

/// Reports names and texts that would do something to a terminal instead of standing there. Texts may have lines.
fn hidden_in_table(table: &Table, diagnostics: &mut Vec<Diagnostic>) {
    for (name, entry) in &table.entries {
        if let Some(c) = name.chars().find(|&c| is_hidden(c)) {
            diagnostics.push(hidden(entry.key, c));
        }
        hidden_in(entry.at, &entry.node, diagnostics);
    }
}

fn hidden_in(at: Spot, node: &Node, diagnostics: &mut Vec<Diagnostic>) {
    match node {
        Node::Text(text) => {
            let c = text.chars().find(|&c| is_hidden(c) && !matches!(c, '\n' | '\r' | '\t'));
            diagnostics.extend(c.map(|c| hidden(at, c)));
        }
        Node::List(all) => all.iter().for_each(|(at, node)| hidden_in(*at, node, diagnostics)),
        Node::Table(table) => hidden_in_table(table, diagnostics),
        Node::Bool(_) | Node::Int(_) | Node::Float(_) | Node::Other(_) => {}
    }
}

fn hidden(at: Spot, c: char) -> Diagnostic {
    let message = format!("the character U+{:04X} does not show", u32::from(c));
    Diagnostic::at(at, message, "a terminal would obey it; leave it out")
}

fn convert_table(table: &DeTable<'_>, index: usize) -> Table {
    let entries = table.iter().map(|(key, value)| {
        let (at, node) = convert(value, index);
        (key.get_ref().to_string(), Entry { key: Spot::new(index, key.span()), at, node })
    });
    Table { entries: entries.collect() }
}

fn convert(value: &Spanned<DeValue<'_>>, index: usize) -> (Spot, Node) {
    let node = match value.get_ref() {
        DeValue::String(text) => Node::Text(text.to_string()),
        DeValue::Boolean(value) => Node::Bool(*value),
        DeValue::Integer(value) => i64::from_str_radix(value.as_str(), value.radix())
            .map_or(Node::Other("a number beyond 64 bits"), Node::Int),
        DeValue::Float(value) => match value.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => Node::Float(number),
            _ => Node::Other("not a finite number"),
        },
        DeValue::Datetime(_) => Node::Other("a date"),
        DeValue::Array(list) => Node::List(list.iter().map(|item| convert(item, index)).collect()),
        DeValue::Table(table) => Node::Table(convert_table(table, index)),
    };
    (Spot::new(index, value.span()), node)
}
