//! Processes, their timers and clocks, and the disks beneath them.

use super::*;

#[test]
fn a_frozen_process_finds_everything_in_order_when_it_thaws() {
    let (mut lab, conn) = Lab::connected();
    lab.0.act(SERVER, |_, ctx| ctx.timer(Span::from_millis(15), 9));
    assert!(lab.0.freeze(SERVER));
    lab.send(CLIENT, conn, [1]);
    lab.until(30);
    lab.send(CLIENT, conn, [2]);
    lab.0.act(CLIENT, |_, ctx| ctx.close(conn));
    // The thaw comes at the same instant as the last packet, and before it.
    lab.until(30);
    lab.0.schedule(Time(31_000_000), 0);
    while lab.0.step(Time(31_000_000)) != Step::Control(0) {}
    assert_eq!(lab.heard(SERVER), []);
    assert!(lab.0.thaw(SERVER));
    lab.until(40);
    assert_eq!(lab.heard(SERVER), [Packet(1), Timer(9), Packet(2), Closed]);
}

#[test]
fn a_thaw_at_the_instant_of_an_arrival_keeps_the_order() {
    let (mut lab, conn) = Lab::connected();
    lab.0.freeze(SERVER);
    lab.send(CLIENT, conn, [1]);
    lab.until(20);
    lab.0.schedule(Time(21_000_000), 0);
    lab.send(CLIENT, conn, [2]);
    assert_eq!(lab.0.step(Time(21_000_000)), Step::Control(0));
    lab.0.thaw(SERVER);
    lab.until(30);
    assert_eq!(lab.heard(SERVER), packets(1..=2));
}

#[test]
fn a_full_receive_buffer_blocks_the_sender_and_frees_it_at_the_thaw() {
    let (mut lab, conn) = Lab::connected();
    lab.0.freeze(SERVER);
    for number in 0..20u32 {
        lab.0.act(CLIENT, |_, ctx| ctx.send(conn, number, 1 << 20));
        lab.until(20 + u64::from(number));
    }
    let is_waiting = |lab: &mut Lab| lab.0.act(CLIENT, |_, ctx| ctx.kernel.net.held().len());
    assert_eq!(is_waiting(&mut lab), 1);
    lab.until(2_000_000);
    assert_eq!(lab.heard(CLIENT), [], "probes are answered: nobody gives up");
    lab.0.thaw(SERVER);
    assert_eq!(lab.heard(SERVER), packets(0..7), "6 MiB and the one that exceeded them");
    lab.until(2_000_010);
    assert_eq!(lab.heard_at(SERVER)[0], (2_000_002, Packet(7)), "the sender hears of the room at once");
    assert_eq!(is_waiting(&mut lab), 0);
}

#[test]
fn timers_of_a_dead_incarnation_never_fire() {
    let mut lab = Lab::new();
    lab.0.act(SERVER, |_, ctx| ctx.timer(Span::from_millis(50), 1));
    lab.0.kill(SERVER);
    lab.0.start(SERVER);
    lab.0.act(SERVER, |_, ctx| ctx.timer(Span::from_millis(60), 2));
    lab.until(100);
    assert_eq!(lab.heard_at(SERVER), [(0, Start), (60, Timer(2))]);
}

#[test]
fn a_timer_can_be_cancelled_even_after_it_fired_into_a_frozen_process() {
    let (mut lab, conn) = Lab::connected();
    lab.0.freeze(SERVER);
    lab.send(CLIENT, conn, [1]);
    let ticket = lab.0.act(SERVER, |_, ctx| ctx.timer(Span::from_millis(5), 9));
    lab.0.model.cancel_on_packet = Some(ticket);
    lab.until(20);
    lab.0.thaw(SERVER);
    lab.until(30);
    assert_eq!(lab.heard(SERVER), [Packet(1)]);
}

#[test]
fn verbs_say_whether_they_could_act() {
    let (mut lab, _) = Lab::connected();
    assert!(!lab.0.start(SERVER) && !lab.0.thaw(SERVER) && !lab.0.tear_disk(SERVER, LOG, 1));
    assert!(lab.0.kill(SERVER) && !lab.0.kill(SERVER) && !lab.0.stop(SERVER) && !lab.0.freeze(SERVER));
    assert!(lab.0.power_off(SERVER) && !lab.0.power_off(SERVER) && lab.0.start(SERVER));
}

#[test]
fn a_clock_jump_moves_the_wall_clock_only() {
    let mut lab = Lab::new();
    lab.0.act(CLIENT, |_, ctx| ctx.timer(Span::from_millis(20), 1));
    lab.until(10);
    lab.0.clock_jump(CLIENT, -5_000_000);
    let clocks =
        |lab: &mut Lab, node| lab.0.act(node, |_, ctx| (ctx.now().0 / 1_000_000, ctx.wall().0 / 1_000_000));
    assert_eq!((clocks(&mut lab, CLIENT), clocks(&mut lab, OTHER)), ((10, 5), (10, 10)));
    lab.until(30);
    assert_eq!(lab.heard_at(CLIENT), [(20, Timer(1))]);
}

#[test]
fn power_that_goes_in_the_middle_of_a_flush_takes_what_was_being_flushed() {
    let mut lab = Lab::new();
    lab.write_and_sync(SERVER, 100);
    lab.until(10);
    lab.write_and_sync(SERVER, 150);
    lab.until(11);
    lab.0.power_off(SERVER);
    lab.0.start(SERVER);
    lab.until(20);
    assert_eq!(lab.heard(SERVER), [Synced(100), Lost(Loss::Power), Start]);
    assert_eq!(lab.0.disk(SERVER).len(LOG), 100);
}

#[test]
fn a_kill_in_the_middle_of_a_flush_leaves_the_page_cache() {
    let mut lab = Lab::new();
    lab.write_and_sync(SERVER, 100);
    lab.0.kill(SERVER);
    lab.0.start(SERVER);
    lab.until(10);
    assert_eq!(lab.heard(SERVER), [Start], "the answer was for the dead process");
    assert_eq!(lab.0.disk(SERVER).durable(lab.0.now(), LOG), 100, "the kernel went on");
}

#[test]
fn a_slow_disk_takes_its_time() {
    let mut lab = Lab::new();
    lab.0.slow_disk(SERVER, 50);
    lab.write_and_sync(SERVER, 100);
    lab.until(1_000);
    assert_eq!(lab.heard_at(SERVER), [(100, Synced(100))]);
}

#[test]
fn a_lost_disk_ends_the_process_and_is_empty() {
    let (mut lab, _) = Lab::connected();
    lab.write_and_sync(SERVER, 100);
    lab.until(20);
    lab.0.lose_disk(SERVER);
    lab.until(30);
    assert_eq!((lab.heard(SERVER), lab.heard(CLIENT)), (vec![Synced(100), Lost(Loss::Disk)], vec![Closed]));
    assert_eq!(lab.0.disk(SERVER).len(LOG), 0);
}

#[test]
fn a_torn_tail_is_found_at_the_next_start() {
    let mut lab = Lab::new();
    lab.write_and_sync(SERVER, 100);
    lab.until(10);
    lab.0.kill(SERVER);
    assert!(lab.0.tear_disk(SERVER, LOG, 10));
    lab.0.start(SERVER);
    assert_eq!(lab.heard(SERVER), [Synced(100), Lost(Loss::Torn), Start]);
    assert_eq!(lab.0.disk(SERVER).len(LOG), 90);
}
