//! Pools, failing messages and what is done about them.

use super::super::catalogue::Origin;
use super::*;
use crate::fact::ProducerId;
use crate::scenario::plan::{ClusterPlan, IdOf, Idempotency, NetworkPlan, Poison, ProducerPlan, Version};

const MESSAGES: u32 = 8;

struct World {
    worker: Worker,
    store: Store,
    catalogue: Catalogue,
}

fn plan() -> Plan {
    let latency = Dist::Constant(Span(1));
    Plan {
        scenario: String::new(),
        variant: None,
        family: "test",
        version: Version(1, 0, 0),
        seed: 1,
        run_for: Span::from_secs(1),
        drain_for: Span::from_secs(1),
        cluster: ClusterPlan::default(),
        entities: Vec::new(),
        producers: Vec::new(),
        consumers: Vec::new(),
        services: Vec::new(),
        network: NetworkPlan { latency, bandwidth: None, fsync: latency },
        faults: Vec::new(),
        steps: Vec::new(),
        expectations: Vec::new(),
        over_seeds: None,
    }
}

fn world(change: impl FnOnce(&mut ConsumerPlan)) -> World {
    let mut consumer =
        ConsumerPlan { process: Dist::Constant(Span(10)), ..ConsumerPlan::new("billing", "q") };
    change(&mut consumer);
    let mut plan = plan();
    plan.producers.push(ProducerPlan::new("shop", "q"));
    plan.consumers.push(consumer);
    let mut catalogue = Catalogue::with_keys(1, &[Some(2)]);
    for number in 1..=MESSAGES {
        catalogue.add(Origin { producer: ProducerId(0), number });
    }
    let mut worker = Worker::new(&plan, &plan.consumers[0], SubscriptionId(0), 0, 7);
    for message in 0..MESSAGES {
        let offset = u64::from(message);
        worker.offer(Item { message: MessageId(message), place: 0, offset }, &catalogue);
    }
    World { worker, store: Store::new(Idempotency::None, IdOf::Business), catalogue }
}

impl World {
    fn start(&mut self) -> Option<(u16, Span)> {
        self.worker.start(&mut self.store, &self.catalogue)
    }

    fn turn(&mut self, thread: u16) -> (Option<Turn>, Option<Fact>) {
        let mut fact = None;
        let turn = self.worker.turn(thread, &mut self.store, &self.catalogue, |seen| fact = Some(seen));
        (turn, fact)
    }
}

fn poisoned(then: Then) -> World {
    world(|consumer| {
        consumer.poison.push(Poison { producer: "shop".to_owned(), number: 1 });
        consumer.if_fails = IfFails { retries: 2, every: Span(100), then };
    })
}

#[test]
fn one_thread_works_on_one_message() {
    let mut world = world(|_| {});
    assert_eq!(world.start(), Some((0, Span(10))));
    assert_eq!(world.start(), None);
    assert_eq!(world.worker.room(500), 0);
    assert!(matches!(world.turn(0), (Some(Turn::Done(_)), Some(Fact::Effect { .. }))));
    assert_eq!(world.turn(0), (None, None), "it has nothing in its hands");
}

#[test]
fn a_pool_works_on_as_many_as_it_has_threads_and_has_a_bounded_queue() {
    let mut world = world(|consumer| consumer.workers = Some(3));
    assert_eq!(world.worker.room(10), 2);
    let started: Vec<_> = std::iter::from_fn(|| world.start().map(|(thread, _)| thread)).collect();
    assert_eq!(started, [0, 1, 2]);
    assert_eq!(world.worker.room(10), 5, "five wait");
    assert_eq!(world.worker.held().count(), 8);
    world.worker.restart();
    assert!(world.worker.is_idle());
}

#[test]
fn by_key_a_thread_takes_the_keys_that_are_its_own() {
    let mut world = world(|consumer| (consumer.workers, consumer.order) = (Some(2), PoolOrder::ByKey));
    let mut last = [None; 2];
    while let Some((thread, _)) = world.start() {
        let (Some(Turn::Done(item)), _) = world.turn(thread) else { panic!("nothing fails") };
        let key = world.catalogue.key(item.message).unwrap() as usize;
        assert_eq!(key, thread as usize);
        assert!(last[key] < Some(item.offset), "in order");
        last[key] = Some(item.offset);
    }
}

#[test]
fn a_poisonous_message_is_tried_in_place_and_then_skipped() {
    let mut world = poisoned(Then::Skip);
    world.start();
    for _ in 0..2 {
        assert_eq!(world.turn(0), (Some(Turn::On(Span(100))), None), "it rests");
        assert_eq!(world.turn(0), (Some(Turn::On(Span(10))), None), "it tries again");
    }
    let (turn, fact) = world.turn(0);
    assert!(matches!(turn, Some(Turn::Failed(_, Then::Skip))));
    assert!(matches!(fact, Some(Fact::GivenUp { how: GivenUp::Discarded, .. })));
    world.start();
    assert!(matches!(world.turn(0), (Some(Turn::Done(_)), Some(Fact::Effect { .. }))));
}

#[test]
fn nothing_is_given_up_by_a_process_that_stops() {
    let mut world = poisoned(Then::Stop);
    world.start();
    let ended = std::iter::repeat_with(|| world.turn(0)).find(|(turn, _)| !matches!(turn, Some(Turn::On(_))));
    assert!(matches!(ended, Some((Some(Turn::Failed(_, Then::Stop)), None))));
}

#[test]
fn failures_are_drawn_by_message_and_attempt() {
    let run = || {
        let mut world = world(|consumer| {
            consumer.fails_ppm = 500_000;
            consumer.if_fails = IfFails { retries: 100, every: Span(1), then: Then::Skip };
        });
        let mut turns = Vec::new();
        while world.start().is_some() {
            turns.push(0);
            while let (Some(Turn::On(_)), _) = world.turn(0) {
                *turns.last_mut().unwrap() += 1;
            }
        }
        turns
    };
    let turns = run();
    assert_eq!(turns, run());
    assert!(turns.iter().any(|&turns| turns > 0) && turns.contains(&0), "{turns:?}");
}
