//! One run: drive a world to its end, fold what it observes, judge it.
//!
//! Invariant: what is folded never changes the run; the digest is the world's, mixed with the fates.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::course::{Course, Goal};
use super::gaps;
use crate::broker::{Details, Family, Firing, Left, Names, World};
use crate::fact::{Aside, MessageId, NodeId, Observation, PlaceId, SubscriptionId};
use crate::ledger::expectation::{self, Checked};
use crate::ledger::measure::Measured;
use crate::ledger::{End, Layout, Ledger, NONE, Verdict};
use crate::scenario::plan::{Action, Plan, Value};
use crate::sim::{Span, Time};

/// A run may dispatch so many events.
pub const EVENTS_MAX: u64 = 200_000_000;
/// How long the healed world may replicate.
const HEAL_FOR: Span = Span::from_secs(120);
/// How many events it may dispatch.
const HEAL_EVENTS_MAX: u64 = 50_000_000;

/// One run to be made.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// The family that builds the world.
    pub family: &'static dyn Family,
    /// What to run.
    pub plan: &'a Plan,
    /// With which seed.
    pub seed: u64,
    /// How many events it may dispatch.
    pub events_max: u64,
}

/// A run that ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What ran.
    pub plan: Plan,
    /// With which seed.
    pub seed: u64,
    /// The fingerprint of all events, then of all fates.
    pub digest: u64,
    /// When it ended.
    pub ended: Time,
    /// How many events were dispatched.
    pub events: u64,
    /// The bound that ended it early; none: it finished.
    pub bound: Option<String>,
    /// What became of the messages.
    pub verdict: Verdict,
    /// The faults that fired, in order.
    pub faults: Vec<Fired>,
    /// The values of the state paths that the expectations read.
    pub states: BTreeMap<String, Value>,
    /// What steps of the script claimed, as it was at their instants.
    pub checked: Vec<Checked>,
    /// The steps that never began, or were never done, or found nothing to do.
    pub steps_left: Vec<String>,
    /// What of the script did not happen and was not judged, and why, for people.
    pub gaps: Vec<String>,
}

/// A fault that fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fired {
    /// Its name in the file.
    pub fault: String,
    /// The node it hit.
    pub node: String,
    /// When.
    pub at: Time,
}

/// A run that ended, and the world it ended in.
pub struct Ended {
    /// The final world.
    pub world: Box<dyn World>,
    /// The folded ledger.
    pub ledger: Ledger,
    /// The bound that ended it early.
    pub bound: Option<String>,
    /// What steps claimed at their instants.
    pub checked: Vec<Checked>,
    /// The steps whose claims these are.
    pub judged: BTreeSet<u16>,
}

/// The names of a run that ended: all that there ever were.
impl Names for Ended {
    fn node(&self, node: NodeId) -> String {
        self.world.node_name(node)
    }
    fn place(&self, place: PlaceId) -> String {
        self.world.place_name(place)
    }
    fn message(&self, message: MessageId) -> String {
        self.ledger.name(message)
    }
}

impl<'a> Run<'a> {
    /// A run with the usual bound on events.
    pub fn new(family: &'static dyn Family, plan: &'a Plan, seed: u64) -> Self {
        Self { family, plan, seed, events_max: EVENTS_MAX }
    }

    /// Runs to the end and judges. `states` are paths of other variants' claims that read this run's state.
    pub fn outcome(&self, states: &[String]) -> Outcome {
        let ended = self.drive_for(states, Details::Off, &mut |_| {});
        self.conclude(&ended, states)
    }

    /// Runs to the end, showing every slice of observations to `fold`.
    pub fn drive(&self, details: Details, fold: &mut dyn FnMut(&[Observation])) -> Ended {
        self.drive_for(&[], details, fold)
    }

    fn drive_for(&self, states: &[String], details: Details, fold: &mut dyn FnMut(&[Observation])) -> Ended {
        announce(self.plan, self.seed);
        let mut world = self.family.world(self.plan, self.seed);
        world.want_details(details);
        let mut ledger = ledger_of(self.family, self.plan, states);
        let mut course = Course::of_run(self.plan, self.events_max);
        let mut observations = Vec::new();
        while !course.is_over() {
            let progress = world.advance(course.until(), &mut observations);
            ledger.observe(&observations);
            fold(&observations);
            observations.clear();
            course.note(progress, self.plan, world.as_ref(), &ledger);
        }
        let Course { bound, checked, judged, .. } = course;
        Ended { world, ledger, bound, checked, judged }
    }

    /// Judges a run that ended.
    pub fn conclude(&self, ended: &Ended, states: &[String]) -> Outcome {
        let Ended { world, ledger, bound, checked, judged } = ended;
        let end = Finish { bound: bound.as_ref(), checked, judged };
        conclude(self.plan, self.seed, world.as_ref(), ledger, end, states)
    }
}

/// How a run came to its end.
#[derive(Clone, Copy)]
pub(super) struct Finish<'a> {
    /// See [`Ended::bound`].
    pub(super) bound: Option<&'a String>,
    /// See [`Ended::checked`].
    pub(super) checked: &'a [Checked],
    /// See [`Ended::judged`].
    pub(super) judged: &'a BTreeSet<u16>,
}

/// Judges a run that ended.
pub(super) fn conclude(
    plan: &Plan,
    seed: u64,
    world: &dyn World,
    ledger: &Ledger,
    end: Finish<'_>,
    states: &[String],
) -> Outcome {
    let left = world.steps_left();
    let verdict = judge(world, ledger);
    let fired = world.fired().iter().filter_map(|firing| {
        let fault = plan.faults.get(firing.fault as usize)?;
        Some(Fired { fault: fault.name.clone(), node: world.node_name(firing.node), at: firing.at })
    });
    let own = plan.claims().flat_map(expectation::paths);
    let read = |path: &str| Some((path.to_owned(), state(world, ledger, &verdict, path)?));
    Outcome {
        plan: plan.clone(),
        seed,
        digest: verdict.digest(world.digest()),
        ended: world.now(),
        events: world.events(),
        bound: end.bound.cloned(),
        faults: fired.collect(),
        checked: end.checked.to_vec(),
        gaps: gaps::of_script(plan, world, &left, end.judged),
        steps_left: steps_left(plan, &left),
        states: own.chain(states.iter().map(String::as_str)).filter_map(read).collect(),
        verdict,
    }
}

/// The ledger that a run begins with. `states` are paths that are going to be read of it.
pub(super) fn ledger_of(family: &dyn Family, plan: &Plan, states: &[String]) -> Ledger {
    let mut ledger = Ledger::new(Arc::new(Layout::new(family, plan)));
    if states.iter().any(|path| asks_for_order(path)) || wants_order(plan) {
        ledger.keep_order();
    }
    ledger
}

/// The steps that did not happen.
fn steps_left(plan: &Plan, left: &[(u16, Left)]) -> Vec<String> {
    let steps = left.iter().filter_map(|(step, _)| plan.steps.get(*step as usize));
    steps.map(|step| step.name.clone()).collect()
}

/// How often a fault fired: `fault.NAME.fired`.
pub(super) fn fired_path(plan: &Plan, fired: &[Firing], path: &str) -> Option<Measured> {
    let name = path.strip_prefix("fault.")?.strip_suffix(".fired")?;
    let is_it = |firing: &&Firing| plan.faults.get(firing.fault as usize).is_some_and(|it| it.name == name);
    let n = fired.iter().filter(is_it).count() as u64;
    Some(Measured::Count { n, of: n })
}

impl Outcome {
    /// The value of a path in this run: a measure, `fault.NAME.fired`, or state.
    pub fn value(&self, path: &str) -> Option<Measured> {
        let fault = || {
            let name = path.strip_prefix("fault.")?.strip_suffix(".fired")?;
            let n = self.faults.iter().filter(|fired| fired.fault == name).count() as u64;
            Some(Measured::Count { n, of: n })
        };
        self.verdict
            .measure(path)
            .or_else(fault)
            .or_else(|| self.states.get(path).cloned().map(Measured::State))
    }

    /// Faults of the plan that had to fire and did not.
    pub fn never_fired(&self) -> Vec<&str> {
        let faults = self.plan.faults.iter().filter(|fault| !fault.optional).map(|fault| fault.name.as_str());
        let is_unfired = |name: &&str| self.faults.iter().all(|fired| fired.fault != **name);
        // What no step came to is told of the step.
        faults.filter(is_unfired).filter(|name| self.steps_left.iter().all(|left| left != name)).collect()
    }

    /// Why this run establishes nothing, or less than it was to, whatever is claimed of it.
    pub fn shortfalls(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.verdict.messages.sent == 0 {
            reasons.push("nothing was sent".to_owned());
        }
        for fault in self.never_fired() {
            reasons.push(format!("the fault {fault} never fired"));
        }
        reasons.extend(self.gaps.iter().cloned());
        if let Some(bound) = &self.bound {
            reasons.push(format!("it was stopped by the bound of {bound}"));
        }
        reasons
    }
}

/// Judges a world as it stands: the fates if the run ended now.
pub fn judge(world: &dyn World, ledger: &Ledger) -> Verdict {
    let waiting = copies(world, ledger);
    let aside = aside(world, ledger);
    let (healed, aside_healed) = (waiting.clone(), aside.clone());
    let mut end = End { at: world.now(), healed, waiting, aside_healed, aside };
    let verdict = ledger.verdict(&end);
    if verdict.fate(crate::ledger::Fate::Lost) == 0 {
        return verdict;
    }
    // Only what seems lost can turn out to be stranded.
    let mut healed = world.snapshot();
    healed.want_details(Details::Off);
    healed.heal();
    let now = healed.now();
    let mut course = Course::new(Goal::Replicated, now, now + HEAL_FOR, healed.events() + HEAL_EVENTS_MAX);
    let mut observations = Vec::new();
    while !course.is_over() {
        let progress = healed.advance(course.until(), &mut observations);
        observations.clear();
        course.go(progress, healed.as_ref());
    }
    end.healed = copies(healed.as_ref(), ledger);
    end.aside_healed = self::aside(healed.as_ref(), ledger);
    ledger.verdict(&end)
}

/// The copies that wait, for every subscription and for nobody.
fn copies(world: &dyn World, ledger: &Ledger) -> Vec<Vec<MessageId>> {
    let subscriptions = ledger.layout().subscriptions.len() as u16;
    let ids = (0..subscriptions).map(SubscriptionId).chain([NONE]);
    ids.map(|id| world.waiting(id)).collect()
}

/// What every subscription's dead-letter destinations hold.
fn aside(world: &dyn World, ledger: &Ledger) -> Vec<Option<Aside>> {
    let subscriptions = ledger.layout().subscriptions.len() as u16;
    (0..subscriptions).map(|id| world.aside(SubscriptionId(id))).collect()
}

/// State that is no measure: the world's, or the fate of one message.
pub(super) fn state(world: &dyn World, ledger: &Ledger, verdict: &Verdict, path: &str) -> Option<Value> {
    if verdict.measure(path).is_some() {
        return None;
    }
    let fate = || {
        let message = path.strip_suffix(".fate")?;
        let (owner, message) =
            message.split_once('.').map_or((None, message), |(owner, message)| (Some(owner), message));
        let index = ledger.find(message.trim_matches('"'))?.0 as usize;
        let asked = verdict.subscriptions.iter().filter(|one| owner.is_none_or(|owner| owner == one.name));
        let fates = asked.filter_map(|one| one.by_message.get(index).copied().flatten());
        let mut names: Vec<_> = fates.map(crate::ledger::Fate::name).collect();
        names.dedup();
        Some(names.join(", "))
    };
    fate().or_else(|| ledger.order(path)).map(Value::Text).or_else(|| world.state(path))
}

/// Whether a claim of the plan is about the order of deliveries.
fn wants_order(plan: &Plan) -> bool {
    let steps = plan.steps.iter().filter_map(|step| match &step.action {
        Some(Action::Expect(claims)) => Some(claims),
        _ => None,
    });
    plan.claims().chain(steps.flatten()).flat_map(expectation::paths).any(asks_for_order)
}

fn asks_for_order(path: &str) -> bool {
    path.rsplit('.').next() == Some("order")
}

thread_local! {
    static RUNNING: RefCell<Option<String>> = const { RefCell::new(None) };
}

pub(super) fn announce(plan: &Plan, seed: u64) {
    let command = super::replay::command("run", &plan.scenario, plan.variant.as_deref(), Some(seed), &[]);
    RUNNING.with_borrow_mut(|running| *running = Some(command));
}

/// The command that replays the run that this thread began last, for the report of a panic.
pub fn running() -> Option<String> {
    RUNNING.try_with(|running| running.try_borrow().ok()?.clone()).ok()?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Source;
    use crate::lab::fake::{Fake, FakeScenario};
    use crate::ledger::Fate;

    fn outcome(variant: &str, seed: u64) -> Outcome {
        let plan = FakeScenario::new().plan(Some(variant), &[]).unwrap();
        Run::new(&Fake, &plan, seed).outcome(&["orders/0.leader".to_owned(), "checkout#1.fate".to_owned()])
    }

    #[test]
    fn a_run_ends_when_nothing_is_left_and_says_what_happened() {
        let run = outcome("acks=1", 42);
        assert_eq!((run.verdict.messages.sent, run.verdict.messages.confirmed), (100, 100));
        assert_eq!(run.ended, Time::ZERO + Span::from_secs(1), "not the whole four seconds");
        assert_eq!(run.verdict.fate(Fate::Lost), 1);
        assert_eq!(run.verdict.fate(Fate::Processed), 99);
        assert_eq!((run.faults[0].fault.as_str(), run.faults[0].node.as_str()), ("leader-dies", "broker-1"));
        let leader = run.value("orders/0.leader").map(|value| value.to_string());
        assert_eq!(leader.as_deref(), Some("broker-1"));
        assert_eq!(run.value("checkout#1.fate").map(|value| value.to_string()).as_deref(), Some("processed"));
        assert_eq!(run.value("fault.leader-dies.fired"), Some(Measured::Count { n: 1, of: 1 }));
        assert_eq!(outcome("acks=all", 42).verdict.fate(Fate::Lost), 0);
    }

    #[test]
    fn the_same_seed_gives_the_same_digest_and_fates_are_part_of_it() {
        let run = outcome("acks=1", 42);
        assert_eq!(run.digest, outcome("acks=1", 42).digest);
        assert_ne!(run.digest, outcome("acks=1", 43).digest);
        assert_ne!(run.digest, outcome("acks=all", 42).digest, "the events are the same, the fates are not");
    }

    #[test]
    fn a_bound_is_stated_when_hit() {
        let plan = FakeScenario::new().plan(None, &[]).unwrap();
        let mut run = Run::new(&Fake, &plan, 42);
        run.events_max = 50;
        let outcome = run.outcome(&[]);
        assert_eq!(outcome.bound.as_deref(), Some("50 events"));
        assert_eq!(outcome.never_fired(), ["leader-dies"]);
    }
}
