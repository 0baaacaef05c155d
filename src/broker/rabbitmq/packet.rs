//! What travels: AMQP 0-9-1 between clients and brokers, and what Erlang processes of two nodes send each other over
//! the distribution connection of their nodes.
//!
//! A client has one connection with one channel; opening both is one exchange here. Clients pipeline: methods are
//! answered in the order in which they were sent. Sizes on the wire are estimates good enough for bandwidth.

use std::mem;

use super::config::StreamOffset;
use super::content::EnvelopeId;
use super::error::Error;
use super::message::{Msg, Pid, Proc};
use super::topology::QueueId;
use crate::app::Talk;
use crate::sim::Span;

/// A packet.
#[derive(Clone, Debug)]
pub(super) enum Packet {
    /// Between a client and a broker.
    Amqp(Frame),
    /// From a process of one node to a process of another.
    Dist(Box<Letter>),
    /// The distribution's own: `net_kernel` shows that the node lives.
    Tick,
    /// Of a service and those who call it.
    Service(Talk),
}

/// A message from a process to another one, of the same node or of another.
#[derive(Clone, Debug)]
pub(super) struct Letter {
    pub(super) from: Pid,
    pub(super) to: Proc,
    pub(super) msg: Msg,
}

/// Letters that were read, to be written anew: a message costs no allocation. Nothing follows from what is in here.
#[derive(Debug, Default)]
#[expect(clippy::vec_box, reason = "the boxes are what is kept")]
pub(super) struct Letters(Vec<Box<Letter>>);

/// More than are under way at a time, as a rule.
const LETTERS_MAX: usize = 256;

impl Clone for Letters {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Letters {
    /// A letter to be sent.
    #[inline]
    #[expect(clippy::unnecessary_box_returns, reason = "the box is what is used again")]
    pub(super) fn write(&mut self, from: Pid, to: Proc, msg: Msg) -> Box<Letter> {
        let Some(mut paper) = self.0.pop() else { return Box::new(Letter { from, to, msg }) };
        (paper.from, paper.to) = (from, to);
        // There is nothing in it that would have to be dropped.
        mem::forget(mem::replace(&mut paper.msg, msg));
        paper
    }

    /// A letter that was read.
    #[inline]
    pub(super) fn put_back(&mut self, mut letter: Box<Letter>) {
        letter.msg = Msg::Answer;
        if self.0.len() < LETTERS_MAX {
            self.0.push(letter);
        }
    }
}

/// A consumer's tag on its channel.
pub(super) type ConsumerTag = u16;

/// A method, or what the server sends by itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Frame {
    // From the client.
    /// `connection.open` and `channel.open`; the heartbeat time-out that the client proposes, and whether it has the
    /// capability `consumer_cancel_notify`. Answered by `Opened`.
    Open {
        heartbeat: Span,
        takes_cancels: bool,
    },
    /// Answered by `Ok`, as all that follow unless they say otherwise.
    ConfirmSelect,
    TxSelect,
    TxCommit,
    /// `basic.qos`; zero: unlimited.
    Qos {
        count: u16,
        is_global: bool,
    },
    /// `queue.declare` with the bindings that the scenario gives it.
    Declare {
        queue: QueueId,
        is_passive: bool,
    },
    Consume {
        queue: QueueId,
        tag: ConsumerTag,
        no_ack: bool,
        is_exclusive: bool,
        priority: i32,
        /// `x-cancel-on-ha-failover`.
        is_cancelled_on_failover: bool,
        /// `x-stream-offset`.
        offset: StreamOffset,
    },
    /// `basic.consume` of the pseudo-queue of direct replies, which needs no acknowledgements.
    ConsumeReplies {
        tag: ConsumerTag,
    },
    Cancel {
        tag: ConsumerTag,
    },
    /// `basic.get`. Answered by `GetOk` or `GetEmpty`.
    Get {
        queue: QueueId,
        no_ack: bool,
    },
    /// Not answered as such: by `Return`, `Ack` or `Nack`, if at all.
    Publish {
        envelope: EnvelopeId,
        is_mandatory: bool,
    },
    /// `basic.ack`, `basic.nack`, `basic.reject` of a consumer: not answered.
    Settle {
        tag: u64,
        multiple: bool,
        how: Settle,
    },
    /// `channel.close` and `connection.close`. Answered by `Closed`.
    Close,

    // From the broker.
    Opened {
        heartbeat: Span,
    },
    Ok,
    GetOk {
        tag: u64,
        envelope: EnvelopeId,
        redelivered: bool,
    },
    GetEmpty,
    /// `basic.deliver`; `count` is the header `x-delivery-count`, zero: absent; `offset` that of a stream.
    Deliver {
        consumer: ConsumerTag,
        tag: u64,
        envelope: EnvelopeId,
        redelivered: bool,
        count: u32,
        offset: u32,
    },
    /// `basic.ack` of a publish.
    Ack {
        seq: u64,
        multiple: bool,
    },
    /// `basic.nack` of a publish.
    Nack {
        seq: u64,
        multiple: bool,
    },
    /// `basic.return`, `312 NO_ROUTE`.
    Return {
        envelope: EnvelopeId,
    },
    /// `basic.cancel` from the broker.
    Cancelled {
        tag: ConsumerTag,
    },
    /// `connection.blocked`, `connection.unblocked`.
    Blocked,
    Unblocked,
    /// `channel.close` from the broker: this channel is gone, the connection is not.
    ChannelClosed {
        error: Error,
    },
    /// `connection.close` from the broker.
    ConnectionClosed {
        error: Error,
    },
    Closed,

    // From both.
    Heartbeat,
}

/// What a consumer says of a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settle {
    Ack,
    Nack { requeue: bool },
    Reject { requeue: bool },
}

impl Packet {
    /// Whether it asks for something, and is no answer.
    pub(super) fn is_request(&self) -> bool {
        match self {
            Self::Amqp(frame) => frame.is_method(),
            Self::Dist(_) | Self::Tick => false,
            Self::Service(talk) => matches!(talk, Talk::Call { .. }),
        }
    }

    /// A number for the fingerprint.
    #[inline]
    pub(super) fn fingerprint(&self) -> u64 {
        match self {
            Self::Amqp(frame) => frame.fingerprint() << 2,
            Self::Dist(letter) => letter.msg.fingerprint() << 2 | 1,
            Self::Tick => 2,
            Self::Service(talk) => talk.fingerprint() << 2 | 3,
        }
    }
}

impl Frame {
    /// Whether a client sends it to have something done.
    fn is_method(&self) -> bool {
        self.fingerprint() & 0xff < 20
    }

    #[inline]
    fn fingerprint(&self) -> u64 {
        match *self {
            Self::Open { .. } => 0,
            Self::ConfirmSelect => 1,
            Self::TxSelect => 2,
            Self::TxCommit => 3,
            Self::Qos { count, .. } => u64::from(count) << 8 | 5,
            Self::Declare { queue, .. } => u64::from(queue.0) << 8 | 6,
            Self::Consume { queue, .. } => u64::from(queue.0) << 8 | 8,
            Self::Cancel { tag } => u64::from(tag) << 8 | 9,
            Self::Get { queue, .. } => u64::from(queue.0) << 8 | 10,
            Self::Publish { envelope, .. } => u64::from(envelope.0) << 8 | 11,
            Self::Settle { tag, multiple, how } => {
                let how = match how {
                    Settle::Ack => 0,
                    Settle::Nack { requeue } => 1 + u64::from(requeue),
                    Settle::Reject { requeue } => 3 + u64::from(requeue),
                };
                (tag << 4 | how << 1 | u64::from(multiple)) << 8 | 12
            }
            Self::Close => 13,
            Self::ConsumeReplies { tag } => u64::from(tag) << 8 | 14,
            Self::Opened { .. } => 20,
            Self::Ok => 21,
            Self::GetOk { tag, .. } => tag << 8 | 22,
            Self::GetEmpty => 23,
            Self::Deliver { tag, envelope, .. } => (tag << 20 ^ u64::from(envelope.0)) << 8 | 24,
            Self::Ack { seq, multiple } => (seq << 1 | u64::from(multiple)) << 8 | 25,
            Self::Nack { seq, multiple } => (seq << 1 | u64::from(multiple)) << 8 | 26,
            Self::Return { envelope } => u64::from(envelope.0) << 8 | 27,
            Self::Cancelled { tag } => u64::from(tag) << 8 | 28,
            Self::Blocked => 29,
            Self::Unblocked => 30,
            Self::ChannelClosed { error } => (error as u64) << 8 | 31,
            Self::ConnectionClosed { error } => (error as u64) << 8 | 32,
            Self::Closed => 33,
            Self::Heartbeat => 34,
        }
    }

    /// What tools that look at the wire call it.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Open { .. } => "connection.open",
            Self::ConfirmSelect => "confirm.select",
            Self::TxSelect => "tx.select",
            Self::TxCommit => "tx.commit",
            Self::Qos { .. } => "basic.qos",
            Self::Declare { .. } => "queue.declare",
            Self::Consume { .. } | Self::ConsumeReplies { .. } => "basic.consume",
            Self::Cancel { .. } | Self::Cancelled { .. } => "basic.cancel",
            Self::Get { .. } => "basic.get",
            Self::Publish { .. } => "basic.publish",
            Self::Settle { how, .. } => match how {
                Settle::Ack => "basic.ack",
                Settle::Nack { .. } => "basic.nack",
                Settle::Reject { .. } => "basic.reject",
            },
            Self::Opened { .. } => "open-ok",
            Self::Ok => "ok",
            Self::GetOk { .. } => "get-ok",
            Self::GetEmpty => "get-empty",
            Self::Deliver { .. } => "basic.deliver",
            Self::Ack { .. } => "basic.ack",
            Self::Nack { .. } => "basic.nack",
            Self::Return { .. } => "basic.return",
            Self::Blocked => "connection.blocked",
            Self::Unblocked => "connection.unblocked",
            Self::ChannelClosed { .. } => "channel.close",
            Self::Close | Self::ConnectionClosed { .. } => "connection.close",
            Self::Closed => "close-ok",
            Self::Heartbeat => "heartbeat",
        }
    }

    /// The message that it carries.
    pub(super) fn envelope(&self) -> Option<EnvelopeId> {
        match *self {
            Self::Publish { envelope, .. }
            | Self::GetOk { envelope, .. }
            | Self::Deliver { envelope, .. }
            | Self::Return { envelope } => Some(envelope),
            _ => None,
        }
    }
}
