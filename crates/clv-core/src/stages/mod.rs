//! Lifecycle stages: prospect, new, active, loyal, churned.

mod course;
mod learn;

use std::fmt;

use serde::Serialize;

use crate::error::{Error, Result};
use crate::model::{Customers, History};
use crate::units::{Span, TimeUnit};

pub use course::{Course, Flows, Share, TimeInStage, Transitions};

/// Where a customer stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Known, and has not bought.
    Prospect,
    /// Bought once, recently.
    New,
    /// Came back, and is within their rhythm.
    Active,
    /// Came back often, and is within their rhythm.
    Loyal,
    /// Silent for longer than their rhythm explains.
    Churned,
}

impl Stage {
    /// All stages, in order of a customer's life.
    pub const ALL: [Self; 5] = [Self::Prospect, Self::New, Self::Active, Self::Loyal, Self::Churned];
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prospect => "prospect",
            Self::New => "new",
            Self::Active => "active",
            Self::Loyal => "loyal",
            Self::Churned => "churned",
        })
    }
}

/// The rules by which a history becomes a stage.
///
/// A customer's rhythm is their mean gap between purchases, drawn towards the population's by one
/// pseudo-gap: `g = (t_x + g₀) / (x + 1)`, `g₀` the population's mean gap. They are overdue by
/// `(T − t_x) / g`.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `overdue` | 3 | random buyers stay silent for three mean gaps one time in twenty (e⁻³) |
/// | `loyal_purchases` | 4 | three repeats: the mean gap is known to a factor of about two |
/// | `churned_below` | 0.5 | P(alive) under which a model's verdict is churned |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StageRules {
    population_gap: f64,
    unit: TimeUnit,
    overdue: f64,
    /// How long one purchase makes a customer new, in the unit; `None`: as long as any silence.
    fuse: Option<f64>,
    loyal_purchases: u32,
    churned_below: f64,
}

impl StageRules {
    /// Learns the population's rhythm: total time between first and last purchases over the number
    /// of repeats. Without any repeat purchase it is the mean age.
    pub fn learn(who: &Customers<'_>) -> Self {
        let repeats: f64 = who.frequency().iter().map(|&x| f64::from(x)).sum();
        let between: f64 = who.recency().iter().sum();
        let population_gap = if repeats > 0.0 && between > 0.0 {
            between / repeats
        } else {
            who.age().iter().sum::<f64>() / who.len().max(1) as f64
        };
        Self {
            population_gap,
            unit: who.unit(),
            overdue: 3.0,
            fuse: None,
            loyal_purchases: 4,
            churned_below: 0.5,
        }
    }

    /// How many gaps of silence make a customer churned.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and positive.
    pub fn overdue(self, gaps: f64) -> Result<Self> {
        if gaps.is_finite() && gaps > 0.0 {
            Ok(Self { overdue: gaps, ..self })
        } else {
            Err(Error::Setting { name: "overdue", given: gaps, allowed: "finite, above 0 (gaps)" })
        }
    }

    /// How long one purchase makes a customer new, whatever the rhythm of others.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is longer than nothing.
    pub fn new_for(self, span: Span) -> Result<Self> {
        let fuse = span.in_units(self.unit);
        if fuse > 0.0 {
            Ok(Self { fuse: Some(fuse), ..self })
        } else {
            Err(Error::Setting { name: "new_for", given: fuse, allowed: "longer than nothing" })
        }
    }

    /// From how many purchases on, the first included, a customer is loyal.
    pub fn loyal_purchases(self, purchases: u32) -> Self {
        Self { loyal_purchases: purchases, ..self }
    }

    /// Under which P(alive) a model's verdict is churned.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is a probability.
    pub fn churned_below(self, p_alive: f64) -> Result<Self> {
        if (0.0..=1.0).contains(&p_alive) {
            Ok(Self { churned_below: p_alive, ..self })
        } else {
            Err(Error::Setting { name: "churned_below", given: p_alive, allowed: "0 to 1" })
        }
    }

    /// The population's mean gap between purchases, in its unit.
    pub fn population_gap(&self) -> (f64, TimeUnit) {
        (self.population_gap, self.unit)
    }

    /// The stage by the customer's own rhythm.
    pub fn by_rhythm(&self, history: &History) -> Stage {
        let gap = self.own_gap(history.recency, f64::from(history.frequency));
        let silent = history.age - history.recency;
        let allowed = match self.fuse {
            Some(fuse) if history.frequency == 0 => fuse,
            _ => self.overdue * gap,
        };
        self.stage(history, silent > allowed)
    }

    /// From how many purchases on, the first included, a customer is loyal.
    pub fn loyal_from(&self) -> u32 {
        self.loyal_purchases
    }

    /// How long one purchase makes a customer new.
    pub fn fuse(&self) -> Option<Span> {
        self.fuse.and_then(|length| Span::new(length, self.unit).ok())
    }

    /// The threshold: how many of their own gaps a customer may be silent.
    pub fn overdue_gaps(&self) -> f64 {
        self.overdue
    }

    fn own_gap(&self, recency: f64, repeats: f64) -> f64 {
        (recency + self.population_gap) / (repeats + 1.0)
    }

    /// The stage by a model's P(alive), which is relative to that model: BG/NBD gives 1 to every
    /// customer without a repeat purchase, so that those stay new forever under it.
    pub fn by_p_alive(&self, history: &History, p_alive: f64) -> Stage {
        self.stage(history, p_alive < self.churned_below)
    }

    fn stage(&self, history: &History, gone: bool) -> Stage {
        if gone {
            Stage::Churned
        } else if history.frequency == 0 {
            Stage::New
        } else if history.frequency + 1 >= self.loyal_purchases {
            Stage::Loyal
        } else {
            Stage::Active
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> StageRules {
        let (x, t_x, age) = ([4, 0], [20.0, 0.0], [21.0, 1.0]);
        StageRules::learn(&Customers::new(TimeUnit::Week, &x, &t_x, &age, None).unwrap())
    }

    fn history(frequency: u32, recency: f64, age: f64) -> History {
        History { frequency, recency, age, spend: None }
    }

    #[test]
    fn each_stage_has_its_customer() {
        let rules = rules();
        assert_eq!(rules.population_gap(), (5.0, TimeUnit::Week));
        assert_eq!(rules.by_rhythm(&history(0, 0.0, 3.0)), Stage::New);
        assert_eq!(rules.by_rhythm(&history(0, 0.0, 15.1)), Stage::Churned);
        assert_eq!(rules.by_rhythm(&history(1, 4.0, 10.0)), Stage::Active);
        assert_eq!(rules.by_rhythm(&history(9, 40.0, 42.0)), Stage::Loyal);
    }

    #[test]
    fn the_same_silence_is_churn_for_the_quick_and_normal_for_the_slow() {
        let rules = rules();
        assert_eq!(rules.by_rhythm(&history(20, 20.0, 30.0)), Stage::Churned);
        assert_eq!(rules.by_rhythm(&history(3, 60.0, 70.0)), Stage::Loyal);
    }

    #[test]
    fn a_model_may_decide_instead() {
        let rules = rules().churned_below(0.3).unwrap();
        assert_eq!(rules.by_p_alive(&history(2, 5.0, 9.0), 0.29), Stage::Churned);
        assert_eq!(rules.by_p_alive(&history(2, 5.0, 9.0), 0.31), Stage::Active);
        assert!(rules.churned_below(1.5).is_err() && rules.overdue(f64::NAN).is_err());
    }
}
