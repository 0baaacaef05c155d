//! What an administrator changes of a running topic.

use crate::play::Play;

fn played(version: &str, mode: &str, min_insync: u8, more: &str) -> Play {
    let keeper = if mode == "kraft" { "controllers" } else { "zookeeper" };
    Play::new(&format!(
        "family = \"kafka\"\nversion = \"{version}\"\nseed = 5\nrun_for = \"60s\"\ndrain_for = \"60s\"\n\
         [cluster]\nbrokers = 3\n{keeper} = 1\nmetadata = \"{mode}\"\n[topic.orders]\npartitions = 1\n\
         config = {{ \"replication.factor\" = 3, \"min.insync.replicas\" = {min_insync} }}\n\
         [producer.checkout]\nsend_to = \"orders\"\nrate = \"50/s\"\nkeys = 40\n\
         [producer.checkout.config]\nacks = \"all\"\n\"enable.idempotence\" = false\n\
         \"metadata.max.age.ms\" = 2000\n\
         [consumer.billing]\nread_from = \"orders\"\ninstances = 3\nprocess = \"1ms\"\n\
         config = {{ \"auto.offset.reset\" = \"earliest\", \"metadata.max.age.ms\" = 3000 }}\n{more}"
    ))
}

const KEEPERS: [(&str, &str); 4] =
    [("1.1", "zookeeper"), ("2.1", "zookeeper"), ("2.8", "zookeeper"), ("3.7", "kraft")];

/// The new partitions get leaders and in-sync replicas, are written, and are read by everybody in the group.
#[test]
fn added_partitions_are_found_by_everybody() {
    for (version, mode) in KEEPERS {
        let alter = "[fault.more]\nat = \"10s\"\nalter = \"topic orders\"\nto = { partitions = 3 }\n";
        let mut play = played(version, mode, 2, alter);
        play.to(9_000).expect("no promise is broken");
        assert_eq!(play.leader(2), "none", "{version}: it is not there yet");
        play.to(12_000).expect("no promise is broken");
        assert_eq!(play.isr(2), vec![1, 2, 3], "{version}");
        play.run_out().expect("no promise is broken");
        for partition in 0..3 {
            let end = play.world.state(&format!("orders/{partition}.leo"));
            assert!(matches!(end, Some(mqlab::scenario::plan::Value::Int(100..))), "{version}: {end:?}");
        }
        assert_eq!(play.processed.len(), play.confirmed.len(), "{version}");
    }
}

/// Whatever goes down meanwhile, nothing that was confirmed is lost, and the world comes to rest.
#[test]
fn partitions_are_added_while_brokers_go_down() {
    let downs =
        ["kill = \"broker-2\"", "kill = \"controller\"", "stop = \"broker-1\"", "freeze = \"broker-3\""];
    for (version, mode) in KEEPERS.into_iter().skip(1) {
        for (at, down) in downs.into_iter().enumerate() {
            let ends = if down.starts_with("freeze") { "thaw_after" } else { "restart_after" };
            let more = format!(
                "[fault.more]\nat = \"{}ms\"\nalter = \"topic orders\"\nto = {{ partitions = 4 }}\n\
                 optional = true\n[fault.down]\nat = \"9900ms\"\n{down}\n{ends} = \"9s\"\n",
                9_899 + at,
            );
            let mut play = played(version, mode, 2, &more);
            play.run_out().unwrap_or_else(|why| panic!("{version}, {down}: {why}"));
            play.heal().unwrap_or_else(|why| panic!("{version}, {down}: {why}"));
            assert_eq!(play.missing(), Vec::<String>::new(), "{version}, {down}");
        }
    }
}

/// One replica is left and two are asked for: sends wait until an administrator asks for less.
#[test]
fn a_smaller_minimum_lets_writes_through() {
    let more = "[fault.dies]\nat = \"10s\"\nkill = [\"broker-2\", \"broker-3\"]\n\
                [fault.less]\nat = \"40s\"\nalter = \"topic orders\"\n\
                to = { config = { \"min.insync.replicas\" = 1 } }\n";
    let mut play = played("2.8", "zookeeper", 2, more);
    play.to(40_000).expect("no promise is broken");
    let before = play.confirmed.len();
    play.to(45_000).expect("no promise is broken");
    assert!(before < 600, "refused for want of replicas: {before}");
    assert!(play.confirmed.len() > before + 1_000, "what waited is written: {}", play.confirmed.len());
}
