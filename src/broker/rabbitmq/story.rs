//! RabbitMQ's own facts: what only this family can say, as numbers, and the sentences for them.

use super::error::Error;
use crate::broker::Names;
use crate::fact::{Fact, FamilyFact, MessageId, NodeId, PlaceId};
use crate::sim::Span;

/// The kinds of RabbitMQ's facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Kind {
    /// Place: the client; numbers: the reply code.
    Closed = 1,
    /// Place: the node; numbers: set, or cleared.
    Alarm,
    /// Place: the node; numbers: paused, or starts again.
    Paused,
    /// Place: the node; numbers: the peer.
    Partitioned,
    /// Place: the node; numbers: the winner's clients, or that it lost.
    Healed,
    /// Place: the queue; numbers: the node, and whether it has everything.
    MirrorJoined,
    /// Place: the queue; numbers: the node.
    Synchronised,
    /// Place: the queue.
    QueueCrashed,
    /// Place: the queue; numbers: how many messages went with it.
    Wiped,
    /// Place: the node; numbers: the peer that others see.
    PausedForAll,
    /// Place: the node; numbers: whom it cuts, and who that sees.
    CutOff,
    /// Place: the stream; numbers: the message, its publishing id.
    Repeated,
    /// Place: the queue; numbers: the node of a member that does not come back.
    Ruined,
    /// Place: the node, which should pause and does not.
    Overlooked,
    /// Place: the client that holds a message for too long; numbers: the message's queue, how long it may, in ns.
    Overdue,
    /// Place: the queue in which a message died; numbers: the message, the queue that it is not led back to.
    CircleCut,
    /// Place: the queue in which a message died; numbers: the message, which its dead letters lead nowhere.
    LedNowhere,
}

impl Kind {
    fn of(number: u16) -> Option<Self> {
        [
            Self::Closed,
            Self::Alarm,
            Self::Paused,
            Self::Partitioned,
            Self::Healed,
            Self::MirrorJoined,
            Self::Synchronised,
            Self::QueueCrashed,
            Self::Wiped,
            Self::PausedForAll,
            Self::CutOff,
            Self::Repeated,
            Self::Ruined,
            Self::Overlooked,
            Self::Overdue,
            Self::CircleCut,
            Self::LedNowhere,
        ]
        .into_iter()
        .find(|&kind| kind as u16 == number)
    }
}

/// A fact of this family.
pub(super) fn fact(kind: Kind, place: u32, numbers: [u64; 2]) -> Fact {
    Fact::Family(FamilyFact { kind: kind as u16, place, numbers })
}

/// The message that a stream took for one that it had, with its publishing id, if that is what it says.
pub(super) fn repeated(told: &FamilyFact) -> Option<(u64, u64)> {
    (Kind::of(told.kind) == Some(Kind::Repeated)).then_some((told.numbers[0], told.numbers[1]))
}

/// Whether it says that two nodes found themselves partitioned.
pub(super) fn is_partitioned(told: &FamilyFact) -> bool {
    Kind::of(told.kind) == Some(Kind::Partitioned)
}

/// Whether it says that a node ran on that should have paused.
pub(super) fn is_overlooked(told: &FamilyFact) -> bool {
    Kind::of(told.kind) == Some(Kind::Overlooked)
}

/// Whether it is of this kind.
pub(super) fn is(told: &FamilyFact, kind: Kind) -> bool {
    Kind::of(told.kind) == Some(kind)
}

/// One sentence for a fact of this family.
pub(super) fn tell(told: &FamilyFact, names: &dyn Names) -> Option<String> {
    let node = || names.node(NodeId(told.place as u16));
    let place = || names.place(PlaceId(told.place));
    let [a, b] = told.numbers;
    let message = || names.message(MessageId(a as u32));
    Some(match Kind::of(told.kind)? {
        Kind::Closed => format!("the channel of {} was closed: {}", node(), Error::name_of(a as u16)),
        Kind::Alarm if a == 1 => format!("{} has a resource alarm: publishers are blocked", node()),
        Kind::Alarm => format!("the resource alarm of {} is cleared", node()),
        Kind::Paused if a == 1 => format!("{} sees no majority and pauses", node()),
        Kind::Paused => format!("{} sees enough nodes again and starts", node()),
        Kind::PausedForAll => {
            let peer = names.node(NodeId(a as u16));
            format!("{} does not see {peer}, which others see: it pauses until it sees all", node())
        }
        Kind::CutOff => {
            let (third, peer) = (names.node(NodeId(a as u16)), names.node(NodeId(b as u16)));
            format!("{} cuts itself off from {third}, which still sees {peer}", node())
        }
        Kind::Partitioned => format!("{} is partitioned from {}", node(), names.node(NodeId(a as u16))),
        Kind::Healed if a == u64::MAX => format!("{} lost the autoheal and starts again", node()),
        Kind::Healed => format!("autoheal: the side of {} wins with {a} client connections", node()),
        Kind::MirrorJoined => {
            let state = if b == 1 { "synchronised" } else { "unsynchronised" };
            format!("{} has a new mirror on {}, {state}", place(), names.node(NodeId(a as u16)))
        }
        Kind::Synchronised => {
            format!("the mirror of {} on {} is synchronised", place(), names.node(NodeId(a as u16)))
        }
        Kind::QueueCrashed => format!("the process of {} crashed and was restarted", place()),
        Kind::Wiped => format!("a copy of {} with {a} messages was thrown away", place()),
        Kind::Overlooked => format!("{} sees no majority while it comes back, and runs on alone", node()),
        Kind::Ruined => {
            format!(
                "the member of {} on {} was killed too young: it is of no use",
                place(),
                names.node(NodeId(a as u16))
            )
        }
        Kind::Overdue => {
            let queue = names.place(PlaceId(a as u32));
            format!("{} holds a message of {queue} for longer than it may, {}", node(), Span(b))
        }
        Kind::CircleCut => {
            let target = names.place(PlaceId(b as u32));
            format!("{} dies in {} and is not led back to {target}: nobody rejected it", message(), place())
        }
        Kind::LedNowhere => {
            format!("{} dies in {}, and no queue is there for its dead letters", message(), place())
        }
        Kind::Repeated => {
            format!("{} takes publishing id {b} for one that it has, and does not store it", place())
        }
    })
}
