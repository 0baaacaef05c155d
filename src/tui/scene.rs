//! What views are lent: a run at a cursor, what is selected, and the look. Nothing in it can be changed.

use std::collections::BTreeMap;

use super::action::{Landmark, View};
use super::look::Look;
use crate::broker::{Family, Names};
use crate::fact::{Fact, MessageId, NodeId, Observation, PlaceId, SubscriptionId};
use crate::lab::record::Instant;
use crate::lab::run::Outcome;
use crate::lab::series::Series;
use crate::lab::study::{Journey, Study};
use crate::lab::{About, Source};
use crate::ledger::{Fate, Ledger, Standing};
use crate::scenario::plan::Plan;
use crate::sim::Time;

/// All that a view may look at.
#[derive(Clone, Copy)]
pub struct Scene<'a> {
    /// Where plans come from: titles, variants.
    pub source: &'a dyn Source,
    /// The family, for its words.
    pub family: &'static dyn Family,
    /// What runs.
    pub plan: &'a Plan,
    /// With which seed.
    pub seed: u64,
    /// What was done by hand on the way to this branch, in words, oldest first.
    pub deeds: &'a [String],
    /// The TOML lines laid over the variant: a run is done again with them.
    pub lines: &'a [String],
    /// The world and the ledger at the cursor.
    pub instant: &'a Instant,
    /// The run as far as it is recorded: the last instant that can be looked at.
    pub head: Time,
    /// Events recorded.
    pub head_events: u64,
    /// How the run ended; none: it is not recorded to its end.
    pub outcome: Option<&'a Outcome>,
    /// What is worth jumping to, in the order of time.
    pub marks: &'a [TimeMark],
    /// Measures over time.
    pub series: &'a Series,
    /// Causes; none: not known yet.
    pub study: Option<&'a Study>,
    /// Why the causes cannot be found out, for people; none: they can, or they are known.
    pub trouble: Option<&'a str>,
    /// When which fate was sealed; empty: not known yet.
    pub seals: &'a Seals,
    /// The selected message's journey; none: none is selected, or it is not known yet.
    pub journey: Option<&'a Journey>,
    /// What was observed around the cursor, each with the number of its event, in order.
    pub log: &'a [(u64, Observation)],
    /// What is selected.
    pub pick: &'a Pick,
    /// How everything looks.
    pub look: &'a Look,
}

/// A moment worth marking on the timeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeMark {
    /// When.
    pub at: Time,
    /// What kind of moment.
    pub landmark: Landmark,
    /// For a fault: it ended. For any other: false.
    pub is_end: bool,
    /// On which node, if on any.
    pub node: Option<NodeId>,
    /// Which message, if any.
    pub message: Option<MessageId>,
}

/// What is selected, and how far things are scrolled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Which pane is shown.
    pub view: View,
    /// Which node.
    pub node: NodeId,
    /// Which place, as an index into [`crate::broker::World::places`].
    pub place: usize,
    /// Which subscription's fates.
    pub subscription: SubscriptionId,
    /// Which message.
    pub message: Option<MessageId>,
    /// The last offset that the lanes show; none: they follow the end.
    pub offset: Option<u64>,
    /// The first line that a scrolled text shows: charts, inspector, why, verdict.
    pub scroll: usize,
    /// How many lines above the cursor's the event log's selection is (negative: below).
    pub line: i64,
    /// What the event log shows; empty: everything.
    pub filter: String,
}

impl Pick {
    /// The beginning: the cluster, its first node, nothing scrolled.
    pub fn new() -> Self {
        Self {
            view: View::Cluster,
            node: NodeId(0),
            place: 0,
            subscription: SubscriptionId(0),
            message: None,
            offset: None,
            scroll: 0,
            line: 0,
            filter: String::new(),
        }
    }
}

impl Default for Pick {
    fn default() -> Self {
        Self::new()
    }
}

/// When which fate was sealed: what a study found, by message.
#[derive(Clone, Debug, Default)]
pub struct Seals(BTreeMap<(SubscriptionId, MessageId), (Time, Fate)>);

impl Seals {
    /// What a study found.
    pub fn of(study: &Study) -> Self {
        let of = |one: &crate::lab::study::Sealed| ((one.subscription, one.message), (one.at, one.fate));
        Self(study.sealed.iter().map(of).collect())
    }

    /// The fates sealed at a subscription, in the order of their messages.
    pub fn at(&self, subscription: SubscriptionId) -> impl Iterator<Item = (MessageId, Time, Fate)> {
        let all = (subscription, MessageId(0))..=(subscription, MessageId(u32::MAX));
        self.0.range(all).map(|(&(_, message), &(at, fate))| (message, at, fate))
    }

    /// When the fate of a message that was not simply processed was sealed, and which.
    pub fn get(&self, subscription: SubscriptionId, message: MessageId) -> Option<(Time, Fate)> {
        self.0.get(&(subscription, message)).copied()
    }
}

impl Scene<'_> {
    /// The clock at the cursor.
    pub fn now(&self) -> Time {
        self.instant.world.now()
    }

    /// Events dispatched up to the cursor.
    pub fn events(&self) -> u64 {
        self.instant.events()
    }

    /// What became of every message up to the cursor.
    pub fn ledger(&self) -> &Ledger {
        &self.instant.ledger
    }

    /// What the scenario says about itself.
    pub fn about(&self) -> &About {
        self.source.about()
    }

    /// Whether the cursor stands at the end of a run that is recorded whole.
    pub fn is_over(&self) -> bool {
        self.outcome.is_some_and(|outcome| self.now() >= outcome.ended)
    }

    /// How a message stands at the cursor; none: it is not addressed to the subscription. What nobody could know at
    /// that instant but the laboratory knows afterwards is said from the instant on at which it was sealed.
    pub fn standing(&self, message: MessageId, subscription: SubscriptionId) -> Option<Standing> {
        let so_far = self.ledger().standing(message, subscription)?;
        if let (true, Some(outcome)) = (self.is_over(), self.outcome) {
            let index = usize::from(subscription.0).min(self.ledger().layout().subscriptions.len());
            let fate = outcome.verdict.subscriptions.get(index)?.by_message.get(message.0 as usize)?;
            return fate.map(Standing::Fate);
        }
        if !matches!(so_far, Standing::Open | Standing::Waiting) {
            return Some(so_far);
        }
        match self.seals.get(subscription, message) {
            Some((at, fate)) if at <= self.now() => Some(Standing::Fate(fate)),
            _ => Some(so_far),
        }
    }
}

impl Names for Scene<'_> {
    fn node(&self, node: NodeId) -> String {
        self.instant.world.node_name(node)
    }
    fn place(&self, place: PlaceId) -> String {
        self.instant.world.place_name(place)
    }
    /// Also that of a message which is not due yet at the cursor, as far as the log or the journey tell of it.
    fn message(&self, message: MessageId) -> String {
        if (message.0 as usize) < self.ledger().messages() {
            return self.ledger().name(message);
        }
        if let Some(journey) = self.journey.filter(|journey| journey.message == message) {
            return journey.name.clone();
        }
        let to_come = self.log.partition_point(|(event, _)| *event <= self.events());
        let due = self.log[to_come..].iter().find_map(|(_, seen)| match seen.fact {
            Fact::Due { message: id, producer, number, .. } if id == message => Some((producer, number)),
            _ => None,
        });
        let named = due.and_then(|(producer, number)| {
            Some(format!("{}#{number}", self.plan.producers.get(usize::from(producer.0))?.name))
        });
        named.unwrap_or_else(|| format!("#{}", message.0 + 1))
    }
}
