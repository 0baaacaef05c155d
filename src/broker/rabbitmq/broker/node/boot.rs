//! A node starts, and stops.
//!
//! A node that starts takes the metadata of a peer that runs. If none runs it waits for those that ran when it went
//! down, because they may know more than it does; who went down last waits for nobody. After ten times thirty seconds
//! it gives up. A node that keeps its metadata in memory alone can only start beside one that runs.
//!
//! Source: `rabbit_mnesia`, <https://www.rabbitmq.com/docs/clustering#restarting>.
//!
//! Not modelled: `force_boot`, `forget_cluster_node`.

use super::super::classic::Classic;
use super::super::meta::QueueRecord;
use super::super::mirror::Ring;
use super::super::quorum;
use super::super::{Broker, BrokerTimer, QueueProc};
use super::{Alarm, NodeMsg, Standing, records};
use crate::broker::rabbitmq::error::Error;
use crate::broker::rabbitmq::message::{Pid, Proc};
use crate::broker::rabbitmq::model::{RabbitCtx, Shared, Timer};
use crate::broker::rabbitmq::story::{self, Kind};
use crate::broker::rabbitmq::topology::{QueueId, QueueKind, Topology};
use crate::fact::Rule;
use crate::sim::draw::{self, Purpose};
use crate::sim::{ConnId, Span, Time};

/// How often a node looks for peers that it lost.
const LOOK_EVERY: Span = Span::from_secs(1);
/// A starting node tries for so long to reach the others (`net_setuptime`).
const REACH_FOR: Span = Span::from_secs(7);
/// How often it measures its memory and its disk.
const MEASURE_EVERY: Span = Span::from_millis(2_500);

/// Of so many mirrored queues that start with others, one comes up empty and one without mirrors. An estimate: the
/// report says "some".
const RACE_OUT_OF: u64 = 4;

/// How a mirrored queue can come up that loses the race at the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Race {
    Empty,
    WithoutMirrors,
}

impl Broker {
    /// The process starts: at the beginning of the run in a healthy cluster, later on what the disk has.
    pub(in super::super) fn start(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let is_first = self.node.incarnation == 0;
        self.node.returns_until = Time::ZERO;
        self.core.mailbox.clear();
        self.core.dist.restart();
        self.core.limiter = super::super::limiter::Limiter::default();
        self.core.wal.restart(ctx.file_len(quorum::wal_file(shared)));
        for process in self.queues.iter_mut().flatten() {
            match process {
                QueueProc::Quorum(member) => member.halt(),
                QueueProc::Stream(stream) => stream.halt(),
                QueueProc::Classic(_) | QueueProc::Mirror(_) => {}
            }
        }
        self.channels.iter_mut().for_each(|channel| *channel = None);
        if is_first {
            self.node.incarnation = 1;
            self.node.known.fill(Some(1));
            let id = self.core.id;
            for peer in self.peers().filter(|&peer| peer > id) {
                self.core.dist.dial(peer, ctx);
            }
            self.start_timers(shared, ctx);
            self.start_queues(true, shared, ctx);
        } else {
            self.start_timers(shared, ctx);
            self.boot(shared, ctx);
        }
    }

    fn start_timers(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let remind = |after: Span, alarm: Alarm, ctx: &mut RabbitCtx<'_>| {
            ctx.timer(after, Timer::Broker(BrokerTimer::Node(alarm)));
        };
        if shared.topology.brokers > 1 {
            // Nodes do not tick at the same instant.
            let quarter = shared.topology.config.net_ticktime.half().half();
            let bits = draw::bits(ctx.seed(), Purpose::Election, u64::from(self.core.id), u64::MAX - 1);
            remind(Span(draw::below(bits, quarter.0)), Alarm::Tick, ctx);
            remind(LOOK_EVERY, Alarm::Look, ctx);
        }
        self.start_beating(shared, ctx);
        remind(MEASURE_EVERY, Alarm::Measure, ctx);
        for (number, spec) in (0..).zip(&shared.topology.queues) {
            if let Some(at) = spec.declared_at.filter(|_| spec.home == self.core.id) {
                let at = (Time::ZERO + at).max(ctx.now());
                ctx.timer_at(at, Timer::Broker(BrokerTimer::Node(Alarm::Declare(QueueId(number)))));
            }
        }
    }

    /// The application starts: it needs a peer that runs, or to know that nobody knows more.
    pub(in super::super) fn boot(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        self.node.incarnation += 1;
        self.node.standing = Standing::Booting;
        self.core.is_closed = false;
        self.node.partitions.clear();
        self.node.starting.clear();
        self.node.pings.clear();
        self.node.bare.clear();
        self.node.is_overlooked = false;
        self.node.alarms.fill(false);
        let id = self.core.id;
        let is_ram = shared.topology.ram.get(id as usize).copied().unwrap_or(false);
        let peers: Vec<u16> = self.peers().collect();
        self.node.waits_for = peers
            .iter()
            .copied()
            .filter(|&peer| is_ram || self.core.meta.runs(peer))
            .filter(|peer| self.node.joins_only.is_empty() || self.node.joins_only.contains(peer))
            .collect();
        self.core.meta.running.fill(false);
        let (times, each) = shared.topology.config.table_loading;
        self.node.boot_ends = ctx.now() + each * u64::from(times);
        ctx.timer_at(self.node.boot_ends, Timer::Broker(BrokerTimer::Node(Alarm::Boot)));
        self.node.unresolved.clone_from(&peers);
        ctx.timer(REACH_FOR, Timer::Broker(BrokerTimer::Node(Alarm::Reach)));
        for &peer in &peers {
            if self.core.dist.is_open(peer) {
                self.greet(peer, shared, ctx);
            } else {
                self.core.dist.dial(peer, ctx);
            }
        }
        self.come_up_if_ready(shared, ctx);
    }

    /// Nobody came that knows more.
    pub(super) fn boot_overdue(&mut self, _shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        if self.node.standing == Standing::Booting && ctx.now() >= self.node.boot_ends {
            ctx.exit();
        }
    }

    /// Whether all that may know more are here, starting as well.
    pub(super) fn come_up_if_ready(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let is_here = |peer: &u16| self.node.starting.contains(peer);
        let is_ram = |node: u16| shared.topology.ram.get(node as usize).copied().unwrap_or(false);
        let knows_nothing = is_ram(self.core.id) && self.node.starting.iter().all(|&peer| is_ram(peer));
        let has_looked = self.node.unresolved.is_empty();
        let is_ready = has_looked && self.node.waits_for.iter().all(is_here) && !knows_nothing;
        if self.node.standing == Standing::Booting && is_ready {
            // Nobody ran who could tell of exchanges that are on no disk.
            for (there, exchange) in self.core.meta.exchanges.iter_mut().zip(&shared.topology.exchanges) {
                *there = *there && exchange.durable;
            }
            self.come_up(shared, ctx);
        }
    }

    /// The cluster tells what it knows.
    pub(super) fn welcomed(
        &mut self,
        peer: u16,
        (records, exchanges): (Vec<QueueRecord>, Vec<bool>),
        running: &[bool],
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let may_join = self.node.joins_only.is_empty() || self.node.joins_only.contains(&peer);
        if self.node.standing != Standing::Booting || !may_join {
            return;
        }
        self.core.meta.queues = records;
        self.core.meta.exchanges = exchanges;
        self.core.meta.version += 1;
        for other in self.peers() {
            self.core.meta.running[other as usize] = running.get(other as usize).copied().unwrap_or(false);
        }
        self.core.meta.running[peer as usize] = true;
        self.come_up(shared, ctx);
    }

    /// The node serves from now on.
    fn come_up(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        self.node.standing = Standing::Running;
        self.node.starts_together = !self.node.starting.is_empty();
        self.node.joins_only.clear();
        let id = self.core.id;
        self.core.meta.running[id as usize] = true;
        for peer in std::mem::take(&mut self.node.starting) {
            self.core.meta.running[peer as usize] = true;
        }
        let incarnation = self.node.incarnation;
        self.tell_all(&NodeMsg::Up { incarnation }, shared, ctx);
        self.start_queues(false, shared, ctx);
        self.release_delayed(shared, ctx);
    }

    /// Starts the processes that this node has of queues.
    fn start_queues(&mut self, is_first: bool, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        for number in 0..self.queues.len() as u16 {
            let queue = QueueId(number);
            if matches!(shared.topology.queue(queue).kind, QueueKind::Classic { .. }) {
                self.start_classic(queue, is_first, shared, ctx);
            } else {
                let me = Pid { node: self.core.id, proc: Proc::Queue(queue) };
                let old = self.queues[number as usize].take();
                let env = &mut super::super::Env { me, core: &mut self.core, shared, ctx };
                let kind = env.shared.topology.queue(queue).kind;
                self.queues[number as usize] = records::member(queue, kind, old, env);
            }
        }
    }

    fn start_classic(
        &mut self,
        queue: QueueId,
        is_first: bool,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let id = self.core.id;
        let me = Pid { node: id, proc: Proc::Queue(queue) };
        let record = self.core.meta.queue(queue).clone();
        let is_durable = shared.topology.queue(queue).durable;
        let mut old = self.queues[queue.0 as usize].take();
        if !record.exists || record.leader != id {
            self.join_as_mirror(queue, &record, old, is_first, shared, ctx);
            return;
        }
        if !is_first && (!is_durable || record.owner.is_some()) {
            // It and its bindings went with the node.
            if let Some(mut old) = old {
                old.wipe(Rule::Transient, shared, ctx);
            }
            self.forget_queue(queue, shared, ctx);
            return;
        }
        let topology = std::sync::Arc::clone(&shared.topology);
        let raced = if is_first { None } else { self.races(queue, &topology, ctx.seed()) };
        if raced == Some(Race::Empty)
            && let Some(old) = &mut old
        {
            ctx.observe(story::fact(Kind::QueueCrashed, u32::from(queue.0), [0, 0]));
            old.wipe(Rule::Crashed, shared, ctx);
        }
        // Mirrors of a queue that starts again are taken on anew.
        let ring = if is_first { Ring::of(queue, &record, &topology) } else { None };
        let env = &mut super::super::Env { me, core: &mut self.core, shared, ctx };
        let mut process = match old {
            Some(QueueProc::Classic(old)) => Classic::over(old.backing, ring),
            Some(QueueProc::Mirror(old)) => Classic::over(old.backing, ring),
            _ => Classic::new(queue, topology.queue(queue), ring),
        };
        if !is_first {
            process.backing.recover(env);
        }
        process.begin(env);
        self.queues[queue.0 as usize] = Some(QueueProc::Classic(Box::new(process)));
        if !is_first {
            let alone = |record: &mut QueueRecord| {
                record.is_live = true;
                record.others.clear();
                record.synchronised.clear();
            };
            self.change_record(queue, alone, shared, ctx);
            if raced == Some(Race::WithoutMirrors) {
                self.node.bare.push(queue);
            }
            self.mirror_node_up(queue, id, shared, ctx);
        }
    }

    /// Bug: mirrors start before the supervisor of their vhost does, when all nodes start at once; how that ends is a
    /// matter of luck.
    fn races(&self, queue: QueueId, topology: &Topology, seed: u64) -> Option<Race> {
        let is_mirrored = topology.queue(queue).args.ha.is_some();
        if !(is_mirrored && self.node.starts_together && topology.rules.mirrors_race_at_start) {
            return None;
        }
        let which = u64::from(self.node.incarnation) << 16 | u64::from(queue.0);
        let bits = draw::bits(seed, Purpose::Bootstrap, u64::from(self.core.id), which);
        match draw::below(bits, RACE_OUT_OF) {
            0 => Some(Race::Empty),
            1 => Some(Race::WithoutMirrors),
            _ => None,
        }
    }

    /// The process is asked to stop: it tells the others, sends its clients away, and writes what it has.
    pub(in super::super) fn stop(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        if self.node.standing == Standing::Booting {
            return ctx.exit();
        }
        let was_running = self.node.standing == Standing::Running;
        self.node.standing = Standing::Stopping;
        if was_running {
            self.close_application(shared, ctx);
            self.tell_all(&NodeMsg::Stopping, shared, ctx);
        }
        self.stopped_by_now(shared, ctx);
    }

    /// Sends the clients away and closes the queues in order.
    pub(super) fn close_application(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        for number in 0..self.channels.len() as u32 {
            if let Some(channel) = self.channels[number as usize].as_mut() {
                let me = Pid { node: self.core.id, proc: Proc::Channel(number) };
                let core = &mut self.core;
                channel
                    .force_close(Error::ConnectionForced, &mut super::super::Env { me, core, shared, ctx });
                self.end_channel(number, shared, ctx);
            }
        }
        self.work(shared, ctx);
        self.core.is_closed = true;
        for number in 0..self.queues.len() as u16 {
            let queue = QueueId(number);
            let me = Pid { node: self.core.id, proc: Proc::Queue(queue) };
            let env = &mut super::super::Env { me, core: &mut self.core, shared, ctx };
            match &mut self.queues[number as usize] {
                Some(QueueProc::Classic(process)) => process.close(env),
                Some(QueueProc::Mirror(mirror)) => mirror.close(env),
                Some(QueueProc::Quorum(member)) => member.close(env),
                // What is written is with the operating system.
                Some(QueueProc::Stream(stream)) => stream.halt(),
                None => {}
            }
        }
    }

    /// A node that was asked to stop ends when everything is on the device.
    pub(in super::super) fn stopped_by_now(&mut self, _shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        if self.node.standing != Standing::Stopping {
            return;
        }
        let is_closed = |process: &QueueProc| match process {
            QueueProc::Classic(process) => process.backing.store.is_closed(),
            QueueProc::Mirror(mirror) => mirror.backing.store.is_closed(),
            QueueProc::Quorum(_) | QueueProc::Stream(_) => true,
        };
        if self.queues.iter().flatten().all(is_closed) && self.core.wal.is_quiet() {
            ctx.exit();
        }
    }

    /// A peer connected, or this node did.
    pub(in super::super) fn link_accepted(
        &mut self,
        conn: ConnId,
        peer: u16,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        if self.core.dist.accepted(conn, peer, ctx) {
            self.node.pings.retain(|&other| other != peer);
            self.greet(peer, shared, ctx);
        }
    }

    pub(in super::super) fn linked(&mut self, conn: ConnId, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        if let Some(peer) = self.core.dist.connected(conn, ctx) {
            self.node.pings.retain(|&other| other != peer);
            self.greet(peer, shared, ctx);
        }
    }

    /// The first thing that is said on a connection.
    fn greet(&mut self, peer: u16, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let (incarnation, standing) = (self.node.incarnation, self.node.standing);
        let is_booting = standing == Standing::Booting;
        let records = if is_booting { self.core.meta.queues.clone() } else { Vec::new() };
        let (sees_you, knows_you) = (self.core.meta.runs(peer), self.node.known[peer as usize]);
        let hello = NodeMsg::Hello { incarnation, standing, sees_you, knows_you, records };
        self.tell_node(peer, hello, shared, ctx);
    }
}
