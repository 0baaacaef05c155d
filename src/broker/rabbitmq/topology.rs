//! What the plan fixes of a run: nodes, exchanges, queues with their arguments and policies resolved, who sends what
//! where, and which rules the release has. Who is alive and which queue is where right now, brokers keep themselves.
//!
//! Built once and shared. An administrator who changes a policy while it runs changes a copy of it
//! ([`Topology::alter`]).
//!
//! Source: <https://www.rabbitmq.com/docs/queues>, <https://www.rabbitmq.com/docs/exchanges>.
//! Not modelled: permissions; queues and bindings that clients declare under names that the plan does not have.

use std::sync::OnceLock;

use crate::fact::SubscriptionId;
use crate::scenario::plan::{EntityPlan, Spread};
use crate::sim::Span;

use super::config::ClusterConfig;
use super::content::Death;
use super::policy::Policy;
use super::rules::Rules;

mod arguments;
mod build;
mod follow;
pub(super) mod replies;
mod stamps;

pub(super) use build::Interner;

/// An exchange, in [`Topology::exchanges`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ExchangeId(pub(super) u16);

/// A queue, in [`Topology::queues`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct QueueId(pub(super) u16);

/// A routing key, in [`Topology::keys`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct KeyId(pub(super) u32);

/// Everything that a publisher writes on a message besides its payload, in [`Topology::stamps`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct StampId(pub(super) u32);

/// A vhost, in [`Topology::vhosts`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct VhostId(pub(super) u16);

pub(super) use replies::Replies;

/// The fixed shape of a run.
#[derive(Clone, Debug)]
pub(super) struct Topology {
    /// How many brokers; node numbers begin with them.
    pub(super) brokers: u16,
    /// By broker: it keeps its metadata in memory alone.
    pub(super) ram: Vec<bool>,
    pub(super) rules: Rules,
    pub(super) config: ClusterConfig,
    /// Their names; `/` first.
    pub(super) vhosts: Vec<String>,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) queues: Vec<QueueSpec>,
    pub(super) policies: Vec<Policy>,
    /// Every routing key that anybody uses.
    pub(super) keys: Vec<Box<str>>,
    /// Everything that publishers write on messages.
    pub(super) stamps: Vec<Stamp>,
    /// In the order of the plan's producers.
    pub(super) producers: Vec<ProducerSpec>,
    /// In the order of the plan's consumers.
    pub(super) consumers: Vec<ConsumerSpec>,
    /// In the order of the plan's producers: where replies to their requests go; none: it waits for no reply.
    pub(super) replies: Vec<Option<Replies>>,
    /// The key of direct replies, if anybody waits for some.
    pub(super) direct_reply: Option<KeyId>,
    /// By vhost and key: the queue of that name, which is what the default exchange routes by.
    pub(super) named: Vec<Vec<Option<QueueId>>>,
    /// The tables that queues, exchanges and policies come from.
    entities: Vec<EntityPlan>,
}

/// An exchange.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a property that it is declared with")]
pub(super) struct Exchange {
    /// Empty: the default exchange.
    pub(super) name: String,
    pub(super) vhost: VhostId,
    pub(super) kind: ExchangeKind,
    /// It releases messages when their delay is over, and routes them then.
    pub(super) is_delayed: bool,
    pub(super) durable: bool,
    /// Clients may not publish to it.
    pub(super) internal: bool,
    /// Somebody declares it when the run begins; else whoever publishes to it gets 404.
    pub(super) is_declared: bool,
    /// Who gets what it cannot route.
    pub(super) alternate: Option<Alternate>,
    /// In the order in which they were made.
    pub(super) bindings: Vec<Binding>,
    /// By key: where a message without headers leads, as far as it was asked for.
    pub(super) cache: Cache,
}

/// Where each key leads, as far as it was asked for.
pub(super) type Cache = OnceLock<Box<[OnceLock<Box<[Destination]>>]>>;

/// How an exchange chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ExchangeKind {
    /// The queue that is called as the routing key says.
    Default,
    Direct,
    Fanout,
    Topic,
    Headers,
}

/// Who gets what an exchange cannot route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Alternate {
    Exchange(ExchangeId),
    /// It is named, but there is none.
    Missing,
}

/// What leads on from an exchange.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Binding {
    pub(super) to: Destination,
    pub(super) key: KeyId,
    /// The words of the key, for a topic exchange.
    pub(super) pattern: Vec<Word>,
    /// What a headers exchange compares.
    pub(super) headers: Headers,
    pub(super) matching: Matching,
}

/// A word of a topic binding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// `*`: any one.
    One,
    /// `#`: any number of them.
    Many,
    Is(Box<str>),
}

/// `x-match`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Matching {
    All,
    Any,
    AllWithX,
    AnyWithX,
}

/// Headers by their names; none as value: it need only be there.
pub(super) type Headers = Vec<(String, Header)>;

/// The value of a header.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Header {
    Bool(bool),
    Int(i64),
    Text(String),
}

/// Where a binding leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Destination {
    Queue(QueueId),
    Exchange(ExchangeId),
}

/// A queue.
#[derive(Clone, Debug, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a property that it is declared with")]
pub(super) struct QueueSpec {
    pub(super) name: String,
    /// Its name as a routing key: the default exchange leads here by it.
    pub(super) key: KeyId,
    pub(super) vhost: VhostId,
    pub(super) kind: QueueKind,
    pub(super) durable: bool,
    /// Only the connection of its consumer may use it, declares it, and takes it along when it ends.
    pub(super) exclusive: bool,
    pub(super) auto_delete: bool,
    /// Somebody declares it when the run begins; else it exists when a client has declared it.
    pub(super) is_declared: bool,
    /// When of the run an administrator declares it, if it is then.
    pub(super) declared_at: Option<Span>,
    /// The node on which it lives when the run begins: its leader.
    pub(super) home: u16,
    /// The nodes that hold it when the run begins, its leader first: mirrors, quorum members, stream replicas.
    pub(super) members: Vec<u16>,
    pub(super) args: QueueArgs,
    /// Who consumes it: the subscription of its first consumer; without any consumers in the plan, `audit`.
    pub(super) subscription: Option<SubscriptionId>,
    /// Who gets its messages in the end: its subscription; if it has none, those to which its dead letters lead.
    pub(super) leads_to: Vec<SubscriptionId>,
    /// Nobody consumes it, and dead letters of other queues lead here.
    pub(super) is_graveyard: bool,
    /// The queues that its dead letters can come to.
    pub(super) graves: Vec<QueueId>,
}

/// The type of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueueKind {
    Classic { storage: Storage, is_lazy: bool },
    Quorum,
    Stream,
}

/// How a classic queue is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Storage {
    /// A journal and segments; small messages within.
    V1,
    /// A store and an index of the queue's own, without journal.
    V2,
}

impl QueueSpec {
    /// Whoever uses it declares it: nobody else does.
    pub(super) fn is_declared_by_users(&self) -> bool {
        self.exclusive || self.auto_delete || !self.is_declared && self.declared_at.is_none()
    }
}

impl Storage {
    /// Whether the index is flushed to the device before a confirm: the journal of v1 is, v2 is only written to the
    /// operating system.
    pub(super) fn index_syncs(self) -> bool {
        self == Self::V1
    }
}

/// What arguments and policies make of a queue.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct QueueArgs {
    pub(super) message_ttl: Option<Span>,
    pub(super) expires: Option<Span>,
    pub(super) max_length: Option<u32>,
    pub(super) max_length_bytes: Option<u64>,
    pub(super) overflow: Overflow,
    pub(super) dead_letter: Option<DeadLetter>,
    /// Levels from 0 to this one; none: no priorities.
    pub(super) max_priority: Option<u8>,
    pub(super) single_active_consumer: bool,
    /// Quorum queues: how many returns a message survives; none: any number.
    pub(super) delivery_limit: Option<u32>,
    /// Quorum queues until 3.9: how many ready messages they keep in memory; none: all.
    pub(super) max_in_memory: Option<u32>,
    /// How long a consumer may hold a message; none: as long as it likes.
    pub(super) consumer_timeout: Option<Span>,
    /// Quorum queues: how long they keep what a consumer holds whose node is out of reach.
    pub(super) consumer_disconnected_timeout: Span,
    /// Quorum queues of 4.3: a returned message comes back after this times its deliveries, at most after that.
    pub(super) delayed_retry: Option<(Span, Span)>,
    /// Mirrors of a classic queue.
    pub(super) ha: Option<Ha>,
    /// Streams: how old a segment gets.
    pub(super) max_age: Option<Span>,
    /// Streams: how large a segment gets.
    pub(super) segment_bytes: u64,
}

/// What a full queue does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Overflow {
    /// It takes the new message and drops its oldest.
    #[default]
    DropHead,
    /// It refuses the new message.
    RejectPublish,
    /// It refuses the new message and dead-letters it.
    RejectPublishDlx,
}

/// Where dead letters go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeadLetter {
    /// None: the exchange is named, but there is none.
    pub(super) exchange: Option<ExchangeId>,
    /// None: with the keys that they came with.
    pub(super) key: Option<KeyId>,
    /// A dead letter stays where it was until all of its destinations have confirmed it.
    pub(super) is_at_least_once: bool,
}

/// The mirrors of a classic queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ha {
    pub(super) mode: HaMode,
    /// A new mirror is brought up to date at once, and the queue stands still meanwhile.
    pub(super) syncs_automatically: bool,
    /// How many messages one step of that copies.
    pub(super) sync_batch: u32,
    /// An unsynchronised mirror takes over if the leader is stopped.
    pub(super) promotes_on_shutdown: bool,
    /// An unsynchronised mirror takes over if the leader fails.
    pub(super) promotes_on_failure: bool,
}

/// Which nodes mirror a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HaMode {
    All,
    /// That many, the leader included.
    Exactly(u16),
    Nodes(Vec<u16>),
}

/// What a publisher writes on a message besides its payload.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Stamp {
    pub(super) vhost: VhostId,
    pub(super) exchange: ExchangeId,
    pub(super) key: KeyId,
    /// More keys to route by, in the header `CC`: they stay on the message.
    pub(super) carbon: Vec<KeyId>,
    /// More keys to route by, in the header `BCC`: taken off before it is delivered.
    pub(super) blind: Vec<KeyId>,
    pub(super) headers: Headers,
    /// Delivery mode 2.
    pub(super) is_persistent: bool,
    pub(super) priority: Option<u8>,
    /// `expiration`: its own time to live.
    pub(super) expiration: Option<Span>,
    /// `x-delay`: how long a delayed-message exchange keeps it.
    pub(super) delay: Option<Span>,
    /// The name by which a stream knows its producer.
    pub(super) producer_name: Option<KeyId>,
    /// Its number, by which a stream recognises it; left out: counted.
    pub(super) publishing_id: Option<u64>,
    /// What its header `x-death` says, as far as the release believes it.
    pub(super) deaths: Vec<Death>,
}

/// Where a producer's messages go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ProducerSpec {
    pub(super) vhost: VhostId,
    pub(super) spread: Spread,
    /// One for each place that `send_to` matches.
    pub(super) stamps: Vec<StampId>,
    /// Messages written one by one: the number of the last of each run, and its stamps.
    pub(super) exact: Vec<(u32, Vec<StampId>)>,
}

/// What a consumer reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConsumerSpec {
    pub(super) vhost: VhostId,
    /// The queues that `read_from` matches.
    pub(super) queues: Vec<QueueId>,
    /// Each instance reads only one of them, in turn; else all.
    pub(super) takes_one: bool,
    /// What it writes on a message that it sends on because it could not process it.
    pub(super) sends_on: Option<StampId>,
}

impl QueueSpec {
    /// Whether this subscription is a consumer's of it.
    pub(super) fn is_read_by(&self, subscription: SubscriptionId) -> bool {
        match self.kind {
            QueueKind::Stream => self.leads_to.contains(&subscription),
            _ => self.subscription == Some(subscription),
        }
    }
}

impl ConsumerSpec {
    /// The queues that an instance reads, from 0.
    pub(super) fn queues_of(&self, instance: u16) -> &[QueueId] {
        if !self.takes_one || self.queues.is_empty() {
            return &self.queues;
        }
        let at = usize::from(instance) % self.queues.len();
        &self.queues[at..=at]
    }
}

impl ProducerSpec {
    /// How many places its messages are spread over.
    pub(super) fn destinations(&self) -> usize {
        self.stamps.len()
    }

    /// What it writes on its message of that number, from 1, if that goes to that place.
    pub(super) fn stamp(&self, number: u32, destination: usize) -> StampId {
        let run = self.exact.partition_point(|(last, _)| *last < number);
        self.exact.get(run).map_or(self.stamps[destination], |(_, stamps)| stamps[destination])
    }
}

impl Topology {
    /// The text of a routing key.
    pub(super) fn key(&self, key: KeyId) -> &str {
        &self.keys[key.0 as usize]
    }

    pub(super) fn stamp(&self, stamp: StampId) -> &Stamp {
        &self.stamps[stamp.0 as usize]
    }

    pub(super) fn queue(&self, queue: QueueId) -> &QueueSpec {
        &self.queues[usize::from(queue.0)]
    }

    pub(super) fn exchange(&self, exchange: ExchangeId) -> &Exchange {
        &self.exchanges[usize::from(exchange.0)]
    }

    /// The queue of that name; names are the scenario's, so no two vhosts share one.
    pub(super) fn queue_named(&self, name: &str) -> Option<QueueId> {
        self.queues.iter().position(|queue| queue.name == name).map(|at| QueueId(at as u16))
    }
}
