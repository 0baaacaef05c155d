//! Who waits for a moment: "when `checkout` has had 100 sends confirmed"; and for a state of the world.

use super::{Host, Hosted};
use crate::fact::{Fact, NodeId, Observation};
use crate::scenario::expect::Expectation;
use crate::scenario::plan::Moment;
use crate::sim::Span;

/// Who waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waiter {
    /// A fault, which starts so long after.
    Fault(u16, Span),
    /// The step that the script is at.
    Script,
}

/// Somebody who waits.
#[derive(Clone, Debug)]
pub(super) struct Watch {
    pub(super) waiter: Waiter,
    moment: Moment,
    by: Option<Vec<NodeId>>,
    left: u32,
}

impl Watch {
    pub(super) fn new(waiter: Waiter, moment: Moment, by: Option<Vec<NodeId>>, nth: u32) -> Self {
        Self { waiter, moment, by, left: nth.max(1) }
    }

    /// Whether this observation is one of those that it counts.
    #[inline]
    pub(super) fn wants(&self, observation: &Observation) -> bool {
        is_moment(self.moment, &observation.fact)
            && self.by.as_ref().is_none_or(|by| by.contains(&observation.node))
    }

    /// Whether this observation is the one that it waits for.
    pub(super) fn meets(&mut self, observation: &Observation) -> bool {
        if self.wants(observation) {
            self.left -= 1;
        }
        self.left == 0
    }
}

impl<M: Hosted> Host<M> {
    /// Whether somebody waits for something that was observed. If nobody does, all of it has been seen.
    #[inline]
    pub(super) fn is_awaited(&mut self) -> bool {
        let observations = self.engine.observations();
        let new = observations.get(self.seen..).unwrap_or_default();
        let is_it = new.iter().any(|one| self.watches.iter().any(|watch| watch.wants(one)));
        if !is_it {
            self.seen = observations.len();
        }
        is_it
    }

    /// Whether anybody wants to see what an event did.
    pub(super) fn is_watched(&mut self) -> bool {
        !self.watches.is_empty() && self.engine.observations().len() > self.seen
            || !self.states.is_empty()
            || self.is_script_alert()
    }

    pub(super) fn is_script_alert(&self) -> bool {
        self.script.as_ref().is_some_and(|script| script.is_alert())
    }

    /// Lets everybody who waits see what happened, and the script go on.
    pub(super) fn react(&mut self) {
        if self.script.is_none() && self.states.is_empty() {
            return self.watch();
        }
        loop {
            self.watch();
            self.look_at_states();
            if !self.go_on() {
                return;
            }
        }
    }

    /// Shows the new observations to whoever waits for a moment.
    pub(super) fn watch(&mut self) {
        let observations = self.engine.observations();
        let new = observations.get(self.seen..).unwrap_or_default();
        self.seen = observations.len().max(self.seen);
        let mut met = Vec::new();
        if !self.watches.is_empty() {
            for observation in new {
                self.watches.retain_mut(|watch| {
                    let is_met = watch.meets(observation);
                    if is_met {
                        met.push(watch.waiter);
                    }
                    !is_met
                });
            }
        }
        for waiter in met {
            self.met(waiter);
        }
    }

    /// Looks whether the world is in a state that somebody waits for.
    fn look_at_states(&mut self) {
        let mut at = 0;
        while let Some((waiter, tests)) = self.states.get(at) {
            let holds =
                |one: &Expectation| self.state(&one.path).is_some_and(|value| one.test.is_met_by(&value));
            if tests.iter().all(holds) {
                let waiter = *waiter;
                self.states.remove(at);
                self.met(waiter);
            } else {
                at += 1;
            }
        }
    }
}

/// A message is sent when it falls due or when the application sends it again.
fn is_moment(moment: Moment, fact: &Fact) -> bool {
    match moment {
        Moment::Sent => matches!(fact, Fact::Due { .. } | Fact::Sent { attempt: 2.., .. }),
        Moment::Confirmed => matches!(fact, Fact::Confirmed { .. }),
        Moment::Failed => matches!(fact, Fact::Failed { .. }),
        Moment::Delivered => matches!(fact, Fact::Delivered { .. }),
        Moment::Effect => matches!(fact, Fact::Effect { .. }),
        Moment::Acknowledged => matches!(fact, Fact::Acknowledged { .. }),
        Moment::LeaderElected => matches!(fact, Fact::LeaderElected { leader: Some(_), .. }),
        Moment::DetectedDown => matches!(fact, Fact::DetectedDown { .. }),
    }
}
