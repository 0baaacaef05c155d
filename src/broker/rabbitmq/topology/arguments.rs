//! Arguments and policies of queues, resolved; keys of bindings, taken apart.

use super::build::Interner;
use super::{
    DeadLetter, Ha, HaMode, Header, Headers, Overflow, QueueArgs, QueueKind, Storage, Topology, VhostId, Word,
};
use crate::broker::rabbitmq::describe;
use crate::broker::rabbitmq::rules::Rules;
use crate::scenario::plan::{Config, Value};
use crate::sim::Span;

/// Segments of a stream, if nobody says how large.
const SEGMENT_BYTES: u64 = 500_000_000;

/// What is written of a queue, in its arguments (`x-message-ttl`) and in its policy (`message-ttl`).
pub(super) struct Arguments<'a> {
    pub(super) written: &'a Config,
    pub(super) policy: &'a Config,
    pub(super) rules: Rules,
}

impl Arguments<'_> {
    fn argument(&self, name: &str) -> Option<&Value> {
        self.written.get(&format!("x-{name}"))
    }

    /// The argument, else the policy's.
    fn value(&self, name: &str) -> Option<&Value> {
        self.argument(name).or_else(|| self.policy.get(name))
    }

    fn text(&self, name: &str) -> Option<String> {
        self.value(name).map(Value::shown)
    }

    /// The argument, else the policy's, as a number.
    fn number(&self, name: &str) -> Option<u64> {
        number(self.value(name)?)
    }

    /// The smaller one of argument and policy.
    fn smaller(&self, name: &str) -> Option<u64> {
        let both = [self.argument(name), self.policy.get(name)];
        both.into_iter().flatten().filter_map(number).min()
    }

    fn smaller_ms(&self, name: &str) -> Option<Span> {
        self.smaller(name).map(Span::from_millis)
    }

    /// How a classic queue is stored, which a policy can say too.
    pub(super) fn kind(&self, kind: QueueKind, otherwise: Storage) -> QueueKind {
        let QueueKind::Classic { .. } = kind else { return kind };
        let storage = match self.text("queue-version").as_deref() {
            Some("1") => Storage::V1,
            Some("2") => Storage::V2,
            _ => otherwise,
        };
        let is_lazy = self.rules.has_lazy_mode && self.text("queue-mode").as_deref() == Some("lazy");
        QueueKind::Classic { storage, is_lazy }
    }

    /// How many nodes hold a quorum queue or a stream.
    pub(super) fn size(&self, kind: QueueKind, topology: &Topology) -> u64 {
        let written = |name: &str| self.argument(name).and_then(number);
        match kind {
            QueueKind::Stream => written("initial-cluster-size").unwrap_or(u64::from(topology.brokers)),
            _ => written("quorum-initial-group-size").unwrap_or(u64::from(topology.config.quorum_group_size)),
        }
    }

    pub(super) fn resolve(
        &self,
        topology: &Topology,
        vhost: VhostId,
        kind: QueueKind,
        keys: &mut Interner,
    ) -> QueueArgs {
        let is_classic = matches!(kind, QueueKind::Classic { .. });
        let is_stream = kind == QueueKind::Stream;
        let overflow = match self.text("overflow").as_deref() {
            Some("reject-publish") => Overflow::RejectPublish,
            Some("reject-publish-dlx") if is_classic => Overflow::RejectPublishDlx,
            _ => Overflow::DropHead,
        };
        let dead_letter = self.text("dead-letter-exchange").filter(|_| !is_stream).map(|name| DeadLetter {
            exchange: topology.declared(vhost, &name),
            key: self.text("dead-letter-routing-key").map(|key| keys.key(&key)),
            // Without `reject-publish` the strategy silently falls back.
            is_at_least_once: kind == QueueKind::Quorum
                && self.rules.has_quorum_ttl
                && overflow == Overflow::RejectPublish
                && self.text("dead-letter-strategy").as_deref() == Some("at-least-once"),
        });
        let has_ttl = is_classic || kind == QueueKind::Quorum && self.rules.has_quorum_ttl;
        QueueArgs {
            message_ttl: self.smaller_ms("message-ttl").filter(|_| has_ttl),
            expires: self.smaller_ms("expires").filter(|_| !is_stream),
            max_length: self.smaller("max-length").filter(|_| !is_stream).map(|count| count as u32),
            max_length_bytes: self.smaller("max-length-bytes"),
            overflow,
            dead_letter,
            max_priority: self
                .argument("max-priority")
                .and_then(number)
                .filter(|levels| is_classic && *levels > 0)
                .map(|levels| levels as u8),
            single_active_consumer: !is_stream
                && self.argument("single-active-consumer") == Some(&Value::Bool(true)),
            delivery_limit: self.delivery_limit(kind),
            max_in_memory: self
                .smaller("max-in-memory-length")
                .filter(|_| kind == QueueKind::Quorum)
                .map(|count| count as u32),
            consumer_timeout: self.consumer_timeout(topology, kind),
            consumer_disconnected_timeout: self
                .smaller_ms("consumer-disconnected-timeout")
                .unwrap_or(self.rules.consumer_disconnected_timeout),
            delayed_retry: self.delayed_retry(kind),
            ha: if is_classic && self.rules.has_mirrors { self.ha(topology) } else { None },
            max_age: self.text("max-age").as_deref().and_then(describe::age),
            segment_bytes: self.number("stream-max-segment-size-bytes").unwrap_or(SEGMENT_BYTES),
        }
    }

    /// The smaller one of argument and policy; a negative one means none, and beats others.
    fn delivery_limit(&self, kind: QueueKind) -> Option<u32> {
        if kind != QueueKind::Quorum {
            return None;
        }
        let both = [self.argument("delivery-limit"), self.policy.get("delivery-limit")];
        let written = both.into_iter().flatten().filter_map(|value| match value {
            Value::Int(number) => Some(*number),
            _ => None,
        });
        let written: Vec<i64> = written.collect();
        match written.iter().min() {
            None => self.rules.quorum_delivery_limit,
            Some(least) if *least < 0 => None,
            Some(least) => Some(*least as u32),
        }
    }

    fn consumer_timeout(&self, topology: &Topology, kind: QueueKind) -> Option<Span> {
        if self.rules.times_out_quorum_only && kind != QueueKind::Quorum {
            return None;
        }
        self.smaller_ms("consumer-timeout").or(topology.config.consumer_timeout)
    }

    fn delayed_retry(&self, kind: QueueKind) -> Option<(Span, Span)> {
        if kind != QueueKind::Quorum || !self.rules.has_delayed_retry {
            return None;
        }
        let least = self.smaller_ms("delayed-retry-min")?;
        Some((least, self.smaller_ms("delayed-retry-max").unwrap_or(Span::FOREVER)))
    }

    /// Mirrors come from policies alone.
    fn ha(&self, topology: &Topology) -> Option<Ha> {
        let policy = |name: &str| self.policy.get(name).map(Value::shown);
        let mode = match policy("ha-mode")?.as_str() {
            "exactly" => HaMode::Exactly(policy("ha-params")?.parse().ok()?),
            "nodes" => HaMode::Nodes(match self.policy.get("ha-params")? {
                Value::Texts(names) => {
                    names.iter().filter_map(|name| describe::broker_number(name)).collect()
                }
                _ => Vec::new(),
            }),
            _ => HaMode::All,
        };
        let batch = self.policy.get("ha-sync-batch-size").and_then(number);
        Some(Ha {
            mode,
            syncs_automatically: policy("ha-sync-mode").as_deref() == Some("automatic"),
            sync_batch: batch.map_or(topology.config.sync_batch, |batch| batch as u32),
            promotes_on_shutdown: policy("ha-promote-on-shutdown").as_deref() == Some("always"),
            promotes_on_failure: !self.rules.has_promote_on_failure
                || policy("ha-promote-on-failure").as_deref() != Some("when-synced"),
        })
    }
}

fn number(value: &Value) -> Option<u64> {
    match value {
        Value::Int(number) => u64::try_from(*number).ok(),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

/// The words of a topic binding's key.
pub(super) fn words(key: &str) -> Vec<Word> {
    let word = |text: &str| match text {
        "*" => Word::One,
        "#" => Word::Many,
        text => Word::Is(text.into()),
    };
    // An empty key has no words.
    if key.is_empty() { Vec::new() } else { key.split('.').map(word).collect() }
}

/// The headers of a table.
pub(super) fn headers(table: &Config) -> Headers {
    let header = |value: &Value| match value {
        Value::Bool(truth) => Header::Bool(*truth),
        Value::Int(number) => Header::Int(*number),
        value => Header::Text(value.shown()),
    };
    table.iter().map(|(name, value)| (name.clone(), header(value))).collect()
}
