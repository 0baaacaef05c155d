//! A producing client: batches by partition, requests by broker, retries, time-outs; and the application that uses it.
//!
//! A batch is the unit of sending, of retrying and of loss. With several requests in flight and retries on, a batch
//! that failed is sent again after later ones have landed.
//!
//! Whoever asks it to stop lets the application close it: what is buffered is sent, and answered or given up, before
//! the process ends.
//!
//! Source: `KafkaProducer`, `RecordAccumulator`, `Sender`; librdkafka `INTRODUCTION.md`, `CONFIGURATION.md`.
//! Not modelled: idempotence, transactions, compression.

mod outcome;
mod picture;

use std::collections::{BTreeMap, VecDeque};

use smallvec::SmallVec;

use super::super::config::{Acks, Client, ProducerConfig};
use super::super::content::batch_bytes;
use super::super::control::{Brokers, only};
use super::super::model::{KafkaCtx, METADATA_BACKOFF, Shared, Timer};
use super::super::packet::{Packet, ProducePart, ProduceRequest};
use super::links::Links;
use super::partitioner::Places;
use super::waiting::Waiting;
use crate::app::{OWN_WRITE, Origin, Sender, Written};
use crate::fact::{Fact, MessageId, ProducerId};
use crate::scenario::plan::{ConsumerPlan, Plan, ProducerPlan};
use crate::sim::{ConnId, Input, Span, Time};

/// One instance of a producing application, with its client library.
#[derive(Clone, Debug)]
pub(in super::super) struct Producer {
    app: Sender,
    config: ProducerConfig,
    send_to: String,
    /// The bytes of every message; none: the catalogue knows them one by one.
    payload: Option<u32>,
    /// The first partition of the first topic; the topics follow one another.
    first: u32,
    places: Places,
    links: Links,
    /// By partition of the topics.
    queues: Vec<Queue>,
    /// The queues that may hold something.
    waiting: Waiting,
    /// By broker, oldest first.
    requests: Vec<VecDeque<Request>>,
    request_next: u32,
    /// Messages that wait for room in the buffer, and since when.
    blocked: VecDeque<(MessageId, Time)>,
    buffered_bytes: u64,
    buffered_records: u64,
    /// Attempts of messages that the application sent again.
    attempts: BTreeMap<MessageId, u16>,
    /// Application-level retries that wait for their time.
    again: u32,
    wake_at: Time,
    is_due_armed: bool,
    /// The application closes it: nothing new is sent, and it ends when everything is answered.
    is_closing: bool,
    /// It belongs to a consuming application, which is told what became of the messages that it sends on: these, and
    /// whether they are confirmed.
    outcomes: Option<Vec<(MessageId, bool)>>,
}

#[derive(Clone, Debug, Default)]
struct Queue {
    batches: VecDeque<Batch>,
    in_flight: u32,
}

#[derive(Clone, Debug)]
struct Batch {
    messages: SmallVec<[MessageId; 4]>,
    /// Bytes of their payloads.
    payload: u32,
    created: Time,
    tries: u32,
    not_before: Time,
}

#[derive(Clone, Debug)]
struct Request {
    id: u32,
    sent: Time,
    batches: SmallVec<[(u32, Batch); 1]>,
}

impl Producer {
    pub(in super::super) fn new(
        plan: &Plan,
        producer: ProducerId,
        instance: u16,
        seed: u64,
        ends: Time,
        shared: &Shared,
    ) -> Self {
        let wanted = &plan.producers[producer.0 as usize];
        let app = Sender::new(wanted, producer, instance, seed, ends);
        Self::of(plan, wanted, app, seed, shared)
    }

    /// The producing client of a consuming application, with the library's defaults, for what it sends on.
    pub(super) fn sending_on(
        plan: &Plan,
        consumer: &ConsumerPlan,
        to: &str,
        seed: u64,
        shared: &Shared,
    ) -> Self {
        let wanted = ProducerPlan {
            phases: Vec::new(),
            client: consumer.client.clone(),
            connect_to: consumer.connect_to.clone(),
            ..ProducerPlan::new(&consumer.name, to)
        };
        let app = Sender::new(&wanted, ProducerId(0), 0, seed, Time::ZERO);
        let own = Self::of(plan, &wanted, app, seed, shared);
        Self { payload: None, outcomes: Some(Vec::new()), ..own }
    }

    fn of(plan: &Plan, wanted: &ProducerPlan, app: Sender, seed: u64, shared: &Shared) -> Self {
        let config = ProducerConfig::new(plan, wanted);
        let topology = &shared.topology;
        let topics = topology.topics(&wanted.send_to);
        let counts: Vec<_> = topics.iter().map(|topic| (topic.count, topic.initial)).collect();
        let count = counts.iter().map(|&(count, _)| count).sum::<u32>().max(1);
        let links =
            Links::new(topology.brokers, config.client, config.request_timeout, config.metadata_max_age)
                .beginning_at(topology.brokers_named(&wanted.connect_to));
        Self {
            app,
            send_to: wanted.send_to.clone(),
            payload: wanted.exact.is_empty().then_some(wanted.size_bytes),
            first: topics.first().map_or(0, |topic| topic.first),
            places: Places::new(config.partitioner, &counts, wanted.spread, seed)
                .naming(shared.catalogue.key_names()),
            links,
            queues: vec![Queue::default(); count as usize],
            waiting: Waiting::new(count),
            requests: vec![VecDeque::new(); topology.brokers as usize],
            request_next: 0,
            blocked: VecDeque::new(),
            buffered_bytes: 0,
            buffered_records: 0,
            attempts: BTreeMap::new(),
            again: 0,
            wake_at: Time::NEVER,
            is_due_armed: false,
            is_closing: false,
            outcomes: None,
            config,
        }
    }

    /// Whether this connection is its own.
    pub(super) fn owns(&self, conn: ConnId) -> bool {
        self.links.broker_of(conn).is_some()
    }

    /// Another application calls send.
    pub(super) fn hand_over(&mut self, message: MessageId, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        self.accept(message, shared, ctx);
        self.pump(shared, ctx);
    }

    /// What became of those messages since it was asked last.
    pub(super) fn outcomes(&mut self) -> Vec<(MessageId, bool)> {
        self.outcomes.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// What it reminds itself with.
    #[inline]
    fn alarm(&self) -> Timer {
        if self.outcomes.is_none() { Timer::Wake } else { Timer::SendingOn }
    }

    /// Whether it has nothing more to send and nothing to wait for.
    pub(in super::super) fn is_done(&self) -> bool {
        (self.is_closing || !self.app.has_more()) && !self.app.is_waiting() && self.again == 0
    }

    /// A step tells the application to send.
    pub(in super::super) fn told_to_send(&mut self, count: u32, ctx: &mut KafkaCtx<'_>) {
        self.app.tell(count, ctx.now());
        self.arm_due(ctx);
    }

    #[inline]
    pub(in super::super) fn on(
        &mut self,
        input: Input<Packet, Timer>,
        shared: &mut Shared,
        ctx: &mut KafkaCtx<'_>,
    ) {
        match input {
            Input::Timer(Timer::Due) => self.due(shared, ctx),
            Input::Packet(conn, Packet::ProduceResponse(response)) => {
                self.answered(conn, &response, ctx);
            }
            Input::Packet(_, Packet::MetadataResponse(view)) => {
                self.links.answered(view, ctx.now());
                self.learn_partitions(shared);
            }
            Input::Timer(Timer::Wake) => self.wake(ctx),
            Input::Timer(Timer::Again { .. }) if self.is_closing => self.again -= 1,
            Input::Timer(Timer::Again { message, attempt }) => {
                self.again -= 1;
                self.attempts.insert(message, attempt);
                ctx.observe(Fact::Sent { message, attempt });
                self.accept(message, shared, ctx);
            }
            Input::Timer(Timer::Written(message)) => self.written(message, shared, ctx),
            Input::Start => self.start(shared, ctx),
            Input::Stop => self.is_closing = true,
            Input::Connected(conn) => {
                self.links.connected(conn);
            }
            Input::Closed(conn) => {
                if let Some(broker) = self.links.closed(conn, ctx.now()) {
                    self.requests_lost(broker, ctx);
                }
            }
            _ => {}
        }
        self.pump(shared, ctx);
        if self.is_closing && self.is_flushed() {
            ctx.exit();
        }
    }

    /// Whether closing has nothing left to wait for: `KafkaProducer.close`, librdkafka's `flush`.
    fn is_flushed(&self) -> bool {
        self.buffered_records == 0 && self.blocked.is_empty() && !self.app.is_writing()
    }

    /// New partitions: from now on keys are placed over all of them.
    fn learn_partitions(&mut self, shared: &Shared) {
        if shared.topology.grows
            && let Some(view) = &self.links.view
        {
            let known = shared.topology.known(&self.send_to, view);
            self.places.learn(known.into_iter().map(|(_, count)| count));
        }
    }

    fn start(&mut self, shared: &Shared, ctx: &mut KafkaCtx<'_>) {
        self.queues.fill(Queue::default());
        for requests in &mut self.requests {
            requests.clear();
        }
        self.blocked.clear();
        self.attempts.clear();
        self.again = 0;
        self.buffered_bytes = 0;
        self.buffered_records = 0;
        self.wake_at = Time::NEVER;
        self.is_due_armed = false;
        self.is_closing = false;
        let outbox = self.app.restart(ctx.now());
        self.links.restart(ctx);
        for (message, attempt) in outbox {
            self.attempts.insert(message, attempt);
            ctx.observe(Fact::Sent { message, attempt });
            self.accept(message, shared, ctx);
        }
        self.arm_due(ctx);
    }

    fn arm_due(&mut self, ctx: &mut KafkaCtx<'_>) {
        if !self.is_due_armed
            && !self.is_closing
            && let Some(at) = self.app.due()
        {
            self.is_due_armed = true;
            ctx.timer_at(at, Timer::Due);
        }
    }

    fn due(&mut self, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        self.is_due_armed = false;
        if self.is_closing || self.app.is_greedy() && !self.has_room() {
            // Goes on when there is room again.
            return;
        }
        let (producer, instance) = (self.app.producer(), self.app.instance());
        let number = self.app.take(ctx.now());
        let message = shared.catalogue.add(Origin { producer, number });
        let key = shared.catalogue.key(message);
        ctx.observe(Fact::Due { message, producer, instance, number, key });
        if self.app.writes_first() {
            ctx.timer(OWN_WRITE, Timer::Written(message));
        } else {
            self.send_first(message, shared, ctx);
        }
        self.arm_due(ctx);
    }

    #[inline]
    fn send_first(&mut self, message: MessageId, shared: &Shared, ctx: &mut KafkaCtx<'_>) {
        if ctx.has_details() {
            ctx.observe(Fact::Sent { message, attempt: 1 });
        }
        self.accept(message, shared, ctx);
    }

    /// A write to the application's own database is committed.
    fn written(&mut self, message: MessageId, shared: &Shared, ctx: &mut KafkaCtx<'_>) {
        let written = self.app.written(message);
        if written != Written::Marked {
            ctx.observe(Fact::Written { message });
        }
        if written == Written::ThenSend {
            self.send_first(message, shared, ctx);
        }
    }

    fn has_room(&self) -> bool {
        self.buffered_bytes < self.config.buffer_bytes && self.buffered_records < self.config.buffer_records
    }

    /// The application calls send.
    fn accept(&mut self, message: MessageId, shared: &Shared, ctx: &mut KafkaCtx<'_>) {
        if self.has_room() && self.blocked.is_empty() {
            self.enqueue(message, shared, ctx);
        } else {
            self.blocked.push_back((message, ctx.now()));
        }
    }

    #[inline]
    fn enqueue(&mut self, message: MessageId, shared: &Shared, ctx: &mut KafkaCtx<'_>) {
        let origin = shared.catalogue.origin(message);
        let number = self.places.place(shared.catalogue.key(message), origin);
        let size = match self.payload {
            Some(size) => size,
            None => shared.catalogue.size(message),
        };
        self.buffered_bytes += u64::from(size);
        self.buffered_records += 1;
        let queue = &mut self.queues[number as usize];
        if let Some(open) = queue.batches.back_mut()
            && open.tries == 0
            && self.config.has_room(open.messages.len(), open.payload, size)
        {
            open.messages.push(message);
            open.payload += size;
            if !self.config.has_room(open.messages.len(), open.payload, size) {
                self.places.batch_closed(number);
            }
            return;
        }
        let messages = SmallVec::from_slice(&[message]);
        let now = ctx.now();
        self.waiting.insert(number);
        queue.batches.push_back(Batch { messages, payload: size, created: now, tries: 0, not_before: now });
    }

    /// Sends what is ready to whoever leads; arms the alarm for what is not.
    fn pump(&mut self, shared: &mut Shared, ctx: &mut KafkaCtx<'_>) {
        while !self.blocked.is_empty() && self.has_room() {
            if let Some((message, _)) = self.blocked.pop_front() {
                self.enqueue(message, shared, ctx);
            }
        }
        let now = ctx.now();
        let mut look_at = self.links.tick(ctx);
        let is_pressed = !self.blocked.is_empty() || self.is_closing;
        let leaders = self.leaders_waited_for(now, &mut look_at);
        for broker in (0..self.requests.len() as u16).filter(|&broker| leaders & only(broker) != 0) {
            while !self.waiting.is_empty() {
                let is_full = self.requests[broker as usize].len() >= self.config.in_flight_max as usize;
                let parts = self.collect(broker, is_full, is_pressed, now, &mut look_at);
                if parts.is_empty() {
                    break;
                }
                let Some(conn) = self.links.open(broker, ctx) else {
                    self.put_back(parts);
                    look_at = look_at.min(now + METADATA_BACKOFF);
                    break;
                };
                self.send(broker, conn, parts, ctx);
            }
        }
        if self.app.is_greedy() && self.has_room() {
            self.arm_due(ctx);
        }
        if !self.app.is_greedy() {
            self.arm_due(ctx);
        }
        if look_at < self.wake_at {
            self.wake_at = look_at;
            ctx.timer_at(look_at, self.alarm());
        }
    }

    /// The brokers that lead what waits. What nobody leads makes the client ask who does.
    fn leaders_waited_for(&mut self, now: Time, look_at: &mut Time) -> Brokers {
        let mut leaders = 0;
        let mut from = 0;
        while let Some(number) = self.waiting.next(from) {
            from = number + 1;
            let Some(batch) = self.queues[number as usize].batches.front() else {
                self.waiting.remove(number);
                continue;
            };
            if let Some(leader) = self.links.leader(self.first + number) {
                leaders |= only(leader);
            } else {
                self.links.want_metadata();
                *look_at = (*look_at).min(now + METADATA_BACKOFF).min(batch.created + self.expiry());
            }
        }
        leaders
    }

    /// Takes the batches that one request to this broker may carry now.
    fn collect(
        &mut self,
        broker: u16,
        is_full: bool,
        is_pressed: bool,
        now: Time,
        look_at: &mut Time,
    ) -> SmallVec<[(u32, Batch); 1]> {
        let mut parts = SmallVec::new();
        let mut from = 0;
        while let Some(number) = self.waiting.next(from) {
            from = number + 1;
            let Some(batch) = self.queues[number as usize].batches.front() else { continue };
            if self.links.leader(self.first + number) != Some(broker) {
                continue;
            }
            *look_at = (*look_at).min(batch.created + self.expiry());
            let is_muted = self.config.in_flight_max == 1 && self.queues[number as usize].in_flight > 0;
            if is_full || is_muted {
                continue;
            }
            let ready_at = self.ready_at(batch, number, is_pressed);
            if ready_at > now {
                *look_at = (*look_at).min(ready_at);
                continue;
            }
            let queue = &mut self.queues[number as usize];
            if let Some(batch) = queue.batches.pop_front() {
                queue.in_flight += 1;
                if queue.batches.is_empty() {
                    self.waiting.remove(number);
                    if batch.tries == 0 {
                        self.places.batch_closed(number);
                    }
                }
                parts.push((number, batch));
            }
            if self.config.client == Client::Librdkafka {
                break;
            }
        }
        parts
    }

    fn ready_at(&self, batch: &Batch, number: u32, is_pressed: bool) -> Time {
        let size = self.payload.unwrap_or(1);
        let is_closed = !self.config.has_room(batch.messages.len(), batch.payload, size)
            || self.queues[number as usize].batches.len() > 1
            || batch.tries > 0
            || is_pressed;
        let lingers = if is_closed { Span::ZERO } else { self.config.linger };
        batch.not_before.max(batch.created + lingers)
    }

    /// How long after its creation a batch that waits is given up.
    fn expiry(&self) -> Span {
        self.config.delivery_timeout.unwrap_or(self.config.request_timeout)
    }

    fn put_back(&mut self, parts: SmallVec<[(u32, Batch); 1]>) {
        for (number, batch) in parts.into_iter().rev() {
            let queue = &mut self.queues[number as usize];
            queue.in_flight -= 1;
            queue.batches.push_front(batch);
            self.waiting.insert(number);
        }
    }

    fn send(
        &mut self,
        broker: u16,
        conn: ConnId,
        mut batches: SmallVec<[(u32, Batch); 1]>,
        ctx: &mut KafkaCtx<'_>,
    ) {
        let now = ctx.now();
        let mut parts = SmallVec::new();
        let mut bytes = 60;
        for (number, batch) in &mut batches {
            batch.tries += 1;
            let size = batch_bytes(batch.messages.len() as u32, batch.payload);
            bytes += size;
            parts.push(ProducePart {
                partition: self.first + *number,
                bytes: size,
                messages: batch.messages.clone(),
            });
        }
        self.request_next = self.request_next.wrapping_add(1);
        let (id, acks) = (self.request_next, self.config.acks);
        let timeout_ms = (self.config.ack_timeout.0 / 1_000_000) as u32;
        ctx.send(conn, Packet::Produce(ProduceRequest { id, acks, timeout_ms, parts }), bytes);
        if acks == Acks::Zero {
            // Handing it to the socket is all that was asked for.
            for (number, batch) in batches {
                self.queues[number as usize].in_flight -= 1;
                self.confirm(&batch, ctx);
            }
            return;
        }
        let requests = &mut self.requests[broker as usize];
        requests.push_back(Request { id, sent: now, batches });
        self.links.load(broker, requests.len() as u32);
        let alarm = now + self.config.request_timeout;
        if alarm < self.wake_at {
            self.wake_at = alarm;
            ctx.timer_at(alarm, self.alarm());
        }
    }
}
