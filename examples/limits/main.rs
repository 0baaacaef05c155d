//! How close mqlab comes to what is possible here: `cargo run --release --example limits`.
//!
//! Contestants run in turn, costs are CPU time of the process, and the median of the ratios of all rounds is judged,
//! so that a busy neighbour does not decide. The program ends with status 1 if a gate does not hold.
//!
//! `limits --measure-memory MESSAGES SUBJECT` prints the peak memory of one run: the program calls itself that way.
//! `limits --run EVENTS engine|by-hand` runs one side of W1 alone: `valgrind --tool=callgrind` counts instructions.

use std::process::ExitCode;

mod by_hand;
mod cluster;
mod contest;
mod heap;
mod ping_pong;

use by_hand::{BareCluster, BarePingPong};
use cluster::Cluster;
use contest::{Contest, Target, memory_per_message, peak_memory, size, start_time, table};
use ping_pong::PingPong;

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
    contests.push(kafka_contest());
    contests.push(memory_contest());
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

/// W2: one event of a cluster.
//
// TO BE FILLED with the Kafka world: three brokers, 200,000 messages, faults armed that do not fire. `ours` returns
// the world's events, `limit` is `cluster_by_hand`, the target `{ goal: 2.0, gate: 3.0 }`. Until then the yardstick itself is
// compared with the bare loop of W1: both should cost about the same for each event.
fn kafka_contest() -> Contest {
    let mut bare = BarePingPong::new(1);
    let limit = || {
        std::hint::black_box(bare.run(2_000_000));
        2_000_000
    };
    Contest::in_turn("by hand: one event (W2)", Target { goal: 1.5, gate: 2.0 }, 7, cluster_by_hand, limit)
}

/// The yardstick of W2: the same story in a hand-written loop; returns its events.
fn cluster_by_hand() -> u64 {
    let mut cluster = BareCluster::new(1);
    let events = cluster.run(200_000);
    assert!(cluster.is_complete(), "every message is confirmed and delivered");
    events
}

/// Bytes that a run keeps for each message: here of the loop written by hand.
fn memory_contest() -> Contest {
    let target = Target { goal: 128.0, gate: 192.0 };
    Contest::of("by hand: memory a message", "B", target, memory_per_message("by-hand"))
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
    vec![
        Contest::of("program: mqlab --version", "ms", Target { goal: 5.0, gate: 20.0 }, start_time(&program)),
        Contest::of("program: size", "MiB", Target { goal: 4.0, gate: 8.0 }, size(&program)),
    ]
}

/// The child of [`memory_per_message`]: runs the subject and prints its peak memory in bytes.
fn measure_memory(messages: u32, subject: &str) -> ExitCode {
    match subject {
        "by-hand" => std::hint::black_box(BareCluster::new(1).run(messages)),
        _ => return ExitCode::FAILURE,
    };
    println!("{}", peak_memory());
    ExitCode::SUCCESS
}

/// One side of W1, for counting instructions.
fn run_alone(events: u64, subject: &str) -> ExitCode {
    match subject {
        "engine" => ping_pong::run(&mut PingPong::world(1), events),
        "by-hand" => drop(std::hint::black_box(BarePingPong::new(1).run(events))),
        "kafka" => println!("{}", Cluster::new(events as u32).run()),
        "kafka-world" => println!("{}", Cluster::new(events as u32).world()),
        "kafka-recorded" => println!("{}", Cluster::new(events as u32).record()),
        "cluster-by-hand" => println!("{}", BareCluster::new(1).run(events as u32)),
        _ => return ExitCode::FAILURE,
    }
    ExitCode::SUCCESS
}
