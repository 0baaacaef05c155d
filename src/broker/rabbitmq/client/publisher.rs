//! A publishing application with its client library.
//!
//! - **Fire and forget**: the call returns when the message is in the socket, and that is all the application hears.
//! - **Confirms**: a window of messages may be unanswered; with a window of one each is waited for. The broker's
//!   `basic.nack` is a failure. What is unanswered when the connection dies stays so: the application may send it
//!   again.
//! - **Transactions**: a batch, then `tx.commit`; nothing else is published before the answer, which is the answer for
//!   the whole batch.
//! - **Both**: an application that wants a transaction and confirms asks for the transaction first; the broker closes
//!   the channel with 406, and every send fails with that.
//! - `mandatory`: what no queue takes comes back before it is confirmed. An application that sends again what failed
//!   sends this again, too, if it has confirms; one that does not is told nothing else.
//! - A call blocks while the window or the socket is full. Without a connection it throws, and the message failed; an
//!   application that sends as fast as it can, or one after another, waits instead, and what is to be sent *again*
//!   waits, too.
//!
//! Asked to stop it publishes nothing new, waits for the answers, and closes.
//!
//! Sources: <https://www.rabbitmq.com/docs/confirms>, <https://www.rabbitmq.com/docs/semantics#tx>,
//! <https://www.rabbitmq.com/docs/publishers>.
//!
//! Not modelled: several channels; publishing from several threads; `tx.rollback` by an application; what comes back to
//! a fire-and-forget publisher is not sent again.

mod calls;
mod outcome;
mod picture;

use std::collections::{BTreeMap, VecDeque};

use super::super::config::PublisherConfig;
use super::super::content::Envelope;
use super::super::error::Error;
use super::super::model::{RabbitCtx, Shared, Timer};
use super::super::packet::{Frame, Packet};
use super::super::topology::ProducerSpec;
use super::brokers_named;
use super::connection::{Connection, Heard, METHOD_BYTES};
use crate::app::{Doubt, OWN_WRITE, Origin, Sender, Written};
use crate::fact::{Fact, MessageId, ProducerId};
use crate::scenario::plan::{Plan, Spread};
use crate::sim::{Input, Span, Time};
use calls::Calls;

/// A call of the library's publish takes so long where nothing else slows an application down: about 30,000 a second,
/// as a single publisher of small messages was measured.
const CALL: Span = Span::from_micros(33);

/// One instance of a publishing application, with its client library.
#[derive(Clone, Debug)]
pub(in super::super) struct Publisher {
    app: Sender,
    config: PublisherConfig,
    link: Connection,
    /// Answers to the methods that make the channel ready which have not come.
    setup: u8,
    /// The application called, or waits to call, in this order.
    blocked: VecDeque<MessageId>,
    /// Published and not answered, by number: the first one's is `first`. With confirms.
    unconfirmed: VecDeque<Unconfirmed>,
    first: u64,
    /// How many of them the application waits for.
    open: u32,
    /// The transaction: published in it.
    batch: Vec<MessageId>,
    is_committing: bool,
    /// Attempts of messages that the application sent again.
    attempts: BTreeMap<MessageId, u16>,
    /// Application-level retries that wait for their time.
    again: u32,
    /// Replies that it waits for, if its messages are requests.
    calls: Option<Box<Calls>>,
    /// When it published last.
    called: Time,
    is_due_armed: bool,
    is_closing: bool,
}

/// A publish that the broker has not answered.
#[derive(Clone, Copy, Debug)]
struct Unconfirmed {
    message: MessageId,
    since: Time,
    /// It came back: the answer will follow.
    is_returned: bool,
    /// The application waits for the answer.
    is_open: bool,
}

impl Publisher {
    pub(in super::super) fn new(
        plan: &Plan,
        producer: ProducerId,
        instance: u16,
        seed: u64,
        ends: Time,
        shared: &mut Shared,
    ) -> Self {
        let wanted = &plan.producers[usize::from(producer.0)];
        let config = PublisherConfig::new(plan, wanted);
        let topology = &shared.topology;
        let list = brokers_named(&wanted.connect_to);
        Self {
            app: Sender::new(wanted, producer, instance, seed, ends).calling(CALL),
            link: Connection::new(config.client, config.connection, true, list, topology.brokers),
            calls: Calls::of(wanted.rpc.as_ref(), topology.replies[usize::from(producer.0)], topology)
                .map(Box::new),
            config,
            setup: 0,
            blocked: VecDeque::new(),
            unconfirmed: VecDeque::new(),
            first: 1,
            open: 0,
            batch: Vec::new(),
            is_committing: false,
            attempts: BTreeMap::new(),
            again: 0,
            called: Time::ZERO,
            is_due_armed: false,
            is_closing: false,
        }
    }

    /// Its connection, as tests that speak for it need it.
    #[cfg(test)]
    pub(super) fn conn(&self) -> Option<crate::sim::ConnId> {
        self.link.conn()
    }

    /// Whether it has nothing more to send and nothing to wait for.
    pub(in super::super) fn is_done(&self) -> bool {
        let has_more = self.app.has_more() && !self.is_closing && !(self.holds_back() && self.link.is_gone());
        !has_more && !self.app.is_waiting() && self.again == 0
    }

    /// A step tells the application to send.
    pub(in super::super) fn told_to_send(&mut self, count: u32, ctx: &mut RabbitCtx<'_>) {
        self.app.tell(count, ctx.now());
        self.arm_due(ctx);
    }

    #[inline]
    pub(in super::super) fn on(
        &mut self,
        input: &Input<Packet, Timer>,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        match *input {
            Input::Timer(Timer::Due) => self.due(shared, ctx),
            Input::Timer(Timer::Again { message, attempt }) => self.send_again(message, attempt, ctx),
            Input::Timer(Timer::Written(message)) => self.written(message, ctx),
            Input::Start => self.start(ctx),
            Input::Stop => self.is_closing = true,
            _ => {
                let is_alarm = matches!(input, Input::Timer(Timer::Wake));
                match self.link.on(input, ctx) {
                    Heard::Frame(frame) => self.answered(frame, shared, ctx),
                    Heard::Opening => self.set_up(ctx),
                    Heard::Lost => self.lost(ctx),
                    Heard::Nothing | Heard::Writable => {}
                }
                if is_alarm {
                    self.expire(ctx);
                    self.calls_expire(ctx);
                }
            }
        }
        self.pump(shared, ctx);
        if self.is_closing && self.is_flushed() {
            self.link.write(Frame::Close, METHOD_BYTES, ctx);
            ctx.exit();
        }
    }

    fn start(&mut self, ctx: &mut RabbitCtx<'_>) {
        self.blocked.clear();
        self.forget_channel();
        self.attempts.clear();
        self.again = 0;
        self.is_due_armed = false;
        self.is_closing = false;
        for (message, attempt) in self.app.restart(ctx.now()) {
            self.attempts.insert(message, attempt);
            self.blocked.push_back(message);
        }
        self.link.start(ctx);
    }

    fn forget_channel(&mut self) {
        if let Some(calls) = &mut self.calls {
            calls.forget();
        }
        self.unconfirmed.clear();
        self.first = 1;
        self.open = 0;
        self.batch.clear();
        self.is_committing = false;
        self.setup = 0;
    }

    /// The channel is put into the mode that the application wants.
    fn set_up(&mut self, ctx: &mut RabbitCtx<'_>) {
        self.forget_channel();
        self.setup = 1;
        for frame in self.calls.as_ref().map_or_else(Vec::new, |calls| calls.set_up()) {
            self.setup += 1;
            self.link.write(frame, METHOD_BYTES, ctx);
        }
        let is_caller = self.calls.is_some();
        let modes = [
            (self.config.transaction.is_some() && !is_caller, Frame::TxSelect),
            (self.config.confirms && !is_caller, Frame::ConfirmSelect),
        ];
        for (_, select) in modes.into_iter().filter(|(is_wanted, _)| *is_wanted) {
            self.setup += 1;
            self.link.write(select, METHOD_BYTES, ctx);
        }
    }

    /// Whether it can publish, as far as its connection goes.
    #[inline]
    fn is_ready(&self) -> bool {
        self.setup == 0 && self.link.is_open()
    }

    /// Whether nothing has to be waited for before it closes. Without a connection no answer will come.
    fn is_flushed(&self) -> bool {
        let is_answered = self.open == 0 && self.called_and_open() == 0;
        let is_empty = self.blocked.is_empty() && is_answered && self.batch.is_empty();
        !self.app.is_writing() && (is_empty || !self.is_ready())
    }

    /// Whether its application waits while it cannot publish, instead of trying one message after another.
    fn holds_back(&self) -> bool {
        self.sends_in_a_row() && self.refused().is_none()
    }

    /// Whether it sends as fast as it can, or one message after another.
    fn sends_in_a_row(&self) -> bool {
        self.app.is_greedy() || self.app.is_one_by_one()
    }

    /// What the broker said to an application that wants a transaction and confirms on one channel: no channel will
    /// ever be ready.
    fn refused(&self) -> Option<Error> {
        let wants_both = self.config.transaction.is_some() && self.config.confirms && self.calls.is_none();
        self.link.refusal().filter(|_| wants_both)
    }

    #[inline]
    fn arm_due(&mut self, ctx: &mut RabbitCtx<'_>) {
        if !self.is_due_armed {
            self.arm_next(ctx);
        }
    }

    fn arm_next(&mut self, ctx: &mut RabbitCtx<'_>) {
        if self.is_closing || self.holds_back() && !self.is_ready() {
            return;
        }
        if self.app.is_greedy() && !(self.blocked.is_empty() && self.has_room(ctx)) {
            return;
        }
        if let Some(at) = self.app.due() {
            self.is_due_armed = true;
            // Whoever sends one after another is not faster than the calls.
            let at = if self.sends_in_a_row() { at.max(self.called + CALL) } else { at };
            ctx.timer_at(at, Timer::Due);
        }
    }

    fn due(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        self.is_due_armed = false;
        let is_held = self.holds_back() && !self.is_ready();
        if self.is_closing || is_held || self.app.is_greedy() && !self.has_room(ctx) {
            // Goes on when it can.
            return;
        }
        let (producer, instance) = (self.app.producer(), self.app.instance());
        let number = self.app.take(ctx.now());
        let origin = Origin { producer, number };
        let message = shared.catalogue.add(origin);
        let key = shared.catalogue.key_of(origin);
        ctx.observe(Fact::Due { message, producer, instance, number, key });
        if self.app.writes_first() {
            ctx.timer(OWN_WRITE, Timer::Written(message));
        } else {
            self.call(message, ctx);
        }
    }

    /// A write to the application's own database is committed.
    fn written(&mut self, message: MessageId, ctx: &mut RabbitCtx<'_>) {
        let written = self.app.written(message);
        if written != Written::Marked {
            ctx.observe(Fact::Written { message });
        }
        if written == Written::ThenSend {
            self.call(message, ctx);
        }
    }

    /// The application calls publish for the first time.
    #[inline]
    fn call(&mut self, message: MessageId, ctx: &mut RabbitCtx<'_>) {
        if self.link.is_open() {
            self.blocked.push_back(message);
        } else {
            self.call_without_channel(message, ctx);
        }
    }

    fn call_without_channel(&mut self, message: MessageId, ctx: &mut RabbitCtx<'_>) {
        if let Some(error) = self.refused() {
            self.called = ctx.now();
            self.failed(message, error, Doubt::None, ctx);
            return;
        }
        // A channel that is being made ready is no reason to fail: the application waits for its own calls.
        if !self.link.was_open() || self.holds_back() {
            self.blocked.push_back(message);
        } else {
            self.thrown(message, ctx);
        }
    }

    /// The application sends once more: as soon as there is a channel.
    fn send_again(&mut self, message: MessageId, attempt: u16, ctx: &mut RabbitCtx<'_>) {
        self.again -= 1;
        if !self.is_closing {
            self.attempts.insert(message, attempt);
            self.blocked.push_back(message);
            self.link.open_again(ctx);
        }
    }

    /// Whether the library takes another message now.
    #[inline]
    fn has_room(&self, ctx: &mut RabbitCtx<'_>) -> bool {
        let has_turn = match self.config.transaction {
            Some(size) => !self.is_committing && self.batch.len() < size as usize,
            None if self.calls.is_some() => {
                self.config.window == 0 || self.called_and_open() < self.config.window
            }
            None => !self.config.confirms || self.config.window == 0 || self.open < self.config.window,
        };
        has_turn && self.link.is_writable(ctx)
    }

    /// Publishes what can be published now.
    #[inline]
    fn pump(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        if self.is_ready() {
            while !self.blocked.is_empty() && self.has_room(ctx) {
                if let Some(message) = self.blocked.pop_front() {
                    self.publish(message, shared, ctx);
                }
            }
            self.commit_if_due(ctx);
        }
        self.arm_due(ctx);
    }

    /// A transaction is committed when it is full, or when nothing more will be published without an answer.
    #[inline]
    fn commit_if_due(&mut self, ctx: &mut RabbitCtx<'_>) {
        if let Some(size) = self.config.transaction {
            self.commit_if_full(size, ctx);
        }
    }

    fn commit_if_full(&mut self, size: u32, ctx: &mut RabbitCtx<'_>) {
        let is_last = self.is_closing || self.app.due().is_none() && self.blocked.is_empty();
        let is_due = self.batch.len() >= size as usize || is_last && !self.app.is_writing();
        if is_due && !self.batch.is_empty() && !self.is_committing {
            self.is_committing = true;
            self.link.write(Frame::TxCommit, METHOD_BYTES, ctx);
        }
    }

    #[inline]
    fn publish(&mut self, message: MessageId, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        let attempt = self.attempt(message);
        if attempt > 1 || ctx.has_details() {
            ctx.observe(Fact::Sent { message, attempt });
        }
        self.called = ctx.now();
        let origin = shared.catalogue.origin(message);
        let size = shared.catalogue.size_of(origin);
        let spec = &shared.topology.producers[usize::from(self.app.producer().0)];
        let id = spec.stamp(origin.number, destination(origin, spec, shared));
        let stamp = shared.topology.stamp(id);
        let envelope = Envelope::new(message, id, stamp, size);
        let envelope = shared.content.add_with_deaths(envelope, &stamp.deaths);
        let is_mandatory = self.config.mandatory;
        self.link.write(Frame::Publish { envelope, is_mandatory }, METHOD_BYTES + size, ctx);
        if let Some(calls) = &mut self.calls {
            let over = calls.ask(message, ctx.now());
            self.link.arm(over, ctx);
        } else if self.config.transaction.is_some() {
            self.batch.push(message);
        } else if self.config.confirms {
            let since = ctx.now();
            self.unconfirmed.push_back(Unconfirmed { message, since, is_returned: false, is_open: true });
            self.open += 1;
            if let Some(timeout) = self.config.confirm_timeout {
                self.link.arm(since + timeout, ctx);
            }
        } else {
            // The call returned: that is all it will hear.
            self.confirmed(message, ctx);
        }
    }

    /// How many replies it waits for.
    fn called_and_open(&self) -> u32 {
        self.calls.as_ref().map_or(0, |calls| calls.count() as u32)
    }

    #[inline]
    fn attempt(&self, message: MessageId) -> u16 {
        if self.attempts.is_empty() { 1 } else { self.attempts.get(&message).copied().unwrap_or(1) }
    }
}

/// Which of its producer's places a message goes to: the same for every attempt.
#[inline]
fn destination(origin: Origin, spec: &ProducerSpec, shared: &Shared) -> usize {
    let count = spec.destinations();
    if count <= 1 {
        return 0;
    }
    let turn = origin.number as usize - 1;
    let at = match spec.spread {
        Spread::ByKey => shared.catalogue.key_of(origin).map_or(turn, |key| key as usize),
        Spread::RoundRobin => turn,
    };
    at % count
}
