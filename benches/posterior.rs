//! Posteriors by 4 × 1,000 draws, a bootstrap, futures drawn, and a fit with covariates over time: of CLV_DATA's CDNOW sample and apparel log, or of simulated
//! customers without it. Effective draws are told once; over the time they are the efficiency that samplers are compared by.

use std::hint::black_box;
use std::path::PathBuf;

use clv::btyd::{Bayes, Covariates, MaximumLikelihood, OverTimeFit, Process};
use clv::model::Possible;
use clv::prelude::*;
use clv::{Cells, Gathering, Timelines};
use criterion::{Criterion, criterion_group, criterion_main};

fn folder() -> Option<PathBuf> {
    std::env::var_os("CLV_DATA").map(PathBuf::from)
}

fn read(folder: &std::path::Path, name: &str) -> TransactionLog {
    clv::io::read_log(&folder.join(name), &clv::io::ReadOptions::new()).expect("a log").log
}

fn cells() -> Cells {
    let Some(folder) = folder() else {
        return Training::from_summary(clv_benches::histories(2_357)).cells();
    };
    let cut = Cut::end_of(Moment::parse_date("1997-09-30").expect("a date"), Grain::Day);
    let purchases = Training::merge(&read(&folder, "cdnow_sample.csv.zst"), cut).expect("purchases");
    Training::new(&purchases, cut, TimeUnit::Week).expect("histories").cells()
}

fn posterior<P: Process>(c: &mut Criterion, cells: &Cells) {
    let draw = |seed| {
        Bayes::<P>::new().cells(cells, TimeUnit::Week, &Context::default().seed(seed)).expect("a posterior")
    };
    let mut least: Vec<f64> = (0..10)
        .map(|seed| draw(seed).summaries.iter().map(|s| s.effective).fold(f64::INFINITY, f64::min))
        .collect();
    least.sort_by(f64::total_cmp);
    eprintln!(
        "{}: least effective draws of a parameter, of ten seeds: {:.0} to {:.0}, median {:.0}",
        P::KIND.name,
        least[0],
        least[9],
        least[5]
    );
    let mut group = c.benchmark_group("posterior, 4 x 1,000 draws");
    group.sample_size(10);
    group.bench_function(P::KIND.name, |b| b.iter(|| black_box(draw(1)).accepted));
    group.finish();
}

fn posteriors(c: &mut Criterion) {
    let cells = cells();
    posterior::<ParetoNbd>(c, &cells);
    posterior::<BgNbd>(c, &cells);
    posterior::<MbgNbd>(c, &cells);
    posterior::<GgomNbd>(c, &cells);
}

/// A thousand refits of a bootstrap, and a thousand futures of each customer.
fn resampled(c: &mut Criterion) {
    let cells = cells();
    let settings = MaximumLikelihood::<ParetoNbd>::new();
    let fitted = settings.fit_cells(&cells, TimeUnit::Week, &Context::default()).expect("an estimate");
    let mut group = c.benchmark_group("drawn again");
    group.sample_size(10);
    group.bench_function("bootstrap of pareto-nbd, 1,000 refits", |b| {
        b.iter(|| {
            settings.bootstrap(&cells, &fitted, 1_000, &Context::default().seed(1)).expect("draws").failed
        });
    });
    let training = Training::from_summary(clv_benches::histories(2_357));
    let model = settings.fit(&training, &Context::default()).expect("an estimate").model;
    let (who, ask) = (training.summary().customers(), Ask::over(Span::weeks(39.0).expect("valid")));
    group.bench_function("1,000 futures of 2,357 customers", |b| {
        b.iter(|| {
            let drawn = Possible::new().of(&model, &who, &ask, |row| row as u64, &Context::default());
            black_box(drawn.expect("intervals").total_purchases.mean())
        });
    });
    group.finish();
}

fn over_time(c: &mut Criterion) {
    let Some(folder) = folder() else { return };
    let log = read(&folder, "apparel_trans.csv.zst");
    // All 313 weeks, and two years of them.
    over_time_until(c, &folder, &log, "2010-12-31");
    over_time_until(c, &folder, &log, "2006-12-31");
}

fn over_time_until(c: &mut Criterion, folder: &std::path::Path, log: &TransactionLog, until: &str) {
    let cut = Cut::end_of(Moment::parse_date(until).expect("a date"), Grain::Day);
    let purchases = Training::merge(log, cut).expect("purchases");
    let training = Training::new(&purchases, cut, TimeUnit::Week).expect("histories");
    let rule = clv::attributes::Conflict::FirstStands;
    let mut table = Gathering::new(clv::Cleaning::default(), rule);
    let options = clv::io::ReadOptions::new();
    let dynamic = folder.join("apparel_dyn_cov.csv.zst");
    let (timelines, _): (Timelines, _) =
        clv::io::people::timelines(&dynamic, &options, &mut table).expect("a table");
    let names = ["High.Season", "Gender", "Channel"];
    let asked = Covariates::new().on_dropout(names).and_then(|all| all.on_purchases(names)).expect("terms");
    let settings = OverTimeFit::<ParetoNbd>::new(asked);
    let mut group = c.benchmark_group(format!("covariates over time, apparel until {until}"));
    group.sample_size(10);
    group.bench_function("pareto-nbd, fit", |b| {
        b.iter(|| {
            let fitted = settings.fit(&training, &[&timelines], log.customers(), &Context::default());
            black_box(fitted.expect("an estimate").report.log_likelihood)
        });
    });
    group.finish();
}

criterion_group!(benches, posteriors, resampled, over_time);
criterion_main!(benches);
