//! `basic.publish`: the order of its effects is what publishers see.
//!
//! The exchange is looked up, the message is routed, and with `mandatory` it comes back if it leads nowhere. What leads
//! nowhere is confirmed at once: nobody is left to wait for.

use smallvec::SmallVec;

use super::confirms::{ALL_NODES, Wait};
use super::{Channel, Mode};
use crate::broker::rabbitmq::broker::rates::Rate;
use crate::broker::rabbitmq::broker::{Env, node, publishing};
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::error::Error;
use crate::broker::rabbitmq::message::{Msg, Pid, Proc, Publish};
use crate::broker::rabbitmq::packet::Frame;
use crate::broker::rabbitmq::topology::{Destination, QueueId, QueueKind};
use crate::fact::{Fact, GivenUp, NONE};

/// Where a publish goes.
#[derive(Clone, Debug, Default)]
struct Destinations {
    /// Queues that take it.
    queues: SmallVec<[QueueId; 4]>,
    /// Queues whose process is gone, and which the release still routes to.
    gone: SmallVec<[QueueId; 2]>,
}

impl Channel {
    pub(super) fn publish(&mut self, envelope: EnvelopeId, is_mandatory: bool, env: &mut Env<'_, '_>) {
        self.reader.left = self.reader.left.saturating_sub(1);
        self.reader.taken += 1;
        self.accept(envelope, is_mandatory, env);
        self.look_at_flow(env);
    }

    fn accept(&mut self, envelope: EnvelopeId, is_mandatory: bool, env: &mut Env<'_, '_>) {
        let published = *env.shared.content.get(envelope);
        let topology = &env.shared.topology;
        let exchange = topology.exchange(published.exchange);
        let is_too_large =
            topology.config.message_bytes_max.is_some_and(|max| u64::from(published.size) > max);
        let error = if is_too_large {
            Some(Error::PreconditionFailed)
        } else if !exchange.is_declared || !env.core.meta.has(Destination::Exchange(published.exchange)) {
            Some(Error::NotFound)
        } else {
            exchange.internal.then_some(Error::AccessRefused)
        };
        if let Some(error) = error {
            return self.fail(error, env);
        }
        if self.mode == Mode::Tx {
            return self.buffer_publish(envelope, is_mandatory, env);
        }
        self.route(envelope, is_mandatory, env);
    }

    /// The message goes to its queues.
    pub(super) fn route(&mut self, envelope: EnvelopeId, is_mandatory: bool, env: &mut Env<'_, '_>) {
        self.sent += 1;
        env.count(Rate::Publish, 1);
        let seq = self.sent;
        let is_confirmed = self.mode != Mode::None;
        // The plugin takes it, and the exchange has routed it nowhere; or it is a reply, and routing finds no queue
        // behind it: with `mandatory` it comes back, even if it arrives.
        if node::delays(envelope, env) || is_direct_reply(envelope, env) {
            if is_mandatory {
                self.write(Frame::Return { envelope }, env);
            }
            if is_confirmed {
                self.await_confirm(seq, SmallVec::new(), false, env);
            }
            return;
        }
        if self.takes_replies.is_some() {
            env.shared.content.is_asked_by(envelope, env.me);
        }
        let publish = Publish { envelope, seq, is_confirmed };
        match only_wait(envelope, env) {
            None => self.publish_to_all(publish, is_mandatory, env),
            Some(wait) => self.publish_to_one(publish, wait, env),
        }
    }

    /// The message goes to one queue, where one answer has to be waited for.
    #[inline]
    fn publish_to_one(&mut self, publish: Publish, (queue, node): Wait, env: &mut Env<'_, '_>) {
        let is_taken = if node == ALL_NODES {
            self.quorum_publish(queue, publish, env)
        } else {
            let process = Pid { node, proc: Proc::Queue(queue) };
            env.send(process, Msg::Publish(publish));
            self.has_sent_to(process, env);
            true
        };
        if publish.is_confirmed && is_taken {
            self.await_one(publish.seq, (queue, node), env);
        } else if publish.is_confirmed {
            self.await_confirm(publish.seq, SmallVec::new(), true, env);
        }
    }

    /// The message goes to whatever its exchange leads to.
    fn publish_to_all(&mut self, publish: Publish, is_mandatory: bool, env: &mut Env<'_, '_>) {
        let Publish { envelope, seq, is_confirmed } = publish;
        let to = destinations(envelope, env);
        if to.queues.is_empty() && to.gone.is_empty() {
            observe_unroutable(envelope, env);
            if is_mandatory {
                self.write(Frame::Return { envelope }, env);
            }
        }
        let mut waits: SmallVec<[Wait; 2]> = SmallVec::new();
        let mut is_refused = !to.gone.is_empty();
        for queue in to.queues {
            match env.shared.topology.queue(queue).kind {
                QueueKind::Classic { .. } => {
                    let nodes = publishing::to_classic(queue, publish, env);
                    is_refused |= nodes.is_empty() && !env.shared.topology.rules.dead_queues_confirm;
                    for node in nodes {
                        self.has_sent_to(Pid { node, proc: Proc::Queue(queue) }, env);
                        waits.push((queue, node));
                    }
                }
                QueueKind::Stream => {
                    self.stream_publish(queue, publish, env);
                    waits.push((queue, ALL_NODES));
                }
                QueueKind::Quorum => {
                    if self.quorum_publish(queue, publish, env) {
                        waits.push((queue, ALL_NODES));
                    } else {
                        is_refused = true;
                    }
                }
            }
        }
        if is_confirmed {
            self.await_confirm(seq, waits, is_refused, env);
        }
    }

    /// A process of a queue was sent a publish: it knows the channel, and may be sent one less if it is remote.
    #[inline]
    fn has_sent_to(&mut self, process: Pid, env: &Env<'_, '_>) {
        self.is_known_to(process);
        if process.node != env.core.id {
            self.spend_credit(process, env);
        }
    }

    /// One publish less that a remote process may be sent.
    fn spend_credit(&mut self, process: Pid, env: &Env<'_, '_>) {
        let initial = i64::from(env.shared.topology.config.credit.0);
        match self.credit.iter_mut().find(|(known, _)| *known == process) {
            Some((_, left)) => *left -= 1,
            None => self.credit.push((process, initial - 1)),
        }
    }

    /// A remote process takes more.
    pub(super) fn credited(&mut self, process: Pid, more: u32, env: &mut Env<'_, '_>) {
        if let Some((_, left)) = self.credit.iter_mut().find(|(known, _)| *known == process) {
            *left += i64::from(more);
        }
        self.look_at_flow(env);
    }

    /// While somebody that it publishes to has had enough, the channel grants its reader nothing; what the reader has
    /// credit for still comes.
    #[inline]
    pub(super) fn look_at_flow(&mut self, env: &mut Env<'_, '_>) {
        let config = &env.shared.topology.config;
        let is_out = self.credit.iter().any(|(_, left)| *left <= 0);
        self.hold.by_flow =
            is_out || self.quorum.is_full(config.quorum_commands_max) || self.streams.is_full();
        if !self.hold.by_flow && self.reader.taken >= config.credit.1 {
            self.reader.left += std::mem::take(&mut self.reader.taken);
        }
        self.hold_or_read(env);
    }
}

/// Whether it is a reply that goes straight to the channel that asked; then it goes there.
#[inline]
fn is_direct_reply(envelope: EnvelopeId, env: &mut Env<'_, '_>) -> bool {
    let Some(key) = env.shared.topology.direct_reply else { return false };
    if env.shared.content.get(envelope).key != key {
        return false;
    }
    if let Some(asker) = env.shared.content.asker(envelope) {
        env.send(asker, Msg::Reply(envelope));
    }
    true
}

/// The usual case: a message leads to one queue and to nothing else, and that answers as one, or by one process.
#[inline]
fn only_wait(envelope: EnvelopeId, env: &Env<'_, '_>) -> Option<Wait> {
    let topology = &env.shared.topology;
    let queue = topology.only_queue(env.shared.stamp(envelope))?;
    let record = env.core.meta.queue(queue);
    match topology.queue(queue).kind {
        QueueKind::Classic { .. } => {
            let is_alone = record.exists && record.is_live && record.others.is_empty();
            is_alone.then_some((queue, record.leader))
        }
        QueueKind::Quorum => record.exists.then_some((queue, ALL_NODES)),
        QueueKind::Stream => None,
    }
}

/// Where a message leads now.
fn destinations(envelope: EnvelopeId, env: &Env<'_, '_>) -> Destinations {
    let topology = &env.shared.topology;
    let stamp = env.shared.stamp(envelope);
    let (meta, forgets) = (&env.core.meta, topology.rules.forgets_queues_of_dead_nodes);
    // A classic queue without mirrors whose node is down.
    let is_dead = |queue: QueueId| {
        let record = meta.queue(queue);
        let is_classic = matches!(topology.queue(queue).kind, QueueKind::Classic { .. });
        is_classic && !record.is_live && record.others.is_empty()
    };
    let is_there = |to: Destination| match to {
        Destination::Queue(queue) => meta.exists(queue) && !(forgets && is_dead(queue)),
        Destination::Exchange(_) => meta.has(to),
    };
    let mut queues = topology.route_stamp(stamp, &is_there).queues;
    let mut gone = SmallVec::new();
    queues.retain(|queue| {
        let is_gone = is_dead(*queue);
        if is_gone {
            gone.push(*queue);
        }
        !is_gone
    });
    Destinations { queues, gone }
}

/// It leads nowhere: its fate wherever it was meant to go.
fn observe_unroutable(envelope: EnvelopeId, env: &mut Env<'_, '_>) {
    let message = env.shared.content.message(envelope);
    let how = GivenUp::Unroutable;
    let topology = std::sync::Arc::clone(&env.shared.topology);
    let meant = topology.route_stamp(env.shared.stamp(envelope), &|_| true);
    let mut is_meant = false;
    for &queue in &meant.queues {
        for &subscription in &topology.queue(queue).leads_to {
            is_meant = true;
            env.ctx.observe(Fact::GivenUp { message, subscription, how });
        }
    }
    if !is_meant {
        env.ctx.observe(Fact::GivenUp { message, subscription: NONE, how });
    }
}
