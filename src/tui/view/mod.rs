//! One file a view. Each draws a scene into an area and claims the panes that it fills.

pub mod bars;
pub mod help;
pub mod menu;
pub mod message;
pub mod picker;
pub mod prompt;
