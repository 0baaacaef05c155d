//! `check`: every variant against its claims.

use std::io::{IsTerminal, Write};
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use clap::{Args, ValueEnum};

use super::exit::{Exit, Failure};
use super::{INTERRUPTED, complain, jobs, open, stop_on_interrupt};
use crate::lab::Source;
use crate::lab::check::{Report, Suite, check};
use crate::report::check::{Summary, report};
use crate::report::{json, junit};

/// `mqlab check`.
#[derive(Debug, Args)]
pub(super) struct Check {
    /// Scenario files, directories of them, or built-in scenarios' names.
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    /// How many seeds each: the file's own and the ones after it.
    #[arg(long, default_value = "1", value_name = "N")]
    seeds: NonZeroU64,
    /// How many runs at a time; left out: one for each processor.
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// How the results are written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Also write the results as `JUnit` XML to this file.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One object a line.
    Json,
    /// Annotations of GitHub's workflows, then the summary.
    Github,
}

impl Check {
    pub(super) fn execute(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        stop_on_interrupt();
        let mut refused = Refused::default();
        let sources = self.open(&mut refused);
        let mut suites = Vec::new();
        for source in &sources {
            match Suite::new(source.as_ref()) {
                Ok(suite) => suites.push(suite),
                Err(text) => refused.add(&source.about().name, &Failure::Usage(text)),
            }
        }
        let exit = refused.exit;
        if self.format == Format::Github {
            for (name, why) in &refused.files {
                write!(out, "{}", junit::mistakes(name, why))?;
            }
        }
        let jobs = self.jobs.map_or_else(jobs, NonZeroUsize::get);
        let mut progress = Progress::new();
        let (mut summary, mut written) = (Summary::default(), Ok(()));
        let mut cases: Vec<_> = refused.files.iter().map(|(name, why)| junit::error(name, why)).collect();
        let planned = check(&suites, self.seeds.get(), jobs, &INTERRUPTED, &mut |one| {
            let Some(one) = one else { return progress.advance() };
            // Without a reader nothing more is of use, unless a file is wanted too.
            if written.is_ok() || self.junit.is_some() {
                summary.count(&one.status);
            }
            if self.junit.is_some() {
                cases.push(junit::case(&one));
            }
            if written.is_ok() {
                progress.clear();
                written = out.write_all(self.line(&one).as_bytes());
                progress.show();
            }
            if written.is_err() && self.junit.is_none() {
                INTERRUPTED.store(true, Ordering::Relaxed);
            }
        });
        progress.clear();
        summary.planned = planned as u64;
        if let Some(path) = &self.junit {
            let left = summary.planned - summary.made();
            if left > 0 {
                cases.push(junit::error("interrupted", &format!("{left} runs were not made")));
            }
            let errors = summary.nothing + refused.files.len() as u64 + u64::from(left > 0);
            std::fs::write(path, junit::file(&cases, summary.failed, errors))
                .map_err(|source| Failure::Write { path: path.display().to_string(), source })?;
        }
        if let Err(why) = written {
            // What was found before the reader went away is not forgotten.
            let failed = summary.failed > 0 || exit != Exit::Holds;
            return if failed { Ok(exit.and(failure(&summary))) } else { Err(why.into()) };
        }
        let text = summary.text();
        match self.format {
            // Nothing could be opened, and that has been said.
            Format::Text | Format::Github if summary.planned == 0 => {}
            Format::Text | Format::Github => write!(out, "{text}")?,
            Format::Json if summary.made() < summary.planned => complain(&Failure::Usage(text)),
            Format::Json => {}
        }
        Ok(exit.and(outcome(&summary)))
    }

    /// All scenarios that could be read.
    fn open(&self, refused: &mut Refused) -> Vec<Box<dyn Source>> {
        let mut sources = Vec::new();
        for path in &self.paths {
            let names = open::names(path).unwrap_or_else(|failure| {
                refused.add(path, &failure);
                Vec::new()
            });
            for name in names {
                match open::scenario(&name) {
                    Ok(source) => sources.push(source),
                    Err(failure) => refused.add(&name, &failure),
                }
            }
        }
        sources
    }

    fn line(&self, one: &Report) -> String {
        match self.format {
            Format::Text => report(one),
            Format::Json => json::run(&one.outcome, &one.checked) + "\n",
            Format::Github => junit::annotations(one),
        }
    }
}

/// What could not be read, and why.
#[derive(Default)]
struct Refused {
    files: Vec<(String, String)>,
    exit: Exit,
}

impl Refused {
    /// One more; people are told at once.
    fn add(&mut self, name: &str, failure: &Failure) {
        complain(failure);
        self.exit = self.exit.and(failure.exit());
        self.files.push((name.to_owned(), anstream::adapter::strip_str(&failure.to_string()).to_string()));
    }
}

fn failure(summary: &Summary) -> Exit {
    if summary.failed > 0 { Exit::Failed } else { Exit::Holds }
}

fn outcome(summary: &Summary) -> Exit {
    let is_partial = summary.made() < summary.planned;
    failure(summary).and(if is_partial || summary.nothing > 0 { Exit::Nothing } else { Exit::Holds })
}

/// How many runs were made, on standard error, if somebody sees it.
struct Progress {
    is_seen: bool,
    made: u64,
}

impl Progress {
    fn new() -> Self {
        Self { is_seen: std::io::stderr().is_terminal(), made: 0 }
    }

    /// One more run was made.
    fn advance(&mut self) {
        self.made += 1;
        self.clear();
        self.show();
    }

    /// It ends at the start of its line: what somebody else writes there, such as the reader of a pipe, goes over it.
    fn show(&mut self) {
        if self.is_seen {
            let _ = write!(std::io::stderr(), "{} runs so far\r", self.made);
        }
    }

    fn clear(&mut self) {
        if self.is_seen {
            let _ = write!(std::io::stderr(), "\r\x1b[2K");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::check::Status;

    #[test]
    fn a_check_ends_with_the_gravest_of_its_runs() {
        let summary = |passed, failed, nothing, planned| Summary { passed, failed, nothing, planned };
        let rows = [
            (summary(2, 0, 0, 2), Exit::Holds),
            (summary(1, 1, 0, 2), Exit::Failed),
            (summary(1, 0, 1, 2), Exit::Nothing),
            (summary(0, 1, 1, 2), Exit::Failed),
            (summary(1, 0, 0, 2), Exit::Nothing),
        ];
        for (summary, expected) in rows {
            assert_eq!(outcome(&summary), expected, "{summary:?}");
        }
    }

    #[test]
    fn a_status_is_never_passed_by_default() {
        let mut summary = Summary::default();
        summary.count(&Status::Nothing(vec![]));
        assert_eq!((summary.passed, summary.made()), (0, 1));
    }
}
