//! A trace: the observations of a run that explaining it needs, grouped by message.

use std::collections::{BTreeMap, BTreeSet};

use crate::fact::{Fact, MessageId, Observation};

/// Which messages are traced.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// Every message.
    All,
    /// These: the producer's number and the message's number within it, the same in every run of a workload.
    These(BTreeSet<(u16, u32)>),
}

/// What was observed about the wanted messages, and all that is about no single message.
#[derive(Clone, Debug)]
pub struct Trace {
    wanted: Wanted,
    histories: BTreeMap<MessageId, Vec<Observation>>,
    events: Vec<Observation>,
}

impl Trace {
    /// An empty trace of these messages.
    pub fn new(wanted: Wanted) -> Self {
        Self { wanted, histories: BTreeMap::new(), events: Vec::new() }
    }

    /// Folds a slice of observations, which follows the slice before.
    pub fn observe(&mut self, observations: &[Observation]) {
        for observation in observations {
            let Some(message) = observation.fact.message() else {
                self.events.push(*observation);
                continue;
            };
            if let Fact::Due { producer, number, .. } = observation.fact
                && self.wants(producer.0, number)
            {
                self.histories.insert(message, Vec::new());
            }
            if let Some(history) = self.histories.get_mut(&message) {
                history.push(*observation);
            }
        }
    }

    fn wants(&self, producer: u16, number: u32) -> bool {
        match &self.wanted {
            Wanted::All => true,
            Wanted::These(these) => these.contains(&(producer, number)),
        }
    }

    /// All observations about one message, in order.
    pub fn history(&self, message: MessageId) -> &[Observation] {
        self.histories.get(&message).map_or(&[], Vec::as_slice)
    }

    /// All observations that are about no single message, in order.
    pub fn events(&self) -> &[Observation] {
        &self.events
    }

    /// The traced messages, in the order of their numbers.
    pub fn messages(&self) -> impl Iterator<Item = MessageId> {
        self.histories.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fact::{NodeId, ProducerId};
    use crate::sim::Time;

    #[test]
    fn a_trace_keeps_what_is_wanted_and_what_is_about_nobody() {
        let at = |at, fact| Observation { at: Time(at), node: NodeId(0), fact };
        let due = |id, number| Fact::Due {
            message: MessageId(id),
            producer: ProducerId(0),
            instance: 0,
            number,
            key: None,
        };
        let confirmed = |id| Fact::Confirmed { message: MessageId(id), attempt: 1 };
        let story = [
            at(1, due(0, 1)),
            at(2, due(1, 2)),
            at(3, Fact::NodeUp),
            at(4, confirmed(0)),
            at(5, confirmed(1)),
        ];
        let mut trace = Trace::new(Wanted::These(BTreeSet::from([(0, 2)])));
        trace.observe(&story[..2]);
        trace.observe(&story[2..]);
        assert_eq!(trace.history(MessageId(1)), [story[1], story[4]]);
        assert_eq!(trace.history(MessageId(0)), []);
        assert_eq!(trace.events(), [story[2]]);
        let mut all = Trace::new(Wanted::All);
        all.observe(&story);
        assert_eq!(all.messages().count(), 2);
    }
}
