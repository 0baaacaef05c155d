//! What RabbitMQ promises, held to random topologies: exchanges of all types that lead to each other and to queues,
//! alternate exchanges, policies, several publishers and consumers; and cuts between given nodes.

use std::fmt::{self, Write as _};

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{TestCaseError, TestError};

use crate::case::runner;
use crate::play::Play;
use mqlab::ledger::Fate;
use mqlab::scenario::plan::Value;

/// A scenario. Its `Debug` form is its file.
#[derive(Clone)]
struct Case {
    seed: u64,
    version: &'static str,
    partition_handling: &'static str,
    brokers: u8,
    exchanges: Vec<Exchange>,
    queues: Vec<Queue>,
    /// Lines of policies.
    policies: Vec<&'static str>,
    publishers: Vec<Publisher>,
    run_ms: u32,
    faults: Vec<Fault>,
}

/// `E1`, `E2` …
#[derive(Clone, Debug)]
struct Exchange {
    kind: &'static str,
    /// The number of another one.
    alternate: Option<u8>,
    /// From which others, with which keys.
    bound_to: Vec<(u8, &'static str)>,
}

/// `q1`, `q2` …, each with consumers of its own, `c1`, `c2` …
#[derive(Clone, Debug)]
struct Queue {
    arguments: &'static str,
    on: u8,
    bound_to: Vec<(u8, &'static str)>,
    /// None: somebody who takes nothing.
    consumers: u8,
    prefetch: u8,
    reads_at: u8,
}

/// `p1`, `p2` …
#[derive(Clone, Debug)]
struct Publisher {
    /// An exchange, or a queue by its name.
    exchange: Option<u8>,
    queue: u8,
    keys: Vec<&'static str>,
    at: u8,
    rate: u32,
    config: &'static str,
}

#[derive(Clone, Debug)]
struct Fault {
    at_ms: u32,
    for_ms: u32,
    verb: &'static str,
    target: &'static str,
    from: &'static str,
}

/// Not frames that come twice: a channel counts what it reads, and its confirms then speak of other messages than the
/// publisher thinks.
const SPARES_THE_DISKS: &[&str] = &[
    "kill",
    "power_off",
    "stop",
    "freeze",
    "disconnect",
    "cut",
    "cut from",
    "cut from",
    "cut one way",
    "delay",
];
const NODES: &[&str] =
    &["broker-1", "broker-2", "broker-3", "leader of q1", "leader of q2", "p1", "c1", "brokers"];
const KEYS: &[&str] = &["a.x", "a.y", "b.x", "a.x.z", "c"];
const PATTERNS: &[&str] = &["a.x", "a.*", "#", "*.x", "a.#", "c"];
const CONFIRMED: &str = "{ confirm = true, window = 200, delivery_mode = 2 }";
const TRANSIENT: &str = "{ confirm = true, window = 200, delivery_mode = 1 }";
const QUORUM: &str = "{ x-queue-type = \"quorum\" }";
const CLASSIC: &str = "{}";
const POLICIES: &[&str] = &[
    "pattern = \"^q\"\napply-to = \"queues\"\ndefinition = { max-length = 1000000 }",
    "pattern = \"1$\"\napply-to = \"exchanges\"\ndefinition = { alternate-exchange = \"amq.fanout\" }",
    "pattern = \"^E\"\npriority = 3\ndefinition = { alternate-exchange = \"E1\" }",
    "pattern = \"^q[12]\"\npriority = 1\napply-to = \"queues\"\n\
     definition = { dead-letter-exchange = \"amq.topic\" }",
];

fn exchanges() -> impl Strategy<Value = Vec<Exchange>> {
    let bound = prop::collection::vec((1u8..=4, select(PATTERNS)), 0..3);
    let one = (select(vec!["direct", "fanout", "topic", "headers"]), prop::option::of(1u8..=4), bound)
        .prop_map(|(kind, alternate, bound_to)| Exchange { kind, alternate, bound_to });
    prop::collection::vec(one, 1..=4)
}

fn queues(arguments: &'static str) -> impl Strategy<Value = Vec<Queue>> {
    let bound = prop::collection::vec((1u8..=4, select(PATTERNS)), 0..4);
    let one = (1u8..=3, bound, 0u8..=2, select(vec![1u8, 3, 20]), 1u8..=3).prop_map(
        move |(on, bound_to, consumers, prefetch, reads_at)| Queue {
            arguments,
            on,
            bound_to,
            consumers,
            prefetch,
            reads_at,
        },
    );
    prop::collection::vec(one, 1..=4)
}

fn publishers() -> impl Strategy<Value = Vec<Publisher>> {
    let to = (prop::option::weighted(0.8, 1u8..=4), 1u8..=4);
    let keys = prop::collection::vec(select(KEYS), 1..4);
    let one =
        (to, keys, 1u8..=3, select(vec![50u32, 200, 800])).prop_map(|((exchange, queue), keys, at, rate)| {
            Publisher { exchange, queue, keys, at, rate, config: CONFIRMED }
        });
    prop::collection::vec(one, 1..=3)
}

fn faults(
    verbs: &'static [&'static str],
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<Fault>> {
    let one = (300u32..3_500, 100u32..6_000, select(verbs), select(NODES), select(NODES))
        .prop_map(|(at_ms, for_ms, verb, target, from)| Fault { at_ms, for_ms, verb, target, from });
    prop::collection::vec(one, count)
}

/// Random cases; of queues of one kind.
fn cases(
    arguments: &'static str,
    brokers: impl Strategy<Value = u8>,
    faults: impl Strategy<Value = Vec<Fault>>,
) -> impl Strategy<Value = Case> {
    let handling = select(vec!["ignore", "autoheal", "pause_minority"]);
    let policies = prop::sample::subsequence(POLICIES.to_vec(), 0..=2);
    let shape = (brokers, handling, 3_500u32..6_000);
    (0u64..1_000, shape, exchanges(), queues(arguments), policies, publishers(), faults).prop_map(
        |(seed, (brokers, partition_handling, run_ms), exchanges, queues, policies, publishers, faults)| {
            let version = "3.12";
            let mut case = Case {
                seed,
                version,
                partition_handling,
                brokers,
                exchanges,
                queues,
                policies,
                publishers,
                run_ms,
                faults,
            };
            case.settle();
            case
        },
    )
}

impl Case {
    /// Makes every number that names something name something that is there.
    fn settle(&mut self) {
        let (exchanges, queues) = (self.exchanges.len() as u8, self.queues.len() as u8);
        let wrap = |number: u8, count: u8| (number - 1) % count + 1;
        for (at, one) in (1..).zip(&mut self.exchanges) {
            one.alternate =
                one.alternate.map(|number| wrap(number, exchanges)).filter(|number| *number != at);
            one.bound_to.iter_mut().for_each(|(number, _)| *number = wrap(*number, exchanges));
            one.bound_to.retain(|(number, _)| *number != at);
        }
        for one in &mut self.queues {
            one.on = wrap(one.on, self.brokers);
            one.reads_at = wrap(one.reads_at, self.brokers);
            one.bound_to.iter_mut().for_each(|(number, _)| *number = wrap(*number, exchanges));
        }
        for one in &mut self.publishers {
            one.at = wrap(one.at, self.brokers);
            one.exchange = one.exchange.map(|number| wrap(number, exchanges));
            one.queue = wrap(one.queue, queues);
        }
        let brokers = self.brokers;
        let is_there = |node: &str| match node.strip_prefix("broker-") {
            Some(number) => number.parse::<u8>().is_ok_and(|number| number <= brokers),
            None => node != "leader of q2" || queues > 1,
        };
        self.faults.retain(|fault| is_there(fault.target) && is_there(fault.from));
        let needs_two = |fault: &Fault| fault.verb.contains("from") || fault.verb == "duplicate";
        let is_of_two =
            |fault: &Fault| fault.target != fault.from && ![fault.target, fault.from].contains(&"brokers");
        self.faults.retain(|fault| !needs_two(fault) || is_of_two(fault));
    }

    fn text(&self) -> String {
        let Self { seed, version, brokers, run_ms, partition_handling, .. } = self;
        let mut text = format!(
            "family = \"rabbitmq\"\nversion = \"{version}\"\nseed = {seed}\nrun_for = \"{run_ms}ms\"\n\
             drain_for = \"20s\"\n\n[cluster]\nbrokers = {brokers}\nconfig = {{ net_ticktime = 8, \
             cluster_partition_handling = \"{partition_handling}\" }}\n"
        );
        for (number, one) in (1..).zip(&self.exchanges) {
            let bind = self.bindings(&one.bound_to);
            let _ = write!(text, "\n[exchange.E{number}]\ntype = \"{}\"\nbind = [{bind}]\n", one.kind);
            if let Some(alternate) = one.alternate {
                let _ = writeln!(text, "arguments = {{ alternate-exchange = \"E{alternate}\" }}");
            }
        }
        for (number, one) in (1..).zip(&self.queues) {
            let bind = self.bindings(&one.bound_to);
            let Queue { arguments, on, prefetch, reads_at, consumers, .. } = one;
            let _ = write!(
                text,
                "\n[queue.q{number}]\ndurable = true\non = \"broker-{on}\"\nbind = [{bind}]\n\
                 arguments = {arguments}\n\n[consumer.c{number}]\nread_from = \"q{number}\"\n"
            );
            let _ = match consumers {
                0 => writeln!(text, "by_hand = true"),
                _ => writeln!(
                    text,
                    "instances = {consumers}\nprocess = \"3ms\"\nidempotency = \"unique_key\"\n\
                     connect_to = [{}]\n\
                     config = {{ prefetch = {prefetch} }}",
                    nodes(*reads_at)
                ),
            };
        }
        for (number, policy) in (1..).zip(&self.policies) {
            let _ = write!(text, "\n[policy.P{number}]\n{policy}\n");
        }
        for (number, one) in (1..).zip(&self.publishers) {
            one.write(number, *run_ms, &mut text);
        }
        for (number, fault) in self.faults.iter().enumerate() {
            fault.write(number, &mut text);
        }
        text
    }

    fn bindings(&self, all: &[(u8, &'static str)]) -> String {
        let one = |(exchange, key): &(u8, &'static str)| match self.exchanges[usize::from(*exchange) - 1].kind
        {
            "headers" => format!(
                "{{ exchange = \"E{exchange}\", arguments = {{ x-match = \"any\", kind = \"{key}\" }} }}"
            ),
            _ => format!("{{ exchange = \"E{exchange}\", routing_key = \"{key}\" }}"),
        };
        all.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

impl Publisher {
    fn write(&self, number: usize, run_ms: u32, text: &mut String) {
        let Self { exchange, queue, keys, at, rate, config } = self;
        let to = exchange.map_or(format!("q{queue}"), |exchange| format!("exchange E{exchange}"));
        let each = (u64::from(*rate) * u64::from(run_ms) / 1_000 / keys.len() as u64).max(1);
        let message = |key: &&str| {
            let address =
                if exchange.is_some() { format!("routing_key = \"{key}\", ") } else { String::new() };
            format!("{{ repeat = {each}, properties = {{ {address}headers = {{ kind = \"{key}\" }} }} }}")
        };
        let messages: Vec<_> = keys.iter().map(message).collect();
        let _ = write!(
            text,
            "\n[producer.p{number}]\nsend_to = \"{to}\"\nrate = \"{rate}/s\"\nmessage = [{}]\n\
             connect_to = [{}]\nconfig = {config}\n",
            messages.join(", "),
            nodes(*at)
        );
    }
}

/// That one first, then the first.
fn nodes(number: u8) -> String {
    if number == 1 { "\"broker-1\"".to_owned() } else { format!("\"broker-{number}\", \"broker-1\"") }
}

impl Fault {
    fn write(&self, number: usize, text: &mut String) {
        let Self { at_ms, for_ms, verb, target, from } = self;
        let _ = write!(text, "\n[fault.f{number}]\nat = \"{at_ms}ms\"\noptional = true\n");
        let _ = match *verb {
            "kill" | "power_off" | "stop" | "lose_disk" => {
                write!(text, "{verb} = \"{target}\"\nrestart_after = \"{for_ms}ms\"\n")
            }
            "freeze" => write!(text, "freeze = \"{target}\"\nthaw_after = \"{for_ms}ms\"\n"),
            "cut" => write!(text, "cut = \"{target}\"\nheal_after = \"{for_ms}ms\"\n"),
            "cut from" => {
                write!(text, "cut = \"{target}\"\nfrom = [\"{from}\"]\nheal_after = \"{for_ms}ms\"\n")
            }
            "cut one way" => {
                write!(text, "cut = \"{target}\"\none_way = true\nheal_after = \"{for_ms}ms\"\n")
            }
            "delay" => {
                write!(text, "delay = \"{target}\"\nby = \"1ms..300ms\"\nheal_after = \"{for_ms}ms\"\n")
            }
            "duplicate" => write!(
                text,
                "duplicate = \"frames\"\non = [\"{target}\", \"{from}\"]\nrate = \"5%\"\n\
                 for = \"{for_ms}ms\"\n"
            ),
            _ => writeln!(text, "{verb} = \"{target}\""),
        };
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.text())
    }
}

/// Fates add up; and nothing that was confirmed is missing from any queue that it was routed to.
fn no_queue_loses_anything(case: &Case) -> Result<(), TestCaseError> {
    let mut play = Play::new(&case.text());
    play.run_out().map_err(TestCaseError::fail)?;
    let verdict = play.verdict();
    for one in &verdict.subscriptions {
        prop_assert_eq!(one.fates.total(), one.addressed, "the fates of {} add up", one.name);
    }
    play.heal().map_err(TestCaseError::fail)?;
    let lost = verdict.fate(Fate::Lost);
    prop_assert!(lost == 0, "{lost} lost");
    Ok(())
}

/// Whoever is handed a message without the flag is the first to get it from this queue.
fn every_flag_is_true(case: &Case) -> Result<(), TestCaseError> {
    let mut play = Play::new(&case.text());
    play.run_out().map_err(TestCaseError::fail)?;
    let wrong = play.falsely_unflagged();
    prop_assert!(wrong.is_none(), "{wrong:?} again, and not flagged");
    Ok(())
}

/// Nobody holds more than the prefetch.
fn prefetch_holds(case: &Case) -> Result<(), TestCaseError> {
    let mut play = Play::new(&case.text());
    for ms in (0..case.run_ms).step_by(100) {
        play.to(u64::from(ms)).map_err(TestCaseError::fail)?;
        for (number, queue) in (1..).zip(&case.queues) {
            let count = |what: &str| match play.world.state(&format!("q{number}.{what}")) {
                Some(Value::Int(count)) => count,
                _ => 0,
            };
            // A consumer that started again may be there twice, until the queue hears that the first one is gone.
            let consumers = count("consumers").max(i64::from(queue.consumers));
            let (held, limit) = (count("unacked"), consumers * i64::from(queue.prefetch.max(1)));
            prop_assert!(held <= limit, "q{number}: {held} unacked of {limit}");
        }
    }
    Ok(())
}

fn holds(tries: u32, cases: impl Strategy<Value = Case>, test: impl Fn(&Case) -> Result<(), TestCaseError>) {
    runner(tries).run(&cases, |case| test(&case)).unwrap_or_else(|why| panic!("{why}"));
}

/// The search finds a case in which the promise is broken, and says so with this word.
fn is_broken(
    word: &str,
    tries: u32,
    cases: impl Strategy<Value = Case>,
    test: impl Fn(&Case) -> Result<(), TestCaseError>,
) {
    match runner(tries).run(&cases, |case| test(&case)) {
        Err(TestError::Fail(why, _)) if why.message().contains(word) => {}
        other => panic!("nobody found how it breaks: {other:?}"),
    }
}

#[test]
fn what_is_routed_to_classic_queues_and_confirmed_survives_whatever_leaves_the_disks() {
    holds(100, cases(CLASSIC, 1u8..=3, faults(SPARES_THE_DISKS, 1..6)), no_queue_loses_anything);
}

#[test]
fn if_it_is_transient_it_does_not() {
    let cases = cases(CLASSIC, 1u8..=3, faults(&["kill", "stop"], 1..4)).prop_map(|mut case| {
        case.publishers.iter_mut().for_each(|one| one.config = TRANSIENT);
        case
    });
    is_broken("lost", 60, cases, no_queue_loses_anything);
}

#[test]
fn what_is_routed_to_quorum_queues_and_confirmed_survives_every_partition() {
    holds(80, cases(QUORUM, Just(3u8), faults(SPARES_THE_DISKS, 1..7)), no_queue_loses_anything);
}

#[test]
fn but_not_the_disks_of_a_majority() {
    let cases = cases(QUORUM, Just(3u8), Just(Vec::new())).prop_map(|mut case| {
        let lose = |target| Fault { at_ms: 2_000, for_ms: 1_000, verb: "lose_disk", target, from: "brokers" };
        case.faults = vec![lose("broker-1"), lose("broker-2")];
        case
    });
    let test = |case: &Case| match no_queue_loses_anything(case) {
        // Or nobody serves it ever again.
        Err(why) => Err(TestCaseError::fail(format!("broken: {why}"))),
        Ok(()) => Ok(()),
    };
    is_broken("broken", 30, cases, test);
}

#[test]
fn a_flag_that_is_not_set_means_that_no_consumer_of_the_queue_had_it() {
    for queue in [CLASSIC, QUORUM] {
        let brokers = if queue == QUORUM { 3u8..=3 } else { 1u8..=3 };
        let verbs = &["kill", "stop", "power_off", "disconnect", "delay"];
        holds(50, cases(queue, brokers, faults(verbs, 1..6)), every_flag_is_true);
    }
}

#[test]
fn nobody_holds_more_than_the_prefetch() {
    // Whoever loses power and comes back has two connections for a while.
    let verbs = &["kill", "stop", "freeze", "disconnect", "delay"];
    holds(40, cases(CLASSIC, 1u8..=3, faults(verbs, 0..4)), prefetch_holds);
    let cases = cases(CLASSIC, 1u8..=1, Just(Vec::new())).prop_map(|mut case| {
        for one in &mut case.queues {
            (one.consumers, one.prefetch) = (1, 0);
        }
        case
    });
    is_broken("unacked", 60, cases, prefetch_holds);
}
