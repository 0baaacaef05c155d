//! The messages of a quorum queue that wait for a consumer, by priority.
//!
//! Until 3.13 all are alike. From 4.0 to 4.2 there are high ones (above 4) and normal ones, and two high ones are
//! served for each normal one, unless that one is newer. From 4.3 there are 32 levels, the highest first.
//!
//! Source: `rabbit_fifo_q`, <https://www.rabbitmq.com/docs/quorum-queues#priorities>.

use super::fifo::Item;
use super::line::Line;
use crate::broker::rabbitmq::rules::QuorumPriorities;

/// High messages that are served for each normal one.
const HIGH_PER_NORMAL: u8 = 2;
/// The highest of the strict levels.
const LEVEL_MAX: u8 = 31;

/// Ready messages.
#[derive(Clone, Debug, Default)]
pub(super) struct Ready {
    /// By level, the lowest first; grows as they are used.
    levels: Vec<Line<Item>>,
    count: usize,
    /// What its release knows of priorities; none: nothing was ever ready.
    priorities: Option<QuorumPriorities>,
    /// High ones served since the last normal one.
    high_served: u8,
}

impl Ready {
    #[inline]
    pub(super) fn len(&self) -> usize {
        self.count
    }

    pub(super) fn push(&mut self, item: Item, priorities: QuorumPriorities) {
        self.priorities = Some(priorities);
        let level = match priorities {
            QuorumPriorities::None => 0,
            QuorumPriorities::TwoLevels => usize::from(item.priority > super::commands::NORMAL),
            QuorumPriorities::Strict => usize::from(item.priority.min(LEVEL_MAX)),
        };
        if self.levels.len() <= level {
            self.levels.resize_with(level + 1, Line::default);
        }
        self.levels[level].push(item);
        self.count += 1;
    }

    /// The level that is served next.
    #[inline]
    fn next_level(&self, priorities: QuorumPriorities) -> Option<usize> {
        if let (QuorumPriorities::TwoLevels, [normal, high]) = (priorities, &self.levels[..])
            && let (Some(normal), Some(high)) = (normal.front(), high.front())
        {
            let is_normal = self.high_served >= HIGH_PER_NORMAL && normal.index < high.index;
            return Some(usize::from(!is_normal));
        }
        self.levels.iter().rposition(|level| !level.is_empty())
    }

    #[inline]
    pub(super) fn pop(&mut self, priorities: QuorumPriorities) -> Option<Item> {
        let level = self.next_level(priorities)?;
        self.high_served = if level == 1 { self.high_served.saturating_add(1) } else { 0 };
        let item = self.levels[level].pop()?;
        self.count -= 1;
        Some(item)
    }

    /// Takes a head for which this holds.
    pub(super) fn take_head(&mut self, is_meant: impl Fn(&Item) -> bool) -> Option<Item> {
        let level =
            self.lines_with_heads().find(|&level| self.levels[level].front().is_some_and(&is_meant))?;
        let item = self.levels[level].pop()?;
        self.count -= 1;
        Some(item)
    }

    /// The heads: what may expire.
    pub(super) fn heads(&self) -> impl Iterator<Item = &Item> {
        self.lines_with_heads().filter_map(|level| self.levels[level].front())
    }

    /// The levels whose first message may expire: with two of them, only the one that is served next.
    fn lines_with_heads(&self) -> impl Iterator<Item = usize> + use<> {
        let next = match self.priorities {
            Some(QuorumPriorities::TwoLevels) => self.next_level(QuorumPriorities::TwoLevels),
            _ => None,
        };
        (0..self.levels.len()).rev().filter(move |&level| next.is_none_or(|next| next == level))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Item> {
        self.levels.iter().rev().flat_map(Line::iter)
    }
}
