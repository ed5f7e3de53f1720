//! hessboost, behind this crate's types.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;

use clv_core::learn::{Chosen, Rows, canonical_order};
use clv_core::{Context, Error};
use hessboost::config::TrainingParamsBuilder;
use hessboost::data::FeatureType;
use hessboost::prelude::*;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) const NAME: &str = "trees";

/// An ensemble of trees, saved in XGBoost's JSON.
#[derive(Clone, Debug)]
pub(crate) struct Ensemble(pub BoostedModel);

impl Ensemble {
    pub(crate) fn width(&self) -> usize {
        self.0.n_features()
    }

    /// Row by row: the engine's batches of sixteen and more would start threads nobody asked for.
    pub(crate) fn at(&self, row: &[f64], single: &mut Vec<f32>) -> Result<f64, Error> {
        single.clear();
        single.extend(row.iter().map(|v| *v as f32));
        Ok(f64::from(self.0.predict_row(single, Iterations::Best).map_err(backend)?))
    }

    /// Compressed, with a checksum.
    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        self.0.encode(ModelFormat::Binary).map_err(backend)
    }

    /// From what [`Self::to_bytes`] gave.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        BoostedModel::decode(bytes, ModelFormat::Binary).map(Self).map_err(backend)
    }

    /// All outputs for a row.
    pub(crate) fn all<const N: usize>(&self, row: &[f64], single: &mut Vec<f32>) -> Result<[f64; N], Error> {
        single.clear();
        single.extend(row.iter().map(|v| *v as f32));
        let mut found = [0.0; N];
        self.0.predict_row_into(single, Iterations::Best, &mut found).map_err(backend)?;
        Ok(found.map(f64::from))
    }

    /// What each column adds to the forecast of a row before the link, and last the mean of all rows:
    /// SHAP values (Lundberg and Lee 2017), exact for trees.
    pub(crate) fn contributions(&self, row: &[f64]) -> Result<Vec<f64>, Error> {
        let single: Vec<f32> = row.iter().map(|v| *v as f32).collect();
        let matrix = DMatrix::from_dense_vec(single, 1, row.len()).map_err(backend)?;
        let found = self.0.predict_contribs(&matrix, Iterations::Best).map_err(backend)?;
        Ok(found.get(0, 0).unwrap_or_default().iter().map(|v| f64::from(*v)).collect())
    }

    /// With leaves and thresholds rounded to so many steps: leaves evenly, thresholds to the quantiles of
    /// those of their column. Rounding keeps order, and with it directions.
    pub(crate) fn quantised(&self, steps: usize) -> Result<Self, Error> {
        let nodes = || self.0.trees().iter().flat_map(|tree| tree.nodes());
        let leaves: Vec<f32> = nodes().filter(|n| n.is_leaf()).map(|n| n.leaf_value).collect();
        let (low, high) = leaves.iter().fold((f32::MAX, f32::MIN), |(l, h), v| (l.min(*v), h.max(*v)));
        let step = (high - low) / (steps - 1) as f32;
        let leaf = |v: f32| if step > 0.0 { low + ((v - low) / step).round() * step } else { v };
        let mut thresholds = vec![Vec::new(); self.width()];
        for node in nodes().filter(|n| !n.is_leaf() && !n.is_categorical) {
            thresholds[node.split_feature as usize].push(node.split_cond);
        }
        for column in &mut thresholds {
            column.sort_unstable_by(f32::total_cmp);
            let last = column.len().saturating_sub(1);
            if column.len() > steps {
                *column = (0..steps).map(|i| column[last * i / (steps - 1)]).collect();
            }
            column.dedup();
        }
        let threshold = |column: usize, v: f32| {
            let known = &thresholds[column];
            let above = known.partition_point(|t| *t < v).min(known.len() - 1);
            let below = above.saturating_sub(1);
            if v - known[below] < known[above] - v { known[below] } else { known[above] }
        };
        let mut saved = serde_json::to_value(self).map_err(|e| broken(&e))?;
        for_each_node(&mut saved, &mut |node| {
            let number = |name: &str| node.get(name).and_then(serde_json::Value::as_f64);
            let categorical = node.get("is_categorical") == Some(&serde_json::Value::Bool(true));
            let (Some(left), Some(column)) = (number("left"), number("split_feature")) else { return };
            if left < 0.0 {
                if let Some(value) = number("leaf_value") {
                    node.insert("leaf_value".into(), leaf(value as f32).into());
                }
            } else if let Some(value) = number("split_cond").filter(|_| !categorical) {
                node.insert("split_cond".into(), threshold(column as usize, value as f32).into());
            }
        });
        serde_json::from_value(saved).map_err(|e| broken(&e))
    }

    /// Each column's share of what the splits gained.
    pub(crate) fn importance(&self) -> Vec<f64> {
        let gains = self.0.feature_importance(ImportanceType::TotalGain);
        let total: f64 = gains.values().sum();
        (0..self.width()).map(|c| gains.get(&c).map_or(0.0, |gain| gain / total)).collect()
    }
}

fn broken(error: &serde_json::Error) -> Error {
    Error::Backend { model: NAME, source: error.to_string().into() }
}

/// Hands over each node in the engine's saved form, whose fields are named like those of its `Node`.
fn for_each_node(
    value: &mut serde_json::Value,
    each: &mut impl FnMut(&mut serde_json::Map<String, serde_json::Value>),
) {
    match value {
        serde_json::Value::Object(map) if map.contains_key("split_cond") => each(map),
        serde_json::Value::Object(map) => map.values_mut().for_each(|v| for_each_node(v, each)),
        serde_json::Value::Array(items) => items.iter_mut().for_each(|v| for_each_node(v, each)),
        _ => {}
    }
}

/// Rows as the engine wants them; `kinds` says which columns are categories, if any.
fn matrix(rows: &Rows<'_>, kinds: &[FeatureType]) -> Result<DMatrix, Error> {
    // It works in single precision.
    let narrow = |column: &str, row: usize, value: f64| {
        let single = value as f32;
        // NaN is what is missing: `Rows` lets it through only where the caller said so.
        if !single.is_infinite() {
            return Ok(single);
        }
        let column = column.to_owned();
        Err(Error::Cell { row, column, given: value, allowed: "finite in single precision" })
    };
    let names = rows.features().names();
    let data = rows.features().as_slice().iter().enumerate();
    let data = data.map(|(i, v)| narrow(&names[i % names.len()], i / names.len(), *v));
    let data = data.collect::<Result<Vec<f32>, _>>()?;
    let labels = rows.target().iter().enumerate().map(|(row, y)| narrow("target", row, *y));
    let labels = labels.collect::<Result<Vec<f32>, _>>()?;
    let matrix = DMatrix::from_dense_vec(data, rows.len(), names.len()).map_err(backend)?;
    let mut matrix = matrix.with_labels(&labels).map_err(backend)?;
    if !kinds.is_empty() {
        matrix = matrix.with_feature_types(kinds).map_err(backend)?;
    }
    match rows.weights() {
        None => Ok(matrix),
        Some(weights) => {
            let weights = weights.iter().enumerate().map(|(row, w)| narrow("weight", row, *w));
            matrix.with_weights(&weights.collect::<Result<Vec<f32>, _>>()?).map_err(backend)
        }
    }
}

/// How to grow an ensemble, beside the engine's parameters.
#[derive(Default)]
pub(crate) struct Growth<'a> {
    pub rounds: usize,
    /// Whether rows or columns are drawn by chance.
    pub sampled: bool,
    /// Which columns are categories; empty if none is.
    pub kinds: Vec<FeatureType>,
    /// Stops when the error of these rows has not come down for so many rounds.
    pub watched: Option<(&'a Rows<'a>, NonZeroUsize)>,
    /// What to grow on from.
    pub from: Option<&'a Ensemble>,
}

/// Grows an ensemble. The context's thread count and seed decide nothing but time and chance.
pub(crate) fn grow(
    params: TrainingParamsBuilder,
    rows: &Rows<'_>,
    growth: &Growth<'_>,
    cx: &Context<'_>,
) -> Result<Ensemble, Error> {
    cx.check()?;
    // What is drawn then hangs on the rows and not on their order. (Sums do not, but for last digits.)
    let sorted = if growth.sampled { Some(Chosen::of(rows, &canonical_order(rows))?) } else { None };
    let sorted = sorted.as_ref().map(Chosen::rows).transpose()?;
    let rows = sorted.as_ref().unwrap_or(rows);
    let params = params
        .tree_method(TreeMethod::Hist)
        .nthread(cx.thread_count())
        .seed(cx.seed_value())
        .build()
        .map_err(backend)?;
    let data = matrix(rows, &growth.kinds)?;
    let watched = growth.watched.map(|(rows, _)| matrix(rows, &growth.kinds)).transpose()?;
    let mut trainer = Trainer::new(&params, &data, growth.rounds)
        .on_round(|_| if cx.check().is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) });
    if let (Some(watched), Some((_, patience))) = (&watched, growth.watched) {
        trainer = trainer.eval(watched, "watched").early_stopping_rounds(patience);
    }
    if let Some(from) = growth.from {
        trainer = trainer.init_model(&from.0);
    }
    let model = trainer.train().map_err(backend)?.model;
    cx.check()?;
    Ok(Ensemble(match model.best_iteration().filter(|_| watched.is_some()) {
        Some(best) => model.slice(..=best, 1).map_err(backend)?,
        None => model,
    }))
}

pub(crate) fn backend(source: HessboostError) -> Error {
    Error::Backend { model: NAME, source: Box::new(source) }
}

impl Serialize for Ensemble {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let bytes = self.0.encode(ModelFormat::Json).map_err(serde::ser::Error::custom)?;
        let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(serde::ser::Error::custom)?;
        value.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Ensemble {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(from)?;
        let decoded = BoostedModel::decode(value.to_string().as_bytes(), ModelFormat::Json);
        decoded.map(Self).map_err(serde::de::Error::custom)
    }
}
