//! A broker, as a box and with all its state.

use super::super::control::only;
use super::super::picture::{
    SECTIONS_MAX, ago, and_more, broker_config, broker_name, brokers, partitions, topic_config, until,
};
use super::super::topology::Metadata;
use super::super::world::{World, is_up};
use super::Broker;
use super::office::Work;
use super::replica::{Leading, Replica, Role};
use crate::broker::host::Shown;
use crate::broker::picture::{Field, Section};
use crate::fact::NodeId;
use crate::sim::FileId;

/// A box tells of at most so many partitions.
const FEW: usize = 3;

impl Broker {
    /// As much as fits into a box.
    pub(in super::super) fn shown(&self, engine: &World) -> Shown {
        let has_disk = true;
        if !is_up(engine, NodeId(self.id)) {
            let role = self.as_the_keeper_sees_it(engine).to_owned();
            return Shown { role, summary: self.on_disk(engine), has_disk, ..Shown::default() };
        }
        Shown { role: self.role(engine), summary: self.summary(engine), has_disk, ..Shown::default() }
    }

    fn is_registered(&self, engine: &World) -> bool {
        engine.model.cluster().live & only(self.id) != 0
    }

    fn as_the_keeper_sees_it(&self, engine: &World) -> &'static str {
        match (engine.model.shared.topology.rules.metadata, self.is_registered(engine)) {
            (Metadata::ZooKeeper, true) => "session lives on",
            (Metadata::ZooKeeper, false) => "not registered",
            (Metadata::Kraft, true) => "not fenced yet",
            (Metadata::Kraft, false) => "fenced",
        }
    }

    /// The partitions that it has a replica of and that it knows of, with those replicas.
    fn known(&self) -> impl Iterator<Item = (u32, &Replica)> {
        let replicas = (0..).zip(&self.replicas);
        replicas
            .filter_map(|(partition, replica)| Some((partition, replica.as_deref()?)))
            .filter(|(_, replica)| replica.state.exists() || replica.log.end() > 0)
    }

    fn role(&self, engine: &World) -> String {
        let leader = |partition: u32| engine.model.cluster().leader(partition);
        let (leads, stale): (Vec<_>, Vec<_>) = self
            .known()
            .filter(|(_, replica)| replica.is_leader())
            .partition(|&(partition, _)| leader(partition) == Some(self.id));
        let (leads, stale) = (leads.len(), stale.len());
        let follows =
            self.known().filter(|(_, replica)| matches!(replica.role, Role::Follower { .. })).count();
        let mut words = Vec::new();
        if !self.is_registered(engine) {
            words.push(self.as_the_keeper_sees_it(engine).to_owned());
        }
        if self.shutdown.is_some() {
            words.push("controlled shutdown".to_owned());
        }
        if self.office.is_some() {
            let is_one = engine.model.cluster().controller == Some(self.id);
            words.push(if is_one { "controller" } else { "stale controller" }.to_owned());
        }
        words.extend((stale > 0).then(|| format!("stale leader of {stale}")));
        words.extend((leads > 0).then(|| format!("leads {leads}")));
        words.extend((follows > 0).then(|| format!("follows {follows}")));
        if words.is_empty() { "idle".to_owned() } else { words.join(", ") }
    }

    fn summary(&self, engine: &World) -> Vec<Field> {
        let topology = &engine.model.shared.topology;
        let mut fields = Vec::new();
        let few = self
            .known()
            .filter(|&(partition, replica)| {
                let count = topology.partitions[partition as usize].replicas.len();
                replica.is_leader() && (replica.state.isr.count_ones() as usize) < count
            })
            .count();
        if few > 0 {
            fields.push(Field::new("under-replicated", few));
        }
        for (partition, replica) in self.of_users(engine).take(FEW) {
            let value = format!("HW {} LEO {}", replica.watermark, replica.log.end());
            fields.push(Field::new(topology.partition_name(partition), value));
        }
        for (partition, replica) in self.of_users(engine).filter(|(_, one)| one.is_leader()).take(FEW) {
            let name = format!("{} ISR", topology.partition_name(partition));
            fields.push(Field::new(name, brokers(replica.state.isr)));
        }
        let waiting = self.produces.waiting();
        if waiting > 0 {
            fields.push(Field::new("produce purgatory", waiting));
        }
        let groups: Vec<_> =
            self.groups.keys().map(|&group| topology.groups[group as usize].name.as_str()).collect();
        match groups.as_slice() {
            [] => {}
            few if few.len() <= FEW => fields.push(Field::new("coordinates", few.join(", "))),
            many => fields.push(Field::new("coordinates", format!("{} groups", many.len()))),
        }
        fields
    }

    /// What is left of a process that ended.
    fn on_disk(&self, engine: &World) -> Vec<Field> {
        let topology = &engine.model.shared.topology;
        let field = |(partition, replica): (u32, &Replica)| {
            Field::new(topology.partition_name(partition), format!("LEO {}", replica.log.end()))
        };
        self.of_users(engine).take(FEW).map(field).collect()
    }

    fn of_users<'a>(&'a self, engine: &'a World) -> impl Iterator<Item = (u32, &'a Replica)> {
        self.known().filter(|(partition, _)| engine.model.shared.topology.holds_messages(*partition))
    }

    /// All there is to know.
    pub(in super::super) fn sections(&self, engine: &World) -> Vec<Section> {
        let topology = &engine.model.shared.topology;
        let is_up = is_up(engine, NodeId(self.id));
        let mut sections = vec![self.process(engine, is_up)];
        if is_up {
            sections.push(self.requests());
            sections.extend(self.fetchers.iter().map(|(&leader, fetcher)| fetcher.section(leader, engine)));
            sections.extend(self.office_section(engine));
            let groups = self.groups.iter().take(SECTIONS_MAX);
            sections.extend(groups.map(|(&index, group)| group.section(index, engine)));
            and_more(&mut sections, self.groups.len(), "groups");
        }
        for (partition, replica) in self.known().take(SECTIONS_MAX) {
            sections.push(self.partition(partition, replica, is_up, engine));
        }
        and_more(&mut sections, self.known().count(), "partitions");
        sections.push(broker_config(&topology.config, topology.rules.metadata));
        for topic in topology.topics.iter().take(SECTIONS_MAX) {
            sections.push(topic_config(&topic.name, &topology.partitions[topic.first as usize].config));
        }
        sections
    }

    fn process(&self, engine: &World, is_up: bool) -> Section {
        let now = engine.now();
        let mut fields = vec![
            Field::new("node.id", self.id + 1),
            Field::new("process", self.incarnation),
            Field::new(
                "the keeper's view",
                if self.is_registered(engine) { "registered" } else { self.as_the_keeper_sees_it(engine) },
            ),
        ];
        if is_up {
            let keeper = match (self.keeper.is_open, self.keeper.is_ready) {
                (true, true) => "in session",
                (true, false) => "connected",
                (false, _) => "disconnected",
            };
            fields.push(Field::new("its own view", keeper));
            fields.push(Field::new("keeper heard", ago(now, self.keeper.heard)));
            if let Some(controller) = self.view.controller {
                fields.push(Field::new("controller it knows", broker_name(controller)));
            }
            fields.push(Field::new("metadata version", self.view.version));
            let last = if self.was_clean { "clean" } else { "unclean" };
            fields.push(Field::new("last shutdown", last));
            if let Some(shutdown) = &self.shutdown {
                fields.push(Field::new("controlled shutdown", shutdown.progress()));
            }
        }
        Section { title: "broker".to_owned(), fields }
    }

    fn requests(&self) -> Section {
        let (followers, consumers): (Vec<_>, Vec<_>) =
            self.parked.iter().partition(|parked| parked.is_of_follower());
        Section {
            title: "requests".to_owned(),
            fields: vec![
                Field::new("produce purgatory", self.produces.waiting()),
                Field::new("fetch purgatory (replicas)", followers.len()),
                Field::new("fetch purgatory (consumers)", consumers.len()),
            ],
        }
    }

    fn office_section(&self, engine: &World) -> Option<Section> {
        let office = self.office.as_ref()?;
        let work = match office.work {
            Work::None => "idle",
            Work::Reading => "reads ZooKeeper",
            Work::Writing(_) => "writes to ZooKeeper",
        };
        let fields = vec![
            Field::new("controller epoch", office.epoch),
            Field::new("work", work),
            Field::new("shutting down", brokers(office.stopping)),
            Field::new("live in its view", brokers(self.view.live)),
            Field::new("ZooKeeper's epoch", engine.model.cluster().controller_epoch),
        ];
        Some(Section { title: "controller".to_owned(), fields })
    }

    fn partition(&self, partition: u32, replica: &Replica, is_up: bool, engine: &World) -> Section {
        let topology = &engine.model.shared.topology;
        let title = topology.partition_name(partition);
        let mut fields = Vec::new();
        if is_up {
            let role = match replica.role {
                Role::Leader(_) => "leader".to_owned(),
                Role::Follower { leader } => format!("follower of {}", broker_name(leader)),
                Role::Offline => "offline".to_owned(),
            };
            fields.push(Field::new("role", role));
            fields.push(Field::new("leader epoch", replica.state.epoch));
            fields.push(Field::new("HW", replica.watermark));
        }
        fields.push(Field::new("LEO", replica.log.end()));
        fields.push(Field::new("HW checkpoint", replica.checkpoint));
        if is_up {
            fields.push(Field::new("ISR", brokers(replica.state.isr)));
            if topology.rules.has_elr {
                fields.push(Field::new("ELR", brokers(replica.state.elr)));
            }
            fields.push(Field::new("partition epoch", replica.state.version));
        }
        if let Role::Leader(leading) = &replica.role
            && is_up
        {
            leading.tell(replica, engine, &mut fields);
        }
        let epochs = replica.log.epochs().iter().map(|(epoch, start)| format!("{epoch} from {start}"));
        fields.push(Field::new("epochs", epochs.collect::<Vec<_>>().join(", ")));
        let durable = engine.disk(NodeId(self.id)).durable(engine.now(), FileId(partition));
        fields.push(Field::new("log bytes", replica.log.bytes()));
        fields.push(Field::new("flushed bytes", durable));
        if topology.partitions[partition as usize].config.flush_messages.is_some() && is_up {
            fields.push(Field::new("unflushed records", replica.unflushed));
        }
        if replica.has_lost {
            fields.push(Field::new("disk", "lost records once"));
        }
        Section { title, fields }
    }
}

impl Leading {
    fn tell(&self, replica: &Replica, engine: &World, fields: &mut Vec<Field>) {
        fields.push(Field::new("epoch starts at", self.epoch_start));
        if let Some(proposed) = self.proposed {
            fields.push(Field::new("proposed ISR", brokers(proposed)));
        }
        if self.is_locked {
            fields.push(Field::new("appends", "wait for ZooKeeper"));
        }
        for remote in &self.remotes {
            let name = format!("replica {}", remote.broker + 1);
            let caught_up = match remote.caught_up_at {
                _ if remote.end == Some(replica.log.end()) => "caught up".to_owned(),
                Some(at) => format!("caught up {}", ago(engine.now(), at)),
                None => "never caught up".to_owned(),
            };
            let end = remote.end.map_or_else(|| "not heard of".to_owned(), |end| format!("LEO {end}"));
            fields.push(Field::new(name, format!("{end}, {caught_up}")));
        }
        if !self.acks.is_empty() {
            fields.push(Field::new("batches awaiting ISR", self.acks.len()));
        }
        if !self.appends.is_empty() || !self.flushing.is_empty() {
            fields.push(Field::new("batches awaiting flush", self.appends.len() + self.flushing.len()));
        }
    }
}

impl super::follower::Fetcher {
    fn section(&self, leader: u16, engine: &World) -> Section {
        let now = engine.now();
        let state = match (self.is_open, self.asked_at) {
            (true, Some(at)) => format!("fetching, sent {}", ago(now, at)),
            (true, None) => "idle".to_owned(),
            (false, _) if self.conn.is_some() => "connecting".to_owned(),
            (false, _) if self.retry_at > now => format!("retries {}", until(now, self.retry_at)),
            (false, _) => "disconnected".to_owned(),
        };
        let own: Vec<_> = self.parts.iter().map(|part| part.partition).collect();
        let cutting: Vec<_> =
            self.parts.iter().filter(|part| part.is_truncating).map(|part| part.partition).collect();
        let mut fields = vec![Field::new("state", state), Field::new("partitions", partitions(engine, &own))];
        if !cutting.is_empty() {
            fields.push(Field::new("truncating", partitions(engine, &cutting)));
        }
        Section { title: format!("fetcher from {}", broker_name(leader)), fields }
    }
}
