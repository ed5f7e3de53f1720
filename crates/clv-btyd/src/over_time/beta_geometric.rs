//! BG/NBD and MBG/NBD whose purchase rate and chance to leave change with time.

use clv_math::minimise::Derivatives;
use clv_math::special::{digamma, ln_rising, trigamma};

use super::pareto::Scratch;
use super::path::{Coefficient, Path};
use crate::beta_geometric::Chance;

/// `r, α, a, b` and the coefficients.
pub(crate) struct Geometric<'a> {
    pub values: &'a [f64],
    pub of: &'a [Coefficient],
    pub chance: Chance,
}

/// Chances to stay that were taken, `W = Σ e^{δz}`, with its derivatives in the coefficients.
#[derive(Clone)]
struct Stays {
    w: f64,
    w_e: Vec<f64>,
    w_ef: Vec<f64>,
}

impl Geometric<'_> {
    /// Adds the logarithm of
    ///
    /// ```text
    /// L = Γ(r+x)/Γ(r) α^r Π_j e^{γz(t_j)} [ S(W_x) (α+A(T))^{−(r+x)} + (S(W_{x−1}) − S(W_x)) (α+A(t_x))^{−(r+x)} ],
    /// S(W) = B(a, b + W) / B(a, b)
    /// ```
    ///
    /// A customer stays after a purchase with probability `(1 − p)^w`, `w = e^{δz}` at its time: proportional hazards of a discrete time, which keep
    /// `1 − p ~ Beta(b, a)` conjugate (as Fader & Hardie's beta-discrete-Weibull does). `W_m` adds up the chances up to the `m`-th repeat purchase,
    /// for MBG/NBD the first purchase's too; with `w = 1` it is the BG/NBD. Returns the logarithm of P(alive).
    pub(crate) fn add(&self, path: &Path, scratch: &mut Scratch, total: &mut Derivatives) -> f64 {
        let [r, alpha, a, b] = self.values[..4] else { unreachable!("four parameters") };
        let coefficients = &self.values[4..];
        let (x, n, count) = (path.x, self.values.len(), self.of.len());
        let k = r + x;
        total.value += ln_rising(r, x) + r * alpha.ln();
        total.gradient[0] += digamma(k) - digamma(r) + alpha.ln();
        total.gradient[1] += r / alpha;
        total.hessian[0] += trigamma(k) - trigamma(r);
        total.hessian[1] += 1.0 / alpha;
        total.hessian[n + 1] -= r / (alpha * alpha);
        let (mut before, mut stays) = (Stays::new(count), Stays::new(count));
        let Scratch { clocks, pace, sum, gradient, hessian, .. } = scratch;
        for (j, &row) in path.at.iter().enumerate() {
            pace.set(self.of, coefficients, path.pieces.row(row));
            if j > 0 {
                for (e, z) in pace.a_z.iter().enumerate() {
                    total.value += coefficients[e] * z;
                    total.gradient[4 + e] += z;
                }
            }
            if j > 0 || self.chance == Chance::AfterAll {
                if j + 1 == path.at.len() {
                    before = stays.clone();
                }
                stays.add(pace.b, &pace.b_z);
            }
        }
        *clocks = super::path::Clocks::new(count);
        sum.clear();
        let mut silent = clocks.clone();
        for piece in 0..path.pieces.len() {
            if piece == path.silent {
                silent = clocks.clone();
            }
            pace.set(self.of, coefficients, path.pieces.row(piece));
            clocks.advance(path.pieces.length[piece], pace);
        }
        if path.silent == path.pieces.len() {
            silent = clocks.clone();
        }
        let alpha_part = |at: &super::path::Clocks, gradient: &mut [f64], hessian: &mut [f64]| {
            let per = 1.0 / (alpha + at.a);
            let ln = (alpha + at.a).ln();
            gradient.fill(0.0);
            hessian.fill(0.0);
            gradient[0] = -ln;
            gradient[1] = -k * per;
            hessian[1] = -per;
            hessian[n + 1] = k * per * per;
            for e in 0..count {
                let da = at.a_e[e] * per;
                gradient[4 + e] = -k * da;
                hessian[4 + e] = -da;
                hessian[n + 4 + e] = k * da * per;
                for f in e..count {
                    let twice = at.a_ef[e * count + f] * per;
                    hessian[(4 + e) * n + 4 + f] = k * (da * at.a_e[f] * per - twice);
                }
            }
            -k * ln
        };
        let stayed = alpha_part(clocks, gradient, hessian) + ln_stay(a, b, &stays, n, gradient, hessian);
        sum.add(stayed, gradient, hessian);
        if stays.w > before.w {
            // ln(S(before) − S(now)) = ln S(before) + ln(1 − e^{−d}), d = ln S(before) − ln S(now).
            let mut term = alpha_part(&silent, gradient, hessian);
            term += ln_stay(a, b, &before, n, gradient, hessian);
            let (mut d_gradient, mut d_hessian) = (vec![0.0; n], vec![0.0; n * n]);
            let last = stays.w - before.w;
            let d = ln_rising(a + b + before.w, last) - ln_rising(b + before.w, last);
            ln_stay(a, b, &before, n, &mut d_gradient, &mut d_hessian);
            let (mut now_gradient, mut now_hessian) = (vec![0.0; n], vec![0.0; n * n]);
            ln_stay(a, b, &stays, n, &mut now_gradient, &mut now_hessian);
            d_gradient.iter_mut().zip(&now_gradient).for_each(|(d, now)| *d -= now);
            d_hessian.iter_mut().zip(&now_hessian).for_each(|(d, now)| *d -= now);
            term += (-(-d).exp_m1()).ln();
            let slope = 1.0 / d.exp_m1();
            let bend = -slope * (1.0 + slope);
            for i in 0..n {
                gradient[i] += slope * d_gradient[i];
                for j in i..n {
                    hessian[i * n + j] += slope * d_hessian[i * n + j] + bend * d_gradient[i] * d_gradient[j];
                }
            }
            sum.add(term, gradient, hessian);
        }
        sum.add_to(total);
        stayed - sum.ln()
    }

    /// Chances to stay that were taken.
    pub(crate) fn chances(&self, path: &Path) -> f64 {
        let one = |(j, &row): (usize, &usize)| {
            let counted = j > 0 || self.chance == Chance::AfterAll;
            let z = path.pieces.row(row);
            let leaves = self.of.iter().zip(&self.values[4..]).filter(|(c, _)| c.leaves);
            let ln: f64 = leaves.map(|(c, value)| value * z[c.term]).sum();
            if counted { ln.exp() } else { 0.0 }
        };
        path.at.iter().enumerate().map(one).sum()
    }
}

/// `ln S(W)`, its derivatives added.
fn ln_stay(a: f64, b: f64, stays: &Stays, n: usize, gradient: &mut [f64], hessian: &mut [f64]) -> f64 {
    let Stays { w, w_e, w_ef } = stays;
    let (all, stay) = (a + b, b);
    let (psi_all, psi_all_w) = (digamma(all), digamma(all + w));
    let (psi, psi_w) = (digamma(stay), digamma(stay + w));
    let (tri_all, tri_all_w) = (trigamma(all), trigamma(all + w));
    let (tri, tri_w) = (trigamma(stay), trigamma(stay + w));
    gradient[2] += psi_all - psi_all_w;
    gradient[3] += psi_all - psi_all_w + psi_w - psi;
    hessian[2 * n + 2] += tri_all - tri_all_w;
    hessian[2 * n + 3] += tri_all - tri_all_w;
    hessian[3 * n + 3] += tri_all - tri_all_w + tri_w - tri;
    let (slope, bend) = (psi_w - psi_all_w, tri_w - tri_all_w);
    let count = w_e.len();
    for e in 0..count {
        gradient[4 + e] += slope * w_e[e];
        hessian[2 * n + 4 + e] -= tri_all_w * w_e[e];
        hessian[3 * n + 4 + e] += bend * w_e[e];
        for f in e..count {
            hessian[(4 + e) * n + 4 + f] += bend * w_e[e] * w_e[f] + slope * w_ef[e * count + f];
        }
    }
    ln_rising(stay, *w) - ln_rising(all, *w)
}

impl Stays {
    fn new(count: usize) -> Self {
        Self { w: 0.0, w_e: vec![0.0; count], w_ef: vec![0.0; count * count] }
    }

    fn add(&mut self, w: f64, z: &[f64]) {
        self.w += w;
        let count = z.len();
        for e in 0..count {
            self.w_e[e] += w * z[e];
            for f in e..count {
                self.w_ef[e * count + f] += w * z[e] * z[f];
            }
        }
    }
}
