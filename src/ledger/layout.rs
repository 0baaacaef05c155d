//! The shape of a run, as far as judging its messages needs it: who sends, who receives, and what leads where.

use crate::broker::Family;
use crate::fact::{ProducerId, SubscriptionId};
use crate::scenario::plan::{AUDIT, ConsumerPlan, Exact, Plan, ProducerPlan, Spread, Then};

use super::message::Message;

pub use crate::fact::NONE;

/// The shape of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// In the order of their numbers.
    pub producers: Vec<Sender>,
    /// The names of the subscriptions, in the order of their numbers.
    pub subscriptions: Vec<String>,
    /// By subscription: its consumer takes from the place of another one, to whose subscription everything counts.
    pub(super) is_shared: Vec<bool>,
    /// By subscription: it exists only from when its first process starts.
    pub(super) is_later: Vec<bool>,
    /// Nobody consumes: `audit`, the first subscription, reads all that is readable at the end.
    pub is_audit: bool,
    /// By subscription: who reads what its application sends on because it could not process it.
    pub(super) sends_on_to: Vec<Vec<usize>>,
    /// Every message is addressed to every subscription.
    leads_everywhere: bool,
    /// To which producer each instance belongs, counted over all producers.
    owners: Vec<u16>,
}

/// A producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// `checkout`.
    pub name: String,
    /// Its API says whether a send succeeded.
    pub is_told: bool,
    /// The user hears "done" when the application's own database has a write, not when the message is confirmed.
    pub writes: bool,
    /// Messages that have names, and their numbers.
    named: Vec<(String, u32)>,
    /// The first of its instances, counted over all producers.
    first_instance: u16,
    /// How it spreads messages over several places, and over how many.
    spread: Spread,
    places: usize,
    /// The last number of each run of messages that are written one by one.
    runs: Vec<u32>,
    /// By run and, within it, by place: which subscriptions its messages are addressed to. One for all if they agree.
    leads_to: Vec<Vec<bool>>,
}

impl Sender {
    /// Which subscriptions its message is addressed to.
    fn addressed(&self, message: &Message) -> &[bool] {
        if let [all] = &self.leads_to[..] {
            return all;
        }
        let run = self.runs.partition_point(|last| *last < message.number).min(self.runs.len().max(1) - 1);
        let place = self.spread.place(message.number, message.key(), self.places);
        &self.leads_to[run * self.places + place]
    }
}

impl Layout {
    /// The shape of a plan's runs.
    pub fn new(family: &dyn Family, plan: &Plan) -> Self {
        let subscriptions = plan.subscriptions();
        let mut owners = Vec::new();
        let mut producers = Vec::new();
        let addresses = family.addresses(plan);
        for (number, (producer, addresses)) in plan.producers.iter().zip(addresses).enumerate() {
            let leads_to = |by_consumer: &Vec<bool>| {
                let leads = |name: &String| match plan.consumers.iter().position(|one| one.name == *name) {
                    Some(consumer) => by_consumer[consumer],
                    None if name == AUDIT => producer.service().is_none(),
                    None => producer.service() == Some(name),
                };
                subscriptions.iter().map(leads).collect()
            };
            let mut leads_to: Vec<Vec<bool>> = addresses.leads.iter().map(leads_to).collect();
            if leads_to.iter().all(|one| *one == leads_to[0]) {
                leads_to.truncate(1);
            }
            let mut last = 0;
            let mut end = |exact: &Exact| {
                last += exact.repeat;
                last
            };
            producers.push(Sender {
                name: producer.name.clone(),
                is_told: producer.service().is_some() || family.confirms(plan, producer),
                writes: producer.own_write.is_some(),
                named: producer.named().map(|(name, number)| (name.to_owned(), number)).collect(),
                first_instance: owners.len() as u16,
                spread: producer.spread,
                places: addresses.places,
                runs: producer.exact.iter().map(&mut end).collect(),
                leads_to,
            });
            owners.extend(std::iter::repeat_n(number as u16, producer.instances as usize));
        }
        let router = family.router(plan);
        let readers = |consumer: &ConsumerPlan| {
            let Then::SendTo(to) = &consumer.if_fails.then else { return Vec::new() };
            let sender = ProducerPlan::new(&consumer.name, to);
            let reads = |(_, other): &(usize, &ConsumerPlan)| {
                other.name != consumer.name && router.routes(&sender, other)
            };
            plan.consumers.iter().enumerate().filter(reads).map(|(number, _)| number).collect()
        };
        let is_later = |name: &String| {
            let mut consumers = plan.consumers.iter();
            consumers.any(|consumer| consumer.name == *name && family.subscribes_later(plan, consumer))
        };
        let is_shared = |(number, name): (usize, &String)| {
            let is_consumer = plan.consumers.get(number).is_some_and(|consumer| consumer.name == *name);
            is_consumer && family.shares(plan, number) != number
        };
        Self {
            is_shared: subscriptions.iter().enumerate().map(is_shared).collect(),
            sends_on_to: plan.consumers.iter().map(readers).collect(),
            leads_everywhere: producers
                .iter()
                .flat_map(|one: &Sender| one.leads_to.iter().flatten())
                .all(|leads| *leads),
            producers,
            is_later: subscriptions.iter().map(is_later).collect(),
            is_audit: subscriptions.first().is_some_and(|name| name == AUDIT),
            subscriptions,
            owners,
        }
    }

    /// How many producer instances there are.
    pub fn instances(&self) -> usize {
        self.owners.len()
    }

    /// An instance, counted over all producers.
    pub(super) fn instance(&self, producer: ProducerId, instance: u16) -> u16 {
        self.producers[producer.0 as usize].first_instance + instance
    }

    /// The number of the producer an instance belongs to.
    pub(super) fn producer_of(&self, instance: u16) -> u16 {
        self.owners[instance as usize]
    }

    /// Whether every message that a producer can send is addressed to one of these subscriptions.
    pub(super) fn always_leads(&self, to: impl Fn(usize) -> bool) -> bool {
        let mut addresses = self.producers.iter().flat_map(|producer| &producer.leads_to);
        addresses.all(|leads| leads.iter().enumerate().any(|(number, leads)| *leads && to(number)))
    }

    /// Whether the message is addressed to the subscription by the routing in force.
    #[inline]
    pub(super) fn leads(&self, message: &Message, subscription: usize) -> bool {
        self.leads_everywhere || self.leads_by_address(message, subscription)
    }

    fn leads_by_address(&self, message: &Message, subscription: usize) -> bool {
        let producer = self.producer_of(message.instance);
        self.producers[producer as usize].addressed(message)[subscription]
    }

    /// The number of the subscription of that name.
    pub fn subscription(&self, name: &str) -> Option<SubscriptionId> {
        let index = self.subscriptions.iter().position(|subscription| subscription == name)?;
        Some(SubscriptionId(index as u16))
    }

    /// The name of a subscription: `none` for [`NONE`].
    pub fn subscription_name(&self, id: SubscriptionId) -> &str {
        self.subscriptions.get(id.0 as usize).map_or("none", String::as_str)
    }

    /// Producer and number of `checkout#17` and `checkout#long`, or of `17` and `long` when there is one producer.
    pub fn parse_message(&self, name: &str) -> Option<(u16, u32)> {
        let (producer, number) = match name.rsplit_once('#') {
            Some((producer, number)) => {
                (self.producers.iter().position(|sender| sender.name == producer)?, number)
            }
            None if self.producers.len() == 1 => (0, name),
            None => return None,
        };
        let named = || self.producers[producer].named.iter().find(|(name, _)| name == number);
        let number = number.parse().ok().or_else(|| named().map(|(_, number)| *number))?;
        Some((producer as u16, number))
    }
}
