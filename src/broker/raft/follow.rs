//! A follower: it takes over what the leader has, and says how far it is durable.

use super::{Entry, Io, Mark, Member, Message, Output, Place, Raft, Role, Snapshot};

impl<C: Copy, S: Clone> Raft<C, S> {
    pub(super) fn append_asked(
        &mut self,
        from: Member,
        term: u32,
        before: Place,
        commit: u64,
        entries: &[Entry<C>],
        io: &mut Io<'_, C, S>,
    ) {
        if !self.hears(from, term, io) {
            io.ask(|| {
                Output::Send(from, Message::Refused { term: self.term, before: before.index, hint: 0 })
            });
            return;
        }
        let start = self.log.start().index;
        let end = before.index + entries.len() as u64;
        // What is released is committed: of that part nothing has to be compared.
        let known = start.saturating_sub(before.index).min(entries.len() as u64);
        let at = before.index + known;
        if at >= start && known == 0 && self.log.term(at) != Some(before.term) && self.is_strict() {
            let last = self.log.last().index;
            let hint = if at > last { last } else { self.log.before_term_of(at).max(self.commit) };
            io.ask(|| Output::Send(from, Message::Refused { term, before: before.index, hint }));
            return;
        }
        let has_grown = at >= start && self.take(at, &entries[known as usize..]);
        self.verified = self.verified.max(end).min(self.log.last().index);
        self.commit_heard = self.commit_heard.max(commit);
        self.follow_commit(io);
        if has_grown {
            io.ask(|| Output::Write(Mark { index: self.log.last().index, cut: self.cut }));
            if self.counts_at_once() {
                self.report(io);
            }
        } else {
            self.report(io);
        }
    }

    /// Appends what is missing of the entries that follow `at`; whatever contradicts them goes. Says whether anything
    /// was appended.
    fn take(&mut self, at: u64, entries: &[Entry<C>]) -> bool {
        let is_known =
            |(entry, index): (&Entry<C>, u64)| self.log.term(index).is_some_and(|term| term == entry.term);
        let is_new = at == self.log.last().index;
        let known =
            if is_new { 0 } else { entries.iter().zip(at + 1..).take_while(|&each| is_known(each)).count() };
        let (at, missing) = (at + known as u64, &entries[known..]);
        if missing.is_empty() {
            return false;
        }
        if at < self.log.last().index {
            self.cut_after(at);
        }
        for entry in missing {
            self.log.push(*entry);
        }
        true
    }

    fn cut_after(&mut self, index: u64) {
        self.log.truncate(index.max(self.log.start().index));
        self.cut += 1;
        self.written = self.written.min(index);
        self.verified = self.verified.min(index);
    }

    /// Whether the message is from a leader of this term; if so, it is this member's.
    fn hears(&mut self, from: Member, term: u32, io: &mut Io<'_, C, S>) -> bool {
        if term < self.term || self.role == Role::Leader {
            return false;
        }
        self.wait(io);
        self.role = Role::Follower;
        if self.leader != Some(from) {
            self.leader = Some(from);
            io.ask(|| Output::Follows { term, leader: self.leader });
        }
        true
    }

    /// Tells the leader how far the log is durable and like its own.
    pub(super) fn report(&self, io: &mut Io<'_, C, S>) {
        let Some(leader) = self.leader.filter(|&leader| leader != self.me) else { return };
        let written = if self.counts_at_once() { self.log.last().index } else { self.written };
        let matched = written.min(self.verified);
        io.ask(|| Output::Send(leader, Message::Appended { term: self.term, matched }));
    }

    /// Entries count here as committed when the leader says so, they are like the leader's, and durable.
    pub(super) fn follow_commit(&mut self, io: &mut Io<'_, C, S>) {
        let commit = self.commit_heard.min(self.verified).min(self.written);
        if commit > self.commit {
            self.commit = commit;
            io.ask(|| Output::Committed(commit));
        }
    }

    pub(super) fn install_asked(
        &mut self,
        from: Member,
        term: u32,
        snapshot: &Snapshot<S>,
        io: &mut Io<'_, C, S>,
    ) {
        if !self.hears(from, term, io) {
            io.ask(|| {
                Output::Send(from, Message::Refused { term: self.term, before: snapshot.index, hint: 0 })
            });
        } else if snapshot.index <= self.commit {
            self.verified = self.verified.max(self.commit);
            self.report(io);
        } else if self.incoming.as_ref().is_none_or(|incoming| incoming.index < snapshot.index) {
            self.incoming = Some(snapshot.clone());
            io.ask(|| Output::WriteSnapshot);
        }
    }

    /// The snapshot that came in is durable.
    pub fn snapshot_written(&mut self, io: &mut Io<'_, C, S>) {
        let Some(snapshot) = self.incoming.take().filter(|snapshot| snapshot.index > self.commit) else {
            return;
        };
        let at = Place { index: snapshot.index, term: snapshot.term };
        if self.log.term(at.index) == Some(at.term) {
            self.log.release(at.index);
        } else {
            self.log = super::log::Log::after(at);
            self.cut += 1;
            self.written = at.index;
        }
        self.written = self.written.max(at.index);
        self.verified = self.verified.max(at.index).min(self.log.last().index);
        self.commit = at.index;
        self.snapshot = Some(snapshot);
        io.ask(|| Output::Installed);
        if self.role == Role::Follower {
            self.report(io);
        }
    }

    /// Whether the log is compared before anything is appended: always, except where a test wants to see why.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "a test can switch it off"))]
    fn is_strict(&self) -> bool {
        #[cfg(test)]
        if self.has(super::tests::Flaw::AppendsBlindly) {
            return false;
        }
        true
    }

    /// Whether entries count before they are durable: never, except where a test wants to see why not.
    #[cfg_attr(not(test), expect(clippy::unused_self, reason = "a test can switch it on"))]
    pub(super) fn counts_at_once(&self) -> bool {
        #[cfg(test)]
        if self.has(super::tests::Flaw::CountsAtOnce) {
            return true;
        }
        false
    }
}
