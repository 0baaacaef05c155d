//! What is told of the events around the cursor: each in a sentence, or what is routine as counts.

use crate::broker::Names as _;
use crate::fact::{Fact, FamilyFact, Observation};
use crate::sim::{Span, Time};
use crate::tui::scene::Scene;
use crate::tui::sentence::sentence;

/// So many observations before and after the cursor are looked at.
const REACH: usize = 4000;
/// The same for what is only counted.
const DIGEST_REACH: usize = 100_000;

/// A line of the list.
pub(super) struct Line {
    /// The number of the event, of several the last.
    pub(super) event: u64,
    /// When.
    pub(super) at: Time,
    /// Where; empty: in several places.
    pub(super) node: String,
    /// What.
    pub(super) text: String,
    /// How many more of the kind there were.
    more: u64,
    /// Counts of what is routine.
    pub(super) is_quiet: bool,
}

/// What is told around the cursor.
pub(super) struct Told {
    /// Those that the filter lets through.
    pub(super) lines: Vec<Line>,
    /// How many there are without the filter.
    pub(super) all: usize,
    /// The line of the cursor's event, or the last one before it.
    pub(super) here: usize,
    /// Which is selected.
    pub(super) selected: usize,
}

impl Told {
    /// What fits into this height, and with a filter everything within reach: then there is something to count.
    pub(super) fn around(scene: &Scene<'_>, height: usize) -> Self {
        let cursor = scene.log.partition_point(|(event, _)| *event <= scene.events());
        let (before, after) = scene.log.split_at(cursor);
        let filter = scene.pick.filter.to_lowercase();
        let away = usize::try_from(scene.pick.line.unsigned_abs()).unwrap_or(REACH);
        let needed = if filter.is_empty() { away.saturating_add(height).min(REACH) } else { REACH };
        let mut all = 0;
        let mut past: Vec<_> = Vec::new();
        for (event, seen) in before.iter().rev().take(REACH) {
            if past.len() < needed {
                past.extend(line(scene, *event, seen, &filter, &mut all));
            }
        }
        past.reverse();
        let here = past.len().saturating_sub(1);
        let mut lines = past;
        let full = lines.len() + needed;
        for (event, seen) in after.iter().take(REACH) {
            if lines.len() < full {
                lines.extend(line(scene, *event, seen, &filter, &mut all));
            }
        }
        let last = lines.len().saturating_sub(1);
        let away = isize::try_from(scene.pick.line.saturating_neg()).unwrap_or(isize::MAX);
        let selected = here.saturating_add_signed(away).min(last);
        Self { lines, all, here, selected }
    }

    /// Everything in sentences but what is routine, which is counted; the cursor's own event is always told.
    pub(super) fn digest(scene: &Scene<'_>, height: usize) -> Self {
        let cursor = scene.log.partition_point(|(event, _)| *event <= scene.events());
        let before = &scene.log[..cursor];
        let mut past = Digest::new(scene);
        for index in (0..before.len()).rev().take(DIGEST_REACH) {
            if past.lines.len() > height {
                break;
            }
            past.add(index);
        }
        let mut lines = past.finish();
        lines.reverse();
        let here = lines.len().saturating_sub(1);
        let mut to_come = Digest::new(scene);
        for index in (cursor..scene.log.len()).take(DIGEST_REACH) {
            if to_come.lines.len() > height {
                break;
            }
            to_come.add(index);
        }
        lines.extend(to_come.finish());
        Self { all: lines.len(), lines, here, selected: here }
    }
}

/// Two of a kind that are further apart are two lines.
const TOGETHER: Span = Span::from_millis(100);

/// Lines in the making, from the cursor outwards.
struct Digest<'a> {
    scene: &'a Scene<'a>,
    lines: Vec<Line>,
    routine: Routine,
    /// What lines say: more of the same, soon after, is counted there.
    open: Vec<Open>,
}

/// A line that more may be counted on.
struct Open {
    same: Same,
    /// Which line.
    line: usize,
    at: Time,
    more: u64,
}

/// How much that is routine there was.
#[derive(Default)]
struct Routine {
    until: Option<(u64, Time)>,
    due: u64,
    confirmed: u64,
    effects: u64,
}

/// Whether it only says what the entries before it have said: a process that a fault ends has ended, and a fault whose
/// process runs again is over.
fn follows(before: &[(u64, Observation)], seen: &Observation) -> bool {
    let mut same =
        before.iter().rev().take(16).filter(|(_, other)| (other.at, other.node) == (seen.at, seen.node));
    match seen.fact {
        Fact::NodeDown { .. } => same.any(|(_, other)| matches!(other.fact, Fact::Fault { .. })),
        Fact::FaultEnded { .. } => same.any(|(_, other)| matches!(other.fact, Fact::NodeUp)),
        _ => false,
    }
}

/// What observations have in common that are told as one: their kind, a number that belongs to it, and whether they are
/// of the cursor's event.
type Same = (std::mem::Discriminant<Fact>, Option<u16>, bool);

impl<'a> Digest<'a> {
    fn new(scene: &'a Scene<'a>) -> Self {
        Self { scene, lines: Vec::new(), routine: Routine::default(), open: Vec::new() }
    }

    /// Takes an entry of the log.
    fn add(&mut self, index: usize) {
        let (event, seen) = &self.scene.log[index];
        let event = *event;
        let is_here = event == self.scene.events();
        if !is_here && (self.routine.take(event, seen) || follows(&self.scene.log[..index], seen)) {
            return;
        }
        let same = (std::mem::discriminant(&seen.fact), number(seen), is_here);
        // Before the cursor time runs backwards.
        self.open.retain(|open| seen.at.since(open.at).max(open.at.since(seen.at)) <= TOGETHER);
        if let Some(open) = self.open.iter_mut().find(|open| open.same == same) {
            (open.more, open.at) = (open.more + 1, seen.at);
            let line = &mut self.lines[open.line];
            line.more = open.more;
            return;
        }
        let Some(line) = line(self.scene, event, seen, "", &mut 0) else { return };
        self.flush();
        self.open.push(Open { same, line: self.lines.len(), at: seen.at, more: 0 });
        self.lines.push(line);
    }

    /// Says what was counted.
    fn flush(&mut self) {
        let Routine { until, due, confirmed, effects } = std::mem::take(&mut self.routine);
        let look = self.scene.look;
        let counts = [("events.due", due), ("events.confirmed", confirmed), ("events.effects", effects)];
        let counts = counts.iter().filter(|(_, count)| *count > 0);
        let text: Vec<_> = counts.map(|(key, count)| look.with(key, &[("count", count)])).collect();
        if let (Some((event, at)), false) = (until, text.is_empty()) {
            let (node, text) = (String::new(), text.join(", "));
            self.lines.push(Line { event, at, node, text, more: 0, is_quiet: true });
        }
    }

    fn finish(mut self) -> Vec<Line> {
        self.flush();
        let look = self.scene.look;
        for line in self.lines.iter_mut().filter(|line| line.more > 0) {
            line.text = look.with("events.more", &[("text", &line.text), ("count", &line.more)]);
        }
        self.lines
    }
}

impl Routine {
    /// Counts what is routine; false: it is not.
    fn take(&mut self, event: u64, seen: &Observation) -> bool {
        match seen.fact {
            Fact::Due { .. } => self.due += 1,
            Fact::Confirmed { .. } => self.confirmed += 1,
            Fact::Effect { stale: false, .. } => self.effects += 1,
            Fact::Sent { attempt: 0 | 1, .. }
            | Fact::Written { .. }
            | Fact::Stored { .. }
            | Fact::Delivered { .. }
            | Fact::Acknowledged { .. } => {}
            _ => return false,
        }
        self.until = self.until.max(Some((event, seen.at)));
        true
    }
}

fn number(seen: &Observation) -> Option<u16> {
    match seen.fact {
        Fact::Family(FamilyFact { kind, .. }) => Some(kind),
        Fact::Failed { error, .. } => Some(error),
        Fact::Removed { rule, .. } => Some(rule as u16),
        _ => None,
    }
}

/// An observation in words, if it is worth telling and the filter lets it through. A sentence about a message names it.
pub(super) fn line(
    scene: &Scene<'_>,
    event: u64,
    seen: &Observation,
    filter: &str,
    all: &mut usize,
) -> Option<Line> {
    let text = sentence(scene, seen)?;
    *all += 1;
    let node = scene.node(seen.node);
    let is_match = |text: &str| text.to_lowercase().contains(filter);
    let passes = filter.is_empty() || is_match(&text) || is_match(&node);
    passes.then_some(Line { event, at: seen.at, node, text, more: 0, is_quiet: false })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::view::kit::Stage;

    #[test]
    fn the_selection_leaves_the_cursor_and_stays_in_the_list() {
        let mut stage = Stage::fake().at(505);
        for line in [3, -3, i64::MAX, i64::MIN] {
            stage.pick.line = line;
            let told = Told::around(&stage.scene(), 20);
            let expected = i64::try_from(told.here)
                .unwrap()
                .saturating_sub(line)
                .clamp(0, i64::try_from(told.lines.len()).unwrap() - 1);
            assert_eq!(i64::try_from(told.selected).unwrap(), expected, "{line}");
        }
    }

    #[test]
    fn what_is_counted_is_all_that_happened() {
        let stage = Stage::fake().at(300);
        let told = Told::digest(&stage.scene(), 50);
        let text: Vec<_> = told.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(text[..2], ["30 due, 30 confirmed, 30 processed", "checkout#31 falls due"]);
        assert!(text.iter().any(|text| text.contains("leader-dies")), "{text:?}");
    }
}
