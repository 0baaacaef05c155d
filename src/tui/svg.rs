//! A screen as text and as SVG: the same cells that a terminal would show, so that pictures can be made anywhere and
//! compared byte by byte.
//!
//! Each run of cells is placed at its own column with its own length, so that a browser's font cannot push what stands
//! to its right. Blocks, shades and lines are drawn as shapes: fonts leave gaps between them.

use std::fmt::Write as _;

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};

/// A cell in pixels.
const WIDTH: u32 = 8;
const HEIGHT: u32 = 17;
/// Where letters stand.
const BASELINE: u32 = 13;
/// Around the screen.
const MARGIN: u32 = 8;

/// The colours that a picture shows for a terminal's own.
#[derive(Clone, Copy, Debug)]
struct Ink {
    text: &'static str,
    background: &'static str,
    sixteen: [&'static str; 16],
}

/// A dark terminal.
const DARK: Ink = Ink {
    text: "#d6dbe1",
    background: "#11151a",
    sixteen: [
        "#11151a", "#e5534b", "#57ab5a", "#e0b13c", "#6ca4f8", "#c692f0", "#39c5cf", "#d6dbe1", "#7d8790",
        "#ff9b5e", "#6bc46d", "#f2cc60", "#8cbcff", "#dcbdfb", "#6fe0e8", "#ffffff",
    ],
};

/// The screen as text: one line a row, without blanks at the ends of lines.
pub fn text(buffer: &Buffer) -> String {
    let mut text = String::new();
    for y in 0..buffer.area.height {
        let row: String =
            (0..buffer.area.width).map(|x| buffer[(buffer.area.x + x, buffer.area.y + y)].symbol()).collect();
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// The screen as a picture.
pub fn svg(buffer: &Buffer, title: &str) -> String {
    let (width, height) = (u32::from(buffer.area.width) * WIDTH, u32::from(buffer.area.height) * HEIGHT);
    let (full_width, full_height) = (width + 2 * MARGIN, height + 2 * MARGIN);
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{full_width}\" height=\"{full_height}\" \
         viewBox=\"0 0 {full_width} {full_height}\" role=\"img\" \
         shape-rendering=\"crispEdges\">\n<title>{}</title>\n\
         <rect width=\"{full_width}\" height=\"{full_height}\" rx=\"6\" fill=\"{}\"/>\n\
         <g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"13\" \
         xml:space=\"preserve\">",
        escaped(title),
        DARK.background
    );
    for y in 0..buffer.area.height {
        row(&mut svg, buffer, y);
    }
    svg.push_str("</g>\n</svg>\n");
    svg
}

/// Cells that look alike and follow one another.
struct Run {
    column: u32,
    columns: u32,
    text: String,
    style: Look,
}

/// How a cell looks in a picture.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    ink: Color,
    ground: Color,
    modifier: Modifier,
}

fn row(svg: &mut String, buffer: &Buffer, y: u16) {
    let mut runs: Vec<Run> = Vec::new();
    let mut x = 0;
    while x < buffer.area.width {
        let cell = &buffer[(buffer.area.x + x, buffer.area.y + y)];
        let columns = u16::max(1, super::out::width(cell.symbol()));
        let style = look(cell);
        let is_plain = columns == 1 && cell.symbol().is_ascii();
        let symbol = if cell.symbol().is_empty() { " " } else { cell.symbol() };
        match runs.last_mut() {
            Some(run) if is_plain && run.style == style && run.text.is_ascii() => {
                run.text.push_str(symbol);
                run.columns += 1;
            }
            _ => runs.push(Run {
                column: u32::from(x),
                columns: u32::from(columns),
                text: symbol.to_owned(),
                style,
            }),
        }
        x += columns;
    }
    let top = MARGIN + u32::from(y) * HEIGHT;
    for run in &runs {
        background(svg, run, top);
    }
    for run in &runs {
        foreground(svg, run, top);
    }
}

fn look(cell: &Cell) -> Look {
    let (mut ink, mut ground) = (cell.fg, cell.bg);
    if cell.modifier.contains(Modifier::REVERSED) {
        (ink, ground) = (ground, ink);
    }
    Look { ink, ground, modifier: cell.modifier }
}

fn background(svg: &mut String, run: &Run, top: u32) {
    let is_reversed = run.style.modifier.contains(Modifier::REVERSED);
    if run.style.ground == Color::Reset && !is_reversed {
        return;
    }
    let fill =
        if run.style.ground == Color::Reset { DARK.text.to_owned() } else { colour(run.style.ground, true) };
    let (x, width) = (MARGIN + run.column * WIDTH, run.columns * WIDTH);
    let _ =
        writeln!(svg, "<rect x=\"{x}\" y=\"{top}\" width=\"{width}\" height=\"{HEIGHT}\" fill=\"{fill}\"/>");
}

fn foreground(svg: &mut String, run: &Run, top: u32) {
    if run.text.trim().is_empty() {
        return;
    }
    let modifier = run.style.modifier;
    let is_reversed = modifier.contains(Modifier::REVERSED);
    let fill = match run.style.ink {
        Color::Reset if is_reversed => DARK.background.to_owned(),
        ink => colour(ink, false),
    };
    let mut chars = run.text.chars();
    if let (Some(c), None) = (chars.next(), chars.next())
        && shape(svg, c, MARGIN + run.column * WIDTH, top, &fill)
    {
        return;
    }
    // Blanks at the ends carry no ink; what is between them keeps its columns.
    let lead = run.text.len() - run.text.trim_start().len();
    let text = run.text.trim();
    let columns = if text.is_ascii() { text.len() as u32 } else { run.columns };
    let (x, width) = (MARGIN + (run.column + lead as u32) * WIDTH, columns * WIDTH);
    let mut attributes = String::new();
    for (of, attribute) in [
        (Modifier::BOLD, " font-weight=\"bold\""),
        (Modifier::ITALIC, " font-style=\"italic\""),
        (Modifier::UNDERLINED, " text-decoration=\"underline\""),
        (Modifier::CROSSED_OUT, " text-decoration=\"line-through\""),
        (Modifier::DIM, " opacity=\"0.65\""),
    ] {
        if modifier.contains(of) {
            attributes.push_str(attribute);
        }
    }
    let y = top + BASELINE;
    let text = escaped(text);
    let _ = writeln!(
        svg,
        "<text x=\"{x}\" y=\"{y}\" textLength=\"{width}\" lengthAdjust=\"spacingAndGlyphs\" \
         fill=\"{fill}\"{attributes}>{text}</text>"
    );
}

/// Draws a line, block or shade as a shape; false: it is a letter.
fn shape(svg: &mut String, c: char, x: u32, y: u32, fill: &str) -> bool {
    if let Some((horizontal, vertical, weight)) = line(c) {
        let half = weight / 2;
        let (middle_x, middle_y) = (x + WIDTH / 2 - half, y + HEIGHT / 2 - half);
        if let Some((from, to)) = horizontal {
            let (from, to) = (x + from * WIDTH / 2, x + to * WIDTH / 2);
            // The corner's own square belongs to both strokes.
            let (from, to) = (from.min(middle_x), to.max(middle_x + weight));
            rect(svg, from, middle_y, to - from, weight, fill, "");
        }
        if let Some((from, to)) = vertical {
            let (from, to) = (y + from * HEIGHT / 2, y + if to == 2 { HEIGHT } else { to * HEIGHT / 2 });
            let (from, to) = (from.min(middle_y), to.max(middle_y + weight));
            rect(svg, middle_x, from, weight, to - from, fill, "");
        }
        return true;
    }
    match c {
        '▁'..='█' => {
            let eighths = c as u32 - '▁' as u32 + 1;
            let height = (HEIGHT * eighths).div_ceil(8);
            rect(svg, x, y + HEIGHT - height, WIDTH, height, fill, "");
        }
        '■' => rect(svg, x + 1, y + 5, WIDTH - 2, WIDTH - 2, fill, ""),
        '□' => {
            let _ = writeln!(
                svg,
                "<rect x=\"{}.5\" y=\"{}.5\" width=\"{}\" height=\"{}\" fill=\"none\" stroke=\"{fill}\"/>",
                x + 1,
                y + 5,
                WIDTH - 3,
                WIDTH - 3
            );
        }
        // Broken lines say that something is: a node, a link, what a power loss would take.
        '┄' => {
            for n in 0..2 {
                rect(svg, x + n * WIDTH / 2 + 1, y + HEIGHT / 2, WIDTH / 4, 1, fill, "");
            }
        }
        '┆' => {
            for n in 0..3 {
                rect(svg, x + WIDTH / 2, y + n * HEIGHT / 3 + 1, 1, HEIGHT / 6 + 1, fill, "");
            }
        }
        '░' => rect(svg, x, y, WIDTH, HEIGHT, fill, " opacity=\"0.25\""),
        '▒' => rect(svg, x, y, WIDTH, HEIGHT, fill, " opacity=\"0.5\""),
        '▓' => rect(svg, x, y, WIDTH, HEIGHT, fill, " opacity=\"0.75\""),
        '\u{2800}'..='\u{28ff}' => braille(svg, c, x, y, fill),
        _ => return false,
    }
    true
}

/// The strokes of a box-drawing character in halves of a cell, and how thick they are.
#[expect(clippy::type_complexity, reason = "two strokes and a number, used once")]
fn line(c: char) -> Option<(Option<(u32, u32)>, Option<(u32, u32)>, u32)> {
    let (all, first, second) = (Some((0, 2)), Some((0, 1)), Some((1, 2)));
    Some(match c {
        '─' => (all, None, 1),
        '│' => (None, all, 1),
        '┌' => (second, second, 1),
        '┐' => (first, second, 1),
        '└' => (second, first, 1),
        '┘' => (first, first, 1),
        '├' => (second, all, 1),
        '┤' => (first, all, 1),
        '┬' => (all, second, 1),
        '┴' => (all, first, 1),
        '┼' => (all, all, 1),
        '━' => (all, None, 3),
        '┃' => (None, all, 3),
        '┏' => (second, second, 3),
        '┓' => (first, second, 3),
        '┗' => (second, first, 3),
        '┛' => (first, first, 3),
        _ => return None,
    })
}

fn braille(svg: &mut String, c: char, x: u32, y: u32, fill: &str) {
    let dots = c as u32 - 0x2800;
    let at = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3)];
    for (bit, (column, row)) in at.into_iter().enumerate() {
        if dots & (1 << bit) != 0 {
            rect(svg, x + 1 + column * 4, y + 2 + row * 4, 2, 2, fill, "");
        }
    }
}

fn rect(svg: &mut String, x: u32, y: u32, width: u32, height: u32, fill: &str, more: &str) {
    let _ = writeln!(
        svg,
        "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{fill}\"{more}/>"
    );
}

fn colour(color: Color, is_ground: bool) -> String {
    let sixteen = [
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    match color {
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        Color::Reset if is_ground => DARK.background.to_owned(),
        // White on the terminal's blue has to stay readable.
        Color::Blue if is_ground => "#1f4b7f".to_owned(),
        _ => sixteen.iter().position(|one| *one == color).map_or(DARK.text, |at| DARK.sixteen[at]).to_owned(),
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::look::Look;
    use crate::tui::out::Out;
    use crate::tui::theme::{Role, Theme};
    use ratatui::layout::Rect;

    fn screen() -> Buffer {
        let look = Look::new(Theme::Default, false);
        let mut out = Out::new(Rect::new(0, 0, 20, 4));
        let inside = out.frame(out.area(), "<队列>", &look, Role::Border);
        out.text(inside, 0, 0, "消息 & <lost>", look.style(Role::Bad));
        out.text(inside, 1, 1, "▄█■░⠿", look.style(Role::Good));
        out.buffer
    }

    #[test]
    fn the_same_cells_as_text() {
        let expected =
            "┌─ <队列> ─────────┐\n│消息 & <lost>     │\n│ ▄█■░⠿            │\n└──────────────────┘\n";
        assert_eq!(text(&screen()), expected);
    }

    #[test]
    fn a_picture_is_well_formed_and_every_run_has_its_column() {
        let svg = svg(&screen(), "a <title>");
        assert!(svg.contains("<title>a &lt;title&gt;</title>"));
        assert!(svg.contains(">消</text>") && svg.contains("&amp; &lt;lost&gt;</text>"));
        // `消` stands in column 1, `息` two columns further.
        assert!(svg.contains("<text x=\"16\"") && svg.contains("<text x=\"32\""));
        assert_eq!(svg.matches("<text").count(), svg.matches("</text>").count());
        assert!(!svg.contains('⠿') && !svg.contains('█'), "blocks and dots are shapes");
    }
}
