//! What is known of a customer as of a cut, by name.

mod beyond;
mod links;
mod past;
mod source;
mod taste;

use ndarray::ArrayView2;
use serde::{Deserialize, Serialize};

use crate::cohorts::Period;
use crate::error::{Error, Result};
use crate::summary::{Purchases, Summary};
use crate::units::Span;

use past::Past;

pub use beyond::Beyond;
pub use links::Links;
pub use source::{NothingMore, Remembered, Source};
pub use taste::Taste;

/// A column computed as of a cut; nothing later can enter.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Feature {
    /// Repeat purchases.
    Frequency,
    /// Time from first to last purchase.
    Recency,
    /// Time from first purchase to the cut.
    Age,
    /// Mean amount of the repeat purchases; 0 for a customer without any.
    MonetaryValue,
    /// Purchases within the last span before the cut, the first purchase included.
    PurchasesWithin(Span),
    /// Money spent within the last span before the cut.
    ValueWithin(Span),
    /// Purchases within the last span less those within the span before it.
    PurchasesTrend(Span),
    /// Money spent within the last span less that spent within the span before it.
    ValueTrend(Span),
    /// Time from last purchase to the cut.
    Silence,
    /// Mean time between purchases; for a customer without a repeat purchase their age.
    MeanGap,
    /// Standard deviation of the times between purchases over their mean: 0 for a clock, near 1 for a
    /// random buyer, more for one in bursts; 0 with fewer than two such times.
    GapVariation,
    /// Sum of the natural logarithms of the times between purchases, in the histories' time unit; 0 without a repeat purchase.
    SumOfLnGaps,
    /// Silence in mean gaps; 1 for a customer without a repeat purchase, 0 on the day of the first.
    Overdue,
    /// Money spent up to the cut, the first purchase included.
    TotalSpend,
    /// Amount of the first purchase.
    FirstSpend,
    /// Amount of the last purchase.
    LastSpend,
    /// A percentile of the purchases' amounts, from 0 (the least) over 50 (the median) to 100.
    SpendQuantile(u8),
    /// Standard deviation of the purchases' amounts over their mean.
    SpendVariation,
    /// Purchases with an amount above 0, of those that the summary's mean spend is taken over.
    PaidPurchases,
    /// Mean of the natural logarithms of the amounts of these; 0 without any.
    MeanLnSpend,
    /// The number of the period in which the first purchase lies ([`Period::index`]).
    Cohort(Period),
    /// Month of the first purchase, 1 to 12.
    FirstMonth,
    /// Day of the week of the first purchase, Monday 1 to Sunday 7.
    FirstWeekday,
    /// Share of the purchases that fall on a Saturday or Sunday.
    WeekendShare,
    /// Two of these, multiplied.
    Times(Box<Self>, Box<Self>),
    /// One of these over another; 0 where that is 0.
    Per(Box<Self>, Box<Self>),
    /// A column of a [`Source`], by its name: what is known beyond the purchases.
    Column(String),
    /// P(alive) as another model sees it; only within [`Informed`](crate::learn::Informed).
    ForecastPAlive,
    /// Purchases that another model forecasts; only within [`Informed`](crate::learn::Informed).
    ForecastPurchases,
    /// Value that another model forecasts; only within [`Informed`](crate::learn::Informed).
    ForecastValue,
}

impl Feature {
    /// The columns that every history has.
    pub const SUMMARY: [Self; 4] = [Self::Frequency, Self::Recency, Self::Age, Self::MonetaryValue];

    /// The columns that every history has, mean spend only with amounts.
    pub fn of_summary(with_amounts: bool) -> Vec<Self> {
        Self::SUMMARY[..if with_amounts { 4 } else { 3 }].to_vec()
    }

    /// A broad set: rhythm, trends over the spans given, amounts if there are any, the calendar.
    pub fn broad(spans: &[Span], with_amounts: bool) -> Vec<Self> {
        let mut plan = Self::of_summary(with_amounts);
        plan.extend([Self::Silence, Self::MeanGap, Self::GapVariation, Self::Overdue]);
        plan.extend(spans.iter().flat_map(|&span| [Self::PurchasesWithin(span), Self::PurchasesTrend(span)]));
        plan.extend([Self::FirstMonth, Self::FirstWeekday, Self::WeekendShare]);
        if with_amounts {
            plan.extend(spans.iter().flat_map(|&span| [Self::ValueWithin(span), Self::ValueTrend(span)]));
            plan.extend([Self::TotalSpend, Self::FirstSpend, Self::LastSpend, Self::SpendVariation]);
            plan.extend([Self::SpendQuantile(50), Self::SpendQuantile(100)]);
        }
        plan
    }

    /// This multiplied by another.
    pub fn times(self, other: Self) -> Self {
        Self::Times(Box::new(self), Box::new(other))
    }

    /// This over another.
    pub fn per(self, other: Self) -> Self {
        Self::Per(Box::new(self), Box::new(other))
    }

    /// Its name within another's, in parentheses if it has parts itself: `(a_per_b)_times_c`.
    fn part_name(&self) -> String {
        match self {
            Self::Times(..) | Self::Per(..) => format!("({})", self.name()),
            _ => self.name(),
        }
    }

    /// Adds the names of the columns of a [`Source`] that it is made of, each once.
    pub(crate) fn collect_columns(&self, to: &mut Vec<String>) {
        match self {
            Self::Column(name) if !to.contains(name) => to.push(name.clone()),
            Self::Times(one, other) | Self::Per(one, other) => {
                one.collect_columns(to);
                other.collect_columns(to);
            }
            _ => {}
        }
    }

    /// Whether it needs what a [`Source`] tells.
    pub fn is_beyond_purchases(&self) -> bool {
        match self {
            Self::Column(_) => true,
            Self::Times(one, other) | Self::Per(one, other) => {
                one.is_beyond_purchases() || other.is_beyond_purchases()
            }
            _ => false,
        }
    }

    /// Its column name.
    pub fn name(&self) -> String {
        match self {
            Self::Frequency => "frequency".into(),
            Self::Recency => "recency".into(),
            Self::Age => "age".into(),
            Self::MonetaryValue => "monetary_value".into(),
            Self::PurchasesWithin(span) => format!("purchases_within_{}_days", span.in_days()),
            Self::ValueWithin(span) => format!("value_within_{}_days", span.in_days()),
            Self::PurchasesTrend(span) => format!("purchases_trend_{}_days", span.in_days()),
            Self::ValueTrend(span) => format!("value_trend_{}_days", span.in_days()),
            Self::Silence => "silence".into(),
            Self::MeanGap => "mean_gap".into(),
            Self::GapVariation => "gap_variation".into(),
            Self::SumOfLnGaps => "sum_of_ln_gaps".into(),
            Self::Overdue => "overdue".into(),
            Self::TotalSpend => "total_spend".into(),
            Self::FirstSpend => "first_spend".into(),
            Self::LastSpend => "last_spend".into(),
            Self::SpendQuantile(percent) => format!("spend_quantile_{percent}"),
            Self::SpendVariation => "spend_variation".into(),
            Self::PaidPurchases => "paid_purchases".into(),
            Self::MeanLnSpend => "mean_ln_spend".into(),
            Self::Cohort(period) => format!("cohort_{period}"),
            Self::FirstMonth => "first_month".into(),
            Self::FirstWeekday => "first_weekday".into(),
            Self::WeekendShare => "weekend_share".into(),
            Self::Times(one, other) => format!("{}_times_{}", one.part_name(), other.part_name()),
            Self::Per(one, other) => format!("{}_per_{}", one.part_name(), other.part_name()),
            Self::Column(name) => name.clone(),
            Self::ForecastPAlive => "forecast_p_alive".into(),
            Self::ForecastPurchases => "forecast_purchases".into(),
            Self::ForecastValue => "forecast_value".into(),
        }
    }
}

/// Named columns, one row per customer, stored row by row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureMatrix {
    names: Vec<String>,
    data: Vec<f64>,
}

impl FeatureMatrix {
    /// From names and row-major data.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] if the data are not a whole number of rows.
    pub fn new(names: Vec<String>, data: Vec<f64>) -> Result<Self> {
        if names.is_empty() != data.is_empty()
            || (!names.is_empty() && !data.len().is_multiple_of(names.len()))
        {
            return Err(Error::Length { column: "feature data", given: data.len(), expected: names.len() });
        }
        Ok(Self { names, data })
    }

    /// The columns of a plan, for the customers of a summary: of one customer or of all, by the same way
    /// through each customer's own purchases.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] if the plan asks for money and the log has none.
    pub fn compute(plan: &[Feature], purchases: &Purchases, summary: &Summary) -> Result<Self> {
        Self::compute_with(plan, purchases, summary, None)
    }

    /// The same, with what a source told of the columns that the plan names, in the order of
    /// [`Feature::collect_columns`], a row for each customer.
    pub(crate) fn compute_with(
        plan: &[Feature],
        purchases: &Purchases,
        summary: &Summary,
        told: Option<&Self>,
    ) -> Result<Self> {
        let names = plan.iter().map(Feature::name).collect();
        let mut data = Vec::with_capacity(plan.len() * summary.len());
        // Where each column of the source is among what it told, as names are slow to look up for each customer.
        let place = |name: &String| told.and_then(|told| told.position(name));
        let places: Vec<Option<usize>> = plan
            .iter()
            .map(|feature| if let Feature::Column(name) = feature { place(name) } else { None })
            .collect();
        for row in 0..summary.len() {
            let past = Past::of(purchases, summary, row, told);
            for (feature, place) in plan.iter().zip(&places) {
                data.push(match (told, place) {
                    (Some(told), Some(place)) => told.row(row)[*place],
                    _ => past.value(feature)?,
                });
            }
        }
        Ok(Self { names, data })
    }

    /// Other rows of the same columns (or the first), in the memory of the ones before.
    pub(crate) fn refill(
        &mut self,
        names: &[String],
        fill: impl FnOnce(&mut Vec<f64>) -> Result<()>,
    ) -> Result<()> {
        if self.names != names {
            self.names = names.to_vec();
        }
        self.data.clear();
        fill(&mut self.data)
    }

    /// Column names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        if self.names.is_empty() { 0 } else { self.data.len() / self.names.len() }
    }

    /// One row.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.data[row * self.names.len()..(row + 1) * self.names.len()]
    }

    /// The values of a column, by its position.
    pub fn column(&self, position: usize) -> impl ExactSizeIterator<Item = f64> {
        (0..self.rows()).map(move |row| self.row(row)[position])
    }

    /// The data, row by row.
    pub fn as_slice(&self) -> &[f64] {
        &self.data
    }

    /// As an ndarray matrix, rows × columns, without a copy.
    pub fn view(&self) -> ArrayView2<'_, f64> {
        ArrayView2::from_shape((self.rows(), self.names.len()), &self.data)
            .unwrap_or_else(|_| unreachable!("data are rows × columns by construction"))
    }

    /// Refuses a value that is not finite, by row and column.
    ///
    /// # Errors
    ///
    /// [`Error::Cell`].
    pub fn expect_finite(&self) -> Result<()> {
        self.expect(f64::is_finite, "finite numbers; fill in what is missing first")
    }

    /// Refuses what is infinite, though NaN may stand for what is missing.
    ///
    /// # Errors
    ///
    /// [`Error::Cell`].
    pub fn expect_no_infinity(&self) -> Result<()> {
        self.expect(|v| !v.is_infinite(), "finite numbers, or NaN for what is missing")
    }

    fn expect(&self, fits: impl Fn(f64) -> bool, allowed: &'static str) -> Result<()> {
        let Some(at) = self.data.iter().position(|v| !fits(*v)) else { return Ok(()) };
        let (row, column) = (at / self.names.len(), self.names[at % self.names.len()].clone());
        Err(Error::Cell { row, column, given: self.data[at], allowed })
    }

    /// Some of the rows, in the order given.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] for a row that is not there.
    pub fn select(&self, rows: &[usize]) -> Result<Self> {
        if let Some(&row) = rows.iter().find(|&&row| row >= self.rows()) {
            return Err(Error::Length { column: "rows selected", given: row, expected: self.rows() });
        }
        let data = rows.iter().flat_map(|&row| self.row(row)).copied().collect();
        Ok(Self { names: self.names.clone(), data })
    }

    /// Takes on the rows of another matrix of the same columns.
    ///
    /// # Errors
    ///
    /// [`Error::MissingColumn`] if it has other columns, or the same in another order.
    pub fn append(&mut self, more: &Self) -> Result<()> {
        if let Some(column) = self.names.iter().zip(&more.names).find(|(a, b)| a != b).map(|(a, _)| a.clone())
        {
            return Err(Error::MissingColumn { model: "a feature matrix", column });
        }
        if self.names.len() != more.names.len() {
            let (given, expected) = (more.names.len(), self.names.len());
            return Err(Error::Length { column: "a row's columns", given, expected });
        }
        self.data.extend(&more.data);
        Ok(())
    }

    /// The position of a column.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cut::Cut;
    use crate::log::TransactionLog;
    use crate::units::{Grain, Moment, TimeUnit};
    use crate::{LogBuilder, Transaction};

    fn log(rows: &[(&str, &str, f64)]) -> TransactionLog {
        let mut log = LogBuilder::new();
        for (customer, day, amount) in rows {
            let row = Transaction::new(customer, Moment::parse_date(day).unwrap());
            log.push(row.amount(*amount).unwrap()).unwrap();
        }
        log.finish()
    }

    /// Ada: gaps of 10 and 30 days, then 20 days of silence; Bob bought once, on a Sunday.
    const ROWS: [(&str, &str, f64); 4] = [
        ("ada", "2024-01-01", 10.0),
        ("ada", "2024-01-11", 40.0),
        ("ada", "2024-02-10", 25.0),
        ("bob", "2024-02-25", 8.0),
    ];

    fn computed(rows: &[(&str, &str, f64)], plan: &[Feature]) -> FeatureMatrix {
        let purchases = Purchases::of(&log(rows), Grain::Day).unwrap();
        let cut = Cut::end_of(Moment::parse_date("2024-03-01").unwrap(), Grain::Day);
        let summary = purchases.summary(cut, TimeUnit::Day, crate::summary::SpendBasis::default()).unwrap();
        FeatureMatrix::compute(plan, &purchases, &summary).unwrap()
    }

    #[test]
    fn every_feature_by_hand() {
        let days = |days| Span::days(days).unwrap();
        let plan = [
            (Feature::Silence, 20.0, 5.0),
            (Feature::MeanGap, 20.0, 5.0),
            // Gaps of 10 and 30: standard deviation 10 over mean 20.
            (Feature::GapVariation, 0.5, 0.0),
            (Feature::SumOfLnGaps, 300.0_f64.ln(), 0.0),
            // Repeat purchases of 40 and 25.
            (Feature::PaidPurchases, 2.0, 0.0),
            (Feature::MeanLnSpend, 1_000.0_f64.ln() / 2.0, 0.0),
            (Feature::Overdue, 1.0, 1.0),
            (Feature::PurchasesWithin(days(21.0)), 1.0, 1.0),
            (Feature::ValueWithin(days(21.0)), 25.0, 8.0),
            // The last 30 days hold the third purchase, the 30 before them the second.
            (Feature::PurchasesTrend(days(30.0)), 1.0 - 1.0, 1.0),
            (Feature::ValueTrend(days(30.0)), 25.0 - 40.0, 8.0),
            (Feature::TotalSpend, 75.0, 8.0),
            (Feature::FirstSpend, 10.0, 8.0),
            (Feature::LastSpend, 25.0, 8.0),
            (Feature::SpendQuantile(50), 25.0, 8.0),
            (Feature::SpendQuantile(75), 32.5, 8.0),
            (Feature::SpendQuantile(100), 40.0, 8.0),
            (Feature::SpendVariation, (150.0_f64).sqrt() / 25.0, 0.0),
            // January and February 2024.
            (Feature::Cohort(Period::Month), 2024.0 * 12.0, 2024.0 * 12.0 + 1.0),
            (Feature::FirstMonth, 1.0, 2.0),
            (Feature::FirstWeekday, 1.0, 7.0),
            // The tenth of February was a Saturday.
            (Feature::WeekendShare, 1.0 / 3.0, 1.0),
            (Feature::LastSpend.per(Feature::FirstSpend), 2.5, 1.0),
            (Feature::Silence.times(Feature::Frequency), 40.0, 0.0),
            (Feature::Silence.per(Feature::Frequency), 10.0, 0.0),
        ];
        let features: Vec<Feature> = plan.iter().map(|(feature, _, _)| feature.clone()).collect();
        let found = computed(&ROWS, &features);
        for (column, (feature, ada, bob)) in plan.iter().enumerate() {
            assert!((found.row(0)[column] - ada).abs() < 1e-12, "{feature:?}: {}", found.row(0)[column]);
            assert!((found.row(1)[column] - bob).abs() < 1e-12, "{feature:?}: {}", found.row(1)[column]);
        }
    }

    #[test]
    fn the_future_changes_nothing_and_one_customer_is_as_in_the_batch() {
        let plan = Feature::broad(&[Span::weeks(4.0).unwrap(), Span::weeks(13.0).unwrap()], true);
        let known = computed(&ROWS, &plan);
        let mut later = ROWS.to_vec();
        later.extend([("ada", "2024-03-02", 900.0), ("bob", "2024-03-20", 1.0), ("eve", "2024-03-03", 5.0)]);
        assert_eq!(computed(&later, &plan), known);
        assert_eq!(computed(&ROWS[..3], &plan).row(0), known.row(0));
        assert_eq!(computed(&ROWS[3..], &plan).row(0), known.row(1));
        let names: std::collections::BTreeSet<_> = known.names().iter().collect();
        assert_eq!(names.len(), plan.len(), "each has a name of its own");
    }

    #[test]
    fn money_is_asked_for_in_vain_without_amounts() {
        let mut log = LogBuilder::new();
        log.push(Transaction::new("ada", Moment::parse_date("2024-01-01").unwrap())).unwrap();
        let purchases = Purchases::of(&log.finish(), Grain::Day).unwrap();
        let cut = Cut::end_of(Moment::parse_date("2024-03-01").unwrap(), Grain::Day);
        let summary = purchases.summary(cut, TimeUnit::Day, crate::summary::SpendBasis::default()).unwrap();
        for feature in Feature::broad(&[Span::weeks(4.0).unwrap()], true) {
            let found = FeatureMatrix::compute(std::slice::from_ref(&feature), &purchases, &summary);
            match found {
                Ok(matrix) => assert!(matrix.row(0)[0].is_finite()),
                Err(error) => assert!(error.to_string().contains(&feature.name()), "{error}"),
            }
        }
        let plain = Feature::broad(&[Span::weeks(4.0).unwrap()], false);
        assert!(FeatureMatrix::compute(&plain, &purchases, &summary).is_ok());
    }
}
