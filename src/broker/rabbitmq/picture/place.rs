//! A queue with all its copies.

use crate::broker::picture::{Field, Gauge, LanePicture, OffsetMark, PlacePicture, ReaderPicture};
use crate::broker::rabbitmq::broker::rates::Rate;
use crate::broker::rabbitmq::broker::{QueueProc, index_file};
use crate::broker::rabbitmq::topology::{Destination, QueueId, QueueKind, QueueSpec, Storage, Topology};
use crate::broker::rabbitmq::world::{
    World, at_rest, broker_name, brokers, consumers, is_up, leader, of_all, ready_or_at_rest, running,
    serving, streams,
};
use crate::fact::{MessageId, NodeId, PlaceId, SubscriptionId};

/// Charts follow at most so many queues one by one.
const GAUGES_MAX: usize = 4;

/// Queues that exist, those that hold dead letters last.
pub(super) fn places(engine: &World) -> Vec<PlaceId> {
    let topology = &engine.model.shared.topology;
    let exists = |queue: &QueueId| {
        running(engine).any(|(_, broker)| broker.core.meta.exists(*queue))
            || brokers(engine).any(|(_, broker)| broker.queues[queue.0 as usize].is_some())
    };
    let mut all: Vec<_> = (0..topology.queues.len() as u16).map(QueueId).filter(exists).collect();
    all.sort_by_key(|&queue| topology.queue(queue).is_graveyard);
    all.into_iter().map(|queue| PlaceId(u32::from(queue.0))).collect()
}

pub(super) fn place(engine: &World, place: PlaceId) -> Option<PlacePicture> {
    let topology = &engine.model.shared.topology;
    let queue = QueueId(place.0 as u16);
    let spec = topology.queues.get(place.0 as usize)?;
    let mut lanes: Vec<_> = brokers(engine)
        .filter_map(|(node, broker)| Some((node, broker.queues[place.0 as usize].as_ref()?)))
        .map(|(node, process)| lane(engine, node, queue, process))
        .collect();
    lanes.sort_by_key(|lane| lane.role != "leader");
    if spec.kind == QueueKind::Stream {
        let (name, fields) = (spec.name.clone(), fields(engine, queue, spec));
        return Some(PlacePicture { place, name, fields, lanes, readers: readers(engine, queue, spec) });
    }
    let process = serving(engine, queue).next().map(|(_, process)| process);
    let lag = process.map_or_else(|| at_rest(engine, queue), QueueProc::messages) as u64;
    let readers = spec.subscription.into_iter().map(|subscription| ReaderPicture {
        subscription,
        owner: None,
        marks: Vec::new(),
        lag,
    });
    let readers = readers.collect();
    Some(PlacePicture { place, name: spec.name.clone(), fields: fields(engine, queue, spec), lanes, readers })
}

/// The consumers of a stream, each with its own position.
fn readers(engine: &World, queue: QueueId, spec: &QueueSpec) -> Vec<ReaderPicture> {
    let committed = serving(engine, queue).map(|(_, process)| process.span().0 + process.messages() as u64);
    let committed = committed.max().unwrap_or(0);
    let reader = |&subscription: &SubscriptionId| {
        let mut own = consumers(engine).filter(|(_, one)| one.worker.subscription == subscription);
        let owner = own.find(|(node, _)| streams::reader(engine, *node, queue).is_some());
        let owner = owner.map(|(node, _)| node);
        let next = streams::position(engine, queue, subscription);
        let marks = next.into_iter().map(|at| OffsetMark { name: "position", at }).collect();
        let lag = next.map_or(0, |next| committed.saturating_sub(next));
        ReaderPicture { subscription, owner, marks, lag }
    };
    spec.leads_to.iter().map(reader).collect()
}

fn fields(engine: &World, queue: QueueId, spec: &QueueSpec) -> Vec<Field> {
    let topology = &engine.model.shared.topology;
    let kind = match spec.kind {
        QueueKind::Classic { storage: Storage::V1, is_lazy: false } => "classic v1",
        QueueKind::Classic { storage: Storage::V1, is_lazy: true } => "classic v1, lazy",
        QueueKind::Classic { storage: Storage::V2, .. } => "classic v2",
        QueueKind::Quorum => "quorum",
        QueueKind::Stream => "stream",
    };
    let process = serving(engine, queue).next().map(|(_, process)| process);
    let mut fields = match process {
        Some(process) => vec![
            Field::new("ready", process.ready()),
            Field::new("unacked", of_all(engine, queue, QueueProc::unacked)),
            Field::new("total", process.messages()),
        ],
        // Whatever it has, nobody can have it now.
        None => vec![Field::new("at rest", at_rest(engine, queue))],
    };
    fields.extend([
        Field::new("type", kind),
        Field::new("features", features(spec)),
        Field::new("leader", leader(engine, queue).map_or_else(|| "none".to_owned(), broker_name)),
        Field::new("consumers", of_all(engine, queue, QueueProc::consumers)),
    ]);
    let bindings = bindings(topology, queue);
    if !bindings.is_empty() {
        fields.push(Field::new("bindings", bindings.join(", ")));
    }
    if let Some(letter) = spec.args.dead_letter {
        let exchange =
            letter.exchange.map_or("missing", |exchange| topology.exchange(exchange).name.as_str());
        let exchange = if exchange.is_empty() { "(default)" } else { exchange };
        let key = letter.key.map_or(String::new(), |key| format!(" \"{}\"", topology.key(key)));
        fields.push(Field::new("dead letters", format!("to {exchange}{key}")));
    }
    fields
}

/// As the management page abbreviates what a queue has.
pub(in crate::broker::rabbitmq) const ABBREVIATIONS: &[(&str, &str)] = &[
    ("D", "durable"),
    ("AD", "auto-delete"),
    ("Excl", "exclusive"),
    ("TTL", "messages expire"),
    ("Exp", "the queue expires"),
    ("Lim", "at most so many messages"),
    ("Lim B", "at most so many bytes"),
    ("DLX", "has a dead letter exchange"),
    ("Pri", "knows priorities"),
    ("SAC", "single active consumer"),
    ("HA", "mirrored by a policy"),
];

/// What a queue has, abbreviated.
fn features(spec: &QueueSpec) -> String {
    let args = &spec.args;
    let has = [
        spec.durable,
        spec.auto_delete,
        spec.exclusive,
        args.message_ttl.is_some(),
        args.expires.is_some(),
        args.max_length.is_some(),
        args.max_length_bytes.is_some(),
        args.dead_letter.is_some(),
        args.max_priority.is_some(),
        args.single_active_consumer,
        args.ha.is_some(),
    ];
    let named = ABBREVIATIONS.iter().zip(has).filter(|(_, has)| *has);
    let named: Vec<_> = named.map(|((name, _), _)| *name).collect();
    if named.is_empty() { "none".to_owned() } else { named.join(" ") }
}

/// What leads to a queue.
fn bindings(topology: &Topology, queue: QueueId) -> Vec<String> {
    let of = |exchange: &crate::broker::rabbitmq::topology::Exchange| {
        let mine = exchange.bindings.iter().filter(|one| one.to == Destination::Queue(queue));
        mine.map(|one| format!("{} \"{}\"", exchange.name, topology.key(one.key))).collect::<Vec<_>>()
    };
    topology.exchanges.iter().flat_map(of).collect()
}

fn lane(engine: &World, node: NodeId, queue: QueueId, process: &QueueProc) -> LanePicture {
    let is_serving = serving(engine, queue).any(|(leader, _)| leader == node.0);
    let role = match process {
        QueueProc::Classic(_) | QueueProc::Quorum(_) | QueueProc::Stream(_) if is_serving => "leader",
        QueueProc::Classic(_) => "on disk",
        _ if !is_up(engine, node) => "on disk",
        QueueProc::Mirror(_) => "mirror",
        QueueProc::Quorum(_) => "follower",
        QueueProc::Stream(_) => "replica",
    };
    let mark = match process {
        QueueProc::Stream(stream) => Some(OffsetMark { name: "committed", at: stream.committed() }),
        process => process.head().map(|at| OffsetMark { name: "head", at }),
    };
    let (start, end) = process.span();
    let on_device = engine.disk(node).durable(engine.now(), index_file(queue));
    let durable = process.durable_to(on_device);
    let held = (!matches!(process, QueueProc::Stream(_))).then(|| {
        let (mut count, mut safe) = (0, 0);
        process
            .each_numbered(&mut |number, _| (count, safe) = (count + 1, safe + u64::from(number < durable)));
        (count, safe)
    });
    LanePicture {
        node,
        name: String::new(),
        role: role.to_owned(),
        is_live: is_up(engine, node),
        start,
        end,
        durable,
        held,
        marks: mark.into_iter().collect(),
    }
}

/// What a copy holds, by the queue's own numbers.
pub(super) fn cells(
    engine: &World,
    (place, node): (PlaceId, NodeId),
    from: u64,
    to: u64,
) -> Vec<Option<MessageId>> {
    let broker = engine.model.broker(node.0);
    let process = broker.and_then(|broker| broker.queues.get(place.0 as usize)?.as_ref());
    let mut cells = vec![None; to.saturating_sub(from) as usize];
    if let Some(process) = process {
        process.each_numbered(&mut |number, envelope| {
            if (from..to).contains(&number) {
                cells[(number - from) as usize] = Some(engine.model.shared.content.message(envelope));
            }
        });
    }
    cells
}

/// What charts follow.
pub(super) fn gauges(engine: &World) -> Vec<Gauge> {
    let topology = &engine.model.shared.topology;
    let mut gauges = Vec::new();
    for (number, spec) in (0..).zip(&topology.queues).take(GAUGES_MAX) {
        let (ready, unacked) =
            (ready_or_at_rest(engine, QueueId(number)), of_all(engine, QueueId(number), QueueProc::unacked));
        gauges.push(Gauge { name: format!("ready {}", spec.name), value: ready as i64 });
        gauges.push(Gauge { name: format!("unacked {}", spec.name), value: unacked as i64 });
    }
    for rate in Rate::ALL {
        let all = running(engine).map(|(_, broker)| broker.core.rates.of(rate, engine.now()));
        gauges.push(Gauge { name: format!("{}/s", rate.name()), value: i64::from(all.sum::<u32>()) });
    }
    let alarms = running(engine).filter(|(node, broker)| broker.node.alarms[node.0 as usize]).count();
    let parted = running(engine).filter(|(_, broker)| !broker.node.partitions.is_empty()).count();
    gauges.push(Gauge { name: "nodes with an alarm".to_owned(), value: alarms as i64 });
    gauges.push(Gauge { name: "partitioned nodes".to_owned(), value: parted as i64 });
    gauges
}
