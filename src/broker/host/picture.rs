//! What every family shows alike: names, where nodes stand, how their processes fare, disks, links and what is under
//! way. The rest is asked of the family.

use std::collections::BTreeMap;

use super::{Host, Hosted};
use crate::broker::picture::{
    DiskPicture, Field, Gauge, HOLDS_MAX, Health, LinkPicture, NodePicture, PACKETS_MAX, PacketPicture,
    PlacePicture, Section,
};

use crate::app::{Direct, Service};
use crate::fact::{Fact, MessageId, NodeId, PlaceId};
use crate::sim::{Engine, Frame, Model, Status};

/// What a family says of one of its nodes.
#[derive(Clone, Debug, Default)]
pub(in crate::broker) struct Shown {
    /// See [`NodePicture::role`].
    pub(in crate::broker) role: String,
    /// See [`NodePicture::summary`].
    pub(in crate::broker) summary: Vec<Field>,
    /// The oldest messages in its hands.
    pub(in crate::broker) holds: Vec<MessageId>,
    /// How many messages are in its hands.
    pub(in crate::broker) held: usize,
    /// It keeps something on its disk.
    pub(in crate::broker) has_disk: bool,
}

impl Shown {
    /// A service: how many of its workers are busy, and how long its queue is.
    pub(in crate::broker) fn service(service: &Service) -> Self {
        let held = service.held().count();
        let (busy, workers) = service.workers();
        let (waiting, queue) = service.queue();
        let summary = vec![
            Field::new("busy", format!("{busy}/{workers}")),
            Field::new("queue", format!("{waiting}/{queue}")),
        ];
        let role = if service.is_broken() { "overrun" } else { "service" };
        Self { role: role.to_owned(), summary, holds: service.held().collect(), held, ..Self::default() }
    }

    /// A producer that calls a service: its open calls, and those that it makes again later.
    pub(in crate::broker) fn caller(direct: &Direct, again: impl Iterator<Item = MessageId>) -> Self {
        let mut holds: Vec<_> = direct.calls().chain(again).collect();
        holds.sort_unstable();
        let (held, open) = (holds.len(), direct.calls().count());
        let summary = vec![Field::new("open calls", open), Field::new("to be called again", held - open)];
        Self { role: "caller".to_owned(), summary, holds, held, ..Self::default() }
    }
}

/// What a family shows of itself.
pub(in crate::broker) trait Pictured: Model<Fact = Fact> + Sized {
    /// What a node is now, as far as the family knows.
    fn shown(engine: &Engine<Self>, node: NodeId) -> Shown;
    /// See [`crate::broker::World::inspect`].
    fn inspect(engine: &Engine<Self>, node: NodeId) -> Vec<Section>;
    /// What a packet is, and how many messages it carries.
    fn label(engine: &Engine<Self>, packet: &Self::Packet) -> (&'static str, u32);
    /// See [`crate::broker::World::places`].
    fn places(engine: &Engine<Self>) -> Vec<PlaceId>;
    /// See [`crate::broker::World::place`]; the names of its lanes are filled in.
    fn place(engine: &Engine<Self>, place: PlaceId) -> Option<PlacePicture>;
    /// See [`crate::broker::World::cells`].
    fn cells(engine: &Engine<Self>, of: (PlaceId, NodeId), from: u64, to: u64) -> Vec<Option<MessageId>>;
    /// See [`crate::broker::World::gauges`].
    fn gauges(engine: &Engine<Self>) -> Vec<Gauge>;
}

impl<M: Hosted> Host<M> {
    fn health(&self, node: NodeId) -> Health {
        match self.engine.status(node) {
            Status::Up if self.stopping.iter().any(|&(stopping, _)| stopping == node) => Health::Stopping,
            Status::Up => Health::Up,
            Status::Frozen => Health::Frozen,
            Status::Down => Health::Down,
            Status::Off => Health::Off,
        }
    }

    pub(super) fn node_pictures(&self) -> Vec<NodePicture> {
        (0..self.names.count()).map(|node| self.node_picture(NodeId(node))).collect()
    }

    fn node_picture(&self, node: NodeId) -> NodePicture {
        let health = self.health(node);
        let mut shown = M::shown(&self.engine, node);
        if matches!(health, Health::Down | Health::Off) {
            // Whatever a process had in its hands died with it.
            shown.holds.clear();
            shown.held = 0;
        }
        shown.holds.truncate(HOLDS_MAX);
        let disk = shown.has_disk.then(|| {
            let (bytes, durable) = self.engine.disk(node).total(self.engine.now());
            DiskPicture { bytes, durable }
        });
        NodePicture {
            node,
            name: self.names.names[node.0 as usize].clone(),
            station: self.names.station(node),
            role: shown.role,
            health,
            summary: shown.summary,
            disk,
            holds: shown.holds,
            held: shown.held,
        }
    }

    pub(super) fn link_pictures(&self) -> Vec<LinkPicture> {
        let joins = self.engine.joins().into_iter();
        let mut links: BTreeMap<[NodeId; 2], LinkPicture> = joins
            .map(|(ends, join)| {
                let link = LinkPicture {
                    ends,
                    is_connected: join.is_connected,
                    is_cut: join.is_cut,
                    is_spoiled: join.is_spoiled,
                    held: join.held,
                    packets: Vec::new(),
                };
                (ends, link)
            })
            .collect();
        for one in self.engine.under_way() {
            let is_backward = one.from > one.to;
            let ends = if is_backward { [one.to, one.from] } else { [one.from, one.to] };
            let Some(link) = links.get_mut(&ends).filter(|link| link.packets.len() < PACKETS_MAX) else {
                continue;
            };
            let (label, messages) = match one.what {
                Frame::Connect => ("SYN", 0),
                Frame::Accepted => ("SYN-ACK", 0),
                Frame::Refused => ("RST", 0),
                Frame::End => ("FIN", 0),
                Frame::Packet(packet) => M::label(&self.engine, packet),
            };
            let (progress, arrives) = (one.progress, one.arrives);
            link.packets.push(PacketPicture { is_backward, progress, arrives, label, messages });
        }
        links.into_values().collect()
    }

    pub(super) fn place_picture(&self, place: PlaceId) -> Option<PlacePicture> {
        let mut picture = M::place(&self.engine, place)?;
        for lane in &mut picture.lanes {
            lane.name.clone_from(&self.names.names[lane.node.0 as usize]);
        }
        Some(picture)
    }
}
