//! Causes, for somebody who does not know the code.

use super::narrate;
use super::paint::{BAD, FAINT, GOOD, count, head, paint, put, wrap};
use crate::broker::{Family, Link};
use crate::lab::explain::{Explanation, Group, TrialResult};
use crate::lab::study::Journey;
use crate::ledger::Fate;

/// Names shown of a group's messages.
const NAMES_MAX: usize = 5;

/// All groups of an explanation.
pub fn explanation(explanation: &Explanation) -> String {
    let outcome = &explanation.outcome;
    let variant = outcome.plan.variant.as_deref().unwrap_or("no variants");
    let mut out = format!("{}, {variant}, seed {}\n", outcome.plan.scenario, outcome.seed);
    if explanation.groups.is_empty() {
        let sent = count(outcome.verdict.messages.sent, "message");
        out.push_str("\nNothing to explain: what was asked about was confirmed and processed exactly\n");
        put!(out, "once. {sent} were sent.\n");
    }
    for group in &explanation.groups {
        heading(&mut out, "", group);
        out.push_str(&chain(group));
        out.push_str(&proof(group));
    }
    out
}

/// A message of which there is nothing to explain: what happened to it.
pub fn uneventful(explanation: &Explanation, family: &dyn Family, journey: &Journey) -> String {
    let plan = &explanation.outcome.plan;
    let variant = plan.variant.as_deref().unwrap_or("no variants");
    let mut out = format!("{}, {variant}, seed {}\n", plan.scenario, explanation.outcome.seed);
    let fate = |(subscription, fate, _): &(String, Fate, _)| format!("{} at {subscription}", fate.name());
    let fates: Vec<String> = journey.fates.iter().map(fate).collect();
    let fates = if fates.is_empty() { "addressed to nobody".to_owned() } else { fates.join(", ") };
    head(&mut out, &format!("{}: {fates}", journey.name));
    out.push_str(&narrate::journey(plan, family, journey));
    out
}

/// `Why: 3 messages lost at billing`, and below it the names of some of them.
pub(super) fn heading(out: &mut String, why: &str, group: &Group) {
    let names = group.messages.iter().take(NAMES_MAX).cloned().collect::<Vec<_>>().join(", ");
    let more = if group.messages.len() > NAMES_MAX { ", …" } else { "" };
    let messages = count(group.messages.len() as u64, "message");
    let fate = group.fate.name().replace('_', "-");
    head(out, &format!("{why}{messages} {fate} at {}", group.subscription));
    wrap(out, "  ", &format!("{names}{more}"));
}

/// The chain of the group's first message, a link a line.
pub(super) fn chain(group: &Group) -> String {
    let mut out = String::new();
    let mut has_happened = false;
    for (number, link) in in_order(&group.chain.links).enumerate() {
        has_happened |= link.at.is_some();
        let untimed = if has_happened { "so" } else { "setting" };
        let when = link.at.map_or_else(|| untimed.to_owned(), |at| at.to_string());
        let arrow = if number == 0 { "  " } else { "->" };
        wrap(&mut out, &format!("  {arrow} {when:>10}  "), &link.text);
    }
    if group.messages.len() > 1 && !group.chain.links.is_empty() {
        put!(out, "  (times and numbers are those of {})\n", group.messages[0]);
    }
    out
}

/// Settings first, then what happened in the order of time, then what it comes to.
fn in_order(links: &[Link]) -> impl Iterator<Item = &Link> {
    let first = links.iter().position(|link| link.at.is_some()).unwrap_or(links.len());
    let place = |(index, link): &(usize, &Link)| {
        link.at.map_or((usize::from(*index > first) * 2, None), |at| (1, Some(at)))
    };
    let mut ordered: Vec<_> = links.iter().enumerate().collect();
    ordered.sort_by_key(place);
    ordered.into_iter().map(|(_, link)| link)
}

/// What was tried, and whether it proves the chain.
pub(super) fn proof(group: &Group) -> String {
    let mut out = String::new();
    let verdict = if group.is_confirmed() {
        paint(GOOD, "  Confirmed: run again with one thing changed, it does not happen this way.")
    } else {
        paint(BAD, "  Not confirmed: no change that was tried prevents it.")
    };
    out.push_str(&verdict);
    out.push('\n');
    for trial in &group.trials {
        match &trial.result {
            TrialResult::Confirmed(others) => {
                // The chain is broken; whether that helps is another question.
                match group.spared(trial) {
                    Some(0) => {
                        wrap(&mut out, "    no help  ", &format!("{}: all in another way", trial.remedy));
                    }
                    _ => wrap(&mut out, "    saved    ", &trial.remedy),
                }
                for (links, messages) in others {
                    let messages = count(*messages as u64, "message");
                    let text = format!("{messages} also caused by: {}", links.join("; "));
                    wrap(&mut out, "             ", &text);
                }
            }
            TrialResult::StillThere(messages) => {
                let messages = count(*messages as u64, "message");
                wrap(&mut out, "    no help  ", &format!("{}: still {messages}", trial.remedy));
            }
            TrialResult::Impossible(reason) => {
                let first = reason.lines().next().unwrap_or_default();
                let text = format!("{} cannot be tried: {first}", trial.remedy);
                put!(out, "    {}\n", paint(FAINT, &text));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use crate::lab::explain::Question;
    use crate::lab::fake::FakeScenario;

    #[test]
    fn a_reader_learns_what_happened_and_what_would_have_helped() {
        let source = FakeScenario::new();
        let question = Question { source: &source, variant: None, seed: None, sets: &[], message: None };
        let text = super::explanation(&question.explain().unwrap());
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }
}
