//! How close mqlab comes to what is possible here: `cargo run --release --example limits`.
//!
//! Contestants run in turn, costs are CPU time of the process, and the median of the ratios of all rounds is judged,
//! so that a busy neighbour does not decide. The program ends with status 1 if a gate does not hold.
//!
//! `limits --measure-memory MESSAGES SUBJECT` prints the peak memory of one run: the program calls itself that way.
//! `limits --run N SUBJECT` runs one contestant alone, so that `valgrind --tool=callgrind` can count instructions:
//! `engine` and `by-hand` (N events of W1); `kafka`, `kafka-world`, `kafka-recorded`, `cluster-by-hand`, `rabbitmq`
//! and `rabbitmq-quorum`, each also with `-by-hand` (N messages); `seek` (N seeks in a recording, and a step back after
//! each).

use std::process::ExitCode;

mod bare_queue;
mod by_hand;
mod cluster;
mod contest;
mod heap;
mod ping_pong;
mod queue;
mod screen;

use bare_queue::BareQueue;
use by_hand::{BareCluster, BarePingPong};
use cluster::Cluster;
use contest::{
    Contest, Target, median, memory_per_message, own_time, peak_memory, quantile, size, start_time, table,
};
use mqlab::lab::record::Position;
use mqlab::sim::draw::{self, Purpose};
use ping_pong::PingPong;
use queue::{Kind, Queue};

/// So many messages go through a cluster in one round.
const MESSAGES: u32 = 200_000;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    if let [flag, messages, subject] = arguments.as_slice()
        && flag == "--measure-memory"
    {
        return measure_memory(messages.parse().unwrap_or(0), subject);
    }
    if let [flag, events, subject] = arguments.as_slice()
        && flag == "--run"
    {
        return run_alone(events.parse().unwrap_or(0), subject);
    }
    let mut contests = vec![engine_contest()];
    contests.extend(kafka_contests());
    contests.extend(queue_contests());
    contests.extend(memory_contests());
    contests.extend(seek_contests());
    contests.extend(screen_contests());
    contests.extend(program_contests());
    print!("{}", table(&contests));
    if contests.iter().all(Contest::holds) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// W1: one event of a world that does nothing of its own, against the bare loop.
fn engine_contest() -> Contest {
    const EVENTS: u64 = 2_000_000;
    let mut world = PingPong::world(1);
    let mut bare = BarePingPong::new(1);
    let ours = || {
        ping_pong::run(&mut world, EVENTS);
        std::hint::black_box(world.digest());
        EVENTS
    };
    let limit = || {
        std::hint::black_box(bare.run(EVENTS));
        EVENTS
    };
    Contest::in_turn("engine: one event (W1)", Target { goal: 1.5, gate: 1.9 }, 11, ours, limit)
}

/// W2: one event of a Kafka cluster, as every run is made, against one of a cluster written by hand. Both do more or
/// less the same for a message; how much that is for each event is printed beside the table.
fn kafka_contests() -> Vec<Contest> {
    let cluster = Cluster::new(MESSAGES);
    let target = Target { goal: 2.0, gate: 3.0 };
    let world =
        Contest::in_turn("Kafka: one event, world alone", target, 5, || cluster.world(), cluster_by_hand);
    let run = Contest::in_turn("Kafka: one event (W2)", target, 7, || cluster.run(), cluster_by_hand);
    let per_message = cluster.run() as f64 / f64::from(MESSAGES);
    let by_hand = cluster_by_hand() as f64 / f64::from(MESSAGES);
    println!(
        "a message through Kafka: {per_message:.1} events, {:.0} messages a second; \
         by hand: {by_hand:.1} events, {:.0} messages a second",
        1e9 / (run.ours * per_message),
        run.limit.map_or(f64::NAN, |limit| 1e9 / (limit * by_hand)),
    );
    let target = Target { goal: 1.35, gate: 1.6 };
    let recorded =
        Contest::in_turn("Kafka: one event, recorded", target, 7, || cluster.record(), || cluster.run());
    vec![world, run, recorded]
}

/// The yardstick of W2: the same story in a hand-written loop; returns its events.
fn cluster_by_hand() -> u64 {
    let mut cluster = BareCluster::new(1);
    let events = cluster.run(MESSAGES);
    assert!(cluster.is_complete(), "every message is confirmed and delivered");
    events
}

/// A message through a queue of RabbitMQ, as every run is made, against the same hops in a loop written by hand. How
/// many events that is, and what one costs, is printed beside the table.
fn queue_contests() -> Vec<Contest> {
    let contest = |name, kind| {
        let queue = Queue::new(kind, MESSAGES);
        let (mut events, mut by_hand) = (0, 0);
        let ours = || {
            events = queue.run();
            u64::from(MESSAGES)
        };
        let limit = || {
            by_hand = BareQueue::new(kind).run(MESSAGES);
            u64::from(MESSAGES)
        };
        let contest = Contest::in_turn(name, Target { goal: 2.0, gate: 3.0 }, 5, ours, limit);
        let cost = |of_message: f64, events: u64| {
            let events = events as f64 / f64::from(MESSAGES);
            format!("{events:.1} events of {:.0} ns", of_message / events)
        };
        let by_hand = contest.limit.map_or_else(String::new, |limit| cost(limit, by_hand));
        println!("{name}: {}; by hand: {by_hand}", cost(contest.ours, events));
        contest
    };
    vec![
        contest("RabbitMQ: a message, classic queue", Kind::Classic),
        contest("RabbitMQ: a message, quorum queue", Kind::Quorum),
    ]
}

/// Bytes that a run keeps for each message, and a recorded run.
fn memory_contests() -> Vec<Contest> {
    let kept = |name, subject, goal, gate| {
        Contest::of(name, "B", Target { goal, gate }, memory_per_message(subject))
    };
    vec![
        kept("Kafka: memory a message", "kafka", 128.0, 192.0),
        kept("Kafka: memory a message, recorded", "kafka-recorded", 260.0, 420.0),
    ]
}

/// How long one waits for another instant of a recorded run of a million events.
fn seek_contests() -> Vec<Contest> {
    let (seeks, steps) = seeks(200);
    let waited = |name, target, times| Contest::of(name, "ms", target, quantile(times, 0.99));
    vec![
        waited("recording: seek, p99", Target { goal: 16.0, gate: 50.0 }, seeks),
        waited("recording: one step back, p99", Target { goal: 3.0, gate: 16.0 }, steps),
    ]
}

/// How many milliseconds each of so many seeks took, and each step back after one.
fn seeks(count: u64) -> (Vec<f64>, Vec<f64>) {
    let mut recording = Cluster::new(100_000).recording();
    let events = recording.head().events();
    assert!(events > 1_000_000, "{events} events are no million");
    let mut random = draw::stream(1, Purpose::Test, 0, 0);
    let mut seek = || {
        let to = Position::Event(draw::below(draw::next(&mut random), events) + 1);
        let sought = own_time(|| recording.seek(to));
        let stepped = own_time(|| {
            recording.step_back();
        });
        (sought, stepped)
    };
    (0..count).map(|_| seek()).unzip()
}

/// How long one waits for a frame of a run of a million events, and for another instant to be drawn.
fn screen_contests() -> Vec<Contest> {
    let (frame, moved) = screen::frames();
    vec![
        Contest::of("screen: a frame of 120x40, p99", "ms", Target { goal: 1.0, gate: 4.0 }, frame),
        Contest::of("screen: seek and draw, p99", "ms", Target { goal: 16.0, gate: 50.0 }, moved),
    ]
}

/// How soon the program is there, and how large it is. Nothing, if it was not built: `cargo build --release`.
fn program_contests() -> Vec<Contest> {
    let example = std::env::current_exe().unwrap_or_default();
    let Some(program) = example.ancestors().nth(2).map(|folder| folder.join("mqlab")) else {
        return Vec::new();
    };
    if !program.exists() {
        return Vec::new();
    }
    let (first, paused) = screen::in_a_terminal(&program);
    vec![
        Contest::of("program: first frame", "ms", Target { goal: 30.0, gate: 100.0 }, first),
        Contest::of("program: a processor's share, paused", "%", Target { goal: 0.1, gate: 1.0 }, paused),
        Contest::of("program: mqlab --version", "ms", Target { goal: 5.0, gate: 20.0 }, start_time(&program)),
        Contest::of("program: size", "MiB", Target { goal: 4.0, gate: 8.0 }, size(&program)),
    ]
}

/// The child of [`memory_per_message`]: runs the subject and prints its peak memory in bytes.
fn measure_memory(messages: u32, subject: &str) -> ExitCode {
    match subject {
        "by-hand" => drop(std::hint::black_box(BareCluster::new(1).run(messages))),
        "kafka" => drop(Cluster::new(messages).run()),
        "kafka-recorded" => drop(Cluster::new(messages).record()),
        _ => return ExitCode::FAILURE,
    }
    println!("{}", peak_memory());
    ExitCode::SUCCESS
}

/// One contestant, for counting instructions.
fn run_alone(events: u64, subject: &str) -> ExitCode {
    match subject {
        "engine" => ping_pong::run(&mut PingPong::world(1), events),
        "by-hand" => drop(std::hint::black_box(BarePingPong::new(1).run(events))),
        "kafka" => println!("{}", Cluster::new(events as u32).run()),
        "kafka-world" => println!("{}", Cluster::new(events as u32).world()),
        "kafka-recorded" => println!("{}", Cluster::new(events as u32).record()),
        "seek" => println!("{:.2} ms", median(seeks(events).0)),
        "rabbitmq" => println!("{}", Queue::new(Kind::Classic, events as u32).run()),
        "rabbitmq-quorum" => println!("{}", Queue::new(Kind::Quorum, events as u32).run()),
        "rabbitmq-by-hand" => println!("{}", BareQueue::new(Kind::Classic).run(events as u32)),
        "rabbitmq-quorum-by-hand" => println!("{}", BareQueue::new(Kind::Quorum).run(events as u32)),
        "cluster-by-hand" => println!("{}", BareCluster::new(1).run(events as u32)),
        _ => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}
