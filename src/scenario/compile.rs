//! From tables to a [`Plan`], reporting every mistake on the way.

use crate::broker::{EntityKind, Finding, Scope};
use crate::scenario::plan::{ClusterPlan, EntityPlan, NetworkPlan, Plan};
use crate::sim::{Dist, Span};

use super::diagnostic::{Diagnostic, Spot, nearest};
use super::keys::{CLUSTER, DISK, ENTITY, FILE, NETWORK};
use super::reader::{Extent, Reader};
use super::tree::{Entry, Node, Table};
use super::{clients, copies, faults, names, settings, started, steps, value, workload};

/// Named tables of one kind at most.
pub(super) const TABLES_MAX: usize = 1_000;

/// The plan of a merged file, without its expectations.
pub(super) fn plan(reader: &mut Reader, file: &Table, scenario: &str, variant: Option<&str>) -> Plan {
    let family = reader.family;
    let entity_tables: Vec<&'static str> = family.entities().iter().map(|kind| kind.table).collect();
    reader.check_keys(file, &[&FILE], &entity_tables);
    reader.version = version(reader, file);
    let mut plan = Plan {
        scenario: scenario.to_owned(),
        variant: variant.map(str::to_owned),
        family: family.name(),
        version: reader.version,
        seed: reader.int(file, "seed", 0, i64::MAX).unwrap_or(1) as u64,
        run_for: reader.duration(file, "run_for").unwrap_or(Span::from_secs(30)),
        drain_for: reader.duration(file, "drain_for").unwrap_or(Span::from_secs(60)),
        cluster: cluster(reader, file),
        entities: family.entities().iter().flat_map(|kind| entities(reader, file, kind)).collect(),
        producers: Vec::new(),
        consumers: Vec::new(),
        services: Vec::new(),
        network: network(reader, file),
        faults: Vec::new(),
        steps: Vec::new(),
        expectations: Vec::new(),
        over_seeds: None,
    };
    family.complete(&mut plan);
    plan.services = workload::services(reader, file);
    plan.producers = clients::producers(reader, file, &plan);
    plan.consumers = clients::consumers(reader, file, &plan);
    clients::check(reader, file, &plan);
    plan.faults = faults::read(reader, file, &plan);
    let (steps, acts) = steps::read(reader, file, &plan);
    plan.steps = steps;
    plan.faults.extend(acts);
    steps::finish(reader, file, &mut plan);
    started::check(reader, file, &plan);
    if reader.extent == Extent::Whole {
        for finding in family.check(&plan) {
            if let Some(diagnostic) = placed(file, finding) {
                reader.report(diagnostic);
            }
        }
    }
    plan
}

/// A family's finding, at the place of what it is about. What holds of all copies of a table is said of the first.
fn placed(file: &Table, mut finding: Finding) -> Option<Diagnostic> {
    if let Some((number, original)) = copies::original(file, &finding.path) {
        if number > 1 {
            return None;
        }
        finding.path[1] = original;
    }
    let spot = file.locate(&finding.path).unwrap_or(Spot::new(0, 0..0));
    Some(Diagnostic { message: finding.message, labels: vec![(spot, String::new())], help: finding.help })
}

/// The release; a wrong one is reported and replaced by the newest.
pub(super) fn version(reader: &mut Reader, file: &Table) -> crate::scenario::plan::Version {
    let (oldest, newest) = (reader.family.oldest(), reader.family.newest());
    let parsed = reader.parsed(file, "version", |node| match node {
        Node::Text(text) => value::version(text),
        node => Err(format!("expected a release as a string, such as `\"2.0\"`, found {}", node.what())),
    });
    let Some(version) = parsed else { return newest };
    let known = version >= oldest && (version.0, version.1) <= (newest.0, newest.1);
    if let (false, Some(entry)) = (known, file.get("version")) {
        let message = format!("release {version} is not modelled");
        reader.report(Diagnostic::at(entry.at, message, format!("{oldest} to {newest} are")));
        return newest;
    }
    let last = reader.family.last_minors().iter().find(|(major, _)| *major == version.0);
    if let (Some((major, minor)), Some(entry)) = (last.filter(|last| last.1 < version.1), file.get("version"))
    {
        let message = format!("there is no release {version}");
        reader.report(Diagnostic::at(
            entry.at,
            message,
            format!("after {major}.{minor} came {}.0", major + 1),
        ));
        return newest;
    }
    version
}

fn cluster(reader: &mut Reader, file: &Table) -> ClusterPlan {
    let mut plan = ClusterPlan::default();
    let Some(table) = reader.table(file, "cluster") else { return plan };
    let family = reader.family;
    let roles = family.roles().iter().map(|role| role.plural);
    let more: Vec<&'static str> =
        roles.chain(family.cluster_fields().iter().map(|field| field.name)).collect();
    reader.check_keys(table, &[&CLUSTER], &more);
    for role in family.roles() {
        if let Some(count) = reader.int(table, role.plural, 0, i64::from(role.count_max)) {
            plan.roles.insert(role.plural.to_owned(), count as u16);
        }
    }
    assume_counts(reader, table, &mut plan);
    plan.fields = settings::fields(reader, table, family.cluster_fields());
    plan.config = settings::config(reader, table, Scope::Cluster);
    plan
}

/// A count that was written, but wrongly, is as large as the family lets it be: nothing is said of what follows.
fn assume_counts(reader: &Reader, table: &Table, plan: &mut ClusterPlan) {
    for role in reader.family.roles() {
        let roles = || reader.family.roles().iter().map(|role| role.plural);
        let is_mistyped =
            |name: &String| !roles().any(|role| role == name) && nearest(name, roles()) == Some(role.plural);
        let is_written = table.get(role.plural).is_some() || table.entries.keys().any(is_mistyped);
        if is_written && !plan.roles.contains_key(role.plural) {
            plan.roles.insert(role.plural.to_owned(), role.count_max);
        }
    }
}

fn entities(reader: &mut Reader, file: &Table, kind: &'static EntityKind) -> Vec<EntityPlan> {
    let fields = names_of(kind);
    let tables = limited(reader, file, kind.table);
    let mut plans = Vec::new();
    for (name, entry, table) in &tables {
        names::check_entity(reader, kind.table, name, entry);
        reader.check_keys(table, &[&ENTITY], &fields);
        let fields = settings::fields(reader, table, kind.fields);
        let config = settings::under(reader, table, kind.settings, Scope::Entity(kind.table));
        let plan = EntityPlan { kind: kind.table, name: (*name).to_owned(), copy_of: None, fields, config };
        plans.extend(copies::of(reader, table, plan, &tables));
    }
    if plans.len() > TABLES_MAX
        && let Some((_, entry, _)) = tables.first()
    {
        let message = format!("too many copies of the kind `{}`", kind.table);
        reader.report(Diagnostic::at(entry.key, message, format!("the limit is {TABLES_MAX}")));
        plans.truncate(TABLES_MAX);
    }
    plans
}

/// What the family lets stand in a table of this kind.
pub(super) fn names_of(kind: &EntityKind) -> Vec<&'static str> {
    let fields = kind.fields.iter().map(|field| field.name);
    fields.chain(Some(kind.settings).filter(|name| !name.is_empty())).collect()
}

/// The named tables of a kind, if there are not too many.
pub(super) fn limited<'t>(
    reader: &mut Reader,
    file: &'t Table,
    kind: &str,
) -> Vec<(&'t str, &'t Entry, &'t Table)> {
    let mut tables = reader.named(file, kind);
    if let Some((_, entry, _)) = tables.get(TABLES_MAX) {
        let message = format!("too many tables of the kind `{kind}`");
        reader.report(Diagnostic::at(entry.key, message, format!("the limit is {TABLES_MAX}")));
        tables.truncate(TABLES_MAX);
    }
    tables
}

fn network(reader: &mut Reader, file: &Table) -> NetworkPlan {
    let latency = Dist::Uniform(Span::from_micros(300), Span::from_micros(800));
    let fsync = Dist::Constant(Span::from_millis(2));
    let mut plan = NetworkPlan { latency, bandwidth: None, fsync };
    if let Some(table) = reader.table(file, "network") {
        reader.check_keys(table, &[&NETWORK], &[]);
        plan.latency = reader.dist(table, "latency").unwrap_or(latency);
        plan.bandwidth = reader.parsed(table, "bandwidth", |node| match node {
            Node::Text(text) => value::bandwidth(text),
            _ => value::bandwidth(""),
        });
    }
    if let Some(table) = reader.table(file, "disk") {
        reader.check_keys(table, &[&DISK], &[]);
        plan.fsync = reader.dist(table, "fsync").unwrap_or(fsync);
    }
    plan
}
