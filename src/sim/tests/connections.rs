//! How connections begin, end and keep their order.

use super::*;

#[test]
fn a_connection_keeps_the_order_under_random_latency() {
    for seed in 0..20 {
        let mut lab = Lab::with_latency(Dist::Exponential(Span::from_millis(5)), seed);
        let conn = lab.connect(CLIENT, SERVER);
        lab.until(1_000);
        for number in 0..50 {
            lab.send(CLIENT, conn, [number]);
            lab.until(1_001 + u64::from(number));
        }
        lab.until(5_000);
        assert_eq!(lab.heard(SERVER)[1..], packets(0..50));
    }
}

#[test]
fn what_a_killed_sender_had_written_still_arrives_and_then_the_end() {
    let (mut lab, conn) = Lab::connected();
    lab.send(CLIENT, conn, 1..=3);
    assert!(lab.0.kill(CLIENT));
    lab.until(20);
    assert_eq!(lab.heard(SERVER), [Packet(1), Packet(2), Packet(3), Closed]);
    assert_eq!(lab.heard(CLIENT), []);
}

#[test]
fn a_graceful_close_tells_the_other_side_only() {
    let (mut lab, conn) = Lab::connected();
    lab.send(CLIENT, conn, [1]);
    lab.0.act(CLIENT, |_, ctx| ctx.close(conn));
    lab.until(20);
    assert_eq!((lab.heard(SERVER), lab.heard(CLIENT)), (vec![Packet(1), Closed], vec![]));
}

#[test]
fn a_process_that_is_asked_to_stop_ends_by_itself() {
    let (mut lab, _) = Lab::connected();
    assert!(lab.0.stop(SERVER));
    lab.until(20);
    assert_eq!((lab.heard(SERVER), lab.heard(CLIENT)), (vec![Stop], vec![Closed]));
    assert_eq!(lab.0.status(SERVER), Status::Down);
}

#[test]
fn connecting_to_a_dead_process_is_refused_after_a_round_trip() {
    let mut lab = Lab::new();
    lab.0.kill(SERVER);
    lab.connect(CLIENT, SERVER);
    lab.until(200_000);
    assert_eq!(lab.heard_at(CLIENT), [(2, Closed)]);
}

#[test]
fn connecting_to_a_machine_that_is_off_times_out_after_127_seconds() {
    let mut lab = Lab::new();
    lab.0.power_off(SERVER);
    lab.connect(CLIENT, SERVER);
    lab.until(200_000);
    assert_eq!(lab.heard_at(CLIENT), [(127_001, Closed)]);
}

#[test]
fn an_attempt_to_connect_is_repeated_until_the_cut_is_healed() {
    let mut lab = Lab::new();
    let cut = lab.cut(SERVER, true);
    lab.connect(CLIENT, SERVER);
    lab.until(5_000);
    lab.0.lift(cut);
    lab.until(200_000);
    assert_eq!(lab.heard_at(CLIENT), [(7_002, Connected)], "attempts at 0, 1, 3 and 7 s");
}

#[test]
fn an_answer_that_a_cut_swallows_comes_later_and_before_everything_else() {
    let mut lab = Lab::new();
    lab.connect(CLIENT, SERVER);
    lab.until(1);
    let conn = lab.0.model.accepted.unwrap();
    let cut = lab.cut(SERVER, true);
    lab.send(SERVER, conn, [7]);
    lab.until(50);
    lab.0.lift(cut);
    lab.send(SERVER, conn, [8]);
    lab.until(200_000);
    assert_eq!(lab.heard(CLIENT), [Connected, Packet(7), Packet(8)]);
    assert_eq!(lab.heard(SERVER), [Accepted], "it was accepted once");
}

#[test]
fn an_answer_that_never_comes_is_a_time_out() {
    let mut lab = Lab::new();
    lab.connect(CLIENT, SERVER);
    lab.until(1);
    lab.cut(SERVER, true);
    lab.until(200_000);
    assert_eq!(lab.heard_at(CLIENT), [(127_001, Closed)]);
}

#[test]
fn a_restarted_process_gets_nothing_of_old_connections() {
    let (mut lab, conn) = Lab::connected();
    lab.send(CLIENT, conn, [1]);
    lab.0.kill(SERVER);
    lab.0.start(SERVER);
    lab.until(20);
    assert_eq!((lab.heard(SERVER), lab.heard(CLIENT)), (vec![Start], vec![Closed]));
    lab.send(CLIENT, conn, [2]);
    lab.until(30);
    assert_eq!(lab.heard(SERVER), [], "what is written to a connection that is gone vanishes");
}

#[test]
fn an_old_peer_that_writes_to_a_restarted_machine_is_reset() {
    let (mut lab, conn) = Lab::connected();
    lab.0.power_off(SERVER);
    lab.until(100);
    lab.0.start(SERVER);
    lab.until(200);
    assert_eq!(lab.heard(CLIENT), [], "nobody told it");
    lab.send(CLIENT, conn, [1]);
    lab.until(300);
    assert_eq!(
        (lab.heard_at(CLIENT), lab.heard(SERVER)),
        (vec![(202, Closed)], vec![Lost(Loss::Power), Start])
    );
}

#[test]
fn disconnecting_closes_both_ends_and_the_process_lives() {
    let (mut lab, _) = Lab::connected();
    assert!(lab.0.disconnect(SERVER));
    lab.until(20);
    assert_eq!((lab.heard(SERVER), lab.heard(CLIENT)), (vec![Closed], vec![Closed]));
    assert_eq!(lab.0.status(SERVER), Status::Up);
    assert!(!lab.0.disconnect(SERVER), "there is nothing left to reset");
}
