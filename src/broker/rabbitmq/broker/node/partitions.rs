//! What a cluster whose metadata is in Mnesia does about partitions.
//!
//! - `ignore`: both sides go on with what they know, also after they meet again, until somebody restarts one of them.
//! - `autoheal`: when all meet again, one side wins: the one with the most client connections, then the one with the
//!   most nodes, then the one with the smallest number. The nodes of the others start again and join it, empty where
//!   they were mirrors.
//! - `pause_minority`: a node that sees no more than half of all nodes stops serving, looks every second, and starts
//!   again when it sees a majority.
//!   It counts whom it can reach: a machine that slept finds, when it wakes, that the others have closed their
//!   connections, reaches all of them again at once, and has no reason to pause.
//! - `pause_if_all_down`: the same of a node that sees none of some; when the sides meet again, as in one of the
//!   others.
//!
//! Two nodes that lost each other while a third sees both: [`super::partial`].
//!
//! Source: `rabbit_node_monitor`, `rabbit_autoheal`; <https://www.rabbitmq.com/docs/partitions>.

use std::collections::BTreeMap;

use super::super::{Broker, BrokerTimer};
use super::{Alarm, NodeMsg, Standing};
use crate::broker::rabbitmq::config::PartitionHandling;
use crate::broker::rabbitmq::model::{RabbitCtx, Shared, Timer};
use crate::broker::rabbitmq::rules::MetadataStore;
use crate::broker::rabbitmq::story::{self, Kind};
use crate::sim::Span;

/// How long the application takes to start again.
const RESTART: Span = Span::from_secs(2);

/// How long the process that starts the application of a paused node again has to do: queues recover. An estimate.
const RETURNS_FOR: Span = Span::from_secs(10);

/// What the node that decides has been told.
#[derive(Clone, Debug, Default)]
pub(super) struct Autoheal {
    /// By node: its clients, and whom it sees.
    told: BTreeMap<u16, (u32, Vec<u16>)>,
}

impl Broker {
    /// Pauses a node that sees too few others, and starts it again when it sees enough.
    pub(super) fn look_at_majority(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let standing = self.node.standing;
        // Who lost to the others comes back to them when its application starts again, whomever it sees.
        let has_lost = !self.node.joins_only.is_empty();
        if !matches!(standing, Standing::Running | Standing::Paused) || has_lost {
            return;
        }
        let id = self.core.id;
        // A node whose application starts, or pauses, is in sight: two that wait for each other would never end that.
        let is_seen = |node: u16| {
            node == id
                || self.core.dist.is_open(node)
                || standing == Standing::Running
                    && (self.core.meta.runs(node) || self.node.pings.contains(&node))
        };
        let sees_enough = match handling(shared) {
            Some(PartitionHandling::PauseMinority) => {
                let brokers = shared.topology.brokers;
                (0..brokers).filter(|&node| is_seen(node)).count() * 2 > brokers as usize
            }
            Some(PartitionHandling::PauseIfAllDown { nodes, .. }) => nodes.iter().any(|&node| is_seen(node)),
            _ => true,
        };
        if standing == Standing::Running && !sees_enough && self.overlooks(shared, ctx) {
            return;
        }
        self.node.is_overlooked = false;
        let sees_all = || self.peers().all(|peer| self.core.dist.is_open(peer));
        if standing == Standing::Running && !sees_enough {
            ctx.observe(story::fact(Kind::Paused, u32::from(id), [1, 0]));
            self.pause(shared, ctx);
        } else if standing == Standing::Paused && sees_enough && (!self.node.awaits_all || sees_all()) {
            self.node.awaits_all = false;
            ctx.observe(story::fact(Kind::Paused, u32::from(id), [0, 0]));
            self.node.returns_until = ctx.now() + RETURNS_FOR;
            self.boot(shared, ctx);
        }
    }

    /// Bug: a process outside the application stops it and starts it again. While it is at that, nobody stops the
    /// application a second time: the node runs on with whom it sees, and looks for nobody.
    fn overlooks(&mut self, shared: &Shared, ctx: &mut RabbitCtx<'_>) -> bool {
        let is_returning = ctx.now() < self.node.returns_until;
        if !self.node.is_overlooked && shared.topology.rules.pauses_only_once && is_returning {
            self.node.is_overlooked = true;
            ctx.observe(story::fact(Kind::Overlooked, u32::from(self.core.id), [0, 0]));
        }
        self.node.is_overlooked
    }

    /// The application stops; the node looks on.
    pub(super) fn pause(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        self.close_application(shared, ctx);
        self.node.standing = Standing::Paused;
        self.forget_processes();
    }

    /// The application does not run: mirrors and leaders of this node are what its disk has.
    fn forget_processes(&mut self) {
        self.core.mailbox.clear();
    }

    /// A peer ran on while this node took it for down, or the other way round.
    pub(super) fn partitioned_from(&mut self, peer: u16, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        if handling(shared).is_none() {
            // Metadata by majority: nothing to decide, the peer is simply there again.
            let incarnation = self.node.known[peer as usize].unwrap_or_default();
            return self.peer_up(peer, incarnation, shared, ctx);
        }
        if self.core.meta.runs(peer) {
            self.node_down(peer, false, shared, ctx);
        }
        if !self.node.partitions.contains(&peer) {
            self.node.partitions.push(peer);
            self.node.partitions.sort_unstable();
            let id = u32::from(self.core.id);
            ctx.observe(story::fact(Kind::Partitioned, id, [u64::from(peer), 0]));
        }
        let heals = match handling(shared) {
            Some(PartitionHandling::Autoheal) => true,
            Some(PartitionHandling::PauseIfAllDown { autoheals, .. }) => *autoheals,
            _ => false,
        };
        // The smallest number decides, when it sees all others.
        if heals && self.core.id == 0 && self.peers().all(|other| self.core.dist.is_open(other)) {
            self.node.autoheal.told.clear();
            let own = (self.connections(), self.sees());
            self.node.autoheal.told.insert(0, own);
            for other in self.peers() {
                self.tell_node(other, NodeMsg::AutohealAsk, shared, ctx);
            }
        } else if heals && self.core.id != 0 {
            // It may have seen this peer before the one that decides did.
            let (connections, sees) = (self.connections(), self.sees());
            self.tell_node(0, NodeMsg::AutohealState { connections, sees }, shared, ctx);
        }
    }

    fn connections(&self) -> u32 {
        self.channels().count() as u32
    }

    /// Its side of the partition.
    fn sees(&self) -> Vec<u16> {
        (0..self.core.meta.running.len() as u16).filter(|&node| self.core.meta.runs(node)).collect()
    }

    pub(super) fn autoheal_asked(&mut self, peer: u16, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let (connections, sees) = (self.connections(), self.sees());
        self.tell_node(peer, NodeMsg::AutohealState { connections, sees }, shared, ctx);
    }

    /// A node says how it is; when all have, the winner is known.
    pub(super) fn autoheal_told(
        &mut self,
        peer: u16,
        connections: u32,
        sees: Vec<u16>,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        if self.node.standing != Standing::Running || self.node.partitions.is_empty() {
            return;
        }
        self.node.autoheal.told.insert(peer, (connections, sees));
        let own = (self.connections(), self.sees());
        self.node.autoheal.told.insert(self.core.id, own);
        if self.node.autoheal.told.len() < shared.topology.brokers as usize {
            return;
        }
        let told = std::mem::take(&mut self.node.autoheal.told);
        let mut sides: Vec<Vec<u16>> = told.values().map(|(_, sees)| sees.clone()).collect();
        sides.sort_unstable();
        sides.dedup();
        let clients = |side: &Vec<u16>| {
            side.iter().filter_map(|node| told.get(node)).map(|(connections, _)| connections).sum::<u32>()
        };
        // The first of equals wins, so the list is gone through from its end.
        let winner = sides.iter().rev().max_by_key(|side| (clients(side), side.len()));
        let Some(winner) = winner.cloned() else { return };
        ctx.observe(story::fact(Kind::Healed, u32::from(winner[0]), [u64::from(clients(&winner)), 0]));
        for &node in told.keys() {
            if !winner.contains(&node) && node != self.core.id {
                let winners = winner.clone();
                self.tell_node(node, NodeMsg::AutohealRestart { winners }, shared, ctx);
            }
        }
        if winner.contains(&self.core.id) {
            self.node.partitions.clear();
        } else {
            self.autoheal_lost(winner, shared, ctx);
        }
    }

    /// This node lost: its application stops, and starts again beside the winners.
    pub(super) fn autoheal_lost(&mut self, winners: Vec<u16>, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        if self.node.standing != Standing::Running {
            return;
        }
        ctx.observe(story::fact(Kind::Healed, u32::from(self.core.id), [u64::MAX, 0]));
        self.close_application(shared, ctx);
        self.node.standing = Standing::Paused;
        self.forget_processes();
        self.node.joins_only = winners;
        ctx.timer(RESTART, Timer::Broker(BrokerTimer::Node(Alarm::Restart)));
    }
}

/// Whether nodes count whom they see.
pub(super) fn counts(shared: &Shared) -> bool {
    let handling = handling(shared);
    matches!(handling, Some(PartitionHandling::PauseMinority | PartitionHandling::PauseIfAllDown { .. }))
}

/// How nodes of this cluster handle partitions; none: its metadata is not in Mnesia.
pub(super) fn handling(shared: &Shared) -> Option<&PartitionHandling> {
    let is_mnesia = shared.topology.rules.metadata == MetadataStore::Mnesia;
    is_mnesia.then_some(&shared.topology.config.partition_handling)
}
