//! One line for each node, by station, and one for each link that is in trouble or in use.

use ratatui::layout::Rect;

use super::boxes::choose;
use super::wire::draw_pair;
use super::{Cluster, node, unit};
use crate::broker::picture::{Health, Station};
use crate::tui::action::Action;
use crate::tui::out::{Out, width};
use crate::tui::theme::Role;

/// A column of lines is at least so wide when there are several.
const COLUMN_MIN: u16 = 57;

enum Row {
    Heading(Station, usize),
    /// Instances of one application, none of them selected.
    Group(unit::Unit),
    Node(usize),
}

impl Row {
    /// How many nodes it tells of.
    fn nodes(&self) -> usize {
        match self {
            Self::Heading(..) => 0,
            Self::Group(unit) => unit.members.len(),
            Self::Node(_) => 1,
        }
    }
}

/// Draws the cluster as lines.
pub(super) fn draw(cluster: &Cluster<'_>, area: Rect, out: &mut Out) {
    let head = Rect { height: 1, ..area };
    let rest = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let mut lines = lines(cluster);
    let joined = unit::lines(cluster, &unit::units(cluster, false));
    let links = links_height(cluster, joined.len(), &lines, rest);
    let list = Rect { height: rest.height - links, ..rest };
    let rows = usize::from(list.height);
    if lines.len() > rows && cluster.nodes.len() <= rows {
        // Every node is worth more than headings; the names and the order tell the stations.
        lines.retain(|line| matches!(line, Row::Node(_)));
    } else if lines.len() > rows {
        lines = grouped(cluster);
    }
    let range = draw_list(cluster, &lines, list, out);
    draw_head(cluster, range, head, out);
    draw_links(cluster, &joined, Rect { y: list.bottom(), height: links, ..rest }, out);
}

fn lines(cluster: &Cluster<'_>) -> Vec<Row> {
    let mut lines = Vec::new();
    for station in [Station::Senders, Station::Cluster, Station::Receivers, Station::Services] {
        let members: Vec<_> =
            (0..cluster.nodes.len()).filter(|&at| cluster.nodes[at].station == station).collect();
        if !members.is_empty() {
            lines.push(Row::Heading(station, members.len()));
            lines.extend(members.into_iter().map(Row::Node));
        }
    }
    lines
}

/// Nodes, but instances of one application in one line while none of them is selected.
fn grouped(cluster: &Cluster<'_>) -> Vec<Row> {
    let mut units = unit::units(cluster, true);
    units.sort_by_key(|unit| unit.station);
    let mut rows = Vec::new();
    for unit in units {
        let is_open = unit.members.iter().any(|&at| cluster.is_selected(&cluster.nodes[at]));
        if unit.members.len() == 1 || is_open {
            rows.extend(unit.members.into_iter().map(Row::Node));
        } else {
            rows.push(Row::Group(unit));
        }
    }
    rows
}

/// Room for links: what nodes leave, or a fifth; always the same for the same links, so that nothing jumps while
/// packets go.
fn links_height(cluster: &Cluster<'_>, links: usize, lines: &[Row], area: Rect) -> u16 {
    if links == 0 || area.height < 6 {
        return 0;
    }
    let nodes = if lines.len() + 2 > usize::from(area.height) { cluster.nodes.len() } else { lines.len() };
    let left = area.height.saturating_sub(nodes.min(usize::from(u16::MAX)) as u16);
    let across = (area.width / COLUMN_MIN).max(1);
    ((links as u16).div_ceil(across) + 1).min(left.max((area.height / 5).max(2)))
}

/// Draws as many lines as fit, the selected node's among them; how many nodes are shown.
fn draw_list(cluster: &Cluster<'_>, lines: &[Row], area: Rect, out: &mut Out) -> usize {
    if area.is_empty() {
        return 0;
    }
    let rows = usize::from(area.height);
    let across = if lines.len() > rows { (area.width / COLUMN_MIN).max(1) } else { 1 };
    let room = rows * usize::from(across);
    let is_picked = |line: &Row| match line {
        Row::Node(at) => cluster.is_selected(&cluster.nodes[*at]),
        Row::Heading(..) | Row::Group(_) => false,
    };
    let picked = lines.iter().position(is_picked).unwrap_or(0);
    let first = picked.saturating_sub(room / 2).min(lines.len().saturating_sub(room));
    let each = area.width / across;
    let longest = cluster.nodes.iter().map(|one| width(&one.name)).max().unwrap_or(0);
    let name = longest.min(each / 3);
    let mut shown = 0;
    for (number, line) in lines[first..].iter().take(room).enumerate() {
        let column = (number / rows) as u16;
        let row = Rect {
            x: area.x + column * each,
            y: area.y + (number % rows) as u16,
            width: each - u16::from(across > 1),
            height: 1,
        };
        out.claim(row);
        shown += line.nodes();
        match line {
            Row::Heading(station, count) => heading(cluster, *station, *count, row, out),
            Row::Group(unit) => group(cluster, unit, name, row, out),
            Row::Node(at) => node::draw_row(cluster, &cluster.nodes[*at], name, row, out),
        }
    }
    shown
}

fn heading(cluster: &Cluster<'_>, station: Station, count: usize, area: Rect, out: &mut Out) {
    let look = cluster.scene.look;
    let word = look.word(match station {
        Station::Senders => "cluster.senders",
        Station::Cluster => "cluster.brokers",
        Station::Receivers => "cluster.receivers",
        Station::Services => "cluster.services",
    });
    let end = out.fitted(area, 0, 0, word, look, Role::Title) + 1;
    if count > 1 {
        out.text(area, end, 0, &count.to_string(), look.style(Role::Dim));
    }
}

/// Instances of one application in one line: how those fare that fare worst, and what they have in hand together.
fn group(cluster: &Cluster<'_>, unit: &unit::Unit, name: u16, area: Rect, out: &mut Out) {
    let look = cluster.scene.look;
    let nodes: Vec<_> = unit.members.iter().map(|&at| &cluster.nodes[at]).collect();
    out.hit(area, Action::SelectNode(nodes[0].node));
    let (worst, count) = unit::worst(&nodes);
    let (glyph, word, role) = node::health(worst, look);
    out.glyph(area, 2, 0, glyph, look.style(role));
    let title = look.with("cluster.times", &[("name", &unit.name), ("count", &nodes.len())]);
    let end = 4 + out.fitted(area, 4, 0, &title, look, Role::Title).max(name) + 1;
    let state = format!("{count} {word}");
    let end = end + out.fitted(area, end, 0, &state, look, role) + 2;
    let held: usize = nodes.iter().map(|node| node.held).sum();
    if held > 0 {
        out.fitted(area, end, 0, &look.with("cluster.held", &[("count", &held)]), look, Role::Text);
    }
}

/// How many nodes fare how, and how many of them are shown.
fn draw_head(cluster: &Cluster<'_>, shown: usize, area: Rect, out: &mut Out) {
    let look = cluster.scene.look;
    out.claim(area);
    let mut column = 0;
    for health in [Health::Up, Health::Stopping, Health::Frozen, Health::Down, Health::Off] {
        let count = cluster.nodes.iter().filter(|one| one.health == health).count();
        if count > 0 {
            let (glyph, word, role) = node::health(health, look);
            column += out.text(area, column, 0, &format!("{glyph} {count} {word}"), look.style(role)) + 3;
        }
    }
    let all = cluster.nodes.len();
    let mut right = area.width;
    if shown < all {
        let text = look.with("cluster.shown", &[("shown", &shown), ("all", &all)]);
        if column + width(&text) <= right {
            right -= width(&text);
            out.text(area, right, 0, &text, look.style(Role::Warn));
        }
    }
    // Who is not well, even if out of sight.
    let ill = cluster.nodes.iter().filter(|one| one.health != Health::Up);
    for node in ill {
        let (glyph, _, role) = node::health(node.health, look);
        let text = format!("{glyph} {}", node.name);
        if column + width(&text) + 2 > right {
            break;
        }
        column += out.text(area, column, 0, &text, look.style(role)) + 2;
    }
}

fn draw_links(cluster: &Cluster<'_>, links: &[unit::Line], area: Rect, out: &mut Out) {
    let look = cluster.scene.look;
    if area.height < 2 {
        return;
    }
    let across = (area.width / COLUMN_MIN).max(1);
    let shown = choose(links.iter().collect(), usize::from(across * (area.height - 1)));
    let head = Rect { height: 1, ..area };
    out.claim(head);
    let title = if shown.len() < links.len() {
        look.with("cluster.links_some", &[("shown", &shown.len()), ("all", &links.len())])
    } else {
        look.word("cluster.links").to_owned()
    };
    let end = out.fitted(head, 0, 0, &title, look, Role::Title) + 1;
    for x in end..head.width {
        out.glyph(head, x, 0, look.glyphs.horizontal, look.style(Role::Border));
    }
    let each = area.width / across;
    for (number, line) in shown.iter().enumerate() {
        let (column, row) = (number as u16 % across, number as u16 / across);
        let width = each - if column + 1 < across { 3 } else { 0 };
        let area = Rect { x: area.x + column * each, y: area.y + 1 + row, width, height: 1 };
        draw_pair(line.link.ends.map(|end| cluster.name(end)), line, area, look, out);
    }
}
