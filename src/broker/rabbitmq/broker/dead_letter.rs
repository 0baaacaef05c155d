//! What a queue does with a message that it gives up: it publishes it again to its dead-letter exchange, or drops it.
//!
//! At most once, which is all that classic queues know: the copy is published without confirms and the original is
//! removed at once, so a target that is down, full, or dies before it has written the copy loses it.
//!
//! A target in which the message died before is left out, unless a rejection was part of that cycle: cycles of
//! expiries end after one round, loops of rejections go on for ever.
//!
//! Source: `rabbit_dead_letter`.

use std::borrow::Cow;

use smallvec::SmallVec;

use super::{Env, publishing};
use crate::broker::rabbitmq::content::{EnvelopeId, Reason};
use crate::broker::rabbitmq::message::Publish;
use crate::broker::rabbitmq::story::{self, Kind};
use crate::broker::rabbitmq::topology::{
    ExchangeId, ExchangeKind, Header, Headers, KeyId, QueueId, Topology,
};
use crate::fact::{Fact, GivenUp, NONE, PlaceId, Rule};

/// A message that died: as it is published again, and to which queues.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) envelope: EnvelopeId,
    pub(super) targets: Vec<QueueId>,
}

/// Where a message goes that dies in this queue; none: nowhere, it is dropped.
pub(super) fn letter(
    queue: QueueId,
    envelope: EnvelopeId,
    reason: Reason,
    env: &mut Env<'_, '_>,
) -> Option<Letter> {
    let topology = std::sync::Arc::clone(&env.shared.topology);
    let wanted = topology.queue(queue).args.dead_letter?;
    let exchange = wanted.exchange?;
    let before = *env.shared.content.get(envelope);
    let key = wanted.key.unwrap_or(before.key);
    let stamp = topology.stamp(before.stamp);
    let mut keys: SmallVec<[KeyId; 4]> = SmallVec::from_elem(key, 1);
    if wanted.key.is_none() {
        keys.extend_from_slice(&stamp.carbon);
    }
    let meta = &env.core.meta;
    let headers = if topology.exchange(exchange).kind == ExchangeKind::Headers {
        let deaths = env.shared.content.first_and_last(envelope, queue, reason);
        Cow::Owned(with_deaths(&stamp.headers, deaths, &topology))
    } else {
        Cow::Borrowed(&stamp.headers)
    };
    let routed = topology.route(exchange, &keys, &headers, &|to| meta.has(to));
    let is_cycle = |target: &QueueId| env.shared.content.is_cycle(envelope, queue, *target, reason);
    let (cut, targets): (Vec<_>, Vec<_>) = routed.queues.into_iter().partition(is_cycle);
    if targets.is_empty() {
        observe_without_target(queue, envelope, cut.first().copied(), env);
        return None;
    }
    let at = env.ctx.now();
    let envelope = env.shared.content.die(envelope, queue, reason, (exchange, key), at);
    Some(Letter { envelope, targets })
}

/// The headers by which a dead letter is routed: those it came with, and those that say how it died, first and last.
pub(in super::super) fn with_deaths(
    headers: &Headers,
    deaths: [(Reason, QueueId, ExchangeId); 2],
    topology: &Topology,
) -> Headers {
    let names = ["first", "last"];
    let count = if topology.rules.notes_last_death { 2 } else { 1 };
    let mut all = headers.clone();
    for (which, (reason, queue, exchange)) in names.into_iter().zip(deaths).take(count) {
        let said = [
            ("reason", reason.name()),
            ("queue", topology.queue(queue).name.as_str()),
            ("exchange", topology.exchange(exchange).name.as_str()),
        ];
        for (what, value) in said {
            let name = format!("x-{which}-death-{what}");
            all.retain(|(known, _)| *known != name);
            all.push((name, Header::Text(value.to_owned())));
        }
    }
    all.sort_unstable();
    all
}

/// Publishes it again without waiting for anything, or gives it up.
pub(super) fn at_most_once(queue: QueueId, envelope: EnvelopeId, reason: Reason, env: &mut Env<'_, '_>) {
    let Some(letter) = letter(queue, envelope, reason, env) else {
        return observe_given_up(queue, envelope, reason, env);
    };
    observe_dead_lettered(queue, envelope, env);
    let publish = Publish { envelope: letter.envelope, seq: 0, is_confirmed: false };
    for target in letter.targets {
        publishing::without_tracking(target, publish, env);
    }
}

/// It is on its way to a dead-letter destination. A queue that nobody consumes is no loss to anybody: its messages
/// were always meant to go on.
pub(super) fn observe_dead_lettered(queue: QueueId, envelope: EnvelopeId, env: &mut Env<'_, '_>) {
    if let Some(subscription) = env.shared.topology.queue(queue).subscription {
        let message = env.shared.content.message(envelope);
        env.ctx.observe(Fact::GivenUp { message, subscription, how: GivenUp::DeadLettered });
    }
}

/// It is dropped, and nobody is told.
pub(super) fn observe_given_up(queue: QueueId, envelope: EnvelopeId, reason: Reason, env: &mut Env<'_, '_>) {
    let how = match reason {
        Reason::Expired => GivenUp::Expired,
        Reason::Maxlen => GivenUp::Overflowed,
        Reason::Rejected | Reason::DeliveryLimit => GivenUp::Discarded,
    };
    let message = env.shared.content.message(envelope);
    let spec = env.shared.topology.queue(queue);
    for &subscription in &spec.leads_to {
        env.ctx.observe(Fact::GivenUp { message, subscription, how });
    }
    if spec.leads_to.is_empty() {
        env.ctx.observe(Fact::GivenUp { message, subscription: NONE, how });
    }
}

/// It dies, and its dead letter goes nowhere: because of a cycle that is cut at this queue, or because none is there.
fn observe_without_target(queue: QueueId, envelope: EnvelopeId, cut: Option<QueueId>, env: &mut Env<'_, '_>) {
    if env.ctx.has_details() {
        let message = u64::from(env.shared.content.message(envelope).0);
        let kind = if cut.is_some() { Kind::CircleCut } else { Kind::LedNowhere };
        let target = cut.map_or(0, |target| u64::from(target.0));
        env.ctx.observe(story::fact(kind, u32::from(queue.0), [message, target]));
    }
}

/// A copy went with its queue, for whoever wants to know.
pub(super) fn observe_with_queue(queue: QueueId, envelope: EnvelopeId, id: u64, env: &mut Env<'_, '_>) {
    if env.ctx.has_details() {
        let message = env.shared.content.message(envelope);
        let place = PlaceId(u32::from(queue.0));
        env.ctx.observe(Fact::Removed { message, place, offset: id, rule: Rule::Deleted });
    }
}
