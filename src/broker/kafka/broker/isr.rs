//! Who is in sync, as the leader sees it and as the controller or ZooKeeper has accepted it.
//!
//! A change is proposed, and until somebody answers both the old and the proposed members may be in sync. An answer to
//! a proposal that has been overtaken is ignored.
//!
//! Source: `Partition.maybeExpandIsr`, `maybeShrinkIsr`, `AlterPartitionManager`; KAFKA-15221 for the broker epoch.

use super::super::control::{Brokers, PartitionState, only};
use super::super::model::{KafkaCtx, Shared};
use super::Broker;
use super::replica::Remote;

impl Broker {
    /// Proposes a follower for the ISR if it has caught up with the high watermark and with this epoch's start.
    pub(super) fn admit(
        &mut self,
        partition: u32,
        broker: u16,
        incarnation: u32,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        // The leader admits only who is alive in its own view; from 3.7 only the process that view speaks of.
        let is_eligible = self.view.live & only(broker) != 0
            && (!shared.topology.rules.checks_broker_epoch
                || self.view.incarnation(broker).is_none_or(|known| known == incarnation));
        let Some(replica) = self.leading(partition) else { return };
        let (watermark, isr) = (replica.watermark, replica.state.isr);
        let Some(leading) = replica.leading() else { return };
        let has_caught_up = leading
            .remotes
            .iter()
            .find(|remote| remote.broker == broker)
            .and_then(|remote| remote.end)
            .is_some_and(|end| end >= watermark && end >= leading.epoch_start);
        if is_eligible && has_caught_up && leading.proposed.is_none() {
            self.propose(partition, isr | only(broker), shared, ctx);
        }
    }

    /// Looks at every follower in sync: who has not had everything for `replica.lag.time.max.ms` is to leave.
    pub(super) fn shrink_isrs(&mut self, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let (now, lag_max) = (ctx.now(), shared.topology.config.lag_max);
        for partition in 0..self.replicas.len() as u32 {
            let Some(replica) = self.leading(partition) else { continue };
            let (isr, end) = (replica.state.isr, replica.log.end());
            let Some(leading) = replica.leading() else { continue };
            if leading.proposed.is_some() {
                continue;
            }
            let lags =
                |remote: &&Remote| isr & only(remote.broker) != 0 && !remote.is_caught_up(end, lag_max, now);
            let left =
                leading.remotes.iter().filter(lags).fold(isr, |isr, remote| isr & !only(remote.broker));
            if left != isr {
                self.propose(partition, left, shared, ctx);
            }
        }
    }

    fn propose(&mut self, partition: u32, isr: Brokers, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        let blocks = shared.topology.rules.isr_change_blocks;
        let Some(replica) = self.leading(partition) else { return };
        replica.proposals += 1;
        let Some(leading) = replica.leading() else { return };
        leading.proposed = Some(isr);
        leading.is_locked = blocks;
        self.send_proposal(partition, ctx);
    }

    /// The controller or ZooKeeper answered a proposal. An answer to an earlier one, which was sent twice because a
    /// connection broke, says nothing about the one under way.
    pub(super) fn proposal_answered(
        &mut self,
        (partition, number): (u32, u32),
        state: Option<PartitionState>,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        if self.leading(partition).is_some_and(|replica| replica.proposals == number) {
            self.proposal_over(partition, state, shared, ctx);
        }
    }

    /// Nothing is proposed any more; perhaps another state holds.
    fn proposal_over(
        &mut self,
        partition: u32,
        state: Option<PartitionState>,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let Some(replica) = self.leading(partition) else { return };
        let (epoch, version) = (replica.state.epoch, replica.state.version);
        if let Some(state) = state.filter(|state| state.epoch == epoch && state.version > version) {
            replica.state = state;
        }
        if let Some(leading) = replica.leading() {
            leading.proposed = None;
            leading.is_locked = false;
        }
        self.append_waiting(partition, shared, ctx);
        self.advance_watermark(partition, shared, ctx);
    }

    /// The view says that the ISR of this epoch changed.
    pub(super) fn isr_told(
        &mut self,
        partition: u32,
        state: PartitionState,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        if self.leading(partition).is_some() {
            self.proposal_over(partition, Some(state), shared, ctx);
        } else if let Some(replica) = &mut self.replicas[partition as usize] {
            replica.state = state;
        }
    }
}
