//! The program as its users meet it: what it prints, where, and what it ends with.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use mqlab::ledger::Fate;
use serde_json::Value;

/// Three messages to one replica, and a claim that the test chooses.
const SHOP: &str = r#"
title = "A small shop"
family = "kafka"
version = "2.8"
run_for = "2s"
drain_for = "10s"
[cluster]
brokers = 1
[topic.orders]
[producer.checkout]
send_to = "orders"
messages = 3
rate = "10/s"
config = { acks = "all" }
"#;

/// What the program said.
struct Said {
    out: String,
    err: String,
    code: i32,
}

/// Runs the program in the root of the project.
fn mqlab(words: &[&str]) -> Said {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqlab"));
    said(command.args(words))
}

fn said(command: &mut Command) -> Said {
    let output = command
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("NO_COLOR", "1")
        .env_remove("CLICOLOR_FORCE")
        .output()
        .expect("the program can be started");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("it says text");
    let said = Said {
        out: text(output.stdout),
        err: text(output.stderr),
        code: output.status.code().expect("nothing ends it but itself"),
    };
    assert!(!said.err.contains("panicked"), "{}", said.err);
    said
}

/// A file with this content; each test has its own names.
fn file(name: &str, content: impl AsRef<[u8]>) -> String {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).expect("the folder for such files can be written");
    path.to_str().expect("the path is text").to_owned()
}

fn shop(name: &str, more: &str) -> String {
    file(name, format!("{SHOP}{more}"))
}

#[test]
fn a_wrong_claim_ends_with_1_and_says_how_to_see_it_again() {
    let path = shop("wrong claim.toml", "[expect]\nprocessed = 2\n");
    let check = mqlab(&["check", &path]);
    assert_eq!(check.code, 1, "{}", check.out);
    assert!(check.out.contains("expected processed = 2, observed 3"), "{}", check.out);
    let replay = check.out.lines().map(str::trim).find(|line| line.starts_with("mqlab run "));
    let replay = replay.unwrap_or_else(|| panic!("no command in\n{}", check.out));

    let folder = Path::new(env!("CARGO_BIN_EXE_mqlab")).parent().expect("the program is in a folder");
    let script = format!("PATH=\"$1:$PATH\"; {replay}");
    let again = said(Command::new("sh").args(["-c", &script, "sh"]).arg(folder));
    assert_eq!(again.code, 1, "{}", again.err);
    assert!(again.out.contains("processed = 2  (observed 3)"), "{}", again.out);
}

#[test]
fn all_mistakes_of_a_file_are_told_at_once_with_their_places() {
    let path = "tests/diagnostics/three-mistakes.toml";
    for command in ["check", "run", "matrix"] {
        let said = mqlab(&[command, path]);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{command}");
        let places: Vec<_> = said.err.lines().filter_map(|line| line.trim().strip_prefix("--> ")).collect();
        assert_eq!(places.len(), 5, "{}", said.err);
        for place in places {
            let numbers = place.strip_prefix(&format!("{path}:")).expect("it names the file");
            let (line, column) = numbers.split_once(':').expect("line and column");
            assert!(line.parse::<u32>().is_ok() && column.parse::<u32>().is_ok(), "{place}");
        }
        assert_eq!(said.err.lines().filter(|line| line.contains('^')).count(), 5, "{}", said.err);
    }
}

#[test]
fn what_establishes_nothing_ends_with_3() {
    let fault = "[fault.never]\nwhen = { observed = \"failed\" }\nkill = \"broker-1\"\n";
    let path = shop("never fires.toml", &format!("{fault}[expect]\nprocessed = 3\n"));
    let said = mqlab(&["check", &path]);
    assert_eq!(said.code, 3, "{}", said.out);
    assert!(said.out.contains("the fault never never fired"), "{}", said.out);
    let silent = shop("claims nothing.toml", "");
    assert_eq!(mqlab(&["check", &silent]).code, 3);
    assert_eq!(mqlab(&["run", &silent]).code, 0, "a run that claims nothing is a run");
}

#[test]
fn what_cannot_be_read_ends_with_4() {
    for words in [["check", "no/such.toml"], ["run", "no/such.toml"], ["matrix", "no/such.toml"]] {
        let said = mqlab(&words);
        assert_eq!((said.code, said.out.as_str()), (4, ""));
        assert!(said.err.contains("no/such.toml"), "{}", said.err);
    }
}

#[test]
fn what_is_no_scenario_ends_with_2() {
    // A fixed sequence that is neither text nor TOML.
    let noise: Vec<u8> = (0u32..4096).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    for path in [file("noise.toml", noise), file("empty.toml", ""), file("zeros.toml", [0; 64])] {
        for command in ["check", "run"] {
            let said = mqlab(&[command, &path]);
            assert_eq!((said.code, said.out.as_str()), (2, ""), "{command} {path}");
            assert!(said.err.contains("error"), "{}", said.err);
        }
    }
    for words in [vec!["run", "kafka/aks-one"], vec!["run"], vec!["fly"], vec!["check", "x", "--seeds", "0"]]
    {
        let said = mqlab(&words);
        assert_eq!((said.code, said.out.as_str()), (2, ""), "{words:?}");
    }
}

#[test]
fn without_a_command_it_gives_the_first_lesson() {
    let said = mqlab(&[]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.starts_with("acks=1: the leader dies with the only copy\n"), "{}", said.out);
    for line in said.out.lines() {
        assert!(line.chars().count() <= 80 && !line.contains('\x1b'), "{line}");
    }
    for part in ["What was done", "lost", "Why:", "What to take away", "What to try next", "mqlab matrix"] {
        assert!(said.out.contains(part), "{part} is missing in\n{}", said.out);
    }
}

/// A message is there as long as one copy is; and nobody blames a setting that the run does not have.
#[test]
fn a_loss_is_put_down_to_the_last_copy() {
    let why = |variant| mqlab(&["run", "rabbitmq/unsynchronised", "--variant", variant]).out;
    let promoted = "ha-promote-on-failure=always";
    let waited = why("only when synchronised, the disk is lost");
    assert!(waited.contains("gone with the disk of broker-1") && !waited.contains(promoted), "{waited}");
    let took_over = why("the default");
    assert!(took_over.contains("which was not synchronised") && took_over.contains(promoted), "{took_over}");
}

#[test]
fn the_readme_shows_what_the_first_lesson_says() {
    let readme = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).expect("it is there");
    let shown = readme.split("```text\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a report");
    let said = mqlab(&[]).out;
    assert!(said.contains(shown.trim_end()), "README.md is stale; the lesson says\n{said}");
    let asked =
        readme.split("`--message ").nth(1).and_then(|rest| rest.split('`').next()).expect("a message");
    let about = mqlab(&["explain", "kafka/acks-one", "--message", asked]);
    assert!(about.out.contains("1 message lost at billing"), "{}", about.out);
}

#[test]
fn a_message_that_came_through_has_a_history() {
    let about = mqlab(&["explain", "kafka/consumer-dies", "--message", "17"]).out;
    let story =
        ["checkout#17: processed at billing", "falls due", "is confirmed", "takes effect for billing"];
    assert!(story.iter().all(|part| about.contains(part)), "{about}");
    let missing = mqlab(&["explain", "kafka/consumer-dies", "--message", "checkout#1000000"]);
    assert!(missing.err.contains("there is no message checkout#1000000"), "{}", missing.err);
}

#[test]
fn lists_and_lessons_fit_80_columns() {
    let list = mqlab(&["list"]).out;
    assert!(list.lines().all(|line| line.chars().count() <= 80), "{list}");
    for name in ["consumer-dies", "unclean-election", "flush"] {
        let said = mqlab(&["run", &format!("kafka/{name}")]);
        assert_eq!(said.code, 0, "{name}: {}", said.err);
        let wide: Vec<_> = said.out.lines().filter(|line| line.chars().count() > 80).collect();
        assert!(wide.is_empty(), "{name}: {wide:#?}");
    }
}

#[test]
fn a_run_can_be_told_in_sentences_and_written_to_a_file() {
    let path = file("trace.jsonl", "");
    let said = mqlab(&["run", "kafka/unclean-election", "--narrate", "--trace", &path]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    assert!(said.out.lines().all(|line| line.chars().count() <= 80), "{}", said.out);
    for sentence in ["desk#2 is confirmed", "broker-1 stopped (fault leader-stops)", "nobody leads notes/0"] {
        assert!(said.out.contains(sentence), "{sentence} is missing in\n{}", said.out);
    }
    let trace = std::fs::read_to_string(&path).expect("the trace is written");
    let lines: Vec<Value> =
        trace.lines().map(|line| serde_json::from_str(line).expect("it is JSON")).collect();
    let stored = |line: &&Value| line["what"] == "stored" && line["message"] == "desk#2";
    assert_eq!(lines.iter().filter(stored).count(), 2, "on two brokers");
    assert!(lines.is_sorted_by_key(|line| line["at_ns"].as_u64()));

    let nowhere = mqlab(&["run", "kafka/unclean-election", "--trace", "no/such/folder/trace.jsonl"]);
    assert_eq!((nowhere.code, nowhere.out.as_str()), (4, ""));
    assert!(nowhere.err.contains("no/such/folder/trace.jsonl"), "{}", nowhere.err);
    let both = mqlab(&["run", "kafka/unclean-election", "--narrate", "--format", "json"]);
    assert_eq!((both.code, both.out.as_str()), (2, ""));
}

#[test]
fn a_run_as_json_has_the_shape_of_the_contract() {
    let said = mqlab(&["run", "kafka/unclean-election", "--variant", "unclean", "--format", "json"]);
    assert_eq!((said.code, said.err.as_str(), said.out.lines().count()), (0, "", 1));
    let run: Value = serde_json::from_str(&said.out).expect("it is JSON");
    let top = [
        "schema",
        "scenario",
        "variant",
        "seed",
        "digest",
        "simulated_s",
        "events",
        "finished",
        "messages",
        "producers",
        "subscriptions",
        "measures",
        "expectations",
        "faults",
    ];
    has_keys(&run, &top);
    assert_eq!((&run["schema"], &run["scenario"]), (&1.into(), &"kafka/unclean-election".into()));
    assert_eq!(
        (&run["variant"], &run["seed"], &run["finished"]),
        (&"unclean".into(), &42.into(), &true.into())
    );
    assert_eq!(run["digest"].as_str().map(str::len), Some(16));
    let counts = ["sent", "confirmed", "failed", "unknown"];
    has_keys(&run["messages"], &counts);
    let producer = &run["producers"]["desk"];
    has_keys(producer, &counts);
    has_keys(&producer["latency_confirm_ms"], &["p50", "p99", "max"]);
    assert!(producer["unavailable_s"].is_number());
    let audit = &run["subscriptions"]["audit"];
    has_keys(audit, &["addressed", "fates", "redelivered", "reordered", "stale", "leftover", "backlog"]);
    has_keys(&audit["backlog"], &["peak", "end", "drained_after_s"]);
    has_keys(&audit["latency_end_to_end_ms"], &["p50", "p99", "max"]);
    for fate in Fate::ALL {
        assert!(audit["fates"][fate.name()].is_u64(), "{}", fate.name());
    }
    let all: u64 = Fate::ALL.iter().filter_map(|fate| audit["fates"][fate.name()].as_u64()).sum();
    assert_eq!((Some(all), &audit["fates"]["lost"]), (audit["addressed"].as_u64(), &1.into()));
    has_keys(&run["measures"], &["throughput_per_s", "unavailable_s", "inconsistent"]);
    let claim = &run["expectations"][0];
    assert!(claim["expect"].is_string() && claim["holds"] == Value::Bool(true), "{claim}");
    assert!(claim.get("observed").is_some());
    has_keys(&run["faults"][0], &["fault", "node", "fired_at_s"]);
}

fn has_keys(value: &Value, keys: &[&str]) {
    for key in keys {
        assert!(value.get(key).is_some(), "{key} is missing in {value}");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    for words in [vec!["list", "settings", "kafka"], vec!["check", "kafka/unclean-election"], vec![]] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mqlab"))
            .args(&words)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program can be started");
        // Whoever would read is gone before the first line.
        drop(child.stdout.take());
        let output = child.wait_with_output().expect("it ends");
        assert_eq!((output.status.code(), output.stderr.as_slice()), (Some(0), &[][..]), "{words:?}");
    }
}

#[test]
fn the_list_as_json_has_one_object_a_scenario() {
    let said = mqlab(&["list", "--format", "json"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let names: Vec<String> = said
        .out
        .lines()
        .map(|line| {
            let entry: Value = serde_json::from_str(line).expect("it is JSON");
            has_keys(&entry, &["title", "family", "variants"]);
            for key in ["facts", "claims", "variants"] {
                assert!(entry[key].as_array().is_some_and(|list| !list.is_empty()), "{key} in {entry}");
            }
            entry["name"].as_str().expect("it has a name").to_owned()
        })
        .collect();
    let families: Vec<_> = names.iter().map(|name| name.split('/').next()).collect();
    assert!(names.len() >= 10 && families.is_sorted(), "{names:?}");
    assert!(names.iter().any(|name| name == "kafka/acks-one"));
}

#[test]
fn a_mistake_in_a_set_line_is_located_in_it() {
    let line = "producer.desk.config.aks = \"all\"";
    let said = mqlab(&["run", "kafka/unclean-election", "--set", line]);
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(said.err.contains(line), "{}", said.err);
    assert!(said.err.contains(":1:22"), "{}", said.err);
    assert!(said.err.contains("did you mean") && said.err.contains("`acks`"), "{}", said.err);
}

#[test]
fn a_set_line_changes_the_run_and_stays_in_what_it_says() {
    let line = "topic.notes.config.\"unclean.leader.election.enable\" = true";
    let said = mqlab(&["run", "kafka/unclean-election", "--set", line]);
    assert_eq!(said.code, 1, "what the variant claims is broken: {}", said.out);
    assert!(said.out.contains("FAILS  lost = 0  (observed 1)"), "{}", said.out);
    assert!(said.out.contains("--set"), "{}", said.out);
}

#[test]
fn over_several_files_the_gravest_counts() {
    let good = shop("good.toml", "[expect]\nprocessed = 3\n");
    let failing = shop("failing.toml", "[expect]\nprocessed = 1\n");
    let nothing = shop("nothing.toml", "");
    let invalid = shop("invalid.toml", "[nonsense]\n");
    let missing = "no/such.toml".to_owned();
    let rows = [
        (vec![&good], 0),
        (vec![&good, &nothing], 3),
        (vec![&nothing, &failing], 1),
        (vec![&failing, &invalid, &nothing], 2),
        (vec![&missing, &good, &invalid, &failing], 4),
    ];
    for (files, expected) in rows {
        let words: Vec<&str> = ["check"].into_iter().chain(files.iter().map(|file| file.as_str())).collect();
        let said = mqlab(&words);
        assert_eq!(said.code, expected, "{words:?}\n{}\n{}", said.out, said.err);
        let runs = files.iter().filter(|file| ![&&missing, &&invalid].contains(file)).count();
        assert!(
            said.out.contains(&format!("{runs} run")),
            "the others are checked all the same: {}",
            said.out
        );
    }
}

#[test]
fn one_job_and_many_say_the_same() {
    let words = ["check", "kafka/unclean-election", "kafka/flush", "kafka/consumer-dies", "--seeds", "3"];
    for format in ["text", "json"] {
        let one = mqlab(&[&words[..], &["--format", format, "--jobs", "1"]].concat());
        let many = mqlab(&[&words[..], &["--format", format, "--jobs", "7"]].concat());
        let all = mqlab(&[&words[..], &["--format", format]].concat());
        assert_eq!(one.code, 0, "{}", one.out);
        assert!(one.out == many.out && one.out == all.out, "{format}");
    }
}

#[test]
fn other_programs_are_told_what_they_ask() {
    let schema = mqlab(&["schema"]);
    assert_eq!(schema.code, 0, "{}", schema.err);
    let value: Value = serde_json::from_str(&schema.out).expect("it is JSON");
    assert_eq!(value["$schema"], "http://json-schema.org/draft-07/schema#");
    for shell in ["bash", "zsh", "fish"] {
        let script = mqlab(&["completions", shell]);
        assert!(script.code == 0 && script.out.contains("explain"), "{shell}: {}", script.err);
    }
    assert_eq!(mqlab(&["completions", "csh"]).code, 2);
    let page = mqlab(&["man"]);
    assert!(page.code == 0 && page.out.contains(".TH") && page.out.contains(".SH \"CHECK\""), "{}", page.out);
}

#[test]
fn a_check_writes_for_other_programs() {
    let path = shop("for <programs>.toml", "[expect]\nprocessed = 2\n");
    let xml = file("junit.xml", "");
    let check = mqlab(&["check", &path, "--junit", &xml, "--format", "github"]);
    assert_eq!(check.code, 1, "{}", check.err);
    let line = check.out.lines().next().unwrap_or_default();
    assert!(line.starts_with("::error file=") && line.contains("expected processed = 2"), "{}", check.out);
    let text = fs::read_to_string(&xml).expect("it was written");
    assert!(text.starts_with("<?xml") && text.contains("failures=\"1\""), "{text}");
    assert!(text.contains("for &lt;programs&gt;.toml") && text.contains("<failure"), "{text}");
    assert_eq!(mqlab(&["check", &path, "--junit", "/nowhere/at/all.xml"]).code, 4);
}

#[test]
fn what_could_not_be_read_is_not_missing_for_other_programs() {
    let wrong = file("wrong.toml", "family = \"kafka\"\nruns_for = \"3s\"\n");
    let xml = file("wrong.xml", "");
    let check = mqlab(&["check", &wrong, "--junit", &xml, "--format", "github"]);
    assert_eq!(check.code, 2, "{}", check.err);
    assert!(check.out.contains("wrong.toml,line=2,col=1::error: a scenario has no key"), "{}", check.out);
    let text = fs::read_to_string(&xml).expect("it was written");
    assert!(text.contains("tests=\"1\" failures=\"0\" errors=\"1\"") && text.contains("runs_for"), "{text}");

    let never = shop(
        "never.toml",
        "[fault.x]\nwhen = { observed = \"failed\" }\nkill = \"broker-1\"\n[expect]\nprocessed = 3\n",
    );
    let check = mqlab(&["check", &never, "--format", "json"]);
    let run: Value = serde_json::from_str(&check.out).expect("it is JSON");
    assert_eq!((check.code, &run["void"][0]), (3, &"the fault x never fired".into()), "{}", check.out);
}
