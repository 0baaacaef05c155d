//! From what the user typed to a scenario: the only place that knows how scenarios are found and read.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::exit::Failure;
use crate::broker;
use crate::lab::Source;
use crate::lab::source::{self, Opened};
use crate::scenario::{Diagnostics, Scenario, Style, catalog};

/// A scenario file is a page of text; what is longer than this is something else.
const BYTES_MAX: u64 = 1 << 20;

/// Opens a scenario by the name of a built-in one or by its path.
pub(super) fn scenario(name: &str) -> Result<Box<dyn Source>, Failure> {
    Ok(Box::new(Opened::new(read_scenario(name, Style::Colour)?, Style::Colour)))
}

/// The same, for whoever looks at it for longer.
pub(super) fn shared(name: &str) -> Result<Arc<dyn Source>, Failure> {
    Ok(Arc::new(Opened::new(read_scenario(name, Style::Colour)?, Style::Colour)))
}

/// Reads and checks a scenario; mistakes are worded in this style.
pub(super) fn read_scenario(name: &str, style: Style) -> Result<Scenario, Failure> {
    let checked = |read: Result<Scenario, Diagnostics>| {
        read.map_err(|mistakes| Failure::Usage(source::words(&mistakes, style)))
    };
    match catalog::find(name) {
        Ok(built_in) => checked(built_in.read()),
        Err(nearest) if !is_path(name) => {
            let help = match nearest {
                _ if broker::family(name).is_some() => {
                    format!("{name} is a family: `mqlab list` names its scenarios")
                }
                Some(nearest) => format!("did you mean {nearest}?"),
                None => "`mqlab list` names all built-in ones".to_owned(),
            };
            Err(Failure::Usage(format!("error: there is no scenario {name}; {help}")))
        }
        Err(_) => checked(Scenario::read(name, name, &read(Path::new(name))?)),
    }
}

/// A path ends in `.toml` or contains `/`; but `kafka/…` is a name unless there is such a file.
fn is_path(name: &str) -> bool {
    let may_be_a_name = name.split_once('/').is_none_or(|(first, _)| broker::family(first).is_some());
    let path = Path::new(name);
    path.extension().is_some_and(|extension| extension == "toml") || !may_be_a_name || path.exists()
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let fail = |source| unreadable(path, source);
    if path.is_dir() {
        let folder = path.display();
        let text = format!(
            "it is a directory\n  = help: `mqlab tui {folder}` lets you choose from it, \
             `mqlab check {folder}` checks all of it"
        );
        return Err(fail(std::io::Error::new(std::io::ErrorKind::IsADirectory, text)));
    }
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(fail)?;
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > BYTES_MAX {
        let text = format!("error: {} is longer than 1 MiB: this is no scenario", path.display());
        return Err(Failure::Usage(text));
    }
    Ok(bytes)
}

/// All built-in scenarios.
pub(super) fn all() -> Result<Vec<Box<dyn Source>>, Failure> {
    catalog::all().iter().map(|built_in| scenario(built_in.name)).collect()
}

/// The scenarios that a path or name means: itself, or all below a directory in the order of their names.
pub(super) fn names(name: &str) -> Result<Vec<String>, Failure> {
    let path = Path::new(name);
    if !path.is_dir() {
        return Ok(vec![name.to_owned()]);
    }
    let mut files = Vec::new();
    let mut directories = vec![path.to_owned()];
    while let Some(directory) = directories.pop() {
        let entries = std::fs::read_dir(&directory).map_err(|source| unreadable(&directory, source))?;
        for entry in entries {
            let entry = entry.map_err(|source| unreadable(&directory, source))?;
            let kind = entry.file_type().map_err(|source| unreadable(&entry.path(), source))?;
            // A linked directory is not followed: it may lead back here.
            if kind.is_dir() {
                directories.push(entry.path());
            } else if entry.path().extension().is_some_and(|extension| extension == "toml") {
                files.push(entry.path());
            }
        }
    }
    files.sort();
    if files.is_empty() {
        return Err(Failure::Usage(format!("error: there is no scenario (*.toml) in {name}")));
    }
    Ok(files.iter().map(|file: &PathBuf| file.to_string_lossy().into_owned()).collect())
}

fn unreadable(path: &Path, source: std::io::Error) -> Failure {
    Failure::Read { path: path.display().to_string(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_paths_are_told_apart() {
        for (typed, expected) in [
            ("kafka/aks-one", false),
            ("acks-one", false),
            ("acks-one.toml", true),
            ("kafka/acks-one.toml", true),
            ("./acks-one", true),
            ("lessons/acks-one", true),
            ("src", true),
        ] {
            assert_eq!(is_path(typed), expected, "{typed}");
        }
    }

    #[test]
    fn mistakes_say_what_to_do() {
        let message = |typed| scenario(typed).map(|_| ()).unwrap_err().to_string();
        assert_eq!(
            message("kafka/aks-one"),
            "error: there is no scenario kafka/aks-one; did you mean kafka/acks-one?"
        );
        assert!(message("no/such.toml").starts_with("error: cannot read no/such.toml: "));
        assert!(message("kafka").contains("kafka is a family"));
        assert!(
            message("scenarios").contains("it is a directory")
                && message("scenarios").contains("mqlab check")
        );
        assert!(names("src/sim").unwrap_err().to_string().contains("no scenario"));
        assert_eq!(names("scenarios").unwrap()[0], "scenarios/kafka/acks-all.toml");
    }
}
