//! The applications at both ends of a queue: what producers want to send, what consumers do with it, and the store
//! that effects are written to. No protocol here: a family's clients embed these halves and drive them.
//!
//! Everything that belongs to the workload is drawn as a function of (seed, purpose, producer, number), so that a
//! changed setting leaves it as it was.
//!
//! Not modelled: outboxes, services with limited capacity, a store that
//! is slow or away.

mod catalogue;
mod sender;
mod store;
mod worker;

pub use catalogue::{Catalogue, Origin};
pub use sender::{Answer, Doubt, Sender};
pub use store::{Store, Written};
pub use worker::{Item, STORE_OPERATION, Turn, Worker};
