//! Writes the evidence anew: `cargo run --release --example fidelity`.
//!
//! `docs/fidelity.md` holds what others published against what mqlab gives over fifty seeds; `docs/claims.md` says
//! which scenario shows which claim, and what its run gave. `tests/evidence.rs` finds a page that is stale.

use std::fs;
use std::process::ExitCode;

mod evidence;
mod page;

use evidence::{Evidence, SEEDS};

fn main() -> ExitCode {
    let progress = |done: usize, all: usize| {
        if done.is_multiple_of(50) || done == all {
            eprintln!("{done} of {all} runs");
        }
    };
    match write(&progress) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

fn write(progress: &(dyn Fn(usize, usize) + Sync)) -> Result<(), String> {
    let evidence = Evidence::read()?;
    let runs = evidence.play(SEEDS, progress);
    let fidelity = page::fidelity(&evidence, &runs, &|row, _| Some(page::spread(row, &runs)))?;
    for (path, text) in [("docs/fidelity.md", fidelity), ("docs/claims.md", page::claims(&evidence, &runs))] {
        fs::write(evidence::root(path), text).map_err(|why| format!("{path}: {why}"))?;
        eprintln!("{path} is written");
    }
    Ok(())
}
