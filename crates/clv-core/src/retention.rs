//! What anybody could forecast of contracts: the share of renewals that were made is that of those to come.

use crate::error::{Error, Result};
use crate::model::{
    Answers, Ask, Context, Customers, Fit, FitReport, Fitted, ForecastMut, Horizons, Kind, Predict, Reads,
    Scratch, Training,
};
use crate::saved::{Registry, SaveWriter};
use crate::units::TimeUnit;
use crate::value::discounted_total;

const KIND: Kind = Kind::new("constant-retention", 1);

/// The share of all renewals due that were made, for every renewal to come.
///
/// # Formula
///
/// ```text
/// r = renewals made / renewals due,        E[X(n)] = r + r² + … + rⁿ    of a contract that goes on
/// ```
///
/// The naive beside models of contracts: where customers differ, those who have stayed longest leave least, and it forecasts too little of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ConstantRetention;

/// A share of renewals made.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetentionModel {
    share: f64,
    unit: TimeUnit,
}

impl RetentionModel {
    /// Of a known share.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is from 0 to 1.
    pub fn new(share: f64, unit: TimeUnit) -> Result<Self> {
        if !(0.0..=1.0).contains(&share) {
            return Err(Error::Setting { name: "share", given: share, allowed: "from 0 to 1" });
        }
        Ok(Self { share, unit })
    }

    /// The share.
    pub fn share(&self) -> f64 {
        self.share
    }
}

impl Fit for ConstantRetention {
    type Model = RetentionModel;

    fn fit(&self, data: &Training<'_>, _: &Context<'_>) -> Result<Fitted<RetentionModel>> {
        let summary = data.summary();
        summary.customers().expect_histories(KIND.name, Reads::Renewals)?;
        // Who has left was asked once more than they said yes.
        let made: f64 = summary.recency.iter().map(|t_x| t_x.round()).sum();
        let due: f64 = summary
            .recency
            .iter()
            .zip(&summary.age)
            .map(|(t_x, age)| (t_x.round() + 1.0).min(age.round()))
            .sum();
        if due == 0.0 {
            let (model, needs) = (KIND.name, "renewals that have come due");
            return Err(Error::TooLittleData { model, needs, found: 0 });
        }
        let model = RetentionModel::new(made / due, summary.unit)?;
        Ok(Fitted { model, report: FitReport::new(KIND.name, summary.unit, summary.len()) })
    }
}

impl Predict for RetentionModel {
    fn kind(&self) -> Kind {
        KIND
    }

    fn unit(&self) -> TimeUnit {
        self.unit
    }

    fn answers(&self) -> Answers {
        Answers { p_alive: true, purchases: true, spend: false, value: false, horizons: Horizons::Any }
    }

    fn reads(&self) -> Reads {
        Reads::Renewals
    }

    fn predict_into(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        _: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<()> {
        who.expect(KIND.name, self.unit, Reads::Renewals)?;
        out.expect(KIND.name, &self.answers(), who.len())?;
        // Months are of unlike lengths: what is near a whole number is one.
        let whole = |t: f64| (t + 0.1).floor();
        let horizon = ask.horizon().in_units(self.unit);
        let made = |delta: f64, until: f64| {
            let ratio = self.share * (-delta).exp();
            let n = whole(until);
            if ratio >= 1.0 { n } else { ratio * (1.0 - ratio.powf(n)) / (1.0 - ratio) }
        };
        let expected = made(0.0, horizon);
        let discounted = discounted_total(
            ask.discounting(),
            ask.horizon(),
            self.unit,
            |t| made(0.0, t),
            |delta| made(delta, horizon),
        );
        for row in 0..who.len() {
            let goes_on = f64::from(u8::from(who.recency()[row].round() == who.age()[row].round()));
            let columns = [&mut out.p_alive, &mut out.purchases, &mut out.discounted_purchases];
            for (column, value) in columns.into_iter().zip([1.0, expected, discounted]) {
                if let Some(column) = column {
                    column[row] = goes_on * value;
                }
            }
        }
        Ok(())
    }

    fn save(&self, to: &mut SaveWriter) -> Result<()> {
        to.field("share", &self.share)?;
        to.field("unit", &self.unit)
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.register(KIND, |saved, _| {
        Ok(Box::new(RetentionModel::new(saved.field("share")?, saved.field("unit")?)?))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contracts::Contracts;
    use crate::{Cut, Grain, Moment, Span};

    #[test]
    fn the_share_of_what_was_due() {
        let day = |text| Moment::parse_date(text).unwrap();
        let mut contracts = Contracts::default();
        contracts.state("ada", day("2024-01-15"), None).unwrap();
        contracts.state("bob", day("2024-01-15"), Some(day("2024-03-20"))).unwrap();
        let cut = Cut::end_of(day("2024-04-30"), Grain::Day);
        let fit = |summary| ConstantRetention.fit(&Training::from_summary(summary), &Context::default());
        let model = fit(contracts.renewals_due(cut, TimeUnit::Month).unwrap()).unwrap().model;
        // Of ada three of three, of bob two of three.
        assert_eq!(model.share(), 5.0 / 6.0);
        let asked = contracts.renewals(cut, TimeUnit::Month).unwrap();
        let ask = Ask::over(Span::new(2.0, TimeUnit::Month).unwrap());
        let forecast = model.predict(&asked.customers(), &ask).unwrap();
        assert_eq!(forecast.p_alive.unwrap(), [1.0, 0.0]);
        let two = forecast.purchases.unwrap();
        assert!((two[0] - (5.0 / 6.0 + 25.0 / 36.0)).abs() < 1e-12 && two[1] == 0.0, "{two:?}");
        assert!(fit(contracts.tenures(cut, TimeUnit::Month).unwrap()).is_err());
        assert!(RetentionModel::new(1.5, TimeUnit::Month).is_err());
        let sure = RetentionModel::new(1.0, TimeUnit::Month).unwrap();
        assert_eq!(sure.predict(&asked.customers(), &ask).unwrap().purchases.unwrap()[0], 2.0);
    }
}
