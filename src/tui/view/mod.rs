//! One file a view. Each draws a scene into an area and claims the panes that it fills.

mod axis;
pub mod charts;
pub mod events;
pub mod fates;
mod page;
pub mod timeline;
pub mod verdict;
pub mod why;

#[cfg(test)]
pub(crate) mod kit;
