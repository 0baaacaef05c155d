//! `run`, `matrix` and `explain`: one scenario, looked at closely.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use clap::Args;

use super::exit::{Exit, Failure};
use super::{Change, Choice, Format, jobs, open};
use crate::broker::Details;
use crate::lab::check::{claims, others};
use crate::lab::explain::{Explanation, Question};
use crate::lab::run::Outcome;
use crate::lab::{Source, matrix, run};
use crate::ledger::expectation::Checked;
use crate::report::narrate::Narrator;
use crate::report::trace::Tracer;
use crate::report::{self, json, text};

/// `mqlab run`.
#[derive(Debug, Args)]
pub(super) struct Run {
    /// A built-in scenario's name or a path.
    scenario: String,
    #[command(flatten)]
    choice: Choice,
    /// How the report is written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Tell what happened, sentence by sentence.
    #[arg(long)]
    narrate: bool,
    /// Write every observation to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
}

/// `mqlab matrix`.
#[derive(Debug, Args)]
pub(super) struct Matrix {
    /// Built-in scenarios' names or paths.
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<String>,
    #[command(flatten)]
    change: Change,
}

/// `mqlab explain`.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// A built-in scenario's name or a path.
    scenario: String,
    #[command(flatten)]
    choice: Choice,
    /// Only this message: checkout#17.
    #[arg(long)]
    message: Option<String>,
}

impl Run {
    pub(super) fn execute(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        if self.narrate && self.format == Format::Json {
            let text =
                "error: --narrate tells a run in sentences; --format json has none\n  = help: --trace FILE";
            return Err(Failure::Usage(text.to_owned()));
        }
        let source = open::scenario(&self.scenario)?;
        match self.format {
            Format::Text => self.text(out, source.as_ref()),
            Format::Json => self.json(out, source.as_ref()),
        }
    }

    fn text(&self, out: &mut dyn Write, source: &dyn Source) -> Result<Exit, Failure> {
        let question = self.choice.question(source, None);
        let explanation = question.run().map_err(Failure::Usage)?;
        let told = self.tell(source, &explanation.outcome)?;
        print_lesson(out, source, &explanation, &self.choice.change.sets, told.as_deref())
    }

    fn json(&self, out: &mut dyn Write, source: &dyn Source) -> Result<Exit, Failure> {
        let sets = &self.choice.change.sets;
        let plan = source.plan(self.choice.variant.as_deref(), sets).map_err(Failure::Usage)?;
        let seed = self.choice.change.seed.unwrap_or(plan.seed);
        let outcome = run::Run::new(source.family(), &plan, seed).outcome(&[]);
        let others = others(source, &outcome, sets).map_err(Failure::Usage)?;
        let checked = claims(&outcome, &others);
        self.tell(source, &outcome)?;
        writeln!(out, "{}", json::run(&outcome, &checked))?;
        Ok(exit(&checked))
    }

    /// Does the run again, with details: the sentences, if they are wanted, and the trace, if that is.
    fn tell(&self, source: &dyn Source, outcome: &Outcome) -> Result<Option<String>, Failure> {
        if !self.narrate && self.trace.is_none() {
            return Ok(None);
        }
        let (plan, family) = (&outcome.plan, source.family());
        let run = run::Run::new(family, plan, outcome.seed);
        // Names are asked of a run that ended: it knows everything that there ever was.
        let ended = run.drive(Details::Off, &mut |_| {});
        let mut narrator = self.narrate.then(|| Narrator::new(plan, family, &ended));
        let fail = |path: &PathBuf, source| Failure::Write { path: path.display().to_string(), source };
        let tracer = Tracer { plan, family, names: &ended, layout: ended.ledger.layout() };
        let mut file = None;
        if let Some(path) = &self.trace {
            file = Some(BufWriter::new(File::create(path).map_err(|why| fail(path, why))?));
        }
        let mut written = Ok(());
        run.drive(Details::On, &mut |slice| {
            if let Some(narrator) = &mut narrator {
                narrator.observe(slice);
            }
            if let (Some(file), Ok(())) = (&mut file, &written) {
                written = tracer.write(slice, file);
            }
        });
        if let (Some(path), Some(mut file)) = (&self.trace, file) {
            written.and_then(|()| file.flush()).map_err(|why| fail(path, why))?;
        }
        Ok(narrator.map(Narrator::text))
    }
}

impl Choice {
    fn question<'a>(&'a self, source: &'a dyn Source, message: Option<&'a str>) -> Question<'a> {
        Question {
            source,
            variant: self.variant.as_deref(),
            seed: self.change.seed,
            sets: &self.change.sets,
            message,
        }
    }
}

impl Matrix {
    pub(super) fn execute(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        for (number, name) in self.scenarios.iter().enumerate() {
            let source = open::scenario(name)?;
            let Change { seed, sets } = &self.change;
            let matrix = matrix::matrix(source.as_ref(), *seed, sets, jobs()).map_err(Failure::Usage)?;
            let gap = if number == 0 { "" } else { "\n" };
            write!(out, "{gap}{}", report::matrix::table(&matrix))?;
        }
        Ok(Exit::Holds)
    }
}

impl Explain {
    pub(super) fn execute(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let source = open::scenario(&self.scenario)?;
        let question = self.choice.question(source.as_ref(), self.message.as_deref());
        let explanation = question.explain().map_err(|text| Failure::Usage(error(&text)))?;
        let text = match &self.message {
            Some(name) if explanation.groups.is_empty() => {
                let journey = question.journey(name).map_err(|text| Failure::Usage(error(&text)))?;
                report::explain::uneventful(&explanation, source.family(), &journey)
            }
            _ => report::explain::explanation(&explanation),
        };
        write!(out, "{text}")?;
        Ok(Exit::Holds)
    }
}

/// The report of a scenario's first variant, for somebody who typed nothing but the program's name.
pub(super) fn lesson(out: &mut dyn Write, name: &str) -> Result<Exit, Failure> {
    let source = open::scenario(name)?;
    let question = Question { source: source.as_ref(), variant: None, seed: None, sets: &[], message: None };
    let explanation = question.run().map_err(Failure::Usage)?;
    print_lesson(out, source.as_ref(), &explanation, &[], None)
}

fn print_lesson(
    out: &mut dyn Write,
    source: &dyn Source,
    explanation: &Explanation,
    sets: &[String],
    narration: Option<&str>,
) -> Result<Exit, Failure> {
    let others = others(source, &explanation.outcome, sets).map_err(Failure::Usage)?;
    let checked = claims(&explanation.outcome, &others);
    let variants = source.variants();
    let lesson = text::Lesson {
        about: source.about(),
        variants: &variants,
        explanation,
        checked: &checked,
        sets,
        narration,
    };
    write!(out, "{}", lesson.text())?;
    Ok(exit(&checked))
}

fn exit(checked: &[Checked]) -> Exit {
    if checked.iter().all(|checked| checked.holds) { Exit::Holds } else { Exit::Failed }
}

/// A sentence as an error, unless it already is one.
fn error(text: &str) -> String {
    if text.contains("error") { text.to_owned() } else { format!("error: {text}") }
}
