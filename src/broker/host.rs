//! A running world of any family: the engine, the names of its nodes, and the faults of its plan.
//!
//! A family brings its nodes as a [`Hosted`] model; everything that has to do with *when* and *whom* a fault hits is
//! here, once.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::picture::{Gauge, LinkPicture, NodePicture, PlacePicture, Section};
use super::{Details, Firing, Left, Progress, World};
use crate::fact::{Aside, Down, Fact, MessageId, NodeId, Observation, PlaceId, SubscriptionId};
use crate::scenario::expect::Expectation;
use crate::scenario::plan::{Config, FaultPlan, Plan, Starting, Starts, Target, Trigger, Value};
use crate::sim::{ConditionId, Engine, FileId, LinkConfig, Status, Step, Time};

mod act;
mod names;
mod picture;
mod script;
mod watch;

pub(super) use names::{NodeNames, services};
pub(super) use picture::{Pictured, Shown};
pub(super) use script::ClientCommand;
use script::Script;
use watch::{Waiter, Watch};

/// What a family's model answers about itself.
pub(super) trait Hosted: Pictured {
    /// The nodes that have a role now: `leader of orders/0`.
    fn resolve(engine: &Engine<Self>, role: &str) -> Vec<NodeId>;
    /// See [`World::waiting`].
    fn waiting(engine: &Engine<Self>, subscription: SubscriptionId) -> Vec<MessageId>;
    /// See [`World::aside`].
    fn aside(_engine: &Engine<Self>, _subscription: SubscriptionId) -> Option<Aside> {
        None
    }
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
    /// The file of a node that a scenario calls by this name: `orders/0`.
    fn file(_engine: &Engine<Self>, _node: NodeId, _of: &str) -> Option<FileId> {
        None
    }
    /// Every fault is lifted and every node runs: what an operator would do besides.
    fn heal(_engine: &mut Engine<Self>) {}
    /// An administrator changes a declared table; whether that did anything.
    fn alter(_engine: &mut Engine<Self>, _kind: &str, _name: &str, _fields: &Config) -> bool {
        false
    }
    /// Tells a client that runs to do something; whether it does.
    fn command(_engine: &mut Engine<Self>, _node: NodeId, _command: &ClientCommand<'_>) -> bool {
        false
    }
    /// Whether a client that was told to do something has done it.
    fn is_idle(_engine: &Engine<Self>, _node: NodeId) -> bool {
        true
    }
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
    /// Who waits for a state: all of these hold at once.
    states: Vec<(Waiter, Vec<Expectation>)>,
    script: Option<Box<Script>>,
    /// What is imposed on links and not lifted.
    imposed: Vec<Imposed>,
    ends: Vec<Ending>,
    open_ends: usize,
    fired: Vec<Firing>,
    known_as: BTreeMap<String, Vec<NodeId>>,
    /// Consumers that are not there from the beginning, until the first process of each has started.
    late: Vec<(NodeId, SubscriptionId)>,
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

/// A condition on links that a fault imposed.
#[derive(Clone, Debug)]
struct Imposed {
    fault: u16,
    nodes: Vec<NodeId>,
    id: ConditionId,
}

#[derive(Clone, Debug)]
enum Undo {
    Start(Vec<NodeId>),
    Thaw(Vec<NodeId>),
    Lift(Vec<NodeId>, ConditionId),
    Speed(Vec<NodeId>),
}

impl<M: Hosted> Host<M> {
    #[cfg(test)]
    pub(super) fn model(&self) -> &M {
        &self.engine.model
    }

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
            states: Vec::new(),
            script: Script::new(plan),
            imposed: Vec::new(),
            ends: Vec::new(),
            open_ends: 0,
            fired: Vec::new(),
            known_as: BTreeMap::new(),
            late: Vec::new(),
            stopping: Vec::new(),
            seen: 0,
            window_ends: Time::ZERO + plan.run_for,
        };
        for fault in &plan.faults {
            host.add(fault.clone());
        }
        host.arrange_clients(plan);
        host.note_late(plan);
        host.engine.start_all();
        host.react();
        host
    }

    /// Clients that start later are down until then; those that stop are asked to when it is time.
    fn arrange_clients(&mut self, plan: &Plan) {
        let all = |starts| Starting::all(starts);
        let producers = plan.producers.iter().map(|one| (&one.name, all(one.starts), one.stops));
        let consumers = plan.consumers.iter().map(|one| (&one.name, one.starts.clone(), one.stops));
        for (name, starts, stops) in producers.chain(consumers) {
            for (instance, node) in self.names.of(name).cloned().unwrap_or_default().into_iter().enumerate() {
                let starts = starts.of(instance as u16);
                if starts != Starts::AtOnce {
                    self.engine.kill(node);
                }
                if let Starts::At(at) = starts {
                    self.to_come += 1;
                    self.engine.schedule(Time::ZERO + at, STARTS + u32::from(node.0));
                }
                if let Some(at) = stops {
                    self.to_come += 1;
                    self.engine.schedule(Time::ZERO + at, STOPS + u32::from(node.0));
                }
            }
        }
    }

    /// Which consumers are not there from the beginning.
    fn note_late(&mut self, plan: &Plan) {
        for (number, consumer) in plan.consumers.iter().enumerate() {
            if !consumer.starts.is_there() {
                let nodes = self.names.of(&consumer.name).into_iter().flatten();
                self.late.extend(nodes.map(|&node| (node, SubscriptionId(number as u16))));
            }
        }
    }

    /// Arms a fault.
    fn add(&mut self, fault: FaultPlan) {
        let index = self.faults.len() as u32;
        match &fault.trigger {
            Trigger::At(at) => {
                self.to_come += 1;
                self.engine.schedule(Time::ZERO + *at, index);
            }
            Trigger::Step => {}
            Trigger::When { condition, after } => {
                self.wait_for(Waiter::Fault(index as u16, *after), condition);
            }
        }
        self.faults.push(fault);
    }

    /// Dispatches events, up to so many in all, until one of them matters to somebody, and does what the plan wants
    /// done about it. The last of them is the only one that may matter.
    fn dispatch(&mut self, until: Time, events_max: u64) -> Step {
        let is_looked_at = !self.states.is_empty() || !self.stopping.is_empty() || self.is_script_alert();
        let events_max = if is_looked_at { 0 } else { events_max };
        let step = loop {
            let step = self.engine.step(until);
            let observed = self.engine.observations().len();
            let is_much = observed >= SLICE || self.engine.events() >= events_max;
            let is_new = observed > self.seen && !self.watches.is_empty();
            if step != Step::Done || is_much || is_new && self.is_awaited() {
                break step;
            }
        };
        if let Step::Control(id) = step {
            self.control(id);
        }
        if !self.stopping.is_empty() {
            self.note_stopped();
        }
        if self.is_watched() {
            self.react();
        }
        step
    }

    /// A scheduled time has come: of the script, a client, a fault, or a fault's end.
    fn control(&mut self, id: u32) {
        if id == SCRIPT {
            if let Some(script) = &mut self.script {
                script.wake();
            }
        } else if id >= STOPS {
            self.to_come -= 1;
            self.ask_to_stop(NodeId((id - STOPS) as u16));
        } else if id >= STARTS {
            self.to_come -= 1;
            self.start(NodeId((id - STARTS) as u16));
        } else if id >= ENDINGS {
            self.open_ends -= 1;
            let ending = self.ends[(id - ENDINGS) as usize].clone();
            self.undo(&ending);
        } else {
            self.to_come -= 1;
            self.fire(id as u16);
        }
    }

    /// What somebody waited for has come.
    fn met(&mut self, waiter: Waiter) {
        match waiter {
            Waiter::Script => {
                if let Some(script) = &mut self.script {
                    script.met();
                }
            }
            Waiter::Fault(fault, after) => {
                let at = self.engine.now() + after;
                if at <= self.window_ends {
                    self.to_come += 1;
                    self.engine.schedule(at, u32::from(fault));
                }
            }
        }
    }

    /// The value of a state path.
    fn state(&self, path: &str) -> Option<Value> {
        if let Some(name) = path.strip_suffix(".up") {
            let &[node] = self.names.of(name)?.as_slice() else { return None };
            return Some(Value::Bool(matches!(self.engine.status(node), Status::Up | Status::Frozen)));
        }
        M::state(&self.engine, path)
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
        if fact == Fact::NodeUp
            && let Some(&(_, subscription)) = self.late.iter().find(|(late, _)| *late == node)
        {
            self.late.retain(|&(_, other)| other != subscription);
            self.engine.observations().push(Observation {
                at,
                node,
                fact: Fact::Subscribed { subscription },
            });
        }
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

    /// Hands over what was observed.
    fn flush(&mut self, into: &mut Vec<Observation>) {
        if into.is_empty() {
            std::mem::swap(into, self.engine.observations());
        } else {
            into.append(self.engine.observations());
        }
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
/// From here on, starts of clients.
const STARTS: u32 = 1 << 29;
/// From here on, clients that are asked to stop.
const STOPS: u32 = 1 << 30;
/// The script's step has waited long enough.
const SCRIPT: u32 = u32::MAX;

impl<M: Hosted + Send + 'static> World for Host<M>
where
    M::Packet: Send,
    M::Timer: Send,
{
    fn advance(&mut self, until: Time, observations: &mut Vec<Observation>) -> Progress {
        let events_max = self.engine.events() + PATIENCE;
        self.go_on_after_judgement();
        loop {
            if self.ask() {
                self.flush(observations);
                return Progress::Asked;
            }
            let step = self.dispatch(until, events_max);
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

    fn step(&mut self, until: Time, observations: &mut Vec<Observation>) -> Progress {
        self.go_on_after_judgement();
        if self.ask() {
            self.flush(observations);
            return Progress::Asked;
        }
        let step = self.dispatch(until, 0);
        self.flush(observations);
        match step {
            _ if self.ask() => Progress::Asked,
            Step::Idle if until == Time::NEVER => Progress::Ended,
            Step::Idle => {
                self.engine.rest_until(until);
                Progress::Reached
            }
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
        self.to_come == 0
            && self.open_ends == 0
            && self.stopping.is_empty()
            && self.script.as_ref().is_none_or(|script| script.is_over())
            && M::is_settled(&self.engine)
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

    fn aside(&self, subscription: SubscriptionId) -> Option<Aside> {
        M::aside(&self.engine, subscription)
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
        self.states.clear();
        self.script = None;
        self.imposed.clear();
        self.stopping.clear();
        M::heal(&mut self.engine);
    }

    fn is_replicated(&self) -> bool {
        M::is_replicated(&self.engine)
    }

    fn state(&self, path: &str) -> Option<Value> {
        Self::state(self, path)
    }

    fn asks(&self) -> Option<u16> {
        self.script.as_ref().and_then(|script| script.asks())
    }

    fn steps_left(&self) -> Vec<(u16, Left)> {
        self.script.as_ref().map_or_else(Vec::new, |script| script.left())
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

    fn nodes(&self) -> Vec<NodePicture> {
        self.node_pictures()
    }

    fn inspect(&self, node: NodeId) -> Vec<Section> {
        if node.0 < self.names.count() { M::inspect(&self.engine, node) } else { Vec::new() }
    }

    fn links(&self) -> Vec<LinkPicture> {
        self.link_pictures()
    }

    fn places(&self) -> Vec<PlaceId> {
        M::places(&self.engine)
    }

    fn place(&self, place: PlaceId) -> Option<PlacePicture> {
        self.place_picture(place)
    }

    fn cells(&self, place: PlaceId, node: NodeId, from: u64, to: u64) -> Vec<Option<MessageId>> {
        M::cells(&self.engine, (place, node), from, to)
    }

    fn gauges(&self) -> Vec<Gauge> {
        M::gauges(&self.engine)
    }

    fn broken_invariants(&self) -> Vec<String> {
        M::broken_invariants(&self.engine)
    }

    fn missing(&self, confirmed: &[MessageId]) -> Vec<MessageId> {
        M::missing(&self.engine, confirmed)
    }
}
