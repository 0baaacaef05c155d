//! The messages of a classic queue: those that are ready, one line for each priority, and those that were delivered
//! and not settled. A queue's leader and its mirrors have one each.
//!
//! A message keeps its number from the moment it enters; what comes back goes to the place that its number says.

use std::collections::VecDeque;

use super::store::{Store, Survivor};
use crate::broker::rabbitmq::broker::Env;
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::message::Pid;
use crate::broker::rabbitmq::model::{RabbitCtx, Shared};
use crate::broker::rabbitmq::packet::ConsumerTag;
use crate::broker::rabbitmq::topology::{QueueId, QueueKind, QueueSpec, Storage};
use crate::fact::{Fact, PlaceId, Rule};
use crate::sim::Time;

/// A message in a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) struct Entry {
    pub(in super::super::super) id: u64,
    pub(in super::super::super) envelope: EnvelopeId,
    /// When it may be thrown away; fixed when it entered.
    pub(in super::super::super) expires: Time,
    /// It was delivered before, or may have been.
    pub(in super::super::super) redelivered: bool,
    /// It is in the store.
    pub(in super::super::super) is_persistent: bool,
}

/// A message that was delivered and is not settled.
#[derive(Clone, Copy, Debug)]
pub(in super::super::super) struct Held {
    pub(in super::super::super) entry: Entry,
    pub(in super::super::super) channel: Pid,
    /// Whose; none: of `basic.get`.
    pub(in super::super::super) tag: Option<ConsumerTag>,
}

/// The messages of a queue on one node.
#[derive(Clone, Debug)]
pub(in super::super::super) struct Backing {
    pub(in super::super::super) queue: QueueId,
    /// Ready messages by priority, each line in the order of numbers.
    levels: Vec<VecDeque<Entry>>,
    /// Delivered and not settled, in the order of numbers.
    pub(in super::super::super) held: VecDeque<Held>,
    pub(in super::super::super) id_next: u64,
    ready: usize,
    ready_bytes: u64,
    /// How many of the ready ones are too large for the queue's own files.
    ready_large: usize,
    pub(in super::super::super) store: Store,
}

impl Backing {
    pub(in super::super::super) fn new(spec: &QueueSpec, queue: QueueId) -> Self {
        let storage = match spec.kind {
            QueueKind::Classic { storage, .. } => storage,
            QueueKind::Quorum | QueueKind::Stream => Storage::V2,
        };
        let levels = usize::from(spec.args.max_priority.unwrap_or(0)) + 1;
        Self {
            queue,
            levels: vec![VecDeque::new(); levels],
            held: VecDeque::new(),
            id_next: 1,
            ready: 0,
            ready_bytes: 0,
            ready_large: 0,
            store: Store::new(queue, storage),
        }
    }

    /// The highest priority is used when a message asks for more, the lowest when it says nothing.
    fn level(&self, envelope: EnvelopeId, env: &Env<'_, '_>) -> usize {
        if let [_] = self.levels[..] {
            return 0;
        }
        let priority = env.shared.stamp(envelope).priority.unwrap_or(0);
        usize::from(priority).min(self.levels.len() - 1)
    }

    pub(in super::super::super) fn next_id(&mut self) -> u64 {
        self.id_next += 1;
        self.id_next - 1
    }

    /// How many messages there are, ready and held.
    pub(in super::super::super) fn count(&self) -> usize {
        self.ready + self.held.len()
    }

    /// The bytes of all their bodies.
    pub(in super::super::super) fn bytes(&self, shared: &Shared) -> u64 {
        let size = |held: &Held| u64::from(shared.content.get(held.entry.envelope).size);
        self.ready_bytes + self.held.iter().map(size).sum::<u64>()
    }

    /// How many of them lie in the store that queues share.
    pub(in super::super::super) fn large(&self, shared: &Shared) -> usize {
        let is_large = |held: &&Held| is_large(shared.content.get(held.entry.envelope).size, shared);
        self.ready_large + self.held.iter().filter(is_large).count()
    }

    /// Up to which number its messages have been written; transient ones never are.
    pub(in super::super::super) fn durable_to(&self, on_device: u64) -> u64 {
        self.store.first_volatile(on_device).unwrap_or(self.id_next)
    }

    /// Everything may have been delivered before.
    pub(in super::super::super) fn flag_all(&mut self) {
        self.levels.iter_mut().flatten().for_each(|entry| entry.redelivered = true);
    }

    /// Everything is thrown away, on disk, too; by this rule.
    pub(in super::super::super) fn wipe(&mut self, rule: Rule, shared: &Shared, ctx: &mut RabbitCtx<'_>) {
        for entry in self.clear() {
            observe_removed(self.queue, entry, rule, shared, ctx);
        }
        self.store.wipe(shared, ctx);
    }

    pub(in super::super::super) fn ready(&self) -> usize {
        self.ready
    }

    pub(in super::super::super) fn ready_bytes(&self) -> u64 {
        self.ready_bytes
    }

    /// Puts a message where its number belongs.
    #[inline]
    pub(in super::super::super) fn insert(&mut self, entry: Entry, env: &Env<'_, '_>) {
        let level = self.level(entry.envelope, env);
        let size = env.shared.content.get(entry.envelope).size;
        self.ready += 1;
        self.ready_bytes += u64::from(size);
        self.ready_large += usize::from(is_large(size, env.shared));
        let line = &mut self.levels[level];
        if line.back().is_none_or(|last| last.id < entry.id) {
            line.push_back(entry);
        } else if line.front().is_some_and(|first| first.id > entry.id) {
            line.push_front(entry);
        } else {
            let at = line.partition_point(|one| one.id < entry.id);
            line.insert(at, entry);
        }
    }

    /// The message that is delivered next: the first one of the highest priority that has any.
    #[inline]
    pub(in super::super::super) fn head(&self) -> Option<&Entry> {
        self.levels.iter().rev().find_map(VecDeque::front)
    }

    /// Takes it out.
    #[inline]
    pub(in super::super::super) fn pop(&mut self, env: &Env<'_, '_>) -> Option<Entry> {
        let line = self.levels.iter_mut().rev().find(|line| !line.is_empty())?;
        let entry = line.pop_front()?;
        self.is_taken(entry, env);
        Some(entry)
    }

    fn is_taken(&mut self, entry: Entry, env: &Env<'_, '_>) {
        let size = env.shared.content.get(entry.envelope).size;
        self.ready -= 1;
        self.ready_bytes -= u64::from(size);
        self.ready_large -= usize::from(is_large(size, env.shared));
    }

    /// Takes out a ready message by its number.
    pub(in super::super::super) fn take(&mut self, id: u64, env: &Env<'_, '_>) -> Option<Entry> {
        for line in &mut self.levels {
            if let Ok(at) = line.binary_search_by_key(&id, |one| one.id) {
                let entry = line.remove(at)?;
                self.is_taken(entry, env);
                return Some(entry);
            }
        }
        None
    }

    /// It was delivered and is not settled.
    #[inline]
    pub(in super::super::super) fn hold(&mut self, held: Held) {
        if self.held.back().is_none_or(|last| last.entry.id < held.entry.id) {
            self.held.push_back(held);
        } else {
            let at = self.held.partition_point(|one| one.entry.id < held.entry.id);
            self.held.insert(at, held);
        }
    }

    /// Takes out what this channel holds under this number.
    #[inline]
    pub(in super::super::super) fn release(&mut self, id: u64, channel: Pid) -> Option<Held> {
        if self.held.front().is_some_and(|first| first.entry.id == id && first.channel == channel) {
            return self.held.pop_front();
        }
        let at = self.held.binary_search_by_key(&id, |one| one.entry.id).ok()?;
        if self.held[at].channel == channel { self.held.remove(at) } else { None }
    }

    /// Takes out everything that this channel holds.
    pub(in super::super::super) fn release_all(&mut self, channel: Pid) -> Vec<Held> {
        let is_its = |one: &Held| one.channel == channel;
        let gone = self.held.iter().copied().filter(is_its).collect();
        self.held.retain(|one| !is_its(one));
        gone
    }

    /// Ready messages, those of the highest priority first.
    pub(in super::super::super) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.levels.iter().rev().flatten()
    }

    /// Everything is thrown away; what it was.
    pub(in super::super::super) fn clear(&mut self) -> Vec<Entry> {
        let ready = self.levels.iter_mut().rev().flat_map(|line| line.drain(..));
        let mut all: Vec<_> = ready.collect();
        all.extend(self.held.drain(..).map(|one| one.entry));
        (self.ready, self.ready_bytes, self.ready_large) = (0, 0, 0);
        all
    }

    /// The node starts: what the store has is ready again.
    pub(in super::super::super) fn recover(&mut self, env: &mut Env<'_, '_>) {
        for entry in self.clear().into_iter().filter(|entry| !entry.is_persistent) {
            observe_removed(self.queue, entry, Rule::Transient, env.shared, env.ctx);
        }
        let survivors = self.store.recover(env);
        for Survivor { id, envelope, expires, redelivered } in survivors {
            self.insert(Entry { id, envelope, expires, redelivered, is_persistent: true }, env);
            self.id_next = self.id_next.max(id + 1);
        }
    }
}

/// Whether a message of so many bytes lies in the store that queues share.
fn is_large(size: u32, shared: &Shared) -> bool {
    size >= shared.topology.config.embed_below_bytes
}

/// A copy is gone, for whoever wants to know.
fn observe_removed(queue: QueueId, entry: Entry, rule: Rule, shared: &Shared, ctx: &mut RabbitCtx<'_>) {
    if ctx.has_details() {
        let (message, place) = (shared.content.message(entry.envelope), PlaceId(u32::from(queue.0)));
        ctx.observe(Fact::Removed { message, place, offset: entry.id, rule });
    }
}
