//! A group as its coordinator has it.

use super::super::super::picture::{SECTIONS_MAX, ago, member_name, partitions, until};
use super::super::super::world::World;
use super::{Group, Phase};
use crate::broker::picture::{Field, Section};

impl Group {
    /// Whether the member was given the partition.
    pub(in super::super::super) fn owns(&self, member: u64, partition: u32) -> bool {
        self.members.get(&member).is_some_and(|known| known.assignment.contains(&partition))
    }

    /// All of it.
    pub(in super::super) fn section(&self, index: u16, engine: &World) -> Section {
        let now = engine.now();
        let topology = &engine.model.shared.topology;
        let state = match self.phase {
            Phase::Stable if self.members.is_empty() => "Empty".to_owned(),
            Phase::Stable => "Stable".to_owned(),
            Phase::Joining { until: at, .. } => format!("PreparingRebalance, ends {}", until(now, at)),
            Phase::Assigning => "CompletingRebalance".to_owned(),
        };
        let mut fields = vec![
            Field::new("state", state),
            Field::new("generation", self.generation),
            Field::new("members", self.members.len()),
        ];
        if self.members.contains_key(&self.leader) {
            fields.push(Field::new("leader", member_name(self.leader)));
        }
        for (&id, member) in self.members.iter().take(SECTIONS_MAX) {
            let owned = partitions(engine, &member.assignment);
            let waits = match (member.joining, member.syncing) {
                (Some(_), _) => ", joined".to_owned(),
                (None, Some(_)) => ", awaits assignment".to_owned(),
                (None, None) => format!(", heard {}", ago(now, member.heard)),
            };
            fields.push(Field::new(member_name(id), format!("{owned}{waits}")));
        }
        if !self.commits.is_empty() {
            fields.push(Field::new("commits under way", self.commits.len()));
        }
        for (&partition, &offset) in self.offsets.iter().take(SECTIONS_MAX) {
            fields.push(Field::new(format!("{} committed", topology.partition_name(partition)), offset));
        }
        Section { title: format!("group {}", topology.groups[index as usize].name), fields }
    }
}
