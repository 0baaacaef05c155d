//! Lines that are typed: filters as one types, answers when one is done.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tui_input::backend::crossterm::EventHandler as _;

use super::action::{Far, Way};
use super::app::{App, Overlay, Screen};
use super::doing;
use super::keymap::Chord;
use super::menu::{Draft, Question};
use crate::lab::record::Position;
use crate::sim::{Span, Time};

/// A key that no binding of a text takes: it goes into the line, or moves in the list below it.
pub(super) fn key(app: &mut App, chord: Chord) {
    let movement = match chord {
        Chord::Down => Some((Way::On, Far::One)),
        Chord::Up => Some((Way::Back, Far::One)),
        Chord::PageDown => Some((Way::On, Far::Page)),
        Chord::PageUp => Some((Way::Back, Far::Page)),
        _ => None,
    };
    match (app.overlays.last_mut(), chord, movement) {
        (Some(Overlay::Menu(_)), Chord::Enter, _) => doing::choose(app),
        (Some(Overlay::Prompt { .. }), Chord::Enter, _) => done(app),
        (Some(Overlay::Menu(menu)), _, Some((way, far))) => menu.advance(way, far, 10),
        (Some(Overlay::Menu(menu)), ..) => {
            if let (Some(input), Some(event)) = (&mut menu.input, event(chord)) {
                input.handle_event(&event);
                menu.narrow();
            }
        }
        (Some(Overlay::Prompt { question, input, mistake }), ..) => {
            if let Some(event) = event(chord) {
                // What is typed over a value as it stands there takes its place.
                if matches!(chord, Chord::Char(_)) && question.is_answered_by(input.value()) {
                    input.reset();
                }
                input.handle_event(&event);
                *mistake = None;
            }
            narrow(app);
        }
        _ => {}
    }
}

/// A filter acts while it is typed.
fn narrow(app: &mut App) {
    let Some(Overlay::Prompt { question: Question::Filter, input, .. }) = app.overlays.last() else { return };
    let text = input.value().to_owned();
    match &mut app.screen {
        Screen::Picker(picker) => picker.narrow(&text),
        Screen::Stage(stage) => {
            stage.pick.filter = text;
            stage.pick.line = 0;
        }
    }
}

/// The event that a line editor knows.
fn event(chord: Chord) -> Option<crossterm::event::Event> {
    let (code, modifiers) = match chord {
        Chord::Char(c) => (KeyCode::Char(c), KeyModifiers::NONE),
        Chord::Space => (KeyCode::Char(' '), KeyModifiers::NONE),
        Chord::Backspace | Chord::Ctrl('h') => (KeyCode::Backspace, KeyModifiers::NONE),
        Chord::Delete => (KeyCode::Delete, KeyModifiers::NONE),
        Chord::Ctrl(c) => (KeyCode::Char(c), KeyModifiers::CONTROL),
        Chord::Left => (KeyCode::Left, KeyModifiers::NONE),
        Chord::Right => (KeyCode::Right, KeyModifiers::NONE),
        Chord::Home => (KeyCode::Home, KeyModifiers::NONE),
        Chord::End => (KeyCode::End, KeyModifiers::NONE),
        _ => return None,
    };
    Some(crossterm::event::Event::Key(KeyEvent::new(code, modifiers)))
}

/// The line is done.
pub(super) fn done(app: &mut App) {
    let Some(Overlay::Prompt { question, input, .. }) = app.overlays.last() else { return };
    let (question, text) = (question.clone(), input.value().trim().to_owned());
    if let Err(why) = answer(app, question, &text)
        && let Some(Overlay::Prompt { mistake, .. }) = app.overlays.last_mut()
    {
        *mistake = Some(why);
    }
}

/// Takes an answer; an error says what is wrong with it, and the line stays.
fn answer(app: &mut App, question: Question, text: &str) -> Result<(), String> {
    match question {
        Question::Filter => {
            app.overlays.pop();
        }
        Question::Seek => {
            seek(app, text)?;
            app.overlays.pop();
        }
        Question::Lasts(draft) => {
            let lasts = Some(crate::scenario::duration(text)?);
            let deed = crate::lab::deed::FaultDeed { lasts, ..draft.deed };
            app.overlays.pop();
            app.go_on(Draft { deed, has_end: true, ..draft });
        }
        Question::By(draft) => {
            crate::scenario::duration(text)?;
            let deed = crate::lab::deed::FaultDeed { by: Some(text.to_owned()), ..draft.deed };
            app.overlays.pop();
            app.go_on(Draft { deed, ..draft });
        }
        Question::Value(setting) => {
            let choice = doing::value_choice(&setting, text, &app.look)?;
            app.overlays.pop();
            app.deed(choice);
        }
        Question::File => {
            let path = if text.is_empty() {
                return Err(app.look.word("prompt.no_name").to_owned());
            } else if std::path::Path::new(text).extension().is_some_and(|end| end == "toml") {
                text.to_owned()
            } else {
                format!("{text}.toml")
            };
            app.overlays.pop();
            doing::write(app, path);
        }
    }
    Ok(())
}

/// `5s`, `350ms`, `1.5`, `40%`, `checkout#17`, `17`.
fn seek(app: &mut App, text: &str) -> Result<(), String> {
    let look = app.look;
    if text.is_empty() {
        return Err(look.word("prompt.nothing").to_owned());
    }
    let Some(stage) = app.stage_mut() else { return Ok(()) };
    if let Some(percent) = text.strip_suffix('%').and_then(|number| number.trim().parse::<u64>().ok()) {
        stage.record_all();
        let end = stage.end();
        stage.seek_clamped(Time(end.0 / 100 * percent.min(100)));
        return Ok(());
    }
    if let Ok(span) = crate::scenario::duration(text) {
        let to = Time::ZERO + span;
        stage.seek_clamped(to);
        let end = stage.end();
        if to > end {
            app.say(look.with("say.ends_at", &[("end", &end)]));
        }
        return Ok(());
    }
    stage.record_all();
    let ledger = &stage.recording().head().ledger;
    let Some(message) = ledger.find(text) else {
        let last = ledger.messages().checked_sub(1);
        let last = last.map(|last| ledger.name(crate::fact::MessageId(last as u32)));
        return Err(match last {
            Some(last) => look.with("prompt.no_such", &[("text", &text), ("last", &last)]),
            None => look.with("prompt.no_time", &[("text", &text)]),
        });
    };
    let due = ledger.due_at(message).unwrap_or(Time::ZERO);
    stage.pick.message = Some(message);
    stage.seek(Position::Time(due + Span::ZERO));
    Ok(())
}
