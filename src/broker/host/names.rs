//! What a run's nodes are called, and where each stands.

use std::collections::BTreeMap;

use crate::broker::picture::Station;
use crate::fact::NodeId;
use crate::scenario::plan::Plan;

/// The nodes and what they are called.
#[derive(Debug)]
pub(in crate::broker) struct NodeNames {
    pub(super) names: Vec<String>,
    sets: BTreeMap<String, Vec<NodeId>>,
    stations: Vec<Station>,
}

impl NodeNames {
    /// Nodes in the order of the cluster's roles, then producers' and consumers' instances, then services.
    pub(in crate::broker) fn new(plan: &Plan, roles: &[(&str, &str)]) -> Self {
        let mut names = Vec::new();
        let mut sets: BTreeMap<String, Vec<NodeId>> = BTreeMap::new();
        for (plural, singular) in roles {
            for number in 1..=plan.cluster.roles.get(*plural).copied().unwrap_or(0) {
                sets.entry((*plural).to_owned()).or_default().push(NodeId(names.len() as u16));
                names.push(format!("{singular}-{number}"));
            }
        }
        let mut stations = vec![Station::Cluster; names.len()];
        let producers = plan.producers.iter().map(|it| (&it.name, it.instances, "producers"));
        let consumers = plan.consumers.iter().map(|it| (&it.name, it.instances, "consumers"));
        for (name, instances, set) in producers.chain(consumers) {
            let station = if set == "producers" { Station::Senders } else { Station::Receivers };
            for instance in 1..=instances {
                stations.push(station);
                let node = NodeId(names.len() as u16);
                for set in [set, "clients", name] {
                    sets.entry(set.to_owned()).or_default().push(node);
                }
                names.push(if instances == 1 { name.clone() } else { format!("{name}/{instance}") });
                sets.insert(format!("{name}/{instance}"), vec![node]);
            }
        }
        for service in &plan.services {
            sets.insert(format!("{}/1", service.name), vec![NodeId(names.len() as u16)]);
            names.push(service.name.clone());
            stations.push(Station::Services);
        }
        for (node, name) in names.iter().enumerate() {
            sets.entry(name.clone()).or_insert_with(|| vec![NodeId(node as u16)]);
        }
        Self { names, sets, stations }
    }

    pub(super) fn count(&self) -> u16 {
        self.names.len() as u16
    }

    pub(super) fn station(&self, node: NodeId) -> Station {
        self.stations[node.0 as usize]
    }

    pub(super) fn of(&self, name: &str) -> Option<&Vec<NodeId>> {
        self.sets.get(name)
    }
}

/// The nodes of services by name; clients' nodes begin at `first`, and services' follow them.
pub(in crate::broker) fn services(plan: &Plan, first: u16) -> Vec<(String, NodeId)> {
    let instances = plan.producers.iter().map(|one| one.instances);
    let clients: u16 = instances.chain(plan.consumers.iter().map(|one| one.instances)).sum();
    let nodes = (first + clients..).map(NodeId);
    plan.services.iter().map(|service| service.name.clone()).zip(nodes).collect()
}
