//! A node's process of a stream: its replica over a file, the leader's mailbox, and the consumers of this node.

use std::collections::{BTreeMap, VecDeque};

use smallvec::SmallVec;

use super::log::{Entry, Limits, Writer};
use super::readers::Reader;
use super::replica::{Out, Replica};
use super::{Alarm, StreamMsg};
use crate::broker::rabbitmq::broker::{Env, QueueAlarm, dead_letter, index_file, node};
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::message::{Delivery, Msg, Pid, Proc, QueueEnd, Subscribe};
use crate::broker::rabbitmq::model::{RabbitCtx, Shared};
use crate::broker::rabbitmq::packet::ConsumerTag;
use crate::broker::rabbitmq::story::{self, Kind};
use crate::broker::rabbitmq::topology::QueueId;
use crate::fact::{Fact, GivenUp, NONE, NodeId, PlaceId, Rule, SubscriptionId};
use crate::sim::draw::{self, Bits, Purpose};
use crate::sim::{Loss, Span};

/// After how long without a leader somebody does something about it: an election of the coordinator's own group.
const LEADERLESS: (Span, Span) = (Span::from_millis(100), Span::from_millis(600));
/// What a message takes in a chunk besides its body.
const ENTRY_BYTES: u32 = 60;

/// A node's process of a stream.
#[derive(Clone, Debug)]
pub(in super::super::super) struct Stream {
    queue: QueueId,
    pub(super) replica: Replica,
    pub(in super::super::super) readers: Vec<Reader>,
    /// As the leader: what came and is not in the log, with the client's number for it.
    batch: Vec<(Pid, Option<u64>, EnvelopeId)>,
    /// Who waits for the log to be committed up to there.
    waiters: VecDeque<(u64, Pid, u64)>,
    /// Whose highest number is in the log.
    highest: BTreeMap<Writer, u64>,
    /// What retention removed: up to which offset, and whether for its age.
    removed: Vec<(u64, bool)>,
    is_flush_due: bool,
    /// The application was closed; the process is what its disk has.
    is_stopped: bool,
    /// Nodes that have been silent for too long.
    silent: SmallVec<[u16; 2]>,
    alarm: u32,
    draws: Bits,
}

impl Stream {
    /// The replica of this node, over what it had; none: this node has none.
    pub(in super::super) fn start(
        queue: QueueId,
        old: Option<Box<Self>>,
        env: &mut Env<'_, '_>,
    ) -> Option<Box<Self>> {
        let id = env.core.id;
        let members: SmallVec<[u16; 4]> = SmallVec::from_slice(&env.shared.topology.queue(queue).members);
        let record = env.core.meta.queue(queue);
        if !members.contains(&id) || !record.exists {
            return None;
        }
        if let Some(mut old) = old {
            old.forget();
            old.is_stopped = false;
            old.replica.restart();
            old.obey(env);
            return Some(old);
        }
        let known = record.leader;
        let leader = if members.contains(&known) { known } else { members[0] };
        let stream = Self {
            queue,
            replica: Replica::established(id, members, leader),
            readers: Vec::new(),
            batch: Vec::new(),
            waiters: VecDeque::new(),
            highest: BTreeMap::new(),
            removed: Vec::new(),
            is_flush_due: false,
            is_stopped: false,
            silent: SmallVec::new(),
            alarm: 0,
            draws: draw::stream(env.ctx.seed(), Purpose::Election, u64::from(id), u64::from(queue.0)),
        };
        if leader == id && known != id {
            node::announce_leader(queue, env);
        }
        Some(Box::new(stream))
    }

    /// Its node's process is a new one: this one does nothing until it starts again.
    pub(in super::super) fn halt(&mut self) {
        self.forget();
        self.is_stopped = true;
    }

    fn forget(&mut self) {
        self.readers.clear();
        self.silent.clear();
        self.forget_writes();
    }

    fn forget_writes(&mut self) {
        self.batch.clear();
        self.waiters.clear();
        self.highest.clear();
        self.is_flush_due = false;
    }

    /// It serves publishers.
    pub(in super::super::super) fn leads(&self) -> bool {
        self.replica.leads() && !self.is_stopped
    }

    fn limits(&self, shared: &Shared) -> Limits {
        let args = &shared.topology.queue(self.queue).args;
        let (segment_bytes, bytes_max, age_max) = (args.segment_bytes, args.max_length_bytes, args.max_age);
        Limits { segment_bytes, bytes_max, age_max }
    }

    pub(in super::super) fn on(&mut self, from: Pid, msg: &mut Msg, env: &mut Env<'_, '_>) {
        match msg.take() {
            _ if self.is_stopped => {}
            Msg::Stream(msg) => match *msg {
                StreamMsg::Write { seq, envelope } => self.write(from, seq, envelope, env),
                StreamMsg::Flush => self.flush(env),
                StreamMsg::Between(msg) => {
                    let limits = self.limits(env.shared);
                    self.replica.receive(from.node, msg, &limits);
                    self.obey(env);
                }
                StreamMsg::Written { .. } | StreamMsg::NotLeader { .. } => {}
            },
            Msg::Subscribe(wanted) => self.subscribe(from, wanted, env),
            Msg::Unsubscribe { tag } => self.leave(|reader| (reader.channel, reader.tag) == (from, tag)),
            Msg::ChannelDown => self.leave(|reader| reader.channel == from),
            Msg::Settle { ids, .. } => {
                let mut own = self.readers.iter_mut().filter(|reader| reader.channel == from);
                if let Some(reader) = own.find(|reader| reader.unacked > 0) {
                    reader.acked(ids.len());
                }
                self.deliver(env);
            }
            Msg::Delete => self.delete(from, env),
            _ => {}
        }
    }

    /// A message for the log. The leader takes all that is in its mailbox at once.
    fn write(&mut self, from: Pid, seq: Option<u64>, envelope: EnvelopeId, env: &mut Env<'_, '_>) {
        if !self.leads() {
            let leader = self.replica.leader().filter(|&node| node != env.core.id);
            match (seq, leader) {
                (Some(_), leader) => {
                    env.send(from, Msg::Stream(Box::new(StreamMsg::NotLeader { leader })));
                }
                // Nobody waits for it: it is passed on.
                (None, Some(node)) => {
                    let to = Pid { node, proc: Proc::Queue(self.queue) };
                    env.send(to, Msg::Stream(Box::new(StreamMsg::Write { seq, envelope })));
                }
                (None, None) => {}
            }
            return;
        }
        self.batch.push((from, seq, envelope));
        if !self.is_flush_due {
            self.is_flush_due = true;
            env.send(env.me, Msg::Stream(Box::new(StreamMsg::Flush)));
        }
    }

    /// What came becomes one chunk. What was there before is not written again, and confirmed with the others.
    fn flush(&mut self, env: &mut Env<'_, '_>) {
        self.is_flush_due = false;
        if !self.leads() {
            return self.batch.clear();
        }
        let batch = std::mem::take(&mut self.batch);
        let mut entries = Vec::with_capacity(batch.len());
        for &(from, seq, envelope) in &batch {
            let bytes = env.shared.content.get(envelope).size + ENTRY_BYTES;
            let (writer, number) = writer(from, seq, envelope, env);
            if writer != Writer::Nobody && self.highest.get(&writer).is_some_and(|known| *known >= number) {
                self.recognised(writer, envelope, number, env);
                continue;
            }
            if writer != Writer::Nobody {
                self.highest.insert(writer, number);
            }
            entries.push(Entry { envelope, bytes, writer, seq: number });
        }
        let end = self.replica.log.end() + entries.len() as u64;
        let waits = batch.iter().filter_map(|&(from, seq, _)| Some((end, from, seq?)));
        self.waiters.extend(waits);
        let limits = self.limits(env.shared);
        self.replica.append(env.ctx.now(), &entries, &limits);
        self.obey(env);
        self.confirm(env);
    }

    /// A named producer's message whose number is not above the highest: taken for one that is there.
    fn recognised(&self, writer: Writer, envelope: EnvelopeId, number: u64, env: &mut Env<'_, '_>) {
        if let Writer::Named(_) = writer {
            let message = u64::from(env.shared.content.message(envelope).0);
            let place = u32::from(self.queue.0);
            env.ctx.observe(story::fact(Kind::Repeated, place, [message, number]));
        }
    }

    /// Says what a majority has.
    fn confirm(&mut self, env: &mut Env<'_, '_>) {
        let mut written: BTreeMap<Pid, SmallVec<[u64; 4]>> = BTreeMap::new();
        while let Some(&(end, pid, seq)) = self.waiters.front()
            && end <= self.replica.committed
        {
            self.waiters.pop_front();
            written.entry(pid).or_default().push(seq);
        }
        for (pid, seqs) in written {
            env.send(pid, Msg::Stream(Box::new(StreamMsg::Written { seqs })));
        }
    }

    /// Does what the replica asks for.
    fn obey(&mut self, env: &mut Env<'_, '_>) {
        let mut out = std::mem::take(&mut self.replica.out);
        for one in out.drain(..) {
            match one {
                Out::Send(node, msg) => {
                    let to = Pid { node, proc: Proc::Queue(self.queue) };
                    env.send(to, Msg::Stream(Box::new(StreamMsg::Between(msg))));
                }
                Out::Appended { from, is_new_segment } => self.appended(from, is_new_segment, env),
                Out::Cut(cut) => self.cut(&cut, env),
                Out::Reset => env.ctx.truncate(index_file(self.queue), 0),
                Out::Committed => {
                    self.confirm(env);
                    self.deliver(env);
                }
                Out::Leads => self.leads_now(env),
                Out::Stopped => self.stopped(env),
                Out::Follows(leader) => {
                    self.alarm += 1;
                    self.forget_writes();
                    node::stream_led(self.queue, Some(leader), env);
                }
            }
        }
        if self.replica.out.is_empty() {
            self.replica.out = out;
        } else {
            self.obey(env);
        }
    }

    /// The log has more: it is handed to the operating system.
    fn appended(&mut self, from: u64, is_new_segment: bool, env: &mut Env<'_, '_>) {
        env.ctx.write(index_file(self.queue), self.replica.log.len_bytes());
        if env.ctx.has_details() {
            let place = PlaceId(u32::from(self.queue.0));
            for (offset, entry) in self.replica.log.iter_from(from) {
                let message = env.shared.content.message(entry.envelope);
                env.ctx.observe(Fact::Stored { message, place, offset });
            }
        }
        if is_new_segment {
            self.retain(env);
        }
    }

    /// Retention looks when a segment is full.
    fn retain(&mut self, env: &mut Env<'_, '_>) {
        let limits = self.limits(env.shared);
        let gone = self.replica.log.retain(&limits, env.ctx.now());
        let first = self.replica.log.first();
        for (from, to, is_too_old) in gone {
            self.removed.push((to, is_too_old));
            let how = if is_too_old { GivenUp::Expired } else { GivenUp::Overflowed };
            let leads = self.leads();
            let subscriptions = env.shared.topology.queue(self.queue).leads_to.clone();
            for offset in from..to {
                let Some(entry) = self.replica.log.get(offset) else { continue };
                let message = env.shared.content.message(entry.envelope);
                if env.ctx.has_details() {
                    let (place, rule) = (PlaceId(u32::from(self.queue.0)), Rule::Retention);
                    env.ctx.observe(Fact::Removed { message, place, offset, rule });
                }
                let late = |one: &&SubscriptionId| env.shared.read_to(self.queue, **one) <= offset;
                let late: SmallVec<[SubscriptionId; 2]> =
                    subscriptions.iter().filter(late).copied().collect();
                for subscription in late.into_iter().filter(|_| leads) {
                    env.ctx.observe(Fact::GivenUp { message, subscription, how });
                }
                if leads && subscriptions.is_empty() {
                    env.ctx.observe(Fact::GivenUp { message, subscription: NONE, how });
                }
            }
        }
        self.replica.committed = self.replica.committed.max(first);
    }

    /// The log lost its end, to agree with the leader's.
    fn cut(&mut self, cut: &[(u64, EnvelopeId)], env: &mut Env<'_, '_>) {
        env.ctx.truncate(index_file(self.queue), self.replica.log.len_bytes());
        let end = self.replica.log.end();
        self.readers.iter_mut().for_each(|reader| reader.next = reader.next.min(end));
        if env.ctx.has_details() {
            observe_removed(self.queue, cut, Rule::Truncated, env.shared, env.ctx);
        }
    }

    fn leads_now(&mut self, env: &mut Env<'_, '_>) {
        self.alarm += 1;
        self.forget_writes();
        self.highest = self.replica.log.highest();
        let id = env.core.id;
        let (place, leader) = (PlaceId(u32::from(self.queue.0)), Some(NodeId(id)));
        // Its epochs count attempts, those that came to nothing, too; they are not a term of office.
        env.ctx.observe(Fact::LeaderElected { place, leader, epoch: 0, is_clean: true });
        node::announce_leader(self.queue, env);
        node::stream_led(self.queue, Some(id), env);
    }

    /// It neither leads nor follows: if that stays so, it does something about it.
    fn stopped(&mut self, env: &mut Env<'_, '_>) {
        self.forget_writes();
        node::stream_led(self.queue, None, env);
        self.alarm += 1;
        let (least, most) = LEADERLESS;
        let more = draw::below(draw::next(&mut self.draws), (most - least).0);
        let at = env.ctx.now() + least + Span(more);
        env.remind(at, self.queue, QueueAlarm::Stream(Alarm::Leaderless(self.alarm)));
    }

    pub(in super::super) fn alarm(&mut self, alarm: QueueAlarm, env: &mut Env<'_, '_>) {
        let QueueAlarm::Stream(Alarm::Leaderless(number)) = alarm else { return };
        if self.is_stopped || number != self.alarm {
            return;
        }
        let id = env.core.id;
        let is_there = |node: u16| env.core.dist.is_open(node) && !self.silent.contains(&node);
        let (members, brokers) = (&self.replica.members, env.shared.topology.brokers);
        let reachable = members.iter().filter(|&&node| node != id && is_there(node)).count();
        // The coordinator itself needs a majority of all nodes.
        let nodes = 1 + (0..brokers).filter(|&node| node != id && is_there(node)).count();
        let reachable = if nodes * 2 > usize::from(brokers) { reachable } else { 0 };
        self.replica.overdue(reachable);
        self.obey(env);
    }

    /// The connection to a node came or went.
    pub(in super::super) fn node_changed(&mut self, peer: u16, is_up: bool, env: &mut Env<'_, '_>) {
        if self.is_stopped {
            return;
        }
        self.silent.retain(|node| *node != peer);
        if is_up {
            self.replica.found(peer);
        } else {
            self.replica.lost(peer);
        }
        self.obey(env);
    }

    /// A node has been silent for so long that it may be dead; or it speaks again.
    pub(in super::super) fn silence(&mut self, peer: u16, is_over: bool, env: &mut Env<'_, '_>) {
        if is_over {
            return self.node_changed(peer, true, env);
        }
        if !self.is_stopped {
            self.silent.push(peer);
            self.replica.lost(peer);
            self.obey(env);
        }
    }

    fn subscribe(&mut self, channel: Pid, wanted: Subscribe, env: &mut Env<'_, '_>) {
        self.readers.push(Reader::new(channel, wanted, &self.replica.log));
        env.send(channel, Msg::Subscribed(Ok(())));
        self.deliver(env);
    }

    fn leave(&mut self, leaves: impl Fn(&Reader) -> bool) {
        self.readers.retain(|reader| !leaves(reader));
    }

    /// Sends readers what is committed, as far as their credit goes.
    pub(super) fn deliver(&mut self, env: &mut Env<'_, '_>) {
        let (first, committed) = (self.replica.log.first(), self.replica.committed);
        for at in 0..self.readers.len() {
            let mut reader = self.readers[at];
            let subscription = env.shared.reader(reader.client);
            if reader.next < first {
                self.missed(reader.next, first, subscription, env);
                reader.next = first;
            }
            while reader.can_take() && reader.next < committed {
                let Some(entry) = self.replica.log.get(reader.next) else { break };
                let (tag, id, envelope) = (reader.tag, reader.next, entry.envelope);
                let (redelivered, count, no_ack) = (false, 0, false);
                let delivery = Delivery { tag, id, envelope, redelivered, count, no_ack };
                env.send(reader.channel, Msg::Deliver(delivery));
                reader.next += 1;
                reader.unacked += 1;
            }
            if let Some(subscription) = subscription {
                env.shared.note_read(self.queue, subscription, reader.next);
            }
            self.readers[at] = reader;
        }
    }

    /// A reader came too late for these: they are removed.
    fn missed(&self, from: u64, to: u64, whose: Option<SubscriptionId>, env: &mut Env<'_, '_>) {
        let Some(subscription) = whose else { return };
        for offset in from..to {
            let at = self.removed.partition_point(|(to, _)| *to <= offset);
            let is_too_old = self.removed.get(at).is_some_and(|(_, is_too_old)| *is_too_old);
            let how = if is_too_old { GivenUp::Expired } else { GivenUp::Overflowed };
            if let Some(entry) = self.replica.log.get(offset) {
                let message = env.shared.content.message(entry.envelope);
                env.ctx.observe(Fact::GivenUp { message, subscription, how });
            }
        }
    }

    /// The stream is deleted: its replicas go with its record.
    fn delete(&mut self, by: Pid, env: &mut Env<'_, '_>) {
        if !self.leads() {
            return;
        }
        let readers: Vec<(Pid, ConsumerTag)> =
            self.readers.iter().map(|one| (one.channel, one.tag)).collect();
        for (channel, tag) in readers {
            env.send(channel, Msg::ConsumerGone { tag });
        }
        for (offset, entry) in self.replica.log.iter_from(self.replica.log.first()) {
            dead_letter::observe_with_queue(self.queue, entry.envelope, offset, env);
        }
        env.send(by, Msg::Deleted);
        node::queue_ended(self.queue, QueueEnd::Deleted, env);
    }

    /// The disk lost bytes. Without its disk the replica begins anew, with nothing.
    pub(in super::super) fn storage_lost(&mut self, loss: Loss, shared: &Shared, ctx: &mut RabbitCtx<'_>) {
        let file = index_file(self.queue);
        let (rule, left) = match loss {
            Loss::Disk => (Rule::DiskLost, 0),
            Loss::Power => (Rule::PowerLost, ctx.file_len(file)),
            Loss::Torn => (Rule::Torn, ctx.file_len(file)),
        };
        let cut = self.replica.log.truncate_bytes(left);
        if loss == Loss::Disk {
            self.replica.begin_anew();
        }
        ctx.truncate(file, self.replica.log.len_bytes());
        if ctx.has_details() {
            observe_removed(self.queue, &cut, rule, shared, ctx);
        }
    }

    /// Its files are thrown away, with the stream.
    pub(in super::super) fn wipe(&mut self, ctx: &mut RabbitCtx<'_>) {
        self.replica.begin_anew();
        ctx.truncate(index_file(self.queue), 0);
    }
}

/// Whose number a message's is, and which.
fn writer(from: Pid, seq: Option<u64>, envelope: EnvelopeId, env: &Env<'_, '_>) -> (Writer, u64) {
    let stamp = env.shared.stamp(envelope);
    if let Some(name) = stamp.producer_name {
        let number = env.shared.catalogue.origin(env.shared.content.message(envelope)).number;
        return (Writer::Named(name), stamp.publishing_id.unwrap_or(u64::from(number)));
    }
    match (seq, from.proc) {
        (Some(seq), Proc::Channel(_)) => (Writer::Channel(from), seq),
        _ => (Writer::Nobody, 0),
    }
}

fn observe_removed(
    queue: QueueId,
    cut: &[(u64, EnvelopeId)],
    rule: Rule,
    shared: &Shared,
    ctx: &mut RabbitCtx<'_>,
) {
    let place = PlaceId(u32::from(queue.0));
    for &(offset, envelope) in cut {
        let message = shared.content.message(envelope);
        ctx.observe(Fact::Removed { message, place, offset, rule });
    }
}
