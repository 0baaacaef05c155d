//! A publisher, as a box and with all its state.

use super::super::super::model::{RabbitModel, Timer};
use super::super::picture::connection_config;
use super::Publisher;
use crate::broker::host::Shown;
use crate::broker::picture::{Field, HOLDS_MAX, Section};
use crate::fact::{MessageId, NodeId};
use crate::sim::Engine;

impl Publisher {
    /// As much as fits into a box.
    pub(in super::super::super) fn shown(&self, engine: &Engine<RabbitModel>, node: NodeId) -> Shown {
        let is_full = self.is_ready() && !self.blocked.is_empty();
        let role = if self.is_closing {
            "closing"
        } else if is_full && !self.link.is_blocked() {
            "publish blocks"
        } else {
            self.link.told()
        };
        let mut summary = Vec::new();
        if let Some(calls) = &self.calls {
            summary.push(Field::new("waits for replies", calls.count()));
        } else if self.config.transaction.is_some() {
            summary.push(Field::new("in transaction", self.batch.len()));
        } else if self.config.confirms {
            summary.push(Field::new("unconfirmed", self.open));
            summary.push(Field::new("window", self.window()));
        } else {
            summary.push(Field::new("confirms", "off"));
        }
        if !self.blocked.is_empty() {
            summary.push(Field::new("waits to publish", self.blocked.len()));
        }
        if self.again > 0 {
            summary.push(Field::new("app sends again", self.again));
        }
        if self.config.mandatory {
            summary.push(Field::new("mandatory", true));
        }
        let holds = self.oldest(engine, node);
        let held = (self.app.unanswered() as usize).max(holds.len());
        Shown { role: role.to_owned(), summary, holds, held, has_disk: false }
    }

    fn window(&self) -> String {
        if self.config.window == 0 { "unlimited".to_owned() } else { self.config.window.to_string() }
    }

    /// The oldest messages that the application waits for, wherever they are.
    fn oldest(&self, engine: &Engine<RabbitModel>, node: NodeId) -> Vec<MessageId> {
        let open = self.unconfirmed.iter().filter(|one| one.is_open).map(|one| one.message);
        let mut found: Vec<MessageId> = open.take(HOLDS_MAX).collect();
        found.extend(self.calls.iter().flat_map(|calls| calls.waiting()).take(HOLDS_MAX));
        found.extend(self.batch.iter().take(HOLDS_MAX));
        found.extend(self.blocked.iter().take(HOLDS_MAX));
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
    pub(in super::super::super) fn sections(&self, engine: &Engine<RabbitModel>) -> Vec<Section> {
        let now = engine.now();
        let mut fields = vec![
            Field::new("unanswered", self.app.unanswered()),
            Field::new("unconfirmed", self.open),
            Field::new("waits to publish", self.blocked.len()),
            Field::new("app sends again", self.again),
        ];
        if self.config.confirms {
            let next = self.first + self.unconfirmed.len() as u64;
            fields.push(Field::new("next publish", next));
            if let Some(oldest) = self.unconfirmed.iter().find(|one| one.is_open) {
                fields.push(Field::new("oldest unconfirmed", format!("{} ago", now.since(oldest.since))));
            }
        }
        if self.config.transaction.is_some() {
            fields.push(Field::new("in transaction", self.batch.len()));
            fields.push(Field::new("committing", self.is_committing));
        }
        if let Some(calls) = &self.calls {
            fields.push(Field::new("waits for replies", calls.count()));
        }
        if let Some(rows) = self.app.outbox() {
            fields.push(Field::new("outbox", rows));
        }
        let mut config = connection_config(self.config.client, self.config.connection);
        config.extend([
            Field::new("confirm", self.config.confirms),
            Field::new("window", self.window()),
            Field::new("mandatory", self.config.mandatory),
        ]);
        if let Some(size) = self.config.transaction {
            config.push(Field::new("tx_batch", size));
        }
        if let Some(timeout) = self.config.confirm_timeout {
            config.push(Field::new("confirm_timeout", timeout));
        }
        vec![
            Section { title: "publisher".to_owned(), fields },
            self.link.section(now),
            Section { title: "config".to_owned(), fields: config },
        ]
    }
}
