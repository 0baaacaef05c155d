//! The legend: which symbols a view draws and what they mean, taken from what draws them. The help shows it.

use std::fmt::Display;

use super::cluster::{disk_glyphs, health};
use super::{charts, logs, timeline, why};
use crate::broker::Family;
use crate::broker::picture::Health;
use crate::ledger::Standing;
use crate::tui::action::{Landmark, View};
use crate::tui::look::Look;

/// Symbols that belong together.
pub(super) struct Row {
    /// What they are about.
    pub(super) about: String,
    /// Each symbol with its meaning.
    pub(super) entries: Vec<String>,
}

/// What a view draws, and below it what the timeline does.
pub(super) fn of(view: View, family: &dyn Family, look: &Look) -> Vec<Row> {
    let glyphs = look.glyphs;
    let mut rows = match view {
        View::Cluster => vec![
            nodes(look),
            row(
                look,
                "legend.links",
                [
                    (string(&[glyphs.arrow_right, glyphs.arrow_left]), "legend.packet"),
                    (string(&[glyphs.cut, glyphs.dots]), "legend.cut"),
                    (string(&[glyphs.fault]), "legend.spoiled"),
                ],
            ),
            row(
                look,
                "legend.disk",
                disk_glyphs(look).map(|one| one.to_string()).into_iter().zip(["logs.durable", "logs.cached"]),
            ),
            messages(look),
        ],
        View::Logs => copies(family, look),
        View::Fates => meanings(look),
        View::Charts => {
            let [median, p99, most] = charts::shades(look);
            vec![row(
                look,
                "legend.latency",
                [
                    (string(&[median]), "legend.median"),
                    (string(&[p99]), "legend.p99"),
                    (string(&[most]), "legend.longest"),
                ],
            )]
        }
        View::Events => vec![row(look, "legend.lines", [(string(&[glyphs.pointer]), "legend.here")])],
        View::Inspector => vec![nodes(look), abbreviations(family, look)],
        View::Why => {
            let about = look.word("legend.proof").to_owned();
            let entries = why::tries(look).map(|(glyph, word)| entry(glyph, word)).to_vec();
            vec![Row { about, entries }]
        }
        View::Verdict => vec![
            messages(look),
            row(
                look,
                "legend.promises",
                [(string(&[glyphs.tick]), "legend.kept"), (string(&[glyphs.cross]), "legend.broken")],
            ),
        ],
    };
    rows.push(moments(look));
    rows.retain(|row| !row.entries.is_empty());
    rows
}

/// Cells, the lines below them, and what stands at offsets.
fn copies(family: &dyn Family, look: &Look) -> Vec<Row> {
    let glyphs = look.glyphs;
    let [durable, cached, differs] = logs::lines(look).map(|(glyph, word, _)| entry(glyph, word));
    let about = look.word("legend.copies").to_owned();
    vec![
        messages(look),
        row(
            look,
            "legend.cells",
            [
                (string(&glyphs.shade[1..]), "legend.share_done"),
                (string(&[glyphs.bullet]), "legend.no_message"),
            ],
        ),
        Row { about, entries: vec![durable, cached, differs] },
        row(
            look,
            "legend.marks",
            [
                (string(&[glyphs.arrow_up]), "legend.offset"),
                (string(&[glyphs.arrow_left, glyphs.arrow_right]), "legend.outside"),
            ],
        ),
        row(
            look,
            "legend.nodes",
            [(string(&[glyphs.up]), "legend.takes_part"), (string(&[glyphs.down]), "legend.is_out")],
        ),
        abbreviations(family, look),
    ]
}

fn string(glyphs: &[char]) -> String {
    glyphs.iter().collect()
}

fn entry(glyph: impl Display, meaning: &str) -> String {
    format!("{glyph} {meaning}")
}

fn row(look: &Look, about: &'static str, entries: impl IntoIterator<Item = (String, &'static str)>) -> Row {
    let entries = entries.into_iter().map(|(glyph, key)| entry(glyph, look.word(key))).collect();
    Row { about: look.word(about).to_owned(), entries }
}

fn nodes(look: &Look) -> Row {
    let all = [Health::Up, Health::Stopping, Health::Frozen, Health::Down, Health::Off];
    let entries = all.map(|one| health(one, look)).map(|(glyph, word, _)| entry(glyph, word)).to_vec();
    Row { about: look.word("legend.nodes").to_owned(), entries }
}

/// How messages stand; those that look alike together.
fn messages(look: &Look) -> Row {
    let mut seen: Vec<(char, Vec<&str>)> = Vec::new();
    for standing in Standing::all() {
        let (glyph, word) = (look.glyph(standing), look.standing(standing));
        match seen.iter_mut().find(|(other, _)| *other == glyph) {
            Some((_, words)) => words.push(word),
            None => seen.push((glyph, vec![word])),
        }
    }
    let entries = seen.into_iter().map(|(glyph, words)| entry(glyph, &words.join(", "))).collect();
    Row { about: look.word("legend.messages").to_owned(), entries }
}

/// The same, a line each, with what it means.
fn meanings(look: &Look) -> Vec<Row> {
    let row = |standing: Standing| {
        let about = format!("{} {}", look.glyph(standing), look.standing(standing));
        let meaning = match standing {
            Standing::Open => look.word("fates.open"),
            Standing::Waiting => look.word("fates.waiting"),
            Standing::Fate(fate) => fate.meaning(),
        };
        Row { about, entries: vec![meaning.to_owned()] }
    };
    Standing::all().map(row).collect()
}

/// What the timeline marks.
fn moments(look: &Look) -> Row {
    let all = [
        (Landmark::Loss, false, "landmark.loss"),
        (Landmark::Duplicate, false, "landmark.duplicate"),
        (Landmark::Reorder, false, "landmark.reorder"),
        (Landmark::Fault, false, "landmark.fault"),
        (Landmark::Fault, true, "legend.fault_end"),
        (Landmark::Election, false, "landmark.election"),
        (Landmark::Bookmark, false, "landmark.bookmark"),
    ];
    let marks = all.map(|(landmark, is_end, key)| {
        let (glyph, _) = timeline::shown(landmark, is_end, look);
        (glyph.to_string(), key)
    });
    let cursor = [(string(&[look.glyphs.up, look.glyphs.cursor]), "legend.cursor")];
    row(look, "legend.timeline", marks.into_iter().chain(cursor))
}

fn abbreviations(family: &dyn Family, look: &Look) -> Row {
    let entries = family.abbreviations().iter().map(|(short, long)| entry(short, long)).collect();
    Row { about: look.word("legend.short").to_owned(), entries }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::FAMILIES;
    use crate::tui::theme::Theme;

    #[test]
    fn every_view_has_a_legend_in_both_sets_of_characters() {
        for (view, family) in
            View::ALL.into_iter().flat_map(|view| FAMILIES.iter().map(move |one| (view, one)))
        {
            for is_ascii in [false, true] {
                let rows = of(view, *family, &Look::new(Theme::Mono, is_ascii));
                assert!(rows.len() > 1 || view == View::Events, "{view:?}");
                for text in rows.iter().flat_map(|row| row.entries.iter().chain([&row.about])) {
                    assert!(!text.contains("legend."), "{text}");
                    assert!(!is_ascii || text.is_ascii(), "{text}");
                }
            }
        }
    }
}
