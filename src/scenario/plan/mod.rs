//! What a checked scenario asks for, under one variant: everything a world needs, nothing about the file it came from.
//!
//! Times are spans from the start of the run. Settings are the vendor's own, as the author wrote them; the family
//! turns them, with its defaults by version, into its typed configuration.

use std::collections::BTreeMap;

use crate::sim::{Dist, Span};

mod act;
mod client;

pub use act::{
    Action, Condition, FaultPlan, FrameFault, Frames, Moment, StepPlan, Target, Trigger, Verb, Which,
    WhichMessages,
};
pub use client::{
    ConsumerPlan, Exact, IdOf, Idempotency, IfFails, Keys, OwnWrite, Phase, Poison, PoolOrder, ProducerPlan,
    Rate, Reaction, Rpc, ServicePlan, Spread, Starting, Starts, Then,
};

/// Messages of a run at most: at about 100 bytes each, its ledger stays near 2 GB.
pub const MESSAGES_MAX: u32 = 20_000_000;

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
    /// Services with limited capacity, in the order of their names.
    pub services: Vec<ServicePlan>,
    /// Latency and bandwidth of every link.
    pub network: NetworkPlan,
    /// What goes wrong, in the order of their names.
    pub faults: Vec<FaultPlan>,
    /// The script: one thing after another.
    pub steps: Vec<StepPlan>,
    /// What is claimed: the file's own claims, then the variant's.
    pub expectations: Vec<super::expect::Expectation>,
    /// What is claimed of many seeds together.
    pub over_seeds: Option<super::expect::OverSeeds>,
}

impl Plan {
    /// Everything that is claimed of a run: by itself, and together with others.
    pub fn claims(&self) -> impl Iterator<Item = &super::expect::Expectation> {
        let shares = self.over_seeds.iter().flat_map(|over| &over.shares);
        self.expectations.iter().chain(shares.map(|share| &share.condition))
    }

    /// Whether the name is that of one client or service, or of one of several instances: `billing/2`.
    pub fn is_one_process(&self, owner: &str) -> bool {
        let clients = self.producers.iter().map(|one| (&one.name, one.instances));
        let clients = clients.chain(self.consumers.iter().map(|one| (&one.name, one.instances)));
        let mut all = clients.chain(self.services.iter().map(|one| (&one.name, 1)));
        all.any(|(name, instances)| match owner.rsplit_once('/') {
            Some((client, number)) => {
                client == name && number.parse().is_ok_and(|number: u16| (1..=instances).contains(&number))
            }
            None => owner == name && instances == 1,
        })
    }

    /// The names of the subscriptions, in the order of their numbers: every consumer; without consumers `audit`, if
    /// anything is sent to a queue; then every service that a producer calls directly.
    pub fn subscriptions(&self) -> Vec<String> {
        let mut names: Vec<_> = self.consumers.iter().map(|consumer| consumer.name.clone()).collect();
        let is_direct = |producer: &ProducerPlan| producer.service().is_some();
        if names.is_empty() && (self.producers.is_empty() || !self.producers.iter().all(is_direct)) {
            names.push(AUDIT.to_owned());
        }
        let is_called = |name: &str| self.producers.iter().any(|producer| producer.service() == Some(name));
        names.extend(
            self.services.iter().map(|service| &service.name).filter(|name| is_called(name)).cloned(),
        );
        names
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
    /// Several texts.
    Texts(Vec<String>),
    /// A table of values by names that the author chose: headers.
    Table(Config),
    /// Several tables: bindings.
    Tables(Vec<Config>),
}

impl Value {
    /// As people read it on one line.
    pub fn shown(&self) -> String {
        match self {
            Self::Bool(value) => value.to_string(),
            Self::Int(number) => number.to_string(),
            Self::Text(text) => text.clone(),
            Self::Texts(all) => all.join(", "),
            Self::Table(_) | Self::Tables(_) => super::write::value(self),
        }
    }
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
    /// The table that it is a copy of; none: it is its own.
    pub copy_of: Option<String>,
    /// The fields that the family declares: `partitions = 3`.
    pub fields: Config,
    /// The entity's settings.
    pub config: Config,
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
