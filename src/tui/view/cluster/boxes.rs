//! Boxes in three columns, lines between neighbouring columns, and a strip for all other links.

use ratatui::layout::Rect;

use super::wire::{Route, Side, Wires, draw_pair, draw_traffic};
use super::{Cluster, is_troubled, node};
use crate::broker::picture::{LinkPicture, Station};
use crate::tui::out::{Out, width};
use crate::tui::theme::Role;

/// A box has at least so many rows: its frame and its role.
const HEIGHT_MIN: u16 = 3;
const SIDE_MIN: u16 = 14;
const MIDDLE_MIN: u16 = 20;
const MIDDLE_MAX: u16 = 46;
const GAP_MIN: u16 = 9;
/// A link of the strip takes at least so many columns.
const PAIR_MIN: u16 = 36;

/// Where everything stands.
pub(super) struct Plan {
    /// One box for each node.
    boxes: Vec<Rect>,
    /// By node: in which column it stands.
    columns: Vec<usize>,
    /// Between the columns.
    gaps: [Rect; 2],
    /// Below them: links within a column, or from the first to the third.
    strip: Rect,
    /// Links in the strip.
    pairs: Vec<usize>,
}

fn column_of(station: Station) -> usize {
    match station {
        Station::Senders => 0,
        Station::Cluster => 1,
        Station::Receivers | Station::Services => 2,
    }
}

impl Plan {
    /// None: boxes do not fit.
    pub(super) fn new(cluster: &Cluster<'_>, area: Rect) -> Option<Self> {
        let columns: Vec<_> = cluster.nodes.iter().map(|one| column_of(one.station)).collect();
        let members = |column| -> Vec<usize> {
            let mut all: Vec<_> = (0..columns.len()).filter(|&at| columns[at] == column).collect();
            all.sort_by_key(|&at| cluster.nodes[at].station);
            all
        };
        let members = [members(0), members(1), members(2)];
        let is_there = [0, 1, 2].map(|column: usize| !members[column].is_empty());
        let [left, left_gap, middle, right_gap, right] = widths(area.width, is_there)?;
        let pairs: Vec<_> = (0..cluster.links.len())
            .filter(|&at| {
                is_shown(&cluster.links[at]) && ports(cluster, &columns, &cluster.links[at]).is_none()
            })
            .collect();
        let strip = strip_height(pairs.len(), area);
        let height = area.height - strip;
        let most = members.iter().map(Vec::len).max().unwrap_or(0) as u16;
        if most * HEIGHT_MIN > height {
            return None;
        }
        let upper = Rect { height, ..area };
        let at = |x: u16, width| Rect { x: area.x + x, width, ..upper };
        let starts = [0, left + left_gap, left + left_gap + middle + right_gap];
        let rects = [at(starts[0], left), at(starts[1], middle), at(starts[2], right)];
        let mut boxes = vec![Rect::default(); columns.len()];
        for (column, rect) in members.iter().zip(rects) {
            stack(cluster, &columns, column, rect, &mut boxes);
        }
        let gaps = [at(left, left_gap), at(starts[1] + middle, right_gap)];
        let strip = Rect { y: area.y + height, height: strip, ..area };
        Some(Self { boxes, columns, gaps, strip, pairs })
    }

    pub(super) fn draw(&self, cluster: &Cluster<'_>, out: &mut Out) {
        for (one, area) in cluster.nodes.iter().zip(&self.boxes) {
            node::draw_box(cluster, one, *area, out);
        }
        for gap in 0..2 {
            self.draw_gap(cluster, gap, out);
        }
        self.draw_strip(cluster, out);
    }

    fn draw_gap(&self, cluster: &Cluster<'_>, gap: usize, out: &mut Out) {
        let area = self.gaps[gap];
        out.claim(area);
        let mut wires = Wires::new(area);
        let mut routes = Vec::new();
        for link in cluster.links.iter().filter(|link| is_shown(link)) {
            if let Some((own, left, right)) =
                ports(cluster, &self.columns, link).filter(|found| found.0 == gap)
            {
                let route = self.route(cluster, link, own, left, right);
                wires.add(&route, link);
                routes.push((route, link));
            }
        }
        wires.draw(cluster.scene.look, out);
        // What is in trouble last: it stays on top where links share cells.
        routes.sort_by_key(|(_, link)| is_troubled(link));
        for (route, link) in routes {
            draw_traffic(&route, link, cluster.scene.look, out);
        }
    }

    /// Every node at the side has an upright of its own; every link has a row of its own at the node in the middle, as
    /// long as there are enough.
    fn route(
        &self,
        cluster: &Cluster<'_>,
        link: &LinkPicture,
        gap: usize,
        left: usize,
        right: usize,
    ) -> Route {
        let area = self.gaps[gap];
        let (side, middle) = if gap == 0 { (left, right) } else { (right, left) };
        let own = self.boxes[middle];
        let others: Vec<_> = cluster.links.iter().filter(|link| is_shown(link)).collect();
        let mut peers: Vec<usize> = others
            .iter()
            .filter_map(|link| ports(cluster, &self.columns, link))
            .filter(|found| found.0 == gap && if gap == 0 { found.2 == middle } else { found.1 == middle })
            .map(|found| if gap == 0 { found.1 } else { found.2 })
            .collect();
        peers.sort_by_key(|&peer| self.boxes[peer].y);
        peers.dedup();
        let number = peers.iter().position(|&peer| peer == side).unwrap_or(0) as u16;
        let (first, rows) = match peers.len() as u16 {
            few if few <= own.height - 2 => (own.y + 1, own.height - 2),
            _ => (own.y, own.height),
        };
        let row = first + rows * (2 * number + 1) / (2 * peers.len().max(1) as u16);
        let side_row = self.boxes[side].y + self.boxes[side].height / 2;
        let column = |at: &usize| self.columns[*at] == self.columns[side];
        let mut siblings: Vec<_> = (0..self.columns.len()).filter(column).collect();
        siblings.sort_by_key(|&at| self.boxes[at].y);
        let number = siblings.iter().position(|&at| at == side).unwrap_or(0) as u16;
        let room = (area.width / 3).max(1);
        let step = number * 2 % room;
        let is_forward = cluster.index(link.ends[0]) == Some(left);
        if gap == 0 {
            Route::bent(area, [side_row, row], area.x + 1 + step, Side::Right, is_forward)
        } else {
            Route::bent(area, [row, side_row], area.right() - 2 - step, Side::Left, is_forward)
        }
    }

    fn draw_strip(&self, cluster: &Cluster<'_>, out: &mut Out) {
        let look = cluster.scene.look;
        if self.strip.is_empty() {
            return;
        }
        let across = (self.strip.width / PAIR_MIN).max(1);
        let room = usize::from(across * (self.strip.height - 1));
        let shown = choose(cluster, &self.pairs, room);
        let title = if shown.len() < self.pairs.len() {
            look.with("cluster.pairs_some", &[("shown", &shown.len()), ("all", &self.pairs.len())])
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
        for (number, &pair) in shown.iter().enumerate() {
            let (column, row) = (number as u16 % across, number as u16 / across);
            let area = Rect {
                x: self.strip.x + column * each,
                y: self.strip.y + 1 + row,
                width: each - if column + 1 < across { 3 } else { 0 },
                height: 1,
            };
            draw_pair(cluster, &cluster.links[pair], area, out);
        }
    }
}

/// A link that is worth a line.
fn is_shown(link: &LinkPicture) -> bool {
    link.is_connected || is_troubled(link) || !link.packets.is_empty()
}

/// Which gap a link crosses, and its left and right node; none: it joins no neighbouring columns.
fn ports(cluster: &Cluster<'_>, columns: &[usize], link: &LinkPicture) -> Option<(usize, usize, usize)> {
    let [one, other] = link.ends.map(|end| cluster.index(end));
    let (one, other) = (one?, other?);
    let (left, right) = if columns[one] <= columns[other] { (one, other) } else { (other, one) };
    (columns[left] + 1 == columns[right]).then_some((columns[left], left, right))
}

/// Of these links as many as there is room for: all, or those that are in trouble or in use, in their order.
pub(super) fn choose(cluster: &Cluster<'_>, links: &[usize], room: usize) -> Vec<usize> {
    let mut chosen = links.to_vec();
    let interest = |at: &usize| {
        let link = &cluster.links[*at];
        (!is_troubled(link), link.packets.is_empty())
    };
    if chosen.len() > room {
        chosen.retain(|at| interest(at) != (true, true));
        chosen.sort_by_key(interest);
        chosen.truncate(room);
        chosen.sort_unstable();
    }
    chosen
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
    let gap = (width * 15 / 100).max(GAP_MIN);
    let rest = width.checked_sub(gap * gaps)?;
    let side = (rest * 28 / 100).max(SIDE_MIN).min(MIDDLE_MAX * 3 / 4);
    let middle = rest.checked_sub(side * gaps).filter(|middle| *middle >= MIDDLE_MIN)?.min(MIDDLE_MAX);
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

/// Boxes of equal height below one another, with the rest of the room between them.
fn stack(cluster: &Cluster<'_>, columns: &[usize], members: &[usize], area: Rect, boxes: &mut [Rect]) {
    let count = members.len() as u16;
    if count == 0 {
        return;
    }
    let degree = |at: usize| {
        let ports = cluster.links.iter().filter_map(|link| ports(cluster, columns, link));
        let at_side =
            |gap: usize| ports.clone().filter(|one| one.0 == gap && (one.1 == at || one.2 == at)).count();
        at_side(0).max(at_side(1)) as u16
    };
    let wanted = |&at: &usize| node::height_wanted(&cluster.nodes[at]).max((degree(at) + 2).min(12));
    let most = members.iter().map(wanted).max().unwrap_or(HEIGHT_MIN);
    let height = most.clamp(HEIGHT_MIN, area.height / count);
    let spare = area.height - height * count;
    for (number, &at) in members.iter().enumerate() {
        let number = number as u16;
        let y = area.y + height * number + spare * (2 * number + 1) / (2 * count);
        boxes[at] = Rect { y, height, ..area };
    }
}

/// How wide the longest name is.
pub(super) fn name_width(cluster: &Cluster<'_>) -> u16 {
    cluster.nodes.iter().map(|one| width(&one.name)).max().unwrap_or(0)
}
