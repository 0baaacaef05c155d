//! Whole worlds, built without a scenario file.

use std::collections::BTreeMap;

use super::model::RabbitModel;
use crate::broker::host::{Host, NodeNames};
use crate::broker::{Progress, World};
use crate::fact::{Fact, Observation};
use crate::scenario::plan::{
    ClusterPlan, Config, ConsumerPlan, EntityPlan, NetworkPlan, Phase, Plan, ProducerPlan, Rate, Value,
    Version,
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

fn run(plan: &Plan) -> Vec<Observation> {
    let names = NodeNames::new(plan, &[("brokers", "broker")]);
    let mut world = Host::new(RabbitModel::new(plan, 1), plan, 1, names);
    let mut all = Vec::new();
    let until = Time::ZERO + plan.run_for + plan.drain_for;
    loop {
        let mut some = Vec::new();
        let progress = world.advance(until, &mut some);
        all.extend(some);
        assert!(world.broken_invariants().is_empty(), "{:?}", world.broken_invariants());
        if progress != Progress::Pause || world.is_quiet() {
            return all;
        }
    }
}

fn count(all: &[Observation], is_it: impl Fn(&Fact) -> bool) -> usize {
    all.iter().filter(|one| is_it(&one.fact)).count()
}

#[test]
fn what_is_published_is_confirmed_delivered_and_processed() {
    for brokers in [1, 3] {
        let all = run(&plan(brokers));
        assert_eq!(count(&all, |fact| matches!(fact, Fact::Confirmed { .. })), 100);
        assert_eq!(count(&all, |fact| matches!(fact, Fact::Delivered { .. })), 100);
        assert_eq!(count(&all, |fact| matches!(fact, Fact::Effect { .. })), 100);
        assert_eq!(count(&all, |fact| matches!(fact, Fact::Acknowledged { .. })), 100);
    }
}
