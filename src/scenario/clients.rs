//! `[producer.NAME]` and `[consumer.NAME]`: the applications at both ends.

use crate::broker::Scope;
use crate::scenario::plan::{
    ConsumerPlan, MESSAGES_MAX, OwnWrite, Plan, ProducerPlan, Reaction, Starting, Starts,
};
use crate::sim::{Dist, Span};

use super::compile::limited;
use super::diagnostic::Diagnostic;
use super::keys::{CONSUMER, PRODUCER};
use super::reader::{Reader, shown, suggest};
use super::tree::{Entry, Node, Table};
use super::{copies, exact, names, reach, rpc, settings, steps, value, working, workload};

/// Instances of one client at most.
const INSTANCES_MAX: i64 = 1_000;
/// Instances of all clients at most.
const CLIENTS_MAX: u64 = 10_000;
/// Bytes of a message at most.
const SIZE_MAX: u64 = 100 << 20;

/// A named table, with its name.
type Named<'t> = (&'t str, &'t Entry, &'t Table);

pub(super) fn producers(reader: &mut Reader, file: &Table, plan: &Plan) -> Vec<ProducerPlan> {
    let tables = limited(reader, file, "producer");
    tables.into_iter().map(|one| producer(reader, file, one, plan)).collect()
}

fn producer(reader: &mut Reader, file: &Table, one: Named<'_>, plan: &Plan) -> ProducerPlan {
    const REACTIONS: &[(&str, Reaction)] =
        &[("give up", Reaction::GiveUp), ("send again", Reaction::SendAgain)];
    const OWN_WRITES: &[(&str, OwnWrite)] = &[
        ("before sending", OwnWrite::BeforeSending),
        ("after confirm", OwnWrite::AfterConfirm),
        ("outbox", OwnWrite::Outbox),
    ];
    let (name, entry, table) = one;
    let is_told = steps::sends(file, name);
    names::check(reader, "producer", name, entry.key);
    let declared = reader.family.producer_fields();
    let names: Vec<&'static str> = declared.iter().map(|field| field.name).collect();
    reader.check_keys(table, &[&PRODUCER], &names);
    let client = client(reader, table);
    let messages = reader.int(table, "messages", 0, i64::from(MESSAGES_MAX)).map(|count| count as u32);
    let exact = exact::messages(reader, table);
    let (exact, messages) = exact.map_or((Vec::new(), messages), |(exact, count)| (exact, Some(count)));
    let send_to = address(reader, name, entry, table, "send_to", plan);
    let keys = reader.parsed(table, "keys", value::keys);
    let producer = ProducerPlan {
        spread: reach::spread(reader, table, &send_to, keys.is_some()),
        connect_to: reach::connect_to(reader, table, plan),
        instances: reader.int(table, "instances", 1, INSTANCES_MAX).unwrap_or(1) as u16,
        phases: workload::phases(reader, table, is_told),
        starts: starts(reader, table, plan),
        stops: stops(reader, table, plan),
        messages,
        exact,
        keys,
        size_bytes: reader.parsed(table, "size", size).unwrap_or(100),
        if_failed: reader.word(table, "if_failed", REACTIONS).unwrap_or(Reaction::GiveUp),
        if_unknown: reader.word(table, "if_unknown", REACTIONS),
        attempts_max: reader.int(table, "attempts", 1, i64::from(u16::MAX)).unwrap_or(10) as u16,
        attempt_every: reader.duration(table, "every").unwrap_or(Span::from_millis(100)),
        config: settings::config(reader, table, Scope::Producer(client.or(own_client(reader)))),
        client: client.map(str::to_owned),
        own_write: reader.word(table, "own_write", OWN_WRITES),
        fields: settings::fields(reader, table, declared),
        rpc: rpc::rpc(reader, table, plan),
        ..ProducerPlan::new(name, &send_to)
    };
    if workload::messages(&producer, plan.run_for) > u64::from(MESSAGES_MAX) {
        let message = format!("producer `{}` sends too many messages", shown(name));
        let label = format!("until `run_for`; the limit is {MESSAGES_MAX}");
        reader.report_relation(Diagnostic::at(entry.key, message, label));
    }
    producer
}

pub(super) fn consumers(reader: &mut Reader, file: &Table, plan: &Plan) -> Vec<ConsumerPlan> {
    let tables = limited(reader, file, "consumer");
    let sent_on = working::sent_on(file);
    let router = reader.family.router(plan);
    let ways = working::Ways { router: &*router, sent_on: &sent_on };
    tables.into_iter().map(|one| consumer(reader, one, plan, &ways)).collect()
}

fn consumer(reader: &mut Reader, one: Named<'_>, plan: &Plan, ways: &working::Ways<'_>) -> ConsumerPlan {
    let (name, entry, table) = one;
    names::check(reader, "consumer", name, entry.key);
    let declared = reader.family.consumer_fields();
    let names: Vec<&'static str> = declared.iter().map(|field| field.name).collect();
    reader.check_keys(table, &[&CONSUMER], &names);
    let client = client(reader, table);
    let read_from = address(reader, name, entry, table, "read_from", plan);
    let calls = reader.text(table, "calls").map(str::to_owned);
    if let (Some(service), Some(entry)) = (&calls, table.get("calls")) {
        workload::check_service(reader, entry, service, plan);
    }
    let instances = reader.int(table, "instances", 1, INSTANCES_MAX).unwrap_or(1) as u16;
    let mut consumer = ConsumerPlan {
        instances,
        starts: starting(reader, table, plan, instances),
        stops: stops(reader, table, plan),
        is_by_hand: reader.flag(table, "by_hand").unwrap_or(false),
        connect_to: reach::connect_to(reader, table, plan),
        process: reader.dist(table, "process").unwrap_or(Dist::Constant(Span::from_millis(1))),
        calls,
        fields: settings::fields(reader, table, declared),
        config: settings::config(reader, table, Scope::Consumer(client.or(own_client(reader)))),
        client: client.map(str::to_owned),
        ..ConsumerPlan::new(name, &read_from)
    };
    working::read(reader, table, plan, &mut consumer, ways);
    consumer
}

/// The size of a message.
pub(super) fn size(node: &Node) -> Result<u32, String> {
    let bytes = value::bytes(node)?;
    if bytes <= SIZE_MAX { Ok(bytes as u32) } else { Err(format!("the limit is {SIZE_MAX} bytes")) }
}

/// `starts = ["0s", "10s"]`: one for each instance, `0s` for those that are there from the beginning; or one for all.
fn starting(reader: &mut Reader, table: &Table, plan: &Plan, instances: u16) -> Starting {
    let Some(Entry { node: Node::List(list), .. }) = table.get("starts") else {
        return Starting::all(starts(reader, table, plan));
    };
    let each = reader.parsed(table, "starts", |_| {
        if list.len() != usize::from(instances) {
            return Err(format!("expected {instances}, one for each instance, found {}", list.len()));
        }
        list.iter().map(|(_, node)| start(node)).collect::<Result<Vec<_>, _>>()
    });
    let each: Vec<Starts> = each.unwrap_or_default();
    let latest = each.iter().filter_map(|one| if let Starts::At(at) = one { Some(*at) } else { None }).max();
    within(reader, table, "starts", latest.unwrap_or(Span::ZERO), plan);
    let is_there = |one| if one == Starts::At(Span::ZERO) { Starts::AtOnce } else { one };
    Starting::each(each.into_iter().map(is_there).collect())
}

/// `"10s"` or `"by step"`.
fn start(node: &Node) -> Result<Starts, String> {
    match node {
        Node::Text(text) if text == "by step" => Ok(Starts::ByStep),
        Node::Text(text) => {
            value::duration(text).map(Starts::At).map_err(|why| format!("{why}, or `by step`"))
        }
        _ => Err("expected a time such as `10s`, or `by step`".to_owned()),
    }
}

/// `starts = "10s"` or `"by step"`.
fn starts(reader: &mut Reader, table: &Table, plan: &Plan) -> Starts {
    let starts = reader.parsed(table, "starts", start);
    if let Some(Starts::At(at)) = starts {
        within(reader, table, "starts", at, plan);
    }
    starts.unwrap_or(Starts::AtOnce)
}

fn stops(reader: &mut Reader, table: &Table, plan: &Plan) -> Option<Span> {
    let at = reader.duration(table, "stops")?;
    within(reader, table, "stops", at, plan);
    Some(at)
}

fn within(reader: &mut Reader, table: &Table, key: &str, at: Span, plan: &Plan) {
    let end = plan.run_for + plan.drain_for;
    if let (true, Some(entry)) = (at > end, table.get(key)) {
        let message = format!("`{key}` is after the end of the run");
        reader.report_relation(Diagnostic::at(entry.at, message, format!("the run ends at {end}")));
    }
}

/// The client library that is named.
fn client(reader: &mut Reader, table: &Table) -> Option<&'static str> {
    let words: Vec<_> = reader.family.clients().iter().map(|client| (*client, *client)).collect();
    reader.word(table, "client", &words)
}

/// The vendor's own client library.
fn own_client(reader: &Reader) -> Option<&'static str> {
    reader.family.clients().first().copied()
}

fn address(reader: &mut Reader, name: &str, owner: &Entry, table: &Table, key: &str, plan: &Plan) -> String {
    let Some(address) = reader.text(table, key).map(str::to_owned) else {
        if table.get(key).is_none() {
            reader.missing(owner, name, key);
        }
        return String::new();
    };
    if let (Some(service), Some(entry), "send_to") = (address.strip_prefix("service "), table.get(key), key) {
        workload::check_service(reader, entry, service, plan);
        workload::check_direct(reader, table);
        return address;
    }
    if let (Err(why), Some(entry)) = (reader.family.check_address(plan, &address), table.get(key)) {
        let message = format!("`{}` leads nowhere", shown(&address));
        let known = plan.entities.iter().map(|entity| entity.name.as_str()).filter(|name| *name != address);
        let diagnostic = suggest(Diagnostic::at(entry.at, message, why), &address, known);
        reader.report_relation(copies::meant(plan, &address, diagnostic));
    }
    address
}

/// What producers and consumers must agree on: different names, and limits on all of them together.
pub(super) fn check(reader: &mut Reader, file: &Table, plan: &Plan) {
    for service in &plan.services {
        let is_taken = plan.producers.iter().any(|one| one.name == service.name)
            || plan.consumers.iter().any(|one| one.name == service.name);
        let entry = file.table("service").and_then(|table| table.get(&service.name));
        if let (true, Some(entry)) = (is_taken, entry) {
            let message = format!("`{}` names a client and a service", shown(&service.name));
            reader.report(Diagnostic::at(entry.key, message, "a service"));
        }
    }
    for producer in &plan.producers {
        if plan.consumers.iter().any(|consumer| consumer.name == producer.name) {
            let key =
                |kind| file.table(kind).and_then(|table| table.get(&producer.name)).map(|entry| entry.key);
            if let (Some(one), Some(other)) = (key("producer"), key("consumer")) {
                let message = format!("`{}` names a producer and a consumer", shown(&producer.name));
                reader.report(Diagnostic::at(other, message, "a consumer").and(one, "a producer"));
            }
        }
    }
    let limit = |reader: &mut Reader, kind: &str, message: &str, limit: u64| {
        if let Some(entry) = file.get(kind) {
            reader.report_relation(Diagnostic::at(entry.key, message, format!("the limit is {limit}")));
        }
    };
    let instances = plan.producers.iter().map(|one| one.instances);
    let instances = instances.chain(plan.consumers.iter().map(|one| one.instances));
    if instances.map(u64::from).sum::<u64>() > CLIENTS_MAX {
        let kind = if plan.producers.is_empty() { "consumer" } else { "producer" };
        limit(reader, kind, "too many instances of clients in total", CLIENTS_MAX);
    }
    let messages = plan.producers.iter().map(|one| workload::messages(one, plan.run_for));
    if messages.sum::<u64>() > u64::from(MESSAGES_MAX) {
        limit(reader, "producer", "too many messages in total", u64::from(MESSAGES_MAX));
    }
}
