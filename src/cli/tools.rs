//! `schema`, `completions` and `man`: what other programs want to know about this one.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::exit::{Exit, Failure};
use crate::scenario::schema;

/// `mqlab completions`.
#[derive(Debug, Args)]
pub(super) struct Completions {
    /// For which shell.
    #[arg(value_enum)]
    shell: Shell,
}

/// The JSON Schema of scenario files.
pub(super) fn schema(out: &mut dyn Write) -> Result<Exit, Failure> {
    out.write_all(schema::text().as_bytes())?;
    Ok(Exit::Holds)
}

impl Completions {
    pub(super) fn execute(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        // Written to memory first: a pipe that closes is no panic.
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut super::Cli::command(), "mqlab", &mut script);
        out.write_all(&script)?;
        Ok(Exit::Holds)
    }
}

/// The manual page, all commands in one.
pub(super) fn man(out: &mut dyn Write) -> Result<Exit, Failure> {
    let mut command = super::Cli::command();
    command.build();
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    for one in command.get_subcommands().filter(|one| one.get_name() != "help") {
        let mut text = Vec::new();
        clap_mangen::Man::new(one.clone()).render_options_section(&mut text)?;
        writeln!(page, ".SH \"{}\"", one.get_name().to_uppercase())?;
        writeln!(page, "{}", one.get_about().map(ToString::to_string).unwrap_or_default())?;
        page.extend(String::from_utf8_lossy(&text).replacen(".SH OPTIONS", ".SS Options", 1).bytes());
    }
    out.write_all(&page)?;
    Ok(Exit::Holds)
}
