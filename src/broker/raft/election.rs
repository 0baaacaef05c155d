//! Elections: who stands, who votes for whom, who has won.
//!
//! A member first asks whether it would be elected, in a term that nobody has to enter for that: one that was cut off
//! for long, or lacks entries, disturbs nobody when it is back.

use super::{Config, Io, Member, Message, Output, Place, Raft, Role};
use crate::sim::draw;

impl Config {
    /// How many members of a group are more than half of it.
    pub(super) fn majority(count: u8) -> u32 {
        u32::from(count) / 2 + 1
    }
}

impl<C: Copy, S: Clone> Raft<C, S> {
    /// An election timer fired.
    pub fn timeout(&mut self, number: u32, io: &mut Io<'_, C, S>) {
        if number != self.timer || !self.is_timer_set || self.role == Role::Leader {
            return;
        }
        let silent = io.now.since(self.heard);
        if self.leader.is_some() && silent < self.patience && self.config.patience.is_some() {
            let after = self.patience - silent;
            io.ask(|| Output::ElectionTimer { after, number });
            return;
        }
        self.leader = None;
        self.role = Role::PreCandidate;
        self.votes = 1 << self.me.0;
        self.arm(self.config.retry, io);
        if self.has_majority() {
            self.stand(io);
            return;
        }
        self.send_all(&Message::PreVote { term: self.term + 1, last: self.log.last() }, io);
    }

    /// A leader was heard, or a vote given: with [`Config::patience`] the wait begins anew, else it ends.
    pub(super) fn wait(&mut self, io: &mut Io<'_, C, S>) {
        let Some(patience) = self.config.patience else {
            self.disarm();
            return;
        };
        self.heard = io.now;
        if !self.is_timer_set || self.role != Role::Follower || self.leader.is_none() {
            self.patience = patience.sample(draw::next(io.draws));
            self.timer += 1;
            self.is_timer_set = true;
            io.ask(|| Output::ElectionTimer { after: self.patience, number: self.timer });
        }
    }

    /// A newer term: whatever the member was, it is a follower without a leader now.
    pub(super) fn enter(&mut self, term: u32, io: &mut Io<'_, C, S>) {
        self.term = term;
        self.vote = None;
        self.leader = None;
        self.role = Role::Follower;
        self.peers.clear();
        self.verified = self.commit;
        io.ask(|| Output::Vote { term, vote: None });
        io.ask(|| Output::Follows { term, leader: None });
        self.arm(self.config.retry, io);
    }

    /// Whether a log that ends there holds everything that may have been committed here.
    fn is_up_to_date(&self, last: Place) -> bool {
        #[cfg(test)]
        if self.has(super::tests::Flaw::VotesForAny) {
            return true;
        }
        let own = self.log.last();
        (last.term, last.index) >= (own.term, own.index)
    }

    pub(super) fn pre_vote_asked(&mut self, from: Member, term: u32, last: Place, io: &mut Io<'_, C, S>) {
        let is_loyal = self.config.is_loyal && self.leader.is_some();
        let is_granted =
            term > self.term && self.role != Role::Leader && !is_loyal && self.is_up_to_date(last);
        let answer = Message::PreVoteReply { term, current: self.term, is_granted };
        io.ask(|| Output::Send(from, answer));
        if self.role == Role::Leader {
            self.reach_again(from, io);
        }
    }

    pub(super) fn pre_vote_answered(
        &mut self,
        from: Member,
        term: u32,
        current: u32,
        is_granted: bool,
        io: &mut Io<'_, C, S>,
    ) {
        if current > self.term {
            self.enter(current, io);
        } else if self.role == Role::PreCandidate && term == self.term + 1 && is_granted {
            self.votes |= 1 << from.0;
            if self.has_majority() {
                self.stand(io);
            }
        }
    }

    /// Stands for election in a new term.
    pub(super) fn stand(&mut self, io: &mut Io<'_, C, S>) {
        self.term += 1;
        self.vote = Some(self.me);
        self.leader = None;
        self.role = Role::Candidate;
        self.votes = 1 << self.me.0;
        self.verified = self.commit;
        io.ask(|| Output::Vote { term: self.term, vote: self.vote });
        self.arm(self.config.retry, io);
        if self.has_majority() {
            self.lead(io);
            return;
        }
        self.send_all(&Message::Vote { term: self.term, last: self.log.last() }, io);
    }

    pub(super) fn vote_asked(&mut self, from: Member, term: u32, last: Place, io: &mut Io<'_, C, S>) {
        let is_free = self.vote.is_none_or(|vote| vote == from);
        let is_granted = term == self.term && is_free && self.is_up_to_date(last);
        if is_granted && self.vote.is_none() {
            self.vote = Some(from);
            io.ask(|| Output::Vote { term, vote: self.vote });
        }
        if is_granted && self.role == Role::Follower && self.leader.is_none() {
            self.arm(self.config.retry, io);
        }
        io.ask(|| Output::Send(from, Message::VoteReply { term: self.term, is_granted }));
    }

    pub(super) fn vote_answered(&mut self, from: Member, term: u32, is_granted: bool, io: &mut Io<'_, C, S>) {
        if self.role != Role::Candidate || term != self.term || !is_granted {
            return;
        }
        self.votes |= 1 << from.0;
        if self.has_majority() {
            self.lead(io);
        }
    }

    fn has_majority(&self) -> bool {
        self.votes.count_ones() >= Config::majority(self.count)
    }
}
