//! Lists that lie over the screen: menus of what can be done, the palette, branches. Rows that cannot be used stay
//! visible and say why.

use tui_input::Input;

use super::action::{Action, Far, Way};
use super::picker::moved;
use crate::lab::deed::{FaultDeed, SettingChoice};
use crate::lab::session::BranchId;

/// A list to choose from.
pub struct Menu {
    /// What is to be chosen.
    pub title: String,
    /// Narrows the list while it is typed; none: the list is short.
    pub input: Option<Input>,
    rows: Vec<Row>,
    shown: Vec<usize>,
    selected: usize,
}

/// An entry of a list.
#[derive(Clone, Debug)]
pub struct Row {
    /// What it is.
    pub label: String,
    /// Its present value, or its key.
    pub value: String,
    /// What it does, in a sentence.
    pub note: String,
    /// Why it cannot be chosen; none: it can.
    pub reason: Option<String>,
    /// What choosing it does.
    pub choice: Choice,
}

/// What choosing an entry does.
#[derive(Clone, Debug)]
pub enum Choice {
    /// As if its key had been pressed.
    Act(Action),
    /// A fault of the scenario language on a node: what it needs besides is asked next.
    Fault(Draft),
    /// A setting: its value is asked next.
    Setting(Box<SettingChoice>),
    /// This line is laid over the scenario, and the same seed runs again.
    Deed {
        /// What it is, in words.
        words: String,
        /// In the language of scenarios.
        line: String,
    },
    /// Another branch is shown.
    Branch(BranchId),
    /// A text is asked for.
    Ask(Question),
    /// The program ends, whatever is not written.
    Quit,
    /// Back to the list, whatever is not written.
    Picker,
}

/// A fault as far as it is chosen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What is known of it.
    pub deed: FaultDeed,
    /// From whom was asked.
    pub has_from: bool,
    /// For how long was asked.
    pub has_end: bool,
}

/// A text that is asked for.
#[derive(Clone, Debug)]
pub enum Question {
    /// A time or a message to go to.
    Seek,
    /// What a list or the event log is narrowed to.
    Filter,
    /// How long a fault lasts.
    Lasts(Draft),
    /// By how much.
    By(Draft),
    /// The value of a setting.
    Value(Box<SettingChoice>),
    /// The file that the branch is written to.
    File,
}

impl Question {
    /// Whether it is of the instant at which it is asked: none may pass until it is answered.
    pub fn is_of_the_instant(&self) -> bool {
        matches!(self, Self::Lasts(_) | Self::By(_) | Self::Value(_))
    }

    /// Whether this is the value that is there already.
    pub fn is_answered_by(&self, text: &str) -> bool {
        let Self::Value(setting) = self else { return false };
        setting.current.as_ref().is_some_and(|value| value.shown() == text)
    }
}

impl Menu {
    /// A list without a filter.
    pub fn new(title: String, rows: Vec<Row>) -> Self {
        let shown = (0..rows.len()).collect();
        let first = rows.iter().position(|row| row.reason.is_none()).unwrap_or(0);
        Self { title, input: None, rows, shown, selected: first }
    }

    /// A list that typing narrows.
    #[must_use]
    pub fn with_input(mut self) -> Self {
        self.input = Some(Input::default());
        self.selected = 0;
        self
    }

    /// With this row selected.
    #[must_use]
    pub fn at(mut self, row: usize) -> Self {
        self.selected = row.min(self.rows.len().saturating_sub(1));
        self
    }

    /// What is left of the list.
    pub fn shown(&self) -> impl Iterator<Item = &Row> {
        self.shown.iter().map(|&at| &self.rows[at])
    }

    /// Which of those is selected.
    pub fn selected(&self) -> usize {
        self.selected
    }

    /// The selected row; none: nothing is left.
    pub fn row(&self) -> Option<&Row> {
        self.shown.get(self.selected).map(|&at| &self.rows[at])
    }

    /// Moves the selection.
    pub fn advance(&mut self, way: Way, far: Far, page: usize) {
        self.selected = moved(self.selected, self.shown.len(), way, far, page);
    }

    /// Selects a row of those shown.
    pub fn select(&mut self, row: usize) {
        self.selected = row.min(self.shown.len().saturating_sub(1));
    }

    /// Narrows the list to what was typed: rows whose label begins with it first, then those that contain all words.
    pub fn narrow(&mut self) {
        let typed = self.input.as_ref().map(|input| input.value().to_lowercase()).unwrap_or_default();
        let words: Vec<_> = typed.split_whitespace().collect();
        let matches = |row: &Row| {
            let text = format!("{} {} {}", row.label, row.value, row.note).to_lowercase();
            words.iter().all(|word| text.contains(word))
        };
        self.shown = (0..self.rows.len()).filter(|&at| matches(&self.rows[at])).collect();
        self.shown.sort_by_key(|&at| !self.rows[at].label.to_lowercase().starts_with(&typed));
        self.selected = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(label: &str, reason: Option<&str>) -> Row {
        Row {
            label: label.to_owned(),
            value: String::new(),
            note: format!("what {label} does"),
            reason: reason.map(str::to_owned),
            choice: Choice::Act(Action::Quit),
        }
    }

    #[test]
    fn a_menu_begins_at_what_can_be_chosen() {
        let menu = Menu::new("do".to_owned(), vec![row("start", Some("it runs")), row("kill", None)]);
        assert_eq!(menu.row().map(|row| row.label.as_str()), Some("kill"));
    }

    #[test]
    fn typing_narrows_a_list_best_first() {
        let rows = vec![row("restart", None), row("start", None), row("kill", None)];
        let mut menu = Menu::new("do".to_owned(), rows).with_input();
        menu.input = Some(Input::new("sta".to_owned()));
        menu.narrow();
        let labels: Vec<_> = menu.shown().map(|row| row.label.as_str()).collect();
        assert_eq!(labels, ["start", "restart"]);
        menu.input = Some(Input::new("nothing".to_owned()));
        menu.narrow();
        assert!(menu.row().is_none());
    }
}
