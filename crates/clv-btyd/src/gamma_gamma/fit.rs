//! Maximum likelihood for the spend model.

use clv_core::summary::SpendBasis;
use clv_core::{Context, Customers, Error, Fit, Fitted, TimeUnit, Training, Warning};
use rand_chacha::ChaCha8Rng;

use super::covariates::SpendWithCovariates;
use super::likelihood::Groups;
use super::{GammaGamma, KIND, PARAMETERS, SpendModel};
use crate::amounts::Paid;
use crate::bayes_spend::DrawnSpend;
use crate::covariates::Covariates;
use crate::process::Parameter;
use crate::refit::sealed::Again;
use crate::refit::{Near, Refit, drawn_places};
use crate::search::{Coordinate, Found, Level, Options, Search};

/// How to fit the Gamma-Gamma model: by maximum likelihood on customers with a mean spend above 0,
/// with a penalty or fixed parameters if wanted. The others are counted in a warning.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `penalty` | 0 | plain maximum likelihood, as published |
/// | `fix` | none | every parameter is estimated |
/// | `start` | several | the best on a sample is followed |
/// | `individually` | no | from means, as published: they are all that a summary holds |
#[derive(Clone, Debug, PartialEq, Default)]
pub struct GammaGammaFit {
    pub(super) options: Options,
    individually: bool,
}

/// What customers who count spent.
#[derive(Clone, Debug)]
pub struct Spent {
    /// Purchases and mean of each, with their row.
    pub(super) rows: Vec<(u32, f64)>,
    pub(super) row: Vec<usize>,
    /// Of each the sum of the logarithms of the amounts, if they were asked for one by one.
    pub(super) ln_amounts: Option<Vec<f64>>,
    pub(super) mean: f64,
    pub(super) basis: SpendBasis,
    pub(super) unit: TimeUnit,
    warnings: Vec<Warning>,
}

impl Spent {
    fn groups(&self) -> Groups {
        let groups = Groups::of(self.rows.clone());
        match self.ln_amounts() {
            Some(ln_amounts) => groups.individually(ln_amounts),
            None => groups,
        }
    }

    /// The sum of the logarithms of all amounts, if they were asked for one by one.
    pub(super) fn ln_amounts(&self) -> Option<f64> {
        self.ln_amounts.as_ref().map(|each| each.iter().sum())
    }

    /// These of the customers, some of them more than once.
    pub(super) fn of_places(&self, places: &[usize]) -> Result<Self, Error> {
        let pick = |values: &[f64]| places.iter().map(|&i| values[i]).collect();
        let rows = places.iter().map(|&i| self.rows[i]).collect();
        let row = places.iter().map(|&i| self.row[i]).collect();
        let singly = self.ln_amounts.as_deref().map(|each| (pick(each), Vec::new()));
        GammaGammaFit::counted(rows, row, singly, (self.basis, self.unit, places.len()))
    }

    /// As many who buy as often, of the population that each is of.
    pub(super) fn simulated<'p>(
        &self,
        of: impl Fn(usize) -> &'p GammaGamma,
        rng: &mut ChaCha8Rng,
    ) -> Result<Self, Error> {
        let (mut rows, mut each) = (Vec::with_capacity(self.rows.len()), Vec::new());
        for (i, &(x, _)) in self.rows.iter().enumerate() {
            let population = of(i);
            let nu = population.draw_customer(rng);
            let (mut sum, mut ln) = (0.0, 0.0);
            for _ in 0..x {
                // Of a tiny shape an amount may be too small for a number: some money is paid.
                let amount = population.draw_amount(nu, rng).max(f64::MIN_POSITIVE);
                (sum, ln) = (sum + amount, ln + amount.ln());
            }
            rows.push((x, sum / f64::from(x)));
            each.push(ln);
        }
        let singly = self.ln_amounts.is_some().then(|| (each, Vec::new()));
        GammaGammaFit::counted(rows, self.row.clone(), singly, (self.basis, self.unit, self.rows.len()))
    }

    /// Those who were left out, and a population without a mean.
    pub(super) fn warnings(&self, population: &GammaGamma) -> Vec<Warning> {
        let mut warnings = self.warnings.clone();
        if population.q <= 1.0 {
            warnings.push(Warning::UndefinedMean { q: population.q });
        }
        warnings
    }
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
        Ok(Self { options: self.options.penalty(lambda)?, ..self })
    }

    /// Holds a parameter (`p`, `q` or `gamma`) at a value.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownName`] for another name, [`Error::Setting`] unless the value is finite and
    /// positive.
    pub fn fix(self, name: &str, value: f64) -> Result<Self, Error> {
        Ok(Self { options: self.options.fix(&PARAMETERS, name, value)?, ..self })
    }

    /// Starts the search here instead of at several places.
    pub fn start(mut self, at: GammaGamma) -> Self {
        self.options.start = Some(at.values().to_vec());
        self
    }

    /// From the amounts one by one, which tell `p` better than their means: the likelihood of Fader & Hardie (2013) before they are summed up.
    /// Amounts that are not above 0 are left out, and whose some are is counted in a warning. Needs a training log.
    ///
    /// # Formula
    ///
    /// ```text
    /// L = Γ(px + q)/Γ(q) · γ^q/(γ + Σz)^{px+q} · Π z^{p−1}/Γ(p)
    /// ```
    pub fn individually(self) -> Self {
        Self { individually: true, ..self }
    }

    /// With covariates that move `γ`: `e^coefficient` is the ratio of the mean spend.
    pub fn with(self, covariates: Covariates) -> SpendWithCovariates {
        SpendWithCovariates::new(self, covariates)
    }

    /// Fits these customers; [`Fit::fit`] takes them from a training log.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] without amounts, [`Error::NoEstimate`] where the likelihood has no
    /// maximum, [`Error::Stopped`]; [`Error::TooLittleData`] if amounts are wanted one by one.
    pub fn fit_customers(&self, who: &Customers<'_>, cx: &Context<'_>) -> Result<Fitted<SpendModel>, Error> {
        self.fit_spent(&self.spent(who)?, cx)
    }

    /// What is searched, about this mean spend.
    pub(super) fn coordinates(&self, mean: f64) -> Vec<Coordinate> {
        let of = |(parameter, centre)| Coordinate::of(parameter, &self.options, centre);
        PARAMETERS.iter().zip([1.0, 1.0, mean]).map(of).collect()
    }

    /// The customers who count, by their means.
    pub(super) fn spent(&self, who: &Customers<'_>) -> Result<Spent, Error> {
        if self.individually {
            let needs = "the log itself: means do not tell amounts one by one";
            return Err(Error::TooLittleData { model: KIND.name, needs, found: 0 });
        }
        let missing = || Error::MissingColumn { model: KIND.name, column: "monetary_value".into() };
        let spend = who.spend().ok_or_else(missing)?;
        let extra = u32::from(who.basis() == SpendBasis::All);
        let row: Vec<usize> = (0..who.len())
            .filter(|&i| who.basis().count(who.frequency()[i]) > 0.0 && spend[i] > 0.0)
            .collect();
        let rows = row.iter().map(|&i| (who.frequency()[i] + extra, spend[i])).collect();
        Self::counted(rows, row, None, (who.basis(), who.unit(), who.len()))
    }

    /// The same of a log.
    pub(super) fn spent_of(&self, data: &Training<'_>) -> Result<Spent, Error> {
        let summary = data.summary();
        if !self.individually {
            return self.spent(&summary.customers());
        }
        let paid = Paid::of(KIND.name, data)?;
        let (mut rows, mut row, mut ln_amounts) = (Vec::new(), Vec::new(), Vec::new());
        for (i, amounts) in paid.customers.iter().enumerate().filter(|(_, amounts)| !amounts.is_empty()) {
            ln_amounts.push(amounts.iter().map(|amount| amount.ln()).sum::<f64>());
            rows.push((amounts.len() as u32, amounts.iter().sum::<f64>() / amounts.len() as f64));
            row.push(i);
        }
        Self::counted(
            rows,
            row,
            Some((ln_amounts, paid.warnings())),
            (summary.basis, summary.unit, summary.len()),
        )
    }

    fn counted(
        rows: Vec<(u32, f64)>,
        row: Vec<usize>,
        singly: Option<(Vec<f64>, Vec<Warning>)>,
        (basis, unit, customers): (SpendBasis, TimeUnit, usize),
    ) -> Result<Spent, Error> {
        let no_estimate = |why| Error::NoEstimate { model: KIND.name, why };
        if rows.is_empty() {
            return Err(no_estimate("no customer has a repeat purchase with an amount above 0"));
        }
        let first = rows[0].1;
        if rows.iter().all(|r| (r.1 - first).abs() <= 1e-9 * first) {
            return Err(no_estimate("every customer spends the same, so there is no spread to learn from"));
        }
        let mean = rows.iter().map(|r| r.1).sum::<f64>() / rows.len() as f64;
        let left_out = customers - rows.len();
        let why = "they have no repeat purchase with an amount above 0; they get the population mean";
        let of_means = (left_out > 0).then_some(Warning::LeftOut { customers: left_out, why });
        let (ln_amounts, warnings) = match singly {
            Some((ln_amounts, warnings)) => (Some(ln_amounts), warnings),
            None => (None, of_means.into_iter().collect()),
        };
        Ok(Spent { rows, row, ln_amounts, mean, basis, unit, warnings })
    }

    pub(super) fn fit_spent(&self, spent: &Spent, cx: &Context<'_>) -> Result<Fitted<SpendModel>, Error> {
        let groups = spent.groups();
        // Amounts one by one are known in one sum, which a sample does not share.
        let sample = (groups.len() > 20_000 && spent.ln_amounts.is_none())
            .then(|| groups.thinned(groups.len() / 5_000));
        let passes: Vec<_> = sample
            .iter()
            .chain([&groups])
            .map(|g| {
                (g.len() as f64, move |v: &[f64]| Some(g.derivatives(&GammaGamma::from_values(v).ok()?)))
            })
            .collect();
        let levels: Vec<Level<'_>> =
            passes.iter().map(|(customers, f)| Level { customers: *customers, derivatives: f }).collect();
        let mean = spent.mean;
        let starts = [[1.0, 2.0, mean], [6.0, 4.0, 0.5 * mean], [2.0, 20.0, 10.0 * mean]];
        let search = Search::over(KIND.name, self.coordinates(mean), self.options.start.as_ref());
        let Found { values, mut report } = search.run(&starts.map(|s| s.to_vec()), &levels, cx)?;
        report.unit = spent.unit;
        let population = GammaGamma::from_values(&values)?;
        report.warnings.extend(spent.warnings(&population));
        let model = SpendModel::new(population, spent.unit).spend_basis(spent.basis);
        Ok(Fitted { model, report })
    }

    /// The likelihood of customers, for draws from the posterior.
    pub(super) fn likelihood(spent: &Spent) -> impl Fn(&[f64]) -> Option<clv_math::minimise::Derivatives> {
        let groups = spent.groups();
        move |values: &[f64]| Some(groups.derivatives(&GammaGamma::from_values(values).ok()?))
    }
}

/// Settings with customers and what they spent.
#[derive(Debug)]
pub struct OfSpent<'a> {
    settings: &'a GammaGammaFit,
    spent: Spent,
    population: GammaGamma,
}

impl Refit for OfSpent<'_> {
    type Model = SpendModel;
    type Customers = Spent;

    const PARAMETERS: &'static [Parameter] = &PARAMETERS;

    fn penalty(&self) -> f64 {
        self.settings.options.penalty
    }

    fn seen(&self) -> Result<Spent, Error> {
        Ok(self.spent.clone())
    }

    fn drawn(&self, rng: &mut ChaCha8Rng) -> Result<Spent, Error> {
        self.spent.of_places(&drawn_places(self.spent.rows.len(), rng))
    }

    fn simulated(&self, rng: &mut ChaCha8Rng) -> Result<Spent, Error> {
        self.spent.simulated(|_| &self.population, rng)
    }

    fn refit(&self, spent: &Spent, near: Near<'_>, cx: &Context<'_>) -> Result<Fitted<SpendModel>, Error> {
        let options = self.settings.options.clone().near(&PARAMETERS, near)?;
        GammaGammaFit { options, ..self.settings.clone() }.fit_spent(spent, cx)
    }
}

impl Again for GammaGammaFit {
    type Ready<'a> = OfSpent<'a>;

    fn ready<'a>(&'a self, data: &'a Training<'_>, model: &'a SpendModel) -> Result<OfSpent<'a>, Error> {
        Ok(OfSpent { settings: self, spent: self.spent_of(data)?, population: *model.parameters() })
    }

    fn with_values(model: &SpendModel, values: &[f64]) -> Result<SpendModel, Error> {
        DrawnSpend::with_values(model, values)
    }
}

impl Fit for GammaGammaFit {
    type Model = SpendModel;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<SpendModel>, Error> {
        self.fit_spent(&self.spent_of(data)?, cx)
    }
}
