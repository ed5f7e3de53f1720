//! Is there enough data, and for what?

use std::fmt;

use serde::Serialize;

use crate::cut::Cut;
use crate::error::Result;
use crate::summary::{Purchases, SpendBasis};
use crate::units::{Span, TimeUnit};

/// What a log can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Carries {
    /// Estimates would be noise, or there is nothing to estimate from.
    No,
    /// It can be fitted; intervals are wide, or a part is guessed.
    Barely,
    /// Yes.
    Yes,
}

impl fmt::Display for Carries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::No => "no",
            Self::Barely => "barely",
            Self::Yes => "yes",
        })
    }
}

/// A kind of model, and whether the log can carry it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// Which models.
    pub models: &'static str,
    /// Whether.
    pub carries: Carries,
    /// Why, with the number that decided.
    pub why: String,
}

/// How much there is in a log, as of a cut.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sufficiency {
    /// Customers who bought.
    pub customers: usize,
    /// Of those, who came back.
    pub repeat_buyers: usize,
    /// Purchases after the first.
    pub repeat_purchases: u64,
    /// From the first purchase to the cut, in days.
    pub days: f64,
    /// Mean days between purchases of repeat buyers; `None` without any.
    pub mean_gap_days: Option<f64>,
    /// Customers who bought within one mean gap (or, without any, a tenth of the span) of the cut.
    pub recent_buyers: usize,
    /// How often each season has been seen: whole years.
    pub years: f64,
    /// Whether there are amounts.
    pub amounts: bool,
    /// What the log can carry.
    pub verdicts: Vec<Verdict>,
}

/// Fewer repeat buyers than this tell next to nothing of a rate's spread.
const FEW: usize = 30;
/// From so many on, four parameters can be told apart: at 300 customers like CDNOW's the standard
/// error of β is as large as β.
const MANY: usize = 200;

impl Sufficiency {
    /// Looks at purchases as of a cut, with forecasts over a horizon in mind.
    ///
    /// # Errors
    ///
    /// As [`Purchases::summary`].
    pub fn of(purchases: &Purchases, cut: Cut, horizon: Span) -> Result<Self> {
        let summary = purchases.summary(cut, TimeUnit::Day, SpendBasis::default())?;
        let repeat_buyers = summary.frequency.iter().filter(|x| **x > 0).count();
        let repeat_purchases: u64 = summary.frequency.iter().map(|x| u64::from(*x)).sum();
        let days = summary.age.iter().copied().fold(0.0, f64::max);
        let between: f64 = summary.recency.iter().sum();
        let mean_gap_days = (repeat_purchases > 0).then(|| between / repeat_purchases as f64);
        let recent = mean_gap_days.unwrap_or(days / 10.0);
        let silence = summary.age.iter().zip(&summary.recency).map(|(age, t_x)| age - t_x);
        let mut found = Self {
            customers: summary.len(),
            repeat_buyers,
            repeat_purchases,
            days,
            mean_gap_days,
            recent_buyers: silence.filter(|days| *days <= recent).count(),
            years: days / 365.25,
            amounts: summary.spend.is_some(),
            verdicts: Vec::new(),
        };
        found.verdicts = vec![
            found.baselines(),
            found.purchase_models(),
            found.dropout(),
            found.spend_models(),
            found.learners(horizon),
            found.seasons(),
        ];
        Ok(found)
    }

    fn baselines(&self) -> Verdict {
        let why = format!("{} customers", self.customers);
        Verdict { models: "baselines: zero, mean, last period, RFM cells", carries: Carries::Yes, why }
    }

    fn purchase_models(&self) -> Verdict {
        let n = self.repeat_buyers;
        let carries = graded(n, FEW / 3, FEW);
        let why = match carries {
            Carries::Yes => format!("{n} customers came back"),
            _ => format!("only {n} customers came back, and {FEW} are wanted: observe longer"),
        };
        Verdict { models: "purchase rates: nbd", carries, why }
    }

    fn dropout(&self) -> Verdict {
        let models = "rates and dropout: bg-nbd, mbg-nbd, pareto-nbd";
        let n = self.repeat_buyers;
        let carries = graded(n, FEW, MANY);
        if let Some(gap) = self.mean_gap_days
            && self.days < 3.0 * gap
            && carries > Carries::No
        {
            let why = format!(
                "the log spans {:.0} days, and three mean gaps of {gap:.0} are wanted: who is silent cannot be told from who has left",
                self.days
            );
            return Verdict { models, carries: Carries::Barely, why };
        }
        let why = match carries {
            Carries::Yes => format!("{n} customers came back"),
            Carries::Barely => {
                format!(
                    "{n} customers came back, and {MANY} are wanted: their dropout rates will have wide intervals"
                )
            }
            Carries::No => format!("only {n} customers came back, and {FEW} are the least"),
        };
        Verdict { models, carries, why }
    }

    fn spend_models(&self) -> Verdict {
        let models = "spend: gamma-gamma";
        if !self.amounts {
            let why = "the log has no amounts: purchases can be forecast, values cannot".to_owned();
            return Verdict { models, carries: Carries::No, why };
        }
        let n = self.repeat_buyers;
        let why = format!("{n} customers with a repeat purchase");
        Verdict { models, carries: graded(n, FEW / 3, FEW), why }
    }

    fn learners(&self, horizon: Span) -> Verdict {
        let models = "learners: lines, trees, informed-trees, stack";
        let (n, wanted) = (self.customers, 2.0 * horizon.in_days());
        if n < 300 {
            let why = format!("{n} customers, and 300 are the least");
            return Verdict { models, carries: Carries::No, why };
        }
        if self.days < wanted {
            let why = format!(
                "the log spans {:.0} days, and two horizons are {wanted:.0}: a shorter window would be learned and scaled up",
                self.days
            );
            return Verdict { models, carries: Carries::Barely, why };
        }
        let why = format!("{n} customers, {:.0} days", self.days);
        Verdict { models, carries: if n < 1_000 { Carries::Barely } else { Carries::Yes }, why }
    }

    fn seasons(&self) -> Verdict {
        let years = self.years;
        let carries = match years {
            y if y >= 2.0 => Carries::Yes,
            y if y >= 1.0 => Carries::Barely,
            _ => Carries::No,
        };
        let why = match carries {
            Carries::Yes => format!("{years:.1} years: each season was seen twice"),
            Carries::Barely => format!("{years:.1} years: a season seen once cannot be told from chance"),
            Carries::No => {
                format!("{years:.1} years: some seasons were never seen, so forecasts take the year for even")
            }
        };
        Verdict { models: "seasons", carries, why }
    }
}

fn graded(found: usize, least: usize, enough: usize) -> Carries {
    match found {
        n if n < least => Carries::No,
        n if n < enough => Carries::Barely,
        _ => Carries::Yes,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::{Grain, Moment};
    use crate::{LogBuilder, Transaction};

    fn verdict(s: &Sufficiency, of: &str) -> Carries {
        s.verdicts.iter().find(|v| v.models.starts_with(of)).unwrap().carries
    }

    fn look(customers: i32, purchases: i32, gap: i32) -> Sufficiency {
        let mut log = LogBuilder::new();
        for customer in 0..customers {
            for purchase in 0..purchases {
                let when = Moment::from_days(customer % 7 + purchase * gap);
                log.push(Transaction::new(&customer.to_string(), when)).unwrap();
            }
        }
        let log = log.finish();
        let (_, last) = log.span().unwrap();
        let purchases = Purchases::of(&log, Grain::Day).unwrap();
        Sufficiency::of(&purchases, Cut::end_of(last, Grain::Day), Span::days(90.0).unwrap()).unwrap()
    }

    #[test]
    fn a_log_carries_what_it_can_and_says_why_not() {
        let rich = look(1_500, 12, 70);
        for models in ["purchase", "rates", "learners", "seasons"] {
            assert_eq!(verdict(&rich, models), Carries::Yes, "{models}");
        }
        assert_eq!(verdict(&rich, "spend"), Carries::No, "no amounts");
        let nobody = look(500, 1, 1);
        assert_eq!((verdict(&nobody, "purchase"), nobody.mean_gap_days), (Carries::No, None));
        let short = look(500, 2, 300);
        assert_eq!(verdict(&short, "rates"), Carries::Barely, "one gap is not three");
        let few = look(50, 12, 30);
        assert_eq!((verdict(&few, "rates"), verdict(&few, "learners")), (Carries::Barely, Carries::No));
        assert!(rich.verdicts.iter().all(|v| v.why.chars().any(|c| c.is_ascii_digit()) || !rich.amounts));
    }
}
