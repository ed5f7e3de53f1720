//! How regular purchases are: at random, or at a beat?

use clv_core::{Error, Training};
use clv_math::special::{digamma, trigamma};

/// Estimates of the regularity `k`, the shape of a gamma distribution of the times between purchases: 1 at random, more at a beat, less in
/// bursts. Before a model of it is fitted: [`RegularFit`](crate::RegularFit), [`ParetoGgg`](crate::ParetoGgg).
///
/// ```
/// use clv_btyd::Regularity;
/// # use clv_core::{Cut, Grain, LogBuilder, Moment, TimeUnit, Training, Transaction};
/// # let mut log = LogBuilder::new();
/// # for c in 0..40 { for p in 0..12 {
/// #     let day = f64::from(p * 14 + (c * 7 + p * 5) % 6);
/// #     log.push(Transaction::new(&format!("c{c}"), Moment::parse_date("2024-01-01")?.plus_days(day)))?;
/// # } }
/// # let log = log.finish();
/// # let cut = Cut::end_of(Moment::parse_date("2024-07-01")?, Grain::Day);
/// # let purchases = Training::merge(&log, cut)?;
/// let training = Training::new(&purchases, cut, TimeUnit::Week)?;
/// let regularity = Regularity::of(&training)?;
/// assert!(regularity.wheat_morrison.unwrap() > 5.0, "every other week, give or take a few days");
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Regularity {
    /// `(1 − 4 Var M) / (8 Var M)`, `M` the share that one of a customer's last two times between purchases has of both (Wheat & Morrison
    /// 1990, Journal of Marketing Research 27(1), 87–93; either order of the two counts half). None without two customers of three purchases;
    /// infinite if all are clocks.
    pub wheat_morrison: Option<f64>,
    /// Customers of three purchases or more.
    pub of_three: usize,
    /// The shape by maximum likelihood of each customer with more than ten purchases: the row of the summary and `k`, infinite for a clock.
    pub of_customers: Vec<(usize, f64)>,
}

/// Times between purchases from which on a customer's own shape is told.
const ENOUGH: usize = 10;

impl Regularity {
    /// Of the customers of a training log, by their purchases up to the cut.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] if only a summary was given.
    pub fn of(data: &Training<'_>) -> Result<Self, Error> {
        let needs = "the log itself: histories do not tell the times between purchases";
        let purchases =
            data.purchases().ok_or(Error::TooLittleData { model: "regularity", needs, found: 0 })?;
        let (mut squares, mut of_three, mut of_customers) = (0.0, 0, Vec::new());
        for (row, gaps) in clv_core::diagnostics::gaps(purchases, data.summary()).iter().enumerate() {
            if let [.., before, last] = gaps[..] {
                let away = last / (before + last) - 0.5;
                squares += away * away;
                of_three += 1;
            }
            if gaps.len() >= ENOUGH {
                of_customers.push((row, shape(gaps)));
            }
        }
        // Both orders of each pair: twice as many shares about their mean of one half.
        let variance = 2.0 * squares / (2.0 * of_three as f64 - 1.0);
        let wheat_morrison = (of_three > 1).then(|| (1.0 - 4.0 * variance) / (8.0 * variance));
        Ok(Self { wheat_morrison, of_three, of_customers })
    }

    /// The median of the customers' own.
    pub fn median(&self) -> Option<f64> {
        let mut shapes: Vec<f64> = self.of_customers.iter().map(|(_, k)| *k).collect();
        shapes.sort_by(f64::total_cmp);
        let n = shapes.len();
        (n > 0).then(|| 0.5 * (shapes[(n - 1) / 2] + shapes[n / 2]))
    }
}

/// `ln k − ψ(k) = ln mean − mean ln`, by Newton's steps on `ln k`.
fn shape(gaps: &[f64]) -> f64 {
    let n = gaps.len() as f64;
    let ln_mean = (gaps.iter().sum::<f64>() / n).ln();
    let apart = ln_mean - gaps.iter().map(|g| g.ln()).sum::<f64>() / n;
    // What rounding leaves of equal gaps.
    if apart < 1e-12 {
        return f64::INFINITY;
    }
    // Minka (2002), the start of his own iteration.
    let mut k = (3.0 - apart + ((apart - 3.0) * (apart - 3.0) + 24.0 * apart).sqrt()) / (12.0 * apart);
    for _ in 0..40 {
        let step = (k.ln() - digamma(k) - apart) / (1.0 - k * trigamma(k));
        k *= (-step).clamp(-1.0, 1.0).exp();
        if step.abs() < 1e-13 {
            break;
        }
    }
    k
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_solve_their_equation() {
        for gaps in [vec![1.0, 2.0, 3.0, 4.0], vec![0.01, 5.0, 9.0, 0.2], vec![7.0, 7.1, 6.95, 7.02]] {
            let k = shape(&gaps);
            let n = gaps.len() as f64;
            let apart = (gaps.iter().sum::<f64>() / n).ln() - gaps.iter().map(|g| g.ln()).sum::<f64>() / n;
            assert!((k.ln() - digamma(k) - apart).abs() < 1e-12, "{gaps:?}: {k}");
        }
        assert_eq!(shape(&[7.0, 7.0, 7.0]), f64::INFINITY);
    }
}
