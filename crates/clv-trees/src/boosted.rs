//! Gradient boosting.

use std::num::NonZeroUsize;

use clv_core::learn::{Learned, Regress, Regression, Rows};
use clv_core::model::Kind;
use clv_core::{Context, Error, setting};
use hessboost::config::{Monotone, TrainingParams, TrainingParamsBuilder};
use hessboost::data::FeatureType;
use hessboost::objective::{Objective, PseudoHuber, Quantiles, RegLoss, Tweedie};
use serde::{Deserialize, Serialize};

use crate::engine::{Ensemble, Growth, NAME, backend, grow};

/// What boosting brings down, and so what its forecast is of.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum Loss {
    /// Squared error: the mean. The default, as a value is summed from means.
    Squared,
    /// Pseudo-Huber's: between mean and median; errors beyond the slope count by their size only.
    Huber(f64),
    /// Absolute error: the median, which is 0 where most do not buy.
    Absolute,
    /// Poisson's deviance: the mean of counts.
    Poisson,
    /// The gamma deviance: the mean of amounts above 0.
    Gamma,
    /// Tweedie's deviance with a power from 1 to below 2: the mean of amounts of which many are 0.
    Tweedie(f64),
    /// Log loss of targets 0 and 1: the probability of 1.
    Logistic,
    /// The pinball loss: the quantile of this level, such as .9.
    Quantile(f64),
}

/// A direction in which a forecast may go as a column grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Never down.
    Up,
    /// Never up.
    Down,
}

/// Settings of boosted regression trees (Friedman 2001; Chen and Guestrin 2016).
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `loss` | squared | aims at the mean, which is what a value is summed from |
/// | `trees` | 150 | with a learning rate of .05, about where holdout error levels off on CDNOW |
/// | `learning_rate` | 0.05 | small steps generalise better; trees are cheap |
/// | `depth` | 3 | interactions of three columns; deeper trees fit noise on a few thousand customers |
/// | `min_leaf` | 20 | customers that a leaf must hold: with Poisson, gamma and Tweedie losses those who bring the mean, more of those who bring less |
/// | `sample` | 1 | share of rows each tree sees |
/// | `monotone` | none | columns in which the forecast may only go one way |
/// | `category` | none | columns whose numbers are names: split into sets, not at a threshold |
///
/// NaN stands for what is missing ([`Rows::with_missing`]): each split learns to which side it belongs.
/// A category that was not among the rows learned from goes where the rest goes.
///
/// Means on a logarithmic scale (Poisson, gamma, Tweedie) come out low in total after few steps: 6 to 9%
/// on zero-inflated data. What is learned is multiplied so that it adds up to the target over the rows
/// that are learned from.
///
/// ```
/// use clv_core::learn::{Regress, Regression, Rows};
/// use clv_core::{Context, FeatureMatrix};
/// use clv_trees::{BoostedTrees, Direction, Loss};
///
/// let x: Vec<f64> = (0..200).map(f64::from).collect();
/// let y: Vec<f64> = x.iter().map(|x| if *x < 100.0 { 1.0 } else { 3.0 }).collect();
/// let columns = FeatureMatrix::new(vec!["visits".into()], x)?;
/// let settings = BoostedTrees::new().loss(Loss::Poisson).monotone("visits", Direction::Up);
/// let model = settings.regress(&Rows::new(&columns, &y)?, &Context::default())?.model;
/// let found = model.predict(&columns)?;
/// assert!((found[0] - 1.0).abs() < 0.1 && (found[199] - 3.0).abs() < 0.1);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct BoostedTrees {
    loss: Loss,
    trees: usize,
    learning_rate: f64,
    depth: usize,
    min_leaf: f64,
    sample: f64,
    monotone: Vec<(String, Direction)>,
    categories: Vec<String>,
}

impl Default for BoostedTrees {
    fn default() -> Self {
        Self {
            loss: Loss::Squared,
            trees: 150,
            learning_rate: 0.05,
            depth: 3,
            min_leaf: 20.0,
            sample: 1.0,
            monotone: Vec::new(),
            categories: Vec::new(),
        }
    }
}

impl BoostedTrees {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// What is brought down.
    pub fn loss(self, loss: Loss) -> Self {
        Self { loss, ..self }
    }

    /// Number of trees.
    pub fn trees(self, trees: usize) -> Self {
        Self { trees, ..self }
    }

    /// Share of each tree that is taken over.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is above 0 and at most 1.
    pub fn learning_rate(self, rate: f64) -> Result<Self, Error> {
        Ok(Self { learning_rate: setting::some_share("learning_rate", rate)?, ..self })
    }

    /// Questions from root to leaf.
    pub fn depth(self, depth: usize) -> Self {
        Self { depth, ..self }
    }

    /// Weight of curvature that a leaf must hold: with squared error, rows; with Poisson, gamma and Tweedie
    /// losses, rows around the mean.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and at least 0.
    pub fn min_leaf(self, rows: f64) -> Result<Self, Error> {
        Ok(Self { min_leaf: setting::at_least_zero("min_leaf", rows)?, ..self })
    }

    /// Share of rows that each tree sees, drawn by the context's seed.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is above 0 and at most 1.
    pub fn sample(self, share: f64) -> Result<Self, Error> {
        Ok(Self { sample: setting::some_share("sample", share)?, ..self })
    }

    /// The forecast goes only one way as a column grows: a value never falls with more purchases.
    pub fn monotone(mut self, column: &str, direction: Direction) -> Self {
        self.monotone.push((column.to_owned(), direction));
        self
    }

    /// A column whose numbers (whole, from 0) are names, such as
    /// [`Encoding::Ordinal`](clv_core::transform::Encoding::Ordinal) gives.
    pub fn category(mut self, column: &str) -> Self {
        self.categories.push(column.to_owned());
        self
    }

    /// Learns, and stops when the error of the `watched` rows has not come down for `patience` trees;
    /// what grew after the best is cut off. Let the watched rows be of a later time than those learned
    /// from (see [`Training::labelled`](clv_core::Training::labelled)), as those of the same time say
    /// nothing of how what was learned wears off.
    ///
    /// # Errors
    ///
    /// As [`Regress::regress`], of either rows.
    pub fn regress_watching(
        &self,
        rows: &Rows<'_>,
        watched: &Rows<'_>,
        patience: NonZeroUsize,
        cx: &Context<'_>,
    ) -> Result<Learned<BoostedTreesModel>, Error> {
        self.objective(watched)?;
        self.learn(rows, Some((watched, patience)), None, cx)
    }

    /// Grows a model on from where it stands, by this many trees more, on new rows: a warm start. The
    /// loss must be the model's.
    ///
    /// # Errors
    ///
    /// As [`Regress::regress`]; [`Error::Backend`] if the model had another loss or other columns.
    pub fn regress_on_from(
        &self,
        model: &BoostedTreesModel,
        rows: &Rows<'_>,
        cx: &Context<'_>,
    ) -> Result<Learned<BoostedTreesModel>, Error> {
        self.learn(rows, None, Some(model), cx)
    }

    fn learn(
        &self,
        rows: &Rows<'_>,
        watched: Option<(&Rows<'_>, NonZeroUsize)>,
        from: Option<&BoostedTreesModel>,
        cx: &Context<'_>,
    ) -> Result<Learned<BoostedTreesModel>, Error> {
        let params = self.params(rows)?.objective(self.objective(rows)?);
        // Means on a logarithmic scale are learned of targets around 1: else the weight that a leaf must
        // hold would be many rows in one currency and few in another.
        let of_logarithms = matches!(self.loss, Loss::Poisson | Loss::Gamma | Loss::Tweedie(_));
        let size = match from {
            Some(model) => model.size,
            // Without a target above 0 there is nothing to be divided by.
            None if of_logarithms => Some(rows.mean()).filter(|mean| *mean > 0.0).unwrap_or(1.0),
            None => 1.0,
        };
        let sized = |rows: &Rows<'_>| rows.target().iter().map(|y| y / size).collect::<Vec<_>>();
        let target = sized(rows);
        let watched_target = watched.map(|(rows, _)| sized(rows)).unwrap_or_default();
        let watched_rows = watched.map(|(rows, _)| rows.with_target(&watched_target)).transpose()?;
        let growth = Growth {
            rounds: self.trees,
            sampled: self.sample < 1.0,
            kinds: self.kinds(rows)?,
            watched: watched_rows.as_ref().zip(watched.map(|(_, patience)| patience)),
            from: from.map(|model| &model.trees),
        };
        let trees = grow(params, &rows.with_target(&target)?, &growth, cx)?;
        let mut model = BoostedTreesModel { trees, size, factor: size };
        if of_logarithms {
            model.factor *= adding_up(&model, rows)?;
        }
        Ok(Learned::new(model))
    }

    /// All of the engine's parameters but the objective.
    pub(crate) fn params(&self, rows: &Rows<'_>) -> Result<TrainingParamsBuilder, Error> {
        Ok(TrainingParams::builder()
            .eta(self.learning_rate)
            .max_depth(self.depth)
            .min_child_weight(self.min_leaf)
            .subsample(self.sample)
            .monotone_constraints(self.directions(rows)?))
    }

    /// How to grow without a loss of its own.
    pub(crate) fn growth(&self, rows: &Rows<'_>) -> Result<Growth<'static>, Error> {
        let sampled = self.sample < 1.0;
        Ok(Growth { rounds: self.trees, sampled, kinds: self.kinds(rows)?, ..Growth::default() })
    }

    fn kinds(&self, rows: &Rows<'_>) -> Result<Vec<FeatureType>, Error> {
        if self.categories.is_empty() {
            return Ok(Vec::new());
        }
        let mut kinds = vec![FeatureType::Numerical; rows.features().names().len()];
        for name in &self.categories {
            kinds[column_of(rows, name)?] = FeatureType::Categorical;
        }
        Ok(kinds)
    }

    fn objective(&self, rows: &Rows<'_>) -> Result<Objective, Error> {
        let positive = |strictly| rows.expect_positive(strictly);
        Ok(match self.loss {
            Loss::Squared => Objective::SquaredError(RegLoss::default()),
            Loss::Huber(slope) => Objective::PseudoHuber(PseudoHuber::new(slope).map_err(backend)?),
            Loss::Absolute => Objective::AbsoluteError,
            Loss::Poisson => {
                positive(false)?;
                Objective::Poisson
            }
            Loss::Gamma => {
                positive(true)?;
                Objective::Gamma(RegLoss::default())
            }
            Loss::Tweedie(power) => {
                positive(false)?;
                Objective::Tweedie(Tweedie::new(power).map_err(backend)?)
            }
            Loss::Logistic => {
                rows.expect_yes_or_no()?;
                Objective::BinaryLogistic(RegLoss::default())
            }
            Loss::Quantile(level) => Objective::Quantile(Quantiles::new([level]).map_err(backend)?),
        })
    }

    fn directions(&self, rows: &Rows<'_>) -> Result<Vec<Monotone>, Error> {
        if self.monotone.is_empty() {
            return Ok(Vec::new());
        }
        let mut all = vec![Monotone::None; rows.features().names().len()];
        for (name, direction) in &self.monotone {
            all[column_of(rows, name)?] = match direction {
                Direction::Up => Monotone::Increasing,
                Direction::Down => Monotone::Decreasing,
            };
        }
        Ok(all)
    }
}

impl Regress for BoostedTrees {
    type Model = BoostedTreesModel;

    fn regress(&self, rows: &Rows<'_>, cx: &Context<'_>) -> Result<Learned<BoostedTreesModel>, Error> {
        self.learn(rows, None, None, cx)
    }
}

fn column_of(rows: &Rows<'_>, name: &str) -> Result<usize, Error> {
    let missing = || Error::MissingColumn { model: "boosted trees", column: name.to_owned() };
    rows.features().position(name).ok_or_else(missing)
}

/// What makes the forecasts of the rows learned from add up to their target.
pub(crate) fn adding_up(model: &impl Regression, rows: &Rows<'_>) -> Result<f64, Error> {
    let (mut actual, mut forecast, mut scratch) = (0.0, 0.0, Vec::new());
    for (row, y) in rows.target().iter().enumerate() {
        actual += rows.weight(row) * y;
        forecast += rows.weight(row) * model.at(rows.features().row(row), &mut scratch)?;
    }
    Ok(if actual > 0.0 && forecast > 0.0 { actual / forecast } else { 1.0 })
}

/// Fitted boosted trees.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BoostedTreesModel {
    trees: Ensemble,
    /// By what the targets were divided.
    size: f64,
    /// By what the trees' forecast is multiplied.
    factor: f64,
}

impl BoostedTreesModel {
    /// What each column adds for a row, and last what all rows have in common: SHAP values, exact for
    /// trees (Lundberg and Lee, "A unified approach to interpreting model predictions", 2017). They add
    /// up to the forecast before its link: the logarithm of a Poisson, gamma or Tweedie mean, the
    /// log-odds of a probability, and the forecast itself otherwise.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] for a row of another width.
    pub fn contributions(&self, row: &[f64]) -> Result<Vec<f64>, Error> {
        let mut found = self.trees.contributions(row)?;
        if let Some(common) = found.last_mut() {
            *common += self.factor.ln();
        }
        Ok(found)
    }

    /// Each column's share of what the splits gained.
    pub fn importance(&self) -> Vec<f64> {
        self.trees.importance()
    }

    /// Number of trees.
    pub fn trees(&self) -> usize {
        self.trees.0.num_boost_rounds()
    }

    /// The model with only the first so many trees: smaller and faster, and the error it costs is to be
    /// measured on rows it has not seen. What makes forecasts add up is kept from the whole model, so that
    /// they add up less well.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless there are at least as many trees, and one.
    pub fn first(&self, trees: usize) -> Result<Self, Error> {
        if trees == 0 || trees > self.trees() {
            let allowed = "from 1 to the number of trees that there are";
            return Err(Error::Setting { name: "trees", given: trees as f64, allowed });
        }
        let trees = self.trees.0.slice(..trees, 1).map(Ensemble).map_err(backend)?;
        Ok(Self { trees, ..self.clone() })
    }

    /// The model with leaves rounded to so many steps between the least and the greatest of all, and
    /// thresholds to as many steps of their column, so that it packs into fewer bytes
    /// ([`BoostedTreesModel::to_bytes`]). Directions are kept.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless there are at least 2 steps; [`Error::Backend`].
    pub fn quantised(&self, steps: usize) -> Result<Self, Error> {
        if steps < 2 {
            return Err(Error::Setting { name: "steps", given: steps as f64, allowed: "at least 2" });
        }
        Ok(Self { trees: self.trees.quantised(steps)?, ..self.clone() })
    }

    /// The model in few bytes, compressed and with a checksum; saved as JSON it takes many times as much.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`].
    pub fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let mut bytes = [self.size.to_le_bytes(), self.factor.to_le_bytes()].concat();
        bytes.extend(self.trees.to_bytes()?);
        Ok(bytes)
    }

    /// From what [`BoostedTreesModel::to_bytes`] gave.
    ///
    /// # Errors
    ///
    /// [`Error::Backend`] for other bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let cut = || Error::Backend { model: NAME, source: "packed trees cut short".into() };
        let (size, rest) = bytes.split_first_chunk().ok_or_else(cut)?;
        let (factor, trees) = rest.split_first_chunk().ok_or_else(cut)?;
        let (size, factor) = (f64::from_le_bytes(*size), f64::from_le_bytes(*factor));
        Ok(Self { trees: Ensemble::from_bytes(trees)?, size, factor })
    }
}

impl Regression for BoostedTreesModel {
    const KIND: Kind = Kind::new("boosted-trees", 2);

    fn width(&self) -> usize {
        self.trees.width()
    }

    fn at(&self, row: &[f64], scratch: &mut Vec<f32>) -> Result<f64, Error> {
        Ok(self.factor * self.trees.at(row, scratch)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clv_core::FeatureMatrix;

    fn data() -> (FeatureMatrix, Vec<f64>) {
        let x = |i: u32| [f64::from(i * 37 % 101), f64::from(i * 53 % 97)];
        let y = |i: u32| {
            if i.is_multiple_of(3) { 0.0 } else { (x(i)[0] / 20.0).floor() * (1.0 + f64::from(i % 4)) }
        };
        let names = vec!["visits".into(), "age".into()];
        let columns = FeatureMatrix::new(names, (0..600).flat_map(x).collect()).unwrap();
        (columns, (0..600).map(y).collect())
    }

    #[test]
    fn a_loss_on_a_logarithmic_scale_adds_up_and_explains_itself() {
        let (columns, target) = data();
        let rows = Rows::new(&columns, &target).unwrap();
        for loss in [Loss::Squared, Loss::Poisson, Loss::Tweedie(1.5)] {
            let model = BoostedTrees::new().loss(loss).regress(&rows, &Context::default()).unwrap().model;
            let found = model.predict(&columns).unwrap();
            let (total, actual) = (found.iter().sum::<f64>(), target.iter().sum::<f64>());
            assert!((total / actual - 1.0).abs() < 1e-3, "{loss:?}: {total} {actual}");
            for row in [0, 7, 200] {
                let sum: f64 = model.contributions(columns.row(row)).unwrap().iter().sum();
                let forecast = if loss == Loss::Squared { sum } else { sum.exp() };
                assert!((forecast - found[row]).abs() < 1e-4 * (1.0 + found[row].abs()), "{loss:?} {row}");
            }
            assert!((model.importance().iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn the_unit_of_money_decides_nothing() {
        let (columns, target) = data();
        let cents: Vec<f64> = target.iter().map(|y| y * 128.0).collect();
        for loss in [Loss::Squared, Loss::Poisson, Loss::Tweedie(1.5), Loss::Tweedie(1.8)] {
            let learned = |target: &[f64]| {
                let rows = Rows::new(&columns, target).unwrap();
                BoostedTrees::new()
                    .loss(loss)
                    .regress(&rows, &Context::default())
                    .unwrap()
                    .model
                    .predict(&columns)
                    .unwrap()
            };
            for (a, b) in learned(&target).iter().zip(learned(&cents)) {
                assert!((128.0 * a - b).abs() < 1e-3 * (1.0 + b.abs()), "{loss:?} {a} {b}");
            }
        }
    }

    #[test]
    fn a_monotone_forecast_never_turns_and_an_unknown_column_is_refused() {
        let (columns, mut target) = data();
        // What the data say against it.
        target.iter_mut().enumerate().filter(|(i, _)| i % 7 == 0).for_each(|(_, y)| *y = 30.0);
        let rows = Rows::new(&columns, &target).unwrap();
        let settings = BoostedTrees::new().monotone("visits", Direction::Up);
        let model = settings.regress(&rows, &Context::default()).unwrap().model;
        for age in [3.0, 40.0, 90.0] {
            let path: Vec<f64> =
                (0..101).map(|v| model.at(&[f64::from(v), age], &mut Vec::new()).unwrap()).collect();
            assert!(path.windows(2).all(|p| p[0] <= p[1]), "{path:?}");
        }
        let error = BoostedTrees::new().monotone("visit", Direction::Up).regress(&rows, &Context::default());
        assert!(error.unwrap_err().to_string().contains("visit"));
    }

    #[test]
    fn what_is_missing_and_what_is_a_name_find_their_side() {
        let value = |kind: f64| [4.0, 1.0, 9.0, 1.0][kind as usize];
        let x = |i: u32| [f64::from(i % 4), if i.is_multiple_of(5) { f64::NAN } else { f64::from(i % 3) }];
        let y: Vec<f64> = (0..800).map(|i| value(x(i)[0]) + 20.0 * f64::from(x(i)[1].is_nan())).collect();
        let columns =
            FeatureMatrix::new(vec!["kind".into(), "age".into()], (0..800).flat_map(x).collect()).unwrap();
        assert!(Rows::new(&columns, &y).unwrap_err().to_string().contains("age"));
        let rows = Rows::with_missing(&columns, &y).unwrap();
        let learned = |settings: BoostedTrees| {
            let model = settings.trees(300).regress(&rows, &Context::default()).unwrap().model;
            move |row: [f64; 2]| model.at(&row, &mut Vec::new()).unwrap()
        };
        let named = learned(BoostedTrees::new().depth(2).category("kind"));
        for kind in [0.0, 1.0, 2.0, 3.0] {
            let (missing, known) = (named([kind, f64::NAN]), named([kind, 1.0]));
            assert!((missing - value(kind) - 20.0).abs() < 0.2, "{kind} {missing}");
            assert!((known - value(kind)).abs() < 0.2, "{kind} {known}");
        }
        assert!(named([77.0, 1.0]).is_finite());
        // One question tells the odd ones from the even, which no threshold does.
        let one = learned(BoostedTrees::new().depth(1).category("kind").trees(1));
        assert_eq!(one([1.0, 1.0]), one([3.0, 1.0]));
        let error = BoostedTrees::new().category("colour").regress(&rows, &Context::default()).unwrap_err();
        assert!(error.to_string().contains("colour"));
    }

    #[test]
    fn growth_stops_where_later_rows_get_worse_and_goes_on_where_it_is_told() {
        let (columns, target) = data();
        // What the later rows no longer bear out.
        let noise: Vec<f64> =
            target.iter().enumerate().map(|(i, y)| y + f64::from((i * 7919 % 13) as u32)).collect();
        let rows = Rows::new(&columns, &noise).unwrap();
        let watched = Rows::new(&columns, &target).unwrap();
        let patience = NonZeroUsize::new(10).unwrap();
        let settings = BoostedTrees::new().depth(6).min_leaf(1.0).unwrap().trees(400);
        let cx = Context::default();
        let stopped = settings.regress_watching(&rows, &watched, patience, &cx).unwrap().model;
        let full = settings.regress(&rows, &cx).unwrap().model;
        assert!(stopped.trees() < 300 && full.trees() == 400, "{}", stopped.trees());
        let error = |model: &BoostedTreesModel| {
            let found = model.predict(&columns).unwrap();
            found.iter().zip(&target).map(|(f, y)| (f - y).powi(2)).sum::<f64>()
        };
        assert!(error(&stopped) < error(&full));
        assert_eq!(
            full.first(stopped.trees()).unwrap().predict(&columns).unwrap(),
            stopped.predict(&columns).unwrap()
        );
        // A hundred trees and a hundred more are two hundred.
        let half = settings.clone().trees(100).regress(&rows, &cx).unwrap().model;
        let more = settings.clone().trees(100).regress_on_from(&half, &rows, &cx).unwrap().model;
        let whole = settings.trees(200).regress(&rows, &cx).unwrap().model;
        assert_eq!(more.predict(&columns).unwrap(), whole.predict(&columns).unwrap());
        assert!(full.first(401).is_err() && full.first(0).is_err());
    }

    #[test]
    fn a_quantised_model_is_smaller_near_and_keeps_its_direction() {
        let (columns, target) = data();
        let rows = Rows::new(&columns, &target).unwrap();
        let settings = BoostedTrees::new().loss(Loss::Poisson).monotone("visits", Direction::Up);
        let model = settings.regress(&rows, &Context::default()).unwrap().model;
        let rounded = model.quantised(64).unwrap();
        let (whole, small) = (model.to_bytes().unwrap(), rounded.to_bytes().unwrap());
        assert!(small.len() < whole.len(), "{} {}", small.len(), whole.len());
        let back = BoostedTreesModel::from_bytes(&small).unwrap();
        let (exact, near) = (model.predict(&columns).unwrap(), back.predict(&columns).unwrap());
        assert_eq!(near, rounded.predict(&columns).unwrap());
        let apart = exact.iter().zip(&near).map(|(a, b)| (a - b).abs()).sum::<f64>();
        assert!(apart > 0.0 && apart < 0.05 * exact.iter().sum::<f64>(), "{apart}");
        let path: Vec<f64> =
            (0..101).map(|v| back.at(&[f64::from(v), 40.0], &mut Vec::new()).unwrap()).collect();
        assert!(path.windows(2).all(|p| p[0] <= p[1]), "{path:?}");
        assert!(model.quantised(1).is_err() && BoostedTreesModel::from_bytes(&small[..20]).is_err());
    }

    #[test]
    fn a_quantile_has_its_share_below() {
        let (columns, _) = data();
        let target: Vec<f64> = (0..600).map(|i| f64::from(i * 7919 % 101)).collect();
        let rows = Rows::new(&columns, &target).unwrap();
        for level in [0.1, 0.9] {
            let settings = BoostedTrees::new().loss(Loss::Quantile(level)).depth(1);
            let found =
                settings.regress(&rows, &Context::default()).unwrap().model.predict(&columns).unwrap();
            let below = found.iter().zip(&target).filter(|(f, y)| y <= f).count() as f64 / 600.0;
            assert!((below - level).abs() < 0.05, "{level} {below}");
        }
        assert!(BoostedTrees::new().loss(Loss::Quantile(1.5)).regress(&rows, &Context::default()).is_err());
    }

    #[test]
    fn what_a_loss_cannot_take_is_refused() {
        let (columns, target) = data();
        let rows = Rows::new(&columns, &target).unwrap();
        let error = |loss| BoostedTrees::new().loss(loss).regress(&rows, &Context::default()).unwrap_err();
        assert!(error(Loss::Gamma).to_string().contains("above 0"));
        assert!(error(Loss::Logistic).to_string().contains("0 or 1"));
        assert!(BoostedTrees::new().loss(Loss::Tweedie(2.5)).regress(&rows, &Context::default()).is_err());
    }
}
