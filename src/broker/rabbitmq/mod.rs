//! `RabbitMQ`.

mod broker;
mod cause;
mod client;
mod config;
mod content;
mod describe;
mod error;
mod message;
mod model;
mod packet;
mod picture;
mod policy;
mod promises;
mod routing;
mod rules;
mod settings;
mod story;
#[cfg(test)]
mod tests;
mod topology;
mod world;
