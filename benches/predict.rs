//! P(alive), expected purchases and discounted value of many customers.

use std::hint::black_box;

use clv::prelude::*;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};

fn predict(c: &mut Criterion) {
    let summary = clv_benches::histories(100_000);
    let model = clv_benches::value_model();
    let ask = Ask::over(Span::weeks(52.0).expect("valid")).discount(Discount::yearly(0.1).expect("valid"));
    let mut forecast = Forecast::for_answers(&model.answers(), summary.len());
    let mut scratch = Scratch::default();
    let mut run = || {
        let who = black_box(&summary).customers();
        model.predict_into(&who, &ask, &mut scratch, &mut forecast.as_mut()).expect("it says all of this");
        forecast.value.iter().flatten().flatten().sum::<f64>()
    };
    // Reference: one customer at a time.
    let alone: f64 = (0..summary.len())
        .map(|row| {
            let history = summary.history(row);
            let mut one = history;
            one.spend = Some(history.spend.unwrap_or(0.0));
            let who = Customers::one(&one, TimeUnit::Week).expect("valid");
            model.predict(&who, &ask).expect("as before").value.expect("has value")[0].expect("q > 1")
        })
        .sum();
    let together = run();
    assert!((together / alone - 1.0).abs() < 1e-12, "{together} {alone}");
    let mut group = c.benchmark_group("predict");
    group.sample_size(20).throughput(Throughput::Elements(summary.len() as u64));
    group.bench_function("P(alive), purchases, value, 100k customers", |b| b.iter(&mut run));
    group.finish();
}

criterion_group!(benches, predict);
criterion_main!(benches);
