//! The terminal view: watch a cluster, stop time, step back, ask why.
//!
//! ```text
//! keys, mouse, ticks ─► keymap ─► Action ─► update ─► App (state) ─► Scene ─► views ─► Buffer ─► terminal, text, SVG
//!                                              │                                          (the same for all three)
//!                                              └─► Effect (write a file, study a run): done outside, told back
//! ```
//!
//! Views are pure functions of what a [`scene::Scene`] lends them: a recording at a cursor, what is selected, and the
//! look. They draw the family's picture as data and know no vendor's word. All words of the interface are in
//! `words/en.toml`.
//!
//! Invariant: drawing changes nothing; looking at a run never changes it; doing something starts another run.

mod doing;
mod palette;
mod typed;

pub mod action;
pub mod app;
pub mod frame;
pub mod glyph;
pub mod jobs;
pub mod keymap;
pub mod look;
pub mod menu;
pub mod out;
pub mod picker;
pub mod run;
pub mod scene;
pub mod screen;
pub mod sentence;
pub mod shelf;
pub mod stage;
pub mod svg;
pub mod theme;
pub mod update;
pub mod view;
pub mod words;
