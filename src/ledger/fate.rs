//! Fates: what became of a message at one subscription, by the first rule that applies.

use serde::{Serialize, Serializer, ser::SerializeMap};

/// What the sending application was told in the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// At least one attempt succeeded.
    Confirmed,
    /// No attempt succeeded, the last answered one failed, and none is open.
    Failed,
    /// Neither.
    Unknown,
}

/// What became of a message at one subscription. In the order in which the rules are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fate {
    /// More than one effect.
    Duplicated,
    /// Confirmed, one effect.
    Processed,
    /// One effect, although the application was told that it failed, or was told nothing.
    Phantom,
    /// Failed, no effect.
    Rejected,
    /// Unknown, no effect.
    Unsent,
    /// A copy waits on a node that serves it, or a live consumer holds it.
    Backlogged,
    /// It sits in a dead-letter destination.
    DeadLettered,
    /// Time to live, retention or compaction removed it while it waited.
    Expired,
    /// A length or memory limit removed it while it waited.
    Overflowed,
    /// No binding, no listener.
    Unroutable,
    /// The consumer or the delivery limit gave it up, and there was no dead-letter destination.
    Discarded,
    /// With every fault lifted and every node restarted a copy would wait again.
    Stranded,
    /// None of these: silent loss.
    Lost,
}

/// By which rule a copy that still waited was taken away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is explained at the fate of the same name")]
pub enum Removal {
    DeadLettered,
    Expired,
    Overflowed,
    Unroutable,
    Discarded,
}

/// All that decides a fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// What the sending application was told.
    pub answer: Answer,
    /// How often the message changed the store.
    pub effects: u64,
    /// Whether a copy waits at the end.
    pub waits: bool,
    /// Whether, and by which rule, the copy that waited was removed.
    pub removal: Option<Removal>,
    /// Whether a copy waits in the healed world.
    pub waits_when_healed: bool,
}

impl Fate {
    /// Every fate, in the order in which the rules are tried.
    pub const ALL: [Self; 13] = [
        Self::Duplicated,
        Self::Processed,
        Self::Phantom,
        Self::Rejected,
        Self::Unsent,
        Self::Backlogged,
        Self::DeadLettered,
        Self::Expired,
        Self::Overflowed,
        Self::Unroutable,
        Self::Discarded,
        Self::Stranded,
        Self::Lost,
    ];

    /// The first rule that applies.
    pub fn of(evidence: &Evidence) -> Self {
        match (evidence.effects, evidence.answer) {
            (2.., _) => Self::Duplicated,
            (1, Answer::Confirmed) => Self::Processed,
            (1, Answer::Failed | Answer::Unknown) => Self::Phantom,
            (0, Answer::Failed) => Self::Rejected,
            (0, Answer::Unknown) => Self::Unsent,
            (0, Answer::Confirmed) => Self::without_effect(evidence),
        }
    }

    /// Confirmed and without effect: the message owes an explanation.
    fn without_effect(evidence: &Evidence) -> Self {
        if evidence.waits {
            return Self::Backlogged;
        }
        match evidence.removal {
            Some(Removal::DeadLettered) => Self::DeadLettered,
            Some(Removal::Expired) => Self::Expired,
            Some(Removal::Overflowed) => Self::Overflowed,
            Some(Removal::Unroutable) => Self::Unroutable,
            Some(Removal::Discarded) => Self::Discarded,
            None if evidence.waits_when_healed => Self::Stranded,
            None => Self::Lost,
        }
    }

    /// The word that scenarios and JSON use.
    pub fn name(self) -> &'static str {
        match self {
            Self::Duplicated => "duplicated",
            Self::Processed => "processed",
            Self::Phantom => "phantom",
            Self::Rejected => "rejected",
            Self::Unsent => "unsent",
            Self::Backlogged => "backlogged",
            Self::DeadLettered => "dead_lettered",
            Self::Expired => "expired",
            Self::Overflowed => "overflowed",
            Self::Unroutable => "unroutable",
            Self::Discarded => "discarded",
            Self::Stranded => "stranded",
            Self::Lost => "lost",
        }
    }

    /// What it means, as a teacher would say it.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Duplicated => "changed the store more than once",
            Self::Processed => "confirmed and processed exactly once",
            Self::Phantom => "processed, although the sender heard of no success",
            Self::Rejected => "the sender heard that it failed; it had no effect",
            Self::Unsent => "the sender was told nothing, and it had no effect",
            Self::Backlogged => "confirmed and still waiting to be processed",
            Self::DeadLettered => "confirmed, and set aside in a dead-letter destination",
            Self::Expired => "confirmed, and removed because it got too old",
            Self::Overflowed => "confirmed, and removed because there was no room",
            Self::Unroutable => "confirmed, and led nowhere",
            Self::Discarded => "confirmed, and given up by the consumer",
            Self::Stranded => "confirmed, out of reach until the cluster is repaired",
            Self::Lost => "confirmed, then gone without a word",
        }
    }

    /// The fate of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fate| fate.name() == name)
    }
}

/// How many messages have each fate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally([u64; Fate::ALL.len()]);

impl Tally {
    /// One more message with this fate.
    pub fn count(&mut self, fate: Fate) {
        self.0[fate as usize] += 1;
    }

    /// How many messages have this fate.
    pub fn of(&self, fate: Fate) -> u64 {
        self.0[fate as usize]
    }

    /// How many messages were counted.
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl Serialize for Tally {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Fate::ALL.len()))?;
        for fate in Fate::ALL {
            map.serialize_entry(fate.name(), &self.of(fate))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Answer::{Confirmed, Failed, Unknown};

    fn fate(answer: Answer, effects: u64, waits: bool, healed: bool) -> &'static str {
        let evidence = Evidence { answer, effects, waits, removal: None, waits_when_healed: healed };
        Fate::of(&evidence).name()
    }

    #[test]
    fn the_first_row_that_applies_decides() {
        let rows = [
            (Confirmed, 2, true, true, "duplicated"),
            (Failed, 3, false, false, "duplicated"),
            (Confirmed, 1, true, true, "processed"),
            (Failed, 1, false, false, "phantom"),
            (Unknown, 1, true, false, "phantom"),
            (Failed, 0, true, true, "rejected"),
            (Unknown, 0, true, true, "unsent"),
            (Confirmed, 0, true, true, "backlogged"),
            (Confirmed, 0, false, true, "stranded"),
            (Confirmed, 0, false, false, "lost"),
        ];
        for (answer, effects, waits, healed, expected) in rows {
            assert_eq!(
                fate(answer, effects, waits, healed),
                expected,
                "{answer:?}, {effects} effects, waits: {waits}, waits when healed: {healed}"
            );
        }
    }

    #[test]
    fn what_was_removed_by_a_rule_is_not_lost() {
        let rows = [
            (Removal::DeadLettered, "dead_lettered"),
            (Removal::Expired, "expired"),
            (Removal::Overflowed, "overflowed"),
            (Removal::Unroutable, "unroutable"),
            (Removal::Discarded, "discarded"),
        ];
        for (removal, expected) in rows {
            let mut evidence = Evidence {
                answer: Confirmed,
                effects: 0,
                waits: false,
                removal: Some(removal),
                waits_when_healed: true,
            };
            assert_eq!(Fate::of(&evidence).name(), expected);
            evidence.waits = true;
            assert_eq!(Fate::of(&evidence), Fate::Backlogged, "another copy still waits");
        }
    }

    #[test]
    fn every_fate_is_found_by_its_name_and_serialised_even_if_nobody_has_it() {
        assert!(Fate::ALL.into_iter().all(|fate| Fate::named(fate.name()) == Some(fate)));
        let mut tally = Tally::default();
        tally.count(Fate::Lost);
        let json = serde_json::to_string(&tally).expect("a tally is plain data");
        assert!(json.starts_with(r#"{"duplicated":0,"processed":0,"#) && json.ends_with(r#""lost":1}"#));
    }
}
