//! The palette: every command by its name. And why a command cannot be used now.

use super::action::{Action, Landmark};
use super::app::{App, Overlay, Screen};
use super::keymap::{self, BINDINGS, Context};
use super::menu::{Choice, Menu, Row};

/// Opens the palette.
pub(super) fn open(app: &mut App) {
    let look = app.look;
    let places = app.places();
    let context = if app.stage().is_some() { Context::Lab } else { Context::Picker };
    let is_here = |one: &&super::keymap::Binding| {
        one.contexts.contains(&context) && !matches!(one.action, Action::Palette | Action::Move(..))
    };
    let rows = BINDINGS.iter().filter(is_here).map(|binding| Row {
        label: look.with(
            "menu.command",
            &[("name", &binding.short(look.words, &places)), ("help", &binding.help(look.words, &places))],
        ),
        value: binding.keys(look.words),
        note: look.words.get(binding.group.heading()).to_owned(),
        reason: app.obstacle(&binding.action),
        choice: Choice::Act(binding.action.clone()),
    });
    let menu = Menu::new(look.word("menu.palette").to_owned(), rows.collect()).with_input();
    app.overlays.push(Overlay::Menu(menu));
}

impl App {
    /// What the family calls that which holds messages; where none is looked at, what all of them call it.
    pub fn places(&self) -> String {
        let family = self.stage().map(|stage| stage.session.source().family());
        family.map_or_else(keymap::all_places, |family| family.places_word().to_owned())
    }

    /// Why something cannot be done now; none: it can.
    pub fn obstacle(&self, action: &Action) -> Option<String> {
        let key = match (&self.screen, action) {
            (Screen::Picker(picker), Action::Enter) if self.overlays.is_empty() => {
                let entry = picker.entry();
                match entry {
                    None => "reason.nothing_shown",
                    Some(entry) => return entry.mistake.clone(),
                }
            }
            (Screen::Picker(picker), Action::NextVariant(_)) => {
                let count = picker.entry().map_or(0, |entry| entry.variants.len());
                if count > 1 {
                    return None;
                }
                "reason.one_variant"
            }
            (Screen::Picker(_), _) => return None,
            (Screen::Stage(stage), action) => return self.stage_obstacle(stage, action),
        };
        Some(self.look.word(key).to_owned())
    }

    fn stage_obstacle(&self, stage: &super::stage::Stage, action: &Action) -> Option<String> {
        let look = &self.look;
        let recording = stage.recording();
        let key = match action {
            Action::NextVariant(_) if stage.session.source().variants().len() < 2 => "reason.one_variant",
            Action::Leave if stage.session.branch(stage.session.current()).parent.is_none() => {
                "reason.first_branch"
            }
            Action::Branches if stage.session.branches().count() < 2 => "reason.one_branch",
            Action::Inject => {
                let at = stage.now() + crate::sim::Span(1);
                let ledger = &recording.cursor().ledger;
                return crate::lab::deed::longer_window(recording.plan(), at, ledger).err();
            }
            Action::NextPlace(_) if recording.cursor().world.places().len() < 2 => {
                return Some(look.with("reason.one_place", &[("places", &self.places())]));
            }
            Action::NextSubscription if recording.cursor().ledger.layout().subscriptions.len() < 2 => {
                "reason.one_subscription"
            }
            Action::Filter if !stage.is_log() => "reason.no_filter",
            Action::Jump(Landmark::Bookmark, _) if stage.bookmarks.is_empty() => "reason.no_bookmark",
            Action::Why if stage.pick.message.is_none() => match stage.study() {
                None => "reason.not_known_yet",
                Some(study) if study.sealed.is_empty() => "reason.no_harm",
                Some(_) => return None,
            },
            _ => return None,
        };
        Some(look.word(key).to_owned())
    }
}
