//! What releases before 2.1, and settings that people still use, lose: as documented, no more and no less.

use crate::play::Play;

fn played(text: &str) -> Play {
    let mut play = Play::new(text);
    play.to_end().unwrap_or_else(|why| panic!("{why}\n{text}"));
    play.heal().unwrap_or_else(|why| panic!("{why}\n{text}"));
    play
}

/// Four brokers, so that whoever is controller is none of the three replicas' leaders; the leader dies, and soon after
/// the election the next one does, before its followers have fetched again what they cut off.
fn two_deaths(version: &str, step: u32) -> String {
    let (seed, dies_ms, after_ms) = (19 + step, 5_000 + step, 1 + step % 6);
    format!(
        "family = \"kafka\"\nversion = \"{version}\"\nseed = {seed}\nrun_for = \"20s\"\ndrain_for = \"20s\"\n\
         [cluster]\nbrokers = 4\nzookeeper = 1\nmetadata = \"zookeeper\"\n[cluster.config]\n\
         \"zookeeper.session.timeout.ms\" = 2000\n\"unclean.leader.election.enable\" = false\n\
         [topic.orders]\npartitions = 1\n\
         config = {{ \"replication.factor\" = 3, \"min.insync.replicas\" = 2 }}\n\
         [producer.checkout]\nsend_to = \"orders\"\nrate = \"2000/s\"\nmessages = 30000\n\
         config = {{ acks = \"all\", retries = 0 }}\n[network]\nlatency = \"0.3ms..1.7ms\"\n\
         [fault.first]\nat = \"{dies_ms}ms\"\nkill = \"leader of orders/0\"\nrestart_after = \"12s\"\n\
         [fault.second]\nwhen = {{ observed = \"leader_elected\", nth = 1 }}\nafter = \"{after_ms}ms\"\n\
         kill = \"leader of orders/0\"\nrestart_after = \"10s\"\n"
    )
}

/// F19: a follower that is told of a new leader cuts its log to its own high watermark, which is one round trip old. If it
/// is elected before it has fetched the rest again, records that all in-sync replicas had are gone. From 0.11 it asks for
/// the end of its last epoch instead (KIP-101) and cuts nothing that is committed.
#[test]
fn f19_truncation_to_the_high_watermark_loses_committed_records() {
    let lost = |version: &str| {
        (0..36).map(|step| played(&two_deaths(version, step)).missing().len()).collect::<Vec<_>>()
    };
    let old = lost("0.10");
    assert!(old.iter().any(|&lost| lost > 0), "nothing lost in any run: {old:?}");
    let new = lost("2.1");
    assert!(new.iter().all(|&lost| lost == 0), "lost with epochs: {new:?}");
}

/// F27, F28: the follower is down while the leader goes on alone; then the leader goes down and the follower comes back.
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
    play.to_end().expect("no promise is broken");
    assert_eq!(play.leader(0), "broker-2");
    play.heal().expect("it heals");
    let missing = play.missing();
    assert!(missing.len() > 50, "about 140 records were written to broker-1 alone: {missing:?}");
}

#[test]
fn f28_without_unclean_elections_the_partition_waits_for_its_last_replica() {
    let mut play = Play::new(&alternating(false));
    play.to(50_000).expect("no promise is broken");
    assert_eq!((play.leader(0), play.isr(0)), ("none".to_owned(), vec![1]), "broker-2 is back and may not lead");
    play.to_end().expect("no promise is broken");
    assert_eq!(play.leader(0), "broker-1");
    play.heal().expect("it heals");
    assert_eq!(play.missing(), Vec::<String>::new());
}
