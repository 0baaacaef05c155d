//! A replica of a stream as a state machine without I/O: how a log is copied, and who appends to it.
//!
//! ```text
//! coordinator ─Stop(epoch)─► replicas ─Stopped(tail)─► a majority: the best tail ─Lead─► leader
//!                                                       leader ─Follow─► others ─Attach─► cut, copied, attached
//! leader ─Append─► followers ─Appended─► a majority of the replicas has it: committed
//! ```
//!
//! Whoever stopped for an epoch takes nothing of an earlier one. The best tail is that of the latest epoch in whose log
//! a replica had everything that was there when it began, and of these the longest; so what a majority had taken is in
//! the log of whoever leads next, as long as a majority keeps its files. Nothing is flushed for that.
//!
//! Source: `rabbit_stream_coordinator`, `osiris_writer`, `osiris_replica`.
//!
//! The coordinator of a real cluster is one process among all its nodes, itself kept by Raft. Here the replica that
//! notices first does its work, after as long as an election of the coordinator's own group takes; attempts of
//! different replicas have different epochs, and a majority follows one of them.
//!
//! Not modelled: replicas that are added or taken away; that a real coordinator looks at the epoch of a log's last
//! chunk alone.

use smallvec::SmallVec;

use super::log::{self, Chunk, Entry, Epoch, History, Limits, Log};
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::sim::Time;

/// Entries that a follower may be sent before it says that it has them.
const WINDOW: u64 = 16_384;

/// What replicas say to each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super::super) enum Between {
    /// From a coordinator: nothing of an earlier epoch counts any more.
    Stop {
        epoch: Epoch,
    },
    /// The answer: what there is.
    Stopped {
        epoch: Epoch,
        tail: Tail,
    },
    /// From the coordinator, to the best.
    Lead {
        epoch: Epoch,
    },
    /// From the leader.
    Follow {
        epoch: Epoch,
    },
    /// The answer: what the follower has.
    Attach {
        epoch: Epoch,
        history: History,
        end: u64,
    },
    /// What it is to do: begin here; cut everything from there on; it is attached once it has that much.
    From {
        epoch: Epoch,
        first: u64,
        at: u64,
        needs: u64,
    },
    Append {
        epoch: Epoch,
        chunk: Chunk,
        entries: Vec<Entry>,
        committed: u64,
    },
    Appended {
        epoch: Epoch,
        end: u64,
    },
    Committed {
        epoch: Epoch,
        committed: u64,
    },
    /// Who leads? From one that heard of this epoch last.
    Seek {
        promised: Epoch,
    },
}

/// What a coordinator compares: the epoch that a replica was attached in last, and where its log ends.
pub(in super::super::super) type Tail = (Epoch, u64);

/// What a replica asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Out {
    Send(u16, Between),
    /// The log has more, from this offset on; whether a new segment began.
    Appended {
        from: u64,
        is_new_segment: bool,
    },
    /// The log lost its end.
    Cut(Vec<(u64, EnvelopeId)>),
    /// It begins anew, further on.
    Reset,
    Committed,
    Leads,
    /// It does not lead or follow any more, and wants to be reminded.
    Stopped,
    Follows(u16),
}

/// What a replica is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum Role {
    Stopped,
    Leader {
        /// Where its log ended when it began to lead.
        began: u64,
        peers: SmallVec<[Peer; 4]>,
    },
    Follower {
        leader: u16,
        /// With so much it has all that was there when the epoch began.
        needs: u64,
    },
}

/// A follower, as its leader knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Peer {
    pub(super) node: u16,
    /// It was told to follow, and has not said yet what it has. Told twice, it would be cut to what it had at first.
    is_asked: bool,
    is_attached: bool,
    sent: u64,
    pub(super) acked: u64,
}

/// An attempt of a coordinator.
#[derive(Clone, Debug)]
struct Attempt {
    epoch: Epoch,
    tails: SmallVec<[(u16, Tail); 4]>,
}

/// A replica.
#[derive(Clone, Debug)]
pub(in super::super) struct Replica {
    pub(super) me: u16,
    /// The nodes of all replicas.
    pub(super) members: SmallVec<[u16; 4]>,
    pub(super) log: Log,
    /// The latest epoch that it heard of.
    promised: Epoch,
    /// The latest in which it had everything.
    attached: Epoch,
    pub(super) role: Role,
    /// Up to here a majority has it.
    pub(super) committed: u64,
    attempt: Option<Attempt>,
    /// Attempts have been made up to this number.
    round: u32,
    pub(super) out: Vec<Out>,
}

impl Replica {
    /// One of a stream that has run for a while: that node leads.
    pub(super) fn established(me: u16, members: SmallVec<[u16; 4]>, leader: u16) -> Self {
        let epoch = Epoch { round: 1, by: leader };
        let role = if me == leader {
            let peer = |&node: &u16| Peer { node, is_asked: false, is_attached: true, sent: 0, acked: 0 };
            Role::Leader { began: 0, peers: members.iter().filter(|node| **node != me).map(peer).collect() }
        } else {
            Role::Follower { leader, needs: 0 }
        };
        let (promised, attached) = (epoch, epoch);
        let (log, committed, attempt, out) = (Log::default(), 0, None, Vec::new());
        Self { me, members, log, promised, attached, role, committed, attempt, round: 1, out }
    }

    /// The process begins over what the file has.
    pub(super) fn restart(&mut self) {
        self.committed = self.log.first();
        self.attempt = None;
        self.stop();
        self.seek();
    }

    /// Its disk is gone.
    pub(super) fn begin_anew(&mut self) {
        self.log = Log::default();
        self.attached = Epoch::default();
        self.committed = 0;
    }

    pub(super) fn epoch(&self) -> Epoch {
        self.promised
    }

    pub(super) fn leads(&self) -> bool {
        matches!(self.role, Role::Leader { .. })
    }

    /// The node that leads, so far as it knows.
    pub(super) fn leader(&self) -> Option<u16> {
        match self.role {
            Role::Leader { .. } => Some(self.me),
            Role::Follower { leader, .. } => Some(leader),
            Role::Stopped => None,
        }
    }

    fn majority(&self) -> usize {
        self.members.len() / 2 + 1
    }

    fn send(&mut self, to: u16, msg: Between) {
        self.out.push(Out::Send(to, msg));
    }

    fn others(&self) -> SmallVec<[u16; 4]> {
        self.members.iter().copied().filter(|&node| node != self.me).collect()
    }

    fn stop(&mut self) {
        self.role = Role::Stopped;
        self.out.push(Out::Stopped);
    }

    fn seek(&mut self) {
        for node in self.others() {
            self.send(node, Between::Seek { promised: self.promised });
        }
    }

    /// A node is gone, or silent for too long.
    pub(super) fn lost(&mut self, node: u16) {
        match &mut self.role {
            Role::Leader { peers, .. } => {
                let of = peers.iter_mut().filter(|peer| peer.node == node);
                of.for_each(|peer| (peer.is_asked, peer.is_attached) = (false, false));
            }
            Role::Follower { leader, .. } if *leader == node => self.stop(),
            _ => {}
        }
    }

    /// A node can be reached again.
    pub(super) fn found(&mut self, node: u16) {
        if !self.members.contains(&node) {
            return;
        }
        match self.role {
            Role::Leader { .. } => self.ask(node),
            Role::Stopped => self.send(node, Between::Seek { promised: self.promised }),
            Role::Follower { .. } => {}
        }
    }

    /// It has had no leader for a while: it does the coordinator's work, if so many others can be asked.
    pub(super) fn overdue(&mut self, reachable: usize) {
        if self.role != Role::Stopped {
            return;
        }
        if reachable + 1 < self.majority() {
            self.out.push(Out::Stopped);
            return self.seek();
        }
        self.round = self.round.max(self.promised.round) + 1;
        let epoch = Epoch { round: self.round, by: self.me };
        self.promised = epoch;
        let mut tails = SmallVec::new();
        tails.push((self.me, self.tail()));
        self.attempt = Some(Attempt { epoch, tails });
        for node in self.others() {
            self.send(node, Between::Stop { epoch });
        }
        // If nothing comes of it, once more.
        self.out.push(Out::Stopped);
        self.decide();
    }

    fn tail(&self) -> Tail {
        (self.attached, self.log.end())
    }

    /// With the tails of a majority the coordinator knows who leads.
    fn decide(&mut self) {
        let Some(attempt) = self.attempt.as_ref().filter(|one| one.tails.len() >= self.majority()) else {
            return;
        };
        let epoch = attempt.epoch;
        let place = |node: u16| self.members.iter().position(|&member| member == node);
        let best = attempt.tails.iter().max_by_key(|(node, tail)| (*tail, std::cmp::Reverse(place(*node))));
        let Some(&(best, _)) = best else { return };
        self.attempt = None;
        if best == self.me {
            self.lead(epoch);
        } else {
            self.send(best, Between::Lead { epoch });
        }
    }

    fn lead(&mut self, epoch: Epoch) {
        if epoch != self.promised || self.role != Role::Stopped {
            return;
        }
        self.attached = epoch;
        let peer = |&node: &u16| Peer { node, is_asked: false, is_attached: false, sent: 0, acked: 0 };
        let peers = self.others().iter().map(peer).collect();
        self.role = Role::Leader { began: self.log.end(), peers };
        for node in self.others() {
            self.send(node, Between::Follow { epoch });
        }
        self.out.push(Out::Leads);
        self.count();
    }

    /// Appends a chunk, as the leader.
    pub(super) fn append(&mut self, at: Time, entries: &[Entry], limits: &Limits) {
        if !self.leads() || entries.is_empty() {
            return;
        }
        let from = self.log.end();
        let is_new_segment = self.log.append(self.promised, at, entries, limits);
        self.out.push(Out::Appended { from, is_new_segment });
        self.copy();
        self.count();
    }

    /// Sends followers what they lack.
    fn copy(&mut self) {
        let (epoch, committed) = (self.promised, self.committed);
        let Role::Leader { peers, .. } = &mut self.role else { return };
        for peer in peers.iter_mut().filter(|peer| peer.is_attached) {
            while peer.sent < self.log.end() && peer.sent < peer.acked.max(self.log.first()) + WINDOW {
                let from = peer.sent.max(self.log.first());
                let Some((chunk, entries)) = self.log.chunk(from) else { break };
                peer.sent = chunk.end();
                self.out.push(Out::Send(peer.node, Between::Append { epoch, chunk, entries, committed }));
            }
        }
    }

    /// What a majority has is committed.
    fn count(&mut self) {
        let Role::Leader { began, peers } = &self.role else { return };
        let mut ends: SmallVec<[u64; 4]> = SmallVec::new();
        ends.push(self.log.end());
        // Who lacks some of what was there when the epoch began does not count.
        ends.extend(peers.iter().map(|peer| if peer.acked >= *began { peer.acked } else { 0 }));
        ends.sort_unstable_by(|one, other| other.cmp(one));
        let agreed = ends[self.majority() - 1];
        if agreed <= self.committed {
            return;
        }
        self.committed = agreed;
        self.out.push(Out::Committed);
        let committed = Between::Committed { epoch: self.promised, committed: agreed };
        let attached: SmallVec<[u16; 4]> =
            peers.iter().filter(|peer| peer.is_attached).map(|peer| peer.node).collect();
        for node in attached {
            self.send(node, committed.clone());
        }
    }

    /// Another replica says something.
    pub(super) fn receive(&mut self, from: u16, msg: Between, limits: &Limits) {
        match msg {
            Between::Stop { epoch } => self.stop_asked(from, epoch),
            Between::Stopped { epoch, tail } => self.stopped(from, epoch, tail),
            Between::Lead { epoch } => self.lead(epoch),
            Between::Follow { epoch } => self.follow(from, epoch),
            Between::Attach { epoch, history, end } => self.attach(from, epoch, (&history, end)),
            Between::From { epoch, first, at, needs } if self.follows(from, epoch) => {
                self.begin(from, (first, at), needs);
            }
            Between::Append { epoch, chunk, entries, committed } if self.follows(from, epoch) => {
                self.copied(from, chunk, &entries, committed, limits);
            }
            Between::Appended { epoch, end } if epoch == self.promised => {
                if let Role::Leader { peers, .. } = &mut self.role {
                    peers.iter_mut().filter(|peer| peer.node == from).for_each(|peer| peer.acked = end);
                    self.copy();
                    self.count();
                }
            }
            Between::Committed { epoch, committed } if self.follows(from, epoch) => {
                self.commit_to(committed);
            }
            Between::Seek { promised } => self.sought(from, promised),
            _ => {}
        }
    }

    fn follows(&self, node: u16, epoch: Epoch) -> bool {
        epoch == self.promised && matches!(self.role, Role::Follower { leader, .. } if leader == node)
    }

    fn stop_asked(&mut self, coordinator: u16, epoch: Epoch) {
        if epoch > self.promised {
            self.promised = epoch;
            self.attempt = None;
            self.stop();
        }
        if epoch == self.promised && self.role != Role::Stopped {
            return;
        }
        let (epoch, tail) = (self.promised, self.tail());
        self.send(coordinator, Between::Stopped { epoch, tail });
    }

    fn stopped(&mut self, from: u16, epoch: Epoch, tail: Tail) {
        self.round = self.round.max(epoch.round);
        let Some(attempt) = &mut self.attempt else { return };
        if attempt.epoch == epoch && attempt.tails.iter().all(|(node, _)| *node != from) {
            attempt.tails.push((from, tail));
            self.decide();
        }
    }

    fn follow(&mut self, leader: u16, epoch: Epoch) {
        if epoch < self.promised || self.leads() && epoch == self.promised {
            return self.send(leader, Between::Seek { promised: self.promised });
        }
        if epoch == self.promised && self.role == (Role::Follower { leader, needs: u64::MAX }) {
            // It said what it has, and waits to hear where to begin.
            return;
        }
        self.promised = epoch;
        self.attempt = None;
        self.role = Role::Follower { leader, needs: u64::MAX };
        self.out.push(Out::Follows(leader));
        let (history, end) = (self.log.history().clone(), self.log.end());
        self.send(leader, Between::Attach { epoch, history, end });
    }

    /// Somebody looks for a leader. One that heard of a later epoch cannot follow this one: another is needed.
    fn sought(&mut self, from: u16, promised: Epoch) {
        self.round = self.round.max(promised.round);
        if !self.leads() {
            return;
        }
        if promised > self.promised {
            self.stop();
        } else {
            self.ask(from);
        }
    }

    /// Tells a replica to follow, once on each connection, and again when it has stopped meanwhile.
    fn ask(&mut self, node: u16) {
        let Role::Leader { peers, .. } = &mut self.role else { return };
        let peer = peers.iter_mut().find(|peer| peer.node == node);
        if let Some(peer) = peer.filter(|peer| !peer.is_asked) {
            (peer.is_asked, peer.is_attached) = (true, false);
            self.send(node, Between::Follow { epoch: self.promised });
        }
    }

    fn attach(&mut self, from: u16, epoch: Epoch, theirs: (&History, u64)) {
        let agreed = log::common((self.log.history(), self.log.end()), theirs);
        let (first, end) = (self.log.first(), self.log.end());
        let Role::Leader { began, peers } = &mut self.role else { return };
        let Some(peer) = peers.iter_mut().find(|peer| peer.node == from && epoch == self.promised) else {
            return;
        };
        let at = agreed.min(end).max(first);
        (peer.is_asked, peer.is_attached, peer.sent, peer.acked) = (false, true, at, 0);
        let needs = *began;
        // A log that ends before the leader's begins is of no use.
        let first = if agreed < first { first } else { 0 };
        self.out.push(Out::Send(from, Between::From { epoch, first, at, needs }));
        self.copy();
        // A process that began anew does not know what was committed before.
        self.send(from, Between::Committed { epoch, committed: self.committed });
    }

    fn begin(&mut self, leader: u16, (first, at): (u64, u64), needs: u64) {
        let cut = self.log.truncate(if first > 0 { 0 } else { at });
        if !cut.is_empty() {
            self.out.push(Out::Cut(cut));
        }
        if first > 0 {
            self.log = Log::beginning_at(first);
            self.out.push(Out::Reset);
        }
        self.committed = self.committed.min(self.log.end()).max(self.log.first());
        self.role = Role::Follower { leader, needs };
        self.has_more(leader);
    }

    fn copied(&mut self, leader: u16, chunk: Chunk, entries: &[Entry], committed: u64, limits: &Limits) {
        let from = self.log.end();
        if chunk.first != from {
            return;
        }
        let is_new_segment = self.log.append(chunk.epoch, chunk.at, entries, limits);
        self.out.push(Out::Appended { from, is_new_segment });
        self.has_more(leader);
        self.commit_to(committed);
    }

    fn has_more(&mut self, leader: u16) {
        let (epoch, end) = (self.promised, self.log.end());
        if let Role::Follower { needs, .. } = self.role
            && end >= needs
        {
            self.attached = epoch;
        }
        self.send(leader, Between::Appended { epoch, end });
    }

    fn commit_to(&mut self, committed: u64) {
        let committed = committed.min(self.log.end());
        if committed > self.committed {
            self.committed = committed;
            self.out.push(Out::Committed);
        }
    }
}
