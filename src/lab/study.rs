//! A study of one run: why each message that was not simply processed has its fate, proved, and the instant at which
//! each of these fates was sealed. And the journey of a single message.

use std::sync::Arc;

use super::Source;
use super::explain::{Explanation, Question};
use crate::broker::Chain;
use crate::fact::{MessageId, Observation, SubscriptionId};
use crate::ledger::Fate;
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
}

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
}
