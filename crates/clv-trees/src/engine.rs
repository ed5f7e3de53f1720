//! hessboost, behind this crate's types.

use clv_core::learn::Rows;
use clv_core::{Context, Error};
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

    /// What each column adds to the forecast of a row before the link, and last the mean of all rows:
    /// SHAP values (Lundberg and Lee 2017), exact for trees.
    pub(crate) fn contributions(&self, row: &[f64]) -> Result<Vec<f64>, Error> {
        let single: Vec<f32> = row.iter().map(|v| *v as f32).collect();
        let matrix = DMatrix::from_dense_vec(single, 1, row.len()).map_err(backend)?;
        let found = self.0.predict_contribs(&matrix, Iterations::Best).map_err(backend)?;
        Ok(found.get(0, 0).unwrap_or_default().iter().map(|v| f64::from(*v)).collect())
    }

    /// Each column's share of what the splits gained.
    pub(crate) fn importance(&self) -> Vec<f64> {
        let gains = self.0.feature_importance(ImportanceType::TotalGain);
        let total: f64 = gains.values().sum();
        (0..self.width()).map(|c| gains.get(&c).map_or(0.0, |gain| gain / total)).collect()
    }
}

/// Rows as the engine wants them.
pub(crate) fn matrix(rows: &Rows<'_>) -> Result<DMatrix, Error> {
    // It works in single precision.
    let narrow = |column: &str, row: usize, value: f64| {
        let single = value as f32;
        if single.is_finite() {
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
    let matrix = matrix.with_labels(&labels).map_err(backend)?;
    match rows.weights() {
        None => Ok(matrix),
        Some(weights) => {
            let weights = weights.iter().enumerate().map(|(row, w)| narrow("weight", row, *w));
            matrix.with_weights(&weights.collect::<Result<Vec<f32>, _>>()?).map_err(backend)
        }
    }
}

/// Grows an ensemble. The context's thread count and seed decide nothing but time and chance.
pub(crate) fn grow(
    params: hessboost::config::TrainingParamsBuilder,
    rows: &Rows<'_>,
    rounds: usize,
    cx: &Context<'_>,
) -> Result<Ensemble, Error> {
    cx.check()?;
    let params = params
        .tree_method(TreeMethod::Hist)
        .nthread(cx.thread_count())
        .seed(cx.seed_value())
        .build()
        .map_err(backend)?;
    train(&params, &matrix(rows)?, rounds).map(Ensemble).map_err(backend)
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
