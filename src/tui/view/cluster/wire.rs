//! Links: lines of cells between nodes, the packets on them, and what is wrong with them.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::unit::Line;
use crate::broker::picture::{LinkPicture, PacketPicture};
use crate::tui::look::Look;
use crate::tui::out::{Out, fit, width};
use crate::tui::theme::Role;

/// A gap between two columns of boxes, in which lines run; cells where lines meet join.
pub(super) struct Wires {
    area: Rect,
    arms: Vec<u8>,
    roles: Vec<Role>,
}

const UP: u8 = 1;
const RIGHT: u8 = 2;
const DOWN: u8 = 4;
const LEFT: u8 = 8;

/// Where a link runs, from the left node to the right one.
pub(super) struct Route {
    /// Its cells, in order.
    cells: Vec<(u16, u16)>,
    /// The level stretch that belongs to this link alone: first cell and length.
    level: (u16, u16, u16),
}

impl Route {
    /// Straight from one column to before another.
    pub(super) fn level(from: u16, to: u16, row: u16) -> Self {
        let cells = (from..to).map(|x| (x, row)).collect();
        Self { cells, level: (from, row, to.saturating_sub(from)) }
    }

    /// From the gap's left edge at one row over an upright at `trunk` to its right edge at another row. The link's own
    /// stretch is the one to the left or to the right of the upright.
    pub(super) fn bent(gap: Rect, rows: [u16; 2], trunk: u16, own: Side) -> Self {
        let [left, right] = rows;
        if left == right {
            let mut route = Self::level(gap.left(), gap.right(), left);
            route.level = Self::own(gap, rows, trunk, own);
            return route;
        }
        let mut cells: Vec<_> = (gap.left()..trunk).map(|x| (x, left)).collect();
        if left < right {
            cells.extend((left..=right).map(|y| (trunk, y)));
        } else {
            cells.extend((right..=left).rev().map(|y| (trunk, y)));
        }
        cells.extend((trunk + 1..gap.right()).map(|x| (x, right)));
        Self { cells, level: Self::own(gap, rows, trunk, own) }
    }

    fn own(gap: Rect, rows: [u16; 2], trunk: u16, own: Side) -> (u16, u16, u16) {
        match own {
            Side::Left => (gap.left(), rows[0], trunk - gap.left()),
            Side::Right => (trunk + 1, rows[1], gap.right() - trunk - 1),
        }
    }

    /// Where a packet is, as an index into the cells.
    fn at(&self, packet: &PacketPicture) -> usize {
        let last = self.cells.len().saturating_sub(1);
        let along = last * usize::from(packet.progress.min(1000)) / 1000;
        if packet.is_backward { last - along } else { along }
    }

    /// The arrow for a packet where it is now.
    fn arrow(&self, packet: &PacketPicture, look: &Look) -> char {
        let (at, glyphs) = (self.at(packet), &look.glyphs);
        let before = self.cells.get(at.wrapping_sub(1)).map_or(0, |cell| cell.1);
        let (here, after) = (self.cells[at].1, self.cells.get(at + 1).map_or(0, |cell| cell.1));
        let is_upright = at > 0 && at + 1 < self.cells.len() && before != here && here != after;
        let sinks = before < after;
        match (is_upright, !packet.is_backward) {
            (true, is_rightward) if is_rightward == sinks => glyphs.arrow_down,
            (true, _) => glyphs.arrow_up,
            (false, true) => glyphs.arrow_right,
            (false, false) => glyphs.arrow_left,
        }
    }
}

/// On which side of the upright a link has a stretch to itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

impl Wires {
    pub(super) fn new(area: Rect) -> Self {
        let cells = usize::from(area.width) * usize::from(area.height);
        Self { area, arms: vec![0; cells], roles: vec![Role::Dim; cells] }
    }

    fn index(&self, (x, y): (u16, u16)) -> Option<usize> {
        let inside = self.area.contains((x, y).into());
        inside.then(|| {
            usize::from(y - self.area.y) * usize::from(self.area.width) + usize::from(x - self.area.x)
        })
    }

    /// Adds a link's line. What is in use stands out from what is idle.
    pub(super) fn add(&mut self, route: &Route, link: &LinkPicture) {
        let role = line_role(link);
        let mut before = route.cells.first().map(|&(x, y)| (x.wrapping_sub(1), y));
        for (at, &cell) in route.cells.iter().enumerate() {
            let after = route.cells.get(at + 1).copied().unwrap_or((cell.0 + 1, cell.1));
            let arms = before.map_or(0, |other| arm(cell, other)) | arm(cell, after);
            if let Some(index) = self.index(cell) {
                self.arms[index] |= arms;
                if rank(role) > rank(self.roles[index]) {
                    self.roles[index] = role;
                }
            }
            before = Some(cell);
        }
    }

    /// Draws the lines of all links.
    pub(super) fn draw(&self, look: &Look, out: &mut Out) {
        for position in self.area.positions() {
            let Some(index) = self.index((position.x, position.y)) else { continue };
            if self.arms[index] != 0 {
                let glyph = look.glyphs.junctions[usize::from(self.arms[index] & 15)];
                let (x, y) = (position.x - self.area.x, position.y - self.area.y);
                out.glyph(self.area, x, y, glyph, look.style(self.roles[index]));
            }
        }
    }
}

/// Which arm of a cell leads to its neighbour.
fn arm((x, y): (u16, u16), (other_x, other_y): (u16, u16)) -> u8 {
    match (other_x.cmp(&x), other_y.cmp(&y)) {
        (std::cmp::Ordering::Greater, _) => RIGHT,
        (std::cmp::Ordering::Less, _) => LEFT,
        (_, std::cmp::Ordering::Greater) => DOWN,
        (_, std::cmp::Ordering::Less) => UP,
        _ => 0,
    }
}

fn rank(role: Role) -> u8 {
    match role {
        Role::Fault => 2,
        Role::Text => 1,
        _ => 0,
    }
}

fn line_role(link: &LinkPicture) -> Role {
    if super::is_troubled(link) {
        Role::Fault
    } else if link.packets.is_empty() {
        Role::Dim
    } else {
        Role::Text
    }
}

/// Draws what is on a link whose line is drawn: packets, the words for the foremost of them, and what is wrong.
pub(super) fn draw_traffic(route: &Route, line: &Line, look: &Look, out: &mut Out) {
    let screen = out.area();
    let put = |out: &mut Out, (x, y): (u16, u16), glyph: char, style: Style| {
        out.glyph(screen, x - screen.x, y - screen.y, glyph, style);
    };
    let link = &line.link;
    let cuts = link.is_cut;
    let (from, row, room) = route.level;
    if cuts != [false; 2] {
        for x in from..from + room {
            put(out, (x, row), look.glyphs.dots, look.style(Role::Fault));
        }
    }
    for packet in &link.packets {
        let Some(&cell) = route.cells.get(route.at(packet)) else { continue };
        let glyph = route.arrow(packet, look);
        let role = if packet.messages > 0 { Role::Accent } else { Role::Text };
        put(out, cell, glyph, look.style(role));
    }
    let own = Rect { x: from, y: row, width: room, height: 1 };
    if super::is_troubled(link) {
        let text = trouble(line, room, look);
        let at = room.saturating_sub(width(&text)) / 2;
        out.text(own, at, 0, &text, look.style(Role::Fault));
        return;
    }
    label(route, link, own, look, out);
}

/// The family's word for the first packet that has room for it, next to the packet and clear of all others.
fn label(route: &Route, link: &LinkPicture, own: Rect, look: &Look, out: &mut Out) {
    let occupied: Vec<_> = link.packets.iter().filter_map(|one| route.cells.get(route.at(one))).collect();
    let is_free = |from: u16, to: u16| {
        from >= own.left()
            && to <= own.right()
            && !occupied.iter().any(|cell| cell.1 == own.y && (from..to).contains(&cell.0))
    };
    let mut wanted: Vec<_> = link.packets.iter().collect();
    wanted.sort_by_key(|packet| packet.messages == 0);
    for packet in wanted {
        let Some(&(x, y)) = route.cells.get(route.at(packet)) else { continue };
        let role = if packet.messages > 0 { Role::Accent } else { Role::Text };
        for text in [packet_text(packet), packet.label.to_owned()] {
            let columns = width(&text);
            let middle = own.x + own.width.saturating_sub(columns) / 2;
            // Behind the packet, before it, or anywhere on its line.
            let behind = x.saturating_sub(columns);
            let places = match (y == own.y, !packet.is_backward) {
                (true, true) => [behind, x + 1, middle],
                (true, false) => [x + 1, behind, middle],
                (false, _) => [middle; 3],
            };
            if let Some(from) = places.into_iter().find(|&from| is_free(from, from + columns)) {
                out.text(own, from - own.x, 0, &text, look.style(role));
                return;
            }
        }
    }
}

fn packet_text(packet: &PacketPicture) -> String {
    if packet.messages > 0 {
        format!("{} {}", packet.label, packet.messages)
    } else {
        packet.label.to_owned()
    }
}

/// What is wrong with a link, in as many columns: the cut glyph with an arrow for each direction that is cut, words,
/// and how many segments wait.
fn trouble(line: &Line, room: u16, look: &Look) -> String {
    let (link, cuts) = (&line.link, line.link.is_cut);
    let glyphs = &look.glyphs;
    let mut sign = String::new();
    if cuts[1] {
        sign.push(glyphs.arrow_left);
    }
    if cuts != [false; 2] {
        sign.push(glyphs.cut);
    }
    if cuts[0] {
        sign.push(glyphs.arrow_right);
    }
    let held: usize = link.held.iter().sum();
    let mut long = Vec::new();
    let mut short = sign.clone();
    if !sign.is_empty() {
        let part = look.with("cluster.cut_some", &[("count", &line.cut), ("all", &line.pairs)]);
        let word = if line.cut < line.pairs { &part } else { look.word("cluster.cut") };
        long.push(format!("{sign} {word}"));
    }
    if link.is_spoiled {
        long.push(look.word("cluster.spoiled").to_owned());
        if sign.is_empty() {
            short.push(glyphs.fault);
        }
    }
    if held > 0 {
        long.push(look.with("cluster.waiting", &[("count", &held)]));
        short.push_str(&held.to_string());
    }
    let tries = [format!(" {} ", long.join(" ")), long.join(" "), long.concat(), short, sign];
    tries.into_iter().find(|text| width(text) <= room).unwrap_or_default()
}

/// Draws a link as a line of its own: a name at each end.
pub(super) fn draw_pair(names: [&str; 2], line: &Line, area: Rect, look: &Look, out: &mut Out) {
    out.claim(area);
    let most = (area.width.saturating_sub(8)) / 2;
    let room = names.map(|name| width(name).min(most.min(area.width / 3)));
    out.text(area, 0, 0, &fit(names[0], room[0], look), look.style(Role::Text));
    let second = area.width.saturating_sub(room[1]);
    out.text(area, second, 0, &fit(names[1], room[1], look), look.style(Role::Text));
    let (from, to) = (area.x + room[0] + 1, area.right().saturating_sub(room[1] + 1));
    if from + 2 > to {
        return;
    }
    let route = Route::level(from, to, area.y);
    let mut wires = Wires::new(Rect { x: from, width: to - from, ..area });
    wires.add(&route, &line.link);
    wires.draw(look, out);
    draw_traffic(&route, line, look, out);
}
