//! One file a view. Each draws a scene into an area and claims the panes that it fills.

mod axis;
pub mod timeline;

#[cfg(test)]
pub(crate) mod kit;
