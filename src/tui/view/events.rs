//! The events around the cursor, as sentences.
//!
//! ```text
//!   0.8521s  broker-1    has checkout#17 at 417 of orders/0
//! › 0.9000s  broker-1    killed (fault leader-dies)
//!   0.9412s  broker-2    is taken for dead by the cluster
//! ```
//!
//! What comes after the cursor is dim. With a filter, only lines that contain it are shown, whatever the case. Beside
//! another view, what is routine is counted and what goes wrong is told; many of a kind are told as one.

use ratatui::layout::Rect;

use super::told::{self, Line, Told};
use crate::fact::Observation;
use crate::tui::action::{Action, View};
use crate::tui::out::{Out, width, wrap};
use crate::tui::scene::Scene;
use crate::tui::theme::Role;

/// Names of nodes take at most so many columns.
const NODE_MAX: u16 = 18;
/// A sentence takes at most so many rows.
const ROWS_MAX: usize = 3;
/// From this height on the list beside another view has a title.
const TITLED: u16 = 8;
/// From this width on nodes have a column of their own.
const WIDE: u16 = 60;

/// Draws the view.
pub fn draw(scene: &Scene<'_>, area: Rect, out: &mut Out) {
    let area = area.intersection(out.area());
    if area.is_empty() {
        return;
    }
    out.claim(area);
    let is_beside = scene.pick.view != View::Events;
    let area = if is_beside { titled(scene, border(scene, area, out), out) } else { area };
    let height = usize::from(area.height);
    let told = if is_beside { Told::digest(scene, height) } else { Told::around(scene, height) };
    let filter = &scene.pick.filter;
    let heading = u16::from(!is_beside && !filter.is_empty() && area.height >= 3);
    if heading > 0 {
        let (count, all) = (told.lines.len(), told.all);
        let text = scene.look.with("events.filter", &[("filter", filter), ("count", &count), ("all", &all)]);
        out.fitted(area, 0, 0, &text, scene.look, Role::Title);
    }
    let list = Rect { y: area.y + heading, height: area.height - heading, ..area };
    if told.lines.is_empty() {
        let key = if is_beside || filter.is_empty() { "events.nothing" } else { "events.no_match" };
        out.fitted(list, 0, 0, scene.look.word(key), scene.look, Role::Dim);
        return;
    }
    let is_selecting = !is_beside && scene.pick.line != 0;
    Pane { scene, told: &told, is_beside, is_selecting }.draw(list, out);
}

/// The line that is selected: its event and what was seen; none: nothing is told.
pub fn selected(scene: &Scene<'_>) -> Option<(u64, Observation)> {
    let told = Told::around(scene, 1);
    let event = told.lines.get(told.selected)?.event;
    scene.log.iter().find(|(of, seen)| *of == event && passes(scene, seen)).copied()
}

/// Whether an observation is told, and the filter lets it through.
pub fn passes(scene: &Scene<'_>, seen: &Observation) -> bool {
    told::line(scene, 0, seen, &scene.pick.filter.to_lowercase(), &mut 0).is_some()
}

/// A line between this and what it stands beside; what is left of the area.
fn border(scene: &Scene<'_>, area: Rect, out: &mut Out) -> Rect {
    for row in 0..area.height {
        out.glyph(area, 0, row, scene.look.glyphs.vertical, scene.look.style(Role::Border));
    }
    Rect { x: area.x + 1, width: area.width - 1, ..area }
}

/// What it is, where there is room to say so; what is left of the area.
fn titled(scene: &Scene<'_>, area: Rect, out: &mut Out) -> Rect {
    if area.height < TITLED {
        return area;
    }
    out.fitted(area, 0, 0, scene.look.word("events.beside"), scene.look, Role::Title);
    Rect { y: area.y + 1, height: area.height - 1, ..area }
}

/// The list on the screen.
struct Pane<'a> {
    scene: &'a Scene<'a>,
    told: &'a Told,
    is_beside: bool,
    is_selecting: bool,
}

impl Pane<'_> {
    /// As many lines as fit around the selected one, which is a little below the middle.
    fn draw(&self, area: Rect, out: &mut Out) {
        let Told { lines, selected, .. } = self.told;
        let columns = self.columns(area);
        // Before the first that is still to come there is a line.
        let first_to_come = lines.iter().position(|line| line.event > self.scene.events());
        let first_to_come = first_to_come.filter(|_| self.is_beside && area.height >= TITLED);
        let height = usize::from(area.height) - usize::from(first_to_come.is_some());
        let more = self.scene.look.glyphs.more;
        let tall = |line: &Line| columns.rows(line, more).len();
        let (mut from, mut to) = (*selected, *selected + 1);
        let mut used = tall(&lines[from]);
        let grow_back = |from: &mut usize, used: &mut usize, room: usize| {
            while *from > 0 && *used + tall(&lines[*from - 1]) <= room {
                *from -= 1;
                *used += tall(&lines[*from]);
            }
        };
        grow_back(&mut from, &mut used, height * 3 / 5);
        while to < lines.len() && used + tall(&lines[to]) <= height {
            used += tall(&lines[to]);
            to += 1;
        }
        grow_back(&mut from, &mut used, height);
        let mut y = area.y;
        for (index, line) in lines.iter().enumerate().take(to).skip(from) {
            if first_to_come == Some(index) && y < area.bottom() {
                self.rule(Rect { y, height: 1, ..area }, out);
                y += 1;
            }
            let rows = columns.rows(line, more);
            let room = Rect { y, height: (rows.len() as u16).min(area.bottom() - y), ..area };
            self.line(index, &columns, &rows, room, out);
            y += room.height;
        }
    }

    /// The line between what has happened and what is still to come.
    fn rule(&self, row: Rect, out: &mut Out) {
        let look = self.scene.look;
        let text = look.word("events.to_come");
        let from = 2 + width(text) + 1;
        out.fitted(row, 2, 0, text, look, Role::Dim);
        for column in (0..1).chain(from..row.width) {
            out.glyph(row, column, 0, look.glyphs.horizontal, look.style(Role::Border));
        }
    }

    /// Where everything stands.
    fn columns(&self, area: Rect) -> Columns {
        let Told { lines, selected, .. } = self.told;
        let height = usize::from(area.height);
        let near = &lines[selected.saturating_sub(height)..(selected + height).min(lines.len())];
        let time = near.iter().map(|line| width(&line.at.to_string())).max().unwrap_or(0);
        let node = near.iter().map(|line| width(&line.node)).max().unwrap_or(0).min(NODE_MAX);
        let text = 2 + time + 2;
        // Where it is narrow, the node begins the sentence.
        let node = if area.width >= WIDE { node } else { 0 };
        let text = if node > 0 { text + node + 2 } else { text };
        Columns { time, node, text, room: area.width.saturating_sub(text) }
    }

    fn line(&self, index: usize, columns: &Columns, rows: &[String], area: Rect, out: &mut Out) {
        let (look, now) = (self.scene.look, self.scene.events());
        let line = &self.told.lines[index];
        let role = match line.event {
            _ if self.is_selecting && index == self.told.selected => Role::Selected,
            event if event > now || line.is_quiet => Role::Dim,
            event if event == now && now > 0 => Role::Accent,
            _ => Role::Text,
        };
        if role == Role::Selected {
            out.fill(area, look.style(role));
        }
        if line.event <= now && index == self.told.here {
            out.glyph(area, 0, 0, look.glyphs.pointer, look.style(Role::Accent));
        }
        let quiet = if role == Role::Text { Role::Dim } else { role };
        let time = line.at.to_string();
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
        out.hit(area, Action::SeekTo(line.at));
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
            0 if !line.node.is_empty() => wrap(&format!("{}: {}", line.node, line.text), self.room),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::scene::Pick;
    use crate::tui::view::kit::{SIZES, Stage, demand_all_sizes};

    /// The view itself, not beside another one.
    fn whole(mut stage: Stage) -> Stage {
        stage.pick = Pick { view: View::Events, ..stage.pick };
        stage
    }

    #[test]
    fn the_log_is_told_around_the_cursor() {
        let stage = whole(Stage::fake().at(505));
        for (number, (width, height)) in SIZES.into_iter().enumerate() {
            insta::assert_snapshot!(format!("events_{number}"), stage.text(draw, width, height));
        }
    }

    #[test]
    fn a_filter_takes_away_what_does_not_match() {
        let mut stage = whole(Stage::fake().at(505).ascii());
        stage.pick.filter = "CHECKOUT#50 ".to_owned();
        insta::assert_snapshot!("events_filtered_ascii", stage.text(draw, 78, 17));
        stage.pick.filter = "nothing like it".to_owned();
        assert!(stage.text(draw, 78, 17).contains("No event"), "{}", stage.text(draw, 78, 17));
    }

    #[test]
    fn beside_another_view_what_is_routine_is_counted() {
        let stage = Stage::fake().studied().at(700);
        insta::assert_snapshot!("events_beside", stage.text(draw, 44, 17));
        demand_all_sizes(&stage, draw);
        let real = Stage::built_in("kafka/acks-one").at(6003);
        insta::assert_snapshot!("events_beside_real", real.text(draw, 44, 31));
    }

    #[test]
    fn nothing_was_seen_yet_and_it_stays_where_it_belongs() {
        let mut stage = whole(Stage::fake());
        demand_all_sizes(&stage, draw);
        stage.log.clear();
        assert!(stage.text(draw, 60, 13).contains("Nothing"));
        let long = Stage::fake_with(|plan| plan.producers[0].name = "订单服务".repeat(12));
        let mut long = whole(long.at(505));
        demand_all_sizes(&long, draw);
        long.pick.line = 2;
        demand_all_sizes(&long, draw);
        insta::assert_snapshot!("events_chinese", long.text(draw, 60, 13));
    }
}
