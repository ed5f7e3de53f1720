//! One customer per call, as in a service.

use std::hint::black_box;

use clv::ForecastMut;
use clv::btyd::Process;
use clv::prelude::*;
use criterion::{Criterion, criterion_group, criterion_main};

/// E[X(39)] of each customer from an integral of its definition at 30 digits.
fn one_customer(c: &mut Criterion) {
    bench::<BgNbd>(c, &[0.243, 4.414, 0.793, 2.426], 1.226_028_174_767_144_5);
    bench::<MbgNbd>(c, &[0.525, 6.183, 0.891, 1.614], 1.262_960_623_267_365_7);
    bench::<ParetoNbd>(c, &[0.553, 10.578, 0.606, 11.669], 1.455_123_193_257_602_4);
}

fn bench<P: Process>(c: &mut Criterion, parameters: &[f64], expected: f64) {
    let unit = TimeUnit::Week;
    let purchases = PurchaseModel::new(P::from_values(parameters).expect("valid"), unit);
    let spend = SpendModel::new(GammaGamma::new(6.25, 3.74, 15.44).expect("valid"), unit);
    let model: Box<dyn Predict> = Box::new(WithSpend::join(purchases, spend).expect("purchases and spend"));
    let ask = Ask::over(Span::weeks(39.0).expect("valid")).discount(Discount::yearly(0.1).expect("valid"));
    let history = History::new(2, 30.43, 38.86).and_then(|h| h.spend(22.345)).expect("valid");
    let mut scratch = Scratch::default();
    let mut activity = || {
        let who = Customers::one(black_box(&history), unit).expect("valid");
        let (mut p, mut n) = ([0.0], [0.0]);
        let mut out =
            ForecastMut { p_alive: Some(&mut p), purchases: Some(&mut n), ..ForecastMut::default() };
        model.predict_into(&who, &ask, &mut scratch, &mut out).expect("it says both");
        (p[0], n[0])
    };
    assert!((activity().1 / expected - 1.0).abs() < 1e-10, "{} {:?}", P::KIND.name, activity());
    let mut group = c.benchmark_group(format!("one customer, {}", P::KIND.name));
    group.bench_function("P(alive) and E[X]", |b| b.iter(&mut activity));
    let mut scratch = Scratch::default();
    let mut value = || {
        let who = Customers::one(black_box(&history), unit).expect("valid");
        let (mut p, mut n, mut v) = ([0.0], [0.0], [None]);
        let mut out = ForecastMut {
            p_alive: Some(&mut p),
            purchases: Some(&mut n),
            value: Some(&mut v),
            ..ForecastMut::default()
        };
        model.predict_into(&who, &ask, &mut scratch, &mut out).expect("it says all");
        v[0]
    };
    assert!(value().expect("q > 1") > 20.0);
    group.bench_function("P(alive), E[X] and value", |b| b.iter(&mut value));
    group.finish();
}

criterion_group!(benches, one_customer);
criterion_main!(benches);
