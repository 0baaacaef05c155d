//! W2 through the real model: one producer sends to three brokers with `acks=all`, one record a batch; one consumer
//! keeps up. A fault is armed and never fires.

use mqlab::broker::{Details, Family, Progress, World};
use mqlab::lab::record::{Position, Recording};
use mqlab::lab::run::{Ended, Run};
use mqlab::scenario::Scenario;
use mqlab::scenario::plan::Plan;
use mqlab::sim::{Span, Time};

/// Between two messages: long enough that a batch holds one record and a fetch finds one batch.
const PERIOD: Span = Span::from_millis(5);

/// The cluster, and how many messages it is sent.
pub(crate) struct Cluster {
    plan: Plan,
    family: &'static dyn Family,
    messages: u32,
}

impl Cluster {
    /// A healthy cluster of the newest version.
    pub(crate) fn new(messages: u32) -> Self {
        let scenario = Scenario::read("limits", "limits.toml", text(messages).as_bytes());
        let scenario =
            scenario.unwrap_or_else(|mistakes| panic!("{}", mistakes.render(mqlab::scenario::Style::Plain)));
        let plan = scenario.plan(None, &[]).expect("a scenario that was checked has a plan");
        let family = mqlab::broker::family("kafka").expect("the family is built in");
        Self { plan, family, messages }
    }

    /// The world alone, to its end; returns its events. Observations are thrown away.
    pub(crate) fn world(&self) -> u64 {
        let mut world = self.start();
        let mut observations = Vec::new();
        while world.advance(self.end(), &mut observations) == Progress::Pause {
            observations.clear();
        }
        std::hint::black_box(world.digest());
        world.events()
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

    /// The same, recorded: it can be looked at from every side.
    pub(crate) fn recording(&self) -> Recording {
        let mut recording = Recording::new(self.family, &self.plan, 1);
        recording.record(u64::MAX);
        recording
    }

    /// The recorded run's events.
    pub(crate) fn record(&self) -> u64 {
        let mut recording = self.recording();
        recording.seek(Position::Event(0));
        recording.head().events()
    }

    /// A world at time zero.
    pub(crate) fn start(&self) -> Box<dyn World> {
        self.family.world(&self.plan, 1)
    }

    /// When the last message has been due for a while.
    pub(crate) fn end(&self) -> Time {
        Time::ZERO + PERIOD * u64::from(self.messages) + Span::from_secs(1)
    }
}

/// The scenario of so many messages.
pub(crate) fn text(messages: u32) -> String {
    let seconds = PERIOD.as_millis() * f64::from(messages) / 1e3 + 1.0;
    format!(
        r#"
family    = "kafka"
version   = "4.1"
run_for   = "{seconds}s"
drain_for = "10s"

[cluster]
brokers = 3

[topic.orders]
partitions = 1
config = {{ "replication.factor" = 3, "min.insync.replicas" = 2 }}

[producer.checkout]
send_to  = "orders"
messages = {messages}
rate     = "200/s"
config   = {{ acks = "all", "enable.idempotence" = false, "linger.ms" = 0 }}

[consumer.billing]
read_from = "orders"
process   = "0.1ms"
config    = {{ "auto.offset.reset" = "earliest" }}

[network]
latency = "exp(0.5ms)"

[fault.armed]
when     = {{ observed = "leader_elected", nth = 1000 }}
kill     = "leader of orders/0"
optional = true
"#
    )
}
