//! A member: its state, what comes in, and what its host may ask.

use smallvec::SmallVec;

use super::log::Log;
use super::{Config, Entry, Io, MEMBERS_MAX, Mark, Member, Message, Output, Place, Snapshot};
use crate::sim::{Dist, Span, Time, draw};

/// What a member is at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It follows a leader, or waits for one.
    Follower,
    /// It asks whether an election would succeed.
    PreCandidate,
    /// It stands for election.
    Candidate,
    /// It leads.
    Leader,
}

/// One member of a group, of commands `C` and with snapshots `S`.
#[derive(Clone, Debug)]
pub struct Raft<C, S> {
    pub(super) me: Member,
    /// All members, this one too.
    pub(super) count: u8,
    pub(super) config: Config,
    pub(super) role: Role,
    pub(super) term: u32,
    pub(super) vote: Option<Member>,
    pub(super) leader: Option<Member>,
    pub(super) log: Log<C>,
    pub(super) snapshot: Option<Snapshot<S>>,
    /// A snapshot that came in and is not durable yet.
    pub(super) incoming: Option<Snapshot<S>>,
    /// How often the log was cut.
    pub(super) cut: u32,
    /// Up to which entry the log is durable.
    pub(super) written: u64,
    pub(super) commit: u64,
    /// As a follower: up to which entry the log is like the leader's, and how far the leader has committed.
    pub(super) verified: u64,
    pub(super) commit_heard: u64,
    /// Who granted the vote or pre-vote under way, one bit a member.
    pub(super) votes: u16,
    /// As a leader: the other members.
    pub(super) peers: SmallVec<[Peer; 4]>,
    /// The election timer that counts; none of them if it is not set.
    pub(super) timer: u32,
    pub(super) is_timer_set: bool,
    /// When a leader was last heard, and how long it may be silent.
    pub(super) heard: Time,
    pub(super) patience: Span,
    #[cfg(test)]
    pub(super) flaw: Option<super::tests::Flaw>,
}

/// What a leader knows of another member.
#[derive(Clone, Debug)]
pub(super) struct Peer {
    pub(super) member: Member,
    /// The next entry to be sent.
    pub(super) next: u64,
    /// Up to which entry its log is durable and like the leader's.
    pub(super) matched: u64,
    /// Where the own log ended when this one began to lead.
    pub(super) base: u64,
    pub(super) commit_sent: u64,
    pub(super) pace: Pace,
    /// It said nothing since the last tick, though it was owed something.
    pub(super) is_silent: bool,
    /// Its process was seen to die.
    pub(super) is_down: bool,
}

/// How a follower is sent entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// One message after the other, without waiting for answers.
    Pipeline,
    /// One message, until it is known where the logs part; whether it is under way.
    Probe { is_sent: bool },
    /// A snapshot is under way; how many ticks it has been.
    Install { ticks: u8 },
}

impl<C: Copy, S: Clone> Raft<C, S> {
    /// A member of a group of so many, with an empty disk. [`Raft::start`] lets it begin.
    pub fn new(me: Member, count: u8, config: Config) -> Self {
        assert!(
            me.0 < count && usize::from(count) <= MEMBERS_MAX,
            "a group has at most {MEMBERS_MAX} members"
        );
        Self {
            me,
            count,
            config,
            role: Role::Follower,
            term: 0,
            vote: None,
            leader: None,
            log: Log::default(),
            snapshot: None,
            incoming: None,
            cut: 0,
            written: 0,
            commit: 0,
            verified: 0,
            commit_heard: 0,
            votes: 0,
            peers: SmallVec::new(),
            timer: 0,
            is_timer_set: false,
            heard: Time::ZERO,
            patience: Span::FOREVER,
            #[cfg(test)]
            flaw: None,
        }
    }

    /// A member of a group that has been running for some time, before its host does anything: `leader` leads in the
    /// first term, whose first entry is durable, committed and known to be so by all.
    pub fn established(me: Member, count: u8, config: Config, leader: Member) -> Self {
        let mut raft = Self::new(me, count, config);
        raft.term = 1;
        raft.vote = Some(leader);
        raft.leader = Some(leader);
        raft.log.push(Entry { term: 1, command: None });
        (raft.written, raft.commit, raft.verified, raft.commit_heard) = (1, 1, 1, 1);
        if leader == me {
            raft.role = Role::Leader;
            raft.peers = raft.others().map(|member| Peer::new(member, 1, 1)).collect();
        }
        raft
    }

    /// The process starts, on what the disk kept: the entries up to `survived` at most, term, vote and snapshot. The
    /// host's state is that of [`Raft::snapshot`]; entries after it are committed anew.
    pub fn restart(&mut self, survived: u64, io: &mut Io<'_, C, S>) {
        let start = self.log.start().index;
        self.log.truncate(survived.clamp(start, self.log.last().index));
        self.role = Role::Follower;
        self.leader = None;
        self.incoming = None;
        self.cut += 1;
        self.written = self.log.last().index;
        (self.commit, self.verified, self.commit_heard) = (start, start, start);
        self.peers.clear();
        #[cfg(test)]
        if self.has(super::tests::Flaw::ForgetsVote) {
            self.vote = None;
        }
        self.start(io);
    }

    /// The member begins to wait for a leader; with [`Config::patience`] one that has a leader waits too.
    pub fn start(&mut self, io: &mut Io<'_, C, S>) {
        self.heard = io.now;
        if self.role == Role::Leader {
            return;
        }
        if self.leader.is_some() {
            self.wait(io);
        } else {
            self.arm(self.config.after_death, io);
        }
    }

    /// Appends a command, if the member leads, and says at which index. Nothing is sent before [`Raft::replicate`].
    pub fn propose(&mut self, command: C, io: &mut Io<'_, C, S>) -> Option<u64> {
        if self.role != Role::Leader {
            return None;
        }
        Some(self.append(Some(command), io))
    }

    /// A message came in.
    pub fn receive(&mut self, from: Member, message: &Message<C, S>, io: &mut Io<'_, C, S>) {
        let term = message.term();
        if term > self.term && !matches!(message, Message::PreVote { .. } | Message::PreVoteReply { .. }) {
            self.enter(term, io);
        }
        match *message {
            Message::PreVote { term, last } => self.pre_vote_asked(from, term, last, io),
            Message::PreVoteReply { term, current, is_granted } => {
                self.pre_vote_answered(from, term, current, is_granted, io);
            }
            Message::Vote { term, last } => self.vote_asked(from, term, last, io),
            Message::VoteReply { term, is_granted } => self.vote_answered(from, term, is_granted, io),
            Message::Append { term, before, commit, ref entries } => {
                self.append_asked(from, term, before, commit, entries, io);
            }
            Message::Install { term, ref snapshot } => self.install_asked(from, term, snapshot, io),
            Message::Appended { term, matched } => self.appended(from, term, matched, io),
            Message::Refused { term, before, hint } => self.refused(from, term, before, hint, io),
            Message::TimeoutNow { term } => {
                if term == self.term && self.role != Role::Leader {
                    self.stand(io);
                }
            }
        }
    }

    /// Entries up to the mark are durable.
    pub fn written(&mut self, mark: Mark, io: &mut Io<'_, C, S>) {
        if mark.cut != self.cut || mark.index <= self.written {
            return;
        }
        self.written = mark.index.min(self.log.last().index);
        if self.role == Role::Leader {
            self.advance_commit(io);
            self.replicate(io);
        } else {
            self.follow_commit(io);
            self.report(io);
        }
    }

    /// Time has passed: a leader sends again what was not answered. About once a second.
    pub fn tick(&mut self, io: &mut Io<'_, C, S>) {
        if self.role == Role::Leader {
            self.resend(io);
        }
    }

    /// A member's process was seen to die, or its connection to be reset.
    pub fn peer_down(&mut self, member: Member, io: &mut Io<'_, C, S>) {
        if let Some(peer) = self.peer(member) {
            peer.is_down = true;
        } else if self.role == Role::Follower && self.leader == Some(member) {
            self.leader = None;
            io.ask(|| Output::Follows { term: self.term, leader: None });
            self.arm(self.config.after_death, io);
        }
    }

    /// A member has said nothing for so long that it may be dead.
    pub fn silence(&mut self, member: Member, io: &mut Io<'_, C, S>) {
        if self.role == Role::Follower && self.leader == Some(member) && !self.is_timer_set {
            self.arm(self.config.after_silence, io);
        }
    }

    /// A member is there again, by a new connection: what was under way to it is lost.
    pub fn peer_up(&mut self, member: Member, io: &mut Io<'_, C, S>) {
        if self.role == Role::Leader {
            self.reach_again(member, io);
        } else if self.leader == Some(member) && self.config.patience.is_none() {
            self.disarm();
        }
    }

    /// The host's state after `index`, which it has applied, takes the place of the entries up to there. Says whether
    /// it does: entries that are not durable, and the state of an older snapshot, are not released.
    pub fn compact(&mut self, index: u64, state: S) -> bool {
        if index <= self.log.start().index || index > self.commit.min(self.written) {
            return false;
        }
        let Some(term) = self.log.term(index) else { return false };
        self.log.release(index);
        self.snapshot = Some(Snapshot { index, term, state });
        true
    }

    /// The entry at this index; none: it is released or not there yet.
    #[inline]
    pub fn entry(&self, index: u64) -> Option<&Entry<C>> {
        self.log.get(index)
    }

    /// The state that released entries led to.
    pub fn snapshot(&self) -> Option<&Snapshot<S>> {
        self.snapshot.as_ref()
    }

    /// Up to which entry everything is committed, so far as the member knows.
    pub fn commit(&self) -> u64 {
        self.commit
    }

    /// Where the log ends.
    pub fn last(&self) -> Place {
        self.log.last()
    }

    /// Up to which entry the log is durable here.
    pub fn durable(&self) -> u64 {
        self.written
    }

    /// Who leads, so far as the member knows.
    pub fn leader(&self) -> Option<Member> {
        self.leader
    }

    /// What the member is.
    pub fn role(&self) -> Role {
        self.role
    }

    /// The newest term it has heard of.
    pub fn term(&self) -> u32 {
        self.term
    }

    /// Up to which entry another member is known to have the log; none: this one does not lead.
    pub fn matched(&self, member: Member) -> Option<u64> {
        self.peers.iter().find(|peer| peer.member == member).map(|peer| peer.matched)
    }

    /// Which member this is.
    pub fn me(&self) -> Member {
        self.me
    }

    /// As a leader: whether every follower is known to have everything, and to have been told what is committed.
    pub fn is_settled(&self) -> bool {
        let last = self.log.last().index;
        self.peers.iter().all(|peer| peer.matched == last && peer.commit_sent == self.commit)
    }

    /// The members besides this one.
    pub fn others(&self) -> impl Iterator<Item = Member> + use<C, S> {
        let me = self.me;
        (0..self.count).map(Member).filter(move |&member| member != me)
    }

    pub(super) fn send_all(&self, message: &Message<C, S>, io: &mut Io<'_, C, S>) {
        io.out.extend(self.others().map(|member| Output::Send(member, message.clone())));
    }

    pub(super) fn peer(&mut self, member: Member) -> Option<&mut Peer> {
        self.peers.iter_mut().find(|peer| peer.member == member)
    }

    /// Appends an entry to the own log.
    pub(super) fn append(&mut self, command: Option<C>, io: &mut Io<'_, C, S>) -> u64 {
        let index = self.log.push(Entry { term: self.term, command });
        io.ask(|| Output::Write(Mark { index, cut: self.cut }));
        index
    }

    /// The election timer is set anew.
    pub(super) fn arm(&mut self, after: Dist, io: &mut Io<'_, C, S>) {
        self.timer += 1;
        self.is_timer_set = true;
        let after = after.sample(draw::next(io.draws));
        io.ask(|| Output::ElectionTimer { after, number: self.timer });
    }

    /// The election timer is forgotten.
    pub(super) fn disarm(&mut self) {
        self.timer += 1;
        self.is_timer_set = false;
    }

    #[cfg(test)]
    pub(super) fn has(&self, flaw: super::tests::Flaw) -> bool {
        self.flaw == Some(flaw)
    }
}
