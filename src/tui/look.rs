//! The look: theme, glyphs, words, and how much room there is.

use ratatui::layout::Rect;
use ratatui::style::Style;

use super::glyph::{ASCII, Glyphs, UNICODE};
use super::theme::{Role, Theme};
use super::words::Words;
use crate::ledger::{Fate, Standing};

/// How everything looks.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Colours and attributes.
    pub theme: Theme,
    /// Characters.
    pub glyphs: &'static Glyphs,
    /// Texts.
    pub words: &'static Words,
    /// How much room the screen has.
    pub class: SizeClass,
}

/// How much room there is. Below the smallest nothing is drawn but that it is too small.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SizeClass {
    /// Below 60x18.
    TooSmall,
    /// From 60x18: one pane, short words.
    Narrow,
    /// From 80x24: one pane and the timeline.
    Normal,
    /// From 120x30: a pane, the timeline, and a column beside them.
    Wide,
}

impl SizeClass {
    /// The class of a screen.
    pub fn of(area: Rect) -> Self {
        match (area.width, area.height) {
            (120.., 30..) => Self::Wide,
            (80.., 24..) => Self::Normal,
            (60.., 18..) => Self::Narrow,
            _ => Self::TooSmall,
        }
    }
}

impl Look {
    /// The terminal's colours, Unicode, English.
    pub fn new(theme: Theme, is_ascii: bool) -> Self {
        let glyphs = if is_ascii { &ASCII } else { &UNICODE };
        Self { theme, glyphs, words: Words::english(), class: SizeClass::Normal }
    }

    /// How something with this meaning looks.
    pub fn style(&self, role: Role) -> Style {
        self.theme.style(role)
    }

    /// The text of that key.
    pub fn word(&self, key: &'static str) -> &'static str {
        self.words.get(key)
    }

    /// The text of that key, filled in.
    pub fn with(&self, key: &str, values: &[(&str, &dyn std::fmt::Display)]) -> String {
        self.words.with(key, values)
    }

    /// The word for a standing; fates are the contract's own words.
    pub fn standing(&self, standing: Standing) -> &'static str {
        match standing {
            Standing::Open => self.word("standing.open"),
            Standing::Waiting => self.word("standing.waiting"),
            Standing::Fate(fate) => fate.name(),
        }
    }

    /// What a standing means.
    pub fn standing_role(&self, standing: Standing) -> Role {
        match standing {
            Standing::Open | Standing::Fate(Fate::Rejected | Fate::Unsent) => Role::Dim,
            Standing::Waiting | Standing::Fate(Fate::Backlogged) => Role::Pending,
            Standing::Fate(Fate::Processed) => Role::Good,
            Standing::Fate(Fate::Lost | Fate::Duplicated) => Role::Bad,
            Standing::Fate(_) => Role::Warn,
        }
    }

    /// The glyph of a standing: no two look alike.
    pub fn glyph(&self, standing: Standing) -> char {
        let glyphs = self.glyphs;
        match standing {
            Standing::Open => glyphs.open,
            Standing::Waiting => glyphs.waiting,
            Standing::Fate(fate) => match fate {
                Fate::Duplicated => glyphs.duplicated,
                Fate::Processed => glyphs.processed,
                Fate::Phantom => glyphs.phantom,
                Fate::Rejected => glyphs.rejected,
                Fate::Unsent => glyphs.unsent,
                Fate::Backlogged => glyphs.backlogged,
                Fate::DeadLettered => glyphs.set_aside,
                Fate::Expired | Fate::Overflowed | Fate::Unroutable | Fate::Discarded => glyphs.removed,
                Fate::Stranded => glyphs.stranded,
                Fate::Lost => glyphs.lost,
            },
        }
    }
}
