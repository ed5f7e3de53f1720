//! Do 95% intervals cover the truth 95 times in a hundred? By `cargo xtask recovery`; what came out stands in
//! docs/NUMERICS.md.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod common;

use clv_btyd::{
    BgCnbd, BgNbd, GgomNbd, MaximumLikelihood, MbgCnbd, MbgNbd, Nbd, ParetoNbd, Process, Scale, log_interval,
};
use clv_core::{Context, TimeUnit};

const REPETITIONS: u64 = 1_000;
const SEED: u64 = 20_261_126;

fn covers<P: Process>(truth: &[f64], customers: usize, length: f64) {
    let process = P::from_values(truth).unwrap();
    let searched: Vec<usize> = (0..truth.len()).filter(|&i| P::PARAMETERS[i].scale != Scale::Count).collect();
    let mut fit = MaximumLikelihood::<P>::new();
    for i in (0..truth.len()).filter(|i| !searched.contains(i)) {
        fit = fit.fix(P::PARAMETERS[i].name, truth[i]).unwrap();
    }
    let (mut by_curvature, mut by_profile) = (vec![0_u32; truth.len()], vec![0_u32; truth.len()]);
    let cx = Context::default();
    for repetition in 0..REPETITIONS {
        let cells = common::drawn(&process, customers, length, (SEED, repetition + 1));
        let fitted = fit.fit_cells(&cells, TimeUnit::Week, &cx).unwrap();
        for &i in &searched {
            let estimate = &fitted.report.parameters[i];
            let within =
                log_interval(estimate, 0.95).unwrap().is_some_and(|(a, b)| a <= truth[i] && truth[i] <= b);
            by_curvature[i] += u32::from(within);
            // The profile's interval holds the truth if the likelihood there is near enough to its maximum.
            let there = fit.clone().fix(&estimate.name, truth[i]).unwrap().start(*fitted.model.parameters());
            let there = there.fit_cells(&cells, TimeUnit::Week, &cx).unwrap().report.log_likelihood.unwrap();
            let lost = 2.0 * (fitted.report.log_likelihood.unwrap() - there);
            // The 95% point of chi-square with one degree of freedom.
            by_profile[i] += u32::from(lost <= 3.841_458_820_694_124);
        }
    }
    for &i in &searched {
        let share = |count: u32| 100.0 * f64::from(count) / REPETITIONS as f64;
        println!(
            "| {} | {} | {} | {:.1} | {:.1} |",
            P::KIND.name,
            P::PARAMETERS[i].name,
            truth[i],
            share(by_curvature[i]),
            share(by_profile[i])
        );
        assert!((92.5..=97.5).contains(&share(by_profile[i])), "{} {i}", P::KIND.name);
    }
}

#[test]
#[ignore = "minutes: cargo xtask recovery"]
fn ninety_five_percent_intervals_cover_the_truth() {
    println!("{REPETITIONS} repetitions, seed {SEED}, 1,500 customers for 62 to 104 weeks (GGom/NBD: 4,000)");
    println!("| model | parameter | truth | curvature, % | profile, % |");
    covers::<Nbd>(&[0.4, 12.0], 1_500, 104.0);
    covers::<BgNbd>(&[0.5, 6.0, 0.8, 2.4], 1_500, 104.0);
    covers::<MbgNbd>(&[0.9, 6.0, 0.9, 1.6], 1_500, 104.0);
    covers::<ParetoNbd>(&[0.9, 6.0, 0.8, 20.0], 1_500, 104.0);
    covers::<BgCnbd>(&[0.85, 1.45, 0.79, 2.42, 3.0], 1_500, 104.0);
    covers::<MbgCnbd>(&[1.3, 2.8, 0.42, 0.79, 2.0], 1_500, 104.0);
    covers::<GgomNbd>(&[0.9, 6.0, 0.06, 0.7, 8.0], 4_000, 104.0);
}
