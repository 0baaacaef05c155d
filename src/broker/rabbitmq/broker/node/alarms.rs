//! Memory and disk alarms: a node that has too little of either stops publishers in the whole cluster.
//!
//! No publisher is told more than `connection.blocked`; what it sent waits in the sockets. Consumers go on.
//!
//! What a node's queues hold is measured every 2.5 s. A message costs its place in the queue, and its body where that
//! is in memory: v1 keeps bodies until the node pages (from `vm_memory_high_watermark_paging_ratio` of the watermark
//! on), lazy queues none. From 3.12 on a queue has at most 2048 messages in memory; of the others it knows how many
//! they are. What is too large for a queue's own files (`queue_index_embed_msgs_below`) lies in the store that queues
//! share, whose index is in memory, an entry for each message, in all releases.
//!
//! Source: `vm_memory_monitor`, `rabbit_disk_monitor`, `rabbit_alarm`, `rabbit_msg_store`;
//! <https://www.rabbitmq.com/docs/alarms>, <https://www.rabbitmq.com/blog/2025/01/17/how-are-the-messages-stored>.
//!
//! Not modelled: the memory of anything but messages; that copies in several queues share an entry of the store; being
//! killed for want of memory.

use super::super::{Broker, BrokerTimer, QueueProc};
use super::{Alarm, NodeMsg};
use crate::broker::rabbitmq::model::{RabbitCtx, Shared, Timer};
use crate::broker::rabbitmq::story::{self, Kind};
use crate::broker::rabbitmq::topology::QueueKind;
use crate::sim::Span;

const MEASURE_EVERY: Span = Span::from_millis(2_500);
/// What a message costs in memory besides its body.
const ENTRY_BYTES: u64 = 200;
/// What it costs to know where in the shared store a message lies: a million took less than 400 MB.
const INDEX_BYTES: u64 = 300;

impl Broker {
    /// How much memory the messages of this node's queues take.
    pub(in super::super::super) fn memory(&self, shared: &Shared) -> u64 {
        let mut entries = 0;
        let mut bodies = 0;
        let mut pageable = 0;
        for process in self.queues.iter().flatten() {
            let (backing, queue) = match process {
                QueueProc::Classic(queue) => (&queue.backing, queue.id),
                QueueProc::Mirror(mirror) => (&mirror.backing, mirror.id),
                QueueProc::Quorum(member) => {
                    entries += member.memory(shared);
                    continue;
                }
                // What is read is in the operating system's cache.
                QueueProc::Stream(_) => continue,
            };
            let (count, bytes) = (backing.count() as u64, backing.bytes(shared));
            let known = shared.topology.rules.in_memory_max.map_or(count, |max| count.min(u64::from(max)));
            entries += known * ENTRY_BYTES + backing.large(shared) as u64 * INDEX_BYTES;
            let is_lazy =
                matches!(shared.topology.queue(queue).kind, QueueKind::Classic { is_lazy: true, .. });
            match shared.topology.rules.in_memory_max {
                _ if is_lazy && shared.topology.rules.has_lazy_mode => {}
                Some(max) if count > u64::from(max) => bodies += bytes / count * u64::from(max),
                Some(_) => bodies += bytes,
                None => pageable += bytes,
            }
        }
        let paging = shared.topology.config.paging_bytes;
        entries + bodies + pageable.min(paging.saturating_sub(entries + bodies))
    }

    /// How much of the disk the node uses.
    pub(in super::super::super) fn disk(&self) -> u64 {
        self.queues
            .iter()
            .flatten()
            .map(|process| match process {
                QueueProc::Classic(queue) => queue.backing.store.bytes(),
                QueueProc::Mirror(mirror) => mirror.backing.store.bytes(),
                QueueProc::Quorum(_) => 0,
                QueueProc::Stream(stream) => stream.bytes(),
            })
            .sum::<u64>()
            + self.core.wal.bytes()
    }

    /// Measures memory and disk.
    pub(super) fn measure(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        ctx.timer(MEASURE_EVERY, Timer::Broker(BrokerTimer::Node(Alarm::Measure)));
        let config = &shared.topology.config;
        let free = config.disk_bytes.saturating_sub(self.disk());
        let is_set =
            self.memory(shared) > config.memory_watermark_bytes || free < config.disk_free_limit_bytes;
        let id = self.core.id;
        if is_set != self.node.alarms[id as usize] {
            self.node.alarms[id as usize] = is_set;
            ctx.observe(story::fact(Kind::Alarm, u32::from(id), [u64::from(is_set), 0]));
            self.tell_all(&NodeMsg::Alarm { is_set }, shared, ctx);
            self.alarms_changed(shared, ctx);
        }
    }

    /// A peer has an alarm, or has none any more.
    pub(super) fn alarm_told(
        &mut self,
        peer: u16,
        is_set: bool,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        self.node.alarms[peer as usize] = is_set;
        self.alarms_changed(shared, ctx);
    }

    /// With the last alarm gone publishers may go on.
    pub(super) fn alarms_changed(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        if !self.node.is_alarmed() {
            self.each_channel(shared, ctx, super::super::Channel::alarm_cleared);
        }
    }
}
