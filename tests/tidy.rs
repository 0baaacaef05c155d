//! The architecture and the style, held by a test: who may know whom, which words stay in which folder, and how long a
//! line or a file may be.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, iter};

/// What the files of a layer may not name. A layer that does not exist is not held to anything.
const FORBIDDEN: &[(&str, &[&str])] = &[
    ("sim", &["fact", "app", "broker", "scenario", "ledger", "lab", "report", "cli", "tui"]),
    ("fact", &["app", "broker", "scenario", "ledger", "lab", "report", "cli", "tui"]),
    ("app", &["broker", "ledger", "lab", "report", "cli", "tui"]),
    ("broker", &["ledger", "lab", "report", "cli", "tui"]),
    ("scenario", &["ledger", "lab", "report", "cli", "tui"]),
    ("ledger", &["app", "lab", "report", "cli", "tui"]),
    ("lab", &["report", "cli", "tui"]),
    ("report", &["cli", "tui"]),
    ("tui", &["cli"]),
];

/// Narrower than the table: a layer may name of another one only this.
const ONLY: &[(&str, &str, &[&str])] =
    &[("app", "scenario", &["plan"]), ("ledger", "broker", &["Case", "Chain", "Names", "Family", "family"])];

/// Folders below `src/broker` that are no families: what several of them share.
const SHARED: &[&str] = &["host", "raft"];

/// A vendor's words stay in its folder. Comments may name examples; tests may use them.
const VENDOR_WORDS: &[&str] =
    &["kafka", "rabbitmq", "rocketmq", "activemq", "zookeeper", "isr", "high watermark", "high_watermark"];

/// Files that may use them nevertheless, each with its reason.
const VENDOR_WORDS_ALLOWED: &[(&str, &str)] = &[
    ("src/broker/mod.rs", "the list of families"),
    ("src/cli", "the lesson that is shown first, and examples in the help"),
    ("src/scenario/catalog.rs", "the list of built-in scenarios"),
    ("src/scenario/file.rs", "the names of families that are not modelled yet"),
    ("src/scenario/keys.rs", "examples in what the language says about itself"),
];

/// Columns of code; a comment, which is prose, may take ten more.
const LINE_MAX: usize = 110;
const LINES_MAX: usize = 600;

/// The one file that knows the time of day: how fast a run is played.
const HAS_CLOCK: &str = "src/tui/run.rs";

/// What never appears in `src`, each with its reason.
const BANNED: &[(&str, &str)] = &[
    ("HashMap", "its order is random; use BTreeMap"),
    ("HashSet", "its order is random; use BTreeSet"),
    ("Instant::now", "the only clock is the simulated one"),
    ("SystemTime", "the only clock is the simulated one"),
    ("[allow(", "expect it, with a reason"),
    ("todo!(", "finish it or leave it out"),
    ("unimplemented!(", "finish it or leave it out"),
    ("FIXME", "fix it"),
];

struct File {
    /// Relative to the root, with forward slashes.
    path: String,
    text: String,
}

impl File {
    /// Lines that are neither comments nor tests, with their numbers.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test = self.path.contains("/tests/") || self.path.ends_with("/tests.rs");
        let lines = self.text.lines().enumerate().map(|(at, line)| (at + 1, line));
        lines
            .take_while(move |(_, line)| !is_test && line.trim() != "#[cfg(test)]")
            .filter(|(_, line)| !line.trim_start().starts_with("//"))
    }

    fn is_in(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(['/', '.']) || rest.is_empty())
    }
}

fn files(folder: &str) -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths = Vec::new();
    collect(&root.join(folder), &mut paths);
    paths.sort();
    let read = |path: PathBuf| File {
        text: fs::read_to_string(&path).expect("a source file is text"),
        path: path.strip_prefix(root).expect("it lies below the root").to_string_lossy().replace('\\', "/"),
    };
    paths.into_iter().map(read).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Paths below the crate that a line names: `ledger::fate` for `crate::ledger::fate`, each one of `crate::{…}`.
fn named(line: &str) -> Vec<String> {
    let rests = line.match_indices("crate::").map(|(at, found)| &line[at + found.len()..]);
    rests
        .flat_map(|rest| match rest.strip_prefix('{') {
            Some(list) => list.split(['}', ';']).next().unwrap_or_default().split(',').collect(),
            None => vec![rest],
        })
        .map(|path| path.trim().chars().take_while(|&c| c.is_alphanumeric() || "_:".contains(c)).collect())
        .collect()
}

/// What a path names within the module that it leads to: the items of `broker::{Case, Chain}`.
fn items<'a>(line: &'a str, module: &str) -> Vec<&'a str> {
    let prefix = format!("crate::{module}::");
    let Some(at) = line.find(&prefix) else { return Vec::new() };
    let rest = &line[at + prefix.len()..];
    let end =
        |text: &'a str| text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default();
    match rest.strip_prefix('{') {
        Some(list) => {
            list.split('}').next().unwrap_or_default().split(',').map(|item| end(item.trim())).collect()
        }
        None => vec![end(rest)],
    }
}

fn has_word(line: &str, word: &str) -> bool {
    let line = line.to_lowercase();
    let is_edge = |c: Option<char>| c.is_none_or(|c| !c.is_alphanumeric());
    line.match_indices(word).any(|(at, _)| {
        is_edge(line[..at].chars().next_back()) && is_edge(line[at + word.len()..].chars().next())
    })
}

/// Fails with all findings at once.
fn demand_none(findings: &[String]) {
    let mut text = String::new();
    for finding in findings {
        let _ = writeln!(text, "{finding}");
    }
    assert!(findings.is_empty(), "{} findings\n{text}", findings.len());
}

#[test]
fn a_layer_knows_only_what_lies_below_it() {
    let mut findings = Vec::new();
    for file in files("src") {
        for &(layer, forbidden) in FORBIDDEN.iter().filter(|(layer, _)| file.is_in(&format!("src/{layer}"))) {
            for (number, line) in file.code() {
                for path in named(line) {
                    let other = path.split("::").next().unwrap_or_default();
                    if forbidden.contains(&other) {
                        findings.push(format!("{}:{number}: {layer} must not know {other}", file.path));
                    }
                }
                for (_, other, only) in ONLY.iter().filter(|(of, ..)| *of == layer) {
                    for item in items(line, other).into_iter().filter(|item| !only.contains(item)) {
                        let path = &file.path;
                        findings.push(format!("{path}:{number}: {layer} must not know {other}::{item}"));
                    }
                }
            }
        }
    }
    demand_none(&findings);
}

#[test]
fn a_family_names_no_other_family() {
    let is_family = |folder: &String| !SHARED.contains(&folder.as_str());
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/broker");
    let folders = fs::read_dir(root).into_iter().flatten().flatten().filter(|entry| entry.path().is_dir());
    let folders = folders.map(|entry| entry.file_name().to_string_lossy().into_owned());
    let families: Vec<_> = folders.filter(is_family).collect();
    let mut findings = Vec::new();
    for family in &families {
        for file in files(&format!("src/broker/{family}")) {
            for (number, line) in file.code() {
                for other in families.iter().filter(|other| *other != family && has_word(line, other)) {
                    findings.push(format!("{}:{number}: {family} must not name {other}", file.path));
                }
            }
        }
    }
    demand_none(&findings);
}

#[test]
fn vendor_words_stay_in_their_folders() {
    let mut findings = Vec::new();
    for file in files("src") {
        let is_family = file.path.starts_with("src/broker/") && file.path.matches('/').count() > 2;
        if is_family || VENDOR_WORDS_ALLOWED.iter().any(|(folder, _)| file.is_in(folder)) {
            continue;
        }
        for (number, line) in file.code() {
            for word in VENDOR_WORDS.iter().filter(|word| has_word(line, word)) {
                findings.push(format!("{}:{number}: the word `{word}` belongs to its family", file.path));
            }
        }
    }
    demand_none(&findings);
}

#[test]
fn nothing_that_is_banned_appears() {
    let mut findings = Vec::new();
    for file in files("src") {
        for (at, line) in file.text.lines().enumerate() {
            let is_banned =
                |word: &str| line.contains(word) && !(word == "Instant::now" && file.path == HAS_CLOCK);
            for (word, reason) in BANNED.iter().filter(|(word, _)| is_banned(word)) {
                findings.push(format!("{}:{}: {word}: {reason}", file.path, at + 1));
            }
        }
    }
    demand_none(&findings);
}

#[test]
fn lines_and_files_stay_short() {
    let mut findings = Vec::new();
    for file in ["src", "tests", "benches", "examples"].into_iter().flat_map(files) {
        let lines = file.text.lines().count();
        if lines > LINES_MAX {
            findings.push(format!("{}: {lines} lines; {LINES_MAX} are enough", file.path));
        }
        for (at, line) in file.text.lines().enumerate() {
            let width = line.chars().count();
            let max = LINE_MAX + if line.trim_start().starts_with("//") { 10 } else { 0 };
            if width > max {
                findings.push(format!("{}:{}: {width} columns; {max} are enough", file.path, at + 1));
            }
        }
    }
    demand_none(&findings);
}

#[test]
fn the_rules_see_what_they_are_meant_to_see() {
    assert_eq!(named("use crate::{fact, ledger::Fate};"), ["fact", "ledger::Fate"]);
    assert_eq!(named("    let _ = crate::sim::Time::ZERO;"), ["sim::Time::ZERO"]);
    assert_eq!(items("use crate::broker::{Case, World};", "broker"), ["Case", "World"]);
    assert_eq!(items("use crate::scenario::plan::Plan;", "scenario"), ["plan"]);
    assert!(has_word("the ISR shrinks", "isr") && !has_word("advisory", "isr"));
    let count = iter::once("src").flat_map(files).count();
    assert!(count > 10, "only {count} files were found");
}
