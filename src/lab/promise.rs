//! The verdict in the words in which systems are sold: at most once, at least once, exactly once, in order. What was
//! promised, whether it was kept, which setting decided, and what to try next.

use super::Source;
use super::explain::{Explanation, Trial};
use super::run::{Outcome, Run};
use super::study::{Study, Subject};
use crate::ledger::{Fate, Store, SubscriptionVerdict};

/// Events that may be dispatched for looking at the other variants.
const EVENTS_MAX: u64 = 40_000_000;

/// What a system may promise about messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guarantee {
    /// No message has more than one effect.
    AtMostOnce,
    /// Every confirmed message took effect, or was put aside as a dead letter. What still waits at the end has not.
    AtLeastOnce,
    /// Both, and nothing took effect of which the sender was not told that it succeeded.
    ExactlyOnce,
    /// First effects came in the order of sending, and no old value was put over a newer one.
    InOrder,
}

impl Guarantee {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::AtMostOnce, Self::AtLeastOnce, Self::ExactlyOnce, Self::InOrder];

    /// By how many messages it is broken at a subscription.
    pub fn broken_by(self, subscription: &SubscriptionVerdict) -> u64 {
        let of = |fates: &[Fate]| fates.iter().map(|&fate| subscription.fates.of(fate)).sum::<u64>();
        match self {
            Self::AtMostOnce => of(&[Fate::Duplicated]),
            Self::AtLeastOnce => of(&[
                Fate::Lost,
                Fate::Stranded,
                Fate::Expired,
                Fate::Overflowed,
                Fate::Unroutable,
                Fate::Discarded,
                Fate::Backlogged,
            ]),
            Self::ExactlyOnce => {
                let parts = [Self::AtMostOnce, Self::AtLeastOnce].map(|part| part.broken_by(subscription));
                parts.iter().sum::<u64>() + of(&[Fate::Phantom])
            }
            Self::InOrder => subscription.reordered.max(subscription.stale),
        }
    }

    /// Messages that the guarantee does not speak of, though they had no effect: they are dead letters, safe and not
    /// processed.
    pub fn set_aside(self, subscription: &SubscriptionVerdict) -> u64 {
        match self {
            Self::AtLeastOnce | Self::ExactlyOnce => subscription.fates.of(Fate::DeadLettered),
            Self::AtMostOnce | Self::InOrder => 0,
        }
    }
}

/// What one subscription was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Promise {
    /// `billing`.
    pub subscription: String,
    /// Each guarantee, and by how many messages it is broken: kept, if by none.
    pub broken: [(Guarantee, u64); Guarantee::ALL.len()],
    /// What its store should hold, and what it holds.
    pub store: Store,
}

/// What was kept of every promise, by subscription.
pub fn promises(outcome: &Outcome) -> Vec<Promise> {
    let promise = |one: &SubscriptionVerdict| Promise {
        subscription: one.name.clone(),
        broken: Guarantee::ALL.map(|guarantee| (guarantee, guarantee.broken_by(one))),
        store: one.store,
    };
    outcome.verdict.counted().map(promise).collect()
}

/// The changes of which each alone prevents the worst that happened, those first after which nothing else of the kind
/// is left. One after which all of it happens in another way prevents nothing.
pub fn decided_by(explanation: &Explanation) -> Vec<&Trial> {
    let Some(group) = explanation.groups.first() else { return Vec::new() };
    let spared = |trial: &&Trial| group.spared(trial).filter(|&spared| spared > 0);
    let mut decided: Vec<&Trial> = group.trials.iter().filter(|trial| spared(trial).is_some()).collect();
    decided.sort_by_key(|trial| std::cmp::Reverse(spared(trial)));
    decided
}

/// The line of a trial that changed a setting; none: it left a fault out, or no line does it.
pub fn setting_line(trial: &Trial) -> Option<&String> {
    trial.line.as_ref().filter(|line| !line.ends_with("= false") || line.contains(".config."))
}

/// What to try next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// A line, and in words what it does.
    Line {
        /// `with producer.checkout.config.acks = "all"`.
        words: String,
        /// As for `--set`.
        line: String,
    },
    /// Another variant of the scenario, which comes off better.
    Variant(String),
}

/// What is to be said of a run that was studied.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// By subscription.
    pub promises: Vec<Promise>,
    /// The changes that decide the worst of it.
    pub decided: Vec<Trial>,
    /// Changes of settings first, then other variants, the best first.
    pub next: Vec<Advice>,
}

/// How bad a run is, the worst kind of harm first.
fn harm(outcome: &Outcome) -> [u64; 4] {
    let sum = |guarantee: Guarantee| {
        outcome.verdict.subscriptions.iter().map(|one| guarantee.broken_by(one)).sum::<u64>()
    };
    let [at_most, at_least, exactly, order] = Guarantee::ALL.map(sum);
    [at_least, at_most, exactly, order]
}

impl Subject {
    /// What is to be said of this run, which was studied. Runs the scenario's other variants, if that is not too much.
    pub fn judgement(&self, study: &Study) -> Judgement {
        let outcome = &study.explanation.outcome;
        let decided: Vec<Trial> = decided_by(&study.explanation).into_iter().cloned().collect();
        let of_setting = |trial: &Trial| {
            let line = setting_line(trial)?.clone();
            Some(Advice::Line { words: trial.remedy.clone(), line })
        };
        let mut next: Vec<Advice> = decided.iter().filter_map(of_setting).collect();
        next.extend(self.better_variants(outcome).into_iter().map(Advice::Variant));
        Judgement { promises: promises(outcome), decided, next }
    }

    /// The variants that come off better than this run, with the same lines and seed; the best first.
    fn better_variants(&self, outcome: &Outcome) -> Vec<String> {
        let own = harm(outcome);
        if own == [0; 4] {
            return Vec::new();
        }
        let affordable = (EVENTS_MAX / outcome.events.max(1)) as usize;
        let source: &dyn Source = self.source.as_ref();
        let others = source.variants().into_iter().filter(|name| outcome.plan.variant.as_ref() != Some(name));
        let mut better = Vec::new();
        for name in others.take(affordable) {
            let Ok(plan) = source.plan(Some(&name), &self.lines) else { continue };
            let harm = harm(&Run::new(source.family(), &plan, self.seed).outcome(&[]));
            if harm < own {
                better.push((harm, name));
            }
        }
        better.sort();
        better.into_iter().map(|(_, name)| name).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::fake::FakeScenario;
    use super::*;

    #[test]
    fn a_lost_message_breaks_what_it_breaks_and_leads_somewhere() {
        let source = Arc::new(FakeScenario::new());
        let subject = Subject { source, variant: None, seed: 42, lines: Vec::new() };
        let judgement = subject.judgement(&subject.study().unwrap());
        let [promise] = &judgement.promises[..] else { panic!("{judgement:?}") };
        assert_eq!(promise.broken.map(|(_, broken)| broken), [0, 1, 1, 0]);
        assert_eq!((promise.store.expected, promise.store.actual), (100, 99));
        let decided: Vec<_> = judgement.decided.iter().map(|trial| trial.remedy.as_str()).collect();
        assert_eq!(decided, ["without the fault leader-dies", "with acks = all"]);
        let line = Advice::Line { words: "with acks = all".to_owned(), line: "acks = all".to_owned() };
        assert_eq!(judgement.next, [line, Advice::Variant("acks=all".to_owned())]);
    }

    #[test]
    fn nothing_is_to_be_done_about_a_good_run() {
        let source = Arc::new(FakeScenario::new());
        let variant = Some("acks=all".to_owned());
        let subject = Subject { source, variant, seed: 42, lines: Vec::new() };
        let judgement = subject.judgement(&subject.study().unwrap());
        assert!(judgement.promises.iter().all(|one| one.broken.iter().all(|(_, broken)| *broken == 0)));
        assert_eq!((judgement.decided.len(), judgement.next.len()), (0, 0));
    }
}
