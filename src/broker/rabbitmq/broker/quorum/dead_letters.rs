//! Dead lettering at least once: the leader publishes dead letters to their destinations, and the queue lets go of each
//! when all of them have confirmed it.
//!
//! At most `dead_letter_worker_consumer_prefetch` are under way. What is not confirmed after
//! `dead_letter_worker_publisher_confirm_timeout` (a destination is down, full, or there is none)
//! is published again, so a destination can get it twice, and later than others.
//!
//! Source: `rabbit_fifo_dlx`, `rabbit_fifo_dlx_worker`;
//! <https://www.rabbitmq.com/blog/2022/03/29/at-least-once-dead-lettering>.

use smallvec::SmallVec;

use super::client::{Clients, Event};
use super::commands::What;
use super::member::Quorum;
use super::{Alarm, QuorumMsg};
use crate::broker::rabbitmq::broker::stream::{self, StreamMsg};
use crate::broker::rabbitmq::broker::{Env, QueueAlarm, dead_letter, publishing};
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::message::{Pid, Proc, Publish};
use crate::broker::rabbitmq::topology::{QueueId, QueueKind};
use crate::sim::Time;

/// A destination that answers as one, whichever node it is on.
const ANY_NODE: u16 = u16::MAX;

/// The dead letters of a queue that are under way.
#[derive(Clone, Debug, Default)]
pub(super) struct DeadLetters {
    open: Vec<Open>,
    seq_next: u64,
    clients: Clients,
    /// For destinations that are streams.
    streams: stream::Clients,
    is_armed: bool,
}

/// A dead letter under way.
#[derive(Clone, Debug)]
struct Open {
    /// The queue's number for it.
    id: u64,
    seq: u64,
    /// As it is published; none: nowhere to publish it to.
    envelope: Option<EnvelopeId>,
    waits: SmallVec<[(QueueId, u16); 2]>,
    since: Time,
    /// All have confirmed it.
    is_done: bool,
}

impl Quorum {
    /// Publishes dead letters, as long as few enough are under way.
    pub(super) fn send_dead_letters(&mut self, env: &mut Env<'_, '_>) {
        let open_max = env.shared.topology.config.dead_letter_prefetch as usize;
        let dead = &self.fifo.dead;
        self.dead.open.retain(|one| dead.iter().any(|(item, _)| item.index == one.id));
        if self.dead.open.len() >= open_max || self.fifo.dead.len() <= self.dead.open.len() {
            return;
        }
        let is_open = |id: u64| self.dead.open.iter().any(|one| one.id == id);
        let waiting = self.fifo.dead.iter().filter(|(item, _)| !is_open(item.index)).copied();
        let next: Vec<_> = waiting.take(open_max - self.dead.open.len()).collect();
        for (item, reason) in next {
            let letter = dead_letter::letter(self.queue, item.envelope, reason, env);
            let (envelope, targets) =
                letter.map_or((None, Vec::new()), |one| (Some(one.envelope), one.targets));
            let open = self.publish(item.index, envelope, &targets, env);
            self.dead.open.push(open);
        }
        self.arm_retry(env);
    }

    fn publish(
        &mut self,
        id: u64,
        envelope: Option<EnvelopeId>,
        targets: &[QueueId],
        env: &mut Env<'_, '_>,
    ) -> Open {
        self.dead.seq_next += 1;
        let (seq, since) = (self.dead.seq_next, env.ctx.now());
        let mut waits = SmallVec::new();
        for (&target, envelope) in targets.iter().zip(envelope.into_iter().cycle()) {
            let kind = env.shared.topology.queue(target).kind;
            if kind == QueueKind::Stream {
                self.dead.streams.write(target, envelope, Some(seq), env);
                waits.push((target, ANY_NODE));
            } else if matches!(kind, QueueKind::Classic { .. }) {
                let publish = Publish { envelope, seq, is_confirmed: true };
                let nodes = publishing::to_classic(target, publish, env);
                waits.extend(nodes.iter().map(|&node| (target, node)));
                if nodes.is_empty() {
                    waits.push((target, ANY_NODE));
                }
            } else {
                self.dead.clients.enqueue(target, envelope, Some(seq), env);
                waits.push((target, ANY_NODE));
            }
        }
        Open { id, seq, envelope, waits, since, is_done: false }
    }

    /// A destination has these.
    pub(super) fn target_confirms(&mut self, from: Pid, seqs: &[u64], env: &mut Env<'_, '_>) {
        if let Proc::Queue(target) = from.proc {
            self.confirmed((target, from.node), seqs, env);
        }
    }

    fn confirmed(&mut self, wait: (QueueId, u16), seqs: &[u64], env: &mut Env<'_, '_>) {
        for one in self.dead.open.iter_mut().filter(|one| seqs.contains(&one.seq)) {
            one.waits.retain(|known| *known != wait);
        }
        let mut ids: SmallVec<[u64; 2]> = SmallVec::new();
        for one in &mut self.dead.open {
            if one.waits.is_empty() && one.envelope.is_some() && !one.is_done {
                // It stays open until the queue has let go of it, so that it is not sent once more.
                one.is_done = true;
                ids.push(one.id);
            }
        }
        if !ids.is_empty() && self.leads() {
            self.propose(What::Buried(ids), env);
        }
    }

    /// A destination that is a quorum queue answers.
    pub(super) fn target_says(&mut self, from: Pid, msg: &QuorumMsg, env: &mut Env<'_, '_>) {
        let Proc::Queue(target) = from.proc else { return };
        for event in self.dead.clients.says(from, msg, env) {
            if let Event::Confirmed(seqs) = event {
                self.confirmed((target, ANY_NODE), &seqs, env);
            }
        }
    }

    /// A destination that is a stream answers.
    pub(super) fn target_wrote(&mut self, from: Pid, msg: &StreamMsg, env: &mut Env<'_, '_>) {
        let Proc::Queue(target) = from.proc else { return };
        match msg {
            StreamMsg::Written { seqs } => {
                self.dead.streams.written(target, seqs);
                self.confirmed((target, ANY_NODE), seqs, env);
            }
            StreamMsg::NotLeader { leader } => self.dead.streams.follow(target, *leader, env),
            _ => {}
        }
    }

    fn arm_retry(&mut self, env: &mut Env<'_, '_>) {
        let first = self.dead.open.iter().filter(|one| !one.is_done).map(|one| one.since).min();
        if let Some(first) = first.filter(|_| !self.dead.is_armed) {
            self.dead.is_armed = true;
            let at = first + env.shared.topology.config.dead_letter_timeout;
            env.remind(at, self.queue, QueueAlarm::Quorum(Alarm::Retry));
        }
    }

    /// What was not confirmed in time is published again.
    pub(super) fn retry_dead_letters(&mut self, env: &mut Env<'_, '_>) {
        self.dead.is_armed = false;
        if !self.leads() {
            return;
        }
        let (now, patience) = (env.ctx.now(), env.shared.topology.config.dead_letter_timeout);
        self.dead.open.retain(|one| one.is_done || one.since + patience > now);
        self.dead.clients.resend_all(env);
        self.send_dead_letters(env);
        self.arm_retry(env);
    }
}
