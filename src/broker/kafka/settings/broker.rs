//! Settings of brokers: `[cluster] config`.

use super::Absent;
use crate::broker::{Kind, Scope, Setting};
use crate::scenario::plan::Version;

const ALWAYS: Version = Version(0, 0, 0);
const SCOPE: Scope = Scope::Cluster;
const MILLIS: Kind = Kind::Int(1, 604_800_000);

const fn broker(name: &'static str, kind: Kind, meaning: &'static str) -> Setting {
    Setting::new(SCOPE, name, kind, meaning)
}

/// The modelled ones.
pub(super) const SETTINGS: &[Setting] = &[
    broker("replica.lag.time.max.ms", MILLIS, "How long a follower may lag before it leaves the ISR.")
        .defaults(&[(ALWAYS, "10000"), (Version(2, 5, 0), "30000")]),
    broker(
        "replica.fetch.wait.max.ms",
        MILLIS,
        "How long a leader holds a follower's fetch that finds nothing.",
    )
    .defaults(&[(ALWAYS, "500")]),
    broker("replica.fetch.backoff.ms", MILLIS, "How long a follower waits after a failed fetch.")
        .defaults(&[(ALWAYS, "1000")]),
    broker("replica.socket.timeout.ms", MILLIS, "How long a follower waits for its leader's answer.")
        .defaults(&[(ALWAYS, "30000")]),
    broker(
        "replica.high.watermark.checkpoint.interval.ms",
        MILLIS,
        "How often a broker writes its high watermarks to disk.",
    )
    .defaults(&[(ALWAYS, "5000")]),
    broker(
        "zookeeper.session.timeout.ms",
        MILLIS,
        "After how much silence ZooKeeper declares a broker dead.",
    )
    .defaults(&[(ALWAYS, "6000"), (Version(2, 5, 0), "18000")])
    .until(Version(4, 0, 0)),
    broker("broker.heartbeat.interval.ms", MILLIS, "How often a broker reports to the KRaft controller.")
        .defaults(&[(ALWAYS, "2000")])
        .since(Version(2, 8, 0)),
    broker(
        "broker.session.timeout.ms",
        MILLIS,
        "After how much silence the KRaft controller fences a broker.",
    )
    .defaults(&[(ALWAYS, "9000")])
    .since(Version(2, 8, 0)),
    broker("default.replication.factor", Kind::Int(1, 100), "Replicas of topics that do not say how many.")
        .defaults(&[(ALWAYS, "1")]),
    broker("min.insync.replicas", Kind::Int(1, 100), "How many in-sync replicas `acks=all` needs.")
        .defaults(&[(ALWAYS, "1")]),
    broker(
        "unclean.leader.election.enable",
        Kind::Bool,
        "Whether a replica outside the ISR may become leader.",
    )
    .defaults(&[(ALWAYS, "true"), (Version(0, 11, 0), "false")]),
    broker(
        "log.flush.interval.messages",
        Kind::Int(1, i64::MAX),
        "After how many records a log is flushed to disk.",
    )
    .defaults(&[(ALWAYS, "9223372036854775807")]),
    broker(
        "group.initial.rebalance.delay.ms",
        Kind::Int(0, 604_800_000),
        "How long the coordinator waits for more members of an empty group.",
    )
    .defaults(&[(ALWAYS, "3000")])
    .since(Version(0, 11, 0)),
    broker(
        "offsets.topic.replication.factor",
        Kind::Int(1, 100),
        "Replicas of the topic that holds committed offsets.",
    )
    .defaults(&[(ALWAYS, "3")]),
    broker(
        "controlled.shutdown.enable",
        Kind::Bool,
        "Whether a broker that is asked to stop hands over first.",
    )
    .defaults(&[(ALWAYS, "true")]),
];

/// The others.
pub(super) const ABSENT: &[Absent] = &[
    (SCOPE, "advertised.listeners", "The addresses that clients are told."),
    (SCOPE, "alter.config.policy.class.name", "A policy that checks changed settings."),
    (SCOPE, "authorizer.class.name", "The class that authorises requests."),
    (SCOPE, "auto.create.topics.enable", "Whether topics are created when they are first used."),
    (
        SCOPE,
        "auto.leader.rebalance.enable",
        "Whether leadership moves back to the preferred replica by itself.",
    ),
    (SCOPE, "background.threads", "Threads for background work."),
    (SCOPE, "broker.id", "The broker's number; nodes are numbered from 1 here."),
    (SCOPE, "broker.rack", "The rack that the broker stands in."),
    (SCOPE, "compression.type", "The compression that brokers apply."),
    (SCOPE, "connections.max.idle.ms", "After how long idle connections are closed."),
    (SCOPE, "controlled.shutdown.max.retries", "How often a controlled shutdown is tried."),
    (SCOPE, "controlled.shutdown.retry.backoff.ms", "How long between two tries of a controlled shutdown."),
    (SCOPE, "controller.quorum.election.timeout.ms", "When a controller starts an election."),
    (SCOPE, "controller.quorum.fetch.timeout.ms", "When a controller takes its leader for dead."),
    (SCOPE, "controller.quorum.voters", "The controllers' addresses."),
    (SCOPE, "controller.socket.timeout.ms", "How long the controller waits for a broker's answer."),
    (SCOPE, "delete.topic.enable", "Whether topics can be deleted."),
    (SCOPE, "group.consumer.heartbeat.interval.ms", "The heartbeat interval of the newer group protocol."),
    (SCOPE, "group.consumer.session.timeout.ms", "The session time-out of the newer group protocol."),
    (SCOPE, "group.max.session.timeout.ms", "The longest session time-out that members may ask for."),
    (SCOPE, "group.max.size", "The most members that a group may have."),
    (SCOPE, "group.min.session.timeout.ms", "The shortest session time-out that members may ask for."),
    (SCOPE, "inter.broker.protocol.version", "The protocol between brokers of different releases."),
    (SCOPE, "leader.imbalance.check.interval.seconds", "How often leadership is checked for imbalance."),
    (SCOPE, "leader.imbalance.per.broker.percentage", "How much imbalance is allowed."),
    (SCOPE, "listeners", "The addresses that a broker listens on."),
    (SCOPE, "log.cleaner.enable", "Whether logs are compacted."),
    (SCOPE, "log.cleanup.policy", "Whether old segments are deleted or compacted."),
    (SCOPE, "log.dirs", "The directories that logs are kept in."),
    (SCOPE, "log.flush.interval.ms", "How long a record may stay unflushed."),
    (SCOPE, "log.flush.offset.checkpoint.interval.ms", "How often the flushed position is written to disk."),
    (SCOPE, "log.flush.scheduler.interval.ms", "How often logs are checked for flushing."),
    (SCOPE, "log.message.format.version", "The record format on disk."),
    (SCOPE, "log.message.timestamp.type", "Whether records carry the time of creation or of appending."),
    (SCOPE, "log.retention.bytes", "The size above which old segments are deleted."),
    (SCOPE, "log.retention.hours", "The age above which old segments are deleted."),
    (SCOPE, "log.retention.minutes", "The age above which old segments are deleted."),
    (SCOPE, "log.retention.ms", "The age above which old segments are deleted."),
    (SCOPE, "log.roll.ms", "After how long a new segment begins."),
    (SCOPE, "log.segment.bytes", "The size at which a new segment begins."),
    (SCOPE, "message.max.bytes", "The largest batch that a broker takes."),
    (SCOPE, "num.io.threads", "Threads that carry out requests."),
    (SCOPE, "num.network.threads", "Threads that read and write connections."),
    (SCOPE, "num.partitions", "Partitions of topics that are created by themselves."),
    (SCOPE, "num.recovery.threads.per.data.dir", "Threads that recover logs after a crash."),
    (SCOPE, "num.replica.fetchers", "Threads that fetch from each leader."),
    (SCOPE, "offsets.commit.timeout.ms", "How long a commit of offsets may wait for replicas."),
    (SCOPE, "offsets.retention.minutes", "How long offsets of an idle group are kept."),
    (SCOPE, "offsets.topic.num.partitions", "Partitions of the topic that holds committed offsets."),
    (SCOPE, "process.roles", "Whether a node is broker, controller or both."),
    (SCOPE, "producer.id.expiration.ms", "How long idle producer ids are remembered."),
    (SCOPE, "queued.max.requests", "Requests that may wait for a thread."),
    (SCOPE, "quota.producer.default", "How many bytes a second each producer may send."),
    (SCOPE, "replica.fetch.max.bytes", "The most bytes of a partition in one fetch of a follower."),
    (SCOPE, "replica.fetch.min.bytes", "The fewest bytes that a follower's fetch waits for."),
    (SCOPE, "replica.fetch.response.max.bytes", "The most bytes in one answer to a follower."),
    (SCOPE, "replica.lag.max.messages", "How many records a follower may lag, before 0.9."),
    (SCOPE, "replica.selector.class", "From which replica consumers read."),
    (SCOPE, "request.timeout.ms", "How long a broker waits for an answer to its own requests."),
    (SCOPE, "security.inter.broker.protocol", "How brokers secure their connections."),
    (SCOPE, "socket.receive.buffer.bytes", "The receive buffer of connections."),
    (SCOPE, "socket.request.max.bytes", "The largest request that a broker takes."),
    (SCOPE, "socket.send.buffer.bytes", "The send buffer of connections."),
    (SCOPE, "ssl.keystore.location", "Where the broker's key is kept."),
    (
        SCOPE,
        "transaction.abort.timed.out.transaction.cleanup.interval.ms",
        "How often abandoned transactions are ended.",
    ),
    (SCOPE, "transaction.max.timeout.ms", "The longest time-out that transactions may ask for."),
    (SCOPE, "transaction.state.log.min.isr", "In-sync replicas that the transaction log needs."),
    (SCOPE, "transaction.state.log.num.partitions", "Partitions of the transaction log."),
    (SCOPE, "transaction.state.log.replication.factor", "Replicas of the transaction log."),
    (SCOPE, "transactional.id.expiration.ms", "How long idle transactional ids are remembered."),
    (SCOPE, "zookeeper.connect", "ZooKeeper's address."),
    (SCOPE, "zookeeper.connection.timeout.ms", "How long a broker tries to reach ZooKeeper when it starts."),
];
