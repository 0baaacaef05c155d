//! Following: one fetcher for each broker that leads something this one replicates.
//!
//! Before it fetches, a follower cuts off what its leader does not have. How it finds out depends on the version: by
//! its own high watermark, by asking for the end of its last epoch, or from the fetch response itself.
//!
//! Source: `AbstractFetcherThread`, `ReplicaFetcherThread`; KIP-101, KIP-279, KIP-320.

use smallvec::SmallVec;

use super::super::control::only;
use super::super::model::{KafkaCtx, Shared, Timer};
use super::super::packet::{EpochEnd, Error, FetchPart, FetchRequest, FetchResponse, FetchedPart, Packet};
use super::super::story::{self, Kind};
use super::super::topology::Truncation;
use super::replica::Role;
use super::{Broker, report_removed, report_stored};
use crate::fact::{NodeId, Rule};
use crate::sim::{ConnId, FileId, Time};

/// The connection to one leader and what is fetched over it.
#[derive(Clone, Debug, Default)]
pub(super) struct Fetcher {
    pub(super) conn: Option<ConnId>,
    pub(super) is_open: bool,
    /// When the request under way was sent.
    pub(super) asked_at: Option<Time>,
    pub(super) parts: Vec<Part>,
    pub(super) retry_at: Time,
    look_at: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) partition: u32,
    pub(super) is_truncating: bool,
    pub(super) retry_at: Time,
    /// What the request under way asked for; an answer to anything else comes from an earlier epoch and says nothing
    /// (`AbstractFetcherThread.processFetchRequest` compares both).
    asked: Option<Asked>,
    /// Flushes under way inside appends: the next fetch waits for them.
    flushing: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// The end of the last epoch.
    EpochEnd,
    /// What comes after this offset.
    After(u64),
}

impl Broker {
    /// Becomes a follower in an epoch.
    pub(super) fn follow(
        &mut self,
        partition: u32,
        leader: u16,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        self.resign(partition, shared, ctx);
        self.stop_following(partition);
        let truncation = shared.topology.rules.truncation;
        let Some(replica) = &mut self.replicas[partition as usize] else { return };
        replica.role = Role::Follower { leader };
        replica.settled = replica.log.end();
        let watermark = replica.watermark;
        let is_truncating = match truncation {
            Truncation::HighWatermark => {
                self.cut(partition, watermark, shared, ctx);
                false
            }
            Truncation::EpochOnce | Truncation::Epoch => replica.log.end() > 0,
            Truncation::InFetch => false,
        };
        let fetcher = self.fetchers.entry(leader).or_default();
        fetcher.parts.push(Part { partition, is_truncating, retry_at: Time::ZERO, asked: None, flushing: 0 });
    }

    /// No longer fetches this partition from anybody.
    pub(super) fn stop_following(&mut self, partition: u32) {
        for fetcher in self.fetchers.values_mut() {
            fetcher.parts.retain(|part| part.partition != partition);
        }
    }

    /// Every fetcher that has something to fetch and no request under way asks.
    pub(super) fn start_fetching(&mut self, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let leaders: Vec<_> = self.fetchers.keys().copied().collect();
        for leader in leaders {
            self.ask(leader, shared, ctx);
        }
    }

    pub(super) fn fetcher_of(&self, conn: ConnId) -> Option<u16> {
        self.fetchers.iter().find(|(_, fetcher)| fetcher.conn == Some(conn)).map(|(&leader, _)| leader)
    }

    pub(super) fn fetcher_connected(&mut self, leader: u16, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        if let Some(fetcher) = self.fetchers.get_mut(&leader) {
            fetcher.is_open = true;
            fetcher.asked_at = None;
        }
        self.ask(leader, shared, ctx);
    }

    pub(super) fn fetcher_closed(&mut self, leader: u16, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let backoff = shared.topology.config.fetch_backoff;
        if let Some(fetcher) = self.fetchers.get_mut(&leader) {
            fetcher.conn = None;
            fetcher.is_open = false;
            fetcher.asked_at = None;
            fetcher.retry_at = ctx.now() + backoff;
        }
        self.wake_fetcher_at(leader, ctx.now() + backoff, ctx);
    }

    pub(super) fn fetcher_timer(&mut self, leader: u16, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let now = ctx.now();
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        if fetcher.look_at.is_none_or(|at| at > now) {
            return;
        }
        fetcher.look_at = None;
        if let Some(asked_at) = fetcher.asked_at {
            let ends = asked_at + shared.topology.config.socket_timeout;
            if ends <= now {
                if let Some(conn) = fetcher.conn {
                    ctx.close(conn);
                }
                self.fetcher_closed(leader, shared, ctx);
            } else {
                self.wake_fetcher_at(leader, ends, ctx);
            }
            return;
        }
        self.ask(leader, shared, ctx);
    }

    fn wake_fetcher_at(&mut self, leader: u16, at: Time, ctx: &mut KafkaCtx<'_>) {
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        if fetcher.look_at.is_none_or(|known| known > at) {
            fetcher.look_at = Some(at);
            ctx.timer_at(at, Timer::Fetcher(leader));
        }
    }

    /// Sends the next request: ends of epochs first, then data.
    fn ask(&mut self, leader: u16, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let now = ctx.now();
        let config = &shared.topology.config;
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        let is_flushing = fetcher.parts.iter().any(|part| part.flushing > 0);
        if fetcher.parts.is_empty() || fetcher.asked_at.is_some() || is_flushing {
            return;
        }
        let Some(conn) = fetcher.conn.filter(|_| fetcher.is_open) else {
            if fetcher.conn.is_none() && fetcher.retry_at <= now {
                fetcher.conn = Some(ctx.connect(NodeId(leader)));
                fetcher.asked_at = Some(now);
                self.wake_fetcher_at(leader, now + config.socket_timeout, ctx);
            } else if fetcher.conn.is_none() {
                let at = fetcher.retry_at;
                self.wake_fetcher_at(leader, at, ctx);
            }
            return;
        };
        let mut truncating = Vec::new();
        let mut parts: SmallVec<[FetchPart; 1]> = SmallVec::new();
        let mut retry_at = Time::NEVER;
        let stops = self.shutdown.is_some();
        let is_truncating = fetcher.parts.iter().any(|part| part.is_truncating && part.retry_at <= now);
        for part in &mut fetcher.parts {
            let Some(replica) = &self.replicas[part.partition as usize] else { continue };
            let (partition, epoch, last_epoch) =
                (part.partition, replica.state.epoch, replica.log.last_epoch());
            part.asked = None;
            if stops && replica.state.isr & only(self.id) == 0 {
                // Controlled shutdown took it out of the ISR (`StopReplica`); fetching on would bring it back.
                continue;
            }
            if part.retry_at > now {
                retry_at = retry_at.min(part.retry_at);
            } else if part.is_truncating {
                part.asked = Some(Asked::EpochEnd);
                truncating.push((partition, epoch, last_epoch));
            } else if !is_truncating {
                let offset = replica.log.end();
                part.asked = Some(Asked::After(offset));
                parts.push(FetchPart { partition, epoch, last_epoch, offset });
            }
        }
        if truncating.is_empty() && parts.is_empty() {
            if retry_at < Time::NEVER {
                self.wake_fetcher_at(leader, retry_at, ctx);
            }
            return;
        }
        fetcher.asked_at = Some(now);
        if truncating.is_empty() {
            let wait_max_ms = (config.fetch_wait_max.0 / 1_000_000) as u32;
            let replica = Some((self.id, self.incarnation));
            let bytes = 40 + 30 * parts.len() as u32;
            ctx.send(conn, Packet::Fetch(FetchRequest { replica, wait_max_ms, parts }), bytes);
        } else {
            ctx.send(conn, Packet::EpochEnds(truncating), 60);
        }
        self.wake_fetcher_at(leader, now + config.socket_timeout, ctx);
    }

    pub(super) fn fetched(
        &mut self,
        conn: ConnId,
        response: &FetchResponse,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let Some(leader) = self.fetcher_of(conn) else { return };
        for part in &response.parts {
            self.fetched_part(leader, part, shared, ctx);
        }
        if let Some(fetcher) = self.fetchers.get_mut(&leader) {
            fetcher.asked_at = None;
        }
        self.ask(leader, shared, ctx);
    }

    fn fetched_part(&mut self, leader: u16, part: &FetchedPart, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let partition = part.partition;
        let backoff = shared.topology.config.fetch_backoff;
        let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
        let Some(fetching) = fetcher.parts.iter_mut().find(|known| known.partition == partition) else {
            return;
        };
        let Some(replica) = &mut self.replicas[partition as usize] else { return };
        if fetching.asked.take() != Some(Asked::After(replica.log.end())) {
            return;
        }
        match part.error {
            Some(Error::OffsetOutOfRange) => {
                self.cut(partition, part.watermark, shared, ctx);
                return;
            }
            Some(_) => {
                fetching.retry_at = ctx.now() + backoff;
                return;
            }
            None => {}
        }
        if let Some(&(epoch, end)) = part.diverging.as_deref() {
            self.cut_to_agree(partition, EpochEnd { epoch: Some(epoch), end }, shared, ctx);
            return;
        }
        let mut unflushed = 0;
        for &id in &part.batches {
            let batch = shared.content.batch(id);
            if batch.base != replica.log.end() {
                break;
            }
            replica.log.append(id, batch);
            unflushed += u64::from(batch.count);
            report_stored(partition, id, shared, ctx);
        }
        replica.watermark = part.watermark.min(replica.log.end());
        replica.settled = replica.log.end();
        if unflushed == 0 {
            return;
        }
        ctx.write(FileId(partition), replica.log.bytes());
        if let Some(every) = shared.topology.partitions[partition as usize].config.flush_messages {
            replica.unflushed += unflushed;
            if replica.unflushed >= every {
                replica.unflushed = 0;
                fetching.flushing += 1;
                ctx.sync(FileId(partition));
            }
        }
    }

    /// The flush inside a follower's append is done: it may fetch on.
    pub(super) fn follower_flushed(
        &mut self,
        partition: u32,
        leader: u16,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let fetcher = self.fetchers.get_mut(&leader);
        let part =
            fetcher.and_then(|fetcher| fetcher.parts.iter_mut().find(|part| part.partition == partition));
        if let Some(part) = part {
            part.flushing = part.flushing.saturating_sub(1);
        }
        self.ask(leader, shared, ctx);
    }

    /// Answers `OffsetsForLeaderEpoch`.
    pub(super) fn epoch_ends(
        &mut self,
        conn: ConnId,
        asked: &[(u32, u32, u32)],
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let rules = shared.topology.rules;
        let mut answers = Vec::new();
        for &(partition, asker_epoch, epoch) in asked {
            let answer = match self.leading(partition) {
                None => Err(Error::NotLeader),
                Some(replica) if rules.fences_fetches && asker_epoch < replica.state.epoch => {
                    Err(Error::FencedLeaderEpoch)
                }
                Some(replica) if rules.fences_fetches && asker_epoch > replica.state.epoch => {
                    Err(Error::UnknownLeaderEpoch)
                }
                Some(replica) if rules.truncation == Truncation::EpochOnce => {
                    Ok(EpochEnd { epoch: None, end: replica.log.next_epoch_start(epoch) })
                }
                Some(replica) => {
                    let (epoch, end) = replica.log.epoch_end(epoch).unwrap_or((0, 0));
                    Ok(EpochEnd { epoch: Some(epoch), end })
                }
            };
            answers.push((partition, answer));
        }
        self.respond(conn, Packet::EpochEndsResponse(answers), 60, ctx);
    }

    pub(super) fn epochs_answered(
        &mut self,
        conn: ConnId,
        answers: &[(u32, Result<EpochEnd, Error>)],
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let Some(leader) = self.fetcher_of(conn) else { return };
        let retry_at = ctx.now() + shared.topology.config.fetch_backoff;
        for &(partition, answer) in answers {
            let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
            let Some(part) = fetcher.parts.iter_mut().find(|part| part.partition == partition) else {
                continue;
            };
            if part.asked.take() != Some(Asked::EpochEnd) {
                continue;
            }
            match answer {
                Err(_) => part.retry_at = retry_at,
                Ok(end) => {
                    let agrees = self.cut_to_agree(partition, end, shared, ctx);
                    let Some(fetcher) = self.fetchers.get_mut(&leader) else { return };
                    if let Some(part) = fetcher.parts.iter_mut().find(|part| part.partition == partition) {
                        part.is_truncating = !agrees;
                    }
                }
            }
        }
        if let Some(fetcher) = self.fetchers.get_mut(&leader) {
            fetcher.asked_at = None;
        }
        self.ask(leader, shared, ctx);
    }

    /// Cuts the log to where it agrees with what the leader said; whether that settles it.
    fn cut_to_agree(
        &mut self,
        partition: u32,
        leader: EpochEnd,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) -> bool {
        let Some(replica) = &self.replicas[partition as usize] else { return true };
        let own = leader.epoch.map(|epoch| replica.log.epoch_end(epoch));
        let (to, agrees) = match (leader.epoch, own) {
            (Some(asked), Some(Some((epoch, end)))) if epoch != asked => (end, false),
            (Some(_), Some(Some((_, end)))) => (end.min(leader.end), true),
            // Every epoch here is newer than the leader's: nothing agrees.
            (Some(_), _) => (0, true),
            (None, _) => (leader.end, true),
        };
        self.cut(partition, to, shared, ctx);
        agrees
    }

    /// Truncates a follower's log.
    fn cut(&mut self, partition: u32, to: u64, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let Some(replica) = &mut self.replicas[partition as usize] else { return };
        let removed = replica.log.truncate(to, &shared.content);
        replica.settled = replica.log.end();
        replica.watermark = replica.watermark.min(replica.log.end());
        if removed.is_empty() {
            return;
        }
        ctx.truncate(FileId(partition), replica.log.bytes());
        ctx.observe(story::fact(Kind::Truncated, partition, [replica.log.end(), to]));
        report_removed(partition, &removed, Rule::Truncated, shared, ctx);
    }
}
