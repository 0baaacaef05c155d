//! The verdict: how it ended, which promises held, what decided, and what to try next. Before the end: so far.
//!
//! ```text
//! billing, 510 messages
//! ■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■■✗✗
//! ■ processed 492   ✗ lost 18
//!   at most once   ✓ yes
//!   at least once  ✗ no: 18 confirmed messages had no effect
//!   The store should hold 510 and holds 492: 18 too few.
//! ```

use std::fmt::Display;

use ratatui::layout::Rect;

use super::fates;
use super::page::Page;
use super::why;
use crate::fact::SubscriptionId;
use crate::lab::explain::TrialResult;
use crate::lab::promise::{Guarantee, decided_by, setting_line};
use crate::lab::replay::command;
use crate::lab::run::Outcome;
use crate::ledger::{Fate, NONE, Standing, Store};
use crate::scenario::plan::AUDIT;
use crate::tui::action::{Action, View, Way};
use crate::tui::look::Look;
use crate::tui::out::{Out, width};
use crate::tui::scene::Scene;
use crate::tui::sentence::messages;
use crate::tui::theme::Role;

/// Draws the view.
pub fn draw(scene: &Scene<'_>, area: Rect, out: &mut Out) {
    let area = area.intersection(out.area());
    if area.is_empty() {
        return;
    }
    out.claim(area);
    let mut page = Page::new(scene.look, area.width);
    match scene.outcome {
        Some(outcome) if scene.is_over() => ended(scene, outcome, &mut page),
        _ => so_far(scene, &mut page),
    }
    page.draw(area, scene.pick.scroll, out);
}

/// The whole card.
fn ended(scene: &Scene<'_>, outcome: &Outcome, page: &mut Page<'_>) {
    let look = scene.look;
    page.head(&look.with("verdict.ended", &[("time", &outcome.ended)]));
    let digest = format!("{:016x}", outcome.digest);
    page.say("  ", &look.with("verdict.digest", &[("digest", &digest)]), Role::Dim);
    for reason in outcome.shortfalls() {
        page.say("  ", &reason, Role::Warn);
    }
    for judged in outcome.verdict.counted() {
        let tally: Vec<_> =
            Fate::ALL.map(|fate| (Standing::Fate(fate), judged.fates.of(fate))).into_iter().collect();
        tallied(scene, &judged.name, &tally, page);
        if judged.addressed == 0 {
            continue;
        }
        if judged.name == AUDIT {
            page.say("  ", look.word("verdict.audit"), Role::Dim);
        }
        for guarantee in Guarantee::ALL {
            let set_aside = guarantee.set_aside(judged);
            promise(look, guarantee, (guarantee.broken_by(judged), set_aside), page);
        }
        store(look, judged.store, page);
    }
    for producer in outcome.verdict.producers.iter().filter(|producer| producer.told_wrong > 0) {
        let count = messages(look, producer.told_wrong);
        let values = [("producer", &producer.name as &dyn Display), ("messages", &count)];
        page.head(&look.with("verdict.told_wrong", &values));
    }
    decided(scene, page);
    if !scene.about().lesson.is_empty() {
        page.head(look.word("verdict.lesson"));
        page.say("  ", &scene.about().lesson, Role::Text);
    }
    next(scene, page);
    page.head(look.word("verdict.again"));
    page.say("  ", &replay(scene, scene.plan.variant.as_deref(), &[]), Role::Key);
}

/// What can be said before the end.
fn so_far(scene: &Scene<'_>, page: &mut Page<'_>) {
    let look = scene.look;
    page.head(&look.with("verdict.so_far", &[("time", &scene.now())]));
    if scene.ledger().messages() == 0 {
        return page.say("  ", look.word("fates.nothing"), Role::Dim);
    }
    let mut all: Vec<_> =
        (0..scene.ledger().layout().subscriptions.len() as u16).map(SubscriptionId).collect();
    if scene.ledger().may_lead_nowhere() {
        all.push(NONE);
    }
    for id in all {
        let tally = fates::tally(scene, id);
        if tally.iter().any(|(_, count)| *count > 0) || id != NONE {
            let name = scene.ledger().layout().subscription_name(id).to_owned();
            tallied(scene, &name, &tally, page);
        }
    }
    if !scene.is_over() {
        page.blank();
        page.say("", look.word("verdict.may_change"), Role::Dim);
    }
}

/// A bar, and the counts that it is made of.
fn tallied(scene: &Scene<'_>, name: &str, tally: &[(Standing, u64)], page: &mut Page<'_>) {
    let look = scene.look;
    let all: u64 = tally.iter().map(|(_, count)| count).sum();
    let title = look.with("fates.title", &[("messages", &messages(look, all)), ("subscription", &name)]);
    page.head(&title);
    let seen: Vec<_> = tally.iter().filter(|(_, count)| *count > 0).collect();
    let columns = u64::from(page.width().min(80));
    let mut bar = Vec::new();
    let mut left = columns;
    for (index, (standing, count)) in seen.iter().enumerate() {
        // Whatever there is is seen; the last one takes what is left.
        let others = (seen.len() - index - 1) as u64;
        let share = (count * columns / all.max(1)).max(1);
        let share = if others == 0 { left } else { share.min(left.saturating_sub(others)) };
        left -= share;
        let glyph = look.glyph(*standing).to_string().repeat(share as usize);
        bar.push((glyph, look.standing_role(*standing)));
    }
    if all > 0 {
        page.line(bar);
    }
    let entry = |(standing, count): &&(Standing, u64)| {
        let glyph = look.glyph(*standing).to_string();
        vec![
            (glyph, look.standing_role(*standing)),
            (format!(" {} {count}", look.standing(*standing)), Role::Text),
        ]
    };
    page.flow(0, &seen.iter().map(entry).collect::<Vec<_>>());
}

/// Whether a guarantee was kept; if not, by how many messages it was broken, and of how many it was not asked, as they
/// were set aside.
fn promise(look: &Look, guarantee: Guarantee, (broken, set_aside): (u64, u64), page: &mut Page<'_>) {
    let widest = Guarantee::ALL.into_iter().map(|one| width(look.word(words(one).0))).max().unwrap_or(0);
    let (name, how) = words(guarantee);
    let name = look.word(name);
    let pad = " ".repeat(usize::from(widest - width(name).min(widest) + 2));
    let (glyph, role, text) = if broken == 0 {
        let yes = match set_aside {
            0 => look.word("verdict.yes").to_owned(),
            count => look.with("verdict.set_aside", &[("messages", &messages(look, count))]),
        };
        (look.glyphs.tick, Role::Good, yes)
    } else {
        let number = look.with(how, &[("messages", &messages(look, broken))]);
        (look.glyphs.cross, Role::Bad, look.with("verdict.no", &[("number", &number)]))
    };
    let lead = vec![(format!("  {name}{pad}"), Role::Text), (format!("{glyph} "), role)];
    page.hang(lead, &text, role);
}

/// The name of a guarantee, and how it is broken.
fn words(guarantee: Guarantee) -> (&'static str, &'static str) {
    match guarantee {
        Guarantee::AtMostOnce => ("verdict.at_most_once", "verdict.repeated"),
        Guarantee::AtLeastOnce => ("verdict.at_least_once", "verdict.missing"),
        Guarantee::ExactlyOnce => ("verdict.exactly_once", "verdict.not_once"),
        Guarantee::InOrder => ("verdict.ordered", "verdict.overtaken"),
    }
}

fn store(look: &Look, store: Store, page: &mut Page<'_>) {
    let (key, role, off) = match store.actual.cmp(&store.expected) {
        std::cmp::Ordering::Less => ("verdict.too_few", Role::Bad, store.expected - store.actual),
        std::cmp::Ordering::Equal => ("verdict.balanced", Role::Good, 0),
        std::cmp::Ordering::Greater => ("verdict.too_many", Role::Bad, store.actual - store.expected),
    };
    let values = [("expected", &store.expected as &dyn Display), ("actual", &store.actual), ("off", &off)];
    page.say("  ", &look.with(key, &values), role);
}

/// What decided the worst group's fate: the changes that were tried and prevented it.
fn decided(scene: &Scene<'_>, page: &mut Page<'_>) {
    let look = scene.look;
    let Some(study) = scene.study else {
        page.head(look.word("verdict.decided"));
        let (text, role) = why::unstudied(scene, "why.proving");
        return page.say("  ", &text, role);
    };
    let Some(group) = study.explanation.groups.first() else { return };
    let values = [
        ("messages", &messages(look, group.messages.len() as u64) as &dyn Display),
        ("fate", &why::word(group.fate)),
    ];
    page.head(&look.with("verdict.decided_by", &values));
    let trials = decided_by(&study.explanation);
    if trials.is_empty() {
        page.say("  ", look.word("why.unproved"), Role::Warn);
    }
    for trial in trials {
        let text = match &trial.result {
            TrialResult::Confirmed(others) if !others.is_empty() => {
                let rest: usize = others.iter().map(|(_, count)| count).sum();
                let rest = messages(look, rest as u64);
                look.with("verdict.in_part", &[("remedy", &trial.remedy), ("messages", &rest)])
            }
            _ => trial.remedy.clone(),
        };
        page.hang(vec![(format!("  {} ", look.glyphs.tick), Role::Good)], &text, Role::Text);
    }
    let others = study.explanation.groups.len() - 1 + study.explanation.others;
    if others > 0 {
        page.say("  ", &look.with("verdict.more_causes", &[("count", &others)]), Role::Dim);
    }
    page.hit(&Action::Show(View::Why));
}

/// The changes of settings that save, other variants, and what the scenario itself calls decisive.
fn next(scene: &Scene<'_>, page: &mut Page<'_>) {
    let this = scene.plan.variant.as_deref();
    let variants = scene.source.variants();
    let others = variants.iter().filter(|variant| Some(variant.as_str()) != this);
    let tried = scene.study.map(|study| decided_by(&study.explanation)).unwrap_or_default();
    let saving = tried.iter().find_map(|trial| setting_line(trial));
    let lines: Vec<_> = [saving, scene.about().decisive.as_ref()].into_iter().flatten().collect();
    let mut commands: Vec<_> =
        lines.into_iter().map(|line| replay(scene, this, std::slice::from_ref(line))).collect();
    commands.extend(others.map(|variant| replay(scene, Some(variant), &[])));
    commands.dedup();
    if !commands.is_empty() {
        page.head(scene.look.word("verdict.next"));
        for command in &commands {
            page.say("  ", command, Role::Key);
        }
        page.hit(&Action::NextVariant(Way::On));
    }
}

fn replay(scene: &Scene<'_>, variant: Option<&str>, sets: &[String]) -> String {
    let lines = [scene.lines, sets].concat();
    command(scene.look.word("verdict.verb"), &scene.about().name, variant, Some(scene.seed), &lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::view::kit::{SIZES, Stage, demand_all_sizes};

    #[test]
    fn the_card_says_what_held_and_what_decided() {
        let stage = Stage::fake().studied().at_end();
        insta::assert_snapshot!("verdict_whole", stage.text(draw, 78, 40));
        for (number, (width, height)) in SIZES.into_iter().enumerate() {
            insta::assert_snapshot!(format!("verdict_{number}"), stage.text(draw, width, height));
        }
        insta::assert_snapshot!("verdict_ascii", stage.ascii().text(draw, 60, 40));
    }

    #[test]
    fn before_the_end_it_says_so_far() {
        insta::assert_snapshot!("verdict_so_far", Stage::fake().studied().at(700).text(draw, 78, 17));
        assert!(Stage::fake().text(draw, 60, 13).contains("So far"));
    }

    #[test]
    fn what_was_done_twice_or_out_of_order_is_counted() {
        let stage = Stage::built_in("kafka/retries-reorder").at_end();
        insta::assert_snapshot!("verdict_reordered", stage.text(draw, 78, 40));
    }

    #[test]
    fn it_stays_where_it_belongs() {
        demand_all_sizes(&Stage::fake().studied().at_end(), draw);
        demand_all_sizes(&Stage::fake(), draw);
        demand_all_sizes(&Stage::fake().at(500), draw);
    }
}
