//! The likelihood that BG/NBD and MBG/NBD share.
//!
//! They differ in whether a customer can leave right after the first purchase. With `m` the number
//! of chances to leave that were not taken (`x` or `x + 1`), and `b' = b + m`:
//!
//! ```text
//! L = Γ(r+x)/Γ(r) α^r · B(a, b')/B(a, b) · [ (α+T)^{−(r+x)} + a/(b'−1) (α+t_x)^{−(r+x)} ]
//! ```
//!
//! where the second term is missing for BG/NBD at `x = 0`.

use clv_core::Cells;
use clv_math::special::{digamma, ln_rising, trigamma};

use rand_chacha::ChaCha8Rng;

use crate::process::{Sums, frequency_runs, sum_over_runs};
use crate::simulate::{beta, exponential, gamma, uniform};

/// When a customer may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chance {
    /// After each repeat purchase.
    AfterRepeats,
    /// After each purchase, the first included.
    AfterAll,
}

/// Parameters `r, α, a, b` of either model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct BetaGeometric {
    pub r: f64,
    pub alpha: f64,
    pub a: f64,
    pub b: f64,
    pub chance: Chance,
}

impl BetaGeometric {
    /// Chances to leave that a customer with `x` repeats has not taken if alive.
    pub(crate) fn chances(&self, x: f64) -> f64 {
        if self.chance == Chance::AfterAll { x + 1.0 } else { x }
    }

    /// Logarithm of the odds that the customer left after the last purchase; `−∞` where they cannot.
    pub(crate) fn ln_odds_gone(&self, x: f64, recency: f64, age: f64) -> f64 {
        let m = self.chances(x);
        if m == 0.0 {
            return f64::NEG_INFINITY;
        }
        let silence = ((age - recency) / (self.alpha + recency)).ln_1p();
        (self.a / (self.b + (m - 1.0))).ln() + (self.r + x) * silence
    }

    pub(crate) fn p_alive(&self, x: f64, recency: f64, age: f64) -> f64 {
        // A heavy buyer long silent has odds of 10^640: 1 / (1 + ∞) is the limit we want.
        1.0 / (1.0 + self.ln_odds_gone(x, recency, age).exp())
    }

    /// The chance to stay after the first purchase.
    pub(crate) fn stays_at_first(&self) -> f64 {
        if self.chance == Chance::AfterAll { self.b / (self.a + self.b) } else { 1.0 }
    }

    /// Draws a customer who buys at each so many clicks of their rate, and appends the times of their repeat purchases.
    pub(crate) fn purchase_times(
        &self,
        clicks: u32,
        length: f64,
        rng: &mut ChaCha8Rng,
        times: &mut Vec<f64>,
    ) {
        let (rate, p) = (gamma(self.r, self.alpha, rng), beta(self.a, self.b, rng));
        if self.chance == Chance::AfterAll && uniform(rng) < p {
            return;
        }
        let mut time = 0.0;
        loop {
            time += (0..clicks).map(|_| exponential(rate, rng)).sum::<f64>();
            if time > length {
                return;
            }
            times.push(time);
            if uniform(rng) < p {
                return;
            }
        }
    }

    pub(crate) fn ln_likelihood(&self, x: f64, recency: f64, age: f64) -> f64 {
        self.ln_of_frequency(x) + self.ln_of_times(x, recency, age)
    }

    pub(crate) fn ln_likelihood_of(&self, cells: &Cells) -> f64 {
        let of_times = |x, recency, age| self.ln_of_times(x, recency, age);
        sum_over_runs(cells, |x| self.ln_of_frequency(x), of_times)
    }

    fn ln_of_frequency(&self, x: f64) -> f64 {
        let m = self.chances(x);
        ln_rising(self.r, x) + ln_rising(self.b, m) - ln_rising(self.a + self.b, m)
    }

    fn ln_of_times(&self, x: f64, recency: f64, age: f64) -> f64 {
        softplus(self.ln_odds_gone(x, recency, age))
            - self.r * (age / self.alpha).ln_1p()
            - x * (self.alpha + age).ln()
    }

    pub(crate) fn derivatives(&self, cells: &Cells) -> Sums<4> {
        let Self { r, a, b, .. } = *self;
        let (psi_r, psi_b, psi_ab) = (digamma(r), digamma(b), digamma(a + b));
        let (tri_r, tri_b, tri_ab) = (trigamma(r), trigamma(b), trigamma(a + b));
        let mut sums = Sums::ZERO;
        for (x, range, weight) in frequency_runs(cells) {
            let m = self.chances(x);
            let (d_ab, t_ab) = (psi_ab - digamma(a + b + m), tri_ab - trigamma(a + b + m));
            let mut run = Sums::<4>::ZERO;
            run.value = self.ln_of_frequency(x);
            run.gradient = [digamma(r + x) - psi_r, 0.0, d_ab, digamma(b + m) - psi_b + d_ab];
            run.hessian[0][0] = trigamma(r + x) - tri_r;
            run.hessian[2][2] = t_ab;
            run.hessian[2][3] = t_ab;
            run.hessian[3][3] = trigamma(b + m) - tri_b + t_ab;
            sums.add(weight, &run);
            for i in range {
                self.add_cell(&mut sums, x, m, cells.recency[i], cells.age[i], cells.weight[i]);
            }
        }
        sums
    }

    /// What depends on the times of a cell.
    fn add_cell(&self, sums: &mut Sums<4>, x: f64, m: f64, recency: f64, age: f64, weight: f64) {
        let Self { r, alpha, a, b, .. } = *self;
        let (end, fall) = (alpha + age, (age / alpha).ln_1p());
        let mut one = Sums::<4>::ZERO;
        one.value = -r * fall - x * end.ln();
        one.gradient[0] = -fall;
        one.gradient[1] = (r * age / alpha - x) / end;
        one.hessian[0][1] = age / (alpha * end);
        one.hessian[1][1] = (r + x) / (end * end) - r / (alpha * alpha);
        if m > 0.0 {
            // ln(1 + odds): weight w on the branch "left after the last purchase".
            let last = alpha + recency;
            let silence = ((age - recency) / last).ln_1p();
            let ln_odds = (a / (b + (m - 1.0))).ln() + (r + x) * silence;
            let w = 1.0 / (1.0 + (-ln_odds).exp());
            one.value += softplus(ln_odds);
            let gap = (recency - age) / (end * last); // 1/(α+T) − 1/(α+t_x)
            let slope = [silence, (r + x) * gap, 1.0 / a, -1.0 / (b + (m - 1.0))];
            for i in 0..4 {
                one.gradient[i] += w * slope[i];
                for j in i..4 {
                    one.hessian[i][j] += w * (1.0 - w) * slope[i] * slope[j];
                }
            }
            one.hessian[0][1] += w * gap;
            one.hessian[1][1] -= w * (r + x) * gap * (1.0 / end + 1.0 / last);
            one.hessian[2][2] -= w / (a * a);
            one.hessian[3][3] += w * slope[3] * slope[3];
        }
        sums.add(weight, &one);
    }
}

/// `ln(1 + e^v)`.
pub(crate) fn softplus(v: f64) -> f64 {
    if v > 0.0 { v + (-v).exp().ln_1p() } else { v.exp().ln_1p() }
}
