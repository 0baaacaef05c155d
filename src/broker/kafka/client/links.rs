//! A client's connections to brokers, and what it believes about who leads what.
//!
//! A client asks any broker it is connected to, the least busy one first, and believes the answer, however stale. It
//! asks again when a request failed or a connection broke, and when its metadata is old; a connection that is merely
//! silent tells it nothing until a request on it times out.
//!
//! Source: `NetworkClient`, `Metadata`; librdkafka `INTRODUCTION.md`.

use std::sync::Arc;

use super::super::config::Client;
use super::super::control::ClusterState;
use super::super::model::{KafkaCtx, METADATA_BACKOFF};
use super::super::packet::Packet;
use super::super::picture::{ago, broker_name, until};
use crate::broker::picture::{Field, Section};
use crate::fact::NodeId;
use crate::sim::draw::{self, Purpose};
use crate::sim::{ConnId, Span, Time};

/// How long a connection attempt may take: `socket.connection.setup.timeout.ms`.
const CONNECT_TIMEOUT: Span = Span::from_secs(10);
/// How often a client asks who leads while it cannot reach the leader it knows: with every failed connection attempt
/// (Java), with every scan of its topics (librdkafka).
const UNREACHABLE_REFRESH: Span = Span::from_secs(1);

/// Connections by broker, and the metadata.
#[derive(Clone, Debug)]
pub(super) struct Links {
    pub(super) view: Option<Arc<ClusterState>>,
    by_broker: Vec<Link>,
    /// Where the search for a broker to ask begins.
    first: u16,
    /// `bootstrap.servers` in the order in which they are tried; empty: all brokers, beginning anywhere.
    bootstrap: Vec<u16>,
    /// Whom it asked, and when.
    asked: Option<(u16, Time)>,
    is_wanted: bool,
    ask_at: Time,
    refresh_at: Time,
    answered_at: Time,
    /// Until then, or until anything changes, there is nothing to do.
    calm_until: Time,
    max_age: Span,
    timeout: Span,
    backoff: (Span, Span),
}

#[derive(Clone, Debug, Default)]
struct Link {
    conn: Option<ConnId>,
    is_open: bool,
    begun: Time,
    retry_at: Time,
    failures: u32,
    /// Requests under way, as the owner counts them.
    load: u32,
}

impl Links {
    pub(super) fn new(brokers: u16, client: Client, timeout: Span, max_age: Span) -> Self {
        let backoff = match client {
            Client::Java => (Span::from_millis(50), Span::from_secs(1)),
            Client::Librdkafka => (Span::from_millis(100), Span::from_secs(10)),
        };
        Self {
            view: None,
            by_broker: vec![Link::default(); brokers as usize],
            first: 0,
            bootstrap: Vec::new(),
            asked: None,
            is_wanted: true,
            ask_at: Time::ZERO,
            refresh_at: Time::NEVER,
            answered_at: Time::ZERO,
            calm_until: Time::ZERO,
            max_age,
            timeout,
            backoff,
        }
    }

    /// With a list of bootstrap servers that is tried in order.
    pub(super) fn beginning_at(mut self, bootstrap: Vec<u16>) -> Self {
        self.bootstrap = bootstrap;
        self
    }

    /// The process starts: it knows only its list of bootstrap servers.
    pub(super) fn restart(&mut self, ctx: &mut KafkaCtx<'_>) {
        self.view = None;
        let brokers = self.by_broker.len() as u64;
        self.by_broker.fill(Link::default());
        let node = u64::from(ctx.node().0);
        self.first = draw::below(draw::bits(ctx.seed(), Purpose::Bootstrap, node, 0), brokers) as u16;
        self.asked = None;
        self.is_wanted = true;
        self.ask_at = ctx.now();
        self.calm_until = Time::ZERO;
        self.tick(ctx);
    }

    /// Who leads the partition, as far as this client knows.
    #[inline]
    pub(super) fn leader(&self, partition: u32) -> Option<u16> {
        self.view.as_ref()?.leader(partition)
    }

    /// The open connection to a broker; if there is none yet, an attempt begins.
    #[inline]
    pub(super) fn open(&mut self, broker: u16, ctx: &mut KafkaCtx<'_>) -> Option<ConnId> {
        if self.by_broker[broker as usize].is_open {
            return self.by_broker[broker as usize].conn;
        }
        self.calm_until = Time::ZERO;
        // While a leader cannot be reached, somebody else may have become one.
        self.calm_until = Time::ZERO;
        let refresh_at = self.answered_at + UNREACHABLE_REFRESH;
        if refresh_at > ctx.now() {
            self.refresh_at = self.refresh_at.min(refresh_at);
        } else {
            self.is_wanted = true;
        }
        let link = &mut self.by_broker[broker as usize];
        if link.conn.is_none() && link.retry_at <= ctx.now() {
            link.conn = Some(ctx.connect(NodeId(broker)));
            link.begun = ctx.now();
        }
        None
    }

    /// One more request is under way to this broker, or one less.
    #[inline]
    pub(super) fn load(&mut self, broker: u16, requests: u32) {
        self.by_broker[broker as usize].load = requests;
    }

    pub(super) fn broker_of(&self, conn: ConnId) -> Option<u16> {
        self.by_broker.iter().position(|link| link.conn == Some(conn)).map(|broker| broker as u16)
    }

    pub(super) fn connected(&mut self, conn: ConnId) -> Option<u16> {
        let broker = self.broker_of(conn)?;
        let link = &mut self.by_broker[broker as usize];
        link.is_open = true;
        link.failures = 0;
        self.calm_until = Time::ZERO;
        Some(broker)
    }

    /// The connection is gone: back off, and ask who leads now.
    pub(super) fn closed(&mut self, conn: ConnId, now: Time) -> Option<u16> {
        let broker = self.broker_of(conn)?;
        let link = &mut self.by_broker[broker as usize];
        let wait = Span(self.backoff.0.0 << link.failures.min(10)).min(self.backoff.1);
        *link = Link { retry_at: now + wait, failures: link.failures + 1, ..Link::default() };
        if self.asked.is_some_and(|(asked, _)| asked == broker) {
            self.asked = None;
        }
        self.is_wanted = true;
        self.calm_until = Time::ZERO;
        Some(broker)
    }

    /// The client gives a connection up itself.
    pub(super) fn give_up(&mut self, broker: u16, ctx: &mut KafkaCtx<'_>) {
        if let Some(conn) = self.by_broker[broker as usize].conn {
            ctx.close(conn);
            self.closed(conn, ctx.now());
        }
    }

    /// The metadata proved wrong: ask as soon as the back-off allows.
    pub(super) fn want_metadata(&mut self) {
        self.is_wanted = true;
        self.calm_until = Time::ZERO;
    }

    pub(super) fn answered(&mut self, view: Arc<ClusterState>, now: Time) {
        self.asked = None;
        self.is_wanted = false;
        self.calm_until = Time::ZERO;
        self.ask_at = now + METADATA_BACKOFF;
        self.answered_at = now;
        self.refresh_at = now + self.max_age;
        if self.view.as_ref().is_none_or(|known| known.version <= view.version) {
            self.view = Some(view);
        }
    }

    /// Connections and metadata, in words.
    pub(super) fn section(&self, now: Time) -> Section {
        let mut fields: Vec<_> = (0..)
            .zip(&self.by_broker)
            .map(|(broker, link)| {
                let state = match link.conn {
                    Some(_) if link.is_open => "connected".to_owned(),
                    Some(_) => format!("connecting for {}", now.since(link.begun)),
                    None if link.retry_at > now => format!("retries {}", until(now, link.retry_at)),
                    None => "not connected".to_owned(),
                };
                Field::new(broker_name(broker), state)
            })
            .collect();
        let version = self.view.as_ref().map_or_else(|| "none".to_owned(), |view| view.version.to_string());
        fields.push(Field::new("metadata version", version));
        if self.view.is_some() {
            fields.push(Field::new("metadata", ago(now, self.answered_at)));
        }
        if let Some((broker, at)) = self.asked {
            fields.push(Field::new("metadata asked", format!("{}, {}", broker_name(broker), ago(now, at))));
        } else if self.is_wanted {
            fields.push(Field::new("metadata wanted", true));
        }
        Section { title: "connections".to_owned(), fields }
    }

    /// Asks for metadata if it is wanted, gives up what takes too long; when to look again.
    pub(super) fn tick(&mut self, ctx: &mut KafkaCtx<'_>) -> Time {
        let now = ctx.now();
        if now < self.calm_until {
            return self.calm_until;
        }
        self.look_after(now, ctx);
        self.calm_until = self.look_at(now);
        self.calm_until
    }

    fn look_after(&mut self, now: Time, ctx: &mut KafkaCtx<'_>) {
        for broker in 0..self.by_broker.len() as u16 {
            let link = &self.by_broker[broker as usize];
            if link.conn.is_some() && !link.is_open && now.since(link.begun) >= CONNECT_TIMEOUT {
                self.give_up(broker, ctx);
            }
        }
        if let Some((broker, at)) = self.asked
            && now.since(at) >= self.timeout
        {
            self.asked = None;
            self.give_up(broker, ctx);
        }
        if now >= self.refresh_at {
            // Wanted until an answer comes, and the answer says when it will be old.
            self.is_wanted = true;
            self.refresh_at = Time::NEVER;
        }
        if self.is_wanted && self.asked.is_none() && now >= self.ask_at {
            self.ask(ctx);
        }
    }

    fn look_at(&self, now: Time) -> Time {
        // Once it has passed, the refresh is wanted, and what follows says when to look after it.
        let mut at = if self.refresh_at > now { self.refresh_at } else { Time::NEVER };
        for link in &self.by_broker {
            if link.conn.is_some() && !link.is_open {
                at = at.min(link.begun + CONNECT_TIMEOUT);
            } else if link.conn.is_none() && link.retry_at > now {
                at = at.min(link.retry_at);
            }
        }
        match self.asked {
            Some((_, asked)) => at.min(asked + self.timeout),
            None if self.is_wanted && self.ask_at > now => at.min(self.ask_at),
            None => at,
        }
    }

    /// The least busy open connection; without one, the next broker of the list is tried.
    fn ask(&mut self, ctx: &mut KafkaCtx<'_>) {
        let brokers = self.by_broker.len() as u16;
        let order = (0..brokers).map(|step| (self.first + step) % brokers);
        let open = order.clone().filter(|&broker| self.by_broker[broker as usize].is_open);
        if let Some(broker) = open.min_by_key(|&broker| self.by_broker[broker as usize].load) {
            if let Some(conn) = self.by_broker[broker as usize].conn {
                ctx.send(conn, Packet::Metadata, 40);
                self.asked = Some((broker, ctx.now()));
            }
            return;
        }
        if self.by_broker.iter().any(|link| link.conn.is_some()) {
            return;
        }
        if !self.bootstrap.is_empty() && self.view.is_none() {
            return self.begin(ctx);
        }
        let next = order.clone().find(|&broker| self.by_broker[broker as usize].retry_at <= ctx.now());
        if let Some(broker) = next {
            self.first = (broker + 1) % brokers;
            self.open(broker, ctx);
        }
    }

    /// Knowing nobody yet: the next server of the list, from the first again after the last.
    fn begin(&mut self, ctx: &mut KafkaCtx<'_>) {
        let failures = |&broker: &u16| self.by_broker[broker as usize].failures;
        let Some(next) = self.bootstrap.iter().copied().min_by_key(failures) else { return };
        if self.by_broker[next as usize].retry_at <= ctx.now() {
            self.open(next, ctx);
        }
    }
}
