use super::*;
use crate::fact::{Fact, SubscriptionId};
use crate::lab::Source;
use crate::lab::fake::{Fake, FakeScenario};
use crate::lab::run::Run;
use crate::ledger::Fate;
use crate::sim::Span;

fn ms(ms: u64) -> Position {
    Position::Time(Time::ZERO + Span::from_millis(ms))
}

fn recording() -> Recording {
    let plan = FakeScenario::new().plan(None, &[]).unwrap();
    let mut recording = Recording::new(&Fake, &plan, 42);
    recording.spacing = 7;
    while recording.record(50) {}
    recording
}

fn end(recording: &mut Recording) -> (u64, u64) {
    recording.seek(ms(4000));
    (recording.cursor().world.digest(), recording.cursor().judge().fate(Fate::Lost))
}

#[test]
fn it_ends_as_a_run_does() {
    let recording = recording();
    let plan = FakeScenario::new().plan(None, &[]).unwrap();
    let run = Run::new(&Fake, &plan, 42).outcome(&[]);
    let outcome = recording.outcome().unwrap();
    assert_eq!((outcome.digest, outcome.ended, outcome.events), (run.digest, run.ended, run.events));
    assert_eq!(outcome.verdict, run.verdict);
}

#[test]
fn every_instant_is_the_same_by_whichever_way() {
    let mut recording = recording();
    let straight = end(&mut recording);
    assert_eq!(straight, (recording.head().world.digest(), 1));
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
    recording.seek(Position::Event(0));
    assert!(!recording.step_back());
    assert_eq!(end(&mut recording), straight);
    assert!(!recording.step_forward(), "the run is over");
}

#[test]
fn it_goes_on_while_somebody_watches() {
    let plan = FakeScenario::new().plan(None, &[]).unwrap();
    let mut recording = Recording::new(&Fake, &plan, 42);
    assert!(recording.step_forward() && !recording.is_whole());
    assert_eq!((recording.cursor().events(), recording.head().events()), (1, 1));
    recording.seek(ms(500));
    assert_eq!(recording.cursor().events(), 1, "there is no more of it yet");
    assert!(recording.record_to(ms(500)));
    recording.seek(ms(500));
    assert_eq!(recording.cursor().now(), Time::ZERO + Span::from_millis(500));
    assert!(!recording.record(u64::MAX) && recording.is_whole());
}

#[test]
fn segments_tell_everything_and_name_the_event() {
    let mut recording = recording();
    let segments: Vec<_> = (0..recording.segments()).map(|index| recording.segment(index)).collect();
    assert_eq!(segments[0].from_events, 0);
    assert_eq!(segments.last().unwrap().to_events, recording.head().events());
    for (index, segment) in segments.iter().enumerate() {
        assert!(segment.entries.is_sorted_by_key(|(events, _)| *events));
        for (events, _) in &segment.entries {
            assert_eq!(recording.segment_of(*events), index);
        }
    }
    let all = segments.iter().flat_map(|segment| &segment.entries);
    let (fault, observation) =
        *all.clone().find(|(_, observation)| matches!(observation.fact, Fact::Fault { .. })).unwrap();
    let notable = recording.notable().iter().find(|one| one.kind == NotableKind::Fault).unwrap();
    assert_eq!((notable.events, notable.observation), (fault, observation));
    recording.seek(Position::Event(fault));
    assert_eq!(recording.cursor().now(), observation.at);
    assert_eq!(all.filter(|(_, one)| matches!(one.fact, Fact::Due { .. })).count(), 100);
}

#[test]
fn the_series_adds_up() {
    let recording = recording();
    let series = recording.series();
    let sum = |of: fn(&crate::lab::series::Sample) -> u64| series.samples.iter().map(of).sum::<u64>();
    assert_eq!((sum(|one| one.due), sum(|one| one.confirmed)), (100, 100));
    assert_eq!(sum(|one| one.effects[0]), recording.head().ledger.messages() as u64 - 1);
    assert_eq!(series.samples.last().unwrap().backlog[0], recording.head().ledger.waiting(SubscriptionId(0)));
    assert_eq!(series.bucket, Span::from_millis(10));
    let last = series.bucket_of(recording.head().now());
    assert!(series.samples[last].due == 0 && last < series.samples.len());
}

#[test]
fn frames_thin_out_and_the_beginning_stays() {
    let plan = FakeScenario::new().plan(None, &[]).unwrap();
    let mut recording = Recording::new(&Fake, &plan, 42);
    recording.spacing = 1;
    while recording.record(1) {}
    assert!(recording.frames.len() <= FRAMES_MAX && recording.spacing > 1);
    assert_eq!(recording.frames[0].events(), 0);
    recording.seek(Position::Event(3));
    assert_eq!(recording.cursor().events(), 3);
}
