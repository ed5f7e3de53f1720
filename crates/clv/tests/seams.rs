//! Unlike models through the same seams: fitted, compared, saved, loaded and swapped as
//! `Box<dyn Predict>`.

#![allow(clippy::unwrap_used)]

use clv::backtest::Backtest;
use clv::prelude::*;
use clv::{Error, conformance, shelf};

fn date(text: &str) -> Moment {
    Moment::parse_date(text).unwrap()
}

/// Two years of 2,000 customers.
fn log() -> TransactionLog {
    let truth = PurchaseModel::new(ParetoNbd::new(0.9, 8.0, 0.6, 15.0).unwrap(), TimeUnit::Week);
    let spend = GammaGamma::new(6.25, 3.74, 15.44).unwrap();
    Simulation::new(2_000, date("2022-01-01"), date("2023-12-31"), 3)
        .unwrap()
        .run(&truth, TimeUnit::Week, Some(&spend))
        .unwrap()
}

fn split() -> Split {
    let cut = |text| Cut::end_of(date(text), Grain::Day);
    Split::new(cut("2023-03-31"), cut("2023-12-31")).unwrap()
}

#[test]
fn every_model_on_the_shelf_keeps_the_promises() {
    let log = log();
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, split().train, TimeUnit::Week).unwrap();
    let registry = clv::registry();
    let horizon = split().horizon();
    for name in shelf::VALUE_MODELS {
        for settings in [shelf::settings(name, horizon).unwrap(), shelf::with_spend(name, horizon).unwrap()] {
            let model = settings.fit(&training, &Context::default()).unwrap().model;
            let broken = conformance::check(&model, &registry, &training, horizon).unwrap();
            assert!(broken.is_empty(), "{name}: {broken:#?}");
        }
    }
    let spend = shelf::settings("gamma-gamma", horizon).unwrap();
    let model = spend.fit(&training, &Context::default()).unwrap().model;
    let broken = conformance::check(&model, &registry, &training, horizon).unwrap();
    assert!(broken.is_empty(), "gamma-gamma: {broken:#?}");
}

#[test]
fn four_unlike_models_are_compared_saved_loaded_and_swapped() {
    let log = log();
    let backtest = Backtest::new(&log, split(), TimeUnit::Week).unwrap();
    let horizon = split().horizon();
    let names = ["pareto-nbd", "bg-nbd", "linear", "boosted-trees"];
    let shelf: Vec<_> =
        names.iter().map(|n| ((*n).to_owned(), shelf::with_spend(n, horizon).unwrap())).collect();
    let outcomes = backtest.compare(&shelf, &Context::default()).unwrap();
    let zero = backtest.run("zero", &shelf::settings("zero", horizon).unwrap(), &Context::default()).unwrap();
    for outcome in &outcomes {
        let (value, yardstick) = (outcome.value.unwrap(), zero.value.unwrap());
        assert!(outcome.purchases.mse < zero.purchases.mse, "{}: worse than nothing", outcome.name);
        assert!(value.rmse < yardstick.rmse, "{}: value worse than nothing", outcome.name);
        assert!(value.normalized_gini.unwrap() > 0.3, "{}: no order", outcome.name);
    }
    // The model that told the truth is calibrated.
    let total = outcomes[0].purchases;
    assert!((total.total_predicted / total.total_actual - 1.0).abs() < 0.1, "{total:?}");

    // One slot in a service, four models through it.
    let training = backtest.training().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.json");
    let ask = Ask::over(horizon).discount(Discount::yearly(0.1).unwrap());
    let mut slot: Box<dyn Predict> =
        Box::new(clv::baselines::Zero.fit(&training, &Context::default()).unwrap().model);
    for (name, settings) in &shelf {
        let fitted = settings.fit(&training, &Context::default()).unwrap().model;
        let before = fitted.predict(&training.summary().customers(), &ask).unwrap();
        clv::saved::save(&fitted, &path).unwrap();
        slot = clv::registry().load(&path).unwrap();
        assert_eq!(slot.predict(&training.summary().customers(), &ask).unwrap(), before, "{name}");
    }
    assert_eq!(slot.kind().name, "boosted-trees");
}

#[test]
fn what_comes_after_the_cut_changes_nothing_before_it() {
    let log = log();
    let split = split();
    // The same past with every later row thrown about.
    let mut scrambled = LogBuilder::new();
    for row in 0..log.len() {
        let (mut time, mut amount) = (log.time()[row], log.amount().unwrap()[row]);
        if !split.train.is_past(time) {
            time = time.plus_days(f64::from(row as u32 % 97));
            amount = clv::Money::from_micros(amount.micros() * 7);
        }
        let name = log.customers().name(log.customer()[row]);
        scrambled.push(Transaction { amount: Some(amount), ..Transaction::new(name, time) }).unwrap();
    }
    let scrambled = scrambled.finish();
    let horizon = split.horizon();
    for name in shelf::VALUE_MODELS {
        let settings = shelf::with_spend(name, horizon).unwrap();
        let forecast = |log: &TransactionLog| {
            let purchases = Purchases::of(log, Grain::Day).unwrap();
            let training = Training::new(&purchases, split.train, TimeUnit::Week).unwrap();
            let model = settings.fit(&training, &Context::default()).unwrap().model;
            let features = training.features(model.needs()).unwrap();
            let mut who = training.summary().customers();
            if features.rows() > 0 {
                who = who.with_features(&features).unwrap();
            }
            model.predict(&who, &Ask::over(horizon)).unwrap()
        };
        assert_eq!(forecast(&log), forecast(&scrambled), "{name}");
    }
}

#[test]
fn a_stop_signal_stops() {
    let log = log();
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, split().train, TimeUnit::Week).unwrap();
    let stop = || true;
    let cx = Context::default().stop(&stop);
    for name in ["pareto-nbd", "gamma-gamma", "linear", "boosted-trees"] {
        let settings = shelf::settings(name, split().horizon()).unwrap();
        assert!(matches!(settings.fit(&training, &cx), Err(Error::Stopped)), "{name}");
    }
}

#[test]
fn foreign_newer_and_unknown_files_are_refused() {
    let registry = clv::registry();
    let read = |text: &str| registry.read(text).unwrap_err().to_string();
    assert!(read("{").contains("not a saved model"));
    assert!(read("{\"a\": 1}").contains("clv_model"));
    assert!(read("{\"clv_model\": 99}").contains("newer"));
    let model = PurchaseModel::new(ParetoNbd::new(0.5, 10.0, 0.6, 11.0).unwrap(), TimeUnit::Week);
    let text = clv::saved::to_string(&model).unwrap();
    assert!(clv::saved::Registry::core().read(&text).unwrap_err().to_string().contains("pareto-nbd"));
    assert!(read(&text.replace("\"kind_version\": 1", "\"kind_version\": 2")).contains("checksum"));
    assert!(registry.read(&text).is_ok());
    assert!(read(&text[..text.len() / 2]).contains("not a saved model"));
}

#[test]
fn a_model_is_shared_between_threads() {
    let model: std::sync::Arc<dyn Predict> = std::sync::Arc::new(PurchaseModel::new(
        ParetoNbd::new(0.553, 10.578, 0.606, 11.669).unwrap(),
        TimeUnit::Week,
    ));
    let history = History::new(2, 30.42857143, 38.85714286).unwrap();
    let ask = Ask::over(Span::weeks(39.0).unwrap());
    let answers: Vec<f64> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let who = Customers::one(&history, TimeUnit::Week).unwrap();
                    model.predict(&who, &ask).unwrap().purchases.unwrap()[0]
                })
            })
            .collect();
        workers.into_iter().map(|w| w.join().unwrap()).collect()
    });
    assert!(answers.iter().all(|a| a.to_bits() == answers[0].to_bits()));
}
