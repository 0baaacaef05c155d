//! A consumer, as a box and with all its state.

use super::super::super::picture::{SECTIONS_MAX, ago, and_more, broker_name, consumer_config, partitions};
use super::super::super::world::World;
use super::super::assigned::Assigned;
use super::Consumer;
use crate::broker::host::Shown;
use crate::broker::picture::{Field, HOLDS_MAX, Section};
use crate::fact::NodeId;

/// A box tells of at most so many partitions.
const FEW: usize = 3;

impl Consumer {
    /// What the coordinator knows it as.
    pub(in super::super::super) fn member(&self) -> u64 {
        self.membership.member()
    }

    /// Messages handed over whose offsets are not committed.
    pub(in super::super::super) fn uncommitted(&self) -> u64 {
        self.assigned.iter().filter_map(Assigned::uncommitted).sum()
    }

    fn owned(&self) -> Vec<u32> {
        self.assigned.iter().map(|assigned| assigned.partition).collect()
    }

    /// As much as fits into a box.
    pub(in super::super::super) fn shown(&self, engine: &World, _node: NodeId) -> Shown {
        let topology = &engine.model.shared.topology;
        let owned = self.assigned.len();
        let mut role = self.membership.state().to_owned();
        if self.membership.is_member() {
            role = format!("{role}, owns {owned}");
        }
        let held = self.held().count();
        let mut summary = vec![
            Field::new("processing", held),
            Field::new("uncommitted", self.uncommitted()),
            Field::new("fetched ahead", self.fetched_ahead()),
        ];
        for assigned in self.assigned.iter().take(FEW) {
            let name = topology.partition_name(assigned.partition);
            let position =
                assigned.position.map_or_else(|| "unknown".to_owned(), |at| format!("position {at}"));
            summary.push(Field::new(name, position));
        }
        let group = topology.groups.get(self.group() as usize).map_or("", |group| group.name.as_str());
        summary.push(Field::new("group", group));
        summary.push(Field::new("generation", self.membership.generation()));
        Shown { role, summary, holds: self.held().take(HOLDS_MAX).collect(), held, has_disk: false }
    }

    fn fetched_ahead(&self) -> usize {
        self.assigned.iter().map(|assigned| assigned.fetched.len()).sum()
    }

    /// All there is to know.
    pub(in super::super::super) fn sections(&self, engine: &World) -> Vec<Section> {
        let now = engine.now();
        let topology = &engine.model.shared.topology;
        let mut sections = vec![self.application(engine), self.membership.section(engine)];
        sections[1].fields.push(Field::new("assignment", partitions(engine, &self.owned())));
        if self.handed_out.is_some() {
            sections[1].fields.push(Field::new("leads the group", true));
        }
        for assigned in self.assigned.iter().take(SECTIONS_MAX) {
            let leader =
                self.links.leader(assigned.partition).map_or_else(|| "unknown".to_owned(), broker_name);
            let mut fields = vec![Field::new("leader", leader)];
            assigned.tell(&mut fields);
            sections.push(Section { title: topology.partition_name(assigned.partition), fields });
        }
        and_more(&mut sections, self.assigned.len(), "partitions");
        let under_way = (0..).zip(&self.fetching).filter_map(|(broker, sent)| {
            Some(Field::new(
                format!("Fetch to {}", broker_name(broker)),
                format!("sent {}", ago(now, (*sent)?)),
            ))
        });
        let mut links = self.links.section(now);
        links.fields.extend(under_way);
        sections.push(links);
        sections.push(consumer_config(&self.config));
        sections
    }

    fn application(&self, engine: &World) -> Section {
        let now = engine.now();
        let (busy, threads) = self.worker.threads();
        let mut fields = vec![
            Field::new("from", &self.read_from),
            Field::new("busy threads", format!("{busy}/{threads}")),
            Field::new("handed over, waiting", self.worker.queued()),
            Field::new("fetched ahead", self.fetched_ahead()),
            Field::new("uncommitted", self.uncommitted()),
            Field::new("last poll", ago(now, self.polled_at)),
        ];
        if let Some(left) = self.by_hand {
            let left = if left == u32::MAX { "all there are".to_owned() } else { left.to_string() };
            fields.push(Field::new("told to get", left));
        }
        if let Some(line) = &self.service {
            fields.push(Field::new("open calls", line.open()));
        }
        if let Some(sending) = &self.sending_on {
            fields.push(Field::new("sending on", sending.under_way()));
        }
        Section { title: "consumer".to_owned(), fields }
    }
}
