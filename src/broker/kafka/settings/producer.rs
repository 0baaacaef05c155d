//! Settings of producers: the Java client and librdkafka.

use super::Absent;
use crate::broker::{Kind, Scope, Setting};
use crate::scenario::plan::Version;

const ALWAYS: Version = Version(0, 0, 0);
const JAVA: Scope = Scope::Producer(Some("java"));
const RDKAFKA: Scope = Scope::Producer(Some("librdkafka"));
const MILLIS: Kind = Kind::Int(1, 604_800_000);
const MILLIS_OR_ZERO: Kind = Kind::Int(0, 604_800_000);
const INT: Kind = Kind::Int(0, 2_147_483_647);
const POSITIVE: Kind = Kind::Int(1, 2_147_483_647);
const ACKS: Kind = Kind::OneOf(&["0", "1", "all", "-1"]);

const ACKS_MEANING: &str = "Who must have a batch before the send counts as done.";
const RETRIES_MEANING: &str = "How often the client sends a batch again.";
const IN_FLIGHT_MEANING: &str = "How many requests may be unanswered on one connection.";
const LINGER_MEANING: &str = "How long a batch waits for more messages.";
const REFRESH_MEANING: &str = "After how long the client asks anew who leads.";

/// The modelled ones.
pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(JAVA, "acks", ACKS, ACKS_MEANING).defaults(&[(ALWAYS, "1"), (Version(3, 0, 0), "all")]),
    Setting::new(JAVA, "retries", INT, RETRIES_MEANING)
        .defaults(&[(ALWAYS, "0"), (Version(2, 1, 0), "2147483647")]),
    Setting::new(JAVA, "delivery.timeout.ms", POSITIVE, "How long a send may take in all, retries included.")
        .defaults(&[(ALWAYS, "120000")])
        .since(Version(2, 1, 0)),
    Setting::new(JAVA, "request.timeout.ms", MILLIS, "How long the client waits for an answer.")
        .defaults(&[(ALWAYS, "30000")]),
    Setting::new(JAVA, "max.in.flight.requests.per.connection", POSITIVE, IN_FLIGHT_MEANING)
        .defaults(&[(ALWAYS, "5")]),
    Setting::new(JAVA, "linger.ms", MILLIS_OR_ZERO, LINGER_MEANING)
        .defaults(&[(ALWAYS, "0"), (Version(4, 0, 0), "5")]),
    Setting::new(JAVA, "batch.size", INT, "The bytes at which a batch is full.")
        .defaults(&[(ALWAYS, "16384")]),
    Setting::new(JAVA, "retry.backoff.ms", MILLIS_OR_ZERO, "How long before a batch is sent again.")
        .defaults(&[(ALWAYS, "100")]),
    Setting::new(JAVA, "retry.backoff.max.ms", MILLIS_OR_ZERO, "How far the growing backoff grows.")
        .defaults(&[(ALWAYS, "1000")])
        .since(Version(3, 7, 0)),
    Setting::new(JAVA, "buffer.memory", Kind::Int(1, 1 << 40), "The bytes that may wait in the client.")
        .defaults(&[(ALWAYS, "33554432")]),
    Setting::new(
        JAVA,
        "max.block.ms",
        MILLIS_OR_ZERO,
        "How long a send blocks when the client's buffer is full.",
    )
    .defaults(&[(ALWAYS, "60000")]),
    Setting::new(JAVA, "metadata.max.age.ms", MILLIS, REFRESH_MEANING).defaults(&[(ALWAYS, "300000")]),
    Setting::new(
        JAVA,
        "enable.idempotence",
        Kind::Bool,
        "Whether brokers recognise batches that are sent again.",
    )
    .defaults(&[
        (ALWAYS, "false"),
        (Version(3, 0, 1), "true"),
        (Version(3, 1, 0), "false"),
        (Version(3, 1, 1), "true"),
    ])
    .since(Version(0, 11, 0)),
    Setting::new(
        JAVA,
        "partitioner.class",
        Kind::OneOf(&["default", "round_robin", "uniform_sticky"]),
        "How a partition is chosen.",
    )
    .defaults(&[(ALWAYS, "default")]),
    Setting::new(RDKAFKA, "acks", ACKS, ACKS_MEANING)
        .aliases(&["request.required.acks"])
        .defaults(&[(ALWAYS, "1"), (Version(3, 0, 0), "-1")]),
    Setting::new(RDKAFKA, "retries", INT, RETRIES_MEANING)
        .aliases(&["message.send.max.retries"])
        .defaults(&[(ALWAYS, "2"), (Version(2, 1, 0), "2147483647")]),
    Setting::new(
        RDKAFKA,
        "enable.idempotence",
        Kind::Bool,
        "Whether brokers recognise batches that are sent again.",
    )
    .defaults(&[(ALWAYS, "false")]),
    Setting::new(
        RDKAFKA,
        "message.timeout.ms",
        POSITIVE,
        "How long a send may take in all, retries included.",
    )
    .aliases(&["delivery.timeout.ms"])
    .defaults(&[(ALWAYS, "300000")]),
    Setting::new(RDKAFKA, "request.timeout.ms", MILLIS, "How long the broker waits for replicas.")
        .defaults(&[(ALWAYS, "5000"), (Version(2, 1, 0), "30000")]),
    Setting::new(RDKAFKA, "socket.timeout.ms", MILLIS, "How long the client waits for an answer.")
        .defaults(&[(ALWAYS, "60000")]),
    Setting::new(
        RDKAFKA,
        "max.in.flight.requests.per.connection",
        Kind::Int(1, 1_000_000),
        IN_FLIGHT_MEANING,
    )
    .aliases(&["max.in.flight"])
    .defaults(&[(ALWAYS, "1000000")]),
    Setting::new(RDKAFKA, "linger.ms", Kind::Int(0, 900_000), LINGER_MEANING)
        .aliases(&["queue.buffering.max.ms"])
        .defaults(&[(ALWAYS, "0"), (Version(2, 4, 0), "5")]),
    Setting::new(
        RDKAFKA,
        "batch.num.messages",
        Kind::Int(1, 1_000_000),
        "The messages at which a batch is full.",
    )
    .defaults(&[(ALWAYS, "10000")]),
    Setting::new(RDKAFKA, "batch.size", POSITIVE, "The bytes at which a batch is full.")
        .defaults(&[(ALWAYS, "1000000")]),
    Setting::new(
        RDKAFKA,
        "retry.backoff.ms",
        Kind::Int(1, 300_000),
        "How long before a batch is sent again.",
    )
    .defaults(&[(ALWAYS, "100")]),
    Setting::new(
        RDKAFKA,
        "queue.buffering.max.messages",
        POSITIVE,
        "The messages that may wait in the client; above, a send fails at once.",
    )
    .defaults(&[(ALWAYS, "100000")]),
    Setting::new(RDKAFKA, "topic.metadata.refresh.interval.ms", Kind::Int(-1, 3_600_000), REFRESH_MEANING)
        .defaults(&[(ALWAYS, "300000")]),
    Setting::new(
        RDKAFKA,
        "partitioner",
        Kind::OneOf(&["consistent_random", "consistent", "random", "murmur2", "murmur2_random"]),
        "How a partition is chosen.",
    )
    .defaults(&[(ALWAYS, "consistent_random")]),
];

/// The others.
pub(super) const ABSENT: &[Absent] = &[
    (JAVA, "bootstrap.servers", "The brokers that the client asks first; here it knows them all."),
    (JAVA, "client.dns.lookup", "How names of brokers are looked up."),
    (JAVA, "client.id", "The name that the client gives itself."),
    (JAVA, "compression.type", "The compression of batches."),
    (JAVA, "connections.max.idle.ms", "After how long idle connections are closed."),
    (JAVA, "enable.metrics.push", "Whether the client sends its metrics to brokers."),
    (JAVA, "interceptor.classes", "Classes that see each message."),
    (JAVA, "key.serializer", "How keys become bytes."),
    (JAVA, "max.request.size", "The largest request."),
    (JAVA, "metadata.max.idle.ms", "How long metadata of unused topics is kept."),
    (JAVA, "metadata.recovery.strategy", "What the client does when it knows no broker any more."),
    (JAVA, "partitioner.adaptive.partitioning.enable", "Whether slow brokers get fewer messages."),
    (JAVA, "partitioner.availability.timeout.ms", "When a partition counts as unavailable."),
    (JAVA, "partitioner.ignore.keys", "Whether keys do not decide the partition."),
    (JAVA, "receive.buffer.bytes", "The receive buffer of connections."),
    (JAVA, "reconnect.backoff.max.ms", "How long the client waits at most before it connects again."),
    (JAVA, "reconnect.backoff.ms", "How long the client waits before it connects again."),
    (JAVA, "sasl.mechanism", "How the client proves who it is."),
    (JAVA, "security.protocol", "How connections are secured."),
    (JAVA, "send.buffer.bytes", "The send buffer of connections."),
    (JAVA, "socket.connection.setup.timeout.ms", "How long connecting may take."),
    (JAVA, "transaction.timeout.ms", "How long a transaction may stay open."),
    (JAVA, "transactional.id", "The name under which transactions survive restarts."),
    (JAVA, "value.serializer", "How values become bytes."),
    (RDKAFKA, "bootstrap.servers", "The brokers that the client asks first; here it knows them all."),
    (RDKAFKA, "client.id", "The name that the client gives itself."),
    (RDKAFKA, "compression.codec", "The compression of batches."),
    (RDKAFKA, "compression.type", "The compression of batches."),
    (RDKAFKA, "enable.gapless.guarantee", "Whether a gap in an idempotent stream is fatal."),
    (RDKAFKA, "message.copy.max.bytes", "From which size messages are not copied."),
    (RDKAFKA, "message.max.bytes", "The largest request."),
    (RDKAFKA, "metadata.max.age.ms", "How long the client keeps metadata."),
    (RDKAFKA, "queue.buffering.backpressure.threshold", "When the client stops making new batches."),
    (RDKAFKA, "queue.buffering.max.kbytes", "The bytes that may wait in the client."),
    (RDKAFKA, "queuing.strategy", "In which order waiting messages are sent."),
    (RDKAFKA, "reconnect.backoff.max.ms", "How long the client waits at most before it connects again."),
    (RDKAFKA, "reconnect.backoff.ms", "How long the client waits before it connects again."),
    (RDKAFKA, "retry.backoff.max.ms", "How far the growing backoff grows."),
    (RDKAFKA, "sasl.mechanism", "How the client proves who it is."),
    (RDKAFKA, "security.protocol", "How connections are secured."),
    (RDKAFKA, "socket.keepalive.enable", "Whether idle connections are probed."),
    (RDKAFKA, "socket.max.fails", "After how many failures a connection is closed."),
    (RDKAFKA, "socket.nagle.disable", "Whether small packets are sent at once."),
    (RDKAFKA, "sticky.partitioning.linger.ms", "How long keyless messages stick to a partition."),
    (
        RDKAFKA,
        "topic.metadata.refresh.fast.interval.ms",
        "How often metadata is asked for while a leader is missing.",
    ),
    (RDKAFKA, "transaction.timeout.ms", "How long a transaction may stay open."),
    (RDKAFKA, "transactional.id", "The name under which transactions survive restarts."),
];
