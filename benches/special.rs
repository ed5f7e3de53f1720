//! The special functions under the models.

use std::hint::black_box;

use clv_math::special::{beta_inc, digamma, ln_beta, ln_gamma, ln_hyp2f1, ln_hyperu, trigamma};
use criterion::{Criterion, criterion_group, criterion_main};

fn special(c: &mut Criterion) {
    assert!((ln_gamma(5.5) - 3.957_813_967_618_717).abs() < 1e-14);
    assert!((digamma(1.0) + 0.577_215_664_901_532_9).abs() < 1e-15);
    assert!((trigamma(1.0) - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-14);
    assert!((ln_hyp2f1(1.0, 1.0, 2.0, 0.5).expect("converges").value() - 2.0_f64.ln() * 2.0).abs() < 1e-14);
    let mut group = c.benchmark_group("special");
    group.bench_function("ln_gamma", |b| b.iter(|| ln_gamma(black_box(5.5))));
    group.bench_function("digamma", |b| b.iter(|| digamma(black_box(5.5))));
    group.bench_function("trigamma", |b| b.iter(|| trigamma(black_box(5.5))));
    group.bench_function("ln_beta", |b| b.iter(|| ln_beta(black_box(0.3), black_box(2000.0))));
    group.bench_function("beta_inc", |b| b.iter(|| beta_inc(black_box(2.5), black_box(3.5), black_box(0.3))));
    group.bench_function("ln_hyp2f1", |b| {
        b.iter(|| ln_hyp2f1(black_box(2.5), black_box(1.6), black_box(3.2), black_box(0.7)));
    });
    group.bench_function("ln_hyperu", |b| {
        b.iter(|| ln_hyperu(black_box(1.0), black_box(1.4), black_box(0.09)))
    });
    group.finish();
}

criterion_group!(benches, special);
criterion_main!(benches);
