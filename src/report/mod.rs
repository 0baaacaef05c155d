//! Reports: what people and programs read. Pure functions from outcomes to text; colours are codes in the text, which
//! the terminal layer strips where nobody sees them.

pub mod check;
pub mod explain;
pub mod json;
pub mod junit;
pub mod language;
pub mod list;
pub mod matrix;
pub mod narrate;
mod paint;
pub mod text;
pub mod trace;
