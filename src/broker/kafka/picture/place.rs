//! Partitions as pictures: every replica's log side by side, how far each group has read, and what charts follow.

use super::super::broker::{Group, Replica, Role};
use super::super::client::Consumer;
use super::super::config::Reset;
use super::super::control::{PartitionState, only};
use super::super::model::Node;
use super::super::world::{World, consumers, is_up, leader, leading, replica};
use super::{broker_name, brokers};
use crate::broker::picture::{Field, Gauge, LanePicture, OffsetMark, PlacePicture, ReaderPicture};
use crate::fact::{MessageId, NodeId, PlaceId, SubscriptionId};
use crate::sim::{FileId, Status};

/// What stands at marks and in titles.
pub(in crate::broker::kafka) const ABBREVIATIONS: &[(&str, &str)] = &[
    ("HW", "high watermark: what is before it is committed"),
    ("LEO", "log end offset"),
    ("ISR", "in-sync replicas"),
    ("ELR", "eligible leader replicas"),
];

/// So many partitions' in-sync replicas are gauges, and so many groups' lag.
const GAUGED: usize = 2;

/// Partitions that exist, the coordinators' last and only once anything is written there.
pub(in super::super) fn places(engine: &World) -> Vec<PlaceId> {
    let topology = &engine.model.shared.topology;
    let is_shown = |&partition: &u32| {
        let known = &topology.partitions[partition as usize];
        let is_written = || {
            let end = |&broker: &u16| replica(engine, broker, partition).map_or(0, |known| known.log.end());
            known.replicas.iter().any(|broker| end(broker) > 0)
        };
        state(engine, partition).exists() && (topology.holds_messages(partition) || is_written())
    };
    let shown = || (0..topology.partitions.len() as u32).filter(is_shown);
    let of_users = shown().filter(|&partition| topology.holds_messages(partition));
    let of_coordinators = shown().filter(|&partition| !topology.holds_messages(partition));
    of_users.chain(of_coordinators).map(PlaceId).collect()
}

/// A partition with all of its replicas.
pub(in super::super) fn place(engine: &World, place: PlaceId) -> Option<PlacePicture> {
    let topology = &engine.model.shared.topology;
    let partition = place.0;
    let known = topology.partitions.get(partition as usize)?;
    if !state(engine, partition).exists() {
        return None;
    }
    let lanes = known.replicas.iter().filter_map(|&broker| {
        let replica = replica(engine, broker, partition)?;
        Some(lane(engine, partition, broker, replica))
    });
    Some(PlacePicture {
        place,
        name: topology.partition_name(partition),
        fields: fields(engine, partition),
        lanes: lanes.collect(),
        readers: subscriptions(engine).into_iter().filter_map(|one| reader(engine, partition, one)).collect(),
    })
}

/// What a replica holds between two offsets.
pub(in super::super) fn cells(
    engine: &World,
    (place, node): (PlaceId, NodeId),
    from: u64,
    to: u64,
) -> Vec<Option<MessageId>> {
    let known =
        engine.model.broker(node.0).and_then(|broker| broker.replicas.get(place.0 as usize)?.as_deref());
    let Some(known) = known else { return Vec::new() };
    let to = to.min(known.log.end());
    let mut cells = vec![None; to.saturating_sub(from) as usize];
    let content = &engine.model.shared.content;
    for id in known.log.batches_from(from, content) {
        let batch = content.batch(id);
        if batch.base >= to {
            break;
        }
        let within = (batch.base..).zip(content.messages(batch));
        for (offset, message) in within.filter(|&(offset, _)| offset >= from && offset < to) {
            cells[(offset - from) as usize] = Some(message);
        }
    }
    cells
}

/// What an operator would chart: how many replicas are in sync, how far groups lag, what waits in clients.
pub(in super::super) fn gauges(engine: &World) -> Vec<Gauge> {
    let topology = &engine.model.shared.topology;
    let gauge = |name: String, value: u64| Gauge { name, value: value as i64 };
    let all = || 0..topology.partitions.len() as u32;
    let mut gauges = Vec::new();
    for partition in all().filter(|&partition| topology.holds_messages(partition)).take(GAUGED) {
        let name = format!("ISR {}", topology.partition_name(partition));
        gauges.push(gauge(name, u64::from(state(engine, partition).isr.count_ones())));
    }
    let existing = || all().filter(|&partition| state(engine, partition).exists());
    let few = existing().filter(|&partition| is_under_replicated(engine, partition)).count();
    gauges.push(gauge("under-replicated".to_owned(), few as u64));
    let none = existing().filter(|&partition| leading(engine, partition).is_none()).count();
    gauges.push(gauge("offline partitions".to_owned(), none as u64));
    let mut groups: Vec<Subscribed<'_>> = Vec::new();
    for one in subscriptions(engine) {
        if groups.iter().all(|known| known.any.group() != one.any.group()) {
            groups.push(one);
        }
    }
    for &one in groups.iter().take(GAUGED) {
        let lag = all().filter_map(|partition| lag(engine, partition, one)).sum();
        gauges.push(gauge(format!("lag {}", topology.groups[one.any.group() as usize].name), lag));
    }
    let mut unanswered = (false, 0);
    let mut uncommitted = (false, 0);
    for (index, node) in engine.model.nodes.iter().enumerate() {
        let lives = is_up(engine, NodeId(index as u16));
        match node {
            Node::Producer(producer) => {
                unanswered = (true, unanswered.1 + if lives { producer.unanswered() } else { 0 });
            }
            Node::Consumer(consumer) => {
                uncommitted = (true, uncommitted.1 + if lives { consumer.uncommitted() } else { 0 });
            }
            _ => {}
        }
    }
    let of_clients = [("unanswered sends", unanswered), ("uncommitted", uncommitted)];
    let is_there =
        |(name, (is_there, value)): (&str, (bool, u64))| is_there.then(|| gauge(name.to_owned(), value));
    gauges.extend(of_clients.into_iter().filter_map(is_there));
    gauges
}

/// Whether a partition has fewer in-sync replicas than replicas.
pub(super) fn is_under_replicated(engine: &World, partition: u32) -> bool {
    let state = state(engine, partition);
    let replicas = &engine.model.shared.topology.partitions[partition as usize].replicas;
    state.exists() && (state.isr.count_ones() as usize) < replicas.len()
}

fn state(engine: &World, partition: u32) -> &PartitionState {
    &engine.model.cluster().partitions[partition as usize]
}

/// What the controller has of a partition, and where a leader sees it otherwise.
fn fields(engine: &World, partition: u32) -> Vec<Field> {
    let topology = &engine.model.shared.topology;
    let known = &topology.partitions[partition as usize];
    let state = state(engine, partition);
    let mut fields = vec![
        Field::new("leader", state.leader.map_or_else(|| "none".to_owned(), broker_name)),
        Field::new("leader epoch", state.epoch),
        Field::new("ISR", brokers(state.isr)),
    ];
    if topology.rules.has_elr {
        fields.push(Field::new("ELR", brokers(state.elr)));
    }
    let replicas = known.replicas.iter().fold(0, |all, &broker| all | only(broker));
    fields.push(Field::new("replicas", brokers(replicas)));
    fields.push(Field::new("min.insync.replicas", known.config.min_insync));
    for &broker in &known.replicas {
        let leads = replica(engine, broker, partition)
            .filter(|known| known.is_leader() && is_up(engine, NodeId(broker)));
        let Some(own) = leads else { continue };
        let name = broker_name(broker);
        if state.leader != Some(broker) || state.epoch != own.state.epoch {
            fields.push(Field::new(format!("{name} leads in"), format!("epoch {}", own.state.epoch)));
        }
        if state.isr != own.state.isr {
            fields.push(Field::new(format!("{name}: ISR"), brokers(own.state.isr)));
        }
        if let Some(proposed) = own.proposed() {
            fields.push(Field::new(format!("{name} proposes"), brokers(proposed)));
        }
    }
    fields
}

/// A replica's log. That of a broker that is down lies on its disk.
fn lane(engine: &World, partition: u32, broker: u16, known: &Replica) -> LanePicture {
    let (node, end) = (NodeId(broker), known.log.end());
    let on_disk = engine.disk(node).durable(engine.now(), FileId(partition));
    let is_told = !matches!(known.role, Role::Offline);
    let mark = |name, at| OffsetMark { name, at };
    let marks = if is_up(engine, node) {
        vec![mark("HW", known.watermark), mark("LEO", end)]
    } else {
        // The high watermark that it knew was in memory.
        vec![mark("HW checkpoint", known.checkpoint.min(end)), mark("LEO", end)]
    };
    LanePicture {
        node,
        name: String::new(),
        role: role(engine, partition, broker, known).to_owned(),
        is_live: engine.status(node) == Status::Up
            && is_told
            && engine.model.cluster().live & only(broker) != 0,
        start: 0,
        end,
        durable: known.log.end_within(on_disk, &engine.model.shared.content),
        held: None,
        marks,
    }
}

/// What a replica is: as it sees itself, and as the controller sees it where that differs.
fn role(engine: &World, partition: u32, broker: u16, known: &Replica) -> &'static str {
    let state = state(engine, partition);
    let (is_elected, is_in_sync) = (state.leader == Some(broker), state.isr & only(broker) != 0);
    if !is_up(engine, NodeId(broker)) {
        return match (is_elected, is_in_sync) {
            (true, _) => "leader, down",
            (false, true) => "offline, in ISR",
            (false, false) => "offline",
        };
    }
    match (&known.role, is_elected) {
        (Role::Leader(_), true) => "leader",
        (Role::Leader(_), false) => "stale leader",
        (Role::Follower { .. } | Role::Offline, true) => "elected, not told",
        (Role::Follower { .. }, false) if is_in_sync => "follower",
        (Role::Follower { .. }, false) => "follower, not in ISR",
        (Role::Offline, false) => "offline",
    }
}

/// A subscription, with any of its processes.
#[derive(Clone, Copy)]
struct Subscribed<'a> {
    subscription: SubscriptionId,
    any: &'a Consumer,
}

fn subscriptions(engine: &World) -> Vec<Subscribed<'_>> {
    let mut found: Vec<Subscribed<'_>> = Vec::new();
    for (_, any) in consumers(engine) {
        let subscription = any.worker.subscription;
        if found.last().is_none_or(|last| last.subscription != subscription) {
            found.push(Subscribed { subscription, any });
        }
    }
    found
}

/// The group as its coordinator has it.
fn group<'a>(engine: &'a World, any: &Consumer) -> Option<&'a Group> {
    let home = engine.model.shared.topology.groups.get(any.group() as usize)?.home;
    engine.model.broker(leader(engine, home)?)?.groups.get(&any.group())
}

/// How much of a partition waits for a subscription; none: it does not read it.
fn lag(engine: &World, partition: u32, one: Subscribed<'_>) -> Option<u64> {
    if !one.any.reads(partition) || !state(engine, partition).exists() {
        return None;
    }
    match group(engine, one.any).and_then(|group| group.offsets.get(&partition)) {
        Some(&committed) => Some(readable_end(engine, partition).saturating_sub(committed)),
        None => reader(engine, partition, one).map(|reader| reader.lag),
    }
}

/// How far a subscription is in a partition; none: it does not read it.
fn reader(engine: &World, partition: u32, one: Subscribed<'_>) -> Option<ReaderPicture> {
    let Subscribed { subscription, any } = one;
    if !any.reads(partition) || !state(engine, partition).exists() {
        return None;
    }
    let group = group(engine, any);
    let committed = group.and_then(|group| group.offsets.get(&partition).copied());
    // Who was cut off or stood still may take itself for the owner of what somebody else was given.
    let is_owner = |consumer: &Consumer| group.is_some_and(|group| group.owns(consumer.member(), partition));
    let mut owner: Option<(NodeId, &Consumer)> = None;
    for (node, consumer) in consumers(engine) {
        let has = consumer.worker.subscription == subscription
            && is_up(engine, node)
            && consumer.assigned.iter().any(|assigned| assigned.partition == partition);
        if has && (owner.is_none() || is_owner(consumer)) {
            owner = Some((node, consumer));
        }
    }
    let position = owner.and_then(|(_, consumer)| {
        consumer.assigned.iter().find(|assigned| assigned.partition == partition)?.position
    });
    let end = readable_end(engine, partition);
    let begins = committed.unwrap_or_else(|| match any.config.reset {
        Reset::Earliest => 0,
        Reset::Latest | Reset::None => position.unwrap_or(end),
    });
    let marks = [("committed", committed), ("position", position)];
    Some(ReaderPicture {
        subscription,
        owner: owner.map(|(node, _)| node),
        marks: marks.into_iter().filter_map(|(name, at)| Some(OffsetMark { name, at: at? })).collect(),
        lag: end.saturating_sub(begins),
    })
}

/// Before which offset a consumer could read: the leader's high watermark, else the highest that any replica knew.
fn readable_end(engine: &World, partition: u32) -> u64 {
    if let Some(leading) = leading(engine, partition) {
        return leading.watermark;
    }
    let replicas = &engine.model.shared.topology.partitions[partition as usize].replicas;
    let end =
        |&broker: &u16| replica(engine, broker, partition).map(|known| known.watermark.min(known.log.end()));
    replicas.iter().filter_map(end).max().unwrap_or(0)
}
