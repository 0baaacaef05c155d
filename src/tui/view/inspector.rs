//! All state of one node, by heading, in as many columns as there is room for.
//!
//! ```text
//! ● broker-1  up  controller, leads 2                                   lines 1 to 24 of 61
//!
//! orders/0                                 clients
//!   leader   broker-1                        connections  7
//!   epoch    3                               in flight    2
//! ```

use ratatui::layout::Rect;

use super::cluster::health;
use crate::broker::picture::{NodePicture, Section};
use crate::tui::look::Look;
use crate::tui::out::{Out, fit, width, wrap};
use crate::tui::scene::Scene;
use crate::tui::theme::Role;

/// A column is at least so wide when there are several.
const COLUMN_MIN: u16 = 38;
const COLUMNS_MAX: u16 = 4;
const INDENT: u16 = 2;

/// A line of the text that is scrolled.
enum Line {
    Blank,
    Title(String),
    /// A value and the name that stands before it; of a value that was broken, only the first line has one.
    Field(String, String, u16),
}

/// Draws the node that is picked.
pub fn draw(scene: &Scene<'_>, area: Rect, out: &mut Out) {
    let area = area.intersection(out.area());
    if area.is_empty() {
        return;
    }
    let head = Rect { height: 1, ..area };
    let body = Rect { y: (area.y + 2).min(area.bottom()), height: area.height.saturating_sub(2), ..area };
    out.claim(head);
    let nodes = scene.instant.world.nodes();
    let Some(node) = nodes.into_iter().find(|one| one.node == scene.pick.node) else {
        out.fitted(head, 0, 0, scene.look.word("inspector.nothing"), scene.look, Role::Dim);
        return;
    };
    let sections = scene.instant.world.inspect(node.node);
    let position = draw_body(scene, &sections, body, out);
    draw_head(&node, &position, head, scene.look, out);
}

fn draw_head(node: &NodePicture, position: &str, area: Rect, look: &Look, out: &mut Out) {
    let (glyph, word, role) = health(node.health, look);
    out.glyph(area, 0, 0, glyph, look.style(role));
    let mut column = 2 + out.fitted(area, 2, 0, &node.name, look, Role::Title) + 2;
    column += out.fitted(area, column, 0, word, look, role) + 2;
    let free = area.width.saturating_sub(column);
    let for_position = width(position);
    let room = if for_position > 0 { free.saturating_sub(for_position + 2) } else { free };
    if room > 3 {
        out.text(area, column, 0, &fit(&node.role, room, look), look.style(Role::Accent));
    }
    if for_position > 0 && for_position <= free {
        out.text(area, area.width - for_position, 0, position, look.style(Role::Dim));
    }
}

/// Draws the part of the text that is scrolled to; the words for which part that is, if it is not all.
fn draw_body(scene: &Scene<'_>, sections: &[Section], area: Rect, out: &mut Out) -> String {
    if area.is_empty() {
        return String::new();
    }
    let look = scene.look;
    out.claim(area);
    if sections.iter().all(|section| section.fields.is_empty()) {
        out.fitted(area, 0, 0, look.word("inspector.empty"), look, Role::Dim);
        return String::new();
    }
    // As few columns as all of it needs: lines stay long and the eye goes down.
    let most = (area.width / COLUMN_MIN).clamp(1, COLUMNS_MAX);
    let rows = usize::from(area.height);
    let flow = |across: u16| (across, lines(sections, (area.width / across).saturating_sub(2)));
    let fits = (1..=most).map(flow).find(|(across, lines)| lines.len() <= rows * usize::from(*across));
    let (across, lines) = fits.unwrap_or_else(|| flow(most));
    let room = rows * usize::from(across);
    let first = scene.pick.scroll.min(lines.len().saturating_sub(room));
    let each = area.width / across;
    for (number, line) in lines.iter().skip(first).take(room).enumerate() {
        let column = Rect {
            x: area.x + (number / rows) as u16 * each,
            width: each - if across > 1 { 2 } else { 0 },
            ..area
        };
        draw_line(line, column, (number % rows) as u16, look, out);
    }
    if lines.len() <= room {
        return String::new();
    }
    let last = (first + room).min(lines.len());
    look.with("inspector.position", &[("from", &(first + 1)), ("to", &last), ("all", &lines.len())])
}

fn lines(sections: &[Section], columns: u16) -> Vec<Line> {
    let mut lines = Vec::new();
    for section in sections.iter().filter(|section| !section.fields.is_empty()) {
        if !lines.is_empty() {
            lines.push(Line::Blank);
        }
        lines.push(Line::Title(section.title.clone()));
        let longest = section.fields.iter().map(|field| width(&field.name)).max().unwrap_or(0);
        let values = section.fields.iter().map(|field| width(&field.value)).max().unwrap_or(0);
        // Names are cut only where values need the room.
        let names = longest.min(columns.saturating_sub(INDENT + 2 + values.min(columns / 2)));
        let room = columns.saturating_sub(INDENT + names + 2);
        for field in &section.fields {
            let mut values = wrap(&field.value, room).into_iter();
            lines.push(Line::Field(field.name.clone(), values.next().unwrap_or_default(), names));
            lines.extend(values.map(|value| Line::Field(String::new(), value, names)));
        }
    }
    lines
}

fn draw_line(line: &Line, area: Rect, row: u16, look: &Look, out: &mut Out) {
    match line {
        Line::Blank => {}
        Line::Title(title) => {
            out.fitted(area, 0, row, title, look, Role::Title);
        }
        Line::Field(name, value, names) => {
            let room = (*names).min(area.width.saturating_sub(INDENT));
            out.text(area, INDENT, row, &fit(name, room, look), look.style(Role::Dim));
            out.fitted(area, INDENT + names + 2, row, value, look, Role::Text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::view::kit::{Stage, demand_all_sizes};
    use crate::tui::view::puppet::{Puppet, field};

    fn stage(fields: usize) -> Stage {
        let mut puppet = Puppet::cluster();
        let section = |title: &str, count: usize| Section {
            title: title.to_owned(),
            fields: (0..count).map(|n| field(&format!("field {n}"), &format!("value {n}"))).collect(),
        };
        puppet.sections = vec![section("orders/0", fields), section("订单", 2), section("empty", 0)];
        puppet.sections[1].fields[0].value = "broker-1, broker-2, broker-3, ".repeat(3);
        let mut stage = Stage::fake();
        stage.instant.world = Box::new(puppet);
        stage
    }

    #[test]
    fn values_stand_below_one_another() {
        insta::assert_snapshot!(stage(3).text(draw, 60, 13));
    }

    #[test]
    fn what_does_not_fit_is_scrolled_to_and_never_past_the_end() {
        let mut stage = stage(100);
        let first = stage.text(draw, 60, 13);
        assert!(first.contains("Lines 1 to 11 of 1") && first.contains("field 0 "), "{first}");
        stage.pick.scroll = 10_000;
        let last = stage.text(draw, 60, 13);
        assert!(last.contains("订单") && !last.contains("orders/0"), "{last}");
        assert!(!stage.text(draw, 118, 70).contains("Lines"), "all of it fits");
    }

    #[test]
    fn it_stays_where_it_belongs_at_every_size() {
        demand_all_sizes(&stage(100), draw);
        demand_all_sizes(&stage(1), draw);
    }
}
