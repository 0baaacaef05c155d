//! The same plan and seed give the same digest, by whichever way one gets there.

use mqlab::broker::{Details, Family, World, family};
use mqlab::lab::notable::NotableKind;
use mqlab::lab::record::{Position, Recording};
use mqlab::lab::run::Run;
use mqlab::sim::{Span, Time};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::case::{Case, Verb, case, fault, runner};
use crate::play::plan;

const ANYTHING: &[Verb] = &[
    Verb::Kill,
    Verb::Stop,
    Verb::Freeze,
    Verb::PowerOff,
    Verb::Disconnect,
    Verb::CutAll,
    Verb::CutFrom,
    Verb::CutOneWay,
    Verb::Delay,
];

fn kafka() -> &'static dyn Family {
    family("kafka").expect("Kafka is a family")
}

/// Runs a world up to this time: its digest and how many events it took.
fn finish(mut world: Box<dyn World>, end: Time) -> (u64, u64) {
    let mut observations = Vec::new();
    while world.now() < end {
        world.advance(end, &mut observations);
        observations.clear();
    }
    (world.digest(), world.events())
}

fn is_deterministic(case: &Case, shares: &[u64]) -> Result<(), TestCaseError> {
    let plan = plan(&case.text());
    let end = Time::ZERO + plan.run_for + plan.drain_for;
    let world = || kafka().world(&plan, plan.seed);
    let straight = finish(world(), end);
    prop_assert_eq!(straight, finish(world(), end), "again");
    let mut detailed = world();
    detailed.want_details(Details::On);
    prop_assert_eq!(straight, finish(detailed, end), "with details");

    let mut recording = Recording::new(kafka(), &plan, plan.seed);
    // In pieces, as somebody who watches would.
    for piece in 1..=7 {
        recording.record_to(Position::Time(Time::ZERO + Span(end.0 / 7 * piece)));
    }
    prop_assert!(!recording.record(u64::MAX), "recorded whole");
    let outcome = Run::new(kafka(), &plan, plan.seed).outcome(&[]);
    let recorded = recording.outcome().map(|recorded| (recorded.digest, recorded.ended, recorded.events));
    prop_assert_eq!(Some((outcome.digest, outcome.ended, outcome.events)), recorded, "recorded");
    let reordered: u64 = outcome.verdict.subscriptions.iter().map(|one| one.reordered).sum();
    prop_assert_eq!(reordered, recording.notable_count(NotableKind::Reorder), "reordered");
    for share in shares {
        let events = straight.1 * share / 1_000;
        recording.seek(Position::Event(events));
        let at = recording.cursor().world.digest();
        prop_assert_eq!(straight, finish(recording.cursor().world.snapshot(), end), "from event {}", events);
        if recording.step_back() {
            recording.step_forward();
            prop_assert_eq!(at, recording.cursor().world.digest(), "back and forth at event {}", events);
        }
    }
    Ok(())
}

#[test]
fn every_way_to_the_end_has_the_same_digest() {
    let faults = prop::collection::vec(fault(ANYTHING), 0..5);
    let cases = (case(faults, 0u8..=2), prop::collection::vec(0u64..1_000, 20));
    runner(150)
        .run(&cases, |(case, shares)| is_deterministic(&case, &shares))
        .unwrap_or_else(|why| panic!("{why}"));
}
