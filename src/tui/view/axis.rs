//! Time on columns: the axis that the timeline and the charts share.

use crate::sim::{Span, Time};
use crate::tui::out::width;

/// Time from zero to the end of a run, laid over so many columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    /// The instant of the last column.
    pub(super) end: Time,
    /// How many columns there are.
    pub(super) columns: u16,
}

impl Axis {
    /// The column in which an instant lies.
    pub(super) fn column(&self, at: Time) -> u16 {
        let last = u128::from(self.columns.saturating_sub(1));
        let end = u128::from(self.end.0.max(1));
        let at = u128::from(at.0).min(end);
        ((at * last + end / 2) / end) as u16
    }

    /// The instant in the middle of a column; the first is the beginning, the last the end.
    pub(super) fn time(&self, column: u16) -> Time {
        let last = u128::from(self.columns.saturating_sub(1).max(1));
        Time((u128::from(self.end.0) * u128::from(column) / last) as u64)
    }

    /// Round times and their labels, left to right, that do not touch one another: the column of each and its text.
    pub(super) fn ticks(&self) -> Vec<(u16, String)> {
        let Some(step) = self.step() else { return Vec::new() };
        let mut ticks = Vec::new();
        // Steps are so wide that their labels do not touch: there are never more than columns.
        for number in 0..=self.end.0 / step.0.max(1) {
            let at = step * number;
            let (column, text) = (self.column(Time::ZERO + at), label(at));
            if column + width(&text) <= self.columns {
                ticks.push((column, text));
            }
        }
        ticks
    }

    /// The smallest round step whose labels have room.
    fn step(&self) -> Option<Span> {
        let mut unit: u64 = 1_000;
        while unit <= self.end.0 {
            for factor in [1, 2, 5] {
                let step = Span(unit.checked_mul(factor)?);
                let gap = self.column(Time::ZERO + step);
                // The longest label is the last one, or one with a fraction.
                let widest = [step, Span(self.end.0 / step.0.max(1) * step.0)].map(|at| width(&label(at)));
                if gap >= widest[0].max(widest[1]) + 4 {
                    return Some(step);
                }
            }
            unit = unit.checked_mul(10)?;
        }
        (self.columns >= 2).then_some(Span(self.end.0.max(1).saturating_add(1)))
    }
}

/// The label of an instant: seconds, but milliseconds below one.
fn label(at: Span) -> String {
    if at == Span::ZERO { "0".to_owned() } else { at.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_do_not_touch() {
        let axis = Axis { end: Time(12_250_000_000), columns: 78 };
        let labels: Vec<_> = axis.ticks().iter().map(|(_, text)| text.clone()).collect();
        assert_eq!(labels, ["0", "2s", "4s", "6s", "8s", "10s", "12s"]);
        for end in [1, 999, 1_000_000, 505_000_000, 3_600_000_000_000, u64::MAX] {
            for columns in [0, 1, 2, 10, 60, 118, 240] {
                let axis = Axis { end: Time(end), columns };
                let mut free = 0;
                for (column, text) in axis.ticks() {
                    assert!(column >= free, "{end} over {columns}: {:?}", axis.ticks());
                    free = column + width(&text) + 1;
                }
                assert!(free <= columns + 1);
            }
        }
    }

    #[test]
    fn a_click_leads_to_its_column() {
        let axis = Axis { end: Time(12_250_000_000), columns: 78 };
        assert!((0..78).all(|column| axis.column(axis.time(column)) == column));
        assert_eq!((axis.time(0), axis.time(77)), (Time::ZERO, Time(12_250_000_000)));
    }
}
