//! The README's pictures are what the program draws: `MQLAB_REWRITE=1 cargo test --test tui` writes them anew.

use std::process::Command;

use crate::kit::root;

/// File and how it is made.
const PICTURES: [(&str, &[&str]); 5] = [
    ("picker", &["kafka/acks-one", "--view", "picker", "--size", "120x32"]),
    ("cluster", &["tests/tui/leader-dies.toml", "--at", "1.2s", "--size", "120x36", "--node", "broker-1"]),
    ("logs", &["tests/tui/leader-dies.toml", "--at", "6.1s", "--view", "logs", "--size", "120x30"]),
    (
        "why",
        &[
            "tests/tui/leader-dies.toml",
            "--view",
            "why",
            "--message",
            "182",
            "--at",
            "6.1s",
            "--size",
            "120x36",
        ],
    ),
    ("verdict", &["tests/tui/leader-dies.toml", "--view", "verdict", "--size", "120x36"]),
];

#[test]
fn the_pictures_are_what_the_program_draws() {
    for (name, arguments) in PICTURES {
        let output = Command::new(env!("CARGO_BIN_EXE_mqlab"))
            .current_dir(root())
            .arg("frame")
            .args(arguments)
            .args(["--format", "svg"])
            .output()
            .expect("the program runs");
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        let svg = String::from_utf8(output.stdout).expect("a picture is text");
        let path = root().join("assets").join(format!("{name}.svg"));
        if std::env::var_os("MQLAB_REWRITE").is_some() {
            std::fs::write(&path, &svg).expect("a picture can be written");
            continue;
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == svg, "assets/{name}.svg is old: MQLAB_REWRITE=1 cargo test --test tui");
        let readme = std::fs::read_to_string(root().join("README.md")).expect("there is a README");
        assert!(readme.contains(&format!("assets/{name}.svg")), "the README does not show {name}");
    }
}
