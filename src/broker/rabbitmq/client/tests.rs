//! Clients against real brokers, as short stories.

use super::super::error::Error;
use super::super::model::{Node, RabbitModel};
use super::super::packet::{Frame, Packet};
use super::*;
use crate::fact::{Fact, GivenUp, NodeId};
use crate::scenario::plan::{
    ClusterPlan, Config, ConsumerPlan, EntityPlan, IfFails, NetworkPlan, Phase, Plan, Poison, ProducerPlan,
    Rate, Reaction, Rpc, Then, Value, Version, WhichMessages,
};
use crate::sim::{Ctx, Dist, Engine, LinkConfig, Observation, Span, Step, Time};

const BROKER: NodeId = NodeId(0);

fn config(all: &[(&str, Value)]) -> Config {
    all.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn on(name: &str) -> (&str, Value) {
    (name, Value::Bool(true))
}

fn number(name: &str, number: i64) -> (&str, Value) {
    (name, Value::Int(number))
}

/// A publisher `shop` of ten messages a millisecond apart.
fn shop(settings: &[(&str, Value)]) -> ProducerPlan {
    ProducerPlan { messages: Some(10), config: config(settings), ..ProducerPlan::new("shop", "work") }
}

/// A consumer `billing` of one millisecond a message.
fn billing(settings: &[(&str, Value)]) -> ConsumerPlan {
    ConsumerPlan { config: config(settings), ..ConsumerPlan::new("billing", "work") }
}

fn queue(name: &str) -> EntityPlan {
    let fields = config(&[on("durable")]);
    EntityPlan { kind: "queue", name: name.to_owned(), copy_of: None, fields, config: Config::new() }
}

struct World {
    engine: Engine<RabbitModel>,
    seen: Vec<Observation<Fact>>,
}

/// Brokers, then publishers, then consumers, in this order; queues `work` and `elsewhere` on the first broker.
fn world(brokers: u16, producers: Vec<ProducerPlan>, consumers: Vec<ConsumerPlan>) -> World {
    let (latency, fsync) = (Dist::Constant(Span::from_micros(500)), Dist::Constant(Span::from_millis(2)));
    let instances = producers.len() + consumers.len();
    let mut cluster = ClusterPlan::default();
    cluster.roles.insert("brokers".to_owned(), brokers);
    let mut entities = vec![queue("work"), queue("elsewhere")];
    for entity in &mut entities {
        entity.fields.insert("on".to_owned(), Value::Text("broker-1".to_owned()));
    }
    let plan = Plan {
        scenario: String::new(),
        variant: None,
        family: "rabbitmq",
        version: Version(3, 10, 8),
        seed: 1,
        run_for: Span::from_secs(600),
        drain_for: Span::from_secs(1),
        cluster,
        entities,
        producers,
        consumers,
        services: Vec::new(),
        network: NetworkPlan { latency, bandwidth: None, fsync },
        faults: Vec::new(),
        steps: Vec::new(),
        expectations: Vec::new(),
        over_seeds: None,
    };
    let link = LinkConfig { latency, bandwidth: None };
    let mut engine = Engine::new(RabbitModel::new(&plan, 7), 7, brokers + instances as u16, link, fsync);
    engine.start_all();
    World { engine, seen: Vec::new() }
}

impl World {
    fn until(&mut self, ms: u64) -> &mut Self {
        let until = Time::ZERO + Span::from_millis(ms);
        while self.engine.step(until) != Step::Idle {}
        self.engine.rest_until(until);
        self.seen.append(self.engine.observations());
        self
    }

    fn count(&self, is_it: impl Fn(&Fact) -> bool) -> usize {
        self.seen.iter().filter(|seen| is_it(&seen.fact)).count()
    }

    fn confirmed(&self) -> usize {
        self.count(|fact| matches!(fact, Fact::Confirmed { .. }))
    }

    fn effects(&self) -> usize {
        self.count(|fact| matches!(fact, Fact::Effect { .. }))
    }

    /// The milliseconds at which such things happened.
    fn at(&self, is_it: impl Fn(&Fact) -> bool) -> Vec<u64> {
        let found = self.seen.iter().filter(|seen| is_it(&seen.fact));
        found.map(|seen| seen.at.0 / 1_000_000).collect()
    }

    fn publisher(&self, node: u16) -> &Publisher {
        match &self.engine.model.nodes[usize::from(node)] {
            Node::Publisher(publisher) => publisher,
            _ => panic!("{node} is no publisher"),
        }
    }

    fn consumer(&self, node: u16) -> &Consumer {
        match &self.engine.model.nodes[usize::from(node)] {
            Node::Consumer(consumer) => consumer,
            _ => panic!("{node} is no consumer"),
        }
    }

    fn tell<R>(
        &mut self,
        node: u16,
        tell: impl FnOnce(&mut Consumer, &mut super::super::model::Shared, &mut Ctx<'_, RabbitModel>) -> R,
    ) -> R {
        self.engine.act(NodeId(node), |model, ctx| match &mut model.nodes[usize::from(node)] {
            Node::Consumer(consumer) => tell(consumer, &mut model.shared, ctx),
            _ => panic!("{node} is no consumer"),
        })
    }

    /// Takes so many messages and says which numbers those were.
    fn get(&mut self, node: u16, count: u32, ms: u64) -> Vec<u32> {
        let before = self.seen.len();
        self.tell(node, |consumer, shared, ctx| consumer.told_to_get(Some(count), shared, ctx));
        self.until(ms);
        let processed = self.seen[before..].iter().filter_map(|seen| match seen.fact {
            Fact::Effect { message, .. } => Some(message.0 + 1),
            _ => None,
        });
        processed.collect()
    }
}

fn is_failed(error: Error) -> impl Fn(&Fact) -> bool {
    move |fact| matches!(fact, Fact::Failed { error: known, .. } if *known == error.number())
}

#[test]
fn what_is_confirmed_is_consumed_and_acknowledged() {
    let mut world = world(1, vec![shop(&[on("confirm")])], vec![billing(&[number("prefetch", 5)])]);
    world.until(500);
    assert_eq!((world.confirmed(), world.effects()), (10, 10));
    assert_eq!(world.count(|fact| matches!(fact, Fact::Acknowledged { .. })), 10);
    assert!(world.publisher(1).is_done() && world.consumer(2).is_settled());
    assert_eq!(world.consumer(2).unacked(), 0);
}

#[test]
fn fire_and_forget_hears_what_the_call_returns_and_nothing_else() {
    let mut world = world(1, vec![shop(&[])], vec![]);
    world.until(3);
    world.engine.freeze(BROKER);
    world.until(500);
    assert_eq!(world.confirmed(), 10, "the broker stands still");
}

#[test]
fn a_window_of_one_waits_for_each_and_an_open_one_for_none() {
    let greedy = |window| ProducerPlan {
        phases: vec![Phase { lasts: None, rate: Rate::Max }],
        ..shop(&[on("confirm"), number("window", window), number("delivery_mode", 2)])
    };
    let last = |window| {
        let mut world = world(1, vec![greedy(window)], vec![]);
        world.until(2_000);
        let confirmed = world.at(|fact| matches!(fact, Fact::Confirmed { .. }));
        assert_eq!(confirmed.len(), 10);
        confirmed[9] - confirmed[0]
    };
    assert!(last(1) >= 9 * 3, "a flush and a round trip each");
    assert!(last(0) < 9);
}

#[test]
fn a_transaction_is_answered_as_a_whole_and_the_rest_is_committed_at_the_end() {
    let mut world = world(1, vec![shop(&[on("tx"), number("tx_batch", 4)])], vec![]);
    world.until(1_000);
    let confirmed = world.at(|fact| matches!(fact, Fact::Confirmed { .. }));
    let mut commits = confirmed.clone();
    commits.dedup();
    assert_eq!((confirmed.len(), commits.len()), (10, 3));
}

#[test]
fn what_nobody_takes_comes_back_before_it_is_confirmed() {
    let unroutable = |reaction| ProducerPlan {
        if_failed: reaction,
        attempts_max: 2,
        fields: config(&[("routing_key", Value::Text("nowhere".to_owned()))]),
        messages: Some(3),
        config: config(&[on("confirm"), on("mandatory")]),
        ..ProducerPlan::new("shop", "exchange amq.direct")
    };
    for (reaction, times) in [(Reaction::GiveUp, 3), (Reaction::SendAgain, 6)] {
        let mut world = world(1, vec![unroutable(reaction)], vec![]);
        world.until(1_000);
        let heard: Vec<bool> = world
            .seen
            .iter()
            .filter_map(|seen| match seen.fact {
                Fact::Returned { .. } => Some(true),
                Fact::Confirmed { .. } => Some(false),
                _ => None,
            })
            .collect();
        assert_eq!(heard.iter().filter(|&&is_return| is_return).count(), times);
        assert_eq!(world.confirmed(), times);
        assert!(heard[0] && world.publisher(1).is_done());
    }
}

#[test]
fn a_lost_connection_answers_nothing_and_is_recovered_after_the_interval() {
    for (reaction, attempts) in [(Reaction::GiveUp, 0), (Reaction::SendAgain, 1)] {
        let publisher = ProducerPlan {
            messages: Some(3_000),
            if_unknown: Some(reaction),
            config: config(&[
                on("confirm"),
                on("automatic_recovery"),
                number("network_recovery_interval", 500),
            ]),
            ..ProducerPlan::new("shop", "work")
        };
        let mut world =
            world(2, vec![ProducerPlan { connect_to: vec!["broker-2".into()], ..publisher }], vec![]);
        world.until(1_000);
        assert!(world.engine.disconnect(NodeId(2)));
        world.until(1_100);
        let unanswered = world.count(|fact| matches!(fact, Fact::Unanswered { .. }));
        assert!(unanswered > 0, "a flush takes 2 ms, and a message comes every one");
        assert!(!world.publisher(2).is_done());
        world.until(10_000);
        let thrown = world.count(is_failed(Error::AlreadyClosed));
        assert!((490..=510).contains(&thrown), "one a millisecond while there is no connection: {thrown}");
        let again = world.count(|fact| matches!(fact, Fact::Confirmed { attempt: 2, .. }));
        assert_eq!(again, unanswered * attempts);
        assert_eq!(world.confirmed() + thrown, 3_000 - unanswered * (1 - attempts));
        assert!(world.publisher(2).is_done());
    }
}

#[test]
fn a_client_that_does_not_recover_is_gone_unless_its_application_sends_again() {
    let pika = |if_failed| ProducerPlan {
        client: Some("pika".to_owned()),
        if_failed,
        messages: Some(200),
        config: config(&[on("confirm")]),
        ..ProducerPlan::new("shop", "work")
    };
    let confirmed = |if_failed| {
        let mut world = world(1, vec![pika(if_failed)], vec![]);
        world.until(100);
        world.engine.disconnect(NodeId(1));
        world.until(30_000);
        assert!(world.publisher(1).is_done());
        world.confirmed()
    };
    assert!(confirmed(Reaction::GiveUp) <= 100);
    assert!(confirmed(Reaction::SendAgain) >= 200 - 10, "a few were stored and not answered: told nothing");
}

#[test]
fn whoever_sends_as_fast_as_it_can_waits_for_its_connection_and_for_its_socket() {
    let greedy = ProducerPlan {
        phases: vec![Phase { lasts: None, rate: Rate::Max }],
        size_bytes: 1_000,
        ..ProducerPlan::new("shop", "work")
    };
    let mut world = world(1, vec![greedy], vec![]);
    world.until(100);
    assert!((2_500..3_100).contains(&world.confirmed()), "33 us a call: {}", world.confirmed());
    world.engine.freeze(BROKER);
    world.until(5_000);
    let stuck = world.confirmed();
    assert!((6_000..11_000).contains(&stuck), "6 MiB there and 85 KiB here: {stuck}");
    world.engine.thaw(BROKER);
    world.until(5_100);
    assert!(world.confirmed() > stuck + 1_000, "it is told that it can write");
}

#[test]
fn nodes_are_tried_in_order_and_silence_is_noticed() {
    let patient = ProducerPlan {
        messages: Some(1),
        connect_to: vec!["broker-2".to_owned(), "broker-1".to_owned()],
        config: config(&[
            on("automatic_recovery"),
            number("heartbeat", 10),
            number("network_recovery_interval", 100),
        ]),
        ..ProducerPlan::new("shop", "work")
    };
    let mut world = world(2, vec![patient], vec![]);
    let at = |world: &World, broker: u16| match &world.engine.model.nodes[usize::from(broker)] {
        Node::Broker(broker) => broker.serves(NodeId(2)),
        _ => false,
    };
    world.until(40_000);
    assert_eq!((at(&world, 0), at(&world, 1)), (false, true), "heartbeats keep it");
    world.engine.freeze(NodeId(1));
    world.until(49_000);
    assert!(world.publisher(2).shown(&world.engine, NodeId(2)).role == "connected");
    world.until(70_000);
    assert!(
        at(&world, 0),
        "the first one is asked again, does not answer in ten seconds, and the second does"
    );
}

fn caller(reply_to: &str) -> ProducerPlan {
    let rpc = Rpc { reply_to: reply_to.to_owned(), timeout: Span::from_millis(200) };
    let phases = vec![Phase { lasts: None, rate: Rate::OneByOne }];
    ProducerPlan { rpc: Some(rpc), phases, ..shop(&[on("automatic_recovery")]) }
}

#[test]
fn a_caller_hears_of_a_request_when_the_reply_comes() {
    for reply_to in ["elsewhere", "amq.rabbitmq.reply-to"] {
        let server = ConsumerPlan { process: Dist::Constant(Span::from_millis(20)), ..billing(&[]) };
        let mut world = world(2, vec![caller(reply_to)], vec![server]);
        world.until(2_000);
        assert_eq!((world.confirmed(), world.effects()), (10, 10), "{reply_to}");
        let confirmed = world.at(|fact| matches!(fact, Fact::Confirmed { .. }));
        assert!(confirmed[9] - confirmed[0] >= 180, "one after another");
        assert!(world.publisher(2).is_done() && world.consumer(3).is_settled());
    }
}

#[test]
fn a_caller_that_asks_again_has_it_done_twice_and_takes_the_late_reply() {
    let slow = ConsumerPlan { process: Dist::Constant(Span::from_millis(300)), ..billing(&[]) };
    let again = ProducerPlan {
        messages: Some(1),
        if_unknown: Some(Reaction::SendAgain),
        ..caller("amq.rabbitmq.reply-to")
    };
    let mut world = world(1, vec![again], vec![slow]);
    world.until(3_000);
    assert_eq!((world.count(is_failed(Error::Timeout)), world.confirmed(), world.effects()), (1, 1, 2));
}

#[test]
fn a_direct_reply_to_a_caller_that_connected_again_is_dropped() {
    let slow = ConsumerPlan { process: Dist::Constant(Span::from_millis(150)), ..billing(&[]) };
    let one = ProducerPlan { messages: Some(1), ..caller("amq.rabbitmq.reply-to") };
    let mut world = world(1, vec![one], vec![slow]);
    world.until(50);
    world.engine.disconnect(NodeId(1));
    world.until(10_000);
    assert_eq!(
        (world.count(is_failed(Error::ConnectionLost)), world.confirmed(), world.effects()),
        (1, 0, 1)
    );
}

#[test]
fn a_broker_gives_a_silent_consumers_messages_to_another_after_two_looks() {
    let settings = [number("prefetch", 5), number("heartbeat", 10)];
    let slow = ConsumerPlan { process: Dist::Constant(Span::from_millis(500)), ..billing(&settings) };
    let mut world = world(1, vec![shop(&[])], vec![slow, billing(&settings)]);
    world.until(100);
    world.engine.freeze(NodeId(2));
    world.until(60_000);
    let effects = world.at(|fact| matches!(fact, Fact::Effect { .. }));
    assert_eq!(effects.len(), 10);
    assert!(effects[4] < 100 && (10_000..15_100).contains(&effects[5]), "{effects:?}");
}

#[test]
fn acknowledgements_wait_for_a_full_batch() {
    let settings = [number("prefetch", 8), number("multiple", 4)];
    let mut world = world(1, vec![shop(&[])], vec![billing(&settings)]);
    world.until(1_000);
    assert_eq!(world.effects(), 10);
    assert_eq!(world.count(|fact| matches!(fact, Fact::Acknowledged { .. })), 2);
    assert_eq!(world.consumer(2).unacked(), 2);
    world.engine.kill(NodeId(2));
    world.until(1_100);
    world.engine.start(NodeId(2));
    world.until(2_000);
    assert_eq!(world.effects(), 12, "the rest comes again");
}

#[test]
fn automatic_acknowledgement_loses_what_the_library_holds() {
    let slow = ConsumerPlan { process: Dist::Constant(Span::from_millis(100)), ..billing(&[on("no_ack")]) };
    let mut world = world(1, vec![shop(&[])], vec![slow]);
    world.until(350);
    world.engine.kill(NodeId(2));
    world.until(400);
    world.engine.start(NodeId(2));
    world.until(3_000);
    assert!((2..=4).contains(&world.effects()), "{}", world.effects());
}

/// A consumer that cannot process the third message.
fn poisoned(then: Then, settings: &[(&str, Value)]) -> World {
    let if_fails = IfFails { retries: 1, every: Span::from_millis(10), then };
    let poison = vec![Poison { producer: "shop".to_owned(), number: 3 }];
    world(1, vec![shop(&[])], vec![ConsumerPlan { poison, if_fails, ..billing(settings) }])
}

#[test]
fn what_cannot_be_processed_is_dropped_given_up_given_back_or_published_elsewhere() {
    let given_up = |how| move |fact: &Fact| matches!(fact, Fact::GivenUp { how: known, .. } if *known == how);
    let mut world = poisoned(Then::Skip, &[number("prefetch", 1)]);
    world.until(1_000);
    assert_eq!((world.effects(), world.count(given_up(GivenUp::Discarded))), (9, 1));
    assert_eq!(world.count(|fact| matches!(fact, Fact::Acknowledged { .. })), 10);

    let mut world = poisoned(Then::Reject, &[number("prefetch", 1)]);
    world.until(1_000);
    assert_eq!(world.effects(), 9);
    assert_eq!(world.count(|fact| matches!(fact, Fact::Acknowledged { .. })), 9);

    let mut world = poisoned(Then::Requeue, &[number("prefetch", 1)]);
    world.until(1_000);
    assert_eq!(world.effects(), 2, "it comes again for ever, before everything else");
    assert!(world.count(|fact| matches!(fact, Fact::Delivered { .. })) > 20);

    let mut world = poisoned(Then::Stop, &[number("prefetch", 1)]);
    world.until(1_000);
    assert_eq!(world.effects(), 2);
    assert_eq!(world.count(|fact| matches!(fact, Fact::NodeDown { .. })), 1);

    for settings in [&[number("prefetch", 1)][..], &[number("prefetch", 1), on("confirm")]] {
        let mut world = poisoned(Then::SendTo("elsewhere".to_owned()), settings);
        world.until(1_000);
        assert_eq!((world.effects(), world.count(given_up(GivenUp::DeadLettered))), (9, 1));
        assert_eq!(world.count(|fact| matches!(fact, Fact::Acknowledged { .. })), 10);
        assert!(world.consumer(2).is_settled());
    }
}

fn by_hand(settings: &[(&str, Value)]) -> World {
    let by_hand = ConsumerPlan { is_by_hand: true, ..billing(settings) };
    let mut world = world(1, vec![shop(&[on("confirm")])], vec![by_hand]);
    world.until(200);
    world
}

#[test]
fn by_hand_it_holds_what_it_was_handed() {
    let mut world = by_hand(&[number("prefetch", 5)]);
    assert_eq!(world.get(2, 5, 300), [1, 2, 3, 4, 5]);
    assert!(world.consumer(2).has_done(|_| false));
    let numbers = WhichMessages::Numbers(vec![3]);
    assert!(world.tell(2, |consumer, shared, ctx| {
        consumer.told_to_give_back(&numbers, (true, false), shared, ctx)
    }));
    assert_eq!(world.get(2, 1, 400), [3], "back at its old place");
    assert!(world.tell(2, |consumer, shared, ctx| consumer.told_to_ack(&WhichMessages::All, shared, ctx)));
    assert_eq!(world.get(2, 9, 500), [6, 7, 8, 9, 10]);
}

#[test]
fn without_a_prefetch_it_takes_single_messages_until_there_are_none() {
    let mut world = by_hand(&[]);
    assert_eq!(world.get(2, 3, 300), [1, 2, 3]);
    assert_eq!(world.get(2, 20, 500), [4, 5, 6, 7, 8, 9, 10]);
    assert!(world.consumer(2).has_done(|_| true));
}

#[test]
fn to_acknowledge_twice_closes_the_channel_and_everything_comes_back() {
    let mut world = by_hand(&[number("prefetch", 5)]);
    assert_eq!(world.get(2, 5, 300), [1, 2, 3, 4, 5]);
    let twice = WhichMessages::Numbers(vec![1, 1]);
    assert!(world.tell(2, |consumer, shared, ctx| consumer.told_to_ack(&twice, shared, ctx)));
    world.until(400);
    assert_eq!(world.consumer(2).shown(&world.engine, NodeId(2)).role, "channel closed");
}

#[test]
fn a_publish_to_what_does_not_exist_closes_the_channel_for_good() {
    let mut world = world(1, vec![ProducerPlan { messages: Some(50), ..shop(&[on("confirm")]) }], vec![]);
    world.until(20);
    world.engine.act(NodeId(1), |model, ctx| {
        let conn = match &mut model.nodes[1] {
            Node::Publisher(publisher) => publisher.conn(),
            _ => None,
        };
        // As an application would that commits what is no transaction.
        if let Some(conn) = conn {
            ctx.send(conn, Packet::Amqp(Frame::TxCommit), 40);
        }
    });
    world.until(5_000);
    assert!(world.count(is_failed(Error::AlreadyClosed)) > 20);
    assert!(world.publisher(1).is_done());
}
