//! What steps, clients that start and stop, and triggers on states do to a world.

use mqlab::broker::family;
use mqlab::lab::run::{Outcome, Run};
use mqlab::ledger::measure::Measured;
use mqlab::scenario::plan::{Plan, Value};

use crate::play::plan;

const BASE: &str = "family = 'kafka'\nversion = '2.8'\nrun_for = '60s'\ndrain_for = '60s'\n\
                    [cluster]\nbrokers = 3\n\
                    [topic.orders]\nconfig = { 'replication.factor' = 3, 'min.insync.replicas' = 1 }\n\
                    [producer.shop]\nsend_to = 'orders'\n";
const BY_HAND: &str = "[consumer.billing]\nread_from = 'orders'\nby_hand = true\nprocess = '1ms'\n\
                       config = { 'enable.auto.commit' = false, 'auto.offset.reset' = 'earliest' }\n";

fn run(plan: &Plan) -> Outcome {
    let kafka = family("kafka").expect("Kafka is a family");
    Run::new(kafka, plan, plan.seed).outcome(&[])
}

/// Runs a script in which everything happens and every claim holds.
fn well(clients: &str, script: &str) -> Outcome {
    let outcome = run(&plan(&format!("{BASE}{clients}{script}")));
    assert!(outcome.steps_left.is_empty(), "left: {:?}", outcome.steps_left);
    assert!(outcome.never_fired().is_empty(), "never fired: {:?}", outcome.never_fired());
    for checked in &outcome.checked {
        assert!(checked.holds, "{}: {:?}", checked.text, checked.observed);
    }
    outcome
}

fn count(outcome: &Outcome, path: &str) -> u64 {
    match outcome.value(path) {
        Some(Measured::Count { n, .. }) => n,
        other => panic!("{path}: {other:?}"),
    }
}

fn fired_at(outcome: &Outcome, fault: &str) -> f64 {
    let fired = outcome.faults.iter().find(|fired| fired.fault == fault);
    fired.unwrap_or_else(|| panic!("{fault} did not fire")).at.0 as f64 / 1e9
}

#[test]
fn a_consumer_by_hand_does_what_steps_say() {
    let script = "[[step]]\nsend = 10\n\
                  [[step]]\nget = 4\n\
                  [[step]]\nexpect = { billing.processed = 4, billing.addressed = 10, \
                  'shop#5'.fate = 'backlogged' }\n\
                  [[step]]\ncommit = true\n\
                  [[step]]\nget = 3\n\
                  [[step]]\nkill = 'billing'\n\
                  [[step]]\nstart = true\nby = 'billing'\n\
                  [[step]]\nget = 'all'\n\
                  [[step]]\nexpect = { billing.duplicated = 3, 'shop#4'.fate = 'processed', \
                  'shop#5'.fate = 'duplicated' }\n";
    let outcome = well(BY_HAND, script);
    assert_eq!(count(&outcome, "processed"), 7);
    assert_eq!(count(&outcome, "duplicated"), 3, "what was not committed is handed over again");
    assert_eq!(count(&outcome, "redelivered"), 3);
}

#[test]
fn a_closed_consumer_is_gone_and_others_take_over() {
    let clients = format!("{BY_HAND}[consumer.books]\nread_from = 'orders'\n");
    let script = "[[step]]\nclose = true\nby = 'billing'\n\
                  [[step]]\nsend = 3\n\
                  [[step]]\nwait = '1s'\nexpect = { books.processed = 3, billing.processed = 0, \
                  billing.backlogged = 3 }\n";
    well(&clients, script);
}

#[test]
fn a_closed_producer_sends_what_it_has() {
    let script = "[[step]]\nat = '2s'\nclose = true\nby = 'shop'\n\
                  [[step]]\nexpect = { sent = '1990..=2010', unknown = 0, failed = 0 }\n\
                  [[step]]\nwait = '1s'\nexpect = { sent = '< 2010', store.actual = '>= 1990' }\n\
                  [[step]]\nstart = 'shop'\n\
                  [[step]]\nwait = '1s'\nkill = 'shop'\n\
                  [[step]]\nexpect = { sent = '>= 2900', unknown = '>= 1' }\n";
    well("rate = '1000/s'\nconfig = { 'linger.ms' = 500 }\n", script);
}

#[test]
fn a_send_that_is_not_awaited_goes_on_at_once() {
    let script = "[[step]]\nfreeze = 'leader of orders/0'\nas = 'it'\nfor = '2s'\n\
                  [[step]]\nsend = 5\nwait = false\n\
                  [[step]]\nexpect = { confirmed = 0 }\n\
                  [[step]]\nwait_until = { observed = 'confirmed', by = 'shop', nth = 5 }\n\
                  [[step]]\nexpect = { confirmed = 5 }\n";
    well("", script);
}

#[test]
fn a_group_that_comes_later_begins_where_its_reset_policy_says() {
    let at = |reset: &str| {
        let clients = format!(
            "rate = '100/s'\nmessages = 2000\n[consumer.late]\nread_from = 'orders'\nstarts = '5s'\n\
             config = {{ 'auto.offset.reset' = '{reset}' }}\n"
        );
        well(&clients, "")
    };
    let earliest = at("earliest");
    assert_eq!((count(&earliest, "late.addressed"), count(&earliest, "late.processed")), (2000, 2000));
    let latest = at("latest");
    assert!((1..=1500).contains(&count(&latest, "late.addressed")), "only what was sent since it came");
    assert!(count(&latest, "late.processed") > 1000);
    assert!(count(&latest, "none.addressed") >= 500, "what was sent before is for nobody");
}

#[test]
fn clients_start_by_step_and_stop_at_their_time() {
    let clients = "rate = '100/s'\nstarts = 'by step'\nstops = \
                  '20s'\n[consumer.billing]\nread_from = 'orders'\n\
                   starts = 'by step'\nconfig = { 'auto.offset.reset' = 'earliest' }\n";
    let script = "[[step]]\nat = '5s'\nexpect = { sent = 0 }\n\
                  [[step]]\nstart = true\nby = 'shop'\n\
                  [[step]]\nat = '10s'\nexpect = { sent = '490..=510', processed = 0 }\n\
                  [[step]]\nstart = 'billing'\n";
    let outcome = well(clients, script);
    assert!((1490..=1510).contains(&count(&outcome, "sent")), "from five seconds to twenty");
    assert_eq!(count(&outcome, "processed"), count(&outcome, "sent"));
}

#[test]
fn faults_wait_for_states() {
    let clients = "rate = '100/s'\n[fault.when-long]\nwhen = { state = { 'orders/0.leo' = '>= 500' } }\n\
                   after = '1s'\nkill = 'leader of orders/0'\nas = 'old leader'\n\
                   [fault.when-led-by-another]\nwhen = { state = { 'orders/0.leader' = \
                   'broker-2', 'broker-1.up' = false } }\n\
                   start = 'old leader'\n";
    let outcome = well(clients, "");
    let (long, led) = (fired_at(&outcome, "when-long"), fired_at(&outcome, "when-led-by-another"));
    assert!((5.9..6.2).contains(&long), "{long}");
    assert!(led > long + 1.0, "{led}: an election takes its time");
}

#[test]
fn thaw_heal_and_clock_jump_act() {
    let script = "[[step]]\nname = 'apart'\ncut = 'broker-1'\n\
                  [[step]]\nwait = '1s'\nheal = 'apart'\n\
                  [[step]]\ndelay = '50ms'\non = ['shop', 'brokers']\n\
                  [[step]]\nheal = 'shop'\n\
                  [[step]]\nfreeze = 'broker-2'\n\
                  [[step]]\nwait = '1s'\nthaw = 'broker-2'\n\
                  [[step]]\nclock_jump = 'broker-3'\nby = '-1h'\n\
                  [[step]]\nsend = 5\n\
                  [[step]]\nexpect = { confirmed = 5, latency.confirm.max = '< 2s', \
                  'orders/0.isr' = 'broker-1, broker-2, broker-3' }\n";
    well("", script);
}

#[test]
fn a_torn_log_is_cut_at_the_torn_record() {
    let script = "[[step]]\nsend = 3\n\
                  [[step]]\nkill = 'brokers'\n\
                  [[step]]\ntear_disk = 'brokers'\nof = 'orders/0'\nlast = '10 B'\n\
                  [[step]]\nstart = 'brokers'\n\
                  [[step]]\nwait_until = { state = { 'orders/0.leo' = '<= 3' } }\n";
    let outcome = well("config = { 'batch.size' = 1 }\n", script);
    assert_eq!(count(&outcome, "lost"), 1);
}

#[test]
fn what_did_not_happen_is_told() {
    let script = "[[step]]\nsend = 1\n\
                  [[step]]\nname = 'never'\nwait_until = { state = { 'orders/0.leo' = '>= 99' } }\n\
                  kill = 'broker-1'\n\
                  [[step]]\nexpect = { confirmed = 7 }\n";
    let outcome = run(&plan(&format!("{BASE}{script}")));
    assert_eq!(outcome.steps_left, ["never", "step 3"]);
    assert!(outcome.checked.is_empty(), "a step that nobody came to claims nothing");
    assert!(outcome.states.values().all(|value| *value != Value::Int(99)));
    let [waited, unreached, unjudged] = &outcome.gaps[..] else { panic!("three: {:?}", outcome.gaps) };
    assert!(waited.contains("while step never still waited for `orders/0.leo >= 99`"), "{waited}");
    assert_eq!(unreached, "never reached: step 3");
    assert_eq!(unjudged, "never judged: `confirmed = 7` of step 3");
}

#[test]
fn a_claim_of_the_first_instant_is_judged() {
    for waits in ["", "wait = '0s'\n"] {
        let outcome = run(&plan(&format!(
            "{BASE}[[step]]\n{waits}expect = {{ confirmed = 7 }}\n\
             [[step]]\nexpect = {{ confirmed = 0 }}\n[[step]]\nsend = 1\n"
        )));
        let held: Vec<bool> = outcome.checked.iter().map(|checked| checked.holds).collect();
        assert_eq!(held, [false, true]);
        assert!(outcome.gaps.is_empty(), "{:?}", outcome.gaps);
    }
}

#[test]
fn a_step_that_finds_nothing_to_do_is_told_and_the_next_ones_are_done() {
    let outcome = run(&plan(&format!(
        "{BASE}[[step]]\nsend = 1\n[[step]]\nstart = 'broker-1'\n[[step]]\nclose = true\nby = 'shop'\n\
         [[step]]\nsend = 3\n[[step]]\nexpect = {{ sent = 1 }}\n"
    )));
    assert_eq!(outcome.steps_left, ["step 2", "step 4"]);
    assert_eq!(
        outcome.gaps,
        [
            "step 2 found nothing to do: broker-1 already runs",
            "step 4 found nothing to do: shop does not run and did not send its 3"
        ]
    );
    assert!(outcome.never_fired().is_empty(), "told of the step");
    assert!(outcome.checked.len() == 1 && outcome.checked[0].holds);
}

#[test]
fn a_claim_at_a_step_may_fail() {
    let outcome = run(&plan(&format!(
        "{BASE}[[step]]\nsend = 1\n[[step]]\nname = 'seven'\nexpect = {{ confirmed = 7 }}\n"
    )));
    let [checked] = &outcome.checked[..] else { panic!("one claim: {:?}", outcome.checked) };
    assert!(!checked.holds);
    assert_eq!(checked.text, "step seven: confirmed = 7");
}
