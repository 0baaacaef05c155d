//! Raft for one member of one group: a state machine without I/O, for any family that keeps something by majority.
//!
//! ```text
//!  propose ──┐                        ┌─► Send          to another member
//!  receive ──┤                        ├─► Write         entries to be made durable
//!  written ──┼─► Raft ─► io.out ──────┼─► Vote          term and vote to be made durable
//!  timeout ──┤                        ├─► Committed     entries to be applied
//!  tick    ──┤                        ├─► Leads, Follows
//!  peer_*  ──┘                        └─► ElectionTimer
//! ```
//!
//! A node hosts many groups and gives each of them its share of one disk, one network and one failure detector. So
//! the host says which entries are durable ([`Raft::written`]), which member's process was seen to die
//! ([`Raft::peer_down`]) and which one has been silent for too long ([`Raft::silence`]). Who has no such detector
//! lets leaders send heartbeats and followers wait for them ([`Config::patience`]).
//!
//! The host keeps the replicated state: it applies the entries up to [`Output::Committed`] in order, and now and then
//! hands over a copy of it ([`Raft::compact`]), so that the entries before it can go. A follower that needs released
//! entries is sent that copy.
//!
//! Sources: Ongaro, "Consensus: bridging theory and practice" (chapters 3, 5, 9 and 10); pre-votes, entries that count
//! when they are durable, batches of 128 and pipelines of 4096 as in Ra (`ra_server`).
//!
//! Invariant: at most one leader a term; two logs that hold an entry of the same index and term are alike up to it; an
//! entry is committed when a majority has it on disk and one of the leader's own term follows or is it; what is
//! committed is in the log of every later leader.
//!
//! Not modelled: membership change, reads by lease, snapshots in chunks. Term and vote count as durable at once, for
//! real members answer a vote only after that flush; its time is not counted. An entry that was overwritten never
//! comes back with a power loss, as it could where the overwriting was not durable: nobody had counted it.

mod election;
mod follow;
mod lead;
mod log;
mod member;
#[cfg(test)]
mod tests;

use smallvec::SmallVec;

use crate::sim::draw::Bits;
use crate::sim::{Dist, PushWith, Span, Time};

pub use member::{Raft, Role};

/// A group has at most so many members.
const MEMBERS_MAX: usize = 16;

/// A member of a group, by its place in the group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member(pub u8);

/// What elections and replication of a group go by.
#[derive(Clone, Debug)]
pub struct Config {
    /// How long after the leader's process was seen to die, or after a start, a member stands for election.
    pub after_death: Dist,
    /// How long after the host called the leader silent.
    pub after_silence: Dist,
    /// How long an election may take before it is tried again.
    pub retry: Dist,
    /// Without a detector at the host: how long a follower waits for a word from the leader.
    pub patience: Option<Dist>,
    /// Whether a member that has a leader refuses pre-votes.
    pub is_loyal: bool,
    /// Whether [`Raft::tick`] sends to everybody, needed or not.
    pub has_heartbeats: bool,
    /// Entries in one message at most.
    pub batch_max: u64,
    /// Entries on their way to a follower at most.
    pub pipeline_max: u64,
}

impl Config {
    /// The host has a failure detector: nothing is sent while nothing happens.
    pub fn detected(after_death: Dist, after_silence: Dist, retry: Dist) -> Self {
        Self {
            after_death,
            after_silence,
            retry,
            patience: None,
            is_loyal: false,
            has_heartbeats: false,
            batch_max: 128,
            pipeline_max: 4096,
        }
    }

    /// Leaders send heartbeats at every [`Raft::tick`]; followers wait this long for one.
    pub fn with_heartbeats(patience: Dist) -> Self {
        let detected = Self::detected(patience, patience, patience);
        Self { patience: Some(patience), is_loyal: true, has_heartbeats: true, ..detected }
    }
}

/// An entry of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<C> {
    /// The term of the leader that appended it.
    pub term: u32,
    /// What the host's state machine is to do; none: a leader's term began.
    pub command: Option<C>,
}

/// Entries of one message. They are copied from log to log: what is large in a command stays with the host, which
/// lets a number stand for it.
pub type Batch<C> = SmallVec<[Entry<C>; 1]>;

/// The replicated state after all entries up to an index.
#[derive(Clone, Debug)]
pub struct Snapshot<S> {
    /// The last entry in it.
    pub index: u64,
    /// That entry's term.
    pub term: u32,
    /// The host's state.
    pub state: S,
}

/// How far entries were handed to the disk; [`Raft::written`] gives it back when they are durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The last entry.
    pub index: u64,
    /// Counts how often the log was cut: an older mark says nothing about what stands there now.
    pub cut: u32,
}

/// What members say to each other.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant says what its fields are")]
pub enum Message<C, S> {
    /// Would you vote for me in this term?
    PreVote { term: u32, last: Place },
    /// Answers a pre-vote; `current` is the answering member's own term.
    PreVoteReply { term: u32, current: u32, is_granted: bool },
    /// Vote for me in this term.
    Vote { term: u32, last: Place },
    /// Answers a vote.
    VoteReply { term: u32, is_granted: bool },
    /// Entries that follow the one before, and how far everything is committed.
    Append { term: u32, before: Place, commit: u64, entries: Batch<C> },
    /// The log is durable and like the leader's up to `matched`.
    Appended { term: u32, matched: u64 },
    /// The log has no entry at `before`, or another one; it may be like the leader's up to `hint`.
    Refused { term: u32, before: u64, hint: u64 },
    /// The entries that come next are released; this takes their place.
    Install { term: u32, snapshot: Snapshot<S> },
    /// Stand for election at once: the leader wants to go.
    TimeoutNow { term: u32 },
}

impl<C, S> Message<C, S> {
    /// Takes it away from where it stands, if that needs it no more.
    #[inline]
    #[must_use]
    pub fn take(&mut self) -> Self {
        std::mem::replace(self, Self::TimeoutNow { term: 0 })
    }

    /// The term in which it was said.
    pub fn term(&self) -> u32 {
        match self {
            Self::PreVote { term, .. }
            | Self::PreVoteReply { term, .. }
            | Self::Vote { term, .. }
            | Self::VoteReply { term, .. }
            | Self::Append { term, .. }
            | Self::Appended { term, .. }
            | Self::Refused { term, .. }
            | Self::Install { term, .. }
            | Self::TimeoutNow { term } => *term,
        }
    }
}

/// Index and term of an entry: where a log ends, or what comes before a batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// The entry's index, from one; zero: before the first.
    pub index: u64,
    /// Its term.
    pub term: u32,
}

/// What a member asks of its host, in this order.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "each variant says what its fields are")]
pub enum Output<C, S> {
    /// Send this.
    Send(Member, Message<C, S>),
    /// Write the entries up to the mark that are not yet written, and say so with [`Raft::written`].
    Write(Mark),
    /// Write the snapshot that came in, and say so with [`Raft::snapshot_written`].
    WriteSnapshot,
    /// The snapshot takes the place of the host's state: [`Raft::snapshot`].
    Installed,
    /// The term, and for whom the member voted in it, are durable from now on.
    Vote { term: u32, vote: Option<Member> },
    /// Entries up to this index are committed: apply them.
    Committed(u64),
    /// The member leads from now on. Everything before its first entry is applied when that one is committed.
    Leads { term: u32 },
    /// The member leads no longer, or knows another leader, or none.
    Follows { term: u32, leader: Option<Member> },
    /// Call [`Raft::timeout`] with this number after this long.
    ElectionTimer { after: Span, number: u32 },
}

/// What a member acts with.
#[derive(Debug)]
pub struct Io<'a, C, S> {
    /// The member's clock.
    pub now: Time,
    /// Where waiting times are drawn from.
    pub draws: &'a mut Bits,
    /// What it asks of its host; the host takes them out and does them in order.
    pub out: &'a mut Vec<Output<C, S>>,
}

impl<C, S> Io<'_, C, S> {
    /// The host is to do this, after what it was asked for before.
    #[inline]
    fn ask(&mut self, make: impl FnOnce() -> Output<C, S>) {
        self.out.push_with(make);
    }
}
