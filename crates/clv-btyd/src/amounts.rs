//! What customers paid, purchase by purchase.

use clv_core::summary::SpendBasis;
use clv_core::{Error, Training, Warning};

/// As few purchases without an amount make no difference to what a purchase is worth.
const FEW: f64 = 0.01;

/// Amounts above 0 of the purchases that the mean spend is taken over.
pub(crate) struct Paid {
    /// Customer by customer, as the summary has them.
    pub customers: Vec<Vec<f64>>,
    /// Customers some of whose amounts were left out.
    odd: usize,
}

impl Paid {
    pub(crate) fn of(model: &'static str, data: &Training<'_>) -> Result<Self, Error> {
        let summary = data.summary();
        let needs = "the log itself: means do not tell amounts one by one";
        let purchases = data.purchases().ok_or(Error::TooLittleData { model, needs, found: 0 })?;
        let first = usize::from(summary.basis == SpendBasis::Repeats);
        let (mut customers, mut odd) = (Vec::with_capacity(summary.len()), 0);
        let (mut bought, mut unpaid) = (0, 0);
        for (row, &customer) in summary.customer.iter().enumerate() {
            let missing = || Error::MissingColumn { model, column: "monetary_value".into() };
            let amounts = purchases.amounts(customer).ok_or_else(missing)?;
            let counted = &amounts[first..=summary.frequency[row] as usize];
            let paid: Vec<f64> = counted.iter().filter(|a| **a > 0).map(|a| *a as f64 / 1e6).collect();
            odd += usize::from(paid.len() < counted.len());
            bought += counted.len();
            unpaid += counted.len() - paid.len();
            customers.push(paid);
        }
        if unpaid as f64 > FEW * bought as f64 {
            let why = "more than one purchase in a hundred has no amount above 0: what is paid would be forecast for each of them; leave them out \
                       first, or fit means";
            return Err(Error::NoEstimate { model, why });
        }
        Ok(Self { customers, odd })
    }

    /// Customers without an amount, and those of whom some were left out.
    pub(crate) fn warnings(&self) -> Vec<Warning> {
        let without = self.customers.iter().filter(|paid| paid.is_empty()).count();
        let left_out = Warning::LeftOut {
            customers: without,
            why: "they have no repeat purchase with an amount above 0; they get the population mean",
        };
        let why = "they are not above 0 and have no logarithm";
        let amounts = Warning::AmountsLeftOut { customers: self.odd, why };
        let told = [(without, left_out), (self.odd, amounts)];
        told.into_iter().filter(|(customers, _)| *customers > 0).map(|(_, warning)| warning).collect()
    }
}
