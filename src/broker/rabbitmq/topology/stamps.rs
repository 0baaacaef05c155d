//! What publishers write on their messages: exchange, keys, headers and properties, each combination once.

use super::arguments::headers;
use super::build::{Interner, text};
use super::{ExchangeId, Header, Headers, KeyId, ProducerSpec, Stamp, StampId, Topology, VhostId};
use crate::broker::rabbitmq::content::{Death, Reason};
use crate::broker::rabbitmq::{config, describe};
use crate::scenario::plan::{Config, Plan, ProducerPlan, Then, Value};
use crate::sim::{Span, Time};

/// Fills in what producers, and consumers that send on, write on messages.
pub(super) fn add(topology: &mut Topology, plan: &Plan, keys: &mut Interner) {
    for producer in &plan.producers {
        let spec = spec(topology, plan, producer, keys);
        topology.producers.push(spec);
    }
    for (at, consumer) in plan.consumers.iter().enumerate() {
        let Then::SendTo(to) = &consumer.if_fails.then else { continue };
        let vhost = topology.consumers[at].vhost;
        let sender = ProducerPlan { client: consumer.client.clone(), ..ProducerPlan::new("", to) };
        let Some((exchange, key)) = places(topology, &sender).into_iter().next() else { continue };
        let stamp = stamp(topology, plan, &sender, (vhost, &exchange, &key), &Config::new(), keys);
        topology.consumers[at].sends_on = stamp;
    }
}

pub(super) fn spec(
    topology: &mut Topology,
    plan: &Plan,
    producer: &ProducerPlan,
    keys: &mut Interner,
) -> ProducerSpec {
    let vhost = topology.vhost_of(&producer.fields);
    let places = places(topology, producer);
    let mut all = |topology: &mut Topology, properties: &Config| -> Vec<StampId> {
        let to = places.iter();
        to.filter_map(|(exchange, key)| {
            stamp(topology, plan, producer, (vhost, exchange, key), properties, keys)
        })
        .collect()
    };
    let stamps = all(topology, &Config::new());
    let mut exact = Vec::new();
    let mut last = 0;
    for run in &producer.exact {
        last += run.repeat;
        exact.push((last, all(topology, &run.properties)));
    }
    ProducerSpec { vhost, spread: producer.spread, stamps, exact }
}

/// The exchange and the key of each place that `send_to` matches.
fn places(topology: &Topology, producer: &ProducerPlan) -> Vec<(String, String)> {
    if producer.service().is_some() {
        return Vec::new();
    }
    if let Some(exchange) = describe::exchange_of(&producer.send_to) {
        return vec![(exchange.to_owned(), text(&producer.fields, "routing_key"))];
    }
    let queues = topology.queues.iter().filter(|queue| describe::leads_to(&producer.send_to, &queue.name));
    queues.map(|queue| (String::new(), queue.name.clone())).collect()
}

/// What is written on a message with these properties that goes to this vhost, exchange and key.
fn stamp(
    topology: &mut Topology,
    plan: &Plan,
    producer: &ProducerPlan,
    (vhost, exchange, key): (VhostId, &str, &str),
    properties: &Config,
    keys: &mut Interner,
) -> Option<StampId> {
    let exchange = topology.exchange_named(vhost, exchange)?;
    let own = |name: &str| properties.get(name).or_else(|| producer.config.get(name));
    let number = |name: &str| own(name).and_then(|value| value.shown().parse::<u64>().ok());
    let mut list = |name: &str| -> Vec<_> {
        match properties.get(name) {
            Some(Value::Texts(all)) => all.iter().map(|key| keys.key(key)).collect(),
            _ => Vec::new(),
        }
    };
    let (carbon, blind) = (list("CC"), list("BCC"));
    let mut written = match properties.get("headers") {
        Some(Value::Table(table)) => headers(table),
        _ => Headers::new(),
    };
    let delay = properties.get("x-delay").map(|value| Header::Int(value.shown().parse().unwrap_or(0)));
    if let Some(delay) = delay {
        written.retain(|(name, _)| name != "x-delay");
        written.push(("x-delay".to_owned(), delay));
        written.sort_unstable();
    }
    let delay = written.iter().find_map(|(name, value)| match value {
        Header::Int(ms) if name == "x-delay" && *ms > 0 => Some(Span::from_millis(*ms as u64)),
        _ => None,
    });
    let name = producer.config.get("name").map(Value::shown).filter(|name| !name.is_empty());
    let key = properties.get("routing_key").map_or_else(|| key.to_owned(), Value::shown);
    let key = keys.key(&key);
    let deaths = written.iter().find_map(|(name, value)| match value {
        Header::Text(text) if name == "x-death" => Some(deaths(topology, text, (exchange, key))),
        _ => None,
    });
    let stamp = Stamp {
        vhost,
        exchange,
        key,
        carbon,
        blind,
        headers: written,
        is_persistent: match properties.get("delivery_mode").map(Value::shown).as_deref() {
            Some("2" | "persistent") => true,
            Some(_) => false,
            None => config::is_persistent(plan, producer),
        },
        priority: number("priority").map(|priority| priority.min(255) as u8),
        expiration: number("expiration").map(Span::from_millis),
        delay,
        producer_name: name.map(|name| keys.key(&name)),
        publishing_id: properties.get("publishing_id").and_then(|value| value.shown().parse().ok()),
        deaths: deaths.filter(|_| topology.rules.trusts_sent_deaths).unwrap_or_default(),
    };
    let known = topology.stamps.iter().position(|known| *known == stamp);
    let at = known.unwrap_or_else(|| {
        topology.stamps.push(stamp);
        topology.stamps.len() - 1
    });
    Some(StampId(at as u32))
}

/// The header `x-death` of a client, newest entry first: `"retry expired, orders rejected"`.
fn deaths(topology: &Topology, text: &str, (exchange, key): (ExchangeId, KeyId)) -> Vec<Death> {
    let one = |entry: &str| -> Option<Death> {
        let (queue, reason) = entry.trim().rsplit_once(' ')?;
        let reason = Reason::of(reason)?;
        let queue = topology.queue_named(queue.trim())?;
        Some(Death { queue, reason, count: 1, exchange, key, at: Time::ZERO })
    };
    text.split(',').filter_map(one).collect()
}
