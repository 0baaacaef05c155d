//! A group under every kind of misfortune, and single members up close.

mod group;
mod safety;

use super::*;
use crate::sim::draw::{self, Bits, Purpose};
use group::Group;

/// What a member does wrong, so that a test can see which promise breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flaw {
    /// Entries count before they are durable.
    CountsAtOnce,
    /// A vote is given whatever the candidate's log lacks.
    VotesForAny,
    /// A restart forgets for whom the member voted.
    ForgetsVote,
    /// Entries are appended without a look at what they follow.
    AppendsBlindly,
    /// Entries of earlier terms are committed by counting.
    CountsOldTerms,
}

fn config() -> Config {
    let millis = |low, high| Dist::Uniform(Span::from_millis(low), Span::from_millis(high));
    Config::detected(millis(100, 600), millis(1000, 2000), millis(200, 1200))
}

fn bits(seed: u64) -> Bits {
    draw::stream(seed, Purpose::Test, 0, 0)
}

#[test]
fn a_group_elects_and_commits() {
    let mut group = Group::new(3, &config(), 1, None);
    group.heal().unwrap();
    let leader = group.leader().expect("somebody leads");
    for command in 0..300 {
        assert!(group.propose(leader, command));
    }
    group.settle().unwrap();
    assert!(group.nodes.iter().all(|node| node.state.len() == 300 && node.state.is_sorted()));
}

#[test]
fn an_established_group_needs_no_election() {
    let mut group = Group::established(5, &config(), 3, None);
    assert_eq!(group.leader(), Some(3));
    assert!(group.propose(3, 7));
    group.settle().unwrap();
    assert_eq!(group.nodes[0].raft.term(), 1);
    assert!(group.nodes.iter().all(|node| *node.state == [7]));
}

#[test]
fn a_member_alone_commits_when_its_disk_says_so() {
    let mut group = Group::new(1, &config(), 1, None);
    group.fire(0).unwrap();
    assert_eq!((group.leader(), group.nodes[0].raft.commit()), (Some(0), 0));
    assert!(group.propose(0, 1));
    assert_eq!(group.nodes[0].raft.commit(), 0, "nothing is durable yet");
    group.settle().unwrap();
    assert_eq!((group.nodes[0].raft.commit(), group.nodes[0].state.len()), (2, 1));
}

#[test]
fn the_leaders_own_disk_is_not_needed_but_counts_only_when_written() {
    let mut group = Group::established(3, &config(), 0, None);
    group.propose(0, 1);
    group.deliver_all().unwrap();
    assert_eq!(group.nodes[0].raft.commit(), 1, "no disk has it");
    group.write(1).unwrap();
    group.deliver_all().unwrap();
    assert_eq!(group.nodes[0].raft.commit(), 1, "one of three disks has it");
    group.write(2).unwrap();
    group.deliver_all().unwrap();
    assert_eq!(group.nodes[0].raft.commit(), 2, "two followers are a majority");
}

#[test]
fn the_death_of_the_leader_is_followed_by_an_election_and_its_lost_entries_by_none() {
    let mut group = Group::established(3, &config(), 0, None);
    group.propose(0, 1);
    group.settle().unwrap();
    group.propose(0, 2);
    group.crash(0);
    group.wire.clear();
    group.notice_death(0).unwrap();
    group.settle().unwrap();
    let leader = group.leader().expect("a follower took over");
    assert!(leader != 0 && group.nodes[leader].raft.term() > 1);
    group.propose(leader, 3);
    group.restart(0).unwrap();
    group.settle().unwrap();
    assert!(group.nodes.iter().all(|node| *node.state == [1, 3]), "{:?}", group.nodes[0].state);
}

#[test]
fn a_stale_mark_says_nothing_about_what_took_its_place() {
    let mut raft: Raft<u64, ()> = Raft::established(Member(1), 3, config(), Member(0));
    let (mut draws, mut out) = (bits(1), Vec::new());
    let mut io = Io { now: Time::ZERO, draws: &mut draws, out: &mut out };
    let append = |term, before, command| Message::Append {
        term,
        before,
        commit: 1,
        entries: [Entry { term, command: Some(command) }].into(),
    };
    raft.receive(Member(0), &append(1, Place { index: 1, term: 1 }, 1), &mut io);
    raft.receive(Member(2), &append(2, Place { index: 1, term: 1 }, 2), &mut io);
    let marks: Vec<_> =
        io.out.iter().filter_map(|o| if let Output::Write(mark) = o { Some(*mark) } else { None }).collect();
    raft.written(marks[0], &mut io);
    assert_eq!(raft.durable(), 1, "the entry that was written is no more");
    raft.written(marks[1], &mut io);
    assert_eq!(raft.durable(), 2);
    assert!(matches!(io.out.last(), Some(Output::Send(Member(2), Message::Appended { matched: 2, .. }))));
}

/// Who gets this member's vote in term 2, asked by one, restarted, and asked by the other.
fn votes_over_a_restart(flaw: Option<Flaw>) -> Vec<u8> {
    let mut raft: Raft<u64, ()> = Raft::established(Member(2), 3, config(), Member(0));
    raft.flaw = flaw;
    let (mut draws, mut out) = (bits(1), Vec::new());
    let mut io = Io { now: Time::ZERO, draws: &mut draws, out: &mut out };
    let last = raft.last();
    raft.receive(Member(0), &Message::Vote { term: 2, last }, &mut io);
    raft.restart(last.index, &mut io);
    raft.receive(Member(1), &Message::Vote { term: 2, last }, &mut io);
    raft.receive(Member(0), &Message::Vote { term: 2, last }, &mut io);
    let granted = |output: &Output<u64, ()>| match output {
        Output::Send(to, Message::VoteReply { is_granted: true, .. }) => Some(to.0),
        _ => None,
    };
    out.iter().filter_map(granted).collect()
}

#[test]
fn a_vote_is_remembered_and_given_to_one_only() {
    assert_eq!(votes_over_a_restart(None), [0, 0]);
    assert_eq!(votes_over_a_restart(Some(Flaw::ForgetsVote)), [0, 1], "two leaders of one term");
}

#[test]
fn a_member_with_an_empty_disk_is_fed_the_snapshot_and_the_rest() {
    let mut group = Group::established(3, &config(), 0, None);
    for command in 0..2000 {
        group.propose(0, command);
    }
    group.settle().unwrap();
    group.compact(0);
    for command in 2000..2010 {
        group.propose(0, command);
    }
    group.crash(2);
    group.notice_death(2).unwrap();
    group.replace_disk(2);
    group.restart(2).unwrap();
    group.settle().unwrap();
    assert_eq!(group.nodes[2].state.len(), 2010);
    assert!(group.nodes[2].raft.snapshot().is_some());
    assert!(group.nodes[0].raft.entry(5).is_none(), "it is released");
}

#[test]
fn a_leader_that_goes_hands_over_to_who_has_most() {
    let mut group = Group::established(3, &config(), 0, None);
    group.propose(0, 1);
    group.deliver_all().unwrap();
    group.write(2).unwrap();
    group.settle_without(1).unwrap();
    group.transfer(0);
    group.settle().unwrap();
    assert_eq!((group.leader(), group.nodes[2].raft.term()), (Some(2), 2));
}

#[test]
fn nothing_is_sent_while_nothing_happens() {
    let mut group = Group::established(3, &config(), 0, None);
    group.propose(0, 1);
    group.settle().unwrap();
    group.tick(0).unwrap();
    group.tick(0).unwrap();
    assert!(group.wire.is_empty(), "{:?}", group.wire);
}

#[test]
fn a_tick_repairs_what_a_lost_message_left_open() {
    let mut group = Group::established(3, &config(), 0, None);
    group.propose(0, 1);
    group.wire.clear();
    group.tick(0).unwrap();
    assert!(group.wire.is_empty(), "the first tick only looks");
    group.tick(0).unwrap();
    group.settle().unwrap();
    assert!(group.nodes.iter().all(|node| *node.state == [1]));
}

#[test]
fn who_was_cut_off_deposes_nobody_with_pre_votes() {
    let mut group = Group::established(3, &config(), 0, None);
    group.propose(0, 1);
    group.settle_without(2).unwrap();
    group.suspect(2, 0).unwrap();
    for _ in 0..5 {
        group.fire(2).unwrap();
        group.settle().unwrap();
    }
    assert_eq!((group.leader(), group.nodes[0].raft.term()), (Some(0), 1));
    assert!(group.nodes.iter().all(|node| *node.state == [1]), "and the leader feeds it");
}

#[test]
fn with_heartbeats_a_follower_waits_for_as_long_as_it_hears_them() {
    let patience = Dist::Uniform(Span::from_millis(500), Span::from_millis(1000));
    let mut group = Group::established(3, &Config::with_heartbeats(patience), 0, None);
    for _ in 0..20 {
        group.now += Span::from_millis(100);
        group.tick(0).unwrap();
        group.deliver_all().unwrap();
        group.fire_due().unwrap();
    }
    assert_eq!(group.nodes[1].raft.term(), 1);
    group.crash(0);
    group.wire.clear();
    for _ in 0..20 {
        group.now += Span::from_millis(100);
        group.fire_due().unwrap();
        group.deliver_all().unwrap();
    }
    assert!(group.leader().is_some_and(|leader| leader != 0));
}
