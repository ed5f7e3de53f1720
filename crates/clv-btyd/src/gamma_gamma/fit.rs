//! Maximum likelihood for the spend model.

use clv_core::summary::SpendBasis;
use clv_core::{Context, Customers, Error, Fit, Fitted, Training, Warning};

use super::likelihood::Groups;
use super::{GammaGamma, KIND, PARAMETERS, SpendModel};
use crate::search::{Found, Level, Options, Search};

/// How to fit the Gamma-Gamma model: by maximum likelihood on customers with a mean spend above 0,
/// with a penalty or fixed parameters if wanted. The others are counted in a warning.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `penalty` | 0 | plain maximum likelihood, as published |
/// | `fix` | none | every parameter is estimated |
/// | `start` | several | the best on a sample is followed |
#[derive(Clone, Debug, PartialEq, Default)]
pub struct GammaGammaFit {
    options: Options,
}

impl GammaGammaFit {
    /// Plain maximum likelihood.
    pub fn new() -> Self {
        Self::default()
    }

    /// An L2 penalty `λ Σ ln(θ/θ₀)²` on the mean log-likelihood per customer; `θ₀` is 1 for `p` and
    /// `q` and the mean spend for `γ`, so that the estimate does not change with the currency.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and at least 0.
    pub fn penalty(self, lambda: f64) -> Result<Self, Error> {
        Ok(Self { options: self.options.penalty(lambda)? })
    }

    /// Holds a parameter (`p`, `q` or `gamma`) at a value.
    ///
    /// # Errors
    ///
    /// [`Error::Unreadable`] for another name, [`Error::Setting`] unless the value is finite and
    /// positive.
    pub fn fix(self, name: &str, value: f64) -> Result<Self, Error> {
        Ok(Self { options: self.options.fix(&PARAMETERS, name, value)? })
    }

    /// Starts the search here instead of at several places.
    pub fn start(mut self, at: GammaGamma) -> Self {
        self.options.start = Some(at.values().to_vec());
        self
    }

    /// Fits these customers; [`Fit::fit`] takes them from a training log.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] without amounts, [`Error::NoEstimate`] where the likelihood has no
    /// maximum, [`Error::Stopped`].
    pub fn fit_customers(&self, who: &Customers<'_>, cx: &Context<'_>) -> Result<Fitted<SpendModel>, Error> {
        let no_estimate = |why| Error::NoEstimate { model: KIND.name, why };
        let missing = || Error::MissingColumn { model: KIND.name, column: "monetary_value".into() };
        let spend = who.spend().ok_or_else(missing)?;
        let extra = u32::from(who.basis() == SpendBasis::All);
        let rows: Vec<(u32, f64)> = (0..who.len())
            .filter(|&i| who.basis().count(who.frequency()[i]) > 0.0 && spend[i] > 0.0)
            .map(|i| (who.frequency()[i] + extra, spend[i]))
            .collect();
        let left_out = who.len() - rows.len();
        if rows.is_empty() {
            return Err(no_estimate("no customer has a repeat purchase with an amount above 0"));
        }
        let first = rows[0].1;
        if rows.iter().all(|r| (r.1 - first).abs() <= 1e-9 * first) {
            return Err(no_estimate("every customer spends the same, so there is no spread to learn from"));
        }
        let mean = rows.iter().map(|r| r.1).sum::<f64>() / rows.len() as f64;
        let groups = Groups::of(rows);
        let sample = (groups.len() > 20_000).then(|| groups.thinned(groups.len() / 5_000));
        let passes: Vec<_> = sample
            .iter()
            .chain([&groups])
            .map(|g| {
                (g.len() as f64, move |v: &[f64]| Some(g.derivatives(&GammaGamma::from_values(v).ok()?)))
            })
            .collect();
        let levels: Vec<Level<'_>> =
            passes.iter().map(|(customers, f)| Level { customers: *customers, derivatives: f }).collect();
        let starts = [[1.0, 2.0, mean], [6.0, 4.0, 0.5 * mean], [2.0, 20.0, 10.0 * mean]];
        let search = Search::new(KIND.name, &PARAMETERS, &self.options, &[1.0, 1.0, mean]);
        let Found { values, mut report } = search.run(&starts.map(|s| s.to_vec()), &levels, cx)?;
        report.unit = who.unit();
        if left_out > 0 {
            let why = "they have no repeat purchase with an amount above 0; they get the population mean";
            report.warnings.push(Warning::LeftOut { customers: left_out, why });
        }
        let population = GammaGamma::from_values(&values)?;
        if population.q <= 1.0 {
            report.warnings.push(Warning::UndefinedMean { q: population.q });
        }
        let model = SpendModel::new(population, who.unit()).spend_basis(who.basis());
        Ok(Fitted { model, report })
    }
}

impl Fit for GammaGammaFit {
    type Model = SpendModel;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<SpendModel>, Error> {
        self.fit_customers(&data.summary().customers(), cx)
    }
}
