//! A broker as its management page shows it.

use super::SECTIONS_MAX;
use crate::broker::host::Shown;
use crate::broker::picture::{Field, Section};
use crate::broker::rabbitmq::broker::channel::{Channel, Mode};
use crate::broker::rabbitmq::broker::node::Standing;
use crate::broker::rabbitmq::broker::{Broker, QueueProc};
use crate::broker::rabbitmq::topology::QueueId;
use crate::broker::rabbitmq::world::{World, broker_name, is_up, serving};
use crate::fact::NodeId;

/// What fits into its box.
pub(super) fn shown(engine: &World, node: NodeId, broker: &Broker) -> Shown {
    let all = 0..broker.queues.len() as u16;
    let led: Vec<&QueueProc> = all
        .filter_map(|queue| serving(engine, QueueId(queue)).find(|(leader, _)| *leader == node.0))
        .map(|(_, process)| process)
        .collect();
    let mut role = Vec::new();
    if !is_up(engine, node) {
        return Shown { role: "broker".to_owned(), has_disk: true, ..Shown::default() };
    }
    match broker.node.standing {
        Standing::Booting => role.push("starting".to_owned()),
        Standing::Paused => role.push("paused".to_owned()),
        Standing::Stopping => role.push("stopping".to_owned()),
        Standing::Running => {}
    }
    if broker.node.alarms[node.0 as usize] {
        role.push("alarm".to_owned());
    }
    if !broker.node.partitions.is_empty() {
        role.push("partitioned".to_owned());
    }
    if !led.is_empty() {
        role.push(format!("leads {}", led.len()));
    }
    let copies = broker.queues.iter().flatten().filter(|one| matches!(one, QueueProc::Mirror(_))).count();
    if copies > 0 {
        role.push(format!("mirrors {copies}"));
    }
    let members = broker.queues.iter().flatten();
    let follows = |one: &&QueueProc| match one {
        QueueProc::Quorum(member) => !member.leads(),
        QueueProc::Stream(stream) => !stream.leads(),
        QueueProc::Classic(_) | QueueProc::Mirror(_) => false,
    };
    let members = members.filter(follows).count();
    if members > 0 {
        role.push(format!("follows {members}"));
    }
    let ready: usize = led.iter().map(|process| process.ready()).sum();
    let unacked: usize = led.iter().map(|process| process.unacked()).sum();
    let summary = vec![
        Field::new("ready", ready),
        Field::new("unacked", unacked),
        Field::new("connections", broker.channels().count()),
    ];
    let role = if role.is_empty() { "broker".to_owned() } else { role.join(", ") };
    Shown { role, summary, has_disk: true, ..Shown::default() }
}

/// All that it knows.
pub(super) fn sections(engine: &World, node: NodeId, broker: &Broker) -> Vec<Section> {
    let mut sections = vec![overview(engine, node, broker)];
    for (number, process) in (0..).zip(&broker.queues) {
        if let Some(process) = process {
            sections.push(queue(engine, broker, QueueId(number), process));
        }
    }
    if is_up(engine, node) {
        sections.extend(broker.channels().map(|known| channel(engine, known)));
    }
    sections.truncate(SECTIONS_MAX);
    sections
}

fn overview(engine: &World, node: NodeId, broker: &Broker) -> Section {
    let names = |nodes: Vec<u16>| {
        if nodes.is_empty() {
            "none".to_owned()
        } else {
            nodes.into_iter().map(broker_name).collect::<Vec<_>>().join(", ")
        }
    };
    let all = engine.model.shared.topology.brokers;
    let standing = match broker.node.standing {
        _ if !is_up(engine, node) => "down",
        Standing::Booting => "starting",
        Standing::Running => "running",
        Standing::Paused => "paused",
        Standing::Stopping => "stopping",
    };
    if !is_up(engine, node) {
        // What its process believed is gone with it.
        return Section { title: "node".to_owned(), fields: vec![Field::new("state", standing)] };
    }
    let config = &engine.model.shared.topology.config;
    let alarmed = (0..all).filter(|&peer| broker.node.alarms[peer as usize]).collect();
    let fields = vec![
        Field::new("state", standing),
        Field::new("running nodes", names((0..all).filter(|&peer| broker.core.meta.runs(peer)).collect())),
        Field::new("partitions", names(broker.node.partitions.clone())),
        Field::new("alarms", names(alarmed)),
        Field::new(
            "memory of messages",
            memory(broker.memory(&engine.model.shared), config.memory_watermark_bytes),
        ),
        Field::new("connections", broker.channels().count()),
        Field::new("delayed messages", broker.node.delayed.waiting().count()),
    ];
    Section { title: "node".to_owned(), fields }
}

/// What messages take, and from where on publishers are blocked.
fn memory(used: u64, watermark: u64) -> String {
    let used = match used {
        0..10_000 => format!("{used} B"),
        10_000..10_000_000 => format!("{} kB", used / 1_000),
        _ => format!("{} MB", used / 1_000_000),
    };
    format!("{used}, alarm at {} MB", watermark / 1_000_000)
}

fn queue(engine: &World, broker: &Broker, id: QueueId, process: &QueueProc) -> Section {
    let spec = engine.model.shared.topology.queue(id);
    if !is_up(engine, NodeId(broker.core.id)) {
        // Who consumed, led and followed is gone with the process.
        let fields = vec![Field::new("at rest", process.at_rest())];
        return Section { title: format!("{} (on disk)", spec.name), fields };
    }
    let mut fields = vec![
        Field::new("ready", process.ready()),
        Field::new("unacked", process.unacked()),
        Field::new("total", process.messages()),
    ];
    let kind = match process {
        QueueProc::Classic(process) => {
            for consumer in process.consumers.iter() {
                let prefetch = match consumer.prefetch {
                    _ if consumer.no_ack => "automatic ack".to_owned(),
                    0 => "no prefetch".to_owned(),
                    prefetch => format!("prefetch {prefetch}"),
                };
                let name = client_of(engine, consumer.channel);
                let mut value = format!("{prefetch}, unacked {}", consumer.unacked);
                if spec.args.single_active_consumer {
                    let is_active = process.consumers.active() == Some((consumer.channel, consumer.tag));
                    value.push_str(if is_active { ", active" } else { ", waits" });
                }
                fields.push(Field::new(format!("consumer {name}"), value));
            }
            let store = &process.backing.store;
            fields.push(Field::new("persistent on disk", store.on_disk()));
            fields.push(Field::new("all written", if store.is_dirty() { "no" } else { "yes" }));
            let record = broker.core.meta.queue(id);
            if process.ring.is_some() {
                let mirrors = record.others.iter().map(|&node| {
                    let state = if record.synchronised.contains(&node) { "" } else { " (unsynchronised)" };
                    format!("{}{state}", broker_name(node))
                });
                fields.push(Field::new("mirrors", mirrors.collect::<Vec<_>>().join(", ")));
            }
            if process.ring.is_some() { "leader" } else { "classic" }
        }
        QueueProc::Mirror(_) => "mirror",
        QueueProc::Quorum(member) => {
            fields.extend(member.fields());
            if member.leads() { "quorum, leader" } else { "quorum, follower" }
        }
        QueueProc::Stream(stream) => {
            fields.extend(stream.fields(|client| engine.model.shared.client_name(client)));
            if stream.leads() { "stream, leader" } else { "stream, replica" }
        }
    };
    Section { title: format!("{} ({kind})", spec.name), fields }
}

/// The client at the other end of a channel.
fn client_of(engine: &World, channel: crate::broker::rabbitmq::message::Pid) -> String {
    use crate::broker::rabbitmq::message::Proc;
    let Proc::Channel(number) = channel.proc else { return String::new() };
    let known =
        engine.model.broker(channel.node).and_then(|broker| broker.channels.get(number as usize)?.as_ref());
    known.map_or_else(|| "gone".to_owned(), |channel| engine.model.shared.client_name(channel.client))
}

fn channel(engine: &World, known: &Channel) -> Section {
    let (by_alarm, by_flow) = known.hold();
    let state = match (by_alarm, by_flow) {
        (true, _) => "blocked",
        (_, true) => "flow",
        _ => "running",
    };
    let mode = match known.mode {
        Mode::None => "none",
        Mode::Confirm => "confirm",
        Mode::Tx => "transactional",
    };
    let fields = vec![
        Field::new("state", state),
        Field::new("mode", mode),
        Field::new("published", known.publishes()),
        Field::new("unconfirmed", known.unconfirmed()),
        Field::new("unacked", known.unacked().len()),
        Field::new("consumers", known.consumers().len()),
    ];
    Section { title: format!("channel of {}", engine.model.shared.client_name(known.client)), fields }
}
