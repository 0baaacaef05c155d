//! How publishing ends: confirms, returns, refusals, commits, lost connections, time-outs; and what the application is
//! told.

use super::super::super::error::Error;
use super::super::super::model::{RabbitCtx, Shared, Timer};
use super::super::super::packet::Frame;
use super::{Publisher, Unconfirmed};
use crate::app::{Answer, Doubt, OWN_WRITE};
use crate::fact::{Fact, MessageId};
use crate::sim::Span;

/// What the broker says of a publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Ack,
    Nack,
}

impl Publisher {
    /// The broker said something on the channel.
    #[inline]
    pub(super) fn answered(&mut self, frame: Frame, shared: &Shared, ctx: &mut RabbitCtx<'_>) {
        match frame {
            Frame::Ack { seq, multiple } => self.settled(seq, multiple, Says::Ack, ctx),
            Frame::Nack { seq, multiple } => self.settled(seq, multiple, Says::Nack, ctx),
            Frame::Deliver { .. } | Frame::Return { .. } if self.calls.is_some() => {
                self.replied(frame, shared, ctx);
            }
            Frame::Return { envelope } => self.returned(shared.content.message(envelope), ctx),
            Frame::Opened { .. } | Frame::Ok if self.setup > 0 => self.setup -= 1,
            Frame::Ok if self.is_committing => {
                self.is_committing = false;
                for message in std::mem::take(&mut self.batch) {
                    self.confirmed(message, ctx);
                }
            }
            _ => {}
        }
    }

    fn settled(&mut self, seq: u64, multiple: bool, says: Says, ctx: &mut RabbitCtx<'_>) {
        let Some(at) = seq.checked_sub(self.first).map(|at| at as usize) else { return };
        if multiple {
            let count = self.unconfirmed.len().min(at + 1);
            self.first += count as u64;
            for _ in 0..count {
                let Some(one) = self.unconfirmed.pop_front() else { break };
                self.settle(one, says, ctx);
            }
        } else if at == 0 {
            let Some(one) = self.unconfirmed.pop_front() else { return };
            self.first += 1;
            self.settle(one, says, ctx);
        } else if let Some(one) = self.unconfirmed.get_mut(at) {
            let settled = *one;
            one.is_open = false;
            self.settle(settled, says, ctx);
        }
        while self.unconfirmed.front().is_some_and(|one| !one.is_open) {
            self.unconfirmed.pop_front();
            self.first += 1;
        }
    }

    #[inline]
    fn settle(&mut self, one: Unconfirmed, says: Says, ctx: &mut RabbitCtx<'_>) {
        if !one.is_open {
            return;
        }
        self.open -= 1;
        match says {
            Says::Nack => self.failed(one.message, Error::Nack, Doubt::None, ctx),
            Says::Ack if one.is_returned => self.confirmed_and_returned(one.message, ctx),
            Says::Ack => self.confirmed(one.message, ctx),
        }
    }

    /// The application hears that it succeeded.
    #[inline]
    pub(super) fn confirmed(&mut self, message: MessageId, ctx: &mut RabbitCtx<'_>) {
        let attempt = self.attempt(message);
        ctx.observe(Fact::Confirmed { message, attempt });
        self.app.answered(ctx.now(), attempt, Answer::Confirmed);
        if !self.attempts.is_empty() {
            self.attempts.remove(&message);
        }
        if self.app.writes_after(message) {
            ctx.timer(OWN_WRITE, Timer::Written(message));
        }
    }

    /// No queue took it: said before it is confirmed, or committed.
    fn returned(&mut self, message: MessageId, ctx: &mut RabbitCtx<'_>) {
        ctx.observe(Fact::Returned { message });
        let mut waiting = self.unconfirmed.iter_mut().filter(|one| one.message == message && one.is_open);
        if let Some(one) = waiting.next_back() {
            one.is_returned = true;
        }
    }

    /// Confirmed, but nobody has it: for the application that failed.
    fn confirmed_and_returned(&mut self, message: MessageId, ctx: &mut RabbitCtx<'_>) {
        let attempt = self.attempt(message);
        ctx.observe(Fact::Confirmed { message, attempt });
        self.react(message, attempt, Doubt::None, ctx);
    }

    /// The application hears that it failed.
    pub(super) fn failed(&mut self, message: MessageId, error: Error, doubt: Doubt, ctx: &mut RabbitCtx<'_>) {
        let attempt = self.attempt(message);
        ctx.observe(Fact::Failed { message, attempt, error: error.number() });
        self.react(message, attempt, doubt, ctx);
    }

    /// The call threw: there is no channel.
    pub(super) fn thrown(&mut self, message: MessageId, ctx: &mut RabbitCtx<'_>) {
        self.failed(message, Error::AlreadyClosed, Doubt::None, ctx);
    }

    /// What the application does about an attempt that did not succeed.
    fn react(&mut self, message: MessageId, attempt: u16, doubt: Doubt, ctx: &mut RabbitCtx<'_>) {
        let again = match self.app.relays(message) {
            Some(after) => Some(after),
            None => self.app.answered(ctx.now(), attempt, Answer::Failed(doubt)),
        };
        if let Some(after) = again {
            self.again += 1;
            // A pause of nothing would be a loop without time.
            let after = after.max(Span::from_millis(1));
            ctx.timer(after, Timer::Again { message, attempt: attempt.saturating_add(1) });
        } else {
            self.attempts.remove(&message);
        }
    }

    /// The channel is gone. What was published and not answered will never be: nobody says that it failed. What was not
    /// committed never happened, and calls that were waiting throw.
    pub(super) fn lost(&mut self, ctx: &mut RabbitCtx<'_>) {
        let unconfirmed = std::mem::take(&mut self.unconfirmed);
        let batch = std::mem::take(&mut self.batch);
        let was_committing = self.is_committing;
        self.calls_lost(ctx);
        self.forget_channel();
        // Ready is what the next channel will be when it is set up.
        self.setup = 1;
        for one in unconfirmed.into_iter().filter(|one| one.is_open) {
            self.never_answered(one.message, ctx);
        }
        for message in batch {
            match (was_committing, self.link.refusal()) {
                (true, Some(error)) => self.failed(message, error, Doubt::MayBeStored, ctx),
                (true, None) => self.never_answered(message, ctx),
                (false, _) => self.failed(message, Error::ConnectionLost, Doubt::None, ctx),
            }
        }
        if let Some(error) = self.refused() {
            for message in std::mem::take(&mut self.blocked) {
                self.failed(message, error, Doubt::None, ctx);
            }
            return;
        }
        if !self.link.was_open() || self.holds_back() {
            return;
        }
        for message in std::mem::take(&mut self.blocked) {
            if self.attempt(message) > 1 {
                self.blocked.push_back(message);
            } else {
                self.thrown(message, ctx);
            }
        }
    }

    fn never_answered(&mut self, message: MessageId, ctx: &mut RabbitCtx<'_>) {
        ctx.observe(Fact::Unanswered { message });
        let attempt = self.attempt(message);
        self.react(message, attempt, Doubt::MayBeStored, ctx);
    }

    /// The application waits no longer than it said.
    pub(super) fn expire(&mut self, ctx: &mut RabbitCtx<'_>) {
        let Some(timeout) = self.config.confirm_timeout else { return };
        let now = ctx.now();
        let expired: Vec<MessageId> = self
            .unconfirmed
            .iter_mut()
            .take_while(|one| one.since + timeout <= now)
            .filter_map(|one| std::mem::take(&mut one.is_open).then_some(one.message))
            .collect();
        for message in expired {
            self.open -= 1;
            self.failed(message, Error::Timeout, Doubt::MayBeStored, ctx);
        }
        if let Some(next) = self.unconfirmed.iter().find(|one| one.is_open) {
            self.link.arm(next.since + timeout, ctx);
        }
    }
}
