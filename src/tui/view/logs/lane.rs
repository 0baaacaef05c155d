//! Lanes: one copy's cells, how much of them is durable, and its named offsets.

use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::window::{Column, DENSE, Lane, Window, badness};
use crate::broker::picture::{LanePicture, OffsetMark, PlacePicture};
use crate::ledger::{Fate, Standing};
use crate::tui::action::Action;
use crate::tui::look::Look;
use crate::tui::out::{Out, fit, width};
use crate::tui::scene::Scene;
use crate::tui::theme::Role;

/// All copies of a place.
pub(super) struct Lanes<'a> {
    pub(super) scene: &'a Scene<'a>,
    pub(super) place: &'a PlacePicture,
    pub(super) window: Window,
    /// By lane.
    pub(super) read: &'a [Lane],
    /// Columns for names at the left.
    pub(super) labels: u16,
    /// Rows that a lane takes: its cells, its line, its marks, and one between it and the next.
    pub(super) rows: u16,
}

impl Lanes<'_> {
    /// Whether there is a line that tells the durable from the rest.
    pub(super) fn has_lines(&self) -> bool {
        self.rows > 1
    }

    /// Draws as many lanes as fit, the picked node's among them.
    pub(super) fn draw(&self, area: Rect, out: &mut Out) {
        let room = usize::from(area.height / self.rows.max(1));
        let lanes = &self.place.lanes;
        let is_cut = lanes.len() > room;
        let room =
            if is_cut { usize::from((area.height.saturating_sub(1)) / self.rows.max(1)) } else { room };
        let picked = lanes.iter().position(|lane| lane.node == self.scene.pick.node).unwrap_or(0);
        let first = (picked + 1).saturating_sub(room);
        for (number, lane) in lanes.iter().enumerate().skip(first).take(room) {
            let row = (number - first) as u16 * self.rows;
            let own = Rect { y: area.y + row, height: self.rows.min(area.height - row), ..area };
            self.draw_lane(lane, &self.read[number], own, out);
        }
        if is_cut && area.height > 0 {
            let last = Rect { y: area.bottom() - 1, height: 1, ..area };
            out.claim(last);
            let text = self.scene.look.with("logs.copies", &[("shown", &room), ("all", &lanes.len())]);
            out.fitted(last, 0, 0, &text, self.scene.look, Role::Warn);
        }
    }

    fn draw_lane(&self, lane: &LanePicture, read: &Lane, area: Rect, out: &mut Out) {
        let look = self.scene.look;
        out.claim(area);
        let labels = self.labels.min(area.width);
        let label = Rect { width: labels.saturating_sub(1), ..area };
        out.hit(label, Action::SelectNode(lane.node));
        self.draw_label(lane, read, label, out);
        let cells = Rect { x: area.x + labels, width: area.width - labels, ..area };
        self.draw_cells(&read.columns, lane, cells, out);
        if self.rows < 2 || area.height < 2 {
            return;
        }
        self.draw_line(&read.columns, lane, cells, out);
        let marks = if self.rows > 2 && area.height > 2 { 2 } else { 1 };
        let row = Rect { y: cells.y + marks, height: 1, ..cells };
        draw_marks(&lane.marks, self.window, row, look, Role::Accent, out);
    }

    fn draw_label(&self, lane: &LanePicture, read: &Lane, area: Rect, out: &mut Out) {
        let look = self.scene.look;
        let (glyph, role) =
            if lane.is_live { (look.glyphs.up, Role::Good) } else { (look.glyphs.down, Role::Bad) };
        out.glyph(area, 0, 0, glyph, look.style(role));
        let is_picked = lane.node == self.scene.pick.node;
        let name_role = match (is_picked, lane.is_live) {
            (true, _) => Role::Selected,
            (false, true) => Role::Title,
            (false, false) => Role::Dim,
        };
        let room = area.width.saturating_sub(2);
        let end = 2 + out.text(area, 2, 0, &fit(&lane.name, room, look), look.style(name_role)) + 1;
        let role = if lane.is_live || !lane.role.is_empty() { &lane.role } else { look.word("logs.out") };
        let role_role = if lane.is_live { Role::Accent } else { Role::Bad };
        if self.rows < 3 {
            out.text(area, end, 0, &fit(role, area.width.saturating_sub(end), look), look.style(role_role));
        } else {
            out.text(area, 2, 1, &fit(role, room, look), look.style(role_role));
        }
        if self.rows < 2 {
            return;
        }
        let (durable, end) = (lane.durable.min(lane.end), lane.end);
        let (texts, role) = if let Some(from) = read.differs_from {
            let text = look.with("logs.differs_from", &[("offset", &from)]);
            ([text, look.word("logs.differs").to_owned()], Role::Fault)
        } else if let Some((count, durable)) = lane.held {
            let values: [(&str, &dyn std::fmt::Display); 2] = [("durable", &durable), ("count", &count)];
            if durable < count {
                let keys = ["logs.holds_partly", "logs.holds_partly_short"];
                (keys.map(|key| look.with(key, &values)), Role::Warn)
            } else {
                ([look.with("logs.holds", &values), count.to_string()], Role::Dim)
            }
        } else if durable < end {
            let values: [(&str, &dyn std::fmt::Display); 2] = [("durable", &durable), ("end", &end)];
            ([look.with("logs.partly", &values), look.with("logs.partly_short", &values)], Role::Warn)
        } else {
            ([look.with("logs.whole", &[("end", &end)]), end.to_string()], Role::Dim)
        };
        let text = if width(&texts[0]) <= room { &texts[0] } else { &texts[1] };
        let row = if self.rows < 3 { 1 } else { 2 };
        out.text(area, 2, row, &fit(text, room, look), look.style(role));
    }

    fn draw_cells(&self, columns: &[Column], lane: &LanePicture, area: Rect, out: &mut Out) {
        let look = self.scene.look;
        for (x, column) in columns.iter().enumerate().take(usize::from(area.width)) {
            let x = x as u16;
            if !column.is_there {
                continue;
            }
            let (glyph, role) = self.glyph(column);
            let is_picked = column.message.is_some() && column.message == self.scene.pick.message;
            let mut style = look.style(if is_picked { Role::Selected } else { role });
            if column.differs {
                style = style.add_modifier(Modifier::UNDERLINED);
            }
            if !lane.is_live && !is_picked && role != Role::Bad {
                style = style.add_modifier(Modifier::DIM);
            }
            out.glyph(area, x, 0, glyph, style);
            if let Some(message) = column.message {
                let cell = Rect { x: area.x + x, y: area.y, width: 1, height: 1 };
                out.hit(cell, Action::SelectMessage(message));
            }
        }
    }

    /// The worst of a column; where it stands for many and none of them came to harm, how much of it is done.
    fn glyph(&self, column: &Column) -> (char, Role) {
        let look = self.scene.look;
        let Some(worst) = column.worst else { return (look.glyphs.bullet, Role::Dim) };
        let is_harmless = badness(worst) <= badness(Standing::Waiting);
        if self.window.per >= DENSE && is_harmless && column.seen > 0 {
            let level = 1 + (column.done * 3 / column.seen) as usize;
            let role = if column.done == column.seen { Role::Good } else { Role::Pending };
            return (look.glyphs.shade[level.min(4)], role);
        }
        let role = look.standing_role(worst);
        let is_done = worst == Standing::Fate(Fate::Processed);
        (look.glyph(worst), if is_done { Role::Good } else { role })
    }

    /// Whole where a power loss leaves everything, dotted where some is in the page cache only.
    fn draw_line(&self, columns: &[Column], lane: &LanePicture, area: Rect, out: &mut Out) {
        let look = self.scene.look;
        for (x, column) in columns.iter().enumerate().take(usize::from(area.width)) {
            if !column.is_there {
                continue;
            }
            let is_durable = self.window.end_of(x).min(lane.end) <= lane.durable;
            let [durable, cached, differs] = super::lines(look);
            let (glyph, _, role) = match (column.differs, is_durable) {
                (true, _) => differs,
                (false, true) => durable,
                (false, false) => cached,
            };
            out.glyph(area, x as u16, 1, glyph, look.style(role));
        }
    }
}

/// Draws named offsets in a row: an arrow at each, its name beside it where there is room, with the number if that fits
/// too. Marks of one column share an arrow; what lies outside is told at the edge.
pub(super) fn draw_marks(
    marks: &[OffsetMark],
    window: Window,
    area: Rect,
    look: &Look,
    role: Role,
    out: &mut Out,
) {
    let mut groups: Vec<(u16, char, String, String)> = Vec::new();
    let mut sorted: Vec<_> = marks.iter().collect();
    sorted.sort_by_key(|mark| mark.at);
    let edge = (window.columns() as u16).min(area.width.saturating_sub(1));
    for mark in sorted {
        let (column, arrow) = match window.column(mark.at) {
            Some(column) => (column.min(edge), look.glyphs.arrow_up),
            None if mark.at < window.from => (0, look.glyphs.arrow_left),
            None => (edge, look.glyphs.arrow_right),
        };
        let long = format!("{} {}", mark.name, mark.at);
        match groups.last_mut() {
            Some((at, of, short_so_far, long_so_far)) if *at == column && *of == arrow => {
                *short_so_far = format!("{short_so_far},{}", mark.name);
                *long_so_far = format!("{short_so_far} {}", mark.at);
            }
            _ => groups.push((column, arrow, mark.name.to_owned(), long)),
        }
    }
    let style = look.style(role);
    for (column, arrow, ..) in &groups {
        out.glyph(area, *column, 0, *arrow, style);
    }
    let mut labels: Vec<Label> = groups.iter().map(Label::of).collect();
    // Labels that find no room join their neighbours, which stand beside all their arrows.
    loop {
        match place_labels(&labels, area.width) {
            Ok(placed) => {
                for (at, text) in placed {
                    out.text(area, at, 0, &text, style);
                }
                return;
            }
            Err(_) if labels.len() < 2 => return,
            Err(at) => {
                let last = labels.remove(if at + 1 < labels.len() { at + 1 } else { at });
                let into = at.min(labels.len() - 1);
                labels[into].join(&last);
            }
        }
    }
}

/// What stands beside one or several arrows.
struct Label {
    first: u16,
    last: u16,
    long: String,
    short: String,
}

impl Label {
    fn of((column, _, short, long): &(u16, char, String, String)) -> Self {
        Self { first: *column, last: *column, long: long.clone(), short: short.clone() }
    }

    fn join(&mut self, other: &Self) {
        self.last = other.last;
        self.long = format!("{},{}", self.short, other.long);
        self.short = format!("{},{}", self.short, other.short);
    }
}

/// Where each label stands, behind its arrows or before them, in long or in short; the first one without room.
fn place_labels(labels: &[Label], room: u16) -> Result<Vec<(u16, String)>, usize> {
    let mut placed = Vec::new();
    let mut free = 0;
    for (number, label) in labels.iter().enumerate() {
        let next = labels.get(number + 1).map_or(room, |next| next.first);
        let fitting = [&label.long, &label.short].into_iter().find_map(|text| {
            let columns = width(text);
            let behind = label.last + 1;
            let is_behind = behind + columns <= next.min(room);
            let is_before = free + columns <= label.first;
            (is_behind || is_before).then(|| (if is_behind { behind } else { label.first - columns }, text))
        });
        let (at, text) = fitting.ok_or(number)?;
        free = (at + width(text) + 1).max(label.last + 1);
        placed.push((at, text.clone()));
    }
    Ok(placed)
}
