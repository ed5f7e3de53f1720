//! BG/NBD, MBG/NBD and the CNBD models whose purchase rate and chance to leave change with time.

use clv_math::logspace::ln_sum_exp;
use clv_math::minimise::Derivatives;
use clv_math::special::{digamma, ln_gamma, ln_rising, trigamma};

use super::pareto::Scratch;
use super::path::{Clocks, Coefficient, Path};
use crate::beta_geometric::Chance;

/// `r, α, a, b`, of the CNBD models `k`, and the coefficients.
pub(crate) struct Geometric<'a> {
    pub values: &'a [f64],
    pub of: &'a [Coefficient],
    pub chance: Chance,
    /// `k`, the clicks to a purchase.
    pub clicks: f64,
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
    /// L = Γ(n)/Γ(r) α^r Π_j e^{γz(t_j)} D_j^{k−1}/Γ(k) [ S(W_x) Σ_{j<k} (n)_j/j! D_s^j (α+A(T))^{−(n+j)} + (S(W_{x−1}) − S(W_x)) (α+A(t_x))^{−n} ],
    /// n = r + kx,  D_j = A(t_j) − A(t_{j−1}),  D_s = A(T) − A(t_x),  S(W) = B(a, b + W) / B(a, b)
    /// ```
    ///
    /// A customer stays after a purchase with probability `(1 − p)^w`, `w = e^{δz}` at its time: proportional hazards of a discrete time, which keep
    /// `1 − p ~ Beta(b, a)` conjugate (as Fader & Hardie's beta-discrete-Weibull does). `W_m` adds up the chances up to the `m`-th repeat purchase,
    /// for MBG the first purchase's too; with `w = 1` it is the BG/NBD. The beat of the CNBD models is one of the purchases' clock: in a season both
    /// halves of a gap go faster. Returns the logarithm of P(alive).
    pub(crate) fn add(&self, path: &Path, scratch: &mut Scratch, total: &mut Derivatives) -> f64 {
        let [r, alpha, a, b] = self.values[..4] else { unreachable!("four parameters") };
        let (n, count) = (self.values.len(), self.of.len());
        let first = n - count;
        let coefficients = &self.values[first..];
        let (x, beat) = (path.x, self.clicks);
        let shape = r + beat * x;
        total.value += ln_rising(r, beat * x) + r * alpha.ln() - x * ln_gamma(beat);
        total.gradient[0] += digamma(shape) - digamma(r) + alpha.ln();
        total.gradient[1] += r / alpha;
        total.hessian[0] += trigamma(shape) - trigamma(r);
        total.hessian[1] += 1.0 / alpha;
        total.hessian[n + 1] -= r / (alpha * alpha);
        let (mut before, mut stays) = (Stays::new(count), Stays::new(count));
        let Scratch { clocks, silence, gap, pace, sum, gradient, hessian, .. } = scratch;
        for (j, &row) in path.at.iter().enumerate() {
            pace.set(self.of, coefficients, path.pieces.row(row));
            if j > 0 {
                for (e, z) in pace.a_z.iter().enumerate() {
                    total.value += coefficients[e] * z;
                    total.gradient[first + e] += z;
                }
            }
            if j > 0 || self.chance == Chance::AfterAll {
                if j + 1 == path.at.len() {
                    before = stays.clone();
                }
                stays.add(pace.b, &pace.b_z);
            }
        }
        *clocks = Clocks::new(count);
        *gap = Clocks::new(count);
        sum.clear();
        let mut silent = clocks.clone();
        let (mut bought, mut start) = (0, 0.0);
        for piece in 0..path.pieces.len() {
            if piece == path.silent {
                silent = clocks.clone();
            }
            pace.set(self.of, coefficients, path.pieces.row(piece));
            let length = path.pieces.length[piece];
            if beat > 1.0 {
                // Only at a beat the times between purchases matter: what the clock went since the last one, from 0 on, that no digits are lost.
                let (mut since, end) = (start, start + length);
                while bought < path.times.len() && path.times[bought] <= end {
                    gap.advance(path.times[bought] - since, pace);
                    self.add_gap(gap, total);
                    *gap = Clocks::new(count);
                    since = path.times[bought];
                    bought += 1;
                }
                gap.advance(end - since, pace);
                start = end;
            }
            clocks.advance(length, pace);
        }
        if path.silent == path.pieces.len() {
            silent = clocks.clone();
        }
        // What rounding put beyond the end is at the end.
        while beat > 1.0 && bought < path.times.len() {
            self.add_gap(gap, total);
            *gap = Clocks::new(count);
            bought += 1;
        }
        *silence = gap.a;
        let alpha_part = |at: &Clocks, power: f64, gradient: &mut [f64], hessian: &mut [f64]| {
            let per = 1.0 / (alpha + at.a);
            let ln = (alpha + at.a).ln();
            gradient.fill(0.0);
            hessian.fill(0.0);
            gradient[0] = -ln;
            gradient[1] = -power * per;
            hessian[1] = -per;
            hessian[n + 1] = power * per * per;
            for e in 0..count {
                let da = at.a_e[e] * per;
                gradient[first + e] = -power * da;
                hessian[first + e] = -da;
                hessian[n + first + e] = power * da * per;
                for f in e..count {
                    let twice = at.a_ef[e * count + f] * per;
                    hessian[(first + e) * n + first + f] = power * (da * at.a_e[f] * per - twice);
                }
            }
            -power * ln
        };
        let (mut now_gradient, mut now_hessian) = (vec![0.0; n], vec![0.0; n * n]);
        let ln_stayed = ln_stay(a, b, &stays, n, &mut now_gradient, &mut now_hessian);
        // Of who is there so many clicks have come in the silence.
        let phases = if *silence > 0.0 { beat as usize } else { 1 };
        let mut alive = Vec::with_capacity(phases);
        let (mut ln_rise, mut rise, mut bend) = (0.0, 0.0, 0.0);
        for clicks in 0..phases {
            let power = shape + clicks as f64;
            let mut term = alpha_part(clocks, power, gradient, hessian) + ln_stayed + ln_rise;
            gradient.iter_mut().zip(&now_gradient).for_each(|(g, now)| *g += now);
            hessian.iter_mut().zip(&now_hessian).for_each(|(h, now)| *h += now);
            gradient[0] += rise;
            hessian[0] += bend;
            if clicks > 0 {
                term += ln_gap(clicks as f64, gap, (n, first), gradient, hessian);
            }
            sum.add(term, gradient, hessian);
            alive.push(term);
            ln_rise += (power / (clicks + 1) as f64).ln();
            rise += 1.0 / power;
            bend -= 1.0 / (power * power);
        }
        let alive = ln_sum_exp(&alive);
        if stays.w > before.w {
            // ln(S(before) − S(now)) = ln S(before) + ln(1 − e^{−d}), d = ln S(before) − ln S(now).
            let mut term = alpha_part(&silent, shape, gradient, hessian);
            let (mut d_gradient, mut d_hessian) = (vec![0.0; n], vec![0.0; n * n]);
            term += ln_stay(a, b, &before, n, &mut d_gradient, &mut d_hessian);
            gradient.iter_mut().zip(&d_gradient).for_each(|(g, before)| *g += before);
            hessian.iter_mut().zip(&d_hessian).for_each(|(h, before)| *h += before);
            let last = stays.w - before.w;
            let d = ln_left(a, b + before.w, last);
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
        alive - sum.ln()
    }

    /// Adds `(k − 1) ln D` of a gap between two purchases.
    fn add_gap(&self, gap: &Clocks, total: &mut Derivatives) {
        let n = self.values.len();
        let Derivatives { value, gradient, hessian } = total;
        let of = (n, n - self.of.len());
        *value += ln_gap(self.clicks - 1.0, gap, of, gradient, hessian);
    }

    /// Chances to stay that were taken.
    pub(crate) fn chances(&self, path: &Path) -> f64 {
        let coefficients = &self.values[self.values.len() - self.of.len()..];
        let one = |(j, &row): (usize, &usize)| {
            let counted = j > 0 || self.chance == Chance::AfterAll;
            let z = path.pieces.row(row);
            let leaves = self.of.iter().zip(coefficients).filter(|(c, _)| c.leaves);
            let ln: f64 = leaves.map(|(c, value)| value * z[c.term]).sum();
            if counted { ln.exp() } else { 0.0 }
        };
        path.at.iter().enumerate().map(one).sum()
    }
}

/// `ln S(W) − ln S(W + w)` with `b + W` for `b`: of a tiny `w` by its slope, as the logarithms would cancel.
fn ln_left(a: f64, b: f64, w: f64) -> f64 {
    if w > 1e-5 * b.min(1.0) {
        return ln_rising(a + b, w) - ln_rising(b, w);
    }
    w * (digamma(a + b + 0.5 * w) - digamma(b + 0.5 * w))
}

/// `m ln D` of what the purchases' clock went, its derivatives in the coefficients added.
fn ln_gap(
    m: f64,
    gap: &Clocks,
    (n, first): (usize, usize),
    gradient: &mut [f64],
    hessian: &mut [f64],
) -> f64 {
    let count = n - first;
    for e in 0..count {
        let slope = gap.a_e[e] / gap.a;
        gradient[first + e] += m * slope;
        for f in e..count {
            let bend = gap.a_ef[e * count + f] / gap.a - slope * gap.a_e[f] / gap.a;
            hessian[(first + e) * n + first + f] += m * bend;
        }
    }
    m * gap.a.ln()
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
    let first = n - count;
    for e in 0..count {
        gradient[first + e] += slope * w_e[e];
        hessian[2 * n + first + e] -= tri_all_w * w_e[e];
        hessian[3 * n + first + e] += bend * w_e[e];
        for f in e..count {
            hessian[(first + e) * n + first + f] += bend * w_e[e] * w_e[f] + slope * w_ef[e * count + f];
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
