//! Mean spend as it is beside what a population says.

use clv_core::{Customers, Error};

use super::{GammaGamma, KIND};
use crate::spend_density::{SpendDensity, Spenders};

impl GammaGamma {
    /// The densities of customers' mean spends at so many amounts, alike apart in their logarithms, from the 1st to the 99th percentile of what was seen:
    /// figure 2 of Fader, Hardie & Lee (2005), ready to plot.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] without spend; [`Error::TooLittleData`] with fewer than two customers who count, or all alike.
    pub fn spend_densities(&self, who: &Customers<'_>, points: usize) -> Result<Vec<SpendDensity>, Error> {
        let spenders = Spenders::of(KIND.name, who)?;
        let expected = |mean: f64| {
            let of = |(count, _): &(f64, f64)| self.ln_likelihood(*count, mean).exp();
            spenders.counted.iter().map(of).sum::<f64>() / spenders.counted.len() as f64
        };
        Ok(spenders.densities(points, expected))
    }
}
