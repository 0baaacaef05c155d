//! Connections as TCP makes them, over links that faults can spoil.
//!
//! A connection is FIFO in each direction. What a process had written when it was killed still arrives, then its peer
//! sees the end. While a link is cut, bytes wait at the sender and are retransmitted after 200 ms, doubling; a heal
//! delivers them, in order, at the next retransmission. After about 15 minutes of that the sender gives the connection
//! up. A raw frame drop or duplicate is something TCP would not let happen; it exists because people ask for it.
//!
//! Not modelled: congestion windows (except that a direction whose acknowledgements are cut off stops after one
//! retransmission time-out), packet sizes below a frame, name resolution, TLS.

use std::collections::{BTreeMap, VecDeque};

use super::dist::Dist;
use super::draw::{self, Bits, Purpose};
use super::time::{Span, Time};

/// The first retransmission comes after this, the next after twice as long, and so on.
pub(super) const RETRANSMIT_FIRST: Span = Span::from_millis(200);
const RETRANSMIT_MAX: Span = Span::from_secs(120);
/// Linux gives a connection up after 15 retransmissions: 924.6 s.
pub(super) const RETRANSMIT_GIVE_UP: Span = Span::from_millis(924_600);
/// The first attempt to connect is repeated after this, the next after twice as long.
pub(super) const CONNECT_RETRY: Span = Span::from_secs(1);
/// Six repetitions (`tcp_syn_retries`), then the attempt has timed out after 127 s.
pub(super) const CONNECT_RETRIES_MAX: u8 = 6;
/// A process that reads nothing is sent at most this much on a connection.
pub(super) const RECEIVE_BUFFER_BYTES: u64 = 6 << 20;

/// A node of the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u16);

/// A connection between two nodes. An old id never means a newer connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

/// What the links have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LinkConfig {
    /// One-way latency.
    pub latency: Dist,
    /// Bytes a second; none: unlimited.
    pub bandwidth: Option<u64>,
}

/// Something that spoils links, until it is lifted.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Packets from these …
    pub from: Vec<NodeId>,
    /// … to these; none: to everybody else.
    pub to: Option<Vec<NodeId>>,
    /// Packets the other way too.
    pub both_ways: bool,
    /// What happens to them.
    pub effect: LinkEffect,
}

/// What a condition does to packets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LinkEffect {
    /// Nothing arrives.
    Cut,
    /// They take longer.
    Delay(Dist),
    /// Some frames vanish.
    Drop(Frames),
    /// Some frames arrive twice.
    Duplicate(Frames),
}

/// Which frames a raw frame fault hits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    /// Each with this chance, in parts per million.
    Rate(u32),
    /// The nth since the condition began, from 1.
    Nth(u32),
}

/// A condition in force, to lift it by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ConditionId(pub(super) u32);

/// All links and connections.
#[derive(Clone, Debug)]
pub(super) struct Net<P> {
    pub(super) conns: Vec<Conn<P>>,
    free: Vec<u32>,
    pub(super) links: Vec<Link>,
    link_of: BTreeMap<(NodeId, NodeId), u32>,
    conditions: BTreeMap<ConditionId, Active>,
    condition_next: u32,
    config: LinkConfig,
    seed: u64,
}

#[derive(Clone, Debug)]
struct Active {
    condition: Condition,
    seen: u32,
    chance: Bits,
}

/// One direction between two nodes.
#[derive(Clone, Debug)]
pub(super) struct Link {
    pub(super) from: NodeId,
    pub(super) to: NodeId,
    latency: Dist,
    jitter: Bits,
    bandwidth: Option<u64>,
    busy_until: Time,
    pub(super) is_cut: bool,
    /// The other direction is cut: acknowledgements do not come back.
    pub(super) is_deaf: bool,
    delays: Vec<Dist>,
    filters: Vec<ConditionId>,
    /// Nothing special is going on: the fast path.
    pub(super) is_plain: bool,
}

/// One connection. Side 0 opened it.
#[derive(Clone, Debug)]
pub(super) struct Conn<P> {
    pub(super) generation: u32,
    pub(super) ends: [NodeId; 2],
    pub(super) links: [u32; 2],
    pub(super) sides: [Side<P>; 2],
    pub(super) is_established: bool,
}

/// One end of a connection, and the direction that starts there.
#[derive(Clone, Debug)]
pub(super) struct Side<P> {
    /// The process at this end still has the socket.
    pub(super) is_open: bool,
    /// When the last segment sent from here arrives.
    pub(super) arrives_last: Time,
    /// Since when something sent from here was never acknowledged, because the way back is cut.
    pub(super) unacknowledged_since: Time,
    /// What waits here to be retransmitted.
    pub(super) held: Option<Box<Held<P>>>,
    /// Bytes that arrived at this end and wait for a frozen process.
    pub(super) unread_bytes: u64,
}

/// What waits at a sender because it cannot arrive.
#[derive(Clone, Debug)]
pub(super) struct Held<P> {
    pub(super) since: Time,
    pub(super) segments: VecDeque<Segment<P>>,
    /// How many of them, at the front, were under way when the trouble began: they were sent before the rest.
    pub(super) was_under_way: usize,
}

/// What travels on a connection.
#[derive(Clone, Debug)]
pub(super) enum Segment<P> {
    Packet(P, u32),
    End,
}

impl<P> Net<P> {
    pub(super) fn new(seed: u64, config: LinkConfig) -> Self {
        Self {
            conns: Vec::new(),
            free: Vec::new(),
            links: Vec::new(),
            link_of: BTreeMap::new(),
            conditions: BTreeMap::new(),
            condition_next: 0,
            config,
            seed,
        }
    }

    /// A new connection, not yet established.
    pub(super) fn open(&mut self, from: NodeId, to: NodeId) -> ConnId {
        let links = [self.link(from, to), self.link(to, from)];
        let sides = [Side::new(true), Side::new(false)];
        if let Some(slot) = self.free.pop() {
            let old = &mut self.conns[slot as usize];
            let generation = old.generation;
            *old = Conn { generation, ends: [from, to], links, sides, is_established: false };
            return ConnId { slot, generation };
        }
        self.conns.push(Conn { generation: 0, ends: [from, to], links, sides, is_established: false });
        ConnId { slot: self.conns.len() as u32 - 1, generation: 0 }
    }

    #[inline]
    pub(super) fn get(&mut self, id: ConnId) -> Option<&mut Conn<P>> {
        self.conns.get_mut(id.slot as usize).filter(|conn| conn.generation == id.generation)
    }

    /// Closes one side; with both closed the id dies.
    pub(super) fn close_side(&mut self, id: ConnId, side: usize) {
        let Some(conn) = self.get(id) else { return };
        conn.sides[side].is_open = false;
        let is_sending = conn.sides.iter().any(|side| side.held.is_some());
        if !conn.sides[0].is_open && !conn.sides[1].is_open && !is_sending {
            conn.generation = conn.generation.wrapping_add(1);
            self.free.push(id.slot);
        }
    }

    /// All connections that this node has an open end of: id and side.
    pub(super) fn of_node(&self, node: NodeId) -> Vec<(ConnId, usize)> {
        let mut found = Vec::new();
        for (slot, conn) in self.conns.iter().enumerate() {
            for side in 0..2 {
                if conn.ends[side] == node && conn.sides[side].is_open {
                    found.push((ConnId { slot: slot as u32, generation: conn.generation }, side));
                }
            }
        }
        found
    }

    /// All directions in which something waits to be retransmitted: id, side, since when.
    pub(super) fn held(&self) -> Vec<(ConnId, usize, Time)> {
        let mut found = Vec::new();
        for (slot, conn) in self.conns.iter().enumerate() {
            for (side, state) in conn.sides.iter().enumerate() {
                if let Some(held) = &state.held {
                    found.push((ConnId { slot: slot as u32, generation: conn.generation }, side, held.since));
                }
            }
        }
        found
    }

    /// A condition comes into force.
    pub(super) fn impose(&mut self, condition: Condition) -> ConditionId {
        let id = ConditionId(self.condition_next);
        self.condition_next += 1;
        let chance = draw::stream(self.seed, Purpose::Frame, u64::from(id.0), 0);
        self.conditions.insert(id, Active { condition, seen: 0, chance });
        self.derive_all();
        id
    }

    /// A condition is lifted.
    pub(super) fn lift(&mut self, id: ConditionId) {
        self.conditions.remove(&id);
        self.derive_all();
        for conn in &mut self.conns {
            for side in 0..2 {
                if !self.links[conn.links[side] as usize].is_deaf {
                    conn.sides[side].unacknowledged_since = Time::NEVER;
                }
            }
        }
    }

    /// All conditions are lifted.
    pub(super) fn lift_all(&mut self) {
        let ids: Vec<_> = self.conditions.keys().copied().collect();
        for id in ids {
            self.lift(id);
        }
    }

    /// When a frame of this size sent now on this link arrives, if the link is not cut.
    #[inline]
    pub(super) fn arrival(&mut self, now: Time, link: u32, bytes: u32) -> Time {
        let link = &mut self.links[link as usize];
        let mut takes = link.latency.sample(draw::next(&mut link.jitter));
        if !link.is_plain {
            for delay in &link.delays {
                takes = takes + delay.sample(draw::next(&mut link.jitter));
            }
        }
        let Some(bandwidth) = link.bandwidth else { return now + takes };
        let wire = Span((u128::from(bytes) * 1_000_000_000 / u128::from(bandwidth.max(1))) as u64);
        link.busy_until = link.busy_until.max(now) + wire;
        link.busy_until + takes
    }

    /// How many times a frame sent now on this link arrives: once, unless a raw frame fault hits it.
    pub(super) fn copies(&mut self, link: u32) -> u32 {
        let mut copies = 1;
        for id in &self.links[link as usize].filters {
            let Some(active) = self.conditions.get_mut(id) else { continue };
            let (LinkEffect::Drop(frames) | LinkEffect::Duplicate(frames)) = active.condition.effect else {
                continue;
            };
            active.seen += 1;
            let is_hit = match frames {
                Frames::Rate(ppm) => draw::below(draw::next(&mut active.chance), 1_000_000) < u64::from(ppm),
                Frames::Nth(nth) => active.seen == nth,
            };
            if is_hit {
                copies = if matches!(active.condition.effect, LinkEffect::Drop(_)) { 0 } else { copies * 2 };
            }
        }
        copies
    }

    fn link(&mut self, from: NodeId, to: NodeId) -> u32 {
        if let Some(&link) = self.link_of.get(&(from, to)) {
            return link;
        }
        let id = self.links.len() as u32;
        self.links.push(Link {
            from,
            to,
            latency: self.config.latency,
            jitter: draw::stream(self.seed, Purpose::Link, u64::from(from.0), u64::from(to.0)),
            bandwidth: self.config.bandwidth,
            busy_until: Time::ZERO,
            is_cut: false,
            is_deaf: false,
            delays: Vec::new(),
            filters: Vec::new(),
            is_plain: true,
        });
        self.link_of.insert((from, to), id);
        self.derive(id as usize);
        id
    }

    fn derive_all(&mut self) {
        for link in 0..self.links.len() {
            self.derive(link);
        }
    }

    /// What the conditions in force make of one link.
    fn derive(&mut self, link: usize) {
        let (from, to) = (self.links[link].from, self.links[link].to);
        let (mut is_cut, mut is_deaf) = (false, false);
        let (mut delays, mut filters) = (Vec::new(), Vec::new());
        for (&id, active) in &self.conditions {
            let is_hit = active.condition.hits(from, to);
            match active.condition.effect {
                LinkEffect::Cut => {
                    is_cut |= is_hit;
                    is_deaf |= active.condition.hits(to, from);
                }
                LinkEffect::Delay(by) if is_hit => delays.push(by),
                LinkEffect::Drop(_) | LinkEffect::Duplicate(_) if is_hit => filters.push(id),
                _ => {}
            }
        }
        let link = &mut self.links[link];
        link.is_plain = !is_cut && !is_deaf && delays.is_empty() && filters.is_empty();
        link.is_cut = is_cut;
        link.is_deaf = is_deaf;
        link.delays = delays;
        link.filters = filters;
    }
}

impl Condition {
    fn hits(&self, from: NodeId, to: NodeId) -> bool {
        let reaches = |a: NodeId, b: NodeId| {
            self.from.contains(&a) && self.to.as_ref().map_or(!self.from.contains(&b), |to| to.contains(&b))
        };
        reaches(from, to) || (self.both_ways && reaches(to, from))
    }
}

impl<P> Side<P> {
    fn new(is_open: bool) -> Self {
        Self {
            is_open,
            arrives_last: Time::ZERO,
            unacknowledged_since: Time::NEVER,
            held: None,
            unread_bytes: 0,
        }
    }
}

/// The first retransmission at or after `now` of something that was first sent at `since`.
pub(super) fn next_retransmission(since: Time, now: Time) -> Time {
    let mut step = RETRANSMIT_FIRST;
    let mut at = since + step;
    while at < now {
        step = (step * 2).min(RETRANSMIT_MAX);
        at += step;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retransmissions_double_from_200_ms_up_to_two_minutes() {
        let ms = |ms| Time::ZERO + Span::from_millis(ms);
        assert_eq!(next_retransmission(Time::ZERO, ms(1)), ms(200));
        assert_eq!(next_retransmission(Time::ZERO, ms(201)), ms(600));
        assert_eq!(next_retransmission(Time::ZERO, ms(601)), ms(1400));
        assert_eq!(next_retransmission(Time::ZERO, ms(200_000)), ms(204_600));
        assert_eq!(next_retransmission(Time::ZERO, ms(204_601)), ms(324_600));
    }

    #[test]
    fn a_cut_set_reaches_everybody_else_and_not_itself() {
        let nodes = |ids: &[u16]| ids.iter().copied().map(NodeId).collect::<Vec<_>>();
        let cut = Condition { from: nodes(&[0, 1]), to: None, both_ways: true, effect: LinkEffect::Cut };
        assert!(cut.hits(NodeId(0), NodeId(2)) && cut.hits(NodeId(2), NodeId(1)));
        assert!(!cut.hits(NodeId(0), NodeId(1)) && !cut.hits(NodeId(2), NodeId(3)));
    }
}
