//! What a producing client gives up because it took too long.

use smallvec::SmallVec;

use super::{Batch, Producer};
use crate::broker::kafka::model::{KafkaCtx, Timer};
use crate::broker::kafka::packet::Error;
use crate::sim::{Span, Time};

impl Producer {
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
            ctx.timer_at(at, Timer::Wake);
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
                let (late, rest) = std::mem::take(&mut request.batches).into_iter().partition::<SmallVec<
                    [(u32, Batch); 1],
                >, _>(
                    |(_, batch)| batch.created + timeout <= now,
                );
                request.batches = rest;
                for (number, batch) in late {
                    self.queues[number as usize].in_flight -= 1;
                    self.give_up(&batch, Error::DeliveryTimedOut, ctx);
                }
            }
        }
    }
}
