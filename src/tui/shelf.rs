//! The scenarios that can be picked, and how they are opened. Where they come from is the caller's business.

use std::sync::Arc;

use crate::lab::Source;

/// A row of the picker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `kafka/acks-one`, or a path: what [`Shelf::open`] takes.
    pub name: String,
    /// One line on what it teaches.
    pub title: String,
    /// `kafka 2.0`.
    pub family: String,
    /// Asked before the run.
    pub question: String,
    /// What happens.
    pub story: String,
    /// In the order of the file; empty: it has none.
    pub variants: Vec<String>,
    /// Why it cannot be opened; none: it can.
    pub mistake: Option<String>,
}

/// Where scenarios come from.
pub trait Shelf: Send + Sync {
    /// All of them, in the order in which they are shown.
    fn entries(&self) -> Vec<Entry>;

    /// One of them; the error is for people.
    fn open(&self, name: &str) -> Result<Arc<dyn Source>, String>;
}
