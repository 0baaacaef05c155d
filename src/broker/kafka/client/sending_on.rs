//! `then = "send to X"`: a consuming application sends what it cannot process to another topic, waits until that is
//! confirmed, and goes on. It has a producing client for that, with the library's defaults. A send that fails is made
//! again: to go on without the message would lose it.
//!
//! The copy is the same message. Whoever dies between the confirm and the commit of the offset sends it on twice.
//!
//! Not modelled: the idempotence that newer libraries have by default, as for every producing client here.

use super::super::model::{KafkaCtx, Shared, Timer};
use super::super::packet::Packet;
use super::consumer::Consumer;
use super::producer::Producer;
use crate::fact::{Fact, GivenUp, MessageId};
use crate::scenario::plan::{ConsumerPlan, Plan, Then};
use crate::sim::{Input, Span};

/// The producing client of a consuming application.
#[derive(Clone, Debug)]
pub(super) struct SendingOn {
    client: Producer,
    /// After how long a failed send is made again.
    every: Span,
}

impl SendingOn {
    /// As the application wants it; none: it sends nothing on.
    pub(super) fn of(plan: &Plan, consumer: &ConsumerPlan, seed: u64, shared: &Shared) -> Option<Self> {
        let Then::SendTo(to) = &consumer.if_fails.then else { return None };
        let client = Producer::sending_on(plan, consumer, to, seed, shared);
        Some(Self { client, every: consumer.if_fails.every.max(Span::from_millis(1)) })
    }

    /// How many messages are with it.
    pub(super) fn under_way(&self) -> u64 {
        self.client.buffered()
    }

    /// Takes what is meant for this client; anything else is given back.
    fn take(
        &mut self,
        input: Input<Packet, Timer>,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) -> Option<Input<Packet, Timer>> {
        let (own, rest) = match input {
            Input::Start => (Input::Start, Some(Input::Start)),
            Input::Timer(Timer::SendingOn) => (Input::Timer(Timer::Wake), None),
            Input::Timer(Timer::SendOnAgain(message)) => {
                self.client.hand_over(message, shared, ctx);
                return None;
            }
            Input::Packet(conn, _) | Input::Connected(conn) | Input::Closed(conn)
                if self.client.owns(conn) =>
            {
                (input, None)
            }
            other => return Some(other),
        };
        self.client.on(own, shared, ctx);
        rest
    }
}

impl Consumer {
    /// What is meant for the client that sends on goes there; anything else is given back.
    pub(super) fn take_for_sending_on(
        &mut self,
        input: Input<Packet, Timer>,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) -> Option<Input<Packet, Timer>> {
        let Some(sending) = &mut self.sending_on else { return Some(input) };
        let rest = sending.take(input, shared, ctx);
        self.sent_on(ctx);
        rest
    }

    /// The application could not process this message and sends it on.
    pub(super) fn send_on(&mut self, message: MessageId, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        if let Some(sending) = &mut self.sending_on {
            sending.client.hand_over(message, shared, ctx);
        }
        self.sent_on(ctx);
    }

    /// What is confirmed is done with; what failed is sent again.
    fn sent_on(&mut self, ctx: &mut KafkaCtx<'_>) {
        let Some(sending) = &mut self.sending_on else { return };
        let every = sending.every;
        for (message, is_confirmed) in sending.client.outcomes() {
            if !is_confirmed {
                ctx.timer(every, Timer::SendOnAgain(message));
            } else if let Some(item) = self.worker.sent_on(message) {
                let (subscription, how) = (self.worker.subscription, GivenUp::DeadLettered);
                ctx.observe(Fact::GivenUp { message, subscription, how });
                self.finish(item);
            }
        }
    }
}
