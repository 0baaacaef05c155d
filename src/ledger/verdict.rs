//! The verdict: all fates, counts and measures of a run, at its end or at an instant before.

use super::fate::{Answer, Evidence, Fate, Removal, Tally};
use super::message::{Message, Reception};
use super::{Column, Latency, Ledger, NONE};
use crate::fact::{Aside, MessageId, SubscriptionId};
use crate::sim::{Span, Time};

/// What the world says at the end. One list for each subscription, and a last one for messages addressed to nobody;
/// a message is named once for each of its copies.
#[derive(Clone, Debug)]
pub struct End {
    /// When the run ended.
    pub at: Time,
    /// Copies that wait or are held by a live consumer.
    pub waiting: Vec<Vec<MessageId>>,
    /// Copies that wait once every fault is lifted and every node restarted.
    pub healed: Vec<Vec<MessageId>>,
    /// By subscription: where the broker puts what the subscription does not get. None: it puts nothing anywhere.
    pub aside: Vec<Option<Aside>>,
    /// The same once every fault is lifted and every node restarted.
    pub aside_healed: Vec<Option<Aside>>,
}

/// What became of all messages.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Over all producers.
    pub messages: Counts,
    /// In the order of their numbers.
    pub producers: Vec<ProducerVerdict>,
    /// In the order of their numbers; `none` last, if any message is addressed to nobody.
    pub subscriptions: Vec<SubscriptionVerdict>,
    /// Messages applied by some, not all, of the subscriptions they are addressed to.
    pub inconsistent: u64,
    /// Confirmed messages a second, from the first due time to the last confirm; none: nothing was confirmed.
    pub throughput_per_s: Option<f64>,
    /// The longest of the producers' times; none: no API confirms anything.
    pub unavailable: Option<Span>,
}

/// Messages by what their sender was told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// All whose send was due.
    pub sent: u64,
    /// At least one attempt succeeded.
    pub confirmed: u64,
    /// The last answered attempt failed, and none is open.
    pub failed: u64,
    /// Neither.
    pub unknown: u64,
}

/// What a producer saw.
#[derive(Clone, Debug, PartialEq)]
pub struct ProducerVerdict {
    /// `checkout`.
    pub name: String,
    /// Its messages.
    pub messages: Counts,
    /// From due to confirmed.
    pub latency_confirm: Latency,
    /// Confirmed messages a second, from the first due time to the last confirm; none: nothing was confirmed.
    pub throughput_per_s: Option<f64>,
    /// Messages of which the user was told the wrong thing: "done" and it was not, or "failed" and it was.
    pub told_wrong: u64,
    /// The longest time in which its worst instance had a message due and unanswered and got no confirm; none: its API
    /// confirms nothing.
    pub unavailable: Option<Span>,
}

/// What a subscription got.
#[derive(Clone, Debug, PartialEq)]
pub struct SubscriptionVerdict {
    /// `billing`.
    pub name: String,
    /// Its consumer takes from the place of another one, to whose subscription everything counts: nothing counts here.
    pub is_shared: bool,
    /// Messages addressed to it.
    pub addressed: u64,
    /// Their fates.
    pub fates: Tally,
    /// Of the rejected and unsent: a copy still waits.
    pub latent: u64,
    /// Deliveries beyond the first.
    pub redelivered: u64,
    /// First effect came after the first effect of a message sent later by the same instance with the same key.
    pub reordered: u64,
    /// An old value applied over a newer one.
    pub stale: u64,
    /// Has its effect, and another copy still waits.
    pub leftover: u64,
    /// Over time.
    pub backlog: Backlog,
    /// From due to the first effect.
    pub latency_end_to_end: Latency,
    /// What the store should hold, and what it holds.
    pub store: Store,
    /// By message; none: not addressed here.
    pub by_message: Vec<Option<Fate>>,
}

/// What waited for a subscription.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// The most confirmed messages without effect at any time, silently lost ones included: nobody knew better.
    pub peak: u64,
    /// Copies that wait at the end.
    pub end: u64,
    /// From the last due time to the last first effect of a confirmed message; none: something waits at the end.
    pub drained_after: Option<Span>,
}

/// The store, where every message is worth one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Store {
    /// Every confirmed message once.
    pub expected: u64,
    /// Every effect.
    pub actual: u64,
}

impl Ledger {
    /// Judges every message.
    pub fn verdict(&self, end: &End) -> Verdict {
        let mut producers = self.judge_producers(end.at);
        let mut messages = Counts::default();
        for producer in &producers {
            messages.sent += producer.messages.sent;
            messages.confirmed += producer.messages.confirmed;
            messages.failed += producer.messages.failed;
            messages.unknown += producer.messages.unknown;
        }
        let unavailable = producers.iter().filter_map(|producer| producer.unavailable).max();
        let mut subscriptions: Vec<_> = (0..self.layout.subscriptions.len())
            .map(|index| self.judge_subscription(SubscriptionId(index as u16), end))
            .collect();
        let nobody = self.judge_subscription(NONE, end);
        if nobody.addressed > 0 {
            subscriptions.push(nobody);
        }
        self.judge_words(&mut producers, &subscriptions, end);
        Verdict {
            messages,
            inconsistent: inconsistent(&subscriptions),
            producers,
            subscriptions,
            throughput_per_s: self.throughput(messages.confirmed),
            unavailable,
        }
    }

    fn judge_producers(&self, end: Time) -> Vec<ProducerVerdict> {
        let mut counts = vec![Counts::default(); self.layout.producers.len()];
        let mut latencies: Vec<Vec<u64>> = vec![Vec::new(); counts.len()];
        let mut windows = vec![Window::default(); counts.len()];
        for message in self.messages.iter() {
            let producer = self.layout.producer_of(message.instance) as usize;
            counts[producer].count(message.answer());
            windows[producer].widen(message);
            if message.confirmed != Time::NEVER {
                latencies[producer].push(message.confirmed.since(message.due).0);
            }
        }
        let mut unavailable = vec![Span::ZERO; counts.len()];
        for (instance, availability) in self.instances.iter().enumerate() {
            let worst = &mut unavailable[self.layout.producer_of(instance as u16) as usize];
            *worst = (*worst).max(availability.longest_at(end));
        }
        let senders = self.layout.producers.iter().enumerate();
        (senders.zip(latencies))
            .map(|((number, sender), samples)| ProducerVerdict {
                name: sender.name.clone(),
                messages: counts[number],
                latency_confirm: Latency::of(samples),
                told_wrong: 0,
                throughput_per_s: windows[number].throughput(counts[number].confirmed),
                unavailable: sender.is_told.then_some(unavailable[number]),
            })
            .collect()
    }

    /// What users were told, held against what came of it. "Done" is right if it is done everywhere or still waits.
    fn judge_words(&self, producers: &mut [ProducerVerdict], judged: &[SubscriptionVerdict], end: &End) {
        let has_effect = |fate: Fate| matches!(fate, Fate::Duplicated | Fate::Processed | Fate::Phantom);
        let mut waiting: Vec<Option<Vec<u8>>> = vec![None; judged.len()];
        for (index, message) in self.messages.iter().enumerate() {
            let producer = self.layout.producer_of(message.instance) as usize;
            let answer = message.answer();
            let writes = self.layout.producers[producer].writes;
            let is_returned = message.is(Message::RETURNED);
            let is_done = answer == Answer::Confirmed && !is_returned;
            let heard_done = if writes { message.is(Message::WRITTEN) } else { is_done };
            let heard_failed = !heard_done && (answer == Answer::Failed || is_returned);
            if !heard_done && !heard_failed {
                continue;
            }
            let is_wrong = judged.iter().enumerate().any(|(list, one)| match one.by_message[index] {
                None => false,
                Some(fate) if heard_failed => has_effect(fate),
                Some(fate) if has_effect(fate) || fate == Fate::Backlogged => false,
                Some(Fate::Rejected | Fate::Unsent) => {
                    let at = if one.name == "none" { end.waiting.len() - 1 } else { list };
                    waiting[list].get_or_insert_with(|| self.copies(&end.waiting[at]))[index] == 0
                }
                Some(_) => true,
            });
            producers[producer].told_wrong += u64::from(is_wrong);
        }
    }

    fn throughput(&self, confirmed: u64) -> Option<f64> {
        let mut window = Window::default();
        self.messages.iter().for_each(|message| window.widen(message));
        window.throughput(confirmed)
    }

    fn judge_subscription(&self, id: SubscriptionId, end: &End) -> SubscriptionVerdict {
        let nobody = Column::default();
        let column = self.subscriptions.get(id.0 as usize).unwrap_or(&nobody);
        let list = self.subscriptions.len().min(id.0 as usize);
        let waiting = self.copies(&end.waiting[list]);
        let healed = self.copies(&end.healed[list]);
        let is_audit = self.layout.is_audit && id.0 == 0;
        let mut elsewhere = None;
        let mut judged = SubscriptionVerdict::of(self.layout.subscription_name(id), column);
        judged.is_shared = self.layout.is_shared.get(id.0 as usize).copied().unwrap_or(false);
        let mut drained = Time::ZERO;
        let mut delays = Vec::new();
        for (index, message) in self.messages.iter().enumerate() {
            let for_nobody = self.nobody.get(index).copied().unwrap_or_default();
            let reception = column.receptions.get(index).copied();
            let reception = if id == NONE { for_nobody } else { reception.unwrap_or_default() };
            if !self.is_addressed(id, index, message, reception) {
                judged.by_message.push(None);
                continue;
            }
            let copies = u64::from(waiting[index]);
            let (effects, waits) = if is_audit { (copies, false) } else { (reception.effects(), copies > 0) };
            let mut evidence = Evidence {
                answer: message.answer(),
                effects,
                waits,
                removal: reception.removal(),
                waits_when_healed: healed[index] > 0,
            };
            if evidence.removal == Some(Removal::DeadLettered) {
                let places = elsewhere.get_or_insert_with(|| self.elsewhere(list, end));
                if !places[index].0 {
                    evidence.removal = reception.removal_for_good();
                    evidence.waits_when_healed |= places[index].1;
                }
            }
            if evidence.removal.is_none() && !evidence.waits_when_healed {
                // What led nowhere, or was removed where nobody reads it, never got here.
                evidence.removal = for_nobody.removal_for_good();
            }
            judged.count(&evidence);
            if let Some(delay) = reception.delay() {
                delays.push(delay.0);
                if evidence.answer == Answer::Confirmed {
                    drained = drained.max(message.due + delay);
                }
            }
        }
        if is_audit {
            judged.store.actual = waiting.iter().map(|&copies| u64::from(copies)).sum();
        } else {
            judged.backlog.end = end.waiting[list].len() as u64;
        }
        judged.backlog.peak = judged.backlog.peak.max(judged.backlog.end);
        let due_last = self.messages.last().map_or(Time::ZERO, |message| message.due);
        judged.backlog.drained_after = (judged.backlog.end == 0).then(|| drained.since(due_last));
        judged.latency_end_to_end = Latency::of(delays);
        judged.reordered = self.reordered(column);
        assert_eq!(
            judged.fates.total(),
            judged.addressed,
            "the fates at {} do not add up to the messages addressed to it",
            judged.name
        );
        judged
    }

    /// Which messages are where this subscription's application sends what it cannot process, or were until somebody
    /// took them from there; and which would be there in the healed world.
    fn elsewhere(&self, list: usize, end: &End) -> Vec<(bool, bool)> {
        let mut found = vec![(false, false); self.messages.len()];
        if let Some(Some(aside)) = end.aside.get(list) {
            for reader in &aside.readers {
                let column = &self.subscriptions[reader.0 as usize];
                for (found, reception) in found.iter_mut().zip(column.receptions.iter()) {
                    found.0 |= reception.was_seen();
                }
            }
            let healed = end.aside_healed.get(list).and_then(Option::as_ref).unwrap_or(aside);
            aside.messages.iter().for_each(|message| found[message.0 as usize].0 = true);
            healed.messages.iter().for_each(|message| found[message.0 as usize].1 = true);
            return found;
        }
        let readers = self.layout.sends_on_to.get(list).map_or(&[][..], Vec::as_slice);
        for &reader in readers {
            for (found, reception) in found.iter_mut().zip(self.subscriptions[reader].receptions.iter()) {
                found.0 |= reception.was_seen();
            }
        }
        let nobody = self.subscriptions.len();
        for list in readers.iter().copied().chain([nobody]) {
            end.waiting[list].iter().for_each(|message| found[message.0 as usize].0 = true);
            end.healed[list].iter().for_each(|message| found[message.0 as usize].1 = true);
        }
        found
    }

    /// How many copies each message has.
    fn copies(&self, list: &[MessageId]) -> Vec<u8> {
        let mut copies = vec![0u8; self.messages.len()];
        for message in list {
            let count = &mut copies[message.0 as usize];
            *count = count.saturating_add(1);
        }
        copies
    }

    /// The routing leads there, or a copy was delivered there; to nobody: neither, for every subscription.
    pub(super) fn is_addressed(
        &self,
        id: SubscriptionId,
        index: usize,
        message: &Message,
        reception: Reception,
    ) -> bool {
        let leads = |number: usize| {
            message.due >= self.subscriptions[number].since && self.layout.leads(message, number)
        };
        if id != NONE {
            return reception.was_seen() || leads(id.0 as usize);
        }
        self.subscriptions
            .iter()
            .enumerate()
            .all(|(number, column)| !leads(number) && !column.receptions[index].was_seen())
    }

    /// Messages whose first effect came after the first effect of a message that the same instance sent later with the
    /// same key (all messages without key count as having the same one).
    fn reordered(&self, column: &Column) -> u64 {
        let mut lanes: Vec<(u16, u32, u32)> = Vec::new();
        for (index, (message, reception)) in self.messages.iter().zip(column.receptions.iter()).enumerate() {
            if reception.effects() > 0 {
                lanes.push((message.instance, message.key, index as u32));
            }
        }
        lanes.sort_unstable();
        let (mut reordered, mut lane, mut earliest) = (0, None, Time::NEVER);
        for &(instance, key, index) in lanes.iter().rev() {
            if lane != Some((instance, key)) {
                (lane, earliest) = (Some((instance, key)), Time::NEVER);
            }
            let index = index as usize;
            let delay = column.receptions[index].delay().expect("only messages with an effect were kept");
            let effect = self.messages[index].due + delay;
            reordered += u64::from(effect > earliest);
            earliest = earliest.min(effect);
        }
        reordered
    }
}

/// From the first due time to the last confirm.
#[derive(Clone, Copy, Debug, Default)]
struct Window {
    due_first: Option<Time>,
    confirmed_last: Option<Time>,
}

impl Window {
    fn widen(&mut self, message: &Message) {
        self.due_first = self.due_first.or(Some(message.due));
        if message.confirmed != Time::NEVER {
            self.confirmed_last = self.confirmed_last.max(Some(message.confirmed));
        }
    }

    fn throughput(&self, confirmed: u64) -> Option<f64> {
        let span = self.confirmed_last?.since(self.due_first?);
        (span > Span::ZERO).then(|| confirmed as f64 / span.as_secs())
    }
}

impl Counts {
    fn count(&mut self, answer: Answer) {
        self.sent += 1;
        match answer {
            Answer::Confirmed => self.confirmed += 1,
            Answer::Failed => self.failed += 1,
            Answer::Unknown => self.unknown += 1,
        }
    }
}

impl Verdict {
    /// The subscriptions that messages count for.
    pub fn counted(&self) -> impl Iterator<Item = &SubscriptionVerdict> {
        self.subscriptions.iter().filter(|one| !one.is_shared)
    }
}

impl SubscriptionVerdict {
    /// Nothing judged yet.
    fn of(name: &str, column: &Column) -> Self {
        Self {
            name: name.to_owned(),
            is_shared: false,
            addressed: 0,
            fates: Tally::default(),
            latent: 0,
            redelivered: column.redelivered,
            reordered: 0,
            stale: column.stale,
            leftover: 0,
            backlog: Backlog { peak: column.waiting_peak, end: 0, drained_after: None },
            latency_end_to_end: Latency::default(),
            store: Store { expected: 0, actual: column.effects },
            by_message: Vec::new(),
        }
    }

    fn count(&mut self, evidence: &Evidence) {
        let fate = Fate::of(evidence);
        self.addressed += 1;
        self.fates.count(fate);
        self.by_message.push(Some(fate));
        self.store.expected += u64::from(evidence.answer == Answer::Confirmed);
        self.latent += u64::from(evidence.waits && matches!(fate, Fate::Rejected | Fate::Unsent));
        self.leftover += u64::from(evidence.waits && evidence.effects > 0);
    }
}

impl Verdict {
    /// The digest of all fates, mixed into `digest`.
    pub fn digest(&self, digest: u64) -> u64 {
        self.subscriptions.iter().fold(digest, |digest, subscription| {
            let fates: Vec<u8> =
                subscription.by_message.iter().map(|fate| fate.map_or(u8::MAX, |fate| fate as u8)).collect();
            xxhash_rust::xxh3::xxh3_64_with_seed(&fates, digest)
        })
    }

    /// The subscription of that name.
    pub fn subscription(&self, name: &str) -> Option<&SubscriptionVerdict> {
        self.subscriptions.iter().find(|subscription| subscription.name == name)
    }

    /// How many messages have this fate, over all subscriptions.
    pub fn fate(&self, fate: Fate) -> u64 {
        self.subscriptions.iter().map(|subscription| subscription.fates.of(fate)).sum()
    }
}

/// A message may be processed here and missing there.
fn inconsistent(subscriptions: &[SubscriptionVerdict]) -> u64 {
    let has_effect = |fate: Fate| matches!(fate, Fate::Duplicated | Fate::Processed | Fate::Phantom);
    let messages = subscriptions.first().map_or(0, |first| first.by_message.len());
    let is_split = |index: &usize| {
        let mut fates = subscriptions.iter().filter_map(|subscription| subscription.by_message[*index]);
        let first = fates.next().map(has_effect);
        fates.any(|fate| Some(has_effect(fate)) != first)
    };
    if subscriptions.len() < 2 { 0 } else { (0..messages).filter(is_split).count() as u64 }
}
