//! Observations as sentences about the node that they were made on. What only a family can say it says itself; the rest
//! is in the catalogue.

use std::fmt::Display;

use super::action::Landmark;
use super::look::Look;
use super::scene::Scene;
use crate::broker::Names;
use crate::fact::{Down, Fact, GivenUp, NONE, Observation, Rule, SubscriptionId};

/// What an observation says; none: nothing worth telling.
pub fn sentence(scene: &Scene<'_>, seen: &Observation) -> Option<String> {
    let with = |key: &str, values: &[(&str, &dyn Display)]| Some(scene.look.with(key, values));
    let Some(id) = seen.fact.message() else { return of_cluster(scene, seen) };
    let message = scene.message(id);
    let message: (&str, &dyn Display) = ("message", &message);
    let to = |id: SubscriptionId| scene.ledger().layout().subscription_name(id).to_owned();
    match seen.fact {
        Fact::Due { key: Some(key), .. } => with("sentence.due_with_key", &[message, ("key", &key)]),
        Fact::Due { .. } => with("sentence.due", &[message]),
        Fact::Sent { attempt: 0 | 1, .. } => with("sentence.sent", &[message]),
        Fact::Sent { attempt, .. } => with("sentence.sent_again", &[message, ("attempt", &attempt)]),
        Fact::Confirmed { .. } => with("sentence.confirmed", &[message]),
        Fact::Failed { error, .. } => {
            with("sentence.failed", &[message, ("error", &scene.family.error_name(error))])
        }
        Fact::Returned { .. } => with("sentence.returned", &[message]),
        Fact::Unanswered { .. } => with("sentence.unanswered", &[message]),
        Fact::Written { .. } => with("sentence.written", &[message]),
        Fact::Stored { place, offset, .. } => {
            with("sentence.stored", &[message, ("place", &scene.place(place)), ("offset", &offset)])
        }
        Fact::Removed { place, offset, rule, .. } => {
            with(removed(rule), &[message, ("place", &scene.place(place)), ("offset", &offset)])
        }
        Fact::Delivered { subscription, .. } => {
            with("sentence.delivered", &[message, ("subscription", &to(subscription))])
        }
        Fact::Effect { subscription, stale, .. } => {
            let key = match (stale, is_again(scene, seen)) {
                (true, _) => "sentence.stale",
                (false, true) => "sentence.effect_again",
                (false, false) => "sentence.effect",
            };
            with(key, &[message, ("subscription", &to(subscription))])
        }
        Fact::Recognised { subscription, .. } => {
            with("sentence.recognised", &[message, ("subscription", &to(subscription))])
        }
        Fact::GivenUp { subscription, how, .. } => {
            let key = given_up(how, subscription);
            with(key, &[message, ("subscription", &to(subscription))])
        }
        Fact::Acknowledged { subscription, .. } => {
            with("sentence.acknowledged", &[message, ("subscription", &to(subscription))])
        }
        _ => None,
    }
}

/// `1 message`, `18 messages`.
pub fn messages(look: &Look, count: u64) -> String {
    let key = if count == 1 { "sentence.one_message" } else { "sentence.messages" };
    look.with(key, &[("count", &count)])
}

fn of_cluster(scene: &Scene<'_>, seen: &Observation) -> Option<String> {
    let with = |key: &str, values: &[(&str, &dyn Display)]| Some(scene.look.with(key, values));
    match seen.fact {
        Fact::LeaderElected { place, leader: Some(leader), epoch, is_clean } => {
            let key = match (leader == seen.node, is_clean) {
                (true, true) => "sentence.leads",
                (true, false) => "sentence.leads_unclean",
                (false, true) => "sentence.leader",
                (false, false) => "sentence.leader_unclean",
            };
            let (place, leader) = (scene.place(place), scene.node(leader));
            let reign = if epoch == 0 {
                String::new()
            } else {
                let word = scene.family.reign_word();
                scene.look.with("sentence.reign", &[("word", &word), ("number", &epoch)])
            };
            with(key, &[("place", &place), ("leader", &leader), ("reign", &reign)])
        }
        Fact::LeaderElected { place, leader: None, .. } => {
            with("sentence.no_leader", &[("place", &scene.place(place))])
        }
        Fact::DetectedDown { by: None } => with("sentence.detected", &[]),
        Fact::DetectedDown { by: Some(by) } => with("sentence.detected_by", &[("node", &scene.node(by))]),
        Fact::Fault { fault } => {
            let fault = scene.plan.faults.get(usize::from(fault))?;
            with("sentence.fault", &[("what", &fault.verb.happened()), ("fault", &fault.name)])
        }
        Fact::FaultEnded { fault } => {
            let fault = scene.plan.faults.get(usize::from(fault))?;
            with("sentence.fault_ended", &[("fault", &fault.name)])
        }
        Fact::NodeDown { how } => with(down(how), &[]),
        Fact::NodeUp => with("sentence.started", &[]),
        Fact::Subscribed { subscription } => {
            let name = scene.ledger().layout().subscription_name(subscription);
            with("sentence.subscribed", &[("subscription", &name)])
        }
        Fact::Family(told) => scene.family.tell(&told, scene),
        _ => None,
    }
}

/// Whether an effect is marked as one that repeats another.
fn is_again(scene: &Scene<'_>, seen: &Observation) -> bool {
    let from = scene.marks.partition_point(|mark| mark.at < seen.at);
    let same = scene.marks[from..].iter().take_while(|mark| mark.at == seen.at);
    let mut again = same.filter(|mark| mark.landmark == Landmark::Duplicate);
    again.any(|mark| mark.message == seen.fact.message())
}

fn given_up(how: GivenUp, subscription: SubscriptionId) -> &'static str {
    match (how, subscription == NONE) {
        (GivenUp::Discarded, false) => "sentence.discarded",
        (GivenUp::DeadLettered, false) => "sentence.set_aside",
        (GivenUp::Expired, false) => "sentence.expired",
        (GivenUp::Overflowed, false) => "sentence.overflowed",
        (GivenUp::Discarded, true) => "sentence.discarded_for_nobody",
        (GivenUp::DeadLettered, true) => "sentence.set_aside_for_nobody",
        (GivenUp::Expired, true) => "sentence.expired_for_nobody",
        (GivenUp::Overflowed, true) => "sentence.overflowed_for_nobody",
        (GivenUp::Unroutable, _) => "sentence.unroutable",
    }
}

fn removed(rule: Rule) -> &'static str {
    match rule {
        Rule::Truncated => "sentence.truncated",
        Rule::PowerLost => "sentence.power_took",
        Rule::DiskLost => "sentence.disk_took",
        Rule::Torn => "sentence.torn",
        Rule::Unwritten => "sentence.unwritten",
        Rule::Transient => "sentence.transient",
        Rule::Replaced => "sentence.replaced",
        Rule::Retention => "sentence.retention",
        Rule::Deleted => "sentence.deleted",
        Rule::Crashed => "sentence.crashed",
    }
}

fn down(how: Down) -> &'static str {
    match how {
        Down::Killed => "sentence.killed",
        Down::PowerLost => "sentence.power_lost",
        Down::Stopped => "sentence.stopped",
        Down::Overrun => "sentence.overrun",
        Down::GaveUp => "sentence.gave_up",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::view::kit::Stage;

    #[test]
    fn what_happened_is_told_in_sentences_without_gaps() {
        let stage = Stage::built_in("kafka/retries-reorder").at_end();
        let scene = stage.scene();
        let mut kinds = std::collections::BTreeMap::new();
        for (_, seen) in stage.log.iter().step_by(stage.log.len() / 20_000 + 1) {
            let Some(text) = sentence(&scene, seen) else { continue };
            assert!(!text.contains(['{', '}']) && !text.starts_with("sentence."), "{text}");
            let fact = format!("{:?}", seen.fact);
            let kind = fact.split([' ', '(']).next().unwrap_or_default().to_owned();
            kinds.entry(kind).or_insert(text);
        }
        let lines: Vec<_> = kinds.into_iter().map(|(kind, text)| format!("{kind}: {text}")).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
