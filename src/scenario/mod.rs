//! The scenario language: TOML in, a checked [`plan::Plan`] or all mistakes out.

pub mod expect;
pub mod plan;
