//! Gaussian mixtures and DBSCAN: groups with probabilities, and customers who are like nobody.

use std::error::Error;

use clv::Feature;
use clv::cluster::{Dbscan, GaussianMixture, profiles};
use clv::prelude::*;
use clv::transform::Step;

fn main() -> Result<(), Box<dyn Error>> {
    let log = clv_examples::shop()?;
    let backtest = clv_examples::backtest(&log)?;
    let training = backtest.training()?;
    let all = training.features(&[Feature::Frequency, Feature::Recency, Feature::Age])?;
    // Who bought once lies on a line, and a normal distribution would shrink to it.
    let back: Vec<usize> = (0..all.rows()).filter(|&row| all.row(row)[0] > 0.0).collect();
    let columns = all.select(&back)?;
    let (cx, logs) = (Context::default(), vec![Step::Log, Step::Standard]);

    let mut best = None;
    for clusters in 1..=4 {
        let model = GaussianMixture::new(clusters)?.transform(logs.clone()).cluster(&columns, &cx)?;
        println!("{clusters} groups: BIC {:.0}", model.bic());
        if best.as_ref().is_none_or(|(bic, _)| model.bic() < *bic) {
            best = Some((model.bic(), model));
        }
    }
    let (_, mixture) = best.ok_or("no mixture")?;
    let bought: Vec<f64> = back.iter().map(|&row| backtest.actual_purchases()[row]).collect();
    for profile in profiles(&columns, &mixture.assign(&columns)?)? {
        let members = mixture.assign(&columns)?;
        let then: f64 =
            (0..members.len()).filter(|&r| members[r] == profile.cluster).map(|r| bought[r]).sum();
        println!(
            "group {}: {} customers, frequency {:.1}, recency {:.1}; then {:.2} purchases each",
            profile.cluster,
            profile.rows,
            profile.means[0].1,
            profile.means[1].1,
            then / profile.rows as f64
        );
    }
    let sure = mixture.probabilities(&columns)?.iter().filter(|p| p.iter().any(|p| *p > 0.9)).count();
    println!("{sure} of {} customers belong to one group with more than 90%", columns.rows());

    let dbscan = Dbscan::new(0.5, 10)?.transform(logs).cluster(&columns, &cx)?;
    let of = dbscan.assign(&columns)?;
    let alone = of.iter().filter(|c| c.is_none()).count();
    println!("DBSCAN: {} clusters, {alone} customers are like nobody", dbscan.clusters());
    Ok(())
}
