//! A program to press keys in, without a terminal.

use std::path::PathBuf;
use std::sync::Arc;

use mqlab::lab::Source;
use mqlab::lab::source::Opened;
use mqlab::scenario::{Scenario, Style};
use mqlab::tui::app::{App, Errand};
use mqlab::tui::jobs::AtOnce;
use mqlab::tui::keymap::Chord;
use mqlab::tui::look::Look;
use mqlab::tui::out::Out;
use mqlab::tui::screen;
use mqlab::tui::shelf::{Entry, Shelf};
use mqlab::tui::theme::Theme;
use ratatui::layout::Rect;

/// A small run in which the leader dies with the only copy of nineteen messages.
pub(crate) const LEADER_DIES: &str = "tests/tui/leader-dies.toml";

/// A shelf with that run, and a file that is wrong.
pub(crate) struct Two;

impl Shelf for Two {
    fn entries(&self) -> Vec<Entry> {
        let good = open(LEADER_DIES);
        let entry = |name: &str, mistake: Option<&str>| Entry {
            name: name.to_owned(),
            title: good.about().title.clone(),
            family: "kafka 2.0".to_owned(),
            question: good.about().question.clone(),
            story: good.about().story.clone(),
            variants: good.variants(),
            mistake: mistake.map(str::to_owned),
        };
        vec![entry(LEADER_DIES, None), entry("wrong.toml", Some("error: there is no `family`"))]
    }

    fn open(&self, name: &str) -> Result<Arc<dyn Source>, String> {
        if name == LEADER_DIES { Ok(open(name)) } else { Err("error: there is no `family`".to_owned()) }
    }
}

pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn open(path: &str) -> Arc<dyn Source> {
    let bytes = std::fs::read(root().join(path)).expect("the scenario is there");
    let scenario = Scenario::read(path, path, &bytes).expect("the scenario is right");
    Arc::new(Opened::new(scenario, Style::Plain))
}

/// A program whose jobs are done at once.
pub(crate) struct Desk {
    pub(crate) app: App,
    at_once: AtOnce,
    pub(crate) errands: Vec<Errand>,
}

impl Desk {
    /// At the list of scenarios.
    pub(crate) fn at_picker(theme: Theme, is_ascii: bool) -> Self {
        let shelf: Arc<dyn Shelf> = Arc::new(Two);
        let app = App::new(Look::new(theme, is_ascii), Arc::clone(&shelf));
        let mut desk = Self { app, at_once: AtOnce::new(shelf), errands: Vec::new() };
        desk.settle();
        desk
    }

    /// At the beginning of the run, whose end is known.
    pub(crate) fn at_run(theme: Theme, is_ascii: bool) -> Self {
        let mut desk = Self::at_picker(theme, is_ascii);
        desk.app.open(open(LEADER_DIES), None, None, Vec::new()).expect("the run can be looked at");
        desk.app.stage_mut().expect("a run is shown").record_all();
        desk.settle();
        desk
    }

    /// Whatever a key asked for is found out and done, but for what is done outside.
    pub(crate) fn settle(&mut self) {
        self.app.prepare(&mut self.at_once);
        while let Some(errand) = self.app.errand() {
            if let Errand::Write { path, .. } = &errand {
                self.app.written(path, Ok(()));
            }
            self.errands.push(errand);
        }
    }

    pub(crate) fn press(&mut self, chord: Chord) -> &mut Self {
        self.app.press(chord);
        self.settle();
        self
    }

    /// One character after the other.
    pub(crate) fn keys(&mut self, text: &str) -> &mut Self {
        for c in text.chars() {
            self.press(match c {
                ' ' => Chord::Space,
                '\n' => Chord::Enter,
                c => Chord::Char(c),
            });
        }
        self
    }

    pub(crate) fn draw(&self, width: u16, height: u16) -> Out {
        screen::draw(&self.app, Rect::new(0, 0, width, height))
    }

    /// The screen as text.
    pub(crate) fn text(&self, width: u16, height: u16) -> String {
        mqlab::tui::svg::text(&self.draw(width, height).buffer)
    }
}
