//! Who runs: peers that come, go, and were taken for gone.

use super::super::meta::QueueRecord;
use super::super::{Broker, BrokerTimer, QueueProc};
use super::{Alarm, NodeMsg, Standing, partitions};
use crate::broker::rabbitmq::message::{Msg, Pid, Proc, QueueEnd};
use crate::broker::rabbitmq::model::{RabbitCtx, Shared, Timer};
use crate::broker::rabbitmq::topology::{QueueId, QueueKind};
use crate::fact::{Fact, NodeId};
use crate::sim::{ConnId, Span};

const LOOK_EVERY: Span = Span::from_secs(1);

impl Broker {
    /// A quarter of the tick time is over.
    pub(super) fn tick(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        for peer in self.core.dist.tick(ctx) {
            self.core.dist.drop_peer(peer, ctx);
            self.node_lost(peer, shared, ctx);
        }
        let quarter = shared.topology.config.net_ticktime.half().half();
        ctx.timer(quarter, Timer::Broker(BrokerTimer::Node(Alarm::Tick)));
    }

    /// Tries to reach peers that it has no connection with.
    pub(super) fn look_for_peers(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let id = self.core.id;
        for peer in self.peers() {
            let is_needed = self.node.standing != Standing::Stopping
                && !self.node.is_overlooked
                && !self.core.dist.is_open(peer);
            // Between two that both look, the smaller number connects; one that starts connects to all.
            if is_needed && (id < peer || self.node.standing == Standing::Booting) {
                self.core.dist.dial(peer, ctx);
            }
        }
        self.look_at_majority(shared, ctx);
        ctx.timer(LOOK_EVERY, Timer::Broker(BrokerTimer::Node(Alarm::Look)));
    }

    /// The connection to a peer is gone.
    pub(in super::super) fn link_closed(
        &mut self,
        conn: ConnId,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let Some((peer, was_open)) = self.core.dist.closed(conn) else { return };
        self.node.pings.retain(|&other| other != peer);
        if was_open {
            if self.node.standing == Standing::Running && partitions::counts(shared) {
                // Before it counts who is left it asks those who are gone: a node that slept finds them all.
                self.core.dist.dial(peer, ctx);
                self.node.pings.push(peer);
            }
            self.node_lost(peer, shared, ctx);
        } else {
            self.look_at_majority(shared, ctx);
        }
        if self.node.standing == Standing::Booting {
            self.node.unresolved.retain(|&other| other != peer);
            self.come_up_if_ready(shared, ctx);
        }
    }

    /// There is no connection to a peer any more.
    pub(super) fn node_lost(&mut self, peer: u16, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        self.tell_members(peer, false, shared, ctx);
        if self.core.meta.runs(peer) {
            self.node_down(peer, false, shared, ctx);
            self.ask_about(peer, shared, ctx);
        }
    }

    /// What a peer says first; whether it takes this node for running, and whether it says that of the process that
    /// runs now.
    pub(super) fn hello(
        &mut self,
        peer: u16,
        (incarnation, standing): (u32, Standing),
        (sees_me, is_of_me): (bool, bool),
        records: Vec<QueueRecord>,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let before = self.node.known[peer as usize].replace(incarnation);
        if standing == Standing::Running {
            self.tell_members(peer, true, shared, ctx);
        } else {
            self.node.unresolved.retain(|&other| other != peer);
        }
        match (self.node.standing, standing) {
            (Standing::Running, Standing::Booting) => {
                // Whatever members that process had are gone, whether or not anybody had noticed.
                self.tell_members(peer, false, shared, ctx);
                if self.core.meta.runs(peer) {
                    // The process that ran there is gone, and nobody had noticed.
                    self.node_down(peer, false, shared, ctx);
                }
                self.node.partitions.retain(|&other| other != peer);
                let meta = &self.core.meta;
                let (records, exchanges) = (meta.queues.clone(), meta.exchanges.clone());
                let running = meta.running.clone();
                self.tell_node(peer, NodeMsg::Welcome { records, exchanges, running }, shared, ctx);
            }
            (Standing::Booting, Standing::Booting) => {
                for (number, record) in (0..).zip(records) {
                    self.core.meta.take_over(QueueId(number), record);
                }
                if !self.node.starting.contains(&peer) {
                    self.node.starting.push(peer);
                }
                self.come_up_if_ready(shared, ctx);
            }
            (Standing::Running, Standing::Running) => {
                let runs = self.core.meta.runs(peer);
                if runs && (sees_me || !is_of_me) {
                    // If it has not heard of this node's last start, it will: it is told by whoever is up.
                    return;
                }
                if before != Some(incarnation) && (sees_me || runs) {
                    // One of them started and was taken in by others before the two had a connection.
                    if before.is_some() && runs {
                        self.node_down(peer, false, shared, ctx);
                    }
                    self.peer_up(peer, incarnation, shared, ctx);
                } else if before.is_none_or(|before| before == incarnation) {
                    self.partitioned_from(peer, shared, ctx);
                }
            }
            _ => {}
        }
    }

    /// A peer is up.
    pub(super) fn peer_up(
        &mut self,
        peer: u16,
        incarnation: u32,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        self.node.known[peer as usize] = Some(incarnation);
        if self.node.standing != Standing::Running {
            return;
        }
        self.core.meta.running[peer as usize] = true;
        self.node.partitions.retain(|&other| other != peer);
        if self.node.alarms[self.core.id as usize] {
            self.tell_node(peer, NodeMsg::Alarm { is_set: true }, shared, ctx);
        }
        for number in 0..self.queues.len() as u16 {
            self.mirror_node_up(QueueId(number), peer, shared, ctx);
        }
        self.tell_members(peer, true, shared, ctx);
    }

    /// A peer is gone, as far as this node can know: `in_order` if it said so itself.
    pub(super) fn node_down(
        &mut self,
        peer: u16,
        in_order: bool,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        if self.node.standing != Standing::Running || !self.core.meta.runs(peer) {
            self.node.starting.retain(|&other| other != peer);
            return;
        }
        self.core.meta.running[peer as usize] = false;
        self.core.meta.unstick(peer);
        self.node.alarms[peer as usize] = false;
        let first = (0..).zip(&self.core.meta.running).find(|(_, runs)| **runs).map(|(node, _)| node);
        if first == Some(self.core.id) {
            ctx.observe_at(NodeId(peer), Fact::DetectedDown { by: Some(NodeId(self.core.id)) });
        }
        for number in 0..self.queues.len() as u16 {
            self.queue_without_node(QueueId(number), peer, in_order, shared, ctx);
        }
        self.alarms_changed(shared, ctx);
        self.look_at_majority(shared, ctx);
    }

    /// What becomes of a queue when a node is gone.
    fn queue_without_node(
        &mut self,
        queue: QueueId,
        peer: u16,
        in_order: bool,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let record = self.core.meta.queue(queue).clone();
        let spec = shared.topology.queue(queue);
        if !matches!(spec.kind, QueueKind::Classic { .. }) {
            // Its members go by the connections, not by who is taken for running.
            return;
        }
        if !record.exists {
            return;
        }
        let is_durable = spec.durable;
        if record.leader == peer && record.others.is_empty() {
            let how = QueueEnd::NodeDown;
            self.tell_channels(queue, peer, how, shared, ctx);
            self.cancel_consumers(queue, shared, ctx);
            // Not told to others: each sees it for itself.
            let own = &mut self.core.meta.queues[queue.0 as usize];
            own.is_live = false;
            own.exists &= is_durable;
        } else if record.leader == peer || record.others.contains(&peer) {
            self.mirrored_without_node(queue, &record, peer, in_order, shared, ctx);
        }
    }

    /// Tells the node's members of quorum queues, and replicas of streams, who came or went.
    pub(super) fn tell_members(
        &mut self,
        peer: u16,
        is_up: bool,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        for (number, process) in (0..).zip(&mut self.queues) {
            let me = Pid { node: self.core.id, proc: Proc::Queue(QueueId(number)) };
            let env = &mut super::super::Env { me, core: &mut self.core, shared, ctx };
            match process {
                Some(QueueProc::Quorum(member)) => member.node_changed(peer, is_up, env),
                Some(QueueProc::Stream(stream)) => stream.node_changed(peer, is_up, env),
                _ => {}
            }
        }
    }

    /// A process of a queue ended: the channels of this node hear of it.
    pub(in super::super) fn tell_channels(
        &mut self,
        queue: QueueId,
        node: u16,
        how: QueueEnd,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        for number in 0..self.channels.len() as u32 {
            if self.channels[number as usize].is_some() {
                let to = Pid { node: self.core.id, proc: Proc::Channel(number) };
                self.as_node(shared, ctx).send(to, Msg::QueueDown { queue, node, how });
            }
        }
    }

    /// The consumers of a queue on this node's channels are cancelled.
    pub(super) fn cancel_consumers(&mut self, queue: QueueId, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        self.each_channel(shared, ctx, |channel, env| channel.cancel_consumers_of(queue, env));
    }

    pub(in super::super) fn each_channel(
        &mut self,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
        act: impl Fn(&mut super::super::Channel, &mut super::super::Env<'_, '_>),
    ) {
        for (number, channel) in (0..).zip(&mut self.channels) {
            if let Some(channel) = channel {
                let me = Pid { node: self.core.id, proc: Proc::Channel(number) };
                let core = &mut self.core;
                act(channel, &mut super::super::Env { me, core, shared, ctx });
            }
        }
    }
}
