//! Mutated scenarios: no file makes the program panic, hang, or grow without bound.
//!
//! `cargo run --release --example mutate -- [FILES] [SEED] [SECONDS]`: reads so many files, changed at random from the
//! scenarios, the wrong files of the tests and the corpus, and runs a share of those that read well, under small
//! bounds. The first file that panics or takes too long is written to `target/mutate` and named; the end is then 1.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use std::{env, fs, panic, process, thread};

use mqlab::broker::family;
use mqlab::lab::run::Run;
use mqlab::scenario::Scenario;
use mqlab::scenario::plan::{Plan, Rate};
use mqlab::sim::Span;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

/// One file is read, and run, in this time.
const LIMIT: Duration = Duration::from_secs(20);
/// One in so many files that read well is run.
const RUN_EVERY: u64 = 8;
/// Events of one run at most.
const EVENTS_MAX: u64 = 100_000;

/// A mutated file, its number, and when its reading began.
type Current = Arc<Mutex<Option<(u64, Vec<u8>, Instant)>>>;

thread_local! {
    /// The file that this thread is at.
    static AT: RefCell<Option<(u64, Vec<u8>)>> = const { RefCell::new(None) };
}

fn main() {
    let words: Vec<u64> = env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let files = words.first().copied().unwrap_or(100_000);
    let seed = words.get(1).copied().unwrap_or(1);
    let seconds = words.get(2).copied().unwrap_or(3_600);
    report_panics();
    let corpus = corpus();
    let hunt = Arc::new(Hunt {
        corpus,
        files,
        seed,
        seconds: Duration::from_secs(seconds),
        next: AtomicU64::new(0),
    });
    let (done, finished) = mpsc::channel();
    let workers: Vec<_> = (0..thread::available_parallelism().map_or(1, usize::from))
        .map(|_| {
            let (hunt, done, current) = (Arc::clone(&hunt), done.clone(), Current::default());
            let shown = Arc::clone(&current);
            let worker = thread::spawn(move || {
                let found = hunt.work(&current);
                // The other side waits for this as long as it lives.
                let _ = done.send(());
                found
            });
            (worker, shown)
        })
        .collect();
    drop(done);
    let started = now();
    while finished.recv_timeout(Duration::from_millis(200)) != Err(mpsc::RecvTimeoutError::Disconnected) {
        for (_, current) in &workers {
            let held = current.lock().ok();
            if let Some((number, text, since)) = held.as_deref().and_then(Option::as_ref)
                && since.elapsed() > LIMIT
            {
                report(*number, text, "takes too long");
                process::exit(1);
            }
        }
    }
    let mut all = Found::default();
    for (worker, _) in workers {
        let found = worker.join().expect("a worker that panics ends the program");
        all = Found { made: all.made + found.made, well: all.well + found.well, runs: all.runs + found.runs };
    }
    let Found { made, well, runs } = all;
    println!("{made} files, {well} read well, {runs} runs, no panic, {} s", started.elapsed().as_secs());
}

/// A panic names the file that its thread was at, and ends the program.
fn report_panics() {
    panic::set_hook(Box::new(|panic| {
        AT.with_borrow(|at| {
            if let Some((number, text)) = at {
                report(*number, text, &panic.to_string());
            }
        });
        process::exit(1);
    }));
}

/// What all workers share.
struct Hunt {
    corpus: Vec<Vec<u8>>,
    files: u64,
    seed: u64,
    seconds: Duration,
    /// The number of the next file.
    next: AtomicU64,
}

/// What a worker did.
#[derive(Clone, Copy, Default)]
struct Found {
    made: u64,
    well: u64,
    runs: u64,
}

impl Hunt {
    /// Reads and runs files until there are enough or the time is over.
    fn work(&self, current: &Current) -> Found {
        let started = now();
        let mut found = Found::default();
        while started.elapsed() < self.seconds {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.files {
                break;
            }
            // Each file has a seed of its own, so that it can be made again without the ones before.
            let seed = self.seed.wrapping_mul(1 << 32).wrapping_add(number);
            let text = mutated(&self.corpus, &mut Xoshiro256PlusPlus::seed_from_u64(seed));
            if let Ok(mut slot) = current.lock() {
                *slot = Some((number, text.clone(), now()));
            }
            AT.set(Some((number, text.clone())));
            let is_run = found.well % RUN_EVERY == 0;
            if let Some(ran) = try_one(&text, is_run) {
                found.well += 1;
                found.runs += u64::from(ran);
            }
            found.made += 1;
        }
        found
    }
}

#[expect(clippy::disallowed_methods, reason = "a hang is measured by the machine's clock")]
fn now() -> Instant {
    Instant::now()
}

/// Whether it reads well, and then whether it was run. What is too large for a quick run is only read.
fn try_one(text: &[u8], is_run: bool) -> Option<bool> {
    let scenario = match Scenario::read("mutated", "mutated.toml", text) {
        Ok(scenario) => scenario,
        Err(mistakes) => {
            let text = mistakes.render(mqlab::scenario::Style::Plain);
            assert!(!text.is_empty());
            return None;
        }
    };
    let plan = scenario.plan(None, &[]).expect("it was checked");
    if !is_run || is_large(&plan) {
        return Some(false);
    }
    let run = Run { family: family(scenario.family)?, plan: &plan, seed: plan.seed, events_max: EVENTS_MAX };
    let outcome = run.outcome(&[]);
    assert!(outcome.events <= EVENTS_MAX + 10_000_000, "the bound on events holds");
    Some(true)
}

fn is_large(plan: &Plan) -> bool {
    let messages = plan.producers.iter().map(|one| match (one.messages, one.rate()) {
        (Some(count), _) => u64::from(count),
        (None, Rate::Every(gap) | Rate::Poisson(gap)) => plan.run_for.0 / gap.0.max(1),
        _ => 0,
    });
    let clients = plan.producers.iter().map(|one| u64::from(one.instances));
    let clients = clients.chain(plan.consumers.iter().map(|one| u64::from(one.instances)));
    let places = plan.entities.len() as u64;
    messages.sum::<u64>() > 1_000_000
        || clients.sum::<u64>() > 100
        || places > 20
        || plan.run_for > Span::from_secs(3_600)
}

fn report(number: u64, text: &[u8], what: &str) {
    let folder = Path::new("target/mutate");
    let path = folder.join(format!("{number}.toml"));
    let written = fs::create_dir_all(folder).and_then(|()| fs::write(&path, text));
    println!("{}: {what} ({written:?})", path.display());
}

fn corpus() -> Vec<Vec<u8>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    for folder in ["scenarios", "tests/diagnostics", "tests/corpus"] {
        collect(&root.join(folder), &mut paths);
    }
    paths.sort();
    let texts: Vec<Vec<u8>> = paths.iter().filter_map(|path| fs::read(path).ok()).collect();
    texts.into_iter().filter(|text| text.len() < 20_000).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            paths.push(path);
        }
    }
}

/// One file of the corpus with one to four changes; some get bytes changed besides.
fn mutated(corpus: &[Vec<u8>], random: &mut Xoshiro256PlusPlus) -> Vec<u8> {
    let pick = |random: &mut Xoshiro256PlusPlus| &corpus[random.random_range(0..corpus.len())];
    let text = String::from_utf8_lossy(pick(random)).into_owned();
    let other = String::from_utf8_lossy(pick(random)).into_owned();
    let others: Vec<&str> = other.lines().collect();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..random.random_range(1..=4) {
        if lines.is_empty() || others.is_empty() {
            break;
        }
        let at = random.random_range(0..lines.len());
        let to = random.random_range(0..lines.len());
        let from = others[random.random_range(0..others.len())];
        match random.random_range(0..8) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[to].clone()),
            2 => lines.swap(at, to),
            3 => lines.insert(at, from.to_owned()),
            4 => lines[at] = with_value_of(&lines[at], from),
            5 => lines[at] = with_key_of(&lines[at], from),
            _ => lines[at] = with_number(&lines[at], random),
        }
    }
    let mut bytes = lines.join("\n").into_bytes();
    if random.random_ratio(1, 8) && !bytes.is_empty() {
        for _ in 0..random.random_range(1..=3) {
            let at = random.random_range(0..bytes.len());
            bytes[at] ^= 1 << random.random_range(0..8);
        }
    }
    bytes
}

fn with_value_of(line: &str, other: &str) -> String {
    match (line.split_once('='), other.split_once('=')) {
        (Some((key, _)), Some((_, value))) => format!("{key}={value}"),
        _ => other.to_owned(),
    }
}

fn with_key_of(line: &str, other: &str) -> String {
    match (line.split_once('='), other.split_once('=')) {
        (Some((_, value)), Some((key, _))) => format!("{key}={value}"),
        _ => other.to_owned(),
    }
}

/// With one of its numbers changed, most often to something extreme.
fn with_number(line: &str, random: &mut Xoshiro256PlusPlus) -> String {
    const EXTREMES: &[&str] = &[
        "0",
        "1",
        "2",
        "3",
        "7",
        "-1",
        "100",
        "1000",
        "65536",
        "1000000",
        "2147483647",
        "4294967296",
        "9223372036854775807",
        "99999999999999999999",
        "0.000001",
        "1e9",
        "1_0",
    ];
    let starts: Vec<usize> = line
        .char_indices()
        .zip(std::iter::once(' ').chain(line.chars()))
        .filter(|((_, c), before)| c.is_ascii_digit() && !before.is_ascii_digit())
        .map(|((at, _), _)| at)
        .collect();
    if starts.is_empty() {
        return line.to_owned();
    }
    let start = starts[random.random_range(0..starts.len())];
    let end = line[start..].find(|c: char| !c.is_ascii_digit()).map_or(line.len(), |length| start + length);
    let number = EXTREMES[random.random_range(0..EXTREMES.len())];
    format!("{}{number}{}", &line[..start], &line[end..])
}
