//! From tables to a [`Plan`], reporting every mistake on the way.

use crate::broker::{EntityKind, Finding, Scope};
use crate::scenario::plan::{
    ClusterPlan, ConsumerPlan, EntityPlan, Idempotency, NetworkPlan, Plan, ProducerPlan, Rate, Reaction,
};
use crate::sim::{Dist, Span};

use super::diagnostic::{Diagnostic, Spot};
use super::keys::{CLUSTER, CONSUMER, DISK, ENTITY, FILE, NETWORK, PRODUCER};
use super::reader::{Extent, Reader, shown, suggest};
use super::tree::{Entry, Node, Table};
use super::{faults, names, settings, value};

/// Messages of one producer at most.
const MESSAGES_MAX: u64 = 50_000_000;
/// Messages of all producers at most.
const MESSAGES_TOTAL_MAX: u64 = 1_000_000_000;
/// Keys of one producer at most.
const KEYS_MAX: i64 = 10_000_000;
/// Instances of one client at most.
const INSTANCES_MAX: i64 = 1_000;
/// Instances of all clients at most.
const CLIENTS_MAX: u64 = 10_000;
/// Bytes of a message at most.
const SIZE_MAX: u64 = 100 << 20;
/// Named tables of one kind at most.
const TABLES_MAX: usize = 1_000;

/// The plan of a merged file, without its expectations.
pub(super) fn plan(reader: &mut Reader, file: &Table, scenario: &str, variant: Option<&str>) -> Plan {
    let family = reader.family;
    let entity_tables: Vec<&'static str> = family.entities().iter().map(|kind| kind.table).collect();
    reader.check_keys(file, &[&FILE], &entity_tables);
    reader.version = version(reader, file);
    let mut plan = Plan {
        scenario: scenario.to_owned(),
        variant: variant.map(str::to_owned),
        family: family.name(),
        version: reader.version,
        seed: reader.int(file, "seed", 0, i64::MAX).unwrap_or(1) as u64,
        run_for: reader.duration(file, "run_for").unwrap_or(Span::from_secs(30)),
        drain_for: reader.duration(file, "drain_for").unwrap_or(Span::from_secs(60)),
        cluster: cluster(reader, file),
        entities: family.entities().iter().flat_map(|kind| entities(reader, file, kind)).collect(),
        producers: Vec::new(),
        consumers: Vec::new(),
        network: network(reader, file),
        faults: Vec::new(),
        expectations: Vec::new(),
    };
    family.complete(&mut plan);
    plan.producers = producers(reader, file, &plan);
    plan.consumers = consumers(reader, file, &plan);
    check_clients(reader, file, &plan);
    plan.faults = faults::read(reader, file, &plan);
    if reader.extent == Extent::Whole {
        for finding in family.check(&plan) {
            reader.report(placed(file, finding));
        }
    }
    plan
}

/// A family's finding, at the place of what it is about.
fn placed(file: &Table, finding: Finding) -> Diagnostic {
    let spot = file.locate(&finding.path).unwrap_or(Spot::new(0, 0..0));
    Diagnostic { message: finding.message, labels: vec![(spot, String::new())], help: finding.help }
}

/// The release; a wrong one is reported and replaced by the newest.
pub(super) fn version(reader: &mut Reader, file: &Table) -> crate::scenario::plan::Version {
    let (oldest, newest) = (reader.family.oldest(), reader.family.newest());
    let parsed = reader.parsed(file, "version", |node| match node {
        Node::Text(text) => value::version(text),
        node => Err(format!("expected a release as a string, such as `\"2.0\"`, found {}", node.what())),
    });
    let Some(version) = parsed else { return newest };
    let known = version >= oldest && (version.0, version.1) <= (newest.0, newest.1);
    if let (false, Some(entry)) = (known, file.get("version")) {
        let message = format!("release {version} is not modelled");
        reader.report(Diagnostic::at(entry.at, message, format!("{oldest} to {newest} are")));
        return newest;
    }
    version
}

fn cluster(reader: &mut Reader, file: &Table) -> ClusterPlan {
    let mut plan = ClusterPlan::default();
    let Some(table) = reader.table(file, "cluster") else { return plan };
    let family = reader.family;
    let roles = family.roles().iter().map(|role| role.plural);
    let more: Vec<&'static str> =
        roles.chain(family.cluster_fields().iter().map(|field| field.name)).collect();
    reader.check_keys(table, &[&CLUSTER], &more);
    for role in family.roles() {
        if let Some(count) = reader.int(table, role.plural, 0, i64::from(role.count_max)) {
            plan.roles.insert(role.plural.to_owned(), count as u16);
        }
    }
    plan.fields = settings::fields(reader, table, family.cluster_fields());
    plan.config = settings::config(reader, table, Scope::Cluster);
    plan
}

fn entities(reader: &mut Reader, file: &Table, kind: &'static EntityKind) -> Vec<EntityPlan> {
    let fields: Vec<&'static str> = kind.fields.iter().map(|field| field.name).collect();
    let tables = limited(reader, file, kind.table);
    tables
        .into_iter()
        .map(|(name, entry, table)| {
            names::check_entity(reader, kind.table, name, entry);
            reader.check_keys(table, &[&ENTITY], &fields);
            let fields = settings::fields(reader, table, kind.fields);
            let config = settings::config(reader, table, Scope::Entity(kind.table));
            EntityPlan { kind: kind.table, name: name.to_owned(), fields, config }
        })
        .collect()
}

/// The named tables of a kind, if there are not too many.
fn limited<'t>(reader: &mut Reader, file: &'t Table, kind: &str) -> Vec<(&'t str, &'t Entry, &'t Table)> {
    let mut tables = reader.named(file, kind);
    if let Some((_, entry, _)) = tables.get(TABLES_MAX) {
        let message = format!("too many tables of the kind `{kind}`");
        reader.report(Diagnostic::at(entry.key, message, format!("the limit is {TABLES_MAX}")));
        tables.truncate(TABLES_MAX);
    }
    tables
}

fn producers(reader: &mut Reader, file: &Table, plan: &Plan) -> Vec<ProducerPlan> {
    let tables = limited(reader, file, "producer");
    tables.into_iter().map(|(name, entry, table)| producer(reader, name, entry, table, plan)).collect()
}

fn producer(reader: &mut Reader, name: &str, entry: &Entry, table: &Table, plan: &Plan) -> ProducerPlan {
    const REACTIONS: &[(&str, Reaction)] =
        &[("give up", Reaction::GiveUp), ("send again", Reaction::SendAgain)];
    names::check(reader, "producer", name, entry);
    reader.check_keys(table, &[&PRODUCER], &[]);
    let client = client(reader, table);
    let rate = reader.parsed(table, "rate", |node| match node {
        Node::Text(text) => value::rate(text),
        _ => value::rate(""),
    });
    let rate = rate.unwrap_or(Rate::Every(Span::from_millis(1)));
    let messages = reader.int(table, "messages", 0, MESSAGES_MAX as i64).map(|count| count as u32);
    if let (None, Rate::Every(gap) | Rate::Poisson(gap)) = (messages, rate)
        && plan.run_for.0 / gap.0 > MESSAGES_MAX
    {
        let message = format!("producer `{}` sends too many messages", shown(name));
        let label = format!("until `run_for`; the limit is {MESSAGES_MAX}");
        reader.report_relation(Diagnostic::at(entry.key, message, label));
    }
    let size = reader.parsed(table, "size", |node| {
        let bytes = value::bytes(node)?;
        if bytes <= SIZE_MAX { Ok(bytes as u32) } else { Err(format!("the limit is {SIZE_MAX} bytes")) }
    });
    ProducerPlan {
        name: name.to_owned(),
        send_to: address(reader, name, entry, table, "send_to", plan),
        instances: reader.int(table, "instances", 1, INSTANCES_MAX).unwrap_or(1) as u16,
        rate,
        messages,
        keys: reader.int(table, "keys", 1, KEYS_MAX).map(|count| count as u32),
        size_bytes: size.unwrap_or(100),
        if_failed: reader.word(table, "if_failed", REACTIONS).unwrap_or(Reaction::GiveUp),
        if_unknown: reader.word(table, "if_unknown", REACTIONS),
        attempts_max: reader.int(table, "attempts", 1, i64::from(u16::MAX)).unwrap_or(10) as u16,
        attempt_every: reader.duration(table, "every").unwrap_or(Span::from_millis(100)),
        config: settings::config(reader, table, Scope::Producer(client.or(own_client(reader)))),
        client: client.map(str::to_owned),
    }
}

fn consumers(reader: &mut Reader, file: &Table, plan: &Plan) -> Vec<ConsumerPlan> {
    let tables = limited(reader, file, "consumer");
    tables.into_iter().map(|(name, entry, table)| consumer(reader, name, entry, table, plan)).collect()
}

fn consumer(reader: &mut Reader, name: &str, entry: &Entry, table: &Table, plan: &Plan) -> ConsumerPlan {
    names::check(reader, "consumer", name, entry);
    reader.check_keys(table, &[&CONSUMER], &[]);
    let client = client(reader, table);
    ConsumerPlan {
        name: name.to_owned(),
        read_from: address(reader, name, entry, table, "read_from", plan),
        instances: reader.int(table, "instances", 1, INSTANCES_MAX).unwrap_or(1) as u16,
        process: reader.dist(table, "process").unwrap_or(Dist::Constant(Span::from_millis(1))),
        idempotency: idempotency(reader, table),
        config: settings::config(reader, table, Scope::Consumer(client.or(own_client(reader)))),
        client: client.map(str::to_owned),
    }
}

fn idempotency(reader: &mut Reader, table: &Table) -> Idempotency {
    const BUILT: &[(&str, Idempotency)] = &[
        ("none", Idempotency::None),
        ("unique_key", Idempotency::UniqueKey),
        ("set_by_key", Idempotency::SetByKey),
    ];
    const NOT_YET: &[&str] = &[
        "processed_table",
        "side_store_before",
        "side_store_after",
        "version",
        "status_machine",
        "select_then_insert",
    ];
    if let Some(entry) = table.get("idempotency")
        && let Node::Text(text) = &entry.node
        && NOT_YET.contains(&text.as_str())
    {
        let message = format!("`idempotency = \"{text}\"` is not modelled yet");
        reader.report(Diagnostic::at(entry.at, message, "refused, not ignored"));
        return Idempotency::None;
    }
    reader.word(table, "idempotency", BUILT).unwrap_or(Idempotency::None)
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
    if let (Err(why), Some(entry)) = (reader.family.check_address(plan, &address), table.get(key)) {
        let message = format!("`{}` leads nowhere", shown(&address));
        let known = plan.entities.iter().map(|entity| entity.name.as_str());
        reader.report_relation(suggest(Diagnostic::at(entry.at, message, why), &address, known));
    }
    address
}

fn network(reader: &mut Reader, file: &Table) -> NetworkPlan {
    let latency = Dist::Uniform(Span::from_micros(300), Span::from_micros(800));
    let fsync = Dist::Constant(Span::from_millis(2));
    let mut plan = NetworkPlan { latency, bandwidth: None, fsync };
    if let Some(table) = reader.table(file, "network") {
        reader.check_keys(table, &[&NETWORK], &[]);
        plan.latency = reader.dist(table, "latency").unwrap_or(latency);
        plan.bandwidth = reader.parsed(table, "bandwidth", |node| match node {
            Node::Text(text) => value::bandwidth(text),
            _ => value::bandwidth(""),
        });
    }
    if let Some(table) = reader.table(file, "disk") {
        reader.check_keys(table, &[&DISK], &[]);
        plan.fsync = reader.dist(table, "fsync").unwrap_or(fsync);
    }
    plan
}

/// What producers and consumers must agree on: different names, and limits on all of them together.
fn check_clients(reader: &mut Reader, file: &Table, plan: &Plan) {
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
    let messages = plan.producers.iter().map(|one| match (one.messages, one.rate) {
        (Some(count), _) => u64::from(count),
        (None, Rate::Every(gap) | Rate::Poisson(gap)) => plan.run_for.0 / gap.0,
        (None, Rate::OneByOne | Rate::Max) => 0,
    });
    if messages.sum::<u64>() > MESSAGES_TOTAL_MAX {
        limit(reader, "producer", "too many messages in total", MESSAGES_TOTAL_MAX);
    }
}
