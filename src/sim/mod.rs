//! The engine: time, pending events, random draws, network, disk, processes. It knows nothing of queues or brokers.
//!
//! A world is an [`Engine`] of a [`Model`]: nodes as state machines that are handed inputs one at a time and act on
//! what lies beneath them through a [`Ctx`]. One seed decides everything; a clone of a world does the same as the
//! original.
//!
//! Invariant: ties in time are broken by the order of scheduling, no order depends on a float, a hash map or the
//! machine's clock, and a timer or a reply never outlives the process it was meant for.

#![expect(
    clippy::inline_always,
    reason = "one event costs a few dozen nanoseconds, and a call costs some of them"
)]

mod agenda;
mod by_conn;
mod chunked;
mod digest;
mod disk;
mod dist;
pub mod draw;
mod engine;
mod in_place;
mod kernel;
mod look;
mod net;
mod reading;
#[cfg(test)]
mod tests;
mod time;

pub use agenda::{Agenda, Lane, Ticket};
pub use by_conn::ByConn;
pub use chunked::Chunked;
pub use digest::Digest;
pub use disk::{Disk, FileId};
pub use dist::{Dist, exponential};
pub use engine::{Engine, Step};
pub use in_place::PushWith;
pub use kernel::{Ctx, Input, Loss, Model, Observation, Status};
pub use look::{Frame, Join, UnderWay};
pub use net::{Condition, ConditionId, ConnId, Frames, Kind, LinkConfig, LinkEffect, NodeId};
pub use time::{Span, Time};
