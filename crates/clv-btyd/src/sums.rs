//! Sums over periods to come: the first one by one, the rest, which is smooth, by its integral.

use clv_math::quadrature::{Tail, ln_integral};

/// So many terms are added up one by one.
const SUMMED: u32 = 4_096;

/// `Σ e^{f(k)}` over the periods after `from` up to `to`, of a function that falls.
pub(crate) fn sum_until(ln_f: &dyn Fn(f64) -> f64, from: u32, to: u32) -> f64 {
    let near = to.min(from.saturating_add(SUMMED));
    let (sum, is_all) = one_by_one(ln_f, from, near);
    if is_all || near == to {
        return sum;
    }
    let last = f64::from(to);
    let rest = beyond(ln_f, f64::from(near), Tail { at: last.ln(), rate: f64::INFINITY });
    sum + rest + half_and_slope(ln_f, last)
}

/// The same over all periods, of a function that ends like `k^{−decay}`, or faster than any power.
pub(crate) fn sum_for_ever(ln_f: &dyn Fn(f64) -> f64, decay: f64) -> f64 {
    let (sum, is_all) = one_by_one(ln_f, 0, SUMMED);
    if is_all {
        return sum;
    }
    sum + beyond(ln_f, f64::from(SUMMED), Tail { at: 650.0, rate: decay - 1.0 })
}

/// The first terms, and whether nothing follows.
fn one_by_one(ln_f: &dyn Fn(f64) -> f64, from: u32, to: u32) -> (f64, bool) {
    let mut sum = 0.0;
    for k in from + 1..=to {
        let term = ln_f(f64::from(k)).exp();
        sum += term;
        if term < 1e-18 * sum || term == 0.0 {
            return (sum, true);
        }
    }
    (sum, false)
}

/// Euler and Maclaurin from a period on: the integral, half the ends, and a twelfth of the slopes there.
fn beyond(ln_f: &dyn Fn(f64) -> f64, first: f64, right: Tail) -> f64 {
    let left = Tail { at: first.ln(), rate: f64::INFINITY };
    ln_integral(|v: f64| ln_f(v.exp()) + v, first.ln(), left, right).exp() - half_and_slope(ln_f, first)
}

fn half_and_slope(ln_f: &dyn Fn(f64) -> f64, k: f64) -> f64 {
    let slope = ln_f(k + 0.5) - ln_f(k - 0.5);
    ln_f(k).exp() * (0.5 + slope / 12.0)
}
