//! What releases before 2.1, and settings that people still use, lose: as documented, no more and no less.

use crate::play::Play;

fn played(text: &str) -> Play {
    let mut play = Play::new(text);
    play.run_out().unwrap_or_else(|why| panic!("{why}\n{text}"));
    play.heal().unwrap_or_else(|why| panic!("{why}\n{text}"));
    play
}

/// The leader dies right after a confirmation that its followers have not heard of, and soon after the election the
/// next one dies, before its follower has fetched again what it cut off. Four brokers, so that a controller is left.
fn two_deaths(version: &str, after_ms: u32) -> String {
    format!(
        "family = \"kafka\"\nversion = \"{version}\"\nseed = 19\nrun_for = \"20s\"\ndrain_for = \"20s\"\n\
         [cluster]\nbrokers = 4\nzookeeper = 1\nmetadata = \"zookeeper\"\n[cluster.config]\n\
         \"zookeeper.session.timeout.ms\" = 2000\n\"unclean.leader.election.enable\" = false\n\
         [topic.orders]\npartitions = 1\n\
         config = {{ \"replication.factor\" = 3, \"min.insync.replicas\" = 2 }}\n\
         [producer.checkout]\nsend_to = \"orders\"\nrate = \"20/s\"\n\
         config = {{ acks = \"all\", retries = 0 }}\n[network]\nlatency = \"1ms\"\n\
         [fault.first]\nwhen = {{ observed = \"confirmed\", nth = 100 }}\nafter = \"5ms\"\n\
         kill = \"leader of orders/0\"\nrestart_after = \"12s\"\n\
         [fault.second]\nwhen = {{ observed = \"leader_elected\", nth = 1 }}\nafter = \"{after_ms}ms\"\n\
         kill = \"leader of orders/0\"\nrestart_after = \"10s\"\n"
    )
}

/// F19: a follower that is told of a new leader cuts its log to its own high watermark, which is one round trip old.
/// If it is elected before it has fetched the rest again, records that all in-sync replicas had are gone. From 0.11 it
/// asks for the end of its last epoch instead (KIP-101) and cuts nothing that is committed.
#[test]
fn f19_truncation_to_the_high_watermark_loses_committed_records() {
    let lost = |version: &str| {
        (1..16).map(|after| played(&two_deaths(version, after)).missing().len()).collect::<Vec<_>>()
    };
    let old = lost("0.10");
    assert!(old.iter().any(|&lost| lost > 0), "nothing lost in any run: {old:?}");
    for version in ["1.1", "2.1"] {
        let new = lost(version);
        assert!(new.iter().all(|&lost| lost == 0), "{version}, lost with epochs: {new:?}");
    }
}

/// F27, F28: the follower is down while the leader goes on alone; then the leader goes down and the follower comes
/// back.
fn alternating(unclean: bool) -> String {
    format!(
        "family = \"kafka\"\nversion = \"2.1\"\nseed = 27\nrun_for = \"60s\"\ndrain_for = \"30s\"\n\
         [cluster]\nbrokers = 2\nzookeeper = 1\nmetadata = \"zookeeper\"\n[topic.orders]\npartitions = 1\n\
         config = {{ \"replication.factor\" = 2, \"min.insync.replicas\" = 1, \
         \"unclean.leader.election.enable\" = {unclean} }}\n\
         [producer.checkout]\nsend_to = \"orders\"\nrate = \"10/s\"\nconfig = {{ acks = \"all\" }}\n\
         [fault.follower]\nat = \"5s\"\nkill = \"broker-2\"\nrestart_after = \"30s\"\n\
         [fault.leader]\nat = \"25s\"\nkill = \"broker-1\"\nrestart_after = \"45s\"\n"
    )
}

#[test]
fn f27_an_unclean_election_loses_what_the_stale_replica_lacks() {
    let mut play = Play::new(&alternating(true));
    play.run_out().expect("no promise is broken");
    assert_eq!(play.leader(0), "broker-2");
    play.heal().expect("it heals");
    let missing = play.missing();
    assert!(missing.len() > 50, "about 140 records were written to broker-1 alone: {missing:?}");
}

#[test]
fn f28_without_unclean_elections_the_partition_waits_for_its_last_replica() {
    let mut play = Play::new(&alternating(false));
    play.to(50_000).expect("no promise is broken");
    assert_eq!(
        (play.leader(0), play.isr(0)),
        ("none".to_owned(), vec![1]),
        "broker-2 is back and may not lead"
    );
    play.run_out().expect("no promise is broken");
    assert_eq!(play.leader(0), "broker-1");
    play.heal().expect("it heals");
    assert_eq!(play.missing(), Vec::<String>::new());
}

/// A controller whose connections to a ZooKeeper that stands still are cut again and again.
const LATE_REQUEST: &str = r#"
family = "kafka"
version = "2.1"
seed = 648131272
run_for = "3693ms"
drain_for = "808ms"
cluster = { brokers = 4, config = { "zookeeper.session.timeout.ms" = 900 } }
topic.orders.config = { "replication.factor" = 3, "min.insync.replicas" = 2 }
network.latency = "exp(2ms)"
producer.checkout = { send_to = "orders", rate = "10/s", config = { "request.timeout.ms" = 400 } }
consumer.billing.read_from = "orders"

[fault]
reset = { at = "2571ms", disconnect = "a follower of orders/0" }
lossy = { at = "2304ms", cut = "a follower of orders/0", one_way = true, heal_after = "388ms" }
still = { at = "302ms", freeze = "zookeeper-1", thaw_after = "4004ms" }
slow = { at = "1201ms", delay = "a follower of orders/0", by = "1ms..300ms", heal_after = "999ms" }
cut = { at = "2307ms", cut = "a follower of orders/0", heal_after = "600ms" }
restart = { at = "1196ms", stop = "broker-3", restart_after = "50ms", optional = true }
again = { at = "3426ms", cut = "a follower of orders/0", heal_after = "281ms" }
"#;

/// A session has one connection. A request to take it up again that comes late, on a connection which its client has
/// given up, takes it away from the one in use: ZooKeeper closes that one, and the client comes back
/// (`ZooKeeperServer.processConnectRequest`). A controller that stayed where nothing arrives would hear of nothing.
#[test]
fn a_session_that_a_late_request_takes_away_is_taken_up_again() {
    played(LATE_REQUEST);
}
