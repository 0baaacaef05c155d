//! The timeline: where the cursor stands in the run, and what is worth jumping to.
//!
//! ```text
//! backlog       ▁▂▂▃▅▇█▆▅▃▂▁▁▁
//! events      ▼━━━━△ ◆     ✗ ✗      ‡
//! time     ━━━━━━━━━━━━━●──────────────────┄┄┄┄┄┄
//!          0        2s  ▲    4s        6s
//! ```
//!
//! What is before the cursor is heavy, what comes after it light, what is not recorded yet dotted.

use ratatui::layout::Rect;

use super::axis::Axis;
use crate::sim::Time;
use crate::tui::action::{Action, Landmark};
use crate::tui::look::Look;
use crate::tui::out::{Out, width};
use crate::tui::scene::{Scene, TimeMark};
use crate::tui::theme::Role;

/// From this width on, rows say at their left what they show.
const NAMED_FROM: u16 = 76;

/// Draws the strip.
pub fn draw(scene: &Scene<'_>, area: Rect, out: &mut Out) {
    let area = area.intersection(out.area());
    if area.is_empty() {
        return;
    }
    out.claim(area);
    let names = ["timeline.backlog", "timeline.events", "timeline.time"].map(|key| scene.look.word(key));
    let named = area.width >= NAMED_FROM;
    let left = if named { names.iter().map(|name| width(name)).max().unwrap_or(0) + 2 } else { 0 };
    let plot = Rect { x: area.x + left, width: area.width.saturating_sub(left), ..area };
    let strip = Strip { scene, axis: Axis { end: end(scene), columns: plot.width }, plot };
    // From the bottom: the least important row is the first to go.
    let rows = match area.height {
        1 => [None, None, Some(0), None],
        2 => [None, None, Some(0), Some(1)],
        3 => [None, Some(0), Some(1), Some(2)],
        _ => [Some(0), Some(1), Some(2), Some(3)],
    };
    if let Some(row) = rows[0] {
        strip.backlog(row, out);
    }
    if let Some(row) = rows[2] {
        strip.line(row, out);
    }
    if let Some(row) = rows[1].or(rows[2]) {
        strip.marks(row, out);
    }
    match rows[3] {
        Some(row) => strip.labels(row, out),
        None => strip.cursor(rows[2].unwrap_or(0), out),
    }
    if named {
        for (row, name) in rows.iter().zip(names).filter_map(|(row, name)| Some(((*row)?, name))) {
            out.fitted(Rect { width: left - 1, ..area }, 0, row, name, scene.look, Role::Dim);
        }
    }
    for column in 0..plot.width {
        let cell = Rect { x: plot.x + column, width: 1, ..area };
        out.hit(cell, Action::SeekTo(strip.axis.time(column)));
    }
}

/// Where the axis ends: at the end of the run; while that is not recorded, where the run is planned to end.
pub(super) fn end(scene: &Scene<'_>) -> Time {
    let planned = || scene.head.max(Time::ZERO + scene.plan.run_for);
    scene.outcome.map_or_else(planned, |outcome| outcome.ended).max(scene.now())
}

struct Strip<'a> {
    scene: &'a Scene<'a>,
    axis: Axis,
    plot: Rect,
}

impl Strip<'_> {
    /// Confirmed and without effect, over all subscriptions.
    fn backlog(&self, row: u16, out: &mut Out) {
        let (look, series) = (self.scene.look, self.scene.series);
        let mut bars = vec![0u64; self.plot.width as usize];
        for column in 0..self.plot.width {
            let from = series.bucket_of(self.axis.time(column));
            let to = series.bucket_of(self.axis.time(column + 1)).max(from + 1);
            let samples = series.samples.get(from..to.min(series.samples.len())).unwrap_or_default();
            let most = samples.iter().map(|sample| sample.backlog.iter().sum()).max();
            bars[column as usize] = most.unwrap_or(0);
        }
        let most = bars.iter().copied().max().unwrap_or(0).max(1);
        let here = self.axis.column(self.scene.now());
        for (column, bar) in bars.iter().enumerate() {
            // What is not nothing is seen.
            let level = (bar * 8).div_ceil(most) as usize;
            let role = if column as u16 <= here { Role::Pending } else { Role::Dim };
            out.glyph(self.plot, column as u16, row, look.glyphs.levels[level.min(8)], look.style(role));
        }
    }

    /// The axis itself.
    fn line(&self, row: u16, out: &mut Out) {
        let look = self.scene.look;
        let glyphs = &look.glyphs;
        let (here, head) = (self.axis.column(self.scene.now()), self.axis.column(self.scene.head));
        for column in 0..self.plot.width {
            let (glyph, role) = match column {
                column if column < here => (glyphs.horizontal_heavy, Role::Text),
                column if column <= head => (glyphs.horizontal, Role::Dim),
                _ => (glyphs.dots, Role::Dim),
            };
            out.glyph(self.plot, column, row, glyph, look.style(role));
        }
        self.cursor(row, out);
    }

    fn cursor(&self, row: u16, out: &mut Out) {
        let look = self.scene.look;
        let here = self.axis.column(self.scene.now());
        out.glyph(self.plot, here, row, look.glyphs.up, look.style(Role::Accent));
    }

    /// Faults as long as they last, and on top what is worth jumping to; where several meet, the most important.
    fn marks(&self, row: u16, out: &mut Out) {
        let look = self.scene.look;
        let mut best: Vec<Option<TimeMark>> = vec![None; self.plot.width as usize];
        for mark in self.scene.marks {
            let Some(slot) = best.get_mut(self.axis.column(mark.at) as usize) else { continue };
            if slot.is_none_or(|other| rank(mark) < rank(&other)) {
                *slot = Some(*mark);
            }
        }
        for (from, to) in self.faults() {
            for column in from + 1..to {
                out.glyph(self.plot, column, row, look.glyphs.horizontal_heavy, look.style(Role::Fault));
            }
        }
        for (column, mark) in best.iter().enumerate() {
            let Some(mark) = mark else { continue };
            let (glyph, role) = shown(mark.landmark, mark.is_end, look);
            let role = if mark.at > self.scene.now() && role != Role::Bad { Role::Dim } else { role };
            out.glyph(self.plot, column as u16, row, glyph, look.style(role));
        }
    }

    /// The columns between which faults last that end.
    fn faults(&self) -> Vec<(u16, u16)> {
        let faults = || self.scene.marks.iter().filter(|mark| mark.landmark == Landmark::Fault);
        let mut spans = Vec::new();
        let mut open: Vec<TimeMark> = Vec::new();
        for mark in faults() {
            if !mark.is_end {
                open.push(*mark);
            } else if let Some(at) = open.iter().position(|begin| begin.node == mark.node) {
                let begin = open.remove(at);
                spans.push((self.axis.column(begin.at), self.axis.column(mark.at)));
            }
        }
        spans
    }

    /// Round times, and under the axis the cursor, which a label makes way for.
    fn labels(&self, row: u16, out: &mut Out) {
        let look = self.scene.look;
        let here = self.axis.column(self.scene.now());
        for (column, text) in self.axis.ticks() {
            if here < column || here > column + width(&text) {
                out.text(self.plot, column, row, &text, look.style(Role::Dim));
            }
        }
        out.glyph(self.plot, here, row, look.glyphs.cursor, look.style(Role::Accent));
    }
}

/// How a moment of that kind is marked.
pub(super) fn shown(landmark: Landmark, is_end: bool, look: &Look) -> (char, Role) {
    let glyphs = look.glyphs;
    match landmark {
        Landmark::Loss => (glyphs.lost, Role::Bad),
        Landmark::Duplicate => (glyphs.duplicated, Role::Bad),
        Landmark::Reorder => (glyphs.reorder, Role::Warn),
        Landmark::Fault if is_end => (glyphs.fault_end, Role::Fault),
        Landmark::Fault => (glyphs.fault, Role::Fault),
        Landmark::Election => (glyphs.election, Role::Accent),
        Landmark::Bookmark => (glyphs.bookmark, Role::Key),
    }
}

/// The smaller, the more important.
fn rank(mark: &TimeMark) -> u8 {
    match mark.landmark {
        Landmark::Loss => 0,
        Landmark::Bookmark => 1,
        Landmark::Duplicate => 2,
        Landmark::Reorder => 3,
        Landmark::Fault if !mark.is_end => 4,
        Landmark::Election => 5,
        Landmark::Fault => 6,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::view::kit::{Stage, demand_all_sizes};

    #[test]
    fn a_fault_and_the_loss_it_leads_to_are_seen_at_every_size() {
        let mut stage = Stage::fake().studied().at(400);
        insta::assert_snapshot!("timeline_wide", stage.text(draw, 118, 4));
        insta::assert_snapshot!("timeline_narrow", stage.text(draw, 60, 2));
        stage.outcome = None;
        stage.head = Time(700_000_000);
        insta::assert_snapshot!("timeline_unrecorded_ascii", stage.ascii().text(draw, 78, 4));
    }

    #[test]
    fn it_stays_where_it_belongs() {
        demand_all_sizes(&Stage::fake().studied().at(400), draw);
        demand_all_sizes(&Stage::fake().ascii(), draw);
    }

    #[test]
    fn a_fault_that_ends_is_as_long_as_it_lasts() {
        let mut stage = Stage::fake().at(600);
        let mut end = stage.marks[0];
        (end.is_end, end.at) = (true, Time(800_000_000));
        stage.marks.push(end);
        let text = stage.text(draw, 60, 3);
        assert!(text.contains(&format!("▼{}△", "━".repeat(16))), "{text}");
    }

    #[test]
    fn a_click_moves_the_cursor() {
        let stage = Stage::fake().at(400);
        let mut out = Out::new(Rect::new(0, 0, 101, 4));
        let area = Rect::new(0, 0, 61, 4);
        draw(&stage.scene(), area, &mut out);
        assert_eq!(out.action_at(30, 2), Some(Action::SeekTo(Time(500_000_000))));
        assert_eq!(out.action_at(70, 2), None);
    }
}
