//! What a classic queue keeps on disk: a log of publishes and acknowledgements.
//!
//! Nothing is written at once. While confirms are outstanding the buffer is written as soon as the queue finds its
//! mailbox empty, and at the latest 200 ms after the first of them; without, when nothing happened for a while (v1:
//! 200 ms, v2: when the queue hibernates, about a second) or when the buffer is full (v1: journal of 32768 entries, v2:
//! publishes of a segment, or acknowledgements of half of one). A message that is acknowledged while its publish is
//! still buffered is never written.
//!
//! v1 flushes its index to the device before it confirms, and when it is idle; v2 leaves that to the operating system.
//!
//! Source: `rabbit_amqqueue_process` (`SYNC_INTERVAL`), `rabbit_queue_index`, `rabbit_classic_queue_index_v2`.
//!
//! With v1 a message of `queue_index_embed_msgs_below` and more lies in the store that the queues of a vhost share, its
//! index entry says where. From 3.13 on that store is not flushed before a confirm: after a power loss the index knows
//! messages whose bodies are gone, and drops them.
//!
//! Not modelled: segments and their compaction (a file is cut when nothing in it is needed), reading back, the shared
//! store as one file (each queue has one of its own, which is as safe).

use std::collections::{BTreeSet, VecDeque};

use smallvec::SmallVec;

use crate::broker::rabbitmq::broker::{Env, QueueAlarm, index_file};
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::message::{Msg, Pid};
use crate::broker::rabbitmq::model::{RabbitCtx, Shared};
use crate::broker::rabbitmq::topology::{QueueId, Storage, Topology};
use crate::fact::{Fact, PlaceId, Rule};
use crate::sim::{Chunked, FileId, Loss, Span, Time};

/// At the latest so long after the first unflushed publish that waits for a confirm.
const SYNC_INTERVAL: Span = Span::from_millis(200);
/// Without confirms, v1 writes what it has when nothing happened for so long.
const IDLE_V1: Span = Span::from_millis(200);
/// And v2, when the queue hibernates.
const IDLE_V2: Span = Span::from_secs(1);
/// The entries of a segment of v2.
const SEGMENT_V2: usize = 4096;
/// A queue's process spends about so long on a message: while more are in its mailbox, it does not flush.
const TURN: Span = Span::from_micros(20);
/// An index entry on disk, and an acknowledgement.
const ENTRY_BYTES: u64 = 30;
const ACK_BYTES: u64 = 10;

/// The log of one queue on one node.
#[derive(Clone, Debug)]
pub(in super::super::super) struct Store {
    queue: QueueId,
    storage: Storage,
    /// What is in the file, in order.
    written: Chunked<Record>,
    /// How many publishes in the file are not acknowledged in the file.
    live: usize,
    /// Publishes that are not written yet, by number, with the time at which they expire.
    publishes: VecDeque<(u64, EnvelopeId, Time)>,
    /// Acknowledgements that are not written yet, of what is written.
    acks: Vec<u64>,
    /// Entries since the buffer was last written: a full journal is written.
    entries: usize,
    /// Who waits for a publish in the buffer: its number, the channel, and the channel's number for it.
    unwritten: VecDeque<(u64, Pid, u64)>,
    /// Who waits for the file to be durable up to here.
    unsynced: VecDeque<(u64, Pid, u64)>,
    /// How long the file of large messages is.
    large: u64,
    is_syncing: bool,
    busy_until: Time,
    touched: Time,
    flush_by: Time,
    is_flush_armed: bool,
    is_idle_armed: bool,
    /// The queue was closed in order: these had been delivered.
    closed: Option<Vec<u64>>,
}

#[derive(Clone, Copy, Debug)]
struct Record {
    id: u64,
    what: What,
    /// The length of the file with it.
    end: u64,
    /// The length of the file of large messages with it; zero: it is not in there.
    large: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Published(EnvelopeId, Time),
    Acked,
}

/// Confirms that became due, by channel.
pub(in super::super::super) type Confirms = SmallVec<[(Pid, u64); 8]>;

/// A message that survived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) struct Survivor {
    pub(in super::super) id: u64,
    pub(in super::super) envelope: EnvelopeId,
    pub(in super::super) expires: Time,
    pub(in super::super) redelivered: bool,
}

impl Store {
    pub(in super::super) fn new(queue: QueueId, storage: Storage) -> Self {
        Self {
            queue,
            storage,
            written: Chunked::new(),
            live: 0,
            publishes: VecDeque::new(),
            acks: Vec::new(),
            entries: 0,
            unwritten: VecDeque::new(),
            unsynced: VecDeque::new(),
            large: 0,
            is_syncing: false,
            busy_until: Time::ZERO,
            touched: Time::ZERO,
            flush_by: Time::NEVER,
            is_flush_armed: false,
            is_idle_armed: false,
            closed: None,
        }
    }

    /// A persistent message is in the queue; the channel that waits for its confirm is told when it is on disk.
    pub(in super::super) fn publish(
        &mut self,
        id: u64,
        (envelope, expires): (EnvelopeId, Time),
        waits: Option<(Pid, u64)>,
        env: &mut Env<'_, '_>,
    ) {
        self.publishes.push_back((id, envelope, expires));
        if let Some((channel, seq)) = waits {
            if self.unwritten.is_empty() {
                self.flush_by = env.ctx.now() + SYNC_INTERVAL;
            }
            self.unwritten.push_back((id, channel, seq));
        }
        self.touch(env);
    }

    /// A persistent message is not needed any more. If its publish was never written, its publisher is confirmed now.
    pub(in super::super) fn ack(&mut self, id: u64, env: &mut Env<'_, '_>) -> Option<(Pid, u64)> {
        let mut waited = None;
        if let Ok(at) = self.publishes.binary_search_by_key(&id, |one| one.0) {
            self.publishes.remove(at);
            if let Ok(at) = self.unwritten.binary_search_by_key(&id, |one| one.0) {
                waited = self.unwritten.remove(at).map(|(_, channel, seq)| (channel, seq));
            }
        } else {
            self.acks.push(id);
        }
        self.touch(env);
        waited
    }

    /// The process did something: it looks after its buffer when it is idle, and finds its mailbox empty later.
    pub(in super::super) fn touch(&mut self, env: &mut Env<'_, '_>) {
        let now = env.ctx.now();
        self.touched = now;
        self.entries += 1;
        self.busy_until = self.busy_until.max(now) + TURN;
        if !self.unwritten.is_empty() {
            if !self.is_flush_armed && !self.is_syncing {
                self.is_flush_armed = true;
                env.remind(self.busy_until.min(self.flush_by), self.queue, QueueAlarm::Flush);
            }
        } else if !self.is_idle_armed && self.is_dirty() {
            self.is_idle_armed = true;
            env.remind(now + self.patience(), self.queue, QueueAlarm::Idle);
        }
        let is_full = match self.storage {
            Storage::V1 => self.entries >= env.shared.topology.config.journal_entries_max as usize,
            Storage::V2 => self.publishes.len() >= SEGMENT_V2 || self.acks.len() >= SEGMENT_V2 / 2,
        };
        if is_full && self.is_dirty() {
            self.write(env);
        }
    }

    fn patience(&self) -> Span {
        if self.storage == Storage::V1 { IDLE_V1 } else { IDLE_V2 }
    }

    /// Whether something is not written yet.
    pub(in crate::broker::rabbitmq) fn is_dirty(&self) -> bool {
        !self.publishes.is_empty() || !self.acks.is_empty()
    }

    /// The process may have found its mailbox empty. What was confirmed by that.
    pub(in super::super) fn flush_due(&mut self, env: &mut Env<'_, '_>) -> Confirms {
        self.is_flush_armed = false;
        if self.unwritten.is_empty() || self.is_syncing {
            return Confirms::new();
        }
        let now = env.ctx.now();
        if self.busy_until > now && self.flush_by > now {
            self.is_flush_armed = true;
            env.remind(self.busy_until.min(self.flush_by), self.queue, QueueAlarm::Flush);
            return Confirms::new();
        }
        self.flush(env)
    }

    /// Nothing may have happened for a while.
    pub(in super::super) fn idle_due(&mut self, env: &mut Env<'_, '_>) {
        self.is_idle_armed = false;
        if !self.is_dirty() {
            return;
        }
        let (now, at) = (env.ctx.now(), self.touched + self.patience());
        if at > now {
            self.is_idle_armed = true;
            env.remind(at, self.queue, QueueAlarm::Idle);
            return;
        }
        self.write(env);
        if self.storage == Storage::V1 && !self.is_syncing {
            self.sync(env);
        }
    }

    /// Writes, and flushes to the device if the release does that before it confirms.
    pub(in super::super) fn flush(&mut self, env: &mut Env<'_, '_>) -> Confirms {
        self.write(env);
        if self.storage.index_syncs() {
            if !self.is_syncing {
                self.sync(env);
            }
            return Confirms::new();
        }
        self.unsynced.drain(..).map(|(_, channel, seq)| (channel, seq)).collect()
    }

    fn sync(&mut self, env: &mut Env<'_, '_>) {
        self.is_syncing = true;
        env.core.flushes += 1;
        env.ctx.sync(index_file(self.queue));
    }

    /// Hands the buffer to the operating system.
    fn write(&mut self, env: &mut Env<'_, '_>) {
        self.entries = 0;
        env.core.disk_writes += self.publishes.len() as u64;
        let mut end = self.written.last().map_or(0, |last| last.end);
        while let Some((id, envelope, expires)) = self.publishes.pop_front() {
            let size = u64::from(env.shared.content.get(envelope).size);
            let is_apart = self.lies_apart(size, env.shared);
            end += ENTRY_BYTES + if is_apart { 0 } else { size };
            let large = if is_apart { self.large + size } else { 0 };
            self.large = self.large.max(large);
            self.written.push(Record { id, what: What::Published(envelope, expires), end, large });
            self.live += 1;
        }
        self.live = self.live.saturating_sub(self.acks.len());
        for id in self.acks.drain(..) {
            end += ACK_BYTES;
            self.written.push(Record { id, what: What::Acked, end, large: 0 });
        }
        self.flush_by = Time::NEVER;
        let waiting = self.unwritten.drain(..).map(|(_, channel, seq)| (end, channel, seq));
        self.unsynced.extend(waiting);
        let file = index_file(self.queue);
        if self.live == 0 && !self.is_syncing && self.unsynced.is_empty() {
            self.written = Chunked::new();
            env.ctx.truncate(file, 0);
            if std::mem::take(&mut self.large) > 0 {
                env.ctx.truncate(large_file(self.queue, env.shared), 0);
            }
        } else {
            if self.large > 0 {
                env.ctx.write(large_file(self.queue, env.shared), self.large);
            }
            env.ctx.write(file, end);
        }
    }

    /// Whether a message of so many bytes lies in a file that nobody flushes before a confirm.
    fn lies_apart(&self, size: u64, shared: &Shared) -> bool {
        let Topology { rules, config, .. } = &*shared.topology;
        self.storage == Storage::V1
            && !rules.shared_store_syncs
            && size >= u64::from(config.embed_below_bytes)
    }

    /// The device has the file up to this length. What was confirmed by that.
    pub(in super::super) fn synced(&mut self, mark: u64, env: &mut Env<'_, '_>) -> Confirms {
        self.is_syncing = false;
        let mut confirms = Confirms::new();
        while let Some(&(end, channel, seq)) = self.unsynced.front()
            && end <= mark
        {
            self.unsynced.pop_front();
            confirms.push((channel, seq));
        }
        if !self.unsynced.is_empty() {
            self.sync(env);
        } else if !self.unwritten.is_empty() && !self.is_flush_armed {
            self.is_flush_armed = true;
            let at = self.busy_until.max(env.ctx.now()).min(self.flush_by);
            env.remind(at, self.queue, QueueAlarm::Flush);
        }
        confirms
    }

    /// The queue is closed in order: everything is written and flushed; these had been delivered.
    pub(in super::super) fn close(&mut self, delivered: Vec<u64>, env: &mut Env<'_, '_>) {
        self.write(env);
        if self.large > 0 {
            env.ctx.sync(large_file(self.queue, env.shared));
        }
        self.sync(env);
        self.closed = Some(delivered);
    }

    /// Whether what it was closed with is on the device.
    pub(in super::super) fn is_closed(&self) -> bool {
        self.closed.is_some() && !self.is_syncing
    }

    /// The power went, or the disk: what was in the file beyond what is left of it is gone.
    pub(in super::super) fn storage_lost(&mut self, loss: Loss, shared: &Shared, ctx: &mut RabbitCtx<'_>) {
        let left = ctx.file_len(index_file(self.queue));
        let mut keep = self.written.len();
        while keep > 0 && self.written[keep - 1].end > left {
            keep -= 1;
        }
        let rule = match loss {
            Loss::Power => Rule::PowerLost,
            Loss::Disk => Rule::DiskLost,
            Loss::Torn => Rule::Torn,
        };
        if ctx.has_details() {
            for record in self.written.iter_from(keep) {
                if let What::Published(envelope, _) = record.what {
                    let message = shared.content.message(envelope);
                    let (place, offset) = (PlaceId(u32::from(self.queue.0)), record.id);
                    ctx.observe(Fact::Removed { message, place, offset, rule });
                }
            }
        }
        self.written.truncate(keep);
        if self.large > 0 && loss != Loss::Torn {
            self.lose_large(rule, shared, ctx);
        }
        let end = self.written.last().map_or(0, |last| last.end);
        ctx.truncate(index_file(self.queue), end);
        if loss != Loss::Torn {
            self.closed = None;
        }
    }

    /// Entries whose message is gone: the index drops them.
    fn lose_large(&mut self, rule: Rule, shared: &Shared, ctx: &mut RabbitCtx<'_>) {
        let left = ctx.file_len(large_file(self.queue, shared));
        let mut kept = Chunked::new();
        for record in self.written.iter() {
            match record.what {
                What::Published(envelope, _) if record.large > left => {
                    if ctx.has_details() {
                        let message = shared.content.message(envelope);
                        let (place, offset) = (PlaceId(u32::from(self.queue.0)), record.id);
                        ctx.observe(Fact::Removed { message, place, offset, rule });
                    }
                }
                _ => kept.push(*record),
            }
        }
        (self.written, self.large) = (kept, left.min(self.large));
    }

    /// The node starts: what was never written is gone. What survived, in the order of its numbers.
    pub(in super::super) fn recover(&mut self, env: &mut Env<'_, '_>) -> Vec<Survivor> {
        self.note_unwritten(env);
        let closed = self.closed.take();
        let acked: BTreeSet<u64> =
            self.written.iter().filter(|record| record.what == What::Acked).map(|record| record.id).collect();
        let mut survivors: Vec<_> = self
            .written
            .iter()
            .filter_map(|record| match record.what {
                What::Published(envelope, expires) if !acked.contains(&record.id) => {
                    let is_known = |closed: &Vec<u64>| closed.binary_search(&record.id).is_ok();
                    let redelivered = closed.as_ref().is_none_or(is_known);
                    Some(Survivor { id: record.id, envelope, expires, redelivered })
                }
                _ => None,
            })
            .collect();
        survivors.sort_unstable_by_key(|one| one.id);
        let written = std::mem::take(&mut self.written);
        let (live, large) = (survivors.len(), self.large);
        *self = Self { written, live, large, ..Self::new(self.queue, self.storage) };
        survivors
    }

    /// What died in the buffer, for whoever wants to know.
    fn note_unwritten(&self, env: &mut Env<'_, '_>) {
        if env.ctx.has_details() {
            let place = PlaceId(u32::from(self.queue.0));
            for &(offset, envelope, _) in &self.publishes {
                let message = env.shared.content.message(envelope);
                env.ctx.observe(Fact::Removed { message, place, offset, rule: Rule::Unwritten });
            }
        }
    }

    /// The queue begins anew: its files are thrown away.
    pub(in super::super) fn wipe(&mut self, shared: &Shared, ctx: &mut RabbitCtx<'_>) {
        ctx.truncate(index_file(self.queue), 0);
        if self.large > 0 {
            ctx.truncate(large_file(self.queue, shared), 0);
        }
        *self = Self::new(self.queue, self.storage);
    }

    /// The first publish that a power loss would take, if so much of the file is on the device.
    pub(in super::super) fn first_volatile(&self, on_device: u64) -> Option<u64> {
        let beyond = self.written.iter().rev().take_while(|record| record.end > on_device);
        let cached = beyond.filter(|record| record.what != What::Acked).map(|record| record.id).min();
        cached.or_else(|| self.publishes.front().map(|(id, ..)| *id))
    }

    /// How long its file is.
    pub(in super::super) fn bytes(&self) -> u64 {
        self.written.last().map_or(0, |last| last.end) + self.large
    }

    /// Everything that waits for a confirm.
    pub(in super::super) fn give_up_waiting(&mut self) -> Confirms {
        let unwritten = std::mem::take(&mut self.unwritten);
        let unsynced = std::mem::take(&mut self.unsynced);
        unsynced.into_iter().chain(unwritten).map(|(_, channel, seq)| (channel, seq)).collect()
    }

    /// How many publishes are in the file and not acknowledged there.
    pub(in crate::broker::rabbitmq) fn on_disk(&self) -> usize {
        self.live
    }
}

/// The file of a queue's large messages, where the release flushes them apart from the index.
fn large_file(queue: QueueId, shared: &Shared) -> FileId {
    FileId(shared.topology.queues.len() as u32 + 2 + u32::from(queue.0))
}

/// Tells the channels what is confirmed, each in one message as far as it follows in a row.
pub(in super::super) fn tell(confirms: Confirms, env: &mut Env<'_, '_>) {
    let mut rest = confirms.into_iter().peekable();
    while let Some((channel, seq)) = rest.next() {
        let mut seqs: SmallVec<[u64; 2]> = SmallVec::from_elem(seq, 1);
        while let Some((_, seq)) = rest.next_if(|(next, _)| *next == channel) {
            seqs.push(seq);
        }
        env.send(channel, Msg::Confirm { seqs });
    }
}
