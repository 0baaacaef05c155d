//! What real brokers and client libraries refuse of publishers and consumers; and what would mean nothing.

use super::check::{finding, has_exchange, is_on, text, type_of, vhost, vhost_of};
use super::routes::reads_stream;
use super::{exchange_of, leads_to};
use crate::broker::Finding;
use crate::scenario::plan::{ConsumerPlan, EntityPlan, Plan, ProducerPlan, Then, Value};

/// What is wrong with the clients.
pub(super) fn check(plan: &Plan, findings: &mut Vec<Finding>) {
    for one in plan.producers.iter().filter(|one| one.service().is_none()) {
        vhost(plan, &["producer", &one.name], &one.fields, findings);
        addresses(plan, one, findings);
        publisher(one, findings);
        named_producer(plan, one, findings);
    }
    for one in plan.producers.iter().filter(|one| one.service().is_some()) {
        for field in one.fields.keys() {
            let message = format!("`{field}` has no meaning for a producer that calls a service");
            findings.push(finding(&["producer", &one.name, field], message, ""));
        }
    }
    for (number, one) in plan.consumers.iter().enumerate() {
        vhost(plan, &["consumer", &one.name], &one.fields, findings);
        reader(plan, number, one, findings);
        let queues: Vec<&EntityPlan> = queues(plan, &one.read_from).collect();
        consumer(one, &queues, findings);
    }
}

/// The queues that an address means.
fn queues<'p>(plan: &'p Plan, address: &str) -> impl Iterator<Item = &'p EntityPlan> {
    let address = address.to_owned();
    plan.entities.iter().filter(move |one| one.kind == "queue" && leads_to(&address, &one.name))
}

fn addresses(plan: &Plan, producer: &ProducerPlan, findings: &mut Vec<Finding>) {
    let path = |part: &'static str| ["producer", producer.name.as_str(), part];
    match exchange_of(&producer.send_to) {
        Some(exchange) => {
            let vhost = vhost_of(&producer.fields);
            if !has_exchange(plan, &vhost, exchange) {
                let message = format!("there is no exchange `{exchange}` in the vhost `{vhost}`");
                let help = "a client sees its own vhost: `vhost = \"…\"`";
                findings.push(finding(&path("send_to"), message, help));
            }
        }
        None if producer.fields.contains_key("routing_key") => {
            let message = "a queue is sent to by its name, which is the routing key of the default exchange";
            let help = "`send_to = \"exchange E\"` takes a `routing_key`";
            findings.push(finding(&path("routing_key"), message, help));
        }
        None => {}
    }
}

fn publisher(producer: &ProducerPlan, findings: &mut Vec<Finding>) {
    let config = &producer.config;
    let mut refuse = |name: &str, message: &str, help: &str| {
        findings.push(finding(&["producer", &producer.name, "config", name], message, help));
    };
    for name in ["window", "confirm_timeout"] {
        if config.contains_key(name) && !is_on(config, "confirm") {
            refuse(name, &format!("`{name}` means nothing without `confirm = true`"), "");
        }
    }
    if config.contains_key("tx_batch") && !is_on(config, "tx") {
        refuse("tx_batch", "`tx_batch` means nothing without `tx = true`", "");
    }
}

/// What has a name and numbers is recognised by streams alone, and only by whom it is sent to straight.
fn named_producer(plan: &Plan, producer: &ProducerPlan, findings: &mut Vec<Finding>) {
    let is_named = producer.config.get("name").is_some_and(|name| !name.shown().is_empty());
    let to_streams = exchange_of(&producer.send_to).is_none()
        && queues(plan, &producer.send_to).all(|queue| type_of(queue) == "stream");
    if is_named && !to_streams {
        let message = "only streams know named producers, through their own protocol";
        let help = "`send_to` a queue with `x-queue-type = \"stream\"`";
        findings.push(finding(&["producer", &producer.name, "config", "name"], message, help));
    }
    let numbers = producer.exact.iter().any(|run| run.properties.contains_key("publishing_id"));
    if numbers && !producer.config.contains_key("name") {
        let message = "`publishing_id` means nothing without a `name`";
        findings.push(finding(
            &["producer", &producer.name, "message"],
            message,
            "`config = { name = \"N\" }`",
        ));
    }
}

/// What a consumer reads: queues of its own vhost, all that another one reads or none of it.
fn reader(plan: &Plan, number: usize, consumer: &ConsumerPlan, findings: &mut Vec<Finding>) {
    let path = ["consumer", consumer.name.as_str(), "read_from"];
    if exchange_of(&consumer.read_from).is_some() {
        let message = "consumers read queues";
        let help = "bind a queue to it: `[queue.Q] bind = [{ exchange = \"E\" }]`, and read that";
        findings.push(finding(&path, message, help));
        return;
    }
    let vhost = vhost_of(&consumer.fields);
    for queue in queues(plan, &consumer.read_from).filter(|queue| vhost_of(&queue.fields) != vhost) {
        let message = format!("NOT_FOUND - no queue '{}' in vhost '{vhost}'", queue.name);
        findings.push(finding(&path, message, "a client sees its own vhost: `vhost = \"…\"`"));
    }
    let reads = |one: &ConsumerPlan| -> Vec<&str> {
        queues(plan, &one.read_from).map(|queue| queue.name.as_str()).collect()
    };
    let own = reads(consumer);
    for other in &plan.consumers[..number] {
        let theirs = reads(other);
        if own != theirs
            && !reads_stream(plan, &consumer.read_from)
            && own.iter().any(|queue| theirs.contains(queue))
        {
            let message =
                format!("`{}` reads only some of the queues that `{}` reads", consumer.name, other.name);
            findings.push(finding(&path, message, "this is not modelled: read the same ones, or others"));
        }
    }
    if consumer.fields.contains_key("queues") && own.len() < 2 {
        let message = "`queues` means nothing where there is one queue";
        findings.push(finding(&["consumer", &consumer.name, "queues"], message, "`read_from = \"work-*\"`"));
    }
    if text(&consumer.fields, "queues") == "one each" && usize::from(consumer.instances) < own.len() {
        let message = format!("fewer instances ({}) than queues ({})", consumer.instances, own.len());
        findings.push(finding(
            &["consumer", &consumer.name, "queues"],
            message,
            "one instance for each queue",
        ));
    }
}

/// Where a stream is read from.
fn stream_offset(consumer: &ConsumerPlan, findings: &mut Vec<Finding>) {
    if let Some(offset) = consumer.config.get("x-stream-offset").map(Value::shown)
        && !["first", "last", "next"].contains(&offset.as_str())
        && offset.parse::<u64>().is_err()
    {
        let message = "expected `first`, `last`, `next` or the number of a message";
        let help = "times and intervals are not modelled";
        findings.push(finding(&["consumer", &consumer.name, "config", "x-stream-offset"], message, help));
    }
}

fn consumer(consumer: &ConsumerPlan, queues: &[&EntityPlan], findings: &mut Vec<Finding>) {
    let config = &consumer.config;
    let no_ack = is_on(config, "no_ack");
    let is_of = |kind: &str| queues.iter().any(|queue| type_of(queue) == kind);
    if is_of("stream") && (is_of("classic") || is_of("quorum")) {
        let message = "one consumer reads streams and other queues: this is not modelled";
        findings.push(finding(&["consumer", &consumer.name, "read_from"], message, "two consumers"));
    }
    let mut refuse = |name: &str, message: &str, help: &str| {
        findings.push(finding(&["consumer", &consumer.name, "config", name], message, help));
    };
    if is_on(config, "global") && (is_of("quorum") || is_of("stream")) {
        let message = "NOT_IMPLEMENTED - queue does not support global qos";
        refuse("global", message, "quorum queues and streams count each consumer's prefetch");
    }
    if is_of("stream") {
        let prefetch = config.get("prefetch");
        let message = "PRECONDITION_FAILED - consumer prefetch count is not set for stream";
        if !matches!(prefetch, Some(Value::Int(1..))) {
            findings.push(finding(&["consumer", &consumer.name], message, "`config = { prefetch = 100 }`"));
        }
        if no_ack {
            let message = "NOT_IMPLEMENTED - automatic acknowledgement not supported by stream queues";
            let help = "acknowledgements are the credit for more";
            findings.push(finding(&["consumer", &consumer.name, "config", "no_ack"], message, help));
        }
        if matches!(consumer.if_fails.then, Then::Requeue | Then::Reject) {
            let message = "NOT_IMPLEMENTED - basic.nack and basic.reject not supported by stream queues";
            let help = "`skip`, `stop` or `send_to`: a stream takes nothing back";
            findings.push(finding(&["consumer", &consumer.name, "if_fails", "then"], message, help));
        }
        for name in ["x-priority", "exclusive"].into_iter().filter(|name| config.contains_key(*name)) {
            let message = format!("`{name}` means nothing to a stream: every consumer gets everything");
            findings.push(finding(&["consumer", &consumer.name, "config", name], message, ""));
        }
    } else if config.contains_key("keep_offset") {
        refuse("keep_offset", "`keep_offset` means nothing: no stream is read", "");
    } else if let Some(offset) = config.get("x-stream-offset") {
        let message = format!("`x-stream-offset = {}` means nothing: no stream is read", offset.shown());
        refuse("x-stream-offset", &message, "");
    }
    stream_offset(consumer, findings);
    if is_on(config, "confirm") && !matches!(consumer.if_fails.then, Then::SendTo(_)) {
        let message = "`confirm` means nothing to a consumer that publishes nothing";
        let help = "`if_fails = { then = \"send to X\" }`";
        findings.push(finding(&["consumer", &consumer.name, "config", "confirm"], message, help));
    }
    let is_single = |queue: &&EntityPlan| is_on(&queue.config, "x-single-active-consumer");
    if is_on(config, "exclusive") && queues.iter().any(is_single) {
        let message =
            "ACCESS_REFUSED - an exclusive consumer cannot consume a queue with a single active consumer";
        findings.push(finding(&["consumer", &consumer.name, "config", "exclusive"], message, ""));
    }
    if no_ack && config.contains_key("multiple") {
        let message = "`multiple` means nothing with `no_ack`";
        findings.push(finding(&["consumer", &consumer.name, "config", "multiple"], message, ""));
    }
    if no_ack && matches!(consumer.if_fails.then, Then::Requeue | Then::Reject) {
        let message =
            "with `no_ack` there is nothing left to give back: the broker has forgotten the message";
        findings.push(finding(
            &["consumer", &consumer.name, "if_fails", "then"],
            message,
            "`skip` or `stop`",
        ));
    }
}
