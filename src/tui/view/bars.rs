//! The lines around the view: what is shown, the views' names, and the keys.

use ratatui::layout::Rect;

use crate::sim::Span;
use crate::tui::action::{Action, Landmark, View, Way};
use crate::tui::app::App;
use crate::tui::keymap::{self, Context};
use crate::tui::look::{Look, SizeClass};
use crate::tui::out::{Out, fit, width};
use crate::tui::scene::Scene;
use crate::tui::theme::Role;

/// Scenario, variant, seed, branch; on the right how fast time goes and where it stands.
pub fn header(app: &App, scene: &Scene<'_>, area: Rect, out: &mut Out) {
    let look = scene.look;
    out.claim(area);
    out.fill(area, look.style(Role::Bar));
    let mut left = format!(" {}", scene.about().title);
    let mut parts = Vec::new();
    if let Some(variant) = &scene.plan.variant {
        parts.push(variant.clone());
    }
    parts.push(look.with("header.seed", &[("seed", &scene.seed)]));
    if let Some(deed) = scene.deeds.last() {
        let key = if scene.deeds.len() == 1 { "header.one_deed" } else { "header.deeds" };
        parts.push(look.with(key, &[("count", &scene.deeds.len()), ("last", deed)]));
    }
    let rest = format!(" {} {}", look.glyphs.vertical, parts.join(", "));
    let wanted = width(&left) + width(&rest) + 3;
    let [long, short] = ["header.clock", "header.clock_short"].map(|key| clock(app, scene, key));
    let has_room = look.class != SizeClass::Narrow && wanted + width(&long) <= area.width;
    // How fast time goes and which event it is are told elsewhere, too: the title is worth more.
    let right = if has_room || look.class == SizeClass::Wide { long } else { short };
    let right_width = width(&right);
    out.text(area, area.width.saturating_sub(right_width + 1), 0, &right, look.style(Role::Bar));
    let room = area.width.saturating_sub(right_width + 3);
    if width(&left) + width(&rest) > room {
        // The variant tells two runs apart, a title is known: it gives way first.
        left = fit(&left, room.saturating_sub(width(&rest)).max(12), look);
    }
    let used = out.text(area, 0, 0, &fit(&left, room, look), look.style(Role::Bar));
    out.text(area, used, 0, &fit(&rest, room.saturating_sub(used), look), look.style(Role::Bar));
}

fn clock(app: &App, scene: &Scene<'_>, key: &str) -> String {
    let look = scene.look;
    let Some(stage) = app.stage() else { return String::new() };
    let glyph = if stage.play.is_playing { look.glyphs.play } else { look.glyphs.pause };
    let speed = Span(stage.play.speed());
    look.with(
        key,
        &[("glyph", &glyph), ("speed", &speed), ("now", &scene.now()), ("events", &scene.events())],
    )
}

/// The views' names with their digits; the one that is shown stands out. Where there is no room for all names, those of
/// the others are cut short, all at the same length.
pub fn tabs(scene: &Scene<'_>, area: Rect, out: &mut Out) {
    let look = scene.look;
    out.claim(area);
    let names: Vec<_> = View::ALL.iter().map(|view| view_name(*view, scene)).collect();
    let shown = View::ALL.iter().position(|view| *view == scene.pick.view).unwrap_or(0);
    let tries = std::iter::once((1, u16::MAX)).chain((0..=LONGEST).rev().map(|letters| (0, letters)));
    let texts = |(pad, letters): (usize, u16)| -> Vec<String> {
        let text = |(at, name): (usize, &String)| {
            let pad = " ".repeat(pad);
            let name = if at == shown { name.clone() } else { cut(name, letters) };
            format!("{pad}{} {name}", at + 1).trim_end().to_owned() + &pad
        };
        names.iter().enumerate().map(text).collect()
    };
    let fits = |texts: &Vec<String>| {
        texts.iter().map(|text| width(text) + 1).sum::<u16>() <= area.width.saturating_add(1)
    };
    let texts = tries.map(texts).find(fits).unwrap_or_default();
    let mut column = 0;
    for (at, (view, text)) in View::ALL.into_iter().zip(&texts).enumerate() {
        let role = if at == shown { Role::Selected } else { Role::Dim };
        let used = out.text(area, column, 0, text, look.style(role));
        out.hit(Rect { x: area.x + column, width: used, ..area }, Action::Show(view));
        column += used + 1;
    }
}

/// No name of a view is cut that has at most so many letters.
const LONGEST: u16 = 12;

/// The first letters of a name.
fn cut(name: &str, letters: u16) -> String {
    name.chars().take(usize::from(letters)).collect()
}

/// The view of what holds messages is called as the family calls it.
fn view_name(view: View, scene: &Scene<'_>) -> String {
    let key = format!("view.{}", view.name());
    scene.look.with(&key, &[("places", &scene.family.places_word())])
}

/// A notice if there is one, else the keys that matter here, as many as fit; the help is always among them.
pub fn footer(app: &App, look: &Look, area: Rect, out: &mut Out) {
    out.claim(area);
    if let Some(notice) = &app.notice {
        let role = if notice.is_trouble { Role::Bad } else { Role::Accent };
        out.text(area, 1, 0, &fit(&notice.text, area.width.saturating_sub(2), look), look.style(role));
        return;
    }
    if app.is_new {
        let text = look.word(if app.stage().is_some() { "footer.hint_lab" } else { "footer.hint_picker" });
        out.text(area, 1, 0, &fit(text, area.width.saturating_sub(2), look), look.style(Role::Accent));
        return;
    }
    let context = app.context();
    let places = app.places();
    let help = hint(context, &Action::Help, look, &places);
    let room = area.width.saturating_sub(help.as_ref().map_or(0, |(key, name)| width(key) + width(name) + 4));
    let mut column = 1;
    for action in shown(context, app.view()) {
        let Some((key, name)) = hint(context, &action, look, &places) else { continue };
        let needed = width(&key) + width(&name) + 3;
        if column + needed > room {
            break;
        }
        column += entry(app, &key, &name, &action, column, look, area, out);
    }
    if let Some((key, name)) = help {
        entry(app, &key, &name, &Action::Help, column, look, area, out);
    }
}

#[expect(clippy::too_many_arguments, reason = "a key, its name and where they go")]
fn entry(
    app: &App,
    key: &str,
    name: &str,
    action: &Action,
    column: u16,
    look: &Look,
    area: Rect,
    out: &mut Out,
) -> u16 {
    let is_possible = app.obstacle(action).is_none();
    let (key_role, name_role) =
        if is_possible { (Role::Key, Role::Text) } else { (Role::Dim, Role::Disabled) };
    let mut used = out.text(area, column, 0, key, look.style(key_role));
    used += out.text(area, column + used, 0, " ", look.style(Role::Text));
    used += out.text(area, column + used, 0, name, look.style(name_role));
    out.hit(Rect { x: area.x + column, width: used, ..area }, action.clone());
    used + 2
}

/// The first key of an action and its short name.
fn hint(context: Context, action: &Action, look: &Look, places: &str) -> Option<(String, String)> {
    let binding = keymap::binding(context, action)?;
    let key = binding.keys.first()?.name(look.words);
    Some((key, binding.short(look.words, places)))
}

/// What the footer offers, the most useful first.
fn shown(context: Context, view: Option<View>) -> Vec<Action> {
    use Action as A;
    let (on, back) = (Way::On, Way::Back);
    match context {
        Context::Picker => {
            vec![A::Enter, A::Filter, A::NextVariant(on), A::Palette, A::NextTheme, A::Quit]
        }
        Context::List => vec![A::Enter, A::Back],
        Context::Text => vec![A::Back],
        Context::Lab => {
            let mut all = vec![A::TogglePlay, A::StepEvent(back), A::Jump(Landmark::Loss, on), A::Why];
            match view {
                Some(View::Logs) => all.push(A::NextPlace(on)),
                Some(View::Fates) => all.push(A::Match(on)),
                Some(View::Events) => all.push(A::Filter),
                _ => {}
            }
            all.extend([
                A::Inject,
                A::Settings,
                A::NextVariant(on),
                A::Seek,
                A::Leave,
                A::Write,
                A::Load,
                A::Palette,
                A::Quit,
            ]);
            all
        }
    }
}
