//! A scenario as a file of its own: one run of another file, with everything laid over it merged in, in the order in
//! which people write such files.

use std::fmt::Write as _;

use super::diagnostic::{Diagnostics, Spot};
use super::file::Scenario;
use super::keys::{
    CONSUMER, DESCRIPTIONS, FAULT, FILE, Keys, NETWORK, OCCASION, PRODUCER, SERVICE, STEP, VERBS,
};
use super::tree::{Entry, Node, Table};
use super::write::{key, text};

/// What a file says about itself besides what runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heading {
    /// Lines of a comment above everything.
    pub comment: Vec<String>,
    /// One line.
    pub title: String,
    /// What happens.
    pub story: String,
    /// The seed of the run.
    pub seed: u64,
    /// Faults that may stay unfired.
    pub optional: Vec<String>,
    /// Steps that claim nothing any more.
    pub silent: Vec<String>,
    /// What is claimed of the end: paths and numbers.
    pub expect: Vec<(String, u64)>,
}

/// A value that is longer than this is spread over lines, or gets a table of its own.
const COLUMNS: usize = 100;

impl Scenario {
    /// A file that runs what this variant with these `--set` lines runs: the same plan, but for its name and claims.
    pub fn written(
        &self,
        variant: Option<&str>,
        sets: &[String],
        heading: &Heading,
    ) -> Result<String, Diagnostics> {
        let plan = self.plan(variant, sets)?;
        let mut file = self.whole(plan.variant.as_deref(), sets)?;
        file.entries.retain(|name, _| !DESCRIPTIONS.contains(&name.as_str()) && name != "expect");
        put(&mut file, "title", Node::Text(heading.title.clone()));
        put(&mut file, "family", Node::Text(self.family.to_owned()));
        put(&mut file, "version", Node::Text(plan.version.to_string()));
        if !heading.story.is_empty() {
            put(&mut file, "story", Node::Text(heading.story.clone()));
        }
        put(&mut file, "seed", Node::Int(heading.seed as i64));
        for name in &heading.optional {
            if let Some(fault) = file.table_mut("fault").and_then(|all| all.table_mut(name)) {
                put(fault, "optional", Node::Bool(true));
            }
        }
        for name in &heading.silent {
            silence(&mut file, name);
        }
        let mut out: String = heading
            .comment
            .iter()
            .flat_map(|it| it.lines())
            .fold(String::new(), |out, line| out + "# " + line + "\n");
        out.push_str(&Writer::file(self, &file));
        if !heading.expect.is_empty() {
            out.push_str("\n[expect]\n");
            for (path, number) in &heading.expect {
                let path: Vec<String> = path.split('.').map(key).collect();
                let _ = writeln!(out, "{} = {number}", path.join("."));
            }
        }
        Ok(out)
    }
}

fn put(table: &mut Table, name: &str, node: Node) {
    let at = table.entries.get(name).map_or(Spot::new(usize::MAX, 0..0), |entry| entry.key);
    table.entries.insert(name.to_owned(), Entry { key: at, at, node });
}

/// A step that only claimed something goes.
fn silence(file: &mut Table, name: &str) {
    let Some(steps) = file.table_mut("step") else { return };
    let Some(step) = steps.table_mut(name) else { return };
    step.entries.remove("expect");
    if step.entries.keys().all(|key| key == "name") {
        steps.entries.remove(name);
    }
}

/// Writes tables in sections, their keys in the order in which they are declared.
struct Writer {
    out: String,
}

impl Writer {
    fn file(scenario: &Scenario, file: &Table) -> String {
        let mut writer = Self { out: String::new() };
        let is_section = |entry: &Entry| matches!(entry.node, Node::Table(_) | Node::List(_));
        for (name, entry) in ordered(file, &[], &[&FILE]) {
            if !is_section(entry) {
                writer.pair(name, &entry.node);
            }
        }
        let entities = scenario.entity_tables();
        let named = ["service", "producer", "consumer"];
        let order: Vec<&str> = std::iter::once("cluster")
            .chain(entities.iter().copied())
            .chain(named)
            .chain(["network", "disk", "fault", "step"])
            .collect();
        for name in order {
            let Some(table) = file.table(name) else { continue };
            match name {
                "cluster" | "network" | "disk" => writer.section(name, table, &[], &[&NETWORK]),
                "step" => writer.steps(table),
                _ => {
                    for (inner, entry) in table.in_order() {
                        if let Node::Table(table) = &entry.node {
                            let (first, keys) = order_of(name);
                            writer.section(&format!("{name}.{}", key(inner)), table, first, &keys);
                        }
                    }
                }
            }
        }
        writer.out
    }

    fn steps(&mut self, steps: &Table) {
        for (name, entry) in steps.in_order() {
            let Node::Table(step) = &entry.node else { continue };
            self.out.push_str("\n[[step]]\n");
            if step.get("name").is_none() && !name.starts_with("step ") {
                self.pair("name", &Node::Text(name.to_owned()));
            }
            for (name, entry) in ordered(step, WHEN_FIRST, FAULT_KEYS) {
                self.pair(name, &entry.node);
            }
        }
    }

    fn section(&mut self, path: &str, table: &Table, first: &[&str], keys: &[&'static Keys]) {
        let _ = writeln!(self.out, "\n[{path}]");
        let mut wide = Vec::new();
        for (name, entry) in ordered(table, first, keys) {
            match &entry.node {
                Node::Table(inner) if key(name).len() + 3 + inline(&entry.node).len() > COLUMNS => {
                    wide.push((name, inner));
                }
                node => self.pair(name, node),
            }
        }
        for (name, inner) in wide {
            self.section(&format!("{path}.{}", key(name)), inner, &[], &[]);
        }
    }

    fn pair(&mut self, name: &str, node: &Node) {
        let line = format!("{} = {}", key(name), inline(node));
        match node {
            Node::List(list) if line.len() > COLUMNS => {
                let _ = writeln!(self.out, "{} = [", key(name));
                for (_, item) in list {
                    let _ = writeln!(self.out, "    {},", inline(item));
                }
                self.out.push_str("]\n");
            }
            _ => {
                self.out.push_str(&line);
                self.out.push('\n');
            }
        }
    }
}

/// When something happens stands before what happens.
const WHEN_FIRST: &[&str] = &["name", "at", "when", "after", "wait", "wait_until"];
const FAULT_KEYS: &[&Keys] = &[&VERBS, &STEP, &FAULT, &OCCASION];

/// What comes first in a named table, and the order of the rest.
fn order_of(table: &str) -> (&'static [&'static str], Vec<&'static Keys>) {
    match table {
        "producer" => (&[], vec![&PRODUCER]),
        "consumer" => (&[], vec![&CONSUMER]),
        "service" => (&[], vec![&SERVICE]),
        "fault" => (WHEN_FIRST, FAULT_KEYS.to_vec()),
        _ => (&[], Vec::new()),
    }
}

/// The entries in the order of these names, then of these keys; the rest as it was written, `config` last.
fn ordered<'t>(table: &'t Table, first: &[&str], keys: &[&'static Keys]) -> Vec<(&'t str, &'t Entry)> {
    let declared: Vec<&str> = keys.iter().flat_map(|keys| keys.keys).map(|key| key.name).collect();
    let place = |name: &str| {
        let of = |all: &[&str]| all.iter().position(|one| *one == name);
        let rest = || first.len() + of(&declared).unwrap_or(declared.len());
        if name == "config" { usize::MAX } else { of(first).unwrap_or_else(rest) }
    };
    let mut entries = table.in_order();
    entries.sort_by_key(|(name, _)| place(name));
    entries
}

/// A value on one line.
fn inline(node: &Node) -> String {
    match node {
        Node::Bool(value) => value.to_string(),
        Node::Int(number) => number.to_string(),
        Node::Float(number) => format!("{number:?}"),
        Node::Text(it) => text(it),
        Node::List(list) => {
            let items: Vec<String> = list.iter().map(|(_, item)| inline(item)).collect();
            format!("[{}]", items.join(", "))
        }
        Node::Table(table) => {
            let pair = |(name, entry): (&str, &Entry)| format!("{} = {}", key(name), inline(&entry.node));
            let pairs: Vec<String> = table.in_order().into_iter().map(pair).collect();
            if pairs.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", pairs.join(", ")) }
        }
        // Nothing that was accepted holds one.
        Node::Other(what) => text(what),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Style;
    use crate::scenario::catalog;
    use crate::scenario::plan::Plan;

    fn rewritten(scenario: &Scenario, variant: Option<&str>, sets: &[String]) -> (Plan, Plan, String) {
        let plan = scenario.plan(variant, sets).expect("a plan");
        let heading = Heading {
            comment: vec!["mqlab run x\nmore".to_owned()],
            title: "a \"title\"".to_owned(),
            story: "Two\nlines.".to_owned(),
            seed: plan.seed,
            expect: vec![("lost".to_owned(), 0)],
            ..Heading::default()
        };
        let text = scenario.written(variant, sets, &heading).expect("it can be written");
        let read = Scenario::read("written", "written.toml", text.as_bytes())
            .unwrap_or_else(|mistakes| panic!("{text}\n{}", mistakes.render(Style::Plain)));
        let again = read.plan(None, &[]).expect("a plan");
        assert_eq!(read.words.title.as_deref(), Some("a \"title\""));
        (plan, again, text)
    }

    /// But for what a file is called and what it claims, and for the numbers of steps without names: where a variant
    /// took a step away, those after it count one less.
    fn bare(mut plan: Plan) -> Plan {
        let names = plan.steps.iter_mut().map(|step| &mut step.name);
        for name in names.chain(plan.faults.iter_mut().map(|fault| &mut fault.name)) {
            name.truncate(if name.starts_with("step ") { 5 } else { name.len() });
        }
        (plan.scenario, plan.variant) = (String::new(), None);
        (plan.expectations, plan.over_seeds) = (Vec::new(), None);
        plan
    }

    #[test]
    fn every_variant_of_every_built_in_scenario_survives() {
        for one in catalog::all() {
            let scenario = one.read().expect("no mistakes");
            let variants: Vec<Option<&str>> = match scenario.variants.len() {
                0 => vec![None],
                _ => scenario.variants.iter().map(|name| Some(name.as_str())).collect(),
            };
            for variant in variants {
                let (plan, again, text) = rewritten(&scenario, variant, &[]);
                assert_eq!(bare(plan), bare(again), "{} {variant:?}\n{text}", one.name);
            }
        }
    }

    #[test]
    fn a_file_reads_as_people_write_it() {
        let scenario = catalog::find("kafka/acks-one").expect("it is built in").read().expect("no mistakes");
        let sets = [
            "fault.by-hand-1 = { kill = [\"broker-2\", \"broker-3\"], restart_after = \"5s\", \
             at = \"2.000000001s\" }"
                .to_owned(),
            "topic.orders.config.\"min.insync.replicas\" = 2".to_owned(),
        ];
        let (plan, again, text) = rewritten(&scenario, Some("acks=all"), &sets);
        assert_eq!(bare(plan), bare(again));
        insta::assert_snapshot!(text);
    }
}
