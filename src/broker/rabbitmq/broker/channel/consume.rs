//! Consumers of a channel, what they were delivered, and what they say of it.

use smallvec::{SmallVec, smallvec};

use super::{Alarm, Awaited, CONSUMER_TIMEOUT_CHECK, Channel, Consumer, Mode};
use crate::broker::rabbitmq::broker::Env;
use crate::broker::rabbitmq::broker::rates::Rate;
use crate::broker::rabbitmq::config::StreamOffset;
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::error::Error;
use crate::broker::rabbitmq::message::{Delivery, Msg, Pid, Proc, Settled, Subscribe};
use crate::broker::rabbitmq::packet::{ConsumerTag, Frame, Settle};
use crate::broker::rabbitmq::story::{self, Kind};
use crate::broker::rabbitmq::topology::{QueueId, QueueKind};
use crate::sim::Time;

/// A delivery that is not settled.
#[derive(Clone, Copy, Debug)]
pub(in super::super::super) struct Unacked {
    pub(in super::super::super) tag: u64,
    pub(in super::super::super) queue: QueueId,
    /// The node of the process that delivered it.
    pub(in super::super::super) node: u16,
    /// The queue's own number for it.
    pub(in super::super::super) id: u64,
    /// Whose; none: of `basic.get`.
    pub(in super::super::super) consumer: Option<ConsumerTag>,
    pub(super) at: Time,
}

impl Channel {
    /// A queue has a message for a consumer of this channel.
    #[inline]
    pub(in super::super) fn deliver(&mut self, from: Pid, delivery: Delivery, env: &mut Env<'_, '_>) {
        let Delivery { tag: consumer, envelope, redelivered, count, .. } = delivery;
        let tag = self.number_delivery(from, delivery, Some(consumer), env);
        env.count(if redelivered { Rate::Redeliver } else { Rate::Deliver }, 1);
        let is_of_stream = matches!(from.proc, Proc::Queue(queue) if is_stream(queue, env));
        let offset = if is_of_stream { delivery.id as u32 } else { 0 };
        self.write(Frame::Deliver { consumer, tag, envelope, redelivered, count, offset }, env);
    }

    /// A reply for this client. Nobody keeps it: it is handed over, or it is gone.
    pub(super) fn replied(&mut self, envelope: EnvelopeId, env: &mut Env<'_, '_>) {
        if let Some(consumer) = self.takes_replies {
            let tag = self.tag_next;
            self.tag_next += 1;
            let (redelivered, count, offset) = (false, 0, 0);
            self.write(Frame::Deliver { consumer, tag, envelope, redelivered, count, offset }, env);
        }
    }

    #[inline]
    fn number_delivery(
        &mut self,
        from: Pid,
        delivery: Delivery,
        consumer: Option<ConsumerTag>,
        env: &mut Env<'_, '_>,
    ) -> u64 {
        let tag = self.tag_next;
        self.tag_next += 1;
        if let (false, Proc::Queue(queue)) = (delivery.no_ack, from.proc) {
            let (id, at) = (delivery.id, env.ctx.now());
            self.unacked.push_back(Unacked { tag, queue, node: from.node, id, consumer, at });
            if !self.is_timeout_armed && env.shared.topology.queue(queue).args.consumer_timeout.is_some() {
                self.is_timeout_armed = true;
                self.remind(CONSUMER_TIMEOUT_CHECK, Alarm::ConsumerTimeout, env);
            }
        }
        tag
    }

    /// A queue answers `basic.get`.
    pub(super) fn got(&mut self, from: Pid, delivery: Option<Delivery>, env: &mut Env<'_, '_>) {
        match delivery {
            None => self.write(Frame::GetEmpty, env),
            Some(delivery) => {
                let tag = self.number_delivery(from, delivery, None, env);
                let (envelope, redelivered) = (delivery.envelope, delivery.redelivered);
                self.write(Frame::GetOk { tag, envelope, redelivered }, env);
            }
        }
        if let Proc::Queue(queue) = from.proc {
            self.goes_on(Awaited::Got(queue), env);
        }
    }

    /// The queue, if this channel may use it and it is there.
    fn usable(&mut self, queue: QueueId, env: &mut Env<'_, '_>) -> Option<Pid> {
        let record = env.core.meta.queue(queue);
        let is_quorum = !matches!(env.shared.topology.queue(queue).kind, QueueKind::Classic { .. });
        let error = if !record.exists || !is_quorum && !record.is_live && record.others.is_empty() {
            Error::NotFound
        } else if record.owner.is_some_and(|owner| owner != env.me) {
            Error::ResourceLocked
        } else {
            return Some(Pid { node: record.leader, proc: Proc::Queue(queue) });
        };
        self.fail(error, env);
        None
    }

    pub(super) fn consume(
        &mut self,
        queue: QueueId,
        tag: ConsumerTag,
        (no_ack, is_exclusive, priority, offset): (bool, bool, i32, StreamOffset),
        is_cancelled_on_failover: bool,
        env: &mut Env<'_, '_>,
    ) {
        let Some(process) = self.usable(queue, env) else { return };
        let (prefetch, is_global) = self.prefetch;
        let client = self.client;
        let subscribe =
            Subscribe { tag, no_ack, is_exclusive, priority, prefetch, is_global, offset, client };
        let process = if is_stream(queue, env) {
            let Some(process) = self.replica(queue, subscribe, env) else { return };
            process
        } else {
            process
        };
        self.consumers.push(Consumer { tag, queue, subscribe, is_cancelled_on_failover });
        self.awaited = Some(Awaited::Subscribed(tag));
        if is_quorum(queue, env) {
            return self.quorum_subscribe(queue, subscribe, env);
        }
        self.is_known_to(process);
        env.send(process, Msg::Subscribe(subscribe));
    }

    /// A queue answers `basic.consume`.
    pub(in super::super) fn subscribed(&mut self, result: Result<(), Error>, env: &mut Env<'_, '_>) {
        let Some(Awaited::Subscribed(tag)) = self.awaited else { return };
        match result {
            Ok(()) => {
                self.write(Frame::Ok, env);
                self.goes_on(Awaited::Subscribed(tag), env);
            }
            Err(error) => {
                self.consumers.retain(|one| one.tag != tag);
                self.fail(error, env);
            }
        }
    }

    /// `basic.cancel`: no new deliveries; what it holds stays with the channel.
    pub(super) fn cancel(&mut self, tag: ConsumerTag, env: &mut Env<'_, '_>) {
        if let Some(at) = self.consumers.iter().position(|one| one.tag == tag) {
            let queue = self.consumers.remove(at).queue;
            if is_quorum(queue, env) {
                self.quorum_cancel(queue, tag, env);
            } else {
                let is_here = is_stream(queue, env);
                let node = if is_here { env.core.id } else { env.core.meta.queue(queue).leader };
                env.send(Pid { node, proc: Proc::Queue(queue) }, Msg::Unsubscribe { tag });
            }
        }
        self.write(Frame::Ok, env);
    }

    pub(super) fn get(&mut self, queue: QueueId, no_ack: bool, env: &mut Env<'_, '_>) {
        let Some(process) = self.usable(queue, env) else { return };
        self.awaited = Some(Awaited::Got(queue));
        if is_stream(queue, env) {
            return self.fail(Error::NotImplemented, env);
        }
        if is_quorum(queue, env) {
            return self.quorum_get(queue, no_ack, env);
        }
        self.is_known_to(process);
        env.send(process, Msg::Get { no_ack });
    }

    /// `basic.ack`, `basic.nack`, `basic.reject`. A tag that is not open closes the channel.
    pub(super) fn settle(&mut self, tag: u64, multiple: bool, how: Settle, env: &mut Env<'_, '_>) {
        let how = match how {
            Settle::Ack => Settled::Acked,
            Settle::Nack { requeue: true } => Settled::Requeued { is_reject: false },
            Settle::Reject { requeue: true } => Settled::Requeued { is_reject: true },
            Settle::Nack { requeue: false } | Settle::Reject { requeue: false } => Settled::Discarded,
        };
        if let Some(first) = self.unacked.pop_front_if(|first| first.tag == tag && self.mode != Mode::Tx) {
            // The usual case: the oldest one.
            if how == Settled::Acked {
                env.count(Rate::Ack, 1);
            }
            self.settled_at((first.queue, first.node), &[first], how, env);
            return;
        }
        self.settle_any(tag, multiple, how, env);
    }

    fn settle_any(&mut self, tag: u64, multiple: bool, how: Settled, env: &mut Env<'_, '_>) {
        let taken = self.take(tag, multiple);
        if taken.is_empty() && !(multiple && tag == 0) {
            return self.fail(Error::PreconditionFailed, env);
        }
        if how == Settled::Acked {
            env.count(Rate::Ack, taken.len() as u32);
        }
        if self.mode == Mode::Tx {
            return self.buffer_settle(taken, how);
        }
        self.settled(&taken, how, env);
    }

    fn take(&mut self, tag: u64, multiple: bool) -> SmallVec<[Unacked; 4]> {
        if multiple {
            let upto = if tag == 0 { u64::MAX } else { tag };
            let count = self.unacked.partition_point(|one| one.tag <= upto);
            return self.unacked.drain(..count).collect();
        }
        let at = self.unacked.binary_search_by_key(&tag, |one| one.tag);
        at.ok().and_then(|at| self.unacked.remove(at)).into_iter().collect()
    }

    /// Tells the queues.
    pub(super) fn settled(&mut self, taken: &[Unacked], how: Settled, env: &mut Env<'_, '_>) {
        let from = |one: &Unacked| (one.queue, one.node);
        for group in taken.chunk_by(|one, next| from(one) == from(next)) {
            if !self.settled_at(from(&group[0]), group, how, env) {
                return;
            }
        }
    }

    /// Tells one queue, at one node; false: the channel fails with it.
    #[inline]
    fn settled_at(
        &mut self,
        (queue, node): (QueueId, u16),
        group: &[Unacked],
        how: Settled,
        env: &mut Env<'_, '_>,
    ) -> bool {
        match env.shared.topology.queue(queue).kind {
            QueueKind::Stream if how != Settled::Acked => {
                self.fail(Error::NotImplemented, env);
                return false;
            }
            QueueKind::Quorum => self.quorum_settle(queue, group, how, env),
            QueueKind::Stream | QueueKind::Classic { .. } => {
                let ids = match group {
                    [one] => smallvec![one.id],
                    group => group.iter().map(|one| one.id).collect(),
                };
                env.send(Pid { node, proc: Proc::Queue(queue) }, Msg::Settle { ids, how });
                self.make_room(group, env);
            }
        }
        true
    }

    /// With a prefetch that belongs to the channel, the other queues of this node may hand over again.
    #[inline]
    fn make_room(&self, settled: &[Unacked], env: &mut Env<'_, '_>) {
        if self.consumers.iter().any(|one| one.subscribe.is_global) {
            self.make_room_elsewhere(settled, env);
        }
    }

    fn make_room_elsewhere(&self, settled: &[Unacked], env: &mut Env<'_, '_>) {
        let count = settled.iter().filter(|one| one.consumer.is_some()).count() as u32;
        env.core.limiter.settled(env.me, count);
        for one in &self.consumers {
            let leader = env.core.meta.queue(one.queue).leader;
            let is_other = settled.iter().all(|settled| settled.queue != one.queue);
            if is_other && leader == env.core.id && !is_quorum(one.queue, env) {
                env.send(Pid { node: leader, proc: Proc::Queue(one.queue) }, Msg::Room);
            }
        }
    }

    /// A queue's consumer is gone without the channel's doing: a client that can take it hears of it.
    pub(super) fn consumer_gone(&mut self, tag: ConsumerTag, env: &mut Env<'_, '_>) {
        let before = self.consumers.len();
        self.consumers.retain(|one| one.tag != tag);
        if self.consumers.len() < before && self.takes_cancels {
            self.write(Frame::Cancelled { tag }, env);
        }
    }

    /// The consumers of a queue whose process is gone: they hear that they are cancelled.
    pub(in super::super) fn cancel_consumers_of(&mut self, queue: QueueId, env: &mut Env<'_, '_>) {
        let gone: SmallVec<[ConsumerTag; 1]> =
            self.consumers.iter().filter(|one| one.queue == queue).map(|one| one.tag).collect();
        for tag in gone {
            self.consumer_gone(tag, env);
        }
    }

    /// A mirror took over: it gives up what the old leader had delivered, and subscribes again. Consumers that asked
    /// for it (`x-cancel-on-ha-failover`) are cancelled instead, and hear of it.
    pub(in super::super) fn follow_leader(&mut self, queue: QueueId, node: u16, env: &mut Env<'_, '_>) {
        let process = Pid { node, proc: Proc::Queue(queue) };
        let mut ended: SmallVec<[ConsumerTag; 1]> = SmallVec::new();
        for one in self.consumers.iter().filter(|one| one.queue == queue && one.is_cancelled_on_failover) {
            ended.push(one.tag);
        }
        for tag in ended {
            self.consumer_gone(tag, env);
        }
        let consumers: SmallVec<[Subscribe; 1]> =
            self.consumers.iter().filter(|one| one.queue == queue).map(|one| one.subscribe).collect();
        for subscribe in consumers {
            self.is_known_to(process);
            env.send(process, Msg::Subscribe(subscribe));
        }
    }

    /// Looks for deliveries that were held for too long: one is enough to close the channel.
    pub(super) fn consumer_timeout_due(&mut self, env: &mut Env<'_, '_>) {
        self.is_timeout_armed = false;
        let now = env.ctx.now();
        let overdue = self.unacked.iter().filter(|one| one.consumer.is_some()).find_map(|one| {
            let timeout = env.shared.topology.queue(one.queue).args.consumer_timeout?;
            one.is_overdue(timeout, now).then_some((one.queue, timeout))
        });
        if let Some((queue, timeout)) = overdue {
            let numbers = [u64::from(queue.0), timeout.0];
            env.ctx.observe(story::fact(Kind::Overdue, u32::from(self.client.0), numbers));
            return self.fail(Error::PreconditionFailed, env);
        }
        if !self.unacked.is_empty() {
            self.is_timeout_armed = true;
            self.remind(CONSUMER_TIMEOUT_CHECK, Alarm::ConsumerTimeout, env);
        }
    }
}

/// Whether a queue answers by the protocol of quorum queues.
fn is_quorum(queue: QueueId, env: &Env<'_, '_>) -> bool {
    env.shared.topology.queue(queue).kind == QueueKind::Quorum
}

/// Whether it is a stream.
#[inline]
pub(super) fn is_stream(queue: QueueId, env: &Env<'_, '_>) -> bool {
    env.shared.topology.queue(queue).kind == QueueKind::Stream
}
