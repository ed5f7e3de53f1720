//! Cohorts apart, together and in between.

#![allow(clippy::unwrap_used)]

use clv_btyd::{BgNbd, CohortFit, CohortModel, MaximumLikelihood, Process};
use clv_core::cohorts::Period;
use clv_core::saved::{Registry, to_string};
use clv_core::summary::Purchases;
use clv_core::{
    Ask, Context, Cut, Fit, Grain, LogBuilder, Moment, Predict, Span, TimeUnit, Training, Transaction,
    TransactionLog,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

const TRUTH: [f64; 4] = [0.8, 7.0, 0.8, 3.0];

fn day(after: f64) -> Moment {
    Moment::parse_date("2022-01-01").unwrap().plus_days(after)
}

/// Twelve monthly cohorts whose purchase rates differ by a deviation of the logarithms; the last of few customers. Tells by how much.
fn log(deviation: f64) -> (TransactionLog, Vec<f64>) {
    let mut log = LogBuilder::new();
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let mut times = Vec::new();
    let mut rates = Vec::new();
    for month in 0..12_usize {
        let z: f64 = StandardNormal.sample(&mut rng);
        let by = (deviation * z).exp();
        rates.push(by);
        let [r, alpha, a, b] = TRUTH;
        let process = BgNbd::new(r, alpha / by, a, b).unwrap();
        for i in 0..if month < 11 { 300 } else { 12 } {
            // Days of a month that all have.
            let first = 30.4375 * month as f64 + 1.0 + 25.0 * rng.random::<f64>();
            times.clear();
            times.push(0.0);
            process.purchase_times(104.0 - first / 7.0, &mut rng, &mut times);
            for t in &times {
                log.push(Transaction::new(&format!("{month}-{i}"), day(first + 7.0 * t))).unwrap();
            }
        }
    }
    (log.finish(), rates)
}

fn with<T>(log: &TransactionLog, run: impl FnOnce(&Training<'_>) -> T) -> T {
    let purchases = Purchases::of(log, Grain::Exact).unwrap();
    let cut = Cut::end_of(day(7.0 * 104.0 - 1.0), Grain::Exact);
    run(&Training::new(&purchases, cut, TimeUnit::Week).unwrap())
}

/// Mean squared distance of the logarithms of the mean purchase rates from the truth.
fn off(model: &CohortModel<BgNbd>, rates: &[f64]) -> f64 {
    let rate = |values: Vec<f64>| (values[0] / values[1]).ln();
    let truth = |by: &f64| (by * TRUTH[0] / TRUTH[1]).ln();
    let cohorts: Vec<_> = model.cohorts().collect();
    assert_eq!(cohorts.len(), rates.len());
    let one = |((_, model), by): (&(String, &clv_btyd::PurchaseModel<BgNbd>), &f64)| {
        (rate(Process::values(model.parameters())) - truth(by)).powi(2)
    };
    cohorts.iter().zip(rates).map(one).sum::<f64>() / rates.len() as f64
}

#[test]
fn partial_pooling_is_nearer_than_either_end() {
    let (log, rates) = log(0.25);
    with(&log, |training| {
        let cx = Context::default().seed(2);
        let fit = |deviation: f64| {
            CohortFit::<BgNbd>::by(Period::Month).deviation(deviation).unwrap().fit(training, &cx).unwrap()
        };
        let (together, partly, apart) = (fit(0.0), fit(0.25), fit(f64::INFINITY));
        let [none, some, all] = [&together, &partly, &apart].map(|fitted| off(&fitted.model, &rates));
        assert!(some < none && some < all, "together {none}, partly {some}, apart {all}");
        // At either end it is what it should be.
        let plain = MaximumLikelihood::<BgNbd>::new().fit(training, &cx).unwrap();
        for (_, model) in together.model.cohorts() {
            assert_eq!(model.parameters(), plain.model.parameters());
        }
        let ln = apart.report.log_likelihood.unwrap();
        assert!(ln > plain.report.log_likelihood.unwrap() + 20.0, "{ln}");
        assert_eq!(apart.report.parameters.len(), 48);
        assert!(apart.report.parameter("alpha.2022-03").is_some());
        assert!(partly.report.log_likelihood.is_none(), "there is no number of parameters");
        // The data know that cohorts differ, and that they do not differ without end.
        let deviations = [0.0, 0.25, f64::INFINITY];
        let by = CohortFit::<BgNbd>::by(Period::Month);
        let (_, scores) = by.clone().choose_deviation(training, &deviations, 5, &cx).unwrap();
        let score = |i: usize| scores[i].score.unwrap();
        assert!(score(1) > score(0) && score(1) > score(2), "{scores:?}");
        assert!(by.choose_deviation(training, &deviations, 1, &cx).is_err());
    });
}

#[test]
fn conforms_after_saving_and_newcomers_are_of_the_common_population() {
    let (log, _) = log(0.3);
    with(&log, |training| {
        let cx = Context::default();
        let fitted = CohortFit::<BgNbd>::by(Period::Month).fit(training, &cx).unwrap();
        let ask = Ask::over(Span::weeks(26.0).unwrap());
        let said = training.forecast(&fitted.model, &ask).unwrap();
        let mut registry = Registry::core();
        clv_btyd::register(&mut registry);
        let again = registry.read(&to_string(&fitted.model).unwrap()).unwrap();
        assert_eq!(training.forecast(&again, &ask).unwrap(), said);
        // The first customer's forecast is that of their cohort alone.
        let cohort = Period::Month.index(training.summary().first[0]);
        let alone = fitted.model.of_cohort(cohort);
        let one = alone.predict(&training.summary().customers(), &ask).unwrap();
        assert_eq!(said.purchases.unwrap()[0], one.purchases.unwrap()[0]);
        assert_eq!(fitted.model.of_cohort(-1), fitted.model.common());
        assert!(fitted.model.predict(&training.summary().customers(), &ask).is_err(), "no cohort is told");
    });
}
