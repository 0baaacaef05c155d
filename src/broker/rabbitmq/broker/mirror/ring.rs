//! The leader's side: who its mirrors are, and what it tells them.

use smallvec::SmallVec;

use super::super::Env;
use super::super::classic::{Classic, Entry};
use super::super::meta::QueueRecord;
use super::MirrorMsg;
use crate::broker::rabbitmq::message::{Msg, Pid, Proc, Publish};
use crate::broker::rabbitmq::topology::{QueueId, Topology};
use crate::sim::draw::{self, Purpose};

/// The mirrors of a leader.
#[derive(Clone, Debug, Default)]
pub(in super::super::super) struct Ring {
    mirrors: SmallVec<[Member; 2]>,
    /// The mirror that is brought up to date, and what it has not been sent.
    syncing: Option<(u16, Vec<Entry>)>,
}

/// A mirror as its leader knows it.
#[derive(Clone, Copy, Debug)]
struct Member {
    node: u16,
    /// It has every message from this number on; none: it has all.
    since: Option<u64>,
}

impl Ring {
    /// The ring of a queue, if a policy asks for one.
    pub(in super::super) fn of(
        queue: QueueId,
        record: &QueueRecord,
        topology: &Topology,
    ) -> Option<Box<Self>> {
        topology.queue(queue).args.ha.as_ref()?;
        let member = |&node: &u16| {
            let since = (!record.synchronised.contains(&node)).then_some(u64::MAX);
            Member { node, since }
        };
        Some(Box::new(Self { mirrors: record.others.iter().map(member).collect(), syncing: None }))
    }

    /// A mirror joins that has everything from this number on.
    pub(in super::super) fn join(&mut self, node: u16, since: Option<u64>) {
        self.leave(node);
        self.mirrors.push(Member { node, since });
    }

    pub(in super::super) fn leave(&mut self, node: u16) {
        self.mirrors.retain(|member| member.node != node);
        if self.syncing.as_ref().is_some_and(|(syncing, _)| *syncing == node) {
            self.syncing = None;
        }
    }

    /// Whether a mirror is being brought up to date.
    pub(in super::super) fn is_syncing(&self) -> bool {
        self.syncing.is_some()
    }
}

/// Of so many messages that a leader sends on a busy connection, one is lost. An estimate.
const DROPPED_OUT_OF: u64 = 50;

/// Bug: what the ring sends must not wait, and what would have to is not sent. The mirror never hears what became
/// of the message, and never confirms it.
fn is_dropped(to: u16, id: u64, env: &Env<'_, '_>) -> bool {
    if !env.shared.topology.rules.mirrors_send_unsafely || !env.core.dist.is_busy(to, env.ctx.now()) {
        return false;
    }
    let bits = draw::bits(env.ctx.seed(), Purpose::Link, u64::from(to) << 32 | u64::from(env.core.id), id);
    draw::below(bits, DROPPED_OUT_OF) == 0
}

impl Classic {
    fn tell_ring(&self, msg: &MirrorMsg, env: &mut Env<'_, '_>) {
        let Some(ring) = &self.ring else { return };
        for member in &ring.mirrors {
            if let MirrorMsg::Published { entry, .. } = msg
                && is_dropped(member.node, entry.id, env)
            {
                continue;
            }
            let to = Pid { node: member.node, proc: Proc::Queue(self.id) };
            env.send(to, Msg::Mirror(Box::new(msg.clone())));
        }
    }

    pub(in super::super) fn ring_published(
        &mut self,
        channel: Pid,
        publish: Publish,
        entry: Entry,
        is_delivered: bool,
        env: &mut Env<'_, '_>,
    ) {
        if self.ring.is_some() {
            let to = is_delivered.then_some(env.me);
            self.tell_ring(&MirrorMsg::Published { channel, publish, entry, to }, env);
        }
    }

    pub(in super::super) fn ring_refused(&mut self, channel: Pid, publish: Publish, env: &mut Env<'_, '_>) {
        if self.ring.is_some() {
            self.tell_ring(&MirrorMsg::Refused { channel, publish }, env);
        }
    }

    pub(in super::super) fn ring_fetched(&mut self, ids: &[u64], env: &mut Env<'_, '_>) {
        if self.ring.is_some() && !ids.is_empty() {
            self.tell_ring(&MirrorMsg::Fetched(SmallVec::from_slice(ids)), env);
        }
    }

    /// These are not in the queue any more. A mirror that lacks only such is up to date.
    pub(in super::super) fn ring_dropped(&mut self, ids: &[u64], env: &mut Env<'_, '_>) {
        if self.ring.is_some() && !ids.is_empty() {
            self.tell_ring(&MirrorMsg::Gone(SmallVec::from_slice(ids)), env);
            self.look_at_mirrors(env);
        }
    }

    pub(in super::super) fn ring_requeued(&mut self, ids: &[u64], env: &mut Env<'_, '_>) {
        if self.ring.is_some() {
            self.tell_ring(&MirrorMsg::Requeued(SmallVec::from_slice(ids)), env);
        }
    }

    /// Mirrors that have everything by now, though nobody sent it to them.
    pub(super) fn look_at_mirrors(&mut self, env: &mut Env<'_, '_>) {
        let ready = self.backing.iter().map(|entry| entry.id).min();
        let held = self.backing.held.front().map(|held| held.entry.id);
        let oldest = ready.into_iter().chain(held).min().unwrap_or(u64::MAX);
        let Some(ring) = &mut self.ring else { return };
        let mut done: SmallVec<[u16; 2]> = SmallVec::new();
        for member in &mut ring.mirrors {
            if member.since.is_some_and(|since| oldest >= since) {
                member.since = None;
                done.push(member.node);
            }
        }
        for node in done {
            super::promote::synchronised(self.id, node, env);
        }
    }

    /// Stands still and sends a mirror all it has, a batch at a time.
    pub(in super::super) fn synchronise(&mut self, node: u16, env: &mut Env<'_, '_>) {
        let mut all: Vec<_> = self.backing.iter().copied().collect();
        all.extend(self.backing.held.iter().map(|held| Entry { redelivered: true, ..held.entry }));
        all.sort_unstable_by_key(|entry| std::cmp::Reverse(entry.id));
        if let Some(ring) = &mut self.ring {
            ring.syncing = Some((node, all));
            self.halted.get_or_insert_with(Vec::new);
            self.send_batch(env);
        }
    }

    fn send_batch(&mut self, env: &mut Env<'_, '_>) {
        let args = &env.shared.topology.queue(self.id).args;
        let batch = args.ha.as_ref().map_or(1, |ha| ha.sync_batch.max(1)) as usize;
        let Some((node, rest)) = self.ring.as_mut().and_then(|ring| ring.syncing.as_mut()) else { return };
        let from = rest.len().saturating_sub(batch);
        let mut entries = rest.split_off(from);
        entries.reverse();
        let is_last = rest.is_empty();
        let to = Pid { node: *node, proc: Proc::Queue(self.id) };
        env.send(to, Msg::Mirror(Box::new(MirrorMsg::Batch { entries, is_last })));
    }

    /// A mirror answers.
    pub(in super::super) fn mirror_says(&mut self, from: Pid, msg: &MirrorMsg, env: &mut Env<'_, '_>) {
        if !matches!(msg, MirrorMsg::Next) {
            return;
        }
        let Some(ring) = &mut self.ring else { return };
        let Some((node, rest)) = &ring.syncing else { return };
        if *node != from.node {
            return;
        }
        if !rest.is_empty() {
            return self.send_batch(env);
        }
        let node = *node;
        ring.syncing = None;
        ring.join(node, None);
        super::promote::synchronised(self.id, node, env);
        self.go_on(env);
    }

    /// The queue moves again: what came meanwhile is looked at.
    pub(in super::super) fn go_on(&mut self, env: &mut Env<'_, '_>) {
        if self.ring.as_ref().is_some_and(|ring| ring.is_syncing()) {
            return;
        }
        for (from, mut msg) in self.halted.take().unwrap_or_default() {
            self.on(from, &mut msg, env);
        }
    }
}
