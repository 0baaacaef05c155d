//! Erlang's distribution: one connection between every two nodes, on which all their processes speak, and ticks by
//! which each shows the other that it lives.
//!
//! A node that is killed is noticed at once, because its kernel closes the connection. Silence is noticed after
//! `net_ticktime`, give or take a quarter: a node looks four times in that time whether anything came.
//!
//! Source: <https://www.rabbitmq.com/docs/nettick>, Erlang's `net_kernel`.
//!
//! Not modelled: the buffer of a connection that is busy (what cannot be sent is held by the network).

use std::collections::VecDeque;

use crate::broker::rabbitmq::model::RabbitCtx;
use crate::broker::rabbitmq::packet::{Letter, Packet};
use crate::fact::NodeId;
use crate::sim::{ByConn, ConnId, Span, Time};

/// A peer that was silent for so many looks is down.
const SILENT_LOOKS_MAX: u8 = 4;
/// A connection is busy when more than so much was written to it in such a time: a socket's buffer. An estimate.
const BURST: Span = Span::from_millis(1);
const BURST_BYTES: u64 = 1 << 20;
/// A tick on the wire.
const TICK_BYTES: u32 = 4;

/// A node's connections to the others.
#[derive(Clone, Debug)]
pub(in super::super) struct Dist {
    id: u16,
    peers: Vec<Peer>,
    of_conn: ByConn<u16>,
}

/// The connection to one peer.
#[derive(Clone, Debug, Default)]
struct Peer {
    conn: Option<ConnId>,
    is_open: bool,
    /// This node opened it.
    is_own: bool,
    /// Written while it was being opened.
    waiting: VecDeque<(Box<Letter>, u32)>,
    was_heard: bool,
    silent_looks: u8,
    /// The bytes that were written since then.
    burst: (Time, u64),
}

impl Dist {
    pub(super) fn new(brokers: u16, id: u16) -> Self {
        Self { id, peers: vec![Peer::default(); brokers as usize], of_conn: ByConn::default() }
    }

    /// The process starts: it has no connections.
    pub(super) fn restart(&mut self) {
        self.peers.fill(Peer::default());
        self.of_conn.clear();
    }

    /// Sends so many bytes to a process of another node. Without a connection, and with none on its way, it vanishes.
    #[inline]
    pub(super) fn send(&mut self, to: u16, letter: Box<Letter>, bytes: u32, ctx: &mut RabbitCtx<'_>) {
        let peer = &mut self.peers[to as usize];
        let now = ctx.now();
        if peer.burst.0 + BURST < now {
            peer.burst = (now, 0);
        }
        peer.burst.1 += u64::from(bytes);
        match peer.conn {
            Some(conn) if peer.is_open => {
                ctx.send(conn, Packet::Dist(letter), bytes);
            }
            Some(_) => peer.waiting.push_back((letter, bytes)),
            None => {}
        }
    }

    /// Whether so much was written to this peer a moment ago that the next write would have to wait.
    pub(super) fn is_busy(&self, peer: u16, now: Time) -> bool {
        let (since, bytes) = self.peers[peer as usize].burst;
        since + BURST >= now && bytes > BURST_BYTES
    }

    /// Something came on a connection: from whom.
    #[inline]
    pub(super) fn heard(&mut self, conn: ConnId) -> Option<u16> {
        let peer = *self.of_conn.get_mut(conn)?;
        self.peers[peer as usize].was_heard = true;
        Some(peer)
    }

    /// Whether the connection to this peer is open.
    pub(in super::super) fn is_open(&self, peer: u16) -> bool {
        self.peers[peer as usize].is_open
    }

    /// Begins to connect, unless there is a connection or an attempt.
    pub(super) fn dial(&mut self, to: u16, ctx: &mut RabbitCtx<'_>) {
        let peer = &mut self.peers[to as usize];
        if to == self.id || peer.conn.is_some() {
            return;
        }
        let conn = ctx.connect(NodeId(to));
        *peer = Peer { conn: Some(conn), is_own: true, ..Peer::default() };
        self.of_conn.insert(conn, to);
    }

    /// An attempt succeeded: with whom.
    pub(super) fn connected(&mut self, conn: ConnId, ctx: &mut RabbitCtx<'_>) -> Option<u16> {
        let peer = *self.of_conn.get_mut(conn)?;
        self.opened(peer, ctx);
        Some(peer)
    }

    fn opened(&mut self, peer: u16, ctx: &mut RabbitCtx<'_>) {
        let peer = &mut self.peers[peer as usize];
        peer.is_open = true;
        peer.was_heard = true;
        let Some(conn) = peer.conn else { return };
        for (letter, bytes) in std::mem::take(&mut peer.waiting) {
            ctx.send(conn, Packet::Dist(letter), bytes);
        }
    }

    /// A peer connected. Of two connections that were opened at once, the one that the smaller number opened stays.
    /// Whether this one is used.
    pub(super) fn accepted(&mut self, conn: ConnId, from: u16, ctx: &mut RabbitCtx<'_>) -> bool {
        let id = self.id;
        let peer = &mut self.peers[from as usize];
        if let Some(own) = peer.conn {
            if peer.is_own && !peer.is_open && id < from {
                ctx.close(conn);
                return false;
            }
            // The peer began anew.
            self.of_conn.remove(own);
            ctx.close(own);
        }
        let waiting = std::mem::take(&mut peer.waiting);
        *peer = Peer { conn: Some(conn), waiting, ..Peer::default() };
        self.of_conn.insert(conn, from);
        self.opened(from, ctx);
        true
    }

    /// A connection is gone: to whom, and whether it had been open.
    pub(super) fn closed(&mut self, conn: ConnId) -> Option<(u16, bool)> {
        let peer = self.of_conn.remove(conn)?;
        let state = &mut self.peers[peer as usize];
        if state.conn != Some(conn) {
            return None;
        }
        let was_open = state.is_open;
        *state = Peer::default();
        Some((peer, was_open))
    }

    /// Gives a connection up.
    pub(super) fn drop_peer(&mut self, peer: u16, ctx: &mut RabbitCtx<'_>) {
        let state = std::mem::take(&mut self.peers[peer as usize]);
        if let Some(conn) = state.conn {
            self.of_conn.remove(conn);
            ctx.close(conn);
        }
    }

    /// A quarter of the tick time is over: shows the peers that this node lives, and says who was silent for too long.
    pub(super) fn tick(&mut self, ctx: &mut RabbitCtx<'_>) -> Vec<u16> {
        let mut silent = Vec::new();
        for (number, peer) in (0..).zip(&mut self.peers) {
            let (Some(conn), true) = (peer.conn, peer.is_open) else { continue };
            ctx.send(conn, Packet::Tick, TICK_BYTES);
            if std::mem::take(&mut peer.was_heard) {
                peer.silent_looks = 0;
            } else {
                peer.silent_looks += 1;
            }
            if peer.silent_looks >= SILENT_LOOKS_MAX {
                silent.push(number);
            }
        }
        silent
    }
}
