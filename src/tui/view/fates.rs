//! The fates: one cell for each message, in the order in which they fell due.
//!
//! ```text
//! 510 messages to billing
//! ■ processed 480   ○ waiting 12   ✗ lost 18
//!
//!     0.0000s ■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■
//! ›   0.3000s ■■■■■■■■■■■■✗✗✗✗✗■■■■■■■■■■■■■
//!
//! › checkout#17  ✗ lost  confirmed, then gone without a word
//! ```
//!
//! Where there are more messages than cells, a cell stands for several and shows the worst of them; a strip below shows
//! those around the selection one by one.
//!
//! Invariant: the counts add up to the messages addressed to the subscription so far.

use ratatui::layout::Rect;

use super::page::Page;
use crate::broker::Names as _;
use crate::fact::{MessageId, SubscriptionId};
use crate::ledger::{Fate, Standing};
use crate::sim::Time;
use crate::tui::action::Action;
use crate::tui::out::{Out, width};
use crate::tui::scene::Scene;
use crate::tui::sentence::messages;
use crate::tui::theme::Role;

/// Rows begin with the time at which their first message fell due, where there is room.
const GUTTER: u16 = 12;
/// Kinds of standings.
const KINDS: usize = Fate::ALL.len() + 2;

/// Draws the view.
pub fn draw(scene: &Scene<'_>, area: Rect, out: &mut Out) {
    let area = area.intersection(out.area());
    if area.is_empty() {
        return;
    }
    out.claim(area);
    let survey = Survey::of(scene, scene.pick.subscription);
    let legend = legend(scene, &survey, area.width);
    // The grid needs at least a row, and the selection one.
    let legend_rows = (legend.len() as u16).min(area.height.saturating_sub(2).max(1));
    let selected = scene.pick.message.and_then(|message| survey.find(message));
    let footer = u16::from(selected.is_some() && area.height > legend_rows + 1);
    let gap = |rows: u16| u16::from(area.height >= rows);
    let top = legend_rows + gap(12);
    let bottom = footer + gap(12) * footer;
    legend.draw(Rect { height: legend_rows, ..area }, 0, out);
    let grid =
        Rect { y: area.y + top.min(area.height), height: area.height.saturating_sub(top + bottom), ..area };
    if survey.cells.is_empty() {
        out.fitted(grid, 0, 0, scene.look.word("fates.nothing"), scene.look, Role::Dim);
        return;
    }
    let view = View { scene, survey: &survey, selected };
    view.messages(grid, out);
    if footer > 0
        && let Some(index) = selected
    {
        let row = Rect { y: area.bottom() - 1, height: 1, ..area };
        view.about(index, row, out);
    }
}

/// How every message stands.
pub(super) struct Survey {
    /// In the order in which they fell due: which, and how it stands as an index into [`kinds`].
    cells: Vec<(MessageId, u8)>,
    counts: [u64; KINDS],
}

impl Survey {
    /// One pass over all messages: the same as [`Scene::standing`] of each.
    pub(super) fn of(scene: &Scene<'_>, subscription: SubscriptionId) -> Self {
        let messages = scene.ledger().messages();
        let mut survey = Self { cells: Vec::with_capacity(messages), counts: [0; KINDS] };
        each(scene, subscription, &mut |id, kind| {
            survey.counts[kind] += 1;
            survey.cells.push((id, kind as u8));
        });
        survey
    }

    /// How many messages stand how, in the order of legends.
    fn tally(&self) -> Vec<(Standing, u64)> {
        kinds().into_iter().zip(self.counts).collect()
    }

    /// Where a message is.
    fn find(&self, message: MessageId) -> Option<usize> {
        self.cells.binary_search_by_key(&message, |(id, _)| *id).ok()
    }
}

/// How many messages stand how, in the order of legends: the same as a survey's, and nothing is kept of the messages.
pub(super) fn tally(scene: &Scene<'_>, subscription: SubscriptionId) -> Vec<(Standing, u64)> {
    let mut counts = [0; KINDS];
    each(scene, subscription, &mut |_, kind| counts[kind] += 1);
    kinds().into_iter().zip(counts).collect()
}

/// Each message that is addressed to the subscription, and how it stands as an index into [`kinds`].
fn each(scene: &Scene<'_>, subscription: SubscriptionId, take: &mut impl FnMut(MessageId, usize)) {
    let now = scene.now();
    let messages = scene.ledger().messages() as u32;
    if let Some(outcome) = scene.outcome.filter(|_| scene.is_over()) {
        let index = usize::from(subscription.0).min(scene.ledger().layout().subscriptions.len());
        let judged = outcome.verdict.subscriptions.get(index).map_or(&[][..], |judged| &judged.by_message);
        for (id, fate) in (0..messages).map(MessageId).zip(judged) {
            if let Some(fate) = *fate {
                take(id, kind(Standing::Fate(fate)));
            }
        }
        return;
    }
    let sealed = scene.seals.at(subscription).filter(|(_, at, _)| *at <= now);
    let mut sealed = sealed.map(|(message, _, fate)| (message, fate)).peekable();
    for id in (0..messages).map(MessageId) {
        let seal = sealed.next_if(|(message, _)| *message <= id).filter(|(message, _)| *message == id);
        let standing = match (scene.ledger().standing(id, subscription), seal) {
            (Some(Standing::Open | Standing::Waiting), Some((_, fate))) => Some(Standing::Fate(fate)),
            (so_far, _) => so_far,
        };
        if let Some(standing) = standing {
            take(id, kind(standing));
        }
    }
}

fn kind(standing: Standing) -> usize {
    match standing {
        Standing::Open => 0,
        Standing::Waiting => 1,
        Standing::Fate(fate) => 2 + fate as usize,
    }
}

/// All standings, in the order of [`kind`].
fn kinds() -> [Standing; KINDS] {
    let mut all = Standing::all();
    std::array::from_fn(|_| all.next().expect("as many as were counted"))
}

/// The worse, the larger: harm that nobody heard of, then what somebody did, then what is not settled.
fn badness(standing: Standing) -> u8 {
    match standing {
        Standing::Fate(fate) => match fate {
            Fate::Lost => 14,
            Fate::Duplicated => 13,
            Fate::Phantom => 12,
            Fate::Stranded => 11,
            Fate::Expired => 10,
            Fate::Overflowed => 9,
            Fate::Unroutable => 8,
            Fate::Discarded => 7,
            Fate::DeadLettered => 6,
            Fate::Rejected => 5,
            Fate::Unsent => 4,
            Fate::Backlogged => 3,
            Fate::Processed => 0,
        },
        Standing::Waiting => 2,
        Standing::Open => 1,
    }
}

fn legend<'a>(scene: &Scene<'a>, survey: &Survey, columns: u16) -> Page<'a> {
    let look = scene.look;
    let mut page = Page::new(look, columns);
    let name = scene.ledger().layout().subscription_name(scene.pick.subscription);
    let all = messages(look, survey.cells.len() as u64);
    page.line(vec![(look.with("fates.title", &[("messages", &all), ("subscription", &name)]), Role::Title)]);
    let seen = survey.tally().into_iter().filter(|(_, count)| *count > 0);
    let entries: Vec<_> = seen
        .map(|(standing, count)| {
            let role = look.standing_role(standing);
            let text = format!(" {} {count}", look.standing(standing));
            vec![(look.glyph(standing).to_string(), role), (text, Role::Text)]
        })
        .collect();
    page.flow(0, &entries);
    page
}

struct View<'a> {
    scene: &'a Scene<'a>,
    survey: &'a Survey,
    /// Where the selected message is.
    selected: Option<usize>,
}

/// Rows of cells.
#[derive(Clone, Copy)]
struct Grid {
    area: Rect,
    gutter: u16,
    columns: usize,
}

impl Grid {
    fn of(area: Rect) -> Self {
        let gutter = if area.width >= 50 { GUTTER } else { 0 };
        let room = usize::from(area.width - gutter);
        // Tens are easy to count.
        let columns = if room >= 20 { room / 10 * 10 } else { room };
        Self { area, gutter, columns: columns.max(1) }
    }

    fn room(&self) -> usize {
        self.columns * usize::from(self.area.height)
    }

    /// Where a cell is, in the area.
    fn at(&self, cell: usize) -> (u16, u16) {
        (self.gutter + (cell % self.columns) as u16, (cell / self.columns) as u16)
    }
}

impl View<'_> {
    fn messages(&self, area: Rect, out: &mut Out) {
        if area.is_empty() {
            return;
        }
        let grid = Grid::of(area);
        let all = self.expected();
        if all <= usize::from(area.height) && area.width >= GUTTER {
            return self.list(area, out);
        }
        if all <= grid.room() {
            return self.cells(grid, 1, 0..self.survey.cells.len(), out);
        }
        // A caption, the bands, and the strip.
        let strip = if area.height >= 4 { 2 } else { 0 };
        let caption = u16::from(area.height >= 2);
        let bands = Grid::of(Rect {
            y: area.y + caption,
            height: area.height.saturating_sub(caption + strip).max(1),
            ..area
        });
        let size = round_up(all.div_ceil(bands.room()));
        if caption > 0 {
            let text = self.scene.look.with("fates.bands", &[("count", &size)]);
            out.fitted(area, bands.gutter, 0, &text, self.scene.look, Role::Dim);
        }
        self.cells(bands, size, 0..self.survey.cells.len(), out);
        if strip > 0 {
            let row = Grid::of(Rect { y: area.bottom() - 1, height: 1, ..area });
            self.strip(row, out);
        }
    }

    /// Few messages, each in words.
    fn list(&self, area: Rect, out: &mut Out) {
        let look = self.scene.look;
        let kinds = kinds();
        let names = self.survey.cells.iter().map(|(id, _)| self.scene.message(*id));
        let widest = names.map(|name| width(&name)).max().unwrap_or(0).min(area.width / 3);
        let cells = self.survey.cells.iter().map(|(_, kind)| kinds[usize::from(*kind)]);
        let words = cells.map(|standing| width(look.standing(standing))).max().unwrap_or(0);
        for (index, (id, kind)) in self.survey.cells.iter().enumerate().take(usize::from(area.height)) {
            let standing = kinds[usize::from(*kind)];
            let row = Rect { y: area.y + index as u16, height: 1, ..area };
            let role = look.standing_role(standing);
            let name = Rect { width: 2 + widest, ..row };
            let is_selected = self.selected == Some(index);
            if is_selected {
                out.glyph(row, 0, 0, look.glyphs.pointer, look.style(Role::Accent));
            }
            let named = if is_selected { Role::Selected } else { Role::Text };
            out.fitted(name, 2, 0, &self.scene.message(*id), look, named);
            out.glyph(row, widest + 4, 0, look.glyph(standing), look.style(role));
            out.fitted(row, widest + 6, 0, look.standing(standing), look, role);
            out.fitted(row, widest + words + 8, 0, &self.meaning(*id, standing), look, Role::Dim);
            out.hit(row, Action::SelectMessage(*id));
        }
    }

    /// How many messages there are going to be, if that is known: then nothing moves while the cursor does.
    fn expected(&self) -> usize {
        let name = self.scene.ledger().layout().subscription_name(self.scene.pick.subscription);
        let judged = self.scene.outcome.map_or(&[][..], |outcome| &outcome.verdict.subscriptions);
        let addressed = judged.iter().find(|one| one.name == name).map_or(0, |one| one.addressed);
        (addressed as usize).max(self.survey.cells.len())
    }

    /// These messages, `size` of them to a cell.
    fn cells(&self, grid: Grid, size: usize, range: std::ops::Range<usize>, out: &mut Out) {
        let look = self.scene.look;
        let kinds = kinds();
        let badness = kinds.map(badness);
        let looks = kinds.map(|standing| (look.glyph(standing), look.style(look.standing_role(standing))));
        let from = range.start;
        let selected = self.selected.filter(|index| range.contains(index)).map(|index| (index - from) / size);
        for (cell, band) in self.survey.cells[range].chunks(size).enumerate().take(grid.room()) {
            let worst = band.iter().max_by_key(|(_, kind)| badness[usize::from(*kind)]);
            let Some(&(_, kind)) = worst else { continue };
            let (column, row) = grid.at(cell);
            let (glyph, style) = looks[usize::from(kind)];
            let style = if selected == Some(cell) { look.style(Role::Selected) } else { style };
            out.glyph(grid.area, column, row, glyph, style);
            // The first of the worst: of many of a kind, the one with which it began.
            let first = band.iter().find(|(_, other)| *other == kind).map_or(band[0].0, |(id, _)| *id);
            let at = Rect { x: grid.area.x + column, y: grid.area.y + row, width: 1, height: 1 };
            out.hit(at, Action::SelectMessage(first));
            if column == grid.gutter {
                self.gutter(grid, row, band[0].0, out);
            }
        }
        if let (Some(cell), true) = (selected, grid.gutter > 0) {
            let (_, row) = grid.at(cell);
            out.glyph(grid.area, 0, row, look.glyphs.pointer, look.style(Role::Accent));
        }
    }

    /// When the first message of a row fell due.
    fn gutter(&self, grid: Grid, row: u16, first: MessageId, out: &mut Out) {
        if grid.gutter > 0 {
            let due = self.scene.ledger().due_at(first).unwrap_or(Time::ZERO).to_string();
            out.text(grid.area, 1, row, &format!("{due:>10}"), self.scene.look.style(Role::Dim));
        }
    }

    /// The messages around the selection, or around the last one, each in a cell of its own.
    fn strip(&self, grid: Grid, out: &mut Out) {
        let look = self.scene.look;
        let last = self.survey.cells.len().saturating_sub(1);
        let focus = self.selected.unwrap_or(last);
        let from = focus.saturating_sub(grid.columns / 2).min((last + 1).saturating_sub(grid.columns));
        let to = (from + grid.columns).min(last + 1);
        let above = Rect { y: grid.area.y - 1, ..grid.area };
        let message = self.scene.message(self.survey.cells[focus].0);
        let text = look.with("fates.strip", &[("message", &message)]);
        out.fitted(above, grid.gutter, 0, &text, look, Role::Dim);
        self.cells(grid, 1, from..to, out);
    }

    /// The selected message in words.
    fn about(&self, index: usize, row: Rect, out: &mut Out) {
        let look = self.scene.look;
        let (message, kind) = self.survey.cells[index];
        let standing = kinds()[usize::from(kind)];
        let mut column = out.text(row, 0, 0, &look.glyphs.pointer.to_string(), look.style(Role::Accent)) + 1;
        let parts = [
            (self.scene.message(message) + "  ", Role::Title),
            (format!("{} {}  ", look.glyph(standing), look.standing(standing)), look.standing_role(standing)),
            (self.meaning(message, standing), Role::Text),
        ];
        for (text, role) in parts {
            column += out.fitted(row, column, 0, &text, look, role);
        }
    }

    fn meaning(&self, message: MessageId, standing: Standing) -> String {
        let look = self.scene.look;
        let meaning = match standing {
            Standing::Open => look.word("fates.open"),
            Standing::Waiting => look.word("fates.waiting"),
            Standing::Fate(fate) => fate.meaning(),
        };
        let due = self.scene.ledger().due_at(message).unwrap_or(Time::ZERO);
        match self.scene.ledger().delay(message, self.scene.pick.subscription) {
            Some(delay) => {
                look.with("fates.done", &[("meaning", &meaning), ("due", &due), ("delay", &delay)])
            }
            None => look.with("fates.due", &[("meaning", &meaning), ("due", &due)]),
        }
    }
}

/// The next number that is easy to multiply with.
fn round_up(count: usize) -> usize {
    let mut unit = 1;
    loop {
        for factor in [1, 2, 3, 4, 5, 6, 8] {
            if unit * factor >= count {
                return unit * factor;
            }
        }
        unit *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::Tally;
    use crate::tui::view::kit::{SIZES, Stage, demand_all_sizes, demand_tidy};
    use proptest::prelude::*;

    fn hundred_thousand() -> Stage {
        Stage::fake_with(|plan| {
            plan.producers[0].messages = Some(100_000);
            plan.run_for = crate::sim::Span::from_secs(1200);
            plan.faults.clear();
        })
    }

    #[test]
    fn a_message_waits_until_its_loss_was_sealed() {
        let before = Stage::fake().studied().selected("checkout#50").at(504);
        insta::assert_snapshot!("fates_before", before.text(draw, 78, 17));
        let lost = Stage::fake().studied().at(506);
        let name = lost.study.as_ref().unwrap().explanation.groups[0].messages[0].clone();
        let lost = lost.selected(&name);
        insta::assert_snapshot!("fates_after", lost.text(draw, 78, 17));
        insta::assert_snapshot!("fates_end_ascii", lost.ascii().at_end().text(draw, 60, 13));
    }

    #[test]
    fn many_messages_share_cells_and_the_selection_stays_in_sight() {
        let stage = hundred_thousand().at_end().selected("checkout#70000");
        for (number, (width, height)) in SIZES.into_iter().enumerate() {
            insta::assert_snapshot!(format!("fates_many_{number}"), stage.text(draw, width, height));
        }
        let out = stage.draw(draw, 118, 31);
        assert!(matches!(out.action_at(50, 10), Some(Action::SelectMessage(_))));
        for (width, height) in [(0, 5), (7, 1), (31, 2), (60, 3), (78, 4), (118, 6), (240, 70)] {
            demand_tidy(&stage.draw(draw, width, height), "many messages");
        }
    }

    #[test]
    fn nothing_was_sent_yet_and_names_may_be_chinese() {
        let mut stage = Stage::fake_with(|plan| {
            plan.producers[0].name = "订单服务".to_owned();
            plan.consumers[0].name = "账单".to_owned();
        });
        stage.pick.message = Some(MessageId(3));
        insta::assert_snapshot!(
            "fates_nothing",
            Stage::fake_with(|plan| plan.producers[0].messages = Some(0)).text(draw, 60, 4)
        );
        insta::assert_snapshot!("fates_chinese", stage.at(100).text(draw, 60, 13));
    }

    #[test]
    fn it_stays_where_it_belongs() {
        demand_all_sizes(&Stage::fake().studied().selected("checkout#50").at(600), draw);
        demand_all_sizes(&Stage::fake(), draw);
    }

    #[test]
    fn few_messages_are_told_one_by_one() {
        let stage = Stage::fake_with(|plan| plan.producers[0].messages = Some(7));
        let stage = stage.selected("checkout#3").at(45);
        insta::assert_snapshot!("fates_few", stage.text(draw, 78, 17));
        insta::assert_snapshot!("fates_few_narrow", stage.text(draw, 40, 13));
        demand_all_sizes(&stage, draw);
    }

    #[test]
    fn one_pass_says_the_same_as_each_message_asked() {
        let mut stage = Stage::fake().studied();
        for ms in [0, 300, 504, 506, 900, 2000] {
            stage = stage.at(ms);
            let scene = stage.scene();
            for (id, found) in Survey::of(&scene, SubscriptionId(0)).cells {
                assert_eq!(Some(usize::from(found)), scene.standing(id, scene.pick.subscription).map(kind));
            }
        }
    }

    #[test]
    fn at_the_end_the_counts_are_the_verdict() {
        let stage = Stage::fake().studied().at_end();
        let survey = Survey::of(&stage.scene(), SubscriptionId(0));
        let fates: &Tally = &stage.outcome.as_ref().unwrap().verdict.subscriptions[0].fates;
        for fate in Fate::ALL {
            assert_eq!(survey.counts[kind(Standing::Fate(fate))], fates.of(fate), "{}", fate.name());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_legend_adds_up(ms in 0u64..1200) {
            let stage = Stage::fake().at(ms);
            let survey = Survey::of(&stage.scene(), SubscriptionId(0));
            prop_assert_eq!(survey.counts.iter().sum::<u64>(), survey.cells.len() as u64);
            let text = stage.text(draw, 118, 31);
            let legend = text.lines().nth(1).unwrap_or_default();
            let shown: u64 = legend.split_whitespace().filter_map(|word| word.parse::<u64>().ok()).sum();
            prop_assert_eq!(shown, survey.cells.len() as u64, "{}", text);
        }
    }
}
