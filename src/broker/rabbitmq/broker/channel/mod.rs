//! A client's connection with its channel: one process that reads what the client sends and answers.
//!
//! It counts delivery tags and publishes, knows what is unacknowledged and unconfirmed, and hands everything else to
//! queues. A method that needs a queue's answer holds up what the client sent after it, as a channel does.
//!
//! Source: `rabbit_channel`, `rabbit_reader`, `rabbit_heartbeat`.
//!
//! Not modelled: several channels on a connection; frames that are cut; `basic.recover`.

mod confirms;
mod consume;
mod publish;
mod replicated;
mod streams;
mod tx;

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::{BrokerTimer, Env, node, quorum, stream};
use crate::broker::rabbitmq::error::Error;
use crate::broker::rabbitmq::message::{Msg, Pid, Proc};
use crate::broker::rabbitmq::model::Timer;
use crate::broker::rabbitmq::packet::{ConsumerTag, Frame, Packet};
use crate::broker::rabbitmq::topology::{QueueId, QueueKind};
use crate::fact::NodeId;
use crate::sim::{ConnId, Span, Time};

use confirms::Confirms;
pub(in super::super) use consume::Unacked;
use tx::Transaction;

/// How often a channel looks for deliveries that were held too long.
const CONSUMER_TIMEOUT_CHECK: Span = Span::from_secs(60);
/// A peer that missed so many looks is dead: 60 to 90 seconds of silence with a time-out of 60.
const SILENT_LOOKS_MAX: u8 = 2;

/// A client's connection and channel.
#[derive(Clone, Debug)]
pub(in super::super) struct Channel {
    number: u32,
    pub(in super::super) conn: ConnId,
    pub(in super::super) client: NodeId,
    takes_cancels: bool,
    heartbeat: Span,
    /// Something came since the heartbeat's last look, and how many looks found nothing.
    was_heard: bool,
    silent_looks: u8,
    pub(in super::super) mode: Mode,
    /// Publishes so far; those before the channel was put into confirm mode do not count for the client.
    sent: u64,
    unnumbered: u64,
    confirms: Confirms,
    transaction: Transaction,
    tag_next: u64,
    /// Delivered and not settled, in the order of tags.
    unacked: VecDeque<Unacked>,
    pub(super) consumers: Vec<Consumer>,
    /// It consumes direct replies.
    takes_replies: Option<ConsumerTag>,
    prefetch: (u16, bool),
    /// Queue processes that know this channel.
    known_to: Vec<Pid>,
    /// A queue's answer that the client's next methods wait for.
    awaited: Option<Awaited>,
    /// What was read and waits.
    unread: VecDeque<Frame>,
    /// Publishes that remote processes may still be sent before they grant more.
    credit: Vec<(Pid, i64)>,
    reader: ReaderCredit,
    hold: Hold,
    /// For quorum queues: what a channel keeps about them.
    pub(super) quorum: quorum::Clients,
    /// And about streams.
    streams: stream::Clients,
    /// Those of which it is reminded.
    resends: SmallVec<[QueueId; 1]>,
    end: Option<End>,
    is_timeout_armed: bool,
}

/// What holds up the reading of a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Hold {
    /// An alarm, and it publishes.
    pub(super) by_alarm: bool,
    /// A process that it publishes to has had enough: the channel still takes what its reader has credit for.
    pub(super) by_flow: bool,
    is_paused: bool,
}

/// Publishes that the reader may still hand to the channel, and those that the channel took and granted nothing for
/// yet.
#[derive(Clone, Copy, Debug)]
struct ReaderCredit {
    left: u32,
    taken: u32,
}

/// What the channel was put into.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in super::super) enum Mode {
    #[default]
    None,
    Confirm,
    Tx,
}

/// A consumer of this channel.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Consumer {
    pub(in super::super) tag: ConsumerTag,
    pub(in super::super) queue: QueueId,
    pub(super) subscribe: crate::broker::rabbitmq::message::Subscribe,
    /// It ends when a mirror takes over its queue.
    pub(super) is_cancelled_on_failover: bool,
}

/// Whose answer is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaited {
    Subscribed(ConsumerTag),
    Got(QueueId),
    /// The queue has no leader that serves it.
    Declared(QueueId),
    Committed,
}

/// How it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// The client closed it, or a broker error did: the connection is closed after what was sent.
    Close,
    /// The connection is gone already.
    Lost,
}

/// What a channel reminds itself of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Alarm {
    Heartbeat,
    ConsumerTimeout,
    /// A quorum queue's: commands that were not applied are sent again.
    Resend(QueueId),
}

impl Channel {
    pub(super) fn new(number: u32, conn: ConnId, client: NodeId) -> Self {
        Self {
            number,
            conn,
            client,
            takes_cancels: false,
            heartbeat: Span::ZERO,
            was_heard: true,
            silent_looks: 0,
            mode: Mode::None,
            sent: 0,
            unnumbered: 0,
            confirms: Confirms::default(),
            transaction: Transaction::default(),
            tag_next: 1,
            unacked: VecDeque::new(),
            consumers: Vec::new(),
            takes_replies: None,
            prefetch: (0, false),
            known_to: Vec::new(),
            awaited: None,
            unread: VecDeque::new(),
            credit: Vec::new(),
            reader: ReaderCredit { left: u32::MAX, taken: 0 },
            hold: Hold::default(),
            quorum: quorum::Clients::default(),
            streams: stream::Clients::default(),
            resends: SmallVec::new(),
            end: None,
            is_timeout_armed: false,
        }
    }

    /// Whether its process ends now.
    #[inline]
    pub(super) fn is_gone(&self) -> bool {
        self.end.is_some()
    }

    /// The connection went away.
    pub(super) fn connection_lost(&mut self) {
        self.end = Some(End::Lost);
    }

    /// Writes to the client.
    #[inline]
    pub(super) fn write(&self, frame: Frame, env: &mut Env<'_, '_>) {
        let body = frame.envelope().map_or(0, |envelope| env.shared.content.get(envelope).size);
        env.ctx.send(self.conn, Packet::Amqp(frame), 40 + body);
    }

    /// A channel exception: the client hears of it, and the channel is gone.
    pub(super) fn fail(&mut self, error: Error, env: &mut Env<'_, '_>) {
        if self.end.is_none() {
            self.write(Frame::ChannelClosed { error }, env);
            self.end = Some(End::Close);
            node::observe_closed(self.client, error, env);
        }
    }

    /// The node closes the connection.
    pub(super) fn force_close(&mut self, error: Error, env: &mut Env<'_, '_>) {
        if self.end.is_none() {
            self.write(Frame::ConnectionClosed { error }, env);
            self.end = Some(End::Close);
            node::observe_closed(self.client, error, env);
        }
    }

    /// A frame was read from the socket.
    #[inline]
    pub(super) fn read(&mut self, frame: Frame, is_alarmed: bool, env: &mut Env<'_, '_>) {
        self.was_heard = true;
        if self.end.is_some() || frame == Frame::Heartbeat {
            return;
        }
        if is_alarmed && !self.hold.by_alarm && matches!(frame, Frame::Publish { .. }) {
            self.hold.by_alarm = true;
            self.write(Frame::Blocked, env);
            self.hold_or_read(env);
        }
        if self.awaited.is_some() || self.hold.is_paused || !self.unread.is_empty() {
            self.unread.push_back(frame);
            return;
        }
        self.method(frame, env);
    }

    /// Stops reading the socket while something holds it up, and goes on when nothing does.
    #[inline]
    pub(super) fn hold_or_read(&mut self, env: &mut Env<'_, '_>) {
        let is_held = self.hold.by_alarm || self.reader.left == 0;
        if is_held != self.hold.is_paused {
            self.pause_or_resume(is_held, env);
        }
    }

    #[cold]
    fn pause_or_resume(&mut self, is_held: bool, env: &mut Env<'_, '_>) {
        self.hold.is_paused = is_held;
        if is_held {
            env.ctx.pause_reading(self.conn);
        } else {
            env.ctx.resume_reading(self.conn);
            self.read_on(env);
        }
    }

    /// What was read and had to wait.
    fn read_on(&mut self, env: &mut Env<'_, '_>) {
        while self.awaited.is_none() && !self.hold.is_paused && self.end.is_none() {
            let Some(frame) = self.unread.pop_front() else { return };
            self.method(frame, env);
        }
    }

    /// The alarm is over.
    pub(super) fn alarm_cleared(&mut self, env: &mut Env<'_, '_>) {
        if self.hold.by_alarm {
            self.hold.by_alarm = false;
            self.write(Frame::Unblocked, env);
            self.hold_or_read(env);
        }
    }

    fn method(&mut self, frame: Frame, env: &mut Env<'_, '_>) {
        match frame {
            Frame::Publish { envelope, is_mandatory } => self.publish(envelope, is_mandatory, env),
            Frame::Settle { tag, multiple, how } => self.settle(tag, multiple, how, env),
            Frame::Open { heartbeat, takes_cancels } => self.open(heartbeat, takes_cancels, env),
            Frame::ConfirmSelect => match self.mode {
                Mode::Tx => self.fail(Error::PreconditionFailed, env),
                Mode::Confirm => self.write(Frame::Ok, env),
                Mode::None => {
                    self.mode = Mode::Confirm;
                    self.unnumbered = self.sent;
                    self.confirms.begin(self.sent + 1);
                    self.write(Frame::Ok, env);
                }
            },
            Frame::TxSelect if self.mode == Mode::Confirm => self.fail(Error::PreconditionFailed, env),
            Frame::TxSelect => {
                self.mode = Mode::Tx;
                self.write(Frame::Ok, env);
            }
            Frame::TxCommit => self.commit(env),
            Frame::Qos { count, is_global } => {
                self.prefetch = (count, is_global);
                self.write(Frame::Ok, env);
            }
            Frame::Declare { queue, is_passive } => self.declare(queue, is_passive, env),
            Frame::Consume {
                queue,
                tag,
                no_ack,
                is_exclusive,
                priority,
                offset,
                is_cancelled_on_failover,
            } => {
                let how = (no_ack, is_exclusive, priority, offset);
                self.consume(queue, tag, how, is_cancelled_on_failover, env);
            }
            Frame::ConsumeReplies { tag } => {
                self.takes_replies = Some(tag);
                self.write(Frame::Ok, env);
            }
            Frame::Cancel { tag } => self.cancel(tag, env),
            Frame::Get { queue, no_ack } => self.get(queue, no_ack, env),
            Frame::Close => {
                self.write(Frame::Closed, env);
                self.end = Some(End::Close);
            }
            _ => {}
        }
    }

    fn open(&mut self, proposed: Span, takes_cancels: bool, env: &mut Env<'_, '_>) {
        let own = env.shared.topology.config.heartbeat;
        // Zero says nothing; if both do, there are none.
        self.heartbeat =
            if proposed == Span::ZERO || own == Span::ZERO { proposed.max(own) } else { proposed.min(own) };
        self.takes_cancels = takes_cancels;
        self.reader.left = env.shared.topology.config.credit.0;
        self.write(Frame::Opened { heartbeat: self.heartbeat }, env);
        if self.heartbeat > Span::ZERO {
            self.remind(self.heartbeat.half(), Alarm::Heartbeat, env);
        }
    }

    pub(super) fn remind(&self, after: Span, alarm: Alarm, env: &mut Env<'_, '_>) {
        env.ctx.timer(after, Timer::Broker(BrokerTimer::Channel(self.number, alarm)));
    }

    pub(super) fn alarm(&mut self, alarm: Alarm, env: &mut Env<'_, '_>) {
        match alarm {
            Alarm::Heartbeat => self.heartbeat_due(env),
            Alarm::ConsumerTimeout => self.consumer_timeout_due(env),
            Alarm::Resend(queue) if consume::is_stream(queue, env) => self.stream_resend(queue, env),
            Alarm::Resend(queue) => self.quorum_resend(queue, env),
        }
    }

    /// Shows that the node lives, and looks whether the client does. While an alarm holds up reading nobody looks.
    fn heartbeat_due(&mut self, env: &mut Env<'_, '_>) {
        self.write(Frame::Heartbeat, env);
        if std::mem::take(&mut self.was_heard) || self.hold.is_paused {
            self.silent_looks = 0;
        } else {
            self.silent_looks += 1;
        }
        if self.silent_looks >= SILENT_LOOKS_MAX {
            self.end = Some(End::Close);
            return;
        }
        self.remind(self.heartbeat.half(), Alarm::Heartbeat, env);
    }

    #[inline]
    pub(super) fn on(&mut self, from: Pid, msg: &mut Msg, env: &mut Env<'_, '_>) {
        if self.end.is_some() {
            return;
        }
        match msg {
            Msg::Deliver(delivery) => self.deliver(from, *delivery, env),
            Msg::Confirm { seqs } => self.confirmed(from, seqs, env),
            Msg::Refuse { seqs } => self.refused(from, seqs, env),
            Msg::Answer => self.answer(env),
            Msg::Reply(envelope) => self.replied(*envelope, env),
            Msg::Got(delivery) => self.got(from, *delivery, env),
            Msg::Subscribed(result) => self.subscribed(*result, env),
            Msg::Credit(more) => self.credited(from, *more, env),
            Msg::ConsumerGone { tag } => self.consumer_gone(*tag, env),
            Msg::QueueDown { queue, node, how } => self.queue_down(*queue, *node, *how, env),
            Msg::Quorum(msg) => self.quorum_says(from, msg, env),
            Msg::Stream(msg) => self.stream_says(from, msg, env),
            _ => {}
        }
    }

    /// What was awaited has come: the client's next methods are looked at.
    fn goes_on(&mut self, awaited: Awaited, env: &mut Env<'_, '_>) {
        if self.awaited == Some(awaited) {
            self.awaited = None;
            self.read_on(env);
        }
    }

    /// A queue's process knows this channel from now on, and must hear of its end.
    #[inline]
    pub(super) fn is_known_to(&mut self, process: Pid) {
        if !self.known_to.contains(&process) {
            self.known_to.push(process);
        }
    }

    /// The process ends: what it held goes back to the queues.
    pub(super) fn end(mut self: Box<Self>, env: &mut Env<'_, '_>) {
        for process in std::mem::take(&mut self.known_to) {
            env.send(process, Msg::ChannelDown);
        }
        self.quorum_end(env);
        env.core.limiter.forget(env.me);
        node::owner_gone(env.me, env);
        if self.end != Some(End::Lost) {
            env.ctx.close(self.conn);
        }
    }

    /// `queue.declare`: there, or made now; a queue whose node is down is neither.
    fn declare(&mut self, queue: QueueId, is_passive: bool, env: &mut Env<'_, '_>) {
        let record = env.core.meta.queue(queue).clone();
        let is_classic = matches!(env.shared.topology.queue(queue).kind, QueueKind::Classic { .. });
        if record.exists {
            if record.owner.is_some_and(|owner| owner != env.me) {
                return self.fail(Error::ResourceLocked, env);
            }
            if is_classic && !record.is_live {
                if record.others.is_empty() {
                    return self.fail(Error::NotFound, env);
                }
                // Mirrored, and nobody may lead it: the call hangs.
                self.awaited = Some(Awaited::Declared(queue));
                return;
            }
            if env.shared.topology.queue(queue).args.expires.is_some() {
                env.send(Pid { node: record.leader, proc: Proc::Queue(queue) }, Msg::Used);
            }
        } else if is_passive {
            return self.fail(Error::NotFound, env);
        } else {
            node::declare(queue, env.me, env);
        }
        self.write(Frame::Ok, env);
    }

    /// The node's metadata of a queue changed.
    pub(super) fn meta_changed(&mut self, queue: QueueId, env: &mut Env<'_, '_>) {
        let record = env.core.meta.queue(queue);
        if self.awaited == Some(Awaited::Declared(queue)) && record.is_live {
            self.write(Frame::Ok, env);
            self.goes_on(Awaited::Declared(queue), env);
        }
    }

    /// What it has not confirmed.
    pub(in super::super) fn unconfirmed(&self) -> usize {
        self.confirms.open()
    }

    pub(in super::super) fn unacked(&self) -> &VecDeque<Unacked> {
        &self.unacked
    }

    pub(in super::super) fn consumers(&self) -> &[Consumer] {
        &self.consumers
    }

    pub(in super::super) fn hold(&self) -> (bool, bool) {
        (self.hold.by_alarm, self.reader.left == 0)
    }

    pub(in super::super) fn publishes(&self) -> u64 {
        self.sent
    }
}

impl Alarm {
    pub(in super::super) fn fingerprint(self) -> u64 {
        match self {
            Self::Heartbeat => 0,
            Self::ConsumerTimeout => 1,
            Self::Resend(queue) => u64::from(queue.0) << 2 | 2,
        }
    }
}

impl Unacked {
    /// How long it has been held.
    fn is_overdue(&self, timeout: Span, now: Time) -> bool {
        self.at + timeout <= now
    }
}
