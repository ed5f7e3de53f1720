//! Amounts: one by one, moved by what is known of customers, with their posterior, and lognormal.

#![allow(clippy::unwrap_used)]

use clv_btyd::{
    BayesSpend, Covariates, GammaGamma, GammaGammaFit, LognormalSpend, LognormalSpendFit,
    LognormalSpendModel, MaximumLikelihood, ParetoNbd, SpendCovariateModel, SpendModel, SpendPosteriorModel,
    log_interval,
};
use clv_core::attributes::{Attributes, Conflict};
use clv_core::features::Beyond;
use clv_core::model::{Drawn, Spend, Warning, population_of};
use clv_core::saved::{Registry, to_string};
use clv_core::summary::{Purchases, SpendBasis};
use clv_core::{
    Ask, Context, Customers, Cut, Fit, FitReport, Grain, History, LogBuilder, Moment, Predict, Span,
    TimeUnit, Training, Transaction, TransactionLog, WithSpend,
};
use clv_math::special::{gamma_q, ln_gamma};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Gamma, StandardNormal};

const TRUTH: [f64; 3] = [2.5, 4.0, 60.0];

fn day(after: usize) -> Moment {
    Moment::parse_date("2023-01-01").unwrap().plus_days(after as f64)
}

fn cut() -> Cut {
    Cut::end_of(day(400), Grain::Day)
}

/// A log whose amounts are drawn customer by customer, the first purchase among them.
fn log(
    customers: usize,
    seed: u64,
    draw: impl Fn(usize, usize, &mut ChaCha8Rng) -> Vec<f64>,
) -> TransactionLog {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut log = LogBuilder::new();
    for i in 0..customers {
        let name = format!("c{i}");
        let amounts = draw(i, 1 + i % 6, &mut rng);
        for (place, amount) in amounts.iter().enumerate() {
            log.push(Transaction::new(&name, day(i % 30 + 10 * place)).amount(*amount).unwrap()).unwrap();
        }
    }
    log.finish()
}

fn gamma_gamma(by: f64, count: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let [p, q, gamma] = TRUTH;
    let nu = Gamma::new(q, 1.0 / (gamma * by)).unwrap().sample(rng);
    (0..count).map(|_| Gamma::new(p, 1.0 / nu).unwrap().sample(rng)).collect()
}

fn holds(report: &FitReport, truth: &[f64]) {
    assert!(report.converged, "{report:?}");
    for (estimate, truth) in report.parameters.iter().zip(truth) {
        let off = (estimate.value - truth) / estimate.standard_error.unwrap();
        assert!(off.abs() < 4.0, "{}: {} truth {truth}", estimate.name, estimate.value);
    }
}

#[test]
fn amounts_one_by_one_tell_more_than_their_means() {
    let log = log(4_000, 1, |_, count, rng| gamma_gamma(1.0, count, rng));
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, cut(), TimeUnit::Week).unwrap();
    let cx = Context::default();
    let means = GammaGammaFit::new().fit(&training, &cx).unwrap();
    let singly = GammaGammaFit::new().individually().fit(&training, &cx).unwrap();
    holds(&means.report, &TRUTH);
    holds(&singly.report, &TRUTH);
    let error = |report: &FitReport| report.parameters[0].standard_error.unwrap();
    assert!(error(&singly.report) < 0.7 * error(&means.report), "p is told by each amount");
    // The likelihood, customer by customer.
    let [p, q, gamma] = singly.model.parameters().values();
    let direct: f64 = (0..purchases.customers() as u32)
        .map(|customer| {
            let z: Vec<f64> =
                purchases.amounts(customer).unwrap()[1..].iter().map(|a| *a as f64 / 1e6).collect();
            let (x, total) = (z.len() as f64, z.iter().sum::<f64>());
            ln_gamma(p * x + q) - ln_gamma(q) + q * gamma.ln() - (p * x + q) * (gamma + total).ln()
                + z.iter().map(|z| (p - 1.0) * z.ln() - ln_gamma(p)).sum::<f64>()
        })
        .sum();
    let found = singly.report.log_likelihood.unwrap();
    assert!((found - direct).abs() < 1e-9 * direct.abs(), "{found} {direct}");
    // The forecast is the same function of the mean.
    let ask = Ask::over(Span::weeks(1.0).unwrap());
    assert_eq!(
        singly.model.predict(&training.summary().customers(), &ask).unwrap().spend.unwrap().len(),
        4_000
    );
    // With the first purchase counted there is more to learn from.
    let all = Training::from_summary(purchases.summary(cut(), TimeUnit::Week, SpendBasis::All).unwrap());
    let all = GammaGammaFit::new().fit(&all, &cx).unwrap();
    holds(&all.report, &TRUTH);
    assert!(error(&all.report) < error(&means.report));
    let summary = Training::from_summary(training.summary().clone());
    assert!(GammaGammaFit::new().individually().fit(&summary, &cx).is_err(), "means alone");
}

#[test]
fn columns_move_what_is_spent() {
    let (by_kind, by_size) = (0.7, -0.4);
    let known = |i: usize| (f64::from(u8::from(i.is_multiple_of(2))), (i % 5) as f64 / 2.0 - 1.0);
    let log = log(3_000, 2, |i, count, rng| {
        let (kind, size) = known(i);
        gamma_gamma((by_kind * kind + by_size * size).exp(), count, rng)
    });
    let mut people = Attributes::new(Conflict::FirstStands);
    for i in 0..3_000 {
        let (kind, size) = known(i);
        people.state(&format!("c{i}"), "kind", if kind > 0.0 { "shop" } else { "home" });
        people.state(&format!("c{i}"), "size", &size.to_string());
    }
    let people = people.typed();
    let beyond = Beyond::of(&log).attributes(&people);
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, cut(), TimeUnit::Week).unwrap().knowing(&beyond);
    let cx = Context::default();
    let covariates = || Covariates::new().on_spend(["own_kind", "own_size"]).unwrap();
    for each in [GammaGammaFit::new(), GammaGammaFit::new().individually()] {
        let fitted = each.clone().with(covariates()).fit(&training, &cx).unwrap();
        let names: Vec<&str> = fitted.report.parameters.iter().map(|p| &*p.name).collect();
        assert_eq!(names, ["p", "q", "gamma", "spend.own_kind=shop", "spend.own_size"]);
        let [p, q, gamma] = TRUTH;
        holds(&fitted.report, &[p, q, gamma, by_kind, by_size]);
        // Of the one it is the one with these columns, saved and loaded again too.
        let ask = Ask::over(Span::weeks(1.0).unwrap());
        let said = training.forecast(&fitted.model, &ask).unwrap().spend.unwrap();
        let own = fitted.model.of_columns(&[("own_kind=shop", 1.0), ("own_size", -1.0)]).unwrap();
        let (x, mean) = (training.summary().frequency[10], training.summary().history(10).spend.unwrap());
        assert_eq!(said[10], own.parameters().expected_mean(f64::from(x), mean));
        let ratio = own.parameters().values()[2] / fitted.model.parameters().values()[2];
        let coefficients: Vec<f64> = fitted.model.coefficients().map(|(_, value)| value).collect();
        assert!((ratio.ln() - coefficients[0] + coefficients[1]).abs() < 1e-12);
        let text = to_string(&fitted.model).unwrap();
        let mut registry = Registry::core();
        clv_btyd::register(&mut registry);
        let again = registry.read(&text).unwrap();
        assert_eq!(training.forecast(&again, &ask).unwrap().spend.unwrap(), said);
        // Beside a purchase model that needs columns of its own.
        let purchases =
            clv_btyd::WithCovariates::<ParetoNbd>::new(Covariates::new().on_purchases(["own_size"]).unwrap())
                .each(MaximumLikelihood::new().penalty(0.1).unwrap());
        let both = WithSpend::of(purchases, each.with(covariates())).fit(&training, &cx).unwrap();
        let value = training.forecast(&both.model, &ask).unwrap().value.unwrap();
        assert!(value.iter().all(|v| v.is_some_and(f64::is_finite)));
    }
    let refused = GammaGammaFit::new().with(Covariates::new().on_purchases(["own_kind"]).unwrap());
    let error = refused.fit(&training, &cx).unwrap_err().to_string();
    assert!(error.contains("purchases"), "{error}");
}

/// Parameters about the truth by the prior of [`of_prior`].
fn from_prior(rng: &mut ChaCha8Rng) -> [f64; 3] {
    TRUTH.map(|median| {
        let z: f64 = StandardNormal.sample(rng);
        median * (0.4 * z).exp()
    })
}

fn of_prior() -> BayesSpend {
    let settings = BayesSpend::new(GammaGammaFit::new()).chains(1, 300).unwrap();
    let prior = |settings: BayesSpend, (name, median)| settings.prior(name, median, 0.4).unwrap();
    ["p", "q", "gamma"].into_iter().zip(TRUTH).fold(settings, prior)
}

const BINS: usize = 16;

/// Of each of three parameters the ranks are as often in one bin as in another, p > .01 corrected for their number.
fn expect_uniform(ranks: &[[f64; BINS]; 3]) {
    for (i, bins) in ranks.iter().enumerate() {
        let expected = bins.iter().sum::<f64>() / BINS as f64;
        let chi: f64 = bins.iter().map(|n| (n - expected) * (n - expected) / expected).sum();
        let p = gamma_q(0.5 * (BINS as f64 - 1.0), 0.5 * chi);
        assert!(p > 0.01 / 3.0, "{i}: p = {p}, ranks {bins:?}");
    }
}

/// Ranks of truths drawn from the prior within draws of their posteriors (Talts and others 2018).
#[test]
fn ranks_of_the_spend_posterior_are_uniform() {
    let rounds = 480;
    let mut ranks = [[0.0; BINS]; 3];
    for round in 0..rounds {
        let mut rng = ChaCha8Rng::seed_from_u64(23);
        rng.set_stream(round);
        let truth = from_prior(&mut rng);
        let x: Vec<u32> = (0..80).map(|i| 1 + i % 5).collect();
        let means: Vec<f64> = x
            .iter()
            .map(|x| {
                let (x, nu) = (f64::from(*x), Gamma::new(truth[1], 1.0 / truth[2]).unwrap().sample(&mut rng));
                Gamma::new(truth[0] * x, 1.0 / (nu * x)).unwrap().sample(&mut rng)
            })
            .collect();
        let (t_x, age) = (vec![1.0; x.len()], vec![2.0; x.len()]);
        let who = Customers::new(TimeUnit::Week, &x, &t_x, &age, Some(&means)).unwrap();
        let posterior = of_prior().customers(&who, &Context::default().seed(round)).unwrap();
        for (i, bins) in ranks.iter_mut().enumerate() {
            let below = posterior.chains[0].iter().step_by(20).filter(|p| p.values()[i] < truth[i]);
            bins[below.count()] += 1.0;
        }
    }
    expect_uniform(&ranks);
}

/// Truths drawn from the prior: totals of what is spent next fall within 90% intervals nine times of ten, if these hold how sure the population is.
#[test]
fn intervals_of_totals_hold_how_sure_the_population_is() {
    let (rounds, customers, next, draws) = (300_u64, 60, 4, 300);
    let mut within = [0.0_f64; 2];
    for round in 0..rounds {
        let mut rng = ChaCha8Rng::seed_from_u64(77);
        rng.set_stream(round);
        let truth = from_prior(&mut rng);
        let (mut means, mut total) = (Vec::new(), 0.0);
        // One in three has not bought again, and is known by the population alone.
        let x: Vec<u32> = (0..customers).map(|i| i % 3).collect();
        for x in &x {
            let nu = Gamma::new(truth[1], 1.0 / truth[2]).unwrap().sample(&mut rng);
            let amount = Gamma::new(truth[0], 1.0 / nu).unwrap();
            let known: f64 = (0..*x).map(|_| amount.sample(&mut rng)).sum();
            means.push(known / f64::from((*x).max(1)));
            total += (0..next).map(|_| amount.sample(&mut rng)).sum::<f64>();
        }
        let t_x: Vec<f64> = x.iter().map(|x| f64::from((*x).min(1))).collect();
        let age = vec![2.0; x.len()];
        let who = Customers::new(TimeUnit::Week, &x, &t_x, &age, Some(&means)).unwrap();
        let posterior = of_prior().customers(&who, &Context::default().seed(round)).unwrap();
        let many =
            SpendPosteriorModel::<SpendModel>::of_draws(&posterior, TimeUnit::Week, SpendBasis::default())
                .unwrap();
        let one = posterior.mode.parameters.iter().map(|p| p.value).collect::<Vec<_>>();
        let one = SpendModel::new(GammaGamma::new(one[0], one[1], one[2]).unwrap(), TimeUnit::Week);
        for (model, within) in [&many as &dyn Predict, &one].into_iter().zip(&mut within) {
            let mut totals = vec![0.0; draws];
            for row in 0..who.len() {
                let mut amounts = model.draw_amounts().unwrap().amounts_of(&who, row, draws).unwrap();
                let mut spent = Vec::new();
                for (draw, sum) in totals.iter_mut().enumerate() {
                    spent.clear();
                    amounts((draw, next), &mut rng, &mut spent);
                    *sum += spent.iter().sum::<f64>();
                }
            }
            let (low, high) = Drawn::of(totals).unwrap().interval(0.9).unwrap();
            *within += f64::from(u8::from(low <= total && total <= high)) / rounds as f64;
        }
    }
    let [many, one] = within;
    assert!((many - 0.9).abs() < 3.0 * (0.09 / rounds as f64).sqrt(), "{many}");
    assert!(one < many - 0.03, "the most likely population alone is too sure: {one} {many}");
}

#[test]
fn a_posterior_of_spend_is_a_model() {
    let log = log(200, 21, |_, count, rng| gamma_gamma(1.0, count, rng));
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, cut(), TimeUnit::Week).unwrap();
    let settings = BayesSpend::new(GammaGammaFit::new()).chains(2, 400).unwrap();
    let fitted = settings.fit(&training, &Context::default().seed(3)).unwrap();
    assert!(fitted.report.converged && fitted.report.sampling.unwrap().draws == 800, "{:?}", fitted.report);
    holds(&fitted.report, &TRUTH);
    // One of six has bought once.
    assert!(matches!(fitted.report.warnings[..], [Warning::LeftOut { .. }]), "{:?}", fitted.report.warnings);
    let model = fitted.model;
    let ask = Ask::over(Span::weeks(20.0).unwrap());
    let forecast = training.forecast(&model, &ask).unwrap().spend.unwrap();
    let summary = training.summary();
    for (row, spend) in forecast.iter().enumerate().step_by(7) {
        let history = summary.history(row);
        let (x, mean) = (f64::from(history.frequency), history.spend.unwrap_or(0.0));
        let each = model.models().iter().map(|one| one.parameters().expected_mean(x, mean).unwrap());
        let expected = each.sum::<f64>() / model.models().len() as f64;
        assert!((spend.unwrap() - expected).abs() < 1e-10 * expected);
        let of = model.spend().unwrap();
        assert!((of.expected_spend(&history).unwrap().unwrap() - expected).abs() < 1e-10 * expected);
        // Of what is drawn the share below a quantile is its probability.
        let who = summary.customers();
        let (mut rng, mut drawn) = (ChaCha8Rng::seed_from_u64(row as u64), Vec::new());
        let mut amounts = model.draw_amounts().unwrap().amounts_of(&who, row, 20_000).unwrap();
        (0..20_000).for_each(|draw| amounts((draw, 1), &mut rng, &mut drawn));
        for probability in [0.05, 0.5, 0.9] {
            let amount = of.spend_quantile(&history, probability).unwrap();
            let below = drawn.iter().filter(|drawn| **drawn < amount).count() as f64 / 20_000.0;
            let error = (probability * (1.0 - probability) / 20_000.0).sqrt();
            assert!((below - probability).abs() < 4.5 * error, "{row} {probability}: {below}");
        }
    }
    let mut registry = Registry::core();
    clv_btyd::register(&mut registry);
    let text = to_string(&model).unwrap();
    let loaded = registry.read(&text).unwrap();
    assert_eq!(loaded.kind().full_name(), "posterior of gamma-gamma");
    assert_eq!(training.forecast(&loaded, &ask).unwrap().spend.unwrap(), forecast);
    assert!(settings.clone().chains(0, 400).is_err());
    // Over all purchases, the first with them, nobody is left out; and means over the others are refused.
    let summary = purchases.summary(cut(), TimeUnit::Week, SpendBasis::All).unwrap();
    let all = Training::from_summary(summary);
    let fitted = settings.fit(&all, &Context::default().seed(3)).unwrap();
    assert!(fitted.report.warnings.is_empty(), "{:?}", fitted.report.warnings);
    holds(&fitted.report, &TRUTH);
    let loaded = registry.read(&to_string(&fitted.model).unwrap()).unwrap();
    assert!(training.forecast(&loaded, &ask).unwrap_err().to_string().contains("spend basis"));
    let forecast = all.forecast(&loaded, &ask).unwrap().spend.unwrap();
    for (row, spend) in forecast.iter().enumerate().step_by(7) {
        let (x, mean) =
            (f64::from(all.summary().frequency[row]) + 1.0, all.summary().history(row).spend.unwrap());
        let each = fitted.model.models().iter().map(|one| one.parameters().expected_mean(x, mean).unwrap());
        let expected = each.sum::<f64>() / fitted.model.models().len() as f64;
        assert!((spend.unwrap() - expected).abs() < 1e-10 * expected, "{row}");
    }
}

/// A log of customers of two kinds, of each as many with as many purchases, with what is known of them.
fn of_two_kinds(
    customers: usize,
    seed: u64,
    draw: impl Fn(f64, usize, &mut ChaCha8Rng) -> Vec<f64>,
) -> (TransactionLog, Attributes) {
    let kind = |i: usize| f64::from(u8::from((i / 6) % 2 == 1));
    let log = log(customers, seed, |i, count, rng| draw(kind(i), count, rng));
    let mut people = Attributes::new(Conflict::FirstStands);
    (0..customers).for_each(|i| people.state(&format!("c{i}"), "kind", &kind(i).to_string()));
    (log, people.typed())
}

#[test]
fn ranks_of_the_spend_posterior_with_a_column_are_uniform() {
    let settings = || {
        let covariates = Covariates::new().on_spend(["own_kind"]).unwrap().standardized();
        let with = BayesSpend::new(GammaGammaFit::new().with(covariates)).chains(1, 300).unwrap();
        let prior = |settings: BayesSpend<_>, (name, median)| settings.prior(name, median, 0.4).unwrap();
        ["p", "q", "gamma"].into_iter().zip(TRUTH).fold(with, prior).coefficient_deviation(0.4).unwrap()
    };
    let mut ranks = vec![[0.0; BINS]; 4];
    for round in 0..320 {
        let mut rng = ChaCha8Rng::seed_from_u64(29);
        rng.set_stream(round);
        let [p, q, gamma] = from_prior(&mut rng);
        let z: f64 = StandardNormal.sample(&mut rng);
        let by = 0.4 * z;
        // Mean and deviation of the kind are a half.
        let (log, people) = of_two_kinds(96, 5_000 + round, |kind, count, rng| {
            let own = gamma * f64::exp(by * (kind - 0.5) / 0.5);
            let nu = Gamma::new(q, 1.0 / own).unwrap().sample(rng);
            (0..count).map(|_| Gamma::new(p, 1.0 / nu).unwrap().sample(rng)).collect()
        });
        let purchases = Purchases::of(&log, Grain::Day).unwrap();
        let beyond = Beyond::of(&log).attributes(&people);
        let training = Training::new(&purchases, cut(), TimeUnit::Week).unwrap().knowing(&beyond);
        let posterior = settings().training(&training, &Context::default().seed(round)).unwrap();
        for (i, (bins, truth)) in ranks.iter_mut().zip([p, q, gamma, by]).enumerate() {
            let value = |model: &SpendCovariateModel| match i {
                3 => model.coefficients().next().unwrap().1,
                i => model.parameters().values()[i],
            };
            let below = posterior.chains[0].iter().step_by(20).filter(|model| value(model) < truth);
            bins[below.count()] += 1.0;
        }
    }
    for (i, bins) in ranks.iter().enumerate() {
        let expected = bins.iter().sum::<f64>() / BINS as f64;
        let chi: f64 = bins.iter().map(|n| (n - expected) * (n - expected) / expected).sum();
        let p = gamma_q(0.5 * (BINS as f64 - 1.0), 0.5 * chi);
        assert!(p > 0.01 / 4.0, "{i}: p = {p}, ranks {bins:?}");
    }
}

#[test]
fn a_posterior_of_spend_with_columns_is_a_model() {
    let (log, people) = of_two_kinds(600, 21, |kind, count, rng| gamma_gamma((0.7 * kind).exp(), count, rng));
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let beyond = Beyond::of(&log).attributes(&people);
    let training = Training::new(&purchases, cut(), TimeUnit::Week).unwrap().knowing(&beyond);
    let covariates = || Covariates::new().on_spend(["own_kind"]).unwrap();
    let settings = BayesSpend::new(GammaGammaFit::new().with(covariates())).chains(2, 400).unwrap();
    let cx = Context::default().seed(3);
    let fitted = settings.fit(&training, &cx).unwrap();
    let [p, q, gamma] = TRUTH;
    holds(&fitted.report, &[p, q, gamma, 0.7]);
    let likeliest = GammaGammaFit::new().with(covariates()).fit(&training, &cx).unwrap().report;
    for (drawn, found) in fitted.report.parameters.iter().zip(&likeliest.parameters) {
        let error = found.standard_error.unwrap();
        assert_eq!(drawn.name, found.name);
        assert!((drawn.value - found.value).abs() < 0.4 * error, "{drawn:?} {found:?}");
    }
    let model = fitted.model;
    let ask = Ask::over(Span::weeks(20.0).unwrap());
    let forecast = training.forecast(&model, &ask).unwrap().spend.unwrap();
    let each: Vec<Vec<Option<f64>>> =
        model.models().iter().map(|one| training.forecast(one, &ask).unwrap().spend.unwrap()).collect();
    for (row, spend) in forecast.iter().enumerate() {
        let mean = each.iter().map(|one| one[row].unwrap()).sum::<f64>() / each.len() as f64;
        assert!((spend.unwrap() - mean).abs() < 1e-10 * mean, "{row}");
    }
    let mut registry = Registry::core();
    clv_btyd::register(&mut registry);
    let loaded = registry.read(&to_string(&model).unwrap()).unwrap();
    assert_eq!(loaded.kind().full_name(), "posterior of covariates of gamma-gamma");
    assert_eq!(training.forecast(&loaded, &ask).unwrap().spend.unwrap(), forecast);
    // Amounts that are drawn have the mean that is forecast.
    let features = training.features(loaded.needs()).unwrap();
    let who = training.summary().customers().with_features(&features).unwrap();
    let (mut rng, mut drawn) = (ChaCha8Rng::seed_from_u64(8), Vec::new());
    let mut amounts = loaded.draw_amounts().unwrap().amounts_of(&who, 5, 40_000).unwrap();
    (0..40_000).for_each(|draw| amounts((draw, 1), &mut rng, &mut drawn));
    let mean = drawn.iter().sum::<f64>() / 40_000.0;
    let error = (drawn.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 40_000.0 / 40_000.0).sqrt();
    assert!((mean - forecast[5].unwrap()).abs() < 4.5 * error, "{mean} {:?}", forecast[5]);
    let penalised = covariates().penalty(0.1, 0.0).unwrap();
    assert!(BayesSpend::new(GammaGammaFit::new().with(penalised)).fit(&training, &cx).is_err());
}

/// A posterior of populations chosen by hand.
fn posterior_of(populations: Vec<GammaGamma>) -> SpendPosteriorModel {
    let who = Customers::new(TimeUnit::Week, &[3, 2], &[1.0, 1.0], &[2.0, 2.0], Some(&[4.0, 9.0])).unwrap();
    let mut posterior = of_prior().customers(&who, &Context::default()).unwrap();
    posterior.chains = vec![populations];
    SpendPosteriorModel::<SpendModel>::of_draws(&posterior, TimeUnit::Week, SpendBasis::default()).unwrap()
}

#[test]
fn populations_are_drawn_as_often_as_each_other() {
    // Everybody spends a hundredth less than the population's number more than 1.
    let number = |i: usize| GammaGamma::new(1e8, 1e8, 1.0 + 0.01 * i as f64).unwrap();
    let model = posterior_of((0..400).map(number).collect());
    let who = Customers::new(TimeUnit::Week, &[0], &[0.0], &[2.0], Some(&[0.0])).unwrap();
    for draws in [1_000, 200, 400, 7] {
        let mut amounts = model.draw_amounts().unwrap().amounts_of(&who, 0, draws).unwrap();
        let (mut rng, mut drawn) = (ChaCha8Rng::seed_from_u64(1), Vec::new());
        (0..draws).for_each(|draw| amounts((draw, 1), &mut rng, &mut drawn));
        let found: Vec<usize> =
            drawn.iter().map(|amount| ((amount - 1.0) * 100.0).round() as usize).collect();
        let expected: Vec<usize> = (0..draws).map(|draw| population_of(draw, draws, 400)).collect();
        assert_eq!(found, expected);
        let times: Vec<usize> = (0..400).map(|i| found.iter().filter(|one| **one == i).count()).collect();
        let (least, most) = (times.iter().min().unwrap(), times.iter().max().unwrap());
        assert!(most - least <= 1, "{draws}: {least} to {most}");
    }
}

#[test]
fn quantiles_of_a_mixture_keep_their_digits() {
    let new = History::new(0, 0.0, 5.0).unwrap();
    // Of equal populations they are those of one, however heavy its tail or light its head.
    for (p, q, gamma) in [(6.25, 3.74, 15.44), (0.01, 2.0, 1.0), (4.0, 0.05, 1e-3), (4.0, 0.02, 1e100)] {
        let one = GammaGamma::new(p, q, gamma).unwrap();
        let model = posterior_of(vec![one; 5]);
        for probability in [1e-9, 0.01, 0.5, 0.6, 0.9, 0.99, 1.0 - 1e-9] {
            let expected = one.amount_quantile(0.0, 0.0, probability);
            let found = model.spend_quantile(&new, probability);
            if expected > f64::MAX {
                assert!(found.unwrap_err().to_string().contains("10^308"));
                continue;
            }
            let expected = expected.max(f64::MIN_POSITIVE);
            let found = found.unwrap();
            assert!((found / expected - 1.0).abs() < 1e-7, "{p} {q} {probability}: {found:e} {expected:e}");
        }
        assert!(model.spend_quantile(&new, 1.0).is_err());
    }
    // One of ten beyond any number does not take the others along.
    let mut populations = vec![GammaGamma::new(6.25, 3.74, 15.44).unwrap(); 9];
    populations.push(GammaGamma::new(6.25, 1e-4, 15.44).unwrap());
    let model = posterior_of(populations);
    let middle = model.spend_quantile(&new, 0.5).unwrap();
    assert!((20.0..80.0).contains(&middle), "{middle}");
    assert!(model.spend_quantile(&new, 0.95).is_err());
}

#[test]
fn a_small_shop_is_told_that_a_mean_may_not_exist() {
    // With q = 2 and forty customers some populations drawn have none.
    let log = log(40, 5, |_, count, rng| {
        let nu = Gamma::new(2.0, 1.0 / 15.0).unwrap().sample(rng);
        let amount = Gamma::new(6.0, 1.0 / nu).unwrap();
        (0..count).map(|_| amount.sample(rng)).collect()
    });
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, cut(), TimeUnit::Week).unwrap();
    let fitted = BayesSpend::new(GammaGammaFit::new()).fit(&training, &Context::default()).unwrap();
    let told = fitted.report.warnings.iter().find_map(|warning| match warning {
        Warning::HeavyTail { populations, of, least } => Some((*populations, *of, *least)),
        _ => None,
    });
    let (populations, of, least) = told.expect("some populations have no mean");
    let q = |model: &SpendModel| model.parameters().values()[1];
    assert!(populations < of / 2 && of == 400 && least <= 1.0, "{populations} {of} {least}");
    assert_eq!(least, fitted.model.models().iter().map(q).fold(f64::MAX, f64::min));
    let ask = Ask::over(Span::weeks(20.0).unwrap());
    let spend = training.forecast(&fitted.model, &ask).unwrap().spend.unwrap();
    let summary = training.summary();
    assert!(summary.frequency.contains(&0));
    for (row, spend) in spend.iter().enumerate() {
        assert_eq!(spend.is_some(), summary.frequency[row] > 0, "{row}");
        assert!(fitted.model.spend_quantile(&summary.history(row), 0.5).is_ok());
    }
}

#[test]
fn lognormal_likelihood_is_the_integral_over_the_customers_middle() {
    let population = LognormalSpend::new(30.0, 0.5, 0.8).unwrap();
    for amounts in [vec![12.0], vec![40.0, 55.0, 31.0], vec![5.0, 5.0], (1..40).map(f64::from).collect()] {
        // By the trapezoid rule over m, which of something smooth that ends in nothing is exact.
        let normal = |z: f64, deviation: f64| {
            -0.5 * (z / deviation).powi(2) - deviation.ln() - 0.5 * std::f64::consts::TAU.ln()
        };
        let terms: Vec<f64> = (-4_000..=4_000)
            .map(|i| {
                let m = 30.0_f64.ln() + 0.8 * f64::from(i) / 400.0;
                normal(m - 30.0_f64.ln(), 0.8)
                    + amounts.iter().map(|z: &f64| normal(z.ln() - m, 0.5) - z.ln()).sum::<f64>()
            })
            .collect();
        let expected = clv_math::logspace::ln_sum_exp(&terms) + (0.8_f64 / 400.0).ln();
        let found = population.ln_likelihood(&amounts).unwrap();
        assert!((found - expected).abs() < 1e-9 * expected.abs(), "{found} {expected}");
    }
    assert_eq!(population.ln_likelihood(&[]).unwrap(), 0.0);
    let error = population.ln_likelihood(&[3.0, 0.0]).unwrap_err().to_string();
    assert!(error.contains("row 1") && error.contains("above 0"), "{error}");
    assert!(LognormalSpend::new(1.0, -1.0, 1.0).is_err());
}

/// Amounts of sixty customers, one to four each.
fn lognormal_amounts(truth: &LognormalSpend, rng: &mut ChaCha8Rng) -> Vec<Vec<f64>> {
    (0..60).map(|i| truth.draw(1 + i % 4, rng)).collect()
}

/// Ranks of truths drawn from the prior within draws of their posteriors.
#[test]
fn ranks_of_the_posterior_of_lognormal_spend_are_uniform() {
    const MIDDLE: [f64; 3] = [30.0, 0.5, 0.8];
    let names = ["median", "sigma", "tau"];
    let settings = BayesSpend::new(LognormalSpendFit::new()).chains(1, 300).unwrap();
    let settings =
        names.into_iter().zip(MIDDLE).fold(settings, |s, (name, at)| s.prior(name, at, 0.4).unwrap());
    let rounds = 480;
    let mut ranks = [[0.0; BINS]; 3];
    for round in 0..rounds {
        let mut rng = ChaCha8Rng::seed_from_u64(31);
        rng.set_stream(round);
        let truth = MIDDLE.map(|median| {
            let z: f64 = StandardNormal.sample(&mut rng);
            median * (0.4 * z).exp()
        });
        let amounts =
            lognormal_amounts(&LognormalSpend::new(truth[0], truth[1], truth[2]).unwrap(), &mut rng);
        let posterior = settings.amounts(&amounts, &Context::default().seed(round)).unwrap();
        for (i, bins) in ranks.iter_mut().enumerate() {
            let below = posterior.chains[0].iter().step_by(20).filter(|p| p.values()[i] < truth[i]);
            bins[below.count()] += 1.0;
        }
    }
    expect_uniform(&ranks);
}

#[test]
fn a_posterior_of_lognormal_spend_is_a_model() {
    let truth = LognormalSpend::new(30.0, 0.5, 0.8).unwrap();
    let log = log(400, 3, |_, count, rng| truth.draw(count, rng));
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, cut(), TimeUnit::Week).unwrap();
    let cx = Context::default();
    let settings = BayesSpend::new(LognormalSpendFit::new()).chains(2, 400).unwrap();
    let fitted = settings.fit(&training, &cx).unwrap();
    holds(&fitted.report, &truth.values());
    // The likeliest is near, and the deviations are those of the curvature.
    let one = LognormalSpendFit::new().fit(&training, &cx).unwrap();
    for (many, one) in fitted.report.parameters.iter().zip(&one.report.parameters) {
        let error = one.standard_error.unwrap();
        assert!((many.value - one.value).abs() < 0.3 * error, "{many:?} {one:?}");
        assert!((many.standard_error.unwrap() / error - 1.0).abs() < 0.2, "{many:?} {one:?}");
    }
    let model = fitted.model;
    let ask = Ask::over(Span::weeks(20.0).unwrap());
    let spend = training.forecast(&model, &ask).unwrap().spend.unwrap();
    let features = training.features(model.needs()).unwrap();
    let who = training.summary().customers().with_features(&features).unwrap();
    for (row, spend) in spend.iter().enumerate().step_by(23) {
        let known = features.row(row);
        let each = model.models().iter().map(|one| one.parameters().expected(known[0], known[1]));
        let expected = each.sum::<f64>() / model.models().len() as f64;
        assert!((spend.unwrap() - expected).abs() < 1e-10 * expected);
        // What is drawn has it as its mean.
        let (mut rng, mut drawn) = (ChaCha8Rng::seed_from_u64(row as u64), Vec::new());
        let mut amounts = model.draw_amounts().unwrap().amounts_of(&who, row, 40_000).unwrap();
        (0..40_000).for_each(|draw| amounts((draw, 1), &mut rng, &mut drawn));
        let mean = drawn.iter().sum::<f64>() / 40_000.0;
        let variance = drawn.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / 40_000.0;
        assert!((mean - expected).abs() < 4.5 * (variance / 40_000.0).sqrt(), "{row}: {mean} {expected}");
    }
    let mut registry = Registry::core();
    clv_btyd::register(&mut registry);
    let loaded = registry.read(&to_string(&model).unwrap()).unwrap();
    assert_eq!(loaded.kind().full_name(), "posterior of lognormal-spend");
    assert!(loaded.draw_amounts().unwrap().draws_population());
    assert_eq!(training.forecast(&loaded, &ask).unwrap().spend.unwrap(), spend);
    // Of four customers one draw may be most of the mean of a new one.
    let few = lognormal_amounts(&truth, &mut ChaCha8Rng::seed_from_u64(2));
    let few = &few[..4];
    let posterior = BayesSpend::new(LognormalSpendFit::new()).amounts(few, &cx).unwrap();
    let model =
        SpendPosteriorModel::<LognormalSpendModel>::of_draws(&posterior, TimeUnit::Week, SpendBasis::Repeats);
    let caution = model.unwrap().draw_amounts().unwrap().caution();
    assert!(matches!(caution, Some(Warning::OneDraw { share, of: 400 }) if share > 0.1), "{caution:?}");
    assert_eq!(loaded.draw_amounts().unwrap().caution(), None);
    // Priors take the place of a penalty.
    let penalised = BayesSpend::new(LognormalSpendFit::new().penalty(0.1).unwrap());
    assert!(penalised.fit(&training, &cx).unwrap_err().to_string().contains("priors"));
    let penalised = BayesSpend::new(GammaGammaFit::new().penalty(0.1).unwrap());
    assert!(penalised.fit(&training, &cx).unwrap_err().to_string().contains("priors"));
}

#[test]
fn lognormal_spend_is_found_again_and_forecast() {
    let truth = LognormalSpend::new(30.0, 0.5, 0.8).unwrap();
    let log = log(4_000, 3, |_, count, rng| truth.draw(count, rng));
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, cut(), TimeUnit::Week).unwrap();
    let cx = Context::default();
    let fitted = LognormalSpendFit::new().fit(&training, &cx).unwrap();
    holds(&fitted.report, &truth.values());
    // Its likelihood is that of all customers, and higher than that of Gamma-Gamma on the same amounts.
    let own = *fitted.model.parameters();
    let direct: f64 = (0..purchases.customers() as u32)
        .map(|customer| {
            let z: Vec<f64> =
                purchases.amounts(customer).unwrap()[1..].iter().map(|a| *a as f64 / 1e6).collect();
            own.ln_likelihood(&z).unwrap()
        })
        .sum();
    let found = fitted.report.log_likelihood.unwrap();
    assert!((found - direct).abs() < 1e-9 * direct.abs(), "{found} {direct}");
    let other = GammaGammaFit::new().individually().fit(&training, &cx).unwrap();
    assert!(found > other.report.log_likelihood.unwrap() + 20.0);
    // What is expected is what comes: of those who have bought three times or more, the mean of many next amounts.
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let (mut came, mut said) = (0.0, 0.0);
    for _ in 0..200_000 {
        let amounts = truth.draw(4, &mut rng);
        let mean_ln = amounts[..3].iter().map(|z| z.ln()).sum::<f64>() / 3.0;
        said += truth.expected(3.0, mean_ln);
        came += amounts[3];
    }
    assert!((said / came - 1.0).abs() < 0.01, "{said} {came}");
    let below = (0..100_000).filter(|_| {
        let amounts = truth.draw(3, &mut rng);
        let mean_ln = (amounts[0].ln() + amounts[1].ln()) / 2.0;
        amounts[2] < truth.amount_quantile(2.0, mean_ln, 0.9).unwrap()
    });
    assert!((below.count() as f64 / 100_000.0 - 0.9).abs() < 0.004);
    assert!(truth.amount_quantile(0.0, 0.0, 1.0).is_err());
    // Through the shelf's seam, beside a purchase model, saved and loaded.
    let ask = Ask::over(Span::weeks(10.0).unwrap());
    let spend = training.forecast(&fitted.model, &ask).unwrap().spend.unwrap();
    let alone = spend[0].unwrap();
    let nobody = own.expected(0.0, 0.0);
    assert!((alone - nobody).abs() < 1e-12 * nobody, "without a repeat purchase the population's mean");
    let text = to_string(&fitted.model).unwrap();
    let mut registry = Registry::core();
    clv_btyd::register(&mut registry);
    assert_eq!(training.forecast(&registry.read(&text).unwrap(), &ask).unwrap().spend.unwrap(), spend);
    let interval = log_interval(&fitted.report.parameters[2], 0.95).unwrap().unwrap();
    assert!(interval.0 < 0.8 && 0.8 < interval.1);
}

#[test]
fn lognormal_derivatives_at_the_maximum_and_edges() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    for (median, sigma, tau) in [(1e-6, 0.01, 3.0), (1e9, 2.0, 0.01), (50.0, 1.0, 1.0)] {
        let truth = LognormalSpend::new(median, sigma, tau).unwrap();
        let customers: Vec<Vec<f64>> =
            (0..2_000).map(|_| truth.draw(1 + rng.random_range(0..4), &mut rng)).collect();
        let fitted = LognormalSpendFit::new().amounts(&customers, &Context::default()).unwrap();
        assert!(fitted.report.converged, "{:?}", fitted.report);
        let at = fitted.model.values();
        let ln = |values: [f64; 3]| -> f64 {
            let population = LognormalSpend::new(values[0], values[1], values[2]).unwrap();
            customers.iter().map(|z| population.ln_likelihood(z).unwrap()).sum()
        };
        // At the maximum the function is flat, and falls by half a unit within a standard error or sooner.
        for i in 0..3 {
            let moved = |by: f64| {
                let mut values = at;
                values[i] *= by;
                ln(values)
            };
            let slope = (moved(1.0 + 1e-6) - moved(1.0 - 1e-6)) / 2e-6;
            assert!(slope.abs() < 1e-3 * ln(at).abs().max(1.0), "{i}: {slope}");
            let Some(error) = fitted.report.parameters[i].standard_error else { continue };
            let by = error / at[i];
            assert!(ln(at) - moved(by.exp()) > 0.3, "{i}");
        }
    }
    let cx = Context::default();
    let none: [Vec<f64>; 2] = [vec![3.0], vec![4.0]];
    assert!(LognormalSpendFit::new().amounts(&none, &cx).is_err(), "nobody twice");
    assert!(LognormalSpendFit::new().amounts(&[vec![3.0, 3.0]], &cx).is_err(), "no spread");
    assert!(LognormalSpendFit::new().amounts(&[vec![3.0, -3.0]], &cx).is_err());
}

#[test]
fn densities_of_mean_spend_are_those_that_were_drawn() {
    let log = log(6_000, 4, |_, count, rng| gamma_gamma(1.0, count, rng));
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, cut(), TimeUnit::Week).unwrap();
    let [p, q, gamma] = TRUTH;
    let population = clv_btyd::GammaGamma::new(p, q, gamma).unwrap();
    let found = population.spend_densities(&training.summary().customers(), 60).unwrap();
    let highest = found.iter().map(|d| d.expected).fold(0.0, f64::max);
    for density in &found {
        assert!((density.actual - density.expected).abs() < 0.12 * highest, "{density:?}");
    }
    // Nearly all of it lies between the first and the last amount.
    let piece = |pair: &[clv_btyd::SpendDensity]| {
        (pair[1].mean - pair[0].mean) * f64::midpoint(pair[0].expected, pair[1].expected)
    };
    let sum: f64 = found.windows(2).map(piece).sum();
    assert!((sum - 0.98).abs() < 0.02, "{sum}");
    let (x, mean) = ([1, 1], [5.0, 5.0]);
    let alike = Customers::new(TimeUnit::Week, &x, &[1.0; 2], &[2.0; 2], Some(&mean)).unwrap();
    assert!(population.spend_densities(&alike, 10).is_err());
    let none = Customers::new(TimeUnit::Week, &x, &[1.0; 2], &[2.0; 2], None).unwrap();
    assert!(population.spend_densities(&none, 10).is_err());
}

#[test]
fn densities_of_mean_spend_under_lognormal_spend_are_those_that_were_drawn() {
    let truth = LognormalSpend::new(30.0, 0.4, 0.6).unwrap();
    let log = log(6_000, 4, |_, count, rng| truth.draw(count, rng));
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, cut(), TimeUnit::Week).unwrap();
    let (who, cx) = (training.summary().customers(), Context::default());
    let off = |population: &LognormalSpend| {
        let found = population.spend_densities(&who, 60, &cx).unwrap();
        assert_eq!(found, population.spend_densities(&who, 60, &cx).unwrap());
        let highest = found.iter().map(|d| d.expected).fold(0.0, f64::max);
        found.iter().map(|d| (d.actual - d.expected).abs() / highest).fold(0.0, f64::max)
    };
    assert!(off(&truth) < 0.12, "{}", off(&truth));
    let wrong = LognormalSpend::new(45.0, 0.4, 0.6).unwrap();
    assert!(off(&wrong) > 0.3, "{}", off(&wrong));
    let (x, mean) = ([1, 1], [5.0, 5.0]);
    let alike = Customers::new(TimeUnit::Week, &x, &[1.0; 2], &[2.0; 2], Some(&mean)).unwrap();
    assert!(truth.spend_densities(&alike, 10, &cx).is_err());
    let none = Customers::new(TimeUnit::Week, &x, &[1.0; 2], &[2.0; 2], None).unwrap();
    assert!(truth.spend_densities(&none, 10, &cx).is_err());
}
