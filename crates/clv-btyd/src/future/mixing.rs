//! How customers differ: the distributions that a population mixes, and those of one customer given their history.

use clv_math::special::{beta_inc, beta_inc_inverse, gamma_p, ln_beta, ln_gamma};

use super::Future;
use crate::contract::Contract;

/// The distribution of a rate, or of a chance, across customers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mixing {
    /// Of a rate, above 0.
    Gamma {
        /// Shape.
        shape: f64,
        /// Rate.
        rate: f64,
    },
    /// Of a chance, between 0 and 1.
    Beta {
        /// First shape.
        a: f64,
        /// Second shape.
        b: f64,
    },
}

impl Mixing {
    /// The mean.
    pub fn mean(&self) -> f64 {
        match *self {
            Self::Gamma { shape, rate } => shape / rate,
            Self::Beta { a, b } => a / (a + b),
        }
    }

    /// The density at a value; 0 where there is none.
    pub fn density(&self, at: f64) -> f64 {
        let ln = match *self {
            Self::Gamma { shape, rate } if at > 0.0 => {
                shape * rate.ln() + (shape - 1.0) * at.ln() - rate * at - ln_gamma(shape)
            }
            Self::Beta { a, b } if at > 0.0 && at < 1.0 => {
                (a - 1.0) * at.ln() + (b - 1.0) * (-at).ln_1p() - ln_beta(a, b)
            }
            _ => f64::NEG_INFINITY,
        };
        ln.exp()
    }

    /// The share of customers below a value.
    pub fn below(&self, at: f64) -> f64 {
        match *self {
            Self::Gamma { shape, rate } => gamma_p(shape, (rate * at).max(0.0)),
            Self::Beta { a, b } => beta_inc(a, b, at.clamp(0.0, 1.0)),
        }
    }

    /// The value that a share of customers stays below.
    pub fn quantile(&self, share: f64) -> f64 {
        let share = share.clamp(0.0, 1.0);
        match *self {
            Self::Beta { a, b } => beta_inc_inverse(a, b, share),
            Self::Gamma { .. } if share == 1.0 => f64::INFINITY,
            Self::Gamma { .. } => {
                // In the logarithm, as small shapes put quantiles anywhere between 0 and the mean.
                let (mut low, mut high) = (-745.0, self.mean().ln() + 1.0);
                while self.below(high.exp()) < share {
                    high += 1.0;
                }
                for _ in 0..200 {
                    let middle = f64::midpoint(low, high);
                    if self.below(middle.exp()) < share {
                        low = middle;
                    } else {
                        high = middle;
                    }
                }
                high.exp()
            }
        }
    }

    /// Values and densities, ready to plot: so many values apart alike, from the one that .5% of customers stay below to the one that 99.5% do.
    pub fn series(&self, points: usize) -> Vec<(f64, f64)> {
        let (low, high) = (self.quantile(0.005), self.quantile(0.995));
        let step = (high - low) / points.saturating_sub(1).max(1) as f64;
        let at = |i: usize| low + step * i as f64;
        (0..points).map(|i| (at(i), self.density(at(i)))).collect()
    }
}

impl Future {
    /// How customers like this one differ, by the name of what they differ in: of a new customer
    /// ([`Process::new_customer`](crate::Process::new_customer)) the heterogeneity of the population, of one who is alive what their history has left open.
    ///
    /// Of a customer at a beat who has been silent for a while the clicks are a mixture of several, and left out.
    ///
    /// ```
    /// use clv_btyd::{ParetoNbd, Process};
    ///
    /// let population = ParetoNbd::new(0.553, 10.578, 0.606, 11.669)?;
    /// let differ = population.new_customer().1.heterogeneity();
    /// assert_eq!(differ[0].0, "purchase rate");
    /// assert!((differ[0].1.mean() - 0.553 / 10.578).abs() < 1e-12);
    /// let plot: Vec<(f64, f64)> = differ[1].1.series(100);
    /// assert_eq!(plot.len(), 100);
    /// # Ok::<(), clv_core::Error>(())
    /// ```
    pub fn heterogeneity(&self) -> Vec<(&'static str, Mixing)> {
        let buys = |shape: f64, rate: f64| ("purchase rate", Mixing::Gamma { shape, rate });
        let quits = |a: f64, b: f64| ("dropout probability", Mixing::Beta { a, b });
        match *self {
            Self::Stays { k, rate } => vec![buys(k, rate)],
            Self::LeavesAfterPurchase { k, rate, a, b } => vec![buys(k, rate), quits(a, b)],
            Self::LeavesAnytime { k, rate, s, life } => {
                vec![buys(k, rate), ("dropout rate", Mixing::Gamma { shape: s, rate: life })]
            }
            Self::LeavesAfterRegular { shape, rate, a, b, silence, .. } => {
                let clicks = ("click rate", Mixing::Gamma { shape, rate });
                if silence == 0.0 { vec![clicks, quits(a, b)] } else { vec![quits(a, b)] }
            }
            Self::LeavesAgeing { k, rate, s, life, .. } => {
                vec![buys(k, rate), ("dropout frailty", Mixing::Gamma { shape: s, rate: life })]
            }
            Self::BuysOnceAPeriod(of) => {
                let [alpha, beta, gamma, delta] = of.values();
                vec![("purchase probability", Mixing::Beta { a: alpha, b: beta }), quits(gamma, delta)]
            }
            Self::Pays { contract: Contract::Renewals(of), age } => {
                let [alpha, beta, c] = of.values();
                vec![("churn probability", Mixing::Beta { a: alpha, b: beta + age.powf(c) })]
            }
            Self::Pays { contract: Contract::Tenures(of), age } => {
                let [r, alpha, c] = of.values();
                vec![("dropout frailty", Mixing::Gamma { shape: r, rate: 1.0 + (age / alpha).powf(c) })]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BetaDiscreteWeibull, BgBb, BgNbd, ParetoNbd, Process, WeibullGamma};

    #[test]
    fn densities_add_up_to_what_lies_below() {
        for mixing in [
            Mixing::Gamma { shape: 0.05, rate: 3.0 },
            Mixing::Gamma { shape: 4.0, rate: 0.01 },
            Mixing::Beta { a: 0.3, b: 0.7 },
            Mixing::Beta { a: 12.0, b: 2.5 },
        ] {
            for share in [0.01, 0.3, 0.5, 0.9, 0.999] {
                assert!((mixing.below(mixing.quantile(share)) - share).abs() < 1e-9, "{mixing:?} {share}");
            }
            // The middle half, by the rule of midpoints in the logarithm.
            let (low, high) = (mixing.quantile(0.25).ln(), mixing.quantile(0.75).ln());
            let step = (high - low) / 20_000.0;
            let at = |i: u32| (low + step * (f64::from(i) + 0.5)).exp();
            let sum: f64 = (0..20_000).map(|i| step * at(i) * mixing.density(at(i))).sum();
            assert!((sum - 0.5).abs() < 1e-3, "{mixing:?} {sum}");
            let series = mixing.series(50);
            assert!(series.len() == 50 && series.iter().all(|(_, density)| density.is_finite()));
        }
        assert_eq!(Mixing::Beta { a: 2.0, b: 2.0 }.density(1.5), 0.0);
        assert_eq!(Mixing::Gamma { shape: 2.0, rate: 2.0 }.density(-1.0), 0.0);
    }

    #[test]
    fn every_model_tells_how_its_customers_differ() {
        let names =
            |future: &Future| future.heterogeneity().iter().map(|(name, _)| *name).collect::<Vec<_>>();
        let pareto = ParetoNbd::new(0.5, 10.0, 0.6, 12.0).unwrap();
        assert_eq!(names(&pareto.new_customer().1), ["purchase rate", "dropout rate"]);
        // Given a history the rate is near what was seen.
        let own = Process::given_alive(&pareto, 200, 99.0, 100.0).heterogeneity();
        assert!((own[0].1.mean() - 2.0).abs() < 0.2);
        assert_eq!(
            names(&BgNbd::new(0.5, 10.0, 0.6, 2.0).unwrap().new_customer().1),
            ["purchase rate", "dropout probability"]
        );
        assert_eq!(
            names(&BgBb::new(0.5, 1.0, 0.6, 2.0).unwrap().new_customer().1),
            ["purchase probability", "dropout probability"]
        );
        // Who has renewed for long is unlikely to churn.
        let sbg = BetaDiscreteWeibull::shifted_beta_geometric(0.7, 1.2).unwrap();
        let of = |age: f64| Process::given_alive(&sbg, 1, age, age).heterogeneity()[0].1.mean();
        assert!((of(0.0) - 0.7 / 1.9).abs() < 1e-12 && of(20.0) < 0.05);
        let tenures = WeibullGamma::new(2.0, 24.0, 1.0).unwrap();
        assert_eq!(names(&tenures.new_customer().1), ["dropout frailty"]);
    }
}
