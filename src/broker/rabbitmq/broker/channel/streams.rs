//! What a channel does with streams: it speaks to their leaders through [`stream::Clients`], and its consumers read
//! from the replica of their own node.

use super::Channel;
use super::confirms::ALL_NODES;
use crate::broker::rabbitmq::broker::{Env, stream};
use crate::broker::rabbitmq::error::Error;
use crate::broker::rabbitmq::message::{Pid, Proc, Publish, Subscribe};
use crate::broker::rabbitmq::topology::QueueId;

impl Channel {
    pub(super) fn stream_publish(&mut self, queue: QueueId, publish: Publish, env: &mut Env<'_, '_>) {
        let seq = publish.is_confirmed.then_some(publish.seq);
        self.streams.write(queue, publish.envelope, seq, env);
        if seq.is_some() {
            self.arm_resend(queue, env);
        }
    }

    /// Messages were not written for a while.
    pub(super) fn stream_resend(&mut self, queue: QueueId, env: &mut Env<'_, '_>) {
        self.resends.retain(|known| *known != queue);
        if self.streams.resend(queue, env) {
            self.arm_resend(queue, env);
        }
    }

    /// A replica says something.
    pub(super) fn stream_says(&mut self, from: Pid, msg: &stream::StreamMsg, env: &mut Env<'_, '_>) {
        let Proc::Queue(queue) = from.proc else { return };
        match msg {
            stream::StreamMsg::Written { seqs } => {
                self.streams.written(queue, seqs);
                self.confirmed_by((queue, ALL_NODES), seqs, env);
            }
            stream::StreamMsg::NotLeader { leader } => self.streams.follow(queue, *leader, env),
            _ => {}
        }
        self.look_at_flow(env);
    }

    /// That node leads a stream now.
    pub(in super::super) fn stream_led(
        &mut self,
        queue: QueueId,
        leader: Option<u16>,
        env: &mut Env<'_, '_>,
    ) {
        self.streams.follow(queue, leader, env);
    }

    /// The process that a consumer reads from, if it may read as it wants to.
    pub(super) fn replica(
        &mut self,
        queue: QueueId,
        wanted: Subscribe,
        env: &mut Env<'_, '_>,
    ) -> Option<Pid> {
        let is_here = env.shared.topology.queue(queue).members.contains(&env.core.id);
        let error = if wanted.no_ack || wanted.is_global {
            Error::NotImplemented
        } else if wanted.prefetch == 0 || !is_here {
            Error::PreconditionFailed
        } else {
            return Some(env.here(Proc::Queue(queue)));
        };
        self.fail(error, env);
        None
    }
}
