//! `list`: what there is.

use std::io::Write;

use clap::{Args, Subcommand};

use super::exit::{Exit, Failure};
use super::{Format, open};
use crate::broker::{self, FAMILIES, Family};
use crate::lab::list::entry;
use crate::lab::shown::Shown;
use crate::report::{json, list};

/// `mqlab list`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(super) struct List {
    #[command(subcommand)]
    what: Option<What>,
    /// How the list is written.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Every setting that a family knows, with its defaults.
    Settings {
        /// The family: kafka, rabbitmq.
        family: String,
    },
    /// The moments that faults can wait for.
    Moments {
        /// The family: kafka, rabbitmq.
        family: String,
    },
}

impl List {
    pub(super) fn execute(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let text = match &self.what {
            Some(What::Settings { family }) => {
                let family = find(family)?;
                let all = open::all()?;
                let own = all.iter().filter(|source| source.family().name() == family.name());
                list::settings(family, &Shown::of(own.map(AsRef::as_ref)))
            }
            Some(What::Moments { family }) => {
                find(family)?;
                list::moments()
            }
            None => self.scenarios()?,
        };
        write!(out, "{text}")?;
        Ok(Exit::Holds)
    }

    fn scenarios(&self) -> Result<String, Failure> {
        let entries: Vec<_> = open::all()?.iter().map(|source| entry(source.as_ref())).collect();
        Ok(match self.format {
            Format::Text => list::scenarios(&entries),
            Format::Json => entries.iter().map(|entry| json::line(entry) + "\n").collect(),
        })
    }
}

fn find(name: &str) -> Result<&'static dyn Family, Failure> {
    broker::family(name).ok_or_else(|| {
        let known: Vec<_> = FAMILIES.iter().map(|family| family.name()).collect();
        let known = known.join(", ");
        Failure::Usage(format!("error: there is no family {name}; there is: {known}"))
    })
}
