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
    /// Eligible leader replicas: out of sync, and yet complete.
    pub(super) elr: Brokers,
    /// Who led last, if nobody leads.
    pub(super) last_leader: Option<u16>,
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
                isr: partition.replicas.iter().fold(0, |isr, &broker| isr | only(broker)),
                ..PartitionState::default()
            })
            .zip(&topology.partitions)
            .map(|(state, partition)| if partition.is_initial { state } else { PartitionState::default() })
            .collect();
        let live = (0..topology.brokers).fold(0, |live, broker| live | only(broker));
        let incarnations = vec![1; topology.brokers as usize];
        Self { controller_epoch: 0, controller: None, version: 0, live, incarnations, partitions }
    }

    /// New partitions: the live replicas are in sync, the first of them leads. Whether there is any.
    pub(super) fn create(
        &mut self,
        partitions: std::ops::Range<u32>,
        topology: &Topology,
        ctx: &mut KafkaCtx<'_>,
    ) -> bool {
        let mut is_any = false;
        for partition in partitions {
            let able = |&broker: &u16| self.live & only(broker) != 0;
            let replicas = topology.partitions[partition as usize].replicas.iter().copied().filter(able);
            let isr = replicas.clone().fold(0, |isr, broker| isr | only(broker));
            let state = &mut self.partitions[partition as usize];
            let Some(leader) = replicas.clone().next().filter(|_| !state.exists()) else { continue };
            let next = PartitionState { leader: Some(leader), isr, version: 1, ..*state };
            announce(partition, &PartitionState { isr, ..*state }, &next, ctx);
            *state = next;
            is_any = true;
        }
        is_any
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

    /// This state, and of the partitions that it says nothing of what was known before.
    pub(super) fn over(&self, before: &Self) -> Self {
        let mut whole = self.clone();
        for (next, known) in whole.partitions.iter_mut().zip(&before.partitions) {
            if !next.exists() {
                *next = *known;
            }
        }
        whole
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

impl PartitionState {
    /// Whether there is such a partition yet.
    pub(super) fn exists(&self) -> bool {
        self.isr != 0 || self.version > 0
    }
}

/// The rules of one partition's elections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Electoral<'a> {
    /// In assignment order.
    pub(super) replicas: &'a [u16],
    /// `unclean.leader.election.enable`.
    pub(super) may_be_unclean: bool,
    /// With eligible leader replicas: the effective `min.insync.replicas`.
    pub(super) elr_below: Option<u32>,
    /// ZooKeeper mode: taking members out of the ISR begins an epoch, too (`LeaderAndIsr.newLeaderAndIsr`).
    pub(super) is_shrinking_new: bool,
}

/// What should become of a partition, given who is alive; none: it may stay as it is.
///
/// `stopping` are brokers that asked to stop: they lead nothing if anybody else can.
pub(super) fn reassess(
    state: &PartitionState,
    rules: Electoral<'_>,
    live: Brokers,
    stopping: Brokers,
) -> Option<PartitionState> {
    if !state.exists() {
        return None;
    }
    let able = live & !stopping;
    let mut next = *state;
    for &broker in rules.replicas {
        let is_gone = able & only(broker) == 0;
        let others = next.isr & !only(broker);
        let is_dead = live & only(broker) == 0;
        // A broker that stops leaves only if another one can take over; a dead one also if others are merely dead too.
        let may_leave = if is_dead { others != 0 || rules.elr_below.is_some() } else { others & able != 0 };
        if is_gone && may_leave {
            next.isr = others;
        }
    }
    next.keep_eligible(state, rules);
    next.elect(rules, live, able);
    if next.leader != state.leader || rules.is_shrinking_new && next.isr != state.isr {
        next.epoch += 1;
    }
    if next == *state {
        return None;
    }
    next.version += 1;
    Some(next)
}

impl PartitionState {
    /// Whoever leaves the ISR while it is too small stays eligible; with enough in sync nobody else needs to be.
    pub(super) fn keep_eligible(&mut self, before: &Self, rules: Electoral<'_>) {
        let Some(minimum) = rules.elr_below else { return };
        self.elr = if self.isr.count_ones() < minimum { (before.elr | before.isr) & !self.isr } else { 0 };
    }

    fn elect(&mut self, rules: Electoral<'_>, live: Brokers, able: Brokers) {
        if self.leader.is_some_and(|leader| live & self.isr & only(leader) != 0) {
            return;
        }
        let first = |set: Brokers| rules.replicas.iter().copied().find(|&broker| set & only(broker) != 0);
        let is_hopeless = rules.elr_below.is_some() && self.isr == 0 && self.elr == 0;
        let last = self.leader.or(self.last_leader);
        let elected = first(self.isr & able)
            .or_else(|| first(self.isr & live))
            .or_else(|| first(self.elr & able))
            .or_else(|| last.filter(|&last| is_hopeless && able & only(last) != 0))
            .or_else(|| first(if rules.may_be_unclean { able } else { 0 }));
        self.last_leader = if elected.is_none() { last } else { None };
        self.leader = elected;
        if let Some(leader) = elected
            && self.isr & only(leader) == 0
        {
            // An eligible one leaves the others eligible; an unclean one makes all others worthless.
            let was_eligible = self.elr & only(leader) != 0;
            self.elr = if was_eligible { self.elr & !only(leader) } else { 0 };
            self.isr = only(leader);
        }
    }
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
        let is_clean = after.leader.is_none_or(|leader| (before.isr | before.elr) & only(leader) != 0);
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
        PartitionState { leader, epoch: 4, isr: set(isr), version: 7, ..PartitionState::default() }
    }

    fn set(brokers: &[u16]) -> Brokers {
        brokers.iter().fold(0, |set, &broker| set | only(broker))
    }

    const RULES: Electoral<'_> =
        Electoral { replicas: &[0, 1, 2], may_be_unclean: false, elr_below: None, is_shrinking_new: false };

    fn after(
        state: PartitionState,
        live: &[u16],
        stopping: &[u16],
        unclean: bool,
    ) -> (Option<u16>, Brokers, u32) {
        let rules = Electoral { may_be_unclean: unclean, ..RULES };
        let next = reassess(&state, rules, set(live), set(stopping)).unwrap_or(state);
        (next.leader, next.isr, next.epoch)
    }

    /// ZooKeeper mode: the leader stays, and followers that come back find the end of the epoch in which they left.
    #[test]
    fn taking_a_dead_follower_out_begins_an_epoch() {
        let rules = Electoral { is_shrinking_new: true, ..RULES };
        let before = state(Some(0), &[0, 1, 2]);
        let after = reassess(&before, rules, set(&[0, 1]), 0).expect("one is dead");
        assert_eq!((after.leader, after.isr, after.epoch), (Some(0), set(&[0, 1]), before.epoch + 1));
        assert_eq!(reassess(&after, rules, set(&[0, 1]), 0), None);
        let kraft = reassess(&before, RULES, set(&[0, 1]), 0).expect("one is dead");
        assert_eq!(kraft.epoch, before.epoch);
    }

    /// F43: who leaves a small ISR stays eligible, and leads before anybody else does.
    #[test]
    fn eligible_replicas_lead_when_nobody_is_in_sync() {
        let rules = Electoral { elr_below: Some(2), ..RULES };
        let step =
            |state: PartitionState, live: &[u16]| reassess(&state, rules, set(live), 0).unwrap_or(state);
        let alone = step(state(Some(0), &[0, 1]), &[0, 2]);
        assert_eq!((alone.leader, alone.isr, alone.elr), (Some(0), set(&[0]), set(&[1])));
        let nobody = step(alone, &[2]);
        assert_eq!((nobody.leader, nobody.isr, nobody.elr), (None, 0, set(&[0, 1])));
        let eligible = step(nobody, &[1, 2]);
        assert_eq!((eligible.leader, eligible.isr, eligible.elr), (Some(1), set(&[1]), set(&[0])));
        let hopeless = PartitionState { elr: 0, ..nobody };
        assert_eq!(step(hopeless, &[1, 2]).leader, None, "only the last leader may lead then");
        assert_eq!(step(hopeless, &[0, 1, 2]).leader, Some(0));
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
