//! The whole screen: which pane goes where in each size class, and what lies over them.
//!
//! ```text
//! wide (120x30)                          normal (80x24)              narrow (60x18)
//! header: scenario, variant, branch      header                      header
//! tabs                                   tabs                        tabs, short
//! view               │ events            view                        view
//! timeline, 4 rows                       timeline, 4 rows            timeline, 2 rows
//! footer: keys, or a notice              footer                      footer
//! ```

use ratatui::layout::{Constraint, Layout, Rect};

use super::action::{Action, View};
use super::app::{App, Overlay, Screen};
use super::look::{Look, SizeClass};
use super::out::Out;
use super::scene::Scene;
use super::theme::Role;
use super::view;

/// The smallest screen, as it is told to people.
pub(super) const SMALLEST: (u16, u16) = (60, 18);
/// How wide the column beside the view is.
const BESIDE: u16 = 46;

/// Where the parts of a run's screen are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Panes {
    /// Scenario, variant, branch.
    pub header: Rect,
    /// The views' names.
    pub tabs: Rect,
    /// The view.
    pub main: Rect,
    /// Events beside it; empty if there is no room.
    pub beside: Rect,
    /// The strip of time.
    pub timeline: Rect,
    /// Keys, or a notice.
    pub footer: Rect,
}

impl Panes {
    /// Where everything goes on a screen of this size while this view is shown.
    pub fn of(area: Rect, view: View) -> Self {
        let class = SizeClass::of(area);
        let strip = if class == SizeClass::Narrow { 2 } else { 4 };
        let rows = [1, 1, 0, strip, 1]
            .map(|rows| if rows == 0 { Constraint::Min(0) } else { Constraint::Length(rows) });
        let [header, tabs, middle, timeline, footer] = Layout::vertical(rows).areas(area);
        let has_beside = class == SizeClass::Wide && view != View::Events;
        let beside = if has_beside { BESIDE } else { 0 };
        let [main, beside] =
            Layout::horizontal([Constraint::Min(0), Constraint::Length(beside)]).areas(middle);
        Self { header, tabs, main, beside, timeline, footer }
    }
}

/// Draws everything.
pub fn draw(app: &App, area: Rect) -> Out {
    let mut out = Out::new(area);
    let look = Look { class: SizeClass::of(area), ..app.look };
    out.fill(area, look.style(Role::Text));
    if look.class == SizeClass::TooSmall {
        too_small(&look, area, &mut out);
        return out;
    }
    match &app.screen {
        Screen::Picker(picker) => view::picker::draw(picker, app, &look, area, &mut out),
        Screen::Stage(stage) => stage.with_scene(&look, |scene| run(app, scene, area, &mut out)),
    }
    for overlay in &app.overlays {
        out.raise();
        match overlay {
            Overlay::Help { scroll } => view::help::draw(app, &look, *scroll, area, &mut out),
            Overlay::Menu(menu) => view::menu::draw(menu, &look, area, &mut out),
            Overlay::Prompt { question, input, mistake } => {
                view::prompt::draw(question, input, mistake.as_deref(), &look, area, &mut out);
            }
            Overlay::Message { title, text, scroll } => {
                view::message::draw(title, text, *scroll, &look, area, &mut out);
            }
        }
    }
    out
}

/// A run's screen.
fn run(app: &App, scene: &Scene<'_>, area: Rect, out: &mut Out) {
    let panes = Panes::of(area, scene.pick.view);
    view::bars::header(app, scene, panes.header, out);
    view::bars::tabs(scene, panes.tabs, out);
    one(scene.pick.view, scene, panes.main, out);
    if !panes.beside.is_empty() {
        view::events::draw(scene, panes.beside, out);
    }
    view::timeline::draw(scene, panes.timeline, out);
    view::bars::footer(app, scene.look, panes.footer, out);
}

/// One view.
fn one(view: View, scene: &Scene<'_>, area: Rect, out: &mut Out) {
    match view {
        View::Cluster => view::cluster::draw(scene, area, out),
        View::Logs => view::logs::draw(scene, area, out),
        View::Fates => view::fates::draw(scene, area, out),
        View::Charts => view::charts::draw(scene, area, out),
        View::Events => view::events::draw(scene, area, out),
        View::Inspector => view::inspector::draw(scene, area, out),
        View::Why => view::why::draw(scene, area, out),
        View::Verdict => view::verdict::draw(scene, area, out),
    }
}

fn too_small(look: &Look, area: Rect, out: &mut Out) {
    let (width, height) = SMALLEST;
    let text = look.with(
        "screen.too_small",
        &[("width", &width), ("height", &height), ("has_width", &area.width), ("has_height", &area.height)],
    );
    for (row, line) in super::out::wrap(&text, area.width).iter().enumerate() {
        out.text(area, 0, row as u16, line, look.style(Role::Text));
    }
    out.hit(area, Action::Help);
}

/// An area of at most this size in the middle of another one.
pub fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let (width, height) = (width.min(area.width), height.min(area.height));
    Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height }
}
