//! Do those who buy often spend more?

use clv_core::metrics::Pairs;
use clv_core::metrics::ranking::spearman;
use clv_core::{Customers, Error};
use clv_math::special::normal_cdf;

/// What purchases tell of spend: Gamma-Gamma, and the product of expected purchases and expected spend, take them as independent.
///
/// Where they are not: the order of customers survives, totals do not. Fit Gamma-Gamma apart for those who buy often and seldom
/// ([`GammaGammaFit::fit_customers`](super::GammaGammaFit::fit_customers) on either), or take a learner of value (`boosted-ziln`, `tweedie-glm`,
/// `informed-trees`), which needs no such assumption; `clv evaluate` tells which is better.
///
/// ```
/// use clv_btyd::Independence;
/// use clv_core::{Customers, TimeUnit};
///
/// let (x, t_x, age) = ([1, 2, 3, 4, 5, 6], [9.0; 6], [20.0; 6]);
/// let who = Customers::new(TimeUnit::Week, &x, &t_x, &age, Some(&[10.0, 12.0, 11.0, 40.0, 35.0, 60.0]))?;
/// let found = Independence::of(&who)?;
/// assert!(found.rank_correlation > 0.8 && found.p_value < 0.05);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Independence {
    /// Customers with a repeat purchase and an amount above 0.
    pub customers: usize,
    /// Pearson's correlation of repeat purchases and mean spend.
    pub correlation: f64,
    /// Spearman's, which a few large orders do not move.
    pub rank_correlation: f64,
    /// How often chance alone would bring a rank correlation as far from 0 (Fisher's z with the variance 1.06 / (n − 3): Fieller, Hartley &
    /// Pearson 1957).
    pub p_value: f64,
}

impl Independence {
    /// Of customers with their mean spend.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] without spend; [`Error::TooLittleData`] with fewer than four customers who count; [`Error::NoEstimate`] if all
    /// bought as often, or spent as much.
    pub fn of(who: &Customers<'_>) -> Result<Self, Error> {
        let model = "the independence of purchases and spend";
        let missing = || Error::MissingColumn { model, column: "monetary_value".to_owned() };
        let spend = who.spend().ok_or_else(missing)?;
        let counts = |(x, mean): &(&u32, &f64)| **x > 0 && **mean > 0.0;
        let (x, mean): (Vec<f64>, Vec<f64>) =
            who.frequency().iter().zip(spend).filter(counts).map(|(x, mean)| (f64::from(*x), *mean)).unzip();
        let customers = x.len();
        if customers < 4 {
            let needs = "four customers with a repeat purchase and an amount above 0";
            return Err(Error::TooLittleData { model, needs, found: customers });
        }
        let alike = || Error::NoEstimate { model, why: "all customers bought as often, or spent as much" };
        let correlation = pearson(&x, &mean).ok_or_else(alike)?;
        let rank_correlation = spearman(&Pairs::new(&x, &mean)?).ok_or_else(alike)?;
        let z = rank_correlation.clamp(-1.0, 1.0).atanh() * ((customers as f64 - 3.0) / 1.06).sqrt();
        Ok(Self { customers, correlation, rank_correlation, p_value: 2.0 * normal_cdf(-z.abs()) })
    }
}

fn pearson(a: &[f64], b: &[f64]) -> Option<f64> {
    let n = a.len() as f64;
    let (mean_a, mean_b) = (a.iter().sum::<f64>() / n, b.iter().sum::<f64>() / n);
    let of = |p: &[f64], mean_p: f64, q: &[f64], mean_q: f64| {
        p.iter().zip(q).map(|(p, q)| (p - mean_p) * (q - mean_q)).sum::<f64>()
    };
    let spread = (of(a, mean_a, a, mean_a) * of(b, mean_b, b, mean_b)).sqrt();
    (spread > 0.0).then(|| of(a, mean_a, b, mean_b) / spread)
}
