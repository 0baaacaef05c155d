//! Quorum queues in whole worlds.

use super::*;

/// One message a millisecond to a quorum queue that broker-1 leads; the publisher is on broker-2, the consumer on
/// broker-3.
fn replicated(messages: u32) -> Plan {
    let mut plan = plan(3);
    plan.run_for = Span::from_secs(60);
    plan.entities =
        vec![queue("work", &[("durable", Value::Bool(true))], &[("x-queue-type", text("quorum"))])];
    plan.producers[0].messages = Some(messages);
    plan.producers[0].connect_to = vec!["broker-2".to_owned()];
    plan.consumers[0].connect_to = vec!["broker-3".to_owned()];
    plan
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn effects(end: &Ended) -> usize {
    end.count(|fact| matches!(fact, Fact::Effect { .. }))
}

fn deliveries(end: &Ended) -> usize {
    end.count(|fact| matches!(fact, Fact::Delivered { .. }))
}

/// The longest time between two confirms.
fn longest_gap(end: &Ended) -> Span {
    let confirmed = end.all.iter().filter(|one| matches!(one.fact, Fact::Confirmed { .. }));
    let times: Vec<Time> = confirmed.map(|one| one.at).collect();
    times.windows(2).map(|pair| pair[1].since(pair[0])).max().unwrap_or(Span::ZERO)
}

fn isolate(broker: &str) -> Verb {
    let others: Vec<Target> =
        ["broker-1", "broker-2", "broker-3"].into_iter().filter(|one| *one != broker).map(name).collect();
    Verb::Cut { target: name(broker), from: Some(Target::All(others)), one_way: false }
}

#[test]
fn a_healthy_quorum_queue_delivers_everything_once() {
    let end = run(&replicated(1000));
    assert_eq!((end.confirmed(), deliveries(&end), effects(&end)), (1000, 1000, 1000));
    assert_eq!(end.count(|fact| matches!(fact, Fact::LeaderElected { .. })), 0);
}

#[test]
fn commands_that_every_member_has_behind_it_are_let_go_of() {
    let mut plan = replicated(15_000);
    fault(&mut plan, 3_000, Verb::Kill(name("leader of work")), Some(Span::from_secs(5)));
    let end = run(&plan);
    assert_eq!((end.confirmed(), effects(&end)), (15_000, 15_000));
    let (held, all) = end.world.model().shared.commands[0].held();
    assert!(all > 25_000 && held < 6_000, "{held} of {all}");
}

#[test]
fn the_death_of_the_leader_costs_less_than_a_second_and_nothing_else() {
    let mut plan = replicated(5000);
    fault(&mut plan, 2_000, Verb::Kill(name("leader of work")), None);
    let end = run(&plan);
    let unhappy = end.count(|fact| matches!(fact, Fact::Failed { .. } | Fact::Unanswered { .. }));
    assert_eq!((end.confirmed(), end.lost(), unhappy), (5000, 0, 0));
    assert_eq!(effects(&end), 5000);
    let gap = longest_gap(&end);
    assert!(gap > Span::from_millis(100) && gap < Span::from_millis(1_200), "{gap:?}");
}

#[test]
fn a_power_loss_of_all_machines_loses_nothing_confirmed() {
    let mut plan = replicated(3000);
    plan.consumers.clear();
    for broker in ["broker-1", "broker-2", "broker-3"] {
        fault(&mut plan, 2_000, Verb::PowerOff(name(broker)), Some(Span::from_secs(1)));
    }
    let end = run(&plan);
    assert!(end.confirmed() > 1_900, "{}", end.confirmed());
    assert_eq!(end.lost(), 0);
}

#[test]
fn an_isolated_leader_confirms_nothing_and_the_others_go_on_in_seconds() {
    let mut plan = replicated(4_000);
    plan.producers[0].phases = vec![Phase { lasts: None, rate: Rate::Every(Span::from_millis(10)) }];
    plan.producers[0].connect_to = vec!["broker-1".to_owned()];
    let mut other = plan.producers[0].clone();
    other.name = "far".to_owned();
    other.connect_to = vec!["broker-2".to_owned()];
    plan.producers.push(other);
    fault(&mut plan, 10_000, isolate("broker-1"), Some(Span::from_secs(22)));
    let end = run(&plan);
    assert_eq!(end.lost(), 0);
    let gap = longest_gap(&end);
    assert!(gap > Span::from_secs(3) && gap < Span::from_secs(13), "{gap:?}");
    assert!(end.confirmed() > 5_000, "{}", end.confirmed());
}

#[test]
fn without_a_majority_nothing_is_answered_until_it_is_back() {
    let mut plan = replicated(3000);
    for broker in ["broker-1", "broker-3"] {
        fault(&mut plan, 1_000, Verb::Kill(name(broker)), Some(Span::from_secs(20)));
    }
    let end = run(&plan);
    assert_eq!((end.confirmed(), end.lost()), (3000, 0));
    assert!(longest_gap(&end) > Span::from_secs(19), "{:?}", longest_gap(&end));
}

#[test]
fn a_killed_consumer_gets_what_it_held_once_more() {
    let mut plan = replicated(300);
    plan.consumers[0].process = Dist::Constant(Span::from_millis(2));
    fault(&mut plan, 150, Verb::Kill(name("billing-1")), Some(Span::from_secs(1)));
    let end = run(&plan);
    assert_eq!((end.confirmed(), end.lost()), (300, 0));
    assert!(deliveries(&end) >= 300 && deliveries(&end) <= 310, "{}", deliveries(&end));
}

#[test]
fn a_quorum_queue_ignores_the_delivery_mode() {
    let mut plan = replicated(1000);
    plan.consumers[0].starts = Starting::all(Starts::At(Span::from_secs(20)));
    plan.producers[0].config.insert("delivery_mode".to_owned(), Value::Int(1));
    for broker in ["broker-1", "broker-2", "broker-3"] {
        fault(&mut plan, 3_000, Verb::Kill(name(broker)), Some(Span::from_secs(1)));
    }
    let end = run(&plan);
    assert_eq!((end.confirmed(), end.lost(), effects(&end)), (1000, 0, 1000));
}

#[test]
fn a_member_that_lost_its_disk_is_fed_and_can_lead() {
    let mut plan = replicated(4_000);
    plan.producers[0].phases = vec![Phase { lasts: None, rate: Rate::Every(Span::from_millis(5)) }];
    fault(&mut plan, 5_000, Verb::LoseDisk(name("broker-3")), Some(Span::from_secs(2)));
    fault(&mut plan, 15_000, Verb::Kill(name("leader of work")), None);
    let end = run(&plan);
    assert_eq!((end.confirmed(), end.lost()), (4_000, 0));
}
