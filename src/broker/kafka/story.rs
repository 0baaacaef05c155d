//! Kafka's own facts: what only this family can say, as numbers, and the sentences for them.

use super::control::PartitionState;
use crate::broker::Names;
use crate::fact::{Fact, FamilyFact, NodeId, PlaceId};

/// The kinds of Kafka's facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Kind {
    /// Place; numbers: the in-sync replicas as bits.
    IsrChanged = 1,
    /// Place: the group's home; numbers: generation, members.
    Rebalanced,
    /// Place; numbers: group, offset.
    Committed,
    /// Place; numbers: offset, what the leader's end is.
    Truncated,
    /// Numbers: controller epoch.
    ControllerElected,
    /// Place; numbers: in-sync replicas now, how many it takes.
    Refused,
    /// Place; numbers: offset it began at.
    PositionReset,
}

impl Kind {
    fn of(number: u16) -> Option<Self> {
        [
            Self::IsrChanged,
            Self::Rebalanced,
            Self::Committed,
            Self::Truncated,
            Self::ControllerElected,
            Self::Refused,
            Self::PositionReset,
        ]
        .into_iter()
        .find(|&kind| kind as u16 == number)
    }
}

/// A fact of this family.
pub(super) fn fact(kind: Kind, place: u32, numbers: [u64; 2]) -> Fact {
    Fact::Family(FamilyFact { kind: kind as u16, place, numbers })
}

/// The in-sync replicas of a partition changed.
pub(super) fn isr_changed(partition: u32, state: &PartitionState) -> Fact {
    // Two words hold the 128 brokers there can be.
    fact(Kind::IsrChanged, partition, [state.isr as u64, (state.isr >> 64) as u64])
}

/// The in-sync replicas that an [`isr_changed`] speaks of.
pub(super) fn isr_of(told: &FamilyFact) -> Option<u128> {
    (Kind::of(told.kind) == Some(Kind::IsrChanged))
        .then(|| u128::from(told.numbers[1]) << 64 | u128::from(told.numbers[0]))
}

/// How many in-sync replicas there were and how many it takes, if a batch was refused for that.
pub(super) fn refused(told: &FamilyFact) -> Option<(u64, u64)> {
    (Kind::of(told.kind) == Some(Kind::Refused)).then_some((told.numbers[0], told.numbers[1]))
}

/// Where reading began for want of a committed offset.
pub(super) fn reset_at(told: &FamilyFact) -> Option<u64> {
    (Kind::of(told.kind) == Some(Kind::PositionReset)).then_some(told.numbers[0])
}

/// One sentence for a fact of this family.
pub(super) fn tell(told: &FamilyFact, names: &dyn Names) -> Option<String> {
    let place = names.place(PlaceId(told.place));
    let [a, b] = told.numbers;
    Some(match Kind::of(told.kind)? {
        Kind::IsrChanged => {
            let isr = isr_of(told).unwrap_or_default();
            let members: Vec<_> = (0..128u16)
                .filter(|&broker| isr & (1 << broker) != 0)
                .map(|broker| names.node(NodeId(broker)))
                .collect();
            format!("in-sync replicas of {place} are now {}", members.join(", "))
        }
        Kind::Rebalanced => format!("group rebalanced: generation {a} with {b} members"),
        Kind::Committed => format!("committed offset {b} of {place}"),
        Kind::Truncated => {
            format!("{place} truncated to offset {a}, as its leader's log ends its epoch there")
        }
        Kind::ControllerElected => format!("controller elected, epoch {a}"),
        Kind::Refused => format!("{place} refused a batch: {a} in-sync replicas, min.insync.replicas is {b}"),
        Kind::PositionReset => format!("no committed offset for {place}: reading begins at {a}"),
    })
}
