//! What a channel does with quorum queues: it speaks to them through [`quorum::Clients`].

use smallvec::SmallVec;

use super::confirms::ALL_NODES;
use super::{Alarm, Channel, Unacked};
use crate::broker::rabbitmq::broker::{Env, dead_letter, quorum};
use crate::broker::rabbitmq::content::Reason;
use crate::broker::rabbitmq::error::Error;
use crate::broker::rabbitmq::message::{Msg, Pid, Proc, Publish, Settled, Subscribe};
use crate::broker::rabbitmq::packet::ConsumerTag;
use crate::broker::rabbitmq::topology::QueueId;
use crate::sim::Span;

/// How often what a replicated queue did not take is sent again, if nobody said that somebody else leads.
const RESEND_EVERY: Span = Span::from_secs(10);

impl Channel {
    /// Whether the queue took it on; else the publish is refused at once.
    pub(super) fn quorum_publish(&mut self, queue: QueueId, publish: Publish, env: &mut Env<'_, '_>) -> bool {
        let seq = publish.is_confirmed.then_some(publish.seq);
        if let Err(refusal) = self.quorum.publish(queue, publish.envelope, seq, env) {
            if refusal == quorum::Refusal::Full {
                dead_letter::observe_given_up(queue, publish.envelope, Reason::Maxlen, env);
            }
            return false;
        }
        self.arm_resend(queue, env);
        true
    }

    pub(super) fn quorum_subscribe(&mut self, queue: QueueId, wanted: Subscribe, env: &mut Env<'_, '_>) {
        self.quorum.subscribe(queue, wanted, env);
        self.arm_resend(queue, env);
    }

    pub(super) fn quorum_cancel(&mut self, queue: QueueId, tag: ConsumerTag, env: &mut Env<'_, '_>) {
        self.quorum.cancel(queue, tag, env);
        self.arm_resend(queue, env);
    }

    pub(super) fn quorum_get(&mut self, queue: QueueId, no_ack: bool, env: &mut Env<'_, '_>) {
        self.quorum.get(queue, no_ack, env);
        self.arm_resend(queue, env);
    }

    pub(super) fn quorum_settle(
        &mut self,
        queue: QueueId,
        settled: &[Unacked],
        how: Settled,
        env: &mut Env<'_, '_>,
    ) {
        let tag_of = |one: &Unacked| one.consumer.unwrap_or(quorum::GET);
        let mut rest = settled;
        while let Some(first) = rest.first() {
            let tag = tag_of(first);
            let same = rest.iter().take_while(|one| tag_of(one) == tag).count();
            let ids: SmallVec<[u64; 2]> = rest[..same].iter().map(|one| one.id).collect();
            self.quorum.settle(queue, tag, &ids, how, env);
            rest = &rest[same..];
        }
        self.arm_resend(queue, env);
    }

    /// It looks later whether what it sent to this queue was taken.
    pub(super) fn arm_resend(&mut self, queue: QueueId, env: &mut Env<'_, '_>) {
        if !self.resends.contains(&queue) {
            self.resends.push(queue);
            self.remind(RESEND_EVERY, Alarm::Resend(queue), env);
        }
    }

    /// Commands were not applied for a while.
    pub(super) fn quorum_resend(&mut self, queue: QueueId, env: &mut Env<'_, '_>) {
        self.resends.retain(|known| *known != queue);
        if self.quorum.has_call_overdue(queue, env.ctx.now()) {
            return self.fail(Error::Internal, env);
        }
        if self.quorum.resend(queue, env) {
            self.arm_resend(queue, env);
        }
    }

    /// A member says something.
    pub(super) fn quorum_says(&mut self, from: Pid, msg: &quorum::QuorumMsg, env: &mut Env<'_, '_>) {
        let Proc::Queue(queue) = from.proc else { return };
        for event in self.quorum.says(from, msg, env) {
            match event {
                quorum::Event::Confirmed(seqs) => self.confirmed_by((queue, ALL_NODES), &seqs, env),
                quorum::Event::Subscribed => self.subscribed(Ok(()), env),
                quorum::Event::Deliver(delivery) => self.deliver(from, delivery, env),
                quorum::Event::Got(delivery) => self.got(from, delivery, env),
            }
        }
        self.look_at_flow(env);
    }

    /// The channel is gone: the leaders that know it hear of it.
    pub(super) fn quorum_end(&mut self, env: &mut Env<'_, '_>) {
        for leader in self.quorum.leaders(env) {
            env.send(leader, Msg::ChannelDown);
        }
    }
}
