//! The settings in force, by the vendor's names: those that act in this model, with the defaults of the release.

use super::super::config::{
    BrokerConfig, Client, ConsumerConfig, Partitioner, ProducerConfig, Reset, TopicConfig,
};
use super::super::describe::Metadata;
use crate::broker::picture::{Field, Section};
use crate::sim::Span;

/// The heading of a node's own settings.
pub(super) const CONFIG: &str = "config";

/// A broker's.
pub(in super::super) fn broker(config: &BrokerConfig, metadata: Metadata) -> Section {
    let mut fields = vec![
        ms("replica.lag.time.max.ms", config.lag_max),
        ms("replica.fetch.wait.max.ms", config.fetch_wait_max),
        ms("replica.fetch.backoff.ms", config.fetch_backoff),
        ms("replica.socket.timeout.ms", config.socket_timeout),
        ms("replica.high.watermark.checkpoint.interval.ms", config.checkpoint_interval),
        ms("group.initial.rebalance.delay.ms", config.initial_rebalance_delay),
        Field::new("controlled.shutdown.enable", config.has_controlled_shutdown),
    ];
    fields.extend(match metadata {
        Metadata::ZooKeeper => vec![ms("zookeeper.session.timeout.ms", config.zookeeper_session)],
        Metadata::Kraft => vec![
            ms("broker.heartbeat.interval.ms", config.heartbeat_interval),
            ms("broker.session.timeout.ms", config.broker_session),
        ],
    });
    section(CONFIG, fields)
}

/// A topic's.
pub(in super::super) fn topic(name: &str, config: &TopicConfig) -> Section {
    let flush = config.flush_messages.map_or_else(|| "never".to_owned(), |records| records.to_string());
    let fields = vec![
        Field::new("replication.factor", config.replication_factor),
        Field::new("min.insync.replicas", config.min_insync),
        Field::new("unclean.leader.election.enable", config.may_be_unclean),
        Field::new("flush.messages", flush),
    ];
    section(&format!("topic {name}"), fields)
}

/// A producer's.
pub(in super::super) fn producer(config: &ProducerConfig) -> Section {
    let is_java = config.client == Client::Java;
    let mut fields = vec![
        Field::new("client", client(config.client)),
        Field::new("acks", config.acks.name()),
        Field::new("retries", config.retries),
        Field::new("max.in.flight.requests.per.connection", config.in_flight_max),
        ms("linger.ms", config.linger),
        Field::new("batch.size", config.batch_bytes),
        ms("retry.backoff.ms", config.retry_backoff),
    ];
    if config.retry_backoff_max > config.retry_backoff {
        fields.push(ms("retry.backoff.max.ms", config.retry_backoff_max));
    }
    if is_java {
        if let Some(timeout) = config.delivery_timeout {
            fields.push(ms("delivery.timeout.ms", timeout));
        }
        fields.push(ms("request.timeout.ms", config.request_timeout));
        fields.push(Field::new("buffer.memory", config.buffer_bytes));
        fields.push(ms("max.block.ms", config.max_block));
        fields.push(ms("metadata.max.age.ms", config.metadata_max_age));
    } else {
        fields.push(ms("message.timeout.ms", config.delivery_timeout.unwrap_or(Span::FOREVER)));
        fields.push(ms("socket.timeout.ms", config.request_timeout));
        fields.push(ms("request.timeout.ms", config.ack_timeout));
        fields.push(Field::new("batch.num.messages", config.batch_records));
        fields.push(Field::new("queue.buffering.max.messages", config.buffer_records));
        fields.push(ms("topic.metadata.refresh.interval.ms", config.metadata_max_age));
    }
    let partitioner = match config.partitioner {
        Partitioner::MurmurRoundRobin => "murmur2, else round robin",
        Partitioner::MurmurSticky => "murmur2, else sticky",
        Partitioner::MurmurRandom => "murmur2_random",
        Partitioner::CrcRandom => "consistent_random",
        Partitioner::RoundRobin => "round robin",
        Partitioner::Random => "random",
    };
    fields.push(Field::new("partitioner", partitioner));
    section(CONFIG, fields)
}

/// A consumer's.
pub(in super::super) fn consumer(config: &ConsumerConfig) -> Section {
    let reset = match config.reset {
        Reset::Earliest => "earliest",
        Reset::Latest => "latest",
        Reset::None => "none",
    };
    let is_java = config.client == Client::Java;
    let name = |java, librdkafka| if is_java { java } else { librdkafka };
    let mut fields = vec![
        Field::new("client", client(config.client)),
        Field::new("enable.auto.commit", config.has_auto_commit),
        ms("auto.commit.interval.ms", config.auto_commit_interval),
        Field::new("auto.offset.reset", reset),
    ];
    if is_java {
        fields.push(Field::new("max.poll.records", config.max_poll_records));
    }
    fields.extend([
        ms("session.timeout.ms", config.session_timeout),
        ms("heartbeat.interval.ms", config.heartbeat_interval),
        ms("max.poll.interval.ms", config.max_poll_interval),
        ms(name("fetch.max.wait.ms", "fetch.wait.max.ms"), config.fetch_wait_max),
        ms(name("request.timeout.ms", "socket.timeout.ms"), config.request_timeout),
        ms(name("metadata.max.age.ms", "topic.metadata.refresh.interval.ms"), config.metadata_max_age),
    ]);
    section(CONFIG, fields)
}

fn client(client: Client) -> &'static str {
    match client {
        Client::Java => "java",
        Client::Librdkafka => "librdkafka",
    }
}

fn ms(name: &str, span: Span) -> Field {
    if span == Span::FOREVER { Field::new(name, "unlimited") } else { Field::new(name, span.0 / 1_000_000) }
}

fn section(title: &str, fields: Vec<Field>) -> Section {
    Section { title: title.to_owned(), fields }
}
