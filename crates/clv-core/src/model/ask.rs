//! What is asked of a model, and what it can answer.

use crate::error::{Error, Result};
use crate::units::{Discount, Span};

/// A question: how far ahead, at what discount, at what margin.
///
/// ```
/// use clv_core::{Ask, Discount, Span};
/// let ask = Ask::over(Span::weeks(39.0)?).discount(Discount::yearly(0.1)?).margin(0.4)?;
/// assert_eq!(ask.horizon().in_days(), 273.0);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ask {
    horizon: Span,
    discount: Discount,
    margin: f64,
}

impl Ask {
    /// Over a horizon from now, without discount, at margin 1 (value is revenue).
    pub fn over(horizon: Span) -> Self {
        Self { horizon, discount: Discount::NONE, margin: 1.0 }
    }

    /// With a discount.
    pub fn discount(self, discount: Discount) -> Self {
        Self { discount, ..self }
    }

    /// With a margin: the share of spend that is earned.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and at least 0.
    pub fn margin(self, margin: f64) -> Result<Self> {
        if margin.is_finite() && margin >= 0.0 {
            Ok(Self { margin, ..self })
        } else {
            Err(Error::Setting { name: "margin", given: margin, allowed: "finite, at least 0 (0.4 is 40%)" })
        }
    }

    /// How far ahead.
    pub fn horizon(&self) -> Span {
        self.horizon
    }

    /// At what discount.
    pub fn discounting(&self) -> Discount {
        self.discount
    }

    /// At what margin.
    pub fn margin_share(&self) -> f64 {
        self.margin
    }
}

/// For which horizons a model answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Horizons {
    /// Any.
    Any,
    /// The one it was trained for.
    Only(Span),
}

/// What a model can say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answers {
    /// P(alive).
    pub p_alive: bool,
    /// Expected purchases within the horizon, and their discounted sum.
    pub purchases: bool,
    /// Expected spend per purchase.
    pub spend: bool,
    /// Value within the horizon.
    pub value: bool,
    /// For which horizons.
    pub horizons: Horizons,
}

impl Answers {
    /// Of a model of totals: purchases, and value if it has learned that.
    pub fn totals(value: bool, horizons: Horizons) -> Self {
        Self { p_alive: false, purchases: true, spend: false, value, horizons }
    }

    /// Checks a horizon.
    ///
    /// # Errors
    ///
    /// [`Error::Horizon`] in the name of `model`.
    pub fn expect_horizon(&self, model: &'static str, asked: Span) -> Result<()> {
        match self.horizons {
            Horizons::Only(trained) if !trained.same_length(asked) => {
                Err(Error::Horizon { model, trained, asked })
            }
            _ => Ok(()),
        }
    }
}
