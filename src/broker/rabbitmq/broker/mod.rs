//! A broker: one Erlang node, as the processes that messages go through and what it keeps on disk.
//!
//! Processes of a node have mailboxes; what they say to each other is handled at the same instant, in the order in
//! which it was sent, before the node takes the next input. What they say to processes elsewhere goes over the
//! distribution connection of the two nodes ([`dist`]).
//!
//! Not modelled: the time that processes take (but for a queue's, which decides when it finds its mailbox empty);
//! several vhosts' supervisors; more than one channel a connection.

use std::collections::VecDeque;

use super::message::{Msg, Pid, Proc};
use super::model::{RabbitCtx, Shared, Timer};
use super::packet::{Frame, Letter, Packet};
use super::topology::QueueId;
use crate::fact::Rule;
use crate::sim::{ByConn, ConnId, FileId, Input, Loss, Time};

pub(super) mod channel;
pub(super) mod classic;
pub(super) mod dead_letter;
pub(super) mod dist;
pub(super) mod limiter;
pub(super) mod meta;
pub(super) mod mirror;
pub(super) mod node;
mod publishing;
pub(super) mod quorum;
pub(super) mod rates;
pub(super) mod stream;

use channel::Channel;
use classic::Classic;
use dist::Dist;
use meta::Meta;
use mirror::Mirror;
use node::Node;
pub(super) use quorum::Commands;
use quorum::Quorum;
use rates::{Rate, Rates};
use stream::Stream;

/// A broker node.
#[derive(Clone, Debug)]
pub(super) struct Broker {
    pub(super) core: Core,
    pub(super) node: Node,
    /// By number; a number is never used again.
    pub(super) channels: Vec<Option<Box<Channel>>>,
    of_conn: ByConn<u32>,
    /// By queue: the process that this node has of it, or had until its process ended, with its files.
    pub(super) queues: Vec<Option<QueueProc>>,
}

/// A node's process of a queue.
#[derive(Clone, Debug)]
pub(super) enum QueueProc {
    Classic(Box<Classic>),
    Mirror(Box<Mirror>),
    Quorum(Box<Quorum>),
    Stream(Box<Stream>),
}

/// What every process of a node uses.
#[derive(Clone, Debug)]
pub(super) struct Core {
    /// The node's number, from 0.
    pub(super) id: u16,
    /// Its copy of the metadata.
    pub(super) meta: Meta,
    pub(super) dist: Dist,
    /// The log of its quorum queues.
    pub(super) wal: quorum::Wal,
    pub(super) rates: Rates,
    /// How many messages its queues wrote into their files (`disk_writes` of the management plugin).
    pub(super) disk_writes: u64,
    /// How often its classic queues flushed a file.
    pub(super) flushes: u64,
    /// What channels hold whose prefetch is their own.
    pub(super) limiter: limiter::Limiter,
    /// The processes of its queues have ended: the node stops or pauses.
    pub(super) is_closed: bool,
    /// What the node's processes said to each other and have not read.
    mailbox: VecDeque<Box<Letter>>,
}

/// What a process acts through.
pub(super) struct Env<'a, 'b> {
    /// The process itself.
    pub(super) me: Pid,
    pub(super) core: &'a mut Core,
    pub(super) shared: &'a mut Shared,
    pub(super) ctx: &'a mut RabbitCtx<'b>,
}

/// What a broker reminds itself of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BrokerTimer {
    Node(node::Alarm),
    Channel(u32, channel::Alarm),
    Queue(QueueId, QueueAlarm),
}

/// What a queue's process reminds itself of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueueAlarm {
    /// Its mailbox is empty, or it has waited long enough: what is buffered is written.
    Flush,
    /// Nothing happened for a while.
    Idle,
    /// The message at the head may have expired.
    Ttl,
    /// Nobody used the queue for as long as it may stay unused.
    Expires,
    /// Of a quorum queue's member.
    Quorum(quorum::Alarm),
    /// Of a stream's replica.
    Stream(stream::Alarm),
    /// Of a mirrored queue's process.
    Mirror(mirror::Alarm),
}

impl Env<'_, '_> {
    /// The node that leads a replicated queue, if one is known to and can be reached.
    fn leader_of(&self, queue: QueueId) -> Option<u16> {
        let record = self.core.meta.queue(queue);
        let is_there = record.leader == self.core.id || self.core.dist.is_open(record.leader);
        (record.is_live && is_there).then_some(record.leader)
    }

    /// Says something to a process, wherever it is.
    #[inline]
    pub(super) fn send(&mut self, to: Pid, msg: Msg) {
        let letter = self.shared.letters.write(self.me, to.proc, msg);
        self.post(to.node, letter);
    }

    /// Kept out of [`Env::send`], so that a letter is written where it was thought of.
    #[inline(never)]
    fn post(&mut self, to: u16, letter: Box<Letter>) {
        if to == self.core.id {
            self.core.mailbox.push_back(letter);
        } else {
            let bytes = letter.msg.bytes() + letter.msg.body_bytes(&self.shared.content);
            self.core.dist.send(to, letter, bytes, self.ctx);
        }
    }

    /// Whether something is there to be read that was said on this node.
    #[inline]
    fn has_mail(&self) -> bool {
        !self.core.mailbox.is_empty()
    }

    /// So much more went through this node.
    #[inline]
    pub(super) fn count(&mut self, what: Rate, more: u32) {
        self.core.rates.count(what, more, self.ctx.now());
    }

    /// Reminds this process, which is a queue's.
    pub(super) fn remind(&mut self, at: crate::sim::Time, queue: QueueId, alarm: QueueAlarm) {
        self.ctx.timer_at(at, Timer::Broker(BrokerTimer::Queue(queue, alarm)));
    }

    /// A process of this node.
    pub(super) fn here(&self, proc: Proc) -> Pid {
        Pid { node: self.core.id, proc }
    }
}

/// The file of a queue's index on a node.
pub(super) fn index_file(queue: QueueId) -> FileId {
    FileId(u32::from(queue.0))
}

impl Broker {
    /// A node that runs in a healthy cluster in which everything was declared long ago.
    pub(super) fn new(id: u16, shared: &Shared) -> Self {
        let topology = &shared.topology;
        Self {
            core: Core {
                id,
                meta: Meta::established(topology, id),
                dist: Dist::new(topology.brokers, id),
                wal: quorum::Wal::new(topology.config.wal_batch_max),
                rates: Rates::default(),
                disk_writes: 0,
                flushes: 0,
                limiter: limiter::Limiter::default(),
                is_closed: false,
                mailbox: VecDeque::new(),
            },
            node: Node::new(topology, id),
            channels: Vec::new(),
            of_conn: ByConn::default(),
            queues: vec![None; topology.queues.len()],
        }
    }

    pub(super) fn on(&mut self, input: Input<Packet, Timer>, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        match input {
            Input::Packet(conn, Packet::Amqp(frame)) => self.frame(conn, frame, shared, ctx),
            Input::Synced { file, mark } => self.synced(file, mark, shared, ctx),
            Input::Packet(conn, Packet::Dist(letter)) => {
                if let Some(peer) = self.core.dist.heard(conn) {
                    debug_assert_eq!(peer, letter.from.node, "a letter comes from where it was written");
                    debug_assert!(self.core.mailbox.is_empty(), "whatever came before has been handled");
                    self.read(letter, shared, ctx);
                }
            }
            Input::Packet(conn, Packet::Tick) => {
                self.core.dist.heard(conn);
            }
            Input::Timer(Timer::Broker(timer)) => self.timer(timer, shared, ctx),
            Input::Packet(_, Packet::Service(_)) | Input::Timer(_) | Input::Writable(_) => {}
            Input::Accepted(conn) => self.accepted(conn, shared, ctx),
            Input::Connected(conn) => self.linked(conn, shared, ctx),
            Input::Closed(conn) => self.closed(conn, shared, ctx),
            Input::Start => self.start(shared, ctx),
            Input::Stop => self.stop(shared, ctx),
        }
        self.work(shared, ctx);
    }

    /// Processes work until all mailboxes are empty.
    #[inline]
    fn work(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        while let Some(letter) = self.core.mailbox.pop_front() {
            self.read(letter, shared, ctx);
        }
    }

    #[inline]
    fn read(&mut self, mut letter: Box<Letter>, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let Letter { from, to, msg } = &mut *letter;
        self.handle(*from, *to, msg, shared, ctx);
        shared.letters.put_back(letter);
    }

    /// A process reads a message. What it wants to keep of it, it takes.
    fn handle(&mut self, from: Pid, to: Proc, msg: &mut Msg, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let me = Pid { node: self.core.id, proc: to };
        let core = &mut self.core;
        match to {
            Proc::Channel(number) => {
                if let Some(channel) = self.channels.get_mut(number as usize).and_then(Option::as_mut) {
                    channel.on(from, msg, &mut Env { me, core, shared, ctx });
                    if channel.is_gone() {
                        self.end_channel(number, shared, ctx);
                    }
                } else if matches!(msg, Msg::Quorum(_)) {
                    // Who watches a process that is gone hears of it at once.
                    Env { me, core, shared, ctx }.send(from, Msg::ChannelDown);
                }
            }
            Proc::Queue(queue) => {
                let is_closed = core.is_closed;
                // Members of groups hand over while the node stops; the others have ended.
                let is_there = |process: &QueueProc| {
                    !is_closed || !matches!(process, QueueProc::Classic(_) | QueueProc::Mirror(_))
                };
                let process = self.queues[queue.0 as usize].as_mut();
                if let Some(process) = process.filter(|process| is_there(process)) {
                    process.on(from, msg, &mut Env { me, core, shared, ctx });
                } else {
                    node::nobody(from, msg, &mut Env { me, core, shared, ctx });
                }
            }
            Proc::Node => self.told(from, msg, shared, ctx),
        }
    }

    fn frame(&mut self, conn: ConnId, frame: Frame, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let Some(&mut number) = self.of_conn.get_mut(conn) else { return };
        let Some(channel) = self.channels[number as usize].as_mut() else { return };
        let me = Pid { node: self.core.id, proc: Proc::Channel(number) };
        let is_alarmed = self.node.is_alarmed();
        channel.read(frame, is_alarmed, &mut Env { me, core: &mut self.core, shared, ctx });
        if channel.is_gone() {
            self.end_channel(number, shared, ctx);
        }
    }

    fn timer(&mut self, timer: BrokerTimer, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let id = self.core.id;
        match timer {
            BrokerTimer::Node(alarm) => self.node_alarm(alarm, shared, ctx),
            BrokerTimer::Channel(number, alarm) => {
                let Some(channel) = self.channels[number as usize].as_mut() else { return };
                let me = Pid { node: id, proc: Proc::Channel(number) };
                channel.alarm(alarm, &mut Env { me, core: &mut self.core, shared, ctx });
                if channel.is_gone() {
                    self.end_channel(number, shared, ctx);
                }
            }
            BrokerTimer::Queue(queue, QueueAlarm::Mirror(mirror::Alarm::Promote)) => {
                self.promotion_due(queue, shared, ctx);
            }
            BrokerTimer::Queue(queue, alarm) => {
                let me = Pid { node: id, proc: Proc::Queue(queue) };
                if let Some(process) = &mut self.queues[queue.0 as usize] {
                    process.alarm(alarm, &mut Env { me, core: &mut self.core, shared, ctx });
                }
            }
        }
    }

    fn synced(&mut self, file: FileId, mark: u64, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let id = self.core.id;
        let at = file.0 as usize;
        if at < self.queues.len() {
            let queue = QueueId(at as u16);
            let me = Pid { node: id, proc: Proc::Queue(queue) };
            if let Some(process) = &mut self.queues[at] {
                process.synced(mark, &mut Env { me, core: &mut self.core, shared, ctx });
            }
        } else if file == quorum::wal_file(shared) {
            self.wal_synced(mark, shared, ctx);
        }
        self.stopped_by_now(shared, ctx);
    }

    /// The node-wide log of the quorum queues was flushed.
    fn wal_synced(&mut self, mark: u64, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let id = self.core.id;
        let durable = self.core.wal.synced(mark, quorum::wal_file(shared), ctx);
        for (queue, piece) in durable {
            let me = Pid { node: id, proc: Proc::Queue(queue) };
            if let Some(QueueProc::Quorum(member)) = &mut self.queues[queue.0 as usize] {
                member.written(piece, &mut Env { me, core: &mut self.core, shared, ctx });
            }
        }
    }

    /// A connection is there: of a client, or of another node.
    fn accepted(&mut self, conn: ConnId, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let Some(peer) = ctx.peer(conn) else { return };
        if peer.0 < shared.topology.brokers {
            self.link_accepted(conn, peer.0, shared, ctx);
        } else if self.node.takes_clients() {
            let number = self.channels.len() as u32;
            self.channels.push(Some(Box::new(Channel::new(number, conn, peer))));
            self.of_conn.insert(conn, number);
        } else {
            ctx.close(conn);
        }
    }

    fn closed(&mut self, conn: ConnId, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        if let Some(number) = self.of_conn.remove(conn) {
            if let Some(channel) = self.channels[number as usize].as_mut() {
                channel.connection_lost();
            }
            self.end_channel(number, shared, ctx);
            return;
        }
        self.link_closed(conn, shared, ctx);
    }

    /// A channel's process ends: its queues hear of it, and its connection is closed.
    fn end_channel(&mut self, number: u32, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let Some(channel) = self.channels[number as usize].take() else { return };
        self.of_conn.remove(channel.conn);
        let me = Pid { node: self.core.id, proc: Proc::Channel(number) };
        channel.end(&mut Env { me, core: &mut self.core, shared, ctx });
    }

    /// The machine lost power or its disk.
    pub(super) fn storage_lost(&mut self, loss: Loss, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        for process in self.queues.iter_mut().flatten() {
            process.storage_lost(loss, shared, ctx);
        }
        self.node.storage_lost(loss, &shared.topology, ctx);
    }

    /// Whether nothing that a queue or channel has to do by itself is left.
    pub(super) fn is_calm(&self) -> bool {
        let expects = |process: &QueueProc| match process {
            QueueProc::Classic(queue) => queue.backing.head().is_some_and(|head| head.expires != Time::NEVER),
            QueueProc::Mirror(mirror) => mirror.will_lead(),
            QueueProc::Quorum(member) => member.expects(),
            QueueProc::Stream(stream) => stream.expects(),
        };
        !self.channels().any(|channel| channel.unconfirmed() > 0)
            && !self.queues.iter().flatten().any(expects)
            && self.node.delayed.waiting().next().is_none()
            && self.core.wal.is_quiet()
    }

    /// Processes of clients that are connected here.
    pub(super) fn channels(&self) -> impl Iterator<Item = &Channel> {
        self.channels.iter().flatten().map(AsRef::as_ref)
    }

    /// Whether this client is connected here.
    #[cfg(test)]
    pub(super) fn serves(&self, client: crate::sim::NodeId) -> bool {
        self.channels().any(|channel| channel.client == client)
    }
}

impl BrokerTimer {
    pub(super) fn fingerprint(self) -> u64 {
        match self {
            Self::Node(alarm) => alarm.fingerprint() << 2,
            Self::Channel(number, alarm) => (u64::from(number) << 20 | alarm.fingerprint()) << 2 | 1,
            Self::Queue(queue, alarm) => (u64::from(queue.0) << 20 | alarm.fingerprint()) << 2 | 2,
        }
    }
}

impl QueueAlarm {
    fn fingerprint(self) -> u64 {
        match self {
            Self::Flush => 0,
            Self::Idle => 1,
            Self::Ttl => 2,
            Self::Expires => 3,
            Self::Quorum(alarm) => alarm.fingerprint() << 3 | 4,
            Self::Stream(alarm) => alarm.fingerprint() << 3 | 6,
            Self::Mirror(mirror::Alarm::Copied(node)) => u64::from(node) << 3 | 5,
            Self::Mirror(mirror::Alarm::Promote) => 6,
        }
    }
}

impl QueueProc {
    fn on(&mut self, from: Pid, msg: &mut Msg, env: &mut Env<'_, '_>) {
        match self {
            Self::Classic(queue) => queue.on(from, msg, env),
            Self::Mirror(mirror) => mirror.on(from, msg, env),
            Self::Quorum(member) => member.on(from, msg, env),
            Self::Stream(stream) => stream.on(from, msg, env),
        }
    }

    fn alarm(&mut self, alarm: QueueAlarm, env: &mut Env<'_, '_>) {
        match self {
            Self::Classic(queue) => queue.alarm(alarm, env),
            Self::Mirror(mirror) => mirror.alarm(alarm, env),
            Self::Quorum(member) => member.alarm(alarm, env),
            Self::Stream(stream) => stream.alarm(alarm, env),
        }
    }

    fn synced(&mut self, mark: u64, env: &mut Env<'_, '_>) {
        match self {
            Self::Classic(queue) => queue.synced(mark, env),
            Self::Mirror(mirror) => mirror.synced(mark, env),
            Self::Quorum(_) | Self::Stream(_) => {}
        }
    }

    /// How many messages are ready.
    pub(super) fn ready(&self) -> usize {
        match self {
            Self::Classic(queue) => queue.backing.ready(),
            Self::Mirror(mirror) => mirror.backing.ready(),
            Self::Quorum(member) => member.ready(),
            Self::Stream(stream) => stream.messages(),
        }
    }

    /// How many messages it would come back with: nobody serves them now.
    pub(super) fn at_rest(&self) -> usize {
        match self {
            Self::Classic(queue) => queue.backing.store.on_disk(),
            Self::Mirror(mirror) => mirror.backing.store.on_disk(),
            Self::Quorum(member) => member.messages(),
            Self::Stream(stream) => {
                let (first, end) = stream.bounds();
                end.saturating_sub(first) as usize
            }
        }
    }

    /// How many messages are delivered and not settled.
    pub(super) fn unacked(&self) -> usize {
        match self {
            Self::Quorum(member) => member.unacked(),
            Self::Stream(stream) => stream.unacked(),
            _ => self.messages() - self.ready(),
        }
    }

    /// How many consumers it has.
    pub(super) fn consumers(&self) -> usize {
        match self {
            Self::Classic(queue) => queue.consumers.iter().count(),
            Self::Mirror(_) => 0,
            Self::Quorum(member) => member.consumers(),
            Self::Stream(stream) => stream.readers.len(),
        }
    }

    /// Shows every message that it has, those that are ready first.
    pub(super) fn each(&self, mut show: impl FnMut(crate::broker::rabbitmq::content::EnvelopeId)) {
        let backing = match self {
            Self::Classic(queue) => &queue.backing,
            Self::Mirror(mirror) => &mirror.backing,
            Self::Quorum(member) => return member.each(&mut show),
            Self::Stream(stream) => return stream.readable(0).for_each(|(_, envelope)| show(envelope)),
        };
        backing.iter().for_each(|entry| show(entry.envelope));
        backing.held.iter().for_each(|held| show(held.entry.envelope));
    }

    /// The queue's own number of the message that is delivered next.
    pub(super) fn head(&self) -> Option<u64> {
        match self {
            Self::Classic(queue) => queue.backing.head().map(|entry| entry.id),
            Self::Mirror(mirror) => mirror.backing.head().map(|entry| entry.id),
            Self::Quorum(member) => member.head(),
            Self::Stream(_) => None,
        }
    }

    /// The smallest number of a message that it has, and the number that the next one gets.
    pub(super) fn span(&self) -> (u64, u64) {
        if let Self::Stream(stream) = self {
            return stream.bounds();
        }
        let mut first = u64::MAX;
        self.each_numbered(&mut |number, _| first = first.min(number));
        let end = match self {
            Self::Classic(queue) => queue.backing.id_next,
            Self::Mirror(mirror) => mirror.backing.id_next,
            Self::Quorum(member) => member.number_next(),
            Self::Stream(_) => first,
        };
        (first.min(end), end)
    }

    /// Up to which number its messages would survive a power loss, if so much of its file is on the device.
    pub(super) fn durable_to(&self, on_device: u64) -> u64 {
        match self {
            Self::Classic(queue) => queue.backing.durable_to(on_device),
            Self::Mirror(mirror) => mirror.backing.durable_to(on_device),
            Self::Quorum(member) => member.durable_to(),
            Self::Stream(stream) => stream.durable_to(on_device),
        }
    }

    /// Shows every message that it has with the queue's own number for it.
    pub(super) fn each_numbered(
        &self,
        show: &mut dyn FnMut(u64, crate::broker::rabbitmq::content::EnvelopeId),
    ) {
        let backing = match self {
            Self::Classic(queue) => &queue.backing,
            Self::Mirror(mirror) => &mirror.backing,
            Self::Quorum(member) => return member.each_numbered(show),
            Self::Stream(stream) => return stream.each_numbered(show),
        };
        backing.iter().for_each(|entry| show(entry.id, entry.envelope));
        backing.held.iter().for_each(|held| show(held.entry.id, held.entry.envelope));
    }

    /// How many messages it has.
    pub(super) fn messages(&self) -> usize {
        match self {
            Self::Classic(queue) => queue.backing.count(),
            Self::Mirror(mirror) => mirror.backing.count(),
            Self::Quorum(member) => member.messages(),
            Self::Stream(stream) => stream.messages(),
        }
    }

    /// Everything that it has is thrown away, by this rule.
    fn wipe(&mut self, rule: Rule, shared: &Shared, ctx: &mut RabbitCtx<'_>) {
        match self {
            Self::Classic(queue) => queue.backing.wipe(rule, shared, ctx),
            Self::Mirror(mirror) => mirror.backing.wipe(rule, shared, ctx),
            Self::Quorum(member) => member.wipe(ctx),
            Self::Stream(stream) => stream.wipe(ctx),
        }
    }

    fn storage_lost(&mut self, loss: Loss, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        match self {
            Self::Classic(queue) => queue.backing.store.storage_lost(loss, shared, ctx),
            Self::Mirror(mirror) => mirror.backing.store.storage_lost(loss, shared, ctx),
            Self::Quorum(member) => member.storage_lost(loss, shared, ctx),
            Self::Stream(stream) => stream.storage_lost(loss, shared, ctx),
        }
    }
}
