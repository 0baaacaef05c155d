//! A leader: it appends, sends to everybody what they lack, and counts.

use super::member::{Pace, Peer};
use super::{Batch, Config, Io, MEMBERS_MAX, Member, Message, Output, Place, Raft, Role};

/// Ticks after which a snapshot is sent again.
const INSTALL_TICKS: u8 = 30;

impl Peer {
    pub(super) fn new(member: Member, next_before: u64, matched: u64) -> Self {
        Self {
            member,
            next: next_before + 1,
            matched,
            base: next_before,
            commit_sent: matched,
            pace: Pace::Pipeline,
            is_silent: false,
            is_down: false,
        }
    }
}

impl<C: Copy, S: Clone> Raft<C, S> {
    /// The election is won: the term begins with an entry of its own, for only those count votes of disks.
    pub(super) fn lead(&mut self, io: &mut Io<'_, C, S>) {
        self.role = Role::Leader;
        self.leader = Some(self.me);
        self.incoming = None;
        self.disarm();
        let last = self.log.last().index;
        self.peers = self.others().map(|member| Peer::new(member, last, 0)).collect();
        io.ask(|| Output::Leads { term: self.term });
        self.append(None, io);
        self.replicate(io);
    }

    /// Sends to every follower what it lacks: after [`Raft::propose`], once for all that was proposed.
    pub fn replicate(&mut self, io: &mut Io<'_, C, S>) {
        if self.role != Role::Leader {
            return;
        }
        let last = self.log.last().index;
        for at in 0..self.peers.len() {
            while self.owes(&self.peers[at], last) {
                self.send(at, io);
            }
        }
    }

    /// Whether this follower is to be sent something now of a log that ends there.
    fn owes(&self, peer: &Peer, last: u64) -> bool {
        match peer.pace {
            _ if peer.is_down => false,
            Pace::Install { .. } => false,
            Pace::Probe { is_sent } => !is_sent,
            Pace::Pipeline => {
                if peer.next > last {
                    return peer.commit_sent < self.commit;
                }
                // A new leader does not know what the others have, and sends what is new all the same.
                let known = peer.matched.max(peer.base);
                (peer.next - 1).saturating_sub(known) < self.config.pipeline_max
            }
        }
    }

    /// Sends the next batch.
    fn send(&mut self, at: usize, io: &mut Io<'_, C, S>) {
        let next = self.peers[at].next;
        let Some(term) = self.log.term(next - 1) else {
            return self.send_snapshot(at, io);
        };
        let before = Place { index: next - 1, term };
        let end = (self.log.last().index + 1).min(next + self.config.batch_max);
        let peer = &mut self.peers[at];
        peer.commit_sent = self.commit;
        match &mut peer.pace {
            Pace::Probe { is_sent } => *is_sent = true,
            _ => peer.next = end,
        }
        let (to, term, commit) = (peer.member, self.term, self.commit);
        let append = |entries| Output::Send(to, Message::Append { term, before, commit, entries });
        match self.log.newest(next) {
            // The usual case: what was appended just now.
            Some(&entry) => io.ask(|| append(Batch::from_buf([entry]))),
            None => io.ask(|| append(self.log.slice(next, end))),
        }
    }

    fn send_snapshot(&mut self, at: usize, io: &mut Io<'_, C, S>) {
        let Some(snapshot) = self.snapshot.clone() else { return };
        let peer = &mut self.peers[at];
        peer.pace = Pace::Install { ticks: 0 };
        peer.next = snapshot.index + 1;
        io.ask(|| Output::Send(peer.member, Message::Install { term: self.term, snapshot }));
    }

    /// A follower says how far its log is durable and like this one.
    pub(super) fn appended(&mut self, from: Member, term: u32, matched: u64, io: &mut Io<'_, C, S>) {
        if term != self.term || self.role != Role::Leader {
            return;
        }
        // Whoever has more than the leader of its term lost a disk under its feet, or the leader did.
        let matched = matched.min(self.log.last().index);
        let Some(peer) = self.peer(from) else { return };
        (peer.is_silent, peer.is_down) = (false, false);
        peer.matched = peer.matched.max(matched);
        peer.next = peer.next.max(peer.matched + 1);
        match peer.pace {
            Pace::Install { .. } if peer.matched + 1 < peer.next => {}
            _ => peer.pace = Pace::Pipeline,
        }
        self.advance_commit(io);
        self.replicate(io);
    }

    /// A follower lacks the entry that a batch follows, or has another one there.
    pub(super) fn refused(&mut self, from: Member, term: u32, before: u64, hint: u64, io: &mut Io<'_, C, S>) {
        if term != self.term || self.role != Role::Leader {
            return;
        }
        let Some(peer) = self.peer(from) else { return };
        (peer.is_silent, peer.is_down) = (false, false);
        // Less than it once had: its disk was replaced.
        let has_lost = hint < peer.matched && before >= peer.matched;
        let is_news = match peer.pace {
            Pace::Pipeline => before > peer.matched || has_lost,
            Pace::Probe { .. } => before == peer.next - 1,
            Pace::Install { .. } => false,
        };
        if is_news {
            if has_lost {
                peer.matched = hint;
            }
            peer.next = hint.min(before.saturating_sub(1)).max(peer.matched) + 1;
            peer.pace = Pace::Probe { is_sent: false };
            self.replicate(io);
        }
    }

    /// What a majority has on its disks is committed, once an entry of this term is among it.
    pub(super) fn advance_commit(&mut self, io: &mut Io<'_, C, S>) {
        let own = if self.counts_at_once() { self.log.last().index } else { self.written };
        let mut durable = [own; MEMBERS_MAX];
        for (to, peer) in durable[1..].iter_mut().zip(&self.peers) {
            *to = peer.matched;
        }
        let durable = &mut durable[..=self.peers.len()];
        durable.sort_unstable_by(|one, other| other.cmp(one));
        let index = durable[Config::majority(self.count) as usize - 1];
        if index > self.commit && (self.log.term(index) == Some(self.term) || self.counts_old_terms()) {
            self.commit = index;
            io.ask(|| Output::Committed(index));
        }
    }

    /// Sends again what a follower was owed and did not answer since the last time.
    pub(super) fn resend(&mut self, io: &mut Io<'_, C, S>) {
        let (last, commit, beats) = (self.log.last().index, self.commit, self.config.has_heartbeats);
        for at in 0..self.peers.len() {
            let peer = &mut self.peers[at];
            let is_owed = peer.matched < last || peer.commit_sent < commit;
            let was_silent = std::mem::replace(&mut peer.is_silent, is_owed);
            if let Pace::Install { ticks } = &mut peer.pace {
                *ticks += 1;
                if *ticks >= INSTALL_TICKS {
                    peer.pace = Pace::Probe { is_sent: false };
                    peer.next = peer.matched + 1;
                }
            } else if is_owed && was_silent {
                peer.pace = Pace::Probe { is_sent: false };
                peer.next = peer.matched + 1;
            } else if beats {
                let mut peer = peer.clone();
                self.beat(&mut peer, io);
                self.peers[at] = peer;
            }
        }
        self.replicate(io);
    }

    /// Says that the leader is there.
    fn beat(&self, peer: &mut Peer, io: &mut Io<'_, C, S>) {
        let index = peer.matched.max(self.log.start().index);
        let Some(term) = self.log.term(index) else { return };
        let before = Place { index, term };
        let (term, commit) = (self.term, self.commit);
        io.ask(|| Output::Send(peer.member, Message::Append { term, before, commit, entries: Batch::new() }));
    }

    /// What was under way to this follower is lost.
    pub(super) fn reach_again(&mut self, member: Member, io: &mut Io<'_, C, S>) {
        if let Some(peer) = self.peer(member) {
            (peer.is_down, peer.is_silent) = (false, false);
            peer.next = peer.matched + 1;
            peer.pace = Pace::Probe { is_sent: false };
            self.replicate(io);
        }
    }

    /// The leader wants to go: the follower that has most of the log is to stand for election at once. Says which.
    pub fn transfer(&mut self, io: &mut Io<'_, C, S>) -> Option<Member> {
        let alive = self.peers.iter().filter(|peer| !peer.is_down);
        let heir = alive.max_by_key(|peer| (peer.matched, std::cmp::Reverse(peer.member)))?.member;
        io.ask(|| Output::Send(heir, Message::TimeoutNow { term: self.term }));
        Some(heir)
    }

    /// Whether entries of earlier terms are committed by counting: never, except where a test wants to see why not.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "a test can switch it on"))]
    fn counts_old_terms(&self) -> bool {
        #[cfg(test)]
        if self.has(super::tests::Flaw::CountsOldTerms) {
            return true;
        }
        false
    }
}
