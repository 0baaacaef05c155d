//! Every observation of a run as one JSON object a line, for tools, in the order in which they were made.
//!
//! `{"at_ns":1000000,"node":"broker-1","what":"stored","message":"checkout#3","place":"orders/0","offset":2}`: `what`
//! is the observation, the keys after it are its parts, by the names that reports use. Times are nanoseconds from the
//! start of the run, attempts and a producer's numbers count from 1.

use std::io::{self, Write};

use serde::Serialize;

use crate::broker::{Family, Names};
use crate::fact::{Down, Fact, GivenUp, Observation, Rule, SubscriptionId};
use crate::ledger::Layout;
use crate::scenario::plan::Plan;

#[derive(Serialize)]
struct Line<'a> {
    at_ns: u64,
    node: String,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
enum What<'a> {
    Due { message: String, instance: u16, key: Option<u32> },
    Sent { message: String, attempt: u16 },
    Confirmed { message: String, attempt: u16 },
    Failed { message: String, attempt: u16, error: &'a str },
    Returned { message: String },
    Unanswered { message: String },
    Written { message: String },
    Stored { message: String, place: String, offset: u64 },
    Removed { message: String, place: String, offset: u64, rule: &'a str },
    Delivered { message: String, subscription: &'a str },
    Effect { message: String, subscription: &'a str, stale: bool },
    Recognised { message: String, subscription: &'a str },
    GivenUp { message: String, subscription: &'a str, how: &'a str },
    Acknowledged { message: String, subscription: &'a str },
    LeaderElected { place: String, leader: Option<String>, epoch: u32, clean: bool },
    DetectedDown { by: Option<String> },
    Fault { fault: &'a str },
    FaultEnded { fault: &'a str },
    NodeDown { how: &'a str },
    NodeUp,
    Subscribed { subscription: &'a str },
    Family { text: Option<String> },
}

/// Writes the observations of a run.
pub struct Tracer<'a> {
    /// What ran.
    pub plan: &'a Plan,
    /// Its family.
    pub family: &'a dyn Family,
    /// The run's names.
    pub names: &'a dyn Names,
    /// Who sends and receives.
    pub layout: &'a Layout,
}

impl Tracer<'_> {
    /// Writes a slice of observations.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn write(&self, observations: &[Observation], out: &mut dyn Write) -> io::Result<()> {
        for observation in observations {
            let line = Line {
                at_ns: observation.at.0,
                node: self.names.node(observation.node),
                what: self.what(&observation.fact),
            };
            serde_json::to_writer(&mut *out, &line)?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }

    fn what(&self, fact: &Fact) -> What<'_> {
        let message = |id| self.names.message(id);
        let place = |id| self.names.place(id);
        match *fact {
            Fact::Due { message: id, instance, key, .. } => What::Due { message: message(id), instance, key },
            Fact::Sent { message: id, attempt } => What::Sent { message: message(id), attempt },
            Fact::Confirmed { message: id, attempt } => What::Confirmed { message: message(id), attempt },
            Fact::Failed { message: id, attempt, error } => {
                What::Failed { message: message(id), attempt, error: self.family.error_name(error) }
            }
            Fact::Returned { message: id } => What::Returned { message: message(id) },
            Fact::Unanswered { message: id } => What::Unanswered { message: message(id) },
            Fact::Written { message: id } => What::Written { message: message(id) },
            Fact::Stored { message: id, place: of, offset } => {
                What::Stored { message: message(id), place: place(of), offset }
            }
            Fact::Removed { message: id, place: of, offset, rule } => {
                What::Removed { message: message(id), place: place(of), offset, rule: rule_name(rule) }
            }
            Fact::Delivered { message: id, subscription, .. } => {
                What::Delivered { message: message(id), subscription: self.subscription(subscription) }
            }
            Fact::Effect { message: id, subscription, stale } => {
                What::Effect { message: message(id), subscription: self.subscription(subscription), stale }
            }
            Fact::Recognised { message: id, subscription } => {
                What::Recognised { message: message(id), subscription: self.subscription(subscription) }
            }
            Fact::GivenUp { message: id, subscription, how } => {
                let subscription = self.subscription(subscription);
                What::GivenUp { message: message(id), subscription, how: how_given_up(how) }
            }
            Fact::Acknowledged { message: id, subscription } => {
                What::Acknowledged { message: message(id), subscription: self.subscription(subscription) }
            }
            Fact::LeaderElected { place: of, leader, epoch, is_clean } => {
                let leader = leader.map(|node| self.names.node(node));
                What::LeaderElected { place: place(of), leader, epoch, clean: is_clean }
            }
            Fact::DetectedDown { by } => What::DetectedDown { by: by.map(|by| self.names.node(by)) },
            Fact::Fault { fault } => What::Fault { fault: self.fault(fault) },
            Fact::FaultEnded { fault } => What::FaultEnded { fault: self.fault(fault) },
            Fact::NodeDown { how } => What::NodeDown { how: how_down(how) },
            Fact::NodeUp => What::NodeUp,
            Fact::Subscribed { subscription } => {
                What::Subscribed { subscription: self.subscription(subscription) }
            }
            Fact::Family(told) => What::Family { text: self.family.tell(&told, self.names) },
        }
    }

    fn subscription(&self, id: SubscriptionId) -> &str {
        self.layout.subscription_name(id)
    }

    fn fault(&self, fault: u16) -> &str {
        self.plan.faults.get(fault as usize).map_or("", |fault| &fault.name)
    }
}

fn rule_name(rule: Rule) -> &'static str {
    match rule {
        Rule::Truncated => "truncated",
        Rule::PowerLost => "power_lost",
        Rule::DiskLost => "disk_lost",
        Rule::Torn => "torn",
        Rule::Unwritten => "unwritten",
        Rule::Transient => "transient",
        Rule::Replaced => "replaced",
        Rule::Retention => "retention",
        Rule::Deleted => "deleted",
        Rule::Crashed => "crashed",
    }
}

fn how_given_up(how: GivenUp) -> &'static str {
    match how {
        GivenUp::Discarded => "discarded",
        GivenUp::DeadLettered => "dead_lettered",
        GivenUp::Expired => "expired",
        GivenUp::Overflowed => "overflowed",
        GivenUp::Unroutable => "unroutable",
    }
}

fn how_down(how: Down) -> &'static str {
    match how {
        Down::Killed => "killed",
        Down::PowerLost => "power_lost",
        Down::Stopped => "stopped",
        Down::Overrun => "overrun",
        Down::GaveUp => "gave_up",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::Details;
    use crate::lab::Source;
    use crate::lab::fake::{Fake, FakeScenario};
    use crate::lab::run::Run;

    #[test]
    fn a_trace_has_a_line_for_each_observation_and_the_names_of_reports() {
        let plan = FakeScenario::new().plan(Some("acks=1"), &[]).unwrap();
        let run = Run::new(&Fake, &plan, 42);
        let ended = run.drive(Details::Off, &mut |_| {});
        let tracer = Tracer { plan: &plan, family: &Fake, names: &ended, layout: ended.ledger.layout() };
        let (mut out, mut observations) = (Vec::new(), 0);
        run.drive(Details::On, &mut |slice| {
            observations += slice.len();
            tracer.write(slice, &mut out).unwrap();
        });
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), observations);
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!((&first["what"], &first["message"]), (&"due".into(), &"checkout#1".into()), "{first}");
        assert!(text.contains(r#""what":"fault","fault":"leader-dies""#), "{text}");
    }
}
