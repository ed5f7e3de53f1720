//! Columns beyond the purchases on their way into a model: by which names, from where, and what is refused.

#![allow(clippy::unwrap_used)]

use clv::features::Source;
use clv::model::Plan;
use clv::prelude::*;
use clv::{Error, Feature, FeatureMatrix};

/// Of each customer their number, and for each column one more.
#[derive(Debug)]
struct Numbers {
    /// Columns that it says, whatever is asked for.
    says: Option<Vec<String>>,
    /// Customers that it leaves out.
    short: usize,
}

impl Source for Numbers {
    fn names(&self, _cut: Cut) -> clv::Result<Vec<String>> {
        Ok(vec!["number".to_owned(), "next".to_owned()])
    }

    fn columns(&self, names: &[String], _cut: Cut, customers: &[u32]) -> clv::Result<FeatureMatrix> {
        let names = self.says.clone().unwrap_or_else(|| names.to_vec());
        let of = |name: &String, customer: u32| f64::from(customer) + f64::from(u8::from(name == "next"));
        let customers = &customers[self.short..];
        let cells = customers.iter().flat_map(|&c| names.iter().map(move |name| of(name, c))).collect();
        FeatureMatrix::new(names.clone(), cells)
    }
}

const HONEST: Numbers = Numbers { says: None, short: 0 };

fn column(name: &str) -> Feature {
    Feature::Column(name.to_owned())
}

fn log() -> TransactionLog {
    let mut log = LogBuilder::new();
    for customer in 0..60_u32 {
        let name = format!("c{customer}");
        for day in (0..200).step_by(5 + customer as usize % 30) {
            let row = Transaction::new(&name, Moment::from_days(day));
            log.push(row.amount(10.0).unwrap()).unwrap();
        }
    }
    log.finish()
}

fn cut() -> Cut {
    Cut::end_of(Moment::from_days(200), Grain::Day)
}

#[test]
fn columns_of_a_source_stand_alone_and_within_others() {
    let purchases = Training::merge(&log(), cut()).unwrap();
    let training = Training::new(&purchases, cut(), TimeUnit::Week).unwrap().knowing(&HONEST);
    let plan = [
        column("next"),
        Feature::Frequency,
        column("number").per(column("next")),
        Feature::Frequency.per(Feature::Age.times(column("number"))),
    ];
    let found = training.features(&plan).unwrap();
    assert_eq!(found.names()[2..], ["number_per_next", "frequency_per_(age_times_number)"]);
    let x = f64::from(training.summary().frequency[3]);
    assert_eq!(found.row(3), [4.0, x, 0.75, x / (training.summary().age[3] * 3.0)]);
    let refused = training.features(&[column("next").times(column("other"))]);
    // This source says any name; one that does not know it refuses.
    assert!(refused.is_ok());
    let blind = Training::new(&purchases, cut(), TimeUnit::Week).unwrap();
    let refused = blind.features(&[column("next").times(Feature::Age)]).unwrap_err();
    assert!(matches!(refused, Error::MissingColumn { column, .. } if column == "next"));
}

#[test]
fn what_a_source_gives_is_checked() {
    let purchases = Training::merge(&log(), cut()).unwrap();
    let training = || Training::new(&purchases, cut(), TimeUnit::Week).unwrap();
    let swapped = Numbers { says: Some(vec!["next".into(), "number".into()]), short: 0 };
    let more = Numbers { says: Some(vec!["number".into(), "next".into(), "next".into()]), short: 0 };
    let plan = [column("number"), column("next")];
    for (source, words) in [
        (&swapped, "\"number\""),
        (&more, "columns of the source"),
        (&Numbers { says: None, short: 1 }, "rows of the source"),
    ] {
        let refused = training().knowing(source).features(&plan).unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
fn a_name_stands_for_one_column() {
    let horizon = Span::weeks(10.0).unwrap();
    let plan = |features: &[Feature]| Plan::new(TimeUnit::Week, horizon, features.to_vec());
    for twice in [
        [Feature::Silence, column("silence")],
        [column("silence"), Feature::Silence],
        // The history's own, though the plan does not read it.
        [Feature::Silence, column("age")],
        [column("a"), column("a")],
        [column("a").times(column("b")), column("a_times_b")],
    ] {
        assert!(matches!(plan(&twice).unwrap_err(), Error::ColumnTwice { .. }), "{twice:?}");
    }
    let one = Feature::Age.per(Feature::Recency.times(Feature::Frequency));
    let other = Feature::Age.per(Feature::Recency).times(Feature::Frequency);
    assert!(plan(&[one, other, column("own_age")]).is_ok());
}

#[test]
fn members_of_a_stack_are_given_their_columns_together() {
    let purchases = Training::merge(&log(), cut()).unwrap();
    #[derive(Debug)]
    struct Silent;
    impl Source for Silent {
        fn names(&self, _cut: Cut) -> clv::Result<Vec<String>> {
            Ok(vec!["silence".to_owned()])
        }

        fn columns(&self, names: &[String], _cut: Cut, customers: &[u32]) -> clv::Result<FeatureMatrix> {
            FeatureMatrix::new(names.to_vec(), vec![1.0; customers.len()])
        }
    }
    let training = Training::new(&purchases, cut(), TimeUnit::Week).unwrap().knowing(&Silent);
    let horizon = Span::weeks(10.0).unwrap();
    let settings = |name: &str, horizon: Span| -> clv::Result<clv::backtest::BoxedFit> {
        let feature = if name == "own" { Feature::Silence } else { column("silence") };
        Ok(Box::new(clv::Erased(BoostedTrees::new().trees(3).over(horizon).features(vec![feature]))))
    };
    let stack = clv::model::Stack::of(&["own", "other"], settings, horizon).unwrap().even();
    let refused = stack.fit(&training, &Context::default()).unwrap_err();
    assert!(matches!(&refused, Error::ColumnTwice { column } if column == "silence"), "{refused}");
    // Nobody is forecast without a word.
    let trees = BoostedTrees::new().trees(3).over(horizon).features(vec![Feature::Silence]);
    let trees = trees.fit(&training, &Context::default()).unwrap().model;
    let nobody = Customers::new(TimeUnit::Week, &[], &[], &[], Some(&[])).unwrap();
    assert!(trees.predict(&nobody, &Ask::over(horizon)).unwrap().purchases.unwrap().is_empty());
}

#[test]
fn a_gap_at_prediction_is_refused_by_name_where_the_learner_takes_none() {
    let purchases = Training::merge(&log(), cut()).unwrap();
    let training = Training::new(&purchases, cut(), TimeUnit::Week).unwrap().knowing(&HONEST);
    let horizon = Span::weeks(10.0).unwrap();
    let features = vec![Feature::Frequency, column("number")];
    let line = LinearRegression.over(horizon).features(features.clone());
    let line = line.fit(&training, &Context::default()).unwrap().model;
    let trees = BoostedTrees::new().trees(5).over(horizon).features(features);
    let trees = trees.fit(&training, &Context::default()).unwrap().model;
    let mut columns = training.features(line.needs()).unwrap();
    let mut cells = columns.as_slice().to_vec();
    cells[1] = f64::NAN;
    columns = FeatureMatrix::new(columns.names().to_vec(), cells).unwrap();
    let who = training.summary().customers().with_features(&columns).unwrap();
    let ask = Ask::over(horizon);
    let refused = line.predict(&who, &ask).unwrap_err();
    assert!(matches!(&refused, Error::Cell { row: 1, column, .. } if column == "number"), "{refused}");
    assert!(trees.predict(&who, &ask).unwrap().purchases.unwrap().iter().all(|p| p.is_finite()));
}
