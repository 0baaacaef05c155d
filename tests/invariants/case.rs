//! Random scenarios: a cluster, its settings, who sends, what goes wrong.

use std::fmt::{self, Write as _};

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// How many cases of a property to try: this many, or as many times more as `MQLAB_CASES` says.
pub(crate) fn runner(cases: u32) -> TestRunner {
    let times = number("MQLAB_CASES").unwrap_or(1);
    let seed = number("MQLAB_SEED").unwrap_or(1) as u8;
    let config = Config {
        cases: cases * times,
        failure_persistence: None,
        max_shrink_iters: 400,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]))
}

/// The number that a variable of the environment holds.
fn number(variable: &str) -> Option<u32> {
    std::env::var_os(variable)?.to_str()?.parse().ok()
}

/// One scenario. Its `Debug` form is its file.
#[derive(Clone)]
pub(crate) struct Case {
    pub(crate) seed: u64,
    pub(crate) shape: Shape,
    pub(crate) broker: BrokerSettings,
    pub(crate) client: ClientSettings,
    pub(crate) consumers: u8,
    pub(crate) faults: Vec<Fault>,
}

/// The cluster and the load.
#[derive(Clone, Debug)]
pub(crate) struct Shape {
    pub(crate) version: &'static str,
    pub(crate) is_kraft: bool,
    pub(crate) brokers: u8,
    pub(crate) partitions: u8,
    pub(crate) rate: u32,
    pub(crate) run_ms: u32,
    pub(crate) drain_ms: u32,
    pub(crate) latency: &'static str,
    pub(crate) flush_each: bool,
}

/// Times of the brokers, in ms.
#[derive(Clone, Debug)]
pub(crate) struct BrokerSettings {
    pub(crate) lag: u32,
    pub(crate) socket: u32,
    pub(crate) backoff: u32,
    pub(crate) checkpoint: u32,
    pub(crate) session: u32,
}

/// Settings of the producer, times in ms.
#[derive(Clone, Debug)]
pub(crate) struct ClientSettings {
    pub(crate) request: u32,
    pub(crate) delivery: u32,
    pub(crate) metadata_age: u32,
    pub(crate) linger: u32,
    pub(crate) in_flight: u32,
    pub(crate) retries: bool,
}

/// Something that goes wrong.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) at_ms: u32,
    pub(crate) for_ms: u32,
    pub(crate) verb: Verb,
    pub(crate) target: &'static str,
    pub(crate) other: &'static str,
}

/// What it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Kill,
    Stop,
    Freeze,
    PowerOff,
    Disconnect,
    CutAll,
    CutFrom,
    CutOneWay,
    CutFromOneWay,
    Delay,
}

/// Faults that lose nothing on disk.
pub(crate) const HARMLESS: &[Verb] = &[
    Verb::Kill,
    Verb::Stop,
    Verb::Freeze,
    Verb::Disconnect,
    Verb::CutAll,
    Verb::CutFrom,
    Verb::CutOneWay,
    Verb::CutFromOneWay,
    Verb::Delay,
];

/// Whom a fault can hit. `KEEPER` stands for ZooKeeper or the KRaft controller.
pub(crate) const KEEPER: &str = "KEEPER";
const TARGETS: &[&str] = &[
    "broker-1",
    "broker-2",
    "broker-3",
    "leader of orders/0",
    "leader of orders/0",
    "a follower of orders/0",
    "followers of orders/0",
    "controller",
    "brokers",
    KEEPER,
];

fn shape() -> impl Strategy<Value = Shape> {
    let version =
        select(vec!["2.1", "2.3", "2.5", "2.6", "2.7", "2.8", "3.0", "3.3", "3.6", "3.7", "3.9", "4.0"]);
    let sizes = (3u8..=4, 1u8..=3, select(vec![10u32, 30, 80]), 3_000u32..12_000);
    let drain = prop_oneof![1u32..3_000, 3_000u32..20_000];
    let latency = select(vec!["0.5ms", "0.3ms..0.8ms", "exp(2ms)", "1ms..40ms"]);
    (version, any::<bool>(), sizes, drain, latency, prop::bool::weighted(0.15)).prop_map(
        |(version, kraft, (brokers, partitions, rate, run_ms), drain_ms, latency, flush_each)| {
            let is_kraft = version >= "4.0" || (version >= "2.8" && kraft);
            Shape { version, is_kraft, brokers, partitions, rate, run_ms, drain_ms, latency, flush_each }
        },
    )
}

fn broker() -> impl Strategy<Value = BrokerSettings> {
    let times = (select(vec![800u32, 2_000, 10_000]), select(vec![1_000u32, 5_000, 30_000]));
    let others =
        (select(vec![100u32, 1_000]), select(vec![300u32, 5_000]), select(vec![900u32, 2_000, 6_000]));
    (times, others).prop_map(|((lag, socket), (backoff, checkpoint, session))| BrokerSettings {
        lag,
        socket,
        backoff,
        checkpoint,
        session,
    })
}

fn client() -> impl Strategy<Value = ClientSettings> {
    let times = (select(vec![400u32, 2_000, 30_000]), select(vec![1_000u32, 300_000]));
    let sending = (select(vec![0u32, 25]), select(vec![1u32, 5]), prop::bool::weighted(0.8));
    (times, sending).prop_map(|((request, metadata_age), (linger, in_flight, retries))| ClientSettings {
        request,
        delivery: request * 3 + linger,
        metadata_age,
        linger,
        in_flight,
        retries,
    })
}

/// A fault with one of these verbs, within a run of at most twelve seconds.
pub(crate) fn fault(verbs: &'static [Verb]) -> impl Strategy<Value = Fault> {
    fault_of(verbs, TARGETS)
}

/// A fault that hits one of these.
pub(crate) fn fault_of(
    verbs: &'static [Verb],
    targets: &'static [&'static str],
) -> impl Strategy<Value = Fault> {
    let whom = (select(verbs), select(targets), select(TARGETS));
    let lasts = prop_oneof![50u32..1_500, 1_000u32..6_000, 5_000u32..30_000];
    // Often close together, so that one meets another.
    let at = prop_oneof![100u32..9_000, 2_000u32..3_000, 2_000u32..2_050];
    (whom, at, lasts).prop_map(|((verb, target, other), at_ms, for_ms)| Fault {
        at_ms,
        for_ms,
        verb,
        target,
        other,
    })
}

/// A scenario of at least version 2.1 with these faults.
pub(crate) fn case(
    faults: impl Strategy<Value = Vec<Fault>> + 'static,
    consumers: impl Strategy<Value = u8> + 'static,
) -> impl Strategy<Value = Case> {
    (0u64..1 << 32, shape(), broker(), client(), consumers, faults).prop_map(
        |(seed, shape, broker, client, consumers, faults)| Case {
            seed,
            shape,
            broker,
            client,
            consumers,
            faults,
        },
    )
}

impl Case {
    /// The scenario file.
    pub(crate) fn text(&self) -> String {
        let Shape { version, is_kraft, brokers, partitions, rate, run_ms, drain_ms, latency, flush_each } =
            &self.shape;
        let BrokerSettings { lag, socket, backoff, checkpoint, session } = &self.broker;
        let keeper = if *is_kraft { "controllers" } else { "zookeeper" };
        let mode = if *is_kraft { "kraft" } else { "zookeeper" };
        let mut text = format!(
            "title = \"A property\"\nfamily = \"kafka\"\nversion = \"{version}\"\nseed = {}\n\
             run_for = \"{run_ms}ms\"\ndrain_for = \"{drain_ms}ms\"\n\n\
             [cluster]\nbrokers = {brokers}\n{keeper} = 1\nmetadata = \"{mode}\"\n[cluster.config]\n\
             \"replica.lag.time.max.ms\" = {lag}\n\"replica.socket.timeout.ms\" = {socket}\n\
             \"replica.fetch.backoff.ms\" = {backoff}\n\
             \"replica.high.watermark.checkpoint.interval.ms\" = {checkpoint}\n\
             \"unclean.leader.election.enable\" = false\n",
            self.seed
        );
        if *is_kraft {
            let beat = (session / 4).max(100);
            let _ = writeln!(text, "\"broker.session.timeout.ms\" = {session}");
            let _ = writeln!(text, "\"broker.heartbeat.interval.ms\" = {beat}");
        } else {
            let _ = writeln!(text, "\"zookeeper.session.timeout.ms\" = {session}");
        }
        if *flush_each {
            let _ = writeln!(text, "\"log.flush.interval.messages\" = 1");
        }
        let _ = write!(
            text,
            "\n[topic.orders]\npartitions = {partitions}\n\
             config = {{ \"replication.factor\" = 3, \"min.insync.replicas\" = 2 }}\n"
        );
        self.client.write(*rate, &mut text);
        if self.consumers > 0 {
            let _ = write!(
                text,
                "\n[consumer.billing]\nread_from = \"orders\"\ninstances = {}\nprocess = \"1ms\"\n\
                 idempotency = \"none\"\n[consumer.billing.config]\n\"auto.offset.reset\" = \"earliest\"\n\
                 \"enable.auto.commit\" = false\n\"session.timeout.ms\" = 6000\n\
                 \"heartbeat.interval.ms\" = 1000\n\"request.timeout.ms\" = 7000\n\
                 \"metadata.max.age.ms\" = 2000\n",
                self.consumers
            );
        }
        let _ = write!(text, "\n[network]\nlatency = \"{latency}\"\n");
        for (number, fault) in self.faults.iter().enumerate() {
            fault.write(number, self, &mut text);
        }
        text
    }
}

impl ClientSettings {
    fn write(&self, rate: u32, text: &mut String) {
        let Self { request, delivery, metadata_age, linger, in_flight, retries } = self;
        let _ = write!(
            text,
            "\n[producer.checkout]\nsend_to = \"orders\"\nrate = \"{rate}/s\"\nkeys = 7\n\
             [producer.checkout.config]\nacks = \"all\"\n\
             \"enable.idempotence\" = false\n\"request.timeout.ms\" = {request}\n\
             \"delivery.timeout.ms\" = {delivery}\n\"metadata.max.age.ms\" = {metadata_age}\n\
             \"linger.ms\" = {linger}\n\"max.in.flight.requests.per.connection\" = {in_flight}\n"
        );
        if !retries {
            let _ = writeln!(text, "retries = 0");
        }
    }
}

impl Fault {
    fn write(&self, number: usize, case: &Case, text: &mut String) {
        let name = |target: &'static str| match (target, case.shape.is_kraft) {
            (KEEPER, true) => "controller-1",
            (KEEPER, false) => "zookeeper-1",
            _ => target,
        };
        let (target, other, lasts) = (name(self.target), name(self.other), self.for_ms);
        let verb = match self.verb {
            Verb::Kill => format!("kill = \"{target}\"\nrestart_after = \"{lasts}ms\""),
            Verb::Stop => format!("stop = \"{target}\"\nrestart_after = \"{lasts}ms\""),
            Verb::PowerOff => format!("power_off = \"{target}\"\nrestart_after = \"{lasts}ms\""),
            Verb::Freeze => format!("freeze = \"{target}\"\nthaw_after = \"{lasts}ms\""),
            Verb::Disconnect => format!("disconnect = \"{target}\""),
            Verb::CutAll => format!("cut = \"{target}\"\nheal_after = \"{lasts}ms\""),
            Verb::CutOneWay => format!("cut = \"{target}\"\none_way = true\nheal_after = \"{lasts}ms\""),
            Verb::CutFrom => {
                format!("cut = \"{target}\"\nfrom = \"{other}\"\nheal_after = \"{lasts}ms\"")
            }
            Verb::CutFromOneWay => {
                format!("cut = \"{target}\"\nfrom = \"{other}\"\none_way = true\nheal_after = \"{lasts}ms\"")
            }
            Verb::Delay => {
                format!("delay = \"{target}\"\nby = \"1ms..300ms\"\nheal_after = \"{lasts}ms\"")
            }
        };
        let at = self.at_ms.min(case.shape.run_ms);
        let _ = write!(text, "\n[fault.trouble-{number}]\nat = \"{at}ms\"\n{verb}\noptional = true\n");
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a scenario file:\n\n{}", self.text())
    }
}
