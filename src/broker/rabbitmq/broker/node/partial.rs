//! Partial partitions: two nodes lost each other, and a third sees both.
//!
//! A node that takes a peer for down asks the others. One that still sees the peer asks it whether it runs, and says
//! so. Then a node that pauses in partitions pauses until it sees all nodes; any other cuts its connection to the one
//! that answered, so that the partition is a full one.
//!
//! Source: `rabbit_node_monitor`; <https://www.rabbitmq.com/docs/partitions>.

use super::super::Broker;
use super::{NodeMsg, Standing, partitions};
use crate::broker::rabbitmq::config::PartitionHandling;
use crate::broker::rabbitmq::model::{RabbitCtx, Shared};
use crate::broker::rabbitmq::story::{self, Kind};

/// What nodes say to find out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) enum PartialMsg {
    /// Do you see this peer, which I take for down?
    DoYouSee { peer: u16 },
    /// To that peer: do you run? Somebody wants to know.
    DoYouRun { asker: u16 },
    /// Yes.
    IRun { asker: u16 },
    /// I see this peer, and it runs.
    ISee { peer: u16 },
    /// I see not whom you see, and cut our connection.
    Apart,
}

impl Broker {
    /// A peer is down, as far as this node can know: do the others think so?
    pub(super) fn ask_about(&mut self, peer: u16, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        if partitions::handling(shared).is_some() && !self.core.dist.is_open(peer) {
            self.tell_all(&NodeMsg::Partial(PartialMsg::DoYouSee { peer }), shared, ctx);
        }
    }

    pub(super) fn partial(
        &mut self,
        from: u16,
        msg: PartialMsg,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        if self.node.standing != Standing::Running {
            return;
        }
        let sees_it = self.core.meta.runs(from);
        let mut tell = |to: u16, msg| self.tell_node(to, NodeMsg::Partial(msg), shared, ctx);
        match msg {
            PartialMsg::DoYouSee { peer } => tell(peer, PartialMsg::DoYouRun { asker: from }),
            PartialMsg::DoYouRun { asker } => tell(from, PartialMsg::IRun { asker }),
            PartialMsg::IRun { asker } if sees_it => {
                tell(asker, PartialMsg::ISee { peer: from });
            }
            PartialMsg::ISee { peer } => self.partially_parted(peer, from, shared, ctx),
            PartialMsg::Apart => self.cut_off(from, shared, ctx),
            PartialMsg::IRun { .. } => {}
        }
    }

    /// This node does not see a peer that another one sees.
    fn partially_parted(&mut self, peer: u16, by: u16, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        if self.core.meta.runs(peer) || self.core.dist.is_open(peer) || !self.core.meta.runs(by) {
            return;
        }
        let id = self.core.id;
        match partitions::handling(shared) {
            Some(PartitionHandling::PauseMinority | PartitionHandling::PauseIfAllDown { .. }) => {
                ctx.observe(story::fact(Kind::PausedForAll, u32::from(id), [u64::from(peer), 0]));
                self.tell_all(&NodeMsg::Stopping, shared, ctx);
                self.pause(shared, ctx);
                self.node.awaits_all = true;
            }
            Some(_) => {
                self.tell_node(by, NodeMsg::Partial(PartialMsg::Apart), shared, ctx);
                ctx.observe(story::fact(Kind::CutOff, u32::from(id), [u64::from(by), u64::from(peer)]));
                self.cut_off(by, shared, ctx);
            }
            None => {}
        }
    }

    fn cut_off(&mut self, peer: u16, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        self.core.dist.drop_peer(peer, ctx);
        self.node_lost(peer, shared, ctx);
    }
}

impl PartialMsg {
    pub(super) fn fingerprint(self) -> u64 {
        match self {
            Self::DoYouSee { peer } => u64::from(peer) << 3,
            Self::DoYouRun { asker } => u64::from(asker) << 3 | 1,
            Self::IRun { asker } => u64::from(asker) << 3 | 2,
            Self::ISee { peer } => u64::from(peer) << 3 | 3,
            Self::Apart => 4,
        }
    }
}
