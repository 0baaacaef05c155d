//! What RabbitMQ promises, held to random queues, settings and faults; and for each promise the one setting without
//! which it is broken, where the same search must find that it is.

use std::fmt;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{TestCaseError, TestError};

use crate::case::runner;
use crate::play::Play;
use mqlab::fact::{Fact, GivenUp, MessageId};

/// A scenario. Its `Debug` form is its file.
#[derive(Clone)]
struct Case {
    seed: u64,
    version: &'static str,
    brokers: u8,
    /// `key = value` lines of the queue's table.
    queue: &'static str,
    /// More tables.
    more: &'static str,
    publisher: &'static str,
    publisher_at: u8,
    rate: u32,
    run_ms: u32,
    consumers: u8,
    prefetch: u8,
    faults: Vec<Fault>,
}

#[derive(Clone, Debug)]
struct Fault {
    at_ms: u32,
    for_ms: u32,
    verb: &'static str,
    target: &'static str,
}

/// Whatever leaves the disks alone.
const SPARES_THE_DISKS: &[&str] = &["kill", "power_off", "stop", "freeze", "disconnect", "cut"];
const TARGETS: &[&str] =
    &["broker-1", "broker-2", "broker-3", "leader of work", "a mirror of work", "shop", "brokers"];

fn faults(
    verbs: &'static [&'static str],
    count: std::ops::Range<usize>,
) -> impl Strategy<Value = Vec<Fault>> {
    let one = (300u32..3_500, 100u32..6_000, select(verbs), select(TARGETS))
        .prop_map(|(at_ms, for_ms, verb, target)| Fault { at_ms, for_ms, verb, target });
    prop::collection::vec(one, count)
}

/// A case around a queue, with what is the same in all of them.
fn cases(
    queue: &'static str,
    publisher: &'static str,
    brokers: impl Strategy<Value = u8>,
    faults: impl Strategy<Value = Vec<Fault>>,
) -> impl Strategy<Value = Case> {
    let shape = (brokers, select(vec![50u32, 200, 800]), 3_500u32..6_000, 1u8..=3);
    let consumers = (0u8..=2, select(vec![1u8, 3, 20]));
    (0u64..1_000, shape, consumers, faults).prop_map(
        move |(seed, (brokers, rate, run_ms, publisher_at), (consumers, prefetch), mut faults)| {
            let is_there = |fault: &Fault| match fault.target.strip_prefix("broker-") {
                Some(number) => number.parse::<u8>().is_ok_and(|number| number <= brokers),
                None => brokers > 1 || fault.target != "a mirror of work",
            };
            faults.retain(is_there);
            let publisher_at = publisher_at.min(brokers);
            let (version, more) = ("3.10.8", "");
            Case {
                seed,
                version,
                brokers,
                queue,
                more,
                publisher,
                publisher_at,
                rate,
                run_ms,
                consumers,
                prefetch,
                faults,
            }
        },
    )
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\n{}", self.text())
    }
}

impl Case {
    fn text(&self) -> String {
        let Self { seed, version, brokers, queue, more, publisher, publisher_at, rate, run_ms, .. } = self;
        let mut text = format!(
            r#"
family = "rabbitmq"
version = "{version}"
seed = {seed}
run_for = "{run_ms}ms"
drain_for = "20s"

[cluster]
brokers = {brokers}
config = {{ net_ticktime = 8 }}

[queue.work]
{queue}
{more}

[producer.shop]
send_to = "work"
rate = "{rate}/s"
connect_to = ["broker-{publisher_at}"]
config = {publisher}
"#
        );
        let mut add = |more: String| text.push_str(&more);
        if self.consumers > 0 {
            add(format!(
                "\n[consumer.billing]\nread_from = \"work\"\ninstances = {}\nprocess = \"3ms\"\n\
                 idempotency = \"unique_key\"\nconfig = {{ prefetch = {} }}\n",
                self.consumers, self.prefetch
            ));
        }
        for (number, fault) in self.faults.iter().enumerate() {
            let Fault { at_ms, for_ms, verb, target } = fault;
            let end = match *verb {
                "kill" | "power_off" | "stop" | "lose_disk" => "restart_after",
                "freeze" => "thaw_after",
                "cut" => "heal_after",
                _ => "",
            };
            add(format!("\n[fault.f{number}]\nat = \"{at_ms}ms\"\noptional = true\n{verb} = \"{target}\"\n"));
            if !end.is_empty() {
                add(format!("{end} = \"{for_ms}ms\"\n"));
            }
        }
        text
    }
}

/// Everything that was confirmed, led to a queue and was not processed is somewhere in the healed cluster.
fn nothing_is_missing(case: &Case) -> Result<(), TestCaseError> {
    let mut play = Play::new(&case.text());
    play.run_out().map_err(TestCaseError::fail)?;
    let verdict = play.verdict();
    for one in &verdict.subscriptions {
        prop_assert_eq!(one.fates.total(), one.addressed, "the fates of {} add up", one.name);
    }
    play.heal().map_err(TestCaseError::fail)?;
    let led_nowhere: Vec<MessageId> = play
        .observed
        .iter()
        .filter_map(|seen| match seen.fact {
            Fact::GivenUp { message, how: GivenUp::Unroutable, .. } => Some(message),
            _ => None,
        })
        .collect();
    let wanted: Vec<MessageId> = play
        .confirmed
        .iter()
        .copied()
        .filter(|message| !play.processed.contains(message) && !led_nowhere.contains(message))
        .collect();
    let missing = play.world.missing(&wanted);
    prop_assert!(missing.is_empty(), "{} of {} confirmed are missing", missing.len(), play.confirmed.len());
    Ok(())
}

/// The search finds a case in which the promise is broken, and says so with one of these words.
fn is_broken(
    word: &str,
    cases: impl Strategy<Value = Case>,
    tries: u32,
    test: impl Fn(&Case) -> Result<(), TestCaseError>,
) {
    match runner(tries).run(&cases, |case| test(&case)) {
        Err(TestError::Fail(why, _)) if word.split('|').any(|word| why.message().contains(word)) => {}
        other => panic!("nobody found how it breaks: {other:?}"),
    }
}

const CONFIRMED: &str = "{ confirm = true, window = 200, delivery_mode = 2 }";
const TRANSIENT: &str = "{ confirm = true, window = 200, delivery_mode = 1 }";
const CLASSIC: &str = "durable = true";
const QUORUM: &str = "durable = true\narguments = { \"x-queue-type\" = \"quorum\" }";

#[test]
fn confirmed_and_persistent_in_a_durable_classic_queue_survives_whatever_leaves_the_disk() {
    let cases = cases(CLASSIC, CONFIRMED, 1u8..=3, faults(SPARES_THE_DISKS, 1..6));
    runner(250).run(&cases, |case| nothing_is_missing(&case)).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn transient_messages_do_not() {
    is_broken(
        "missing",
        cases(CLASSIC, TRANSIENT, 1u8..=1, faults(&["kill", "stop"], 1..3)),
        60,
        nothing_is_missing,
    );
}

#[test]
fn nor_do_confirmed_ones_where_nothing_is_flushed_before_the_confirm() {
    let cases = cases(CLASSIC, CONFIRMED, 1u8..=1, faults(&["power_off"], 1..3));
    let cases = cases.prop_map(|case| Case { version: "4.0", ..case });
    is_broken("missing", cases, 60, nothing_is_missing);
}

#[test]
fn a_quorum_queue_keeps_what_it_confirmed_while_a_majority_keeps_its_disks() {
    let cases = cases(QUORUM, CONFIRMED, Just(3u8), faults(SPARES_THE_DISKS, 1..6));
    runner(150).run(&cases, |case| nothing_is_missing(&case)).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn and_does_not_once_the_majority_lost_them() {
    let cases = cases(QUORUM, CONFIRMED, Just(3u8), Just(Vec::new())).prop_map(|mut case| {
        let lose = |target, at_ms| Fault { at_ms, for_ms: 1_000, verb: "lose_disk", target };
        case.faults = vec![lose("broker-1", 2_000), lose("broker-2", 2_000)];
        case.consumers = 0;
        case
    });
    // Or nobody serves it ever again.
    is_broken("missing|does not settle", cases, 10, nothing_is_missing);
}

const STREAM: &str = "durable = true\narguments = { \"x-queue-type\" = \"stream\" }";
/// Whatever leaves what the operating system has.
const SPARES_THE_CACHE: &[&str] = &["kill", "stop", "freeze", "disconnect", "cut"];

#[test]
fn a_stream_keeps_what_it_confirmed_while_a_majority_keeps_its_page_cache() {
    let cases = cases(STREAM, CONFIRMED, Just(3u8), faults(SPARES_THE_CACHE, 1..6));
    let cases = cases.prop_map(|case| Case { consumers: 0, ..case });
    runner(150).run(&cases, |case| nothing_is_missing(&case)).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn and_does_not_once_a_majority_lost_its_power() {
    let cases = cases(STREAM, CONFIRMED, Just(3u8), Just(Vec::new())).prop_map(|mut case| {
        let dark = |target| Fault { at_ms: 3_000, for_ms: 1_000, verb: "power_off", target };
        case.faults = vec![dark("brokers")];
        case.consumers = 0;
        case
    });
    is_broken("missing|does not settle", cases, 10, nothing_is_missing);
}

/// Whoever is handed a message without the flag is the first to get it from this queue.
fn the_flag_is_true(case: &Case) -> Result<(), TestCaseError> {
    let mut play = Play::new(&case.text());
    play.run_out().map_err(TestCaseError::fail)?;
    let wrong = play.falsely_unflagged();
    prop_assert!(wrong.is_none(), "{wrong:?} again, and not flagged");
    Ok(())
}

#[test]
fn redelivered_false_means_that_nobody_had_it_before() {
    for queue in [CLASSIC, QUORUM] {
        let cases = cases(queue, CONFIRMED, 1u8..=3, faults(&["kill", "stop", "disconnect"], 1..6));
        let cases = cases.prop_map(|mut case| {
            case.brokers = if queue == QUORUM { 3 } else { case.brokers };
            case.consumers = case.consumers.max(1);
            case
        });
        runner(100).run(&cases, |case| the_flag_is_true(&case)).unwrap_or_else(|why| panic!("{why}"));
    }
}

#[test]
fn but_not_once_the_application_publishes_again() {
    let cases = cases(CLASSIC, CONFIRMED, 1u8..=1, faults(&["disconnect"], 1..4)).prop_map(|mut case| {
        case.faults.iter_mut().for_each(|fault| fault.target = "shop");
        case.consumers = 1;
        case.rate = 800;
        // A line of the producer's table: the last table before the consumer.
        case.publisher = "{ confirm = true, window = 200, delivery_mode = 2 }\nif_unknown = \"send again\"";
        case
    });
    is_broken("not flagged", cases, 60, the_flag_is_true);
}

#[test]
fn no_consumer_holds_more_than_its_prefetch() {
    // Looked at every quarter of a second by the model's own promises.
    let cases = cases(CLASSIC, CONFIRMED, 1u8..=3, faults(SPARES_THE_DISKS, 0..4)).prop_map(|mut case| {
        case.consumers = case.consumers.max(1);
        case.prefetch = 3;
        case
    });
    let looks = |case: &Case| {
        let mut play = Play::new(&case.text());
        let mut most = 0;
        for ms in (0..case.run_ms).step_by(100) {
            play.to(u64::from(ms)).map_err(TestCaseError::fail)?;
            let held = play.world.state("work.unacked");
            if let Some(mqlab::scenario::plan::Value::Int(held)) = held {
                most = most.max(held);
            }
        }
        prop_assert!(most <= 3 * i64::from(case.consumers), "{most} unacked");
        Ok(())
    };
    runner(60).run(&cases, |case| looks(&case)).unwrap_or_else(|why| panic!("{why}"));
    let unlimited = cases_without_prefetch();
    is_broken("unacked", unlimited, 20, looks);
}

fn cases_without_prefetch() -> impl Strategy<Value = Case> {
    cases(CLASSIC, CONFIRMED, 1u8..=1, Just(Vec::new())).prop_map(|mut case| {
        (case.consumers, case.prefetch, case.rate) = (1, 0, 800);
        case
    })
}

/// What expires does so in the order in which it was published: only the head is looked at.
fn expires_in_order(text: &str) -> Result<(), TestCaseError> {
    let mut play = Play::new(text);
    play.run_out().map_err(TestCaseError::fail)?;
    let expired: Vec<MessageId> = play
        .observed
        .iter()
        .filter_map(|seen| match seen.fact {
            Fact::GivenUp { message, how: GivenUp::Expired, .. } => Some(message),
            _ => None,
        })
        .collect();
    prop_assert!(expired.len() == 6, "{expired:?}");
    prop_assert!(expired.is_sorted(), "{expired:?}");
    Ok(())
}

fn with_times_to_live(times: &[u32], arguments: &str) -> String {
    let one = |(at, ms): (usize, &u32)| {
        format!("{{ properties = {{ expiration = {ms}, priority = {} }} }}", at % 2)
    };
    let messages: Vec<_> = times.iter().enumerate().map(one).collect();
    format!(
        "family = \"rabbitmq\"\nversion = \"3.10.8\"\nrun_for = \"2s\"\n\
         drain_for = \"20s\"\n[cluster]\nbrokers = 1\n\
         [queue.work]\ndurable = true\n{arguments}\n[producer.shop]\nsend_to = \"work\"\nrate = \"100/s\"\n\
         message = [{}]\n",
        messages.join(", ")
    )
}

#[test]
fn only_the_head_expires() {
    let times = prop::collection::vec(100u32..9_000, 6);
    let test = |times: Vec<u32>| expires_in_order(&with_times_to_live(&times, ""));
    runner(60).run(&times, test).unwrap_or_else(|why| panic!("{why}"));
    // With priorities each level has its own head.
    let arguments = "arguments = { \"x-max-priority\" = 1 }";
    let test = |times: Vec<u32>| expires_in_order(&with_times_to_live(&times, arguments));
    assert!(runner(60).run(&times, test).is_err(), "nobody found how it breaks");
}
