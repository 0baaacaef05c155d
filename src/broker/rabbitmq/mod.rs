//! `RabbitMQ`.

mod broker;
mod client;
mod config;
mod content;
mod describe;
mod error;
mod message;
mod model;
mod packet;
mod policy;
mod routing;
mod rules;
mod settings;
mod story;
mod topology;
