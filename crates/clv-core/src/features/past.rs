//! One customer's purchases up to a cut, and what can be said of them.

use crate::cut::Cut;
use crate::error::{Error, Result};
use crate::features::{Feature, FeatureMatrix};
use crate::summary::{Purchases, SpendBasis, Summary};
use crate::units::{Moment, Span};

/// What a customer has done up to the cut. Later purchases are cut off here, once, so no feature can see
/// them.
pub(super) struct Past<'a> {
    purchases: &'a Purchases,
    summary: &'a Summary,
    row: usize,
    when: &'a [Moment],
    /// In millionths.
    amounts: Option<&'a [i64]>,
    /// What a source told, a row for each customer.
    told: Option<&'a FeatureMatrix>,
}

impl<'a> Past<'a> {
    pub(super) fn of(
        purchases: &'a Purchases,
        summary: &'a Summary,
        row: usize,
        told: Option<&'a FeatureMatrix>,
    ) -> Self {
        let customer = summary.customer[row];
        let when = purchases.when(customer);
        let known = when.partition_point(|&m| m <= summary.cut.last());
        let amounts = purchases.amounts(customer).map(|a| &a[..known]);
        Self { purchases, summary, row, when: &when[..known], amounts, told }
    }

    pub(super) fn value(&self, feature: &Feature) -> Result<f64> {
        let (summary, row) = (self.summary, self.row);
        let frequency = f64::from(summary.frequency[row]);
        let silence = summary.age[row] - summary.recency[row];
        Ok(match feature {
            Feature::Frequency => frequency,
            Feature::Recency => summary.recency[row],
            Feature::Age => summary.age[row],
            Feature::MonetaryValue => self.spend(feature)?.mean[row],
            Feature::Silence => silence,
            Feature::MeanGap => self.mean_gap(),
            Feature::GapVariation => self.gap_variation(),
            Feature::SumOfLnGaps => {
                let unit = summary.unit.days();
                self.when.windows(2).map(|pair| (pair[1].days_since(pair[0]) / unit).ln()).sum()
            }
            Feature::Overdue => {
                let gap = self.mean_gap();
                if gap > 0.0 { silence / gap } else { 0.0 }
            }
            Feature::PurchasesWithin(span) => self.within(*span, 0).0,
            Feature::ValueWithin(span) => self.spend(feature).map(|_| self.within(*span, 0).1)?,
            Feature::PurchasesTrend(span) => self.within(*span, 0).0 - self.within(*span, 1).0,
            Feature::ValueTrend(span) => {
                self.spend(feature)?;
                self.within(*span, 0).1 - self.within(*span, 1).1
            }
            Feature::TotalSpend => self.spend(feature)?.total[row],
            Feature::FirstSpend => self.spend(feature)?.first[row],
            Feature::LastSpend => self.amounts(feature)?.last().copied().unwrap_or(0.0),
            Feature::SpendQuantile(percent) => {
                let mut amounts = self.amounts(feature)?;
                amounts.sort_unstable_by(f64::total_cmp);
                crate::transform::quantile(&amounts, f64::from((*percent).min(100)) / 100.0)
            }
            Feature::SpendVariation => variation(&self.amounts(feature)?),
            Feature::PaidPurchases => self.paid(feature)?.len() as f64,
            Feature::MeanLnSpend => {
                let paid = self.paid(feature)?;
                paid.iter().map(|amount| amount.ln()).sum::<f64>() / paid.len().max(1) as f64
            }
            Feature::Cohort(period) => period.index(summary.first[row]) as f64,
            Feature::FirstMonth => f64::from(summary.first[row].date().month()),
            Feature::FirstWeekday => f64::from(summary.first[row].date().weekday().to_monday_one_offset()),
            Feature::WeekendShare => {
                let weekend = |m: &&Moment| m.date().weekday().to_monday_one_offset() > 5;
                self.when.iter().filter(weekend).count() as f64 / self.when.len() as f64
            }
            Feature::Times(one, other) => self.value(one)? * self.value(other)?,
            Feature::Per(one, other) => {
                let below = self.value(other)?;
                if below == 0.0 { 0.0 } else { self.value(one)? / below }
            }
            Feature::Column(name) => {
                let told = self.told.and_then(|told| Some(told.row(row)[told.position(name)?]));
                let missing = || Error::MissingColumn { model: "a feature plan", column: name.clone() };
                told.ok_or_else(missing)?
            }
            Feature::ForecastPAlive | Feature::ForecastPurchases | Feature::ForecastValue => {
                return Err(Error::MissingColumn { model: "a feature plan", column: feature.name() });
            }
        })
    }

    /// Amounts above 0 of the purchases that the mean spend is taken over.
    fn paid(&self, feature: &Feature) -> Result<Vec<f64>> {
        let mut amounts = self.amounts(feature)?;
        if self.summary.basis == SpendBasis::Repeats {
            amounts.remove(0);
        }
        amounts.retain(|amount| *amount > 0.0);
        Ok(amounts)
    }

    /// For those who came back the mean time between purchases; for others they have not been seen to
    /// come back in their whole age.
    fn mean_gap(&self) -> f64 {
        let frequency = self.summary.frequency[self.row];
        if frequency > 0 {
            self.summary.recency[self.row] / f64::from(frequency)
        } else {
            self.summary.age[self.row]
        }
    }

    fn gap_variation(&self) -> f64 {
        let gaps: Vec<f64> = self.when.windows(2).map(|pair| pair[1].days_since(pair[0])).collect();
        variation(&gaps)
    }

    /// Purchases and money within a span before the cut, or before so many such spans.
    fn within(&self, span: Span, spans_before: u32) -> (f64, f64) {
        let mut until: Cut = self.summary.cut;
        for _ in 0..spans_before {
            until = until.minus(span);
        }
        let (count, sum) =
            self.purchases.between(self.summary.customer[self.row], &until.minus(span), &until);
        (f64::from(count), sum)
    }

    fn spend(&self, feature: &Feature) -> Result<&'a crate::summary::SpendColumns> {
        let missing = || Error::MissingColumn { model: "a feature plan", column: feature.name() };
        self.summary.spend.as_ref().ok_or_else(missing)
    }

    fn amounts(&self, feature: &Feature) -> Result<Vec<f64>> {
        let missing = || Error::MissingColumn { model: "a feature plan", column: feature.name() };
        Ok(self.amounts.ok_or_else(missing)?.iter().map(|&v| v as f64 / 1e6).collect())
    }
}

/// Standard deviation over mean; 0 of fewer than two values, or of a mean that is not above 0.
fn variation(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    if values.len() < 2 || mean <= 0.0 {
        return 0.0;
    }
    (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt() / mean
}
