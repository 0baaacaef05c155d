//! What tests of views are made of: a run, an instant of it, and the screen as text.

use std::sync::Arc;

use ratatui::layout::Rect;

use crate::broker::Family;
use crate::fact::MessageId;
use crate::fact::Observation;
use crate::lab::fake::FakeScenario;
use crate::lab::notable::NotableKind;
use crate::lab::record::{Instant, Position, Recording};
use crate::lab::run::Outcome;
use crate::lab::series::Series;
use crate::lab::source::Opened;
use crate::lab::study::{Journey, Study, Subject};
use crate::lab::{About, Source};
use crate::ledger::Fate;
use crate::scenario::plan::Plan;
use crate::scenario::{Style, catalog};
use crate::sim::{Span, Time};
use crate::tui::action::Landmark;
use crate::tui::look::Look;
use crate::tui::out::Out;
use crate::tui::scene::{Pick, Scene, Seals, TimeMark};
use crate::tui::theme::Theme;

/// A view.
pub(crate) type Draw = fn(&Scene<'_>, Rect, &mut Out);

/// The sizes at which views are tested: the main area of the three screens.
pub(crate) const SIZES: [(u16, u16); 3] = [(118, 31), (78, 17), (60, 13)];

/// A run that can be drawn at any instant. Fields may be changed between two drawings.
pub(crate) struct Stage {
    pub(crate) recording: Recording,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) plan: Plan,
    pub(crate) seed: u64,
    pub(crate) deeds: Vec<String>,
    pub(crate) instant: Instant,
    pub(crate) head: Time,
    pub(crate) head_events: u64,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) marks: Vec<TimeMark>,
    pub(crate) series: Series,
    pub(crate) study: Option<Study>,
    pub(crate) seals: Seals,
    pub(crate) journey: Option<Journey>,
    /// Everything observed, each with the number of its event.
    pub(crate) log: Vec<(u64, Observation)>,
    pub(crate) pick: Pick,
    pub(crate) look: Look,
}

impl Stage {
    /// The laboratory's own little broker, whose leader dies at 505 ms with one message; recorded and judged whole, and
    /// looked at from the beginning.
    pub(crate) fn fake() -> Self {
        let source = FakeScenario::new();
        let plan = source.plan(None, &[]).unwrap();
        Self::of(Arc::new(source), plan)
    }

    /// The same with another plan.
    pub(crate) fn fake_with(change: impl FnOnce(&mut Plan)) -> Self {
        let source = FakeScenario::new();
        let mut plan = source.plan(None, &[]).unwrap();
        change(&mut plan);
        Self::of(Arc::new(source), plan)
    }

    /// A built-in scenario.
    pub(crate) fn built_in(name: &str) -> Self {
        let Ok(found) = catalog::find(name) else { panic!("there is no scenario {name}") };
        let Ok(scenario) = found.read() else { panic!("{name} is wrong") };
        let source = Opened::new(scenario, Style::Plain);
        let plan = source.plan(None, &[]).unwrap();
        Self::of(Arc::new(source), plan)
    }

    fn of(source: Arc<dyn Source>, plan: Plan) -> Self {
        let mut recording = Recording::new(source.family(), &plan, plan.seed);
        recording.record(u64::MAX);
        let segments = (0..recording.segments()).map(|index| recording.segment(index).entries);
        let log = segments.collect::<Vec<_>>().concat();
        Self {
            instant: recording.cursor().clone(),
            head: recording.head().now(),
            head_events: recording.head().events(),
            marks: marks(&recording),
            outcome: recording.outcome().cloned(),
            series: recording.series().clone(),
            study: None,
            seals: Seals::default(),
            journey: None,
            log,
            source,
            seed: plan.seed,
            plan,
            deeds: Vec::new(),
            pick: Pick::new(),
            look: Look::new(Theme::Mono, false),
            recording,
        }
    }

    /// Another one of the same run.
    pub(crate) fn like(&self) -> Self {
        Self {
            study: self.study.clone(),
            seals: self.seals.clone(),
            marks: self.marks.clone(),
            journey: self.journey.clone(),
            ..Self::of(Arc::clone(&self.source), self.plan.clone())
        }
    }

    /// At that instant.
    pub(crate) fn at(mut self, ms: u64) -> Self {
        self.seek(Time::ZERO + Span::from_millis(ms));
        self
    }

    /// At the end of the run.
    pub(crate) fn at_end(mut self) -> Self {
        self.seek(self.head);
        self
    }

    /// Moves the cursor.
    pub(crate) fn seek(&mut self, to: Time) {
        self.recording.seek(Position::Time(to));
        self.instant = self.recording.cursor().clone();
    }

    /// With the causes known, and when each fate was sealed.
    pub(crate) fn studied(mut self) -> Self {
        let study = self.subject().study().unwrap();
        let harmed = study.sealed.iter().filter(|one| one.fate != Fate::Backlogged);
        self.marks.extend(harmed.map(|one| mark(one.at, Landmark::Loss, Some(one.message))));
        self.marks.sort_by_key(|mark| mark.at);
        self.seals = Seals::of(&study);
        self.study = Some(study);
        self
    }

    /// With that message selected, and its journey known.
    pub(crate) fn selected(mut self, name: &str) -> Self {
        let journey = self.subject().journey(name).unwrap();
        self.pick.message = Some(journey.message);
        self.journey = Some(journey);
        self
    }

    fn subject(&self) -> Subject {
        let source = Arc::new(Fixed { source: Arc::clone(&self.source), plan: self.plan.clone() });
        Subject { source, variant: self.plan.variant.clone(), seed: self.seed, lines: Vec::new() }
    }

    /// In ASCII.
    pub(crate) fn ascii(mut self) -> Self {
        self.look = Look::new(Theme::Mono, true);
        self
    }

    /// What a view is lent.
    pub(crate) fn scene(&self) -> Scene<'_> {
        Scene {
            source: self.source.as_ref(),
            family: self.source.family(),
            plan: &self.plan,
            seed: self.seed,
            deeds: &self.deeds,
            lines: &[],
            instant: &self.instant,
            head: self.head,
            head_events: self.head_events,
            outcome: self.outcome.as_ref(),
            marks: &self.marks,
            series: &self.series,
            study: self.study.as_ref(),
            trouble: None,
            seals: &self.seals,
            journey: self.journey.as_ref(),
            log: &self.log,
            pick: &self.pick,
            look: &self.look,
        }
    }

    /// A view at this size, on a screen that is larger by a margin of 3, which stays empty.
    pub(crate) fn draw(&self, view: Draw, width: u16, height: u16) -> Out {
        let mut out = Out::new(Rect::new(0, 0, width + 6, height + 6));
        view(&self.scene(), Rect::new(3, 3, width, height), &mut out);
        out
    }

    /// A view at this size as text.
    pub(crate) fn text(&self, view: Draw, width: u16, height: u16) -> String {
        let mut out = Out::new(Rect::new(0, 0, width, height));
        let area = out.area();
        view(&self.scene(), area, &mut out);
        frame_text(&out)
    }
}

/// A screen as text: one line a row, without blanks at the ends.
pub(crate) fn frame_text(out: &Out) -> String {
    let area = out.area();
    let row = |y| (area.left()..area.right()).map(|x| out.buffer[(x, y)].symbol()).collect::<String>();
    (area.top()..area.bottom()).map(|y| row(y).trim_end().to_owned() + "\n").collect()
}

/// Fails if a view drew outside the area that [`Stage::draw`] gave it, or claimed cells twice.
pub(crate) fn demand_tidy(out: &Out, what: &str) {
    let screen = out.area();
    let inner = Rect::new(3, 3, screen.width - 6, screen.height - 6);
    assert_eq!(out.overlap(), None, "{what}: two panes on the same cells");
    for position in screen.positions().filter(|position| !inner.contains(*position)) {
        let cell = &out.buffer[position];
        assert_eq!(*cell, ratatui::buffer::Cell::default(), "{what}: drawn outside its area at {position}");
    }
}

/// Draws a view at many sizes: it must not panic, and must stay where it belongs.
pub(crate) fn demand_all_sizes(stage: &Stage, view: Draw) {
    let widths = [0, 1, 2, 3, 5, 8, 13, 20, 31, 40, 59, 60, 77, 78, 79, 100, 118, 160, 240];
    for width in widths {
        for height in [0, 1, 2, 3, 4, 5, 6, 8, 13, 17, 24, 31, 70] {
            demand_tidy(&stage.draw(view, width, height), &format!("{width}x{height}"));
        }
    }
}

fn mark(at: Time, landmark: Landmark, message: Option<MessageId>) -> TimeMark {
    TimeMark { at, landmark, is_end: false, node: None, message }
}

fn marks(recording: &Recording) -> Vec<TimeMark> {
    let found = recording.notable().iter().filter_map(|one| {
        let landmark = match one.kind {
            NotableKind::Fault | NotableKind::FaultEnded => Landmark::Fault,
            NotableKind::Election => Landmark::Election,
            NotableKind::Duplicate => Landmark::Duplicate,
            NotableKind::Reorder => Landmark::Reorder,
            _ => return None,
        };
        let seen = &one.observation;
        Some(TimeMark {
            is_end: one.kind == NotableKind::FaultEnded,
            node: Some(seen.node),
            ..mark(seen.at, landmark, seen.fact.message())
        })
    });
    found.collect()
}

/// A source whose plan was changed by the test, except under `--set` lines.
struct Fixed {
    source: Arc<dyn Source>,
    plan: Plan,
}

impl Source for Fixed {
    fn about(&self) -> &About {
        self.source.about()
    }
    fn family(&self) -> &'static dyn Family {
        self.source.family()
    }
    fn variants(&self) -> Vec<String> {
        self.source.variants()
    }
    fn plan(&self, variant: Option<&str>, sets: &[String]) -> Result<Plan, String> {
        if sets.is_empty() { Ok(self.plan.clone()) } else { self.source.plan(variant, sets) }
    }
}
