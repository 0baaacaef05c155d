//! Removed while it waited: expired, pushed out, rejected, led nowhere.

use super::{Reading, key};
use crate::broker::Remedy;
use crate::broker::rabbitmq::story::{self, Kind};
use crate::fact::{Fact, GivenUp, PlaceId, Rule};
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
            GivenUp::Expired => self.expired(seen.at),
            GivenUp::Overflowed => {
                self.setting(
                    "length limit",
                    "a queue that is full drops its oldest messages, confirmed or not",
                );
                self.link(Some(seen.at), "pushed out", "newer messages took its place in the queue");
                self.led_nowhere(seen.at);
                self.lift("x-max-length", "max-length", "1000000");
                self.remedy_queue("arguments.\"x-overflow\"", "\"reject-publish\"");
            }
            GivenUp::Discarded | GivenUp::DeadLettered => self.rejected(seen.at, &node, how),
            GivenUp::Unroutable => self.link(Some(seen.at), "led nowhere", "nothing led it to a queue"),
        }
    }

    /// Its time was over, before anybody had taken it, or when it came back.
    fn expired(&mut self, at: Time) {
        self.setting("time to live", "a message that waits longer than its time to live is removed");
        if let Some(handed) = self.deliveries().into_iter().rfind(|handed| handed.at <= at) {
            let node = self.case.names.node(handed.node);
            let text = format!("handed to {node}: what a consumer holds does not expire");
            self.link(Some(handed.at), "handed over", text);
            let text = "it came back to its queue, and its time was over: giving it back does not renew it";
            self.link(Some(at), "expired on return", text);
        } else {
            let text = "it reached the head of its queue too late: nobody had taken it in time";
            self.link(Some(at), "expired", text);
        }
        self.led_nowhere(at);
        self.lift("x-message-ttl", "message-ttl", "86400000");
        let expires_itself = self.producer.is_some_and(|one| one.config.contains_key("expiration"));
        if expires_itself || !self.is_limited("x-message-ttl", "message-ttl") {
            self.remedy_producer("config.expiration", "86400000");
        }
        self.remedy_failing();
    }

    /// Its queue has a dead-letter exchange, and its dead letter went nowhere all the same.
    fn led_nowhere(&mut self, at: Time) {
        let own = u64::from(self.case.message.0);
        let told = self.case.events.iter().find_map(|seen| match seen.fact {
            Fact::Family(told) if seen.at == at && told.numbers[0] == own => Some(told),
            _ => None,
        });
        let Some(told) = told else { return };
        let queue = self.case.names.place(PlaceId(told.place));
        if story::is(&told, Kind::CircleCut) {
            let text = "a dead letter is not led to a queue where it was already, unless somebody has \
                        rejected it since: a circle of expiries would never end";
            self.setting("circles are cut", text);
            let target = self.case.names.place(PlaceId(told.numbers[1] as u32));
            let text = format!("it would have gone from {queue} to {target} once more: it was dropped");
            self.link(Some(at), "circle cut", text);
        } else if story::is(&told, Kind::LedNowhere) {
            let text = format!("no queue is there for the dead letters of {queue}: it was dropped");
            self.link(Some(at), "no dead-letter queue", text);
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
        let was_handed = !self.deliveries().is_empty();
        match &consumer.if_fails.then {
            _ if !was_handed => self.died_waiting(),
            Then::Requeue if self.drops_rejected() => self.setting(
                "rejects",
                "default_requeue_rejected=false: what fails is rejected, not to be delivered again",
            ),
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
        self.led_nowhere(at);
        self.remedy_failing();
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
    pub(super) fn is_limited(&self, argument: &str, definition: &str) -> bool {
        self.case.plan.entities.iter().any(|one| match one.kind {
            "queue" => one.config.contains_key(argument),
            "policy" => one.config.contains_key(definition),
            _ => false,
        })
    }

    /// A limit as wide as it can be, where it stands.
    pub(super) fn lift(&mut self, argument: &str, definition: &str, value: &str) {
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
}
