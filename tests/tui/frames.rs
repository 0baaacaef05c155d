//! What every view looks like: at three sizes, in Unicode and ASCII, in colour and without. The frames stand in
//! `tests/tui/frames`, one file a view, for people to read; `MQLAB_REWRITE=1 cargo test --test tui` writes them anew.

use std::fmt::Write as _;

use mqlab::tui::action::View;
use mqlab::tui::theme::Theme;
use ratatui::buffer::Buffer;
use ratatui::style::Color;

use crate::kit::{Desk, root};

const SIZES: [(u16, u16); 3] = [(120, 40), (80, 24), (60, 18)];

/// At an instant at which there is something to see in the view.
fn desk(view: View, theme: Theme, is_ascii: bool) -> Desk {
    let mut desk = Desk::at_run(theme, is_ascii);
    let keys = match view {
        View::Cluster | View::Logs => "t1200ms\n",
        View::Fates => "G]",
        View::Why => "t6100ms\nc",
        View::Events | View::Inspector => "t1s\n",
        View::Charts => "t7s\n",
        View::Verdict => "G",
    };
    desk.keys(keys);
    let digit = 1 + View::ALL.iter().position(|one| *one == view).unwrap_or_default();
    desk.keys(&digit.to_string());
    desk.app.notice = None;
    desk
}

fn compare(name: &str, found: &str) {
    let path = root().join("tests/tui/frames").join(format!("{name}.txt"));
    if std::env::var_os("MQLAB_REWRITE").is_some() {
        std::fs::create_dir_all(path.parent().expect("it has a folder")).expect("the folder can be made");
        std::fs::write(&path, found).expect("the frame can be written");
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    for (at, (old, new)) in expected.lines().zip(found.lines()).enumerate() {
        assert_eq!(old, new, "{name}, line {}: MQLAB_REWRITE=1 writes it anew", at + 1);
    }
    assert_eq!(expected.lines().count(), found.lines().count(), "{name}: MQLAB_REWRITE=1 writes it anew");
}

/// The styles of a frame: one letter for each cell that is not plain, by how it looks.
fn styles(buffer: &Buffer) -> String {
    let mut known: Vec<String> = Vec::new();
    let mut map = String::new();
    for y in 0..buffer.area.height {
        for x in 0..buffer.area.width {
            let cell = &buffer[(x, y)];
            let look = format!("{} on {} {:?}", cell.fg, cell.bg, cell.modifier);
            let at = known.iter().position(|one| *one == look).unwrap_or_else(|| {
                known.push(look);
                known.len() - 1
            });
            map.push(char::from(b'a' + at.min(25) as u8));
        }
        map.push('\n');
    }
    let mut text = String::new();
    for (at, look) in known.iter().enumerate() {
        let _ = writeln!(text, "{}: {look}", char::from(b'a' + at.min(25) as u8));
    }
    text + &map
}

#[test]
fn every_view_at_three_sizes() {
    for view in View::ALL {
        let (unicode, ascii) = (desk(view, Theme::Default, false), desk(view, Theme::Default, true));
        let mut text = String::new();
        for (width, height) in SIZES {
            let _ = writeln!(text, "== {} {width}x{height}\n{}", view.name(), unicode.text(width, height));
        }
        let _ = writeln!(text, "== {} 80x24, ASCII\n{}", view.name(), ascii.text(80, 24));
        let _ = writeln!(text, "== {} 80x24, styles\n{}", view.name(), styles(&unicode.draw(80, 24).buffer));
        compare(view.name(), &text);
    }
}

#[test]
fn the_picker_and_what_lies_over_a_screen() {
    let mut text = String::new();
    for (width, height) in SIZES {
        let picker = Desk::at_picker(Theme::Default, false);
        let _ = writeln!(text, "== picker {width}x{height}\n{}", picker.text(width, height));
    }
    for (name, keys) in [
        ("help", "?"),
        ("faults", "t1s\nf"),
        ("how long", "t1s\nf\n"),
        ("settings", "sacks"),
        ("load", "t1s\na"),
        ("palette", ":loss"),
        ("seek", "t5x\n"),
        ("write", "w"),
    ] {
        let mut desk = Desk::at_run(Theme::Default, false);
        desk.keys(keys);
        let _ = writeln!(text, "== {name} 80x24\n{}", desk.text(80, 24));
    }
    compare("overlays", &text);
}

#[test]
fn ascii_is_ascii_and_no_colour_is_no_colour() {
    for view in View::ALL {
        let ascii = desk(view, Theme::Mono, true);
        for (width, height) in SIZES {
            let out = ascii.draw(width, height);
            for cell in out.buffer.content() {
                assert!(cell.symbol().is_ascii(), "{}: {:?}", view.name(), cell.symbol());
                assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset), "{}: a colour", view.name());
            }
            let modifiers: Vec<_> = out.buffer.content().iter().map(|cell| cell.modifier).collect();
            assert!(modifiers.iter().any(|one| *one != modifiers[0]), "{}: nothing stands out", view.name());
        }
    }
}

#[test]
fn a_screen_that_is_too_small_says_so() {
    let desk = Desk::at_run(Theme::Default, false);
    assert!(desk.text(59, 18).contains("needs 60x18 characters; this terminal has 59x18"));
    assert!(desk.text(1, 1).len() <= 4);
}
