//! From the plan to the fixed shape of its runs.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use super::arguments::{Arguments, headers, words};
use super::{
    Alternate, Binding, ConsumerSpec, DeadLetter, Destination, Exchange, ExchangeId, ExchangeKind, Ha,
    HaMode, Headers, KeyId, Matching, QueueArgs, QueueId, QueueKind, QueueSpec, Stamp, Storage, Topology,
    VhostId,
};
use super::{replies, stamps};
use crate::broker::rabbitmq::config::ClusterConfig;
use crate::broker::rabbitmq::describe;
use crate::broker::rabbitmq::policy::{self, Policy};
use crate::broker::rabbitmq::rules::Rules;
use crate::fact::SubscriptionId;
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
pub(super) struct Interner {
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

fn of<'p>(plan: &'p Plan, kind: &str) -> impl Iterator<Item = &'p EntityPlan> {
    plan.entities.iter().filter(move |entity| entity.kind == kind)
}

impl Topology {
    /// The shape that a plan asks for.
    pub(in crate::broker::rabbitmq) fn new(plan: &Plan) -> Self {
        let rules = Rules::of(plan.version);
        let brokers = plan.cluster.roles.get("brokers").copied().unwrap_or(1);
        let mut vhosts = vec!["/".to_owned()];
        vhosts.extend(of(plan, "vhost").map(|vhost| vhost.name.clone()).filter(|name| name != "/"));
        let is_ram = |node: u16| match plan.cluster.fields.get("ram") {
            Some(Value::Texts(names)) => names.iter().any(|name| describe::broker_number(name) == Some(node)),
            _ => false,
        };
        let has_plugin = |name: &str| match plan.cluster.fields.get("plugins") {
            Some(Value::Texts(names)) => names.iter().any(|one| one == name),
            _ => false,
        };
        let mut topology = Self {
            brokers,
            ram: (0..brokers).map(is_ram).collect(),
            rules,
            config: ClusterConfig::new(plan, &rules),
            has_delayed_exchange: has_plugin(describe::DELAYED_PLUGIN),
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
        };
        let mut keys = Interner::default();
        topology.policies =
            of(plan, "policy").map(|policy| Policy::new(policy, topology.vhost_of(&policy.fields))).collect();
        topology.add_exchanges(plan);
        topology.add_queues(plan, &mut keys);
        topology.resolve(plan, &mut keys);
        topology.bind(plan, &mut keys);
        topology.consumers = plan.consumers.iter().map(|consumer| topology.consumer(consumer)).collect();
        stamps::add(&mut topology, plan, &mut keys);
        replies::add(&mut topology, plan, &mut keys);
        topology.keys = keys.all();
        topology.index();
        topology.attribute(plan);
        topology
    }

    /// What an administrator's change of an entity makes of it: policies alone can be changed.
    pub(in crate::broker::rabbitmq) fn alter(&mut self, plan: &Plan, name: &str, fields: &Config) -> bool {
        let Some(at) = self.policies.iter().position(|policy| policy.name == name) else { return false };
        let Some(entity) = of(plan, "policy").find(|entity| entity.name == name) else { return false };
        let mut changed = entity.clone();
        changed.config.clone_from(&self.policies[at].definition);
        for (field, value) in fields {
            let is_field = describe::is_policy_field(field);
            let table = if is_field { &mut changed.fields } else { &mut changed.config };
            table.insert(field.clone(), value.clone());
        }
        self.policies[at] = Policy::new(&changed, self.policies[at].vhost);
        let before: Vec<_> = self.queues.iter().map(|queue| (queue.args.clone(), queue.kind)).collect();
        let mut keys = Interner::default();
        for key in &self.keys {
            keys.key(key);
        }
        self.resolve(plan, &mut keys);
        self.keys = keys.all();
        self.index();
        self.attribute(plan);
        self.queues
            .iter()
            .zip(before)
            .any(|(queue, before)| (&queue.args, queue.kind) != (&before.0, before.1))
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

    fn add_exchanges(&mut self, plan: &Plan) {
        for number in 0..self.vhosts.len() {
            for (name, kind) in PREDECLARED {
                self.exchanges.push(exchange(name, VhostId(number as u16), *kind));
            }
        }
        for entity in of(plan, "exchange") {
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
                auto_delete: flag(fields, "auto_delete", false),
                internal: flag(fields, "internal", false),
                is_declared: flag(fields, "declared", true),
                ..exchange(&entity.name, self.vhost_of(fields), kind)
            });
        }
    }

    fn add_queues(&mut self, plan: &Plan, keys: &mut Interner) {
        let mut load = vec![0u32; usize::from(self.brokers.max(1))];
        for (number, entity) in of(plan, "queue").enumerate() {
            let fields = &entity.fields;
            let kind = match text(&entity.config, "x-queue-type").as_str() {
                "quorum" => QueueKind::Quorum,
                "stream" => QueueKind::Stream,
                _ => QueueKind::Classic { storage: self.rules.default_storage, is_lazy: false },
            };
            let home = self.home(plan, entity, number, &load);
            load[usize::from(home)] += 1;
            let exclusive = flag(fields, "exclusive", false);
            self.queues.push(QueueSpec {
                name: entity.name.clone(),
                key: keys.key(&entity.name),
                vhost: self.vhost_of(fields),
                kind,
                durable: flag(fields, "durable", true),
                exclusive,
                auto_delete: flag(fields, "auto_delete", false),
                is_declared: flag(fields, "declared", !exclusive),
                home,
                members: vec![home],
                args: QueueArgs::default(),
                subscription: None,
                leads_to: Vec::new(),
                is_graveyard: false,
            });
        }
    }

    /// Where a queue is born: where it says, else where the locator puts it. It is declared at the first broker.
    fn home(&self, plan: &Plan, entity: &EntityPlan, number: usize, load: &[u32]) -> u16 {
        if let Some(node) = describe::broker_number(&text(&entity.fields, "on")) {
            return node.min(self.brokers.saturating_sub(1));
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
    fn resolve(&mut self, plan: &Plan, keys: &mut Interner) {
        for (number, entity) in of(plan, "queue").enumerate() {
            let QueueSpec { vhost, kind, home, .. } = self.queues[number];
            let policy = policy::of_queue(&self.policies, vhost, &entity.name, kind);
            let none = Config::new();
            let view = Arguments {
                written: &entity.config,
                policy: policy.map_or(&none, |policy| &policy.definition),
                rules: self.rules,
            };
            let args = view.resolve(self, vhost, kind, keys);
            let kind = view.kind(kind);
            let members = self.members(home, kind, &args, &view);
            let queue = &mut self.queues[number];
            (queue.kind, queue.args, queue.home) = (kind, args, members[0]);
            queue.members = members;
        }
        for at in 0..self.exchanges.len() {
            let (vhost, name) = (self.exchanges[at].vhost, self.exchanges[at].name.clone());
            let entity = of(plan, "exchange").find(|entity| entity.name == name);
            let argument = entity.and_then(|entity| entity.config.get("alternate-exchange"));
            let policy = policy::of_exchange(&self.policies, vhost, &name);
            let named = argument.or_else(|| policy?.definition.get("alternate-exchange"));
            self.exchanges[at].alternate = named.filter(|_| !name.is_empty()).map(|named| {
                self.exchange_named(vhost, &named.shown()).map_or(Alternate::Missing, Alternate::Exchange)
            });
        }
    }

    /// The nodes that hold a queue when the run begins, its leader first.
    fn members(&self, home: u16, kind: QueueKind, args: &QueueArgs, view: &Arguments<'_>) -> Vec<u16> {
        let around = |count: u16| {
            (0..count.clamp(1, self.brokers)).map(|step| (home + step) % self.brokers).collect::<Vec<_>>()
        };
        match (kind, &args.ha) {
            (QueueKind::Quorum | QueueKind::Stream, _) => {
                let size = view.number("quorum-initial-group-size").or(view.number("initial-cluster-size"));
                let size = match kind {
                    QueueKind::Stream => size.map_or(self.brokers, |size| size as u16),
                    _ => size.map_or(view.rules.quorum_group_size, |size| size as u16),
                };
                around(size)
            }
            (_, None) => vec![home],
            (_, Some(Ha { mode: HaMode::All, .. })) => around(self.brokers),
            (_, Some(Ha { mode: HaMode::Exactly(count), .. })) => around(*count),
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
    fn bind(&mut self, plan: &Plan, keys: &mut Interner) {
        for (at, entity) in of(plan, "queue").enumerate() {
            let vhost = self.queues[at].vhost;
            self.bind_to(entity, vhost, Destination::Queue(QueueId(at as u16)), keys);
        }
        for entity in of(plan, "exchange") {
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
    fn index(&mut self) {
        self.named = vec![vec![None; self.keys.len()]; self.vhosts.len()];
        for (number, queue) in self.queues.iter().enumerate() {
            self.named[usize::from(queue.vhost.0)][queue.key.0 as usize] = Some(QueueId(number as u16));
        }
        for exchange in &mut self.exchanges {
            exchange.cache = OnceLock::new();
        }
    }

    /// Who gets each queue's messages in the end.
    fn attribute(&mut self, plan: &Plan) {
        let is_audit = plan.consumers.is_empty();
        let first = |id: QueueId| {
            let reads = |consumer: &ConsumerSpec| consumer.queues.contains(&id);
            match self.consumers.iter().position(reads) {
                Some(at) => Some(SubscriptionId(at as u16)),
                None => is_audit.then_some(SubscriptionId(0)),
            }
        };
        let subscriptions: Vec<_> = (0..self.queues.len() as u16).map(|at| first(QueueId(at))).collect();
        for (queue, subscription) in self.queues.iter_mut().zip(subscriptions) {
            queue.subscription = subscription;
        }
        let mut found: Vec<(Vec<SubscriptionId>, Vec<QueueId>)> = Vec::new();
        for at in 0..self.queues.len() as u16 {
            found.push(self.dead_ends(QueueId(at)));
        }
        let targets: Vec<QueueId> = found.iter().flat_map(|(_, reached)| reached.iter().copied()).collect();
        for (at, (leads_to, _)) in found.into_iter().enumerate() {
            let is_read = self.consumers.iter().any(|one| one.queues.contains(&QueueId(at as u16)));
            let queue = &mut self.queues[at];
            queue.is_graveyard = !is_read && targets.contains(&QueueId(at as u16));
            queue.leads_to = leads_to;
        }
    }

    /// The subscriptions that get a queue's messages, and the queues that its dead letters reach at once.
    fn dead_ends(&self, id: QueueId) -> (Vec<SubscriptionId>, Vec<QueueId>) {
        let direct = self.dead_letters_of(id);
        if let Some(subscription) = self.queue(id).subscription {
            return (vec![subscription], direct);
        }
        let (mut seen, mut open, mut all) = (vec![id], direct.clone(), Vec::new());
        while let Some(next) = open.pop() {
            if seen.contains(&next) {
                continue;
            }
            seen.push(next);
            match self.queue(next).subscription {
                Some(subscription) => all.push(subscription),
                None => open.extend(self.dead_letters_of(next)),
            }
        }
        all.sort_unstable();
        all.dedup();
        (all, direct)
    }

    /// The queues that a queue's dead letters can reach: with the key that it gives them, or with any that they can
    /// have come with.
    fn dead_letters_of(&self, id: QueueId) -> Vec<QueueId> {
        let queue = self.queue(id);
        let Some(DeadLetter { exchange: Some(exchange), key, .. }) = queue.args.dead_letter else {
            return Vec::new();
        };
        let mut all = Vec::new();
        let mut reach = |keys: &[KeyId], headers: &Headers| {
            all.extend(self.route(exchange, keys, headers, &|_| true).queues);
        };
        if let Some(key) = key {
            reach(&[key], &Headers::new());
        } else {
            let comes_here = |stamp: &&Stamp| self.route_stamp(stamp, &|_| true).queues.contains(&id);
            let stamped: Vec<&Stamp> = self.stamps.iter().filter(comes_here).collect();
            for stamp in &stamped {
                let keys: Vec<KeyId> =
                    std::iter::once(stamp.key).chain(stamp.carbon.iter().copied()).collect();
                reach(&keys, &stamp.headers);
            }
            if stamped.is_empty() {
                // What comes here died elsewhere, and was sent on by one of these keys.
                let bound = self.exchanges.iter().flat_map(|one| &one.bindings);
                let bound = bound.filter(|binding| binding.to == Destination::Queue(id)).map(|one| one.key);
                bound.chain([queue.key]).for_each(|key| reach(&[key], &Headers::new()));
            }
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}

fn exchange(name: &str, vhost: VhostId, kind: ExchangeKind) -> Exchange {
    Exchange {
        name: name.to_owned(),
        vhost,
        kind,
        is_delayed: false,
        durable: true,
        auto_delete: false,
        internal: false,
        is_declared: true,
        alternate: None,
        bindings: Vec::new(),
        cache: OnceLock::new(),
    }
}
