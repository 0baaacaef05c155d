//! `[[step]]`: a script, one thing after another; and the overlay's view of it, a table by the steps' names.

use crate::scenario::expect::{Operand, Test};
use crate::scenario::plan::{Action, FaultPlan, MESSAGES_MAX, Plan, ProducerPlan, StepPlan, WhichMessages};
use crate::sim::Span;

use super::diagnostic::{Diagnostic, Spot};
use super::keys::{FAULT, STEP, VERBS};
use super::overlay::leaves;
use super::reader::{Reader, listed, shown, suggest};
use super::target::Cast;
use super::tree::{Entry, Node, Table};
use super::{claims, faults, moments, names, workload};

/// Steps at most.
const STEPS_MAX: usize = 1_000;
/// Messages of one step at most.
const COUNT_MAX: i64 = 20_000_000;

/// What a step does besides the verbs of faults.
const ACTIONS: &[&str] = &["send", "get", "ack", "nack", "reject", "commit", "close", "start", "expect"];

/// Keys of faults that a step says in its own words, and how.
const OTHERWISE: &[(&str, &str)] = &[
    ("when", "a step waits with `wait_until = { … }`"),
    ("after", "a step waits with `wait = \"5s\"`"),
    ("every", "write the step again"),
    ("times", "write the step again"),
    ("optional", "a step that is left out happens or not: there is nothing to wait for"),
];

/// Turns the list of steps into a table by their names, in the order of the list.
pub(super) fn named(file: &mut Table, diagnostics: &mut Vec<Diagnostic>) {
    let Some(entry) = file.entries.get_mut("step") else { return };
    let Node::List(list) = &entry.node else {
        let message = "wrong type for `step`";
        diagnostics.push(Diagnostic::at(entry.key, message, "expected a list of tables: `[[step]]`"));
        entry.node = Node::Table(Table::default());
        return;
    };
    let mut table = Table::default();
    for (number, (at, node)) in list.iter().enumerate() {
        let Node::Table(step) = node else {
            let label = format!("expected a table, found {}", node.what());
            diagnostics.push(Diagnostic::at(*at, "wrong element of `step`", label));
            continue;
        };
        let name = match step.get("name").map(|entry| (entry.at, &entry.node)) {
            Some((_, Node::Text(name))) => name.clone(),
            _ => format!("step {}", number + 1),
        };
        if let Some(first) = table.get(&name) {
            let message = format!("two steps are called `{}`", shown(&name));
            diagnostics.push(Diagnostic::at(*at, message, "another").and(first.key, "one"));
            continue;
        }
        table.entries.insert(name, Entry { key: *at, at: *at, node: node.clone() });
    }
    entry.node = Node::Table(table);
}

/// The script of a file, and the faults that are steps of it, which follow the plan's other faults.
pub(super) fn read(reader: &mut Reader, file: &Table, plan: &Plan) -> (Vec<StepPlan>, Vec<FaultPlan>) {
    let (mut steps, mut acts) = (Vec::new(), Vec::new());
    let Some(table) = reader.table(file, "step") else { return (steps, acts) };
    let cast = faults::cast(file, plan);
    for (name, entry) in table.in_order() {
        let Node::Table(table) = &entry.node else {
            reader.wrong(entry, name, "expected a table");
            continue;
        };
        if steps.len() == STEPS_MAX {
            reader.report(Diagnostic::at(entry.key, "too many steps", format!("the limit is {STEPS_MAX}")));
            break;
        }
        let step = Step { name, entry, table, cast: &cast };
        let next = plan.faults.len() + acts.len();
        steps.push(step.read(reader, next, &mut acts));
    }
    (steps, acts)
}

/// Reads what steps claim, when all faults are known; then who waits for a step that never comes.
pub(super) fn finish(reader: &mut Reader, file: &Table, plan: &mut Plan) {
    let tables = file.table("step");
    for at in 0..plan.steps.len() {
        let table = tables.and_then(|tables| tables.table(&plan.steps[at].name));
        let Some(claimed) = table.and_then(|table| table.table("expect")) else { continue };
        let all = claims::read(reader, &leaves(claimed), plan, &|_| Some(None));
        for claim in &all {
            if let Test::Compare(_, Operand::Path { variant: Some(_), .. }) = &claim.test
                && let Some(entry) = table.and_then(|table| table.get("expect"))
            {
                let message = "a step cannot claim anything of another variant's run";
                let help = "claim it of the end, in `[expect]`";
                reader.report(Diagnostic::at(entry.at, message, "read at this instant").help(help));
            }
        }
        plan.steps[at].action = Some(Action::Expect(all));
    }
    check_exact(reader, file, plan);
    let sends = plan.steps.iter().filter_map(|step| match &step.action {
        Some(Action::Send { count, .. }) => Some(u64::from(*count)),
        _ => None,
    });
    let told: u64 = plan.producers.iter().map(|one| workload::messages(one, plan.run_for)).sum();
    let is_much = told <= u64::from(MESSAGES_MAX) && told + sends.sum::<u64>() > u64::from(MESSAGES_MAX);
    if let (true, Some(entry)) = (is_much, file.get("step")) {
        let label = format!("the limit is {MESSAGES_MAX}");
        reader.report_relation(Diagnostic::at(entry.key, "too many messages in total", label));
    }
    for producer in plan.producers.iter().filter(|producer| producer.phases.is_empty()) {
        let is_used = plan.steps.iter().any(|step| match &step.action {
            Some(Action::Send { by, .. }) => is_of(by, &producer.name),
            _ => false,
        });
        if let (false, Some(entry)) =
            (is_used, file.table("producer").and_then(|all| all.get(&producer.name)))
        {
            let message = format!("producer `{}` never sends", shown(&producer.name));
            let help = format!(
                "`rate = \"1000/s\"` or `messages = 1000`; or a step: `send = 10, by = \"{}\"`",
                shown(&producer.name)
            );
            reader.report_relation(
                Diagnostic::at(entry.key, message, "neither `rate` nor `messages`").help(help),
            );
        }
    }
}

/// Whether a step of the file makes this producer send.
pub(super) fn sends(file: &Table, producer: &str) -> bool {
    let steps = file.table("step").into_iter().flat_map(|steps| steps.entries.values());
    let mut tables =
        steps.filter_map(|entry| if let Node::Table(table) = &entry.node { Some(table) } else { None });
    tables.any(|table| match table.get("by").map(|by| &by.node) {
        Some(Node::Text(by)) => table.get("send").is_some() && is_of(by, producer),
        _ => false,
    })
}

/// Steps send no more than what is written one by one; instances would take turns with it.
fn check_exact(reader: &mut Reader, file: &Table, plan: &Plan) {
    let is_told = |producer: &&ProducerPlan| producer.phases.is_empty() && !producer.exact.is_empty();
    for producer in plan.producers.iter().filter(is_told) {
        let told = plan.steps.iter().filter_map(|step| match &step.action {
            Some(Action::Send { count, by, .. }) if is_of(by, &producer.name) => Some(u64::from(*count)),
            _ => None,
        });
        let (told, written) = (told.sum::<u64>(), u64::from(producer.messages.unwrap_or(0)));
        let table = file.table("producer").and_then(|all| all.table(&producer.name));
        let Some(entry) = table.and_then(|table| table.get("message")) else { continue };
        let name = shown(&producer.name);
        if told > written {
            let message = format!("steps send {told} messages of `{name}`");
            reader.report_relation(Diagnostic::at(entry.key, message, format!("{written} are written")));
        }
        if producer.instances > 1 {
            let message = format!("`{name}` has {} instances and messages for steps", producer.instances);
            let help = "one instance, or a `rate`";
            reader.report_relation(Diagnostic::at(entry.key, message, "whose are they?").help(help));
        }
    }
}

/// Whether a name means this client or one of its instances.
fn is_of(name: &str, client: &str) -> bool {
    name.strip_prefix(client).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// One step's table.
struct Step<'t> {
    name: &'t str,
    entry: &'t Entry,
    table: &'t Table,
    cast: &'t Cast<'t>,
}

impl Step<'_> {
    fn read(&self, reader: &mut Reader, next: usize, acts: &mut Vec<FaultPlan>) -> StepPlan {
        let otherwise: Vec<_> = OTHERWISE.iter().map(|(key, _)| *key).collect();
        reader.check_keys(self.table, &[&STEP, &FAULT, &VERBS], &otherwise);
        if let (Some(written), Some(_)) = (self.table.get("name"), reader.text(self.table, "name")) {
            names::check(reader, "step", self.name, written.at);
        }
        for (key, help) in OTHERWISE {
            if let Some(entry) = self.table.get(key) {
                let message = format!("a step has no key `{key}`");
                reader.report(Diagnostic::at(entry.key, message, "belongs to `[fault.NAME]`").help(*help));
            }
        }
        let at = reader.duration(self.table, "at");
        if let (Some(time), Some(entry)) = (at, self.table.get("at"))
            && time > self.cast.plan.run_for + self.cast.plan.drain_for
        {
            let message = format!("step `{}` comes after the run", shown(self.name));
            let label = format!("`run_for` is {}", self.cast.plan.run_for);
            reader.report_relation(Diagnostic::at(entry.at, message, label));
        }
        let wait_until = moments::condition(reader, self.cast, self.table, "wait_until");
        let (wait, is_awaited) = self.wait(reader);
        let action = self.action(reader, next, acts, is_awaited);
        if let (Some(Action::Send { .. } | Action::Fault(_)), Some(time), Some(entry)) =
            (&action, at, self.table.get("at"))
            && time > self.cast.plan.run_for
        {
            let message = format!("step `{}` acts after the run", shown(self.name));
            let label = format!("`run_for` is {}", self.cast.plan.run_for);
            reader.report_relation(Diagnostic::at(entry.at, message, label));
        }
        if let Some(action) = &action
            && let Err(why) = reader.family.check_action(self.cast.plan, action)
        {
            let message = format!("step `{}` cannot do that", shown(self.name));
            reader.report(Diagnostic::at(self.entry.key, message, why));
        }
        StepPlan { name: self.name.to_owned(), at, wait, wait_until, action }
    }

    /// `wait = "5s"`; or `wait = false`, which makes `send` not wait for answers.
    fn wait(&self, reader: &mut Reader) -> (Span, bool) {
        match self.table.get("wait").map(|entry| (entry, &entry.node)) {
            None => (Span::ZERO, true),
            Some((_, Node::Bool(false))) if self.table.get("send").is_some() => (Span::ZERO, false),
            Some((entry, Node::Bool(_))) => {
                let label = "expected a time such as `5s`; `false` belongs to `send`";
                reader.report(Diagnostic::at(entry.at, "wrong value for `wait`", label));
                (Span::ZERO, true)
            }
            Some(_) => (reader.duration(self.table, "wait").unwrap_or(Span::ZERO), true),
        }
    }

    /// The one thing that it does.
    fn action(
        &self,
        reader: &mut Reader,
        next: usize,
        acts: &mut Vec<FaultPlan>,
        is_awaited: bool,
    ) -> Option<Action> {
        let verbs = VERBS.keys.iter().map(|key| key.name).filter(|verb| !ACTIONS.contains(verb));
        let found: Vec<(&'static str, Spot)> = ACTIONS
            .iter()
            .copied()
            .chain(verbs)
            .filter_map(|verb| Some((verb, self.table.get(verb)?.key)))
            .collect();
        let Some(&(verb, spot)) = found.first() else {
            let waits = ["at", "wait", "wait_until"].iter().any(|key| self.table.get(key).is_some());
            let unknown = |key: &String| [&STEP, &FAULT, &VERBS].iter().all(|keys| keys.find(key).is_none());
            if !waits && !self.table.entries.keys().any(unknown) {
                let message = format!("step `{}` does nothing", shown(self.name));
                let help = "`send = 10, by = \"shop\"`, any verb of a fault, or `wait = \"5s\"`";
                reader.report_relation(Diagnostic::at(self.entry.key, message, "no verb").help(help));
            }
            return None;
        };
        if let Some(&(_, other)) = found.get(1) {
            let message = format!("step `{}` does two things", shown(self.name));
            let help = "write two steps";
            reader.report(Diagnostic::at(spot, message, "one").and(other, "another").help(help));
            return None;
        }
        let is_client = matches!(self.table.get(verb).map(|entry| &entry.node), Some(Node::Bool(true)));
        if !ACTIONS.contains(&verb) || verb == "start" && !is_client {
            if let Some(entry) = self.table.get("requeue") {
                reader.report(Diagnostic::at(
                    entry.key,
                    "`requeue` belongs to `nack` and `reject`",
                    "not here",
                ));
            }
            let fault = faults::of_step(reader, self.cast, self.name, self.entry, self.table, verb)?;
            acts.push(fault);
            return Some(Action::Fault(next as u16));
        }
        self.client_action(reader, verb, is_awaited)
    }

    fn client_action(&self, reader: &mut Reader, verb: &str, is_awaited: bool) -> Option<Action> {
        let allowed: &[&str] = match verb {
            "expect" => &[],
            "nack" | "reject" => &["by", "requeue"],
            _ => &["by"],
        };
        let own = ["name", "at", "wait", "wait_until", verb];
        for (key, entry) in self.table.in_order() {
            let is_known = FAULT.find(key).is_some() || STEP.find(key).is_some();
            let is_otherwise = OTHERWISE.iter().any(|(other, _)| *other == key);
            if is_known && !is_otherwise && !own.contains(&key) && !allowed.contains(&key) {
                let message = format!("`{key}` does not belong to `{verb}`");
                reader.report(Diagnostic::at(entry.key, message, "not here"));
            }
        }
        if verb == "expect" {
            reader.table(self.table, "expect")?;
            // Read when all faults are known.
            return Some(Action::Expect(Vec::new()));
        }
        let by = self.by(reader, verb);
        let nobody = String::new();
        let mut action = match verb {
            "send" => {
                let count = reader.int(self.table, "send", 1, COUNT_MAX)? as u32;
                Action::Send { count, by: nobody, is_awaited }
            }
            "get" => {
                let is_all = matches!(self.table.get(verb)?.node, Node::Text(ref text) if text == "all");
                let count =
                    if is_all { None } else { Some(reader.int(self.table, verb, 1, COUNT_MAX)? as u32) };
                Action::Get { count, by: nobody }
            }
            "ack" => Action::Ack { which: self.which(reader, verb)?, by: nobody },
            "commit" | "close" | "start" => {
                self.only_true(reader, verb)?;
                match verb {
                    "commit" => Action::Commit { by: nobody },
                    "close" => Action::Close { by: nobody },
                    _ => Action::Start { by: nobody },
                }
            }
            _ => Action::GiveBack {
                is_requeued: reader.flag(self.table, "requeue").unwrap_or(true),
                which: self.which(reader, verb)?,
                by: nobody,
                is_reject: verb == "reject",
            },
        };
        *action.by_mut()? = by?;
        Some(action)
    }

    fn only_true(&self, reader: &mut Reader, verb: &str) -> Option<()> {
        let is_true = reader.flag(self.table, verb)?;
        if !is_true && let Some(entry) = self.table.get(verb) {
            let help = "`NAME = false` under `step` removes a named step in a variant";
            let message = format!("wrong value for `{verb}`");
            reader.report(Diagnostic::at(entry.at, message, "expected `true`").help(help));
        }
        is_true.then_some(())
    }

    /// `ack = [3, 4]`, `ack = 3` or `ack = "all"`.
    fn which(&self, reader: &mut Reader, verb: &str) -> Option<WhichMessages> {
        reader.parsed(self.table, verb, |node| {
            let expected = || "expected numbers of messages such as `[3, 4]`, or `all`".to_owned();
            let number = |node: &Node| match node {
                Node::Int(number) => u32::try_from(*number).ok().filter(|&number| number > 0),
                _ => None,
            };
            match node {
                Node::Text(text) if text == "all" => Ok(WhichMessages::All),
                Node::Int(_) => {
                    number(node).map(|one| WhichMessages::Numbers(vec![one])).ok_or_else(expected)
                }
                Node::List(list) if !list.is_empty() => {
                    let all: Option<Vec<u32>> = list.iter().map(|(_, node)| number(node)).collect();
                    all.map(WhichMessages::Numbers).ok_or_else(expected)
                }
                _ => Err(expected()),
            }
        })
    }

    /// Who does it; left out when only one could.
    fn by(&self, reader: &mut Reader, verb: &str) -> Option<String> {
        let plan = self.cast.plan;
        let senders = plan.producers.iter().filter(|one| one.phases.is_empty()).map(|one| one.name.as_str());
        let by_hand = plan.consumers.iter().filter(|one| one.is_by_hand).map(|one| one.name.as_str());
        let able: Vec<&str> = match verb {
            "send" => senders.collect(),
            "close" | "start" => self.cast.clients().map(|(name, _)| name).collect(),
            _ => by_hand.collect(),
        };
        let what = match verb {
            "send" => "a producer without `rate` and `messages`",
            "close" | "start" => "a producer or a consumer",
            _ => "a consumer with `by_hand = true`",
        };
        let Some(entry) = self.table.get("by") else {
            if let [one] = able[..] {
                return Some(one.to_owned());
            }
            let names: Vec<String> = able.iter().map(|name| format!("`{}`", shown(name))).collect();
            let label = if names.is_empty() {
                format!("there is no {}", what.trim_start_matches("a "))
            } else {
                format!("`by` is missing: {}", listed(&names))
            };
            let message = format!("step `{}` does not say who", shown(self.name));
            reader.report_relation(Diagnostic::at(self.entry.key, message, label));
            return None;
        };
        let name = reader.text(self.table, "by")?.to_owned();
        let is_able = able.iter().any(|one| is_of(&name, one));
        let is_there = self.cast.is_node(reader, &name) || self.cast.clients().any(|(one, _)| one == name);
        if is_able && is_there {
            return Some(name);
        }
        let message = if is_there {
            format!("`{}` cannot `{verb}` by a step", shown(&name))
        } else {
            format!("`{}` is nobody in this scenario", shown(&name))
        };
        let diagnostic = Diagnostic::at(entry.at, message, format!("expected {what}"));
        let diagnostic = if is_there { diagnostic } else { suggest(diagnostic, &name, able.iter().copied()) };
        reader.report_relation(diagnostic);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;
    use crate::scenario::plan::{Condition, Moment, Trigger, Verb};

    const SCRIPT: &str = "family = 'kafka'\nversion = '2.8'\n[topic.orders]\n[producer.shop]\n\
                          send_to = 'orders'\n\
                          [consumer.billing]\nread_from = 'orders'\nby_hand = true\n\
                          [fault.later]\nat = '9s'\nkill = 'broker-1'\n\
                          [[step]]\nsend = 10\nwait = false\n\
                          [[step]]\nname = 'take'\nat = '5s'\nwait = '1s'\nget = 'all'\n\
                          [[step]]\nname = 'kill'\nwait_until = { observed = 'confirmed', nth = 3 }\n\
                          kill = 'leader of orders/0'\nrestart_after = '2s'\n\
                          [[step]]\nexpect = { confirmed = 10 }\n\
                          [variant.as-it-is]\n\
                          [variant.none-taken]\nstep.take = false\n\
                          [variant.stopped]\nstep.kill = { kill = 'controller' }\n\
                          [variant.another]\nstep = [{ send = 1 }]\n";

    fn plan(variant: &str) -> Plan {
        let scenario = Scenario::read("shop", "shop.toml", SCRIPT.as_bytes()).expect("no mistakes");
        scenario.plan(Some(variant), &[]).expect("no mistakes")
    }

    fn names(plan: &Plan) -> Vec<&str> {
        plan.steps.iter().map(|step| step.name.as_str()).collect()
    }

    #[test]
    fn steps_become_a_plan() {
        let plan = plan("as-it-is");
        assert_eq!(names(&plan), ["step 1", "take", "kill", "step 4"]);
        let (shop, billing) = ("shop".to_owned(), "billing".to_owned());
        assert_eq!(plan.steps[0].action, Some(Action::Send { count: 10, by: shop, is_awaited: false }));
        assert_eq!(plan.steps[1].action, Some(Action::Get { count: None, by: billing }));
        assert_eq!((plan.steps[1].at, plan.steps[1].wait), (Some(Span::from_secs(5)), Span::from_secs(1)));
        let moment = Condition::Observed { moment: Moment::Confirmed, by: None, nth: 3 };
        assert_eq!(plan.steps[2].wait_until, Some(moment));
        assert_eq!(plan.steps[2].action, Some(Action::Fault(1)), "after the faults of the file");
        let fault = &plan.faults[1];
        assert_eq!((fault.name.as_str(), &fault.trigger), ("kill", &Trigger::Step));
        assert!(matches!(fault.verb, Verb::Kill(_)) && fault.ends_after == Some(Span::from_secs(2)));
        assert!(matches!(&plan.steps[3].action, Some(Action::Expect(claims)) if claims.len() == 1));
    }

    #[test]
    fn variants_change_named_steps_or_the_whole_script() {
        assert_eq!(names(&plan("none-taken")), ["step 1", "kill", "step 4"]);
        assert_eq!(names(&plan("another")), ["step 1"]);
        let stopped = plan("stopped");
        assert_eq!(names(&stopped), ["step 1", "take", "kill", "step 4"], "at its place");
        assert_eq!(stopped.faults[1].ends_after, Some(Span::from_secs(2)), "the rest stays");
    }
}
