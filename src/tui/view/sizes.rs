//! Views at any size, at any instant: none panics, none draws where it must not, no two panes share a cell.

#[cfg(test)]
use proptest::prelude::*;

use super::kit::{Draw, Stage, demand_tidy};
use super::{charts, events, fates, timeline, verdict, why};
use crate::tui::action::View;

const VIEWS: [Draw; 6] = [fates::draw, why::draw, verdict::draw, timeline::draw, charts::draw, events::draw];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn every_view_stays_in_its_area(
        width in 0u16..=240,
        height in 0u16..=70,
        ms in 0u64..1300,
        scroll in 0usize..60,
        message in 1u32..=100,
        view in 0usize..6,
        is_whole in any::<bool>(),
        is_ascii in any::<bool>(),
    ) {
        let mut stage = STAGE.with(Stage::like).at(ms);
        if is_ascii {
            stage = stage.ascii();
        }
        stage.pick.scroll = scroll;
        stage.pick.line = scroll as i64 - 30;
        stage.pick.message = (message % 3 > 0).then_some(crate::fact::MessageId(message - 1));
        stage.pick.view = if is_whole { View::Events } else { View::Cluster };
        demand_tidy(&stage.draw(VIEWS[view], width, height), "a view");
    }
}

thread_local! {
    static STAGE: Stage = Stage::fake().studied().selected("checkout#51");
}
