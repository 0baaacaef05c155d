//! What a family shows of its world at an instant, as plain data: nodes with fields, connections with packets under
//! way, lanes of cells with named marks. Views draw it and know no vendor's word; every name in it is the family's.

use crate::fact::{MessageId, NodeId, PlaceId, SubscriptionId};
use crate::sim::Time;

/// A node, as much of it as fits into a box.
#[derive(Clone, Debug, PartialEq)]
pub struct NodePicture {
    /// Which node.
    pub node: NodeId,
    /// `broker-1`, `billing/2`.
    pub name: String,
    /// Where it stands in the picture.
    pub station: Station,
    /// What it is at this instant, in the vendor's words, most telling first: `controller`, `leads 2`.
    pub role: String,
    /// How its process fares.
    pub health: Health,
    /// A few fields, the most telling first; all of them are in [`super::World::inspect`].
    pub summary: Vec<Field>,
    /// What is on its disk; none: it has none.
    pub disk: Option<DiskPicture>,
    /// The messages in its hands, oldest first: those that a sender waits for, those that a receiver works on. At most
    /// [`HOLDS_MAX`].
    pub holds: Vec<MessageId>,
    /// How many messages are in its hands.
    pub held: usize,
}

/// A node's picture names at most so many of the messages in its hands.
pub const HOLDS_MAX: usize = 64;

/// Where a node stands: messages go from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Station {
    /// Producing applications.
    Senders,
    /// The broker's own nodes.
    Cluster,
    /// Consuming applications.
    Receivers,
    /// What they call.
    Services,
}

/// How a process fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// It runs.
    Up,
    /// It was asked to stop and has not finished.
    Stopping,
    /// It stands still; its kernel goes on.
    Frozen,
    /// It does not run; the machine does.
    Down,
    /// The machine is off.
    Off,
}

/// A named value, both in the family's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// `LEO`.
    pub name: String,
    /// `4187`.
    pub value: String,
}

impl Field {
    /// A field of this name.
    pub fn new(name: impl Into<String>, value: impl std::fmt::Display) -> Self {
        Self { name: name.into(), value: value.to_string() }
    }
}

/// Fields that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// `orders/0`.
    pub title: String,
    /// In the order in which somebody who knows the vendor's tools expects them.
    pub fields: Vec<Field>,
}

/// What a node's disk holds, over all files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskPicture {
    /// All that was written, the page cache included.
    pub bytes: u64,
    /// What would survive a power loss at this instant.
    pub durable: u64,
}

/// What joins two nodes: all connections between them, and what is under way on them. Pairs that never spoke and that
/// nothing spoils are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct LinkPicture {
    /// The two nodes, the smaller first.
    pub ends: [NodeId; 2],
    /// Whether a connection is open.
    pub is_connected: bool,
    /// Nothing arrives: from the first to the second, and back.
    pub is_cut: [bool; 2],
    /// Packets are delayed, dropped or doubled on purpose.
    pub is_spoiled: bool,
    /// Segments that wait to be retransmitted, from the first and from the second.
    pub held: [usize; 2],
    /// What is under way, in the order of arrival. At most [`PACKETS_MAX`].
    pub packets: Vec<PacketPicture>,
}

/// A link's picture shows at most so many packets.
pub const PACKETS_MAX: usize = 16;

/// A packet under way.
#[derive(Clone, Debug, PartialEq)]
pub struct PacketPicture {
    /// From the link's second node to its first.
    pub is_backward: bool,
    /// How far it came, in thousandths; from when it arrives and how long packets take on this link.
    pub progress: u16,
    /// When it arrives.
    pub arrives: Time,
    /// What it is, in the vendor's word: `Produce`, `Fetch`.
    pub label: &'static str,
    /// How many messages it carries.
    pub messages: u32,
}

/// A place, and every copy of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PlacePicture {
    /// Which place.
    pub place: PlaceId,
    /// `orders/0`.
    pub name: String,
    /// What holds for the place as a whole: `leader epoch 3`, `ISR broker-1, broker-2`.
    pub fields: Vec<Field>,
    /// One for each copy, in the family's order.
    pub lanes: Vec<LanePicture>,
    /// How far each subscription is, in the order of their numbers.
    pub readers: Vec<ReaderPicture>,
}

/// A copy of a place: cells from `start` to before `end`; what they hold is asked of [`super::World::cells`].
#[derive(Clone, Debug, PartialEq)]
pub struct LanePicture {
    /// On which node.
    pub node: NodeId,
    /// `broker-1`.
    pub name: String,
    /// `leader`, `follower`, `mirror`.
    pub role: String,
    /// It takes part: its node runs and nothing keeps it out.
    pub is_live: bool,
    /// The first offset.
    pub start: u64,
    /// The offset after the last one.
    pub end: u64,
    /// What is before this offset would survive a power loss.
    pub durable: u64,
    /// Of a place that forgets: how many messages this copy holds, and how many of them would survive a power loss.
    pub held: Option<(u64, u64)>,
    /// Named offsets: `HW` at 4187.
    pub marks: Vec<OffsetMark>,
}

/// An offset with a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetMark {
    /// `HW`.
    pub name: &'static str,
    /// Where.
    pub at: u64,
}

/// How far a subscription is in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReaderPicture {
    /// Which.
    pub subscription: SubscriptionId,
    /// Which of its processes reads here; none: nobody.
    pub owner: Option<NodeId>,
    /// Its named offsets: `committed`, `position`.
    pub marks: Vec<OffsetMark>,
    /// How much waits for it here.
    pub lag: u64,
}

/// A value that a chart follows over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gauge {
    /// `ISR orders/0`.
    pub name: String,
    /// At this instant.
    pub value: i64,
}
