//! A queue by hand: the same hops as [`crate::queue`] lets the model make, and nothing in between.
//!
//! What travels keeps its order. A node flushes one thing at a time, and what comes meanwhile shares the next flush. A
//! classic queue writes when it has had its turn, and confirms all that a flush made durable. The leader of a quorum
//! queue sends each entry to both followers at once, each of which answers when it is on its disk; it tells them how
//! far it has committed, which they answer too, as in Ra. Publishes and acknowledgements are entries, and what is
//! committed changes every member's queue.

use std::collections::VecDeque;

use mqlab::sim::draw::{self, Bits, Purpose};

use crate::heap::{Fingerprint, Heap, exponential};
use crate::queue::Kind;

const PERIOD: u64 = 100_000;
const LINK_MEAN: f64 = 500_000.0;
const FLUSH_MEAN: f64 = 200_000.0;
const TURN: u64 = 20_000;
const WORK: u64 = 20_000;
const PREFETCH: usize = 1_000;

const PUBLISHER: usize = 0;
const CONFIRMS: usize = 1;
const DELIVERIES: usize = 2;
const ACKS: usize = 3;
const TO_FOLLOWERS: usize = 3;
const FROM_FOLLOWERS: usize = 5;

/// A queue, its publisher and its consumer.
pub(crate) struct BareQueue {
    kind: Kind,
    heap: Heap<(Happening, u32)>,
    fingerprint: Fingerprint,
    jitter: Bits,
    records: Vec<Record>,
    nodes: [Node; 3],
    /// When the last packet of each direction arrives.
    links: [u64; 8],
    /// How much of the log the leader knows to be on the followers' disks, and on two disks.
    matched: [u32; 2],
    commit: u32,
    confirmed: u32,
    busy_until: u64,
    events: u64,
}

#[derive(Clone, Copy)]
enum Happening {
    Due,
    Publish,
    Turn,
    Append(u8),
    Flushed(u8),
    Committed(u8),
    Appended(u8),
    Confirm,
    Deliver,
    Processed,
    Ack,
}

/// What is kept of a message: 32 bytes, as in a ledger.
#[derive(Clone, Copy, Default)]
struct Record {
    due: u64,
    confirmed: u64,
    delivered: u64,
    is_acked: bool,
}

/// A node's log, and how much of it is on its disk.
#[derive(Default)]
struct Node {
    log: Vec<(u64, Entry)>,
    durable: u32,
    is_flushing: bool,
    is_turn_due: bool,
    /// Its queue: which messages wait, and which are with the consumer. Of the log, so much has been applied.
    ready: VecDeque<u32>,
    held: VecDeque<u32>,
    applied: u32,
}

#[derive(Clone, Copy)]
enum Entry {
    Published(u32),
    Acked(u32),
}

impl BareQueue {
    /// An idle queue.
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            heap: Heap::default(),
            fingerprint: Fingerprint::default(),
            jitter: draw::stream(1, Purpose::Link, 0, 0),
            records: Vec::new(),
            nodes: Default::default(),
            links: [0; 8],
            matched: [0; 2],
            commit: 0,
            confirmed: 0,
            busy_until: 0,
            events: 0,
        }
    }

    /// Publishes so many messages, each some time after the one before; returns the number of events.
    pub(crate) fn run(&mut self, messages: u32) -> u64 {
        self.records.reserve_exact(messages as usize);
        self.heap.push(PERIOD, (Happening::Due, 0));
        while let Some((now, (what, number))) = self.heap.pop() {
            self.events += 1;
            self.fingerprint.add([now, what.code(), u64::from(number)]);
            self.take(now, what, number, messages);
        }
        std::hint::black_box(self.fingerprint.value());
        let is_whole = |one: &Record| one.is_acked && one.confirmed.min(one.delivered) > one.due;
        assert!(self.records.iter().all(is_whole), "every message is confirmed and acknowledged");
        self.events
    }

    #[inline]
    fn take(&mut self, now: u64, what: Happening, number: u32, messages: u32) {
        match what {
            Happening::Due => {
                self.records.push(Record { due: now, ..Record::default() });
                self.send(now, PUBLISHER, Happening::Publish, number);
                if number + 1 < messages {
                    self.heap.push(now + PERIOD, (Happening::Due, number + 1));
                }
            }
            Happening::Publish => self.enqueue(now, number),
            Happening::Turn => self.flush(now, 0),
            Happening::Append(node) => {
                let from = self.nodes[node as usize].log.len();
                let (_, entry) = self.nodes[0].log[from];
                self.nodes[node as usize].log.push((now, entry));
                self.write(now, node);
            }
            Happening::Flushed(node) => self.flushed(now, node, number),
            Happening::Committed(node) => {
                self.apply(now, node, number);
                self.answer(now, node);
            }
            Happening::Appended(node) => {
                let matched = &mut self.matched[node as usize - 1];
                *matched = number.max(*matched);
                self.look_at_commit(now);
            }
            Happening::Confirm => {
                for record in &mut self.records[self.confirmed as usize..=number as usize] {
                    record.confirmed = now;
                }
                self.confirmed = number + 1;
            }
            Happening::Deliver => {
                self.records[number as usize].delivered = now;
                self.busy_until = self.busy_until.max(now) + WORK;
                self.heap.push(self.busy_until, (Happening::Processed, number));
            }
            Happening::Processed => self.send(now, ACKS, Happening::Ack, number),
            Happening::Ack => self.acked(now, number),
        }
    }

    /// The queue has it: a classic one hands it over at once, a quorum queue when two disks have it.
    #[inline]
    fn enqueue(&mut self, now: u64, message: u32) {
        if self.kind == Kind::Quorum {
            return self.propose(now, Entry::Published(message));
        }
        let node = &mut self.nodes[0];
        node.log.push((now, Entry::Published(message)));
        if !node.is_turn_due && !node.is_flushing {
            node.is_turn_due = true;
            self.heap.push(now + TURN, (Happening::Turn, 0));
        }
        self.change(now, 0, Entry::Published(message));
    }

    /// A copy of the queue changes, and the leader's hands over what it can.
    #[inline]
    fn change(&mut self, now: u64, at: u8, entry: Entry) {
        let node = &mut self.nodes[at as usize];
        match entry {
            Entry::Published(message) => node.ready.push_back(message),
            Entry::Acked(message) if node.held.front() == Some(&message) => drop(node.held.pop_front()),
            Entry::Acked(message) => node.held.retain(|held| *held != message),
        }
        while self.nodes[at as usize].held.len() < PREFETCH
            && let Some(message) = self.nodes[at as usize].ready.pop_front()
        {
            self.nodes[at as usize].held.push_back(message);
            if at == 0 {
                self.send(now, DELIVERIES, Happening::Deliver, message);
            }
        }
    }

    /// What is committed is applied to a member's queue, a follower's when it is on its own disk; which message came in
    /// last.
    #[inline]
    fn apply(&mut self, now: u64, at: u8, commit: u32) -> Option<u32> {
        let mut last = None;
        let end = if at == 0 { commit } else { commit.min(self.nodes[at as usize].durable) };
        for index in self.nodes[at as usize].applied..end {
            let (_, entry) = self.nodes[at as usize].log[index as usize];
            self.change(now, at, entry);
            if let Entry::Published(message) = entry {
                last = Some(message);
            }
        }
        let applied = &mut self.nodes[at as usize].applied;
        *applied = end.max(*applied);
        last
    }

    #[inline]
    fn acked(&mut self, now: u64, message: u32) {
        self.records[message as usize].is_acked = true;
        match self.kind {
            Kind::Classic => self.change(now, 0, Entry::Acked(message)),
            Kind::Quorum => self.propose(now, Entry::Acked(message)),
        }
    }

    /// An entry for all three logs.
    #[inline]
    fn propose(&mut self, now: u64, entry: Entry) {
        self.nodes[0].log.push((now, entry));
        self.write(now, 0);
        for node in 1..3 {
            self.send(now, TO_FOLLOWERS + node as usize, Happening::Append(node), 0);
        }
    }

    #[inline]
    fn write(&mut self, now: u64, node: u8) {
        if !self.nodes[node as usize].is_flushing {
            self.flush(now, node);
        }
    }

    #[inline]
    fn flush(&mut self, now: u64, at: u8) {
        let node = &mut self.nodes[at as usize];
        (node.is_flushing, node.is_turn_due) = (true, false);
        let mark = node.log.len() as u32;
        let takes = exponential(FLUSH_MEAN, draw::next(&mut self.jitter));
        self.heap.push(now + takes, (Happening::Flushed(at), mark));
    }

    #[inline]
    fn flushed(&mut self, now: u64, at: u8, mark: u32) {
        let node = &mut self.nodes[at as usize];
        node.durable = mark;
        node.is_flushing = false;
        let has_more = node.log.len() as u32 > mark;
        if self.kind == Kind::Classic {
            self.send(now, CONFIRMS, Happening::Confirm, mark - 1);
            if has_more {
                self.nodes[0].is_turn_due = true;
                self.heap.push(now + TURN, (Happening::Turn, 0));
            }
            return;
        }
        if has_more {
            self.flush(now, at);
        }
        if at == 0 { self.look_at_commit(now) } else { self.answer(now, at) }
    }

    /// A follower says how much of its log is on its disk.
    #[inline]
    fn answer(&mut self, now: u64, node: u8) {
        let durable = self.nodes[node as usize].durable;
        self.send(now, FROM_FOLLOWERS + node as usize, Happening::Appended(node), durable);
    }

    /// What two disks have is confirmed and delivered, and the followers hear of it.
    #[inline]
    fn look_at_commit(&mut self, now: u64) {
        let mut copies = [self.nodes[0].durable, self.matched[0], self.matched[1]];
        copies.sort_unstable();
        if copies[1] <= self.commit {
            return;
        }
        self.commit = copies[1];
        if let Some(message) = self.apply(now, 0, self.commit) {
            self.send(now, CONFIRMS, Happening::Confirm, message);
        }
        for node in 1..3 {
            self.send(now, TO_FOLLOWERS + node as usize, Happening::Committed(node), self.commit);
        }
    }

    /// A packet, behind those that went the same way.
    #[inline]
    fn send(&mut self, now: u64, link: usize, what: Happening, number: u32) {
        let takes = exponential(LINK_MEAN, draw::next(&mut self.jitter));
        let arrives = &mut self.links[link];
        *arrives = (now + takes).max(*arrives);
        self.heap.push(*arrives, (what, number));
    }
}

impl Happening {
    fn code(self) -> u64 {
        match self {
            Self::Due => 0,
            Self::Publish => 1,
            Self::Turn => 2,
            Self::Append(node) => 3 + u64::from(node),
            Self::Flushed(node) => 6 + u64::from(node),
            Self::Committed(node) => 9 + u64::from(node),
            Self::Appended(node) => 12 + u64::from(node),
            Self::Confirm => 15,
            Self::Deliver => 16,
            Self::Processed => 17,
            Self::Ack => 18,
        }
    }
}
