//! What was ever published: every `basic.publish`, by a client or by a broker that dead-letters, makes one envelope
//! that never changes. Queues, logs and packets hold its number, so replicating a message copies four bytes.

use std::sync::Arc;

use super::topology::{ExchangeId, KeyId, QueueId};
use crate::fact::MessageId;
use crate::sim::{Chunked, Span, Time};

/// An envelope, by its number in [`Content`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct EnvelopeId(pub(super) u32);

/// A set of properties, by its number in [`Content`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PropertiesId(pub(super) u16);

/// One publish.
#[derive(Clone, Copy, Debug)]
pub(super) struct Envelope {
    /// The application's message.
    pub(super) message: MessageId,
    pub(super) exchange: ExchangeId,
    pub(super) key: KeyId,
    pub(super) properties: PropertiesId,
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
    pub(super) fn new(
        message: MessageId,
        exchange: ExchangeId,
        key: KeyId,
        properties: PropertiesId,
        size: u32,
    ) -> Self {
        let (death, is_expiring) = (Self::NEVER_DIED, true);
        Self { message, exchange, key, properties, size, death, is_expiring }
    }
}

/// The properties that decide what becomes of a message.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Properties {
    /// `delivery_mode = 2`.
    pub(super) is_persistent: bool,
    pub(super) priority: Option<u8>,
    pub(super) expiration: Option<Span>,
    /// `x-delay`: for the delayed message exchange.
    pub(super) delay: Option<Span>,
    /// More routing keys: those that stay in the message, and those that are taken out.
    pub(super) cc: Vec<KeyId>,
    pub(super) bcc: Vec<KeyId>,
    /// What a headers exchange looks at.
    pub(super) headers: Vec<(String, String)>,
    /// Where the answer to a request is to go.
    pub(super) reply_to: Option<KeyId>,
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
    properties: Arc<Vec<Properties>>,
}

impl Content {
    #[inline]
    pub(super) fn get(&self, id: EnvelopeId) -> &Envelope {
        &self.envelopes[id.0 as usize]
    }

    /// A publish.
    #[inline]
    pub(super) fn add(&mut self, envelope: Envelope) -> EnvelopeId {
        self.envelopes.push(envelope);
        EnvelopeId(self.envelopes.len() as u32 - 1)
    }

    /// The number of a set of properties, a new one if nobody used it before.
    pub(super) fn intern(&mut self, properties: Properties) -> PropertiesId {
        let known = self.properties.iter().position(|one| *one == properties);
        let at = known.unwrap_or_else(|| {
            Arc::make_mut(&mut self.properties).push(properties);
            self.properties.len() - 1
        });
        PropertiesId(at as u16)
    }

    #[inline]
    pub(super) fn properties(&self, id: EnvelopeId) -> &Properties {
        &self.properties[self.get(id).properties.0 as usize]
    }

    #[inline]
    pub(super) fn message(&self, id: EnvelopeId) -> MessageId {
        self.get(id).message
    }

    /// The time to live that the publisher gave it, if it still has one.
    #[inline]
    pub(super) fn expiration(&self, id: EnvelopeId) -> Option<Span> {
        if self.get(id).is_expiring { self.properties(id).expiration } else { None }
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
            None => Death {
                queue: in_queue,
                reason,
                count: 1,
                exchange: before.exchange,
                key: before.key,
                at,
            },
        };
        deaths.insert(0, entry);
        self.deaths.push(deaths.into());
        let death = self.deaths.len() as u32 - 1;
        let is_expiring = before.is_expiring && reason != Reason::Expired;
        self.add(Envelope { exchange: to.0, key: to.1, death, is_expiring, ..before })
    }

    /// Whether dead-lettering into this queue would close a cycle that no rejection takes part in: the message is
    /// dropped then.
    pub(super) fn is_cycle(&self, id: EnvelopeId, into: QueueId, reason: Reason) -> bool {
        if reason == Reason::Rejected {
            return false;
        }
        let deaths = self.deaths(id);
        let Some(at) = deaths.iter().position(|one| one.queue == into) else { return false };
        deaths[..=at].iter().all(|one| one.reason != Reason::Rejected)
    }
}
