//! The course of a run: how far its world is to go before it is looked at, and what ends it. Whoever runs a world to
//! its end, at one go or a little at a time, does it by this, so that all of them end at the same instant.

use std::collections::BTreeSet;

use super::{gaps, run};
use crate::broker::{Progress, World};
use crate::ledger::Ledger;
use crate::ledger::expectation::{self, Checked};
use crate::ledger::measure::Measured;
use crate::scenario::expect::Expectation;
use crate::scenario::plan::{Action, MESSAGES_MAX, Plan, StepPlan};
use crate::sim::{Span, Time};

/// How often a world is asked whether anything is left to happen.
const QUIET_EVERY: Span = Span::from_millis(250);

/// What makes going on pointless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Goal {
    /// Nothing but periodic timers is left.
    Quiet,
    /// Replication has settled.
    Replicated,
}

/// Where a run stands on its way to its end.
#[derive(Clone, Debug)]
pub(super) struct Course {
    goal: Goal,
    end: Time,
    events_max: u64,
    until: Time,
    is_over: bool,
    /// The bound that ended it early.
    pub(super) bound: Option<String>,
    /// What steps of the script claimed at their instants.
    pub(super) checked: Vec<Checked>,
    /// The steps whose claims these are.
    pub(super) judged: BTreeSet<u16>,
}

impl Course {
    /// From now until `end` at the latest.
    pub(super) fn new(goal: Goal, now: Time, end: Time, events_max: u64) -> Self {
        Self {
            goal,
            end,
            events_max,
            until: (now + QUIET_EVERY).min(end),
            is_over: now >= end,
            bound: None,
            checked: Vec::new(),
            judged: BTreeSet::new(),
        }
    }

    /// The course of a whole run.
    pub(super) fn of_run(plan: &Plan, events_max: u64) -> Self {
        let end = Time::ZERO + plan.run_for + plan.drain_for;
        Self::new(Goal::Quiet, Time::ZERO, end, events_max)
    }

    /// Nothing more is to be done.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Up to and including this time the world may go before [`Course::note`] has to know of it.
    pub(super) fn until(&self) -> Time {
        self.until
    }

    /// Takes note of how far a run came; its ledger knows everything that was observed so far.
    pub(super) fn note(&mut self, progress: Progress, plan: &Plan, world: &dyn World, ledger: &Ledger) {
        // A producer without pace and count sends as fast as it can, for as long as the run lasts.
        if ledger.messages() > MESSAGES_MAX as usize {
            return self.stop(format!("{MESSAGES_MAX} messages"));
        }
        if progress == Progress::Asked {
            self.judged.extend(world.asks());
            self.checked.append(&mut judge_step(plan, world, ledger));
        }
        self.go(progress, world);
    }

    /// The same of a world that nobody claims anything of.
    pub(super) fn go(&mut self, progress: Progress, world: &dyn World) {
        match progress {
            Progress::Ended => self.is_over = true,
            Progress::Bound(bound) => self.stop(bound.to_owned()),
            Progress::Reached if world.now() < self.until => {}
            Progress::Pause | Progress::Reached if world.events() >= self.events_max => {
                self.stop(format!("{} events", self.events_max));
            }
            Progress::Pause | Progress::Asked => {}
            Progress::Reached => {
                let is_done = match self.goal {
                    Goal::Quiet => world.is_quiet(),
                    Goal::Replicated => world.is_replicated(),
                };
                self.is_over = is_done || world.now() >= self.end;
                self.until = (world.now() + QUIET_EVERY).min(self.end);
            }
        }
    }

    fn stop(&mut self, bound: String) {
        self.bound = Some(bound);
        self.is_over = true;
    }
}

/// What the step that asks claims of this instant.
fn judge_step(plan: &Plan, world: &dyn World, ledger: &Ledger) -> Vec<Checked> {
    let step = world.asks().and_then(|step| plan.steps.get(step as usize));
    let Some(StepPlan { name, action: Some(Action::Expect(claims)), .. }) = step else {
        return Vec::new();
    };
    let verdict = run::judge(world, ledger);
    let look_up = |_: Option<&str>, path: &str| {
        let fired = || run::fired_path(plan, world.fired(), path);
        let measured = verdict.measure(path).or_else(fired);
        measured.or_else(|| run::state(world, ledger, &verdict, path).map(Measured::State))
    };
    let check = |claim: &Expectation| {
        let mut checked = expectation::evaluate(claim, &look_up);
        checked.text = format!("{}: {}", gaps::title(name), checked.text);
        checked
    };
    claims.iter().map(check).collect()
}
