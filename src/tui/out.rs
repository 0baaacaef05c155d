//! What views draw into: cells, the panes that they claim, and what a click means where.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::UnicodeWidthChar;

use super::action::Action;
use super::look::Look;
use super::theme::Role;

/// A screen in the making.
#[derive(Debug)]
pub struct Out {
    /// Its cells.
    pub buffer: Buffer,
    hits: Vec<(Rect, Action)>,
    /// Panes and boxes that must not overlap, by layer.
    claims: Vec<(u8, Rect)>,
    layer: u8,
}

impl Out {
    /// An empty screen.
    pub fn new(area: Rect) -> Self {
        Self { buffer: Buffer::empty(area), hits: Vec::new(), claims: Vec::new(), layer: 0 }
    }

    /// The whole screen.
    pub fn area(&self) -> Rect {
        self.buffer.area
    }

    /// Begins something that lies over what is drawn so far.
    pub fn raise(&mut self) {
        self.layer += 1;
    }

    /// This area belongs to one pane or box alone: a test finds two that claim the same cell.
    pub fn claim(&mut self, area: Rect) {
        let area = area.intersection(self.buffer.area);
        if !area.is_empty() {
            self.claims.push((self.layer, area));
        }
    }

    /// A click here does that. What was drawn last wins.
    pub fn hit(&mut self, area: Rect, action: Action) {
        self.hits.push((area, action));
    }

    /// What a click at this cell does.
    pub fn action_at(&self, x: u16, y: u16) -> Option<Action> {
        let mut hits = self.hits.iter().rev();
        hits.find(|(area, _)| area.contains((x, y).into())).map(|(_, action)| action.clone())
    }

    /// Two claims of the same layer that overlap.
    pub fn overlap(&self) -> Option<(Rect, Rect)> {
        for (at, (layer, one)) in self.claims.iter().enumerate() {
            for (other_layer, other) in &self.claims[at + 1..] {
                if layer == other_layer && one.intersects(*other) {
                    return Some((*one, *other));
                }
            }
        }
        None
    }

    /// Writes text at a cell of `area` (its column and row count from the area's corner), clipped to the area; a wide
    /// character that does not fit whole is left out. The columns that were written.
    pub fn text(&mut self, area: Rect, column: u16, row: u16, text: &str, style: Style) -> u16 {
        let area = area.intersection(self.buffer.area);
        if row >= area.height || column >= area.width {
            return 0;
        }
        let (y, mut x) = (area.y + row, area.x + column);
        let right = area.x + area.width;
        let from = x;
        for c in text.chars() {
            let width = c.width().unwrap_or(0) as u16;
            if width == 0 {
                continue;
            }
            if x + width > right {
                break;
            }
            self.buffer[(x, y)].set_char(c).set_style(style);
            for extra in 1..width {
                // The second half of a wide character belongs to it.
                self.buffer[(x + extra, y)].reset();
                self.buffer[(x + extra, y)].set_symbol("").set_style(style);
            }
            x += width;
        }
        x - from
    }

    /// Writes text, and an ellipsis at the end if it does not fit.
    pub fn fitted(&mut self, area: Rect, column: u16, row: u16, text: &str, look: &Look, role: Role) -> u16 {
        let room = area.width.saturating_sub(column);
        self.text(area, column, row, &fit(text, room, look), look.style(role))
    }

    /// One character.
    pub fn glyph(&mut self, area: Rect, column: u16, row: u16, glyph: char, style: Style) {
        let mut bytes = [0; 4];
        self.text(area, column, row, glyph.encode_utf8(&mut bytes), style);
    }

    /// Fills an area with blanks of a style.
    pub fn fill(&mut self, area: Rect, style: Style) {
        let area = area.intersection(self.buffer.area);
        for position in area.positions() {
            self.buffer[position].reset();
            self.buffer[position].set_style(style);
        }
    }

    /// A frame with a title in its upper edge; the area inside. `role` is the frame's meaning.
    pub fn frame(&mut self, area: Rect, title: &str, look: &Look, role: Role) -> Rect {
        let heavy = matches!(role, Role::Focus | Role::Bad | Role::Fault);
        let glyphs = look.glyphs;
        let (corners, horizontal, vertical) = if heavy {
            (glyphs.corners_heavy, glyphs.horizontal_heavy, glyphs.vertical_heavy)
        } else {
            (glyphs.corners, glyphs.horizontal, glyphs.vertical)
        };
        if area.width < 2 || area.height < 2 {
            return Rect { width: 0, height: 0, ..area };
        }
        let style = look.style(role);
        for x in 1..area.width - 1 {
            self.glyph(area, x, 0, horizontal, style);
            self.glyph(area, x, area.height - 1, horizontal, style);
        }
        for y in 1..area.height - 1 {
            self.glyph(area, 0, y, vertical, style);
            self.glyph(area, area.width - 1, y, vertical, style);
        }
        let ends = [(0, 0), (area.width - 1, 0), (0, area.height - 1), (area.width - 1, area.height - 1)];
        for ((x, y), corner) in ends.into_iter().zip(corners) {
            self.glyph(area, x, y, corner, style);
        }
        if !title.is_empty() && area.width > 6 {
            let title = format!(" {} ", fit(title, area.width - 6, look));
            self.text(area, 2, 0, &title, look.style(Role::Title));
        }
        Rect { x: area.x + 1, y: area.y + 1, width: area.width - 2, height: area.height - 2 }
    }
}

/// How many columns a text takes.
pub fn width(text: &str) -> u16 {
    text.chars().map(|c| c.width().unwrap_or(0) as u16).sum()
}

/// The text, or as much of it as fits with an ellipsis.
pub fn fit(text: &str, room: u16, look: &Look) -> String {
    if width(text) <= room {
        return text.to_owned();
    }
    let mut fitted = String::new();
    let mut used = 0;
    for c in text.chars() {
        let columns = c.width().unwrap_or(0) as u16;
        if used + columns + 1 > room {
            break;
        }
        used += columns;
        fitted.push(c);
    }
    if room > 0 {
        fitted.push(look.glyphs.more);
    }
    fitted
}

/// The text broken into lines of at most this many columns, between words where there are spaces, else where it must
/// be (Chinese has none).
pub fn wrap(text: &str, columns: u16) -> Vec<String> {
    let columns = columns.max(1);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        let mut line = String::new();
        for word in paragraph.split_whitespace() {
            let gap = u16::from(!line.is_empty());
            if width(&line) + gap + width(word) <= columns {
                if gap == 1 {
                    line.push(' ');
                }
                line.push_str(word);
                continue;
            }
            if !line.is_empty() && width(word) <= columns {
                lines.push(std::mem::take(&mut line));
                line.push_str(word);
                continue;
            }
            if gap == 1 {
                line.push(' ');
            }
            for c in word.chars() {
                if width(&line) + c.width().unwrap_or(0) as u16 > columns {
                    lines.push(std::mem::take(&mut line));
                }
                line.push(c);
            }
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::Theme;

    fn row(out: &Out, y: u16) -> String {
        (0..out.area().width).map(|x| out.buffer[(x, y)].symbol()).collect()
    }

    #[test]
    fn wide_characters_are_never_cut_in_half() {
        let look = Look::new(Theme::Mono, false);
        let mut out = Out::new(Rect::new(0, 0, 7, 2));
        let area = out.area();
        assert_eq!(out.text(area, 0, 0, "消息队列", Style::new()), 6);
        assert_eq!(row(&out, 0), "消息队 ");
        assert_eq!(fit("消息队列丢失", 7, &look), "消息队…");
        out.text(area, 6, 1, "消", Style::new());
        assert_eq!(row(&out, 1), "       ");
    }

    #[test]
    fn text_is_broken_between_words_and_inside_what_has_none() {
        assert_eq!(wrap("the leader dies", 10), ["the leader", "dies"]);
        assert_eq!(wrap("领导者死了", 4), ["领导", "者死", "了"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
    }

    #[test]
    fn two_panes_on_the_same_cells_are_found() {
        let mut out = Out::new(Rect::new(0, 0, 20, 5));
        out.claim(Rect::new(0, 0, 10, 5));
        out.claim(Rect::new(10, 0, 10, 5));
        assert_eq!(out.overlap(), None);
        out.raise();
        out.claim(Rect::new(5, 1, 10, 3));
        assert_eq!(out.overlap(), None);
        out.claim(Rect::new(14, 1, 4, 3));
        assert!(out.overlap().is_some());
    }
}
