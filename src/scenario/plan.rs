//! What a checked scenario asks for, under one variant: everything a world needs, nothing about the file it came from.
//!
//! Times are spans from the start of the run. Settings are the vendor's own, as the author wrote them; the family
//! turns them, with its defaults by version, into its typed configuration.

use std::collections::BTreeMap;

use crate::sim::{Dist, Span};

/// One run, but for its seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// `kafka/acks-one`, or the path of the file.
    pub scenario: String,
    /// The variant's name; none: the file has no variants.
    pub variant: Option<String>,
    /// The family's name: `kafka`.
    pub family: &'static str,
    /// The release whose defaults and rules hold.
    pub version: Version,
    /// The seed that the file names.
    pub seed: u64,
    /// Producers send and faults start in this window.
    pub run_for: Span,
    /// Then consumers get this long.
    pub drain_for: Span,
    /// The cluster's nodes and settings.
    pub cluster: ClusterPlan,
    /// Topics, queues, exchanges: in the order of their names within a kind.
    pub entities: Vec<EntityPlan>,
    /// In the order of their names.
    pub producers: Vec<ProducerPlan>,
    /// In the order of their names.
    pub consumers: Vec<ConsumerPlan>,
    /// Latency and bandwidth of every link.
    pub network: NetworkPlan,
    /// What goes wrong, in the order of their names.
    pub faults: Vec<FaultPlan>,
    /// What is claimed: the file's own claims, then the variant's.
    pub expectations: Vec<super::expect::Expectation>,
}

impl Plan {
    /// The names of the subscriptions, in the order of their numbers: every consumer; without consumers `audit`.
    pub fn subscriptions(&self) -> Vec<String> {
        if self.consumers.is_empty() {
            return vec![AUDIT.to_owned()];
        }
        self.consumers.iter().map(|consumer| consumer.name.clone()).collect()
    }
}

/// The subscription of a scenario without consumers: it reads all that is readable at the end.
pub const AUDIT: &str = "audit";

/// A release: `2.0`, `3.7.1`. Missing parts are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version(pub u16, pub u16, pub u16);

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.0, self.1)?;
        if self.2 > 0 {
            write!(f, ".{}", self.2)?;
        }
        Ok(())
    }
}

/// Settings by the vendor's own names, as far as the author wrote them.
pub type Config = BTreeMap<String, Value>;

/// The value of a setting or of a field.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `true`, `false`.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// Anything else the vendor writes as text.
    Text(String),
}

/// The cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClusterPlan {
    /// How many nodes of each of the vendor's roles: `brokers = 3`.
    pub roles: BTreeMap<String, u16>,
    /// Fields of `[cluster]` that the family declares besides: `metadata = "kraft"`.
    pub fields: Config,
    /// Broker settings.
    pub config: Config,
}

/// A named table that the family declares: `[topic.orders]`.
#[derive(Clone, Debug, PartialEq)]
pub struct EntityPlan {
    /// `topic`.
    pub kind: &'static str,
    /// `orders`.
    pub name: String,
    /// The fields that the family declares: `partitions = 3`.
    pub fields: Config,
    /// The entity's settings.
    pub config: Config,
}

/// A producer: one application with one or more instances.
#[derive(Clone, Debug, PartialEq)]
pub struct ProducerPlan {
    /// `checkout`.
    pub name: String,
    /// Where it sends, in the family's words.
    pub send_to: String,
    /// How many instances share the work.
    pub instances: u16,
    /// When messages fall due.
    pub rate: Rate,
    /// How many in total; none: until the window ends.
    pub messages: Option<u32>,
    /// How many different keys; none: messages have no key.
    pub keys: Option<u32>,
    /// Payload bytes of each message.
    pub size_bytes: u32,
    /// What the application does when the client says that a send failed.
    pub if_failed: Reaction,
    /// What it does when the failure leaves open whether the message was stored; none: as `if_failed`.
    pub if_unknown: Option<Reaction>,
    /// How often it hands a message to the client at most.
    pub attempts_max: u16,
    /// How long it waits before it sends again.
    pub attempt_every: Span,
    /// Which client library; none: the vendor's own.
    pub client: Option<String>,
    /// Client settings.
    pub config: Config,
}

/// When messages fall due. Rates are totals over the producer's instances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rate {
    /// Evenly spaced: this much time between two messages.
    Every(Span),
    /// Exponentially distributed gaps with this mean.
    Poisson(Span),
    /// Each instance sends its next message when the one before is answered.
    OneByOne,
    /// Each instance sends as fast as the client library takes messages.
    Max,
}

/// What a producing application does when a send did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reaction {
    /// It goes on with the next message.
    GiveUp,
    /// It hands the message to the client library again: an application-level retry.
    SendAgain,
}

/// A consumer: one application, one subscription, one or more instances.
#[derive(Clone, Debug, PartialEq)]
pub struct ConsumerPlan {
    /// `billing`; also the name of its subscription.
    pub name: String,
    /// What it reads, in the family's words.
    pub read_from: String,
    /// How many instances share the work.
    pub instances: u16,
    /// How long processing one message takes, the write to the store included.
    pub process: Dist,
    /// How it protects itself against repeated deliveries.
    pub idempotency: Idempotency,
    /// Which client library; none: the vendor's own.
    pub client: Option<String>,
    /// Client settings.
    pub config: Config,
}

/// How a consuming application protects its store against repeated deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// Not at all: each processing is an effect.
    None,
    /// The message's business id is a unique key: a repeated insert fails and is ignored.
    UniqueKey,
    /// The effect sets the key to the message's value: the same value again changes nothing.
    SetByKey,
}

/// Every link's properties.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NetworkPlan {
    /// One-way latency.
    pub latency: Dist,
    /// Bytes a second on each directed link; none: unlimited.
    pub bandwidth: Option<u64>,
    /// How long one fsync takes.
    pub fsync: Dist,
}

/// One fault.
#[derive(Clone, Debug, PartialEq)]
pub struct FaultPlan {
    /// Its name in the file.
    pub name: String,
    /// When it starts.
    pub trigger: Trigger,
    /// What it does.
    pub verb: Verb,
    /// After how long it ends; none: it lasts.
    pub ends_after: Option<Span>,
    /// It may stay unfired without anybody complaining.
    pub optional: bool,
    /// A name for the node that was hit, for later targets: `as = "old leader"`.
    pub known_as: Option<String>,
}

/// When a fault starts.
#[derive(Clone, Debug, PartialEq)]
pub enum Trigger {
    /// At this time.
    At(Span),
    /// When something is observed for the nth time, and a while after.
    When {
        /// Which moment: `confirmed`.
        moment: Moment,
        /// Only of this producer, consumer, instance or node.
        by: Option<String>,
        /// Counts from 1.
        nth: u32,
        /// How long after it.
        after: Span,
    },
}

/// What a trigger can wait for, in every family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the contract's own words")]
pub enum Moment {
    Sent,
    Confirmed,
    Failed,
    Delivered,
    Effect,
    Acknowledged,
    LeaderElected,
    DetectedDown,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq)]
pub enum Verb {
    /// The process ends at once; the page cache stays; peers get a reset.
    Kill(Target),
    /// The machine loses power: silence, and what was not flushed is gone.
    PowerOff(Target),
    /// The process is asked to stop.
    Stop(Target),
    /// The process stands still; its kernel goes on.
    Freeze(Target),
    /// A process that is down starts, a frozen one thaws.
    Start(Target),
    /// All connections are reset; the process lives on.
    Disconnect(Target),
    /// No packets between the target and the others.
    Cut {
        /// Who is cut off.
        target: Target,
        /// From whom; none: from everybody.
        from: Option<Target>,
        /// Only packets from the target are stopped.
        one_way: bool,
    },
    /// Packets take longer.
    Delay {
        /// Between these and …
        target: Target,
        /// … these; none: everybody.
        from: Option<Target>,
        /// By how much.
        by: Dist,
    },
    /// Each fsync takes this many times as long.
    SlowDisk {
        /// Whose disk.
        target: Target,
        /// How many times as long.
        factor: u32,
    },
    /// The disk is replaced by an empty one (the node must be down, or goes down).
    LoseDisk(Target),
    /// Raw frames vanish: something TCP would not let happen, named as what it is.
    Drop(FrameFault),
    /// Raw frames arrive twice.
    Duplicate(FrameFault),
}

/// Which raw frames a `drop` or `duplicate` hits.
#[derive(Clone, Debug, PartialEq)]
pub struct FrameFault {
    /// From these, and back …
    pub target: Target,
    /// … to these; none: everybody.
    pub from: Option<Target>,
    /// Which of the frames.
    pub which: Which,
}

/// Which of a series of frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Which {
    /// Each with this chance, in parts per million.
    Rate(u32),
    /// The nth after the fault began, from 1.
    Nth(u32),
}

/// Who is hit.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// A node, a client, a set, or a role, resolved when the fault fires: `broker-1`, `billing`, `billing/2`,
    /// `brokers`, `leader of orders/0`, or a name given by `as`.
    Name(String),
    /// All of these.
    All(Vec<Target>),
}
