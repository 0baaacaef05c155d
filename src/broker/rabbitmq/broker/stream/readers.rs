//! The consumers of a stream on one node: where each of them is, and how many messages it may still be sent.

use super::log::Log;
use crate::broker::rabbitmq::config::StreamOffset;
use crate::broker::rabbitmq::message::{Pid, Subscribe};
use crate::broker::rabbitmq::packet::ConsumerTag;
use crate::fact::NodeId;

/// A consumer.
#[derive(Clone, Copy, Debug)]
pub(in super::super::super) struct Reader {
    pub(super) channel: Pid,
    pub(super) tag: ConsumerTag,
    pub(in super::super::super) client: NodeId,
    /// Where it began.
    pub(super) began: u64,
    /// The next offset that it gets.
    pub(in super::super::super) next: u64,
    pub(super) prefetch: u32,
    /// Sent and not acknowledged.
    pub(super) unacked: u32,
}

impl Reader {
    /// A consumer begins where it says.
    pub(super) fn new(channel: Pid, wanted: Subscribe, log: &Log) -> Self {
        let Subscribe { tag, prefetch, offset, client, .. } = wanted;
        let (first, end) = (log.first(), log.end());
        let next = match offset {
            StreamOffset::First => first,
            StreamOffset::Last => log.last_chunk_before(end),
            StreamOffset::Next => end,
            StreamOffset::At(offset) => offset.clamp(first, end),
        };
        Self { channel, tag, client, began: next, next, prefetch: u32::from(prefetch), unacked: 0 }
    }

    /// Where it began.
    pub(in super::super::super) fn begins(&self) -> u64 {
        self.began
    }

    pub(super) fn can_take(&self) -> bool {
        self.unacked < self.prefetch
    }

    /// So many were acknowledged.
    pub(super) fn acked(&mut self, count: usize) {
        self.unacked = self.unacked.saturating_sub(count as u32);
    }
}
