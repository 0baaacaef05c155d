//! What the symbols of the view mean, and all keys, from the key table; what cannot be done now says why.

use ratatui::layout::Rect;

use super::legend;
use crate::tui::app::App;
use crate::tui::keymap::{BINDINGS, Binding, Context, Group};
use crate::tui::look::Look;
use crate::tui::out::{Out, width, wrap};
use crate::tui::screen::centred;
use crate::tui::theme::Role;

/// Draws it over the whole screen.
pub fn draw(app: &App, look: &Look, scroll: usize, area: Rect, out: &mut Out) {
    let window = centred(area, 118, area.height.saturating_sub(2));
    out.claim(window);
    out.fill(window, look.style(Role::Text));
    let inside = out.frame(window, look.word("help.title"), look, Role::Focus);
    let context = if app.stage().is_some() { Context::Lab } else { Context::Picker };
    let lines = folded(lines(app, context, look), inside.width);
    let rows = usize::from(inside.height.saturating_sub(1));
    let first = scroll.min(lines.len().saturating_sub(rows));
    let keys = keys_width(&lines);
    for (row, line) in lines.iter().skip(first).take(rows).enumerate() {
        let row = row as u16;
        if line.is_heading {
            out.fitted(inside, 1, row, &line.keys, look, Role::Title);
            continue;
        }
        let (key, text) = if line.is_possible { (Role::Key, Role::Text) } else { (Role::Dim, Role::Dim) };
        out.text(inside, 2, row, &line.keys, look.style(key));
        let used = 2 + keys + 2;
        out.text(inside, used, row, &line.text, look.style(text));
    }
    let foot = Rect { y: inside.y + inside.height.saturating_sub(1), height: inside.height.min(1), ..inside };
    let last = (first + rows).min(lines.len());
    let text = look.with("help.foot", &[("last", &last), ("all", &lines.len())]);
    out.fitted(foot, 1, 0, &text, look, Role::Dim);
}

/// How many lines the help has at least, for scrolling.
pub fn count(app: &App, look: &Look) -> usize {
    let context = if app.stage().is_some() { Context::Lab } else { Context::Picker };
    folded(lines(app, context, look), 0).len()
}

fn keys_width(lines: &[Line]) -> u16 {
    lines.iter().filter(|line| !line.is_heading).map(|line| width(&line.keys)).max().unwrap_or(0)
}

/// Lines broken to the width of the window; what follows a line has no keys of its own.
fn folded(lines: Vec<Line>, columns: u16) -> Vec<Line> {
    let room = columns.saturating_sub(keys_width(&lines) + 5).max(20);
    let fold = |line: Line| {
        let Line { is_heading, is_possible, keys, text, entries } = line;
        let rows = if entries.is_empty() { wrap(&text, room) } else { flow(&entries, room) };
        let mut rows = rows.into_iter();
        let line = move |keys, text| Line { is_heading, is_possible, keys, text, entries: Vec::new() };
        let first = line(keys, rows.next().unwrap_or_default());
        std::iter::once(first).chain(rows.map(move |text| line(String::new(), text)))
    };
    lines.into_iter().flat_map(fold).collect()
}

/// Entries one after another, none broken apart that fits on a line.
fn flow(entries: &[String], room: u16) -> Vec<String> {
    let mut rows: Vec<String> = Vec::new();
    for entry in entries {
        match rows.last_mut() {
            Some(row) if width(row) + 3 + width(entry) <= room => {
                row.push_str("   ");
                row.push_str(entry);
            }
            _ => rows.extend(wrap(entry, room)),
        }
    }
    rows
}

#[derive(Default)]
struct Line {
    is_heading: bool,
    is_possible: bool,
    keys: String,
    text: String,
    /// Instead of a text: what may stand on one line, and is not broken apart.
    entries: Vec<String>,
}

fn heading(text: String) -> Line {
    Line { is_heading: true, is_possible: true, keys: text, ..Line::default() }
}

fn lines(app: &App, context: Context, look: &Look) -> Vec<Line> {
    let mut lines = Vec::new();
    let places = app.places();
    if let Some(stage) = app.stage() {
        let view = stage.pick.view;
        let name = look.with(&format!("view.{}", view.name()), &[("places", &places)]);
        lines.push(heading(look.with("help.symbols", &[("view", &name)])));
        let rows = legend::of(view, stage.session.source().family(), look).into_iter();
        lines.extend(rows.map(|row| Line {
            is_possible: true,
            keys: row.about,
            entries: row.entries,
            ..Line::default()
        }));
    }
    for group in Group::ALL {
        let is_here = |one: &&Binding| one.group == group && one.contexts.contains(&context);
        let bindings: Vec<_> = BINDINGS.iter().filter(is_here).collect();
        if bindings.is_empty() {
            continue;
        }
        lines.push(heading(look.words.get(group.heading()).to_owned()));
        for binding in bindings {
            let mut text = binding.help(look.words, &places);
            let obstacle = app.obstacle(&binding.action);
            if let Some(why) = &obstacle {
                text = look.with("help.not_now", &[("help", &text), ("why", why)]);
            }
            let keys = binding.keys(look.words);
            lines.push(Line { is_possible: obstacle.is_none(), keys, text, ..Line::default() });
        }
    }
    lines
}
