//! From a log in memory to histories, and from histories to cells.

use std::hint::black_box;

use clv::Cells;
use clv::prelude::*;
use clv::scale::GrainLedger;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

fn summary(c: &mut Criterion) {
    let log = clv_benches::shop(100_000);
    let cut = Cut::end_of(Moment::parse_date("2023-01-02").expect("valid"), Grain::Day);
    let summary = Summary::of(&log, cut, TimeUnit::Week).expect("customers have bought");
    assert_eq!(summary.len(), 100_000);
    let purchases: u64 = summary.frequency.iter().map(|x| u64::from(*x) + 1).sum();
    assert!(purchases <= log.len() as u64 && purchases > log.len() as u64 * 9 / 10);
    let mut group = c.benchmark_group("summary");
    group.sample_size(20).throughput(Throughput::Elements(log.len() as u64));
    group.bench_function("log to histories, 100k customers", |b| {
        b.iter(|| Summary::of(black_box(&log), cut, TimeUnit::Week).expect("as before").len());
    });
    group.throughput(Throughput::Elements(summary.len() as u64));
    group.bench_function("histories to cells, 100k customers", |b| {
        b.iter_batched(|| (), |()| Cells::of(&black_box(&summary).customers()).len(), BatchSize::LargeInput);
    });
    let pushed = || {
        let mut ledger = GrainLedger::new(Grain::Day);
        let amounts = log.amount().expect("a shop with amounts");
        for ((&customer, &time), &amount) in log.customer().iter().zip(log.time()).zip(amounts) {
            ledger.push(log.customers().name(customer), time, Some(amount)).expect("amounts everywhere");
        }
        ledger
    };
    group.throughput(Throughput::Elements(log.len() as u64));
    group.bench_function("rows into a grain ledger, 100k customers", |b| {
        b.iter(|| assert_eq!(pushed().rows(), log.len()));
    });
    let ledger = pushed();
    group.bench_function("grain ledger to histories, 100k customers", |b| {
        b.iter_batched(
            || ledger.clone(),
            |ledger| {
                let (_, found) =
                    ledger.summary(cut, TimeUnit::Week, Default::default(), 1).expect("as before");
                assert_eq!(found.len(), summary.len());
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, summary);
criterion_main!(benches);
