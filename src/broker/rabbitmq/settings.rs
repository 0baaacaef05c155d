//! `RabbitMQ`'s settings: nodes, arguments of queues and exchanges, policies, publishers, consumers and messages.
//!
//! Names, units and defaults by release are the vendor's: <https://www.rabbitmq.com/docs/configure>, and the pages of
//! each feature. Client libraries have releases of their own; what is the same in all of them is declared once.
//!
//! Invariant: a setting marked modelled changes behaviour; every other one is refused by name.

use std::sync::LazyLock;

use crate::broker::{Scope, Setting, Status};
use crate::scenario::plan::{Config, Value, Version};

mod client;
mod cluster;
mod entity;

/// A setting that is known and not modelled: whose, its name, what it does.
type Absent = (Scope, &'static str, &'static str);

/// Every setting, those of a scope together.
pub(super) fn all() -> &'static [Setting] {
    static ALL: LazyLock<Vec<Setting>> = LazyLock::new(|| {
        let absent = [cluster::ABSENT, entity::ABSENT, client::ABSENT];
        let absent = absent.into_iter().flatten().map(|(scope, name, meaning)| {
            Setting::new(*scope, name, crate::broker::Kind::Text, meaning).not_modelled()
        });
        let tables = [cluster::SETTINGS, entity::SETTINGS, client::SETTINGS];
        let mut all: Vec<Setting> = tables.into_iter().flatten().copied().chain(absent).collect();
        let mut scopes: Vec<Scope> = Vec::new();
        for setting in &all {
            if !scopes.contains(&setting.scope) {
                scopes.push(setting.scope);
            }
        }
        all.sort_by_key(|setting| scopes.iter().position(|scope| *scope == setting.scope));
        all
    });
    &ALL
}

/// What is written, else the default of that release; none: no such setting there, or no default.
pub(super) fn effective(scope: Scope, version: Version, written: &Config, name: &str) -> Option<Value> {
    if let Some(value) = written.get(name) {
        return Some(value.clone());
    }
    let covers = |declared: Scope| match (declared, scope) {
        (Scope::Producer(None), Scope::Producer(_)) | (Scope::Consumer(None), Scope::Consumer(_)) => true,
        _ => declared == scope,
    };
    let setting = all().iter().find(|setting| {
        covers(setting.scope) && setting.name == name && setting.status == Status::Modelled
    })?;
    let exists = setting.since <= version && setting.until.is_none_or(|until| version < until);
    if exists { setting.default_at(version) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Kind;

    fn default(scope: Scope, version: Version, name: &str) -> String {
        effective(scope, version, &Config::new(), name).map_or("-".to_owned(), |value| value.shown())
    }

    /// Setting by setting: the default in each of these releases.
    #[test]
    fn defaults_follow_the_release() {
        let queue = Scope::Entity("queue");
        let table = [
            ("vm_memory_high_watermark.relative", Scope::Cluster, ["0.4", "0.4", "0.4", "0.6"]),
            ("max_message_size", Scope::Cluster, ["-", "134217728", "134217728", "16777216"]),
            ("consumer_timeout", Scope::Cluster, ["-", "-", "1800000", "1800000"]),
            ("x-delivery-limit", queue, ["-", "-1", "-1", "20"]),
            ("delivery_mode", Scope::Producer(Some("java")), ["1", "1", "1", "1"]),
            ("prefetch", Scope::Consumer(Some("spring")), ["250", "250", "250", "250"]),
        ];
        let versions = [Version(3, 6, 0), Version(3, 8, 0), Version(3, 10, 8), Version(4, 0, 0)];
        for (name, scope, expected) in table {
            for (version, expected) in versions.into_iter().zip(expected) {
                assert_eq!(default(scope, version, name), expected, "{name} in {version}");
            }
        }
    }

    #[test]
    fn tables_are_sound() {
        for (i, setting) in all().iter().enumerate() {
            assert!(setting.meaning.ends_with('.'), "{}", setting.name);
            assert!(setting.defaults.is_sorted_by_key(|(version, _)| *version), "{}", setting.name);
            for (version, text) in setting.defaults {
                let value = setting.default_at((*version).max(setting.since));
                let fits = match (setting.kind, value) {
                    (Kind::Int(min, max) | Kind::Digits(min, max), Some(Value::Int(number))) => {
                        (min..=max).contains(&number)
                    }
                    (Kind::OneOf(words), Some(Value::Text(word))) => words.contains(&word.as_str()),
                    (Kind::Bool, Some(Value::Bool(_)))
                    | (Kind::Bytes, Some(Value::Int(0..)))
                    | (Kind::Part | Kind::Text, Some(Value::Text(_))) => true,
                    _ => false,
                };
                assert!(fits, "{} = {text}", setting.name);
            }
            let twin = all()[..i].iter().find(|other| {
                let is_wider = |one: Scope, two: Scope| match (one, two) {
                    (Scope::Producer(None), Scope::Producer(_))
                    | (Scope::Consumer(None), Scope::Consumer(_)) => true,
                    (one, two) => one == two,
                };
                let meet = is_wider(other.scope, setting.scope) || is_wider(setting.scope, other.scope);
                meet && other.name == setting.name
            });
            assert!(twin.is_none(), "{} is declared twice", setting.name);
        }
    }
}
