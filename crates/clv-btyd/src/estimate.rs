//! Maximum likelihood on weighted cells.
//!
//! The search runs over the logarithms of the parameters with exact first and second derivatives: from
//! several starts on a few thousand cells, then from the best on all of them.

use std::marker::PhantomData;

use clv_core::{Cells, Context, Error, Fit, Fitted, TimeUnit, Training};

use crate::model::PurchaseModel;
use crate::process::{Parameter, Process, Scale, cells_of, expect_histories, mean_age};
use crate::refit::Near;
use crate::search::{Coordinate, Found, Level, Options, Search};

/// How to fit a purchase model: by maximum likelihood, with a penalty or fixed parameters if wanted.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `penalty` | 0 | plain maximum likelihood, as published |
/// | `fix` | none | every parameter is estimated |
/// | `start` | several | tried on a sample of the cells; the best is followed |
///
/// ```
/// use clv_btyd::{MaximumLikelihood, ParetoNbd};
/// let plain = MaximumLikelihood::<ParetoNbd>::new();
/// let careful = plain.clone().penalty(0.01)?.fix("s", 1.0)?;
/// assert_ne!(plain, careful);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct MaximumLikelihood<P> {
    options: Options,
    process: PhantomData<P>,
}

impl<P: Process> Default for MaximumLikelihood<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Process> MaximumLikelihood<P> {
    /// Plain maximum likelihood.
    pub fn new() -> Self {
        Self { options: Options::default(), process: PhantomData }
    }

    /// An L2 penalty `λ Σ ln(θ/θ₀)²` on the mean log-likelihood per customer, `θ₀` being 1 for a
    /// shape and the mean age for a rate, so that the estimate does not change with the time unit.
    ///
    /// (The `penalizer_coef` of lifetimes adds `λ Σ θ²` instead, which does.)
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and at least 0.
    pub fn penalty(self, lambda: f64) -> Result<Self, Error> {
        Ok(Self { options: self.options.penalty(lambda)?, ..self })
    }

    /// Holds a parameter at a value (rates in the time unit of the data).
    ///
    /// # Errors
    ///
    /// [`Error::UnknownName`] for a parameter that the model does not have, [`Error::Setting`] unless the
    /// value is finite and positive.
    pub fn fix(self, name: &str, value: f64) -> Result<Self, Error> {
        Ok(Self { options: self.options.fix(P::PARAMETERS, name, value)?, ..self })
    }

    /// With a parameter of the model held.
    pub(crate) fn holding(name: &'static str, value: f64) -> Self {
        let options = Options { fixed: vec![(name, value)], ..Options::default() };
        Self { options, process: PhantomData }
    }

    /// What is searched, for customers of this mean age.
    pub(crate) fn coordinates(&self, mean_age: f64) -> Vec<Coordinate> {
        let of = |p: &Parameter| Coordinate::of(p, &self.options, p.scale.centre(mean_age));
        P::PARAMETERS.iter().map(of).collect()
    }

    /// Where the search starts, if that is set.
    pub(crate) fn start_value(&self) -> Option<Vec<f64>> {
        self.options.start.clone()
    }

    /// Where a parameter is held.
    pub(crate) fn fixed_value(&self, name: &str) -> Option<f64> {
        self.options.fixed_value(name)
    }

    /// In a posterior priors take its place.
    pub(crate) fn expect_no_penalty(&self) -> Result<(), Error> {
        self.options.expect_no_penalty()
    }

    /// The penalty.
    pub(crate) fn penalty_value(&self) -> f64 {
        self.options.penalty
    }

    /// Starts the search here instead of at several places.
    pub fn start(mut self, at: P) -> Self {
        self.options.start = Some(at.values());
        self
    }

    /// From an estimate on, holding what a profile holds.
    pub(crate) fn near(&self, near: Near<'_>) -> Result<Self, Error> {
        Ok(Self { options: self.options.clone().near(P::PARAMETERS, near)?, process: PhantomData })
    }

    /// Refuses what is fixed and cannot be, and what must be and is not.
    pub(crate) fn expect_fixed(&self) -> Result<(), Error> {
        let is_chosen = |p: &Parameter| p.scale != Scale::Count || self.options.fixed_value(p.name).is_some();
        if !P::PARAMETERS.iter().all(is_chosen) {
            let why = "histories do not tell how regular customers are: fix k, or choose it by RegularFit";
            return Err(Error::NoEstimate { model: P::KIND.name, why });
        }
        // What is fixed must fit the model, whatever the rest will be.
        let fixed = P::PARAMETERS.iter().map(|p| self.options.fixed_value(p.name).unwrap_or(1.0));
        P::from_values(&fixed.collect::<Vec<_>>()).map(|_| ())
    }

    /// Fits weighted cells; [`Fit::fit`] makes them from a training log.
    ///
    /// # Errors
    ///
    /// [`Error::TooLittleData`] without customers, [`Error::NoEstimate`] where the likelihood has no
    /// maximum (nobody ever came back), [`Error::History`] for times that are not whole where a model counts in periods (its row is the
    /// cell), [`Error::Stopped`].
    pub fn fit_cells(
        &self,
        cells: &Cells,
        unit: TimeUnit,
        cx: &Context<'_>,
    ) -> Result<Fitted<PurchaseModel<P>>, Error> {
        let name = P::KIND.name;
        self.expect_fixed()?;
        if cells.is_empty() {
            return Err(Error::TooLittleData { model: name, needs: "at least one customer", found: 0 });
        }
        let cells = &*cells_of::<P>(cells)?;
        let sum = |f: &dyn Fn(usize) -> f64| (0..cells.len()).map(|i| cells.weight[i] * f(i)).sum::<f64>();
        let repeats = sum(&|i| f64::from(cells.frequency[i]));
        let mean_age = mean_age(name, cells)?;
        let warnings = P::look(cells)?;
        let search = Search::over(name, self.coordinates(mean_age), self.options.start.as_ref());
        let starts = P::starts(mean_age, repeats / sum(&|i| cells.age[i]));
        // A rough fit needs no more than a few thousand histories, those with repeats among them.
        let samples: Vec<Cells> = [(1_000, 4_000), (15_000, 60_000)]
            .into_iter()
            .filter(|&(_, from)| cells.len() > from)
            .map(|(size, _)| cells.thinned(cells.len() / size))
            .collect();
        let passes: Vec<_> = samples
            .iter()
            .chain([cells])
            .map(|c| (c.customers(), move |values: &[f64]| Some(P::from_values(values).ok()?.derivatives(c))))
            .collect();
        let levels: Vec<Level<'_>> =
            passes.iter().map(|(customers, f)| Level { customers: *customers, derivatives: f }).collect();
        let Found { values, mut report } = search.run(&starts, &levels, cx)?;
        report.unit = unit;
        report.rows = cells.len();
        report.warnings.extend(warnings);
        let process = P::from_values(&values)?;
        process.expect_no_limit()?;
        Ok(Fitted { model: PurchaseModel::new(process, unit), report })
    }
}

impl<P: Process> Fit for MaximumLikelihood<P> {
    type Model = PurchaseModel<P>;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>, Error> {
        expect_histories::<P>(data)?;
        self.fit_cells(&data.cells(), data.summary().unit, cx)
    }
}
