//! A consumer's membership in its group: finding the coordinator, joining, the range assignment, heartbeats, commits.
//!
//! Eager rebalancing: a member that is told to join again finishes what it was handed, gives everything up, and waits
//! at the barrier.
//!
//! New partitions are noticed by the group's leader, in its metadata; it joins again, and so does everybody.
//!
//! Source: `AbstractCoordinator`, `ConsumerCoordinator`, `RangeAssignor`.
//! Not modelled: that before 0.10, and in librdkafka, every member that notices new partitions joins again.

use std::collections::BTreeMap;

use super::super::config::ConsumerConfig;
use super::super::establish::GENERATION;
use super::super::model::{KafkaCtx, METADATA_BACKOFF, Timer};
use super::super::packet::{Error, GroupAnswer, GroupAsk, GroupRequest, GroupResponse, GroupVerb, Packet};
use super::super::picture::{ago, broker_name, member_name};
use super::super::world::World;
use super::assigned::{Assigned, Progress};
use super::consumer::Consumer;
use crate::broker::picture::{Field, Section};
use crate::fact::{Fact, NodeId};
use crate::sim::{ConnId, Span, Time};

/// How much longer than the slowest member a join may take.
const JOIN_GRACE: Span = Span::from_secs(5);

/// What a member knows of its group.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    pub(super) group: u16,
    /// The partition whose leader coordinates.
    home: u32,
    pub(super) conn: Option<ConnId>,
    pub(super) is_open: bool,
    coordinator: u16,
    retry_at: Time,
    member: u64,
    generation: u32,
    phase: Phase,
    is_rejoin_asked: bool,
    /// Offsets whose commit is under way.
    committing: Vec<Progress>,
    /// Since when an answer is awaited; joins may take as long as the slowest member.
    asked_at: Option<Time>,
    heard: Time,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Outside,
    Joining,
    Syncing,
    /// Asks where to begin.
    Positioning,
    Stable,
}

impl Membership {
    pub(super) fn new(group: u16, home: u32) -> Self {
        Self {
            group,
            home,
            conn: None,
            is_open: false,
            coordinator: 0,
            retry_at: Time::ZERO,
            member: 0,
            generation: 0,
            phase: Phase::Outside,
            is_rejoin_asked: false,
            committing: Vec::new(),
            asked_at: None,
            heard: Time::ZERO,
        }
    }

    pub(super) fn restart(&mut self) {
        *self = Self::new(self.group, self.home);
    }

    /// A member of a stable group from the beginning.
    pub(super) fn resume(&mut self, member: u64) {
        self.member = member;
        self.generation = GENERATION;
        self.phase = Phase::Stable;
    }

    pub(super) fn is_stable(&self) -> bool {
        self.phase == Phase::Stable && !self.is_rejoin_asked && self.committing.is_empty()
    }

    pub(super) fn is_committing(&self) -> bool {
        !self.committing.is_empty()
    }

    /// What the coordinator knows it as.
    pub(super) fn member(&self) -> u64 {
        self.member
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// Whether it was given partitions, or none.
    pub(super) fn is_member(&self) -> bool {
        matches!(self.phase, Phase::Positioning | Phase::Stable)
    }

    /// In a word.
    pub(super) fn state(&self) -> &'static str {
        match self.phase {
            Phase::Outside if self.member == 0 => "no member",
            Phase::Outside => "rejoining",
            Phase::Joining => "joining",
            Phase::Syncing => "awaits assignment",
            Phase::Positioning => "fetches offsets",
            Phase::Stable if self.is_rejoin_asked => "told to rejoin",
            Phase::Stable => "stable",
        }
    }

    /// All of it, in words.
    pub(super) fn section(&self, engine: &World) -> Section {
        let now = engine.now();
        let groups = &engine.model.shared.topology.groups;
        let name = groups.get(self.group as usize).map_or("", |group| group.name.as_str());
        let state = match self.phase {
            Phase::Outside => "UNJOINED",
            Phase::Joining => "PREPARING_REBALANCE",
            Phase::Syncing => "COMPLETING_REBALANCE",
            Phase::Positioning | Phase::Stable => "STABLE",
        };
        let mut fields = vec![Field::new("state", state)];
        if self.member > 0 {
            fields.push(Field::new("member", member_name(self.member)));
        }
        fields.push(Field::new("generation", self.generation));
        let coordinator = match self.conn {
            Some(_) if self.is_open => broker_name(self.coordinator),
            Some(_) => format!("{}, connecting", broker_name(self.coordinator)),
            None => "not connected".to_owned(),
        };
        fields.push(Field::new("coordinator", coordinator));
        fields.push(Field::new("coordinator heard", ago(now, self.heard)));
        if let Some(at) = self.asked_at {
            fields.push(Field::new("answer awaited", format!("for {}", now.since(at))));
        }
        if self.is_rejoin_asked {
            fields.push(Field::new("rebalance", "told to rejoin"));
        }
        if !self.committing.is_empty() {
            fields.push(Field::new("commit under way", format!("{} partitions", self.committing.len())));
        }
        Section { title: format!("group {name}"), fields }
    }

    /// The connection to the coordinator is there, and nothing was asked on it yet.
    pub(super) fn opened(&mut self) {
        self.is_open = true;
        self.asked_at = None;
    }

    /// The connection to the coordinator is gone; what was asked on it is not answered.
    pub(super) fn lost(&mut self, now: Time) {
        self.conn = None;
        self.is_open = false;
        self.committing.clear();
        self.asked_at = None;
        self.retry_at = now + METADATA_BACKOFF;
        match self.phase {
            Phase::Joining | Phase::Syncing => self.phase = Phase::Outside,
            Phase::Outside | Phase::Positioning | Phase::Stable => {}
        }
    }

    /// When the answer that is awaited is overdue. A join may take as long as the slowest member, and five seconds
    /// more (`JoinGroupRequest`'s own time-out in `AbstractCoordinator`).
    fn overdue_at(&self, config: &ConsumerConfig) -> Time {
        let patience = match self.phase {
            Phase::Joining if self.is_open => {
                config.request_timeout.max(config.max_poll_interval + JOIN_GRACE)
            }
            _ => config.request_timeout,
        };
        self.asked_at.map_or(Time::NEVER, |at| at + patience)
    }

    /// An answer that does not come means that the coordinator is gone.
    pub(super) fn expire(&mut self, config: &ConsumerConfig, ctx: &mut KafkaCtx<'_>) {
        if self.overdue_at(config) <= ctx.now()
            && let Some(conn) = self.conn
        {
            ctx.close(conn);
            self.lost(ctx.now());
        }
    }

    fn ask(&mut self, ask: GroupAsk, ctx: &mut KafkaCtx<'_>) {
        let Some(conn) = self.conn.filter(|_| self.is_open) else { return };
        self.asked_at.get_or_insert(ctx.now());
        let (group, member, generation) = (self.group, self.member, self.generation);
        ctx.send(conn, Packet::Group(Box::new(GroupRequest { group, member, generation, ask })), 100);
    }
}

impl Consumer {
    /// Looks after the coordinator's connection and the next step of joining; when to look again.
    pub(super) fn keep_membership(&mut self, ctx: &mut KafkaCtx<'_>) -> Time {
        let now = ctx.now();
        let Some(coordinator) = self.links.leader(self.membership.home) else {
            if self.links.view.is_some() {
                self.links.want_metadata();
            }
            return now + METADATA_BACKOFF;
        };
        if self.membership.conn.is_some() && self.membership.coordinator != coordinator {
            // The metadata moved on: the old coordinator is not one any more.
            if let Some(conn) = self.membership.conn {
                ctx.close(conn);
            }
            self.membership.lost(now);
            self.membership.retry_at = now;
        }
        if self.membership.conn.is_none() {
            if self.membership.retry_at > now {
                return self.membership.retry_at;
            }
            self.membership.coordinator = coordinator;
            self.membership.conn = Some(ctx.connect(NodeId(coordinator)));
            self.membership.asked_at = Some(now);
        }
        if !self.membership.is_open {
            return now + self.config.request_timeout;
        }
        match self.membership.phase {
            Phase::Outside if self.may_poll() => self.join(ctx),
            Phase::Positioning if self.membership.asked_at.is_none() => {
                let partitions = self.assigned.iter().map(|assigned| assigned.partition).collect();
                self.membership.ask(GroupAsk::Offsets(partitions), ctx);
            }
            _ => {}
        }
        self.membership.overdue_at(&self.config)
    }

    fn join(&mut self, ctx: &mut KafkaCtx<'_>) {
        self.membership.phase = Phase::Joining;
        self.membership.is_rejoin_asked = false;
        self.assigned.clear();
        let (session, rebalance) =
            (self.config.session_timeout.0 / 1_000_000, self.config.max_poll_interval.0 / 1_000_000);
        self.membership.asked_at = None;
        self.membership.ask(GroupAsk::Join(session, rebalance), ctx);
    }

    /// Between two polls, if a rebalance is on: commit, give everything up, join.
    pub(super) fn rejoin_if_asked(&mut self, ctx: &mut KafkaCtx<'_>) -> bool {
        let is_asked =
            (self.membership.is_rejoin_asked || self.is_outgrown) && self.membership.phase == Phase::Stable;
        if is_asked && self.membership.is_open {
            if self.config.has_auto_commit && !self.membership.is_committing() {
                self.commit(ctx);
            }
            self.join(ctx);
        }
        is_asked
    }

    /// Commits what can be committed, if that is anything new.
    pub(super) fn commit(&mut self, ctx: &mut KafkaCtx<'_>) {
        if self.membership.phase != Phase::Stable || !self.membership.is_open {
            return;
        }
        let offsets = self.committable();
        if offsets.is_empty() {
            return;
        }
        for progress in &offsets {
            if let Some(assigned) =
                self.assigned.iter_mut().find(|known| known.partition == progress.partition)
            {
                assigned.committed = progress.offset;
            }
        }
        let said = offsets.iter().map(|progress| (progress.partition, progress.offset)).collect();
        self.membership.committing = offsets;
        self.membership.ask(GroupAsk::Commit(said), ctx);
    }

    pub(super) fn leave(&mut self, ctx: &mut KafkaCtx<'_>) {
        if self.membership.phase != Phase::Outside {
            self.membership.ask(GroupAsk::Leave, ctx);
        }
        self.membership.phase = Phase::Outside;
        self.membership.member = 0;
        self.assigned.clear();
    }

    pub(super) fn heartbeat(&mut self, ctx: &mut KafkaCtx<'_>) {
        ctx.timer(self.config.heartbeat_interval, Timer::Heartbeat);
        if self.membership.phase != Phase::Stable {
            return;
        }
        if !self.may_poll() && ctx.now().since(self.polled_at) > self.config.max_poll_interval {
            // The application does not come back: the library leaves on its behalf, and it keeps processing.
            self.leave(ctx);
        } else {
            self.membership.ask(GroupAsk::Heartbeat, ctx);
        }
    }

    pub(super) fn group_said(&mut self, response: GroupResponse, ctx: &mut KafkaCtx<'_>) {
        self.membership.asked_at = None;
        self.membership.heard = ctx.now();
        match response.answer {
            Err(error) => self.group_refused(response.to, error, ctx),
            Ok(GroupAnswer::Joined { member, generation, members }) => {
                if self.membership.phase != Phase::Joining {
                    return;
                }
                self.membership.member = member;
                self.membership.generation = generation;
                self.membership.phase = Phase::Syncing;
                self.handed_out = members.is_some().then(|| self.topics.clone());
                self.is_outgrown = false;
                let assignment = members.map(|members| range(&members, &self.topics));
                self.membership.ask(GroupAsk::Sync(assignment), ctx);
            }
            Ok(GroupAnswer::Assigned(partitions)) => {
                if self.membership.phase != Phase::Syncing {
                    return;
                }
                self.assigned = partitions.into_iter().map(Assigned::new).collect();
                self.membership.phase =
                    if self.assigned.is_empty() { Phase::Stable } else { Phase::Positioning };
            }
            Ok(GroupAnswer::Offsets(offsets)) => {
                if self.membership.phase == Phase::Positioning {
                    self.membership.phase = Phase::Stable;
                    self.offsets_known(&offsets, ctx);
                }
            }
            Ok(GroupAnswer::Done) => {
                if response.to == GroupVerb::Commit {
                    self.committed(ctx);
                }
            }
        }
    }

    fn committed(&mut self, ctx: &mut KafkaCtx<'_>) {
        let subscription = self.worker.subscription;
        for progress in std::mem::take(&mut self.membership.committing) {
            if let Some(message) = progress.last {
                ctx.observe(Fact::Acknowledged { message, subscription });
            }
        }
    }

    fn group_refused(&mut self, to: GroupVerb, error: Error, ctx: &mut KafkaCtx<'_>) {
        let now = ctx.now();
        if to == GroupVerb::Commit {
            // What was not committed may be tried again with the next commit.
            for progress in std::mem::take(&mut self.membership.committing) {
                if let Some(assigned) =
                    self.assigned.iter_mut().find(|known| known.partition == progress.partition)
                {
                    assigned.committed = u64::MAX;
                }
            }
        }
        match error {
            Error::RebalanceInProgress => match self.membership.phase {
                Phase::Stable => self.membership.is_rejoin_asked = true,
                Phase::Syncing => self.membership.phase = Phase::Outside,
                _ => {}
            },
            Error::UnknownMember | Error::IllegalGeneration => {
                if error == Error::UnknownMember {
                    self.membership.member = 0;
                }
                self.assigned.clear();
                self.membership.phase = Phase::Outside;
            }
            _ => {
                self.links.want_metadata();
                if let Some(conn) = self.membership.conn {
                    ctx.close(conn);
                }
                self.membership.lost(now);
            }
        }
    }
}

/// The range assignment, topic by topic: consecutive partitions, the first members one more if it does not come out
/// even. With topics of one partition, the first member gets everything.
pub(in super::super) fn range(members: &[u64], topics: &[(u32, u32)]) -> BTreeMap<u64, Vec<u32>> {
    let mut shares: BTreeMap<u64, Vec<u32>> = members.iter().map(|&member| (member, Vec::new())).collect();
    for &(first, count) in topics {
        let (each, more) = (count / members.len() as u32, count % members.len() as u32);
        let mut next = first;
        for (at, member) in members.iter().enumerate() {
            let take = each + u32::from((at as u32) < more);
            if let Some(share) = shares.get_mut(member) {
                share.extend(next..next + take);
            }
            next += take;
        }
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_consecutive_and_differ_by_one_at_most() {
        let shares: Vec<_> = range(&[7, 8, 9], &[(10, 5)]).into_values().collect();
        assert_eq!(shares, [vec![10, 11], vec![12, 13], vec![14]]);
        let shares: Vec<_> = range(&[7, 8], &[(0, 1)]).into_values().collect();
        assert_eq!(shares, [vec![0], vec![]], "more members than partitions: some have nothing to do");
        let shares: Vec<_> = range(&[7, 8], &[(0, 1), (1, 1), (2, 2)]).into_values().collect();
        assert_eq!(shares, [vec![0, 1, 2], vec![3]], "each topic by itself");
    }
}
