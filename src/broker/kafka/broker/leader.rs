//! Leading a partition: appends, the high watermark, who is in sync, and the requests that wait for either.
//!
//! A write with `acks=all` is confirmed when the high watermark passes it: append, response to the follower's waiting
//! fetch, append there, its *next* fetch. The high watermark is the smallest end among the leader and everybody who
//! may be in sync, never a count of copies.
//!
//! Source: `Partition`, `DelayedProduce`, `DelayedFetch`, `ReplicaManager`; KAFKA-15583 for the gate.

use smallvec::SmallVec;

use super::super::config::Acks;
use super::super::control::{Brokers, PartitionState, only};
use super::super::model::{KafkaCtx, Shared, Timer};
use super::super::packet::{
    Error, FetchPart, FetchRequest, FetchResponse, FetchedPart, Packet, ProducePart, ProduceRequest,
    ProduceResponse,
};
use super::super::story::{self, Kind};
use super::super::topology::{Rules, Truncation};
use super::replica::{Leading, Remote, Replica, Role};
use super::{Broker, report_stored};
use crate::sim::{ConnId, FileId, Span, Time};

/// `replica.fetch.max.bytes`, `max.partition.fetch.bytes`.
const FETCH_BYTES_MAX: u32 = 1_048_576;

/// Who waits for an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Waiter {
    /// A batch of a produce request.
    Produce { slot: u32, serial: u32 },
    /// A group's commit.
    Commit { id: u64 },
    /// Nobody.
    Nobody,
}

/// A fetch that waits for data.
#[derive(Clone, Debug)]
pub(super) struct Parked {
    pub(super) conn: ConnId,
    request: FetchRequest,
    until: Time,
}

/// Produce requests that wait for appends or replicas.
#[derive(Clone, Debug, Default)]
pub(super) struct Produces {
    slots: Vec<Option<Produce>>,
    free: Vec<u32>,
    serial: u32,
    look_at: Option<Time>,
}

#[derive(Clone, Debug)]
struct Produce {
    serial: u32,
    conn: ConnId,
    id: u32,
    acks: Acks,
    /// Batches without a result.
    waiting: u32,
    until: Time,
    results: SmallVec<[(u32, Option<Error>); 2]>,
}

impl Produces {
    fn insert(&mut self, mut produce: Produce) -> Waiter {
        self.serial = self.serial.wrapping_add(1);
        let serial = self.serial;
        produce.serial = serial;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() as u32 - 1
        });
        self.slots[slot as usize] = Some(produce);
        Waiter::Produce { slot, serial }
    }
}

impl Broker {
    /// A produce request: each of its batches is appended or refused; the answer waits for the slowest.
    pub(super) fn produce(
        &mut self,
        conn: ConnId,
        request: ProduceRequest,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let until = ctx.now() + Span::from_millis(u64::from(request.timeout_ms));
        let waiter = self.produces.insert(Produce {
            serial: 0,
            conn,
            id: request.id,
            acks: request.acks,
            waiting: request.parts.len() as u32,
            until,
            results: SmallVec::new(),
        });
        for part in request.parts {
            self.append(waiter, part, shared, ctx);
        }
        if self.produces.look_at.is_none() && self.is_waiting(waiter) {
            self.produces.look_at = Some(until);
            ctx.timer_at(until, Timer::Produces);
        }
    }

    fn is_waiting(&self, waiter: Waiter) -> bool {
        let Waiter::Produce { slot, serial } = waiter else { return false };
        self.produces.slots[slot as usize].as_ref().is_some_and(|produce| produce.serial == serial)
    }

    /// One batch has its result; with the last one the request is answered.
    fn resolve(&mut self, waiter: Waiter, partition: u32, error: Option<Error>, ctx: &mut KafkaCtx<'_>) {
        let Waiter::Produce { slot, serial } = waiter else { return };
        let entry = &mut self.produces.slots[slot as usize];
        let Some(produce) = entry.as_mut().filter(|produce| produce.serial == serial) else { return };
        produce.results.push((partition, error));
        produce.waiting -= 1;
        if produce.waiting > 0 {
            return;
        }
        let Some(produce) = entry.take() else { return };
        self.produces.free.push(slot);
        if produce.acks != Acks::Zero {
            let response = ProduceResponse { id: produce.id, parts: produce.results };
            self.respond(produce.conn, Packet::ProduceResponse(response), 60, ctx);
        } else if produce.results.iter().any(|(_, error)| error.is_some()) {
            // There is no response to say it with.
            self.conns.remove(produce.conn);
            ctx.close(produce.conn);
        } else {
            self.done(produce.conn);
        }
    }

    fn append(&mut self, waiter: Waiter, part: ProducePart, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let partition = part.partition;
        let Some(replica) = self.leading(partition) else {
            self.resolve(waiter, partition, Some(Error::NotLeader), ctx);
            return;
        };
        let isr = replica.state.isr.count_ones();
        let Some(leading) = replica.leading() else { return };
        if leading.is_locked || !leading.flushing.is_empty() {
            leading.appends.push_back((waiter, part));
            return;
        }
        let acks = self.acks_of(waiter);
        let config = &shared.topology.partitions[partition as usize].config;
        if acks == Acks::All && isr < config.min_insync {
            let numbers = [u64::from(isr), u64::from(config.min_insync)];
            ctx.observe(story::fact(Kind::Refused, partition, numbers));
            self.resolve(waiter, partition, Some(Error::NotEnoughReplicas), ctx);
            return;
        }
        let Some(replica) = self.leading(partition) else { return };
        let (base, epoch) = (replica.log.end(), replica.state.epoch);
        let id = shared.content.add_messages(base, epoch, &part.messages, part.bytes);
        self.appended(partition, id, waiter, shared, ctx);
    }

    /// A batch of the leader's own making goes into its log: committed offsets, groups.
    pub(super) fn append_own(
        &mut self,
        partition: u32,
        waiter: Waiter,
        make: impl FnOnce(&mut Shared, u64, u32) -> u32,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) -> bool {
        let Some(replica) = self.leading(partition) else { return false };
        let (base, epoch) = (replica.log.end(), replica.state.epoch);
        let id = make(shared, base, epoch);
        self.appended(partition, id, waiter, shared, ctx);
        true
    }

    fn appended(
        &mut self,
        partition: u32,
        id: u32,
        waiter: Waiter,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let Some(replica) = self.leading(partition) else { return };
        let batch = *shared.content.batch(id);
        replica.log.append(id, &batch);
        ctx.write(FileId(partition), replica.log.bytes());
        report_stored(partition, id, shared, ctx);
        let end = replica.log.end();
        if let Some(every) = shared.topology.partitions[partition as usize].config.flush_messages {
            replica.unflushed += u64::from(batch.count);
            if replica.unflushed >= every {
                replica.unflushed = 0;
                if let Some(leading) = replica.leading() {
                    leading.flushing.push_back((waiter, end));
                }
                ctx.sync(FileId(partition));
                return;
            }
        }
        self.append_settled(partition, waiter, end, shared, ctx);
    }

    /// The flush inside an append is done; the appends behind it go on.
    pub(super) fn append_flushed(
        &mut self,
        partition: u32,
        _mark: u64,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let Some(leading) = self.leading(partition).and_then(Replica::leading) else { return };
        if let Some((waiter, end)) = leading.flushing.pop_front() {
            self.append_settled(partition, waiter, end, shared, ctx);
            self.append_waiting(partition, shared, ctx);
        }
    }

    fn append_waiting(&mut self, partition: u32, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        loop {
            let Some(leading) = self.leading(partition).and_then(Replica::leading) else { return };
            if leading.is_locked || !leading.flushing.is_empty() {
                return;
            }
            let Some((waiter, part)) = leading.appends.pop_front() else { return };
            self.append(waiter, part, shared, ctx);
        }
    }

    /// An append returns: whoever asked for no more than that is answered, and followers may read it.
    fn append_settled(
        &mut self,
        partition: u32,
        waiter: Waiter,
        end: u64,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let acks = self.acks_of(waiter);
        let Some(replica) = self.leading(partition) else { return };
        replica.settled = end;
        let is_alone =
            replica.state.isr & !only_self(replica) == 0 || replica.maximal_isr().count_ones() == 1;
        if acks == Acks::All {
            if let Some(leading) = replica.leading() {
                leading.acks.push_back((end, waiter));
            }
        } else {
            self.resolve(waiter, partition, None, ctx);
        }
        self.wake_followers(partition, shared, ctx);
        if is_alone {
            self.advance_watermark(partition, shared, ctx);
        }
    }

    fn acks_of(&self, waiter: Waiter) -> Acks {
        match waiter {
            Waiter::Produce { slot, .. } => {
                self.produces.slots[slot as usize].as_ref().map_or(Acks::One, |produce| produce.acks)
            }
            Waiter::Commit { .. } => Acks::All,
            Waiter::Nobody => Acks::One,
        }
    }

    /// Moves the high watermark as far as its rule allows, and answers whoever waited for that.
    pub(super) fn advance_watermark(&mut self, partition: u32, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let now = ctx.now();
        let topology = &shared.topology;
        let known = &topology.partitions[partition as usize];
        let (rules, lag_max) = (topology.rules, topology.config.lag_max);
        let live = self.view.live;
        let Some(replica) = self.leading(partition) else { return };
        let minimum = known.config.min_insync.min(known.replicas.len() as u32);
        if rules.gates_watermark && replica.state.isr.count_ones() < minimum {
            return;
        }
        let maximal = replica.maximal_isr();
        let (end, settled) = (replica.log.end(), replica.settled);
        let Some(leading) = replica.leading() else { return };
        let mut watermark = settled;
        for remote in &leading.remotes {
            let is_counted = maximal & only(remote.broker) != 0
                || (live & only(remote.broker) != 0 && remote.is_caught_up(end, lag_max, now));
            if is_counted {
                watermark = watermark.min(remote.end.unwrap_or(0));
            }
        }
        if watermark <= replica.watermark {
            return;
        }
        replica.watermark = watermark;
        let is_short = maximal.count_ones() < known.config.min_insync;
        let late = is_short.then_some(Error::NotEnoughReplicasAfterAppend);
        loop {
            let Some(leading) = self.leading(partition).and_then(Replica::leading) else { break };
            let Some(&(end, waiter)) = leading.acks.front() else { break };
            if end > watermark {
                break;
            }
            leading.acks.pop_front();
            match waiter {
                Waiter::Commit { id } => self.commit_replicated(id, late, ctx),
                waiter => self.resolve(waiter, partition, late, ctx),
            }
        }
        self.wake_consumers(partition, shared, ctx);
    }

    fn wake_followers(&mut self, partition: u32, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        self.wake(partition, true, shared, ctx);
    }

    fn wake_consumers(&mut self, partition: u32, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        self.wake(partition, false, shared, ctx);
    }

    /// Answers the parked fetches of followers or of consumers that name this partition.
    fn wake(&mut self, partition: u32, followers: bool, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let mut at = 0;
        while at < self.parked.len() {
            let request = &self.parked[at].request;
            let is_meant = request.replica.is_some() == followers
                && request.parts.iter().any(|part| part.partition == partition);
            if !is_meant {
                at += 1;
                continue;
            }
            if self.has_news(request, shared) {
                let response = self.read(request, shared);
                let parked = self.parked.swap_remove(at);
                self.answer_fetch(parked.conn, response, shared, ctx);
            } else {
                at += 1;
            }
        }
    }

    /// A fetch of a follower or a consumer: answered at once if there is anything to say, else parked.
    pub(super) fn fetch(
        &mut self,
        conn: ConnId,
        request: FetchRequest,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        // Read before the fetch itself moves the high watermark.
        let response = self.has_news(&request, shared).then(|| self.read(&request, shared));
        if let Some((broker, incarnation)) = request.replica {
            for part in &request.parts {
                self.follower_fetched(broker, incarnation, part, shared, ctx);
            }
        }
        if let Some(response) = response {
            self.answer_fetch(conn, response, shared, ctx);
            return;
        }
        let until = ctx.now() + Span::from_millis(u64::from(request.wait_max_ms));
        self.parked.push(Parked { conn, request, until });
        if self.parked_look_at.is_none_or(|at| at > until) {
            self.parked_look_at = Some(until);
            ctx.timer_at(until, Timer::Parked);
        }
    }

    pub(super) fn expire_parked(&mut self, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let now = ctx.now();
        if self.parked_look_at.is_none_or(|at| at > now) {
            return;
        }
        self.parked_look_at = None;
        while let Some(at) = self.parked.iter().position(|parked| parked.until <= now) {
            let parked = self.parked.remove(at);
            let response = self.read(&parked.request, shared);
            self.answer_fetch(parked.conn, response, shared, ctx);
        }
        if let Some(until) = self.parked.iter().map(|parked| parked.until).min() {
            self.parked_look_at = Some(until);
            ctx.timer_at(until, Timer::Parked);
        }
    }

    fn answer_fetch(
        &mut self,
        conn: ConnId,
        response: FetchResponse,
        shared: &Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let batches = response.parts.iter().flat_map(|part| &part.batches);
        let bytes = 60 + batches.map(|&id| shared.content.batch(id).bytes).sum::<u32>();
        self.respond(conn, Packet::FetchResponse(response), bytes, ctx);
    }

    /// Whether what a fetch would be answered with now is worth saying at once: anything but empty.
    #[inline]
    fn has_news(&self, request: &FetchRequest, shared: &Shared) -> bool {
        let rules = &shared.topology.rules;
        let is_follower = request.replica.is_some();
        let is_news = |part: &FetchPart| {
            let Some(replica) =
                self.replicas[part.partition as usize].as_deref().filter(|known| known.is_leader())
            else {
                return true;
            };
            part.offset < readable(replica, is_follower)
                || part.offset > replica.log.end()
                || refusal(rules, part.epoch, replica.state.epoch).is_some()
                || (is_follower
                    && rules.truncation == Truncation::InFetch
                    && divergence(replica, part).is_some())
        };
        request.wait_max_ms == 0 || request.parts.iter().any(is_news)
    }

    /// What a fetch would be answered with now.
    #[inline]
    fn read(&self, request: &FetchRequest, shared: &Shared) -> FetchResponse {
        let is_follower = request.replica.is_some();
        let parts = request.parts.iter().map(|part| self.read_part(is_follower, part, shared)).collect();
        FetchResponse { parts }
    }

    #[inline]
    fn read_part(&self, is_follower: bool, part: &FetchPart, shared: &Shared) -> FetchedPart {
        let rules = &shared.topology.rules;
        let mut answer = FetchedPart {
            partition: part.partition,
            error: None,
            watermark: 0,
            batches: SmallVec::new(),
            diverging: None,
        };
        let Some(replica) =
            self.replicas[part.partition as usize].as_deref().filter(|known| known.is_leader())
        else {
            answer.error = Some(Error::NotLeader);
            return answer;
        };
        answer.watermark = replica.watermark;
        answer.error = refusal(rules, part.epoch, replica.state.epoch);
        if answer.error.is_some() {
            return answer;
        }
        if is_follower && rules.truncation == Truncation::InFetch {
            answer.diverging = divergence(replica, part).map(Box::new);
            if answer.diverging.is_some() {
                return answer;
            }
        }
        // A consumer may be ahead of a new leader's stale high watermark: it waits.
        if part.offset > replica.log.end() {
            answer.error = Some(Error::OffsetOutOfRange);
            answer.watermark = replica.log.end();
            return answer;
        }
        answer.batches =
            replica.log.read(part.offset, readable(replica, is_follower), FETCH_BYTES_MAX, &shared.content);
        answer
    }

    /// A follower has everything below the offset that it fetches from.
    fn follower_fetched(
        &mut self,
        broker: u16,
        incarnation: u32,
        part: &FetchPart,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let rules = shared.topology.rules;
        let now = ctx.now();
        let Some(replica) = self.leading(part.partition) else { return };
        let is_refused = refusal(&rules, part.epoch, replica.state.epoch).is_some()
            || part.offset > replica.log.end()
            || (rules.truncation == Truncation::InFetch && divergence(replica, part).is_some());
        if is_refused {
            return;
        }
        let end = replica.settled;
        let Some(remote) = replica
            .leading()
            .and_then(|leading| leading.remotes.iter_mut().find(|remote| remote.broker == broker))
        else {
            return;
        };
        remote.fetched(part.offset, end, now);
        if replica.state.isr & only(broker) == 0 {
            self.admit(part.partition, broker, incarnation, shared, ctx);
        }
        self.advance_watermark(part.partition, shared, ctx);
    }

    /// Proposes a follower for the ISR if it has caught up with the high watermark and with this epoch's start.
    fn admit(
        &mut self,
        partition: u32,
        broker: u16,
        incarnation: u32,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        // The leader admits only who is alive in its own view; from 3.7 only the process that view speaks of.
        let is_eligible = self.view.live & only(broker) != 0
            && (!shared.topology.rules.checks_broker_epoch
                || self.view.incarnation(broker).is_none_or(|known| known == incarnation));
        let Some(replica) = self.leading(partition) else { return };
        let (watermark, isr) = (replica.watermark, replica.state.isr);
        let Some(leading) = replica.leading() else { return };
        let has_caught_up = leading
            .remotes
            .iter()
            .find(|remote| remote.broker == broker)
            .and_then(|remote| remote.end)
            .is_some_and(|end| end >= watermark && end >= leading.epoch_start);
        if is_eligible && has_caught_up && leading.proposed.is_none() {
            self.propose(partition, isr | only(broker), shared, ctx);
        }
    }

    /// Looks at every follower in sync: who has not had everything for `replica.lag.time.max.ms` is to leave.
    pub(super) fn shrink_isrs(&mut self, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let (now, lag_max) = (ctx.now(), shared.topology.config.lag_max);
        for partition in 0..self.replicas.len() as u32 {
            let Some(replica) = self.leading(partition) else { continue };
            let (isr, end) = (replica.state.isr, replica.log.end());
            let Some(leading) = replica.leading() else { continue };
            if leading.proposed.is_some() {
                continue;
            }
            let lags =
                |remote: &&Remote| isr & only(remote.broker) != 0 && !remote.is_caught_up(end, lag_max, now);
            let left =
                leading.remotes.iter().filter(lags).fold(isr, |isr, remote| isr & !only(remote.broker));
            if left != isr {
                self.propose(partition, left, shared, ctx);
            }
        }
    }

    fn propose(&mut self, partition: u32, isr: Brokers, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let blocks = shared.topology.rules.isr_change_blocks;
        let Some(replica) = self.leading(partition) else { return };
        replica.proposals += 1;
        let Some(leading) = replica.leading() else { return };
        leading.proposed = Some(isr);
        leading.is_locked = blocks;
        self.send_proposal(partition, ctx);
    }

    /// The controller or ZooKeeper answered a proposal. An answer to an earlier one, which was sent twice because a
    /// connection broke, says nothing about the one under way.
    pub(super) fn proposal_answered(
        &mut self,
        (partition, number): (u32, u32),
        state: Option<PartitionState>,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        if self.leading(partition).is_some_and(|replica| replica.proposals == number) {
            self.proposal_over(partition, state, shared, ctx);
        }
    }

    /// Nothing is proposed any more; perhaps another state holds.
    fn proposal_over(
        &mut self,
        partition: u32,
        state: Option<PartitionState>,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let Some(replica) = self.leading(partition) else { return };
        let (epoch, version) = (replica.state.epoch, replica.state.version);
        if let Some(state) = state.filter(|state| state.epoch == epoch && state.version > version) {
            replica.state = state;
        }
        if let Some(leading) = replica.leading() {
            leading.proposed = None;
            leading.is_locked = false;
        }
        self.append_waiting(partition, shared, ctx);
        self.advance_watermark(partition, shared, ctx);
    }

    /// The view says that the ISR of this epoch changed.
    pub(super) fn isr_told(
        &mut self,
        partition: u32,
        state: PartitionState,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        if self.leading(partition).is_some() {
            self.proposal_over(partition, Some(state), shared, ctx);
        } else if let Some(replica) = &mut self.replicas[partition as usize] {
            replica.state = state;
        }
    }

    /// Becomes the leader of an epoch.
    pub(super) fn lead(&mut self, partition: u32, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        self.resign(partition, shared, ctx);
        self.stop_following(partition);
        let id = self.id;
        let Some(replica) = &mut self.replicas[partition as usize] else { return };
        let (end, state) = (replica.log.end(), replica.state);
        replica.settled = end;
        replica.log.begin_epoch(state.epoch);
        let replicas = &shared.topology.partitions[partition as usize].replicas;
        replica.role = Role::Leader(Box::new(Leading::new(id, replicas, state.isr, end, ctx.now())));
        self.coordinate(partition, shared, ctx);
        self.advance_watermark(partition, shared, ctx);
    }

    /// Is a leader no longer, if it was one: nobody who waits will be answered well.
    pub(super) fn resign(&mut self, partition: u32, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let Some(replica) = self.leading(partition) else { return };
        let Role::Leader(leading) = std::mem::take(&mut replica.role) else { return };
        let waiting = leading.acks.iter().map(|&(_, waiter)| waiter);
        let appending = leading.appends.iter().map(|&(waiter, _)| waiter);
        let flushing = leading.flushing.iter().map(|&(waiter, _)| waiter);
        for waiter in waiting.chain(appending).chain(flushing) {
            match waiter {
                Waiter::Commit { id } => self.commit_replicated(id, Some(Error::NotCoordinator), ctx),
                waiter => self.resolve(waiter, partition, Some(Error::NotLeader), ctx),
            }
        }
        self.stop_coordinating(partition, ctx, shared);
        self.wake(partition, true, shared, ctx);
        self.wake(partition, false, shared, ctx);
    }

    /// Nobody leads: neither does this broker.
    pub(super) fn rest(&mut self, partition: u32, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        self.resign(partition, shared, ctx);
        self.stop_following(partition);
        if let Some(replica) = &mut self.replicas[partition as usize] {
            replica.role = Role::Offline;
        }
    }

    /// Produce requests whose time is over are told so; what they wrote stays written.
    pub(super) fn expire_produces(&mut self, _shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let now = ctx.now();
        self.produces.look_at = None;
        let mut next: Option<Time> = None;
        let mut expired = Vec::new();
        for (slot, produce) in self.produces.slots.iter().enumerate() {
            match produce {
                Some(produce) if produce.until <= now && produce.acks == Acks::All => {
                    expired.push((slot as u32, produce.serial));
                }
                Some(produce) if produce.until > now => {
                    next = Some(next.map_or(produce.until, |next| next.min(produce.until)));
                }
                _ => {}
            }
        }
        for (slot, serial) in expired {
            self.time_out(slot, serial, ctx);
        }
        if let Some(at) = next {
            self.produces.look_at = Some(at);
            ctx.timer_at(at, Timer::Produces);
        }
    }

    fn time_out(&mut self, slot: u32, serial: u32, ctx: &mut KafkaCtx<'_>) {
        let mine = Waiter::Produce { slot, serial };
        let mut waiting = Vec::new();
        for partition in 0..self.replicas.len() as u32 {
            if let Some(leading) = self.leading(partition).and_then(Replica::leading)
                && leading.acks.iter().any(|&(_, waiter)| waiter == mine)
            {
                leading.acks.retain(|&(_, waiter)| waiter != mine);
                waiting.push(partition);
            }
        }
        for partition in waiting {
            self.resolve(mine, partition, Some(Error::RequestTimedOut), ctx);
        }
    }

    /// `ListOffsets`: the ends that consumers may read up to.
    pub(super) fn ends(&mut self, conn: ConnId, asked: &[u32], ctx: &mut KafkaCtx<'_>) {
        let answers = asked
            .iter()
            .map(|&partition| {
                (partition, self.leading(partition).map(|known| known.watermark).ok_or(Error::NotLeader))
            })
            .collect();
        self.respond(conn, Packet::EndsResponse(answers), 60, ctx);
    }
}

/// The set of the leader alone.
fn only_self(replica: &Replica) -> Brokers {
    replica.state.leader.map_or(0, only)
}

/// Whether a fetch is refused for the epoch it names.
#[inline]
fn refusal(rules: &Rules, asked: u32, own: u32) -> Option<Error> {
    if !rules.fences_fetches || asked == own {
        None
    } else if asked < own {
        Some(Error::FencedLeaderEpoch)
    } else {
        Some(Error::UnknownLeaderEpoch)
    }
}

/// Up to where a fetch reads: followers whatever an append has returned for, consumers what is committed.
#[inline]
fn readable(replica: &Replica, is_follower: bool) -> u64 {
    if is_follower { replica.settled } else { replica.watermark }
}

/// Where a follower's log stops agreeing with the leader's, if its last epoch ends earlier here.
#[inline]
fn divergence(replica: &Replica, part: &FetchPart) -> Option<(u32, u64)> {
    if part.offset == 0 {
        return None;
    }
    let (epoch, end) = replica.log.epoch_end(part.last_epoch).unwrap_or((0, 0));
    (epoch != part.last_epoch || end < part.offset).then_some((epoch, end))
}
