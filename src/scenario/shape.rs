//! The shape of a key's value: what editors complete and reference pages show. A test holds each shape to what the
//! parser takes.

use super::keys::Keys;

/// What may stand behind a key.
#[derive(Clone, Copy, Debug)]
pub enum Shape {
    /// Whatever the parser takes: no shape is declared.
    Any,
    /// `true` or `false`.
    Flag,
    /// `true` and nothing else.
    True,
    /// A whole number in this range.
    Int(i64, i64),
    /// A string.
    Text,
    /// A string, or a list of strings.
    Texts,
    /// One of these words.
    Words(&'static [&'static str]),
    /// A string of a certain form.
    Form(Form),
    /// A string of a certain form, or names: for a key that means different things beside different others.
    FormOrTexts(Form),
    /// A number of bytes, or a string such as `1 KiB`.
    Size,
    /// One table.
    Table(&'static Keys),
    /// Tables by their names; all of these keys may stand in each.
    Named(&'static [&'static Keys]),
    /// `true`, or names.
    FlagOrTexts,
    /// A script: a list of tables; in a variant, tables by the names of the steps, or a list instead of the file's.
    Steps(&'static [&'static Keys]),
    /// A list of tables.
    Tables(&'static [&'static Keys]),
    /// The cluster: these keys, and what the family counts and declares.
    Cluster(&'static Keys),
    /// What may stand in a table of the family's, such as `topic`: these keys and its fields.
    Entity(&'static Keys),
    /// The vendor's settings for whatever the table describes.
    Config,
    /// A moment that `when` can wait for.
    Moment,
    /// The name of a family.
    Family,
    /// The name of a client library.
    Client,
    /// Claims by the paths of what they are about.
    Claims,
    /// Tables by their names; each holds what the file may hold.
    Variants,
}

/// A form of strings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `1.5ms`.
    Time,
    /// `1ms..3ms`.
    Times,
    /// `1000/s`.
    Rate,
    /// `100 MB/s`.
    Bandwidth,
    /// `1%`.
    Share,
    /// `2.0`.
    Release,
}

impl Form {
    /// All of them.
    pub const ALL: &[Self] =
        &[Self::Time, Self::Times, Self::Rate, Self::Bandwidth, Self::Share, Self::Release];

    /// How it is written, with examples.
    pub fn examples(self) -> &'static str {
        match self {
            Self::Time => "`30s`, `1.5ms`, `10us`, `2m`, `1h`",
            Self::Times => "`2ms`, `1ms..3ms`, `exp(2ms)`, `lognormal(2ms, 0.5)`",
            Self::Rate => "`1000/s`, `poisson(1000/s)`, `one by one`, `max`",
            Self::Bandwidth => "`100 MB/s`",
            Self::Share => "`1%`",
            Self::Release => "`2.0`, `3.7.1`",
        }
    }

    /// As a regular expression: never stricter than the parser, which has the last word.
    pub fn pattern(self) -> &'static str {
        match self {
            Self::Time => r"^\s*[0-9][0-9._]*\s*(ns|us|µs|ms|s|m|min|h)\s*$",
            Self::Times => {
                r"^\s*([0-9][0-9._]*\s*[a-zµ]+\s*(\.\.\s*[0-9].*)?|exp\s*\(.*\)|lognormal\s*\(.*\))\s*$"
            }
            Self::Rate => r"^\s*(one by one|max|(poisson\s*\(\s*)?[0-9][0-9._]*\s*/\s*(s|m|min|h)\s*\)?)\s*$",
            Self::Bandwidth => r"^\s*[0-9][0-9._]*\s*(B|[kKMG]B|[KMG]iB)\s*/s\s*$",
            Self::Share => r"^\s*[0-9][0-9._]*\s*%\s*$",
            Self::Release => r"^[0-9]+(\.[0-9]+){0,2}$",
        }
    }
}
