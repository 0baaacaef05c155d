//! Remote procedure calls: the application publishes a request and waits for the reply.
//!
//! What it hears of a request is the reply: publisher confirms play no part. A reply is matched by its correlation id,
//! which belongs to the message, so that a reply to an earlier attempt is as good as one to the last; a reply that
//! nobody waits for any more is dropped. A caller whose connection is lost, or whose request comes back (`mandatory`),
//! is told at once; otherwise it waits as long as it says. Whether the request was executed it does not know.
//!
//! Replies come to a queue that the caller consumes without acknowledgements, and declares if it is its own, or
//! straight to its channel (`amq.rabbitmq.reply-to`).
//!
//! Source: <https://www.rabbitmq.com/docs/direct-reply-to>, <https://www.rabbitmq.com/tutorials/tutorial-six-java>.
//!
//! Not modelled: several callers' replies in one queue that are not theirs.

use std::collections::BTreeMap;

use super::super::super::config::StreamOffset;
use super::super::super::error::Error;
use super::super::super::model::{RabbitCtx, Shared};
use super::super::super::packet::Frame;
use super::super::super::topology::{QueueSpec, Replies, Topology};
use super::Publisher;
use crate::app::Doubt;
use crate::fact::MessageId;
use crate::scenario::plan::Rpc;
use crate::sim::{Span, Time};

/// What a caller waits for.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    replies: Replies,
    timeout: Span,
    /// It declares the queue of replies itself.
    is_own: bool,
    /// Since when.
    open: BTreeMap<MessageId, Time>,
}

impl Calls {
    /// None: the producer waits for no replies.
    pub(super) fn of(rpc: Option<&Rpc>, replies: Option<Replies>, topology: &Topology) -> Option<Self> {
        let (rpc, replies) = (rpc?, replies?);
        let is_own =
            replies.queue.map(|queue| topology.queue(queue)).is_some_and(QueueSpec::is_declared_by_users);
        Some(Self { replies, timeout: rpc.timeout, is_own, open: BTreeMap::new() })
    }

    /// What makes the channel ready for replies.
    pub(super) fn set_up(&self) -> Vec<Frame> {
        let Some(queue) = self.replies.queue else { return vec![Frame::ConsumeReplies { tag: 0 }] };
        let (tag, no_ack, is_exclusive, priority) = (0, true, false, 0);
        let offset = StreamOffset::Next;
        let is_cancelled_on_failover = false;
        let consume =
            Frame::Consume { queue, tag, no_ack, is_exclusive, priority, offset, is_cancelled_on_failover };
        let declare = self.is_own.then_some(Frame::Declare { queue, is_passive: false });
        declare.into_iter().chain([consume]).collect()
    }

    /// A request is published: when its time is over.
    pub(super) fn ask(&mut self, message: MessageId, now: Time) -> Time {
        self.open.insert(message, now);
        now + self.timeout
    }

    /// How many replies it waits for.
    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    pub(super) fn waiting(&self) -> impl Iterator<Item = MessageId> + '_ {
        self.open.keys().copied()
    }

    pub(super) fn forget(&mut self) {
        self.open.clear();
    }
}

impl Publisher {
    /// A reply came, or a request came back.
    pub(super) fn replied(&mut self, frame: Frame, shared: &Shared, ctx: &mut RabbitCtx<'_>) {
        let Some(calls) = &mut self.calls else { return };
        let Some(message) = frame.envelope().map(|envelope| shared.content.message(envelope)) else { return };
        if calls.open.remove(&message).is_none() {
            return;
        }
        if matches!(frame, Frame::Return { .. }) {
            self.failed(message, Error::NoRoute, Doubt::None, ctx);
        } else {
            self.confirmed(message, ctx);
        }
    }

    /// Nobody will reply on a channel that is gone.
    pub(super) fn calls_lost(&mut self, ctx: &mut RabbitCtx<'_>) {
        let Some(calls) = &mut self.calls else { return };
        for (message, _) in std::mem::take(&mut calls.open) {
            self.failed(message, Error::ConnectionLost, Doubt::MayBeStored, ctx);
        }
    }

    /// Calls that were waited for long enough.
    pub(super) fn calls_expire(&mut self, ctx: &mut RabbitCtx<'_>) {
        let Some(calls) = &mut self.calls else { return };
        let (now, timeout) = (ctx.now(), calls.timeout);
        let over: Vec<MessageId> = calls
            .open
            .iter()
            .filter(|(_, since)| **since + timeout <= now)
            .map(|(message, _)| *message)
            .collect();
        for message in &over {
            calls.open.remove(message);
        }
        if let Some(next) = calls.open.values().min() {
            let at = *next + timeout;
            self.link.arm(at, ctx);
        }
        for message in over {
            self.failed(message, Error::Timeout, Doubt::MayBeStored, ctx);
        }
    }
}
