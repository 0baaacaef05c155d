//! Playing a scenario: step by step, with the promises looked at again and again.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use mqlab::broker::{Progress, World, family};
use mqlab::fact::{Fact, MessageId, Observation, SubscriptionId};
use mqlab::ledger::{Layout, Ledger, Verdict};
use mqlab::scenario::Scenario;
use mqlab::scenario::plan::Plan;
use mqlab::sim::{Span, Time};

/// How often the promises are looked at.
const LOOK_EVERY: Span = Span::from_millis(250);
/// A small world that dispatches more than this goes round in circles.
const EVENTS_MAX: u64 = 5_000_000;
/// How long a healed world may replicate: longer than the longest pause between two retransmissions of TCP.
const HEAL_FOR: Span = Span::from_secs(200);

/// A world, and what was observed.
pub(crate) struct Play {
    pub(crate) plan: Plan,
    pub(crate) world: Box<dyn World>,
    pub(crate) ledger: Ledger,
    pub(crate) confirmed: Vec<MessageId>,
    /// When each of those was.
    pub(crate) confirmed_at: Vec<Time>,
    pub(crate) observed: Vec<Observation>,
    /// What was handed to which instance of which consumer, and whether it was flagged as delivered before.
    handed: Vec<(MessageId, (SubscriptionId, u16), bool)>,
    /// Messages that a consumer processed.
    pub(crate) processed: BTreeSet<MessageId>,
    looked_at: Time,
}

/// The plan that a scenario file makes.
pub(crate) fn plan(text: &str) -> Plan {
    let scenario = Scenario::read("property", "property.toml", text.as_bytes());
    let scenario = scenario.unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{text}"));
    scenario.plan(None, &[]).unwrap_or_else(|mistakes| panic!("{mistakes:?}\n{text}"))
}

impl Play {
    /// A world at its beginning, with the file's seed.
    pub(crate) fn new(text: &str) -> Self {
        Self::of(plan(text))
    }

    /// A world of this plan at its beginning.
    pub(crate) fn of(plan: Plan) -> Self {
        let family = family(plan.family).expect("a plan is of a family that exists");
        let world = family.world(&plan, plan.seed);
        let ledger = Ledger::new(Arc::new(Layout::new(family, &plan)));
        Self {
            plan,
            world,
            ledger,
            confirmed: Vec::new(),
            confirmed_at: Vec::new(),
            observed: Vec::new(),
            handed: Vec::new(),
            processed: BTreeSet::new(),
            looked_at: Time::ZERO,
        }
    }

    /// Runs up to a time, or until `enough`, which is asked at every look.
    pub(crate) fn run(&mut self, until: Time, enough: impl Fn(&dyn World) -> bool) -> Result<(), String> {
        let events_max = self.world.events() + EVENTS_MAX;
        let mut slice = Vec::new();
        while self.world.now() < until {
            let progress = self.world.step(Time::NEVER, &mut slice);
            if !slice.is_empty() {
                self.ledger.observe(&slice);
                for observation in slice.drain(..) {
                    match observation.fact {
                        Fact::Confirmed { message, .. } => {
                            self.confirmed.push(message);
                            self.confirmed_at.push(observation.at);
                        }
                        Fact::Effect { message, .. } => {
                            self.processed.insert(message);
                        }
                        Fact::Delivered { message, subscription, instance, flagged, .. } => {
                            self.handed.push((message, (subscription, instance), flagged));
                        }
                        Fact::Due { .. } => {}
                        _ => self.observed.push(observation),
                    }
                }
            }
            if self.world.events() > events_max {
                return Err(format!("{EVENTS_MAX} events by {}: it goes round in circles", self.world.now()));
            }
            if let Progress::Bound(bound) = progress {
                return Err(format!("bound: {bound}"));
            }
            if self.world.now() >= self.looked_at + LOOK_EVERY || progress == Progress::Ended {
                self.looked_at = self.world.now();
                self.look()?;
                if enough(self.world.as_ref()) || progress == Progress::Ended {
                    return Ok(());
                }
            }
        }
        self.look()
    }

    /// The model's own promises.
    pub(crate) fn look(&self) -> Result<(), String> {
        let broken = self.world.broken_invariants();
        if broken.is_empty() {
            Ok(())
        } else {
            Err(format!("at {}: {}", self.world.now(), broken.join("; ")))
        }
    }

    /// Runs to the end of the scenario, whether or not everything is quiet before.
    pub(crate) fn run_out(&mut self) -> Result<(), String> {
        self.run(Time::ZERO + self.plan.run_for + self.plan.drain_for, |_| false)
    }

    /// Runs to this many milliseconds.
    pub(crate) fn to(&mut self, ms: u64) -> Result<(), String> {
        self.run(Time::ZERO + Span::from_millis(ms), |_| false)
    }

    /// What became of the messages, as it stands.
    pub(crate) fn verdict(&self) -> Verdict {
        mqlab::lab::run::judge(self.world.as_ref(), &self.ledger)
    }

    /// Heals everything and waits until replication has settled.
    pub(crate) fn heal(&mut self) -> Result<(), String> {
        self.world.heal();
        self.run(self.world.now() + HEAL_FOR, |world| world.is_replicated())?;
        if self.world.is_replicated() {
            return Ok(());
        }
        let mut states = String::new();
        for topic in &self.plan.entities {
            for partition in 0..9 {
                for what in ["leader", "isr", "epoch", "hw", "leo"] {
                    let path = format!("{}/{partition}.{what}", topic.name);
                    if let Some(value) = self.world.state(&path) {
                        write!(states, "\n  {path} = {value:?}").expect("a string takes any text");
                    }
                }
            }
        }
        for broker in 1..9 {
            if let Some(value) = self.world.state(&format!("broker-{broker}.up")) {
                write!(states, "\n  broker-{broker}.up = {value:?}").expect("a string takes any text");
            }
        }
        Err(format!("healed at {}, and replication does not settle:{states}", self.looked_at))
    }

    /// Whoever is handed a message without the flag is the first to whom its queue gave it; one for which that is not
    /// so. He is not always the first who has it: on its way to another one a second delivery can overtake.
    pub(crate) fn falsely_unflagged(&self) -> Option<MessageId> {
        let (mut unflagged, mut seen) = (BTreeSet::new(), BTreeSet::new());
        let is_false = |&&(message, consumer, is_flagged): &&(MessageId, (SubscriptionId, u16), bool)| {
            let is_first_here = seen.insert((message, consumer));
            !(is_flagged || unflagged.insert((message, consumer.0)) && is_first_here)
        };
        self.handed.iter().find(is_false).map(|&(message, ..)| message)
    }

    /// Confirmed messages that no serving leader has, by name.
    pub(crate) fn missing(&self) -> Vec<String> {
        self.world.missing(&self.confirmed).into_iter().map(|message| self.ledger.name(message)).collect()
    }
}
