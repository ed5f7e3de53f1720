//! Boosted zero-inflated lognormal distributions.

use clv_core::learn::{Distribution, Learned, Regress, Regression, Rows};
use clv_core::model::Kind;
use clv_core::{Context, Error};
use clv_math::ZeroInflatedLognormal;
use hessboost::objective::Objective;
use hessboost::objective::distributional::{DistFamily, Distributional};
use serde::{Deserialize, Serialize};

use crate::engine::{Ensemble, grow};
use crate::{BoostedTrees, BoostedTreesModel, Loss};

/// Settings of boosted zero-inflated lognormal regression: the loss of Wang, Liu and Miao
/// (arXiv:1912.07753, equation 3),
///
/// ```text
/// −ln L(y; p, μ, σ) = −1{y = 0} ln(1 − p) − 1{y > 0} [ln p + ln φ((ln y − μ)/σ) − ln(σ y)],
/// ```
///
/// brought down by trees of their own for the log-odds of `p`, for `μ` and for `ln σ`. The loss falls
/// into a part of `p` alone, over all rows, and one of `μ` and `σ`, over the rows above 0; so the two are
/// grown one after the other, and no better joint solution is missed.
///
/// ```
/// use clv_core::learn::{Regress, Regression, Rows};
/// use clv_core::{Context, FeatureMatrix};
/// use clv_trees::BoostedZiln;
///
/// let x: Vec<f64> = (0..400).map(|i| f64::from(i % 4)).collect();
/// let y: Vec<f64> = x.iter().zip(0..).map(|(x, i)| f64::from(i % 3 % 2) * (1.0 + x)).collect();
/// let columns = FeatureMatrix::new(vec!["visits".into()], x)?;
/// let model = BoostedZiln::default().regress(&Rows::new(&columns, &y)?, &Context::default())?.model;
/// let known = model.distribution(columns.row(3), &mut Vec::new())?;
/// assert!((known.p - 1.0 / 3.0).abs() < 0.02 && (known.mu - 4.0_f64.ln()).abs() < 0.05);
/// assert_eq!(known.quantile(0.5), 0.0);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct BoostedZiln {
    trees: BoostedTrees,
}

impl BoostedZiln {
    /// With the trees' number, depth, leaves, directions and categories as here; their loss is not
    /// looked at. A direction is that of `p` and of `μ` alike; `σ` has it as well.
    pub fn new(trees: BoostedTrees) -> Self {
        Self { trees }
    }
}

/// Fitted boosted zero-inflated lognormal regression.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BoostedZilnModel {
    /// None if every row learned from was above 0.
    whether: Option<BoostedTreesModel>,
    amount: Ensemble,
    factor: f64,
}

impl Regress for BoostedZiln {
    type Model = BoostedZilnModel;

    fn regress(&self, rows: &Rows<'_>, cx: &Context<'_>) -> Result<Learned<BoostedZilnModel>, Error> {
        rows.expect_positive(false)?;
        let counts = |r: &usize| rows.weight(*r) > 0.0;
        let kept: Vec<usize> = (0..rows.len()).filter(counts).filter(|&r| rows.target()[r] > 0.0).collect();
        if kept.is_empty() {
            return Err(Error::NoEstimate { model: BoostedZilnModel::KIND.name, why: "every target is 0" });
        }
        let whether = if kept.len() == (0..rows.len()).filter(counts).count() {
            None
        } else {
            let above: Vec<f64> = rows.target().iter().map(|y| f64::from(*y > 0.0)).collect();
            let trees = self.trees.clone().loss(Loss::Logistic);
            Some(trees.regress(&rows.with_target(&above)?, cx)?.model)
        };
        let columns = rows.features().select(&kept)?;
        let target: Vec<f64> = kept.iter().map(|&r| rows.target()[r]).collect();
        let weights: Vec<f64> = kept.iter().map(|&r| rows.weight(r)).collect();
        let above = Rows::with_missing(&columns, &target)?.weighted(&weights)?;
        let objective = Objective::Dist(Distributional::new(DistFamily::LogNormal));
        let params = self.trees.params(&above)?.objective(objective);
        let amount = grow(params, &above, &self.trees.growth(&above)?, cx)?;
        let mut model = BoostedZilnModel { whether, amount, factor: 1.0 };
        model.factor = crate::boosted::adding_up(&model, rows)?;
        Ok(Learned::new(model))
    }
}

impl BoostedZilnModel {
    /// The distribution of a row, as it was learned: its mean has not yet been multiplied by what makes
    /// the forecasts of the rows learned from add up ([`BoostedZilnModel::factor`]).
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] for a row of another width.
    pub fn distribution(&self, row: &[f64], scratch: &mut Vec<f32>) -> Result<ZeroInflatedLognormal, Error> {
        let p = match &self.whether {
            None => 1.0,
            Some(trees) => trees.at(row, scratch)?,
        };
        let [mu, sigma] = self.amount.all(row, scratch)?;
        Ok(ZeroInflatedLognormal { p, mu, sigma })
    }

    /// By what forecasts are multiplied so that those of the rows learned from add up to their target: a
    /// lognormal's mean hangs on a tail that the data may not have.
    pub fn factor(&self) -> f64 {
        self.factor
    }
}

impl Distribution for BoostedZilnModel {
    fn cdf(&self, row: &[f64], y: f64, scratch: &mut Vec<f32>) -> Result<f64, Error> {
        Ok(self.distribution(row, scratch)?.cdf(y))
    }

    fn quantile(&self, row: &[f64], level: f64, scratch: &mut Vec<f32>) -> Result<f64, Error> {
        Ok(self.distribution(row, scratch)?.quantile(level))
    }
}

impl Regression for BoostedZilnModel {
    const KIND: Kind = Kind::new("boosted-ziln", 1);

    fn width(&self) -> usize {
        self.amount.width()
    }

    fn at(&self, row: &[f64], scratch: &mut Vec<f32>) -> Result<f64, Error> {
        Ok(self.factor * self.distribution(row, scratch)?.mean())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clv_core::FeatureMatrix;
    use clv_math::special::normal_quantile;
    use rand::{RngExt, SeedableRng};

    /// Rows of two kinds, drawn from a known distribution each.
    fn drawn(count: usize) -> (FeatureMatrix, Vec<f64>) {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(11);
        let mut columns = Vec::new();
        let mut target = Vec::new();
        for i in 0..count {
            let kind = (i % 2) as f64;
            columns.extend([kind, rng.random::<f64>()]);
            let ZeroInflatedLognormal { p, mu, sigma } = truth(kind);
            let above = rng.random::<f64>() < p;
            let z = normal_quantile(rng.random_range(1e-9..1.0));
            target.push(if above { (mu + sigma * z).exp() } else { 0.0 });
        }
        (FeatureMatrix::new(vec!["kind".into(), "noise".into()], columns).unwrap(), target)
    }

    fn truth(kind: f64) -> ZeroInflatedLognormal {
        if kind == 0.0 {
            ZeroInflatedLognormal { p: 0.3, mu: 3.0, sigma: 0.4 }
        } else {
            ZeroInflatedLognormal { p: 0.7, mu: 4.0, sigma: 0.9 }
        }
    }

    #[test]
    fn the_distribution_that_rows_were_drawn_from_is_found() {
        let (columns, target) = drawn(20_000);
        let rows = Rows::new(&columns, &target).unwrap();
        let settings = BoostedZiln::new(BoostedTrees::new().depth(1).trees(200));
        let model = settings.regress(&rows, &Context::default()).unwrap().model;
        for kind in [0.0, 1.0] {
            let (found, truth) = (model.distribution(&[kind, 0.5], &mut Vec::new()).unwrap(), truth(kind));
            assert!((found.p - truth.p).abs() < 0.02, "{found:?}");
            assert!((found.mu - truth.mu).abs() < 0.05, "{found:?}");
            assert!((found.sigma - truth.sigma).abs() < 0.05, "{found:?}");
        }
        assert!((model.factor() - 1.0).abs() < 0.03, "{}", model.factor());
        let saved: BoostedZilnModel = serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
        assert_eq!(saved.predict(&columns).unwrap(), model.predict(&columns).unwrap());
    }
}
