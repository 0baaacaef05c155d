//! A broker's session with the cluster's keeper: ZooKeeper, or the KRaft controller.
//!
//! In ZooKeeper mode the client gives a silent connection up after two thirds of the session time-out and tries again;
//! the session itself ends on the server. In KRaft a broker sends heartbeats, and follows the metadata.
//!
//! Source: `ZooKeeperClient`, `KafkaZkClient`, `BrokerLifecycleManager`.

use super::super::model::{KafkaCtx, Shared, Timer};
use super::super::packet::{
    ControllerRequest, ControllerResponse, Packet, ZooKeeperRequest, ZooKeeperResponse,
};
use super::super::topology::Metadata;
use super::Broker;
use crate::sim::{ConnId, Span, Time};

/// How long a client waits before it tries to reach the keeper again.
const RETRY: Span = Span::from_secs(1);

/// The session.
#[derive(Clone, Debug, Default)]
pub(super) struct Keeper {
    pub(super) conn: Option<ConnId>,
    pub(super) is_open: bool,
    /// ZooKeeper: the session's number.
    session: Option<u64>,
    /// ZooKeeper: the session is established on this connection. KRaft: the process is registered.
    pub(super) is_ready: bool,
    pub(super) heard: Time,
    is_ticking: bool,
    metadata: Option<Metadata>,
}

impl Broker {
    pub(super) fn connect_keeper(&mut self, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        self.keeper.metadata = Some(shared.topology.rules.metadata);
        self.keeper.is_open = false;
        self.keeper.is_ready = false;
        self.keeper.heard = ctx.now();
        self.keeper.conn = Some(ctx.connect(shared.topology.keeper));
        if !self.keeper.is_ticking {
            self.keeper.is_ticking = true;
            ctx.timer(tick(shared), Timer::KeeperTick);
        }
    }

    pub(super) fn keeper_connected(&mut self, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        self.keeper.is_open = true;
        self.keeper.heard = ctx.now();
        match shared.topology.rules.metadata {
            Metadata::ZooKeeper => {
                let (broker, session) = (self.id, self.keeper.session);
                self.ask_zookeeper(ZooKeeperRequest::Connect { broker, session }, ctx);
            }
            Metadata::Kraft => self.register(ctx),
        }
    }

    pub(super) fn keeper_closed(&mut self, ctx: &mut KafkaCtx<'_>) {
        self.keeper.conn = None;
        self.keeper.is_open = false;
        self.keeper.is_ready = false;
        ctx.timer(RETRY, Timer::KeeperRetry);
    }

    pub(super) fn keeper_retry(&mut self, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        if self.keeper.conn.is_none() {
            self.connect_keeper(shared, ctx);
        } else if !self.keeper.is_open {
            // Still trying.
        } else if shared.topology.rules.metadata == Metadata::Kraft {
            if !self.keeper.is_ready {
                self.register(ctx);
            }
        } else if self.keeper.is_ready {
            self.ask_zookeeper(ZooKeeperRequest::Register { incarnation: self.incarnation }, ctx);
        }
    }

    /// A ping or a heartbeat; a keeper that has been silent for too long is given up.
    pub(super) fn keeper_tick(&mut self, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        ctx.timer(tick(shared), Timer::KeeperTick);
        let silence = ctx.now().since(self.keeper.heard);
        let patience = match shared.topology.rules.metadata {
            Metadata::ZooKeeper => Span(shared.topology.config.zookeeper_session.0 / 3 * 2),
            Metadata::Kraft => shared.topology.config.broker_session,
        };
        if let Some(conn) = self.keeper.conn
            && silence >= patience
        {
            ctx.close(conn);
            self.keeper_closed(ctx);
            return;
        }
        if !self.keeper.is_open || !self.keeper.is_ready {
            return;
        }
        match shared.topology.rules.metadata {
            Metadata::ZooKeeper => self.ask_zookeeper(ZooKeeperRequest::Ping, ctx),
            Metadata::Kraft => self.heartbeat(ctx),
        }
    }

    pub(super) fn heartbeat(&mut self, ctx: &mut KafkaCtx<'_>) {
        let (broker, incarnation) = (self.id, self.incarnation);
        let wants_stop = self.shutdown.is_some();
        self.ask_controller(ControllerRequest::Heartbeat { broker, incarnation, wants_stop }, ctx);
    }

    fn register(&mut self, ctx: &mut KafkaCtx<'_>) {
        let (broker, incarnation, is_clean) = (self.id, self.incarnation, self.was_clean);
        self.ask_controller(ControllerRequest::Register { broker, incarnation, is_clean }, ctx);
    }

    pub(super) fn ask_zookeeper(&mut self, request: ZooKeeperRequest, ctx: &mut KafkaCtx<'_>) {
        if let Some(conn) = self.keeper.conn.filter(|_| self.keeper.is_open) {
            ctx.send(conn, Packet::ZooKeeper(Box::new(request)), 100);
        }
    }

    fn ask_controller(&mut self, request: ControllerRequest, ctx: &mut KafkaCtx<'_>) {
        if let Some(conn) = self.keeper.conn.filter(|_| self.keeper.is_open) {
            ctx.send(conn, Packet::Controller(Box::new(request)), 100);
        }
    }

    /// Sends a partition's proposed ISR; while the keeper is away it waits for the next session.
    pub(super) fn send_proposal(&mut self, partition: u32, ctx: &mut KafkaCtx<'_>) {
        if !self.keeper.is_ready {
            return;
        }
        let broker = self.id;
        let Some(replica) = self.leading(partition) else { return };
        let (number, epoch, expected) = (replica.proposals, replica.state.epoch, replica.state.version);
        let Some(isr) = replica.leading().and_then(|leading| leading.proposed) else { return };
        if self.keeper.metadata == Some(Metadata::ZooKeeper) {
            self.ask_zookeeper(ZooKeeperRequest::ChangeIsr { partition, number, expected, isr }, ctx);
        } else {
            let change = ControllerRequest::ChangeIsr { broker, partition, number, epoch, expected, isr };
            self.ask_controller(change, ctx);
        }
    }

    fn send_proposals(&mut self, ctx: &mut KafkaCtx<'_>) {
        for partition in 0..self.replicas.len() as u32 {
            self.send_proposal(partition, ctx);
        }
    }

    pub(super) fn zookeeper_said(
        &mut self,
        response: ZooKeeperResponse,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        self.keeper.heard = ctx.now();
        match response {
            ZooKeeperResponse::Connected { session } => {
                self.keeper.session = Some(session);
                self.keeper.is_ready = true;
                // What was asked or told while the connection was away may be lost: register, or register again,
                // which leads to asking who the controller is.
                self.ask_zookeeper(ZooKeeperRequest::Register { incarnation: self.incarnation }, ctx);
                self.office_reconnected(ctx);
                self.send_proposals(ctx);
            }
            // Every request that the old session left behind is told so: once is enough.
            ZooKeeperResponse::Expired if self.keeper.session.is_none() => {}
            ZooKeeperResponse::Expired => {
                self.keeper.session = None;
                self.keeper.is_ready = false;
                self.office = None;
                let broker = self.id;
                self.ask_zookeeper(ZooKeeperRequest::Connect { broker, session: None }, ctx);
            }
            ZooKeeperResponse::Pong => {}
            ZooKeeperResponse::Registered | ZooKeeperResponse::ControllerGone => {
                self.ask_zookeeper(ZooKeeperRequest::Campaign, ctx);
            }
            ZooKeeperResponse::Exists => {
                ctx.timer(RETRY, Timer::KeeperRetry);
            }
            ZooKeeperResponse::Controller { epoch, is_you } => self.office_decided(epoch, is_you, ctx),
            ZooKeeperResponse::BrokersChanged | ZooKeeperResponse::IsrsChanged => self.office_reads(ctx),
            ZooKeeperResponse::State(state) => self.office_read(&state, shared, ctx),
            ZooKeeperResponse::Changed { all } => self.office_changed(all, shared, ctx),
            ZooKeeperResponse::IsrChanged { partition, number, result } => {
                // A refusal means that the state changed: by this very proposal, if it was sent twice
                // (`ReplicationUtils.checkLeaderAndIsrZkData`), or by the controller in the same epoch.
                let (Ok(state) | Err(state)) = result;
                self.proposal_answered((partition, number), Some(state), shared, ctx);
            }
        }
    }

    pub(super) fn controller_said(
        &mut self,
        conn: ConnId,
        response: ControllerResponse,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        if self.keeper.conn == Some(conn) {
            self.keeper.heard = ctx.now();
        }
        match response {
            ControllerResponse::Registered => {
                self.keeper.is_ready = true;
                self.heartbeat(ctx);
                self.send_proposals(ctx);
            }
            ControllerResponse::DuplicateRegistration => {
                ctx.timer(RETRY, Timer::KeeperRetry);
            }
            ControllerResponse::Heartbeat { may_stop, is_known } => {
                if !is_known {
                    self.keeper.is_ready = false;
                    self.register(ctx);
                } else if may_stop {
                    self.flush_and_exit(ctx);
                }
            }
            ControllerResponse::IsrChanged { partition, number, is_accepted } => {
                if !is_accepted {
                    self.proposal_answered((partition, number), None, shared, ctx);
                }
            }
            ControllerResponse::Updated => self.office_answered(conn),
            ControllerResponse::Shutdown { remaining } => self.shutdown_answered(remaining, ctx),
            ControllerResponse::Metadata(state) => self.adopt_if_newer(&state, shared, ctx),
        }
    }
}

fn tick(shared: &Shared) -> Span {
    match shared.topology.rules.metadata {
        Metadata::ZooKeeper => Span(shared.topology.config.zookeeper_session.0 / 3),
        Metadata::Kraft => shared.topology.config.heartbeat_interval,
    }
}
