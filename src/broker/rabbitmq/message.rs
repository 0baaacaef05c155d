//! What the Erlang processes of the cluster say to each other. A process has a mailbox and handles one message at a
//! time, in the order of arrival; a message to a process on another node travels over the distribution connection of
//! the two nodes, a message to a process that is gone vanishes.

use smallvec::SmallVec;

use super::broker::mirror::MirrorMsg;
use super::broker::node::NodeMsg;
use super::broker::quorum::QuorumMsg;
use super::broker::stream::StreamMsg;
use super::config::StreamOffset;
use super::content::{Content, EnvelopeId};
use super::error::Error;
use super::packet::ConsumerTag;
use super::topology::QueueId;
use crate::fact::NodeId;

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Pid {
    /// The node's number, from 0.
    pub(super) node: u16,
    pub(super) proc: Proc,
}

/// A process of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Proc {
    /// A client's connection with its channel. Numbers are never used again.
    Channel(u32),
    /// The node's process of a queue: the queue itself, a mirror, a member.
    Queue(QueueId),
    /// What there is one of on a node: node monitor, alarm handler, the table of delayed messages.
    Node,
}

/// What processes say to each other.
#[derive(Clone, Debug)]
pub(super) enum Msg {
    // To a queue; the sender is a channel.
    Publish(Publish),
    Subscribe(Subscribe),
    Unsubscribe {
        tag: ConsumerTag,
    },
    Get {
        no_ack: bool,
    },
    /// Deliveries, by the queue's own numbers.
    Settle {
        ids: SmallVec<[u64; 2]>,
        how: Settled,
    },
    /// The channel is gone: whatever it held goes back.
    ChannelDown,
    /// `queue.delete`.
    Delete,
    /// `queue.declare`, though it is there: it is in use.
    Used,

    /// The channel may be handed more: its own prefetch has room.
    Room,

    // To a channel; the sender is a queue.
    Deliver(Delivery),
    /// These publishes are as safe as the queue makes them.
    Confirm {
        seqs: SmallVec<[u64; 2]>,
    },
    /// These publishes were not taken.
    Refuse {
        seqs: SmallVec<[u64; 2]>,
    },
    Got(Option<Delivery>),
    Subscribed(Result<(), Error>),
    Deleted,
    /// The queue took so many publishes: as many more may be sent.
    Credit(u32),
    /// A queue's consumer is gone without the channel's doing.
    ConsumerGone {
        tag: ConsumerTag,
    },
    /// A process of a queue, on that node, ended. From the channel's own node.
    QueueDown {
        queue: QueueId,
        node: u16,
        how: QueueEnd,
    },
    /// A reply for whoever consumes the channel's direct replies.
    Reply(EnvelopeId),
    /// The channel's own reminder, behind everything that is in its mailbox: answer what was confirmed meanwhile.
    Answer,

    // Between the processes of one queue.
    Mirror(Box<MirrorMsg>),
    Quorum(QuorumMsg),
    Stream(Box<StreamMsg>),

    /// To a node.
    Node(Box<NodeMsg>),
}

/// A message for a queue.
#[derive(Clone, Copy, Debug)]
pub(super) struct Publish {
    pub(super) envelope: EnvelopeId,
    /// The channel's number for it, from 1; zero: nobody wants to hear of it (dead-lettered at most once).
    pub(super) seq: u64,
    /// The publisher wants a confirm.
    pub(super) is_confirmed: bool,
}

/// A new consumer of a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Subscribe {
    pub(super) tag: ConsumerTag,
    pub(super) no_ack: bool,
    pub(super) is_exclusive: bool,
    pub(super) priority: i32,
    /// Zero: unlimited.
    pub(super) prefetch: u16,
    /// The prefetch belongs to the channel, not to the consumer.
    pub(super) is_global: bool,
    /// Of a stream: where it begins.
    pub(super) offset: StreamOffset,
    /// Whose it is.
    pub(super) client: NodeId,
}

/// A message for a consumer, or an answer to `basic.get`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Delivery {
    pub(super) tag: ConsumerTag,
    /// The queue's own number for it.
    pub(super) id: u64,
    pub(super) envelope: EnvelopeId,
    pub(super) redelivered: bool,
    /// The header `x-delivery-count`; zero: absent.
    pub(super) count: u32,
    pub(super) no_ack: bool,
}

/// What a channel tells a queue about deliveries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    Acked,
    /// To be delivered again. By `basic.reject`, or by `basic.nack`.
    Requeued {
        is_reject: bool,
    },
    /// Not to be delivered again: dead-lettered or dropped.
    Discarded,
}

/// How a process of a queue ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum QueueEnd {
    /// It was declared just now, and has not ended at all.
    Declared,
    /// It was deleted.
    Deleted,
    /// It crashed.
    Crashed,
    /// Its node is gone.
    NodeDown,
}

impl Msg {
    /// Takes it away from whoever lends it.
    pub(super) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Answer)
    }

    /// A number for the fingerprint.
    pub(super) fn fingerprint(&self) -> u64 {
        let first = |seqs: &SmallVec<[u64; 2]>| seqs.first().copied().unwrap_or(0);
        match self {
            Self::Publish(publish) => u64::from(publish.envelope.0) << 8 | 1,
            Self::Subscribe(subscribe) => u64::from(subscribe.tag) << 8 | 2,
            Self::Unsubscribe { tag } => u64::from(*tag) << 8 | 3,
            Self::Get { .. } => 4,
            Self::Settle { ids, .. } => first(ids) << 8 | 5,
            Self::ChannelDown => 6,
            Self::Delete => 7,
            Self::Deliver(delivery) => delivery.id << 8 | 8,
            Self::Confirm { seqs } => first(seqs) << 8 | 9,
            Self::Refuse { seqs } => first(seqs) << 8 | 10,
            Self::Got(_) => 11,
            Self::Subscribed(_) => 12,
            Self::Deleted => 13,
            Self::Credit(_) => 14,
            Self::ConsumerGone { .. } => 15,
            Self::QueueDown { .. } => 16,
            Self::Answer => 17,
            Self::Mirror(msg) => msg.fingerprint() << 8 | 18,
            Self::Quorum(msg) => msg.fingerprint() << 8 | 19,
            Self::Stream(msg) => msg.fingerprint() << 8 | 22,
            Self::Reply(envelope) => u64::from(envelope.0) << 8 | 21,
            Self::Room => 22,
            Self::Used => 23,
            Self::Node(msg) => msg.fingerprint() << 8 | 20,
        }
    }

    /// Whether it says no more than that its sender lives.
    pub(super) fn is_sign_of_life(&self) -> bool {
        matches!(self, Self::Node(msg) if matches!(**msg, NodeMsg::Beat))
    }

    /// Whether it carries a message of an application.
    pub(super) fn carries_message(&self) -> bool {
        match self {
            Self::Publish(_) | Self::Deliver(_) | Self::Reply(_) | Self::Got(Some(_)) => true,
            Self::Mirror(msg) => msg.carries_message(),
            Self::Stream(msg) => msg.carries_message(),
            _ => false,
        }
    }

    /// What it is, in a word.
    pub(super) fn label(&self) -> &'static str {
        match self {
            Self::Publish(_) => "publish",
            Self::Deliver(_) | Self::Got(_) => "deliver",
            Self::Confirm { .. } => "confirm",
            Self::Refuse { .. } => "reject",
            Self::Settle { how: Settled::Acked, .. } => "ack",
            Self::Settle { .. } => "return",
            Self::Credit(_) | Self::Room => "credit",
            Self::Subscribe(_) | Self::Subscribed(_) => "consume",
            Self::Unsubscribe { .. } | Self::ConsumerGone { .. } => "cancel",
            Self::Get { .. } => "get",
            Self::Delete | Self::Deleted => "delete",
            Self::Used => "declare",
            Self::ChannelDown | Self::QueueDown { .. } => "down",
            Self::Answer => "answer",
            Self::Reply(_) => "reply",
            Self::Mirror(_) => "gm",
            Self::Quorum(msg) => msg.label(),
            Self::Stream(msg) => msg.label(),
            Self::Node(msg) => msg.label(),
        }
    }

    /// The size of the messages that it carries.
    pub(super) fn body_bytes(&self, content: &Content) -> u32 {
        let size = |envelope: EnvelopeId| content.get(envelope).size;
        match self {
            Self::Publish(publish) => size(publish.envelope),
            Self::Deliver(delivery) | Self::Got(Some(delivery)) => size(delivery.envelope),
            Self::Reply(envelope) => size(*envelope),
            Self::Stream(msg) => match **msg {
                StreamMsg::Write { envelope, .. } => size(envelope),
                _ => 0,
            },
            Self::Mirror(msg) => msg.envelopes().map(size).fold(0, u32::saturating_add),
            _ => 0,
        }
    }

    /// Its size on the wire besides them, about.
    pub(super) fn bytes(&self) -> u32 {
        match self {
            Self::Quorum(msg) => msg.bytes(),
            Self::Stream(msg) => msg.bytes(),
            Self::Publish(_) | Self::Deliver(_) | Self::Reply(_) | Self::Mirror(_) => 200,
            _ => 80,
        }
    }
}
