//! Amounts that what is known of customers moves.

use clv_core::model::{AmountsOf, Answers, DrawAmounts, Kind};
use clv_core::saved::{Registry, SaveWriter, SavedModel};
use clv_core::summary::SpendBasis;
use clv_core::{
    Ask, Context, Customers, Error, Feature, Fit, Fitted, ForecastMut, Predict, Scratch, TimeUnit, Training,
    Warning,
};
use rand_chacha::ChaCha8Rng;

use super::fit::{GammaGammaFit, Spent};
use super::likelihood;
use super::posterior::heavy_tail;
use super::{GammaGamma, KIND, PARAMETERS, SpendModel};
use crate::bayes_spend::{BayesSpend, DrawnSpend, SpendFit};
use crate::covariates::{
    Columns, Covariates, Design, Effect, Fits, Groups, MOST, Movable, Moved, Unscaled, Within, coefficients,
    designed, effects, own_of, padded, unscaled,
};
use crate::posterior::{Posterior, Sampler, Target, modelled};
use crate::process::Parameter;
use crate::refit::sealed::Again;
use crate::refit::{Near, Refit, drawn_places};

const WITH_COVARIATES: Kind = Kind::around("covariates", 1, &KIND);

/// How to fit Gamma-Gamma with covariates ([`Covariates::on_spend`]): by maximum likelihood, from the estimate without them on.
///
/// ```
/// use clv_btyd::{Covariates, GammaGammaFit};
///
/// let settings = GammaGammaFit::new().with(Covariates::new().on_spend(["own_region"])?);
/// # let _ = settings;
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct SpendWithCovariates {
    each: GammaGammaFit,
    covariates: Covariates,
}

/// A Gamma-Gamma model whose customers have a `γ` of their own, by what is known of them.
///
/// Forecasts need the columns that it was fitted with ([`Predict::needs`]); [`SpendCovariateModel::of_columns`] is one customer's own model.
#[derive(Clone, Debug, PartialEq)]
pub struct SpendCovariateModel {
    base: SpendModel,
    moved: Moved,
}

impl SpendWithCovariates {
    pub(super) fn new(each: GammaGammaFit, covariates: Covariates) -> Self {
        Self { each, covariates }
    }

    fn derivatives(
        design: &Design,
        groups: &Groups,
        values: &[f64],
        ln_amounts: Option<f64>,
    ) -> Option<clv_math::minimise::Derivatives> {
        let mut rows = Vec::new();
        design.derivatives(values, groups, |group, own| {
            let population = GammaGamma::from_values(own).ok()?;
            rows.clear();
            let cells = groups.starts[group]..groups.starts[group + 1];
            for i in cells {
                // As many customers as have spent the same.
                let one = (groups.cells.frequency[i], groups.cells.recency[i]);
                rows.extend(std::iter::repeat_n(one, groups.cells.weight[i] as usize));
            }
            let of_group = likelihood::Groups::of_sorted(&rows);
            // The logarithms of the amounts count once, as p is moved by nothing.
            let of_group = match ln_amounts {
                Some(all) => of_group.individually(if group == 0 { all } else { 0.0 }),
                None => of_group,
            };
            Some(of_group.derivatives(&population))
        })
    }
}

/// Customers, what they spent, their columns and the coefficients to find.
#[derive(Debug)]
struct Prepared {
    spent: Spent,
    columns: Columns,
    effects: Vec<Effect>,
}

impl Prepared {
    /// Customers who spent this by their columns.
    fn groups(&self, spent: &Spent) -> Groups {
        let Columns { terms, rows, .. } = &self.columns;
        let width = terms.len();
        let one = |(&(x, mean), &row): (&(u32, f64), &usize)| {
            (x, mean, 0.0, rows[row * width..(row + 1) * width].to_vec())
        };
        Groups::of(spent.rows.iter().zip(&spent.row).map(one), width)
    }
}

impl SpendWithCovariates {
    fn prepare(&self, data: &Training<'_>) -> Result<Prepared, Error> {
        let spent = self.each.spent_of(data)?;
        let columns = Columns::of(self.covariates.asked.iter().map(|asked| &asked.term), data)?;
        let movable = Movable { model: KIND.name, parameters: &PARAMETERS, purchases: &[], dropout: &[] };
        let effects = effects(&self.covariates, &movable, &columns.terms, &data.columns_beyond()?)?;
        if spent.ln_amounts.is_some() && effects.iter().any(|effect| effect.on.iter().any(|(p, _)| *p == 0)) {
            let (quantity, hint) = ("columns that move p, of amounts one by one", ": fit their means");
            return Err(Error::CannotSay { model: KIND.name, quantity, hint });
        }
        Ok(Prepared { spent, columns, effects })
    }

    /// From several places, those of the model without columns, or near one.
    fn fit_spent(
        &self,
        spent: &Spent,
        prepared: &Prepared,
        near: Option<Near<'_>>,
        cx: &Context<'_>,
    ) -> Result<Fitted<SpendCovariateModel>, Error> {
        let Prepared { columns, effects, .. } = prepared;
        let starts = match near {
            Some(_) => Vec::new(),
            None => vec![self.each.fit_spent(spent, cx)?.model.parameters().values().to_vec()],
        };
        let (groups, ln_amounts) = (prepared.groups(spent), spent.ln_amounts());
        let derivatives = |design: &Design, groups: &Groups, values: &[f64]| {
            Self::derivatives(design, groups, values, ln_amounts)
        };
        let within = Within {
            name: KIND.name,
            coordinates: self.each.coordinates(spent.mean),
            starts,
            is_sampled: ln_amounts.is_none() && near.is_none(),
        };
        let fits = coefficients(within, ((&self.covariates, effects), near), &groups, &derivatives, cx)?;
        let Fits { design, values, mut report } = fits.in_units(&self.covariates);
        report.unit = spent.unit;
        let population = GammaGamma::from_values(&values[..PARAMETERS.len()])?;
        report.warnings.extend(spent.warnings(&population));
        let base = SpendModel::new(population, spent.unit).spend_basis(spent.basis);
        let moved = Moved::of(KIND.name, (columns.terms.clone(), columns.words.clone()), design, &values)?;
        Ok(Fitted { model: SpendCovariateModel { base, moved }, report })
    }
}

impl Fit for SpendWithCovariates {
    type Model = SpendCovariateModel;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<SpendCovariateModel>, Error> {
        let prepared = self.prepare(data)?;
        self.fit_spent(&prepared.spent, &prepared, None, cx)
    }
}

/// Settings with customers, what they spent, and their columns.
#[derive(Debug)]
pub struct OfColumns<'a> {
    settings: &'a SpendWithCovariates,
    prepared: Prepared,
    /// Each customer's own population, of those who count.
    own: Vec<GammaGamma>,
}

impl Refit for OfColumns<'_> {
    type Model = SpendCovariateModel;
    type Customers = Spent;

    const PARAMETERS: &'static [Parameter] = &PARAMETERS;

    fn penalty(&self) -> f64 {
        self.settings.covariates.most_penalty(self.settings.each.options.penalty)
    }

    fn seen(&self) -> Result<Spent, Error> {
        Ok(self.prepared.spent.clone())
    }

    fn drawn(&self, rng: &mut ChaCha8Rng) -> Result<Spent, Error> {
        self.prepared.spent.of_places(&drawn_places(self.own.len(), rng))
    }

    fn simulated(&self, rng: &mut ChaCha8Rng) -> Result<Spent, Error> {
        self.prepared.spent.simulated(|i| &self.own[i], rng)
    }

    fn refit(&self, spent: &Spent, near: Near<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>, Error> {
        self.settings.fit_spent(spent, &self.prepared, Some(near), cx)
    }
}

impl Again for SpendWithCovariates {
    type Ready<'a> = OfColumns<'a>;

    fn ready<'a>(
        &'a self,
        data: &'a Training<'_>,
        model: &'a SpendCovariateModel,
    ) -> Result<OfColumns<'a>, Error> {
        let prepared = self.prepare(data)?;
        let rows = prepared.spent.row.iter().copied();
        let own = own_of(data, model, rows, |who, row| {
            GammaGamma::from_values(&model.moved.of_customer(who, row)?)
        })?;
        Ok(OfColumns { settings: self, prepared, own })
    }

    fn with_values(model: &SpendCovariateModel, values: &[f64]) -> Result<SpendCovariateModel, Error> {
        DrawnSpend::with_values(model, values)
    }
}

impl SpendCovariateModel {
    /// The population parameters of a customer whose covariates are all 0 (at their means, if they were standardised).
    pub fn parameters(&self) -> &GammaGamma {
        self.base.parameters()
    }

    /// The coefficients by name.
    pub fn coefficients(&self) -> impl Iterator<Item = (&str, f64)> {
        self.moved.coefficients()
    }

    /// The model of a customer with these columns by name; of words it is enough to name the one that they have.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] for a number that is not named, [`Error::Unreadable`] for a name that the model does not read,
    /// [`Error::Cell`] for a value that is not known.
    pub fn of_columns(&self, columns: &[(&str, f64)]) -> Result<SpendModel, Error> {
        let population = GammaGamma::from_values(&self.moved.of_columns(columns)?)?;
        Ok(SpendModel { population, ..self.base })
    }
}

impl Predict for SpendCovariateModel {
    fn kind(&self) -> Kind {
        WITH_COVARIATES
    }

    fn unit(&self) -> TimeUnit {
        self.base.unit()
    }

    fn answers(&self) -> Answers {
        self.base.answers()
    }

    fn needs(&self) -> &[Feature] {
        &self.moved.needs
    }

    fn predict_into(
        &self,
        who: &Customers<'_>,
        _: &Ask,
        scratch: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<(), Error> {
        out.expect(KIND.name, &self.answers(), who.len())?;
        let Some(column) = &mut out.spend else { return Ok(()) };
        let spend = self.base.means(who)?;
        let Scratch { places, row, columns: [terms, ..], .. } = scratch;
        if who.is_empty() {
            return Ok(());
        }
        who.find(KIND.name, &self.moved.columns, places)?;
        row.clear();
        row.resize(self.moved.columns.len(), 0.0);
        let mut own = [0.0; MOST];
        for (r, slot) in column.iter_mut().enumerate() {
            who.fill_row(places, r, row);
            let population = GammaGamma::from_values(self.moved.own(row, r, terms, &mut own)?)?;
            let (count, mean) = self.base.counted(who.frequency()[r], Some(spend[r]));
            *slot = population.expected_mean(count, mean);
        }
        Ok(())
    }

    fn draw_amounts(&self) -> Option<&dyn DrawAmounts> {
        Some(self)
    }

    fn save(&self, to: &mut SaveWriter) -> Result<(), Error> {
        self.base.save(to)?;
        self.moved.save(&PARAMETERS, to)
    }
}

impl DrawAmounts for SpendCovariateModel {
    fn amounts_of(&self, who: &Customers<'_>, row: usize, _: usize) -> Result<AmountsOf<'_>, Error> {
        let population = GammaGamma::from_values(&self.moved.of_customer(who, row)?)?;
        let (counted, mean) = self.base.counted(who.frequency()[row], Some(self.base.means(who)?[row]));
        Ok(population.amounts_given(counted, mean))
    }
}

pub(super) fn register(registry: &mut Registry) {
    registry.register(WITH_COVARIATES, |saved, _| Ok(Box::new(SpendCovariateModel::load(saved)?)));
    crate::bayes_spend::register::<SpendCovariateModel>(registry);
}

impl BayesSpend<SpendWithCovariates> {
    /// The deviation of the prior of a coefficient, for one standard deviation of its column: 1 unless it is set.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and above 0.
    pub fn coefficient_deviation(mut self, deviation: f64) -> Result<Self, Error> {
        self.sampler.of_coefficients = clv_core::setting::above_zero("deviation", deviation)?;
        Ok(self)
    }
}

impl SpendFit for SpendWithCovariates {
    type Drawn = SpendCovariateModel;

    const PARAMETERS: &'static [Parameter] = &PARAMETERS;

    fn draws(
        &self,
        data: &Training<'_>,
        sampler: &Sampler,
        cx: &Context<'_>,
    ) -> Result<Posterior<SpendCovariateModel>, Error> {
        self.each.options.expect_no_penalty()?;
        self.covariates.expect_no_penalty()?;
        let prepared = self.prepare(data)?;
        let Prepared { spent, columns, effects } = &prepared;
        let (groups, ln_amounts) = (prepared.groups(spent), spent.ln_amounts());
        let of = (&self.covariates, &effects[..]);
        let (design, coordinates, idle) = designed(self.each.coordinates(spent.mean), of, &groups);
        let derivatives = |values: &[f64]| Self::derivatives(&design, &groups, values, ln_amounts);
        let target = Target {
            name: KIND.name,
            coordinates,
            customers: spent.rows.len() as f64,
            start: self.each.options.start.clone().map(|start| padded(start, effects.len())),
            derivatives: &derivatives,
            ln_likelihood: &|values| derivatives(values).map(|found| found.value),
        };
        let sampled = sampler.draw(target, cx)?;
        let collinear = design.collinear(&idle);
        let (accepted, evaluations) = (sampled.accepted, sampled.evaluations);
        let Unscaled { design, chains, summaries, mut mode } = unscaled(sampled, design, &self.covariates);
        let model = |values: &[f64]| {
            let population = GammaGamma::from_values(&values[..PARAMETERS.len()])?;
            let base = SpendModel::new(population, spent.unit).spend_basis(spent.basis);
            let asked = (columns.terms.clone(), columns.words.clone());
            let moved = Moved::of(KIND.name, asked, design.clone(), values)?;
            Ok(SpendCovariateModel { base, moved })
        };
        let likeliest: Vec<f64> = mode.parameters.iter().map(|p| p.value).collect();
        mode.unit = spent.unit;
        mode.warnings.extend(collinear);
        mode.warnings.extend(spent.warnings(model(&likeliest)?.parameters()));
        let chains = modelled(&chains, model)?;
        Ok(Posterior { chains, summaries, accepted, evaluations, mode })
    }
}

/// Many of them, which differ in their numbers alone.
impl DrawnSpend for SpendCovariateModel {
    type Population = Self;
    /// So many amounts, their mean, and the terms of the columns.
    type Known = ((f64, f64), Vec<f64>);

    const KIND: Kind = WITH_COVARIATES;

    fn of(population: Self, _: TimeUnit, _: SpendBasis) -> Self {
        population
    }

    fn values(&self) -> Vec<f64> {
        self.moved.values().to_vec()
    }

    fn with_values(&self, values: &[f64]) -> Result<Self, Error> {
        let moved = self.moved.with_values(values)?;
        let population = GammaGamma::from_values(&values[..PARAMETERS.len()])?;
        Ok(Self { base: SpendModel { population, ..self.base }, moved })
    }

    fn load(saved: &SavedModel) -> Result<Self, Error> {
        let base = super::load(saved)?;
        let values = base.parameters().values().to_vec();
        let moved = Moved::load(KIND.name, &PARAMETERS, values, saved)?;
        Ok(Self { base, moved })
    }

    fn known(&self, who: &Customers<'_>) -> Result<Vec<Self::Known>, Error> {
        (0..who.len()).map(|row| self.known_of(who, row)).collect()
    }

    fn known_of(&self, who: &Customers<'_>, row: usize) -> Result<Self::Known, Error> {
        Ok((self.base.counted_of(who, row)?, self.moved.terms_of(who, row)?))
    }

    fn expected_given(&self, ((counted, mean), terms): &Self::Known) -> Option<f64> {
        self.own(terms)?.expected_mean(*counted, *mean)
    }

    fn expected_of_new(&self) -> Option<f64> {
        self.base.parameters().expected_mean(0.0, 0.0)
    }

    fn draw_given(
        &self,
        (known, terms): &Self::Known,
        count: usize,
        rng: &mut ChaCha8Rng,
        amounts: &mut Vec<f64>,
    ) {
        if let Some(own) = self.own(terms) {
            own.draw_amounts(*known, count, rng, amounts);
        }
    }

    fn heavy_tail(models: &[Self]) -> Option<Warning> {
        heavy_tail(models.iter().map(|model| model.parameters().values()[1]))
    }
}

impl SpendCovariateModel {
    /// The population of a customer with these terms; none beyond any number.
    fn own(&self, terms: &[f64]) -> Option<GammaGamma> {
        GammaGamma::from_values(self.moved.of_terms(terms, &mut [0.0; MOST])).ok()
    }
}
