//! Recency, frequency and spend as scores out of five, and the customary segments made of them.

use std::collections::BTreeMap;
use std::error::Error;

use clv::rfm::{RfmScores, Segment};

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let backtest = clv_examples::backtest(&log)?;
    let training = backtest.training()?;
    let who = training.summary().customers();
    let scores = RfmScores::learn(&who, 5);
    let (bought, spent) = (backtest.actual_purchases(), backtest.actual_value());

    let mut segments: BTreeMap<Segment, (usize, f64, f64)> = BTreeMap::new();
    for row in 0..who.len() {
        let entry = segments.entry(Segment::of(scores.score(&who, row))).or_default();
        entry.0 += 1;
        entry.1 += bought[row];
        entry.2 += spent.map_or(0.0, |spent| spent[row]);
    }
    println!("what each segment did in the {} after:", backtest.split().horizon());
    println!("{:>20} {:>9} {:>14} {:>10}", "segment", "customers", "purchases each", "spent each");
    for (segment, (customers, bought, spent)) in &segments {
        let each = |sum: f64| sum / *customers as f64;
        println!("{:>20} {customers:>9} {:>14.2} {:>10.2}", segment.to_string(), each(*bought), each(*spent));
    }
    // As a forecast, the segment's mean of the past, which is the baseline rfm-cell-mean with more cells.
    clv_examples::judge(
        &backtest,
        "rfm-cell-mean",
        clv::shelf::settings("rfm-cell-mean", backtest.split().horizon())?,
    )
}
