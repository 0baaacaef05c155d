//! Random schedules of everything that can go wrong: whatever happens, what is committed stays, and afterwards the
//! group works. With any of its rules off, the same schedules find the loss.

use proptest::prelude::*;

use super::group::{Checked, Group};
use super::*;

/// One thing that happens, and its details.
type Step = (u8, u32);

fn happen(group: &mut Group, step: Step, number: u64) -> Checked {
    let count = group.nodes.len();
    let (kind, detail) = step;
    let at = detail as usize % count;
    let parcel = detail as usize % group.wire.len().max(1);
    group.now += Span::from_millis(1);
    match kind % 40 {
        0..=12 => group.deliver(0)?,
        13..=17 => group.deliver(parcel)?,
        18 => drop(group.wire.remove(parcel)),
        19 => {
            if let Some(copy) = group.wire.get(parcel).cloned() {
                group.wire.push_back(copy);
            }
        }
        20..=25 => group.write(at)?,
        26..=28 => group.fire(at)?,
        29..=31 => {
            let leader = (0..count).filter(|&at| group.nodes[at].raft.role() == Role::Leader);
            if let Some(leader) = leader.cycle().nth(at).filter(|&leader| group.nodes[leader].is_up) {
                group.propose(leader, number);
            }
        }
        32 => {
            group.crash(at);
            group.notice_death(at)?;
        }
        33..=34 => group.restart(at)?,
        35 => group.cut(if detail & 64 == 0 { 0 } else { detail >> 8 }),
        36 => group.compact(at),
        37 if group.nodes[at].is_up => group.suspect(at, (detail >> 8) as usize % count)?,
        38 if group.nodes[at].is_up && detail & 256 == 0 => group.transfer(at),
        _ => group.tick(at)?,
    }
    Ok(())
}

/// Runs the schedule, then heals the group and lets it work.
fn run(count: u8, config: &Config, steps: &[Step], flaw: Option<Flaw>) -> Checked {
    let mut group = Group::new(count, config, 5, flaw);
    for (number, &step) in steps.iter().enumerate() {
        happen(&mut group, step, number as u64)?;
        if number % 16 == 0 {
            group.logs_match()?;
        }
    }
    group.logs_match()?;
    group.heal()?;
    let before = group.committed();
    for command in 0..3 {
        let leader = group.leader().ok_or("nobody leads")?;
        if !group.propose(leader, 1_000_000 + command) {
            return Err("the leader takes no proposals".into());
        }
    }
    group.settle()?;
    group.logs_match()?;
    if group.committed() < before + 3 {
        return Err("what was proposed after healing is not committed".into());
    }
    let is_alike = |node: &group::Node| node.state == group.nodes[0].state;
    if !group.nodes.iter().all(is_alike) {
        return Err("states differ after healing".into());
    }
    Ok(())
}

fn with_heartbeats() -> Config {
    Config::with_heartbeats(Dist::Uniform(Span::from_millis(500), Span::from_millis(1000)))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn three_members_keep_what_they_committed(steps in prop::collection::vec(any::<Step>(), 0..600)) {
        prop_assert_eq!(run(3, &config(), &steps, None), Ok(()));
    }

    #[test]
    fn five_members_keep_what_they_committed(steps in prop::collection::vec(any::<Step>(), 0..900)) {
        prop_assert_eq!(run(5, &config(), &steps, None), Ok(()));
    }

    #[test]
    fn with_heartbeats_too(steps in prop::collection::vec(any::<Step>(), 0..600)) {
        prop_assert_eq!(run(3, &with_heartbeats(), &steps, None), Ok(()));
    }
}

/// What happens in a storm: elections, deaths and restarts, messages out of order.
const STORM: [u8; 16] = [13, 13, 13, 13, 13, 19, 20, 20, 26, 26, 26, 29, 32, 33, 33, 35];

/// Whether something breaks in one of so many random schedules, every other one a storm.
fn breaks(flaw: Option<Flaw>, schedules: u64) -> bool {
    let schedule = |seed: u64| {
        let mut bits = draw::stream(seed, Purpose::Test, 1, 0);
        let step = |bits: u64| {
            let kind = if seed % 4 < 2 { bits as u8 } else { STORM[bits as usize % STORM.len()] };
            (kind, (bits >> 8) as u32)
        };
        (0..1500).map(|_| step(draw::next(&mut bits))).collect::<Vec<Step>>()
    };
    (0..schedules).any(|seed| {
        let count = 3 + (seed % 2) as u8 * 2;
        run(count, &config(), &schedule(seed), flaw).is_err()
    })
}

#[test]
fn with_all_rules_nothing_breaks() {
    assert!(!breaks(None, 400));
}

#[test]
fn without_waiting_for_disks_committed_entries_are_lost() {
    assert!(breaks(Some(Flaw::CountsAtOnce), 20_000));
}

#[test]
fn without_a_look_at_the_candidates_log_committed_entries_are_lost() {
    assert!(breaks(Some(Flaw::VotesForAny), 20_000));
}

#[test]
fn without_a_look_at_what_they_follow_entries_make_logs_differ() {
    assert!(breaks(Some(Flaw::AppendsBlindly), 20_000));
}

#[test]
fn without_the_rule_of_the_own_term_committed_entries_are_lost() {
    assert!(breaks(Some(Flaw::CountsOldTerms), 20_000));
}
