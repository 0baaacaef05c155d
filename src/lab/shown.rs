//! Which scenarios show what a setting does: those whose variants differ in it, then those that write it.

use std::collections::BTreeMap;

use super::Source;
use crate::broker::{Scope, Setting};
use crate::scenario::plan::{Config, Plan, Value};

/// The scenarios that write each setting of a family.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// By scenario, in the order in which they were added: what is written of each setting, in any variant.
    scenarios: Vec<(String, Vec<Use>)>,
}

/// What a scenario writes of a setting.
#[derive(Clone, Debug)]
struct Use {
    scope: Scope,
    name: String,
    /// Whether its variants write different things.
    differs: bool,
}

/// What a variant writes, by whose it is, whom it belongs to, and its name.
type Written = BTreeMap<(String, String), (Scope, Value)>;

impl Shown {
    /// What these scenarios write.
    pub fn of<'s>(sources: impl Iterator<Item = &'s dyn Source>) -> Self {
        Self { scenarios: sources.map(|source| (source.about().name.clone(), uses(source))).collect() }
    }

    /// The scenarios that show this setting, the best ones first.
    pub fn by(&self, setting: &Setting) -> Vec<&str> {
        let covers = |scope: Scope| match (setting.scope, scope) {
            (Scope::Producer(None), Scope::Producer(_)) | (Scope::Consumer(None), Scope::Consumer(_)) => true,
            (own, scope) => own == scope,
        };
        let found = |one: &Use| covers(one.scope) && one.name == setting.name;
        let mut all: Vec<(bool, &str)> = Vec::new();
        for (name, uses) in &self.scenarios {
            if uses.iter().any(found) {
                all.push((!uses.iter().any(|one| found(one) && one.differs), name));
            }
        }
        all.sort_by_key(|(is_weak, _)| *is_weak);
        all.into_iter().map(|(_, name)| name).collect()
    }
}

fn uses(source: &dyn Source) -> Vec<Use> {
    let names = source.variants();
    let variants: Vec<Option<&str>> = match names.len() {
        0 => vec![None],
        _ => names.iter().map(|name| Some(name.as_str())).collect(),
    };
    let clients = source.family().clients();
    let plans = variants.iter().filter_map(|variant| source.plan(*variant, &[]).ok());
    let all: Vec<Written> = plans.map(|plan| written(&plan, clients)).collect();
    let mut uses: Vec<Use> = Vec::new();
    for one in &all {
        for (key, (scope, value)) in one {
            let differs = all.iter().any(|other| other.get(key).map(|(_, value)| value) != Some(value));
            match uses.iter_mut().find(|known| known.scope == *scope && known.name == key.1) {
                Some(known) => known.differs |= differs,
                None => uses.push(Use { scope: *scope, name: key.1.clone(), differs }),
            }
        }
    }
    uses
}

/// Everything that a plan writes of settings.
fn written(plan: &Plan, clients: &[&'static str]) -> Written {
    let mut all = Written::new();
    let mut add = |owner: String, scope: Scope, config: &Config| {
        for (name, value) in config {
            all.insert((owner.clone(), name.clone()), (scope, value.clone()));
        }
    };
    let client = |named: &Option<String>| {
        let named = named.as_deref().and_then(|named| clients.iter().find(|one| **one == named));
        named.or(clients.first()).copied()
    };
    add(String::new(), Scope::Cluster, &plan.cluster.config);
    for entity in &plan.entities {
        add(format!("{} {}", entity.kind, entity.name), Scope::Entity(entity.kind), &entity.config);
    }
    for one in &plan.producers {
        add(one.name.clone(), Scope::Producer(client(&one.client)), &one.config);
        for (number, exact) in one.exact.iter().enumerate() {
            add(format!("{}#{number}", one.name), Scope::Message, &exact.properties);
        }
    }
    for one in &plan.consumers {
        add(one.name.clone(), Scope::Consumer(client(&one.client)), &one.config);
    }
    all
}
