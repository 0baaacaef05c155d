//! Boxes in three columns, lines between neighbouring columns, and a strip for all other links.

use ratatui::layout::Rect;

use super::unit::{self, Line, Unit};
use super::wire::{Route, Side, Wires, draw_pair, draw_traffic};
use super::{Cluster, is_troubled, node};
use crate::tui::out::Out;
use crate::tui::theme::Role;

/// A box has at least so many rows: its frame and its role.
const HEIGHT_MIN: u16 = 3;
/// With fewer rows for each, instances of one application share a box.
const HEIGHT_ROOMY: u16 = 5;
/// More instances of one application than these always share a box: too many lines cross.
const INSTANCES_MAX: usize = 4;
const SIDE_MIN: u16 = 14;
const MIDDLE_MIN: u16 = 20;
const MIDDLE_MAX: u16 = 46;
const GAP_MIN: u16 = 9;
/// A link of the strip takes at least so many columns.
const PAIR_MIN: u16 = 36;

/// Where everything stands.
pub(super) struct Plan {
    units: Vec<Unit>,
    lines: Vec<Line>,
    /// One box for each unit.
    boxes: Vec<Rect>,
    /// Between the columns.
    gaps: [Rect; 2],
    /// Below them: links within a column, or from the first to the third.
    strip: Rect,
}

impl Plan {
    /// A box for each node, or one for each group of equals where that is too much; none: boxes do not fit.
    pub(super) fn new(cluster: &Cluster<'_>, area: Rect) -> Option<Self> {
        let singles = unit::units(cluster, false);
        let groups = unit::units(cluster, true);
        // By what exists, not by who speaks with whom: the picture must not change while things happen.
        let is_crowded = (0..3).any(|column| {
            let own = singles.iter().filter(|unit| unit.column == column).count();
            let instances =
                groups.iter().filter(|unit| unit.column == column).map(|unit| unit.members.len()).max();
            own * usize::from(HEIGHT_ROOMY) > usize::from(area.height) || instances > Some(INSTANCES_MAX)
        });
        let order = if is_crowded { [groups, singles] } else { [singles, groups] };
        order.into_iter().find_map(|units| Self::of(cluster, units, area))
    }

    fn of(cluster: &Cluster<'_>, units: Vec<Unit>, area: Rect) -> Option<Self> {
        let members = |column| -> Vec<usize> {
            let mut all: Vec<_> = (0..units.len()).filter(|&at| units[at].column == column).collect();
            all.sort_by_key(|&at| units[at].station);
            all
        };
        let members = [members(0), members(1), members(2)];
        let most = members.iter().map(Vec::len).max().unwrap_or(0);
        if most * usize::from(HEIGHT_MIN) > usize::from(area.height) {
            return None;
        }
        let is_there = [0, 1, 2].map(|column: usize| !members[column].is_empty());
        let [left, left_gap, middle, right_gap, right] = widths(area.width, is_there)?;
        let lines = unit::lines(cluster, &units);
        let strip = strip_height(lines.iter().filter(|line| line.gap.is_none()).count(), area);
        let height = area.height - strip;
        if most * usize::from(HEIGHT_MIN) > usize::from(height) {
            return None;
        }
        let at = |x: u16, width| Rect { x: area.x + x, width, height, ..area };
        let starts = [0, left + left_gap, left + left_gap + middle + right_gap];
        let rects = [at(starts[0], left), at(starts[1], middle), at(starts[2], right)];
        let mut boxes = vec![Rect::default(); units.len()];
        for (column, rect) in members.iter().zip(rects) {
            stack(cluster, &units, &lines, column, rect, &mut boxes);
        }
        let gaps = [at(left, left_gap), at(starts[1] + middle, right_gap)];
        let strip = Rect { y: area.y + height, height: strip, ..area };
        let plan = Self { units, lines, boxes, gaps, strip };
        let fits = members[1].iter().all(|&at| plan.has_rows(at));
        fits.then_some(plan)
    }

    /// Whether every link of a unit in the middle can have a row of its own.
    fn has_rows(&self, middle: usize) -> bool {
        let rows = usize::from(self.boxes[middle].height);
        self.peers(0, middle).len() <= rows && self.peers(1, middle).len() <= rows
    }

    pub(super) fn draw(&self, cluster: &Cluster<'_>, out: &mut Out) {
        for (unit, area) in self.units.iter().zip(&self.boxes) {
            match unit.members[..] {
                [only] => node::draw_box(cluster, &cluster.nodes[only], *area, out),
                _ => unit::draw_group(cluster, unit, *area, out),
            }
        }
        for gap in 0..2 {
            self.draw_gap(cluster, gap, out);
        }
        self.draw_strip(cluster, out);
    }

    fn draw_gap(&self, cluster: &Cluster<'_>, gap: usize, out: &mut Out) {
        let area = self.gaps[gap];
        if area.is_empty() {
            return;
        }
        out.claim(area);
        let mut wires = Wires::new(area);
        let mut routes = Vec::new();
        for line in self.lines.iter().filter(|line| line.gap == Some(gap)) {
            let route = self.route(gap, line);
            wires.add(&route, &line.link);
            routes.push((route, line));
        }
        wires.draw(cluster.scene.look, out);
        // What is in trouble last: it stays on top where links share cells.
        routes.sort_by_key(|(_, line)| is_troubled(&line.link));
        for (route, line) in routes {
            draw_traffic(&route, line, cluster.scene.look, out);
        }
    }

    /// The units at the other side of a gap that a unit of the middle has links with, from top to bottom.
    fn peers(&self, gap: usize, middle: usize) -> Vec<usize> {
        let lines = self.lines.iter().filter(|line| line.gap == Some(gap) && line.units[1 - gap] == middle);
        let mut peers: Vec<_> = lines.map(|line| line.units[gap]).collect();
        peers.sort_by_key(|&peer| self.boxes[peer].y);
        peers
    }

    /// Every unit at the side has an upright of its own; every link has a row of its own at the unit in the middle.
    fn route(&self, gap: usize, line: &Line) -> Route {
        let area = self.gaps[gap];
        let (side, middle) = (line.units[gap], line.units[1 - gap]);
        let own = self.boxes[middle];
        let peers = self.peers(gap, middle);
        let number = peers.iter().position(|&peer| peer == side).unwrap_or(0) as u16;
        let (first, rows) = match peers.len() as u16 {
            few if few <= own.height - 2 => (own.y + 1, own.height - 2),
            _ => (own.y, own.height),
        };
        let row = first + rows * (2 * number + 1) / (2 * peers.len().max(1) as u16);
        let side_row = self.boxes[side].y + self.boxes[side].height / 2;
        let column = self.units[side].column;
        let mut siblings: Vec<_> =
            (0..self.units.len()).filter(|&at| self.units[at].column == column).collect();
        siblings.sort_by_key(|&at| self.boxes[at].y);
        let number = siblings.iter().position(|&at| at == side).unwrap_or(0) as u16;
        let step = number * 2 % (area.width / 3).max(1);
        if gap == 0 {
            Route::bent(area, [side_row, row], area.x + 1 + step, Side::Right)
        } else {
            Route::bent(area, [row, side_row], area.right() - 2 - step, Side::Left)
        }
    }

    fn draw_strip(&self, cluster: &Cluster<'_>, out: &mut Out) {
        let look = cluster.scene.look;
        if self.strip.is_empty() {
            return;
        }
        let pairs: Vec<_> = self.lines.iter().filter(|line| line.gap.is_none()).collect();
        let across = (self.strip.width / PAIR_MIN).max(1);
        let all = pairs.len();
        let shown = choose(pairs, usize::from(across * (self.strip.height - 1)));
        let title = if shown.len() < all {
            look.with("cluster.pairs_some", &[("shown", &shown.len()), ("all", &all)])
        } else {
            look.word("cluster.pairs").to_owned()
        };
        let head = Rect { height: 1, ..self.strip };
        out.claim(head);
        let end = out.fitted(head, 0, 0, &title, look, Role::Dim) + 1;
        for x in end..head.width {
            out.glyph(head, x, 0, look.glyphs.horizontal, look.style(Role::Border));
        }
        let each = self.strip.width / across;
        for (number, line) in shown.iter().enumerate() {
            let (column, row) = (number as u16 % across, number as u16 / across);
            let area = Rect {
                x: self.strip.x + column * each,
                y: self.strip.y + 1 + row,
                width: each - if column + 1 < across { 3 } else { 0 },
                height: 1,
            };
            draw_pair(line.units.map(|unit| self.units[unit].name.as_str()), line, area, look, out);
        }
    }
}

/// Of these links as many as there is room for: all, or those that are in trouble or in use, in their order.
pub(super) fn choose(mut lines: Vec<&Line>, room: usize) -> Vec<&Line> {
    if lines.len() <= room {
        return lines;
    }
    let interest = |line: &Line| (!is_troubled(&line.link), line.link.packets.is_empty());
    lines.retain(|line| interest(line) != (true, true));
    let mut ranked: Vec<_> = lines.into_iter().enumerate().collect();
    ranked.sort_by_key(|(_, line)| interest(line));
    ranked.truncate(room);
    ranked.sort_by_key(|(at, _)| *at);
    ranked.into_iter().map(|(_, line)| line).collect()
}

/// Widths of: left column, gap, middle column, gap, right column.
fn widths(width: u16, is_there: [bool; 3]) -> Option<[u16; 5]> {
    let [left, middle, right] = is_there;
    if !middle {
        return None;
    }
    let gaps = u16::from(left) + u16::from(right);
    if gaps == 0 {
        return (width >= MIDDLE_MIN).then_some([0, 0, width.min(MIDDLE_MAX * 2), 0, 0]);
    }
    let gap = (width * 14 / 100).max(GAP_MIN);
    let rest = width.checked_sub(gap * gaps)?;
    let side = (rest * 28 / 100).clamp(SIDE_MIN, MIDDLE_MAX * 3 / 4);
    let most = if gaps == 2 { MIDDLE_MAX } else { MIDDLE_MAX + 14 };
    let middle = rest.checked_sub(side * gaps).filter(|middle| *middle >= MIDDLE_MIN)?.min(most);
    // What nobody needs makes the gaps wider: that is where things move.
    let gap = gap + (rest - side * gaps - middle) / gaps;
    let part = |is_there: bool, columns| if is_there { columns } else { 0 };
    Some([part(left, side), part(left, gap), middle, part(right, gap), part(right, side)])
}

fn strip_height(pairs: usize, area: Rect) -> u16 {
    if pairs == 0 || area.height < 12 {
        return 0;
    }
    let across = (area.width / PAIR_MIN).max(1);
    let rows = (pairs as u16).div_ceil(across);
    1 + rows.min((area.height / 5).max(2))
}

/// Boxes below one another, each as high as it wants if all can be, with the rest of the room between them.
fn stack(
    cluster: &Cluster<'_>,
    units: &[Unit],
    lines: &[Line],
    members: &[usize],
    area: Rect,
    boxes: &mut [Rect],
) {
    let count = members.len() as u16;
    let degree = |at: usize| {
        let own = |gap| lines.iter().filter(|line| line.gap == Some(gap) && line.units.contains(&at)).count();
        own(0).max(own(1)).min(20) as u16
    };
    let wanted = |&at: &usize| unit::height_wanted(cluster, &units[at], area.width).max(degree(at) + 2);
    let wanted: Vec<_> = members.iter().map(wanted).collect();
    let total = |level: u16| wanted.iter().map(|&height| height.min(level)).sum::<u16>();
    let levels = (HEIGHT_MIN..=40).take_while(|&level| total(level) <= area.height);
    let level = levels.last().unwrap_or(HEIGHT_MIN);
    let spare = area.height.saturating_sub(total(level));
    let mut y = area.y;
    for (number, &at) in members.iter().enumerate() {
        let before = spare * (2 * number as u16 + 1) / (2 * count);
        let height = wanted[number].min(level);
        boxes[at] = Rect { y: y + before, height, ..area };
        y += height;
    }
}
