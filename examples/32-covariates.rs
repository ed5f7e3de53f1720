//! What is known of customers moves how often they buy and how soon they leave: a simulated shop in which those of the newsletter buy
//! twice as often, and those who came through an advertisement leave three times as soon.

use std::error::Error;

use clv::attributes::{Attributes, Conflict};
use clv::btyd::{CovariateModel, Covariates, HowSure, LikelihoodRatio, WithCovariates, ratio};
use clv::features::Beyond;
use clv::model::PurchaseForecast;
use clv::prelude::*;

fn main() -> Result<(), Box<dyn Error>> {
    let (log, people) = shop()?;
    let cut = clv_examples::end_of("2024-06-30")?;
    let purchases = Training::merge(&log, cut)?;
    let beyond = Beyond::of(&log).attributes(&people);
    let training = Training::new(&purchases, cut, TimeUnit::Week)?.knowing(&beyond);
    let cx = Context::default();

    // Words become a column for each but the first of the alphabet: own_came=advert is what the others are beside.
    let columns = ["own_newsletter", "own_came", "log(own_distance)"];
    let covariates = Covariates::new().on_purchases(columns)?.on_dropout(columns)?;
    let settings = WithCovariates::<ParetoNbd>::new(covariates);
    let fitted = settings.fit(&training, &cx)?;
    println!("{:<32} {:>6}  95% from to", "one more of", "times");
    for estimate in &fitted.report.parameters {
        if let Some(found) = ratio(estimate, 0.95)? {
            let (low, high) = found.interval.unwrap_or((f64::NAN, f64::NAN));
            println!("{:<32} {:>6.2}  {low:.2} {high:.2}", estimate.name, found.ratio);
        }
    }

    // Does the distance, which was drawn by chance, tell anything? And all three together?
    let without = Covariates::new().on_purchases(&columns[..2])?.on_dropout(&columns[..2])?;
    let without = WithCovariates::<ParetoNbd>::new(without).fit(&training, &cx)?.report;
    let plain = MaximumLikelihood::<ParetoNbd>::new().fit(&training, &cx)?.report;
    let test = LikelihoodRatio::between(&without, &fitted.report)?;
    println!("\nwithout the distance: 2 ln ratio {:.2}, p = {:.3}", test.statistic, test.p_value);
    let test = LikelihoodRatio::between(&plain, &fitted.report)?;
    println!("without all of them:  2 ln ratio {:.2}, p = {:.1e}", test.statistic, test.p_value);

    // How hard to hold coefficients back, by customers that are left out.
    let (_, scores) = settings.clone().choose_penalty(&training, &[0.0, 0.01, 0.1, 1.0], 5, &cx)?;
    for score in scores {
        println!(
            "penalty {:<5} ln L of a customer left out {:.4}",
            score.lambda,
            score.score.unwrap_or(f64::NAN)
        );
    }

    // How sure one of them is by the likelihood itself, where errors need not be normal.
    let name = "dropout.own_came=friend";
    let ends = settings.profile_interval(&training, &fitted, name, 0.95, &cx)?;
    let [low, high] = [ends.lower, ends.upper].map(|end| end.map_or(f64::NAN, f64::exp));
    println!("\n{name} by its profile: {low:.2} {high:.2}");

    // Somebody who has not bought yet, by covariates alone; and between what, had other customers of the kind been seen.
    let drawn = settings.bootstrap(&training, &fitted, 50, &cx.seed(1))?;
    for (came, friend, newsletter) in [("an advertisement", 0.0, 0.0), ("a friend", 1.0, 1.0)] {
        let own = [("own_newsletter=yes", newsletter), ("own_came=friend", friend), ("own_distance", 5.0)];
        let comes_back = |model: &CovariateModel<ParetoNbd>| model.of_columns(&own)?.expected_of_new(52.0);
        let (low, high) = drawn.interval(0.9, comes_back)?;
        let expected = comes_back(&fitted.model)?;
        println!("who comes through {came} comes back {expected:.2} times in a year ({low:.2} to {high:.2})");
    }
    Ok(())
}

fn shop() -> Result<(TransactionLog, Attributes), Box<dyn Error>> {
    let (start, end) = (Moment::parse_date("2023-01-01")?, Moment::parse_date("2024-06-30")?);
    let (mut log, mut people) = (LogBuilder::new(), Attributes::new(Conflict::FirstStands));
    for (seed, newsletter, came) in
        [(1, "no", "advert"), (2, "yes", "advert"), (3, "no", "friend"), (4, "yes", "friend")]
    {
        let alpha = if newsletter == "yes" { 5.0 } else { 10.0 };
        let beta = if came == "advert" { 10.0 } else { 30.0 };
        let population = PurchaseModel::new(ParetoNbd::new(1.2, alpha, 1.0, beta)?, TimeUnit::Week);
        let part = Simulation::new(500, start, end, seed)?.run(&population, TimeUnit::Week, None)?;
        for row in 0..part.len() {
            let number = part.customer()[row];
            let name = format!("{seed}-{}", part.customers().name(number));
            people.state(&name, "newsletter", newsletter);
            people.state(&name, "came", came);
            people.state(&name, "distance", &(1 + number * 7 % 40).to_string());
            log.push(Transaction::new(&name, part.time()[row]))?;
        }
    }
    Ok((log.finish(), people.typed()))
}
