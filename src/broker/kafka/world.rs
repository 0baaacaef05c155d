//! A Kafka world as everybody outside sees it: roles, waiting copies, states, promises.

use std::sync::Arc;

use super::broker::{Broker, Replica};
use super::client::Consumer;
use super::config::Reset;
use super::control::only;
use super::model::{KafkaModel, Node};
use super::promises;
use crate::broker::host::{ClientCommand, Hosted};
use crate::fact::{MessageId, NONE, NodeId, PlaceId, SubscriptionId};
use crate::scenario::plan::{Config, Value};
use crate::sim::{Engine, FileId, Status};

/// A Kafka world.
pub(super) type World = Engine<KafkaModel>;

impl Hosted for KafkaModel {
    fn resolve(engine: &World, role: &str) -> Vec<NodeId> {
        let topology = &engine.model.shared.topology;
        let (what, of) = role.split_once(" of ").unwrap_or((role, ""));
        let partition = topology.partition(of);
        let replicas =
            || partition.map_or(&[][..], |partition| &topology.partitions[partition as usize].replicas);
        let leader = partition.and_then(|partition| leader(engine, partition));
        let others = || replicas().iter().copied().filter(|&broker| Some(broker) != leader);
        let found: Vec<u16> = match what {
            "leader" => leader.into_iter().collect(),
            "a follower" => others().take(1).collect(),
            "followers" => others().collect(),
            "members" => replicas().to_vec(),
            "controller" => return controller(engine).into_iter().collect(),
            "coordinator" => topology
                .group(of)
                .and_then(|group| self::leader(engine, topology.groups[group as usize].home))
                .into_iter()
                .collect(),
            _ => Vec::new(),
        };
        found.into_iter().map(NodeId).collect()
    }

    fn waiting(engine: &World, subscription: SubscriptionId) -> Vec<MessageId> {
        let topology = &engine.model.shared.topology;
        let queued = engine.model.shared.stores.len().max(1);
        if subscription != NONE && subscription.0 as usize >= queued {
            // A service that is called directly: nothing waits for it in a log.
            return Vec::new();
        }
        let groups: Vec<_> = consumers(engine).map(|(_, consumer)| consumer).collect();
        let is_read = |partition: u32| groups.iter().any(|known| known.reads(partition));
        let mut waiting = Vec::new();
        for partition in (0..topology.partitions.len() as u32).filter(|&it| topology.holds_messages(it)) {
            let own: Vec<_> =
                groups.iter().filter(|known| known.worker.subscription == subscription).copied().collect();
            if own.iter().any(|known| known.reads(partition)) {
                waiting.extend(waiting_for(engine, partition, subscription, own[0]));
            } else if (subscription == NONE || groups.is_empty()) && !is_read(partition) {
                waiting.extend(readable(engine, partition, 0));
            }
        }
        for (node, consumer) in consumers(engine) {
            if consumer.worker.subscription == subscription && engine.status(node) == Status::Up {
                waiting.extend(consumer.held());
            }
        }
        waiting
    }

    fn is_settled(engine: &World) -> bool {
        let producers_done = engine.model.nodes.iter().enumerate().all(|(index, node)| match node {
            Node::Producer(producer) => !is_up(engine, NodeId(index as u16)) || producer.is_done(),
            Node::Direct(producer) => !is_up(engine, NodeId(index as u16)) || producer.is_done(),
            _ => true,
        });
        let consumers_done =
            consumers(engine).all(|(node, consumer)| !is_up(engine, node) || consumer.is_settled());
        let count = engine.model.shared.stores.len() as u16;
        producers_done
            && consumers_done
            && cluster_is_settled(engine)
            && (0..count).all(|subscription| Self::waiting(engine, SubscriptionId(subscription)).is_empty())
    }

    fn is_replicated(engine: &World) -> bool {
        let topology = &engine.model.shared.topology;
        let exists = |&it: &u32| engine.model.cluster().partitions[it as usize].exists();
        (0..topology.partitions.len() as u32).filter(exists).all(|partition| {
            let replicas = &topology.partitions[partition as usize].replicas;
            let Some(leading) = leading(engine, partition) else { return false };
            let all = replicas.iter().fold(0, |all, &broker| all | only(broker));
            let agrees = |&broker: &u16| {
                replica(engine, broker, partition).is_some_and(|known| known.log.end() == leading.log.end())
            };
            leading.state.isr == all && leading.watermark == leading.log.end() && replicas.iter().all(agrees)
        })
    }

    fn state(engine: &World, path: &str) -> Option<Value> {
        let topology = &engine.model.shared.topology;
        let (partition, what) = path.rsplit_once('.')?;
        let partition = topology.partition(partition)?;
        let name = |broker: u16| format!("broker-{}", broker + 1);
        let cluster = &engine.model.cluster().partitions[partition as usize];
        Some(match what {
            "leader" => Value::Text(leader(engine, partition).map_or_else(|| "none".to_owned(), name)),
            "isr" => {
                let members = (0..topology.brokers).filter(|&broker| cluster.isr & only(broker) != 0);
                Value::Text(members.map(name).collect::<Vec<_>>().join(", "))
            }
            "epoch" => Value::Int(i64::from(cluster.epoch)),
            "hw" => Value::Int(leading(engine, partition)?.watermark as i64),
            "leo" => Value::Int(leading(engine, partition)?.log.end() as i64),
            _ => return None,
        })
    }

    fn place_name(engine: &World, place: PlaceId) -> String {
        engine.model.shared.topology.partition_name(place.0)
    }

    fn broken_invariants(engine: &World) -> Vec<String> {
        promises::broken(engine)
    }

    fn file(engine: &World, node: NodeId, of: &str) -> Option<FileId> {
        let partition = engine.model.shared.topology.partition(of)?;
        replica(engine, node.0, partition).map(|_| FileId(partition))
    }

    /// Before KIP-380 a broker that its controller overlooked waits for ever: an operator makes that one begin anew.
    fn heal(engine: &mut World) {
        if engine.model.shared.topology.rules.has_broker_epochs {
            return;
        }
        Arc::make_mut(&mut engine.model.shared.topology).rules.has_broker_epochs = true;
        let (brokers, keeper) = (engine.model.shared.topology.brokers, engine.model.shared.topology.keeper);
        if let Node::ZooKeeper(zookeeper) = &mut engine.model.nodes[keeper.0 as usize] {
            zookeeper.touch();
        }
        for node in
            (0..brokers).map(NodeId).filter(|&node| engine.status(node) == Status::Up).collect::<Vec<_>>()
        {
            engine.act(node, |model, ctx| {
                if let Node::Broker(broker) = &mut model.nodes[node.0 as usize] {
                    broker.tell_again(ctx);
                }
            });
        }
    }

    fn alter(engine: &mut World, _kind: &str, name: &str, fields: &Config) -> bool {
        super::alter::alter(engine, name, fields)
    }

    fn command(engine: &mut World, node: NodeId, command: &ClientCommand<'_>) -> bool {
        engine.act(node, |model, ctx| match (&mut model.nodes[node.0 as usize], command) {
            (Node::Producer(producer), ClientCommand::Send(count)) => {
                producer.told_to_send(*count, ctx);
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
            (Node::Consumer(consumer), ClientCommand::Commit) => consumer.told_to_commit(ctx),
            _ => false,
        })
    }

    fn is_idle(engine: &World, node: NodeId) -> bool {
        match &engine.model.nodes[node.0 as usize] {
            Node::Producer(producer) => producer.is_done(),
            Node::Direct(direct) => direct.is_done(),
            Node::Consumer(consumer) => consumer.has_done(|partition, position| {
                leading(engine, partition).is_none_or(|leading| leading.watermark <= position)
            }),
            _ => true,
        }
    }

    fn missing(engine: &World, confirmed: &[MessageId]) -> Vec<MessageId> {
        let topology = &engine.model.shared.topology;
        let mut found = vec![false; engine.model.shared.catalogue.len()];
        for partition in 0..topology.partitions.len() as u32 {
            let Some(leading) = leading(engine, partition) else { continue };
            for message in messages(engine, leading, 0, leading.log.end()) {
                found[message.0 as usize] = true;
            }
        }
        confirmed.iter().copied().filter(|message| !found[message.0 as usize]).collect()
    }
}

/// Whoever the cluster's metadata says leads, if that broker runs and knows it.
pub(super) fn leading(engine: &World, partition: u32) -> Option<&Replica> {
    let broker = engine.model.cluster().leader(partition)?;
    let known = replica(engine, broker, partition)?;
    (known.is_leader() && is_up(engine, NodeId(broker))).then_some(known)
}

/// The leader as the cluster's metadata has it.
pub(super) fn leader(engine: &World, partition: u32) -> Option<u16> {
    engine.model.cluster().leader(partition)
}

fn controller(engine: &World) -> Option<NodeId> {
    let keeper = engine.model.shared.topology.keeper;
    match &engine.model.nodes[keeper.0 as usize] {
        Node::Controller(_) => Some(keeper),
        _ => engine.model.cluster().controller.map(NodeId),
    }
}

pub(super) fn replica(engine: &World, broker: u16, partition: u32) -> Option<&Replica> {
    engine.model.broker(broker)?.replicas[partition as usize].as_deref()
}

pub(super) fn is_up(engine: &World, node: NodeId) -> bool {
    matches!(engine.status(node), Status::Up | Status::Frozen)
}

pub(super) fn consumers(engine: &World) -> impl Iterator<Item = (NodeId, &Consumer)> {
    engine.model.nodes.iter().enumerate().filter_map(|(index, node)| match node {
        Node::Consumer(consumer) => Some((NodeId(index as u16), &**consumer)),
        _ => None,
    })
}

/// The messages of a log between two offsets.
fn messages<'a>(
    engine: &'a World,
    replica: &'a Replica,
    from: u64,
    to: u64,
) -> impl Iterator<Item = MessageId> + 'a {
    let content = &engine.model.shared.content;
    replica.log.batches_from(from, content).flat_map(move |id| {
        let batch = content.batch(id);
        (batch.base..)
            .zip(content.messages(batch))
            .filter(move |&(offset, _)| offset >= from && offset < to)
            .map(|(_, message)| message)
    })
}

/// What a consumer that begins at this offset could read of the partition now.
fn readable(engine: &World, partition: u32, from: u64) -> Vec<MessageId> {
    let Some(leading) = leading(engine, partition) else { return Vec::new() };
    messages(engine, leading, from, leading.watermark).collect()
}

/// What a group would get of a partition: from the position of the member that owns it, else from where a new owner
/// would begin.
fn waiting_for(
    engine: &World,
    partition: u32,
    subscription: SubscriptionId,
    any: &Consumer,
) -> Vec<MessageId> {
    let owner = consumers(engine)
        .filter(|(node, known)| known.worker.subscription == subscription && is_up(engine, *node))
        .find_map(|(_, known)| {
            known.assigned.iter().find(|assigned| assigned.partition == partition)?.position
        });
    if let Some(position) = owner {
        return readable(engine, partition, position);
    }
    let topology = &engine.model.shared.topology;
    let group = any.group();
    let home = topology.groups[group as usize].home;
    let coordinator = leader(engine, home).and_then(|broker| engine.model.broker(broker));
    let committed = coordinator.and_then(|broker| committed(broker, group, partition));
    match (committed, any.config.reset) {
        (Some(offset), _) => readable(engine, partition, offset),
        (None, Reset::Earliest) => readable(engine, partition, 0),
        (None, Reset::Latest | Reset::None) => Vec::new(),
    }
}

fn committed(broker: &Broker, group: u16, partition: u32) -> Option<u64> {
    broker.groups.get(&group)?.offsets.get(&partition).copied()
}

/// No election, no catching up and no fencing is under way.
fn cluster_is_settled(engine: &World) -> bool {
    let topology = &engine.model.shared.topology;
    let cluster = engine.model.cluster();
    let live_is_true = (0..topology.brokers)
        .all(|broker| is_up(engine, NodeId(broker)) == (cluster.live & only(broker) != 0));
    live_is_true
        && is_up(engine, topology.keeper)
        && (0..topology.partitions.len() as u32).all(|partition| {
            let state = &cluster.partitions[partition as usize];
            let replicas = &topology.partitions[partition as usize].replicas;
            let live = replicas.iter().fold(0, |all, &broker| all | only(broker)) & cluster.live;
            let has_settled = |leading: &Replica| {
                leading.state == *state && live & !state.isr == 0 && leading.watermark == leading.log.end()
            };
            match state.leader {
                None => live & state.isr == 0,
                Some(_) => self::leading(engine, partition).is_some_and(has_settled),
            }
        })
}
