//! Unlike models through the same seams: fitted, compared, saved, loaded and swapped as
//! `Box<dyn Predict>`.

#![allow(clippy::unwrap_used)]

use std::num::NonZeroUsize;

use clv::attributes::{Attributes, Conflict};
use clv::backtest::{Backtest, BoxedFit};
use clv::btyd::{
    Abe, Bayes, BayesSpend, BgBb, CohortFit, Covariates, HierarchicalFit, Hierarchy, LognormalSpendFit,
    MaLiu, ParetoGgg, WeibullGamma,
};
use clv::cohorts::Period;
use clv::contracts::Contracts;
use clv::features::Beyond;
use clv::model::{Grained, Possible};
use clv::prelude::*;
use clv::summary::{SpendBasis, Summary};
use clv::{Erased, Error, Feature, conformance, shelf};

fn date(text: &str) -> Moment {
    Moment::parse_date(text).unwrap()
}

/// Two years of 2,000 customers.
fn log() -> TransactionLog {
    log_of(2_000)
}

fn log_of(customers: usize) -> TransactionLog {
    let truth = PurchaseModel::new(ParetoNbd::new(0.9, 8.0, 0.6, 15.0).unwrap(), TimeUnit::Week);
    let spend = GammaGamma::new(6.25, 3.74, 15.44).unwrap();
    Simulation::new(customers, date("2022-01-01"), date("2023-12-31"), 3)
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
    // Learners that stand on no shelf.
    let trees = || BoostedTrees::new().trees(20);
    let bagged_forest = clv::learn::Bagged::new(RandomForest::new().trees(5), 2).unwrap();
    let columns = vec![Feature::Frequency, Feature::Silence, Feature::TotalSpend];
    let unshelved: [(&str, BoxedFit); 11] = [
        ("svm", Box::new(Erased(clv::linear::Svm::regression().rows(300).over(horizon)))),
        // With a column beside the history, which may be missing.
        ("linear with columns", Box::new(Erased(LinearRegression.over(horizon).features(columns.clone())))),
        (
            "logistic with columns",
            Box::new(Erased(Hurdle::default().over(horizon).features(columns.clone()))),
        ),
        ("trees with columns", Box::new(Erased(trees().over(horizon).features(columns.clone())))),
        ("quantile", Box::new(Erased(clv::linear::QuantileRegression::new(0.7).unwrap().over(horizon)))),
        ("online", Box::new(Erased(clv::linear::RecursiveLeastSquares::default().over(horizon)))),
        ("elastic net", Box::new(Erased(ElasticNet::new(0.1, 0.5).unwrap().over(horizon)))),
        ("tree", Box::new(Erased(DecisionTree::new().over(horizon)))),
        ("ziln", Box::new(Erased(Ziln::default().over(horizon)))),
        ("bagged", Box::new(Erased(clv::learn::Bagged::new(trees(), 3).unwrap().over(horizon)))),
        // Another kind within the same wrapper: each is loaded as what it is.
        ("bagged forest", Box::new(Erased(bagged_forest.over(horizon)))),
    ];
    for (name, settings) in &unshelved {
        let model = settings.fit(&training, &Context::default()).unwrap().model;
        let broken = conformance::check(&model, &registry, &training, horizon).unwrap();
        assert!(broken.is_empty(), "{name}: {broken:#?}");
        let again = settings.fit(&training, &Context::default()).unwrap().model;
        let text = |model| clv::saved::to_string(model).unwrap();
        assert_eq!(text(&model), text(&again), "{name}: fitted twice is not fitted once");
    }
}

/// Fitted twice is fitted once, and what is fitted keeps the promises.
fn keeps(name: &str, settings: &BoxedFit, (learned, asked): (&Training<'_>, &Training<'_>), horizon: Span) {
    let cx = Context::default().seed(3);
    let model = settings.fit(learned, &cx).unwrap().model;
    let broken = conformance::check(&model, &clv::registry(), asked, horizon).unwrap();
    assert!(broken.is_empty(), "{name}: {broken:#?}");
    let again = settings.fit(learned, &cx).unwrap().model;
    let text = |model| clv::saved::to_string(model).unwrap();
    assert_eq!(text(&model), text(&again), "{name}: fitted twice is not fitted once");
}

fn named(names: &[&str], horizon: Span) -> Vec<(String, BoxedFit)> {
    let one = |name: &&str| ((*name).to_owned(), shelf::settings(name, horizon).unwrap());
    names.iter().map(one).collect()
}

fn settings(name: &str, fit: impl Fit<Model: Predict + 'static> + 'static) -> (String, BoxedFit) {
    (name.to_owned(), Box::new(Erased(fit)))
}

/// Of a few draws, so that the suite takes no minutes.
fn hierarchical<H: Hierarchy>() -> HierarchicalFit<H> {
    let kept = NonZeroUsize::new(20).unwrap();
    HierarchicalFit::new().chains(1, 40).unwrap().warmup(60).kept(kept)
}

#[test]
fn models_of_purchases_beside_the_usual_list_keep_the_promises() {
    let log = log_of(150);
    let mut people = Attributes::new(Conflict::FirstStands);
    for (i, name) in log.customers().iter().enumerate() {
        people.state(name, "tall", &format!("{}", i % 7));
        people.state(name, "club", if i % 3 == 0 { "yes" } else { "no" });
    }
    let people = people.typed();
    let beyond = Beyond::of(&log).attributes(&people);
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, split().train, TimeUnit::Week).unwrap().knowing(&beyond);
    let horizon = split().horizon();
    let regular_or_ageing = ["ggom-nbd", "bg-cnbd-k", "mbg-cnbd-k"];
    let columns = Covariates::new().on_both(["own_tall", "own_club"]).unwrap();
    let mut all = named(&regular_or_ageing, horizon);
    all.extend(named(&["gamma-gamma", "lognormal-spend"], horizon));
    all.extend([
        settings("cohorts", CohortFit::<BgNbd>::by(Period::Quarter)),
        settings("posterior", Bayes::<BgNbd>::new().chains(1, 60).unwrap()),
        settings("posterior of columns", Bayes::<BgNbd>::new().chains(1, 60).unwrap().with(columns)),
        settings("posterior of gamma-gamma", BayesSpend::new(GammaGammaFit::new()).chains(1, 60).unwrap()),
        settings("of lognormal spend", BayesSpend::new(LognormalSpendFit::new()).chains(1, 60).unwrap()),
        settings("Ma & Liu", hierarchical::<MaLiu>()),
        settings("Abe", hierarchical::<Abe>()),
        settings("Abe with columns", hierarchical::<Abe>().columns(["own_tall", "own_club"]).unwrap()),
        settings("Pareto/GGG", hierarchical::<ParetoGgg>()),
    ]);
    for (name, fit) in &all {
        keeps(name, fit, (&training, &training), horizon);
    }
    // With spend they say value.
    for name in regular_or_ageing {
        let fit = shelf::with_spend(name, horizon).unwrap();
        keeps(name, &fit, (&training, &training), horizon);
    }
}

#[test]
fn models_of_periods_keep_the_promises() {
    let log = log_of(300);
    let purchases = Purchases::of(&log, Grain::Month).unwrap();
    let cut = Cut::end_of(date("2023-03-31"), Grain::Month);
    let training = Training::new(&purchases, cut, TimeUnit::Month).unwrap();
    let horizon = Span::new(6.0, TimeUnit::Month).unwrap();
    for (name, fit) in &named(&["bg-bb", "sbg", "bdw", "constant-retention"], horizon) {
        keeps(name, fit, (&training, &training), horizon);
    }
    keeps("with spend", &shelf::with_spend("bg-bb", horizon).unwrap(), (&training, &training), horizon);
    let many = settings("posterior of bg-bb", Bayes::<BgBb>::new().chains(1, 40).unwrap());
    keeps(&many.0, &many.1, (&training, &training), horizon);
}

#[test]
fn models_of_contracts_keep_the_promises() {
    let mut contracts = Contracts::default();
    for i in 0..300 {
        let begun = date("2021-01-01").plus_days(f64::from(i));
        // Evenly through a Weibull-gamma distribution, in days: (u^{-1/r} - 1)^{1/c} α.
        let u = (f64::from(i * 97 % 300) + 0.5) / 300.0;
        let days = (420.0 * (u.powf(-1.0 / 1.5) - 1.0).powf(1.0 / 1.2)).ceil();
        contracts.state(&format!("c{i}"), begun, Some(begun.plus_days(days))).unwrap();
    }
    let (cut, unit) = (Cut::end_of(date("2023-03-31"), Grain::Day), TimeUnit::Month);
    let horizon = Span::new(6.0, unit).unwrap();
    let learned = Training::from_summary(contracts.renewals_due(cut, unit).unwrap());
    let asked = Training::from_summary(contracts.renewals(cut, unit).unwrap());
    for (name, fit) in &named(&["sbg", "bdw", "constant-retention"], horizon) {
        keeps(name, fit, (&learned, &asked), horizon);
    }
    let tenures = Training::from_summary(contracts.tenures(cut, unit).unwrap());
    let mut all = named(&["exponential-gamma", "weibull-gamma"], horizon);
    all.extend([
        settings("cohorts", CohortFit::<WeibullGamma>::by(Period::Quarter)),
        settings("posterior", Bayes::<WeibullGamma>::new().chains(1, 60).unwrap()),
    ]);
    for (name, fit) in &all {
        keeps(name, fit, (&tenures, &tenures), horizon);
    }
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

/// There are fewer purchases by the month than by the day, and each is worth more.
#[test]
fn a_model_knows_the_grain_of_what_it_was_fitted_to() {
    let log = log();
    let ask = Ask::over(split().horizon());
    let at = |grain| {
        let purchases = Purchases::of(&log, grain).unwrap();
        let cut = Cut::end_of(split().train.last(), grain);
        let summary = purchases.summary(cut, TimeUnit::Week, SpendBasis::default()).unwrap();
        (purchases, cut, summary)
    };
    let (purchases, cut, by_day) = at(Grain::Day);
    let (_, _, by_month) = at(Grain::Month);
    let training = Training::new(&purchases, cut, TimeUnit::Week).unwrap();
    let fit = |name| {
        shelf::settings(name, split().horizon()).unwrap().fit(&training, &Context::default()).unwrap().model
    };
    for name in ["mean", "bg-nbd", "gamma-gamma", "linear", "boosted-trees"] {
        let model = fit(name);
        let text = clv::saved::to_string(&model).unwrap();
        for model in [model, clv::registry().read(&text).unwrap()] {
            assert_eq!(model.grain(), Some(Grain::Day), "{name}");
            assert_eq!(clv::saved::to_string(&model).unwrap(), text);
            let features = training.features(model.needs()).unwrap();
            let columns = |summary: &'_ Summary| {
                let mut who = summary.customers();
                if features.rows() > 0 {
                    who = who.with_features(&features).unwrap();
                }
                model.predict(&who, &ask).map(|_| ())
            };
            columns(&by_day).unwrap();
            let error = columns(&by_month).unwrap_err().to_string();
            assert!(error.contains("fitted to purchases of grain day; these are of grain month"), "{error}");
        }
    }
    let spend = Grained::new(
        SpendModel::new(GammaGamma::new(6.25, 3.74, 15.44).unwrap(), TimeUnit::Week),
        Grain::Month,
    );
    let error = WithSpend::join(fit("bg-nbd"), spend).unwrap_err().to_string();
    assert!(
        error.contains("bg-nbd was fitted to purchases of grain day and gamma-gamma to those of grain month"),
        "{error}"
    );
    let joined = WithSpend::join(fit("bg-nbd"), fit("gamma-gamma")).unwrap();
    let drawn = Possible::new().draws(10).unwrap().of(
        &joined,
        &by_month.customers(),
        &ask,
        |row| row as u64,
        &Context::default(),
    );
    assert!(drawn.unwrap_err().to_string().contains("grain"));
    // Of purchases alone too, where the spend model knows the grain, and loaded again.
    let half_knowing = WithSpend::join(purchases_alone(), fit("gamma-gamma")).unwrap();
    let text = clv::saved::to_string(&half_knowing).unwrap();
    let loaded = clv::registry().read(&text).unwrap();
    for model in [&half_knowing as &dyn Predict, &joined, &*loaded] {
        assert_eq!((model.grain(), model.reads()), (Some(Grain::Day), clv::model::Reads::Purchases));
        let mut purchases = vec![0.0; by_month.len()];
        let mut out = clv::ForecastMut { purchases: Some(&mut purchases), ..Default::default() };
        let said = model.predict_into(&by_month.customers(), &ask, &mut clv::Scratch::default(), &mut out);
        assert!(matches!(said, Err(Error::Grain { .. })), "{said:?}");
    }
    // A program that knows no grains is told of a newer file, not of a damaged one.
    assert!(text.contains("\"clv_model\": 2"));
    let ours = clv::saved::to_string(&purchases_alone()).unwrap();
    assert!(ours.contains("\"clv_model\": 1") && clv::registry().read(&ours).unwrap().grain().is_none());
    let knowing = clv::saved::to_string(&Grained::new(purchases_alone(), Grain::Day)).unwrap();
    let odd = clv::registry().read(&knowing.replace("\"day\"", "\"fortnight\"")).unwrap_err().to_string();
    assert!(odd.contains("checksum"), "{odd}");
}

fn purchases_alone() -> PurchaseModel<BgNbd> {
    PurchaseModel::new(BgNbd::new(0.9, 8.0, 0.7, 3.0).unwrap(), TimeUnit::Week)
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
fn a_model_of_a_newer_version_is_refused_alone_and_inside_another() {
    let older = |name| {
        let mut registry = clv::registry();
        registry.register(clv::model::Kind::new(name, 0), |_, _| unreachable!("never loaded"));
        registry
    };
    let purchases = PurchaseModel::new(ParetoNbd::new(0.5, 10.0, 0.6, 11.0).unwrap(), TimeUnit::Week);
    let spend = SpendModel::new(GammaGamma::new(6.25, 3.74, 15.44).unwrap(), TimeUnit::Week);
    let joined = clv::saved::to_string(&WithSpend::join(purchases, spend).unwrap()).unwrap();
    let alone = clv::saved::to_string(&purchases).unwrap();
    assert!(clv::registry().read(&joined).is_ok() && clv::registry().read(&alone).is_ok());
    for text in [&alone, &joined] {
        let error = older("pareto-nbd").read(text).unwrap_err().to_string();
        assert!(error.contains("pareto-nbd") && error.contains("newer"), "{error}");
    }
    assert!(older("gamma-gamma").read(&joined).unwrap_err().to_string().contains("gamma-gamma"));
}

#[test]
fn a_saved_model_with_any_byte_changed_is_refused() {
    let purchases = PurchaseModel::new(ParetoNbd::new(0.5, 10.0, 0.6, 11.0).unwrap(), TimeUnit::Week);
    let spend = SpendModel::new(GammaGamma::new(6.25, 3.74, 15.44).unwrap(), TimeUnit::Week);
    let purchases = Grained::new(purchases, Grain::Day);
    let text = clv::saved::to_string(&WithSpend::join(purchases, spend).unwrap()).unwrap();
    let registry = clv::registry();
    for at in 0..text.len() {
        // Between the values space is free: the last line break may be anything blank.
        for byte in [b'~', b'0', b'9', b'x'] {
            let mut bytes = text.clone().into_bytes();
            if bytes[at] == byte {
                continue;
            }
            bytes[at] = byte;
            let changed = String::from_utf8(bytes).unwrap();
            // A digit may be added that says nothing, such as 10.00.
            if let Ok(same) = registry.read(&changed) {
                let same = clv::saved::to_string(&same).unwrap();
                assert_eq!(same, text, "byte {at} as {}", byte as char);
            }
        }
    }
    assert!(registry.read(&text.replace("\"clv_model\": 1", "\"clv_model\": 0")).is_err());
}

#[test]
fn a_shop_of_one_price_still_gets_its_forecasts() {
    let truth = PurchaseModel::new(ParetoNbd::new(0.9, 8.0, 0.6, 15.0).unwrap(), TimeUnit::Week);
    let date = |text| Moment::parse_date(text).unwrap();
    let simulated = Simulation::new(400, date("2023-01-01"), date("2024-12-31"), 1).unwrap();
    let bare = simulated.run(&truth, TimeUnit::Week, None).unwrap();
    let mut log = LogBuilder::new();
    let mut days = std::collections::BTreeSet::new();
    for row in 0..bare.len() {
        let (customer, day) = (bare.customer()[row], Grain::Day.floor(bare.time()[row]));
        // Two purchases on a day would be one of twenty.
        if days.insert((customer, day)) {
            let customer = bare.customers().name(customer);
            log.push(Transaction::new(customer, day).amount(10.0).unwrap()).unwrap();
        }
    }
    let cut = |day| Cut::end_of(date(day), Grain::Day);
    let split = Split::new(cut("2024-06-30"), cut("2024-12-31")).unwrap();
    let backtest = Backtest::new(&log.finish(), split, TimeUnit::Week).unwrap();
    let settings = clv::shelf::settings_for(&backtest, "pareto-nbd").unwrap();
    let outcome = backtest.run("pareto-nbd", &settings, &Context::default()).unwrap();
    let value = outcome.value.unwrap();
    let (got, want) = (value.total_predicted, 10.0 * outcome.purchases.total_predicted);
    assert!((got - want).abs() < 1e-6, "{got} {want} {:?}", outcome.report.warnings);
    assert!(outcome.report.all_warnings().any(|(_, w)| matches!(w, clv::Warning::StandsIn { .. })));
    // What is built around such a model passes it on.
    let settings = clv::shelf::settings_for(&backtest, "stack").unwrap();
    let stack = backtest.run("stack", &settings, &Context::default()).unwrap().report;
    assert!(
        stack.warnings.iter().any(|w| matches!(w, clv::Warning::StandsIn { .. })),
        "{:?}",
        stack.warnings
    );
    // The likelihood and its criteria are those of the purchases alone.
    let purchases = MaximumLikelihood::<ParetoNbd>::new();
    let alone = purchases.fit(&backtest.training().unwrap(), &Context::default()).unwrap().report;
    assert_eq!((outcome.report.aic(), outcome.report.bic()), (alone.aic(), alone.bic()));
}

#[test]
fn labels_are_scaled_by_what_was_counted() {
    // One purchase a day for 400 days: any window of whole grains, scaled, gives the horizon's days.
    let mut log = LogBuilder::new();
    for day in 0..400 {
        log.push(Transaction::new("a", Moment::from_days(day))).unwrap();
    }
    let log = log.finish();
    for (grain, horizon) in [(Grain::Day, 30.4375), (Grain::Week, 50.0), (Grain::Day, 28.0)] {
        let purchases = Purchases::of(&log, grain).unwrap();
        let cut = Cut::end_of(Moment::from_days(393), grain);
        let training = Training::new(&purchases, cut, TimeUnit::Day).unwrap();
        let horizon = Span::days(horizon).unwrap();
        let labelled = training.labelled(horizon, &[]).unwrap();
        let per_grain = if grain == Grain::Week { 7.0 } else { 1.0 };
        let days = labelled.purchases[0] * per_grain * labelled.scale;
        assert!((days - horizon.in_days()).abs() < 1e-9, "{grain}: {days}");
    }
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
