//! A text to read, over the screen: a mistake with its place and the way out.

use ratatui::layout::Rect;

use crate::tui::look::Look;
use crate::tui::out::{Out, fit};
use crate::tui::screen::centred;
use crate::tui::theme::Role;

/// Draws it in the middle of the screen. Lines are not wrapped: what points at a place has to stay under it.
pub fn draw(title: &str, text: &str, scroll: usize, look: &Look, area: Rect, out: &mut Out) {
    let lines: Vec<_> = text.lines().collect();
    let widest = lines.iter().map(|line| crate::tui::out::width(line)).max().unwrap_or(0);
    let window = centred(
        area,
        (widest + 4).max(40).min(area.width.saturating_sub(2)),
        (lines.len() as u16 + 3).min(area.height.saturating_sub(2)),
    );
    out.claim(window);
    out.fill(window, look.style(Role::Text));
    let inside = out.frame(window, title, look, Role::Focus);
    let rows = usize::from(inside.height.saturating_sub(1));
    let first = scroll.min(lines.len().saturating_sub(rows));
    for (row, line) in lines.iter().skip(first).take(rows).enumerate() {
        let line = fit(line, inside.width.saturating_sub(2), look);
        out.text(inside, 1, row as u16, &line, look.style(Role::Text));
    }
    let foot = Rect { y: inside.y + inside.height.saturating_sub(1), height: inside.height.min(1), ..inside };
    out.fitted(foot, 1, 0, look.word("message.foot"), look, Role::Dim);
}
