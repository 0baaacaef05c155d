//! A consuming client: positions, fetching ahead, handing over, committing; and the application that uses it.
//!
//! The *position* is the next offset to hand over; the *committed* offset is where the group starts again. The Java
//! client commits automatically inside `poll`, and only what earlier polls returned and the application therefore
//! finished; librdkafka commits in the background whatever was handed over, finished or not.
//!
//! Source: `KafkaConsumer`, `ConsumerCoordinator`, `Fetcher`; librdkafka `INTRODUCTION.md`, "At-least-once
//! processing". With a pool the thread that polls hands over and goes on polling while there is room: automatic
//! commits of the Java client then cover what is unfinished, too; an application that commits by itself commits the
//! lowest unfinished offset of each partition.
//!
//! Not modelled: `isolation.level=read_committed`, fetching from followers, truncation detection (KIP-320).

use smallvec::SmallVec;

use super::super::config::{Client, ConsumerConfig, Reset};
use super::super::model::{KafkaCtx, Shared, Timer};
use super::super::packet::{Error, FetchPart, FetchRequest, FetchResponse, Packet};
use super::super::story::{self, Kind};
use super::assigned::{Assigned, Progress};
use super::links::Links;
use super::membership::Membership;
use super::sending_on::SendingOn;
use crate::app::{Item, Line, Turn, Worker};
use crate::fact::{Down, Fact, MessageId, SubscriptionId};
use crate::scenario::plan::{Plan, Then};
use crate::sim::{ConnId, Input, Time};

mod calls;
mod picture;

/// One instance of a consuming application, with its client library.
#[derive(Clone, Debug)]
pub(in super::super) struct Consumer {
    pub(in super::super) worker: Worker,
    pub(in super::super) config: ConsumerConfig,
    pub(super) links: Links,
    pub(super) membership: Membership,
    read_from: String,
    /// Every partition that it may ever read: the first and how many. Its topics follow one another.
    reach: (u32, u32),
    /// The partitions of each topic that it knows of: the first and how many.
    pub(super) topics: Vec<(u32, u32)>,
    /// What the group's leader handed out last; none: it does not lead.
    pub(super) handed_out: Option<Vec<(u32, u32)>>,
    /// The group's leader knows of partitions that it has not handed out.
    pub(super) is_outgrown: bool,
    pub(in super::super) assigned: Vec<Assigned>,
    /// By broker: when the fetch under way was sent.
    fetching: Vec<Option<Time>>,
    pub(super) polled_at: Time,
    pub(super) commit_at: Time,
    wake_at: Time,
    /// It takes only what steps tell it to: how many messages are left to take; [`u32::MAX`]: all there are.
    pub(super) by_hand: Option<u32>,
    /// A pool's thread that polls has committed, and may hand over when that is answered.
    has_committed: bool,
    /// To the service that it calls for each message.
    service: Option<Box<Line>>,
    /// For what it cannot process.
    pub(super) sending_on: Option<Box<SendingOn>>,
    /// The member that its first process is, and what it owns.
    initial: Option<(u64, Vec<u32>)>,
}

impl Consumer {
    pub(in super::super) fn new(
        plan: &Plan,
        subscription: SubscriptionId,
        instance: u16,
        seed: u64,
        shared: &Shared,
    ) -> Self {
        let wanted = &plan.consumers[subscription.0 as usize];
        let config = ConsumerConfig::new(plan, wanted);
        let topology = &shared.topology;
        let reached = topology.topics(&wanted.read_from);
        let reach = reached.first().map_or((0, 0), |topic| {
            let count = reached.iter().map(|topic| topic.count).sum();
            (topic.first, count)
        });
        let topics = reached.iter().map(|topic| (topic.first, topic.initial)).collect();
        let group = topology.group(&super::super::config::group_id(wanted)).unwrap_or_default();
        let home = topology.groups.get(group as usize).map_or(0, |group| group.home);
        Self {
            worker: Worker::new(plan, wanted, subscription, instance, seed),
            links: Links::new(
                topology.brokers,
                config.client,
                config.request_timeout,
                config.metadata_max_age,
            )
            .beginning_at(topology.brokers_named(&wanted.connect_to)),
            membership: Membership::new(group, home),
            read_from: wanted.read_from.clone(),
            reach,
            topics,
            handed_out: None,
            is_outgrown: false,
            assigned: Vec::new(),
            fetching: vec![None; topology.brokers as usize],
            polled_at: Time::ZERO,
            commit_at: Time::ZERO,
            wake_at: Time::NEVER,
            by_hand: wanted.is_by_hand.then_some(0),
            has_committed: false,
            service: wanted
                .calls
                .as_deref()
                .and_then(|name| shared.service(name))
                .map(Line::new)
                .map(Box::new),
            sending_on: SendingOn::of(plan, wanted, seed, shared).map(Box::new),
            initial: None,
            config,
        }
    }

    /// Whether it is a member with an assignment and has nothing unfinished in its hands.
    pub(in super::super) fn is_settled(&self) -> bool {
        self.membership.is_stable()
            && self.worker.is_idle()
            && self.assigned.iter().all(|assigned| assigned.position.is_some() && assigned.fetched.is_empty())
    }

    /// Its first process is this member of a stable group.
    pub(in super::super) fn establish(&mut self, member: u64, partitions: Vec<u32>, leads: bool) {
        self.initial = Some((member, partitions));
        self.handed_out = leads.then(|| self.topics.clone());
    }

    /// The group it belongs to.
    pub(in super::super) fn group(&self) -> u16 {
        self.membership.group
    }

    /// Whether it subscribes to this partition's topic.
    pub(in super::super) fn reads(&self, partition: u32) -> bool {
        let (first, count) = self.reach;
        (first..first + count).contains(&partition)
    }

    /// Whether the thread that polls is not busy, or waiting for room before its pool.
    pub(super) fn may_poll(&self) -> bool {
        self.worker.room(self.config.max_poll_records) > 0
    }

    /// What the application holds and has not finished.
    pub(in super::super) fn held(&self) -> impl Iterator<Item = MessageId> + '_ {
        self.worker.held().map(|item| item.message)
    }

    /// A step tells it to take messages and process them; none: all that it can get now.
    pub(in super::super) fn told_to_get(
        &mut self,
        count: Option<u32>,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        self.by_hand = Some(count.unwrap_or(u32::MAX));
        self.go_on(false, shared, ctx);
    }

    /// A step tells it to commit what it has finished; false: it has no group to commit to.
    pub(in super::super) fn told_to_commit(&mut self, ctx: &mut KafkaCtx<'_>) -> bool {
        let is_member = self.membership.is_stable();
        if is_member {
            self.commit(ctx);
        }
        is_member
    }

    /// Whether it has done what it was told to. `is_end` says whether nothing is readable from there on.
    pub(in super::super) fn has_done(&self, is_end: impl Fn(u32, u64) -> bool) -> bool {
        let has_all = || {
            self.membership.is_stable()
                && self
                    .assigned
                    .iter()
                    .all(|own| own.position.is_some_and(|position| is_end(own.partition, position)))
        };
        let has_taken = match self.by_hand {
            None | Some(0) => true,
            Some(u32::MAX) => has_all(),
            Some(_) => false,
        };
        has_taken && self.worker.is_idle() && !self.membership.is_committing()
    }

    #[inline]
    pub(in super::super) fn on(
        &mut self,
        input: Input<Packet, Timer>,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        if self.sending_on.is_some() || self.service.is_some() {
            return self.on_beside(input, shared, ctx);
        }
        let is_processed = matches!(input, Input::Timer(Timer::Processed(_)));
        self.act(input, is_processed, shared, ctx);
    }

    /// The input of a consumer that also talks to others than the brokers it reads from.
    #[cold]
    #[inline(never)]
    fn on_beside(&mut self, input: Input<Packet, Timer>, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let mut is_processed = matches!(input, Input::Timer(Timer::Processed(_)));
        let Some(input) = self.take_for_sending_on(input, shared, ctx) else {
            return self.go_on(true, shared, ctx);
        };
        match self.service_said(&input, shared, ctx) {
            Some(true) => return ctx.exit(),
            Some(false) => is_processed = true,
            None => {}
        }
        self.act(input, is_processed, shared, ctx);
    }

    #[inline]
    fn act(
        &mut self,
        input: Input<Packet, Timer>,
        is_processed: bool,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        match input {
            Input::Packet(conn, Packet::FetchResponse(response)) => self.fetched(conn, &response, shared),
            Input::Timer(Timer::Processed(thread)) => {
                let is_over = !self.call(thread, ctx) && self.processed(thread, shared, ctx);
                if is_over {
                    return ctx.exit();
                }
            }
            Input::Packet(_, Packet::MetadataResponse(view)) => {
                self.links.answered(view, ctx.now());
                self.learn_partitions(shared);
            }
            Input::Packet(_, Packet::GroupResponse(response)) => self.group_said(*response, ctx),
            Input::Packet(_, Packet::EndsResponse(ends)) => self.ends_answered(&ends, ctx),
            Input::Timer(Timer::Heartbeat) => self.heartbeat(ctx),
            Input::Timer(Timer::AutoCommit) => self.auto_commit(ctx),
            Input::Timer(Timer::Wake) => self.wake(ctx),
            Input::Start => self.start(ctx),
            Input::Stop => self.stop(ctx),
            Input::Connected(conn) => {
                if self.membership.conn == Some(conn) {
                    self.membership.opened();
                } else {
                    self.links.connected(conn);
                }
            }
            Input::Closed(conn) => self.closed(conn, ctx),
            _ => {}
        }
        self.go_on(is_processed, shared, ctx);
    }

    fn start(&mut self, ctx: &mut KafkaCtx<'_>) {
        if let Some(line) = &mut self.service {
            line.restart();
        }
        self.worker.restart();
        self.has_committed = false;
        self.assigned.clear();
        self.fetching.fill(None);
        self.membership.restart();
        self.is_outgrown = false;
        if self.initial.is_none() {
            self.handed_out = None;
        }
        if let Some((member, partitions)) = self.initial.take() {
            self.membership.resume(member);
            self.assigned.extend(partitions.into_iter().map(Assigned::new));
            for assigned in &mut self.assigned {
                assigned.begin(0);
            }
        }
        self.polled_at = ctx.now();
        self.commit_at = ctx.now() + self.config.auto_commit_interval;
        self.wake_at = Time::NEVER;
        self.links.restart(ctx);
        ctx.timer(self.config.heartbeat_interval, Timer::Heartbeat);
        if self.config.has_auto_commit {
            ctx.timer(self.config.auto_commit_interval, Timer::AutoCommit);
        }
    }

    /// New partitions: the group's leader sees them first in its metadata, and has everybody join again.
    fn learn_partitions(&mut self, shared: &Shared) {
        if shared.topology.grows
            && let Some(view) = &self.links.view
        {
            self.topics = shared.topology.known(&self.read_from, view);
            self.is_outgrown = self.handed_out.as_ref().is_some_and(|known| *known != self.topics);
        }
    }

    /// Closing commits what is finished, if commits are automatic, and leaves the group.
    fn stop(&mut self, ctx: &mut KafkaCtx<'_>) {
        if self.config.has_auto_commit {
            self.commit(ctx);
        }
        self.leave(ctx);
        ctx.exit();
    }

    fn closed(&mut self, conn: ConnId, ctx: &mut KafkaCtx<'_>) {
        if self.membership.conn == Some(conn) {
            self.membership.lost(ctx.now());
            self.links.want_metadata();
        } else if let Some(broker) = self.links.closed(conn, ctx.now()) {
            self.fetching[broker as usize] = None;
        }
    }

    /// Whatever can be done now: find the coordinator, join, fetch, hand over.
    fn go_on(&mut self, is_processed: bool, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let mut look_at = self.links.tick(ctx);
        look_at = look_at.min(self.keep_membership(ctx));
        // Processing on its own makes no room for a fetch; taking the next messages does.
        let mut room = self.worker.room(self.config.max_poll_records);
        if let Some(left) = self.by_hand {
            room = room.min(left as usize);
        }
        let is_polled = room > 0;
        if is_polled {
            self.poll(room, shared, ctx);
        }
        self.work(shared, ctx);
        if is_polled || !is_processed || self.by_hand.is_some() {
            self.fetch(ctx);
        }
        let fetches = self.fetching.iter().flatten().map(|&sent| sent + self.config.request_timeout);
        look_at = fetches.fold(look_at, Time::min);
        if look_at < self.wake_at {
            self.wake_at = look_at;
            ctx.timer_at(look_at, Timer::Wake);
        }
    }

    fn wake(&mut self, ctx: &mut KafkaCtx<'_>) {
        let now = ctx.now();
        if now < self.wake_at {
            return;
        }
        self.wake_at = Time::NEVER;
        for broker in 0..self.fetching.len() as u16 {
            let sent = self.fetching[broker as usize];
            if sent.is_some_and(|sent| sent + self.config.request_timeout <= now) {
                self.fetching[broker as usize] = None;
                self.links.give_up(broker, ctx);
            }
        }
        self.membership.expire(&self.config, ctx);
    }

    /// The application asks for the next messages: it has finished the ones before, or handed them to its pool.
    fn poll(&mut self, mut room: usize, shared: &Shared, ctx: &mut KafkaCtx<'_>) {
        let now = ctx.now();
        self.polled_at = now;
        let is_manual = !self.config.has_auto_commit && self.by_hand.is_none();
        let is_automatic = self.config.has_auto_commit && self.config.client == Client::Java;
        let is_pool = self.worker.is_pool();
        // A pool finishes more while a commit is under way; that waits for the commit of the next poll.
        let may_commit = !(is_pool && std::mem::take(&mut self.has_committed));
        let is_due = (is_manual && may_commit) || (is_automatic && now >= self.commit_at);
        if is_due && !self.membership.is_committing() {
            self.commit_at = now + self.config.auto_commit_interval;
            self.commit(ctx);
            self.has_committed = is_pool && is_manual && self.membership.is_committing();
        }
        if is_manual && self.membership.is_committing() {
            // A synchronous commit: the next messages come after its answer.
            return;
        }
        if self.rejoin_if_asked(ctx) {
            return;
        }
        let subscription = self.worker.subscription;
        let instance = self.worker.instance;
        for assigned in &mut self.assigned {
            while room > 0 {
                let Some((offset, message)) = assigned.fetched.pop_front() else { break };
                room -= 1;
                if let Some(left) = self.by_hand.as_mut().filter(|left| **left < u32::MAX) {
                    *left -= 1;
                }
                assigned.position = Some(offset + 1);
                assigned.handed = Some(message);
                if is_pool {
                    assigned.hand_off(offset, message);
                }
                self.worker.offer(Item { message, place: assigned.partition, offset }, &shared.catalogue);
                ctx.observe(Fact::Delivered { message, subscription, instance, flagged: false });
            }
        }
    }

    /// The application starts on the next message in its hands.
    fn work(&mut self, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let store = &mut shared.stores[self.worker.subscription.0 as usize];
        while let Some((thread, takes)) = self.worker.start(store, &shared.catalogue) {
            ctx.timer(takes, Timer::Processed(thread));
        }
    }

    /// A thread of the application worked for as long as it said: the store has the message, or recognised it, or
    /// processing failed. Whether the application ends because of that.
    fn processed(&mut self, thread: u16, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) -> bool {
        let store = &mut shared.stores[self.worker.subscription.0 as usize];
        let turn = self.worker.turn(thread, store, &shared.catalogue, |fact| ctx.observe(fact));
        let item = match turn {
            None => return false,
            Some(Turn::On(takes)) => {
                ctx.timer(takes, Timer::Processed(thread));
                return false;
            }
            // The process ends as if it crashed: nothing is committed, and nobody leaves the group.
            Some(Turn::Failed(_, Then::Stop)) => {
                ctx.observe(Fact::NodeDown { how: Down::GaveUp });
                return true;
            }
            Some(Turn::Failed(item, Then::SendTo(_))) => {
                self.send_on(item.message, shared, ctx);
                return false;
            }
            Some(Turn::Done(item) | Turn::Failed(item, _)) => item,
        };
        self.finish(item);
        false
    }

    /// The application is done with this message.
    pub(super) fn finish(&mut self, item: Item) {
        let is_pool = self.worker.is_pool();
        if let Some(assigned) = self.assigned.iter_mut().find(|assigned| assigned.partition == item.place) {
            assigned.finish(item.offset, item.message, is_pool);
        }
    }

    /// What a commit would say now: what is finished; with automatic commits of librdkafka, or with a pool, what was
    /// handed over.
    pub(super) fn committable(&self) -> Vec<Progress> {
        let is_behind = self.config.client == Client::Librdkafka || self.worker.is_pool();
        let is_eager = is_behind && self.config.has_auto_commit;
        let progress = |assigned: &Assigned| {
            let position = assigned.position?;
            let (offset, last) =
                if is_eager { (position, assigned.handed) } else { (assigned.done, assigned.finished) };
            let is_new = offset != assigned.committed;
            is_new.then_some(Progress { partition: assigned.partition, offset, last })
        };
        self.assigned.iter().filter_map(progress).collect()
    }

    fn auto_commit(&mut self, ctx: &mut KafkaCtx<'_>) {
        ctx.timer(self.config.auto_commit_interval, Timer::AutoCommit);
        if self.config.client == Client::Librdkafka && !self.membership.is_committing() {
            self.commit(ctx);
        }
    }

    /// Where reading begins, as the committed offsets or the reset policy say.
    pub(super) fn offsets_known(&mut self, offsets: &[(u32, Option<u64>)], ctx: &mut KafkaCtx<'_>) {
        for &(partition, offset) in offsets {
            let reset = self.config.reset;
            let Some(assigned) = self.assigned.iter_mut().find(|known| known.partition == partition) else {
                continue;
            };
            match (offset, reset) {
                (Some(offset), _) => assigned.begin(offset),
                (None, Reset::Earliest) => assigned.begin(0),
                (None, Reset::Latest) => assigned.is_resetting = true,
                // `NoOffsetForPartitionException`: the application ends.
                (None, Reset::None) => return ctx.exit(),
            }
        }
        self.ask_ends(ctx);
    }

    fn ask_ends(&mut self, ctx: &mut KafkaCtx<'_>) {
        let resetting: Vec<_> =
            self.assigned.iter().filter(|known| known.is_resetting).map(|known| known.partition).collect();
        for partition in resetting {
            if let Some(leader) = self.links.leader(partition)
                && let Some(conn) = self.links.open(leader, ctx)
            {
                ctx.send(conn, Packet::Ends(vec![partition]), 40);
                if let Some(assigned) = self.assigned.iter_mut().find(|known| known.partition == partition) {
                    assigned.is_resetting = false;
                }
            }
        }
    }

    fn ends_answered(&mut self, ends: &[(u32, Result<u64, Error>)], ctx: &mut KafkaCtx<'_>) {
        for &(partition, end) in ends {
            let Some(assigned) = self.assigned.iter_mut().find(|known| known.partition == partition) else {
                continue;
            };
            match end {
                Ok(end) if assigned.position.is_none() => {
                    assigned.begin(end);
                    ctx.observe(story::fact(Kind::PositionReset, partition, [end, 0]));
                }
                Ok(_) => {}
                Err(_) => {
                    assigned.is_resetting = true;
                    self.links.want_metadata();
                }
            }
        }
    }

    /// Asks every leader of something with an empty buffer for more, one request at a time.
    fn fetch(&mut self, ctx: &mut KafkaCtx<'_>) {
        if self.assigned.iter().any(|assigned| assigned.is_resetting) {
            self.ask_ends(ctx);
        }
        for broker in 0..self.fetching.len() as u16 {
            if self.fetching[broker as usize].is_some() {
                continue;
            }
            let mut parts: SmallVec<[FetchPart; 1]> = SmallVec::new();
            for assigned in &self.assigned {
                let is_hungry = assigned.position.is_some() && assigned.fetched.is_empty();
                let Some(view) = &self.links.view else { continue };
                let state = &view.partitions[assigned.partition as usize];
                if is_hungry && state.leader == Some(broker) {
                    let (partition, epoch, offset) = (assigned.partition, state.epoch, assigned.fetch_at);
                    parts.push(FetchPart { partition, epoch, last_epoch: 0, offset });
                }
            }
            if parts.is_empty() {
                continue;
            }
            let Some(conn) = self.links.open(broker, ctx) else { continue };
            let wait_max_ms = (self.config.fetch_wait_max.0 / 1_000_000) as u32;
            let bytes = 40 + 30 * parts.len() as u32;
            ctx.send(conn, Packet::Fetch(FetchRequest { replica: None, wait_max_ms, parts }), bytes);
            self.fetching[broker as usize] = Some(ctx.now());
        }
        let is_lost = |assigned: &Assigned| self.links.leader(assigned.partition).is_none();
        if self.links.view.is_some() && self.assigned.iter().any(is_lost) {
            self.links.want_metadata();
        }
    }

    fn fetched(&mut self, conn: ConnId, response: &FetchResponse, shared: &Shared) {
        let Some(broker) = self.links.broker_of(conn) else { return };
        self.fetching[broker as usize] = None;
        let reset = self.config.reset;
        for part in &response.parts {
            let Some(assigned) = self.assigned.iter_mut().find(|known| known.partition == part.partition)
            else {
                continue;
            };
            if assigned.position.is_none() || !assigned.fetched.is_empty() {
                continue;
            }
            match part.error {
                None => {}
                Some(Error::OffsetOutOfRange) if reset == Reset::Earliest => {
                    assigned.begin(0);
                    continue;
                }
                Some(Error::OffsetOutOfRange) => {
                    assigned.position = None;
                    assigned.is_resetting = reset == Reset::Latest;
                    continue;
                }
                Some(_) => {
                    self.links.want_metadata();
                    continue;
                }
            }
            for &id in &part.batches {
                let batch = shared.content.batch(id);
                if batch.base > assigned.fetch_at {
                    // Asked for before the position was set back: `Fetcher` drops what is not at the position.
                    break;
                }
                for (offset, message) in (batch.base..).zip(shared.content.messages(batch)) {
                    if offset >= assigned.fetch_at {
                        assigned.fetched.push_back((offset, message));
                    }
                }
                assigned.fetch_at = assigned.fetch_at.max(batch.end());
            }
        }
    }
}
