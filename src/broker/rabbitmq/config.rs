//! RabbitMQ's settings as the model uses them: typed, defaults of the release filled in.

use super::describe;
use super::rules::Rules;
use super::settings;
use super::topology::Storage;
use crate::broker::Scope;
use crate::scenario::plan::{Config, ConsumerPlan, Plan, ProducerPlan, Value, Version};
use crate::sim::Span;

/// The settings of the cluster: every node has the same.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ClusterConfig {
    pub(super) partition_handling: PartitionHandling,
    /// Silence after which a node takes another for down, give or take a quarter.
    pub(super) net_ticktime: Span,
    /// What the server proposes as heartbeat timeout; zero: none.
    pub(super) heartbeat: Span,
    /// How much of it a node uses before it stops publishers.
    pub(super) memory_watermark_bytes: u64,
    /// From how much on queues of storage v1 write out what they hold in memory.
    pub(super) paging_bytes: u64,
    /// How much a machine's disk holds.
    pub(super) disk_bytes: u64,
    /// How much of it must stay free, else a node stops publishers.
    pub(super) disk_free_limit_bytes: u64,
    /// How long a consumer may hold a message; none: as long as it likes.
    pub(super) consumer_timeout: Option<Span>,
    /// Messages smaller than this lie in a classic queue's own index or store.
    pub(super) embed_below_bytes: u32,
    /// How classic queues are stored that do not say.
    pub(super) default_storage: Storage,
    /// How many members quorum queues have that do not say.
    pub(super) quorum_group_size: u16,
    /// Entries of a v1 journal before it is written.
    pub(super) journal_entries_max: u32,
    /// What a process may send to the next one before it hears of it: at first, and again after so many.
    pub(super) credit: (u32, u32),
    /// The largest message; none: no limit.
    pub(super) message_bytes_max: Option<u64>,
    /// Commands that a channel has under way to a quorum queue before it grants its reader no more.
    pub(super) quorum_commands_max: u32,
    /// How many messages one step of bringing a mirror up to date copies.
    pub(super) sync_batch: u32,
    /// How often, and how long each time, a starting node waits for the peers that know more than it.
    pub(super) table_loading: (u32, Span),
    /// Dead letters that a worker for at-least-once transfer holds at a time.
    pub(super) dead_letter_prefetch: u32,
    /// How long such a worker waits for confirms before it sends again.
    pub(super) dead_letter_timeout: Span,
    /// Commands that one write of a quorum log takes at most.
    pub(super) wal_batch_max: u32,
}

/// What the nodes do about partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum PartitionHandling {
    /// Both sides go on, until an operator restarts one.
    Ignore,
    /// Both sides go on; when they meet again, the losing side restarts.
    Autoheal,
    /// Whoever sees no majority pauses.
    PauseMinority,
    /// Whoever sees none of these nodes pauses.
    PauseIfAllDown {
        /// The nodes.
        nodes: Vec<u16>,
        /// If both sides see one of them: as in autoheal when they meet again; else as in ignore.
        autoheals: bool,
    },
}

/// Which client library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Client {
    Java,
    Pika,
    /// Spring AMQP, on top of the Java client.
    Spring,
}

/// A publisher's settings.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct PublisherConfig {
    pub(super) client: Client,
    /// `confirm.select`.
    pub(super) confirms: bool,
    /// Messages without an answer at most; zero: any number.
    pub(super) window: u32,
    /// `tx.select`; this many messages a transaction.
    pub(super) transaction: Option<u32>,
    pub(super) mandatory: bool,
    /// How long it waits for a confirm; none: for ever.
    pub(super) confirm_timeout: Option<Span>,
    pub(super) connection: ConnectionConfig,
}

/// A consumer's settings.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a setting of its own")]
pub(super) struct ConsumerConfig {
    pub(super) client: Client,
    /// `basic.qos`; zero: no limit.
    pub(super) prefetch: u32,
    /// The limit is shared by the channel.
    pub(super) is_prefetch_global: bool,
    /// Messages count as acknowledged when they are sent.
    pub(super) no_ack: bool,
    pub(super) exclusive: bool,
    /// `x-priority`.
    pub(super) priority: i32,
    /// It acknowledges so many at a time, with `multiple`.
    pub(super) ack_every: u32,
    /// It is cancelled when a mirror takes over its queue.
    pub(super) cancels_on_failover: bool,
    /// It is told when its queue is gone.
    pub(super) hears_of_cancel: bool,
    /// What it cannot process and publishes elsewhere is confirmed before the original is acknowledged.
    pub(super) confirms: bool,
    /// Where it begins in a stream.
    pub(super) stream_offset: StreamOffset,
    /// The application keeps the offset of what it has processed, and begins behind it.
    pub(super) keeps_offset: bool,
    /// Spring: what a listener throws gives the message back to be delivered again.
    pub(super) requeues_rejected: bool,
    pub(super) connection: ConnectionConfig,
}

/// Where a consumer begins in a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum StreamOffset {
    /// With the oldest message.
    First,
    /// With the last batch that was written.
    Last,
    /// With what is written from now on.
    #[default]
    Next,
    At(u64),
}

/// What publishers and consumers say of their connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ConnectionConfig {
    /// The heartbeat timeout that the client asks for; zero: none.
    pub(super) heartbeat: Span,
    /// It connects again by itself after so long; none: it does not.
    pub(super) recovery: Option<Span>,
}

/// The settings of one table, with the defaults of the release.
struct Table<'a> {
    scope: Scope,
    version: Version,
    written: &'a Config,
}

impl Table<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        settings::effective(self.scope, self.version, self.written, name)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.value(name).map(|value| value.shown())
    }

    fn number(&self, name: &str, otherwise: u64) -> u64 {
        self.text(name).and_then(|text| text.parse().ok()).unwrap_or(otherwise)
    }

    fn is_on(&self, name: &str) -> bool {
        self.value(name) == Some(Value::Bool(true))
    }

    fn ms(&self, name: &str, otherwise: u64) -> Span {
        Span::from_millis(self.number(name, otherwise))
    }

    fn secs(&self, name: &str, otherwise: u64) -> Span {
        Span::from_secs(self.number(name, otherwise))
    }

    /// Two numbers such as `400, 200`.
    fn pair(&self, name: &str, otherwise: (u32, u32)) -> (u32, u32) {
        let text = self.text(name).unwrap_or_default();
        let pair = text.split_once(',').map(|(one, other)| (one.trim().parse(), other.trim().parse()));
        if let Some((Ok(one), Ok(other))) = pair { (one, other) } else { otherwise }
    }

    /// That part of a whole, written as `0.4`.
    fn part_of(&self, name: &str, whole: u64, otherwise: u64) -> u64 {
        let millionths = self.text(name).and_then(|text| millionths(&text)).unwrap_or(otherwise);
        (u128::from(whole) * u128::from(millionths) / 1_000_000) as u64
    }
}

/// `0.4` in parts per million, without going through a fraction of two.
pub(super) fn millionths(text: &str) -> Option<u64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits: String = fraction.chars().chain("000000".chars()).take(6).collect();
    whole.parse::<u64>().ok()?.checked_mul(1_000_000)?.checked_add(digits.parse().ok()?)
}

impl ClusterConfig {
    pub(super) fn new(plan: &Plan, rules: &Rules) -> Self {
        let table = cluster(plan);
        let memory_bytes = table.number("total_memory_available_override_value", 4 << 30);
        let watermark = match plan.cluster.config.get("vm_memory_high_watermark.absolute") {
            Some(Value::Int(bytes)) => *bytes as u64,
            _ => table.part_of("vm_memory_high_watermark.relative", memory_bytes, 400_000),
        };
        let disk_bytes = table.number("disk_size", 100_000_000_000);
        let free_limit = match plan.cluster.config.get("disk_free_limit.relative") {
            Some(_) => table.part_of("disk_free_limit.relative", memory_bytes, 0),
            None => table.number("disk_free_limit.absolute", 50_000_000),
        };
        let retries = table.number("mnesia_table_loading_retry_limit", 10) as u32;
        Self {
            partition_handling: partition_handling(&table),
            net_ticktime: table.secs("net_ticktime", 60),
            heartbeat: table.secs("heartbeat", 60),
            memory_watermark_bytes: watermark,
            paging_bytes: table.part_of("vm_memory_high_watermark_paging_ratio", watermark, 500_000),
            disk_bytes,
            disk_free_limit_bytes: free_limit,
            consumer_timeout: match table.text("consumer_timeout") {
                Some(text) => text.parse().ok().map(Span::from_millis),
                None => rules.consumer_timeout,
            },
            embed_below_bytes: table.number("queue_index_embed_msgs_below", 4_096) as u32,
            default_storage: match table.text("classic_queue.default_version").as_deref() {
                Some("1") => Storage::V1,
                Some("2") => Storage::V2,
                _ => rules.default_storage,
            },
            quorum_group_size: table.number("quorum_cluster_size", 3) as u16,
            journal_entries_max: table.number("queue_index_max_journal_entries", 32_768) as u32,
            credit: table.pair("credit_flow_default_credit", (400, 200)),
            message_bytes_max: match plan.cluster.config.get("max_message_size") {
                Some(Value::Int(bytes)) => Some(*bytes as u64),
                _ => rules.message_bytes_max,
            },
            quorum_commands_max: table.number("quorum_commands_soft_limit", 32) as u32,
            sync_batch: table.number("mirroring_sync_batch_size", 4_096) as u32,
            table_loading: (retries, table.ms("mnesia_table_loading_retry_timeout", 30_000)),
            dead_letter_prefetch: table.number("dead_letter_worker_consumer_prefetch", 32) as u32,
            dead_letter_timeout: table.ms("dead_letter_worker_publisher_confirm_timeout", 180_000),
            wal_batch_max: table.number("raft.wal_max_batch_size", 4_096) as u32,
        }
    }
}

fn partition_handling(table: &Table<'_>) -> PartitionHandling {
    match table.text("cluster_partition_handling").as_deref() {
        Some("autoheal") => PartitionHandling::Autoheal,
        Some("pause_minority") => PartitionHandling::PauseMinority,
        Some("pause_if_all_down") => PartitionHandling::PauseIfAllDown {
            nodes: match table.value("cluster_partition_handling.pause_if_all_down.nodes") {
                Some(Value::Texts(names)) => {
                    names.iter().filter_map(|name| describe::broker_number(name)).collect()
                }
                _ => Vec::new(),
            },
            autoheals: table.text("cluster_partition_handling.pause_if_all_down.recover").as_deref()
                == Some("autoheal"),
        },
        _ => PartitionHandling::Ignore,
    }
}

impl PublisherConfig {
    pub(super) fn new(plan: &Plan, producer: &ProducerPlan) -> Self {
        let client = client_of(producer.client.as_deref());
        let scope = Scope::Producer(Some(name_of(client)));
        let table = Table { scope, version: plan.version, written: &producer.config };
        Self {
            client,
            confirms: table.is_on("confirm"),
            window: table.number("window", 0) as u32,
            transaction: table.is_on("tx").then(|| table.number("tx_batch", 1).max(1) as u32),
            mandatory: table.is_on("mandatory"),
            confirm_timeout: Some(table.ms("confirm_timeout", 0)).filter(|timeout| *timeout > Span::ZERO),
            connection: ConnectionConfig::new(&table),
        }
    }
}

impl ConsumerConfig {
    pub(super) fn new(plan: &Plan, consumer: &ConsumerPlan) -> Self {
        let client = client_of(consumer.client.as_deref());
        let scope = Scope::Consumer(Some(name_of(client)));
        let table = Table { scope, version: plan.version, written: &consumer.config };
        let cluster = cluster(plan);
        let prefetch = if consumer.config.contains_key("prefetch") || client == Client::Spring {
            table.number("prefetch", 0)
        } else {
            cluster.number("default_consumer_prefetch", 0)
        };
        Self {
            client,
            prefetch: prefetch as u32,
            is_prefetch_global: table.is_on("global"),
            no_ack: table.is_on("no_ack"),
            exclusive: table.is_on("exclusive"),
            priority: table.text("x-priority").and_then(|text| text.parse().ok()).unwrap_or(0),
            ack_every: table.number("multiple", 1).max(1) as u32,
            cancels_on_failover: table.is_on("x-cancel-on-ha-failover"),
            hears_of_cancel: table.is_on("cancel_notify"),
            confirms: table.is_on("confirm"),
            stream_offset: match table.text("x-stream-offset").as_deref() {
                Some("first") => StreamOffset::First,
                Some("last") => StreamOffset::Last,
                Some(text) => text.parse().map_or(StreamOffset::Next, StreamOffset::At),
                None => StreamOffset::Next,
            },
            keeps_offset: table.is_on("keep_offset"),
            requeues_rejected: table.is_on("default_requeue_rejected"),
            connection: ConnectionConfig::new(&table),
        }
    }
}

impl ConnectionConfig {
    fn new(table: &Table<'_>) -> Self {
        Self {
            heartbeat: table.secs("heartbeat", 60),
            recovery: table.is_on("automatic_recovery").then(|| table.ms("network_recovery_interval", 5_000)),
        }
    }
}

fn cluster(plan: &Plan) -> Table<'_> {
    Table { scope: Scope::Cluster, version: plan.version, written: &plan.cluster.config }
}

/// The library of that name; the vendor's own if none is named.
pub(super) fn client_of(name: Option<&str>) -> Client {
    match name {
        Some("pika") => Client::Pika,
        Some("spring") => Client::Spring,
        _ => Client::Java,
    }
}

/// As scenarios name it.
pub(super) fn name_of(client: Client) -> &'static str {
    match client {
        Client::Java => "java",
        Client::Pika => "pika",
        Client::Spring => "spring",
    }
}

/// Whether a publisher's messages are persistent if they say nothing else.
pub(super) fn is_persistent(plan: &Plan, producer: &ProducerPlan) -> bool {
    let scope = Scope::Producer(Some(name_of(client_of(producer.client.as_deref()))));
    let table = Table { scope, version: plan.version, written: &producer.config };
    matches!(table.text("delivery_mode").as_deref(), Some("2" | "persistent"))
}
