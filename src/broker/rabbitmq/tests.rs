//! Whole worlds, built without a scenario file.

mod quorum;
mod switches;

use std::collections::BTreeMap;

use super::model::RabbitModel;
use crate::broker::host::{Host, NodeNames};
use crate::broker::{Details, Progress, World};
use crate::fact::{Fact, GivenUp, MessageId, Observation, SubscriptionId};
use crate::scenario::plan::{
    ClusterPlan, Config, ConsumerPlan, EntityPlan, FaultPlan, NetworkPlan, Phase, Plan, ProducerPlan, Rate,
    Starting, Starts, Target, Trigger, Value, Verb, Version,
};
use crate::sim::{Dist, Span, Time};

fn queue(name: &str, fields: &[(&str, Value)], arguments: &[(&str, Value)]) -> EntityPlan {
    let table = |pairs: &[(&str, Value)]| -> Config {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    };
    EntityPlan {
        kind: "queue",
        name: name.to_owned(),
        copy_of: None,
        fields: table(fields),
        config: table(arguments),
    }
}

fn plan(brokers: u16) -> Plan {
    let mut roles = BTreeMap::new();
    roles.insert("brokers".to_owned(), brokers);
    let mut shop = ProducerPlan::new("shop", "work");
    shop.messages = Some(100);
    shop.phases = vec![Phase { lasts: None, rate: Rate::Every(Span::from_millis(1)) }];
    shop.config.insert("confirm".to_owned(), Value::Bool(true));
    shop.config.insert("delivery_mode".to_owned(), Value::Int(2));
    let mut billing = ConsumerPlan::new("billing", "work");
    billing.config.insert("prefetch".to_owned(), Value::Int(10));
    Plan {
        scenario: "test".to_owned(),
        variant: None,
        family: "rabbitmq",
        version: Version(3, 10, 8),
        seed: 1,
        run_for: Span::from_secs(10),
        drain_for: Span::from_secs(10),
        cluster: ClusterPlan { roles, fields: Config::new(), config: Config::new() },
        entities: vec![queue("work", &[("durable", Value::Bool(true))], &[])],
        producers: vec![shop],
        consumers: vec![billing],
        services: Vec::new(),
        network: NetworkPlan {
            latency: Dist::Uniform(Span::from_micros(300), Span::from_micros(800)),
            bandwidth: None,
            fsync: Dist::Constant(Span::from_millis(2)),
        },
        faults: Vec::new(),
        steps: Vec::new(),
        expectations: Vec::new(),
        over_seeds: None,
    }
}

/// What was observed, and how the world stood in the end.
struct Ended {
    all: Vec<Observation>,
    world: Host<RabbitModel>,
}

impl Ended {
    fn count(&self, is_it: impl Fn(&Fact) -> bool) -> usize {
        self.all.iter().filter(|one| is_it(&one.fact)).count()
    }

    fn confirmed(&self) -> usize {
        self.count(|fact| matches!(fact, Fact::Confirmed { .. }))
    }

    /// Confirmed, without effect, and waiting nowhere.
    fn lost(&self) -> usize {
        let confirmed = self.all.iter().filter_map(|one| match one.fact {
            Fact::Confirmed { message, .. } => Some(message),
            _ => None,
        });
        let waiting = self.world.waiting(SubscriptionId(0));
        let has_effect = |message: MessageId| {
            self.all.iter().any(|one| matches!(one.fact, Fact::Effect { message: of, .. } if of == message))
        };
        confirmed.filter(|&message| !waiting.contains(&message) && !has_effect(message)).count()
    }
}

fn run(plan: &Plan) -> Ended {
    let names = NodeNames::new(plan, &[("brokers", "broker")]);
    let mut world = Host::new(RabbitModel::new(plan, 1), plan, 1, names);
    world.want_details(Details::On);
    let mut all = Vec::new();
    let until = Time::ZERO + plan.run_for + plan.drain_for;
    loop {
        let mut some = Vec::new();
        let progress = world.advance(until, &mut some);
        all.extend(some);
        assert!(world.broken_invariants().is_empty(), "{:?}", world.broken_invariants());
        if progress != Progress::Pause {
            return Ended { all, world };
        }
    }
}

fn fault(plan: &mut Plan, at_ms: u64, verb: Verb, ends_after: Option<Span>) {
    plan.faults.push(FaultPlan {
        name: format!("fault-{}", plan.faults.len() + 1),
        trigger: Trigger::At(Span::from_millis(at_ms)),
        verb,
        ends_after,
        optional: false,
        known_as: None,
    });
}

fn name(name: &str) -> Target {
    Target::Name(name.to_owned())
}

#[test]
fn what_is_published_is_confirmed_delivered_and_processed() {
    for brokers in [1, 3] {
        let end = run(&plan(brokers));
        assert_eq!(end.confirmed(), 100);
        assert_eq!(end.count(|fact| matches!(fact, Fact::Delivered { .. })), 100);
        assert_eq!(end.count(|fact| matches!(fact, Fact::Effect { .. })), 100);
        assert_eq!(end.count(|fact| matches!(fact, Fact::Acknowledged { .. })), 100);
    }
}

/// 1000 messages, then the broker is killed or cut off from power and starts again; nobody consumes before.
fn restarted(set: &[(&str, Value)], verb: fn(Target) -> Verb, at_ms: u64) -> Ended {
    let mut plan = plan(1);
    plan.producers[0].messages = Some(1000);
    for (name, value) in set {
        plan.producers[0].config.insert((*name).to_owned(), value.clone());
    }
    plan.consumers[0].starts = Starting::all(Starts::At(Span::from_secs(8)));
    fault(&mut plan, at_ms, verb(name("broker-1")), Some(Span::from_secs(1)));
    run(&plan)
}

#[test]
fn confirmed_and_persistent_survives_a_kill_and_a_power_loss_and_transient_survives_nothing() {
    for verb in [Verb::Kill as fn(Target) -> Verb, Verb::PowerOff, Verb::Stop] {
        let end = restarted(&[], verb, 500);
        assert!(end.confirmed() > 400, "{}", end.confirmed());
        assert_eq!(end.lost(), 0);
        let end = restarted(&[("delivery_mode", Value::Int(1))], verb, 2000);
        assert_eq!((end.confirmed(), end.lost()), (1000, 1000));
    }
}

#[test]
fn without_confirms_nothing_of_a_busy_queue_survives_and_everything_of_an_idle_one() {
    let no_confirms = [("confirm", Value::Bool(false))];
    let busy = restarted(&no_confirms, Verb::Kill, 900);
    assert_eq!(busy.lost(), busy.confirmed());
    let idle = restarted(&no_confirms, Verb::Kill, 1300);
    assert_eq!((idle.confirmed(), idle.lost()), (1000, 0));
}

#[test]
fn a_dead_home_node_makes_its_queue_unroutable_and_confirms_go_on() {
    let mut plan = plan(3);
    plan.producers[0].messages = Some(1000);
    plan.producers[0].connect_to = vec!["broker-2".to_owned()];
    plan.consumers[0].connect_to = vec!["broker-3".to_owned()];
    fault(&mut plan, 500, Verb::Kill(name("broker-1")), None);
    let end = run(&plan);
    let unroutable = end.count(|fact| matches!(fact, Fact::GivenUp { how: GivenUp::Unroutable, .. }));
    assert!(unroutable > 400, "{unroutable}");
    assert!(end.confirmed() > 900, "{}", end.confirmed());
}

fn mirrored() -> Plan {
    let mut plan = plan(3);
    plan.producers[0].messages = Some(2000);
    plan.producers[0].connect_to = vec!["broker-2".to_owned()];
    plan.consumers[0].connect_to = vec!["broker-2".to_owned()];
    plan.entities.push(EntityPlan {
        kind: "policy",
        name: "ha".to_owned(),
        copy_of: None,
        fields: [("pattern".to_owned(), Value::Text("^work$".to_owned()))].into(),
        config: [("ha-mode".to_owned(), Value::Text("all".to_owned()))].into(),
    });
    plan
}

#[test]
fn a_synchronised_mirror_takes_over_without_loss() {
    let mut plan = mirrored();
    fault(&mut plan, 700, Verb::Kill(name("leader of work")), None);
    let end = run(&plan);
    assert_eq!((end.confirmed(), end.lost()), (2000, 0));
    let elected = end.count(|fact| matches!(fact, Fact::LeaderElected { leader: Some(_), .. }));
    assert_eq!(elected, 1);
}

#[test]
fn pause_minority_loses_nothing_that_ignore_loses() {
    for (mode, loses) in [("ignore", true), ("pause_minority", false)] {
        let mut plan = mirrored();
        plan.consumers.clear();
        plan.run_for = Span::from_secs(60);
        plan.cluster.config.insert("net_ticktime".to_owned(), Value::Int(8));
        plan.cluster.config.insert("cluster_partition_handling".to_owned(), Value::Text(mode.to_owned()));
        plan.producers[0].connect_to = vec!["broker-1".to_owned()];
        plan.producers[0].messages = Some(30_000);
        let mut other = plan.producers[0].clone();
        other.name = "far".to_owned();
        other.connect_to = vec!["broker-2".to_owned()];
        plan.producers.insert(0, other);
        let cut = Verb::Cut {
            target: name("broker-1"),
            from: Some(Target::All(vec![name("broker-2"), name("broker-3")])),
            one_way: false,
        };
        fault(&mut plan, 5_000, cut, Some(Span::from_secs(20)));
        fault(&mut plan, 40_000, Verb::Stop(name("broker-1")), Some(Span::from_secs(5)));
        let end = run(&plan);
        assert!(end.confirmed() > 10_000, "{mode}: {}", end.confirmed());
        assert_eq!(end.lost() > 0, loses, "{mode}: {} of {} lost", end.lost(), end.confirmed());
    }
}
