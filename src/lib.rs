//! mqlab: a deterministic laboratory for the ways in which message queues lose, repeat and reorder messages.
//!
//! Data goes one way: a scenario is parsed and checked into a plan, a world of one broker family runs it, what happens
//! is written down as observations, and folds over these say what became of each message and why.

pub mod app;
pub mod broker;
pub mod cli;
pub mod fact;
pub mod lab;
pub mod ledger;
pub mod report;
pub mod scenario;
pub mod sim;
pub mod tui;
