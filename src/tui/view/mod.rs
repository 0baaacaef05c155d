//! One file a view. Each draws a scene into an area and claims the panes that it fills.

pub mod cluster;
pub mod inspector;
pub mod logs;

#[cfg(test)]
pub(crate) mod kit;
#[cfg(test)]
pub(crate) mod puppet;
#[cfg(test)]
mod tests;
