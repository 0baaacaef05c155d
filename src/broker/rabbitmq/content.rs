//! What was ever published: every `basic.publish`, by a client or by a broker that dead-letters, makes one envelope
//! that never changes. Queues, logs and packets hold its number, so replicating a message copies four bytes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::message::Pid;
use super::topology::{ExchangeId, KeyId, QueueId, Stamp, StampId};
use crate::fact::MessageId;
use crate::sim::{Chunked, Time};

/// An envelope, by its number in [`Content`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EnvelopeId(pub(super) u32);

/// One publish.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope {
    /// The application's message.
    pub(super) message: MessageId,
    /// Where it was published; dead letters are published again, somewhere else.
    pub(super) exchange: ExchangeId,
    pub(super) key: KeyId,
    /// What its publisher wrote on it.
    pub(super) stamp: StampId,
    /// Bytes of the body.
    pub(super) size: u32,
    /// Index into the lists of deaths; [`Envelope::NEVER_DIED`]: no `x-death` header.
    death: u32,
    /// The `expiration` property still stands: dead-lettering for expiry takes it off.
    pub(super) is_expiring: bool,
}

impl Envelope {
    const NEVER_DIED: u32 = u32::MAX;

    /// A publish by a client.
    pub(super) fn new(message: MessageId, id: StampId, stamp: &Stamp, size: u32) -> Self {
        let (death, is_expiring) = (Self::NEVER_DIED, true);
        let Stamp { exchange, key, .. } = *stamp;
        Self { message, exchange, key, stamp: id, size, death, is_expiring }
    }
}

/// Why a queue gave a message up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reason {
    /// A consumer gave it back without requeue.
    Rejected,
    Expired,
    Maxlen,
    DeliveryLimit,
}

impl Reason {
    /// By its name in the `x-death` header.
    pub(super) fn of(name: &str) -> Option<Self> {
        let all = [Self::Rejected, Self::Expired, Self::Maxlen, Self::DeliveryLimit];
        all.into_iter().find(|reason| reason.name() == name)
    }

    /// As the `x-death` header has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Maxlen => "maxlen",
            Self::DeliveryLimit => "delivery_limit",
        }
    }
}

/// One entry of the `x-death` header: by queue and reason, newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Death {
    pub(super) queue: QueueId,
    pub(super) reason: Reason,
    pub(super) count: u32,
    /// Where it had been published then.
    pub(super) exchange: ExchangeId,
    pub(super) key: KeyId,
    /// The first time.
    pub(super) at: Time,
}

/// Everything that was ever published anywhere.
#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    envelopes: Chunked<Envelope>,
    deaths: Chunked<Arc<[Death]>>,
    /// Requests that are to be answered on the channel that they came from: `reply_to`, as the broker rewrites it.
    askers: BTreeMap<MessageId, Pid>,
}

impl Content {
    #[inline]
    pub(super) fn get(&self, id: EnvelopeId) -> &Envelope {
        &self.envelopes[id.0 as usize]
    }

    /// A publish.
    #[inline]
    pub(super) fn add(&mut self, envelope: Envelope) -> EnvelopeId {
        let number = self.envelopes.len();
        self.envelopes.push(envelope);
        EnvelopeId(number as u32)
    }

    /// A publish whose client wrote an `x-death` header on it that the release believes.
    #[inline]
    pub(super) fn add_with_deaths(&mut self, envelope: Envelope, deaths: &[Death]) -> EnvelopeId {
        if deaths.is_empty() {
            return self.add(envelope);
        }
        self.deaths.push(deaths.into());
        let death = self.deaths.len() as u32 - 1;
        self.add(Envelope { death, ..envelope })
    }

    /// What died first and what died last of a message that dies now: the headers `x-first-death-…` and
    /// `x-last-death-…`.
    pub(super) fn first_and_last(
        &self,
        id: EnvelopeId,
        in_queue: QueueId,
        reason: Reason,
    ) -> [(Reason, QueueId, ExchangeId); 2] {
        let last = (reason, in_queue, self.get(id).exchange);
        let first = self.deaths(id).iter().min_by_key(|one| one.at);
        [first.map_or(last, |one| (one.reason, one.queue, one.exchange)), last]
    }

    /// Whoever answers this request answers on that channel.
    pub(super) fn is_asked_by(&mut self, request: EnvelopeId, channel: Pid) {
        let message = self.message(request);
        self.askers.insert(message, channel);
    }

    /// The channel on which a reply is waited for.
    pub(super) fn asker(&self, reply: EnvelopeId) -> Option<Pid> {
        self.askers.get(&self.message(reply)).copied()
    }

    #[inline]
    pub(super) fn message(&self, id: EnvelopeId) -> MessageId {
        self.get(id).message
    }

    /// Its `x-death` header, newest entry first.
    pub(super) fn deaths(&self, id: EnvelopeId) -> &[Death] {
        match self.get(id).death {
            Envelope::NEVER_DIED => &[],
            at => &self.deaths[at as usize],
        }
    }

    /// It died in a queue and is published again under this exchange and key: with one more entry, or one more count,
    /// in its `x-death` header.
    pub(super) fn die(
        &mut self,
        id: EnvelopeId,
        in_queue: QueueId,
        reason: Reason,
        to: (ExchangeId, KeyId),
        at: Time,
    ) -> EnvelopeId {
        let before = *self.get(id);
        let mut deaths = self.deaths(id).to_vec();
        let known = deaths.iter().position(|one| one.queue == in_queue && one.reason == reason);
        let entry = match known {
            Some(known) => {
                let mut entry = deaths.remove(known);
                entry.count += 1;
                entry
            }
            None => {
                Death { queue: in_queue, reason, count: 1, exchange: before.exchange, key: before.key, at }
            }
        };
        deaths.insert(0, entry);
        self.deaths.push(deaths.into());
        let death = self.deaths.len() as u32 - 1;
        // `expiration` is taken away, so that it does not expire once more where it goes.
        self.add(Envelope { exchange: to.0, key: to.1, death, is_expiring: false, ..before })
    }

    /// Whether dead-lettering from one queue into another would close a cycle that no rejection takes part in: the
    /// message is dropped then.
    pub(super) fn is_cycle(&self, id: EnvelopeId, from: QueueId, into: QueueId, reason: Reason) -> bool {
        if reason == Reason::Rejected {
            return false;
        }
        if from == into {
            return true;
        }
        let deaths = self.deaths(id);
        let Some(at) = deaths.iter().position(|one| one.queue == into) else { return false };
        deaths[..=at].iter().all(|one| one.reason != Reason::Rejected)
    }
}
