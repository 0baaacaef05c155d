//! A producer, as a box and with all its state.

use super::super::super::model::Timer;
use super::super::super::picture::{SECTIONS_MAX, ago, and_more, broker_name, producer_config, until};
use super::super::super::world::World;
use super::{Batch, Producer};
use crate::broker::host::Shown;
use crate::broker::picture::{Field, HOLDS_MAX, Section};
use crate::fact::{MessageId, NodeId};
use crate::sim::Time;

impl Producer {
    /// How many messages the application was not answered about.
    pub(in super::super::super) fn unanswered(&self) -> u64 {
        u64::from(self.app.unanswered())
    }

    /// How many records its buffer holds.
    pub(in super::super) fn buffered(&self) -> u64 {
        self.buffered_records + self.blocked.len() as u64
    }

    /// As much as fits into a box.
    pub(in super::super::super) fn shown(&self, engine: &World, node: NodeId) -> Shown {
        let role = match () {
            () if self.is_closing => "closing",
            () if self.links.view.is_none() => "no metadata",
            () if !self.blocked.is_empty() => "send blocks, buffer full",
            () => "producer",
        };
        let mut summary = vec![
            Field::new("acks", self.config.acks.name()),
            Field::new("in flight", self.in_flight()),
            Field::new("buffered", self.waiting_records()),
        ];
        let retries = self.retries();
        if retries > 0 {
            summary.push(Field::new("batches to retry", retries));
        }
        if self.again > 0 {
            summary.push(Field::new("app sends again", self.again));
        }
        if !self.blocked.is_empty() {
            summary.push(Field::new("blocked sends", self.blocked.len()));
        }
        summary.push(Field::new("to", &self.send_to));
        let holds = self.oldest(engine, node);
        let held = (self.app.unanswered() as usize).max(holds.len());
        Shown { role: role.to_owned(), summary, holds, held, has_disk: false }
    }

    /// Requests under way to all brokers.
    fn in_flight(&self) -> usize {
        self.requests.iter().map(std::collections::VecDeque::len).sum()
    }

    /// Records in batches that no request carries.
    fn waiting_records(&self) -> usize {
        self.queues.iter().flat_map(|queue| &queue.batches).map(|batch| batch.messages.len()).sum()
    }

    fn retries(&self) -> usize {
        self.queues.iter().flat_map(|queue| &queue.batches).filter(|batch| batch.tries > 0).count()
    }

    /// The oldest messages that the application waits for, wherever they are: each part of the client holds its own in
    /// order.
    fn oldest(&self, engine: &World, node: NodeId) -> Vec<MessageId> {
        let messages = |batch: &Batch| batch.messages.clone();
        let mut found: Vec<MessageId> = Vec::new();
        for requests in &self.requests {
            let batches = requests.iter().flat_map(|request| &request.batches).map(|(_, batch)| batch);
            found.extend(batches.flat_map(messages).take(HOLDS_MAX));
        }
        for queue in &self.queues {
            found.extend(queue.batches.iter().flat_map(messages).take(HOLDS_MAX));
        }
        found.extend(self.blocked.iter().map(|&(message, _)| message).take(HOLDS_MAX));
        if self.again > 0 || self.app.is_writing() {
            found.extend(engine.timers(node).filter_map(|timer| match timer {
                Timer::Again { message, .. } | Timer::Written(message) => Some(*message),
                _ => None,
            }));
        }
        found.sort_unstable();
        found.dedup();
        found.truncate(HOLDS_MAX);
        found
    }

    /// All there is to know.
    pub(in super::super::super) fn sections(&self, engine: &World) -> Vec<Section> {
        let now = engine.now();
        let mut sections = vec![self.client(now)];
        self.queue_sections(engine, &mut sections);
        for (broker, requests) in
            self.requests.iter().enumerate().filter(|(_, requests)| !requests.is_empty())
        {
            let fields = requests.iter().take(SECTIONS_MAX).map(|request| {
                let records: usize = request.batches.iter().map(|(_, batch)| batch.messages.len()).sum();
                let waits = now.since(request.sent);
                Field::new(format!("request {}", request.id), format!("{records} records, waits {waits}"))
            });
            let title = format!("in flight to {}", broker_name(broker as u16));
            sections.push(Section { title, fields: fields.collect() });
        }
        sections.push(self.links.section(now));
        sections.push(producer_config(&self.config));
        sections
    }

    fn client(&self, now: Time) -> Section {
        let mut fields = vec![
            Field::new("to", &self.send_to),
            Field::new("unanswered", self.app.unanswered()),
            Field::new("buffered records", self.buffered_records),
            Field::new("buffered bytes", self.buffered_bytes),
            Field::new("requests in flight", self.in_flight()),
            Field::new("batches to retry", self.retries()),
            Field::new("app sends again", self.again),
        ];
        if let Some((_, since)) = self.blocked.front() {
            fields.push(Field::new("blocked sends", self.blocked.len()));
            fields.push(Field::new("blocked for", now.since(*since)));
        }
        if let Some(rows) = self.app.outbox() {
            fields.push(Field::new("outbox rows", rows));
        }
        match self.app.due() {
            Some(at) if !self.is_closing => fields.push(Field::new("next message", until(now, at))),
            _ => {}
        }
        Section { title: "producer".to_owned(), fields }
    }

    fn queue_sections(&self, engine: &World, sections: &mut Vec<Section>) {
        let now = engine.now();
        let topology = &engine.model.shared.topology;
        let used =
            || (0..).zip(&self.queues).filter(|(_, queue)| queue.in_flight > 0 || !queue.batches.is_empty());
        for (number, queue) in used().take(SECTIONS_MAX) {
            let partition = self.first + number;
            let leader = self.links.leader(partition).map_or_else(|| "unknown".to_owned(), broker_name);
            let mut fields =
                vec![Field::new("leader", leader), Field::new("batches in flight", queue.in_flight)];
            for (at, batch) in queue.batches.iter().take(SECTIONS_MAX).enumerate() {
                let mut value = format!("{} records, {}", batch.messages.len(), ago(now, batch.created));
                if batch.tries > 0 {
                    let again = until(now, batch.not_before);
                    value = format!("{value}, try {} {again}", batch.tries + 1);
                }
                fields.push(Field::new(format!("batch {}", at + 1), value));
            }
            sections.push(Section { title: topology.partition_name(partition), fields });
        }
        and_more(sections, used().count(), "partitions");
    }
}
