//! The script of a plan: one step after another.
//!
//! A step waits as it says, then acts, and is done when what it does is done; then the next one begins. A step that
//! claims something pauses the world until somebody has judged.
//!
//! Invariant: no fault and no send starts after the window; the script ends there, and says which steps were left.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::watch::Waiter;
use super::{Host, Hosted};
use crate::broker::Left;
use crate::fact::{Fact, NodeId};
use crate::scenario::plan::{Action, Condition, Plan, StepPlan, Verb, WhichMessages};
use crate::sim::{Status, Time};

/// What a step asks of one client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) enum ClientCommand<'a> {
    /// Its application sends so many messages.
    Send(u32),
    /// It takes so many messages and processes them; none: all that it can get now.
    Get(Option<u32>),
    /// It acknowledges what it holds.
    Ack(&'a WhichMessages),
    /// It gives back what it holds.
    GiveBack {
        /// Which.
        which: &'a WhichMessages,
        /// To be delivered again.
        is_requeued: bool,
        /// The vendor's single-message form.
        is_reject: bool,
    },
    /// It commits its position.
    Commit,
}

/// Where a script stands.
#[derive(Clone, Debug)]
pub(super) struct Script {
    steps: Arc<[StepPlan]>,
    /// The step that has begun.
    at: usize,
    phase: Phase,
    /// Whether it was said that the step's claims are to be judged now.
    is_asked: bool,
    /// Steps that found nothing to do, and why.
    idle: Vec<(u16, String)>,
    /// How many messages each name was told to send.
    told: BTreeMap<String, u32>,
}

#[derive(Clone, Debug)]
enum Phase {
    /// Begins now.
    Begin,
    /// Until its control comes.
    Sleep,
    /// The time has come; a condition may be left to wait for.
    Await,
    /// Until a moment or a state comes.
    Watch,
    /// It acts now.
    Act,
    /// It acted; done when these are.
    Acting(Vec<NodeId>),
    /// Its claims are to be judged.
    Ask,
    /// Nothing more happens.
    Over,
}

impl Script {
    pub(super) fn new(plan: &Plan) -> Option<Box<Self>> {
        let steps: Arc<[StepPlan]> = plan.steps.clone().into();
        let (phase, idle, told) = (Phase::Begin, Vec::new(), BTreeMap::new());
        let script = Self { steps, at: 0, phase, is_asked: false, idle, told };
        (!script.steps.is_empty()).then(|| Box::new(script))
    }

    /// Its control has come.
    pub(super) fn wake(&mut self) {
        if matches!(self.phase, Phase::Sleep) {
            self.phase = Phase::Await;
        }
    }

    /// What it watched for has come.
    pub(super) fn met(&mut self) {
        if matches!(self.phase, Phase::Watch) {
            self.phase = Phase::Act;
        }
    }

    /// The step whose claims are to be judged now.
    pub(super) fn asks(&self) -> Option<u16> {
        matches!(self.phase, Phase::Ask).then_some(self.at as u16)
    }

    /// Whether claims are to be judged now, which whoever advances the world is told with this.
    fn ask(&mut self) -> bool {
        self.is_asked = matches!(self.phase, Phase::Ask);
        self.is_asked
    }

    /// Whether claims were judged: whoever was told to judge them came back.
    fn is_answered(&mut self) -> bool {
        let is_answered = std::mem::take(&mut self.is_asked);
        if is_answered {
            self.next();
        }
        is_answered
    }

    pub(super) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Whether something may have to be done after any event.
    pub(super) fn is_alert(&self) -> bool {
        !matches!(self.phase, Phase::Sleep | Phase::Watch | Phase::Ask | Phase::Over)
    }

    /// The steps that did not happen, or not to their end.
    pub(super) fn left(&self) -> Vec<(u16, Left)> {
        let mut left: Vec<_> = self.idle.iter().map(|(step, why)| (*step, Left::Idle(why.clone()))).collect();
        let here = match &self.phase {
            Phase::Begin | Phase::Act | Phase::Ask => Left::Unreached,
            Phase::Sleep | Phase::Await => Left::Early,
            Phase::Watch => Left::Waiting,
            Phase::Acting(nodes) => Left::Busy(nodes.clone()),
            Phase::Over => Left::Late,
        };
        let steps = self.at..self.steps.len();
        left.extend(
            steps.map(|step| (step as u16, if step == self.at { here.clone() } else { Left::Unreached })),
        );
        left
    }

    fn next(&mut self) {
        self.at += 1;
        self.phase = if self.at < self.steps.len() { Phase::Begin } else { Phase::Over };
    }
}

impl<M: Hosted> Host<M> {
    /// Whether claims are to be judged now, of which the caller tells.
    pub(super) fn ask(&mut self) -> bool {
        self.script.as_mut().is_some_and(|script| script.ask())
    }

    /// Whoever was told to judge a step's claims and calls again has judged them.
    pub(super) fn go_on_after_judgement(&mut self) {
        if self.script.as_mut().is_some_and(|script| script.is_answered()) {
            self.react();
        }
    }

    /// Does what the script wants done now; whether it came further.
    pub(super) fn go_on(&mut self) -> bool {
        let Some(mut script) = self.script.take() else { return false };
        let mut moved = false;
        while script.is_alert() && self.step_on(&mut script) {
            moved = true;
        }
        self.script = Some(script);
        moved
    }

    /// One phase further; false: it has to wait.
    fn step_on(&mut self, script: &mut Script) -> bool {
        let steps = Arc::clone(&script.steps);
        let Some(step) = steps.get(script.at) else {
            script.phase = Phase::Over;
            return true;
        };
        let now = self.engine.now();
        match &script.phase {
            Phase::Begin => {
                let due = now.max(Time::ZERO + step.at.unwrap_or_default()) + step.wait;
                script.phase = if due > now { Phase::Sleep } else { Phase::Await };
                if due > now {
                    self.engine.schedule(due, super::SCRIPT);
                }
            }
            Phase::Await => match &step.wait_until {
                None => script.phase = Phase::Act,
                Some(condition) => {
                    script.phase = Phase::Watch;
                    self.wait_for(Waiter::Script, condition);
                }
            },
            Phase::Act => script.phase = self.perform(script, step, now),
            Phase::Acting(nodes) => {
                let is_closing = matches!(step.action, Some(Action::Close { .. }));
                let is_done = |&node: &NodeId| {
                    !is_running(self.engine.status(node)) || !is_closing && M::is_idle(&self.engine, node)
                };
                if !nodes.iter().all(is_done) {
                    return false;
                }
                if let Some(Action::Get { count: None, by }) = &step.action {
                    // What comes later was not meant.
                    self.tell(by, ClientCommand::Get(Some(0)));
                }
                script.next();
            }
            Phase::Sleep | Phase::Watch | Phase::Ask | Phase::Over => return false,
        }
        if matches!(script.phase, Phase::Acting(ref nodes) if nodes.is_empty()) {
            script.next();
        }
        true
    }

    /// The step acts: what it waits for then.
    fn perform(&mut self, script: &mut Script, step: &StepPlan, now: Time) -> Phase {
        let done = Phase::Acting(Vec::new());
        let is_late = now > self.window_ends;
        let hit = match &step.action {
            None => return done,
            Some(Action::Expect(_)) => return Phase::Ask,
            Some(Action::Fault(_) | Action::Send { .. }) if is_late => return Phase::Over,
            Some(Action::Fault(fault)) if self.faults.get(*fault as usize).is_none() => return done,
            Some(Action::Fault(fault)) => {
                let fired = self.fired.len();
                self.fire(*fault);
                if self.fired.len() == fired {
                    script.idle.push((script.at as u16, self.why_not_fired(*fault)));
                }
                return done;
            }
            Some(Action::Send { count, by, is_awaited }) => {
                let hit = self.tell_to_send(script, *count, by);
                if !is_awaited {
                    return done;
                }
                return Phase::Acting(hit);
            }
            Some(Action::Get { count, by }) => self.tell(by, ClientCommand::Get(*count)),
            Some(Action::Ack { which, by }) => self.tell(by, ClientCommand::Ack(which)),
            Some(Action::GiveBack { which, by, is_requeued, is_reject }) => {
                let (is_requeued, is_reject) = (*is_requeued, *is_reject);
                self.tell(by, ClientCommand::GiveBack { which, is_requeued, is_reject })
            }
            Some(Action::Commit { by }) => self.tell(by, ClientCommand::Commit),
            Some(Action::Close { by }) => {
                let mut hit = self.named(by);
                hit.retain(|&node| self.ask_to_stop(node));
                hit
            }
            Some(Action::Start { by }) => {
                let hit: Vec<_> = self.named(by).into_iter().filter(|&node| self.start(node)).collect();
                if hit.is_empty() {
                    script.idle.push((script.at as u16, format!("{by} already runs")));
                }
                return done;
            }
        };
        if hit.is_empty() {
            let by = step.action.clone().and_then(|mut action| action.by_mut().cloned()).unwrap_or_default();
            let down = self.named(&by).into_iter().find(|&node| self.engine.status(node) != Status::Up);
            let why = match down {
                Some(down) => format!("{} does not run", self.name(down)),
                None => format!("{by} has nothing that it could do it to"),
            };
            script.idle.push((script.at as u16, why));
        }
        Phase::Acting(hit)
    }

    /// The clients of that name that could do it.
    fn tell(&mut self, by: &str, command: ClientCommand<'_>) -> Vec<NodeId> {
        let mut nodes = self.named(by);
        nodes.retain(|&node| {
            self.engine.status(node) == Status::Up && M::command(&mut self.engine, node, &command)
        });
        nodes
    }

    /// A producer's instances share what it sends, in the order of the messages' numbers.
    fn tell_to_send(&mut self, script: &mut Script, count: u32, by: &str) -> Vec<NodeId> {
        let mut nodes = self.named(by);
        let instances = nodes.len() as u32;
        let before = script.told.entry(by.to_owned()).or_default();
        let until = |told: u32, instance: u32| (told + instances - 1 - instance) / instances.max(1);
        let (from, to) = (*before, before.saturating_add(count));
        *before = to;
        let (mut instance, mut down) = (0, None);
        nodes.retain(|&node| {
            let own = until(to, instance) - until(from, instance);
            instance += 1;
            let sends = own > 0
                && self.engine.status(node) == Status::Up
                && M::command(&mut self.engine, node, &ClientCommand::Send(own));
            if own > 0 && !sends {
                down = Some((node, own));
            }
            sends
        });
        if let Some((node, own)) = down {
            let why = format!("{} does not run and did not send its {own}", self.name(node));
            script.idle.push((script.at as u16, why));
        }
        nodes
    }

    fn name(&self, node: NodeId) -> &str {
        self.names.names.get(node.0 as usize).map_or("", String::as_str)
    }

    /// Why the fault that a step is has hit nobody.
    fn why_not_fired(&self, fault: u16) -> String {
        let mut verb = self.faults[fault as usize].verb.clone();
        let is_start = matches!(verb, Verb::Start(_));
        let is_running = |node: &NodeId| is_running(self.engine.status(*node));
        let Some(target) = verb.target_mut() else { return "it changed nothing".to_owned() };
        let nodes = self.find(target);
        let down = nodes.iter().find(|node| !is_running(node));
        match (nodes.first(), down) {
            (None, _) => "nobody is what it names at that time".to_owned(),
            (Some(&node), _) if is_start => format!("{} already runs", self.name(node)),
            (_, Some(&node)) => format!("{} does not run", self.name(node)),
            (Some(&node), None) => format!("there is nothing to do it to at {}", self.name(node)),
        }
    }

    /// Asks a process to stop; what it leaves behind is noted when it has.
    pub(super) fn ask_to_stop(&mut self, node: NodeId) -> bool {
        let is_asked = self.engine.stop(node);
        if is_asked && self.stopping.iter().all(|&(stopping, _)| stopping != node) {
            self.stopping.push((node, false));
        }
        is_asked
    }

    /// Starts a process that is down.
    pub(super) fn start(&mut self, node: NodeId) -> bool {
        let starts = self.engine.start(node);
        if starts {
            self.observe(node, Fact::NodeUp);
        }
        starts
    }

    /// From now on somebody waits for this.
    pub(super) fn wait_for(&mut self, waiter: Waiter, condition: &Condition) {
        match condition {
            Condition::Observed { moment, by, nth } => {
                let nodes = by.as_ref().map(|by| self.names.of(by).cloned().unwrap_or_default());
                self.watch();
                self.watches.push(super::Watch::new(waiter, *moment, nodes, *nth));
            }
            Condition::State(tests) => self.states.push((waiter, tests.clone())),
        }
    }
}

fn is_running(status: Status) -> bool {
    matches!(status, Status::Up | Status::Frozen)
}
