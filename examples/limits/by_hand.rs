//! The limits: the same work as a loop written by hand, with nothing in between.

use mqlab::sim::draw::{self, Bits, Purpose};

use crate::heap::{Fingerprint, Heap, below, exponential};
use crate::ping_pong::NODES;

/// W1 by hand: pop, fingerprint, draw the next node and the delay, push.
pub(crate) struct BarePingPong {
    heap: Heap<(u16, u32)>,
    fingerprint: Fingerprint,
    choices: Vec<Bits>,
    jitter: Bits,
}

impl BarePingPong {
    /// One token at each node.
    pub(crate) fn new(seed: u64) -> Self {
        let mut heap = Heap::default();
        for node in 0..NODES {
            heap.push(u64::from(node), (node, u32::from(node)));
        }
        Self {
            heap,
            fingerprint: Fingerprint::default(),
            choices: (0..u64::from(NODES)).map(|node| draw::stream(seed, Purpose::Test, node, 0)).collect(),
            jitter: draw::stream(seed, Purpose::Link, 0, 0),
        }
    }

    /// Dispatches this many events; returns the fingerprint.
    pub(crate) fn run(&mut self, events: u64) -> u64 {
        for _ in 0..events {
            let Some((now, (node, token))) = self.heap.pop() else { break };
            self.fingerprint.add([now, u64::from(node), u64::from(token)]);
            let random = draw::next(&mut self.choices[usize::from(node)]);
            let next = (u64::from(node) + 1 + below(random, u64::from(NODES) - 1)) % u64::from(NODES);
            let takes = exponential(1e6, draw::next(&mut self.jitter));
            self.heap.push(now + takes, (next as u16, token));
        }
        self.fingerprint.value()
    }
}

/// W2 by hand: a producer sends 10,000 messages a second to a leader with two followers; everybody flushes; the
/// leader confirms and delivers when both followers have acknowledged. Twelve events a message.
pub(crate) struct BareCluster {
    heap: Heap<(Happening, u32)>,
    fingerprint: Fingerprint,
    jitter: Bits,
    records: Vec<Record>,
    logs: [Vec<(u64, u64)>; 3],
    events: u64,
}

#[derive(Clone, Copy)]
enum Happening {
    Due,
    Produce,
    Flushed(u8),
    Replicate(u8),
    Copied,
    Confirm,
    Deliver,
    Done,
}

/// What the ledger of such a run would keep of a message: 32 bytes.
#[derive(Clone, Copy, Default)]
struct Record {
    due: u64,
    confirmed: u64,
    delivered: u64,
    acks: u32,
    is_done: bool,
}

const PERIOD: u64 = 100_000;
const LINK_MEAN: f64 = 500_000.0;
const FLUSH_MEAN: f64 = 200_000.0;

impl BareCluster {
    /// An idle cluster.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            heap: Heap::default(),
            fingerprint: Fingerprint::default(),
            jitter: draw::stream(seed, Purpose::Link, 0, 0),
            records: Vec::new(),
            logs: Default::default(),
            events: 0,
        }
    }

    /// Sends this many messages and runs until nothing is left; returns the number of events.
    pub(crate) fn run(&mut self, messages: u32) -> u64 {
        self.records.reserve_exact(messages as usize);
        self.logs.iter_mut().for_each(|log| log.reserve_exact(messages as usize));
        self.heap.push(PERIOD, (Happening::Due, 0));
        while let Some((now, (what, message))) = self.heap.pop() {
            self.events += 1;
            self.fingerprint.add([now, what.code(), u64::from(message)]);
            self.take(now, what, message, messages);
        }
        std::hint::black_box(self.fingerprint.value());
        self.events
    }

    /// Whether every message was confirmed and delivered.
    pub(crate) fn is_complete(&self) -> bool {
        let is_whole =
            |record: &Record| record.is_done && record.confirmed.min(record.delivered) > record.due;
        self.records.iter().all(is_whole)
    }

    #[inline]
    fn take(&mut self, now: u64, what: Happening, message: u32, messages: u32) {
        let at = message as usize;
        match what {
            Happening::Due => {
                self.records.push(Record { due: now, ..Record::default() });
                self.send(now, Happening::Produce, message);
                if message + 1 < messages {
                    self.heap.push(now + PERIOD, (Happening::Due, message + 1));
                }
            }
            Happening::Produce => {
                self.append(now, 0, message);
                self.send(now, Happening::Replicate(1), message);
                self.send(now, Happening::Replicate(2), message);
            }
            Happening::Replicate(node) => self.append(now, node, message),
            Happening::Flushed(0) | Happening::Copied => self.copied(now, message),
            Happening::Flushed(_) => self.send(now, Happening::Copied, message),
            Happening::Confirm => self.records[at].confirmed = now,
            Happening::Deliver => {
                self.records[at].delivered = now;
                self.send(now, Happening::Done, message);
            }
            Happening::Done => self.records[at].is_done = true,
        }
    }

    #[inline]
    fn append(&mut self, now: u64, node: u8, message: u32) {
        self.logs[usize::from(node)].push((now, u64::from(message)));
        let takes = exponential(FLUSH_MEAN, draw::next(&mut self.jitter));
        self.heap.push(now + takes, (Happening::Flushed(node), message));
    }

    #[inline]
    fn copied(&mut self, now: u64, message: u32) {
        let record = &mut self.records[message as usize];
        record.acks += 1;
        if record.acks == 3 {
            self.send(now, Happening::Confirm, message);
            self.send(now, Happening::Deliver, message);
        }
    }

    #[inline]
    fn send(&mut self, now: u64, what: Happening, message: u32) {
        let takes = exponential(LINK_MEAN, draw::next(&mut self.jitter));
        self.heap.push(now + takes, (what, message));
    }
}

impl Happening {
    fn code(self) -> u64 {
        match self {
            Self::Due => 0,
            Self::Produce => 1,
            Self::Flushed(node) => 2 + u64::from(node),
            Self::Replicate(node) => 5 + u64::from(node),
            Self::Copied => 8,
            Self::Confirm => 9,
            Self::Deliver => 10,
            Self::Done => 11,
        }
    }
}
