//! A node's log of all its quorum queues: one file, one flush at a time.
//!
//! What members hand over while a flush is under way waits in memory and goes out with the next one, up to
//! `raft.wal_max_batch_size` entries at once: the busier the queues, the more entries share a flush. A kill loses what
//! waits in memory; a power loss also what was written and not flushed.
//!
//! Source: `ra_log_wal`.
//!
//! Not modelled: segments, into which old entries move (they count as freed when a snapshot takes their place).

use std::collections::VecDeque;

use smallvec::SmallVec;

use crate::broker::rabbitmq::model::{RabbitCtx, Shared};
use crate::broker::rabbitmq::topology::QueueId;
use crate::broker::raft::Mark;
use crate::sim::FileId;

/// The node-wide log of all quorum queues.
#[derive(Clone, Debug, Default)]
pub(in super::super::super) struct Wal {
    /// Entries of one flush at most.
    batch_max: u32,
    /// In memory, with their bytes.
    waiting: VecDeque<(QueueId, Piece, u32)>,
    /// In the file and not flushed, with the file's length after them.
    written: VecDeque<(u64, QueueId, Piece)>,
    len: u64,
    freed: u64,
    is_flushing: bool,
    /// How often it was flushed.
    flushes: u64,
    /// After a start: what was written and is still there, though nobody was told that it is durable.
    survived: Vec<(QueueId, Piece)>,
}

/// What a member hands over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Piece {
    /// Entries up to this one: a [`Mark`], field by field, so that it fits into two registers.
    Entries {
        to: u64,
        cut: u32,
    },
    Snapshot,
}

impl Piece {
    #[inline]
    pub(super) fn of(mark: Mark) -> Self {
        Self::Entries { to: mark.index, cut: mark.cut }
    }

    /// Whether what comes next says all that this one does.
    fn is_before(self, next: Self) -> bool {
        matches!((self, next), (Self::Entries { cut, .. }, Self::Entries { cut: next, .. }) if cut == next)
    }
}

/// Its file.
pub(in super::super) fn wal_file(shared: &Shared) -> FileId {
    FileId(shared.topology.queues.len() as u32)
}

impl Wal {
    pub(in super::super) fn new(batch_max: u32) -> Self {
        Self { batch_max, ..Self::default() }
    }

    /// A member has something to be made durable.
    #[inline]
    pub(super) fn append(
        &mut self,
        queue: QueueId,
        piece: Piece,
        bytes: u32,
        file: FileId,
        ctx: &mut RabbitCtx<'_>,
    ) {
        if self.is_flushing {
            self.waiting.push_back((queue, piece, bytes));
        } else {
            self.write(queue, piece, bytes);
            self.flush(file, ctx);
        }
    }

    #[inline]
    fn write(&mut self, queue: QueueId, piece: Piece, bytes: u32) {
        self.len += u64::from(bytes);
        self.written.push_back((self.len, queue, piece));
    }

    fn flush(&mut self, file: FileId, ctx: &mut RabbitCtx<'_>) {
        self.is_flushing = true;
        self.flushes += 1;
        ctx.write(file, self.len);
        ctx.sync(file);
    }

    /// The file is durable up to here: which queues have what on the device. A queue hears of all its entries in a
    /// flush at once.
    pub(in super::super) fn synced(
        &mut self,
        mark: u64,
        file: FileId,
        ctx: &mut RabbitCtx<'_>,
    ) -> SmallVec<[(QueueId, Piece); 2]> {
        let mut durable = SmallVec::new();
        // What one queue wrote in a row is put together first: more than that is rare.
        let mut row: Option<(QueueId, Piece)> = None;
        while let Some((_, queue, piece)) = self.written.pop_front_if(|(end, ..)| *end <= mark) {
            match &mut row {
                Some((of, before)) if *of == queue && before.is_before(piece) => *before = piece,
                _ => note(&mut durable, row.replace((queue, piece))),
            }
        }
        note(&mut durable, row);
        self.is_flushing = false;
        if !self.waiting.is_empty() {
            for _ in 0..self.batch_max {
                let Some((queue, piece, bytes)) = self.waiting.pop_front() else { break };
                self.write(queue, piece, bytes);
            }
            self.flush(file, ctx);
        }
        durable
    }

    /// The process starts over a file of this length.
    pub(in super::super) fn restart(&mut self, len: u64) {
        self.is_flushing = false;
        self.waiting.clear();
        let written = std::mem::take(&mut self.written).into_iter();
        self.survived =
            written.take_while(|(end, ..)| *end <= len).map(|(_, queue, piece)| (queue, piece)).collect();
        self.len = len;
        self.freed = self.freed.min(len);
    }

    /// What a queue finds in the file that it did not know to be durable.
    pub(super) fn survived(&mut self, queue: QueueId) -> Vec<Piece> {
        let (own, others) = std::mem::take(&mut self.survived).into_iter().partition(|(of, _)| *of == queue);
        self.survived = others;
        let own: Vec<(QueueId, Piece)> = own;
        own.into_iter().map(|(_, piece)| piece).collect()
    }

    /// Entries of so many bytes are not needed any more.
    pub(super) fn free(&mut self, bytes: u64) {
        self.freed += bytes;
    }

    /// Nothing waits to be written.
    pub(in super::super) fn is_quiet(&self) -> bool {
        self.waiting.is_empty() && self.written.is_empty()
    }

    /// How often it was flushed.
    pub(in super::super::super) fn flushes(&self) -> u64 {
        self.flushes
    }

    /// How much of the disk it takes.
    pub(in super::super) fn bytes(&self) -> u64 {
        self.len - self.freed.min(self.len)
    }
}

/// A queue has this on the device, too.
fn note(durable: &mut SmallVec<[(QueueId, Piece); 2]>, more: Option<(QueueId, Piece)>) {
    let Some((queue, piece)) = more else { return };
    match durable.iter_mut().rev().find(|(of, _)| *of == queue) {
        Some((_, before)) if before.is_before(piece) => *before = piece,
        _ => durable.push((queue, piece)),
    }
}
