//! The language by example: each test is a small file and what becomes of it.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::expect::{Comparison, Operand, Quantity, Test};
use super::plan::{
    Condition, Idempotency, Moment, Plan, Rate, Reaction, Target, Trigger, Value, Verb, Version, Which,
};
use super::{Scenario, Style};
use crate::sim::{Dist, Span};

mod overlays;
mod words;

/// The example of the contract, but for what is not modelled yet.
const ORDERS: &str = r#"
title   = "acks=1: the leader dies with the only copy"
family  = "kafka"
version = "2.0"
facts   = ["F03"]
seed = 42
run_for = "30s"
drain_for = "60s"

[cluster]
brokers = 3
config = { "replica.lag.time.max.ms" = 10000 }

[topic.orders]
partitions = 1
config = { "replication.factor" = 3, "min.insync.replicas" = 1 }

[producer.checkout]
send_to = "orders"
messages = 10_000
rate = "1000/s"
keys = 16
client = "librdkafka"
config = { acks = "1", retries = 0 }

[consumer.billing]
read_from = "orders"
instances = 2
process = "2ms"
idempotency = "none"
config = { "enable.auto.commit" = true }

[network]
latency = "0.3ms..0.8ms"

[fault.leader-dies]
at = "5s"
kill = "leader of orders/0"
restart_after = "10s"

[expect]
reordered = 0

[variant.zz-one]
producer.checkout.config.acks = "1"
expect = { lost = ">= 1" }

[variant."acks=all"]
producer.checkout.config.acks = "all"
expect = { lost = "<= 0.5 * variant.zz-one.lost" }
"#;

fn read(text: &str) -> Result<Scenario, String> {
    Scenario::read("test", "test.toml", text.as_bytes()).map_err(|mistakes| mistakes.render(Style::Plain))
}

/// The example without variants, with more text at its end.
fn plan_with(more: &str) -> Result<Plan, String> {
    let base = ORDERS.split("[expect]").next().expect("the example has expectations");
    let scenario = read(&format!("{base}\n{more}"))?;
    scenario.plan(None, &[]).map_err(|mistakes| mistakes.render(Style::Plain))
}

fn messages(more: &str) -> Vec<String> {
    let base = ORDERS.split("[expect]").next().expect("the example has expectations");
    match Scenario::read("test", "test.toml", format!("{base}\n{more}").as_bytes()) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.list.into_iter().map(|one| one.message).collect(),
    }
}

fn set(line: &str) -> Result<Plan, String> {
    let scenario = read(ORDERS)?;
    scenario.plan(None, &[line.to_owned()]).map_err(|mistakes| mistakes.render(Style::Plain))
}

#[test]
fn the_example_becomes_a_plan() {
    let scenario = read(ORDERS).expect("no mistakes");
    assert_eq!(scenario.variants, ["zz-one", "acks=all"], "in the order of the file");
    assert_eq!(scenario.title(), "acks=1: the leader dies with the only copy");
    assert_eq!(scenario.facts, ["F03"]);
    let plan = scenario.plan(None, &[]).expect("no mistakes");
    assert_eq!(plan.variant.as_deref(), Some("zz-one"), "the first variant runs, never the base alone");
    assert_eq!((plan.family, plan.version, plan.seed), ("kafka", Version(2, 0, 0), 42));
    assert_eq!(plan.cluster.roles.get("brokers"), Some(&3));
    assert_eq!(plan.cluster.roles.get("zookeeper"), Some(&1), "2.0 runs on ZooKeeper");
    let checkout = &plan.producers[0];
    assert_eq!((checkout.messages, checkout.keys.map(|keys| keys.count)), (Some(10_000), Some(16)));
    assert_eq!(checkout.rate(), Rate::Every(Span::from_millis(1)));
    assert_eq!(checkout.config.get("acks"), Some(&Value::Text("1".to_owned())));
    let billing = &plan.consumers[0];
    assert_eq!((billing.instances, billing.idempotency), (2, Idempotency::None));
    assert_eq!(plan.faults[0].ends_after, Some(Span::from_secs(10)));
    assert_eq!(plan.faults[0].verb, Verb::Kill(Target::Name("leader of orders/0".to_owned())));
    let texts: Vec<&str> = plan.expectations.iter().map(|one| one.text.as_str()).collect();
    assert_eq!(texts, ["reordered = 0", "lost >= 1"]);
}

#[test]
fn what_is_left_out_has_a_default() {
    let text = "family = \"kafka\"\n[topic.t]\n[producer.p]\nsend_to = \"t\"\nmessages = 3\n\
                client = \"librdkafka\"\n[consumer.c]\nread_from = \"t\"\n";
    let plan =
        read(text).and_then(|file| file.plan(None, &[]).map_err(|_| String::new())).expect("no mistakes");
    assert_eq!((plan.seed, plan.run_for, plan.drain_for), (1, Span::from_secs(30), Span::from_secs(60)));
    assert_eq!((plan.variant, plan.version), (None, Version(4, 1, 0)));
    assert_eq!(plan.cluster.roles.get("controllers"), Some(&1), "4.1 runs on KRaft");
    assert_eq!(plan.network.latency.to_string(), "300us..800us");
    assert_eq!(plan.network.fsync, Dist::Constant(Span::from_millis(2)));
    let producer = &plan.producers[0];
    assert_eq!((producer.size_bytes, producer.instances, producer.attempts_max), (100, 1, 10));
    assert_eq!((producer.if_failed, producer.if_unknown), (Reaction::GiveUp, None));
    assert_eq!(producer.attempt_every, Span::from_millis(100));
    assert_eq!(plan.consumers[0].process, Dist::Constant(Span::from_millis(1)));
    assert_eq!(plan.entities[0].fields.get("partitions"), Some(&Value::Int(1)));
}

#[test]
fn variants_merge_tables_replace_values_and_remove_names() {
    let more = r#"
[variant.none]
fault.leader-dies = false
[variant.two]
producer.checkout.config.linger.ms = 7
producer.checkout.messages = 5
cluster.config."min.insync.replicas" = 2
cluster.config.replica.lag.time.max.ms = 20
fault.second = { at = "6s", freeze = ["broker-1", "broker-2"], thaw_after = "1s" }
version = "3.7"
"#;
    let base = ORDERS.split("[variant.zz-one]").next().expect("the example has variants");
    let scenario = read(&format!("{base}{more}")).expect("no mistakes");
    let none = scenario.plan(Some("none"), &[]).expect("no mistakes");
    assert_eq!(none.faults, []);
    let two = scenario.plan(Some("two"), &[]).expect("no mistakes");
    let names: Vec<&str> = two.faults.iter().map(|fault| fault.name.as_str()).collect();
    assert_eq!(names, ["leader-dies", "second"]);
    assert_eq!(two.version, Version(3, 7, 0));
    let config = &two.producers[0].config;
    assert_eq!(config.get("linger.ms"), Some(&Value::Int(7)));
    assert_eq!(config.get("acks"), Some(&Value::Text("1".to_owned())), "the base's settings stay");
    assert_eq!(two.producers[0].messages, Some(5));
    assert_eq!(two.cluster.config.get("replica.lag.time.max.ms"), Some(&Value::Int(20)));
    assert_eq!(two.cluster.config.get("min.insync.replicas"), Some(&Value::Int(2)));
}

#[test]
fn set_lines_change_a_plan_and_have_mistakes_of_their_own() {
    let plan = set("producer.checkout.config.acks = \"all\"").expect("no mistakes");
    assert_eq!(plan.producers[0].config.get("acks"), Some(&Value::Text("all".to_owned())));
    assert_eq!(set("fault.leader-dies = false").expect("no mistakes").faults, []);
    let replaced = set("expect.lost = 7").expect("no mistakes");
    assert_eq!(replaced.expectations[1].text, "lost = 7");
    let mistake = set("producer.checkout.mesages = 3").expect_err("a mistake");
    assert!(mistake.contains("--> --set:1:19") && mistake.contains("did you mean `messages`?"), "{mistake}");
    let mistake = set("topic.orders = false").expect_err("a mistake");
    assert!(mistake.contains("`orders` leads nowhere") && mistake.contains("test.toml:19:11"), "{mistake}");
    assert!(set("nonsense").expect_err("a mistake").contains("not TOML"));
    assert!(set("seed = 1\nseed = 2").expect_err("a mistake").contains("--set:2:1"));
    assert!(set("family = \"kafka\"").expect_err("a mistake").contains("cannot be changed"));
}

#[test]
fn an_unknown_variant_gets_the_nearest() {
    let scenario = read(ORDERS).expect("no mistakes");
    let mistakes = scenario.plan(Some("acks=al"), &[]).expect_err("a mistake");
    assert_eq!(mistakes.list[0].help.as_deref(), Some("did you mean `acks=all`?"));
}

/// Each verb with its keys, and what it becomes.
#[test]
fn every_verb_reads_its_keys() {
    let name = |name: &str| Target::Name(name.to_owned());
    let table = [
        ("kill = 'broker-1'\nrestart_after = '1s'", Verb::Kill(name("broker-1"))),
        ("power_off = 'brokers'\nrestart_after = '1s'", Verb::PowerOff(name("brokers"))),
        ("stop = 'controller'\nrestart_after = '1s'", Verb::Stop(name("controller"))),
        ("freeze = 'billing/2'\nthaw_after = '1s'", Verb::Freeze(name("billing/2"))),
        ("freeze = 'billing'\nfor = '1s'", Verb::Freeze(name("billing"))),
        ("start = 'a follower of orders'", Verb::Start(name("a follower of orders"))),
        ("disconnect = 'clients'", Verb::Disconnect(name("clients"))),
        (
            "lose_disk = 'followers of orders/0'\nrestart_after = '1s'",
            Verb::LoseDisk(name("followers of orders/0")),
        ),
        (
            "slow_disk = 'broker-2'\nfactor = 10\nfor = '1s'",
            Verb::SlowDisk { target: name("broker-2"), factor: 10 },
        ),
        (
            "cut = 'leader of orders/0'\nfrom = ['brokers', 'zookeeper-1']\none_way = true\n\
             heal_after = '1s'",
            Verb::Cut {
                target: name("leader of orders/0"),
                from: Some(Target::All(vec![name("brokers"), name("zookeeper-1")])),
                one_way: true,
            },
        ),
        (
            "cut = 'checkout/1'\nfor = '1s'",
            Verb::Cut { target: name("checkout/1"), from: None, one_way: false },
        ),
        (
            "delay = '200ms'\non = ['checkout', 'broker-1']",
            Verb::Delay {
                target: name("checkout"),
                from: Some(name("broker-1")),
                by: Dist::Constant(Span::from_millis(200)),
            },
        ),
        (
            "delay = 'broker-3'\nby = 'exp(2ms)'\nheal_after = '1s'",
            Verb::Delay { target: name("broker-3"), from: None, by: Dist::Exponential(Span::from_millis(2)) },
        ),
    ];
    for (keys, verb) in table {
        let plan =
            plan_with(&format!("[fault.f]\nat = '1s'\n{keys}")).unwrap_or_else(|why| panic!("{keys}\n{why}"));
        let fault = plan.faults.iter().find(|fault| fault.name == "f").expect("it is there");
        assert_eq!(fault.verb, verb);
        assert_eq!(fault.ends_after, (keys.contains("'1s'")).then_some(Span::from_secs(1)), "{keys}");
    }
}

#[test]
fn frames_drop_and_double() {
    let plan = plan_with("[fault.f]\nat = '1s'\ndrop = 'frames'\non = ['checkout', 'broker-1']\nrate = '1%'");
    let plan = plan.expect("no mistakes");
    let Verb::Drop(frames) = &plan.faults[0].verb else { panic!("a drop") };
    assert_eq!(frames.which, Which::Rate(10_000));
    assert_eq!(frames.from, Some(Target::Name("broker-1".to_owned())));
    let plan =
        plan_with("[fault.f]\nat = '1s'\nduplicate = 'frames'\nnth = 3\nfor = '2s'").expect("no mistakes");
    let Verb::Duplicate(frames) = &plan.faults[0].verb else { panic!("a duplicate") };
    assert_eq!(frames.which, Which::Nth(3));
    let everybody = ["brokers", "zookeeper", "clients"].map(|set| Target::Name(set.to_owned()));
    assert_eq!(frames.target, Target::All(everybody.to_vec()));
}

#[test]
fn faults_wait_for_moments_and_repeat() {
    let more = "[fault.f]\nwhen = { observed = 'confirmed', by = 'checkout', nth = 100 }\nafter = '1ms'\n\
                stop = 'each of brokers'\nrestart_after = '1s'\nevery = '10s'\ntimes = 4\nas = 'old leader'\n\
                optional = true\n\
                [fault.g]\nat = '29s'\nstart = 'old leader'";
    let plan = plan_with(more).expect("no mistakes");
    let rounds: Vec<_> = plan.faults.iter().filter(|fault| fault.name.starts_with('f')).collect();
    let stopped: Vec<_> = rounds.iter().map(|fault| (fault.name.as_str(), fault.verb.clone())).collect();
    let stop = |broker: &str| Verb::Stop(Target::Name(broker.to_owned()));
    let expected = [
        ("f", stop("broker-1")),
        ("f#2", stop("broker-2")),
        ("f#3", stop("broker-3")),
        ("f#4", stop("broker-1")),
    ];
    assert_eq!(stopped, expected);
    let condition =
        Condition::Observed { moment: Moment::Confirmed, by: Some("checkout".to_owned()), nth: 100 };
    let when = |after: u64| Trigger::When { condition: condition.clone(), after: Span::from_millis(after) };
    assert_eq!(rounds[2].trigger, when(20_001));
    assert!(rounds.iter().all(|fault| fault.optional && fault.known_as.as_deref() == Some("old leader")));
    let plan = plan_with("[fault.f]\nat = '5s'\nfreeze = 'broker-1'\nfor = '1s'\nevery = '10s'")
        .expect("no mistakes");
    assert_eq!(plan.faults.iter().filter(|fault| fault.name.starts_with('f')).count(), 3, "until `run_for`");
}

#[test]
fn mistakes_in_faults_are_named() {
    let table = [
        ("kill = 'broker-4'", "`broker-4` is nobody in this scenario"),
        ("kill = 'leader of orders/1'", "`leader of orders/1` is nobody in this scenario"),
        ("kill = 'old leader'", "`old leader` is nobody in this scenario"),
        ("kill = []", "wrong value for `kill`"),
        ("kill = 'broker-1'\nstop = 'broker-1'", "fault `f` has more than one verb"),
        ("optional = true", "fault `f` has no verb"),
        ("kill = 'broker-1'\nthaw_after = '1s'", "`thaw_after` does not belong to `kill`"),
        ("cut = 'broker-1'\nheal_after = '1s'\nfor = '1s'", "fault `f` ends in two ways"),
        ("kil = 'broker-1'", "a fault has no key `kil`"),
        ("tear_disk = 'broker-1'", "`f` has no `last`"),
        ("drop = 'request'\nnth = 1", "wrong value for `drop`"),
        ("drop = 'frames'", "fault `f` has neither `rate` nor `nth`"),
        ("slow_disk = 'broker-1'", "`f` has no `factor`"),
        ("kill = 'broker-1'\nafter = '1s'", "`after` belongs to `when`"),
        ("stop = 'each of nobody'", "`nobody` has no members"),
        ("kill = 'broker-1'\ntimes = 3", "`times` needs `every`"),
        ("kill = 'broker-1'\nevery = '10s'\ntimes = 30", "fault `f` starts after the run"),
    ];
    for (keys, message) in table {
        let found = messages(&format!("[fault.f]\nat = '1s'\n{keys}"));
        assert!(found.iter().any(|one| one == message), "{keys}: {found:?}");
    }
    let twice = messages("[fault.f]\nat = '1s'\nwhen = { observed = 'sent' }\nkill = 'broker-1'");
    assert_eq!(twice, ["fault `f` starts in two ways"]);
    assert_eq!(messages("[fault.f]\nkill = 'broker-1'"), ["fault `f` never starts"]);
    assert_eq!(messages("[fault.f]\nat = '31s'\nkill = 'broker-1'"), ["fault `f` starts after the run"]);
}

#[test]
fn settings_are_the_vendors() {
    let table = [
        (
            "producer.checkout.config.batch.num.mesages = 1",
            "a librdkafka producer has no setting `batch.num.mesages`",
        ),
        (
            "producer.checkout.config.max.block.ms = 1",
            "`max.block.ms` is no setting of a librdkafka producer",
        ),
        ("producer.checkout.config.compression.type = 'lz4'", "`compression.type` is not modelled"),
        ("producer.checkout.config.acks = 2", "wrong value for `acks`"),
        ("producer.checkout.config.request.required.acks = 1", "`acks` is written twice"),
        ("producer.checkout.config.retries = -1", "wrong value for `retries`"),
        (
            "cluster.config.broker.session.timeout.ms = 1",
            "`broker.session.timeout.ms` exists since 2.8; this scenario runs 2.0",
        ),
        (
            "topic.orders.config.replication.factor = 4",
            "topic `orders` asks for 4 replicas, but only 3 brokers exist",
        ),
        (
            "consumer.billing.config.isolation.level = 'read_committed'",
            "`isolation.level = \"read_committed\"` is not modelled yet",
        ),
        ("cluster.metadata = 'kraft'", "KRaft exists since 2.8; this scenario runs 2.0"),
        ("cluster.brokers = 101", "`brokers = 101` is out of range"),
        ("topic.orders.partitions = 10001", "wrong value for `partitions`"),
        ("version = '9.9'", "release 9.9 is not modelled"),
        ("producer.checkout.instances = 1001", "`instances = 1001` is out of range"),
        ("producer.checkout.messages = 50_000_001", "`messages = 50000001` is out of range"),
        ("run_for = '169h'", "wrong value for `run_for`"),
        (
            "consumer.billing = { poison = [7], if_fails = { then = 'requeue' } }",
            "Kafka's consumers cannot give a single message back: there are only positions",
        ),
        ("consumer.billing = { fails = '2%', if_fails = { then = 'send to dead' } }", "`dead` leads nowhere"),
        ("consumer.billing.poison = [10_001]", "`checkout#10001` never comes to this consumer"),
        ("consumer.billing.order = 'by key'", "`order` without `workers`"),
        ("consumer.billing.id = 'position'", "`id = \"position\"` changes nothing here"),
        ("consumer.billing.if_fails = { retries = 1 }", "`if_fails` where nothing fails"),
    ];
    for (line, message) in table {
        let mistake = set(line).expect_err(line);
        assert!(mistake.contains(&format!("error: {message}\n")), "{line}\n{mistake}");
    }
    let renamed = set("producer.checkout.config.message.send.max.retries = 3").expect_err("written twice");
    assert!(renamed.contains("`retries` is written twice"), "{renamed}");
    let plan = set("producer.checkout.config.queue.buffering.max.ms = 3").expect("another name of linger.ms");
    assert_eq!(plan.producers[0].config.get("linger.ms"), Some(&Value::Int(3)));
}

#[test]
fn idempotent_producers_are_refused_by_name() {
    let java = |more: &str| {
        let text = format!(
            "family = 'kafka'\nversion = '2.0'\n[topic.t]\n[producer.p]\nsend_to = 't'\nmessages = 3\n\
             config = {{ {more} }}"
        );
        read(&text).err().unwrap_or_default()
    };
    assert_eq!(java("'enable.idempotence' = false"), "");
    assert!(java("'enable.idempotence' = true, acks = 'all', retries = 3").contains("is not modelled yet"));
    assert!(java("'enable.idempotence' = true, acks = '1'").contains("refused by the client"));
    let text = "family = 'kafka'\n[topic.t]\n[producer.p]\nsend_to = 't'\nmessages = 3\n\
                config = { 'delivery.timeout.ms' = 100 }";
    assert!(
        read(text)
            .expect_err("a mistake")
            .contains("is below `linger.ms` (5) + `request.timeout.ms` (30000)")
    );
}

#[test]
fn expectations_are_parsed() {
    let claims = r#"[expect]
lost = ">= 1"
billing.duplicated = "3..=5"
latency.confirm.p99 = "< 50ms"
checkout.confirmed = ">= 99%"
reordered = "> 10 * stale"
stranded = "..3"
"orders/0.leader" = "broker-2"
"broker-1.up" = true
fault.leader-dies.fired = 1
"#;
    let plan = plan_with(claims).expect("no mistakes");
    let found: Vec<_> = plan.expectations.iter().map(|one| (one.path.as_str(), one.test.clone())).collect();
    let compare = |comparison, quantity| Test::Compare(comparison, Operand::Quantity(quantity));
    assert_eq!(
        found,
        [
            ("lost", compare(Comparison::AtLeast, Quantity::Number(1.0))),
            ("billing.duplicated", Test::Within(Quantity::Number(3.0), Quantity::Number(5.0), true)),
            ("latency.confirm.p99", compare(Comparison::Less, Quantity::Millis(50.0))),
            ("checkout.confirmed", compare(Comparison::AtLeast, Quantity::Percent(99.0))),
            (
                "reordered",
                Test::Compare(
                    Comparison::Greater,
                    Operand::Path { factor: 10.0, variant: None, path: "stale".to_owned() }
                )
            ),
            ("stranded", compare(Comparison::Less, Quantity::Number(3.0))),
            ("orders/0.leader", Test::Is(Value::Text("broker-2".to_owned()))),
            ("broker-1.up", Test::Is(Value::Bool(true))),
            ("fault.leader-dies.fired", Test::Is(Value::Int(1))),
        ]
    );
}

#[test]
fn expectations_that_claim_nothing_are_mistakes() {
    for every in [
        "lost = '>= 0'",
        "lost = '<= 100%'",
        "lost = '0..'",
        "lost = '> -1'",
        "lost = '0..=100%'",
        "lost = '<= lost'",
    ] {
        assert_eq!(messages(&format!("[expect]\n{every}")), ["this is true of every value"], "{every}");
    }
    for none in ["lost = '< 0'", "lost = -1", "lost = '> 100%'"] {
        assert_eq!(messages(&format!("[expect]\n{none}")), ["this is true of no value"], "{none}");
    }
    let table = [
        ("lots = 1", "nothing is known as `lots`"),
        ("checkout.lost = 1", "`lost` is not measured of a producer"),
        ("biling.lost = 1", "nothing is known as `biling.lost`"),
        ("told.right = 0", "`told.right` is not modelled yet"),
        ("lost = 'many'", "`lost` is compared with nothing"),
        ("lost = '> 2 * variant.kil.lost'", "`lost` is compared with nothing"),
        ("lost = '50ms'", "wrong value for `lost`"),
        ("lost = '5..3'", "wrong value for `lost`"),
        ("unavailable = '< 10'", "wrong value for `unavailable`"),
        ("'orders/3.leader' = 'broker-1'", "nothing is known as `orders/3.leader`"),
        ("fault.leader-dy.fired = 1", "there is no fault `leader-dy`"),
    ];
    for (line, message) in table {
        assert_eq!(messages(&format!("[expect]\n{line}")), [message], "{line}");
    }
    let twice = ORDERS.replace("expect = { lost = \">= 1\" }", "expect = { reordered = 1 }");
    assert!(read(&twice).expect_err("a mistake").contains("`reordered` is expected twice"));
}

#[test]
fn names_do_not_mean_two_things() {
    let producer = |name: &str| messages(&format!("[producer.{name}]\nsend_to = 'orders'\nmessages = 3"));
    assert_eq!(producer("brokers"), ["`brokers` is no name for a producer"]);
    assert_eq!(producer("broker-7"), ["`broker-7` is no name for a producer"]);
    assert_eq!(producer("lost"), ["`lost` is no name for a producer"]);
    assert_eq!(producer("'a/b'"), ["`a/b` is no name for a producer"]);
    assert_eq!(producer("billing"), ["`billing` names a producer and a consumer"]);
    assert_eq!(producer("'结账'"), [""; 0]);
}

#[test]
fn what_is_not_modelled_yet_is_refused() {
    let table = [
        (
            "[producer.p]\nsend_to = 'orders'\nmessage = [{ properties = { a = 1 } }]",
            "a message has no property `a`",
        ),
        (
            "[producer.p]\nsend_to = 'orders'\nrate = 'max'\nrouting_key = 'a'",
            "a producer has no key `routing_key`",
        ),
        (
            "[consumer.c]\nread_from = 'orders'\nconnect_to = 'broker-9'",
            "`broker-9` is no node of this cluster",
        ),
        (
            "[producer.p]\nsend_to = 'orders'\nrate = 'max'\nspread = 'by key'",
            "there is nothing to spread over",
        ),
        ("[topic.x]\ncopies = 0", "`copies = 0` is out of range"),
    ];
    for (text, message) in table {
        assert_eq!(messages(text), [message]);
    }
    assert!(messages("[[step]]\nkill = 'broker-1'").is_empty());
    assert!(read("family = 'rocketmq'").expect_err("a mistake").contains("is not modelled yet"));
}

#[test]
fn the_deciding_line_has_to_work() {
    let scenario = |line: &str| read(&format!("decisive = {{ set = '''{line}''' }}\n{ORDERS}"));
    let read = scenario("producer.checkout.config.acks = 'all'").expect("no mistakes");
    assert_eq!(read.decisive.as_deref(), Some("producer.checkout.config.acks = 'all'"));
    assert!(scenario("producer.checkout.config.ack = 'all'").is_err());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is cut out of a good file or written into it: mistakes or a plan, never a panic.
    #[test]
    fn mutated_files_never_panic(
        at in 0..ORDERS.len(),
        cut in 0usize..40,
        piece in ".{0,12}",
        style in any::<bool>(),
    ) {
        let mut bytes = ORDERS.as_bytes().to_vec();
        let end = (at + cut).min(bytes.len());
        bytes.splice(at..end, piece.into_bytes());
        if let Err(mistakes) = Scenario::read("test", "test.toml", &bytes) {
            prop_assert!(!mistakes.list.is_empty());
            let style = if style { Style::Plain } else { Style::Colour };
            prop_assert!(mistakes.render(style).contains("error"));
        }
    }

    /// The same for anything at all.
    #[test]
    fn random_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Err(mistakes) = Scenario::read("test", "test.toml", &bytes) {
            prop_assert!(mistakes.render(Style::Plain).contains("test.toml:"));
        }
    }

    /// And for `--set` lines.
    #[test]
    fn random_set_lines_never_panic(line in "[a-z.\"=\\[\\]{} 0-9é]{0,40}") {
        if let Err(mistake) = set(&line) {
            prop_assert!(mistake.contains("error"));
        }
    }
}

#[test]
fn huge_and_deep_files_are_refused_quickly() {
    let mistake = Scenario::read("test", "test.toml", &vec![b'#'; 1 << 21]).expect_err("too large");
    assert!(mistake.render(Style::Plain).contains("the limit is 1048576"));
    let deep = format!("family = 'kafka'\nx = {}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(read(&deep).is_err());
    let dotted = format!("family = 'kafka'\n{} = 1", vec!["a"; 100_000].join("."));
    assert!(read(&dotted).is_err());
    let mut many = String::from("family = 'kafka'\n");
    for i in 0..60_000 {
        writeln!(many, "unknown{i} = 1").expect("a string takes it");
    }
    let mistakes = Scenario::read("test", "test.toml", many.as_bytes()).expect_err("mistakes");
    assert_eq!(mistakes.list.len(), 60_000);
    assert!(mistakes.render(Style::Plain).contains("and 59900 more mistakes"));
}

#[test]
fn one_messages_fate_can_be_expected() {
    let with = |path: &str| {
        let text = format!(
            "family = \"kafka\"\nversion = \"2.0\"\n[topic.t]\n[producer.p]\nsend_to = \"t\"\nmessages = 3\n\
             [expect]\n\"{path}\" = \"lost\"\n"
        );
        read(&text).and_then(|file| file.plan(None, &[]).map_err(|mistakes| mistakes.render(Style::Plain)))
    };
    assert_eq!(with("p#3.fate").expect("no mistakes").expectations[0].path, "p#3.fate");
    for (path, why) in [
        ("p#4.fate", "`p` sends the messages 1 to 3"),
        ("p#0.fate", "`p` sends the messages 1 to 3"),
        ("q#1.fate", "did you mean `p#1`?"),
    ] {
        let told = with(path).expect_err("it is no message");
        assert!(told.contains(why), "{told}");
    }
}
