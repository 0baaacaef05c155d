//! What does not change while a world runs: who is which node, where partitions live, and which rules the version has.

use smallvec::SmallVec;

use super::alter::partitions_max;
use super::config::{BrokerConfig, TopicConfig};
use super::control::{ClusterState, Electoral};
use super::describe;
pub(super) use super::describe::Metadata;
use crate::fact::NodeId;
use crate::scenario::plan::{Plan, Version};

/// The group coordinator's topic.
const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// `offsets.topic.num.partitions`; only those that a group hashes to are built.
const OFFSETS_PARTITIONS: u32 = 50;

/// The cluster's fixed shape.
#[derive(Clone, Debug)]
pub(super) struct Topology {
    pub(super) brokers: u16,
    /// `zookeeper-1` or `controller-1`.
    pub(super) keeper: NodeId,
    pub(super) rules: Rules,
    pub(super) config: BrokerConfig,
    pub(super) topics: Vec<Topic>,
    pub(super) partitions: Vec<Partition>,
    pub(super) groups: Vec<Group>,
    /// Whether partitions are added while it runs.
    pub(super) grows: bool,
}

/// A topic.
#[derive(Clone, Debug)]
pub(super) struct Topic {
    pub(super) name: String,
    pub(super) first: u32,
    /// With the partitions that are added while it runs.
    pub(super) count: u32,
    /// How many it has from the beginning.
    pub(super) initial: u32,
}

/// A partition.
#[derive(Clone, Debug)]
pub(super) struct Partition {
    pub(super) topic: u16,
    pub(super) number: u32,
    /// It is there from the beginning; else an administrator adds it.
    pub(super) is_initial: bool,
    pub(super) replicas: SmallVec<[u16; 4]>,
    pub(super) config: TopicConfig,
}

/// A consumer group.
#[derive(Clone, Debug)]
pub(super) struct Group {
    pub(super) name: String,
    /// The partition whose leader coordinates it.
    pub(super) home: u32,
}

/// How a follower finds out where its log stops agreeing with its leader's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Truncation {
    /// It cuts to its own high watermark (before 0.11).
    HighWatermark,
    /// It asks for the end of its last epoch, once (KIP-101: 0.11 to 1.1).
    EpochOnce,
    /// It asks until the epochs agree (KIP-279: 2.0 to 2.6).
    Epoch,
    /// The leader says so in the fetch response (2.7).
    InFetch,
}

/// The rules that depend on the version.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a rule that a version has or has not")]
pub(super) struct Rules {
    pub(super) metadata: Metadata,
    pub(super) truncation: Truncation,
    /// Fetches carry the leader epoch and stale ones are refused (KIP-320, 2.1).
    pub(super) fences_fetches: bool,
    /// The high watermark stands still below `min.insync.replicas` (KAFKA-15583, 3.7).
    pub(super) gates_watermark: bool,
    /// A leader waits for ZooKeeper while it changes the ISR, and appends wait with it (before 2.7).
    pub(super) isr_change_blocks: bool,
    /// A follower is admitted to the ISR only as the incarnation that the controller knows (KAFKA-15221, 3.7).
    pub(super) checks_broker_epoch: bool,
    /// Requests between controller and brokers name the broker's process, and a controller sees that a live broker is
    /// another process than before (KIP-380, 2.2; every release of `KRaft`).
    pub(super) has_broker_epochs: bool,
    /// Eligible leader replicas (KIP-966): on by default in new clusters from 4.1.
    pub(super) has_elr: bool,
}

impl Rules {
    fn new(version: Version, metadata: Metadata) -> Self {
        let truncation = match version {
            v if v < Version(0, 11, 0) => Truncation::HighWatermark,
            v if v < Version(2, 0, 0) => Truncation::EpochOnce,
            v if v < Version(2, 7, 0) => Truncation::Epoch,
            _ => Truncation::InFetch,
        };
        Self {
            metadata,
            truncation,
            fences_fetches: version >= Version(2, 1, 0),
            gates_watermark: version >= Version(3, 7, 0),
            isr_change_blocks: metadata == Metadata::ZooKeeper && version < Version(2, 7, 0),
            checks_broker_epoch: version >= Version(3, 7, 0),
            has_broker_epochs: version >= Version(2, 2, 0),
            has_elr: metadata == Metadata::Kraft && version >= Version(4, 1, 0),
        }
    }
}

impl Topology {
    /// The shape that a plan asks for.
    pub(super) fn new(plan: &Plan) -> Self {
        let brokers = plan.cluster.roles.get("brokers").copied().unwrap_or(1);
        let rules = Rules::new(plan.version, describe::metadata(plan));
        let config = BrokerConfig::new(plan);
        let mut topology = Self {
            brokers,
            keeper: NodeId(brokers),
            rules,
            config,
            topics: Vec::new(),
            partitions: Vec::new(),
            groups: Vec::new(),
            grows: false,
        };
        for entity in &plan.entities {
            let (initial, count) = (describe::partitions(entity), partitions_max(plan, entity));
            let config = TopicConfig::new(plan, Some(entity));
            let numbers: Vec<_> = (0..count as u32).collect();
            topology.add_topic(&entity.name, &config, &numbers, initial as u32);
            topology.grows |= count > initial;
        }
        topology.add_groups(plan);
        topology
    }

    /// The topic of that name.
    fn topic(&self, name: &str) -> Option<&Topic> {
        self.topics.iter().find(|topic| topic.name == name)
    }

    /// The topics that an address leads to: consecutive ones, and so are their partitions.
    pub(super) fn topics(&self, address: &str) -> &[Topic] {
        let is_reached =
            |topic: &Topic| topic.name != OFFSETS_TOPIC && describe::leads_to(address, &topic.name);
        let Some(first) = self.topics.iter().position(is_reached) else { return &[] };
        let count = self.topics[first..].iter().take_while(|topic| is_reached(topic)).count();
        &self.topics[first..first + count]
    }

    /// `orders/0`, or `orders` if it has one partition.
    pub(super) fn partition(&self, name: &str) -> Option<u32> {
        if let Some(topic) = self.topic(name) {
            return (topic.count == 1).then_some(topic.first);
        }
        let (topic, number) = name.rsplit_once('/')?;
        let number: u32 = number.parse().ok()?;
        let topic = self.topics.iter().position(|known| known.name == topic)? as u16;
        let at = self.partitions.iter().position(|known| known.topic == topic && known.number == number)?;
        Some(at as u32)
    }

    /// `orders/0`.
    pub(super) fn partition_name(&self, partition: u32) -> String {
        let partition = &self.partitions[partition as usize];
        format!("{}/{}", self.topics[partition.topic as usize].name, partition.number)
    }

    /// The partitions of each of these topics that a view of the cluster knows: the first and how many.
    pub(super) fn known(&self, address: &str, view: &ClusterState) -> Vec<(u32, u32)> {
        let exists = |topic: &Topic, number: u32| view.partitions[(topic.first + number) as usize].exists();
        let count = |topic: &Topic| {
            let added = (topic.initial..topic.count).take_while(|&number| exists(topic, number)).count();
            topic.initial + added as u32
        };
        self.topics(address).iter().map(|topic| (topic.first, count(topic))).collect()
    }

    /// The brokers of these names, in this order.
    pub(super) fn brokers_named(&self, names: &[String]) -> Vec<u16> {
        let number = |name: &String| name.strip_prefix("broker-")?.parse::<u16>().ok()?.checked_sub(1);
        names.iter().filter_map(number).filter(|&broker| broker < self.brokers).collect()
    }

    /// Whether the partition holds messages; else it is the coordinator's.
    pub(super) fn holds_messages(&self, partition: u32) -> bool {
        let topic = self.partitions[partition as usize].topic as usize;
        self.topics[topic].name != OFFSETS_TOPIC
    }

    /// The group of that name.
    pub(super) fn group(&self, name: &str) -> Option<u16> {
        self.groups.iter().position(|group| group.name == name).map(|at| at as u16)
    }

    /// The rules of a partition's elections.
    pub(super) fn electoral(&self, partition: u32) -> Electoral<'_> {
        let known = &self.partitions[partition as usize];
        let minimum = known.config.min_insync.min(known.replicas.len() as u32);
        Electoral {
            replicas: &known.replicas,
            may_be_unclean: known.config.may_be_unclean,
            elr_below: self.rules.has_elr.then_some(minimum),
            is_shrinking_new: self.rules.metadata == Metadata::ZooKeeper,
        }
    }

    /// Spreads replicas over brokers: each topic starts one broker further on, each partition too.
    fn add_topic(&mut self, name: &str, config: &TopicConfig, numbers: &[u32], initial: u32) {
        let topic = self.topics.len() as u16;
        let first = self.partitions.len() as u32;
        self.topics.push(Topic { name: name.to_owned(), first, count: numbers.len() as u32, initial });
        let brokers = u32::from(self.brokers);
        for (at, &number) in (0..).zip(numbers) {
            let factor = u32::from(config.replication_factor).min(brokers);
            let replicas =
                (0..factor).map(|replica| ((u32::from(topic) + number + replica) % brokers) as u16).collect();
            let (is_initial, config) = (at < initial, config.clone());
            self.partitions.push(Partition { topic, number, is_initial, replicas, config });
        }
    }

    fn add_groups(&mut self, plan: &Plan) {
        let names: Vec<_> = plan.consumers.iter().map(super::config::group_id).collect();
        let number_of = |name: &str| java_hash(name).unsigned_abs() % OFFSETS_PARTITIONS;
        let mut numbers: Vec<_> = names.iter().map(|name| number_of(name)).collect();
        numbers.sort_unstable();
        numbers.dedup();
        if numbers.is_empty() {
            return;
        }
        let config = TopicConfig::offsets(plan, self.brokers);
        self.add_topic(OFFSETS_TOPIC, &config, &numbers, numbers.len() as u32);
        for name in names {
            let home = self
                .partition(&format!("{OFFSETS_TOPIC}/{}", number_of(&name)))
                .or_else(|| self.partition(OFFSETS_TOPIC))
                .expect("the partition of every group was just added");
            if self.group(&name).is_none() {
                self.groups.push(Group { name, home });
            }
        }
    }
}

/// `String.hashCode`.
fn java_hash(text: &str) -> i32 {
    text.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)))
}
