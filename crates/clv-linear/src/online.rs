//! A line that learns row by row.

use clv_core::learn::{Learned, Regress, Regression, Rows};
use clv_core::model::Kind;
use clv_core::{Context, Error, setting};
use serde::{Deserialize, Serialize};

/// Settings of recursive least squares: a line that takes in one row at a time and may forget. After
/// rows `1 … n` it is the line with the smallest
///
/// ```text
/// Σ λ^(n − i) w (y − b₀ − b·x)² + λ^n δ (b₀² + Σ bⱼ²),
/// ```
///
/// without keeping the rows (Haykin, *Adaptive Filter Theory*, chapter on recursive least squares). A row costs
/// `O(p²)`.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `forgetting` `λ` | 1 | every row counts alike, in whatever order they come; below 1 later rows count more, but what no row moves is not forgotten beyond what was known at the start |
/// | `penalty` `δ` | 1e-6 | keeps the line defined before there are as many rows as columns |
///
/// With `λ < 1` the order of rows matters, as it is meant to: give them in order of time. Columns are
/// taken as they come: bring them to like scales first ([`Step::Standard`](clv_core::transform::Step::Standard)).
///
/// ```
/// use clv_core::learn::Regression;
/// use clv_linear::RecursiveLeastSquares;
///
/// let mut line = RecursiveLeastSquares::default().start(1);
/// for visits in 0..50 {
///     let x = f64::from(visits % 7);
///     line.update(&[x], 3.0 + 2.0 * x, 1.0)?;
/// }
/// assert!((line.at(&[10.0], &mut Vec::new())? - 23.0).abs() < 1e-4);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RecursiveLeastSquares {
    forgetting: f64,
    penalty: f64,
}

impl Default for RecursiveLeastSquares {
    fn default() -> Self {
        Self { forgetting: 1.0, penalty: 1e-6 }
    }
}

impl RecursiveLeastSquares {
    /// By what share each row that comes lowers the weight of those before: `.999` halves it in 693 rows.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is above 0 and at most 1.
    pub fn forgetting(self, share: f64) -> Result<Self, Error> {
        Ok(Self { forgetting: setting::some_share("forgetting", share)?, ..self })
    }

    /// Another penalty.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is above 0 and finite.
    pub fn penalty(self, penalty: f64) -> Result<Self, Error> {
        Ok(Self { penalty: setting::above_zero("penalty", penalty)?, ..self })
    }

    /// A line that has learned nothing yet and forecasts 0.
    pub fn start(&self, columns: usize) -> RecursiveLine {
        let k = columns + 1;
        let mut inverse = vec![0.0; k * k];
        (0..k).for_each(|j| inverse[j * k + j] = 1.0 / self.penalty);
        RecursiveLine {
            forgetting: self.forgetting,
            penalty: self.penalty,
            line: vec![0.0; k],
            inverse,
            rows: 0,
        }
    }
}

/// A line that learns on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecursiveLine {
    forgetting: f64,
    penalty: f64,
    /// Intercept first.
    line: Vec<f64>,
    /// Of `Σ λ^(n − i) w x x' + λ^n δ I`.
    inverse: Vec<f64>,
    rows: u64,
}

impl RecursiveLine {
    /// Learns from one more row. A row that is refused leaves the line as it was.
    ///
    /// # Errors
    ///
    /// [`Error::Length`] for a row of another width; [`Error::Cell`] for a value, target or weight that is
    /// not finite, or a weight below 0, numbered by the rows learned from so far.
    pub fn update(&mut self, row: &[f64], y: f64, weight: f64) -> Result<(), Error> {
        let k = self.line.len();
        if row.len() + 1 != k {
            return Err(Error::Length { column: "a row's columns", given: row.len(), expected: k - 1 });
        }
        let values = row.iter().enumerate().map(|(c, v)| (format!("column {c}"), *v));
        for (column, given) in values.chain([("target".to_owned(), y), ("weight".to_owned(), weight)]) {
            if !given.is_finite() || (column == "weight" && given < 0.0) {
                let allowed = "finite, and a weight at least 0";
                return Err(Error::Cell { row: self.rows as usize, column, given, allowed });
            }
        }
        let x = |j: usize| if j == 0 { 1.0 } else { row[j - 1] };
        let along: Vec<f64> = (0..k).map(|i| (0..k).map(|j| self.inverse[i * k + j] * x(j)).sum()).collect();
        let spread: f64 = (0..k).map(|j| x(j) * along[j]).sum();
        let error = y - (0..k).map(|j| self.line[j] * x(j)).sum::<f64>();
        // Where no row has said anything for long, forgetting would go on until the numbers end: it stops
        // where as little is known as at the start.
        let trace: f64 = (0..k).map(|j| self.inverse[j * k + j]).sum();
        let forgetting =
            if trace > self.forgetting * k as f64 / self.penalty { 1.0 } else { self.forgetting };
        // Sherman and Morrison's rank-one update, aside until it is known to be finite.
        let gain = weight / (forgetting + weight * spread);
        let line: Vec<f64> = (0..k).map(|i| self.line[i] + gain * along[i] * error).collect();
        let mut inverse = self.inverse.clone();
        for i in 0..k {
            for j in 0..=i {
                let value = (self.inverse[i * k + j] - gain * along[i] * along[j]) / forgetting;
                inverse[i * k + j] = value;
                inverse[j * k + i] = value;
            }
        }
        if !(spread.is_finite() && line.iter().chain(&inverse).all(|v| v.is_finite())) {
            let given = row.iter().fold(y.abs(), |largest, v| largest.max(v.abs()));
            let (column, allowed) = ("the row".to_owned(), "numbers whose squares and products are finite");
            return Err(Error::Cell { row: self.rows as usize, column, given, allowed });
        }
        (self.line, self.inverse) = (line, inverse);
        self.rows += 1;
        Ok(())
    }

    /// The value where every column is 0.
    pub fn intercept(&self) -> f64 {
        self.line[0]
    }

    /// One slope a column.
    pub fn slopes(&self) -> &[f64] {
        &self.line[1..]
    }

    /// Rows learned from.
    pub fn rows(&self) -> u64 {
        self.rows
    }
}

impl Regress for RecursiveLeastSquares {
    type Model = RecursiveLine;

    /// Takes the rows in their order.
    fn regress(&self, rows: &Rows<'_>, cx: &Context<'_>) -> Result<Learned<RecursiveLine>, Error> {
        rows.expect_complete()?;
        let mut line = self.start(rows.features().names().len());
        for (row, y) in rows.target().iter().enumerate() {
            if row % 1024 == 0 {
                cx.check()?;
            }
            line.update(rows.features().row(row), *y, rows.weight(row))?;
        }
        Ok(Learned::new(line))
    }
}

impl Regression for RecursiveLine {
    const KIND: Kind = Kind::new("recursive-line", 1);

    fn width(&self) -> usize {
        self.line.len() - 1
    }

    fn at(&self, row: &[f64], _: &mut Vec<f32>) -> Result<f64, Error> {
        Ok(self.line[0] + self.line[1..].iter().zip(row).map(|(b, x)| b * x).sum::<f64>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LinearRegression;
    use clv_core::FeatureMatrix;

    fn data() -> (FeatureMatrix, Vec<f64>, Vec<f64>) {
        let number = |i: u32| f64::from(i);
        let x = |i: u32| [number(i * 37 % 101) / 50.0, number(i * 53 % 97) / 40.0];
        let y = |i: u32| 3.0 + 2.0 * x(i)[0] - x(i)[1] + number(i * 29 % 7);
        let names = vec!["a".into(), "b".into()];
        let columns = FeatureMatrix::new(names, (0..200).flat_map(x).collect()).unwrap();
        (columns, (0..200).map(y).collect(), (0..200).map(|i| number(i % 3) + 0.5).collect())
    }

    #[test]
    fn row_by_row_comes_to_what_all_rows_at_once_give() {
        let (columns, target, weights) = data();
        let cx = Context::default();
        let rows = Rows::new(&columns, &target).unwrap().weighted(&weights).unwrap();
        let settings = RecursiveLeastSquares::default().penalty(1e-9).unwrap();
        let (one, all) = (
            settings.regress(&rows, &cx).unwrap().model,
            LinearRegression.regress(&rows, &cx).unwrap().model,
        );
        assert!((one.intercept() - all.intercept()).abs() < 1e-6);
        assert!(one.slopes().iter().zip(all.slopes()).all(|(a, b)| (a - b).abs() < 1e-6));
        // Forgetting is a weight that falls with age.
        let forgetting = settings.forgetting(0.97).unwrap();
        let aged: Vec<f64> = (0..200).map(|i| weights[i] * 0.97_f64.powi(199 - i as i32)).collect();
        let old = Rows::new(&columns, &target).unwrap().weighted(&aged).unwrap();
        let (one, all) = (
            forgetting.regress(&rows, &cx).unwrap().model,
            LinearRegression.regress(&old, &cx).unwrap().model,
        );
        assert!((one.intercept() - all.intercept()).abs() < 1e-6);
        assert!(one.slopes().iter().zip(all.slopes()).all(|(a, b)| (a - b).abs() < 1e-6));
    }

    #[test]
    fn a_refused_row_changes_nothing() {
        let (columns, target, _) = data();
        let cx = Context::default();
        let settings = RecursiveLeastSquares::default();
        let mut line = settings.regress(&Rows::new(&columns, &target).unwrap(), &cx).unwrap().model;
        let before = line.clone();
        assert!(line.update(&[1.0], 1.0, 1.0).is_err());
        assert!(line.update(&[1.0, f64::NAN], 1.0, 1.0).unwrap_err().to_string().contains("column 1"));
        assert!(line.update(&[1.0, 1.0], 1.0, -1.0).unwrap_err().to_string().contains("weight"));
        assert!(line.update(&[1e200, 1.0], 1.0, 1.0).unwrap_err().to_string().contains("finite"));
        assert_eq!(line, before);
        // A column that is never moved again is forgotten up to a point.
        let mut line = settings.forgetting(0.9).unwrap().start(2);
        for row in 0..30_000_u32 {
            let x = f64::from(row % 5);
            line.update(&[x, 0.0], 1.0 + 2.0 * x, 1.0).unwrap();
        }
        assert!((line.at(&[3.0, 0.0], &mut Vec::new()).unwrap() - 7.0).abs() < 1e-3, "{line:?}");
        assert!(settings.forgetting(1.5).is_err() && settings.penalty(0.0).is_err());
    }
}
