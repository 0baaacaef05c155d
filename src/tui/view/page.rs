//! A text of styled lines that is scrolled: what the journey, the verdict and the like are written on.

use ratatui::layout::Rect;

use crate::tui::action::Action;
use crate::tui::look::Look;
use crate::tui::out::{Out, fit, width, wrap};
use crate::tui::theme::Role;

/// Lines of at most so many columns.
pub(super) struct Page<'a> {
    look: &'a Look,
    width: u16,
    lines: Vec<Line>,
    /// Since the last [`Page::hit`].
    block: usize,
}

#[derive(Default)]
struct Line {
    parts: Vec<(String, Role)>,
    action: Option<Action>,
}

impl<'a> Page<'a> {
    /// An empty page.
    pub(super) fn new(look: &'a Look, width: u16) -> Self {
        Self { look, width, lines: Vec::new(), block: 0 }
    }

    /// How many columns a line has.
    pub(super) fn width(&self) -> u16 {
        self.width
    }

    /// A heading, with a blank line before it unless it is the first.
    pub(super) fn head(&mut self, text: &str) {
        if !self.lines.is_empty() {
            self.lines.push(Line::default());
        }
        self.block = self.lines.len();
        self.say("", text, Role::Title);
    }

    /// An empty line.
    pub(super) fn blank(&mut self) {
        self.lines.push(Line::default());
    }

    /// One line, cut where it does not fit.
    pub(super) fn line(&mut self, parts: Vec<(String, Role)>) {
        let mut room = self.width;
        let mut fitting = Vec::new();
        for (text, role) in parts {
            let text = fit(&text, room, self.look);
            room -= width(&text).min(room);
            fitting.push((text, role));
        }
        self.lines.push(Line { parts: fitting, action: None });
    }

    /// A text after an indent, broken into lines that begin below one another.
    pub(super) fn say(&mut self, indent: &str, text: &str, role: Role) {
        self.hang(vec![(indent.to_owned(), Role::Text)], text, role);
    }

    /// A text behind a lead, broken into lines that begin below one another.
    pub(super) fn hang(&mut self, lead: Vec<(String, Role)>, text: &str, role: Role) {
        let mut indent: u16 = lead.iter().map(|(text, _)| width(text)).sum();
        if indent + 12 > self.width && indent > 4 {
            // No room beside the lead: the text begins below it.
            self.line(lead);
            indent = 4;
        } else {
            self.lines.push(Line { parts: lead, action: None });
        }
        let mut is_first = self.lines.last().is_some_and(|line| !line.parts.is_empty());
        for piece in wrap(text, self.width.saturating_sub(indent)) {
            let used = self
                .lines
                .last()
                .map_or(0, |line| line.parts.iter().map(|(text, _)| width(text)).sum::<u16>());
            if is_first && used <= indent {
                let line = self.lines.last_mut().expect("the lead was pushed");
                line.parts.push((" ".repeat(usize::from(indent - used)), Role::Text));
                line.parts.push((piece, role));
            } else {
                let blank = " ".repeat(usize::from(indent));
                self.lines.push(Line { parts: vec![(blank, Role::Text), (piece, role)], action: None });
            }
            is_first = false;
        }
    }

    /// Parts that belong together, as many on a line as fit, each line after the indent.
    pub(super) fn flow(&mut self, indent: u16, parts: &[Vec<(String, Role)>]) {
        let of = |part: &Vec<(String, Role)>| part.iter().map(|(text, _)| width(text)).sum::<u16>();
        let blank = || vec![(" ".repeat(usize::from(indent)), Role::Text)];
        let (mut line, mut used) = (blank(), indent);
        for part in parts {
            if used > indent && used + of(part) > self.width {
                self.line(std::mem::replace(&mut line, blank()));
                used = indent;
            }
            line.extend(part.iter().cloned());
            line.push(("   ".to_owned(), Role::Text));
            used += of(part) + 3;
        }
        if used > indent {
            self.line(line);
        }
    }

    /// A click on what was written since the last heading or the last click does that.
    pub(super) fn hit(&mut self, action: &Action) {
        for line in &mut self.lines[self.block..] {
            line.action = Some(action.clone());
        }
        self.block = self.lines.len();
    }

    /// How many lines there are.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// Shows what fits from the line `scroll` on, or the end if that is beyond it; arrows at the right say that there
    /// is more above or below.
    pub(super) fn draw(self, area: Rect, scroll: usize, out: &mut Out) {
        let from = scroll.min(self.lines.len().saturating_sub(usize::from(area.height)));
        let is_more = self.lines.len() > from + usize::from(area.height);
        for (row, line) in self.lines.into_iter().skip(from).take(usize::from(area.height)).enumerate() {
            let mut column = 0;
            for (text, role) in &line.parts {
                column += out.text(area, column, row as u16, text, self.look.style(*role));
            }
            if let Some(action) = line.action {
                out.hit(Rect { y: area.y + row as u16, height: 1, ..area }, action);
            }
        }
        let style = self.look.style(Role::Key);
        let right = area.width.saturating_sub(1);
        if from > 0 {
            out.glyph(area, right, 0, self.look.glyphs.arrow_up, style);
        }
        if is_more {
            out.glyph(area, right, area.height.saturating_sub(1), self.look.glyphs.arrow_down, style);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::theme::Theme;
    use crate::tui::view::kit::frame_text;

    #[test]
    fn texts_hang_below_their_leads_and_scroll() {
        let look = Look::new(Theme::Mono, false);
        let mut page = Page::new(&look, 20);
        page.head("领导者死了");
        page.hang(vec![("1.5s  ".to_owned(), Role::Dim)], "the leader dies with it", Role::Text);
        page.head("next");
        assert_eq!(page.len(), 5);
        let mut out = Out::new(Rect::new(0, 0, 20, 3));
        let area = out.area();
        page.draw(area, 0, &mut out);
        assert_eq!(frame_text(&out), "领导者死了\n1.5s  the leader\n      dies with it ▼\n");
    }
}
