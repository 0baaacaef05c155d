use super::routes;
use crate::broker::rabbitmq::topology::{HaMode, Overflow, QueueKind, Storage, Topology};
use crate::fact::SubscriptionId;
use crate::scenario::Scenario;
use crate::scenario::plan::{Config, Plan, Value};
use crate::sim::Span;

/// The plan of a file with these lines.
fn plan(version: &str, lines: &str) -> Plan {
    let text = format!("family = 'rabbitmq'\nversion = '{version}'\n{lines}");
    let scenario = Scenario::read("x", "x.toml", text.as_bytes());
    let scenario = scenario.unwrap_or_else(|mistakes| {
        let all: Vec<_> = mistakes.list.into_iter().map(|one| one.message).collect();
        panic!("{}", all.join("\n"))
    });
    scenario.plan(None, &[]).expect("no mistakes")
}

/// What is wrong with a file with these lines.
fn mistakes(version: &str, lines: &str) -> Vec<String> {
    let text = format!("family = 'rabbitmq'\nversion = '{version}'\n{lines}");
    match Scenario::read("x", "x.toml", text.as_bytes()) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.list.into_iter().map(|one| one.message).collect(),
    }
}

/// By producer and row: to which consumers messages are addressed.
fn leads(plan: &Plan) -> Vec<Vec<Vec<bool>>> {
    routes::addresses(plan).into_iter().map(|one| one.leads).collect()
}

const SHOP: &str = "[producer.shop]\nsend_to = 'exchange orders'\n";

#[test]
fn each_message_is_addressed_by_its_own_key_and_headers() {
    let lines = format!(
        "[exchange.orders]\ntype = 'topic'\nbind = [{{ exchange = 'amq.fanout' }}]\n\
         [queue.eu]\nbind = [{{ exchange = 'orders', routing_key = 'eu.#' }}]\n\
         [queue.us]\nbind = [{{ exchange = 'orders', routing_key = 'us.*' }}]\n{SHOP}\
         message = [{{ properties = {{ routing_key = 'eu' }} }},\n\
         {{ properties = {{ routing_key = 'us.ca' }} }},\n\
         {{ properties = {{ routing_key = 'cn', CC = ['us.ny', 'eu.fr'] }} }}, {{ repeat = 2 }}]\n\
         [consumer.a]\nread_from = 'eu'\n[consumer.b]\nread_from = 'us'\n"
    );
    let plan = plan("3.10", &lines);
    let expected = [[true, false], [false, true], [true, true], [false, false]];
    assert_eq!(leads(&plan)[0], expected.map(Vec::from));
}

#[test]
fn a_queue_in_which_messages_only_wait_leads_to_those_who_get_them_then() {
    let lines = "[queue.wait]\narguments = { x-message-ttl = 1000, x-dead-letter-exchange = 'retry' }\n\
                 [exchange.retry]\ntype = 'fanout'\n[queue.work]\nbind = [{ exchange = 'retry' }]\n\
                 arguments = { x-dead-letter-exchange = 'dead' }\n[exchange.dead]\n[queue.graves]\n\
                 bind = [{ exchange = 'dead', routing_key = 'wait' }]\n\
                 [producer.shop]\nsend_to = 'wait'\nmessages = 1\n[consumer.billing]\nread_from = 'work'\n";
    let plan = plan("3.10", lines);
    assert_eq!(leads(&plan), [[[true]]]);
    let topology = Topology::new(&plan);
    let named = |name: &str| topology.queue(topology.queue_named(name).expect("it is declared"));
    let billing = vec![SubscriptionId(0)];
    assert_eq!((&named("wait").leads_to, named("wait").subscription), (&billing, None));
    assert!(named("graves").is_graveyard && named("graves").leads_to.is_empty());
    assert!(!named("work").is_graveyard);
}

#[test]
fn what_an_exchange_cannot_route_goes_to_its_alternate() {
    let lines = format!(
        "[exchange.orders]\ntype = 'headers'\narguments = {{ alternate-exchange = 'rest' }}\n\
         [exchange.rest]\ntype = 'fanout'\n\
         [queue.pdf]\nbind = [{{ exchange = 'orders',\n\
         arguments = {{ x-match = 'any', format = 'pdf', n = 1 }} }}]\n\
         [queue.rest]\nbind = [{{ exchange = 'rest' }}]\n{SHOP}\
         message = [{{ properties = {{ headers = {{ format = 'pdf' }} }} }},\n\
         {{ properties = {{ headers = {{ n = 2 }} }} }}]\n\
         [consumer.a]\nread_from = 'pdf'\n[consumer.b]\nread_from = 'rest'\n"
    );
    let plan = plan("3.10", &lines);
    assert_eq!(leads(&plan)[0], [[true, false], [false, true]]);
    let topology = Topology::new(&plan);
    let stamp = topology.stamp(topology.producers[0].stamp(2, 0));
    assert!(topology.route_stamp(stamp, &|_| true).used_alternate);
}

#[test]
fn copies_are_addressed_by_key_and_consumers_of_a_queue_share() {
    let lines = "[queue.work]\ncopies = 2\n[producer.shop]\nsend_to = 'work-*'\nkeys = 4\nmessages = 4\n\
                 [consumer.a]\nread_from = 'work-1'\n[consumer.b]\nread_from = 'work-2'\n\
                 [consumer.c]\nread_from = 'work-2'\n";
    let plan = plan("3.10", lines);
    let addresses = &routes::addresses(&plan)[0];
    assert_eq!(addresses.places, 2);
    assert_eq!(addresses.leads, [[true, false, false], [false, true, false]]);
    assert_eq!([0, 1, 2].map(|one| routes::shares(&plan, one)), [0, 1, 1]);
}

#[test]
fn arguments_and_policies_are_resolved() {
    let lines = "[cluster]\nbrokers = 3\n[exchange.dlx]\n\
                 [queue.work]\non = 'broker-2'\n\
                 arguments = { x-max-length = 10, x-overflow = 'drop-head', x-message-ttl = 5000 }\n\
                 [queue.old]\narguments = { x-queue-version = 2, x-queue-mode = 'lazy' }\n\
                 [policy.all]\npattern = '.*'\ndefinition = { message-ttl = 1000 }\n\
                 [policy.work]\npattern = '^work$'\npriority = 1\n\
                 definition = { max-length = 20, overflow = 'reject-publish', message-ttl = 9000, \
                 dead-letter-exchange = 'dlx', ha-mode = 'exactly', ha-params = 2 }\n";
    let mut topology = Topology::new(&plan("3.10", lines));
    let work = topology.queue_named("work").expect("it is declared");
    let args = &topology.queue(work).args;
    assert_eq!((args.max_length, args.overflow), (Some(10), Overflow::DropHead), "the smaller; the argument");
    assert_eq!(args.message_ttl, Some(Span::from_millis(5_000)), "one policy applies, not two");
    assert_eq!(args.ha.as_ref().map(|ha| &ha.mode), Some(&HaMode::Exactly(2)));
    assert_eq!(topology.queue(work).members, [1, 2]);
    let old = topology.queue(topology.queue_named("old").expect("it is declared"));
    assert_eq!(old.kind, QueueKind::Classic { storage: Storage::V2, is_lazy: true });
    assert_eq!(old.args.message_ttl, Some(Span::from_millis(1_000)));
    let change: Config = [("max-length".to_owned(), Value::Int(5))].into();
    assert!(topology.alter("work", &change));
    assert_eq!(topology.queue(work).args.max_length, Some(5));
    assert!(!topology.alter("work", &change), "nothing is left to change");
}

#[test]
fn what_the_broker_refuses_is_refused_in_its_words() {
    let table = [
        ("3.10", "[queue.q]\ndurable = false\narguments = { x-queue-type = 'quorum' }", "'non-durable'"),
        ("3.10", "[queue.q]\nexclusive = true\narguments = { x-queue-type = 'quorum' }", "'exclusive-owner'"),
        ("3.10", "[queue.q]\narguments = { x-queue-type = 'quorum', x-max-priority = 5 }", "x-max-priority"),
        ("3.7", "[queue.q]\narguments = { x-queue-type = 'quorum' }", "exists since 3.8"),
        (
            "4.0",
            "[queue.q]\n[policy.p]\npattern = 'q'\ndefinition = { ha-mode = 'all' }",
            "no more since 4.0",
        ),
        ("3.12", "[queue.q]\narguments = { x-queue-mode = 'lazy' }", "ignores `x-queue-mode` since 3.12"),
        ("3.10", "[queue.q]\narguments = { x-dead-letter-routing-key = 'a' }", "no_dlx_defined"),
        ("3.10", "[queue.q]\nbind = [{ exchange = 'none' }]", "no exchange 'none'"),
        ("3.10", "[exchange.x]\ntype = 'x-delayed-message'", "unknown exchange type"),
        ("3.10", "[queue.'amq.q']", "reserved prefix"),
        ("3.10", "[queue.q]\n[policy.p]\npattern = 'z'\ndefinition = { expires = 5 }", "applies to nothing"),
    ];
    for (version, lines, expected) in table {
        let all = mistakes(version, lines);
        assert!(all.iter().any(|one| one.contains(expected)), "{lines}\n{all:?}");
    }
}
