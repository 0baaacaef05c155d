//! RabbitMQ's settings.

use crate::broker::{Scope, Setting, Status};
use crate::scenario::plan::{Config, Value, Version};

/// Every setting.
pub(super) fn all() -> &'static [Setting] {
    &[]
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
