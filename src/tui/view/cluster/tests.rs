//! Clusters as they are drawn.

use super::draw;
use crate::broker::picture::{Health, Station};
use crate::fact::NodeId;
use crate::tui::action::Action;
use crate::tui::look::Look;
use crate::tui::theme::Theme;
use crate::tui::view::kit::{Stage, demand_all_sizes, demand_tidy};
use crate::tui::view::puppet::{Puppet, field, link, node};
use proptest::prelude::*;

fn stage(puppet: Puppet) -> Stage {
    puppet.on_stage([20, 12, 5])
}

/// The leader is down and was selected, another broker is frozen, one is off.
fn troubled() -> Puppet {
    let mut puppet = Puppet::cluster();
    puppet.nodes[0].health = Health::Down;
    puppet.nodes[1].health = Health::Frozen;
    puppet.nodes[2].health = Health::Off;
    puppet.nodes[4].health = Health::Stopping;
    puppet
}

/// Nothing goes from the first broker to the second and to its producer; nothing at all between two others.
fn cut() -> Puppet {
    let mut puppet = Puppet::cluster();
    for link in &mut puppet.links {
        match link.ends {
            [NodeId(0), NodeId(1)] => (link.is_cut, link.held) = ([true, false], [3, 0]),
            [NodeId(0), NodeId(3)] => (link.is_cut, link.held) = ([false, true], [0, 2]),
            [NodeId(0), NodeId(6)] => link.is_cut = [true, true],
            [NodeId(1), NodeId(3)] => link.is_spoiled = true,
            _ => continue,
        }
        link.packets.clear();
    }
    puppet
}

fn crowd() -> Puppet {
    let mut nodes: Vec<_> =
        (0..100).map(|n| node(n, &format!("broker-{}", n + 1), Station::Cluster)).collect();
    nodes.extend((100..150).map(|n| node(n, &format!("billing/{}", n - 99), Station::Receivers)));
    nodes.push(node(150, "checkout", Station::Senders));
    nodes[41].health = Health::Down;
    let mut links: Vec<_> = (1..100).map(|n| link([0, n], &[])).collect();
    links[60].is_cut = [true, false];
    links[70].packets = link([0, 71], &[(false, 500, "Fetch", 2)]).packets;
    Puppet { nodes, links, ..Puppet::default() }
}

const NAMES: [&str; 8] = ["北京-1", "上海-1", "广州-1", "结账", "退货", "账单/1", "账单/2", "银行"];

fn chinese() -> Puppet {
    let mut puppet = Puppet::cluster();
    for (node, name) in puppet.nodes.iter_mut().zip(NAMES) {
        name.clone_into(&mut node.name);
        node.role = "领导者，负责三个分区的全部写入".to_owned();
        node.summary = vec![field("积压", "一百二十"), field("已提交", "四百")];
    }
    puppet
}

#[test]
fn a_cluster_that_is_well() {
    let stage = stage(Puppet::cluster());
    insta::assert_snapshot!("well_wide", stage.text(draw, 118, 31));
    insta::assert_snapshot!("well_normal", stage.text(draw, 78, 17));
    insta::assert_snapshot!("well_narrow", stage.text(draw, 60, 13));
    insta::assert_snapshot!("well_ascii", stage.ascii().text(draw, 78, 17));
}

#[test]
fn what_is_down_frozen_or_off_shows_without_colour() {
    let stage = stage(troubled());
    insta::assert_snapshot!("troubled_wide", stage.text(draw, 118, 31));
    insta::assert_snapshot!("troubled_narrow", stage.text(draw, 60, 13));
    insta::assert_snapshot!("troubled_ascii", stage.ascii().text(draw, 78, 17));
}

#[test]
fn a_cut_shows_its_direction() {
    let stage = stage(cut());
    insta::assert_snapshot!("cut_wide", stage.text(draw, 118, 31));
    insta::assert_snapshot!("cut_normal", stage.text(draw, 78, 17));
    insta::assert_snapshot!("cut_narrow", stage.text(draw, 60, 13));
}

#[test]
fn in_a_crowd_the_selected_node_is_seen_and_what_is_not_is_counted() {
    let mut stage = stage(crowd());
    for (picked, name) in [(0, "broker-1 "), (57, "broker-58 "), (149, "billing/50 "), (150, "checkout ")] {
        stage.pick.node = NodeId(picked);
        for (width, height) in [(118, 31), (78, 17), (60, 13)] {
            let text = stage.text(draw, width, height);
            let pointed = text.lines().any(|line| line.contains(&format!("› ● {name}")));
            assert!(pointed, "{name} at {width}x{height}\n{text}");
            assert!(text.contains("of 151 nodes shown") && text.contains("✗ 1 down"), "{text}");
            assert!(text.contains("╳►"), "the cut link is told first\n{text}");
        }
    }
    insta::assert_snapshot!("crowd", stage.text(draw, 118, 31));
}

#[test]
fn names_may_be_chinese() {
    let stage = stage(chinese());
    insta::assert_snapshot!("chinese_normal", stage.text(draw, 78, 17));
    insta::assert_snapshot!("chinese_narrow", stage.text(draw, 60, 13));
}

#[test]
fn a_click_on_a_node_selects_it() {
    for (width, height) in [(78, 17), (60, 13)] {
        let stage = stage(Puppet::cluster());
        let out = stage.draw(draw, width, height);
        let cells = out.area().positions();
        let found =
            cells.into_iter().any(|at| out.action_at(at.x, at.y) == Some(Action::SelectNode(NodeId(2))));
        assert!(found, "{width}x{height}");
    }
}

#[test]
fn every_theme_can_draw_it() {
    for theme in Theme::ALL {
        let mut stage = stage(troubled());
        stage.look = Look::new(theme, false);
        demand_tidy(&stage.draw(draw, 78, 17), theme.name());
    }
}

#[test]
fn it_stays_where_it_belongs_at_every_size() {
    for puppet in [Puppet::cluster(), cut(), crowd(), chinese(), Puppet::default()] {
        demand_all_sizes(&stage(puppet), draw);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_size_and_no_cluster_breaks_it(
        width in 0u16..=240,
        height in 0u16..=70,
        counts in [0u16..6, 0u16..12, 0u16..6],
        picked in 0u16..24,
        ends in prop::collection::vec((0u16..24, 0u16..24, 0u16..=1000, any::<[bool; 4]>()), 0..40),
    ) {
        let stations = [Station::Senders, Station::Cluster, Station::Receivers];
        let members = stations.into_iter().zip(counts).flat_map(|(one, count)| (0..count).map(move |_| one));
        let named = |(n, one)| node(n as u16, &format!("n{n}"), one);
        let nodes: Vec<_> = members.enumerate().map(named).collect();
        let links = ends.into_iter().map(|(one, other, progress, [cut, back, spoiled, connected])| {
            let mut link = link([one.min(other), one.max(other)], &[(back, progress, "Produce", one.into())]);
            (link.is_cut, link.is_spoiled, link.is_connected) = ([cut, back], spoiled, connected);
            link
        });
        let puppet = Puppet { nodes, links: links.collect(), ..Puppet::default() };
        let mut stage = stage(puppet);
        stage.pick.node = NodeId(picked);
        demand_tidy(&stage.draw(draw, width, height), &format!("{width}x{height}"));
    }
}
