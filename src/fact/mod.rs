//! The vocabulary of observations: what can be said to have happened in a run, in any family.
//!
//! A world writes [`Observation`]s; folds read them in order. Names and numbers are indices into the plan's lists, so
//! that an observation is small and plain. Only [`Fact::Family`] carries a family's own words, and only that family
//! reads them.
//!
//! Invariant: observing changes nothing. A world with details on has the same digest as one with details off.

pub use crate::sim::NodeId;

/// One thing that happened.
pub type Observation = crate::sim::Observation<Fact>;

/// A message, numbered in the order in which messages fell due over all producers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MessageId(pub u32);

/// Index into the plan's producers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProducerId(pub u16);

/// Index into the plan's subscriptions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubscriptionId(pub u16);

/// The pseudo-subscription of messages that are addressed to nobody.
pub const NONE: SubscriptionId = SubscriptionId(u16::MAX);

/// Where copies live: a partition, a queue, a stream. Numbered and named by the family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PlaceId(pub u32);

/// What happened. Kinds marked *detail* are written only while details are wanted: charts, stories and cause chains
/// need them, fates do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// A producer instance's message fell due.
    Due {
        /// The message.
        message: MessageId,
        /// Whose.
        producer: ProducerId,
        /// Which instance, from 0.
        instance: u16,
        /// Its number within the producer, from 1: `checkout#17`.
        number: u32,
        /// Its key, if keys are used.
        key: Option<u32>,
    },
    /// The application handed an attempt to the client library (*detail* for the first attempt).
    Sent {
        /// The message.
        message: MessageId,
        /// Counts from 1; above 1 the application sends again.
        attempt: u16,
    },
    /// The client API told the application that the send succeeded.
    Confirmed {
        /// The message.
        message: MessageId,
        /// Which attempt.
        attempt: u16,
    },
    /// The client API told the application that the send failed.
    Failed {
        /// The message.
        message: MessageId,
        /// Which attempt.
        attempt: u16,
        /// The family's error; worded by it.
        error: u16,
    },
    /// The client API told the application that no queue took the message. It may be confirmed all the same; the user
    /// does not hear "done" then.
    Returned {
        /// The message.
        message: MessageId,
    },
    /// The application will never hear what became of its send: the connection died first. Nobody was told that it
    /// failed.
    Unanswered {
        /// The message.
        message: MessageId,
    },
    /// The producing application's own database committed the write that goes with the message: the user heard "done".
    Written {
        /// The message.
        message: MessageId,
    },
    /// A copy was written at a node (*detail*).
    Stored {
        /// The message.
        message: MessageId,
        /// Where.
        place: PlaceId,
        /// At which offset or position.
        offset: u64,
    },
    /// A copy disappeared from a node (*detail*).
    Removed {
        /// The message.
        message: MessageId,
        /// Where.
        place: PlaceId,
        /// At which offset or position.
        offset: u64,
        /// By which rule.
        rule: Rule,
    },
    /// A consumer instance was handed the message.
    Delivered {
        /// The message.
        message: MessageId,
        /// To which subscription.
        subscription: SubscriptionId,
        /// To which instance, from 0.
        instance: u16,
        /// The broker said that it may have been handed out before.
        flagged: bool,
    },
    /// A committed write of the store changed its state because of the message.
    Effect {
        /// The message.
        message: MessageId,
        /// For which subscription.
        subscription: SubscriptionId,
        /// An old value was applied over a newer one.
        stale: bool,
    },
    /// The message was processed and the store recognised it as already done: no effect.
    Recognised {
        /// The message.
        message: MessageId,
        /// For which subscription.
        subscription: SubscriptionId,
    },
    /// The message was given up, by the application or by the broker while it waited: it will not be processed, and
    /// nobody gets it again because of that.
    GivenUp {
        /// The message.
        message: MessageId,
        /// For which subscription; [`NONE`]: it waited where nobody reads, or led nowhere.
        subscription: SubscriptionId,
        /// Why, and what became of it.
        how: GivenUp,
    },
    /// The consumer told the broker that this message, and what its family says goes with it, is done.
    Acknowledged {
        /// The last message covered.
        message: MessageId,
        /// For which subscription.
        subscription: SubscriptionId,
    },
    /// A place has a new leader, or none.
    LeaderElected {
        /// Of what.
        place: PlaceId,
        /// Who leads now; none: nobody can.
        leader: Option<NodeId>,
        /// In which epoch or term; 0: it has none.
        epoch: u32,
        /// It was in sync; else whatever it lacks is lost.
        is_clean: bool,
    },
    /// The cluster noticed that this observation's node is down.
    DetectedDown {
        /// Who did, where that is one node's opinion; none: it holds for the whole cluster.
        by: Option<NodeId>,
    },
    /// A fault of the plan began to act on this observation's node.
    Fault {
        /// Index into the plan's faults.
        fault: u16,
    },
    /// A fault of the plan ended on this observation's node.
    FaultEnded {
        /// Index into the plan's faults.
        fault: u16,
    },
    /// The node's process ended.
    NodeDown {
        /// In which way.
        how: Down,
    },
    /// The node's process started.
    NodeUp,
    /// The first process of a consumer that was not there from the beginning started: its subscription exists.
    Subscribed {
        /// Whose.
        subscription: SubscriptionId,
    },
    /// A family's own fact, read and worded by its folder alone.
    Family(FamilyFact),
}

impl Fact {
    /// The message that this is about; none: about no single message.
    pub fn message(&self) -> Option<MessageId> {
        match *self {
            Self::Due { message, .. }
            | Self::Sent { message, .. }
            | Self::Confirmed { message, .. }
            | Self::Failed { message, .. }
            | Self::Returned { message }
            | Self::Unanswered { message }
            | Self::Written { message }
            | Self::Stored { message, .. }
            | Self::Removed { message, .. }
            | Self::Delivered { message, .. }
            | Self::Effect { message, .. }
            | Self::Recognised { message, .. }
            | Self::GivenUp { message, .. }
            | Self::Acknowledged { message, .. } => Some(message),
            Self::LeaderElected { .. }
            | Self::DetectedDown { .. }
            | Self::Fault { .. }
            | Self::FaultEnded { .. }
            | Self::NodeDown { .. }
            | Self::NodeUp
            | Self::Subscribed { .. }
            | Self::Family(_) => None,
        }
    }
}

/// By which rule a copy disappeared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// A replica cut its log to agree with its leader.
    Truncated,
    /// It had not reached the disk when the power went.
    PowerLost,
    /// The disk was replaced.
    DiskLost,
    /// The tail of the log was torn.
    Torn,
    /// It was in the memory of a process that ended.
    Unwritten,
    /// It is of the kind that no restart keeps.
    Transient,
    /// The node joins others again with empty hands: what it has is not theirs.
    Replaced,
    /// The place that it was in was deleted.
    Deleted,
    /// It was among the oldest of a log that keeps only so much.
    Retention,
    /// The place that it was in did not start again with what it had.
    Crashed,
}

/// Why a message is given up, and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GivenUp {
    /// The application drops it, or the broker does because it was delivered too often.
    Discarded,
    /// It is put into a dead-letter destination.
    DeadLettered,
    /// It waited longer than it may.
    Expired,
    /// There is no room for it.
    Overflowed,
    /// Nothing leads from where it was sent to anywhere.
    Unroutable,
}

/// The dead-letter destinations of a subscription, the broker's and the application's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Aside {
    /// What sits there: each message once a copy.
    pub messages: Vec<MessageId>,
    /// Who takes it from there.
    pub readers: Vec<SubscriptionId>,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Down {
    /// Killed: what it had written to the page cache stays.
    Killed,
    /// The power went: what was not flushed is gone.
    PowerLost,
    /// It was asked to stop, and did what it does before that.
    Stopped,
    /// More was asked of it than it could take.
    Overrun,
    /// Its application ended itself: it could not process a message.
    GaveUp,
}

/// A family's own fact: a kind and up to four numbers, worded by the family that wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FamilyFact {
    /// The family's kind.
    pub kind: u16,
    /// What it is about, most often a place.
    pub place: u32,
    /// Its numbers.
    pub numbers: [u64; 2],
}
