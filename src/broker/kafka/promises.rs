//! What holds in every Kafka world at any instant, whatever happens to it. Tests ask; a broken promise is a mistake of
//! the model.
//!
//! Promises about what logs hold are made only for releases that compare leader epochs and fence stale fetches (2.1),
//! for partitions that elect cleanly, and as long as no replica's disk lost anything: without these Kafka does not
//! make them either.

use std::collections::BTreeMap;

use super::broker::Replica;
use super::content::Content;
use super::control::only;
use super::model::KafkaModel;
use super::topology::Truncation;
use crate::fact::NodeId;
use crate::sim::{Engine, Status};

type World = Engine<KafkaModel>;

/// Every promise that is broken now, in words.
pub(super) fn broken(engine: &World) -> Vec<String> {
    let mut broken = Vec::new();
    for partition in 0..engine.model.shared.topology.partitions.len() as u32 {
        let said = leadership(engine, partition).into_iter().chain(contents(engine, partition));
        let name = engine.model.shared.topology.partition_name(partition);
        broken.extend(said.map(|what| format!("{name}: {what}")));
    }
    broken
}

/// The partition's replicas, whether they run or not.
fn replicas(engine: &World, partition: u32) -> Vec<(u16, &Replica)> {
    let known = &engine.model.shared.topology.partitions[partition as usize];
    let find = |&broker: &u16| {
        let replica = engine.model.broker(broker)?.replicas[partition as usize].as_deref()?;
        Some((broker, replica))
    };
    known.replicas.iter().filter_map(find).collect()
}

fn runs(engine: &World, broker: u16) -> bool {
    matches!(engine.status(NodeId(broker)), Status::Up | Status::Frozen)
}

/// At most one leader in an epoch; no high watermark beyond a log. What the leader last *heard* of a follower's end
/// may lie below the high watermark: a fetch that was held up on an old connection says less than a later one did.
fn leadership(engine: &World, partition: u32) -> Vec<String> {
    let mut broken = Vec::new();
    let mut leaders = BTreeMap::new();
    for (broker, known) in replicas(engine, partition) {
        if !runs(engine, broker) {
            continue;
        }
        let number = broker + 1;
        if known.watermark > known.log.end() {
            broken.push(format!("on broker-{number} the high watermark is above the log's end"));
        }
        if !known.is_leader() {
            continue;
        }
        let epoch = known.state.epoch;
        if let Some(other) = leaders.insert(epoch, number) {
            broken.push(format!("broker-{other} and broker-{number} both lead in epoch {epoch}"));
        }
    }
    broken
}

/// Whoever is in sync has everything below the leader's high watermark; a batch of one epoch at one offset is the same
/// everywhere, and so is everything before it.
fn contents(engine: &World, partition: u32) -> Vec<String> {
    let topology = &engine.model.shared.topology;
    let replicas = replicas(engine, partition);
    let compares_epochs = matches!(topology.rules.truncation, Truncation::Epoch | Truncation::InFetch);
    let is_promised = compares_epochs
        && topology.rules.fences_fetches
        && !topology.partitions[partition as usize].config.may_be_unclean
        && replicas.iter().all(|(_, known)| !known.has_lost);
    if !is_promised {
        return Vec::new();
    }
    let content = &engine.model.shared.content;
    let mut broken = Vec::new();
    for (at, &(one, first)) in replicas.iter().enumerate() {
        for &(other, second) in &replicas[at + 1..] {
            if let Some(offset) = mismatch(first, second, content) {
                let (one, other) = (one + 1, other + 1);
                broken.push(format!(
                    "broker-{one} and broker-{other} hold different batches of one epoch at {offset}"
                ));
            }
        }
    }
    let state = &engine.model.cluster().partitions[partition as usize];
    let leading = replicas.iter().find(|&&(broker, known)| {
        Some(broker) == state.leader
            && known.is_leader()
            && known.state.epoch == state.epoch
            && runs(engine, broker)
    });
    let Some(&(leader, leading)) = leading else { return broken };
    for &(broker, known) in &replicas {
        if state.isr & only(broker) != 0 && !has_same_below(leading, known, content) {
            let (leader, broker) = (leader + 1, broker + 1);
            let (watermark, end) = (leading.watermark, known.log.end());
            broken.push(format!(
                "broker-{broker}, in sync, ends at {end} and lacks something of what broker-{leader} \
                 has below its high watermark {watermark}"
            ));
        }
    }
    broken
}

/// The first offset at which two logs part, if what they have there is of the same epoch.
fn mismatch(first: &Replica, second: &Replica, content: &Content) -> Option<u64> {
    let pairs = first.log.batches_from(0, content).zip(second.log.batches_from(0, content));
    let (one, other) = pairs.into_iter().find(|(one, other)| one != other)?;
    let (one, other) = (content.batch(one), content.batch(other));
    (one.epoch == other.epoch).then_some(one.base)
}

/// Whether a replica has the same batches as the leader up to the leader's high watermark.
fn has_same_below(leading: &Replica, other: &Replica, content: &Content) -> bool {
    let below = |replica: &Replica| {
        let batches = replica.log.batches_from(0, content).collect::<Vec<_>>();
        let count = batches.partition_point(|&id| content.batch(id).base < leading.watermark);
        batches.into_iter().take(count)
    };
    below(leading).eq(below(other))
}
