//! A Kafka world at an instant, as pictures: nodes and all that they know, in Kafka's names.
//!
//! It reads and changes nothing. A broker whose process is down shows what lies on its disk; what it had in memory is
//! gone.

mod config;
mod label;
mod place;

pub(super) use self::place::ABBREVIATIONS;
use self::place::is_under_replicated;
pub(super) use config::{broker as broker_config, consumer as consumer_config};
pub(super) use config::{producer as producer_config, topic as topic_config};

use self::config::CONFIG;
use super::control::{Brokers, only};
use super::model::{KafkaModel, Node};
use super::packet::Packet;
use super::topology::Metadata;
use super::world::{World, is_up};
use crate::app::{Alarm, Direct};
use crate::broker::host::{Pictured, Shown};
use crate::broker::picture::{Field, Gauge, PlacePicture, Section};
use crate::fact::{MessageId, NodeId, PlaceId};
use crate::sim::Time;

/// A node's sections tell of at most so many of a kind.
pub(super) const SECTIONS_MAX: usize = 64;

impl Pictured for KafkaModel {
    fn shown(engine: &World, node: NodeId) -> Shown {
        let known = &engine.model.nodes[node.0 as usize];
        if let Some(role) = client(known)
            && !is_up(engine, node)
        {
            return Shown { role: role.to_owned(), ..Shown::default() };
        }
        match known {
            Node::Broker(broker) => broker.shown(engine),
            Node::ZooKeeper(_) | Node::Controller(_) => keeper(engine, node),
            Node::Producer(producer) => producer.shown(engine, node),
            Node::Consumer(consumer) => consumer.shown(engine, node),
            Node::Direct(direct) => caller(engine, node, direct),
            Node::Service(known) => Shown::service(known),
        }
    }

    fn inspect(engine: &World, node: NodeId) -> Vec<Section> {
        let mut sections = match &engine.model.nodes[node.0 as usize] {
            Node::Broker(broker) => broker.sections(engine),
            Node::ZooKeeper(keeper) => {
                let mut sections = keeper.sections(engine.now());
                sections.extend(cluster(engine));
                sections
            }
            Node::Controller(keeper) => {
                let mut sections = keeper.sections(engine.now());
                sections.extend(cluster(engine));
                sections
            }
            Node::Producer(producer) => producer.sections(engine),
            Node::Consumer(consumer) => consumer.sections(engine),
            Node::Direct(_) | Node::Service(_) => {
                let shown = Self::shown(engine, node);
                vec![Section { title: shown.role, fields: shown.summary }]
            }
        };
        if client(&engine.model.nodes[node.0 as usize]).is_some() && !is_up(engine, node) {
            // Whatever a client knows is in memory; its settings are not.
            sections.retain(|section| section.title == CONFIG);
        }
        let unread = engine.unread(node);
        if unread > 0 {
            let fields = vec![Field::new("inputs that wait", unread)];
            sections.insert(0, Section { title: "the process stands still".to_owned(), fields });
        }
        sections
    }

    fn label(engine: &World, packet: &Packet) -> (&'static str, u32) {
        label::label(packet, &engine.model.shared.content)
    }

    fn places(engine: &World) -> Vec<PlaceId> {
        place::places(engine)
    }

    fn place(engine: &World, place: PlaceId) -> Option<PlacePicture> {
        place::place(engine, place)
    }

    fn cells(engine: &World, of: (PlaceId, NodeId), from: u64, to: u64) -> Vec<Option<MessageId>> {
        place::cells(engine, of, from, to)
    }

    fn gauges(engine: &World) -> Vec<Gauge> {
        place::gauges(engine)
    }
}

/// What a node that keeps all it knows in memory is called when it does not run; none: it keeps something.
fn client(node: &Node) -> Option<&'static str> {
    match node {
        Node::Producer(_) => Some("producer"),
        Node::Consumer(_) => Some("consumer"),
        Node::Direct(_) => Some("caller"),
        Node::Service(_) => Some("service"),
        Node::Broker(_) | Node::ZooKeeper(_) | Node::Controller(_) => None,
    }
}

/// `broker-1`.
pub(super) fn broker_name(broker: u16) -> String {
    format!("broker-{}", broker + 1)
}

/// `1,2,3`, as Kafka's tools write sets of brokers.
pub(super) fn brokers(set: Brokers) -> String {
    let members: Vec<_> = (0..128u16)
        .filter(|&broker| set & only(broker) != 0)
        .map(|broker| (broker + 1).to_string())
        .collect();
    if members.is_empty() { "none".to_owned() } else { members.join(",") }
}

/// `orders/0, orders/1`, or how many if there are more than a few.
pub(super) fn partitions(engine: &World, of: &[u32]) -> String {
    let names = |max: usize| {
        let names = of.iter().take(max).map(|&it| engine.model.shared.topology.partition_name(it));
        names.collect::<Vec<_>>().join(", ")
    };
    match of.len() {
        0 => "none".to_owned(),
        1..=SECTIONS_MAX => names(SECTIONS_MAX),
        more => format!("{} and {} more", names(SECTIONS_MAX), more - SECTIONS_MAX),
    }
}

/// Members have long random names; here they have numbers, counted by each coordinator anew.
pub(super) fn member_name(member: u64) -> String {
    let (coordinator, number) = (member >> 40, member & ((1 << 40) - 1));
    if coordinator == 0 { format!("member {number}") } else { format!("member {coordinator}.{number}") }
}

/// `350ms ago`.
pub(super) fn ago(now: Time, at: Time) -> String {
    format!("{} ago", now.since(at))
}

/// `in 350ms`.
pub(super) fn until(now: Time, at: Time) -> String {
    if at == Time::NEVER { "never".to_owned() } else { format!("in {}", at.since(now)) }
}

/// Says that there are more than are told of.
pub(super) fn and_more(sections: &mut Vec<Section>, count: usize, what: &str) {
    if count > SECTIONS_MAX {
        let title = format!("and {} more {what}", count - SECTIONS_MAX);
        sections.push(Section { title, fields: Vec::new() });
    }
}

/// Whoever keeps the metadata.
fn keeper(engine: &World, node: NodeId) -> Shown {
    let (topology, cluster) = (&engine.model.shared.topology, engine.model.cluster());
    let all = (0..topology.brokers).fold(0, |all, broker| all | only(broker));
    let count = topology.partitions.len() as u32;
    let count_if = |is_it: &dyn Fn(u32) -> bool| (0..count).filter(|&partition| is_it(partition)).count();
    let offline = count_if(&|partition| {
        let state = &cluster.partitions[partition as usize];
        state.exists() && state.leader.is_none()
    });
    let mut summary = match topology.rules.metadata {
        Metadata::ZooKeeper => {
            let controller = cluster.controller.map_or_else(|| "none".to_owned(), broker_name);
            vec![
                Field::new("controller", controller),
                Field::new("/brokers/ids", brokers(cluster.live)),
                Field::new("controller epoch", cluster.controller_epoch),
            ]
        }
        Metadata::Kraft => {
            vec![
                Field::new("active", brokers(cluster.live)),
                Field::new("fenced", brokers(all & !cluster.live)),
            ]
        }
    };
    if !is_up(engine, node) {
        // Nobody answers: this is what it will find on its disk.
        summary.clear();
    }
    summary
        .push(Field::new("under-replicated", count_if(&|partition| is_under_replicated(engine, partition))));
    summary.push(Field::new("offline partitions", offline));
    let role = match topology.rules.metadata {
        Metadata::ZooKeeper => "standalone",
        Metadata::Kraft if is_up(engine, node) => "active controller",
        Metadata::Kraft => "controller",
    };
    Shown { role: role.to_owned(), summary, ..Shown::default() }
}

/// The cluster's metadata as its keeper has it.
fn cluster(engine: &World) -> Vec<Section> {
    let (topology, cluster) = (&engine.model.shared.topology, engine.model.cluster());
    let existing: Vec<_> =
        (0..topology.partitions.len()).filter(|&partition| cluster.partitions[partition].exists()).collect();
    let mut fields = vec![
        Field::new("live brokers", brokers(cluster.live)),
        Field::new("metadata version", cluster.version),
        Field::new("partitions", existing.len()),
    ];
    if topology.rules.metadata == Metadata::ZooKeeper {
        fields.push(Field::new(
            "controller",
            cluster.controller.map_or_else(|| "none".to_owned(), broker_name),
        ));
        fields.push(Field::new("controller epoch", cluster.controller_epoch));
    }
    let mut sections = vec![Section { title: "cluster".to_owned(), fields }];
    for &partition in existing.iter().take(SECTIONS_MAX) {
        let state = &cluster.partitions[partition];
        let mut fields = vec![
            Field::new("leader", state.leader.map_or_else(|| "none".to_owned(), broker_name)),
            Field::new("leader epoch", state.epoch),
            Field::new("partition epoch", state.version),
            Field::new("ISR", brokers(state.isr)),
        ];
        if topology.rules.has_elr {
            fields.push(Field::new("ELR", brokers(state.elr)));
        }
        if let Some(last) = state.last_leader {
            fields.push(Field::new("last known leader", broker_name(last)));
        }
        sections.push(Section { title: topology.partition_name(partition as u32), fields });
    }
    and_more(&mut sections, existing.len(), "partitions");
    sections
}

/// An application that calls a service instead of sending to a topic.
fn caller(engine: &World, node: NodeId, direct: &Direct) -> Shown {
    let again = engine.timers(node).filter_map(|timer| match timer {
        super::model::Timer::Service(Alarm::Again { message, .. }) => Some(*message),
        _ => None,
    });
    Shown::caller(direct, again)
}

#[cfg(test)]
mod tests;
