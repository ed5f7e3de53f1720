//! Models over time through their seams: what they foresee, in which units, saved and loaded.

#![allow(clippy::unwrap_used)]

use clv_btyd::{
    Bayes, BgCnbd, BgNbd, Covariates, GammaGamma, LikelihoodRatio, MaximumLikelihood, MbgCnbd, MbgNbd,
    OverTime, OverTimeFit, OverTimeModel, ParetoNbd, Process, RegularFit, SpendModel,
};
use clv_core::attributes::{Attributes, Conflict};
use clv_core::features::Beyond;
use clv_core::model::{Grained, Possible};
use clv_core::saved::{Registry, to_string};
use clv_core::summary::Purchases;
use clv_core::{
    Ask, Context, Cut, Discount, Fit, Forecast, Grain, LogBuilder, Moment, Predict, Price, Span, TimeUnit,
    Timelines, Training, Transaction, TransactionLog, WithSpend,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const START: &str = "2022-01-03";

fn day(after: f64) -> Moment {
    Moment::parse_date(START).unwrap().plus_days(after)
}

/// A season of the last quarter of each year, and a price that is around 200.
fn calendar() -> Timelines {
    let mut calendar = Timelines::new(["season", "price"]).unwrap();
    for week in 0..180_u32 {
        let season = f64::from(u8::from(week % 52 >= 39));
        let price = 200.0 + 20.0 * f64::from(week % 7) - 3.0 * f64::from(week % 4);
        calendar.state(None, day(7.0 * f64::from(week)), &[season, price]).unwrap();
    }
    calendar
}

fn log<P: OverTime>(truth: &OverTimeModel<P>, calendar: &Timelines, customers: u64) -> TransactionLog {
    let mut log = LogBuilder::new();
    let mut times = Vec::new();
    for i in 0..customers {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        rng.set_stream(i);
        let first = (7.0 * 30.0 * rng.random::<f64>()).floor();
        times.clear();
        times.push(0.0);
        let length = Span::days(7.0 * 104.0 - first).unwrap();
        let future = truth.of_new(&[calendar], "anybody", day(first), length).unwrap();
        if rng.random::<f64>() < future.p_alive {
            future.alive.purchase_times(&mut rng, &mut times);
        }
        for t in &times {
            let at = day((first + 7.0 * t).floor());
            log.push(Transaction::new(&format!("c{i}"), at).amount(20.0).unwrap()).unwrap();
        }
    }
    log.finish()
}

/// With the `k` of a regular model held, which it does not choose by itself.
fn each<P: OverTime>(truth: &P) -> MaximumLikelihood<P> {
    let k = P::PARAMETERS.iter().zip(truth.values()).find(|(p, _)| p.name == "k");
    let settings = MaximumLikelihood::new();
    match k {
        Some((_, k)) => settings.fix("k", k).unwrap(),
        None => settings,
    }
}

fn check<P: OverTime>(truth: P, customers: u64) {
    let calendar = calendar();
    let each = each(&truth);
    let truth = OverTimeModel::of(
        truth,
        TimeUnit::Week,
        &[("season", true, false, 0.9), ("season", false, true, -0.4), ("price", true, false, -0.004)],
    )
    .unwrap();
    let log = log(&truth, &calendar, customers);
    let cut = Cut::end_of(day(7.0 * 104.0 - 1.0), Grain::Day);
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, cut, TimeUnit::Week).unwrap();
    let (names, cx) = (log.customers(), Context::default());
    let covariates =
        Covariates::new().on_purchases(["season", "price"]).unwrap().on_dropout(["season"]).unwrap();
    let plain = OverTimeFit::<P>::new(covariates.clone())
        .each(each.clone())
        .fit(&training, &[&calendar], names, &cx)
        .unwrap();
    let standardized = covariates.clone().standardized();
    let scaled = OverTimeFit::<P>::new(standardized.clone())
        .each(each.clone())
        .fit(&training, &[&calendar], names, &cx)
        .unwrap();
    let ln = |fitted: &clv_core::Fitted<OverTimeModel<P>>| fitted.report.log_likelihood.unwrap();
    // The chance to stay, (1 − p)^{e^{δz}}, is another where z is counted from its mean: nothing takes that up.
    let near: f64 = if P::KIND == ParetoNbd::KIND { 1e-6 } else { 0.1 };
    assert!((ln(&plain) - ln(&scaled)).abs() < near, "{} {}", ln(&plain), ln(&scaled));
    for fitted in [&plain, &scaled] {
        let there = fitted.model.ln_likelihood(&training, &[&calendar], names).unwrap();
        assert!((there - ln(fitted)).abs() < 1e-8 * there.abs(), "the model has the likelihood of its fit");
    }
    // What is foreseen does not depend on the units of the columns, nor on being saved.
    let ask = Ask::over(Span::weeks(40.0).unwrap()).discount(Discount::yearly(0.1).unwrap());
    let forecast = |model: &OverTimeModel<P>| model.forecast(&training, &[&calendar], names, &ask).unwrap();
    let (one, other) = (forecast(&plain.model), forecast(&scaled.model));
    for (a, b) in one.purchases.as_ref().unwrap().iter().zip(other.purchases.as_ref().unwrap()) {
        assert!((a - b).abs() < (100.0 * near).min(0.01) * (1.0 + a), "{a} {b}");
    }
    let mut registry = Registry::core();
    clv_btyd::register(&mut registry);
    let loaded = registry.read(&to_string(&scaled.model).unwrap()).unwrap();
    let who = training.summary().customers();
    let error = loaded.predict(&who, &ask).unwrap_err().to_string();
    assert!(error.contains("calendar"), "{error}");
    let foreseen = loaded.foresee().unwrap();
    assert_eq!(foreseen.columns(), ["season", "price"]);
    let foreseen = foreseen.foresee(&training, &[&calendar], names, ask.horizon()).unwrap();
    assert_eq!(foreseen.predict(&who, &ask).unwrap(), other);
    // What it was fitted to it knows as others do, and refuses to foresee from something else.
    let knowing = registry.read(&to_string(&Grained::new(loaded, Grain::Day)).unwrap()).unwrap();
    assert_eq!(knowing.grain(), Some(Grain::Day));
    let of = knowing.foresee().unwrap();
    let foresee = || of.foresee(&training, &[&calendar], names, ask.horizon()).unwrap();
    let joined = foresee();
    assert_eq!((joined.grain(), joined.predict(&who, &ask).unwrap()), (Some(Grain::Day), other.clone()));
    let price = |grain| Grained::new(Price::new(3.0, TimeUnit::Week).unwrap(), grain);
    assert!(WithSpend::join(foresee(), price(Grain::Week)).is_err());
    assert!(WithSpend::join(joined, price(Grain::Day)).is_ok());
    let weekly = Purchases::of(&log, Grain::Week).unwrap();
    let weekly = Training::new(&weekly, Cut::end_of(cut.last(), Grain::Week), TimeUnit::Week).unwrap();
    let error = of.foresee(&weekly, &[&calendar], names, ask.horizon()).unwrap_err().to_string();
    assert!(error.contains("these are of grain week; allowed: day"), "{error}");
    // Beside a spend model it is value; for other horizons and customers it says nothing.
    let spend = SpendModel::new(GammaGamma::new(6.0, 4.0, 15.0).unwrap(), TimeUnit::Week);
    let joined = WithSpend::join(foreseen, spend).unwrap();
    let value = joined.predict(&who, &ask).unwrap().value.unwrap();
    assert!(value.iter().all(|v| v.is_some_and(|v| v >= 0.0)));
    let drawn = Possible::new().draws(2_000).unwrap().of(&joined, &who, &ask, |row| row as u64, &cx).unwrap();
    for (total, expected) in [
        (drawn.total_purchases, other.purchases.iter().flatten().sum::<f64>()),
        (drawn.total_value.unwrap(), value.iter().flatten().sum()),
    ] {
        let variance = total.sorted().iter().map(|v| (v - total.mean()).powi(2)).sum::<f64>() / 2_000.0;
        assert!(
            (total.mean() - expected).abs() < 4.0 * (variance / 2_000.0).sqrt(),
            "{} {expected}",
            total.mean()
        );
    }
    assert!(joined.predict(&who, &Ask::over(Span::weeks(20.0).unwrap())).is_err());
    assert!(to_string(&joined).is_err());
    // By period ends as well, between nothing and the whole discount.
    let monthly = ask.discount(
        Discount::yearly(0.1).unwrap().at_period_ends(Span::new(1.0, TimeUnit::Month).unwrap()).unwrap(),
    );
    let by_month = plain.model.forecast(&training, &[&calendar], names, &monthly).unwrap();
    let sum = |column: &Option<Vec<f64>>| column.as_ref().unwrap().iter().sum::<f64>();
    let (less, full) = (sum(&by_month.discounted_purchases), sum(&by_month.purchases));
    assert!(less < full && less > 0.9 * full, "{less} {full}");
    // Of penalties the one under which others are likeliest: what moves them so much is not held back.
    let settings = OverTimeFit::<P>::new(standardized).each(each.clone());
    let among = (&[0.0, 0.001, 1.0][..], 2);
    let (best, scores) = settings.choose_penalty(&training, &[&calendar], names, among, &cx).unwrap();
    let scores: Vec<f64> = scores.iter().map(|s| s.score.unwrap()).collect();
    assert!(scores[0] > scores[2] && scores[1] > scores[2], "{scores:?}");
    assert!(best.penalties().0 < 1.0);
    let again = OverTimeFit::<P>::new(Covariates::new()).each(each).choose_penalty(
        &training,
        &[],
        names,
        (&[0.0], 1),
        &cx,
    );
    assert!(again.unwrap_err().to_string().contains("folds"));
    // Beyond the calendar nothing is foreseen.
    let far = Span::weeks(100.0).unwrap();
    assert!(plain.model.futures(&training, &[&calendar], names, far).is_err());
}

/// Many populations foresee on the average what each of them does, saved and loaded, and futures are drawn of them in turn.
fn check_posterior<P: OverTime>(truth: P) {
    let calendar = calendar();
    let coefficients = [("season", true, false, 0.9), ("season", false, true, -0.4)];
    let each = each(&truth);
    let truth = OverTimeModel::of(truth, TimeUnit::Week, &coefficients).unwrap();
    let log = log(&truth, &calendar, 120);
    let cut = Cut::end_of(day(7.0 * 104.0 - 1.0), Grain::Day);
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, cut, TimeUnit::Week).unwrap();
    let (names, cx) = (log.customers(), Context::default());
    let who = training.summary().customers();
    let ask = Ask::over(Span::weeks(30.0).unwrap());
    let covariates = Covariates::new().on_purchases(["season"]).unwrap().on_dropout(["season"]).unwrap();
    let bayes = Bayes::of(each).unwrap().chains(2, 40).unwrap().over_time(covariates);
    let drawn = bayes.fit(&training, &[&calendar], names, &cx).unwrap();
    assert!(drawn.report.sampling.unwrap().draws == 80 && drawn.model.models().len() == 80);
    let season = drawn.report.parameters.iter().find(|p| p.name == "purchase.season").unwrap();
    assert!((season.value - 0.9).abs() < 4.0 * season.standard_error.unwrap(), "{season:?}");
    let mut registry = Registry::core();
    clv_btyd::register(&mut registry);
    let many = registry.read(&to_string(&drawn.model).unwrap()).unwrap();
    assert_eq!(many.kind().full_name(), format!("posterior of over-time of {}", P::KIND.name));
    assert!(many.predict(&who, &ask).unwrap_err().to_string().contains("calendar"));
    let foreseen = many.foresee().unwrap().foresee(&training, &[&calendar], names, ask.horizon()).unwrap();
    let said = foreseen.predict(&who, &ask).unwrap();
    let forecast = |model: &OverTimeModel<P>| model.forecast(&training, &[&calendar], names, &ask).unwrap();
    let each: Vec<Forecast> = drawn.model.models().iter().map(forecast).collect();
    for row in 0..who.len() {
        let mean = |of: &dyn Fn(&Forecast) -> f64| each.iter().map(of).sum::<f64>() / each.len() as f64;
        let of_purchases = |forecast: &Forecast| forecast.purchases.as_ref().unwrap()[row];
        let of_alive = |forecast: &Forecast| forecast.p_alive.as_ref().unwrap()[row];
        assert!((of_purchases(&said) - mean(&of_purchases)).abs() < 1e-9);
        assert!((of_alive(&said) - mean(&of_alive)).abs() < 1e-12);
    }
    // Futures of 0 to 49 are of the first population, and so on.
    let drawn =
        Possible::new().draws(4_000).unwrap().of(&*foreseen, &who, &ask, |row| row as u64, &cx).unwrap();
    let expected: f64 = said.purchases.iter().flatten().sum();
    let total = drawn.total_purchases;
    let variance = total.sorted().iter().map(|v| (v - total.mean()).powi(2)).sum::<f64>() / 4_000.0;
    assert!(
        (total.mean() - expected).abs() < 4.0 * (variance / 4_000.0).sqrt(),
        "{} {expected}",
        total.mean()
    );
}

#[test]
fn posteriors_over_time_are_models() {
    check_posterior(ParetoNbd::new(0.9, 6.0, 0.8, 20.0).unwrap());
    check_posterior(BgNbd::new(0.9, 6.0, 0.8, 3.0).unwrap());
    check_posterior(BgCnbd::new(0.9, 3.0, 0.8, 3.0, 2).unwrap());
}

#[test]
fn pareto_nbd() {
    check(ParetoNbd::new(0.9, 6.0, 0.8, 20.0).unwrap(), 500);
}

#[test]
fn bg_nbd_and_mbg_nbd() {
    check(BgNbd::new(0.9, 6.0, 0.8, 3.0).unwrap(), 500);
    check(MbgNbd::new(0.9, 6.0, 0.8, 3.0).unwrap(), 500);
}

#[test]
fn bg_cnbd() {
    check(BgCnbd::new(0.9, 3.0, 0.8, 3.0, 2).unwrap(), 180);
}

/// How regular customers are is told by their purchases together with what moves them: in a season their beat is a faster one.
#[test]
fn k_is_chosen_with_what_changes() {
    let (calendar, cx) = (calendar(), Context::default());
    let process = MbgCnbd::new(1.3, 2.0, 0.4, 2.0, 3).unwrap();
    let truth = OverTimeModel::of(process, TimeUnit::Week, &[("season", true, false, 1.1)]).unwrap();
    let log = log(&truth, &calendar, 400);
    let cut = Cut::end_of(day(7.0 * 104.0 - 1.0), Grain::Day);
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, cut, TimeUnit::Week).unwrap();
    let covariates = Covariates::new().on_purchases(["season"]).unwrap();
    let settings = RegularFit::<MbgCnbd>::new().over_time(covariates.clone());
    let fitted = settings.fit(&training, &[&calendar], log.customers(), &cx).unwrap();
    let report = &fitted.report;
    assert_eq!(report.parameter("k"), Some(3.0), "{report:?}");
    let season = report.parameters.iter().find(|p| p.name == "purchase.season").unwrap();
    assert!((season.value - 1.1).abs() < 4.0 * season.standard_error.unwrap(), "{season:?}");
    // Without columns it is the plain model, whose constant is in its likelihood too.
    let plain = RegularFit::<MbgCnbd>::new().fit(&training, &cx).unwrap().report;
    let without = RegularFit::<MbgCnbd>::new().over_time(Covariates::new());
    let without = without.fit(&training, &[&calendar], log.customers(), &cx).unwrap().report;
    let (a, b) = (plain.log_likelihood.unwrap(), without.log_likelihood.unwrap());
    assert!((a - b).abs() < 1e-6 * a.abs(), "{a} {b}");
    assert!(LikelihoodRatio::between(&plain, report).unwrap().p_value < 1e-10);
    // Alone it must be told.
    let alone = OverTimeFit::<MbgCnbd>::new(covariates).fit(&training, &[&calendar], log.customers(), &cx);
    assert!(alone.unwrap_err().to_string().contains("RegularFit"));
}

#[test]
fn words_that_are_known_all_along_stand_beside_what_changes() {
    let calendar = calendar();
    let process = ParetoNbd::new(0.9, 6.0, 0.8, 20.0).unwrap();
    let truth = OverTimeModel::of(process, TimeUnit::Week, &[("season", true, false, 0.9)]).unwrap();
    let log = log(&truth, &calendar, 500);
    let cut = Cut::end_of(day(7.0 * 104.0 - 1.0), Grain::Day);
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let cx = Context::default();
    let fit = |people: &Attributes| {
        let beyond = Beyond::of(&log).attributes(people);
        let training = Training::new(&purchases, cut, TimeUnit::Week).unwrap().knowing(&beyond);
        let asked = Covariates::new().on_purchases(["season", "own_kind"]).unwrap();
        let fitted =
            OverTimeFit::<ParetoNbd>::new(asked).fit(&training, &[&calendar], log.customers(), &cx)?;
        let text = to_string(&fitted.model).unwrap();
        let ask = Ask::over(Span::weeks(10.0).unwrap());
        let forecast = fitted.model.forecast(&training, &[&calendar], log.customers(), &ask)?;
        Ok::<_, clv_core::Error>((fitted, text, forecast))
    };
    let mut people = Attributes::new(Conflict::FirstStands);
    for i in 0..499 {
        people.state(&format!("c{i}"), "kind", ["shop", "home", "web"][i % 3]);
    }
    let mut all = people.clone();
    all.state("c499", "kind", "web");
    let (fitted, text, forecast) = fit(&all.typed()).unwrap();
    let names: Vec<&str> = fitted.model.coefficients().map(|(name, _)| name).collect();
    assert_eq!(names, ["purchase.season", "purchase.own_kind=shop", "purchase.own_kind=web"]);
    // The kinds differ by nothing but chance.
    for name in &names[1..] {
        let found = fitted.report.parameters.iter().find(|p| p.name == *name).unwrap();
        assert!(found.value.abs() < 4.0 * found.standard_error.unwrap(), "{found:?}");
    }
    assert!(text.contains("own_kind=home") && forecast.purchases.unwrap().iter().all(|n| *n >= 0.0));
    // A customer of whom nothing is known is none of the reference.
    let error = fit(&people.typed()).unwrap_err().to_string();
    assert!(error.contains("own_kind"), "{error}");
}
