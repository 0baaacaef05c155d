//! Which publishes of a channel wait for which queues, and how they are answered.
//!
//! A publish is answered when all processes that it was sent to have said that it is safe. Answers are given behind
//! everything else that the channel has to do: what is safe by then goes out in as few frames as possible, up to the
//! oldest unanswered publish with `multiple`.
//!
//! Source: `rabbit_channel` (`send_confirms_and_nacks`), `unconfirmed_messages`.

use std::collections::VecDeque;

use smallvec::{SmallVec, smallvec};

use super::{Awaited, Channel, Mode};
use crate::broker::rabbitmq::broker::Env;
use crate::broker::rabbitmq::broker::rates::Rate;
use crate::broker::rabbitmq::error::Error;
use crate::broker::rabbitmq::message::{Msg, Pid, Proc, QueueEnd};
use crate::broker::rabbitmq::packet::Frame;
use crate::broker::rabbitmq::topology::QueueId;

/// A process that has to answer: of which queue, on which node. A quorum queue answers as one: [`ALL_NODES`].
pub(in super::super) type Wait = (QueueId, u16);

/// The node of a queue that answers as one.
pub(in super::super) const ALL_NODES: u16 = u16::MAX;

/// A publish that is not answered.
#[derive(Clone, Debug)]
enum Pending {
    /// The usual case: this process was sent it and has to answer, and nobody else was.
    One(Wait),
    Several(Several),
    /// It is decided.
    Over,
}

/// A publish that several processes have to answer, or that one of them did not take.
#[derive(Clone, Debug, Default)]
struct Several {
    waits: SmallVec<[Wait; 2]>,
    /// Queues of which a process has it.
    has: SmallVec<[QueueId; 2]>,
    is_refused: bool,
    /// A queue is gone with it.
    is_lost: bool,
}

impl Pending {
    /// What is known of it, unless it is decided.
    fn several(&mut self) -> Option<&mut Several> {
        if let Self::One(wait) = *self {
            *self = Self::Several(Several { waits: smallvec![wait], ..Several::default() });
        }
        if let Self::Several(several) = self { Some(several) } else { None }
    }
}

/// The publishes of a channel that are not answered, by number.
#[derive(Clone, Debug, Default)]
pub(super) struct Confirms {
    first: u64,
    pending: VecDeque<Pending>,
    open: usize,
    acks: Vec<u64>,
    nacks: Vec<u64>,
    is_answer_due: bool,
}

impl Confirms {
    pub(super) fn begin(&mut self, first: u64) {
        self.first = first;
    }

    pub(super) fn open(&self) -> usize {
        self.open
    }

    #[inline]
    fn pending(&mut self, seq: u64) -> Option<&mut Pending> {
        self.pending.get_mut(seq.checked_sub(self.first)? as usize)
    }

    /// The next publish, in the order of numbers: waits for this process.
    #[inline]
    fn push_one(&mut self, seq: u64, wait: Wait) {
        debug_assert_eq!(seq, self.first + self.pending.len() as u64, "numbers follow one another");
        self.pending.push_back(Pending::One(wait));
        self.open += 1;
    }

    /// The next publish, in the order of numbers: waits for these; already refused by somebody, or not.
    fn push(&mut self, seq: u64, waits: SmallVec<[Wait; 2]>, is_refused: bool) {
        if let ([wait], false) = (&waits[..], is_refused) {
            return self.push_one(seq, *wait);
        }
        debug_assert_eq!(seq, self.first + self.pending.len() as u64, "numbers follow one another");
        self.open += 1;
        if waits.is_empty() {
            self.pending.push_back(Pending::Over);
            self.decide(seq, !is_refused);
        } else {
            self.pending.push_back(Pending::Several(Several { waits, is_refused, ..Several::default() }));
        }
    }

    #[inline]
    fn decide(&mut self, seq: u64, is_ack: bool) {
        if is_ack { self.acks.push(seq) } else { self.nacks.push(seq) }
    }

    /// A process has it.
    #[inline]
    fn confirm(&mut self, seq: u64, wait: Wait) {
        match self.pending(seq) {
            Some(one @ Pending::One(_)) => {
                if matches!(one, Pending::One(known) if *known == wait) {
                    *one = Pending::Over;
                    self.decide(seq, true);
                }
            }
            Some(Pending::Several(several)) => {
                let Some(at) = several.waits.iter().position(|known| *known == wait) else { return };
                several.waits.swap_remove(at);
                if !several.has.contains(&wait.0) {
                    several.has.push(wait.0);
                }
                self.settle(seq);
            }
            Some(Pending::Over) | None => {}
        }
    }

    /// Somebody answered; once nobody is left to wait for, the publish is decided.
    fn settle(&mut self, seq: u64) {
        let Some(one) = self.pending(seq) else { return };
        let Pending::Several(Several { waits, is_refused, is_lost, .. }) = one else { return };
        if !waits.is_empty() {
            return;
        }
        let is_ack = !*is_refused && !*is_lost;
        *one = Pending::Over;
        self.decide(seq, is_ack);
    }

    /// What is decided, to be said to the client: frames in their order.
    fn take(&mut self) -> SmallVec<[Frame; 4]> {
        self.is_answer_due = false;
        let mut frames = SmallVec::new();
        self.open -= self.acks.len() + self.nacks.len();
        while let Some(Pending::Over) = self.pending.front() {
            self.pending.pop_front();
            self.first += 1;
        }
        self.acks.sort_unstable();
        self.nacks.sort_unstable();
        // Nacks one by one: `multiple` would take acknowledged ones along.
        frames.extend(self.nacks.drain(..).map(|seq| Frame::Nack { seq, multiple: false }));
        let below = self.acks.partition_point(|&seq| seq < self.first);
        if let Some(&last) = self.acks[..below].last() {
            frames.push(Frame::Ack { seq: last, multiple: below > 1 });
        }
        frames.extend(self.acks.drain(..).skip(below).map(|seq| Frame::Ack { seq, multiple: false }));
        frames
    }
}

impl Channel {
    /// A publish went to these processes.
    pub(super) fn await_confirm(
        &mut self,
        seq: u64,
        waits: SmallVec<[Wait; 2]>,
        is_refused: bool,
        env: &mut Env<'_, '_>,
    ) {
        self.confirms.push(seq, waits, is_refused);
        self.answer_if_decided(env);
    }

    /// A publish went to one process.
    #[inline]
    pub(super) fn await_one(&mut self, seq: u64, wait: Wait, env: &mut Env<'_, '_>) {
        self.confirms.push_one(seq, wait);
        self.answer_if_decided(env);
    }

    /// Answers go out behind everything that is in the mailbox now.
    #[inline]
    pub(super) fn answer_if_decided(&mut self, env: &mut Env<'_, '_>) {
        let confirms = &mut self.confirms;
        let is_decided = !confirms.acks.is_empty() || !confirms.nacks.is_empty();
        if is_decided && !confirms.is_answer_due {
            confirms.is_answer_due = true;
            env.send(env.me, Msg::Answer);
        }
    }

    /// A process of a queue has these.
    pub(super) fn confirmed(&mut self, from: Pid, seqs: &[u64], env: &mut Env<'_, '_>) {
        if let Proc::Queue(queue) = from.proc {
            self.confirmed_by((queue, from.node), seqs, env);
        }
    }

    pub(super) fn confirmed_by(&mut self, wait: Wait, seqs: &[u64], env: &mut Env<'_, '_>) {
        for &seq in seqs {
            self.confirms.confirm(seq, wait);
        }
        self.answer_if_decided(env);
    }

    /// A queue did not take these: none of its processes has to answer any more.
    pub(super) fn refused(&mut self, from: Pid, seqs: &[u64], env: &mut Env<'_, '_>) {
        if let Proc::Queue(queue) = from.proc {
            self.refused_by(queue, seqs, env);
        }
    }

    pub(super) fn refused_by(&mut self, queue: QueueId, seqs: &[u64], env: &mut Env<'_, '_>) {
        for &seq in seqs {
            if let Some(one) = self.confirms.pending(seq).and_then(Pending::several) {
                one.is_refused = true;
                one.waits.retain(|(known, _)| *known != queue);
                self.confirms.settle(seq);
            }
        }
        self.answer_if_decided(env);
    }

    /// A process of a queue ended: what waits for it will not be answered by it.
    pub(super) fn queue_down(&mut self, queue: QueueId, node: u16, how: QueueEnd, env: &mut Env<'_, '_>) {
        let is_deleted = how == QueueEnd::Deleted;
        if is_deleted {
            self.quorum.forget(queue);
        }
        let counts_as_done =
            is_deleted || how == QueueEnd::NodeDown && env.shared.topology.rules.dead_queues_confirm;
        let first = self.confirms.first;
        let mut ended: SmallVec<[u64; 8]> = SmallVec::new();
        for (seq, one) in (first..).zip(&mut self.confirms.pending) {
            let Some(one) = one.several() else { continue };
            let before = one.waits.len();
            one.waits.retain(|wait| *wait != (queue, node) && !(is_deleted && wait.0 == queue));
            if one.waits.len() == before {
                continue;
            }
            let is_last = one.waits.iter().all(|(known, _)| *known != queue);
            if is_last && !counts_as_done && !one.has.contains(&queue) {
                if how == QueueEnd::Crashed {
                    one.is_refused = true;
                } else {
                    one.is_lost = true;
                }
            }
            ended.push(seq);
        }
        for seq in ended {
            self.confirms.settle(seq);
        }
        self.credit.retain(|(pid, _)| (pid.proc, pid.node) != (Proc::Queue(queue), node));
        self.look_at_flow(env);
        self.answer_if_decided(env);
    }

    /// Says to the client what was decided.
    pub(super) fn answer(&mut self, env: &mut Env<'_, '_>) {
        let before = self.confirms.open();
        let frames = self.confirms.take();
        env.count(Rate::Confirm, (before - self.confirms.open()) as u32);
        if self.mode == Mode::Tx {
            return self.tx_answered(&frames, env);
        }
        for frame in frames {
            let frame = match frame {
                Frame::Ack { seq, multiple } => Frame::Ack { seq: seq - self.unnumbered, multiple },
                Frame::Nack { seq, multiple } => Frame::Nack { seq: seq - self.unnumbered, multiple },
                other => other,
            };
            self.write(frame, env);
        }
    }

    /// In a transaction: the commit is done when everything is answered, and fails when something was refused.
    fn tx_answered(&mut self, frames: &[Frame], env: &mut Env<'_, '_>) {
        if frames.iter().any(|frame| matches!(frame, Frame::Nack { .. })) {
            return self.fail(Error::PreconditionFailed, env);
        }
        if self.confirms.open() == 0 && self.awaited == Some(Awaited::Committed) {
            self.write(Frame::Ok, env);
            self.goes_on(Awaited::Committed, env);
        }
    }
}
