//! Places as they are drawn.

use super::draw;
use crate::fact::{MessageId, NodeId, SubscriptionId};
use crate::lab::study::Sealed;
use crate::ledger::Fate;
use crate::sim::Time;
use crate::tui::action::Action;
use crate::tui::look::Look;
use crate::tui::scene::Seals;
use crate::tui::theme::Theme;
use crate::tui::view::kit::{Stage, demand_all_sizes, demand_tidy};
use crate::tui::view::puppet::{Puppet, lane, place};
use proptest::prelude::*;

fn stage(end: u64) -> Stage {
    let count = end as u32;
    Puppet::log(end).on_stage([count, count * 9 / 10, count / 2])
}

/// With these messages lost.
fn lost(mut stage: Stage, messages: &[u32]) -> Stage {
    let mut study = Stage::fake().studied().study.unwrap();
    let seal = |&number: &u32| Sealed {
        at: Time::ZERO,
        message: MessageId(number),
        subscription: SubscriptionId(0),
        fate: Fate::Lost,
        group: 0,
    };
    study.sealed = messages.iter().map(seal).collect();
    stage.seals = Seals::of(&study);
    stage.study = Some(study);
    stage
}

#[test]
fn ten_messages() {
    let stage = stage(10);
    insta::assert_snapshot!("ten_wide", stage.text(draw, 118, 31));
    insta::assert_snapshot!("ten_normal", stage.text(draw, 78, 17));
    insta::assert_snapshot!("ten_narrow", stage.text(draw, 60, 13));
    insta::assert_snapshot!("ten_ascii", stage.ascii().text(draw, 78, 17));
}

#[test]
fn a_thousand_messages_in_bands() {
    let stage = lost(stage(1_000), &[777]);
    insta::assert_snapshot!("thousand_normal", stage.text(draw, 78, 17));
    assert!(stage.text(draw, 118, 31).contains("1 cell = 20 messages"));
}

#[test]
fn a_million_messages_and_not_one_loss_is_missed() {
    let numbers = [500_001, 623_457, 700_001, 899_999];
    let stage = lost(stage(1_000_000), &numbers);
    let text = stage.text(draw, 118, 31);
    let lanes: Vec<_> = text.lines().filter(|line| line.contains("● broker")).take(3).collect();
    assert_eq!(lanes.iter().map(|lane| lane.matches('✗').count()).collect::<Vec<_>>(), [4, 4, 2], "{text}");
    insta::assert_snapshot!("million_wide", text);
}

#[test]
fn around_an_offset_single_messages_show() {
    let mut stage = lost(stage(1_000), &[550]);
    stage.pick.offset = Some(559);
    stage.pick.message = Some(MessageId(555));
    let text = stage.text(draw, 78, 17);
    insta::assert_snapshot!("zoom", text);
    let out = stage.draw(draw, 78, 17);
    let clicks: Vec<_> = out.area().positions().filter_map(|at| out.action_at(at.x, at.y)).collect();
    assert!(clicks.contains(&Action::SelectMessage(MessageId(550))));
    assert!(clicks.contains(&Action::SelectNode(NodeId(2))));
    assert!(clicks.contains(&Action::SelectSubscription(SubscriptionId(0))));
}

#[test]
fn copies_that_differ_are_told_apart() {
    let mut puppet = Puppet::log(30);
    puppet.places[0].lanes[0].is_live = false;
    puppet.places[0].lanes[2].end = 30;
    puppet.shifts = vec![(NodeId(0), 26, 10)];
    let stage = lost(puppet.on_stage([60, 50, 20]), &[36, 37, 38, 39]);
    insta::assert_snapshot!("differs", stage.text(draw, 78, 17));
    insta::assert_snapshot!("differs_ascii", stage.ascii().text(draw, 60, 13));
}

#[test]
fn of_many_places_the_others_are_listed() {
    let mut puppet = Puppet::log(40);
    for number in 1..50 {
        let name = if number == 3 { "订单/3".to_owned() } else { format!("orders/{number}") };
        puppet.places.push(place(number, &name, vec![lane(0, "broker-1", "leader", [5, 5, 5])]));
    }
    let mut stage = puppet.on_stage([40, 30, 20]);
    insta::assert_snapshot!("places", stage.text(draw, 118, 31));
    stage.pick.place = 3;
    assert!(stage.text(draw, 118, 31).contains("› 订单/3"));
    stage.pick.place = 1_000;
    assert!(stage.text(draw, 118, 31).starts_with("orders/49"));
}

#[test]
fn many_copies_are_counted_where_they_do_not_fit() {
    let mut puppet = Puppet::log(40);
    puppet.places[0].lanes =
        (0..40).map(|n| lane(n, &format!("经纪人-{n}"), "follower", [0, 10, 40])).collect();
    let mut stage = puppet.on_stage([40, 30, 20]);
    stage.pick.node = NodeId(39);
    let text = stage.text(draw, 78, 17);
    assert!(text.contains("经纪人-39") && text.contains("of 40 copies shown"), "{text}");
}

#[test]
fn it_stays_where_it_belongs_at_every_size() {
    for end in [0, 10, 1_000] {
        demand_all_sizes(&stage(end), draw);
    }
    demand_all_sizes(&Puppet::default().on_stage([0; 3]), draw);
    for theme in Theme::ALL {
        let mut stage = stage(100);
        stage.look = Look::new(theme, false);
        demand_tidy(&stage.draw(draw, 78, 17), theme.name());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_size_and_no_place_breaks_it(
        width in 0u16..=240,
        height in 0u16..=70,
        lanes in prop::collection::vec((0u64..500, 0u64..900, 0u64..900), 0..6),
        offset in prop::option::of(0u64..1_500),
        places in 0u32..6,
    ) {
        let mut puppet = Puppet::log(20);
        let lane = |(n, (start, durable, more)): (usize, (u64, u64, u64))| {
            lane(n as u16, "broker", "follower", [start, durable, start + more])
        };
        puppet.places[0].lanes = lanes.into_iter().enumerate().map(lane).collect();
        puppet.places.extend((0..places).map(|n| place(n + 1, "other", Vec::new())));
        let mut stage = puppet.on_stage([20, 15, 10]);
        stage.pick.offset = offset;
        demand_tidy(&stage.draw(draw, width, height), &format!("{width}x{height}"));
    }
}
