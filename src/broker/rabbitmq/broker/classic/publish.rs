//! A message enters a classic queue.

use smallvec::SmallVec;

use super::{Classic, Entry, Held, expiry};
use crate::broker::rabbitmq::broker::Env;
use crate::broker::rabbitmq::content::Reason;
use crate::broker::rabbitmq::message::{Msg, Pid, Publish};
use crate::broker::rabbitmq::topology::Overflow;

impl Classic {
    /// Limits are looked at first; then a consumer that is free gets the message without its being queued.
    pub(super) fn publish(&mut self, channel: Pid, publish: Publish, env: &mut Env<'_, '_>) {
        let Publish { envelope, seq, is_confirmed } = publish;
        if self.refuses(env.shared) {
            return self.refuse(channel, publish, env);
        }
        let is_orphaned = self.consumers.was_cancelled() && self.backing.ready() > 0;
        if env.shared.topology.rules.crashes_on_cancelled_active && is_orphaned {
            // A consumer is free and messages are ready: the queue thinks that impossible (issue 5460).
            return self.crash(env);
        }
        let spec = env.shared.topology.queue(self.id);
        let is_persistent = spec.durable && env.shared.stamp(envelope).is_persistent;
        let id = self.backing.next_id();
        let expires = expiry(self.id, envelope, env);
        let entry = Entry { id, envelope, expires, redelivered: false, is_persistent };
        self.observe_stored(entry, env);
        let waits = is_confirmed.then_some((channel, seq));
        if self.is_free_to_hand_over(env)
            && let Some(at) = self.consumers.next(self.is_single_active(env), env.core)
        {
            let consumer = self.consumers.get(at);
            let (to, tag, no_ack) = (consumer.channel, consumer.tag, consumer.no_ack);
            self.ring_published(channel, publish, entry, true, env);
            if no_ack {
                // Handed over and forgotten: it never was in the queue, nor in those of mirrors.
                self.hand_over(at, entry, env);
                self.ring_dropped(&[entry.id], env);
                confirm_now(waits, env);
                return;
            }
            self.keep(entry, waits, env);
            self.hand_over(at, entry, env);
            self.backing.hold(Held { entry, channel: to, tag: Some(tag) });
            return;
        }
        self.ring_published(channel, publish, entry, false, env);
        if expires <= env.ctx.now() {
            // A time to live of zero, and nobody to take it.
            confirm_now(waits, env);
            self.ring_dropped(&[entry.id], env);
            return self.die_unstored(entry, Reason::Expired, env);
        }
        self.keep(entry, waits, env);
        self.backing.insert(entry, env);
        self.run(env);
        self.drop_heads(env);
    }

    /// Nothing is ready before it, so that it may go to a consumer at once.
    fn is_free_to_hand_over(&mut self, env: &mut Env<'_, '_>) -> bool {
        if self.backing.ready() > 0 {
            // What is left at the head may have expired.
            self.drop_expired(env);
        }
        self.backing.ready() == 0 || self.consumers.was_cancelled()
    }

    pub(super) fn is_single_active(&self, env: &Env<'_, '_>) -> bool {
        env.shared.topology.queue(self.id).args.single_active_consumer
    }

    /// It goes to the store if it is to survive; else its publisher is confirmed now.
    fn keep(&mut self, entry: Entry, waits: Option<(Pid, u64)>, env: &mut Env<'_, '_>) {
        if entry.is_persistent {
            self.backing.store.publish(entry.id, (entry.envelope, entry.expires), waits, env);
        } else {
            confirm_now(waits, env);
        }
    }

    /// There is no room: the publisher hears of it if it asked for confirms.
    fn refuse(&mut self, channel: Pid, publish: Publish, env: &mut Env<'_, '_>) {
        self.ring_refused(channel, publish, env);
        if publish.is_confirmed {
            env.send(channel, Msg::Refuse { seqs: SmallVec::from_elem(publish.seq, 1) });
        }
        let overflow = env.shared.topology.queue(self.id).args.overflow;
        self.refused(publish.envelope, overflow == Overflow::RejectPublishDlx, env);
    }
}

/// Nobody has to wait for a disk.
fn confirm_now(waits: Option<(Pid, u64)>, env: &mut Env<'_, '_>) {
    if let Some((channel, seq)) = waits {
        env.send(channel, Msg::Confirm { seqs: SmallVec::from_elem(seq, 1) });
    }
}
