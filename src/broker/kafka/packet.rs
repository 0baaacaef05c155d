//! What Kafka's nodes say to each other. Sizes on the wire are estimates good enough for bandwidth.

use std::collections::BTreeMap;
use std::sync::Arc;

use smallvec::SmallVec;

use super::config::Acks;
use super::content::BatchId;
use super::control::{Brokers, ClusterState, PartitionState};
use crate::app::{CallError, Talk};
use crate::fact::MessageId;

/// A request or a response.
#[derive(Clone, Debug)]
pub(super) enum Packet {
    Produce(ProduceRequest),
    ProduceResponse(ProduceResponse),
    Fetch(FetchRequest),
    FetchResponse(FetchResponse),
    /// Who leads what?
    Metadata,
    /// As far as the broker asked knows.
    MetadataResponse(Arc<ClusterState>),
    /// `OffsetsForLeaderEpoch`: partition, the asker's leader epoch, the epoch asked for.
    EpochEnds(Vec<(u32, u32, u32)>),
    /// Partition, and the answer.
    EpochEndsResponse(Vec<(u32, Result<EpochEnd, Error>)>),
    /// `ListOffsets`: the end that a consumer may read up to, of these partitions.
    Ends(Vec<u32>),
    EndsResponse(Vec<(u32, Result<u64, Error>)>),
    Group(Box<GroupRequest>),
    GroupResponse(Box<GroupResponse>),
    ZooKeeper(Box<ZooKeeperRequest>),
    ZooKeeperResponse(Box<ZooKeeperResponse>),
    Controller(Box<ControllerRequest>),
    ControllerResponse(Box<ControllerResponse>),
    /// Of a service and those who call it.
    Service(Talk),
}

/// Messages for partitions that one broker leads.
#[derive(Clone, Debug)]
pub(super) struct ProduceRequest {
    pub(super) id: u32,
    pub(super) acks: Acks,
    pub(super) timeout_ms: u32,
    pub(super) parts: SmallVec<[ProducePart; 1]>,
}

/// A batch on its way.
#[derive(Clone, Debug)]
pub(super) struct ProducePart {
    pub(super) partition: u32,
    pub(super) bytes: u32,
    pub(super) messages: SmallVec<[MessageId; 4]>,
}

/// What became of each batch of a request.
#[derive(Clone, Debug)]
pub(super) struct ProduceResponse {
    pub(super) id: u32,
    pub(super) parts: SmallVec<[(u32, Option<Error>); 2]>,
}

/// Give me what comes after these offsets.
#[derive(Clone, Debug)]
pub(super) struct FetchRequest {
    /// A follower's id and incarnation; none: a consumer.
    pub(super) replica: Option<(u16, u32)>,
    pub(super) wait_max_ms: u32,
    pub(super) parts: SmallVec<[FetchPart; 1]>,
}

/// One partition of a fetch.
#[derive(Clone, Copy, Debug)]
pub(super) struct FetchPart {
    pub(super) partition: u32,
    /// The leader epoch that the asker believes in.
    pub(super) epoch: u32,
    /// The epoch of the asker's last record.
    pub(super) last_epoch: u32,
    pub(super) offset: u64,
}

/// What came after.
#[derive(Clone, Debug)]
pub(super) struct FetchResponse {
    pub(super) parts: SmallVec<[FetchedPart; 1]>,
}

/// One partition of a fetch response.
#[derive(Clone, Debug)]
pub(super) struct FetchedPart {
    pub(super) partition: u32,
    pub(super) error: Option<Error>,
    pub(super) watermark: u64,
    pub(super) batches: SmallVec<[BatchId; 4]>,
    /// The logs disagree: the largest epoch not above the asker's last, and its end.
    pub(super) diverging: Option<Box<(u32, u64)>>,
}

/// The answer to `OffsetsForLeaderEpoch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EpochEnd {
    /// None: the broker answers as before KIP-279, or has no such epoch.
    pub(super) epoch: Option<u32>,
    pub(super) end: u64,
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Error {
    NotLeader,
    FencedLeaderEpoch,
    UnknownLeaderEpoch,
    OffsetOutOfRange,
    NotEnoughReplicas,
    NotEnoughReplicasAfterAppend,
    RequestTimedOut,
    /// The client's own: the connection went away with the request.
    Network,
    /// The client's own: the time for delivery is over.
    DeliveryTimedOut,
    /// The client's own: there was no room in the buffer.
    BufferFull,
    NotCoordinator,
    CoordinatorLoading,
    UnknownMember,
    IllegalGeneration,
    RebalanceInProgress,
}

/// What members ask of their group's coordinator.
#[derive(Clone, Debug)]
pub(super) struct GroupRequest {
    pub(super) group: u16,
    pub(super) member: u64,
    pub(super) generation: u32,
    pub(super) ask: GroupAsk,
}

/// The requests of the group protocol.
#[derive(Clone, Debug)]
pub(super) enum GroupAsk {
    /// Session and rebalance time-out in ms.
    Join(u64, u64),
    /// The assignment, from the member that leads the group.
    Sync(Option<BTreeMap<u64, Vec<u32>>>),
    Heartbeat,
    Leave,
    Commit(Vec<(u32, u64)>),
    Offsets(Vec<u32>),
}

/// What the coordinator answers.
#[derive(Clone, Debug)]
pub(super) struct GroupResponse {
    pub(super) group: u16,
    pub(super) answer: Result<GroupAnswer, Error>,
    /// What was asked, for errors.
    pub(super) to: GroupVerb,
}

/// What was asked of the coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum GroupVerb {
    Join,
    Sync,
    Heartbeat,
    Leave,
    Commit,
    Offsets,
}

/// The successful answers.
#[derive(Clone, Debug)]
pub(super) enum GroupAnswer {
    Joined { member: u64, generation: u32, members: Option<Vec<u64>> },
    Assigned(Vec<u32>),
    Done,
    Offsets(Vec<(u32, Option<u64>)>),
}

impl Error {
    /// Every error, in the order of its number.
    const ALL: [(Self, &'static str); 15] = [
        (Self::NotLeader, "NOT_LEADER_OR_FOLLOWER"),
        (Self::FencedLeaderEpoch, "FENCED_LEADER_EPOCH"),
        (Self::UnknownLeaderEpoch, "UNKNOWN_LEADER_EPOCH"),
        (Self::OffsetOutOfRange, "OFFSET_OUT_OF_RANGE"),
        (Self::NotEnoughReplicas, "NOT_ENOUGH_REPLICAS"),
        (Self::NotEnoughReplicasAfterAppend, "NOT_ENOUGH_REPLICAS_AFTER_APPEND"),
        (Self::RequestTimedOut, "REQUEST_TIMED_OUT"),
        (Self::Network, "NETWORK_EXCEPTION"),
        (Self::DeliveryTimedOut, "TimeoutException"),
        (Self::BufferFull, "BufferExhaustedException"),
        (Self::NotCoordinator, "NOT_COORDINATOR"),
        (Self::CoordinatorLoading, "COORDINATOR_LOAD_IN_PROGRESS"),
        (Self::UnknownMember, "UNKNOWN_MEMBER_ID"),
        (Self::IllegalGeneration, "ILLEGAL_GENERATION"),
        (Self::RebalanceInProgress, "REBALANCE_IN_PROGRESS"),
    ];

    /// The name that users know it by.
    pub(super) fn name_of(number: u16) -> &'static str {
        let own = Self::ALL.iter().find(|(error, _)| *error as u16 == number).map(|(_, name)| *name);
        own.or_else(|| CallError::name_of(number)).unwrap_or_default()
    }
}

impl GroupAsk {
    pub(super) fn verb(&self) -> GroupVerb {
        match self {
            Self::Join(..) => GroupVerb::Join,
            Self::Sync(_) => GroupVerb::Sync,
            Self::Heartbeat => GroupVerb::Heartbeat,
            Self::Leave => GroupVerb::Leave,
            Self::Commit(_) => GroupVerb::Commit,
            Self::Offsets(_) => GroupVerb::Offsets,
        }
    }
}

/// What brokers ask of ZooKeeper.
#[derive(Clone, Debug)]
pub(super) enum ZooKeeperRequest {
    /// A new session, or the old one again.
    Connect {
        broker: u16,
        session: Option<u64>,
    },
    Ping,
    /// The ephemeral node of a broker's process.
    Register {
        incarnation: u32,
    },
    /// The ephemeral node of the controller.
    Campaign,
    Read,
    /// A leader changes the ISR of its partition, if nobody else changed anything.
    ChangeIsr {
        partition: u32,
        /// The leader's own number of the proposal: the answer names it.
        number: u32,
        expected: u32,
        isr: Brokers,
    },
    /// The controller changes partitions, if nobody else changed anything.
    Change {
        controller_epoch: u32,
        changes: Vec<(u32, PartitionState)>,
    },
    /// The session ends.
    Close,
}

/// What ZooKeeper answers, and what it says by itself to those who watch.
#[derive(Clone, Debug)]
pub(super) enum ZooKeeperResponse {
    Connected {
        session: u64,
    },
    Expired,
    Pong,
    Registered,
    /// The old session's node is still there.
    Exists,
    /// Who the controller is, and whether that is the asker.
    Controller {
        epoch: u32,
        is_you: bool,
    },
    State(Arc<ClusterState>),
    IsrChanged {
        partition: u32,
        number: u32,
        result: Result<PartitionState, PartitionState>,
    },
    Changed {
        all: bool,
    },
    /// Watches: the controller's node is gone; brokers came or went; a leader changed an ISR.
    ControllerGone,
    BrokersChanged,
    IsrsChanged,
}

/// What brokers ask of a controller: the KRaft node, or the broker in office.
#[derive(Clone, Debug)]
pub(super) enum ControllerRequest {
    /// KRaft: a process registers; the one before it stopped cleanly, or did not.
    Register { broker: u16, incarnation: u32, is_clean: bool },
    /// KRaft: a registered process lives, and perhaps wants to stop.
    Heartbeat { broker: u16, incarnation: u32, wants_stop: bool },
    /// KRaft: a leader changes the ISR.
    ChangeIsr { broker: u16, partition: u32, number: u32, epoch: u32, expected: u32, isr: Brokers },
    /// ZooKeeper: a broker wants to stop.
    Shutdown { broker: u16, incarnation: u32 },
    /// From a controller in office to a broker: `LeaderAndIsr` and `UpdateMetadata`.
    Update(Arc<ClusterState>),
}

/// What a controller answers.
#[derive(Clone, Debug)]
pub(super) enum ControllerResponse {
    Registered,
    /// Another process of this broker is registered and its session has not ended.
    DuplicateRegistration,
    Heartbeat {
        may_stop: bool,
        is_known: bool,
    },
    IsrChanged {
        partition: u32,
        number: u32,
        is_accepted: bool,
    },
    /// How many partitions the stopping broker still leads.
    Shutdown {
        remaining: u32,
    },
    /// An update arrived: asked for only where a lost one would not be noticed otherwise (before KIP-380).
    Updated,
    /// KRaft: the metadata log moved on.
    Metadata(Arc<ClusterState>),
}

impl Packet {
    /// Whether it asks for something, and is no answer.
    pub(super) fn is_request(&self) -> bool {
        match self {
            Self::Produce(_)
            | Self::Fetch(_)
            | Self::Metadata
            | Self::EpochEnds(_)
            | Self::Ends(_)
            | Self::Group(_)
            | Self::ZooKeeper(_)
            | Self::Controller(_)
            | Self::Service(Talk::Call { .. }) => true,
            Self::ProduceResponse(_)
            | Self::FetchResponse(_)
            | Self::MetadataResponse(_)
            | Self::EpochEndsResponse(_)
            | Self::EndsResponse(_)
            | Self::GroupResponse(_)
            | Self::ZooKeeperResponse(_)
            | Self::ControllerResponse(_)
            | Self::Service(Talk::Reply { .. }) => false,
        }
    }

    /// A number for the fingerprint.
    #[inline]
    pub(super) fn fingerprint(&self) -> u64 {
        match self {
            Self::Produce(request) => u64::from(request.id) << 8 | 1,
            Self::ProduceResponse(response) => u64::from(response.id) << 8 | 2,
            Self::Fetch(request) => request.parts.first().map_or(0, |part| part.offset) << 8 | 3,
            Self::FetchResponse(response) => response.parts.first().map_or(0, |part| part.watermark) << 8 | 4,
            Self::Metadata => 5,
            Self::MetadataResponse(state) => state.version << 8 | 6,
            Self::EpochEnds(asked) => (asked.len() as u64) << 8 | 7,
            Self::EpochEndsResponse(answers) => (answers.len() as u64) << 8 | 8,
            Self::Ends(asked) => (asked.len() as u64) << 8 | 9,
            Self::EndsResponse(answers) => (answers.len() as u64) << 8 | 10,
            Self::Group(request) => u64::from(request.generation) << 8 | 11,
            Self::GroupResponse(response) => u64::from(response.group) << 8 | 12,
            Self::ZooKeeper(_) => 13,
            Self::ZooKeeperResponse(_) => 14,
            Self::Controller(_) => 15,
            Self::ControllerResponse(_) => 16,
            Self::Service(talk) => talk.fingerprint() << 8 | 17,
        }
    }
}
