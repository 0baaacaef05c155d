//! What is wrong with a scenario, and where: as data, and in rustc's form for people.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

/// At most this many mistakes are shown; the rest is counted.
const SHOWN_MAX: usize = 100;

/// A text in which mistakes can be: the file, or one `--set` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The path of the file, or `--set`.
    pub name: String,
    /// The whole text.
    pub text: String,
}

/// A place in one of the sources.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spot {
    /// Which source: 0 is the file, then the `--set` lines.
    pub source: usize,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Spot {
    /// These bytes of that source.
    pub fn new(source: usize, bytes: Range<usize>) -> Self {
        Self { source, start: bytes.start, end: bytes.end.max(bytes.start) }
    }
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong, in one line.
    pub message: String,
    /// Where, and what is to be said about each place; the first is the main one.
    pub labels: Vec<(Spot, String)>,
    /// A way out.
    pub help: Option<String>,
}

impl Diagnostic {
    /// A mistake at one place.
    pub fn at(spot: Spot, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { message: message.into(), labels: vec![(spot, label.into())], help: None }
    }

    /// With a way out.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// With one more place.
    #[must_use]
    pub fn and(mut self, spot: Spot, label: impl Into<String>) -> Self {
        self.labels.push((spot, label.into()));
        self
    }
}

/// All mistakes of a scenario, with the texts they are in. Never empty when it is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics {
    /// The texts.
    pub sources: Vec<Source>,
    /// The mistakes, in the order of the text, each once.
    pub list: Vec<Diagnostic>,
}

/// Whether people see colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Plain text.
    Plain,
    /// With terminal colours.
    Colour,
}

impl Diagnostics {
    /// In the order of the text, each message once a place.
    pub fn new(sources: Vec<Source>, mut list: Vec<Diagnostic>) -> Self {
        list.sort_by(|a, b| {
            let key = |d: &Diagnostic| d.labels.first().map(|(spot, _)| *spot);
            let rank = |d: &Diagnostic| !is_syntax(d);
            key(a).cmp(&key(b)).then_with(|| (rank(a), &a.message).cmp(&(rank(b), &b.message)))
        });
        // What stands where the syntax is wrong says nothing new.
        list.dedup_by(|a, b| {
            (a.message == b.message || is_syntax(b))
                && a.labels.first().map(|label| label.0) == b.labels.first().map(|label| label.0)
        });
        Self { sources, list }
    }

    /// All of them in rustc's form, one empty line between two.
    pub fn render(&self, style: Style) -> String {
        let renderer = match style {
            Style::Plain => Renderer::plain(),
            Style::Colour => Renderer::styled(),
        };
        let mut shown: Vec<String> =
            self.list.iter().take(SHOWN_MAX).map(|one| self.render_one(one, &renderer)).collect();
        if self.list.len() > SHOWN_MAX {
            shown.push(format!("error: and {} more mistakes", self.list.len() - SHOWN_MAX));
        }
        shown.join("\n\n") + "\n"
    }

    fn render_one(&self, diagnostic: &Diagnostic, renderer: &Renderer) -> String {
        let mut group = Group::with_title(Level::ERROR.primary_title(&diagnostic.message));
        let main = diagnostic.labels.first().map(|(spot, _)| *spot);
        let mut order: Vec<usize> = Vec::new();
        for (spot, _) in &diagnostic.labels {
            if !order.contains(&spot.source) {
                order.push(spot.source);
            }
        }
        let windows: Vec<_> = order
            .iter()
            .filter_map(|index| {
                let source = self.sources.get(*index)?;
                let labels = diagnostic.labels.iter().filter(|(spot, _)| spot.source == *index);
                Some((*index, source, window(&source.text, labels.clone().map(|(spot, _)| *spot))))
            })
            .collect();
        for (index, source, (range, line)) in &windows {
            let text = &source.text[range.clone()];
            let mut snippet = Snippet::source(text).line_start(*line).path(&source.name);
            for (spot, label) in diagnostic.labels.iter().filter(|(spot, _)| spot.source == *index) {
                let kind =
                    if Some(*spot) == main { AnnotationKind::Primary } else { AnnotationKind::Context };
                let bytes = fit(text, spot.start - range.start..spot.end.max(spot.start) - range.start);
                let label = (!label.is_empty()).then_some(label.as_str());
                snippet = snippet.annotation(kind.span(bytes).label(label));
            }
            group = group.element(snippet);
        }
        if let Some(help) = &diagnostic.help {
            group = group.element(Level::HELP.message(help));
        }
        renderer.render(&[group])
    }
}

fn is_syntax(one: &Diagnostic) -> bool {
    one.message.starts_with("not TOML: ")
}

/// The whole lines that hold all the spots, and the number of the first of them: the renderer need not see the rest.
fn window(text: &str, spots: impl Iterator<Item = Spot> + Clone) -> (Range<usize>, usize) {
    let start = spots.clone().map(|spot| spot.start).min().unwrap_or(0).min(text.len());
    let end = spots.map(|spot| spot.end).max().unwrap_or(0).clamp(start, text.len());
    let bytes = text.as_bytes();
    let first = bytes[..start].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let last = bytes[end..].iter().position(|byte| *byte == b'\n').map_or(text.len(), |at| end + at);
    (first..last, 1 + text[..first].matches('\n').count())
}

/// Inside the text and on character boundaries.
fn fit(text: &str, bytes: Range<usize>) -> Range<usize> {
    let down = |mut at: usize| {
        at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    };
    let start = down(bytes.start);
    start..down(bytes.end).max(start)
}

/// The known name that a mistyped one is nearest to, if any is near.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| {
            *distance <= (candidate.chars().count().max(lower.chars().count()) / 3).max(1)
        })
        .min()
        .map(|(_, candidate)| candidate)
}
