//! Stories that the facts tell, each as one small scenario: who notices what, when, and what clients see.

use mqlab::broker::family;
use mqlab::fact::{Fact, NodeId};
use mqlab::scenario::plan::Value;
use mqlab::sim::{Span, Time};

use crate::play::Play;

/// A busy partition of three replicas, with these settings and faults.
struct Story<'a> {
    version: &'a str,
    mode: &'a str,
    broker: &'a str,
    min_insync: u8,
    producer: &'a str,
    run: &'a str,
    more: &'a str,
}

const STORY: Story<'static> = Story {
    version: "3.5",
    mode: "kraft",
    broker: "",
    min_insync: 2,
    producer: "acks = \"all\"",
    run: "60s",
    more: "",
};

impl Story<'_> {
    fn begin(&self) -> Play {
        let Self { version, mode, broker, min_insync, producer, run, more } = self;
        let keeper = if *mode == "kraft" { "controllers" } else { "zookeeper" };
        Play::new(&format!(
            "family = \"kafka\"\nversion = \"{version}\"\nseed = 7\nrun_for = \"{run}\"\n\
             drain_for = \"60s\"\n\
             [cluster]\nbrokers = 3\n{keeper} = 1\nmetadata = \"{mode}\"\n[cluster.config]\n{broker}\n\
             [topic.orders]\npartitions = 1\n\
             config = {{ \"replication.factor\" = 3, \"min.insync.replicas\" = {min_insync} }}\n\
             [producer.checkout]\nsend_to = \"orders\"\nrate = \"20/s\"\n\
             config = {{ {producer}, \"enable.idempotence\" = false }}\n{more}"
        ))
    }
}

const ZOOKEEPER: Story<'static> = Story { version: "2.6", mode: "zookeeper", ..STORY };

fn at_ms(ms: u64) -> Time {
    Time::ZERO + Span::from_millis(ms)
}

impl Play {
    /// Who leads the partition, as the cluster's metadata has it.
    pub(crate) fn leader(&self, partition: u32) -> String {
        self.text(partition, "leader")
    }

    /// The numbers of the brokers in sync.
    pub(crate) fn isr(&self, partition: u32) -> Vec<u16> {
        let text = self.text(partition, "isr");
        text.split(", ").filter_map(|name| name.strip_prefix("broker-")?.parse().ok()).collect()
    }

    fn text(&self, partition: u32, what: &str) -> String {
        match self.world.state(&format!("orders/{partition}.{what}")) {
            Some(Value::Text(text)) => text,
            Some(Value::Int(number)) => number.to_string(),
            _ => String::new(),
        }
    }

    fn number(&self, what: &str) -> u64 {
        self.text(0, what).parse().unwrap_or_else(|_| panic!("`{what}` is no number now"))
    }

    /// When the partition got this leader, in ms.
    fn elected(&self, leader: u16) -> Option<u64> {
        let is_it = |fact: &Fact| {
            matches!(fact, Fact::LeaderElected { place, leader: Some(node), .. }
                if place.0 == 0 && *node == NodeId(leader - 1))
        };
        self.observed.iter().find(|one| is_it(&one.fact)).map(|one| one.at.0 / 1_000_000)
    }

    /// How many sends were confirmed in this window.
    fn confirmed_between(&self, from_ms: u64, to_ms: u64) -> usize {
        self.confirmed_at.iter().filter(|&&at| at_ms(from_ms) <= at && at < at_ms(to_ms)).count()
    }

    /// The names of the errors that sends ended with.
    fn errors(&self) -> Vec<&'static str> {
        let kafka = family("kafka").expect("Kafka is a family");
        let of = |fact: &Fact| match *fact {
            Fact::Failed { error, .. } => Some(kafka.error_name(error)),
            _ => None,
        };
        let mut names: Vec<_> = self.observed.iter().filter_map(|one| of(&one.fact)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// F31: how long it takes until somebody else leads, after the leader was killed at 20 s.
#[test]
fn f31_a_dead_leader_is_noticed_when_its_session_ends() {
    let kill = "[fault.dies]\nat = \"20s\"\nkill = \"broker-1\"\n";
    let noticed = |version: &str, mode: &str| {
        let mut play = Story { version, mode, more: kill, ..STORY }.begin();
        play.to(45_000).expect("no promise is broken");
        play.elected(2).expect("broker-2 is the next in the list") - 20_000
    };
    let cases = [("2.4", "zookeeper", 4_000..6_100), ("2.5", "zookeeper", 12_000..18_100)];
    for (version, mode, expected) in cases.into_iter().chain([("3.5", "kraft", 7_000..9_100)]) {
        let took = noticed(version, mode);
        assert!(expected.contains(&took), "{version}, {mode}: {took} ms, expected {expected:?}");
    }
}

/// F30: a leader that is back within a second is not let in, and leadership moves all the same.
#[test]
fn f30_a_restarted_broker_is_refused_until_its_old_session_ends() {
    let more = "[fault.dies]\nat = \"20s\"\nkill = \"broker-1\"\nrestart_after = \"1s\"\n";
    let mut play = Story { more, ..STORY }.begin();
    play.to(26_500).expect("no promise is broken");
    assert_eq!(play.leader(0), "broker-1", "the controller has not noticed");
    assert_eq!(play.confirmed_between(20_100, 26_500), 0, "but it leads nothing");
    play.to(45_000).expect("no promise is broken");
    let took = play.elected(2).expect("leadership moves") - 20_000;
    assert!((7_000..9_100).contains(&took), "{took} ms");
    assert_eq!(play.isr(0), [1, 2, 3], "it came back as a follower");
}

/// F12: how an isolated leader that clients still reach answers `acks=1`.
#[test]
fn f12_an_isolated_leader_stops_acking_at_its_isr_check_before_2_7_only() {
    let keeper = |mode: &str| if mode == "kraft" { "controller-1" } else { "zookeeper-1" };
    let isolated = |version: &str, mode: &str| {
        let more = format!(
            "[fault.alone]\nat = \"20s\"\ncut = \"broker-1\"\nfrom = [\"broker-2\", \"broker-3\", \"{}\"]\n\
             heal_after = \"120s\"\n",
            keeper(mode)
        );
        let broker = "\"replica.lag.time.max.ms\" = 10000";
        let story = Story {
            version,
            mode,
            broker,
            min_insync: 1,
            producer: "acks = \"1\"",
            run: "150s",
            more: &more,
        };
        let mut play = story.begin();
        play.to(120_000).expect("no promise is broken");
        assert_ne!(play.leader(0), "broker-1", "{version}: the others have elected somebody");
        play
    };
    let old = isolated("2.6", "zookeeper");
    assert!(old.confirmed_between(20_000, 30_000) > 150, "until the check it goes on");
    assert_eq!(
        old.confirmed_between(35_500, 59_000),
        0,
        "then the append waits for ZooKeeper, and the client with it"
    );
    assert!(old.confirmed_between(80_000, 120_000) > 0, "the client found the new leader");
    for (version, mode) in [("3.5", "kraft"), ("2.8", "zookeeper")] {
        let new = isolated(version, mode);
        for second in 20..119 {
            let from = second * 1_000;
            assert!(
                new.confirmed_between(from, from + 1_000) >= 15,
                "{version}, {mode}: silent at {second} s"
            );
        }
        let mut new = new;
        new.run_out().expect("no promise is broken");
        new.heal().expect("it heals");
        assert!(new.missing().len() > 1_500, "what it acked alone is cut off: {}", new.missing().len());
    }
}

/// F38: a follower that is cut off leaves the ISR between 1 and 1.5 times `replica.lag.time.max.ms` later.
#[test]
fn f38_a_silent_follower_leaves_after_one_to_one_and_a_half_lag_times() {
    for (story, cut_ms) in [(STORY, 20_000), (STORY, 23_700), (ZOOKEEPER, 20_000), (ZOOKEEPER, 22_900)] {
        let more = format!(
            "[fault.cut]\nat = \"{cut_ms}ms\"\ncut = \"broker-3\"\nfrom = [\"broker-1\", \"broker-2\"]\n"
        );
        let broker = "\"replica.lag.time.max.ms\" = 10000";
        let mut play = Story { more: &more, broker, ..story }.begin();
        play.to(cut_ms + 9_950).expect("no promise is broken");
        assert_eq!(play.isr(0), [1, 2, 3], "{cut_ms}");
        assert_eq!(play.confirmed_between(cut_ms + 100, cut_ms + 9_900), 0, "acks=all is stalled");
        play.to(cut_ms + 15_300).expect("no promise is broken");
        assert_eq!(play.isr(0), [1, 2], "{cut_ms}");
        play.to(cut_ms + 20_000).expect("no promise is broken");
        assert!(play.confirmed_between(cut_ms + 15_300, cut_ms + 20_000) > 50, "and goes on with two");
    }
}

/// F40: five minutes without one follower cost nothing.
#[test]
fn f40_a_follower_cut_off_for_five_minutes_costs_nothing() {
    let more = "[fault.cut]\nat = \"10s\"\ncut = \"broker-3\"\n\
                from = [\"broker-1\", \"broker-2\"]\nheal_after = \"300s\"\n";
    let broker = "\"replica.lag.time.max.ms\" = 10000";
    let mut play = Story { broker, more, run: "330s", ..STORY }.begin();
    play.to(200_000).expect("no promise is broken");
    assert_eq!(play.isr(0), [1, 2]);
    play.run_out().expect("no promise is broken");
    play.heal().expect("it heals");
    assert_eq!(play.missing(), Vec::<String>::new());
    assert!(play.confirmed.len() > 6_000, "{}", play.confirmed.len());
}

/// F34: from 3.7 the high watermark stands still while the ISR is smaller than `min.insync.replicas`, for `acks=1`
/// too.
#[test]
fn f34_the_high_watermark_is_gated_from_3_7() {
    let more = "[fault.dies]\nat = \"10s\"\nkill = \"broker-3\"\nrestart_after = \"30s\"\n";
    let watermarks = |version: &str| {
        let mut play = Story { version, min_insync: 3, producer: "acks = \"1\"", more, ..STORY }.begin();
        play.to(25_000).expect("no promise is broken");
        assert_eq!(play.isr(0), [1, 2]);
        let before = play.number("hw");
        play.to(35_000).expect("no promise is broken");
        let (during, end) = (play.number("hw"), play.number("leo"));
        play.to(59_000).expect("no promise is broken");
        assert_eq!(play.isr(0), [1, 2, 3]);
        let after = play.number("hw");
        assert!(after + 3 >= play.number("leo"), "with three again it catches up");
        (during - before, end - during)
    };
    let (moved, behind) = watermarks("3.6");
    assert!(moved > 150 && behind < 3, "before, it moves with any ISR: {moved}, {behind}");
    let (moved, behind) = watermarks("3.7");
    assert!(moved == 0 && behind > 150, "now it waits: {moved}, {behind}");
}

/// F36: too few in sync at arrival: nothing is written. Too few afterwards: it is written all the same.
#[test]
fn f36_too_few_in_sync_replicas_before_and_after_the_append() {
    let more = "[fault.die]\nat = \"10s\"\nkill = \"followers of orders/0\"\nrestart_after = \"40s\"\n";
    let short = |version: &str| {
        let producer =
            "acks = \"all\", retries = 0, \"request.timeout.ms\" = 15000, \"delivery.timeout.ms\" = 16000";
        let mut play = Story { version, producer, more, ..STORY }.begin();
        play.to(25_000).expect("no promise is broken");
        assert_eq!(play.isr(0), [1]);
        let (confirmed, end) = (play.confirmed.len() as u64, play.number("leo"));
        assert!(end > confirmed, "written and not confirmed: {end} > {confirmed}");
        play.to(35_000).expect("no promise is broken");
        assert_eq!(play.number("leo"), end, "nothing more is written");
        play.to(59_000).expect("no promise is broken");
        assert!(play.number("hw") > end, "with three again it goes on");
        play.errors()
    };
    assert_eq!(short("3.6"), ["NOT_ENOUGH_REPLICAS", "NOT_ENOUGH_REPLICAS_AFTER_APPEND"]);
    // From 3.7 the gate keeps such appends waiting. The Java client gives its broker as long as it gives itself, so
    // its own time-out comes a network's latency before the broker's REQUEST_TIMED_OUT.
    assert_eq!(short("3.7"), ["NETWORK_EXCEPTION", "NOT_ENOUGH_REPLICAS"]);
}

/// F17: the leader is stopped or killed five times; everything that was acked is consumed.
#[test]
fn f17_five_deaths_of_the_leader_lose_nothing() {
    for (story, verb) in [(STORY, "stop"), (STORY, "kill"), (ZOOKEEPER, "stop"), (ZOOKEEPER, "kill")] {
        let more = format!(
            "[fault.dies]\nat = \"10s\"\n{verb} = \"leader of orders/0\"\nrestart_after = \"10s\"\n\
             every = \"40s\"\n\
             times = 5\n\
             [consumer.billing]\nread_from = \"orders\"\nprocess = \"1ms\"\nidempotency = \"none\"\n\
             config = {{ \"auto.offset.reset\" = \"earliest\", \"enable.auto.commit\" = false }}\n"
        );
        let mut play = Story { more: &more, run: "210s", ..story }.begin();
        play.run_out().expect("no promise is broken");
        let elections = play
            .observed
            .iter()
            .filter(|one| matches!(one.fact, Fact::LeaderElected { leader: Some(_), .. }))
            .count();
        assert!(elections >= 5, "{verb}: {elections} elections");
        let unread = play.confirmed.iter().filter(|&message| !play.processed.contains(message)).count();
        assert_eq!(unread, 0, "{verb}: confirmed and not consumed");
        assert!(play.confirmed.len() > 4_000, "{verb}: {}", play.confirmed.len());
        play.heal().expect("it heals");
        assert_eq!(play.missing(), Vec::<String>::new());
    }
}

/// A run begins with a healthy cluster: a broker that dies before it has said a word is missed all the same.
#[test]
fn a_broker_that_dies_in_the_first_instant_is_noticed() {
    let more = "[fault.dies]\nat = \"0ms\"\npower_off = \"broker-1\"\nrestart_after = \"30s\"\n";
    for story in [STORY, ZOOKEEPER] {
        let mut play = Story { more, ..story }.begin();
        play.to(25_000).expect("no promise is broken");
        assert_eq!((play.leader(0), play.isr(0)), ("broker-2".to_owned(), vec![2, 3]), "{}", story.mode);
        play.to(59_000).expect("no promise is broken");
        assert_eq!(play.isr(0), [1, 2, 3], "{}", story.mode);
    }
}
