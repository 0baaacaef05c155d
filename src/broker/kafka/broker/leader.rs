//! Leading a partition: appends, the high watermark, who is in sync, and the requests that wait for either.
//!
//! A write with `acks=all` is confirmed when the high watermark passes it: append, response to the follower's waiting
//! fetch, append there, its *next* fetch. The high watermark is the smallest end among the leader and everybody who
//! may be in sync, never a count of copies.
//!
//! Source: `Partition`, `DelayedProduce`, `DelayedFetch`, `ReplicaManager`; KAFKA-15583 for the gate.

use smallvec::SmallVec;

use super::super::config::Acks;
use super::super::control::{Brokers, only};
use super::super::model::{KafkaCtx, Shared, Timer};
use super::super::packet::{Error, Packet, ProducePart, ProduceRequest, ProduceResponse};
use super::super::story::{self, Kind};
use super::replica::{Leading, Replica, Role};
use super::{Broker, report_stored};
use crate::sim::{ConnId, FileId, Span, Time};

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
    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.slots.iter().flatten().count()
    }

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
    pub(super) fn append_flushed(&mut self, partition: u32, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let Some(leading) = self.leading(partition).and_then(Replica::leading) else { return };
        if let Some((waiter, end)) = leading.flushing.pop_front() {
            self.append_settled(partition, waiter, end, shared, ctx);
            self.append_waiting(partition, shared, ctx);
        }
    }

    pub(super) fn append_waiting(&mut self, partition: u32, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
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
            replica.state.isr & !only_self(replica) == 0 || replica.maximal_isr().is_power_of_two();
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
        while let Some(leading) = self.leading(partition).and_then(Replica::leading) {
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

    /// Goes on to lead in the next epoch: the controller took others out of the ISR. Nobody who waits is disturbed
    /// (`Partition.makeLeader`).
    pub(super) fn lead_on(&mut self, partition: u32, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let Some(replica) = self.leading(partition) else { return };
        let (end, epoch) = (replica.log.end(), replica.state.epoch);
        replica.log.begin_epoch(epoch);
        let Some(leading) = replica.leading() else { return };
        leading.epoch_start = end;
        leading.proposed = None;
        leading.is_locked = false;
        self.append_waiting(partition, shared, ctx);
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
    pub(super) fn expire_produces(&mut self, ctx: &mut KafkaCtx<'_>) {
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
}

/// The set of the leader alone.
fn only_self(replica: &Replica) -> Brokers {
    replica.state.leader.map_or(0, only)
}
