//! A recording of one run: any instant of it, forwards and backwards.
//!
//! It keeps key-frames (the world and the ledger), an index of what is worth jumping to, and a series for charts;
//! anything else is executed again on demand. It can be recorded a little at a time, and ends exactly as
//! [`super::run::Run::outcome`] does, with the same digest.
//!
//! Invariant: at most [`FRAMES_MAX`] key-frames are kept: when there are more, every second one goes and the spacing
//! doubles. At most [`super::notable::NOTABLE_MAX`] observations are indexed, and a series has about 400 samples.
//! Nothing is kept for an event as such: key-frames share what grows, so that a recorded run costs about twice what
//! the run itself keeps for each message (`examples/limits` measures it: at most 420 bytes a message, about 26 events).
//! Invariant: an instant reached by any way has the same digest.

use super::course::Course;
use super::notable::{Index, Notable, NotableKind};
use super::run::{self, Finish, Outcome};
use super::series::{Meter, Series};
use crate::broker::{Details, Family, Names, Progress, World};
use crate::fact::{MessageId, NodeId, Observation, PlaceId};
use crate::ledger::{Ledger, Verdict};
use crate::scenario::plan::Plan;
use crate::sim::Time;

/// Events between two key-frames at first.
const SPACING: u64 = 10_000;
/// Key-frames kept.
pub const FRAMES_MAX: usize = 128;

/// A run that can be looked at from every side.
pub struct Recording {
    plan: Plan,
    seed: u64,
    course: Course,
    /// Recorded up to here.
    head: Instant,
    frames: Vec<Instant>,
    spacing: u64,
    index: Index,
    meter: Meter,
    outcome: Option<Outcome>,
    cursor: Instant,
    /// Not folded yet; empty between two events.
    observations: Vec<Observation>,
}

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

/// Everything observed between two key-frames.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// After so many events it begins.
    pub from_events: u64,
    /// With this event it ends.
    pub to_events: u64,
    /// The observations, each with the number of its event: above `from_events`, at most `to_events`.
    pub entries: Vec<(u64, Observation)>,
}

impl Clone for Instant {
    fn clone(&self) -> Self {
        Self { world: self.world.snapshot(), ledger: self.ledger.clone() }
    }
}

/// The names of everything that there is at this instant.
impl Names for Instant {
    fn node(&self, node: NodeId) -> String {
        self.world.node_name(node)
    }
    fn place(&self, place: PlaceId) -> String {
        self.world.place_name(place)
    }
    fn message(&self, message: MessageId) -> String {
        self.ledger.name(message)
    }
}

impl Instant {
    /// Events dispatched so far.
    pub fn events(&self) -> u64 {
        self.world.events()
    }

    /// The clock.
    pub fn now(&self) -> Time {
        self.world.now()
    }

    /// The fates if the run ended now.
    pub fn judge(&self) -> Verdict {
        run::judge(self.world.as_ref(), &self.ledger)
    }

    /// One event further; false: nothing will ever happen again.
    fn step(&mut self, observations: &mut Vec<Observation>) -> bool {
        let events = self.events();
        let first = observations.len();
        loop {
            let progress = self.world.step(Time::NEVER, observations);
            if self.events() > events || matches!(progress, Progress::Ended | Progress::Bound(_)) {
                break;
            }
        }
        self.ledger.observe(&observations[first..]);
        self.events() > events
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
            Position::Time(time) => self.now() <= time,
            Position::Event(events) => self.events() <= events,
        }
    }
}

impl Recording {
    /// A recording that stands at the beginning of a run.
    pub fn new(family: &dyn Family, plan: &Plan, seed: u64) -> Self {
        run::announce(plan, seed);
        let mut world = family.world(plan, seed);
        world.want_details(Details::On);
        let start = Instant { world, ledger: run::ledger_of(family, plan, &[]) };
        Self {
            course: Course::of_run(plan, run::EVENTS_MAX),
            meter: Meter::new(plan.run_for + plan.drain_for, start.world.as_ref(), &start.ledger),
            plan: plan.clone(),
            seed,
            frames: vec![start.clone()],
            head: start.clone(),
            spacing: SPACING,
            index: Index::default(),
            outcome: None,
            cursor: start,
            observations: Vec::new(),
        }
    }

    /// What runs.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// With which seed.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Records about so many more events; the cursor stays. False: the run is over, and recorded whole.
    pub fn record(&mut self, events: u64) -> bool {
        let goal = self.head.events().saturating_add(events);
        self.record_until(|head| head.events() >= goal)
    }

    /// Records up to a position, if the run gets there; false: the run is over, and recorded whole.
    pub fn record_to(&mut self, position: Position) -> bool {
        self.record_until(|head| match position {
            Position::Time(time) => head.now() > time,
            Position::Event(events) => head.events() >= events,
        })
    }

    fn record_until(&mut self, is_enough: impl Fn(&Instant) -> bool) -> bool {
        while !self.course.is_over() && !is_enough(&self.head) {
            self.record_one();
        }
        if self.outcome.is_none() {
            self.meter.measure(self.head.world.as_ref(), &self.head.ledger);
            if self.course.is_over() {
                let Course { bound, checked, judged, .. } = &self.course;
                let end = Finish { bound: bound.as_ref(), checked, judged };
                let Instant { world, ledger } = &self.head;
                self.outcome = Some(run::conclude(&self.plan, self.seed, world.as_ref(), ledger, end, &[]));
            }
        }
        self.outcome.is_none()
    }

    /// One event more, or up to where something is to be looked at.
    fn record_one(&mut self) {
        let Instant { world, ledger } = &mut self.head;
        let closes = self.meter.closes_at();
        let until = self.course.until().min(closes);
        let progress = world.step(until, &mut self.observations);
        let events = world.events();
        for observation in &self.observations {
            self.meter.fold(observation, ledger);
            self.index.fold(events, observation, ledger);
            ledger.observe(std::slice::from_ref(observation));
        }
        self.observations.clear();
        if progress == Progress::Reached && until == closes {
            self.meter.close(world.as_ref(), ledger);
        }
        self.course.note(progress, &self.plan, world.as_ref(), ledger);
        let framed_at = self.frames.last().map_or(0, Instant::events);
        if events >= framed_at + self.spacing {
            self.keep();
        }
    }

    fn keep(&mut self) {
        self.frames.push(self.head.clone());
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

    /// Whether the run is over, and recorded to its end.
    pub fn is_whole(&self) -> bool {
        self.outcome.is_some()
    }

    /// How the run ended; none: it is not recorded whole.
    pub fn outcome(&self) -> Option<&Outcome> {
        self.outcome.as_ref()
    }

    /// How far it is recorded.
    pub fn head(&self) -> &Instant {
        &self.head
    }

    /// Where the cursor stands.
    pub fn cursor(&self) -> &Instant {
        &self.cursor
    }

    /// Moves the cursor, as far as there is a recording.
    pub fn seek(&mut self, position: Position) {
        if self.head.is_at_or_before(position) {
            self.cursor = self.head.clone();
            return;
        }
        let mut instant = self.frames[self.frame_before(position)].clone();
        instant.run_to(position);
        self.cursor = instant;
    }

    /// The last key-frame that is not after a position.
    fn frame_before(&self, position: Position) -> usize {
        self.frames.partition_point(|frame| frame.is_at_or_before(position)).saturating_sub(1)
    }

    /// One event forwards, recording it if need be; false: the run is over.
    pub fn step_forward(&mut self) -> bool {
        let events = self.cursor.events();
        self.record_to(Position::Event(events + 1));
        events < self.head.events() && self.cursor.step(&mut Vec::new())
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

    /// What is worth jumping to, in the order in which it happened.
    pub fn notable(&self) -> &[Notable] {
        self.index.list()
    }

    /// How much of a kind there was so far, also what is not in the list because there was too much of it.
    pub fn notable_count(&self, kind: NotableKind) -> u64 {
        self.index.count(kind)
    }

    /// What charts show, as far as there is a recording.
    pub fn series(&self) -> &Series {
        self.meter.series()
    }

    /// How many segments there are; while a run is recorded they grow longer.
    pub fn segments(&self) -> usize {
        self.frames.len()
    }

    /// The segment that an event belongs to, the first event being 1.
    pub fn segment_of(&self, events: u64) -> usize {
        self.frames.partition_point(|frame| frame.events() < events).saturating_sub(1)
    }

    /// Executes a segment again and returns everything that was observed in it.
    pub fn segment(&self, index: usize) -> Segment {
        let index = index.min(self.frames.len() - 1);
        let mut instant = self.frames[index].clone();
        let from_events = instant.events();
        let to_events = self.frames.get(index + 1).unwrap_or(&self.head).events();
        let mut entries = Vec::new();
        let mut observations = Vec::new();
        while instant.events() < to_events {
            if !instant.step(&mut observations) {
                break;
            }
            let events = instant.events();
            entries.extend(observations.drain(..).map(|observation| (events, observation)));
        }
        Segment { from_events, to_events, entries }
    }
}

#[cfg(test)]
mod tests;
