//! Mean spend as it is beside what a population says.

use clv_core::{Customers, Error};

use super::{GammaGamma, KIND};

/// How dense mean spends lie at an amount.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpendDensity {
    /// The mean spend.
    pub mean: f64,
    /// As the population says, of customers with as many purchases each.
    pub expected: f64,
    /// As they are, smoothed by a normal kernel on the logarithms (Silverman 1986, equation 3.31).
    pub actual: f64,
}

impl GammaGamma {
    /// The densities of customers' mean spends at so many amounts, alike apart in their logarithms, from the 1st to the 99th percentile of what was seen:
    /// figure 2 of Fader, Hardie & Lee (2005), ready to plot.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] without spend; [`Error::TooLittleData`] with fewer than two customers who count, or all alike.
    pub fn spend_densities(&self, who: &Customers<'_>, points: usize) -> Result<Vec<SpendDensity>, Error> {
        let missing = || Error::MissingColumn { model: KIND.name, column: "monetary_value".into() };
        let spend = who.spend().ok_or_else(missing)?;
        let mut counted: Vec<(f64, f64)> = (0..who.len())
            .map(|i| (who.basis().count(who.frequency()[i]), spend[i]))
            .filter(|(count, mean)| *count > 0.0 && *mean > 0.0)
            .collect();
        counted.sort_by(|a, b| a.1.total_cmp(&b.1));
        let n = counted.len() as f64;
        let logs: Vec<f64> = counted.iter().map(|(_, mean)| mean.ln()).collect();
        let middle = logs.iter().sum::<f64>() / n;
        let deviation = (logs.iter().map(|ln| (ln - middle) * (ln - middle)).sum::<f64>() / (n - 1.0)).sqrt();
        // Nothing to smooth, or a single value.
        if deviation.is_nan() || deviation <= 0.0 {
            let needs = "two customers with unlike mean spends above 0";
            return Err(Error::TooLittleData { model: KIND.name, needs, found: counted.len() });
        }
        let at = |share: f64| logs[((share * n) as usize).min(logs.len() - 1)];
        let spread = deviation.min((at(0.75) - at(0.25)) / 1.34);
        let width = 0.9 * if spread > 0.0 { spread } else { deviation } * n.powf(-0.2);
        let (low, high) = (at(0.01), at(0.99));
        let step = (high - low) / points.saturating_sub(1).max(1) as f64;
        let one = |i: usize| {
            let ln = low + step * i as f64;
            let mean = ln.exp();
            let expected =
                counted.iter().map(|(count, _)| self.ln_likelihood(*count, mean).exp()).sum::<f64>() / n;
            let kernel = |other: &f64| (-0.5 * ((ln - other) / width).powi(2)).exp();
            let on_logs = logs.iter().map(kernel).sum::<f64>() / (n * width * std::f64::consts::TAU.sqrt());
            SpendDensity { mean, expected, actual: on_logs / mean }
        };
        Ok((0..points).map(one).collect())
    }
}
