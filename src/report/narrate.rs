//! A run as sentences, for pipes and for ears: what happened to the cluster, each at its time, and between two such
//! sentences how far the messages came.
//!
//! What is routine is counted, what goes wrong is told; many of a kind, one soon after another, are told as one. A run
//! of at most [`FEW`] messages is told message by message.

use std::collections::{BTreeMap, BTreeSet};

use super::paint::{put, wrap};
use crate::broker::{Family, Names};
use crate::fact::{Down, Fact, GivenUp, MessageId, NONE, NodeId, Observation, PlaceId, Rule, SubscriptionId};
use crate::lab::run::Ended;
use crate::lab::study::Journey;
use crate::ledger::Layout;
use crate::scenario::plan::Plan;
use crate::sim::{Span, Time};

/// Runs of at most so many messages are told message by message.
pub const FEW: usize = 30;
/// Two of a kind that are further apart are two sentences.
const TOGETHER: Span = Span::from_secs(1);

/// Turns observations into sentences, in their order.
pub struct Narrator<'a> {
    plan: &'a Plan,
    family: &'a dyn Family,
    names: &'a dyn Names,
    layout: &'a Layout,
    is_detailed: bool,
    out: String,
    routine: Routine,
    open: BTreeMap<Says, Many>,
    seen: Vec<Seen>,
    /// The nodes that a fault hit just now, or that just started: what follows from it at once is not told.
    hit: (Time, Vec<NodeId>),
}

/// How many routine steps there were since the last sentence.
#[derive(Clone, Copy, Default)]
struct Routine {
    due: u64,
    confirmed: u64,
    effects: u64,
}

/// What is known of a message so far.
#[derive(Clone, Default)]
struct Seen {
    is_confirmed: bool,
    /// By subscription, as bits; those beyond are told as if each time were the first.
    delivered: u64,
    done: u64,
}

/// What can be said of several things at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Says {
    Failed(u16),
    SentAgain,
    Unanswered,
    Returned,
    Removed(NodeId, PlaceId, Rule),
    /// By name, if it is not the one that the subscription is named after.
    Redelivered(SubscriptionId, Option<NodeId>),
    DoneAgain(SubscriptionId),
    Stale(SubscriptionId),
    Recognised(SubscriptionId),
    GivenUp(SubscriptionId, GivenUp),
    Leads(NodeId, bool, u32),
    NoLeader,
    Family(NodeId, u16),
}

/// Several things of which the same can be said.
struct Many {
    at: Time,
    until: Time,
    count: u64,
    /// Of the messages among them.
    confirmed: u64,
    /// Which messages they were: the same may be said of one again and again.
    distinct: BTreeSet<MessageId>,
    which: Which,
    /// How far the messages came from the sentence before to the first of these.
    before: Routine,
}

/// Of what the same is said.
enum Which {
    Messages(MessageId, MessageId),
    Places(PlaceId, PlaceId),
    /// The family's sentence for the first.
    Told(String),
}

/// What happened to one message, step by step.
pub fn journey(plan: &Plan, family: &dyn Family, journey: &Journey) -> String {
    let layout = Layout::new(family, plan);
    let mut narrator = Narrator::of_one(plan, family, &layout, journey);
    narrator.observe(&journey.history);
    // Of one message there is no progress to tell.
    narrator.close(|_| true);
    narrator.out
}

impl<'a> Narrator<'a> {
    /// Of a run of this plan, which is to be done again; `ended` is how it ended.
    pub fn new(plan: &'a Plan, family: &'a dyn Family, ended: &'a Ended) -> Self {
        let messages = ended.ledger.messages();
        Self {
            plan,
            family,
            names: ended,
            layout: ended.ledger.layout(),
            is_detailed: messages <= FEW,
            out: String::new(),
            routine: Routine::default(),
            open: BTreeMap::new(),
            seen: vec![Seen::default(); messages],
            hit: (Time::ZERO, Vec::new()),
        }
    }

    /// Of one message, whose history is to be told step by step.
    fn of_one(plan: &'a Plan, family: &'a dyn Family, layout: &'a Layout, journey: &'a Journey) -> Self {
        Self {
            plan,
            family,
            names: &journey.names,
            layout,
            is_detailed: true,
            out: String::new(),
            routine: Routine::default(),
            open: BTreeMap::new(),
            seen: vec![Seen::default(); journey.message.0 as usize + 1],
            hit: (Time::ZERO, Vec::new()),
        }
    }

    /// Takes the next slice of observations.
    pub fn observe(&mut self, observations: &[Observation]) {
        for observation in observations {
            self.close(|many| observation.at.since(many.until) > TOGETHER);
            match observation.fact.message() {
                Some(message) => self.of_message(message, observation),
                None => self.of_cluster(observation),
            }
        }
    }

    /// All sentences.
    pub fn text(mut self) -> String {
        self.close(|_| true);
        let routine = self.routine;
        self.progress(routine);
        self.out
    }

    fn of_message(&mut self, message: MessageId, observation: &Observation) {
        let at = observation.at;
        if self.is_detailed
            && let Some(text) = self.detail(message, observation)
        {
            self.close(|_| true);
            return self.say(at, &text);
        }
        match observation.fact {
            Fact::Due { .. } => self.routine.due += 1,
            Fact::Confirmed { .. } => {
                let seen = &mut self.seen[message.0 as usize];
                self.routine.confirmed += u64::from(!seen.is_confirmed);
                seen.is_confirmed = true;
            }
            Fact::Sent { attempt: 2.., .. } => self.add(Says::SentAgain, message, at),
            Fact::Failed { error, .. } => self.add(Says::Failed(error), message, at),
            Fact::Unanswered { .. } => self.add(Says::Unanswered, message, at),
            Fact::Returned { .. } => self.add(Says::Returned, message, at),
            Fact::Removed { place, rule, .. } => {
                self.add(Says::Removed(observation.node, place, rule), message, at);
            }
            Fact::Delivered { subscription, .. } => {
                if first(&mut self.seen[message.0 as usize].delivered, subscription) {
                    return;
                }
                let by = self.is_another(observation.node, subscription).then_some(observation.node);
                self.add(Says::Redelivered(subscription, by), message, at);
            }
            Fact::Effect { subscription, stale, .. } => {
                let is_first = first(&mut self.seen[message.0 as usize].done, subscription);
                self.routine.effects += u64::from(is_first);
                if stale {
                    self.add(Says::Stale(subscription), message, at);
                } else if !is_first {
                    self.add(Says::DoneAgain(subscription), message, at);
                }
            }
            Fact::Recognised { subscription, .. } => self.add(Says::Recognised(subscription), message, at),
            Fact::GivenUp { subscription, how, .. } => {
                self.add(Says::GivenUp(subscription, how), message, at);
            }
            _ => {}
        }
    }

    /// Every step of a message, if the messages are few; none: it is told like that of many.
    fn detail(&self, message: MessageId, observation: &Observation) -> Option<String> {
        let name = self.names.message(message);
        let node = || self.names.node(observation.node);
        let place = |place| self.names.place(place);
        Some(match observation.fact {
            Fact::Due { key: Some(key), .. } => format!("{name} falls due, with key {key}"),
            Fact::Due { .. } => format!("{name} falls due"),
            Fact::Written { .. } => format!("the application's database has what belongs to {name}"),
            Fact::Stored { place: of, offset, .. } => {
                format!("{} has {name} at {offset} of {}", node(), place(of))
            }
            Fact::Confirmed { .. } => format!("{name} is confirmed"),
            Fact::Delivered { .. } => format!("{} gets {name}", node()),
            Fact::Acknowledged { subscription, .. } => {
                format!("{} has finished everything up to {name}", self.subscription(subscription))
            }
            Fact::Effect { subscription, stale: false, .. }
                if self.seen[message.0 as usize].done & bit(subscription) == 0 =>
            {
                format!("{name} takes effect for {}", self.subscription(subscription))
            }
            _ => return None,
        })
    }

    fn of_cluster(&mut self, observation: &Observation) {
        let Observation { at, node, fact, .. } = *observation;
        let name = self.names.node(node);
        if self.hit.0 != at {
            self.hit = (at, Vec::new());
        }
        let text = match fact {
            Fact::LeaderElected { place, leader: Some(leader), epoch, is_clean } => {
                return self.count(Says::Leads(leader, is_clean, epoch), at, || Which::Places(place, place));
            }
            Fact::LeaderElected { place, leader: None, .. } => {
                return self.count(Says::NoLeader, at, || Which::Places(place, place));
            }
            Fact::Family(told) => {
                let Some(sentence) = self.family.tell(&told, self.names) else { return };
                return self.count(Says::Family(node, told.kind), at, || Which::Told(sentence));
            }
            Fact::FaultEnded { .. } | Fact::NodeDown { .. } | Fact::NodeUp if self.hit.1.contains(&node) => {
                return;
            }
            Fact::DetectedDown { by } => {
                let by = by.map_or_else(|| "the cluster".to_owned(), |by| self.names.node(by));
                format!("{by} takes {name} for dead")
            }
            Fact::Fault { fault } => {
                self.hit.1.push(node);
                let Some(fault) = self.plan.faults.get(fault as usize) else { return };
                format!("{name} {} (fault {})", fault.verb.happened(), fault.name)
            }
            Fact::FaultEnded { fault } => {
                let Some(fault) = self.plan.faults.get(fault as usize) else { return };
                format!("the fault {} is over for {name}", fault.name)
            }
            Fact::NodeDown { how } => format!("{name} {}", went_down(how)),
            Fact::NodeUp => {
                self.hit.1.push(node);
                format!("{name} is started")
            }
            _ => return,
        };
        self.close(|_| true);
        self.say(at, &text);
    }

    /// Whether the node is one of a consumer that shares the subscription of another, which names it.
    fn is_another(&self, node: NodeId, id: SubscriptionId) -> bool {
        let name = self.names.node(node);
        let consumer = name.split('/').next().unwrap_or(&name);
        consumer != self.subscription(id) && self.plan.consumers.iter().any(|one| one.name == consumer)
    }

    fn subscription(&self, id: SubscriptionId) -> &str {
        self.layout.subscription_name(id)
    }

    /// One more message of which this can be said.
    fn add(&mut self, says: Says, message: MessageId, at: Time) {
        self.count(says, at, || Which::Messages(message, message));
        let is_confirmed = self.seen[message.0 as usize].is_confirmed;
        let Some(many) = self.open.get_mut(&says) else { return };
        many.confirmed += u64::from(is_confirmed);
        many.distinct.insert(message);
        if let Which::Messages(first, last) = &mut many.which {
            (*first, *last) = ((*first).min(message), (*last).max(message));
        }
    }

    /// One more of which this can be said.
    fn count(&mut self, says: Says, at: Time, which: impl FnOnce() -> Which) {
        let which = which();
        if let Some(many) = self.open.get_mut(&says) {
            many.count += 1;
            many.until = at;
            if let (Which::Places(_, last), Which::Places(place, _)) = (&mut many.which, which) {
                *last = place;
            }
            return;
        }
        let before = std::mem::take(&mut self.routine);
        self.open.insert(
            says,
            Many { at, until: at, count: 1, confirmed: 0, distinct: BTreeSet::new(), which, before },
        );
    }

    /// Tells of everything of which nothing more is to come.
    fn close(&mut self, is_over: impl Fn(&Many) -> bool) {
        if !self.open.values().any(&is_over) {
            return;
        }
        // What began before something that is over is told before it, even if more of it is to come.
        let latest = self.open.values().filter(|many| is_over(many)).map(|many| many.at).max();
        let mut over: Vec<_> =
            self.open.extract_if(.., |_, many| latest.is_some_and(|latest| many.at <= latest)).collect();
        over.sort_by_key(|(says, many)| (many.at, *says));
        for (says, many) in over {
            let text = self.words(says, &many);
            self.progress(many.before);
            self.line(many.at, &text);
        }
    }

    fn words(&self, says: Says, many: &Many) -> String {
        let Many { count: n, confirmed, distinct, which, .. } = many;
        let name = |id| self.names.message(id);
        let place = |id| self.names.place(id);
        let which = match which {
            Which::Messages(first, _) if *n == 1 => name(*first),
            Which::Messages(first, last) => {
                let (span, all) = (format!("({} to {})", name(*first), name(*last)), distinct.len() as u64);
                match all {
                    1 => format!("{}, {n} times", name(*first)),
                    _ if all < *n => format!("{all} messages, {n} times {span}"),
                    _ => format!("{n} messages {span}"),
                }
            }
            Which::Places(first, _) if *n == 1 => place(*first),
            Which::Places(first, last) => format!("{n} places ({} to {})", place(*first), place(*last)),
            Which::Told(first) if *n == 1 => first.clone(),
            Which::Told(first) => format!("{first}; then {} more of the kind until {}", n - 1, many.until),
        };
        let by = |id| self.subscription(id);
        match says {
            Says::Failed(error) => format!("the send failed, {}: {which}", self.family.error_name(error)),
            Says::Unanswered => format!("no answer will ever come: {which}"),
            Says::Returned => format!("comes back to its sender, because nothing took it: {which}"),
            Says::SentAgain => format!("the application sends again: {which}"),
            Says::Removed(node, of, rule) => {
                let confirmed = match (*confirmed, *n) {
                    (0, _) => String::new(),
                    (1, 1) => "; it was confirmed".to_owned(),
                    (of_them, _) => format!("; {of_them} of them were confirmed"),
                };
                removed(rule, &self.names.node(node), &place(of), &(which + &confirmed))
            }
            Says::Redelivered(_, Some(node)) => format!("{} gets again: {which}", self.names.node(node)),
            Says::Redelivered(id, None) => format!("{} gets again: {which}", by(id)),
            Says::DoneAgain(id) => format!("takes effect for {} once more: {which}", by(id)),
            Says::Stale(id) => format!("{} puts an old value over a newer one: {which}", by(id)),
            Says::Recognised(id) => format!("{} finds that it has done it before: {which}", by(id)),
            Says::GivenUp(NONE, how) => given_up_by_nobody(how, &which),
            Says::GivenUp(id, how) => given_up(how, by(id), &which),
            Says::Leads(node, is_clean, epoch) => {
                let how = if is_clean { "" } else { ", without having been in sync" };
                let reign = match epoch {
                    0 => String::new(),
                    _ => format!(" in {} {epoch}", self.family.reign_word()),
                };
                format!("{} leads {which}{reign}{how}", self.names.node(node))
            }
            Says::NoLeader => format!("nobody leads {which}"),
            Says::Family(..) => which,
        }
    }

    fn say(&mut self, at: Time, text: &str) {
        let routine = std::mem::take(&mut self.routine);
        self.progress(routine);
        self.line(at, text);
    }

    fn line(&mut self, at: Time, text: &str) {
        wrap(&mut self.out, &format!("  {:>10}  ", at.to_string()), text);
    }

    /// How far the messages came.
    fn progress(&mut self, Routine { due, confirmed, effects }: Routine) {
        if self.is_detailed || due + confirmed + effects == 0 {
            return;
        }
        put!(self.out, "              … {due} sent, {confirmed} confirmed");
        if !self.plan.consumers.is_empty() {
            put!(self.out, ", {effects} processed");
        }
        self.out.push('\n');
    }
}

fn bit(subscription: SubscriptionId) -> u64 {
    1u64.checked_shl(u32::from(subscription.0)).unwrap_or(0)
}

/// Marks the subscription; whether it was not marked before.
fn first(marks: &mut u64, subscription: SubscriptionId) -> bool {
    let is_first = *marks & bit(subscription) == 0;
    *marks |= bit(subscription);
    is_first
}

fn removed(rule: Rule, node: &str, of: &str, which: &str) -> String {
    match rule {
        Rule::Truncated => format!("{node} cuts off {of}, to agree with its leader: {which}"),
        Rule::PowerLost => format!("{node} had {of} not on its disk yet, and has lost {which}"),
        Rule::DiskLost => format!("{node} lost with its disk, of {of}: {which}"),
        Rule::Torn => format!("{node} lost with the end of its log, of {of}: {which}"),
        Rule::Unwritten => format!("{node} lost with its memory, of {of}: {which}"),
        Rule::Transient => format!("{node} does not keep over a restart, of {of}: {which}"),
        Rule::Retention => format!("{node} removes the oldest of {of}: {which}"),
        Rule::Replaced => format!("{node} throws away, of {of}, to join the others: {which}"),
        Rule::Deleted => format!("deleted with {of}: {which}"),
        Rule::Crashed => format!("{of} on {node} does not start again with {which}"),
    }
}

fn given_up(how: GivenUp, by: &str, which: &str) -> String {
    match how {
        GivenUp::Discarded => format!("{by} drops: {which}"),
        GivenUp::DeadLettered => format!("{by} sets aside: {which}"),
        GivenUp::Expired => format!("dropped, after waiting too long for {by}: {which}"),
        GivenUp::Overflowed => format!("dropped, because there is no room before {by}: {which}"),
        GivenUp::Unroutable => format!("dropped, because nothing leads to {by}: {which}"),
    }
}

fn given_up_by_nobody(how: GivenUp, which: &str) -> String {
    match how {
        GivenUp::Discarded => format!("dropped where nobody reads: {which}"),
        GivenUp::DeadLettered => format!("set aside where nobody reads: {which}"),
        GivenUp::Expired => format!("dropped where nobody reads, after waiting too long: {which}"),
        GivenUp::Overflowed => format!("dropped where nobody reads, because there is no room: {which}"),
        GivenUp::Unroutable => format!("dropped, because nothing leads from there to anybody: {which}"),
    }
}

fn went_down(how: Down) -> &'static str {
    match how {
        Down::Killed => "is killed",
        Down::PowerLost => "loses its power",
        Down::Stopped => "has stopped",
        Down::Overrun => "breaks: more was asked of it than it could take",
        Down::GaveUp => "ends: it cannot process a message",
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
    fn a_run_is_told_in_sentences() {
        let plan = FakeScenario::new().plan(Some("acks=1"), &[]).unwrap();
        let run = Run::new(&Fake, &plan, 42);
        let ended = run.drive(Details::Off, &mut |_| {});
        for messages in [ended.ledger.messages(), FEW] {
            let mut narrator = Narrator::new(&plan, &Fake, &ended);
            narrator.is_detailed = messages == FEW;
            run.drive(Details::On, &mut |slice| narrator.observe(slice));
            let text = narrator.text();
            assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
            let name = if messages == FEW { "in_detail" } else { "as_counts" };
            insta::assert_snapshot!(name, text);
        }
    }
}
