//! One file a view. Each draws a scene into an area and claims the panes that it fills.

mod axis;
pub mod bars;
pub mod charts;
pub mod cluster;
pub mod events;
pub mod fates;
pub mod help;
pub mod inspector;
mod legend;
pub mod logs;
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
pub(crate) mod puppet;
#[cfg(test)]
mod sizes;
#[cfg(test)]
mod tests;
