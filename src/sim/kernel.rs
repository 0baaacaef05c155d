//! What lies beneath the nodes: clock, agenda, network, disks, processes; and [`Ctx`], through which a node acts on it.

use std::collections::VecDeque;

use super::agenda::{Agenda, Ticket};
use super::digest::Digest;
use super::disk::{Disk, FileId};
use super::dist::Dist;
use super::net::{self, ConnId, Held, LinkConfig, Net, NodeId, Segment};
use super::time::{Span, Time};

/// What a family brings: typed packets and timers, and nodes as state machines.
pub trait Model: Clone {
    /// What travels on connections.
    type Packet: Clone;
    /// What a node reminds itself of.
    type Timer: Clone;
    /// What can be said to have happened.
    type Fact: Clone;

    /// One node takes one input. It acts through `ctx` and touches no other node's state.
    fn handle(&mut self, node: NodeId, input: Input<Self::Packet, Self::Timer>, ctx: &mut Ctx<'_, Self>);

    /// The machine lost power or its disk: the node's volatile state is gone and its files are what `ctx` says.
    fn storage_lost(&mut self, node: NodeId, loss: Loss, ctx: &mut Ctx<'_, Self>);

    /// A number for the fingerprint: what the packet is about.
    fn packet_id(packet: &Self::Packet) -> u64;

    /// A number for the fingerprint: which timer it is.
    fn timer_id(timer: &Self::Timer) -> u64;
}

/// What a node is given.
#[derive(Clone, Debug)]
pub enum Input<P, T> {
    /// The process starts, on the files the disk has.
    Start,
    /// The process is asked to stop; it calls [`Ctx::exit`] when it is done.
    Stop,
    /// Somebody connected.
    Accepted(ConnId),
    /// The node's own attempt to connect succeeded.
    Connected(ConnId),
    /// The connection is gone: refused, reset, closed or given up. Nothing more arrives on it.
    Closed(ConnId),
    /// A packet arrived.
    Packet(ConnId, P),
    /// A timer fired.
    Timer(T),
    /// A flush is complete: the file's first `mark` bytes are durable.
    Synced {
        /// Which file.
        file: FileId,
        /// How long it was when the flush began.
        mark: u64,
    },
}

/// How stored bytes were lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// What was not durable is gone.
    Power,
    /// Everything is gone.
    Disk,
    /// The end of one file is gone.
    Torn,
}

/// One thing that happened: at a time, at a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Observation<F> {
    /// When.
    pub at: Time,
    /// At which node.
    pub node: NodeId,
    /// What.
    pub fact: F,
}

/// A node's process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It runs.
    Up,
    /// It stands still; its kernel goes on.
    Frozen,
    /// It does not run; the machine does.
    Down,
    /// The machine is off.
    Off,
}

#[derive(Clone, Debug)]
pub(super) enum Event<P, T> {
    Packet { conn: ConnId, side: u8, bytes: u32, packet: P },
    Timer { node: NodeId, incarnation: u32, timer: T },
    Connect { conn: ConnId, attempt: u8 },
    Established { conn: ConnId },
    End { conn: ConnId, side: u8 },
    Retransmit { conn: ConnId, side: u8 },
    GiveUp { conn: ConnId, side: u8, since: Time },
    Synced { node: NodeId, incarnation: u32, epoch: u32, file: FileId, mark: u64 },
    Input { node: NodeId, incarnation: u32, input: Box<Input<P, T>> },
    Control { id: u32 },
}

#[derive(Clone, Debug)]
pub(super) struct Process<P, T> {
    pub(super) status: Status,
    pub(super) incarnation: u32,
    pub(super) inbox: VecDeque<Input<P, T>>,
    pub(super) wall_offset: i64,
}

/// Everything beneath the nodes.
#[derive(Clone, Debug)]
pub(super) struct Kernel<P, T, F> {
    pub(super) now: Time,
    pub(super) agenda: Agenda<Event<P, T>>,
    pub(super) net: Net<P>,
    pub(super) disks: Vec<Disk>,
    pub(super) processes: Vec<Process<P, T>>,
    pub(super) digest: Digest,
    pub(super) observations: Vec<Observation<F>>,
    pub(super) events: u64,
    pub(super) has_details: bool,
    pub(super) seed: u64,
}

impl<P: Clone, T: Clone, F> Kernel<P, T, F> {
    pub(super) fn new(seed: u64, nodes: u16, link: LinkConfig, fsync: Dist) -> Self {
        let process = Process { status: Status::Up, incarnation: 0, inbox: VecDeque::new(), wall_offset: 0 };
        Self {
            now: Time::ZERO,
            agenda: Agenda::default(),
            net: Net::new(seed, link),
            disks: (0..nodes).map(|node| Disk::new(seed, u64::from(node), fsync)).collect(),
            processes: vec![process; nodes as usize],
            digest: Digest::default(),
            observations: Vec::new(),
            events: 0,
            has_details: false,
            seed,
        }
    }

    pub(super) fn process(&mut self, node: NodeId) -> &mut Process<P, T> {
        &mut self.processes[node.0 as usize]
    }

    /// Whether what travels on this direction now stays at the sender.
    pub(super) fn is_blocked(&mut self, conn: ConnId, side: usize) -> bool {
        let now = self.now;
        let Some(c) = self.net.get(conn) else { return false };
        let (link, to) = (c.links[side] as usize, c.ends[1 - side]);
        let unacknowledged = c.sides[side].unacknowledged_since;
        let is_unread = c.sides[1 - side].unread_bytes > net::RECEIVE_BUFFER_BYTES;
        let link = &self.net.links[link];
        let is_stalled = link.is_deaf && now.since(unacknowledged) >= net::RETRANSMIT_FIRST;
        link.is_cut || is_stalled || is_unread || self.processes[to.0 as usize].status == Status::Off
    }

    /// Puts a segment on its way, or lets it wait where it cannot go.
    pub(super) fn transmit(&mut self, conn: ConnId, side: usize, segment: Segment<P>) {
        let now = self.now;
        let Some(c) = self.net.get(conn) else { return };
        let link = c.links[side];
        if self.net.links[link as usize].is_deaf
            && let Some(c) = self.net.get(conn)
            && c.sides[side].unacknowledged_since == Time::NEVER
        {
            c.sides[side].unacknowledged_since = now;
        }
        let is_waiting = self.net.get(conn).is_some_and(|c| c.sides[side].held.is_some());
        if is_waiting || self.is_blocked(conn, side) {
            self.hold(conn, side, segment);
            return;
        }
        let bytes = if let Segment::Packet(_, bytes) = segment { bytes } else { 0 };
        let arrival = self.net.arrival(now, link, bytes);
        let Some(c) = self.net.get(conn) else { return };
        let at = arrival.max(c.sides[side].arrives_last);
        c.sides[side].arrives_last = at;
        let event = match segment {
            Segment::Packet(packet, bytes) => Event::Packet { conn, side: side as u8, bytes, packet },
            Segment::End => Event::End { conn, side: side as u8 },
        };
        self.agenda.push(at, event);
    }

    /// A segment that cannot be sent now waits, behind what waits already.
    fn hold(&mut self, conn: ConnId, side: usize, segment: Segment<P>) {
        if let Some(held) = self.held(conn, side) {
            held.segments.push_back(segment);
        }
    }

    /// A segment that was under way and could not arrive waits, before what was sent after it.
    pub(super) fn hold_arrived(&mut self, conn: ConnId, side: usize, segment: Segment<P>) {
        if let Some(held) = self.held(conn, side) {
            held.segments.insert(held.was_under_way, segment);
            held.was_under_way += 1;
        }
    }

    fn held(&mut self, conn: ConnId, side: usize) -> Option<&mut Held<P>> {
        let since = self.now;
        let c = self.net.get(conn)?;
        let held = &mut c.sides[side].held;
        if held.is_none() {
            let give_up = Event::GiveUp { conn, side: side as u8, since };
            self.agenda.push(since + net::RETRANSMIT_GIVE_UP, give_up);
        }
        let new = || Box::new(Held { since, segments: VecDeque::new(), was_under_way: 0 });
        Some(held.get_or_insert_with(new))
    }

    /// Something changed for the better: whatever can go now goes at its next retransmission.
    pub(super) fn retransmit_all(&mut self) {
        for (conn, side, since) in self.net.held() {
            if !self.is_blocked(conn, side) {
                let at = net::next_retransmission(since, self.now);
                self.agenda.push(at, Event::Retransmit { conn, side: side as u8 });
            }
        }
    }

    /// One end of the connection closes; the other learns of it after everything sent before.
    pub(super) fn close(&mut self, conn: ConnId, side: usize) {
        self.transmit(conn, side, Segment::End);
        self.net.close_side(conn, side);
    }
}

/// What a node can do while it handles an input.
pub struct Ctx<'a, M: Model> {
    pub(super) kernel: &'a mut Kernel<M::Packet, M::Timer, M::Fact>,
    pub(super) node: NodeId,
}

impl<M: Model> Ctx<'_, M> {
    /// The node's monotonic clock.
    #[inline]
    pub fn now(&self) -> Time {
        self.kernel.now
    }

    /// The node's wall clock: what it writes into stored timestamps.
    pub fn wall(&self) -> Time {
        let offset = self.kernel.processes[self.node.0 as usize].wall_offset;
        Time(self.kernel.now.0.saturating_add_signed(offset))
    }

    /// The node that is acting.
    pub fn node(&self) -> NodeId {
        self.node
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        self.kernel.seed
    }

    /// Starts to connect; answered by [`Input::Connected`] or [`Input::Closed`], by neither for a long time if the
    /// other side is silent.
    pub fn connect(&mut self, to: NodeId) -> ConnId {
        debug_assert_ne!(self.node, to, "a node talks to itself without a network");
        let conn = self.kernel.net.open(self.node, to);
        self.kernel.start_connecting(conn, 0);
        conn
    }

    /// Writes a packet to a connection. On a connection that is gone it vanishes.
    #[inline]
    pub fn send(&mut self, conn: ConnId, packet: M::Packet, bytes: u32) {
        let kernel = &mut *self.kernel;
        let now = kernel.now;
        let Some(c) = kernel.net.get(conn) else { return };
        let side = usize::from(c.ends[0] != self.node);
        if !c.sides[side].is_open {
            return;
        }
        let link = c.links[side];
        if kernel.net.links[link as usize].is_plain && c_is_free(kernel, conn, side) {
            let arrival = kernel.net.arrival(now, link, bytes);
            let c = &mut kernel.net.conns[conn.slot as usize];
            let at = arrival.max(c.sides[side].arrives_last);
            c.sides[side].arrives_last = at;
            kernel.agenda.push(at, Event::Packet { conn, side: side as u8, bytes, packet });
            return;
        }
        for _ in 0..kernel.net.copies(link) {
            kernel.transmit(conn, side, Segment::Packet(packet.clone(), bytes));
        }
    }

    /// Closes a connection; the other side learns of it after everything sent before.
    pub fn close(&mut self, conn: ConnId) {
        if let Some(c) = self.kernel.net.get(conn) {
            let side = usize::from(c.ends[0] != self.node);
            if c.sides[side].is_open {
                self.kernel.close(conn, side);
            }
        }
    }

    /// The node at the other end; none: the connection is gone.
    pub fn peer(&mut self, conn: ConnId) -> Option<NodeId> {
        let node = self.node;
        self.kernel.net.get(conn).map(|c| c.ends[usize::from(c.ends[0] == node)])
    }

    /// Reminds the node after this long. Dies with the process.
    #[inline]
    pub fn timer(&mut self, after: Span, timer: M::Timer) -> Ticket {
        self.timer_at(self.kernel.now + after, timer)
    }

    /// Reminds the node at this time.
    #[inline]
    pub fn timer_at(&mut self, at: Time, timer: M::Timer) -> Ticket {
        let node = self.node;
        let incarnation = self.kernel.processes[node.0 as usize].incarnation;
        let at = at.max(self.kernel.now);
        self.kernel.agenda.push(at, Event::Timer { node, incarnation, timer })
    }

    /// Forgets a timer.
    pub fn cancel(&mut self, ticket: Ticket) {
        self.kernel.agenda.cancel(ticket);
    }

    /// The file is now `len` bytes long; the new bytes are in the page cache.
    #[inline]
    pub fn write(&mut self, file: FileId, len: u64) {
        let now = self.kernel.now;
        self.kernel.disks[self.node.0 as usize].write(now, file, len);
    }

    /// The file is cut to `len` bytes.
    pub fn truncate(&mut self, file: FileId, len: u64) {
        let now = self.kernel.now;
        self.kernel.disks[self.node.0 as usize].truncate(now, file, len);
    }

    /// Flushes what the file holds now; answered by [`Input::Synced`].
    pub fn sync(&mut self, file: FileId) {
        let (node, now) = (self.node, self.kernel.now);
        let disk = &mut self.kernel.disks[node.0 as usize];
        let (mark, epoch, at) = (disk.len(file), disk.epoch, disk.start_sync(now));
        let incarnation = self.kernel.processes[node.0 as usize].incarnation;
        self.kernel.agenda.push(at, Event::Synced { node, incarnation, epoch, file, mark });
    }

    /// How long the node's file is.
    pub fn file_len(&self, file: FileId) -> u64 {
        self.kernel.disks[self.node.0 as usize].len(file)
    }

    /// The process ends by itself; its kernel closes the connections.
    pub fn exit(&mut self) {
        let node = self.node;
        self.kernel.end_process(node, Status::Down);
    }

    /// Writes down that something happened here.
    #[inline]
    pub fn observe(&mut self, fact: M::Fact) {
        let (at, node) = (self.kernel.now, self.node);
        self.kernel.observations.push(Observation { at, node, fact });
    }

    /// Writes down that something happened that is about another node.
    pub fn observe_at(&mut self, node: NodeId, fact: M::Fact) {
        let at = self.kernel.now;
        self.kernel.observations.push(Observation { at, node, fact });
    }

    /// Whether details are wanted: the answer must change nothing but what is observed.
    #[inline]
    pub fn has_details(&self) -> bool {
        self.kernel.has_details
    }
}

/// Nothing waits on this direction and the other end reads.
#[inline]
fn c_is_free<P, T, F>(kernel: &Kernel<P, T, F>, conn: ConnId, side: usize) -> bool {
    let c = &kernel.net.conns[conn.slot as usize];
    let to = c.ends[1 - side];
    c.sides[side].held.is_none() && kernel.processes[to.0 as usize].status == Status::Up
}
