//! What each action does to the state. Nothing here draws, reads a file, or knows a terminal.

use tui_input::Input;

use super::action::{Action, Far, Landmark, View, Way};
use super::app::{App, Errand, Overlay, Screen};
use super::keymap::{self, Chord, Context};
use super::look::Look;
use super::menu::{Choice, Question};
use super::picker::moved;
use super::stage::Stage;
use super::{doing, palette, typed};
use crate::lab::record::Position;
use crate::lab::session::Session;
use crate::sim::{Span, Time};

/// A page of messages, lines or offsets.
const PAGE: usize = 10;
/// A page of cells.
const PAGE_OF_CELLS: u32 = 50;

impl App {
    /// A key was pressed.
    pub fn press(&mut self, chord: Chord) {
        self.notice = None;
        self.is_new = false;
        let context = self.context();
        match keymap::action(context, chord) {
            Some(action) => self.act(&action),
            None if context == Context::Text => typed::key(self, chord),
            None => {}
        }
    }

    /// Does something, or says why it cannot be done.
    pub fn act(&mut self, action: &Action) {
        if let Some(why) = self.obstacle(action) {
            self.notice = None;
            self.complain(&why);
            return;
        }
        match action {
            Action::Quit => self.leave(Choice::Quit),
            Action::QuitNow => self.errands.push_back(Errand::Quit),
            Action::Suspend => self.errands.push_back(Errand::Suspend),
            Action::Back => self.back(),
            Action::Help => self.help(),
            Action::Palette => palette::open(self),
            Action::NextTheme => {
                self.look.theme = self.look.theme.next();
                let text = self.look.with("say.theme", &[("name", &self.look.theme.name())]);
                self.say(text);
            }
            Action::ToggleAscii => {
                let is_ascii = !self.look.glyphs.is_ascii;
                self.look.glyphs = if is_ascii { &super::glyph::ASCII } else { &super::glyph::UNICODE };
            }
            Action::ToggleMouse => {
                self.has_mouse = !self.has_mouse;
                self.errands.push_back(Errand::Mouse(self.has_mouse));
                let key = if self.has_mouse { "say.mouse_on" } else { "say.mouse_off" };
                self.say(self.look.word(key));
            }
            Action::Move(way, far) => self.move_selection(*way, *far),
            Action::Enter => self.enter(),
            Action::Pick(row) => self.pick_row(*row),
            Action::Filter => self.ask(Question::Filter, self.filter().to_owned()),
            Action::NextVariant(way) => doing::next_variant(self, *way),
            Action::Picker => self.leave(Choice::Picker),
            other => self.on_stage(other),
        }
    }

    /// What only a run can do.
    fn on_stage(&mut self, action: &Action) {
        let look = self.look;
        match action {
            Action::Inject => return doing::inject(self),
            Action::Settings => return doing::settings(self),
            Action::Load => return doing::load(self),
            Action::NextSeed => return doing::next_seed(self),
            Action::Leave => return doing::leave(self),
            Action::Branches => return doing::branches(self),
            Action::Write => return doing::ask_file(self),
            Action::Seek => return self.ask(Question::Seek, String::new()),
            Action::Match(way) => return self.next_match(*way),
            Action::Jump(landmark, way) => return self.jump(*landmark, *way),
            _ => {}
        }
        let Some(stage) = self.stage_mut() else { return };
        if let Some(text) = stage.in_time(action, &look).or_else(|| stage.select(action, &look)) {
            self.say(text);
        }
    }

    /// One layer back: what lies on top, a filter, a selection, the run.
    fn back(&mut self) {
        if self.overlays.pop().is_some() {
            return;
        }
        match &mut self.screen {
            Screen::Picker(picker) if !picker.filter.is_empty() => picker.narrow(""),
            Screen::Picker(_) => self.say(self.look.word("say.quit_with_q")),
            Screen::Stage(stage) if !stage.pick.filter.is_empty() && stage.pick.view == View::Events => {
                stage.pick.filter.clear();
            }
            Screen::Stage(stage) if stage.pick.view != View::Cluster => show(stage, View::Cluster),
            Screen::Stage(_) if self.list.is_some() => self.act(&Action::Picker),
            Screen::Stage(_) => self.say(self.look.word("say.picker_with")),
        }
    }

    /// To the list, as it was when the run was opened from it.
    pub(super) fn leave_for_picker(&mut self) {
        let list = self.list.take();
        let list = list.unwrap_or_else(|| Box::new(super::picker::Picker::new(self.shelf.entries())));
        self.screen = Screen::Picker(list);
        self.overlays.clear();
    }

    fn help(&mut self) {
        if matches!(self.overlays.last(), Some(Overlay::Help { .. })) {
            self.overlays.pop();
        } else {
            self.overlays.push(Overlay::Help { scroll: 0 });
        }
    }

    /// Asks for a line of text.
    pub(super) fn ask(&mut self, question: Question, text: String) {
        self.overlays.push(Overlay::Prompt { question, input: Input::new(text), mistake: None });
    }

    /// What the list or the log is narrowed to.
    fn filter(&self) -> &str {
        match &self.screen {
            Screen::Picker(picker) => &picker.filter,
            Screen::Stage(stage) => &stage.pick.filter,
        }
    }

    fn move_selection(&mut self, way: Way, far: Far) {
        let look = self.look;
        if let Some(overlay) = self.overlays.last() {
            let help_lines = match overlay {
                Overlay::Help { .. } => super::view::help::count(self, &look),
                _ => 0,
            };
            match self.overlays.last_mut() {
                Some(Overlay::Help { scroll }) => *scroll = moved(*scroll, help_lines, way, far, PAGE),
                Some(Overlay::Menu(menu)) => menu.advance(way, far, PAGE),
                Some(Overlay::Message { text, scroll, .. }) => {
                    *scroll = moved(*scroll, text.lines().count(), way, far, PAGE);
                }
                _ => {}
            }
            return;
        }
        match &mut self.screen {
            Screen::Picker(picker) => picker.advance(way, far, PAGE),
            Screen::Stage(stage) => stage.move_selection(way, far),
        }
    }

    fn pick_row(&mut self, row: usize) {
        match (self.overlays.last_mut(), &mut self.screen) {
            (Some(Overlay::Menu(menu)), _) => {
                menu.select(row);
                self.enter();
            }
            (None, Screen::Picker(picker)) => {
                let is_again = picker.selected() == row;
                picker.select(row);
                if is_again {
                    self.enter();
                }
            }
            _ => {}
        }
    }

    fn enter(&mut self) {
        let look = self.look;
        match self.overlays.last() {
            Some(Overlay::Menu(_)) => doing::choose(self),
            Some(Overlay::Prompt { .. }) => typed::done(self),
            Some(_) => {
                self.overlays.pop();
            }
            None => match &mut self.screen {
                Screen::Picker(picker) => {
                    let Some(entry) = picker.entry() else { return };
                    let (name, variant) = (entry.name.clone(), picker.variant().map(str::to_owned));
                    self.open_named(&name, variant.as_deref());
                }
                Screen::Stage(stage) => stage.enter(&look),
            },
        }
    }

    fn open_named(&mut self, name: &str, variant: Option<&str>) {
        let session =
            self.shelf.open(name).and_then(|source| Session::open(source, variant, None, Vec::new()));
        match session {
            Ok(session) => {
                let stage = Screen::Stage(Box::new(Stage::new(session)));
                if let Screen::Picker(list) = std::mem::replace(&mut self.screen, stage) {
                    self.list = Some(list);
                }
                self.overlays.clear();
                self.is_new = true;
            }
            Err(mistake) => self.complain(&mistake),
        }
    }

    fn jump(&mut self, landmark: Landmark, way: Way) {
        let look = self.look;
        let Some(stage) = self.stage_mut() else { return };
        stage.play.is_playing = false;
        stage.refresh_marks();
        let is_known = stage.study().is_some() || landmark != Landmark::Loss;
        let Some(mark) = stage.next_mark(landmark, way).filter(|_| is_known) else {
            let key = match (is_known, way) {
                (false, _) => "say.not_known_yet",
                (true, Way::On) => "say.none_after",
                (true, Way::Back) => "say.none_before",
            };
            let what = look.word(landmark_word(landmark));
            let text = look.with(key, &[("what", &what)]);
            return self.say(text);
        };
        stage.seek(Position::Time(mark.at));
        let text = stage.arrive(mark, &look);
        self.say(text);
    }

    fn next_match(&mut self, way: Way) {
        let look = self.look;
        let Some(stage) = self.stage_mut() else { return };
        let found = if stage.pick.view == View::Events {
            stage.next_sentence(way, &look)
        } else {
            let harmed = stage.next_harmed(way);
            stage.pick.message = harmed.or(stage.pick.message);
            harmed.is_some()
        };
        if !found {
            self.say(look.word("say.no_match"));
        }
    }
}

/// The key of a landmark's word.
pub(super) fn landmark_word(landmark: Landmark) -> &'static str {
    match landmark {
        Landmark::Loss => "landmark.loss",
        Landmark::Fault => "landmark.fault",
        Landmark::Duplicate => "landmark.duplicate",
        Landmark::Reorder => "landmark.reorder",
        Landmark::Election => "landmark.election",
        Landmark::Bookmark => "landmark.bookmark",
    }
}

/// Another view, from its first line on.
fn show(stage: &mut Stage, view: View) {
    if stage.pick.view != view {
        stage.pick.scroll = 0;
        stage.pick.line = 0;
    }
    stage.pick.view = view;
}

/// The cause of the selected message's fate; if none is selected that came to harm, of the nearest harm.
fn why(stage: &mut Stage) {
    let is_harmed = stage.pick.message.is_some_and(|message| stage.is_harmed(message));
    if !is_harmed && let Some((subscription, message)) = stage.nearest_harm() {
        stage.pick.message = Some(message);
        if subscription != crate::fact::NONE {
            stage.pick.subscription = subscription;
        }
    }
    show(stage, View::Why);
}

fn around(at: usize, count: usize, way: Way) -> usize {
    let count = count.max(1);
    match way {
        Way::On => (at + 1) % count,
        Way::Back => (at + count - 1) % count,
    }
}

impl Stage {
    /// Moves in time; what there is to say about it.
    fn in_time(&mut self, action: &Action, look: &Look) -> Option<String> {
        match action {
            Action::TogglePlay => {
                let is_over = self.recording().is_whole() && self.now() >= self.end();
                if !self.play.is_playing && is_over {
                    self.seek(Position::Event(0));
                }
                self.play.is_playing = !self.play.is_playing;
            }
            Action::Speed(way) => {
                let key = if self.play.change(*way) { "say.speed" } else { "say.speed_limit" };
                return Some(look.with(key, &[("speed", &Span(self.play.speed()))]));
            }
            Action::ToggleStops => {
                self.play.has_stops = !self.play.has_stops;
                let key = if self.play.has_stops { "say.stops_on" } else { "say.stops_off" };
                return Some(look.word(key).to_owned());
            }
            Action::StepEvent(way) => {
                self.play.is_playing = false;
                let key = if *way == Way::On { "say.at_end" } else { "say.at_start" };
                return (!self.step(*way)).then(|| look.word(key).to_owned());
            }
            Action::StepTime(way) => {
                self.play.is_playing = false;
                let step = self.play.step();
                let target = match way {
                    Way::On => self.now() + step,
                    Way::Back => Time(self.now().0.saturating_sub(step.0)),
                };
                self.seek_clamped(target);
            }
            Action::ToEnd(way) => {
                self.play.is_playing = false;
                match way {
                    Way::Back => self.seek(Position::Event(0)),
                    Way::On => self.seek_to_end(),
                }
            }
            Action::SeekTo(time) => self.seek_clamped(*time),
            Action::Bookmark => {
                let now = self.now();
                let is_new = self.bookmarks.insert(now);
                if !is_new {
                    self.bookmarks.remove(&now);
                }
                let key = if is_new { "say.bookmarked" } else { "say.unmarked" };
                return Some(look.with(key, &[("at", &now)]));
            }
            _ => {}
        }
        None
    }

    /// Shows or selects something else; what there is to say about it.
    fn select(&mut self, action: &Action, look: &Look) -> Option<String> {
        match action {
            Action::Show(view) => show(self, *view),
            Action::NextView(way) => {
                let at = View::ALL.iter().position(|view| *view == self.pick.view).unwrap_or(0);
                show(self, View::ALL[around(at, View::ALL.len(), *way)]);
            }
            Action::NextPlace(way) => {
                let places = self.recording().cursor().world.places().len();
                self.pick.place = around(self.pick.place, places, *way);
                self.pick.offset = None;
            }
            Action::NextSubscription => {
                let names = &self.recording().cursor().ledger.layout().subscriptions;
                let next = around(usize::from(self.pick.subscription.0), names.len(), Way::On);
                let text = names.get(next).map(|name| look.with("say.subscription", &[("name", name)]));
                self.pick.subscription.0 = next as u16;
                return text;
            }
            Action::Why => why(self),
            Action::SelectNode(node) => self.pick.node = *node,
            Action::SelectMessage(message) => self.pick.message = Some(*message),
            Action::SelectSubscription(subscription) => self.pick.subscription = *subscription,
            _ => {}
        }
        None
    }

    /// To a time, at most to the end.
    pub fn seek_clamped(&mut self, time: Time) {
        self.seek(Position::Time(time));
        let end = self.end();
        if self.now() > end {
            self.seek(Position::Time(end));
        }
    }

    /// To the end of the run, however long that takes to record.
    pub fn seek_to_end(&mut self) {
        self.record_all();
        let end = self.end();
        self.seek(Position::Time(end));
    }

    /// Whether a message came to harm at the selected subscription, as far as that is known.
    pub fn is_harmed(&self, message: crate::fact::MessageId) -> bool {
        let is_it = |one: &crate::lab::study::Sealed| {
            one.message == message && one.subscription == self.pick.subscription
        };
        self.study().is_some_and(|study| study.sealed.iter().any(is_it))
    }

    fn move_selection(&mut self, way: Way, far: Far) {
        match self.pick.view {
            View::Cluster | View::Inspector if far == Far::One => self.move_node(way),
            View::Cluster => self.move_node(way),
            View::Fates => self.move_message(way, far),
            View::Logs => self.move_offset(way, far),
            View::Events => {
                let by = if far == Far::One { 1 } else { PAGE as i64 };
                self.pick.line += if way == Way::On { -by } else { by };
            }
            View::Inspector | View::Charts | View::Why | View::Verdict => {
                self.pick.scroll = moved(self.pick.scroll, usize::MAX, way, far, PAGE);
            }
        }
    }

    fn move_node(&mut self, way: Way) {
        let nodes: Vec<_> = self.recording().cursor().world.nodes().iter().map(|node| node.node).collect();
        let at = nodes.iter().position(|node| *node == self.pick.node).unwrap_or(0);
        self.pick.scroll = 0;
        if let Some(node) = nodes.get(around(at, nodes.len(), way)) {
            self.pick.node = *node;
        }
    }

    fn move_message(&mut self, way: Way, far: Far) {
        let count = self.recording().cursor().ledger.messages() as u32;
        let Some(last) = count.checked_sub(1) else { return };
        let by = match far {
            Far::One => 1,
            Far::Page => PAGE_OF_CELLS,
            Far::All => count,
        };
        let next = match (self.pick.message, way) {
            (None, Way::On) => 0,
            (None, Way::Back) => last,
            (Some(at), Way::On) => at.0.saturating_add(by).min(last),
            (Some(at), Way::Back) => at.0.saturating_sub(by).min(last),
        };
        self.pick.message = Some(crate::fact::MessageId(next));
    }

    fn move_offset(&mut self, way: Way, far: Far) {
        let world = &self.recording().cursor().world;
        let place = world.places().get(self.pick.place).and_then(|place| world.place(*place));
        let end = place.map_or(0, |place| place.lanes.iter().map(|lane| lane.end).max().unwrap_or(0));
        let by = if far == Far::One { 1 } else { u64::from(PAGE_OF_CELLS) };
        let from = self.pick.offset.unwrap_or(end);
        let next = match way {
            Way::On => from + by,
            Way::Back => from.saturating_sub(by),
        };
        // At the end the lanes follow it again.
        self.pick.offset = (next < end).then_some(next);
    }

    /// Into what is selected.
    fn enter(&mut self, look: &Look) {
        match self.pick.view {
            View::Cluster => show(self, View::Inspector),
            View::Fates | View::Logs | View::Verdict => why(self),
            View::Events => self.enter_event(look),
            View::Why => {
                if self.pick.message.is_none() {
                    why(self);
                }
            }
            View::Inspector => show(self, View::Cluster),
            View::Charts => show(self, View::Verdict),
        }
    }
}
