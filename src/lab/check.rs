//! Check: every variant of every scenario, with every seed, against what it claims.
//!
//! Invariant: what established nothing (no claim, a fault that never fired, a bound hit) is never reported as passed.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use super::run::{Outcome, Run};
use super::{Source, plans, pool, replay};
use crate::ledger::expectation::{Checked, evaluate, needs, paths};
use crate::scenario::plan::Plan;

/// What came of checking one variant with one seed.
#[derive(Clone, Debug)]
pub struct Report {
    /// The run.
    pub outcome: Outcome,
    /// Its claims, each with what was observed.
    pub checked: Vec<Checked>,
    /// Whether all of it held.
    pub status: Status,
    /// The one command that does the run again.
    pub replay: String,
}

/// The result of a check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Every claim holds.
    Passed,
    /// At least one claim does not hold.
    Failed,
    /// Nothing was established, for these reasons.
    Nothing(Vec<String>),
}

/// Every variant's plan of one scenario.
pub struct Suite<'a> {
    source: &'a dyn Source,
    plans: Vec<Plan>,
    /// State paths that any claim of any variant reads.
    states: Vec<String>,
}

impl<'a> Suite<'a> {
    /// The plans of all variants; the error is for people.
    pub fn new(source: &'a dyn Source) -> Result<Self, String> {
        let plans = plans(source, &[])?;
        let claims = plans.iter().flat_map(|plan| &plan.expectations);
        let states = claims.flat_map(paths).map(str::to_owned).collect();
        Ok(Self { source, plans, states })
    }

    fn outcome(&self, variant: usize, seed: u64) -> Outcome {
        let plan = &self.plans[variant];
        let mut outcome =
            Run::new(self.source.family(), plan, plan.seed.wrapping_add(seed)).outcome(&self.states);
        for subscription in &mut outcome.verdict.subscriptions {
            subscription.by_message = Vec::new();
        }
        outcome
    }
}

/// Checks all suites with `seeds` seeds each, on `jobs` threads, and hands the reports on in the order of suites, then
/// seeds, then variants. Returns how many reports were to come.
pub fn check(
    suites: &[Suite<'_>],
    seeds: u64,
    jobs: usize,
    stop: &AtomicBool,
    take: &mut dyn FnMut(Report),
) -> usize {
    let runs = |suite: &Suite<'_>| (suite.plans.len() as u64).saturating_mul(seeds);
    let count = suites.iter().map(runs).fold(0, u64::saturating_add) as usize;
    let work = |number: usize| {
        let mut number = number as u64;
        let mut index = 0;
        while number >= runs(&suites[index]) {
            number -= runs(&suites[index]);
            index += 1;
        }
        let variants = suites[index].plans.len() as u64;
        (index, suites[index].outcome((number % variants) as usize, number / variants))
    };
    // A claim may read another variant's run with the same seed: they are judged when all of them are there.
    let mut group = Vec::new();
    pool::in_order(jobs, count, stop, &work, &mut |(suite, outcome)| {
        group.push(outcome);
        if group.len() == suites[suite].plans.len() {
            reports(std::mem::take(&mut group)).into_iter().for_each(&mut *take);
        }
    });
    count
}

/// Judges the runs of all variants with one seed.
fn reports(group: Vec<Outcome>) -> Vec<Report> {
    let checked: Vec<_> = group.iter().map(|outcome| claims(outcome, &group)).collect();
    group.into_iter().zip(checked).map(|(outcome, checked)| Report::new(outcome, checked)).collect()
}

/// Evaluates a run's claims; `others` are the runs of other variants with the same seed.
pub fn claims(outcome: &Outcome, others: &[Outcome]) -> Vec<Checked> {
    let by_name: BTreeMap<_, _> =
        others.iter().map(|other| (other.plan.variant.as_deref().unwrap_or(""), other)).collect();
    let look_up = |variant: Option<&str>, path: &str| match variant {
        None => outcome.value(path),
        Some(variant) => by_name.get(variant)?.value(path),
    };
    let own = outcome.plan.expectations.iter().map(|expectation| evaluate(expectation, &look_up));
    own.chain(outcome.checked.iter().cloned()).collect()
}

/// Runs the other variants that a run's claims read, with the same seed and the same lines laid over.
pub fn others(source: &dyn Source, outcome: &Outcome, sets: &[String]) -> Result<Vec<Outcome>, String> {
    let mut names: Vec<_> = outcome.plan.expectations.iter().filter_map(needs).collect();
    names.sort_unstable();
    names.dedup();
    let states: Vec<_> = outcome.plan.expectations.iter().flat_map(paths).map(str::to_owned).collect();
    let run = |name: &str| {
        let plan = source.plan(Some(name), sets)?;
        Ok(Run::new(source.family(), &plan, outcome.seed).outcome(&states))
    };
    names.into_iter().map(run).collect()
}

impl Report {
    /// The report of a run whose claims were evaluated.
    pub fn new(outcome: Outcome, checked: Vec<Checked>) -> Self {
        let plan = &outcome.plan;
        let replay = replay::command("run", &plan.scenario, plan.variant.as_deref(), Some(outcome.seed), &[]);
        let status = status(&outcome, &checked);
        Self { outcome, checked, status, replay }
    }
}

fn status(outcome: &Outcome, checked: &[Checked]) -> Status {
    if checked.iter().any(|checked| !checked.holds) {
        return Status::Failed;
    }
    let mut reasons = Vec::new();
    if checked.is_empty() {
        reasons.push("it claims nothing".to_owned());
    }
    if outcome.verdict.messages.sent == 0 {
        reasons.push("nothing was sent".to_owned());
    }
    for fault in outcome.never_fired() {
        reasons.push(format!("the fault {fault} never fired"));
    }
    for step in &outcome.steps_left {
        reasons.push(format!("the script did not get through {step}"));
    }
    if let Some(bound) = &outcome.bound {
        reasons.push(format!("it was stopped by the bound of {bound}"));
    }
    if reasons.is_empty() { Status::Passed } else { Status::Nothing(reasons) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::fake::{FakeScenario, expect, leader_dies};
    use crate::scenario::expect::{Comparison, Expectation, Operand, Test};
    use crate::sim::Span;

    fn lines(scenario: &FakeScenario, seeds: u64, jobs: usize) -> Vec<String> {
        let suites = [Suite::new(scenario).unwrap()];
        let mut lines = Vec::new();
        let count = check(&suites, seeds, jobs, &AtomicBool::new(false), &mut |report| {
            let variant = report.outcome.plan.variant.clone().unwrap_or_default();
            lines.push(format!("{variant} {} {:?}", report.outcome.seed, report.status));
        });
        assert_eq!(count, lines.len());
        lines
    }

    #[test]
    fn reports_come_in_the_order_of_seeds_then_variants_with_any_number_of_jobs() {
        let mut scenario = FakeScenario::new();
        scenario.expectations = vec![expect("lost", Comparison::Equal, 0.0)];
        let expected = ["acks=1 42 Failed", "acks=all 42 Passed", "acks=1 43 Failed", "acks=all 43 Passed"];
        for jobs in [1, 4] {
            assert_eq!(lines(&scenario, 2, jobs), expected);
        }
    }

    #[test]
    fn a_claim_may_read_another_variant_with_the_same_seed() {
        let mut scenario = FakeScenario::new();
        let operand =
            Operand::Path { factor: 1.0, variant: Some("acks=1".to_owned()), path: "processed".to_owned() };
        scenario.expectations = vec![Expectation {
            text: "processed > variant.acks=1.processed".to_owned(),
            path: "processed".to_owned(),
            test: Test::Compare(Comparison::Greater, operand),
        }];
        assert_eq!(lines(&scenario, 1, 2), ["acks=1 42 Failed", "acks=all 42 Passed"]);
        let plan = scenario.plan(Some("acks=all"), &[]).unwrap();
        let outcome = Run::new(scenario.family(), &plan, 7).outcome(&[]);
        let others = others(&scenario, &outcome, &[]).unwrap();
        assert_eq!((others.len(), others[0].seed), (1, 7));
        assert!(claims(&outcome, &others)[0].holds);
    }

    #[test]
    fn what_establishes_nothing_is_never_green() {
        let mut scenario = FakeScenario::new();
        let reasons = lines(&scenario, 1, 1);
        assert_eq!(reasons[0], r#"acks=1 42 Nothing(["it claims nothing"])"#);
        scenario.expectations = vec![expect("processed", Comparison::AtLeast, 1.0)];
        scenario.faults = vec![leader_dies(Span::from_secs(100))];
        let reasons = lines(&scenario, 1, 1);
        assert_eq!(reasons[0], r#"acks=1 42 Nothing(["the fault leader-dies never fired"])"#);
        scenario.faults[0].optional = true;
        assert_eq!(lines(&scenario, 1, 1)[0], "acks=1 42 Passed");
    }
}
