//! A node's member of a quorum queue: Raft, the member's copy of the queue, and what a leader does because of commands.

use std::num::NonZeroU64;
use std::sync::Arc;

use smallvec::SmallVec;

use super::commands::{Command, Request, What};
use super::dead_letters::DeadLetters;
use super::fifo::{Effect, Fifo};
use super::table::CommandId;
use super::wal::{Piece, wal_file};
use super::{Alarm, QuorumMsg};
use crate::broker::rabbitmq::broker::{Env, QueueAlarm, dead_letter, node};
use crate::broker::rabbitmq::message::{Msg, Pid, Proc, QueueEnd};
use crate::broker::rabbitmq::model::{RabbitCtx, Shared};
use crate::broker::rabbitmq::packet::ConsumerTag;
use crate::broker::rabbitmq::topology::QueueId;
use crate::broker::raft::{Config, Io, Mark, Member, Message, Output, Raft, Role};
use crate::fact::{Fact, NodeId, PlaceId, Rule};
use crate::sim::draw::{self, Bits, Purpose};
use crate::sim::{Dist, Loss, Span, Time};

/// The group: the commands in its members' logs are those of a table that they share.
type Group = Raft<CommandId, Arc<Fifo>>;

/// How often a leader looks for followers that did not answer.
const TICK: Span = Span::from_secs(1);

/// How old a new member is when all that it needs to come back is on the device. Measured (3.10.8): killed at an age of
/// 0.25 to 0.32 s it never came back, at 0.5 s and later it always did.
const SETTLES_AFTER: Span = Span::from_millis(400);

/// A member of a quorum queue.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says of the process something of its own")]
pub(in super::super::super) struct Quorum {
    pub(super) queue: QueueId,
    /// The nodes of the group, in the order of [`Member`] numbers.
    pub(super) members: SmallVec<[u16; 4]>,
    pub(super) raft: Group,
    pub(super) fifo: Fifo,
    pub(super) applied: u64,
    /// The bytes of what was applied since the last snapshot.
    pub(super) bytes_applied: u64,
    /// Up to which of its messages were said to be stored here.
    pub(super) stored: u64,
    /// The last entry that was handed to the node's log, and the cut of it.
    handed: (u64, u32),
    draws: Bits,
    is_flush_due: bool,
    /// The application was closed; the process is what its disk has.
    pub(super) is_stopped: bool,
    is_settled: bool,
    /// The version of the record under which the queue was declared that it is a member of.
    born: u32,
    /// Its Raft id is one that the other members do not know.
    is_stranger: bool,
    /// Channels whose end it overlooked; from then on everything is handed out twice.
    pub(super) overlooked: SmallVec<[Pid; 1]>,
    /// It was killed too young and does not come back.
    pub(in super::super::super) is_ruined: bool,
    is_ticking: bool,
    due_at: Time,
    expires_at: Time,
    used_at: Time,
    /// It had consumers when it was looked at last.
    is_in_use: bool,
    pub(super) dead: DeadLetters,
    /// Reused between inputs.
    out: Vec<Output<CommandId, Arc<Fifo>>>,
    pub(super) effects: Vec<Effect>,
}

/// How elections of quorum queues are timed: a process that died is replaced within 0.3 to 1 s (measured on 3.10.8:
/// confirms stop for 335 to 714 ms); the detector's poll is 5 s.
fn timing() -> Config {
    let millis = |low, high| Dist::Uniform(Span::from_millis(low), Span::from_millis(high));
    Config::detected(millis(320, 700), millis(5_000, 6_000), millis(100, 5_100))
}

impl Quorum {
    /// The member of this node, over what it had; none: this node has none.
    pub(in super::super) fn start(
        queue: QueueId,
        old: Option<Box<Self>>,
        env: &mut Env<'_, '_>,
    ) -> Option<Box<Self>> {
        let id = env.core.id;
        let members: SmallVec<[u16; 4]> = SmallVec::from_slice(&env.shared.topology.queue(queue).members);
        let place = members.iter().position(|&node| node == id)?;
        let record = env.core.meta.queue(queue);
        if !record.exists {
            return None;
        }
        let (me, count) = (Member(place as u8), members.len() as u8);
        let now = env.ctx.now();
        // Nobody changed the record of a queue that was declared before the run.
        let (born, is_new, leader) = (record.born, record.version > 0, record.leader);
        if let Some(mut old) = old {
            if old.born == born || env.shared.topology.rules.takes_old_members_back {
                old.recover(env);
                return Some(old);
            }
            // What it has is of a queue that was deleted.
            env.core.wal.survived(queue);
            old.observe_gone(Rule::Deleted, env.shared, env.ctx);
        }
        let leader = members.iter().position(|&node| node == leader).unwrap_or(0);
        let draws = draw::stream(env.ctx.seed(), Purpose::Election, u64::from(id), u64::from(queue.0));
        let mut member = Self {
            queue,
            members,
            raft: Raft::established(me, count, timing(), Member(leader as u8)),
            fifo: Fifo::default(),
            applied: 1,
            bytes_applied: u64::from(CommandId::bytes_of(None)),
            stored: 0,
            handed: (1, 0),
            draws,
            is_flush_due: false,
            is_stopped: false,
            is_settled: !is_new,
            born,
            is_stranger: false,
            overlooked: SmallVec::new(),
            is_ruined: false,
            is_ticking: false,
            due_at: Time::NEVER,
            expires_at: Time::NEVER,
            used_at: now,
            is_in_use: false,
            dead: DeadLetters::default(),
            out: Vec::new(),
            effects: Vec::new(),
        };
        if is_new {
            env.shared.commands(queue).keep_all();
            env.remind(now + SETTLES_AFTER, queue, QueueAlarm::Quorum(Alarm::Settled));
        }
        member.drive(env, Raft::start);
        member.look_after_unused(env);
        Some(Box::new(member))
    }

    /// Its node's process is a new one: this one does nothing until it starts again.
    pub(in super::super) fn halt(&mut self) {
        self.is_stopped = true;
    }

    /// The process starts again over what the disk has.
    fn recover(&mut self, env: &mut Env<'_, '_>) {
        if self.is_ruined || !self.is_settled && env.shared.topology.rules.young_quorum_queue_dies {
            return self.ruin(env);
        }
        self.is_settled = true;
        self.overlooked.clear();
        let mut unheard = Vec::new();
        let mut io = Io { now: env.ctx.now(), draws: &mut self.draws, out: &mut unheard };
        for piece in env.core.wal.survived(self.queue) {
            match piece {
                Piece::Entries { to, cut } => self.raft.written(Mark { index: to, cut }, &mut io),
                Piece::Snapshot => self.raft.snapshot_written(&mut io),
            }
        }
        let (state, applied) =
            self.raft.snapshot().map_or((Fifo::default(), 0), |one| (Fifo::clone(&one.state), one.index));
        (self.fifo, self.applied, self.bytes_applied) = (state, applied, 0);
        (self.is_flush_due, self.is_ticking, self.is_stopped) = (false, false, false);
        (self.due_at, self.expires_at, self.used_at) = (Time::NEVER, Time::NEVER, env.ctx.now());
        self.dead = DeadLetters::default();
        let durable = self.raft.durable();
        self.drive(env, |raft, io| raft.restart(durable, io));
        self.handed = (self.raft.last().index, self.handed.1);
    }

    /// One input of Raft, and what it asks for.
    fn drive<R>(
        &mut self,
        env: &mut Env<'_, '_>,
        input: impl FnOnce(&mut Group, &mut Io<'_, CommandId, Arc<Fifo>>) -> R,
    ) -> R {
        let mut out = std::mem::take(&mut self.out);
        let mut io = Io { now: env.ctx.now(), draws: &mut self.draws, out: &mut out };
        let result = input(&mut self.raft, &mut io);
        for output in &mut out {
            match output {
                // The usual case; nobody would know a stranger.
                Output::Send(to, message) if !self.is_stranger => {
                    let to = Pid { node: self.members[usize::from(to.0)], proc: Proc::Queue(self.queue) };
                    env.send(to, Msg::Quorum(QuorumMsg::Raft(message.take())));
                }
                asked => self.obey(asked, env),
            }
        }
        out.clear();
        self.out = out;
        self.look_after_followers(env);
        result
    }

    fn obey(&mut self, output: &Output<CommandId, Arc<Fifo>>, env: &mut Env<'_, '_>) {
        match *output {
            // A stranger's; and term and vote count as durable at once.
            Output::Send(..) | Output::Vote { .. } => {}
            Output::Write(mark) => {
                let (last, cut) = self.handed;
                let from = if cut == mark.cut { last } else { self.raft.durable().min(mark.index) };
                self.handed = (mark.index, mark.cut);
                self.write(Piece::of(mark), self.size(from + 1, mark.index), env);
            }
            Output::WriteSnapshot => self.write(Piece::Snapshot, 1_000, env),
            Output::Installed => {
                if let Some(snapshot) = self.raft.snapshot() {
                    (self.fifo, self.applied) = (Fifo::clone(&snapshot.state), snapshot.index);
                    self.bytes_applied = 0;
                }
            }
            Output::Committed(index) => self.apply_to(index, env),
            Output::Leads { term } => self.leads_now(term, env),
            Output::Follows { leader, .. } => {
                self.dead = DeadLetters::default();
                let leader = leader.map(|leader| self.members[usize::from(leader.0)]);
                env.core.meta.note_leader(self.queue, leader);
            }
            Output::ElectionTimer { after, number } => {
                let at = env.ctx.now() + after;
                env.remind(at, self.queue, QueueAlarm::Quorum(Alarm::Election(number)));
            }
        }
    }

    #[inline]
    fn write(&mut self, piece: Piece, bytes: u32, env: &mut Env<'_, '_>) {
        let file = wal_file(env.shared);
        env.core.wal.append(self.queue, piece, bytes, file, env.ctx);
    }

    /// How many bytes these entries have in a log.
    fn size(&self, from: u64, to: u64) -> u32 {
        let entries = (from..=to).filter_map(|index| self.raft.entry(index));
        entries.map(|entry| CommandId::bytes_of(entry.command)).sum()
    }

    /// The node's log is durable so far.
    pub(in super::super) fn written(&mut self, piece: Piece, env: &mut Env<'_, '_>) {
        match piece {
            _ if self.is_stopped => {}
            Piece::Entries { to, cut } => {
                self.drive(env, |raft, io| raft.written(Mark { index: to, cut }, io));
            }
            Piece::Snapshot => self.drive(env, Raft::snapshot_written),
        }
    }

    pub(in super::super) fn on(&mut self, from: Pid, msg: &mut Msg, env: &mut Env<'_, '_>) {
        match msg {
            _ if self.is_stopped => {}
            Msg::Quorum(QuorumMsg::Raft(message)) => self.raft_says(from, message, env),
            Msg::Quorum(QuorumMsg::Command { seq, request }) => {
                self.asked(from, seq.map(NonZeroU64::get), request, env);
            }
            Msg::Quorum(QuorumMsg::Flush) => {
                self.is_flush_due = false;
                self.drive(env, Raft::replicate);
            }
            Msg::Quorum(QuorumMsg::Missing { tag, from: first, to }) => {
                self.missed(from, *tag, *first, *to, env);
            }
            Msg::Quorum(answer) => self.target_says(from, answer, env),
            Msg::ChannelDown if self.leads() && self.overlooks(from, env) => self.overlooked.push(from),
            Msg::ChannelDown if self.leads() && self.fifo.knows(from) => {
                self.propose(What::Gone(from), env);
            }
            Msg::Confirm { seqs } => self.target_confirms(from, seqs, env),
            Msg::Stream(msg) => self.target_wrote(from, msg, env),
            Msg::Delete => self.delete(Some(from), env),
            Msg::Used => self.used_at = env.ctx.now(),
            _ => {}
        }
    }

    fn raft_says(&mut self, from: Pid, message: &Message<CommandId, Arc<Fifo>>, env: &mut Env<'_, '_>) {
        let Some(place) = self.members.iter().position(|&node| node == from.node) else { return };
        if !self.is_stranger {
            self.drive(env, |raft, io| raft.receive(Member(place as u8), message, io));
        }
    }

    /// A channel asks for something: its command goes into the log, if this member leads.
    fn asked(&mut self, from: Pid, seq: Option<u64>, request: &mut Request, env: &mut Env<'_, '_>) {
        if !self.leads() {
            return self.redirect(from, seq, request, env);
        }
        if matches!(request, Request::Subscribe(_) | Request::Get { .. }) {
            self.used_at = env.ctx.now();
        }
        let (at, from, terms) = (env.ctx.now(), seq.map(|seq| (from, seq)), request.terms(self.queue, env));
        let commands = env.shared.commands(self.queue);
        let command = commands.add(|| Command { at, from, what: request.take_what(terms) });
        if self.is_flush_due || env.has_mail() {
            return self.append(command, env);
        }
        // Nothing is in the mailbox: it goes out with this.
        self.drive(env, |raft, io| {
            raft.propose(command, io);
            raft.replicate(io);
        });
    }

    /// It does not lead: whoever asks is told who does.
    fn redirect(&self, from: Pid, seq: Option<u64>, request: &Request, env: &mut Env<'_, '_>) {
        let leader = self.raft.leader().map(|leader| self.members[usize::from(leader.0)]);
        match (seq, leader) {
            (Some(seq), leader) => env.send(from, Msg::Quorum(QuorumMsg::NotLeader { seq, leader })),
            // Nobody waits for it: it is passed on.
            (None, Some(node)) if node != env.core.id => {
                let to = Pid { node, proc: Proc::Queue(self.queue) };
                env.send(to, Msg::Quorum(QuorumMsg::Command { seq: None, request: request.clone() }));
            }
            (None, _) => {}
        }
    }

    /// What nobody asked for goes into the log.
    pub(super) fn propose(&mut self, what: What, env: &mut Env<'_, '_>) {
        let at = env.ctx.now();
        let command = env.shared.commands(self.queue).add(|| Command { at, from: None, what });
        self.append(command, env);
    }

    /// Appends a command; it goes out behind everything that is in the mailbox now.
    fn append(&mut self, command: CommandId, env: &mut Env<'_, '_>) {
        self.drive(env, |raft, io| raft.propose(command, io));
        if !self.is_flush_due {
            self.is_flush_due = true;
            env.send(env.me, Msg::Quorum(QuorumMsg::Flush));
        }
    }

    /// It was elected.
    fn leads_now(&mut self, term: u32, env: &mut Env<'_, '_>) {
        let (place, leader) = (PlaceId(u32::from(self.queue.0)), Some(NodeId(env.core.id)));
        env.ctx.observe(Fact::LeaderElected { place, leader, epoch: term, is_clean: true });
        node::announce_leader(self.queue, env);
    }

    /// The leader has the queue as the one before it had it: those who use it hear who leads, and whoever died
    /// meanwhile is noticed.
    pub(super) fn take_over(&mut self, env: &mut Env<'_, '_>) {
        for pid in self.fifo.pids() {
            env.send(pid, Msg::Quorum(QuorumMsg::Leads));
        }
        for node in self.nodes_of_consumers() {
            let is_open = node == env.core.id || env.core.dist.is_open(node);
            let is_lost = self.fifo.consumers.iter().any(|one| one.who.0.node == node && one.is_lost);
            match (is_open, is_lost) {
                (true, true) => self.propose(What::Back(node), env),
                (false, _) => self.lose(node, env),
                _ => {}
            }
        }
    }

    fn nodes_of_consumers(&self) -> Vec<u16> {
        let mut nodes: Vec<u16> = self.fifo.consumers.iter().map(|one| one.who.0.node).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    fn lose(&mut self, node: u16, env: &mut Env<'_, '_>) {
        self.propose(What::Lost(node), env);
        let patience = env.shared.topology.queue(self.queue).args.consumer_disconnected_timeout;
        if patience > Span::ZERO {
            let at = env.ctx.now() + patience;
            env.remind(at, self.queue, QueueAlarm::Quorum(Alarm::GiveUp(node)));
        }
    }

    /// The connection to a node came or went.
    pub(in super::super) fn node_changed(&mut self, peer: u16, is_up: bool, env: &mut Env<'_, '_>) {
        if self.is_stopped {
            return;
        }
        if let Some(place) = self.members.iter().position(|&node| node == peer) {
            let member = Member(place as u8);
            self.drive(
                env,
                |raft, io| if is_up { raft.peer_up(member, io) } else { raft.peer_down(member, io) },
            );
        }
        if self.leads() && self.nodes_of_consumers().contains(&peer) {
            if is_up {
                self.propose(What::Back(peer), env);
                for pid in self.fifo.pids().into_iter().filter(|pid| pid.node == peer) {
                    env.send(pid, Msg::Quorum(QuorumMsg::Leads));
                }
            } else {
                self.lose(peer, env);
            }
        }
    }

    /// A node has been silent for so long that it may be dead; or it speaks again.
    pub(in super::super) fn silence(&mut self, peer: u16, is_over: bool, env: &mut Env<'_, '_>) {
        let Some(place) = self.members.iter().position(|&node| node == peer) else { return };
        let member = Member(place as u8);
        if self.is_stopped {
            return;
        }
        if !is_over {
            self.drive(env, |raft, io| raft.silence(member, io));
        } else if !self.leads() {
            self.drive(env, |raft, io| raft.peer_up(member, io));
        }
    }

    pub(in super::super) fn alarm(&mut self, alarm: QueueAlarm, env: &mut Env<'_, '_>) {
        let QueueAlarm::Quorum(alarm) = alarm else { return };
        match alarm {
            _ if self.is_stopped => {}
            Alarm::Election(number) => self.drive(env, |raft, io| raft.timeout(number, io)),
            Alarm::Tick => {
                self.is_ticking = false;
                self.drive(env, Raft::tick);
            }
            Alarm::Due => {
                self.due_at = Time::NEVER;
                if self.leads() && self.fifo.next_due().is_some_and(|due| due <= env.ctx.now()) {
                    self.propose(What::Due, env);
                } else {
                    self.look_at_due(env);
                }
            }
            Alarm::GiveUp(node) => {
                let is_gone = !env.core.dist.is_open(node);
                if self.leads() && is_gone {
                    self.propose(What::GivenUp(node), env);
                }
            }
            Alarm::Retry => self.retry_dead_letters(env),
            Alarm::Expires => self.expires_due(env),
            Alarm::Settled => self.is_settled = true,
        }
    }

    fn look_after_followers(&mut self, env: &mut Env<'_, '_>) {
        if !self.is_ticking && self.leads() && !self.raft.is_settled() {
            self.is_ticking = true;
            env.remind(env.ctx.now() + TICK, self.queue, QueueAlarm::Quorum(Alarm::Tick));
        }
    }

    pub(super) fn look_at_due(&mut self, env: &mut Env<'_, '_>) {
        if let Some(due) = self.fifo.next_due().filter(|due| *due < self.due_at) {
            self.due_at = due;
            env.remind(due, self.queue, QueueAlarm::Quorum(Alarm::Due));
        }
    }

    /// `x-expires`.
    pub(super) fn look_after_unused(&mut self, env: &mut Env<'_, '_>) {
        let Some(expires) = env.shared.topology.queue(self.queue).args.expires else { return };
        let is_in_use = self.fifo.consumers.subscribed() > 0;
        if is_in_use || std::mem::replace(&mut self.is_in_use, is_in_use) {
            self.used_at = env.ctx.now();
        }
        self.is_in_use = is_in_use;
        if is_in_use {
            return;
        }
        if self.expires_at == Time::NEVER && self.leads() {
            self.expires_at = self.used_at + expires;
            env.remind(self.expires_at, self.queue, QueueAlarm::Quorum(Alarm::Expires));
        }
    }

    fn expires_due(&mut self, env: &mut Env<'_, '_>) {
        self.expires_at = Time::NEVER;
        let Some(expires) = env.shared.topology.queue(self.queue).args.expires else { return };
        let is_unused = self.fifo.consumers.subscribed() == 0 && self.used_at + expires <= env.ctx.now();
        if self.leads() && is_unused {
            return self.delete(None, env);
        }
        self.look_after_unused(env);
    }

    /// A channel missed deliveries: those that it still holds go out again.
    fn missed(&mut self, from: Pid, tag: ConsumerTag, first: u64, to: u64, env: &mut Env<'_, '_>) {
        if self.leads() {
            let handed = self.fifo.held((from, tag), first, to).collect();
            env.send(from, Msg::Quorum(QuorumMsg::Found { tag, handed }));
        }
    }

    /// The queue is deleted: its members go with its record.
    fn delete(&mut self, by: Option<Pid>, env: &mut Env<'_, '_>) {
        if !self.leads() {
            return;
        }
        let consumers: Vec<_> = self.fifo.consumers.iter().map(|one| one.who).collect();
        for (channel, tag) in consumers.into_iter().filter(|(_, tag)| *tag != super::GET) {
            env.send(channel, Msg::ConsumerGone { tag });
        }
        for item in self.fifo.items() {
            dead_letter::observe_with_queue(self.queue, item.envelope, item.index, env);
        }
        if let Some(channel) = by {
            env.send(channel, Msg::Deleted);
        }
        node::queue_ended(self.queue, QueueEnd::Deleted, env);
    }

    /// The node stops in order: a leader hands over.
    pub(in super::super) fn close(&mut self, env: &mut Env<'_, '_>) {
        self.drive(env, Raft::transfer);
        (self.is_stopped, self.is_settled) = (true, true);
    }

    /// The disk lost bytes. Without its disk the member begins anew, with nothing.
    pub(in super::super) fn storage_lost(
        &mut self,
        loss: Loss,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let Loss::Disk = loss else { return };
        self.observe_gone(Rule::DiskLost, shared, ctx);
        shared.commands(self.queue).keep_all();
        let me = self.raft.me();
        self.is_stranger = shared.topology.rules.new_members_are_strangers;
        self.raft = Raft::new(me, self.members.len() as u8, timing());
        self.fifo = Fifo::default();
        (self.applied, self.bytes_applied, self.stored, self.handed) = (0, 0, 0, (0, 0));
    }

    /// It serves the queue.
    pub(in super::super::super) fn leads(&self) -> bool {
        self.raft.role() == Role::Leader && !self.is_stopped
    }
}
