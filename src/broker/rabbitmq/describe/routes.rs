//! Which subscriptions messages are addressed to: through exchanges, and through the dead letters of queues that nobody
//! consumes, such as those in which messages wait for their time.

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::{check, leads_to};
use crate::broker::rabbitmq::config::{ConsumerConfig, StreamOffset};
use crate::broker::rabbitmq::policy;
use crate::broker::rabbitmq::topology::{Interner, StampId, Topology};
use crate::broker::{Addresses, Router};
use crate::scenario::plan::{ConsumerPlan, Plan, ProducerPlan, Value};

/// Who gets what, in one plan.
pub(in crate::broker::rabbitmq) struct Routes<'p> {
    plan: &'p Plan,
    known: RefCell<Known>,
}

/// The exchanges and queues of the plan, and where what was asked about leads.
struct Known {
    topology: Topology,
    keys: Interner,
    /// By producer and address: the names of the queues that can get something.
    reached: BTreeMap<(String, String), Vec<String>>,
}

impl<'p> Routes<'p> {
    pub(in crate::broker::rabbitmq) fn new(plan: &'p Plan) -> Self {
        let (topology, keys) = Topology::of_entities(plan);
        Self { plan, known: RefCell::new(Known { topology, keys, reached: BTreeMap::new() }) }
    }
}

impl Router for Routes<'_> {
    fn routes(&self, producer: &ProducerPlan, consumer: &ConsumerPlan) -> bool {
        let known = &mut *self.known.borrow_mut();
        let who = (producer.name.clone(), producer.send_to.clone());
        let reached = known.reached.entry(who).or_insert_with(|| {
            let topology = &mut known.topology;
            topology.learn(self.plan, producer, &mut known.keys);
            let queues = topology.reached();
            queues.into_iter().map(|queue| topology.queue(queue).name.clone()).collect()
        });
        reached.iter().any(|queue| leads_to(&consumer.read_from, queue))
    }
}

/// To whose subscriptions each producer's messages are addressed.
pub(in crate::broker::rabbitmq) fn addresses(plan: &Plan) -> Vec<Addresses> {
    let topology = Topology::new(plan);
    let leads = |stamp: &StampId| {
        let mut by_consumer = vec![false; plan.consumers.len()];
        for subscription in topology.addressed(*stamp) {
            if let Some(leads) = by_consumer.get_mut(usize::from(subscription.0)) {
                *leads = true;
            }
        }
        by_consumer
    };
    let of = |spec: &crate::broker::rabbitmq::topology::ProducerSpec| {
        if spec.stamps.is_empty() {
            return Addresses { places: 1, leads: vec![vec![false; plan.consumers.len()]] };
        }
        let runs = spec.exact.iter().map(|(_, stamps)| stamps);
        let stamps: Vec<&Vec<StampId>> =
            if spec.exact.is_empty() { vec![&spec.stamps] } else { runs.collect() };
        let leads = stamps.into_iter().flatten().map(leads).collect();
        Addresses { places: spec.destinations(), leads }
    };
    topology.producers.iter().map(of).collect()
}

/// Whether an address means a stream, which every consumer reads for itself.
pub(super) fn reads_stream(plan: &Plan, address: &str) -> bool {
    let mut queues = plan.entities.iter().filter(|one| one.kind == "queue" && leads_to(address, &one.name));
    queues.any(|queue| check::type_of(queue) == "stream")
}

/// Whether a consumer that starts later gets nothing of what was sent before.
pub(in crate::broker::rabbitmq) fn subscribes_later(plan: &Plan, consumer: &ConsumerPlan) -> bool {
    let begins = ConsumerConfig::new(plan, consumer).stream_offset;
    let is_late = matches!(begins, StreamOffset::Next | StreamOffset::Last);
    is_late && !consumer.starts.is_there() && reads_stream(plan, &consumer.read_from)
}

/// The first consumer that reads what this one reads.
pub(in crate::broker::rabbitmq) fn shares(plan: &Plan, consumer: usize) -> usize {
    let queues = || plan.entities.iter().filter(|one| one.kind == "queue").map(|one| one.name.as_str());
    let own = &plan.consumers[consumer].read_from;
    if reads_stream(plan, own) {
        return consumer;
    }
    let reads_too = |other: &ConsumerPlan| {
        other.read_from == *own
            || queues().any(|queue| leads_to(own, queue) && leads_to(&other.read_from, queue))
    };
    plan.consumers[..consumer].iter().position(reads_too).unwrap_or(consumer)
}

/// Whether something besides clients needs a table: a policy what it applies to, a vhost what lies in it, a queue its
/// bindings, an exchange who names it.
pub(in crate::broker::rabbitmq) fn is_needed(plan: &Plan, kind: &str, name: &str) -> bool {
    let entity = plan.entities.iter().find(|one| one.kind == kind && one.name == name);
    let Some(entity) = entity else {
        // It has copies.
        return plan
            .entities
            .iter()
            .any(|one| one.copy_of.as_deref() == Some(name) && is_needed(plan, kind, &one.name));
    };
    let is_named = |value: &Value| match value {
        Value::Text(text) => text == name,
        Value::Tables(all) => all.iter().any(|one| one.values().any(|inner| inner.shown() == name)),
        _ => false,
    };
    let others = plan.entities.iter().filter(|one| (one.kind, &one.name) != (kind, &entity.name));
    let names_it = |fields: &crate::scenario::plan::Config| fields.values().any(is_named);
    let mut mentioned = others.clone().map(|one| names_it(&one.fields) || names_it(&one.config));
    match kind {
        "policy" => {
            let pattern = entity.fields.get("pattern").and_then(|text| policy::pattern(&text.shown()).ok());
            let mut targets = others.filter(|one| ["queue", "exchange"].contains(&one.kind));
            targets.any(|one| pattern.as_ref().is_none_or(|pattern| pattern.is_match(&one.name)))
        }
        "queue" => entity.fields.contains_key("bind") || mentioned.any(|is| is),
        _ => {
            let clients = plan.producers.iter().map(|one| &one.fields);
            let mut clients = clients.chain(plan.consumers.iter().map(|one| &one.fields));
            mentioned.any(|is| is) || clients.any(names_it)
        }
    }
}
