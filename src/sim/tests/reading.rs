//! A process that does not read a connection, and one that asks whether it can write.

use super::*;

impl Lab {
    fn pause(&mut self, node: NodeId, conn: ConnId) {
        self.0.act(node, |_, ctx| ctx.pause_reading(conn));
    }

    fn resume(&mut self, node: NodeId, conn: ConnId) {
        self.0.act(node, |_, ctx| ctx.resume_reading(conn));
    }

    /// One large packet a millisecond.
    fn pour(&mut self, conn: ConnId, numbers: std::ops::Range<u32>, from_ms: u64) {
        for (at, number) in (from_ms..).zip(numbers) {
            self.0.act(CLIENT, |_, ctx| ctx.send(conn, number, 1 << 20));
            self.until(at);
        }
    }

    fn is_writable(&mut self, conn: ConnId) -> bool {
        self.0.act(CLIENT, |_, ctx| ctx.is_writable(conn))
    }
}

#[test]
fn what_is_not_read_waits_and_is_handed_over_in_order() {
    let (mut lab, conn) = Lab::connected();
    lab.0.model.is_echo = true;
    lab.pause(SERVER, conn);
    lab.send(CLIENT, conn, [1, 2]);
    lab.until(20);
    lab.0.act(SERVER, |_, ctx| ctx.send(conn, 2_000, 100));
    lab.0.act(CLIENT, |_, ctx| ctx.timer(Span::from_millis(5), 9));
    lab.until(30);
    assert_eq!((lab.heard(SERVER), lab.heard(CLIENT)), (vec![], vec![Packet(2_000), Timer(9)]));
    lab.resume(SERVER, conn);
    lab.send(CLIENT, conn, [3]);
    lab.until(40);
    let at = |heard: Vec<(u64, Heard)>| heard.into_iter().map(|(ms, _)| ms).collect::<Vec<_>>();
    let heard = lab.heard_at(SERVER);
    assert_eq!(heard.iter().map(|one| one.1).collect::<Vec<_>>(), packets(1..=3));
    assert_eq!(at(heard), [30, 30, 31]);
    assert_eq!(lab.heard(CLIENT), packets(1_001..=1_003));
    assert!(
        lab.0.act(SERVER, |_, ctx| ctx.kernel.net.conns[0].sides.iter().all(|side| side.trouble.is_none()))
    );
}

#[test]
fn a_process_can_stop_again_in_the_middle() {
    let (mut lab, conn) = Lab::connected();
    lab.pause(SERVER, conn);
    lab.send(CLIENT, conn, 1..=4);
    lab.until(20);
    lab.0.model.pause_on = Some(2);
    lab.resume(SERVER, conn);
    lab.until(30);
    assert_eq!(lab.heard(SERVER), packets(1..=2));
    lab.resume(SERVER, conn);
    lab.until(40);
    assert_eq!(lab.heard(SERVER), packets(3..=4));
}

#[test]
fn a_full_buffer_holds_the_sender_without_an_error_and_lets_it_go_on() {
    let (mut lab, conn) = Lab::connected();
    lab.pause(SERVER, conn);
    assert!(lab.is_writable(conn));
    lab.pour(conn, 0..20, 20);
    assert!(!lab.is_writable(conn), "thirteen packets wait here");
    lab.until(2_000_000);
    assert_eq!((lab.heard(SERVER), lab.heard(CLIENT)), (vec![], vec![]), "nobody gives up");
    lab.resume(SERVER, conn);
    lab.until(2_000_010);
    assert_eq!(lab.heard(SERVER), packets(0..20));
    assert_eq!(lab.heard_at(CLIENT), [(2_000_001, Writable)]);
    assert!(lab.is_writable(conn));
    lab.pour(conn, 20..22, 2_000_020);
    assert_eq!(lab.heard(CLIENT), [], "it is told only if it asked");
}

#[test]
fn a_cut_makes_a_connection_unwritable_too() {
    let (mut lab, conn) = Lab::connected();
    let cut = lab.cut(SERVER, true);
    lab.send(CLIENT, conn, 0..=870);
    assert!(!lab.is_writable(conn), "87,100 bytes wait");
    lab.until(20);
    lab.0.lift(cut);
    lab.until(500);
    assert_eq!(lab.heard(CLIENT), [Writable]);
    assert_eq!(lab.heard(SERVER).len(), 871);
}

#[test]
fn the_end_of_a_connection_waits_behind_what_is_not_read() {
    let (mut lab, conn) = Lab::connected();
    lab.pause(SERVER, conn);
    lab.send(CLIENT, conn, [1]);
    lab.0.kill(CLIENT);
    lab.until(1_000);
    assert_eq!(lab.heard(SERVER), []);
    lab.resume(SERVER, conn);
    lab.until(1_001);
    assert_eq!(lab.heard(SERVER), [Packet(1), Closed]);
}

#[test]
fn a_reset_waits_for_nothing() {
    let (mut lab, conn) = Lab::connected();
    lab.pause(SERVER, conn);
    lab.send(CLIENT, conn, [1]);
    lab.0.kill(CLIENT);
    lab.until(20);
    lab.send(SERVER, conn, [5]);
    lab.until(30);
    assert_eq!(lab.heard(SERVER), [Closed], "what was not read is gone");
}

#[test]
fn a_process_that_ends_frees_whoever_waited_for_it() {
    for is_killed in [true, false] {
        let (mut lab, conn) = Lab::connected();
        lab.pause(SERVER, conn);
        lab.pour(conn, 0..20, 20);
        if is_killed {
            lab.0.kill(SERVER);
        } else {
            lab.0.act(SERVER, |_, ctx| ctx.close(conn));
        }
        lab.until(100);
        assert_eq!((lab.heard(SERVER), lab.heard(CLIENT)), (vec![], vec![Closed]));
    }
}

#[test]
fn a_frozen_process_goes_on_not_reading() {
    let (mut lab, conn) = Lab::connected();
    lab.0.freeze(SERVER);
    lab.send(CLIENT, conn, [1, 2, 3]);
    lab.until(20);
    lab.0.model.pause_on = Some(1);
    lab.0.thaw(SERVER);
    lab.until(30);
    assert_eq!(lab.heard(SERVER), packets(1..=1), "what it found and did not take waits on");
    lab.resume(SERVER, conn);
    lab.0.freeze(SERVER);
    lab.until(40);
    assert_eq!(lab.heard(SERVER), []);
    lab.0.thaw(SERVER);
    assert_eq!(lab.heard(SERVER), packets(2..=3));
}
