//! What of a script did not happen, told to people.

use std::collections::BTreeSet;

use crate::broker::{Left, World};
use crate::scenario::expect::Expectation;
use crate::scenario::plan::{Action, Condition, Plan, StepPlan};
use crate::sim::{Span, Time};

/// So many of a kind are told one by one.
const TOLD_MAX: usize = 8;

/// What a step is called: `step 3`, or `step kill`.
pub(super) fn title(name: &str) -> String {
    if name.starts_with("step ") { name.to_owned() } else { format!("step {name}") }
}

/// What was not done, and which claims nobody judged.
pub(super) fn of_script(
    plan: &Plan,
    world: &dyn World,
    left: &[(u16, Left)],
    judged: &BTreeSet<u16>,
) -> Vec<String> {
    let mut gaps = Vec::new();
    let mut unreached = Vec::new();
    for (index, how) in left {
        let Some(step) = plan.steps.get(*index as usize) else { continue };
        match how {
            Left::Unreached => unreached.push(title(&step.name)),
            how => gaps.push(gap(plan, step, how, world)),
        }
    }
    if !unreached.is_empty() {
        gaps.push(format!("never reached: {}", first(&unreached)));
    }
    let open = plan.steps.iter().enumerate().filter(|(index, _)| !judged.contains(&(*index as u16)));
    let claims: Vec<String> = open.flat_map(|(_, step)| claims(step)).collect();
    if !claims.is_empty() {
        gaps.push(format!("never judged: {}", first(&claims)));
    }
    gaps
}

/// The first of them, and how many more there are.
fn first(all: &[String]) -> String {
    let told = all[..all.len().min(TOLD_MAX)].join(", ");
    match all.len().saturating_sub(TOLD_MAX) {
        0 => told,
        more => format!("{told}, and {more} more"),
    }
}

fn claims(step: &StepPlan) -> Vec<String> {
    let Some(Action::Expect(claims)) = &step.action else { return Vec::new() };
    claims.iter().map(|claim| format!("`{}` of {}", claim.text, title(&step.name))).collect()
}

fn gap(plan: &Plan, step: &StepPlan, how: &Left, world: &dyn World) -> String {
    let (name, now) = (title(&step.name), world.now());
    let waited = |what: &str| format!("the run ended at {now} while {name} still waited for {what}");
    match how {
        Left::Unreached => format!("{name} was never reached"),
        Left::Early => waited(&time(step)),
        Left::Waiting => waited(&step.wait_until.as_ref().map_or_else(String::new, condition)),
        Left::Busy(nodes) => {
            let names: Vec<String> = nodes.iter().map(|&node| world.node_name(node)).collect();
            waited(&format!("{} to have done it", first(&names)))
        }
        Left::Late => format!("{name} came after the {} in which anything may be done", plan.run_for),
        Left::Idle(why) => format!("{name} found nothing to do: {why}"),
    }
}

/// `3s`, or `its 65s to pass`.
fn time(step: &StepPlan) -> String {
    match step.at {
        Some(at) => format!("{}", Time::ZERO + at + step.wait),
        None if step.wait > Span::ZERO => format!("its {} to pass", step.wait),
        None => "its time".to_owned(),
    }
}

fn condition(condition: &Condition) -> String {
    match condition {
        Condition::Observed { moment, by, nth } => {
            let by = by.as_ref().map_or_else(String::new, |by| format!(" by {by}"));
            let nth = if *nth > 1 { format!(" ({nth} times)") } else { String::new() };
            format!("`{}`{by}{nth}", moment.name())
        }
        Condition::State(tests) => {
            let tests: Vec<&str> = tests.iter().map(|test: &Expectation| test.text.as_str()).collect();
            format!("`{}`", tests.join("` and `"))
        }
    }
}
