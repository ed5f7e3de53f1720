//! Mean spend as it is beside what a population says.

use clv_core::{Customers, Error};

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

/// Customers with a mean spend above 0, by what it is.
#[derive(Debug)]
pub(crate) struct Spenders {
    /// How many purchases the mean is of, and the mean.
    pub counted: Vec<(f64, f64)>,
    logs: Vec<f64>,
    /// Of the kernel.
    width: f64,
}

impl Spenders {
    /// # Errors
    ///
    /// [`Error::MissingColumn`] without spend; [`Error::TooLittleData`] with fewer than two customers who count, or all alike.
    pub(crate) fn of(model: &'static str, who: &Customers<'_>) -> Result<Self, Error> {
        let missing = || Error::MissingColumn { model, column: "monetary_value".into() };
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
            return Err(Error::TooLittleData { model, needs, found: counted.len() });
        }
        let mut all = Self { counted, logs, width: 0.0 };
        let spread = deviation.min((all.at(0.75) - all.at(0.25)) / 1.34);
        all.width = 0.9 * if spread > 0.0 { spread } else { deviation } * n.powf(-0.2);
        Ok(all)
    }

    /// The logarithm of the mean spend that a share stays below.
    fn at(&self, share: f64) -> f64 {
        self.logs[((share * self.logs.len() as f64) as usize).min(self.logs.len() - 1)]
    }

    /// At so many amounts, alike apart in their logarithms, from the 1st to the 99th percentile.
    pub(crate) fn densities(&self, points: usize, expected: impl Fn(f64) -> f64) -> Vec<SpendDensity> {
        let (low, high) = (self.at(0.01), self.at(0.99));
        let step = (high - low) / points.saturating_sub(1).max(1) as f64;
        let one = |i: usize| {
            let ln = low + step * i as f64;
            let mean = ln.exp();
            let kernel = |other: &f64| (-0.5 * ((ln - other) / self.width).powi(2)).exp();
            let scale = self.logs.len() as f64 * self.width * std::f64::consts::TAU.sqrt();
            let on_logs = self.logs.iter().map(kernel).sum::<f64>() / scale;
            SpendDensity { mean, expected: expected(mean), actual: on_logs / mean }
        };
        (0..points).map(one).collect()
    }
}
