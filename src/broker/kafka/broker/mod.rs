//! A broker: replicas, the requests of clients and followers, its session with the cluster's keeper.
//!
//! Requests of one connection are processed one at a time, in order: while one waits (for replicas, for data, for a
//! group) the next ones of that connection wait behind it.
//!
//! Source: `SocketServer` (a muted channel), `KafkaApis`, `ReplicaManager`, `Partition`.
//! Not modelled: request quotas, thread pools and their queues, disk reads, log directories.

mod fetch;
mod follower;
mod group;
mod isr;
mod keeper;
mod leader;
mod office;
mod picture;
mod replica;
mod shutdown;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use self::fetch::Parked;
use self::follower::Fetcher;
pub(super) use self::group::Group;
use self::keeper::Keeper;
use self::leader::Produces;
use self::office::Office;
pub(super) use self::replica::{Replica, Role};
use self::shutdown::Shutdown;
use super::control::ClusterState;
use super::model::{KafkaCtx, Shared, Timer};
use super::packet::{ControllerRequest, ControllerResponse, Packet};
use crate::fact::{Fact, PlaceId, Rule};
use crate::sim::{ByConn, ConnId, FileId, Input, Loss, Time};

/// A broker.
#[derive(Clone, Debug)]
pub(super) struct Broker {
    pub(super) id: u16,
    /// Counts its processes.
    incarnation: u32,
    /// The process before this one stopped cleanly; and this one has, so far as its disk says.
    was_clean: bool,
    is_clean: bool,
    /// By partition; none: it is no replica of that one.
    pub(super) replicas: Vec<Option<Box<Replica>>>,
    /// The cluster as this broker knows it.
    pub(super) view: Arc<ClusterState>,
    conns: ByConn<Inbound>,
    /// Connections whose next request may be processed.
    ready: Vec<ConnId>,
    parked: Vec<Parked>,
    parked_look_at: Option<Time>,
    produces: Produces,
    fetchers: BTreeMap<u16, Fetcher>,
    keeper: Keeper,
    /// ZooKeeper mode: it is the controller.
    office: Option<Office>,
    pub(super) groups: BTreeMap<u16, Group>,
    shutdown: Option<Shutdown>,
}

/// A connection that somebody opened to this broker.
#[derive(Clone, Debug, Default)]
struct Inbound {
    is_busy: bool,
    queue: VecDeque<Packet>,
}

impl Broker {
    /// A broker of a healthy cluster, before its first start.
    pub(super) fn new(id: u16, shared: &Shared, state: &Arc<ClusterState>) -> Self {
        let replicas = shared
            .topology
            .partitions
            .iter()
            .map(|partition| partition.replicas.contains(&id).then(|| Box::new(Replica::default())))
            .collect();
        Self {
            id,
            incarnation: 0,
            was_clean: true,
            is_clean: true,
            replicas,
            view: Arc::clone(state),
            conns: ByConn::default(),
            ready: Vec::new(),
            parked: Vec::new(),
            parked_look_at: None,
            produces: Produces::default(),
            fetchers: BTreeMap::new(),
            keeper: Keeper::default(),
            office: None,
            groups: BTreeMap::new(),
            shutdown: None,
        }
    }

    #[inline]
    pub(super) fn on(&mut self, input: Input<Packet, Timer>, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        match input {
            Input::Packet(conn, packet) => self.packet(conn, packet, shared, ctx),
            Input::Timer(timer) => self.timer(&timer, shared, ctx),
            Input::Start => self.start(shared, ctx),
            Input::Stop => self.stop(shared, ctx),
            Input::Accepted(conn) => {
                self.conns.insert(conn, Inbound::default());
            }
            Input::Connected(conn) => self.connected(conn, shared, ctx),
            Input::Closed(conn) => self.closed(conn, shared, ctx),
            Input::Synced { file, .. } => self.synced(file, shared, ctx),
            // It never asks whether a write would block.
            Input::Writable(_) => {}
        }
        while let Some(conn) = self.ready.pop() {
            self.next_request(conn, shared, ctx);
        }
    }

    /// The disk lost bytes: what the logs still hold is what the files still hold.
    pub(super) fn storage_lost(&mut self, loss: Loss, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let rule = match loss {
            Loss::Power => Rule::PowerLost,
            Loss::Disk => Rule::DiskLost,
            Loss::Torn => Rule::Torn,
        };
        for partition in 0..self.replicas.len() as u32 {
            let Some(replica) = &mut self.replicas[partition as usize] else { continue };
            let removed = replica.log.recover(ctx.file_len(FileId(partition)), &shared.content);
            ctx.truncate(FileId(partition), replica.log.bytes());
            replica.has_lost |= !removed.is_empty();
            if loss == Loss::Disk {
                replica.checkpoint = 0;
            }
            report_removed(partition, &removed, rule, shared, ctx);
        }
    }

    fn start(&mut self, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        self.incarnation += 1;
        self.was_clean = std::mem::take(&mut self.is_clean);
        self.conns.clear();
        self.ready.clear();
        self.parked.clear();
        self.parked_look_at = None;
        self.produces = Produces::default();
        self.fetchers.clear();
        self.keeper = Keeper::default();
        self.office = None;
        self.groups.clear();
        self.shutdown = None;
        for (partition, replica) in self.replicas.iter_mut().enumerate() {
            let Some(replica) = replica else { continue };
            replica.restart();
            if self.incarnation == 1 && replica.log.end() > 0 {
                ctx.write(FileId(partition as u32), replica.log.bytes());
                ctx.sync(FileId(partition as u32));
            }
        }
        ctx.timer(shared.topology.config.lag_max.half(), Timer::IsrCheck);
        ctx.timer(shared.topology.config.checkpoint_interval, Timer::Checkpoint);
        if self.incarnation == 1 {
            let state = Arc::clone(&self.view);
            self.adopt(&state, shared, ctx);
        } else {
            self.view = Arc::new(ClusterState::unknown(&shared.topology));
        }
        self.connect_keeper(shared, ctx);
    }

    fn packet(&mut self, conn: ConnId, packet: Packet, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        if let Some(inbound) = self.conns.get_mut(conn) {
            if inbound.is_busy {
                inbound.queue.push_back(packet);
            } else {
                inbound.is_busy = true;
                self.request(conn, packet, shared, ctx);
            }
            return;
        }
        match packet {
            Packet::FetchResponse(response) => self.fetched(conn, &response, shared, ctx),
            Packet::EpochEndsResponse(answers) => self.epochs_answered(conn, &answers, shared, ctx),
            Packet::ZooKeeperResponse(response) => self.zookeeper_said(*response, shared, ctx),
            Packet::ControllerResponse(response) => self.controller_said(conn, *response, shared, ctx),
            _ => {}
        }
    }

    #[inline]
    fn request(&mut self, conn: ConnId, packet: Packet, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        match packet {
            Packet::Produce(request) => self.produce(conn, request, shared, ctx),
            Packet::Fetch(request) => self.fetch(conn, request, shared, ctx),
            Packet::Metadata => {
                let view = Arc::clone(&self.view);
                self.respond(conn, Packet::MetadataResponse(view), 300, ctx);
            }
            Packet::EpochEnds(asked) => self.epoch_ends(conn, &asked, shared, ctx),
            Packet::Ends(asked) => self.ends(conn, &asked, ctx),
            Packet::Group(request) => self.group_request(conn, *request, shared, ctx),
            Packet::Controller(request) => match *request {
                ControllerRequest::Update(state) => self.update(conn, &state, shared, ctx),
                ControllerRequest::Shutdown { broker, incarnation } => {
                    self.shutdown_asked(conn, broker, incarnation, shared, ctx);
                }
                _ => self.done(conn),
            },
            _ => self.done(conn),
        }
    }

    /// A controller says how things are.
    fn update(
        &mut self,
        conn: ConnId,
        state: &Arc<ClusterState>,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        if !shared.topology.rules.has_broker_epochs {
            let answer = Packet::ControllerResponse(Box::new(ControllerResponse::Updated));
            self.respond(conn, answer, 60, ctx);
            let whole = Arc::new(state.over(&self.view));
            self.adopt_if_newer(&whole, shared, ctx);
            return;
        }
        self.done(conn);
        // A controller that does not know yet that the process before this one died talks to that one.
        if state.incarnation(self.id) == Some(self.incarnation) {
            self.adopt_if_newer(state, shared, ctx);
        }
    }

    /// Answers a connection's request; its next one may be processed.
    #[inline]
    fn respond(&mut self, conn: ConnId, packet: Packet, bytes: u32, ctx: &mut KafkaCtx<'_>) {
        ctx.send(conn, packet, bytes);
        self.done(conn);
    }

    /// A connection's request is over.
    #[inline]
    fn done(&mut self, conn: ConnId) {
        if let Some(inbound) = self.conns.get_mut(conn) {
            inbound.is_busy = false;
            if !inbound.queue.is_empty() {
                self.ready.push(conn);
            }
        }
    }

    fn next_request(&mut self, conn: ConnId, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let Some(inbound) = self.conns.get_mut(conn) else { return };
        if inbound.is_busy {
            return;
        }
        if let Some(packet) = inbound.queue.pop_front() {
            inbound.is_busy = true;
            self.request(conn, packet, shared, ctx);
        }
    }

    fn timer(&mut self, timer: &Timer, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        match *timer {
            Timer::IsrCheck => {
                self.shrink_isrs(shared, ctx);
                ctx.timer(shared.topology.config.lag_max.half(), Timer::IsrCheck);
            }
            Timer::Checkpoint => {
                for replica in self.replicas.iter_mut().flatten() {
                    replica.checkpoint = replica.watermark;
                }
                ctx.timer(shared.topology.config.checkpoint_interval, Timer::Checkpoint);
            }
            Timer::Parked => self.expire_parked(shared, ctx),
            Timer::Produces => self.expire_produces(ctx),
            Timer::Fetcher(leader) => self.fetcher_timer(leader, shared, ctx),
            Timer::KeeperTick => self.keeper_tick(shared, ctx),
            Timer::KeeperRetry => self.keeper_retry(shared, ctx),
            Timer::Office => self.office_tick(ctx),
            Timer::Group(group) => self.group_timer(group, ctx),
            Timer::Commit(id) => self.commit_timer(id, ctx),
            Timer::Shutdown => self.shutdown_retry(shared, ctx),
            _ => {}
        }
    }

    fn connected(&mut self, conn: ConnId, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        if self.keeper.conn == Some(conn) {
            self.keeper_connected(shared, ctx);
        } else if let Some(leader) = self.fetcher_of(conn) {
            self.fetcher_connected(leader, shared, ctx);
        } else if !self.office_connected(conn, ctx) {
            self.shutdown_connected(conn, ctx);
        }
    }

    fn closed(&mut self, conn: ConnId, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        if self.conns.remove(conn).is_some() {
            self.parked.retain(|parked| parked.conn != conn);
            self.group_conn_closed(conn);
        } else if self.keeper.conn == Some(conn) {
            self.keeper_closed(ctx);
        } else if let Some(leader) = self.fetcher_of(conn) {
            self.fetcher_closed(leader, shared, ctx);
        } else {
            self.office_closed(conn, ctx);
        }
    }

    fn synced(&mut self, file: FileId, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        if self.shutdown_synced(ctx) {
            return;
        }
        let partition = file.0;
        let Some(replica) = &self.replicas[partition as usize] else { return };
        match replica.role {
            Role::Leader(_) => self.append_flushed(partition, shared, ctx),
            Role::Follower { leader } => self.follower_flushed(partition, leader, shared, ctx),
            Role::Offline => {}
        }
    }

    /// A view came from a controller: ignored if it is older than the one in force.
    fn adopt_if_newer(&mut self, state: &Arc<ClusterState>, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let is_fenced = state.controller_epoch < self.view.controller_epoch;
        if !is_fenced && state.version > self.view.version {
            self.adopt(state, shared, ctx);
        }
    }

    /// Takes over a view: becomes leader or follower where that says so.
    fn adopt(&mut self, state: &Arc<ClusterState>, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        self.view = Arc::clone(state);
        for partition in 0..self.replicas.len() as u32 {
            let Some(replica) = &mut self.replicas[partition as usize] else { continue };
            let next = state.partitions[partition as usize];
            if !next.exists() {
                continue;
            }
            let is_settled = replica.is_assigned && next.epoch == replica.state.epoch;
            if replica.is_assigned && next.epoch < replica.state.epoch {
                continue;
            }
            if is_settled {
                if next.version > replica.state.version {
                    self.isr_told(partition, next, shared, ctx);
                }
                continue;
            }
            let leads_on = replica.is_leader()
                && next.leader == Some(self.id)
                && replica.state.leader == Some(self.id)
                && next.epoch == replica.state.epoch + 1;
            replica.is_assigned = true;
            replica.state = next;
            match next.leader {
                Some(_) if leads_on => self.lead_on(partition, shared, ctx),
                Some(leader) if leader == self.id => self.lead(partition, shared, ctx),
                Some(leader) => self.follow(partition, leader, shared, ctx),
                None => self.rest(partition, shared, ctx),
            }
        }
        self.stop_fetching_to_stop(shared);
        self.start_fetching(shared, ctx);
    }

    /// The replica of this partition, if the broker leads it.
    #[inline]
    fn leading(&mut self, partition: u32) -> Option<&mut Replica> {
        self.replicas.get_mut(partition as usize)?.as_deref_mut().filter(|replica| replica.is_leader())
    }
}

/// Writes down that copies disappeared.
fn report_removed(partition: u32, removed: &[u32], rule: Rule, shared: &Shared, ctx: &mut KafkaCtx<'_>) {
    if !ctx.has_details() {
        return;
    }
    for &id in removed {
        let batch = shared.content.batch(id);
        for (offset, message) in (batch.base..).zip(shared.content.messages(batch)) {
            ctx.observe(Fact::Removed { message, place: PlaceId(partition), offset, rule });
        }
    }
}

/// Writes down that a batch was appended.
#[inline]
fn report_stored(partition: u32, id: u32, shared: &Shared, ctx: &mut KafkaCtx<'_>) {
    if !ctx.has_details() {
        return;
    }
    let batch = shared.content.batch(id);
    for (offset, message) in (batch.base..).zip(shared.content.messages(batch)) {
        ctx.observe(Fact::Stored { message, place: PlaceId(partition), offset });
    }
}
