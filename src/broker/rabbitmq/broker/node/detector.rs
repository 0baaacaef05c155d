//! Who speaks: the failure detector of quorum queues and streams, apart from that of the distribution.
//!
//! Nodes send each other a beat every second. Every five seconds each looks from whom it has not heard any for two; its
//! members of quorum queues that such a node leads prepare an election. A process that dies is noticed at once, by its
//! connection.
//!
//! Source: the library `aten`, `raft.adaptive_failure_detector.poll_interval`.
//!
//! Not modelled: that the detector learns how regular beats are.

use super::super::{Broker, BrokerTimer, QueueProc};
use super::{Alarm, NodeMsg, Standing};
use crate::broker::rabbitmq::message::{Pid, Proc};
use crate::broker::rabbitmq::model::{RabbitCtx, Shared, Timer};
use crate::broker::rabbitmq::topology::{QueueId, QueueKind};
use crate::sim::Span;
use crate::sim::draw::{self, Purpose};

const BEAT_EVERY: Span = Span::from_secs(1);
/// Beats between two looks.
const LOOK_EVERY: u64 = 5;
/// Silence of this length is noticed at the next look.
const SILENCE: Span = Span::from_secs(2);

impl Broker {
    /// Nodes do not beat at the same instant, and do not look at the same one.
    pub(super) fn start_beating(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let mut queues = shared.topology.queues.iter();
        let is_by_majority = |kind| matches!(kind, QueueKind::Quorum | QueueKind::Stream);
        let is_needed = shared.topology.brokers > 1 && queues.any(|spec| is_by_majority(spec.kind));
        if is_needed {
            let now = ctx.now();
            self.node.beats.fill((now, false));
            let bits = draw::bits(ctx.seed(), Purpose::Election, u64::from(self.core.id), u64::MAX);
            let phase = Span(draw::below(bits, BEAT_EVERY.0));
            self.node.beats_sent = draw::below(bits.rotate_left(32), LOOK_EVERY);
            ctx.timer(phase, Timer::Broker(BrokerTimer::Node(Alarm::Beat)));
        }
    }

    /// It shows that it lives, and now and then looks who does.
    pub(super) fn beat(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        ctx.timer(BEAT_EVERY, Timer::Broker(BrokerTimer::Node(Alarm::Beat)));
        if self.node.standing != Standing::Running {
            return;
        }
        for peer in self.peers() {
            if self.core.dist.is_open(peer) {
                self.tell_node(peer, NodeMsg::Beat, shared, ctx);
            }
        }
        self.node.beats_sent += 1;
        if !self.node.beats_sent.is_multiple_of(LOOK_EVERY) {
            return;
        }
        let now = ctx.now();
        for peer in self.peers() {
            let (heard, is_silent) = self.node.beats[peer as usize];
            if !is_silent && now.since(heard) > SILENCE {
                self.node.beats[peer as usize].1 = true;
                self.tell_of_silence(peer, false, shared, ctx);
            }
        }
    }

    pub(super) fn beat_heard(&mut self, peer: u16, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let (_, was_silent) = std::mem::replace(&mut self.node.beats[peer as usize], (ctx.now(), false));
        if was_silent {
            self.tell_of_silence(peer, true, shared, ctx);
        }
    }

    fn tell_of_silence(&mut self, peer: u16, is_over: bool, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        if is_over {
            self.core.meta.unstick(peer);
        }
        for number in 0..self.queues.len() as u16 {
            let me = Pid { node: self.core.id, proc: Proc::Queue(QueueId(number)) };
            let env = &mut super::super::Env { me, core: &mut self.core, shared, ctx };
            match &mut self.queues[number as usize] {
                Some(QueueProc::Quorum(member)) => member.silence(peer, is_over, env),
                Some(QueueProc::Stream(stream)) => stream.silence(peer, is_over, env),
                _ => {}
            }
        }
    }
}
