//! Covariates: simulate, fit, recover; categories, penalties, saving, and what is refused.

#![allow(clippy::unwrap_used)]

mod common;

use clv_btyd::{
    BetaDiscreteWeibull, BgBb, BgNbd, CovariateModel, Covariates, GgomNbd, LikelihoodRatio,
    MaximumLikelihood, MbgCnbd, MbgNbd, Nbd, ParetoNbd, Process, RegularFit, WithCovariates, log_interval,
    ratio,
};
use clv_core::conformance::check;
use clv_core::features::Source;
use clv_core::model::PurchaseForecast;
use clv_core::saved::{Registry, to_string};
use clv_core::{
    Ask, Context, Cut, Error, FeatureMatrix, Fit, Grain, LogBuilder, Moment, Predict, Span, TimeUnit,
    Training, Transaction, TransactionLog, Warning,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const WEEKS: f64 = 60.0;

/// Of each customer whether they are a member, their height, and one of three regions.
#[derive(Debug)]
struct Facts(Vec<[f64; 3]>);

const NAMES: [&str; 6] =
    ["own_member", "own_height", "own_region=east", "own_region=north", "own_region=south", "own_same"];

impl Facts {
    fn draw(customers: usize, seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let one = |_| {
            let tall = 150.0 + 50.0 * rng.random::<f64>();
            [f64::from(u8::from(rng.random::<f64>() < 0.4)), tall, (3.0 * rng.random::<f64>()).floor()]
        };
        Self((0..customers).map(one).collect())
    }

    fn of(&self, name: &str, customer: u32) -> f64 {
        let [member, height, region] = self.0[customer as usize];
        match name {
            "own_member" => member,
            "own_height" => height,
            "own_region=east" => f64::from(u8::from(region == 0.0)),
            "own_region=north" => f64::from(u8::from(region == 1.0)),
            "own_region=south" => f64::from(u8::from(region == 2.0)),
            _ => 1.0,
        }
    }
}

impl Source for Facts {
    fn names(&self, _cut: Cut) -> Result<Vec<String>, Error> {
        Ok(NAMES.map(str::to_owned).to_vec())
    }

    fn columns(&self, names: &[String], _cut: Cut, customers: &[u32]) -> Result<FeatureMatrix, Error> {
        if let Some(name) = names.iter().find(|n| !NAMES.contains(&n.as_str())) {
            return Err(Error::MissingColumn { model: "facts", column: name.clone() });
        }
        let cells = customers.iter().flat_map(|&c| names.iter().map(move |n| self.of(n, c))).collect();
        FeatureMatrix::new(names.to_vec(), cells)
    }
}

fn cut() -> Cut {
    Cut::end_of(Moment::from_days((7.0 * WEEKS) as i32 - 1), Grain::Exact)
}

/// A log in which members buy and leave at other rates, by these ratios.
fn log<P: Process>(truth: &P, facts: &Facts, buys: f64, leaves: f64, seed: u64) -> TransactionLog {
    let mut log = LogBuilder::new();
    let mut times = Vec::new();
    for (i, [member, ..]) in facts.0.iter().enumerate() {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(i as u64);
        let mut values = truth.values();
        let mut moves = |named: &[(&str, f64)], by: f64| {
            for (name, power) in named {
                let place = P::PARAMETERS.iter().position(|p| p.name == *name).unwrap();
                values[place] *= by.powf(power * member);
            }
        };
        moves(P::PURCHASES, buys);
        moves(P::DROPOUT, leaves);
        let first = 70.0 * rng.random::<f64>();
        // Of whole weeks, each purchase a little before the end of its week.
        let (first, early) =
            if P::READS.periods() { (7.0 * (first / 7.0).floor(), 0.01) } else { (first, 0.0) };
        times.clear();
        times.push(0.0);
        P::from_values(&values).unwrap().purchase_times(WEEKS - first / 7.0, &mut rng, &mut times);
        for t in &times {
            let at = Moment::from_micros(
                ((first + 7.0 * t - if *t > 0.0 { early } else { 0.0 }) * 86_400e6) as i64,
            );
            log.push(Transaction::new(&format!("c{i}"), at)).unwrap();
        }
    }
    log.finish()
}

fn with<T>(log: &TransactionLog, facts: &Facts, run: impl FnOnce(&Training<'_>) -> T) -> T {
    as_of(cut(), log, facts, run)
}

fn as_of<T>(cut: Cut, log: &TransactionLog, facts: &Facts, run: impl FnOnce(&Training<'_>) -> T) -> T {
    let purchases = Training::merge(log, cut).unwrap();
    run(&Training::new(&purchases, cut, TimeUnit::Week).unwrap().knowing(facts))
}

fn member(leaves: bool) -> Covariates {
    let covariates = Covariates::new().on_purchases(["own_member"]).unwrap();
    if leaves { covariates.on_dropout(["own_member"]).unwrap() } else { covariates }
}

fn recovers<P: Process>(truth: &P, fixed: Option<(&str, f64)>) {
    let facts = Facts::draw(4_000, 3);
    let (buys, leaves) = (1.8, 2.2);
    let log = log(truth, &facts, buys, leaves, 11);
    let day = Moment::from_days((7.0 * WEEKS) as i32 - 1);
    let cut = if P::READS.periods() { Cut::end_of(day, Grain::Week) } else { cut() };
    as_of(cut, &log, &facts, |training| {
        let mut each = MaximumLikelihood::new();
        if let Some((name, value)) = fixed {
            each = each.fix(name, value).unwrap();
        }
        let covariates = if P::PURCHASES.is_empty() {
            Covariates::new().on_dropout(["own_member"]).unwrap()
        } else {
            member(!P::DROPOUT.is_empty())
        };
        let settings = WithCovariates::<P>::new(covariates).each(each);
        let fitted = settings.fit(training, &Context::default()).unwrap();
        assert!(fitted.report.converged, "{:?}", fitted.report);
        let mut truth = truth.values();
        truth.extend((!P::PURCHASES.is_empty()).then_some(buys.ln()));
        truth.push(leaves.ln());
        for (estimate, want) in fitted.report.parameters.iter().zip(truth) {
            if estimate.fixed {
                continue;
            }
            // 99.9%
            let (low, high) = log_interval(estimate, 0.999).unwrap().unwrap();
            assert!(low <= want && want <= high, "{}: {low} to {high}, truth {want}", estimate.name);
        }
        let told = ratio(&fitted.report.parameters[P::PARAMETERS.len()], 0.95).unwrap().unwrap();
        let (low, high) = told.interval.unwrap();
        assert!(low < told.ratio && told.ratio < high && low > 1.2 && high < 3.2, "{told:?}");
    });
}

#[test]
fn recovers_coefficients_of_every_model() {
    recovers(&Nbd::new(0.8, 6.0).unwrap(), None);
    recovers(&BgNbd::new(0.8, 6.0, 0.9, 3.0).unwrap(), None);
    recovers(&MbgNbd::new(0.8, 6.0, 0.9, 3.0).unwrap(), None);
    recovers(&ParetoNbd::new(0.8, 6.0, 0.9, 14.0).unwrap(), None);
    recovers(&GgomNbd::new(0.8, 6.0, 0.08, 0.9, 3.0).unwrap(), None);
    recovers(&MbgCnbd::new(0.8, 3.0, 0.9, 3.0, 2).unwrap(), Some(("k", 2.0)));
    recovers(&BgBb::new(0.8, 3.0, 0.9, 20.0).unwrap(), None);
    recovers(&BetaDiscreteWeibull::new(0.8, 20.0, 1.0).unwrap(), Some(("c", 1.0)));
    // The logarithm of 3 and back is not 3.
    recovers(&MbgCnbd::new(0.8, 2.0, 0.9, 3.0, 3).unwrap(), Some(("k", 3.0)));
}

fn pareto() -> (TransactionLog, Facts) {
    let facts = Facts::draw(1_500, 5);
    (log(&ParetoNbd::new(0.8, 6.0, 0.9, 14.0).unwrap(), &facts, 1.8, 2.2, 2), facts)
}

fn fit(training: &Training<'_>, covariates: Covariates) -> clv_core::Fitted<CovariateModel<ParetoNbd>> {
    WithCovariates::new(covariates).fit(training, &Context::default()).unwrap()
}

#[test]
fn words_become_columns_beside_a_reference() {
    let (log, facts) = pareto();
    with(&log, &facts, |training| {
        let named = Covariates::new().on_purchases(["own_region", "log(own_height)*own_member"]).unwrap();
        let fitted = fit(training, named);
        let names: Vec<&str> = fitted.model.coefficients().map(|(name, _)| name).collect();
        assert_eq!(
            names,
            [
                "purchase.own_region=north",
                "purchase.own_region=south",
                "purchase.log(own_height)",
                "purchase.own_member",
                "purchase.log(own_height):own_member"
            ]
        );
        // The model of one customer is that of the row.
        let own = [("own_region=north", 1.0), ("own_height", 170.0), ("own_member", 0.0)];
        let own = fitted.model.of_columns(&own).unwrap();
        let find = |name: &str| fitted.model.coefficients().find(|c| c.0 == name).unwrap().1;
        let by = find("purchase.own_region=north") + find("purchase.log(own_height)") * 170_f64.ln();
        let alpha = fitted.model.parameters().values()[1];
        assert!((own.parameters().values()[1] - alpha * (-by).exp()).abs() < 1e-12 * alpha);
        assert!(own.expected_of_new(20.0).unwrap() > 0.0);
        for (columns, wants) in [
            (&[("own_member", 1.0)][..], "own_height"),
            (&[("own_member", 1.0), ("own_height", -1.0)], "own_height"),
            (&[("own_age", 1.0)], "own_age"),
        ] {
            let refused = fitted.model.of_columns(columns).unwrap_err().to_string();
            assert!(refused.contains(wants), "{refused}");
        }
    });
}

#[test]
fn units_of_a_column_do_not_matter() {
    let (log, facts) = pareto();
    with(&log, &facts, |training| {
        let covariates = || Covariates::new().on_purchases(["own_height", "own_member"]).unwrap();
        let (own, alike) = (fit(training, covariates()), fit(training, covariates().standardized()));
        let ln = |fitted: &clv_core::Fitted<CovariateModel<ParetoNbd>>| fitted.report.log_likelihood.unwrap();
        assert!((ln(&own) - ln(&alike)).abs() < 1e-7);
        let ask = Ask::over(Span::weeks(30.0).unwrap());
        let forecast = |model: &CovariateModel<ParetoNbd>| training.forecast(model, &ask).unwrap();
        let (a, b) = (forecast(&own.model).purchases.unwrap(), forecast(&alike.model).purchases.unwrap());
        assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-6 * a), "same forecasts");
        // A standard deviation of heights drawn evenly over 50 is 14.4; the ratio of errors is that of units.
        let [raw, scaled] = [&own, &alike].map(|f| f.report.parameters[4].clone());
        let units = scaled.standard_error.unwrap() / raw.standard_error.unwrap();
        assert!((units - 14.4).abs() < 0.5 && (scaled.value / raw.value - units).abs() < 1e-4, "{units}");
    });
}

#[test]
fn nothing_asked_is_the_plain_model() {
    let (log, facts) = pareto();
    with(&log, &facts, |training| {
        let plain = MaximumLikelihood::<ParetoNbd>::new().fit(training, &Context::default()).unwrap();
        let none = fit(training, Covariates::new());
        assert!((plain.report.log_likelihood.unwrap() - none.report.log_likelihood.unwrap()).abs() < 1e-8);
        let asked = fit(training, member(true));
        let test = LikelihoodRatio::between(&plain.report, &asked.report).unwrap();
        assert!(test.degrees == 2 && test.p_value < 1e-6, "{test:?}");
        assert!(LikelihoodRatio::between(&asked.report, &plain.report).is_err());
    });
}

#[test]
fn what_says_nothing_is_left_out_with_a_warning() {
    let (log, facts) = pareto();
    with(&log, &facts, |training| {
        let all = ["own_region", "own_region=east", "own_same", "own_member"];
        let fitted = fit(training, Covariates::new().on_purchases(all).unwrap());
        let out = fitted.report.warnings.iter().find_map(|w| match w {
            Warning::Collinear { columns } => Some(columns.clone()),
            _ => None,
        });
        assert_eq!(out.unwrap(), ["purchase.own_region=east", "purchase.own_same"]);
        assert!(fitted.report.parameter("purchase.own_member").unwrap() > 0.2);
        let nbd = WithCovariates::<Nbd>::new(member(true)).fit(training, &Context::default()).unwrap_err();
        assert!(nbd.to_string().contains("dropout"), "{nbd}");
        let unknown = Covariates::new().on_purchases(["own_shoe"]).unwrap();
        let unknown = WithCovariates::<BgNbd>::new(unknown).fit(training, &Context::default()).unwrap_err();
        assert!(unknown.to_string().contains("own_shoe"), "{unknown}");
        let twice = Covariates::new().on("life", [("alpha", 1.0)], ["own_member"]).unwrap();
        let twice = twice.on("life", [("beta", 1.0)], ["own_member"]).unwrap();
        let twice = WithCovariates::<ParetoNbd>::new(twice).fit(training, &Context::default()).unwrap_err();
        assert!(twice.to_string().contains("life.own_member"), "{twice}");
        let below = Covariates::new().on_purchases(["own_height:log(own_member)"]).unwrap();
        let below = WithCovariates::<BgNbd>::new(below).fit(training, &Context::default()).unwrap_err();
        assert!(below.to_string().contains("own_member"), "{below}");
    });
    for text in ["", "a:", "log()", "*a"] {
        assert!(Covariates::new().on_both([text]).is_err(), "{text:?}");
    }
}

#[test]
fn a_penalty_is_chosen_by_customers_left_out() {
    let (log, facts) = pareto();
    with(&log, &facts, |training| {
        let settings = WithCovariates::<ParetoNbd>::new(
            Covariates::new().on_purchases(NAMES).unwrap().on_dropout(NAMES).unwrap().standardized(),
        );
        let lambdas = [10.0, 1e-1, 1e-2, 1e-3, 1e-4];
        let choose = || settings.clone().choose_penalty(training, &lambdas, 4, &Context::default().seed(1));
        let (chosen, scores) = choose().unwrap();
        assert_eq!(choose().unwrap().1, scores, "the same for a seed");
        let score = |i: usize| scores[i].score.unwrap();
        assert!(score(2) > score(0), "{scores:?}");
        let fitted = chosen.fit(training, &Context::default()).unwrap();
        assert!(fitted.report.parameter("purchase.own_member").unwrap() > 0.05);
    });
}

#[test]
fn conforms_and_is_the_same_after_saving() {
    let (log, facts) = pareto();
    with(&log, &facts, |training| {
        let covariates = || {
            let both = Covariates::new().on_both(["own_region"]).unwrap();
            // A column that does not change has no scale.
            both.on_purchases(["own_member:log(own_height)", "own_same"]).unwrap().standardized()
        };
        let fitted = fit(training, covariates());
        let mut registry = Registry::core();
        clv_btyd::register(&mut registry);

        let broken = check(&fitted.model, &registry, training, Span::weeks(26.0).unwrap()).unwrap();
        assert!(broken.is_empty(), "{broken:?}");
        let text = to_string(&fitted.model).unwrap();
        let again = registry.read(&text).unwrap();
        assert_eq!(again.kind().full_name(), "covariates of pareto-nbd");
        let ask = Ask::over(Span::weeks(26.0).unwrap());
        assert_eq!(
            training.forecast(&fitted.model, &ask).unwrap(),
            training.forecast(&*again, &ask).unwrap()
        );
    });
}

/// How regular customers are is chosen together with what moves them.
#[test]
fn k_is_chosen_with_columns() {
    let facts = Facts::draw(1_500, 3);
    let log = log(&MbgCnbd::new(0.8, 2.0, 0.9, 3.0, 3).unwrap(), &facts, 1.8, 1.0, 11);
    with(&log, &facts, |training| {
        let settings = RegularFit::<MbgCnbd>::new().most(4).unwrap();
        let moved = settings.clone().with(member(false)).fit(training, &Context::default()).unwrap();
        assert_eq!(moved.report.parameter("k"), Some(3.0));
        let estimate = moved.report.parameters.iter().find(|p| p.name == "purchase.own_member").unwrap();
        let error = estimate.standard_error.unwrap();
        assert!((estimate.value - 1.8_f64.ln()).abs() < 3.5 * error, "{estimate:?}");
        // On one scale with the fit without them, of which it has one coefficient more.
        let plain = settings.clone().fit(training, &Context::default()).unwrap();
        let test = LikelihoodRatio::between(&plain.report, &moved.report).unwrap();
        assert!(test.degrees == 1 && test.statistic > 20.0, "{test:?}");
        let only = settings.only(3).unwrap().with(member(false)).fit(training, &Context::default()).unwrap();
        assert!((only.report.log_likelihood.unwrap() - moved.report.log_likelihood.unwrap()).abs() < 1e-9);
        assert!(only.report.parameters.iter().any(|p| p.name == "k" && p.fixed));
        let held = MaximumLikelihood::new().fix("k", 2.0).unwrap();
        let twice = RegularFit::<MbgCnbd>::new().each(held).with(member(false));
        assert!(twice.fit(training, &Context::default()).is_err());
    });
}
