//! Profiles and bootstraps of models with columns, over time and of spend: against the curvature, against each other, and against the likelihood itself.

#![allow(clippy::unwrap_used)]

use std::num::NonZeroUsize;

use clv_btyd::{
    Bayes, BgCnbd, BgNbd, Covariates, Draws, GammaGamma, GammaGammaFit, HowSure, LognormalSpend,
    LognormalSpendFit, MaximumLikelihood, MbgNbd, OverTime, OverTimeFit, OverTimeModel, ParetoNbd, Process,
    ProfileInterval, RegularFit, WithCovariates, log_interval,
};
use clv_core::attributes::{Attributes, Conflict};
use clv_core::features::Beyond;
use clv_core::model::Estimate;
use clv_core::summary::Purchases;
use clv_core::{
    Context, Cut, Error, Fit, FitReport, Fitted, Grain, LogBuilder, Moment, Span, TimeUnit, Timelines,
    Training, Transaction, TransactionLog,
};
use clv_math::minimise::{NelderMead, nelder_mead};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const WEEKS: f64 = 104.0;

fn day(after: f64) -> Moment {
    Moment::parse_date("2022-01-03").unwrap().plus_days(after)
}

/// Customers of two kinds, whose age is a number far from 0.
fn kind(customer: usize) -> f64 {
    (customer % 2) as f64
}

fn age(customer: usize) -> f64 {
    30.0 + (customer * 7 % 41) as f64
}

/// A log, with what is known of its customers.
fn log(customers: usize, mut own: impl FnMut(usize, &mut Vec<(f64, f64)>)) -> (TransactionLog, Attributes) {
    let (mut log, mut people) = (LogBuilder::new(), Attributes::new(Conflict::FirstStands));
    let mut bought = Vec::new();
    for customer in 0..customers {
        let name = format!("c{customer}");
        people.state(&name, "kind", &kind(customer).to_string());
        people.state(&name, "age", &age(customer).to_string());
        bought.clear();
        own(customer, &mut bought);
        for &(t, amount) in &bought {
            log.push(Transaction::new(&name, day(7.0 * t)).amount(amount).unwrap()).unwrap();
        }
    }
    (log.finish(), people.typed())
}

fn with<T>((log, people): &(TransactionLog, Attributes), run: impl FnOnce(&Training<'_>) -> T) -> T {
    let cut = Cut::end_of(day(7.0 * WEEKS - 1.0), Grain::Exact);
    let purchases = Purchases::of(log, Grain::Exact).unwrap();
    let beyond = Beyond::of(log).attributes(people);
    run(&Training::new(&purchases, cut, TimeUnit::Week).unwrap().knowing(&beyond))
}

fn two_threads() -> Context<'static> {
    Context::default().seed(6).threads(NonZeroUsize::new(2).unwrap())
}

/// The parameters and coefficients of a model, as its report has them.
trait Values {
    fn value(&self, place: usize) -> f64;
}

impl<P: Process> Values for clv_btyd::CovariateModel<P> {
    fn value(&self, place: usize) -> f64 {
        let own = self.parameters().values();
        own.iter().copied().chain(self.coefficients().map(|c| c.1)).nth(place).unwrap()
    }
}

impl<P: OverTime> Values for OverTimeModel<P> {
    fn value(&self, place: usize) -> f64 {
        let own = self.parameters().values();
        own.iter().copied().chain(self.coefficients().map(|c| c.1)).nth(place).unwrap()
    }
}

impl Values for clv_btyd::SpendModel {
    fn value(&self, place: usize) -> f64 {
        self.parameters().values()[place]
    }
}

impl Values for clv_btyd::SpendCovariateModel {
    fn value(&self, place: usize) -> f64 {
        let own = self.parameters().values();
        own.iter().copied().chain(self.coefficients().map(|c| c.1)).nth(place).unwrap()
    }
}

impl Values for clv_btyd::LognormalSpendModel {
    fn value(&self, place: usize) -> f64 {
        self.parameters().values()[place]
    }
}

/// Ends by three ways are those by the curvature, to a share of the distance between them.
fn agree<M: Values>(
    report: &FitReport,
    profile: impl Fn(&str) -> ProfileInterval,
    [laplace, bootstrap, parametric]: [Draws<M>; 3],
) {
    assert_eq!((bootstrap.failed, parametric.failed), (0, 0));
    for (place, estimate) in report.parameters.iter().enumerate().filter(|(_, e)| !e.fixed) {
        let (low, high) = log_interval(estimate, 0.9).unwrap().unwrap();
        let point = |v: f64| if estimate.is_coefficient { v } else { v.ln() };
        let of = |model: &M| Ok(model.value(place));
        let ProfileInterval { lower, upper } = profile(&estimate.name);
        for (way, (a, b)) in [
            ("profile", (lower.unwrap(), upper.unwrap())),
            ("Laplace", laplace.interval(0.9, of).unwrap()),
            ("bootstrap", bootstrap.interval(0.9, of).unwrap()),
            ("parametric bootstrap", parametric.interval(0.9, of).unwrap()),
        ] {
            let width = point(high) - point(low);
            let off = ((point(a) - point(low)).abs() + (point(b) - point(high)).abs()) / width;
            assert!(
                off < 0.3,
                "{} of {} by {way}: {a} to {b}, by curvature {low} to {high}",
                estimate.name,
                report.model
            );
        }
    }
}

/// Twice what the log-likelihood loses at the ends of an interval of 90%.
const LOST: f64 = 2.705_543_454_095_404;

fn loses(there: &FitReport, best: &FitReport) {
    let lost = 2.0 * (best.log_likelihood.unwrap() - there.log_likelihood.unwrap());
    assert!((lost - LOST).abs() < 1e-4, "{lost}");
}

fn shop<P: Process>(truth: P, customers: usize, by: [f64; 2], seed: u64) -> (TransactionLog, Attributes) {
    let place = |name| P::PARAMETERS.iter().position(|p| p.name == name).unwrap();
    log(customers, |customer, bought| {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(customer as u64);
        let mut own = truth.values();
        let z = [kind(customer), (age(customer) - 50.0) / 10.0];
        for ((name, power), (gamma, z)) in [P::PURCHASES[0], P::DROPOUT[0]].iter().zip(by.iter().zip(z)) {
            own[place(*name)] *= (power * gamma * z).exp();
        }
        let mut times = vec![0.0];
        let first = 30.0 * rng.random::<f64>();
        P::from_values(&own).unwrap().purchase_times(WEEKS - first, &mut rng, &mut times);
        bought.extend(times.iter().map(|t| (first + t, 10.0)));
    })
}

fn covariates() -> Covariates {
    Covariates::new().on_purchases(["own_kind"]).unwrap().on_dropout(["own_age"]).unwrap()
}

fn of_columns<P: Process>(truth: P, by: [f64; 2]) {
    with(&shop(truth, 2_500, by, 4), |training| {
        let cx = two_threads();
        let settings = WithCovariates::<P>::new(covariates());
        let fitted = settings.fit(training, &cx).unwrap();
        let profile = |name: &str| settings.profile_interval(training, &fitted, name, 0.9, &cx).unwrap();
        let draws = [
            settings.laplace(&fitted, 4_000, 1).unwrap(),
            settings.bootstrap(training, &fitted, 200, &cx).unwrap(),
            settings.parametric_bootstrap(training, &fitted, 200, &cx).unwrap(),
        ];
        // Another number of threads, the same draws.
        let alone = settings.bootstrap(training, &fitted, 3, &cx.threads(NonZeroUsize::MIN)).unwrap();
        assert_eq!(alone.populations, draws[1].populations[..3]);
        agree(&fitted.report, profile, draws);
        // The ends of parameters, held as settings hold them.
        for parameter in P::PARAMETERS {
            let ends = profile(parameter.name);
            for end in [ends.lower, ends.upper] {
                let held = MaximumLikelihood::new().fix(parameter.name, end.unwrap()).unwrap();
                loses(&settings.clone().each(held).fit(training, &cx).unwrap().report, &fitted.report);
            }
        }
    });
}

#[test]
fn of_models_with_columns() {
    of_columns(ParetoNbd::new(0.9, 6.0, 0.8, 20.0).unwrap(), [0.5, -0.3]);
    of_columns(BgNbd::new(0.7, 6.0, 0.8, 2.4).unwrap(), [0.5, -0.3]);
}

/// The ends of a coefficient by a search that knows nothing of designs: over the parameters and the other coefficient, each customer's likelihood apart.
#[test]
fn the_profile_of_a_coefficient_is_that_of_the_likelihood() {
    let truth = BgNbd::new(0.7, 6.0, 0.8, 2.4).unwrap();
    with(&shop(truth, 400, [0.5, -0.3], 9), |training| {
        let cx = Context::default();
        for covariates in [covariates(), covariates().standardized()] {
            let is_standardized = covariates == self::covariates().standardized();
            let settings = WithCovariates::<BgNbd>::new(covariates);
            let fitted = settings.fit(training, &cx).unwrap();
            let best = fitted.report.log_likelihood.unwrap();
            let summary = training.summary();
            let n = summary.len() as f64;
            let column = |of: fn(usize) -> f64| {
                let all: Vec<f64> = (0..summary.len()).map(of).collect();
                let mean = all.iter().sum::<f64>() / n;
                let deviation = (all.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
                if is_standardized { (mean, deviation) } else { (0.0, 1.0) }
            };
            let (of_kind, of_age) = (column(kind), column(age));
            let names = ["purchase.own_kind", "dropout.own_age"];
            for (held, name) in names.into_iter().enumerate() {
                let profile = settings.profile_interval(training, &fitted, name, 0.9, &cx).unwrap();
                let start: Vec<f64> = fitted.model.parameters().values().iter().map(|v| v.ln()).collect();
                let free = fitted.model.coefficients().nth(1 - held).unwrap().1;
                for end in [profile.lower.unwrap(), profile.upper.unwrap()] {
                    let minus_ln = |point: &[f64]| {
                        let by = if held == 0 { [end, point[4]] } else { [point[4], end] };
                        let one = |i: usize| {
                            // By the customer's number in its name, which is the order of the log.
                            let customer = summary.customer[i] as usize;
                            let z = [
                                (kind(customer) - of_kind.0) / of_kind.1,
                                (age(customer) - of_age.0) / of_age.1,
                            ];
                            let own = BgNbd::new(
                                point[0].exp(),
                                point[1].exp() * (-by[0] * z[0]).exp(),
                                point[2].exp() * (by[1] * z[1]).exp(),
                                point[3].exp(),
                            );
                            own.unwrap().ln_likelihood(
                                summary.frequency[i],
                                summary.recency[i],
                                summary.age[i],
                            )
                        };
                        Some(-(0..summary.len()).map(one).sum::<f64>())
                    };
                    let mut start = start.clone();
                    start.push(free);
                    let settings =
                        NelderMead { max_evaluations: 20_000, step: 0.05, ..NelderMead::default() };
                    let mut found = nelder_mead(minus_ln, &start, &settings);
                    found = nelder_mead(minus_ln, &found.point, &settings);
                    let lost = 2.0 * (best + found.value);
                    assert!((lost - LOST).abs() < 1e-3, "{name} at {end}: {lost}");
                }
            }
        }
    });
}

/// A season of the last quarter of each year.
fn calendar() -> Timelines {
    let mut calendar = Timelines::new(["season"]).unwrap();
    for week in 0..180_u32 {
        let season = f64::from(u8::from(week % 52 >= 39));
        calendar.state(None, day(7.0 * f64::from(week)), &[season]).unwrap();
    }
    calendar
}

fn over_time<P: OverTime>(truth: P) {
    let calendar = calendar();
    let coefficients = [("season", true, false, 0.7), ("season", false, true, -0.5)];
    let truth = OverTimeModel::of(truth, TimeUnit::Week, &coefficients).unwrap();
    let known = log(1_500, |customer, bought| {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        rng.set_stream(customer as u64);
        let first = 7.0 * 30.0 * rng.random::<f64>();
        let length = Span::days(7.0 * WEEKS - first).unwrap();
        let future = truth.of_new(&[&calendar], "anybody", day(first), length).unwrap();
        let mut times = vec![0.0];
        if rng.random::<f64>() < future.p_alive {
            future.alive.purchase_times(&mut rng, &mut times);
        }
        bought.extend(times.iter().map(|t| (first / 7.0 + t, 10.0)));
    });
    with(&known, |training| {
        let cx = two_threads();
        let covariates = Covariates::new().on_purchases(["season"]).unwrap().on_dropout(["season"]).unwrap();
        let settings = OverTimeFit::<P>::new(covariates);
        let (calendar, names) = ([&calendar], known.0.customers());
        let fitted = settings.fit(training, &calendar, names, &cx).unwrap();
        let beside = (training, &calendar[..], names);
        let profile = |name: &str| settings.profile_interval(beside, &fitted, (name, 0.9), &cx).unwrap();
        let draws = [
            settings.laplace(&fitted, 4_000, 1).unwrap(),
            settings.bootstrap(beside, &fitted, 120, &cx).unwrap(),
            settings.parametric_bootstrap(beside, &fitted, 120, &cx).unwrap(),
        ];
        agree(&fitted.report, profile, draws);
        for parameter in P::PARAMETERS {
            let end = profile(parameter.name).lower.unwrap();
            let held = MaximumLikelihood::new().fix(parameter.name, end).unwrap();
            let there = settings.clone().each(held).fit(training, &calendar, names, &cx).unwrap();
            loses(&there.report, &fitted.report);
        }
        // Another number of threads, the same draws.
        let alone = cx.threads(NonZeroUsize::MIN);
        let again = settings.parametric_bootstrap(beside, &fitted, 2, &alone).unwrap();
        let two = settings.parametric_bootstrap(beside, &fitted, 2, &cx).unwrap();
        assert_eq!(again, two);
        assert!(settings.profile_interval(beside, &fitted, ("nothing", 0.9), &cx).is_err());
    });
}

#[test]
fn of_models_over_time() {
    over_time(ParetoNbd::new(0.9, 6.0, 0.8, 20.0).unwrap());
    over_time(MbgNbd::new(0.9, 6.0, 0.8, 3.0).unwrap());
}

/// What chose its `k` is refitted with it.
#[test]
fn of_regular_customers() {
    let known = shop(BgCnbd::new(0.9, 3.0, 0.6, 2.4, 3).unwrap(), 700, [0.5, -0.3], 4);
    with(&known, |training| {
        let cx = two_threads();
        let fitted = RegularFit::<BgCnbd>::new().with(covariates()).fit(training, &cx).unwrap();
        assert_eq!(fitted.report.parameter("k"), Some(3.0));
        let still = WithCovariates::<BgCnbd>::new(covariates());
        let draws = still.parametric_bootstrap(training, &fitted, 40, &cx).unwrap();
        assert!(draws.populations.iter().all(|model| model.value(4) == 3.0), "{draws:?}");
        let place = fitted.report.parameters.iter().position(|p| p.name == "purchase.own_kind").unwrap();
        let (low, high) = draws.interval(0.9, |model| Ok(model.value(place))).unwrap();
        let by_curvature = log_interval(&fitted.report.parameters[place], 0.9).unwrap().unwrap();
        assert!((high - low) / (by_curvature.1 - by_curvature.0) > 0.7, "{low} {high} {by_curvature:?}");
        let profile = still.profile_interval(training, &fitted, "purchase.own_kind", 0.9, &cx).unwrap();
        assert!((profile.lower.unwrap() - by_curvature.0).abs() < 0.1 * (high - low));
        let names = known.0.customers();
        let moving = RegularFit::<BgCnbd>::new().over_time(covariates());
        let moved = moving.fit(training, &[], names, &cx).unwrap();
        let (settings, beside) = (OverTimeFit::<BgCnbd>::new(covariates()), (training, &[][..], names));
        for draws in [
            settings.bootstrap(beside, &moved, 6, &cx).unwrap(),
            settings.parametric_bootstrap(beside, &moved, 6, &cx).unwrap(),
        ] {
            assert!(
                draws.failed == 0 && draws.populations.iter().all(|model| model.value(4) == 3.0),
                "{draws:?}"
            );
        }
        let ends = settings.profile_interval(beside, &moved, ("r", 0.9), &cx).unwrap();
        assert!(ends.lower.unwrap() < ends.upper.unwrap());
        assert!(settings.profile_interval(beside, &moved, ("k", 0.9), &cx).is_err());
        // A posterior must be told its k.
        let error = Bayes::<BgCnbd>::new().over_time(covariates()).draw(training, &[], names, &cx);
        assert!(error.unwrap_err().to_string().contains("fix k"));
    });
}

/// Columns that are known all along move Pareto/NBD over time as they move it otherwise, and its profiles too.
#[test]
fn what_does_not_change_has_the_same_profile_over_time() {
    let known = shop(ParetoNbd::new(0.9, 6.0, 0.8, 20.0).unwrap(), 600, [0.5, -0.3], 4);
    with(&known, |training| {
        let cx = Context::default();
        let settings = WithCovariates::<ParetoNbd>::new(covariates());
        let fitted = settings.fit(training, &cx).unwrap();
        let moving = OverTimeFit::<ParetoNbd>::new(covariates());
        let beside = (training, &[][..], known.0.customers());
        let moved = moving.fit(training, &[], known.0.customers(), &cx).unwrap();
        for Estimate { name, .. } in &fitted.report.parameters {
            let still = settings.profile_interval(training, &fitted, name, 0.9, &cx).unwrap();
            let moves = moving.profile_interval(beside, &moved, (name, 0.9), &cx).unwrap();
            for (a, b) in [(still.lower, moves.lower), (still.upper, moves.upper)] {
                assert!((a.unwrap() - b.unwrap()).abs() < 1e-5 * (1.0 + a.unwrap().abs()), "{name}");
            }
        }
        let cx = cx.seed(5);
        let (still, moves) = (
            settings.bootstrap(training, &fitted, 4, &cx).unwrap(),
            moving.bootstrap(beside, &moved, 4, &cx).unwrap(),
        );
        for (a, b) in still.populations.iter().zip(&moves.populations) {
            for place in 0..6 {
                assert!((a.value(place) / b.value(place) - 1.0).abs() < 1e-4, "{a:?} {b:?}");
            }
        }
    });
}

/// Columns far from 0, such that say the same as others, and such that few customers have.
#[test]
fn of_awkward_columns() {
    let known = shop(ParetoNbd::new(0.9, 6.0, 0.8, 20.0).unwrap(), 600, [0.5, -0.3], 4);
    let mut people = Attributes::new(Conflict::FirstStands);
    for customer in 0..600 {
        let name = format!("c{customer}");
        people.state(&name, "year", &(2_000.0 + age(customer)).to_string());
        people.state(&name, "age", &age(customer).to_string());
        people.state(&name, "one", &kind(customer).to_string());
        people.state(&name, "other", &(1.0 - kind(customer)).to_string());
        people.state(&name, "rare", if customer % 300 == 7 { "1" } else { "0" });
    }
    let known = (known.0, people.typed());
    with(&known, |training| {
        let cx = two_threads();
        let on = |columns: &[&str]| Covariates::new().on_purchases(columns.iter().copied()).unwrap();
        let of = |columns: &[&str]| {
            let settings = WithCovariates::<ParetoNbd>::new(on(columns));
            let fitted = settings.fit(training, &cx).unwrap();
            (settings, fitted)
        };
        // Of a year as of an age, α apart; over time too.
        let ((by_age, aged), (by_year, born)) = (of(&["own_age"]), of(&["own_year"]));
        for name in ["r", "s", "beta"] {
            let a = by_age.profile_interval(training, &aged, name, 0.9, &cx).unwrap();
            let b = by_year.profile_interval(training, &born, name, 0.9, &cx).unwrap();
            assert!((a.lower.unwrap() / b.lower.unwrap() - 1.0).abs() < 1e-4, "{name} {a:?} {b:?}");
        }
        let a = by_age.bootstrap(training, &aged, 4, &cx).unwrap();
        let b = by_year.bootstrap(training, &born, 4, &cx).unwrap();
        for (a, b) in a.populations.iter().zip(&b.populations) {
            assert!(
                (a.value(4) / b.value(4) - 1.0).abs() < 1e-4 && (a.value(0) / b.value(0) - 1.0).abs() < 1e-4
            );
        }
        let beside = (training, &[][..], known.0.customers());
        let over_time = |column: &str| {
            let settings = OverTimeFit::<ParetoNbd>::new(on(&[column]));
            let fitted = settings.fit(training, &[], known.0.customers(), &cx).unwrap();
            let upper = settings.profile_interval(beside, &fitted, ("s", 0.9), &cx).unwrap().upper.unwrap();
            let draws = settings.parametric_bootstrap(beside, &fitted, 3, &cx).unwrap();
            (upper, draws.populations.iter().map(|m| m.value(4)).collect::<Vec<_>>())
        };
        let ((a, of_age), (b, of_year)) = (over_time("own_age"), over_time("own_year"));
        assert!((a / b - 1.0).abs() < 1e-4 && of_age.len() == 3, "{a} {b}");
        assert!(
            of_age.iter().zip(&of_year).all(|(a, b)| (a / b - 1.0).abs() < 1e-3),
            "{of_age:?} {of_year:?}"
        );
        // The second of two that say the same is held, and α, moved by both, has an end.
        let ((_, alone), (twice, both)) = (of(&["own_one"]), of(&["own_one", "own_other"]));
        let (single, _) = of(&["own_one"]);
        for name in ["alpha", "purchase.own_one"] {
            let a = single.profile_interval(training, &alone, name, 0.9, &cx).unwrap();
            let b = twice.profile_interval(training, &both, name, 0.9, &cx).unwrap();
            for (a, b) in [(a.lower, b.lower), (a.upper, b.upper)] {
                assert!((a.unwrap() - b.unwrap()).abs() < 1e-5 * (1.0 + a.unwrap().abs()), "{name}");
            }
        }
        let draws = twice.bootstrap(training, &both, 6, &cx).unwrap();
        assert!(draws.failed == 0 && draws.populations.iter().all(|m| m.value(5) == 0.0));
        // Of two customers among six hundred some draws have none, which tell nothing of them.
        let (rare, found) = of(&["own_rare"]);
        let draws = rare.bootstrap(training, &found, 60, &cx).unwrap();
        assert!(draws.failed > 2 && draws.populations.iter().all(|m| m.value(4) != 0.0), "{}", draws.failed);
        // A report of other settings is refused.
        let error = rare.bootstrap(training, &both, 2, &cx).unwrap_err().to_string();
        assert!(error.contains("purchase.own_rare") && error.contains("purchase.own_other"), "{error}");
        assert!(rare.profile_interval(training, &both, "r", 0.9, &cx).is_err());
    });
}

fn spenders(
    customers: usize,
    mut amounts: impl FnMut(usize, usize, &mut ChaCha8Rng) -> Vec<f64>,
) -> (TransactionLog, Attributes) {
    log(customers, |customer, bought| {
        let mut rng = ChaCha8Rng::seed_from_u64(12);
        rng.set_stream(customer as u64);
        let paid = amounts(customer, 2 + customer % 6, &mut rng);
        bought.extend(paid.iter().enumerate().map(|(i, amount)| (i as f64 * 3.0, amount.max(0.01))));
    })
}

fn of_spend<S>(settings: &S, known: &(TransactionLog, Attributes), hold: impl Fn(&str, f64) -> S)
where
    S: HowSure,
    S::Model: Values + PartialEq + std::fmt::Debug + Clone,
{
    with(known, |training| {
        let cx = two_threads();
        let fitted = settings.fit(training, &cx).unwrap();
        let profile = |name: &str| settings.profile_interval(training, &fitted, name, 0.9, &cx).unwrap();
        let draws = [
            settings.laplace(&fitted, 4_000, 1).unwrap(),
            settings.bootstrap(training, &fitted, 200, &cx).unwrap(),
            settings.parametric_bootstrap(training, &fitted, 200, &cx).unwrap(),
        ];
        let alone = settings.bootstrap(training, &fitted, 3, &cx.threads(NonZeroUsize::MIN)).unwrap();
        assert_eq!(alone.populations, draws[1].populations[..3]);
        agree(&fitted.report, profile, draws);
        for Estimate { name, is_coefficient, .. } in &fitted.report.parameters {
            let ProfileInterval { lower, upper } = profile(name);
            for end in [lower, upper].into_iter().filter(|_| !is_coefficient) {
                loses(&hold(name, end.unwrap()).fit(training, &cx).unwrap().report, &fitted.report);
            }
        }
    });
}

#[test]
fn of_models_of_spend() {
    let truth = GammaGamma::new(6.0, 4.0, 15.0).unwrap();
    let gammas = spenders(1_500, |_, count, rng| {
        use rand_distr::{Distribution, Gamma};
        let [p, q, gamma] = truth.values();
        let nu = Gamma::new(q, 1.0 / gamma).unwrap().sample(rng);
        (0..count).map(|_| Gamma::new(p, 1.0 / nu).unwrap().sample(rng)).collect()
    });
    let means = GammaGammaFit::new();
    of_spend(&means, &gammas, |name, value| means.clone().fix(name, value).unwrap());
    let singly = GammaGammaFit::new().individually();
    of_spend(&singly, &gammas, |name, value| singly.clone().fix(name, value).unwrap());
    let moved = spenders(1_500, |customer, count, rng| {
        use rand_distr::{Distribution, Gamma};
        let [p, q, gamma] = truth.values();
        let nu = Gamma::new(q, (-0.4 * kind(customer)).exp() / gamma).unwrap().sample(rng);
        (0..count).map(|_| Gamma::new(p, 1.0 / nu).unwrap().sample(rng)).collect()
    });
    let asked = || Covariates::new().on_spend(["own_kind"]).unwrap();
    of_spend(&means.clone().with(asked()), &moved, |name, value| {
        means.clone().fix(name, value).unwrap().with(asked())
    });
    let lognormal = LognormalSpend::new(30.0, 0.6, 0.8).unwrap();
    let normals = spenders(1_500, |_, count, rng| lognormal.draw(count, rng));
    let settings = LognormalSpendFit::new();
    of_spend(&settings, &normals, |name, value| settings.clone().fix(name, value).unwrap());
}

#[test]
fn what_cannot_be_said_is_refused() {
    let known = shop(BgNbd::new(0.7, 6.0, 0.8, 2.4).unwrap(), 400, [0.5, -0.3], 9);
    with(&known, |training| {
        let cx = Context::default();
        let settings = WithCovariates::<BgNbd>::new(covariates());
        let fitted: Fitted<_> = settings.fit(training, &cx).unwrap();
        let refused = |settings: &WithCovariates<BgNbd>, name: &str, level: f64| {
            settings.profile_interval(training, &fitted, name, level, &cx).unwrap_err().to_string()
        };
        let error = refused(&settings, "purchase.own_age", 0.9);
        assert!(error.contains("purchase.own_kind") && error.contains("alpha"), "{error}");
        assert!(refused(&settings, "r", 1.0).contains("level"));
        let penalised = WithCovariates::<BgNbd>::new(covariates().penalty(0.1, 0.0).unwrap());
        assert!(refused(&penalised, "r", 0.9).contains("penalty"));
        let held = settings.clone().each(MaximumLikelihood::new().fix("r", 0.7).unwrap());
        let with_r = held.fit(training, &cx).unwrap();
        assert!(held.profile_interval(training, &with_r, "r", 0.9, &cx).is_err());
        let alpha = held.profile_interval(training, &with_r, "alpha", 0.9, &cx).unwrap();
        assert!(alpha.lower.unwrap() < alpha.upper.unwrap());
        // What says nothing beside the others is held at 0.
        let twice = covariates().on_purchases(["own_kind:own_kind"]).unwrap();
        let twice = WithCovariates::<BgNbd>::new(twice);
        let found = twice.fit(training, &cx).unwrap();
        let name = &found.report.parameters.last().unwrap().name;
        assert!(twice.profile_interval(training, &found, name, 0.9, &cx).is_err());
        let stop = || true;
        let stopped = settings.bootstrap(training, &fitted, 4, &cx.stop(&stop));
        assert!(matches!(stopped, Err(Error::Stopped)));
    });
}
