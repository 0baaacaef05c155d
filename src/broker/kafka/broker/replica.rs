//! One replica of a partition on a broker.

use std::collections::VecDeque;

use smallvec::SmallVec;

use super::super::control::{Brokers, PartitionState, only};
use super::super::log::Log;
use super::super::packet::ProducePart;
use super::leader::Waiter;
use crate::sim::Time;

/// A replica. Its log and its checkpoint are on disk; the rest is memory.
#[derive(Clone, Debug, Default)]
pub(in super::super) struct Replica {
    pub(in super::super) log: Log,
    /// The high watermark: the offset after the last record that every in-sync replica has.
    pub(in super::super) watermark: u64,
    /// The high watermark on disk.
    pub(in super::super) checkpoint: u64,
    /// The end of what appends have returned for: the log's end, except while a flush inside an append is under way.
    pub(super) settled: u64,
    /// What the controller last said.
    pub(in super::super) state: PartitionState,
    /// The controller said anything since the process started.
    pub(super) is_assigned: bool,
    pub(in super::super) role: Role,
    /// Records appended since the last flush.
    pub(super) unflushed: u64,
    /// Its disk lost something once.
    pub(in super::super) has_lost: bool,
    /// Counts the ISR changes that it proposed, in whichever epoch.
    pub(super) proposals: u32,
}

/// What a replica is.
#[derive(Clone, Debug, Default)]
pub(in super::super) enum Role {
    /// Nobody leads, or nobody told it who does.
    #[default]
    Offline,
    Leader(Box<Leading>),
    Follower {
        leader: u16,
    },
}

/// What only a leader knows.
#[derive(Clone, Debug)]
pub(in super::super) struct Leading {
    pub(super) epoch_start: u64,
    /// The in-sync replicas that it proposed and nobody accepted yet.
    pub(super) proposed: Option<Brokers>,
    pub(super) remotes: SmallVec<[Remote; 3]>,
    /// Who waits for which end of the log to be replicated, in order.
    pub(super) acks: VecDeque<(u64, Waiter)>,
    /// Appends that wait for a flush or for ZooKeeper.
    pub(super) appends: VecDeque<(Waiter, ProducePart)>,
    /// Appends whose flush is under way, and their ends, in order.
    pub(super) flushing: VecDeque<(Waiter, u64)>,
    /// The thread that changes the ISR holds the partition's lock (before 2.7).
    pub(super) is_locked: bool,
}

/// A follower, as its leader sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Remote {
    pub(super) broker: u16,
    /// Its log's end; none: not heard of in this epoch.
    pub(super) end: Option<u64>,
    pub(super) fetched_at: Option<Time>,
    /// The leader's end when it fetched last.
    pub(super) end_at_fetch: u64,
    pub(super) caught_up_at: Option<Time>,
}

impl Replica {
    /// The process starts: memory is gone.
    pub(super) fn restart(&mut self) {
        self.watermark = self.checkpoint.min(self.log.end());
        self.settled = self.log.end();
        self.is_assigned = false;
        self.state = PartitionState::default();
        self.role = Role::Offline;
        self.unflushed = 0;
    }

    /// Whatever the log holds was there before the run.
    pub(in super::super) fn establish(&mut self) {
        self.checkpoint = self.log.end();
    }

    #[inline]
    pub(in super::super) fn is_leader(&self) -> bool {
        matches!(self.role, Role::Leader(_))
    }

    #[inline]
    pub(super) fn leading(&mut self) -> Option<&mut Leading> {
        match &mut self.role {
            Role::Leader(leading) => Some(leading),
            _ => None,
        }
    }

    /// The in-sync replicas that it proposed as a leader, if nobody answered yet.
    pub(in super::super) fn proposed(&self) -> Option<Brokers> {
        match &self.role {
            Role::Leader(leading) => leading.proposed,
            _ => None,
        }
    }

    /// The committed in-sync replicas and the proposed ones: whoever may be in sync.
    #[inline]
    pub(super) fn maximal_isr(&self) -> Brokers {
        match &self.role {
            Role::Leader(leading) => self.state.isr | leading.proposed.unwrap_or(0),
            _ => self.state.isr,
        }
    }
}

impl Leading {
    pub(super) fn new(id: u16, replicas: &[u16], isr: Brokers, epoch_start: u64, now: Time) -> Self {
        let remotes = replicas
            .iter()
            .filter(|&&broker| broker != id)
            .map(|&broker| Remote {
                broker,
                end: None,
                fetched_at: None,
                end_at_fetch: 0,
                caught_up_at: (isr & only(broker) != 0).then_some(now),
            })
            .collect();
        Self {
            epoch_start,
            proposed: None,
            remotes,
            acks: VecDeque::new(),
            appends: VecDeque::new(),
            flushing: VecDeque::new(),
            is_locked: false,
        }
    }
}

impl Remote {
    /// A fetch from `offset` arrived while the leader's log ended at `end`.
    #[inline]
    pub(super) fn fetched(&mut self, offset: u64, end: u64, now: Time) {
        if offset >= end {
            self.caught_up_at = self.caught_up_at.max(Some(now));
        } else if self.fetched_at.is_some() && offset >= self.end_at_fetch {
            self.caught_up_at = self.caught_up_at.max(self.fetched_at);
        }
        self.end = Some(offset);
        self.fetched_at = Some(now);
        self.end_at_fetch = end;
    }

    /// Whether it had everything not longer than `lag_max` ago.
    #[inline]
    pub(super) fn is_caught_up(&self, end: u64, lag_max: crate::sim::Span, now: Time) -> bool {
        self.end == Some(end) || self.caught_up_at.is_some_and(|at| now.since(at) <= lag_max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Span;

    /// The rule for followers that always trail a busy leader by one batch: they stay.
    #[test]
    fn a_follower_is_caught_up_as_of_the_last_fetch_whose_end_it_has_reached() {
        let mut remote =
            Remote { broker: 1, end: None, fetched_at: None, end_at_fetch: 0, caught_up_at: None };
        let at = |seconds| Time::ZERO + Span::from_secs(seconds);
        remote.fetched(0, 10, at(1));
        assert_eq!(remote.caught_up_at, None);
        remote.fetched(10, 20, at(2));
        assert_eq!(remote.caught_up_at, Some(at(1)), "it reached what the leader had at the fetch before");
        remote.fetched(15, 30, at(3));
        assert_eq!(remote.caught_up_at, Some(at(1)));
        remote.fetched(30, 30, at(4));
        assert_eq!(remote.caught_up_at, Some(at(4)));
        assert!(remote.is_caught_up(40, Span::from_secs(10), at(14)));
        assert!(!remote.is_caught_up(40, Span::from_secs(10), at(15)));
        assert!(remote.is_caught_up(30, Span::from_secs(10), at(99)), "an idle partition never shrinks");
    }
}
