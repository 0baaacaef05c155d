//! A client library's connection: connects, opens, keeps alive, notices the end, comes back.
//!
//! - Nodes are tried in the order of `connect_to`, or beginning anywhere; when none is left, after a pause again.
//! - Heartbeats go out every half of the time-out; two looks without any traffic in between, and the peer is dead.
//! - Automatic recovery (Java client, Spring) connects again after an interval. A channel that the broker closed is
//!   not recovered by the Java client: it stays closed. Spring opens another one.
//! - pika does not recover: the connection is gone, unless the application opens another.
//! - `connection.blocked` is a notice and stops nobody: what stops a publisher is its socket.
//!
//! Sources: <https://www.rabbitmq.com/client-libraries/java-api-guide#recovery>,
//! <https://www.rabbitmq.com/docs/heartbeats>, <https://docs.spring.io/spring-amqp/reference/>.
//!
//! Not modelled: names that resolve to several addresses, TLS, authentication; a Java client that shuffles its
//! addresses; `blocked_connection_timeout`.

use super::super::config::{Client, ConnectionConfig};
use super::super::error::Error;
use super::super::model::{RabbitCtx, Timer};
use super::super::packet::{Frame, Packet};
use crate::fact::NodeId;
use crate::sim::draw::{self, Purpose};
use crate::sim::{ConnId, Input, Span, Time};

/// Somebody who cannot connect at all tries again after this: the libraries' usual pause.
const RETRY: Span = Span::from_secs(5);
/// The opening of a connection is answered within this, or it failed.
const HANDSHAKE_TIMEOUT: Span = Span::from_secs(10);
/// Looks without anything heard, after which the peer is dead: 60 to 90 seconds with a time-out of 60.
const SILENT_LOOKS_MAX: u8 = 2;
/// A method without a body, on the wire.
pub(super) const METHOD_BYTES: u32 = 40;

/// One connection with its channel.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is something that it has heard")]
pub(super) struct Connection {
    client: Client,
    config: ConnectionConfig,
    hears_of_cancel: bool,
    /// Tried in this order; empty: any, then the next ones.
    list: Vec<u16>,
    brokers: u16,
    /// Where a client without a list begins.
    first: u16,
    /// Failed attempts since it was last open.
    failures: u32,
    conn: Option<ConnId>,
    /// The node at its other end.
    node: u16,
    state: State,
    /// When the state ends by itself: a time-out, or a pause.
    until: Time,
    /// It was open once: the application has had a channel.
    was_open: bool,
    heartbeat: Span,
    was_heard: bool,
    silent_looks: u8,
    look_at: Time,
    is_blocked: bool,
    /// Why the last one ended, and whether that was an answer to something that was asked on the channel.
    error: Option<Error>,
    is_refusal: bool,
    /// Counts the channels: a delivery's tag is worth something on its own one only.
    channel: u32,
    /// When its alarm is set for.
    alarm_at: Time,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Nobody asked for it yet, or the process ended.
    Idle,
    /// It pauses before the next attempt.
    Waiting,
    Connecting,
    Opening,
    Open,
    /// It is over, and the library does nothing about it.
    Gone,
}

/// What an input was to the application's side of the client.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Heard {
    Nothing,
    /// The connection is there and `open` is written: what else is written now is answered behind it.
    Opening,
    /// The broker said this.
    Frame(Frame),
    /// Nothing more comes on this channel.
    Lost,
    /// The socket takes writes again.
    Writable,
}

impl Connection {
    pub(super) fn new(
        client: Client,
        config: ConnectionConfig,
        hears_of_cancel: bool,
        list: Vec<u16>,
        brokers: u16,
    ) -> Self {
        Self {
            client,
            config,
            hears_of_cancel,
            list,
            brokers,
            first: 0,
            failures: 0,
            conn: None,
            node: 0,
            state: State::Idle,
            until: Time::NEVER,
            was_open: false,
            heartbeat: Span::ZERO,
            was_heard: false,
            silent_looks: 0,
            look_at: Time::NEVER,
            is_blocked: false,
            error: None,
            is_refusal: false,
            channel: 0,
            alarm_at: Time::NEVER,
        }
    }

    /// The process starts and connects.
    pub(super) fn start(&mut self, ctx: &mut RabbitCtx<'_>) {
        let node = u64::from(ctx.node().0);
        let bits = draw::bits(ctx.seed(), Purpose::Bootstrap, node, 0);
        self.first = draw::below(bits, u64::from(self.brokers.max(1))) as u16;
        self.failures = 0;
        self.was_open = false;
        self.error = None;
        self.alarm_at = Time::NEVER;
        self.connect(ctx);
    }

    /// The application wants another one, because the library does not come back by itself.
    pub(super) fn open_again(&mut self, ctx: &mut RabbitCtx<'_>) {
        if self.state == State::Gone {
            self.connect(ctx);
        }
    }

    fn connect(&mut self, ctx: &mut RabbitCtx<'_>) {
        self.node = self.candidate();
        self.conn = Some(ctx.connect(NodeId(self.node)));
        let timeout = match self.client {
            Client::Java | Client::Spring => Span::from_secs(60),
            Client::Pika => Span::from_secs(10),
        };
        self.go(State::Connecting, ctx.now() + timeout, ctx);
    }

    /// Who is tried next.
    fn candidate(&self) -> u16 {
        let count = self.choices();
        let turn = self.failures % count;
        match self.list.get(turn as usize) {
            Some(&broker) => broker,
            None => ((u32::from(self.first) + turn) % count) as u16,
        }
    }

    fn choices(&self) -> u32 {
        let count = if self.list.is_empty() { usize::from(self.brokers) } else { self.list.len() };
        count.max(1) as u32
    }

    fn go(&mut self, state: State, until: Time, ctx: &mut RabbitCtx<'_>) {
        (self.state, self.until) = (state, until);
        self.arm(until, ctx);
    }

    /// Sees to it that the owner is woken by then.
    pub(super) fn arm(&mut self, at: Time, ctx: &mut RabbitCtx<'_>) {
        if at < self.alarm_at {
            self.alarm_at = at;
            ctx.timer_at(at, Timer::Wake);
        }
    }

    /// Takes an input that may be about it.
    #[inline]
    pub(super) fn on(&mut self, input: &Input<Packet, Timer>, ctx: &mut RabbitCtx<'_>) -> Heard {
        match *input {
            Input::Packet(conn, Packet::Amqp(frame)) if self.conn == Some(conn) => {
                self.was_heard = true;
                self.heard(frame, ctx)
            }
            Input::Packet(..) => Heard::Nothing,
            _ => self.changed(input, ctx),
        }
    }

    /// Something became of the connection, or its alarm rang.
    fn changed(&mut self, input: &Input<Packet, Timer>, ctx: &mut RabbitCtx<'_>) -> Heard {
        match *input {
            Input::Connected(conn) if self.conn == Some(conn) => {
                self.go(State::Opening, ctx.now() + HANDSHAKE_TIMEOUT, ctx);
                let heartbeat = self.config.heartbeat;
                let open = Frame::Open { heartbeat, takes_cancels: self.hears_of_cancel };
                self.write(open, METHOD_BYTES, ctx);
                Heard::Opening
            }
            Input::Closed(conn) if self.conn == Some(conn) => {
                self.conn = None;
                let error = match self.state {
                    State::Connecting => Error::ConnectionRefused,
                    _ => Error::ConnectionLost,
                };
                self.ended(error, ctx)
            }
            Input::Writable(conn) if self.conn == Some(conn) => Heard::Writable,
            Input::Timer(Timer::Wake) => self.wake(ctx),
            _ => Heard::Nothing,
        }
    }

    /// What the broker said, if it is more than that it lives.
    #[inline]
    fn heard(&mut self, frame: Frame, ctx: &mut RabbitCtx<'_>) -> Heard {
        match frame {
            // The usual cases, which are for the application alone.
            Frame::Deliver { .. } | Frame::Ack { .. } => Heard::Frame(frame),
            _ => self.heard_of_itself(frame, ctx),
        }
    }

    fn heard_of_itself(&mut self, frame: Frame, ctx: &mut RabbitCtx<'_>) -> Heard {
        match frame {
            Frame::Heartbeat => return Heard::Nothing,
            Frame::Opened { heartbeat } => {
                self.heartbeat = heartbeat;
                self.failures = 0;
                self.was_open = true;
                self.channel += 1;
                self.error = None;
                self.go(State::Open, Time::NEVER, ctx);
                self.silent_looks = 0;
                self.look_at = Time::NEVER;
                if heartbeat > Span::ZERO {
                    self.look_at = ctx.now() + heartbeat.half();
                    self.arm(self.look_at, ctx);
                }
            }
            Frame::Blocked => self.is_blocked = true,
            Frame::Unblocked => self.is_blocked = false,
            Frame::ChannelClosed { error } => {
                self.hang_up(ctx);
                return self.channel_ended(error, ctx);
            }
            Frame::ConnectionClosed { error } => {
                self.hang_up(ctx);
                return self.ended(error, ctx);
            }
            _ => {}
        }
        Heard::Frame(frame)
    }

    fn wake(&mut self, ctx: &mut RabbitCtx<'_>) -> Heard {
        let now = ctx.now();
        if now < self.alarm_at {
            return Heard::Nothing;
        }
        self.alarm_at = Time::NEVER;
        let mut heard = Heard::Nothing;
        if self.until <= now {
            match self.state {
                State::Waiting => self.connect(ctx),
                State::Connecting | State::Opening => {
                    self.hang_up(ctx);
                    heard = self.ended(Error::Timeout, ctx);
                }
                _ => {}
            }
        }
        if self.state == State::Open && self.look_at <= now {
            heard = self.look(ctx);
        }
        self.arm(self.until.min(self.look_at), ctx);
        heard
    }

    /// Shows that it lives, and looks whether the broker does.
    fn look(&mut self, ctx: &mut RabbitCtx<'_>) -> Heard {
        self.silent_looks = if std::mem::take(&mut self.was_heard) { 0 } else { self.silent_looks + 1 };
        if self.silent_looks >= SILENT_LOOKS_MAX {
            self.hang_up(ctx);
            return self.ended(Error::ConnectionLost, ctx);
        }
        self.write(Frame::Heartbeat, 8, ctx);
        self.look_at = ctx.now() + self.heartbeat.half();
        Heard::Nothing
    }

    fn hang_up(&mut self, ctx: &mut RabbitCtx<'_>) {
        if let Some(conn) = self.conn.take() {
            ctx.close(conn);
        }
    }

    /// It is over: the next attempt, a pause, or nothing.
    fn ended(&mut self, error: Error, ctx: &mut RabbitCtx<'_>) -> Heard {
        let was_open = self.state == State::Open;
        self.over(error);
        if !was_open {
            self.failures += 1;
            if !self.failures.is_multiple_of(self.choices()) {
                self.connect(ctx);
                return Heard::Lost;
            }
        }
        match self.config.recovery {
            None if was_open => self.go(State::Gone, Time::NEVER, ctx),
            // Nobody recovers what never was: the application asks again.
            pause => self.go(State::Waiting, ctx.now() + pause.unwrap_or(RETRY), ctx),
        }
        Heard::Lost
    }

    /// The broker closed the channel because of what was asked of it.
    fn channel_ended(&mut self, error: Error, ctx: &mut RabbitCtx<'_>) -> Heard {
        self.over(error);
        self.is_refusal = true;
        match self.client {
            Client::Spring => {
                let pause = self.config.recovery.unwrap_or(RETRY);
                self.go(State::Waiting, ctx.now() + pause, ctx);
            }
            Client::Java | Client::Pika => self.go(State::Gone, Time::NEVER, ctx),
        }
        Heard::Lost
    }

    fn over(&mut self, error: Error) {
        self.error = Some(error);
        self.is_refusal = false;
        self.is_blocked = false;
        self.look_at = Time::NEVER;
    }

    /// The owner is not served as it was promised: it opens another channel after the usual pause, if the library is
    /// one that does.
    pub(super) fn restart_if_managed(&mut self, ctx: &mut RabbitCtx<'_>) -> bool {
        let is_managed = self.client == Client::Spring && self.state == State::Open;
        if is_managed {
            self.write(Frame::Close, METHOD_BYTES, ctx);
            self.hang_up(ctx);
            self.channel_ended(Error::NotFound, ctx);
        }
        is_managed
    }

    /// Writes a frame. Without a connection that is there it vanishes.
    #[inline]
    pub(super) fn write(&self, frame: Frame, bytes: u32, ctx: &mut RabbitCtx<'_>) {
        if let Some(conn) = self.conn.filter(|_| self.state != State::Connecting) {
            ctx.send(conn, Packet::Amqp(frame), bytes);
        }
    }

    /// Whether a write would not block.
    #[inline]
    pub(super) fn is_writable(&self, ctx: &mut RabbitCtx<'_>) -> bool {
        self.conn.is_none_or(|conn| ctx.is_writable(conn))
    }

    #[inline]
    pub(super) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether the library does nothing about its end.
    pub(super) fn is_gone(&self) -> bool {
        self.state == State::Gone
    }

    /// Whether the application has had a channel, so that its calls fail now that there is none.
    pub(super) fn was_open(&self) -> bool {
        self.was_open
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.is_blocked
    }

    pub(super) fn state(&self) -> State {
        self.state
    }

    pub(super) fn until(&self) -> Time {
        self.until
    }

    /// Which channel this is, counted from 1.
    #[inline]
    pub(super) fn channel(&self) -> u32 {
        self.channel
    }

    /// The heartbeat time-out that both sides agreed on.
    pub(super) fn heartbeat(&self) -> Span {
        self.heartbeat
    }

    /// Why the last one ended.
    pub(super) fn error(&self) -> Option<Error> {
        self.error
    }

    /// What the broker answered when it closed the channel; none: it did not.
    pub(super) fn refusal(&self) -> Option<Error> {
        self.error.filter(|_| self.is_refusal)
    }

    #[cfg(test)]
    pub(super) fn conn(&self) -> Option<ConnId> {
        self.conn
    }

    /// The node that it is connected to, or last was.
    pub(super) fn node(&self) -> u16 {
        self.node
    }

    pub(super) fn client(&self) -> Client {
        self.client
    }
}
