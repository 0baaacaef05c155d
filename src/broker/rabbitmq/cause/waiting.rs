//! It still waits: nobody came to it, somebody holds it, or it goes round.

use super::Reading;
use crate::broker::Remedy;
use crate::broker::rabbitmq::config::{Client, ConsumerConfig};
use crate::broker::rabbitmq::story::{self, Kind};
use crate::fact::{Fact, GivenUp, NodeId, Observation};
use crate::scenario::plan::Then;
use crate::sim::{Span, Time};

/// As long as nobody works on one message.
const A_DAY_MS: &str = "86400000";

impl Reading<'_> {
    pub(super) fn waiting(&mut self) {
        self.overdue_until(Time::NEVER);
        self.faults_until(Time::NEVER);
        let delivered = self.deliveries().last().copied();
        let aside = self.gave_up().filter(|(seen, how)| {
            *how == GivenUp::DeadLettered && delivered.is_none_or(|last| last.at <= seen.at)
        });
        self.fails_again();
        if let Some((seen, _)) = aside {
            self.set_aside(seen);
        } else if let Some(seen) = delivered {
            let node = self.case.names.node(seen.node);
            self.link(Some(seen.at), "handed over", format!("handed to {node}, which has not finished it"));
            self.link(None, "unacked", "it is unacked, or ready again: nobody had finished it");
        } else {
            self.link(None, "ready", "it is ready: no consumer had come to it when the run ended");
        }
    }

    /// How often, and when, the subscription was handed the message.
    pub(super) fn deliveries(&self) -> Vec<Observation> {
        let whose = self.case.subscription;
        let is_own =
            |fact: &Fact| matches!(fact, Fact::Delivered { subscription, .. } if *subscription == whose);
        self.case.history.iter().filter(|seen| is_own(&seen.fact)).copied().collect()
    }

    /// Its consumer gave it up, and it waits in a queue that leads back.
    fn set_aside(&mut self, seen: Observation) {
        let rejects = self.consumer.is_some_and(|one| one.if_fails.then == Then::Reject);
        let by = self.deliveries().last().filter(|_| rejects).map_or(seen.node, |last| last.node);
        let did = if rejects { "rejected it" } else { "gave it up" };
        let text = format!("{} {did}: it went to the dead-letter exchange", self.case.names.node(by));
        self.link(Some(seen.at), "set aside", text);
        let place = self.copies.last().map(|copy| self.case.names.place(copy.place));
        if let Some(place) = place {
            self.link(None, "parked", format!("it waits in {place}, whose dead letters come back"));
        }
    }

    /// Processing fails each time, and the message comes again.
    fn fails_again(&mut self) {
        let Some(consumer) = self.consumer else { return };
        let deliveries = self.deliveries();
        let (Some(first), true) = (deliveries.first().copied(), self.is_poison() || consumer.fails_ppm > 0)
        else {
            return;
        };
        let name = &consumer.name;
        if self.is_poison() {
            self.setting("poison", &format!("{name} fails on this message each time (`poison`)"));
        }
        match consumer.if_fails.then {
            Then::Requeue if !self.drops_rejected() => {
                let text = "`if_fails` says `requeue`: what fails goes back to its queue, and comes again";
                self.setting("requeues", text);
            }
            Then::Requeue | Then::Reject => {
                let text = "`if_fails` says `reject`: its queue passes it to the dead-letter exchange";
                self.setting("rejects", text);
            }
            Then::Stop => {
                let text = "`if_fails` says `stop`: the application ends, and whoever is next finds it again";
                self.setting("stops", text);
            }
            Then::Skip | Then::SendTo(_) => {}
        }
        if let [_, .., _] = deliveries[..] {
            let node = self.case.names.node(first.node);
            let text = format!("{node} fails on it for the first time, of {} in all", deliveries.len());
            self.link(Some(first.at), "goes round", text);
        }
        self.remedy_failing();
        if consumer.if_fails.then == Then::Requeue {
            self.remedy_consumer("if_fails.then", "\"reject\"");
        }
    }

    /// Nothing that fails any more.
    pub(super) fn remedy_failing(&mut self) {
        let Some(consumer) = self.consumer else { return };
        if !consumer.poison.is_empty() {
            self.remedy_consumer("poison", "[]");
        }
        if consumer.fails_ppm > 0 {
            self.remedy_consumer("fails", "\"0%\"");
        }
    }

    /// Whether the consumer fails on it, whatever it does.
    pub(super) fn is_poison(&self) -> bool {
        let (Some(producer), Some(consumer)) = (self.producer, self.consumer) else { return false };
        let due = self.first(|fact| matches!(fact, Fact::Due { .. }));
        let Some(Fact::Due { number, .. }) = due.map(|seen| seen.fact) else { return false };
        consumer.poison.iter().any(|one| one.producer == producer.name && one.number == number)
    }

    /// Whether its listener gives up what it says to give back: a client's own setting.
    pub(super) fn drops_rejected(&self) -> bool {
        let gives_up = |config: &ConsumerConfig| config.client == Client::Spring && !config.requeues_rejected;
        self.consumer_config().as_ref().is_some_and(gives_up)
    }

    /// It was held for longer than a consumer may, and so went back to its queue.
    pub(super) fn overdue_until(&mut self, until: Time) {
        let Some((at, client, timeout)) = self.overdue(until) else { return };
        let text = format!(
            "consumer_timeout: whoever holds a message for more than {timeout} loses its channel, and all \
             that it holds goes back"
        );
        self.setting("consumer timeout", &text);
        let client = self.case.names.node(client);
        let text = format!("the channel of {client} was closed (406): it had held the message for too long");
        self.link(Some(at), "channel closed", text);
        if self.is_limited("x-consumer-timeout", "consumer-timeout") {
            self.lift("x-consumer-timeout", "consumer-timeout", A_DAY_MS);
        } else {
            self.remedy(Remedy::Set(format!("cluster.config.consumer_timeout = {A_DAY_MS}")));
        }
    }

    /// The first time that a channel was closed which held it, for whom, and how long it may be held.
    fn overdue(&self, until: Time) -> Option<(Time, NodeId, Span)> {
        let deliveries = self.deliveries();
        let acknowledged = self.first(|fact| matches!(fact, Fact::Acknowledged { .. }));
        let held_until = acknowledged.map_or(until, |seen| seen.at.min(until));
        self.case.events.iter().take_while(|seen| seen.at <= held_until).find_map(|seen| {
            let Fact::Family(told) = seen.fact else { return None };
            let client = NodeId(told.place as u16);
            let holds = deliveries.iter().any(|one| one.node == client && one.at <= seen.at);
            let is_it = story::is(&told, Kind::Overdue) && holds;
            is_it.then_some((seen.at, client, Span(told.numbers[1])))
        })
    }
}
