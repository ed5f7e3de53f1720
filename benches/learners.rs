//! Learners and clusters: fitted on a shop of 20,000, and asked about one customer through the shared
//! trait.

use std::hint::black_box;

use clv::cluster::KMeans;
use clv::prelude::*;
use clv::transform::{Step, Transforms};
use clv::trees::Loss;
use clv::{Feature, FeatureMatrix, ForecastMut};
use criterion::{Criterion, criterion_group, criterion_main};

fn plan() -> Vec<Feature> {
    let weeks = |n| Span::weeks(n).expect("valid");
    Feature::broad(&[weeks(4.0), weeks(13.0)], true)
}

fn fitting(c: &mut Criterion) {
    let purchases = Purchases::of(&clv_benches::shop(20_000), Grain::Day).expect("a log");
    let cut = Cut::end_of(Moment::parse_date("2022-07-03").expect("valid"), Grain::Day);
    let training = Training::new(&purchases, cut, TimeUnit::Week).expect("they have bought");
    let cx = Context::default();
    let mut group = c.benchmark_group("20,000 customers");
    group.sample_size(10);
    group.bench_function("26 features", |b| b.iter(|| training.features(&plan()).expect("computed")));

    let past = training.labelled(Span::weeks(13.0).expect("valid"), &plan()).expect("a past");
    let logs = Transforms::fit(&[Step::Log], &past.features).expect("fitted");
    let columns = logs.apply(&past.features).expect("applied");
    let rows = Rows::new(&columns, &past.purchases).expect("rows");
    let total: f64 = past.purchases.iter().sum();
    let adds_up = |forecast: Vec<f64>, within: f64| {
        let ratio = forecast.iter().sum::<f64>() / total;
        assert!((ratio - 1.0).abs() < within, "{ratio}");
    };
    let poisson = Glm::poisson();
    adds_up(poisson.regress(&rows, &cx).expect("fitted").model.predict(&columns).expect("asked"), 1e-8);
    group.bench_function("Poisson regression", |b| b.iter(|| poisson.regress(&rows, &cx).expect("fitted")));
    let boosted = BoostedTrees::new().loss(Loss::Tweedie(1.5)).trees(200);
    adds_up(boosted.regress(&rows, &cx).expect("fitted").model.predict(&columns).expect("asked"), 1e-3);
    group.bench_function("200 boosted trees", |b| b.iter(|| boosted.regress(&rows, &cx).expect("fitted")));
    let forest = RandomForest::new();
    adds_up(forest.regress(&rows, &cx).expect("fitted").model.predict(&columns).expect("asked"), 0.05);
    group.bench_function("forest of 200", |b| b.iter(|| forest.regress(&rows, &cx).expect("fitted")));
    let means = KMeans::new(8).expect("valid").starts(1);
    assert!(means.cluster(&columns, &cx).expect("clusters").converged());
    group.bench_function("k-means, 8", |b| b.iter(|| means.cluster(&columns, &cx).expect("clusters")));
    group.finish();
}

/// Features included: from a customer's purchases to the forecast.
fn one_customer(c: &mut Criterion) {
    let purchases = Purchases::of(&clv_benches::shop(20_000), Grain::Day).expect("a log");
    let cut = Cut::end_of(Moment::parse_date("2022-10-02").expect("valid"), Grain::Day);
    let training = Training::new(&purchases, cut, TimeUnit::Week).expect("they have bought");
    let horizon = Span::weeks(13.0).expect("valid");
    let weeks = |n| Span::weeks(n).expect("valid");
    let mut plan = Feature::of_summary(true);
    plan.extend([Feature::PurchasesWithin(weeks(4.0)), Feature::ValueWithin(weeks(13.0)), Feature::Overdue]);
    let cx = Context::default();
    let line: Box<dyn Predict> = Box::new(
        LinearRegression.over(horizon).features(plan.clone()).fit(&training, &cx).expect("fitted").model,
    );
    let boosted: Box<dyn Predict> = Box::new(
        BoostedTrees::new()
            .trees(200)
            .over(horizon)
            .features(plan)
            .fit(&training, &cx)
            .expect("fitted")
            .model,
    );

    let mut log = LogBuilder::new();
    for day in ["2022-02-01", "2022-03-15", "2022-08-20"] {
        let row = Transaction::new("ada", Moment::parse_date(day).expect("valid"));
        log.push(row.amount(30.0).expect("valid")).expect("in one currency");
    }
    let ada = Purchases::of(&log.finish(), Grain::Day).expect("a log");
    let ask = Ask::over(horizon);
    let mut group = c.benchmark_group("one customer, features included");
    for (name, model) in [("a line", &line), ("200 boosted trees", &boosted)] {
        let mut scratch = Scratch::default();
        let mut score = || {
            let summary =
                black_box(&ada).summary(cut, TimeUnit::Week, Default::default()).expect("she has bought");
            let features = FeatureMatrix::compute(model.needs(), &ada, &summary).expect("computed");
            let who = summary.customers().with_features(&features).expect("one row");
            let (mut purchases, mut value) = ([0.0], [None]);
            let mut out = ForecastMut {
                purchases: Some(&mut purchases),
                value: Some(&mut value),
                ..ForecastMut::default()
            };
            model.predict_into(&who, &ask, &mut scratch, &mut out).expect("it says both");
            (purchases[0], value[0])
        };
        assert!(score().0 > 0.1 && score().1.is_some_and(|v| v > 3.0), "{name}: {:?}", score());
        group.bench_function(name, |b| b.iter(&mut score));
    }
    group.finish();
}

criterion_group!(benches, fitting, one_customer);
criterion_main!(benches);
