//! Futures that are drawn: their means are the forecasts, and no future is rarer or more common than the model says.

#![allow(clippy::unwrap_used)]

use clv_btyd::{
    Bayes, BgBb, BgNbd, CohortFit, Covariates, GammaGamma, GammaGammaFit, HierarchicalFit, LognormalSpendFit,
    MaLiu, MaximumLikelihood, ParetoGgg, ParetoNbd, Process, PurchaseModel, Simulation, SpendModel,
    WithCovariates,
};
use clv_core::cohorts::Period;
use clv_core::features::Source;
use clv_core::model::{Intervals, Possible};
use clv_core::saved::{Registry, to_string};
use clv_core::{
    Ask, Context, Cut, Discount, Error, FeatureMatrix, Fit, Fitted, Grain, Moment, Predict, Span, TimeUnit,
    Training, TransactionLog, WithSpend,
};

const DRAWS: usize = 4_000;

fn log(grain: Grain) -> (TransactionLog, Cut) {
    let day = |text| Moment::parse_date(text).unwrap();
    let model = PurchaseModel::new(ParetoNbd::new(0.9, 8.0, 0.6, 15.0).unwrap(), TimeUnit::Week);
    let spend = GammaGamma::new(6.0, 4.0, 15.0).unwrap();
    let simulation = Simulation::new(120, day("2022-01-01"), day("2022-12-31"), 5).unwrap();
    let log = simulation.run(&model, TimeUnit::Week, Some(&spend)).unwrap();
    (log, Cut::end_of(day("2022-12-31"), grain))
}

/// Draws of all customers of a log against what the model expects of them.
fn check(training: &Training<'_>, model: &dyn Predict, ask: &Ask) -> Intervals {
    let settings = Possible::new().draws(DRAWS).unwrap();
    let features = training.features(model.needs()).unwrap();
    let mut who = training.summary().customers();
    if features.rows() > 0 {
        who = who.with_features(&features).unwrap();
    }
    let cx = Context::default().seed(3);
    let drawn = settings.of(model, &who, ask, |row| row as u64, &cx).unwrap();
    let expected = model.predict(&who, ask).unwrap();
    let near = |drawn: &clv_core::model::Drawn, expected: f64| {
        let mean = drawn.mean();
        let variance = drawn.sorted().iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / DRAWS as f64;
        let error = (variance / DRAWS as f64).sqrt();
        assert!((mean - expected).abs() < 4.0 * error, "{:?}: {mean} {expected} {error}", model.kind());
    };
    near(&drawn.total_purchases, expected.purchases.iter().flatten().sum());
    if let (Some(drawn), Some(expected)) = (&drawn.total_value, &expected.value) {
        near(drawn, expected.iter().flatten().sum());
    }
    for (row, (low, high)) in drawn.purchases.iter().enumerate() {
        let mean = expected.purchases.as_ref().unwrap()[row];
        assert!(
            low <= high && *low <= mean.ceil() && *high + 1.0 >= mean.floor(),
            "{row}: {low} {mean} {high}"
        );
        // A number of purchases is a whole one.
        assert_eq!((low.fract(), high.fract()), (0.0, 0.0));
    }
    // What is told of a customer is told of them alone.
    let half: Vec<usize> = (0..who.len()).step_by(2).collect();
    let take = |column: &[f64]| half.iter().map(|&row| column[row]).collect::<Vec<f64>>();
    let x: Vec<u32> = half.iter().map(|&row| who.frequency()[row]).collect();
    let (t_x, age) = (take(who.recency()), take(who.age()));
    let spend = who.spend().map(take);
    let some = clv_core::Customers::new(who.unit(), &x, &t_x, &age, spend.as_deref()).unwrap();
    if features.rows() == 0 {
        let apart = settings.of(model, &some, ask, |row| half[row] as u64, &cx).unwrap();
        assert!(half.iter().zip(&apart.purchases).all(|(&row, one)| drawn.purchases[row] == *one));
    }
    drawn
}

fn probability<P: Process>(training: &Training<'_>, model: &PurchaseModel<P>, drawn: &Intervals, t: f64) {
    for (row, any) in drawn.any.iter().enumerate() {
        let history = training.summary().history(row);
        let p = 1.0 - model.purchases().unwrap().probability_of(&history, t, 0).unwrap();
        let error = (p * (1.0 - p) / DRAWS as f64).sqrt();
        assert!((any - p).abs() < 5.0 * error + 1e-12, "{row}: {any} {p}");
    }
}

#[test]
fn their_means_are_the_forecasts() {
    let (log, cut) = log(Grain::Day);
    let purchases = Training::merge(&log, cut).unwrap();
    let training = Training::new(&purchases, cut, TimeUnit::Week).unwrap();
    let ask = Ask::over(Span::weeks(26.0).unwrap());
    let cx = Context::default();
    let model = MaximumLikelihood::<ParetoNbd>::new().fit(&training, &cx).unwrap().model;
    let drawn = check(&training, &model, &ask);
    probability(&training, &model, &drawn, 26.0);
    assert!(drawn.value.is_none() && drawn.total_value.is_none());
    // With amounts, discounted as they come or from the ends of months.
    let discount = Discount::yearly(0.15).unwrap();
    let monthly = discount.at_period_ends(Span::new(1.0, TimeUnit::Month).unwrap()).unwrap();
    let spend = GammaGammaFit::new().fit(&training, &cx).unwrap().model;
    let joined = WithSpend::join(model, spend).unwrap();
    for discount in [discount, monthly] {
        let drawn = check(&training, &joined, &ask.discount(discount).margin(0.4).unwrap());
        let value = drawn.value.unwrap();
        assert!(value.iter().all(|(low, high)| 0.0 <= *low && low <= high));
        assert!(
            value.iter().zip(&drawn.any).all(|(value, any)| (value.1 > 0.0) == (*any > 0.05)),
            "as seldom as none"
        );
    }
    let spend = LognormalSpendFit::new().fit(&training, &cx).unwrap().model;
    check(&training, &WithSpend::join(model, spend).unwrap(), &ask);
    // A spend model of another log of the same customers: only what its own columns need.
    let other = SpendModel::new(GammaGamma::new(4.0, 3.0, 20.0).unwrap(), TimeUnit::Week);
    check(&training, &WithSpend::join(model, other).unwrap(), &ask);
    let hidden = Possible::new().of(&other, &training.summary().customers(), &ask, |row| row as u64, &cx);
    assert!(hidden.unwrap_err().to_string().contains("what may come"));
}

#[test]
fn by_the_period_and_by_cohort() {
    let (log, cut) = log(Grain::Month);
    let purchases = Training::merge(&log, cut).unwrap();
    let training = Training::new(&purchases, cut, TimeUnit::Month).unwrap();
    let ask = Ask::over(Span::new(6.0, TimeUnit::Month).unwrap());
    let model = MaximumLikelihood::<BgBb>::new().fit(&training, &Context::default()).unwrap().model;
    let drawn = check(&training, &model, &ask);
    probability(&training, &model, &drawn, 6.0);
    assert!(drawn.purchases.iter().all(|(_, high)| *high <= 6.0));
}

/// Half of the customers have a mark.
#[derive(Debug)]
struct Marks;

impl Source for Marks {
    fn names(&self, _: Cut) -> Result<Vec<String>, Error> {
        Ok(vec!["own_mark".to_owned()])
    }

    fn columns(&self, names: &[String], _: Cut, customers: &[u32]) -> Result<FeatureMatrix, Error> {
        FeatureMatrix::new(names.to_vec(), customers.iter().map(|c| f64::from(c % 2)).collect())
    }
}

#[test]
fn with_columns_by_cohort_and_with_rates_of_their_own() {
    let (log, cut) = log(Grain::Day);
    let purchases = Training::merge(&log, cut).unwrap();
    let training = Training::new(&purchases, cut, TimeUnit::Week).unwrap().knowing(&Marks);
    let (ask, cx) = (Ask::over(Span::weeks(26.0).unwrap()), Context::default());
    let covariates = Covariates::new().on_purchases(["own_mark"]).unwrap();
    let moved = WithCovariates::<ParetoNbd>::new(covariates).fit(&training, &cx).unwrap().model;
    let spend = GammaGammaFit::new().with(Covariates::new().on_spend(["own_mark"]).unwrap());
    let spend = spend.fit(&training, &cx).unwrap().model;
    check(&training, &WithSpend::join(moved, spend).unwrap(), &ask);
    check(&training, &CohortFit::<BgNbd>::by(Period::Quarter).fit(&training, &cx).unwrap().model, &ask);
    let hierarchical = HierarchicalFit::<MaLiu>::new().chains(1, 100).unwrap();
    check(&training, &hierarchical.fit(&training, &cx).unwrap().model, &ask);
    let regular = HierarchicalFit::<ParetoGgg>::new().chains(1, 40).unwrap().warmup(100);
    check(&training, &regular.fit(&training, &cx).unwrap().model, &ask);
}

/// A model of many populations forecasts their mean, draws of all of them, and is saved.
#[test]
fn a_posterior_is_a_model() {
    let (log, cut) = log(Grain::Day);
    let purchases = Training::merge(&log, cut).unwrap();
    let training = Training::new(&purchases, cut, TimeUnit::Week).unwrap().knowing(&Marks);
    let (ask, cx) = (Ask::over(Span::weeks(26.0).unwrap()), Context::default().seed(4));
    let settings = Bayes::<ParetoNbd>::new().chains(2, 100).unwrap();
    let Fitted { model, report } = settings.fit(&training, &cx).unwrap();
    let posterior = settings.cells(&training.cells(), TimeUnit::Week, &cx).unwrap();
    for (told, summary) in report.parameters.iter().zip(&posterior.summaries) {
        assert_eq!((told.value, told.quantiles.unwrap().0), (summary.mean, summary.quantiles[0]));
    }
    let sampling = report.sampling.unwrap();
    assert!(sampling.draws == 200 && sampling.r_hat < 1.1 && sampling.effective > 50.0, "{sampling:?}");
    assert!(report.log_likelihood.is_none() && model.models().len() == 200);
    let one = training.summary().customers();
    let mean = |of: &dyn Fn(&PurchaseModel<ParetoNbd>) -> f64| {
        model.models().iter().map(of).sum::<f64>() / model.models().len() as f64
    };
    let forecast = model.predict(&one, &ask).unwrap();
    for row in [0, 7, 50] {
        let history = training.summary().history(row);
        let expected = mean(&|m| m.purchases().unwrap().expected(&history, 0.0, 26.0).unwrap());
        let told = model.purchases().unwrap().expected(&history, 0.0, 26.0).unwrap();
        assert!((forecast.purchases.as_ref().unwrap()[row] - expected).abs() < 1e-10 * expected.max(1.0));
        assert!((told - expected).abs() < 1e-12);
        let alive = mean(&|m| m.activity().unwrap().p_alive(&history, 3.0).unwrap());
        assert!((model.activity().unwrap().p_alive(&history, 3.0).unwrap() - alive).abs() < 1e-12);
    }
    let many = check(&training, &model, &ask);
    let plain = MaximumLikelihood::<ParetoNbd>::new().fit(&training, &cx).unwrap().model;
    let plain = check(&training, &plain, &ask);
    let width = |drawn: &Intervals| {
        let (low, high) = drawn.total_purchases.interval(0.9).unwrap();
        high - low
    };
    assert!(width(&many) > 1.1 * width(&plain), "how sure the population is widens what may come of all");
    let covariates = Covariates::new().on_purchases(["own_mark"]).unwrap();
    let moved = settings.clone().with(covariates).fit(&training, &cx).unwrap().model;
    check(&training, &moved, &ask);
    assert!(moved.purchases().is_none(), "of a history alone it cannot say");
    let mut registry = Registry::core();
    clv_btyd::register(&mut registry);
    for model in [&model as &dyn Predict, &moved] {
        let loaded = registry.read(&to_string(model).unwrap()).unwrap();
        let [a, b] = [model, &loaded].map(|model| training.forecast(model, &ask).unwrap());
        assert_eq!(a, b);
        assert_eq!(to_string(model).unwrap(), to_string(&loaded).unwrap());
    }
    let penalised = MaximumLikelihood::<ParetoNbd>::new().penalty(0.1).unwrap();
    assert!(Bayes::of(penalised).unwrap_err().to_string().contains("priors"));
    let held = Bayes::of(MaximumLikelihood::<ParetoNbd>::new().fix("s", 0.7).unwrap()).unwrap().chains(1, 50);
    let report = held.unwrap().fit(&training, &cx).unwrap().report;
    assert!(report.parameters[2].fixed && report.parameters[2].quantiles.is_none());
}
