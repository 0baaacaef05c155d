//! The log of a stream on one node: entries, written in chunks, in segments.
//!
//! A chunk is what the leader found in its mailbox at once; it is written, copied and lost as a whole. Entries with the
//! same offset and the same epoch are the same in all logs. Retention takes whole segments from the beginning, and
//! never the one that is written to.
//!
//! Source: `osiris_log`.
//!
//! Not modelled: index files; the limit of chunks in a segment; what is remembered of publishers when the segment with
//! their last entry is removed (here it stays).

use std::collections::{BTreeMap, VecDeque};

use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::message::Pid;
use crate::broker::rabbitmq::topology::KeyId;
use crate::sim::{Chunked, Span, Time};

/// What a chunk takes in a file besides its entries.
const CHUNK_BYTES: u64 = 48;

/// Who appends: the number of its coordinator's attempt, and that coordinator. Later ones are larger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super::super) struct Epoch {
    pub(in super::super::super) round: u32,
    pub(super) by: u16,
}

/// Whose numbers an entry's number is one of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in super::super::super) enum Writer {
    /// Nobody's: it has none, and is never recognised.
    Nobody,
    /// A channel's: what it sends again to another leader is recognised.
    Channel(Pid),
    /// A named producer's publishing ids.
    Named(KeyId),
}

/// A message in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) struct Entry {
    pub(super) envelope: EnvelopeId,
    pub(super) bytes: u32,
    pub(super) writer: Writer,
    pub(super) seq: u64,
}

/// Entries that were written at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) struct Chunk {
    pub(super) first: u64,
    pub(super) count: u32,
    pub(super) epoch: Epoch,
    pub(super) at: Time,
    /// The length of the file with it.
    pub(super) end_bytes: u64,
}

impl Chunk {
    pub(super) fn end(&self) -> u64 {
        self.first + u64::from(self.count)
    }
}

/// A file of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct Segment {
    pub(super) first: u64,
    pub(super) bytes: u64,
    /// When its last chunk was written.
    pub(super) last: Time,
}

/// What may be in it, at most.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Limits {
    pub(super) segment_bytes: u64,
    pub(super) bytes_max: Option<u64>,
    pub(super) age_max: Option<Span>,
}

/// Since which offset which epoch appended.
pub(in super::super::super) type History = Vec<(Epoch, u64)>;

/// The log of one replica.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Log {
    entries: Chunked<Entry>,
    /// The offset of the first of them.
    base: u64,
    /// The first that is not removed.
    first: u64,
    chunks: Chunked<Chunk>,
    epochs: History,
    segments: VecDeque<Segment>,
    /// How many bytes retention removed.
    removed: u64,
}

impl Log {
    /// An empty one, whose next offset is this.
    pub(super) fn beginning_at(first: u64) -> Self {
        Self { base: first, first, ..Self::default() }
    }

    pub(in super::super) fn first(&self) -> u64 {
        self.first
    }

    pub(in super::super) fn end(&self) -> u64 {
        self.base + self.entries.len() as u64
    }

    pub(super) fn get(&self, offset: u64) -> Option<&Entry> {
        self.entries.get(offset.checked_sub(self.base)? as usize)
    }

    /// The entries from this offset on.
    pub(super) fn iter_from(&self, offset: u64) -> impl Iterator<Item = (u64, &Entry)> {
        let from = offset.clamp(self.base, self.end());
        (from..).zip(self.entries.iter_from((from - self.base) as usize))
    }

    pub(super) fn history(&self) -> &History {
        &self.epochs
    }

    pub(super) fn segments(&self) -> &VecDeque<Segment> {
        &self.segments
    }

    /// How long the file is, what was removed included.
    pub(super) fn len_bytes(&self) -> u64 {
        self.chunks.last().map_or(0, |last| last.end_bytes)
    }

    /// How much of the disk it takes.
    pub(super) fn bytes(&self) -> u64 {
        self.len_bytes().saturating_sub(self.removed)
    }

    /// The chunk of an offset: its place among the chunks.
    fn chunk_at(&self, offset: u64) -> usize {
        let (mut low, mut high) = (0, self.chunks.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.chunks[middle].end() <= offset { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The chunk that an offset is in, whole.
    pub(super) fn chunk(&self, offset: u64) -> Option<(Chunk, Vec<Entry>)> {
        let chunk = *self.chunks.get(self.chunk_at(offset))?;
        let at = chunk.first.checked_sub(self.base)? as usize;
        Some((chunk, self.entries.iter_from(at).take(chunk.count as usize).copied().collect()))
    }

    /// Where the last chunk before an offset begins.
    pub(super) fn last_chunk_before(&self, offset: u64) -> u64 {
        let at = self.chunk_at(offset.saturating_sub(1));
        self.chunks.get(at).map_or(self.first, |chunk| chunk.first.min(offset)).max(self.first)
    }

    /// Appends a chunk; whether a new segment began with it, which is when retention looks.
    pub(super) fn append(&mut self, epoch: Epoch, at: Time, entries: &[Entry], limits: &Limits) -> bool {
        let first = self.end();
        let size = CHUNK_BYTES + entries.iter().map(|entry| u64::from(entry.bytes)).sum::<u64>();
        let end_bytes = self.len_bytes() + size;
        for entry in entries {
            self.entries.push(*entry);
        }
        self.chunks.push(Chunk { first, count: entries.len() as u32, epoch, at, end_bytes });
        if self.epochs.last().is_none_or(|(last, _)| *last != epoch) {
            self.epochs.push((epoch, first));
        }
        let open = self.segments.back_mut().filter(|segment| segment.bytes < limits.segment_bytes);
        if let Some(segment) = open {
            segment.bytes += size;
            segment.last = at;
            return false;
        }
        self.segments.push_back(Segment { first, bytes: size, last: at });
        self.segments.len() > 1
    }

    /// Cuts everything from this offset on, and whatever was written with it; what that was.
    pub(super) fn truncate(&mut self, to: u64) -> Vec<(u64, EnvelopeId)> {
        if to >= self.end() {
            return Vec::new();
        }
        let keep = self.chunk_at(to);
        let to = self.chunks.get(keep).map_or(to, |chunk| chunk.first).max(self.base);
        let cut = self.iter_from(to).map(|(offset, entry)| (offset, entry.envelope)).collect();
        if to <= self.first {
            *self = Self::beginning_at(to);
            return cut;
        }
        self.entries.truncate((to - self.base) as usize);
        self.chunks.truncate(keep);
        self.epochs.retain(|(_, since)| *since < to);
        let last = self.chunks.last().map(|last| (last.end_bytes, last.at));
        while self.segments.back().is_some_and(|segment| segment.first >= to) {
            self.segments.pop_back();
        }
        let before: u64 = self.segments.iter().rev().skip(1).map(|segment| segment.bytes).sum();
        let whole = last.map_or(0, |(end, _)| end).saturating_sub(self.removed);
        if let Some(segment) = self.segments.back_mut() {
            segment.bytes = whole.saturating_sub(before);
            segment.last = last.map_or(segment.last, |(_, at)| at);
        }
        cut
    }

    /// The end of the last chunk that lies within this length of the file.
    pub(super) fn end_within(&self, len: u64) -> u64 {
        let whole = self.chunks.iter().rev().find(|chunk| chunk.end_bytes <= len);
        whole.map_or(self.first(), Chunk::end)
    }

    /// Cuts what the file does not have any more.
    pub(super) fn truncate_bytes(&mut self, len: u64) -> Vec<(u64, EnvelopeId)> {
        let mut keep = self.chunks.len();
        while keep > 0 && self.chunks[keep - 1].end_bytes > len {
            keep -= 1;
        }
        match self.chunks.get(keep) {
            Some(chunk) => self.truncate(chunk.first),
            None => Vec::new(),
        }
    }

    /// Removes the oldest segments that are too much or too old: from and to which offset, and whether for their age.
    pub(super) fn retain(&mut self, limits: &Limits, now: Time) -> Vec<(u64, u64, bool)> {
        let mut gone = Vec::new();
        let mut bytes: u64 = self.segments.iter().map(|segment| segment.bytes).sum();
        while self.segments.len() > 1 {
            let oldest = self.segments[0];
            let is_too_much = limits.bytes_max.is_some_and(|max| bytes > max);
            let is_too_old = limits.age_max.is_some_and(|age| oldest.last + age < now);
            if !is_too_much && !is_too_old {
                break;
            }
            self.segments.pop_front();
            bytes -= oldest.bytes;
            self.removed += oldest.bytes;
            gone.push((self.first, self.segments[0].first, !is_too_much));
            self.first = self.segments[0].first;
        }
        gone
    }

    /// Whose highest number is which.
    pub(super) fn highest(&self) -> BTreeMap<Writer, u64> {
        let mut highest = BTreeMap::new();
        for entry in self.entries.iter().filter(|entry| entry.writer != Writer::Nobody) {
            let known = highest.entry(entry.writer).or_insert(entry.seq);
            *known = entry.seq.max(*known);
        }
        highest
    }
}

/// Up to where two logs agree.
pub(super) fn common(one: (&History, u64), other: (&History, u64)) -> u64 {
    let ends = |(history, end): (&History, u64)| -> Vec<(Epoch, u64, u64)> {
        let nexts = history.iter().skip(1).map(|(_, since)| *since).chain([end]);
        history.iter().zip(nexts).map(|((epoch, since), next)| (*epoch, *since, next)).collect()
    };
    let (mine, theirs) = (ends(one), ends(other));
    let mut agreed = 0;
    for (epoch, since, end) in mine {
        let same = theirs.iter().find(|(their, ..)| *their == epoch);
        if let Some((_, their_since, their_end)) = same
            && since.max(*their_since) <= end.min(*their_end)
        {
            agreed = agreed.max(end.min(*their_end));
        }
    }
    agreed
}
