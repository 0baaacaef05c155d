//! Settings of consumers: the Java client and librdkafka.

use super::Absent;
use crate::broker::{Kind, Scope, Setting};
use crate::scenario::plan::Version;

const ALWAYS: Version = Version(0, 0, 0);
const JAVA: Scope = Scope::Consumer(Some("java"));
const RDKAFKA: Scope = Scope::Consumer(Some("librdkafka"));
const MILLIS: Kind = Kind::Int(1, 604_800_000);
const POSITIVE: Kind = Kind::Int(1, 2_147_483_647);

const GROUP_MEANING: &str = "The group that the instances belong to; left out, the consumer's name.";
const AUTO_COMMIT_MEANING: &str = "Whether the client commits positions by itself.";
const COMMIT_EVERY_MEANING: &str = "How often the client commits positions by itself.";
const RESET_MEANING: &str = "Where a group without a committed position begins.";
const SESSION_MEANING: &str = "After how much silence the coordinator removes a member.";
const HEARTBEAT_MEANING: &str = "How often a member reports to the coordinator.";
const POLL_MEANING: &str = "How long a member may process before it has to poll again.";
const WAIT_MEANING: &str = "How long a broker holds a fetch that finds nothing.";
const REFRESH_MEANING: &str = "After how long the client asks anew who leads.";
const ISOLATION_MEANING: &str = "Whether records of open transactions are read.";
const ASSIGNMENT_MEANING: &str = "How partitions are shared among the members.";
const PROTOCOL_MEANING: &str = "Which group protocol the member speaks.";

/// The modelled ones.
pub(super) const SETTINGS: &[Setting] = &[
    Setting::new(JAVA, "group.id", Kind::Text, GROUP_MEANING),
    Setting::new(JAVA, "enable.auto.commit", Kind::Bool, AUTO_COMMIT_MEANING).defaults(&[(ALWAYS, "true")]),
    Setting::new(JAVA, "auto.commit.interval.ms", MILLIS, COMMIT_EVERY_MEANING).defaults(&[(ALWAYS, "5000")]),
    Setting::new(JAVA, "auto.offset.reset", Kind::OneOf(&["latest", "earliest", "none"]), RESET_MEANING)
        .defaults(&[(ALWAYS, "latest")]),
    Setting::new(JAVA, "max.poll.records", POSITIVE, "The most records that one poll returns.")
        .defaults(&[(ALWAYS, "2147483647"), (Version(0, 10, 1), "500")])
        .since(Version(0, 10, 0)),
    Setting::new(JAVA, "session.timeout.ms", MILLIS, SESSION_MEANING).defaults(&[
        (ALWAYS, "30000"),
        (Version(0, 10, 1), "10000"),
        (Version(3, 0, 0), "45000"),
    ]),
    Setting::new(JAVA, "heartbeat.interval.ms", MILLIS, HEARTBEAT_MEANING).defaults(&[(ALWAYS, "3000")]),
    Setting::new(JAVA, "max.poll.interval.ms", POSITIVE, POLL_MEANING)
        .defaults(&[(ALWAYS, "300000")])
        .since(Version(0, 10, 1)),
    Setting::new(JAVA, "fetch.max.wait.ms", MILLIS, WAIT_MEANING).defaults(&[(ALWAYS, "500")]),
    Setting::new(JAVA, "request.timeout.ms", MILLIS, "How long the client waits for an answer.").defaults(&[
        (ALWAYS, "40000"),
        (Version(0, 10, 1), "305000"),
        (Version(2, 0, 0), "30000"),
    ]),
    Setting::new(JAVA, "metadata.max.age.ms", MILLIS, REFRESH_MEANING).defaults(&[(ALWAYS, "300000")]),
    Setting::new(
        JAVA,
        "isolation.level",
        Kind::OneOf(&["read_uncommitted", "read_committed"]),
        ISOLATION_MEANING,
    )
    .defaults(&[(ALWAYS, "read_uncommitted")])
    .since(Version(0, 11, 0)),
    Setting::new(JAVA, "partition.assignment.strategy", Kind::Text, ASSIGNMENT_MEANING)
        .defaults(&[(ALWAYS, "range")]),
    Setting::new(JAVA, "group.protocol", Kind::OneOf(&["classic", "consumer"]), PROTOCOL_MEANING)
        .defaults(&[(ALWAYS, "classic")])
        .since(Version(3, 7, 0)),
    Setting::new(RDKAFKA, "group.id", Kind::Text, GROUP_MEANING),
    Setting::new(RDKAFKA, "enable.auto.commit", Kind::Bool, AUTO_COMMIT_MEANING)
        .defaults(&[(ALWAYS, "true")]),
    Setting::new(RDKAFKA, "auto.commit.interval.ms", MILLIS, COMMIT_EVERY_MEANING)
        .defaults(&[(ALWAYS, "5000")]),
    Setting::new(
        RDKAFKA,
        "auto.offset.reset",
        Kind::OneOf(&["latest", "earliest", "error", "largest", "smallest", "end", "beginning"]),
        RESET_MEANING,
    )
    .defaults(&[(ALWAYS, "latest")]),
    Setting::new(RDKAFKA, "session.timeout.ms", MILLIS, SESSION_MEANING).defaults(&[
        (ALWAYS, "30000"),
        (Version(0, 10, 1), "10000"),
        (Version(3, 0, 0), "45000"),
    ]),
    Setting::new(RDKAFKA, "heartbeat.interval.ms", MILLIS, HEARTBEAT_MEANING).defaults(&[(ALWAYS, "3000")]),
    Setting::new(RDKAFKA, "max.poll.interval.ms", POSITIVE, POLL_MEANING)
        .defaults(&[(ALWAYS, "300000")])
        .since(Version(2, 1, 0)),
    Setting::new(RDKAFKA, "fetch.wait.max.ms", MILLIS, WAIT_MEANING)
        .defaults(&[(ALWAYS, "100"), (Version(2, 3, 0), "500")]),
    Setting::new(RDKAFKA, "socket.timeout.ms", MILLIS, "How long the client waits for an answer.")
        .defaults(&[(ALWAYS, "60000")]),
    Setting::new(RDKAFKA, "topic.metadata.refresh.interval.ms", Kind::Int(-1, 3_600_000), REFRESH_MEANING)
        .defaults(&[(ALWAYS, "300000")]),
    Setting::new(
        RDKAFKA,
        "isolation.level",
        Kind::OneOf(&["read_uncommitted", "read_committed"]),
        ISOLATION_MEANING,
    )
    .defaults(&[(ALWAYS, "read_uncommitted"), (Version(2, 4, 0), "read_committed")])
    .since(Version(0, 11, 0)),
    Setting::new(RDKAFKA, "partition.assignment.strategy", Kind::Text, ASSIGNMENT_MEANING)
        .defaults(&[(ALWAYS, "range")]),
    Setting::new(RDKAFKA, "group.protocol", Kind::OneOf(&["classic", "consumer"]), PROTOCOL_MEANING)
        .defaults(&[(ALWAYS, "classic")])
        .since(Version(3, 7, 0)),
];

/// The others.
pub(super) const ABSENT: &[Absent] = &[
    (JAVA, "allow.auto.create.topics", "Whether reading creates a topic."),
    (JAVA, "bootstrap.servers", "The brokers that the client asks first; here it knows them all."),
    (JAVA, "check.crcs", "Whether checksums of records are checked."),
    (JAVA, "client.id", "The name that the client gives itself."),
    (JAVA, "client.rack", "The rack that the client stands in."),
    (JAVA, "connections.max.idle.ms", "After how long idle connections are closed."),
    (JAVA, "default.api.timeout.ms", "How long calls of the client may take."),
    (JAVA, "exclude.internal.topics", "Whether patterns leave internal topics out."),
    (JAVA, "fetch.max.bytes", "The most bytes in one answer."),
    (JAVA, "fetch.min.bytes", "The fewest bytes that a fetch waits for."),
    (JAVA, "group.instance.id", "The name under which a static member comes back."),
    (JAVA, "group.remote.assignor", "The assignor of the newer group protocol."),
    (JAVA, "interceptor.classes", "Classes that see each record."),
    (JAVA, "key.deserializer", "How bytes become keys."),
    (JAVA, "max.partition.fetch.bytes", "The most bytes of a partition in one answer."),
    (JAVA, "receive.buffer.bytes", "The receive buffer of connections."),
    (JAVA, "reconnect.backoff.max.ms", "How long the client waits at most before it connects again."),
    (JAVA, "reconnect.backoff.ms", "How long the client waits before it connects again."),
    (JAVA, "retry.backoff.ms", "How long before a failed request is sent again."),
    (JAVA, "sasl.mechanism", "How the client proves who it is."),
    (JAVA, "security.protocol", "How connections are secured."),
    (JAVA, "value.deserializer", "How bytes become values."),
    (RDKAFKA, "bootstrap.servers", "The brokers that the client asks first; here it knows them all."),
    (RDKAFKA, "check.crcs", "Whether checksums of records are checked."),
    (RDKAFKA, "client.id", "The name that the client gives itself."),
    (RDKAFKA, "client.rack", "The rack that the client stands in."),
    (RDKAFKA, "enable.auto.offset.store", "Whether handing over a message already counts as reading it."),
    (RDKAFKA, "enable.partition.eof", "Whether the end of a partition is reported."),
    (RDKAFKA, "fetch.error.backoff.ms", "How long before a failed fetch is sent again."),
    (RDKAFKA, "fetch.max.bytes", "The most bytes in one answer."),
    (RDKAFKA, "fetch.message.max.bytes", "The most bytes of a partition in one answer."),
    (RDKAFKA, "fetch.min.bytes", "The fewest bytes that a fetch waits for."),
    (RDKAFKA, "group.instance.id", "The name under which a static member comes back."),
    (RDKAFKA, "group.remote.assignor", "The assignor of the newer group protocol."),
    (RDKAFKA, "queued.max.messages.kbytes", "The bytes that the client fetches ahead."),
    (RDKAFKA, "queued.min.messages", "The messages that the client fetches ahead."),
    (RDKAFKA, "sasl.mechanism", "How the client proves who it is."),
    (RDKAFKA, "security.protocol", "How connections are secured."),
];
