//! What can be seen of the network from outside: for pictures. It touches nothing, and nothing of it runs while events
//! are dispatched.

use std::collections::BTreeMap;

use super::dist::Dist;
use super::engine::Engine;
use super::kernel::{Event, Model};
use super::net::{self, Conn, ConnId, LinkEffect, NodeId};
use super::time::{Span, Time};

/// Something on its way from one node to another.
#[derive(Clone, Copy, Debug)]
pub struct UnderWay<'a, P> {
    /// Who sent it.
    pub from: NodeId,
    /// Whose it will be.
    pub to: NodeId,
    /// When.
    pub arrives: Time,
    /// How far it came, in thousandths. When it was sent is not kept, so this is what is left of the way, compared with
    /// how long the way usually takes.
    pub progress: u16,
    /// What it is.
    pub what: Frame<'a, P>,
}

/// What travels between two machines.
#[derive(Clone, Copy, Debug)]
pub enum Frame<'a, P> {
    /// A request to connect: `SYN`.
    Connect,
    /// The answer that the connection is taken: `SYN-ACK`.
    Accepted,
    /// The answer that nobody listens: `RST`.
    Refused,
    /// The end of a connection: `FIN`.
    End,
    /// What a process wrote.
    Packet(&'a P),
}

/// What joins two nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Join {
    /// A connection is open at both ends.
    pub is_connected: bool,
    /// Nothing arrives: from the first to the second, and back.
    pub is_cut: [bool; 2],
    /// Packets are delayed, dropped or doubled on purpose, in either direction.
    pub is_spoiled: bool,
    /// What waits to be retransmitted, at the first and at the second.
    pub held: [usize; 2],
}

impl<M: Model> Engine<M> {
    /// What joins nodes, the smaller one first: every pair that ever spoke, and every pair that a condition spoils.
    pub fn joins(&self) -> BTreeMap<[NodeId; 2], Join> {
        let net = &self.kernel.net;
        let mut joins: BTreeMap<[NodeId; 2], Join> =
            net.pairs().map(|pair| (pair, Join::default())).collect();
        for conn in net.conns.iter().filter(|conn| conn.is_there()) {
            let (pair, first) = pair(conn.ends[0], conn.ends[1]);
            let join = joins.entry(pair).or_default();
            join.is_connected |= conn.is_established && conn.is_open == [true; 2];
            for (side, state) in conn.sides.iter().enumerate() {
                join.held[first ^ side] += state.held().map_or(0, |held| held.segments.len());
            }
        }
        for (from, to, effect) in net.spoiled(self.kernel.processes.len() as u16) {
            let (pair, first) = pair(from, to);
            let join = joins.entry(pair).or_default();
            match effect {
                LinkEffect::Cut => join.is_cut[first] = true,
                _ => join.is_spoiled = true,
            }
        }
        for (conn, attempt, at) in self.attempts() {
            if attempt > 0 && !self.is_near(conn, 0, 0, at) {
                let (pair, first) = pair(conn.ends[0], conn.ends[1]);
                joins.entry(pair).or_default().held[first] += 1;
            }
        }
        joins
    }

    /// Everything that is under way, in the order of its arrival.
    pub fn under_way(&self) -> Vec<UnderWay<'_, M::Packet>> {
        let mut found = Vec::new();
        for (at, rank, event) in self.kernel.agenda.pending() {
            let known = |conn: ConnId| self.kernel.net.known(conn);
            let (conn, side, bytes, what) = match event {
                Event::Packet { conn, side, bytes, packet } => {
                    (known(*conn), usize::from(*side), *bytes, Frame::Packet(packet))
                }
                Event::Connect { conn, attempt } => {
                    let asks = |conn: &&Conn<_>| {
                        conn.waits_to_connect(*attempt) && (*attempt == 0 || self.is_near(conn, 0, 0, at))
                    };
                    (known(*conn).filter(asks), 0, 0, Frame::Connect)
                }
                Event::Refused { conn, .. } => (known(*conn), 1, 0, Frame::Refused),
                Event::Established { conn } => (known(*conn), 1, 0, Frame::Accepted),
                Event::End { conn, side } => {
                    let side = usize::from(*side);
                    (known(*conn).filter(|conn| conn.is_open[1 - side]), side, 0, Frame::End)
                }
                _ => continue,
            };
            if let Some(conn) = conn {
                let (from, to) = (conn.ends[side], conn.ends[1 - side]);
                let progress = self.progress(conn, side, bytes, at);
                found.push((at, rank, UnderWay { from, to, arrives: at, progress, what }));
            }
        }
        found.sort_unstable_by_key(|&(at, rank, _)| (at, rank));
        found.into_iter().map(|(.., one)| one).collect()
    }

    /// What a node's process will remind itself of, in no particular order.
    pub fn timers(&self, node: NodeId) -> impl Iterator<Item = &M::Timer> {
        let current = self.kernel.processes[node.0 as usize].incarnation;
        self.kernel.agenda.pending().filter_map(move |(.., event)| match event {
            Event::Timer { node: known, incarnation, timer } if *known == node && *incarnation == current => {
                Some(timer)
            }
            _ => None,
        })
    }

    /// How many inputs a process that stands still will find when it goes on.
    pub fn unread(&self, node: NodeId) -> usize {
        self.kernel.processes[node.0 as usize].inbox.len()
    }

    /// Connections that are asked for and not answered: with the number of the attempt, and when it arrives.
    fn attempts(&self) -> impl Iterator<Item = (&Conn<M::Packet>, u8, Time)> {
        self.kernel.agenda.pending().filter_map(|(at, _, event)| match event {
            Event::Connect { conn, attempt } => {
                let conn = self.kernel.net.known(*conn).filter(|conn| conn.waits_to_connect(*attempt))?;
                Some((conn, *attempt, at))
            }
            _ => None,
        })
    }

    /// Whether what arrives then is on its way already, if it takes as long as usual.
    fn is_near(&self, conn: &Conn<M::Packet>, side: usize, bytes: u32, at: Time) -> bool {
        at.since(self.kernel.now) <= self.kernel.net.usual(conn.links[side], bytes)
    }

    fn progress(&self, conn: &Conn<M::Packet>, side: usize, bytes: u32, at: Time) -> u16 {
        let (left, usual) = (at.since(self.kernel.now), self.kernel.net.usual(conn.links[side], bytes));
        if left >= usual {
            return if left == Span::ZERO { 1000 } else { 0 };
        }
        (u128::from(usual.0 - left.0) * 1000 / u128::from(usual.0)) as u16
    }
}

impl<P> Conn<P> {
    /// Somebody still has an end of it, or something still has to be sent.
    fn is_there(&self) -> bool {
        self.is_open != [false; 2] || self.sides.iter().any(|side| side.held().is_some())
    }

    /// Whether this attempt to connect asks for anything.
    fn waits_to_connect(&self, attempt: u8) -> bool {
        self.is_open[0] && !self.is_accepted && attempt <= net::CONNECT_RETRIES_MAX
    }
}

impl Dist {
    /// What a sample is about: the middle of them.
    pub fn usual(&self) -> Span {
        match *self {
            Self::Constant(span) | Self::Exponential(span) | Self::LogNormal(span, _) => span,
            Self::Uniform(low, high) => low + (high - low).half(),
        }
    }
}

/// The two nodes, the smaller first, and which of them `from` is.
fn pair(from: NodeId, to: NodeId) -> ([NodeId; 2], usize) {
    if from < to { ([from, to], 0) } else { ([to, from], 1) }
}
