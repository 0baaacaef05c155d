//! A service with limited capacity, and the connection on which somebody calls it: a database, a payment provider.
//!
//! A family carries [`Talk`] in its packets and [`Alarm`] in its timers; what is said is the same in all of them.
//!
//! Not modelled: requests that are cancelled, priorities, answers that come before the work is done.

use std::collections::VecDeque;

use super::catalogue::Catalogue;
use crate::fact::{Down, Fact, MessageId, SubscriptionId};
use crate::scenario::plan::ServicePlan;
use crate::sim::draw::{self, Purpose};
use crate::sim::{ConnId, Ctx, Dist, Input, Model, NodeId, Span, Time};

/// A caller that heard nothing for so long gives up.
pub const CALL_TIMEOUT: Span = Span::from_secs(1);

/// The size of a request and of its answer on the wire.
const BYTES: u32 = 200;

/// What callers and services say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Talk {
    /// Do this.
    Call {
        /// The caller's number for it.
        id: u32,
        /// What it is about.
        message: MessageId,
        /// Doing it is an effect for this subscription; none: the caller has its own.
        counts_for: Option<SubscriptionId>,
    },
    /// What became of it.
    Reply {
        /// The caller's number.
        id: u32,
        /// None: it is done.
        error: Option<CallError>,
    },
}

/// What services and callers remind themselves of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alarm {
    /// Service: a worker is done, if the service did not break meanwhile.
    Done {
        /// Which worker.
        worker: u16,
        /// How often the service had broken by then.
        breaks: u32,
    },
    /// Service: it is mended.
    Mended,
    /// Caller: the oldest call has waited long enough.
    TimedOut,
    /// Caller: a message falls due.
    Due,
    /// Caller: it calls again.
    Again {
        /// About what.
        message: MessageId,
        /// Which attempt it will be.
        attempt: u16,
    },
}

/// Why a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallError {
    /// The service was full.
    Refused,
    /// It was overrun and is down.
    Broken,
    /// The connection went away, or there was none.
    Disconnected,
    /// It did not answer in time.
    TimedOut,
}

impl CallError {
    /// Errors of calls have numbers that no family uses.
    const FIRST: u16 = 0xff00;
    const ALL: [(Self, &'static str); 4] = [
        (Self::Refused, "the service was full"),
        (Self::Broken, "the service was overrun"),
        (Self::Disconnected, "the service could not be reached"),
        (Self::TimedOut, "the service did not answer in time"),
    ];

    /// As [`Fact::Failed`] has it.
    pub fn number(self) -> u16 {
        Self::FIRST + self as u16
    }

    /// In words; none: the number is not one of a call.
    pub fn name_of(number: u16) -> Option<&'static str> {
        Self::ALL.iter().find(|(error, _)| error.number() == number).map(|(_, name)| *name)
    }
}

/// A model whose packets and timers carry what services and their callers say.
pub trait Carries: Model<Fact = Fact> {
    /// Wraps.
    fn packet(talk: Talk) -> Self::Packet;
    /// Unwraps.
    fn talk(packet: &Self::Packet) -> Option<Talk>;
    /// Wraps.
    fn timer(alarm: Alarm) -> Self::Timer;
    /// Unwraps.
    fn alarm(timer: &Self::Timer) -> Option<Alarm>;
}

impl Talk {
    /// A number for the fingerprint.
    pub fn fingerprint(&self) -> u64 {
        match *self {
            Self::Call { id, .. } => u64::from(id) << 1,
            Self::Reply { id, error } => {
                u64::from(id) << 4 | error.map_or(0, |error| error as u64 + 1) << 1 | 1
            }
        }
    }
}

impl Alarm {
    /// A number for the fingerprint.
    pub fn fingerprint(&self) -> u64 {
        match *self {
            Self::Done { worker, breaks } => u64::from(breaks) << 24 | u64::from(worker) << 3,
            Self::Mended => 1,
            Self::TimedOut => 2,
            Self::Due => 3,
            Self::Again { message, attempt } => u64::from(message.0) << 19 | u64::from(attempt) << 3 | 4,
        }
    }
}

/// A running service.
#[derive(Clone, Debug)]
pub struct Service {
    process: Dist,
    queue: usize,
    /// For how long it is down once it was overrun; none: it is not.
    breaks: Option<Span>,
    seed: u64,
    workers: Vec<Option<Request>>,
    waiting: VecDeque<Request>,
    is_broken: bool,
    /// How often it broke.
    broken: u32,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    conn: ConnId,
    id: u32,
    message: MessageId,
    counts_for: Option<SubscriptionId>,
}

impl Service {
    /// A service with nothing to do.
    pub fn new(plan: &ServicePlan, seed: u64) -> Self {
        Self {
            process: plan.process,
            queue: plan.queue as usize,
            breaks: plan.breaks.map(|lasts| lasts.unwrap_or(Span::FOREVER)),
            seed,
            workers: vec![None; plan.workers as usize],
            waiting: VecDeque::new(),
            is_broken: false,
            broken: 0,
        }
    }

    /// How many workers are busy, and how many there are.
    pub fn workers(&self) -> (usize, usize) {
        (self.workers.iter().flatten().count(), self.workers.len())
    }

    /// How many requests wait, and how many may.
    pub fn queue(&self) -> (usize, usize) {
        (self.waiting.len(), self.queue)
    }

    /// Whether it was overrun and is not mended.
    pub fn is_broken(&self) -> bool {
        self.is_broken
    }

    /// What it has been asked and not answered: what is worked on, then what waits.
    pub fn held(&self) -> impl Iterator<Item = MessageId> {
        self.workers.iter().flatten().chain(&self.waiting).map(|request| request.message)
    }

    /// Takes an input.
    pub fn on<M: Carries>(
        &mut self,
        input: &Input<M::Packet, M::Timer>,
        catalogue: &Catalogue,
        ctx: &mut Ctx<'_, M>,
    ) {
        match input {
            Input::Start => {
                self.workers.fill(None);
                self.waiting.clear();
                self.is_broken = false;
            }
            Input::Stop => ctx.exit(),
            Input::Packet(conn, packet) => {
                if let Some(Talk::Call { id, message, counts_for }) = M::talk(packet) {
                    self.called(Request { conn: *conn, id, message, counts_for }, catalogue, ctx);
                }
            }
            Input::Timer(timer) => match M::alarm(timer) {
                Some(Alarm::Done { worker, breaks }) if breaks == self.broken => {
                    self.done(worker, catalogue, ctx);
                }
                Some(Alarm::Mended) => {
                    self.is_broken = false;
                    ctx.observe(Fact::NodeUp);
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn called<M: Carries>(&mut self, request: Request, catalogue: &Catalogue, ctx: &mut Ctx<'_, M>) {
        if self.is_broken {
            reply(request, Some(CallError::Broken), ctx);
        } else if let Some(free) = self.workers.iter().position(Option::is_none) {
            self.begin(free, request, catalogue, ctx);
        } else if self.waiting.len() < self.queue {
            self.waiting.push_back(request);
        } else if let Some(lasts) = self.breaks {
            self.is_broken = true;
            self.broken += 1;
            ctx.observe(Fact::NodeDown { how: Down::Overrun });
            let all = self.workers.iter_mut().filter_map(Option::take).chain(self.waiting.drain(..));
            for failed in all.chain([request]) {
                reply(failed, Some(CallError::Broken), ctx);
            }
            if lasts != Span::FOREVER {
                ctx.timer(lasts, M::timer(Alarm::Mended));
            }
        } else {
            reply(request, Some(CallError::Refused), ctx);
        }
    }

    fn begin<M: Carries>(
        &mut self,
        worker: usize,
        request: Request,
        catalogue: &Catalogue,
        ctx: &mut Ctx<'_, M>,
    ) {
        let identity = catalogue.origin(request.message).identity();
        let takes = self.process.sample(draw::bits(self.seed, Purpose::Process, identity, 1));
        self.workers[worker] = Some(request);
        let done = Alarm::Done { worker: worker as u16, breaks: self.broken };
        ctx.timer(takes, M::timer(done));
    }

    fn done<M: Carries>(&mut self, worker: u16, catalogue: &Catalogue, ctx: &mut Ctx<'_, M>) {
        let Some(request) = self.workers[worker as usize].take() else { return };
        if let Some(subscription) = request.counts_for {
            ctx.observe(Fact::Effect { message: request.message, subscription, stale: false });
        }
        reply(request, None, ctx);
        if let Some(next) = self.waiting.pop_front() {
            self.begin(worker as usize, next, catalogue, ctx);
        }
    }
}

fn reply<M: Carries>(request: Request, error: Option<CallError>, ctx: &mut Ctx<'_, M>) {
    ctx.send(request.conn, M::packet(Talk::Reply { id: request.id, error }), BYTES);
}

/// A caller's side: one connection, made when it is needed, and the calls that are open on it.
#[derive(Clone, Debug)]
pub struct Line {
    service: NodeId,
    conn: Option<ConnId>,
    is_open: bool,
    calls: VecDeque<Call>,
    next: u32,
    is_alarmed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    id: u32,
    message: MessageId,
    counts_for: Option<SubscriptionId>,
    since: Time,
    is_sent: bool,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Called {
    /// About what.
    pub message: MessageId,
    /// None: it is done.
    pub error: Option<CallError>,
    /// The service may have done it all the same.
    pub may_be_done: bool,
}

impl Line {
    /// A line on which nobody called yet.
    pub fn new(service: NodeId) -> Self {
        Self { service, conn: None, is_open: false, calls: VecDeque::new(), next: 0, is_alarmed: false }
    }

    /// The process was restarted.
    pub fn restart(&mut self) {
        *self = Self { next: self.next, ..Self::new(self.service) };
    }

    /// What the open calls are about, oldest first.
    pub fn calls(&self) -> impl Iterator<Item = MessageId> {
        self.calls.iter().map(|call| call.message)
    }

    /// How many calls are open.
    pub fn open(&self) -> usize {
        self.calls.len()
    }

    /// Calls.
    pub fn call<M: Carries>(
        &mut self,
        message: MessageId,
        counts_for: Option<SubscriptionId>,
        ctx: &mut Ctx<'_, M>,
    ) {
        self.next = self.next.wrapping_add(1);
        let call = Call { id: self.next, message, counts_for, since: ctx.now(), is_sent: false };
        self.calls.push_back(call);
        if self.conn.is_none() {
            self.conn = Some(ctx.connect(self.service));
        }
        self.send(ctx);
        self.arm(ctx);
    }

    /// Takes an input and says which calls it ended.
    pub fn on<M: Carries>(
        &mut self,
        input: &Input<M::Packet, M::Timer>,
        ctx: &mut Ctx<'_, M>,
    ) -> Vec<Called> {
        match input {
            Input::Connected(conn) if self.conn == Some(*conn) => {
                self.is_open = true;
                self.send(ctx);
            }
            Input::Closed(conn) if self.conn == Some(*conn) => {
                (self.conn, self.is_open) = (None, false);
                let failed = |call: Call| call.failed(CallError::Disconnected);
                return self.calls.drain(..).map(failed).collect();
            }
            Input::Packet(conn, packet) if self.conn == Some(*conn) => {
                if let Some(Talk::Reply { id, error }) = M::talk(packet)
                    && let Some(at) = self.calls.iter().position(|call| call.id == id)
                    && let Some(call) = self.calls.remove(at)
                {
                    let may_be_done = error == Some(CallError::Broken);
                    return vec![Called { message: call.message, error, may_be_done }];
                }
            }
            Input::Timer(timer) if M::alarm(timer) == Some(Alarm::TimedOut) => return self.timed_out(ctx),
            _ => {}
        }
        Vec::new()
    }

    fn timed_out<M: Carries>(&mut self, ctx: &mut Ctx<'_, M>) -> Vec<Called> {
        self.is_alarmed = false;
        let mut ended = Vec::new();
        while let Some(call) = self.calls.front()
            && call.since + CALL_TIMEOUT <= ctx.now()
        {
            ended.push(call.failed(CallError::TimedOut));
            self.calls.pop_front();
        }
        self.arm(ctx);
        ended
    }

    /// Sends what was not sent yet.
    fn send<M: Carries>(&mut self, ctx: &mut Ctx<'_, M>) {
        let (Some(conn), true) = (self.conn, self.is_open) else { return };
        let unsent = self.calls.iter().rev().take_while(|call| !call.is_sent).count();
        let from = self.calls.len() - unsent;
        for call in self.calls.range_mut(from..) {
            call.is_sent = true;
            let &mut Call { id, message, counts_for, .. } = call;
            ctx.send(conn, M::packet(Talk::Call { id, message, counts_for }), BYTES);
        }
    }

    fn arm<M: Carries>(&mut self, ctx: &mut Ctx<'_, M>) {
        if let (Some(call), false) = (self.calls.front(), self.is_alarmed) {
            self.is_alarmed = true;
            ctx.timer_at(call.since + CALL_TIMEOUT, M::timer(Alarm::TimedOut));
        }
    }
}

impl Call {
    fn failed(&self, error: CallError) -> Called {
        Called { message: self.message, error: Some(error), may_be_done: self.is_sent }
    }
}
