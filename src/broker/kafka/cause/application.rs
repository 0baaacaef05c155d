//! The consuming application's own part in a fate: what it recognises, what it gives up, what it hands off.

use super::{Reading, key};
use crate::broker::Remedy;
use crate::fact::{Down, Fact, Observation};
use crate::scenario::plan::{IdOf, Idempotency, OwnWrite, PoolOrder, Then};
use crate::sim::Time;

impl Reading<'_> {
    /// Why a repeated delivery, or a second copy, was an effect again.
    pub(super) fn not_recognised(&mut self) {
        let Some(consumer) = self.consumer else { return };
        let (kind, text) = match (consumer.idempotency, consumer.id) {
            (Idempotency::SideStoreAfter, _) => (
                "recorded after the effect",
                "the record follows the effect: whoever ends in between leaves an effect without a record",
            ),
            (Idempotency::SelectThenInsert, _) => (
                "looked and inserted",
                "it looks first and inserts later, without a unique index: two at once both see nothing",
            ),
            (Idempotency::UniqueKey | Idempotency::ProcessedTable, IdOf::Position) => (
                "recognised by position",
                "the consumer recognises a message by its offset: a second copy has another one",
            ),
            _ => (
                "idempotency none",
                "the consumer does not recognise a message that it has already processed",
            ),
        };
        self.setting(kind, text);
        if consumer.id == IdOf::Position {
            self.remedy_consumer("id", "\"business\"");
        }
    }

    /// What a service that is called directly did before this call failed.
    pub(super) fn overrun(&mut self, until: Time) {
        let Some(name) = self.producer.and_then(|producer| producer.send_to.strip_prefix("service ")) else {
            return;
        };
        let Some(service) = self.case.plan.services.iter().find(|service| service.name == name) else {
            return;
        };
        let queue = service.queue;
        self.setting(
            "holds so many",
            &format!("service.{name}: at most {queue} calls wait for it, one more is too many"),
        );
        if service.breaks.is_some() {
            self.setting(
                "breaks",
                &format!("service.{name}.breaks: being overrun takes it down, and all that it held fails"),
            );
            let is_overrun = |seen: &&Observation| matches!(seen.fact, Fact::NodeDown { how: Down::Overrun });
            let fell = self.case.events.iter().filter(is_overrun).rfind(|seen| seen.at <= until).copied();
            if let Some(fell) = fell {
                let text = format!("{} overrun: it is down", self.case.names.node(fell.node));
                self.link(Some(fell.at), "overrun", text);
            }
        }
        // Room for everything: what nobody refuses, nobody has to send again. It is late instead.
        self.remedy(Remedy::Set(format!("service.{name}.queue = 1000000")));
    }

    /// The user heard "done" before the message was safe.
    pub(super) fn user_was_told(&mut self) {
        let Some(producer) = self.producer.filter(|producer| producer.own_write.is_some()) else { return };
        let Some(written) = self.first(|fact| matches!(fact, Fact::Written { .. })) else { return };
        let text = "the application's own database had it, and the user was told that it is done";
        self.link(Some(written.at), "user told", text);
        if producer.own_write != Some(OwnWrite::Outbox) {
            self.remedy(Remedy::Set(format!("producer.{}.own_write = \"outbox\"", key(&producer.name))));
        }
    }

    /// A record without an effect: the message counts as done and never was.
    pub(super) fn recorded_before(&mut self) -> bool {
        let is_before =
            self.consumer.is_some_and(|consumer| consumer.idempotency == Idempotency::SideStoreBefore);
        let recognised = self.last(|fact| matches!(fact, Fact::Recognised { .. }));
        let (true, Some(recognised)) = (is_before, recognised) else { return false };
        self.setting(
            "recorded before the effect",
            "the record comes before the effect: whoever ends in between leaves a record without an effect",
        );
        if let Some(first) = self.first(|fact| matches!(fact, Fact::Delivered { .. })) {
            let node = self.case.names.node(first.node);
            self.link(Some(first.at), "handed over", format!("handed to {node}, which recorded it"));
            self.faults_between(first.at, recognised.at);
        }
        self.link(Some(recognised.at), "taken for done", "delivered again, found recorded, and left alone");
        self.remedy_consumer("idempotency", "\"processed_table\"");
        true
    }

    /// The setting behind a commit of what was not finished.
    pub(super) fn handed_off(&mut self) {
        if self.consumer.is_some_and(|consumer| consumer.workers.is_some()) {
            self.setting(
                "hands off to threads",
                "`workers`: the thread that polls hands over, and its next poll commits what is not finished",
            );
        }
    }

    /// The application gave it up.
    pub(super) fn given_up(&mut self) {
        let Some(consumer) = self.consumer else { return self.waiting() };
        let Some(given_up) = self.last(|fact| matches!(fact, Fact::GivenUp { .. })) else {
            return self.waiting();
        };
        let node = self.case.names.node(given_up.node);
        match consumer.idempotency {
            Idempotency::Version | Idempotency::StatusMachine
                if !self.is_poison() && consumer.fails_ppm == 0 =>
            {
                if consumer.workers.is_some() && consumer.order == PoolOrder::None {
                    self.setting(
                        "order none",
                        "a pool without order: a later message of the same key may be done first",
                    );
                    self.remedy_consumer("order", "\"by key\"");
                }
                let text = format!("{node} dropped it: the row was not in the state that it expects");
                self.link(Some(given_up.at), "dropped as out of order", text);
                self.remedy_consumer("idempotency", "\"unique_key\"");
            }
            _ => {
                let retries = consumer.if_fails.retries;
                let (kind, then) = match &consumer.if_fails.then {
                    Then::SendTo(to) => ("sent on", format!("sent it to {to}, and went on")),
                    _ => ("given up", "went on without it".to_owned()),
                };
                let text = format!("{node} failed to process it, {retries} times again at most, and {then}");
                self.link(Some(given_up.at), kind, text);
                if self.is_poison() {
                    self.remedy_consumer("poison", "[]");
                } else {
                    self.remedy_consumer("if_fails.retries", "20");
                }
            }
        }
        self.faults_until(given_up.at);
    }

    /// It waits because whoever comes to a message that cannot be processed ends.
    pub(super) fn stopped(&mut self) {
        let Some(consumer) = self.consumer else { return };
        let may_stop = consumer.if_fails.then == Then::Stop;
        if may_stop && (consumer.fails_ppm > 0 || !consumer.poison.is_empty()) {
            self.setting(
                "ends at a failure",
                "`if_fails` says `stop`: whoever cannot process a message ends, and the next finds it again",
            );
            self.remedy_consumer("if_fails.then", "\"skip\"");
        }
    }

    /// Who had it and did not finish it, and which processes of the consumer ended themselves.
    pub(super) fn handed_in_vain(&mut self) {
        let Some(consumer) = self.consumer else { return };
        let is_poison = self.is_poison();
        let is_own = |node: &str| {
            node.strip_prefix(&consumer.name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut links = Vec::new();
        let delivered = |seen: &&Observation| matches!(seen.fact, Fact::Delivered { .. });
        for seen in self.case.history.iter().filter(delivered) {
            let node = self.case.names.node(seen.node);
            if is_own(&node) {
                links.push((seen.at, "handed over", format!("handed to {node}")));
            }
        }
        let gave_up = |seen: &&Observation| matches!(seen.fact, Fact::NodeDown { how: Down::GaveUp });
        for seen in self.case.events.iter().filter(gave_up) {
            let node = self.case.names.node(seen.node);
            if is_own(&node) {
                let what = if is_poison { "it" } else { "a message" };
                links.push((seen.at, "ended", format!("{node} could not process {what}, and ended")));
            }
        }
        links.sort_by_key(|(at, ..)| *at);
        for (at, kind, text) in links {
            self.link(Some(at), kind, text);
        }
    }

    fn is_poison(&self) -> bool {
        let Some(consumer) = self.consumer else { return false };
        self.first(|fact| matches!(fact, Fact::Due { .. })).is_some_and(|seen| match seen.fact {
            Fact::Due { number, .. } => consumer.poison.iter().any(|poison| {
                poison.number == number
                    && self.producer.is_some_and(|producer| producer.name == poison.producer)
            }),
            _ => false,
        })
    }
}
