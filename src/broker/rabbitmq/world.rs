//! A RabbitMQ world as everybody outside sees it: roles, waiting copies, states, promises.

use std::sync::Arc;

use super::broker::Broker;
use super::broker::QueueProc;
use super::broker::node::Standing;
use super::client::Consumer;
use super::content::EnvelopeId;
use super::model::{Node, RabbitModel};
use super::packet::{Frame, Packet};
use super::promises;
use super::topology::{QueueId, QueueKind, QueueSpec};
use crate::broker::host::{ClientCommand, Hosted};
use crate::fact::{Aside, MessageId, NONE, NodeId, PlaceId, SubscriptionId};
use crate::scenario::plan::{Config, Value};
use crate::sim::{Engine, FileId, Frame as OnWire, Status};

pub(super) mod streams;

/// A RabbitMQ world.
pub(super) type World = Engine<RabbitModel>;

impl Hosted for RabbitModel {
    fn resolve(engine: &World, role: &str) -> Vec<NodeId> {
        let topology = &engine.model.shared.topology;
        let Some((what, of)) = role.split_once(" of ") else { return Vec::new() };
        let Some(queue) = topology.queue_named(of) else { return Vec::new() };
        let leader = leader(engine, queue);
        let others = others(engine, queue).into_iter().filter(|&node| Some(node) != leader);
        let found: Vec<u16> = match what {
            "home" => vec![leader.unwrap_or(topology.queue(queue).home)],
            "leader" => leader.into_iter().collect(),
            "a mirror" | "a follower" => others.take(1).collect(),
            "mirrors" | "followers" => others.collect(),
            "members" => leader.into_iter().chain(others).collect(),
            _ => Vec::new(),
        };
        found.into_iter().map(NodeId).collect()
    }

    fn waiting(engine: &World, subscription: SubscriptionId) -> Vec<MessageId> {
        let mut waiting = Vec::new();
        for number in 0..engine.model.shared.topology.queues.len() as u16 {
            let queue = QueueId(number);
            if is_for(engine.model.shared.topology.queue(queue), subscription) {
                if engine.model.shared.topology.queue(queue).kind == QueueKind::Stream {
                    waiting.extend(streams::waiting(engine, queue, subscription));
                } else {
                    waiting.extend(copies(engine, queue));
                }
            }
        }
        waiting.extend(delayed(engine, subscription));
        for (node, consumer) in consumers(engine) {
            let is_its = consumer.worker.subscription == subscription;
            // What it has not acknowledged its queue still has.
            if is_its && (consumer.is_automatic() || consumer.reads_streams()) && is_up(engine, node) {
                waiting.extend(consumer.held());
            }
        }
        waiting
    }

    fn aside(engine: &World, subscription: SubscriptionId) -> Option<Aside> {
        let shared = &engine.model.shared;
        let mut aside = Aside::default();
        for (number, spec) in (0..).zip(&shared.topology.queues) {
            if spec.is_read_by(subscription) {
                continue;
            }
            let died_there = |envelope: &EnvelopeId| {
                let deaths = shared.content.deaths(*envelope).iter();
                deaths
                    .map(|death| shared.topology.queue(death.queue))
                    .any(|queue| queue.is_read_by(subscription) || queue.leads_to.contains(&subscription))
            };
            let is_sent_there = is_sent_on(engine, subscription, QueueId(number));
            let before = aside.messages.len();
            for envelope in envelopes(engine, QueueId(number)) {
                if is_sent_there || died_there(&envelope) {
                    aside.messages.push(shared.content.message(envelope));
                }
            }
            let queue = QueueId(number);
            let dies_there = |one: &QueueSpec| {
                one.graves.contains(&queue)
                    && (one.is_read_by(subscription) || one.leads_to.contains(&subscription))
            };
            let is_a_way = is_sent_there
                || aside.messages.len() > before
                || shared.topology.queues.iter().any(dies_there);
            if is_a_way && spec.kind == QueueKind::Stream {
                aside.readers.extend(&spec.leads_to);
            } else {
                aside.readers.extend(spec.subscription.filter(|_| is_a_way));
            }
        }
        // What a consumer of a dead-letter queue took is where it was to go.
        aside.readers.sort_unstable();
        aside.readers.dedup();
        Some(aside)
    }

    fn is_settled(engine: &World) -> bool {
        let clients_done = engine.model.nodes.iter().enumerate().all(|(index, node)| {
            let is_done = match node {
                Node::Publisher(publisher) => publisher.is_done(),
                Node::Direct(producer) => producer.is_done(),
                Node::Consumer(consumer) => consumer.is_settled(),
                Node::Broker(_) | Node::Service(_) => true,
            };
            is_done || !is_up(engine, NodeId(index as u16))
        });
        let count = engine.model.shared.stores.len() as u16;
        clients_done
            && brokers(engine).all(|(node, broker)| {
                !is_up(engine, node) || broker.node.standing != Standing::Booting && broker.is_calm()
            })
            && (0..count).all(|subscription| Self::waiting(engine, SubscriptionId(subscription)).is_empty())
            && !is_electing(engine)
            && is_quiet(engine)
    }

    fn is_replicated(engine: &World) -> bool {
        let all_run = brokers(engine).all(|(_, broker)| broker.node.standing == Standing::Running);
        let groups = (0..).zip(&engine.model.shared.topology.queues);
        let is_by_majority = |kind| matches!(kind, QueueKind::Quorum | QueueKind::Stream);
        let mut groups = groups.filter(|(_, spec)| is_by_majority(spec.kind));
        all_run && groups.all(|(number, _)| has_recovered(engine, QueueId(number))) && is_quiet(engine)
    }

    fn state(engine: &World, path: &str) -> Option<Value> {
        let topology = &engine.model.shared.topology;
        let (of, what) = path.rsplit_once('.')?;
        if let Some((node, broker)) = brokers(engine).find(|(node, _)| broker_name(node.0) == of) {
            return broker_state(engine, node, broker, what);
        }
        let queue = topology.queue_named(of)?;
        let process = serving(engine, queue).next().map(|(_, process)| process);
        let names =
            |nodes: Vec<u16>| Value::Text(nodes.into_iter().map(broker_name).collect::<Vec<_>>().join(", "));
        let count = |count: usize| Some(Value::Int(count as i64));
        match what {
            "ready" => count(process.map_or(0, QueueProc::ready)),
            "unacked" => count(of_all(engine, queue, QueueProc::unacked)),
            "total" => count(process.map_or(0, QueueProc::messages)),
            "consumers" => count(of_all(engine, queue, QueueProc::consumers)),
            "exists" => {
                Some(Value::Bool(record_holder(engine).is_some_and(|one| one.core.meta.exists(queue))))
            }
            "leader" => {
                Some(Value::Text(leader(engine, queue).map_or_else(|| "none".to_owned(), broker_name)))
            }
            "mirrors" | "followers" => Some(names(others(engine, queue))),
            "members" => {
                Some(names(leader(engine, queue).into_iter().chain(others(engine, queue)).collect()))
            }
            "synchronised" => {
                let record = record_holder(engine)?.core.meta.queue(queue);
                Some(names(record.synchronised.to_vec()))
            }
            _ => None,
        }
    }

    fn place_name(engine: &World, place: PlaceId) -> String {
        let queues = &engine.model.shared.topology.queues;
        queues.get(place.0 as usize).map_or_else(String::new, |queue| queue.name.clone())
    }

    fn broken_invariants(engine: &World) -> Vec<String> {
        promises::broken(engine)
    }

    fn file(engine: &World, _node: NodeId, of: &str) -> Option<FileId> {
        engine.model.shared.topology.queue_named(of).map(super::broker::index_file)
    }

    /// A policy changes: every queue that it applies to has other arguments from now on.
    fn alter(engine: &mut World, kind: &str, name: &str, fields: &Config) -> bool {
        let shared = &mut engine.model.shared;
        if kind != "policy" || !Arc::make_mut(&mut shared.topology).alter(name, fields) {
            return false;
        }
        let nodes: Vec<_> = running(engine).map(|(node, _)| node).collect();
        for node in nodes {
            engine.act(node, |model, ctx| {
                if let Node::Broker(broker) = &mut model.nodes[node.0 as usize] {
                    broker.policies_changed(&mut model.shared, ctx);
                }
            });
        }
        true
    }

    fn command(engine: &mut World, node: NodeId, command: &ClientCommand<'_>) -> bool {
        engine.act(node, |model, ctx| match (&mut model.nodes[node.0 as usize], command) {
            (Node::Publisher(publisher), ClientCommand::Send(count)) => {
                publisher.told_to_send(*count, ctx);
                true
            }
            (Node::Direct(direct), ClientCommand::Send(count)) => {
                direct.told_to_send(*count, ctx);
                true
            }
            (Node::Consumer(consumer), ClientCommand::Get(count)) => {
                consumer.told_to_get(*count, &mut model.shared, ctx);
                true
            }
            (Node::Consumer(consumer), ClientCommand::Ack(which)) => {
                consumer.told_to_ack(which, &model.shared, ctx)
            }
            (Node::Consumer(consumer), ClientCommand::GiveBack { which, is_requeued, is_reject }) => {
                consumer.told_to_give_back(which, (*is_requeued, *is_reject), &model.shared, ctx)
            }
            _ => false,
        })
    }

    fn is_idle(engine: &World, node: NodeId) -> bool {
        match &engine.model.nodes[node.0 as usize] {
            Node::Publisher(publisher) => publisher.is_done(),
            Node::Direct(direct) => direct.is_done(),
            Node::Consumer(consumer) => {
                consumer.has_done(|queue| is_drained(engine, node, queue)) && says_nothing(engine, node)
            }
            Node::Broker(_) | Node::Service(_) => true,
        }
    }

    fn missing(engine: &World, confirmed: &[MessageId]) -> Vec<MessageId> {
        let mut found = vec![false; engine.model.shared.catalogue.len()];
        for number in 0..engine.model.shared.topology.queues.len() as u16 {
            for message in copies(engine, QueueId(number)) {
                found[message.0 as usize] = true;
            }
        }
        confirmed.iter().copied().filter(|message| !found[message.0 as usize]).collect()
    }
}

/// Somebody leads, and of a stream all replicas have all of it; or nobody ever will.
fn has_recovered(engine: &World, queue: QueueId) -> bool {
    let is_there = running(engine).any(|(_, broker)| broker.core.meta.exists(queue));
    if !is_there || is_ruined(engine, queue) {
        return true;
    }
    let Some((_, process)) = serving(engine, queue).next() else { return false };
    let QueueProc::Stream(stream) = process else { return true };
    let (_, end) = stream.bounds();
    stream.committed() == end
        && running(engine).all(|(_, broker)| match &broker.queues[queue.0 as usize] {
            Some(QueueProc::Stream(replica)) => replica.committed() == end,
            _ => true,
        })
}

pub(super) fn broker_name(broker: u16) -> String {
    format!("broker-{}", broker + 1)
}

pub(super) fn is_up(engine: &World, node: NodeId) -> bool {
    matches!(engine.status(node), Status::Up | Status::Frozen)
}

pub(super) fn brokers(engine: &World) -> impl Iterator<Item = (NodeId, &Broker)> {
    (0..).zip(&engine.model.nodes).filter_map(|(number, node)| match node {
        Node::Broker(broker) => Some((NodeId(number), broker.as_ref())),
        _ => None,
    })
}

pub(super) fn consumers(engine: &World) -> impl Iterator<Item = (NodeId, &Consumer)> {
    (0..).zip(&engine.model.nodes).filter_map(|(number, node)| match node {
        Node::Consumer(consumer) => Some((NodeId(number), consumer.as_ref())),
        _ => None,
    })
}

/// Brokers that serve clients.
pub(super) fn running(engine: &World) -> impl Iterator<Item = (NodeId, &Broker)> {
    brokers(engine).filter(|(node, broker)| is_up(engine, *node) && broker.node.standing == Standing::Running)
}

/// The processes that serve a queue: one, or none; in a partition one on each side.
pub(super) fn serving(engine: &World, queue: QueueId) -> impl Iterator<Item = (u16, &QueueProc)> {
    running(engine).filter_map(move |(node, broker)| {
        let process = broker.queues[queue.0 as usize].as_ref()?;
        let record = broker.core.meta.queue(queue);
        let leads = match process {
            QueueProc::Classic(_) => record.exists && record.leader == node.0,
            QueueProc::Mirror(_) => false,
            QueueProc::Quorum(member) => member.leads(),
            QueueProc::Stream(stream) => stream.leads(),
        };
        leads.then_some((node.0, process))
    })
}

/// Whether the majority of a quorum queue's members runs and has not found a leader yet.
fn is_electing(engine: &World) -> bool {
    let groups = (0..).zip(&engine.model.shared.topology.queues);
    let mut groups = groups.filter(|(_, spec)| spec.kind == QueueKind::Quorum);
    groups.any(|(number, spec)| {
        let queue = QueueId(number);
        let is_member = |(node, broker): &(NodeId, &Broker)| {
            spec.members.contains(&node.0) && broker.core.meta.exists(queue)
        };
        let members = running(engine).filter(is_member).count();
        members * 2 > spec.members.len() && leader(engine, queue).is_none() && !is_ruined(engine, queue)
    })
}

/// Whether some member of a quorum queue never comes back.
fn is_ruined(engine: &World, queue: QueueId) -> bool {
    running(engine).any(|(_, broker)| match &broker.queues[queue.0 as usize] {
        Some(QueueProc::Quorum(member)) => member.is_ruined,
        _ => false,
    })
}

/// The node that serves a queue.
pub(super) fn leader(engine: &World, queue: QueueId) -> Option<u16> {
    serving(engine, queue).next().map(|(node, _)| node)
}

/// How many messages of a queue are ready; if nobody serves it, how many it will come back with.
pub(super) fn ready_or_at_rest(engine: &World, queue: QueueId) -> usize {
    match serving(engine, queue).next() {
        Some((_, process)) => process.ready(),
        None => at_rest(engine, queue),
    }
}

/// How many messages a queue will come back with that nobody serves: those of the copy that has the most.
pub(super) fn at_rest(engine: &World, queue: QueueId) -> usize {
    let copies = brokers(engine).filter_map(|(_, broker)| broker.queues[queue.0 as usize].as_ref());
    copies.map(QueueProc::at_rest).max().unwrap_or(0)
}

/// What the process that serves a queue counts; of a stream, what all its replicas do, which serve consumers.
pub(super) fn of_all(engine: &World, queue: QueueId, count: fn(&QueueProc) -> usize) -> usize {
    if engine.model.shared.topology.queue(queue).kind != QueueKind::Stream {
        return serving(engine, queue).next().map_or(0, |(_, process)| count(process));
    }
    running(engine).filter_map(|(_, broker)| broker.queues[queue.0 as usize].as_ref()).map(count).sum()
}

/// Some broker that runs, for what all of them know.
fn record_holder(engine: &World) -> Option<&Broker> {
    running(engine).next().map(|(_, broker)| broker)
}

/// Whether a queue has nothing more for a consumer.
fn is_drained(engine: &World, client: NodeId, queue: QueueId) -> bool {
    if engine.model.shared.topology.queue(queue).kind == QueueKind::Stream {
        return streams::is_read(engine, client, queue);
    }
    serving(engine, queue).all(|(_, process)| process.ready() == 0)
}

/// Mirrors of a queue, or the members that do not lead, as its leader knows them.
fn others(engine: &World, queue: QueueId) -> Vec<u16> {
    let leader = leader(engine, queue);
    let by = leader.and_then(|node| engine.model.broker(node)).or_else(|| record_holder(engine));
    let others = by.map(|broker| broker.core.meta.queue(queue).others.to_vec()).unwrap_or_default();
    others.into_iter().filter(|&node| Some(node) != leader).collect()
}

/// What a queue that is served holds, ready first.
pub(super) fn envelopes(engine: &World, queue: QueueId) -> Vec<EnvelopeId> {
    let mut found = Vec::new();
    for (_, process) in serving(engine, queue) {
        process.each(|envelope| found.push(envelope));
    }
    found
}

fn copies(engine: &World, queue: QueueId) -> Vec<MessageId> {
    let content = &engine.model.shared.content;
    envelopes(engine, queue).into_iter().map(|envelope| content.message(envelope)).collect()
}

/// Whether what is in a queue waits for a subscription.
fn is_for(spec: &QueueSpec, subscription: SubscriptionId) -> bool {
    if subscription == NONE { spec.leads_to.is_empty() } else { spec.leads_to.contains(&subscription) }
}

/// Whether consumers of this subscription send what they cannot process to this queue.
fn is_sent_on(engine: &World, subscription: SubscriptionId, queue: QueueId) -> bool {
    let topology = &engine.model.shared.topology;
    let is_own =
        |queues: &[QueueId]| queues.iter().any(|&queue| topology.queue(queue).is_read_by(subscription));
    let stamps = topology.consumers.iter().filter(|one| is_own(&one.queues)).filter_map(|one| one.sends_on);
    let mut routed = stamps.map(|stamp| topology.route_stamp(topology.stamp(stamp), &|_| true));
    routed.any(|routed| routed.queues.contains(&queue))
}

/// What lies in tables of delayed messages and will go to a queue of this subscription.
fn delayed(engine: &World, subscription: SubscriptionId) -> Vec<MessageId> {
    let shared = &engine.model.shared;
    let tables = running(engine).flat_map(|(_, broker)| broker.node.delayed.waiting());
    let leads_here = |envelope: &EnvelopeId| {
        let routed = shared.topology.route_stamp(shared.stamp(*envelope), &|_| true);
        routed.queues.iter().any(|&queue| is_for(shared.topology.queue(queue), subscription))
    };
    tables.filter(leads_here).map(|envelope| shared.content.message(envelope)).collect()
}

/// Whether nothing is under way but signs of life. That a node is gone is news for the others.
fn is_quiet(engine: &World) -> bool {
    let is_broker = |node: NodeId| node.0 < engine.model.shared.topology.brokers;
    engine.under_way().iter().all(|one| match one.what {
        OnWire::End => !(is_broker(one.from) && is_broker(one.to)),
        OnWire::Packet(Packet::Dist(letter)) => letter.msg.is_sign_of_life(),
        OnWire::Packet(packet) => matches!(packet, Packet::Tick | Packet::Amqp(Frame::Heartbeat)),
        _ => true,
    })
}

/// Whether nothing that a client wrote, or that is for it, is under way.
fn says_nothing(engine: &World, client: NodeId) -> bool {
    engine.under_way().iter().all(|one| match one.what {
        OnWire::Packet(Packet::Amqp(frame)) => {
            *frame == Frame::Heartbeat || one.from != client && one.to != client
        }
        _ => true,
    })
}

fn broker_state(engine: &World, node: NodeId, broker: &Broker, what: &str) -> Option<Value> {
    match what {
        "partitions" => {
            let sees = broker.node.partitions.iter().map(|&peer| broker_name(peer));
            Some(Value::Text(sees.collect::<Vec<_>>().join(", ")))
        }
        "alarm" => Some(Value::Bool(broker.node.alarms[node.0 as usize])),
        "connections" => Some(Value::Int(broker.channels().count() as i64)),
        "running" => Some(Value::Bool(is_up(engine, node) && broker.node.standing == Standing::Running)),
        "flushes" => Some(Value::Int((broker.core.flushes + broker.core.wal.flushes()) as i64)),
        "disk_writes" => Some(Value::Int(broker.core.disk_writes as i64)),
        "memory" => Some(Value::Int(broker.memory(&engine.model.shared) as i64)),
        _ => None,
    }
}
