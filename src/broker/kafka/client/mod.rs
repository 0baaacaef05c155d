//! Kafka's client libraries: the Java client, and librdkafka where it differs.

mod assigned;
mod consumer;
mod links;
mod membership;
mod partitioner;
mod producer;
mod sending_on;
mod waiting;

pub(super) use consumer::Consumer;
pub(super) use membership::range;
pub(super) use producer::Producer;
