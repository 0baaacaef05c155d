//! Mirrors of a classic queue: copies on other nodes that follow the leader.
//!
//! Channels send what they publish to the leader and to every mirror; the leader tells the ring what it did with each
//! message. A mirror confirms a publish when it has it from both. A node that joins, or joins again, begins with an
//! empty mirror and gets only what comes from then on; it is synchronised when everything older is gone, or when the
//! leader stands still and sends it all it has.
//!
//! When the leader is gone the oldest mirror takes over: what was delivered goes back to its place, what only the
//! channels had sent is enqueued, everything counts as redelivered.
//!
//! Source: `rabbit_mirror_queue_master`, `rabbit_mirror_queue_slave`, `rabbit_mirror_queue_misc`;
//! <https://www.rabbitmq.com/docs/3.13/ha>.
//!
//! Not modelled: the ring as a ring (the leader tells each mirror itself, so that a message crosses the network once
//! less); `x-cancel-on-ha-failover`; policies that change while a queue has mirrors.

mod promote;
mod ring;

pub(in super::super) use ring::Ring;

use std::collections::BTreeMap;

use smallvec::SmallVec;

use super::classic::{Backing, Entry, Held, store};
use super::{Env, QueueAlarm};
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::message::{Msg, Pid, Proc, Publish};
use crate::broker::rabbitmq::topology::QueueId;
use crate::fact::{Fact, PlaceId};
use crate::sim::{Span, Time};

/// What the leader tells its mirrors, and they it.
#[derive(Clone, Debug)]
pub(in super::super) enum MirrorMsg {
    /// The leader took a message from a channel: it is ready, or with a consumer.
    Published { channel: Pid, publish: Publish, entry: Entry, to: Option<Pid> },
    /// It did not take it.
    Refused { channel: Pid, publish: Publish },
    /// These were delivered.
    Fetched(SmallVec<[u64; 4]>),
    /// These are not needed any more.
    Gone(SmallVec<[u64; 4]>),
    /// These were given back.
    Requeued(SmallVec<[u64; 4]>),
    /// A new leader has these and no others.
    Adopt { ids: Vec<u64>, id_next: u64 },
    /// The leader stands still and sends what it has; the last batch says so.
    Batch { entries: Vec<Entry>, is_last: bool },
    /// To the leader: the batch is here.
    Next,
}

/// What a mirrored queue's process reminds itself of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Alarm {
    /// What the leader sent is copied: it may send more.
    Copied(u16),
    /// It leads now that its leader is gone.
    Promote,
}

/// A mirror that is synchronised takes about so long for a message: ten thousand a second, an estimate.
const COPY: Span = Span::from_micros(100);

/// A mirror.
#[derive(Clone, Debug)]
pub(in super::super) struct Mirror {
    pub(in super::super) id: QueueId,
    pub(in super::super) backing: Backing,
    /// Sent by channels, not yet told of by the leader; and the other way round.
    pending: BTreeMap<(Pid, u64), Half>,
    /// How much it took of each remote channel's credit.
    owed: BTreeMap<Pid, u32>,
    /// Its leader is gone, and it will lead.
    leads_at: Option<Time>,
}

/// Half of what a mirror needs to have a publish.
#[derive(Clone, Copy, Debug)]
enum Half {
    FromChannel(Publish),
    FromLeader,
}

impl MirrorMsg {
    pub(in super::super) fn carries_message(&self) -> bool {
        matches!(self, Self::Published { .. } | Self::Batch { .. })
    }

    /// The messages that it carries.
    pub(in super::super) fn envelopes(&self) -> impl Iterator<Item = EnvelopeId> + '_ {
        let (one, many) = match self {
            Self::Published { publish, .. } => (Some(publish.envelope), &[][..]),
            Self::Batch { entries, .. } => (None, &entries[..]),
            _ => (None, &[][..]),
        };
        one.into_iter().chain(many.iter().map(|entry| entry.envelope))
    }

    pub(in super::super) fn fingerprint(&self) -> u64 {
        let first = |ids: &SmallVec<[u64; 4]>| ids.first().copied().unwrap_or(0);
        match self {
            Self::Published { entry, .. } => entry.id << 3,
            Self::Refused { publish, .. } => publish.seq << 3 | 1,
            Self::Fetched(ids) => first(ids) << 3 | 2,
            Self::Gone(ids) => first(ids) << 3 | 3,
            Self::Requeued(ids) => first(ids) << 3 | 4,
            Self::Adopt { id_next, .. } => id_next << 3 | 5,
            Self::Batch { entries, .. } => (entries.len() as u64) << 3 | 6,
            Self::Next => 7,
        }
    }
}

impl Mirror {
    pub(super) fn new(backing: Backing) -> Self {
        Self { id: backing.queue, backing, pending: BTreeMap::new(), owed: BTreeMap::new(), leads_at: None }
    }

    /// Whether it is about to lead.
    pub(super) fn will_lead(&self) -> bool {
        self.leads_at.is_some()
    }

    pub(super) fn on(&mut self, from: Pid, msg: &mut Msg, env: &mut Env<'_, '_>) {
        match msg.take() {
            Msg::Publish(publish) => self.published(from, publish, env),
            Msg::Mirror(msg) => self.leader_says(from, *msg, env),
            Msg::ChannelDown => {
                // Whatever the leader had not told of by now it will not tell of, or tell of nobody's.
                self.owed.remove(&from);
                self.pending
                    .retain(|(channel, _), half| *channel != from || matches!(half, Half::FromChannel(_)));
            }
            _ => {}
        }
    }

    pub(super) fn alarm(&mut self, alarm: QueueAlarm, env: &mut Env<'_, '_>) {
        match alarm {
            QueueAlarm::Flush => store::tell(self.backing.store.flush_due(env), env),
            QueueAlarm::Idle => self.backing.store.idle_due(env),
            QueueAlarm::Mirror(Alarm::Copied(node)) => {
                let leader = Pid { node, proc: Proc::Queue(self.id) };
                env.send(leader, Msg::Mirror(Box::new(MirrorMsg::Next)));
            }
            _ => {}
        }
    }

    pub(super) fn synced(&mut self, mark: u64, env: &mut Env<'_, '_>) {
        store::tell(self.backing.store.synced(mark, env), env);
    }

    /// The node stops in order.
    pub(super) fn close(&mut self, env: &mut Env<'_, '_>) {
        self.backing.store.close(Vec::new(), env);
    }

    /// A channel sent a message; the leader may have told of it before.
    fn published(&mut self, channel: Pid, publish: Publish, env: &mut Env<'_, '_>) {
        self.grant(channel, env);
        let key = key(channel, publish);
        match self.pending.remove(&key) {
            Some(Half::FromLeader) => {
                if publish.is_confirmed {
                    env.send(channel, Msg::Confirm { seqs: SmallVec::from_elem(publish.seq, 1) });
                }
            }
            _ => {
                self.pending.insert(key, Half::FromChannel(publish));
            }
        }
    }

    fn grant(&mut self, channel: Pid, env: &mut Env<'_, '_>) {
        if channel.node == env.core.id {
            return;
        }
        let owed = self.owed.entry(channel).or_default();
        *owed += 1;
        if *owed >= env.shared.topology.config.credit.1 {
            let credit = std::mem::take(owed);
            env.send(channel, Msg::Credit(credit));
        }
    }

    fn leader_says(&mut self, from: Pid, msg: MirrorMsg, env: &mut Env<'_, '_>) {
        match msg {
            MirrorMsg::Published { channel, publish, entry, to } => {
                self.follow(channel, publish, entry, to, env);
            }
            MirrorMsg::Refused { channel, publish } => {
                self.pending.remove(&key(channel, publish));
            }
            MirrorMsg::Fetched(ids) => {
                for id in ids {
                    if let Some(entry) = self.backing.take(id, env) {
                        self.backing.hold(Held { entry, channel: from, tag: None });
                    }
                }
            }
            MirrorMsg::Gone(ids) => {
                for id in ids {
                    let held = self.backing.release(id, from).map(|held| held.entry);
                    if let Some(entry) = held.or_else(|| self.backing.take(id, env))
                        && entry.is_persistent
                        && let Some((channel, seq)) = self.backing.store.ack(id, env)
                    {
                        env.send(channel, Msg::Confirm { seqs: SmallVec::from_elem(seq, 1) });
                    }
                }
            }
            MirrorMsg::Requeued(ids) => {
                for id in ids {
                    if let Some(held) = self.backing.release(id, from) {
                        self.backing.insert(Entry { redelivered: true, ..held.entry }, env);
                    }
                }
            }
            // Two that lost each other may both think that they lead; this node's record says whom it follows.
            MirrorMsg::Adopt { .. } if env.core.meta.queue(self.id).leader != from.node => {}
            MirrorMsg::Adopt { ids, id_next } => self.adopt(from, &ids, id_next, env),
            MirrorMsg::Batch { entries, is_last } => {
                let count = entries.len() as u64;
                for entry in entries {
                    self.backing.take(entry.id, env);
                    self.insert(entry, None, env);
                }
                let _ = is_last;
                let at = env.ctx.now() + COPY * count;
                env.remind(at, self.id, QueueAlarm::Mirror(Alarm::Copied(from.node)));
            }
            MirrorMsg::Next => {}
        }
    }

    /// The leader took a message.
    fn follow(
        &mut self,
        channel: Pid,
        publish: Publish,
        entry: Entry,
        to: Option<Pid>,
        env: &mut Env<'_, '_>,
    ) {
        let key = key(channel, publish);
        let came = self.pending.remove(&key).is_some();
        if !came {
            self.pending.insert(key, Half::FromLeader);
        }
        self.backing.id_next = self.backing.id_next.max(entry.id + 1);
        if env.ctx.has_details() {
            let (message, place) =
                (env.shared.content.message(entry.envelope), PlaceId(u32::from(self.id.0)));
            env.ctx.observe(Fact::Stored { message, place, offset: entry.id });
        }
        let waits = (came && publish.is_confirmed).then_some((channel, publish.seq));
        let leader = Pid { node: env.core.meta.queue(self.id).leader, proc: Proc::Queue(self.id) };
        if let Some((channel, seq)) = waits
            && !entry.is_persistent
        {
            env.send(channel, Msg::Confirm { seqs: SmallVec::from_elem(seq, 1) });
        }
        if to.is_some() {
            if entry.is_persistent {
                self.backing.store.publish(entry.id, (entry.envelope, entry.expires), waits, env);
            }
            self.backing.hold(Held { entry, channel: leader, tag: None });
        } else {
            self.insert(entry, waits, env);
        }
    }

    fn insert(&mut self, entry: Entry, waits: Option<(Pid, u64)>, env: &mut Env<'_, '_>) {
        if entry.is_persistent {
            self.backing.store.publish(entry.id, (entry.envelope, entry.expires), waits, env);
        }
        self.backing.insert(entry, env);
    }

    /// A new leader has these: whatever else is here is not in the queue.
    fn adopt(&mut self, leader: Pid, ids: &[u64], id_next: u64, env: &mut Env<'_, '_>) {
        let held: Vec<_> = self.backing.held.drain(..).map(|held| held.entry).collect();
        for entry in held {
            self.backing.insert(Entry { redelivered: true, ..entry }, env);
        }
        let strangers: Vec<u64> =
            self.backing.iter().map(|entry| entry.id).filter(|id| ids.binary_search(id).is_err()).collect();
        for id in strangers {
            if let Some(entry) = self.backing.take(id, env)
                && entry.is_persistent
            {
                self.backing.store.ack(id, env);
            }
        }
        self.pending.retain(|_, half| matches!(half, Half::FromChannel(_)));
        self.backing.id_next = id_next;
        let _ = leader;
    }
}

/// What a publish is known by, whether its sender or the leader tells of it. Dead letters and what was delayed carry no
/// number: of those each copy is one of its own.
fn key(sender: Pid, publish: Publish) -> (Pid, u64) {
    (sender, if publish.seq == 0 { 1 << 63 | u64::from(publish.envelope.0) } else { publish.seq })
}
