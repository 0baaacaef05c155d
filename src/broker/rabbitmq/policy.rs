//! Policies: settings for all exchanges and queues whose names match a pattern.
//!
//! One policy applies to a queue: of those that match, the one of the highest priority. Arguments that a queue was
//! declared with come first, but for limits and times, of which the smaller one holds.
//!
//! Source: <https://www.rabbitmq.com/docs/policies>, `rabbit_policy`, `rabbit_queue_type_util:args_policy_lookup`.
//! Not modelled: operator policies.

use regex_lite::Regex;

use super::topology::{QueueKind, VhostId};
use crate::scenario::plan::{Config, EntityPlan, Value};

/// A policy.
#[derive(Clone, Debug)]
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) vhost: VhostId,
    pub(super) applies_to: AppliesTo,
    pub(super) priority: i64,
    pub(super) definition: Config,
    /// None: the pattern is wrong, and matches nothing.
    pattern: Option<Regex>,
}

/// `apply-to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AppliesTo {
    All,
    Exchanges,
    Queues,
    ClassicQueues,
    QuorumQueues,
    Streams,
}

impl Policy {
    pub(super) fn new(entity: &EntityPlan, vhost: VhostId) -> Self {
        let text = |name: &str| entity.fields.get(name).map(Value::shown).unwrap_or_default();
        Self {
            name: entity.name.clone(),
            vhost,
            applies_to: match text("apply-to").as_str() {
                "exchanges" => AppliesTo::Exchanges,
                "queues" => AppliesTo::Queues,
                "classic_queues" => AppliesTo::ClassicQueues,
                "quorum_queues" => AppliesTo::QuorumQueues,
                "streams" => AppliesTo::Streams,
                _ => AppliesTo::All,
            },
            priority: text("priority").parse().unwrap_or(0),
            definition: entity.config.clone(),
            pattern: pattern(&text("pattern")).ok(),
        }
    }

    fn matches(&self, vhost: VhostId, name: &str) -> bool {
        self.vhost == vhost && self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(name))
    }
}

/// A pattern, or what is wrong with it.
pub(super) fn pattern(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| error.to_string())
}

/// The policy that applies to a queue.
pub(super) fn of_queue<'p>(
    policies: &'p [Policy],
    vhost: VhostId,
    name: &str,
    kind: QueueKind,
) -> Option<&'p Policy> {
    let own = match kind {
        QueueKind::Classic { .. } => AppliesTo::ClassicQueues,
        QueueKind::Quorum => AppliesTo::QuorumQueues,
        QueueKind::Stream => AppliesTo::Streams,
    };
    let applies = |to: AppliesTo| to == AppliesTo::All || to == AppliesTo::Queues || to == own;
    best(policies, |policy| applies(policy.applies_to) && policy.matches(vhost, name))
}

/// The policy that applies to an exchange.
pub(super) fn of_exchange<'p>(policies: &'p [Policy], vhost: VhostId, name: &str) -> Option<&'p Policy> {
    let applies = |to: AppliesTo| matches!(to, AppliesTo::All | AppliesTo::Exchanges);
    best(policies, |policy| applies(policy.applies_to) && policy.matches(vhost, name))
}

/// The first of the highest priority.
fn best(policies: &[Policy], is_it: impl Fn(&Policy) -> bool) -> Option<&Policy> {
    let better =
        |best: Option<&'_ Policy>, one: &Policy| best.is_none_or(|best| one.priority > best.priority);
    let mut found = None;
    for policy in policies.iter().filter(|policy| is_it(policy)) {
        if better(found, policy) {
            found = Some(policy);
        }
    }
    found
}
