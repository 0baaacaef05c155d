//! A queue through the real model: a publisher with confirms, a queue, a consumer that acknowledges. A durable classic
//! queue on one node, or a quorum queue with three members. [`crate::bare_queue`] does the same by hand.

use mqlab::broker::{Details, Family};
use mqlab::lab::run::{Ended, Run};
use mqlab::scenario::Scenario;
use mqlab::scenario::plan::Plan;

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
    let seconds = f64::from(messages) / 10_000.0 + 1.0;
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
rate       = "10000/s"
connect_to = ["broker-1"]
config     = {{ confirm = true, delivery_mode = 2 }}

[consumer.billing]
read_from  = "work"
process    = "0.02ms"
connect_to = ["broker-1"]
config     = {{ prefetch = 1000 }}

[network]
latency = "exp(0.5ms)"

[disk]
fsync = "exp(0.2ms)"
"#
    )
}
