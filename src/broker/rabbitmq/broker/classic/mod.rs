//! A classic queue: one process that keeps messages, hands them to consumers and forgets them when they are
//! acknowledged.
//!
//! Source: `rabbit_amqqueue_process`, `rabbit_variable_queue`, `rabbit_queue_consumers`.
//!
//! Not modelled: the memory that lazy queues and paging save (a queue's memory is computed from where its messages
//! are), reading messages back from disk.

mod backing;
mod consumers;
mod deliver;
mod publish;
mod removal;
pub(super) mod store;

pub(in super::super) use backing::{Backing, Entry, Held};
pub(in super::super) use consumers::Consumers;

use smallvec::SmallVec;

use super::mirror::Ring;
use super::{Env, QueueAlarm};
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::message::{Msg, Pid, QueueEnd, Settled};
use crate::broker::rabbitmq::model::Shared;
use crate::broker::rabbitmq::topology::{Overflow, QueueId, QueueSpec};
use crate::fact::{Fact, PlaceId};
use crate::sim::Time;

/// A classic queue's process: of an unmirrored queue, or the leader of a mirrored one.
#[derive(Clone, Debug)]
pub(in super::super) struct Classic {
    pub(in super::super) id: QueueId,
    pub(in super::super) backing: Backing,
    pub(in super::super) consumers: Consumers,
    /// Its mirrors; none: it has no policy that asks for any.
    pub(in super::super) ring: Option<Box<Ring>>,
    ttl_at: Time,
    /// When nobody used it any more.
    unused_since: Time,
    is_expires_armed: bool,
    /// How much it took of each remote channel's credit.
    owed: SmallVec<[(Pid, u32); 2]>,
    /// It stands still while a mirror is synchronised: what came meanwhile.
    pub(super) halted: Option<Vec<(Pid, Msg)>>,
}

/// When a message that enters now may be thrown away.
pub(in super::super) fn expiry(queue: QueueId, envelope: EnvelopeId, env: &Env<'_, '_>) -> Time {
    let own = env.shared.expiration(envelope);
    let args = &env.shared.topology.queue(queue).args;
    match (args.message_ttl, own) {
        (None, None) => Time::NEVER,
        (Some(ttl), None) | (None, Some(ttl)) => env.ctx.now() + ttl,
        (Some(queue), Some(own)) => env.ctx.now() + queue.min(own),
    }
}

impl Classic {
    pub(in super::super) fn new(id: QueueId, spec: &QueueSpec, ring: Option<Box<Ring>>) -> Self {
        Self::over(Backing::new(spec, id), ring)
    }

    /// A leader over messages that are there already.
    pub(in super::super) fn over(backing: Backing, ring: Option<Box<Ring>>) -> Self {
        Self {
            id: backing.queue,
            backing,
            consumers: Consumers::default(),
            ring,
            ttl_at: Time::NEVER,
            unused_since: Time::ZERO,
            is_expires_armed: false,
            owed: SmallVec::new(),
            halted: None,
        }
    }

    fn spec<'s>(&self, shared: &'s Shared) -> &'s QueueSpec {
        shared.topology.queue(self.id)
    }

    pub(super) fn place(&self) -> PlaceId {
        PlaceId(u32::from(self.id.0))
    }

    pub(super) fn on(&mut self, from: Pid, msg: &mut Msg, env: &mut Env<'_, '_>) {
        if let Some(halted) = &mut self.halted
            && !matches!(msg, Msg::Mirror(_))
        {
            halted.push((from, msg.take()));
            return;
        }
        match msg {
            Msg::Publish(publish) => {
                self.publish(from, *publish, env);
                self.grant(from, env);
            }
            Msg::Settle { ids, how } => self.settle(from, ids, *how, env),
            Msg::Subscribe(subscribe) => self.subscribe(from, *subscribe, env),
            Msg::Unsubscribe { tag } => self.unsubscribe(from, *tag, env),
            Msg::Get { no_ack } => self.get(from, *no_ack, env),
            Msg::ChannelDown => self.channel_down(from, env),
            Msg::Room => self.run(env),
            Msg::Delete => self.delete(Some(from), env),
            Msg::Used => self.was_used(env),
            Msg::Mirror(msg) => self.mirror_says(from, msg, env),
            _ => {}
        }
        self.look_after_unused(env);
    }

    pub(super) fn alarm(&mut self, alarm: QueueAlarm, env: &mut Env<'_, '_>) {
        match alarm {
            QueueAlarm::Flush => {
                let confirms = self.backing.store.flush_due(env);
                store::tell(confirms, env);
            }
            QueueAlarm::Idle => self.backing.store.idle_due(env),
            QueueAlarm::Ttl => {
                self.ttl_at = Time::NEVER;
                self.run(env);
            }
            QueueAlarm::Expires => self.expires_due(env),
            QueueAlarm::Mirror(_) | QueueAlarm::Quorum(_) | QueueAlarm::Stream(_) => {}
        }
    }

    pub(super) fn synced(&mut self, mark: u64, env: &mut Env<'_, '_>) {
        let confirms = self.backing.store.synced(mark, env);
        store::tell(confirms, env);
    }

    /// A remote channel may send as many messages more as the queue took.
    fn grant(&mut self, channel: Pid, env: &mut Env<'_, '_>) {
        if channel.node == env.core.id {
            return;
        }
        let every = env.shared.topology.config.credit.1;
        let at = self.owed.iter().position(|(known, _)| *known == channel).unwrap_or_else(|| {
            self.owed.push((channel, 0));
            self.owed.len() - 1
        });
        let owed = &mut self.owed[at].1;
        *owed += 1;
        if *owed >= every {
            let credit = std::mem::take(owed);
            env.send(channel, Msg::Credit(credit));
        }
    }

    /// A channel settles deliveries.
    fn settle(&mut self, channel: Pid, ids: &[u64], how: Settled, env: &mut Env<'_, '_>) {
        let mut returned: SmallVec<[Held; 4]> = SmallVec::new();
        for &id in ids {
            let Some(held) = self.backing.release(id, channel) else { continue };
            self.consumers.settled(channel, held.tag);
            match how {
                Settled::Acked => self.forget(held.entry, env),
                Settled::Discarded => {
                    self.die(held.entry, crate::broker::rabbitmq::content::Reason::Rejected, env);
                }
                Settled::Requeued { .. } => returned.push(held),
            }
        }
        self.requeue(returned, env);
        if matches!(how, Settled::Acked | Settled::Discarded) {
            self.ring_dropped(ids, env);
        }
        self.run(env);
    }

    /// What was delivered is ready again, each at its old place.
    pub(super) fn requeue(&mut self, held: impl IntoIterator<Item = Held>, env: &mut Env<'_, '_>) {
        let mut ids: SmallVec<[u64; 4]> = SmallVec::new();
        for Held { entry, .. } in held {
            ids.push(entry.id);
            self.backing.insert(Entry { redelivered: true, ..entry }, env);
        }
        if !ids.is_empty() {
            self.ring_requeued(&ids, env);
            self.drop_heads(env);
        }
    }

    /// A message is not needed any more.
    pub(super) fn forget(&mut self, entry: Entry, env: &mut Env<'_, '_>) {
        if entry.is_persistent {
            let waited = self.backing.store.ack(entry.id, env);
            if let Some((channel, seq)) = waited {
                let seqs = SmallVec::from_elem(seq, 1);
                env.send(channel, Msg::Confirm { seqs });
            }
        }
    }

    /// A channel is gone: what it held is ready again, and its consumers are gone.
    fn channel_down(&mut self, channel: Pid, env: &mut Env<'_, '_>) {
        self.owed.retain(|(known, _)| *known != channel);
        let returned = self.backing.release_all(channel);
        self.requeue(returned, env);
        let had_consumers = self.consumers.remove_channel(channel);
        if had_consumers && self.consumers.is_empty() && self.spec(env.shared).auto_delete {
            return self.delete(None, env);
        }
        self.run(env);
    }

    /// The queue is deleted: whoever waits for a confirm gets one, and its consumers hear of it.
    pub(super) fn delete(&mut self, by: Option<Pid>, env: &mut Env<'_, '_>) {
        for consumer in self.consumers.drain() {
            env.send(consumer.channel, Msg::ConsumerGone { tag: consumer.tag });
        }
        let waiting = self.backing.store.give_up_waiting();
        store::tell(waiting, env);
        for entry in self.backing.clear() {
            self.observe_gone(entry, env);
        }
        self.backing.store.wipe(env.shared, env.ctx);
        if let Some(channel) = by {
            env.send(channel, Msg::Deleted);
        }
        super::node::queue_ended(self.id, QueueEnd::Deleted, env);
    }

    /// The process crashes: its supervisor starts it again over what is on disk, and its consumers do not know.
    pub(super) fn crash(&mut self, env: &mut Env<'_, '_>) {
        self.consumers.drain();
        self.backing.store.give_up_waiting();
        self.backing.recover(env);
        super::node::queue_ended(self.id, QueueEnd::Crashed, env);
    }

    /// The node stops in order: what was delivered goes back, and everything is written and flushed.
    pub(in super::super) fn close(&mut self, env: &mut Env<'_, '_>) {
        let delivered = self.backing.held.iter().map(|held| held.entry);
        let delivered = delivered.chain(self.backing.iter().copied().filter(|entry| entry.redelivered));
        let mut ids: Vec<u64> = delivered.map(|entry| entry.id).collect();
        ids.sort_unstable();
        self.backing.store.close(ids, env);
    }

    /// Whether `x-expires` counts, and from when.
    fn look_after_unused(&mut self, env: &mut Env<'_, '_>) {
        let Some(expires) = self.spec(env.shared).args.expires else { return };
        if !self.consumers.is_empty() {
            self.unused_since = Time::NEVER;
        } else if self.unused_since == Time::NEVER {
            self.unused_since = env.ctx.now();
        }
        if !self.is_expires_armed && self.unused_since != Time::NEVER {
            self.is_expires_armed = true;
            env.remind(self.unused_since + expires, self.id, QueueAlarm::Expires);
        }
    }

    /// Somebody asked for a message, or declared it again: the time for which it was unused begins anew.
    pub(super) fn was_used(&mut self, env: &Env<'_, '_>) {
        if self.unused_since != Time::NEVER {
            self.unused_since = env.ctx.now();
        }
    }

    fn expires_due(&mut self, env: &mut Env<'_, '_>) {
        self.is_expires_armed = false;
        let Some(expires) = self.spec(env.shared).args.expires else { return };
        if self.consumers.is_empty() && self.unused_since != Time::NEVER {
            if self.unused_since + expires <= env.ctx.now() {
                return self.delete(None, env);
            }
            self.look_after_unused(env);
        }
    }

    /// The process starts, over what it has.
    pub(in super::super) fn begin(&mut self, env: &mut Env<'_, '_>) {
        self.ttl_at = Time::NEVER;
        self.is_expires_armed = false;
        self.unused_since = env.ctx.now();
        self.look_after_unused(env);
        self.drop_heads(env);
        self.run(env);
    }

    /// A copy is here now.
    pub(super) fn observe_stored(&self, entry: Entry, env: &mut Env<'_, '_>) {
        if env.ctx.has_details() {
            let message = env.shared.content.message(entry.envelope);
            env.ctx.observe(Fact::Stored { message, place: self.place(), offset: entry.id });
        }
    }

    /// Whether what it has too much of is refused at the door.
    pub(super) fn refuses(&self, shared: &Shared) -> bool {
        let args = &self.spec(shared).args;
        args.overflow != Overflow::DropHead && self.is_full(shared, true)
    }

    /// Whether it holds more than its limits, or, with `at_least`, as much.
    pub(super) fn is_full(&self, shared: &Shared, at_least: bool) -> bool {
        let args = &self.spec(shared).args;
        let (ready, bytes) = (self.backing.ready() as u64, self.backing.ready_bytes());
        let over = |value: u64, limit: u64| value > limit || at_least && value == limit;
        args.max_length.is_some_and(|limit| over(ready, u64::from(limit)))
            || args.max_length_bytes.is_some_and(|limit| over(bytes, limit))
    }
}
