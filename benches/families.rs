//! What a family's world costs: `cargo bench --bench families`. Quote ratios, not nanoseconds; the gates are in
//! `examples/limits`.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use mqlab::lab::record::Position;
use mqlab::sim::{Span, Time};

#[path = "../examples/limits/cluster.rs"]
mod cluster;

use cluster::Cluster;

const MESSAGES: u32 = 10_000;

/// One producer, three replicas, `acks=all`, one consumer: a whole run, by events and by messages.
fn run(criterion: &mut Criterion) {
    let cluster = Cluster::new(MESSAGES);
    let mut group = criterion.benchmark_group("kafka");
    group.throughput(Throughput::Elements(cluster.run()));
    group.bench_function("a run, by events", |bencher| bencher.iter(|| cluster.run()));
    group.throughput(Throughput::Elements(cluster.world()));
    group.bench_function("its world alone, by events", |bencher| bencher.iter(|| cluster.world()));
    group.throughput(Throughput::Elements(u64::from(MESSAGES)));
    group.bench_function("a run, by messages", |bencher| bencher.iter(|| cluster.run()));
    group.bench_function("a recorded run, by messages", |bencher| bencher.iter(|| cluster.record()));
    group.finish();
}

/// What a key-frame and a jump cost.
fn instants(criterion: &mut Criterion) {
    let cluster = Cluster::new(MESSAGES);
    let middle = Time(cluster.end().since(Time::ZERO).half().0);
    let mut world = cluster.start();
    world.advance(middle, &mut Vec::new());
    let mut group = criterion.benchmark_group("kafka instants");
    group.bench_function("clone of a world in the middle of a run", |bencher| {
        bencher.iter(|| black_box(world.snapshot()));
    });
    let mut recording = cluster.recording();
    let mut to = middle;
    group.bench_function("seek in a recording", |bencher| {
        bencher.iter(|| {
            to = if to == middle { middle + Span::from_secs(10) } else { middle };
            recording.seek(Position::Time(to));
        });
    });
    group.bench_function("one step back", |bencher| bencher.iter(|| recording.step_back()));
    group.finish();
}

criterion_group!(benches, run, instants);
criterion_main!(benches);
