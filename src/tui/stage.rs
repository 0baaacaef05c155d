//! A run that is looked at: its branches, where the cursor stands, what is selected, and what is known of it.

use std::collections::{BTreeMap, BTreeSet};

use super::action::{Landmark, View, Way};
use super::jobs::Job;
use super::look::Look;
use super::scene::{Pick, Scene, Seals, TimeMark};
use super::view::events;
use crate::fact::{Fact, MessageId, Observation, SubscriptionId};
use crate::lab::notable::NotableKind;
use crate::lab::record::{Instant, Position, Recording};
use crate::lab::session::{BranchId, Session};
use crate::lab::study::{Journey, Study, Subject};
use crate::ledger::Fate;
use crate::sim::{Span, Time};

/// Simulated nanoseconds that pass in a second of playing.
const SPEEDS: [u64; 9] = [
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
    5_000_000_000,
    20_000_000_000,
    60_000_000_000,
];
/// As fast as life.
const SPEED_FIRST: usize = 5;
/// Events recorded between two frames.
const RECORDED_A_TICK: u64 = 40_000;

/// A run and everything that is looked at of it.
pub struct Stage {
    /// All branches.
    pub session: Session,
    /// What is selected.
    pub pick: Pick,
    /// How time goes.
    pub play: Play,
    /// Instants that the user marked.
    pub bookmarks: BTreeSet<Time>,
    /// Something was done by hand that is written nowhere, and nobody was asked about it yet.
    pub is_unwritten: bool,
    studies: BTreeMap<BranchId, Result<Box<Known>, String>>,
    journey: Option<(BranchId, MessageId, Result<Journey, String>)>,
    near: Near,
    marks: Vec<TimeMark>,
    /// Of what the marks were made: branch, notables, whether there was a study, bookmarks.
    marks_of: Option<(BranchId, usize, bool, BTreeSet<Time>)>,
    deeds: Vec<String>,
    no_seals: Seals,
}

/// What a study found.
struct Known {
    study: Study,
    seals: Seals,
}

/// What was observed around the cursor.
#[derive(Default)]
struct Near {
    /// Of which branch, which of its segments, and how many events were recorded: while a run is recorded its last
    /// segments grow.
    of: Option<(BranchId, usize, u64)>,
    entries: Vec<(u64, Observation)>,
}

/// How time goes.
#[derive(Clone, Copy, Debug)]
pub struct Play {
    /// Whether it does.
    pub is_playing: bool,
    /// Playing stops at losses, duplicates and faults.
    pub has_stops: bool,
    speed: usize,
}

/// What a tick did.
#[derive(Default)]
pub struct Ticked {
    /// Something has to be drawn again.
    pub has_changed: bool,
    /// Something to be said.
    pub says: Option<String>,
}

impl Play {
    /// Simulated nanoseconds in a second.
    pub fn speed(&self) -> u64 {
        SPEEDS[self.speed]
    }

    /// What a step of time is: a fifth of a second of playing.
    pub fn step(&self) -> Span {
        Span(self.speed() / 5)
    }

    /// Faster or slower; false: it does not go any further.
    pub fn change(&mut self, way: Way) -> bool {
        let before = self.speed;
        self.speed = match way {
            Way::On => (self.speed + 1).min(SPEEDS.len() - 1),
            Way::Back => self.speed.saturating_sub(1),
        };
        self.speed != before
    }
}

impl Stage {
    /// A run at its beginning.
    pub fn new(session: Session) -> Self {
        let play = Play { is_playing: false, has_stops: true, speed: SPEED_FIRST };
        Self {
            session,
            pick: Pick::new(),
            play,
            bookmarks: BTreeSet::new(),
            is_unwritten: false,
            studies: BTreeMap::new(),
            journey: None,
            near: Near::default(),
            marks: Vec::new(),
            marks_of: None,
            deeds: Vec::new(),
            no_seals: Seals::default(),
        }
    }

    /// The recording of the branch that is shown.
    pub fn recording(&self) -> &Recording {
        self.session.recording()
    }

    /// Where the cursor stands.
    pub fn now(&self) -> Time {
        self.recording().cursor().world.now()
    }

    /// What is known of the causes of this branch's run.
    pub fn study(&self) -> Option<&Study> {
        self.known().map(|known| &known.study)
    }

    fn known(&self) -> Option<&Known> {
        self.studies.get(&self.session.current())?.as_ref().ok().map(|known| &**known)
    }

    /// Lends views what they may look at.
    pub fn with_scene<R>(&self, look: &Look, draw: impl FnOnce(&Scene<'_>) -> R) -> R {
        draw(&self.scene_at(look, self.recording().cursor()))
    }

    /// The scene as it is at an instant of the recording.
    fn scene_at<'a>(&'a self, look: &'a Look, instant: &'a Instant) -> Scene<'a> {
        let recording = self.recording();
        let branch = self.session.current();
        let known = self.known();
        let journey = self
            .journey
            .as_ref()
            .filter(|(of, message, _)| *of == branch && Some(*message) == self.pick.message);
        Scene {
            source: self.session.source().as_ref(),
            family: self.session.source().family(),
            plan: recording.plan(),
            seed: recording.seed(),
            deeds: &self.deeds,
            lines: &self.session.branch(branch).lines,
            instant,
            head: recording.head().world.now(),
            head_events: recording.head().events(),
            outcome: recording.outcome(),
            marks: &self.marks,
            series: recording.series(),
            study: known.map(|known| &known.study),
            trouble: self.trouble(),
            seals: known.map_or(&self.no_seals, |known| &known.seals),
            journey: journey.and_then(|(.., journey)| journey.as_ref().ok()),
            log: &self.near.entries,
            pick: &self.pick,
            look,
        }
    }

    /// Into the selected line of the events: the cursor goes to its event, and what it is about is selected.
    pub fn enter_event(&mut self, look: &Look) {
        let selected = self.with_scene(look, events::selected);
        if let Some((event, seen)) = selected {
            self.arrive_at(event, &seen);
        }
    }

    /// To the next sentence that the filter lets through; false: there is none that way.
    pub fn next_sentence(&mut self, way: Way, look: &Look) -> bool {
        let now = self.recording().cursor().events();
        let recording = self.recording();
        let last = recording.segments().saturating_sub(1);
        let here = recording.segment_of(now);
        let segments: Vec<usize> = match way {
            Way::On => (here..=last).collect(),
            Way::Back => (0..=here).rev().collect(),
        };
        // At the end of the recording everything has its name.
        let scene = self.scene_at(look, recording.head());
        let is_it = |(event, seen): &&(u64, Observation)| {
            let is_that_way = if way == Way::On { *event > now } else { *event < now };
            is_that_way && events::passes(&scene, seen)
        };
        let found = segments.into_iter().find_map(|segment| {
            let entries = recording.segment(segment).entries;
            let found = if way == Way::On { entries.iter().find(is_it) } else { entries.iter().rfind(is_it) };
            found.copied()
        });
        if let Some((event, seen)) = found {
            self.arrive_at(event, &seen);
        }
        found.is_some()
    }

    fn arrive_at(&mut self, event: u64, seen: &Observation) {
        self.seek(Position::Event(event));
        self.pick.message = seen.fact.message().or(self.pick.message);
        if usize::from(seen.node.0) < self.recording().cursor().world.nodes().len() {
            self.pick.node = seen.node;
        }
    }

    /// Fetches what is near the cursor, and brings marks and names up to date.
    pub fn prepare(&mut self) {
        let branch = self.session.current();
        let recording = self.session.recording();
        let segment = recording.segment_of(recording.cursor().events());
        let of = (branch, segment, recording.head().events());
        if self.near.of != Some(of) {
            self.near.entries = near(recording, segment);
            self.near.of = Some(of);
        }
        self.refresh_marks();
        self.deeds = self.collect_deeds();
        let messages = self.recording().head().ledger.messages();
        if self.recording().is_whole() && self.pick.message.is_some_and(|one| one.0 as usize >= messages) {
            // Another branch had more of them.
            self.pick.message = None;
        }
        let nodes = self.recording().cursor().world.nodes();
        if nodes.iter().all(|node| node.node != self.pick.node) {
            self.pick.node = nodes.first().map_or(self.pick.node, |node| node.node);
        }
    }

    /// Brings the marks up to date: what follows one by one before the next frame must not jump to those of another
    /// branch, or miss what was just recorded.
    pub fn refresh_marks(&mut self) {
        let (branch, notable) = (self.session.current(), self.recording().notable().len());
        let is_studied = self.known().is_some();
        let is_same = self.marks_of.as_ref().is_some_and(|(of, count, was_studied, bookmarks)| {
            (*of, *count, *was_studied) == (branch, notable, is_studied) && *bookmarks == self.bookmarks
        });
        if !is_same {
            self.marks = self.collect_marks();
            self.marks_of = Some((branch, notable, is_studied, self.bookmarks.clone()));
        }
    }

    /// What has to be found out for what is shown.
    pub fn wants(&self) -> Option<Job> {
        let branch = self.session.current();
        if self.recording().is_whole() && !self.studies.contains_key(&branch) {
            return Some(Job::Study(branch, self.subject()));
        }
        let message = self.pick.message.filter(|_| self.pick.view == View::Why)?;
        if message.0 as usize >= self.recording().head().ledger.messages() {
            // It is not due as far as this branch is recorded.
            return None;
        }
        let is_there = matches!(&self.journey, Some((of, about, _)) if *of == branch && *about == message);
        let name = self.recording().head().ledger.name(message);
        (!is_there).then(|| Job::Journey(branch, message, name, self.subject()))
    }

    fn subject(&self) -> Subject {
        self.session.subject()
    }

    /// The causes of a branch are known.
    pub fn studied(&mut self, branch: BranchId, study: Result<Study, String>) {
        let known = study.map(|study| Box::new(Known { seals: Seals::of(&study), study }));
        self.studies.insert(branch, known);
    }

    /// A message's journey is known.
    pub fn traced(&mut self, branch: BranchId, message: MessageId, journey: Result<Journey, String>) {
        self.journey = Some((branch, message, journey));
    }

    /// Why the causes of this branch, or this message's journey, could not be found out.
    pub fn trouble(&self) -> Option<&str> {
        match self.studies.get(&self.session.current()) {
            Some(Err(trouble)) => Some(trouble),
            _ => None,
        }
    }

    /// Moves the cursor.
    pub fn seek(&mut self, position: Position) {
        if let Position::Time(time) = position {
            self.record_to(time);
        }
        self.session.recording_mut().seek(position);
        self.pick.line = 0;
    }

    /// Records what is needed to stand at a time.
    fn record_to(&mut self, time: Time) {
        let recording = self.session.recording_mut();
        while recording.head().world.now() < time && recording.record(RECORDED_A_TICK) {}
    }

    /// The last instant that can be looked at.
    pub fn end(&self) -> Time {
        let recording = self.recording();
        match recording.outcome() {
            Some(outcome) => outcome.ended,
            None => recording.head().world.now(),
        }
    }

    /// One event forwards or backwards; false: there is none.
    pub fn step(&mut self, way: Way) -> bool {
        self.pick.line = 0;
        match way {
            Way::Back => self.session.recording_mut().step_back(),
            Way::On => {
                let recording = self.session.recording_mut();
                if recording.cursor().events() >= recording.head().events() {
                    recording.record(RECORDED_A_TICK);
                }
                recording.cursor().events() < recording.head().events() && recording.step_forward()
            }
        }
    }

    /// Whether nothing changes by itself.
    pub fn is_idle(&self) -> bool {
        !self.play.is_playing && self.recording().is_whole()
    }

    /// So much time has passed; none: it stands still.
    pub fn tick(&mut self, elapsed_ns: Option<u64>, look: &Look) -> Ticked {
        let mut ticked = Ticked::default();
        if !self.recording().is_whole() {
            self.session.recording_mut().record(RECORDED_A_TICK);
            ticked.has_changed = true;
        }
        let Some(elapsed_ns) = elapsed_ns.filter(|_| self.play.is_playing) else { return ticked };
        ticked.has_changed = true;
        let from = self.now();
        let passed = u128::from(elapsed_ns) * u128::from(self.play.speed()) / 1_000_000_000;
        let target = from + Span(u64::try_from(passed).unwrap_or(u64::MAX).max(1));
        self.record_to(target);
        self.refresh_marks();
        let end = self.end();
        let target = target.min(end);
        if let Some(stop) = self.stop_between(from, target) {
            self.seek(Position::Time(stop.at));
            self.play.is_playing = false;
            ticked.says = Some(self.arrive(stop, look));
            return ticked;
        }
        self.seek(Position::Time(target));
        if target >= end && self.recording().is_whole() {
            self.play.is_playing = false;
            ticked.says = Some(look.word("say.over").to_owned());
        }
        ticked
    }

    /// The first mark in a stretch of time at which playing stops: what begins a burst, not each mark of one.
    fn stop_between(&self, from: Time, to: Time) -> Option<TimeMark> {
        if !self.play.has_stops {
            return None;
        }
        let is_stop = |mark: &TimeMark| {
            matches!(mark.landmark, Landmark::Loss | Landmark::Duplicate | Landmark::Bookmark)
                || (mark.landmark == Landmark::Fault && !mark.is_end)
        };
        let burst = Span(self.play.speed());
        let mut last: BTreeMap<Landmark, Time> = BTreeMap::new();
        for mark in self.marks.iter().filter(|mark| is_stop(mark)) {
            let before = last.insert(mark.landmark, mark.at);
            let begins = before.is_none_or(|before| mark.at.since(before) > burst);
            if begins && from < mark.at && mark.at <= to {
                return Some(*mark);
            }
        }
        None
    }

    /// Selects what a mark is about, and says what it is.
    pub fn arrive(&mut self, mark: TimeMark, look: &Look) -> String {
        if let Some(message) = mark.message {
            self.pick.message = Some(message);
        }
        if let Some(node) = mark.node.filter(|_| mark.landmark == Landmark::Fault) {
            self.pick.node = node;
        }
        let together = self.marks.iter().filter(|one| one.landmark == mark.landmark && one.at == mark.at);
        let count = together.count();
        let later = self.marks.iter().filter(|one| is_of(one, mark.landmark) && one.at > mark.at).count();
        let world = &self.recording().cursor().world;
        let node = mark.node.map(|node| world.node_name(node)).unwrap_or_default();
        let message = mark.message.map(|message| self.recording().head().ledger.name(message));
        let message = message.unwrap_or_default();
        let key = match (mark.landmark, mark.is_end, count) {
            (Landmark::Loss, _, 1) if later == 0 => "say.at_loss",
            (Landmark::Loss, _, 1) => "say.at_loss_and_more",
            (Landmark::Loss, ..) if later == 0 => "say.at_losses",
            (Landmark::Loss, ..) => "say.at_losses_and_more",
            (Landmark::Fault, false, _) => "say.at_fault",
            (Landmark::Fault, true, _) => "say.at_fault_end",
            (Landmark::Duplicate, ..) => "say.at_duplicate",
            (Landmark::Reorder, ..) => "say.at_reorder",
            (Landmark::Election, ..) if mark.node.is_none() => "say.at_no_leader",
            (Landmark::Election, ..) => "say.at_election",
            (Landmark::Bookmark, ..) => "say.at_bookmark",
        };
        let places = self.session.source().family().places_word();
        let fate = mark.message.and_then(|message| self.fate_of(message)).map_or("", Fate::name);
        look.with(
            key,
            &[
                ("at", &mark.at),
                ("node", &node),
                ("message", &message),
                ("count", &count),
                ("later", &later),
                ("places", &places),
                ("fate", &fate),
            ],
        )
    }

    /// The fate that a message ends with at the selected subscription, if it came to harm.
    fn fate_of(&self, message: MessageId) -> Option<Fate> {
        let seals = &self.known()?.seals;
        seals.get(self.pick.subscription, message).map(|(_, fate)| fate)
    }

    /// The next mark of a kind; of several that came together, the first.
    pub fn next_mark(&self, landmark: Landmark, way: Way) -> Option<TimeMark> {
        let now = self.now();
        let mut all = self.marks.iter().filter(|mark| is_of(mark, landmark));
        let found = match way {
            Way::On => all.find(|mark| mark.at > now),
            Way::Back => all.rfind(|mark| mark.at < now),
        }?;
        self.marks.iter().find(|mark| is_of(mark, landmark) && mark.at == found.at).copied()
    }

    /// The harm to ask about: at the end of the run the worst there was, else the last that came up to now, else the
    /// first to come. Of several that came together, the worst.
    pub fn nearest_harm(&self) -> Option<(SubscriptionId, MessageId)> {
        let sealed = &self.study()?.sealed;
        let now = self.now();
        let is_over = self.recording().is_whole() && now >= self.end();
        let at = sealed.iter().rfind(|one| one.at <= now).or(sealed.first())?.at;
        let together = sealed.iter().filter(|one| is_over || one.at == at);
        // Groups are in the order of harm, the worst first.
        let worst = together.min_by_key(|one| (one.group, one.message));
        worst.map(|one| (one.subscription, one.message))
    }

    /// The next message after the selected one that came to harm at the selected subscription.
    pub fn next_harmed(&self, way: Way) -> Option<MessageId> {
        let sealed = &self.study()?.sealed;
        let here = sealed.iter().filter(|one| one.subscription == self.pick.subscription);
        let messages: BTreeSet<_> = here.map(|one| one.message).collect();
        match (self.pick.message, way) {
            (None, _) => messages.first().copied(),
            (Some(from), Way::On) => {
                messages.range((std::ops::Bound::Excluded(from), std::ops::Bound::Unbounded)).next().copied()
            }
            (Some(from), Way::Back) => messages.range(..from).next_back().copied(),
        }
    }

    /// What was done on the way to this branch, oldest first.
    fn collect_deeds(&self) -> Vec<String> {
        let mut deeds = Vec::new();
        let mut branch = self.session.branch(self.session.current());
        while let Some(id) = branch.parent {
            let parent = self.session.branch(id);
            // Another variant or seed says so itself.
            if branch.lines.len() > parent.lines.len() {
                deeds.push(branch.words.clone());
            }
            branch = parent;
        }
        deeds.reverse();
        deeds
    }

    fn collect_marks(&self) -> Vec<TimeMark> {
        let mut marks = Vec::new();
        for notable in self.recording().notable() {
            let (landmark, is_end) = match notable.kind {
                NotableKind::Fault => (Landmark::Fault, false),
                NotableKind::FaultEnded => (Landmark::Fault, true),
                NotableKind::Election => (Landmark::Election, false),
                NotableKind::Duplicate => (Landmark::Duplicate, false),
                NotableKind::Reorder => (Landmark::Reorder, false),
                NotableKind::Down | NotableKind::Up | NotableKind::Detected | NotableKind::Subscribed => {
                    continue;
                }
            };
            let Observation { at, node, fact } = notable.observation;
            // An election may end without a leader.
            let node = if let Fact::LeaderElected { leader, .. } = fact { leader } else { Some(node) };
            marks.push(TimeMark { at, landmark, is_end, node, message: fact.message() });
        }
        let is_loss = |fate: Fate| !matches!(fate, Fate::Duplicated | Fate::Rejected | Fate::Unsent);
        let sealed = self.study().map_or(&[][..], |study| &study.sealed);
        for one in sealed.iter().filter(|one| is_loss(one.fate)) {
            marks.push(TimeMark {
                at: one.at,
                landmark: Landmark::Loss,
                is_end: false,
                node: None,
                message: Some(one.message),
            });
        }
        for &at in &self.bookmarks {
            marks.push(TimeMark {
                at,
                landmark: Landmark::Bookmark,
                is_end: false,
                node: None,
                message: None,
            });
        }
        marks.sort_by_key(|mark| (mark.at, mark.landmark, mark.message));
        marks
    }
}

/// Whether a mark is of a kind. Whoever looks for harm looks for what takes effect again, too.
fn is_of(mark: &TimeMark, landmark: Landmark) -> bool {
    mark.landmark == landmark || (landmark == Landmark::Loss && mark.landmark == Landmark::Duplicate)
}

/// What was observed in a segment and in the two beside it: what is just before and after the cursor may lie there.
fn near(recording: &Recording, segment: usize) -> Vec<(u64, Observation)> {
    let last = recording.segments().saturating_sub(1);
    let wanted = segment.saturating_sub(1)..=(segment + 1).min(last);
    wanted.flat_map(|index| recording.segment(index).entries).collect()
}
