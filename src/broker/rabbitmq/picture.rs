//! A RabbitMQ world at an instant, as pictures, in the words of the management plugin: ready, unacked, total, consumers
//! with their prefetch, channels with what they have not confirmed, who leads and who mirrors, partitions and alarms.
//!
//! It reads and changes nothing. A node whose process is down shows what lies on its disk.

mod node;
mod place;

pub(super) use self::place::ABBREVIATIONS;
use super::model::{Node, RabbitModel};
use super::packet::Packet;
use super::world::{World, is_up};
use crate::app::{Alarm, Direct};
use crate::broker::host::{Pictured, Shown};
use crate::broker::picture::{Gauge, PlacePicture, Section};
use crate::fact::{MessageId, NodeId, PlaceId};

/// A node's sections tell of at most so many of a kind.
const SECTIONS_MAX: usize = 64;

impl Pictured for RabbitModel {
    fn shown(engine: &World, node: NodeId) -> Shown {
        let known = &engine.model.nodes[node.0 as usize];
        if let Some(role) = client(known)
            && !is_up(engine, node)
        {
            return Shown { role: role.to_owned(), ..Shown::default() };
        }
        match known {
            Node::Broker(broker) => node::shown(engine, node, broker),
            Node::Publisher(publisher) => publisher.shown(engine, node),
            Node::Consumer(consumer) => consumer.shown(engine, node),
            Node::Direct(direct) => caller(engine, node, direct),
            Node::Service(known) => Shown::service(known),
        }
    }

    fn inspect(engine: &World, node: NodeId) -> Vec<Section> {
        match &engine.model.nodes[node.0 as usize] {
            Node::Broker(broker) => node::sections(engine, node, broker),
            Node::Publisher(_) | Node::Consumer(_) if !is_up(engine, node) => Vec::new(),
            Node::Publisher(publisher) => publisher.sections(engine),
            Node::Consumer(consumer) => consumer.sections(engine),
            Node::Direct(_) | Node::Service(_) => {
                let shown = Self::shown(engine, node);
                vec![Section { title: shown.role, fields: shown.summary }]
            }
        }
    }

    fn label(_engine: &World, packet: &Packet) -> (&'static str, u32) {
        match packet {
            Packet::Amqp(frame) => (frame.label(), u32::from(frame.envelope().is_some())),
            Packet::Dist(letter) => (letter.msg.label(), u32::from(letter.msg.carries_message())),
            Packet::Tick => ("tick", 0),
            Packet::Service(talk) => match talk {
                crate::app::Talk::Call { .. } => ("call", 1),
                crate::app::Talk::Reply { .. } => ("reply", 0),
            },
        }
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
        Node::Publisher(_) => Some("publisher"),
        Node::Consumer(_) => Some("consumer"),
        Node::Direct(_) => Some("caller"),
        Node::Service(_) => Some("service"),
        Node::Broker(_) => None,
    }
}

fn caller(engine: &World, node: NodeId, direct: &Direct) -> Shown {
    let again = engine.timers(node).filter_map(|timer| match timer {
        super::model::Timer::Service(Alarm::Again { message, .. }) => Some(*message),
        _ => None,
    });
    Shown::caller(direct, again)
}
