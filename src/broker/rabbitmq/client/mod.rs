//! Clients: the library's connection ([`connection`]), and the applications that publish and consume with it.
//!
//! A client library here is the Java client, Spring AMQP on top of it, or pika: what differs between them is how they
//! come back after something went wrong. One connection with one channel each.

mod connection;
mod consumer;
mod picture;
mod publisher;
#[cfg(test)]
mod tests;

use super::describe;

pub(super) use consumer::Consumer;
pub(super) use publisher::Publisher;

/// The nodes of `connect_to`, in that order.
fn brokers_named(names: &[String]) -> Vec<u16> {
    names.iter().filter_map(|name| describe::broker_number(name)).collect()
}
