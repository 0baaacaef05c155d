//! Which message is whose.

use std::sync::Arc;

use super::keys::{KeyNames, Keying};
use crate::fact::{MessageId, ProducerId};
use crate::scenario::plan::Plan;
use crate::sim::Chunked;
use crate::sim::draw::{self, Purpose};

/// Every message that fell due so far, in that order.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    origins: Chunked<Origin>,
    keys: Vec<Keying>,
    key_names: Arc<KeyNames>,
    /// By producer: the bytes of a message that is not written by itself.
    sizes: Vec<u32>,
    seed: u64,
}

/// Whose message it is: the same in every variant and under every fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Origin {
    /// The producer.
    pub producer: ProducerId,
    /// The number within the producer, from 1.
    pub number: u32,
}

impl Origin {
    /// One number for it, to draw with.
    #[inline]
    pub fn identity(self) -> u64 {
        u64::from(self.producer.0) << 32 | u64::from(self.number)
    }
}

impl Catalogue {
    /// No message yet.
    pub fn new(plan: &Plan, seed: u64) -> Self {
        let key_names = KeyNames::of(plan);
        let keys = plan.producers.iter().map(|one| Keying::of(one, &key_names)).collect();
        let sizes = plan.producers.iter().map(|one| one.size_bytes).collect();
        Self { origins: Chunked::new(), keys, key_names: Arc::new(key_names), sizes, seed }
    }

    /// No message yet; `keys` says for each producer how many keys it uses.
    #[cfg(test)]
    pub fn with_keys(seed: u64, keys: &[Option<u32>]) -> Self {
        let keys = keys.iter().map(|keys| keys.map_or(Keying::None, Keying::Even)).collect();
        Self { keys, seed, ..Self::default() }
    }

    /// A message fell due.
    #[inline]
    pub fn add(&mut self, origin: Origin) -> MessageId {
        let number = self.origins.len();
        self.origins.push(origin);
        MessageId(number as u32)
    }

    /// Whose message it is.
    #[inline]
    pub fn origin(&self, message: MessageId) -> Origin {
        self.origins[message.0 as usize]
    }

    /// The message's key, a number below the producer's count of keys.
    pub fn key(&self, message: MessageId) -> Option<u32> {
        self.key_of(self.origin(message))
    }

    /// The key of the message with this origin.
    #[inline]
    pub fn key_of(&self, origin: Origin) -> Option<u32> {
        let keying = &self.keys[origin.producer.0 as usize];
        keying.key(origin.number, || draw::bits(self.seed, Purpose::Key, origin.identity(), 0))
    }

    /// The bytes of the message's payload.
    pub fn size(&self, message: MessageId) -> u32 {
        self.size_of(self.origin(message))
    }

    /// The bytes of the payload of the message with this origin.
    #[inline]
    pub fn size_of(&self, origin: Origin) -> u32 {
        let producer = origin.producer.0 as usize;
        self.keys[producer].size(origin.number).unwrap_or(self.sizes[producer])
    }

    /// Which of its producer's messages that are written one by one it belongs to, from 0: that has its properties.
    pub fn written(&self, message: MessageId) -> Option<usize> {
        let origin = self.origin(message);
        self.keys[origin.producer.0 as usize].written(origin.number)
    }

    /// How keys are written.
    pub fn key_names(&self) -> &Arc<KeyNames> {
        &self.key_names
    }

    /// How many messages there are.
    pub fn len(&self) -> usize {
        self.origins.len()
    }

    /// Whether nothing fell due yet.
    pub fn is_empty(&self) -> bool {
        self.origins.is_empty()
    }
}
