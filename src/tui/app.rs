//! The state of the program: which screen, what lies over it, and what it has to say.

use std::collections::VecDeque;
use std::sync::Arc;

use tui_input::Input;

use super::action::View;
use super::jobs::{Desk, Found, Job};
use super::keymap::Context;
use super::look::Look;
use super::menu::{Menu, Question};
use super::picker::Picker;
use super::shelf::Shelf;
use super::stage::Stage;
use crate::lab::Source;
use crate::lab::session::Session;

/// Everything there is.
pub struct App {
    /// How everything looks.
    pub look: Look,
    /// What is shown.
    pub screen: Screen,
    /// What lies over it, the last one on top.
    pub overlays: Vec<Overlay>,
    /// One line that says what just happened, until the next key.
    pub notice: Option<Notice>,
    /// The mouse is used here; else the terminal has it, for selecting text.
    pub has_mouse: bool,
    /// Nobody pressed a key yet: the footer greets.
    pub is_new: bool,
    /// The list that the run was opened from; none: it was named on the command line.
    pub(super) list: Option<Box<Picker>>,
    pub(super) shelf: Arc<dyn Shelf>,
    /// What is asked of the desk, and not answered.
    pub(super) asked: Vec<Job>,
    /// What is to be done outside.
    pub(super) errands: VecDeque<Errand>,
}

/// What is shown.
pub enum Screen {
    /// The list of scenarios.
    Picker(Box<Picker>),
    /// A run.
    Stage(Box<Stage>),
}

/// What lies over a screen.
pub enum Overlay {
    /// All keys.
    Help {
        /// The first line shown.
        scroll: usize,
    },
    /// Something to choose.
    Menu(Menu),
    /// Something to type.
    Prompt {
        /// What for.
        question: Question,
        /// What was typed so far.
        input: Input,
        /// What is wrong with it.
        mistake: Option<String>,
    },
    /// Something to read: a mistake in full.
    Message {
        /// What it is about.
        title: String,
        /// The text.
        text: String,
        /// The first line shown.
        scroll: usize,
    },
}

impl Overlay {
    /// Whether it is of the instant that it was opened at: no time passes under it.
    fn is_of_the_instant(&self) -> bool {
        match self {
            Self::Menu(_) => true,
            Self::Prompt { question, .. } => question.is_of_the_instant(),
            Self::Help { .. } | Self::Message { .. } => false,
        }
    }
}

/// A line that says what just happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What.
    pub text: String,
    /// Something could not be done.
    pub is_trouble: bool,
}

/// Something that is done outside: the only way to files and to the terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Errand {
    /// The program ends.
    Quit,
    /// Back to the shell for a while.
    Suspend,
    /// The mouse is taken or given back.
    Mouse(bool),
    /// A file is written, if there is none of that name yet.
    Write {
        /// Its path.
        path: String,
        /// What goes into it.
        text: String,
    },
}

impl App {
    /// The list of a shelf's scenarios.
    pub fn new(look: Look, shelf: Arc<dyn Shelf>) -> Self {
        let picker = Picker::new(shelf.entries());
        Self {
            look,
            screen: Screen::Picker(Box::new(picker)),
            overlays: Vec::new(),
            notice: None,
            has_mouse: false,
            is_new: true,
            list: None,
            shelf,
            asked: Vec::new(),
            errands: VecDeque::new(),
        }
    }

    /// A run of a scenario; the error is for people, and nothing has changed.
    pub fn open(
        &mut self,
        source: Arc<dyn Source>,
        variant: Option<&str>,
        seed: Option<u64>,
        sets: Vec<String>,
    ) -> Result<(), String> {
        let session = Session::open(source, variant, seed, sets)?;
        self.screen = Screen::Stage(Box::new(Stage::new(session)));
        self.overlays.clear();
        Ok(())
    }

    /// The run that is shown, if one is.
    pub fn stage(&self) -> Option<&Stage> {
        match &self.screen {
            Screen::Stage(stage) => Some(stage),
            Screen::Picker(_) => None,
        }
    }

    /// The run that is shown, to change what is looked at.
    pub fn stage_mut(&mut self) -> Option<&mut Stage> {
        match &mut self.screen {
            Screen::Stage(stage) => Some(stage),
            Screen::Picker(_) => None,
        }
    }

    /// The view that is shown.
    pub fn view(&self) -> Option<View> {
        self.stage().map(|stage| stage.pick.view)
    }

    /// What keys mean now.
    pub fn context(&self) -> Context {
        match self.overlays.last() {
            Some(Overlay::Prompt { .. }) => Context::Text,
            Some(Overlay::Menu(menu)) if menu.input.is_some() => Context::Text,
            Some(_) => Context::List,
            None => match self.screen {
                Screen::Picker(_) => Context::Picker,
                Screen::Stage(_) => Context::Lab,
            },
        }
    }

    /// Says something in one line.
    pub fn say(&mut self, text: impl Into<String>) {
        self.notice = Some(Notice { text: text.into(), is_trouble: false });
    }

    /// Says that something could not be done: in one line if it is one, else over the screen.
    pub fn complain(&mut self, text: &str) {
        let plain = plain(text);
        if plain.lines().count() > 1 {
            let title = self.look.word("message.trouble").to_owned();
            self.overlays.push(Overlay::Message { title, text: plain, scroll: 0 });
        } else {
            self.notice = Some(Notice { text: plain, is_trouble: true });
        }
    }

    /// What is to be done outside, oldest first.
    pub fn errand(&mut self) -> Option<Errand> {
        self.errands.pop_front()
    }

    /// Asks for what the screen needs and nobody has found out yet, and fetches what is near the cursor. Called
    /// between a change and the drawing of it.
    pub fn prepare(&mut self, desk: &mut dyn Desk) {
        loop {
            let wanted = match &mut self.screen {
                Screen::Stage(stage) => {
                    stage.prepare();
                    stage.wants()
                }
                Screen::Picker(picker) => {
                    let entry = picker.entry().filter(|entry| entry.mistake.is_none());
                    let unknown = entry.filter(|entry| !picker.losses.contains_key(&entry.name));
                    unknown.map(|entry| Job::Losses(entry.name.clone()))
                }
            };
            let Some(job) = wanted.filter(|job| !self.asked.iter().any(|asked| asked.is_same(job))) else {
                return;
            };
            self.asked.push(job.clone());
            match desk.take(job) {
                Some(found) => self.found(found),
                None => return,
            }
        }
    }

    /// Something was found out.
    pub fn found(&mut self, found: Found) {
        self.asked.retain(|job| !answers(&found, job));
        match (found, &mut self.screen) {
            (Found::Losses(name, losses), Screen::Picker(picker)) => {
                picker.losses.insert(name, losses);
            }
            (Found::Study(branch, study), Screen::Stage(stage)) => {
                stage.studied(branch, study.map(|study| *study));
            }
            (Found::Journey(branch, message, journey), Screen::Stage(stage)) => {
                stage.traced(branch, message, journey);
            }
            // Nobody looks at it any more.
            _ => {}
        }
    }

    /// Whether nothing will change by itself: no run is played or recorded.
    pub fn is_idle(&self) -> bool {
        self.stage().is_none_or(Stage::is_idle)
    }

    /// Whether something is being found out.
    pub fn is_waiting(&self) -> bool {
        !self.asked.is_empty()
    }

    /// So much time has passed, in nanoseconds. Whether anything changed.
    pub fn tick(&mut self, elapsed_ns: u64) -> bool {
        let look = self.look;
        // What a menu offers is for the instant that its title names.
        let is_held = self.overlays.iter().any(Overlay::is_of_the_instant);
        let Some(stage) = self.stage_mut() else { return false };
        let ticked = stage.tick((!is_held).then_some(elapsed_ns), &look);
        if let Some(text) = ticked.says {
            self.say(text);
        }
        ticked.has_changed
    }
}

fn answers(found: &Found, job: &Job) -> bool {
    match (found, job) {
        (Found::Study(branch, _), Job::Study(asked, _)) => branch == asked,
        (Found::Journey(branch, message, _), Job::Journey(asked, about, ..)) => {
            branch == asked && message == about
        }
        (Found::Losses(name, _), Job::Losses(asked)) => name == asked,
        _ => false,
    }
}

/// Without the escape sequences of colours: a screen has its own.
fn plain(text: &str) -> String {
    anstream::adapter::strip_str(text.trim_end()).to_string()
}
