//! More than one effect.

use super::Reading;
use crate::fact::{Fact, Observation};
use crate::scenario::plan::Idempotency;

impl Reading<'_> {
    pub(super) fn duplicated(&mut self) {
        let whose = self.case.subscription;
        let effects: Vec<Observation> = self
            .case
            .history
            .iter()
            .filter(|seen| matches!(seen.fact, Fact::Effect { subscription, .. } if subscription == whose))
            .copied()
            .collect();
        let (Some(first), Some(second)) = (effects.first(), effects.get(1)) else { return };
        let (one, two) = (self.case.names.node(first.node), self.case.names.node(second.node));
        let again = self.last(|fact| matches!(fact, Fact::Sent { attempt: 2.., .. }));
        if let Some(again) = again.filter(|again| again.at <= second.at) {
            self.faults_until(again.at);
            let answered = self.first(|fact| matches!(fact, Fact::Unanswered { .. } | Fact::Failed { .. }));
            if let Some(seen) = answered {
                let text = "the publisher lost its connection before the confirm came, or was refused";
                self.link(Some(seen.at), "unanswered", text);
            }
            let text = "the application published it again, although it was in a queue already";
            self.link(Some(again.at), "published again", text);
            if self.producer.is_some_and(|one| one.if_unknown.is_some()) {
                self.remedy_producer("if_unknown", "\"give up\"");
            }
        } else {
            self.link(Some(first.at), "processed", format!("processed by {one}: its effect is in the store"));
            self.overdue_until(second.at);
            self.faults_until(second.at);
            if self.reads_a_stream() {
                let text =
                    "an acknowledgement is no position: whoever connects again reads from where it says";
                self.link(None, "read again", text);
                self.remedy_consumer("config.keep_offset", "true");
            } else {
                self.link(
                    None,
                    "not acknowledged",
                    "its queue had no acknowledgement by then, and delivered it again",
                );
            }
        }
        self.link(Some(second.at), "processed again", format!("processed again by {two}"));
        self.not_recognised();
    }

    fn reads_a_stream(&self) -> bool {
        self.consumer.is_some_and(|one| one.config.contains_key("x-stream-offset"))
    }

    fn not_recognised(&mut self) {
        let Some(consumer) = self.consumer else { return };
        if consumer.idempotency == Idempotency::None {
            let text = "the consumer does not recognise a message that it has already processed";
            self.setting("idempotency none", text);
        }
        if consumer.idempotency != Idempotency::UniqueKey {
            self.remedy_consumer("idempotency", "\"unique_key\"");
        }
    }
}
