//! The terminal view from outside: what every view looks like, what every key does, and that no history, size or
//! sequence of keys breaks it.

mod frames;
mod keys;
mod kit;
mod pictures;
#[cfg(unix)]
mod pty;
mod random;
mod words;
