//! The list of scenarios: what is shown of it, and what is known of each.

use std::collections::BTreeMap;

use super::action::{Far, Way};
use super::jobs::Loss;
use super::shelf::Entry;

/// The state of the list.
pub struct Picker {
    entries: Vec<Entry>,
    /// Indices of what matches the filter.
    shown: Vec<usize>,
    /// Which of those is selected.
    selected: usize,
    /// What the list is narrowed to.
    pub filter: String,
    /// The variant to open the selected scenario with, as an index.
    variant: usize,
    /// What each scenario loses, as far as that is known.
    pub losses: BTreeMap<String, Result<Vec<Loss>, String>>,
}

impl Picker {
    /// All of a shelf.
    pub fn new(entries: Vec<Entry>) -> Self {
        let shown = (0..entries.len()).collect();
        Self { entries, shown, selected: 0, filter: String::new(), variant: 0, losses: BTreeMap::new() }
    }

    /// What matches the filter, in order.
    pub fn shown(&self) -> impl Iterator<Item = &Entry> {
        self.shown.iter().map(|&at| &self.entries[at])
    }

    /// How many match, and how many there are.
    pub fn counts(&self) -> (usize, usize) {
        (self.shown.len(), self.entries.len())
    }

    /// Which of those shown is selected.
    pub fn selected(&self) -> usize {
        self.selected
    }

    /// The selected entry; none: nothing matches.
    pub fn entry(&self) -> Option<&Entry> {
        self.shown.get(self.selected).map(|&at| &self.entries[at])
    }

    /// The variant to open it with.
    pub fn variant(&self) -> Option<&str> {
        self.entry()?.variants.get(self.variant).map(String::as_str)
    }

    /// Selects another variant.
    pub fn next_variant(&mut self, way: Way) {
        let count = self.entry().map_or(0, |entry| entry.variants.len()).max(1);
        self.variant = match way {
            Way::On => (self.variant + 1) % count,
            Way::Back => (self.variant + count - 1) % count,
        };
    }

    /// Moves the selection.
    pub fn advance(&mut self, way: Way, far: Far, page: usize) {
        self.select(moved(self.selected, self.shown.len(), way, far, page));
    }

    /// Selects a row.
    pub fn select(&mut self, row: usize) {
        if row != self.selected {
            self.variant = 0;
        }
        self.selected = row.min(self.shown.len().saturating_sub(1));
    }

    /// Narrows the list: every word of the filter has to occur in an entry's name, title, family, question or story.
    /// Names that contain all of them come first, then those that contain some.
    pub fn narrow(&mut self, filter: &str) {
        let before = self.entry().map(|entry| entry.name.clone());
        filter.clone_into(&mut self.filter);
        let words: Vec<_> = filter.split_whitespace().map(str::to_lowercase).collect();
        let matches = |entry: &Entry| {
            let text = [&entry.name, &entry.title, &entry.family, &entry.question, &entry.story]
                .map(|text| text.to_lowercase());
            words.iter().all(|word| text.iter().any(|text| text.contains(word)))
        };
        let missing = |&at: &usize| {
            let name = self.entries[at].name.to_lowercase();
            let missing = words.iter().filter(|word| !name.contains(*word)).count();
            u8::from(missing > 0) + u8::from(missing > 0 && missing == words.len())
        };
        let mut shown: Vec<_> = (0..self.entries.len()).filter(|&at| matches(&self.entries[at])).collect();
        shown.sort_by_key(missing);
        // The selection stays, unless there is something nearer to what was typed.
        let nearest = shown.first().map(missing);
        let is_same = |at: &usize| Some(&self.entries[*at].name) == before.as_ref();
        let same = shown.iter().position(|at| is_same(at) && Some(missing(at)) == nearest);
        self.shown = shown;
        if same.is_none() {
            self.variant = 0;
        }
        self.selected = same.unwrap_or(0);
    }
}

/// Where a selection in a list of so many rows goes.
pub fn moved(from: usize, rows: usize, way: Way, far: Far, page: usize) -> usize {
    let last = rows.saturating_sub(1);
    let by = match far {
        Far::One => 1,
        Far::Page => page.max(1),
        Far::All => last,
    };
    match way {
        Way::On => (from + by).min(last),
        Way::Back => from.min(last).saturating_sub(by),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str, title: &str, variants: &[&str]) -> Entry {
        Entry {
            name: name.to_owned(),
            title: title.to_owned(),
            family: "kafka 2.0".to_owned(),
            question: String::new(),
            story: String::new(),
            variants: variants.iter().map(|&name| name.to_owned()).collect(),
            mistake: None,
        }
    }

    #[test]
    fn a_filter_narrows_the_list_and_keeps_the_selection() {
        let mut picker = Picker::new(vec![
            entry("kafka/acks-all", "Everybody has it", &["acks=all"]),
            entry("kafka/acks-one", "The leader dies", &["acks=1", "acks=all"]),
            entry("kafka/flush", "Power loss", &[]),
        ]);
        picker.advance(Way::On, Far::One, 10);
        picker.next_variant(Way::On);
        assert_eq!(picker.variant(), Some("acks=all"));
        picker.narrow("acks LEADER");
        assert_eq!((picker.counts(), picker.selected()), ((1, 3), 0));
        assert_eq!(picker.variant(), Some("acks=all"));
        picker.narrow("power");
        assert_eq!(picker.entry().map(|entry| entry.name.as_str()), Some("kafka/flush"));
        picker.narrow("all");
        assert_eq!(picker.entry().map(|entry| entry.name.as_str()), Some("kafka/acks-all"));
        picker.narrow("nothing like it");
        assert_eq!((picker.entry(), picker.variant()), (None, None));
        picker.advance(Way::On, Far::Page, 10);
        picker.narrow("");
        assert_eq!(picker.entry().map(|entry| entry.name.as_str()), Some("kafka/acks-all"));
    }

    #[test]
    fn a_selection_stays_in_its_list() {
        assert_eq!(moved(0, 0, Way::On, Far::All, 5), 0);
        assert_eq!(moved(3, 5, Way::On, Far::Page, 10), 4);
        assert_eq!(moved(9, 5, Way::Back, Far::One, 10), 3);
        assert_eq!(moved(4, 5, Way::Back, Far::All, 10), 0);
    }
}
