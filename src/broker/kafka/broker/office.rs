//! ZooKeeper mode: the broker that won the controller's node decides about leaders and tells everybody.
//!
//! It reads the cluster's state, reassesses every partition, writes the changes back if nobody else wrote in between,
//! and sends the outcome to every live broker until that broker has it or a newer one.
//!
//! Source: `KafkaController`, `ControllerChannelManager`; KIP-380 for the processes of brokers, KAFKA-1120 for what
//! happens without.
//! Not modelled: how long the work takes per partition; `AlterIsr` through the controller (2.7 to 3.9 in ZooKeeper
//! mode): leaders write to ZooKeeper themselves, without blocking; before KIP-380, that a change which a leader made
//! itself (of the ISR) tells a process that has taken the place of another one nothing.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use super::super::control::{Brokers, ClusterState, PartitionState, only, reassess};
use super::super::model::{KafkaCtx, Shared, Timer};
use super::super::packet::{ControllerRequest, ControllerResponse, Packet, ZooKeeperRequest};
use super::super::story::{self, Kind};
use super::Broker;
use crate::fact::NodeId;
use crate::sim::{ConnId, Span};

/// How long it waits before it tries to reach a broker again.
const RETRY: Span = Span::from_millis(100);

/// A controller in office.
#[derive(Clone, Debug)]
pub(super) struct Office {
    pub(super) epoch: u32,
    pub(super) work: Work,
    /// Something changed while it was at work.
    is_stale: bool,
    latest: Option<Arc<ClusterState>>,
    /// Its requests name the process that they are for (KIP-380).
    names_processes: bool,
    /// The processes of the brokers that it has dealt with. Another process of a live broker means that the broker
    /// died in between, unnoticed.
    processes: Vec<u32>,
    /// Before KIP-380: what each broker was told.
    told: BTreeMap<u16, Told>,
    links: BTreeMap<u16, (ConnId, bool)>,
    pub(super) stopping: Brokers,
    /// Who waits for the leaderships of a stopping broker to be moved.
    asked_to_stop: Vec<(ConnId, u16)>,
}

#[derive(Clone, Debug, Default)]
struct Told {
    answered: Option<Arc<ClusterState>>,
    /// Sent and not answered, oldest first.
    sent: VecDeque<Arc<ClusterState>>,
}

#[derive(Clone, Debug)]
pub(super) enum Work {
    None,
    Reading,
    Writing(Arc<ClusterState>),
}

impl Broker {
    /// ZooKeeper said who holds the controller's node.
    pub(super) fn office_decided(&mut self, epoch: u32, is_you: bool, ctx: &mut KafkaCtx<'_>) {
        if !is_you {
            self.office = None;
            return;
        }
        if self.office.as_ref().is_some_and(|office| office.epoch == epoch) {
            return;
        }
        let mut processes = self.view.incarnations.clone();
        if let Some(own) = processes.get_mut(self.id as usize) {
            *own = self.incarnation;
        }
        self.office = Some(Office {
            epoch,
            work: Work::None,
            is_stale: false,
            latest: None,
            names_processes: true,
            processes,
            told: BTreeMap::new(),
            links: BTreeMap::new(),
            stopping: 0,
            asked_to_stop: Vec::new(),
        });
        ctx.observe(story::fact(Kind::ControllerElected, 0, [u64::from(epoch), 0]));
        self.office_reads(ctx);
    }

    /// The connection to ZooKeeper is a new one: nobody will answer what was under way on the old one.
    pub(super) fn office_reconnected(&mut self, ctx: &mut KafkaCtx<'_>) {
        if let Some(office) = &mut self.office {
            office.work = Work::None;
        }
        self.office_reads(ctx);
    }

    /// Something changed: read it, now or after what is under way.
    pub(super) fn office_reads(&mut self, ctx: &mut KafkaCtx<'_>) {
        let is_ready = self.keeper.is_ready;
        let Some(office) = &mut self.office else { return };
        if is_ready && matches!(office.work, Work::None) {
            office.work = Work::Reading;
            self.ask_zookeeper(ZooKeeperRequest::Read, ctx);
        } else {
            office.is_stale = true;
        }
    }

    /// The controller, if it is this broker, takes nobody for stopping, looks and tells everybody.
    pub(in super::super) fn tell_again(&mut self, ctx: &mut KafkaCtx<'_>) {
        if let Some(office) = &mut self.office {
            office.stopping = 0;
            self.office_reads(ctx);
        }
    }

    pub(super) fn office_read(
        &mut self,
        state: &Arc<ClusterState>,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let Some(office) = &mut self.office else { return };
        if state.controller_epoch != office.epoch {
            self.office = None;
            return;
        }
        let has_epochs = shared.topology.rules.has_broker_epochs;
        let bounced = if has_epochs { bounced(&office.processes, state) } else { 0 };
        let live = state.live & !bounced;
        let mut next = ClusterState::clone(state);
        let mut changes: Vec<(u32, PartitionState)> = Vec::new();
        for (partition, before) in state.partitions.iter().enumerate() {
            let rules = shared.topology.electoral(partition as u32);
            if let Some(after) = reassess(before, rules, live, office.stopping) {
                changes.push((partition as u32, after));
                next.partitions[partition] = after;
            }
        }
        office.told.retain(|&broker, _| live & only(broker) != 0);
        // Those are to be found alive next.
        office.is_stale |= bounced != 0;
        office.stopping &= live;
        if changes.is_empty() {
            office.processes.clone_from(&state.incarnations);
            self.publish(state, shared, ctx);
            self.office_done(ctx);
            return;
        }
        next.version += 1;
        office.work = Work::Writing(Arc::new(next));
        let controller_epoch = office.epoch;
        self.ask_zookeeper(ZooKeeperRequest::Change { controller_epoch, changes }, ctx);
    }

    pub(super) fn office_changed(&mut self, all: bool, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let Some(office) = &mut self.office else { return };
        if let Work::Writing(state) = std::mem::replace(&mut office.work, Work::None) {
            if all {
                office.processes.clone_from(&state.incarnations);
                self.publish(&state, shared, ctx);
            } else {
                office.is_stale = true;
            }
        }
        self.office_done(ctx);
    }

    fn office_done(&mut self, ctx: &mut KafkaCtx<'_>) {
        let Some(office) = &mut self.office else { return };
        office.work = Work::None;
        if std::mem::take(&mut office.is_stale) {
            self.office_reads(ctx);
            return;
        }
        let Some(state) = office.latest.clone() else { return };
        for (conn, broker) in std::mem::take(&mut office.asked_to_stop) {
            let remaining =
                state.partitions.iter().filter(|known| known.leader == Some(broker)).count() as u32;
            let response = ControllerResponse::Shutdown { remaining };
            self.respond(conn, Packet::ControllerResponse(Box::new(response)), 60, ctx);
        }
        let leads = state.partitions.iter().any(|known| known.leader == Some(self.id));
        if !leads && self.office.as_ref().is_some_and(|office| office.stopping & only(self.id) != 0) {
            self.flush_and_exit(ctx);
        }
    }

    /// Tells every live broker, itself first.
    fn publish(&mut self, state: &Arc<ClusterState>, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        self.adopt_if_newer(state, shared, ctx);
        let (id, names_processes) = (self.id, shared.topology.rules.has_broker_epochs);
        let Some(office) = &mut self.office else { return };
        office.names_processes = names_processes;
        office.latest = Some(Arc::clone(state));
        office.stopping &= state.live;
        for broker in (0..128).filter(|&broker| broker != id && state.live & only(broker) != 0) {
            match office.links.get(&broker) {
                Some(&(conn, true)) => office.tell(broker, conn, state, ctx),
                Some(_) => {}
                None => {
                    office.links.insert(broker, (ctx.connect(NodeId(broker)), false));
                }
            }
        }
    }

    /// Whether the connection is one of the controller's.
    pub(super) fn office_connected(&mut self, conn: ConnId, ctx: &mut KafkaCtx<'_>) -> bool {
        let Some(office) = &mut self.office else { return false };
        let found = office.links.iter_mut().find(|(_, (known, _))| *known == conn);
        let Some((&broker, link)) = found else { return false };
        link.1 = true;
        if let Some(state) = office.latest.clone() {
            office.tell(broker, conn, &state, ctx);
        }
        true
    }

    /// A broker answered the oldest of the updates that it was sent.
    pub(super) fn office_answered(&mut self, conn: ConnId) {
        let Some(office) = &mut self.office else { return };
        let found = office.links.iter().find(|(_, (known, _))| *known == conn);
        if let Some(told) = found.and_then(|(broker, _)| office.told.get_mut(broker)) {
            told.answered = told.sent.pop_front().or(told.answered.take());
        }
    }

    pub(super) fn office_closed(&mut self, conn: ConnId, ctx: &mut KafkaCtx<'_>) {
        let Some(office) = &mut self.office else { return };
        let found = office.links.iter().find(|(_, (known, _))| *known == conn);
        if let Some((&broker, _)) = found {
            office.links.remove(&broker);
            // What was not answered is sent again.
            if let Some(told) = office.told.get_mut(&broker) {
                told.sent.clear();
            }
            ctx.timer(RETRY, Timer::Office);
        }
    }

    /// Tries again to reach the live brokers that it has no connection to.
    pub(super) fn office_tick(&mut self, ctx: &mut KafkaCtx<'_>) {
        let id = self.id;
        let Some(office) = &mut self.office else { return };
        let Some(state) = &office.latest else { return };
        for broker in (0..128).filter(|&broker| broker != id && state.live & only(broker) != 0) {
            office.links.entry(broker).or_insert_with(|| (ctx.connect(NodeId(broker)), false));
        }
    }

    /// A broker asks to be relieved of its leaderships.
    pub(super) fn shutdown_asked(
        &mut self,
        conn: ConnId,
        broker: u16,
        incarnation: u32,
        shared: &Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let Some(office) = &mut self.office else {
            // Not the controller: closing says so.
            self.conns.remove(conn);
            ctx.close(conn);
            return;
        };
        let is_old = office.processes.get(broker as usize).is_some_and(|&known| known > incarnation);
        if is_old && shared.topology.rules.has_broker_epochs {
            // The wish of a process that has ended since, held up on its way (KIP-380).
            self.done(conn);
            return;
        }
        office.stopping |= only(broker);
        office.asked_to_stop.push((conn, broker));
        self.office_reads(ctx);
    }
}

impl Office {
    /// Tells a broker how things are. Before KIP-380 a request says only what has changed since the last one: a process
    /// that has taken the place of another one, unnoticed, is not told what that one knew (KAFKA-1120).
    fn tell(&mut self, broker: u16, conn: ConnId, state: &Arc<ClusterState>, ctx: &mut KafkaCtx<'_>) {
        if self.names_processes {
            return send_update(conn, Arc::clone(state), ctx);
        }
        let told = self.told.entry(broker).or_default();
        let known = told.sent.back().or(told.answered.as_ref());
        send_update(conn, changed(known.map(Arc::as_ref), state), ctx);
        told.sent.push_back(Arc::clone(state));
    }
}

/// A state without the partitions that nobody has changed since.
fn changed(known: Option<&ClusterState>, state: &Arc<ClusterState>) -> Arc<ClusterState> {
    let Some(known) = known else { return Arc::clone(state) };
    let mut told = ClusterState::clone(state);
    for (next, before) in told.partitions.iter_mut().zip(&known.partitions) {
        if next == before {
            *next = PartitionState::default();
        }
    }
    Arc::new(told)
}

/// The live brokers whose process is not the one that was dealt with. A controller that has just started itself was
/// told nothing yet: whoever is registered is alive, and leads on what it led.
fn bounced(dealt_with: &[u32], state: &ClusterState) -> Brokers {
    let others = dealt_with.iter().zip(&state.incarnations).enumerate().filter(|(_, (old, new))| old != new);
    others.fold(0, |bounced, (broker, _)| bounced | only(broker as u16)) & state.live
}

fn send_update(conn: ConnId, state: Arc<ClusterState>, ctx: &mut KafkaCtx<'_>) {
    let request = ControllerRequest::Update(state);
    ctx.send(conn, Packet::Controller(Box::new(request)), 300);
}
