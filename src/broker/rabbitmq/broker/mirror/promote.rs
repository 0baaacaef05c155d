//! Who mirrors a queue, and who leads it, as nodes come and go.

use smallvec::SmallVec;

use super::super::classic::{Backing, Classic};
use super::super::meta::QueueRecord;
use super::super::{Broker, BrokerTimer, Env, QueueAlarm, QueueProc};
use super::{Half, Mirror, MirrorMsg, Ring};
use crate::broker::rabbitmq::message::{Msg, Pid, Proc, QueueEnd};
use crate::broker::rabbitmq::model::{RabbitCtx, Shared, Timer};
use crate::broker::rabbitmq::story::{self, Kind};
use crate::broker::rabbitmq::topology::{Ha, HaMode, QueueId, QueueKind};
use crate::fact::{Fact, NodeId, PlaceId, Rule};
use crate::sim::Span;
use crate::sim::draw::{self, Purpose};

/// From a leader's death until the oldest mirror leads: the ring closes and the tables are changed. Measured on 3.10.8:
/// confirms stop for 157 to 690 ms.
const PROMOTION_MIN: Span = Span::from_millis(160);
const PROMOTION_MAX: Span = Span::from_millis(600);

/// A mirror has everything: the record says so.
pub(super) fn synchronised(queue: QueueId, node: u16, env: &mut Env<'_, '_>) {
    let numbers = [u64::from(node), 0];
    env.ctx.observe(story::fact(Kind::Synchronised, u32::from(queue.0), numbers));
    let record = env.core.meta.change(queue, |record| {
        if !record.synchronised.contains(&node) {
            record.synchronised.push(node);
        }
    });
    tell_record(queue, &record, env);
}

fn tell_record(queue: QueueId, record: &QueueRecord, env: &mut Env<'_, '_>) {
    let peers: SmallVec<[u16; 4]> = (0..env.shared.topology.brokers)
        .filter(|&peer| peer != env.core.id && env.core.meta.runs(peer))
        .collect();
    for peer in peers {
        let msg = super::super::node::NodeMsg::Record { queue, record: record.clone() };
        env.send(Pid { node: peer, proc: Proc::Node }, Msg::Node(Box::new(msg)));
    }
}

impl Ha {
    /// Which nodes, besides its leader, should mirror a queue: of those that run, those it has first.
    fn wanted(&self, record: &QueueRecord, runs: impl Fn(u16) -> bool, brokers: u16) -> Vec<u16> {
        let have = record.others.iter().copied();
        let rest = (0..brokers).filter(|node| !record.others.contains(node));
        let all: Vec<u16> = have.chain(rest).filter(|&node| node != record.leader && runs(node)).collect();
        match &self.mode {
            HaMode::All => all,
            HaMode::Exactly(count) => all.into_iter().take(usize::from(*count).saturating_sub(1)).collect(),
            HaMode::Nodes(nodes) => all.into_iter().filter(|node| nodes.contains(node)).collect(),
        }
    }
}

impl Broker {
    /// A node starts that does not lead this queue: at the beginning of the run it may be a mirror; later it throws
    /// away what it had, and joins when the leader says so.
    pub(in super::super) fn join_as_mirror(
        &mut self,
        queue: QueueId,
        record: &QueueRecord,
        old: Option<QueueProc>,
        is_first: bool,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let id = self.core.id;
        if is_first {
            if record.exists && record.others.contains(&id) {
                let mirror = Mirror::new(empty(queue, shared));
                self.queues[queue.0 as usize] = Some(QueueProc::Mirror(Box::new(mirror)));
            }
        } else if let Some(mut old) = old {
            let gone = old.messages();
            old.wipe(Rule::Replaced, shared, ctx);
            if gone > 0 {
                ctx.observe(story::fact(Kind::Wiped, u32::from(queue.0), [gone as u64, u64::from(id)]));
            }
        }
    }

    /// A node came up: whoever leads a queue here may want it as a mirror.
    pub(in super::super) fn mirror_node_up(
        &mut self,
        queue: QueueId,
        _peer: u16,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        self.look_for_mirrors(queue, shared, ctx);
        // A queue whose only node is back.
        let record = self.core.meta.queue(queue);
        let is_classic = matches!(shared.topology.queue(queue).kind, QueueKind::Classic { .. });
        if is_classic
            && record.leader == self.core.id
            && record.exists
            && self.queues[queue.0 as usize].is_some()
        {
            let record = record.clone();
            tell_record(queue, &record, &mut self.as_node(shared, ctx));
        }
    }

    /// The leader of a queue takes on the mirrors that its policy asks for.
    fn look_for_mirrors(&mut self, queue: QueueId, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let topology = std::sync::Arc::clone(&shared.topology);
        let Some(ha) = &topology.queue(queue).args.ha else { return };
        if self.node.lacks_mirrors(queue) {
            return;
        }
        let record = self.core.meta.queue(queue).clone();
        let leads = matches!(self.queues[queue.0 as usize], Some(QueueProc::Classic(_)));
        if !leads || record.leader != self.core.id || !record.is_live {
            return;
        }
        let meta = &self.core.meta;
        let wanted = ha.wanted(&record, |node| meta.runs(node), topology.brokers);
        for node in wanted {
            if !record.others.contains(&node) {
                self.take_mirror(queue, node, ha, shared, ctx);
            }
        }
    }

    /// A new mirror, empty; in sync at once if the queue is empty, too.
    fn take_mirror(
        &mut self,
        queue: QueueId,
        node: u16,
        ha: &Ha,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let me = Pid { node: self.core.id, proc: Proc::Queue(queue) };
        let Some(QueueProc::Classic(process)) = &mut self.queues[queue.0 as usize] else { return };
        let is_empty = process.backing.count() == 0;
        let since = (!is_empty).then_some(process.backing.id_next);
        let ring = process.ring.get_or_insert_with(Box::default);
        ring.join(node, since);
        let numbers = [u64::from(node), u64::from(is_empty)];
        ctx.observe(story::fact(Kind::MirrorJoined, u32::from(queue.0), numbers));
        let join = |record: &mut QueueRecord| {
            record.others.push(node);
            if is_empty {
                record.synchronised.push(node);
            }
        };
        self.change_record(queue, join, shared, ctx);
        let Some(QueueProc::Classic(process)) = &mut self.queues[queue.0 as usize] else { return };
        if ha.syncs_automatically && !is_empty {
            process.synchronise(node, &mut Env { me, core: &mut self.core, shared, ctx });
        }
    }

    /// A node is gone that led or mirrored a queue.
    pub(in super::super) fn mirrored_without_node(
        &mut self,
        queue: QueueId,
        record: &QueueRecord,
        peer: u16,
        in_order: bool,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let id = self.core.id;
        self.tell_channels(queue, peer, QueueEnd::NodeDown, shared, ctx);
        let waits = !record.is_live && !self.core.meta.runs(record.leader);
        if record.leader != peer && !waits {
            if record.leader == id {
                self.lose_mirror(queue, peer, shared, ctx);
            }
            return;
        }
        // The leader is gone; or the one that was to take over is.
        self.core.meta.queues[queue.0 as usize].is_live = false;
        let topology = std::sync::Arc::clone(&shared.topology);
        let Some(ha) = &topology.queue(queue).args.ha else { return };
        let takes_any = if in_order {
            ha.promotes_on_shutdown
        } else {
            ha.promotes_on_failure || !topology.rules.has_promote_on_failure
        };
        let runs = |node: u16| self.core.meta.runs(node);
        let may_lead = |node: u16| takes_any || record.synchronised.contains(&node);
        let mut heirs = record.others.iter().copied().filter(|&node| may_lead(node));
        if waits && heirs.clone().find(|&node| node == peer || runs(node)) != Some(peer) {
            // It was not the one that was about to lead.
            return;
        }
        let heir = heirs.find(|&node| runs(node));
        if heir == Some(id) {
            self.prepare_to_lead(queue, record.version, ctx);
        } else if heir.is_none() {
            let (place, leader, is_clean) = (PlaceId(u32::from(queue.0)), None, true);
            if record.others.iter().find(|&&node| runs(node)) == Some(&id) {
                ctx.observe(Fact::LeaderElected { place, leader, epoch: 0, is_clean });
            }
        }
    }

    /// This node's mirror is the oldest: it leads when the ring and the tables have settled.
    fn prepare_to_lead(&mut self, queue: QueueId, version: u32, ctx: &mut RabbitCtx<'_>) {
        let Some(QueueProc::Mirror(mirror)) = &mut self.queues[queue.0 as usize] else { return };
        let number = u64::from(queue.0) << 32 | u64::from(version);
        let bits = draw::bits(ctx.seed(), Purpose::Election, u64::from(self.core.id), number);
        let after = PROMOTION_MIN + Span(draw::below(bits, (PROMOTION_MAX - PROMOTION_MIN).0));
        mirror.leads_at = Some(ctx.now() + after);
        let alarm = QueueAlarm::Mirror(super::Alarm::Promote);
        ctx.timer(after, Timer::Broker(BrokerTimer::Queue(queue, alarm)));
    }

    /// What it prepared for is due, unless somebody leads meanwhile.
    pub(in super::super) fn promotion_due(
        &mut self,
        queue: QueueId,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let record = self.core.meta.queue(queue).clone();
        let Some(QueueProc::Mirror(mirror)) = &mut self.queues[queue.0 as usize] else { return };
        if mirror.leads_at.is_none_or(|at| at > ctx.now()) {
            return;
        }
        mirror.leads_at = None;
        if record.exists && !record.is_live && !self.core.meta.runs(record.leader) {
            self.promote(queue, &record, shared, ctx);
        }
    }

    fn lose_mirror(&mut self, queue: QueueId, peer: u16, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let me = Pid { node: self.core.id, proc: Proc::Queue(queue) };
        if let Some(QueueProc::Classic(process)) = &mut self.queues[queue.0 as usize] {
            if let Some(ring) = &mut process.ring {
                ring.leave(peer);
            }
            process.go_on(&mut Env { me, core: &mut self.core, shared, ctx });
        }
        let leave = |record: &mut QueueRecord| {
            record.others.retain(|node| *node != peer);
            record.synchronised.retain(|node| *node != peer);
        };
        self.change_record(queue, leave, shared, ctx);
        self.look_for_mirrors(queue, shared, ctx);
    }

    /// This node's mirror takes over.
    fn promote(
        &mut self,
        queue: QueueId,
        record: &QueueRecord,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let id = self.core.id;
        let Some(QueueProc::Mirror(mirror)) = self.queues[queue.0 as usize].take() else { return };
        let is_clean = record.synchronised.contains(&id);
        let runs = |node: &u16| self.core.meta.runs(*node) && *node != id;
        let others: SmallVec<[u16; 4]> = record.others.iter().copied().filter(runs).collect();
        let synchronised: SmallVec<[u16; 4]> =
            others.iter().copied().filter(|node| is_clean && record.synchronised.contains(node)).collect();
        let (place, leader) = (PlaceId(u32::from(queue.0)), Some(NodeId(id)));
        ctx.observe(Fact::LeaderElected { place, leader, epoch: 0, is_clean });
        let lead = |record: &mut QueueRecord| {
            record.leader = id;
            record.is_live = true;
            record.others = others;
            record.synchronised = synchronised;
        };
        self.change_record(queue, lead, shared, ctx);
        let ring = Ring::of(queue, self.core.meta.queue(queue), &shared.topology);
        let me = Pid { node: id, proc: Proc::Queue(queue) };
        let process = mirror.lead(ring, &mut Env { me, core: &mut self.core, shared, ctx });
        self.queues[queue.0 as usize] = Some(QueueProc::Classic(Box::new(process)));
        self.each_channel(shared, ctx, |channel, env| channel.follow_leader(queue, id, env));
        self.look_for_mirrors(queue, shared, ctx);
    }

    /// Another node changed the record of a mirrored queue.
    pub(in super::super) fn mirror_record_changed(
        &mut self,
        queue: QueueId,
        before: &QueueRecord,
        now: &QueueRecord,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let id = self.core.id;
        if now.others.contains(&id) && !matches!(self.queues[queue.0 as usize], Some(QueueProc::Mirror(_))) {
            if let Some(mut old) = self.queues[queue.0 as usize].take() {
                old.wipe(Rule::Replaced, shared, ctx);
            }
            let mirror = Mirror::new(empty(queue, shared));
            self.queues[queue.0 as usize] = Some(QueueProc::Mirror(Box::new(mirror)));
        }
        if now.leader != before.leader && now.is_live {
            let leader = now.leader;
            self.each_channel(shared, ctx, |channel, env| channel.follow_leader(queue, leader, env));
        }
    }
}

/// A copy without messages.
fn empty(queue: QueueId, shared: &Shared) -> Backing {
    let spec = shared.topology.queue(queue);
    Backing::new(spec, queue)
}

impl Mirror {
    /// It leads from now on.
    fn lead(mut self: Box<Self>, ring: Option<Box<Ring>>, env: &mut Env<'_, '_>) -> Classic {
        let held: Vec<_> = self.backing.held.drain(..).map(|held| held.entry).collect();
        for entry in held {
            self.backing.insert(entry, env);
        }
        self.backing.flag_all();
        let mut ids: Vec<u64> = self.backing.iter().map(|entry| entry.id).collect();
        ids.sort_unstable();
        let id_next = self.backing.id_next;
        let mut process = Classic::over(self.backing, ring);
        process.tell_ring_adopt(&ids, id_next, env);
        for ((channel, _), half) in self.pending {
            if let Half::FromChannel(publish) = half {
                process.on(channel, &mut Msg::Publish(publish), env);
            }
        }
        process.begin(env);
        process
    }
}

impl Classic {
    fn tell_ring_adopt(&mut self, ids: &[u64], id_next: u64, env: &mut Env<'_, '_>) {
        let record = env.core.meta.queue(self.id);
        let others: SmallVec<[u16; 4]> = record.others.clone();
        for node in others {
            let to = Pid { node, proc: Proc::Queue(self.id) };
            env.send(to, Msg::Mirror(Box::new(MirrorMsg::Adopt { ids: ids.to_vec(), id_next })));
        }
    }
}
