//! `RabbitMQ`.

mod config;
mod describe;
mod error;
mod policy;
mod routing;
mod rules;
mod settings;
mod topology;
