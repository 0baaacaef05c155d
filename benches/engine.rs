//! What the engine's parts cost: `cargo bench --bench engine`. Quote ratios, not nanoseconds; the gates are in
//! `examples/limits`.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use mqlab::sim::draw::{self, Purpose};
use mqlab::sim::{Agenda, Span, Time, exponential};

#[path = "../examples/limits/ping_pong.rs"]
mod ping_pong;

use ping_pong::PingPong;

const EVENTS: u64 = 100_000;

/// The hold model: take one, schedule one, with a constant number pending.
fn agenda(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("agenda");
    group.throughput(Throughput::Elements(EVENTS));
    for pending in [100u64, 10_000] {
        let mut random = draw::stream(1, Purpose::Test, pending, 0);
        let mut agenda = Agenda::default();
        for event in 0..pending {
            agenda.push(Time::ZERO + exponential(Span::from_millis(1), draw::next(&mut random)), event);
        }
        group.bench_function(BenchmarkId::new("hold", pending), |bencher| {
            bencher.iter(|| {
                for _ in 0..EVENTS {
                    if let Some((now, event)) = agenda.pop(Time::NEVER) {
                        let after = exponential(Span::from_millis(1), draw::next(&mut random));
                        agenda.push(now + after, event);
                    }
                }
            });
        });
    }
    group.finish();
}

/// 64 nodes pass 64 tokens: agenda, network, dispatch and fingerprint together.
fn world(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("world");
    let mut world = PingPong::world(1);
    group.throughput(Throughput::Elements(EVENTS));
    group.bench_function("64 nodes, 64 tokens", |bencher| {
        bencher.iter(|| {
            ping_pong::run(&mut world, EVENTS);
            black_box(world.digest())
        });
    });
    group.throughput(Throughput::Elements(1));
    group.bench_function("clone in the middle of a run", |bencher| bencher.iter(|| black_box(world.clone())));
    group.finish();
}

criterion_group!(benches, agenda, world);
criterion_main!(benches);
