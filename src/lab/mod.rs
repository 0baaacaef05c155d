//! The laboratory: what is done with scenarios. It runs worlds and keeps ledgers, and knows no terminal.

use crate::broker::Family;
use crate::scenario::Heading;
use crate::scenario::plan::Plan;

pub mod check;
mod course;
pub mod deed;
pub mod explain;
#[cfg(test)]
pub(crate) mod fake;
mod findings;
pub(crate) mod gaps;
pub mod list;
pub mod matrix;
pub mod notable;
mod pool;
pub mod promise;
pub mod record;
pub mod replay;
pub mod run;
pub mod series;
pub mod session;
pub mod shown;
pub mod source;
pub mod study;

/// Where plans come from: a scenario, which alone can apply variants and `--set` lines.
pub trait Source: Send + Sync {
    /// What the scenario says about itself.
    fn about(&self) -> &About;

    /// Its family.
    fn family(&self) -> &'static dyn Family;

    /// The names of its variants, in the order of the file.
    fn variants(&self) -> Vec<String>;

    /// The checked plan of a variant (none: the first) with these TOML lines laid over it; the error is for people.
    fn plan(&self, variant: Option<&str>, sets: &[String]) -> Result<Plan, String>;

    /// A scenario file of its own that runs what this variant with these lines runs; the error is for people.
    fn file(&self, _variant: Option<&str>, _sets: &[String], _heading: &Heading) -> Result<String, String> {
        Err("this scenario has no file that could be written anew".to_owned())
    }
}

/// What a scenario says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct About {
    /// `kafka/acks-one`, or the path of the file.
    pub name: String,
    /// One line.
    pub title: String,
    /// Asked before the run.
    pub question: String,
    /// What happens.
    pub story: String,
    /// What to take away.
    pub lesson: String,
    /// For a file without variants that differ: the deciding change, as a `--set` line.
    pub decisive: Option<String>,
    /// The facts it reproduces, by their ids.
    pub facts: Vec<String>,
    /// The claims it supports, by their ids.
    pub claims: Vec<String>,
}

/// The plans of all variants, or of the one nameless variant of a file without variants.
pub fn plans(source: &dyn Source, sets: &[String]) -> Result<Vec<Plan>, String> {
    let names = source.variants();
    if names.is_empty() {
        return Ok(vec![source.plan(None, sets)?]);
    }
    names.iter().map(|name| source.plan(Some(name), sets)).collect()
}
