//! k-means: groups of customers who buy alike, and what they went on to spend.

use std::error::Error;

use clv::cluster::{KMeans, profiles};
use clv::prelude::*;
use clv::transform::Step;
use clv::{Feature, FeatureMatrix};

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let backtest = clv_examples::backtest(&log)?;
    let training = backtest.training()?;
    // What does not grow with the calendar, so that the past's clusters are the present's.
    let mut plan = vec![Feature::Frequency, Feature::PurchasesWithin(Span::weeks(13.0)?)];
    plan.extend(log.amount().map(|_| Feature::MonetaryValue));
    let columns = training.features(&plan)?;

    // Counts and money are skewed: logarithms first, then one scale for all.
    let cx = Context::default();
    let settings = KMeans::new(4)?.transform(vec![Step::Log, Step::Standard]);
    println!("{:>9} {:>10} {:>10}", "clusters", "inertia", "silhouette");
    for choice in settings.choose(2..=6, &columns, &cx)? {
        println!("{:>9} {:>10.0} {:>10.3}", choice.clusters, choice.inertia, choice.silhouette);
    }

    let model = settings.cluster(&columns, &cx)?;
    let of = model.assign(&columns)?;
    let bought = backtest.actual_purchases();
    let after = FeatureMatrix::new(vec!["purchases".into()], bought.to_vec())?;
    for (profile, after) in profiles(&columns, &of)?.iter().zip(profiles(&after, &of)?) {
        print!("cluster {}: {:>4.1}% of customers;", profile.cluster, 100.0 * profile.share);
        for (name, mean, all) in &profile.means {
            print!(" {name} {mean:.1} (all: {all:.1}),");
        }
        println!(" and then {:.2} purchases each", after.means[0].1);
    }

    // As a forecast: each customer the mean of their cluster's past, beside the mean of all.
    let past = training.labelled(backtest.split().horizon(), &plan)?;
    let then = model.assign(&past.features)?;
    let mean_of = |c: usize| {
        let group: Vec<f64> = (0..then.len()).filter(|&r| then[r] == c).map(|r| past.purchases[r]).collect();
        past.scale * group.iter().sum::<f64>() / group.len().max(1) as f64
    };
    let means: Vec<f64> = (0..model.clusters()).map(mean_of).collect();
    let all = past.scale * past.purchases.iter().sum::<f64>() / past.purchases.len() as f64;
    let by_cluster: Vec<f64> = of.iter().map(|&c| means[c]).collect();
    println!("{:>12} {:>8} {:>8} {:>8}", "forecast", "MSE", "MAE", "Gini");
    for (name, forecast) in [("mean", vec![all; of.len()]), ("cluster's", by_cluster)] {
        let scores = clv::backtest::Scores::of(bought, &forecast)?;
        let gini = scores.normalized_gini.unwrap_or(0.0);
        println!("{name:>12} {:>8.3} {:>8.3} {gini:>8.3}", scores.mse, scores.mae);
    }
    Ok(())
}
