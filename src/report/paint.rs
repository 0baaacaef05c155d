//! Colours and columns. A colour never says what a word does not say too.

use clap::builder::styling::{AnsiColor, Style};

/// Report width.
pub(super) const WIDTH: usize = 80;
/// Titles and headings.
pub(super) const HEAD: Style = Style::new().bold();
/// What holds.
pub(super) const GOOD: Style = AnsiColor::Blue.on_default().bold();
/// What does not.
pub(super) const BAD: Style = AnsiColor::Yellow.on_default().bold();
/// What is only said in passing.
pub(super) const FAINT: Style = Style::new().dimmed();

/// Appends formatted text to a string.
macro_rules! put {
    ($out:expr, $($text:tt)*) => {{
        use std::fmt::Write as _;
        $out.write_fmt(format_args!($($text)*)).expect("a string takes any text");
    }};
}
pub(super) use put;

/// The text in this style.
pub(super) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// A heading, after an empty line.
pub(super) fn head(out: &mut String, text: &str) {
    out.push('\n');
    out.push_str(&paint(HEAD, text));
    out.push('\n');
}

/// The text in lines of at most [`WIDTH`] columns: the first line after `first`, the others after as many spaces.
pub(super) fn wrap(out: &mut String, first: &str, text: &str) {
    let indent = first.chars().count();
    let mut line = first.to_owned();
    let mut width = indent;
    for word in text.split_whitespace() {
        let word_width = word.chars().count();
        if width > indent && width + 1 + word_width > WIDTH {
            out.push_str(line.trim_end());
            out.push('\n');
            line = " ".repeat(indent);
            width = indent;
        }
        if width > indent {
            line.push(' ');
            width += 1;
        }
        line.push_str(word);
        width += word_width;
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

/// `1 message`, `2 messages`.
pub(super) fn count(n: u64, noun: &str) -> String {
    if n == 1 { format!("1 {noun}") } else { format!("{n} {noun}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_hangs_under_its_first_line() {
        let mut out = String::new();
        wrap(&mut out, "  5.0s  ", &"word ".repeat(20));
        let lines: Vec<_> = out.lines().collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].starts_with("  5.0s  word") && lines[0].len() <= WIDTH);
        assert!(lines[1].starts_with("        word"));
        wrap(&mut out, "", "");
        assert!(out.ends_with("\n\n"));
    }
}
