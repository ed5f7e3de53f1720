//! The path of the lasso.

use clv_core::learn::{Regress, Rows};
use clv_core::{Context, Error};
use clv_linear::{ElasticNet, Line};

use crate::Selection;

/// Lines from the strongest penalty, which leaves every column out, to a weak one: the order in which
/// columns come in says which are worth most beside each other (Tibshirani 1996).
///
/// ```
/// use clv_core::learn::Rows;
/// use clv_core::{Context, FeatureMatrix};
/// use clv_select::L1Path;
///
/// let row = |i: u32| [f64::from(i * 37 % 101), f64::from(i * 53 % 97)];
/// let columns = FeatureMatrix::new(vec!["a".into(), "b".into()], (0..200).flat_map(row).collect())?;
/// let target: Vec<f64> = (0..200).map(|i| 3.0 * row(i)[1] + f64::from(i % 5)).collect();
/// let path = L1Path::of(&Rows::new(&columns, &target)?, 20, &Context::default())?;
/// assert_eq!(path.select(1).kept, ["b"]);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct L1Path {
    names: Vec<String>,
    /// Penalties, falling, and the line at each.
    pub steps: Vec<(f64, Line)>,
}

impl L1Path {
    /// The path over `steps` penalties, evenly on a logarithmic scale from the least that leaves all
    /// columns out to a thousandth of it.
    ///
    /// # Errors
    ///
    /// As [`ElasticNet`]; [`Error::Setting`] for fewer than 2 steps; [`Error::NoEstimate`] if the target
    /// has nothing to do with any column.
    pub fn of(rows: &Rows<'_>, steps: usize, cx: &Context<'_>) -> Result<Self, Error> {
        if steps < 2 {
            return Err(Error::Setting { name: "steps", given: steps as f64, allowed: "at least 2" });
        }
        rows.expect_complete()?;
        let most = strongest(rows);
        if most <= 0.0 {
            return Err(Error::NoEstimate { model: "lasso path", why: "no column goes with the target" });
        }
        let mut found = Vec::with_capacity(steps);
        for step in 0..steps {
            let penalty = most * 1e-3_f64.powf(step as f64 / (steps - 1) as f64);
            found.push((penalty, ElasticNet::lasso(penalty)?.regress(rows, cx)?.model));
        }
        Ok(Self { names: rows.features().names().to_vec(), steps: found })
    }

    /// The columns in at the first penalty that lets in `count` of them or more.
    pub fn select(&self, count: usize) -> Selection {
        let inside = |line: &Line| line.slopes().iter().filter(|s| **s != 0.0).count();
        let chosen = self.steps.iter().find(|(_, line)| inside(line) >= count).or_else(|| self.steps.last());
        let mut selection = Selection { kept: Vec::new(), dropped: Vec::new() };
        for (column, name) in self.names.iter().enumerate() {
            if chosen.is_some_and(|(_, line)| line.slopes()[column] != 0.0) {
                selection.kept.push(name.clone());
                continue;
            }
            let enters = self.steps.iter().find(|(_, line)| line.slopes()[column] != 0.0);
            let why = enters.map_or_else(
                || "the lasso never lets it in".to_owned(),
                |(penalty, _)| format!("the lasso lets it in at a penalty of {penalty:.3e} only"),
            );
            selection.dropped.push((name.clone(), why));
        }
        selection
    }
}

/// The largest covariance of a standardised column with the target: above it the lasso is flat.
fn strongest(rows: &Rows<'_>) -> f64 {
    let total = rows.total_weight();
    let mean =
        |of: &dyn Fn(usize) -> f64| (0..rows.len()).map(|r| rows.weight(r) * of(r)).sum::<f64>() / total;
    let y = mean(&|r| rows.target()[r]);
    let covariance = |c: usize| {
        let x = |r: usize| rows.features().row(r)[c];
        let centre = mean(&x);
        let spread = mean(&|r| (x(r) - centre).powi(2)).sqrt();
        let with = mean(&|r| (x(r) - centre) * (rows.target()[r] - y)).abs();
        if spread > 1e-12 * centre.abs() { with / spread } else { 0.0 }
    };
    (0..rows.features().names().len()).map(covariance).fold(0.0, f64::max)
}
