//! A tiny, real, deterministic simulator for tests: one broker that may die, messages that are confirmed after a
//! random 1 to 3 ms, and copied 5 ms later. With `acks = "1"` what was confirmed and not yet copied dies with the
//! broker.

mod picture;

use std::collections::{BTreeMap, BTreeSet};

use super::{About, Source};
use crate::broker::picture::{Gauge, LinkPicture, NodePicture, PlacePicture, Section};
use crate::broker::{
    Case, Chain, Details, EntityKind, Family, Field, Finding, Firing, Link, Names, NodeRole, Progress,
    Remedy, Router, Setting, World,
};
use crate::fact::{Fact, FamilyFact, MessageId, NodeId, Observation, PlaceId, ProducerId, SubscriptionId};
use crate::scenario::expect::{Comparison, Expectation, Operand, OverSeeds, Quantity, Test};
use crate::scenario::plan::{
    ClusterPlan, ConsumerPlan, FaultPlan, NetworkPlan, Phase, Plan, ProducerPlan, Rate, Target, Trigger,
    Value, Verb, Version,
};
use crate::sim::draw::{Purpose, below, bits};
use crate::sim::{Dist, Span, Time};

/// The family.
pub(crate) struct Fake;

/// A plan with a producer `checkout` that sends 100 messages to `orders`, and these consumers, which read `orders`,
/// but for `elsewhere`.
pub(crate) fn plan(consumers: &[&str]) -> Plan {
    let ms = Span::from_millis;
    let consumer = |name: &&str| ConsumerPlan {
        process: Dist::Constant(Span::ZERO),
        ..ConsumerPlan::new(name, if *name == "elsewhere" { "elsewhere" } else { "orders" })
    };
    Plan {
        scenario: "fake/acks-one".to_owned(),
        variant: None,
        family: "fake",
        version: Version(1, 0, 0),
        seed: 42,
        run_for: Span::from_secs(2),
        drain_for: Span::from_secs(2),
        cluster: ClusterPlan::default(),
        entities: Vec::new(),
        producers: vec![ProducerPlan {
            phases: vec![Phase { lasts: None, rate: Rate::Every(ms(10)) }],
            messages: Some(100),
            attempts_max: 1,
            ..ProducerPlan::new("checkout", "orders")
        }],
        consumers: consumers.iter().map(consumer).collect(),
        services: Vec::new(),
        network: NetworkPlan {
            latency: Dist::Constant(Span::ZERO),
            bandwidth: None,
            fsync: Dist::Constant(Span::ZERO),
        },
        faults: Vec::new(),
        steps: Vec::new(),
        expectations: Vec::new(),
        over_seeds: None,
    }
}

/// A fault that kills the leader at this time.
pub(crate) fn leader_dies(at: Span) -> FaultPlan {
    FaultPlan {
        name: "leader-dies".to_owned(),
        trigger: Trigger::At(at),
        verb: Verb::Kill(Target::Name("leader of orders/0".to_owned())),
        ends_after: None,
        optional: false,
        known_as: None,
    }
}

/// A scenario with the variants `acks=1`, which loses a message when the leader dies, and `acks=all`, which does not.
pub(crate) struct FakeScenario {
    about: About,
    pub(crate) faults: Vec<FaultPlan>,
    pub(crate) expectations: Vec<Expectation>,
    pub(crate) over_seeds: Option<OverSeeds>,
}

impl FakeScenario {
    pub(crate) fn new() -> Self {
        let about = About {
            name: "fake/acks-one".to_owned(),
            title: "acks=1: the leader dies with the only copy".to_owned(),
            question: "Every order was confirmed. How many can be missing?".to_owned(),
            story: "The leader dies before its followers have the newest orders.".to_owned(),
            lesson: "A confirm is worth as many copies as it waited for.".to_owned(),
            decisive: None,
            facts: vec!["F03".to_owned()],
            claims: vec!["S45".to_owned()],
        };
        Self {
            about,
            faults: vec![leader_dies(Span::from_millis(505))],
            expectations: vec![],
            over_seeds: None,
        }
    }
}

/// `lost = 0`, `lost = ">= 1"`.
pub(crate) fn expect(path: &str, comparison: Comparison, n: f64) -> Expectation {
    let sign = if comparison == Comparison::Equal { "=" } else { ">=" };
    Expectation {
        text: format!("{path} {sign} {n}"),
        path: path.to_owned(),
        test: Test::Compare(comparison, Operand::Quantity(Quantity::Number(n))),
    }
}

impl Source for FakeScenario {
    fn about(&self) -> &About {
        &self.about
    }
    fn family(&self) -> &'static dyn Family {
        &Fake
    }
    fn variants(&self) -> Vec<String> {
        vec!["acks=1".to_owned(), "acks=all".to_owned()]
    }
    fn plan(&self, variant: Option<&str>, sets: &[String]) -> Result<Plan, String> {
        let mut plan = plan(&["billing"]);
        let acks = match variant {
            None | Some("acks=1") => "1",
            Some("acks=all") => "all",
            Some(other) => return Err(format!("no variant {other}")),
        };
        let acks = sets.iter().filter_map(|line| line.strip_prefix("acks = ")).next_back().unwrap_or(acks);
        plan.variant = Some(variant.unwrap_or("acks=1").to_owned());
        plan.producers[0].config.insert("acks".to_owned(), Value::Text(acks.to_owned()));
        plan.faults.clone_from(&self.faults);
        plan.expectations.clone_from(&self.expectations);
        plan.over_seeds.clone_from(&self.over_seeds);
        Ok(plan)
    }
}

/// Everything goes where it is sent.
struct Straight;

impl Router for Straight {
    fn routes(&self, producer: &ProducerPlan, consumer: &ConsumerPlan) -> bool {
        producer.send_to == consumer.read_from
    }
}

impl Family for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }
    fn places_word(&self) -> &'static str {
        "Logs"
    }
    fn reign_word(&self) -> &'static str {
        "epoch"
    }
    fn newest(&self) -> Version {
        Version(1, 0, 0)
    }
    fn oldest(&self) -> Version {
        Version(1, 0, 0)
    }
    fn settings(&self) -> &'static [Setting] {
        &[]
    }
    fn roles(&self) -> &'static [NodeRole] {
        &[]
    }
    fn cluster_fields(&self) -> &'static [Field] {
        &[]
    }
    fn entities(&self) -> &'static [EntityKind] {
        &[]
    }
    fn clients(&self) -> &'static [&'static str] {
        &[]
    }
    fn check(&self, _: &Plan) -> Vec<Finding> {
        Vec::new()
    }
    fn check_address(&self, _: &Plan, _: &str) -> Result<(), String> {
        Ok(())
    }
    fn check_role(&self, _: &Plan, _: &str) -> Result<(), String> {
        Ok(())
    }
    fn check_state(&self, _: &Plan, _: &str) -> Result<(), String> {
        Ok(())
    }
    fn router<'p>(&self, _: &'p Plan) -> Box<dyn Router + 'p> {
        Box::new(Straight)
    }
    fn world(&self, plan: &Plan, seed: u64) -> Box<dyn World> {
        Box::new(FakeWorld::new(plan, seed))
    }
    fn error_name(&self, _: u16) -> &'static str {
        "no error"
    }
    fn tell(&self, _: &FamilyFact, _: &dyn Names) -> Option<String> {
        None
    }
    fn explain(&self, case: &Case<'_>) -> Chain {
        let confirmed = case.history.iter().find(|one| matches!(one.fact, Fact::Confirmed { .. }));
        let fault = case.events.iter().find(|one| matches!(one.fact, Fact::Fault { .. }));
        let link = |at, kind: &str, text| Link { at, kind: kind.to_owned(), text };
        Chain {
            links: vec![
                link(None, "acks", "acks=1: the leader alone confirms".to_owned()),
                link(
                    confirmed.map(|one| one.at),
                    "confirmed",
                    format!("{} is confirmed", case.names.message(case.message)),
                ),
                link(
                    fault.map(|one| one.at),
                    "killed",
                    format!("{} dies", fault.map_or_else(String::new, |one| case.names.node(one.node))),
                ),
            ],
            remedies: vec![
                Remedy::WithoutFault(0),
                Remedy::Set("acks = all".to_owned()),
                Remedy::Set("acks = 1".to_owned()),
            ],
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum Event {
    Due(u32),
    Confirm(u32),
    Copy(u32),
    Fault(u16),
}

#[derive(Clone)]
struct FakeWorld {
    seed: u64,
    now: Time,
    agenda: BTreeMap<(Time, u64), Event>,
    scheduled: u64,
    events: u64,
    digest: u64,
    fired: Vec<Firing>,
    stored: BTreeSet<u32>,
    is_safe: bool,
    readers: Vec<String>,
    /// Everything it confirmed, by offset; none: it died with the broker.
    log: Vec<Option<MessageId>>,
    copied: usize,
    /// Which faults kill.
    kills: Vec<bool>,
    is_dead: bool,
}

impl FakeWorld {
    fn new(plan: &Plan, seed: u64) -> Self {
        let acks = plan.producers[0].config.get("acks");
        let mut world = Self {
            seed,
            now: Time::ZERO,
            agenda: BTreeMap::new(),
            scheduled: 0,
            events: 0,
            digest: seed,
            fired: Vec::new(),
            stored: BTreeSet::new(),
            is_safe: acks == Some(&Value::Text("all".to_owned())),
            readers: plan.consumers.iter().map(|one| one.name.clone()).collect(),
            log: Vec::new(),
            copied: 0,
            kills: plan.faults.iter().map(|one| matches!(one.verb, Verb::Kill(_))).collect(),
            is_dead: false,
        };
        for n in 0..plan.producers[0].messages.unwrap_or(100) {
            world.schedule(Span::from_millis(10) * u64::from(n), Event::Due(n));
        }
        for (number, fault) in plan.faults.iter().enumerate() {
            if let Trigger::At(at) = fault.trigger {
                world.schedule(at, Event::Fault(number as u16));
            }
        }
        world
    }

    fn schedule(&mut self, after: Span, event: Event) {
        self.agenda.insert((self.now + after, self.scheduled), event);
        self.scheduled += 1;
    }

    fn dispatch(&mut self, event: Event, out: &mut Vec<Observation>) {
        self.events += 1;
        let seen = format!("{:?} {} {event:?}", self.digest, self.now.0);
        self.digest = xxhash_rust::xxh3::xxh3_64(seen.as_bytes());
        match event {
            Event::Due(n) => {
                let message = MessageId(n);
                let producer = ProducerId(0);
                self.observe(out, Fact::Due { message, producer, instance: 0, number: n + 1, key: None });
                let jitter = Span(below(bits(self.seed, Purpose::Test, u64::from(n), 0), 2_000_000));
                self.schedule(Span::from_millis(1) + jitter, Event::Confirm(n));
            }
            Event::Confirm(n) => {
                self.stored.insert(n);
                self.log.push(Some(MessageId(n)));
                self.observe(out, Fact::Confirmed { message: MessageId(n), attempt: 1 });
                self.schedule(Span::from_millis(5), Event::Copy(n));
            }
            Event::Copy(n) => {
                self.copied += 1;
                if !self.readers.is_empty() && self.stored.remove(&n) {
                    let (message, subscription) = (MessageId(n), SubscriptionId(0));
                    self.observe(out, Fact::Delivered { message, subscription, instance: 0, flagged: false });
                    self.observe(out, Fact::Effect { message, subscription, stale: false });
                }
            }
            Event::Fault(fault) => {
                self.fired.push(Firing { fault, node: NodeId(0), at: self.now });
                self.observe(out, Fact::Fault { fault });
                self.is_dead = self.kills[fault as usize];
                if !self.is_safe {
                    for lost in
                        self.log.iter_mut().filter(|cell| cell.is_some_and(|it| self.stored.contains(&it.0)))
                    {
                        *lost = None;
                    }
                    self.stored.clear();
                }
            }
        }
    }

    fn observe(&self, out: &mut Vec<Observation>, fact: Fact) {
        out.push(Observation { at: self.now, node: NodeId(0), fact });
    }
}

impl World for FakeWorld {
    fn advance(&mut self, until: Time, observations: &mut Vec<Observation>) -> Progress {
        while self.agenda.first_key_value().is_some_and(|(&(at, _), _)| at <= until) {
            self.step(until, observations);
            if observations.len() >= 8 {
                return Progress::Pause;
            }
        }
        self.now = until;
        Progress::Reached
    }
    fn step(&mut self, until: Time, observations: &mut Vec<Observation>) -> Progress {
        if self.agenda.first_key_value().is_some_and(|(&(at, _), _)| at > until) {
            self.now = until;
            return Progress::Reached;
        }
        let Some(((at, _), event)) = self.agenda.pop_first() else {
            self.now = if until == Time::NEVER { self.now } else { until };
            return if until == Time::NEVER { Progress::Ended } else { Progress::Reached };
        };
        self.now = at;
        self.dispatch(event, observations);
        Progress::Pause
    }
    fn now(&self) -> Time {
        self.now
    }
    fn events(&self) -> u64 {
        self.events
    }
    fn digest(&self) -> u64 {
        self.digest
    }
    fn is_quiet(&self) -> bool {
        self.agenda.is_empty()
    }
    fn want_details(&mut self, _: Details) {}
    fn resolve(&self, _: &str) -> Vec<NodeId> {
        vec![NodeId(0)]
    }
    fn fired(&self) -> &[Firing] {
        &self.fired
    }
    fn waiting(&self, _: SubscriptionId) -> Vec<MessageId> {
        self.stored.iter().map(|&n| MessageId(n)).collect()
    }
    fn heal(&mut self) {}
    fn is_replicated(&self) -> bool {
        true
    }
    fn state(&self, path: &str) -> Option<Value> {
        (path == "orders/0.leader").then(|| Value::Text("broker-1".to_owned()))
    }
    fn snapshot(&self) -> Box<dyn World> {
        Box::new(self.clone())
    }
    fn node_name(&self, node: NodeId) -> String {
        self.name(node)
    }
    fn place_name(&self, place: PlaceId) -> String {
        format!("orders/{}", place.0)
    }
    fn nodes(&self) -> Vec<NodePicture> {
        self.pictures()
    }
    fn inspect(&self, node: NodeId) -> Vec<Section> {
        self.sections(node)
    }
    fn links(&self) -> Vec<LinkPicture> {
        self.joined()
    }
    fn places(&self) -> Vec<PlaceId> {
        vec![PlaceId(0)]
    }
    fn place(&self, place: PlaceId) -> Option<PlacePicture> {
        (place == PlaceId(0)).then(|| self.orders())
    }
    fn cells(&self, _: PlaceId, node: NodeId, from: u64, to: u64) -> Vec<Option<MessageId>> {
        self.held(node, from, to)
    }
    fn gauges(&self) -> Vec<Gauge> {
        self.measures()
    }
    fn broken_invariants(&self) -> Vec<String> {
        Vec::new()
    }
    fn missing(&self, _: &[MessageId]) -> Vec<MessageId> {
        Vec::new()
    }
}
