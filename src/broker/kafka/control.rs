//! What a controller decides: leaders and in-sync replicas. Pure functions, shared by ZooKeeper mode and KRaft.
//!
//! Source: `PartitionStateMachine`, `PartitionLeaderElectionAlgorithms` (ZooKeeper), `PartitionChangeBuilder` (KRaft).
//! Invariant: a clean election never compares logs; any in-sync replica is taken for complete. The last in-sync
//! replica stays one when it dies.
//! Not modelled: preferred leader elections, reassignment, eligible leader replicas (KIP-966).

use super::model::KafkaCtx;
use super::story;
use super::topology::Topology;
use crate::fact::{Fact, NodeId, PlaceId};

/// A set of brokers, one bit each.
pub(super) type Brokers = u128;

/// The set that holds only this broker.
#[inline]
pub(super) fn only(broker: u16) -> Brokers {
    1 << broker
}

/// A partition as the controller knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct PartitionState {
    pub(super) leader: Option<u16>,
    pub(super) epoch: u32,
    pub(super) isr: Brokers,
    /// Counts changes: the partition epoch of KRaft, the znode version of ZooKeeper.
    pub(super) version: u32,
}

/// The cluster as the controller knows it, and, some time later, everybody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ClusterState {
    /// Counts the controllers that were in office.
    pub(super) controller_epoch: u32,
    pub(super) controller: Option<u16>,
    /// Counts changes.
    pub(super) version: u64,
    pub(super) live: Brokers,
    /// The process that each broker is or was last registered with: what broker epochs tell apart.
    pub(super) incarnations: Vec<u32>,
    pub(super) partitions: Vec<PartitionState>,
}

impl ClusterState {
    /// A healthy cluster: every replica in sync, the first one leading.
    pub(super) fn initial(topology: &Topology) -> Self {
        let partitions = topology
            .partitions
            .iter()
            .map(|partition| PartitionState {
                leader: partition.replicas.first().copied(),
                epoch: 0,
                isr: partition.replicas.iter().fold(0, |isr, &broker| isr | only(broker)),
                version: 0,
            })
            .collect();
        let live = (0..topology.brokers).fold(0, |live, broker| live | only(broker));
        let incarnations = vec![1; topology.brokers as usize];
        Self { controller_epoch: 0, controller: None, version: 0, live, incarnations, partitions }
    }

    /// What a broker knows before anybody told it anything.
    pub(super) fn unknown(topology: &Topology) -> Self {
        let partitions = vec![PartitionState::default(); topology.partitions.len()];
        Self {
            controller_epoch: 0,
            controller: None,
            version: 0,
            live: 0,
            incarnations: Vec::new(),
            partitions,
        }
    }

    /// The process that a broker is registered with; none: nobody has told yet.
    pub(super) fn incarnation(&self, broker: u16) -> Option<u32> {
        self.incarnations.get(broker as usize).copied()
    }

    /// Who leads the partition, as far as this view knows.
    #[inline]
    pub(super) fn leader(&self, partition: u32) -> Option<u16> {
        self.partitions[partition as usize].leader
    }
}

/// What should become of a partition, given who is alive; none: it may stay as it is.
///
/// `stopping` are brokers that asked to stop: they lead nothing if anybody else can.
pub(super) fn reassess(
    state: &PartitionState,
    replicas: &[u16],
    live: Brokers,
    stopping: Brokers,
    may_be_unclean: bool,
) -> Option<PartitionState> {
    let able = live & !stopping;
    let mut next = *state;
    for &broker in replicas {
        let is_gone = able & only(broker) == 0;
        let others = next.isr & !only(broker);
        // A broker that stops leaves only if another one can take over; a dead one also if others are merely dead too.
        let may_leave = if live & only(broker) == 0 { others != 0 } else { others & able != 0 };
        if is_gone && may_leave {
            next.isr = others;
        }
    }
    let is_led = next.leader.is_some_and(|leader| live & next.isr & only(leader) != 0);
    if !is_led {
        let clean = replicas.iter().copied().find(|&broker| next.isr & able & only(broker) != 0);
        let stopping_yet = || replicas.iter().copied().find(|&broker| next.isr & live & only(broker) != 0);
        let unclean = || replicas.iter().copied().find(|&broker| may_be_unclean && able & only(broker) != 0);
        next.leader = clean.or_else(stopping_yet).or_else(unclean);
        if let Some(leader) = next.leader
            && next.isr & only(leader) == 0
        {
            next.isr = only(leader);
        }
    }
    if next.leader != state.leader {
        next.epoch += 1;
    }
    if next == *state {
        return None;
    }
    next.version += 1;
    Some(next)
}

/// Writes down a change of leader or of in-sync replicas.
pub(super) fn announce(
    partition: u32,
    before: &PartitionState,
    after: &PartitionState,
    ctx: &mut KafkaCtx<'_>,
) {
    if before.leader != after.leader {
        let leader = after.leader.map(NodeId);
        let place = PlaceId(partition);
        let is_clean = after.leader.is_none_or(|leader| before.isr & only(leader) != 0);
        let fact = Fact::LeaderElected { place, leader, epoch: after.epoch, is_clean };
        ctx.observe_at(leader.unwrap_or_default(), fact);
    }
    if before.isr != after.isr {
        ctx.observe(story::isr_changed(partition, after));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(leader: Option<u16>, isr: &[u16]) -> PartitionState {
        PartitionState { leader, epoch: 4, isr: set(isr), version: 7 }
    }

    fn set(brokers: &[u16]) -> Brokers {
        brokers.iter().fold(0, |set, &broker| set | only(broker))
    }

    fn after(
        state: PartitionState,
        live: &[u16],
        stopping: &[u16],
        unclean: bool,
    ) -> (Option<u16>, Brokers, u32) {
        let next = reassess(&state, &[0, 1, 2], set(live), set(stopping), unclean).unwrap_or(state);
        (next.leader, next.isr, next.epoch)
    }

    #[test]
    fn the_first_in_sync_replica_in_assignment_order_takes_over() {
        assert_eq!(after(state(Some(0), &[0, 1, 2]), &[1, 2], &[], false), (Some(1), set(&[1, 2]), 5));
        assert_eq!(after(state(Some(0), &[0, 2]), &[1, 2], &[], false), (Some(2), set(&[2]), 5));
    }

    #[test]
    fn the_last_in_sync_replica_stays_one_when_it_dies() {
        assert_eq!(after(state(Some(0), &[0]), &[1, 2], &[], false), (None, set(&[0]), 5));
        assert_eq!(after(state(None, &[0]), &[0, 1, 2], &[], false), (Some(0), set(&[0]), 5));
    }

    #[test]
    fn an_unclean_election_takes_the_first_alive_and_forgets_the_rest() {
        assert_eq!(after(state(Some(0), &[0]), &[1, 2], &[], true), (Some(1), set(&[1]), 5));
    }

    #[test]
    fn a_stopping_broker_hands_over_if_anybody_can_take_over() {
        assert_eq!(after(state(Some(0), &[0, 1]), &[0, 1, 2], &[0], false), (Some(1), set(&[1]), 5));
        assert_eq!(after(state(Some(0), &[0]), &[0, 1, 2], &[0], true), (Some(0), set(&[0]), 4));
    }

    #[test]
    fn a_dead_follower_leaves_without_a_new_epoch() {
        assert_eq!(after(state(Some(0), &[0, 1, 2]), &[0, 2], &[], false), (Some(0), set(&[0, 2]), 4));
    }
}
