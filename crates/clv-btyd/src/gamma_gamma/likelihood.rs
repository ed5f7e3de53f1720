//! The likelihood over customers grouped by their number of purchases.
//!
//! Within a group only `Σ ln(γ + x z̄)` and the sums of its first two powers of reciprocals depend on
//! the customers, so a pass costs one division per customer and one logarithm per eight.

use clv_math::minimise::Derivatives;
use clv_math::special::{digamma, ln_beta, ln_gamma as ln_gamma_of, ln_rising as ln_gamma_ratio, trigamma};

use super::GammaGamma;

pub(super) fn ln_likelihood(population: &GammaGamma, purchases: f64, mean: f64) -> f64 {
    let GammaGamma { p, q, gamma } = *population;
    let total = purchases * mean;
    -mean.ln()
        - ln_beta(p * purchases, q)
        - q * (total / gamma).ln_1p()
        - p * purchases * (gamma / total).ln_1p()
}

/// Customers who count, grouped by number of purchases.
#[derive(Clone, Debug, Default)]
pub(super) struct Groups {
    groups: Vec<Group>,
    /// Totals `x z̄`, group by group.
    totals: Vec<f64>,
    /// The sum of the logarithms of all amounts, if these are known one by one.
    ln_amounts: Option<f64>,
}

#[derive(Clone, Debug)]
struct Group {
    purchases: f64,
    end: usize,
    sum_ln_mean: f64,
}

impl Groups {
    /// From numbers of purchases and means, in any order.
    pub(super) fn of(mut rows: Vec<(u32, f64)>) -> Self {
        // Within a group by total, so that the sums do not depend on the order of the customers.
        rows.sort_unstable_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
        Self::of_sorted(&rows)
    }

    pub(super) fn of_sorted(rows: &[(u32, f64)]) -> Self {
        let mut out = Self::default();
        for group in rows.chunk_by(|a, b| a.0 == b.0) {
            let purchases = f64::from(group[0].0);
            out.totals.extend(group.iter().map(|r| purchases * r.1));
            let sum_ln_mean = sum_of_logs(group.iter().map(|r| r.1));
            out.groups.push(Group { purchases, end: out.totals.len(), sum_ln_mean });
        }
        out
    }

    /// With the sum of the logarithms of all amounts: the likelihood is then that of the amounts, and not of their means.
    pub(super) fn individually(self, ln_amounts: f64) -> Self {
        Self { ln_amounts: Some(ln_amounts), ..self }
    }

    pub(super) fn len(&self) -> usize {
        self.totals.len()
    }

    /// Every `step`-th customer.
    pub(super) fn thinned(&self, step: usize) -> Self {
        let mut rows = Vec::with_capacity(self.len() / step + 1);
        let mut start = 0;
        for group in &self.groups {
            let first = start + (step - start % step) % step;
            rows.extend(
                (first..group.end)
                    .step_by(step)
                    .map(|i| (group.purchases as u32, self.totals[i] / group.purchases)),
            );
            start = group.end;
        }
        Self::of_sorted(&rows)
    }

    /// Log-likelihood with derivatives in `p, q, γ`.
    pub(super) fn derivatives(&self, population: &GammaGamma) -> Derivatives {
        let GammaGamma { p, q, gamma } = *population;
        let (ln_gamma, psi_q, tri_q) = (gamma.ln(), digamma(q), trigamma(q));
        let (psi_p, tri_p) = (digamma(p), trigamma(p));
        let (mut value, mut slope) = (0.0, [0.0; 3]);
        let (mut pp, mut pq, mut pg, mut qq, mut qg, mut gg) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0);
        let mut start = 0;
        for group in &self.groups {
            let totals = &self.totals[start..group.end];
            start = group.end;
            let n = totals.len() as f64;
            let x = group.purchases;
            let px = p * x;
            let logs = sum_of_logs(totals.iter().map(|t| gamma + t));
            let (inverse, squares) = sums_of_inverses(totals, gamma);
            let ln_x = x.ln();
            let (psi_all, tri_all) = (digamma(px + q), trigamma(px + q));
            value += n * q * ln_gamma - (px + q) * logs;
            slope[0] += x * (n * psi_all - logs);
            pp += n * x * x * tri_all;
            if self.ln_amounts.is_some() {
                // Each amount has a density of its own, with the same p.
                value += n * (ln_gamma_ratio(q, px) - x * ln_gamma_of(p));
                slope[0] -= n * x * psi_p;
                pp -= n * x * tri_p;
            } else {
                value += n * (px * ln_x - ln_beta(px, q)) + (px - 1.0) * group.sum_ln_mean;
                slope[0] += x * (n * (ln_x - digamma(px)) + group.sum_ln_mean);
                pp -= n * x * x * trigamma(px);
            }
            slope[1] += n * (psi_all - psi_q + ln_gamma) - logs;
            slope[2] += n * q / gamma - (px + q) * inverse;
            pq += n * x * tri_all;
            pg -= x * inverse;
            qq += n * (tri_all - tri_q);
            qg += n / gamma - inverse;
            gg += (px + q) * squares - n * q / (gamma * gamma);
        }
        if let Some(ln_amounts) = self.ln_amounts {
            value += (p - 1.0) * ln_amounts;
            slope[0] += ln_amounts;
        }
        Derivatives { value, gradient: slope.to_vec(), hessian: vec![pp, pq, pg, pq, qq, qg, pg, qg, gg] }
    }
}

/// Sum of logarithms by products of eight, taken apart where a product might leave the range.
fn sum_of_logs(values: impl Iterator<Item = f64>) -> f64 {
    let (mut sum, mut product, mut factors) = (0.0, 1.0_f64, 0);
    for value in values {
        if !(1e-35..1e35).contains(&value) {
            sum += value.ln();
            continue;
        }
        product *= value;
        factors += 1;
        if factors == 8 {
            sum += product.ln();
            (product, factors) = (1.0, 0);
        }
    }
    sum + product.ln()
}

fn sums_of_inverses(totals: &[f64], gamma: f64) -> (f64, f64) {
    let (mut first, mut second) = ([0.0; 4], [0.0; 4]);
    let chunks = totals.chunks_exact(4);
    let rest = chunks.remainder();
    for chunk in chunks {
        for i in 0..4 {
            let inverse = 1.0 / (gamma + chunk[i]);
            first[i] += inverse;
            second[i] += inverse * inverse;
        }
    }
    for (i, total) in rest.iter().enumerate() {
        let inverse = 1.0 / (gamma + total);
        first[i] += inverse;
        second[i] += inverse * inverse;
    }
    (first.iter().sum(), second.iter().sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grouped_sums_equal_the_likelihood_customer_by_customer() {
        let rows: Vec<(u32, f64)> =
            (0..500).map(|i| (1 + i % 7, 3.0 + f64::from(i * 37 % 101) * 1.3)).collect();
        let population = GammaGamma { p: 6.25, q: 3.74, gamma: 15.44 };
        let one_by_one: f64 = rows.iter().map(|&(x, z)| ln_likelihood(&population, f64::from(x), z)).sum();
        let grouped = Groups::of(rows).derivatives(&population).value;
        assert!((grouped - one_by_one).abs() < 1e-11 * one_by_one.abs(), "{grouped} {one_by_one}");
    }
}
