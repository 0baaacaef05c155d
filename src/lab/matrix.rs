//! The matrix: every variant of a scenario against every measure.

use std::sync::atomic::AtomicBool;

use super::run::{Outcome, Run};
use super::{Source, plans, pool};

/// All variants of a scenario with one seed.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// The scenario's name.
    pub scenario: String,
    /// The scenario's title.
    pub title: String,
    /// One for each variant, in the order of the file.
    pub columns: Vec<Outcome>,
}

/// Runs every variant, with `seed` or the file's own.
pub fn matrix(
    source: &dyn Source,
    seed: Option<u64>,
    sets: &[String],
    jobs: usize,
) -> Result<Matrix, String> {
    let plans = plans(source, sets)?;
    let run = |number: usize| {
        let plan = &plans[number];
        Run::new(source.family(), plan, seed.unwrap_or(plan.seed)).outcome(&[])
    };
    let mut columns = Vec::new();
    pool::in_order(jobs, plans.len(), &AtomicBool::new(false), &run, &mut |outcome| columns.push(outcome));
    let about = source.about();
    Ok(Matrix { scenario: about.name.clone(), title: about.title.clone(), columns })
}
