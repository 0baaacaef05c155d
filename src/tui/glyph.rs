//! Glyphs, each with its ASCII twin, of one column in every terminal: no emoji, nothing of ambiguous width that fonts
//! draw wide, nothing that only some fonts have.

/// The characters that pictures are drawn with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say what each stands for")]
pub struct Glyphs {
    pub is_ascii: bool,
    // Frames.
    pub horizontal: char,
    pub vertical: char,
    pub corners: [char; 4],
    pub horizontal_heavy: char,
    pub vertical_heavy: char,
    pub corners_heavy: [char; 4],
    /// Where lines meet, by the arms they have: 1 up, 2 right, 4 down, 8 left.
    pub junctions: [char; 16],
    // Links.
    pub arrow_right: char,
    pub arrow_left: char,
    pub arrow_up: char,
    pub arrow_down: char,
    pub packet: char,
    pub cut: char,
    pub dots: char,
    pub dots_vertical: char,
    // Health of a node.
    pub up: char,
    pub stopping: char,
    pub frozen: char,
    pub down: char,
    pub off: char,
    // Fates: one glyph each, so that no fate is told by colour alone.
    pub open: char,
    pub waiting: char,
    pub processed: char,
    pub duplicated: char,
    pub phantom: char,
    pub rejected: char,
    pub unsent: char,
    pub lost: char,
    pub stranded: char,
    pub backlogged: char,
    pub set_aside: char,
    pub removed: char,
    // The timeline.
    pub fault: char,
    pub fault_end: char,
    pub election: char,
    pub reorder: char,
    pub bookmark: char,
    pub cursor: char,
    // Copies of a place.
    pub differs: char,
    // Bars, from nothing to full.
    pub levels: [char; 9],
    pub shade: [char; 5],
    // Lists.
    pub pointer: char,
    pub bullet: char,
    pub more: char,
    pub tick: char,
    pub cross: char,
    pub play: char,
    pub pause: char,
}

/// For terminals that show Unicode.
pub static UNICODE: Glyphs = Glyphs {
    is_ascii: false,
    horizontal: '─',
    vertical: '│',
    corners: ['┌', '┐', '└', '┘'],
    horizontal_heavy: '━',
    vertical_heavy: '┃',
    corners_heavy: ['┏', '┓', '┗', '┛'],
    junctions: [' ', '│', '─', '└', '│', '│', '┌', '├', '─', '┘', '─', '┴', '┐', '┤', '┬', '┼'],
    arrow_right: '►',
    arrow_left: '◄',
    arrow_up: '▲',
    arrow_down: '▼',
    packet: '•',
    cut: '╳',
    dots: '┄',
    dots_vertical: '┆',
    up: '●',
    stopping: '◐',
    frozen: '‖',
    down: '✗',
    off: '○',
    open: '·',
    waiting: '○',
    processed: '■',
    duplicated: '‡',
    phantom: '?',
    rejected: '-',
    unsent: '~',
    lost: '✗',
    stranded: '!',
    backlogged: '□',
    set_aside: '+',
    removed: '×',
    fault: '▼',
    fault_end: '△',
    election: '◆',
    reorder: '↔',
    bookmark: '¶',
    cursor: '▲',
    differs: '≠',
    levels: [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'],
    shade: [' ', '░', '▒', '▓', '█'],
    pointer: '›',
    bullet: '•',
    more: '…',
    tick: '✓',
    cross: '✗',
    play: '►',
    pause: '‖',
};

/// For all others.
pub static ASCII: Glyphs = Glyphs {
    is_ascii: true,
    horizontal: '-',
    vertical: '|',
    corners: ['+', '+', '+', '+'],
    horizontal_heavy: '=',
    vertical_heavy: '#',
    corners_heavy: ['#', '#', '#', '#'],
    junctions: [' ', '|', '-', '+', '|', '|', '+', '+', '-', '+', '-', '+', '+', '+', '+', '+'],
    arrow_right: '>',
    arrow_left: '<',
    arrow_up: '^',
    arrow_down: 'v',
    packet: '*',
    cut: 'X',
    dots: '.',
    dots_vertical: ':',
    up: 'o',
    stopping: 's',
    frozen: '"',
    down: 'x',
    off: '_',
    open: '.',
    waiting: 'o',
    processed: '#',
    duplicated: '2',
    phantom: '?',
    rejected: '-',
    unsent: '~',
    lost: 'X',
    stranded: '!',
    backlogged: 'w',
    set_aside: '+',
    removed: 'x',
    fault: 'v',
    fault_end: '^',
    election: 'E',
    reorder: '%',
    bookmark: 'b',
    cursor: '^',
    differs: '/',
    levels: [' ', '_', '.', '-', '-', '=', '=', '#', '#'],
    shade: [' ', '.', ':', '%', '#'],
    pointer: '>',
    bullet: '*',
    more: '~',
    tick: 'y',
    cross: 'n',
    play: '>',
    pause: '|',
};

#[cfg(test)]
mod tests {
    use super::*;
    use unicode_width::UnicodeWidthChar;

    fn all(glyphs: &Glyphs) -> Vec<char> {
        // The debug form names every field; what stands between quotes is a glyph.
        let text = format!("{glyphs:?}");
        let mut found: Vec<_> = text.split(", ").filter_map(|part| part.split('\'').nth(1)).collect();
        found.retain(|part| !part.is_empty());
        found.iter().filter_map(|part| part.chars().next_back()).collect()
    }

    #[test]
    fn every_glyph_takes_one_column_and_has_a_twin_in_ascii() {
        let (unicode, ascii) = (all(&UNICODE), all(&ASCII));
        assert_eq!(unicode.len(), ascii.len());
        assert!(unicode.len() > 60);
        for glyph in unicode.iter().chain(&ascii) {
            assert_eq!(glyph.width(), Some(1), "{glyph}");
        }
        assert!(ascii.iter().all(char::is_ascii));
    }

    #[test]
    fn no_two_fates_look_alike() {
        for set in [&UNICODE, &ASCII] {
            let fates = [
                set.open,
                set.waiting,
                set.processed,
                set.duplicated,
                set.phantom,
                set.rejected,
                set.unsent,
                set.lost,
                set.stranded,
                set.backlogged,
                set.set_aside,
                set.removed,
            ];
            let mut sorted = fates.to_vec();
            sorted.sort_unstable();
            sorted.dedup();
            assert_eq!(sorted.len(), fates.len(), "{fates:?}");
        }
    }
}
