//! What there is one of on a node: who runs, how it starts and stops, what it does about partitions, its alarms, and
//! the table of delayed messages.
//!
//! Source: `rabbit_node_monitor`, `rabbit_mnesia`, `rabbit_alarm`; <https://www.rabbitmq.com/docs/clustering>,
//! <https://www.rabbitmq.com/docs/partitions>.

mod alarms;
mod boot;
mod delayed;
mod detector;
mod monitor;
mod partial;
mod partitions;
mod records;

pub(in super::super) use delayed::{Delayed, delays};
pub(super) use records::{announce_leader, declare, owner_gone, queue_ended, stream_led};

use super::meta::QueueRecord;
use super::{Broker, Env};
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::error::Error;
use crate::broker::rabbitmq::message::{Msg, Pid, Proc, QueueEnd};
use crate::broker::rabbitmq::model::{RabbitCtx, Shared};
use crate::broker::rabbitmq::story::{self, Kind};
use crate::broker::rabbitmq::topology::{QueueId, Topology};
use crate::fact::NodeId;
use crate::sim::{FileId, Loss, Time};
use partial::PartialMsg;
use partitions::Autoheal;

/// How far a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Standing {
    /// It starts, and waits for peers that know more than it does.
    Booting,
    Running,
    /// It sees too few others and serves nobody; the process lives.
    Paused,
    /// It was asked to stop and writes what it has.
    Stopping,
}

/// The state of a node besides its queues and channels.
#[derive(Clone, Debug)]
pub(in super::super) struct Node {
    pub(in super::super) standing: Standing,
    /// Counts starts.
    incarnation: u32,
    /// Peers of which it was told in which process they run.
    known: Vec<Option<u32>>,
    /// Peers that it waits for before it comes up.
    waits_for: Vec<u16>,
    /// Peers that it tries to reach and has not heard of: one that runs knows more than it does.
    unresolved: Vec<u16>,
    /// Peers that are starting, too.
    starting: Vec<u16>,
    boot_ends: Time,
    /// Peers that ran on while it took them for down, and the other way round.
    pub(in super::super) partitions: Vec<u16>,
    autoheal: Autoheal,
    /// Peers whose connection was closed under it, and which it tries to reach before it believes that they are gone.
    pings: Vec<u16>,
    /// It paused, and until then it is on its way back.
    returns_until: Time,
    /// It sees too few others, and nobody stopped it.
    is_overlooked: bool,
    /// Other nodes started when it did.
    starts_together: bool,
    /// Mirrored queues that lost their mirrors when they started.
    bare: Vec<QueueId>,
    /// It paused because a peer was out of its sight alone: it starts when it sees all.
    awaits_all: bool,
    /// Whose losers may join: the winners of an autoheal.
    joins_only: Vec<u16>,
    /// By node: it has an alarm, as far as this one knows.
    pub(in super::super) alarms: Vec<bool>,
    pub(in super::super) delayed: Delayed,
    /// By peer: when its beat was last heard, and whether it was called silent since.
    beats: Vec<(Time, bool)>,
    beats_sent: u64,
}

/// What nodes tell each other.
#[derive(Clone, Debug)]
pub(in super::super) enum NodeMsg {
    /// It lives: for the failure detector of quorum queues.
    Beat,
    /// The first thing on every connection.
    Hello {
        incarnation: u32,
        standing: Standing,
        /// Whether it takes the other for running.
        sees_you: bool,
        /// Of the other: how often it had started, as far as it heard.
        knows_you: Option<u32>,
        /// Of a node that starts: what it knew.
        records: Vec<QueueRecord>,
    },
    /// To a node that starts: what the cluster knows.
    Welcome {
        records: Vec<QueueRecord>,
        exchanges: Vec<bool>,
        running: Vec<bool>,
    },
    /// It is up.
    Up {
        incarnation: u32,
    },
    /// It stops in order: its queues that cannot move are gone until it is back.
    Stopping,
    /// A queue's record changed.
    Record {
        queue: QueueId,
        record: QueueRecord,
    },
    /// A node has an alarm, or has none any more.
    Alarm {
        is_set: bool,
    },
    /// To a partition's other side: how many clients it has, and whom it sees.
    AutohealAsk,
    AutohealState {
        connections: u32,
        sees: Vec<u16>,
    },
    /// To a loser: start again, and join these.
    AutohealRestart {
        winners: Vec<u16>,
    },
    /// Who sees whom.
    Partial(PartialMsg),
    // From processes of the node itself.
    /// A process of a queue ended.
    QueueEnded {
        queue: QueueId,
        how: QueueEnd,
    },
    /// Who leads a stream, as the node's replica knows it.
    StreamLed {
        queue: QueueId,
        leader: Option<u16>,
    },
    /// A channel is gone, and with it the queues that it alone could use.
    OwnerGone {
        owner: Pid,
    },
    /// A message for later.
    Delay {
        envelope: EnvelopeId,
    },
}

/// What a node reminds itself of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Alarm {
    /// A quarter of the tick time is over.
    Tick,
    /// It looks for nodes that it lost.
    Look,
    /// It measures its memory and its disk.
    Measure,
    /// A starting node has tried for long enough to reach the others.
    Reach,
    /// A starting node has waited long enough.
    Boot,
    /// It starts again after it was told to.
    Restart,
    /// A delayed message is due.
    Delayed,
    /// It shows that it lives, and looks who does.
    Beat,
    /// An administrator declares a queue.
    Declare(QueueId),
}

impl Node {
    pub(super) fn new(topology: &Topology, _id: u16) -> Self {
        let brokers = topology.brokers as usize;
        Self {
            standing: Standing::Running,
            incarnation: 0,
            known: vec![None; brokers],
            waits_for: Vec::new(),
            unresolved: Vec::new(),
            starting: Vec::new(),
            boot_ends: Time::NEVER,
            partitions: Vec::new(),
            autoheal: Autoheal::default(),
            pings: Vec::new(),
            returns_until: Time::ZERO,
            is_overlooked: false,
            starts_together: false,
            bare: Vec::new(),
            awaits_all: false,
            joins_only: Vec::new(),
            alarms: vec![false; brokers],
            delayed: Delayed::default(),
            beats: vec![(Time::ZERO, false); brokers],
            beats_sent: 0,
        }
    }

    /// Whether clients get in.
    pub(super) fn takes_clients(&self) -> bool {
        self.standing == Standing::Running
    }

    /// Whether a queue lost its mirrors when it started, and takes on none.
    pub(super) fn lacks_mirrors(&self, queue: QueueId) -> bool {
        self.bare.contains(&queue)
    }

    /// Whether some node of the cluster has an alarm.
    #[inline]
    pub(super) fn is_alarmed(&self) -> bool {
        self.alarms.contains(&true)
    }

    pub(super) fn storage_lost(&mut self, loss: Loss, topology: &Topology, ctx: &mut RabbitCtx<'_>) {
        self.delayed.storage_lost(loss, topology, ctx);
    }
}

impl Broker {
    /// Something for the node itself.
    pub(super) fn told(&mut self, from: Pid, msg: &mut Msg, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let Msg::Node(msg) = msg.take() else { return };
        let peer = from.node;
        match *msg {
            NodeMsg::Beat => self.beat_heard(peer, shared, ctx),
            NodeMsg::Hello { incarnation, standing, sees_you, knows_you, records } => {
                let is_of_me = knows_you == Some(self.node.incarnation);
                self.hello(peer, (incarnation, standing), (sees_you, is_of_me), records, shared, ctx);
            }
            NodeMsg::Welcome { records, exchanges, running } => {
                self.welcomed(peer, (records, exchanges), &running, shared, ctx);
            }
            NodeMsg::Up { incarnation } => self.peer_up(peer, incarnation, shared, ctx),
            NodeMsg::Stopping => {
                self.tell_members(peer, false, shared, ctx);
                self.node_down(peer, true, shared, ctx);
            }
            NodeMsg::Record { queue, record } => self.record_told(peer, queue, record, shared, ctx),
            NodeMsg::Alarm { is_set } => self.alarm_told(peer, is_set, shared, ctx),
            NodeMsg::Partial(msg) => self.partial(peer, msg, shared, ctx),
            NodeMsg::AutohealAsk => self.autoheal_asked(peer, shared, ctx),
            NodeMsg::AutohealState { connections, sees } => {
                self.autoheal_told(peer, connections, sees, shared, ctx);
            }
            NodeMsg::AutohealRestart { winners } => self.autoheal_lost(winners, shared, ctx),
            NodeMsg::QueueEnded { queue, how } => self.queue_process_ended(queue, how, shared, ctx),
            NodeMsg::OwnerGone { owner } => self.delete_queues_of(owner, shared, ctx),
            NodeMsg::StreamLed { queue, leader } => self.stream_leader(queue, leader, shared, ctx),
            NodeMsg::Delay { envelope } => {
                let me = self.core.id;
                self.node.delayed.add(me, envelope, shared, ctx);
            }
        }
    }

    pub(super) fn node_alarm(&mut self, alarm: Alarm, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        match alarm {
            Alarm::Tick => self.tick(shared, ctx),
            Alarm::Look => self.look_for_peers(shared, ctx),
            Alarm::Measure => self.measure(shared, ctx),
            Alarm::Reach => {
                self.node.unresolved.clear();
                self.come_up_if_ready(shared, ctx);
            }
            Alarm::Boot => self.boot_overdue(shared, ctx),
            Alarm::Restart if self.node.standing == Standing::Paused => self.boot(shared, ctx),
            Alarm::Restart => {}
            Alarm::Delayed => self.release_delayed(shared, ctx),
            Alarm::Beat => self.beat(shared, ctx),
            Alarm::Declare(queue) => self.declare_now(queue, shared, ctx),
        }
    }

    /// The node as a process, for what it says to others.
    pub(super) fn as_node<'a, 'b>(
        &'a mut self,
        shared: &'a mut Shared,
        ctx: &'a mut RabbitCtx<'b>,
    ) -> Env<'a, 'b> {
        let me = Pid { node: self.core.id, proc: Proc::Node };
        Env { me, core: &mut self.core, shared, ctx }
    }

    pub(super) fn tell_node(
        &mut self,
        peer: u16,
        msg: NodeMsg,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let to = Pid { node: peer, proc: Proc::Node };
        self.as_node(shared, ctx).send(to, Msg::Node(Box::new(msg)));
    }

    /// Tells every node that it takes for running.
    pub(super) fn tell_all(&mut self, msg: &NodeMsg, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        for peer in self.peers() {
            if self.core.meta.runs(peer) {
                self.tell_node(peer, msg.clone(), shared, ctx);
            }
        }
    }

    /// Every other node.
    pub(super) fn peers(&self) -> impl Iterator<Item = u16> + use<> {
        let (id, all) = (self.core.id, self.core.meta.running.len() as u16);
        (0..all).filter(move |&peer| peer != id)
    }
}

/// Somebody speaks to a process of this node that is not there.
pub(super) fn nobody(from: Pid, msg: &Msg, env: &mut Env<'_, '_>) {
    match msg {
        Msg::Get { .. } => env.send(from, Msg::Got(None)),
        Msg::Subscribe(_) => env.send(from, Msg::Subscribed(Err(Error::NotFound))),
        Msg::Delete => env.send(from, Msg::Deleted),
        _ => {}
    }
}

/// A client's channel or connection was closed with an error.
pub(super) fn observe_closed(client: NodeId, error: Error, env: &mut Env<'_, '_>) {
    let fact = story::fact(Kind::Closed, u32::from(client.0), [u64::from(error.number()), 0]);
    env.ctx.observe(fact);
}

/// The file of the table of delayed messages.
pub(super) fn delayed_file(topology: &Topology) -> FileId {
    FileId(topology.queues.len() as u32 + 1)
}

impl NodeMsg {
    pub(in super::super) fn label(&self) -> &'static str {
        match self {
            Self::Hello { .. } | Self::Welcome { .. } | Self::Up { .. } | Self::Stopping => "node",
            Self::Record { .. } => "metadata",
            Self::Beat => "beat",
            Self::Partial(_) => "partition",
            Self::Alarm { .. } => "alarm",
            Self::AutohealAsk | Self::AutohealState { .. } | Self::AutohealRestart { .. } => "autoheal",
            Self::QueueEnded { .. }
            | Self::OwnerGone { .. }
            | Self::Delay { .. }
            | Self::StreamLed { .. } => "local",
        }
    }

    pub(in super::super) fn fingerprint(&self) -> u64 {
        match self {
            Self::Hello { incarnation, .. } => u64::from(*incarnation) << 4,
            Self::Welcome { .. } => 1,
            Self::Up { incarnation } => u64::from(*incarnation) << 4 | 2,
            Self::Stopping => 3,
            Self::Record { queue, record } => u64::from(record.version) << 24 | u64::from(queue.0) << 4 | 4,
            Self::Alarm { is_set } => u64::from(*is_set) << 4 | 5,
            Self::AutohealAsk => 6,
            Self::AutohealState { connections, .. } => u64::from(*connections) << 4 | 7,
            Self::AutohealRestart { .. } => 8,
            Self::QueueEnded { queue, .. } => u64::from(queue.0) << 4 | 9,
            Self::OwnerGone { .. } => 10,
            Self::Delay { envelope } => u64::from(envelope.0) << 4 | 11,
            Self::Beat => 12,
            Self::Partial(msg) => msg.fingerprint() << 4 | 13,
            Self::StreamLed { queue, .. } => u64::from(queue.0) << 4 | 14,
        }
    }
}

impl Alarm {
    pub(in super::super) fn fingerprint(self) -> u64 {
        match self {
            Self::Tick => 0,
            Self::Look => 1,
            Self::Measure => 2,
            Self::Reach => 3,
            Self::Boot => 4,
            Self::Restart => 5,
            Self::Delayed => 6,
            Self::Beat => 7,
            Self::Declare(queue) => u64::from(queue.0) << 4 | 8,
        }
    }
}
