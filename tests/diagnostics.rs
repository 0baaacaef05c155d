//! What people read when a scenario is wrong: each `tests/diagnostics/NAME.toml` has its mistakes in `NAME.txt`.
//!
//! `MQLAB_REWRITE=1 cargo test --test diagnostics` writes the texts anew; commit a difference only if it is wanted.

use std::path::PathBuf;
use std::{env, fs};

use mqlab::scenario::{Scenario, Style};

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/diagnostics")
}

/// Compares with the text in the file, or rewrites it.
fn golden(name: &str, found: &str) {
    let path = folder().join(format!("{name}.txt"));
    if env::var_os("MQLAB_REWRITE").is_some() {
        fs::write(&path, found).expect("the folder can be written");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(found, expected, "{name}: see the top of tests/diagnostics.rs for how to rewrite");
}

#[test]
fn every_wrong_file_says_what_is_wrong() {
    let mut names: Vec<String> = fs::read_dir(folder())
        .expect("the folder is there")
        .filter_map(|entry| {
            let name = entry.expect("the folder can be read").file_name().into_string().ok()?;
            name.strip_suffix(".toml").map(str::to_owned)
        })
        .collect();
    names.sort();
    assert!(names.len() >= 10);
    for name in names {
        let bytes = fs::read(folder().join(format!("{name}.toml"))).expect("the file can be read");
        let Err(mistakes) = Scenario::read(&name, &format!("{name}.toml"), &bytes) else {
            panic!("{name} has no mistakes");
        };
        golden(&name, &mistakes.render(Style::Plain));
    }
}

#[test]
fn a_set_line_is_a_place_of_its_own() {
    let text = "family = \"kafka\"\nversion = \"2.8\"\n[cluster]\nbrokers = 3\n[topic.orders]\n\
                [producer.checkout]\nsend_to = \"orders\"\nmessages = 3\n";
    let scenario = Scenario::read("shop", "shop.toml", text.as_bytes()).expect("no mistakes");
    let lines = [
        "topic.orders.config = { replication.factor = 4 }".to_owned(),
        "fault.x = { at = \"5s\", kil = \"broker-1\" }".to_owned(),
        "producer.checkout = { send_to = \"odrers\" }".to_owned(),
        "topic.order.partitions = 2".to_owned(),
    ];
    let mistakes = scenario.plan(None, &lines).expect_err("four mistakes");
    golden("set-lines", &mistakes.render(Style::Plain));
}
