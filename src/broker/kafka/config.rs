//! Kafka's settings as the model uses them: typed, defaults of the version filled in.

use super::settings;
use crate::broker::Scope;
use crate::scenario::plan::{Config, ConsumerPlan, EntityPlan, Plan, ProducerPlan, Value, Version};
use crate::sim::Span;

/// A broker's settings.
#[derive(Clone, Debug)]
pub(super) struct BrokerConfig {
    pub(super) lag_max: Span,
    pub(super) fetch_wait_max: Span,
    pub(super) fetch_backoff: Span,
    pub(super) socket_timeout: Span,
    pub(super) checkpoint_interval: Span,
    pub(super) zookeeper_session: Span,
    pub(super) heartbeat_interval: Span,
    pub(super) broker_session: Span,
    pub(super) initial_rebalance_delay: Span,
    pub(super) has_controlled_shutdown: bool,
}

/// A topic's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TopicConfig {
    pub(super) replication_factor: u16,
    pub(super) min_insync: u32,
    pub(super) may_be_unclean: bool,
    /// Flush after this many records; none: never.
    pub(super) flush_messages: Option<u64>,
}

/// Which client library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    Java,
    Librdkafka,
}

/// How many replicas must have a record before it is confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Acks {
    Zero,
    One,
    All,
}

impl Acks {
    /// As it is written.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Zero => "0",
            Self::One => "1",
            Self::All => "all",
        }
    }
}

/// A producer's settings.
#[derive(Clone, Debug)]
pub(super) struct ProducerConfig {
    pub(super) client: Client,
    pub(super) acks: Acks,
    pub(super) retries: u32,
    /// From batch creation to the last word; none: only waiting in the queue is bounded, by `request_timeout`.
    pub(super) delivery_timeout: Option<Span>,
    /// How long the client waits for a response.
    pub(super) request_timeout: Span,
    /// How long the broker may wait for the in-sync replicas.
    pub(super) ack_timeout: Span,
    pub(super) in_flight_max: u32,
    pub(super) linger: Span,
    pub(super) batch_bytes: u32,
    pub(super) batch_records: u32,
    pub(super) retry_backoff: Span,
    pub(super) retry_backoff_max: Span,
    pub(super) buffer_bytes: u64,
    pub(super) buffer_records: u64,
    pub(super) max_block: Span,
    pub(super) metadata_max_age: Span,
    pub(super) partitioner: Partitioner,
}

/// Where a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Partitioner {
    /// By murmur2 of the key; without a key round robin (Java before 2.4).
    MurmurRoundRobin,
    /// By murmur2 of the key; without a key one partition a batch (Java since 2.4).
    MurmurSticky,
    /// By murmur2 of the key; without a key at random.
    MurmurRandom,
    /// By CRC32 of the key; without a key at random (librdkafka).
    CrcRandom,
    /// Round robin, keys or not.
    RoundRobin,
    /// At random, keys or not.
    Random,
}

/// A consumer's settings.
#[derive(Clone, Debug)]
pub(super) struct ConsumerConfig {
    pub(super) client: Client,
    pub(super) has_auto_commit: bool,
    pub(super) auto_commit_interval: Span,
    pub(super) reset: Reset,
    pub(super) max_poll_records: usize,
    pub(super) session_timeout: Span,
    pub(super) heartbeat_interval: Span,
    pub(super) max_poll_interval: Span,
    pub(super) fetch_wait_max: Span,
    pub(super) request_timeout: Span,
    pub(super) metadata_max_age: Span,
}

/// Where a group without a committed offset begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reset {
    Earliest,
    Latest,
    None,
}

/// The settings of one table, with the defaults of the version.
struct Table<'a> {
    scope: Scope,
    version: Version,
    written: &'a Config,
}

impl Table<'_> {
    fn text(&self, name: &str) -> Option<String> {
        settings::effective(self.scope, self.version, self.written, name).map(|value| value.shown())
    }

    fn number(&self, name: &str, otherwise: u64) -> u64 {
        self.text(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    }

    fn ms(&self, name: &str, otherwise: u64) -> Span {
        Span::from_millis(self.number(name, otherwise))
    }

    fn is_on(&self, name: &str, otherwise: bool) -> bool {
        self.text(name).map_or(otherwise, |text| text == "true")
    }
}

impl BrokerConfig {
    pub(super) fn new(plan: &Plan) -> Self {
        let table = cluster(plan);
        Self {
            lag_max: table.ms("replica.lag.time.max.ms", 30_000),
            fetch_wait_max: table.ms("replica.fetch.wait.max.ms", 500),
            fetch_backoff: table.ms("replica.fetch.backoff.ms", 1_000),
            socket_timeout: table.ms("replica.socket.timeout.ms", 30_000),
            checkpoint_interval: table.ms("replica.high.watermark.checkpoint.interval.ms", 5_000),
            zookeeper_session: table.ms("zookeeper.session.timeout.ms", 18_000),
            heartbeat_interval: table.ms("broker.heartbeat.interval.ms", 2_000),
            broker_session: table.ms("broker.session.timeout.ms", 9_000),
            initial_rebalance_delay: table.ms("group.initial.rebalance.delay.ms", 0),
            has_controlled_shutdown: table.is_on("controlled.shutdown.enable", true),
        }
    }
}

impl TopicConfig {
    /// A topic's own settings, else the brokers'.
    pub(super) fn new(plan: &Plan, entity: Option<&EntityPlan>) -> Self {
        let none = Config::new();
        let written = entity.map_or(&none, |entity| &entity.config);
        let own = Table { scope: Scope::Entity("topic"), version: plan.version, written };
        let brokers = cluster(plan);
        let either = |name: &str, default: &str, otherwise: u64| {
            if written.contains_key(name) {
                own.number(name, otherwise)
            } else {
                brokers.number(default, otherwise)
            }
        };
        let flush = either("flush.messages", "log.flush.interval.messages", u64::MAX);
        let unclean = "unclean.leader.election.enable";
        Self {
            replication_factor: either("replication.factor", "default.replication.factor", 1) as u16,
            min_insync: either("min.insync.replicas", "min.insync.replicas", 1) as u32,
            may_be_unclean: if written.contains_key(unclean) {
                own.is_on(unclean, false)
            } else {
                brokers.is_on(unclean, false)
            },
            flush_messages: (flush < i64::MAX as u64).then_some(flush.max(1)),
        }
    }

    /// The coordinator's topic: `offsets.topic.replication.factor` copies, or as many as there are brokers.
    pub(super) fn offsets(plan: &Plan, brokers: u16) -> Self {
        let factor = cluster(plan).number("offsets.topic.replication.factor", 3) as u16;
        Self { replication_factor: factor.min(brokers), ..Self::new(plan, None) }
    }
}

impl ProducerConfig {
    /// Whether a message of this size goes into a batch that holds so many messages and bytes.
    #[inline]
    pub(super) fn has_room(&self, messages: usize, bytes: u32, size: u32) -> bool {
        (messages as u32) < self.batch_records && bytes.saturating_add(size) <= self.batch_bytes
    }

    pub(super) fn new(plan: &Plan, producer: &ProducerPlan) -> Self {
        let client = client_of(producer.client.as_deref());
        let scope = Scope::Producer(Some(name_of(client)));
        let table = Table { scope, version: plan.version, written: &producer.config };
        match client {
            Client::Java => Self::java(&table, plan.version),
            Client::Librdkafka => Self::librdkafka(&table),
        }
    }

    fn java(table: &Table<'_>, version: Version) -> Self {
        let request_timeout = table.ms("request.timeout.ms", 30_000);
        let backoff = table.ms("retry.backoff.ms", 100);
        Self {
            client: Client::Java,
            acks: acks_of(table),
            retries: table.number("retries", 0) as u32,
            delivery_timeout: (version >= Version(2, 1, 0)).then(|| table.ms("delivery.timeout.ms", 120_000)),
            request_timeout,
            ack_timeout: request_timeout,
            in_flight_max: table.number("max.in.flight.requests.per.connection", 5) as u32,
            linger: table.ms("linger.ms", 0),
            batch_bytes: table.number("batch.size", 16_384) as u32,
            batch_records: u32::MAX,
            retry_backoff: backoff,
            retry_backoff_max: table
                .text("retry.backoff.max.ms")
                .map_or(backoff, |_| table.ms("retry.backoff.max.ms", 1_000).max(backoff)),
            buffer_bytes: table.number("buffer.memory", 33_554_432),
            buffer_records: u64::MAX,
            max_block: table.ms("max.block.ms", 60_000),
            metadata_max_age: table.ms("metadata.max.age.ms", 300_000),
            partitioner: match table.text("partitioner.class").as_deref() {
                Some(class) if class.ends_with("RoundRobinPartitioner") => Partitioner::RoundRobin,
                _ if version < Version(2, 4, 0) => Partitioner::MurmurRoundRobin,
                _ => Partitioner::MurmurSticky,
            },
        }
    }

    fn librdkafka(table: &Table<'_>) -> Self {
        let backoff = table.ms("retry.backoff.ms", 100);
        Self {
            client: Client::Librdkafka,
            acks: acks_of(table),
            retries: table.number("retries", 2_147_483_647) as u32,
            delivery_timeout: Some(match table.ms("message.timeout.ms", 300_000) {
                Span::ZERO => Span::FOREVER,
                timeout => timeout,
            }),
            request_timeout: table.ms("socket.timeout.ms", 60_000),
            ack_timeout: table.ms("request.timeout.ms", 30_000),
            in_flight_max: table.number("max.in.flight.requests.per.connection", 1_000_000) as u32,
            linger: table.ms("linger.ms", 5),
            batch_bytes: table.number("batch.size", 1_000_000) as u32,
            batch_records: table.number("batch.num.messages", 10_000) as u32,
            retry_backoff: backoff,
            retry_backoff_max: table.ms("retry.backoff.max.ms", 1_000).max(backoff),
            buffer_bytes: u64::MAX,
            buffer_records: table.number("queue.buffering.max.messages", 100_000),
            max_block: Span::FOREVER,
            metadata_max_age: table.ms("topic.metadata.refresh.interval.ms", 300_000),
            partitioner: match table.text("partitioner").as_deref() {
                Some("murmur2" | "murmur2_random") => Partitioner::MurmurRandom,
                Some("random") => Partitioner::Random,
                _ => Partitioner::CrcRandom,
            },
        }
    }
}

impl ConsumerConfig {
    pub(super) fn new(plan: &Plan, consumer: &ConsumerPlan) -> Self {
        let client = client_of(consumer.client.as_deref());
        let scope = Scope::Consumer(Some(name_of(client)));
        let table = Table { scope, version: plan.version, written: &consumer.config };
        Self {
            client,
            has_auto_commit: table.is_on("enable.auto.commit", true),
            auto_commit_interval: table.ms("auto.commit.interval.ms", 5_000),
            reset: match table.text("auto.offset.reset").as_deref() {
                Some("earliest" | "smallest" | "beginning") => Reset::Earliest,
                Some("none" | "error") => Reset::None,
                _ => Reset::Latest,
            },
            max_poll_records: match client {
                Client::Java => table.number("max.poll.records", u64::MAX) as usize,
                Client::Librdkafka => 1,
            },
            session_timeout: table.ms("session.timeout.ms", 45_000),
            heartbeat_interval: table.ms("heartbeat.interval.ms", 3_000),
            max_poll_interval: table.ms("max.poll.interval.ms", 300_000),
            fetch_wait_max: match client {
                Client::Java => table.ms("fetch.max.wait.ms", 500),
                Client::Librdkafka => table.ms("fetch.wait.max.ms", 500),
            },
            request_timeout: match client {
                Client::Java => table.ms("request.timeout.ms", 30_000),
                Client::Librdkafka => table.ms("socket.timeout.ms", 60_000),
            },
            metadata_max_age: match client {
                Client::Java => table.ms("metadata.max.age.ms", 300_000),
                Client::Librdkafka => table.ms("topic.metadata.refresh.interval.ms", 300_000),
            },
        }
    }
}

/// The group that a consumer joins: `group.id`, else its own name.
pub(super) fn group_id(consumer: &ConsumerPlan) -> String {
    match consumer.config.get("group.id") {
        Some(Value::Text(id)) => id.clone(),
        _ => consumer.name.clone(),
    }
}

fn cluster(plan: &Plan) -> Table<'_> {
    let written = &plan.cluster.config;
    Table { scope: Scope::Cluster, version: plan.version, written }
}

fn client_of(name: Option<&str>) -> Client {
    if name == Some("librdkafka") { Client::Librdkafka } else { Client::Java }
}

fn name_of(client: Client) -> &'static str {
    match client {
        Client::Java => "java",
        Client::Librdkafka => "librdkafka",
    }
}

fn acks_of(table: &Table<'_>) -> Acks {
    match table.text("acks").as_deref() {
        Some("0") => Acks::Zero,
        Some("1") => Acks::One,
        _ => Acks::All,
    }
}
