//! One file a view. Each draws a scene into an area and claims the panes that it fills.

pub mod bars;
pub mod help;
pub mod menu;
pub mod message;
pub mod picker;
pub mod prompt;

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

/// Comes.
pub mod fates {
    /// Draws it.
    pub fn draw(_: &crate::tui::scene::Scene<'_>, _: ratatui::layout::Rect, _: &mut crate::tui::out::Out) {}
}

/// Comes.
pub mod why {
    /// Draws it.
    pub fn draw(_: &crate::tui::scene::Scene<'_>, _: ratatui::layout::Rect, _: &mut crate::tui::out::Out) {}
}

/// Comes.
pub mod verdict {
    /// Draws it.
    pub fn draw(_: &crate::tui::scene::Scene<'_>, _: ratatui::layout::Rect, _: &mut crate::tui::out::Out) {}
}

/// Comes.
pub mod timeline {
    /// Draws it.
    pub fn draw(_: &crate::tui::scene::Scene<'_>, _: ratatui::layout::Rect, _: &mut crate::tui::out::Out) {}
}

/// Comes.
pub mod charts {
    /// Draws it.
    pub fn draw(_: &crate::tui::scene::Scene<'_>, _: ratatui::layout::Rect, _: &mut crate::tui::out::Out) {}
}

/// Comes.
pub mod events {
    /// Draws it.
    pub fn draw(_: &crate::tui::scene::Scene<'_>, _: ratatui::layout::Rect, _: &mut crate::tui::out::Out) {}
}
