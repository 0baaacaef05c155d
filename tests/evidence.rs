//! The pages of `docs` that hold evidence say what mqlab gives today: the first two seeds of every row, and every
//! variant's run with the file's own seed, are made again. `cargo run --release --example fidelity` writes the pages.

use std::fs;
use std::sync::LazyLock;

#[path = "../examples/fidelity/evidence.rs"]
mod evidence;
#[path = "../examples/fidelity/page.rs"]
mod page;

use evidence::{Evidence, Runs, SEEDS};

static MADE_AGAIN: LazyLock<(Evidence, Runs)> = LazyLock::new(|| {
    let evidence = Evidence::read().unwrap_or_else(|why| panic!("{why}"));
    let runs = evidence.play(2, &|_, _| {});
    (evidence, runs)
});

fn page(path: &str) -> String {
    fs::read_to_string(evidence::root(path)).expect("the page is there")
}

/// Fails with the lines that differ.
fn demand_fresh(path: &str, fresh: &str) {
    let stored = page(path);
    let differing: Vec<&str> = fresh.lines().filter(|line| !stored.lines().any(|old| old == *line)).collect();
    assert!(
        stored == fresh,
        "{path} is stale; write it with: cargo run --release --example fidelity\n{}",
        differing.join("\n")
    );
}

#[test]
fn what_is_said_of_fidelity_is_so() {
    let (evidence, runs) = &*MADE_AGAIN;
    for facts in &evidence.facts {
        let path = page::path(facts);
        let stored = page(&path);
        // What took all seeds is read from the page; what follows from it, and all else, is made again.
        let spread = |row: &evidence::Row, id: &str| {
            let line = stored.lines().find(|line| line.starts_with(&format!("| {id} |")))?;
            let spread = line.split(" | ").nth(5)?.to_owned();
            let of_two = page::spread(row, runs);
            assert_eq!(spread.split(" / ").count(), of_two.split(" / ").count(), "{id}");
            Some(spread)
        };
        let fresh = page::fidelity(evidence, facts, runs, &spread).unwrap_or_else(|why| panic!("{why}"));
        demand_fresh(&path, &fresh);
    }
    let rows = evidence.facts.iter().flat_map(|facts| facts.all.values()).map(|fact| fact.rows.len());
    assert!(SEEDS >= 50 && rows.sum::<usize>() > 0);
}

#[test]
fn what_is_said_of_claims_is_so() {
    let (evidence, runs) = &*MADE_AGAIN;
    demand_fresh("docs/claims.md", &page::claims(evidence, runs));
}
