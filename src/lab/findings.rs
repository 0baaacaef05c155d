//! What is known of the messages that somebody asked about: the fate and the chain of each, in one run.

use std::collections::{BTreeMap, BTreeSet};

use super::explain::Group;
use super::run::{Ended, Outcome, Run};
use crate::broker::{Case, Chain, Details};
use crate::fact::{MessageId, Observation, SubscriptionId};
use crate::ledger::trace::{Trace, Wanted};
use crate::ledger::{Fate, Ledger, NONE};
use crate::sim::Time;

/// The producer's number and the message's number within it: the same in every run of a workload.
pub(super) type Identity = (u16, u32);

/// What is known of the messages that were asked about, in one run.
#[derive(Default)]
pub(super) struct Findings {
    pub(super) of: BTreeMap<(SubscriptionId, Identity), Finding>,
    /// The different fates and chains, each with the chain of the first message that has it.
    pub(super) reasons: Vec<Reason>,
}

/// What is known of one message at one subscription.
#[derive(Clone, Copy)]
pub(super) struct Finding {
    pub(super) message: MessageId,
    pub(super) fate: Fate,
    /// Index into the reasons.
    pub(super) reason: usize,
    /// The last instant of its chain.
    pub(super) sealed: Time,
}

/// The same fate at the same subscription by the same chain.
pub(super) struct Reason {
    subscription: SubscriptionId,
    fate: Fate,
    pub(super) chain: Chain,
}

/// Runs with details on and asks the family about every wanted message that was not simply processed.
pub(super) fn chains(run: &Run<'_>, wanted: &BTreeSet<Identity>) -> Findings {
    let mut trace = Trace::new(Wanted::These(wanted.clone()));
    let ended = run.drive(Details::On, &mut |slice| trace.observe(slice));
    let outcome = run.conclude(&ended, &[]);
    Findings::of(run, &ended, &outcome, &trace, wanted)
}

/// When the last thing happened of those that a chain names; else the last thing that is known of the message.
fn sealed(chain: &Chain, history: &[Observation]) -> Time {
    let of_chain = chain.links.iter().filter_map(|link| link.at).max();
    of_chain.or_else(|| history.last().map(|one| one.at)).unwrap_or(Time::ZERO)
}

impl Findings {
    /// Asks the family about every wanted message that was not simply processed.
    pub(super) fn of(
        run: &Run<'_>,
        ended: &Ended,
        outcome: &Outcome,
        trace: &Trace,
        wanted: &BTreeSet<Identity>,
    ) -> Self {
        let mut findings = Self::default();
        let mut known: BTreeMap<(SubscriptionId, Fate, Vec<String>), usize> = BTreeMap::new();
        let wanted: Vec<(MessageId, Identity)> = (trace.messages())
            .map(|message| (message, ended.ledger.identity(message)))
            .filter(|(_, identity)| wanted.contains(identity))
            .collect();
        for subscription in &outcome.verdict.subscriptions {
            let id = ended.ledger.layout().subscription(&subscription.name).unwrap_or(NONE);
            for &(message, identity) in &wanted {
                let Some(fate) = subscription.by_message[message.0 as usize] else { continue };
                if fate == Fate::Processed {
                    continue;
                }
                let history = trace.history(message);
                let chain = case(run, ended, message, id, fate, history, trace.events());
                let sealed = sealed(&chain, history);
                let reason = *known.entry((id, fate, kinds(&chain))).or_insert_with(|| {
                    findings.reasons.push(Reason { subscription: id, fate, chain });
                    findings.reasons.len() - 1
                });
                findings.of.insert((id, identity), Finding { message, fate, reason, sealed });
            }
        }
        findings
    }

    /// Groups by reason, the worst fate first, then the largest group; and the group that each reason became.
    pub(super) fn group(&self, ledger: &Ledger) -> (Vec<Group>, Vec<Option<usize>>) {
        let mut groups: Vec<(usize, Group)> = (self.reasons.iter().enumerate())
            .map(|(number, reason)| (number, reason.group(ledger)))
            .collect();
        let mut members: Vec<_> = self.of.iter().collect();
        members.sort_by_key(|(_, finding)| finding.message);
        for ((_, identity), finding) in members {
            let group = &mut groups[finding.reason].1;
            group.messages.push(ledger.name(finding.message));
            group.members.insert(*identity);
        }
        groups.sort_by_key(|(_, group)| (group.rank(), std::cmp::Reverse(group.members.len())));
        let mut group_of = vec![None; groups.len()];
        for (number, (reason, _)) in groups.iter().enumerate() {
            group_of[*reason] = Some(number);
        }
        (groups.into_iter().map(|(_, group)| group).collect(), group_of)
    }
}

impl Reason {
    /// A group without members.
    fn group(&self, ledger: &Ledger) -> Group {
        Group {
            subscription: ledger.layout().subscription_name(self.subscription).to_owned(),
            fate: self.fate,
            messages: Vec::new(),
            chain: self.chain.clone(),
            trials: Vec::new(),
            members: BTreeSet::new(),
        }
    }
}

/// Asks the family why a message has its fate.
pub(super) fn case(
    run: &Run<'_>,
    ended: &Ended,
    message: MessageId,
    subscription: SubscriptionId,
    fate: Fate,
    history: &[Observation],
    events: &[Observation],
) -> Chain {
    let plan = run.plan;
    let case = Case { plan, message, subscription, fate: fate.name(), history, events, names: ended };
    run.family.explain(&case)
}

/// What makes a chain the same as another one.
pub(super) fn kinds(chain: &Chain) -> Vec<String> {
    chain.links.iter().map(|link| link.kind.clone()).collect()
}
