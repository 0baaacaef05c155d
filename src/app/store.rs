//! The store that effects are written to: a durable, linearizable database. An operation takes place at one instant;
//! the time it takes is part of the processing time, but for the record that follows an effect.
//!
//! A protection that recognises messages does so by what identifies them: the business's id, the same however often
//! the message is sent, or the place and offset at which the broker keeps this copy.

use std::collections::BTreeMap;

use super::catalogue::Catalogue;
use super::worker::Item;
use crate::fact::{Fact, GivenUp, MessageId, SubscriptionId};
use crate::scenario::plan::{IdOf, Idempotency};

/// One subscription's tables.
#[derive(Clone, Debug)]
pub struct Store {
    idempotency: Idempotency,
    id: IdOf,
    /// The ids that are recorded: with business ids one table, else one a place.
    known: Vec<Ids>,
    /// Rows by key: the message whose value it has plus one, or its version or status; zero: no value yet.
    rows: Vec<u32>,
    /// By message: its number within its key, from 1.
    versions: Vec<u32>,
    /// By key: the highest of them.
    versions_last: Vec<u32>,
    /// How often processing a message failed so far, if it ever did: it numbers the draws.
    failures: BTreeMap<MessageId, u32>,
}

/// A set of small numbers.
#[derive(Clone, Debug, Default)]
struct Ids(Vec<u64>);

impl Ids {
    fn has(&self, id: u64) -> bool {
        self.0.get(id as usize / 64).is_some_and(|word| word & 1 << (id % 64) != 0)
    }

    /// Whether it is new.
    fn insert(&mut self, id: u64) -> bool {
        let (word, bit) = (id as usize / 64, 1u64 << (id % 64));
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let is_new = self.0[word] & bit == 0;
        self.0[word] |= bit;
        is_new
    }
}

/// Whether a record goes with what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// All is written.
    All,
    /// The effect; its record is written by [`Store::record`], later.
    EffectAlone,
}

impl Store {
    /// Empty tables of a consumer that protects itself in this way.
    pub fn new(idempotency: Idempotency, id: IdOf) -> Self {
        Self {
            idempotency,
            id,
            known: Vec::new(),
            rows: Vec::new(),
            versions: Vec::new(),
            versions_last: Vec::new(),
            failures: BTreeMap::new(),
        }
    }

    /// Processing starts: whether the message was found in the store, so that nothing is left to do.
    #[inline]
    pub fn begin(&mut self, item: Item) -> bool {
        match self.idempotency {
            Idempotency::SideStoreBefore => !self.record(item),
            Idempotency::SideStoreAfter | Idempotency::SelectThenInsert => self.has(item),
            _ => false,
        }
    }

    fn has(&self, item: Item) -> bool {
        let (table, id) = self.identify(item);
        self.known.get(table).is_some_and(|ids| ids.has(id))
    }

    /// Processing ends: what that did to the store.
    #[inline]
    pub fn finish(
        &mut self,
        item: Item,
        is_known: bool,
        subscription: SubscriptionId,
        catalogue: &Catalogue,
    ) -> (Fact, Recorded) {
        let message = item.message;
        if is_known {
            return (Fact::Recognised { message, subscription }, Recorded::All);
        }
        if self.idempotency == Idempotency::None {
            return (Fact::Effect { message, subscription, stale: false }, Recorded::All);
        }
        self.finish_protected(item, subscription, catalogue)
    }

    fn finish_protected(
        &mut self,
        item: Item,
        subscription: SubscriptionId,
        catalogue: &Catalogue,
    ) -> (Fact, Recorded) {
        let message = item.message;
        let recognised = Fact::Recognised { message, subscription };
        let effect = |stale| Fact::Effect { message, subscription, stale };
        let fact = match self.idempotency {
            Idempotency::None | Idempotency::SideStoreBefore => effect(false),
            Idempotency::SideStoreAfter => return (effect(false), Recorded::EffectAlone),
            Idempotency::UniqueKey | Idempotency::ProcessedTable => {
                if self.record(item) {
                    effect(false)
                } else {
                    recognised
                }
            }
            Idempotency::SelectThenInsert => {
                // No unique index: what the look at the start did not see is inserted once more.
                self.record(item);
                effect(false)
            }
            Idempotency::SetByKey | Idempotency::Version | Idempotency::StatusMachine => {
                match catalogue.key(message) {
                    // A message without a key has a row of its own.
                    None if self.record(item) => effect(false),
                    None => recognised,
                    Some(key) => self.change(key as usize, message, subscription, catalogue),
                }
            }
        };
        (fact, Recorded::All)
    }

    /// Records that a message was processed, and says whether that is new.
    pub fn record(&mut self, item: Item) -> bool {
        let (table, id) = self.identify(item);
        if table >= self.known.len() {
            self.known.resize_with(table + 1, Ids::default);
        }
        self.known[table].insert(id)
    }

    fn identify(&self, item: Item) -> (usize, u64) {
        match self.id {
            IdOf::Business => (0, u64::from(item.message.0)),
            IdOf::Position => (item.place as usize, item.offset),
        }
    }

    /// The row of a key is changed as the message says, if the protection lets it.
    fn change(
        &mut self,
        key: usize,
        message: MessageId,
        subscription: SubscriptionId,
        catalogue: &Catalogue,
    ) -> Fact {
        if key >= self.rows.len() {
            self.rows.resize(key + 1, 0);
        }
        let recognised = Fact::Recognised { message, subscription };
        let before = self.rows[key];
        if self.idempotency == Idempotency::SetByKey {
            self.rows[key] = message.0 + 1;
            if before == message.0 + 1 {
                return recognised;
            }
            return Fact::Effect { message, subscription, stale: before > message.0 + 1 };
        }
        let version = self.version(message, catalogue);
        let is_allowed = match self.idempotency {
            Idempotency::Version => before + 1 == version,
            _ => before < version,
        };
        if is_allowed {
            self.rows[key] = version;
            self.known.resize_with(self.known.len().max(1), Ids::default);
            self.known[0].insert(u64::from(message.0));
            Fact::Effect { message, subscription, stale: false }
        } else if self.known.first().is_some_and(|ids| ids.has(u64::from(message.0))) {
            recognised
        } else {
            Fact::GivenUp { message, subscription, how: GivenUp::Discarded }
        }
    }

    /// A message's number within its key, from 1, in the order in which messages fell due.
    fn version(&mut self, message: MessageId, catalogue: &Catalogue) -> u32 {
        for next in self.versions.len() as u32..=message.0 {
            let key = catalogue.key(MessageId(next)).map_or(0, |key| key as usize);
            if key >= self.versions_last.len() {
                self.versions_last.resize(key + 1, 0);
            }
            // A message without a key has no version, and takes none.
            self.versions_last[key] += u32::from(catalogue.key(MessageId(next)).is_some());
            self.versions.push(self.versions_last[key]);
        }
        self.versions[message.0 as usize]
    }

    /// How often processing this message failed so far.
    pub fn failures(&self, message: MessageId) -> u32 {
        self.failures.get(&message).copied().unwrap_or(0)
    }

    /// Processing this message failed once more.
    pub fn failed(&mut self, message: MessageId) {
        *self.failures.entry(message).or_default() += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::super::catalogue::Origin;
    use super::*;
    use crate::fact::ProducerId;

    const SUBSCRIPTION: SubscriptionId = SubscriptionId(0);

    fn catalogue() -> Catalogue {
        let mut catalogue = Catalogue::with_keys(1, &[Some(1)]);
        for number in 1..=4 {
            catalogue.add(Origin { producer: ProducerId(0), number });
        }
        catalogue
    }

    fn at(message: u32, offset: u64) -> Item {
        Item { message: MessageId(message), place: 0, offset }
    }

    fn word(fact: Fact) -> &'static str {
        match fact {
            Fact::Effect { stale: false, .. } => "effect",
            Fact::Effect { stale: true, .. } => "stale effect",
            Fact::GivenUp { .. } => "dropped",
            _ => "recognised",
        }
    }

    /// Each processed from start to end, one after the other.
    fn story(idempotency: Idempotency, processed: &[u32]) -> Vec<&'static str> {
        let catalogue = catalogue();
        let mut store = Store::new(idempotency, IdOf::Business);
        let mut tell = |&message: &u32| {
            let item = at(message, u64::from(message));
            let is_known = store.begin(item);
            let (fact, written) = store.finish(item, is_known, SUBSCRIPTION, &catalogue);
            if written == Recorded::EffectAlone {
                store.record(item);
            }
            word(fact)
        };
        processed.iter().map(&mut tell).collect()
    }

    #[test]
    fn without_protection_each_processing_is_an_effect() {
        assert_eq!(story(Idempotency::None, &[0, 0]), ["effect", "effect"]);
    }

    #[test]
    fn undisturbed_every_record_of_ids_recognises_every_repetition() {
        for idempotency in [
            Idempotency::UniqueKey,
            Idempotency::ProcessedTable,
            Idempotency::SideStoreBefore,
            Idempotency::SideStoreAfter,
            Idempotency::SelectThenInsert,
        ] {
            assert_eq!(story(idempotency, &[0, 1, 0]), ["effect", "effect", "recognised"], "{idempotency:?}");
        }
    }

    #[test]
    fn setting_by_key_recognises_the_value_in_force_and_lets_an_old_one_win() {
        assert_eq!(
            story(Idempotency::SetByKey, &[0, 0, 1, 0]),
            ["effect", "recognised", "effect", "stale effect"]
        );
    }

    #[test]
    fn a_version_that_does_not_follow_is_a_conflict_and_breaks_the_chain() {
        assert_eq!(story(Idempotency::Version, &[0, 1, 0]), ["effect", "effect", "recognised"]);
        assert_eq!(story(Idempotency::Version, &[1, 0, 2]), ["dropped", "effect", "dropped"]);
    }

    #[test]
    fn a_status_goes_forward_only() {
        assert_eq!(
            story(Idempotency::StatusMachine, &[1, 0, 1, 3]),
            ["effect", "dropped", "recognised", "effect"]
        );
    }

    #[test]
    fn a_record_before_the_effect_loses_what_dies_in_between() {
        let mut store = Store::new(Idempotency::SideStoreBefore, IdOf::Business);
        assert!(!store.begin(at(0, 0)), "recorded, and then the process dies");
        assert!(store.begin(at(0, 0)), "recorded: nothing is left to do, and the effect never was");
    }

    #[test]
    fn a_record_after_the_effect_repeats_what_dies_in_between() {
        let catalogue = catalogue();
        let mut store = Store::new(Idempotency::SideStoreAfter, IdOf::Business);
        let (fact, written) = store.finish(at(0, 0), false, SUBSCRIPTION, &catalogue);
        assert_eq!((word(fact), written), ("effect", Recorded::EffectAlone));
        assert!(!store.begin(at(0, 0)), "the process died before the record: it is done again");
    }

    #[test]
    fn two_that_look_at_once_both_see_nothing() {
        let catalogue = catalogue();
        let mut store = Store::new(Idempotency::SelectThenInsert, IdOf::Business);
        let known = [store.begin(at(0, 0)), store.begin(at(0, 0))];
        let facts = known.map(|known| word(store.finish(at(0, 0), known, SUBSCRIPTION, &catalogue).0));
        assert_eq!(facts, ["effect", "effect"]);
    }

    #[test]
    fn a_position_does_not_recognise_what_was_sent_twice() {
        let catalogue = catalogue();
        for (id, second) in [(IdOf::Business, "recognised"), (IdOf::Position, "effect")] {
            let mut store = Store::new(Idempotency::UniqueKey, id);
            let mut process = |offset| word(store.finish(at(0, offset), false, SUBSCRIPTION, &catalogue).0);
            assert_eq!([process(0), process(1), process(0)], ["effect", second, "recognised"]);
        }
    }
}
