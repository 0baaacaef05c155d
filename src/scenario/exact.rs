//! `message = [{ name = "long", key = "a" }, { repeat = 50 }]`: messages that are written one by one.

use crate::broker::Scope;
use crate::scenario::plan::{Exact, MESSAGES_MAX, Plan, ProducerPlan};

use super::diagnostic::{Diagnostic, Spot};
use super::keys::MESSAGE;
use super::reader::{Reader, shown};
use super::tree::{Node, Table};
use super::{clients, settings, workload};

/// Runs of messages of one producer at most.
const RUNS_MAX: usize = 10_000;
/// Letters of a message's name or key at most.
const LETTERS_MAX: usize = 200;

/// The messages of a producer's table, and how many they are.
pub(super) fn messages(reader: &mut Reader, table: &Table) -> Option<(Vec<Exact>, u32)> {
    let entry = table.get("message")?;
    if let Some(other) = table.get("messages") {
        let message = "`message` and `messages` exclude each other";
        let help = "how many there are is the sum of their `repeat`";
        reader.report(Diagnostic::at(entry.key, message, "here").and(other.key, "and here").help(help));
    }
    let list = workload::tables(reader, table, "message")?;
    if matches!(&entry.node, Node::List(all) if all.is_empty() || all.len() > RUNS_MAX) {
        let label = format!("expected 1 to {RUNS_MAX} tables");
        reader.report(Diagnostic::at(entry.at, "wrong number of messages", label));
        return None;
    }
    let mut all: Vec<Exact> = Vec::new();
    for (spot, table) in list {
        let one = message(reader, spot, table);
        if let (Some(name), Some(at)) = (&one.name, table.get("name"))
            && all.iter().any(|other| other.name == one.name)
        {
            let message = format!("two messages are called `{}`", shown(name));
            reader.report(Diagnostic::at(at.at, message, "the second one"));
        }
        all.push(one);
    }
    let count: u64 = all.iter().map(|one| u64::from(one.repeat)).sum();
    if count > u64::from(MESSAGES_MAX) {
        let label = format!("the limit is {MESSAGES_MAX}");
        reader.report(Diagnostic::at(entry.at, "too many messages", label));
        return None;
    }
    Some((all, count as u32))
}

fn message(reader: &mut Reader, spot: Spot, table: &Table) -> Exact {
    reader.check_keys(table, &[&MESSAGE], &[]);
    let repeat = reader.int(table, "repeat", 1, i64::from(MESSAGES_MAX)).unwrap_or(1) as u32;
    let mut text = |key| {
        let text = reader.text(table, key)?.to_owned();
        if text.is_empty() || text.chars().count() > LETTERS_MAX || text.contains(char::is_control) {
            let at = table.get(key).map_or(spot, |entry| entry.at);
            let label = format!("expected 1 to {LETTERS_MAX} visible letters");
            reader.report(Diagnostic::at(at, format!("wrong value for `{key}`"), label));
        }
        Some(text)
    };
    let (name, key) = (text("name"), text("key"));
    let at = table.get("name").map_or(spot, |entry| entry.at);
    if let Some(name) = &name {
        let plain = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
        if !name.chars().all(plain) || name.chars().all(|c| c.is_ascii_digit()) {
            let message = format!("`{}` is no name for a message", shown(name));
            let label = "expected letters, digits, `-` or `_`, and not digits alone";
            reader.report(Diagnostic::at(at, message, label));
        }
        if repeat > 1 {
            let message = format!("`{}` names {repeat} messages", shown(name));
            let help = "give one of them a table of its own";
            reader.report(Diagnostic::at(at, message, "a name belongs to one").help(help));
        }
    }
    let size_bytes = reader.parsed(table, "size", clients::size);
    let properties = settings::under(reader, table, "properties", Scope::Message);
    Exact { name, key, size_bytes, properties, repeat }
}

/// Why a text names no message.
pub(super) enum Nameless {
    /// There is no producer of that name.
    NoProducer(String),
    /// A number or a name alone, and not one producer.
    WhichProducer,
    /// The producer has no such message, for this reason.
    NoMessage(String),
}

/// The producer and the number of `checkout#17`, of `checkout#long`, or of `17` and `long` when there is one producer.
pub(super) fn find<'p>(plan: &'p Plan, text: &str) -> Result<(&'p ProducerPlan, u32), Nameless> {
    let (owner, which) = match text.rsplit_once('#') {
        Some((owner, which)) => (Some(owner), which),
        None => (None, text),
    };
    let producer = match (owner, &plan.producers[..]) {
        (Some(owner), producers) => producers
            .iter()
            .find(|one| one.name == owner)
            .ok_or_else(|| Nameless::NoProducer(owner.to_owned()))?,
        (None, [only]) => only,
        (None, _) => return Err(Nameless::WhichProducer),
    };
    let name = &producer.name;
    let last = producer.messages.unwrap_or(u32::MAX);
    match producer.number_of(which) {
        Some(number) if (1..=last).contains(&number) => Ok((producer, number)),
        Some(_) => Err(Nameless::NoMessage(format!("`{name}` sends the messages 1 to {last}"))),
        None if which.bytes().all(|byte| byte.is_ascii_digit()) => {
            Err(Nameless::NoMessage(format!("`{name}` sends the messages 1 to {last}")))
        }
        None => Err(Nameless::NoMessage(format!("`{name}` has no message of that name"))),
    }
}
