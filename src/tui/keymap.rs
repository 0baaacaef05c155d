//! The key table: the only place that says which key does what. Footer, help, palette, `mqlab keys` and the README's
//! table are made from it.
//!
//! Every key can be typed on a plain terminal of 80x24: no function keys, no Alt. Where a key has a second way (arrows
//! and letters), both stand in one row.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::action::{Action, Far, Landmark, View, Way};
use super::words::Words;
use crate::broker::FAMILIES;

/// A key, perhaps with Control or Shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "keys are called what is printed on them")]
pub enum Chord {
    Char(char),
    Ctrl(char),
    Space,
    Enter,
    Esc,
    Tab,
    BackTab,
    Up,
    Down,
    Left,
    Right,
    ShiftLeft,
    ShiftRight,
    PageUp,
    PageDown,
    Home,
    End,
    Backspace,
    Delete,
}

/// What is being looked at, as far as keys mean different things there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Context {
    /// The list of scenarios.
    Picker,
    /// A run.
    Lab,
    /// A menu, the help, a message: whatever lies over the rest.
    List,
    /// A line of text is typed.
    Text,
}

/// How the help groups keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// Moving in time.
    Time,
    /// Jumping to what is worth seeing.
    Jumps,
    /// Which view is shown.
    Views,
    /// What is selected.
    Selection,
    /// Doing something to the world.
    Doing,
    /// The rest.
    General,
}

impl Group {
    /// In the order of the help.
    pub const ALL: [Self; 6] =
        [Self::Time, Self::Jumps, Self::Views, Self::Selection, Self::Doing, Self::General];

    /// The key of its heading in the catalogue.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Time => "group.time",
            Self::Jumps => "group.jumps",
            Self::Views => "group.views",
            Self::Selection => "group.selection",
            Self::Doing => "group.doing",
            Self::General => "group.general",
        }
    }
}

/// A row of the table.
#[derive(Clone, Debug)]
pub struct Binding {
    /// Any of these keys …
    pub keys: &'static [Chord],
    /// … does this …
    pub action: Action,
    /// … here.
    pub contexts: &'static [Context],
    /// Where the help lists it.
    pub group: Group,
    /// The key of its name in the catalogue: short, for the footer; `NAME_help` is the sentence for the help.
    pub name: &'static str,
}

const LAB: &[Context] = &[Context::Lab];
const LISTS: &[Context] = &[Context::Picker, Context::Lab, Context::List];
const ANY: &[Context] = &[Context::Picker, Context::Lab, Context::List, Context::Text];
const BOTH: &[Context] = &[Context::Picker, Context::Lab];
const FORWARD: Way = Way::On;
const BACKWARD: Way = Way::Back;

macro_rules! bind {
    ($($group:ident $contexts:ident $name:literal [$($key:expr),+] $action:expr;)+) => {
        &[$(Binding {
            keys: &[$($key),+],
            action: $action,
            contexts: $contexts,
            group: Group::$group,
            name: $name,
        }),+]
    };
}

use Chord::{Char as K, Ctrl};

/// Every key.
pub static BINDINGS: &[Binding] = bind! {
    Time LAB "key.play" [Chord::Space] Action::TogglePlay;
    Time LAB "key.faster" [K('+'), K('=')] Action::Speed(FORWARD);
    Time LAB "key.slower" [K('-')] Action::Speed(BACKWARD);
    Time LAB "key.step_on" [Chord::Right, K('l')] Action::StepEvent(FORWARD);
    Time LAB "key.step_back" [Chord::Left, K('h')] Action::StepEvent(BACKWARD);
    Time LAB "key.time_on" [K('L'), Chord::ShiftRight] Action::StepTime(FORWARD);
    Time LAB "key.time_back" [K('H'), Chord::ShiftLeft] Action::StepTime(BACKWARD);
    Time LAB "key.to_start" [K('g'), Chord::Home] Action::ToEnd(BACKWARD);
    Time LAB "key.to_end" [K('G'), Chord::End] Action::ToEnd(FORWARD);
    Time LAB "key.seek" [K('t')] Action::Seek;
    Time LAB "key.stops" [K('x')] Action::ToggleStops;
    Jumps LAB "key.loss_on" [K(']')] Action::Jump(Landmark::Loss, FORWARD);
    Jumps LAB "key.loss_back" [K('[')] Action::Jump(Landmark::Loss, BACKWARD);
    Jumps LAB "key.fault_on" [K('}')] Action::Jump(Landmark::Fault, FORWARD);
    Jumps LAB "key.fault_back" [K('{')] Action::Jump(Landmark::Fault, BACKWARD);
    Jumps LAB "key.election_on" [K(')')] Action::Jump(Landmark::Election, FORWARD);
    Jumps LAB "key.election_back" [K('(')] Action::Jump(Landmark::Election, BACKWARD);
    Jumps LAB "key.duplicate_on" [K('>')] Action::Jump(Landmark::Duplicate, FORWARD);
    Jumps LAB "key.duplicate_back" [K('<')] Action::Jump(Landmark::Duplicate, BACKWARD);
    Jumps LAB "key.reorder_on" [K('o')] Action::Jump(Landmark::Reorder, FORWARD);
    Jumps LAB "key.reorder_back" [K('O')] Action::Jump(Landmark::Reorder, BACKWARD);
    Jumps LAB "key.bookmark" [K('b')] Action::Bookmark;
    Jumps LAB "key.bookmark_on" [K('.')] Action::Jump(Landmark::Bookmark, FORWARD);
    Jumps LAB "key.bookmark_back" [K(',')] Action::Jump(Landmark::Bookmark, BACKWARD);
    Views LAB "view.cluster" [K('1')] Action::Show(View::Cluster);
    Views LAB "view.logs" [K('2')] Action::Show(View::Logs);
    Views LAB "view.fates" [K('3')] Action::Show(View::Fates);
    Views LAB "view.charts" [K('4')] Action::Show(View::Charts);
    Views LAB "view.events" [K('5')] Action::Show(View::Events);
    Views LAB "view.inspector" [K('6')] Action::Show(View::Inspector);
    Views LAB "view.why" [K('7')] Action::Show(View::Why);
    Views LAB "view.verdict" [K('8')] Action::Show(View::Verdict);
    Views LAB "key.next_view" [Chord::Tab] Action::NextView(FORWARD);
    Views LAB "key.previous_view" [Chord::BackTab] Action::NextView(BACKWARD);
    Selection LISTS "key.down" [Chord::Down, K('j')] Action::Move(FORWARD, Far::One);
    Selection LISTS "key.up" [Chord::Up, K('k')] Action::Move(BACKWARD, Far::One);
    Selection LISTS "key.page_down" [Chord::PageDown, Ctrl('d')] Action::Move(FORWARD, Far::Page);
    Selection LISTS "key.page_up" [Chord::PageUp, Ctrl('u')] Action::Move(BACKWARD, Far::Page);
    Selection LISTS "key.enter" [Chord::Enter] Action::Enter;
    Selection BOTH "key.filter" [K('/')] Action::Filter;
    Selection LAB "key.match_on" [K('n')] Action::Match(FORWARD);
    Selection LAB "key.match_back" [K('N')] Action::Match(BACKWARD);
    Selection LAB "key.place_on" [K('p')] Action::NextPlace(FORWARD);
    Selection LAB "key.place_back" [K('P')] Action::NextPlace(BACKWARD);
    Selection LAB "key.subscription" [K('z')] Action::NextSubscription;
    Selection LAB "key.why" [K('c')] Action::Why;
    Doing LAB "key.inject" [K('f')] Action::Inject;
    Doing LAB "key.settings" [K('s')] Action::Settings;
    Doing LAB "key.load" [K('a')] Action::Load;
    Doing BOTH "key.variant_on" [K('v')] Action::NextVariant(FORWARD);
    Doing BOTH "key.variant_back" [K('V')] Action::NextVariant(BACKWARD);
    Doing LAB "key.next_seed" [K('r')] Action::NextSeed;
    Doing LAB "key.leave" [K('u')] Action::Leave;
    Doing LAB "key.branches" [K('B')] Action::Branches;
    Doing LAB "key.write" [K('w')] Action::Write;
    General LISTS "key.help" [K('?')] Action::Help;
    General BOTH "key.palette" [K(':')] Action::Palette;
    General ANY "key.back" [Chord::Esc] Action::Back;
    General LAB "key.picker" [Ctrl('o')] Action::Picker;
    General BOTH "key.theme" [K('T')] Action::NextTheme;
    General BOTH "key.ascii" [K('A')] Action::ToggleAscii;
    General BOTH "key.mouse" [K('M')] Action::ToggleMouse;
    General ANY "key.suspend" [Ctrl('z')] Action::Suspend;
    General LISTS "key.quit" [K('q')] Action::Quit;
    General ANY "key.quit_now" [Ctrl('c')] Action::QuitNow;
};

impl Chord {
    /// What was pressed; none: a key that this program has no use for.
    pub fn of(event: KeyEvent) -> Option<Self> {
        let is_ctrl = event.modifiers.contains(KeyModifiers::CONTROL);
        let is_shift = event.modifiers.contains(KeyModifiers::SHIFT);
        Some(match event.code {
            KeyCode::Char(c) if is_ctrl => Self::Ctrl(c.to_ascii_lowercase()),
            KeyCode::Char(' ') => Self::Space,
            KeyCode::Char(c) if is_shift => Self::Char(c.to_uppercase().next().unwrap_or(c)),
            KeyCode::Char(c) => Self::Char(c),
            KeyCode::Enter => Self::Enter,
            KeyCode::Esc => Self::Esc,
            KeyCode::BackTab => Self::BackTab,
            KeyCode::Tab if is_shift => Self::BackTab,
            KeyCode::Tab => Self::Tab,
            KeyCode::Up => Self::Up,
            KeyCode::Down => Self::Down,
            KeyCode::Left if is_shift => Self::ShiftLeft,
            KeyCode::Right if is_shift => Self::ShiftRight,
            KeyCode::Left => Self::Left,
            KeyCode::Right => Self::Right,
            KeyCode::PageUp => Self::PageUp,
            KeyCode::PageDown => Self::PageDown,
            KeyCode::Home => Self::Home,
            KeyCode::End => Self::End,
            KeyCode::Backspace => Self::Backspace,
            KeyCode::Delete => Self::Delete,
            _ => return None,
        })
    }

    /// What people call it.
    pub fn name(self, words: &Words) -> String {
        let key = match self {
            Self::Char(c) => return c.to_string(),
            Self::Ctrl(c) => return words.with("keys.ctrl", &[("key", &c)]),
            Self::Space => "keys.space",
            Self::Enter => "keys.enter",
            Self::Esc => "keys.esc",
            Self::Tab => "keys.tab",
            Self::BackTab => "keys.back_tab",
            Self::Up => "keys.up",
            Self::Down => "keys.down",
            Self::Left => "keys.left",
            Self::Right => "keys.right",
            Self::ShiftLeft => "keys.shift_left",
            Self::ShiftRight => "keys.shift_right",
            Self::PageUp => "keys.page_up",
            Self::PageDown => "keys.page_down",
            Self::Home => "keys.home",
            Self::End => "keys.end",
            Self::Backspace => "keys.backspace",
            Self::Delete => "keys.delete",
        };
        words.get(key).to_owned()
    }
}

impl Binding {
    /// Its short name; `places` is what the family calls that which holds messages.
    pub fn short(&self, words: &Words, places: &str) -> String {
        words.with(self.name, &[("places", &places)])
    }

    /// The sentence that the help has for it.
    pub fn help(&self, words: &Words, places: &str) -> String {
        words.with(&format!("{}_help", self.name), &[("places", &places)])
    }

    /// Its keys, as people call them.
    pub fn keys(&self, words: &Words) -> String {
        let names: Vec<_> = self.keys.iter().map(|key| key.name(words)).collect();
        names.join(", ")
    }
}

/// What the families call that which holds messages: where no run is looked at that belongs to one of them.
pub fn all_places() -> String {
    let words: Vec<_> = FAMILIES.iter().map(|family| family.places_word()).collect();
    words.join("/")
}

/// What a key does in a context.
pub fn action(context: Context, chord: Chord) -> Option<Action> {
    let bound = BINDINGS.iter().find(|one| one.contexts.contains(&context) && one.keys.contains(&chord));
    bound.map(|binding| binding.action.clone())
}

/// The row of an action in a context; none: only clicks and menus do it.
pub fn binding(context: Context, action: &Action) -> Option<&'static Binding> {
    BINDINGS.iter().find(|one| one.contexts.contains(&context) && one.action == *action)
}

/// The whole table as Markdown: what `mqlab keys` prints and the README holds.
pub fn table(words: &Words) -> String {
    use std::fmt::Write as _;
    let mut text = format!("| {} | {} |\n|---|---|\n", words.get("keys.column"), words.get("keys.does"));
    let places = all_places();
    for group in Group::ALL {
        let _ = writeln!(text, "| **{}** | |", words.get(group.heading()));
        for binding in BINDINGS.iter().filter(|binding| binding.group == group) {
            let names: Vec<_> = binding.keys.iter().map(|key| format!("`{}`", key.name(words))).collect();
            let _ = writeln!(text, "| {} | {} |", names.join(", "), binding.help(words, &places));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_means_two_things_in_one_context() {
        for context in [Context::Picker, Context::Lab, Context::List, Context::Text] {
            let here = BINDINGS.iter().filter(|binding| binding.contexts.contains(&context));
            let keys: Vec<_> = here.flat_map(|binding| binding.keys).collect();
            for (at, key) in keys.iter().enumerate() {
                assert!(!keys[at + 1..].contains(key), "{key:?} twice in {context:?}");
            }
        }
    }

    #[test]
    fn every_key_can_be_typed_on_a_plain_terminal() {
        // What a terminal without function keys, Alt and a keypad sends: printable characters, Control with a letter,
        // and the keys of the cursor block. A binding that needs more has another key beside it.
        let is_plain = |chord: &Chord| match chord {
            Chord::Char(c) => c.is_ascii_graphic(),
            Chord::Ctrl(c) => c.is_ascii_lowercase() && !matches!(c, 'i' | 'm' | 'j' | 'h' | 's' | 'q'),
            Chord::ShiftLeft
            | Chord::ShiftRight
            | Chord::PageUp
            | Chord::PageDown
            | Chord::Home
            | Chord::End => false,
            _ => true,
        };
        for binding in BINDINGS {
            assert!(binding.keys.iter().any(is_plain), "{}", binding.name);
        }
    }

    #[test]
    fn every_binding_has_its_words() {
        let words = Words::english();
        for binding in BINDINGS {
            assert!(words.has(binding.name), "{}", binding.name);
            let help = format!("{}_help", binding.name);
            assert!(words.has(&help), "{help}");
            for key in binding.keys {
                assert!(!key.name(words).contains('.') || *key == Chord::Char('.'), "{key:?}");
            }
        }
        for group in Group::ALL {
            assert!(words.has(group.heading()));
        }
        assert!(table(words).contains("| `Space` |"));
    }

    #[test]
    fn shifted_characters_arrive_as_terminals_send_them() {
        let shifted = KeyEvent::new(KeyCode::Char('g'), KeyModifiers::SHIFT);
        assert_eq!(Chord::of(shifted), Some(Chord::Char('G')));
        let plain = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::NONE);
        assert_eq!(action(Context::Lab, Chord::of(plain).unwrap()), Some(Action::ToEnd(Way::On)));
        let quit = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(action(Context::Text, Chord::of(quit).unwrap()), Some(Action::QuitNow));
    }
}
