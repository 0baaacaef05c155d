//! One frame without a terminal: any view of any run at any instant, the same on every machine.

use std::sync::Arc;

use ratatui::layout::Rect;

use super::action::View;
use super::app::App;
use super::jobs::AtOnce;
use super::look::{Look, SizeClass};
use super::out::Out;
use super::screen::{self, SMALLEST};
use super::shelf::Shelf;
use crate::lab::Source;
use crate::sim::Time;

/// Which frame.
pub struct Wanted {
    /// Of which scenario; none: the list of scenarios.
    pub source: Option<Arc<dyn Source>>,
    /// Under which variant; none: the first.
    pub variant: Option<String>,
    /// With which seed; none: the file's own.
    pub seed: Option<u64>,
    /// With which lines laid over it.
    pub sets: Vec<String>,
    /// At which time; none: at the end.
    pub at: Option<Time>,
    /// Which view.
    pub view: View,
    /// Which message is selected: `checkout#17`.
    pub message: Option<String>,
    /// Which node is selected: `broker-2`.
    pub node: Option<String>,
    /// Columns and rows.
    pub size: (u16, u16),
    /// How it looks.
    pub look: Look,
}

/// A frame, and what there is to say about it.
pub struct Drawn {
    /// The frame.
    pub out: Out,
    /// What was asked for and is not what is shown; none: it is.
    pub note: Option<String>,
}

/// Draws it.
pub fn frame(wanted: Wanted, shelf: Arc<dyn Shelf>) -> Result<Drawn, String> {
    let area = Rect::new(0, 0, wanted.size.0, wanted.size.1);
    if SizeClass::of(area) == SizeClass::TooSmall {
        let (width, height) = SMALLEST;
        return Err(wanted.look.with("frame.too_small", &[("width", &width), ("height", &height)]));
    }
    let mut note = None;
    let mut app = App::new(wanted.look, Arc::clone(&shelf));
    let mut desk = AtOnce::new(shelf);
    app.is_new = false;
    if let Some(source) = wanted.source {
        app.open(source, wanted.variant.as_deref(), wanted.seed, wanted.sets)?;
        let look = app.look;
        if let Some(stage) = app.stage_mut() {
            stage.record_all();
            match wanted.at {
                Some(at) => {
                    let end = stage.end();
                    note = (at > end).then(|| look.with("frame.ends_at", &[("end", &end)]));
                    stage.seek_clamped(at);
                }
                None => stage.seek_to_end(),
            }
            stage.pick.view = wanted.view;
            if let Some(name) = &wanted.message {
                let found = stage.recording().head().ledger.find(name);
                let found = found.ok_or_else(|| look.with("frame.no_message", &[("name", name)]))?;
                stage.pick.message = Some(found);
            }
            if let Some(name) = &wanted.node {
                let nodes = stage.recording().cursor().world.nodes();
                let found = nodes.iter().find(|node| node.name == *name).map(|node| node.node);
                let found = found.ok_or_else(|| look.with("frame.no_node", &[("name", name)]))?;
                stage.pick.node = found;
            }
        }
    }
    app.prepare(&mut desk);
    Ok(Drawn { out: screen::draw(&app, area), note })
}
