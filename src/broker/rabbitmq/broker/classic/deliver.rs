//! Messages leave a classic queue for its consumers.

use smallvec::SmallVec;

use super::{Classic, Entry, Held};
use crate::broker::rabbitmq::broker::Env;
use crate::broker::rabbitmq::error::Error;
use crate::broker::rabbitmq::message::{Delivery, Msg, Pid, Subscribe};
use crate::broker::rabbitmq::packet::ConsumerTag;

impl Classic {
    /// While a message is ready and a consumer can take one, the one gets the other.
    pub(super) fn run(&mut self, env: &mut Env<'_, '_>) {
        let is_single = self.is_single_active(env);
        let mut fetched: SmallVec<[u64; 4]> = SmallVec::new();
        loop {
            self.drop_expired(env);
            if self.backing.ready() == 0 {
                break;
            }
            let Some(at) = self.consumers.next(is_single, env.core) else { break };
            let Some(entry) = self.backing.pop(env) else { break };
            fetched.push(entry.id);
            self.deliver(at, entry, env);
        }
        self.ring_fetched(&fetched, env);
        self.arm_ttl(env);
    }

    /// The consumer gets a message that was ready.
    fn deliver(&mut self, at: usize, entry: Entry, env: &mut Env<'_, '_>) {
        let consumer = self.consumers.get(at);
        let (channel, tag, no_ack) = (consumer.channel, consumer.tag, consumer.no_ack);
        self.hand_over(at, entry, env);
        if no_ack {
            self.forget(entry, env);
            self.ring_dropped(&[entry.id], env);
        } else {
            self.backing.hold(Held { entry, channel, tag: Some(tag) });
        }
    }

    /// The channel of the consumer gets the message.
    pub(super) fn hand_over(&mut self, at: usize, entry: Entry, env: &mut Env<'_, '_>) {
        let consumer = self.consumers.took(at);
        let (channel, tag, no_ack) = (consumer.channel, consumer.tag, consumer.no_ack);
        if consumer.is_global && !no_ack {
            env.core.limiter.took(channel);
        }
        let Entry { id, envelope, redelivered, .. } = entry;
        let delivery = Delivery { tag, id, envelope, redelivered, count: 0, no_ack };
        env.send(channel, Msg::Deliver(delivery));
        self.backing.store.touch(env);
    }

    /// `basic.get`: the first message, whatever the prefetch.
    pub(super) fn get(&mut self, channel: Pid, no_ack: bool, env: &mut Env<'_, '_>) {
        self.was_used(env);
        self.drop_expired(env);
        let Some(entry) = self.backing.pop(env) else {
            return env.send(channel, Msg::Got(None));
        };
        let Entry { id, envelope, redelivered, .. } = entry;
        let delivery = Delivery { tag: 0, id, envelope, redelivered, count: 0, no_ack };
        env.send(channel, Msg::Got(Some(delivery)));
        self.ring_fetched(&[id], env);
        if no_ack {
            self.forget(entry, env);
            self.ring_dropped(&[id], env);
        } else {
            self.backing.hold(Held { entry, channel, tag: None });
        }
        self.arm_ttl(env);
    }

    /// A consumer comes.
    pub(super) fn subscribe(&mut self, channel: Pid, wanted: Subscribe, env: &mut Env<'_, '_>) {
        let is_taken = self.consumers.has_exclusive() || wanted.is_exclusive && !self.consumers.is_empty();
        if is_taken {
            return env.send(channel, Msg::Subscribed(Err(Error::AccessRefused)));
        }
        self.consumers.add(channel, wanted);
        env.send(channel, Msg::Subscribed(Ok(())));
        self.run(env);
    }

    /// A consumer goes; what it holds stays with its channel. The queue is not woken by that: with a single active
    /// consumer the next one gets nothing before something else happens.
    pub(super) fn unsubscribe(&mut self, channel: Pid, tag: ConsumerTag, env: &mut Env<'_, '_>) {
        let had = self.consumers.remove(channel, tag, self.is_single_active(env));
        if had && self.consumers.is_empty() && env.shared.topology.queue(self.id).auto_delete {
            self.delete(None, env);
        }
    }
}
