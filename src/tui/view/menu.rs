//! A list to choose from, over the screen: what can be chosen, its value, and what it does; what cannot, and why.

use ratatui::layout::Rect;

use super::picker::first_row;
use crate::tui::action::Action;
use crate::tui::look::Look;
use crate::tui::menu::Menu;
use crate::tui::out::{Out, fit, width, wrap};
use crate::tui::screen::centred;
use crate::tui::theme::Role;

/// Draws it in the middle of the screen.
pub fn draw(menu: &Menu, look: &Look, area: Rect, out: &mut Out) {
    let count = menu.shown().count();
    let typed = u16::from(menu.input.is_some());
    let height = (count as u16 + 5 + typed).min(area.height.saturating_sub(2)).max(8);
    let window = centred(area, 76, height);
    out.claim(window);
    out.fill(window, look.style(Role::Text));
    let inside = out.frame(window, &menu.title, look, Role::Focus);
    if let Some(input) = &menu.input {
        let line = format!("{} {}", look.glyphs.pointer, input.value());
        out.text(inside, 1, 0, &fit(&line, inside.width.saturating_sub(2), look), look.style(Role::Accent));
        let cursor = 3 + input.visual_cursor() as u16;
        let under = Rect { x: inside.x + cursor, y: inside.y, width: 1, height: 1 }.intersection(inside);
        out.buffer.set_style(under, look.style(Role::Selected));
    }
    let note_rows = 2;
    let list =
        Rect { y: inside.y + typed, height: inside.height.saturating_sub(typed + note_rows), ..inside };
    rows(menu, look, list, out);
    let note = Rect { y: list.y + list.height, height: note_rows.min(inside.height), ..inside };
    if let Some(row) = menu.row() {
        let (text, role) = match &row.reason {
            Some(reason) => (reason, Role::Warn),
            None => (&row.note, Role::Dim),
        };
        let lines = wrap(text, note.width.saturating_sub(2));
        for (at, line) in lines.iter().take(usize::from(note_rows)).enumerate() {
            out.text(note, 1, at as u16, line, look.style(role));
        }
    } else {
        out.fitted(note, 1, 0, look.word("menu.nothing"), look, Role::Dim);
    }
}

fn rows(menu: &Menu, look: &Look, area: Rect, out: &mut Out) {
    let count = menu.shown().count();
    let labels = menu.shown().map(|row| width(&row.label)).max().unwrap_or(0).min(area.width * 2 / 3);
    let first = first_row(menu.selected(), count, usize::from(area.height));
    for (row, (at, entry)) in menu.shown().enumerate().skip(first).take(usize::from(area.height)).enumerate()
    {
        let line = Rect { y: area.y + row as u16, height: 1, ..area };
        let is_selected = at == menu.selected();
        let role = match (is_selected, entry.reason.is_some()) {
            (true, _) => Role::Selected,
            (false, true) => Role::Disabled,
            (false, false) => Role::Text,
        };
        out.fill(line, look.style(if is_selected { Role::Selected } else { Role::Text }));
        if is_selected {
            out.glyph(line, 0, 0, look.glyphs.pointer, look.style(role));
        }
        out.text(line, 2, 0, &fit(&entry.label, labels, look), look.style(role));
        let used = 2 + labels + 2;
        let room = line.width.saturating_sub(used + 1);
        let value_role = if is_selected { Role::Selected } else { Role::Dim };
        out.text(line, used, 0, &fit(&entry.value, room, look), look.style(value_role));
        out.hit(line, Action::Pick(at));
    }
}
