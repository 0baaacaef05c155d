//! What members do wrong in the releases that have the bug; which those are is said in [`Rules`].
//!
//! [`Rules`]: crate::broker::rabbitmq::rules::Rules

use smallvec::SmallVec;

use super::fifo::Fifo;
use super::member::Quorum;
use super::{Handed, QuorumMsg};
use crate::broker::rabbitmq::broker::Env;
use crate::broker::rabbitmq::message::{Msg, Pid, Proc};
use crate::broker::rabbitmq::packet::ConsumerTag;
use crate::broker::rabbitmq::story::{self, Kind};
use crate::fact::Rule;
use crate::sim::draw::{self, Purpose};

/// Of how many ends of consumers it overlooks one, where it does.
const OVERLOOKS_ONE_OF: u64 = 5;

impl Quorum {
    /// It does not come back: whatever it had is gone, and nobody is served.
    pub(super) fn ruin(&mut self, env: &mut Env<'_, '_>) {
        (self.is_ruined, self.is_stopped) = (true, true);
        self.observe_gone(Rule::Crashed, env.shared, env.ctx);
        env.ctx.observe(story::fact(Kind::Ruined, u32::from(self.queue.0), [u64::from(env.core.id), 0]));
        self.fifo = Fifo::default();
        env.core.meta.note_leader(self.queue, None);
    }

    /// Bug: it does not notice that a consumer's channel ended, while others read. A chance of one in five makes it the
    /// reported five of ten restarts of four consumers, two of ten of two, and none of one alone.
    pub(super) fn overlooks(&self, channel: Pid, env: &Env<'_, '_>) -> bool {
        let is_bug = env.shared.topology.rules.doubles_after_restarts;
        let is_reader = is_bug && self.fifo.consumers.iter().any(|one| one.who.0 == channel);
        let has_others = self.fifo.consumers.iter().any(|one| one.who.0 != channel);
        let Proc::Channel(number) = channel.proc else { return false };
        let which = u64::from(channel.node) << 32 | u64::from(number);
        let bits = draw::bits(env.ctx.seed(), Purpose::Bootstrap, u64::from(self.queue.0) << 16, which);
        is_reader && has_others && draw::below(bits, OVERLOOKS_ONE_OF) == 0
    }

    /// What one consumer gets, another one gets, too, once the end of one was overlooked.
    pub(super) fn double(&self, who: (Pid, ConsumerTag), handed: &[Handed], env: &mut Env<'_, '_>) {
        if self.overlooked.is_empty() {
            return;
        }
        let mut others = self.fifo.consumers.iter().map(|one| one.who);
        let other = others.find(|other| *other != who && !self.overlooked.contains(&other.0));
        if let Some((to, tag)) = other {
            let handed = SmallVec::from_slice(handed);
            env.send(to, Msg::Quorum(QuorumMsg::Doubled { tag, handed }));
        }
    }
}

/// Bug: what is in memory does not wait for what has to be read from disk.
pub(super) fn send_ahead(
    (to, tag): (Pid, ConsumerTag),
    handed: &mut SmallVec<[Handed; 1]>,
    env: &mut Env<'_, '_>,
) {
    let is_mixed = handed.iter().any(|one| one.is_on_disk) && handed.iter().any(|one| !one.is_on_disk);
    if is_mixed && env.shared.topology.rules.memory_overtakes_disk {
        let ahead: SmallVec<[Handed; 1]> = handed.iter().copied().filter(|one| !one.is_on_disk).collect();
        handed.retain(|one| one.is_on_disk);
        env.send(to, Msg::Quorum(QuorumMsg::Ahead { tag, handed: ahead }));
    }
}
