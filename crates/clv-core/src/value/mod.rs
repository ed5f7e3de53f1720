//! What a stream of purchases is worth today, and what is left of it after costs.

mod additive;
mod economics;

use crate::units::{Discount, Span, TimeUnit};

pub use additive::Additive;
pub use economics::{Economics, Future, GroupValue, LifetimeValue, Past, by_group, discounted_years, equity};

/// The mean discount factor of money spread evenly over a horizon: `(1 − e^{−δH}) / (δH)`, or the
/// mean over period ends.
///
/// For forecasts that give one total and no course over time.
pub fn mean_factor(discount: Discount, horizon: Span) -> f64 {
    let unit = TimeUnit::Week;
    let h = horizon.in_units(unit);
    if h <= 0.0 {
        return 1.0;
    }
    discounted_total(discount, horizon, unit, |t| t / h, |delta| one_minus_exp_over(delta * h))
}

/// The discounted sum of purchases over a horizon, from their cumulative expectation.
///
/// `expected(t)` is the number up to `t` units from now; `continuous(δ)` gives
/// `∫₀ᴴ e^{−δt} dE(t)` for a positive rate, in closed form or by quadrature. With a period set, each
/// period's purchases are discounted from its end.
pub fn discounted_total(
    discount: Discount,
    horizon: Span,
    unit: TimeUnit,
    mut expected: impl FnMut(f64) -> f64,
    continuous: impl FnOnce(f64) -> f64,
) -> f64 {
    let delta = discount.rate_per(unit);
    let h = horizon.in_units(unit);
    let Some(period) = discount.period() else {
        return if delta == 0.0 { expected(h) } else { continuous(delta) };
    };
    let length = period.in_units(unit);
    let (mut total, mut before, mut k) = (0.0, 0.0, 1.0);
    loop {
        let end = (k * length).min(h);
        let until = expected(end);
        total += (until - before).max(0.0) * (-delta * end).exp();
        before = until;
        if end >= h {
            return total;
        }
        k += 1.0;
    }
}

/// What a purchase at a time within the horizon counts: `e^{−δt}`, or with a period set that of the period's end.
pub fn discount_factor(discount: Discount, horizon: Span, unit: TimeUnit, t: f64) -> f64 {
    let counted_at = discount.period().map_or(t, |period| {
        let length = period.in_units(unit);
        ((t / length).ceil().max(1.0) * length).min(horizon.in_units(unit))
    });
    (-discount.rate_per(unit) * counted_at).exp()
}

fn one_minus_exp_over(x: f64) -> f64 {
    if x.abs() < 1e-8 { 1.0 - 0.5 * x } else { -(-x).exp_m1() / x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_spread_has_the_textbook_factor() {
        let year = Span::new(1.0, TimeUnit::Year).unwrap();
        let d = Discount::yearly(0.1).unwrap();
        let delta = 1.1_f64.ln();
        assert!((mean_factor(d, year) - (1.0 - (-delta).exp()) / delta).abs() < 1e-14);
        assert_eq!(mean_factor(Discount::NONE, year), 1.0);
        let at_end = d.at_period_ends(year).unwrap();
        assert!((mean_factor(at_end, year) - 1.0 / 1.1).abs() < 1e-14);
        let monthly = d.at_period_ends(Span::new(1.0, TimeUnit::Month).unwrap()).unwrap();
        let by_hand: f64 = (1..=12).map(|k| (-delta * f64::from(k) / 12.0).exp() / 12.0).sum();
        assert!((mean_factor(monthly, year) - by_hand).abs() < 1e-13);
    }
}
