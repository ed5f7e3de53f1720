//! What a customer is worth after margin, returns, service and acquisition.

use crate::error::{Error, Result};
use crate::model::{Activity, History};
use crate::setting::at_least_zero;
use crate::units::{Discount, Span, TimeUnit};

/// What is earned on what is sold, and what it costs. One for all customers, or one for each.
///
/// | Name | Default | Meaning | Range |
/// | :-- | :-- | :-- | :-- |
/// | `margin` | 1 | share of spend that is earned | 0 … |
/// | `returned` | 0 | share of spend that comes back | 0 … 1 |
/// | `per_purchase` | 0 | cost of serving one purchase: picking, payment, support | 0 … |
/// | `per_year` | 0 | cost of a year of an active customer: mailings, account | 0 … |
/// | `acquisition` | 0 | what it took to win the customer, paid at the first purchase | 0 … |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Economics {
    margin: f64,
    returned: f64,
    per_purchase: f64,
    per_year: f64,
    acquisition: f64,
}

impl Default for Economics {
    fn default() -> Self {
        Self { margin: 1.0, returned: 0.0, per_purchase: 0.0, per_year: 0.0, acquisition: 0.0 }
    }
}

impl Economics {
    /// The share of spend that is earned.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and at least 0.
    pub fn margin(self, share: f64) -> Result<Self> {
        Ok(Self { margin: at_least_zero("margin", share)?, ..self })
    }

    /// The share of spend that comes back, where returns were not netted in the log.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it lies between 0 and 1.
    pub fn returned(self, share: f64) -> Result<Self> {
        if !(0.0..=1.0).contains(&share) {
            return Err(Error::Setting { name: "returned", given: share, allowed: "0 to 1 (0.1 is 10%)" });
        }
        Ok(Self { returned: share, ..self })
    }

    /// What it costs to serve one purchase.
    ///
    /// # Errors
    ///
    /// As [`Economics::margin`].
    pub fn per_purchase(self, cost: f64) -> Result<Self> {
        Ok(Self { per_purchase: at_least_zero("cost per purchase", cost)?, ..self })
    }

    /// What it costs to keep an active customer for a year.
    ///
    /// # Errors
    ///
    /// As [`Economics::margin`].
    pub fn per_year(self, cost: f64) -> Result<Self> {
        Ok(Self { per_year: at_least_zero("cost per year", cost)?, ..self })
    }

    /// What it took to win the customer.
    ///
    /// # Errors
    ///
    /// As [`Economics::margin`].
    pub fn acquisition(self, cost: f64) -> Result<Self> {
        Ok(Self { acquisition: at_least_zero("cost of acquisition", cost)?, ..self })
    }

    /// What one purchase of this spend leaves.
    pub fn contribution(&self, spend: f64) -> f64 {
        self.margin * (1.0 - self.returned) * spend - self.per_purchase
    }

    /// A customer's value.
    ///
    /// # Formula
    ///
    /// ```text
    /// historic = m (1 − ρ) · spent − c · purchases − k · years
    /// future   = (m (1 − ρ) · spend − c) · DE − k · DA
    /// ```
    ///
    /// where `m` is the margin, `ρ` the share returned, `c` the cost per purchase, `k` the cost per
    /// year, `DE` discounted expected purchases and `DA` discounted expected years of activity.
    pub fn value(&self, past: &Past, future: &Future) -> LifetimeValue {
        let historic = self.margin * (1.0 - self.returned) * past.spent
            - self.per_purchase * past.purchases
            - self.per_year * past.years;
        let expected = future.spend.map(|spend| {
            self.contribution(spend) * future.discounted_purchases - self.per_year * future.discounted_years
        });
        LifetimeValue { historic, future: expected, acquisition: self.acquisition }
    }

    /// How long until a new customer has paid for their acquisition: the first time `t` with
    /// `contribution(spend) · (1 + E[X(t)]) ≥ acquisition + per_year · A(t)`, by steps of a thousandth of
    /// the horizon; `None` if that does not happen within it. `A(t)` are the expected years of activity up
    /// to `t`. Nothing is discounted: it is about when, not about how much it is worth.
    ///
    /// # Errors
    ///
    /// Those of `expected_repeats` and `active_years`.
    pub fn payback(
        &self,
        spend: f64,
        horizon: Span,
        unit: TimeUnit,
        mut expected_repeats: impl FnMut(f64) -> Result<f64>,
        mut active_years: impl FnMut(f64) -> Result<f64>,
    ) -> Result<Option<Span>> {
        let end = horizon.in_units(unit);
        for step in 0..=1_000 {
            let t = end * f64::from(step) / 1_000.0;
            let earned = self.contribution(spend) * (1.0 + expected_repeats(t)?);
            if earned >= self.acquisition + self.per_year * active_years(t)? {
                return Span::new(t, unit).map(Some);
            }
        }
        Ok(None)
    }
}

/// What a customer has done up to the cut.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Past {
    /// Money spent, first purchase included.
    pub spent: f64,
    /// Purchases, the first included.
    pub purchases: f64,
    /// Years since the first purchase.
    pub years: f64,
}

/// What a customer is expected to do within the horizon.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Future {
    /// Discounted expected purchases.
    pub discounted_purchases: f64,
    /// Expected spend per purchase; `None` if undefined.
    pub spend: Option<f64>,
    /// Discounted expected years of activity; see [`discounted_years`].
    pub discounted_years: f64,
}

/// A year of weeks has more parts, a year of one unit as many.
const PARTS: u32 = 64;
/// Five years of weeks.
const MOST_UNITS: f64 = 260.0;

/// Expected years of activity within a horizon, discounted: `∫₀ᴴ e^{−δt} P(alive at t) dt`, by two Gauss–Legendre nodes within each of
/// at least 64 parts that no whole unit of time lies within, so that what happens at these (renewals, opportunities) is no jump within a part; of horizons of more than
/// 260 units, and those that are no whole units, within each of 64 parts.
///
/// # Errors
///
/// As [`Activity::p_alive`].
pub fn discounted_years(
    model: &dyn Activity,
    history: &History,
    discount: Discount,
    horizon: Span,
    unit: TimeUnit,
) -> Result<f64> {
    let (delta, end) = (discount.rate_per(unit), horizon.in_units(unit));
    let is_whole = (end - end.round()).abs() < 1e-9 * end;
    let units = if is_whole && end.round() <= MOST_UNITS { end.round().max(1.0) as u32 } else { 1 };
    let parts = units * PARTS.div_ceil(units);
    let width = end / f64::from(parts);
    let mut sum = 0.0;
    for part in 0..parts {
        for node in [0.5 - 0.5 / 3.0_f64.sqrt(), 0.5 + 0.5 / 3.0_f64.sqrt()] {
            let t = width * (f64::from(part) + node);
            sum += 0.5 * width * model.p_alive(history, t)? * (-delta * t).exp();
        }
    }
    Ok(sum / unit.per_year())
}

/// A customer's value: what they brought, what they will bring, and what they cost to win.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LifetimeValue {
    /// Earned up to the cut.
    pub historic: f64,
    /// Expected to be earned within the horizon, discounted; absent if undefined.
    pub future: Option<f64>,
    /// What it took to win them.
    pub acquisition: f64,
}

impl LifetimeValue {
    /// Historic and future together; absent if the future is undefined.
    pub fn total(&self) -> Option<f64> {
        self.future.map(|future| future + self.historic)
    }

    /// The total after acquisition.
    pub fn net(&self) -> Option<f64> {
        self.total().map(|total| total - self.acquisition)
    }
}

/// The values of a group of customers: a cohort, a channel, a segment, or all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupValue {
    /// Which.
    pub label: String,
    /// How many.
    pub customers: usize,
    /// How many of them have an undefined future, which is not in the sums.
    pub undefined: usize,
    /// Earned up to the cut.
    pub historic: f64,
    /// Expected within the horizon: the equity of these customers.
    pub future: f64,
    /// What it took to win them.
    pub acquisition: f64,
}

impl GroupValue {
    /// Historic and future together.
    pub fn total(&self) -> f64 {
        self.historic + self.future
    }

    /// Total after acquisition, per customer.
    pub fn net_per_customer(&self) -> f64 {
        (self.total() - self.acquisition) / self.customers.max(1) as f64
    }

    /// Total over acquisition; `None` if that cost nothing.
    pub fn return_on_acquisition(&self) -> Option<f64> {
        (self.acquisition > 0.0).then(|| self.total() / self.acquisition)
    }
}

/// Sums values by a label of each customer, in order of the labels.
pub fn by_group<'a>(
    values: &[LifetimeValue],
    label: impl Fn(usize) -> std::borrow::Cow<'a, str>,
) -> Vec<GroupValue> {
    let mut groups: std::collections::BTreeMap<String, GroupValue> = std::collections::BTreeMap::new();
    for (row, value) in values.iter().enumerate() {
        let label = label(row);
        let group = groups.entry(label.into_owned()).or_default();
        group.customers += 1;
        group.historic += value.historic;
        group.acquisition += value.acquisition;
        match value.future {
            Some(future) => group.future += future,
            None => group.undefined += 1,
        }
    }
    groups.into_iter().map(|(label, group)| GroupValue { label, ..group }).collect()
}

/// Customer equity: the sum over all customers (Blattberg and Deighton 1996).
pub fn equity(values: &[LifetimeValue]) -> GroupValue {
    by_group(values, |_| "all".into()).pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_by_hand() {
        let shop = Economics::default().margin(0.5).unwrap().returned(0.1).unwrap();
        let shop = shop.per_purchase(2.0).unwrap().per_year(3.0).unwrap().acquisition(20.0).unwrap();
        let past = Past { spent: 200.0, purchases: 4.0, years: 2.0 };
        let future = Future { discounted_purchases: 3.0, spend: Some(60.0), discounted_years: 0.9 };
        let value = shop.value(&past, &future);
        // .45 × 200 − 2 × 4 − 3 × 2; (.45 × 60 − 2) × 3 − 3 × .9
        assert!((value.historic - 76.0).abs() < 1e-12);
        assert!((value.future.unwrap() - 72.3).abs() < 1e-12);
        assert!((value.net().unwrap() - 128.3).abs() < 1e-12);
        let undefined = shop.value(&past, &Future { spend: None, ..future });
        assert_eq!((undefined.future, undefined.net()), (None, None));
        let groups = by_group(&[value, undefined, value], |row| ["a", "b", "a"][row].into());
        assert_eq!((groups[0].customers, groups[1].undefined), (2, 1));
        assert!((groups[0].return_on_acquisition().unwrap() - 2.0 * 148.3 / 40.0).abs() < 1e-12);
        let all = equity(&[value, undefined, value]);
        assert!((all.future - 144.6).abs() < 1e-12 && (all.historic - 228.0).abs() < 1e-12);
        for bad in [-0.1, f64::NAN] {
            assert!(shop.margin(bad).is_err() && shop.returned(bad).is_err() && shop.per_year(bad).is_err());
        }
    }

    #[test]
    fn acquisition_is_paid_back_when_enough_has_been_earned() {
        let shop = Economics::default().margin(0.5).unwrap().acquisition(30.0).unwrap();
        let horizon = Span::weeks(100.0).unwrap();
        let years = |t: f64| Ok(t / TimeUnit::Week.per_year());
        // 10 a purchase, one at once and one every ten weeks: 30 after 20 weeks.
        let when = shop.payback(20.0, horizon, TimeUnit::Week, |t| Ok(t / 10.0), years).unwrap().unwrap();
        assert!((when.in_units(TimeUnit::Week) - 20.0).abs() < 0.1 + 1e-9);
        assert_eq!(shop.payback(20.0, horizon, TimeUnit::Week, |_| Ok(0.0), years).unwrap(), None);
    }

    /// Leaves as customers of the Pareto/NBD do, or at whole units.
    #[derive(Debug)]
    enum Leaving {
        Any { s: f64, beta: f64 },
        AtUnits(f64),
    }

    impl Activity for Leaving {
        fn p_alive(&self, _: &History, later: f64) -> Result<f64> {
            Ok(match *self {
                Self::Any { s, beta } => (beta / (beta + later)).powf(s),
                Self::AtUnits(stays) => stays.powf(later.floor()),
            })
        }
    }

    #[test]
    fn years_of_activity_whatever_the_unit() {
        let now = History::new(0, 0.0, 0.0).unwrap();
        let years = |leaving: &Leaving, units: f64, unit| {
            let horizon = Span::new(units, unit).unwrap();
            discounted_years(leaving, &now, Discount::NONE, horizon, unit).unwrap()
        };
        // Half of them within a quarter of the first unit: β/(1 − s) ((1 + t/β)^{1−s} − 1).
        let (s, beta) = (0.606, 0.224);
        for t in [1.0, 2.0, 5.0, 7.5] {
            let exact = beta / (1.0 - s) * ((1.0_f64 + t / beta).powf(1.0 - s) - 1.0);
            let found = years(&Leaving::Any { s, beta }, t, TimeUnit::Year);
            assert!((found / exact - 1.0).abs() < 1e-5, "{t}: {found} {exact}");
        }
        // Renewals at whole units: 1 + .7 + … of them.
        for units in [1_u32, 12, 70] {
            let exact: f64 = (0..units).map(|n| 0.7_f64.powi(n as i32)).sum::<f64>() / 12.0;
            let found = years(&Leaving::AtUnits(0.7), f64::from(units), TimeUnit::Month);
            assert!((found / exact - 1.0).abs() < 1e-12, "{units}: {found} {exact}");
        }
    }

    #[test]
    fn years_of_activity_are_discounted() {
        #[derive(Debug)]
        struct Fading;
        impl Activity for Fading {
            fn p_alive(&self, _: &History, ahead: f64) -> Result<f64> {
                Ok((-0.02 * ahead).exp())
            }
        }
        let history = History::new(0, 0.0, 1.0).unwrap();
        let discount = Discount::yearly(0.1).unwrap();
        let horizon = Span::weeks(52.0).unwrap();
        let got = discounted_years(&Fading, &history, discount, horizon, TimeUnit::Week).unwrap();
        let rate = 0.02 + discount.rate_per(TimeUnit::Week);
        let want = (1.0 - (-rate * 52.0).exp()) / rate * 7.0 / 365.25;
        assert!((got / want - 1.0).abs() < 1e-8, "{got} {want}");
    }
}
