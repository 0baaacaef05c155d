//! What an administrator changes of a running topic: `alter = "topic orders", to = { partitions = 4 }`.
//!
//! Partitions are added, never taken away, and no record moves: the keeper of the metadata spreads the new ones over
//! the live brokers, and everybody else learns of them as they learn of anything: brokers from the controller, clients
//! when they look next (`metadata.max.age.ms`). Settings of topics that brokers read at each append hold from the
//! next append on.
//!
//! Source: `TopicCommand`, `KafkaController.PartitionModifications`, `ReplicationControlManager.createPartitions`,
//! `ConfigHandler`.
//! Not modelled: how long a changed setting takes to reach the brokers (none here); `unclean.leader.election.enable`
//! and everything else that brokers do not read with each append; settings of brokers; that in ZooKeeper mode it is the
//! controller who chooses leaders of new partitions (here they have them at once, and nobody knows while there is no
//! controller); partitions none of whose replicas is alive, which are not added at all.

use std::sync::Arc;

use super::describe::{finding, partitions};
use super::model::{KafkaModel, Node};
use crate::broker::Finding;
use crate::fact::NodeId;
use crate::scenario::plan::{Config, EntityPlan, Plan, Trigger, Value, Verb, Version};
use crate::sim::{Engine, Status};

const MIN_INSYNC: &str = "min.insync.replicas";
const FLUSH: &str = "flush.messages";

/// How many partitions a topic has in the end, if an administrator adds some.
pub(super) fn partitions_max(plan: &Plan, topic: &EntityPlan) -> i64 {
    let added = plan.faults.iter().filter_map(|fault| match &fault.verb {
        Verb::Alter { name, fields, .. } if *name == topic.name => match fields.get("partitions") {
            Some(Value::Int(count)) => Some(*count),
            _ => None,
        },
        _ => None,
    });
    added.fold(partitions(topic), i64::max)
}

/// What of a running topic cannot be changed, or not here.
pub(super) fn check(plan: &Plan, findings: &mut Vec<Finding>) {
    for fault in &plan.faults {
        let Verb::Alter { name, fields, .. } = &fault.verb else { continue };
        let Some(topic) = plan.entities.iter().find(|topic| topic.name == *name) else { continue };
        let table = if fault.trigger == Trigger::Step { "step" } else { "fault" };
        for (field, value) in fields {
            let declared = partitions(topic);
            let (message, help) = match (field.as_str(), value) {
                ("partitions", Value::Int(count)) if *count > declared => continue,
                ("partitions", _) => (
                    format!("`{name}` has {declared} partitions already"),
                    "Kafka adds partitions; it takes none away",
                ),
                (MIN_INSYNC, _) if plan.version >= Version(4, 1, 0) => (
                    format!("changing `{field}` while it runs is not modelled for {}", plan.version),
                    "with eligible leader replicas (from 4.1) it resets who may lead; use an earlier release",
                ),
                (MIN_INSYNC | FLUSH, _) => continue,
                _ => (
                    format!("changing `{field}` while it runs is not modelled"),
                    "`partitions` can be added, `min.insync.replicas` and `flush.messages` be changed",
                ),
            };
            let inside = if field == "partitions" { None } else { Some("config") };
            let path: Vec<&str> = [table, fault.name.as_str(), "to"]
                .into_iter()
                .chain(inside)
                .chain([field.as_str()])
                .collect();
            findings.push(finding(&path, message, help));
        }
    }
}

/// The keeper of the metadata does it; nobody does while it is down. Whether anything has changed.
pub(super) fn alter(engine: &mut Engine<KafkaModel>, name: &str, fields: &Config) -> bool {
    let keeper = engine.model.shared.topology.keeper;
    let Some(topic) = engine.model.shared.topology.topics.iter().position(|topic| topic.name == name) else {
        return false;
    };
    if engine.status(keeper) != Status::Up {
        return false;
    }
    let has_grown =
        matches!(fields.get("partitions"), Some(&Value::Int(count)) if grow(engine, keeper, topic, count));
    configure(&mut engine.model, topic, fields) || has_grown
}

fn grow(engine: &mut Engine<KafkaModel>, keeper: NodeId, topic: usize, count: i64) -> bool {
    engine.act(keeper, |model, ctx| {
        let topology = Arc::clone(&model.shared.topology);
        let topic = &topology.topics[topic];
        let all = topic.first..topic.first + topic.count.min(count as u32);
        match &mut model.nodes[keeper.0 as usize] {
            Node::ZooKeeper(zookeeper) => zookeeper.add(all, &topology, ctx),
            Node::Controller(controller) => controller.add(all, &topology, ctx),
            _ => false,
        }
    })
}

fn configure(model: &mut KafkaModel, topic: usize, fields: &Config) -> bool {
    let number = |name: &str| match fields.get(name) {
        Some(&Value::Int(number)) => Some(number),
        _ => None,
    };
    let (minimum, flush) = (number(MIN_INSYNC), number(FLUSH));
    if minimum.is_none() && flush.is_none() {
        return false;
    }
    let mut is_changed = false;
    let topology = Arc::make_mut(&mut model.shared.topology);
    for partition in topology.partitions.iter_mut().filter(|known| usize::from(known.topic) == topic) {
        let before = partition.config.clone();
        if let Some(minimum) = minimum {
            partition.config.min_insync = minimum as u32;
        }
        if let Some(flush) = flush {
            partition.config.flush_messages = (flush < i64::MAX).then_some(flush.max(1) as u64);
        }
        is_changed |= before != partition.config;
    }
    is_changed
}
