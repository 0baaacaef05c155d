//! The report of one run, as a teacher would give it: the question, what was done, what came of it, why, and what to
//! try next.

use super::explain;
use super::paint::{BAD, FAINT, GOOD, HEAD, count, head, paint, put, wrap};
use crate::broker::family;
use crate::lab::explain::Explanation;
use crate::lab::run::Outcome;
use crate::lab::{About, replay};
use crate::ledger::expectation::Checked;
use crate::ledger::{Fate, Latency, SubscriptionVerdict};
use crate::scenario::measure;
use crate::scenario::plan::{AUDIT, Plan};
use crate::sim::Span;

/// What a report is made of.
pub struct Lesson<'a> {
    /// What the scenario says about itself.
    pub about: &'a About,
    /// All its variants.
    pub variants: &'a [String],
    /// The run and the worst of its causes.
    pub explanation: &'a Explanation,
    /// Its claims.
    pub checked: &'a [Checked],
    /// The lines that were laid over it.
    pub sets: &'a [String],
    /// The run in sentences, if it is to be told.
    pub narration: Option<&'a str>,
}

impl Lesson<'_> {
    /// The whole report.
    pub fn text(&self) -> String {
        let outcome = &self.explanation.outcome;
        let mut out = self.opening(outcome);
        missed(&mut out, outcome);
        told(&mut out, outcome);
        became(&mut out, outcome);
        self.why(&mut out);
        self.claimed(&mut out);
        if !self.about.lesson.is_empty() {
            head(&mut out, "What to take away");
            wrap(&mut out, "  ", &self.about.lesson);
        }
        self.next(&mut out, outcome);
        out
    }

    fn opening(&self, outcome: &Outcome) -> String {
        let about = self.about;
        let mut out = paint(HEAD, &about.title) + "\n";
        let variant = outcome.plan.variant.as_deref().unwrap_or("no variants");
        let line = format!("{}, {variant}, seed {}", about.name, outcome.seed);
        out.push_str(&paint(FAINT, &line));
        out.push('\n');
        if !about.question.is_empty() {
            out.push('\n');
            wrap(&mut out, "  ", &about.question);
        }
        if self.narration.is_none() || !about.story.is_empty() || !self.sets.is_empty() {
            head(&mut out, "What was done");
        }
        if !about.story.is_empty() {
            wrap(&mut out, "  ", &about.story);
        }
        for line in self.sets {
            wrap(&mut out, "  changed: ", line);
        }
        let faults = if self.narration.is_some() { &[] } else { &outcome.faults[..] };
        for fired in faults {
            wrap(
                &mut out,
                &format!("  {:>10}  ", fired.at.to_string()),
                &format!("{} hits {}", fired.fault, fired.node),
            );
        }
        let events = count(outcome.events, "event");
        let end = match &outcome.bound {
            Some(bound) => format!("stopped by the bound of {bound}"),
            None => "ended".to_owned(),
        };
        if let Some(narration) = self.narration {
            head(&mut out, "What happened");
            out.push_str(narration);
        }
        put!(out, "  {:>10}  {end} after {events}\n", outcome.ended.to_string());
        out
    }

    fn why(&self, out: &mut String) {
        for group in &self.explanation.groups {
            explain::heading(out, "Why: ", group);
            out.push_str(&explain::chain(group));
            out.push_str(&explain::proof(group));
        }
        let others = self.explanation.others;
        if others > 0 {
            let ways = if others == 1 { "way" } else { "ways" };
            let outcome = &self.explanation.outcome;
            let (name, variant) = (&self.about.name, outcome.plan.variant.as_deref());
            let command = replay::command("explain", name, variant, Some(outcome.seed), self.sets);
            out.push('\n');
            wrap(out, "  ", &format!("Other messages came to harm in {others} other {ways}; all of them:"));
            put!(out, "    {command}\n");
        }
    }

    fn claimed(&self, out: &mut String) {
        let over = self.explanation.outcome.plan.over_seeds.iter().flat_map(|over| &over.shares);
        let shares: Vec<_> = over.collect();
        if self.checked.is_empty() && shares.is_empty() {
            return;
        }
        head(out, "What the scenario claims");
        for checked in self.checked {
            out.push_str(&claim(checked));
        }
        for share in shares {
            let judge = replay::command("check", &self.about.name, None, None, &[]);
            put!(out, "  {}   {}  (judged by {judge})\n", paint(FAINT, "open"), share.text);
        }
    }

    fn next(&self, out: &mut String, outcome: &Outcome) {
        let mut lines = String::new();
        let name = &self.about.name;
        let this = outcome.plan.variant.as_deref();
        for variant in self.variants.iter().filter(|variant| Some(variant.as_str()) != this) {
            put!(lines, "  {}\n", replay::command("run", name, Some(variant), None, &[]));
        }
        if let Some(line) = &self.about.decisive {
            let sets = std::slice::from_ref(line);
            put!(lines, "  {}\n", replay::command("run", name, this, None, sets));
        }
        if !self.explanation.groups.is_empty() {
            let seed = Some(outcome.seed);
            put!(lines, "  {}\n", replay::command("explain", name, this, seed, self.sets));
        }
        if self.variants.len() > 1 {
            put!(lines, "  {}\n", replay::command("matrix", name, None, None, &[]));
        }
        if !lines.is_empty() {
            head(out, "What to try next");
            out.push_str(&lines);
        }
    }
}

/// One claim and what was observed.
pub(super) fn claim(checked: &Checked) -> String {
    let mark = if checked.holds { paint(GOOD, "holds") } else { paint(BAD, "FAILS") };
    let observed = checked.observed.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
    let against = checked.against.map_or_else(String::new, |value| format!(", against {value}"));
    format!("  {mark}  {}  (observed {observed}{against})\n", checked.text)
}

/// What was to happen and did not: what the report says below may then say little.
fn missed(out: &mut String, outcome: &Outcome) {
    let reasons = outcome.shortfalls();
    if reasons.is_empty() {
        return;
    }
    head(out, "What did not happen");
    for reason in reasons {
        let mut lines = String::new();
        wrap(&mut lines, "  ", &reason);
        for line in lines.lines() {
            put!(out, "{}\n", paint(BAD, line));
        }
    }
}

fn told(out: &mut String, outcome: &Outcome) {
    head(out, "What the senders were told");
    let width = width(outcome.verdict.producers.iter().map(|producer| producer.name.as_str()));
    put!(
        out,
        "  {:width$} {:>9} {:>9} {:>8} {:>8} {:>9} {:>11}\n",
        "",
        "sent",
        "confirmed",
        "failed",
        "unknown",
        "p99",
        "unavailable"
    );
    for producer in &outcome.verdict.producers {
        let messages = producer.messages;
        put!(
            out,
            "  {:width$} {:>9} {:>9} {:>8} {:>8} {:>9} {:>11}\n",
            producer.name,
            messages.sent,
            messages.confirmed,
            messages.failed,
            messages.unknown,
            time(producer.latency_confirm.p99),
            time(producer.unavailable)
        );
    }
    for (producer, plan) in outcome.verdict.producers.iter().zip(&outcome.plan.producers) {
        let all = plan.messages.map_or(0, u64::from);
        let early = all.saturating_sub(producer.messages.sent);
        if early > 0 && outcome.bound.is_none() {
            let (name, window) = (&producer.name, outcome.plan.run_for);
            let text =
                format!("{early} of the {all} messages of {name} never fell due in {window} (`run_for`).");
            wrap(out, "  ", &text);
        }
    }
}

fn became(out: &mut String, outcome: &Outcome) {
    for subscription in outcome.verdict.counted() {
        let addressed = count(subscription.addressed, "message");
        head(out, &format!("What became of {addressed} for {}", readers(&outcome.plan, &subscription.name)));
        if subscription.name == AUDIT {
            let text = "Nobody consumes in this scenario. So an audit reads at the end what can still be \
                        read: what it finds counts as processed.";
            wrap(out, "  ", text);
        }
        for fate in Fate::ALL {
            let n = subscription.fates.of(fate);
            if n > 0 {
                let style = if fate == Fate::Processed { GOOD } else { BAD };
                let name = paint(style, &format!("{:<13}", fate.name()));
                put!(out, "  {n:>9}  {name} {}\n", fate.meaning());
            }
        }
        besides(out, subscription);
        store(out, subscription);
    }
}

/// Everybody who takes from what the subscription is, which is named after the first of them.
fn readers(plan: &Plan, name: &str) -> String {
    let first = plan.consumers.iter().position(|one| one.name == name);
    let (Some(first), Some(family)) = (first, family(plan.family)) else { return name.to_owned() };
    let all = plan.consumers.iter().enumerate();
    let sharing = all.filter(|(number, _)| family.shares(plan, *number) == first);
    sharing.map(|(_, one)| one.name.as_str()).collect::<Vec<_>>().join(" and ")
}

fn besides(out: &mut String, subscription: &SubscriptionVerdict) {
    let counts = [
        ("latent", subscription.latent),
        ("redelivered", subscription.redelivered),
        ("reordered", subscription.reordered),
        ("stale", subscription.stale),
        ("leftover", subscription.leftover),
    ];
    let seen: Vec<_> = counts.iter().filter(|(_, n)| *n > 0).collect();
    if !seen.is_empty() {
        out.push_str("  Besides:\n");
    }
    for (name, n) in seen {
        let meaning = measure::find(name).map_or("", |measure| measure.meaning);
        put!(out, "  {n:>9}  {name:<13} {}\n", lower_first(meaning.trim_end_matches('.')));
    }
    let Latency { p50, p99, max } = subscription.latency_end_to_end;
    if p50.is_some() {
        let text = format!("half within {}, 99 % within {}, all within {}", time(p50), time(p99), time(max));
        wrap(out, "  From due to done: ", &text);
    }
}

/// As a part of a line: `first effects that overtook an older message's`.
fn lower_first(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn store(out: &mut String, subscription: &SubscriptionVerdict) {
    let store = subscription.store;
    let verdict = match store.actual.cmp(&store.expected) {
        std::cmp::Ordering::Less => paint(BAD, &format!("{} too few", store.expected - store.actual)),
        std::cmp::Ordering::Equal => paint(GOOD, "as it should"),
        std::cmp::Ordering::Greater => paint(BAD, &format!("{} too many", store.actual - store.expected)),
    };
    put!(out, "  The store should hold {} and holds {}: {verdict}\n", store.expected, store.actual);
}

fn time(span: Option<Span>) -> String {
    span.map_or_else(|| "-".to_owned(), |span| span.to_string())
}

fn width<'a>(names: impl Iterator<Item = &'a str>) -> usize {
    names.map(|name| name.chars().count()).max().unwrap_or(0).max(8)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Source;
    use crate::lab::check::claims;
    use crate::lab::explain::Question;
    use crate::lab::fake::{FakeScenario, expect};
    use crate::scenario::expect::Comparison;

    #[test]
    fn the_report_of_a_run_fits_a_terminal() {
        let mut source = FakeScenario::new();
        source.expectations =
            vec![expect("lost", Comparison::AtLeast, 1.0), expect("duplicated", Comparison::AtLeast, 1.0)];
        let question = Question { source: &source, variant: None, seed: None, sets: &[], message: None };
        let explanation = question.run().unwrap();
        let checked = claims(&explanation.outcome, &[]);
        let variants = source.variants();
        let lesson = Lesson {
            about: source.about(),
            variants: &variants,
            explanation: &explanation,
            checked: &checked,
            sets: &[],
            narration: None,
        };
        let text = anstream::adapter::strip_str(&lesson.text()).to_string();
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        insta::assert_snapshot!(text);
    }
}
