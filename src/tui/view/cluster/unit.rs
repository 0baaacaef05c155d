//! What has a box of its own, a node or a group of equal nodes, and what joins two of them.

use std::collections::BTreeMap;

use ratatui::layout::Rect;

use super::{Cluster, is_shown, node};
use crate::broker::picture::{Health, LinkPicture, NodePicture, Station};
use crate::tui::action::Action;
use crate::tui::look::Look;
use crate::tui::out::{Out, fit, width};
use crate::tui::theme::Role;

/// A node, or the instances of one application.
pub(super) struct Unit {
    pub(super) name: String,
    /// Indices of its nodes.
    pub(super) members: Vec<usize>,
    pub(super) station: Station,
    /// Left, middle or right.
    pub(super) column: usize,
}

/// All that joins two units.
pub(super) struct Line {
    /// The left one and the right one; in the same column, in their order.
    pub(super) units: [usize; 2],
    /// Which gap between columns it crosses; none: its units stand in no neighbouring columns.
    pub(super) gap: Option<usize>,
    /// From the first unit to the second, packets of all connections together.
    pub(super) link: LinkPicture,
    /// How many pairs of nodes it joins, and how many of them are cut.
    pub(super) pairs: usize,
    pub(super) cut: usize,
}

fn column_of(station: Station) -> usize {
    match station {
        Station::Senders => 0,
        Station::Cluster => 1,
        Station::Receivers | Station::Services => 2,
    }
}

/// What instances of one application have in common, and what tells them apart: `checkout` and `2` of `checkout/2`.
fn parts(name: &str) -> (&str, &str) {
    name.split_once('/').unwrap_or((name, name))
}

/// Every node, or every group of instances.
pub(super) fn units(cluster: &Cluster<'_>, is_grouped: bool) -> Vec<Unit> {
    let mut units: Vec<Unit> = Vec::new();
    for (at, node) in cluster.nodes.iter().enumerate() {
        let stem = parts(&node.name).0;
        let is_instance = is_grouped && node.name.contains('/');
        let same = |unit: &&mut Unit| is_instance && unit.station == node.station && unit.name == stem;
        if let Some(unit) = units.iter_mut().find(same) {
            unit.members.push(at);
            continue;
        }
        let name = if is_instance { stem } else { &node.name }.to_owned();
        units.push(Unit { name, members: vec![at], station: node.station, column: column_of(node.station) });
    }
    for unit in units.iter_mut().filter(|unit| unit.members.len() == 1) {
        unit.name.clone_from(&cluster.nodes[unit.members[0]].name);
    }
    units
}

/// What joins units, all connections between the same two together.
pub(super) fn lines(cluster: &Cluster<'_>, units: &[Unit]) -> Vec<Line> {
    let mut unit_of = vec![0; cluster.nodes.len()];
    for (number, unit) in units.iter().enumerate() {
        for &member in &unit.members {
            unit_of[member] = number;
        }
    }
    let mut lines: BTreeMap<[usize; 2], Line> = BTreeMap::new();
    for link in cluster.links.iter().filter(|link| is_shown(link)) {
        let [Some(one), Some(other)] = link.ends.map(|end| cluster.index(end).map(|at| unit_of[at])) else {
            continue;
        };
        if one == other {
            continue;
        }
        let key = |at: usize| (units[at].column, at);
        let is_turned = key(one) > key(other);
        let (joined, link) =
            if is_turned { ([other, one], turned(link)) } else { ([one, other], link.clone()) };
        let is_cut = usize::from(link.is_cut != [false; 2]);
        if let Some(line) = lines.get_mut(&joined) {
            line.pairs += 1;
            line.cut += is_cut;
            merge(&mut line.link, link);
        } else {
            let [left, right] = joined.map(|at| units[at].column);
            let gap = (left + 1 == right).then_some(left);
            lines.insert(joined, Line { units: joined, gap, link, pairs: 1, cut: is_cut });
        }
    }
    lines.into_values().collect()
}

/// The link as seen from its second node.
fn turned(link: &LinkPicture) -> LinkPicture {
    let mut turned = link.clone();
    turned.ends.reverse();
    turned.is_cut.reverse();
    turned.held.reverse();
    for packet in &mut turned.packets {
        packet.is_backward = !packet.is_backward;
    }
    turned
}

fn merge(into: &mut LinkPicture, link: LinkPicture) {
    into.is_connected |= link.is_connected;
    into.is_spoiled |= link.is_spoiled;
    for side in 0..2 {
        into.is_cut[side] |= link.is_cut[side];
        into.held[side] += link.held[side];
    }
    into.packets.extend(link.packets);
}

/// How many rows a unit's box of that width could fill, frame included.
pub(super) fn height_wanted(cluster: &Cluster<'_>, unit: &Unit, columns: u16) -> u16 {
    match unit.members[..] {
        [only] => node::height_wanted(&cluster.nodes[only], columns),
        _ => 2 + unit.members.len().min(30) as u16,
    }
}

/// Draws a group: a frame around a line for each of its nodes.
pub(super) fn draw_group(cluster: &Cluster<'_>, unit: &Unit, area: Rect, out: &mut Out) {
    let look = cluster.scene.look;
    out.claim(area);
    let nodes: Vec<_> = unit.members.iter().map(|&at| &cluster.nodes[at]).collect();
    let picked = nodes.iter().position(|node| cluster.is_selected(node));
    let inner = out.frame(area, "", look, if picked.is_some() { Role::Focus } else { Role::Border });
    group_title(&unit.name, &nodes, area, look, out);
    let rows = usize::from(inner.height);
    let is_cut = nodes.len() > rows;
    let room = if is_cut && rows > 1 { rows - 1 } else { rows };
    let first = picked.map_or(0, |at| (at + 1).saturating_sub(room));
    let names = nodes.iter().map(|node| width(parts(&node.name).1)).max().unwrap_or(0).min(inner.width / 2);
    for (row, node) in nodes.iter().skip(first).take(room).enumerate() {
        let own = Rect { y: inner.y + row as u16, height: 1, ..inner };
        out.hit(own, Action::SelectNode(node.node));
        let (glyph, word, role) = node::health(node.health, look);
        out.glyph(own, 0, 0, glyph, look.style(role));
        let name_role = if cluster.is_selected(node) { Role::Selected } else { Role::Title };
        out.text(own, 2, 0, &fit(parts(&node.name).1, names, look), look.style(name_role));
        let used = (names + 3).min(own.width);
        let rest = Rect { x: own.x + used, width: own.width - used, ..own };
        match (node.health, node.station) {
            (Health::Up, Station::Senders) if node.held > 0 => {
                node::draw_holds(cluster.scene, node, rest, out);
            }
            (Health::Up, Station::Senders) => {}
            (Health::Up, _) => node::draw_rest(cluster.scene, node, rest, out),
            _ => {
                out.fitted(rest, 0, 0, word, look, role);
            }
        }
    }
    if is_cut && rows > 1 {
        let more = look.with("cluster.more", &[("count", &(nodes.len() - room))]);
        out.fitted(inner, 0, inner.height - 1, &more, look, Role::Dim);
    }
}

/// How those of its nodes fare that fare worst, and how many they are.
pub(super) fn worst(nodes: &[&NodePicture]) -> (Health, usize) {
    let worst = nodes.iter().map(|node| node.health).max().unwrap_or(Health::Up);
    (worst, nodes.iter().filter(|node| node.health == worst).count())
}

/// Its name, how many nodes it has, and how those fare that fare worst.
fn group_title(name: &str, nodes: &[&NodePicture], area: Rect, look: &Look, out: &mut Out) {
    let (worst, count) = worst(nodes);
    let (glyph, word, role) = node::health(worst, look);
    let state = format!(" {glyph} {count} {word} ");
    let title = format!(" {} ", look.with("cluster.times", &[("name", &name), ("count", &nodes.len())]));
    let room = area.width.saturating_sub(2);
    let is_well = worst == Health::Up;
    let has_state = !is_well || width(&title) + width(&state) <= room;
    let for_state = if has_state { width(&state).min(room) } else { 0 };
    let title = if width(&title) > room { title.trim_end() } else { &title };
    let title = fit(title, room - for_state, look);
    out.text(area, 1, 0, &title, look.style(Role::Title));
    if for_state > 0 {
        out.text(area, area.width - 1 - for_state, 0, &fit(&state, for_state, look), look.style(role));
    }
}
