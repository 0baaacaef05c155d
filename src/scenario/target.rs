//! Who a fault hits or a trigger listens to: nodes, clients, sets, roles, and names given by `as`.

use std::collections::BTreeSet;

use crate::scenario::plan::{Plan, Target};

use super::diagnostic::{Diagnostic, Spot};
use super::reader::{Reader, shown, suggest};

/// The sets that every scenario has, besides the plural names of the vendor's roles.
pub(super) const SETS: &[&str] = &["clients", "producers", "consumers"];

/// The names that targets can use in one plan.
pub(super) struct Cast<'a> {
    /// The plan, complete but for its faults and expectations.
    pub(super) plan: &'a Plan,
    /// Names given by `as`, over all faults.
    pub(super) known_as: BTreeSet<String>,
    /// The names of faults and steps, which `heal` may name.
    pub(super) faults: BTreeSet<String>,
}

impl Cast<'_> {
    /// Every single node: `broker-1`, `billing/2`.
    pub(super) fn is_node(&self, reader: &Reader, name: &str) -> bool {
        let numbered = |count: u16, rest: Option<&str>| {
            let number = rest.and_then(|rest| rest.parse::<u16>().ok());
            number.is_some_and(|number| (1..=count).contains(&number))
        };
        let cluster = reader.family.roles().iter().any(|role| {
            let count = self.plan.cluster.roles.get(role.plural).copied().unwrap_or(0);
            numbered(count, name.strip_prefix(role.singular).and_then(|rest| rest.strip_prefix('-')))
        });
        cluster
            || self.clients().any(|(client, count)| {
                numbered(count, name.strip_prefix(client).and_then(|rest| rest.strip_prefix('/')))
            })
    }

    /// Producers and consumers with their instance counts, and services.
    pub(super) fn clients(&self) -> impl Iterator<Item = (&str, u16)> {
        let producers = self.plan.producers.iter().map(|one| (one.name.as_str(), one.instances));
        producers
            .chain(self.plan.consumers.iter().map(|one| (one.name.as_str(), one.instances)))
            .chain(self.plan.services.iter().map(|one| (one.name.as_str(), 1)))
    }

    /// The members of a set or client, in order; none: it is no set.
    pub(super) fn members(&self, reader: &Reader, set: &str) -> Option<Vec<String>> {
        let instances =
            |name: &str, count: u16| (1..=count).map(move |i| format!("{name}/{i}")).collect::<Vec<_>>();
        let producers = || self.plan.producers.iter().flat_map(|one| instances(&one.name, one.instances));
        let consumers = || self.plan.consumers.iter().flat_map(|one| instances(&one.name, one.instances));
        match set {
            "clients" => return Some(producers().chain(consumers()).collect()),
            "producers" => return Some(producers().collect()),
            "consumers" => return Some(consumers().collect()),
            _ => {}
        }
        if let Some(role) = reader.family.roles().iter().find(|role| role.plural == set) {
            let count = self.plan.cluster.roles.get(set).copied().unwrap_or(0);
            return Some((1..=count).map(|i| format!("{}-{i}", role.singular)).collect());
        }
        self.clients().find(|(client, _)| *client == set).map(|(client, count)| instances(client, count))
    }

    /// Everybody: what a fault without a target hits.
    pub(super) fn everybody(&self, reader: &Reader) -> Target {
        let roles = reader.family.roles().iter().map(|role| role.plural);
        let used =
            roles.filter(|plural| self.plan.cluster.roles.get(*plural).is_some_and(|count| *count > 0));
        Target::All(used.chain(["clients"]).map(|set| Target::Name(set.to_owned())).collect())
    }

    /// The target that these names mean; each name that means nobody is reported.
    pub(super) fn target(&self, reader: &mut Reader, names: &[(Spot, String)], round: usize) -> Target {
        let mut all: Vec<Target> =
            names.iter().map(|(spot, name)| self.one(reader, *spot, name, round)).collect();
        if all.len() == 1 { all.remove(0) } else { Target::All(all) }
    }

    /// `each of brokers` means the next one each time: the round decides which.
    fn one(&self, reader: &mut Reader, spot: Spot, name: &str, round: usize) -> Target {
        let target = Target::Name(name.to_owned());
        if let Some(set) = name.strip_prefix("each of ") {
            let members = self.members(reader, set.trim()).unwrap_or_default();
            if members.is_empty() {
                let known = reader.family.roles().iter().map(|role| role.plural).chain(SETS.iter().copied());
                let diagnostic =
                    Diagnostic::at(spot, format!("`{}` has no members", shown(set)), "nobody to take");
                let diagnostic = suggest(diagnostic, set.trim(), known);
                reader.report_relation(diagnostic);
                return target;
            }
            return Target::Name(members[round % members.len()].clone());
        }
        let known = self.is_node(reader, name)
            || self.members(reader, name).is_some_and(|members| !members.is_empty())
            || self.known_as.contains(name);
        if !known && let Err(why) = reader.family.check_role(self.plan, name) {
            let diagnostic =
                Diagnostic::at(spot, format!("`{}` is nobody in this scenario", shown(name)), why);
            reader.report_relation(suggest(diagnostic, name, self.names(reader).iter().map(String::as_str)));
        }
        target
    }

    /// All names that could have been meant.
    fn names(&self, reader: &Reader) -> Vec<String> {
        let roles = reader.family.roles().iter().map(|role| role.plural);
        let sets: Vec<&str> = roles.chain(SETS.iter().copied()).collect();
        let mut names: Vec<String> =
            sets.iter().flat_map(|set| self.members(reader, set).unwrap_or_default()).collect();
        names.extend(sets.iter().map(|set| (*set).to_owned()));
        names.extend(self.clients().map(|(client, _)| client.to_owned()));
        names.extend(self.known_as.iter().cloned());
        names
    }

    /// Checks `by`: a producer, a consumer, an instance or a node.
    pub(super) fn check_by(&self, reader: &mut Reader, spot: Spot, name: &str) {
        if !self.is_node(reader, name) && !self.clients().any(|(client, _)| client == name) {
            let message = format!("`{}` is nobody in this scenario", shown(name));
            let label = "expected a producer, a consumer, an instance or a node";
            let diagnostic = Diagnostic::at(spot, message, label);
            reader.report_relation(suggest(diagnostic, name, self.names(reader).iter().map(String::as_str)));
        }
    }
}
