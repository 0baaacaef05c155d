//! The scenarios that the terminal view offers: the built-in ones, or those below a directory.

use std::sync::Arc;

use super::exit::Failure;
use super::open;
use crate::lab::Source;
use crate::scenario::{Scenario, Style, catalog};
use crate::tui::shelf::{Entry, Shelf};

/// A list of scenarios by name or path.
pub(super) struct Folder {
    names: Vec<String>,
}

/// All built-in scenarios.
pub(super) fn all() -> Folder {
    Folder { names: catalog::all().iter().map(|one| one.name.to_owned()).collect() }
}

/// All below a directory.
pub(super) fn folder(path: &str) -> Result<Folder, Failure> {
    Ok(Folder { names: open::names(path)? })
}

impl Folder {
    /// All built-in scenarios, this one first: the one that is selected.
    pub(super) fn beginning_with(name: &str) -> Self {
        let mut names = all().names;
        let at = names.iter().position(|one| one == name).unwrap_or(0);
        names.rotate_left(at);
        Self { names }
    }
}

impl Shelf for Folder {
    fn entries(&self) -> Vec<Entry> {
        self.names.iter().map(|name| entry(name)).collect()
    }

    fn open(&self, name: &str) -> Result<Arc<dyn Source>, String> {
        open::shared(name).map_err(|failure| failure.to_string())
    }
}

fn entry(name: &str) -> Entry {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let read: Result<Scenario, String> =
        open::read_scenario(name, Style::Plain).map_err(|why| why.to_string());
    match read {
        Ok(scenario) => Entry {
            name: name.to_owned(),
            title: scenario.title().to_owned(),
            family: format!("{} {}", scenario.family, scenario.version),
            question: text(&scenario.words.question),
            story: text(&scenario.words.story),
            variants: scenario.variants.clone(),
            mistake: None,
        },
        Err(mistake) => Entry {
            name: name.to_owned(),
            title: String::new(),
            family: String::new(),
            question: String::new(),
            story: String::new(),
            variants: Vec::new(),
            mistake: Some(mistake),
        },
    }
}
