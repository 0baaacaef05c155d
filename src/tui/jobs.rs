//! What takes longer than a frame and is done beside the screen: studies, journeys, what a scenario loses.

use std::sync::Arc;

use super::shelf::Shelf;
use crate::fact::MessageId;
use crate::lab::run::Run;
use crate::lab::session::BranchId;
use crate::lab::study::{Journey, Study, Subject};
use crate::ledger::Fate;

/// Something to be found out.
#[derive(Clone)]
pub enum Job {
    /// The causes of a branch's run.
    Study(BranchId, Subject),
    /// One message of a branch's run.
    Journey(BranchId, MessageId, String, Subject),
    /// What a scenario of the shelf loses under each variant.
    Losses(String),
}

/// What was found out.
#[derive(Debug)]
pub enum Found {
    /// See [`Job::Study`].
    Study(BranchId, Result<Box<Study>, String>),
    /// See [`Job::Journey`].
    Journey(BranchId, MessageId, Result<Journey, String>),
    /// See [`Job::Losses`].
    Losses(String, Result<Vec<Loss>, String>),
}

/// What becomes of messages under one variant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loss {
    /// The variant; empty: the file has none.
    pub variant: String,
    /// How many messages were sent.
    pub sent: u64,
    /// The fates that are not harmless, and how many messages have each.
    pub harm: Vec<(Fate, u64)>,
    /// Messages that took effect after one that was sent later.
    pub reordered: u64,
}

/// Fates that a picker names: what an author of a scenario would be asked about first.
const HARM: [Fate; 6] =
    [Fate::Lost, Fate::Duplicated, Fate::Stranded, Fate::Phantom, Fate::Backlogged, Fate::Rejected];

impl Job {
    /// Finds it out.
    pub fn run(self, shelf: &dyn Shelf) -> Found {
        match self {
            Self::Study(branch, subject) => Found::Study(branch, subject.study().map(Box::new)),
            Self::Journey(branch, message, name, subject) => {
                Found::Journey(branch, message, subject.journey(&name))
            }
            Self::Losses(name) => {
                let losses = losses(shelf, &name);
                Found::Losses(name, losses)
            }
        }
    }

    /// Whether it asks the same, so that it need not be asked twice.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Study(one, _), Self::Study(other, _)) => one == other,
            (Self::Journey(one, message, ..), Self::Journey(other, same, ..)) => {
                one == other && message == same
            }
            (Self::Losses(one), Self::Losses(other)) => one == other,
            _ => false,
        }
    }
}

fn losses(shelf: &dyn Shelf, name: &str) -> Result<Vec<Loss>, String> {
    let source = shelf.open(name)?;
    let plans = crate::lab::plans(source.as_ref(), &[])?;
    let of = |plan: &crate::scenario::plan::Plan| {
        let outcome = Run::new(source.family(), plan, plan.seed).outcome(&[]);
        let count = |fate: Fate| (fate, outcome.verdict.fate(fate));
        Loss {
            variant: plan.variant.clone().unwrap_or_default(),
            sent: outcome.verdict.messages.sent,
            reordered: outcome.verdict.subscriptions.iter().map(|one| one.reordered).sum(),
            harm: HARM.map(count).into_iter().filter(|(_, count)| *count > 0).collect(),
        }
    };
    Ok(plans.iter().map(of).collect())
}

/// Where jobs go: beside the screen, or done at once where nothing may depend on how fast a machine is.
pub trait Desk {
    /// Takes a job; what is found comes back later, or now.
    fn take(&mut self, job: Job) -> Option<Found>;
}

/// Does everything at once.
pub struct AtOnce {
    shelf: Arc<dyn Shelf>,
}

impl AtOnce {
    /// With this shelf.
    pub fn new(shelf: Arc<dyn Shelf>) -> Self {
        Self { shelf }
    }
}

impl Desk for AtOnce {
    fn take(&mut self, job: Job) -> Option<Found> {
        Some(job.run(self.shelf.as_ref()))
    }
}
