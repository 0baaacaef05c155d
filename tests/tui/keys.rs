//! Every key of the table does something in some state, and the help lists every one.

use mqlab::tui::keymap::{self, BINDINGS, Chord, Context};
use mqlab::tui::theme::Theme;
use mqlab::tui::words::Words;

use crate::kit::Desk;

/// States in which a key can show what it does: how each is come to.
fn states() -> Vec<Desk> {
    let mut states = vec![
        Desk::at_picker(Theme::Default, false),
        {
            let mut desk = Desk::at_picker(Theme::Default, false);
            desk.press(Chord::Down);
            desk
        },
        {
            let mut desk = Desk::at_picker(Theme::Default, false);
            desk.keys("/leader\n");
            desk
        },
    ];
    // In the middle of the run, in each view, with something before and after it to go to.
    for digit in "12345678".chars() {
        let mut desk = Desk::at_run(Theme::Default, false);
        desk.keys("t6.1s\nb").keys(&digit.to_string()).keys("t3s\nb").keys("t5s\n").press(Chord::Down);
        states.push(desk);
    }
    for keys in ["5/broker\n", "G", "Gc", "G3n", "?", "f", "s", ":", "t", "w", "a", "t2s\nf", "+"] {
        let mut desk = Desk::at_run(Theme::Default, false);
        desk.keys(keys);
        states.push(desk);
    }
    // After something was done by hand.
    let mut desk = Desk::at_run(Theme::Default, false);
    desk.keys("t500ms\nf").press(Chord::Enter).press(Chord::Enter).keys("t1200ms\n");
    states.push(desk);
    states
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
    let count = states().len();
    for at in 0..count {
        let here: Vec<_> = {
            let state = &states()[at];
            left.iter().copied().filter(|(context, ..)| *context == state.app.context()).collect()
        };
        for (context, key, name) in here {
            let mut state = states().swap_remove(at);
            let before = fingerprint(&state);
            state.press(key);
            if fingerprint(&state) != before {
                left.retain(|one| *one != (context, key, name));
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
        let help = desk.text(240, 70);
        for binding in BINDINGS.iter().filter(|binding| binding.contexts.contains(&context)) {
            // A long line is folded.
            let begins: String = binding.help(words).chars().take(40).collect();
            let line = help.lines().find(|line| line.contains(&begins));
            let line = line.unwrap_or_else(|| panic!("{} is not in the help", binding.name));
            assert!(line.contains(&binding.keys(words)), "{line}");
        }
    }
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
