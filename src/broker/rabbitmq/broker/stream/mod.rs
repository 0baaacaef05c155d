//! A stream: a log that consumers read without taking anything away, one replica a node.
//!
//! ```text
//! channel ─Write─► leader ─chunk─► its file ─Append─► replicas ─► their files: a majority has it, committed
//!    ▲                └─Written─► channel                           └─► readers of the channels on that node
//! ```
//!
//! Nothing is flushed: a killed process loses nothing, a power cut what the operating system has not written back. A
//! publish is confirmed when a majority of the replicas has written it. Every message is kept, whatever its delivery
//! mode, until its segment is removed.
//!
//! A consumer begins where it says, gets what is committed from the replica of its own node, and counts its position by
//! itself; an acknowledgement is the credit for one more message and nothing else. The channel keeps what it was not
//! told to be written and sends it to the next leader again, who recognises it by its number; a named producer's
//! messages are recognised by their publishing ids, of which the highest is known.
//!
//! Source: <https://www.rabbitmq.com/docs/streams>, `rabbit_stream_queue`, `rabbit_stream_coordinator`, the library
//! Osiris.
//!
//! Not modelled: the stream protocol, but for publishing ids; offsets that the server keeps for consumers; filters,
//! super streams, single active consumers; beginning at a time; replicas that are added or removed; chunks that are
//! held back by a slow reader; compression.

mod client;
mod log;
mod look;
mod process;
mod readers;
mod replica;
#[cfg(test)]
mod tests;

use smallvec::SmallVec;

pub(super) use client::{Clients, write_untracked};
pub(in super::super) use process::Stream;
pub(in super::super) use readers::Reader;

use crate::broker::rabbitmq::content::EnvelopeId;
use replica::Between;

/// What replicas and clients of a stream say to each other.
#[derive(Clone, Debug)]
pub(in super::super) enum StreamMsg {
    // To the leader, from a client.
    /// Its message of that number; none: it does not want to hear of it.
    Write {
        seq: Option<u64>,
        envelope: EnvelopeId,
    },

    // To a client, from a replica.
    /// A majority has these.
    Written {
        seqs: SmallVec<[u64; 4]>,
    },
    /// The replica does not lead; so far as it knows, that node does.
    NotLeader {
        leader: Option<u16>,
    },

    Between(Between),
    /// To itself, behind everything in its mailbox: what came is one chunk.
    Flush,
}

/// What a replica reminds itself of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Alarm {
    /// It had no leader for a while.
    Leaderless(u32),
}

impl StreamMsg {
    /// What it is, in a word.
    pub(in super::super) fn label(&self) -> &'static str {
        match self {
            Self::Write { .. } => "publish",
            Self::Written { .. } => "written",
            Self::NotLeader { .. } => "not leader",
            Self::Between(msg) => match msg {
                Between::Stop { .. } | Between::Stopped { .. } => "stop",
                Between::Lead { .. } => "lead",
                Between::Follow { .. } | Between::Attach { .. } | Between::From { .. } => "attach",
                Between::Append { .. } | Between::Appended { .. } => "append",
                Between::Committed { .. } => "committed",
                Between::Seek { .. } => "seek",
            },
            Self::Flush => "local",
        }
    }

    pub(in super::super) fn fingerprint(&self) -> u64 {
        match self {
            Self::Write { seq, envelope } => (seq.unwrap_or(0) << 20 ^ u64::from(envelope.0)) << 4,
            Self::Written { seqs } => seqs.first().copied().unwrap_or(0) << 4 | 1,
            Self::NotLeader { .. } => 2,
            Self::Between(msg) => {
                let number = match msg {
                    Between::Append { chunk, .. } => chunk.end(),
                    Between::Appended { end, .. } | Between::Attach { end, .. } => *end,
                    Between::From { at, .. } => *at,
                    Between::Committed { committed, .. } => *committed,
                    Between::Stopped { tail, .. } => tail.1,
                    Between::Stop { epoch }
                    | Between::Lead { epoch }
                    | Between::Follow { epoch }
                    | Between::Seek { promised: epoch } => u64::from(epoch.round),
                };
                number << 4 | 3
            }
            Self::Flush => 4,
        }
    }

    /// Whether it carries a message of an application.
    pub(in super::super) fn carries_message(&self) -> bool {
        matches!(self, Self::Write { .. } | Self::Between(Between::Append { .. }))
    }

    /// Its size on the wire besides the messages, about.
    pub(in super::super) fn bytes(&self) -> u32 {
        match self {
            Self::Between(Between::Append { entries, .. }) => {
                100 + entries.iter().map(|entry| entry.bytes).sum::<u32>()
            }
            Self::Write { .. } => 200,
            _ => 80,
        }
    }
}

impl Alarm {
    pub(in super::super) fn fingerprint(self) -> u64 {
        let Self::Leaderless(number) = self;
        u64::from(number)
    }
}
