//! A line to type, over the screen.

use ratatui::layout::Rect;
use tui_input::Input;

use crate::tui::look::Look;
use crate::tui::menu::Question;
use crate::tui::out::{Out, fit, wrap};
use crate::tui::screen::centred;
use crate::tui::theme::Role;

/// Draws it in the middle of the screen.
pub fn draw(
    question: &Question,
    input: &Input,
    mistake: Option<&str>,
    look: &Look,
    area: Rect,
    out: &mut Out,
) {
    let window = centred(area, 66, 6);
    out.claim(window);
    out.fill(window, look.style(Role::Text));
    let (title, note) = match question {
        Question::Seek => ("prompt.seek", "prompt.seek_note"),
        Question::Filter => ("prompt.filter", "prompt.filter_note"),
        Question::Lasts(_) => ("prompt.lasts", "prompt.lasts_note"),
        Question::By(_) => ("prompt.by", "prompt.by_note"),
        Question::Value(_) => ("prompt.value", "prompt.value_note"),
        Question::File => ("prompt.file", "prompt.file_note"),
    };
    let inside = out.frame(window, look.word(title), look, Role::Focus);
    let room = inside.width.saturating_sub(4);
    let scroll = input.visual_scroll(usize::from(room));
    let shown: String = input.value().chars().skip(scroll).collect();
    let line = Rect { height: 1, ..inside };
    out.glyph(line, 1, 0, look.glyphs.pointer, look.style(Role::Accent));
    out.text(line, 3, 0, &fit(&shown, room, look), look.style(Role::Text));
    let at = (3 + input.visual_cursor().saturating_sub(scroll)) as u16;
    let under = Rect { x: inside.x + at, width: 1, ..line }.intersection(line);
    out.buffer.set_style(under, look.style(Role::Selected));
    let (text, role) = match mistake {
        Some(mistake) => (mistake, Role::Bad),
        None => (look.word(note), Role::Dim),
    };
    for (row, text) in wrap(text, inside.width.saturating_sub(2)).iter().take(3).enumerate() {
        out.text(inside, 1, row as u16 + 1, text, look.style(role));
    }
}
