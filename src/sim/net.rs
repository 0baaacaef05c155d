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
use std::num::NonZeroU32;

use super::agenda::Lane;
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
/// A process can write this much that the other end's kernel does not take, then its next write blocks. Linux begins
/// with it (ten segments and what keeps them) and grows it only while a connection gets on.
pub(super) const SEND_BUFFER_BYTES: u64 = 87_040;

/// A node of the world.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u16);

/// A connection between two nodes. An old id never means a newer connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnId {
    pub(super) slot: u32,
    pub(super) generation: NonZeroU32,
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
    Drop(Frames, Kind),
    /// Some frames arrive twice.
    Duplicate(Frames, Kind),
}

/// What a raw frame fault looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Every frame.
    All,
    /// Frames that ask for something ([`super::Model::is_request`]), not answers.
    Requests,
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
    links: Vec<Link>,
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

/// One direction between two nodes; small and aligned, because every event touches one.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Link {
    jitter: Bits,
    busy_until: Time,
    from: NodeId,
    to: NodeId,
    /// What the conditions in force make of it; none: the fast path.
    spoiled: Option<Box<Spoiled>>,
}

#[derive(Clone, Debug, Default)]
struct Spoiled {
    is_cut: bool,
    /// The other direction is cut: acknowledgements do not come back.
    is_deaf: bool,
    delays: Vec<Dist>,
    filters: Vec<ConditionId>,
}

/// One connection. Side 0 opened it. Small and aligned, because every event touches one.
#[derive(Clone, Debug)]
#[repr(align(64))]
pub(super) struct Conn<P> {
    pub(super) generation: NonZeroU32,
    pub(super) ends: [NodeId; 2],
    pub(super) links: [u32; 2],
    pub(super) sides: [Side<P>; 2],
    /// The process at that end still has the socket.
    pub(super) is_open: [bool; 2],
    /// The other machine has taken the connection.
    pub(super) is_accepted: bool,
    /// The node that opened it knows that.
    pub(super) is_established: bool,
}

/// The direction of a connection that starts at this end.
#[derive(Clone, Debug)]
pub(super) struct Side<P> {
    /// The segments that are under way.
    pub(super) lane: Lane,
    /// Whatever hinders what is sent from here; none: the fast path.
    pub(super) trouble: Option<Box<Trouble<P>>>,
}

/// What hinders a direction.
#[derive(Clone, Debug)]
pub(super) struct Trouble<P> {
    /// Since when something sent from here was never acknowledged, because the way back is cut.
    pub(super) unacknowledged_since: Time,
    /// Bytes that arrived at the other end and wait for a frozen process.
    pub(super) unread_bytes: u64,
    /// What waits here to be retransmitted.
    pub(super) held: Option<Held<P>>,
    /// The process at the other end does not read this connection, although it runs.
    pub(super) pause: Option<Pause<P>>,
}

/// What waits for a process that does not read, in its kernel.
#[derive(Clone, Debug)]
pub(super) struct Pause<P> {
    pub(super) segments: VecDeque<Segment<P>>,
    pub(super) bytes: u64,
    /// It reads again, as soon as it is done with what it does at this instant.
    pub(super) is_over: bool,
}

/// What waits at a sender because it cannot arrive.
#[derive(Clone, Debug)]
pub(super) struct Held<P> {
    pub(super) since: Time,
    pub(super) segments: VecDeque<Segment<P>>,
    /// The bytes of all of them.
    pub(super) bytes: u64,
    /// A process waits until it can write again.
    pub(super) is_awaited: bool,
    /// How many of them, at the front, were under way when the trouble began: they were sent before the rest.
    pub(super) was_under_way: usize,
}

/// What travels on a connection.
#[derive(Clone, Debug)]
pub(super) enum Segment<P> {
    /// The connection is accepted.
    Hello,
    Packet(P, u32),
    End,
}

impl<P> Segment<P> {
    /// The bytes of what a process wrote.
    pub(super) fn bytes(&self) -> u32 {
        if let Self::Packet(_, bytes) = self { *bytes } else { 0 }
    }
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
        let new = Conn {
            generation: NonZeroU32::MIN,
            ends: [from, to],
            links: [self.link(from, to), self.link(to, from)],
            sides: [Side::new(), Side::new()],
            is_open: [true, false],
            is_accepted: false,
            is_established: false,
        };
        if let Some(slot) = self.free.pop() {
            let old = &mut self.conns[slot as usize];
            let generation = old.generation;
            *old = Conn { generation, ..new };
            return ConnId { slot, generation };
        }
        self.conns.push(new);
        ConnId { slot: self.conns.len() as u32 - 1, generation: NonZeroU32::MIN }
    }

    #[inline]
    pub(super) fn get(&mut self, id: ConnId) -> Option<&mut Conn<P>> {
        self.conns.get_mut(id.slot as usize).filter(|conn| conn.generation == id.generation)
    }

    /// The connection of that id, if there still is one.
    pub(super) fn known(&self, id: ConnId) -> Option<&Conn<P>> {
        self.conns.get(id.slot as usize).filter(|conn| conn.generation == id.generation)
    }

    /// Every two nodes that ever spoke, the smaller first.
    pub(super) fn pairs(&self) -> impl Iterator<Item = [NodeId; 2]> {
        self.link_of.keys().filter(|(from, to)| from < to).map(|&(from, to)| [from, to])
    }

    /// Every direction that a condition in force spoils, and how. `nodes` is how many there are.
    pub(super) fn spoiled(&self, nodes: u16) -> impl Iterator<Item = (NodeId, NodeId, LinkEffect)> {
        self.conditions.values().flat_map(move |active| {
            let Condition { from, to, both_ways, effect } = &active.condition;
            let all = (0..nodes).map(NodeId).filter(|node| match to {
                Some(to) => to.contains(node),
                None => !from.contains(node),
            });
            let all: Vec<_> = all.collect();
            let mut hit = Vec::new();
            for &from in from {
                for &to in all.iter().filter(|&&to| to != from) {
                    hit.push((from, to, *effect));
                    if *both_ways {
                        hit.push((to, from, *effect));
                    }
                }
            }
            hit
        })
    }

    /// How long a frame of this size takes on this link as a rule, delays included.
    pub(super) fn usual(&self, link: u32, bytes: u32) -> Span {
        let spoiled = self.links[link as usize].spoiled.as_ref();
        let delays = spoiled.map_or(&[][..], |spoiled| &spoiled.delays);
        let takes = delays.iter().fold(self.config.latency.usual(), |sum, delay| sum + delay.usual());
        self.config.bandwidth.map_or(takes, |bandwidth| takes + wire(bytes, bandwidth))
    }

    /// Closes one side; with both closed, and nothing left to send, the id dies.
    pub(super) fn close_side(&mut self, id: ConnId, side: usize) {
        let Some(conn) = self.get(id) else { return };
        conn.is_open[side] = false;
        if conn.is_open == [false; 2] && conn.sides.iter().all(|side| side.held().is_none()) {
            conn.generation = conn.generation.checked_add(1).unwrap_or(NonZeroU32::MIN);
            conn.sides = [Side::new(), Side::new()];
            self.free.push(id.slot);
        }
    }

    /// All connections that this node has an open end of: id and side.
    pub(super) fn of_node(&self, node: NodeId) -> Vec<(ConnId, usize)> {
        let mut found = Vec::new();
        for (slot, conn) in self.conns.iter().enumerate() {
            for side in 0..2 {
                if conn.ends[side] == node && conn.is_open[side] {
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
                if let Some(held) = state.held() {
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
            for (side, &link) in conn.sides.iter_mut().zip(&conn.links) {
                if !self.links[link as usize].spoiled.as_ref().is_some_and(|spoiled| spoiled.is_deaf)
                    && let Some(trouble) = &mut side.trouble
                {
                    trouble.unacknowledged_since = Time::NEVER;
                    side.settle();
                }
            }
        }
    }

    /// No condition is in force: every link is plain.
    #[inline]
    pub(super) fn is_calm(&self) -> bool {
        self.conditions.is_empty()
    }

    /// Nothing special is going on here: the fast path.
    #[inline]
    pub(super) fn is_plain(&self, link: u32) -> bool {
        self.links[link as usize].spoiled.is_none()
    }

    /// Nothing that is sent here arrives.
    pub(super) fn is_cut(&self, link: u32) -> bool {
        self.links[link as usize].spoiled.as_ref().is_some_and(|spoiled| spoiled.is_cut)
    }

    /// What is sent here arrives, but is never acknowledged.
    pub(super) fn is_deaf(&self, link: u32) -> bool {
        self.links[link as usize].spoiled.as_ref().is_some_and(|spoiled| spoiled.is_deaf)
    }

    /// All conditions are lifted.
    pub(super) fn lift_all(&mut self) {
        let ids: Vec<_> = self.conditions.keys().copied().collect();
        for id in ids {
            self.lift(id);
        }
    }

    /// When a frame of this size sent now on this link arrives, if the link is not cut.
    #[inline(always)]
    pub(super) fn arrival(&mut self, now: Time, link: u32, bytes: u32) -> Time {
        let link = &mut self.links[link as usize];
        let mut takes = self.config.latency.sample(draw::next(&mut link.jitter));
        if let Some(spoiled) = &link.spoiled {
            for delay in &spoiled.delays {
                takes = takes + delay.sample(draw::next(&mut link.jitter));
            }
        }
        let Some(bandwidth) = self.config.bandwidth else { return now + takes };
        link.busy_until = link.busy_until.max(now) + wire(bytes, bandwidth);
        link.busy_until + takes
    }

    /// How many times a frame sent now on this link arrives: once, unless a raw frame fault hits it.
    pub(super) fn copies(&mut self, link: u32, is_request: bool) -> u32 {
        let Some(spoiled) = &self.links[link as usize].spoiled else { return 1 };
        let mut copies = 1;
        for id in &spoiled.filters {
            let Some(active) = self.conditions.get_mut(id) else { continue };
            let (LinkEffect::Drop(frames, kind) | LinkEffect::Duplicate(frames, kind)) =
                active.condition.effect
            else {
                continue;
            };
            if kind == Kind::Requests && !is_request {
                continue;
            }
            active.seen += 1;
            let is_hit = match frames {
                Frames::Rate(ppm) => draw::below(draw::next(&mut active.chance), 1_000_000) < u64::from(ppm),
                Frames::Nth(nth) => active.seen == nth,
            };
            if is_hit {
                copies = if matches!(active.condition.effect, LinkEffect::Drop(..)) { 0 } else { copies * 2 };
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
            jitter: draw::stream(self.seed, Purpose::Link, u64::from(from.0), u64::from(to.0)),
            busy_until: Time::ZERO,
            from,
            to,
            spoiled: None,
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
        let mut spoiled = Spoiled::default();
        let mut is_spoiled = false;
        for (&id, active) in &self.conditions {
            let is_hit = active.condition.hits(from, to);
            let is_deaf = active.condition.effect == LinkEffect::Cut && active.condition.hits(to, from);
            is_spoiled |= is_hit || is_deaf;
            spoiled.is_deaf |= is_deaf;
            match active.condition.effect {
                LinkEffect::Cut => spoiled.is_cut |= is_hit,
                LinkEffect::Delay(by) if is_hit => spoiled.delays.push(by),
                LinkEffect::Drop(..) | LinkEffect::Duplicate(..) if is_hit => spoiled.filters.push(id),
                _ => {}
            }
        }
        self.links[link].spoiled = is_spoiled.then(|| Box::new(spoiled));
    }
}

/// How long a frame keeps a link busy.
#[inline]
fn wire(bytes: u32, bandwidth: u64) -> Span {
    Span((u128::from(bytes) * 1_000_000_000 / u128::from(bandwidth.max(1))) as u64)
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
    fn new() -> Self {
        Self { lane: Lane::default(), trouble: None }
    }

    pub(super) fn trouble(&mut self) -> &mut Trouble<P> {
        self.trouble.get_or_insert_with(|| {
            let unacknowledged_since = Time::NEVER;
            Box::new(Trouble { unacknowledged_since, unread_bytes: 0, held: None, pause: None })
        })
    }

    pub(super) fn held(&self) -> Option<&Held<P>> {
        self.trouble.as_ref().and_then(|trouble| trouble.held.as_ref())
    }

    /// Takes what waits, to send it again.
    pub(super) fn take_held(&mut self) -> Option<Held<P>> {
        let held = self.trouble.as_mut().and_then(|trouble| trouble.held.take());
        self.settle();
        held
    }

    /// The process at the other end has read, or will never read, what waited for it. Whether that freed a full
    /// buffer.
    pub(super) fn forget_unread(&mut self) -> bool {
        let Some(trouble) = &mut self.trouble else { return false };
        let was_full = trouble.is_unread();
        trouble.unread_bytes = 0;
        let is_free = was_full && !trouble.is_unread();
        self.settle();
        is_free
    }

    /// Back to the fast path if nothing hinders any more.
    pub(super) fn settle(&mut self) {
        if let Some(trouble) = &self.trouble
            && trouble.held.is_none()
            && trouble.pause.is_none()
            && trouble.unread_bytes == 0
            && trouble.unacknowledged_since == Time::NEVER
        {
            self.trouble = None;
        }
    }
}

impl<P> Trouble<P> {
    /// The receive buffer at the other end is full.
    pub(super) fn is_unread(&self) -> bool {
        let paused_bytes = self.pause.as_ref().map_or(0, |pause| pause.bytes);
        self.unread_bytes + paused_bytes > RECEIVE_BUFFER_BYTES
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
