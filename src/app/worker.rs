//! The application half of one consumer instance: it processes what it is handed, one message at a time and in order,
//! or with a pool of threads.
//!
//! Processing has two instants, the start and the end, because some protections look at the store at both. A failed
//! attempt is repeated in place, so that nothing else of that thread gets on, and is given up in the end.

use std::collections::VecDeque;

use super::catalogue::Catalogue;
use super::store::{Recorded, Store};
use crate::fact::{Fact, GivenUp, MessageId, SubscriptionId};
use crate::scenario::plan::{ConsumerPlan, IfFails, Plan, PoolOrder, Then};
use crate::sim::draw::{self, Purpose};
use crate::sim::{Dist, Span};

/// One operation of a store besides the effect: to look up a record, or to write one.
pub const STORE_OPERATION: Span = Span::from_millis(1);

/// A delivered message, with what its family needs to acknowledge it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    /// The message.
    pub message: MessageId,
    /// Where it was read, in the family's numbering.
    pub place: u32,
    /// At which offset or tag.
    pub offset: u64,
}

/// After a call to a service failed, and nothing says what is done then, it is made again after this time.
const TRY_AGAIN: Span = Span::from_millis(100);

/// How a thread goes on after it worked for as long as it said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It is not done with its item: ask again after that long.
    On(Span),
    /// It is done with this item.
    Done(Item),
    /// It could not process this item; what the application does then.
    Failed(Item, Then),
}

/// What a thread has in its hands.
#[derive(Clone, Copy, Debug)]
struct Task {
    item: Item,
    /// Failed attempts at this delivery.
    failures: u32,
    stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// It works; whether a look at the store at the start found the message.
    Working { is_known: bool },
    /// An attempt failed, and the next one comes.
    Resting,
    /// The effect is in the store; the record of it is being written.
    Recording,
    /// It could not be processed and is being sent somewhere else.
    SendingOn,
}

/// Which processings fail, and what happens then.
#[derive(Clone, Debug)]
struct Trouble {
    /// By producer and number, sorted.
    poison: Vec<(u16, u32)>,
    fails_ppm: u32,
    retries: u32,
    every: Span,
    then: Then,
}

/// The application half of a consumer instance.
#[derive(Clone, Debug)]
pub struct Worker {
    /// What it reports as. Several consumers can share one.
    pub subscription: SubscriptionId,
    /// Which instance, from 0.
    pub instance: u16,
    process: Dist,
    seed: u64,
    threads: Vec<Option<Task>>,
    /// One for all threads, or one for each.
    queues: Vec<VecDeque<Item>>,
    queued: usize,
    active: usize,
    is_pool: bool,
    trouble: Option<Box<Trouble>>,
    /// The service that it calls for each message said no, or nothing.
    is_refused: bool,
}

impl Worker {
    /// An instance of a consumer of the plan, with nothing to do. It reports as this subscription: consumers that
    /// share one share its store.
    pub fn new(
        plan: &Plan,
        wanted: &ConsumerPlan,
        subscription: SubscriptionId,
        instance: u16,
        seed: u64,
    ) -> Self {
        let threads = usize::from(wanted.workers.unwrap_or(1).max(1));
        let queues = if wanted.order == PoolOrder::ByKey { threads } else { 1 };
        Self {
            subscription,
            instance,
            process: wanted.process,
            seed,
            threads: vec![None; threads],
            queues: vec![VecDeque::new(); queues],
            queued: 0,
            active: 0,
            is_pool: wanted.workers.is_some(),
            trouble: Trouble::of(plan, wanted).map(Box::new),
            is_refused: false,
        }
    }

    /// Whether a pool works on what it is handed while the thread that polls goes on.
    #[inline]
    pub fn is_pool(&self) -> bool {
        self.is_pool
    }

    /// How many more messages it takes, with a queue of that length before a pool.
    #[inline]
    pub fn room(&self, bound: usize) -> usize {
        match self.is_pool {
            true => bound.saturating_sub(self.queued),
            false if self.is_idle() => bound,
            false => 0,
        }
    }

    /// Hands a message to one that is no pool and has nothing to do: how long it will take.
    #[inline]
    pub fn process(&mut self, item: Item, store: &mut Store, catalogue: &Catalogue) -> Span {
        debug_assert!(!self.is_pool && self.is_idle(), "it takes one message after another");
        self.begin(0, item, store, catalogue)
    }

    /// Hands it a message.
    pub fn offer(&mut self, item: Item, catalogue: &Catalogue) {
        let lanes = self.queues.len();
        let lane = if lanes == 1 {
            0
        } else {
            // A message without a key keeps its order within its place.
            catalogue.key(item.message).unwrap_or(item.place) as usize % lanes
        };
        self.queues[lane].push_back(item);
        self.queued += 1;
    }

    /// If a thread is free and has something to do, it starts: which, and how long it will take.
    pub fn start(&mut self, store: &mut Store, catalogue: &Catalogue) -> Option<(u16, Span)> {
        if self.queued == 0 || self.active == self.threads.len() {
            return None;
        }
        let (thread, item) = if let [_] = self.threads[..] {
            // The usual case: no pool, one queue.
            (0, self.queues.first_mut()?.pop_front()?)
        } else {
            let lanes = self.queues.len();
            let is_ready =
                |&thread: &usize| self.threads[thread].is_none() && !self.queues[thread % lanes].is_empty();
            let thread = (0..self.threads.len()).find(is_ready)?;
            (thread, self.queues[thread % lanes].pop_front()?)
        };
        self.queued -= 1;
        Some((thread as u16, self.begin(thread, item, store, catalogue)))
    }

    /// A free thread takes up a message.
    #[inline]
    fn begin(&mut self, thread: usize, item: Item, store: &mut Store, catalogue: &Catalogue) -> Span {
        let is_known = store.begin(item);
        let takes = if is_known { STORE_OPERATION } else { self.takes(item, 0, catalogue) };
        self.active += 1;
        self.threads[thread] = Some(Task { item, failures: 0, stage: Stage::Working { is_known } });
        takes
    }

    fn takes(&self, item: Item, failures: u32, catalogue: &Catalogue) -> Span {
        if let Dist::Constant(takes) = self.process {
            return takes;
        }
        let identity = catalogue.origin(item.message).identity();
        self.process.sample(draw::bits(self.seed, Purpose::Process, identity, u64::from(failures)))
    }

    /// A thread worked for as long as it said; none: it has nothing in its hands.
    #[inline]
    pub fn turn(
        &mut self,
        thread: u16,
        store: &mut Store,
        catalogue: &Catalogue,
        observe: impl FnOnce(Fact),
    ) -> Option<Turn> {
        let task = self.threads.get(thread as usize).copied().flatten()?;
        let Task { item, failures, stage } = task;
        let (stage, takes) = match stage {
            Stage::Working { is_known } if is_known || !self.goes_wrong(item, store, catalogue) => {
                let (fact, written) = store.finish(item, is_known, self.subscription, catalogue);
                observe(fact);
                if written == Recorded::All {
                    return Some(self.done(thread, item));
                }
                (Stage::Recording, STORE_OPERATION)
            }
            Stage::Working { .. } => return Some(self.went_wrong(thread, task, observe)),
            Stage::Recording => {
                store.record(item);
                return Some(self.done(thread, item));
            }
            Stage::Resting => (Stage::Working { is_known: false }, self.takes(item, failures, catalogue)),
            Stage::SendingOn => return None,
        };
        Some(self.goes_on(thread, Task { stage, ..task }, takes))
    }

    #[inline]
    fn done(&mut self, thread: u16, item: Item) -> Turn {
        self.clear(thread);
        Turn::Done(item)
    }

    fn goes_on(&mut self, thread: u16, task: Task, takes: Span) -> Turn {
        self.threads[thread as usize] = Some(task);
        Turn::On(takes)
    }

    /// An attempt failed: the next one comes after a rest, unless there were enough of them.
    #[cold]
    fn went_wrong(&mut self, thread: u16, task: Task, observe: impl FnOnce(Fact)) -> Turn {
        let Task { item, failures, .. } = task;
        let trouble = self.trouble.as_deref();
        let Some(trouble) = trouble.filter(|trouble| failures >= trouble.retries) else {
            let every = trouble.map_or(TRY_AGAIN, |trouble| trouble.every);
            return self.goes_on(thread, Task { item, failures: failures + 1, stage: Stage::Resting }, every);
        };
        let then = trouble.then.clone();
        if then == Then::Skip {
            let (message, subscription, how) = (item.message, self.subscription, GivenUp::Discarded);
            observe(Fact::GivenUp { message, subscription, how });
        }
        if matches!(then, Then::SendTo(_)) {
            self.threads[thread as usize] = Some(Task { stage: Stage::SendingOn, ..task });
        } else {
            self.clear(thread);
        }
        Turn::Failed(item, then)
    }

    /// What a thread is working on, if the store did not know it already: the service is called for it then.
    pub fn working(&self, thread: u16) -> Option<MessageId> {
        let task = self.threads.get(thread as usize)?.as_ref()?;
        (task.stage == Stage::Working { is_known: false }).then_some(task.item.message)
    }

    /// The thread that works on this message.
    pub fn thread_of(&self, message: MessageId) -> Option<u16> {
        let is_it = |thread: &u16| self.working(*thread) == Some(message);
        (0..self.threads.len() as u16).find(is_it)
    }

    /// The message is where it was sent to: the thread that waited for that is done with this item.
    pub fn sent_on(&mut self, message: MessageId) -> Option<Item> {
        let is_it = |task: &Task| task.stage == Stage::SendingOn && task.item.message == message;
        let thread = self.threads.iter().position(|task| task.as_ref().is_some_and(is_it))?;
        let item = self.threads[thread].map(|task| task.item);
        self.clear(thread as u16);
        item
    }

    /// The service did not do its part: the next turn fails.
    pub fn refuse(&mut self) {
        self.is_refused = true;
    }

    fn clear(&mut self, thread: u16) {
        self.threads[thread as usize] = None;
        self.active -= 1;
    }

    /// Whether an attempt that ends now fails.
    #[inline]
    fn goes_wrong(&mut self, item: Item, store: &mut Store, catalogue: &Catalogue) -> bool {
        let is_refused = std::mem::take(&mut self.is_refused);
        is_refused
            || self.trouble.as_deref().is_some_and(|trouble| self.fails(trouble, item, store, catalogue))
    }

    fn fails(&self, trouble: &Trouble, item: Item, store: &mut Store, catalogue: &Catalogue) -> bool {
        let origin = catalogue.origin(item.message);
        let attempt = store.failures(item.message);
        let drawn = draw::bits(self.seed, Purpose::Fail, origin.identity(), u64::from(attempt));
        let fails = draw::below(drawn, 1_000_000) < u64::from(trouble.fails_ppm)
            || trouble.poison.binary_search(&(origin.producer.0, origin.number)).is_ok();
        if fails {
            store.failed(item.message);
        }
        fails
    }

    /// How many of its threads are busy, and how many there are.
    pub fn threads(&self) -> (usize, usize) {
        (self.active, self.threads.len())
    }

    /// How many messages wait for a thread.
    pub fn queued(&self) -> usize {
        self.queued
    }

    /// Whether it has nothing to do.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.active == 0 && self.queued == 0
    }

    /// What it holds and has not finished: what is under way, then what waits.
    pub fn held(&self) -> impl Iterator<Item = &Item> {
        let current = self.threads.iter().flatten().map(|task| &task.item);
        current.chain(self.queues.iter().flatten())
    }

    /// The process was restarted: it holds nothing.
    pub fn restart(&mut self) {
        self.queues.iter_mut().for_each(VecDeque::clear);
        self.threads.fill(None);
        (self.queued, self.active) = (0, 0);
    }
}

impl Trouble {
    /// None: nothing ever fails.
    fn of(plan: &Plan, wanted: &ConsumerPlan) -> Option<Self> {
        let mut poison: Vec<(u16, u32)> = wanted
            .poison
            .iter()
            .filter_map(|poison| {
                let producer = plan.producers.iter().position(|it| it.name == poison.producer)?;
                Some((producer as u16, poison.number))
            })
            .collect();
        poison.sort_unstable();
        let IfFails { retries, then, .. } = &wanted.if_fails;
        let says_so = wanted.calls.is_some() && (*retries > 0 || *then != Then::Skip);
        let is_any = !poison.is_empty() || wanted.fails_ppm > 0 || says_so;
        is_any.then(|| Self {
            poison,
            fails_ppm: wanted.fails_ppm,
            retries: wanted.if_fails.retries,
            every: wanted.if_fails.every,
            then: wanted.if_fails.then.clone(),
        })
    }
}

#[cfg(test)]
mod tests;
