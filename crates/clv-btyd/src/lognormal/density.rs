//! Mean spend as it is beside what a population says.

use clv_core::{Context, Customers, Error};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{KIND, LognormalSpend};
use crate::spend_density::{SpendDensity, Spenders};

/// Draws of a customer's amounts about their median. With σ and τ alike a density is right within a percent or so where it is high.
const DRAWS: usize = 10_000;

impl LognormalSpend {
    /// The densities of customers' mean spends at so many amounts, alike apart in their logarithms, from the 1st to the 99th percentile of what was seen, as
    /// [`GammaGamma::spend_densities`](crate::GammaGamma::spend_densities).
    ///
    /// # Formula
    ///
    /// A mean of lognormal amounts has no density in closed form. Given the amounts about the customer's own median, it has:
    ///
    /// ```text
    /// z̄ = e^m W,   W = (e^{σε₁} + … + e^{σεₓ})/x,      f(z̄ | x) = E[ φ((ln z̄ − ln W − μ)/τ) ] / (τ z̄)
    /// ```
    ///
    /// The expectation is over 10,000 draws from the context's seed (Asmussen 2018, "Conditional Monte Carlo for sums"); of a single amount it is known.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] without spend; [`Error::TooLittleData`] with fewer than two customers who count, or all alike; [`Error::Stopped`].
    ///
    /// # Example
    ///
    /// ```
    /// use clv_btyd::LognormalSpend;
    /// use clv_core::{Context, Customers, TimeUnit};
    ///
    /// let (x, mean) = ([1, 2, 1, 3], [12.0, 30.0, 41.0, 19.0]);
    /// let who = Customers::new(TimeUnit::Week, &x, &[1.0; 4], &[2.0; 4], Some(&mean))?;
    /// let plot = LognormalSpend::new(20.0, 0.5, 0.6)?.spend_densities(&who, 50, &Context::default())?;
    /// assert_eq!((plot.len(), plot[0].mean.round(), plot[49].mean.round()), (50, 12.0, 41.0));
    /// assert!(plot[5].expected > plot[45].expected);
    /// # Ok::<(), clv_core::Error>(())
    /// ```
    pub fn spend_densities(
        &self,
        who: &Customers<'_>,
        points: usize,
        cx: &Context<'_>,
    ) -> Result<Vec<SpendDensity>, Error> {
        let spenders = Spenders::of(KIND.name, who)?;
        let means = Means::of(self, spenders.counted.iter().map(|(count, _)| *count as usize), cx)?;
        Ok(spenders.densities(points, |mean| means.density(mean)))
    }
}

/// The distribution of mean spend over customers with so many purchases each.
struct Means {
    mu: f64,
    of: Vec<OfCount>,
}

/// Customers with as many purchases.
struct OfCount {
    share: f64,
    /// Standard deviation of what the draws leave open.
    open: f64,
    /// Draws of `ln W`.
    ln_about: Vec<f64>,
}

impl Means {
    fn of(
        population: &LognormalSpend,
        counts: impl Iterator<Item = usize>,
        cx: &Context<'_>,
    ) -> Result<Self, Error> {
        let LognormalSpend { median, sigma, tau } = *population;
        let mut counts: Vec<usize> = counts.collect();
        counts.sort_unstable();
        let customers = counts.len() as f64;
        let mut rng = ChaCha8Rng::seed_from_u64(cx.seed_value());
        // The sums grow from one number of purchases to the next.
        let (mut sums, mut added) = (vec![0.0; DRAWS], 0);
        let mut of = Vec::new();
        for alike in counts.chunk_by(|a, b| a == b) {
            let (x, share) = (alike[0], alike.len() as f64 / customers);
            if x == 1 {
                let open = (sigma * sigma + tau * tau).sqrt();
                of.push(OfCount { share, open, ln_about: vec![0.0] });
                continue;
            }
            while added < x {
                cx.check()?;
                for sum in &mut sums {
                    let z: f64 = StandardNormal.sample(&mut rng);
                    *sum += (sigma * z).exp();
                }
                added += 1;
            }
            let ln_about = sums.iter().map(|sum| (sum / x as f64).ln()).collect();
            of.push(OfCount { share, open: tau, ln_about });
        }
        Ok(Self { mu: median.ln(), of })
    }

    fn density(&self, mean: f64) -> f64 {
        let away = mean.ln() - self.mu;
        let of = |OfCount { share, open, ln_about }: &OfCount| {
            let normal = |ln: &f64| (-0.5 * ((away - ln) / open).powi(2)).exp();
            let sum: f64 = ln_about.iter().map(normal).sum();
            share * sum / (ln_about.len() as f64 * open * std::f64::consts::TAU.sqrt())
        };
        self.of.iter().map(of).sum::<f64>() / mean
    }
}

#[cfg(test)]
mod tests {
    use clv_math::quadrature::gauss_legendre;

    use super::*;

    fn means(population: &LognormalSpend, counts: &[usize]) -> Means {
        Means::of(population, counts.iter().copied(), &Context::default().seed(1)).unwrap()
    }

    /// Over logarithms.
    fn integral(from: f64, to: f64, f: impl Fn(f64) -> f64) -> f64 {
        let (rule, panels) = (gauss_legendre(20), 40);
        let width = (to - from) / f64::from(panels);
        let panel = |p: i32| {
            let start = from + width * f64::from(p);
            let of =
                |(x, w): (&f64, &f64)| w * width * f((start + x * width).exp()) * (start + x * width).exp();
            rule.nodes.iter().zip(&rule.weights).map(of).sum::<f64>()
        };
        (0..panels).map(panel).sum()
    }

    #[test]
    fn densities_integrate_to_one_and_to_what_is_drawn() {
        for (sigma, tau) in [(0.5, 0.6), (1.2, 0.3), (0.2, 1.0)] {
            let population = LognormalSpend::new(30.0, sigma, tau).unwrap();
            for counts in [vec![1], vec![2], vec![1, 3, 3, 20]] {
                let means = means(&population, &counts);
                let whole = integral(30.0_f64.ln() - 9.0, 30.0_f64.ln() + 9.0, |z| means.density(z));
                assert!((whole - 1.0).abs() < 1e-6, "{counts:?} {whole}");
                let (mut rng, n) = (ChaCha8Rng::seed_from_u64(2), 20_000);
                let drawn: Vec<f64> = (0..n)
                    .map(|i| {
                        let z = population.draw(counts[i % counts.len()], &mut rng);
                        z.iter().sum::<f64>() / z.len() as f64
                    })
                    .collect();
                for mean in [12.0, 20.0, 30.0, 45.0, 90.0] {
                    let want = integral(30.0_f64.ln() - 9.0, f64::ln(mean), |z| means.density(z));
                    let got = drawn.iter().filter(|z| **z < mean).count() as f64 / n as f64;
                    // Both are of draws, 20,000 and 10,000.
                    let error = (want * (1.0 - want) * (1.0 / 20_000.0 + 1.0 / 10_000.0)).sqrt();
                    assert!((got - want).abs() < 4.5 * error + 1e-9, "{counts:?} {mean}: {got} {want}");
                }
            }
        }
    }

    /// Of one amount the likelihood, and of two a convolution: `f(z̄ | m) = ∫ 2 g(u) g(2z̄ − u) du`, `g` the density of an amount.
    #[test]
    fn densities_of_one_amount_and_of_two() {
        let population = LognormalSpend::new(30.0, 0.5, 0.6).unwrap();
        let (one, two) = (means(&population, &[1]), means(&population, &[2]));
        for mean in [10.0, 25.0, 40.0, 100.0] {
            let want = population.ln_likelihood(&[mean]).unwrap().exp();
            assert!((one.density(mean) - want).abs() < 1e-12 * want, "{mean}");
            let both = |u: f64| 2.0 * population.ln_likelihood(&[u, 2.0 * mean - u]).unwrap().exp();
            let want = integral(-8.0, (2.0 * mean).ln() - 1e-12, both);
            assert!((two.density(mean) / want - 1.0).abs() < 0.03, "{mean}: {} {want}", two.density(mean));
        }
        let other = Means::of(&population, [2].into_iter(), &Context::default().seed(9)).unwrap();
        assert!((other.density(30.0) / two.density(30.0) - 1.0).abs() < 0.02);
        assert_ne!(other.density(30.0), two.density(30.0));
        let stop = || true;
        assert!(Means::of(&population, [2].into_iter(), &Context::default().stop(&stop)).is_err());
    }
}
