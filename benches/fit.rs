//! Fits by maximum likelihood, cells built from the histories included.

use std::hint::black_box;

use clv::prelude::*;
use clv::shelf;
use criterion::{Criterion, criterion_group, criterion_main};

fn fit(c: &mut Criterion) {
    let training = Training::from_summary(clv_benches::histories(100_000));
    let mut group = c.benchmark_group("fit, 100k customers");
    group.sample_size(10);
    for name in ["nbd", "bg-nbd", "mbg-nbd", "pareto-nbd", "ggom-nbd", "gamma-gamma"] {
        let settings = shelf::settings(name, Span::weeks(52.0).expect("valid")).expect("on the shelf");
        let report = settings.fit(&training, &Context::default()).expect("an estimate").report;
        assert!(report.converged, "{name}: {report:?}");
        if name == "pareto-nbd" {
            // Within four standard errors of the truth that the shop was simulated with.
            for (p, truth) in report.parameters.iter().zip([0.553, 10.58, 0.606, 11.67]) {
                assert!(
                    (p.value - truth).abs() < 4.0 * p.standard_error.expect("identified") + 0.02 * truth,
                    "{p:?}"
                );
            }
        }
        group.bench_function(name, |b| {
            b.iter(|| {
                settings
                    .fit(black_box(&training), &Context::default())
                    .expect("as before")
                    .report
                    .log_likelihood
            });
        });
    }
    group.finish();
}

fn fit_a_million(c: &mut Criterion) {
    let training = Training::from_summary(clv_benches::histories(1_000_000));
    let mut group = c.benchmark_group("fit, a million customers");
    group.sample_size(10);
    for name in ["pareto-nbd", "ggom-nbd"] {
        let settings = shelf::settings(name, Span::weeks(52.0).expect("valid")).expect("on the shelf");
        group.bench_function(name, |b| {
            b.iter(|| {
                settings.fit(black_box(&training), &Context::default()).expect("an estimate").report.rows
            });
        });
    }
    group.finish();
}

criterion_group!(benches, fit, fit_a_million);
criterion_main!(benches);
