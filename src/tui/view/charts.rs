//! The charts: measures over time, one above the other on one axis, with the cursor and the faults across all of them.
//!
//! ```text
//!                    0        2s   ▼    4s        6s
//! backlog      128 │          ▁▃▅▇█▇▅▂
//! 12               │▁▁▁▁▁▁▁▂▅████████████▅▃▁
//! confirm       1s │                  ░░░░
//! p50 3ms max 12ms │▁▁▁▁▁▁▁▁▁▁▁▒▒▒▒▁▁▁▁
//! ```
//!
//! A latency's column is filled up to the median, shaded up to p99 and lightly up to the longest, on a scale on which
//! each step of the same height is the same factor.

use ratatui::layout::Rect;

use super::axis::Axis;
use super::timeline::end;
use crate::fact::SubscriptionId;
use crate::lab::series::{Quantiles, Sample};
use crate::sim::Span;
use crate::tui::action::{Action, Landmark};
use crate::tui::look::Look;
use crate::tui::out::{Out, fit, width};
use crate::tui::scene::Scene;
use crate::tui::theme::Role;

/// A bar is at most so many rows high.
const ROWS_MAX: u16 = 5;

/// Where the scale of latencies begins: 100 microseconds.
const LATENCY_LEAST: u64 = 100_000;

/// Draws the view.
pub fn draw(scene: &Scene<'_>, area: Rect, out: &mut Out) {
    let area = area.intersection(out.area());
    if area.is_empty() {
        return;
    }
    out.claim(area);
    if scene.series.samples.is_empty() {
        out.fitted(area, 0, 0, scene.look.word("charts.nothing"), scene.look, Role::Dim);
        return;
    }
    let tracks = tracks(scene);
    let gutter = match area.width {
        100.. => 34,
        70.. => 26,
        50.. => 22,
        _ => 0,
    };
    let heading = match area.height {
        24.. => 2,
        3.. => 1,
        _ => 0,
    };
    let body = Rect { y: area.y + heading, height: area.height - heading, ..area };
    let plot = Rect { x: area.x + gutter, width: area.width - gutter, ..area };
    let canvas = Canvas { scene, axis: Axis { end: end(scene), columns: plot.width } };
    if heading > 0 {
        canvas.heading(Rect { height: heading, ..plot }, out);
    }
    // Rows of a track: as many as let all be seen, else two; with no gutter, the first row is the name.
    let named = u16::from(gutter == 0);
    let fair = body.height / (tracks.len() as u16).max(1);
    let rows = fair.clamp(3 + named, ROWS_MAX + 1 + named).min(body.height).max(1);
    let fitting = usize::from((body.height / rows).max(1));
    let from = scene.pick.scroll.min(tracks.len().saturating_sub(fitting));
    for (number, track) in tracks.iter().skip(from).take(fitting).enumerate() {
        let y = body.y + number as u16 * rows;
        let row = Rect { y, height: rows.min(body.bottom() - y), ..body };
        canvas.track(track, row, gutter, out);
    }
    let style = scene.look.style(Role::Key);
    if from > 0 {
        out.glyph(area, 0, 0, scene.look.glyphs.arrow_up, style);
    }
    if from + fitting < tracks.len() {
        out.glyph(area, area.width - 1, area.height - 1, scene.look.glyphs.arrow_down, style);
    }
    for column in 0..plot.width {
        let cell = Rect { x: plot.x + column, width: 1, ..plot };
        out.hit(cell, Action::SeekTo(canvas.axis.time(column)));
    }
}

/// Reads a measure: three quantiles, or the same value three times.
type Values<'a> = Box<dyn Fn(&Sample) -> [u64; 3] + 'a>;

/// One measure over time.
struct Track<'a> {
    name: String,
    /// Whether it is bad if there is any.
    role: Role,
    kind: Kind,
    values: Values<'a>,
    /// How it stands at the cursor; none: it is measured over a stretch of time.
    now: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// How things stand.
    Level,
    /// How much happened: shown for each second.
    Rate,
    /// Half, 99 of 100, all within this time.
    Latency,
}

/// All tracks, the most telling first.
fn tracks<'a>(scene: &Scene<'a>) -> Vec<Track<'a>> {
    let look = scene.look;
    let track = |name: String, role, kind, values: Values<'a>| Track { name, role, kind, values, now: None };
    let level = |name, role, values, now| Track { now, ..track(name, role, Kind::Level, values) };
    let rate = |key, role, of: fn(&Sample) -> u64| {
        track(look.word(key).to_owned(), role, Kind::Rate, Box::new(move |sample| [of(sample); 3]))
    };
    let names = &scene.ledger().layout().subscriptions;
    let mut tracks = Vec::new();
    for (number, name) in names.iter().enumerate() {
        let name = look.with("charts.backlog", &[("subscription", name)]);
        let of = move |sample: &Sample| [sample.backlog.get(number).copied().unwrap_or(0); 3];
        let now = scene.ledger().waiting(SubscriptionId(number as u16));
        tracks.push(level(name, Role::Warn, Box::new(of), Some(now)));
    }
    let latency = |key, of: fn(&Sample) -> Quantiles| {
        let values = move |sample: &Sample| {
            let quantiles = of(sample);
            [quantiles.p50.0, quantiles.p99.0, quantiles.max.0]
        };
        track(look.word(key).to_owned(), Role::Accent, Kind::Latency, Box::new(values))
    };
    tracks.push(rate("charts.due", Role::Text, |sample| sample.due));
    tracks.push(rate("charts.confirmed", Role::Good, |sample| sample.confirmed));
    tracks.push(rate("charts.effects", Role::Good, |sample| sample.effects.iter().sum()));
    tracks.push(rate("charts.failed", Role::Bad, |sample| sample.failed));
    tracks.push(latency("charts.confirm", |sample| sample.confirm));
    tracks.push(latency("charts.end_to_end", |sample| sample.end_to_end));
    let gauges = scene.instant.world.gauges();
    for (number, name) in scene.series.gauges.iter().enumerate() {
        let of = move |sample: &Sample| [sample.gauges.get(number).copied().unwrap_or(0).max(0) as u64; 3];
        let now = gauges.get(number).map(|gauge| gauge.value.max(0) as u64);
        tracks.push(level(name.clone(), Role::Accent, Box::new(of), now));
    }
    tracks
}

/// What all tracks share.
struct Canvas<'a> {
    scene: &'a Scene<'a>,
    axis: Axis,
}

impl Canvas<'_> {
    /// Round times, and below or on them where faults begin and where the cursor is.
    fn heading(&self, row: Rect, out: &mut Out) {
        let look = self.scene.look;
        for (column, text) in self.axis.ticks() {
            out.text(row, column, 0, &text, look.style(Role::Dim));
        }
        let marks = row.height - 1;
        for column in self.faults() {
            out.glyph(row, column, marks, look.glyphs.fault, look.style(Role::Fault));
        }
        out.glyph(row, self.here(), marks, look.glyphs.arrow_down, look.style(Role::Accent));
    }

    fn here(&self) -> u16 {
        self.axis.column(self.scene.now())
    }

    fn faults(&self) -> impl Iterator<Item = u16> {
        let begin = self.scene.marks.iter().filter(|mark| mark.landmark == Landmark::Fault && !mark.is_end);
        begin.map(|mark| self.axis.column(mark.at))
    }

    /// The samples that lie in a column; none: nothing is recorded there.
    fn samples(&self, column: u16) -> &[Sample] {
        let series = self.scene.series;
        if self.axis.time(column) > self.scene.head {
            return &[];
        }
        let from = series.bucket_of(self.axis.time(column));
        let to = series.bucket_of(self.axis.time(column + 1)).max(from + 1);
        series.samples.get(from..to.min(series.samples.len())).unwrap_or_default()
    }

    /// The most in a column.
    fn value(&self, track: &Track<'_>, column: u16) -> Option<[u64; 3]> {
        let most = |left: [u64; 3], right: [u64; 3]| std::array::from_fn(|at| left[at].max(right[at]));
        self.samples(column).iter().map(|sample| self.scaled(track, sample)).reduce(most)
    }

    /// A sample's values; rates for each second.
    fn scaled(&self, track: &Track<'_>, sample: &Sample) -> [u64; 3] {
        let values = (track.values)(sample);
        if track.kind != Kind::Rate {
            return values;
        }
        let bucket = u128::from(self.scene.series.bucket.0.max(1));
        values.map(|value| (u128::from(value) * 1_000_000_000 / bucket) as u64)
    }

    fn track(&self, track: &Track<'_>, row: Rect, gutter: u16, out: &mut Out) {
        let look = self.scene.look;
        let columns: Vec<_> = (0..self.axis.columns).map(|column| self.value(track, column)).collect();
        let most = columns.iter().flatten().map(|values| values[2]).max().unwrap_or(0);
        let now = self.at_cursor(track);
        let plot = if gutter == 0 {
            let most = look.with("charts.most", &[("most", &amount(look, track.kind, most))]);
            let said = &said(look, track.kind, now)[0];
            let text = format!("{}  {said}  {most}", track.name);
            out.fitted(row, 0, 0, &text, look, Role::Title);
            Rect { y: row.y + 1, height: row.height.saturating_sub(1), ..row }
        } else {
            self.label(track, now, most, Rect { width: gutter - 1, ..row }, out);
            Rect { x: row.x + gutter, width: row.width - gutter, ..row }
        };
        let plot = Rect { height: apart(plot.height), ..plot };
        self.lines(plot, out);
        for (column, values) in columns.iter().enumerate() {
            let Some(values) = values else {
                out.glyph(
                    plot,
                    column as u16,
                    plot.height.saturating_sub(1),
                    look.glyphs.dots,
                    look.style(Role::Dim),
                );
                continue;
            };
            let heights = values.map(|value| height_of(track.kind, value, most, plot.height));
            self.bar(plot, column as u16, heights, track, out);
        }
    }

    /// What is said of the cursor: how things stand there; of what is counted and timed, the last stretch of time that
    /// is over by then, because what is still to come has not happened.
    fn at_cursor(&self, track: &Track<'_>) -> [u64; 3] {
        let series = self.scene.series;
        let over = self.scene.now().0.checked_div(series.bucket.0).unwrap_or(0).checked_sub(1);
        let last = over.and_then(|bucket| series.samples.get(bucket as usize));
        match track.now {
            Some(now) => [now; 3],
            None => last.map_or([0; 3], |sample| self.scaled(track, sample)),
        }
    }

    /// The cursor and the faults, behind the bars.
    fn lines(&self, plot: Rect, out: &mut Out) {
        let look = self.scene.look;
        let faults = self.faults().map(|column| (column, Role::Fault));
        let lines: Vec<_> = faults.chain([(self.here(), Role::Accent)]).collect();
        for (column, role) in lines {
            for row in 0..plot.height {
                out.glyph(plot, column, row, look.glyphs.vertical, look.style(role));
            }
        }
    }

    /// A column filled up to the first height, shaded up to the second, lightly up to the third; heights in eighths.
    fn bar(&self, plot: Rect, column: u16, heights: [u64; 3], track: &Track<'_>, out: &mut Out) {
        let look = self.scene.look;
        let is_past = column <= self.here();
        let role = if is_past { track.role } else { Role::Dim };
        for row in 0..plot.height {
            let below = u64::from(plot.height - 1 - row) * 8;
            let filled = heights[0].saturating_sub(below).min(8) as usize;
            let glyph = if track.kind != Kind::Latency || heights[0] >= below + 8 || heights[2] <= below {
                look.glyphs.levels[filled]
            } else if heights[1] > below {
                shades(look)[1]
            } else {
                shades(look)[2]
            };
            if glyph != ' ' {
                out.glyph(plot, column, row, glyph, look.style(role));
            }
        }
    }

    /// Name, most, and the value at the cursor.
    fn label(&self, track: &Track<'_>, now: [u64; 3], most: u64, area: Rect, out: &mut Out) {
        let look = self.scene.look;
        let edge = area.width.saturating_sub(1);
        let rows = apart(area.height);
        for row in 0..rows {
            out.glyph(area, edge, row, look.glyphs.vertical, look.style(Role::Border));
        }
        let most = amount(look, track.kind, most);
        let room = edge.saturating_sub(width(&most) + 2);
        out.text(area, 0, 0, &fit(&track.name, room, look), look.style(Role::Title));
        out.text(area, edge.saturating_sub(width(&most) + 1), 0, &most, look.style(Role::Dim));
        if rows < 2 {
            return;
        }
        let from = if track.kind == Kind::Latency { LATENCY_LEAST } else { 0 };
        let least = if from == 0 { from.to_string() } else { Span(from).to_string() };
        let all = said(look, track.kind, now);
        let whole = edge.saturating_sub(1);
        let words = all.iter().find(|words| width(words) <= whole).or(all.last());
        let words = fit(words.map_or("", String::as_str), whole, look);
        out.text(area, 0, 1, &words, look.style(Role::Accent));
        let column = edge.saturating_sub(width(&least) + 1);
        // Where the scale begins gives way to what is measured.
        if rows > 2 || width(&words) < column {
            out.text(area, column, rows - 1, &least, look.style(Role::Dim));
        }
    }
}

/// The rows of a track without the one that parts it from the next.
fn apart(rows: u16) -> u16 {
    if rows > 2 { rows - 1 } else { rows }
}

/// How high a value is, in eighths of a row; what is not nothing is seen.
fn height_of(kind: Kind, value: u64, most: u64, rows: u16) -> u64 {
    let full = u128::from(rows) * 8;
    if value == 0 || most == 0 {
        return 0;
    }
    let (value, most) = match kind {
        Kind::Latency => (factors(value), factors(most).max(1)),
        _ => (u128::from(value), u128::from(most)),
    };
    (value * full).div_ceil(most).max(1) as u64
}

/// How many times a time is twice the shortest that the scale shows, in thousandths.
fn factors(time: u64) -> u128 {
    let doublings = (time.max(1) as f64 / LATENCY_LEAST as f64).log2().max(0.0);
    (doublings * 1000.0) as u128
}

/// A value with its unit.
fn amount(look: &Look, kind: Kind, value: u64) -> String {
    match kind {
        Kind::Level => value.to_string(),
        Kind::Rate => look.with("charts.per_second", &[("count", &value)]),
        Kind::Latency => Span(value).to_string(),
    }
}

/// The value at the cursor, in full and shorter.
fn said(look: &Look, kind: Kind, now: [u64; 3]) -> Vec<String> {
    let [half, nearly_all, all] = now.map(|value| amount(look, kind, value));
    match kind {
        Kind::Latency if now[2] == 0 => vec![look.word("charts.none").to_owned()],
        Kind::Latency => ["charts.quantiles", "charts.quantiles_short"]
            .map(|key| look.with(key, &[("p50", &half), ("p99", &nearly_all), ("max", &all)]))
            .to_vec(),
        _ => vec![half],
    }
}

/// How a column of latencies is filled: up to the median, up to p99, up to the longest.
pub(super) fn shades(look: &Look) -> [char; 3] {
    [look.glyphs.levels[8], look.glyphs.shade[2], look.glyphs.shade[1]]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::view::kit::{SIZES, Stage, demand_all_sizes};

    #[test]
    fn measures_are_seen_over_time() {
        let stage = Stage::built_in("kafka/acks-one").at(900);
        for (number, (width, height)) in SIZES.into_iter().enumerate() {
            insta::assert_snapshot!(format!("charts_{number}"), stage.text(draw, width, height));
        }
        insta::assert_snapshot!("charts_ascii", stage.ascii().text(draw, 78, 17));
    }

    #[test]
    fn it_stays_where_it_belongs() {
        demand_all_sizes(&Stage::fake().at(505), draw);
        let mut stage = Stage::fake();
        stage.pick.scroll = 3;
        demand_all_sizes(&stage, draw);
        stage.series = crate::lab::series::Series::default();
        demand_all_sizes(&stage, draw);
        assert!(stage.text(draw, 60, 13).contains("Nothing"));
    }

    #[test]
    fn a_latency_ten_times_as_long_is_one_step_higher() {
        let of = |ms: u64| height_of(Kind::Latency, ms * 1_000_000, 1_000_000_000, 4);
        assert_eq!((of(0), of(1000)), (0, 32));
        assert!((of(10) - of(1)).abs_diff(of(100) - of(10)) <= 1);
        assert_eq!(height_of(Kind::Level, 1, 1_000_000, 3), 1, "what is not nothing is seen");
    }
}
