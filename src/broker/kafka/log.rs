//! A replica's log: batches in offset order and the cache of leader epochs.
//!
//! Truncation removes whole batches, and an epoch's entry with its last batch.
//!
//! Source: `UnifiedLog`, `LeaderEpochFileCache` in the Kafka source tree.
//! Not modelled: segments, indexes, retention, compaction; a log starts at offset 0 for ever.

use super::content::{Batch, BatchId, Content};
use crate::sim::Chunked;
use smallvec::SmallVec;

/// One replica's log.
#[derive(Clone, Debug, Default)]
pub(super) struct Log {
    batches: Chunked<BatchId>,
    /// The offset after the last record: LEO.
    end: u64,
    bytes: u64,
    /// Epoch and its first offset, in order.
    epochs: SmallVec<[(u32, u64); 4]>,
}

impl Log {
    /// The log end offset.
    #[inline]
    pub(super) fn end(&self) -> u64 {
        self.end
    }

    /// Its length on disk.
    #[inline]
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The epoch of the last batch; zero in an empty log.
    #[inline]
    pub(super) fn last_epoch(&self) -> u32 {
        self.epochs.last().map_or(0, |&(epoch, _)| epoch)
    }

    /// Epochs and their first offsets.
    pub(super) fn epochs(&self) -> &[(u32, u64)] {
        &self.epochs
    }

    /// Before which offset everything is whole within the file's first `bytes`: what a power loss would leave. From
    /// whichever end of the log is nearer.
    pub(super) fn end_within(&self, bytes: u64, content: &Content) -> u64 {
        if bytes >= self.bytes.div_ceil(2) {
            let (mut end, mut left) = (self.end, self.bytes);
            for &id in self.batches.iter().rev() {
                if left <= bytes {
                    break;
                }
                let batch = content.batch(id);
                left -= u64::from(batch.bytes);
                end = batch.base;
            }
            return end;
        }
        let (mut end, mut left) = (0, bytes);
        for &id in self.batches.iter() {
            let batch = content.batch(id);
            let Some(rest) = left.checked_sub(u64::from(batch.bytes)) else { break };
            (end, left) = (batch.end(), rest);
        }
        end
    }

    /// Appends a batch that begins at the end.
    #[inline]
    pub(super) fn append(&mut self, id: BatchId, batch: &Batch) {
        debug_assert_eq!(batch.base, self.end, "a batch continues the log");
        if self.epochs.is_empty() || self.last_epoch() < batch.epoch {
            self.epochs.push((batch.epoch, batch.base));
        }
        self.batches.push(id);
        self.end = batch.end();
        self.bytes += u64::from(batch.bytes);
    }

    /// An epoch begins at the end, even if nothing is ever appended in it.
    pub(super) fn begin_epoch(&mut self, epoch: u32) {
        if self.epochs.is_empty() || self.last_epoch() < epoch {
            self.epochs.push((epoch, self.end));
        }
    }

    /// Batches from this offset on, as long as they fit into `bytes_max`; always at least one if there is one.
    #[inline]
    pub(super) fn read<const N: usize>(
        &self,
        from: u64,
        to: u64,
        bytes_max: u32,
        content: &Content,
    ) -> SmallVec<[BatchId; N]>
    where
        [BatchId; N]: smallvec::Array<Item = BatchId>,
    {
        let mut found = SmallVec::new();
        if from >= to {
            return found;
        }
        let mut bytes = 0;
        for &id in self.batches.iter_from(self.index_of(from, content)) {
            let batch = content.batch(id);
            bytes += batch.bytes;
            if batch.base >= to || (bytes > bytes_max && !found.is_empty()) {
                break;
            }
            found.push(id);
        }
        found
    }

    /// The end offset of the largest epoch that is not larger than `epoch`, and that epoch; none: no such epoch.
    pub(super) fn epoch_end(&self, epoch: u32) -> Option<(u32, u64)> {
        let next = self.epochs.iter().position(|&(known, _)| known > epoch).unwrap_or(self.epochs.len());
        let (known, _) = *self.epochs.get(next.checked_sub(1)?)?;
        let end = self.epochs.get(next).map_or(self.end, |&(_, start)| start);
        Some((known, end))
    }

    /// The first offset of the first epoch larger than `epoch`; the end if there is none. What brokers before 2.0
    /// answered (KIP-101 without KIP-279).
    pub(super) fn next_epoch_start(&self, epoch: u32) -> u64 {
        self.epochs.iter().find(|&&(known, _)| known > epoch).map_or(self.end, |&(_, start)| start)
    }

    /// Removes everything from this offset on; the batches removed, last first.
    pub(super) fn truncate(&mut self, offset: u64, content: &Content) -> Vec<BatchId> {
        let mut removed = Vec::new();
        while let Some(&id) = self.batches.last() {
            let batch = content.batch(id);
            if batch.end() <= offset {
                break;
            }
            removed.push(id);
            self.end = batch.base;
            self.bytes -= u64::from(batch.bytes);
            self.batches.truncate(self.batches.len() - 1);
        }
        self.epochs.retain(|&mut (_, start)| start < self.end);
        removed
    }

    /// Removes every batch that does not fit into the file's first `bytes`: what recovery does to a torn tail.
    pub(super) fn recover(&mut self, bytes: u64, content: &Content) -> Vec<BatchId> {
        let end = self.end_within(bytes, content);
        self.truncate(end, content)
    }

    /// All batches from this offset on.
    pub(super) fn batches_from(&self, offset: u64, content: &Content) -> impl Iterator<Item = BatchId> + '_ {
        let at = if offset >= self.end { self.batches.len() } else { self.index_of(offset, content) };
        self.batches.iter_from(at).copied()
    }

    /// The index of the batch that holds this offset. Readers are almost always near the end: search from there.
    #[inline]
    fn index_of(&self, offset: u64, content: &Content) -> usize {
        let base = |at: usize| content.batch(self.batches[at]).base;
        let (mut high, mut step) = (self.batches.len(), 1);
        let mut low = high.saturating_sub(step);
        while low > 0 && base(low) > offset {
            high = low;
            step *= 4;
            low = high.saturating_sub(step);
        }
        while high - low > 1 {
            let middle = low.midpoint(high);
            if base(middle) <= offset {
                low = middle;
            } else {
                high = middle;
            }
        }
        low
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::MessageId;

    fn log(batches: &[(u32, u32)]) -> (Log, Content) {
        let (mut log, mut content) = (Log::default(), Content::default());
        for &(epoch, count) in batches {
            let messages = vec![MessageId(0); count as usize];
            let id = content.add_messages(log.end(), epoch, &messages, 100);
            log.append(id, content.batch(id));
        }
        (log, content)
    }

    #[test]
    fn epoch_ends_are_those_of_the_largest_epoch_not_above() {
        let (log, _) = log(&[(0, 3), (2, 1), (2, 1), (5, 4)]);
        assert_eq!(log.epoch_end(0), Some((0, 3)));
        assert_eq!(log.epoch_end(1), Some((0, 3)));
        assert_eq!(log.epoch_end(2), Some((2, 5)));
        assert_eq!(log.epoch_end(9), Some((5, 9)));
        assert_eq!((log.next_epoch_start(1), log.next_epoch_start(5)), (3, 9));
    }

    #[test]
    fn truncation_removes_whole_batches_and_their_epochs() {
        let (mut log, content) = log(&[(0, 3), (1, 2), (1, 2)]);
        assert_eq!(log.truncate(3, &content).len(), 2);
        assert_eq!((log.end(), log.last_epoch(), log.bytes()), (3, 0, 100));
        assert!(log.truncate(3, &content).is_empty());
    }

    #[test]
    fn recovery_drops_the_batch_that_was_torn() {
        let (mut log, content) = log(&[(0, 1), (0, 1), (0, 1)]);
        log.recover(290, &content);
        assert_eq!((log.end(), log.bytes()), (2, 200));
    }

    #[test]
    fn a_prefix_of_the_file_holds_whole_batches() {
        let (log, content) = log(&[(0, 2); 10]);
        for bytes in 0..=1_100 {
            assert_eq!(log.end_within(bytes, &content), (bytes / 100).min(10) * 2, "{bytes} bytes");
        }
    }

    #[test]
    fn reading_finds_every_offset() {
        let (log, content) = log(&[(0, 3); 500]);
        for offset in 0..log.end() {
            let found: SmallVec<[u32; 4]> = log.read(offset, log.end(), 1, &content);
            assert_eq!(found.as_slice(), [(offset / 3) as u32]);
        }
        assert!(log.read::<4>(log.end(), log.end(), 1, &content).is_empty());
    }
}
