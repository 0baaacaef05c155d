//! The side of a channel: what it sent to streams and was not told to be written.
//!
//! Messages go to the leader one after the other. Those that are to be confirmed are kept until a majority has them,
//! and go, in their order, to the next leader, who recognises what it has already. The others are sent once.
//!
//! Source: `rabbit_stream_queue` (`deliver`, `stream_leader_change`).

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::StreamMsg;
use crate::broker::rabbitmq::broker::Env;
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::message::{Msg, Pid, Proc};
use crate::broker::rabbitmq::topology::QueueId;

/// With so many messages under way a channel reads no further (`stream_messages_soft_limit`).
const SOFT_LIMIT: usize = 256;

/// The streams that a channel publishes to.
#[derive(Clone, Debug, Default)]
pub(in super::super::super) struct Clients {
    all: SmallVec<[Client; 1]>,
}

#[derive(Clone, Debug)]
struct Client {
    queue: QueueId,
    leader: Option<u16>,
    /// By the channel's own numbers.
    pending: VecDeque<(u64, EnvelopeId)>,
}

fn send(queue: QueueId, node: u16, seq: Option<u64>, envelope: EnvelopeId, env: &mut Env<'_, '_>) {
    let to = Pid { node, proc: Proc::Queue(queue) };
    env.send(to, Msg::Stream(Box::new(StreamMsg::Write { seq, envelope })));
}

/// A message for a stream of which nobody wants to hear again.
pub(in super::super) fn write_untracked(queue: QueueId, envelope: EnvelopeId, env: &mut Env<'_, '_>) {
    if let Some(node) = env.leader_of(queue) {
        send(queue, node, None, envelope, env);
    }
}

impl Clients {
    /// So many messages are under way that the channel reads no further.
    pub(in super::super) fn is_full(&self) -> bool {
        self.all.iter().any(|client| client.pending.len() >= SOFT_LIMIT)
    }

    fn client(&mut self, queue: QueueId, env: &Env<'_, '_>) -> &mut Client {
        let at = self.all.iter().position(|client| client.queue == queue).unwrap_or_else(|| {
            self.all.push(Client { queue, leader: env.leader_of(queue), pending: VecDeque::new() });
            self.all.len() - 1
        });
        &mut self.all[at]
    }

    /// Publishes; with a number if the answer is waited for.
    pub(in super::super) fn write(
        &mut self,
        queue: QueueId,
        envelope: EnvelopeId,
        seq: Option<u64>,
        env: &mut Env<'_, '_>,
    ) {
        let client = self.client(queue, env);
        if client.leader.is_none() {
            // A leader takes what comes after a number for all that there is: what waits goes first.
            client.leader = env.leader_of(queue);
            client.resend(env);
        }
        client.pending.extend(seq.map(|seq| (seq, envelope)));
        if let Some(leader) = client.leader {
            send(queue, leader, seq, envelope, env);
        }
    }

    /// A majority has these.
    pub(in super::super) fn written(&mut self, queue: QueueId, seqs: &[u64]) {
        if let Some(client) = self.all.iter_mut().find(|client| client.queue == queue) {
            for seq in seqs {
                if let Ok(at) = client.pending.binary_search_by_key(seq, |(seq, _)| *seq) {
                    client.pending.remove(at);
                }
            }
        }
    }

    /// Somebody leads, or was asked and does not: everything that was not written goes out again.
    pub(in super::super) fn follow(&mut self, queue: QueueId, leader: Option<u16>, env: &mut Env<'_, '_>) {
        let Some(client) = self.all.iter_mut().find(|client| client.queue == queue) else { return };
        client.leader = leader;
        client.resend(env);
    }

    /// What was not written goes out again, to whoever is known to lead; whether something is still under way.
    pub(in super::super) fn resend(&mut self, queue: QueueId, env: &mut Env<'_, '_>) -> bool {
        let Some(client) = self.all.iter_mut().find(|client| client.queue == queue) else { return false };
        client.leader = env.leader_of(queue).or(client.leader);
        client.resend(env);
        !client.pending.is_empty()
    }
}

impl Client {
    fn resend(&self, env: &mut Env<'_, '_>) {
        if let Some(leader) = self.leader {
            for &(seq, envelope) in &self.pending {
                send(self.queue, leader, Some(seq), envelope, env);
            }
        }
    }
}
