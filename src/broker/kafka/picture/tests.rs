//! What pictures promise.

use crate::broker::World;
use crate::broker::picture::{Health, LanePicture, NodePicture, PlacePicture, Station};
use crate::broker::{Progress, family};
use crate::fact::{NodeId, PlaceId};
use crate::scenario::Scenario;
use crate::scenario::catalog;
use crate::sim::draw::{Purpose, below, bits};
use crate::sim::{Span, Time};

const CLUSTER: &str = r#"
title = "A picture"
family = "kafka"
run_for = "60s"
drain_for = "10s"

[cluster]
brokers = 3

[topic.orders]
partitions = 2
config = { "replication.factor" = 3, "min.insync.replicas" = 2 }

[producer.checkout]
send_to = "orders"
rate = "200/s"
config = { "enable.idempotence" = false }

[consumer.billing]
read_from = "orders"
instances = 2
process = "1ms"
"#;

fn world(more: &str) -> Box<dyn World> {
    let text = format!("{CLUSTER}\n{more}");
    let scenario = Scenario::read("picture", "picture.toml", text.as_bytes()).unwrap();
    let plan = scenario.plan(None, &[]).unwrap();
    family("kafka").unwrap().world(&plan, 7)
}

fn run(world: &mut dyn World, until: Time) {
    let mut observations = Vec::new();
    while world.now() < until && !matches!(world.advance(until, &mut observations), Progress::Ended) {
        observations.clear();
    }
}

fn at(ms: u64) -> Time {
    Time::ZERO + Span::from_millis(ms)
}

fn node(world: &dyn World, name: &str) -> NodePicture {
    world.nodes().into_iter().find(|node| node.name == name).unwrap()
}

fn field(node: &NodePicture, name: &str) -> String {
    let field = node.summary.iter().find(|field| field.name == name);
    field.map(|field| field.value.clone()).unwrap_or_default()
}

fn lane<'a>(place: &'a PlacePicture, name: &str) -> &'a LanePicture {
    place.lanes.iter().find(|lane| lane.name == name).unwrap()
}

fn mark(lane: &LanePicture, name: &str) -> Option<u64> {
    lane.marks.iter().find(|mark| mark.name == name).map(|mark| mark.at)
}

fn orders(world: &dyn World) -> PlacePicture {
    world.place(PlaceId(0)).unwrap()
}

#[test]
fn everybody_stands_where_messages_pass_and_says_what_it_is() {
    let mut world = world("");
    run(world.as_mut(), at(2_000));
    let nodes = world.nodes();
    let stations: Vec<_> = nodes.iter().map(|node| (node.name.as_str(), node.station)).collect();
    assert_eq!(
        stations,
        [
            ("broker-1", Station::Cluster),
            ("broker-2", Station::Cluster),
            ("broker-3", Station::Cluster),
            ("controller-1", Station::Cluster),
            ("checkout", Station::Senders),
            ("billing/1", Station::Receivers),
            ("billing/2", Station::Receivers),
        ]
    );
    assert!(nodes.iter().all(|node| node.health == Health::Up));
    let roles: Vec<_> = nodes.iter().map(|node| node.role.as_str()).collect();
    assert_eq!(roles[3..], ["active controller", "producer", "stable, owns 1", "stable, owns 1"]);
    assert!(roles[0].starts_with("leads 1"), "{roles:?}");
    assert_eq!(field(&nodes[3], "active"), "1,2,3");
    let disk = nodes[0].disk.unwrap();
    assert!(disk.bytes > 0 && disk.durable < disk.bytes, "nobody flushed: {disk:?}");
    assert_eq!(nodes[4].disk, None);
}

#[test]
fn a_killed_broker_is_down_and_its_log_still_lies_on_its_disk() {
    let mut world = world("[fault.dies]\nat = \"5s\"\nkill = \"broker-1\"\n");
    run(world.as_mut(), at(5_500));
    let broker = node(world.as_ref(), "broker-1");
    assert_eq!((broker.health, broker.role.as_str()), (Health::Down, "not fenced yet"));
    let place = orders(world.as_ref());
    let dead = lane(&place, "broker-1");
    assert!(!dead.is_live && dead.end > 300, "{dead:?}");
    assert_eq!(dead.role, "leader, down", "nobody noticed");
    assert_eq!(mark(dead, "HW"), None, "what it knew was in memory");
    run(world.as_mut(), at(20_000));
    assert_eq!(node(world.as_ref(), "broker-1").role, "fenced");
    let place = orders(world.as_ref());
    assert_eq!(lane(&place, "broker-1").role, "offline");
    assert_eq!(lane(&place, "broker-2").role, "leader");
    assert_eq!(place.fields[2].value, "2,3", "{:?}", place.fields);
}

#[test]
fn a_power_loss_leaves_what_the_lane_called_durable() {
    let mut world = world("[fault.dark]\nat = \"42s\"\npower_off = \"broker-2\"\n");
    run(world.as_mut(), at(41_999));
    let before = orders(world.as_ref());
    let before = lane(&before, "broker-2");
    assert!(before.durable > 0 && before.durable < before.end, "the kernel wrote some back: {before:?}");
    run(world.as_mut(), at(42_001));
    let after = orders(world.as_ref());
    let after = lane(&after, "broker-2");
    assert_eq!((after.end, after.durable), (before.durable, before.durable));
    assert_eq!(node(world.as_ref(), "broker-2").health, Health::Off);
}

#[test]
fn a_frozen_leader_a_fenced_one_and_a_stale_one_look_different() {
    let mut world = world("[fault.freezes]\nat = \"5s\"\nfreeze = \"broker-1\"\nthaw_after = \"20s\"\n");
    run(world.as_mut(), at(5_100));
    let frozen = node(world.as_ref(), "broker-1");
    assert_eq!((frozen.health, &frozen.role[..7]), (Health::Frozen, "leads 1"));
    assert!(!lane(&orders(world.as_ref()), "broker-1").is_live);
    assert!(world.inspect(frozen.node)[0].fields[0].value.parse::<u64>().unwrap() > 0, "its kernel goes on");
    run(world.as_mut(), at(20_000));
    let fenced = node(world.as_ref(), "broker-1");
    assert_eq!(fenced.health, Health::Frozen);
    assert!(fenced.role.starts_with("fenced, stale leader of "), "{}", fenced.role);
    assert_eq!(lane(&orders(world.as_ref()), "broker-1").role, "stale leader");
    run(world.as_mut(), at(30_000));
    assert_eq!(node(world.as_ref(), "broker-1").health, Health::Up);
    assert_eq!(lane(&orders(world.as_ref()), "broker-1").role, "follower");
}

#[test]
fn a_cut_link_is_cut_both_ways_and_what_cannot_pass_is_held() {
    let mut world =
        world("[fault.cut]\nat = '5s'\ncut = 'broker-1'\nfrom = ['broker-2', 'broker-3']\nheal_after = '3s'");
    let between = |world: &dyn World| {
        let is_it = |ends: [NodeId; 2]| ends == [NodeId(0), NodeId(1)];
        world.links().into_iter().find(|link| is_it(link.ends)).unwrap()
    };
    run(world.as_mut(), at(4_999));
    let before = between(world.as_ref());
    assert!(before.is_connected && before.is_cut == [false; 2] && before.held == [0, 0]);
    run(world.as_mut(), at(5_100));
    let soon = between(world.as_ref());
    assert_eq!(soon.is_cut, [true; 2]);
    run(world.as_mut(), at(7_900));
    let later = between(world.as_ref());
    assert!(later.held.iter().sum::<usize>() > 0, "{later:?}");
    assert!(later.held[0] >= soon.held[0] && later.held[1] >= soon.held[1], "{soon:?} {later:?}");
    run(world.as_mut(), at(12_000));
    let healed = between(world.as_ref());
    assert_eq!((healed.is_cut, healed.held), ([false; 2], [0, 0]));
}

#[test]
fn a_group_lags_by_what_is_readable_and_not_committed() {
    let mut world = world("[fault.dies]\nat = \"5s\"\nkill = \"consumers\"\n");
    run(world.as_mut(), at(4_000));
    let place = orders(world.as_ref());
    let reader = &place.readers[0];
    let owner = reader.owner.unwrap();
    assert!(node(world.as_ref(), &world.node_name(owner)).role.contains("owns 1"));
    run(world.as_mut(), at(9_000));
    let place = orders(world.as_ref());
    let (readable, reader) = (mark(lane(&place, "broker-1"), "HW").unwrap(), &place.readers[0]);
    let committed = reader.marks.iter().find(|mark| mark.name == "committed").map_or(0, |mark| mark.at);
    assert_eq!(reader.owner, None);
    assert_eq!(reader.lag, readable - committed);
    assert!(reader.lag > 300, "{reader:?}");
    let gauges = world.gauges();
    let names: Vec<_> = gauges.iter().map(|gauge| gauge.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "ISR orders/0",
            "ISR orders/1",
            "under-replicated",
            "offline partitions",
            "lag billing",
            "unanswered sends",
            "uncommitted"
        ]
    );
    let other = &world.place(PlaceId(1)).unwrap().readers[0];
    assert_eq!(gauges[4].value, (reader.lag + other.lag) as i64);
}

#[test]
fn a_producer_holds_what_nobody_answered() {
    let mut world = world("[fault.alone]\nat = \"5s\"\nkill = [\"broker-1\", \"broker-2\", \"broker-3\"]\n");
    run(world.as_mut(), at(7_000));
    let checkout = node(world.as_ref(), "checkout");
    assert!(checkout.held > 300 && checkout.holds.len() == 64, "{checkout:?}");
    assert!(checkout.holds.is_sorted(), "the oldest first");
}

#[test]
fn a_dead_client_holds_nothing_and_a_full_service_says_how_full() {
    let more = "
[producer.shop]
send_to = 'service payments'
rate = '300/s'
messages = 600

[service.payments]
workers = 2
process = '20ms'
queue = 3

[fault.dies]
at = '5s'
kill = 'checkout'
";
    let mut world = world(more);
    run(world.as_mut(), at(1_000));
    let payments = node(world.as_ref(), "payments");
    assert_eq!((payments.station, payments.role.as_str()), (Station::Services, "service"));
    assert_eq!((field(&payments, "busy").as_str(), field(&payments, "queue").as_str()), ("2/2", "3/3"));
    assert_eq!((payments.held, payments.holds.len()), (5, 5));
    assert!(node(world.as_ref(), "shop").held >= 5);
    run(world.as_mut(), at(6_000));
    let checkout = node(world.as_ref(), "checkout");
    assert_eq!((checkout.health, checkout.held), (Health::Down, 0));
    let titles = world.inspect(checkout.node).into_iter().map(|section| section.title);
    assert_eq!(titles.collect::<Vec<_>>(), ["config"], "all else was in memory");
}

#[test]
fn the_coordinators_partition_comes_last() {
    let world = world("");
    let names: Vec<_> = world.places().into_iter().map(|place| world.place_name(place)).collect();
    assert_eq!(names[..2], ["orders/0", "orders/1"]);
    assert!(names[2].starts_with("__consumer_offsets"), "{names:?}");
    assert_eq!(world.place(PlaceId(99)), None);
    assert!(world.inspect(NodeId(99)).is_empty());
}

/// What holds of every picture at any instant.
fn look(world: &dyn World) {
    for link in world.links() {
        assert!(link.packets.iter().all(|packet| packet.progress <= 1000 && packet.arrives >= world.now()));
        assert!(link.packets.is_sorted_by_key(|packet| packet.arrives));
        assert!(link.packets.iter().all(|packet| !packet.label.is_empty()));
        assert!(link.ends[0] < link.ends[1]);
    }
    for node in world.nodes() {
        assert!(node.holds.len() <= node.held, "{node:?}");
        assert!(node.disk.is_none_or(|disk| disk.durable <= disk.bytes));
        let sections = world.inspect(node.node);
        assert!(!sections.is_empty() && sections.len() <= 300);
        for field in sections.iter().flat_map(|section| &section.fields).chain(&node.summary) {
            assert!(!field.name.is_empty() && !field.value.is_empty(), "{node:?}: {field:?}");
        }
    }
    assert!(world.gauges().len() <= 8);
    for place in world.places() {
        look_at(world, place);
    }
}

fn look_at(world: &dyn World, place: PlaceId) {
    let picture = world.place(place).unwrap();
    let mut in_sync = Vec::new();
    for lane in &picture.lanes {
        assert!(lane.durable <= lane.end);
        assert!(lane.marks.iter().all(|mark| mark.at <= lane.end), "{lane:?}");
        let cells = world.cells(place, lane.node, lane.start, lane.end);
        assert_eq!(cells.len() as u64, lane.end - lane.start);
        let (from, to) = (lane.end / 3, lane.end / 2);
        assert_eq!(world.cells(place, lane.node, from, to)[..], cells[from as usize..to as usize]);
        assert_eq!(world.cells(place, lane.node, to, lane.end + 9)[..], cells[to as usize..]);
        assert_eq!(world.cells(place, lane.node, lane.end, lane.end + 9), []);
        if lane.is_live && matches!(lane.role.as_str(), "leader" | "follower") {
            in_sync.push((lane, cells));
        }
    }
    for (lane, cells) in &in_sync {
        for (other, others) in &in_sync {
            let safe = mark(lane, "HW").unwrap().min(mark(other, "HW").unwrap()) as usize;
            assert_eq!(cells[..safe], others[..safe], "in sync, and not the same below the high watermark");
        }
    }
}

#[test]
fn at_any_instant_pictures_are_sound_and_looking_changes_nothing() {
    for (number, name) in [
        "kafka/isolated-leader-acks-all",
        "kafka/rolling-restarts",
        "kafka/worker-pool",
        "kafka/consumer-dies",
    ]
    .into_iter()
    .enumerate()
    {
        let scenario = catalog::find(name).unwrap().read().unwrap();
        let plan = scenario.plan(None, &[]).unwrap();
        let (mut seen, mut unseen) =
            (family("kafka").unwrap().world(&plan, 3), family("kafka").unwrap().world(&plan, 3));
        let length = (plan.run_for + plan.drain_for).0;
        let mut instants: Vec<_> = (0..25)
            .map(|instant| Time(below(bits(5, Purpose::Test, number as u64, instant), length)))
            .collect();
        instants.sort_unstable();
        for instant in instants {
            run(seen.as_mut(), instant);
            look(seen.as_ref());
            run(unseen.as_mut(), instant);
            assert_eq!(seen.digest(), unseen.digest(), "{name} at {instant}");
        }
    }
}
