//! One run as one JSON object on one line.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::lab::run::Outcome;
use crate::ledger::expectation::Checked;
use crate::ledger::measure::Measured;
use crate::ledger::{Counts, Latency, ProducerVerdict, SubscriptionVerdict, Tally};
use crate::sim::Span;

/// Counts up when a field changes its meaning.
const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Run<'a> {
    schema: u32,
    scenario: &'a str,
    variant: Option<&'a str>,
    seed: u64,
    digest: String,
    simulated_s: f64,
    events: u64,
    finished: bool,
    messages: Counts,
    producers: BTreeMap<&'a str, Producer>,
    subscriptions: BTreeMap<&'a str, Subscription>,
    measures: Measures,
    expectations: Vec<Claim<'a>>,
    faults: Vec<Fault<'a>>,
    /// Why it establishes nothing; empty: it does.
    void: Vec<String>,
}

#[derive(Serialize)]
struct Producer {
    sent: u64,
    confirmed: u64,
    failed: u64,
    unknown: u64,
    latency_confirm_ms: Percentiles,
    told: Told,
    unavailable_s: Option<f64>,
}

#[derive(Serialize)]
struct Told {
    wrong: u64,
}

#[derive(Serialize)]
struct Subscription {
    addressed: u64,
    fates: Tally,
    latent: u64,
    redelivered: u64,
    reordered: u64,
    stale: u64,
    leftover: u64,
    backlog: Backlog,
    latency_end_to_end_ms: Percentiles,
}

#[derive(Serialize)]
struct Backlog {
    peak: u64,
    end: u64,
    drained_after_s: Option<f64>,
}

#[derive(Serialize)]
struct Percentiles {
    p50: Option<f64>,
    p99: Option<f64>,
    max: Option<f64>,
}

#[derive(Serialize)]
struct Measures {
    throughput_per_s: Option<f64>,
    unavailable_s: Option<f64>,
    inconsistent: u64,
}

#[derive(Serialize)]
struct Claim<'a> {
    expect: &'a str,
    observed: serde_json::Value,
    holds: bool,
}

#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "the contract names the fields")]
struct Fault<'a> {
    fault: &'a str,
    node: &'a str,
    fired_at_s: f64,
}

/// The run as one line, without the end of line.
pub fn run(outcome: &Outcome, checked: &[Checked]) -> String {
    let verdict = &outcome.verdict;
    let named = |producer: &ProducerVerdict| Producer::from(producer);
    let run = Run {
        schema: SCHEMA,
        scenario: &outcome.plan.scenario,
        variant: outcome.plan.variant.as_deref(),
        seed: outcome.seed,
        digest: format!("{:016x}", outcome.digest),
        simulated_s: outcome.ended.as_secs(),
        events: outcome.events,
        finished: outcome.bound.is_none(),
        messages: verdict.messages,
        producers: verdict.producers.iter().map(|one| (one.name.as_str(), named(one))).collect(),
        subscriptions: verdict.counted().map(|one| (one.name.as_str(), one.into())).collect(),
        measures: Measures {
            throughput_per_s: verdict.throughput_per_s,
            unavailable_s: verdict.unavailable.map(Span::as_secs),
            inconsistent: verdict.inconsistent,
        },
        expectations: checked.iter().map(Claim::from).collect(),
        faults: outcome
            .faults
            .iter()
            .map(|fired| Fault { fault: &fired.fault, node: &fired.node, fired_at_s: fired.at.as_secs() })
            .collect(),
        void: outcome.shortfalls(),
    };
    line(&run)
}

/// Any plain data as one line.
pub fn line(data: &impl Serialize) -> String {
    serde_json::to_string(data).expect("reports are plain data with text for keys")
}

impl From<&ProducerVerdict> for Producer {
    fn from(producer: &ProducerVerdict) -> Self {
        let Counts { sent, confirmed, failed, unknown } = producer.messages;
        Self {
            sent,
            confirmed,
            failed,
            unknown,
            latency_confirm_ms: producer.latency_confirm.into(),
            told: Told { wrong: producer.told_wrong },
            unavailable_s: producer.unavailable.map(Span::as_secs),
        }
    }
}

impl From<&SubscriptionVerdict> for Subscription {
    fn from(subscription: &SubscriptionVerdict) -> Self {
        let backlog = subscription.backlog;
        Self {
            addressed: subscription.addressed,
            fates: subscription.fates,
            latent: subscription.latent,
            redelivered: subscription.redelivered,
            reordered: subscription.reordered,
            stale: subscription.stale,
            leftover: subscription.leftover,
            backlog: Backlog {
                peak: backlog.peak,
                end: backlog.end,
                drained_after_s: backlog.drained_after.map(Span::as_secs),
            },
            latency_end_to_end_ms: subscription.latency_end_to_end.into(),
        }
    }
}

impl From<Latency> for Percentiles {
    fn from(latency: Latency) -> Self {
        let [p50, p99, max] = [latency.p50, latency.p99, latency.max].map(|span| span.map(Span::as_millis));
        Self { p50, p99, max }
    }
}

impl<'a> From<&'a Checked> for Claim<'a> {
    fn from(checked: &'a Checked) -> Self {
        let observed = checked.observed.as_ref().map_or(serde_json::Value::Null, Measured::to_json);
        Self { expect: &checked.text, observed, holds: checked.holds }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Source;
    use crate::lab::check::claims;
    use crate::lab::fake::{Fake, FakeScenario, expect};
    use crate::lab::run::Run;
    use crate::scenario::expect::Comparison;

    #[test]
    fn the_object_is_the_contracts() {
        let mut scenario = FakeScenario::new();
        scenario.expectations = vec![expect("lost", Comparison::AtLeast, 1.0)];
        let plan = scenario.plan(None, &[]).unwrap();
        let outcome = Run::new(&Fake, &plan, 42).outcome(&[]);
        let line = run(&outcome, &claims(&outcome, &[]));
        assert!(!line.contains('\n'));
        insta::with_settings!({filters => vec![(r"[0-9a-f]{16}", "DIGEST"), (r"\d+\.\d{3,}", "N")]}, {
            insta::assert_snapshot!(line);
        });
    }
}
