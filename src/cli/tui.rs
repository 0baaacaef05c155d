//! `tui`, `frame` and `keys`: the terminal view, one frame of it, and its keys.

use std::io::{IsTerminal as _, Write};
use std::sync::{Arc, LazyLock};

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};

use super::exit::{Exit, Failure};
use super::shelf::{Folder, all, folder};
use super::{Choice, complain, open};
use crate::broker::FAMILIES;
use crate::lab::Source;
use crate::scenario::duration;
use crate::sim::Time;
use crate::tui::action::View;
use crate::tui::app::App;
use crate::tui::frame::{self, Wanted};
use crate::tui::look::Look;
use crate::tui::shelf::Shelf;
use crate::tui::theme::Theme;
use crate::tui::words::Words;
use crate::tui::{keymap, run, svg};

/// `mqlab tui`.
#[derive(Debug, Args)]
pub(super) struct Tui {
    /// A built-in scenario's name, a path, or a directory to choose from; left out: all built-in ones.
    #[arg(value_name = "SCENARIO|DIR")]
    scenario: Option<String>,
    #[command(flatten)]
    choice: Choice,
    #[command(flatten)]
    style: Style,
    /// Use the mouse; without it the terminal keeps it for selecting text.
    #[arg(long)]
    mouse: bool,
}

/// How the terminal view looks.
#[derive(Debug, Args)]
struct Style {
    /// The colours; left out: the terminal's own sixteen, or none under `NO_COLOR`.
    #[arg(long, value_parser = theme())]
    theme: Option<Theme>,
    /// Plain characters only; left out: if the locale knows no Unicode.
    #[arg(long)]
    ascii: bool,
}

/// The names of the themes, where the themes are declared.
fn theme() -> impl TypedValueParser<Value = Theme> {
    PossibleValuesParser::new(Theme::ALL.map(Theme::name))
        .map(|name| Theme::named(&name).expect("only names of themes are accepted"))
}

/// `mqlab frame`.
#[derive(Debug, Args)]
pub(super) struct Frame {
    /// A built-in scenario's name or a path.
    scenario: String,
    #[command(flatten)]
    choice: Choice,
    /// At which time: 5s, 350ms; left out: at the end.
    #[arg(long, value_parser = time)]
    at: Option<Time>,
    /// Which view, by its name on the screen.
    #[arg(long, default_value = View::Cluster.name(), value_parser = shown(), ignore_case = true)]
    view: Shown,
    /// Which message is selected: checkout#17.
    #[arg(long)]
    message: Option<String>,
    /// Which node is selected: broker-2.
    #[arg(long)]
    node: Option<String>,
    /// Columns and rows.
    #[arg(long, default_value = "120x40", value_parser = size)]
    size: (u16, u16),
    /// How it is written.
    #[arg(long, value_enum, default_value_t = FrameFormat::Text)]
    format: FrameFormat,
    #[command(flatten)]
    style: Style,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FrameFormat {
    /// Characters, without colours.
    Text,
    /// A picture.
    Svg,
}

/// The list of scenarios, with the one that is named selected.
const PICKER: &str = "picker";

/// What a frame shows; none: the list of scenarios.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shown(Option<View>);

/// The names of the views, where the views are declared, those that the families have for them, and that of the list.
fn shown() -> impl TypedValueParser<Value = Shown> {
    static PLACES: LazyLock<Vec<String>> =
        LazyLock::new(|| FAMILIES.iter().map(|family| family.places_word().to_lowercase()).collect());
    let mut names: Vec<&'static str> = [PICKER].into_iter().chain(View::ALL.map(View::name)).collect();
    for places in PLACES.iter() {
        if !names.contains(&places.as_str()) {
            names.push(places);
        }
    }
    PossibleValuesParser::new(names).map(|typed| {
        let is_places = FAMILIES.iter().any(|family| family.places_word().eq_ignore_ascii_case(&typed));
        Shown(View::named(&typed.to_lowercase()).or(is_places.then_some(View::Logs)))
    })
}

fn time(text: &str) -> Result<Time, String> {
    duration(text).map(|span| Time::ZERO + span)
}

/// The largest screen that a frame is drawn for, in columns and rows.
const SIZE_MAX: (u16, u16) = (1000, 500);

fn size(text: &str) -> Result<(u16, u16), String> {
    let parsed =
        text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
    match parsed {
        Some((width @ 1.., height @ 1..)) if width <= SIZE_MAX.0 && height <= SIZE_MAX.1 => {
            Ok((width, height))
        }
        _ => Err(format!("expected columns and rows such as 120x40, at most {}x{}", SIZE_MAX.0, SIZE_MAX.1)),
    }
}

impl Style {
    /// How it looks on this terminal.
    fn look(&self) -> Look {
        let no_colour = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let theme = match self.theme {
            Some(theme) => theme,
            None if no_colour => Theme::Mono,
            None => Theme::Default,
        };
        Look::new(theme, self.ascii || !supports_unicode::on(supports_unicode::Stream::Stdout))
    }
}

impl Tui {
    pub(super) fn execute(&self) -> Result<Exit, Failure> {
        let look = self.style.look();
        let directory = self.scenario.as_deref().filter(|name| std::path::Path::new(name).is_dir());
        let shelf: Arc<dyn Shelf> = match directory {
            Some(directory) => Arc::new(folder(directory)?),
            None => Arc::new(all()),
        };
        let source = match &self.scenario {
            Some(name) if directory.is_none() => Some(open::shared(name)?),
            _ => None,
        };
        show(look, shelf, source, &self.choice, self.mouse)
    }
}

/// The list of built-in scenarios, for somebody who typed nothing but the program's name.
pub(super) fn picker() -> Result<Exit, Failure> {
    let style = Style { theme: None, ascii: false };
    let choice = Choice { variant: None, change: super::Change { seed: None, sets: Vec::new() } };
    show(style.look(), Arc::new(all()), None, &choice, false)
}

fn show(
    look: Look,
    shelf: Arc<dyn Shelf>,
    source: Option<Arc<dyn Source>>,
    choice: &Choice,
    has_mouse: bool,
) -> Result<Exit, Failure> {
    if !std::io::stdout().is_terminal() {
        let text = "error: the terminal view needs a terminal\n  = help: `mqlab run SCENARIO` reports, \
                    `mqlab frame SCENARIO` draws one screen";
        return Err(Failure::Terminal(text.to_owned()));
    }
    let mut app = App::new(look, Arc::clone(&shelf));
    app.has_mouse = has_mouse;
    if let Some(source) = source {
        let Choice { variant, change } = choice;
        app.open(source, variant.as_deref(), change.seed, change.sets.clone()).map_err(Failure::Usage)?;
    }
    run::run(app, shelf)
        .map_err(|why| Failure::Terminal(format!("error: the terminal cannot be used: {why}")))?;
    Ok(Exit::Holds)
}

impl Frame {
    pub(super) fn execute(&self, out: &mut dyn Write) -> Result<Exit, Failure> {
        let source = open::shared(&self.scenario)?;
        let title = format!("mqlab: {}", source.about().title);
        let is_picker = self.view.0.is_none();
        // The same on every machine: neither its locale nor its environment matters.
        let look = Look::new(self.style.theme.unwrap_or(Theme::Default), self.style.ascii);
        let shelf: Arc<dyn Shelf> =
            if is_picker { Arc::new(Folder::beginning_with(&self.scenario)) } else { Arc::new(all()) };
        let wanted = Wanted {
            source: (!is_picker).then_some(source),
            variant: self.choice.variant.clone(),
            seed: self.choice.change.seed,
            sets: self.choice.change.sets.clone(),
            at: self.at,
            view: self.view.0.unwrap_or(View::Cluster),
            message: self.message.clone(),
            node: self.node.clone(),
            size: self.size,
            look,
        };
        let drawn = frame::frame(wanted, shelf).map_err(|why| Failure::Usage(error(&why)))?;
        if let Some(note) = &drawn.note {
            complain(&Failure::Usage(format!("note: {note}")));
        }
        match self.format {
            FrameFormat::Text => write!(out, "{}", svg::text(&drawn.out.buffer))?,
            FrameFormat::Svg => write!(out, "{}", svg::svg(&drawn.out.buffer, &title))?,
        }
        Ok(Exit::Holds)
    }
}

/// A sentence as an error, unless it already is one.
fn error(text: &str) -> String {
    if text.contains("error") { text.to_owned() } else { format!("error: {text}") }
}

/// `mqlab keys`: the keys of the terminal view, as a table in Markdown.
pub(super) fn keys(out: &mut dyn Write) -> Result<Exit, Failure> {
    write!(out, "{}", keymap::table(Words::english()))?;
    Ok(Exit::Holds)
}
