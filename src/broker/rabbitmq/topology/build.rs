//! From the plan to the fixed shape of its runs.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::arguments::{Arguments, headers, words};
use super::{
    Alternate, Binding, ConsumerSpec, Destination, Exchange, ExchangeId, ExchangeKind, Ha, HaMode, KeyId,
    Matching, QueueArgs, QueueId, QueueKind, QueueSpec, Storage, Topology, VhostId,
};
use super::{replies, stamps};
use crate::broker::rabbitmq::config::ClusterConfig;
use crate::broker::rabbitmq::describe;
use crate::broker::rabbitmq::policy::{self, Policy};
use crate::broker::rabbitmq::rules::{MetadataStore, Rules};
use crate::scenario::duration;
use crate::scenario::plan::{Config, ConsumerPlan, EntityPlan, Plan, Value};

/// Exchanges that every vhost has.
const PREDECLARED: &[(&str, ExchangeKind)] = &[
    ("", ExchangeKind::Default),
    ("amq.direct", ExchangeKind::Direct),
    ("amq.fanout", ExchangeKind::Fanout),
    ("amq.topic", ExchangeKind::Topic),
    ("amq.headers", ExchangeKind::Headers),
    ("amq.match", ExchangeKind::Headers),
];

/// The routing keys that were met, each once.
#[derive(Debug, Default)]
pub(in crate::broker::rabbitmq) struct Interner {
    numbers: BTreeMap<Box<str>, KeyId>,
}

impl Interner {
    pub(super) fn key(&mut self, text: &str) -> KeyId {
        let next = KeyId(self.numbers.len() as u32);
        match self.numbers.get(text) {
            Some(key) => *key,
            None => *self.numbers.entry(text.into()).or_insert(next),
        }
    }

    fn all(&self) -> Vec<Box<str>> {
        let mut all = vec![Box::from(""); self.numbers.len()];
        for (text, key) in &self.numbers {
            all[key.0 as usize] = text.clone();
        }
        all
    }
}

/// The value of a field as text; empty: it is not written.
pub(super) fn text(fields: &Config, name: &str) -> String {
    fields.get(name).map(Value::shown).unwrap_or_default()
}

fn flag(fields: &Config, name: &str, otherwise: bool) -> bool {
    match fields.get(name) {
        Some(Value::Bool(truth)) => *truth,
        _ => otherwise,
    }
}

fn of<'p>(entities: &'p [EntityPlan], kind: &str) -> impl Iterator<Item = &'p EntityPlan> {
    entities.iter().filter(move |entity| entity.kind == kind)
}

/// What `[cluster] metadata` says, else what the release does.
fn metadata(plan: &Plan) -> MetadataStore {
    match text(&plan.cluster.fields, "metadata").as_str() {
        "khepri" => MetadataStore::Khepri,
        "mnesia" => MetadataStore::Mnesia,
        _ => Rules::of(plan.version).metadata,
    }
}

impl Topology {
    /// The shape that a plan asks for.
    pub(in crate::broker::rabbitmq) fn new(plan: &Plan) -> Self {
        let (mut topology, mut keys) = Self::of_entities(plan);
        topology.consumers = plan.consumers.iter().map(|consumer| topology.consumer(consumer)).collect();
        stamps::add(&mut topology, plan, &mut keys);
        replies::add(&mut topology, plan, &mut keys);
        topology.index(&keys);
        topology.attribute(plan.consumers.is_empty());
        topology
    }

    /// The same without clients, and the keys that were met.
    pub(in crate::broker::rabbitmq) fn of_entities(plan: &Plan) -> (Self, Interner) {
        let rules = Rules { metadata: metadata(plan), ..Rules::of(plan.version) };
        let brokers = plan.cluster.roles.get("brokers").copied().unwrap_or(1).max(1);
        let mut vhosts = vec!["/".to_owned()];
        vhosts.extend(of(&plan.entities, "vhost").map(|one| one.name.clone()).filter(|name| name != "/"));
        let listed = |field: &str, name: &str| match plan.cluster.fields.get(field) {
            Some(Value::Texts(names)) => names.iter().any(|one| one == name),
            _ => false,
        };
        let mut topology = Self {
            brokers,
            ram: (1..=brokers).map(|number| listed("ram", &format!("broker-{number}"))).collect(),
            rules,
            config: ClusterConfig::new(plan, &rules),
            vhosts,
            exchanges: Vec::new(),
            queues: Vec::new(),
            policies: Vec::new(),
            keys: Vec::new(),
            stamps: Vec::new(),
            producers: Vec::new(),
            consumers: Vec::new(),
            replies: Vec::new(),
            direct_reply: None,
            named: Vec::new(),
            entities: plan.entities.clone(),
        };
        let mut keys = Interner::default();
        let vhost_of = |one: &EntityPlan| topology.vhost_of(&one.fields);
        topology.policies = of(&plan.entities, "policy").map(|one| Policy::new(one, vhost_of(one))).collect();
        topology.add_exchanges(&plan.entities);
        topology.add_queues(plan, &mut keys);
        topology.resolve(&plan.entities, &mut keys);
        topology.bind(&plan.entities, &mut keys);
        topology.index(&keys);
        (topology, keys)
    }

    /// An administrator changes a policy; whether that changes anything of a queue or an exchange.
    pub(in crate::broker::rabbitmq) fn alter(&mut self, name: &str, fields: &Config) -> bool {
        let Some(at) = self.policies.iter().position(|policy| policy.name == name) else { return false };
        let mut entities = std::mem::take(&mut self.entities);
        if let Some(entity) = entities.iter_mut().find(|one| one.kind == "policy" && one.name == name) {
            for (field, value) in fields {
                let is_field = describe::is_policy_field(field);
                let table = if is_field { &mut entity.fields } else { &mut entity.config };
                table.insert(field.clone(), value.clone());
            }
            self.policies[at] = Policy::new(entity, self.policies[at].vhost);
        }
        let queues = |all: &[QueueSpec]| -> Vec<_> {
            all.iter().map(|queue| (queue.args.clone(), queue.kind)).collect()
        };
        let exchanges =
            |all: &[Exchange]| -> Vec<_> { all.iter().map(|exchange| exchange.alternate).collect() };
        let before = (queues(&self.queues), exchanges(&self.exchanges));
        let homes: Vec<_> = self.queues.iter().map(|one| (one.home, one.members.clone())).collect();
        let mut keys = Interner::default();
        for key in &self.keys {
            keys.key(key);
        }
        self.resolve(&entities, &mut keys);
        // Where a queue was when the run began does not change.
        for (queue, (home, members)) in self.queues.iter_mut().zip(homes) {
            (queue.home, queue.members) = (home, members);
        }
        self.entities = entities;
        self.index(&keys);
        self.attribute(self.consumers.is_empty());
        before != (queues(&self.queues), exchanges(&self.exchanges))
    }

    /// The vhost that a table names; the first if it names none.
    pub(super) fn vhost_of(&self, fields: &Config) -> VhostId {
        let name = text(fields, "vhost");
        VhostId(self.vhosts.iter().position(|known| *known == name).unwrap_or(0) as u16)
    }

    /// The exchange of that name.
    pub(in crate::broker::rabbitmq) fn exchange_named(
        &self,
        vhost: VhostId,
        name: &str,
    ) -> Option<ExchangeId> {
        let is_it = |one: &Exchange| one.vhost == vhost && one.name == name;
        self.exchanges.iter().position(is_it).map(|at| ExchangeId(at as u16))
    }

    /// The exchange of that name, if somebody declares it.
    pub(super) fn declared(&self, vhost: VhostId, name: &str) -> Option<ExchangeId> {
        self.exchange_named(vhost, name).filter(|id| self.exchange(*id).is_declared)
    }

    fn add_exchanges(&mut self, entities: &[EntityPlan]) {
        for number in 0..self.vhosts.len() {
            for (name, kind) in PREDECLARED {
                self.exchanges.push(exchange(name, VhostId(number as u16), *kind));
            }
        }
        for entity in of(entities, "exchange") {
            let fields = &entity.fields;
            let (written, inner) = (text(fields, "type"), text(&entity.config, "x-delayed-type"));
            let is_delayed = written == describe::DELAYED_TYPE;
            let kind = match if is_delayed { inner.as_str() } else { written.as_str() } {
                "fanout" => ExchangeKind::Fanout,
                "topic" => ExchangeKind::Topic,
                "headers" => ExchangeKind::Headers,
                _ => ExchangeKind::Direct,
            };
            self.exchanges.push(Exchange {
                is_delayed,
                durable: flag(fields, "durable", true),
                internal: flag(fields, "internal", false),
                is_declared: flag(fields, "declared", true),
                ..exchange(&entity.name, self.vhost_of(fields), kind)
            });
        }
    }

    fn add_queues(&mut self, plan: &Plan, keys: &mut Interner) {
        let mut load = vec![0u32; usize::from(self.brokers.max(1))];
        for (number, entity) in of(&plan.entities, "queue").enumerate() {
            let fields = &entity.fields;
            let kind = match text(&entity.config, "x-queue-type").as_str() {
                "quorum" => QueueKind::Quorum,
                "stream" => QueueKind::Stream,
                _ => QueueKind::Classic { storage: self.rules.default_storage, is_lazy: false },
            };
            let exclusive = flag(fields, "exclusive", false);
            let declared_at = duration(&text(fields, "declared_at")).ok();
            let home = self.home(plan, entity, number, &load);
            load[usize::from(home)] += 1;
            self.queues.push(QueueSpec {
                name: entity.name.clone(),
                key: keys.key(&entity.name),
                vhost: self.vhost_of(fields),
                kind,
                durable: flag(fields, "durable", true),
                exclusive,
                auto_delete: flag(fields, "auto_delete", false),
                is_declared: flag(fields, "declared", !exclusive) && declared_at.is_none(),
                declared_at,
                home,
                members: vec![home],
                args: QueueArgs::default(),
                subscription: None,
                leads_to: Vec::new(),
                is_graveyard: false,
                graves: Vec::new(),
            });
        }
    }

    /// Where a queue is born: where it says; an exclusive one where its consumer is; else where the locator puts it. It
    /// is declared at the first broker.
    fn home(&self, plan: &Plan, entity: &EntityPlan, number: usize, load: &[u32]) -> u16 {
        if let Some(node) = describe::broker_number(&text(&entity.fields, "on")) {
            return node.min(self.brokers - 1);
        }
        if flag(&entity.fields, "exclusive", false) {
            let reader = plan.consumers.iter().find(|one| describe::leads_to(&one.read_from, &entity.name));
            let node = reader.and_then(|reader| describe::broker_number(reader.connect_to.first()?));
            return node.unwrap_or(0).min(self.brokers - 1);
        }
        let vhost = self.vhost_of(&entity.fields);
        let kind = QueueKind::Classic { storage: Storage::V1, is_lazy: false };
        let policy = policy::of_queue(&self.policies, vhost, &entity.name, kind);
        let locators = ["queue-leader-locator", "queue-master-locator"];
        let written = locators.iter().find_map(|name| {
            let argument = entity.config.get(&format!("x-{name}"));
            argument.or_else(|| policy?.definition.get(*name))
        });
        let names = ["queue_leader_locator", "queue_master_locator"];
        let of_cluster = || names.iter().find_map(|name| plan.cluster.config.get(*name));
        let locator = written.or_else(of_cluster).map(Value::shown).unwrap_or_default();
        match locator.as_str() {
            "balanced" | "min-masters" => {
                let least = load.iter().min().copied().unwrap_or(0);
                load.iter().position(|count| *count == least).unwrap_or(0) as u16
            }
            "random" => (number % load.len()) as u16,
            _ => 0,
        }
    }

    /// What arguments and policies make of queues and exchanges.
    fn resolve(&mut self, entities: &[EntityPlan], keys: &mut Interner) {
        for (number, entity) in of(entities, "queue").enumerate() {
            let QueueSpec { vhost, kind, home, .. } = self.queues[number];
            let policy = policy::of_queue(&self.policies, vhost, &entity.name, kind);
            let none = Config::new();
            let view = Arguments {
                written: &entity.config,
                policy: policy.map_or(&none, |policy| &policy.definition),
                rules: self.rules,
            };
            let mut args = view.resolve(self, vhost, kind, keys);
            if self.queues[number].exclusive {
                // It goes with its connection, and is never mirrored.
                args.ha = None;
            }
            let kind = view.kind(kind, self.config.default_storage);
            let size = view.size(kind, self);
            let members = self.members(home, kind, args.ha.as_ref(), size);
            let queue = &mut self.queues[number];
            (queue.kind, queue.args, queue.home) = (kind, args, members[0]);
            queue.members = members;
        }
        for at in 0..self.exchanges.len() {
            let (vhost, name) = (self.exchanges[at].vhost, self.exchanges[at].name.clone());
            let entity = of(entities, "exchange").find(|entity| entity.name == name);
            let argument = entity.and_then(|entity| entity.config.get("alternate-exchange"));
            let policy = policy::of_exchange(&self.policies, vhost, &name);
            let named = argument.or_else(|| policy?.definition.get("alternate-exchange"));
            self.exchanges[at].alternate = named.filter(|_| !name.is_empty()).map(|named| {
                self.exchange_named(vhost, &named.shown()).map_or(Alternate::Missing, Alternate::Exchange)
            });
        }
    }

    /// The nodes that hold a queue when the run begins, its leader first.
    fn members(&self, home: u16, kind: QueueKind, ha: Option<&Ha>, size: u64) -> Vec<u16> {
        let around = |count: u64| -> Vec<u16> {
            let count = count.clamp(1, u64::from(self.brokers)) as u16;
            (0..count).map(|step| (home + step) % self.brokers).collect()
        };
        match (kind, ha) {
            (QueueKind::Quorum | QueueKind::Stream, _) => around(size),
            (_, None) => vec![home],
            (_, Some(Ha { mode: HaMode::All, .. })) => around(u64::from(self.brokers)),
            (_, Some(Ha { mode: HaMode::Exactly(count), .. })) => around(u64::from(*count)),
            (_, Some(Ha { mode: HaMode::Nodes(nodes), .. })) => {
                let there: Vec<u16> = nodes.iter().copied().filter(|node| *node < self.brokers).collect();
                match there.iter().position(|node| *node == home) {
                    None if there.is_empty() => vec![home],
                    at => {
                        let mut members = there;
                        members.swap(0, at.unwrap_or(0));
                        members
                    }
                }
            }
        }
    }

    /// Bindings, which stand with what they lead to.
    fn bind(&mut self, entities: &[EntityPlan], keys: &mut Interner) {
        for (at, entity) in of(entities, "queue").enumerate() {
            let vhost = self.queues[at].vhost;
            self.bind_to(entity, vhost, Destination::Queue(QueueId(at as u16)), keys);
        }
        for entity in of(entities, "exchange") {
            let vhost = self.vhost_of(&entity.fields);
            if let Some(to) = self.exchange_named(vhost, &entity.name) {
                self.bind_to(entity, vhost, Destination::Exchange(to), keys);
            }
        }
    }

    fn bind_to(&mut self, entity: &EntityPlan, vhost: VhostId, to: Destination, keys: &mut Interner) {
        let Some(Value::Tables(all)) = entity.fields.get("bind") else { return };
        for binding in all {
            let Some(from) = self.exchange_named(vhost, &text(binding, "exchange")) else { continue };
            let key = text(binding, "routing_key");
            let none = Config::new();
            let arguments = match binding.get("arguments") {
                Some(Value::Table(table)) => table,
                _ => &none,
            };
            let binding = Binding {
                to,
                key: keys.key(&key),
                pattern: words(&key),
                headers: headers(arguments),
                matching: match text(arguments, "x-match").as_str() {
                    "any" => Matching::Any,
                    "all-with-x" => Matching::AllWithX,
                    "any-with-x" => Matching::AnyWithX,
                    _ => Matching::All,
                },
            };
            let bindings = &mut self.exchanges[usize::from(from.0)].bindings;
            if !bindings.contains(&binding) {
                bindings.push(binding);
            }
        }
    }

    fn consumer(&self, consumer: &ConsumerPlan) -> ConsumerSpec {
        let vhost = self.vhost_of(&consumer.fields);
        let is_read = |queue: &QueueSpec| describe::leads_to(&consumer.read_from, &queue.name);
        let numbers = (0..self.queues.len() as u16).map(QueueId);
        ConsumerSpec {
            vhost,
            queues: numbers.filter(|id| is_read(self.queue(*id))).collect(),
            takes_one: text(&consumer.fields, "queues") == "one each",
            sends_on: None,
        }
    }

    /// What the default exchange routes by.
    pub(super) fn index(&mut self, keys: &Interner) {
        self.keys = keys.all();
        self.named = vec![vec![None; self.keys.len()]; self.vhosts.len()];
        for (number, queue) in self.queues.iter().enumerate() {
            self.named[usize::from(queue.vhost.0)][queue.key.0 as usize] = Some(QueueId(number as u16));
        }
        for exchange in &mut self.exchanges {
            exchange.cache = OnceLock::new();
        }
    }
}

fn exchange(name: &str, vhost: VhostId, kind: ExchangeKind) -> Exchange {
    Exchange {
        name: name.to_owned(),
        vhost,
        kind,
        is_delayed: false,
        durable: true,
        internal: false,
        is_declared: true,
        alternate: None,
        bindings: Vec::new(),
        cache: OnceLock::new(),
    }
}
