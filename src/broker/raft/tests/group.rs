//! A group of members with disks, timers and a wire between them, and what must hold of it at any instant.

use std::collections::{BTreeMap, VecDeque};

use super::*;

pub(super) type State = Vec<u64>;

pub(super) struct Node {
    pub(super) raft: Raft<u64, State>,
    pub(super) is_up: bool,
    pub(super) state: State,
    applied: u64,
    writes: VecDeque<Option<Mark>>,
    timer: Option<(Time, u32)>,
}

/// What travels: from, to, message.
type Parcel = (usize, usize, Message<u64, State>);

pub(super) struct Group {
    pub(super) nodes: Vec<Node>,
    pub(super) wire: VecDeque<Parcel>,
    pub(super) now: Time,
    config: Config,
    draws: Bits,
    /// By member: on which side of a cut it is.
    sides: Vec<u8>,
    leaders: BTreeMap<u32, usize>,
    /// All that was ever committed, each with the term in which it was.
    committed: Vec<(Entry<u64>, u32)>,
    flaw: Option<Flaw>,
}

pub(super) type Checked = Result<(), String>;

impl Group {
    pub(super) fn new(count: u8, config: &Config, seed: u64, flaw: Option<Flaw>) -> Self {
        let rafts = (0..count).map(|me| Raft::new(Member(me), count, config.clone()));
        let mut group = Self::of(rafts.collect(), config.clone(), seed, flaw);
        for at in 0..group.nodes.len() {
            group.act(at, Raft::start).expect("nothing can be wrong yet");
        }
        group
    }

    pub(super) fn established(count: u8, config: &Config, leader: u8, flaw: Option<Flaw>) -> Self {
        let rafts = (0..count).map(|me| Raft::established(Member(me), count, config.clone(), Member(leader)));
        let mut group = Self::of(rafts.collect(), config.clone(), 1, flaw);
        group.leaders.insert(1, leader.into());
        group.committed.push((Entry { term: 1, command: None }, 1));
        for at in 0..group.nodes.len() {
            group.nodes[at].applied = 1;
            group.act(at, Raft::start).expect("nothing can be wrong yet");
        }
        group
    }

    fn of(rafts: Vec<Raft<u64, State>>, config: Config, seed: u64, flaw: Option<Flaw>) -> Self {
        let count = rafts.len();
        let node = |mut raft: Raft<u64, State>| {
            raft.flaw = flaw;
            Node { raft, is_up: true, state: Vec::new(), applied: 0, writes: VecDeque::new(), timer: None }
        };
        Self {
            nodes: rafts.into_iter().map(node).collect(),
            wire: VecDeque::new(),
            now: Time::ZERO,
            config,
            draws: bits(seed),
            sides: vec![0; count],
            leaders: BTreeMap::new(),
            committed: Vec::new(),
            flaw,
        }
    }

    /// One input of a member, and what it asks for.
    fn act<R>(
        &mut self,
        at: usize,
        input: impl FnOnce(&mut Raft<u64, State>, &mut Io<'_, u64, State>) -> R,
    ) -> Result<R, String> {
        let mut out = Vec::new();
        let mut io = Io { now: self.now, draws: &mut self.draws, out: &mut out };
        let result = input(&mut self.nodes[at].raft, &mut io);
        for output in out {
            self.obey(at, output)?;
        }
        Ok(result)
    }

    fn obey(&mut self, at: usize, output: Output<u64, State>) -> Checked {
        let node = &mut self.nodes[at];
        match output {
            Output::Send(to, message) => self.wire.push_back((at, to.0.into(), message)),
            Output::Write(mark) => node.writes.push_back(Some(mark)),
            Output::WriteSnapshot => node.writes.push_back(None),
            Output::Installed => {
                let snapshot = node.raft.snapshot().expect("it was installed");
                (node.state, node.applied) = (snapshot.state.clone(), snapshot.index);
            }
            Output::ElectionTimer { after, number } => node.timer = Some((self.now + after, number)),
            Output::Leads { term } => self.has_won(at, term)?,
            Output::Committed(index) => self.apply(at, index)?,
            Output::Vote { .. } | Output::Follows { .. } => {}
        }
        Ok(())
    }

    /// One leader a term, and it has all that was committed in earlier ones.
    fn has_won(&mut self, at: usize, term: u32) -> Checked {
        if let Some(other) = self.leaders.insert(term, at).filter(|&other| other != at) {
            return Err(format!("{other} and {at} both lead in term {term}"));
        }
        let raft = &self.nodes[at].raft;
        let start = raft.snapshot().map_or(0, |snapshot| snapshot.index);
        let earlier = self.committed.iter().zip(1..).filter(|((_, committed), _)| *committed < term);
        for ((entry, _), index) in earlier {
            if index > start && raft.entry(index) != Some(entry) {
                return Err(format!("leader {at} of term {term} lacks the committed entry {index}"));
            }
        }
        Ok(())
    }

    /// Nobody ever applies anything else at an index than the others did.
    fn apply(&mut self, at: usize, commit: u64) -> Checked {
        let node = &mut self.nodes[at];
        while node.applied < commit {
            let index = node.applied + 1;
            let Some(entry) = node.raft.entry(index) else {
                return Err(format!("{at} has no entry {index}, though it is committed"));
            };
            match self.committed.get(index as usize - 1) {
                Some((known, _)) if known != entry => {
                    return Err(format!("{at} commits {entry:?} at {index}, where {known:?} was"));
                }
                Some(_) => {}
                None => self.committed.push((*entry, node.raft.term())),
            }
            node.state.extend(entry.command);
            node.applied = index;
        }
        Ok(())
    }

    pub(super) fn propose(&mut self, at: usize, command: u64) -> bool {
        let proposed = self.act(at, |raft, io| {
            let index = raft.propose(command, io);
            raft.replicate(io);
            index
        });
        proposed.is_ok_and(|index| index.is_some())
    }

    pub(super) fn leader(&self) -> Option<usize> {
        let leads = |&at: &usize| self.nodes[at].is_up && self.nodes[at].raft.role() == Role::Leader;
        (0..self.nodes.len()).filter(leads).max_by_key(|&at| self.nodes[at].raft.term())
    }

    pub(super) fn deliver(&mut self, which: usize) -> Checked {
        let Some((from, to, message)) = self.wire.remove(which) else { return Ok(()) };
        if !self.nodes[to].is_up || self.sides[from] != self.sides[to] {
            return Ok(());
        }
        self.act(to, |raft, io| raft.receive(Member(from as u8), &message, io))
    }

    pub(super) fn deliver_all(&mut self) -> Checked {
        for _ in 0..100_000 {
            if self.wire.is_empty() {
                return Ok(());
            }
            self.deliver(0)?;
        }
        Err("messages never end".into())
    }

    /// The oldest write of this member is durable.
    pub(super) fn write(&mut self, at: usize) -> Checked {
        match self.nodes[at].writes.pop_front() {
            Some(Some(mark)) => self.act(at, |raft, io| raft.written(mark, io)),
            Some(None) => self.act(at, Raft::snapshot_written),
            None => Ok(()),
        }
    }

    /// The election timer of this member fires.
    pub(super) fn fire(&mut self, at: usize) -> Checked {
        let Some((when, number)) = self.nodes[at].timer.take().filter(|_| self.nodes[at].is_up) else {
            return Ok(());
        };
        self.now = self.now.max(when);
        self.act(at, |raft, io| raft.timeout(number, io))
    }

    pub(super) fn fire_due(&mut self) -> Checked {
        for at in 0..self.nodes.len() {
            if self.nodes[at].timer.is_some_and(|(when, _)| when <= self.now) {
                self.fire(at)?;
            }
        }
        Ok(())
    }

    pub(super) fn tick(&mut self, at: usize) -> Checked {
        if !self.nodes[at].is_up {
            return Ok(());
        }
        self.act(at, Raft::tick)
    }

    pub(super) fn transfer(&mut self, at: usize) {
        let _ = self.act(at, Raft::transfer);
    }

    /// The process dies; what is not durable goes with it.
    pub(super) fn crash(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        node.is_up = false;
        node.writes.clear();
        node.timer = None;
    }

    pub(super) fn notice_death(&mut self, of: usize) -> Checked {
        for at in 0..self.nodes.len() {
            if at != of && self.nodes[at].is_up && self.sides[at] == self.sides[of] {
                self.wire.retain(|&(from, to, _)| (from, to) != (of, at));
                self.act(at, |raft, io| raft.peer_down(Member(of as u8), io))?;
            }
        }
        Ok(())
    }

    pub(super) fn suspect(&mut self, at: usize, of: usize) -> Checked {
        self.act(at, |raft, io| raft.silence(Member(of as u8), io))
    }

    pub(super) fn replace_disk(&mut self, at: usize) {
        self.nodes[at].raft = Raft::new(Member(at as u8), self.nodes.len() as u8, self.config.clone());
        self.nodes[at].raft.flaw = self.flaw;
    }

    pub(super) fn restart(&mut self, at: usize) -> Checked {
        let node = &mut self.nodes[at];
        if node.is_up {
            return Ok(());
        }
        node.is_up = true;
        // The connections of the process before are gone, with all that was under way.
        self.wire.retain(|&(from, to, _)| from != at && to != at);
        (node.state, node.applied) =
            node.raft.snapshot().map_or((Vec::new(), 0), |snapshot| (snapshot.state.clone(), snapshot.index));
        let durable = node.raft.durable();
        self.act(at, |raft, io| raft.restart(durable, io))?;
        for other in 0..self.nodes.len() {
            if other != at && self.nodes[other].is_up && self.sides[at] == self.sides[other] {
                self.act(other, |raft, io| raft.peer_down(Member(at as u8), io))?;
                self.act(other, |raft, io| raft.peer_up(Member(at as u8), io))?;
            }
        }
        Ok(())
    }

    pub(super) fn compact(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let _ = node.raft.compact(node.applied, node.state.clone());
    }

    /// The network falls apart: the bits say who is on which side.
    pub(super) fn cut(&mut self, bits: u32) {
        for (at, side) in self.sides.iter_mut().enumerate() {
            *side = (bits >> at & 1) as u8;
        }
    }

    /// Whatever two logs hold under the same index and term, they hold the same before it.
    pub(super) fn logs_match(&self) -> Checked {
        for (at, one) in self.nodes.iter().enumerate() {
            for other in &self.nodes[at + 1..] {
                let (a, b) = (&one.raft, &other.raft);
                let mut is_same = false;
                for index in (1..=a.last().index.min(b.last().index)).rev() {
                    let (Some(x), Some(y)) = (a.entry(index), b.entry(index)) else { break };
                    is_same |= x.term == y.term;
                    if is_same && x != y {
                        return Err(format!("logs differ at {index}: {x:?} and {y:?}, and agree after it"));
                    }
                }
            }
        }
        Ok(())
    }

    /// All faults end, and time goes on until nothing is left to do and somebody leads.
    pub(super) fn heal(&mut self) -> Checked {
        self.cut(0);
        for at in 0..self.nodes.len() {
            self.restart(at)?;
        }
        for at in 0..self.nodes.len() {
            let strangers: Vec<_> = self.nodes[at].raft.others().collect();
            for member in strangers {
                let other_leads = self.nodes[usize::from(member.0)].raft.role() == Role::Leader;
                self.act(at, |raft, io| {
                    let is_welcome = other_leads || raft.role() == Role::Leader;
                    if is_welcome { raft.peer_up(member, io) } else { raft.silence(member, io) }
                })?;
            }
        }
        for _ in 0..200 {
            self.settle()?;
            if self.leader().is_some() {
                return self.settle();
            }
            self.next_timer()?;
        }
        Err("nobody leads, though nothing is in the way".into())
    }

    fn next_timer(&mut self) -> Checked {
        let next = self.nodes.iter().enumerate().filter_map(|(at, node)| Some((node.timer?.0, at))).min();
        match next {
            Some((_, at)) => self.fire(at),
            None => Ok(()),
        }
    }

    /// Messages and writes until there are none; elections if nobody leads.
    pub(super) fn settle(&mut self) -> Checked {
        for _ in 0..300 {
            for _ in 0..100 {
                self.deliver_all()?;
                for at in 0..self.nodes.len() {
                    while !self.nodes[at].writes.is_empty() {
                        self.write(at)?;
                    }
                }
                if self.wire.is_empty() {
                    break;
                }
            }
            match self.leader() {
                Some(leader) if self.is_settled(leader) => return Ok(()),
                Some(leader) => self.tick(leader)?,
                None => self.next_timer()?,
            }
            if self.wire.is_empty() {
                return Ok(());
            }
        }
        let tell = |node: &Node| {
            let raft = &node.raft;
            let (last, commit) = (raft.last(), raft.commit());
            format!(
                "{:?} {:?} {last:?} {commit} {:?} {:?}",
                raft.role(),
                raft.leader(),
                node.timer,
                raft.peers
            )
        };
        Err(format!("the group never comes to rest: {:#?}", self.nodes.iter().map(tell).collect::<Vec<_>>()))
    }

    fn is_settled(&self, leader: usize) -> bool {
        let raft = &self.nodes[leader].raft;
        raft.others().all(|member| raft.matched(member) == Some(raft.last().index))
    }

    /// Settles while this member is out of reach.
    pub(super) fn settle_without(&mut self, at: usize) -> Checked {
        self.cut(1 << at);
        self.settle()?;
        self.cut(0);
        Ok(())
    }

    pub(super) fn committed(&self) -> usize {
        self.committed.len()
    }
}
