//! Who uses the queue: producing and consuming applications, and the services behind them.

use crate::sim::{Dist, Span};

use super::Config;

/// A producer: one application with one or more instances.
#[derive(Clone, Debug, PartialEq)]
pub struct ProducerPlan {
    /// `checkout`.
    pub name: String,
    /// Where it sends, in the family's words.
    pub send_to: String,
    /// How many instances share the work.
    pub instances: u16,
    /// How messages are spread over several destinations.
    pub spread: Spread,
    /// The nodes that the client tries first, in order; empty: any.
    pub connect_to: Vec<String>,
    /// When its processes start.
    pub starts: Starts,
    /// When they are asked to stop; none: never.
    pub stops: Option<Span>,
    /// When messages fall due, one phase after another; empty: only when a step sends.
    pub phases: Vec<Phase>,
    /// How many in total; none: until the window ends.
    pub messages: Option<u32>,
    /// Messages written one by one, in their order; empty: all are alike.
    pub exact: Vec<Exact>,
    /// Which keys; none: messages have no key.
    pub keys: Option<Keys>,
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
    /// A write to its own database that goes with each message.
    pub own_write: Option<OwnWrite>,
    /// It waits for a reply to each message, and that is what it hears.
    pub rpc: Option<Rpc>,
    /// The fields that the family declares: `routing_key`.
    pub fields: Config,
    /// Which client library; none: the vendor's own.
    pub client: Option<String>,
    /// Client settings.
    pub config: Config,
}

impl ProducerPlan {
    /// A producer that says no more than where it sends.
    pub fn new(name: &str, send_to: &str) -> Self {
        Self {
            name: name.to_owned(),
            send_to: send_to.to_owned(),
            instances: 1,
            spread: Spread::RoundRobin,
            connect_to: Vec::new(),
            starts: Starts::AtOnce,
            stops: None,
            phases: vec![Phase { lasts: None, rate: Rate::Every(Span::from_millis(1)) }],
            messages: None,
            exact: Vec::new(),
            keys: None,
            size_bytes: 100,
            if_failed: Reaction::GiveUp,
            if_unknown: None,
            attempts_max: 10,
            attempt_every: Span::from_millis(100),
            own_write: None,
            rpc: None,
            fields: Config::new(),
            client: None,
            config: Config::new(),
        }
    }

    /// The service that it calls directly; none: it sends to a queue.
    pub fn service(&self) -> Option<&str> {
        self.send_to.strip_prefix("service ")
    }

    /// The number of the message that this number or name means.
    pub fn number_of(&self, which: &str) -> Option<u32> {
        if let Ok(number) = which.parse() {
            return Some(number);
        }
        self.named().find(|(name, _)| *name == which).map(|(_, number)| number)
    }

    /// The messages that have names, with their numbers.
    pub fn named(&self) -> impl Iterator<Item = (&str, u32)> {
        let mut last = 0;
        self.exact.iter().filter_map(move |exact| {
            last += exact.repeat;
            exact.name.as_deref().map(|name| (name, last))
        })
    }

    /// The rate that it begins with; [`Rate::Pause`] if only steps make it send.
    pub fn rate(&self) -> Rate {
        self.phases.first().map_or(Rate::Pause, |phase| phase.rate)
    }
}

/// A producer that waits for replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rpc {
    /// Where they go, in the family's words.
    pub reply_to: String,
    /// How long it waits for one.
    pub timeout: Span,
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
    /// Nothing is sent: a pause between two phases.
    Pause,
}

/// A stretch of time with one rate.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Phase {
    /// How long; none: from here on.
    pub lasts: Option<Span>,
    /// At which rate.
    pub rate: Rate,
}

/// Which keys messages have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Keys {
    /// How many different ones.
    pub count: u32,
    /// The exponent of a Zipf distribution; none: all are equally frequent.
    pub zipf: Option<f64>,
}

/// A run of messages that are written one by one.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Exact {
    /// Its name, for paths such as `shop#long`.
    pub name: Option<String>,
    /// Its key.
    pub key: Option<String>,
    /// Its payload bytes; none: as the producer says.
    pub size_bytes: Option<u32>,
    /// What the family's protocol lets a message carry, by the vendor's names.
    pub properties: Config,
    /// How many such messages, one after another.
    pub repeat: u32,
}

/// How a producer spreads messages over the places that its `send_to` matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// The same key always goes to the same place.
    ByKey,
    /// One after another.
    RoundRobin,
}

impl Spread {
    /// Which of so many places a message goes to: by its key or by its number, from 1, never by the time.
    pub fn place(self, number: u32, key: Option<u32>, count: usize) -> usize {
        let turn = match (self, key) {
            (Self::ByKey, Some(key)) => key,
            _ => number.saturating_sub(1),
        };
        turn as usize % count.max(1)
    }
}

/// When a client's processes start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starts {
    /// With the run.
    AtOnce,
    /// At this time.
    At(Span),
    /// When a step says so.
    ByStep,
}

/// When the processes of a client start, each in its own time or all alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Starting(Vec<Starts>);

impl Starting {
    /// All in the same way.
    pub fn all(starts: Starts) -> Self {
        Self(vec![starts])
    }

    /// The first in the first way, and so on; the last way holds for all that are left.
    pub fn each(starts: Vec<Starts>) -> Self {
        if starts.is_empty() { Self::all(Starts::AtOnce) } else { Self(starts) }
    }

    /// When an instance starts, from 0.
    pub fn of(&self, instance: u16) -> Starts {
        self.0.get(instance as usize).or(self.0.last()).copied().unwrap_or(Starts::AtOnce)
    }

    /// The different ways in which instances start.
    pub fn ways(&self) -> impl Iterator<Item = Starts> {
        self.0.iter().copied()
    }

    /// Whether some process is there from the beginning.
    pub fn is_there(&self) -> bool {
        self.0.contains(&Starts::AtOnce)
    }
}

/// A write to the producing application's own database that goes with each message. When it is committed the user
/// hears "done".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OwnWrite {
    /// Committed first; then the message is sent.
    BeforeSending,
    /// Committed when the message is confirmed.
    AfterConfirm,
    /// Message and write are committed together; a relay sends what stands in the table until it is confirmed.
    Outbox,
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
    /// The nodes that the client tries first, in order; empty: any.
    pub connect_to: Vec<String>,
    /// When its processes start.
    pub starts: Starting,
    /// When they are asked to stop; none: never.
    pub stops: Option<Span>,
    /// It does only what steps say.
    pub is_by_hand: bool,
    /// How long processing one message takes, the write to the store included.
    pub process: Dist,
    /// How it protects itself against repeated deliveries.
    pub idempotency: Idempotency,
    /// What identifies a message to that protection.
    pub id: IdOf,
    /// Messages whose processing always fails.
    pub poison: Vec<Poison>,
    /// The share of processings that fail, in parts per million.
    pub fails_ppm: u32,
    /// What it does when processing fails.
    pub if_fails: IfFails,
    /// Threads that process what the client hands over; none: the thread that polls does it.
    pub workers: Option<u16>,
    /// Which order the threads keep.
    pub order: PoolOrder,
    /// A service that it calls for each message; none: it writes to the store alone.
    pub calls: Option<String>,
    /// The fields that the family declares.
    pub fields: Config,
    /// Which client library; none: the vendor's own.
    pub client: Option<String>,
    /// Client settings.
    pub config: Config,
}

impl ConsumerPlan {
    /// A consumer that says no more than what it reads.
    pub fn new(name: &str, read_from: &str) -> Self {
        Self {
            name: name.to_owned(),
            read_from: read_from.to_owned(),
            instances: 1,
            connect_to: Vec::new(),
            starts: Starting::all(Starts::AtOnce),
            stops: None,
            is_by_hand: false,
            process: Dist::Constant(Span::from_millis(1)),
            idempotency: Idempotency::None,
            id: IdOf::Business,
            poison: Vec::new(),
            fails_ppm: 0,
            if_fails: IfFails { retries: 0, every: Span::from_millis(100), then: Then::Skip },
            workers: None,
            order: PoolOrder::None,
            calls: None,
            fields: Config::new(),
            client: None,
            config: Config::new(),
        }
    }
}

/// How a consuming application protects its store against repeated deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// Not at all: each processing is an effect.
    None,
    /// The message's id is a unique key: a repeated insert fails and is ignored.
    UniqueKey,
    /// A table of processed ids, written in the transaction of the effect.
    ProcessedTable,
    /// A record in another store, written before the effect.
    SideStoreBefore,
    /// A record in another store, written after the effect.
    SideStoreAfter,
    /// Optimistic lock: the message names the version of the row that it changes.
    Version,
    /// The row has a status; a transition that is not allowed is dropped.
    StatusMachine,
    /// It looks whether the row is there, works, and inserts it: two at once both see nothing.
    SelectThenInsert,
    /// The effect sets the key to the message's value: the same value again changes nothing.
    SetByKey,
}

/// What identifies a message to a consumer's protection against repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdOf {
    /// The id that the business gave it: the same however often it is sent.
    Business,
    /// Where the broker put it: a message that was sent twice has two.
    Position,
}

/// A message whose processing always fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Poison {
    /// Its producer.
    pub producer: String,
    /// Its number within the producer.
    pub number: u32,
}

/// What a consuming application does when processing fails.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IfFails {
    /// How often it tries again itself.
    pub retries: u32,
    /// After how long each time.
    pub every: Span,
    /// What it does when that did not help.
    pub then: Then,
}

/// What a consuming application does with a message that it cannot process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Then {
    /// It goes on with the next one.
    Skip,
    /// It ends; whoever comes next finds the message again.
    Stop,
    /// It gives the message back to be delivered again.
    Requeue,
    /// It gives the message up to the broker.
    Reject,
    /// It sends the message somewhere else, and goes on.
    SendTo(String),
}

/// Which order a pool of workers keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolOrder {
    /// None: whoever is free takes the next message.
    None,
    /// One worker for each key: messages of a key stay in order.
    ByKey,
}

/// A service with limited capacity.
#[derive(Clone, Debug, PartialEq)]
pub struct ServicePlan {
    /// `db`.
    pub name: String,
    /// How many requests it works on at once.
    pub workers: u16,
    /// How long each takes.
    pub process: Dist,
    /// How many requests may wait; the next one is refused.
    pub queue: u32,
    /// What being overrun does besides: it goes down and fails everything; some: for that long; none inside: for good.
    pub breaks: Option<Option<Span>>,
}
