//! What the built-in scenarios promise: their claims hold and bind, their runs are pinned, and what they refer to is
//! here.
//!
//! `MQLAB_REWRITE=1 cargo test --test scenarios` writes `tests/digests.txt` anew; commit a difference only if the
//! change of behaviour that caused it is wanted.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;
use std::{env, fs, thread};

use mqlab::broker::{self, Scope, Setting, Status};
use mqlab::lab::check::{Suite, check, claims};
use mqlab::lab::explain::Question;
use mqlab::lab::run::{Outcome, Run};
use mqlab::lab::{About, Source};
use mqlab::ledger::Fate;
use mqlab::ledger::expectation::paths;
use mqlab::scenario::plan::Plan;
use mqlab::scenario::{Scenario, Style, catalog};

/// A scenario and the runs of all its variants with its own seed.
struct Played {
    scenario: Scenario,
    outcomes: Vec<Outcome>,
}

/// Every built-in scenario, played once for all tests.
static ALL: LazyLock<Vec<Played>> = LazyLock::new(|| {
    let scenarios: Vec<Scenario> =
        catalog::all().iter().map(|one| one.read().expect("a built-in scenario has no mistakes")).collect();
    in_parallel(scenarios, play)
});

fn plan(scenario: &Scenario, variant: Option<&str>, sets: &[String]) -> Plan {
    scenario.plan(variant, sets).unwrap_or_else(|mistakes| panic!("{}", mistakes.render(Style::Plain)))
}

fn play(scenario: Scenario) -> Played {
    let plans: Vec<Plan> = match scenario.variants.len() {
        0 => vec![plan(&scenario, None, &[])],
        _ => scenario.variants.iter().map(|name| plan(&scenario, Some(name), &[])).collect(),
    };
    let states = states(&plans);
    let outcomes = in_parallel(plans, |plan| outcome(&plan, &states));
    Played { scenario, outcomes }
}

/// What came of each, in their order; a thread each, for there are few.
fn in_parallel<T: Send, R: Send>(all: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    thread::scope(|scope| {
        let work = &work;
        let threads: Vec<_> = all.into_iter().map(|one| scope.spawn(move || work(one))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("the others are not shown without it"))
            .collect()
    })
}

/// The state that any variant's claims read, so that every run can be held against every variant's claims.
fn states(plans: &[Plan]) -> Vec<String> {
    plans.iter().flat_map(|plan| &plan.expectations).flat_map(paths).map(str::to_owned).collect()
}

fn outcome(plan: &Plan, states: &[String]) -> Outcome {
    let family = broker::family(plan.family).expect("a plan names its family");
    Run::new(family, plan, plan.seed).outcome(states)
}

fn title(outcome: &Outcome) -> String {
    format!("{} {}", outcome.plan.scenario, outcome.plan.variant.as_deref().unwrap_or("-"))
}

#[test]
fn every_claim_holds_and_every_run_establishes_something() {
    let mut wrong = String::new();
    for played in ALL.iter() {
        for outcome in &played.outcomes {
            let checked = claims(outcome, &played.outcomes);
            assert!(!checked.is_empty(), "{} claims nothing", title(outcome));
            assert_eq!(outcome.never_fired(), Vec::<&str>::new(), "{}", title(outcome));
            assert_eq!(outcome.bound, None, "{}", title(outcome));
            for checked in checked.iter().filter(|checked| !checked.holds) {
                writeln!(wrong, "{}: {}, observed {:?}", title(outcome), checked.text, checked.observed)
                    .expect("a string takes any text");
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// A claim that no other setting of the file breaks would hold whatever the settings do.
#[test]
fn every_variants_claims_are_broken_by_another_setting() {
    for played in ALL.iter() {
        for own in &played.outcomes {
            let holds_under = |other: &Outcome| {
                let mut crossed = other.clone();
                crossed.plan.expectations.clone_from(&own.plan.expectations);
                claims(&crossed, &played.outcomes).iter().all(|checked| checked.holds)
            };
            let is_broken = match played.outcomes.len() {
                1 => {
                    let line = played.scenario.decisive.clone();
                    let line = line.unwrap_or_else(|| panic!("{}: nothing is decisive", title(own)));
                    let other = plan(&played.scenario, own.plan.variant.as_deref(), &[line]);
                    !holds_under(&outcome(&other, &states(std::slice::from_ref(&own.plan))))
                }
                _ => played.outcomes.iter().any(|other| !holds_under(other)),
            };
            assert!(is_broken, "{}: no other variant breaks what it claims", title(own));
        }
    }
}

/// What is claimed of many seeds together, too.
#[test]
fn every_share_over_seeds_holds() {
    let has_shares =
        |played: &&Played| played.outcomes.iter().any(|outcome| outcome.plan.over_seeds.is_some());
    let lessons: Vec<Lesson<'_>> = ALL
        .iter()
        .filter(has_shares)
        .map(|played| Lesson { scenario: &played.scenario, about: About::default() })
        .collect();
    assert!(!lessons.is_empty());
    let suites: Vec<_> = lessons.iter().map(|lesson| Suite::new(lesson).expect("no mistakes")).collect();
    check(&suites, 1, 2, &AtomicBool::new(false), &mut |report| {
        let Some(report) = report else { return };
        for checked in report.checked {
            assert!(
                checked.holds,
                "{}: {}, observed {:?}",
                title(&report.outcome),
                checked.text,
                checked.observed
            );
        }
    });
}

#[test]
fn runs_are_pinned() {
    let path = root("tests/digests.txt");
    let mut found = String::from(
        "# Scenario, variant, seed, digest; tests/scenarios.rs says how to rewrite this file.\n",
    );
    for outcome in ALL.iter().flat_map(|played| &played.outcomes) {
        let variant = outcome.plan.variant.as_deref().unwrap_or("-");
        let name = &outcome.plan.scenario;
        writeln!(found, "{name:<32}{variant:<36}{:<6}{:016x}", outcome.seed, outcome.digest)
            .expect("a string takes any text");
    }
    if env::var_os("MQLAB_REWRITE").is_some() {
        fs::write(&path, &found).expect("the file can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    let differing: Vec<&str> =
        found.lines().filter(|line| !expected.lines().any(|old| old == *line)).collect();
    assert!(found == expected, "runs differ from tests/digests.txt:\n{}", differing.join("\n"));
}

#[test]
fn a_lesson_is_complete() {
    for Played { scenario, outcomes } in ALL.iter() {
        let words = &scenario.words;
        let texts = [&words.question, &words.story, &words.lesson];
        for text in texts {
            assert!(text.as_deref().is_some_and(|text| text.len() > 20), "{} is silent", scenario.name);
        }
        assert!(!scenario.facts.is_empty() && !scenario.claims.is_empty(), "{}", scenario.name);
        let source = catalog::find(&scenario.name).expect("it is built in").text;
        for key in ["\nversion ", "\nsources ", "\nseed "] {
            assert!(source.contains(key), "{} has no{key}", scenario.name);
        }
        let seeds: BTreeSet<u64> = outcomes.iter().map(|outcome| outcome.seed).collect();
        assert_eq!(seeds.len(), 1, "{}: variants are compared on one seed", scenario.name);
    }
}

/// A family that has a course has all of its lessons in it.
#[test]
fn courses_are_complete() {
    for family in fs::read_dir(root("scenarios")).expect("there are scenarios").flatten() {
        let Ok(text) = fs::read_to_string(family.path().join("course.txt")) else { continue };
        let family = family.file_name().to_string_lossy().into_owned();
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        let course: Vec<String> = lines.map(|lesson| format!("{family}/{lesson}")).collect();
        let built_in = catalog::all().iter().map(|one| one.name);
        let lessons: Vec<&str> = built_in.filter(|name| name.split('/').next() == Some(&family)).collect();
        assert_eq!(course, lessons);
    }
}

#[test]
fn what_scenarios_refer_to_stands_in_the_project() {
    let known = reference("docs/claims.toml");
    let mut all: Vec<(String, toml::Value)> = known.clone().into_iter().collect();
    let families: BTreeSet<&str> = ALL.iter().map(|played| played.scenario.family).collect();
    for family in families {
        let path = format!("docs/facts/{family}.toml");
        let facts = reference(&path);
        for Played { scenario, .. } in ALL.iter().filter(|played| played.scenario.family == family) {
            let claims = (&scenario.claims, &known, "docs/claims.toml");
            for (ids, table, file) in [(&scenario.facts, &facts, path.as_str()), claims] {
                for id in ids {
                    assert!(table.contains_key(id), "{} names {id}, which is not in {file}", scenario.name);
                }
            }
        }
        all.extend(facts.into_iter().filter(|(id, _)| id != "about"));
    }
    let text = |entry: &toml::Value, key: &str| entry.get(key)?.as_str().map(str::to_owned);
    for (id, entry) in &all {
        assert!(text(entry, "text").is_some_and(|text| text.ends_with('.')), "{id} says nothing");
        let sources = entry.get("sources").and_then(toml::Value::as_array).into_iter().flatten();
        let sources: Vec<&str> = sources.filter_map(toml::Value::as_str).collect();
        let is_public = !sources.is_empty() && sources.iter().all(|source| source.starts_with("https://"));
        let is_told = text(entry, "shown").or(text(entry, "how")).is_some();
        assert!(is_public || is_told, "{id}: where is it from?");
    }
}

fn reference(path: &str) -> toml::Table {
    let text = fs::read_to_string(root(path)).expect("the file can be read");
    text.parse().expect("the file is TOML")
}

/// A scenario as the laboratory takes it.
struct Lesson<'a> {
    scenario: &'a Scenario,
    about: About,
}

impl Source for Lesson<'_> {
    fn about(&self) -> &About {
        &self.about
    }
    fn family(&self) -> &'static dyn broker::Family {
        broker::family(self.scenario.family).expect("a scenario names its family")
    }
    fn variants(&self) -> Vec<String> {
        self.scenario.variants.clone()
    }
    fn plan(&self, variant: Option<&str>, sets: &[String]) -> Result<Plan, String> {
        self.scenario.plan(variant, sets).map_err(|mistakes| mistakes.render(Style::Plain))
    }
}

/// A loss is explained when taking its cause away, in a run of its own, takes the loss away.
#[test]
fn every_loss_has_a_confirmed_cause() {
    let losing = |outcome: &&Outcome| outcome.verdict.fate(Fate::Lost) > 0;
    let lost: Vec<(&Scenario, &Outcome)> = ALL
        .iter()
        .flat_map(|played| played.outcomes.iter().filter(losing).map(|outcome| (&played.scenario, outcome)))
        .collect();
    assert!(lost.len() >= 6, "the lessons lose messages in {} variants", lost.len());
    std::thread::scope(|scope| {
        for (scenario, outcome) in lost {
            scope.spawn(move || is_explained(scenario, outcome));
        }
    });
}

fn is_explained(scenario: &Scenario, outcome: &Outcome) {
    let source = Lesson { scenario, about: About::default() };
    let variant = outcome.plan.variant.as_deref();
    let question = Question { source: &source, variant, seed: None, sets: &[], message: None };
    let explanation = question.explain().unwrap_or_else(|why| panic!("{}: {why}", title(outcome)));
    let groups: Vec<_> = explanation.groups.iter().filter(|group| group.fate == Fate::Lost).collect();
    let explained: usize = groups.iter().map(|group| group.messages.len()).sum();
    assert_eq!(explained as u64, outcome.verdict.fate(Fate::Lost), "{}", title(outcome));
    for group in groups {
        assert!(group.is_confirmed(), "{}: {:#?} {:#?}", title(outcome), group.chain, group.trials);
    }
}

fn root(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Every modelled setting has a lesson that writes it, and whose run or claims come out differently without it. Kafka's
/// list has gaps still.
#[test]
fn every_setting_is_shown_by_a_lesson() {
    let family = broker::family("rabbitmq").expect("it is one");
    let own = ALL.iter().filter(|played| played.scenario.family == family.name());
    let all: Vec<(&Outcome, &Played)> =
        own.flat_map(|played| played.outcomes.iter().map(move |outcome| (outcome, played))).collect();
    let modelled = family.settings().iter().filter(|setting| setting.status == Status::Modelled);
    let settings: Vec<&Setting> = modelled.collect();
    let is_shown = |setting: &Setting| {
        all.iter().any(|(with, played)| {
            let mut plan = with.plan.clone();
            if !take_away(&mut plan, setting) {
                return false;
            }
            let without = outcome(&plan, &states(std::slice::from_ref(&plan)));
            let is_claimed = || claims(&without, &played.outcomes).iter().any(|checked| !checked.holds);
            without.digest != with.digest || is_claimed()
        })
    };
    let shown = in_parallel(settings.clone(), is_shown);
    let unshown: Vec<String> = settings
        .iter()
        .zip(shown)
        .filter(|(_, is_shown)| !is_shown)
        .map(|(setting, _)| format!("{:?} {}", setting.scope, setting.name))
        .collect();
    assert!(unshown.is_empty(), "no lesson shows what they do:\n{}", unshown.join("\n"));
}

/// Takes a setting out of a plan; whether it was there.
fn take_away(plan: &mut Plan, setting: &Setting) -> bool {
    let (scope, name) = (setting.scope, setting.name);
    let is_of = |client: &Option<String>, wanted: Option<&str>| {
        wanted.is_none_or(|wanted| client.as_deref().unwrap_or("java") == wanted)
    };
    let mut was_there = false;
    match scope {
        Scope::Cluster => was_there = plan.cluster.config.remove(name).is_some(),
        Scope::Entity(kind) => {
            for entity in plan.entities.iter_mut().filter(|one| one.kind == kind) {
                was_there |= entity.config.remove(name).is_some();
            }
        }
        Scope::Producer(client) => {
            for one in plan.producers.iter_mut().filter(|one| is_of(&one.client, client)) {
                was_there |= one.config.remove(name).is_some();
            }
        }
        Scope::Consumer(client) => {
            for one in plan.consumers.iter_mut().filter(|one| is_of(&one.client, client)) {
                was_there |= one.config.remove(name).is_some();
            }
        }
        Scope::Message => {
            for exact in plan.producers.iter_mut().flat_map(|one| &mut one.exact) {
                was_there |= exact.properties.remove(name).is_some();
            }
        }
    }
    was_there
}
