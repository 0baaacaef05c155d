//! The same seed does the same, however often it is stopped, copied or watched.

use super::super::draw::{self, Purpose};
use super::*;

/// A world in which much goes wrong, one millisecond at a time: what happens in a millisecond is a function of it.
fn hectic(lab: &mut Lab, ms: u64) {
    let random = draw::bits(5, Purpose::Test, ms, 1);
    let (node, number) = (NodeId((random % 3) as u16), ms as u32 % 1_000);
    match draw::below(random, 400) {
        0 => _ = lab.0.kill(node),
        1 => _ = lab.0.power_off(node),
        2..10 => _ = lab.0.start(node),
        10 => _ = lab.0.freeze(node),
        11..20 => _ = lab.0.thaw(node),
        20 => _ = lab.cut(node, random & 8 == 0),
        21..30 => lab.0.lift_all(),
        30 => _ = lab.0.disconnect(node),
        31 => _ = lab.spoil(LinkEffect::Duplicate(Frames::Rate(200_000), Kind::All)),
        32..70 if lab.0.status(node) == Status::Up => lab.write_and_sync(node, ms),
        70..90 if lab.0.status(node) == Status::Up => _ = lab.connect(node, NodeId((node.0 + 1) % 3)),
        _ if lab.0.status(node) == Status::Up => {
            let conns = lab.0.act(node, |_, ctx| ctx.kernel.net.of_node(node));
            for (conn, _) in conns.into_iter().filter(|&(_, side)| side == 1) {
                lab.send(node, conn, [number, number + 1]);
            }
        }
        _ => {}
    }
    lab.until(ms);
}

fn hectic_lab() -> Lab {
    let mut lab = Lab::with_latency(Dist::Exponential(Span::from_millis(3)), 9);
    lab.0.model.is_echo = true;
    lab
}

#[test]
fn a_clone_at_any_point_runs_on_to_the_same_digest() {
    let mut straight = hectic_lab();
    let mut restored = hectic_lab();
    for ms in 1..4_000 {
        hectic(&mut straight, ms);
        hectic(&mut restored, ms);
        if ms % 37 == 0 {
            let snapshot = restored.clone();
            hectic(&mut restored, ms + 1);
            restored = snapshot;
        }
        assert_eq!(straight.0.digest(), restored.0.digest(), "at {ms} ms");
    }
    assert!(straight.0.events() > 10_000, "{}", straight.0.events());
    assert_eq!(straight.0.model.heard, restored.0.model.heard);
}

#[test]
fn observing_details_changes_no_digest() {
    let [mut plain, mut detailed] = [hectic_lab(), hectic_lab()];
    detailed.0.want_details(true);
    for ms in 1..1_000 {
        hectic(&mut plain, ms);
        hectic(&mut detailed, ms);
    }
    assert_eq!(plain.0.digest(), detailed.0.digest());
    assert!(plain.0.observations().is_empty() && !detailed.0.observations().is_empty());
}

#[test]
fn a_run_in_steps_of_any_size_is_the_same_run() {
    let mut lab = Lab::with_latency(Dist::Exponential(Span::from_millis(3)), 4);
    lab.0.model.is_echo = true;
    let conn = lab.connect(CLIENT, SERVER);
    lab.until(100);
    lab.send(CLIENT, conn, 0..200);
    let mut stepped = lab.clone();
    lab.until(1_000);
    for ms in 100..=1_000 {
        stepped.until(ms);
    }
    assert_eq!((lab.0.digest(), lab.0.events()), (stepped.0.digest(), stepped.0.events()));
}
