//! A queue through the real model, and by hand: a publisher with confirms, a queue, a consumer that acknowledges. A
//! durable classic queue on one node, or a quorum queue with three members.

use mqlab::broker::{Details, Family};
use mqlab::lab::run::{Ended, Run};
use mqlab::scenario::Scenario;
use mqlab::scenario::plan::Plan;
use mqlab::sim::draw::{self, Bits, Purpose};

use crate::heap::{Fingerprint, Heap, exponential};

/// Which queue.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// One node that flushes before it confirms.
    Classic,
    /// Three members, of which two flush before it confirms and delivers.
    Quorum,
}

/// A queue with its publisher and its consumer, and how many messages it gets.
pub(crate) struct Queue {
    plan: Plan,
    family: &'static dyn Family,
    messages: u32,
}

impl Queue {
    /// A healthy queue.
    pub(crate) fn new(kind: Kind, messages: u32) -> Self {
        let text = text(kind, messages);
        let scenario = Scenario::read("limits", "limits.toml", text.as_bytes());
        let scenario =
            scenario.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(mqlab::scenario::Style::Plain)));
        let plan = scenario.plan(None, &[]).expect("a scenario that was checked has a plan");
        let family = mqlab::broker::family("rabbitmq").expect("the family is built in");
        Self { plan, family, messages }
    }

    /// As every run is made: the world and the ledger; returns its events.
    pub(crate) fn run(&self) -> u64 {
        let Ended { world, ledger, bound, .. } =
            Run::new(self.family, &self.plan, 1).drive(Details::Off, &mut |_| {});
        assert_eq!((bound, ledger.messages()), (None, self.messages as usize), "the run came to its end");
        assert_eq!(ledger.waiting(mqlab::fact::SubscriptionId(0)), 0, "every message took effect");
        std::hint::black_box(world.digest());
        world.events()
    }
}

fn text(kind: Kind, messages: u32) -> String {
    let seconds = f64::from(messages) / 200.0 + 1.0;
    let (brokers, arguments) = match kind {
        Kind::Classic => (1, ""),
        Kind::Quorum => (3, "arguments = { \"x-queue-type\" = \"quorum\" }"),
    };
    format!(
        r#"
family    = "rabbitmq"
version   = "3.10"
run_for   = "{seconds}s"
drain_for = "10s"

[cluster]
brokers = {brokers}

[queue.work]
durable = true
{arguments}

[producer.shop]
send_to    = "work"
messages   = {messages}
rate       = "200/s"
connect_to = ["broker-1"]
config     = {{ confirm = true, delivery_mode = 2 }}

[consumer.billing]
read_from  = "work"
process    = "0.1ms"
connect_to = ["broker-1"]
config     = {{ prefetch = 10 }}

[network]
latency = "exp(0.5ms)"
"#
    )
}

/// The same by hand: every hop is an event of a loop, and nothing in between.
pub(crate) struct BareQueue {
    kind: Kind,
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
    Publish,
    Append(u8),
    Flushed(u8),
    Copied,
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
    copies: u32,
    is_acked: bool,
}

const PERIOD: u64 = 5_000_000;
const LINK_MEAN: f64 = 500_000.0;
const FLUSH: u64 = 2_000_000;
const WORK: u64 = 100_000;

impl BareQueue {
    /// An idle queue.
    pub(crate) fn new(kind: Kind) -> Self {
        Self {
            kind,
            heap: Heap::default(),
            fingerprint: Fingerprint::default(),
            jitter: draw::stream(1, Purpose::Link, 0, 0),
            records: Vec::new(),
            logs: Default::default(),
            events: 0,
        }
    }

    /// Publishes so many messages, each some time after the one before; returns the number of events.
    pub(crate) fn run(&mut self, messages: u32) -> u64 {
        self.records.reserve_exact(messages as usize);
        self.heap.push(PERIOD, (Happening::Due, 0));
        while let Some((now, (what, message))) = self.heap.pop() {
            self.events += 1;
            self.fingerprint.add([now, what.code(), u64::from(message)]);
            self.take(now, what, message, messages);
        }
        std::hint::black_box(self.fingerprint.value());
        let is_whole = |one: &Record| one.is_acked && one.confirmed.min(one.delivered) > one.due;
        assert!(self.records.iter().all(is_whole), "every message is confirmed and acknowledged");
        self.events
    }

    #[inline]
    fn take(&mut self, now: u64, what: Happening, message: u32, messages: u32) {
        let at = message as usize;
        match what {
            Happening::Due => {
                self.records.push(Record { due: now, ..Record::default() });
                self.send(now, Happening::Publish, message);
                if message + 1 < messages {
                    self.heap.push(now + PERIOD, (Happening::Due, message + 1));
                }
            }
            Happening::Publish => {
                self.append(now, 0, message);
                if self.kind == Kind::Quorum {
                    self.send(now, Happening::Append(1), message);
                    self.send(now, Happening::Append(2), message);
                } else {
                    self.send(now, Happening::Deliver, message);
                }
            }
            Happening::Append(node) => self.append(now, node, message),
            Happening::Flushed(0) | Happening::Copied => self.copied(now, message),
            Happening::Flushed(_) => self.send(now, Happening::Copied, message),
            Happening::Confirm => self.records[at].confirmed = now,
            Happening::Deliver => {
                self.records[at].delivered = now;
                self.heap.push(now + WORK, (Happening::Processed, message));
            }
            Happening::Processed => self.send(now, Happening::Ack, message),
            Happening::Ack => self.acked(now, message),
        }
    }

    /// The queue forgets it; a quorum queue writes that down on all its members.
    #[inline]
    fn acked(&mut self, now: u64, message: u32) {
        self.records[message as usize].is_acked = true;
        self.logs[0].push((now, u64::from(message)));
        if self.kind == Kind::Quorum {
            self.send(now, Happening::Append(1), message);
            self.send(now, Happening::Append(2), message);
            self.heap.push(now + FLUSH, (Happening::Flushed(0), message));
        }
    }

    #[inline]
    fn append(&mut self, now: u64, node: u8, message: u32) {
        self.logs[usize::from(node)].push((now, u64::from(message)));
        self.heap.push(now + FLUSH, (Happening::Flushed(node), message));
    }

    /// One more copy is on a disk: of a quorum queue's message, the second one decides.
    #[inline]
    fn copied(&mut self, now: u64, message: u32) {
        let record = &mut self.records[message as usize];
        record.copies += 1;
        match (self.kind, record.copies) {
            (Kind::Classic, 1) => self.send(now, Happening::Confirm, message),
            (Kind::Quorum, 2) => {
                self.send(now, Happening::Confirm, message);
                self.send(now, Happening::Deliver, message);
            }
            _ => {}
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
            Self::Publish => 1,
            Self::Append(node) => 2 + u64::from(node),
            Self::Flushed(node) => 5 + u64::from(node),
            Self::Copied => 8,
            Self::Confirm => 9,
            Self::Deliver => 10,
            Self::Processed => 11,
            Self::Ack => 12,
        }
    }
}
