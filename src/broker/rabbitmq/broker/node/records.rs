//! Queues that come and go, and records that change.

use smallvec::SmallVec;

use super::super::classic::Classic;
use super::super::meta::QueueRecord;
use super::super::quorum::Quorum;
use super::super::stream::Stream;
use super::super::{Broker, BrokerTimer, Env, QueueProc};
use super::{Alarm, NodeMsg, Standing};
use crate::broker::rabbitmq::message::{Msg, Pid, Proc, QueueEnd};
use crate::broker::rabbitmq::model::{RabbitCtx, Shared, Timer};
use crate::broker::rabbitmq::topology::{QueueId, QueueKind};
use crate::fact::Rule;
use crate::sim::Span;

/// A channel declares a queue that is not there: it lives on the channel's node.
pub(in super::super) fn declare(queue: QueueId, owner: Pid, env: &mut Env<'_, '_>) {
    let topology = std::sync::Arc::clone(&env.shared.topology);
    let spec = topology.queue(queue);
    let is_classic = matches!(spec.kind, QueueKind::Classic { .. });
    let node = env.core.id;
    env.core.meta.change(queue, |record| {
        record.exists = true;
        record.is_live = true;
        record.born = record.version + 1;
        record.leader = node;
        record.owner = spec.exclusive.then_some(owner);
        record.synchronised.clear();
        if !is_classic {
            record.others = SmallVec::from_slice(&spec.members);
            // One of its members leads it, wherever it is declared.
            record.leader = spec.members.iter().copied().find(|&member| member == node).unwrap_or(spec.home);
        }
    });
    let msg = NodeMsg::QueueEnded { queue, how: QueueEnd::Declared };
    env.send(env.here(Proc::Node), Msg::Node(Box::new(msg)));
}

/// A process of a queue on this node ended.
pub(in super::super) fn queue_ended(queue: QueueId, how: QueueEnd, env: &mut Env<'_, '_>) {
    env.send(env.here(Proc::Node), Msg::Node(Box::new(NodeMsg::QueueEnded { queue, how })));
}

/// This node leads a quorum queue now: all hear of it.
pub(in super::super) fn announce_leader(queue: QueueId, env: &mut Env<'_, '_>) {
    let id = env.core.id;
    let record = env.core.meta.change(queue, |record| {
        record.leader = id;
        record.is_live = true;
    });
    for peer in (0..env.core.meta.running.len() as u16).filter(|&peer| peer != id) {
        let msg = NodeMsg::Record { queue, record: record.clone() };
        env.send(Pid { node: peer, proc: Proc::Node }, Msg::Node(Box::new(msg)));
    }
}

/// Who leads a stream: the channels of this node hear of it.
pub(in super::super) fn stream_led(queue: QueueId, leader: Option<u16>, env: &mut Env<'_, '_>) {
    env.send(env.here(Proc::Node), Msg::Node(Box::new(NodeMsg::StreamLed { queue, leader })));
}

/// A channel is gone.
pub(in super::super) fn owner_gone(owner: Pid, env: &mut Env<'_, '_>) {
    if env.core.meta.queues.iter().any(|record| record.owner == Some(owner)) {
        env.send(env.here(Proc::Node), Msg::Node(Box::new(NodeMsg::OwnerGone { owner })));
    }
}

/// An administrator whom a node refuses tries again so often.
const DECLARE_AGAIN: Span = Span::from_secs(1);

impl Broker {
    /// An administrator declares a queue here, if nobody has ever done so.
    pub(super) fn declare_now(&mut self, queue: QueueId, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        if self.core.meta.queue(queue).version > 0 {
            return;
        }
        if self.node.standing == Standing::Running {
            let nobody = self.as_node(shared, ctx).me;
            declare(queue, nobody, &mut self.as_node(shared, ctx));
        } else {
            ctx.timer(DECLARE_AGAIN, Timer::Broker(BrokerTimer::Node(Alarm::Declare(queue))));
        }
    }

    /// The node's replica of a stream knows who leads, or that nobody does.
    pub(super) fn stream_leader(
        &mut self,
        queue: QueueId,
        leader: Option<u16>,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        self.core.meta.note_leader(queue, leader);
        self.each_channel(shared, ctx, |channel, env| channel.stream_led(queue, leader, env));
    }

    /// A process of a queue on this node began or ended.
    pub(super) fn queue_process_ended(
        &mut self,
        queue: QueueId,
        how: QueueEnd,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let id = self.core.id;
        match how {
            QueueEnd::Declared => {
                self.begin_declared(queue, shared, ctx);
                self.change_record(queue, |_| {}, shared, ctx);
            }
            QueueEnd::Deleted => {
                self.tell_channels(queue, id, how, shared, ctx);
                self.queues[queue.0 as usize] = None;
                self.forget_queue(queue, shared, ctx);
            }
            QueueEnd::Crashed => self.tell_channels(queue, id, how, shared, ctx),
            QueueEnd::NodeDown => {}
        }
    }

    /// The process of a queue that was just declared here.
    fn begin_declared(&mut self, queue: QueueId, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let topology = std::sync::Arc::clone(&shared.topology);
        let spec = topology.queue(queue);
        let me = Pid { node: self.core.id, proc: Proc::Queue(queue) };
        let env = &mut Env { me, core: &mut self.core, shared, ctx };
        let process = if matches!(spec.kind, QueueKind::Classic { .. }) {
            let mut process = Classic::new(queue, spec, None);
            process.begin(env);
            Some(QueueProc::Classic(Box::new(process)))
        } else {
            member(queue, spec.kind, None, env)
        };
        self.queues[queue.0 as usize] = process;
        self.mirror_node_up(queue, self.core.id, shared, ctx);
    }

    /// Another node declared a quorum queue of which this one is to have a member.
    fn start_declared_member(
        &mut self,
        queue: QueueId,
        before: &QueueRecord,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        if !before.exists && self.core.meta.exists(queue) {
            let me = Pid { node: self.core.id, proc: Proc::Queue(queue) };
            let env = &mut Env { me, core: &mut self.core, shared, ctx };
            let kind = env.shared.topology.queue(queue).kind;
            self.queues[queue.0 as usize] = member(queue, kind, None, env);
        }
    }

    /// Queues have other arguments from now on.
    pub(in super::super::super) fn policies_changed(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        for number in 0..self.queues.len() as u16 {
            let queue = QueueId(number);
            let me = Pid { node: self.core.id, proc: Proc::Queue(queue) };
            if let Some(QueueProc::Classic(process)) = &mut self.queues[number as usize] {
                process.begin(&mut Env { me, core: &mut self.core, shared, ctx });
            }
            self.mirror_node_up(queue, self.core.id, shared, ctx);
        }
        self.work(shared, ctx);
    }

    /// The queue is not there any more.
    pub(super) fn forget_queue(&mut self, queue: QueueId, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let gone = |record: &mut QueueRecord| {
            record.exists = false;
            record.is_live = false;
            record.owner = None;
            record.others.clear();
            record.synchronised.clear();
        };
        self.change_record(queue, gone, shared, ctx);
    }

    /// The queues that this channel alone could use are deleted with it.
    pub(super) fn delete_queues_of(&mut self, owner: Pid, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        for number in 0..self.core.meta.queues.len() as u16 {
            let queue = QueueId(number);
            let record = self.core.meta.queue(queue);
            if record.exists && record.owner == Some(owner) {
                let to = Pid { node: record.leader, proc: Proc::Queue(queue) };
                self.as_node(shared, ctx).send(to, Msg::Delete);
            }
        }
    }

    /// Changes a record and tells everybody.
    pub(in super::super) fn change_record(
        &mut self,
        queue: QueueId,
        change: impl FnOnce(&mut QueueRecord),
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let record = self.core.meta.change(queue, change);
        self.tell_all(&NodeMsg::Record { queue, record }, shared, ctx);
        self.each_channel(shared, ctx, |channel, env| channel.meta_changed(queue, env));
    }

    /// A peer changed a record.
    pub(super) fn record_told(
        &mut self,
        peer: u16,
        queue: QueueId,
        record: QueueRecord,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        if !self.core.meta.runs(peer) {
            // From the other side of a partition.
            return;
        }
        let before = self.core.meta.queue(queue).clone();
        if !self.core.meta.take_over(queue, record) {
            return;
        }
        self.record_changed(queue, &before, shared, ctx);
        self.each_channel(shared, ctx, |channel, env| channel.meta_changed(queue, env));
    }

    /// What follows from a record that another node changed.
    fn record_changed(
        &mut self,
        queue: QueueId,
        before: &QueueRecord,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let now = self.core.meta.queue(queue).clone();
        if before.exists && !now.exists {
            let how = QueueEnd::Deleted;
            self.tell_channels(queue, before.leader, how, shared, ctx);
            self.cancel_consumers(queue, shared, ctx);
            if let Some(process) = &mut self.queues[queue.0 as usize] {
                process.wipe(Rule::Deleted, shared, ctx);
            }
            self.queues[queue.0 as usize] = None;
            return;
        }
        if !matches!(shared.topology.queue(queue).kind, QueueKind::Classic { .. }) {
            return self.start_declared_member(queue, before, shared, ctx);
        }
        for &gone in before.others.iter().filter(|node| !now.others.contains(node) && now.leader != **node) {
            self.tell_channels(queue, gone, QueueEnd::NodeDown, shared, ctx);
        }
        self.mirror_record_changed(queue, before, &now, shared, ctx);
    }
}

/// The node's process of a queue that a majority keeps, over what it had.
pub(super) fn member(
    queue: QueueId,
    kind: QueueKind,
    old: Option<QueueProc>,
    env: &mut Env<'_, '_>,
) -> Option<QueueProc> {
    match (kind, old) {
        (QueueKind::Stream, Some(QueueProc::Stream(old))) => Stream::start(queue, Some(old), env),
        (QueueKind::Stream, _) => Stream::start(queue, None, env),
        (_, Some(QueueProc::Quorum(old))) => {
            return Quorum::start(queue, Some(old), env).map(QueueProc::Quorum);
        }
        _ => return Quorum::start(queue, None, env).map(QueueProc::Quorum),
    }
    .map(QueueProc::Stream)
}
