//! A consuming application with its client library.
//!
//! What the broker pushes is *delivered* when the library has it. There it waits, in order, until the application takes
//! it: one message at a time, or, with a pool of workers, all at once.
//!
//! - Acknowledgements go out one by one, or with `multiple` for as many as the setting says; a rest that does not fill
//!   that number stays unacknowledged. With a pool, `multiple` covers only what is finished without a gap.
//! - Tags belong to a channel. After it is lost the application goes on with what it has in its hands, and what it says
//!   about it is dropped by the library. What waits in the library is worked off by the Java client and thrown away by
//!   Spring and pika.
//! - A consumer that is cancelled by the broker stops to consume. The Java client leaves it at that; Spring begins
//!   anew.
//! - A message that cannot be processed is given back, given up, or published to somewhere else on the same channel and
//!   then acknowledged: at once, as Spring's `RepublishMessageRecoverer` does, or when that is confirmed.
//!
//! - What comes from a producer that waits for replies is replied to when it is processed, and acknowledged after that:
//!   whoever dies in between replies once more.
//!
//! A consumer that works by hand subscribes if it has a prefetch, and holds what it was handed until a step says what
//! is to become of it; without a prefetch it takes single messages with `basic.get`, until the queue says that it is
//! empty.
//!
//! Sources: <https://www.rabbitmq.com/docs/consumers>, <https://www.rabbitmq.com/docs/confirms>,
//! <https://www.rabbitmq.com/client-libraries/java-api-guide>, <https://docs.spring.io/spring-amqp/reference/>.
//!
//! Not modelled: several channels; concurrent consumers within one container; `basic.recover`; transactions of
//! consumers; Spring's batch listeners, and its patience with them when a container stops.

mod by_hand;
mod calls;
mod picture;
mod settling;

use std::collections::VecDeque;

use super::super::config::{Client, ConsumerConfig, StreamOffset};
use super::super::content::EnvelopeId;
use super::super::model::{RabbitCtx, Shared, Timer};
use super::super::packet::{ConsumerTag, Frame, Packet};
use super::super::topology::{QueueId, QueueKind, StampId};
use super::brokers_named;
use super::connection::{Connection, Heard, METHOD_BYTES};
use crate::app::{Item, Line, Turn, Worker};
use crate::fact::{Down, Fact, MessageId, SubscriptionId};
use crate::scenario::plan::{Plan, Then};
use crate::sim::{Input, Span};

use by_hand::ByHand;
use settling::Batch;

/// One instance of a consuming application, with its client library.
#[derive(Clone, Debug)]
pub(in super::super) struct Consumer {
    pub(in super::super) worker: Worker,
    config: ConsumerConfig,
    link: Connection,
    /// What it reads: a consumer's tag is its place here.
    queues: Vec<Queue>,
    /// Answers to the methods that make the channel ready which have not come.
    setup: u16,
    /// In the library, in the order of arrival.
    buffer: VecDeque<Delivered>,
    /// With the application and not finished, in the order in which it was handed over.
    handed: VecDeque<Delivered>,
    /// Acknowledgements that wait until there are enough of them.
    batch: Batch,
    by_hand: Option<Box<ByHand>>,
    /// To the service that it calls for each message.
    service: Option<Box<Line>>,
    /// Somebody waits for replies to what it sends.
    is_asked: bool,
    /// What it writes on messages that it cannot process and publishes elsewhere.
    sends_on: Option<StampId>,
    /// Such messages that are not confirmed, by number; empty without confirms.
    sent_on: VecDeque<Option<MessageId>>,
    sent_on_first: u64,
    sends_on_every: Span,
    /// It was asked to stop and finishes what the application has in its hands.
    is_leaving: bool,
}

/// A queue that it reads.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Queue {
    id: QueueId,
    /// It declares it: nobody else does.
    is_own: bool,
    /// The broker cancelled this consumer.
    is_cancelled: bool,
    is_stream: bool,
    /// Of a stream: what comes next on this channel, as far as something came.
    pub(in super::super) next: Option<u64>,
    /// Where the application goes on when it connects again, if it keeps that.
    pub(in super::super) kept: Option<u64>,
}

/// A delivery that is not settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Delivered {
    message: MessageId,
    envelope: EnvelopeId,
    queue: QueueId,
    tag: u64,
    /// The tag's channel.
    channel: u32,
    /// Of a stream.
    offset: u32,
}

impl Delivered {
    /// As the application knows it: the broker has no positions, but what was published twice is two.
    fn item(&self) -> Item {
        Item { message: self.message, place: u32::from(self.queue.0), offset: u64::from(self.envelope.0) }
    }
}

impl Consumer {
    pub(in super::super) fn new(
        plan: &Plan,
        consumer: u16,
        instance: u16,
        seed: u64,
        shared: &mut Shared,
    ) -> Self {
        let wanted = &plan.consumers[usize::from(consumer)];
        let config = ConsumerConfig::new(plan, wanted);
        let topology = &shared.topology;
        let spec = &topology.consumers[usize::from(consumer)];
        let queues = spec.queues_of(instance).iter().map(|&id| {
            let queue = topology.queue(id);
            let is_own = queue.is_declared_by_users();
            let is_stream = queue.kind == QueueKind::Stream;
            Queue { id, is_own, is_cancelled: false, is_stream, next: None, kept: None }
        });
        let queues: Vec<_> = queues.collect();
        // Consumers of one queue are one subscription, that of the first of them; of a stream, each is its own.
        let own = SubscriptionId(consumer);
        let subscription = queues
            .first()
            .filter(|queue| !queue.is_stream)
            .and_then(|queue| topology.queue(queue.id).subscription);
        let subscription = subscription.unwrap_or(own);
        let list = brokers_named(&wanted.connect_to);
        let service = wanted.calls.as_deref().and_then(|name| shared.service(name));
        let hears = config.hears_of_cancel;
        Self {
            worker: Worker::new(plan, wanted, subscription, instance, seed),
            link: Connection::new(config.client, config.connection, hears, list, topology.brokers),
            queues,
            setup: 0,
            buffer: VecDeque::new(),
            handed: VecDeque::new(),
            batch: Batch::default(),
            by_hand: wanted.is_by_hand.then(|| Box::new(ByHand::new(config.prefetch == 0))),
            service: service.map(Line::new).map(Box::new),
            is_asked: topology.replies.iter().any(Option::is_some),
            sends_on: spec.sends_on,
            sent_on: VecDeque::new(),
            sent_on_first: 1,
            sends_on_every: wanted.if_fails.every.max(Span::from_millis(1)),
            is_leaving: false,
            config,
        }
    }

    #[inline]
    pub(in super::super) fn on(
        &mut self,
        input: &Input<Packet, Timer>,
        shared: &mut Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        match *input {
            Input::Timer(Timer::Processed(thread)) => {
                if !self.call(thread, ctx) && self.processed(thread, shared, ctx) {
                    return ctx.exit();
                }
            }
            Input::Timer(Timer::SendOnAgain(message)) => self.send_on(message, shared, ctx),
            Input::Start => self.start(ctx),
            Input::Stop => self.leave(ctx),
            _ => {
                if self.service.is_some() && self.service_said(input, shared, ctx) {
                    return ctx.exit();
                }
                match self.link.on(input, ctx) {
                    Heard::Frame(frame) => self.heard(frame, shared, ctx),
                    Heard::Opening => self.set_up(ctx),
                    Heard::Lost => self.lost(),
                    Heard::Nothing | Heard::Writable => {}
                }
            }
        }
        self.go_on(shared, ctx);
        if self.is_leaving && self.worker.is_idle() {
            self.link.write(Frame::Close, METHOD_BYTES, ctx);
            ctx.exit();
        }
    }

    /// It takes no more. A container of Spring cancels its consumers first and lets the application finish.
    fn leave(&mut self, ctx: &mut RabbitCtx<'_>) {
        self.is_leaving = true;
        if self.link.client() != Client::Spring || !self.link.is_open() {
            self.worker.restart();
            return;
        }
        for tag in 0..self.queues.len() {
            self.ask(Frame::Cancel { tag: tag as ConsumerTag }, ctx);
        }
    }

    fn start(&mut self, ctx: &mut RabbitCtx<'_>) {
        if let Some(line) = &mut self.service {
            line.restart();
        }
        if let Some(by_hand) = &mut self.by_hand {
            by_hand.restart();
        }
        self.is_leaving = false;
        self.worker.restart();
        self.buffer.clear();
        self.handed.clear();
        self.forget_channel();
        self.link.start(ctx);
    }

    fn forget_channel(&mut self) {
        self.batch = Batch::default();
        self.sent_on.clear();
        self.sent_on_first = 1;
        self.setup = 0;
        for queue in &mut self.queues {
            queue.is_cancelled = false;
            queue.next = None;
        }
    }

    /// Everything that makes the channel what the application wants, all at once.
    fn set_up(&mut self, ctx: &mut RabbitCtx<'_>) {
        self.forget_channel();
        self.setup = 1;
        if self.numbers_publishes() {
            self.ask(Frame::ConfirmSelect, ctx);
        }
        if self.config.prefetch > 0 {
            let count = u16::try_from(self.config.prefetch).unwrap_or(u16::MAX);
            self.ask(Frame::Qos { count, is_global: self.config.is_prefetch_global }, ctx);
        }
        for queue in self.queues.clone().iter().filter(|queue| queue.is_own) {
            self.ask(Frame::Declare { queue: queue.id, is_passive: false }, ctx);
        }
        if self.by_hand.as_ref().is_some_and(|by_hand| by_hand.gets) {
            return;
        }
        for (tag, queue) in self.queues.clone().iter().enumerate() {
            let (tag, offset, queue) = (tag as ConsumerTag, self.begins(queue), queue.id);
            let ConsumerConfig { no_ack, exclusive: is_exclusive, priority, .. } = self.config;
            let is_cancelled_on_failover = self.config.cancels_on_failover;
            let consume = Frame::Consume {
                queue,
                tag,
                no_ack,
                is_exclusive,
                priority,
                offset,
                is_cancelled_on_failover,
            };
            self.ask(consume, ctx);
        }
    }

    fn ask(&mut self, frame: Frame, ctx: &mut RabbitCtx<'_>) {
        self.setup += 1;
        self.link.write(frame, METHOD_BYTES, ctx);
    }

    #[inline]
    fn heard(&mut self, frame: Frame, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        match frame {
            Frame::Deliver { consumer, tag, envelope, redelivered, offset, .. } => {
                if let Some(queue) = self.queues.get_mut(usize::from(consumer)) {
                    if queue.is_stream {
                        queue.next = Some(u64::from(offset) + 1);
                    }
                    let from = (queue.id, tag, offset);
                    self.arrived(from, envelope, redelivered, shared, ctx);
                }
            }
            Frame::GetOk { tag, envelope, redelivered, .. } => {
                if let Some(queue) = self.by_hand.as_mut().and_then(|by_hand| by_hand.got()) {
                    self.arrived((queue, tag, 0), envelope, redelivered, shared, ctx);
                }
            }
            Frame::GetEmpty => {
                if let Some(by_hand) = &mut self.by_hand {
                    by_hand.found_nothing();
                }
            }
            Frame::Opened { .. } | Frame::Ok => self.setup = self.setup.saturating_sub(1),
            Frame::Ack { seq, multiple } => self.sent_on_answered(seq, multiple, true, ctx),
            Frame::Nack { seq, multiple } => self.sent_on_answered(seq, multiple, false, ctx),
            Frame::Cancelled { tag } => {
                if let Some(queue) = self.queues.get_mut(usize::from(tag)) {
                    queue.is_cancelled = true;
                }
                if self.link.restart_if_managed(ctx) {
                    self.lost();
                }
            }
            _ => {}
        }
    }

    #[inline]
    fn arrived(
        &mut self,
        (queue, tag, offset): (QueueId, u64, u32),
        envelope: EnvelopeId,
        flagged: bool,
        shared: &Shared,
        ctx: &mut RabbitCtx<'_>,
    ) {
        let (message, channel) = (shared.content.message(envelope), self.link.channel());
        self.buffer.push_back(Delivered { message, envelope, queue, tag, channel, offset });
        if !self.config.no_ack {
            self.batch.arrived(tag, self.config.ack_every);
        }
        let (subscription, instance) = (self.worker.subscription, self.worker.instance);
        ctx.observe(Fact::Delivered { message, subscription, instance, flagged });
    }

    /// Nothing more comes on the channel, and nothing that is said about its deliveries gets there.
    fn lost(&mut self) {
        self.forget_channel();
        if self.link.client() != Client::Java {
            self.buffer.clear();
        }
        if let Some(by_hand) = &mut self.by_hand {
            by_hand.lost();
        }
        // Threads that waited for a confirm go on: the message comes again.
        for item in self.worker.held().copied().collect::<Vec<_>>() {
            if self.worker.sent_on(item.message).is_some() {
                self.forget(item);
            }
        }
    }

    /// Whatever can be done now: the application takes what is there and starts on it.
    #[inline]
    fn go_on(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        if self.by_hand.is_some() {
            self.get_more(ctx);
        }
        if self.worker.is_pool() {
            return self.go_on_with_pool(shared, ctx);
        }
        if self.worker.is_idle() && !self.is_leaving && self.may_take() {
            let Some(delivered) = self.buffer.pop_front() else { return };
            self.handed.push_back(delivered);
            let store = &mut shared.stores[usize::from(self.worker.subscription.0)];
            let takes = self.worker.process(delivered.item(), store, &shared.catalogue);
            ctx.timer(takes, Timer::Processed(0));
        }
    }

    /// A pool is handed all that there is, whether or not a thread is free.
    fn go_on_with_pool(&mut self, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) {
        while !self.is_leaving && self.may_take() {
            let Some(delivered) = self.buffer.pop_front() else { break };
            self.handed.push_back(delivered);
            self.worker.offer(delivered.item(), &shared.catalogue);
        }
        let store = &mut shared.stores[usize::from(self.worker.subscription.0)];
        while let Some((thread, takes)) = self.worker.start(store, &shared.catalogue) {
            ctx.timer(takes, Timer::Processed(thread));
        }
    }

    /// A thread of the application worked for as long as it said: whether the application ends because of that.
    fn processed(&mut self, thread: u16, shared: &mut Shared, ctx: &mut RabbitCtx<'_>) -> bool {
        let store = &mut shared.stores[usize::from(self.worker.subscription.0)];
        let turn = self.worker.turn(thread, store, &shared.catalogue, |fact| ctx.observe(fact));
        match turn {
            Some(Turn::Done(item)) => self.processed_well(item, shared, ctx),
            None => {}
            Some(Turn::On(takes)) => {
                ctx.timer(takes, Timer::Processed(thread));
            }
            Some(Turn::Failed(_, Then::Stop)) => {
                ctx.observe(Fact::NodeDown { how: Down::GaveUp });
                return true;
            }
            Some(Turn::Failed(item, Then::SendTo(_))) => self.send_on(item.message, shared, ctx),
            Some(Turn::Failed(item, then @ (Then::Requeue | Then::Reject))) => {
                self.give_back(item, &then, ctx);
            }
            Some(Turn::Failed(item, Then::Skip)) => self.finish(item, ctx),
        }
        false
    }

    /// What the application holds and has not finished.
    pub(in super::super) fn held(&self) -> impl Iterator<Item = MessageId> + '_ {
        self.handed.iter().chain(&self.buffer).map(|delivered| delivered.message)
    }

    /// Whether it is connected as it wants to be, and has nothing unfinished in its hands.
    pub(in super::super) fn is_settled(&self) -> bool {
        let is_ready = self.link.is_gone() || self.link.is_open() && self.setup == 0;
        is_ready && self.worker.is_idle() && (self.buffer.is_empty() || self.by_hand.is_some())
    }

    /// Where it begins to read, if it connects now.
    pub(in super::super) fn begins(&self, queue: &Queue) -> StreamOffset {
        queue.kept.map_or(self.config.stream_offset, StreamOffset::At)
    }

    /// A stream that it reads.
    pub(in super::super) fn reading(&self, queue: QueueId) -> Option<&Queue> {
        self.queues.iter().find(|known| known.id == queue)
    }

    /// Whether nothing that it holds is held for it by a broker.
    pub(in super::super) fn reads_streams(&self) -> bool {
        self.queues.iter().any(|queue| queue.is_stream)
    }

    /// The application keeps how far it is, if it does that: behind everything that it has finished without a gap.
    fn keep_offset(&mut self, done: &Delivered) {
        let Some(queue) = self.queues.iter_mut().find(|queue| queue.id == done.queue) else { return };
        if queue.is_stream {
            let open = self.handed.iter().filter(|one| one.queue == done.queue).map(|one| one.offset);
            let next = u64::from(open.min().unwrap_or(done.offset + 1));
            queue.kept = queue.kept.max(Some(next));
        }
    }

    /// Whether what it holds is gone for the broker: deliveries need no acknowledgement.
    pub(in super::super) fn is_automatic(&self) -> bool {
        self.config.no_ack
    }
}
