//! Stories: what is observed, and what the ledger makes of it.

use super::*;
use crate::fact::{Aside, NodeId, ProducerId};
use crate::lab::fake::{self, Fake};

/// A ledger with one producer of one instance, and the ids it hands out.
struct Story {
    ledger: Ledger,
    waiting: Vec<Vec<MessageId>>,
    healed: Vec<Vec<MessageId>>,
    aside: Vec<Option<Aside>>,
}

impl Story {
    fn new(consumers: &[&str]) -> Self {
        let plan = fake::plan(consumers);
        let layout = Arc::new(Layout::new(&Fake, &plan));
        let lists = layout.subscriptions.len() + 1;
        Self {
            ledger: Ledger::new(layout),
            waiting: vec![Vec::new(); lists],
            healed: vec![Vec::new(); lists],
            aside: vec![None; lists],
        }
    }

    fn at(&mut self, at: u64, fact: Fact) -> &mut Self {
        self.ledger.observe(&[Observation { at: Time(at), node: NodeId(0), fact }]);
        self
    }

    fn due(&mut self, at: u64, key: Option<u32>) -> MessageId {
        let message = MessageId(self.ledger.messages() as u32);
        let number = message.0 + 1;
        self.at(at, Fact::Due { message, producer: ProducerId(0), instance: 0, number, key });
        message
    }

    fn confirmed(&mut self, at: u64, message: MessageId) -> &mut Self {
        self.at(at, Fact::Confirmed { message, attempt: 1 })
    }

    fn failed(&mut self, at: u64, message: MessageId, attempt: u16) -> &mut Self {
        self.at(at, Fact::Failed { message, attempt, error: 0 })
    }

    fn effect(&mut self, at: u64, message: MessageId, subscription: u16) -> &mut Self {
        let subscription = SubscriptionId(subscription);
        self.at(at, Fact::Delivered { message, subscription, instance: 0, flagged: false });
        self.at(at, Fact::Effect { message, subscription, stale: false })
    }

    fn given_up(
        &mut self,
        at: u64,
        message: MessageId,
        subscription: SubscriptionId,
        how: GivenUp,
    ) -> &mut Self {
        self.at(at, Fact::GivenUp { message, subscription, how })
    }

    fn fates(&self, subscription: usize) -> String {
        let verdict = self.verdict(1000);
        let fates = verdict.subscriptions[subscription].by_message.iter().flatten();
        fates.map(|fate| fate.name()).collect::<Vec<_>>().join(" ")
    }

    fn verdict(&self, at: u64) -> Verdict {
        let (waiting, healed, aside) = (self.waiting.clone(), self.healed.clone(), self.aside.clone());
        let end = End { at: Time(at), waiting, healed, aside_healed: aside.clone(), aside };
        self.ledger.verdict(&end)
    }

    fn count(&self, path: &str) -> u64 {
        match self.verdict(1000).measure(path) {
            Some(measure::Measured::Count { n, .. }) => n,
            other => panic!("{path} is no count: {other:?}"),
        }
    }
}

#[test]
fn each_message_gets_one_fate_and_fates_add_up() {
    let mut story = Story::new(&["billing"]);
    let ids: Vec<_> = (0..10).map(|at| story.due(at, None)).collect();
    story.confirmed(20, ids[0]).effect(30, ids[0], 0).effect(31, ids[0], 0); // duplicated
    story.confirmed(20, ids[1]).effect(30, ids[1], 0); // processed
    story.failed(20, ids[2], 1).effect(30, ids[2], 0); // phantom
    story.effect(30, ids[3], 0); // phantom: never answered
    story.failed(20, ids[4], 1); // rejected
    // ids[5]: unsent
    for id in &ids[6..] {
        story.confirmed(20, *id);
    }
    story.waiting[0] = vec![ids[1], ids[5], ids[6]];
    story.healed[0] = vec![ids[1], ids[5], ids[6], ids[7]];
    let verdict = story.verdict(100);
    let fates: Vec<_> =
        verdict.subscriptions[0].by_message.iter().flatten().map(|fate| fate.name()).collect();
    let expected = "duplicated processed phantom phantom rejected unsent backlogged stranded lost lost";
    assert_eq!(fates.join(" "), expected);
    assert_eq!(verdict.messages, Counts { sent: 10, confirmed: 6, failed: 2, unknown: 2 });
    let billing = &verdict.subscriptions[0];
    assert_eq!((billing.latent, billing.leftover, billing.redelivered), (1, 1, 1));
    assert_eq!(billing.store, Store { expected: 6, actual: 5 });
    assert_eq!((billing.backlog.peak, billing.backlog.end, billing.backlog.drained_after), (4, 3, None));
}

#[test]
fn what_a_broker_removes_while_it_waits_has_a_fate_of_its_own() {
    let hows = [GivenUp::Expired, GivenUp::Overflowed, GivenUp::Unroutable, GivenUp::Discarded];
    let mut story = Story::new(&["billing"]);
    for how in hows {
        let id = story.due(0, None);
        story.confirmed(1, id).given_up(2, id, SubscriptionId(0), how);
    }
    let id = story.due(3, None);
    story.confirmed(4, id).given_up(4, id, NONE, GivenUp::Unroutable);
    let id = story.due(5, None);
    story.confirmed(6, id).given_up(6, id, SubscriptionId(0), GivenUp::Expired);
    story.waiting[0] = vec![id];
    assert_eq!(story.fates(0), "expired overflowed unroutable discarded unroutable backlogged");

    let mut story = Story::new(&["elsewhere"]);
    let ids = [story.due(0, None), story.due(0, None)];
    story.given_up(1, ids[1], NONE, GivenUp::Unroutable).confirmed(1, ids[1]).confirmed(2, ids[0]);
    assert_eq!(story.fates(1), "lost unroutable", "addressed to nobody");
    assert_eq!(story.ledger.standing(ids[1], NONE), Some(Standing::Fate(Fate::Unroutable)));
}

#[test]
fn what_was_dead_lettered_must_still_be_there() {
    let mut story = Story::new(&["billing", "elsewhere"]);
    let ids: Vec<_> = (0..4).map(|at| story.due(at, None)).collect();
    for &id in &ids {
        story.confirmed(5, id).given_up(6, id, SubscriptionId(0), GivenUp::DeadLettered);
    }
    let reader = SubscriptionId(1);
    story.aside[0] = Some(Aside { messages: vec![ids[0]], readers: vec![reader] });
    story.at(7, Fact::Delivered { message: ids[1], subscription: reader, instance: 0, flagged: false });
    story.given_up(8, ids[2], NONE, GivenUp::Expired);
    assert_eq!(story.fates(0), "dead_lettered dead_lettered expired lost");
}

#[test]
fn a_message_that_came_back_is_confirmed_and_the_user_hears_that_it_failed() {
    let mut story = Story::new(&["billing"]);
    let ids: Vec<_> = (0..3).map(|at| story.due(at, None)).collect();
    for &id in &ids {
        story.at(4, Fact::Returned { message: id }).confirmed(4, id);
        story.given_up(4, id, NONE, GivenUp::Unroutable);
    }
    assert_eq!((story.count("confirmed"), story.count("told.wrong")), (3, 0));
    story.effect(5, ids[1], 0);
    assert_eq!(story.count("told.wrong"), 1, "it was done after all");
    story.at(6, Fact::Sent { message: ids[2], attempt: 2 });
    story.at(7, Fact::Confirmed { message: ids[2], attempt: 2 });
    assert_eq!(story.count("told.wrong"), 2, "the second attempt did not come back, and nothing is done");
}

#[test]
fn sending_again_reopens_a_message() {
    let mut story = Story::new(&["billing"]);
    let id = story.due(0, None);
    let sent = |attempt| Fact::Sent { message: id, attempt };
    story.failed(5, id, 1);
    assert_eq!(story.count("failed"), 1);
    story.at(6, sent(2));
    assert_eq!(story.count("unknown"), 1);
    story.failed(7, id, 2);
    assert_eq!(story.count("failed"), 1);
    story.at(8, sent(3)).at(9, Fact::Confirmed { message: id, attempt: 3 });
    assert_eq!(story.count("confirmed"), 1);
    story.failed(10, id, 2);
    assert_eq!(story.count("confirmed"), 1, "one attempt that succeeded is enough");
}

#[test]
fn an_attempt_that_is_never_answered_stays_unknown_and_is_waited_for_no_longer() {
    let mut story = Story::new(&["billing"]);
    let id = story.due(0, None);
    story.at(5, Fact::Unanswered { message: id });
    assert_eq!((story.count("unknown"), story.count("unsent")), (1, 1));
    let unavailable = |story: &Story| story.verdict(1000).unavailable;
    assert_eq!(unavailable(&story), Some(Span(5)));
    story.at(50, Fact::Sent { message: id, attempt: 2 });
    story.at(60, Fact::Confirmed { message: id, attempt: 2 });
    assert_eq!((story.count("confirmed"), unavailable(&story)), (1, Some(Span(10))));
}

#[test]
fn order_is_kept_per_key_and_without_keys_per_instance() {
    let reordered = |keys: [Option<u32>; 4], effects: [u64; 4]| {
        let mut story = Story::new(&["billing"]);
        let ids = keys.map(|key| story.due(0, key));
        let mut order: Vec<_> = ids.into_iter().zip(effects).collect();
        order.sort_by_key(|&(_, at)| at);
        for (id, at) in order {
            story.effect(at, id, 0);
        }
        story.count("reordered")
    };
    assert_eq!(reordered([None; 4], [1, 2, 3, 4]), 0);
    assert_eq!(reordered([None; 4], [1, 5, 3, 4]), 1, "only the second came late");
    assert_eq!(reordered([None; 4], [4, 3, 2, 1]), 3);
    assert_eq!(reordered([None; 4], [1, 1, 1, 1]), 0, "at the same time is not after");
    assert_eq!(reordered([Some(1), Some(2), Some(1), Some(2)], [3, 1, 4, 2]), 0);
    assert_eq!(reordered([Some(1), Some(2), Some(1), Some(2)], [4, 1, 3, 2]), 1);
}

#[test]
fn a_copy_that_is_delivered_addresses_the_message_and_nobody_gets_the_rest() {
    let mut story = Story::new(&["billing", "elsewhere"]);
    let ids = [story.due(0, None), story.due(1, None)];
    story.effect(5, ids[0], 0).effect(6, ids[0], 1);
    let verdict = story.verdict(9);
    let addressed: Vec<_> =
        verdict.subscriptions.iter().map(|one| (one.name.as_str(), one.addressed)).collect();
    assert_eq!(addressed, [("billing", 2), ("elsewhere", 1)]);
    assert_eq!(verdict.inconsistent, 0);
    assert!(!story.ledger.may_lead_nowhere(), "all of it is for billing");

    let mut story = Story::new(&["elsewhere"]);
    assert!(story.ledger.may_lead_nowhere());
    let id = story.due(0, None);
    story.confirmed(1, id);
    story.waiting[1] = vec![id];
    let verdict = story.verdict(9);
    let nobody = verdict.subscription("none").expect("the message is addressed to nobody");
    assert_eq!((nobody.addressed, nobody.fates.of(Fate::Backlogged)), (1, 1));
}

#[test]
fn a_message_applied_by_some_subscriptions_is_inconsistent() {
    let mut story = Story::new(&["billing", "shipping"]);
    let ids = [story.due(0, None), story.due(1, None), story.due(2, None)];
    story.effect(5, ids[0], 0).effect(6, ids[1], 0).effect(7, ids[1], 1);
    assert_eq!(story.count("inconsistent"), 1);
    assert_eq!((story.count("phantom"), story.count("shipping.phantom")), (3, 1));
}

#[test]
fn the_audit_reads_at_the_end() {
    let mut story = Story::new(&[]);
    let ids: Vec<_> = (0..4).map(|at| story.due(at, None)).collect();
    for id in &ids {
        story.confirmed(10, *id);
    }
    story.waiting[0] = vec![ids[0], ids[1], ids[1]];
    story.healed[0] = vec![ids[0], ids[1], ids[1], ids[2]];
    for (path, expected) in [
        ("audit.processed", 1),
        ("audit.duplicated", 1),
        ("audit.stranded", 1),
        ("audit.lost", 1),
        ("audit.leftover", 0),
        ("backlog.end", 0),
        ("store.expected", 4),
        ("store.actual", 3),
    ] {
        assert_eq!(story.count(path), expected, "{path}");
    }
}

#[test]
fn times_are_measured_from_the_due_time() {
    let ms = |n: u64| n * 1_000_000;
    let mut story = Story::new(&["billing"]);
    let ids = [story.due(0, None), story.due(ms(10), None)];
    story.confirmed(ms(30), ids[0]).effect(ms(40), ids[0], 0);
    story.confirmed(ms(1010), ids[1]).effect(ms(1500), ids[1], 0);
    let verdict = story.verdict(ms(2000));
    for (path, expected) in [
        ("latency.confirm.p50", "30ms"),
        ("latency.confirm.max", "1s"),
        ("checkout.latency.confirm.max", "1s"),
        ("latency.end_to_end.p50", "40ms"),
        ("billing.latency.end_to_end.max", "1.49s"),
        ("unavailable", "980ms"),
        ("backlog.drained_after", "1.49s"),
        ("throughput", "2.0/s"),
        ("backlog.peak", "1"),
    ] {
        assert_eq!(verdict.measure(path).map(|value| value.to_string()).as_deref(), Some(expected), "{path}");
    }
    assert!(measure::MEASURES.iter().all(|path| verdict.measure(path).is_some()));
    assert_eq!(verdict.measure("billing.nonsense"), None);
}

#[test]
fn messages_are_found_by_name() {
    let mut story = Story::new(&["billing"]);
    let ids = [story.due(0, None), story.due(1, None)];
    assert_eq!(story.ledger.name(ids[1]), "checkout#2");
    assert_eq!(story.ledger.find("checkout#2"), Some(ids[1]));
    assert_eq!(story.ledger.find("2"), Some(ids[1]));
    assert_eq!(story.ledger.find("checkout#3"), None);
    assert_eq!(story.ledger.find("nobody#1"), None);
}

/// What a scenario may claim is what a verdict can answer.
#[test]
fn the_language_and_the_verdict_know_the_same_measures() {
    let fates: Vec<&str> = Fate::ALL.iter().map(|fate| fate.name()).collect();
    let mut answered: Vec<&str> = fates.into_iter().chain(measure::MEASURES).collect();
    let mut claimed: Vec<&str> = crate::scenario::measure::MEASURES.iter().map(|one| one.name).collect();
    answered.sort_unstable();
    claimed.sort_unstable();
    assert_eq!(claimed, answered);
}
