//! What Kafka says about itself: nodes, tables, roles and state paths, and which settings exclude each other.
//!
//! Documented at <https://kafka.apache.org/documentation/#configuration>; the conflicts are the ones that real brokers
//! and clients refuse with a `ConfigException`.
//!
//! Not modelled: several `ZooKeeper` nodes or `KRaft` controllers, brokers that are controllers too, idempotent and
//! transactional producers, static members, consumers that send on what they cannot process (`then = "send to X"`),
//! the newer group protocol. Java producers of 3.0.1 and later are idempotent
//! by default: a scenario says `"enable.idempotence" = false` there, or is refused.

use super::alter::{self, partitions_max};
use super::settings;
use crate::broker::{EntityKind, Field, Finding, Kind, NodeRole, Router, Scope};
use crate::scenario::plan::{Action, ConsumerPlan, EntityPlan, Plan, ProducerPlan, Then, Value, Version};

/// The client libraries; the first is the vendor's own.
pub const CLIENTS: &[&str] = &["java", "librdkafka"];

/// The nodes of a cluster.
pub const ROLES: &[NodeRole] = &[
    NodeRole { plural: "brokers", singular: "broker", count_max: 100 },
    NodeRole { plural: "zookeeper", singular: "zookeeper", count_max: 1 },
    NodeRole { plural: "controllers", singular: "controller", count_max: 1 },
];

/// Fields of `[cluster]`.
pub const CLUSTER_FIELDS: &[Field] = &[Field {
    name: "metadata",
    kind: Kind::OneOf(&["zookeeper", "kraft"]),
    meaning: "Who keeps the cluster's metadata; left out: KRaft from 3.3 on, ZooKeeper before.",
}];

/// Named tables.
pub const ENTITIES: &[EntityKind] = &[EntityKind {
    table: "topic",
    fields: &[Field {
        name: "partitions",
        kind: Kind::Int(1, 10_000),
        meaning: "How many partitions it has.",
    }],
    settings: "config",
}];

/// Partitions of all topics together at most.
const PARTITIONS_MAX: i64 = 100_000;

/// Who keeps the cluster's metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metadata {
    /// `ZooKeeper`, and one of the brokers as controller.
    ZooKeeper,
    /// A controller node.
    Kraft,
}

/// What `[cluster] metadata` says, else what the release does.
pub fn metadata(plan: &Plan) -> Metadata {
    let kraft = match plan.cluster.fields.get("metadata") {
        Some(value) => *value == Value::Text("kraft".to_owned()),
        None => plan.version >= Version(3, 3, 0),
    };
    if kraft { Metadata::Kraft } else { Metadata::ZooKeeper }
}

/// Fills in the mode and the counts of nodes.
pub fn complete(plan: &mut Plan) {
    let (name, role) = match metadata(plan) {
        Metadata::ZooKeeper => ("zookeeper", "zookeeper"),
        Metadata::Kraft => ("kraft", "controllers"),
    };
    plan.cluster.fields.insert("metadata".to_owned(), Value::Text(name.to_owned()));
    plan.cluster.roles.entry("brokers".to_owned()).or_insert(1);
    plan.cluster.roles.entry(role.to_owned()).or_insert(1);
    for topic in &mut plan.entities {
        topic.fields.entry("partitions".to_owned()).or_insert(Value::Int(1));
    }
}

/// How many partitions a topic has.
pub fn partitions(topic: &EntityPlan) -> i64 {
    match topic.fields.get("partitions") {
        Some(Value::Int(count)) => *count,
        _ => 1,
    }
}

/// What is wrong with a plan that reads well.
pub fn check(plan: &Plan) -> Vec<Finding> {
    let mut findings = Vec::new();
    check_cluster(plan, &mut findings);
    for topic in &plan.entities {
        check_topic(plan, topic, &mut findings);
    }
    for producer in plan.producers.iter().filter(|producer| producer.service().is_none()) {
        check_producer(plan, producer, &mut findings);
    }
    check_reach(plan, &mut findings);
    alter::check(plan, &mut findings);
    for consumer in &plan.consumers {
        check_consumer(consumer, &mut findings);
        if plan
            .consumers
            .iter()
            .any(|other| other.name < consumer.name && group_of(other) == group_of(consumer))
        {
            let message = format!("another consumer is in the group `{}` already", group_of(consumer));
            let help = "use `instances` for more members; a group of different applications is not modelled";
            findings.push(finding(&["consumer", &consumer.name], message, help));
        }
    }
    findings
}

pub(super) fn finding(path: &[&str], message: impl Into<String>, help: &str) -> Finding {
    let help = (!help.is_empty()).then(|| help.to_owned());
    Finding { path: path.iter().map(|part| (*part).to_owned()).collect(), message: message.into(), help }
}

fn count(plan: &Plan, role: &str) -> u16 {
    plan.cluster.roles.get(role).copied().unwrap_or(0)
}

fn check_cluster(plan: &Plan, findings: &mut Vec<Finding>) {
    let version = plan.version;
    let (mode, own, other) = match metadata(plan) {
        Metadata::ZooKeeper => ("zookeeper", "zookeeper", "controllers"),
        Metadata::Kraft => ("kraft", "controllers", "zookeeper"),
    };
    if mode == "zookeeper" && version >= Version(4, 0, 0) {
        let message = format!("Kafka {version} knows no ZooKeeper; it went with 4.0");
        findings.push(finding(&["cluster", "metadata"], message, "use `metadata = \"kraft\"`"));
    }
    if mode == "kraft" && version < Version(2, 8, 0) {
        let message = format!("KRaft exists since 2.8; this scenario runs {version}");
        findings.push(finding(&["cluster", "metadata"], message, "use `metadata = \"zookeeper\"`"));
    }
    if count(plan, other) > 0 {
        let message = format!("a cluster in {mode} mode has no `{other}`");
        findings.push(finding(&["cluster", other], message, ""));
    }
    for role in ["brokers", own] {
        if count(plan, role) == 0 {
            let message = format!("a cluster in {mode} mode needs `{role}`");
            findings.push(finding(&["cluster", role], message, "at least 1"));
        }
    }
    for name in ["zookeeper.session.timeout.ms", "broker.session.timeout.ms", "broker.heartbeat.interval.ms"]
    {
        if plan.cluster.config.contains_key(name) && name.starts_with("zookeeper") != (mode == "zookeeper") {
            let message = format!("`{name}` does nothing in {mode} mode");
            findings.push(finding(&["cluster", "config", name], message, ""));
        }
    }
}

/// Clients begin at brokers, and a group reads all that a producer sends, or nothing of it.
fn check_reach(plan: &Plan, findings: &mut Vec<Finding>) {
    let producers = plan.producers.iter().map(|one| ("producer", &one.name, &one.connect_to));
    let consumers = plan.consumers.iter().map(|one| ("consumer", &one.name, &one.connect_to));
    for (kind, name, connect_to) in producers.chain(consumers) {
        if let Some(other) = connect_to.iter().find(|node| !node.starts_with("broker-")) {
            let message = format!("clients connect to brokers; `{other}` is none");
            findings.push(finding(&[kind, name, "connect_to"], message, ""));
        }
    }
    for producer in &plan.producers {
        for consumer in &plan.consumers {
            let mut topics = plan.entities.iter().filter(|topic| leads_to(&producer.send_to, &topic.name));
            if !routes(plan, producer, consumer) && topics.any(|one| leads_to(&consumer.read_from, &one.name))
            {
                let message = format!(
                    "`{}` reads only some of the topics that `{}` sends to",
                    consumer.name, producer.name
                );
                let path = ["consumer", consumer.name.as_str(), "read_from"];
                findings.push(finding(&path, message, "this is not modelled: read all of them, or none"));
            }
        }
    }
    let total: i64 = plan.entities.iter().map(|topic| partitions_max(plan, topic)).sum();
    if total > PARTITIONS_MAX {
        let message = format!("{total} partitions are too many");
        findings.push(finding(
            &["topic"],
            message,
            &format!("the limit is {PARTITIONS_MAX} over all topics"),
        ));
    }
}

fn check_topic(plan: &Plan, topic: &EntityPlan, findings: &mut Vec<Finding>) {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if topic.name.len() > 249 || !topic.name.chars().all(plain) || [".", ".."].contains(&topic.name.as_str())
    {
        let message = "Kafka refuses this name for a topic";
        let help = "up to 249 letters, digits, `.`, `_` and `-`";
        findings.push(finding(&["topic", &topic.name], message, help));
    }
    let brokers = i64::from(count(plan, "brokers"));
    if let Some(Value::Int(factor)) = settings::of_topic(plan, topic, "replication.factor")
        && factor > brokers
    {
        let message =
            format!("topic `{}` asks for {factor} replicas, but only {brokers} brokers exist", topic.name);
        let written = topic.config.contains_key("replication.factor");
        let path: &[&str] = if written {
            &["topic", &topic.name, "config", "replication.factor"]
        } else {
            &["cluster", "config", "default.replication.factor"]
        };
        findings.push(finding(path, message, ""));
    }
}

/// The library that a client uses.
pub fn client_of(named: Option<&str>) -> &'static str {
    CLIENTS.iter().copied().find(|client| Some(*client) == named).unwrap_or(CLIENTS[0])
}

fn check_producer(plan: &Plan, producer: &ProducerPlan, findings: &mut Vec<Finding>) {
    let client = client_of(producer.client.as_deref());
    let scope = Scope::Producer(Some(client));
    let path = |name| ["producer", producer.name.as_str(), "config", name];
    let value = |name| settings::effective(scope, plan.version, &producer.config, name);
    let number = |name| settings::number(scope, plan.version, &producer.config, name);
    let written = |name| producer.config.contains_key(name);
    let acks_all = matches!(value("acks"), Some(Value::Text(acks)) if acks == "all" || acks == "-1");
    let conflict = if !acks_all {
        Some("it needs `acks = \"all\"`")
    } else if number("retries") == Some(0) {
        Some("it needs `retries` above 0")
    } else if number("max.in.flight.requests.per.connection").is_some_and(|limit| limit > 5) {
        Some("it needs `max.in.flight.requests.per.connection` of at most 5")
    } else {
        None
    };
    if producer.config.get("enable.idempotence") == Some(&Value::Bool(true)) {
        let message = match conflict {
            Some(why) => format!("`enable.idempotence` is refused by the client: {why}"),
            None => "`enable.idempotence = true` is not modelled yet".to_owned(),
        };
        findings.push(finding(&path("enable.idempotence"), message, "use `false`, which is modelled"));
    } else if value("enable.idempotence") == Some(Value::Bool(true)) && conflict.is_none() {
        // A default that the other settings exclude is off without a word; this one would be on.
        let message =
            format!("this producer is idempotent by default in {}, which is not modelled yet", plan.version);
        let help = "write `\"enable.idempotence\" = false` into its `config`";
        findings.push(finding(&["producer", &producer.name], message, help));
    }
    if let (Some(delivery), Some(linger), Some(request)) =
        (number("delivery.timeout.ms"), number("linger.ms"), number("request.timeout.ms"))
        && client == "java"
        && delivery < linger.saturating_add(request)
    {
        let mut names = ["delivery.timeout.ms", "request.timeout.ms", "linger.ms"].into_iter();
        // Only what was written can conflict: the client shortens what it chose itself.
        if written("delivery.timeout.ms")
            && let Some(name) = names.find(|name| written(name))
        {
            let message = format!(
                "`delivery.timeout.ms` ({delivery}) is below `linger.ms` ({linger}) + \
                 `request.timeout.ms` ({request})"
            );
            findings.push(finding(&path(name), message, "the client refuses to start with these"));
        }
    }
}

fn check_consumer(consumer: &ConsumerPlan, findings: &mut Vec<Finding>) {
    let then = &["consumer", consumer.name.as_str(), "if_fails", "then"];
    match &consumer.if_fails.then {
        Then::Skip | Then::Stop | Then::SendTo(_) => {}
        Then::Requeue | Then::Reject => {
            let message = "Kafka's consumers cannot give a single message back: there are only positions";
            let help = "use `skip` to go on without it, or `stop`, after which it is read again";
            findings.push(finding(then, message, help));
        }
    }
    let refused = [
        ("isolation.level", "read_uncommitted"),
        ("partition.assignment.strategy", "range"),
        ("group.protocol", "classic"),
    ];
    for (name, modelled) in refused {
        if let Some(Value::Text(text)) = consumer.config.get(name)
            && text != modelled
        {
            let message = format!("`{name} = \"{text}\"` is not modelled yet");
            let help = format!("use `{modelled}`, which is modelled");
            findings.push(finding(&["consumer", &consumer.name, "config", name], message, &help));
        }
    }
}

/// An address is the name of a topic, or the beginning of several names: `load-*`.
pub fn check_address(plan: &Plan, address: &str) -> Result<(), String> {
    if address.contains('*') && plan.entities.iter().any(|topic| leads_to(address, &topic.name)) {
        let reached = plan.entities.iter().map(|topic| leads_to(address, &topic.name));
        let changes = reached.clone().zip(reached.skip(1)).filter(|(one, other)| one != other).count();
        let (first, last) = (plan.entities.first(), plan.entities.last());
        let outside = [first, last].into_iter().flatten().filter(|topic| !leads_to(address, &topic.name));
        // One run of topics, in the order in which they are declared.
        return if changes <= outside.count() {
            Ok(())
        } else {
            Err("these topics do not follow one another: use a whole name before the `*`".to_owned())
        };
    }
    topic_of(plan, address).map(|_| ())
}

/// Whether an address leads to the topic of that name.
pub fn leads_to(address: &str, topic: &str) -> bool {
    match address.strip_suffix('*') {
        Some(beginning) => topic.starts_with(beginning),
        None => topic == address,
    }
}

/// Who gets what.
pub(super) struct Routes<'p> {
    pub(super) plan: &'p Plan,
}

impl Router for Routes<'_> {
    fn routes(&self, producer: &ProducerPlan, consumer: &ConsumerPlan) -> bool {
        routes(self.plan, producer, consumer)
    }
}

/// Whether everything that the producer sends is addressed to the consumer's group: not if it calls a service.
fn routes(plan: &Plan, producer: &ProducerPlan, consumer: &ConsumerPlan) -> bool {
    let topics = plan.entities.iter().filter(|topic| leads_to(&producer.send_to, &topic.name));
    let mut topics = topics.peekable();
    topics.peek().is_some() && topics.all(|topic| leads_to(&consumer.read_from, &topic.name))
}

fn topic_of<'p>(plan: &'p Plan, name: &str) -> Result<&'p EntityPlan, String> {
    plan.entities.iter().find(|topic| topic.name == name).ok_or_else(|| {
        let names: Vec<&str> = plan.entities.iter().map(|topic| topic.name.as_str()).collect();
        if names.is_empty() {
            "there are no topics".to_owned()
        } else if names.len() > 10 {
            format!("expected a topic: {}, … or several, such as `load-*`", names[..10].join(", "))
        } else {
            format!("expected a topic: {}", names.join(", "))
        }
    })
}

/// `orders/0`, or `orders` when it has one partition.
pub fn check_partition(plan: &Plan, text: &str) -> Result<(), String> {
    let Some((name, number)) = text.rsplit_once('/') else {
        let topic = topic_of(plan, text)?;
        return match partitions_max(plan, topic) {
            1 => Ok(()),
            count => Err(format!("`{text}` has {count} partitions: say which, such as `{text}/0`")),
        };
    };
    let count = partitions_max(plan, topic_of(plan, name)?);
    let plain =
        number.bytes().all(|byte| byte.is_ascii_digit()) && (number == "0" || !number.starts_with('0'));
    match number.parse::<i64>() {
        Ok(number) if plain && number < count => Ok(()),
        _ => Err(format!("`{name}` has the partitions 0 to {}", count - 1)),
    }
}

/// What [`check_role`] and [`check_state`] accept, for the page of the language.
pub const PATHS: &[(&str, &str)] = &[
    ("`leader of orders/0`", "target: the broker that leads the partition when the fault fires"),
    ("`a follower of orders/0`, `followers of orders/0`", "target: one of the others, or all of them"),
    ("`members of orders/0`", "target: all brokers that hold the partition"),
    ("`controller`", "target: the broker or node that is the active controller"),
    ("`coordinator of billing`", "target: the broker that coordinates the group"),
    ("`\"orders/0.leader\" = \"broker-2\"`", "state: who leads; `\"none\"`: nobody"),
    ("`\"orders/0.isr\" = \"broker-1, broker-2\"`", "state: the in-sync replicas"),
    (
        "`\"orders/0.hw\" = 10`, `\"orders/0.leo\" = \">= 9\"`",
        "state: the leader's high watermark and log end offset",
    ),
    ("`\"orders/0.epoch\" = 1`", "state: the leader epoch"),
    (
        "`\"broker-1.up\" = true`, `\"billing/2.up\" = false`",
        "state: whether the process of a node, a client or a service runs",
    ),
];

/// The roles that a target can name.
pub fn check_role(plan: &Plan, role: &str) -> Result<(), String> {
    if role == "controller" {
        return Ok(());
    }
    if let Some(group) = role.strip_prefix("coordinator of ") {
        let known = plan.consumers.iter().any(|consumer| group_of(consumer) == group);
        return if known { Ok(()) } else { Err(format!("no consumer belongs to the group `{group}`")) };
    }
    for prefix in ["leader of ", "a follower of ", "followers of ", "members of "] {
        if let Some(place) = role.strip_prefix(prefix) {
            return check_partition(plan, place);
        }
    }
    Err("expected a node, a client, a set such as `brokers`, or a role such as `leader of TOPIC/0`, \
         `a follower of TOPIC/0`, `followers of TOPIC/0`, `members of TOPIC/0`, `controller`, \
         `coordinator of GROUP`"
        .to_owned())
}

/// The group of a consumer: what is written, else its name.
pub fn group_of(consumer: &ConsumerPlan) -> &str {
    match consumer.config.get("group.id") {
        Some(Value::Text(group)) => group,
        _ => &consumer.name,
    }
}

/// The state that expectations can name.
pub fn check_state(plan: &Plan, path: &str) -> Result<(), String> {
    let expected = "expected a measure such as `lost`, or a state such as `TOPIC/0.leader`, `.isr`, `.hw`, \
                    `.leo`, \
                    `.epoch`, or `broker-1.up`";
    let (owner, field) = path.rsplit_once('.').ok_or(expected)?;
    match field {
        "leader" | "isr" | "hw" | "leo" | "epoch" => check_partition(plan, owner),
        "up" => {
            let node = ROLES.iter().any(|role| {
                let number = owner.strip_prefix(role.singular).and_then(|rest| rest.strip_prefix('-'));
                number
                    .and_then(|number| number.parse().ok())
                    .is_some_and(|number: u16| (1..=count(plan, role.plural)).contains(&number))
            });
            let is_one = node || plan.is_one_process(owner);
            if is_one { Ok(()) } else { Err(format!("there is no node, and no one client, `{owner}`")) }
        }
        _ => Err(expected.to_owned()),
    }
}

/// What these states can be: a broker, brokers in the order of their numbers, a truth value, a number.
pub fn check_state_value(plan: &Plan, path: &str, value: Option<&Value>) -> Result<(), String> {
    let brokers: Vec<String> =
        (1..=count(plan, "brokers")).map(|number| format!("broker-{number}")).collect();
    let text = match value {
        Some(Value::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    let (is_possible, expected) = match path.rsplit('.').next() {
        Some("leader") => {
            let is_one = text.is_some_and(|text| text == "none" || brokers.iter().any(|one| one == text));
            (is_one, format!("expected a broker of `broker-1` to `broker-{}`, or `none`", brokers.len()))
        }
        Some("isr") => {
            let mut left = brokers.iter();
            // Each is found behind the one before it.
            let mut is_next = |name: &str| left.any(|one| one == name);
            let is_list = text.is_some_and(|text| text.is_empty() || text.split(", ").all(&mut is_next));
            let expected = "expected brokers in the order of their numbers, such as `broker-1, broker-2`";
            (is_list, expected.to_owned())
        }
        Some("up") => {
            let is_truth = matches!(value, Some(Value::Bool(_))) || matches!(text, Some("true" | "false"));
            (is_truth, "expected `true` or `false`".to_owned())
        }
        _ => (matches!(value, None | Some(Value::Int(_))), "expected a number or a comparison".to_owned()),
    };
    if is_possible { Ok(()) } else { Err(expected) }
}

/// What a step may tell a client: a position is committed, messages are not acknowledged one by one.
pub fn check_action(_plan: &Plan, action: &Action) -> Result<(), String> {
    match action {
        Action::Ack { .. } | Action::GiveBack { .. } => {
            Err("Kafka's consumers acknowledge no single messages; they commit a position: `commit = true`"
                .to_owned())
        }
        _ => Ok(()),
    }
}
