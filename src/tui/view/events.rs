//! The events around the cursor, as sentences.
//!
//! ```text
//!    0.8521s broker-1    has checkout#17 at 417 of orders/0
//! ›  0.9000s broker-1    killed (fault leader-dies)
//!    0.9412s broker-2    is taken for dead by the cluster
//! ```
//!
//! What comes after the cursor is dim. With a filter, only lines that contain it are shown, whatever the case.

use ratatui::layout::Rect;

use crate::broker::Names as _;
use crate::fact::Observation;
use crate::tui::action::Action;
use crate::tui::out::{Out, width, wrap};
use crate::tui::scene::Scene;
use crate::tui::sentence::sentence;
use crate::tui::theme::Role;

/// So many observations before and after the cursor are looked at.
const REACH: usize = 4000;
/// A sentence takes at most so many rows.
const ROWS_MAX: usize = 3;
/// From this width on nodes have a column of their own.
const WIDE: u16 = 60;
/// Names of nodes take at most so many columns.
const NODE_MAX: u16 = 18;

/// Draws the view.
pub fn draw(scene: &Scene<'_>, area: Rect, out: &mut Out) {
    let area = area.intersection(out.area());
    if area.is_empty() {
        return;
    }
    out.claim(area);
    let told = Told::around(scene, usize::from(area.height));
    let filter = &scene.pick.filter;
    let heading = u16::from(!filter.is_empty() && area.height >= 3);
    if heading > 0 {
        let (count, all) = (told.lines.len(), told.all);
        let text = scene.look.with("events.filter", &[("filter", filter), ("count", &count), ("all", &all)]);
        out.fitted(area, 0, 0, &text, scene.look, Role::Title);
    }
    let list = Rect { y: area.y + heading, height: area.height - heading, ..area };
    if told.lines.is_empty() {
        let key = if filter.is_empty() { "events.nothing" } else { "events.no_match" };
        out.fitted(list, 0, 0, scene.look.word(key), scene.look, Role::Dim);
        return;
    }
    told.draw(scene, list, out);
}

/// An observation in words.
struct Line {
    event: u64,
    seen: Observation,
    node: String,
    text: String,
}

/// What is told around the cursor.
struct Told {
    /// Those that the filter lets through.
    lines: Vec<Line>,
    /// How many there are without the filter.
    all: usize,
    /// The line of the cursor's event, or the last one before it.
    here: usize,
    /// Which is selected.
    selected: usize,
}

impl Told {
    /// What fits into this height, and with a filter everything within reach: then there is something to count.
    fn around(scene: &Scene<'_>, height: usize) -> Self {
        let cursor = scene.log.partition_point(|(event, _)| *event <= scene.events());
        let (before, after) = scene.log.split_at(cursor);
        let filter = scene.pick.filter.to_lowercase();
        let away = usize::try_from(scene.pick.line.unsigned_abs()).unwrap_or(REACH);
        let needed = if filter.is_empty() { away.saturating_add(height).min(REACH) } else { REACH };
        let mut all = 0;
        let mut past: Vec<_> = Vec::new();
        for (event, seen) in before.iter().rev().take(REACH) {
            if past.len() < needed {
                past.extend(line(scene, *event, seen, &filter, &mut all));
            }
        }
        past.reverse();
        let here = past.len().saturating_sub(1);
        let mut lines = past;
        let full = lines.len() + needed;
        for (event, seen) in after.iter().take(REACH) {
            if lines.len() < full {
                lines.extend(line(scene, *event, seen, &filter, &mut all));
            }
        }
        let last = lines.len().saturating_sub(1);
        let away = isize::try_from(scene.pick.line.saturating_neg()).unwrap_or(isize::MAX);
        let selected = here.saturating_add_signed(away).min(last);
        Self { lines, all, here, selected }
    }

    /// As many lines as fit around the selected one, which is a little below the middle.
    fn draw(&self, scene: &Scene<'_>, area: Rect, out: &mut Out) {
        let columns = self.columns(area);
        let height = usize::from(area.height);
        let more = scene.look.glyphs.more;
        let tall = |line: &Line| columns.rows(line, more).len();
        let (mut from, mut to) = (self.selected, self.selected + 1);
        let mut used = tall(&self.lines[from]);
        let grow_back = |from: &mut usize, used: &mut usize, room: usize| {
            while *from > 0 && *used + tall(&self.lines[*from - 1]) <= room {
                *from -= 1;
                *used += tall(&self.lines[*from]);
            }
        };
        grow_back(&mut from, &mut used, height * 3 / 5);
        while to < self.lines.len() && used + tall(&self.lines[to]) <= height {
            used += tall(&self.lines[to]);
            to += 1;
        }
        grow_back(&mut from, &mut used, height);
        let mut y = area.y;
        for line in &self.lines[from..to] {
            let rows = columns.rows(line, more);
            let room = Rect { y, height: (rows.len() as u16).min(area.bottom() - y), ..area };
            self.line(scene, line, &columns, &rows, room, out);
            y += room.height;
        }
    }

    /// Where everything stands.
    fn columns(&self, area: Rect) -> Columns {
        let near = self.selected.saturating_sub(usize::from(area.height))
            ..(self.selected + usize::from(area.height)).min(self.lines.len());
        let near = &self.lines[near];
        let time = near.iter().map(|line| width(&line.seen.at.to_string())).max().unwrap_or(0);
        let node = near.iter().map(|line| width(&line.node)).max().unwrap_or(0).min(NODE_MAX);
        let text = 2 + time + 2;
        // Where it is narrow, the node begins the sentence.
        let node = if area.width >= WIDE { node } else { 0 };
        let text = if node > 0 { text + node + 2 } else { text };
        Columns { time, node, text, room: area.width.saturating_sub(text) }
    }

    fn line(
        &self,
        scene: &Scene<'_>,
        line: &Line,
        columns: &Columns,
        rows: &[String],
        area: Rect,
        out: &mut Out,
    ) {
        let look = scene.look;
        let now = scene.events();
        let is = |index: usize| self.lines.get(index).is_some_and(|other| std::ptr::eq(line, other));
        let is_past = line.event <= now;
        let role = match line.event {
            _ if is(self.selected) && scene.pick.line != 0 => Role::Selected,
            event if event == now && now > 0 => Role::Accent,
            event if event <= now => Role::Text,
            _ => Role::Dim,
        };
        if role == Role::Selected {
            out.fill(area, look.style(role));
        }
        if is_past && is(self.here) {
            out.glyph(area, 0, 0, look.glyphs.pointer, look.style(Role::Accent));
        }
        let quiet = if role == Role::Text { Role::Dim } else { role };
        let time = line.seen.at.to_string();
        let pad = columns.time.saturating_sub(width(&time));
        out.text(area, 2 + pad, 0, &time, look.style(quiet));
        if columns.node > 0 {
            let left = 2 + columns.time + 2;
            let node = Rect { width: (left + columns.node).min(area.width), ..area };
            out.fitted(node, left, 0, &line.node, look, role);
        }
        for (row, text) in rows.iter().enumerate() {
            out.fitted(area, columns.text, row as u16, text, look, role);
        }
        out.hit(area, Action::SeekTo(line.seen.at));
    }
}

/// Where time, node and sentence stand.
struct Columns {
    time: u16,
    node: u16,
    text: u16,
    room: u16,
}

impl Columns {
    /// A sentence on at most so many rows as it may take, with a mark if there is more of it.
    fn rows(&self, line: &Line, more: char) -> Vec<String> {
        let text = match self.node {
            0 if !line.node.is_empty() => wrap(&format!("{} {}", line.node, line.text), self.room),
            _ => wrap(&line.text, self.room),
        };
        let rest = text.len() > ROWS_MAX;
        let mut rows: Vec<_> = text.into_iter().take(ROWS_MAX).collect();
        if let (true, Some(last)) = (rest, rows.last_mut()) {
            *last = format!("{last} {more}");
        }
        rows
    }
}

/// An observation in words, if it is worth telling and the filter lets it through. A sentence about a message names it.
fn line(scene: &Scene<'_>, event: u64, seen: &Observation, filter: &str, all: &mut usize) -> Option<Line> {
    let text = sentence(scene, seen)?;
    *all += 1;
    let node = scene.node(seen.node);
    let is_match = |text: &str| text.to_lowercase().contains(filter);
    let passes = filter.is_empty() || is_match(&text) || is_match(&node);
    passes.then_some(Line { event, seen: *seen, node, text })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::view::kit::{SIZES, Stage, demand_all_sizes};

    #[test]
    fn the_log_is_told_around_the_cursor() {
        let stage = Stage::fake().at(505);
        for (number, (width, height)) in SIZES.into_iter().enumerate() {
            insta::assert_snapshot!(format!("events_{number}"), stage.text(draw, width, height));
        }
    }

    #[test]
    fn a_filter_takes_away_what_does_not_match() {
        let mut stage = Stage::fake().at(505).ascii();
        stage.pick.filter = "CHECKOUT#50 ".to_owned();
        insta::assert_snapshot!("events_filtered_ascii", stage.text(draw, 78, 17));
        stage.pick.filter = "nothing like it".to_owned();
        assert!(stage.text(draw, 78, 17).contains("No event"), "{}", stage.text(draw, 78, 17));
    }

    #[test]
    fn the_selection_leaves_the_cursor_and_stays_in_the_list() {
        let mut stage = Stage::fake().at(505);
        for line in [3, -3, i64::MAX, i64::MIN] {
            stage.pick.line = line;
            let told = Told::around(&stage.scene(), 20);
            let expected = i64::try_from(told.here)
                .unwrap()
                .saturating_sub(line)
                .clamp(0, i64::try_from(told.lines.len()).unwrap() - 1);
            assert_eq!(i64::try_from(told.selected).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn nothing_was_seen_yet_and_it_stays_where_it_belongs() {
        let mut stage = Stage::fake();
        demand_all_sizes(&stage, draw);
        stage.log.clear();
        assert!(stage.text(draw, 60, 13).contains("Nothing"));
        let mut long = Stage::fake_with(|plan| plan.producers[0].name = "订单服务".repeat(12)).at(505);
        demand_all_sizes(&long, draw);
        long.pick.line = 2;
        demand_all_sizes(&long, draw);
        insta::assert_snapshot!("events_chinese", long.text(draw, 60, 13));
    }
}
