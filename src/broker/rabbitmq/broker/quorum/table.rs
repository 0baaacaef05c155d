//! The commands of a quorum queue, once for all its members: logs and letters hold their numbers, so replicating a
//! command copies eight bytes.
//!
//! A member that has put a snapshot in the place of entries says up to which command. What no member has in its log any
//! more is let go of, by whole chunks.
//!
//! Invariant: nobody asks for a command that is gone, for no member applies one that it has released. A log holds
//! commands in the order of their numbers: leaders append new ones behind what they have, followers copy leaders. What
//! a member has released is committed, so each later leader has it, too, and whatever follows it there has a higher
//! number. A letter that comes late repeats entries that the member has, and those are skipped by their index; or it is
//! of a term that is over, and refused.
//!
//! That is so in a group that keeps its disks. A member that lost its disk takes in old entries once more, and it may
//! have voted twice in a term; and a queue that is declared during the run may get letters that were meant for an
//! earlier one of its name. From then on nothing is let go of ([`Commands::keep_all`]).
//!
//! A member that stays away has released nothing, and its log is there still: the table waits for it. Until then it
//! grows with what is published, as `Content` always does.

use std::num::NonZeroU32;

use smallvec::SmallVec;

use super::commands::Command;
use crate::broker::raft::Member;
use crate::sim::{Chunked, PushWith};

/// A command, by its number in [`Commands`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super::super) struct CommandId {
    number: NonZeroU32,
    /// How large it is in a log, about: nobody has to look that up.
    pub(super) bytes: u32,
}

/// The commands that members of a queue may still ask for.
#[derive(Clone, Debug)]
pub(in super::super::super) struct Commands {
    kept: Chunked<Command>,
    /// How many came before the first of `kept`.
    gone: u32,
    /// By member: the number of the last command that it has released; zero: none.
    released: SmallVec<[u32; 4]>,
    keeps_all: bool,
}

impl CommandId {
    /// The size of an entry in a log, about; none: a leader's term begins.
    #[inline]
    pub(super) fn bytes_of(command: Option<Self>) -> u32 {
        command.map_or(60, |command| command.bytes)
    }
}

impl Commands {
    /// Of a queue with so many members.
    pub(in super::super::super) fn new(members: usize) -> Self {
        Self { kept: Chunked::new(), gone: 0, released: SmallVec::from_elem(0, members), keeps_all: false }
    }

    /// A leader is about to append it.
    #[inline]
    pub(super) fn add(&mut self, make: impl FnOnce() -> Command) -> CommandId {
        let number = NonZeroU32::MIN.saturating_add(self.gone + self.kept.len() as u32);
        self.kept.push_with(make);
        CommandId { number, bytes: self.kept.last().map_or(0, Command::bytes) }
    }

    /// A command that a member applies; none: it is gone.
    #[inline]
    pub(super) fn get(&self, id: CommandId) -> Option<&Command> {
        let at = (id.number.get() - 1).checked_sub(self.gone);
        debug_assert!(at.is_some() || self.keeps_all, "command {} of {} is gone", id.number, self.gone);
        self.kept.get(at? as usize)
    }

    /// A member has released its entries up to this command.
    pub(super) fn release(&mut self, member: Member, last: CommandId) {
        self.released[usize::from(member.0)] = last.number.get();
        let by_all = self.released.iter().copied().min().unwrap_or(0);
        if !self.keeps_all {
            self.gone += self.kept.forget((by_all - self.gone) as usize) as u32;
        }
    }

    /// Logs may take in old entries from now on.
    pub(super) fn keep_all(&mut self) {
        self.keeps_all = true;
    }

    /// How many are in memory, of how many that there were.
    #[cfg(test)]
    pub(in super::super::super) fn held(&self) -> (usize, usize) {
        (self.kept.len(), self.gone as usize + self.kept.len())
    }
}

#[cfg(test)]
mod tests {
    use super::super::commands::What;
    use super::*;
    use crate::sim::{Span, Time};

    fn filled(count: u64) -> (Commands, Vec<CommandId>) {
        let mut commands = Commands::new(3);
        let ids = (0..count).map(|number| commands.add(|| command(number))).collect();
        (commands, ids)
    }

    fn time(number: u64) -> Time {
        Time::ZERO + Span::from_millis(number)
    }

    fn command(number: u64) -> Command {
        Command { at: time(number), from: None, what: What::Due }
    }

    fn at(commands: &Commands, id: CommandId) -> Option<Time> {
        commands.get(id).map(|command| command.at)
    }

    #[test]
    fn numbers_stay_when_older_ones_are_let_go_of() {
        let (mut commands, mut ids) = filled(5_000);
        for member in 0..3 {
            commands.release(Member(member), ids[2_999]);
        }
        ids.push(commands.add(|| command(5_000)));
        assert!((3_000..=5_000).all(|n| at(&commands, ids[n]) == Some(time(n as u64))));
    }

    #[test]
    fn what_one_member_may_ask_for_stays() {
        let (mut commands, ids) = filled(5_000);
        commands.release(Member(0), ids[4_999]);
        commands.release(Member(1), ids[4_999]);
        assert_eq!(commands.kept.len(), 5_000);
        commands.release(Member(2), ids[1_500]);
        assert_eq!(at(&commands, ids[1_501]), Some(time(1_501)));
        assert_eq!((commands.gone, commands.kept.len()), (1_024, 3_976), "whole chunks go");
    }

    #[test]
    fn memory_does_not_grow_with_what_is_released() {
        let (mut commands, _) = filled(0);
        for number in 0..100_000 {
            let id = commands.add(|| command(number));
            (0..3).for_each(|member| commands.release(Member(member), id));
        }
        assert!(commands.kept.len() < 2_048, "{} are kept", commands.kept.len());
    }

    #[test]
    fn a_clone_keeps_what_it_saw() {
        let (mut commands, ids) = filled(3_000);
        let before = commands.clone();
        for member in 0..3 {
            commands.release(Member(member), ids[2_999]);
        }
        commands.add(|| command(7));
        assert_eq!(at(&before, ids[0]), Some(time(0)));
        assert_eq!(before.kept.len(), 3_000);
    }

    #[test]
    fn when_old_entries_may_come_again_nothing_goes() {
        let (mut commands, ids) = filled(3_000);
        commands.keep_all();
        for member in 0..3 {
            commands.release(Member(member), ids[2_999]);
        }
        assert_eq!(at(&commands, ids[0]), Some(time(0)));
    }
}
