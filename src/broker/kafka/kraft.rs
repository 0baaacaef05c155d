//! The KRaft controller: registrations, heartbeats, fencing, and the metadata that brokers follow.
//!
//! A process of a broker whose earlier process is still registered and not fenced is refused until that session ends.
//! A broker that sends no heartbeat is fenced: it leads nothing and leaves every ISR that has other members.
//!
//! Source: `ClusterControlManager`, `BrokerHeartbeatManager`, `ReplicationControlManager`.
//! Not modelled: a quorum of several controllers (one node, whose writes are durable at once); the metadata log itself
//! (brokers get its outcome, in order, as fast as the network brings it); that before 3.6 each removal from the ISR
//! begins an epoch (KAFKA-15021).

use std::collections::BTreeMap;
use std::sync::Arc;

use super::control::{Brokers, ClusterState, announce, only, reassess};
use super::model::{KafkaCtx, Shared, Timer};
use super::packet::{ControllerRequest as Request, ControllerResponse as Response, Packet};
use super::picture::{SECTIONS_MAX, ago, broker_name};
use super::topology::Topology;
use crate::broker::picture::{Field, Section};
use crate::fact::{Fact, NodeId};
use crate::sim::{ConnId, Input, Span, Time};

/// The controller node.
#[derive(Clone, Debug)]
pub(super) struct Controller {
    state: ClusterState,
    registrations: BTreeMap<u16, Registration>,
    stopping: Brokers,
    session: Span,
    look_at: Option<Time>,
}

#[derive(Clone, Debug)]
struct Registration {
    incarnation: u32,
    conn: Option<ConnId>,
    heard: Time,
    is_fenced: bool,
}

impl Controller {
    /// A controller that knows every broker's first process.
    pub(super) fn new(state: ClusterState, brokers: u16, session: Span) -> Self {
        let first = Registration { incarnation: 1, conn: None, heard: Time::ZERO, is_fenced: false };
        let registrations = (0..brokers).map(|broker| (broker, first.clone())).collect();
        Self { state, registrations, stopping: 0, session, look_at: None }
    }

    /// What the cluster's metadata says now.
    pub(super) fn state(&self) -> &ClusterState {
        &self.state
    }

    /// Who is registered, and who is fenced.
    pub(super) fn sections(&self, now: Time) -> Vec<Section> {
        let fields = self.registrations.iter().take(SECTIONS_MAX).map(|(&broker, known)| {
            let state = if known.is_fenced { "fenced" } else { "active" };
            let stops = if self.stopping & only(broker) == 0 { "" } else { ", shutting down" };
            let heard = ago(now, known.heard);
            let value = format!("{state}{stops}, process {}, heartbeat {heard}", known.incarnation);
            Field::new(broker_name(broker), value)
        });
        let fields = [Field::new("session timeout", self.session)].into_iter().chain(fields).collect();
        vec![Section { title: "registrations".to_owned(), fields }]
    }

    pub(super) fn on(&mut self, input: Input<Packet, Timer>, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        match input {
            Input::Start => self.start(ctx),
            Input::Stop => ctx.exit(),
            Input::Closed(conn) => {
                for registration in self.registrations.values_mut() {
                    if registration.conn == Some(conn) {
                        registration.conn = None;
                    }
                }
            }
            Input::Packet(conn, Packet::Controller(request)) => self.request(conn, &request, shared, ctx),
            Input::Timer(Timer::Sessions) => {
                self.look_at = None;
                self.fence_silent(shared, ctx);
            }
            _ => {}
        }
    }

    /// A controller that starts gives every broker its whole session again.
    fn start(&mut self, ctx: &mut KafkaCtx<'_>) {
        self.look_at = None;
        for registration in self.registrations.values_mut() {
            registration.heard = ctx.now();
            registration.conn = None;
        }
        self.arm(ctx);
    }

    /// An administrator adds partitions.
    pub(super) fn add(
        &mut self,
        partitions: std::ops::Range<u32>,
        topology: &Topology,
        ctx: &mut KafkaCtx<'_>,
    ) -> bool {
        let is_done = self.state.create(partitions, topology, ctx);
        if is_done {
            self.publish(ctx);
        }
        is_done
    }

    fn request(&mut self, conn: ConnId, request: &Request, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        match *request {
            Request::Register { broker, incarnation, is_clean } => {
                self.register(conn, broker, incarnation, is_clean, shared, ctx);
            }
            Request::Heartbeat { broker, incarnation, wants_stop } => {
                self.heartbeat(conn, broker, incarnation, wants_stop, shared, ctx);
            }
            Request::ChangeIsr { broker, partition, number, epoch, expected, isr } => {
                let is_accepted = self.change_isr(broker, (partition, epoch, expected), isr, shared, ctx);
                reply(conn, Response::IsrChanged { partition, number, is_accepted }, ctx);
            }
            Request::Shutdown { .. } | Request::Update(_) => {}
        }
    }

    fn register(
        &mut self,
        conn: ConnId,
        broker: u16,
        incarnation: u32,
        is_clean: bool,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        if let Some(known) = self.registrations.get(&broker)
            && known.incarnation != incarnation
            && !known.is_fenced
        {
            reply(conn, Response::DuplicateRegistration, ctx);
            return;
        }
        let is_same = self.registrations.get(&broker).is_some_and(|known| known.incarnation == incarnation);
        let is_fenced = !is_same || self.registrations[&broker].is_fenced;
        let heard = ctx.now();
        self.registrations.insert(broker, Registration { incarnation, conn: Some(conn), heard, is_fenced });
        self.stopping &= !only(broker);
        self.state.incarnations[broker as usize] = incarnation;
        reply(conn, Response::Registered, ctx);
        reply(conn, Response::Metadata(Arc::new(self.state.clone())), ctx);
        if is_fenced && !is_same {
            // A new process is fenced until its first heartbeat: whatever the old one led or was in sync with is over.
            self.state.live &= !only(broker);
            if !is_clean {
                self.distrust(broker, shared);
            }
            self.reassess_all(shared, ctx);
        }
        self.arm(ctx);
    }

    /// A broker that did not stop cleanly may have lost what it had: it is neither in sync nor eligible any more.
    fn distrust(&mut self, broker: u16, shared: &Shared) {
        for (partition, state) in self.state.partitions.iter_mut().enumerate() {
            let has_elr = shared.topology.electoral(partition as u32).elr_below.is_some();
            if has_elr && (state.isr | state.elr) & only(broker) != 0 {
                state.isr &= !only(broker);
                state.elr &= !only(broker);
                state.version += 1;
            }
        }
    }

    fn heartbeat(
        &mut self,
        conn: ConnId,
        broker: u16,
        incarnation: u32,
        wants_stop: bool,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let now = ctx.now();
        let Some(known) =
            self.registrations.get_mut(&broker).filter(|known| known.incarnation == incarnation)
        else {
            reply(conn, Response::Heartbeat { may_stop: false, is_known: false }, ctx);
            return;
        };
        known.heard = now;
        if known.conn.replace(conn) != Some(conn) {
            // What was published while the broker had no connection, or another one, it has not heard.
            reply(conn, Response::Metadata(Arc::new(self.state.clone())), ctx);
        }
        if known.is_fenced && !wants_stop {
            known.is_fenced = false;
            self.state.live |= only(broker);
            self.reassess_all(shared, ctx);
        }
        if wants_stop && self.stopping & only(broker) == 0 {
            self.stopping |= only(broker);
            self.reassess_all(shared, ctx);
        }
        let may_stop = wants_stop && !self.state.partitions.iter().any(|state| state.leader == Some(broker));
        if may_stop {
            if let Some(known) = self.registrations.get_mut(&broker) {
                known.is_fenced = true;
            }
            self.state.live &= !only(broker);
            self.reassess_all(shared, ctx);
        }
        reply(conn, Response::Heartbeat { may_stop, is_known: true }, ctx);
        self.arm(ctx);
    }

    /// `AlterPartition`: a compare-and-set by leader epoch and partition epoch; only unfenced brokers may join.
    fn change_isr(
        &mut self,
        broker: u16,
        (partition, epoch, expected): (u32, u32, u32),
        isr: Brokers,
        shared: &Shared,
        ctx: &mut KafkaCtx<'_>,
    ) -> bool {
        let state = &mut self.state.partitions[partition as usize];
        let is_current = state.leader == Some(broker) && state.epoch == epoch && state.version == expected;
        let joining = isr & !state.isr;
        let is_accepted = is_current && joining & !(self.state.live & !self.stopping) == 0;
        if is_accepted {
            let before = *state;
            state.isr = isr;
            state.keep_eligible(&before, shared.topology.electoral(partition));
            state.version += 1;
            announce(partition, &before, state, ctx);
            self.publish(ctx);
        }
        is_accepted
    }

    fn fence_silent(&mut self, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let mut is_changed = false;
        for (&broker, registration) in &mut self.registrations {
            if !registration.is_fenced && registration.heard + self.session <= ctx.now() {
                registration.is_fenced = true;
                self.state.live &= !only(broker);
                ctx.observe_at(NodeId(broker), Fact::DetectedDown { by: None });
                is_changed = true;
            }
        }
        if is_changed {
            self.reassess_all(shared, ctx);
        }
        self.arm(ctx);
    }

    fn reassess_all(&mut self, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        for partition in 0..shared.topology.partitions.len() {
            let state = &mut self.state.partitions[partition];
            let rules = shared.topology.electoral(partition as u32);
            if let Some(next) = reassess(state, rules, self.state.live, self.stopping) {
                announce(partition as u32, state, &next, ctx);
                *state = next;
            }
        }
        self.publish(ctx);
    }

    fn publish(&mut self, ctx: &mut KafkaCtx<'_>) {
        self.state.version += 1;
        let state = Arc::new(self.state.clone());
        for conn in self.registrations.values().filter_map(|registration| registration.conn) {
            reply(conn, Response::Metadata(Arc::clone(&state)), ctx);
        }
    }

    fn arm(&mut self, ctx: &mut KafkaCtx<'_>) {
        if self.look_at.is_none()
            && let Some(heard) =
                self.registrations.values().filter(|known| !known.is_fenced).map(|known| known.heard).min()
        {
            let at = heard + self.session;
            self.look_at = Some(at);
            ctx.timer_at(at, Timer::Sessions);
        }
    }
}

fn reply(conn: ConnId, response: Response, ctx: &mut KafkaCtx<'_>) {
    ctx.send(conn, Packet::ControllerResponse(Box::new(response)), 200);
}
