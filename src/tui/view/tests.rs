//! Real clusters at telling instants.

use super::kit::{SIZES, Stage, demand_tidy};
use super::{cluster, inspector, logs};

#[test]
fn real_runs_can_be_drawn_at_any_instant() {
    let print = std::option_env!("MQLAB_PRINT").is_some();
    let runs = [
        ("kafka/acks-one", &[900, 1_200, 7_000][..]),
        ("kafka/isolated-leader", &[3_000, 8_000]),
        ("kafka/consumer-dies", &[2_000, 8_000]),
        ("kafka/follower-cut", &[3_000, 9_000]),
    ];
    for (name, instants) in runs {
        let mut stage = Stage::built_in(name).studied();
        for &ms in instants {
            stage.seek(crate::sim::Time::ZERO + crate::sim::Span::from_millis(ms));
            for (view, draw) in [
                ("cluster", cluster::draw as super::kit::Draw),
                ("logs", logs::draw),
                ("inspector", inspector::draw),
            ] {
                for (width, height) in SIZES {
                    demand_tidy(&stage.draw(draw, width, height), &format!("{name} at {ms} ms, {view}"));
                    if print {
                        println!(
                            "=== {name} {ms} {view} {width}x{height}\n{}",
                            stage.text(draw, width, height)
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn the_smallest_family_can_be_drawn() {
    for stage in [Stage::fake_with(|_| ()).studied().at_end().selected("checkout#51"), Stage::fake().at(500)]
    {
        for draw in [cluster::draw, logs::draw, inspector::draw] {
            demand_tidy(&stage.draw(draw, 78, 17), "the smallest family");
        }
    }
}
