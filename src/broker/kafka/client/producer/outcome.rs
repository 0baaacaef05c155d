//! How sending ends: answers, failures, retries, time-outs; and what the application is told.

use smallvec::SmallVec;

use super::super::super::config::Client;
use super::super::super::model::{KafkaCtx, Timer};
use super::super::super::packet::{Error, ProduceResponse};
use super::{Batch, Producer};
use crate::app::{Answer, Doubt, OWN_WRITE};
use crate::fact::{Fact, MessageId};
use crate::sim::{ConnId, Span, Time};

type Batches = SmallVec<[(u32, Batch); 1]>;

impl Producer {
    pub(super) fn answered(&mut self, conn: ConnId, response: &ProduceResponse, ctx: &mut KafkaCtx<'_>) {
        let Some(broker) = self.links.broker_of(conn) else { return };
        let requests = &mut self.requests[broker as usize];
        let Some(at) = requests.iter().position(|request| request.id == response.id) else { return };
        let Some(request) = requests.remove(at) else { return };
        self.links.load(broker, requests.len() as u32);
        for (number, batch) in request.batches {
            let partition = self.first + number;
            let result = response.parts.iter().find(|(known, _)| *known == partition);
            self.queues[number as usize].in_flight -= 1;
            match result.and_then(|(_, error)| *error) {
                None => self.confirm(&batch, ctx),
                Some(error) => self.failed(number, batch, error, ctx),
            }
        }
    }

    pub(super) fn confirm(&mut self, batch: &Batch, ctx: &mut KafkaCtx<'_>) {
        self.free(batch);
        if let Some(outcomes) = &mut self.outcomes {
            return outcomes.extend(batch.messages.iter().map(|&message| (message, true)));
        }
        for &message in &batch.messages {
            let attempt = self.attempt(message);
            ctx.observe(Fact::Confirmed { message, attempt });
            self.app.answered(ctx.now(), attempt, Answer::Confirmed);
            if self.app.writes_after(message) {
                ctx.timer(OWN_WRITE, Timer::Written(message));
            }
        }
    }

    /// A batch failed: it is tried again, or the application is told.
    pub(super) fn failed(&mut self, number: u32, mut batch: Batch, error: Error, ctx: &mut KafkaCtx<'_>) {
        if matches!(error, Error::NotLeader | Error::Network | Error::RequestTimedOut) {
            self.links.want_metadata();
        }
        let now = ctx.now();
        if error == Error::NotLeader && self.config.client == Client::Librdkafka {
            // Refused for stale metadata: librdkafka tries again without counting it.
            batch.tries -= 1;
        }
        let is_over = self.config.delivery_timeout.is_some_and(|timeout| batch.created + timeout <= now);
        if batch.tries > self.config.retries || is_over {
            let error =
                if is_over && batch.tries <= self.config.retries { Error::DeliveryTimedOut } else { error };
            self.give_up(&batch, error, ctx);
            return;
        }
        let doubled = Span(self.config.retry_backoff.0 << batch.tries.saturating_sub(1).min(20));
        let backoff = doubled.min(self.config.retry_backoff_max);
        batch.not_before = now + backoff;
        self.queues[number as usize].batches.push_front(batch);
        self.waiting.insert(number);
    }

    fn give_up(&mut self, batch: &Batch, error: Error, ctx: &mut KafkaCtx<'_>) {
        self.free(batch);
        for &message in &batch.messages {
            self.tell_failure(message, error, batch.tries > 0, ctx);
        }
    }

    fn tell_failure(&mut self, message: MessageId, error: Error, was_sent: bool, ctx: &mut KafkaCtx<'_>) {
        if let Some(outcomes) = &mut self.outcomes {
            return outcomes.push((message, false));
        }
        let attempt = self.attempt(message);
        ctx.observe(Fact::Failed { message, attempt, error: error as u16 });
        let is_refused = matches!(error, Error::NotLeader | Error::NotEnoughReplicas | Error::BufferFull);
        let doubt = if is_refused || !was_sent { Doubt::None } else { Doubt::MayBeStored };
        let again = match self.app.relays(message) {
            Some(after) => Some(after),
            None => self.app.answered(ctx.now(), attempt, Answer::Failed(doubt)),
        };
        if let Some(after) = again {
            self.again += 1;
            ctx.timer(after, Timer::Again { message, attempt: attempt.saturating_add(1) });
        } else {
            self.attempts.remove(&message);
        }
    }

    #[inline]
    fn attempt(&self, message: MessageId) -> u16 {
        if self.attempts.is_empty() { 1 } else { self.attempts.get(&message).copied().unwrap_or(1) }
    }

    fn free(&mut self, batch: &Batch) {
        self.buffered_bytes -= u64::from(batch.payload);
        self.buffered_records -= batch.messages.len() as u64;
    }

    /// The connection went away: nobody will answer what was under way on it.
    pub(super) fn requests_lost(&mut self, broker: u16, ctx: &mut KafkaCtx<'_>) {
        let lost = std::mem::take(&mut self.requests[broker as usize]);
        // The newest first: each goes back to the front of its queue.
        for (number, batch) in lost.into_iter().rev().flat_map(|request| request.batches) {
            self.queues[number as usize].in_flight -= 1;
            self.failed(number, batch, Error::Network, ctx);
        }
    }

    /// Looks at everything that has a time-out.
    pub(super) fn wake(&mut self, ctx: &mut KafkaCtx<'_>) {
        let now = ctx.now();
        if now < self.wake_at {
            return;
        }
        self.wake_at = Time::NEVER;
        let expired = |sent: Time, timeout: Span| sent + timeout <= now;
        for broker in 0..self.requests.len() as u16 {
            let oldest = self.requests[broker as usize].front().map(|request| request.sent);
            if oldest.is_some_and(|sent| expired(sent, self.config.request_timeout)) {
                self.links.give_up(broker, ctx);
                self.requests_lost(broker, ctx);
            }
        }
        self.expire_queued(ctx);
        if let Some(timeout) = self.config.delivery_timeout {
            self.expire_in_flight(timeout, ctx);
        }
        while let Some(&(message, since)) = self.blocked.front()
            && expired(since, self.config.max_block)
        {
            self.blocked.pop_front();
            self.tell_failure(message, Error::BufferFull, false, ctx);
        }
        let sent = self.requests.iter().filter_map(|requests| requests.front()).map(|request| request.sent);
        let blocked = self.blocked.front().map(|&(_, since)| since + self.config.max_block);
        let alarms = sent.map(|sent| sent + self.config.request_timeout).chain(blocked);
        if let Some(at) = alarms.min() {
            self.wake_at = at;
            ctx.timer_at(at, self.alarm());
        }
    }

    fn expire_queued(&mut self, ctx: &mut KafkaCtx<'_>) {
        let (now, expiry) = (ctx.now(), self.expiry());
        for number in 0..self.queues.len() {
            while let Some(batch) = self.queues[number].batches.front()
                && batch.created + expiry <= now
            {
                if let Some(batch) = self.queues[number].batches.pop_front() {
                    self.give_up(&batch, Error::DeliveryTimedOut, ctx);
                }
            }
        }
    }

    /// The time for delivery is over while the request is under way: the application is told; the request goes on.
    fn expire_in_flight(&mut self, timeout: Span, ctx: &mut KafkaCtx<'_>) {
        let now = ctx.now();
        for broker in 0..self.requests.len() {
            for at in 0..self.requests[broker].len() {
                let request = &mut self.requests[broker][at];
                let (late, rest): (Batches, Batches) = std::mem::take(&mut request.batches)
                    .into_iter()
                    .partition(|(_, batch)| batch.created + timeout <= now);
                request.batches = rest;
                for (number, batch) in late {
                    self.queues[number as usize].in_flight -= 1;
                    self.give_up(&batch, Error::DeliveryTimedOut, ctx);
                }
            }
        }
    }
}
