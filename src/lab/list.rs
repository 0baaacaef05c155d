//! What scenarios there are.

use serde::Serialize;

use super::Source;

/// One scenario of the list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// `kafka/acks-one`.
    pub name: String,
    /// `kafka`.
    pub family: String,
    /// One line.
    pub title: String,
    /// In the order of the file.
    pub variants: Vec<String>,
    /// The facts it reproduces, by their ids.
    pub facts: Vec<String>,
    /// The claims it supports, by their ids.
    pub claims: Vec<String>,
}

/// The entry of a scenario.
pub fn entry(source: &dyn Source) -> Entry {
    let about = source.about();
    Entry {
        name: about.name.clone(),
        family: source.family().name().to_owned(),
        title: about.title.clone(),
        variants: source.variants(),
        facts: about.facts.clone(),
        claims: about.claims.clone(),
    }
}
