//! A consumer, as a box and with all its state.

use super::super::super::model::RabbitModel;
use super::super::picture::connection_config;
use super::Consumer;
use crate::broker::host::Shown;
use crate::broker::picture::{Field, HOLDS_MAX, Section};
use crate::fact::NodeId;
use crate::sim::Engine;

impl Consumer {
    /// Deliveries that the broker waits to hear about, as far as this client knows.
    pub(in super::super::super) fn unacked(&self) -> usize {
        if self.config.no_ack || !self.link.is_open() {
            return 0;
        }
        let current = |one: &&super::Delivered| one.channel == self.link.channel();
        let in_hand = self.handed.iter().chain(&self.buffer).filter(current).count();
        let held = self.by_hand.as_ref().map_or(0, |by_hand| by_hand.held().len());
        in_hand + held + self.batch.waiting() as usize
    }

    /// As much as fits into a box.
    pub(in super::super::super) fn shown(&self, engine: &Engine<RabbitModel>, _node: NodeId) -> Shown {
        let is_cancelled = !self.queues.is_empty() && self.queues.iter().all(|queue| queue.is_cancelled);
        let role = if is_cancelled { "cancelled" } else { self.link.told() };
        let mut summary = vec![
            Field::new("processing", self.handed.len()),
            Field::new("buffered", self.buffer.len()),
            Field::new("unacked", self.unacked()),
            Field::new("prefetch", self.prefetch()),
        ];
        if self.config.no_ack {
            summary.push(Field::new("ack", "automatic"));
        }
        let topology = &engine.model.shared.topology;
        for queue in self.queues.iter().take(3) {
            let state = if queue.is_cancelled { "cancelled" } else { "consumes" };
            summary.push(Field::new(&topology.queue(queue.id).name, state));
        }
        let holds = self.held().take(HOLDS_MAX).collect();
        let held = self.handed.len() + self.buffer.len();
        Shown { role: role.to_owned(), summary, holds, held, has_disk: false }
    }

    fn prefetch(&self) -> String {
        if self.config.prefetch == 0 { "unlimited".to_owned() } else { self.config.prefetch.to_string() }
    }

    /// All there is to know.
    pub(in super::super::super) fn sections(&self, engine: &Engine<RabbitModel>) -> Vec<Section> {
        let (busy, threads) = self.worker.threads();
        let topology = &engine.model.shared.topology;
        let mut fields = vec![
            Field::new("busy threads", format!("{busy}/{threads}")),
            Field::new("handed over, waiting", self.worker.queued()),
            Field::new("buffered", self.buffer.len()),
            Field::new("unacked", self.unacked()),
        ];
        if self.config.ack_every > 1 {
            fields.push(Field::new("finished, not acknowledged", self.batch.waiting()));
        }
        if let Some(by_hand) = &self.by_hand {
            fields.push(Field::new("held by hand", by_hand.held().len()));
        }
        if let Some(line) = &self.service {
            fields.push(Field::new("open calls", line.open()));
        }
        if self.sends_on.is_some() {
            fields.push(Field::new("sent on, not confirmed", self.sent_on.iter().flatten().count()));
        }
        let queues = self.queues.iter().map(|queue| {
            let state = if queue.is_cancelled { "cancelled by the broker" } else { "consumes" };
            Field::new(&topology.queue(queue.id).name, state)
        });
        let queues = queues.collect();
        let mut config = connection_config(self.config.client, self.config.connection);
        config.extend([
            Field::new("prefetch", self.prefetch()),
            Field::new("global", self.config.is_prefetch_global),
            Field::new("no_ack", self.config.no_ack),
            Field::new("exclusive", self.config.exclusive),
            Field::new("x-priority", self.config.priority),
            Field::new("multiple", self.config.ack_every),
            Field::new("cancel_notify", self.config.hears_of_cancel),
        ]);
        vec![
            Section { title: "consumer".to_owned(), fields },
            Section { title: "queues".to_owned(), fields: queues },
            self.link.section(engine.now()),
            Section { title: "config".to_owned(), fields: config },
        ]
    }
}
