//! Serving fetches: followers read the log, consumers what is below the high watermark; whoever finds nothing waits.
//!
//! A fetch from an offset says that its sender has everything below it: that is all the acknowledgement there is.
//!
//! Source: `DelayedFetch`, `ReplicaManager.fetchMessages`, `Partition.updateFollowerFetchState`; KIP-320 for the
//! epochs.

use smallvec::SmallVec;

use super::super::control::only;
use super::super::model::{KafkaCtx, Shared, Timer};
use super::super::packet::{Error, FetchPart, FetchRequest, FetchResponse, FetchedPart, Packet};
use super::super::topology::{Rules, Truncation};
use super::Broker;
use super::replica::Replica;
use crate::sim::{ConnId, Span, Time};

/// `replica.fetch.max.bytes`, `max.partition.fetch.bytes`.
const FETCH_BYTES_MAX: u32 = 1_048_576;

/// A fetch that waits for data.
#[derive(Clone, Debug)]
pub(super) struct Parked {
    pub(super) conn: ConnId,
    request: FetchRequest,
    until: Time,
}

impl Parked {
    pub(super) fn is_of_follower(&self) -> bool {
        self.request.replica.is_some()
    }
}

impl Broker {
    pub(super) fn wake_followers(&mut self, partition: u32, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        self.wake(partition, true, shared, ctx);
    }

    pub(super) fn wake_consumers(&mut self, partition: u32, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        self.wake(partition, false, shared, ctx);
    }

    /// Answers the parked fetches of followers or of consumers that name this partition.
    pub(super) fn wake(
        &mut self,
        partition: u32,
        followers: bool,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
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
                || refusal(*rules, part.epoch, replica.state.epoch).is_some()
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
        let parts = match &request.parts[..] {
            // The usual case.
            [part] => SmallVec::from_buf([self.read_part(is_follower, part, shared)]),
            parts => parts.iter().map(|part| self.read_part(is_follower, part, shared)).collect(),
        };
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
        answer.error = refusal(*rules, part.epoch, replica.state.epoch);
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
        let is_refused = refusal(rules, part.epoch, replica.state.epoch).is_some()
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

/// Whether a fetch is refused for the epoch it names.
#[inline]
fn refusal(rules: Rules, asked: u32, own: u32) -> Option<Error> {
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
