//! Futures of whole periods: at the end of each, who is still a customer may buy, or pays.

use rand_chacha::ChaCha8Rng;

use super::Future;
use crate::bg_bb::BgBb;
use crate::contract::Contract;
use crate::process::NEAR;
use crate::simulate::{beta, uniform};
use crate::sums::sum_until;

/// Chances of a first purchase are looked for within so many periods.
const FAR: u32 = 1 << 16;
/// What is discounted by more exponents is nothing.
const GONE: f64 = 46.0;

#[derive(Clone, Copy, Debug)]
pub(super) enum Periods {
    Tries(BgBb),
    Pays(Contract, f64),
}

/// Period ends in `(0, t]`.
fn whole(t: f64) -> u32 {
    (t + NEAR).floor().min(f64::from(u32::MAX)) as u32
}

impl Future {
    /// The process of whole periods; of any other one nothing that is asked.
    pub(super) fn periods(&self) -> Periods {
        match *self {
            Self::BuysOnceAPeriod(of) => Periods::Tries(of),
            Self::Pays { contract, age } => Periods::Pays(contract, age),
            _ => unreachable!("asked of a customer by the period only"),
        }
    }
}

impl Periods {
    pub(super) fn survival(&self, t: f64) -> f64 {
        match self {
            Self::Tries(of) => of.survival(whole(t)),
            Self::Pays(contract @ Contract::Renewals(_), age) => contract.lasts(*age, f64::from(whole(t))),
            Self::Pays(contract, age) => contract.lasts(*age, t),
        }
    }

    /// Expected purchases in `(from, to]`, plain and discounted.
    pub(super) fn expected(&self, from: f64, to: f64, delta: f64) -> (f64, f64) {
        let (from, to) = (whole(from), whole(to));
        let ln_bought = |k: f64| match self {
            Self::Tries(of) => of.ln_survival(k) + of.takes().ln(),
            Self::Pays(contract, age) => contract.ln_lasts(*age, k),
        };
        let plain = sum_until(&ln_bought, from, to);
        let discounted =
            if delta == 0.0 { plain } else { sum_until(&|k| ln_bought(k) - delta * k, from, to) };
        (plain, discounted)
    }

    pub(super) fn discounted_for_ever(&self, delta: f64) -> Option<f64> {
        match self {
            Self::Tries(of) if delta == 0.0 => of.expected_for_ever(),
            Self::Tries(_) => Some(self.expected(0.0, (GONE / delta).ceil(), delta).1),
            Self::Pays(contract, age) => contract.payments(*age, delta),
        }
    }

    pub(super) fn probability_of(&self, t: f64, count: u32) -> f64 {
        let n = whole(t);
        if count > n {
            return 0.0;
        }
        match self {
            Self::Tries(of) => of.chance_of_new(count, n),
            Self::Pays(contract, age) => {
                let lasts = |k: u32| contract.lasts(*age, f64::from(k));
                if count == n { lasts(n) } else { lasts(count) - lasts(count + 1) }
            }
        }
    }

    pub(super) fn time_of_first(&self, probability: f64) -> Option<f64> {
        let come = |n: u32| 1.0 - self.probability_of(f64::from(n), 0);
        let (mut low, mut high) = (0, 1);
        while come(high) < probability {
            // A contract that does not pay now never does.
            if high >= FAR || matches!(self, Self::Pays(..)) {
                return None;
            }
            (low, high) = (high, high * 2);
        }
        while high - low > 1 {
            let middle = u32::midpoint(low, high);
            if come(middle) < probability {
                low = middle;
            } else {
                high = middle;
            }
        }
        Some(f64::from(high))
    }

    /// `Σ_{k < n} (F(n) − F(k)) / F(n)`, `F` being the chance of a purchase by a period's end.
    pub(super) fn mean_time_within(&self, horizon: f64) -> f64 {
        let n = whole(horizon);
        let none_at_end = self.probability_of(f64::from(n), 0);
        let come = 1.0 - none_at_end;
        if come <= 1e-12 {
            return 0.5 * horizon;
        }
        let still = |k: u32| self.probability_of(f64::from(k), 0) - none_at_end;
        (0..n).map(still).sum::<f64>() / come
    }

    pub(super) fn purchase_times(&self, length: f64, rng: &mut ChaCha8Rng, times: &mut Vec<f64>) {
        let n = whole(length);
        match self {
            Self::Tries(of) => {
                let [alpha, beta_, gamma, delta] = of.values();
                let (p, leaves) = (beta(alpha, beta_, rng), beta(gamma, delta, rng));
                for k in 1..=n {
                    if uniform(rng) < leaves {
                        return;
                    }
                    if uniform(rng) < p {
                        times.push(f64::from(k));
                    }
                }
            }
            Self::Pays(contract, age) => {
                let lasts = contract.draw(*age, rng).floor().min(f64::from(n));
                times.extend((1..=lasts as u32).map(f64::from));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BetaDiscreteWeibull, WeibullGamma};

    #[test]
    fn far_horizons_are_summed_as_near_ones() {
        let contracts = [
            Contract::Renewals(BetaDiscreteWeibull::new(0.7, 3.0, 1.3).unwrap()),
            Contract::Renewals(BetaDiscreteWeibull::new(0.02, 30.0, 0.8).unwrap()),
            Contract::Tenures(WeibullGamma::new(0.3, 50.0, 0.9).unwrap()),
        ];
        let mut futures: Vec<Periods> = contracts.map(|contract| Periods::Pays(contract, 7.0)).to_vec();
        futures.push(Periods::Tries(BgBb::new(1.2, 0.75, 0.4, 2.8).unwrap()));
        for future in futures {
            for (from, to, delta) in [(0_u32, 20_000_u32, 0.0), (0, 20_000, 1e-4), (3_000, 30_000, 1e-3)] {
                let one = |k: u32| {
                    let alive = match &future {
                        Periods::Tries(of) => of.survival(k) * of.takes(),
                        Periods::Pays(contract, age) => contract.lasts(*age, f64::from(k)),
                    };
                    (alive, alive * (-delta * f64::from(k)).exp())
                };
                let (plain, discounted) =
                    (from + 1..=to).map(one).fold((0.0, 0.0), |sum, k| (sum.0 + k.0, sum.1 + k.1));
                let found = future.expected(f64::from(from), f64::from(to), delta);
                assert!((found.0 / plain - 1.0).abs() < 1e-9, "{found:?} {plain}");
                assert!((found.1 / discounted - 1.0).abs() < 1e-9, "{found:?} {discounted}");
            }
            let (far, _) = future.expected(0.0, 1e9, 0.0);
            assert!(far.is_finite() && far > 0.0);
        }
    }
}
