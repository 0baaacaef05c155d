//! Lost on the way out: it is in the log, and the group never gets it.

use super::super::config::{Client, ConsumerConfig, Reset};
use super::super::story;
use super::Reading;
use crate::broker::Remedy;
use crate::fact::Fact;
use crate::scenario::plan::Version;
use crate::sim::Time;

impl Reading<'_> {
    /// A leader has it, and the group has moved past it.
    pub(super) fn lost_on_the_way_out(&mut self) {
        let Some(consumer) = self.consumer else { return self.waiting() };
        let config = ConsumerConfig::new(self.case.plan, consumer);
        let whose = self.case.subscription;
        let is_delivery =
            |fact: &Fact| matches!(*fact, Fact::Delivered { subscription, .. } if subscription == whose);
        let Some(delivered) = self.last(is_delivery) else {
            return if config.reset == Reset::Latest { self.began_past_it() } else { self.logs_differ() };
        };
        if self.recorded_before() {
            return;
        }
        let node = self.case.names.node(delivered.node);
        self.handed_off();
        if config.has_auto_commit && config.client == Client::Librdkafka {
            self.setting(
                "commits what was handed over",
                "enable.auto.commit=true in librdkafka: what was handed over is committed, finished or not",
            );
        }
        self.link(Some(delivered.at), "handed over", format!("handed to {node}, which had not finished it"));
        self.faults_between(delivered.at, Time::NEVER);
        self.link(None, "not delivered again", "its offset was committed: nobody gets it again");
        self.remedy_consumer("config.\"enable.auto.commit\"", "false");
    }

    /// The group had no offset of the partition.
    fn began_past_it(&mut self) {
        self.setting(
            "auto.offset.reset=latest",
            "auto.offset.reset=latest: a group without an offset begins at the end",
        );
        self.positions_reset();
        self.remedy_consumer("config.\"auto.offset.reset\"", "\"earliest\"");
        self.faults_until(Time::NEVER);
    }

    /// It is in the log of who leads now, and was not in the log of who led when the group read that offset.
    fn logs_differ(&mut self) {
        if self.case.plan.version < Version(2, 0, 0) {
            self.setting(
                "logs may differ",
                "before 2.0 a follower asks its leader once where its last epoch ends, and may keep what \
                 the leader never had (KIP-279)",
            );
            self.remedy(Remedy::Set("version = \"2.0\"".to_owned()));
        }
        self.elections_without_it(self.due, Time::NEVER);
        self.faults_until(Time::NEVER);
        let place = self.copies.first().map(|copy| (self.case.names.place(copy.place), copy.offset));
        if let Some((name, offset)) = place {
            let text = format!(
                "it is offset {offset} of {name} for who leads now; who led when the group read that far had \
                 something else there"
            );
            self.link(None, "the logs differ", text);
        }
    }

    fn positions_reset(&mut self) {
        let resets: Vec<_> = self
            .case
            .events
            .iter()
            .filter_map(|seen| match seen.fact {
                Fact::Family(told) => Some((seen.at, story::reset_at(&told)?, told.place)),
                _ => None,
            })
            .collect();
        let Some(copy) = self.copies.first().copied() else { return };
        for (at, offset, place) in resets {
            if place == copy.place.0 && offset > copy.offset {
                let text =
                    format!("the group begins at offset {offset}, past this message's {}", copy.offset);
                self.link(Some(at), "began past it", text);
                return;
            }
        }
    }
}
