//! Removed while it waited: expired, pushed out, rejected, led nowhere.

use super::{Reading, key};
use crate::broker::Remedy;
use crate::fact::{Fact, GivenUp, Rule};
use crate::scenario::plan::Then;
use crate::sim::Time;

impl Reading<'_> {
    /// A rule or the application took it out of its queue.
    pub(super) fn given_up(&mut self) {
        let Some((seen, how)) = self.gave_up() else { return self.waiting() };
        let node = self.case.names.node(seen.node);
        self.faults_until(seen.at);
        match how {
            GivenUp::Expired | GivenUp::Overflowed if self.is_retention() => {
                self.setting(
                    "retention",
                    "a stream removes its oldest segments when they are too many or too old, read or not",
                );
                self.link(Some(seen.at), "removed", "nobody had read it when its segment was removed");
                self.lift("x-max-length-bytes", "max-length-bytes", "100000000000");
                self.lift("x-max-age", "max-age", "\"10Y\"");
            }
            GivenUp::Expired => {
                self.setting("time to live", "a message that waits longer than its time to live is removed");
                let text = "it reached the head of its queue too late: nobody had taken it in time";
                self.link(Some(seen.at), "expired", text);
                self.lift("x-message-ttl", "message-ttl", "86400000");
                self.remedy_producer("config.expiration", "86400000");
            }
            GivenUp::Overflowed => {
                self.setting(
                    "length limit",
                    "a queue that is full drops its oldest messages, confirmed or not",
                );
                self.link(Some(seen.at), "pushed out", "newer messages took its place in the queue");
                self.lift("x-max-length", "max-length", "1000000");
                self.remedy_queue("arguments.\"x-overflow\"", "\"reject-publish\"");
            }
            GivenUp::Discarded | GivenUp::DeadLettered => self.rejected(seen.at, &node, how),
            GivenUp::Unroutable => self.link(Some(seen.at), "led nowhere", "nothing led it to a queue"),
        }
    }

    fn is_retention(&self) -> bool {
        self.copies.iter().any(|copy| matches!(copy.removed, Some((_, Rule::Retention))))
    }

    /// The consumer, or the queue after too many deliveries.
    fn rejected(&mut self, at: Time, node: &str, how: GivenUp) {
        let where_to = if how == GivenUp::DeadLettered {
            "it went to the dead-letter exchange"
        } else if self.consumer.is_some_and(|one| one.if_fails.then == Then::Skip) {
            "it was acknowledged without an effect"
        } else {
            "there is no dead-letter exchange: it was dropped"
        };
        let Some(consumer) = self.consumer else {
            return self.link(Some(at), "given up", where_to.to_owned());
        };
        let whose = self.case.subscription;
        let is_own =
            |fact: &Fact| matches!(fact, Fact::Delivered { subscription, .. } if *subscription == whose);
        let was_handed = self.first(is_own).is_some();
        match &consumer.if_fails.then {
            _ if !was_handed => self.died_waiting(),
            Then::Reject => self.setting("rejects", "`if_fails` says `reject`: not to be delivered again"),
            Then::Requeue => self.setting(
                "delivery limit",
                "a quorum queue gives a message up that came back more often than its delivery limit",
            ),
            Then::Skip => {
                self.setting(
                    "skips",
                    "`if_fails` is `skip`, the default: what fails is acknowledged without an effect",
                );
            }
            Then::SendTo(_) => {
                self.setting("sends on", "`if_fails` sends it somewhere else and acknowledges it");
            }
            Then::Stop => {}
        }
        self.link(Some(at), "given up", format!("{node} gave it up: {where_to}"));
        if !consumer.poison.is_empty() {
            self.remedy_consumer("poison", "[]");
        }
        if consumer.fails_ppm > 0 {
            self.remedy_consumer("fails", "\"0%\"");
        }
        self.lift("x-max-length", "max-length", "1000000");
        self.lift("x-message-ttl", "message-ttl", "86400000");
    }

    /// Nobody was handed it: one of the queue's limits put it there.
    fn died_waiting(&mut self) {
        if self.is_limited("x-message-ttl", "message-ttl") {
            self.setting("time to live", "a message that waits longer than its time to live is removed");
        } else if self.is_limited("x-max-length", "max-length") {
            self.setting("length limit", "a queue that is full removes its oldest messages");
        }
    }

    /// Whether a queue or a policy sets it.
    fn is_limited(&self, argument: &str, definition: &str) -> bool {
        self.case.plan.entities.iter().any(|one| match one.kind {
            "queue" => one.config.contains_key(argument),
            "policy" => one.config.contains_key(definition),
            _ => false,
        })
    }

    /// A limit as wide as it can be, where it stands.
    fn lift(&mut self, argument: &str, definition: &str, value: &str) {
        for entity in self.case.plan.entities.iter().filter(|one| one.copy_of.is_none()) {
            let name = key(&entity.name);
            let line = if entity.kind == "queue" && entity.config.contains_key(argument) {
                format!("queue.{name}.arguments.\"{argument}\" = {value}")
            } else if entity.kind == "policy" && entity.config.contains_key(definition) {
                format!("policy.{name}.definition.\"{definition}\" = {value}")
            } else {
                continue;
            };
            self.remedy(Remedy::Set(line));
        }
    }

    /// Confirmed, because nobody was left to wait for.
    pub(super) fn unroutable(&mut self) {
        self.setting(
            "unroutable is confirmed",
            "a message that leads to no queue is confirmed at once: there is nobody to wait for",
        );
        let at = self.gave_up().map(|(seen, _)| seen.at);
        self.faults_until(at.unwrap_or(Time::NEVER));
        let returned = self.first(|fact| matches!(fact, Fact::Returned { .. }));
        self.link(at, "led nowhere", "no binding led it to a queue that was there");
        if let Some(returned) = returned {
            self.link(Some(returned.at), "returned", "it came back to its publisher (mandatory)");
        }
    }
}
