//! Confirmed, and led nowhere.

use super::{Reading, key};
use crate::broker::Remedy;
use crate::broker::rabbitmq::describe;
use crate::fact::{Fact, GivenUp};
use crate::scenario::plan::{Config, EntityPlan, Value};
use crate::sim::Time;

impl Reading<'_> {
    /// Confirmed, because nobody was left to wait for.
    pub(super) fn unroutable(&mut self) {
        self.setting(
            "unroutable is confirmed",
            "a message that leads to no queue is confirmed at once: there is nobody to wait for",
        );
        // Whoever reads nothing is told nothing: it may be nobody's message.
        let is_unroutable = |fact: &Fact| matches!(fact, Fact::GivenUp { how: GivenUp::Unroutable, .. });
        let seen = self.gave_up().map(|(seen, _)| seen).or_else(|| self.last(is_unroutable));
        let at = seen.map(|seen| seen.at);
        self.faults_until(at.unwrap_or(Time::NEVER));
        let returned = self.first(|fact| matches!(fact, Fact::Returned { .. }));
        self.link(at, "led nowhere", "no binding led it to a queue that was there");
        if let Some(returned) = returned {
            self.link(Some(returned.at), "returned", "it came back to its publisher (mandatory)");
        }
        if !self.copies.is_empty() {
            // It was in a queue first, and whoever took it sent it on.
            return;
        }
        self.remedy_binding();
        self.remedy_alternate();
    }

    /// The exchange that the message was sent to, where it leads by the routing key.
    fn exchange(&self) -> Option<&EntityPlan> {
        let name = describe::exchange_of(&self.producer?.send_to)?;
        self.case.plan.entities.iter().find(|one| one.kind == "exchange" && one.name == name)
    }

    /// Who is bound to the exchange by another key is bound by the message's, too.
    fn remedy_binding(&mut self) {
        let (Some(producer), Some(exchange)) = (self.producer, self.exchange()) else { return };
        let by_key = ["direct", "topic"].map(|kind| Some(kind.to_owned()));
        let (true, Some(wanted)) = (
            by_key.contains(&exchange.fields.get("type").map(Value::shown)),
            producer.fields.get("routing_key").cloned(),
        ) else {
            return;
        };
        let leads_from = Value::Text(exchange.name.clone());
        let own =
            Config::from([("exchange".to_owned(), leads_from.clone()), ("routing_key".to_owned(), wanted)]);
        let bound = self.case.plan.entities.iter().find_map(|one| match one.fields.get("bind") {
            Some(Value::Tables(all)) if one.kind == "queue" && one.copy_of.is_none() => {
                all.iter().any(|binding| binding.get("exchange") == Some(&leads_from)).then_some((one, all))
            }
            _ => None,
        });
        let Some((queue, all)) = bound else { return };
        let all: Vec<_> = all.iter().cloned().chain([own]).collect();
        let line = format!("queue.{}.bind = {}", key(&queue.name), Value::Tables(all).shown());
        self.remedy(Remedy::Set(line));
    }

    /// What nothing takes goes to an exchange that leads to a queue whatever the key is.
    fn remedy_alternate(&mut self) {
        let Some(exchange) = self.exchange() else { return };
        if exchange.config.contains_key("alternate-exchange") {
            return;
        }
        let takes_all = |one: &&EntityPlan| {
            one.kind == "exchange"
                && one.name != exchange.name
                && one.fields.get("type").is_some_and(|kind| kind.shown() == "fanout")
        };
        let Some(other) = self.case.plan.entities.iter().find(takes_all) else { return };
        let name = key(&exchange.name);
        let line = format!("exchange.{name}.arguments.alternate-exchange = \"{}\"", other.name);
        self.remedy(Remedy::Set(line));
    }
}
