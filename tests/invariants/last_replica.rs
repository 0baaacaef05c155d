//! Where the promise ends: cuts and a single power loss (F23, the last replica standing). When the ISR has shrunk to
//! one replica, that one stays in it when its machine dies, comes back with less, and leads.

use proptest::prelude::*;
use proptest::test_runner::TestError;

use crate::case::{Fault, Verb, case, fault, fault_of, runner};
use crate::play::Play;
use crate::safety::nothing_is_missing;

#[test]
fn cuts_and_one_power_loss_can_lose_what_was_confirmed() {
    let spoil: &[Verb] = &[Verb::Kill, Verb::CutAll, Verb::CutFrom, Verb::CutOneWay];
    let power = fault_of(&[Verb::PowerOff], &["leader of orders/0"]);
    let faults = (prop::collection::vec(fault(spoil), 1..5), power).prop_map(|(mut faults, power)| {
        faults.push(Fault { at_ms: power.at_ms + 1_500, ..power });
        faults
    });
    let found = runner(4_000).run(&case(faults, Just(0u8)), |case| nothing_is_missing(&case));
    let Err(TestError::Fail(why, case)) = found else { panic!("no loss found: {found:?}") };
    assert!(why.message().contains("confirmed and missing"), "{why}\n{case:?}");
    println!("{why}\n{case:?}");
}

/// F23 as measured on 3.4.0 with ZooKeeper: one broker is down, the other follower dies a little before the leader's
/// machine does, and the leader comes back without its last records.
#[test]
fn f23_the_last_replica_standing() {
    let story = |last: &str| {
        format!(
            "family = \"kafka\"\nversion = \"3.4\"\nseed = 23\nrun_for = \"40s\"\ndrain_for = \"60s\"\n\
             [cluster]\nbrokers = 3\nzookeeper = 1\nmetadata = \"zookeeper\"\n\
             config = {{ \"zookeeper.session.timeout.ms\" = 3000 }}\n\
             [topic.orders]\npartitions = 1\n\
             config = {{ \"replication.factor\" = 3, \"min.insync.replicas\" = 2 }}\n\
             [producer.checkout]\nsend_to = \"orders\"\nrate = \"50/s\"\n\
             config = {{ acks = \"all\", \"enable.idempotence\" = false }}\n\
             [fault.one]\nat = \"2s\"\nkill = \"broker-3\"\nrestart_after = \"30s\"\n\
             [fault.two]\nat = \"10s\"\nkill = \"broker-2\"\nrestart_after = \"20s\"\n\
             [fault.last]\nat = \"15s\"\n{last} = \"broker-1\"\nrestart_after = \"10s\"\n"
        )
    };
    let play = |last: &str| {
        let mut play = Play::new(&story(last));
        play.run_out().expect("no promise is broken");
        play.heal().expect("it heals");
        play
    };
    assert_eq!(play("kill").missing(), Vec::<String>::new(), "the page cache keeps it");
    assert!(!play("power_off").missing().is_empty(), "one lossy node is enough");
}
