//! One file a view. Each draws a scene into an area and claims the panes that it fills.

pub mod bars;
pub mod help;
pub mod menu;
pub mod message;
pub mod picker;
pub mod prompt;

pub mod cluster {
    pub fn draw(_s: &crate::tui::scene::Scene<'_>, _a: ratatui::layout::Rect, _o: &mut crate::tui::out::Out) {
    }
}

pub mod logs {
    pub fn draw(_s: &crate::tui::scene::Scene<'_>, _a: ratatui::layout::Rect, _o: &mut crate::tui::out::Out) {
    }
}

pub mod inspector {
    pub fn draw(_s: &crate::tui::scene::Scene<'_>, _a: ratatui::layout::Rect, _o: &mut crate::tui::out::Out) {
    }
}

pub mod fates {
    pub fn draw(_s: &crate::tui::scene::Scene<'_>, _a: ratatui::layout::Rect, _o: &mut crate::tui::out::Out) {
    }
}

pub mod why {
    pub fn draw(_s: &crate::tui::scene::Scene<'_>, _a: ratatui::layout::Rect, _o: &mut crate::tui::out::Out) {
    }
}

pub mod verdict {
    pub fn draw(_s: &crate::tui::scene::Scene<'_>, _a: ratatui::layout::Rect, _o: &mut crate::tui::out::Out) {
    }
}

pub mod timeline {
    pub fn draw(_s: &crate::tui::scene::Scene<'_>, _a: ratatui::layout::Rect, _o: &mut crate::tui::out::Out) {
    }
}

pub mod charts {
    pub fn draw(_s: &crate::tui::scene::Scene<'_>, _a: ratatui::layout::Rect, _o: &mut crate::tui::out::Out) {
    }
}

pub mod events {
    pub fn draw(_s: &crate::tui::scene::Scene<'_>, _a: ratatui::layout::Rect, _o: &mut crate::tui::out::Out) {
    }
}
