//! One file a view. Each draws a scene into an area and claims the panes that it fills.

mod axis;
pub mod bars;
pub mod charts;
pub mod events;
pub mod fates;
pub mod help;
pub mod menu;
pub mod message;
mod page;
pub mod picker;
pub mod prompt;
pub mod timeline;
mod told;
pub mod verdict;
pub mod why;

#[cfg(test)]
pub(crate) mod kit;
#[cfg(test)]
mod sizes;

/// Comes.
pub mod cluster {
    /// Draws it.
    pub fn draw(_: &crate::tui::scene::Scene<'_>, _: ratatui::layout::Rect, _: &mut crate::tui::out::Out) {}
}

/// Comes.
pub mod logs {
    /// Draws it.
    pub fn draw(_: &crate::tui::scene::Scene<'_>, _: ratatui::layout::Rect, _: &mut crate::tui::out::Out) {}
}

/// Comes.
pub mod inspector {
    /// Draws it.
    pub fn draw(_: &crate::tui::scene::Scene<'_>, _: ratatui::layout::Rect, _: &mut crate::tui::out::Out) {}
}
