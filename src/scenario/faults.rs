//! `[fault.NAME]`: exactly one verb, when it starts, how it ends, and the keys that belong to the verb.

use std::collections::BTreeSet;

use crate::scenario::plan::{FaultPlan, FrameFault, Frames, Plan, Target, Trigger, Verb, Which};
use crate::sim::Span;

use super::diagnostic::{Diagnostic, Spot};
use super::keys::{FAULT, OCCASION, VERBS};
use super::reader::{Reader, shown};
use super::target::Cast;
use super::tree::{Entry, Node, Table};
use super::{disruptions, moments, value};

/// Faults at most, repetitions counted.
const FAULTS_MAX: u32 = 1_000;

/// Keys that only some verbs have, and which.
const BELONGS: &[(&str, &[&str])] = &[
    ("restart_after", &["kill", "power_off", "stop", "lose_disk"]),
    ("thaw_after", &["freeze"]),
    ("heal_after", &["cut", "delay"]),
    ("for", &["freeze", "cut", "delay", "slow_disk", "drop", "duplicate"]),
    ("from", &["cut", "delay"]),
    ("one_way", &["cut"]),
    ("by", &["delay", "clock_jump"]),
    ("of", &["tear_disk"]),
    ("last", &["tear_disk"]),
    ("to", &["alter"]),
    ("on", &["delay", "drop", "duplicate"]),
    ("factor", &["slow_disk"]),
    ("rate", &["drop", "duplicate"]),
    ("nth", &["drop", "duplicate"]),
];

/// The keys that end a fault.
const ENDS: &[&str] = &["restart_after", "thaw_after", "heal_after", "for"];

/// One fault's table.
pub(super) struct Fault<'t> {
    pub(super) name: &'t str,
    pub(super) entry: &'t Entry,
    pub(super) table: &'t Table,
    pub(super) verb: &'static str,
}

/// All faults of the file, in the order of their names; each repetition is one of its own.
pub(super) fn read(reader: &mut Reader, file: &Table, plan: &Plan) -> Vec<FaultPlan> {
    let tables = reader.named(file, "fault");
    let cast = cast(file, plan);
    let mut faults = Vec::new();
    for (name, entry, table) in tables {
        reader.check_keys(table, &[&FAULT, &OCCASION, &VERBS], &[]);
        super::names::check(reader, "fault", name, entry.key);
        let Some(verb) = verb(reader, name, entry, table) else { continue };
        let fault = Fault { name, entry, table, verb };
        check_belonging(reader, &fault);
        fault.check_turns(reader, &cast, false);
        faults.extend(fault.read(reader, &cast));
        if faults.len() > FAULTS_MAX as usize {
            let message = "too many faults".to_owned();
            let label = format!("the limit is {FAULTS_MAX}, repetitions counted");
            reader.report(Diagnostic::at(entry.key, message, label));
            break;
        }
    }
    faults
}

/// The names that targets can use.
pub(super) fn cast<'a>(file: &Table, plan: &'a Plan) -> Cast<'a> {
    let mut cast = Cast { plan, known_as: BTreeSet::new(), faults: BTreeSet::new() };
    for (name, entry) in
        ["fault", "step"].iter().filter_map(|kind| file.table(kind)).flat_map(|it| &it.entries)
    {
        cast.faults.insert(name.clone());
        if let Node::Table(table) = &entry.node {
            cast.known_as.extend(table.get("as").and_then(as_text));
        }
    }
    cast
}

/// The fault that a step is.
pub(super) fn of_step(
    reader: &mut Reader,
    cast: &Cast<'_>,
    name: &str,
    entry: &Entry,
    table: &Table,
    verb: &'static str,
) -> Option<FaultPlan> {
    if cast.plan.faults.iter().any(|fault| fault.name == name) {
        let message = format!("`{}` names a fault and a step", shown(name));
        reader.report(Diagnostic::at(entry.key, message, "a step"));
    }
    let fault = Fault { name, entry, table, verb };
    check_belonging(reader, &fault);
    fault.check_turns(reader, cast, true);
    let ends_after = ENDS.iter().find_map(|key| reader.duration(table, key));
    let known_as = reader.text(table, "as").map(str::to_owned);
    let verb = fault.verb(reader, cast, 0)?;
    Some(FaultPlan {
        name: name.to_owned(),
        trigger: Trigger::Step,
        verb,
        ends_after,
        optional: false,
        known_as,
    })
}

fn as_text(entry: &Entry) -> Option<String> {
    match &entry.node {
        Node::Text(text) => Some(text.clone()),
        _ => None,
    }
}

/// The one verb.
fn verb(reader: &mut Reader, name: &str, entry: &Entry, table: &Table) -> Option<&'static str> {
    let mut verbs = VERBS.keys.iter().filter_map(|key| Some((key, table.get(key.name)?)));
    let Some((first, at)) = verbs.next() else {
        if table.entries.keys().any(|key| FAULT.find(key).or(OCCASION.find(key)).is_none()) {
            // Reported as an unknown key: most likely the verb, mistyped.
            return None;
        }
        let message = format!("fault `{}` has no verb", shown(name));
        let all: Vec<String> = VERBS.names().map(|verb| format!("`{verb}`")).collect();
        let help = format!("say what it does: {}", super::reader::listed(&all));
        reader.report_relation(Diagnostic::at(entry.key, message, "does nothing").help(help));
        return None;
    };
    let others: Vec<_> = verbs.collect();
    if !others.is_empty() {
        let message = format!("fault `{}` has more than one verb", shown(name));
        let mut diagnostic = Diagnostic::at(at.key, message, "one");
        for (_, other) in others {
            diagnostic = diagnostic.and(other.key, "another");
        }
        reader.report(diagnostic);
    }
    Some(first.name)
}

fn check_belonging(reader: &mut Reader, fault: &Fault<'_>) {
    for (key, verbs) in BELONGS {
        if let Some(entry) = fault.table.get(key)
            && !verbs.contains(&fault.verb)
        {
            let message = format!("`{key}` does not belong to `{}`", fault.verb);
            let all: Vec<String> = verbs.iter().map(|verb| format!("`{verb}`")).collect();
            let label = format!("belongs to {}", super::reader::listed(&all));
            reader.report(Diagnostic::at(entry.key, message, label));
        }
    }
    let ends: Vec<&Entry> = ENDS.iter().filter_map(|key| fault.table.get(key)).collect();
    if let [first, second, ..] = ends[..] {
        let message = format!("fault `{}` ends in two ways", shown(fault.name));
        reader
            .report(Diagnostic::at(second.key, message, "one end is enough").and(first.key, "it ends here"));
    }
}

impl Fault<'_> {
    fn read(&self, reader: &mut Reader, cast: &Cast<'_>) -> Vec<FaultPlan> {
        let ends_after = ENDS.iter().find_map(|key| reader.duration(self.table, key));
        let optional = reader.flag(self.table, "optional").unwrap_or(false);
        let known_as = reader.text(self.table, "as").map(str::to_owned);
        let trigger = self.trigger(reader, cast);
        let (times, every) = self.repetition(reader, cast.plan, trigger.as_ref());
        let mut faults = Vec::new();
        for round in 0..times {
            let Some(verb) = self.verb(reader, cast, round) else { continue };
            let Some(trigger) = trigger.as_ref().map(|trigger| later(trigger, every * round as u64)) else {
                continue;
            };
            let name = if round == 0 { self.name.to_owned() } else { format!("{}#{}", self.name, round + 1) };
            faults.push(FaultPlan { name, trigger, verb, ends_after, optional, known_as: known_as.clone() });
        }
        faults
    }

    fn trigger(&self, reader: &mut Reader, cast: &Cast<'_>) -> Option<Trigger> {
        let after = reader.duration(self.table, "after");
        match (self.table.get("at"), self.table.get("when")) {
            (Some(at), None) => {
                if let Some(entry) = self.table.get("after") {
                    let help = "`at = \"5s\"` says when by itself";
                    let message = "`after` belongs to `when`";
                    reader.report(Diagnostic::at(entry.key, message, "without `when`").help(help));
                }
                let time = reader.duration(self.table, "at")?;
                if time > cast.plan.run_for {
                    let message = format!("fault `{}` starts after the run", shown(self.name));
                    let label = format!("`run_for` is {}", cast.plan.run_for);
                    reader.report_relation(Diagnostic::at(at.at, message, label));
                }
                Some(Trigger::At(time))
            }
            (None, Some(_)) => {
                let condition = moments::condition(reader, cast, self.table, "when")?;
                Some(Trigger::When { condition, after: after.unwrap_or(Span::ZERO) })
            }
            (Some(at), Some(when)) => {
                let message = format!("fault `{}` starts in two ways", shown(self.name));
                reader.report(Diagnostic::at(when.key, message, "either this").and(at.key, "or this"));
                None
            }
            (None, None) => {
                let message = format!("fault `{}` never starts", shown(self.name));
                let help = "`at = \"5s\"` or `when = { observed = \"confirmed\", nth = 100 }`";
                reader.report_relation(Diagnostic::at(self.entry.key, message, "`at` is missing").help(help));
                None
            }
        }
    }

    /// How often, and how far apart.
    fn repetition(&self, reader: &mut Reader, plan: &Plan, trigger: Option<&Trigger>) -> (usize, Span) {
        let times = reader.int(self.table, "times", 1, i64::from(FAULTS_MAX)).map(|times| times as u64);
        let every = reader.duration(self.table, "every").unwrap_or(Span::ZERO);
        match (self.table.get("every"), self.table.get("times")) {
            (None, None) => return (1, Span::ZERO),
            (None, Some(entry)) => {
                let message = "`times` needs `every`";
                reader.report(Diagnostic::at(entry.key, message, "how far apart?"));
                return (1, Span::ZERO);
            }
            (Some(entry), _) if every == Span::ZERO => {
                reader.report(Diagnostic::at(
                    entry.at,
                    "wrong value for `every`",
                    "expected more than no time",
                ));
                return (1, Span::ZERO);
            }
            (Some(entry), None) if matches!(trigger, Some(Trigger::When { .. })) => {
                let message = "`every` after `when` needs `times`";
                reader.report(Diagnostic::at(entry.key, message, "how often?"));
                return (1, Span::ZERO);
            }
            _ => {}
        }
        let fitting = match trigger {
            Some(Trigger::At(at)) => (plan.run_for - *at).0 / every.0 + 1,
            _ => times.unwrap_or(1),
        };
        let wanted = times.unwrap_or(fitting);
        if wanted > fitting
            && let Some(entry) = self.table.get("times")
        {
            let message = format!("fault `{}` starts after the run", shown(self.name));
            let label = format!("only {fitting} of {wanted} fit into `run_for`, which is {}", plan.run_for);
            reader.report_relation(Diagnostic::at(entry.at, message, label));
        }
        (wanted.min(fitting).min(u64::from(FAULTS_MAX) + 1) as usize, every)
    }

    fn verb(&self, reader: &mut Reader, cast: &Cast<'_>, round: usize) -> Option<Verb> {
        Some(match self.verb {
            "kill" => Verb::Kill(self.target(reader, cast, round)?),
            "power_off" => Verb::PowerOff(self.target(reader, cast, round)?),
            "stop" => Verb::Stop(self.target(reader, cast, round)?),
            "freeze" => Verb::Freeze(self.target(reader, cast, round)?),
            "start" => Verb::Start(self.target(reader, cast, round)?),
            "disconnect" => Verb::Disconnect(self.target(reader, cast, round)?),
            "lose_disk" => Verb::LoseDisk(self.target(reader, cast, round)?),
            "cut" => Verb::Cut {
                from: self.names(reader, cast, "from", round),
                one_way: reader.flag(self.table, "one_way").unwrap_or(false),
                target: self.target(reader, cast, round)?,
            },
            "delay" => self.delay(reader, cast, round)?,
            "slow_disk" => {
                self.require(reader, "factor");
                let factor = reader.int(self.table, "factor", 2, 1_000_000);
                Verb::SlowDisk { target: self.target(reader, cast, round)?, factor: factor? as u32 }
            }
            "thaw" => Verb::Thaw(self.target(reader, cast, round)?),
            "heal" => Verb::Heal(disruptions::healed(reader, self, cast)?),
            "tear_disk" => {
                let file = disruptions::torn(reader, self, cast);
                let target = self.target(reader, cast, round)?;
                let (of, bytes) = file?;
                Verb::TearDisk { target, of, bytes }
            }
            "clock_jump" => {
                self.require(reader, "by");
                let by_ns = disruptions::jump(reader, self);
                Verb::ClockJump { target: self.target(reader, cast, round)?, by_ns: by_ns? }
            }
            "alter" => disruptions::alter(reader, self, cast)?,
            "drop" => Verb::Drop(self.frames(reader, cast, round)?),
            _ => Verb::Duplicate(self.frames(reader, cast, round)?),
        })
    }

    /// Who the verb names.
    fn target(&self, reader: &mut Reader, cast: &Cast<'_>, round: usize) -> Option<Target> {
        self.names(reader, cast, self.verb, round)
    }

    /// Who is named under this key.
    fn names(&self, reader: &mut Reader, cast: &Cast<'_>, key: &str, round: usize) -> Option<Target> {
        let entry = self.table.get(key)?;
        let names = reader.texts(self.table, key);
        if names.is_empty() {
            if matches!(&entry.node, Node::List(list) if list.is_empty()) {
                reader.report(Diagnostic::at(entry.at, format!("wrong value for `{key}`"), "names nobody"));
            }
            return None;
        }
        Some(cast.target(reader, &names, round))
    }

    /// Either `delay = "200ms", on = [A, B]` or `delay = A, from = B, by = "200ms"`.
    fn delay(&self, reader: &mut Reader, cast: &Cast<'_>, round: usize) -> Option<Verb> {
        if let Some(entry) = self.table.get("by") {
            if let Some(on) = self.table.get("on") {
                let message = "`on` does not go with `by`";
                let help = "either `delay = \"200ms\", on = [A, B]` or `delay = A, from = B, by = \"200ms\"`";
                reader.report(Diagnostic::at(on.key, message, "here").and(entry.key, "and here").help(help));
            }
            let by = reader.dist(self.table, "by");
            let from = self.names(reader, cast, "from", round);
            return Some(Verb::Delay { target: self.target(reader, cast, round)?, from, by: by? });
        }
        if let Some(entry) = self.table.get("from") {
            let help = "`delay = A, from = B, by = \"200ms\"`";
            reader.report(Diagnostic::at(entry.key, "`from` needs `by`", "by how much?").help(help));
        }
        let by = reader.dist(self.table, "delay");
        let (target, from) = self.between(reader, cast, round);
        Some(Verb::Delay { target, from, by: by? })
    }

    /// `on = [A, B]`: between the two; one name: between it and everybody; more: between any of them.
    fn between(&self, reader: &mut Reader, cast: &Cast<'_>, round: usize) -> (Target, Option<Target>) {
        let names: Vec<(Spot, String)> = reader.texts(self.table, "on");
        match &names[..] {
            [] => (cast.everybody(reader), None),
            [_] => (cast.target(reader, &names, round), None),
            [one, other] => (
                cast.target(reader, std::slice::from_ref(one), round),
                Some(cast.target(reader, std::slice::from_ref(other), round)),
            ),
            _ => {
                let all = cast.target(reader, &names, round);
                (all.clone(), Some(all))
            }
        }
    }

    /// `each of brokers` takes the next one each time: something that happens once would only ever take the first.
    fn check_turns(&self, reader: &mut Reader, cast: &Cast<'_>, is_step: bool) {
        if self.table.get("every").is_some() || self.table.get("times").is_some() {
            return;
        }
        for entry in [self.verb, "from", "on"].iter().filter_map(|key| self.table.get(key)) {
            let names = match &entry.node {
                Node::List(list) => list.iter().map(|(_, node)| node).collect(),
                node => vec![node],
            };
            let set = names.iter().find_map(|node| match node {
                Node::Text(text) => Some(text.strip_prefix("each of ")?.trim()),
                _ => None,
            });
            let Some(set) = set else { continue };
            let members = cast.members(reader, set).unwrap_or_default();
            let [first, _, ..] = &members[..] else { continue };
            let message = format!("`each of {}` happens once, to `{first}` alone", shown(set));
            let label = "takes the next one each time";
            let how = if is_step {
                "write a step for each".to_owned()
            } else {
                format!("add `every = \"10s\"` and `times = {}`", members.len())
            };
            let help = format!("{how}, or take `{}`: all at once", shown(set));
            reader.report_relation(Diagnostic::at(entry.at, message, label).help(help));
        }
    }

    fn frames(&self, reader: &mut Reader, cast: &Cast<'_>, round: usize) -> Option<FrameFault> {
        const OF: &[(&str, Frames)] = &[("frames", Frames::All), ("requests", Frames::Requests)];
        let of = reader.word(self.table, self.verb, OF).unwrap_or(Frames::All);
        let rate = reader.parsed(self.table, "rate", value::share_of);
        let nth = reader.int(self.table, "nth", 1, i64::from(u32::MAX));
        let (target, from) = self.between(reader, cast, round);
        let which = match (self.table.get("rate"), self.table.get("nth")) {
            (Some(_), None) => Which::Rate(rate?),
            (None, Some(_)) => Which::Nth(nth? as u32),
            (Some(one), Some(other)) => {
                let message = format!("fault `{}` has both `rate` and `nth`", shown(self.name));
                reader.report(Diagnostic::at(other.key, message, "either this").and(one.key, "or this"));
                return None;
            }
            (None, None) => {
                let message = format!("fault `{}` has neither `rate` nor `nth`", shown(self.name));
                let help = "`rate = \"1%\"` or `nth = 3`";
                reader.report_relation(Diagnostic::at(self.entry.key, message, "which frames?").help(help));
                return None;
            }
        };
        Some(FrameFault { of, target, from, which })
    }

    pub(super) fn require(&self, reader: &mut Reader, key: &str) {
        if self.table.get(key).is_none() {
            reader.missing(self.entry, self.name, key);
        }
    }
}

fn later(trigger: &Trigger, by: Span) -> Trigger {
    match trigger.clone() {
        Trigger::At(at) => Trigger::At(at + by),
        Trigger::When { condition, after } => Trigger::When { condition, after: after + by },
        Trigger::Step => Trigger::Step,
    }
}
