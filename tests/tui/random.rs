//! No keys, in whatever order and on whatever screen, break the program or draw one pane over another.

use mqlab::tui::keymap::Chord;
use mqlab::tui::theme::Theme;
use proptest::prelude::*;

use crate::kit::Desk;

/// Every key that a plain terminal sends.
fn chord() -> impl Strategy<Value = Chord> {
    let named = prop::sample::select(vec![
        Chord::Space,
        Chord::Enter,
        Chord::Esc,
        Chord::Tab,
        Chord::BackTab,
        Chord::Up,
        Chord::Down,
        Chord::Left,
        Chord::Right,
        Chord::ShiftLeft,
        Chord::ShiftRight,
        Chord::PageUp,
        Chord::PageDown,
        Chord::Home,
        Chord::End,
        Chord::Backspace,
        Chord::Delete,
    ]);
    prop_oneof![
        4 => (33u8..127).prop_map(|byte| Chord::Char(char::from(byte))),
        3 => named,
        1 => (b'a'..=b'z').prop_map(|byte| Chord::Ctrl(char::from(byte))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn five_hundred_keys_break_nothing(
        keys in prop::collection::vec(chord(), 500),
        sizes in prop::collection::vec((1u16..=240, 1u16..=70), 50),
        is_ascii: bool,
    ) {
        let mut desk = Desk::at_run(Theme::Default, is_ascii);
        for (at, key) in keys.into_iter().enumerate() {
            desk.press(key);
            if at % 7 == 0 {
                desk.app.tick(33_000_000);
                desk.settle();
            }
            if at % 10 == 0 {
                let (width, height) = sizes[at / 10];
                let out = desk.draw(width, height);
                prop_assert_eq!(out.overlap(), None, "at {}x{} after {} keys", width, height, at);
            }
        }
    }

    #[test]
    fn every_view_fits_every_screen(
        width in 1u16..=240,
        height in 1u16..=70,
        percent in 0u32..=100,
        view in 1u8..=8,
    ) {
        let mut desk = Desk::at_run(Theme::Mono, false);
        desk.keys(&format!("t{percent}%\n{view}"));
        let out = desk.draw(width, height);
        prop_assert_eq!(out.overlap(), None);
        prop_assert_eq!((out.buffer.area.width, out.buffer.area.height), (width, height));
    }
}
