//! The lines of a check: a status, the run, its counts, and under each failure what was observed and how to see it.

use super::paint::{BAD, FAINT, GOOD, count, paint, put};
use crate::lab::check::{Report, Status};
use crate::ledger::Fate;

/// The lines of one run.
pub fn report(report: &Report) -> String {
    let outcome = &report.outcome;
    let (style, word) = match report.status {
        Status::Passed => (GOOD, "PASS"),
        Status::Failed => (BAD, "FAIL"),
        Status::Nothing(_) => (BAD, "VOID"),
    };
    let variant = outcome.plan.variant.as_deref().map_or_else(String::new, |name| format!("  {name}"));
    let mut out = format!(
        "{}  {}{variant}  seed {}  {}\n",
        paint(style, &format!("{word:>8}")),
        outcome.plan.scenario,
        outcome.seed,
        paint(FAINT, &counts(report)),
    );
    let mut detail = |text: &str| put!(out, "          {text}\n");
    for checked in report.checked.iter().filter(|checked| !checked.holds) {
        let observed = checked.observed.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
        let against = checked.against.map_or_else(String::new, |value| format!(", against {value}"));
        detail(&format!("expected {}, observed {observed}{against}", checked.text));
    }
    match &report.status {
        Status::Passed => {}
        Status::Failed => {
            for reason in &outcome.gaps {
                detail(&format!("besides: {reason}"));
            }
        }
        Status::Nothing(reasons) => {
            for reason in reasons {
                detail(&format!("establishes nothing: {reason}"));
            }
        }
    }
    if report.status != Status::Passed {
        detail(&report.replay);
    }
    out
}

/// `100 sent, 100 confirmed, 99 processed, 1 lost`.
fn counts(report: &Report) -> String {
    let verdict = &report.outcome.verdict;
    let mut counts =
        vec![format!("{} sent, {} confirmed", verdict.messages.sent, verdict.messages.confirmed)];
    for fate in Fate::ALL {
        let n = verdict.fate(fate);
        if n > 0 {
            counts.push(format!("{n} {}", fate.name()));
        }
    }
    counts.join(", ")
}

/// What came of all runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Runs whose claims hold.
    pub passed: u64,
    /// Runs with a claim that does not.
    pub failed: u64,
    /// Runs that established nothing.
    pub nothing: u64,
    /// Runs that were to be made.
    pub planned: u64,
}

impl Summary {
    /// One more run.
    pub fn count(&mut self, status: &Status) {
        match status {
            Status::Passed => self.passed += 1,
            Status::Failed => self.failed += 1,
            Status::Nothing(_) => self.nothing += 1,
        }
    }

    /// Runs that were made.
    pub fn made(&self) -> u64 {
        self.passed + self.failed + self.nothing
    }

    /// One line, and one more if not every run was made.
    pub fn text(&self) -> String {
        let mut out = format!(
            "{:>8}  {}: {} passed, {} failed, {} established nothing\n",
            "Summary",
            count(self.made(), "run"),
            self.passed,
            self.failed,
            self.nothing
        );
        if self.made() < self.planned {
            let made = format!("interrupted: {} of {} were made", self.made(), count(self.planned, "run"));
            put!(out, "          {made}; this report is partial\n");
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;
    use crate::lab::check::{Suite, check};
    use crate::lab::fake::{FakeScenario, expect};
    use crate::scenario::expect::Comparison;

    #[test]
    fn every_status_line() {
        let mut silent = FakeScenario::new();
        silent.expectations = Vec::new();
        let mut claims = FakeScenario::new();
        claims.expectations = vec![expect("lost", Comparison::Equal, 0.0)];
        let suites = [Suite::new(&claims).unwrap(), Suite::new(&silent).unwrap()];
        let (mut text, mut summary) = (String::new(), Summary { planned: 9, ..Summary::default() });
        check(&suites, 1, 2, &AtomicBool::new(false), &mut |one| {
            let Some(one) = one else { return };
            text.push_str(&report(&one));
            summary.count(&one.status);
        });
        text.push_str(&summary.text());
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }
}
