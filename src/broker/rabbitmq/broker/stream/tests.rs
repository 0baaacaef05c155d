//! Replicas under random schedules of delays, losses, cuts and restarts; the log by itself.

use std::collections::VecDeque;

use proptest::prelude::*;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use smallvec::SmallVec;

use super::log::{Entry, Epoch, Limits, Log, Writer};
use super::replica::{Between, Out, Replica};
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::sim::{Span, Time};

const LIMITS: Limits = Limits { segment_bytes: 1_000, bytes_max: None, age_max: None };
const NODES: u16 = 3;

fn entry(number: u32) -> Entry {
    Entry { envelope: EnvelopeId(number), bytes: 100, writer: Writer::Nobody, seq: 0 }
}

fn at(seconds: u64) -> Time {
    Time::ZERO + Span::from_secs(seconds)
}

/// What happens next.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// Whoever leads appends.
    Append,
    /// The oldest message of a pair of nodes arrives.
    Arrive(u16, u16),
    /// The connection of two nodes breaks: what was on it is gone.
    Break(u16, u16),
    Join(u16, u16),
    /// A process dies and starts again over its file, which lost so many chunks.
    PowerCut(u16, u64),
    /// A node without a leader does something about it.
    Overdue(u16),
}

fn steps(has_power_cuts: bool) -> impl Strategy<Value = Vec<Step>> {
    let node = || 0..NODES;
    let most = if has_power_cuts { 20 } else { 1 };
    let step = prop_oneof![
        8 => Just(Step::Append),
        40 => (node(), node()).prop_map(|(from, to)| Step::Arrive(from, to)),
        2 => (node(), node()).prop_map(|(one, other)| Step::Break(one, other)),
        3 => (node(), node()).prop_map(|(one, other)| Step::Join(one, other)),
        3 => (node(), 0u64..most).prop_map(|(node, chunks)| Step::PowerCut(node, chunks)),
        4 => node().prop_map(Step::Overdue),
    ];
    prop::collection::vec(step, 50..600)
}

/// Replicas, what is under way between them, and what was ever committed.
struct Bench {
    all: Vec<Replica>,
    wires: Vec<VecDeque<Between>>,
    is_joined: Vec<bool>,
    committed: Vec<EnvelopeId>,
    next: u32,
    /// How many entries replicas cut.
    cut: usize,
}

impl Bench {
    fn new() -> Self {
        let members: SmallVec<[u16; 4]> = (0..NODES).collect();
        let count = usize::from(NODES * NODES);
        Self {
            all: (0..NODES).map(|node| Replica::established(node, members.clone(), 0)).collect(),
            wires: vec![VecDeque::new(); count],
            is_joined: vec![true; count],
            committed: Vec::new(),
            next: 0,
            cut: 0,
        }
    }

    fn wire(from: u16, to: u16) -> usize {
        usize::from(from * NODES + to)
    }

    /// What a replica asked for.
    fn obey(&mut self, node: u16) -> Result<(), TestCaseError> {
        let out = std::mem::take(&mut self.all[usize::from(node)].out);
        for one in out {
            match one {
                Out::Send(to, msg) if self.is_joined[Self::wire(node, to)] => {
                    self.wires[Self::wire(node, to)].push_back(msg);
                }
                Out::Committed => self.check(node)?,
                Out::Cut(cut) => self.cut += cut.len(),
                _ => {}
            }
        }
        Ok(())
    }

    /// What a replica takes for committed is what every other one took for committed.
    fn check(&mut self, node: u16) -> Result<(), TestCaseError> {
        let replica = &self.all[usize::from(node)];
        for offset in 0..replica.committed {
            let envelope = replica.log.get(offset).map(|entry| entry.envelope);
            let known = self.committed.get(offset as usize).copied();
            prop_assert!(envelope.is_some(), "{node} lacks the committed {offset}");
            match known {
                Some(_) => prop_assert_eq!(known, envelope, "{} differs at {}", node, offset),
                None => self.committed.extend(envelope),
            }
        }
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        let node = match step {
            Step::Append => {
                for node in 0..NODES {
                    if self.all[usize::from(node)].leads() {
                        self.next += 1;
                        self.all[usize::from(node)].append(at(1), &[entry(self.next)], &LIMITS);
                        self.obey(node)?;
                    }
                }
                return Ok(());
            }
            Step::Arrive(from, to) => {
                if let Some(msg) = self.wires[Self::wire(from, to)].pop_front() {
                    self.all[usize::from(to)].receive(from, msg, &LIMITS);
                }
                to
            }
            Step::Break(one, other) => {
                for (from, to) in [(one, other), (other, one)] {
                    self.wires[Self::wire(from, to)].clear();
                    self.is_joined[Self::wire(from, to)] = false;
                    self.all[usize::from(from)].lost(to);
                    self.obey(from)?;
                }
                one
            }
            Step::Join(one, other) if one != other && !self.is_joined[Self::wire(one, other)] => {
                for (from, to) in [(one, other), (other, one)] {
                    self.is_joined[Self::wire(from, to)] = true;
                    self.all[usize::from(from)].found(to);
                    self.obey(from)?;
                }
                one
            }
            Step::Join(one, _) => one,
            Step::PowerCut(node, lost) => {
                let log = &mut self.all[usize::from(node)].log;
                let keep = log.len_bytes().saturating_sub(lost * 148);
                log.truncate_bytes(keep);
                self.restart(node)?;
                node
            }
            Step::Overdue(node) => {
                let others = (0..NODES).filter(|&other| other != node);
                let reachable = others.filter(|&other| self.is_joined[Self::wire(node, other)]).count();
                self.all[usize::from(node)].overdue(reachable);
                node
            }
        };
        self.obey(node)
    }

    fn restart(&mut self, node: u16) -> Result<(), TestCaseError> {
        for other in (0..NODES).filter(|&other| other != node) {
            self.step(Step::Break(node, other))?;
        }
        self.all[usize::from(node)].restart();
        self.all[usize::from(node)].out.clear();
        for other in (0..NODES).filter(|&other| other != node) {
            self.step(Step::Join(node, other))?;
        }
        Ok(())
    }

    /// Everything is joined again, and everything arrives.
    fn settle(&mut self) -> Result<(), TestCaseError> {
        for node in 0..NODES {
            for other in 0..NODES {
                self.step(Step::Join(node, other))?;
            }
        }
        for _ in 0..20 {
            for _ in 0..4_000 {
                if self.wires.iter().all(VecDeque::is_empty) {
                    break;
                }
                for (from, to) in (0..NODES).flat_map(|from| (0..NODES).map(move |to| (from, to))) {
                    self.step(Step::Arrive(from, to))?;
                }
            }
            let stopped = (0..NODES).find(|&node| self.all[usize::from(node)].leader().is_none());
            match stopped {
                Some(node) => self.step(Step::Overdue(node))?,
                None => break,
            }
        }
        self.step(Step::Append)?;
        while self.wires.iter().any(|wire| !wire.is_empty()) {
            for (from, to) in (0..NODES).flat_map(|from| (0..NODES).map(move |to| (from, to))) {
                self.step(Step::Arrive(from, to))?;
            }
        }
        Ok(())
    }
}

fn nothing_committed_is_lost(steps: &[Step]) -> Result<(), TestCaseError> {
    let mut bench = Bench::new();
    for &step in steps {
        bench.step(step)?;
    }
    bench.settle()?;
    let leaders = bench.all.iter().filter(|one| one.leads()).count();
    prop_assert_eq!(leaders, 1, "one leads in the end");
    for replica in &bench.all {
        prop_assert_eq!(replica.committed as usize, bench.committed.len(), "all have all of it");
        for (offset, envelope) in (0..).zip(&bench.committed) {
            prop_assert_eq!(replica.log.get(offset).map(|entry| entry.envelope), Some(*envelope));
        }
    }
    Ok(())
}

fn runner(cases: u32) -> TestRunner {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    TestRunner::new_with_rng(config, rng)
}

#[test]
fn what_a_majority_has_stays_while_files_do() {
    let held = runner(400).run(&steps(false), |steps| nothing_committed_is_lost(&steps));
    held.unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn who_starts_with_nothing_is_copied_to_once() -> Result<(), TestCaseError> {
    let mut bench = Bench::new();
    for _ in 0..20 {
        bench.step(Step::Append)?;
    }
    bench.settle()?;
    let copied = bench.all[2].log.end();
    bench.all[2].begin_anew();
    bench.restart(2)?;
    // Whoever leads hears of it twice: from the connection, and from the one that looks for a leader.
    bench.settle()?;
    prop_assert_eq!(bench.all[2].log.end(), copied + 1);
    prop_assert_eq!(bench.cut, 0, "what was copied was cut again");
    Ok(())
}

#[test]
fn and_not_when_machines_lose_their_power() {
    let broken = runner(400).run(&steps(true), |steps| nothing_committed_is_lost(&steps));
    assert!(broken.is_err(), "nobody found how it breaks");
}

fn filled(chunks: u32) -> Log {
    let mut log = Log::default();
    for number in 0..chunks {
        let entries = [entry(2 * number), entry(2 * number + 1)];
        log.append(Epoch::default(), at(u64::from(number)), &entries, &LIMITS);
    }
    log
}

#[test]
fn retention_takes_whole_segments_and_never_the_last() {
    // 248 bytes a chunk: five chunks, ten messages, a segment.
    let mut log = filled(12);
    assert_eq!(log.segments().len(), 3);
    let limits = |bytes_max, age_max| Limits { segment_bytes: 1_000, bytes_max, age_max };
    assert_eq!(log.retain(&limits(Some(10_000), None), at(20)), []);
    assert_eq!(log.retain(&limits(Some(2_000), None), at(20)), [(0, 10, false)]);
    assert_eq!((log.first(), log.end()), (10, 24));
    assert_eq!(log.retain(&limits(None, Some(Span::from_secs(5))), at(20)), [(10, 20, true)]);
    assert_eq!(log.retain(&limits(Some(1), None), at(1_000)), [], "the last one stays");
    assert_eq!(log.bytes(), 2 * 248);
}

#[test]
fn a_log_is_cut_by_chunks() {
    let mut log = filled(12);
    let cut = log.truncate(21);
    let offsets: Vec<u64> = cut.iter().map(|(offset, _)| *offset).collect();
    assert_eq!(offsets, [20, 21, 22, 23], "a chunk is there, or is not");
    assert_eq!((log.end(), log.segments().len(), log.len_bytes()), (20, 2, 10 * 248));
    assert_eq!(log.truncate_bytes(10 * 248 - 1).len(), 2);
    assert_eq!(log.last_chunk_before(log.end()), 16);
}

#[test]
fn the_last_chunk_is_where_a_reader_of_the_last_begins() {
    assert_eq!(filled(3).last_chunk_before(6), 4);
    assert_eq!(Log::default().last_chunk_before(0), 0);
}
