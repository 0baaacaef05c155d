//! Which offsets a column stands for, and what the lanes hold there.

use crate::broker::picture::{LanePicture, PlacePicture};
use crate::fact::MessageId;
use crate::ledger::{Fate, Standing};
use crate::tui::scene::Scene;

/// Up to so many cells of all lanes together are looked at one by one; of more, samples are taken.
const CELLS_MAX: u64 = 8_000;
/// How many samples are taken of all lanes together: a frame has a few milliseconds.
const SAMPLES: u64 = 900;
/// How many cells are looked through for messages of which harm is known.
const SEARCH_MAX: u64 = 100_000;
/// Messages of several senders and tries do not stand in the order of their numbers, but nearly.
const DISORDER: u32 = 512;
/// So many copies are compared with one another.
const LANES_COMPARED: usize = 12;
/// From so many offsets a column on, harmless columns show how much of them is done.
pub(super) const DENSE: u64 = 100;

/// Offsets, and how many of them a column stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// The first offset.
    pub(super) from: u64,
    /// The offset after the last one.
    pub(super) to: u64,
    /// Offsets in a column.
    pub(super) per: u64,
}

impl Window {
    /// All offsets, as few in a column as fits; or single ones up to and including `last`.
    pub(super) fn new(start: u64, end: u64, columns: u16, last: Option<u64>) -> Self {
        let (columns, end) = (u64::from(columns.max(1)), end.max(start));
        if let Some(last) = last {
            let to = last.saturating_add(1).clamp(start, end).max(end.min(start + columns));
            return Self { from: to.saturating_sub(columns).max(start), to, per: 1 };
        }
        let mut per = 1;
        // Bands begin at multiples of their length, so that they stand still while a log grows.
        while (end - start / per * per).div_ceil(per) > columns {
            per = next_round(per);
        }
        Self { from: if per == 1 { start } else { start / per * per }, to: end, per }
    }

    /// How many columns there are.
    pub(super) fn columns(&self) -> usize {
        (self.to - self.from).div_ceil(self.per) as usize
    }

    /// In which column an offset is, if it is at one of them or right behind the last.
    pub(super) fn column(&self, offset: u64) -> Option<u16> {
        let inside = offset >= self.from && offset <= self.to;
        inside.then(
            || if offset == self.to { self.columns() as u64 } else { (offset - self.from) / self.per } as u16,
        )
    }

    /// The offset after the last one of a column.
    pub(super) fn end_of(&self, column: usize) -> u64 {
        (self.from + (column as u64 + 1) * self.per).min(self.to)
    }
}

/// 1, 2, 4, 5, 8, 10, 20, 40, …
fn next_round(number: u64) -> u64 {
    let mut unit = 1;
    while unit * 10 <= number {
        unit *= 10;
    }
    [2, 4, 5, 8, 10].into_iter().map(|lead| lead * unit).find(|&round| round > number).unwrap_or(unit * 10)
}

/// What a lane shows in one column.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Column {
    /// It holds something.
    pub(super) is_there: bool,
    /// The worst standing of its messages; none: none of them is addressed to the subscription.
    pub(super) worst: Option<Standing>,
    /// The only message, where a column stands for one offset.
    pub(super) message: Option<MessageId>,
    /// How many messages were looked at, and how many of them took effect once.
    pub(super) seen: u32,
    pub(super) done: u32,
    /// Another lane holds something else there.
    pub(super) differs: bool,
}

/// What a lane shows.
pub(super) struct Lane {
    /// By column.
    pub(super) columns: Vec<Column>,
    /// The first offset at which it holds something else than others do.
    pub(super) differs_from: Option<u64>,
}

/// What a lane holds at one offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cell {
    /// It has no such offset.
    Missing,
    /// Nothing that is a message.
    Other,
    Message(MessageId),
}

impl Cell {
    fn message(self) -> Option<MessageId> {
        if let Self::Message(message) = self { Some(message) } else { None }
    }
}

/// What every lane of a place shows in every column.
pub(super) fn read(scene: &Scene<'_>, place: &PlacePicture, window: Window) -> Vec<Lane> {
    let offsets = offsets(window, place.lanes.len() as u64);
    let lanes: Vec<_> = (0..place.lanes.len()).map(|lane| held(scene, place, lane, &offsets)).collect();
    let shown = |held: &Vec<Cell>| Lane { columns: fold(scene, window, &offsets, held), differs_from: None };
    let mut read: Vec<_> = lanes.iter().map(shown).collect();
    let mut mark = |lane: usize, from: u64, to: u64| {
        let column = |offset: u64| ((offset - window.from) / window.per) as usize;
        let lane = &mut read[lane];
        lane.columns[column(from)..=column(to)].iter_mut().for_each(|column| column.differs = true);
        lane.differs_from = Some(lane.differs_from.map_or(from, |known| known.min(from)));
    };
    for (at, &offset) in offsets.iter().enumerate() {
        let here: Vec<_> = lanes.iter().map(|held| held[at]).collect();
        odd_ones(&here).for_each(|lane| mark(lane, offset, offset));
    }
    let is_sampled = (offsets.len() as u64) < window.to - window.from;
    if is_sampled {
        for (lane, from, to) in histories(scene, place) {
            mark(lane, from, to);
        }
    }
    if is_sampled {
        let harmed = harmed(scene);
        for (lane, held) in lanes.iter().enumerate() {
            let search = Search { scene, place, lane, window, offsets: &offsets, held, harmed: &harmed };
            search.run(&mut read[lane].columns, SEARCH_MAX / place.lanes.len() as u64);
        }
    }
    read
}

/// The offsets that are looked at: all, or evenly spread ones, the same in every lane.
fn offsets(window: Window, lanes: u64) -> Vec<u64> {
    let length = window.to - window.from;
    if window.per == 1 || length * lanes <= CELLS_MAX {
        return (window.from..window.to).collect();
    }
    let columns = window.columns() as u64;
    let each = (SAMPLES / (columns * lanes.max(1)).max(1)).clamp(1, window.per);
    let of_column =
        |column: u64| (0..each).map(move |n| window.from + column * window.per + n * window.per / each);
    (0..columns).flat_map(of_column).filter(|&offset| offset < window.to).collect()
}

/// The lanes that hold another message than most of those that hold one at an offset; of two, both. A copy without a
/// message there is behind or ahead: it has not heard of it yet, or of its removal. That is no other history.
fn odd_ones(cells: &[Cell]) -> impl Iterator<Item = usize> {
    let like = |cell: &Cell| cells.iter().filter(|other| *other == cell).count();
    let present = || cells.iter().filter(|cell| cell.message().is_some());
    let (most, least) = (present().map(like).max().unwrap_or(0), present().map(like).min().unwrap_or(0));
    // Where as many hold the one as the other, nobody is right.
    let is_odd = move |count: usize| present().count() > most && (count < most || least == most);
    cells
        .iter()
        .enumerate()
        .filter(move |(_, cell)| cell.message().is_some() && is_odd(like(cell)))
        .map(|(at, _)| at)
}

/// Where two copies part, found exactly: once they hold different messages at an offset, they do from there to the
/// end of the shorter one. Lane, first and last offset.
fn histories(scene: &Scene<'_>, place: &PlacePicture) -> Vec<(usize, u64, u64)> {
    let lanes = &place.lanes[..place.lanes.len().min(LANES_COMPARED)];
    let at = |offset: u64| -> Vec<_> { lanes.iter().map(|lane| cell(scene, place, lane, offset)).collect() };
    let mut found = Vec::new();
    for (one, first) in lanes.iter().enumerate() {
        for (other, second) in lanes.iter().enumerate().skip(one + 1) {
            let (from, to) = (first.start.max(second.start), first.end.min(second.end));
            let differ = |offset: u64| {
                let cells = [first, second].map(|lane| cell(scene, place, lane, offset).message());
                cells[0].is_some() && cells[1].is_some() && cells[0] != cells[1]
            };
            if from >= to || !differ(to - 1) {
                continue;
            }
            let (mut same, mut different) = (from, to - 1);
            while same < different {
                let middle = same + (different - same) / 2;
                if differ(middle) {
                    different = middle;
                } else {
                    same = middle + 1;
                }
            }
            let odd: Vec<_> = odd_ones(&at(different)).collect();
            let both = [one, other].into_iter().filter(|lane| odd.contains(lane));
            found.extend(both.map(|lane| (lane, different, to - 1)));
        }
    }
    found
}

/// The first offset at which copies of a place hold different messages.
pub(super) fn parting(scene: &Scene<'_>, place: &PlacePicture) -> Option<u64> {
    histories(scene, place).into_iter().map(|(_, from, _)| from).min()
}

fn cell(scene: &Scene<'_>, place: &PlacePicture, lane: &LanePicture, offset: u64) -> Cell {
    if !(lane.start..lane.end).contains(&offset) {
        return Cell::Missing;
    }
    let cells = scene.instant.world.cells(place.place, lane.node, offset, offset + 1);
    cells.first().map_or(Cell::Missing, |cell| cell.map_or(Cell::Other, Cell::Message))
}

/// What a lane holds at these offsets.
fn held(scene: &Scene<'_>, place: &PlacePicture, lane: usize, offsets: &[u64]) -> Vec<Cell> {
    let lane = &place.lanes[lane];
    let (Some(&first), Some(&last)) = (offsets.first(), offsets.last()) else { return Vec::new() };
    if last - first + 1 > offsets.len() as u64 {
        return offsets.iter().map(|&offset| cell(scene, place, lane, offset)).collect();
    }
    let (from, to) = (first.max(lane.start), (last + 1).min(lane.end));
    let cells =
        if from < to { scene.instant.world.cells(place.place, lane.node, from, to) } else { Vec::new() };
    let at = |offset: u64| {
        let found = offset.checked_sub(from).and_then(|at| cells.get(at as usize));
        found.map_or(Cell::Missing, |cell| cell.map_or(Cell::Other, Cell::Message))
    };
    offsets.iter().map(|&offset| at(offset)).collect()
}

fn fold(scene: &Scene<'_>, window: Window, offsets: &[u64], held: &[Cell]) -> Vec<Column> {
    let mut columns = vec![Column::default(); window.columns()];
    for (offset, cell) in offsets.iter().zip(held) {
        if *cell == Cell::Missing {
            continue;
        }
        let column = &mut columns[((offset - window.from) / window.per) as usize];
        column.is_there = true;
        let Some(message) = cell.message() else { continue };
        if window.per == 1 {
            column.message = Some(message);
        }
        if let Some(standing) = scene.standing(message, scene.pick.subscription) {
            column.add(standing);
        }
    }
    columns
}

impl Column {
    fn add(&mut self, standing: Standing) {
        self.seen += 1;
        self.done += u32::from(standing == Standing::Fate(Fate::Processed));
        if self.worst.is_none_or(|worst| badness(standing) > badness(worst)) {
            self.worst = Some(standing);
        }
    }
}

/// How much a standing wants to be seen.
pub(super) fn badness(standing: Standing) -> u8 {
    match standing {
        Standing::Fate(fate) => match fate {
            Fate::Lost => 14,
            Fate::Duplicated => 13,
            Fate::Stranded => 12,
            Fate::Phantom => 11,
            Fate::Discarded => 10,
            Fate::Overflowed => 9,
            Fate::Expired => 8,
            Fate::Unroutable => 7,
            Fate::DeadLettered => 6,
            Fate::Backlogged => 5,
            Fate::Rejected => 2,
            Fate::Unsent => 1,
            Fate::Processed => 0,
        },
        Standing::Waiting => 4,
        Standing::Open => 3,
    }
}

/// The messages that are known to have come to harm by now, in the order of their numbers.
fn harmed(scene: &Scene<'_>) -> Vec<MessageId> {
    let now = scene.now();
    let sealed = scene.seals.at(scene.pick.subscription).filter(|(_, at, fate)| *at <= now && is_harm(*fate));
    let mut harmed: Vec<_> = sealed.map(|(message, ..)| message).collect();
    if let (true, Some(outcome)) = (scene.is_over(), scene.outcome) {
        let own = outcome.verdict.subscriptions.get(usize::from(scene.pick.subscription.0));
        let fates = own.map_or(&[][..], |own| &own.by_message);
        let found = fates.iter().enumerate().filter(|(_, fate)| fate.is_some_and(is_harm));
        harmed.extend(found.map(|(number, _)| MessageId(number as u32)));
        harmed.sort_unstable();
        harmed.dedup();
    }
    harmed
}

fn is_harm(fate: Fate) -> bool {
    badness(Standing::Fate(fate)) > badness(Standing::Fate(Fate::Backlogged))
}

/// Between two samples anything may hide. What is known to have come to harm is looked for: where the samples' numbers
/// leave room for such a message, every cell is read.
struct Search<'a> {
    scene: &'a Scene<'a>,
    place: &'a PlacePicture,
    lane: usize,
    window: Window,
    offsets: &'a [u64],
    held: &'a [Cell],
    harmed: &'a [MessageId],
}

impl Search<'_> {
    fn run(&self, columns: &mut [Column], mut budget: u64) {
        let lane = &self.place.lanes[self.lane];
        let samples = self.offsets.iter().zip(self.held);
        let mut known = samples.filter_map(|(&offset, cell)| Some((offset, cell.message()?))).peekable();
        let mut before: Option<(u64, MessageId)> = None;
        while budget > 0 {
            let next = known.next();
            let from = before.map_or(lane.start.max(self.window.from), |(offset, _)| offset + 1);
            let to = next.map_or(lane.end.min(self.window.to), |(offset, _)| offset);
            if from < to && self.may_hide(before, next) && !self.is_worst(from, to, columns) {
                let to = to.min(from + budget);
                budget -= to - from;
                self.look(from, to, columns);
            }
            if next.is_none() {
                return;
            }
            before = next;
        }
    }

    /// Whether a harmed message may lie between two samples.
    fn may_hide(&self, before: Option<(u64, MessageId)>, after: Option<(u64, MessageId)>) -> bool {
        let low = before.map_or(0, |(_, message)| message.0);
        let high = after.map_or(u32::MAX, |(_, message)| message.0);
        let (low, high) = (low.min(high).saturating_sub(DISORDER), low.max(high).saturating_add(DISORDER));
        let at = self.harmed.partition_point(|message| message.0 < low);
        self.harmed.get(at).is_some_and(|message| message.0 <= high)
    }

    /// Whether the columns of these offsets cannot look worse.
    fn is_worst(&self, from: u64, to: u64, columns: &[Column]) -> bool {
        let column = |offset: u64| ((offset - self.window.from) / self.window.per) as usize;
        let mut between = columns.iter().take(column(to - 1) + 1).skip(column(from));
        between.all(|column| column.worst == Some(Standing::Fate(Fate::Lost)))
    }

    fn look(&self, from: u64, to: u64, columns: &mut [Column]) {
        let cells =
            self.scene.instant.world.cells(self.place.place, self.place.lanes[self.lane].node, from, to);
        for (at, message) in cells.into_iter().enumerate() {
            let Some(message) = message.filter(|message| self.harmed.binary_search(message).is_ok()) else {
                continue;
            };
            let column = ((from + at as u64 - self.window.from) / self.window.per) as usize;
            let standing = self.scene.standing(message, self.scene.pick.subscription);
            if let (Some(standing), Some(column)) = (standing, columns.get_mut(column)) {
                column.add(standing);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_fits_into_as_few_offsets_a_column_as_possible() {
        let rows = [
            (0, 10, 100, (0, 10, 1)),
            (0, 100, 100, (0, 100, 1)),
            (0, 101, 100, (0, 101, 2)),
            (37, 1_000, 100, (30, 1_000, 10)),
            (0, 1_000_000, 90, (0, 1_000_000, 20_000)),
            (5, 5, 10, (5, 5, 1)),
        ];
        for (start, end, columns, (from, to, per)) in rows {
            assert_eq!(Window::new(start, end, columns, None), Window { from, to, per }, "{start} to {end}");
        }
    }

    #[test]
    fn around_an_offset_there_are_single_cells() {
        assert_eq!(Window::new(0, 1_000, 100, Some(499)), Window { from: 400, to: 500, per: 1 });
        assert_eq!(Window::new(0, 1_000, 100, Some(5)), Window { from: 0, to: 100, per: 1 });
        assert_eq!(Window::new(0, 1_000, 100, Some(u64::MAX)), Window { from: 900, to: 1_000, per: 1 });
        assert_eq!(Window::new(0, 30, 100, Some(5)), Window { from: 0, to: 30, per: 1 });
    }

    #[test]
    fn an_offset_has_a_column_and_so_has_the_one_behind_the_last() {
        let window = Window::new(0, 1_000, 100, None);
        assert_eq!(window.column(999), Some(99));
        assert_eq!(window.column(1_000), Some(100));
        assert_eq!(window.column(1_001), None);
        assert_eq!(window.end_of(99), 1_000);
    }

    #[test]
    fn a_copy_that_lags_does_not_differ() {
        let [one, other] = [1, 2].map(|number| Cell::Message(MessageId(number)));
        let rows: [(&[Cell], &[usize]); 6] = [
            (&[one, one, Cell::Other], &[]),
            (&[Cell::Other, one, Cell::Missing], &[]),
            (&[one, other, one], &[1]),
            (&[one, other], &[0, 1]),
            (&[Cell::Other, one, other], &[1, 2]),
            (&[Cell::Missing, Cell::Other, one], &[]),
        ];
        for (cells, odd) in rows {
            assert_eq!(odd_ones(cells).collect::<Vec<_>>(), odd, "{cells:?}");
        }
    }
}
