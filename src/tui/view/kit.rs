//! What tests of views are made of: a run, an instant of it, and the screen as text.

use std::collections::BTreeSet;
use std::sync::Arc;

use ratatui::layout::Rect;

use crate::broker::{self, Details, Family, Progress};
use crate::fact::{Fact, MessageId, Observation};
use crate::lab::explain::Question;
use crate::lab::fake::FakeScenario;
use crate::lab::record::Instant;
use crate::lab::run::{Outcome, Run};
use crate::lab::series::{Sample, Series};
use crate::lab::study::{Journey, Sealed, Study};
use crate::lab::{About, Source};
use crate::ledger::{Fate, Layout, Ledger, NONE};
use crate::scenario::plan::Plan;
use crate::scenario::{Scenario, catalog};
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
        let source = BuiltIn::find(name);
        let plan = source.plan(None, &[]).unwrap();
        Self::of(Arc::new(source), plan)
    }

    fn of(source: Arc<dyn Source>, plan: Plan) -> Self {
        let family = source.family();
        let seed = plan.seed;
        let outcome = Run::new(family, &plan, seed).outcome(&[]);
        let (log, series) = observe(family, &plan, &outcome);
        let mut stage = Self {
            instant: start(family, &plan),
            head: outcome.ended,
            head_events: outcome.events,
            marks: marks(&log),
            outcome: Some(outcome),
            series,
            study: None,
            seals: Seals::default(),
            journey: None,
            log,
            source,
            plan,
            seed,
            deeds: Vec::new(),
            pick: Pick::new(),
            look: Look::new(Theme::Mono, false),
        };
        stage.seek(Time::ZERO);
        stage
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
        if to < self.instant.world.now() {
            self.instant = start(self.source.family(), &self.plan);
        }
        advance(&mut self.instant, to);
    }

    /// With the causes known, and when each fate was sealed.
    pub(crate) fn studied(mut self) -> Self {
        let question = Question {
            source: self.source.as_ref(),
            variant: self.plan.variant.as_deref(),
            seed: Some(self.seed),
            sets: &[],
            message: None,
        };
        let explanation = question.explain().unwrap();
        let ledger = self.last();
        let mut sealed = Vec::new();
        for (number, group) in explanation.groups.iter().enumerate() {
            let at = group.chain.links.iter().filter_map(|link| link.at).max().unwrap_or(self.head);
            let subscription = ledger.layout().subscription(&group.subscription).unwrap_or(NONE);
            for message in group.messages.iter().filter_map(|name| ledger.find(name)) {
                sealed.push(Sealed { at, message, subscription, fate: group.fate, group: number });
            }
        }
        sealed.sort_by_key(|one| one.at);
        let harmed = sealed.iter().filter(|one| one.fate != Fate::Backlogged);
        self.marks.extend(harmed.map(|one| mark(one.at, Landmark::Loss, Some(one.message))));
        self.marks.sort_by_key(|mark| mark.at);
        let study = Study { explanation, sealed };
        self.seals = Seals::of(&study);
        self.study = Some(study);
        self
    }

    /// With that message selected, and its journey known.
    pub(crate) fn selected(mut self, name: &str) -> Self {
        let ledger = self.last();
        let message = ledger.find(name).unwrap();
        let is_it = |(_, one): &&(u64, Observation)| one.fact.message() == Some(message);
        let outcome = self.outcome.as_ref().unwrap();
        let chain = |fate, subscription: &str| {
            let groups = self.study.iter().flat_map(|study| &study.explanation.groups);
            let mut groups = groups.filter(|group| group.fate == fate && group.subscription == subscription);
            groups.find(|group| group.messages.iter().any(|one| one == name)).map(|group| group.chain.clone())
        };
        let fates = outcome.verdict.subscriptions.iter().filter_map(|one| {
            let fate = one.by_message.get(message.0 as usize).copied().flatten()?;
            Some((one.name.clone(), fate, chain(fate, &one.name)))
        });
        self.journey = Some(Journey {
            message,
            name: ledger.name(message),
            history: self.log.iter().filter(is_it).map(|(_, one)| *one).collect(),
            fates: fates.collect(),
        });
        self.pick.message = Some(message);
        self
    }

    /// In ASCII.
    pub(crate) fn ascii(mut self) -> Self {
        self.look = Look::new(Theme::Mono, true);
        self
    }

    /// The ledger at the end.
    fn last(&self) -> Ledger {
        let mut instant = start(self.source.family(), &self.plan);
        advance(&mut instant, self.head);
        instant.ledger
    }

    /// What a view is lent.
    pub(crate) fn scene(&self) -> Scene<'_> {
        Scene {
            source: self.source.as_ref(),
            family: self.source.family(),
            plan: &self.plan,
            seed: self.seed,
            deeds: &self.deeds,
            instant: &self.instant,
            head: self.head,
            head_events: self.head_events,
            outcome: self.outcome.as_ref(),
            marks: &self.marks,
            series: &self.series,
            study: self.study.as_ref(),
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

fn start(family: &dyn Family, plan: &Plan) -> Instant {
    let mut world = family.world(plan, plan.seed);
    world.want_details(Details::On);
    Instant { world, ledger: Ledger::new(Arc::new(Layout::new(family, plan))) }
}

/// Up to and including that time.
fn advance(instant: &mut Instant, to: Time) {
    let mut slice = Vec::new();
    loop {
        let progress = instant.world.advance(to, &mut slice);
        instant.ledger.observe(&slice);
        slice.clear();
        if !matches!(progress, Progress::Pause | Progress::Asked) {
            return;
        }
    }
}

const BUCKET: Span = Span::from_millis(50);

fn observe(family: &dyn Family, plan: &Plan, outcome: &Outcome) -> (Vec<(u64, Observation)>, Series) {
    let mut instant = start(family, plan);
    let mut log = Vec::new();
    let gauges = instant.world.gauges().iter().map(|gauge| gauge.name.clone()).collect();
    let mut series = Series { bucket: BUCKET, samples: Vec::new(), gauges };
    let subscriptions = instant.ledger.layout().subscriptions.len();
    let mut slice = Vec::new();
    loop {
        let progress = instant.world.step(&mut slice);
        if instant.world.now() > outcome.ended || matches!(progress, Progress::Ended | Progress::Bound(_)) {
            break;
        }
        instant.ledger.observe(&slice);
        let bucket = (instant.world.now().0 / BUCKET.0) as usize;
        while series.samples.len() <= bucket {
            let none = vec![0; subscriptions];
            let (delivered, effects, backlog) = (none.clone(), none.clone(), none);
            series.samples.push(Sample { delivered, effects, backlog, ..Sample::default() });
        }
        let sample = &mut series.samples[bucket];
        for one in slice.drain(..) {
            match one.fact {
                Fact::Due { .. } => sample.due += 1,
                Fact::Confirmed { .. } => sample.confirmed += 1,
                Fact::Failed { .. } => sample.failed += 1,
                Fact::Delivered { subscription, .. } => sample.delivered[subscription.0 as usize] += 1,
                Fact::Effect { subscription, .. } => sample.effects[subscription.0 as usize] += 1,
                _ => {}
            }
            log.push((instant.world.events(), one));
        }
        let waiting = |number| instant.ledger.waiting(crate::fact::SubscriptionId(number as u16));
        sample.backlog = (0..subscriptions).map(waiting).collect();
        sample.gauges = instant.world.gauges().iter().map(|gauge| gauge.value).collect();
    }
    (log, series)
}

fn mark(at: Time, landmark: Landmark, message: Option<MessageId>) -> TimeMark {
    TimeMark { at, landmark, is_end: false, node: None, message }
}

fn marks(log: &[(u64, Observation)]) -> Vec<TimeMark> {
    let mut done = BTreeSet::new();
    let mut marks = Vec::new();
    for (_, one) in log {
        let at = one.at;
        match one.fact {
            Fact::Fault { .. } | Fact::FaultEnded { .. } => marks.push(TimeMark {
                node: Some(one.node),
                is_end: matches!(one.fact, Fact::FaultEnded { .. }),
                ..mark(at, Landmark::Fault, None)
            }),
            Fact::LeaderElected { .. } => marks.push(mark(at, Landmark::Election, None)),
            Fact::Effect { message, subscription, .. } if !done.insert((subscription, message)) => {
                marks.push(mark(at, Landmark::Duplicate, Some(message)));
            }
            _ => {}
        }
    }
    marks
}

/// A built-in scenario.
struct BuiltIn {
    scenario: Scenario,
    about: About,
}

impl BuiltIn {
    fn find(name: &str) -> Self {
        let Ok(found) = catalog::find(name) else { panic!("there is no scenario {name}") };
        let Ok(scenario) = found.read() else { panic!("{name} is wrong") };
        let about = About { name: name.to_owned(), title: scenario.title().to_owned(), ..About::default() };
        Self { scenario, about }
    }
}

impl Source for BuiltIn {
    fn about(&self) -> &About {
        &self.about
    }
    fn family(&self) -> &'static dyn Family {
        broker::family(self.scenario.family).unwrap()
    }
    fn variants(&self) -> Vec<String> {
        self.scenario.variants.clone()
    }
    fn plan(&self, variant: Option<&str>, sets: &[String]) -> Result<Plan, String> {
        self.scenario.plan(variant, sets).map_err(|_| format!("{} is wrong", self.scenario.name))
    }
}
