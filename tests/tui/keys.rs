//! Every key of the table does something in some state, and the help lists every one.

use mqlab::tui::keymap::{self, BINDINGS, Chord, Context};
use mqlab::tui::theme::Theme;
use mqlab::tui::words::Words;

use crate::kit::Desk;

/// A state in which keys can show what they do: on the list of scenarios or on a run, after these keys.
type State = (Context, String);

fn states() -> Vec<State> {
    let mut states: Vec<State> =
        ["", "/leader\n", "j"].map(|keys| (Context::Picker, keys.to_owned())).to_vec();
    // In the middle of the run, in each view, with something before and after it to go to.
    for digit in 1..=8 {
        states.push((Context::Lab, format!("t6.1s\nb{digit}t3s\nbt5s\nj")));
    }
    let more = [
        "5/broker\n",
        "G",
        "Gc",
        "G3n",
        "?",
        "f",
        "s",
        ":",
        "t",
        "w",
        "a",
        "t2s\nf",
        "+",
        // After something was done by hand.
        "t500ms\nf\n\nt1200ms\n",
    ];
    states.extend(more.map(|keys| (Context::Lab, keys.to_owned())));
    states
}

fn come_to((screen, keys): &State) -> Desk {
    let mut desk = match screen {
        Context::Picker => Desk::at_picker(Theme::Default, false),
        _ => Desk::at_run(Theme::Default, false),
    };
    desk.keys(keys);
    desk
}

/// All that a key can change.
fn fingerprint(desk: &Desk) -> String {
    let out = desk.draw(120, 40);
    format!("{:?} {:?} {}", out.buffer, desk.errands, desk.app.has_mouse)
}

#[test]
fn every_key_does_something_in_some_state() {
    let mut left: Vec<(Context, Chord, &str)> = Vec::new();
    for binding in BINDINGS {
        for &context in binding.contexts {
            left.extend(binding.keys.iter().map(|&key| (context, key, binding.name)));
        }
    }
    for state in states() {
        let context = come_to(&state).app.context();
        let here: Vec<_> = left.iter().copied().filter(|(of, ..)| *of == context).collect();
        for one in here {
            let mut desk = come_to(&state);
            let before = fingerprint(&desk);
            desk.press(one.1);
            if fingerprint(&desk) != before {
                left.retain(|other| *other != one);
            }
        }
    }
    assert!(left.is_empty(), "these do nothing anywhere: {left:?}");
}

#[test]
fn the_help_lists_every_key() {
    let words = Words::english();
    for (mut desk, context) in [
        (Desk::at_run(Theme::Mono, true), Context::Lab),
        (Desk::at_picker(Theme::Mono, true), Context::Picker),
    ] {
        desk.press(Chord::Char('?'));
        let mut help = String::new();
        for _ in 0..14 {
            help += &desk.text(240, 70);
            desk.press(Chord::PageDown);
        }
        for binding in BINDINGS.iter().filter(|binding| binding.contexts.contains(&context)) {
            // A long line is folded.
            let begins: String = binding.help(words, &desk.app.places()).chars().take(40).collect();
            let keys = binding.keys(words);
            let is_listed = help.lines().any(|line| line.contains(&begins) && line.contains(&keys));
            assert!(is_listed, "{} is not in the help", binding.name);
        }
    }
}

#[test]
fn the_help_begins_with_the_symbols_of_the_view() {
    for (digit, begins) in [(1, "Symbols of Cluster"), (2, "Symbols of Logs"), (3, "Symbols of Fates")] {
        let mut desk = Desk::at_run(Theme::Mono, false);
        desk.keys(&format!("{digit}?"));
        let help = desk.text(80, 24);
        assert!(help.lines().nth(2).is_some_and(|line| line.contains(begins)), "{help}");
    }
}

#[test]
fn the_events_of_a_branch_go_on_to_its_end() {
    let mut desk = Desk::at_run(Theme::Mono, false);
    desk.keys("5t500ms\nf\n\n");
    assert!(!desk.app.is_idle(), "the rest of the branch is recorded while it is looked at");
    while !desk.app.is_idle() {
        desk.app.tick(33_000_000);
        desk.settle();
    }
    let times = |text: &str| -> Vec<String> {
        let first = text.lines().filter_map(|line| line.trim_start_matches(['›', ' ']).split(' ').next());
        first.filter(|word| word.ends_with('s')).map(str::to_owned).collect()
    };
    let before = times(&desk.text(80, 24));
    assert_ne!(before.last().map(String::as_str), Some("0.5000s"), "{before:?}");
    desk.keys("15");
    assert_eq!(times(&desk.text(80, 24)), before, "looking away finds nothing new");
}

#[test]
fn the_readme_has_the_key_table() {
    let readme = std::fs::read_to_string(crate::kit::root().join("README.md")).expect("there is a README");
    let table = keymap::table(Words::english());
    assert!(readme.contains(table.trim_end()), "put what `mqlab keys` prints into the README");
}

#[test]
fn from_the_verdict_to_the_cause_in_three_keys() {
    let mut desk = Desk::at_run(Theme::Default, false);
    desk.keys("G8");
    assert!(desk.text(80, 24).contains("lost"));
    desk.keys("c");
    let why = desk.text(80, 24);
    assert!(why.contains("checkout#182") && why.contains("acks=1"), "{why}");
}
