//! A process that runs and does not read a connection: what arrives waits in its kernel's receive buffer, and once
//! that is full at the sender, who is told nothing but that there is no room. And a process that asks whether a write
//! would block.
//!
//! The end of a connection that is not read waits behind what was sent before it. A reset does not: a process that
//! writes to a connection that its peer has closed hears of it.

use std::collections::VecDeque;

use super::engine::Engine;
use super::kernel::{Ctx, Event, Input, Kernel, Model, Status};
use super::net::{ConnId, NodeId, Pause, SEND_BUFFER_BYTES, Segment, Side};

impl<M: Model> Ctx<'_, M> {
    /// Stops to read a connection, until [`Ctx::resume_reading`].
    pub fn pause_reading(&mut self, conn: ConnId) {
        let node = self.node;
        let Some(c) = self.kernel.net.get(conn) else { return };
        let side = usize::from(c.ends[0] == node);
        if c.is_open[1 - side] {
            let new = || Pause { segments: VecDeque::new(), bytes: 0, is_over: false };
            c.sides[side].trouble().pause.get_or_insert_with(new).is_over = false;
        }
    }

    /// Reads a connection again: what waits is handed over at this instant, after what happens already.
    pub fn resume_reading(&mut self, conn: ConnId) {
        let node = self.node;
        let Some(c) = self.kernel.net.get(conn) else { return };
        let side = usize::from(c.ends[0] == node);
        let Some(pause) = c.sides[side].pause().filter(|pause| !pause.is_over) else { return };
        pause.is_over = true;
        if pause.segments.is_empty() {
            self.kernel.forget_pause(conn, side);
        } else {
            let now = self.kernel.now;
            self.kernel.agenda.push(now, Event::Readable { conn, side: side as u8 });
        }
    }

    /// Whether a write to a connection would not block. After a no there will be an [`Input::Writable`], or the
    /// connection ends.
    pub fn is_writable(&mut self, conn: ConnId) -> bool {
        let node = self.node;
        let Some(c) = self.kernel.net.get(conn) else { return true };
        let side = usize::from(c.ends[0] != node);
        let Some(trouble) = &mut c.sides[side].trouble else { return true };
        let Some(held) = trouble.held.as_mut().filter(|held| held.bytes > SEND_BUFFER_BYTES) else {
            return true;
        };
        held.is_awaited = true;
        false
    }
}

impl<M: Model> Engine<M> {
    /// What waited for a process that did not read is handed over, until it stops to read again.
    pub(super) fn readable(&mut self, conn: ConnId, side: usize) -> bool {
        let Some(c) = self.kernel.net.get(conn) else { return false };
        let to = c.ends[1 - side];
        let was_full = c.sides[side].trouble.as_ref().is_some_and(|trouble| trouble.is_unread());
        let mut count = 0;
        while let Some(segment) = self.kernel.next_unread(conn, side) {
            count += 1;
            match segment {
                Segment::Packet(packet, bytes) => {
                    if self.status(to) == Status::Frozen {
                        let c = &mut self.kernel.net.conns[conn.slot as usize];
                        c.sides[side].trouble().unread_bytes += u64::from(bytes);
                    }
                    self.give(to, Input::Packet(conn, packet));
                }
                Segment::End | Segment::Hello => {
                    self.ended(conn, side);
                    break;
                }
            }
        }
        if self.kernel.net.get(conn).is_some() {
            let c = &self.kernel.net.conns[conn.slot as usize];
            if was_full && !c.sides[side].trouble.as_ref().is_some_and(|trouble| trouble.is_unread()) {
                self.kernel.window_opens(conn, side);
            }
        }
        if count > 0 {
            self.count(u64::from(to.0), 10, count);
        }
        count > 0
    }

    /// What waited at a sender is on its way, and a process waited for that: whether it is told.
    pub(super) fn writable(&mut self, conn: ConnId, side: usize) -> bool {
        let Some(c) = self.kernel.net.get(conn) else { return false };
        let (node, is_open) = (c.ends[side], c.is_open[side]);
        let trouble = c.sides[side].trouble.as_mut();
        if let Some(held) = trouble.and_then(|trouble| trouble.held.as_mut()) {
            held.is_awaited = true;
            return false;
        }
        if is_open {
            self.count(u64::from(node.0), 11, 0);
            self.give(node, Input::Writable(conn));
        }
        is_open
    }

    /// Hands a process that goes on what it finds; what it does not read waits on.
    pub(super) fn hand_thawed(&mut self, node: NodeId, input: Input<M::Packet, M::Timer>) {
        if let Input::Packet(conn, packet) = input {
            let side = self.kernel.net.get(conn).map(|c| usize::from(c.ends[0] == node));
            if let Some(side) = side.filter(|&side| self.kernel.is_paused(conn, side)) {
                // It is in the process's memory, not in a buffer.
                return self.kernel.keep_unread(conn, side, Segment::Packet(packet, 0));
            }
            return self.hand(node, Input::Packet(conn, packet));
        }
        self.hand(node, input);
    }
}

impl<P: Clone, T: Clone, F> Kernel<P, T, F> {
    /// Whether the process at the other end of this direction does not read it.
    pub(super) fn is_paused(&mut self, conn: ConnId, side: usize) -> bool {
        self.net.get(conn).is_some_and(|c| c.sides[side].pause().is_some())
    }

    /// A segment arrived that is not read now.
    pub(super) fn keep_unread(&mut self, conn: ConnId, side: usize, segment: Segment<P>) {
        if let Some(pause) = self.net.get(conn).and_then(|c| c.sides[side].pause()) {
            pause.bytes += u64::from(segment.bytes());
            pause.segments.push_back(segment);
        }
    }

    /// Whether an end that arrived waits behind what is not read. A second one is a reset, and waits for nothing.
    pub(super) fn keeps_end(&mut self, conn: ConnId, side: usize) -> bool {
        let Some(pause) = self.net.get(conn).and_then(|c| c.sides[side].pause()) else { return false };
        let is_first = !matches!(pause.segments.back(), Some(Segment::End));
        if is_first {
            pause.segments.push_back(Segment::End);
        }
        is_first
    }

    /// The next segment of a connection that is read again. After the last one nothing hinders it any more.
    fn next_unread(&mut self, conn: ConnId, side: usize) -> Option<Segment<P>> {
        let direction = &mut self.net.get(conn)?.sides[side];
        let pause = direction.pause().filter(|pause| pause.is_over)?;
        let Some(segment) = pause.segments.pop_front() else {
            if let Some(trouble) = &mut direction.trouble {
                trouble.pause = None;
            }
            direction.settle();
            return None;
        };
        pause.bytes -= u64::from(segment.bytes());
        Some(segment)
    }

    /// Nobody will read what waits here: it is gone, and its sender has room again.
    pub(super) fn forget_pause(&mut self, conn: ConnId, side: usize) {
        let Some(direction) = self.net.get(conn).map(|c| &mut c.sides[side]) else { return };
        let Some(trouble) = &mut direction.trouble else { return };
        let was_full = trouble.is_unread();
        if trouble.pause.take().is_none() {
            return;
        }
        let is_free = was_full && !trouble.is_unread();
        direction.settle();
        if is_free {
            self.window_opens(conn, side);
        }
    }
}

impl<P> Side<P> {
    fn pause(&mut self) -> Option<&mut Pause<P>> {
        self.trouble.as_mut().and_then(|trouble| trouble.pause.as_mut())
    }
}
