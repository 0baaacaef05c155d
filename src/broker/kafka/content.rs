//! What was ever written: batches and their records. A batch is immutable once a leader has appended it, so logs,
//! packets and snapshots refer to it by number; replicating it copies four bytes.

use std::collections::BTreeMap;

use crate::fact::MessageId;
use crate::sim::{Chunked, Span};

/// A batch, by its number in [`Content`].
pub(super) type BatchId = u32;

/// Bytes of a record batch's header, and of a record's own fields, in the wire format since 0.11.
const BATCH_BYTES: u32 = 61;
const RECORD_BYTES: u32 = 10;

/// A batch as its leader appended it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Batch {
    pub(super) base: u64,
    pub(super) epoch: u32,
    pub(super) count: u32,
    pub(super) bytes: u32,
    /// Its records: of messages, the first index into `records`; else an index into the list of its kind.
    first: u32,
    pub(super) kind: BatchKind,
}

/// What a batch holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BatchKind {
    /// Messages of producers.
    Messages,
    /// Offsets that a group committed.
    Offsets,
    /// A group's members and their assignment.
    Group,
}

/// Offsets committed by one request.
#[derive(Clone, Debug)]
pub(super) struct Committed {
    pub(super) group: u16,
    pub(super) offsets: Vec<(u32, u64)>,
}

/// A group as it stands after a rebalance.
#[derive(Clone, Debug)]
pub(super) struct GroupRecord {
    pub(super) group: u16,
    pub(super) generation: u32,
    pub(super) leader: u64,
    pub(super) members: BTreeMap<u64, MemberRecord>,
}

/// A member of a group, as recorded.
#[derive(Clone, Debug)]
pub(super) struct MemberRecord {
    pub(super) session: Span,
    /// Its rebalance time-out.
    pub(super) patience: Span,
    /// The partitions it owns.
    pub(super) assignment: Vec<u32>,
}

/// Everything that was ever appended anywhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    batches: Chunked<Batch>,
    records: Chunked<MessageId>,
    committed: Chunked<Committed>,
    groups: Chunked<GroupRecord>,
}

impl Batch {
    /// The offset after its last record.
    #[inline]
    pub(super) fn end(&self) -> u64 {
        self.base + u64::from(self.count)
    }
}

impl Content {
    #[inline]
    pub(super) fn batch(&self, id: BatchId) -> &Batch {
        &self.batches[id as usize]
    }

    /// A leader appends messages at this offset.
    #[inline]
    pub(super) fn add_messages(
        &mut self,
        base: u64,
        epoch: u32,
        messages: &[MessageId],
        bytes: u32,
    ) -> BatchId {
        let first = self.records.len() as u32;
        for &message in messages {
            self.records.push(message);
        }
        let (count, kind) = (messages.len() as u32, BatchKind::Messages);
        self.add(Batch { base, epoch, count, bytes, first, kind })
    }

    /// A coordinator appends committed offsets.
    pub(super) fn add_committed(&mut self, base: u64, epoch: u32, committed: Committed) -> BatchId {
        let first = self.committed.len() as u32;
        let bytes = BATCH_BYTES + 60 * committed.offsets.len() as u32;
        self.committed.push(committed);
        self.add(Batch { base, epoch, count: 1, bytes, first, kind: BatchKind::Offsets })
    }

    /// A coordinator appends a group's members.
    pub(super) fn add_group(&mut self, base: u64, epoch: u32, group: GroupRecord) -> BatchId {
        let first = self.groups.len() as u32;
        let bytes = BATCH_BYTES + 200 * group.members.len() as u32;
        self.groups.push(group);
        self.add(Batch { base, epoch, count: 1, bytes, first, kind: BatchKind::Group })
    }

    /// The messages of a batch, in order; none for other kinds.
    #[inline]
    pub(super) fn messages(&self, batch: &Batch) -> impl Iterator<Item = MessageId> + '_ {
        let count = if batch.kind == BatchKind::Messages { batch.count } else { 0 };
        let first = batch.first as usize;
        (first..first + count as usize).map(|at| self.records[at])
    }

    /// The committed offsets of a batch of that kind.
    pub(super) fn committed(&self, batch: &Batch) -> Option<&Committed> {
        (batch.kind == BatchKind::Offsets).then(|| &self.committed[batch.first as usize])
    }

    /// The group of a batch of that kind.
    pub(super) fn group(&self, batch: &Batch) -> Option<&GroupRecord> {
        (batch.kind == BatchKind::Group).then(|| &self.groups[batch.first as usize])
    }

    #[inline]
    fn add(&mut self, batch: Batch) -> BatchId {
        self.batches.push(batch);
        self.batches.len() as u32 - 1
    }
}

/// The size of a batch of `count` records with this much payload in all.
pub(super) fn batch_bytes(count: u32, payload: u32) -> u32 {
    BATCH_BYTES + count * RECORD_BYTES + payload
}
