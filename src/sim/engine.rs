//! The engine's loop: takes the earliest event, applies the rules of network and processes, hands inputs to nodes.

use super::disk::Disk;
use super::disk::FileId;
use super::dist::Dist;
use super::kernel::{Ctx, Event, Input, Kernel, Loss, Model, Observation, Status};
use super::net::{self, Condition, ConditionId, ConnId, LinkConfig, NodeId, Segment};
use super::time::{Span, Time};

/// A world: nodes, and what lies beneath them. A clone runs on by itself and does the same.
#[derive(Clone, Debug)]
pub struct Engine<M: Model> {
    /// The nodes.
    pub model: M,
    pub(super) kernel: Kernel<M::Packet, M::Timer, M::Fact>,
}

/// What one step did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// An event was dispatched.
    Done,
    /// The time has come for what was scheduled with [`Engine::schedule`].
    Control(u32),
    /// Nothing is left up to the time asked for.
    Idle,
    /// A bound was hit.
    Bound(&'static str),
}

impl<M: Model> Engine<M> {
    /// A world of this many nodes, all of them up; nobody has been given [`Input::Start`] yet.
    pub fn new(model: M, seed: u64, nodes: u16, link: LinkConfig, fsync: Dist) -> Self {
        Self { model, kernel: Kernel::new(seed, nodes, link, fsync) }
    }

    /// The clock.
    pub fn now(&self) -> Time {
        self.kernel.now
    }

    /// Sets the clock forward to a time up to which everything was dispatched.
    pub fn rest_until(&mut self, until: Time) {
        self.kernel.now = self.kernel.now.max(until);
    }

    /// Events dispatched so far.
    pub fn events(&self) -> u64 {
        self.kernel.events
    }

    /// The fingerprint of all events dispatched so far.
    pub fn digest(&self) -> u64 {
        self.kernel.digest.value()
    }

    /// What was observed since this was last emptied.
    pub fn observations(&mut self) -> &mut Vec<Observation<M::Fact>> {
        &mut self.kernel.observations
    }

    /// Whether details are written from now on.
    pub fn want_details(&mut self, wanted: bool) {
        self.kernel.has_details = wanted;
    }

    /// The state of a node's process.
    pub fn status(&self, node: NodeId) -> Status {
        self.kernel.processes[node.0 as usize].status
    }

    /// A node's disk.
    pub fn disk(&self, node: NodeId) -> &Disk {
        &self.kernel.disks[node.0 as usize]
    }

    /// [`Step::Control`] with this number will come at this time.
    pub fn schedule(&mut self, at: Time, id: u32) {
        self.kernel.agenda.push(at.max(self.kernel.now), Event::Control { id });
    }

    /// Lets the model act as one of its nodes, outside any event: to set a world up, or by command.
    pub fn act<R>(&mut self, node: NodeId, act: impl FnOnce(&mut M, &mut Ctx<'_, M>) -> R) -> R {
        act(&mut self.model, &mut Ctx { kernel: &mut self.kernel, node })
    }

    /// Dispatches the earliest event that is not after `until`.
    #[inline]
    pub fn step(&mut self, until: Time) -> Step {
        loop {
            if let Some(limit) = self.kernel.agenda.overflow() {
                return Step::Bound(limit);
            }
            let Some((at, event)) = self.kernel.agenda.pop(until) else { return Step::Idle };
            self.kernel.now = at;
            match event {
                Event::Packet { conn, side, bytes, packet } => {
                    if self.packet(conn, usize::from(side), bytes, packet) {
                        return Step::Done;
                    }
                }
                Event::Timer { node, incarnation, timer } => {
                    if self.timer(node, incarnation, timer) {
                        return Step::Done;
                    }
                }
                Event::Control { id } => {
                    self.count(u64::from(id), 9, 0);
                    return Step::Control(id);
                }
                other => {
                    if self.rare(&other) {
                        return Step::Done;
                    }
                }
            }
        }
    }

    #[inline(always)]
    fn packet(&mut self, conn: ConnId, side: usize, bytes: u32, packet: M::Packet) -> bool {
        let Some(c) = self.kernel.net.get(conn) else { return false };
        let (to, link, is_open) = (c.ends[1 - side], c.links[side], c.is_open[1 - side]);
        let is_free = is_open && c.sides[side].trouble.is_none();
        let status = self.kernel.processes[to.0 as usize].status;
        if is_free && status == Status::Up && (self.kernel.net.is_calm() || self.kernel.net.is_plain(link)) {
            self.count(u64::from(to.0), 1, M::packet_id(&packet));
            self.hand(to, Input::Packet(conn, packet));
            return true;
        }
        self.hindered_packet(conn, side, bytes, packet)
    }

    #[cold]
    fn hindered_packet(&mut self, conn: ConnId, side: usize, bytes: u32, packet: M::Packet) -> bool {
        let c = &self.kernel.net.conns[conn.slot as usize];
        let to = c.ends[1 - side];
        if self.kernel.is_missed(c, side) {
            self.kernel.hold_arrived(conn, side, Segment::Packet(packet, bytes));
            return false;
        }
        if !c.is_open[1 - side] {
            // Nobody has this socket any more: the machine answers with a reset.
            self.kernel.transmit(conn, 1 - side, Segment::End);
            return false;
        }
        if self.kernel.is_paused(conn, side) {
            self.count(u64::from(to.0), 1, M::packet_id(&packet));
            self.kernel.keep_unread(conn, side, Segment::Packet(packet, bytes));
            return true;
        }
        if self.status(to) == Status::Frozen {
            self.kernel.net.conns[conn.slot as usize].sides[side].trouble().unread_bytes += u64::from(bytes);
        }
        self.count(u64::from(to.0), 1, M::packet_id(&packet));
        self.give(to, Input::Packet(conn, packet));
        true
    }

    #[inline]
    fn timer(&mut self, node: NodeId, incarnation: u32, timer: M::Timer) -> bool {
        let process = &self.kernel.processes[node.0 as usize];
        if process.incarnation != incarnation || matches!(process.status, Status::Down | Status::Off) {
            return false;
        }
        let status = process.status;
        self.count(u64::from(node.0), 2, M::timer_id(&timer));
        if status == Status::Up {
            self.hand(node, Input::Timer(timer));
        } else {
            let ticket = self.kernel.agenda.taken();
            self.kernel.process(node).inbox.push_back((ticket, Input::Timer(timer)));
        }
        true
    }

    #[cold]
    fn rare(&mut self, event: &Event<M::Packet, M::Timer>) -> bool {
        match *event {
            Event::Connect { conn, attempt } => self.connect(conn, attempt),
            Event::Refused { conn, attempt } => self.refused(conn, attempt),
            Event::Established { conn } => self.established(conn),
            Event::End { conn, side } => self.end(conn, usize::from(side)),
            Event::Retransmit { conn, side } => self.retransmit(conn, usize::from(side)),
            Event::Readable { conn, side } => self.readable(conn, usize::from(side)),
            Event::GiveUp { conn, side, since } => self.give_up(conn, usize::from(side), since),
            Event::Synced { node, incarnation, epoch, file, mark } => {
                let disk = &mut self.kernel.disks[node.0 as usize];
                if disk.epoch != epoch {
                    return false;
                }
                disk.finish_sync(file, mark);
                if self.kernel.processes[node.0 as usize].incarnation != incarnation {
                    return false;
                }
                self.count(u64::from(node.0), 3, mark);
                self.give(node, Input::Synced { file, mark });
                true
            }
            Event::Packet { .. } | Event::Timer { .. } | Event::Control { .. } => false,
        }
    }

    /// A request to connect reaches the other machine, or does not.
    fn connect(&mut self, conn: ConnId, attempt: u8) -> bool {
        let now = self.kernel.now;
        let Some(c) = self.kernel.net.get(conn) else { return false };
        let (from, to, links) = (c.ends[0], c.ends[1], c.links);
        if !c.is_open[0] || c.is_established {
            return false;
        }
        if attempt > net::CONNECT_RETRIES_MAX {
            self.kernel.net.close_side(conn, 0);
            self.count(u64::from(from.0), 5, u64::from(attempt));
            self.give(from, Input::Closed(conn));
            return true;
        }
        let is_taken = c.is_accepted;
        let status = self.kernel.processes[to.0 as usize].status;
        let is_cut = links.iter().any(|&link| self.kernel.net.is_cut(link));
        if is_taken || is_cut || status == Status::Off {
            self.connect_again(conn, attempt);
            return false;
        }
        if status == Status::Down {
            let back = self.kernel.net.arrival(now, links[1], 0);
            self.kernel.agenda.push(back, Event::Refused { conn, attempt });
            return false;
        }
        if let Some(c) = self.kernel.net.get(conn) {
            c.is_accepted = true;
            c.is_open[1] = true;
        }
        self.kernel.transmit(conn, 1, Segment::Hello);
        // Should the answer never come, the other side still counts the time.
        self.connect_again(conn, attempt);
        self.count(u64::from(to.0), 6, 0);
        self.give(to, Input::Accepted(conn));
        true
    }

    fn connect_again(&mut self, conn: ConnId, attempt: u8) {
        let again = self.kernel.now + Span(net::CONNECT_RETRY.0 << attempt);
        self.kernel.agenda.push(again, Event::Connect { conn, attempt: attempt + 1 });
    }

    /// The answer that no process listens there arrives, or does not.
    fn refused(&mut self, conn: ConnId, attempt: u8) -> bool {
        let Some(c) = self.kernel.net.get(conn) else { return false };
        let (from, back) = (c.ends[0], c.links[1]);
        if self.kernel.net.is_cut(back) {
            self.connect_again(conn, attempt);
            return false;
        }
        self.kernel.net.close_side(conn, 0);
        self.count(u64::from(from.0), 8, 2);
        self.give(from, Input::Closed(conn));
        true
    }

    /// The answer that the connection is accepted arrives, or does not.
    fn established(&mut self, conn: ConnId) -> bool {
        if self.kernel.net.get(conn).is_none() {
            return false;
        }
        let c = &mut self.kernel.net.conns[conn.slot as usize];
        let from = c.ends[0];
        if !c.is_open[0] {
            return false;
        }
        let c = &self.kernel.net.conns[conn.slot as usize];
        if self.kernel.is_missed(c, 1) {
            self.kernel.hold_arrived(conn, 1, Segment::Hello);
            return false;
        }
        self.kernel.net.conns[conn.slot as usize].is_established = true;
        self.count(u64::from(from.0), 7, 0);
        self.give(from, Input::Connected(conn));
        true
    }

    /// The end of the direction that starts at `side` arrives at the other end.
    fn end(&mut self, conn: ConnId, side: usize) -> bool {
        if self.kernel.net.get(conn).is_none() {
            return false;
        }
        let c = &self.kernel.net.conns[conn.slot as usize];
        let (to, is_open) = (c.ends[1 - side], c.is_open[1 - side]);
        if self.kernel.is_missed(c, side) {
            self.kernel.hold_arrived(conn, side, Segment::End);
            return false;
        }
        if !is_open || self.kernel.keeps_end(conn, side) {
            return false;
        }
        self.count(u64::from(to.0), 8, 0);
        self.ended(conn, side);
        true
    }

    /// The process at the other end learns that nothing more comes.
    pub(super) fn ended(&mut self, conn: ConnId, side: usize) {
        let to = self.kernel.net.conns[conn.slot as usize].ends[1 - side];
        self.kernel.net.close_side(conn, 1 - side);
        self.kernel.net.close_side(conn, side);
        self.give(to, Input::Closed(conn));
    }

    fn retransmit(&mut self, conn: ConnId, side: usize) -> bool {
        if self.kernel.net.get(conn).is_none() {
            return false;
        }
        let c = &self.kernel.net.conns[conn.slot as usize];
        let Some(held) = c.sides[side].held() else { return false };
        if self.kernel.is_blocked(c, side) {
            return false;
        }
        let arrives_last = self.kernel.agenda.last_of(&c.sides[side].lane);
        if held.was_under_way > 0
            && let Some(last) = arrives_last.filter(|&last| last > self.kernel.now)
        {
            // What is still under way was sent after what is missing, and before what was never sent.
            self.kernel.agenda.push(last, Event::Retransmit { conn, side: side as u8 });
            return false;
        }
        let held = self.kernel.net.conns[conn.slot as usize].sides[side].take_held();
        let is_awaited = held.as_ref().is_some_and(|held| held.is_awaited);
        for segment in held.into_iter().flat_map(|held| held.segments) {
            self.kernel.transmit(conn, side, segment);
        }
        // An orphan that has now sent its last bytes may be forgotten.
        if self.kernel.net.get(conn).is_some_and(|c| !c.is_open[side]) {
            self.kernel.net.close_side(conn, side);
        }
        is_awaited && self.writable(conn, side)
    }

    /// The sender's kernel has retransmitted for as long as it does.
    fn give_up(&mut self, conn: ConnId, side: usize, since: Time) -> bool {
        if self.kernel.net.get(conn).is_none() {
            return false;
        }
        let c = &self.kernel.net.conns[conn.slot as usize];
        if c.sides[side].held().is_none_or(|held| held.since != since) {
            return false;
        }
        if !self.kernel.is_silent(c, side) && !self.kernel.net.is_deaf(c.links[side]) {
            // A full buffer answers every probe: that can last for ever.
            return false;
        }
        let (node, was_open) = (c.ends[side], c.is_open[side]);
        drop(self.kernel.net.conns[conn.slot as usize].sides[side].take_held());
        self.kernel.forget_pause(conn, 1 - side);
        self.kernel.net.close_side(conn, side);
        if was_open {
            self.count(u64::from(node.0), 8, 1);
            self.give(node, Input::Closed(conn));
        }
        was_open
    }

    #[inline(always)]
    pub(super) fn count(&mut self, node: u64, kind: u64, id: u64) {
        self.kernel.events += 1;
        self.kernel.digest.add(self.kernel.now.0, (node << 8) | kind, id);
    }

    /// Hands an input to a process, or to its kernel while it stands still.
    pub(super) fn give(&mut self, node: NodeId, input: Input<M::Packet, M::Timer>) {
        match self.status(node) {
            Status::Up => self.hand(node, input),
            Status::Frozen => self.kernel.process(node).inbox.push_back((None, input)),
            Status::Down | Status::Off => {}
        }
    }

    /// Hands an input to a process that runs.
    #[inline(always)]
    pub(super) fn hand(&mut self, node: NodeId, input: Input<M::Packet, M::Timer>) {
        self.model.handle(node, input, &mut Ctx { kernel: &mut self.kernel, node });
    }
}

/// The primitives beneath all faults. Each acts at once; none of them asks a node, except [`Engine::stop`].
impl<M: Model> Engine<M> {
    /// Every node is given [`Input::Start`], in order.
    pub fn start_all(&mut self) {
        for node in 0..self.kernel.processes.len() as u16 {
            self.give(NodeId(node), Input::Start);
        }
    }

    /// The process ends at once; its kernel ends its connections after what was already written.
    pub fn kill(&mut self, node: NodeId) -> bool {
        let is_running = matches!(self.status(node), Status::Up | Status::Frozen);
        if is_running {
            self.kernel.end_process(node, Status::Down);
        }
        is_running
    }

    /// The machine goes dark: nobody is told, and what was not durable is gone.
    pub fn power_off(&mut self, node: NodeId) -> bool {
        if self.status(node) == Status::Off {
            return false;
        }
        for (conn, side) in self.kernel.net.of_node(node) {
            drop(self.kernel.net.conns[conn.slot as usize].sides[side].take_held());
            self.kernel.forget_pause(conn, 1 - side);
            self.kernel.net.close_side(conn, side);
        }
        self.kernel.empty_buffers(node);
        let process = self.kernel.process(node);
        process.status = Status::Off;
        process.incarnation += 1;
        process.inbox.clear();
        let now = self.kernel.now;
        self.kernel.disks[node.0 as usize].lose_power(now);
        self.model.storage_lost(node, Loss::Power, &mut Ctx { kernel: &mut self.kernel, node });
        true
    }

    /// Asks the process to stop.
    pub fn stop(&mut self, node: NodeId) -> bool {
        let is_up = self.status(node) == Status::Up;
        if is_up {
            self.give(node, Input::Stop);
        }
        is_up
    }

    /// The process stands still.
    pub fn freeze(&mut self, node: NodeId) -> bool {
        let is_up = self.status(node) == Status::Up;
        if is_up {
            self.kernel.process(node).status = Status::Frozen;
        }
        is_up
    }

    /// The process goes on, with everything that has arrived in the meantime.
    pub fn thaw(&mut self, node: NodeId) -> bool {
        if self.status(node) != Status::Frozen {
            return false;
        }
        self.kernel.process(node).status = Status::Up;
        self.kernel.empty_buffers(node);
        while self.status(node) == Status::Up
            && let Some((_, input)) = self.kernel.process(node).inbox.pop_front()
        {
            self.hand_thawed(node, input);
        }
        true
    }

    /// A process that is not running starts, on the disk it has.
    pub fn start(&mut self, node: NodeId) -> bool {
        if !matches!(self.status(node), Status::Down | Status::Off) {
            return false;
        }
        let was_off = self.status(node) == Status::Off;
        self.kernel.process(node).status = Status::Up;
        if was_off {
            self.kernel.retransmit_all();
        }
        self.give(node, Input::Start);
        true
    }

    /// All connections of the node are reset; the process lives on.
    pub fn disconnect(&mut self, node: NodeId) -> bool {
        let conns = self.kernel.net.of_node(node);
        for &(conn, side) in &conns {
            self.kernel.close(conn, side);
            self.give(node, Input::Closed(conn));
        }
        !conns.is_empty()
    }

    /// A condition spoils links until it is lifted.
    pub fn impose(&mut self, condition: Condition) -> ConditionId {
        self.kernel.net.impose(condition)
    }

    /// A condition ends; what waited for that goes at its next retransmission.
    pub fn lift(&mut self, condition: ConditionId) {
        self.kernel.net.lift(condition);
        self.kernel.retransmit_all();
    }

    /// All conditions end.
    pub fn lift_all(&mut self) {
        self.kernel.net.lift_all();
        self.kernel.retransmit_all();
    }

    /// A flush takes this many times as long from now on.
    pub fn slow_disk(&mut self, node: NodeId, factor: u32) {
        self.kernel.disks[node.0 as usize].set_slowness(factor);
    }

    /// The disk is replaced by an empty one; a process that runs is killed first.
    pub fn lose_disk(&mut self, node: NodeId) {
        self.kill(node);
        let now = self.kernel.now;
        self.kernel.disks[node.0 as usize].replace(now);
        self.model.storage_lost(node, Loss::Disk, &mut Ctx { kernel: &mut self.kernel, node });
    }

    /// The last bytes of a file are torn off; only while the process is down.
    pub fn tear_disk(&mut self, node: NodeId, file: FileId, bytes: u64) -> bool {
        let is_down = matches!(self.status(node), Status::Down | Status::Off);
        if is_down {
            self.kernel.disks[node.0 as usize].tear(file, bytes);
            self.model.storage_lost(node, Loss::Torn, &mut Ctx { kernel: &mut self.kernel, node });
        }
        is_down
    }

    /// The node's wall clock jumps by this many nanoseconds; timers do not notice.
    pub fn clock_jump(&mut self, node: NodeId, by: i64) {
        let process = self.kernel.process(node);
        process.wall_offset = process.wall_offset.saturating_add(by);
    }
}

impl<P: Clone, T: Clone, F> Kernel<P, T, F> {
    pub(super) fn start_connecting(&mut self, conn: ConnId, attempt: u8) {
        let now = self.now;
        let Some(c) = self.net.get(conn) else { return };
        let link = c.links[0];
        let at = self.net.arrival(now, link, 0);
        self.agenda.push(at, Event::Connect { conn, attempt });
    }

    pub(super) fn end_process(&mut self, node: NodeId, status: Status) {
        for (conn, side) in self.net.of_node(node) {
            self.close(conn, side);
        }
        self.empty_buffers(node);
        let process = self.process(node);
        process.status = status;
        process.incarnation += 1;
        process.inbox.clear();
    }
}
