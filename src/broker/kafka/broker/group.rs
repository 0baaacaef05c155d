//! Coordinating consumer groups: members join at a barrier, one of them assigns, offsets are records of a replicated
//! partition and count once they are replicated.
//!
//! Source: `GroupCoordinator`, `GroupMetadataManager`.
//! Not modelled: static members, cooperative rebalancing, the consumer protocol of KIP-848, expiry of offsets.

mod picture;

use std::collections::BTreeMap;

use super::super::content::{Committed, GroupRecord, MemberRecord};
use super::super::model::{KafkaCtx, Shared, Timer};
use super::super::packet::{Error, GroupAnswer, GroupAsk, GroupRequest, GroupResponse, GroupVerb, Packet};
use super::super::story::{self, Kind};
use super::Broker;
use super::leader::Waiter;
use crate::sim::{ConnId, Span, Time};

/// How long a commit may wait for replicas: `offsets.commit.timeout.ms`.
const COMMIT_TIMEOUT: Span = Span::from_secs(5);

/// A group that this broker coordinates.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Group {
    generation: u32,
    phase: Phase,
    members: BTreeMap<u64, Member>,
    leader: u64,
    /// Committed offsets by partition.
    pub(in super::super) offsets: BTreeMap<u32, u64>,
    /// Commits whose replication is under way.
    commits: BTreeMap<u64, Commit>,
    next: u64,
    look_at: Option<Time>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// Nobody, or a stable assignment.
    #[default]
    Stable,
    /// Members join until then; a group that was empty waits for more of them to come.
    Joining { until: Time, is_new: bool },
    /// The leader's assignment is awaited.
    Assigning,
}

#[derive(Clone, Debug)]
struct Member {
    session: Span,
    patience: Span,
    heard: Time,
    /// It waits for the barrier.
    joining: Option<ConnId>,
    /// It waits for the assignment.
    syncing: Option<ConnId>,
    assignment: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Commit {
    conn: ConnId,
    offsets: Vec<(u32, u64)>,
}

impl Broker {
    /// Now leads the partition: loads the groups that live there from its log.
    pub(super) fn coordinate(&mut self, partition: u32, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        for (index, known) in shared.topology.groups.iter().enumerate() {
            let Some(replica) = &self.replicas[partition as usize] else { return };
            if known.home != partition {
                continue;
            }
            let mut group = Group { next: u64::from(replica.state.epoch + 1) << 40, ..Group::default() };
            for id in replica.log.batches_from(0, &shared.content) {
                let batch = shared.content.batch(id);
                if let Some(committed) = shared.content.committed(batch).filter(|it| it.group == index as u16)
                {
                    group.offsets.extend(committed.offsets.iter().copied());
                }
                if let Some(record) = shared.content.group(batch).filter(|it| it.group == index as u16) {
                    group.load(record, ctx.now());
                }
            }
            self.groups.insert(index as u16, group);
            self.arm_group(index as u16, ctx);
        }
    }

    /// No longer leads the partition: the groups that live there are somebody else's.
    pub(super) fn stop_coordinating(&mut self, partition: u32, ctx: &mut KafkaCtx<'_>, shared: &mut Shared) {
        for (index, known) in shared.topology.groups.iter().enumerate() {
            if known.home != partition {
                continue;
            }
            let Some(group) = self.groups.remove(&(index as u16)) else { continue };
            for member in group.members.into_values() {
                for (conn, verb) in [(member.joining, GroupVerb::Join), (member.syncing, GroupVerb::Sync)] {
                    if let Some(conn) = conn {
                        self.group_answer(conn, index as u16, verb, Err(Error::NotCoordinator), ctx);
                    }
                }
            }
        }
    }

    pub(super) fn group_conn_closed(&mut self, conn: ConnId) {
        for group in self.groups.values_mut() {
            for member in group.members.values_mut() {
                member.joining = member.joining.filter(|&known| known != conn);
                member.syncing = member.syncing.filter(|&known| known != conn);
            }
        }
    }

    pub(super) fn group_request(
        &mut self,
        conn: ConnId,
        request: GroupRequest,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let (index, verb) = (request.group, request.ask.verb());
        let now = ctx.now();
        let Some(group) = self.groups.get_mut(&index) else {
            self.group_answer(conn, index, verb, Err(Error::NotCoordinator), ctx);
            return;
        };
        if let Some(member) = group.members.get_mut(&request.member) {
            member.heard = now;
        }
        let answer = match request.ask {
            GroupAsk::Join(session, rebalance) => {
                let delay = shared.topology.config.initial_rebalance_delay;
                let spans = (Span::from_millis(session), Span::from_millis(rebalance));
                group.join(request.member, spans, conn, delay, now);
                None
            }
            GroupAsk::Sync(assignment) => match group.sync(request.member, request.generation, conn) {
                Err(error) => Some(Err(error)),
                Ok(Some(assigned)) => Some(Ok(GroupAnswer::Assigned(assigned))),
                Ok(None) => {
                    if let Some(assignment) = assignment {
                        self.assigned(index, &assignment, shared, ctx);
                    }
                    None
                }
            },
            GroupAsk::Heartbeat => Some(group.heartbeat(request.member, request.generation)),
            GroupAsk::Leave => {
                group.remove(request.member, now);
                Some(Ok(GroupAnswer::Done))
            }
            GroupAsk::Commit(offsets) => {
                let refused = group.may_commit(request.member, request.generation).err();
                if refused.is_none() {
                    self.commit(conn, index, offsets, shared, ctx);
                }
                refused.map(Err)
            }
            GroupAsk::Offsets(asked) => {
                let known = |partition: u32| (partition, group.offsets.get(&partition).copied());
                Some(Ok(GroupAnswer::Offsets(asked.into_iter().map(known).collect())))
            }
        };
        if let Some(answer) = answer {
            self.group_answer(conn, index, verb, answer, ctx);
        }
        self.group_moves(index, ctx);
    }

    /// Ends the barrier if everybody is there, and looks after the clock.
    fn group_moves(&mut self, index: u16, ctx: &mut KafkaCtx<'_>) {
        let now = ctx.now();
        let Some(group) = self.groups.get_mut(&index) else { return };
        for (conn, answer) in group.complete_join(now) {
            self.group_answer(conn, index, GroupVerb::Join, Ok(answer), ctx);
        }
        self.arm_group(index, ctx);
    }

    pub(super) fn group_timer(&mut self, index: u16, ctx: &mut KafkaCtx<'_>) {
        let now = ctx.now();
        let Some(group) = self.groups.get_mut(&index) else { return };
        group.look_at = None;
        let is_silent = |member: &Member| member.joining.is_none() && member.heard + member.session <= now;
        let silent: Vec<_> =
            group.members.iter().filter(|(_, member)| is_silent(member)).map(|(&id, _)| id).collect();
        for member in silent {
            group.remove(member, now);
        }
        self.group_moves(index, ctx);
    }

    fn arm_group(&mut self, index: u16, ctx: &mut KafkaCtx<'_>) {
        let Some(group) = self.groups.get_mut(&index) else { return };
        let sessions = group
            .members
            .values()
            .filter(|member| member.joining.is_none())
            .map(|member| member.heard + member.session);
        let barrier = match group.phase {
            Phase::Joining { until, .. } => Some(until),
            _ => None,
        };
        if let Some(at) = sessions.chain(barrier).min()
            && group.look_at.is_none_or(|known| known > at)
        {
            group.look_at = Some(at);
            ctx.timer_at(at, Timer::Group(index));
        }
    }

    fn group_answer(
        &mut self,
        conn: ConnId,
        group: u16,
        to: GroupVerb,
        answer: Result<GroupAnswer, Error>,
        ctx: &mut KafkaCtx<'_>,
    ) {
        self.respond(conn, Packet::GroupResponse(Box::new(GroupResponse { group, answer, to })), 80, ctx);
    }

    /// The leader of the group said who reads what: it is recorded, and everybody who waits is told.
    fn assigned(
        &mut self,
        index: u16,
        assignment: &BTreeMap<u64, Vec<u32>>,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let Some(group) = self.groups.get_mut(&index) else { return };
        group.phase = Phase::Stable;
        let mut answers = Vec::new();
        for (id, member) in &mut group.members {
            member.assignment = assignment.get(id).cloned().unwrap_or_default();
            if let Some(conn) = member.syncing.take() {
                answers.push((conn, GroupAnswer::Assigned(member.assignment.clone())));
            }
        }
        let record = GroupRecord {
            group: index,
            generation: group.generation,
            leader: group.leader,
            members: group.members.iter().map(|(&id, member)| (id, member.record())).collect(),
        };
        let home = shared.topology.groups[index as usize].home;
        let numbers = [u64::from(group.generation), group.members.len() as u64];
        ctx.observe(story::fact(Kind::Rebalanced, home, numbers));
        let make = |shared: &mut Shared, base, epoch| shared.content.add_group(base, epoch, record);
        self.append_own(home, Waiter::Nobody, make, shared, ctx);
        for (conn, answer) in answers {
            self.group_answer(conn, index, GroupVerb::Sync, Ok(answer), ctx);
        }
    }

    fn commit(
        &mut self,
        conn: ConnId,
        index: u16,
        offsets: Vec<(u32, u64)>,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let home = shared.topology.groups[index as usize].home;
        let Some(group) = self.groups.get_mut(&index) else { return };
        group.next += 1;
        // The group is part of the number, so that the waiter finds its way back.
        let id = group.next << 16 | u64::from(index);
        group.commits.insert(id, Commit { conn, offsets: offsets.clone() });
        let committed = Committed { group: index, offsets };
        let make = |shared: &mut Shared, base, epoch| shared.content.add_committed(base, epoch, committed);
        if !self.append_own(home, Waiter::Commit { id }, make, shared, ctx) {
            self.commit_replicated(id, Some(Error::NotCoordinator), ctx);
            return;
        }
        ctx.timer(COMMIT_TIMEOUT, Timer::Commit(id));
    }

    /// A commit that is not replicated by now is answered as failed; replicated later, it stays in the log and counts
    /// only for the next coordinator.
    pub(super) fn commit_timer(&mut self, id: u64, ctx: &mut KafkaCtx<'_>) {
        self.commit_replicated(id, Some(Error::RequestTimedOut), ctx);
    }

    /// A commit is replicated, or never will be.
    pub(super) fn commit_replicated(&mut self, id: u64, error: Option<Error>, ctx: &mut KafkaCtx<'_>) {
        let index = (id & 0xffff) as u16;
        let Some(group) = self.groups.get_mut(&index) else { return };
        let Some(commit) = group.commits.remove(&id) else { return };
        if error.is_none() {
            for &(partition, offset) in &commit.offsets {
                group.offsets.insert(partition, offset);
                ctx.observe(story::fact(Kind::Committed, partition, [u64::from(index), offset]));
            }
        }
        let answer = error.map_or(Ok(GroupAnswer::Done), Err);
        self.group_answer(commit.conn, index, GroupVerb::Commit, answer, ctx);
    }
}

impl Member {
    fn record(&self) -> MemberRecord {
        MemberRecord { session: self.session, patience: self.patience, assignment: self.assignment.clone() }
    }
}

impl Group {
    /// A recorded rebalance: its members have their session's time to show that they live.
    fn load(&mut self, record: &GroupRecord, now: Time) {
        self.generation = record.generation;
        self.leader = record.leader;
        self.members = record
            .members
            .iter()
            .map(|(&id, known)| {
                let assignment = known.assignment.clone();
                let (session, patience) = (known.session, known.patience);
                (id, Member { session, patience, heard: now, joining: None, syncing: None, assignment })
            })
            .collect();
    }

    fn join(&mut self, member: u64, (session, patience): (Span, Span), conn: ConnId, delay: Span, now: Time) {
        let was_empty = self.members.is_empty();
        let id = if self.members.contains_key(&member) {
            member
        } else {
            self.next += 1;
            self.next
        };
        let assignment = self.members.get(&id).map(|known| known.assignment.clone()).unwrap_or_default();
        let joining = Some(conn);
        self.members.insert(id, Member { session, patience, heard: now, joining, syncing: None, assignment });
        match self.phase {
            Phase::Joining { until, is_new: true } if until > now => {
                self.phase = Phase::Joining { until: now + delay, is_new: true };
            }
            Phase::Joining { .. } => {}
            _ if was_empty => self.phase = Phase::Joining { until: now + delay, is_new: true },
            _ => self.rebalance(now),
        }
    }

    /// Everybody is to join again; whoever does not within the longest rebalance time-out is out.
    fn rebalance(&mut self, now: Time) {
        if !matches!(self.phase, Phase::Joining { .. }) {
            let patience = self.members.values().map(|member| member.patience).max().unwrap_or_default();
            self.phase = Phase::Joining { until: now + patience, is_new: false };
        }
    }

    fn remove(&mut self, member: u64, now: Time) {
        if self.members.remove(&member).is_some() {
            self.rebalance(now);
        }
    }

    /// If the barrier is reached, everybody who joined and what to tell them.
    fn complete_join(&mut self, now: Time) -> Vec<(ConnId, GroupAnswer)> {
        let Phase::Joining { until, is_new } = self.phase else { return Vec::new() };
        let is_complete = !is_new && self.members.values().all(|member| member.joining.is_some());
        if !is_complete && until > now {
            return Vec::new();
        }
        self.members.retain(|_, member| member.joining.is_some());
        self.generation += 1;
        self.phase = if self.members.is_empty() { Phase::Stable } else { Phase::Assigning };
        let ids: Vec<_> = self.members.keys().copied().collect();
        if !ids.contains(&self.leader) {
            self.leader = ids.first().copied().unwrap_or_default();
        }
        let (generation, leader) = (self.generation, self.leader);
        let told = |(&id, member): (&u64, &mut Member)| {
            member.heard = now;
            let members = (id == leader).then(|| ids.clone());
            Some((member.joining.take()?, GroupAnswer::Joined { member: id, generation, members }))
        };
        self.members.iter_mut().filter_map(told).collect()
    }

    /// Some: the assignment is known. None: it will be.
    fn sync(&mut self, member: u64, generation: u32, conn: ConnId) -> Result<Option<Vec<u32>>, Error> {
        let phase = self.phase;
        let known = self.members.get_mut(&member).ok_or(Error::UnknownMember)?;
        if generation != self.generation {
            return Err(Error::IllegalGeneration);
        }
        match phase {
            Phase::Joining { .. } => Err(Error::RebalanceInProgress),
            Phase::Stable => Ok(Some(known.assignment.clone())),
            Phase::Assigning => {
                known.syncing = Some(conn);
                Ok(None)
            }
        }
    }

    fn heartbeat(&self, member: u64, generation: u32) -> Result<GroupAnswer, Error> {
        if !self.members.contains_key(&member) {
            return Err(Error::UnknownMember);
        }
        if generation != self.generation {
            return Err(Error::IllegalGeneration);
        }
        match self.phase {
            Phase::Joining { .. } => Err(Error::RebalanceInProgress),
            _ => Ok(GroupAnswer::Done),
        }
    }

    /// The old generation may commit while its members join again, not while the next assignment is awaited.
    fn may_commit(&self, member: u64, generation: u32) -> Result<(), Error> {
        if !self.members.contains_key(&member) {
            return Err(Error::UnknownMember);
        }
        if generation != self.generation {
            return Err(Error::IllegalGeneration);
        }
        if self.phase == Phase::Assigning { Err(Error::RebalanceInProgress) } else { Ok(()) }
    }
}
