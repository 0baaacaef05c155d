//! Why a message has its fate: the observations that decided it, and the setting that each of them records.
//!
//! A chain is read off one message's history and the faults and elections around it; it is a hypothesis until a re-run
//! with one of its remedies confirms it. Nothing here looks at a world.

use super::config::{Acks, ProducerConfig, TopicConfig};
use super::describe;
use super::packet::Error;
use super::story;
use crate::broker::inquiry::{Inquiry, key};
use crate::broker::{Case, Chain, Remedy};
use crate::fact::{Fact, NodeId, Observation, Rule};
use crate::scenario::plan::EntityPlan;
use crate::sim::Time;

mod application;
mod outward;

/// The chain of a message.
pub(super) fn explain(case: &Case<'_>) -> Chain {
    let mut reading = Reading::new(case, "no broker");
    match case.fate {
        "lost" | "stranded" => reading.lost(),
        "duplicated" => reading.duplicated(),
        "discarded" | "dead_lettered" => reading.given_up(),
        "phantom" | "rejected" | "unsent" => reading.unconfirmed(),
        _ => reading.waiting(),
    }
    reading.chain
}

/// A case while it is read, with what the family knows.
type Reading<'a> = Inquiry<'a, super::Kafka>;

impl<'a> Reading<'a> {
    /// Confirmed, and without effect.
    fn lost(&mut self) {
        let confirmed = self.first(|fact| matches!(fact, Fact::Confirmed { .. }));
        let survives = self.last_leader_has_it();
        if survives {
            self.lost_on_the_way_out();
            return;
        }
        let acks = self.acks();
        let at = confirmed.map_or(self.due, |seen| seen.at);
        self.confirmed_how(acks, at);
        let decided = self.decided_at(at);
        self.faults_until(decided);
        self.elections_without_it(at, decided);
        self.removals();
        if acks != Acks::All {
            self.remedy_setting("acks", "\"all\"");
        }
    }

    /// What the confirmation was worth when it was given.
    fn confirmed_how(&mut self, acks: Acks, at: Time) {
        let there: Vec<_> =
            self.copies.iter().filter(|copy| copy.is_there(at)).map(|copy| copy.node).collect();
        let holders = self.names(&there);
        let flushes = self.topic().is_some_and(|topic| topic.flush_messages.is_some());
        match acks {
            Acks::Zero => {
                self.setting("acks=0", "acks=0: a send counts as confirmed once it is handed to the socket");
                let text = match there.len() {
                    0 => "confirmed before any broker had it".to_owned(),
                    _ => format!("confirmed; by then it was on {holders}"),
                };
                self.link(Some(at), "confirmed at the socket", text);
            }
            Acks::One => {
                self.setting(
                    "acks=1",
                    "acks=1: the leader alone confirms, before its followers have the message",
                );
                let text = match there.len() {
                    1 => format!("confirmed, with the only copy on {holders}"),
                    _ => format!("confirmed, with copies on {holders}"),
                };
                self.link(Some(at), "confirmed by the leader", text);
            }
            Acks::All => {
                let needs_disk =
                    self.copies.iter().any(|copy| matches!(copy.removed, Some((_, Rule::PowerLost))));
                if needs_disk && !flushes {
                    let text =
                        "flush.messages is unset: brokers confirm from the page cache, not from the disk";
                    self.setting("flush.messages unset", text);
                }
                let text = format!("confirmed by all in-sync replicas, with copies on {holders}");
                self.link(Some(at), "confirmed by all in sync", text);
            }
        }
    }

    /// Leaders that took over without a copy, from the confirmation to the decision.
    fn elections_without_it(&mut self, from: Time, to: Time) {
        let Some(place) = self.copies.first().map(|copy| copy.place) else {
            self.link(None, "never written", "no broker ever appended it");
            return;
        };
        for seen in self.case.events.iter().filter(|seen| seen.at >= from && seen.at <= to) {
            let Fact::LeaderElected { place: of, leader, epoch, is_clean } = seen.fact else { continue };
            let (Some(leader), true) = (leader, of == place) else { continue };
            if self.copies.iter().any(|copy| copy.node == leader && copy.is_there(seen.at)) {
                continue;
            }
            let (name, node) = (self.case.names.place(place), self.case.names.node(leader));
            if is_clean {
                let text = format!(
                    "{node} elected leader of {name} in epoch {epoch}: it is in sync and lacks the message"
                );
                self.link(Some(seen.at), "elected without it", text);
            } else {
                self.setting(
                    "unclean election",
                    "unclean.leader.election.enable=true: a replica that is not in sync may lead",
                );
                let text = format!(
                    "{node} elected leader of {name} in epoch {epoch}, out of sync and without the message"
                );
                self.link(Some(seen.at), "elected out of sync", text);
                self.remedy_topic("unclean.leader.election.enable", "false");
            }
            break;
        }
    }

    /// How each copy went.
    fn removals(&mut self) {
        let mut kinds: Vec<Rule> = Vec::new();
        for copy in self.copies.clone() {
            let Some((at, rule)) = copy.removed else { continue };
            if kinds.contains(&rule) {
                continue;
            }
            kinds.push(rule);
            let nodes: Vec<_> = self
                .copies
                .iter()
                .filter(|other| other.removed.is_some_and(|(_, other)| other == rule))
                .map(|other| other.node)
                .collect();
            let (nodes, place) = (self.names(&nodes), self.case.names.place(copy.place));
            let offset = copy.offset;
            let (kind, text) = match rule {
                Rule::Truncated => (
                    "truncated",
                    format!("offset {offset} of {place} truncated on {nodes}, to agree with the leader"),
                ),
                Rule::PowerLost => (
                    "power lost",
                    format!("offset {offset} of {place} lost on {nodes}: it was not on the disk yet"),
                ),
                Rule::DiskLost => {
                    ("disk lost", format!("offset {offset} of {place} gone with the disk of {nodes}"))
                }
                Rule::Torn => ("torn", format!("offset {offset} of {place} torn off the log of {nodes}")),
                // Nothing of Kafka's disappears like that.
                Rule::Unwritten
                | Rule::Transient
                | Rule::Replaced
                | Rule::Deleted
                | Rule::Retention
                | Rule::Crashed => {
                    continue;
                }
            };
            self.link(Some(at), kind, text);
            if rule == Rule::PowerLost {
                self.remedy_topic("flush.messages", "1");
            }
        }
    }

    /// More than one effect.
    fn duplicated(&mut self) {
        let mut offsets: Vec<_> = self.copies.iter().map(|copy| (copy.place, copy.offset)).collect();
        offsets.sort_unstable();
        offsets.dedup();
        self.not_recognised();
        if self.case.history.iter().any(|seen| matches!(seen.fact, Fact::Sent { attempt: 2.., .. })) {
            self.sent_again("sent again by the application", "the application sent it again");
        } else if self.stored_twice() {
            self.sent_again(
                "retried by the client",
                "the client library sent its batch again: it is in the log twice",
            );
            self.remedy_setting("retries", "0");
        } else {
            self.redelivered();
        }
        self.remedy_consumer("idempotency", "\"unique_key\"");
    }

    /// The same broker stored it at two offsets while the first copy was there.
    fn stored_twice(&self) -> bool {
        self.copies.iter().any(|one| {
            self.copies.iter().any(|two| {
                one.node == two.node
                    && (one.place, one.offset) != (two.place, two.offset)
                    && one.is_there(two.stored)
            })
        })
    }

    fn sent_again(&mut self, kind: &str, text: &str) {
        let last = self.copies.iter().map(|copy| copy.stored).max().unwrap_or(self.due);
        self.faults_until(last);
        self.refusals(last);
        let answer = self.last(|fact| matches!(fact, Fact::Failed { .. }));
        if let Some(Observation { at, fact: Fact::Failed { error, .. }, .. }) = answer {
            self.link(Some(at), "reported failed", format!("reported failed: {}", Error::name_of(error)));
        }
        let mut stored: Vec<_> = self.copies.iter().map(|copy| (copy.offset, copy.stored)).collect();
        stored.sort_unstable();
        stored.dedup_by_key(|&mut (offset, _)| offset);
        for &(offset, at) in stored.iter().take(2) {
            self.link(Some(at), "appended", format!("appended at offset {offset}"));
        }
        self.link(None, kind, text);
    }

    fn redelivered(&mut self) {
        let effects: Vec<_> = self
            .case
            .history
            .iter()
            .filter(|seen| matches!(seen.fact, Fact::Effect { .. }))
            .copied()
            .collect();
        let (Some(first), Some(second)) = (effects.first(), effects.get(1)) else { return };
        let (one, two) = (self.case.names.node(first.node), self.case.names.node(second.node));
        self.link(Some(first.at), "processed", format!("processed by {one}: its effect is in the store"));
        self.faults_between(first.at, second.at);
        self.link(None, "not committed", "its offset had not been committed by then");
        self.link(
            Some(second.at),
            "processed again",
            format!("delivered again, and processed again by {two}"),
        );
    }

    /// The producer was not told that it succeeded.
    fn unconfirmed(&mut self) {
        let answer = self.last(|fact| matches!(fact, Fact::Failed { .. }));
        let until = answer.map_or(Time::NEVER, |seen| seen.at);
        self.user_was_told();
        self.overrun(until);
        self.faults_until(until);
        self.refusals(until);
        if let Some(copy) = self.copies.iter().min_by_key(|copy| copy.stored).copied() {
            let (node, place) = (self.case.names.node(copy.node), self.case.names.place(copy.place));
            let text = format!("{node} appended it at offset {} of {place}", copy.offset);
            self.link(Some(copy.stored), "appended", text);
        }
        match answer {
            Some(Observation { at, fact: Fact::Failed { error, .. }, .. }) => {
                let name = Error::name_of(error);
                self.link(Some(at), &format!("reported failed {name}"), format!("reported failed: {name}"));
            }
            _ => self.link(None, "never answered", "the application was never told what became of it"),
        }
        if self.case.fate == "phantom" {
            self.link(
                None,
                "failed is not absent",
                "a send that failed may still be in the log: it was processed",
            );
        }
        if self.producer.is_some_and(|producer| ProducerConfig::new(self.case.plan, producer).retries == 0) {
            self.remedy_setting("retries", "1000");
        }
    }

    /// It still waits.
    fn waiting(&mut self) {
        self.stopped();
        self.faults_until(Time::NEVER);
        let was_delivered = self.first(|fact| matches!(fact, Fact::Delivered { .. })).is_some();
        self.handed_in_vain();
        let text = if was_delivered {
            "it waits in the log: nobody had finished it when the run ended"
        } else {
            "it waits in the log: no consumer had come to it when the run ended"
        };
        self.link(None, "waits", text);
    }

    /// Batches refused for want of in-sync replicas, up to then.
    fn refusals(&mut self, until: Time) {
        let refused = self.case.events.iter().find_map(|seen| match seen.fact {
            Fact::Family(told) if seen.at >= self.due && seen.at <= until => {
                story::refused(&told).map(|numbers| (seen.at, numbers))
            }
            _ => None,
        });
        if let Some((at, (isr, minimum))) = refused {
            let text = format!("too few in-sync replicas: {isr}, min.insync.replicas is {minimum}");
            self.link(Some(at), "too few in sync", text);
        }
    }

    /// When it was decided that the message is gone: a leader without it took over, or its last copy went.
    fn decided_at(&self, confirmed: Time) -> Time {
        let removed = self.copies.iter().filter_map(|copy| Some(copy.removed?.0)).max();
        let place = self.copies.first().map(|copy| copy.place);
        let elected = self.case.events.iter().find_map(|seen| match seen.fact {
            Fact::LeaderElected { place: of, leader: Some(leader), .. }
                if seen.at >= confirmed && Some(of) == place =>
            {
                let has_it = self.copies.iter().any(|copy| copy.node == leader && copy.is_there(seen.at));
                (!has_it).then_some(seen.at)
            }
            _ => None,
        });
        elected.or(removed).unwrap_or(Time::NEVER)
    }

    /// Whether the last elected leader still has a copy at the end.
    fn last_leader_has_it(&self) -> bool {
        let Some(place) = self.copies.first().map(|copy| copy.place) else { return false };
        let elected = self.case.events.iter().rev().find_map(|seen| match seen.fact {
            Fact::LeaderElected { place: of, leader, .. } if of == place => Some(leader),
            _ => None,
        });
        let has_it =
            |node: NodeId| self.copies.iter().any(|copy| copy.node == node && copy.removed.is_none());
        match elected {
            Some(leader) => leader.is_some_and(has_it),
            None => self.copies.iter().any(|copy| copy.removed.is_none()),
        }
    }

    fn acks(&self) -> Acks {
        self.producer.map_or(Acks::All, |producer| ProducerConfig::new(self.case.plan, producer).acks)
    }

    fn topic(&self) -> Option<TopicConfig> {
        Some(TopicConfig::new(self.case.plan, Some(self.topic_table()?)))
    }

    /// The topic that the message is stored in; if it is nowhere, the first that its producer sends to.
    fn topic_table(&self) -> Option<&'a EntityPlan> {
        let stored = self.copies.first().map(|copy| self.case.names.place(copy.place));
        let stored = stored.as_ref().and_then(|place| place.rsplit_once('/')).map(|(topic, _)| topic);
        let send_to = stored.unwrap_or(&self.producer?.send_to);
        self.case.plan.entities.iter().find(|topic| describe::leads_to(send_to, &topic.name))
    }

    fn remedy_setting(&mut self, name: &str, value: &str) {
        self.remedy_producer(&format!("config.\"{name}\""), value);
    }

    fn remedy_topic(&mut self, name: &str, value: &str) {
        if let Some(topic) = self.topic_table() {
            let table = topic.copy_of.as_ref().unwrap_or(&topic.name);
            self.remedy(Remedy::Set(format!("topic.{}.config.\"{name}\" = {value}", key(table))));
        }
    }
}
