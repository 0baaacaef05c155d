//! The state that a run begins in: every group is stable, owns its partitions, and has committed offset 0 of each, as
//! if it had been there before the first message. What that takes is in the coordinator's log, like anything else. A
//! group whose consumers all start later does not exist yet: they begin where `auto.offset.reset` says. A consumer that
//! starts later than others of its group joins it then.

use std::collections::BTreeMap;

use super::client::range;
use super::config::{ConsumerConfig, Reset, group_id};
use super::content::{Committed, GroupRecord, MemberRecord};
use super::model::{KafkaModel, Node};
use crate::scenario::plan::{ConsumerPlan, Plan, Starts};

/// The generation of the groups that a run begins with.
pub(super) const GENERATION: u32 = 1;

/// Whether nothing that was sent before the group's first member came is for it: it is not there from the beginning,
/// and begins at the ends of its partitions.
pub(super) fn subscribes_later(plan: &Plan, consumer: &ConsumerPlan) -> bool {
    let is_there = |other: &ConsumerPlan| other.starts.is_there() && group_id(other) == group_id(consumer);
    !plan.consumers.iter().any(is_there) && ConsumerConfig::new(plan, consumer).reset != Reset::Earliest
}

/// Writes every group into its home's log and tells its members.
pub(super) fn groups(model: &mut KafkaModel, plan: &Plan) {
    let first =
        model.nodes.iter().position(|node| matches!(node, Node::Consumer(_))).unwrap_or(model.nodes.len());
    let mut node = first;
    for consumer in &plan.consumers {
        let is_there = |instance: &u16| consumer.starts.of(*instance) == Starts::AtOnce;
        let nodes: Vec<usize> =
            (0..consumer.instances).filter(is_there).map(|instance| node + usize::from(instance)).collect();
        node += consumer.instances as usize;
        if nodes.is_empty() {
            continue;
        }
        let topology = std::sync::Arc::clone(&model.shared.topology);
        let Some(group) = topology.group(&group_id(consumer)) else { continue };
        let topics: Vec<_> =
            topology.topics(&consumer.read_from).iter().map(|one| (one.first, one.initial)).collect();
        let config = ConsumerConfig::new(plan, consumer);
        let ids: Vec<u64> = (1..=nodes.len() as u64).collect();
        let assignment = range(&ids, &topics);
        for (id, index) in ids.iter().zip(nodes) {
            if let Node::Consumer(member) = &mut model.nodes[index] {
                let leads = ids.first() == Some(id);
                member.establish(*id, assignment.get(id).cloned().unwrap_or_default(), leads);
            }
        }
        let member = |(id, assignment)| {
            let (session, patience) = (config.session_timeout, config.max_poll_interval);
            (id, MemberRecord { session, patience, assignment })
        };
        let members: BTreeMap<_, _> = assignment.into_iter().map(member).collect();
        let leader = ids.first().copied().unwrap_or_default();
        let record = GroupRecord { group, generation: GENERATION, leader, members };
        let all = topics.iter().flat_map(|&(first, count)| first..first + count);
        let offsets = all.map(|partition| (partition, 0)).collect();
        write(model, topology.groups[group as usize].home, record, Committed { group, offsets });
    }
}

/// Appends a group and its offsets to every replica of its home.
fn write(model: &mut KafkaModel, home: u32, record: GroupRecord, committed: Committed) {
    let content = &mut model.shared.content;
    let replicas = &model.shared.topology.partitions[home as usize].replicas;
    let end = |node: &Node| match node {
        Node::Broker(broker) => broker.replicas[home as usize].as_ref().map_or(0, |known| known.log.end()),
        _ => 0,
    };
    let base = replicas.first().map_or(0, |&broker| end(&model.nodes[broker as usize]));
    let batches = [content.add_group(base, 0, record), content.add_committed(base + 1, 0, committed)];
    for &broker in replicas {
        if let Node::Broker(broker) = &mut model.nodes[broker as usize]
            && let Some(replica) = &mut broker.replicas[home as usize]
        {
            for id in batches {
                replica.log.append(id, content.batch(id));
            }
            replica.establish();
        }
    }
}
