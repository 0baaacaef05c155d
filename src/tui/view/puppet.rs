//! A world for tests of views that shows whatever pictures it is given, and never moves.

use std::sync::Arc;

use super::kit::Stage;
use crate::broker::picture::{
    DiskPicture, Field, Health, LanePicture, LinkPicture, NodePicture, OffsetMark, PacketPicture,
    PlacePicture, ReaderPicture, Section, Station,
};
use crate::broker::{Details, Firing, Progress, World};
use crate::fact::{Fact, MessageId, NodeId, Observation, PlaceId, ProducerId, SubscriptionId};
use crate::lab::record::Instant;
use crate::ledger::{Layout, Ledger};
use crate::scenario::plan::Value;
use crate::sim::Time;

/// The pictures.
#[derive(Clone, Default)]
pub(crate) struct Puppet {
    pub(crate) now: Time,
    pub(crate) nodes: Vec<NodePicture>,
    pub(crate) links: Vec<LinkPicture>,
    pub(crate) places: Vec<PlacePicture>,
    pub(crate) sections: Vec<Section>,
    /// What lanes hold: by node, from which offset on, and how far the message's number is ahead of the offset.
    pub(crate) shifts: Vec<(NodeId, u64, u32)>,
}

/// A field.
pub(crate) fn field(name: &str, value: &str) -> Field {
    Field { name: name.to_owned(), value: value.to_owned() }
}

/// A node that runs.
pub(crate) fn node(number: u16, name: &str, station: Station) -> NodePicture {
    let is_cluster = station == Station::Cluster;
    NodePicture {
        node: NodeId(number),
        name: name.to_owned(),
        station,
        role: if is_cluster { "follower".to_owned() } else { String::new() },
        health: Health::Up,
        summary: vec![field("LEO", "530"), field("HW", "520")],
        disk: is_cluster.then_some(DiskPicture { bytes: 530_000, durable: 412_000 }),
        holds: if is_cluster { Vec::new() } else { (0..9).map(MessageId).collect() },
        held: if is_cluster { 0 } else { 12 },
    }
}

/// A connection with these packets: backward, progress, label, messages.
pub(crate) fn link(ends: [u16; 2], packets: &[(bool, u16, &'static str, u32)]) -> LinkPicture {
    let packet = |&(is_backward, progress, label, messages): &(bool, u16, &'static str, u32)| PacketPicture {
        is_backward,
        progress,
        arrives: Time::ZERO,
        label,
        messages,
    };
    LinkPicture {
        ends: ends.map(NodeId),
        is_connected: true,
        is_cut: [false; 2],
        is_spoiled: false,
        held: [0; 2],
        packets: packets.iter().map(packet).collect(),
    }
}

/// A copy of a place.
pub(crate) fn lane(number: u16, name: &str, role: &str, ends: [u64; 3]) -> LanePicture {
    let [start, durable, end] = ends;
    LanePicture {
        node: NodeId(number),
        name: name.to_owned(),
        role: role.to_owned(),
        is_live: true,
        start,
        end,
        durable,
        held: None,
        marks: vec![
            OffsetMark { name: "HW", at: start + (end - start) * 9 / 10 },
            OffsetMark { name: "LEO", at: end },
        ],
    }
}

/// A place with these copies, read by the first subscription.
pub(crate) fn place(number: u32, name: &str, lanes: Vec<LanePicture>) -> PlacePicture {
    let end = lanes.iter().map(|lane| lane.end).max().unwrap_or(0);
    let marks =
        vec![OffsetMark { name: "committed", at: end / 2 }, OffsetMark { name: "position", at: end * 3 / 4 }];
    PlacePicture {
        place: PlaceId(number),
        name: name.to_owned(),
        fields: vec![field("leader", "broker-1"), field("epoch", "3"), field("set", "broker-1, broker-2")],
        lanes,
        readers: vec![ReaderPicture {
            subscription: SubscriptionId(0),
            owner: Some(NodeId(5)),
            marks,
            lag: end / 2,
        }],
    }
}

impl Puppet {
    /// Two producers, three brokers, two consumers and a service, all well.
    pub(crate) fn cluster() -> Self {
        let mut nodes = vec![
            node(0, "broker-1", Station::Cluster),
            node(1, "broker-2", Station::Cluster),
            node(2, "broker-3", Station::Cluster),
            node(3, "checkout", Station::Senders),
            node(4, "returns", Station::Senders),
            node(5, "billing/1", Station::Receivers),
            node(6, "billing/2", Station::Receivers),
            node(7, "bank", Station::Services),
        ];
        nodes[0].role = "controller, leads 1".to_owned();
        let mut links = vec![
            link([0, 1], &[(true, 500, "Fetch", 0)]),
            link([0, 2], &[(false, 250, "Fetch", 4)]),
            link([1, 2], &[]),
            link([0, 3], &[(true, 400, "Produce", 3), (false, 900, "Produce", 0)]),
            link([0, 4], &[]),
            link([1, 3], &[]),
            link([2, 4], &[]),
            link([0, 5], &[(false, 600, "Fetch", 7)]),
            link([0, 6], &[]),
            link([1, 6], &[]),
            link([5, 7], &[(false, 300, "call", 1)]),
        ];
        links.sort_by_key(|link| link.ends.map(|end| end.0));
        Self { nodes, links, ..Self::default() }
    }

    /// One place with three copies of this many messages; the third lags behind.
    pub(crate) fn log(end: u64) -> Self {
        let lanes = vec![
            lane(0, "broker-1", "leader", [0, end * 4 / 5, end]),
            lane(1, "broker-2", "follower", [0, end * 3 / 5, end]),
            lane(2, "broker-3", "follower", [0, end / 2, end * 7 / 10]),
        ];
        Self { places: vec![place(0, "orders/0", lanes)], ..Self::cluster() }
    }
}

impl World for Puppet {
    fn advance(&mut self, _: Time, _: &mut Vec<Observation>) -> Progress {
        Progress::Reached
    }
    fn step(&mut self, _: Time, _: &mut Vec<Observation>) -> Progress {
        Progress::Ended
    }
    fn now(&self) -> Time {
        self.now
    }
    fn events(&self) -> u64 {
        0
    }
    fn digest(&self) -> u64 {
        0
    }
    fn is_quiet(&self) -> bool {
        true
    }
    fn want_details(&mut self, _: Details) {}
    fn resolve(&self, _: &str) -> Vec<NodeId> {
        Vec::new()
    }
    fn fired(&self) -> &[Firing] {
        &[]
    }
    fn waiting(&self, _: SubscriptionId) -> Vec<MessageId> {
        Vec::new()
    }
    fn heal(&mut self) {}
    fn is_replicated(&self) -> bool {
        true
    }
    fn state(&self, _: &str) -> Option<Value> {
        None
    }
    fn snapshot(&self) -> Box<dyn World> {
        Box::new(self.clone())
    }
    fn node_name(&self, node: NodeId) -> String {
        self.nodes.iter().find(|one| one.node == node).map_or_else(String::new, |one| one.name.clone())
    }
    fn place_name(&self, place: PlaceId) -> String {
        self.place(place).map_or_else(String::new, |one| one.name)
    }
    fn broken_invariants(&self) -> Vec<String> {
        Vec::new()
    }
    fn missing(&self, _: &[MessageId]) -> Vec<MessageId> {
        Vec::new()
    }
    fn nodes(&self) -> Vec<NodePicture> {
        self.nodes.clone()
    }
    fn links(&self) -> Vec<LinkPicture> {
        self.links.clone()
    }
    fn places(&self) -> Vec<PlaceId> {
        self.places.iter().map(|place| place.place).collect()
    }
    fn place(&self, place: PlaceId) -> Option<PlacePicture> {
        self.places.iter().find(|one| one.place == place).cloned()
    }
    fn cells(&self, place: PlaceId, node: NodeId, from: u64, to: u64) -> Vec<Option<MessageId>> {
        let Some(place) = self.place(place) else { return Vec::new() };
        let Some(lane) = place.lanes.iter().find(|lane| lane.node == node) else { return Vec::new() };
        let shift = |offset| {
            let mut shifts = self.shifts.iter().filter(|(of, from, _)| *of == node && *from <= offset);
            shifts.next_back().map_or(0, |shift| shift.2)
        };
        let held = from.max(lane.start)..to.min(lane.end);
        held.map(|offset| Some(MessageId(offset as u32 + shift(offset)))).collect()
    }
    fn inspect(&self, _: NodeId) -> Vec<Section> {
        self.sections.clone()
    }
}

impl Puppet {
    /// A stage that shows it, with so many messages due, confirmed and processed, the first ones first.
    pub(crate) fn on_stage(self, [due, confirmed, done]: [u32; 3]) -> Stage {
        let mut stage = Stage::fake();
        let mut ledger = Ledger::new(Arc::new(Layout::new(stage.source.family(), &stage.plan)));
        let (node, at) = (NodeId(0), Time::ZERO);
        let (producer, subscription) = (ProducerId(0), SubscriptionId(0));
        for number in 0..due {
            let message = MessageId(number);
            let facts = [
                Fact::Due { message, producer, instance: 0, number: number + 1, key: None },
                Fact::Sent { message, attempt: 1 },
                Fact::Confirmed { message, attempt: 1 },
                Fact::Delivered { message, subscription, instance: 0, flagged: false },
                Fact::Effect { message, subscription, stale: false },
            ];
            let count = if number < done {
                5
            } else if number < confirmed {
                3
            } else {
                2
            };
            ledger.observe(
                &facts[..count].iter().map(|&fact| Observation { at, node, fact }).collect::<Vec<_>>(),
            );
        }
        stage.instant = Instant { world: Box::new(self), ledger };
        stage
    }
}
