//! The applications at both ends of a queue: what producers want to send, what consumers do with it, and the store
//! that effects are written to. No protocol here: a family's clients embed these halves and drive them.
//!
//! Everything that belongs to the workload is drawn as a function of (seed, purpose, producer, number), so that a
//! changed setting leaves it as it was.
//!
//! Not modelled: a store that is slow or away.

mod books;
mod catalogue;
mod direct;
mod keys;
mod schedule;
mod sender;
mod service;
mod store;
mod worker;

pub use books::{OWN_WRITE, Written};
pub use catalogue::{Catalogue, Origin};
pub use direct::Direct;
pub use keys::KeyNames;
pub use sender::{Answer, Doubt, Sender};
pub use service::{Alarm, CALL_TIMEOUT, CallError, Called, Carries, Line, Service, Talk};
pub use store::{Recorded, Store};
pub use worker::{Item, STORE_OPERATION, Turn, Worker};
