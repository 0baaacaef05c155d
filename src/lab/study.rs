//! A study of one run: why each message that was not simply processed has its fate, proved, and the instant at which
//! each of these fates was sealed. And the journey of a single message.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Source;
use super::explain::{self, Effort, Explanation, Question};
use super::findings::{self, Finding};
use super::run::Run;
use crate::broker::{Chain, Details, Names};
use crate::fact::{Fact, MessageId, NodeId, Observation, PlaceId, SubscriptionId};
use crate::ledger::trace::{Trace, Wanted};
use crate::ledger::{Fate, Layout, NONE};
use crate::sim::Time;

/// Which run is studied.
#[derive(Clone)]
pub struct Subject {
    /// The scenario.
    pub source: Arc<dyn Source>,
    /// The variant; none: the first, or the base of a file without variants.
    pub variant: Option<String>,
    /// The seed.
    pub seed: u64,
    /// TOML lines laid over the variant.
    pub lines: Vec<String>,
}

/// Everything that is to be known about the messages that were not simply processed.
#[derive(Clone, Debug)]
pub struct Study {
    /// Groups of equal chains, with the proof of each.
    pub explanation: Explanation,
    /// When the fate of each of these messages was sealed, in the order of time.
    pub sealed: Vec<Sealed>,
    /// How many messages were not simply processed. Of very many, only some from all over the run are studied.
    pub messages: usize,
}

/// So many messages are studied, and their remedies tried until so many events were dispatched.
const EFFORT: Effort =
    Effort { groups_max: 32, messages_max: 20_000, events_max: 40_000_000, keeps_traces: true };

/// A fate that was sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sealed {
    /// From then on nothing could change it any more, as far as this run went: the last instant of the message's chain.
    pub at: Time,
    /// The message.
    pub message: MessageId,
    /// At which subscription; [`crate::fact::NONE`]: nobody's.
    pub subscription: SubscriptionId,
    /// Which fate.
    pub fate: Fate,
    /// Index into the explanation's groups.
    pub group: usize,
}

/// What happened to one message.
#[derive(Clone, Debug)]
pub struct Journey {
    /// Which one.
    pub message: MessageId,
    /// `checkout#17`.
    pub name: String,
    /// Everything observed about it, in order.
    pub history: Vec<Observation>,
    /// Its fate at each subscription that it is addressed to, and why, if it was not simply processed.
    pub fates: Vec<(String, Fate, Option<Chain>)>,
    /// The names of everything that its history speaks of.
    pub names: Known,
}

/// Names, kept for when the run is gone.
#[derive(Clone, Debug, Default)]
pub struct Known {
    nodes: BTreeMap<NodeId, String>,
    places: BTreeMap<PlaceId, String>,
    messages: BTreeMap<MessageId, String>,
}

impl Known {
    /// The names of what these observations speak of.
    fn of(history: &[Observation], names: &dyn Names) -> Self {
        let mut known = Self::default();
        for observation in history {
            known.nodes.entry(observation.node).or_insert_with(|| names.node(observation.node));
            if let Some(message) = observation.fact.message() {
                known.messages.entry(message).or_insert_with(|| names.message(message));
            }
            if let Fact::Stored { place, .. } | Fact::Removed { place, .. } = observation.fact {
                known.places.entry(place).or_insert_with(|| names.place(place));
            }
        }
        known
    }
}

impl Names for Known {
    fn node(&self, node: NodeId) -> String {
        self.nodes.get(&node).cloned().unwrap_or_default()
    }
    fn place(&self, place: PlaceId) -> String {
        self.places.get(&place).cloned().unwrap_or_default()
    }
    fn message(&self, message: MessageId) -> String {
        self.messages.get(&message).cloned().unwrap_or_default()
    }
}

impl Subject {
    /// The question that the laboratory answers about this run.
    pub fn question<'a>(&'a self, message: Option<&'a str>) -> Question<'a> {
        Question {
            source: self.source.as_ref(),
            variant: self.variant.as_deref(),
            seed: Some(self.seed),
            sets: &self.lines,
            message,
        }
    }

    /// Why each message that was not simply processed has its fate, proved, and when that was sealed. Runs once, and
    /// once more for every remedy that is tried.
    pub fn study(&self) -> Result<Study, String> {
        let inquiry = self.question(None).inquire(&EFFORT)?;
        let groups = inquiry.explanation.groups.len();
        let mut sealed: Vec<Sealed> = (inquiry.findings())
            .filter(|(_, _, group)| *group < groups)
            .map(|(subscription, Finding { message, fate, sealed: at, .. }, group)| Sealed {
                at,
                message,
                subscription,
                fate,
                group,
            })
            .collect();
        sealed.sort_by_key(|one| (one.at, one.message, one.subscription));
        let messages = inquiry.wanted;
        Ok(Study { explanation: inquiry.explanation, sealed, messages })
    }

    /// Everything about one message, whatever became of it: `checkout#17`. Runs once.
    pub fn journey(&self, name: &str) -> Result<Journey, String> {
        self.question(Some(name)).journey(name)
    }
}

impl Question<'_> {
    /// Everything about one message of the run, whatever became of it.
    pub fn journey(&self, name: &str) -> Result<Journey, String> {
        let plan = self.source.plan(self.variant, self.sets)?;
        let run = Run::new(self.source.family(), &plan, self.seed.unwrap_or(plan.seed));
        let identity = Layout::new(run.family, &plan).parse_message(name);
        let mut trace = Trace::new(Wanted::These(identity.into_iter().collect()));
        let ended = run.drive(Details::On, &mut |slice| trace.observe(slice));
        let message = ended.ledger.find(name).ok_or_else(|| explain::unknown(name, &ended.ledger))?;
        let history = trace.history(message);
        let mut fates = Vec::new();
        for subscription in run.conclude(&ended, &[]).verdict.subscriptions {
            let Some(fate) = subscription.by_message[message.0 as usize] else { continue };
            let id = ended.ledger.layout().subscription(&subscription.name).unwrap_or(NONE);
            let why = || findings::case(&run, &ended, message, id, fate, history, trace.events());
            fates.push((subscription.name, fate, (fate != Fate::Processed).then(why)));
        }
        let names = Known::of(history, &ended);
        Ok(Journey { message, name: ended.message(message), history: history.to_vec(), fates, names })
    }
}

#[cfg(test)]
mod tests {
    use super::super::fake::FakeScenario;
    use super::*;

    fn subject() -> Subject {
        Subject { source: Arc::new(FakeScenario::new()), variant: None, seed: 42, lines: Vec::new() }
    }

    #[test]
    fn a_study_says_when_each_fate_was_sealed() {
        let study = subject().study().unwrap();
        let [group] = &study.explanation.groups[..] else { panic!("{:?}", study.explanation.groups) };
        let [sealed] = study.sealed[..] else { panic!("{:?}", study.sealed) };
        assert_eq!((sealed.fate, sealed.group, study.messages), (Fate::Lost, 0, 1));
        assert_eq!(group.messages, [study.explanation.outcome.plan.producers[0].name.clone() + "#51"]);
        assert_eq!(sealed.at, Time(505_000_000), "when the leader died");
        let lines: Vec<_> = group.trials.iter().map(|trial| trial.line.as_deref()).collect();
        assert_eq!(lines, [Some("fault.leader-dies = false"), Some("acks = all"), Some("acks = 1")]);
    }

    #[test]
    fn every_message_has_a_journey() {
        let processed = subject().journey("checkout#1").unwrap();
        assert_eq!((processed.name.as_str(), processed.history.len()), ("checkout#1", 4));
        assert_eq!(processed.fates, [("billing".to_owned(), Fate::Processed, None)]);
        assert_eq!(processed.names.node(NodeId(0)), "broker-1");
        let lost = subject().journey("51").unwrap();
        assert!(matches!(&lost.fates[..], [(_, Fate::Lost, Some(chain))] if chain.links.len() == 3));
        assert!(subject().journey("checkout#101").unwrap_err().contains("the last one as checkout#100"));
    }
}
