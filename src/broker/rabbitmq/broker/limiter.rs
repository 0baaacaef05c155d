//! The prefetch of whole channels (`basic.qos` with `global`): what the consumers of a channel hold together.
//!
//! Queues count what they hand over, the channel what is settled; whoever was refused hears that there is room.
//!
//! Source: `rabbit_limiter`.
//!
//! Not modelled: queues on other nodes than the channel ask nobody; each of those counts what it handed over itself.

use crate::broker::rabbitmq::message::Pid;

/// What the limited channels of a node hold.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Limiter {
    held: Vec<(Pid, u32)>,
}

impl Limiter {
    /// How many unacknowledged messages the consumers of a channel hold.
    pub(super) fn held(&self, channel: Pid) -> u32 {
        self.held.iter().find(|(known, _)| *known == channel).map_or(0, |(_, held)| *held)
    }

    /// One more was handed over.
    pub(super) fn took(&mut self, channel: Pid) {
        match self.held.iter_mut().find(|(known, _)| *known == channel) {
            Some((_, held)) => *held += 1,
            None => self.held.push((channel, 1)),
        }
    }

    /// So many were settled.
    pub(super) fn settled(&mut self, channel: Pid, count: u32) {
        if let Some((_, held)) = self.held.iter_mut().find(|(known, _)| *known == channel) {
            *held = held.saturating_sub(count);
        }
    }

    /// The channel is gone.
    pub(super) fn forget(&mut self, channel: Pid) {
        self.held.retain(|(known, _)| *known != channel);
    }
}
