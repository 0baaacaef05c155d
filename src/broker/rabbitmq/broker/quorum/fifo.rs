//! The queue as a state machine: commands in, effects out. Members apply the same commands and have the same queue;
//! effects are the leader's business.
//!
//! A message is ready, returned, held by a consumer, kept back for a while (4.3), or a dead letter that waits until its
//! destinations have it. Returned ones are served before ready ones, in the order in which they came back: a message
//! does not get its old place again. Where there is no delivery limit (from 3.10) what a consumer gives back by itself
//! goes to the tail instead.
//!
//! Source: `rabbit_fifo`; <https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling>.
//!
//! Not modelled: what a limit on messages in memory (until 3.9) saves, filtering, credit of AMQP 1.0.

use std::collections::VecDeque;

use super::Handed;
use super::commands::{Command, Fresh, What};
use super::consumers::{Consumers, Who};
use super::ready::Ready;
use crate::broker::rabbitmq::content::{EnvelopeId, Reason};
use crate::broker::rabbitmq::message::{Pid, Settled};
use crate::broker::rabbitmq::packet::ConsumerTag;
use crate::broker::rabbitmq::rules::QuorumPriorities;
use crate::broker::rabbitmq::topology::{Overflow, QueueId, Topology};
use crate::sim::{PushWith, Span, Time};

/// A message of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) struct Item {
    /// The index of the command that brought it: the queue's own number for it.
    pub(super) index: u64,
    pub(super) envelope: EnvelopeId,
    pub(super) size: u32,
    pub(super) priority: u8,
    /// Its body is on disk alone.
    pub(super) is_on_disk: bool,
    pub(super) expires: Time,
    /// How often it came back, as the delivery limit counts.
    pub(super) count: u32,
    /// How often it was handed to a consumer.
    pub(super) deliveries: u32,
}

/// The queue.
#[derive(Clone, Debug, Default)]
pub(in super::super::super) struct Fifo {
    pub(super) ready: Ready,
    pub(super) returned: VecDeque<Item>,
    /// Kept back until a time, in the order of times.
    pub(super) delayed: Vec<(Time, Item)>,
    /// Dead letters whose destinations have not confirmed them.
    pub(super) dead: VecDeque<(Item, Reason)>,
    pub(super) consumers: Consumers,
    /// Channels that publish to it, in their order, with the number of the last message that it took from each.
    senders: Vec<(Pid, u64)>,
    /// Bytes of the bodies of ready, returned and dead messages.
    pub(super) bytes: u64,
    /// A message with a time to live was here.
    pub(super) has_expiring: bool,
    /// Senders were told that it is full.
    pub(super) is_full: bool,
    /// Ready messages whose bodies are in memory, where that is limited.
    pub(super) in_memory: u32,
}

/// What a queue is set up to do.
#[derive(Clone, Copy, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is an argument or a rule that it has or has not")]
pub(super) struct Setup {
    pub(super) limit: Option<u32>,
    /// What a consumer gives back goes to the tail.
    pub(super) returns_to_tail: bool,
    /// What is given back by `basic.nack` does not count.
    pub(super) counts_only_failures: bool,
    pub(super) priorities: QuorumPriorities,
    pub(super) max_length: Option<u64>,
    pub(super) max_bytes: Option<u64>,
    pub(super) max_in_memory: Option<u32>,
    pub(super) drops_head: bool,
    /// Dead letters stay until they are confirmed.
    pub(super) keeps_dead: bool,
    pub(super) is_single: bool,
    /// The single active consumer gives way to one of a higher priority.
    pub(super) yields: bool,
    pub(super) retry: Option<(Span, Span)>,
    /// What consumers hold whose node is out of reach stays with them for a while.
    pub(super) is_patient: bool,
}

impl Setup {
    pub(super) fn of(topology: &Topology, queue: QueueId) -> Self {
        let (args, rules) = (&topology.queue(queue).args, &topology.rules);
        Self {
            limit: args.delivery_limit,
            returns_to_tail: args.delivery_limit.is_none() && rules.returns_to_tail,
            counts_only_failures: rules.counts_only_failures,
            priorities: rules.quorum_priorities,
            max_length: args.max_length.map(u64::from),
            max_bytes: args.max_length_bytes,
            max_in_memory: args.max_in_memory,
            drops_head: args.overflow == Overflow::DropHead,
            keeps_dead: args.dead_letter.is_some_and(|dead_letter| dead_letter.is_at_least_once),
            is_single: args.single_active_consumer,
            yields: rules.active_consumer_yields,
            retry: args.delayed_retry,
            is_patient: args.consumer_disconnected_timeout > Span::ZERO,
        }
    }
}

/// What follows from a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// The queue has it now, by the number that is its own.
    Stored(u64, EnvelopeId),
    Deliver(Pid, ConsumerTag, Handed),
    Got(Pid, Option<Handed>),
    /// It was given up.
    Died(EnvelopeId, Reason),
    /// It was given up before, and all its destinations have it now.
    Buried(EnvelopeId),
    /// Senders are to hold back, or to go on; one of them, or all.
    Full(Option<Pid>, bool),
}

/// Why a message comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Nack,
    Reject,
    /// Whoever held it is gone.
    Crash,
}

impl Fifo {
    /// Applies a command of the log.
    /// Whether it was taken: a message that comes before its turn is not, and has to come again.
    pub(super) fn apply(
        &mut self,
        index: u64,
        command: &Command,
        setup: &Setup,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let at = command.at;
        let by = command.from.map(|(pid, _)| pid);
        let mut is_taken = true;
        match (&command.what, by) {
            (What::Enqueue { number, fresh }, by) => {
                is_taken = self.enqueue(index, by, *number, *fresh, setup, effects);
            }
            (What::Subscribe(wanted), Some(by)) => self.consumers.add(by, *wanted),
            (What::Cancel(tag), Some(by)) => self.consumers.cancel((by, *tag)),
            (What::Get, Some(by)) => self.get(index, by, at, setup, effects),
            (What::Settle { tag, ids, how }, Some(by)) => {
                self.settle((by, *tag), ids, *how, at, setup, effects);
            }
            (What::Gone(pid), _) => self.gone(*pid, at, setup, effects),
            (What::Lost(node), _) => self.lost(*node, at, setup, effects),
            (What::GivenUp(node), _) => self.given_up(*node, at, setup, effects),
            (What::Back(node), _) => self.mark_lost(*node, false),
            (What::Buried(ids), _) => self.bury(ids, effects),
            (What::Due | What::Subscribe(_) | What::Cancel(_) | What::Get | What::Settle { .. }, _) => {}
        }
        let is_new = matches!(command.what, What::Enqueue { .. });
        self.serve(at, is_new, setup, effects);
        is_taken
    }

    /// A message comes in: in the order of its channel, and once. Whether it is there now.
    fn enqueue(
        &mut self,
        index: u64,
        by: Option<Pid>,
        number: u64,
        fresh: Fresh,
        setup: &Setup,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(pid) = by.filter(|_| number > 0) else {
            self.take_in(index, fresh, setup, effects);
            return true;
        };
        let at = self.sender(pid).unwrap_or_else(|at| {
            if self.is_full {
                effects.push(Effect::Full(Some(pid), true));
            }
            self.senders.insert(at, (pid, 0));
            at
        });
        let last = &mut self.senders[at].1;
        if number > *last + 1 {
            return false;
        }
        if number > *last {
            *last = number;
            self.take_in(index, fresh, setup, effects);
        }
        true
    }

    /// Where a channel stands, or would stand, among the senders.
    fn sender(&self, pid: Pid) -> Result<usize, usize> {
        self.senders.binary_search_by_key(&pid, |(known, _)| *known)
    }

    fn take_in(&mut self, index: u64, fresh: Fresh, setup: &Setup, effects: &mut Vec<Effect>) {
        let Fresh { envelope, size, priority, expires } = fresh;
        let is_on_disk = !self.has_memory(setup);
        let item = Item { index, envelope, size, priority, is_on_disk, expires, count: 0, deliveries: 0 };
        effects.push_with(|| Effect::Stored(index, envelope));
        self.has_expiring |= expires != Time::NEVER;
        self.bytes += u64::from(size);
        self.ready.push(item, setup.priorities);
    }

    /// Whether one more message stays in memory; it counts then.
    fn has_memory(&mut self, setup: &Setup) -> bool {
        let is_there = setup.max_in_memory.is_none_or(|limit| self.in_memory < limit);
        self.in_memory += u32::from(is_there && setup.max_in_memory.is_some());
        is_there
    }

    /// A consumer says what became of its messages.
    fn settle(
        &mut self,
        who: Who,
        ids: &[u64],
        how: Settled,
        at: Time,
        setup: &Setup,
        effects: &mut Vec<Effect>,
    ) {
        for &id in ids {
            let Some(item) = self.consumers.release(who, id) else { continue };
            match how {
                Settled::Acked => {}
                Settled::Discarded => self.die(item, Reason::Rejected, setup, effects),
                Settled::Requeued { is_reject } => {
                    let why = if is_reject { Why::Reject } else { Why::Nack };
                    self.give_back(item, why, at, setup, effects);
                }
            }
        }
    }

    /// A message comes back.
    pub(super) fn give_back(
        &mut self,
        mut item: Item,
        why: Why,
        at: Time,
        setup: &Setup,
        effects: &mut Vec<Effect>,
    ) {
        let is_counted = why != Why::Nack || !setup.counts_only_failures;
        item.count += u32::from(is_counted);
        if setup.limit.is_some_and(|limit| item.count > limit) {
            return self.die(item, Reason::DeliveryLimit, setup, effects);
        }
        if let Some((least, most)) = setup.retry.filter(|_| is_counted) {
            let due = at + (least * u64::from(item.count)).min(most);
            let place = self.delayed.partition_point(|(other, _)| *other <= due);
            return self.delayed.insert(place, (due, item));
        }
        self.bytes += u64::from(item.size);
        item.is_on_disk = item.is_on_disk || !self.has_memory(setup);
        if setup.returns_to_tail && why != Why::Crash {
            self.ready.push(item, setup.priorities);
        } else {
            self.returned.push_back(item);
        }
    }

    /// It is given up; a dead letter that has to arrive stays until it has.
    pub(super) fn die(&mut self, item: Item, reason: Reason, setup: &Setup, effects: &mut Vec<Effect>) {
        if setup.keeps_dead {
            self.bytes += u64::from(item.size);
            self.dead.push_back((item, reason));
        }
        effects.push(Effect::Died(item.envelope, reason));
    }

    fn bury(&mut self, ids: &[u64], effects: &mut Vec<Effect>) {
        for &id in ids {
            if let Some(at) = self.dead.iter().position(|(item, _)| item.index == id)
                && let Some((item, _)) = self.dead.remove(at)
            {
                self.bytes -= u64::from(item.size);
                effects.push(Effect::Buried(item.envelope));
            }
        }
    }

    /// A channel's process ended: all that it held comes back, and counts.
    fn gone(&mut self, pid: Pid, at: Time, setup: &Setup, effects: &mut Vec<Effect>) {
        if let Ok(at) = self.sender(pid) {
            self.senders.remove(at);
        }
        for item in self.consumers.remove_channel(pid) {
            self.give_back(item, Why::Crash, at, setup, effects);
        }
    }

    /// A node is out of reach: what its consumers hold comes back, unless it is waited for.
    fn lost(&mut self, node: u16, at: Time, setup: &Setup, effects: &mut Vec<Effect>) {
        self.mark_lost(node, true);
        if !setup.is_patient {
            self.given_up(node, at, setup, effects);
        }
    }

    fn given_up(&mut self, node: u16, at: Time, setup: &Setup, effects: &mut Vec<Effect>) {
        let is_lost = self.consumers.iter().any(|one| one.who.0.node == node && one.is_lost);
        if is_lost {
            for item in self.consumers.release_node(node) {
                self.give_back(item, Why::Crash, at, setup, effects);
            }
        }
    }

    fn mark_lost(&mut self, node: u16, is_lost: bool) {
        for one in self.consumers.iter_mut().filter(|one| one.who.0.node == node) {
            one.is_lost = is_lost;
        }
    }

    /// Everybody whose end the queue must hear of.
    pub(super) fn pids(&self) -> Vec<Pid> {
        let mut pids: Vec<Pid> = self.senders().collect();
        pids.extend(self.consumers.iter().map(|one| one.who.0));
        pids.sort_unstable();
        pids.dedup();
        pids
    }

    pub(super) fn knows(&self, pid: Pid) -> bool {
        self.sender(pid).is_ok() || self.consumers.iter().any(|one| one.who.0 == pid)
    }

    pub(super) fn senders(&self) -> impl Iterator<Item = Pid> {
        self.senders.iter().map(|(pid, _)| *pid)
    }

    /// How many messages wait for a consumer.
    pub(super) fn waiting(&self) -> usize {
        self.ready.len() + self.returned.len()
    }

    /// All messages.
    pub(super) fn items(&self) -> impl Iterator<Item = &Item> {
        let held = self.consumers.iter().flat_map(|one| one.held.values());
        let dead = self.dead.iter().map(|(item, _)| item);
        let delayed = self.delayed.iter().map(|(_, item)| item);
        self.returned.iter().chain(self.ready.iter()).chain(held).chain(delayed).chain(dead)
    }

    /// How large it is as a snapshot, about.
    pub(super) fn bytes(&self) -> u64 {
        let held = self.consumers.iter().flat_map(|one| one.held.values());
        self.bytes + held.map(|item| u64::from(item.size)).sum::<u64>() + 100 * self.waiting() as u64
    }
}
