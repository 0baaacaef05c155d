//! How a consuming application works: its protection against repetition, its pool, and what fails.

use crate::broker::Router;
use crate::scenario::plan::{
    ConsumerPlan, IdOf, Idempotency, IfFails, Plan, Poison, PoolOrder, ProducerPlan, Then,
};
use crate::sim::Span;

use super::diagnostic::{Diagnostic, Spot};
use super::exact::{self, Nameless};
use super::keys::IF_FAILS;
use super::reader::{Reader, shown, suggest};
use super::tree::{Node, Table};
use super::{copies, value};

/// Threads of one instance at most.
const WORKERS_MAX: i64 = 1_000;
/// Retries at most.
const RETRIES_MAX: i64 = 1_000_000;

/// What goes where.
pub(super) struct Ways<'a> {
    pub(super) router: &'a dyn Router,
    /// Where consumers of the file send what they cannot process.
    pub(super) sent_on: &'a [String],
}

/// Fills in what the table of a consumer says about how it works.
pub(super) fn read(
    reader: &mut Reader,
    table: &Table,
    plan: &Plan,
    consumer: &mut ConsumerPlan,
    ways: &Ways<'_>,
) {
    consumer.idempotency = idempotency(reader, table);
    needs_keys(reader, table, plan, consumer, ways);
    consumer.id = id(reader, table, consumer.idempotency);
    consumer.workers = reader.int(table, "workers", 1, WORKERS_MAX).map(|count| count as u16);
    consumer.order = order(reader, table);
    consumer.poison = poison(reader, table, plan, consumer, ways);
    let share = reader.parsed(table, "fails", value::share_or_none);
    consumer.fails_ppm = share.unwrap_or(0);
    if let Some(if_fails) = if_fails(reader, table, plan) {
        consumer.if_fails = if_fails;
    }
}

fn idempotency(reader: &mut Reader, table: &Table) -> Idempotency {
    const WORDS: &[(&str, Idempotency)] = &[
        ("none", Idempotency::None),
        ("unique_key", Idempotency::UniqueKey),
        ("processed_table", Idempotency::ProcessedTable),
        ("side_store_before", Idempotency::SideStoreBefore),
        ("side_store_after", Idempotency::SideStoreAfter),
        ("version", Idempotency::Version),
        ("status_machine", Idempotency::StatusMachine),
        ("set_by_key", Idempotency::SetByKey),
        ("select_then_insert", Idempotency::SelectThenInsert),
    ];
    reader.word(table, "idempotency", WORDS).unwrap_or(Idempotency::None)
}

/// Rows by key need messages with keys: without one each message has a row of its own, or no version.
fn needs_keys(reader: &mut Reader, table: &Table, plan: &Plan, consumer: &ConsumerPlan, ways: &Ways<'_>) {
    let by_key = matches!(
        consumer.idempotency,
        Idempotency::SetByKey | Idempotency::Version | Idempotency::StatusMachine
    );
    let (true, Some(entry)) = (by_key, table.get("idempotency")) else { return };
    let mut senders = plan.producers.iter().filter(|one| ways.router.routes(one, consumer)).peekable();
    let Some(first) = senders.peek().map(|one| shown(&one.name)) else { return };
    if senders.all(|one| one.keys.is_none() && one.exact.iter().all(|message| message.key.is_none())) {
        let message = "this `idempotency` goes by the messages' keys";
        let label = "no message that comes here has one: each would be a row of its own";
        let help = format!("add `keys = 100` to `[producer.{first}]`, or use `unique_key`, which needs none");
        reader.report_relation(Diagnostic::at(entry.at, message, label).help(help));
    }
}

fn id(reader: &mut Reader, table: &Table, idempotency: Idempotency) -> IdOf {
    let id = reader.word(table, "id", &[("business", IdOf::Business), ("position", IdOf::Position)]);
    let needs_id = match idempotency {
        Idempotency::UniqueKey
        | Idempotency::ProcessedTable
        | Idempotency::SideStoreBefore
        | Idempotency::SideStoreAfter
        | Idempotency::SelectThenInsert => true,
        Idempotency::None | Idempotency::Version | Idempotency::StatusMachine | Idempotency::SetByKey => {
            false
        }
    };
    if let (Some(IdOf::Position), false, Some(entry)) = (id, needs_id, table.get("id")) {
        let message = "`id = \"position\"` changes nothing here";
        let label = "this `idempotency` recognises no ids";
        let help = "`unique_key`, `processed_table`, `side_store_before`, `side_store_after` and \
                    `select_then_insert` do";
        reader.report_relation(Diagnostic::at(entry.at, message, label).help(help));
    }
    id.unwrap_or(IdOf::Business)
}

fn order(reader: &mut Reader, table: &Table) -> PoolOrder {
    let order = reader.word(table, "order", &[("none", PoolOrder::None), ("by key", PoolOrder::ByKey)]);
    if let (Some(_), None, Some(entry)) = (order, table.get("workers"), table.get("order")) {
        let message = "`order` without `workers`";
        let label = "one thread keeps the order in which it polls";
        let help = "say how many threads the pool has, such as `workers = 4`";
        reader.report_relation(Diagnostic::at(entry.key, message, label).help(help));
    }
    order.unwrap_or(PoolOrder::None)
}

/// `[17]` or `["checkout#17"]`.
fn poison(
    reader: &mut Reader,
    table: &Table,
    plan: &Plan,
    consumer: &ConsumerPlan,
    ways: &Ways<'_>,
) -> Vec<Poison> {
    let Some(entry) = table.get("poison") else { return Vec::new() };
    let Node::List(list) = &entry.node else {
        reader.wrong(entry, "poison", "expected a list such as `[17]` or `[\"checkout#17\"]`");
        return Vec::new();
    };
    let mut one = |(spot, node): &(Spot, Node)| poisonous(reader, *spot, node, plan, consumer, ways);
    list.iter().filter_map(&mut one).collect()
}

fn poisonous(
    reader: &mut Reader,
    spot: Spot,
    node: &Node,
    plan: &Plan,
    consumer: &ConsumerPlan,
    ways: &Ways<'_>,
) -> Option<Poison> {
    let text = match node {
        Node::Int(number) => number.to_string(),
        Node::Text(text) => text.clone(),
        _ => String::new(),
    };
    let is_none = text.is_empty() || text.starts_with('-') || text == "0" || text.ends_with("#0");
    let found = if is_none { None } else { Some(exact::find(plan, &text)) };
    let (producer, number) = match found {
        Some(Ok(found)) => found,
        None => {
            let expected = "expected a message such as `17` or `\"checkout#17\"`";
            reader.report(Diagnostic::at(spot, "wrong element of `poison`", expected));
            return None;
        }
        Some(Err(Nameless::NoProducer(name))) => {
            let message = format!("there is no producer `{}`", shown(&name));
            let known = plan.producers.iter().map(|it| it.name.as_str());
            reader.report_relation(suggest(Diagnostic::at(spot, message, "whose message?"), &name, known));
            return None;
        }
        Some(Err(Nameless::WhichProducer)) => {
            let help = "name the producer, such as `\"checkout#17\"`";
            let message = "a number alone names no message";
            reader.report_relation(Diagnostic::at(spot, message, "there is not one producer").help(help));
            return None;
        }
        Some(Err(Nameless::NoMessage(why))) => {
            let owner = plan.producers.first().filter(|_| !text.contains('#'));
            let owner = owner.map_or_else(String::new, |producer| format!("{}#", shown(&producer.name)));
            let message = format!("`{owner}{}` never comes to this consumer", shown(&text));
            reader.report_relation(Diagnostic::at(spot, message, why));
            return None;
        }
    };
    let sender = |to: &String| ProducerPlan::new("", to);
    let is_sent_on = ways.sent_on.iter().any(|to| ways.router.routes(&sender(to), consumer));
    if !is_sent_on && !ways.router.routes(producer, consumer) {
        let message = format!("`{}#{number}` never comes to this consumer", shown(&producer.name));
        reader.report_relation(Diagnostic::at(spot, message, "it is sent somewhere else"));
    }
    Some(Poison { producer: producer.name.clone(), number })
}

/// Where the consumers of a file send what they cannot process.
pub(super) fn sent_on(file: &Table) -> Vec<String> {
    let tables = file.table("consumer").into_iter().flat_map(|all| all.entries.values());
    let then = tables.filter_map(|entry| match &entry.node {
        Node::Table(table) => Some(table.table("if_fails")?.get("then")?),
        _ => None,
    });
    let to = then.filter_map(|then| match &then.node {
        Node::Text(text) => text.trim().strip_prefix("send to "),
        _ => None,
    });
    to.map(|to| to.trim().to_owned()).collect()
}

/// `{ retries = 3, every = "100ms", then = "skip" }`.
fn if_fails(reader: &mut Reader, table: &Table, plan: &Plan) -> Option<IfFails> {
    let inner = reader.table(table, "if_fails")?;
    reader.check_keys(inner, &[&IF_FAILS], &[]);
    if let (None, None, Some(entry)) = (table.get("poison"), table.get("fails"), table.get("if_fails")) {
        let message = "`if_fails` where nothing fails";
        let help = "say what fails: `poison = [17]` or `fails = \"2%\"`";
        reader.report_relation(Diagnostic::at(entry.key, message, "it is never needed").help(help));
    }
    let then = reader.parsed(inner, "then", |node| {
        let text = if let Node::Text(text) = node { text.trim() } else { "" };
        match text {
            "skip" => Ok(Then::Skip),
            "stop" => Ok(Then::Stop),
            "requeue" => Ok(Then::Requeue),
            "reject" => Ok(Then::Reject),
            _ => match text.strip_prefix("send to ").map(str::trim) {
                Some(place) if !place.is_empty() => Ok(Then::SendTo(place.to_owned())),
                _ => Err("expected `skip`, `stop`, `requeue`, `reject` or `send to X`".to_owned()),
            },
        }
    });
    if let (Some(Then::SendTo(to)), Some(entry)) = (&then, inner.get("then"))
        && let Err(why) = reader.family.check_address(plan, to)
    {
        let message = format!("`{}` leads nowhere", shown(to));
        let known = plan.entities.iter().map(|entity| entity.name.as_str());
        let diagnostic = suggest(Diagnostic::at(entry.at, message, why), to, known);
        reader.report_relation(copies::meant(plan, to, diagnostic));
    }
    let retries = reader.int(inner, "retries", 0, RETRIES_MAX).unwrap_or(0) as u32;
    let every = reader.duration(inner, "every");
    if let (Some(Span::ZERO), true, Some(entry)) = (every, retries > 0, inner.get("every")) {
        let message = "retries without a pause";
        reader.report(Diagnostic::at(entry.at, message, "at least `1ns`"));
    }
    let every = every.unwrap_or(Span::from_millis(100));
    Some(IfFails { retries, every, then: then.unwrap_or(Then::Skip) })
}
