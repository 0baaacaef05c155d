//! The store that effects are written to: a durable, linearizable database. An operation takes place at one instant;
//! the time it takes is part of the processing time.

use super::catalogue::Catalogue;
use crate::fact::{Fact, MessageId, SubscriptionId};
use crate::scenario::plan::Idempotency;

/// One subscription's tables.
#[derive(Clone, Debug)]
pub struct Store {
    idempotency: Idempotency,
    /// One bit a message: its business id is in the unique index.
    inserted: Vec<u64>,
    /// The message whose value each key has, plus one; zero: no value yet.
    values: Vec<u32>,
}

impl Store {
    /// Empty tables of a consumer that protects itself in this way.
    pub fn new(idempotency: Idempotency) -> Self {
        Self { idempotency, inserted: Vec::new(), values: Vec::new() }
    }

    /// The message is processed: what that did to the store.
    pub fn apply(&mut self, message: MessageId, subscription: SubscriptionId, catalogue: &Catalogue) -> Fact {
        match self.idempotency {
            Idempotency::None
            | Idempotency::ProcessedTable
            | Idempotency::SideStoreBefore
            | Idempotency::SideStoreAfter
            | Idempotency::Version
            | Idempotency::StatusMachine
            | Idempotency::SelectThenInsert => Fact::Effect { message, subscription, stale: false },
            Idempotency::UniqueKey => self.insert(message, subscription),
            Idempotency::SetByKey => {
                // A message without a key sets a row of its own.
                match catalogue.key(message) {
                    Some(key) => self.set(key as usize, message, subscription),
                    None => self.insert(message, subscription),
                }
            }
        }
    }

    fn insert(&mut self, message: MessageId, subscription: SubscriptionId) -> Fact {
        let (word, bit) = (message.0 as usize / 64, 1u64 << (message.0 % 64));
        if word >= self.inserted.len() {
            self.inserted.resize(word + 1, 0);
        }
        let is_new = self.inserted[word] & bit == 0;
        self.inserted[word] |= bit;
        if is_new {
            Fact::Effect { message, subscription, stale: false }
        } else {
            Fact::Recognised { message, subscription }
        }
    }

    fn set(&mut self, key: usize, message: MessageId, subscription: SubscriptionId) -> Fact {
        if key >= self.values.len() {
            self.values.resize(key + 1, 0);
        }
        let before = std::mem::replace(&mut self.values[key], message.0 + 1);
        if before == message.0 + 1 {
            Fact::Recognised { message, subscription }
        } else {
            Fact::Effect { message, subscription, stale: before > message.0 + 1 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::Origin;
    use super::*;
    use crate::fact::ProducerId;

    const SUBSCRIPTION: SubscriptionId = SubscriptionId(0);

    fn story(idempotency: Idempotency, processed: &[u32]) -> Vec<&'static str> {
        let mut catalogue = Catalogue::with_keys(1, &[Some(1)]);
        for number in 1..=3 {
            catalogue.add(Origin { producer: ProducerId(0), number });
        }
        let mut store = Store::new(idempotency);
        let tell = |fact| match fact {
            Fact::Effect { stale: false, .. } => "effect",
            Fact::Effect { stale: true, .. } => "stale effect",
            _ => "recognised",
        };
        processed
            .iter()
            .map(|&message| tell(store.apply(MessageId(message), SUBSCRIPTION, &catalogue)))
            .collect()
    }

    #[test]
    fn without_protection_each_processing_is_an_effect() {
        assert_eq!(story(Idempotency::None, &[0, 0]), ["effect", "effect"]);
    }

    #[test]
    fn a_unique_key_recognises_every_repetition() {
        assert_eq!(story(Idempotency::UniqueKey, &[0, 1, 0]), ["effect", "effect", "recognised"]);
    }

    #[test]
    fn setting_by_key_recognises_the_value_in_force_and_lets_an_old_one_win() {
        assert_eq!(
            story(Idempotency::SetByKey, &[0, 0, 1, 0]),
            ["effect", "recognised", "effect", "stale effect"]
        );
    }
}
