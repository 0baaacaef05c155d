//! Cuts, delays, and raw frames that are dropped or duplicated.

use super::*;

#[test]
fn a_cut_holds_bytes_and_a_heal_delivers_them_at_the_next_retransmission() {
    let (mut lab, conn) = Lab::connected();
    let cut = lab.cut(SERVER, true);
    lab.send(CLIENT, conn, 1..=2);
    lab.until(300);
    lab.0.lift(cut);
    lab.until(350);
    lab.send(CLIENT, conn, [3]);
    assert_eq!(lab.heard(SERVER), []);
    lab.until(2_000);
    let at = 10 + 200 + 400 + 1;
    assert_eq!(lab.heard_at(SERVER), [(at, Packet(1)), (at, Packet(2)), (at, Packet(3))]);
}

#[test]
fn what_was_under_way_when_the_cut_came_goes_before_what_was_sent_later() {
    let (mut lab, conn) = Lab::connected();
    lab.send(CLIENT, conn, 1..=2);
    let cut = lab.cut(SERVER, true);
    lab.send(CLIENT, conn, 3..=4);
    lab.until(100);
    lab.send(CLIENT, conn, [5]);
    lab.0.lift(cut);
    lab.send(CLIENT, conn, [6]);
    lab.until(1_000);
    assert_eq!(lab.heard(SERVER), packets(1..=6));
}

#[test]
fn what_is_still_under_way_after_a_heal_waits_for_what_the_cut_swallowed() {
    let (mut lab, conn) = Lab::connected();
    let slow = lab.spoil(LinkEffect::Delay(Dist::Constant(Span::from_millis(999))));
    lab.send(CLIENT, conn, [1]);
    lab.until(60);
    lab.send(CLIENT, conn, [2]);
    lab.until(1_000);
    let cut = lab.cut(SERVER, true);
    lab.until(1_020);
    lab.0.lift(cut);
    lab.0.lift(slow);
    lab.send(CLIENT, conn, [3]);
    lab.until(5_000);
    assert_eq!(lab.heard(SERVER), packets(1..=3), "1 came into the cut, 2 after the heal");
}

#[test]
fn a_second_cut_before_the_retransmission_keeps_everything_waiting() {
    let (mut lab, conn) = Lab::connected();
    let first = lab.cut(SERVER, true);
    lab.send(CLIENT, conn, [1]);
    lab.until(100);
    lab.0.lift(first);
    let second = lab.cut(SERVER, true);
    lab.until(1_000);
    assert_eq!(lab.heard(SERVER), []);
    lab.0.lift(second);
    lab.until(3_000);
    assert_eq!(lab.heard(SERVER), [Packet(1)]);
}

#[test]
fn a_one_way_cut_lets_the_other_direction_speak_until_it_misses_its_acknowledgements() {
    let (mut lab, conn) = Lab::connected();
    let server_conn = lab.0.model.accepted.unwrap();
    let cut = lab.cut(SERVER, false);
    lab.send(SERVER, server_conn, [100]);
    for number in 1..=5 {
        lab.send(CLIENT, conn, [number]);
        lab.until(10 + 90 * u64::from(number));
    }
    assert_eq!(lab.heard(SERVER), packets(1..=3), "sent within one retransmission time-out of 200 ms");
    assert_eq!(lab.heard(CLIENT), []);
    lab.0.lift(cut);
    lab.until(2_000);
    assert_eq!((lab.heard(SERVER), lab.heard(CLIENT)), (packets(4..=5), vec![Packet(100)]));
}

#[test]
fn what_was_sent_just_before_the_stall_still_arrives() {
    let (mut lab, conn) = Lab::connected();
    lab.spoil(LinkEffect::Delay(Dist::Constant(Span::from_millis(50))));
    lab.cut(SERVER, false);
    lab.send(CLIENT, conn, [1]);
    lab.until(200);
    lab.send(CLIENT, conn, [2]);
    lab.until(1_000);
    assert_eq!(lab.heard_at(SERVER), [(61, Packet(1)), (251, Packet(2))]);
}

#[test]
fn a_sender_gives_up_after_924_seconds_of_silence() {
    let (mut lab, conn) = Lab::connected();
    lab.cut(SERVER, true);
    lab.send(CLIENT, conn, [1]);
    lab.until(2_000_000);
    assert_eq!(lab.heard_at(CLIENT), [(924_610, Closed)]);
    assert_eq!(lab.heard(SERVER), [], "the other side waits for ever");
}

#[test]
fn power_loss_freeze_and_cut_are_silent() {
    let faults: [fn(&mut Lab); 3] = [
        |lab| assert!(lab.0.power_off(SERVER)),
        |lab| assert!(lab.0.freeze(SERVER)),
        |lab| _ = lab.cut(SERVER, true),
    ];
    for fault in faults {
        let (mut lab, conn) = Lab::connected();
        fault(&mut lab);
        lab.send(CLIENT, conn, [1]);
        lab.until(900_000);
        assert_eq!(lab.heard(CLIENT), []);
    }
}

#[test]
fn raw_frames_are_dropped_and_duplicated_by_number() {
    let (mut lab, conn) = Lab::connected();
    let drop = lab.spoil(LinkEffect::Drop(Frames::Nth(2), Kind::All));
    let twice = lab.spoil(LinkEffect::Duplicate(Frames::Nth(3), Kind::All));
    lab.send(CLIENT, conn, 1..=4);
    lab.until(20);
    lab.0.lift(drop);
    lab.0.lift(twice);
    lab.send(CLIENT, conn, 5..=8);
    lab.until(30);
    assert_eq!(lab.heard(SERVER), packets([1, 3, 3, 4, 5, 6, 7, 8]));
}

#[test]
fn raw_frames_are_dropped_and_duplicated_by_rate() {
    for (effect, expected) in [
        (LinkEffect::Drop(Frames::Rate(100_000), Kind::All), 8_800..9_200),
        (LinkEffect::Duplicate(Frames::Rate(100_000), Kind::All), 10_800..11_200),
    ] {
        let (mut lab, conn) = Lab::connected();
        lab.spoil(effect);
        lab.send(CLIENT, conn, 0..10_000);
        lab.until(20);
        let heard = lab.heard(SERVER);
        assert!(expected.contains(&heard.len()), "{effect:?}: {}", heard.len());
        assert!(heard.is_sorted_by_key(|heard| if let Packet(number) = heard { *number } else { 0 }));
    }
}

#[test]
fn a_delayed_link_takes_longer_in_one_direction_only() {
    let (mut lab, conn) = Lab::connected();
    lab.0.model.is_echo = true;
    let slow = lab.spoil(LinkEffect::Delay(Dist::Constant(Span::from_millis(100))));
    lab.send(CLIENT, conn, [1]);
    lab.until(500);
    assert_eq!(
        (lab.heard_at(SERVER), lab.heard_at(CLIENT)),
        (vec![(111, Packet(1))], vec![(112, Packet(1_001))])
    );
    lab.0.lift(slow);
    lab.send(CLIENT, conn, [2]);
    lab.until(600);
    assert_eq!(lab.heard_at(SERVER), [(501, Packet(2))]);
}

#[test]
fn bandwidth_makes_bytes_wait_for_each_other() {
    let mut lab = Lab::new();
    let latency = Dist::Constant(Span::from_millis(1));
    let link = LinkConfig { latency, bandwidth: Some(10_000) };
    lab.0 = Engine::new(lab.0.model.clone(), 1, 3, link, latency);
    let conn = lab.connect(CLIENT, SERVER);
    lab.until(10);
    lab.send(CLIENT, conn, 1..=2);
    lab.until(100);
    assert_eq!(lab.heard_at(SERVER)[1..], [(21, Packet(1)), (31, Packet(2))]);
}
