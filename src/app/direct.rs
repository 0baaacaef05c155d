//! A producer without a queue: it calls a service itself and waits for the answer.

use std::collections::BTreeMap;

use super::catalogue::{Catalogue, Origin};
use super::sender::{Answer, Doubt, Sender};
use super::service::{Alarm, Called, Carries, Line};
use crate::fact::{Fact, MessageId, SubscriptionId};
use crate::sim::{Ctx, Input, NodeId};

/// With `rate = "max"` so many calls of an instance are open at once.
const OPEN_MAX: usize = 100;

/// One instance of an application that calls a service for each of its messages.
#[derive(Clone, Debug)]
pub struct Direct {
    app: Sender,
    line: Line,
    /// The pseudo-subscription named after the service.
    subscription: SubscriptionId,
    attempts: BTreeMap<MessageId, u16>,
    again: u32,
    is_due_armed: bool,
}

impl Direct {
    /// An instance that has called nobody yet.
    pub fn new(app: Sender, service: NodeId, subscription: SubscriptionId) -> Self {
        let line = Line::new(service);
        Self { app, line, subscription, attempts: BTreeMap::new(), again: 0, is_due_armed: false }
    }

    /// Whether it has nothing more to send and nothing to wait for.
    pub fn is_done(&self) -> bool {
        !self.app.has_more() && !self.app.is_waiting() && self.again == 0
    }

    /// What it has called about and not heard of.
    pub fn calls(&self) -> impl Iterator<Item = MessageId> {
        self.line.calls()
    }

    /// A step tells the application to send.
    pub fn told_to_send<M: Carries>(&mut self, count: u32, ctx: &mut Ctx<'_, M>) {
        self.app.tell(count, ctx.now());
        self.arm(ctx);
    }

    /// Takes an input.
    pub fn on<M: Carries>(
        &mut self,
        input: &Input<M::Packet, M::Timer>,
        catalogue: &mut Catalogue,
        ctx: &mut Ctx<'_, M>,
    ) {
        match input {
            Input::Start => {
                self.line.restart();
                self.attempts.clear();
                self.again = 0;
                self.is_due_armed = false;
                // It has no outbox.
                let _ = self.app.restart(ctx.now());
            }
            Input::Stop => return ctx.exit(),
            Input::Timer(timer) => match M::alarm(timer) {
                Some(Alarm::Due) => self.due(catalogue, ctx),
                Some(Alarm::Again { message, attempt }) => {
                    self.again -= 1;
                    self.attempts.insert(message, attempt);
                    ctx.observe(Fact::Sent { message, attempt });
                    self.line.call(message, Some(self.subscription), ctx);
                }
                _ => {}
            },
            _ => {}
        }
        for called in self.line.on(input, ctx) {
            self.answered(called, ctx);
        }
        self.arm(ctx);
    }

    fn due<M: Carries>(&mut self, catalogue: &mut Catalogue, ctx: &mut Ctx<'_, M>) {
        self.is_due_armed = false;
        if self.is_full() {
            return;
        }
        let (producer, instance) = (self.app.producer(), self.app.instance());
        let number = self.app.take(ctx.now());
        let message = catalogue.add(Origin { producer, number });
        let key = catalogue.key(message);
        ctx.observe(Fact::Due { message, producer, instance, number, key });
        if ctx.has_details() {
            ctx.observe(Fact::Sent { message, attempt: 1 });
        }
        self.line.call(message, Some(self.subscription), ctx);
    }

    fn answered<M: Carries>(&mut self, called: Called, ctx: &mut Ctx<'_, M>) {
        let message = called.message;
        let attempt = self.attempts.remove(&message).unwrap_or(1);
        let Some(error) = called.error else {
            ctx.observe(Fact::Confirmed { message, attempt });
            self.app.answered(ctx.now(), attempt, Answer::Confirmed);
            return;
        };
        ctx.observe(Fact::Failed { message, attempt, error: error.number() });
        let doubt = if called.may_be_done { Doubt::MayBeStored } else { Doubt::None };
        if let Some(after) = self.app.answered(ctx.now(), attempt, Answer::Failed(doubt)) {
            self.again += 1;
            ctx.timer(after, M::timer(Alarm::Again { message, attempt: attempt.saturating_add(1) }));
        }
    }

    fn is_full(&self) -> bool {
        self.app.is_greedy() && self.line.open() >= OPEN_MAX
    }

    fn arm<M: Carries>(&mut self, ctx: &mut Ctx<'_, M>) {
        if !self.is_due_armed
            && !self.is_full()
            && let Some(at) = self.app.due()
        {
            self.is_due_armed = true;
            ctx.timer_at(at, M::timer(Alarm::Due));
        }
    }
}
