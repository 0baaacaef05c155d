//! The matrix as a table: a row for each measure, a column for each variant.

use super::paint::{HEAD, paint, put};
use crate::lab::matrix::Matrix;
use crate::lab::run::Outcome;
use crate::ledger::Fate;
use crate::ledger::measure::{MEASURES, Measured};
use crate::sim::Span;

/// Fates that are shown even if no message has them.
const ALWAYS: [Fate; 3] = [Fate::Processed, Fate::Duplicated, Fate::Lost];

/// The table. Fates that no message has in any variant are left out, but for the three that everybody asks about.
pub fn table(matrix: &Matrix) -> String {
    let fates = Fate::ALL.into_iter().filter(|fate| {
        ALWAYS.contains(fate) || matrix.columns.iter().any(|column| column.verdict.fate(*fate) > 0)
    });
    let names: Vec<&str> = fates.map(Fate::name).chain(MEASURES).collect();
    let first = names.iter().map(|name| name.len()).max().unwrap_or(0);
    let mut rows = vec![String::new(); names.len()];
    let mut heading = " ".repeat(first);
    for column in &matrix.columns {
        let title = column.plan.variant.as_deref().unwrap_or("all");
        let cells: Vec<_> = names.iter().map(|name| cell(column, name)).collect();
        let width = cells.iter().map(|cell| cell.chars().count()).chain([title.chars().count()]).max();
        let width = width.unwrap_or(0);
        put!(heading, "  {title:>width$}");
        for (row, cell) in rows.iter_mut().zip(&cells) {
            put!(row, "  {cell:>width$}");
        }
    }
    let seed = matrix.columns.first().map_or(0, |column| column.seed);
    let mut out = format!("{}\n{}, seed {seed}\n\n", paint(HEAD, &matrix.title), matrix.scenario);
    put!(out, "{}\n", paint(HEAD, &heading));
    for (name, row) in names.iter().zip(rows) {
        put!(out, "{name:<first$}{row}\n");
    }
    out
}

fn cell(column: &Outcome, name: &str) -> String {
    match column.value(name) {
        None | Some(Measured::Time(None) | Measured::Rate(None)) => "-".to_owned(),
        // Who asks for no answer counts what it sends as confirmed at once: nobody waited, nothing was measured.
        Some(Measured::Time(Some(Span::ZERO))) if name.starts_with("latency.") => "-".to_owned(),
        // What nobody processed was never drained.
        Some(Measured::Time(Some(Span::ZERO))) if name == "backlog.drained_after" && is_idle(column) => {
            "-".to_owned()
        }
        Some(value) => value.to_string(),
    }
}

/// Whether nothing took effect.
fn is_idle(column: &Outcome) -> bool {
    matches!(column.value("latency.end_to_end.max"), None | Some(Measured::Time(None)))
}

#[cfg(test)]
mod tests {
    use crate::lab::fake::FakeScenario;
    use crate::lab::matrix::matrix;

    #[test]
    fn variants_stand_side_by_side() {
        let matrix = matrix(&FakeScenario::new(), Some(42), &[], 2).unwrap();
        insta::assert_snapshot!(anstream::adapter::strip_str(&super::table(&matrix)).to_string());
    }
}
