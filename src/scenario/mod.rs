//! The scenario language: TOML in, a checked [`plan::Plan`] or all mistakes out.
//!
//! One file tells one story: a cluster, who sends and who reads, what goes wrong, and what is claimed about it. A
//! variant is an overlay: its tables merge key by key, its values replace whole ones, and `NAME = false` removes a
//! named table.
//!
//! ```
//! use mqlab::scenario::Scenario;
//!
//! let text = r#"
//! title   = "acks=1: the leader dies with the only copy"
//! family  = "kafka"
//! version = "2.0"
//! run_for = "30s"
//!
//! [cluster]
//! brokers = 3
//!
//! [topic.orders]
//! partitions = 1
//! config = { "replication.factor" = 3 }
//!
//! [producer.checkout]
//! send_to  = "orders"
//! messages = 10_000
//!
//! [fault.leader-dies]
//! at   = "5s"
//! kill = "leader of orders/0"
//!
//! [variant."acks=1"]
//! producer.checkout.config.acks = "1"
//! expect = { lost = ">= 1" }
//!
//! [variant."acks=all"]
//! producer.checkout.config.acks = "all"
//! expect = { lost = 0 }
//! "#;
//! let scenario = Scenario::read("example", "example.toml", text.as_bytes()).expect("no mistakes");
//! assert_eq!(scenario.variants, ["acks=1", "acks=all"]);
//! let plan = scenario.plan(Some("acks=all"), &["producer.checkout.messages = 500".to_owned()]);
//! assert_eq!(plan.expect("no mistakes").producers[0].messages, Some(500));
//! ```
//!
//! Reading goes through [`tree`] (values with their places), `overlay` (variants), `compile` with `faults`, `steps`,
//! `settings` and `claims` (every mistake, then the plan), [`diagnostic`] (mistakes for people). Every key is declared
//! once in [`keys`], every measure once in [`measure`], every setting once by its family.
//!
//! Invariant: what is accepted is carried out. What belongs to the language or to the real system and is not modelled
//! is refused by name.
//!
//! Not modelled: every family but Kafka and RabbitMQ.

pub mod catalog;
mod claims;
mod clients;
mod compile;
mod copies;
pub mod diagnostic;
mod disruptions;
mod exact;
pub mod expect;
mod faults;
mod file;
pub mod keys;
pub mod measure;
mod moments;
mod names;
pub mod order;
mod overlay;
pub mod plan;
mod reach;
mod reader;
mod rpc;
pub mod schema;
mod settings;
pub mod shape;
mod started;
mod steps;
mod strangers;
mod target;
pub mod tree;
mod value;
mod working;
mod workload;
pub mod write;
mod written;

#[cfg(test)]
mod tests;

pub use diagnostic::{Diagnostic, Diagnostics, Style};
pub use file::{Scenario, Words};
pub use value::duration;
pub use written::Heading;
