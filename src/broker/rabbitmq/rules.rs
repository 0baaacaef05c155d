//! What differs between releases, by rule; known bugs are rules too, named after what they do.
//!
//! Sources: release notes of RabbitMQ 3.6 to 4.3 (<https://www.rabbitmq.com/release-information>), and the commits
//! named at the rules.

use crate::scenario::plan::Version;
use crate::sim::Span;

use super::topology::Storage;

/// The oldest release that is modelled.
pub(super) const OLDEST: Version = Version(3, 6, 0);

/// The newest release that is modelled.
pub(super) const NEWEST: Version = Version(4, 3, 0);

/// Who keeps the metadata of a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MetadataStore {
    /// Tables that every node has, changed by transactions of all nodes that are there; partition handling strategies.
    Mnesia,
    /// A Raft log of all nodes; a minority changes nothing, and there are no strategies to choose.
    Khepri,
}

/// What a quorum queue knows of priorities.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QuorumPriorities {
    /// Nothing: all messages are alike.
    None,
    /// High (above 4) and normal; two high ones are served for each normal one.
    TwoLevels,
    /// 32 levels, the highest first.
    Strict,
}

/// The rules that depend on the release.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a rule that a release has or has not")]
pub(super) struct Rules {
    pub(super) version: Version,
    pub(super) metadata: MetadataStore,
    /// How classic queues are stored that say nothing of it.
    pub(super) default_storage: Storage,
    /// The store of large messages, shared by the queues of a vhost, is flushed to the device before a confirm.
    pub(super) shared_store_syncs: bool,
    /// Lazy queues differ from others: until 3.11.
    pub(super) has_lazy_mode: bool,
    /// A classic queue keeps at most this many messages in memory (3.12); none: as many as the memory takes.
    pub(super) in_memory_max: Option<u32>,
    /// Classic queues can have mirrors.
    pub(super) has_mirrors: bool,
    /// `ha-promote-on-failure` exists (3.7.5); before, an unsynchronised mirror is always promoted.
    pub(super) has_promote_on_failure: bool,
    /// Quorum queues know time to live and at-least-once dead lettering (3.10).
    pub(super) has_quorum_ttl: bool,
    pub(super) quorum_priorities: QuorumPriorities,
    /// How often a quorum queue returns a message if nobody says; none: without end.
    pub(super) quorum_delivery_limit: Option<u32>,
    /// Only failures count against the delivery limit: rejects and crashes, not negative acknowledgements (4.3).
    pub(super) counts_only_failures: bool,
    /// What a consumer gives back without a delivery limit goes to the tail of a quorum queue (3.10).
    pub(super) returns_to_tail: bool,
    /// How long a quorum queue keeps what a consumer holds whose node is out of reach.
    pub(super) consumer_disconnected_timeout: Span,
    /// A single active consumer of a quorum queue gives way to one of a higher priority (4.0).
    pub(super) active_consumer_yields: bool,
    /// Quorum queues can keep rejected messages back for a while (4.3).
    pub(super) has_delayed_retry: bool,
    /// Quorum queues alone watch how long their consumers take, each queue for itself (4.3).
    pub(super) times_out_quorum_only: bool,
    pub(super) has_streams: bool,
    /// How long a consumer may hold a message, by default; none: as long as it likes.
    pub(super) consumer_timeout: Option<Span>,
    /// The largest message, by default; none: no limit.
    pub(super) message_bytes_max: Option<u64>,
    /// Headers `x-last-death-…` say why a message died last (3.13).
    pub(super) notes_last_death: bool,
    /// A header `x-death` that a client sent counts (until 3.13).
    pub(super) trusts_sent_deaths: bool,
    /// A publish to a durable classic queue whose node is down is unroutable (until 3.10): it is confirmed, and in no
    /// queue. Source: commit 110899b254, in 3.11.0.
    pub(super) forgets_queues_of_dead_nodes: bool,
    /// Bug: queues that died before they confirmed are taken for having confirmed (until 3.7). Source: server pull
    /// request 1893, in 3.8.0.
    pub(super) dead_queues_confirm: bool,
    /// Bug: a publish to a classic queue whose single active consumer was cancelled crashes the queue. Source: server
    /// issue 5460, fixed in 3.9.27, 3.10.13 and 3.11.5.
    pub(super) crashes_on_cancelled_active: bool,
    /// Bug: between mirrors, messages are sent in a way that loses their order and some confirms. Source: server issue
    /// 6115; 3.10.0 to 3.10.9, 3.11.0 and 3.11.1.
    pub(super) mirrors_send_unsafely: bool,
    /// Bug: a quorum queue younger than about a second does not survive that its node is killed. Measured on 3.10.8;
    /// other releases were not looked at.
    pub(super) young_quorum_queue_dies: bool,
    /// Bug: a node that pauses itself does not notice a second network failure while it comes back. Source: server
    /// issue 2175, reported of 3.7 and 3.8.
    pub(super) pauses_only_once: bool,
    /// Bug: mirrored queues of nodes that start at the same time can come up empty, or without mirrors. Source: server
    /// issue 2009, 3.7.15 to 3.8.2.
    pub(super) mirrors_race_at_start: bool,
    /// Bug: where the leader's node is silent and not yet given up, the metadata still names it, and a new channel
    /// keeps its commands for it until it is back. Source: server issue 9208, pull request 9241; the notes of 3.12.5
    /// name the fix. Earlier releases look in the same place; nobody reported it of them.
    pub(super) channels_wait_for_dead_leaders: bool,
    /// Bug: a member that was down while its queue was deleted and declared again brings the old log back. Source:
    /// server issue 12366; pull request 15615, in 4.3.0.
    pub(super) takes_old_members_back: bool,
    /// Bug: a node that does not find its member starts one with a Raft id that the others do not know. Source: server
    /// issue 15725, of the spring of 2026; ids are compared since pull request 15615, in 4.3.0. Why a node does not
    /// find its member was not published: here, because it lost its disk.
    pub(super) new_members_are_strangers: bool,
    /// Bug: a quorum queue does not notice that a consumer is gone, goes on serving it, and hands everything out twice
    /// besides. Source: server issue 3064, reported of 3.8.14; the cause was never published, this is its symptom.
    pub(super) doubles_after_restarts: bool,
    /// Bug: of messages that are handed out together, those in memory arrive before those that are read from disk, and
    /// the channel takes older ones that come later for ones that it had. Source: server pull request 2976 of April
    /// 2021, taken over into 3.8: 3.8.15.
    pub(super) memory_overtakes_disk: bool,
}

impl Rules {
    /// The rules of a release.
    pub(super) fn of(version: Version) -> Self {
        let from = |major, minor, patch| version >= Version(major, minor, patch);
        let within = |first: Version, end: Version| version >= first && version < end;
        Self {
            version,
            metadata: if from(4, 2, 0) { MetadataStore::Khepri } else { MetadataStore::Mnesia },
            default_storage: if from(4, 0, 0) { Storage::V2 } else { Storage::V1 },
            shared_store_syncs: !from(3, 13, 0),
            has_lazy_mode: !from(3, 12, 0),
            in_memory_max: from(3, 12, 0).then_some(2_048),
            has_mirrors: !from(4, 0, 0),
            has_promote_on_failure: from(3, 7, 5),
            has_quorum_ttl: from(3, 10, 0),
            quorum_priorities: match version {
                _ if from(4, 3, 0) => QuorumPriorities::Strict,
                _ if from(4, 0, 0) => QuorumPriorities::TwoLevels,
                _ => QuorumPriorities::None,
            },
            quorum_delivery_limit: from(4, 0, 0).then_some(20),
            counts_only_failures: from(4, 3, 0),
            returns_to_tail: from(3, 10, 0),
            consumer_disconnected_timeout: if from(4, 3, 0) { Span::from_secs(60) } else { Span::ZERO },
            active_consumer_yields: from(4, 0, 0),
            has_delayed_retry: from(4, 3, 0),
            times_out_quorum_only: from(4, 3, 0),
            has_streams: from(3, 9, 0),
            consumer_timeout: match version {
                _ if from(3, 8, 17) => Some(Span::from_secs(30 * 60)),
                _ if from(3, 8, 15) => Some(Span::from_secs(15 * 60)),
                _ => None,
            },
            message_bytes_max: match version {
                _ if from(4, 0, 0) => Some(16 << 20),
                _ if from(3, 8, 0) => Some(128 << 20),
                _ => None,
            },
            notes_last_death: from(3, 13, 0),
            trusts_sent_deaths: !from(4, 0, 0),
            forgets_queues_of_dead_nodes: !from(3, 11, 0),
            dead_queues_confirm: !from(3, 8, 0),
            crashes_on_cancelled_active: within(Version(3, 8, 0), Version(3, 9, 27))
                || within(Version(3, 10, 0), Version(3, 10, 13))
                || within(Version(3, 11, 0), Version(3, 11, 5)),
            mirrors_send_unsafely: within(Version(3, 10, 0), Version(3, 10, 10))
                || within(Version(3, 11, 0), Version(3, 11, 2)),
            young_quorum_queue_dies: within(Version(3, 10, 0), Version(3, 11, 0)),
            pauses_only_once: within(Version(3, 7, 0), Version(3, 9, 0)),
            mirrors_race_at_start: within(Version(3, 7, 15), Version(3, 8, 3)),
            channels_wait_for_dead_leaders: within(Version(3, 12, 0), Version(3, 12, 5)),
            takes_old_members_back: within(Version(3, 8, 0), Version(4, 3, 0)),
            new_members_are_strangers: within(Version(4, 2, 0), Version(4, 3, 0)),
            doubles_after_restarts: within(Version(3, 8, 14), Version(3, 8, 15)),
            memory_overtakes_disk: within(Version(3, 8, 0), Version(3, 8, 15)),
        }
    }
}
