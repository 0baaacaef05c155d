//! The fake world as pictures: a broker that may die, its copy, whoever sends, whoever reads.

use super::{Event, FakeWorld};
use crate::broker::picture::{
    DiskPicture, Field, Gauge, Health, LanePicture, LinkPicture, NodePicture, OffsetMark, PacketPicture,
    PlacePicture, ReaderPicture, Section, Station,
};
use crate::fact::{MessageId, NodeId, PlaceId, SubscriptionId};
use crate::sim::Span;

/// The broker, its copy, the sender; then whoever reads.
const BROKER: NodeId = NodeId(0);
const COPY: NodeId = NodeId(1);
const SENDER: NodeId = NodeId(2);

impl FakeWorld {
    pub(super) fn name(&self, node: NodeId) -> String {
        match node.0 {
            0 | 1 => format!("broker-{}", node.0 + 1),
            2 => "checkout".to_owned(),
            reader => self.readers.get(reader as usize - 3).cloned().unwrap_or_default(),
        }
    }

    /// What is on its way to the broker, the earliest first.
    fn sent(&self) -> Vec<MessageId> {
        let is_sent = |event: &Event| if let Event::Confirm(n) = event { Some(MessageId(*n)) } else { None };
        self.agenda.values().filter_map(is_sent).collect()
    }

    fn node(&self, node: NodeId) -> NodePicture {
        let (station, role) = match node {
            BROKER => (Station::Cluster, "main"),
            COPY => (Station::Cluster, "copy"),
            SENDER => (Station::Senders, "sender"),
            _ => (Station::Receivers, "reader"),
        };
        let holds = if node == SENDER { self.sent() } else { Vec::new() };
        let bytes = 100 * self.end(node).unwrap_or_default();
        let health = if node == BROKER && self.is_dead { Health::Down } else { Health::Up };
        NodePicture {
            node,
            name: self.name(node),
            station,
            role: role.to_owned(),
            health,
            summary: vec![Field::new("held", holds.len())],
            disk: self.end(node).map(|_| DiskPicture { bytes, durable: bytes / 2 }),
            held: holds.len(),
            holds,
        }
    }

    /// The offset after the last one, if this node keeps the place.
    fn end(&self, node: NodeId) -> Option<u64> {
        match node {
            BROKER => Some(self.log.len() as u64),
            COPY => Some(self.copied as u64),
            _ => None,
        }
    }

    pub(super) fn pictures(&self) -> Vec<NodePicture> {
        (0..3 + self.readers.len() as u16).map(|node| self.node(NodeId(node))).collect()
    }

    pub(super) fn sections(&self, node: NodeId) -> Vec<Section> {
        let known = self.node(node);
        let name = Section { title: known.name, fields: known.summary };
        let log = self
            .end(node)
            .map(|end| Section { title: "orders/0".to_owned(), fields: vec![Field::new("end", end)] });
        [name].into_iter().chain(log).collect()
    }

    pub(super) fn joined(&self) -> Vec<LinkPicture> {
        let way = Span::from_millis(3);
        let packets = self.agenda.iter().filter_map(|(&(arrives, _), event)| {
            let Event::Confirm(_) = event else { return None };
            let left = arrives.since(self.now).0.min(way.0);
            let progress = ((way.0 - left) * 1000 / way.0) as u16;
            Some(PacketPicture { is_backward: true, progress, arrives, label: "send", messages: 1 })
        });
        let link = |ends, packets| LinkPicture {
            ends,
            is_connected: !self.is_dead,
            is_cut: [self.is_dead; 2],
            is_spoiled: false,
            held: [0, 0],
            packets,
        };
        let readers =
            (0..self.readers.len() as u16).map(|reader| link([BROKER, NodeId(3 + reader)], Vec::new()));
        [link([BROKER, COPY], Vec::new()), link([BROKER, SENDER], packets.collect())]
            .into_iter()
            .chain(readers)
            .collect()
    }

    pub(super) fn orders(&self) -> PlacePicture {
        let lane = |node, role: &str| {
            let end = self.end(node).unwrap_or_default();
            LanePicture {
                node,
                name: self.name(node),
                role: role.to_owned(),
                is_live: node != BROKER || !self.is_dead,
                start: 0,
                end,
                durable: end / 2,
                held: None,
                marks: vec![OffsetMark { name: "safe", at: end.min(self.copied as u64) }],
            }
        };
        let readers = (0..self.readers.len() as u16).map(|reader| ReaderPicture {
            subscription: SubscriptionId(reader),
            owner: Some(NodeId(3 + reader)),
            marks: vec![OffsetMark { name: "position", at: self.copied as u64 }],
            lag: self.log.len() as u64 - self.copied as u64,
        });
        PlacePicture {
            place: PlaceId(0),
            name: "orders/0".to_owned(),
            fields: vec![Field::new("copies", 2)],
            lanes: vec![lane(BROKER, "main"), lane(COPY, "copy")],
            readers: readers.collect(),
        }
    }

    pub(super) fn held(&self, node: NodeId, from: u64, to: u64) -> Vec<Option<MessageId>> {
        let to = to.min(self.end(node).unwrap_or_default());
        (from..to).map(|offset| self.log[offset as usize]).collect()
    }

    pub(super) fn measures(&self) -> Vec<Gauge> {
        let gauge = |name: &str, value: usize| Gauge { name: name.to_owned(), value: value as i64 };
        vec![gauge("stored", self.log.len()), gauge("not copied", self.stored.len())]
    }
}
