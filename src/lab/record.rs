//! A recording: any instant of a run, forwards and backwards, and what would have happened if.
//!
//! It keeps commands, key-frames (the world and the ledger) and an index of what is worth jumping to; anything else is
//! executed again on demand. History is a tree: doing something at a cursor starts a branch, which needs no frame of
//! its own, because its parent and the command make it again.
//!
//! Invariant: at most [`FRAMES_MAX`] key-frames are kept: when there are more, every second one goes and the spacing
//! doubles. At most [`NOTABLE_MAX`] observations are indexed.
//! Invariant: an instant reached by any way has the same digest.

use std::sync::Arc;

use crate::broker::{Command, Details, Family, Progress, World};
use crate::fact::{Fact, Observation};
use crate::ledger::{Layout, Ledger};
use crate::scenario::plan::Plan;
use crate::sim::Time;

/// Events between two key-frames at first.
const SPACING: u64 = 10_000;
/// Key-frames kept over all branches.
pub const FRAMES_MAX: usize = 128;
/// Observations indexed on one branch.
pub const NOTABLE_MAX: usize = 10_000;

/// A run that can be looked at from every side.
pub struct Recording {
    branches: Vec<Branch>,
    frames: Vec<Keyframe>,
    spacing: u64,
    cursor: Instant,
    branch: BranchId,
}

/// A branch of history; the first is the run as planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BranchId(pub usize);

/// Where to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// After everything that happens up to and including this time.
    Time(Time),
    /// After this many events.
    Event(u64),
}

/// The world and the ledger at an instant.
pub struct Instant {
    /// The world.
    pub world: Box<dyn World>,
    /// What became of every message so far.
    pub ledger: Ledger,
}

/// An observation worth jumping to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Notable {
    /// Events dispatched when its slice was folded: it is at or before this point.
    pub events: u64,
    /// The observation.
    pub observation: Observation,
}

/// How a branch came about, and how far it was recorded.
struct Branch {
    /// Where it left another branch, and by doing what; none: the run as planned.
    origin: Option<(Fork, Command)>,
    notable: Vec<Notable>,
    /// Recorded up to here.
    head: Instant,
    framed_at: u64,
}

/// Where a branch left another one.
#[derive(Clone, Copy)]
struct Fork {
    parent: BranchId,
    events: u64,
    at: Time,
}

struct Keyframe {
    branch: BranchId,
    instant: Instant,
}

impl Clone for Instant {
    fn clone(&self) -> Self {
        Self { world: self.world.snapshot(), ledger: self.ledger.clone() }
    }
}

impl Instant {
    /// Events dispatched so far.
    pub fn events(&self) -> u64 {
        self.world.events()
    }

    /// One event further; false: nothing will ever happen again.
    fn step(&mut self, observations: &mut Vec<Observation>) -> bool {
        let progress = self.world.step(observations);
        self.ledger.observe(observations);
        !matches!(progress, Progress::Ended | Progress::Bound(_))
    }

    /// Up to a position that is not behind.
    fn run_to(&mut self, position: Position) {
        let mut observations = Vec::new();
        match position {
            Position::Time(until) => loop {
                let progress = self.world.advance(until, &mut observations);
                self.ledger.observe(&observations);
                observations.clear();
                if !matches!(progress, Progress::Pause | Progress::Asked) {
                    break;
                }
            },
            Position::Event(events) => {
                while self.events() < events && self.step(&mut observations) {
                    observations.clear();
                }
            }
        }
    }

    fn is_at_or_before(&self, position: Position) -> bool {
        match position {
            Position::Time(time) => self.world.now() <= time,
            Position::Event(events) => self.events() <= events,
        }
    }
}

impl Recording {
    /// A recording that stands at the beginning of a run.
    pub fn new(family: &dyn Family, plan: &Plan, seed: u64) -> Self {
        let mut world = family.world(plan, seed);
        world.want_details(Details::On);
        let mut ledger = Ledger::new(Arc::new(Layout::new(family, plan)));
        if super::run::wants_order(plan) {
            ledger.keep_order();
        }
        let start = Instant { world, ledger };
        let root = Branch { origin: None, notable: Vec::new(), head: start.clone(), framed_at: 0 };
        let first = Keyframe { branch: BranchId(0), instant: start.clone() };
        Self {
            branches: vec![root],
            frames: vec![first],
            spacing: SPACING,
            cursor: start,
            branch: BranchId(0),
        }
    }

    /// Records the current branch up to a time; the cursor stays. False: nothing will ever happen again.
    pub fn record(&mut self, until: Time) -> bool {
        let mut observations = Vec::new();
        loop {
            let branch = &mut self.branches[self.branch.0];
            let progress = branch.head.world.advance(until, &mut observations);
            branch.head.ledger.observe(&observations);
            branch.index(&observations);
            observations.clear();
            if branch.head.events() >= branch.framed_at + self.spacing {
                branch.framed_at = branch.head.events();
                let instant = branch.head.clone();
                self.keep(Keyframe { branch: self.branch, instant });
            }
            match progress {
                Progress::Pause | Progress::Asked => {}
                Progress::Reached => return true,
                Progress::Ended | Progress::Bound(_) => return false,
            }
        }
    }

    fn keep(&mut self, frame: Keyframe) {
        self.frames.push(frame);
        if self.frames.len() > FRAMES_MAX {
            // The first frame is the beginning of everything and stays.
            let mut index = 0;
            self.frames.retain(|_| {
                index += 1;
                index % 2 == 1
            });
            self.spacing *= 2;
        }
    }

    /// Moves the cursor along the current branch.
    pub fn seek(&mut self, position: Position) {
        self.cursor = self.at(self.branch, position);
    }

    /// The instant at a position of a branch.
    fn at(&self, branch: BranchId, position: Position) -> Instant {
        let frames = self.frames.iter().filter(|frame| frame.branch == branch);
        let usable = frames.filter(|frame| frame.instant.is_at_or_before(position));
        if let Some(frame) = usable.max_by_key(|frame| frame.instant.events()) {
            let mut instant = frame.instant.clone();
            instant.run_to(position);
            return instant;
        }
        let origin = self.branches[branch.0].origin.as_ref();
        let (fork, command) = origin.expect("the first branch has a frame at its beginning");
        let mut instant = self.fork(*fork);
        if !instant.is_at_or_before(position) {
            return self.at(fork.parent, position);
        }
        instant.world.apply(command);
        instant.run_to(position);
        instant
    }

    /// The instant at which a branch begins: after so many events, and perhaps a while after the last of them.
    fn fork(&self, fork: Fork) -> Instant {
        let mut instant = self.at(fork.parent, Position::Event(fork.events));
        if instant.world.now() < fork.at {
            instant.run_to(Position::Time(fork.at));
        }
        instant
    }

    /// One event forwards; false: nothing will ever happen again.
    pub fn step_forward(&mut self) -> bool {
        self.cursor.step(&mut Vec::new())
    }

    /// One event backwards; false: the cursor stands at the beginning.
    pub fn step_back(&mut self) -> bool {
        let events = self.cursor.events();
        if events == 0 {
            return false;
        }
        self.seek(Position::Event(events - 1));
        true
    }

    /// Does something at the cursor: from here on another history is recorded and looked at.
    pub fn branch(&mut self, command: Command) -> BranchId {
        let (events, at) = (self.cursor.events(), self.cursor.world.now());
        let mut parent = self.branch;
        while let Some((fork, _)) = &self.branches[parent.0].origin
            && events < fork.events
        {
            parent = fork.parent;
        }
        let fork = Fork { parent, events, at };
        self.cursor = self.fork(fork);
        self.cursor.world.apply(&command);
        self.branches.push(Branch {
            origin: Some((fork, command)),
            notable: Vec::new(),
            head: self.cursor.clone(),
            framed_at: events,
        });
        self.branch = BranchId(self.branches.len() - 1);
        self.branch
    }

    /// Looks at another branch, at the same position or as far as it goes.
    pub fn switch(&mut self, branch: BranchId) {
        let events = self.cursor.events();
        self.branch = branch;
        self.seek(Position::Event(events));
    }

    /// Where the cursor stands.
    pub fn cursor(&self) -> &Instant {
        &self.cursor
    }

    /// On which branch.
    pub fn current(&self) -> BranchId {
        self.branch
    }

    /// How far the current branch is recorded.
    pub fn head(&self) -> &Instant {
        &self.branches[self.branch.0].head
    }

    /// What was done to get to the current branch, first command first: after how many events, and what.
    pub fn commands(&self) -> Vec<(u64, &Command)> {
        let mut commands = Vec::new();
        let mut branch = self.branch;
        while let Some((fork, command)) = &self.branches[branch.0].origin {
            commands.push((fork.events, command));
            branch = fork.parent;
        }
        commands.reverse();
        commands
    }

    /// What is worth jumping to on the current branch since it began, in order.
    pub fn notable(&self) -> &[Notable] {
        &self.branches[self.branch.0].notable
    }
}

impl Branch {
    /// Indexes faults, elections, nodes that go or come, and effects that repeat one.
    fn index(&mut self, observations: &[Observation]) {
        let events = self.head.events();
        for observation in observations {
            let is_notable = match observation.fact {
                Fact::Fault { .. }
                | Fact::FaultEnded { .. }
                | Fact::LeaderElected { .. }
                | Fact::DetectedDown
                | Fact::NodeDown { .. }
                | Fact::NodeUp
                | Fact::Subscribed { .. } => true,
                Fact::Effect { message, subscription, stale } => {
                    stale || self.head.ledger.effects(message, subscription) > 1
                }
                _ => false,
            };
            if is_notable && self.notable.len() < NOTABLE_MAX {
                self.notable.push(Notable { events, observation: *observation });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lab::Source;
    use crate::lab::fake::{Fake, FakeScenario, leader_dies};
    use crate::lab::run::judge;
    use crate::ledger::Fate;
    use crate::sim::Span;

    fn ms(ms: u64) -> Position {
        Position::Time(Time::ZERO + Span::from_millis(ms))
    }

    fn recording() -> Recording {
        let plan = FakeScenario::new().plan(None, &[]).unwrap();
        let mut recording = Recording::new(&Fake, &plan, 42);
        recording.spacing = 7;
        assert!(recording.record(Time::ZERO + Span::from_secs(2)));
        recording
    }

    fn end(recording: &mut Recording) -> (u64, u64) {
        recording.seek(ms(2000));
        let Instant { world, ledger } = recording.cursor();
        (world.digest(), judge(world.as_ref(), ledger).fate(Fate::Lost))
    }

    #[test]
    fn every_instant_is_the_same_by_whichever_way() {
        let mut recording = recording();
        let straight = end(&mut recording);
        assert_eq!((straight.0, straight.1), (recording.head().world.digest(), 1));
        recording.seek(Position::Event(100));
        let at_100 = recording.cursor().world.digest();
        assert!(recording.step_forward());
        let at_101 = recording.cursor().world.digest();
        assert_ne!(at_100, at_101);
        assert!(recording.step_back());
        assert_eq!((recording.cursor().events(), recording.cursor().world.digest()), (100, at_100));
        while recording.cursor().events() < 130 {
            recording.step_forward();
        }
        recording.seek(Position::Event(101));
        assert_eq!(recording.cursor().world.digest(), at_101);
        assert_eq!(recording.cursor().ledger.messages(), recording.cursor().ledger.clone().messages());
        recording.seek(Position::Event(0));
        assert!(!recording.step_back());
        assert_eq!(end(&mut recording), straight);
    }

    #[test]
    fn doing_something_starts_a_branch_that_replays() {
        let mut recording = recording();
        let planned = end(&mut recording);
        recording.seek(ms(205));
        let kill = Command::Fault(leader_dies(Span::ZERO));
        let branch = recording.branch(kill.clone());
        recording.record(Time::ZERO + Span::from_secs(2));
        let changed = end(&mut recording);
        assert_eq!(changed.1, planned.1 + 1, "the second death takes a message with it");
        assert_eq!(changed.0, recording.head().world.digest());
        recording.seek(ms(100));
        assert!(recording.cursor().world.now() <= Time::ZERO + Span::from_millis(100));
        recording.switch(BranchId(0));
        assert_eq!(end(&mut recording), planned);
        recording.switch(branch);
        assert_eq!(end(&mut recording), changed);
        assert_eq!(recording.commands().len(), 1);
        assert_eq!(recording.commands()[0].1, &kill);
        let faults =
            recording.notable().iter().filter(|one| matches!(one.observation.fact, Fact::Fault { .. }));
        assert_eq!(faults.count(), 2);
    }

    #[test]
    fn a_branch_made_before_a_fork_leaves_the_parent() {
        let mut recording = recording();
        recording.seek(ms(505));
        recording.branch(Command::Fault(leader_dies(Span::ZERO)));
        assert_eq!(recording.cursor().world.now(), Time::ZERO + Span::from_millis(505), "not earlier");
        recording.seek(ms(205));
        recording.branch(Command::Fault(leader_dies(Span::ZERO)));
        assert_eq!(recording.commands().len(), 1, "the later command is not part of this history");
    }

    #[test]
    fn frames_thin_out_and_the_beginning_stays() {
        let plan = FakeScenario::new().plan(None, &[]).unwrap();
        let mut recording = Recording::new(&Fake, &plan, 42);
        recording.spacing = 1;
        for tick in 1..=1000 {
            recording.record(Time::ZERO + Span::from_millis(tick));
        }
        assert!(recording.frames.len() <= FRAMES_MAX && recording.spacing > 1);
        assert_eq!(recording.frames[0].instant.events(), 0);
        recording.seek(Position::Event(3));
        assert_eq!(recording.cursor().events(), 3);
    }
}
