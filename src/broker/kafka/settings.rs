//! Kafka's settings: brokers, topics, and the producers and consumers of the Java client and of librdkafka.
//!
//! Names, units and defaults by release are the vendor's: <https://kafka.apache.org/documentation/#configuration> and
//! librdkafka's `CONFIGURATION.md`. librdkafka has releases of its own; its defaults here are those of the librdkafka
//! that was current when the Kafka release named came out.
//!
//! Invariant: a setting marked modelled changes behaviour; every other one is refused by name.

use std::sync::LazyLock;

use crate::broker::{Scope, Setting, Status};
use crate::scenario::plan::{Config, EntityPlan, Plan, Value, Version};

mod broker;
mod consumer;
mod producer;
mod topic;

/// Every setting.
pub fn all() -> &'static [Setting] {
    static ALL: LazyLock<Vec<Setting>> = LazyLock::new(|| {
        let tables = [broker::SETTINGS, topic::SETTINGS, producer::SETTINGS, consumer::SETTINGS];
        let absent = [broker::ABSENT, topic::ABSENT, producer::ABSENT, consumer::ABSENT];
        let absent = absent.into_iter().flatten().map(|(scope, name, meaning)| {
            Setting::new(*scope, name, crate::broker::Kind::Text, meaning).not_modelled()
        });
        tables.into_iter().flatten().copied().chain(absent).collect()
    });
    &ALL
}

/// A setting that is known and not modelled: whose, its name, what it does.
type Absent = (Scope, &'static str, &'static str);

/// What is written, else the default of that release; none: no such setting there, or no default.
///
/// The scope of a client names its library: `Scope::Producer(Some("java"))`.
pub fn effective(scope: Scope, version: Version, written: &Config, name: &str) -> Option<Value> {
    if let Some(value) = written.get(name) {
        return Some(value.clone());
    }
    let setting = all().iter().find(|setting| {
        setting.scope == scope && setting.name == name && setting.status == Status::Modelled
    })?;
    let exists = setting.since <= version && setting.until.is_none_or(|until| version < until);
    if exists { setting.default_at(version) } else { None }
}

/// [`effective`] for a whole number.
pub fn number(scope: Scope, version: Version, written: &Config, name: &str) -> Option<i64> {
    match effective(scope, version, written, name)? {
        Value::Int(number) => Some(number),
        _ => None,
    }
}

/// A topic's setting: written at the topic, else at the cluster under the broker's name, else the broker's default.
pub fn of_topic(plan: &Plan, topic: &EntityPlan, name: &str) -> Option<Value> {
    if let Some(value) = topic.config.get(name) {
        return Some(value.clone());
    }
    let broker_name = match name {
        "replication.factor" => "default.replication.factor",
        "flush.messages" => "log.flush.interval.messages",
        name => name,
    };
    effective(Scope::Cluster, plan.version, &plan.cluster.config, broker_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JAVA: Scope = Scope::Producer(Some("java"));
    const RDKAFKA: Scope = Scope::Producer(Some("librdkafka"));
    const READER: Scope = Scope::Consumer(Some("java"));

    fn default(scope: Scope, version: Version, name: &str) -> String {
        match effective(scope, version, &Config::new(), name) {
            None => "-".to_owned(),
            Some(value) => value.shown(),
        }
    }

    /// Setting by setting: the default in each of these releases.
    #[test]
    fn defaults_follow_the_release() {
        let table = [
            ("acks", JAVA, ["1", "1", "1", "all", "all"]),
            ("enable.idempotence", JAVA, ["-", "false", "false", "true", "true"]),
            ("retries", JAVA, ["0", "0", "2147483647", "2147483647", "2147483647"]),
            ("delivery.timeout.ms", JAVA, ["-", "-", "120000", "120000", "120000"]),
            ("linger.ms", JAVA, ["0", "0", "0", "0", "5"]),
            ("retry.backoff.max.ms", JAVA, ["-", "-", "-", "-", "1000"]),
            ("acks", RDKAFKA, ["1", "1", "1", "-1", "-1"]),
            ("session.timeout.ms", READER, ["30000", "10000", "10000", "45000", "45000"]),
            ("replica.lag.time.max.ms", Scope::Cluster, ["10000", "10000", "10000", "30000", "30000"]),
            ("zookeeper.session.timeout.ms", Scope::Cluster, ["6000", "6000", "6000", "18000", "-"]),
            ("unclean.leader.election.enable", Scope::Cluster, ["true", "false", "false", "false", "false"]),
        ];
        let versions =
            [Version(0, 10, 0), Version(2, 0, 0), Version(2, 1, 0), Version(3, 0, 1), Version(4, 0, 0)];
        for (name, scope, expected) in table {
            for (version, expected) in versions.into_iter().zip(expected) {
                assert_eq!(default(scope, version, name), expected, "{name} in {version}");
            }
        }
    }

    /// 3.0.0 and 3.1.0 forgot to apply the new default (KAFKA-13598).
    #[test]
    fn idempotence_was_forgotten_in_two_releases() {
        let idempotence = |version| default(JAVA, version, "enable.idempotence");
        assert_eq!(idempotence(Version(3, 0, 0)), "false");
        assert_eq!(idempotence(Version(3, 0, 1)), "true");
        assert_eq!(idempotence(Version(3, 1, 0)), "false");
        assert_eq!(idempotence(Version(3, 1, 1)), "true");
    }

    #[test]
    fn tables_are_sound() {
        for (i, setting) in all().iter().enumerate() {
            assert!(setting.meaning.ends_with('.'), "{}", setting.name);
            assert!(setting.defaults.is_sorted_by_key(|(version, _)| *version), "{}", setting.name);
            for (version, text) in setting.defaults {
                let value = setting.default_at((*version).max(setting.since));
                let fits = match (setting.kind, value) {
                    (crate::broker::Kind::Int(min, max), Some(Value::Int(number))) => {
                        (min..=max).contains(&number)
                    }
                    (crate::broker::Kind::OneOf(words), Some(Value::Text(word))) => {
                        words.contains(&word.as_str())
                    }
                    (crate::broker::Kind::Bool, Some(Value::Bool(_)))
                    | (crate::broker::Kind::Text, Some(Value::Text(_))) => true,
                    _ => false,
                };
                assert!(fits, "{} = {text}", setting.name);
            }
            let names = || setting.aliases.iter().copied().chain([setting.name]);
            let twin = all()[..i].iter().find(|other| {
                other.scope == setting.scope
                    && names().any(|name| other.name == name || other.aliases.contains(&name))
            });
            assert!(twin.is_none(), "{} is declared twice", setting.name);
        }
    }
}
