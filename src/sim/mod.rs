//! The engine: time, pending events, random draws, network, disk, processes. It knows nothing of queues or brokers.

mod chunked;
mod dist;
pub mod draw;
mod time;

pub use chunked::Chunked;
pub use dist::{Dist, exponential};
pub use time::{Span, Time};
