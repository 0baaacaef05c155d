//! A node: its box, its line, and what both of them say.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::Cluster;
use crate::broker::picture::{DiskPicture, Field, Health, LinkPicture, NodePicture, Station};
use crate::tui::action::Action;
use crate::tui::look::Look;
use crate::tui::out::{Out, fit, width, wrap};
use crate::tui::scene::Scene;
use crate::tui::theme::Role;

/// A box below this width has no room to waste at its sides.
const NARROW: u16 = 20;
/// A bar is at least so long.
const BAR_MIN: u16 = 5;
/// So much of a field's name is left at least where its value needs the room.
const NAME_MIN: u16 = 4;

/// The glyph, the word and the meaning of a node's health.
pub(in crate::tui::view) fn health(health: Health, look: &Look) -> (char, &'static str, Role) {
    let glyphs = &look.glyphs;
    match health {
        Health::Up => (glyphs.up, look.word("cluster.up"), Role::Good),
        Health::Stopping => (glyphs.stopping, look.word("cluster.stopping"), Role::Warn),
        Health::Frozen => (glyphs.frozen, look.word("cluster.frozen"), Role::Fault),
        Health::Down => (glyphs.down, look.word("cluster.down"), Role::Bad),
        Health::Off => (glyphs.off, look.word("cluster.off"), Role::Bad),
    }
}

/// How many rows a node's box of that width could fill with all that it has to say, frame included.
pub(super) fn height_wanted(node: &NodePicture, columns: u16) -> u16 {
    let room = columns.saturating_sub(2 * margin(columns)).saturating_sub(2).max(1);
    let holds = node.station != Station::Cluster || node.held > 0;
    let role = wrap(&node.role, room).len().min(2);
    let rows = role + usize::from(node.disk.is_some()) + usize::from(holds);
    (2 + rows + broken(&node.summary, room).len()).min(12) as u16
}

/// Columns between the sides of a box and what it says.
fn margin(columns: u16) -> u16 {
    u16::from(columns >= NARROW)
}

/// Fields, those that are too long for a line as two: the name, and the value below it.
fn broken(fields: &[Field], columns: u16) -> Vec<Field> {
    let mut broken = Vec::new();
    for field in fields {
        if field_width(field) <= columns || field.name.is_empty() {
            broken.push(field.clone());
        } else {
            broken.push(Field { name: field.name.clone(), value: String::new() });
            broken.push(Field { name: String::new(), value: format!(" {}", field.value) });
        }
    }
    broken
}

/// Draws a node's box.
pub(super) fn draw_box(cluster: &Cluster<'_>, node: &NodePicture, area: Rect, out: &mut Out) {
    out.claim(area);
    out.hit(area, Action::SelectNode(node.node));
    let is_selected = cluster.is_selected(node);
    let look = cluster.scene.look;
    frame(node, is_selected, area, look, out);
    title(node, is_selected, area, look, out);
    let margin = 1 + margin(area.width);
    let inner = Rect {
        x: area.x + margin,
        y: area.y + 1,
        width: area.width.saturating_sub(2 * margin),
        height: area.height.saturating_sub(2),
    };
    lower_edge(cluster, node, area, out);
    contents(cluster.scene, node, inner, out);
}

/// In the lower edge: how many of its links are cut, and, in a box of one line, its disk.
fn lower_edge(cluster: &Cluster<'_>, node: &NodePicture, area: Rect, out: &mut Out) {
    let look = cluster.scene.look;
    let (row, mut room) = (area.height - 1, area.width.saturating_sub(4));
    let is_cut = |link: &&LinkPicture| link.ends.contains(&node.node) && link.is_cut != [false; 2];
    let cuts = cluster.links.iter().filter(is_cut).count();
    if cuts > 0 {
        let words = match cuts {
            1 => look.word("cluster.cuts_one").to_owned(),
            _ => look.with("cluster.cuts_many", &[("count", &cuts)]),
        };
        let (long, short) =
            (format!(" {} {words} ", look.glyphs.cut), format!(" {} {cuts} ", look.glyphs.cut));
        let text = if width(&long) <= room { long } else { fit(&short, room, look) };
        room -= out.text(area, 2, row, &text, look.style(Role::Fault)).min(room);
    }
    if let Some(disk) = node.disk.filter(|disk| area.height == 3 && disk.bytes > 0) {
        let text = format!(" {} ", disk_texts(disk, look)[1]);
        let role = if disk.durable < disk.bytes { Role::Warn } else { Role::Dim };
        if width(&text) <= room {
            out.text(area, area.width - 2 - width(&text), row, &text, look.style(role));
        }
    }
}

/// The frame tells the health: whole while it runs, double-barred while frozen, broken when it is down, and next to
/// nothing when the machine is off.
fn frame(node: &NodePicture, is_selected: bool, area: Rect, look: &Look, out: &mut Out) {
    let glyphs = &look.glyphs;
    let role = match node.health {
        Health::Up if is_selected => Role::Focus,
        Health::Up => Role::Border,
        Health::Stopping => Role::Warn,
        Health::Frozen => Role::Fault,
        Health::Down | Health::Off => Role::Bad,
    };
    let (across, upright, corners) = match node.health {
        Health::Up | Health::Stopping if is_selected => {
            (glyphs.horizontal_heavy, glyphs.vertical_heavy, glyphs.corners_heavy)
        }
        Health::Up | Health::Stopping => (glyphs.horizontal, glyphs.vertical, glyphs.corners),
        Health::Frozen => (glyphs.horizontal, glyphs.frozen, [glyphs.frozen; 4]),
        Health::Down => (glyphs.dots, glyphs.dots_vertical, [glyphs.down; 4]),
        Health::Off => (' ', ' ', [glyphs.off; 4]),
    };
    let style = look.style(role);
    let (right, bottom) = (area.width.saturating_sub(1), area.height.saturating_sub(1));
    for x in 1..right {
        out.glyph(area, x, 0, across, style);
        out.glyph(area, x, bottom, across, style);
    }
    for y in 1..bottom {
        out.glyph(area, 0, y, upright, style);
        out.glyph(area, right, y, upright, style);
    }
    for ((x, y), corner) in [(0, 0), (right, 0), (0, bottom), (right, bottom)].into_iter().zip(corners) {
        out.glyph(area, x, y, corner, style);
    }
}

fn title(node: &NodePicture, is_selected: bool, area: Rect, look: &Look, out: &mut Out) {
    let (glyph, word, role) = health(node.health, look);
    let margin = if area.width < NARROW { 1 } else { 2 };
    let room = area.width.saturating_sub(2 * margin);
    // That all is well needs no word where there is no room for it.
    let wanted = if node.health == Health::Up { width(&node.name) + 6 } else { 10 };
    let for_word = width(word) + 2;
    let for_word = if wanted + for_word <= room { for_word } else { 0 };
    let room = room - for_word;
    if room < 5 {
        return;
    }
    let name = fit(&node.name, room - 4, look);
    let name_style = look.style(if is_selected { Role::Selected } else { Role::Title });
    let end = margin + out.text(area, margin, 0, &format!(" {glyph} "), look.style(role));
    let end = end + out.text(area, end, 0, &name, name_style);
    out.text(area, end, 0, " ", name_style);
    if for_word > 0 {
        let word = format!(" {word} ");
        out.text(area, area.width - margin - for_word, 0, &word, look.style(role));
    }
}

fn contents(scene: &Scene<'_>, node: &NodePicture, area: Rect, out: &mut Out) {
    if area.height == 1 {
        draw_line(scene, node, None, area, out);
        return;
    }
    let look = scene.look;
    let role = if is_running(node) { Role::Accent } else { Role::Dim };
    let lines = wrap(&node.role, area.width);
    let has_room = area.height > 3 && lines.len() == 2;
    let lines = if has_room || lines.is_empty() { lines } else { vec![fit(&node.role, area.width, look)] };
    let mut rest = area.height.saturating_sub(lines.len() as u16);
    let mut take = |wanted: bool| {
        let taken = u16::from(wanted && rest > 0);
        rest -= taken;
        taken == 1
    };
    let disk = node.disk.filter(|_| take(true));
    let holds = take(node.held > 0);
    for (row, line) in lines.iter().enumerate() {
        out.text(area, 0, row as u16, line, look.style(role));
    }
    let mut row = lines.len() as u16;
    let fields = broken(&node.summary, area.width);
    let fields = if fields.len() <= usize::from(rest) { &fields } else { &node.summary };
    for line in pack(fields, area.width, rest) {
        let mut column = 0;
        for field in line {
            column += draw_field(field, area, column, row, look, out) + 2;
        }
        row += 1;
    }
    if let Some(disk) = disk {
        draw_disk(disk, Rect { y: area.y + row, height: 1, ..area }, scene.look, out);
        row += 1;
    }
    if holds {
        draw_holds(scene, node, Rect { y: area.y + row, height: 1, ..area }, out);
    }
}

fn is_running(node: &NodePicture) -> bool {
    matches!(node.health, Health::Up | Health::Stopping)
}

/// Its name and value; the columns written. Where there is room for the value and little more, the name is cut.
fn draw_field(field: &Field, area: Rect, column: u16, row: u16, look: &Look, out: &mut Out) -> u16 {
    let gap = u16::from(!field.name.is_empty());
    let room = area.width.saturating_sub(column);
    let beside_value = room.saturating_sub(gap + width(&field.value));
    let for_name = if field.value.is_empty() || beside_value < NAME_MIN { room } else { beside_value };
    let name = out.fitted(area, column, row, &fit(&field.name, for_name, look), look, Role::Dim);
    name + gap + out.fitted(area, column + name + gap, row, &field.value, look, Role::Text)
}

fn field_width(field: &Field) -> u16 {
    width(&field.name) + u16::from(!field.name.is_empty()) + width(&field.value)
}

/// Fields in at most so many lines of this width: one in each line while there are enough lines.
fn pack(fields: &[Field], columns: u16, rows: u16) -> Vec<Vec<&Field>> {
    if fields.len() <= usize::from(rows) {
        return fields.iter().map(|field| vec![field]).collect();
    }
    let mut lines: Vec<Vec<&Field>> = Vec::new();
    let mut used = 0;
    for field in fields {
        let wanted = field_width(field);
        let is_full = lines.len() >= usize::from(rows);
        match lines.last_mut() {
            Some(line) if used + 2 + wanted <= columns => {
                line.push(field);
                used += 2 + wanted;
            }
            _ if is_full => break,
            _ => {
                lines.push(vec![field]);
                used = wanted;
            }
        }
    }
    lines
}

/// What survives a power loss, and what is only in the page cache: a bar and two numbers.
fn draw_disk(disk: DiskPicture, area: Rect, look: &Look, out: &mut Out) {
    let durable = disk.durable.min(disk.bytes);
    let role = if durable < disk.bytes { Role::Warn } else { Role::Dim };
    let [long, short] = disk_texts(disk, look);
    let texts = [(&long, BAR_MIN), (&short, BAR_MIN), (&short, 0)];
    let fits = |(text, bar): &(&String, u16)| width(text) + bar + u16::from(*bar > 0) <= area.width;
    let (text, bar) = texts.into_iter().find(fits).unwrap_or((&short, 0));
    if bar == 0 || disk.bytes == 0 {
        out.fitted(area, 0, 0, text, look, role);
        return;
    }
    let bar = (area.width - width(text) - 1).min(16);
    let full = (u128::from(durable) * u128::from(bar) / u128::from(disk.bytes)) as u16;
    // Whatever is not durable shows, however little it is.
    let full = if durable < disk.bytes { full.min(bar - 1) } else { full };
    let [kept, cached] = disk_glyphs(look);
    for x in 0..bar {
        let (glyph, role) = if x < full { (kept, Role::Good) } else { (cached, Role::Warn) };
        out.glyph(area, x, 0, glyph, look.style(role));
    }
    out.text(area, bar + 1, 0, text, look.style(role));
}

/// What a power loss would leave of a disk, and what is in the page cache only.
pub(in crate::tui::view) fn disk_glyphs(look: &Look) -> [char; 2] {
    [look.glyphs.shade[4], look.glyphs.shade[1]]
}

/// What is durable of what was written, in words and in short.
fn disk_texts(disk: DiskPicture, look: &Look) -> [String; 2] {
    if disk.bytes == 0 {
        return [look.word("cluster.disk_empty").to_owned(), look.word("cluster.disk_empty").to_owned()];
    }
    let all = bytes(disk.bytes, disk.bytes, look.word(unit(disk.bytes).1));
    if disk.durable >= disk.bytes {
        return [look.with("cluster.disk_durable", &[("all", &all)]), all];
    }
    let durable = bytes(disk.durable, disk.bytes, "");
    let values: [(&str, &dyn std::fmt::Display); 2] = [("durable", &durable), ("all", &all)];
    [look.with("cluster.disk_partly", &values), look.with("cluster.disk_short", &values)]
}

/// The unit in which so many bytes are counted.
fn unit(bytes: u64) -> (u64, &'static str) {
    match bytes {
        0..1_000 => (1, "cluster.bytes"),
        1_000..1_000_000 => (1_000, "cluster.kilobytes"),
        1_000_000..1_000_000_000 => (1_000_000, "cluster.megabytes"),
        _ => (1_000_000_000, "cluster.gigabytes"),
    }
}

/// A number of bytes in the unit of another one: with a tenth where the whole is small.
fn bytes(count: u64, whole: u64, unit_word: &str) -> String {
    let (unit, _) = unit(whole);
    let number = match whole / unit {
        100.. => (count / unit).to_string(),
        _ if unit == 1 => count.to_string(),
        _ => format!("{}.{}", count / unit, count % unit * 10 / unit),
    };
    if unit_word.is_empty() { number } else { format!("{number} {unit_word}") }
}

/// The messages in its hands: a cell for each, and how many there are.
pub(super) fn draw_holds(scene: &Scene<'_>, node: &NodePicture, area: Rect, out: &mut Out) {
    let look = scene.look;
    let count = if area.width >= 16 {
        look.with("cluster.held", &[("count", &node.held)])
    } else {
        node.held.to_string()
    };
    let room = area.width.saturating_sub(width(&count) + 1);
    let shown = node.holds.len().min(usize::from(room));
    for (column, &message) in node.holds[..shown].iter().enumerate() {
        let (glyph, style) = cell(scene, message);
        out.glyph(area, column as u16, 0, glyph, style);
    }
    let after = shown as u16 + u16::from(shown > 0);
    out.fitted(area, after, 0, &count, look, Role::Text);
}

fn cell(scene: &Scene<'_>, message: crate::fact::MessageId) -> (char, Style) {
    let look = scene.look;
    let (glyph, role) = match scene.standing(message, scene.pick.subscription) {
        Some(standing) => (look.glyph(standing), look.standing_role(standing)),
        None => (look.glyphs.bullet, Role::Dim),
    };
    let is_picked = scene.pick.message == Some(message);
    (glyph, look.style(if is_picked { Role::Selected } else { role }))
}

/// Draws a node's line: its name in the first `name` columns after its glyph.
pub(super) fn draw_row(cluster: &Cluster<'_>, node: &NodePicture, name: u16, area: Rect, out: &mut Out) {
    let (scene, look) = (cluster.scene, cluster.scene.look);
    out.hit(area, Action::SelectNode(node.node));
    let (glyph, word, role) = health(node.health, look);
    let is_selected = cluster.is_selected(node);
    if is_selected {
        out.glyph(area, 0, 0, look.glyphs.pointer, look.style(Role::Focus));
    }
    out.glyph(area, 2, 0, glyph, look.style(role));
    let name_role = if is_selected { Role::Selected } else { Role::Title };
    out.text(
        area,
        4,
        0,
        &fit(&node.name, name.min(area.width.saturating_sub(4)), look),
        look.style(name_role),
    );
    let mut column = 4 + name + 1;
    out.fitted(area, column, 0, word, look, role);
    column += health_width(look) + 1;
    let Some(room) = area.width.checked_sub(column).filter(|room| *room > 3) else { return };
    draw_rest(scene, node, Rect { x: area.x + column, width: room, ..area }, out);
}

/// What a node's line says behind its health.
pub(super) fn draw_rest(scene: &Scene<'_>, node: &NodePicture, area: Rect, out: &mut Out) {
    draw_line(scene, node, node.disk, area, out);
}

/// Role, disk, messages in hand and as many fields as there is room for.
fn draw_line(scene: &Scene<'_>, node: &NodePicture, disk: Option<DiskPicture>, area: Rect, out: &mut Out) {
    let look = scene.look;
    let texts = disk.map(|disk| disk_texts(disk, look));
    let for_disk = texts.as_ref().map_or(0, |[_, short]| width(short) + 2);
    let count = look.with("cluster.held", &[("count", &node.held)]);
    let cells = (node.holds.len() as u16).min(20);
    let for_holds = if node.held > 0 { width(&count) + 1 + cells + 2 } else { 0 };
    let mut used = 0;
    if !node.role.is_empty() {
        let room = area.width.saturating_sub(for_disk + for_holds).max(12).min(area.width);
        let role = if is_running(node) { Role::Accent } else { Role::Dim };
        used += out.text(area, 0, 0, &fit(&node.role, room, look), look.style(role)) + 2;
    }
    if let (Some([long, short]), Some(disk)) = (texts, disk) {
        let room = area.width.saturating_sub(used + for_holds);
        let text = if width(&long) <= room { long } else { short };
        let role = if disk.durable < disk.bytes { Role::Warn } else { Role::Dim };
        used += out.fitted(area, used, 0, &text, look, role) + 2;
    }
    if node.held > 0 && used + 3 < area.width {
        let own = Rect { x: area.x + used, width: (for_holds - 2).min(area.width - used), ..area };
        draw_holds(scene, node, own, out);
        used += for_holds;
    }
    for field in &node.summary {
        if used + field_width(field) > area.width {
            break;
        }
        used += draw_field(field, area, used, 0, look, out) + 2;
    }
}

/// Columns of the longest word for a node's health.
fn health_width(look: &Look) -> u16 {
    let all = [Health::Up, Health::Stopping, Health::Frozen, Health::Down, Health::Off];
    all.into_iter().map(|one| width(health(one, look).1)).max().unwrap_or(0)
}
