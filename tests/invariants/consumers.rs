//! A group that commits what it has processed loses nothing: what is confirmed is processed in the end, once or more.

use mqlab::ledger::Fate;
use mqlab::sim::{Span, Time};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::case::{Case, Verb, case, fault_of, runner};
use crate::play::Play;

/// Faults of members and of their coordinator that end by themselves.
const VERBS: &[Verb] = &[
    Verb::Kill,
    Verb::Stop,
    Verb::Freeze,
    Verb::Disconnect,
    Verb::CutAll,
    Verb::CutOneWay,
    Verb::CutFrom,
    Verb::Delay,
];
const TARGETS: &[&str] = &[
    "billing",
    "billing/1",
    "billing/1",
    "consumers",
    "coordinator of billing",
    "leader of orders/0",
    "a follower of orders/0",
    "brokers",
];

/// Sessions end, barriers pass, members come back, and TCP's longest pause between two retransmissions goes by.
const DRAIN_MS: u32 = 400_000;

fn everything_is_processed(case: &Case) -> Result<(), TestCaseError> {
    let mut play = Play::new(&case.text());
    let window = Time::ZERO + play.plan.run_for;
    play.run(window, |_| false).map_err(TestCaseError::fail)?;
    play.run(window + Span::from_millis(u64::from(DRAIN_MS)), |world| world.is_quiet())
        .map_err(TestCaseError::fail)?;
    let lost = play.verdict().fate(Fate::Lost);
    prop_assert!(lost == 0, "{lost} lost");
    let left: Vec<_> = play
        .confirmed
        .iter()
        .filter(|&message| !play.processed.contains(message))
        .map(|&message| play.ledger.name(message))
        .collect();
    prop_assert!(left.is_empty(), "confirmed and not processed by {}: {left:?}", play.world.now());
    prop_assert!(play.world.is_quiet(), "never quiet");
    Ok(())
}

#[test]
fn what_is_confirmed_is_processed_in_the_end() {
    let faults = prop::collection::vec(fault_of(VERBS, TARGETS), 1..6);
    let cases = case(faults, 1u8..=3).prop_map(|mut case| {
        case.shape.drain_ms = DRAIN_MS;
        if case.shape.version == "2.1" {
            // A broker that its controller overlooks waits until an operator helps (KAFKA-1120).
            case.shape.version = "2.2";
        }
        case
    });
    runner(1_000).run(&cases, |case| everything_is_processed(&case)).unwrap_or_else(|why| panic!("{why}"));
}
