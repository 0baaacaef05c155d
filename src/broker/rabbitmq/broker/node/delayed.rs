//! The plugin for delayed messages: a table on the node that a message was published at, ordered by time.
//!
//! What is put there is confirmed at once and has not been routed; when its time comes it is routed, once, and nobody
//! waits for what becomes of it. The table is a node's own: its disk is the only copy.
//!
//! Source: <https://github.com/rabbitmq/rabbitmq-delayed-message-exchange>.
//!
//! Not modelled: what the plugin does when it is disabled while the node runs.

use std::collections::BTreeMap;

use super::super::{Broker, BrokerTimer, Env, publishing};
use super::{Alarm, NodeMsg, delayed_file};
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::message::{Msg, Proc, Publish};
use crate::broker::rabbitmq::model::{RabbitCtx, Shared, Timer};
use crate::broker::rabbitmq::topology::Topology;
use crate::fact::{Fact, GivenUp, NONE};
use crate::sim::{Loss, Time};

/// A row on disk.
const ROW_BYTES: u64 = 200;

/// The table.
#[derive(Clone, Debug, Default)]
pub(in super::super::super) struct Delayed {
    /// By the time at which they are due, and the order in which they came; with the length of the file by then.
    rows: BTreeMap<(Time, u64), (EnvelopeId, u64)>,
    next: u64,
    bytes: u64,
    armed: Option<Time>,
}

impl Delayed {
    pub(in super::super::super) fn waiting(&self) -> impl Iterator<Item = EnvelopeId> + '_ {
        self.rows.values().map(|(envelope, _)| *envelope)
    }

    pub(super) fn add(&mut self, _node: u16, envelope: EnvelopeId, shared: &Shared, ctx: &mut RabbitCtx<'_>) {
        let delay = shared.stamp(envelope).delay.unwrap_or_default();
        let at = ctx.now() + delay;
        self.bytes += ROW_BYTES;
        self.next += 1;
        self.rows.insert((at, self.next), (envelope, self.bytes));
        ctx.write(delayed_file(&shared.topology), self.bytes);
        self.arm(ctx);
    }

    fn arm(&mut self, ctx: &mut RabbitCtx<'_>) {
        let Some((&(at, _), _)) = self.rows.first_key_value() else { return };
        if self.armed.is_none_or(|armed| armed > at || armed <= ctx.now()) {
            self.armed = Some(at);
            ctx.timer_at(at, Timer::Broker(BrokerTimer::Node(Alarm::Delayed)));
        }
    }

    pub(super) fn storage_lost(&mut self, _loss: Loss, topology: &Topology, ctx: &mut RabbitCtx<'_>) {
        let left = ctx.file_len(delayed_file(topology));
        self.rows.retain(|_, (_, end)| *end <= left);
        self.bytes = left;
    }
}

/// Whether an exchange of the plugin keeps this message for later; then it has it.
pub(in super::super::super) fn delays(envelope: EnvelopeId, env: &mut Env<'_, '_>) -> bool {
    let published = env.shared.content.get(envelope);
    let is_delayed = env.shared.topology.exchange(published.exchange).is_delayed;
    if !is_delayed || env.shared.stamp(envelope).delay.is_none_or(|delay| delay.0 == 0) {
        return false;
    }
    env.send(env.here(Proc::Node), Msg::Node(Box::new(NodeMsg::Delay { envelope })));
    true
}

impl Broker {
    /// Routes what is due.
    pub(super) fn release_delayed(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        if self.node.standing != super::Standing::Running {
            return;
        }
        let now = ctx.now();
        while let Some((&key, &(envelope, _))) = self.node.delayed.rows.first_key_value()
            && key.0 <= now
        {
            self.node.delayed.rows.remove(&key);
            let published = *shared.content.get(envelope);
            let topology = std::sync::Arc::clone(&shared.topology);
            let stamp = topology.stamp(published.stamp);
            let meta = &self.core.meta;
            let routed = topology.route_stamp(stamp, &|to| meta.has(to));
            let env = &mut self.as_node(shared, ctx);
            for &queue in &routed.queues {
                let publish = Publish { envelope, seq: 0, is_confirmed: false };
                publishing::without_tracking(queue, publish, env);
            }
            if routed.queues.is_empty() {
                let how = GivenUp::Unroutable;
                ctx.observe(Fact::GivenUp { message: published.message, subscription: NONE, how });
            }
        }
        self.node.delayed.armed = None;
        self.node.delayed.arm(ctx);
    }
}
