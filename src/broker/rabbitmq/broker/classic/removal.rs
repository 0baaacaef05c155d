//! Messages leave a classic queue without having been consumed: expired, pushed out, rejected.

use smallvec::SmallVec;

use super::{Classic, Entry};
use crate::broker::rabbitmq::broker::{Env, QueueAlarm, dead_letter};
use crate::broker::rabbitmq::content::{EnvelopeId, Reason};
use crate::broker::rabbitmq::topology::Overflow;
use crate::sim::Time;

impl Classic {
    /// Only the head is looked at: whatever expired behind a message that did not stays.
    pub(super) fn drop_expired(&mut self, env: &mut Env<'_, '_>) {
        let now = env.ctx.now();
        while let Some(head) = self.backing.head()
            && head.expires <= now
        {
            if let Some(entry) = self.backing.pop(env) {
                self.ring_dropped(&[entry.id], env);
                self.die(entry, Reason::Expired, env);
            }
        }
    }

    /// Looks again when the head expires.
    pub(super) fn arm_ttl(&mut self, env: &mut Env<'_, '_>) {
        let Some(expires) = self.backing.head().map(|head| head.expires) else { return };
        if expires != Time::NEVER && expires < self.ttl_at {
            self.ttl_at = expires;
            env.remind(expires, self.id, QueueAlarm::Ttl);
        }
    }

    /// The oldest go until the rest is within the limits; with priorities, the oldest of the highest.
    pub(super) fn drop_heads(&mut self, env: &mut Env<'_, '_>) {
        if env.shared.topology.queue(self.id).args.overflow != Overflow::DropHead {
            return;
        }
        let mut ids: SmallVec<[u64; 4]> = SmallVec::new();
        while self.is_full(env.shared, false)
            && let Some(entry) = self.backing.pop(env)
        {
            ids.push(entry.id);
            self.die(entry, Reason::Maxlen, env);
        }
        self.ring_dropped(&ids, env);
    }

    /// The queue gives a message up that it has stored.
    pub(super) fn die(&mut self, entry: Entry, reason: Reason, env: &mut Env<'_, '_>) {
        dead_letter::at_most_once(self.id, entry.envelope, reason, env);
        self.forget(entry, env);
    }

    /// The queue gives a message up before it has stored it.
    pub(super) fn die_unstored(&mut self, entry: Entry, reason: Reason, env: &mut Env<'_, '_>) {
        dead_letter::at_most_once(self.id, entry.envelope, reason, env);
    }

    /// The queue did not take a message.
    pub(super) fn refused(&mut self, envelope: EnvelopeId, is_dead_lettered: bool, env: &mut Env<'_, '_>) {
        if is_dead_lettered {
            dead_letter::at_most_once(self.id, envelope, Reason::Maxlen, env);
        } else {
            dead_letter::observe_given_up(self.id, envelope, Reason::Maxlen, env);
        }
    }

    /// A message went with its queue.
    pub(super) fn observe_gone(&self, entry: Entry, env: &mut Env<'_, '_>) {
        dead_letter::observe_with_queue(self.id, entry.envelope, entry.id, env);
    }
}
