//! Words of the language that no built-in scenario needs, each shown by what a small world does with it.

use std::sync::atomic::AtomicBool;

use mqlab::broker::{Family, family};
use mqlab::lab::check::{Report, Status, Suite, check, claims};
use mqlab::lab::run::{Outcome, Run};
use mqlab::lab::{About, Source};
use mqlab::ledger::Fate;
use mqlab::scenario::Scenario;
use mqlab::scenario::plan::Plan;

/// A broker, a topic of four partitions, and whatever comes behind.
const BASE: &str = "family = \"kafka\"\nversion = \"2.8\"\nrun_for = \"5s\"\ndrain_for = \"60s\"\n\
                    [cluster]\nbrokers = 1\n[topic.orders]\npartitions = 4\n\
                    config = { \"replication.factor\" = 1 }\n";
/// A file with this remark is about a release whose producers wait for all replicas unless told otherwise.
const NEWER: &str = "# 3.7\n";
/// Who sends one by one, in batches of one.
const SHOP: &str = "[producer.shop]\nsend_to = \"orders\"\nconfig = { acks = \"all\", \
                    \"enable.idempotence\" = false }\n";

fn scenario(text: &str) -> Scenario {
    let base = if text.contains(NEWER) { BASE.replace("2.8", "3.7") } else { BASE.to_owned() };
    let text = base + text;
    Scenario::read("words", "words.toml", text.as_bytes()).unwrap_or_else(|mistakes| panic!("{mistakes:?}"))
}

/// The run of a file, and what it claims that did not hold, with what was observed.
fn play(text: &str) -> (Outcome, Vec<String>) {
    let plan = scenario(text).plan(None, &[]).expect("no mistakes");
    let outcome = Run::new(family("kafka").expect("it is one"), &plan, plan.seed).outcome(&[]);
    let broken = claims(&outcome, &[]).into_iter().filter(|checked| !checked.holds);
    let broken = broken.map(|one| format!("{}: {}", one.text, one.observed.expect("it was observed")));
    (outcome, broken.collect())
}

fn processed(outcome: &Outcome) -> u64 {
    outcome.verdict.fate(Fate::Processed)
}

#[test]
fn exact_messages_have_their_keys_and_sizes_and_names() {
    let text = format!(
        "{SHOP}rate = \"10/s\"\nkeys = 3\nmessage = [\n  \
         {{ name = \"big\", key = \"a\", size = \"5 MB\" }},\n  \
         {{ key = \"a\" }},\n  {{ repeat = 7 }},\n  {{ name = \"last\", key = \"a\", size = 10 }},\n]\n\
         [consumer.billing]\nread_from = \"orders\"\nconfig = {{ \"auto.offset.reset\" = \"earliest\" }}\n\
         poison = [\"last\"]\n\
         [network]\nbandwidth = \"10 MB/s\"\n\
         [expect]\nsent = 10\n\"shop#big.fate\" = \"processed\"\n\"shop#last.fate\" = \"discarded\"\n\
         \"latency.confirm.max\" = \"500ms..=520ms\"\n\"latency.confirm.p50\" = \"< 10ms\"\n"
    );
    let (outcome, broken) = play(&text);
    assert_eq!(broken, [""; 0]);
    assert_eq!(processed(&outcome), 9);
    let moved = text.replace("size = \"5 MB\"", "size = \"1 MB\"");
    assert_eq!(play(&moved).1.len(), 1, "a smaller message is confirmed sooner");
}

/// The same written key goes to the same partition, whoever sends it, and is one key of the store.
#[test]
fn written_keys_are_the_same_for_everybody() {
    let producer = |name: &str| {
        format!(
            "[producer.{name}]\nsend_to = \"orders\"\nrate = \"one by one\"\n\
             message = [{{ key = \"customer-8\" }}, {{ key = \"3\" }}]\n\
             config = {{ acks = \"1\", \"enable.idempotence\" = false }}\n"
        )
    };
    let text = format!(
        "{}{}[expect]\n\"orders/0.leo\" = 2\n\"orders/3.leo\" = 2\n",
        producer("shop"),
        producer("web")
    );
    let (_, broken) = play(&text);
    assert_eq!(broken, [""; 0]);
}

#[test]
fn the_order_of_deliveries_is_a_list() {
    let text = |order: &str| {
        format!(
            "{SHOP}rate = \"100/s\"\nmessage = [{{ repeat = 4 }}, {{ name = \"fifth\" }}, {{ repeat = 3 }}]\n\
             [consumer.billing]\nread_from = \"single\"\nprocess = \"100ms\"\n\
             config = {{ \"auto.offset.reset\" = \"earliest\", \"enable.auto.commit\" = false, \
             \"max.poll.records\" = 1, \"session.timeout.ms\" = 6000 }}\n\
             [fault.dies]\nwhen = {{ observed = \"delivered\", nth = 5 }}\nafter = \"50ms\"\n\
             kill = \"billing\"\nrestart_after = \"1s\"\n\
             [topic.single]\npartitions = 1\nconfig = {{ \"replication.factor\" = 1 }}\n\
             [expect]\nbilling.order = \"{order}\"\n"
        )
        .replace("send_to = \"orders\"", "send_to = \"single\"")
    };
    for right in ["1..=5 5R 6..=8", "1 2 3..=4 fifth, fifthR 6..=7 8", "shop#1..=5 shop#fifthR 6..=8"] {
        assert_eq!(play(&text(right)).1, [""; 0], "{right}");
    }
    assert_eq!(play(&text("1..=8")).1, ["billing.order = 1..=8: 1..=5 5R 6..=8"]);
    let wrong = text("1..=9");
    let mistakes = Scenario::read("words", "words.toml", format!("{BASE}{wrong}").as_bytes());
    let mistakes = mistakes.expect_err("there are eight messages");
    assert_eq!(mistakes.list[0].message, "wrong value for `billing.order`");
}

/// What a raw fault does to the third request of a producer.
fn third(verb: &str, what: &str) -> Outcome {
    let text = format!(
        "{SHOP}rate = \"10/s\"\nmessages = 10\n\
         [fault.third]\nat = \"50ms\"\n{verb} = \"{what}\"\non = [\"shop\", \"broker-1\"]\nnth = 3\n"
    );
    play(&text).0
}

#[test]
fn raw_faults_on_requests_leave_answers_alone() {
    // Message 1 is sent before the fault; the third request carries message 4.
    let twice = third("duplicate", "requests");
    assert_eq!((processed(&twice), twice.verdict.fate(Fate::Duplicated)), (9, 1));
    assert_eq!(twice.value("shop.latency.confirm.max").map(|time| time.to_string().len() < 8), Some(true));
    let gone = third("drop", "requests");
    assert_eq!((processed(&gone), gone.verdict.fate(Fate::Duplicated)), (10, 0), "it never arrived");
    // The third frame is the second request.
    let frames = third("duplicate", "frames");
    assert_ne!(frames.digest, twice.digest);
}

/// A scenario that stands for itself.
struct Alone(Scenario, About);

impl Source for Alone {
    fn about(&self) -> &About {
        &self.1
    }
    fn family(&self) -> &'static dyn Family {
        family(self.0.family).expect("it is one")
    }
    fn variants(&self) -> Vec<String> {
        self.0.variants.clone()
    }
    fn plan(&self, variant: Option<&str>, sets: &[String]) -> Result<Plan, String> {
        self.0.plan(variant, sets).map_err(|mistakes| format!("{mistakes:?}"))
    }
}

/// The reports of a check with one seed, and how many runs it made.
fn checked(text: &str) -> (Vec<Report>, u64) {
    let source = Alone(scenario(text), About { name: "words".to_owned(), ..About::default() });
    let suites = [Suite::new(&source).expect("no mistakes")];
    let (mut reports, mut runs) = (Vec::new(), 0);
    check(&suites, 1, 2, &AtomicBool::new(false), &mut |report| match report {
        Some(report) => reports.push(report),
        None => runs += 1,
    });
    (reports, runs)
}

#[test]
fn shares_over_seeds_are_judged_by_check() {
    let text = |share: &str| {
        format!(
            "{SHOP}rate = \"poisson(20/s)\"\nmessages = 20\n[expect]\nlost = 0\n\
             over_seeds = {{ seeds = 30, \"latency.confirm.max > 3ms\" = \"{share}\" }}\n"
        )
    };
    let (reports, runs) = checked(&text("0%..=5%"));
    assert_eq!((reports.len(), runs), (1, 30));
    assert_eq!(reports[0].status, Status::Passed);
    assert_eq!(reports[0].checked.len(), 2);
    let (reports, _) = checked(&text(">= 50%"));
    assert_eq!(reports[0].status, Status::Failed);
    let share = &reports[0].checked[1];
    assert_eq!(share.text, "over 30 seeds latency.confirm.max > 3ms in >= 50%");
    assert_eq!(share.observed.as_ref().expect("it was").to_string(), "0.0% (0 of 30 runs)");
    assert_eq!(reports[0].replay, "mqlab check words");
}

/// The file in which every other key stands is no mere text: it runs, and what it claims holds.
#[test]
fn every_other_key_does_what_it_says() {
    let text = include_str!("corpus/other-keys.toml");
    let scenario = Scenario::read("words", "other-keys.toml", text.as_bytes()).expect("no mistakes");
    let plan = scenario.plan(None, &[]).expect("no mistakes");
    let outcome = Run::new(family("kafka").expect("it is one"), &plan, plan.seed).outcome(&[]);
    let broken: Vec<_> = claims(&outcome, &[]).into_iter().filter(|checked| !checked.holds).collect();
    assert_eq!(broken, []);
    assert_eq!(outcome.never_fired(), [""; 0]);
}

/// An application that cannot process message 3 and sends it to the topic `dead`, made with this setting.
fn dead_letters(setting: &str, more: &str) -> (Outcome, Vec<String>) {
    play(&format!(
        "{SHOP}rate = \"100/s\"\nmessages = 9\n\
         [topic.dead]\npartitions = 2\nconfig = {{ \"replication.factor\" = 1{setting} }}\n\
         [consumer.billing]\nread_from = \"orders\"\npoison = [3]\n\
         if_fails = {{ retries = 1, every = \"10ms\", then = \"send to dead\" }}\n\
         config = {{ \"auto.offset.reset\" = \"earliest\", \"enable.auto.commit\" = false }}\n{more}"
    ))
}

#[test]
fn what_cannot_be_processed_is_sent_on() {
    let claims = "[expect]\nbilling.processed = 8\nbilling.dead_lettered = 1\n\
                  \"shop#3.fate\" = \"dead_lettered\"\n";
    assert_eq!(dead_letters("", claims).1, [""; 0], "nobody reads it there");
    let repair = "[consumer.repair]\nread_from = \"dead\"\n\
                  config = { \"auto.offset.reset\" = \"earliest\" }\n\
                  [expect]\nbilling.dead_lettered = 1\nrepair.addressed = 1\nrepair.order = \"3\"\n";
    assert_eq!(dead_letters("", repair).1, [""; 0], "whoever reads it gets the same message");
}

/// Without a confirm it does not go on: the message, and all behind it, wait.
#[test]
fn a_message_that_cannot_be_sent_on_is_held() {
    let claims = "# 3.7\n[expect]\nlost = 0\nbilling.dead_lettered = 0\n\"shop#3.fate\" = \"backlogged\"\n";
    let (outcome, broken) = dead_letters(", \"min.insync.replicas\" = 2", claims);
    assert_eq!(broken, [""; 0]);
    assert!(outcome.bound.is_none() && outcome.events < 100_000, "{} events", outcome.events);
}

/// A dead letter is one only while it is there.
#[test]
fn a_dead_letter_that_is_gone_is_lost() {
    let fault = "[fault.dark]\nat = \"3s\"\npower_off = \"broker-1\"\nrestart_after = \"1s\"\n";
    let (outcome, broken) = dead_letters("", &format!("{fault}[expect]\n\"shop#3.fate\" = \"lost\"\n"));
    assert_eq!((processed(&outcome), broken), (8, Vec::new()));
    let flushed = ", \"flush.messages\" = 1";
    let claims = format!("{fault}[expect]\n\"shop#3.fate\" = \"dead_lettered\"\n");
    assert_eq!(dead_letters(flushed, &claims).1, [""; 0]);
}

/// Steps take the messages in the order in which they are written, each with its own key, and may ask for the order.
#[test]
fn steps_send_what_is_written() {
    let text = "[producer.shop]\nsend_to = \"orders\"\nconfig = { \"enable.idempotence\" = false }\n\
                message = [{ name = \"first\", key = \"a\" }, { name = \"second\", key = \"a\" }, \
                { key = \"b\" }]\n\
                [consumer.billing]\nread_from = \"orders\"\nby_hand = true\n\
                config = { \"auto.offset.reset\" = \"earliest\", \"enable.auto.commit\" = false }\n\
                [[step]]\nsend = 2\nby = \"shop\"\n\
                [[step]]\nget = \"all\"\nby = \"billing\"\n\
                [[step]]\nexpect = { \"billing.order\" = \"first second\", sent = 2 }\n\
                [[step]]\nsend = 1\nby = \"shop\"\n\
                [[step]]\nget = 1\nby = \"billing\"\n\
                [expect]\nsent = 3\nprocessed = 3\nbilling.order = \"1..=3\"\n";
    let (outcome, broken) = play(text);
    assert_eq!(broken, [""; 0]);
    assert_eq!(outcome.steps_left, [""; 0]);
    assert_eq!(outcome.checked.len(), 2);
    let wrong = play(&text.replace("\"first second\"", "\"second first\"")).1;
    assert_eq!(wrong.len(), 1);
    assert!(wrong[0].ends_with("billing.order = second first: 1..=2"), "{wrong:?}");
}
