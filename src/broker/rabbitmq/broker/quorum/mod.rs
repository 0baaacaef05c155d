//! A quorum queue: a queue as the state machine of a Raft group, one member a node.
//!
//! ```text
//! channel ─Request─► leader ─entry─► WAL of its node ┐
//!    ▲                 │  └─Append─► followers ─► WAL ┴─► a majority has it: committed
//!    └──Applied, Deliver── the leader applies it to its copy of the queue ([`fifo`])
//! ```
//!
//! Everything that changes a queue is a command in its log, so acknowledgements are as safe as messages are, and every
//! member has the queue as it was after the last command it applied. What the leader does because of a command (hand
//! out a message, dead-letter one, confirm) is done once, by whoever leads when it is applied: if that leader dies in
//! between, it is not done at all. A channel therefore keeps its commands until they are applied and sends them again
//! to the next leader, and asks for deliveries whose numbers it misses; the queue knows by number what a channel has
//! sent before.
//!
//! Source: `rabbit_fifo`, `rabbit_fifo_client`, `rabbit_quorum_queue`; <https://www.rabbitmq.com/docs/quorum-queues>,
//! the Ra library.
//!
//! Not modelled: purging; members that join, leave or are added later; `basic.get` that is sent again after its leader
//! died (it fails after the command time-out); logs of members that are torn.

mod apply;
mod bugs;
mod client;
mod commands;
mod consumers;
mod dead_letters;
mod fifo;
mod line;
mod look;
mod member;
mod ready;
mod serve;
mod table;
#[cfg(test)]
mod tests;
mod wal;

use std::num::NonZeroU64;
use std::sync::Arc;

use smallvec::SmallVec;

pub(super) use client::{Clients, Event, Refusal, enqueue_untracked};
use commands::Request;
use fifo::Fifo;
pub(in super::super) use member::Quorum;
use table::CommandId;
pub(in super::super) use table::Commands;
pub(super) use wal::{Wal, wal_file};

use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::packet::ConsumerTag;
use crate::broker::raft::Message;

/// The consumer of a channel that `basic.get` stands for.
pub(super) const GET: ConsumerTag = ConsumerTag::MAX;

/// What members and clients of a quorum queue say to each other.
#[derive(Clone, Debug)]
pub(in super::super) enum QuorumMsg {
    // To a member, from a client.
    /// Its command of that number; none: it does not want to hear of it.
    Command {
        seq: Option<NonZeroU64>,
        request: Request,
    },
    /// Which deliveries it misses: the numbers from the first to before the second.
    Missing {
        tag: ConsumerTag,
        from: u64,
        to: u64,
    },

    // To a client, from a member.
    /// These commands were applied.
    Applied {
        seqs: SmallVec<[u64; 4]>,
    },
    /// The member does not lead; so far as it knows, that node does.
    NotLeader {
        seq: u64,
        leader: Option<u16>,
    },
    /// The member leads now.
    Leads,
    /// Messages for a consumer, numbered one after the other.
    Deliver {
        tag: ConsumerTag,
        handed: SmallVec<[Handed; 1]>,
    },
    /// Messages that arrive before others that were handed out with them: a bug.
    Ahead {
        tag: ConsumerTag,
        handed: SmallVec<[Handed; 1]>,
    },
    /// The same messages once more, to somebody else: a bug.
    Doubled {
        tag: ConsumerTag,
        handed: SmallVec<[Handed; 1]>,
    },
    /// The answer to `Missing`.
    Found {
        tag: ConsumerTag,
        handed: SmallVec<[Handed; 1]>,
    },
    /// The answer to `basic.get`.
    Got {
        handed: Option<Handed>,
    },
    /// The queue is full: publishes are to be refused, or not any more.
    Full {
        is_full: bool,
    },

    // Between members.
    Raft(Message<CommandId, Arc<Fifo>>),
    /// To itself, behind everything in its mailbox: what was proposed goes out.
    Flush,
}

/// A message that is handed to a consumer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Handed {
    /// The consumer's number for it.
    pub(super) id: u64,
    pub(super) envelope: EnvelopeId,
    pub(super) redelivered: bool,
    /// The header `x-delivery-count`; zero: absent.
    pub(super) count: u32,
    /// Its body has to be read from disk first.
    pub(super) is_on_disk: bool,
}

/// What a member reminds itself of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Alarm {
    Election(u32),
    /// What followers did not answer is sent again.
    Tick,
    /// A message expires, or comes back.
    Due,
    /// The consumers of a node have been out of reach for too long.
    GiveUp(u16),
    /// Dead letters that were not confirmed are sent again.
    Retry,
    /// Nobody used the queue for as long as it may stay unused.
    Expires,
    /// All that a new member needs to come back is on the device.
    Settled,
}

impl QuorumMsg {
    /// What it is, in a word.
    pub(in super::super) fn label(&self) -> &'static str {
        match self {
            Self::Command { request, .. } => request.label(),
            Self::Missing { .. } | Self::Found { .. } => "missing",
            Self::Applied { .. } => "applied",
            Self::NotLeader { .. } => "not leader",
            Self::Leads => "new leader",
            Self::Deliver { .. } | Self::Doubled { .. } | Self::Ahead { .. } => "deliver",
            Self::Got { .. } => "get-ok",
            Self::Full { .. } => "full",
            Self::Raft(message) => match message {
                Message::PreVote { .. } | Message::PreVoteReply { .. } => "pre-vote",
                Message::Vote { .. } | Message::VoteReply { .. } | Message::TimeoutNow { .. } => "vote",
                Message::Append { .. } | Message::Appended { .. } | Message::Refused { .. } => "append",
                Message::Install { .. } => "snapshot",
            },
            Self::Flush => "local",
        }
    }

    pub(in super::super) fn fingerprint(&self) -> u64 {
        match self {
            Self::Command { seq, request } => (seq.map_or(0, NonZeroU64::get) << 4 | request.kind()) << 4,
            Self::Missing { from, .. } => from << 4 | 1,
            Self::Applied { seqs } => seqs.first().copied().unwrap_or(0) << 4 | 2,
            Self::NotLeader { seq, .. } => seq << 4 | 3,
            Self::Leads => 4,
            Self::Deliver { handed, .. } => handed.first().map_or(0, |one| one.id) << 4 | 5,
            Self::Found { handed, .. } => handed.len() as u64 >> 4 | 6,
            Self::Got { .. } => 7,
            Self::Full { is_full } => u64::from(*is_full) << 4 | 8,
            Self::Raft(message) => {
                let index = match message {
                    Message::Append { before, .. } => before.index,
                    Message::Appended { matched, .. } => *matched,
                    _ => 0,
                };
                (index << 16 ^ u64::from(message.term())) << 4 | 9
            }
            Self::Flush => 10,
            Self::Ahead { handed, .. } => handed.first().map_or(0, |one| one.id) << 4 | 12,
            Self::Doubled { handed, .. } => handed.first().map_or(0, |one| one.id) << 4 | 11,
        }
    }

    /// Its size on the wire, about.
    pub(in super::super) fn bytes(&self) -> u32 {
        match self {
            Self::Command { request, .. } => 80 + request.bytes(),
            Self::Deliver { handed, .. }
            | Self::Found { handed, .. }
            | Self::Doubled { handed, .. }
            | Self::Ahead { handed, .. } => 80 + 200 * handed.len() as u32,
            Self::Got { .. } => 280,
            Self::Raft(Message::Append { entries, .. }) => {
                100 + entries.iter().filter_map(|entry| entry.command).map(|one| one.bytes).sum::<u32>()
            }
            Self::Raft(Message::Install { snapshot, .. }) => 200 + snapshot.state.bytes() as u32,
            _ => 80,
        }
    }
}

impl Alarm {
    pub(in super::super) fn fingerprint(self) -> u64 {
        match self {
            Self::Election(number) => u64::from(number) << 3,
            Self::Tick => 1,
            Self::Due => 2,
            Self::GiveUp(node) => u64::from(node) << 3 | 3,
            Self::Retry => 4,
            Self::Expires => 5,
            Self::Settled => 6,
        }
    }
}
