//! Two-part models of targets of which many are 0: whether, and how much.

use clv_core::learn::{Chosen, Distribution, Learned, Regress, Regression, Rows};
use clv_core::model::Kind;
use clv_core::{Context, Error, setting};
use clv_math::ZeroInflatedLognormal;
use serde::{Deserialize, Serialize};

use crate::{Glm, GlmModel, Line, LinearRegression};

/// Hurdle model: logistic regression of whether the target is above 0, times a gamma regression of how
/// much where it is (Cragg, Econometrica 39, 1971):
///
/// ```text
/// E[y | x] = P(y > 0 | x) · E[y | y > 0, x]
/// ```
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `penalty` | 1e-4 | of both parts; keeps them finite where a column tells buyers apart fully |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Hurdle {
    penalty: f64,
}

/// Zero-inflated lognormal regression: logistic regression of whether the target is above 0, and least
/// squares of its logarithm where it is. The line that Wang, Liu and Miao's network (arXiv:1912.07753,
/// equations 1 to 5) reduces to with one linear layer and one `σ`: with those, the joint likelihood
/// falls into these two parts, and both maxima are exact.
///
/// ```text
/// E[y | x] = p(x) · exp(μ(x) + σ²/2)
/// ```
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `penalty` | 1e-4 | of the logistic part |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ziln {
    penalty: f64,
}

impl Default for Hurdle {
    fn default() -> Self {
        Self { penalty: 1e-4 }
    }
}

impl Default for Ziln {
    fn default() -> Self {
        Self { penalty: 1e-4 }
    }
}

impl Hurdle {
    /// With another penalty.
    ///
    /// # Errors
    ///
    /// As [`Glm::penalty`].
    pub fn penalty(self, penalty: f64) -> Result<Self, Error> {
        Ok(Self { penalty: setting::at_least_zero("penalty", penalty)? })
    }
}

impl Ziln {
    /// With another penalty.
    ///
    /// # Errors
    ///
    /// As [`Glm::penalty`].
    pub fn penalty(self, penalty: f64) -> Result<Self, Error> {
        Ok(Self { penalty: setting::at_least_zero("penalty", penalty)? })
    }
}

/// Whether the target is above 0.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Whether {
    /// In every row learned from.
    Always,
    Logistic(GlmModel),
}

impl Whether {
    fn learn(rows: &Rows<'_>, penalty: f64, cx: &Context<'_>) -> Result<Learned<Self>, Error> {
        rows.expect_positive(false)?;
        if (0..rows.len()).all(|r| rows.target()[r] > 0.0 || rows.weight(r) == 0.0) {
            return Ok(Learned::new(Self::Always));
        }
        let above: Vec<f64> = rows.target().iter().map(|y| f64::from(*y > 0.0)).collect();
        let learned = Glm::logistic().penalty(penalty)?.regress(&rows.with_target(&above)?, cx)?;
        Ok(Learned { model: Self::Logistic(learned.model), warnings: learned.warnings })
    }

    fn at(&self, row: &[f64], scratch: &mut Vec<f32>) -> Result<f64, Error> {
        match self {
            Self::Always => Ok(1.0),
            Self::Logistic(model) => model.at(row, scratch),
        }
    }
}

/// The rows whose target is above 0.
fn above(rows: &Rows<'_>) -> Result<Chosen, Error> {
    let above = |r: &usize| rows.target()[*r] > 0.0 && rows.weight(*r) > 0.0;
    let kept: Vec<usize> = (0..rows.len()).filter(above).collect();
    if kept.is_empty() {
        return Err(Error::NoEstimate { model: "a two-part model", why: "no target is above 0" });
    }
    Chosen::of(rows, &kept)
}

/// A fitted hurdle model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HurdleModel {
    whether: Whether,
    how_much: GlmModel,
}

impl Regress for Hurdle {
    type Model = HurdleModel;

    fn regress(&self, rows: &Rows<'_>, cx: &Context<'_>) -> Result<Learned<HurdleModel>, Error> {
        let whether = Whether::learn(rows, self.penalty, cx)?;
        let how_much = Glm::gamma().penalty(self.penalty)?.regress(&above(rows)?.rows()?, cx)?;
        let mut warnings = whether.warnings;
        warnings.extend(how_much.warnings);
        Ok(Learned { model: HurdleModel { whether: whether.model, how_much: how_much.model }, warnings })
    }
}

impl Regression for HurdleModel {
    const KIND: Kind = Kind::new("hurdle", 1);

    fn width(&self) -> usize {
        self.how_much.width()
    }

    fn at(&self, row: &[f64], scratch: &mut Vec<f32>) -> Result<f64, Error> {
        Ok(self.whether.at(row, scratch)? * self.how_much.at(row, scratch)?)
    }
}

/// A fitted zero-inflated lognormal regression.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ZilnModel {
    whether: Whether,
    /// Of the logarithm.
    line: Line,
    sigma: f64,
}

impl ZilnModel {
    /// The distribution of a row.
    ///
    /// # Errors
    ///
    /// As [`Regression::at`].
    pub fn distribution(&self, row: &[f64], scratch: &mut Vec<f32>) -> Result<ZeroInflatedLognormal, Error> {
        let (p, mu) = (self.whether.at(row, scratch)?, self.line.at(row, scratch)?);
        Ok(ZeroInflatedLognormal { p, mu, sigma: self.sigma })
    }
}

impl Distribution for ZilnModel {
    fn cdf(&self, row: &[f64], y: f64, scratch: &mut Vec<f32>) -> Result<f64, Error> {
        Ok(self.distribution(row, scratch)?.cdf(y))
    }

    fn quantile(&self, row: &[f64], level: f64, scratch: &mut Vec<f32>) -> Result<f64, Error> {
        Ok(self.distribution(row, scratch)?.quantile(level))
    }
}

impl Regress for Ziln {
    type Model = ZilnModel;

    fn regress(&self, rows: &Rows<'_>, cx: &Context<'_>) -> Result<Learned<ZilnModel>, Error> {
        let whether = Whether::learn(rows, self.penalty, cx)?;
        let above = above(rows)?;
        let above = above.rows()?;
        let logs: Vec<f64> = above.target().iter().map(|y| y.ln()).collect();
        let positive = above.with_target(&logs)?;
        let line = LinearRegression.regress(&positive, cx)?;
        let fitted = line.model.predict(above.features())?;
        let (mut squares, mut total) = (0.0, 0.0);
        for (row, (log, fit)) in logs.iter().zip(&fitted).enumerate() {
            squares += positive.weight(row) * (log - fit).powi(2);
            total += positive.weight(row);
        }
        let mut warnings = whether.warnings;
        warnings.extend(line.warnings);
        // The maximum of the likelihood, which divides by n.
        let sigma = (squares / total).sqrt();
        Ok(Learned { model: ZilnModel { whether: whether.model, line: line.model, sigma }, warnings })
    }
}

impl Regression for ZilnModel {
    const KIND: Kind = Kind::new("ziln", 1);

    fn width(&self) -> usize {
        self.line.width()
    }

    fn at(&self, row: &[f64], scratch: &mut Vec<f32>) -> Result<f64, Error> {
        Ok(self.distribution(row, scratch)?.mean())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clv_core::FeatureMatrix;

    fn groups() -> (FeatureMatrix, Vec<f64>) {
        let columns = vec![0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0];
        (
            FeatureMatrix::new(vec!["x".into()], columns).unwrap(),
            vec![0.0, 0.0, 0.0, 4.0, 0.0, 2.0, 6.0, 10.0],
        )
    }

    #[test]
    fn a_hurdle_over_groups_is_each_groups_mean() {
        let (columns, target) = groups();
        let hurdle = Hurdle::default().penalty(0.0).unwrap();
        let learned = hurdle.regress(&Rows::new(&columns, &target).unwrap(), &Context::default()).unwrap();
        let means = learned.model.predict(&columns).unwrap();
        assert!((means[0] - 1.0).abs() < 1e-8 && (means[7] - 4.5).abs() < 1e-8, "{means:?}");
    }

    #[test]
    fn the_parts_of_a_ziln_are_its_groups() {
        let (columns, target) = groups();
        let ziln = Ziln::default().penalty(0.0).unwrap();
        let model = ziln.regress(&Rows::new(&columns, &target).unwrap(), &Context::default()).unwrap().model;
        let ZeroInflatedLognormal { p, mu, sigma } = model.distribution(&[1.0], &mut Vec::new()).unwrap();
        let logs = [2.0_f64, 6.0, 10.0].map(f64::ln);
        let mean = logs.iter().sum::<f64>() / 3.0;
        // The one row of the other group fits exactly, and counts in n.
        let variance = logs.iter().map(|l| (l - mean).powi(2)).sum::<f64>() / 4.0;
        assert!(
            (p - 0.75).abs() < 1e-9 && (mu - mean).abs() < 1e-9 && (sigma * sigma - variance).abs() < 1e-9
        );
        let expected = 0.75 * (mean + variance / 2.0).exp();
        assert!((model.at(&[1.0], &mut Vec::new()).unwrap() - expected).abs() < 1e-9);
    }

    #[test]
    fn targets_all_above_0_need_no_hurdle_and_none_leave_nothing_to_learn() {
        let (columns, _) = groups();
        let cx = Context::default();
        let above = [1.0, 2.0, 1.0, 2.0, 5.0, 6.0, 5.0, 6.0];
        let rows = Rows::new(&columns, &above).unwrap();
        let all = Hurdle::default().penalty(0.0).unwrap().regress(&rows, &cx).unwrap().model;
        assert!((all.at(&[0.0], &mut Vec::new()).unwrap() - 1.5).abs() < 1e-9);
        assert!(Hurdle::default().regress(&Rows::new(&columns, &[0.0; 8]).unwrap(), &cx).is_err());
        let negative = Rows::new(&columns, &[-1.0; 8]).unwrap();
        assert!(Ziln::default().regress(&negative, &cx).unwrap_err().to_string().contains("row 0"));
    }
}
