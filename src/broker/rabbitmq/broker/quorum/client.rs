//! The side of a channel, or of a queue that dead-letters: what it asked of quorum queues and what was not yet applied.
//!
//! Commands are sent to the leader one after the other, and kept until it says that they are applied. When another
//! member leads, all of them are sent to that one, in their order; the queue knows which messages it has already. With
//! nobody leading they wait. The first publish to a queue is refused at once if nobody is known to lead it.
//!
//! Source: `rabbit_fifo_client`.
//!
//! Not modelled: the call by which a publisher registers (a full queue tells it after its first message).

use std::collections::VecDeque;
use std::num::NonZeroU64;

use smallvec::SmallVec;

use super::commands::Request;
use super::{Handed, QuorumMsg};
use crate::broker::rabbitmq::broker::Env;
use crate::broker::rabbitmq::content::EnvelopeId;
use crate::broker::rabbitmq::message::{Delivery, Msg, Pid, Proc, Settled, Subscribe};
use crate::broker::rabbitmq::packet::ConsumerTag;
use crate::broker::rabbitmq::topology::QueueId;
use crate::sim::{PushWith, Span, Time};

/// How long the answer to a call is waited for.
const CALL_TIMEOUT: Span = Span::from_secs(30);

/// The quorum queues that a process uses.
#[derive(Clone, Debug, Default)]
pub(in super::super::super) struct Clients {
    all: SmallVec<[Client; 1]>,
}

/// What is kept about one of them.
#[derive(Clone, Debug)]
struct Client {
    queue: QueueId,
    leader: Option<u16>,
    /// The leader is one that the metadata still named, and nobody has answered.
    is_deaf: bool,
    seq_next: u64,
    /// The number of the next message.
    number_next: u64,
    pending: VecDeque<Pending>,
    readers: SmallVec<[Reader; 1]>,
    /// The queue is full.
    is_full: bool,
}

/// A command that was not applied.
#[derive(Clone, Debug)]
struct Pending {
    /// From one.
    seq: u64,
    request: Request,
    /// The process's own number for it, if it wants to hear of it.
    publish: Option<u64>,
    since: Time,
}

/// A consumer.
#[derive(Clone, Debug)]
struct Reader {
    tag: ConsumerTag,
    no_ack: bool,
    id_next: u64,
    /// Came while earlier ones were missing.
    early: SmallVec<[Handed; 1]>,
}

/// Why a publish does not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Refusal {
    Full,
    NoLeader,
}

/// What follows for the process.
#[derive(Clone, Debug)]
pub(in super::super) enum Event {
    /// These publishes are safe.
    Confirmed(SmallVec<[u64; 4]>),
    Subscribed,
    Deliver(Delivery),
    Got(Option<Delivery>),
}

/// What follows from an answer.
pub(in super::super) type Events = SmallVec<[Event; 2]>;

/// A message for a quorum queue of which nobody wants to hear again.
pub(in super::super) fn enqueue_untracked(queue: QueueId, envelope: EnvelopeId, env: &mut Env<'_, '_>) {
    if let Some(node) = env.leader_of(queue) {
        let size = env.shared.content.get(envelope).size;
        let request = Request::Enqueue { number: 0, envelope, size };
        let to = Pid { node, proc: Proc::Queue(queue) };
        env.send(to, Msg::Quorum(QuorumMsg::Command { seq: None, request }));
    }
}

impl Clients {
    /// So many commands are under way to a queue that the channel grants its reader no more
    /// (`quorum_commands_soft_limit`).
    pub(in super::super) fn is_full(&self, limit: u32) -> bool {
        self.all.iter().any(|client| client.pending.len() >= limit as usize)
    }

    fn client(&mut self, queue: QueueId) -> &mut Client {
        let at = self.all.iter().position(|client| client.queue == queue).unwrap_or_else(|| {
            self.all.push(Client {
                queue,
                leader: None,
                is_deaf: false,
                seq_next: 1,
                number_next: 1,
                pending: VecDeque::new(),
                readers: SmallVec::new(),
                is_full: false,
            });
            self.all.len() - 1
        });
        &mut self.all[at]
    }

    /// The queue was deleted, and with it whatever was under way to it.
    pub(in super::super) fn forget(&mut self, queue: QueueId) {
        self.all.retain(|client| client.queue != queue);
    }

    /// A publish, as far as the queue takes it: not when it said that it is full, and not the first one, if nobody
    /// leads.
    pub(in super::super) fn publish(
        &mut self,
        queue: QueueId,
        envelope: EnvelopeId,
        publish: Option<u64>,
        env: &mut Env<'_, '_>,
    ) -> Result<(), Refusal> {
        let client = self.client(queue);
        if client.is_full {
            return Err(Refusal::Full);
        }
        if client.number_next == 1 && env.leader_of(queue).is_none() {
            return Err(Refusal::NoLeader);
        }
        client.enqueue(envelope, publish, env);
        Ok(())
    }

    /// A message that waits for the queue, whatever it says.
    pub(in super::super) fn enqueue(
        &mut self,
        queue: QueueId,
        envelope: EnvelopeId,
        publish: Option<u64>,
        env: &mut Env<'_, '_>,
    ) {
        self.client(queue).enqueue(envelope, publish, env);
    }

    pub(in super::super) fn subscribe(&mut self, queue: QueueId, wanted: Subscribe, env: &mut Env<'_, '_>) {
        let client = self.client(queue);
        let (tag, no_ack) = (wanted.tag, wanted.no_ack);
        client.readers.retain(|reader| reader.tag != tag);
        client.readers.push(Reader { tag, no_ack, id_next: 0, early: SmallVec::new() });
        client.ask(|| Request::Subscribe(wanted), None, env);
    }

    pub(in super::super) fn cancel(&mut self, queue: QueueId, tag: ConsumerTag, env: &mut Env<'_, '_>) {
        self.client(queue).ask(|| Request::Cancel { tag }, None, env);
    }

    pub(in super::super) fn get(&mut self, queue: QueueId, no_ack: bool, env: &mut Env<'_, '_>) {
        self.client(queue).ask(|| Request::Get { no_ack }, None, env);
    }

    pub(in super::super) fn settle(
        &mut self,
        queue: QueueId,
        tag: ConsumerTag,
        ids: &[u64],
        how: Settled,
        env: &mut Env<'_, '_>,
    ) {
        self.client(queue).ask(|| Request::Settle { tag, ids: SmallVec::from_slice(ids), how }, None, env);
    }

    /// A member says something.
    pub(in super::super) fn says(&mut self, from: Pid, msg: &QuorumMsg, env: &mut Env<'_, '_>) -> Events {
        let mut events = Events::new();
        let Proc::Queue(queue) = from.proc else { return events };
        let client = self.client(queue);
        match msg {
            QuorumMsg::Applied { seqs } => {
                client.follow(from.node, env);
                client.applied(seqs, &mut events);
            }
            QuorumMsg::NotLeader { seq, leader } => client.rejected(from.node, *seq, *leader, env),
            QuorumMsg::Leads => client.follow(from.node, env),
            QuorumMsg::Full { is_full } => client.is_full = *is_full,
            QuorumMsg::Deliver { tag, handed } => client.handed(from.node, *tag, handed, &mut events, env),
            QuorumMsg::Ahead { tag, handed } => client.ahead(*tag, handed, &mut events, env),
            QuorumMsg::Doubled { tag, handed } => client.doubled(*tag, handed, &mut events),
            QuorumMsg::Found { tag, handed } => client.found(*tag, handed, &mut events, env),
            QuorumMsg::Got { handed } => client.got(*handed, &mut events, env),
            _ => {}
        }
        events
    }

    /// What was not applied goes out again, to whoever is known to lead; whether something is still under way.
    pub(in super::super) fn resend(&mut self, queue: QueueId, env: &mut Env<'_, '_>) -> bool {
        let client = self.client(queue);
        if !client.is_deaf {
            client.leader = env.leader_of(queue).or(client.leader);
        }
        client.send_all(env);
        !client.pending.is_empty()
    }

    pub(in super::super) fn resend_all(&mut self, env: &mut Env<'_, '_>) {
        let queues: SmallVec<[QueueId; 2]> = self.all.iter().map(|client| client.queue).collect();
        for queue in queues {
            self.resend(queue, env);
        }
    }

    /// Whether a call that waits for an answer has waited for too long.
    pub(in super::super) fn has_call_overdue(&mut self, queue: QueueId, now: Time) -> bool {
        let is_call = |request: &Request| matches!(request, Request::Subscribe(_) | Request::Get { .. });
        let client = self.client(queue);
        // With no leader to ask, two tries go by before it is given up.
        let patience = if client.leader.is_some() { CALL_TIMEOUT } else { CALL_TIMEOUT * 2 };
        client.pending.iter().any(|one| is_call(&one.request) && one.since + patience <= now)
    }

    /// The leaders that know this process, so that they hear of its end: the one it speaks to, and the present one,
    /// which watches all consumers, whether or not they have heard of it.
    pub(in super::super) fn leaders(&self, env: &Env<'_, '_>) -> SmallVec<[Pid; 2]> {
        let mut all = SmallVec::new();
        for client in &self.all {
            let Some(leader) = client.leader else { continue };
            let present = env.core.meta.queue(client.queue).leader;
            let proc = Proc::Queue(client.queue);
            all.push(Pid { node: leader, proc });
            if present != leader {
                all.push(Pid { node: present, proc });
            }
        }
        all
    }
}

impl Client {
    fn enqueue(&mut self, envelope: EnvelopeId, publish: Option<u64>, env: &mut Env<'_, '_>) {
        let size = env.shared.content.get(envelope).size;
        let number = self.number_next;
        self.number_next += 1;
        self.ask(|| Request::Enqueue { number, envelope, size }, publish, env);
    }

    /// Asks for what `make` makes: once for the leader, and once to be kept.
    #[inline]
    fn ask(&mut self, make: impl Fn() -> Request, publish: Option<u64>, env: &mut Env<'_, '_>) {
        let (seq, since) = (self.seq_next, env.ctx.now());
        self.seq_next += 1;
        if self.leader.is_none() {
            let is_bug = env.shared.topology.rules.channels_wait_for_dead_leaders;
            let stuck = env.core.meta.stuck_leader(self.queue).filter(|_| is_bug);
            (self.leader, self.is_deaf) = (stuck.or_else(|| env.leader_of(self.queue)), stuck.is_some());
        }
        self.pending.push_with(|| Pending { seq, request: make(), publish, since });
        if let Some(leader) = self.leader {
            self.send(leader, QuorumMsg::Command { seq: NonZeroU64::new(seq), request: make() }, env);
        }
    }

    fn send(&self, node: u16, msg: QuorumMsg, env: &mut Env<'_, '_>) {
        env.send(Pid { node, proc: Proc::Queue(self.queue) }, Msg::Quorum(msg));
    }

    /// Everything that was not applied, in order. A message that was asked for may have been handed out already: that
    /// call is not made twice.
    fn send_all(&self, env: &mut Env<'_, '_>) {
        let Some(leader) = self.leader else { return };
        let again = self.pending.iter().filter(|one| !matches!(one.request, Request::Get { .. }));
        for one in again {
            self.send(
                leader,
                QuorumMsg::Command { seq: NonZeroU64::new(one.seq), request: one.request.clone() },
                env,
            );
        }
    }

    /// That node leads.
    fn follow(&mut self, node: u16, env: &mut Env<'_, '_>) {
        self.is_deaf = false;
        if self.leader != Some(node) {
            self.leader = Some(node);
            self.send_all(env);
        }
    }

    /// Where a command stands among those that were not applied: the usual case is the oldest one.
    fn find(&self, seq: u64) -> Option<usize> {
        if self.pending.front()?.seq == seq {
            return Some(0);
        }
        self.pending.binary_search_by_key(&seq, |one| one.seq).ok()
    }

    fn applied(&mut self, seqs: &[u64], events: &mut Events) {
        let mut confirmed: SmallVec<[u64; 4]> = SmallVec::new();
        for seq in seqs {
            let Some(at) = self.find(*seq) else { continue };
            // What a `basic.get` took comes by itself, and ends it.
            if matches!(self.pending[at].request, Request::Get { .. }) {
                continue;
            }
            let Some(one) = self.pending.remove(at) else { continue };
            confirmed.extend(one.publish);
            match one.request {
                Request::Subscribe(_) => events.push(Event::Subscribed),
                Request::Cancel { tag } => self.readers.retain(|reader| reader.tag != tag),
                _ => {}
            }
        }
        if !confirmed.is_empty() {
            events.push(Event::Confirmed(confirmed));
        }
    }

    /// A member that does not lead got a command: it was not taken, and goes to whoever leads.
    fn rejected(&mut self, by: u16, seq: u64, leader: Option<u16>, env: &mut Env<'_, '_>) {
        if self.leader != Some(by) {
            return;
        }
        (self.leader, self.is_deaf) = (leader.filter(|&leader| leader != by), false);
        self.send_all(env);
        let get = self.pending.iter().find(|one| one.seq == seq);
        if let (Some(one), Some(leader)) = (get, self.leader)
            && matches!(one.request, Request::Get { .. })
        {
            self.send(
                leader,
                QuorumMsg::Command { seq: NonZeroU64::new(seq), request: one.request.clone() },
                env,
            );
        }
    }

    /// Messages for a consumer. A gap means that an earlier leader died before it had sent some: they are asked for.
    fn handed(
        &mut self,
        from: u16,
        tag: ConsumerTag,
        handed: &[Handed],
        events: &mut Events,
        env: &mut Env<'_, '_>,
    ) {
        let Some(at) = self.readers.iter().position(|reader| reader.tag == tag) else { return };
        let (id_next, is_asking) = (self.readers[at].id_next, !self.readers[at].early.is_empty());
        let Some(first) = handed.first().map(|one| one.id) else { return };
        if is_asking || first > id_next {
            self.readers[at].early.extend_from_slice(handed);
            if !is_asking {
                self.send(from, QuorumMsg::Missing { tag, from: id_next, to: first }, env);
            }
            return;
        }
        self.pass_on(at, handed, events, env);
    }

    fn found(&mut self, tag: ConsumerTag, handed: &[Handed], events: &mut Events, env: &mut Env<'_, '_>) {
        let Some(at) = self.readers.iter().position(|reader| reader.tag == tag) else { return };
        self.pass_on(at, handed, events, env);
        let early = std::mem::take(&mut self.readers[at].early);
        self.pass_on(at, &early, events, env);
    }

    /// Those that are new, in order; what needs no acknowledgement is settled with that.
    fn pass_on(&mut self, at: usize, handed: &[Handed], events: &mut Events, env: &mut Env<'_, '_>) {
        let reader = &mut self.readers[at];
        let (tag, no_ack) = (reader.tag, reader.no_ack);
        let mut ids: SmallVec<[u64; 2]> = SmallVec::new();
        for one in handed.iter().filter(|one| one.id >= reader.id_next) {
            ids.push(one.id);
            events.push(Event::Deliver(one.delivery(tag, no_ack)));
        }
        reader.id_next = ids.last().map_or(reader.id_next, |last| last + 1);
        if no_ack && !ids.is_empty() {
            self.ask(
                || Request::Settle { tag, ids: SmallVec::from_slice(&ids), how: Settled::Acked },
                None,
                env,
            );
        }
    }

    /// Messages that are taken as they come: those with lower numbers, if any come later, are taken for known.
    fn ahead(&mut self, tag: ConsumerTag, handed: &[Handed], events: &mut Events, env: &mut Env<'_, '_>) {
        if let Some(at) = self.readers.iter().position(|reader| reader.tag == tag) {
            self.pass_on(at, handed, events, env);
        }
    }

    /// Messages that the queue believes nobody has: nobody knows their numbers.
    fn doubled(&self, tag: ConsumerTag, handed: &[Handed], events: &mut Events) {
        if let Some(reader) = self.readers.iter().find(|reader| reader.tag == tag) {
            let unknown = handed.iter().map(|one| Handed { id: u64::MAX, ..*one });
            events.extend(unknown.map(|one| Event::Deliver(one.delivery(tag, reader.no_ack))));
        }
    }

    fn got(&mut self, handed: Option<Handed>, events: &mut Events, env: &mut Env<'_, '_>) {
        let get = self.pending.iter().find_map(|one| match one.request {
            Request::Get { no_ack } => Some(no_ack),
            _ => None,
        });
        let Some(no_ack) = get else { return };
        self.pending.retain(|one| !matches!(one.request, Request::Get { .. }));
        events.push(Event::Got(handed.map(|one| one.delivery(super::GET, no_ack))));
        if let Some(one) = handed.filter(|_| no_ack) {
            let settle = || Request::Settle {
                tag: super::GET,
                ids: SmallVec::from_elem(one.id, 1),
                how: Settled::Acked,
            };
            self.ask(settle, None, env);
        }
    }
}

impl Handed {
    fn delivery(self, tag: ConsumerTag, no_ack: bool) -> Delivery {
        let Self { id, envelope, redelivered, count, .. } = self;
        Delivery { tag, id, envelope, redelivered, count, no_ack }
    }
}
