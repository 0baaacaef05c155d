//! A running world of any family: the engine, the names of its nodes, and the faults of its plan.
//!
//! A family brings its nodes as a [`Hosted`] model; everything that has to do with *when* and *whom* a fault hits is
//! here, once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Command, Details, Firing, Progress, World};
use crate::fact::{Down, Fact, MessageId, NodeId, Observation, PlaceId, SubscriptionId};
use crate::scenario::plan::{Condition as Await, FaultPlan, Plan, Target, Trigger, Value, Verb, Which};
use crate::sim::{Condition, ConditionId, Engine, Frames, LinkConfig, LinkEffect, Model, Status, Step, Time};

mod watch;

use watch::Watch;

/// What a family's model answers about itself.
pub(super) trait Hosted: Model<Fact = Fact> + Sized {
    /// The nodes that have a role now: `leader of orders/0`.
    fn resolve(engine: &Engine<Self>, role: &str) -> Vec<NodeId>;
    /// See [`World::waiting`].
    fn waiting(engine: &Engine<Self>, subscription: SubscriptionId) -> Vec<MessageId>;
    /// Whether clients have nothing left to do.
    fn is_settled(engine: &Engine<Self>) -> bool;
    /// See [`World::is_replicated`].
    fn is_replicated(engine: &Engine<Self>) -> bool;
    /// See [`World::state`].
    fn state(engine: &Engine<Self>, path: &str) -> Option<Value>;
    /// See [`World::place_name`].
    fn place_name(engine: &Engine<Self>, place: PlaceId) -> String;
    /// See [`World::broken_invariants`].
    fn broken_invariants(engine: &Engine<Self>) -> Vec<String>;
    /// See [`World::missing`].
    fn missing(engine: &Engine<Self>, confirmed: &[MessageId]) -> Vec<MessageId>;
}

/// Observations are handed over in slices of about this many.
const SLICE: usize = 4096;
/// And after this many events at the latest, so that a world in which time stands still can be stopped.
const PATIENCE: u64 = 1 << 20;

/// A running world.
#[derive(Clone)]
pub(super) struct Host<M: Hosted> {
    engine: Engine<M>,
    names: Arc<NodeNames>,
    faults: Vec<FaultPlan>,
    /// Started at a time, not started yet.
    to_come: usize,
    watches: Vec<Watch>,
    ends: Vec<Ending>,
    open_ends: usize,
    fired: Vec<Firing>,
    known_as: BTreeMap<String, Vec<NodeId>>,
    /// Nodes that were asked to stop and have not yet; whether they are to start again when they have.
    stopping: Vec<(NodeId, bool)>,
    /// How many observations the watches have seen.
    seen: usize,
    window_ends: Time,
}

/// Something that a fault will undo.
#[derive(Clone, Debug)]
struct Ending {
    fault: u16,
    undo: Undo,
}

#[derive(Clone, Debug)]
enum Undo {
    Start(Vec<NodeId>),
    Thaw(Vec<NodeId>),
    Lift(Vec<NodeId>, ConditionId),
    Speed(Vec<NodeId>),
}

/// The nodes and what they are called.
#[derive(Debug)]
pub(super) struct NodeNames {
    names: Vec<String>,
    sets: BTreeMap<String, Vec<NodeId>>,
}

impl NodeNames {
    /// Nodes in the order of the cluster's roles, then producers' and consumers' instances, then services.
    pub(super) fn new(plan: &Plan, roles: &[(&str, &str)]) -> Self {
        let mut names = Vec::new();
        let mut sets: BTreeMap<String, Vec<NodeId>> = BTreeMap::new();
        for (plural, singular) in roles {
            for number in 1..=plan.cluster.roles.get(*plural).copied().unwrap_or(0) {
                sets.entry((*plural).to_owned()).or_default().push(NodeId(names.len() as u16));
                names.push(format!("{singular}-{number}"));
            }
        }
        let producers = plan.producers.iter().map(|it| (&it.name, it.instances, "producers"));
        let consumers = plan.consumers.iter().map(|it| (&it.name, it.instances, "consumers"));
        for (name, instances, set) in producers.chain(consumers) {
            for instance in 1..=instances {
                let node = NodeId(names.len() as u16);
                for set in [set, "clients", name] {
                    sets.entry(set.to_owned()).or_default().push(node);
                }
                names.push(if instances == 1 { name.clone() } else { format!("{name}/{instance}") });
                sets.insert(format!("{name}/{instance}"), vec![node]);
            }
        }
        for service in &plan.services {
            sets.insert(format!("{}/1", service.name), vec![NodeId(names.len() as u16)]);
            names.push(service.name.clone());
        }
        for (node, name) in names.iter().enumerate() {
            sets.entry(name.clone()).or_insert_with(|| vec![NodeId(node as u16)]);
        }
        Self { names, sets }
    }

    fn count(&self) -> u16 {
        self.names.len() as u16
    }

    fn of(&self, name: &str) -> Option<&Vec<NodeId>> {
        self.sets.get(name)
    }
}

impl<M: Hosted> Host<M> {
    /// A world at time zero, every node started.
    pub(super) fn new(model: M, plan: &Plan, seed: u64, names: NodeNames) -> Self {
        let link = LinkConfig { latency: plan.network.latency, bandwidth: plan.network.bandwidth };
        let engine = Engine::new(model, seed, names.count(), link, plan.network.fsync);
        let mut host = Self {
            engine,
            names: Arc::new(names),
            faults: Vec::new(),
            to_come: 0,
            watches: Vec::new(),
            ends: Vec::new(),
            open_ends: 0,
            fired: Vec::new(),
            known_as: BTreeMap::new(),
            stopping: Vec::new(),
            seen: 0,
            window_ends: Time::ZERO + plan.run_for,
        };
        for fault in &plan.faults {
            host.add(fault.clone());
        }
        host.engine.start_all();
        host
    }

    /// Arms a fault.
    fn add(&mut self, fault: FaultPlan) {
        let index = self.faults.len() as u32;
        match &fault.trigger {
            Trigger::At(at) => {
                self.to_come += 1;
                self.engine.schedule(Time::ZERO + *at, index);
            }
            Trigger::Step | Trigger::When { condition: Await::State(_), .. } => {}
            Trigger::When { condition: Await::Observed { moment, by, nth }, after } => {
                let nodes = by.as_ref().map(|by| self.names.of(by).cloned().unwrap_or_default());
                self.watches.push(Watch::new(index as u16, *moment, nodes, *nth, *after));
            }
        }
        self.faults.push(fault);
    }

    /// Dispatches one event and does what the plan wants done about it.
    fn dispatch(&mut self, until: Time) -> Step {
        let step = self.engine.step(until);
        if let Step::Control(id) = step {
            self.control(id);
        }
        if !self.stopping.is_empty() {
            self.note_stopped();
        }
        if !self.watches.is_empty() && self.engine.observations().len() > self.seen {
            self.watch();
        }
        step
    }

    /// A fault's time, or its end's time, has come.
    fn control(&mut self, id: u32) {
        if id >= ENDINGS {
            self.open_ends -= 1;
            let ending = self.ends[(id - ENDINGS) as usize].clone();
            self.undo(&ending);
        } else {
            self.to_come -= 1;
            self.fire(id as u16);
        }
    }

    /// Shows the new observations to whoever waits for a moment.
    fn watch(&mut self) {
        let now = self.engine.now();
        let observations = self.engine.observations();
        let new = observations.get(self.seen..).unwrap_or_default();
        let mut due = Vec::new();
        for observation in new {
            self.watches.retain_mut(|watch| {
                let is_met = watch.meets(observation);
                if is_met {
                    due.push((now + watch.after, watch.fault));
                }
                !is_met
            });
        }
        self.seen = observations.len();
        for (at, fault) in due {
            if at <= self.window_ends {
                self.to_come += 1;
                self.engine.schedule(at, u32::from(fault));
            }
        }
    }

    fn note_stopped(&mut self) {
        let mut at = 0;
        while at < self.stopping.len() {
            let (node, starts_again) = self.stopping[at];
            if matches!(self.engine.status(node), Status::Up | Status::Frozen) {
                at += 1;
                continue;
            }
            self.stopping.swap_remove(at);
            self.observe(node, Fact::NodeDown { how: Down::Stopped });
            if starts_again && self.engine.start(node) {
                self.observe(node, Fact::NodeUp);
            }
        }
    }

    fn observe(&mut self, node: NodeId, fact: Fact) {
        let at = self.engine.now();
        self.engine.observations().push(Observation { at, node, fact });
    }

    fn named(&self, name: &str) -> Vec<NodeId> {
        match self.known_as.get(name).or_else(|| self.names.of(name)) {
            Some(nodes) => nodes.clone(),
            None => M::resolve(&self.engine, name),
        }
    }

    fn find(&self, target: &Target) -> Vec<NodeId> {
        match target {
            Target::Name(name) => self.named(name),
            Target::All(targets) => {
                let mut nodes: Vec<_> = targets.iter().flat_map(|target| self.find(target)).collect();
                nodes.sort_unstable();
                nodes.dedup();
                nodes
            }
        }
    }

    /// A fault acts: on every node it means, as far as its verb can act there.
    fn fire(&mut self, index: u16) {
        let fault = self.faults[index as usize].clone();
        let (hit, undo) = self.act(&fault.verb);
        if hit.is_empty() {
            return;
        }
        let at = self.engine.now();
        for &node in &hit {
            self.fired.push(Firing { fault: index, node, at });
            self.observe(node, Fact::Fault { fault: index });
        }
        self.report_down(&fault.verb, &hit);
        if let Some(name) = fault.known_as {
            self.known_as.insert(name, hit);
        }
        if let (Some(after), Some(undo)) = (fault.ends_after, undo) {
            let id = ENDINGS + self.ends.len() as u32;
            self.ends.push(Ending { fault: index, undo });
            self.open_ends += 1;
            self.engine.schedule(at + after, id);
        }
    }

    /// Whom the verb hit, and how to undo it.
    fn act(&mut self, verb: &Verb) -> (Vec<NodeId>, Option<Undo>) {
        match verb {
            Verb::Kill(target) => self.on_each(target, Engine::kill, Undo::Start),
            Verb::PowerOff(target) => self.on_each(target, Engine::power_off, Undo::Start),
            Verb::Stop(target) => {
                let (hit, undo) = self.on_each(target, Engine::stop, Undo::Start);
                for &node in &hit {
                    if self.stopping.iter().all(|&(stopping, _)| stopping != node) {
                        self.stopping.push((node, false));
                    }
                }
                (hit, undo)
            }
            Verb::LoseDisk(target) => {
                let lose = |engine: &mut Engine<M>, node| {
                    engine.lose_disk(node);
                    true
                };
                self.on_each(target, lose, Undo::Start)
            }
            Verb::Freeze(target) => self.on_each(target, Engine::freeze, Undo::Thaw),
            Verb::Disconnect(target) => (self.on_each(target, Engine::disconnect, Undo::Thaw).0, None),
            Verb::Start(target) => {
                let go = |engine: &mut Engine<M>, node| engine.start(node) || engine.thaw(node);
                (self.on_each(target, go, Undo::Thaw).0, None)
            }
            Verb::SlowDisk { target, factor } => {
                let nodes = self.find(target);
                for &node in &nodes {
                    self.engine.slow_disk(node, *factor);
                }
                (nodes.clone(), Some(Undo::Speed(nodes)))
            }
            Verb::Cut { target, from, one_way } => {
                self.impose(target, from.as_ref(), !one_way, LinkEffect::Cut)
            }
            Verb::Delay { target, from, by } => {
                self.impose(target, from.as_ref(), true, LinkEffect::Delay(*by))
            }
            Verb::Drop(frames) => {
                let effect = LinkEffect::Drop(frames_of(frames.which));
                self.impose(&frames.target, frames.from.as_ref(), true, effect)
            }
            Verb::Duplicate(frames) => {
                let effect = LinkEffect::Duplicate(frames_of(frames.which));
                self.impose(&frames.target, frames.from.as_ref(), true, effect)
            }
            // Refused by the language so far.
            Verb::TearDisk { .. }
            | Verb::ClockJump { .. }
            | Verb::Thaw(_)
            | Verb::Heal(_)
            | Verb::Alter { .. } => (Vec::new(), None),
        }
    }

    fn on_each(
        &mut self,
        target: &Target,
        act: impl Fn(&mut Engine<M>, NodeId) -> bool,
        undo: impl Fn(Vec<NodeId>) -> Undo,
    ) -> (Vec<NodeId>, Option<Undo>) {
        let mut hit = self.find(target);
        hit.retain(|&node| act(&mut self.engine, node));
        (hit.clone(), Some(undo(hit)))
    }

    fn impose(
        &mut self,
        target: &Target,
        other: Option<&Target>,
        both_ways: bool,
        effect: LinkEffect,
    ) -> (Vec<NodeId>, Option<Undo>) {
        let nodes = self.find(target);
        if nodes.is_empty() {
            return (nodes, None);
        }
        let to = other.map(|other| self.find(other));
        let id = self.engine.impose(Condition { from: nodes.clone(), to, both_ways, effect });
        (nodes.clone(), Some(Undo::Lift(nodes, id)))
    }

    fn report_down(&mut self, verb: &Verb, hit: &[NodeId]) {
        let fact = match verb {
            Verb::Kill(_) | Verb::LoseDisk(_) => Fact::NodeDown { how: Down::Killed },
            Verb::PowerOff(_) => Fact::NodeDown { how: Down::PowerLost },
            Verb::Start(_) => Fact::NodeUp,
            _ => return,
        };
        for &node in hit {
            self.observe(node, fact);
        }
    }

    fn undo(&mut self, ending: &Ending) {
        let nodes = match &ending.undo {
            Undo::Start(nodes) => {
                for &node in nodes {
                    if let Some(stopping) = self.stopping.iter_mut().find(|(stopping, _)| *stopping == node) {
                        stopping.1 = true;
                    } else if self.engine.start(node) {
                        self.observe(node, Fact::NodeUp);
                    }
                }
                nodes
            }
            Undo::Thaw(nodes) => {
                for &node in nodes {
                    self.engine.thaw(node);
                }
                nodes
            }
            Undo::Lift(nodes, id) => {
                self.engine.lift(*id);
                nodes
            }
            Undo::Speed(nodes) => {
                for &node in nodes {
                    self.engine.slow_disk(node, 1);
                }
                nodes
            }
        };
        for &node in nodes {
            self.observe(node, Fact::FaultEnded { fault: ending.fault });
        }
    }

    /// Hands over what was observed.
    fn flush(&mut self, into: &mut Vec<Observation>) {
        into.append(self.engine.observations());
        self.seen = 0;
    }

    fn progress(step: Step) -> Option<Progress> {
        match step {
            Step::Done | Step::Control(_) => None,
            Step::Idle => Some(Progress::Reached),
            Step::Bound(limit) => Some(Progress::Bound(limit)),
        }
    }
}

/// Control numbers from here on are ends of faults.
const ENDINGS: u32 = 1 << 16;

fn frames_of(which: Which) -> Frames {
    match which {
        Which::Rate(ppm) => Frames::Rate(ppm),
        Which::Nth(nth) => Frames::Nth(nth),
    }
}

impl<M: Hosted + Send + 'static> World for Host<M>
where
    M::Packet: Send,
    M::Timer: Send,
{
    fn advance(&mut self, until: Time, observations: &mut Vec<Observation>) -> Progress {
        let events_max = self.engine.events() + PATIENCE;
        loop {
            let step = self.dispatch(until);
            let is_much = self.engine.observations().len() >= SLICE || self.engine.events() >= events_max;
            if let Some(progress) = Self::progress(step) {
                if progress == Progress::Reached {
                    self.engine.rest_until(until);
                }
                self.flush(observations);
                return progress;
            }
            if is_much {
                self.flush(observations);
                return Progress::Pause;
            }
        }
    }

    fn step(&mut self, observations: &mut Vec<Observation>) -> Progress {
        let step = self.dispatch(Time::NEVER);
        self.flush(observations);
        match step {
            Step::Idle => Progress::Ended,
            step => Self::progress(step).unwrap_or(Progress::Pause),
        }
    }

    fn now(&self) -> Time {
        self.engine.now()
    }

    fn events(&self) -> u64 {
        self.engine.events()
    }

    fn digest(&self) -> u64 {
        self.engine.digest()
    }

    fn is_quiet(&self) -> bool {
        self.to_come == 0 && self.open_ends == 0 && self.stopping.is_empty() && M::is_settled(&self.engine)
    }

    fn want_details(&mut self, details: Details) {
        self.engine.want_details(details == Details::On);
    }

    fn resolve(&self, target: &str) -> Vec<NodeId> {
        self.named(target)
    }

    fn fired(&self) -> &[Firing] {
        &self.fired
    }

    fn waiting(&self, subscription: SubscriptionId) -> Vec<MessageId> {
        M::waiting(&self.engine, subscription)
    }

    fn heal(&mut self) {
        self.engine.lift_all();
        let clients = self.names.of("clients").cloned().unwrap_or_default();
        for node in (0..self.names.count()).map(NodeId) {
            self.engine.slow_disk(node, 1);
            if clients.contains(&node) {
                self.engine.kill(node);
            } else {
                if self.stopping.iter().any(|&(stopping, _)| stopping == node) {
                    // It would end later, and nobody would start it again.
                    self.engine.kill(node);
                }
                self.engine.thaw(node);
                self.engine.start(node);
            }
        }
        self.watches.clear();
        self.stopping.clear();
    }

    fn is_replicated(&self) -> bool {
        M::is_replicated(&self.engine)
    }

    fn state(&self, path: &str) -> Option<Value> {
        if let Some(name) = path.strip_suffix(".up") {
            let &[node] = self.names.of(name)?.as_slice() else { return None };
            return Some(Value::Bool(matches!(self.engine.status(node), Status::Up | Status::Frozen)));
        }
        M::state(&self.engine, path)
    }

    fn apply(&mut self, command: &Command) {
        let Command::Fault(fault) = command;
        let index = self.faults.len() as u16;
        self.faults.push(fault.clone());
        self.fire(index);
    }

    fn snapshot(&self) -> Box<dyn World> {
        Box::new(self.clone())
    }

    fn node_name(&self, node: NodeId) -> String {
        self.names.names.get(node.0 as usize).cloned().unwrap_or_default()
    }

    fn place_name(&self, place: PlaceId) -> String {
        M::place_name(&self.engine, place)
    }

    fn broken_invariants(&self) -> Vec<String> {
        M::broken_invariants(&self.engine)
    }

    fn missing(&self, confirmed: &[MessageId]) -> Vec<MessageId> {
        M::missing(&self.engine, confirmed)
    }
}
