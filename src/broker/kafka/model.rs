//! Kafka's nodes put together: what the engine hands an input to.

use std::sync::Arc;

use super::broker::Broker;
use super::client::{Consumer, Producer};
use super::content::Content;
use super::control::ClusterState;
use super::establish;
use super::kraft::Controller;
use super::packet::Packet;
use super::topology::{Metadata, Topology};
use super::zookeeper::ZooKeeper;
use crate::app::{Catalogue, Store};
use crate::fact::{Fact, MessageId, NodeId, ProducerId, SubscriptionId};
use crate::scenario::plan::Plan;
use crate::sim::{Ctx, Input, Loss, Model, Span, Time};

/// What a node acts through.
pub(super) type KafkaCtx<'a> = Ctx<'a, KafkaModel>;

/// Every node of a Kafka world.
#[derive(Clone, Debug)]
pub(super) struct KafkaModel {
    pub(super) nodes: Vec<Node>,
    pub(super) shared: Shared,
}

/// A node.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Broker(Box<Broker>),
    ZooKeeper(Box<ZooKeeper>),
    Controller(Box<Controller>),
    Producer(Box<Producer>),
    Consumer(Box<Consumer>),
}

/// What all nodes may look at: what never changes, what only grows, and the applications' store.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) topology: Arc<Topology>,
    pub(super) content: Content,
    pub(super) catalogue: Catalogue,
    pub(super) stores: Vec<Store>,
}

/// What a node of this family reminds itself of.
#[derive(Clone, Debug)]
pub(super) enum Timer {
    /// Broker: look for followers that lag.
    IsrCheck,
    /// Broker: write the high watermarks down.
    Checkpoint,
    /// Broker: parked fetches have waited long enough.
    Parked,
    /// Broker: produce requests have waited long enough.
    Produces,
    /// Broker: the fetcher from that leader has something to do.
    Fetcher(u16),
    KeeperTick,
    KeeperRetry,
    /// Broker in the controller's office: try unreachable brokers again.
    Office,
    /// Broker: the clock of a group.
    Group(u16),
    /// Broker: a commit of that number has waited long enough.
    Commit(u64),
    Shutdown,
    /// ZooKeeper, controller: look for sessions that ended.
    Sessions,
    /// Producer: a message falls due.
    Due,
    /// Producer: the application sends again.
    Again {
        message: MessageId,
        attempt: u16,
    },
    /// Client: something of the library's falls due.
    Wake,
    /// Consumer: a thread of the application worked for as long as it said.
    Processed(u16),
    Heartbeat,
    AutoCommit,
}

impl KafkaModel {
    /// A healthy cluster with its clients, its groups stable, before anything started.
    pub(super) fn new(plan: &Plan, seed: u64) -> Self {
        let topology = Arc::new(Topology::new(plan));
        let keys = plan.producers.iter().map(|producer| producer.keys.map(|keys| keys.count)).collect();
        let shared = Shared {
            topology: Arc::clone(&topology),
            content: Content::default(),
            catalogue: Catalogue::new(seed, keys),
            stores: plan.consumers.iter().map(|it| Store::new(it.idempotency, it.id)).collect(),
        };
        let state = ClusterState::initial(&topology);
        let view = Arc::new(state.clone());
        let config = &topology.config;
        let mut nodes: Vec<_> =
            (0..topology.brokers).map(|id| Node::Broker(Box::new(Broker::new(id, &shared, &view)))).collect();
        nodes.push(match topology.rules.metadata {
            Metadata::ZooKeeper => Node::ZooKeeper(Box::new(ZooKeeper::new(state, config.zookeeper_session))),
            Metadata::Kraft => {
                Node::Controller(Box::new(Controller::new(state, topology.brokers, config.broker_session)))
            }
        });
        let ends = Time::ZERO + plan.run_for;
        for (index, producer) in plan.producers.iter().enumerate() {
            for instance in 0..producer.instances {
                let id = ProducerId(index as u16);
                nodes.push(Node::Producer(Box::new(Producer::new(plan, id, instance, seed, ends, &shared))));
            }
        }
        for (index, consumer) in plan.consumers.iter().enumerate() {
            for instance in 0..consumer.instances {
                let id = SubscriptionId(index as u16);
                nodes.push(Node::Consumer(Box::new(Consumer::new(plan, id, instance, seed, &shared))));
            }
        }
        let mut model = Self { nodes, shared };
        establish::groups(&mut model, plan);
        model
    }

    pub(super) fn broker(&self, id: u16) -> Option<&Broker> {
        match self.nodes.get(id as usize) {
            Some(Node::Broker(broker)) => Some(broker),
            _ => None,
        }
    }

    /// The cluster's metadata as its keeper has it.
    pub(super) fn cluster(&self) -> &ClusterState {
        match &self.nodes[self.shared.topology.keeper.0 as usize] {
            Node::ZooKeeper(keeper) => keeper.state(),
            Node::Controller(keeper) => keeper.state(),
            _ => unreachable!("the node after the brokers keeps the metadata"),
        }
    }
}

impl Model for KafkaModel {
    type Packet = Packet;
    type Timer = Timer;
    type Fact = Fact;

    #[inline]
    fn handle(&mut self, node: NodeId, input: Input<Packet, Timer>, ctx: &mut KafkaCtx<'_>) {
        let shared = &mut self.shared;
        match &mut self.nodes[node.0 as usize] {
            Node::Broker(broker) => broker.on(input, shared, ctx),
            Node::Producer(producer) => producer.on(input, shared, ctx),
            Node::Consumer(consumer) => consumer.on(input, shared, ctx),
            Node::ZooKeeper(keeper) => keeper.on(input, ctx),
            Node::Controller(keeper) => keeper.on(input, shared, ctx),
        }
    }

    fn storage_lost(&mut self, node: NodeId, loss: Loss, ctx: &mut KafkaCtx<'_>) {
        if let Node::Broker(broker) = &mut self.nodes[node.0 as usize] {
            broker.storage_lost(loss, &mut self.shared, ctx);
        }
    }

    #[inline]
    fn packet_id(packet: &Packet) -> u64 {
        packet.fingerprint()
    }

    #[inline]
    fn timer_id(timer: &Timer) -> u64 {
        match *timer {
            Timer::IsrCheck => 1,
            Timer::Checkpoint => 2,
            Timer::Parked => 3,
            Timer::Produces => 4,
            Timer::Fetcher(leader) => u64::from(leader) << 8 | 5,
            Timer::KeeperTick => 6,
            Timer::KeeperRetry => 7,
            Timer::Office => 8,
            Timer::Group(group) => u64::from(group) << 8 | 9,
            Timer::Shutdown => 10,
            Timer::Sessions => 11,
            Timer::Due => 12,
            Timer::Again { message, attempt } => u64::from(message.0) << 24 | u64::from(attempt) << 8 | 13,
            Timer::Wake => 14,
            Timer::Processed(thread) => u64::from(thread) << 8 | 15,
            Timer::Heartbeat => 16,
            Timer::AutoCommit => 17,
            Timer::Commit(id) => id.rotate_left(8) ^ 18,
        }
    }
}

/// How long a client library waits between two looks at who leads what.
pub(super) const METADATA_BACKOFF: Span = Span::from_millis(100);
