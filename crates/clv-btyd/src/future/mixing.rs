//! How customers differ: the distributions that a population mixes, and those of one customer given their history.

use clv_math::special::{
    beta_inc, beta_inc_inverse, gamma_p, ln_beta, ln_gamma, normal_cdf, normal_quantile,
};

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
    /// Of a rate whose logarithm is normal.
    Lognormal {
        /// Mean of the logarithm.
        mu: f64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
}

impl Mixing {
    /// The mean.
    pub fn mean(&self) -> f64 {
        match *self {
            Self::Gamma { shape, rate } => shape / rate,
            Self::Beta { a, b } => a / (a + b),
            Self::Lognormal { mu, sigma } => (mu + 0.5 * sigma * sigma).exp(),
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
            Self::Lognormal { mu, sigma } if at > 0.0 => {
                let z = (at.ln() - mu) / sigma;
                -0.5 * (z * z + std::f64::consts::TAU.ln()) - sigma.ln() - at.ln()
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
            Self::Lognormal { mu, sigma } => normal_cdf((at.max(0.0).ln() - mu) / sigma),
        }
    }

    /// The value that a share of customers stays below.
    pub fn quantile(&self, share: f64) -> f64 {
        let share = share.clamp(0.0, 1.0);
        match *self {
            Self::Beta { a, b } => beta_inc_inverse(a, b, share),
            Self::Lognormal { mu, sigma } => (mu + sigma * normal_quantile(share)).exp(),
            Self::Gamma { .. } => quantile_of(share, self.mean(), |at| self.below(at)),
        }
    }

    /// Values and densities, ready to plot: so many values apart alike, from the one that .5% of customers stay below to the one that 99.5% do.
    pub fn series(&self, points: usize) -> Vec<(f64, f64)> {
        series_of(points, |share| self.quantile(share), |at| self.density(at))
    }
}

/// How customers differ where the population is known by draws from its posterior: their distributions, each as likely.
#[derive(Clone, Debug, PartialEq)]
pub struct Mixture {
    of: Vec<Mixing>,
}

impl Mixture {
    /// Of at least one.
    pub(crate) fn of(of: Vec<Mixing>) -> Self {
        Self { of }
    }

    /// The distributions, draw by draw.
    pub fn draws(&self) -> &[Mixing] {
        &self.of
    }

    fn average(&self, of: impl Fn(&Mixing) -> f64) -> f64 {
        self.of.iter().map(of).sum::<f64>() / self.of.len() as f64
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        self.average(Mixing::mean)
    }

    /// The density at a value; 0 where there is none.
    pub fn density(&self, at: f64) -> f64 {
        self.average(|mixing| mixing.density(at))
    }

    /// The share of customers below a value.
    pub fn below(&self, at: f64) -> f64 {
        self.average(|mixing| mixing.below(at))
    }

    /// The value that a share of customers stays below.
    pub fn quantile(&self, share: f64) -> f64 {
        quantile_of(share.clamp(0.0, 1.0), self.mean(), |at| self.below(at))
    }

    /// Values and densities, ready to plot, as [`Mixing::series`].
    pub fn series(&self, points: usize) -> Vec<(f64, f64)> {
        series_of(points, |share| self.quantile(share), |at| self.density(at))
    }
}

/// Of values above 0, by halves.
fn quantile_of(share: f64, mean: f64, below: impl Fn(f64) -> f64) -> f64 {
    if share == 1.0 {
        return f64::INFINITY;
    }
    // In the logarithm, as small shapes put quantiles anywhere between 0 and the mean.
    let (mut low, mut high) = (-745.0, (mean.ln() + 1.0).min(709.0));
    while high < 709.0 && below(high.exp()) < share {
        high += 1.0;
    }
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if below(middle.exp()) < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    high.exp()
}

fn series_of(points: usize, quantile: impl Fn(f64) -> f64, density: impl Fn(f64) -> f64) -> Vec<(f64, f64)> {
    let (low, high) = (quantile(0.005), quantile(0.995));
    let step = (high - low) / points.saturating_sub(1).max(1) as f64;
    let at = |i: usize| low + step * i as f64;
    (0..points).map(|i| (at(i), density(at(i)))).collect()
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
            Mixing::Lognormal { mu: -3.0, sigma: 1.4 },
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
        let lognormal = Mixing::Lognormal { mu: 0.0, sigma: 1.0 };
        assert_eq!((lognormal.density(-1.0), lognormal.below(-1.0)), (0.0, 0.0));
        assert!((lognormal.mean() - 0.5_f64.exp()).abs() < 1e-15);
    }

    #[test]
    fn mixtures_lie_between_what_they_mix() {
        let (one, other) =
            (Mixing::Gamma { shape: 2.0, rate: 4.0 }, Mixing::Lognormal { mu: 1.0, sigma: 0.5 });
        let both = Mixture::of(vec![one, other]);
        assert_eq!(both.mean(), f64::midpoint(one.mean(), other.mean()));
        for share in [0.0, 0.01, 0.3, 0.5, 0.9, 0.999] {
            let at = both.quantile(share);
            assert!((both.below(at) - share).abs() < 1e-9, "{share} {at}");
            assert_eq!(both.density(at), f64::midpoint(one.density(at), other.density(at)));
        }
        assert_eq!(both.quantile(1.0), f64::INFINITY);
        let series = both.series(2_001);
        let sum: f64 = series.windows(2).map(|p| (p[1].0 - p[0].0) * f64::midpoint(p[0].1, p[1].1)).sum();
        assert!((sum - 0.99).abs() < 1e-4, "{sum}");
        assert_eq!(Mixture::of(vec![one]).series(9), one.series(9));
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
