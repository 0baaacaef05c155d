//! What can happen to a quorum queue: the commands in its log, and what channels ask for.

use smallvec::SmallVec;

use super::super::Env;
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::message::{Pid, Settled, Subscribe};
use crate::broker::rabbitmq::packet::ConsumerTag;
use crate::broker::rabbitmq::topology::QueueId;
use crate::sim::Time;

/// What a channel asks of the queue.
#[derive(Clone, Debug)]
pub(in super::super::super) enum Request {
    /// A message; `number` counts those of the channel, from 1; zero: of nobody.
    Enqueue {
        number: u64,
        envelope: EnvelopeId,
        size: u32,
    },
    Subscribe(Subscribe),
    Cancel {
        tag: ConsumerTag,
    },
    Get {
        no_ack: bool,
    },
    Settle {
        tag: ConsumerTag,
        ids: SmallVec<[u64; 2]>,
        how: Settled,
    },
}

/// A command of the log.
#[derive(Clone, Debug)]
pub(in super::super::super) struct Command {
    /// When the leader appended it: the queue's clock.
    pub(super) at: Time,
    /// Who asked for it, and by which number.
    pub(super) from: Option<(Pid, u64)>,
    pub(super) what: What,
}

/// What it does.
#[derive(Clone, Debug)]
pub(super) enum What {
    Enqueue {
        number: u64,
        fresh: Fresh,
    },
    Subscribe(Subscribe),
    Cancel(ConsumerTag),
    Get,
    Settle {
        tag: ConsumerTag,
        ids: SmallVec<[u64; 2]>,
        how: Settled,
    },
    /// A channel's process ended.
    Gone(Pid),
    /// A node is out of reach, or was for too long, or is back.
    Lost(u16),
    GivenUp(u16),
    Back(u16),
    /// Time has passed.
    Due,
    /// All destinations of these dead letters have confirmed them.
    Buried(SmallVec<[u64; 2]>),
}

/// A message as it comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fresh {
    pub(super) envelope: EnvelopeId,
    pub(super) size: u32,
    pub(super) priority: u8,
    /// [`Time::NEVER`]: it does not expire.
    pub(super) expires: Time,
}

impl Request {
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Enqueue { .. } => "enqueue",
            Self::Subscribe(_) => "checkout",
            Self::Cancel { .. } => "cancel",
            Self::Get { .. } => "get",
            Self::Settle { how: Settled::Acked, .. } => "settle",
            Self::Settle { how: Settled::Discarded, .. } => "discard",
            Self::Settle { .. } => "return",
        }
    }

    pub(super) fn kind(&self) -> u64 {
        match self {
            Self::Enqueue { .. } => 0,
            Self::Subscribe(_) => 1,
            Self::Cancel { .. } => 2,
            Self::Get { .. } => 3,
            Self::Settle { .. } => 4,
        }
    }

    pub(super) fn bytes(&self) -> u32 {
        match self {
            Self::Enqueue { size, .. } => *size,
            Self::Settle { ids, .. } => 8 * ids.len() as u32,
            _ => 40,
        }
    }

    /// What the leader of a queue adds to a message: when it expires, and how it is served.
    #[inline]
    pub(super) fn terms(&self, queue: QueueId, env: &Env<'_, '_>) -> (Time, u8) {
        let Self::Enqueue { envelope, .. } = *self else { return (Time::NEVER, NORMAL) };
        let spec = env.shared.topology.queue(queue);
        let own = env.shared.expiration(envelope).filter(|_| env.shared.topology.rules.has_quorum_ttl);
        let ttl = [spec.args.message_ttl, own].into_iter().flatten().min();
        let expires = ttl.map_or(Time::NEVER, |ttl| env.ctx.now() + ttl);
        (expires, env.shared.stamp(envelope).priority.unwrap_or(NORMAL))
    }

    /// What the command does that the leader makes of it. The numbers of what is settled move there.
    #[inline]
    pub(super) fn take_what(&mut self, (expires, priority): (Time, u8)) -> What {
        match *self {
            Self::Enqueue { number, envelope, size } => {
                What::Enqueue { number, fresh: Fresh { envelope, size, priority, expires } }
            }
            Self::Subscribe(subscribe) => What::Subscribe(subscribe),
            Self::Cancel { tag } => What::Cancel(tag),
            Self::Get { .. } => What::Get,
            Self::Settle { tag, ref mut ids, how } => What::Settle { tag, ids: std::mem::take(ids), how },
        }
    }
}

/// The priority of a message that says nothing of it.
pub(super) const NORMAL: u8 = 4;

impl Command {
    /// Its size in the log, about.
    pub(super) fn bytes(&self) -> u32 {
        match &self.what {
            What::Enqueue { fresh, .. } => 100 + fresh.size,
            What::Settle { ids, .. } => 60 + 8 * ids.len() as u32,
            _ => 80,
        }
    }
}
