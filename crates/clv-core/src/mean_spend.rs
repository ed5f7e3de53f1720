//! The naive forecast of spend.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::{
    Answers, Ask, Context, Customers, Fit, FitReport, Fitted, ForecastMut, Horizons, Kind, Predict, Scratch,
    Training,
};
use crate::saved::{Registry, SaveWriter};
use crate::units::TimeUnit;

/// Everybody pays what they have paid so far on average; newcomers what all have on average.
///
/// The spend model where Gamma-Gamma has nothing to learn from: one price for everything, or hardly
/// anybody back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OwnMeanSpend;

/// A fitted [`OwnMeanSpend`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanSpend {
    unit: TimeUnit,
    /// Of customers without a mean of their own.
    mean: f64,
}

const KIND: Kind = Kind::new("own-mean-spend", 1);

impl Fit for OwnMeanSpend {
    type Model = MeanSpend;
    fn fit(&self, data: &Training<'_>, _: &Context<'_>) -> Result<Fitted<MeanSpend>> {
        let summary = data.summary();
        let no_amounts = || Error::MissingColumn { model: KIND.name, column: "monetary_value".into() };
        let spend = summary.spend.as_ref().ok_or_else(no_amounts)?;
        // All purchases count here: with nobody back there are no others.
        let total: f64 = spend.total.iter().sum();
        let purchases: f64 = summary.frequency.iter().map(|x| f64::from(*x) + 1.0).sum();
        let report = FitReport::new(KIND.name, summary.unit, summary.len());
        Ok(Fitted { model: MeanSpend { unit: summary.unit, mean: total / purchases }, report })
    }
}

impl Predict for MeanSpend {
    fn kind(&self) -> Kind {
        KIND
    }

    fn unit(&self) -> TimeUnit {
        self.unit
    }

    fn answers(&self) -> Answers {
        Answers { p_alive: false, purchases: false, spend: true, value: false, horizons: Horizons::Any }
    }

    fn predict_into(
        &self,
        who: &Customers<'_>,
        _: &Ask,
        _: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<()> {
        out.expect(KIND.name, &self.answers(), who.len())?;
        let Some(column) = &mut out.spend else { return Ok(()) };
        for (row, spend) in column.iter_mut().enumerate() {
            let history = who.history(row);
            *spend = Some(history.spend.filter(|mean| *mean > 0.0).unwrap_or(self.mean));
        }
        Ok(())
    }

    fn save(&self, to: &mut SaveWriter) -> Result<()> {
        to.field("model", self)
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.register(KIND, |saved, _| Ok(Box::new(saved.field::<MeanSpend>("model")?)));
}
