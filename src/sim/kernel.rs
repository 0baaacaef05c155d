//! What lies beneath the nodes: clock, agenda, network, disks, processes; and [`Ctx`], through which a node acts on
//! it.

use std::collections::VecDeque;

use super::agenda::{Agenda, Ticket};
use super::digest::Digest;
use super::disk::{Disk, FileId};
use super::dist::Dist;
use super::net::{self, Conn, ConnId, Held, LinkConfig, Net, NodeId, Segment};
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

    /// Whether the packet asks for something, and is no answer: what a raw fault on requests hits.
    fn is_request(_packet: &Self::Packet) -> bool {
        true
    }
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
    /// The connection takes writes again: only after [`Ctx::is_writable`] said no.
    Writable(ConnId),
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
    Refused { conn: ConnId, attempt: u8 },
    Established { conn: ConnId },
    End { conn: ConnId, side: u8 },
    Retransmit { conn: ConnId, side: u8 },
    Readable { conn: ConnId, side: u8 },
    GiveUp { conn: ConnId, side: u8, since: Time },
    Synced { node: NodeId, incarnation: u32, epoch: u32, file: FileId, mark: u64 },
    Control { id: u32 },
}

#[derive(Clone, Debug)]
pub(super) struct Process<P, T> {
    pub(super) status: Status,
    pub(super) incarnation: u32,
    /// What a frozen process will find; timers with their tickets, for it may cancel them before it gets there.
    pub(super) inbox: VecDeque<(Option<Ticket>, Input<P, T>)>,
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

    /// Whether what travels on this direction does not get to the other end now.
    pub(super) fn is_blocked(&self, c: &Conn<P>, side: usize) -> bool {
        let is_unread = c.sides[side].trouble.as_ref().is_some_and(|trouble| trouble.is_unread());
        is_unread || self.is_silent(c, side)
    }

    /// Whether not even an acknowledgement would come back from the other end.
    pub(super) fn is_silent(&self, c: &Conn<P>, side: usize) -> bool {
        let is_off = self.processes[c.ends[1 - side].0 as usize].status == Status::Off;
        is_off || self.net.is_cut(c.links[side])
    }

    /// Whether the sender's kernel waits, because nothing was acknowledged for one retransmission time-out.
    fn is_stalled(&self, c: &Conn<P>, side: usize) -> bool {
        let since =
            c.sides[side].trouble.as_ref().map_or(Time::NEVER, |trouble| trouble.unacknowledged_since);
        self.net.is_deaf(c.links[side]) && self.now.since(since) >= net::RETRANSMIT_FIRST
    }

    /// Puts a segment on its way, or lets it wait where it cannot go.
    pub(super) fn transmit(&mut self, conn: ConnId, side: usize, segment: Segment<P>) {
        let now = self.now;
        let Some(link) = self.net.get(conn).map(|c| c.links[side]) else { return };
        let is_deaf = self.net.is_deaf(link);
        let c = &mut self.net.conns[conn.slot as usize];
        if is_deaf {
            let since = &mut c.sides[side].trouble().unacknowledged_since;
            *since = now.min(*since);
        }
        let c = &self.net.conns[conn.slot as usize];
        if c.sides[side].held().is_some() || self.is_blocked(c, side) || self.is_stalled(c, side) {
            let held = self.held(conn, side);
            held.bytes += u64::from(segment.bytes());
            held.segments.push_back(segment);
            return;
        }
        let at = self.net.arrival(now, link, segment.bytes());
        let event = match segment {
            Segment::Hello => Event::Established { conn },
            Segment::Packet(packet, bytes) => Event::Packet { conn, side: side as u8, bytes, packet },
            Segment::End => Event::End { conn, side: side as u8 },
        };
        let lane = &mut self.net.conns[conn.slot as usize].sides[side].lane;
        self.agenda.push_behind(lane, at, event);
    }

    /// Whether a segment that was under way cannot be taken at the other end now: the way is blocked, or something
    /// sent before it is missing there.
    pub(super) fn is_missed(&self, c: &Conn<P>, side: usize) -> bool {
        c.sides[side].held().is_some_and(|held| held.was_under_way > 0) || self.is_blocked(c, side)
    }

    /// A segment that was under way and was missed waits, before what was sent after it.
    pub(super) fn hold_arrived(&mut self, conn: ConnId, side: usize, segment: Segment<P>) {
        let held = self.held(conn, side);
        held.bytes += u64::from(segment.bytes());
        held.segments.insert(held.was_under_way, segment);
        held.was_under_way += 1;
    }

    fn held(&mut self, conn: ConnId, side: usize) -> &mut Held<P> {
        let since = self.now;
        let trouble = self.net.conns[conn.slot as usize].sides[side].trouble();
        trouble.held.get_or_insert_with(|| {
            let give_up = Event::GiveUp { conn, side: side as u8, since };
            self.agenda.push(since + net::RETRANSMIT_GIVE_UP, give_up);
            Held { since, segments: VecDeque::new(), bytes: 0, is_awaited: false, was_under_way: 0 }
        })
    }

    /// Something changed for the better: whatever can go now goes at its next retransmission.
    pub(super) fn retransmit_all(&mut self) {
        for (conn, side, since) in self.net.held() {
            if !self.is_blocked(&self.net.conns[conn.slot as usize], side) {
                let at = net::next_retransmission(since, self.now);
                self.agenda.push(at, Event::Retransmit { conn, side: side as u8 });
            }
        }
    }

    /// What was sent to this node has been read, or never will be: full buffers are empty, and their senders hear of
    /// it at once.
    pub(super) fn empty_buffers(&mut self, node: NodeId) {
        for slot in 0..self.net.conns.len() {
            let c = &mut self.net.conns[slot];
            for side in 0..2 {
                if c.ends[1 - side] != node || !c.sides[side].forget_unread() {
                    continue;
                }
                let conn = ConnId { slot: slot as u32, generation: c.generation };
                self.window_opens(conn, side);
                break;
            }
        }
    }

    /// There is room in a receive buffer that was full: the sender hears of it at once, if anything gets there.
    pub(super) fn window_opens(&mut self, conn: ConnId, side: usize) {
        let back = self.net.conns[conn.slot as usize].links[1 - side];
        if !self.net.is_cut(back) {
            let at = self.net.arrival(self.now, back, 0);
            self.agenda.push(at, Event::Retransmit { conn, side: side as u8 });
        }
    }

    /// One end of the connection closes; the other learns of it after everything sent before.
    pub(super) fn close(&mut self, conn: ConnId, side: usize) {
        self.transmit(conn, side, Segment::End);
        self.forget_pause(conn, 1 - side);
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
    #[inline(always)]
    pub fn send(&mut self, conn: ConnId, packet: M::Packet, bytes: u32) {
        let kernel = &mut *self.kernel;
        let Some(c) = kernel.net.get(conn) else { return };
        let side = usize::from(c.ends[0] != self.node);
        if !c.is_open[side] {
            return;
        }
        debug_assert!(side == 1 || c.is_established, "nobody writes before the connection is there");
        let (link, peer) = (c.links[side], c.ends[1 - side]);
        let is_free = c.sides[side].trouble.is_none();
        let is_up = kernel.processes[peer.0 as usize].status == Status::Up;
        if is_free && is_up && kernel.net.is_plain(link) {
            let at = kernel.net.arrival(kernel.now, link, bytes);
            let lane = &mut kernel.net.conns[conn.slot as usize].sides[side].lane;
            let event = Event::Packet { conn, side: side as u8, bytes, packet };
            kernel.agenda.push_behind(lane, at, event);
            return;
        }
        for _ in 0..kernel.net.copies(link, M::is_request(&packet)) {
            kernel.transmit(conn, side, Segment::Packet(packet.clone(), bytes));
        }
    }

    /// Closes a connection; the other side learns of it after everything sent before.
    pub fn close(&mut self, conn: ConnId) {
        if let Some(c) = self.kernel.net.get(conn) {
            let side = usize::from(c.ends[0] != self.node);
            if c.is_open[side] {
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

    /// Forgets a timer, even one that fired while the process stood still.
    pub fn cancel(&mut self, ticket: Ticket) {
        if !self.kernel.agenda.cancel(ticket) {
            self.kernel.process(self.node).inbox.retain(|(timer, _)| *timer != Some(ticket));
        }
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
