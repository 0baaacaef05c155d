//! A quorum queue: a queue as the state machine of a Raft group.

use crate::broker::rabbitmq::broker::channel::Unacked;
use crate::broker::rabbitmq::broker::{Env, QueueAlarm, channel::Channel};
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::message::{Msg, Pid, Publish, Settled, Subscribe};
use crate::broker::rabbitmq::model::{RabbitCtx, Shared};
use crate::broker::rabbitmq::packet::ConsumerTag;
use crate::broker::rabbitmq::topology::{QueueId, Topology};
use crate::sim::{FileId, Loss};

/// What members and clients of a quorum queue say to each other.
#[derive(Clone, Debug)]
pub(in super::super) enum QuorumMsg {}

/// What a member reminds itself of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Alarm {}

/// A member of a quorum queue.
#[derive(Clone, Debug)]
pub(in super::super) struct Quorum {}

/// What a channel keeps about the quorum queues that it uses.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Clients {}

/// The node-wide log of all quorum queues.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Wal {}

/// Its file.
pub(super) fn wal_file(shared: &Shared) -> FileId {
    FileId(shared.topology.queues.len() as u32)
}

/// A message for a quorum queue of which nobody wants to hear again.
pub(super) fn enqueue_untracked(_queue: QueueId, _envelope: EnvelopeId, _env: &mut Env<'_, '_>) {}

impl QuorumMsg {
    /// What it is, in a word.
    pub(in super::super) fn label(&self) -> &'static str {
        match *self {}
    }

    pub(in super::super) fn fingerprint(&self) -> u64 {
        match *self {}
    }
}

impl Alarm {
    pub(in super::super) fn fingerprint(self) -> u64 {
        match self {}
    }
}

impl Wal {
    /// The file is durable up to here: which queues have what on the device.
    pub(super) fn synced(&mut self, _mark: u64, _ctx: &mut RabbitCtx<'_>) -> Vec<(QueueId, u64)> {
        Vec::new()
    }
    pub(super) fn storage_lost(&mut self, _loss: Loss, _topology: &Topology, _ctx: &mut RabbitCtx<'_>) {}
    /// Nothing waits to be written.
    pub(super) fn is_quiet(&self) -> bool {
        true
    }
    pub(super) fn bytes(&self) -> u64 {
        0
    }
}

impl Quorum {
    /// The member of this node, over what it had; none: this node has none.
    pub(super) fn start(_: QueueId, _: Option<Box<Self>>, _: bool, _: &mut Env<'_, '_>) -> Option<Box<Self>> {
        None
    }
    pub(super) fn on(&mut self, _from: Pid, _msg: Msg, _env: &mut Env<'_, '_>) {}
    pub(super) fn alarm(&mut self, _alarm: QueueAlarm, _env: &mut Env<'_, '_>) {}
    /// Its log is on the device up to this entry.
    pub(super) fn written(&mut self, _up_to: u64, _env: &mut Env<'_, '_>) {}
    pub(super) fn storage_lost(&mut self, _loss: Loss, _shared: &Shared, _ctx: &mut RabbitCtx<'_>) {}
    /// A node came or went.
    pub(super) fn node_changed(&mut self, _peer: u16, _is_up: bool, _env: &mut Env<'_, '_>) {}
    /// The node stops in order.
    pub(super) fn close(&mut self, _env: &mut Env<'_, '_>) {}
    pub(super) fn memory(&self, _shared: &Shared) -> u64 {
        0
    }
    /// The number of the message that is delivered next.
    pub(super) fn head(&self) -> Option<u64> {
        None
    }
    /// The number that the next message gets.
    pub(super) fn number_next(&self) -> u64 {
        0
    }
    pub(super) fn each_numbered(&self, _show: &mut dyn FnMut(u64, EnvelopeId)) {}
    /// For the management page: state, term, members.
    pub(in super::super) fn fields(&self) -> Vec<crate::broker::picture::Field> {
        Vec::new()
    }
    pub(super) fn ready(&self) -> usize {
        0
    }
    pub(super) fn consumers(&self) -> usize {
        0
    }
    pub(super) fn each(&self, _show: &mut dyn FnMut(EnvelopeId)) {}
    /// It serves the queue.
    pub(in super::super) fn leads(&self) -> bool {
        false
    }
    pub(super) fn messages(&self) -> usize {
        0
    }
    pub(super) fn wipe(&mut self, _ctx: &mut RabbitCtx<'_>) {}
}

impl Clients {
    /// So many commands are under way that the channel reads no further.
    pub(super) fn is_full(&self) -> bool {
        false
    }
}

impl Channel {
    /// Whether the queue took it on; else the publish is refused at once.
    pub(super) fn quorum_publish(&mut self, _: QueueId, _: Publish, _: &mut Env<'_, '_>) -> bool {
        false
    }
    pub(super) fn quorum_subscribe(&mut self, _: QueueId, _: Subscribe, _: &mut Env<'_, '_>) {}
    pub(super) fn quorum_cancel(&mut self, _: QueueId, _: ConsumerTag, _: &mut Env<'_, '_>) {}
    pub(super) fn quorum_get(&mut self, _: QueueId, _: bool, _: &mut Env<'_, '_>) {}
    pub(super) fn quorum_settle(&mut self, _: QueueId, _: &[Unacked], _: Settled, _: &mut Env<'_, '_>) {}
    pub(super) fn quorum_resend(&mut self, _: QueueId, _: &mut Env<'_, '_>) {}
    pub(super) fn quorum_says(&mut self, _: Pid, _: QuorumMsg, _: &mut Env<'_, '_>) {}
    pub(super) fn quorum_end(&mut self, _: &mut Env<'_, '_>) {}
}
