//! A place, and what every copy of it holds.
//!
//! ```text
//! orders/0   leader broker-1   epoch 3   ISR broker-1, broker-2
//! 1 cell = 1 message      0         10        20        30
//! ● broker-1              ■■■■■■■■■■■■■■■■■■■■■■■■○○○○○○○✗✗
//! leader                  ━━━━━━━━━━━━━━━━━━━━━━━━━━┄┄┄┄┄┄┄
//! 26 of 33 durable                                ▲HW      ▲LEO
//! billing, 7 behind                               ▲committed
//! ```
//!
//! A cell is a message, its glyph and colour what became of it at the picked subscription. Below the cells the line is
//! whole where a power loss would leave them, and dotted where they are in the page cache only.

mod lane;
mod window;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use ratatui::layout::Rect;

use crate::broker::picture::{PlacePicture, ReaderPicture};
use crate::fact::PlaceId;
use crate::ledger::Standing;
use crate::tui::action::Action;
use crate::tui::look::Look;
use crate::tui::out::{Out, fit, width};
use crate::tui::scene::Scene;
use crate::tui::theme::Role;
use lane::{Lanes, draw_marks};
use window::{Window, badness};

/// Draws the place that is picked.
pub fn draw(scene: &Scene<'_>, area: Rect, out: &mut Out) {
    let area = area.intersection(out.area());
    if area.is_empty() {
        return;
    }
    let places = scene.instant.world.places();
    let picked = scene.pick.place.min(places.len().saturating_sub(1));
    let place = places.get(picked).and_then(|&place| scene.instant.world.place(place));
    let Some(place) = place else {
        out.claim(area);
        out.fitted(area, 0, 0, scene.look.word("logs.nothing"), scene.look, Role::Dim);
        return;
    };
    let labels = label_width(area.width);
    let columns = area.width.saturating_sub(labels + 1);
    let start = place.lanes.iter().map(|lane| lane.start).min().unwrap_or(0);
    let end = place.lanes.iter().map(|lane| lane.end).max().unwrap_or(0);
    let window = Window::new(start, end, columns, scene.pick.offset);
    let parts = Parts::new(area, &place, places.len(), window.per > 1);
    draw_title(scene, &place, parts.title, out);
    let read = window::read(scene, &place, window);
    let lanes = Lanes { scene, place: &place, window, read: &read, labels, rows: parts.rows };
    draw_ruler(scene, window, labels, parts.ruler, out);
    lanes.draw(parts.lanes, out);
    for (reader, row) in place.readers.iter().zip(parts.readers.rows()) {
        draw_reader(scene, reader, window, labels, row, out);
    }
    draw_legend(scene, &lanes, parts.legend, out);
    if !parts.close.is_empty() {
        // Where copies part, or else the newest, message by message.
        let last = match window::parting(scene, &place) {
            Some(offset) => offset.saturating_add(u64::from(columns / 2)).min(end),
            None => end,
        };
        let window = Window::new(start, end, columns, Some(last.saturating_sub(1)));
        let read = window::read(scene, &place, window);
        let (ruler, below) = split(parts.close);
        draw_ruler(scene, window, labels, ruler, out);
        Lanes { scene, place: &place, window, read: &read, labels, rows: parts.close_rows }.draw(below, out);
    }
    draw_others(scene, &places, picked, parts.others, out);
}

/// The first row, and the rest.
fn split(area: Rect) -> (Rect, Rect) {
    let first = Rect { height: area.height.min(1), ..area };
    (first, Rect { y: area.y + first.height, height: area.height - first.height, ..area })
}

fn label_width(columns: u16) -> u16 {
    match columns {
        100.. => 26,
        70..100 => 23,
        _ => (columns / 4).min(18),
    }
}

/// Where the parts of the view are.
struct Parts {
    title: Rect,
    ruler: Rect,
    lanes: Rect,
    /// Rows that a lane takes.
    rows: u16,
    readers: Rect,
    legend: Rect,
    /// Single messages below an overview, and the rows that a lane takes there.
    close: Rect,
    close_rows: u16,
    others: Rect,
}

impl Parts {
    fn new(area: Rect, place: &PlacePicture, places: usize, is_overview: bool) -> Self {
        let mut rest = area;
        let mut take = |rows: u16| {
            let rows = rows.min(rest.height);
            let part = Rect { height: rows, ..rest };
            rest.y += rows;
            rest.height -= rows;
            part
        };
        let titles = if area.height >= TALL { title_rows(place, area.width) } else { 1 };
        let (title, ruler) = (take(titles), take(1));
        let free = area.height.saturating_sub(titles + 1);
        let copies = place.lanes.len().max(1) as u16;
        let readers = (place.readers.len() as u16).min(free.saturating_sub(copies) / 2);
        let others = if places > 1 { (places.min(3) + 1) as u16 } else { 0 };
        let legend = 1;
        // Three rows for each copy, its marks apart from its line, if that leaves room; else two, else one.
        let wanted = |rows: u16| copies.saturating_mul(rows).saturating_add(readers);
        let rows = [3, 2].into_iter().find(|&rows| wanted(rows) + legend <= free).unwrap_or(1);
        let lanes_wanted = copies.saturating_mul(rows);
        // Air between the copies.
        let spaced = lanes_wanted.saturating_add(copies);
        let used = lanes_wanted.saturating_add(readers + legend);
        let for_close = |rows: u16| copies.saturating_mul(rows).saturating_add(2);
        let has_close = |rows: &u16| is_overview && used.saturating_add(for_close(*rows)) <= free;
        let close_rows = [3, 2].into_iter().find(has_close).unwrap_or(0);
        let close = if close_rows > 0 { for_close(close_rows) } else { 0 };
        let has_air = spaced.saturating_add(readers + legend + others).saturating_add(close) <= free;
        let lanes = take(if has_air { spaced } else { lanes_wanted.min(free.saturating_sub(readers)) });
        let readers = take(readers);
        let legend = take(if lanes.height > 1 { legend } else { 0 });
        let close = take(close);
        // An empty row before it.
        let close =
            Rect { y: close.y + close.height.min(1), height: close.height.saturating_sub(1), ..close };
        let others = take(u16::MAX);
        let others = if places > 1 && others.height > 2 {
            Rect { y: others.y + 1, height: others.height - 1, ..others }
        } else {
            Rect { height: if places > 1 { others.height } else { 0 }, ..others }
        };
        let rows = if has_air { rows + 1 } else { rows };
        Self { title, ruler, lanes, rows, readers, legend, close, close_rows, others }
    }
}

/// From this height on the title may take several rows.
const TALL: u16 = 16;
const TITLE_ROWS_MAX: u16 = 3;

/// Where each field of a title stands: column and row. A row that is full goes on in the next, below the first field;
/// the last one is cut off.
fn title_fields(place: &PlacePicture, columns: u16, rows: u16) -> impl Iterator<Item = (u16, u16)> + '_ {
    let first = width(&place.name) + 3;
    let (mut column, mut row) = (first, 0);
    place.fields.iter().map(move |field| {
        let needed = width(&field.name) + 1 + width(&field.value);
        if column > first && column + needed > columns && row + 1 < rows {
            (column, row) = (first, row + 1);
        }
        let at = (column, row);
        column += needed + 3;
        at
    })
}

fn title_rows(place: &PlacePicture, columns: u16) -> u16 {
    title_fields(place, columns, TITLE_ROWS_MAX).last().map_or(1, |(_, row)| row + 1)
}

fn draw_title(scene: &Scene<'_>, place: &PlacePicture, area: Rect, out: &mut Out) {
    let look = scene.look;
    out.claim(area);
    out.fitted(area, 0, 0, &place.name, look, Role::Title);
    for (field, (column, row)) in place.fields.iter().zip(title_fields(place, area.width, area.height)) {
        if column + width(&field.name) + 2 > area.width {
            return;
        }
        let column = column + out.fitted(area, column, row, &field.name, look, Role::Dim) + 1;
        out.fitted(area, column, row, &field.value, look, Role::Accent);
    }
}

/// Offsets at round columns, and how many messages a cell stands for.
fn draw_ruler(scene: &Scene<'_>, window: Window, labels: u16, area: Rect, out: &mut Out) {
    let look = scene.look;
    if area.is_empty() {
        return;
    }
    out.claim(area);
    let long = match window.per {
        1 => look.word("logs.cell_one").to_owned(),
        per => look.with("logs.cell_many", &[("count", &per)]),
    };
    let short = look.with("logs.cell_short", &[("count", &window.per)]);
    let text = if width(&long) < labels { long } else { short };
    out.text(area, 0, 0, &fit(&text, labels.saturating_sub(1), look), look.style(Role::Warn));
    let columns = window.columns() as u16;
    let longest = width(&window.to.to_string());
    let step = [5, 10, 20, 25, 50, 100].into_iter().find(|&step| step > longest + 1).unwrap_or(100);
    // At round offsets where a cell is a message, else at round columns.
    let first = if window.per == 1 {
        (window.from.next_multiple_of(u64::from(step)) - window.from) as u16
    } else {
        0
    };
    for column in (first..columns.max(1)).step_by(usize::from(step)) {
        let offset = window.from + u64::from(column) * window.per;
        let text = offset.to_string();
        if labels + column + width(&text) <= area.width {
            out.text(area, labels + column, 0, &text, look.style(Role::Dim));
        }
    }
}

/// How far a subscription is.
fn draw_reader(
    scene: &Scene<'_>,
    reader: &ReaderPicture,
    window: Window,
    labels: u16,
    area: Rect,
    out: &mut Out,
) {
    let look = scene.look;
    out.claim(area);
    out.hit(area, Action::SelectSubscription(reader.subscription));
    let name = scene.ledger().layout().subscription_name(reader.subscription);
    let is_picked = scene.pick.subscription == reader.subscription;
    let behind = look.with("logs.behind", &[("count", &reader.lag)]);
    let room = labels.saturating_sub(1);
    let role = if is_picked { Role::Title } else { Role::Text };
    let for_name = if width(name) + 1 + width(&behind) <= room { width(name) } else { room };
    let end = out.text(area, 0, 0, &fit(name, for_name, look), look.style(role));
    if end + 1 + width(&behind) <= room {
        out.text(area, end + 1, 0, &behind, look.style(Role::Dim));
    }
    let lane = Rect { x: area.x + labels.min(area.width), width: area.width.saturating_sub(labels), ..area };
    draw_marks(&reader.marks, window, lane, look, if is_picked { Role::Accent } else { Role::Text }, out);
}

/// The line below the cells: where a power loss would leave them, where it would not, and where copies differ.
pub(in crate::tui::view) fn lines(look: &Look) -> [(char, &'static str, Role); 3] {
    [
        (look.glyphs.horizontal_heavy, look.word("logs.durable"), Role::Good),
        (look.glyphs.dots, look.word("logs.cached"), Role::Warn),
        (look.glyphs.differs, look.word("logs.differs"), Role::Fault),
    ]
}

/// What the glyphs mean: those that are there to be seen, the worst first.
fn draw_legend(scene: &Scene<'_>, lanes: &Lanes<'_>, area: Rect, out: &mut Out) {
    if area.is_empty() {
        return;
    }
    let look = scene.look;
    out.claim(area);
    let seen: BTreeSet<_> =
        lanes.read.iter().flat_map(|lane| &lane.columns).filter_map(|column| column.worst).collect();
    let mut seen: Vec<Standing> = seen.into_iter().collect();
    seen.sort_by_key(|&standing| std::cmp::Reverse(badness(standing)));
    let mut column = 0;
    let mut put = |glyph: char, word: &str, role: Role| {
        if column + 2 + width(word) <= area.width {
            out.glyph(area, column, 0, glyph, look.style(role));
            column += 2 + out.text(area, column + 2, 0, word, look.style(Role::Dim)) + 3;
        }
    };
    for standing in seen {
        put(look.glyph(standing), look.standing(standing), look.standing_role(standing));
    }
    let [durable, cached, differs] = lines(look);
    if lanes.has_lines() {
        for (glyph, word, role) in [durable, cached] {
            put(glyph, word, role);
        }
    }
    if lanes.read.iter().flat_map(|lane| &lane.columns).any(|column| column.differs) {
        put(differs.0, differs.1, differs.2);
    }
}

/// The other places, one a line, around the picked one.
fn draw_others(scene: &Scene<'_>, places: &[PlaceId], picked: usize, area: Rect, out: &mut Out) {
    if area.height < 2 {
        return;
    }
    let look = scene.look;
    out.claim(area);
    let word = scene.family.places_word();
    let title =
        look.with("logs.places", &[("places", &word), ("number", &(picked + 1)), ("all", &places.len())]);
    out.fitted(area, 0, 0, &title, look, Role::Title);
    let rows = usize::from(area.height - 1);
    let first = picked.saturating_sub(rows / 2).min(places.len().saturating_sub(rows));
    let shown = &places[first..places.len().min(first + rows)];
    let pictures: Vec<_> = shown.iter().filter_map(|&place| scene.instant.world.place(place)).collect();
    let names = pictures.iter().map(|place| width(&place.name)).max().unwrap_or(0).min(area.width / 3);
    for (number, place) in pictures.iter().enumerate() {
        let row = number as u16 + 1;
        let is_picked = first + number == picked;
        if is_picked {
            out.glyph(area, 0, row, look.glyphs.pointer, look.style(Role::Focus));
        }
        let role = if is_picked { Role::Selected } else { Role::Text };
        out.text(area, 2, row, &fit(&place.name, names, look), look.style(role));
        let end = place.lanes.iter().map(|lane| lane.end).max().unwrap_or(0);
        let mut column = 2 + names + 2;
        let end = look.with("logs.end", &[("end", &end)]);
        column += out.fitted(area, column, row, &end, look, Role::Text).max(12) + 2;
        for field in &place.fields {
            if column + width(&field.name) + 2 > area.width {
                break;
            }
            column += out.fitted(area, column, row, &field.name, look, Role::Dim) + 1;
            column += out.fitted(area, column, row, &field.value, look, Role::Text) + 2;
        }
    }
}
