//! The queue as a state machine, driven by commands.

use proptest::prelude::*;
use smallvec::SmallVec;

use super::commands::{Command, Fresh, What};
use super::fifo::{Effect, Fifo, Setup};
use crate::broker::rabbitmq::config::StreamOffset;
use crate::broker::rabbitmq::content::{EnvelopeId, Reason};
use crate::broker::rabbitmq::message::{Pid, Proc, Settled, Subscribe};
use crate::broker::rabbitmq::rules::QuorumPriorities;
use crate::fact::NodeId;
use crate::sim::{Span, Time};

const NACK: Settled = Settled::Requeued { is_reject: false };
const REJECT: Settled = Settled::Requeued { is_reject: true };

/// A queue, its clock, and what came of the last commands.
struct Bench {
    fifo: Fifo,
    setup: Setup,
    now: Time,
    index: u64,
    effects: Vec<Effect>,
}

fn setup() -> Setup {
    Setup {
        limit: None,
        returns_to_tail: true,
        counts_only_failures: false,
        priorities: QuorumPriorities::None,
        max_length: None,
        max_bytes: None,
        max_in_memory: None,
        drops_head: true,
        keeps_dead: false,
        is_single: false,
        yields: false,
        retry: None,
        is_patient: false,
    }
}

fn pid(number: u32) -> Pid {
    Pid { node: 0, proc: Proc::Channel(number) }
}

fn consumer(tag: u16, prefetch: u16, priority: i32) -> Subscribe {
    let (no_ack, is_exclusive, is_global) = (false, false, false);
    let (offset, client) = (StreamOffset::Next, NodeId(0));
    Subscribe { tag, no_ack, is_exclusive, priority, prefetch, is_global, offset, client }
}

impl Bench {
    fn new(setup: Setup) -> Self {
        Self { fifo: Fifo::default(), setup, now: Time::ZERO, index: 0, effects: Vec::new() }
    }

    fn apply(&mut self, by: Option<u32>, what: What) {
        self.index += 1;
        let command = Command { at: self.now, from: by.map(|number| (pid(number), 0)), what };
        self.fifo.apply(self.index, &command, &self.setup, &mut self.effects);
    }

    /// Channel 0 publishes messages with these numbers, which are their envelopes, too.
    fn publish(&mut self, numbers: impl IntoIterator<Item = u64>) {
        for number in numbers {
            self.publish_with(number, 4, None);
        }
    }

    fn publish_with(&mut self, number: u64, priority: u8, ttl: Option<u64>) {
        let expires = ttl.map_or(Time::NEVER, |ttl| self.now + Span::from_millis(ttl));
        let fresh = Fresh { envelope: EnvelopeId(number as u32), size: 10, priority, expires };
        self.apply(Some(0), What::Enqueue { number, fresh });
    }

    fn settle(&mut self, by: u32, tag: u16, ids: &[u64], how: Settled) {
        let ids: SmallVec<[u64; 2]> = SmallVec::from_slice(ids);
        self.apply(Some(by), What::Settle { tag, ids, how });
    }

    fn later(&mut self, millis: u64) {
        self.now += Span::from_millis(millis);
        self.apply(None, What::Due);
    }

    /// What was handed out since the last look: channel, the consumer's number, message, whether again, count.
    fn handed(&mut self) -> Vec<(u32, u64, u32, bool, u32)> {
        let handed = |effect: Effect| match effect {
            Effect::Deliver(Pid { proc: Proc::Channel(channel), .. }, _, one) => {
                Some((channel, one.id, one.envelope.0, one.redelivered, one.count))
            }
            _ => None,
        };
        self.effects.drain(..).filter_map(handed).collect()
    }

    /// The messages that were handed out since the last look; a negative one again.
    fn messages(&mut self) -> Vec<i64> {
        let signed = |(_, _, message, again, _)| if again { -i64::from(message) } else { i64::from(message) };
        self.handed().into_iter().map(signed).collect()
    }

    fn died(&mut self) -> Vec<(u32, Reason)> {
        let died = |effect: Effect| match effect {
            Effect::Died(envelope, reason) => Some((envelope.0, reason)),
            _ => None,
        };
        self.effects.drain(..).filter_map(died).collect()
    }
}

/// The queue with five messages and a consumer of this prefetch, on channel 1.
fn served(setup: Setup, prefetch: u16) -> Bench {
    let mut bench = Bench::new(setup);
    bench.publish(1..=5);
    bench.apply(Some(1), What::Subscribe(consumer(7, prefetch, 0)));
    bench
}

#[test]
fn a_channels_messages_come_in_once_and_in_order() {
    let mut bench = Bench::new(setup());
    // What comes before its turn has to come again.
    bench.publish([1, 2, 2, 4, 4, 1, 3, 5, 4, 5]);
    bench.apply(Some(1), What::Subscribe(consumer(7, 0, 0)));
    assert_eq!(bench.messages(), [1, 2, 3, 4, 5]);
}

#[test]
fn prefetch_bounds_what_a_consumer_holds_and_numbers_have_no_gaps() {
    let mut bench = served(setup(), 2);
    assert_eq!(bench.handed(), [(1, 0, 1, false, 0), (1, 1, 2, false, 0)]);
    bench.settle(1, 7, &[1], Settled::Acked);
    bench.settle(1, 7, &[1], Settled::Acked);
    assert_eq!(bench.handed(), [(1, 2, 3, false, 0)], "what is settled twice gives no room twice");
}

#[test]
fn without_a_limit_what_is_given_back_goes_to_the_tail_and_what_a_close_leaves_comes_first() {
    let mut bench = served(setup(), 3);
    assert_eq!(bench.messages(), [1, 2, 3]);
    bench.settle(1, 7, &[1], NACK);
    assert_eq!(bench.messages(), [4], "2 waits behind 5");
    bench.apply(None, What::Gone(pid(1)));
    bench.apply(Some(2), What::Subscribe(consumer(7, 0, 0)));
    let handed: Vec<_> =
        bench.handed().into_iter().map(|(_, _, message, again, count)| (message, again, count)).collect();
    assert_eq!(handed, [(1, true, 1), (3, true, 1), (4, true, 1), (5, false, 0), (2, true, 1)]);
}

#[test]
fn with_a_limit_returned_ones_come_first_in_the_order_of_their_return() {
    let mut bench = served(Setup { limit: Some(9), returns_to_tail: false, ..setup() }, 3);
    bench.messages();
    bench.apply(Some(1), What::Cancel(7));
    for id in [2, 1, 0] {
        bench.settle(1, 7, &[id], NACK);
    }
    bench.apply(Some(2), What::Subscribe(consumer(7, 0, 0)));
    assert_eq!(bench.messages(), [-3, -2, -1, 4, 5]);
}

#[test]
fn a_message_is_delivered_once_more_than_its_limit_says() {
    for limit in [0, 1, 2, 5] {
        let mut bench = Bench::new(Setup { limit: Some(limit), returns_to_tail: false, ..setup() });
        bench.publish([1]);
        bench.apply(Some(1), What::Subscribe(consumer(7, 1, 0)));
        let mut counts = Vec::new();
        for id in 0..20 {
            counts.extend(bench.handed().into_iter().map(|(.., count)| count));
            bench.settle(1, 7, &[id], NACK);
            if bench.effects.iter().any(|effect| matches!(effect, Effect::Died(..))) {
                break;
            }
        }
        assert_eq!(counts, (0..=limit).collect::<Vec<_>>());
        assert_eq!(bench.died(), [(1, Reason::DeliveryLimit)]);
    }
}

#[test]
fn from_4_3_only_failures_count_though_all_redeliveries_are_flagged() {
    let setup = Setup { limit: Some(1), returns_to_tail: false, counts_only_failures: true, ..setup() };
    let mut bench = Bench::new(setup);
    bench.publish([1]);
    bench.apply(Some(1), What::Subscribe(consumer(7, 1, 0)));
    for id in 0..30 {
        bench.settle(1, 7, &[id], NACK);
    }
    assert_eq!(bench.handed().last(), Some(&(1, 30, 1, true, 0)));
    bench.settle(1, 7, &[30], REJECT);
    assert_eq!(bench.handed(), [(1, 31, 1, true, 1)]);
    bench.apply(None, What::Gone(pid(1)));
    assert_eq!(bench.died(), [(1, Reason::DeliveryLimit)], "a crash counts as well");
}

#[test]
fn only_the_head_expires_and_never_in_a_consumers_hands() {
    let mut bench = Bench::new(setup());
    bench.publish_with(1, 4, Some(3_000));
    bench.publish_with(2, 4, Some(100));
    assert_eq!(bench.fifo.next_due(), Some(Time::ZERO + Span::from_millis(3_000)));
    bench.later(1_200);
    assert_eq!((bench.fifo.waiting(), bench.died()), (2, vec![]));
    bench.later(1_800);
    assert_eq!(bench.died(), [(1, Reason::Expired), (2, Reason::Expired)]);
    bench.publish_with(3, 4, Some(500));
    bench.apply(Some(1), What::Subscribe(consumer(7, 1, 0)));
    bench.later(1_000);
    assert_eq!(bench.died(), []);
    bench.settle(1, 7, &[0], NACK);
    assert_eq!(bench.died(), [(3, Reason::Expired)], "it had expired when it came back");
}

#[test]
fn without_any_time_to_live_a_message_is_for_a_consumer_that_waits() {
    let mut bench = Bench::new(setup());
    bench.publish_with(1, 4, Some(0));
    assert_eq!(bench.died(), [(1, Reason::Expired)]);
    bench.apply(Some(1), What::Subscribe(consumer(7, 0, 0)));
    bench.publish_with(2, 4, Some(0));
    assert_eq!(bench.messages(), [2]);
}

#[test]
fn a_full_queue_drops_its_oldest_or_asks_publishers_to_hold_back() {
    let mut bench = Bench::new(Setup { max_length: Some(10), ..setup() });
    bench.publish(1..=25);
    assert_eq!(bench.died().len(), 15);
    assert_eq!(
        bench.fifo.items().map(|item| item.envelope.0).collect::<Vec<_>>(),
        (16..=25).collect::<Vec<_>>()
    );

    let mut bench = Bench::new(Setup { max_length: Some(10), drops_head: false, ..setup() });
    bench.publish(1..=13);
    assert_eq!(bench.fifo.waiting(), 13, "what is under way comes in");
    let told = |bench: &mut Bench| {
        let full =
            |effect: Effect| if let Effect::Full(None, is_full) = effect { Some(is_full) } else { None };
        bench.effects.drain(..).filter_map(full).collect::<Vec<_>>()
    };
    assert_eq!(told(&mut bench), [true]);
    bench.apply(Some(1), What::Subscribe(consumer(7, 4, 0)));
    assert_eq!(told(&mut bench), [false; 0], "nine are more than 80 of a hundred");
    bench.settle(1, 7, &[0], Settled::Acked);
    assert_eq!(told(&mut bench), [false]);
}

#[test]
fn a_dead_letter_that_has_to_arrive_stays_until_it_has_and_counts() {
    let setup = Setup { keeps_dead: true, drops_head: false, max_length: Some(2), ..setup() };
    let mut bench = served(setup, 1);
    bench.settle(1, 7, &[0], Settled::Discarded);
    assert_eq!(bench.fifo.dead.len(), 1);
    assert!(bench.fifo.items().any(|item| item.envelope.0 == 1));
    bench.apply(None, What::Buried(SmallVec::from_elem(1, 1)));
    assert!(bench.fifo.dead.is_empty());
    assert!(matches!(bench.effects.last(), Some(Effect::Buried(envelope)) if envelope.0 == 1));
}

#[test]
fn the_highest_priority_that_can_take_is_served_in_turn() {
    let mut bench = Bench::new(setup());
    bench.apply(Some(1), What::Subscribe(consumer(1, 2, 0)));
    bench.apply(Some(2), What::Subscribe(consumer(2, 1, 10)));
    bench.apply(Some(3), What::Subscribe(consumer(3, 1, 10)));
    bench.publish(1..=5);
    let to: Vec<u32> = bench.handed().into_iter().map(|one| one.0).collect();
    assert_eq!(to, [2, 3, 1, 1]);
}

#[test]
fn one_consumer_is_active_and_a_cancel_breaks_the_order_while_a_close_keeps_it() {
    let start = || {
        let mut bench = Bench::new(Setup { is_single: true, ..setup() });
        bench.apply(Some(1), What::Subscribe(consumer(1, 2, 0)));
        bench.apply(Some(2), What::Subscribe(consumer(2, 5, 0)));
        bench.publish(1..=4);
        assert_eq!(bench.messages(), [1, 2], "the other one waits, though it could take more");
        bench
    };
    let mut cancelled = start();
    cancelled.apply(Some(1), What::Cancel(1));
    assert_eq!(cancelled.messages(), [3, 4]);
    let mut closed = start();
    closed.apply(None, What::Gone(pid(1)));
    assert_eq!(closed.messages(), [-1, -2, 3, 4]);
}

#[test]
fn from_4_0_an_active_consumer_gives_way_when_it_holds_nothing() {
    let mut bench = Bench::new(Setup { is_single: true, yields: true, ..setup() });
    bench.apply(Some(1), What::Subscribe(consumer(1, 1, 0)));
    bench.publish(1..=3);
    bench.apply(Some(2), What::Subscribe(consumer(2, 1, 5)));
    bench.effects.clear();
    bench.apply(None, What::Due);
    assert_eq!(bench.handed(), []);
    bench.settle(1, 1, &[0], Settled::Acked);
    assert_eq!(bench.handed(), [(2, 0, 2, false, 0)]);
}

#[test]
fn two_levels_share_two_to_one_and_never_overtake_an_older_high_one() {
    let setup = Setup { priorities: QuorumPriorities::TwoLevels, ..setup() };
    let order = |first: u8, second: u8| {
        let mut bench = Bench::new(setup);
        (1..=6).for_each(|number| bench.publish_with(number, first, None));
        (7..=12).for_each(|number| bench.publish_with(number, second, None));
        bench.apply(Some(1), What::Subscribe(consumer(7, 0, 0)));
        bench.messages()
    };
    assert_eq!(order(0, 9), [7, 8, 1, 9, 10, 2, 11, 12, 3, 4, 5, 6]);
    assert_eq!(order(9, 0), (1..=12).collect::<Vec<_>>());
}

#[test]
fn strict_levels_are_served_highest_first() {
    let mut bench = Bench::new(Setup { priorities: QuorumPriorities::Strict, ..setup() });
    for (number, priority) in (1..).zip([0, 3, 4, 40, 31, 4]) {
        bench.publish_with(number, priority, None);
    }
    bench.apply(Some(1), What::Subscribe(consumer(7, 0, 0)));
    assert_eq!(bench.messages(), [4, 5, 3, 6, 2, 1]);
}

#[test]
fn what_a_lost_node_holds_comes_back_at_once_or_after_a_while() {
    for is_patient in [false, true] {
        let mut bench = served(Setup { is_patient, ..setup() }, 2);
        bench.messages();
        bench.apply(None, What::Lost(0));
        assert_eq!(bench.fifo.returned.len(), if is_patient { 0 } else { 2 });
        bench.apply(None, What::GivenUp(0));
        assert_eq!(bench.fifo.returned.len(), 2);
        assert_eq!(bench.messages(), [0i64; 0], "a consumer that is out of reach gets nothing");
        bench.apply(None, What::Back(0));
        assert_eq!(bench.messages(), [-1, -2]);
    }
}

#[test]
fn from_4_3_a_rejected_message_is_kept_back_longer_each_time() {
    let retry = Some((Span::from_millis(100), Span::from_millis(250)));
    let mut bench = Bench::new(Setup { retry, counts_only_failures: true, ..setup() });
    bench.publish([1]);
    bench.apply(Some(1), What::Subscribe(consumer(7, 1, 0)));
    for (id, delay) in (0..).zip([100, 200, 250, 250]) {
        assert_eq!(bench.messages().len(), 1);
        bench.settle(1, 7, &[id], REJECT);
        assert_eq!(bench.fifo.next_due(), Some(bench.now + Span::from_millis(delay)));
        bench.later(delay - 1);
        assert_eq!(bench.messages(), [0i64; 0]);
        bench.later(1);
    }
}

#[test]
fn get_takes_the_first_and_holds_it_under_a_number_of_its_own() {
    let mut bench = Bench::new(setup());
    bench.publish(1..=2);
    bench.apply(Some(1), What::Get);
    let Some(&Effect::Got(_, Some(got))) = bench.effects.last() else { panic!("there is one") };
    assert_eq!(got.envelope.0, 1);
    bench.settle(1, super::GET, &[got.id], REJECT);
    assert_eq!(bench.fifo.waiting(), 2);
    bench.apply(Some(1), What::Get);
    bench.apply(None, What::Gone(pid(1)));
    assert_eq!((bench.fifo.waiting(), bench.fifo.pids().len()), (2, 1));
}

/// Anything that can happen: which command, and its details.
fn command(kind: u8, detail: u64, number: &mut u64) -> (Option<u32>, What) {
    let channel = (detail % 3) as u32 + 1;
    let ids: SmallVec<[u64; 2]> = SmallVec::from_slice(&[detail % 7, detail % 11]);
    let tag = (detail % 2) as u16;
    match kind % 12 {
        0..=3 => {
            *number += 1;
            let expires = if detail.is_multiple_of(5) { Time(detail % 90) } else { Time::NEVER };
            let fresh =
                Fresh { envelope: EnvelopeId(*number as u32), size: 3, priority: detail as u8 % 9, expires };
            (Some(0), What::Enqueue { number: *number, fresh })
        }
        4 => (Some(channel), What::Subscribe(consumer(tag, (detail % 4) as u16, (detail % 2) as i32))),
        5 => (Some(channel), What::Cancel(tag)),
        6 => (Some(channel), What::Settle { tag, ids, how: Settled::Acked }),
        7 => (
            Some(channel),
            What::Settle { tag, ids, how: if detail.is_multiple_of(3) { REJECT } else { NACK } },
        ),
        8 => (Some(channel), What::Settle { tag, ids, how: Settled::Discarded }),
        9 => (None, What::Gone(pid(channel))),
        10 => (Some(channel), What::Get),
        _ => (None, if detail.is_multiple_of(2) { What::Lost(0) } else { What::Back(0) }),
    }
}

proptest! {
    #[test]
    fn every_message_is_somewhere_or_was_settled_and_bytes_add_up(
        steps in prop::collection::vec((any::<u8>(), any::<u64>()), 0..300),
        flags in any::<u16>(),
    ) {
        let levels = [QuorumPriorities::None, QuorumPriorities::TwoLevels, QuorumPriorities::Strict];
        let setup = Setup {
            limit: (flags & 1 > 0).then_some(2),
            returns_to_tail: flags & 1 == 0,
            counts_only_failures: flags & 2 > 0,
            priorities: levels[usize::from(flags) % 3],
            max_length: (flags & 4 > 0).then_some(12),
            max_bytes: None,
            max_in_memory: None,
            drops_head: flags & 8 > 0,
            keeps_dead: flags & 8 == 0 && flags & 16 > 0,
            is_single: flags & 32 > 0,
            yields: flags & 64 > 0,
            retry: (flags & 128 > 0).then_some((Span(5), Span(20))),
            is_patient: flags & 256 > 0,
        };
        let mut bench = Bench::new(setup);
        let mut copy = Bench::new(setup);
        let (mut number, mut copied, mut died) = (0, 0, 0);
        for (kind, detail) in steps {
            bench.now += Span(1);
            let (by, what) = command(kind, detail, &mut number);
            bench.apply(by, what);
            died += bench.died().len();
            // Another member applies the same, from a snapshot now and then.
            copy.now += Span(1);
            let (by, what) = command(kind, detail, &mut copied);
            copy.fifo = copy.fifo.clone();
            copy.apply(by, what);
        }
        let mut all: Vec<u32> = bench.fifo.items().map(|item| item.envelope.0).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        prop_assert_eq!(all.len(), count, "no message is in two places");
        prop_assert!(count <= number as usize);
        prop_assert!(died <= number as usize);
        let waiting = bench.fifo.waiting() + bench.fifo.dead.len();
        prop_assert_eq!(bench.fifo.bytes, waiting as u64 * 3);
        let has_more = |held: usize, prefetch: u32| prefetch > 0 && held as u32 > prefetch;
        let over = bench.fifo.consumers.iter().filter(|one| has_more(one.held.len(), one.prefetch));
        prop_assert_eq!(over.count(), 0);
        prop_assert_eq!(format!("{:?}", bench.fifo), format!("{:?}", copy.fifo));
    }
}
