//! What is worth jumping to in a run: faults, deaths, elections, repeated effects, broken order.
//!
//! Invariant: at most [`NOTABLE_MAX`] are kept. When there are more, repeated effects and broken order are thinned out,
//! every second of them at a time; deaths and starts go only when nothing of those is left; faults and elections stay.
//! Besides, one line is kept for each producer instance and key with an effect, at each subscription.

use std::collections::BTreeMap;

use crate::fact::{Fact, Observation, SubscriptionId};
use crate::ledger::Ledger;
use crate::sim::Time;

/// Observations indexed at most.
pub const NOTABLE_MAX: usize = 10_000;

/// An observation worth jumping to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Notable {
    /// The number of the event that it belongs to, from 1: after so many events it has just happened.
    pub events: u64,
    /// Why it is worth it.
    pub kind: NotableKind,
    /// The observation.
    pub observation: Observation,
}

/// Why an observation is worth jumping to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum NotableKind {
    /// A fault began to act on a node.
    Fault,
    /// It ended there.
    FaultEnded,
    /// A process ended.
    Down,
    /// A process started.
    Up,
    /// The cluster noticed that a node is down.
    Detected,
    /// A place has a new leader, or none.
    Election,
    /// A subscription began to exist.
    Subscribed,
    /// A message changed a store for another time.
    Duplicate,
    /// A first effect came after the first effect of a message that was sent later in the same order.
    Reorder,
}

impl NotableKind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 9] = [
        Self::Fault,
        Self::FaultEnded,
        Self::Down,
        Self::Up,
        Self::Detected,
        Self::Election,
        Self::Subscribed,
        Self::Duplicate,
        Self::Reorder,
    ];

    /// The smaller, the sooner it is thinned out; none: never.
    fn worth(self) -> Option<u8> {
        match self {
            Self::Duplicate | Self::Reorder => Some(0),
            Self::Down | Self::Up | Self::Detected | Self::Subscribed => Some(1),
            Self::Fault | Self::FaultEnded | Self::Election => None,
        }
    }
}

/// Finds them while a run is recorded. Every observation is shown to it *before* the ledger folds it.
#[derive(Clone, Debug, Default)]
pub(super) struct Index {
    list: Vec<Notable>,
    counts: [u64; NotableKind::ALL.len()],
    /// Of each worth, one of so many is kept.
    strides: [u64; 2],
    lanes: BTreeMap<(SubscriptionId, u16, Option<u32>), Lane>,
}

/// The messages of one order that had their first effect.
#[derive(Clone, Copy, Debug)]
struct Lane {
    /// The latest one that had it before `at`, counted from 1; 0: none had.
    before: u32,
    /// The latest one of all.
    latest: u32,
    /// When the last of them had it.
    at: Time,
}

impl Index {
    /// In the order in which they happened.
    pub(super) fn list(&self) -> &[Notable] {
        &self.list
    }

    /// How many there were of a kind, those included that were thinned out.
    pub(super) fn count(&self, kind: NotableKind) -> u64 {
        self.counts[kind as usize]
    }

    /// Looks at an observation that the ledger does not know yet.
    pub(super) fn fold(&mut self, events: u64, observation: &Observation, ledger: &Ledger) {
        let kind = match observation.fact {
            Fact::Fault { .. } => NotableKind::Fault,
            Fact::FaultEnded { .. } => NotableKind::FaultEnded,
            Fact::NodeDown { .. } => NotableKind::Down,
            Fact::NodeUp => NotableKind::Up,
            Fact::DetectedDown { .. } => NotableKind::Detected,
            Fact::LeaderElected { .. } => NotableKind::Election,
            Fact::Subscribed { .. } => NotableKind::Subscribed,
            Fact::Effect { message, subscription, .. } => {
                if ledger.effects(message, subscription) > 0 {
                    NotableKind::Duplicate
                } else if self.is_reordered(observation.at, message.0, subscription, ledger) {
                    NotableKind::Reorder
                } else {
                    return;
                }
            }
            _ => return,
        };
        self.keep(Notable { events, kind, observation: *observation });
    }

    /// Whether a message that was sent later in the same order had its first effect before this instant.
    fn is_reordered(
        &mut self,
        at: Time,
        message: u32,
        subscription: SubscriptionId,
        ledger: &Ledger,
    ) -> bool {
        let Some((instance, key)) = ledger.lane(crate::fact::MessageId(message)) else { return false };
        let lane =
            self.lanes.entry((subscription, instance, key)).or_insert(Lane { before: 0, latest: 0, at });
        if lane.at < at {
            (lane.before, lane.at) = (lane.latest, at);
        }
        lane.latest = lane.latest.max(message + 1);
        lane.before > message + 1
    }

    fn keep(&mut self, notable: Notable) {
        let count = self.counts[notable.kind as usize];
        self.counts[notable.kind as usize] += 1;
        if let Some(worth) = notable.kind.worth()
            && !count.is_multiple_of(self.strides[worth as usize].max(1))
        {
            return;
        }
        if self.list.len() >= NOTABLE_MAX {
            self.thin_out();
        }
        if self.list.len() < NOTABLE_MAX {
            self.list.push(notable);
        }
    }

    /// Makes room among the least worth, if there are any.
    fn thin_out(&mut self) {
        let has_many = |worth: &u8| {
            self.list.iter().filter(|one| one.kind.worth() == Some(*worth)).count() > NotableKind::ALL.len()
        };
        let Some(least) = [0, 1].into_iter().find(has_many) else { return };
        self.strides[least as usize] = self.strides[least as usize].max(1) * 2;
        let mut seen = [0u64; NotableKind::ALL.len()];
        self.list.retain(|one| {
            let seen = &mut seen[one.kind as usize];
            *seen += 1;
            one.kind.worth() != Some(least) || *seen % 2 == 1
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{MessageId, NodeId};

    fn notable(events: u64, kind: NotableKind) -> Notable {
        let fact = Fact::Effect { message: MessageId(0), subscription: SubscriptionId(0), stale: false };
        Notable { events, kind, observation: Observation { at: Time(events), node: NodeId(0), fact } }
    }

    #[test]
    fn repeated_effects_make_room_and_faults_stay() {
        let mut index = Index::default();
        for event in 0..100_000 {
            index.keep(notable(event, NotableKind::Duplicate));
            if event % 50 == 0 {
                index.keep(notable(event, NotableKind::Fault));
            }
            if event % 100 == 0 {
                index.keep(notable(event, NotableKind::Up));
            }
        }
        let kept = |kind| index.list().iter().filter(|one| one.kind == kind).count();
        assert!(index.list().len() <= NOTABLE_MAX);
        assert_eq!((kept(NotableKind::Fault), kept(NotableKind::Up)), (2_000, 1_000));
        assert!(kept(NotableKind::Duplicate) > 3_000, "the rest is shared out over the whole run");
        assert!(index.list().is_sorted_by_key(|one| one.events));
        assert_eq!(index.count(NotableKind::Duplicate), 100_000);
        for event in 0..100_000 {
            index.keep(notable(event, NotableKind::Election));
        }
        assert_eq!(kept_of(&index, NotableKind::Fault), 2_000);
        assert_eq!(index.list().len(), NOTABLE_MAX);
    }

    fn kept_of(index: &Index, kind: NotableKind) -> usize {
        index.list().iter().filter(|one| one.kind == kind).count()
    }
}
