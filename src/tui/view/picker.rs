//! The list of scenarios: on the left their names, on the right what the selected one teaches and what it loses.

use std::cell::Cell;

use ratatui::layout::{Constraint, Layout, Rect};

use super::bars;
use crate::tui::action::Action;
use crate::tui::app::App;
use crate::tui::jobs::Loss;
use crate::tui::look::{Look, SizeClass};
use crate::tui::out::{Out, fit, width, wrap};
use crate::tui::picker::Picker;
use crate::tui::theme::Role;

/// Draws the whole screen.
pub fn draw(picker: &Picker, app: &App, look: &Look, area: Rect, out: &mut Out) {
    let [header, middle, footer] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)]).areas(area);
    out.claim(header);
    out.fill(header, look.style(Role::Bar));
    let (shown, all) = picker.counts();
    let title = if picker.filter.is_empty() {
        look.with("picker.title", &[("all", &all)])
    } else {
        look.with("picker.filtered", &[("shown", &shown), ("all", &all), ("filter", &picker.filter)])
    };
    out.text(header, 1, 0, &fit(&title, header.width.saturating_sub(2), look), look.style(Role::Bar));
    let parts = if look.class == SizeClass::Narrow {
        Layout::vertical([Constraint::Percentage(45), Constraint::Min(0)]).split(middle)
    } else {
        Layout::horizontal([Constraint::Percentage(50), Constraint::Min(0)]).split(middle)
    };
    list(picker, look, parts[0], out);
    about(picker, look, parts[1], out);
    bars::footer(app, look, footer, out);
}

fn list(picker: &Picker, look: &Look, area: Rect, out: &mut Out) {
    out.claim(area);
    let inside = out.frame(area, look.word("picker.scenarios"), look, Role::Border);
    let rows = usize::from(inside.height);
    if picker.counts().0 == 0 {
        out.fitted(inside, 1, 0, look.word("picker.nothing"), look, Role::Dim);
        return;
    }
    let first = first_row(picker.selected(), picker.counts().0, rows);
    let names = picker.shown().map(|entry| width(&entry.name)).max().unwrap_or(0).min(inside.width / 2);
    for (row, (at, entry)) in picker.shown().enumerate().skip(first).take(rows).enumerate() {
        let is_selected = at == picker.selected();
        let line = Rect { y: inside.y + row as u16, height: 1, ..inside };
        let (name, title) =
            if is_selected { (Role::Selected, Role::Selected) } else { (Role::Text, Role::Dim) };
        out.fill(line, look.style(name));
        if is_selected {
            out.glyph(line, 0, 0, look.glyphs.pointer, look.style(name));
        }
        let text = entry.mistake.as_ref().map_or(entry.title.as_str(), |_| look.word("picker.mistake"));
        out.text(line, 2, 0, &fit(&entry.name, names, look), look.style(name));
        let used = 2 + names + 2;
        out.text(line, used, 0, &fit(text, line.width.saturating_sub(used), look), look.style(title));
        out.hit(line, Action::Pick(at));
    }
}

/// The first row of a list that keeps the selection on the screen.
pub fn first_row(selected: usize, count: usize, rows: usize) -> usize {
    selected.saturating_sub(rows / 2).min(count.saturating_sub(rows))
}

fn about(picker: &Picker, look: &Look, area: Rect, out: &mut Out) {
    out.claim(area);
    let inside = out.frame(area, look.word("picker.about"), look, Role::Border);
    let Some(entry) = picker.entry() else { return };
    let inside = Rect { x: inside.x + 1, width: inside.width.saturating_sub(2), ..inside };
    let row = Cell::new(0);
    // What begins with a blank or a pointer hangs under it.
    let put = |text: &str, role: Role, out: &mut Out| {
        if text.is_empty() {
            row.set(row.get() + 1);
        }
        let mark = text.chars().next().filter(|&c| c == ' ' || c == look.glyphs.pointer);
        let hang = if mark.is_some() { 2 } else { 0 };
        if let Some(mark) = mark {
            out.glyph(inside, 0, row.get(), mark, look.style(role));
        }
        let body = text.trim_start_matches([' ', look.glyphs.pointer]);
        for line in wrap(body, inside.width.saturating_sub(hang)) {
            out.text(inside, hang, row.get(), &line, look.style(role));
            row.set(row.get() + 1);
        }
    };
    put(&entry.title, Role::Title, out);
    let of = [entry.family.as_str(), entry.name.as_str()];
    let of: Vec<_> = of.into_iter().filter(|text| !text.is_empty()).collect();
    put(&of.join(", "), Role::Dim, out);
    if let Some(mistake) = &entry.mistake {
        put("", Role::Text, out);
        put(mistake, Role::Bad, out);
        return;
    }
    let is_short = look.class == SizeClass::Narrow;
    if !entry.question.is_empty() {
        put("", Role::Text, out);
        put(&entry.question, Role::Accent, out);
    }
    if !is_short && !entry.story.is_empty() {
        put("", Role::Text, out);
        put(&entry.story, Role::Text, out);
    }
    if !is_short {
        put("", Role::Text, out);
        put(look.word("picker.outcomes"), Role::Title, out);
    }
    let chosen = picker.variant();
    // Where there is no room for all variants, the chosen one is among those that are seen.
    let rows = usize::from(inside.height.saturating_sub(row.get()));
    let first = |count: usize| {
        let at = entry.variants.iter().position(|variant| chosen == Some(variant)).unwrap_or(0);
        if count > rows { first_row(at, count, rows) } else { 0 }
    };
    match picker.losses.get(&entry.name) {
        None => {
            for variant in entry.variants.iter().skip(first(entry.variants.len())) {
                let mark = if chosen == Some(variant) { look.glyphs.pointer } else { ' ' };
                put(&format!("{mark} {variant}"), Role::Text, out);
            }
            put(look.word("picker.running"), Role::Dim, out);
        }
        Some(Err(mistake)) => put(mistake, Role::Bad, out),
        Some(Ok(losses)) => {
            for loss in losses.iter().skip(first(losses.len())) {
                let is_chosen = chosen.is_some_and(|chosen| chosen == loss.variant);
                let mark = if is_chosen { look.glyphs.pointer } else { ' ' };
                let role = if loss.harm.is_empty() && loss.reordered == 0 { Role::Good } else { Role::Warn };
                put(&format!("{mark} {}", outcome(loss, look)), role, out);
            }
        }
    }
}

/// What one variant does to messages, in one line.
fn outcome(loss: &Loss, look: &Look) -> String {
    let words = loss.harm.iter().map(|(fate, count)| format!("{count} {}", fate.name()));
    let late = (loss.reordered > 0).then(|| look.with("picker.reordered", &[("count", &loss.reordered)]));
    let harm: Vec<_> = words.chain(late).collect();
    let harm = if harm.is_empty() { look.word("picker.harmless").to_owned() } else { harm.join(", ") };
    let variant = if loss.variant.is_empty() { look.word("picker.as_written") } else { &loss.variant };
    look.with("picker.outcome", &[("variant", &variant), ("harm", &harm), ("sent", &loss.sent)])
}
