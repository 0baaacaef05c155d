//! What is confirmed with `acks=all` and `min.insync.replicas=2` stays, whatever happens short of losing a disk.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::case::{Case, HARMLESS, Verb, case, fault, runner};
use crate::play::Play;

/// Plays a case, heals it, and looks for everything that was confirmed.
pub(crate) fn nothing_is_missing(case: &Case) -> Result<(), TestCaseError> {
    let mut play = Play::new(&case.text());
    play.run_out().map_err(TestCaseError::fail)?;
    let verdict = play.verdict();
    let lost = verdict.fate(mqlab::ledger::Fate::Lost);
    play.heal().map_err(TestCaseError::fail)?;
    let missing = play.missing();
    prop_assert!(missing.is_empty(), "confirmed and missing: {missing:?}");
    prop_assert!(lost == 0, "{lost} lost, though every leader has what was confirmed");
    Ok(())
}

#[test]
fn confirmed_messages_survive_whatever_spares_the_disks() {
    let faults = prop::collection::vec(fault(HARMLESS), 1..9);
    let cases = case(faults, prop_oneof![4 => Just(0u8), 1 => 1u8..=2]);
    runner(4_000).run(&cases, |case| nothing_is_missing(&case)).unwrap_or_else(|why| panic!("{why}"));
}

#[test]
fn confirmed_messages_survive_one_power_loss() {
    let faults = fault(&[Verb::PowerOff]).prop_map(|mut fault| {
        // One machine, and a reboot that takes longer than any session here.
        fault.target = match fault.target {
            "followers of orders/0" | "brokers" => "leader of orders/0",
            target => target,
        };
        fault.for_ms += 6_000;
        vec![fault]
    });
    // Healing starts every node at once: the machine has to be back before.
    let cases = case(faults, Just(0u8)).prop_map(|mut case| {
        case.shape.drain_ms =
            case.shape.drain_ms.max(case.faults.iter().map(|fault| fault.for_ms).max().unwrap_or(0) + 1_000);
        case
    });
    runner(1_000).run(&cases, |case| nothing_is_missing(&case)).unwrap_or_else(|why| panic!("{why}"));
}
