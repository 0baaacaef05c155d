//! Who waits for a moment: "when `checkout` has had 100 sends confirmed".

use crate::fact::{Fact, NodeId, Observation};
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
