//! Writes the evidence anew: `cargo run --release --example fidelity`.
//!
//! `docs/fidelity` holds, a page a family, what was published or measured against what mqlab gives over fifty seeds;
//! `docs/claims.md` says which scenario shows which claim, and what its run gave. `tests/evidence.rs` finds a page that
//! is stale.

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
    let mut pages = vec![("docs/claims.md".to_owned(), page::claims(&evidence, &runs))];
    for facts in &evidence.facts {
        let text = page::fidelity(&evidence, facts, &runs, &|row, _| Some(page::spread(row, &runs)))?;
        pages.push((page::path(facts), text));
    }
    for (path, text) in pages {
        fs::write(evidence::root(&path), text).map_err(|why| format!("{path}: {why}"))?;
        eprintln!("{path} is written");
    }
    Ok(())
}
