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
use crate::app::{Alarm, Carries, Catalogue, Direct, Sender, Service, Store, Talk};
use crate::broker::host;
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
    /// A producer that calls a service instead of sending to a topic.
    Direct(Box<Direct>),
    Service(Box<Service>),
}

/// What all nodes may look at: what never changes, what only grows, and the applications' store.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) topology: Arc<Topology>,
    pub(super) content: Content,
    pub(super) catalogue: Catalogue,
    pub(super) stores: Vec<Store>,
    /// The nodes of services, by name.
    pub(super) services: Vec<(String, NodeId)>,
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
    /// Producer: a write to the application's own database is committed.
    Written(MessageId),
    /// Client: something of the library's falls due.
    Wake,
    /// Consumer: the same, of the client that sends on what could not be processed.
    SendingOn,
    /// Consumer: a message is sent on once more.
    SendOnAgain(MessageId),
    /// Consumer: a thread of the application worked for as long as it said.
    Processed(u16),
    Heartbeat,
    AutoCommit,
    /// Of a service or of those who call it.
    Service(Alarm),
}

impl KafkaModel {
    /// A healthy cluster with its clients, its groups stable, before anything started.
    pub(super) fn new(plan: &Plan, seed: u64) -> Self {
        let topology = Arc::new(Topology::new(plan));
        let shared = Shared {
            topology: Arc::clone(&topology),
            content: Content::default(),
            catalogue: Catalogue::new(plan, seed),
            stores: plan.consumers.iter().map(|it| Store::new(it.idempotency, it.id)).collect(),
            services: host::services(plan, topology.keeper.0 + 1),
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
                if let Some((service, subscription)) = direct(plan, &shared, producer.service()) {
                    let app = Sender::new(producer, id, instance, seed, ends);
                    nodes.push(Node::Direct(Box::new(Direct::new(app, service, subscription))));
                    continue;
                }
                nodes.push(Node::Producer(Box::new(Producer::new(plan, id, instance, seed, ends, &shared))));
            }
        }
        for (index, consumer) in plan.consumers.iter().enumerate() {
            for instance in 0..consumer.instances {
                let id = SubscriptionId(index as u16);
                nodes.push(Node::Consumer(Box::new(Consumer::new(plan, id, instance, seed, &shared))));
            }
        }
        nodes
            .extend(plan.services.iter().map(|service| Node::Service(Box::new(Service::new(service, seed)))));
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
            Node::Direct(producer) => producer.on(&input, &mut shared.catalogue, ctx),
            Node::Service(service) => service.on(&input, &shared.catalogue, ctx),
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

    fn is_request(packet: &Packet) -> bool {
        packet.is_request()
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
            Timer::Written(message) => u64::from(message.0) << 8 | 20,
            Timer::Service(alarm) => alarm.fingerprint() << 8 | 19,
            Timer::SendingOn => 21,
            Timer::SendOnAgain(message) => u64::from(message.0) << 8 | 22,
        }
    }
}

impl Carries for KafkaModel {
    fn packet(talk: Talk) -> Packet {
        Packet::Service(talk)
    }
    fn talk(packet: &Packet) -> Option<Talk> {
        if let Packet::Service(talk) = packet { Some(*talk) } else { None }
    }
    fn timer(alarm: Alarm) -> Timer {
        Timer::Service(alarm)
    }
    fn alarm(timer: &Timer) -> Option<Alarm> {
        if let Timer::Service(alarm) = timer { Some(*alarm) } else { None }
    }
}

/// The node of a service that is called directly, and the subscription that its effects count for.
fn direct(plan: &Plan, shared: &Shared, service: Option<&str>) -> Option<(NodeId, SubscriptionId)> {
    let subscription = plan.subscriptions().iter().position(|name| Some(name.as_str()) == service)?;
    Some((shared.service(service?)?, SubscriptionId(subscription as u16)))
}

impl Shared {
    /// The node of the service of that name.
    pub(super) fn service(&self, name: &str) -> Option<NodeId> {
        self.services.iter().find(|(known, _)| known == name).map(|(_, node)| *node)
    }
}

/// How long a client library waits between two looks at who leads what.
pub(super) const METADATA_BACKOFF: Span = Span::from_millis(100);
