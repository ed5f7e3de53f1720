//! The best forecast without choosing: what is chosen, by what, and what it must not have seen.

#![allow(clippy::unwrap_used)]

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

use clv::attributes::{Attributes, Conflict};
use clv::auto::{Auto, Card};
use clv::features::{Beyond, Remembered, Source};
use clv::model::Stack;
use clv::prelude::*;
use clv::tune::Objective;
use clv::{FeatureMatrix, conformance, shelf};

fn date(text: &str) -> Moment {
    Moment::parse_date(text).unwrap()
}

/// Two years of 500 customers.
fn log() -> TransactionLog {
    let truth = PurchaseModel::new(ParetoNbd::new(0.9, 8.0, 0.6, 15.0).unwrap(), TimeUnit::Week);
    let spend = GammaGamma::new(6.25, 3.74, 15.44).unwrap();
    Simulation::new(500, date("2022-01-01"), date("2023-12-31"), 5)
        .unwrap()
        .run(&truth, TimeUnit::Week, Some(&spend))
        .unwrap()
}

/// The same log with every row after a day thrown about.
fn scrambled(log: &TransactionLog, after: Cut) -> TransactionLog {
    let mut scrambled = LogBuilder::new();
    for row in 0..log.len() {
        let (mut time, mut amount) = (log.time()[row], log.amount().unwrap()[row]);
        if !after.is_past(time) {
            time = time.plus_days(f64::from(row as u32 % 40));
            amount = clv::Money::from_micros(amount.micros() * 7);
        }
        let name = log.customers().name(log.customer()[row]);
        scrambled.push(Transaction { amount: Some(amount), ..Transaction::new(name, time) }).unwrap();
    }
    scrambled.finish()
}

fn end() -> Cut {
    Cut::end_of(date("2023-12-31"), Grain::Day)
}

#[test]
fn what_is_found_is_sound_the_same_on_two_threads_and_kept() {
    let (log, horizon) = (log(), Span::weeks(20.0).unwrap());
    let auto = Auto::new(horizon).trials(2).draws(40);
    let cx = Context::default().seed(4);
    let found = auto.run(&log, end(), &[], &cx).unwrap();
    let again = auto.run(&log, end(), &[], &cx.threads(NonZeroUsize::new(2).unwrap())).unwrap();
    assert_eq!((&again.card, &again.trials), (&found.card, &found.trials));

    // The shop was made by Pareto/NBD, so that most of what there is to know is known to its family.
    let card = &found.card;
    let mean = card.alternatives.iter().find(|a| a.model == "mean").unwrap();
    let worse: Vec<[f64; 3]> = mean.differences.iter().take(2).map(|d| d.of.unwrap()).collect();
    assert!(worse[0][0] > 0.0 && worse[1][1] > 0.0, "MAE surely, RMSE by what was seen: {mean:?}");
    assert!(card.scores.iter().all(|s| s.of.is_some_and(|[low, at, high]| low <= at && at <= high)));
    assert_eq!((card.deciles.len(), card.data.rows, card.searched.len()), (10, log.len(), 3));
    assert!(card.failures.is_empty(), "{:?}", card.failures);
    let page = card.to_string();
    assert!(page.contains("normalised Gini") && page.contains("| bg-nbd |"), "{page}");
    let read: Card = serde_json::from_str(&serde_json::to_string(card).unwrap()).unwrap();
    assert_eq!(&read, card);

    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, end(), TimeUnit::Week).unwrap();
    let broken = conformance::check(&found.model, &clv::registry(), &training, horizon).unwrap();
    assert!(broken.is_empty(), "{broken:#?}");
    assert_eq!(found.model.grain(), Some(Grain::Day));
}

#[test]
fn the_search_sees_nothing_of_the_newest_holdout_and_the_model_nothing_after_the_cut() {
    let (log, horizon) = (log(), Span::weeks(20.0).unwrap());
    let auto = Auto::new(horizon).trials(1).draws(20);
    let cx = Context::default();
    let found = auto.run(&log, end(), &[], &cx).unwrap();
    let holdout = auto.run(&scrambled(&log, end().minus(horizon)), end(), &[], &cx).unwrap();
    assert_eq!((&holdout.trials, &holdout.card.model), (&found.trials, &found.card.model));
    assert_ne!(holdout.card.scores, found.card.scores);

    let cut = end().minus(Span::weeks(10.0).unwrap());
    let known = auto.run(&log, cut, &[], &cx).unwrap();
    let later = auto.run(&scrambled(&log, cut), cut, &[], &cx).unwrap();
    assert_eq!(known.card, later.card);
    assert_eq!(clv::saved::to_string(&known.model).unwrap(), clv::saved::to_string(&later.model).unwrap());
}

#[test]
fn a_search_that_is_stopped_finishes_with_what_it_has_and_goes_on() {
    let (log, horizon) = (log(), Span::weeks(20.0).unwrap());
    let auto = Auto::new(horizon).trials(1).draws(20);
    let cx = Context::default();
    let asked = AtomicUsize::new(0);
    let stop = || asked.fetch_add(1, Ordering::Relaxed) > 30;
    let some = auto.run(&log, end(), &[], &cx.stop(&stop)).unwrap();
    let all = auto.run(&log, end(), &[], &cx).unwrap();
    assert!(some.trials.len() < all.trials.len());
    let on = auto.run(&log, end(), &some.trials, &cx).unwrap();
    assert_eq!((on.trials, on.card), (all.trials, all.card));
    let never = || true;
    assert!(auto.run(&log, end(), &[], &cx.stop(&never)).is_err());
}

#[test]
fn a_log_too_short_is_refused_and_one_without_amounts_is_judged_by_purchases() {
    let log = log();
    let early = Cut::end_of(date("2022-03-01"), Grain::Day);
    let auto = Auto::new(Span::weeks(20.0).unwrap()).trials(0).draws(20);
    assert!(auto.run(&log, early, &[], &Context::default()).is_err());
    let mut plain = LogBuilder::new();
    for row in 0..log.len() {
        let name = log.customers().name(log.customer()[row]);
        plain.push(Transaction::new(name, log.time()[row])).unwrap();
    }
    let found = auto.run(&plain.finish(), end(), &[], &Context::default()).unwrap();
    assert!(!found.card.of_value && found.card.to_string().contains("Forecasts purchases"));
}

#[test]
fn an_even_stack_is_the_mean_of_its_members() {
    let log = log();
    let horizon = Span::weeks(20.0).unwrap();
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, end(), TimeUnit::Week).unwrap();
    let stack = Stack::of(&["bg-nbd", "linear"], shelf::with_spend, horizon).unwrap().even();
    let who = training.summary().customers();
    let said = |model: &dyn Predict| model.predict(&who, &Ask::over(horizon)).unwrap().purchases.unwrap();
    let both = said(&stack.fit(&training, &Context::default()).unwrap().model);
    let each = ["bg-nbd", "linear"].map(|name| {
        let settings = shelf::with_spend(name, horizon).unwrap();
        said(&settings.fit(&training, &Context::default()).unwrap().model)
    });
    for row in 0..both.len() {
        assert!((both[row] - (each[0][row] + each[1][row]) / 2.0).abs() < 1e-12);
    }
}

#[test]
fn a_horizon_of_months_is_judged_and_another_search_is_not_taken_for_this_one() {
    let log = log();
    // Not a whole number of days.
    let auto = Auto::new(Span::new(3.0, TimeUnit::Month).unwrap()).trials(0).draws(20);
    let cx = Context::default();
    let balanced = auto.run(&log, end(), &[], &cx).unwrap();
    let gini = auto.objective(clv::tune::Objective::Gini);
    let fresh = gini.run(&log, end(), &[], &cx).unwrap();
    let resumed = gini.run(&log, end(), &balanced.trials, &cx).unwrap();
    assert_eq!((&resumed.trials, &resumed.card), (&fresh.trials, &fresh.card));
    assert_ne!(fresh.trials[0].losses, balanced.trials[0].losses);
    // The model that was chosen is no alternative to itself.
    assert!(fresh.card.alternatives.iter().all(|a| a.model != fresh.card.model));
}

/// Who is a member comes back every eight weeks, who is not never; half a year passes between a first purchase and
/// what the log alone can tell of that.
fn club() -> (TransactionLog, Attributes) {
    let (mut log, mut people) = (LogBuilder::new(), Attributes::new(Conflict::default()));
    for customer in 0..400_u32 {
        let name = format!("c{customer}");
        let member = customer % 3 == 0;
        people.state(&name, "club", if member { "member" } else { "guest" });
        let mut day = i64::from(customer * 601 % 700);
        while day < 730 {
            let amount = 20.0 + f64::from(customer % 7);
            let row = Transaction::new(&name, date("2022-01-01").plus_days(day as f64));
            log.push(row.amount(amount).unwrap()).unwrap();
            day += if member { 50 + (day * 7 + i64::from(customer)) % 13 } else { 1000 };
        }
    }
    (log.finish(), people.typed())
}

#[test]
fn what_is_known_beyond_the_purchases_is_used_at_every_origin_and_sees_no_future() {
    let (log, people) = club();
    let horizon = Span::weeks(12.0).unwrap();
    let auto = Auto::new(horizon).trials(4).draws(20).objective(Objective::Mae);
    let cx = Context::default().seed(1);
    let blind = auto.run(&log, end(), &[], &cx).unwrap();
    let beyond = Beyond::of(&log).attributes(&people);
    let beyond = Remembered::new(&beyond);
    let found = auto.knowing(&beyond).run(&log, end(), &[], &cx).unwrap();
    let mae = |card: &Card| card.scores[0].of.unwrap()[1];
    assert!(mae(&found.card) < 0.8 * mae(&blind.card), "{} {}", mae(&found.card), mae(&blind.card));
    assert!(found.card.features.iter().any(|name| name == "own_club=member"), "{:?}", found.card.features);
    // Trials of the one search are no trials of the other.
    assert_ne!(found.trials[0].search, blind.trials[0].search);

    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, end(), TimeUnit::Week).unwrap();
    let ask = Ask::over(horizon);
    let refused = training.forecast(&found.model, &ask).unwrap_err().to_string();
    assert!(refused.contains("own_club="), "{refused}");
    let training = training.knowing(&beyond);
    let broken = conformance::check(&found.model, &clv::registry(), &training, horizon).unwrap();
    assert!(broken.is_empty(), "{broken:#?}");

    let cut = end().minus(Span::weeks(10.0).unwrap());
    let later = scrambled(&log, cut);
    let known = auto.knowing(&beyond).run(&log, cut, &[], &cx).unwrap();
    let after = Beyond::of(&later).attributes(&people);
    let after = auto.knowing(&after).run(&later, cut, &[], &cx).unwrap();
    assert_eq!(known.card, after.card);
}

/// Of each customer whether they are a member; from a day on nobody can say any more.
#[derive(Debug)]
struct Membership<'a> {
    log: &'a TransactionLog,
    until: Moment,
}

impl Source for Membership<'_> {
    fn names(&self, _cut: Cut) -> clv::Result<Vec<String>> {
        Ok(vec!["member".to_owned()])
    }

    fn columns(&self, names: &[String], cut: Cut, customers: &[u32]) -> clv::Result<FeatureMatrix> {
        let told = |&customer: &u32| {
            let number: u32 = self.log.customers().name(customer)[1..].parse().unwrap();
            f64::from(u8::from(number.is_multiple_of(3)))
        };
        if cut.last() > self.until {
            return Err(clv::Error::MissingColumn { model: "membership", column: names[0].clone() });
        }
        FeatureMatrix::new(names.to_vec(), customers.iter().map(told).collect())
    }
}

#[test]
fn what_can_be_fitted_in_the_search_and_not_in_the_end_gives_way() {
    let (log, _) = club();
    let horizon = Span::weeks(12.0).unwrap();
    let auto = Auto::new(horizon).trials(4).draws(20).objective(Objective::Mae);
    let cx = Context::default().seed(1);
    // Known as of every cut of the search, and of what it learns from; not as of the holdout that it is judged on.
    let source = Membership { log: &log, until: end().minus(horizon).minus(Span::days(1.0).unwrap()).last() };
    let found = auto.knowing(&source).run(&log, end(), &[], &cx).unwrap();
    let card = &found.card;
    assert!(card.features.iter().all(|name| name != "member"), "{:?}", card.features);
    assert!(card.warnings.iter().any(|w| w.contains("could not be fitted")), "{:?}", card.warnings);
    assert_eq!(card.mean_gain, None);
}

#[test]
fn a_column_with_gaps_is_kept_on_the_card_and_read_back() {
    let (log, mut people) = club();
    people = {
        let mut some = Attributes::new(Conflict::default());
        for (row, name) in people.customers().iter().enumerate().filter(|(row, _)| row % 4 != 1) {
            let club = people.attribute("club").unwrap().text(row).unwrap();
            some.state(name, "member", if club == "member" { "1" } else { "0" });
        }
        some.typed()
    };
    let beyond = Beyond::of(&log).attributes(&people);
    let auto = Auto::new(Span::weeks(12.0).unwrap()).trials(4).draws(20).objective(Objective::Mae);
    let card = auto.knowing(&beyond).run(&log, end(), &[], &Context::default().seed(1)).unwrap().card;
    let column = card.reference.columns.iter().find(|column| column.name == "own_member").unwrap();
    assert!((column.missing - 0.25).abs() < 0.02, "{column:?}");
    assert_eq!((column.percentiles.len(), column.percentiles[0], column.percentiles[20]), (21, 0.0, 1.0));
    let read: Card = serde_json::from_str(&serde_json::to_string(&card).unwrap()).unwrap();
    assert_eq!(read, card);
}
