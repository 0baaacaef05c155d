//! ZooKeeper as Kafka uses it: sessions, ephemeral nodes of brokers and of the controller, versioned partition states,
//! and watches. A broker that dies is noticed when its session ends, not before.
//!
//! Source: `KafkaZkClient`, `ZooKeeperClient`; ZooKeeper programmer's guide, "Sessions"; `ZooKeeperServer`.
//! Not modelled: an ensemble of several servers (one server, whose writes are durable at once), ticks that round
//! session time-outs up.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::control::{Brokers, ClusterState, PartitionState, announce, only};
use super::model::{KafkaCtx, Timer};
use super::packet::{Packet, ZooKeeperRequest as Request, ZooKeeperResponse as Response};
use super::picture::{SECTIONS_MAX, broker_name, brokers, until};
use super::topology::Topology;
use crate::broker::picture::{Field, Section};
use crate::fact::{Fact, NodeId};
use crate::sim::{ConnId, Input, Span, Time};

/// The ZooKeeper server.
#[derive(Clone, Debug)]
pub(super) struct ZooKeeper {
    state: ClusterState,
    sessions: BTreeMap<u64, Session>,
    conns: BTreeMap<ConnId, u64>,
    /// The session that owns each broker's node.
    registered: BTreeMap<u16, u64>,
    /// Brokers of the healthy cluster that a run begins with and that have not registered yet; when their sessions end.
    unseen: Brokers,
    unseen_until: Time,
    controller: Option<u64>,
    session_next: u64,
    session_timeout: Span,
    /// When the next look at the sessions is due.
    look_at: Option<Time>,
}

#[derive(Clone, Debug)]
struct Session {
    broker: u16,
    conn: ConnId,
    ends: Time,
}

impl ZooKeeper {
    pub(super) fn new(state: ClusterState, session_timeout: Span) -> Self {
        Self {
            unseen: state.live,
            unseen_until: Time::ZERO,
            state,
            sessions: BTreeMap::new(),
            conns: BTreeMap::new(),
            registered: BTreeMap::new(),
            controller: None,
            session_next: 1,
            session_timeout,
            look_at: None,
        }
    }

    /// What the cluster's metadata says now.
    pub(super) fn state(&self) -> &ClusterState {
        &self.state
    }

    /// Sessions, and who owns which node.
    pub(super) fn sections(&self, now: Time) -> Vec<Section> {
        let sessions = self.sessions.iter().take(SECTIONS_MAX).map(|(&id, session)| {
            let (broker, ends) = (broker_name(session.broker), until(now, session.ends));
            let owns_broker = self.registered.get(&session.broker) == Some(&id);
            let own = owns_broker.then(|| format!(", /brokers/ids/{}", session.broker + 1));
            let office = if self.controller == Some(id) { ", /controller" } else { "" };
            let value = format!("{broker}{}{office}, ends {ends} unless heard", own.unwrap_or_default());
            Field::new(format!("session {id}"), value)
        });
        let mut fields = vec![Field::new("session timeout", self.session_timeout)];
        fields.extend(sessions);
        if self.unseen != 0 {
            let value = format!("{}, {}", brokers(self.unseen), until(now, self.unseen_until));
            fields.push(Field::new("not seen yet, end", value));
        }
        vec![Section { title: "sessions".to_owned(), fields }]
    }

    pub(super) fn on(&mut self, input: Input<Packet, Timer>, ctx: &mut KafkaCtx<'_>) {
        match input {
            Input::Start => self.start(ctx),
            Input::Stop => ctx.exit(),
            Input::Closed(conn) => {
                self.conns.remove(&conn);
            }
            Input::Packet(conn, Packet::ZooKeeper(request)) => self.request(conn, *request, ctx),
            Input::Timer(Timer::Sessions) => {
                self.look_at = None;
                self.expire(ctx);
            }
            _ => {}
        }
    }

    /// Sessions survive a restart of the server: each gets its whole time again.
    fn start(&mut self, ctx: &mut KafkaCtx<'_>) {
        self.conns.clear();
        self.look_at = None;
        self.unseen_until = ctx.now() + self.session_timeout;
        for session in self.sessions.values_mut() {
            session.ends = ctx.now() + self.session_timeout;
        }
        self.arm(ctx);
    }

    /// What the controller reads next is news to everybody.
    pub(super) fn touch(&mut self) {
        self.state.version += 1;
    }

    /// An administrator adds partitions; the controller is told.
    pub(super) fn add(
        &mut self,
        partitions: std::ops::Range<u32>,
        topology: &Topology,
        ctx: &mut KafkaCtx<'_>,
    ) -> bool {
        let is_done = self.state.create(partitions, topology, ctx);
        if is_done {
            self.state.version += 1;
            self.tell_controller(Response::BrokersChanged, ctx);
        }
        is_done
    }

    fn request(&mut self, conn: ConnId, request: Request, ctx: &mut KafkaCtx<'_>) {
        if let Request::Connect { broker, session } = request {
            self.connect(conn, broker, session, ctx);
            return;
        }
        let Some((&id, session)) =
            self.conns.get(&conn).and_then(|id| self.sessions.get_mut(id).map(|session| (id, session)))
        else {
            reply(conn, Response::Expired, ctx);
            return;
        };
        session.ends = ctx.now() + self.session_timeout;
        let broker = session.broker;
        match request {
            Request::Connect { .. } => {}
            Request::Ping => reply(conn, Response::Pong, ctx),
            Request::Register { incarnation } => self.register(conn, broker, id, incarnation, ctx),
            Request::Campaign => self.campaign(conn, id, broker, ctx),
            Request::Read => reply(conn, Response::State(Arc::new(self.state.clone())), ctx),
            Request::ChangeIsr { partition, number, expected, isr } => {
                let result = self.change_isr(partition, expected, isr, ctx);
                reply(conn, Response::IsrChanged { partition, number, result }, ctx);
                if result.is_ok() {
                    self.tell_controller(Response::IsrsChanged, ctx);
                }
            }
            Request::Change { controller_epoch, changes } => {
                let all = self.change(controller_epoch, &changes, ctx);
                reply(conn, Response::Changed { all }, ctx);
            }
            Request::Close => self.end_session(id, ctx),
        }
    }

    fn connect(&mut self, conn: ConnId, broker: u16, session: Option<u64>, ctx: &mut KafkaCtx<'_>) {
        let ends = ctx.now() + self.session_timeout;
        let id = match session {
            Some(id) if self.sessions.contains_key(&id) => id,
            Some(_) => {
                reply(conn, Response::Expired, ctx);
                return;
            }
            None => {
                self.session_next += 1;
                self.session_next
            }
        };
        // A session has one connection: whoever comes back on another one, however late, leaves the one before.
        if let Some(before) = self.sessions.insert(id, Session { broker, conn, ends })
            && before.conn != conn
        {
            self.conns.remove(&before.conn);
            ctx.close(before.conn);
        }
        self.conns.insert(conn, id);
        reply(conn, Response::Connected { session: id }, ctx);
        self.arm(ctx);
    }

    fn register(
        &mut self,
        conn: ConnId,
        broker: u16,
        session: u64,
        incarnation: u32,
        ctx: &mut KafkaCtx<'_>,
    ) {
        if self.registered.get(&broker).is_some_and(|&owner| owner != session) {
            reply(conn, Response::Exists, ctx);
            return;
        }
        self.unseen &= !only(broker);
        let is_other = self.state.incarnation(broker) != Some(incarnation);
        let is_new = self.registered.insert(broker, session).is_none()
            && (is_other || self.state.live & only(broker) == 0);
        self.state.live |= only(broker);
        self.state.incarnations[broker as usize] = incarnation;
        reply(conn, Response::Registered, ctx);
        if is_new {
            self.state.version += 1;
            self.tell_controller(Response::BrokersChanged, ctx);
        }
    }

    fn campaign(&mut self, conn: ConnId, session: u64, broker: u16, ctx: &mut KafkaCtx<'_>) {
        if self.controller.is_none() {
            self.controller = Some(session);
            self.state.controller = Some(broker);
            self.state.controller_epoch += 1;
            self.state.version += 1;
        }
        let is_you = self.controller == Some(session);
        reply(conn, Response::Controller { epoch: self.state.controller_epoch, is_you }, ctx);
    }

    fn change_isr(
        &mut self,
        partition: u32,
        expected: u32,
        isr: Brokers,
        ctx: &mut KafkaCtx<'_>,
    ) -> Result<PartitionState, PartitionState> {
        let state = &mut self.state.partitions[partition as usize];
        if state.version != expected {
            return Err(*state);
        }
        let before = *state;
        state.isr = isr;
        state.version += 1;
        announce(partition, &before, state, ctx);
        self.state.version += 1;
        Ok(*state)
    }

    /// Whether every change was made.
    fn change(&mut self, epoch: u32, changes: &[(u32, PartitionState)], ctx: &mut KafkaCtx<'_>) -> bool {
        if epoch != self.state.controller_epoch {
            return false;
        }
        let mut all = true;
        for (partition, next) in changes {
            let state = &mut self.state.partitions[*partition as usize];
            if state.version + 1 == next.version {
                announce(*partition, state, next, ctx);
                *state = *next;
            } else {
                all = false;
            }
        }
        self.state.version += 1;
        all
    }

    fn expire(&mut self, ctx: &mut KafkaCtx<'_>) {
        if self.unseen != 0 && self.unseen_until <= ctx.now() {
            for broker in (0..128).filter(|&broker| self.unseen & only(broker) != 0) {
                ctx.observe_at(NodeId(broker), Fact::DetectedDown { by: None });
            }
            self.state.live &= !self.unseen;
            self.state.version += 1;
            self.unseen = 0;
            self.tell_controller(Response::BrokersChanged, ctx);
        }
        let ended: Vec<_> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.ends <= ctx.now())
            .map(|(&id, _)| id)
            .collect();
        for id in ended {
            // A session that never got as far as the broker's node is nobody's.
            if let Some(session) = self.sessions.get(&id)
                && self.registered.get(&session.broker) == Some(&id)
            {
                ctx.observe_at(NodeId(session.broker), Fact::DetectedDown { by: None });
            }
            self.end_session(id, ctx);
        }
        self.arm(ctx);
    }

    /// The session's nodes vanish and those who watch are told.
    fn end_session(&mut self, id: u64, ctx: &mut KafkaCtx<'_>) {
        let Some(session) = self.sessions.remove(&id) else { return };
        if self.conns.get(&session.conn) == Some(&id) {
            self.conns.remove(&session.conn);
        }
        if self.registered.get(&session.broker) == Some(&id) {
            self.registered.remove(&session.broker);
            self.state.live &= !only(session.broker);
            self.state.version += 1;
        }
        if self.controller == Some(id) {
            self.controller = None;
            self.state.controller = None;
            // A broker watches the controller's node once it has registered: `KafkaServer.startup`.
            let watches = |id: &u64| self.registered.values().any(|owner| owner == id);
            for (&conn, _) in self.conns.iter().filter(|(_, id)| watches(id)) {
                reply(conn, Response::ControllerGone, ctx);
            }
        } else {
            self.tell_controller(Response::BrokersChanged, ctx);
        }
    }

    fn tell_controller(&self, what: Response, ctx: &mut KafkaCtx<'_>) {
        if let Some(session) = self.controller.and_then(|id| self.sessions.get(&id)) {
            reply(session.conn, what, ctx);
        }
    }

    fn arm(&mut self, ctx: &mut KafkaCtx<'_>) {
        let unseen = (self.unseen != 0).then_some(self.unseen_until);
        if self.look_at.is_none()
            && let Some(at) = self.sessions.values().map(|session| session.ends).chain(unseen).min()
        {
            self.look_at = Some(at);
            ctx.timer_at(at, Timer::Sessions);
        }
    }
}

fn reply(conn: ConnId, response: Response, ctx: &mut KafkaCtx<'_>) {
    ctx.send(conn, Packet::ZooKeeperResponse(Box::new(response)), 100);
}
