//! Stories of RabbitMQ's clusters: what mirrors must not keep, who comes back without being taken for a stranger, and
//! what a queue does with what it is not asked about.

use mqlab::fact::{Fact, GivenUp};
use mqlab::ledger::Fate;
use mqlab::scenario::plan::Value;

use crate::play::Play;

/// Four hundred orders through a mirrored queue of three nodes, at twenty a second; with more lines, over some seeds.
fn orders(consumer: &str, more: &str) -> impl Iterator<Item = Play> {
    let text = format!(
        r#"family = "rabbitmq"
version = "3.10"
run_for = "25s"
drain_for = "60s"
[cluster]
brokers = 3
[queue.orders]
durable = true
on = "broker-1"
arguments = {{ x-dead-letter-exchange = "", x-dead-letter-routing-key = "dead" }}
[queue.dead]
durable = true
on = "broker-2"
[policy.mirrors]
pattern = "^orders$"
definition = {{ ha-mode = "all" }}
[producer.shop]
send_to = "orders"
messages = 400
rate = "20/s"
connect_to = "broker-2"
config = {{ confirm = true, delivery_mode = 2 }}
[consumer.billing]
read_from = "orders"
process = "1ms"
connect_to = "broker-2"
{consumer}
{more}"#
    );
    (1..=12).map(move |seed| played(&format!("seed = {seed}\n{text}")))
}

fn played(text: &str) -> Play {
    let mut play = Play::new(text);
    play.run_out().unwrap_or_else(|why| panic!("{why}\n{text}"));
    play
}

impl Play {
    fn count_of(&self, path: &str) -> i64 {
        match self.world.state(path) {
            Some(Value::Int(number)) => number,
            other => panic!("{path} is {other:?}"),
        }
    }

    fn text_at(&self, path: &str) -> String {
        match self.world.state(path) {
            Some(Value::Text(text)) => text,
            other => panic!("{path} is {other:?}"),
        }
    }
}

const LEADER_DIES: &str = "[fault.dies]\nat = \"10s\"\nkill = \"leader of orders\"";

#[test]
fn what_was_handed_over_for_good_comes_from_no_mirror_again() {
    for play in orders("config = { no_ack = true }", LEADER_DIES) {
        let billing = &play.verdict().subscriptions[0];
        assert_eq!((billing.redelivered, billing.fates.of(Fate::Duplicated), billing.leftover), (0, 0, 0));
    }
}

#[test]
fn what_was_rejected_is_dead_lettered_once_though_the_leader_dies() {
    let rejects =
        "config = { prefetch = 10 }\npoison = [3, 17, 50, 51, 52]\nif_fails = { then = \"reject\" }";
    for play in orders(rejects, LEADER_DIES) {
        assert_eq!(play.count_of("dead.ready"), 5);
    }
}

#[test]
fn a_node_that_comes_back_is_partitioned_from_nobody() {
    for verb in ["stop", "kill"] {
        let more = format!("[fault.restart]\nat = \"5s\"\n{verb} = \"broker-3\"\nrestart_after = \"5s\"");
        for play in orders("config = { prefetch = 10 }", &more) {
            assert_eq!(play.confirmed.len(), 400, "{verb}");
            let partitions = [1, 2, 3].map(|node| play.text_at(&format!("broker-{node}.partitions")));
            assert_eq!(partitions, ["", "", ""], "{verb}");
        }
    }
}

#[test]
fn who_was_silent_for_long_enough_is() {
    let cut =
        "[cluster.config]\nnet_ticktime = 1\n[fault.cut]\nat = \"5s\"\ncut = \"broker-3\"\nfor = \"5s\"";
    for play in orders("config = { prefetch = 10 }", cut) {
        assert_ne!(play.text_at("broker-1.partitions"), "");
    }
}

/// A queue with these lines is deleted after three seconds without a consumer, while five thousand orders are sent.
fn deleted(lines: &str) -> Play {
    played(&format!(
        r#"family = "rabbitmq"
version = "3.10"
seed = 1
run_for = "10s"
[cluster]
brokers = 3
[network]
latency = "0.05ms..0.2ms"
[producer.shop]
send_to = "orders"
messages = 5000
rate = "1000/s"
connect_to = "broker-2"
config = {{ confirm = true, window = 500, delivery_mode = 2 }}
[queue.orders]
durable = true
on = "broker-1"
{lines}"#
    ))
}

#[test]
fn a_mirrored_queue_that_is_deleted_answers_its_publishers() {
    let mirrored = "arguments = { x-expires = 3000 }\n\
                    [policy.m]\npattern = \"^orders$\"\ndefinition = { ha-mode = \"all\" }";
    for lines in [mirrored, "arguments = { x-expires = 3000, x-queue-type = \"quorum\" }"] {
        assert_eq!(deleted(lines).confirmed.len(), 5000, "{lines}");
    }
}

#[test]
fn a_run_does_not_end_before_the_others_know_that_a_leader_died() {
    let play = played(
        r#"family = "rabbitmq"
version = "3.10"
seed = 1
run_for = "60s"
drain_for = "60s"
[cluster]
brokers = 2
[queue.orders]
durable = true
on = "broker-1"
[policy.mirrors]
pattern = "^orders$"
definition = { ha-mode = "all" }
[producer.shop]
send_to = "orders"
messages = 100
rate = "100/s"
connect_to = "broker-1"
config = { confirm = true, delivery_mode = 2 }
[fault.mirror-restarts]
at = "10s"
stop = "broker-2"
restart_after = "5s"
[fault.dies]
at = "30s"
kill = "broker-1""#,
    );
    assert_eq!(play.text_at("orders.leader"), "broker-2", "an unsynchronised mirror leads");
    assert_eq!(play.verdict().fate(Fate::Lost), 100);
}

/// Ten orders with a time to live of their own, all rejected into another queue, of this kind.
fn rejected(kind: &str) -> Play {
    played(&format!(
        r#"family = "rabbitmq"
version = "3.10"
seed = 1
run_for = "20s"
[cluster]
brokers = 1
[queue.orders]
durable = true
arguments = {{ x-dead-letter-exchange = "", x-dead-letter-routing-key = "dead", x-queue-type = "{kind}" }}
[queue.dead]
durable = true
[producer.shop]
send_to = "orders"
messages = 10
rate = "100/s"
config = {{ confirm = true, delivery_mode = 2, expiration = 3000 }}
[consumer.billing]
read_from = "orders"
process = "1ms"
poison = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
if_fails = {{ then = "reject" }}
config = {{ prefetch = 10 }}
[consumer.late]
read_from = "dead"
starts = "15s""#
    ))
}

#[test]
fn a_dead_letter_has_no_time_to_live_of_its_own_any_more() {
    for kind in ["classic", "quorum"] {
        let play = rejected(kind);
        let expired = play
            .observed
            .iter()
            .filter(|one| matches!(one.fact, Fact::GivenUp { how: GivenUp::Expired, .. }));
        assert_eq!(expired.count(), 0, "{kind}");
    }
}

#[test]
fn a_queue_that_is_asked_for_messages_is_in_use() {
    let get = "[[step]]\nwait = \"3s\"\nget = 1\nby = \"billing\"\n".repeat(4);
    for kind in ["classic", "quorum"] {
        let play = played(&format!(
            r#"family = "rabbitmq"
version = "3.10"
seed = 1
run_for = "14s"
drain_for = "1s"
[cluster]
brokers = 1
[queue.orders]
durable = true
arguments = {{ x-expires = 5000, x-queue-type = "{kind}" }}
[producer.shop]
send_to = "orders"
config = {{ confirm = true, delivery_mode = 2 }}
[consumer.billing]
read_from = "orders"
by_hand = true
[[step]]
send = 20
by = "shop"
{get}
[[step]]
expect = {{ "orders.ready" = 16 }}"#
        ));
        assert_eq!(play.processed.len(), 4, "{kind}");
    }
}

#[test]
fn dead_letters_reach_a_mirrored_queue_while_its_leader_changes() {
    for seed in 1..=12 {
        let play = played(&format!(
            r#"family = "rabbitmq"
version = "3.12"
seed = {seed}
run_for = "15s"
[cluster]
brokers = 3
[queue.orders]
durable = true
on = "broker-3"
arguments = {{ x-message-ttl = 1000, x-dead-letter-exchange = "", x-dead-letter-routing-key = "dead" }}
[queue.dead]
durable = true
on = "broker-1"
[policy.m]
pattern = "^dead$"
definition = {{ ha-mode = "all" }}
[producer.shop]
send_to = "orders"
messages = 200
rate = "20/s"
connect_to = "broker-3"
config = {{ confirm = true, delivery_mode = 2 }}
[fault.k]
at = "5s"
kill = "broker-1""#
        ));
        assert_eq!(play.count_of("dead.ready"), 200, "seed {seed}");
    }
}

#[test]
fn a_queue_that_is_declared_again_is_in_use() {
    for kind in ["classic", "quorum"] {
        // The client comes back at the seventh second, and declares the queue as it did at the beginning.
        let play = played(&format!(
            r#"family = "rabbitmq"
version = "3.12"
seed = 1
run_for = "14s"
drain_for = "1s"
[cluster]
brokers = 1
[queue.orders]
durable = true
declared = false
arguments = {{ x-expires = 8000, x-queue-type = "{kind}" }}
[producer.shop]
send_to = "orders"
starts = "1s"
messages = 1
rate = "1/s"
config = {{ confirm = true, delivery_mode = 2 }}
[consumer.billing]
read_from = "orders"
by_hand = true
[fault.away]
at = "2s"
disconnect = "billing"
[[step]]
at = "12s"
get = 1
by = "billing""#
        ));
        assert_eq!(play.processed.len(), 1, "{kind}");
    }
}
