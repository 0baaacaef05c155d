//! The subject: one folder a family, behind one object-safe trait.
//!
//! Adding a family is one new folder and one line in [`FAMILIES`].

use crate::fact::{Aside, FamilyFact, MessageId, NodeId, Observation, PlaceId, SubscriptionId};
use crate::scenario::plan::{Action, ConsumerPlan, EntityPlan, Plan, ProducerPlan, Value, Version};
use crate::sim::Time;

mod host;
mod inquiry;
pub mod kafka;
pub mod picture;
pub mod rabbitmq;
pub mod raft;

use picture::{Gauge, LinkPicture, NodePicture, PlacePicture, Section};

/// Every family that can be named in a scenario.
pub static FAMILIES: &[&dyn Family] = &[&kafka::Kafka, &rabbitmq::RabbitMq];

/// The family of that name.
pub fn family(name: &str) -> Option<&'static dyn Family> {
    FAMILIES.iter().copied().find(|family| family.name() == name)
}

/// What a family says about itself, as data, and how a world of it is built.
pub trait Family: Sync {
    /// `kafka`.
    fn name(&self) -> &'static str;

    /// The newest release that is modelled: what a scenario without `version` gets.
    fn newest(&self) -> Version;

    /// The oldest release that is modelled.
    fn oldest(&self) -> Version;

    /// The last minor release of each major one that has a successor: there is none between the two.
    fn last_minors(&self) -> &'static [(u16, u16)] {
        &[]
    }

    /// What its people call that which holds messages, as the name of the view that shows it: `Queues`.
    fn places_word(&self) -> &'static str;

    /// What they call the number of a leader's reign, where it has one: `epoch`, `term`.
    fn reign_word(&self) -> &'static str;

    /// What its pictures abbreviate, and what each stands for: `LEO`.
    fn abbreviations(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Every setting that the real system has and this program knows of, modelled or not.
    fn settings(&self) -> &'static [Setting];

    /// Roles of nodes that `[cluster]` counts: `brokers`, `zookeeper`.
    fn roles(&self) -> &'static [NodeRole];

    /// Fields of `[cluster]` besides the counts: `metadata`.
    fn cluster_fields(&self) -> &'static [Field];

    /// Named tables that scenarios of this family have: `[topic.NAME]`.
    fn entities(&self) -> &'static [EntityKind];

    /// Fields of producers besides those of the language: `routing_key`.
    fn producer_fields(&self) -> &'static [Field] {
        &[]
    }

    /// Fields of consumers besides those of the language.
    fn consumer_fields(&self) -> &'static [Field] {
        &[]
    }

    /// Client libraries that `client = "…"` may name; the first is the vendor's own.
    fn clients(&self) -> &'static [&'static str];

    /// Fills in what the author left out of `[cluster]` and the release decides: which mode, how many nodes of a role.
    fn complete(&self, _plan: &mut Plan) {}

    /// What is wrong with a plan that reads well: settings that exclude each other, a partition count too large.
    /// Each finding names the path of the value it is about: `producer.checkout.config.acks`.
    fn check(&self, plan: &Plan) -> Vec<Finding>;

    /// Why a setting of one of the family's tables means nothing there, whatever its value; none: it may be written.
    fn refuses(&self, _plan: &Plan, _entity: &EntityPlan, _setting: &str) -> Option<String> {
        None
    }

    /// Whether `send_to` or `read_from` leads somewhere; an error names what would.
    fn check_address(&self, plan: &Plan, address: &str) -> Result<(), String>;

    /// Whether replies to a producer's messages can come to this address; an error names what can take them.
    fn check_reply_to(&self, _plan: &Plan, _address: &str) -> Result<(), String> {
        Err("in this family nobody replies".to_owned())
    }

    /// Whether a role can be resolved in this plan: `leader of orders/0`; an error names what can.
    fn check_role(&self, plan: &Plan, role: &str) -> Result<(), String>;

    /// State paths that expectations may use at the end of a run: `orders/0.leader`.
    fn check_state(&self, plan: &Plan, path: &str) -> Result<(), String>;

    /// Whether the state at this path can ever have this value; none: it is compared as a number. An error names what
    /// it can be.
    fn check_state_value(&self, _plan: &Plan, _path: &str, _value: Option<&Value>) -> Result<(), String> {
        Ok(())
    }

    /// Which file of a node a `tear_disk` may name: `orders/0`; an error names what can.
    fn check_file(&self, _plan: &Plan, of: &str) -> Result<(), String> {
        Err(format!("nothing is known of a file `{of}` in this family"))
    }

    /// Whether a step's action exists in this family's protocol; an error names what does.
    fn check_action(&self, _plan: &Plan, _action: &Action) -> Result<(), String> {
        Ok(())
    }

    /// The roles that targets may name, and the state that claims and conditions may: how each is written, and what it
    /// is.
    fn paths(&self) -> &'static [(&'static str, &'static str)] {
        &[]
    }

    /// Who gets what. The plan may lack its consumers, and the clients asked about need not be in it.
    fn router<'p>(&self, plan: &'p Plan) -> Box<dyn Router + 'p>;

    /// To whose subscriptions each producer's messages are addressed.
    fn addresses(&self, plan: &Plan) -> Vec<Addresses> {
        let router = self.router(plan);
        let leads = |producer| plan.consumers.iter().map(|one| router.routes(producer, one)).collect();
        plan.producers.iter().map(|producer| Addresses { places: 1, leads: vec![leads(producer)] }).collect()
    }

    /// The number of the consumer whose subscription this one shares, counted in the plan: its own, or that of an
    /// earlier one that takes from the same place what this one does not.
    fn shares(&self, _plan: &Plan, consumer: usize) -> usize {
        consumer
    }

    /// Whether something of the plan needs this table of the family's, besides clients that send to it or read it.
    fn is_needed(&self, _plan: &Plan, _kind: &str, _name: &str) -> bool {
        false
    }

    /// Whether the consumer's subscription begins to exist when its first process starts, so that it gets nothing that
    /// was sent before.
    fn subscribes_later(&self, _plan: &Plan, _consumer: &ConsumerPlan) -> bool {
        false
    }

    /// Whether the producer's API says, after the call returned, that a send succeeded: not for `acks=0`.
    fn confirms(&self, _plan: &Plan, _producer: &ProducerPlan) -> bool {
        true
    }

    /// A new world of the plan. The plan passed all checks.
    fn world(&self, plan: &Plan, seed: u64) -> Box<dyn World>;

    /// The words for an error number of [`crate::fact::Fact::Failed`].
    fn error_name(&self, error: u16) -> &'static str;

    /// One plain sentence for a family fact, in the vendor's words; none: not worth telling.
    fn tell(&self, fact: &FamilyFact, names: &dyn Names) -> Option<String>;

    /// Which settings could have changed the fate of a message, most likely first: the family reads the message's
    /// observations and says what each of them depended on.
    fn explain(&self, case: &Case<'_>) -> Chain;
}

/// Who gets what, in one plan.
pub trait Router {
    /// Whether some of the producer's messages can come to the consumer.
    fn routes(&self, producer: &ProducerPlan, consumer: &ConsumerPlan) -> bool;
}

/// To which consumers' subscriptions a producer's messages are addressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Over how many places the producer spreads its messages.
    pub places: usize,
    /// For each run of messages that are written one by one, or for all messages; within it for each place: by
    /// consumer.
    pub leads: Vec<Vec<bool>>,
}

/// A finding of [`Family::check`].
#[derive(Clone, Debug)]
pub struct Finding {
    /// The path of the value in the plan: `cluster.config.min.insync.replicas`.
    pub path: Vec<String>,
    /// What is wrong.
    pub message: String,
    /// A way out.
    pub help: Option<String>,
}

/// One setting of the real system.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// The vendor's name.
    pub name: &'static str,
    /// Other names of the same setting; plans hold the name above.
    pub aliases: &'static [&'static str],
    /// Whose setting it is.
    pub scope: Scope,
    /// Which values it takes.
    pub kind: Kind,
    /// Default by first release that has it, oldest first; empty: no default.
    pub defaults: &'static [(Version, &'static str)],
    /// First release that has the setting.
    pub since: Version,
    /// First release that no longer has it.
    pub until: Option<Version>,
    /// Whether it is modelled; the text says why not.
    pub status: Status,
    /// What it does, in one sentence.
    pub meaning: &'static str,
}

impl Setting {
    /// A modelled setting that every release has, without a default.
    pub const fn new(scope: Scope, name: &'static str, kind: Kind, meaning: &'static str) -> Self {
        let (aliases, defaults, since): (&[&str], &[(Version, &str)], _) = (&[], &[], Version(0, 0, 0));
        Self { name, aliases, scope, kind, defaults, since, until: None, status: Status::Modelled, meaning }
    }

    /// With these other names.
    #[must_use]
    pub const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// With these defaults, by the first release that has each.
    #[must_use]
    pub const fn defaults(mut self, defaults: &'static [(Version, &'static str)]) -> Self {
        self.defaults = defaults;
        self
    }

    /// Known from this release on.
    #[must_use]
    pub const fn since(mut self, since: Version) -> Self {
        self.since = since;
        self
    }

    /// Gone with this release.
    #[must_use]
    pub const fn until(mut self, until: Version) -> Self {
        self.until = Some(until);
        self
    }

    /// Refused by name.
    #[must_use]
    pub const fn not_modelled(mut self) -> Self {
        self.status = Status::NotModelled;
        self
    }

    /// The default of this release.
    pub fn default_at(&self, version: Version) -> Option<Value> {
        let (_, text) = self.defaults.iter().rev().find(|(since, _)| *since <= version)?;
        match self.kind {
            Kind::Bool => text.parse().ok().map(Value::Bool),
            Kind::Int(..) | Kind::Digits(..) | Kind::Bytes => text.parse().ok().map(Value::Int),
            Kind::OneOf(_) | Kind::Text | Kind::Part => Some(Value::Text((*text).to_owned())),
            Kind::Texts => Some(Value::Texts(text.split(", ").map(str::to_owned).collect())),
            Kind::CountOrTexts(..) | Kind::Table | Kind::Tables(_) => None,
        }
    }
}

/// Whose setting it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// `[cluster] config`.
    Cluster,
    /// The `config` of an entity of this kind.
    Entity(&'static str),
    /// A producer's `config`, with this client library; none: all.
    Producer(Option<&'static str>),
    /// A consumer's `config`, with this client library; none: all.
    Consumer(Option<&'static str>),
    /// The `properties` of a message.
    Message,
}

/// Which values a setting or field takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Bool,
    /// A whole number in this range.
    Int(i64, i64),
    /// One of these words. Numbers are compared by how they are written: `acks = 1` is `"1"`.
    OneOf(&'static [&'static str]),
    /// Any text.
    Text,
    /// A whole number in this range, or the same as text.
    Digits(i64, i64),
    /// A number of bytes, or a text such as `50 MB`.
    Bytes,
    /// A number with a fraction, such as `0.4`; plans hold it as it is written.
    Part,
    /// A text, or a list of texts.
    Texts,
    /// A whole number in this range, or a list of texts.
    CountOrTexts(i64, i64),
    /// A table of the author's own: texts, whole numbers and truth values by any names.
    Table,
    /// A list of tables with these fields.
    Tables(&'static [Field]),
}

/// Whether a setting is modelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It changes behaviour here as it does there.
    Modelled,
    /// It exists there and not here: refused by name.
    NotModelled,
}

/// A field of a family's table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Field {
    /// `partitions`.
    pub name: &'static str,
    /// Which values it takes.
    pub kind: Kind,
    /// What it means.
    pub meaning: &'static str,
}

/// A kind of named table.
#[derive(Clone, Copy, Debug)]
pub struct EntityKind {
    /// `topic`.
    pub table: &'static str,
    /// Its fields besides its settings.
    pub fields: &'static [Field],
    /// What the table of its settings is called: `config`; empty: it has no settings.
    pub settings: &'static str,
}

/// A role of cluster nodes.
#[derive(Clone, Copy, Debug)]
pub struct NodeRole {
    /// As `[cluster]` counts it: `brokers`.
    pub plural: &'static str,
    /// As a node of it is named: `broker` makes `broker-1`.
    pub singular: &'static str,
    /// At most this many are modelled.
    pub count_max: u16,
}

/// The names of a run's numbered things.
pub trait Names {
    /// `broker-1`, `billing/2`.
    fn node(&self, node: NodeId) -> String;
    /// `orders/0`.
    fn place(&self, place: PlaceId) -> String;
    /// `checkout#17`.
    fn message(&self, message: MessageId) -> String;
}

/// A running world, for everybody outside `sim` and the family.
pub trait World: Send {
    /// Runs up to and including `until`, or until `events_max` events in total were dispatched, or until enough
    /// observations were written to be worth folding; the caller calls again until the clock stands at `until`.
    fn advance(&mut self, until: Time, observations: &mut Vec<Observation>) -> Progress;

    /// Dispatches one event, if there is one up to and including `until`; else the clock stands at `until`, and with
    /// [`Time::NEVER`] nothing will ever happen again.
    fn step(&mut self, until: Time, observations: &mut Vec<Observation>) -> Progress;

    /// The clock.
    fn now(&self) -> Time;

    /// Events dispatched so far.
    fn events(&self) -> u64;

    /// The fingerprint of all events dispatched so far.
    fn digest(&self) -> u64;

    /// Whether nothing but periodic timers is left: nothing due, nothing unanswered, nothing to consume, no fault to
    /// come, replication quiet.
    fn is_quiet(&self) -> bool;

    /// Whether observations marked *detail* are written from now on.
    fn want_details(&mut self, details: Details);

    /// The nodes that a name or role means at this instant; empty: nobody.
    fn resolve(&self, target: &str) -> Vec<NodeId>;

    /// Which faults fired so far: fault, node, time, in order.
    fn fired(&self) -> &[Firing];

    /// The messages of which a copy waits for the subscription on a node that serves it, or is held by a live
    /// consumer: each once a copy. For [`crate::ledger::NONE`]: copies in places that no subscription reads.
    fn waiting(&self, subscription: SubscriptionId) -> Vec<MessageId>;

    /// What sits where the broker and the applications put what this subscription does not get; none: wherever an
    /// application sends it, and the plan's addresses say where that is.
    fn aside(&self, _subscription: SubscriptionId) -> Option<Aside> {
        None
    }

    /// Lifts every fault and starts every node on the disk it has; nobody sends or consumes from now on.
    fn heal(&mut self);

    /// Whether replication has settled.
    fn is_replicated(&self) -> bool;

    /// The value of a state path: `orders/0.leader`.
    fn state(&self, path: &str) -> Option<Value>;

    /// The step of the script whose claims are to be judged at this instant, before anything else happens.
    fn asks(&self) -> Option<u16> {
        None
    }

    /// The steps of the script that did not happen so far, or not to their end, and how far each came.
    fn steps_left(&self) -> Vec<(u16, Left)> {
        Vec::new()
    }

    /// A copy that can be run on by itself.
    fn snapshot(&self) -> Box<dyn World>;

    /// The name of a node.
    fn node_name(&self, node: NodeId) -> String;

    /// The name of a place.
    fn place_name(&self, place: PlaceId) -> String;

    /// Every node, in the order of their numbers, as much of it as fits into a box.
    fn nodes(&self) -> Vec<NodePicture> {
        Vec::new()
    }

    /// All state of a node, by heading.
    fn inspect(&self, _node: NodeId) -> Vec<Section> {
        Vec::new()
    }

    /// What joins nodes, and what is under way.
    fn links(&self) -> Vec<LinkPicture> {
        Vec::new()
    }

    /// The places that exist and hold messages, in the family's order; its own bookkeeping last.
    fn places(&self) -> Vec<PlaceId> {
        Vec::new()
    }

    /// A place with every copy of it; none: there is no such place.
    fn place(&self, _place: PlaceId) -> Option<PlacePicture> {
        None
    }

    /// What a copy of a place holds between two offsets, one for each offset; none: nothing that is a message.
    fn cells(&self, _place: PlaceId, _node: NodeId, _from: u64, _to: u64) -> Vec<Option<MessageId>> {
        Vec::new()
    }

    /// Values that charts follow, always the same ones in the same order; a handful, however large the cluster.
    fn gauges(&self) -> Vec<Gauge> {
        Vec::new()
    }

    /// Broken promises of the model itself, in words: two leaders in an epoch, a high watermark above its rule.
    fn broken_invariants(&self) -> Vec<String>;

    /// Of these confirmed messages, the ones that no serving leader has: for tests of replication.
    fn missing(&self, confirmed: &[MessageId]) -> Vec<MessageId>;
}

/// Whether *detail* observations are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Details {
    /// Only what fates need.
    Off,
    /// Everything.
    On,
}

/// A fault that acted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Firing {
    /// Index into the plan's faults.
    pub fault: u16,
    /// The node it hit.
    pub node: NodeId,
    /// When.
    pub at: Time,
}

/// How far a step of the script came that was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Left {
    /// The step before it was not done.
    Unreached,
    /// Its time has not come.
    Early,
    /// What it waits for has not come.
    Waiting,
    /// These have not done what it made them do.
    Busy(Vec<NodeId>),
    /// Its time came after the window in which anything may be done.
    Late,
    /// It found nothing to do, for this reason; the script went on.
    Idle(String),
}

/// How far [`World::advance`] came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// The clock stands at the time asked for.
    Reached,
    /// There are observations to fold; call again.
    Pause,
    /// A step of the script claims something of this instant ([`World::asks`]): judge it, then call again.
    Asked,
    /// Nothing will ever happen again.
    Ended,
    /// A bound of the engine was hit, named here.
    Bound(&'static str),
}

/// Everything observed about one message, with what happened around it.
pub struct Case<'a> {
    /// The plan of the run.
    pub plan: &'a Plan,
    /// The message.
    pub message: MessageId,
    /// The subscription.
    pub subscription: SubscriptionId,
    /// The fate to explain, by its name: `lost`.
    pub fate: &'static str,
    /// All observations of the run about this message, in order.
    pub history: &'a [Observation],
    /// All observations of the run that are about no single message: faults, elections, family facts.
    pub events: &'a [Observation],
    /// The names.
    pub names: &'a dyn Names,
}

/// Why a message has its fate.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// The links, first cause first.
    pub links: Vec<Link>,
    /// What, taken away, would have changed the fate: each is tried by running again.
    pub remedies: Vec<Remedy>,
}

/// One link of a chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Link {
    /// When; none: a setting, in force all along.
    pub at: Option<Time>,
    /// What kind of link, without times and numbers: chains of equal kinds are one group.
    pub kind: String,
    /// In words, with times and numbers.
    pub text: String,
}

/// What would have changed a fate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remedy {
    /// That fault of the plan, taken away.
    WithoutFault(u16),
    /// A setting at another value: a TOML line as for `--set`.
    Set(String),
}
