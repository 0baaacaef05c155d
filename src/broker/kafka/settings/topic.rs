//! Settings of topics: `[topic.NAME] config`. Left out, the broker's setting holds.

use super::Absent;
use crate::broker::{Kind, Scope, Setting};

const SCOPE: Scope = Scope::Entity("topic");

const fn topic(name: &'static str, kind: Kind, meaning: &'static str) -> Setting {
    Setting::new(SCOPE, name, kind, meaning)
}

/// The modelled ones.
pub(super) const SETTINGS: &[Setting] = &[
    topic("replication.factor", Kind::Int(1, 100), "How many replicas each partition has."),
    topic("min.insync.replicas", Kind::Int(1, 100), "How many in-sync replicas `acks=all` needs."),
    topic(
        "unclean.leader.election.enable",
        Kind::Bool,
        "Whether a replica outside the ISR may become leader.",
    ),
    topic("flush.messages", Kind::Int(1, i64::MAX), "After how many records a log is flushed to disk."),
];

/// The others.
pub(super) const ABSENT: &[Absent] = &[
    (SCOPE, "cleanup.policy", "Whether old segments are deleted or compacted."),
    (SCOPE, "compression.type", "The compression that brokers apply."),
    (SCOPE, "delete.retention.ms", "How long tombstones are kept."),
    (SCOPE, "file.delete.delay.ms", "How long deleted files stay on disk."),
    (SCOPE, "flush.ms", "How long a record may stay unflushed."),
    (SCOPE, "follower.replication.throttled.replicas", "The replicas whose replication is throttled."),
    (SCOPE, "index.interval.bytes", "How dense the offset index is."),
    (SCOPE, "leader.replication.throttled.replicas", "The replicas whose replication is throttled."),
    (SCOPE, "local.retention.bytes", "The size above which tiered segments are deleted from local disks."),
    (SCOPE, "local.retention.ms", "The age above which tiered segments are deleted from local disks."),
    (SCOPE, "max.compaction.lag.ms", "How long a record may stay uncompacted."),
    (SCOPE, "max.message.bytes", "The largest batch that the topic takes."),
    (SCOPE, "message.format.version", "The record format on disk."),
    (SCOPE, "message.timestamp.type", "Whether records carry the time of creation or of appending."),
    (SCOPE, "min.cleanable.dirty.ratio", "When compaction begins."),
    (SCOPE, "min.compaction.lag.ms", "How long a record is safe from compaction."),
    (SCOPE, "preallocate", "Whether segments are allocated in advance."),
    (SCOPE, "remote.storage.enable", "Whether old segments move to remote storage."),
    (SCOPE, "retention.bytes", "The size above which old segments are deleted."),
    (SCOPE, "retention.ms", "The age above which old segments are deleted."),
    (SCOPE, "segment.bytes", "The size at which a new segment begins."),
    (SCOPE, "segment.index.bytes", "The size of the offset index."),
    (SCOPE, "segment.jitter.ms", "Random delay of new segments."),
    (SCOPE, "segment.ms", "After how long a new segment begins."),
];
