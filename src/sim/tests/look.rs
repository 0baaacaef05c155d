//! What is seen from outside is what is there.

use super::*;

/// What is under way: from, to, how far in thousandths, and the packet's number if it is one.
fn under_way(lab: &Lab) -> Vec<(NodeId, NodeId, u16, Option<u32>)> {
    let number = |frame: Frame<'_, u32>| if let Frame::Packet(&number) = frame { Some(number) } else { None };
    lab.0.under_way().iter().map(|one| (one.from, one.to, one.progress, number(one.what))).collect()
}

fn join(lab: &Lab) -> Join {
    lab.0.joins()[&[CLIENT, SERVER]]
}

#[test]
fn a_packet_is_seen_on_its_way_until_it_arrives() {
    let (mut lab, conn) = Lab::connected();
    let slow = lab.spoil(LinkEffect::Delay(Dist::Constant(Span::from_millis(9))));
    lab.send(CLIENT, conn, 7..=8);
    assert_eq!(under_way(&lab), [(CLIENT, SERVER, 0, Some(7)), (CLIENT, SERVER, 0, Some(8))]);
    lab.until(15);
    assert_eq!(under_way(&lab)[0], (CLIENT, SERVER, 500, Some(7)), "half of the usual ten milliseconds");
    assert!(join(&lab).is_spoiled && join(&lab).is_connected);
    lab.0.lift(slow);
    lab.until(21);
    assert_eq!(under_way(&lab), []);
    assert!(!join(&lab).is_spoiled);
}

#[test]
fn what_a_cut_holds_is_counted_where_it_waits() {
    let (mut lab, conn) = Lab::connected();
    let cut = lab.cut(SERVER, true);
    lab.send(CLIENT, conn, 1..=3);
    assert_eq!(join(&lab), Join { is_connected: true, is_cut: [true; 2], is_spoiled: false, held: [3, 0] });
    assert_eq!(under_way(&lab), []);
    lab.0.lift(cut);
    lab.until(2_000);
    assert_eq!(join(&lab), Join { is_connected: true, ..Join::default() });
}

#[test]
fn a_condition_shows_even_between_those_who_never_spoke() {
    let mut lab = Lab::new();
    assert!(lab.0.joins().is_empty());
    let condition = Condition { from: vec![OTHER], to: None, both_ways: false, effect: LinkEffect::Cut };
    lab.0.impose(condition);
    let joins = lab.0.joins();
    assert_eq!(joins.keys().collect::<Vec<_>>(), [&[CLIENT, OTHER], &[SERVER, OTHER]]);
    assert_eq!(joins[&[CLIENT, OTHER]].is_cut, [false, true]);
}
