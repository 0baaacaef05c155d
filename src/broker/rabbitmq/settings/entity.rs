//! Arguments of queues and exchanges, and keys of policies.

use super::Absent;
use crate::broker::{Kind, Scope, Setting};
use crate::scenario::plan::Version;

const ALWAYS: Version = Version(0, 0, 0);
const QUEUE: Scope = Scope::Entity("queue");
const EXCHANGE: Scope = Scope::Entity("exchange");
const POLICY: Scope = Scope::Entity("policy");
const VHOST: Scope = Scope::Entity("vhost");
const MILLIS: Kind = Kind::Int(0, 4_294_967_295);
const EXPIRES: Kind = Kind::Int(1, 4_294_967_295);
const LENGTH: Kind = Kind::Int(0, 2_147_483_647);
const LIMIT: Kind = Kind::Int(-1, 2_147_483_647);
const MEMBERS: Kind = Kind::Int(1, 100);
const OVERFLOW: Kind = Kind::OneOf(&["drop-head", "reject-publish", "reject-publish-dlx"]);
const STRATEGY: Kind = Kind::OneOf(&["at-most-once", "at-least-once"]);
const LOCATOR: Kind = Kind::OneOf(&["client-local", "balanced"]);
const OLD_LOCATOR: Kind = Kind::OneOf(&["client-local", "min-masters", "random"]);
const MODE: Kind = Kind::OneOf(&["default", "lazy"]);
const STORAGE: Kind = Kind::OneOf(&["1", "2"]);

const TTL: &str = "Messages die after so many milliseconds; only the one at the head is looked at.";
const QUEUE_TTL: &str = "The queue is deleted after so many milliseconds without consumers and use.";
const MAX_LENGTH: &str = "How many ready messages the queue holds.";
const IN_MEMORY: &str = "How many ready messages a quorum queue keeps in memory; it reads others from disk.";
const MAX_BYTES: &str = "How many bytes of ready messages the queue holds; of a stream: all its bytes.";
const FULL: &str =
    "What a full queue does: drop its oldest message, refuse the new one, or dead-letter the new one.";
const DLX: &str = "The exchange that gets what is rejected, expires or overflows.";
const DLX_KEY: &str = "The routing key of dead letters; left out: the keys that they came with.";
const DLX_STRATEGY: &str = "Whether a quorum queue keeps a dead letter until its destination has confirmed \
                            it; needs \
                            `overflow = \"reject-publish\"`.";
const DELIVERY_LIMIT: &str = "How many returns a message in a quorum queue survives; -1: any number.";
const LEADER: &str = "On which node the queue is born: the client's, which is the first one here, or the \
                      one with the \
                      fewest queues.";
const LAZY: &str =
    "Whether a classic queue writes everything out at once and holds nothing in memory; until 3.11.";
const VERSION: &str = "The storage of a classic queue: v1 with a journal, or v2.";
const TIMEOUT: &str = "How many milliseconds a consumer of this queue may hold a message.";
const DISCONNECTED: &str =
    "How many milliseconds a quorum queue keeps what a consumer holds whose node is out of reach.";
const MAX_AGE: &str = "How old the segments of a stream get: `7D`, `12h`, `30s`.";
const SEGMENT: &str = "How many bytes a segment of a stream has; retention takes whole segments.";
const RETRY_MIN: &str =
    "How many milliseconds a quorum queue keeps back a returned message, for each return.";
const RETRY_MAX: &str = "How many milliseconds of that at most.";

/// The modelled ones.
pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(
        QUEUE,
        "x-queue-type",
        Kind::OneOf(&["classic", "quorum", "stream"]),
        "The type of the queue.",
    )
    .defaults(&[(ALWAYS, "classic")])
    .since(Version(3, 8, 0)),
    Setting::new(QUEUE, "x-message-ttl", MILLIS, TTL),
    Setting::new(QUEUE, "x-expires", EXPIRES, QUEUE_TTL),
    Setting::new(QUEUE, "x-max-length", LENGTH, MAX_LENGTH),
    Setting::new(QUEUE, "x-max-length-bytes", Kind::Bytes, MAX_BYTES),
    Setting::new(QUEUE, "x-overflow", OVERFLOW, FULL)
        .defaults(&[(ALWAYS, "drop-head")])
        .since(Version(3, 7, 0)),
    Setting::new(QUEUE, "x-dead-letter-exchange", Kind::Text, DLX),
    Setting::new(QUEUE, "x-dead-letter-routing-key", Kind::Text, DLX_KEY),
    Setting::new(QUEUE, "x-dead-letter-strategy", STRATEGY, DLX_STRATEGY)
        .defaults(&[(ALWAYS, "at-most-once")])
        .since(Version(3, 10, 0)),
    Setting::new(
        QUEUE,
        "x-max-priority",
        Kind::Int(0, 255),
        "How many levels of priority a classic queue has above 0; higher ones come first.",
    ),
    Setting::new(
        QUEUE,
        "x-single-active-consumer",
        Kind::Bool,
        "Whether one consumer gets everything, and the others wait for it to go.",
    )
    .defaults(&[(ALWAYS, "false")])
    .since(Version(3, 8, 0)),
    Setting::new(QUEUE, "x-delivery-limit", LIMIT, DELIVERY_LIMIT)
        .defaults(&[(ALWAYS, "-1"), (Version(4, 0, 0), "20")])
        .since(Version(3, 8, 0)),
    Setting::new(QUEUE, "x-max-in-memory-length", LENGTH, IN_MEMORY)
        .since(Version(3, 8, 0))
        .until(Version(3, 10, 0)),
    Setting::new(
        QUEUE,
        "x-quorum-initial-group-size",
        MEMBERS,
        "How many members a quorum queue has; left out: `quorum_cluster_size`.",
    )
    .since(Version(3, 8, 0)),
    Setting::new(QUEUE, "x-initial-cluster-size", MEMBERS, "How many nodes hold a stream; left out: all.")
        .since(Version(3, 9, 0)),
    Setting::new(QUEUE, "x-queue-mode", MODE, LAZY).defaults(&[(ALWAYS, "default")]),
    Setting::new(QUEUE, "x-queue-version", STORAGE, VERSION)
        .defaults(&[(ALWAYS, "1"), (Version(4, 0, 0), "2")])
        .since(Version(3, 10, 0)),
    Setting::new(QUEUE, "x-queue-leader-locator", LOCATOR, LEADER).since(Version(3, 9, 0)),
    Setting::new(QUEUE, "x-queue-master-locator", OLD_LOCATOR, LEADER).until(Version(4, 0, 0)),
    Setting::new(QUEUE, "x-consumer-timeout", EXPIRES, TIMEOUT).since(Version(3, 12, 0)),
    Setting::new(QUEUE, "x-consumer-disconnected-timeout", MILLIS, DISCONNECTED)
        .defaults(&[(Version(4, 3, 0), "60000")])
        .since(Version(4, 3, 0)),
    Setting::new(QUEUE, "x-delayed-retry-min", EXPIRES, RETRY_MIN).since(Version(4, 3, 0)),
    Setting::new(QUEUE, "x-delayed-retry-max", EXPIRES, RETRY_MAX).since(Version(4, 3, 0)),
    Setting::new(QUEUE, "x-max-age", Kind::Text, MAX_AGE).since(Version(3, 9, 0)),
    Setting::new(QUEUE, "x-stream-max-segment-size-bytes", Kind::Bytes, SEGMENT)
        .defaults(&[(ALWAYS, "500000000")])
        .since(Version(3, 9, 0)),
    Setting::new(
        EXCHANGE,
        "alternate-exchange",
        Kind::Text,
        "The exchange that gets what this one cannot route.",
    ),
    Setting::new(
        EXCHANGE,
        "x-delayed-type",
        Kind::OneOf(&["direct", "fanout", "topic", "headers"]),
        "How a delayed-message exchange routes when the delay is over.",
    ),
    Setting::new(POLICY, "message-ttl", MILLIS, TTL),
    Setting::new(POLICY, "expires", EXPIRES, QUEUE_TTL),
    Setting::new(POLICY, "max-length", LENGTH, MAX_LENGTH),
    Setting::new(POLICY, "max-length-bytes", Kind::Bytes, MAX_BYTES),
    Setting::new(POLICY, "overflow", OVERFLOW, FULL).since(Version(3, 7, 0)),
    Setting::new(POLICY, "dead-letter-exchange", Kind::Text, DLX),
    Setting::new(POLICY, "dead-letter-routing-key", Kind::Text, DLX_KEY),
    Setting::new(POLICY, "dead-letter-strategy", STRATEGY, DLX_STRATEGY).since(Version(3, 10, 0)),
    Setting::new(POLICY, "delivery-limit", LIMIT, DELIVERY_LIMIT).since(Version(3, 8, 0)),
    Setting::new(POLICY, "max-in-memory-length", LENGTH, IN_MEMORY)
        .since(Version(3, 8, 0))
        .until(Version(3, 10, 0)),
    Setting::new(POLICY, "queue-mode", MODE, LAZY),
    Setting::new(POLICY, "queue-version", STORAGE, VERSION).since(Version(3, 10, 0)),
    Setting::new(POLICY, "queue-leader-locator", LOCATOR, LEADER).since(Version(3, 9, 0)),
    Setting::new(POLICY, "queue-master-locator", OLD_LOCATOR, LEADER).until(Version(4, 0, 0)),
    Setting::new(POLICY, "consumer-timeout", EXPIRES, TIMEOUT).since(Version(3, 12, 0)),
    Setting::new(POLICY, "consumer-disconnected-timeout", MILLIS, DISCONNECTED).since(Version(4, 3, 0)),
    Setting::new(POLICY, "delayed-retry-min", EXPIRES, RETRY_MIN).since(Version(4, 3, 0)),
    Setting::new(POLICY, "delayed-retry-max", EXPIRES, RETRY_MAX).since(Version(4, 3, 0)),
    Setting::new(POLICY, "max-age", Kind::Text, MAX_AGE).since(Version(3, 9, 0)),
    Setting::new(POLICY, "stream-max-segment-size-bytes", Kind::Bytes, SEGMENT).since(Version(3, 9, 0)),
    Setting::new(
        POLICY,
        "alternate-exchange",
        Kind::Text,
        "The exchange that gets what an exchange cannot route.",
    ),
    Setting::new(
        POLICY,
        "ha-mode",
        Kind::OneOf(&["all", "exactly", "nodes"]),
        "Which nodes mirror a classic queue: all, so many, or those named in `ha-params`.",
    )
    .until(Version(4, 0, 0)),
    Setting::new(
        POLICY,
        "ha-params",
        Kind::CountOrTexts(1, 100),
        "How many nodes hold the queue, the leader included, or their names.",
    )
    .until(Version(4, 0, 0)),
    Setting::new(
        POLICY,
        "ha-sync-mode",
        Kind::OneOf(&["manual", "automatic"]),
        "Whether a new mirror is brought up to date at once; the queue stands still meanwhile.",
    )
    .defaults(&[(ALWAYS, "manual")])
    .until(Version(4, 0, 0)),
    Setting::new(
        POLICY,
        "ha-sync-batch-size",
        Kind::Int(1, 2_147_483_647),
        "How many messages one step of that copies.",
    )
    .until(Version(4, 0, 0)),
    Setting::new(
        POLICY,
        "ha-promote-on-shutdown",
        Kind::OneOf(&["when-synced", "always"]),
        "Whether an unsynchronised mirror takes over from a leader that is stopped.",
    )
    .defaults(&[(ALWAYS, "when-synced")])
    .until(Version(4, 0, 0)),
    Setting::new(
        POLICY,
        "ha-promote-on-failure",
        Kind::OneOf(&["always", "when-synced"]),
        "Whether an unsynchronised mirror takes over from a leader that fails.",
    )
    .defaults(&[(ALWAYS, "always")])
    .since(Version(3, 7, 5))
    .until(Version(4, 0, 0)),
];

/// Known, and refused.
pub(super) const ABSENT: &[Absent] = &[
    (QUEUE, "x-delayed-retry-type", "Which returns a quorum queue delays; here all."),
    (QUEUE, "x-max-in-memory-bytes", "How many bytes a quorum queue keeps in memory."),
    (QUEUE, "x-message-deduplication", "Whether a plugin drops messages that were seen before."),
    (QUEUE, "x-quorum-target-group-size", "How many members a quorum queue grows to."),
    (QUEUE, "x-stream-filter-size-bytes", "How large the filters of a stream are."),
    (POLICY, "delayed-retry-type", "Which returns a quorum queue delays; here all."),
    (POLICY, "federation-upstream-set", "Where a federated exchange or queue gets messages from."),
    (POLICY, "ha-sync-max-throughput", "How fast a mirror is brought up to date."),
    (POLICY, "max-in-memory-bytes", "How many bytes a quorum queue keeps in memory."),
    (POLICY, "shards-per-node", "How many queues a sharded exchange has on each node."),
    (POLICY, "target-group-size", "How many members a quorum queue grows to."),
    (VHOST, "max-connections", "How many connections the vhost takes."),
    (VHOST, "max-queues", "How many queues the vhost takes."),
];
