//! One price for everything.

use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::model::{
    AmountsOf, Answers, Ask, Customers, DrawAmounts, ForecastMut, History, Horizons, Kind, Predict, Scratch,
    Spend,
};
use crate::saved::{Registry, SaveWriter};
use crate::setting::at_least_zero;
use crate::units::TimeUnit;

const KIND: Kind = Kind::new("price", 1);

/// A spend model that is known and not fitted: every purchase costs the same, as the payments of a contract do.
///
/// ```
/// use clv_core::baselines::{ConstantRetention, RetentionModel};
/// use clv_core::contracts::Contracts;
/// use clv_core::{Ask, Cut, Grain, Moment, Predict, Price, Span, TimeUnit, WithSpend};
///
/// let day = |text| Moment::parse_date(text);
/// let mut contracts = Contracts::default();
/// contracts.state("ada", day("2024-01-15")?, None)?;
/// let renewals = contracts.renewals(Cut::end_of(day("2024-04-30")?, Grain::Day), TimeUnit::Month)?;
/// let model = WithSpend::join(RetentionModel::new(0.5, TimeUnit::Month)?, Price::new(8.0, TimeUnit::Month)?)?;
/// let forecast = model.predict(&renewals.customers(), &Ask::over(Span::new(2.0, TimeUnit::Month)?))?;
/// assert_eq!(forecast.value.unwrap(), [Some(8.0 * 0.75)]);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Price {
    amount: f64,
    unit: TimeUnit,
}

impl Price {
    /// The price of a purchase; the time unit only says which models it may be joined with.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and at least 0.
    pub fn new(amount: f64, unit: TimeUnit) -> Result<Self> {
        Ok(Self { amount: at_least_zero("price", amount)?, unit })
    }
}

impl Predict for Price {
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
        if let Some(column) = &mut out.spend {
            column.fill(Some(self.amount));
        }
        Ok(())
    }

    fn spend(&self) -> Option<&dyn Spend> {
        Some(self)
    }

    fn draw_amounts(&self) -> Option<&dyn DrawAmounts> {
        Some(self)
    }

    fn save(&self, to: &mut SaveWriter) -> Result<()> {
        to.field("price", self)
    }
}

impl Spend for Price {
    fn expected_spend(&self, history: &History) -> Result<Option<f64>> {
        Customers::one(history, self.unit)?;
        Ok(Some(self.amount))
    }

    fn spend_quantile(&self, history: &History, probability: f64) -> Result<f64> {
        Customers::one(history, self.unit)?;
        if probability > 0.0 && probability < 1.0 {
            return Ok(self.amount);
        }
        Err(Error::Setting { name: "probability", given: probability, allowed: "above 0, below 1" })
    }
}

impl DrawAmounts for Price {
    fn amounts_of(&self, _: &Customers<'_>, _: usize, _: usize) -> Result<AmountsOf<'_>> {
        Ok(Box::new(|(_, count): (usize, usize), _: &mut ChaCha8Rng, amounts: &mut Vec<f64>| {
            amounts.extend(std::iter::repeat_n(self.amount, count));
        }))
    }
}

pub(crate) fn register(registry: &mut Registry) {
    registry.register(KIND, |saved, _| {
        let Price { amount, unit } = saved.field("price")?;
        Ok(Box::new(Price::new(amount, unit)?))
    });
}
