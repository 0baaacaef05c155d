//! How a message stands at an instant before the end, as far as observations can know.

use super::Ledger;
use super::fate::{Answer, Evidence, Fate};
use crate::fact::{MessageId, SubscriptionId};
use crate::sim::Time;

/// How a message stands at an instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Nobody was told anything yet, and nothing came of it.
    Open,
    /// Confirmed, and still to take effect.
    Waiting,
    /// What can be said of it now; until the run ends it may still change.
    Fate(Fate),
}

impl Standing {
    /// All of them, in the order of legends.
    pub fn all() -> impl Iterator<Item = Self> {
        [Self::Open, Self::Waiting].into_iter().chain(Fate::ALL.map(Self::Fate))
    }
}

impl Ledger {
    /// How a message stands at a subscription; none: it is not addressed to it. A message that was silently lost
    /// waits, as far as anybody could know.
    pub fn standing(&self, id: MessageId, subscription: SubscriptionId) -> Option<Standing> {
        let index = id.0 as usize;
        let message = self.messages.get(index)?;
        let column = self.subscriptions.get(subscription.0 as usize).map(|column| &column.receptions);
        let reception = column.unwrap_or(&self.nobody).get(index).copied().unwrap_or_default();
        if !self.is_addressed(subscription, index, message, reception) {
            return None;
        }
        let (answer, effects) = (message.answer(), reception.effects());
        let for_nobody = self.nobody.get(index).copied().unwrap_or_default();
        let removal = reception.removal().or_else(|| for_nobody.removal_for_good());
        if effects == 0 && removal.is_none() {
            match answer {
                Answer::Unknown => return Some(Standing::Open),
                Answer::Confirmed => return Some(Standing::Waiting),
                Answer::Failed => {}
            }
        }
        if effects == 1 && answer == Answer::Unknown {
            // It took effect before its sender was answered, as is usual: nothing is odd about it yet.
            return Some(Standing::Fate(Fate::Processed));
        }
        let evidence = Evidence { answer, effects, waits: false, removal, waits_when_healed: false };
        Some(Standing::Fate(Fate::of(&evidence)))
    }

    /// Whether there may be messages that are addressed to nobody: to look at all of them is not always needed.
    pub fn may_lead_nowhere(&self) -> bool {
        !self.layout.always_leads(|number| self.subscriptions[number].since == Time::ZERO)
    }

    /// How many messages of each producer fell due so far.
    pub fn sent_by_producer(&self) -> Vec<u64> {
        let mut sent = vec![0; self.layout.producers.len()];
        for message in self.messages.iter() {
            sent[usize::from(self.layout.producer_of(message.instance))] += 1;
        }
        sent
    }

    /// When its send was due.
    pub fn due_at(&self, id: MessageId) -> Option<Time> {
        self.messages.get(id.0 as usize).map(|message| message.due)
    }
}
