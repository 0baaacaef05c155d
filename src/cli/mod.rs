//! The command line: what was typed, and which part of the laboratory does it.
//!
//! Data goes to standard output, progress and mistakes to standard error.

use std::io::{IsTerminal as _, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Args, Parser, Subcommand, ValueEnum};

mod check;
mod exit;
mod list;
mod open;
mod run;
mod shelf;
mod tools;
mod tui;

pub use exit::{Exit, Failure};

/// The scenario that shows what this program is about.
const FIRST_LESSON: &str = "kafka/acks-one";

/// See how message queues lose, repeat and reorder messages, and prove which setting prevents it.
#[derive(Debug, Parser)]
#[command(name = "mqlab", version, about, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Watch runs in the terminal: stop time, step back, break things, ask why.
    Tui(tui::Tui),
    /// Run a scenario once and say what became of the messages.
    Run(run::Run),
    /// Run every variant of scenarios and compare all measures in one table.
    Matrix(run::Matrix),
    /// Run every variant of scenarios and check what they claim.
    Check(check::Check),
    /// Say why messages were lost, repeated or left behind, and prove it by running again.
    Explain(run::Explain),
    /// Draw one screen of the terminal view, as text or as a picture.
    Frame(tui::Frame),
    /// List the built-in scenarios, a family's settings, or the moments that faults can wait for.
    List(list::List),
    /// The keys of the terminal view.
    Keys,
    /// The JSON Schema of scenario files, for editors.
    Schema,
    /// A script that completes commands in a shell.
    Completions(tools::Completions),
    /// The manual page.
    Man,
}

/// Which run of a scenario.
#[derive(Debug, Args)]
struct Choice {
    /// The variant; left out: the file's first.
    #[arg(long)]
    variant: Option<String>,
    #[command(flatten)]
    change: Change,
}

/// What is changed for all variants.
#[derive(Debug, Args)]
struct Change {
    /// The seed; left out: the one that the file names.
    #[arg(long)]
    seed: Option<u64>,
    /// A line of TOML laid over the variant: 'producer.checkout.config.acks = "all"'. May be repeated.
    #[arg(long = "set", value_name = "TOML LINE")]
    sets: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

/// Set when the user interrupts: what runs ends, what is printed says that it is partial.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Does what was typed.
pub fn main() -> ExitCode {
    report_panics();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are answers, not errors; clap knows which is which and where each belongs.
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Holds };
            return match error.print() {
                Err(error) => Failure::Output(error).exit().into(),
                Ok(()) => code.into(),
            };
        }
    };
    let exit = cli.execute().unwrap_or_else(|failure| {
        complain(&failure);
        failure.exit()
    });
    exit.into()
}

impl Cli {
    fn execute(&self) -> Result<Exit, Failure> {
        let mut out = anstream::stdout().lock();
        match &self.command {
            // Not before a lock on the output that the terminal view needs is gone.
            None if std::io::stdout().is_terminal() && std::io::stdin().is_terminal() => {
                drop(out);
                tui::picker()
            }
            None => run::lesson(&mut out, FIRST_LESSON),
            Some(Command::Tui(tui)) => {
                drop(out);
                tui.execute()
            }
            Some(Command::Frame(frame)) => frame.execute(&mut out),
            Some(Command::Keys) => tui::keys(&mut out),
            Some(Command::Run(run)) => run.execute(&mut out),
            Some(Command::Matrix(matrix)) => matrix.execute(&mut out),
            Some(Command::Check(check)) => check.execute(&mut out),
            Some(Command::Explain(explain)) => explain.execute(&mut out),
            Some(Command::List(list)) => list.execute(&mut out),
            Some(Command::Schema) => tools::schema(&mut out),
            Some(Command::Completions(completions)) => completions.execute(&mut out),
            Some(Command::Man) => tools::man(&mut out),
        }
    }
}

/// Tells people on standard error, unless it is only a closed pipe.
fn complain(failure: &Failure) {
    if failure.exit() != Exit::Holds {
        // If even standard error is gone, nobody is left to be told.
        let _ = writeln!(anstream::stderr(), "{failure}");
    }
}

/// From now on Ctrl-C only asks to stop; a second one ends at once.
fn stop_on_interrupt() {
    // Without a handler an interrupt ends the program at once, which is no worse than before.
    let _ = ctrlc::set_handler(|| {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            std::process::exit(i32::from(Exit::Nothing as u8));
        }
    });
}

/// As many threads as the machine has processors.
fn jobs() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// A panic is a bug of this program, on whichever thread: say so, and how to see it again, and end.
fn report_panics() {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        default(panic);
        let mut stderr = anstream::stderr();
        let _ =
            writeln!(stderr, "\nThis is a bug in mqlab, not in your scenario. Please report the lines above");
        let _ = match crate::lab::run::running() {
            Some(command) => writeln!(stderr, "with the scenario and this command:\n  {command}"),
            None => writeln!(stderr, "with the command that you typed."),
        };
        std::process::exit(exit::PANIC);
    }));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn only_what_works_is_accepted() {
        for typed in [
            "mqlab run kafka/acks-one --seed 7 --set a=1 --set b=2 --format json",
            "mqlab",
            "mqlab tui",
            "mqlab keys",
        ] {
            assert!(Cli::try_parse_from(typed.split(' ')).is_ok(), "{typed}");
        }
        for typed in [
            "mqlab tui --theme pink",
            "mqlab frame kafka/acks-one --size 0x3",
            "mqlab run",
            "mqlab check",
            "mqlab check x --seeds 0",
            "mqlab check x --jobs 0",
        ] {
            assert!(Cli::try_parse_from(typed.split(' ')).is_err(), "{typed}");
        }
    }
}
