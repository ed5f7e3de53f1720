//! The Gamma-Gamma model of spend per purchase.
//!
//! # Story
//!
//! A customer's amounts are `Gamma(p, ν)`; across customers `ν ~ Gamma(q, γ)`. How much is taken to
//! be independent of how often: check that mean spend and frequency hardly correlate.
//!
//! # When to use it
//!
//! With any purchase model, to make counts into money. With `q ≤ 1` the population has no mean: the
//! answer is `None`, and quantiles are still given.
//!
//! # Reference
//!
//! Fader, Hardie & Lee (2005), Journal of Marketing Research 42(4), 415–430; Fader & Hardie (2013),
//! "The Gamma-Gamma Model of Monetary Value", equation (1a).

mod covariates;
mod density;
mod fit;
mod independence;
mod likelihood;
mod posterior;

use clv_core::model::{AmountsOf, Answers, DrawAmounts, Horizons, Kind, Spend};
use clv_core::saved::{Registry, SaveWriter, SavedModel};
use clv_core::summary::SpendBasis;
use clv_core::{Ask, Customers, Error, ForecastMut, History, Predict, Scratch, TimeUnit};
use clv_math::special::{beta_inc, beta_inc_inverse};
use rand_chacha::ChaCha8Rng;

pub use self::covariates::{SpendCovariateModel, SpendWithCovariates};
pub use self::fit::GammaGammaFit;
pub use self::independence::Independence;
use crate::process::{Parameter, Scale, check_values, save_parameters, saved_parameters};
use crate::simulate::gamma;

const KIND: Kind = Kind::new("gamma-gamma", 1);
static PARAMETERS: [Parameter; 3] = [
    Parameter { name: "p", scale: Scale::None, at_edge: "a customer's amounts hardly differ" },
    Parameter { name: "q", scale: Scale::None, at_edge: "customers hardly differ in their mean spend" },
    Parameter { name: "gamma", scale: Scale::None, at_edge: "customers hardly differ in their mean spend" },
];

/// Population parameters of the Gamma-Gamma model.
///
/// | Field | Symbol | Unit | Range |
/// | :-- | :-- | :-- | :-- |
/// | `p` | `p` | none | `(0, ∞)` |
/// | `q` | `q` | none | `(0, ∞)`; the population mean needs `q > 1` |
/// | `gamma` | `γ` | money | `(0, ∞)` |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GammaGamma {
    p: f64,
    q: f64,
    gamma: f64,
}

impl GammaGamma {
    /// A population with the given parameters.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the first that is not finite and positive.
    pub fn new(p: f64, q: f64, gamma: f64) -> Result<Self, Error> {
        Self::from_values(&[p, q, gamma])
    }

    pub(crate) fn from_values(values: &[f64]) -> Result<Self, Error> {
        let [p, q, gamma] = check_values(&PARAMETERS, values)?;
        Ok(Self { p, q, gamma })
    }

    /// The values in order.
    pub fn values(&self) -> [f64; 3] {
        [self.p, self.q, self.gamma]
    }

    /// Log-likelihood of a mean of `mean` over `purchases` purchases.
    ///
    /// # Formula
    ///
    /// ```text
    /// f(z̄ | p, q, γ; x) = 1/(z̄ B(px, q)) · (γ/(γ+xz̄))^q · (xz̄/(γ+xz̄))^{px}
    /// ```
    pub fn ln_likelihood(&self, purchases: f64, mean: f64) -> f64 {
        likelihood::ln_likelihood(self, purchases, mean)
    }

    /// Expected spend per purchase given a mean over `purchases` purchases (none: the population's);
    /// `None` if it does not exist.
    ///
    /// # Formula
    ///
    /// ```text
    /// E[M | x, z̄] = p (γ + x z̄) / (p x + q − 1)
    /// ```
    pub fn expected_mean(&self, purchases: f64, mean: f64) -> Option<f64> {
        let below = self.p * purchases + self.q - 1.0;
        (below > 0.0).then(|| self.p * (self.gamma + purchases * mean) / below)
    }

    /// The amount that the next purchase stays below with probability `probability`.
    ///
    /// The next amount is `(γ + x z̄) · U/(1−U)` with `U ~ Beta(p, px + q)`.
    pub fn amount_quantile(&self, purchases: f64, mean: f64, probability: f64) -> f64 {
        let (a, b) = (self.p, self.p * purchases + self.q);
        let scale = self.gamma + purchases * mean;
        // From whichever end is nearer, so that neither 1 − u nor u loses its digits.
        if probability < 1e-8 || probability <= beta_inc(a, b, 0.5) {
            let u = beta_inc_inverse(a, b, probability);
            scale * (u / (1.0 - u))
        } else {
            let v = beta_inc_inverse(b, a, 1.0 - probability);
            scale * ((1.0 - v) / v)
        }
    }

    /// Draws a customer's `ν`.
    pub(crate) fn draw_customer(&self, rng: &mut ChaCha8Rng) -> f64 {
        gamma(self.q, self.gamma, rng)
    }

    /// Draws a customer's `ν` given the mean of so many purchases, `Gamma(px + q, γ + x z̄)`.
    pub(crate) fn draw_given(&self, purchases: f64, mean: f64, rng: &mut ChaCha8Rng) -> f64 {
        gamma(self.p * purchases + self.q, self.gamma + purchases * mean, rng)
    }

    /// What draws the amounts of a customer with so many purchases of this mean.
    fn amounts_given(self, counted: f64, mean: f64) -> AmountsOf<'static> {
        Box::new(move |(_, count), rng, amounts| self.draw_amounts((counted, mean), count, rng, amounts))
    }

    /// Appends so many amounts of a customer of whom this many purchases of this mean are known.
    fn draw_amounts(
        &self,
        (counted, mean): (f64, f64),
        count: usize,
        rng: &mut ChaCha8Rng,
        amounts: &mut Vec<f64>,
    ) {
        let nu = self.draw_given(counted, mean, rng);
        amounts.extend((0..count).map(|_| self.draw_amount(nu, rng)));
    }

    /// Draws an amount of a customer.
    pub(crate) fn draw_amount(&self, nu: f64, rng: &mut ChaCha8Rng) -> f64 {
        gamma(self.p, nu, rng)
    }
}

/// A fitted Gamma-Gamma model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpendModel {
    population: GammaGamma,
    unit: TimeUnit,
    basis: SpendBasis,
}

impl SpendModel {
    /// From known parameters, for mean spends over repeat purchases.
    ///
    /// The time unit only says which histories it may be given; spend does not depend on it.
    pub fn new(population: GammaGamma, unit: TimeUnit) -> Self {
        Self { population, unit, basis: SpendBasis::default() }
    }

    /// For mean spends over another set of purchases.
    pub fn spend_basis(self, basis: SpendBasis) -> Self {
        Self { basis, ..self }
    }

    /// The population parameters.
    pub fn parameters(&self) -> &GammaGamma {
        &self.population
    }

    /// The mean spend of customers, over the purchases that were counted when it was fitted.
    fn means<'a>(&self, who: &Customers<'a>) -> Result<&'a [f64], Error> {
        let missing = || Error::MissingColumn { model: KIND.name, column: "monetary_value".into() };
        let spend = who.spend().ok_or_else(missing)?;
        if who.basis() != self.basis {
            return Err(Error::CannotSay {
                model: KIND.name,
                quantity: "spend from means over another set of purchases than it was fitted on",
                hint: "; summarise with the same spend basis",
            });
        }
        Ok(spend)
    }

    /// Purchases and mean that count of one of these customers.
    fn counted_of(&self, who: &Customers<'_>, row: usize) -> Result<(f64, f64), Error> {
        Ok(self.counted(who.frequency()[row], Some(self.means(who)?[row])))
    }

    fn expect_quantile(&self, history: &History, probability: f64) -> Result<(), Error> {
        Customers::one(history, self.unit)?;
        if probability > 0.0 && probability < 1.0 {
            return Ok(());
        }
        Err(Error::Setting { name: "probability", given: probability, allowed: "above 0, below 1" })
    }

    /// Purchases and mean that count: none without a mean, or with one that is not above 0.
    fn counted(&self, frequency: u32, mean: Option<f64>) -> (f64, f64) {
        match mean {
            Some(mean) if mean > 0.0 => (self.basis.count(frequency), mean),
            _ => (0.0, 0.0),
        }
    }
}

impl Predict for SpendModel {
    fn kind(&self) -> Kind {
        KIND
    }

    fn unit(&self) -> TimeUnit {
        self.unit
    }

    fn answers(&self) -> Answers {
        Answers { p_alive: false, purchases: false, spend: true, value: false, horizons: Horizons::Any }
    }

    /// Spend does not depend on time, so histories in any unit will do.
    fn predict_into(
        &self,
        who: &Customers<'_>,
        _: &Ask,
        _: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<(), Error> {
        out.expect(KIND.name, &self.answers(), who.len())?;
        let Some(column) = &mut out.spend else { return Ok(()) };
        let spend = self.means(who)?;
        for (row, slot) in column.iter_mut().enumerate() {
            let (count, mean) = self.counted(who.frequency()[row], Some(spend[row]));
            *slot = self.population.expected_mean(count, mean);
        }
        Ok(())
    }

    fn spend(&self) -> Option<&dyn Spend> {
        Some(self)
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

impl DrawAmounts for SpendModel {
    fn amounts_of(&self, who: &Customers<'_>, row: usize, _: usize) -> Result<AmountsOf<'_>, Error> {
        let (counted, mean) = self.counted_of(who, row)?;
        Ok(self.population.amounts_given(counted, mean))
    }
}

impl Spend for SpendModel {
    fn expected_spend(&self, history: &History) -> Result<Option<f64>, Error> {
        Customers::one(history, self.unit)?;
        let (count, mean) = self.counted(history.frequency, history.spend);
        Ok(self.population.expected_mean(count, mean))
    }

    fn spend_quantile(&self, history: &History, probability: f64) -> Result<f64, Error> {
        self.expect_quantile(history, probability)?;
        let (count, mean) = self.counted(history.frequency, history.spend);
        let amount = self.population.amount_quantile(count, mean, probability);
        if amount.is_finite() { Ok(amount) } else { Err(beyond_any_number()) }
    }
}

/// With a tiny q the tail is so heavy that a quantile lies beyond any number.
fn beyond_any_number() -> Error {
    let hint = ": it lies beyond 10^308; q is so small that large amounts have no scale";
    Error::CannotSay { model: KIND.name, quantity: "this quantile of the amount", hint }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.register(KIND, |saved, _| Ok(Box::new(load(saved)?)));
    covariates::register(registry);
    crate::bayes_spend::register::<SpendModel>(registry);
}

fn load(saved: &SavedModel) -> Result<SpendModel, Error> {
    let values = saved_parameters(&PARAMETERS, saved)?;
    let model = SpendModel::new(GammaGamma::from_values(&values)?, saved.field("unit")?);
    Ok(model.spend_basis(saved.field("basis")?))
}
