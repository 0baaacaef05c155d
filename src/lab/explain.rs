//! Explain: why messages have the fates they have, and the proof.
//!
//! The run is done again with details on, the family says for each message what its fate depended on, equal chains
//! make a group, and each remedy that a chain names is tried: all faults pinned to the node and time at which they
//! fired, one thing changed. A chain is confirmed if one of its remedies saves every message of its group from it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::AtomicBool;

use super::Source;
use super::findings::{Finding, Findings, Identity, chains, kinds};
use super::run::{Ended, Fired, Outcome, Run};
use crate::broker::{Chain, Details, Remedy};
use crate::fact::{MessageId, SubscriptionId};
use crate::ledger::trace::{Trace, Wanted};
use crate::ledger::{Fate, Ledger, NONE};
use crate::scenario::plan::{Action, FaultPlan, Plan, Target, Trigger};
use crate::scenario::write;
use crate::sim::Time;

/// A group's remedies beyond these are not tried.
const REMEDIES_MAX: usize = 8;

/// Why messages of a run have the fates they have.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// The run.
    pub outcome: Outcome,
    /// The worst fate first, then the largest group.
    pub groups: Vec<Group>,
    /// How many groups more there are, which nobody asked to be explained.
    pub others: usize,
}

/// Messages with the same fate at the same subscription by the same chain.
#[derive(Clone, Debug)]
pub struct Group {
    /// `billing`.
    pub subscription: String,
    /// Their fate.
    pub fate: Fate,
    /// Their names, in the order in which they were due.
    pub messages: Vec<String>,
    /// The chain of the first of them.
    pub chain: Chain,
    /// The remedies that were tried.
    pub trials: Vec<Trial>,
    pub(super) members: BTreeSet<Identity>,
}

/// A remedy that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// In words: `without the fault leader-dies`.
    pub remedy: String,
    /// The line that does it; none: no line does exactly that.
    pub line: Option<String>,
    /// What came of it.
    pub result: TrialResult,
}

/// What came of a remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrialResult {
    /// No message of the group has its fate by this chain any more. Some may have it by another one: the words of
    /// that chain's links, and how many.
    Confirmed(Vec<(Vec<String>, usize)>),
    /// So many messages of the group still have the same fate by the same chain.
    StillThere(usize),
    /// It could not be tried, for this reason.
    Impossible(String),
}

impl Group {
    /// The worse the fate, the smaller.
    pub(super) fn rank(&self) -> usize {
        rank(self.fate)
    }

    /// How many messages of the group have another fate after a trial that breaks their chain; none: it does not, or
    /// could not be tried.
    pub fn spared(&self, trial: &Trial) -> Option<usize> {
        let TrialResult::Confirmed(others) = &trial.result else { return None };
        let same: usize = others.iter().map(|(_, messages)| messages).sum();
        Some(self.members.len().saturating_sub(same))
    }

    /// Whether at least one remedy saves every message of the group from this chain.
    pub fn is_confirmed(&self) -> bool {
        self.trials.iter().any(|trial| matches!(trial.result, TrialResult::Confirmed(_)))
    }
}

/// Which run to explain.
pub struct Question<'a> {
    /// The scenario.
    pub source: &'a dyn Source,
    /// The variant; none: the first.
    pub variant: Option<&'a str>,
    /// The seed; none: the file's own.
    pub seed: Option<u64>,
    /// TOML lines laid over the variant.
    pub sets: &'a [String],
    /// Only this message: `checkout#17`; none: every message that was not simply processed.
    pub message: Option<&'a str>,
}

/// How much is asked, and how much may be done to answer it.
pub(super) struct Effort {
    /// Groups to explain.
    pub(super) groups_max: usize,
    /// Messages to ask about; of more, some from all over the run.
    pub(super) messages_max: usize,
    /// Events to dispatch for trying remedies, beyond the first one tried.
    pub(super) events_max: u64,
    /// Most runs have something to explain: the first run keeps what explaining needs, if that is not too much.
    pub(super) keeps_traces: bool,
}

/// What was found out.
pub(super) struct Inquiry {
    pub(super) explanation: Explanation,
    pub(super) findings: Findings,
    /// Of how many messages that were not simply processed.
    pub(super) wanted: usize,
    /// By reason: the group that it became.
    group_of: Vec<Option<usize>>,
}

impl Inquiry {
    /// What is known of each message, with its subscription and its group.
    pub(super) fn findings(&self) -> impl Iterator<Item = (SubscriptionId, Finding, usize)> {
        let with_group = |((subscription, _), finding): (&(SubscriptionId, Identity), &Finding)| {
            Some((*subscription, *finding, *self.group_of.get(finding.reason)?.as_ref()?))
        };
        self.findings.of.iter().filter_map(with_group)
    }
}

/// So many observations of a run are kept, if nobody knows yet what will have to be explained.
const TRACE_MAX: usize = 1_000_000;

impl Question<'_> {
    /// Runs, replays with details, groups, and tries the remedies of every group.
    pub fn explain(&self) -> Result<Explanation, String> {
        let effort = Effort {
            groups_max: usize::MAX,
            messages_max: usize::MAX,
            events_max: u64::MAX,
            keeps_traces: true,
        };
        Ok(self.inquire(&effort)?.explanation)
    }

    /// Runs, and explains the worst group alone: what the report of a run shows.
    pub fn run(&self) -> Result<Explanation, String> {
        let effort =
            Effort { groups_max: 1, messages_max: usize::MAX, events_max: u64::MAX, keeps_traces: false };
        Ok(self.inquire(&effort)?.explanation)
    }

    pub(super) fn inquire(&self, effort: &Effort) -> Result<Inquiry, String> {
        let plan = self.source.plan(self.variant, self.sets)?;
        let run = Run::new(self.source.family(), &plan, self.seed.unwrap_or(plan.seed));
        let (ended, trace) = first_run(&run, effort.keeps_traces);
        let outcome = run.conclude(&ended, &[]);
        let mut wanted = self.wanted(&outcome, &ended.ledger)?;
        let count = wanted.len();
        thin_out(&mut wanted, effort.messages_max);
        let findings = match &trace {
            _ if wanted.is_empty() => Findings::default(),
            Some(trace) => Findings::of(&run, &ended, &outcome, trace, &wanted),
            None => chains(&run, &wanted),
        };
        let (mut groups, group_of) = findings.group(&ended.ledger);
        let others = groups.len().saturating_sub(effort.groups_max);
        groups.truncate(effort.groups_max);
        self.try_remedies(&outcome, &mut groups, &wanted, effort.events_max, &ended.ledger);
        Ok(Inquiry {
            explanation: Explanation { outcome, groups, others },
            findings,
            wanted: count,
            group_of,
        })
    }

    /// Runs once for each different remedy of the groups, on as many threads as there are processors.
    fn try_remedies(
        &self,
        outcome: &Outcome,
        groups: &mut [Group],
        wanted: &BTreeSet<Identity>,
        events_max: u64,
        ledger: &Ledger,
    ) {
        let mut remedies: Vec<Remedy> = Vec::new();
        for remedy in groups.iter().flat_map(|group| group.chain.remedies.iter().take(REMEDIES_MAX)) {
            if !remedies.contains(remedy) {
                remedies.push(remedy.clone());
            }
        }
        let affordable = (events_max / outcome.events.max(1)).max(1) as usize;
        let count = remedies.len().min(affordable);
        let mut results: BTreeMap<Remedy, Vec<TrialResult>> = BTreeMap::new();
        let work = |number: usize| self.rerun(outcome, &remedies[number], wanted);
        let jobs = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut number = 0;
        super::pool::in_order(jobs, count, &AtomicBool::new(false), &work, &mut |rerun| {
            let compare = |group: &Group| match &rerun {
                Ok(findings) => group.compare(ledger, findings),
                Err(reason) => TrialResult::Impossible(reason.clone()),
            };
            results.insert(remedies[number].clone(), groups.iter().map(compare).collect());
            number += 1;
        });
        for (number, group) in groups.iter_mut().enumerate() {
            for remedy in group.chain.remedies.clone().into_iter().take(REMEDIES_MAX) {
                let result = results.get(&remedy).and_then(|all| all.get(number)).cloned();
                group.trials.push(Trial {
                    remedy: words(&outcome.plan, &remedy),
                    line: line(&outcome.plan, &remedy),
                    result: result.unwrap_or_else(|| TrialResult::Impossible(NOT_TRIED.to_owned())),
                });
            }
        }
    }

    /// The messages to explain.
    fn wanted(&self, outcome: &Outcome, ledger: &Ledger) -> Result<BTreeSet<Identity>, String> {
        if let Some(name) = self.message {
            let id = ledger.find(name).ok_or_else(|| unknown(name, ledger))?;
            return Ok(BTreeSet::from([ledger.identity(id)]));
        }
        let mut wanted = BTreeSet::new();
        for subscription in &outcome.verdict.subscriptions {
            for (index, fate) in subscription.by_message.iter().enumerate() {
                if fate.is_some_and(|fate| fate != Fate::Processed) {
                    wanted.insert(ledger.identity(MessageId(index as u32)));
                }
            }
        }
        Ok(wanted)
    }

    /// The chains of the same messages when one thing is changed and everything else is kept.
    fn rerun(
        &self,
        outcome: &Outcome,
        remedy: &Remedy,
        wanted: &BTreeSet<Identity>,
    ) -> Result<Findings, String> {
        let mut plan = match remedy {
            Remedy::WithoutFault(_) => outcome.plan.clone(),
            Remedy::Set(line) => {
                let sets: Vec<_> = self.sets.iter().chain([line]).cloned().collect();
                self.source.plan(self.variant, &sets)?
            }
        };
        let without = match remedy {
            Remedy::WithoutFault(fault) => outcome.plan.faults.get(*fault as usize),
            Remedy::Set(_) => None,
        };
        plan.faults.retain(|fault| without.is_none_or(|without| without.name != fault.name));
        pin(&mut plan.faults, &outcome.faults);
        for step in &mut plan.steps {
            // Its fault, if it is still there, has a time of its own now.
            step.action = step.action.take().filter(|action| !matches!(action, Action::Fault(_)));
        }
        let run = Run::new(self.source.family(), &plan, outcome.seed);
        Ok(chains(&run, wanted))
    }
}

/// The worse, the smaller: silent harm first, what the sender was told of last.
fn rank(fate: Fate) -> usize {
    let worst_first = [
        Fate::Lost,
        Fate::Duplicated,
        Fate::Phantom,
        Fate::Stranded,
        Fate::Expired,
        Fate::Overflowed,
        Fate::Unroutable,
        Fate::Discarded,
        Fate::DeadLettered,
        Fate::Backlogged,
        Fate::Unsent,
        Fate::Rejected,
    ];
    worst_first.iter().position(|other| *other == fate).unwrap_or(worst_first.len())
}

/// A remedy that is not worth the time.
const NOT_TRIED: &str = "the run is long, and so many others were tried before";

/// That there is no such message.
pub(super) fn unknown(name: &str, ledger: &Ledger) -> String {
    match ledger.messages() as u32 {
        0 => format!("there is no message {name}; nothing was sent"),
        sent => {
            let last = ledger.name(MessageId(sent - 1));
            format!("there is no message {name}; {sent} were sent, the last one as {last}")
        }
    }
}

/// The run, and what explaining any message of it needs, if that is asked for and not too much.
fn first_run(run: &Run<'_>, keeps_trace: bool) -> (Ended, Option<Trace>) {
    if !keeps_trace {
        return (run.drive(Details::Off, &mut |_| {}), None);
    }
    let (mut trace, mut kept) = (Some(Trace::new(Wanted::All)), 0);
    let ended = run.drive(Details::On, &mut |slice| {
        kept += slice.len();
        match &mut trace {
            Some(trace) if kept <= TRACE_MAX => trace.observe(slice),
            _ => trace = None,
        }
    });
    if ended.bound.is_some() {
        // Where a bound stops a run depends on how much is observed of it.
        return first_run(run, false);
    }
    (ended, trace)
}

/// Leaves so many, from all over.
fn thin_out(wanted: &mut BTreeSet<Identity>, most: usize) {
    let all = wanted.len();
    if all > most {
        let mut number = 0;
        wanted.retain(|_| {
            number += 1;
            number * most / all > (number - 1) * most / all
        });
    }
}

impl Group {
    /// What became of the group's messages in a run with one thing changed.
    fn compare(&self, ledger: &Ledger, rerun: &Findings) -> TrialResult {
        let subscription = ledger.layout().subscription(&self.subscription).unwrap_or(NONE);
        let own = kinds(&self.chain);
        let mut still_there = 0;
        let mut others: BTreeMap<Vec<String>, (Vec<String>, usize)> = BTreeMap::new();
        for member in &self.members {
            let Some(finding) = rerun.of.get(&(subscription, *member)) else { continue };
            if finding.fate != self.fate {
                continue;
            }
            let chain = &rerun.reasons[finding.reason].chain;
            let kinds = kinds(chain);
            if kinds == own {
                still_there += 1;
            } else {
                let words = || chain.links.iter().map(|link| link.text.clone()).collect();
                others.entry(kinds).or_insert_with(|| (words(), 0)).1 += 1;
            }
        }
        match still_there {
            0 => TrialResult::Confirmed(others.into_values().collect()),
            count => TrialResult::StillThere(count),
        }
    }
}

/// The line that carries a remedy out; none: no line does exactly that.
fn line(plan: &Plan, remedy: &Remedy) -> Option<String> {
    let fault = match remedy {
        Remedy::Set(line) => return Some(line.clone()),
        Remedy::WithoutFault(fault) => plan.faults.get(*fault as usize)?,
    };
    let name = write::key(&fault.name);
    match fault.trigger {
        // A step without a name of its own, and one of several repetitions, cannot be named.
        _ if fault.name.contains(['#', ' ']) => None,
        Trigger::Step => Some(format!("step.{name} = false")),
        _ => Some(format!("fault.{name} = false")),
    }
}

fn words(plan: &Plan, remedy: &Remedy) -> String {
    match remedy {
        Remedy::Set(line) => format!("with {line}"),
        Remedy::WithoutFault(fault) => {
            let name = plan.faults.get(*fault as usize).map_or("?", |fault| &fault.name);
            format!("without the fault {name}")
        }
    }
}

/// Pins every fault to the time and the nodes at which it fired; what never fired stays away.
fn pin(faults: &mut Vec<FaultPlan>, fired: &[Fired]) {
    faults.retain_mut(|fault| {
        let mut firings = fired.iter().filter(|firing| firing.fault == fault.name);
        let Some(first) = firings.next() else { return false };
        let together = firings.take_while(|firing| firing.at == first.at);
        let mut nodes: Vec<_> =
            std::iter::once(first).chain(together).map(|firing| Target::Name(firing.node.clone())).collect();
        fault.trigger = Trigger::At(first.at.since(Time::ZERO));
        if let Some(target) = fault.verb.target_mut() {
            *target = if nodes.len() == 1 { nodes.remove(0) } else { Target::All(nodes) };
        }
        true
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::fake::FakeScenario;
    use crate::scenario::plan::Verb;

    fn explain(message: Option<&str>) -> Result<Explanation, String> {
        let source = FakeScenario::new();
        Question { source: &source, variant: None, seed: None, sets: &[], message }.explain()
    }

    #[test]
    fn a_chain_is_confirmed_by_the_remedies_that_break_it() {
        let explanation = explain(None).unwrap();
        let [group] = &explanation.groups[..] else { panic!("one group: {:?}", explanation.groups) };
        assert_eq!((group.fate, group.messages.len()), (Fate::Lost, 1));
        assert!(group.is_confirmed());
        let results: Vec<_> =
            group.trials.iter().map(|trial| (trial.remedy.as_str(), trial.result.clone())).collect();
        assert_eq!(
            results,
            [
                ("without the fault leader-dies", TrialResult::Confirmed(vec![])),
                ("with acks = all", TrialResult::Confirmed(vec![])),
                ("with acks = 1", TrialResult::StillThere(1)),
            ]
        );
    }

    #[test]
    fn one_message_can_be_asked_about() {
        let processed = explain(Some("checkout#1")).unwrap();
        assert!(processed.groups.is_empty());
        let error = explain(Some("checkout#101")).unwrap_err();
        assert_eq!(error, "there is no message checkout#101; 100 were sent, the last one as checkout#100");
    }

    #[test]
    fn faults_are_pinned_to_where_they_fired() {
        let mut faults = FakeScenario::new().faults;
        let mut other = faults[0].clone();
        other.name = "never".to_owned();
        faults.push(other);
        let fired =
            |node: &str| Fired { fault: "leader-dies".to_owned(), node: node.to_owned(), at: Time(7) };
        pin(&mut faults, &[fired("broker-2"), fired("broker-3")]);
        let names = ["broker-2", "broker-3"].map(|name| Target::Name(name.to_owned()));
        assert_eq!(faults.len(), 1);
        assert_eq!(faults[0].trigger, Trigger::At(crate::sim::Span(7)));
        assert_eq!(faults[0].verb, Verb::Kill(Target::All(names.to_vec())));
    }
}
