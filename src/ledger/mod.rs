//! The ledger: a fold over observations that says what became of every message.
//!
//! It reads observations in order and nothing else; at the end it is told which copies still wait, and judges. It
//! knows the words of the contract and no broker.
//!
//! Invariant: the fates at a subscription add up to the messages addressed to it.
//! Invariant: a message costs 32 bytes and 8 more for each subscription; nothing moves when the ledger grows.

use std::sync::Arc;

use crate::fact::{Fact, GivenUp, MessageId, Observation, SubscriptionId};
use crate::scenario::order::Line;
use crate::sim::{Chunked, Span, Time};

mod availability;
pub mod expectation;
mod fate;
mod latency;
mod layout;
pub mod measure;
mod message;
mod standing;
pub mod trace;
mod verdict;

use availability::Availability;
pub use fate::{Answer, Evidence, Fate, Removal, Tally};
pub use latency::Latency;
pub use layout::{Layout, NONE};
use message::{Message, Reception};
pub use standing::Standing;
pub use verdict::{Backlog, Counts, End, ProducerVerdict, Store, SubscriptionVerdict, Verdict};

/// What became of every message so far. A clone shares what is not written any more.
#[derive(Clone, Debug)]
pub struct Ledger {
    layout: Arc<Layout>,
    messages: Chunked<Message>,
    subscriptions: Vec<Column>,
    instances: Vec<Availability>,
    /// What was given up for nobody in particular: as long as up to the last such message.
    nobody: Chunked<Reception>,
    /// By subscription: every delivery, and whether there was one before or may have been, if anybody asks for the
    /// order.
    order: Option<Vec<Chunked<(MessageId, bool)>>>,
}

/// What is kept for one subscription.
#[derive(Clone, Debug, Default)]
struct Column {
    receptions: Chunked<Reception>,
    redelivered: u64,
    stale: u64,
    effects: u64,
    /// Confirmed messages addressed here that have no effect yet.
    waiting: u64,
    waiting_peak: u64,
    /// It exists from then on: nothing that was sent before is addressed to it.
    since: Time,
}

impl Ledger {
    /// An empty ledger for runs of this shape.
    pub fn new(layout: Arc<Layout>) -> Self {
        Self {
            messages: Chunked::new(),
            subscriptions: layout
                .is_later
                .iter()
                .map(|&later| Column {
                    since: if later { Time::NEVER } else { Time::ZERO },
                    ..Column::default()
                })
                .collect(),
            instances: vec![Availability::default(); layout.instances()],
            nobody: Chunked::new(),
            order: None,
            layout,
        }
    }

    /// Keeps in which order messages are handed over from now on.
    pub fn keep_order(&mut self) {
        self.order = Some(vec![Chunked::new(); self.subscriptions.len()]);
    }

    /// Folds a slice of observations, which follows the slice before.
    pub fn observe(&mut self, observations: &[Observation]) {
        for observation in observations {
            let at = observation.at;
            match observation.fact {
                Fact::Due { message, producer, instance, number, key } => {
                    let instance = self.layout.instance(producer, instance);
                    let key = key.unwrap_or(Message::NO_KEY);
                    self.due(at, message, instance, number, key);
                }
                Fact::Sent { message, attempt } => self.sent(at, message, attempt),
                Fact::Confirmed { message, attempt } => self.confirmed(at, message, attempt),
                Fact::Failed { message, attempt, .. } => self.failed(at, message, attempt),
                Fact::Delivered { message, subscription, flagged, .. } => {
                    self.delivered(message, subscription, flagged);
                }
                Fact::Effect { message, subscription, stale } => {
                    self.effect(at, message, subscription, stale);
                }
                Fact::GivenUp { message, subscription, how } => self.given_up(message, subscription, how),
                Fact::Subscribed { subscription } => {
                    let column = &mut self.subscriptions[subscription.0 as usize];
                    column.since = column.since.min(at);
                }
                Fact::Unanswered { message } => self.unanswered(at, message),
                Fact::Written { message } => self.messages[message.0 as usize].marks |= Message::WRITTEN,
                Fact::Returned { message } => self.messages[message.0 as usize].marks |= Message::RETURNED,
                Fact::Stored { .. }
                | Fact::Removed { .. }
                | Fact::Recognised { .. }
                | Fact::Acknowledged { .. }
                | Fact::LeaderElected { .. }
                | Fact::DetectedDown { .. }
                | Fact::Fault { .. }
                | Fact::FaultEnded { .. }
                | Fact::NodeDown { .. }
                | Fact::NodeUp
                | Fact::Family(_) => {}
            }
        }
    }

    fn due(&mut self, due: Time, id: MessageId, instance: u16, number: u32, key: u32) {
        assert_eq!(id.0 as usize, self.messages.len(), "messages are numbered as they fall due");
        self.messages.push(Message {
            due,
            confirmed: Time::NEVER,
            number,
            key,
            instance,
            attempts: 1,
            failures: 0,
            is_open: true,
            marks: 0,
        });
        for column in &mut self.subscriptions {
            column.receptions.push(Reception::default());
        }
        self.instances[instance as usize].ask(due);
    }

    fn sent(&mut self, at: Time, id: MessageId, attempt: u16) {
        if attempt <= 1 {
            return;
        }
        let message = &mut self.messages[id.0 as usize];
        message.attempts = message.attempts.max(attempt);
        message.marks &= !Message::RETURNED;
        if !message.is_open {
            message.is_open = true;
            self.instances[message.instance as usize].ask(at);
        }
    }

    fn confirmed(&mut self, at: Time, id: MessageId, attempt: u16) {
        let message = &mut self.messages[id.0 as usize];
        message.attempts = message.attempts.max(attempt);
        if message.is_open {
            message.is_open = false;
            self.instances[message.instance as usize].confirm(at);
        }
        if message.confirmed != Time::NEVER {
            return;
        }
        message.confirmed = at;
        for (number, column) in self.subscriptions.iter_mut().enumerate() {
            let is_addressed = message.due >= column.since && self.layout.leads(message, number);
            if is_addressed && !column.receptions[id.0 as usize].is_over() {
                column.waiting += 1;
                column.waiting_peak = column.waiting_peak.max(column.waiting);
            }
        }
    }

    fn failed(&mut self, at: Time, id: MessageId, attempt: u16) {
        let message = &mut self.messages[id.0 as usize];
        message.attempts = message.attempts.max(attempt);
        message.failures = message.failures.saturating_add(1);
        if message.is_open {
            message.is_open = false;
            self.instances[message.instance as usize].fail(at);
        }
    }

    /// Nobody waits for an answer any more, and none was given.
    fn unanswered(&mut self, at: Time, id: MessageId) {
        let message = &mut self.messages[id.0 as usize];
        if message.is_open {
            message.is_open = false;
            self.instances[message.instance as usize].fail(at);
        }
    }

    fn delivered(&mut self, id: MessageId, subscription: SubscriptionId, flagged: bool) {
        let column = &mut self.subscriptions[subscription.0 as usize];
        let is_again = column.receptions[id.0 as usize].deliver();
        column.redelivered += u64::from(is_again);
        if let Some(order) = &mut self.order {
            order[subscription.0 as usize].push((id, is_again || flagged));
        }
    }

    fn effect(&mut self, at: Time, id: MessageId, subscription: SubscriptionId, stale: bool) {
        let message = &self.messages[id.0 as usize];
        let column = &mut self.subscriptions[subscription.0 as usize];
        column.effects += 1;
        column.stale += u64::from(stale);
        if column.receptions[id.0 as usize].effect(at.since(message.due))
            && message.confirmed != Time::NEVER
            && message.due >= column.since
            && self.layout.leads(message, subscription.0 as usize)
        {
            column.waiting -= 1;
        }
    }

    fn given_up(&mut self, id: MessageId, subscription: SubscriptionId, how: GivenUp) {
        if subscription == NONE {
            while self.nobody.len() <= id.0 as usize {
                self.nobody.push(Reception::default());
            }
            self.nobody[id.0 as usize].give_up(how);
            return;
        }
        let message = &self.messages[id.0 as usize];
        let column = &mut self.subscriptions[subscription.0 as usize];
        if column.receptions[id.0 as usize].give_up(how)
            && message.confirmed != Time::NEVER
            && message.due >= column.since
            && self.layout.leads(message, subscription.0 as usize)
        {
            column.waiting -= 1;
        }
    }

    /// The shape of the run.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// How many messages fell due so far.
    pub fn messages(&self) -> usize {
        self.messages.len()
    }

    /// `checkout#17`.
    pub fn name(&self, id: MessageId) -> String {
        let (producer, number) = self.identity(id);
        format!("{}#{number}", self.layout.producers[producer as usize].name)
    }

    /// The producer's number and the message's number within it: the same in every run of a workload.
    pub fn identity(&self, id: MessageId) -> (u16, u32) {
        let message = &self.messages[id.0 as usize];
        (self.layout.producer_of(message.instance), message.number)
    }

    /// The message with this name: `checkout#17`, or `17` when there is one producer.
    pub fn find(&self, name: &str) -> Option<MessageId> {
        let (producer, number) = self.layout.parse_message(name)?;
        let is_it = |message: &Message| {
            message.number == number && self.layout.producer_of(message.instance) == producer
        };
        self.messages.iter().position(is_it).map(|index| MessageId(index as u32))
    }

    /// In which order messages were handed to the subscription of that name, `billing.order`; without a name, to the
    /// only consumer.
    pub fn order(&self, path: &str) -> Option<String> {
        let owner = if path == "order" { None } else { Some(path.strip_suffix(".order")?) };
        let index = match owner {
            None => 0,
            Some(owner) => self.layout.subscription(owner)?.0 as usize,
        };
        let mut line = Line::default();
        for &(message, is_again) in self.order.as_ref()?.get(index)?.iter() {
            let (producer, number) = self.identity(message);
            line.push(producer, number, number, is_again);
        }
        let names: Vec<_> = self.layout.producers.iter().map(|sender| sender.name.as_str()).collect();
        Some(line.text(&names))
    }

    /// How long it took from due to the first effect at a subscription.
    pub fn delay(&self, id: MessageId, subscription: SubscriptionId) -> Option<Span> {
        self.subscriptions.get(subscription.0 as usize)?.receptions.get(id.0 as usize)?.delay()
    }

    /// When a message was first confirmed; none: it was not, so far.
    pub fn confirmed_at(&self, id: MessageId) -> Option<Time> {
        let confirmed = self.messages.get(id.0 as usize)?.confirmed;
        (confirmed != Time::NEVER).then_some(confirmed)
    }

    /// The producer instance, counted over all producers, and the key: messages that agree in both are to keep their
    /// order.
    pub fn lane(&self, id: MessageId) -> Option<(u16, Option<u32>)> {
        let message = self.messages.get(id.0 as usize)?;
        Some((message.instance, message.key()))
    }

    /// How often a message changed the store of a subscription.
    pub fn effects(&self, id: MessageId, subscription: SubscriptionId) -> u64 {
        let column = self.subscriptions.get(subscription.0 as usize);
        column.and_then(|column| column.receptions.get(id.0 as usize)).map_or(0, |one| one.effects())
    }

    /// Confirmed messages without effect at a subscription right now, as far as the ledger can know: a message that
    /// was silently lost counts until the run is judged.
    pub fn waiting(&self, subscription: SubscriptionId) -> u64 {
        self.subscriptions.get(subscription.0 as usize).map_or(0, |column| column.waiting)
    }
}

#[cfg(test)]
mod tests;
