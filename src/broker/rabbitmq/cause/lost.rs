//! Confirmed, without effect, and nowhere.

use super::{Reading, key};
use crate::broker::Remedy;
use crate::broker::inquiry::Copy;
use crate::broker::rabbitmq::config::StreamOffset;
use crate::broker::rabbitmq::story;
use crate::broker::rabbitmq::topology::Storage;
use crate::fact::{Fact, Rule};
use crate::scenario::plan::{EntityPlan, Idempotency, Value};
use crate::sim::Time;

impl Reading<'_> {
    pub(super) fn lost(&mut self) {
        if self.gave_up().is_some_and(|(_, how)| how == crate::fact::GivenUp::DeadLettered) {
            return self.lost_as_dead_letter();
        }
        self.confirmed_how();
        if self.recorded_before() {
            return;
        }
        if self.recognised_by_a_stream() || self.skipped_in_a_stream() {
            return;
        }
        let gone = self.copies.iter().filter_map(|copy| Some((*copy, copy.removed?)));
        let crashed = gone.clone().rfind(|(_, (_, rule))| *rule == Rule::Crashed);
        // It was there as long as the copy that went last.
        let gone = crashed.or_else(|| gone.max_by_key(|(_, (at, _))| *at));
        let was_delivered = self.last(|fact| matches!(fact, Fact::Delivered { .. }));
        match gone {
            Some((copy, (at, rule))) => self.copy_gone(copy, at, rule),
            None if was_delivered.is_some() || self.is_automatic() => self.lost_on_the_way_out(),
            None if self.copies.is_empty() => {
                self.faults_until(Time::NEVER);
                self.link(None, "never enqueued", "no queue ever had it");
            }
            None => {
                self.faults_until(Time::NEVER);
                self.link(None, "out of reach", "its queue is on a node that does not serve it");
            }
        }
    }

    fn is_stream(&self) -> bool {
        let of =
            |queue: &crate::scenario::plan::EntityPlan| queue.config.get("x-queue-type").map(Value::shown);
        self.queue_table().and_then(of).as_deref() == Some("stream")
    }

    /// Whether something is written that only streams know.
    fn has_stream_settings(&self) -> bool {
        let plan = self.case.plan;
        let mut queues = plan.entities.iter().flat_map(|one| one.config.keys());
        let is_of_streams = |name: &String| name.contains("stream") || name.contains("max-age");
        queues.any(|name| is_of_streams(name) || name == "x-initial-cluster-size")
            || plan.consumers.iter().any(|one| one.config.keys().any(is_of_streams))
            || plan.producers.iter().any(|one| one.config.contains_key("name"))
    }

    /// A stream took it for one that it had.
    fn recognised_by_a_stream(&mut self) -> bool {
        let own = u64::from(self.case.message.0);
        let told = self.case.events.iter().find_map(|seen| match seen.fact {
            Fact::Family(told) => {
                story::repeated(&told).filter(|one| one.0 == own).map(|one| (seen.at, one.1))
            }
            _ => None,
        });
        let (true, Some((at, id))) = (self.copies.is_empty(), told) else { return false };
        self.setting(
            "named producer",
            "of a named producer a stream knows the highest publishing id alone: what is not above it was \
             there already",
        );
        let text = format!("its publishing id {id} was not above the highest: confirmed, and not stored");
        self.link(Some(at), "taken for a repetition", text);
        self.remedy_producer("config.name", "\"\"");
        true
    }

    /// It is in the stream, and a consumer that came back began behind it.
    fn skipped_in_a_stream(&mut self) -> bool {
        let is_there = self.copies.iter().any(|copy| copy.removed.is_none());
        let whose = self.case.subscription;
        let is_delivered =
            self.case.history.iter().any(
                |seen| matches!(seen.fact, Fact::Delivered { subscription, .. } if subscription == whose),
            );
        let Some(config) = self.consumer_config().filter(|_| self.is_stream() && is_there) else {
            return false;
        };
        let offset = match config.stream_offset {
            StreamOffset::Next => "next",
            StreamOffset::Last => "last",
            StreamOffset::First | StreamOffset::At(_) if is_delivered => "not kept",
            StreamOffset::First | StreamOffset::At(_) => return false,
        };
        let stored = self.copies.first().map(|copy| copy.stored);
        self.setting(
            "no position is kept",
            &format!("x-stream-offset={offset}: whoever connects again begins with what comes from then on"),
        );
        self.link(stored, "in the stream", "it is in the stream, for everybody who begins before it");
        self.faults_until(Time::NEVER);
        let text = "its consumer was away, or had it in memory when it went, and began behind it";
        self.link(None, "skipped", text);
        self.remedy_consumer("config.\"x-stream-offset\"", "\"first\"");
        self.remedy_consumer("config.keep_offset", "true");
        true
    }

    fn is_automatic(&self) -> bool {
        self.consumer_config().is_some_and(|config| config.no_ack)
    }

    /// A copy disappeared by a rule.
    fn copy_gone(&mut self, copy: Copy, at: Time, rule: Rule) {
        let (node, place) = (self.case.names.node(copy.node), self.case.names.place(copy.place));
        self.link(Some(copy.stored), "enqueued", format!("{node} put it into {place}"));
        self.faults_between(copy.stored, at);
        self.elections(copy.stored, at);
        match rule {
            Rule::Transient => self.not_kept(&node, at),
            Rule::Unwritten => {
                self.link(
                    Some(at),
                    "not written",
                    format!("{node} had not written it: it died with the process"),
                );
            }
            Rule::PowerLost => self.not_flushed(&node, at),
            Rule::DiskLost => self.link(Some(at), "disk lost", format!("gone with the disk of {node}")),
            Rule::Replaced => self.thrown_away(at, &node),
            Rule::Deleted => self.queue_deleted(at),
            Rule::Crashed => self.crashed(&node, &place, at),
            Rule::Retention => {
                self.link(Some(at), "retention", format!("{node} removed the segment that it was in"));
            }
            Rule::Truncated | Rule::Torn => {
                self.link(Some(at), "cut off", format!("{node} cut it off its log"));
            }
        }
    }

    /// It was published transient, or the queue is.
    fn not_kept(&mut self, node: &str, at: Time) {
        if self.queue_is("durable") {
            self.setting(
                "transient message",
                "delivery_mode 1: a transient message is in memory, and no restart keeps it",
            );
            self.remedy_producer("config.delivery_mode", "2");
        } else {
            self.setting("not durable", "the queue is not durable: it goes with its node, and all in it");
            self.remedy_queue("durable", "true");
        }
        self.link(Some(at), "not kept", format!("{node} started without it"));
    }

    /// The page cache went with the power.
    fn not_flushed(&mut self, node: &str, at: Time) {
        if self.is_stream() {
            self.setting(
                "not flushed",
                "a stream confirms what a majority has handed to the system: nothing is flushed",
            );
            if !self.has_stream_settings() {
                self.remedy_queue("arguments.\"x-queue-type\"", "\"quorum\"");
            }
        } else if self.rules().shared_store_syncs || self.rules().default_storage == Storage::V2 {
            self.setting(
                "not flushed",
                "classic queue, storage v2: a message is confirmed when the operating system has it",
            );
        } else {
            self.setting(
                "shared store not flushed",
                "queue_index_embed_msgs_below: from 3.13 on what lies outside the index is not flushed",
            );
            let line = "cluster.config.queue_index_embed_msgs_below = 1000000000";
            self.remedy(Remedy::Set(line.to_owned()));
        }
        self.link(Some(at), "not on the device", format!("{node} lost it with its page cache"));
    }

    /// The queue went with its users, or with time.
    fn queue_deleted(&mut self, at: Time) {
        let text = "the queue was deleted, and everything in it: temporary queues go with their users";
        self.link(Some(at), "queue deleted", text);
        // The longest that the vendor takes: it does not end in this run.
        let never = u32::MAX;
        let policies = self.case.plan.entities.iter().filter(|one| one.kind == "policy");
        let ends: Vec<_> = policies.filter(|policy| policy.config.contains_key("expires")).collect();
        for name in ends.into_iter().map(|policy| key(&policy.name)).collect::<Vec<_>>() {
            self.remedy(Remedy::Set(format!("policy.{name}.definition.expires = {never}")));
        }
        if self.queue_table().is_some_and(|queue| queue.config.contains_key("x-expires")) {
            self.remedy_queue("arguments.x-expires", &never.to_string());
        } else if self.queue_is("exclusive") {
            self.remedy_queue("exclusive", "false");
        } else if self.queue_is("auto_delete") {
            self.remedy_queue("auto_delete", "false");
        }
    }

    /// A bug took the queue while its node started.
    fn crashed(&mut self, node: &str, place: &str, at: Time) {
        if self.queue_table().is_some_and(|queue| !queue.config.contains_key("x-queue-type")) {
            self.setting(
                "mirrors race at start",
                "mirrored queues of nodes that start at the same time can come up empty: a bug until 3.8.2",
            );
            let text = format!("{place} crashed when {node} started, and is empty");
            self.link(Some(at), "started empty", text);
            self.repaired_in("3.8.3");
        } else {
            self.setting(
                "young quorum queue",
                "a quorum queue that was declared less than half a second ago does not survive a kill",
            );
            self.link(Some(at), "of no use", format!("{place} on {node} does not come back"));
            self.remedy_queue("declared_at", "\"0s\"");
        }
    }

    /// A node threw its copy away to join others.
    fn thrown_away(&mut self, at: Time, node: &str) {
        let parted = self.case.events.iter().any(|seen| match seen.fact {
            Fact::Family(told) => story::is_partitioned(&told),
            _ => false,
        });
        if parted {
            self.setting(
                "both sides went on",
                "cluster_partition_handling: both sides of a partition confirm, and only one is kept",
            );
            let config = &self.case.plan.cluster.config;
            let nodes = "cluster_partition_handling.pause_if_all_down.nodes";
            let lines: Vec<String> = match config.get(nodes) {
                // Both sides saw one of them.
                Some(Value::Texts(names)) => {
                    names.iter().map(|name| format!("cluster.config.\"{nodes}\" = [\"{name}\"]")).collect()
                }
                _ => vec!["cluster.config.cluster_partition_handling = \"pause_minority\"".to_owned()],
            };
            for line in lines {
                self.remedy(Remedy::Set(line));
            }
            let is_overlooked = |seen: &&crate::fact::Observation| match seen.fact {
                Fact::Family(told) => story::is_overlooked(&told),
                _ => false,
            };
            if let Some(seen) = self.case.events.iter().find(is_overlooked).copied() {
                let text = "until 3.8 a node that comes back from a pause does not pause again";
                self.setting("pauses only once", text);
                let node = self.case.names.node(seen.node);
                self.link(Some(seen.at), "ran on alone", format!("{node} sees nobody, and does not pause"));
                self.repaired_in("3.9.0");
            }
        } else if self.has_unclean_leader() {
            self.setting(
                "unsynchronised mirror promoted",
                "ha-promote-on-failure=always: a mirror takes over that lacks what is older than it",
            );
            let policies = self.case.plan.entities.iter().filter(|one| one.kind == "policy");
            let names: Vec<_> = policies.map(|policy| key(&policy.name)).collect();
            for name in names {
                let line = format!("policy.{name}.definition.\"ha-promote-on-failure\" = \"when-synced\"");
                self.remedy(Remedy::Set(line));
            }
        }
        self.link(Some(at), "thrown away", format!("{node} came back and threw its copy away"));
    }

    /// Whether a mirror led its queue that lacked something.
    fn has_unclean_leader(&self) -> bool {
        self.case.events.iter().any(|seen| match seen.fact {
            Fact::LeaderElected { place, leader: Some(_), is_clean: false, .. } => {
                self.copies.iter().any(|copy| copy.place == place)
            }
            _ => false,
        })
    }

    /// Mirrors that took over.
    fn elections(&mut self, from: Time, to: Time) {
        let elected: Vec<_> = self
            .case
            .events
            .iter()
            .filter(|seen| seen.at >= from && seen.at <= to)
            .filter_map(|seen| match seen.fact {
                Fact::LeaderElected { place, leader: Some(leader), is_clean, .. } => {
                    Some((seen.at, place, leader, is_clean))
                }
                _ => None,
            })
            .collect();
        for (at, place, leader, is_clean) in elected {
            if self.copies.iter().any(|copy| copy.place == place) {
                let how = if is_clean { "" } else { ", which was not synchronised" };
                let text = format!(
                    "{} leads {} now{how}",
                    self.case.names.node(leader),
                    self.case.names.place(place)
                );
                self.link(Some(at), "promoted", text);
            }
        }
    }

    /// It left its queue for a consumer, and that was the end of it.
    fn lost_on_the_way_out(&mut self) {
        if self.is_automatic() {
            self.setting(
                "automatic acknowledgement",
                "no_ack: a queue forgets a message when it is handed to the channel, whatever becomes of it",
            );
            self.remedy_consumer("config.no_ack", "false");
        }
        self.faults_until(Time::NEVER);
        let text = "it was in a socket or in the client's memory when that was gone";
        self.link(None, "forgotten by its queue", text);
    }

    /// It was on its way to a dead-letter queue, and is not there.
    fn lost_as_dead_letter(&mut self) {
        self.confirmed_how();
        if let Some((seen, _)) = self.gave_up() {
            let node = self.case.names.node(seen.node);
            self.link(
                Some(seen.at),
                "dead-lettered",
                format!("{node} published it to the dead-letter exchange"),
            );
            self.faults_between(seen.at, Time::NEVER);
        }
        let gone = self.copies.iter().rev().find_map(|copy| Some((*copy, copy.removed?)));
        if let Some((copy, (at, Rule::Transient))) = gone {
            let place = self.case.names.place(copy.place);
            self.setting(
                "transient dead letter",
                "dead letters keep their delivery mode: a transient one is in memory in a classic queue",
            );
            self.link(Some(at), "not kept", format!("{place} came back without it"));
            self.remedy_producer("config.delivery_mode", "2");
        } else {
            self.setting(
                "at most once",
                "dead letters are published without confirms: a target that is down or full loses them",
            );
            self.remedy_at_least_once();
        }
    }

    /// The queue that it came from keeps a dead letter until its target has confirmed it.
    fn remedy_at_least_once(&mut self) {
        let given_up = self.gave_up().map_or(Time::NEVER, |(seen, _)| seen.at);
        let from = self.copies.iter().rev().find(|copy| copy.stored <= given_up);
        let Some(name) = from.map(|copy| self.case.names.place(copy.place)) else { return };
        let is_it = |one: &&EntityPlan| one.kind == "queue" && one.name == name;
        let Some(queue) = self.case.plan.entities.iter().find(is_it) else { return };
        let table = key(queue.copy_of.as_ref().unwrap_or(&queue.name));
        let arguments = "\"x-queue-type\" = \"quorum\", \"x-dead-letter-strategy\" = \"at-least-once\", \
                         \"x-overflow\" = \"reject-publish\"";
        self.remedy(Remedy::Set(format!("queue.{table}.arguments = {{ {arguments} }}")));
    }

    /// A record without an effect: the message counts as done and never was.
    fn recorded_before(&mut self) -> bool {
        let is_before =
            self.consumer.is_some_and(|consumer| consumer.idempotency == Idempotency::SideStoreBefore);
        let recognised = self.last(|fact| matches!(fact, Fact::Recognised { .. }));
        let (true, Some(recognised)) = (is_before, recognised) else { return false };
        self.setting(
            "recorded before the effect",
            "the record comes before the effect: whoever ends in between leaves a record without an effect",
        );
        self.faults_until(recognised.at);
        self.link(Some(recognised.at), "taken for done", "delivered again, found recorded, and left alone");
        self.remedy_consumer("idempotency", "\"processed_table\"");
        true
    }
}
