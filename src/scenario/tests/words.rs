//! Exact messages, order lists, and shares over seeds.

use super::*;
use crate::scenario::plan::{Exact, Frames};

fn producer(text: &str) -> Result<Plan, String> {
    plan_with(&format!("[producer.p]\nsend_to = 'orders'\n{text}"))
}

fn told(text: &str) -> Vec<String> {
    messages(&format!("[producer.p]\nsend_to = 'orders'\n{text}"))
}

#[test]
fn exact_messages_are_read() {
    let plan = producer("message = [{ name = 'long', key = 'a', size = '1 KiB' }, { repeat = 50 }]");
    let producer = &plan.expect("no mistakes").producers[1];
    let long = Exact {
        name: Some("long".to_owned()),
        key: Some("a".to_owned()),
        size_bytes: Some(1024),
        repeat: 1,
        ..Exact::default()
    };
    assert_eq!(producer.exact, [long, Exact { repeat: 50, ..Exact::default() }]);
    assert_eq!(
        (producer.messages, producer.number_of("long"), producer.number_of("17")),
        (Some(51), Some(1), Some(17))
    );
    assert_eq!(producer.number_of("short"), None);
}

#[test]
fn mistakes_in_exact_messages_are_named() {
    let table = [
        ("message = []", "wrong number of messages"),
        ("message = {}", "wrong type for `message`"),
        ("message = [1]", "wrong element of `message`"),
        ("message = [{ repeat = 0 }]", "`repeat = 0` is out of range"),
        ("message = [{ repeat = 20_000_000 }, {}]", "too many messages"),
        ("message = [{ name = 'a' }, { name = 'a' }]", "two messages are called `a`"),
        ("message = [{ name = 'a', repeat = 2 }]", "`a` names 2 messages"),
        ("message = [{ name = '17' }]", "`17` is no name for a message"),
        ("message = [{ name = 'a#b' }]", "`a#b` is no name for a message"),
        ("message = [{ key = '' }]", "wrong value for `key`"),
        ("message = [{ size = 'big' }]", "wrong value for `size`"),
        ("message = [{ sise = 3 }]", "a message has no key `sise`"),
        ("message = [{}]\nmessages = 3", "`message` and `messages` exclude each other"),
    ];
    for (text, message) in table {
        assert_eq!(told(text), [message], "{text}");
    }
}

#[test]
fn messages_are_named_in_claims_and_lists() {
    let with =
        |line: &str| told(&format!("message = [{{ name = 'long' }}, {{ repeat = 5 }}]\n[expect]\n{line}"));
    for right in [
        "'p#long.fate' = 'lost'",
        "'p#6.fate' = 'lost'",
        "billing.order = 'checkout#6..=10 checkout#3R p#long p#longR p#2..=3R'",
        "order = 'p#2'",
        "billing.order = ''",
    ] {
        assert_eq!(with(right), [""; 0], "{right}");
    }
    let table = [
        ("'p#short.fate' = 'lost'", "there is no message `p#short`"),
        ("'p#7.fate' = 'lost'", "there is no message `p#7`"),
        ("billing.order = '6..=10'", "wrong value for `billing.order`"),
        ("billing.order = 'p#3..=2'", "wrong value for `billing.order`"),
        ("billing.order = 'p#3..=7'", "wrong value for `billing.order`"),
        ("billing.order = 'p#shortR'", "wrong value for `billing.order`"),
        ("billing.order = 'q#1'", "wrong value for `billing.order`"),
        ("billing.order = true", "wrong value for `billing.order`"),
        ("biling.order = 'p#1'", "`biling` is no consumer"),
        ("p.order = 'p#1'", "`p` is no consumer"),
    ];
    for (line, message) in table {
        assert_eq!(with(line), [message], "{line}");
    }
    let plan = producer("messages = 9\n[expect]\nbilling.order = 'p#1 p#2..=4, p#5R p#6R'");
    let test = &plan.expect("no mistakes").expectations[0].test;
    assert_eq!(*test, Test::Is(Value::Text("p#1..=4 p#5..=6R".to_owned())), "a list has one form");
}

#[test]
fn shares_over_seeds_are_read() {
    let plan = plan_with(
        "[expect]\nlost = 0\n\
         over_seeds = { seeds = 200, 'billing.lost > 0' = '40%..=60%', 'stale = 0' = '>= 90%' }",
    );
    let plan = plan.expect("no mistakes");
    assert_eq!(plan.expectations.len(), 1);
    let over = plan.over_seeds.expect("there is one");
    assert_eq!((over.seeds, over.shares.len()), (200, 2));
    assert_eq!(over.shares[0].text, "over 200 seeds billing.lost > 0 in 40%..=60%");
    assert_eq!(over.shares[0].condition.path, "billing.lost");
    assert_eq!(
        over.shares[1].condition.test,
        Test::Compare(Comparison::Equal, Operand::Quantity(Quantity::Number(0.0)))
    );
}

#[test]
fn mistakes_in_shares_are_named() {
    let table = [
        ("over_seeds = {}", "wrong value for `over_seeds`"),
        ("over_seeds = 3", "wrong value for `over_seeds`"),
        ("over_seeds = { seeds = 20 }", "`over_seeds` claims nothing"),
        ("over_seeds = { 'lost > 0' = '50%' }", "`over_seeds` has no `seeds`"),
        ("over_seeds = { seeds = 1, 'lost > 0' = '50%' }", "wrong value for `seeds`"),
        ("over_seeds = { seeds = 20_000, 'lost > 0' = '50%' }", "wrong value for `seeds`"),
        ("over_seeds = { seeds = 20, 'lost' = '50%' }", "`lost` is no condition"),
        ("over_seeds = { seeds = 20, 'lots > 0' = '50%' }", "nothing is known as `lots`"),
        ("over_seeds = { seeds = 20, 'lost > 0' = '0%..=100%' }", "this is true of every value"),
        ("over_seeds = { seeds = 20, 'lost >= 0' = '50%' }", "this is true of every value"),
        ("over_seeds = { seeds = 20, 'lost > 0' = 3 }", "wrong value for `lost > 0`"),
        ("over_seeds = { seeds = 20, 'lost > 0' = '> 3' }", "wrong value for `lost > 0`"),
        (
            "over_seeds = { seeds = 20, 'lost > variant.v.lost' = '50%' }",
            "a condition over seeds reads its own runs alone",
        ),
    ];
    for (line, message) in table {
        let text = format!("[expect]\n{line}\n[variant.v]\nseed = 3");
        let found = messages(&text.replace("\nseed = 3", ""));
        assert_eq!(found, [message], "{line}");
    }
}

#[test]
fn raw_faults_look_at_frames_or_at_requests() {
    for (word, of) in [("frames", Frames::All), ("requests", Frames::Requests)] {
        let plan = plan_with(&format!("[fault.f]\nat = '1s'\ndrop = '{word}'\nrate = '1%'"));
        let plan = plan.expect("no mistakes");
        let fault = plan.faults.iter().find(|fault| fault.name == "f").expect("it is there");
        assert!(matches!(&fault.verb, Verb::Drop(frames) if frames.of == of));
    }
}
