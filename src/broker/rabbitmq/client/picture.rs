//! What clients have in common as pictures: connections and settings, in words.

use super::super::config::{Client, ConnectionConfig, name_of};
use super::connection::{Connection, State};
use crate::broker::picture::{Field, Section};
use crate::sim::{Span, Time};

impl Connection {
    /// How it stands, in a few words.
    pub(super) fn told(&self) -> &'static str {
        match self.state() {
            State::Idle => "not connected",
            State::Waiting => "waits to reconnect",
            State::Connecting => "connecting",
            State::Opening => "opening",
            State::Open if self.is_blocked() => "blocked",
            State::Open => "connected",
            State::Gone if self.refusal().is_some() => "channel closed",
            State::Gone => "connection closed",
        }
    }

    /// All there is to know.
    pub(super) fn section(&self, now: Time) -> Section {
        let mut fields = vec![Field::new("state", self.told()), Field::new("channel", self.channel())];
        if self.until() != Time::NEVER {
            fields.push(Field::new("until", format!("in {}", self.until().since(now))));
        }
        if self.is_open() {
            fields.push(Field::new("node", format!("broker-{}", self.node() + 1)));
            fields.push(Field::new("heartbeat", seconds(self.heartbeat())));
            fields.push(Field::new("blocked", self.is_blocked()));
        }
        if let Some(error) = self.error() {
            fields.push(Field::new("last error", error.name()));
        }
        Section { title: "connection".to_owned(), fields }
    }
}

/// The settings of a connection, by the names that scenarios have.
pub(super) fn connection_config(client: Client, config: ConnectionConfig) -> Vec<Field> {
    let mut fields = vec![
        Field::new("client", name_of(client)),
        Field::new("heartbeat", seconds(config.heartbeat)),
        Field::new("automatic_recovery", config.recovery.is_some()),
    ];
    if let Some(interval) = config.recovery {
        fields.push(Field::new("network_recovery_interval", interval));
    }
    fields
}

fn seconds(span: Span) -> String {
    if span == Span::ZERO { "none".to_owned() } else { span.to_string() }
}
