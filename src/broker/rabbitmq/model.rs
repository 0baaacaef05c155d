//! RabbitMQ's nodes put together: what the engine hands an input to.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::broker::{Broker, BrokerTimer, Commands};
use super::client::{Consumer, Publisher};
use super::content::{Content, EnvelopeId};
use super::packet::{Letters, Packet};
use super::topology::{QueueId, Stamp, Topology};
use crate::app::{Alarm, Carries, Catalogue, Direct, Sender, Service, Store, Talk};
use crate::broker::host;
use crate::fact::{Fact, MessageId, NodeId, ProducerId, SubscriptionId};
use crate::scenario::plan::Plan;
use crate::sim::{Ctx, Input, Loss, Model, Span, Time};

/// What a node acts through.
pub(super) type RabbitCtx<'a> = Ctx<'a, RabbitModel>;

/// Every node of a RabbitMQ world.
#[derive(Clone, Debug)]
pub(super) struct RabbitModel {
    pub(super) nodes: Vec<Node>,
    pub(super) shared: Shared,
}

/// A node.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Broker(Box<Broker>),
    Publisher(Box<Publisher>),
    Consumer(Box<Consumer>),
    /// A producer that calls a service instead of publishing.
    Direct(Box<Direct>),
    Service(Box<Service>),
}

/// What all nodes may look at: what never changes, what only grows, and the applications' stores.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    pub(super) topology: Arc<Topology>,
    pub(super) content: Content,
    /// By queue: what happened to it, where a majority keeps that.
    pub(super) commands: Vec<Commands>,
    pub(super) catalogue: Catalogue,
    pub(super) letters: Letters,
    pub(super) stores: Vec<Store>,
    /// The nodes of services, by name.
    pub(super) services: Vec<(String, NodeId)>,
    /// What clients are called, in the order of their nodes.
    clients: Arc<[String]>,
    /// Whose instances they are, in the same order; none: they publish.
    readers: Arc<[Option<SubscriptionId>]>,
    /// How far consumers of streams were sent messages, by stream and subscription. Only observations look at it.
    read_to: BTreeMap<(QueueId, SubscriptionId), u64>,
}

/// What a node of this family reminds itself of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timer {
    Broker(BrokerTimer),
    /// Publisher: a message falls due.
    Due,
    /// Publisher: the application sends again.
    Again {
        message: MessageId,
        attempt: u16,
    },
    /// Publisher: a write to the application's own database is committed.
    Written(MessageId),
    /// Client: something of the library's falls due.
    Wake,
    /// Consumer: a message is sent on once more.
    SendOnAgain(MessageId),
    /// Consumer: a thread of the application worked for as long as it said.
    Processed(u16),
    /// Of a service or of those who call it.
    Service(Alarm),
}

impl RabbitModel {
    /// A healthy cluster with its clients, everything declared long ago, before anything started.
    pub(super) fn new(plan: &Plan, seed: u64) -> Self {
        let topology = Arc::new(Topology::new(plan));
        let mut shared = Shared {
            topology: Arc::clone(&topology),
            content: Content::default(),
            commands: topology.queues.iter().map(|queue| Commands::new(queue.members.len())).collect(),
            catalogue: Catalogue::new(plan, seed),
            letters: Letters::default(),
            stores: plan.consumers.iter().map(|it| Store::new(it.idempotency, it.id)).collect(),
            services: host::services(plan, topology.brokers),
            clients: clients(plan),
            readers: readers(plan),
            read_to: BTreeMap::new(),
        };
        let mut nodes: Vec<_> =
            (0..topology.brokers).map(|id| Node::Broker(Box::new(Broker::new(id, &shared)))).collect();
        let ends = Time::ZERO + plan.run_for;
        for (index, producer) in plan.producers.iter().enumerate() {
            for instance in 0..producer.instances {
                let id = ProducerId(index as u16);
                if let Some((service, subscription)) = direct(plan, &shared, producer.service()) {
                    let app = Sender::new(producer, id, instance, seed, ends);
                    nodes.push(Node::Direct(Box::new(Direct::new(app, service, subscription))));
                    continue;
                }
                let publisher = Publisher::new(plan, id, instance, seed, ends, &mut shared);
                nodes.push(Node::Publisher(Box::new(publisher)));
            }
        }
        for (index, consumer) in plan.consumers.iter().enumerate() {
            for instance in 0..consumer.instances {
                let consumer = Consumer::new(plan, index as u16, instance, seed, &mut shared);
                nodes.push(Node::Consumer(Box::new(consumer)));
            }
        }
        nodes
            .extend(plan.services.iter().map(|service| Node::Service(Box::new(Service::new(service, seed)))));
        Self { nodes, shared }
    }

    pub(super) fn broker(&self, id: u16) -> Option<&Broker> {
        match self.nodes.get(id as usize) {
            Some(Node::Broker(broker)) => Some(broker),
            _ => None,
        }
    }
}

impl Model for RabbitModel {
    type Packet = Packet;
    type Timer = Timer;
    type Fact = Fact;

    #[inline]
    fn handle(&mut self, node: NodeId, input: Input<Packet, Timer>, ctx: &mut RabbitCtx<'_>) {
        let shared = &mut self.shared;
        match &mut self.nodes[node.0 as usize] {
            Node::Broker(broker) => broker.on(input, shared, ctx),
            Node::Publisher(publisher) => publisher.on(&input, shared, ctx),
            Node::Consumer(consumer) => consumer.on(&input, shared, ctx),
            Node::Direct(producer) => producer.on(&input, &mut shared.catalogue, ctx),
            Node::Service(service) => service.on(&input, &shared.catalogue, ctx),
        }
    }

    fn storage_lost(&mut self, node: NodeId, loss: Loss, ctx: &mut RabbitCtx<'_>) {
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
            Timer::Broker(timer) => timer.fingerprint() << 8 | 1,
            Timer::Due => 2,
            Timer::Again { message, attempt } => u64::from(message.0) << 24 | u64::from(attempt) << 8 | 3,
            Timer::Written(message) => u64::from(message.0) << 8 | 4,
            Timer::Wake => 5,
            Timer::SendOnAgain(message) => u64::from(message.0) << 8 | 6,
            Timer::Processed(thread) => u64::from(thread) << 8 | 7,
            Timer::Service(alarm) => alarm.fingerprint() << 8 | 8,
        }
    }
}

impl Carries for RabbitModel {
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

/// What clients are called, in the order of their nodes.
fn clients(plan: &Plan) -> Arc<[String]> {
    let producers = plan.producers.iter().map(|one| (&one.name, one.instances));
    let all = producers.chain(plan.consumers.iter().map(|one| (&one.name, one.instances)));
    all.flat_map(|(name, count)| {
        (1..=count).map(move |number| if count == 1 { name.clone() } else { format!("{name}/{number}") })
    })
    .collect()
}

/// Whose instances clients are, in the order of their nodes.
fn readers(plan: &Plan) -> Arc<[Option<SubscriptionId>]> {
    let publishers = plan.producers.iter().map(|one| (None, one.instances));
    let consumers =
        (0..).zip(&plan.consumers).map(|(number, one)| (Some(SubscriptionId(number)), one.instances));
    publishers.chain(consumers).flat_map(|(whose, count)| (0..count).map(move |_| whose)).collect()
}

/// The node of a service that is called directly, and the subscription that its effects count for.
fn direct(plan: &Plan, shared: &Shared, service: Option<&str>) -> Option<(NodeId, SubscriptionId)> {
    let subscription = plan.subscriptions().iter().position(|name| Some(name.as_str()) == service)?;
    Some((shared.service(service?)?, SubscriptionId(subscription as u16)))
}

impl Shared {
    /// What a client is called.
    pub(super) fn client_name(&self, node: NodeId) -> String {
        let at = usize::from(node.0.saturating_sub(self.topology.brokers));
        self.clients.get(at).cloned().unwrap_or_default()
    }

    /// Whose subscription a consumer of streams reads for.
    pub(super) fn reader(&self, node: NodeId) -> Option<SubscriptionId> {
        *self.readers.get(usize::from(node.0.checked_sub(self.topology.brokers)?))?
    }

    /// Up to where a subscription was sent a stream.
    pub(super) fn read_to(&self, queue: QueueId, subscription: SubscriptionId) -> u64 {
        self.read_to.get(&(queue, subscription)).copied().unwrap_or(0)
    }

    pub(super) fn note_read(&mut self, queue: QueueId, subscription: SubscriptionId, to: u64) {
        let known = self.read_to.entry((queue, subscription)).or_insert(to);
        *known = to.max(*known);
    }

    /// The commands of a quorum queue.
    #[inline]
    pub(super) fn commands(&mut self, queue: QueueId) -> &mut Commands {
        &mut self.commands[usize::from(queue.0)]
    }

    /// What its publisher wrote on a message.
    #[inline]
    pub(super) fn stamp(&self, envelope: EnvelopeId) -> &Stamp {
        self.topology.stamp(self.content.get(envelope).stamp)
    }

    /// The time to live that its publisher gave a message, if it still has one.
    #[inline]
    pub(super) fn expiration(&self, envelope: EnvelopeId) -> Option<Span> {
        if self.content.get(envelope).is_expiring { self.stamp(envelope).expiration } else { None }
    }

    /// The node of the service of that name.
    pub(super) fn service(&self, name: &str) -> Option<NodeId> {
        self.services.iter().find(|(known, _)| known == name).map(|(_, node)| *node)
    }
}
