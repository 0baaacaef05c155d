//! What must hold of brokers at any instant, for tests.

use super::broker::QueueProc;
use super::topology::{QueueId, QueueKind};
use super::world::{World, broker_name, running, serving};

/// Broken promises, in words.
pub(super) fn broken(engine: &World) -> Vec<String> {
    let mut broken = Vec::new();
    for (number, spec) in (0..).zip(&engine.model.shared.topology.queues) {
        let queue = QueueId(number);
        let is_partitioned = running(engine).any(|(_, broker)| !broker.node.partitions.is_empty());
        let leaders: Vec<_> = serving(engine, queue).map(|(node, _)| node).collect();
        let is_classic = matches!(spec.kind, QueueKind::Classic { .. });
        let see_each_other = leaders.iter().all(|&one| {
            leaders
                .iter()
                .all(|&other| engine.model.broker(one).is_some_and(|broker| broker.core.meta.runs(other)))
        });
        if is_classic && leaders.len() > 1 && !is_partitioned && see_each_other {
            let names: Vec<_> = leaders.iter().map(|&node| broker_name(node)).collect();
            broken.push(format!("{} is led by {}", spec.name, names.join(" and ")));
        }
        for (_, process) in serving(engine, queue) {
            if let QueueProc::Classic(process) = process {
                over_prefetch(process, &spec.name, &mut broken);
            }
        }
    }
    broken
}

/// No consumer holds more than its prefetch.
fn over_prefetch(process: &super::broker::classic::Classic, name: &str, broken: &mut Vec<String>) {
    for consumer in process.consumers.iter() {
        if consumer.prefetch > 0 && consumer.unacked > consumer.prefetch {
            broken.push(format!(
                "a consumer of {name} holds {} messages, and its prefetch is {}",
                consumer.unacked, consumer.prefetch
            ));
        }
    }
}
