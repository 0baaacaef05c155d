//! What the evidence is made of: facts with their rows, claims, and the runs that stand for them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{fs, thread};

use mqlab::broker;
use mqlab::lab::run::Run;
use mqlab::ledger::measure::Measured;
use mqlab::scenario::plan::Plan;
use mqlab::scenario::{Scenario, Style, catalog};
use serde::Deserialize;

/// So many seeds stand behind each row.
pub(crate) const SEEDS: u64 = 50;

/// The kinds of facts.
const KINDS: [&str; 4] = ["measured", "documented", "derived", "known bug"];

/// A file of `docs/facts`: what is known of one family.
pub(crate) struct Facts {
    /// Its name: `kafka`.
    pub(crate) family: String,
    /// How what was measured by ourselves was measured.
    pub(crate) about: Option<String>,
    /// By their ids.
    pub(crate) all: BTreeMap<String, Fact>,
}

/// A fact of such a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Fact {
    /// One of `KINDS`.
    pub(crate) kind: String,
    /// In our own words.
    pub(crate) text: String,
    /// Where it is from.
    #[serde(default)]
    pub(crate) sources: Vec<String>,
    /// How it was measured, if that was not published.
    pub(crate) how: Option<String>,
    /// A bug that is modelled: in which releases it is on.
    pub(crate) switch: Option<String>,
    /// Why no number is expected to agree.
    pub(crate) exempt: Option<String>,
    /// Why nothing stands for it here.
    pub(crate) not_modelled: Option<String>,
    /// Tests that stand for it: `tests/words.rs::name`.
    #[serde(default)]
    pub(crate) tests: Vec<String>,
    /// What stands for it here.
    #[serde(default)]
    pub(crate) rows: Vec<Row>,
}

/// One measure of one variant, beside what was published.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Row {
    /// The scenario.
    pub(crate) scenario: String,
    /// Its variant.
    pub(crate) variant: String,
    /// The measure.
    pub(crate) measure: String,
    /// The value is the measure's share of the same measure under this variant.
    pub(crate) over: Option<String>,
    /// What was published, or, in a sentence, measured.
    pub(crate) published: Option<String>,
    /// The least, the median and the greatest value that was measured.
    pub(crate) measured: Option<String>,
    /// In so many runs.
    pub(crate) runs: Option<u32>,
    /// How much smaller our run is.
    pub(crate) scale: Option<String>,
    /// Within these bounds, over all seeds, the run agrees with what was published.
    pub(crate) agrees: Option<String>,
    /// For what is no number, an order of deliveries for instance: exactly this, with every seed.
    pub(crate) same: Option<String>,
    /// Within these it shows the same direction.
    pub(crate) direction: Option<String>,
    /// What a reader should know.
    pub(crate) note: Option<String>,
    /// Why it differs, if it does.
    pub(crate) why: Option<String>,
}

/// A claim of `docs/claims.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Claim {
    /// In our own words.
    pub(crate) text: String,
    /// By what it is shown.
    pub(crate) shown: String,
}

/// A scenario with the plans of all its variants.
pub(crate) struct Lesson {
    /// What the file says.
    pub(crate) scenario: Scenario,
    /// By the names of variants.
    pub(crate) plans: Vec<(String, Plan)>,
}

/// Everything that the pages are about.
pub(crate) struct Evidence {
    /// By their families.
    pub(crate) facts: Vec<Facts>,
    /// By their ids.
    pub(crate) claims: BTreeMap<String, Claim>,
    /// In the order of their names.
    pub(crate) lessons: Vec<Lesson>,
}

/// What the pages read of a run: the values of the paths that rows and claims name.
pub(crate) type Values = BTreeMap<String, Measured>;

/// Scenario, variant, and how many seeds after the file's own.
pub(crate) type Key = (String, String, u64);

/// Values of runs.
pub(crate) type Runs = BTreeMap<Key, Values>;

/// A path below the project.
pub(crate) fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn table<T: for<'a> Deserialize<'a>>(path: &str) -> Result<T, String> {
    let text = fs::read_to_string(root(path)).map_err(|why| format!("{path}: {why}"))?;
    toml::from_str(&text).map_err(|why| format!("{path}: {why}"))
}

impl Facts {
    fn read(family: String) -> Result<Self, String> {
        let path = format!("docs/facts/{family}.toml");
        let mut file: toml::Table = table(&path)?;
        let about = file.remove("about").and_then(|about| about.as_str().map(str::to_owned));
        let mut all = BTreeMap::new();
        for (id, fact) in file {
            let fact: Fact = fact.try_into().map_err(|why| format!("{path}: {id}: {why}"))?;
            let is_measured = |row: &Row| row.measured.is_some() && row.runs.is_some();
            if !KINDS.contains(&fact.kind.as_str()) {
                return Err(format!("{path}: {id}: there are no {} facts", fact.kind));
            }
            if fact.rows.iter().any(|row| row.published.is_some() == is_measured(row)) {
                return Err(format!(
                    "{path}: {id}: a row is either `published` or `measured` in some `runs`"
                ));
            }
            all.insert(id, fact);
        }
        Ok(Self { family, about, all })
    }
}

impl Fact {
    /// Why a reader finds nothing to compare it with, if that is so.
    pub(crate) fn why_none(&self) -> Option<(&'static str, &str)> {
        let left_out = self.not_modelled.as_deref().map(|why| ("Not modelled", why));
        left_out.or_else(|| self.exempt.as_deref().map(|why| ("Exempt", why)))
    }
}

impl Row {
    /// What it is held against.
    pub(crate) fn known(&self) -> String {
        match (&self.published, &self.measured, self.runs) {
            (None, Some(measured), Some(runs)) => format!("{measured} ({runs} runs)"),
            (published, ..) => published.clone().unwrap_or_default(),
        }
    }
}

impl Evidence {
    /// Reads facts, claims and scenarios; every row must lead somewhere.
    pub(crate) fn read() -> Result<Self, String> {
        let mut files: Vec<_> = fs::read_dir(root("docs/facts"))
            .map_err(|why| format!("docs/facts: {why}"))?
            .filter_map(|file| file.ok()?.file_name().to_str()?.strip_suffix(".toml").map(str::to_owned))
            .collect();
        files.sort();
        let facts = files.into_iter().map(Facts::read).collect::<Result<Vec<_>, _>>()?;
        let claims = table("docs/claims.toml")?;
        let lessons: Vec<Lesson> = catalog::all().iter().map(lesson).collect::<Result<_, _>>()?;
        let all = facts.iter().flat_map(|family| &family.all);
        for (id, row) in all.flat_map(|(id, fact)| fact.rows.iter().map(move |row| (id, row))) {
            let of = lessons.iter().find(|lesson| lesson.scenario.name == row.scenario);
            let has = |variant: &String| {
                of.is_some_and(|lesson| lesson.plans.iter().any(|(name, _)| name == variant))
            };
            if !has(&row.variant) || !row.over.as_ref().is_none_or(has) {
                return Err(format!("{id}: there is no {} {}", row.scenario, row.variant));
            }
        }
        Ok(Self { facts, claims, lessons })
    }

    /// Runs every variant with the file's seed, and those that rows name with `seeds` seeds.
    pub(crate) fn play(&self, seeds: u64, progress: &(dyn Fn(usize, usize) + Sync)) -> Runs {
        let mut work = Vec::new();
        for lesson in &self.lessons {
            for (variant, plan) in &lesson.plans {
                let rows = || self.rows(&lesson.scenario.name, variant);
                let paths: BTreeSet<&str> = plan.expectations.iter().map(|one| one.path.as_str()).collect();
                let paths: BTreeSet<&str> = paths.into_iter().chain(rows()).collect();
                let seeds = if rows().next().is_some() { seeds } else { 1 };
                work.extend((0..seeds).map(|n| (lesson, variant, plan, paths.clone(), n)));
            }
        }
        let (next, done, runs) = (AtomicUsize::new(0), AtomicUsize::new(0), Mutex::new(Runs::new()));
        let worker = || {
            while let Some((lesson, variant, plan, paths, n)) = work.get(next.fetch_add(1, Ordering::Relaxed))
            {
                let key = (lesson.scenario.name.clone(), (*variant).clone(), *n);
                let values = values(plan, *n, paths);
                runs.lock().expect("no other worker failed").insert(key, values);
                progress(done.fetch_add(1, Ordering::Relaxed) + 1, work.len());
            }
        };
        let jobs = thread::available_parallelism().map_or(2, usize::from);
        thread::scope(|scope| (0..jobs).for_each(|_| drop(scope.spawn(worker))));
        runs.into_inner().expect("no worker failed")
    }

    /// The measures of the rows of a variant.
    fn rows<'a>(&'a self, scenario: &'a str, variant: &'a str) -> impl Iterator<Item = &'a str> {
        let rows = self.facts.iter().flat_map(|family| family.all.values()).flat_map(|fact| &fact.rows);
        let is_of = move |row: &&Row| row.variant == variant || row.over.as_deref() == Some(variant);
        rows.filter(move |row| row.scenario == scenario && is_of(row)).map(|row| row.measure.as_str())
    }
}

fn lesson(one: &catalog::BuiltIn) -> Result<Lesson, String> {
    let plain = |mistakes: mqlab::scenario::Diagnostics| mistakes.render(Style::Plain);
    let scenario = one.read().map_err(plain)?;
    let mut plans = Vec::new();
    for name in &scenario.variants {
        plans.push((name.clone(), scenario.plan(Some(name), &[]).map_err(plain)?));
    }
    if plans.is_empty() {
        plans.push(("-".to_owned(), scenario.plan(None, &[]).map_err(plain)?));
    }
    Ok(Lesson { scenario, plans })
}

fn values(plan: &Plan, n: u64, paths: &BTreeSet<&str>) -> Values {
    let family = broker::family(plan.family).expect("a plan names its family");
    let states: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
    let outcome = Run::new(family, plan, plan.seed.wrapping_add(n)).outcome(&states);
    states.into_iter().filter_map(|path| Some((path.clone(), outcome.value(&path)?))).collect()
}
