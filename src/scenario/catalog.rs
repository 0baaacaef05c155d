//! The scenarios that the program brings along: everything under `scenarios/`, embedded when it is built.

use super::diagnostic::{Diagnostics, nearest};
use super::file::Scenario;

/// A built-in scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuiltIn {
    /// `kafka/acks-one`.
    pub name: &'static str,
    /// `scenarios/kafka/acks-one.toml`.
    pub path: &'static str,
    /// The file.
    pub text: &'static str,
}

impl BuiltIn {
    /// Reads and checks it.
    pub fn read(&self) -> Result<Scenario, Diagnostics> {
        Scenario::read(self.name, self.path, self.text.as_bytes())
    }
}

include!(concat!(env!("OUT_DIR"), "/catalog.rs"));

/// All of them, family by family, in the order of its `course.txt` or else of their names.
pub fn all() -> &'static [BuiltIn] {
    BUILT_IN
}

/// The one of that name; else the name that is nearest to it, if any is near.
pub fn find(name: &str) -> Result<&'static BuiltIn, Option<&'static str>> {
    match BUILT_IN.iter().find(|one| one.name == name) {
        Some(one) => Ok(one),
        None => Err(nearest(name, BUILT_IN.iter().map(|one| one.name)).or_else(|| nearest_lesson(name))),
    }
}

/// The scenario whose name is near this one when its family is left out.
fn nearest_lesson(name: &str) -> Option<&'static str> {
    let lesson = |one: &BuiltIn| one.name.split_once('/').map_or(one.name, |(_, lesson)| lesson);
    let near = nearest(name, BUILT_IN.iter().map(lesson))?;
    BUILT_IN.iter().find(|one| lesson(one) == near).map(|one| one.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_scenario_is_right() {
        for one in all() {
            if let Err(mistakes) = one.read() {
                panic!("{}", mistakes.render(crate::scenario::diagnostic::Style::Plain));
            }
        }
        let families = all().iter().map(|one| one.name.split('/').next());
        assert!(families.is_sorted(), "family by family");
        let mut names: Vec<_> = all().iter().map(|one| one.name).collect();
        names.sort_unstable();
        assert!(names.windows(2).all(|two| two[0] != two[1]), "each once");
    }

    #[test]
    fn an_unknown_name_gets_the_nearest() {
        assert_eq!(find("kafka/aks-one"), Err(Some("kafka/acks-one")));
        assert_eq!(find("acks-one"), Err(Some("kafka/acks-one")));
        assert!(find("kafka/acks-one").is_ok());
        assert_eq!(find("something else entirely"), Err(None));
    }
}
