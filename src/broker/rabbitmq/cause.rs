//! Why a message has its fate: the observations that decided it, and the setting that each of them records.
//!
//! A chain is read off one message's history and what happened around it; it is a hypothesis until a re-run with one of
//! its remedies confirms it. Nothing here looks at a world.

use super::config::{ConsumerConfig, PublisherConfig};
use super::error::Error;
use super::rules::Rules;
use crate::broker::inquiry::{Inquiry, key};
use crate::broker::{Case, Chain, Remedy};
use crate::fact::{Fact, GivenUp, Observation};
use crate::scenario::plan::{EntityPlan, Value, Version};
use crate::sim::Time;

mod given_up;
mod lost;
mod repeated;
mod unroutable;
mod waiting;

/// The chain of a message.
pub(super) fn explain(case: &Case<'_>) -> Chain {
    let mut reading = Reading::new(case, "nobody");
    match case.fate {
        "lost" | "stranded" => reading.lost(),
        "duplicated" => reading.duplicated(),
        "discarded" | "dead_lettered" | "expired" | "overflowed" => reading.given_up(),
        "unroutable" => reading.unroutable(),
        "phantom" | "rejected" | "unsent" => reading.unconfirmed(),
        _ => reading.waiting(),
    }
    reading.chain
}

/// A case while it is read, with what the family knows.
type Reading<'a> = Inquiry<'a, super::RabbitMq>;

impl<'a> Reading<'a> {
    fn publisher_config(&self) -> Option<PublisherConfig> {
        Some(PublisherConfig::new(self.case.plan, self.producer?))
    }

    fn consumer_config(&self) -> Option<ConsumerConfig> {
        Some(ConsumerConfig::new(self.case.plan, self.consumer?))
    }

    /// What the confirmation was worth.
    fn confirmed_how(&mut self) {
        let Some(config) = self.publisher_config() else { return };
        let confirmed = self.first(|fact| matches!(fact, Fact::Confirmed { .. }));
        let Some(confirmed) = confirmed else { return };
        if config.confirms || config.transaction.is_some() {
            self.link(Some(confirmed.at), "confirmed", "the broker confirmed it");
        } else {
            self.setting(
                "no confirms",
                "confirm=false: a publish counts as done when the call returns, whatever becomes of it",
            );
            self.link(Some(confirmed.at), "written to the socket", "the call returned: nobody will say more");
            self.remedy_producer("config.confirm", "true");
        }
    }

    /// The sender was not told that it succeeded.
    fn unconfirmed(&mut self) {
        let answer = self.last(|fact| matches!(fact, Fact::Failed { .. } | Fact::Unanswered { .. }));
        let until = answer.map_or(Time::NEVER, |seen| seen.at);
        self.faults_until(until);
        let copies = self.copies.clone();
        if let Some(copy) = copies.iter().min_by_key(|copy| copy.stored) {
            let (node, place) = (self.case.names.node(copy.node), self.case.names.place(copy.place));
            self.link(Some(copy.stored), "enqueued", format!("{node} put it into {place}"));
        }
        match answer {
            Some(Observation { at, fact: Fact::Failed { error, .. }, .. }) => {
                let name = Error::name_of(error);
                self.link(Some(at), &format!("failed {name}"), format!("the application was told: {name}"));
                if error == Error::Nack.number() {
                    self.refused_by_a_queue();
                }
            }
            Some(Observation { at, .. }) => self.link(
                Some(at),
                "connection gone",
                "its connection was gone before a confirm came: it may be in a queue, or nowhere",
            ),
            None => self.link(None, "never answered", "the application was never told what became of it"),
        }
        let is_mirrored = self.case.plan.entities.iter().any(|one| one.config.contains_key("ha-mode"));
        if answer.is_none() && is_mirrored && self.rules().mirrors_send_unsafely {
            self.setting(
                "mirrors send unsafely",
                "in this release what a busy connection between mirrors has no room for is dropped",
            );
            self.repaired_in(if self.rules().version < Version(3, 11, 0) { "3.10.10" } else { "3.11.2" });
        }
        if self.case.fate == "phantom" {
            let text = "what was not confirmed may still be in a queue: it was processed";
            self.link(None, "unconfirmed is not absent", text);
        } else {
            self.without_effect();
        }
        if self.case.fate != "phantom" && self.producer.is_some_and(|one| one.if_unknown.is_none()) {
            self.remedy_producer("if_unknown", "\"send again\"");
        }
    }

    /// What became of a copy that nobody processed, although it was stored.
    fn without_effect(&mut self) {
        let Some(last) =
            self.copies.iter().copied().max_by_key(|copy| copy.removed.map_or(Time::NEVER, |it| it.0))
        else {
            return;
        };
        let (node, place) = (self.case.names.node(last.node), self.case.names.place(last.place));
        if let Some((at, _)) = last.removed {
            let text = format!("{node} lost it again from {place}: it was not confirmed, and had no effect");
            self.link(Some(at), "gone again", text);
        } else {
            let text = format!("a copy may still be in {place}: nobody has processed it");
            self.link(None, "no effect yet", text);
        }
    }

    /// A queue that refuses what it has no room for.
    fn refused_by_a_queue(&mut self) {
        let limited = |queue: &&EntityPlan| {
            queue.kind == "queue"
                && queue.config.get("x-overflow").is_some_and(|value| value.shown().starts_with("reject"))
        };
        let Some(queue) = self.case.plan.entities.iter().find(limited) else { return };
        let text = format!("{} is full and refuses new messages (x-overflow)", queue.name);
        self.setting("refuses when full", &text);
        let name = key(&queue.name);
        self.remedy(Remedy::Set(format!("queue.{name}.arguments.\"x-overflow\" = \"drop-head\"")));
    }

    /// The table of the queue that a copy was in, or else of the first that anybody reads.
    fn queue_table(&self) -> Option<&'a EntityPlan> {
        let place = self.copies.last().map(|copy| self.case.names.place(copy.place));
        let name = place.or_else(|| Some(self.consumer?.read_from.clone()))?;
        self.case.plan.entities.iter().find(|one| one.kind == "queue" && one.name == name)
    }

    fn queue_is(&self, field: &str) -> bool {
        self.queue_table().is_some_and(|queue| queue.fields.get(field) == Some(&Value::Bool(true)))
    }

    fn gave_up(&self) -> Option<(Observation, GivenUp)> {
        let whose = self.case.subscription;
        self.case.history.iter().rev().find_map(|seen| match seen.fact {
            Fact::GivenUp { subscription, how, .. } if subscription == whose => Some((*seen, how)),
            _ => None,
        })
    }

    /// A bug that the release has, and that one has not.
    fn repaired_in(&mut self, release: &str) {
        self.remedy(Remedy::Set(format!("version = \"{release}\"")));
    }

    fn rules(&self) -> Rules {
        Rules::of(self.case.plan.version)
    }

    fn remedy_queue(&mut self, path: &str, value: &str) {
        if let Some(queue) = self.queue_table() {
            let table = queue.copy_of.as_ref().unwrap_or(&queue.name);
            self.remedy(Remedy::Set(format!("queue.{}.{path} = {value}", key(table))));
        }
    }
}
