//! Check: every variant of every scenario, with every seed, against what it claims.
//!
//! A claim over seeds is judged once all of its runs are made; what came of it stands in the report of the variant's
//! first seed. The reports of such a scenario come when all of its runs are made.
//!
//! Invariant: what established nothing (no claim, a fault that never fired, a bound hit) is never reported as passed.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use super::run::{Outcome, Run};
use super::{Source, plans, pool, replay};
use crate::ledger::expectation::{Checked, evaluate, needs, paths};
use crate::ledger::measure::Measured;
use crate::scenario::expect::Expectation;
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
        let claims = plans.iter().flat_map(Plan::claims);
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

impl Suite<'_> {
    /// How many seeds a variant needs beyond these, for what it claims over seeds.
    fn more(&self, variant: usize, seeds: u64) -> u64 {
        let over = self.plans[variant].over_seeds.as_ref();
        over.map_or(0, |over| u64::from(over.seeds)).saturating_sub(seeds)
    }

    /// How many runs there are: every variant with so many seeds, then what is claimed over more.
    fn runs(&self, seeds: u64) -> u64 {
        let more: u64 = (0..self.plans.len()).map(|variant| self.more(variant, seeds)).sum();
        (self.plans.len() as u64).saturating_mul(seeds).saturating_add(more)
    }

    /// Variant and seed of a run.
    fn run(&self, number: u64, seeds: u64) -> (usize, u64) {
        let variants = self.plans.len() as u64;
        if number / variants < seeds {
            return ((number % variants) as usize, number / variants);
        }
        let (mut left, mut variant) = (number - variants * seeds, 0);
        while left >= self.more(variant, seeds) {
            left -= self.more(variant, seeds);
            variant += 1;
        }
        (variant, seeds + left)
    }
}

/// What became of a run.
struct Made {
    suite: usize,
    variant: usize,
    seed: u64,
    /// It is the last one of its suite.
    is_last: bool,
    outcome: Outcome,
}

/// Checks all suites with `seeds` seeds each, and with as many more as their claims over seeds need, on `jobs`
/// threads, and hands the reports on in the order of suites, then seeds, then variants. Each run is told of when it is
/// made: with none. Returns how many reports were to come.
pub fn check(
    suites: &[Suite<'_>],
    seeds: u64,
    jobs: usize,
    stop: &AtomicBool,
    take: &mut dyn FnMut(Option<Report>),
) -> usize {
    let count = suites.iter().map(|suite| suite.runs(seeds)).fold(0, u64::saturating_add) as usize;
    let work = |number: usize| {
        let (mut number, mut index) = (number as u64, 0);
        while number >= suites[index].runs(seeds) {
            number -= suites[index].runs(seeds);
            index += 1;
        }
        let suite = &suites[index];
        let (variant, seed) = suite.run(number, seeds);
        let is_last = number + 1 == suite.runs(seeds);
        Made { suite: index, variant, seed, is_last, outcome: suite.outcome(variant, seed) }
    };
    // A claim may read another variant's run with the same seed: they are judged when all of them are there.
    let mut group = Vec::new();
    let mut shares = Shares::default();
    pool::in_order(jobs, count, stop, &work, &mut |made: Made| {
        take(None);
        let plans = &suites[made.suite].plans;
        shares.count(plans, &made);
        if made.seed < seeds {
            group.push(made.outcome);
        }
        if made.seed < seeds && group.len() == plans.len() {
            let reports = reports(std::mem::take(&mut group));
            if plans.iter().all(|plan| plan.over_seeds.is_none()) {
                return reports.into_iter().for_each(|report| take(Some(report)));
            }
            shares.held.extend(reports);
        }
        if made.is_last {
            let reports = std::mem::take(&mut shares).reports(plans);
            for report in reports {
                take(Some(report));
            }
        }
    });
    let reported = |suite: &Suite<'_>| (suite.plans.len() as u64).saturating_mul(seeds);
    suites.iter().map(reported).fold(0, u64::saturating_add) as usize
}

/// What one suite claims over seeds, as far as its runs are made.
#[derive(Default)]
struct Shares {
    /// By variant and claim: in how many runs it held.
    held_in: BTreeMap<(usize, usize), u64>,
    /// By variant: what keeps a run from counting.
    spoiled: BTreeMap<usize, String>,
    /// Reports that wait for that; the first ones are of the first seed, in the order of the variants.
    held: Vec<Report>,
}

impl Shares {
    fn count(&mut self, plans: &[Plan], made: &Made) {
        let Some(over) = &plans[made.variant].over_seeds else { return };
        if made.seed >= u64::from(over.seeds) {
            return;
        }
        let look_up = |variant: Option<&str>, path: &str| match variant {
            None => made.outcome.value(path),
            Some(_) => None,
        };
        for (index, share) in over.shares.iter().enumerate() {
            let holds = evaluate(&share.condition, &look_up).holds;
            *self.held_in.entry((made.variant, index)).or_default() += u64::from(holds);
        }
        if let Some(reason) = made.outcome.shortfalls().into_iter().next() {
            self.spoiled.entry(made.variant).or_insert(format!("with seed {}, {reason}", made.outcome.seed));
        }
    }

    fn reports(mut self, plans: &[Plan]) -> Vec<Report> {
        for (variant, plan) in plans.iter().enumerate() {
            let (Some(over), Some(report)) = (&plan.over_seeds, self.held.get_mut(variant)) else { continue };
            let checked = over.shares.iter().enumerate().map(|(index, share)| {
                let n = self.held_in.get(&(variant, index)).copied().unwrap_or(0);
                let measured = Measured::Share { n, of: u64::from(over.seeds) };
                let path = share.condition.path.clone();
                let claim = Expectation { text: share.text.clone(), path, test: share.test.clone() };
                evaluate(&claim, &|_, _| Some(measured.clone()))
            });
            report.judge_shares(checked.collect(), self.spoiled.remove(&variant));
        }
        self.held
    }
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

impl Report {
    /// What came of the claims over seeds, and of the first of their runs that establishes nothing.
    fn judge_shares(&mut self, shares: Vec<Checked>, spoiled: Option<String>) {
        if self.status != Status::Failed && shares.iter().any(|checked| !checked.holds) {
            self.replay = replay::command("check", &self.outcome.plan.scenario, None, None, &[]);
        }
        self.checked.extend(shares);
        self.status = status(&self.outcome, &self.checked);
        if let (Some(reason), Status::Passed) = (spoiled, &self.status) {
            self.status = Status::Nothing(vec![reason]);
        }
    }
}

fn status(outcome: &Outcome, checked: &[Checked]) -> Status {
    if checked.iter().any(|checked| !checked.holds) {
        return Status::Failed;
    }
    let mut reasons = Vec::new();
    if checked.is_empty() && outcome.plan.over_seeds.is_none() {
        reasons.push("it claims nothing".to_owned());
    }
    reasons.extend(outcome.shortfalls());
    if reasons.is_empty() { Status::Passed } else { Status::Nothing(reasons) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::fake::{FakeScenario, expect, leader_dies};
    use crate::scenario::expect::{Comparison, Operand, OverSeeds, Quantity, Share, Test};
    use crate::sim::Span;

    fn lines(scenario: &FakeScenario, seeds: u64, jobs: usize) -> Vec<String> {
        let suites = [Suite::new(scenario).unwrap()];
        let mut lines = Vec::new();
        let count = check(&suites, seeds, jobs, &AtomicBool::new(false), &mut |report| {
            let Some(report) = report else { return };
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

    #[test]
    fn a_share_of_many_runs_is_judged_with_the_first_seed() {
        let mut scenario = FakeScenario::new();
        let share = |least: f64| OverSeeds {
            seeds: 9,
            shares: vec![Share {
                text: format!("over 9 seeds lost >= 1 in >= {least}%"),
                condition: expect("lost", Comparison::AtLeast, 1.0),
                test: Test::Compare(Comparison::AtLeast, Operand::Quantity(Quantity::Percent(least))),
            }],
        };
        scenario.over_seeds = Some(share(100.0));
        for (seeds, jobs) in [(1, 1), (2, 4), (20, 2)] {
            let found = lines(&scenario, seeds, jobs);
            assert_eq!(found.len() as u64, 2 * seeds);
            assert_eq!(found[..2], ["acks=1 42 Passed", "acks=all 42 Failed"]);
        }
        let suites = [Suite::new(&scenario).unwrap()];
        let (mut runs, mut failed) = (0, None);
        check(&suites, 2, 2, &AtomicBool::new(false), &mut |report| match report {
            None => runs += 1,
            Some(report) if report.status == Status::Failed => failed = Some(report),
            Some(_) => {}
        });
        assert_eq!(runs, 18);
        let failed = failed.unwrap();
        assert_eq!(failed.checked[0].observed.as_ref().unwrap().to_string(), "0.0% (0 of 9 runs)");
        assert_eq!(failed.replay, "mqlab check fake/acks-one");
    }
}
