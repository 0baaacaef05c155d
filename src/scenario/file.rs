//! A scenario file: what it says about itself, its variants, and the plans that follow from it.

use std::collections::BTreeMap;

use crate::broker::{FAMILIES, Family, family};
use crate::scenario::plan::{Plan, Version};

use super::claims;
use super::compile;
use super::diagnostic::{Diagnostic, Diagnostics, Source, Spot, nearest};
use super::keys::{DECISIVE, LANGUAGES, TEXT};
use super::overlay::{flatten_configs, merge};
use super::reader::{Extent, Reader, listed, shown, suggest};
use super::tree::{self, Entry, Node, Table};
use super::{steps, strangers};

/// Variants of one file at most.
const VARIANTS_MAX: usize = 200;

/// Families of the contract that nothing models yet.
const FAMILIES_NOT_YET: &[&str] = &["rocketmq", "redis", "activemq"];

/// A scenario without mistakes: every variant of it has a plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// `kafka/acks-one`, or the path of the file.
    pub name: String,
    /// Of which family.
    pub family: &'static str,
    /// The release of the base; a variant may name another.
    pub version: Version,
    /// What it says about itself.
    pub words: Words,
    /// The same in other languages: `zh`.
    pub translations: BTreeMap<String, Words>,
    /// The ids of the facts it reproduces.
    pub facts: Vec<String>,
    /// The ids of the claims it teaches.
    pub claims: Vec<String>,
    /// Where to read more.
    pub sources: Vec<String>,
    /// The seed that the file names.
    pub seed: u64,
    /// For a file of one variant: the deciding change, as a `--set` line.
    pub decisive: Option<String>,
    /// The variants' names in the order of the file; empty: the file has none.
    pub variants: Vec<String>,
    source: Source,
    base: Table,
    overlays: BTreeMap<String, Table>,
    plans: BTreeMap<Option<String>, Plan>,
}

/// The words of a story.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Words {
    /// One line; left out: the scenario's name.
    pub title: Option<String>,
    /// What is asked before the run.
    pub question: Option<String>,
    /// What happens.
    pub story: Option<String>,
    /// What to take away.
    pub lesson: Option<String>,
}

impl Scenario {
    /// Reads a file and checks it whole: the base and every variant. An error holds every mistake once.
    ///
    /// `name` is what the scenario is called, `path` where its mistakes are said to be.
    pub fn read(name: &str, path: &str, bytes: &[u8]) -> Result<Self, Diagnostics> {
        let source = decode(path, bytes)?;
        let (mut base, syntax) = tree::read(&source, 0);
        let extent = if syntax.is_empty() { Extent::Whole } else { Extent::Part };
        let family = match family_of(&base) {
            Ok(family) => family,
            Err(diagnostic) => {
                let missing = !base.entries.contains_key("family");
                let mut list = syntax;
                if !missing || list.is_empty() {
                    list.push(diagnostic);
                }
                return Err(Diagnostics::new(vec![source], list));
            }
        };
        let mut reader = Reader { family, version: family.newest(), extent, diagnostics: syntax };
        flatten_configs(&mut base, &configured(family), &mut reader.diagnostics);
        steps::named(&mut base, &mut reader.diagnostics);
        reader.version = compile::version(&mut reader, &base);
        let overlays = overlays(&mut reader, &base);
        base.entries.remove("variant");
        let mut scenario = Self {
            name: name.to_owned(),
            family: family.name(),
            version: reader.version,
            words: words(&mut reader, &base),
            translations: translations(&mut reader, &base),
            facts: list(&mut reader, &base, "facts"),
            claims: list(&mut reader, &base, "claims"),
            sources: list(&mut reader, &base, "sources"),
            seed: reader.int(&base, "seed", 0, i64::MAX).unwrap_or(1) as u64,
            decisive: None,
            variants: overlays.iter().map(|(name, _)| name.clone()).collect(),
            source,
            base,
            overlays: overlays.into_iter().collect(),
            plans: BTreeMap::new(),
        };
        scenario.check(&mut reader, extent);
        if reader.diagnostics.is_empty() {
            scenario.read_decisive(&mut reader);
        }
        if reader.diagnostics.is_empty() {
            return Ok(scenario);
        }
        Err(Diagnostics::new(vec![scenario.source], reader.diagnostics))
    }

    /// The path that its mistakes are said to be in.
    pub fn path(&self) -> &str {
        &self.source.name
    }

    /// The text of the file.
    pub fn text(&self) -> &str {
        &self.source.text
    }

    /// The title, or the name of a scenario without one.
    pub fn title(&self) -> &str {
        self.words.title.as_deref().unwrap_or(&self.name)
    }

    /// The plan of a variant, changed by `--set` lines. Without a variant: of the file's first; the base alone only if
    /// there are none.
    pub fn plan(&self, variant: Option<&str>, sets: &[String]) -> Result<Plan, Diagnostics> {
        let variant = variant.or(self.variants.first().map(String::as_str));
        let key = variant.map(str::to_owned);
        let Some(plan) = self.plans.get(&key) else {
            let name = variant.unwrap_or_default();
            let message = format!("{} has no variant `{}`", self.path(), shown(name));
            let known = self.variants.iter().map(String::as_str);
            let help = match (nearest(name, known), self.variants.is_empty()) {
                (Some(near), _) => format!("did you mean `{near}`?"),
                (None, true) => "it has no variants".to_owned(),
                (None, false) => {
                    let all: Vec<_> = self.variants.iter().map(|one| format!("`{one}`")).collect();
                    format!("it has {}", all.join(", "))
                }
            };
            let one = Diagnostic { message, labels: Vec::new(), help: Some(help) };
            return Err(Diagnostics::new(vec![self.source.clone()], vec![one]));
        };
        if sets.is_empty() { Ok(plan.clone()) } else { self.plan_with(variant, sets) }
    }

    fn family(&self) -> &'static dyn Family {
        family(self.family).expect("the file named a family that exists")
    }

    fn reader(&self, extent: Extent) -> Reader {
        Reader { family: self.family(), version: self.version, extent, diagnostics: Vec::new() }
    }

    /// Makes the plan of every variant, first without expectations: these may speak of other variants.
    fn check(&mut self, reader: &mut Reader, extent: Extent) {
        let mut variants: Vec<Option<String>> = self.variants.iter().cloned().map(Some).collect();
        if variants.is_empty() {
            variants.push(None);
        } else {
            let mut part = self.reader(Extent::Part);
            compile::plan(&mut part, &self.base, &self.name, None);
            reader.diagnostics.append(&mut part.diagnostics);
        }
        for variant in &variants {
            let mut whole = self.reader(extent);
            let file = self.merged(&mut whole, variant.as_deref(), &[]);
            let first = whole.diagnostics.len();
            let plan = compile::plan(&mut whole, &file, &self.name, variant.as_deref());
            strangers::check(&mut whole, &self.base, &file, &plan, &named(self.family()), first);
            self.plans.insert(variant.clone(), plan);
            reader.diagnostics.append(&mut whole.diagnostics);
        }
        let sound = reader.diagnostics.is_empty();
        for variant in variants {
            let mut whole = self.reader(extent);
            if let Some(plan) = self.plans.get(&variant) {
                whole.version = plan.version;
                let mut claims = self.claims(&mut whole, plan, &[]);
                // A fault with mistakes has no plan; that is not said twice.
                claims.retain(|(path, _)| sound || !path.starts_with("fault."));
                let expectations = self.expectations(&mut whole, plan, &claims);
                let over_seeds = claims::over_seeds::read(&mut whole, &claims, plan);
                if let Some(plan) = self.plans.get_mut(&variant) {
                    (plan.expectations, plan.over_seeds) = (expectations, over_seeds);
                }
            }
            reader.diagnostics.append(&mut whole.diagnostics);
        }
    }

    fn merged(&self, reader: &mut Reader, variant: Option<&str>, sets: &[Table]) -> Table {
        let mut file = self.base.clone();
        let named = named(self.family());
        let overlay = variant.and_then(|name| self.overlays.get(name));
        for overlay in overlay.into_iter().chain(sets) {
            merge(&mut file, overlay, &named, &mut reader.diagnostics);
        }
        file
    }

    fn claims(&self, reader: &mut Reader, plan: &Plan, sets: &[Table]) -> Vec<(String, Entry)> {
        let overlay = plan.variant.as_ref().and_then(|name| self.overlays.get(name));
        claims::join(reader, &self.base, overlay, sets)
    }

    fn expectations(
        &self,
        reader: &mut Reader,
        plan: &Plan,
        claims: &[(String, Entry)],
    ) -> Vec<super::expect::Expectation> {
        let others =
            |name: &str| self.overlays.contains_key(name).then(|| self.plans.get(&Some(name.to_owned())));
        let is_one = |(path, _): &&(String, Entry)| !claims::over_seeds::is_part(path);
        let claims: Vec<_> = claims.iter().filter(is_one).cloned().collect();
        claims::read(reader, &claims, plan, &others)
    }

    /// The tables of `--set` lines, and the texts that mistakes can be in.
    fn read_sets(&self, reader: &mut Reader, sets: &[String]) -> (Vec<Table>, Vec<Source>) {
        let mut sources = vec![self.source.clone()];
        let mut tables = Vec::new();
        for line in sets {
            let source = Source { name: "--set".to_owned(), text: line.clone() };
            let (mut table, mut syntax) = tree::read(&source, sources.len());
            reader.diagnostics.append(&mut syntax);
            flatten_configs(&mut table, &configured(self.family()), &mut reader.diagnostics);
            tables.push(table);
            sources.push(source);
        }
        (tables, sources)
    }

    /// The base with a variant and `--set` lines laid over it.
    pub(super) fn whole(&self, variant: Option<&str>, sets: &[String]) -> Result<Table, Diagnostics> {
        let mut reader = self.reader(Extent::Whole);
        let (tables, sources) = self.read_sets(&mut reader, sets);
        let file = self.merged(&mut reader, variant, &tables);
        if reader.diagnostics.is_empty() {
            Ok(file)
        } else {
            Err(Diagnostics::new(sources, reader.diagnostics))
        }
    }

    /// The tables that the family declares: `topic`.
    pub(super) fn entity_tables(&self) -> Vec<&'static str> {
        self.family().entities().iter().map(|kind| kind.table).collect()
    }

    fn plan_with(&self, variant: Option<&str>, sets: &[String]) -> Result<Plan, Diagnostics> {
        let mut reader = self.reader(Extent::Whole);
        let (tables, sources) = self.read_sets(&mut reader, sets);
        if reader.diagnostics.is_empty() {
            let file = self.merged(&mut reader, variant, &tables);
            let first = reader.diagnostics.len();
            let mut plan = compile::plan(&mut reader, &file, &self.name, variant);
            strangers::check(&mut reader, &self.base, &file, &plan, &named(self.family()), first);
            let claims = self.claims(&mut reader, &plan, &tables);
            plan.expectations = self.expectations(&mut reader, &plan, &claims);
            plan.over_seeds = claims::over_seeds::read(&mut reader, &claims, &plan);
            if reader.diagnostics.is_empty() {
                return Ok(plan);
            }
        }
        Err(Diagnostics::new(sources, reader.diagnostics))
    }

    /// `decisive = { set = "…" }`: the line must be one that `--set` takes.
    fn read_decisive(&mut self, reader: &mut Reader) {
        let Some(table) = reader.table(&self.base, "decisive") else { return };
        reader.check_keys(table, &[&DECISIVE], &[]);
        let Some(set) = reader.text(table, "set").map(str::to_owned) else { return };
        if let (Err(mistakes), Some(entry)) = (self.plan(None, std::slice::from_ref(&set)), table.get("set"))
        {
            let why = mistakes.list.first().map(|one| one.message.clone()).unwrap_or_default();
            reader.report(Diagnostic::at(entry.at, "wrong value for `set`", why));
        }
        self.decisive = Some(set);
    }
}

/// The tables whose keys are names: `fault`, `topic`, ….
fn named(family: &'static dyn Family) -> Vec<&'static str> {
    let own = family.entities().iter().map(|kind| kind.table);
    ["producer", "consumer", "fault", "service", "step"].into_iter().chain(own).collect()
}

/// The tables that have settings, and what these are called.
fn configured(family: &'static dyn Family) -> Vec<(&'static str, &'static str)> {
    let own = family.entities().iter().map(|kind| (kind.table, kind.settings));
    [("producer", "config"), ("consumer", "config")].into_iter().chain(own).collect()
}

/// Text, or the place of the first byte that is none.
fn decode(path: &str, bytes: &[u8]) -> Result<Source, Diagnostics> {
    let name = path.to_owned();
    if bytes.len() > tree::BYTES_MAX {
        let source = Source { name, text: String::new() };
        let message = format!("the file has {} bytes; the limit is {}", bytes.len(), tree::BYTES_MAX);
        let one = Diagnostic::at(Spot::new(0, 0..0), message, "");
        return Err(Diagnostics::new(vec![source], vec![one]));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(Source { name, text: text.to_owned() }),
        Err(error) => {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let at = error.valid_up_to();
            let length = text[at..].chars().next().map_or(0, char::len_utf8);
            let spot = Spot::new(0, at..at + length);
            let one = Diagnostic::at(spot, "the file is not UTF-8 text", "this byte begins no character");
            Err(Diagnostics::new(vec![Source { name, text }], vec![one]))
        }
    }
}

fn family_of(file: &Table) -> Result<&'static dyn Family, Diagnostic> {
    let names: Vec<&str> = FAMILIES.iter().map(|family| family.name()).collect();
    let all: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    let Some(entry) = file.get("family") else {
        let one = Diagnostic::at(Spot::new(0, 0..0), "the scenario has no `family`", "");
        let lines: Vec<_> = names.iter().map(|name| format!("`family = \"{name}\"`")).collect();
        return Err(one.help(format!("write {}", lines.join(" or "))));
    };
    let Node::Text(text) = &entry.node else {
        let label = format!("expected a string, found {}", entry.node.what());
        return Err(Diagnostic::at(entry.at, "wrong type for `family`", label));
    };
    if let Some(family) = family(text) {
        return Ok(family);
    }
    if FAMILIES_NOT_YET.contains(&text.as_str()) {
        let message = format!("the family `{text}` is not modelled yet");
        return Err(Diagnostic::at(entry.at, message, format!("expected {}", listed(&all))));
    }
    let message = format!("there is no family `{}`", shown(text));
    let one = Diagnostic::at(entry.at, message, format!("expected {}", listed(&all)));
    Err(suggest(one, text, names))
}

/// The variants' tables in the order of the file.
fn overlays(reader: &mut Reader, file: &Table) -> Vec<(String, Table)> {
    let mut tables: Vec<(&str, &Entry, &Table)> = reader.named(file, "variant");
    tables.sort_by_key(|(_, entry, _)| entry.key);
    if let Some((_, entry, _)) = tables.get(VARIANTS_MAX) {
        let label = format!("the limit is {VARIANTS_MAX}");
        reader.report(Diagnostic::at(entry.key, "too many variants", label));
        tables.truncate(VARIANTS_MAX);
    }
    let mut overlays = Vec::new();
    for (name, entry, table) in tables {
        if name.is_empty() || name.contains(|c: char| c.is_control() || c == '"') || name.len() > 200 {
            let message = format!("`{}` is no name for a variant", shown(name));
            reader.report(Diagnostic::at(entry.key, message, "expected up to 200 bytes without `\"`"));
        }
        let mut table = table.clone();
        flatten_configs(&mut table, &configured(reader.family), &mut reader.diagnostics);
        overlays.push((name.to_owned(), table));
    }
    overlays
}

fn words(reader: &mut Reader, table: &Table) -> Words {
    let mut text = |key| reader.text(table, key).map(str::to_owned);
    Words { title: text("title"), question: text("question"), story: text("story"), lesson: text("lesson") }
}

fn translations(reader: &mut Reader, file: &Table) -> BTreeMap<String, Words> {
    let mut translations = BTreeMap::new();
    if let Some(text) = reader.table(file, "text") {
        reader.check_keys(text, &[&LANGUAGES], &[]);
    }
    for (name, _, table) in reader.named(file, "text") {
        reader.check_keys(table, &[&TEXT], &[]);
        translations.insert(name.to_owned(), words(reader, table));
    }
    translations
}

fn list(reader: &mut Reader, file: &Table, key: &str) -> Vec<String> {
    reader.texts(file, key).into_iter().map(|(_, text)| text).collect()
}
