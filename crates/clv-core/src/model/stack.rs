//! Several models at once, each weighted by what it was worth one window ago.

use std::sync::Arc;

use super::totals::expect_a_name_each;
use super::{
    Answers, Ask, Context, Customers, Fit, FitReport, Fitted, ForecastMut, Horizons, Kind, Predict, Scratch,
    Training, Warning,
};
use crate::backtest::BoxedFit;
use crate::error::{Error, Result};
use crate::features::Feature;
use crate::saved::{Registry, SaveWriter};
use crate::setting::at_least_zero;
use crate::units::{Span, TimeUnit};

const KIND: Kind = Kind::new("stack", 1);

/// Stacked generalisation (Wolpert 1992) with weights of at least 0 (Breiman 1996): forecasts of unlike
/// models added up, by the weights that would have served best one window before the cut.
///
/// ```text
/// w = argmin_{w ≥ 0} Σᵢ (yᵢ − Σₘ wₘ fₘᵢ)²
/// ```
///
/// over the customers known one window before the cut, with `fₘᵢ` the forecast of member `m` fitted on what
/// was known then, and `yᵢ` what came within the window: forecasts and outcomes that no member has learned
/// from. Purchases and money have weights of their own; they need not add up to 1, so that a common bias is
/// taken off. Then all members are fitted again on everything up to the cut.
///
/// Value is said if every member says it. The window is the horizon, or a third of the past if that is shorter.
///
/// `settings` makes a member's settings from its name and a horizon; the facade's `clv::shelf::with_spend` is
/// one. Buy-till-you-die models and learners may be mixed.
#[derive(Clone)]
pub struct Stack {
    members: Vec<String>,
    settings: Arc<Settings>,
    horizon: Span,
    /// Of members in purchases and in value, if they are not to be learned.
    weights: Option<(Vec<f64>, Vec<f64>)>,
}

type Settings = dyn Fn(&str, Span) -> Result<BoxedFit> + Send + Sync;

impl std::fmt::Debug for Stack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stack").field("members", &self.members).finish_non_exhaustive()
    }
}

impl Stack {
    /// Of members by name.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] without members.
    pub fn of(
        members: &[&str],
        settings: impl Fn(&str, Span) -> Result<BoxedFit> + Send + Sync + 'static,
        horizon: Span,
    ) -> Result<Self> {
        let settings = Arc::new(settings);
        if members.is_empty() {
            return Err(Error::Setting { name: "members", given: 0.0, allowed: "at least 1" });
        }
        let members = members.iter().map(|&name| name.to_owned()).collect();
        Ok(Self { members, settings, horizon, weights: None })
    }

    /// With the same weight for all, `1/M`, instead of learned ones: a look back costs a part of the past,
    /// which a short one may not have.
    pub fn even(self) -> Self {
        let share = vec![1.0 / self.members.len() as f64; self.members.len()];
        Self { weights: Some((share.clone(), share)), ..self }
    }

    /// With these weights instead of learned ones, in purchases and in value.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] unless there is one of each for each member; [`Error::Setting`] for one that is negative or
    /// not finite.
    pub fn weighted(self, purchases: &[f64], value: &[f64]) -> Result<Self> {
        for weights in [purchases, value] {
            if weights.len() != self.members.len() {
                let (given, expected) = (weights.len(), self.members.len());
                return Err(Error::Length { column: "weights", given, expected });
            }
            weights.iter().try_for_each(|weight| at_least_zero("weight", *weight).map(|_| ()))?;
        }
        Ok(Self { weights: Some((purchases.to_vec(), value.to_vec())), ..self })
    }
}

impl Fit for Stack {
    type Model = StackModel;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<StackModel>> {
        let look = if self.weights.is_some() { None } else { Some(self.look_back(data, cx)?) };
        let mut report = FitReport::new(KIND.name, data.summary().unit, data.summary().len());
        let mut members = Vec::new();
        for name in &self.members {
            let fitted = (self.settings)(name, self.horizon)?.fit(data, cx)?;
            let told = fitted.report.all_warnings().map(|(_, warning)| warning.clone());
            Warning::add_new(&mut report.warnings, told);
            members.push(fitted.model);
        }
        let says_value = members.iter().all(|member| member.answers().value);
        let (purchases, value) = self.weights.clone().unwrap_or_default();
        let (purchase_weights, value_weights) = match look {
            None => (purchases, says_value.then_some(value)),
            Some(look) => {
                report.rows = look.rows;
                let window = look.window;
                if window.in_days() < self.horizon.in_days() {
                    report.warnings.push(Warning::ShortWindow { window, horizon: self.horizon });
                }
                (look.purchase_weights, look.value_weights.filter(|_| says_value))
            }
        };
        let mut model = StackModel {
            unit: data.summary().unit,
            horizon: self.horizon,
            members,
            names: self.members.clone(),
            purchase_weights,
            value_weights,
            needs: Vec::new(),
        };
        model.collect_needs()?;
        Ok(Fitted { model, report })
    }
}

/// What a look back finds.
struct LookBack {
    rows: usize,
    window: Span,
    purchase_weights: Vec<f64>,
    value_weights: Option<Vec<f64>>,
}

impl Stack {
    /// The weights that would have served best one window ago.
    fn look_back(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<LookBack> {
        let (earlier, window) = data.earlier(self.horizon)?;
        let (bought, spent) = data.outcomes_since(&earlier);
        let (mut purchases, mut values) = (Vec::new(), Vec::new());
        for name in &self.members {
            let model = (self.settings)(name, window)?.fit(&earlier, cx)?.model;
            let forecast = earlier.forecast(&model, &Ask::over(window))?;
            let hint = "; choose other members";
            let missing = || Error::CannotSay { model: KIND.name, quantity: "purchases", hint };
            purchases.push(forecast.purchases.ok_or_else(missing)?);
            let defined = |values: Vec<Option<f64>>| values.into_iter().map(|v| v.unwrap_or(0.0)).collect();
            values.extend(forecast.value.map(defined));
        }
        // Value only if every member says it.
        let spent = spent.filter(|_| values.len() == self.members.len());
        Ok(LookBack {
            rows: bought.len(),
            window,
            purchase_weights: least_squares(&purchases, &bought),
            value_weights: spent.as_ref().map(|spent| least_squares(&values, spent)),
        })
    }
}

/// Fitted members with their weights.
#[derive(Debug)]
pub struct StackModel {
    unit: TimeUnit,
    horizon: Span,
    members: Vec<Box<dyn Predict>>,
    names: Vec<String>,
    purchase_weights: Vec<f64>,
    value_weights: Option<Vec<f64>>,
    needs: Vec<Feature>,
}

impl StackModel {
    /// Members added up as they are.
    pub(crate) fn sum(
        unit: TimeUnit,
        horizon: Span,
        members: Vec<Box<dyn Predict>>,
        names: Vec<String>,
    ) -> Result<Self> {
        let weights = vec![1.0; members.len()];
        let value_weights = members.iter().all(|m| m.answers().value).then(|| weights.clone());
        let mut model = Self {
            unit,
            horizon,
            members,
            names,
            purchase_weights: weights,
            value_weights,
            needs: Vec::new(),
        };
        model.collect_needs()?;
        Ok(model)
    }

    /// Each member's name and its weight in purchases.
    pub fn purchase_weights(&self) -> impl Iterator<Item = (&str, f64)> {
        self.names.iter().map(String::as_str).zip(self.purchase_weights.iter().copied())
    }

    /// Each member's name and its weight in value; none if value is not said.
    pub fn value_weights(&self) -> impl Iterator<Item = (&str, f64)> {
        let weights = self.value_weights.iter().flatten().copied();
        self.names.iter().map(String::as_str).zip(weights)
    }

    fn collect_needs(&mut self) -> Result<()> {
        for member in &self.members {
            for feature in member.needs() {
                if !self.needs.contains(feature) {
                    self.needs.push(feature.clone());
                }
            }
        }
        // Members are given their columns together.
        expect_a_name_each(&self.needs)
    }

    /// Adds up one column of the members' forecasts, into `one` and from there into `column`.
    fn add_up<T: Clone>(
        &self,
        (who, ask, inner): (&Customers<'_>, &Ask, &mut Scratch),
        weights: &[f64],
        (column, one): (&mut [T], &mut [T]),
        of: impl Fn(&mut [T]) -> ForecastMut<'_>,
        add: impl Fn(&mut T, f64, &T),
    ) -> Result<()> {
        for (member, weight) in self.members.iter().zip(weights).filter(|(_, weight)| **weight != 0.0) {
            member.predict_into(who, ask, inner, &mut of(one))?;
            column.iter_mut().zip(one.iter()).for_each(|(sum, x)| add(sum, *weight, x));
        }
        Ok(())
    }

    fn fill(
        &self,
        (who, ask, inner): (&Customers<'_>, &Ask, &mut Scratch),
        (one, one_value): (&mut Vec<f64>, &mut Vec<Option<f64>>),
        out: &mut ForecastMut<'_>,
    ) -> Result<()> {
        fn purchases(one: &mut [f64]) -> ForecastMut<'_> {
            ForecastMut { purchases: Some(one), ..ForecastMut::default() }
        }
        fn discounted(one: &mut [f64]) -> ForecastMut<'_> {
            ForecastMut { discounted_purchases: Some(one), ..ForecastMut::default() }
        }
        fn value(one: &mut [Option<f64>]) -> ForecastMut<'_> {
            ForecastMut { value: Some(one), ..ForecastMut::default() }
        }
        let add = |sum: &mut f64, weight: f64, x: &f64| *sum += weight * x;
        if let Some(column) = &mut out.purchases {
            one.resize(column.len(), 0.0);
            column.fill(0.0);
            self.add_up((who, ask, &mut *inner), &self.purchase_weights, (column, one), purchases, add)?;
        }
        if let Some(column) = &mut out.discounted_purchases {
            one.resize(column.len(), 0.0);
            column.fill(0.0);
            self.add_up((who, ask, &mut *inner), &self.purchase_weights, (column, one), discounted, add)?;
        }
        if let (Some(column), Some(weights)) = (&mut out.value, &self.value_weights) {
            one_value.resize(column.len(), None);
            column.fill(Some(0.0));
            // Undefined by one that has a say is undefined.
            let add = |sum: &mut Option<f64>, weight: f64, x: &Option<f64>| {
                *sum = sum.and_then(|sum| x.map(|x| sum + weight * x));
            };
            self.add_up((who, ask, inner), weights, (column, one_value), value, add)?;
        }
        Ok(())
    }
}

impl Predict for StackModel {
    fn kind(&self) -> Kind {
        KIND
    }

    fn unit(&self) -> TimeUnit {
        self.unit
    }

    fn answers(&self) -> Answers {
        Answers::totals(self.value_weights.is_some(), Horizons::Only(self.horizon))
    }

    fn needs(&self) -> &[Feature] {
        &self.needs
    }

    fn predict_into(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        scratch: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<()> {
        let answers = self.answers();
        who.expect_unit(self.unit)?;
        answers.expect_horizon(KIND.name, ask.horizon())?;
        out.expect(KIND.name, &answers, who.len())?;
        let mut inner = scratch.inner.take().unwrap_or_default();
        let Scratch { summand, summand_value, .. } = &mut *scratch;
        let done = self.fill((who, ask, &mut inner), (summand, summand_value), out);
        scratch.inner = Some(inner);
        done
    }

    fn save(&self, to: &mut SaveWriter) -> Result<()> {
        to.field("unit", &self.unit)?;
        to.field("horizon", &self.horizon)?;
        to.field("names", &self.names)?;
        to.field("purchase_weights", &self.purchase_weights)?;
        to.field("value_weights", &self.value_weights)?;
        for (place, member) in self.members.iter().enumerate() {
            to.nested(&format!("member_{place}"), member)?;
        }
        Ok(())
    }
}

/// `argmin_{w ≥ 0} Σ (y − Σ w f)²` by coordinate descent on the members' products, which for a handful of
/// members is exact in a moment.
fn least_squares(forecasts: &[Vec<f64>], actual: &[f64]) -> Vec<f64> {
    const SWEEPS: usize = 10_000;
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let count = forecasts.len();
    let products: Vec<f64> =
        (0..count * count).map(|i| dot(&forecasts[i / count], &forecasts[i % count])).collect();
    let right: Vec<f64> = forecasts.iter().map(|f| dot(f, actual)).collect();
    let mut weights = vec![0.0; count];
    for _ in 0..SWEEPS {
        let mut moved = 0.0_f64;
        for m in 0..count {
            let own = products[m * count + m];
            if own <= 0.0 {
                continue;
            }
            let others: f64 =
                (0..count).filter(|&k| k != m).map(|k| products[m * count + k] * weights[k]).sum();
            let best = ((right[m] - others) / own).max(0.0);
            moved = moved.max((best - weights[m]).abs());
            weights[m] = best;
        }
        if moved < 1e-12 {
            break;
        }
    }
    weights
}

pub(super) fn register(registry: &mut Registry) {
    registry.register(KIND, |saved, registry| {
        let names: Vec<String> = saved.field("names")?;
        let members = (0..names.len()).map(|place| saved.nested(&format!("member_{place}"), registry));
        let mut model = StackModel {
            unit: saved.field("unit")?,
            horizon: saved.field("horizon")?,
            members: members.collect::<Result<_>>()?,
            names,
            purchase_weights: saved.field("purchase_weights")?,
            value_weights: saved.field("value_weights")?,
            needs: Vec::new(),
        };
        model.collect_needs()?;
        Ok(Box::new(model))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_those_of_least_squares_where_none_is_negative() {
        let (a, b) = (vec![1.0, 0.0, 2.0, 1.0], vec![0.0, 3.0, 1.0, 1.0]);
        let actual: Vec<f64> = a.iter().zip(&b).map(|(a, b)| 0.7 * a + 0.5 * b).collect();
        let weights = least_squares(&[a.clone(), b.clone()], &actual);
        assert!((weights[0] - 0.7).abs() < 1e-9 && (weights[1] - 0.5).abs() < 1e-9, "{weights:?}");
        // Where the best weight is negative, 0, and the other is its own best.
        let actual: Vec<f64> = a.iter().zip(&b).map(|(a, b)| 0.7 * a - 0.2 * b).collect();
        let weights = least_squares(&[a.clone(), b], &actual);
        let alone =
            a.iter().zip(&actual).map(|(a, y)| a * y).sum::<f64>() / a.iter().map(|a| a * a).sum::<f64>();
        assert!((weights[0] - alone).abs() < 1e-9 && weights[1] == 0.0, "{weights:?}");
        assert_eq!(least_squares(&[vec![0.0; 4]], &actual), [0.0]);
    }
}
