//! The catalogue: every word of the interface, by key. A language is one file beside this one; what a family says about
//! itself (`HW`, `leader`) is the family's and stands in no catalogue.

use std::collections::BTreeMap;
use std::sync::OnceLock;

/// The words of one language.
#[derive(Debug)]
pub struct Words {
    texts: BTreeMap<String, String>,
}

const ENGLISH: &str = include_str!("words/en.toml");

impl Words {
    /// English.
    pub fn english() -> &'static Self {
        static WORDS: OnceLock<Words> = OnceLock::new();
        WORDS.get_or_init(|| Self::read(ENGLISH))
    }

    /// Reads a catalogue: tables of texts. A key is `table.name`.
    pub fn read(text: &str) -> Self {
        let table: toml::Table = toml::from_str(text).expect("a catalogue is TOML, as its test says");
        let mut texts = BTreeMap::new();
        for (section, entries) in &table {
            for (name, value) in entries.as_table().into_iter().flatten() {
                if let Some(value) = value.as_str() {
                    texts.insert(format!("{section}.{name}"), value.to_owned());
                }
            }
        }
        Self { texts }
    }

    /// The text of that key; a missing one shows its key, and fails a test.
    pub fn get<'a>(&'a self, key: &'a str) -> &'a str {
        self.texts.get(key).map_or(key, String::as_str)
    }

    /// The text of that key with each `{name}` replaced by its value.
    pub fn with(&self, key: &str, values: &[(&str, &dyn std::fmt::Display)]) -> String {
        let mut text = self.get(key).to_owned();
        for (name, value) in values {
            text = text.replace(&format!("{{{name}}}"), &value.to_string());
        }
        text
    }

    /// Whether there is a text of that key.
    pub fn has(&self, key: &str) -> bool {
        self.texts.contains_key(key)
    }

    /// All texts, in the order of their keys.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.texts.values().map(String::as_str)
    }

    /// All keys, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.texts.keys().map(String::as_str)
    }
}

/// Why a file could not be written.
pub fn unwritten(words: &Words, path: &str, why: &std::io::Error) -> String {
    let key = match why.kind() {
        std::io::ErrorKind::AlreadyExists => "write.exists",
        std::io::ErrorKind::NotFound => "write.no_folder",
        _ => "write.failed",
    };
    words.with(key, &[("path", &path), ("why", why)])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_found_and_filled_in() {
        let words = Words::read("[cluster]\nlost = \"{count} of {all} lost\"");
        assert_eq!(words.with("cluster.lost", &[("count", &3), ("all", &"ten")]), "3 of ten lost");
        assert_eq!(words.get("cluster.missing"), "cluster.missing");
        assert!(Words::english().keys().count() > 1);
    }
}
