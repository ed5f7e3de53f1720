//! Quantile regression by an interior-point method.

use clv_core::learn::{Learned, Regress, Rows};
use clv_core::{Context, Error, Warning};

use crate::Line;
use crate::columns::Standardised;
use crate::solve::solve_positive;

const NAME: &str = "quantile";

/// Settings of linear quantile regression (Koenker and Bassett 1978): the line with the smallest
///
/// ```text
/// Σ w ρ(y − b₀ − b·x),  ρ(u) = u (τ − 1{u < 0})
/// ```
///
/// so that a share `τ` of the rows lies below it. `τ = ½` is the line of medians. Solved exactly, as a
/// linear programme, by Portnoy and Koenker's Frisch–Newton method ("The Gaussian hare and the Laplacian
/// tortoise", Statistical Science 12, 1997).
///
/// ```
/// use clv_core::learn::{Regress, Rows};
/// use clv_core::{Context, FeatureMatrix};
/// use clv_linear::QuantileRegression;
///
/// // One wild row moves a mean, and leaves the median alone.
/// let columns = FeatureMatrix::new(vec!["visits".into()], vec![1.0, 2.0, 3.0, 4.0, 5.0])?;
/// let rows = Rows::new(&columns, &[2.0, 4.0, 6.0, 8.0, 1000.0])?;
/// let line = QuantileRegression::new(0.5)?.regress(&rows, &Context::default())?.model;
/// assert!(line.intercept().abs() < 1e-5 && (line.slopes()[0] - 2.0).abs() < 1e-5);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QuantileRegression {
    level: f64,
}

impl QuantileRegression {
    /// The quantile of level `τ`.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is above 0 and below 1.
    pub fn new(level: f64) -> Result<Self, Error> {
        if level > 0.0 && level < 1.0 {
            Ok(Self { level })
        } else {
            Err(Error::Setting { name: "level", given: level, allowed: "above 0, below 1" })
        }
    }
}

impl Regress for QuantileRegression {
    type Model = Line;

    fn regress(&self, rows: &Rows<'_>, cx: &Context<'_>) -> Result<Learned<Line>, Error> {
        let columns = Standardised::of(rows, true)?;
        let mut warnings = columns.warning(rows);
        // Targets of the size of 1, so that one tolerance fits all.
        let size = rows.target().iter().fold(0.0, |a: f64, y| a.max(y.abs())).max(f64::MIN_POSITIVE);
        let programme = Programme::of(rows, &columns, size, self.level);
        let (line, closed) = programme.solve(cx)?;
        if !closed {
            warnings.push(Warning::NotConverged { gradient: programme.imbalance(&line) });
        }
        let line: Vec<f64> = line.iter().map(|b| b * size).collect();
        let (intercept, slopes) = columns.back(line[0], &line[1..]);
        Ok(Learned { model: Line::new(intercept, slopes, NAME)?, warnings })
    }
}

/// The dual of quantile regression, in the standard form of Portnoy and Koenker: over one `a` a row,
///
/// ```text
/// max Σ a y   subject to   X'a = (1 − τ) X'w,   0 ≤ a ≤ w
/// ```
///
/// whose multipliers are the line.
struct Programme {
    /// Row by row, 1 first.
    x: Vec<f64>,
    y: Vec<f64>,
    w: Vec<f64>,
    width: usize,
    level: f64,
}

impl Programme {
    fn of(rows: &Rows<'_>, columns: &Standardised, size: f64, level: f64) -> Self {
        let (p, width) = (columns.kept.len(), columns.kept.len() + 1);
        let (mut x, mut y, mut w) = (Vec::new(), Vec::new(), Vec::new());
        let mean = rows.total_weight() / rows.len() as f64;
        for row in (0..rows.len()).filter(|&r| rows.weight(r) > 0.0) {
            x.push(1.0);
            x.extend(&columns.data[row * p..(row + 1) * p]);
            y.push(rows.target()[row] / size);
            w.push(rows.weight(row) / mean);
        }
        Self { x, y, w, width, level }
    }

    fn row(&self, i: usize) -> &[f64] {
        &self.x[i * self.width..(i + 1) * self.width]
    }

    fn residual(&self, line: &[f64], i: usize) -> f64 {
        self.y[i] - self.row(i).iter().zip(line).map(|(x, b)| x * b).sum::<f64>()
    }

    /// `X' diag(q) X`.
    fn normal(&self, q: &[f64]) -> Vec<f64> {
        let k = self.width;
        let mut matrix = vec![0.0; k * k];
        for (i, q) in q.iter().enumerate() {
            let row = self.row(i);
            for a in 0..k {
                let scaled = q * row[a];
                for b in 0..=a {
                    matrix[a * k + b] += scaled * row[b];
                }
            }
        }
        for a in 0..k {
            for b in 0..a {
                matrix[b * k + a] = matrix[a * k + b];
            }
        }
        matrix
    }

    /// `X'f`.
    fn sums(&self, f: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut sums = vec![0.0; self.width];
        for i in 0..self.y.len() {
            let f = f(i);
            sums.iter_mut().zip(self.row(i)).for_each(|(sum, x)| *sum += f * x);
        }
        sums
    }

    /// How far the rows below a line are from their share, by the column where that is most: the
    /// subgradient of the loss, per row.
    fn imbalance(&self, line: &[f64]) -> f64 {
        let share = |i| if self.residual(line, i) > 0.0 { self.level } else { self.level - 1.0 };
        let pull = self.sums(|i| self.w[i] * share(i));
        pull.iter().fold(0.0, |a: f64, p| a.max(p.abs())) / self.y.len() as f64
    }

    /// The line, and whether the gap between the programme and its dual closed.
    fn solve(&self, cx: &Context<'_>) -> Result<(Vec<f64>, bool), Error> {
        const STEPS: usize = 200;
        /// How near to the boundary a step may go.
        const BACK: f64 = 0.99995;
        /// Of the loss per row, in units of the largest target.
        const CLOSED: f64 = 1e-11;

        let n = self.y.len();
        let total: f64 = self.w.iter().sum();
        let mut a: Vec<f64> = self.w.iter().map(|w| (1.0 - self.level) * w).collect();
        let mut s: Vec<f64> = self.w.iter().zip(&a).map(|(w, a)| w - a).collect();
        let mut line = solve_positive(&self.normal(&vec![1.0; n]), &self.sums(|i| self.y[i]));
        // z ≥ 0 lies below the line, v ≥ 0 above: z − v = Xb − y.
        let below: Vec<f64> = (0..n).map(|i| -self.residual(&line, i)).collect();
        let mut z: Vec<f64> = below.iter().map(|r| r.max(0.0) + 1e-3).collect();
        let mut v: Vec<f64> = z.iter().zip(&below).map(|(z, r)| z - r).collect();
        for _ in 0..STEPS {
            cx.check()?;
            let gap: f64 = (0..n).map(|i| z[i] * a[i] + v[i] * s[i]).sum();
            if !gap.is_finite() {
                return Err(Error::NoEstimate { model: NAME, why: "the search left what numbers can hold" });
            }
            if gap <= CLOSED * total {
                return Ok((line, true));
            }
            let q: Vec<f64> = (0..n).map(|i| 1.0 / (z[i] / a[i] + v[i] / s[i])).collect();
            let r: Vec<f64> = (0..n).map(|i| z[i] - v[i]).collect();
            let matrix = self.normal(&q);
            // With what rounding owes the constraint, mended with each step.
            let affine = self.sums(|i| q[i] * r[i] + (1.0 - self.level) * self.w[i] - a[i]);
            let direction = |right: &[f64], extra: &dyn Fn(usize) -> f64| {
                let dy = solve_positive(&matrix, right);
                let da: Vec<f64> = (0..n)
                    .map(|i| {
                        let along: f64 = self.row(i).iter().zip(&dy).map(|(x, d)| x * d).sum();
                        q[i] * (along - r[i] + extra(i))
                    })
                    .collect();
                (dy, da)
            };
            let (mut dy, mut da) = direction(&affine, &|_| 0.0);
            let mut dz: Vec<f64> = (0..n).map(|i| -z[i] * (1.0 + da[i] / a[i])).collect();
            let mut dv: Vec<f64> = (0..n).map(|i| -v[i] * (1.0 - da[i] / s[i])).collect();
            let reach = |da: &[f64], dz: &[f64], dv: &[f64]| {
                let (mut primal, mut dual) = (f64::INFINITY, f64::INFINITY);
                for i in 0..n {
                    if da[i] < 0.0 {
                        primal = primal.min(-a[i] / da[i]);
                    }
                    if da[i] > 0.0 {
                        primal = primal.min(s[i] / da[i]);
                    }
                    if dz[i] < 0.0 {
                        dual = dual.min(-z[i] / dz[i]);
                    }
                    if dv[i] < 0.0 {
                        dual = dual.min(-v[i] / dv[i]);
                    }
                }
                ((BACK * primal).min(1.0), (BACK * dual).min(1.0))
            };
            let (mut primal, mut dual) = reach(&da, &dz, &dv);
            if primal.min(dual) < 1.0 {
                // Mehrotra's corrector: towards the centre, by as much as the plain step would miss it.
                let after: f64 = (0..n)
                    .map(|i| {
                        (z[i] + dual * dz[i]) * (a[i] + primal * da[i])
                            + (v[i] + dual * dv[i]) * (s[i] - primal * da[i])
                    })
                    .sum();
                let mu = gap * (after / gap).powi(3) / (2 * n) as f64;
                let (cz, cv): (Vec<f64>, Vec<f64>) = (0..n).map(|i| (da[i] * dz[i], -da[i] * dv[i])).unzip();
                let extra = |i: usize| (mu - cz[i]) / a[i] - (mu - cv[i]) / s[i];
                let moved = self.sums(|i| q[i] * extra(i));
                let right: Vec<f64> = affine.iter().zip(&moved).map(|(a, m)| a - m).collect();
                (dy, da) = direction(&right, &extra);
                dz = (0..n).map(|i| (mu - cz[i] - z[i] * da[i]) / a[i] - z[i]).collect();
                dv = (0..n).map(|i| (mu - cv[i] + v[i] * da[i]) / s[i] - v[i]).collect();
                (primal, dual) = reach(&da, &dz, &dv);
            }
            for i in 0..n {
                a[i] += primal * da[i];
                s[i] -= primal * da[i];
                z[i] += dual * dz[i];
                v[i] += dual * dv[i];
            }
            // The multipliers of −X are minus the line.
            line.iter_mut().zip(&dy).for_each(|(b, d)| *b -= dual * d);
        }
        Ok((line, false))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clv_core::FeatureMatrix;
    use clv_core::learn::Regression;

    fn pinball(line: &Line, columns: &FeatureMatrix, target: &[f64], level: f64) -> f64 {
        let found = line.predict(columns).unwrap();
        let loss = |u: f64| if u > 0.0 { level * u } else { (level - 1.0) * u };
        found.iter().zip(target).map(|(f, y)| loss(y - f)).sum::<f64>()
    }

    #[test]
    fn no_line_nearby_is_better() {
        let number = |i: u32| f64::from(i);
        let columns = (0..300).flat_map(|i| [number(i * 37 % 101), number(i * 53 % 97) * 1e3]).collect();
        let columns = FeatureMatrix::new(vec!["a".into(), "b".into()], columns).unwrap();
        let target: Vec<f64> =
            (0..300).map(|i| number(i * 7919 % 211) * (1.0 + number(i * 37 % 101))).collect();
        let rows = Rows::new(&columns, &target).unwrap();
        for level in [0.01, 0.1, 0.5, 0.9, 0.99] {
            let learned =
                QuantileRegression::new(level).unwrap().regress(&rows, &Context::default()).unwrap();
            assert!(learned.warnings.is_empty(), "{:?}", learned.warnings);
            let line = learned.model;
            let least = pinball(&line, &columns, &target, level);
            for (by, which) in [(1.0, 0), (0.1, 1), (1e-4, 2)] {
                for sign in [-1.0, 1.0] {
                    let (mut intercept, mut slopes) = (line.intercept(), line.slopes().to_vec());
                    if which == 0 {
                        intercept += sign * by
                    } else {
                        slopes[which - 1] += sign * by
                    }
                    let other = Line::new(intercept, slopes, NAME).unwrap();
                    assert!(pinball(&other, &columns, &target, level) >= least, "{level}");
                }
            }
            let found = line.predict(&columns).unwrap();
            let below = found.iter().zip(&target).filter(|(f, y)| **y < **f - 1e-6).count() as f64 / 300.0;
            let upto = found.iter().zip(&target).filter(|(f, y)| **y <= **f + 1e-6).count() as f64 / 300.0;
            assert!(below <= level && level <= upto, "{level}: {below} {upto}");
        }
    }

    #[test]
    fn a_weight_is_the_row_as_often_and_zeros_are_no_trouble() {
        let once = FeatureMatrix::new(vec!["x".into()], vec![1.0, 2.0, 4.0, 5.0]).unwrap();
        let twice = FeatureMatrix::new(vec!["x".into()], vec![1.0, 2.0, 2.0, 2.0, 4.0, 5.0]).unwrap();
        let (y, yy) = ([1.0, 7.0, 3.0, 9.0], [1.0, 7.0, 7.0, 7.0, 3.0, 9.0]);
        let weights = [1.0, 3.0, 1.0, 1.0];
        let cx = Context::default();
        let median = QuantileRegression::new(0.6).unwrap();
        let a =
            median.regress(&Rows::new(&once, &y).unwrap().weighted(&weights).unwrap(), &cx).unwrap().model;
        let b = median.regress(&Rows::new(&twice, &yy).unwrap(), &cx).unwrap().model;
        assert!((a.intercept() - b.intercept()).abs() < 1e-4 && (a.slopes()[0] - b.slopes()[0]).abs() < 1e-4);
        // Most do not buy: the median is 0 throughout.
        let columns = FeatureMatrix::new(vec!["x".into()], (0..100).map(f64::from).collect()).unwrap();
        let target: Vec<f64> = (0..100).map(|i| if i % 3 == 0 { f64::from(i) } else { 0.0 }).collect();
        let zero = QuantileRegression::new(0.5).unwrap();
        let line = zero.regress(&Rows::new(&columns, &target).unwrap(), &cx).unwrap().model;
        assert!(line.predict(&columns).unwrap().iter().all(|p| p.abs() < 1e-6));
        assert!(QuantileRegression::new(0.0).is_err() && QuantileRegression::new(f64::NAN).is_err());
    }
}
