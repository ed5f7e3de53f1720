//! Lognormal spend: amounts that differ by factors.
//!
//! # Story
//!
//! The logarithms of a customer's amounts are normal about a middle of their own, `ln z ~ N(m, σ²)`; across customers
//! `m ~ N(ln median, τ²)`. How much is taken to be independent of how often, as by [`GammaGamma`](crate::GammaGamma).
//!
//! # When to use it
//!
//! Where amounts spread alike in factors whatever they are about, and no customer's are bounded below: [`LognormalSpendFit`] reports the likelihood of the
//! amounts one by one, as [`GammaGammaFit::individually`](crate::GammaGammaFit::individually) does, so that of the two the higher is the better.
//! It needs the amounts themselves: a mean does not tell their logarithms.
//!
//! # Reference
//!
//! The normal–normal model of random effects (Searle, Casella & McCulloch 1992, "Variance Components", chapter 3) on logarithms.

mod density;
mod posterior;

use std::collections::BTreeMap;

use clv_core::model::{AmountsOf, Answers, DrawAmounts, Horizons, Kind};
use clv_core::saved::{Registry, SaveWriter, SavedModel};
use clv_core::summary::SpendBasis;
use clv_core::{
    Ask, Context, Customers, Error, Feature, Fit, Fitted, ForecastMut, Predict, Scratch, TimeUnit, Training,
};
use clv_math::minimise::Derivatives;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::amounts::Paid;
use crate::bayes_spend::DrawnSpend;
use crate::process::{Parameter, Scale, Sums, check_values, save_parameters, saved_parameters};
use crate::refit::sealed::Again;
use crate::refit::{Near, Refit, drawn_places};
use crate::search::{Coordinate, Found, Level, Options, Search};

const KIND: Kind = Kind::new("lognormal-spend", 1);

static PARAMETERS: [Parameter; 3] = [
    Parameter::new("median", Scale::None, "amounts have no scale"),
    Parameter::new("sigma", Scale::None, "a customer's amounts hardly differ"),
    Parameter::new("tau", Scale::None, "customers hardly differ in their spend"),
];

/// Population parameters of lognormal spend.
///
/// | Field | Symbol | Unit | Range |
/// | :-- | :-- | :-- | :-- |
/// | `median` | `e^μ`, the median of the customers' medians | money | `(0, ∞)` |
/// | `sigma` | `σ`, of the logarithms of a customer's amounts | none | `(0, ∞)` |
/// | `tau` | `τ`, of the logarithms of the customers' medians | none | `(0, ∞)` |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LognormalSpend {
    median: f64,
    sigma: f64,
    tau: f64,
}

/// What is known of a customer's amounts: how many, and the mean and the sum of squares about it of their logarithms.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Amounts {
    count: f64,
    mean: f64,
    within: f64,
}

impl Amounts {
    fn of(amounts: &[f64]) -> Self {
        let count = amounts.len() as f64;
        let logs = || amounts.iter().map(|amount| amount.ln());
        let mean = logs().sum::<f64>() / count;
        Self { count, mean, within: logs().map(|ln| (ln - mean) * (ln - mean)).sum() }
    }
}

impl LognormalSpend {
    /// A population with the given parameters.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the first that is not finite and positive.
    pub fn new(median: f64, sigma: f64, tau: f64) -> Result<Self, Error> {
        Self::from_values(&[median, sigma, tau])
    }

    fn from_values(values: &[f64]) -> Result<Self, Error> {
        let [median, sigma, tau] = check_values(&PARAMETERS, values)?;
        Ok(Self { median, sigma, tau })
    }

    /// The values in order.
    pub fn values(&self) -> [f64; 3] {
        [self.median, self.sigma, self.tau]
    }

    /// Log-likelihood of a customer's amounts.
    ///
    /// # Formula
    ///
    /// ```text
    /// ln L = −Σ ln z − x/2 ln 2π − (x − 1) ln σ − S/(2σ²) − ½ ln(σ² + xτ²) − x (ȳ − μ)²/(2(σ² + xτ²)),
    ///         ȳ and S the mean of ln z and the sum of squares about it
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Cell`] for an amount that is not finite and above 0.
    pub fn ln_likelihood(&self, amounts: &[f64]) -> Result<f64, Error> {
        expect_amounts(amounts)?;
        let ln_amounts: f64 = amounts.iter().map(|amount| amount.ln()).sum();
        let known = Amounts::of(amounts);
        let mut alone = Group::default();
        alone.add(&known);
        Ok(if amounts.is_empty() { 0.0 } else { alone.sums(self, known.count).value - ln_amounts })
    }

    /// Expected amount of the next purchase, given so many amounts and the mean of their logarithms (none: the population's).
    ///
    /// # Formula
    ///
    /// ```text
    /// m | x, ȳ ~ N((σ²μ + xτ²ȳ)/(σ² + xτ²), σ²τ²/(σ² + xτ²)),      E[z] = exp(mean + (variance + σ²)/2)
    /// ```
    pub fn expected(&self, count: f64, mean_ln: f64) -> f64 {
        let (middle, variance) = self.middle(count, mean_ln);
        (middle + 0.5 * (variance + self.sigma * self.sigma)).exp()
    }

    /// The amount that the next purchase stays below with a probability.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is above 0 and below 1.
    pub fn amount_quantile(&self, count: f64, mean_ln: f64, probability: f64) -> Result<f64, Error> {
        if !(probability > 0.0 && probability < 1.0) {
            let (name, allowed) = ("probability", "above 0, below 1");
            return Err(Error::Setting { name, given: probability, allowed });
        }
        let (middle, variance) = self.middle(count, mean_ln);
        let deviation = (variance + self.sigma * self.sigma).sqrt();
        Ok((middle + deviation * clv_math::special::normal_quantile(probability)).exp())
    }

    /// Mean and variance of `m`, given so many amounts and the mean of their logarithms.
    fn middle(&self, count: f64, mean_ln: f64) -> (f64, f64) {
        let (within, between) = (self.sigma * self.sigma, self.tau * self.tau);
        let total = within + count * between;
        ((within * self.median.ln() + count * between * mean_ln) / total, within * between / total)
    }

    /// Appends so many amounts of a customer of whom this many and the mean of their logarithms are known.
    fn draw_given(
        &self,
        (known, mean_ln): (f64, f64),
        count: usize,
        rng: &mut ChaCha8Rng,
        amounts: &mut Vec<f64>,
    ) {
        let (middle, variance) = self.middle(known, mean_ln);
        let mut normal = || -> f64 { StandardNormal.sample(rng) };
        let own = middle + variance.sqrt() * normal();
        amounts.extend((0..count).map(|_| (own + self.sigma * normal()).exp()));
    }

    /// Draws a customer's amounts.
    pub fn draw(&self, count: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
        let mut normal = |middle: f64, deviation: f64| {
            let z: f64 = StandardNormal.sample(rng);
            middle + deviation * z
        };
        let middle = normal(self.median.ln(), self.tau);
        (0..count).map(|_| normal(middle, self.sigma).exp()).collect()
    }
}

/// Customers with as many amounts: sums are all that the likelihood needs of them.
#[derive(Clone, Copy, Debug, Default)]
struct Group {
    customers: f64,
    mean: f64,
    square: f64,
    within: f64,
}

impl Group {
    fn add(&mut self, known: &Amounts) {
        self.customers += 1.0;
        self.mean += known.mean;
        self.square += known.mean * known.mean;
        self.within += known.within;
    }

    /// Log-likelihood with first and second derivatives, but for `−Σ ln z`.
    fn sums(&self, population: &LognormalSpend, x: f64) -> Sums<3> {
        let LognormalSpend { median, sigma, tau } = *population;
        let (n, mu) = (self.customers, median.ln());
        let (a, b) = (sigma * sigma, tau * tau);
        let v = a + x * b;
        // Σ (ȳ − μ) and Σ (ȳ − μ)² over the customers.
        let off = self.mean - n * mu;
        let squares = (self.square - 2.0 * mu * self.mean + n * mu * mu).max(0.0);
        let mut sums = Sums::<3>::ZERO;
        sums.value = -0.5
            * (n * (x * std::f64::consts::TAU.ln() + (x - 1.0) * a.ln() + v.ln())
                + self.within / a
                + x * squares / v);
        // In μ, σ² and τ².
        let by_mu = x * off / v;
        let by_a = 0.5 * (-n * (x - 1.0) / a + self.within / (a * a) - n / v + x * squares / (v * v));
        let by_b = 0.5 * x * (-n / v + x * squares / (v * v));
        let mu_mu = -n * x / v;
        let (mu_a, mu_b) = (-x * off / (v * v), -x * x * off / (v * v));
        let bend = 0.5 * n / (v * v) - x * squares / (v * v * v);
        let a_a = 0.5 * n * (x - 1.0) / (a * a) - self.within / (a * a * a) + bend;
        let (a_b, b_b) = (x * bend, x * x * bend);
        sums.gradient = [by_mu / median, 2.0 * sigma * by_a, 2.0 * tau * by_b];
        sums.hessian[0] =
            [(mu_mu - by_mu) / (median * median), 2.0 * sigma * mu_a / median, 2.0 * tau * mu_b / median];
        sums.hessian[1][1] = 4.0 * a * a_a + 2.0 * by_a;
        sums.hessian[1][2] = 4.0 * sigma * tau * a_b;
        sums.hessian[2][2] = 4.0 * b * b_b + 2.0 * by_b;
        sums
    }
}

fn expect_amounts(amounts: &[f64]) -> Result<(), Error> {
    let wrong = |amount: &f64| !(amount.is_finite() && *amount > 0.0);
    match amounts.iter().position(wrong) {
        None => Ok(()),
        Some(row) => {
            let (column, allowed) = ("amount".to_owned(), "finite, above 0");
            Err(Error::Cell { row, column, given: amounts[row], allowed })
        }
    }
}

/// How to fit lognormal spend: by maximum likelihood on amounts above 0, one by one. Customers without any get the population's mean; what is not above 0
/// is left out, and customers with such amounts are counted in a warning.
///
/// ```
/// use clv_btyd::LognormalSpendFit;
/// use clv_core::Context;
///
/// let customers = [vec![10.0, 12.0, 9.0], vec![80.0, 95.0], vec![31.0, 25.0, 40.0, 33.0], vec![14.0]];
/// let fitted = LognormalSpendFit::new().amounts(&customers, &Context::default())?;
/// let [median, sigma, tau] = fitted.model.values();
/// assert!(median > 20.0 && median < 40.0 && sigma < tau);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Default)]
pub struct LognormalSpendFit {
    options: Options,
}

impl LognormalSpendFit {
    /// Plain maximum likelihood.
    pub fn new() -> Self {
        Self::default()
    }

    /// An L2 penalty `λ Σ ln(θ/θ₀)²` on the mean log-likelihood per customer; `θ₀` is 1, and the median amount for `median`.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and at least 0.
    pub fn penalty(self, lambda: f64) -> Result<Self, Error> {
        Ok(Self { options: self.options.penalty(lambda)? })
    }

    /// Holds a parameter (`median`, `sigma` or `tau`) at a value.
    ///
    /// # Errors
    ///
    /// [`Error::UnknownName`] for another name, [`Error::Setting`] unless the value is finite and positive.
    pub fn fix(self, name: &str, value: f64) -> Result<Self, Error> {
        Ok(Self { options: self.options.fix(&PARAMETERS, name, value)? })
    }

    /// Fits the amounts of customers.
    ///
    /// # Errors
    ///
    /// [`Error::Cell`] for an amount that is not finite and above 0 (its row is the place among the customer's); [`Error::NoEstimate`] if nobody has
    /// two amounts or all are the same; [`Error::Stopped`].
    pub fn amounts<A: AsRef<[f64]>>(
        &self,
        customers: &[A],
        cx: &Context<'_>,
    ) -> Result<Fitted<LognormalSpend>, Error> {
        let learned = Learned::of(customers)?;
        let derivatives = |values: &[f64]| learned.derivatives(values);
        let middle = learned.middle;
        let starts = [vec![middle, 0.5, 0.5], vec![middle, 1.0, 0.2], vec![middle, 0.2, 1.0]];
        let search = Search::over(KIND.name, self.coordinates(&learned), self.options.start.as_ref());
        let levels = [Level { customers: learned.customers, derivatives: &derivatives }];
        let Found { values, mut report } = search.run(&starts, &levels, cx)?;
        report.rows = learned.groups.len();
        Ok(Fitted { model: LognormalSpend::from_values(&values)?, report })
    }

    /// What is searched, about the middle of the amounts.
    fn coordinates(&self, learned: &Learned) -> Vec<Coordinate> {
        let of = |(parameter, centre)| Coordinate::of(parameter, &self.options, centre);
        PARAMETERS.iter().zip([learned.middle, 1.0, 1.0]).map(of).collect()
    }
}

/// All that the likelihood needs of customers.
struct Learned {
    groups: BTreeMap<usize, Group>,
    /// The sum of the logarithms of all amounts.
    ln_amounts: f64,
    customers: f64,
    /// Of all amounts, the middle of their logarithms.
    middle: f64,
}

impl Learned {
    fn of<A: AsRef<[f64]>>(customers: &[A]) -> Result<Self, Error> {
        let no_estimate = |why| Err(Error::NoEstimate { model: KIND.name, why });
        let mut groups: BTreeMap<usize, Group> = BTreeMap::new();
        let (mut ln_amounts, mut count) = (0.0, 0.0);
        for amounts in customers.iter().map(AsRef::as_ref).filter(|amounts| !amounts.is_empty()) {
            expect_amounts(amounts)?;
            let known = Amounts::of(amounts);
            ln_amounts += known.count * known.mean;
            count += known.count;
            groups.entry(amounts.len()).or_default().add(&known);
        }
        if groups.keys().all(|x| *x < 2) {
            return no_estimate(
                "nobody has two amounts above 0, so what differs within a customer is not told",
            );
        }
        let total = |of: &dyn Fn(&Group) -> f64| groups.values().map(of).sum::<f64>();
        let customers = total(&|group| group.customers);
        if total(&|group| group.within) <= 1e-18 * count {
            return no_estimate("no customer's amounts differ, so there is no spread to learn from");
        }
        let middle = (ln_amounts / count).exp();
        Ok(Self { groups, ln_amounts, customers, middle })
    }

    fn derivatives(&self, values: &[f64]) -> Option<Derivatives> {
        let population = LognormalSpend::from_values(values).ok()?;
        let mut all = Sums::<3>::ZERO;
        self.groups.iter().for_each(|(x, group)| all.add(1.0, &group.sums(&population, *x as f64)));
        all.value -= self.ln_amounts;
        Some(all.into_derivatives())
    }
}

/// A fitted lognormal spend model.
#[derive(Clone, Debug, PartialEq)]
pub struct LognormalSpendModel {
    population: LognormalSpend,
    unit: TimeUnit,
    basis: SpendBasis,
    names: Vec<String>,
}

/// What it needs to know of a customer.
const NEEDS: &[Feature] = &[Feature::PaidPurchases, Feature::MeanLnSpend];

impl LognormalSpendModel {
    /// From known parameters, for the amounts of these purchases; the time unit only says which histories it may be given.
    pub fn new(population: LognormalSpend, unit: TimeUnit, basis: SpendBasis) -> Self {
        Self { population, unit, basis, names: NEEDS.iter().map(Feature::name).collect() }
    }

    /// The population parameters.
    pub fn parameters(&self) -> &LognormalSpend {
        &self.population
    }

    fn expect_basis(&self, who: &Customers<'_>) -> Result<(), Error> {
        if who.basis() == self.basis {
            return Ok(());
        }
        Err(Error::CannotSay {
            model: KIND.name,
            quantity: "spend from another set of purchases than it was fitted on",
            hint: "; summarise with the same spend basis",
        })
    }

    /// So many amounts, and the mean of their logarithms, of these of the customers.
    fn known_rows(
        &self,
        who: &Customers<'_>,
        rows: std::ops::Range<usize>,
    ) -> Result<Vec<(f64, f64)>, Error> {
        self.expect_basis(who)?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let (mut places, mut columns) = (Vec::new(), vec![0.0; NEEDS.len()]);
        who.find(KIND.name, &self.names, &mut places)?;
        rows.map(|row| {
            who.fill_row(&places, row, &mut columns);
            self.expect_known(&columns, row)?;
            Ok((columns[0], columns[1]))
        })
        .collect()
    }

    fn expect_known(&self, columns: &[f64], row: usize) -> Result<(), Error> {
        let Some(place) = columns.iter().position(|v| !v.is_finite()) else { return Ok(()) };
        let (column, given) = (self.names[place].clone(), columns[place]);
        Err(Error::Cell { row, column, given, allowed: "finite" })
    }
}

/// Settings with the amounts of customers who have any.
#[derive(Debug)]
pub struct OfAmounts<'a> {
    settings: &'a LognormalSpendFit,
    paid: Vec<Vec<f64>>,
    model: &'a LognormalSpendModel,
}

impl Refit for OfAmounts<'_> {
    type Model = LognormalSpendModel;
    type Customers = Vec<Vec<f64>>;

    const PARAMETERS: &'static [Parameter] = &PARAMETERS;

    fn penalty(&self) -> f64 {
        self.settings.options.penalty
    }

    fn seen(&self) -> Result<Self::Customers, Error> {
        Ok(self.paid.clone())
    }

    fn drawn(&self, rng: &mut ChaCha8Rng) -> Result<Self::Customers, Error> {
        Ok(drawn_places(self.paid.len(), rng).into_iter().map(|i| self.paid[i].clone()).collect())
    }

    fn simulated(&self, rng: &mut ChaCha8Rng) -> Result<Self::Customers, Error> {
        Ok(self.paid.iter().map(|amounts| self.model.population.draw(amounts.len(), rng)).collect())
    }

    fn refit(
        &self,
        customers: &Self::Customers,
        near: Near<'_>,
        cx: &Context<'_>,
    ) -> Result<Fitted<LognormalSpendModel>, Error> {
        let options = self.settings.options.clone().near(&PARAMETERS, near)?;
        let Fitted { model, mut report } = LognormalSpendFit { options }.amounts(customers, cx)?;
        report.unit = self.model.unit;
        let model = LognormalSpendModel::new(model, self.model.unit, self.model.basis);
        Ok(Fitted { model, report })
    }
}

impl Again for LognormalSpendFit {
    type Ready<'a> = OfAmounts<'a>;

    fn ready<'a>(
        &'a self,
        data: &'a Training<'_>,
        model: &'a LognormalSpendModel,
    ) -> Result<OfAmounts<'a>, Error> {
        let mut paid = Paid::of(KIND.name, data)?.customers;
        paid.retain(|amounts| !amounts.is_empty());
        Ok(OfAmounts { settings: self, paid, model })
    }

    fn with_values(model: &LognormalSpendModel, values: &[f64]) -> Result<LognormalSpendModel, Error> {
        DrawnSpend::with_values(model, values)
    }
}

impl Fit for LognormalSpendFit {
    type Model = LognormalSpendModel;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<LognormalSpendModel>, Error> {
        let summary = data.summary();
        let paid = Paid::of(KIND.name, data)?;
        let Fitted { model, mut report } = self.amounts(&paid.customers, cx)?;
        report.unit = summary.unit;
        report.warnings.extend(paid.warnings());
        let model = LognormalSpendModel::new(model, summary.unit, summary.basis);
        Ok(Fitted { model, report })
    }
}

impl Predict for LognormalSpendModel {
    fn kind(&self) -> Kind {
        KIND
    }

    fn unit(&self) -> TimeUnit {
        self.unit
    }

    fn answers(&self) -> Answers {
        Answers { p_alive: false, purchases: false, spend: true, value: false, horizons: Horizons::Any }
    }

    fn needs(&self) -> &[Feature] {
        NEEDS
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
        self.expect_basis(who)?;
        if who.is_empty() {
            return Ok(());
        }
        let Scratch { places, row, .. } = scratch;
        who.find(KIND.name, &self.names, places)?;
        row.clear();
        row.resize(NEEDS.len(), 0.0);
        for (r, slot) in column.iter_mut().enumerate() {
            who.fill_row(places, r, row);
            self.expect_known(row, r)?;
            *slot = Some(self.population.expected(row[0], row[1]));
        }
        Ok(())
    }

    fn draw_amounts(&self) -> Option<&dyn DrawAmounts> {
        Some(self)
    }

    fn save(&self, to: &mut SaveWriter) -> Result<(), Error> {
        to.field("unit", &self.unit)?;
        to.field("basis", &self.basis)?;
        save_parameters(&PARAMETERS, &self.population.values(), to)
    }
}

impl DrawAmounts for LognormalSpendModel {
    fn amounts_of(&self, who: &Customers<'_>, row: usize, _: usize) -> Result<AmountsOf<'_>, Error> {
        let known = self.known_of(who, row)?;
        Ok(Box::new(move |(_, count), rng, amounts| self.population.draw_given(known, count, rng, amounts)))
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.register(KIND, |saved, _| Ok(Box::new(load(saved)?)));
    crate::bayes_spend::register::<LognormalSpendModel>(registry);
}

fn load(saved: &SavedModel) -> Result<LognormalSpendModel, Error> {
    let population = LognormalSpend::from_values(&saved_parameters(&PARAMETERS, saved)?)?;
    Ok(LognormalSpendModel::new(population, saved.field("unit")?, saved.field("basis")?))
}
