//! Known bugs and other rules of a release, in whole worlds: there in the releases that have them, and nowhere else.

use super::*;
use crate::broker::rabbitmq::content::{Content, Envelope, Reason};
use crate::broker::rabbitmq::rules::Rules;
use crate::broker::rabbitmq::topology::{Header, Topology};
use crate::scenario::plan::Exact;

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn effects(end: &Ended) -> usize {
    end.count(|fact| matches!(fact, Fact::Effect { .. }))
}

fn failed(end: &Ended) -> usize {
    end.count(|fact| matches!(fact, Fact::Failed { .. } | Fact::Unanswered { .. }))
}

/// A rule, by its name, with releases that have it and releases that have not.
type Switch = (&'static str, fn(&Rules) -> bool, &'static [Version], &'static [Version]);

const SWITCHES: [Switch; 12] = [
    (
        "young_quorum_queue_dies",
        |rules| rules.young_quorum_queue_dies,
        &[Version(3, 10, 0), Version(3, 10, 8)],
        &[Version(3, 9, 29), Version(3, 11, 0), Version(4, 0, 0)],
    ),
    (
        "pauses_only_once",
        |rules| rules.pauses_only_once,
        &[Version(3, 7, 0), Version(3, 8, 34)],
        &[Version(3, 6, 16), Version(3, 9, 0)],
    ),
    (
        "mirrors_race_at_start",
        |rules| rules.mirrors_race_at_start,
        &[Version(3, 7, 15), Version(3, 8, 2)],
        &[Version(3, 7, 14), Version(3, 8, 3)],
    ),
    (
        "mirrors_send_unsafely",
        |rules| rules.mirrors_send_unsafely,
        &[Version(3, 10, 0), Version(3, 10, 9), Version(3, 11, 0), Version(3, 11, 1)],
        &[Version(3, 9, 29), Version(3, 10, 10), Version(3, 11, 2)],
    ),
    (
        "crashes_on_cancelled_active",
        |rules| rules.crashes_on_cancelled_active,
        &[Version(3, 9, 26), Version(3, 10, 12), Version(3, 11, 4)],
        &[Version(3, 9, 27), Version(3, 10, 13), Version(3, 11, 5), Version(3, 12, 0)],
    ),
    (
        "dead_queues_confirm",
        |rules| rules.dead_queues_confirm,
        &[Version(3, 6, 0), Version(3, 7, 28)],
        &[Version(3, 8, 0)],
    ),
    (
        "forgets_queues_of_dead_nodes",
        |rules| rules.forgets_queues_of_dead_nodes,
        &[Version(3, 10, 25)],
        &[Version(3, 11, 0)],
    ),
    (
        "channels_wait_for_dead_leaders",
        |rules| rules.channels_wait_for_dead_leaders,
        &[Version(3, 12, 0), Version(3, 12, 4)],
        &[Version(3, 11, 28), Version(3, 12, 5)],
    ),
    (
        "takes_old_members_back",
        |rules| rules.takes_old_members_back,
        &[Version(3, 8, 0), Version(4, 2, 5)],
        &[Version(4, 3, 0)],
    ),
    (
        "new_members_are_strangers",
        |rules| rules.new_members_are_strangers,
        &[Version(4, 2, 0), Version(4, 2, 5)],
        &[Version(4, 1, 8), Version(4, 3, 0)],
    ),
    (
        "doubles_after_restarts",
        |rules| rules.doubles_after_restarts,
        &[Version(3, 8, 14)],
        &[Version(3, 8, 13), Version(3, 8, 15)],
    ),
    (
        "memory_overtakes_disk",
        |rules| rules.memory_overtakes_disk,
        &[Version(3, 8, 0), Version(3, 8, 14)],
        &[Version(3, 8, 15), Version(3, 9, 0)],
    ),
];

#[test]
fn a_bug_is_there_in_its_releases_and_in_no_others() {
    for (name, switch, with, without) in SWITCHES {
        for &version in with {
            assert!(switch(&Rules::of(version)), "{name} in {version}");
        }
        for &version in without {
            assert!(!switch(&Rules::of(version)), "{name} in {version}");
        }
    }
}

/// A quorum queue that is declared a second into the run, and killed at this age. M S2.
fn killed_young(version: Version, age_ms: u64) -> Ended {
    let mut plan = plan(1);
    plan.version = version;
    plan.entities = vec![queue("work", &[("declared_at", text("1s"))], &[("x-queue-type", text("quorum"))])];
    plan.producers[0].starts = Starts::At(Span::from_millis(1_050));
    plan.consumers[0].starts = Starting::all(Starts::At(Span::from_secs(8)));
    fault(&mut plan, 1_000 + age_ms, Verb::Kill(name("broker-1")), Some(Span::from_secs(2)));
    run(&plan)
}

#[test]
fn a_young_quorum_queue_dies_with_its_node_in_3_10_and_lives_in_other_releases() {
    for (version, age_ms, lost) in [
        (Version(3, 10, 8), 250, 100),
        (Version(3, 10, 8), 320, 100),
        (Version(3, 10, 8), 500, 0),
        (Version(3, 9, 29), 250, 0),
        (Version(3, 11, 0), 250, 0),
    ] {
        let end = killed_young(version, age_ms);
        assert_eq!((end.confirmed(), end.lost()), (100, lost), "{version} at {age_ms} ms");
    }
}

/// Before it is declared, publishes lead nowhere and consumers get 404 and come again.
#[test]
fn a_queue_is_there_from_when_it_is_declared() {
    for kind in ["classic", "quorum"] {
        let mut plan = plan(3);
        plan.consumers[0].client = Some("spring".to_owned());
        plan.entities = vec![queue("work", &[("declared_at", text("3s"))], &[("x-queue-type", text(kind))])];
        plan.producers[0].messages = Some(100);
        plan.producers[0].phases = vec![Phase { lasts: None, rate: Rate::Every(Span::from_millis(60)) }];
        let end = run(&plan);
        let unroutable = end.count(|fact| matches!(fact, Fact::GivenUp { how: GivenUp::Unroutable, .. }));
        assert!((45..=55).contains(&unroutable), "{kind}: {unroutable}");
        assert_eq!((end.confirmed(), effects(&end)), (100, 100 - unroutable), "{kind}");
    }
}

/// F25: what waits for its confirm when its queue is deleted counts as dealt with.
#[test]
fn publishes_that_wait_when_their_queue_is_deleted_are_confirmed() {
    for kind in ["classic", "quorum"] {
        let mut plan = plan(1);
        plan.entities =
            vec![queue("work", &[], &[("x-queue-type", text(kind)), ("x-expires", Value::Int(500))])];
        plan.producers[0].messages = Some(2_000);
        plan.consumers.clear();
        let end = run(&plan);
        let gone = end.count(|fact| matches!(fact, Fact::Removed { .. }));
        assert!(gone > 400, "{kind}: {gone}");
        assert_eq!((end.confirmed(), failed(&end)), (2_000, 0), "{kind}");
    }
}

/// The time without use counts from when the last consumer left, however quiet the queue was before.
#[test]
fn a_quorum_queue_expires_after_its_last_consumer() {
    let mut plan = plan(3);
    plan.entities =
        vec![queue("work", &[], &[("x-queue-type", text("quorum")), ("x-expires", Value::Int(3_000))])];
    plan.producers[0].messages = Some(10);
    plan.consumers[0].stops = Some(Span::from_secs(5));
    let mut late = plan.producers[0].clone();
    late.name = "late".to_owned();
    late.starts = Starts::At(Span::from_secs(7));
    plan.producers.push(late);
    let end = run(&plan);
    let removed = end.all.iter().filter(|one| matches!(one.fact, Fact::Removed { .. }));
    let times: Vec<Time> = removed.map(|one| one.at).collect();
    assert_eq!(effects(&end), 10);
    assert_eq!(times.len() % 10, 0);
    assert!(!times.is_empty());
    let about = Time::ZERO + Span::from_secs(8);
    assert!(times.iter().all(|at| at.since(about) < Span::from_millis(100)), "{times:?}");
}

/// M19: a consumer that comes while the home node is down gets 404, and finds the queue when the node is back.
#[test]
fn a_consumer_of_a_queue_whose_home_node_is_down_gets_404() {
    let mut plan = plan(3);
    plan.run_for = Span::from_secs(20);
    plan.producers[0].connect_to = vec!["broker-2".to_owned()];
    plan.consumers[0].connect_to = vec!["broker-3".to_owned()];
    plan.consumers[0].client = Some("spring".to_owned());
    plan.consumers[0].starts = Starting::all(Starts::At(Span::from_secs(2)));
    fault(&mut plan, 500, Verb::Kill(name("broker-1")), Some(Span::from_secs(8)));
    let end = run(&plan);
    let closed = end.count(|fact| match fact {
        Fact::Family(told) => told.kind == super::super::story::Kind::Closed as u16 && told.numbers[0] == 404,
        _ => false,
    });
    assert!(closed >= 1, "{closed}");
    assert_eq!((end.lost(), effects(&end)), (0, 100));
}

/// M14: what dead lettering writes on a message.
#[test]
fn a_dead_letter_says_how_it_died() {
    let mut plan = plan(1);
    plan.entities = vec![
        EntityPlan { kind: "exchange", ..queue("dead", &[("type", text("headers"))], &[]) },
        queue("work", &[], &[("x-dead-letter-exchange", text("dead"))]),
        queue("other", &[], &[]),
    ];
    let topology = Topology::new(&plan);
    let work = topology.queue_named("work").expect("it is declared");
    let other = topology.queue_named("other").expect("it is declared");
    let id = topology.producers[0].stamp(0, 0);
    let stamp = topology.stamp(id);
    let mut content = Content::default();
    let new = content.add(Envelope::new(MessageId(0), id, stamp, 100));
    let at = |seconds| Time::ZERO + Span::from_secs(seconds);
    let to = (stamp.exchange, stamp.key);
    let first = content.die(new, work, Reason::Expired, to, at(1));
    let second = content.die(first, other, Reason::Rejected, to, at(2));
    let third = content.die(second, work, Reason::Expired, to, at(3));
    assert!(!content.get(first).is_expiring, "the expiration is taken off");
    assert!(content.get(new).is_expiring);
    let deaths: Vec<_> =
        content.deaths(third).iter().map(|one| (one.queue, one.reason.name(), one.count, one.at)).collect();
    assert_eq!(deaths, [(work, "expired", 2, at(1)), (other, "rejected", 1, at(2))]);
    assert_eq!((content.deaths(third)[0].exchange, content.deaths(third)[0].key), to);
    let told = |version: Version| -> Vec<(String, Header)> {
        let mut plan = plan.clone();
        plan.version = version;
        let deaths = content.first_and_last(third, other, Reason::Maxlen);
        super::super::broker::dead_letter::with_deaths(&stamp.headers, deaths, &Topology::new(&plan))
    };
    let header = |name: &str, value: &str| (name.to_owned(), Header::Text(value.to_owned()));
    let first = [
        header("x-first-death-exchange", ""),
        header("x-first-death-queue", "work"),
        header("x-first-death-reason", "expired"),
    ];
    let last = [
        header("x-last-death-exchange", ""),
        header("x-last-death-queue", "other"),
        header("x-last-death-reason", "maxlen"),
    ];
    assert_eq!(told(Version(3, 12, 0)), first);
    assert_eq!(told(Version(3, 13, 0)), [first, last].concat());
}

/// A client that republishes a dead letter with its headers: until 3.13 the broker takes a cycle from them, from 4.0 on
/// it believes only what it wrote itself.
#[test]
fn a_header_that_a_client_sent_counts_until_3_13() {
    let dead_ends = |version: Version| {
        let mut plan = plan(1);
        plan.version = version;
        plan.entities = vec![
            queue("work", &[], &[]),
            queue(
                "wait",
                &[],
                &[
                    ("x-message-ttl", Value::Int(100)),
                    ("x-dead-letter-exchange", text("amq.default")),
                    ("x-dead-letter-routing-key", text("work")),
                ],
            ),
        ];
        plan.entities[1].config.insert("x-dead-letter-exchange".to_owned(), text(""));
        plan.producers[0].send_to = "wait".to_owned();
        plan.producers[0].messages = Some(1);
        let headers = Value::Table([("x-death".to_owned(), text("work expired"))].into());
        let exact = Exact {
            name: None,
            key: None,
            size_bytes: None,
            properties: [("headers".to_owned(), headers)].into(),
            repeat: 1,
        };
        plan.producers[0].exact = vec![exact];
        let end = run(&plan);
        end.count(|fact| matches!(fact, Fact::GivenUp { how: GivenUp::Expired, .. }))
    };
    assert_eq!(dead_ends(Version(3, 13, 0)), 1, "it died of expiry in `work` before, the client says");
    assert_eq!(dead_ends(Version(4, 0, 0)), 0);
}

/// Large messages of 3.13 lie in a store that nobody flushes before the confirm.
#[test]
fn a_large_message_of_3_13_does_not_survive_a_loss_of_power() {
    for (version, size, loses) in [
        (Version(3, 12, 0), 5_000, false),
        (Version(3, 13, 0), 5_000, true),
        (Version(3, 13, 0), 4_095, false),
        (Version(3, 13, 0), 4_096, true),
    ] {
        let mut plan = plan(1);
        plan.version = version;
        plan.producers[0].size_bytes = size;
        plan.consumers[0].starts = Starting::all(Starts::At(Span::from_secs(8)));
        fault(&mut plan, 1_000, Verb::PowerOff(name("broker-1")), Some(Span::from_secs(1)));
        let end = run(&plan);
        assert_eq!(end.confirmed(), 100);
        assert_eq!(end.lost() > 0, loses, "{version}, {size} bytes: {}", end.lost());
    }
}
