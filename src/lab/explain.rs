//! Explain: why messages have the fates they have, and the proof.
//!
//! The run is done again with details on, the family says for each message what its fate depended on, equal chains
//! make a group, and each remedy that a chain names is tried: all faults pinned to the node and time at which they
//! fired, one thing changed. A chain is confirmed if one of its remedies saves every message of its group from it.

use std::collections::{BTreeMap, BTreeSet};

use super::Source;
use super::run::{Fired, Outcome, Run};
use crate::broker::{Case, Chain, Details, Names, Remedy};
use crate::fact::{MessageId, SubscriptionId};
use crate::ledger::trace::{Trace, Wanted};
use crate::ledger::{Fate, Ledger, NONE};
use crate::scenario::plan::{Action, FaultPlan, Plan, Target, Trigger};
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
    members: BTreeSet<(u16, u32)>,
}

/// A remedy that was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// In words: `without the fault leader-dies`.
    pub remedy: String,
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

/// Chains by subscription and message; the same message is the same in every run of a workload.
type Chains = BTreeMap<(SubscriptionId, (u16, u32)), (Fate, Chain)>;

impl Question<'_> {
    /// Runs, replays with details, groups, and tries the remedies of every group.
    pub fn explain(&self) -> Result<Explanation, String> {
        self.explain_groups(usize::MAX)
    }

    /// Runs, and explains the worst group alone: what the report of a run shows.
    pub fn run(&self) -> Result<Explanation, String> {
        self.explain_groups(1)
    }

    fn explain_groups(&self, groups_max: usize) -> Result<Explanation, String> {
        let plan = self.source.plan(self.variant, self.sets)?;
        let run = Run::new(self.source.family(), &plan, self.seed.unwrap_or(plan.seed));
        let ended = run.drive(Details::Off, &mut |_| {});
        let outcome = run.conclude(&ended, &[]);
        let wanted = self.wanted(&outcome, &ended.ledger)?;
        if wanted.is_empty() {
            return Ok(Explanation { outcome, groups: Vec::new() });
        }
        let (chains, names) = chains(&run, &wanted);
        let mut groups = group(&chains, &names, &ended.ledger);
        groups.truncate(groups_max);
        let mut tried = BTreeMap::new();
        for group in &mut groups {
            for remedy in group.chain.remedies.clone().into_iter().take(REMEDIES_MAX) {
                let rerun =
                    tried.entry(remedy.clone()).or_insert_with(|| self.rerun(&outcome, &remedy, &wanted));
                let result = match rerun {
                    Ok(chains) => group.compare(&ended.ledger, chains),
                    Err(reason) => TrialResult::Impossible(reason.clone()),
                };
                group.trials.push(Trial { remedy: words(&plan, &remedy), result });
            }
        }
        Ok(Explanation { outcome, groups })
    }

    /// The messages to explain.
    fn wanted(&self, outcome: &Outcome, ledger: &Ledger) -> Result<BTreeSet<(u16, u32)>, String> {
        if let Some(name) = self.message {
            let id = ledger.find(name).ok_or_else(|| match ledger.messages() as u32 {
                0 => format!("there is no message {name}; nothing was sent"),
                sent => {
                    let last = ledger.name(MessageId(sent - 1));
                    format!("there is no message {name}; {sent} were sent, the last one as {last}")
                }
            })?;
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
        wanted: &BTreeSet<(u16, u32)>,
    ) -> Result<Chains, String> {
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
        Ok(chains(&run, wanted).0)
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

/// Runs with details on and asks the family about every wanted message that was not simply processed.
fn chains(run: &Run<'_>, wanted: &BTreeSet<(u16, u32)>) -> (Chains, BTreeMap<(u16, u32), String>) {
    let mut trace = Trace::new(Wanted::These(wanted.clone()));
    let ended = run.drive(Details::On, &mut |slice| trace.observe(slice));
    let outcome = run.conclude(&ended, &[]);
    let (mut chains, mut names) = (Chains::new(), BTreeMap::new());
    for subscription in &outcome.verdict.subscriptions {
        let id = ended.ledger.layout().subscription(&subscription.name).unwrap_or(NONE);
        for message in trace.messages() {
            let Some(fate) = subscription.by_message[message.0 as usize] else { continue };
            if fate == Fate::Processed {
                continue;
            }
            let case = Case {
                plan: run.plan,
                message,
                subscription: id,
                fate: fate.name(),
                history: trace.history(message),
                events: trace.events(),
                names: &ended,
            };
            let identity = ended.ledger.identity(message);
            names.insert(identity, ended.message(message));
            chains.insert((id, identity), (fate, run.family.explain(&case)));
        }
    }
    (chains, names)
}

/// Groups equal chains, the worst fate first, then the largest group.
fn group(chains: &Chains, names: &BTreeMap<(u16, u32), String>, ledger: &Ledger) -> Vec<Group> {
    let mut groups: BTreeMap<(SubscriptionId, Fate, Vec<&str>), Group> = BTreeMap::new();
    for ((subscription, identity), (fate, chain)) in chains {
        let group = groups.entry((*subscription, *fate, kinds(chain))).or_insert_with(|| Group {
            subscription: ledger.layout().subscription_name(*subscription).to_owned(),
            fate: *fate,
            messages: Vec::new(),
            chain: chain.clone(),
            trials: Vec::new(),
            members: BTreeSet::new(),
        });
        group.messages.push(names[identity].clone());
        group.members.insert(*identity);
    }
    let mut groups: Vec<_> = groups.into_values().collect();
    groups.sort_by_key(|group| (rank(group.fate), std::cmp::Reverse(group.members.len())));
    groups
}

impl Group {
    /// What became of the group's messages in a run with one thing changed.
    fn compare(&self, ledger: &Ledger, chains: &Chains) -> TrialResult {
        let subscription = ledger.layout().subscription(&self.subscription).unwrap_or(NONE);
        let mut still_there = 0;
        let mut others: BTreeMap<Vec<&str>, (Vec<String>, usize)> = BTreeMap::new();
        for member in &self.members {
            let Some((fate, chain)) = chains.get(&(subscription, *member)) else { continue };
            if *fate != self.fate {
                continue;
            }
            if kinds(chain) == kinds(&self.chain) {
                still_there += 1;
            } else {
                let words = || chain.links.iter().map(|link| link.text.clone()).collect();
                others.entry(kinds(chain)).or_insert_with(|| (words(), 0)).1 += 1;
            }
        }
        match still_there {
            0 => TrialResult::Confirmed(others.into_values().collect()),
            count => TrialResult::StillThere(count),
        }
    }
}

fn kinds(chain: &Chain) -> Vec<&str> {
    chain.links.iter().map(|link| link.kind.as_str()).collect()
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
