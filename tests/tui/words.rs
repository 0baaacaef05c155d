//! Every word of the interface is in the catalogue, and the catalogue has no word that nobody uses.

use std::path::Path;

use mqlab::tui::words::Words;

use crate::kit::root;

/// What is no word of the interface, each with its reason.
const NO_WORDS: &[&str] = &[
    // The names of themes and views on the command line.
    "default",
    "light",
    "dark",
    "high-contrast",
    "mono",
    "cluster",
    "logs",
    "fates",
    "charts",
    "events",
    "inspector",
    "why",
    "verdict",
    // Values and files of the scenario language.
    "true",
    "false",
    "toml",
    ".toml",
    "= false",
    ".config.",
    "{text}.toml",
    // The end of a key.
    "{}_help",
];

/// A time as scenarios write it: `100ms`.
fn is_time(literal: &str) -> bool {
    mqlab::scenario::duration(literal).is_ok()
}

/// Every string literal of a file's code, without tests, expectations and attributes.
fn literals(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let code = text.lines().enumerate().take_while(|(_, line)| line.trim() != "#[cfg(test)]");
    let mut open: Option<(usize, String)> = None;
    for (number, line) in code {
        let trimmed = line.trim_start();
        let is_exempt = trimmed.starts_with("//")
            || trimmed.starts_with("#[")
            || [".expect(", "assert", "unreachable!(", "include_str!(", "reason ="]
                .iter()
                .any(|it| line.contains(it));
        if is_exempt && open.is_none() {
            continue;
        }
        let mut chars = line.chars().peekable();
        let mut before = ' ';
        while let Some(c) = chars.next() {
            match (&mut open, c) {
                (Some((_, text)), '\\') => {
                    text.push(' ');
                    chars.next();
                }
                (Some(_), '"') => found.extend(open.take()),
                (Some((_, text)), c) => text.push(c),
                (None, '"') if before != '\'' => open = Some((number + 1, String::new())),
                (None, _) => {}
            }
            before = c;
        }
    }
    found
}

/// The literal as people would see it: without what is filled in.
fn letters(literal: &str) -> String {
    let mut text = String::new();
    let mut depth = 0;
    for c in literal.chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            c if depth == 0 && c.is_alphabetic() => text.push(c),
            _ => {}
        }
    }
    text
}

fn sources(folder: &Path, files: &mut Vec<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("the folder is there").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, files);
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
}

#[test]
fn every_word_of_the_interface_is_in_the_catalogue() {
    let words = Words::english();
    let mut files = Vec::new();
    sources(&root().join("src/tui"), &mut files);
    let mut findings = Vec::new();
    for path in files {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let is_test = ["tests.rs", "kit.rs", "puppet.rs", "sizes.rs"].contains(&name.as_str());
        if is_test || name == "svg.rs" {
            continue;
        }
        let text = std::fs::read_to_string(&path).expect("a source file is text");
        for (line, literal) in literals(&text) {
            // Keys of what is filled in (`{count}`) are single words beside their values.
            let is_key = words.has(&literal)
                || words
                    .keys()
                    .any(|key| key.starts_with(literal.trim_end_matches("{}")) && literal.contains('.'));
            let is_name = literal.chars().all(|c| c.is_ascii_lowercase() || c == '_')
                && words.texts().any(|text| text.contains(&format!("{{{literal}}}")));
            if letters(&literal).chars().count() > 1
                && !is_key
                && !is_name
                && !is_time(&literal)
                && !NO_WORDS.contains(&literal.as_str())
            {
                findings.push(format!("{}:{line}: {literal:?}", path.display()));
            }
        }
    }
    assert!(findings.is_empty(), "words outside the catalogue:\n{}", findings.join("\n"));
}

#[test]
fn the_catalogue_has_no_word_that_nobody_uses() {
    let mut files = Vec::new();
    sources(&root().join("src/tui"), &mut files);
    let code: String = files.iter().map(|path| std::fs::read_to_string(path).expect("text")).collect();
    let unused: Vec<_> = Words::english()
        .keys()
        .filter(|key| {
            let section = key.split('.').next().unwrap_or_default();
            let is_built = code.contains(&format!("\"{section}.{{"));
            let is_help = key.ends_with("_help");
            !code.contains(&format!("\"{key}\"")) && !is_built && !is_help
        })
        .collect();
    assert!(unused.is_empty(), "nobody uses {unused:?}");
}
