//! What the purchase models have in common.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Debug;

use clv_core::model::{Kind, Reads};
use clv_core::saved::{SaveWriter, SavedModel};
use clv_core::{Cells, Error, History, Summary, Training, Warning};
use clv_math::minimise::Derivatives;

use crate::future::Future;

/// A parameter of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Name, as in the literature.
    pub name: &'static str,
    /// How it changes with the time unit.
    pub scale: Scale,
    /// What it means if it runs to the edge of the search.
    pub at_edge: &'static str,
}

const RATES: &str = "customers hardly differ in their purchase rate";
pub(crate) const LEAVES: &str = "nobody is seen to leave, or customers hardly differ in it";

// Those that models share.
pub(crate) const R: Parameter = Parameter::new("r", Scale::None, RATES);
pub(crate) const ALPHA: Parameter = Parameter::new("alpha", Scale::Time, RATES);
pub(crate) const A: Parameter = Parameter::new("a", Scale::None, LEAVES);
pub(crate) const B: Parameter = Parameter::new("b", Scale::None, LEAVES);
pub(crate) const S: Parameter = Parameter::new("s", Scale::None, LEAVES);

impl Parameter {
    pub(crate) const fn new(name: &'static str, scale: Scale, at_edge: &'static str) -> Self {
        Self { name, scale, at_edge }
    }
}

/// How a parameter changes with the time unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// A shape: not at all.
    None,
    /// Counted in time units.
    Time,
    /// Counted in one over time units.
    PerTime,
    /// A whole number that is chosen and not searched for: histories do not tell it.
    Count,
}

impl Scale {
    /// The middle of what is likely, for customers of this mean age.
    pub fn centre(self, mean_age: f64) -> f64 {
        match self {
            Self::None | Self::Count => 1.0,
            Self::Time => mean_age,
            Self::PerTime => 1.0 / mean_age,
        }
    }
}

/// The population parameters of a purchase model, and what follows from them.
///
/// Times (`recency`, `age`, `t`) are in the unit in which the parameters are counted. Histories are
/// taken as valid here; the models check them at the border.
pub trait Process: Copy + Debug + Send + Sync + PartialEq + 'static {
    /// Name and version.
    const KIND: Kind;
    /// The parameters in order.
    const PARAMETERS: &'static [Parameter];
    /// Which histories it reads. Of periods and renewals time is counted in whole periods, at the end of each of which there is one opportunity.
    const READS: Reads = Reads::Purchases;
    /// Whether the likelihood may have several maxima, so that coefficients are searched for from several places.
    const SEVERAL_MAXIMA: bool = false;
    /// The parameters that a covariate of purchases moves, each to a power: `e^γ` is the ratio of the purchase rate; none if purchases are
    /// agreed.
    const PURCHASES: &'static [(&'static str, f64)] = &[("alpha", -1.0)];
    /// The parameters that a covariate of dropout moves, each to a power; none if nobody leaves.
    const DROPOUT: &'static [(&'static str, f64)];

    /// From values in order, each finite and positive.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] naming the first that is not.
    fn from_values(values: &[f64]) -> Result<Self, Error>;

    /// The values in order.
    fn values(&self) -> Vec<f64>;

    /// Log-likelihood of one history (the density of the purchase times, without `1/x!`).
    fn ln_likelihood(&self, frequency: u32, recency: f64, age: f64) -> f64;

    /// Log-likelihood of all cells.
    fn ln_likelihood_of(&self, cells: &Cells) -> f64 {
        let Cells { frequency, recency, age, weight } = cells;
        (0..cells.len()).map(|i| weight[i] * self.ln_likelihood(frequency[i], recency[i], age[i])).sum()
    }

    /// Log-likelihood of all cells with its first and second derivatives in the parameters.
    fn derivatives(&self, cells: &Cells) -> Derivatives;

    /// Probability of being alive now.
    fn p_alive(&self, frequency: u32, recency: f64, age: f64) -> f64;

    /// The future of a customer with this history who is alive.
    fn given_alive(&self, frequency: u32, recency: f64, age: f64) -> Future;

    /// A new customer: the chance to survive the first purchase itself, and the future after it.
    fn new_customer(&self) -> (f64, Future);

    /// Draws a new customer and appends the times of their repeat purchases within `length`.
    fn purchase_times(&self, length: f64, rng: &mut rand_chacha::ChaCha8Rng, times: &mut Vec<f64>);

    /// Draws a new customer and tells the history that is seen of them until they are so old, as this model reads it: of purchases one by one, unmerged, and
    /// of periods and renewals until the nearest whole age.
    fn draw_history(&self, age: f64, rng: &mut rand_chacha::ChaCha8Rng) -> History {
        let age = if Self::READS.periods() { age.round() } else { age };
        let mut times = Vec::new();
        self.purchase_times(age, rng, &mut times);
        let recency = times.last().copied().unwrap_or(0.0);
        History { frequency: times.len() as u32, recency, age, spend: None }
    }

    /// Where to start the search, given the mean age and mean repeat rate of the customers.
    fn starts(mean_age: f64, repeats_per_age: f64) -> Vec<Vec<f64>>;

    /// Refuses histories that have no estimate, and warns where they say little.
    ///
    /// # Errors
    ///
    /// [`Error::NoEstimate`] where the likelihood has no maximum.
    fn look(cells: &Cells) -> Result<Vec<Warning>, Error> {
        let of = |f: &dyn Fn(u32) -> u32| -> f64 {
            cells.frequency.iter().zip(&cells.weight).map(|(x, weight)| weight * f64::from(f(*x))).sum()
        };
        if of(&|x| x) == 0.0 {
            let why = "no customer has bought twice, so the purchase rate is indistinguishable from 0; \
                       observe longer, or fix parameters that are known from elsewhere";
            return Err(Error::NoEstimate { model: Self::KIND.name, why });
        }
        let customers = of(&|x| x.min(1));
        let few = (customers < 10.0).then_some(Warning::FewRepeatBuyers { customers: customers as usize });
        Ok(few.into_iter().collect())
    }

    /// Refuses values at which a search ended that stand for the limit of another model.
    ///
    /// # Errors
    ///
    /// [`Error::NoEstimate`] saying what it is in the data that the model does not fit.
    fn expect_no_limit(&self) -> Result<(), Error> {
        Ok(())
    }
}

/// Refuses histories that a model does not read.
///
/// # Errors
///
/// [`Error::Histories`]; [`Error::History`] naming the row of one whose times are not whole where the model counts in periods.
pub(crate) fn expect_histories<P: Process>(data: &Training<'_>) -> Result<(), Error> {
    let Summary { frequency, recency, age, .. } = data.summary();
    data.summary().customers().expect_histories(P::KIND.name, P::READS)?;
    (0..data.summary().len())
        .try_for_each(|row| times_of::<P>(row, frequency[row], recency[row], age[row]).map(|_| ()))
}

/// The mean age of weighted customers.
///
/// # Errors
///
/// [`Error::NoEstimate`] if nobody was observed for any time.
pub(crate) fn mean_age(model: &'static str, cells: &Cells) -> Result<f64, Error> {
    let aged: f64 = cells.age.iter().zip(&cells.weight).map(|(age, weight)| age * weight).sum();
    let mean = aged / cells.customers();
    if mean <= 0.0 {
        let why = "every customer first bought on the last day, so nothing has been observed";
        return Err(Error::NoEstimate { model, why });
    }
    Ok(mean)
}

/// Calendar months and years are of unlike lengths: as near to a whole number is one.
pub(crate) const NEAR: f64 = 0.1;

/// The times of a history as a model takes them: whole, for one that counts in periods.
pub(crate) fn times_of<P: Process>(row: usize, x: u32, t_x: f64, age: f64) -> Result<(f64, f64), Error> {
    if !P::READS.periods() {
        return Ok((t_x, age));
    }
    let whole = |field, given: f64| {
        let near = given.round();
        if (given - near).abs() <= NEAR {
            return Ok(near);
        }
        let allowed = "whole periods: count one purchase a period, and time in periods (grain and unit the same day, week, month or year)";
        Err(Error::History { row, field, given, allowed })
    };
    let (t_x, age) = (whole("recency", t_x)?, whole("age", age)?);
    if f64::from(x) > t_x {
        let allowed = "at most one repeat purchase a period";
        return Err(Error::History { row, field: "frequency", given: f64::from(x), allowed });
    }
    Ok((t_x, age))
}

/// The same of cells, those counted together that have become alike.
pub(crate) fn cells_of<P: Process>(cells: &Cells) -> Result<Cow<'_, Cells>, Error> {
    if !P::READS.periods() {
        return Ok(Cow::Borrowed(cells));
    }
    let mut rows: Vec<(u32, u64, u64, f64)> = Vec::with_capacity(cells.len());
    for i in 0..cells.len() {
        let (x, weight) = (cells.frequency[i], cells.weight[i]);
        let (t_x, age) = times_of::<P>(i, x, cells.recency[i], cells.age[i])?;
        rows.push((x, t_x as u64, age as u64, weight));
    }
    rows.sort_by_key(|row| (row.0, row.1, row.2));
    let mut whole = Cells::default();
    for same in rows.chunk_by(|a, b| (a.0, a.1, a.2) == (b.0, b.1, b.2)) {
        let (x, t_x, age, _) = same[0];
        whole.push(x, t_x as f64, age as f64, same.iter().map(|row| row.3).sum());
    }
    Ok(Cow::Owned(whole))
}

/// That a model has no parameter of this name.
pub(crate) fn unknown_parameter(name: &str, parameters: &[Parameter]) -> Error {
    let known: Vec<&str> = parameters.iter().map(|p| p.name).collect();
    Error::UnknownName { what: "parameter", given: name.to_owned(), known: known.join(", ") }
}

/// Checks values against the parameter table.
pub(crate) fn check_values<const N: usize>(
    parameters: &[Parameter],
    values: &[f64],
) -> Result<[f64; N], Error> {
    for (parameter, &value) in parameters.iter().zip(values) {
        if !(value.is_finite() && value > 0.0) {
            return Err(Error::Setting { name: parameter.name, given: value, allowed: "finite, above 0" });
        }
    }
    values.try_into().map_err(|_| Error::Length { column: "parameters", given: values.len(), expected: N })
}

/// Writes parameters by name.
pub(crate) fn save_parameters(
    parameters: &[Parameter],
    values: &[f64],
    to: &mut SaveWriter,
) -> Result<(), Error> {
    let named: BTreeMap<&str, f64> = parameters.iter().map(|p| p.name).zip(values.iter().copied()).collect();
    to.field("parameters", &named)
}

/// Reads them; a missing one is NaN, which the check of the model refuses by name.
pub(crate) fn saved_parameters(parameters: &[Parameter], saved: &SavedModel) -> Result<Vec<f64>, Error> {
    let mut named: BTreeMap<String, f64> = saved.field("parameters")?;
    Ok(parameters.iter().map(|p| named.remove(p.name).unwrap_or(f64::NAN)).collect())
}

/// Sums of a value, gradient and packed symmetric Hessian over `N` parameters.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sums<const N: usize> {
    pub value: f64,
    pub gradient: [f64; N],
    pub hessian: [[f64; N]; N],
}

impl<const N: usize> Sums<N> {
    pub(crate) const ZERO: Self = Self { value: 0.0, gradient: [0.0; N], hessian: [[0.0; N]; N] };

    /// Adds `weight` times another; of the Hessian only entries `[i][j]` with `j ≥ i` matter.
    pub(crate) fn add(&mut self, weight: f64, other: &Self) {
        self.value += weight * other.value;
        for i in 0..N {
            self.gradient[i] += weight * other.gradient[i];
            for j in i..N {
                self.hessian[i][j] += weight * other.hessian[i][j];
            }
        }
    }

    pub(crate) fn into_derivatives(self) -> Derivatives {
        let mut hessian = Vec::with_capacity(N * N);
        for i in 0..N {
            for j in 0..N {
                hessian.push(self.hessian[i.min(j)][i.max(j)]);
            }
        }
        Derivatives { value: self.value, gradient: self.gradient.to_vec(), hessian }
    }
}

/// Runs of cells with the same frequency: what depends on `x` alone is computed once per run.
pub(crate) fn frequency_runs(cells: &Cells) -> impl Iterator<Item = (f64, std::ops::Range<usize>, f64)> + '_ {
    let mut start = 0;
    std::iter::from_fn(move || {
        let x = *cells.frequency.get(start)?;
        let end = start + cells.frequency[start..].iter().take_while(|&&f| f == x).count();
        let range = start..end;
        start = end;
        let weight = cells.weight[range.clone()].iter().sum();
        Some((f64::from(x), range, weight))
    })
}

/// A log-likelihood of cells from what depends on `x` alone and the rest.
pub(crate) fn sum_over_runs(
    cells: &Cells,
    of_frequency: impl Fn(f64) -> f64,
    of_times: impl Fn(f64, f64, f64) -> f64,
) -> f64 {
    let of_run = |(x, range, weight): (f64, std::ops::Range<usize>, f64)| {
        let rest = range.map(|i| cells.weight[i] * of_times(x, cells.recency[i], cells.age[i]));
        weight * of_frequency(x) + rest.sum::<f64>()
    };
    frequency_runs(cells).map(of_run).sum()
}

/// Holds gradient and Hessian against differences of the function and of its gradient.
#[cfg(test)]
pub(crate) fn expect_derivatives(values: &[f64], within: f64, derivatives: impl Fn(&[f64]) -> Derivatives) {
    let (at, n) = (derivatives(values), values.len());
    for i in 0..n {
        let step = 1e-5 * values[i];
        let moved = |by: f64| {
            let mut values = values.to_vec();
            values[i] += by;
            derivatives(&values)
        };
        let (up, down) = (moved(step), moved(-step));
        let slope = (up.value - down.value) / (2.0 * step);
        let found = at.gradient[i];
        assert!((slope - found).abs() < within * (1.0 + slope.abs()), "{values:?} {i}: {slope} {found}");
        for j in 0..n {
            let bend = (up.gradient[j] - down.gradient[j]) / (2.0 * step);
            let found = at.hessian[n * i + j];
            assert!((bend - found).abs() < within * (1.0 + bend.abs()), "{values:?} {i} {j}: {bend} {found}");
        }
    }
}
