//! Likelihoods of customers whose parameters are moved by covariates.

use std::borrow::Cow;

use clv_core::model::{Estimate, FitReport};
use clv_core::{Cells, Warning};
use clv_math::minimise::Derivatives;

use crate::search::Coordinate;

/// A coefficient: `ln θ_p` moves by `e γ z` for each `(p, e)`.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Effect {
    pub label: String,
    /// Which of the terms `z` is.
    pub term: usize,
    pub on: Vec<(usize, f64)>,
    pub penalty: f64,
}

/// Coefficients over so many parameters.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Design {
    pub parameters: usize,
    pub effects: Vec<Effect>,
    /// Of each term what is taken off it and what it is divided by, within the search.
    pub scaling: Vec<(f64, f64)>,
}

/// Customers by their covariates.
#[derive(Clone, Debug, Default)]
pub struct Groups {
    /// The terms, row by row, one row a group.
    pub rows: Vec<f64>,
    pub terms: usize,
    /// Where each group's cells begin, and where the last ends.
    pub starts: Vec<usize>,
    pub cells: Cells,
}

impl Groups {
    /// The cells of customers, each with a row of terms.
    pub(crate) fn of(who: impl Iterator<Item = (u32, f64, f64, Vec<f64>)>, terms: usize) -> Self {
        // Numbers in their own order, whatever the order of the customers.
        let bits = |z: &f64| {
            let bits = (z + 0.0).to_bits() as i64;
            bits ^ (((bits >> 63) as u64) >> 1) as i64
        };
        let mut all: Vec<_> = who
            .map(|(x, t_x, age, row)| (row.iter().map(bits).collect::<Vec<_>>(), x, t_x, age, row))
            .collect();
        all.sort_by(|a, b| {
            (&a.0, a.1, a.2.to_bits(), a.3.to_bits()).cmp(&(&b.0, b.1, b.2.to_bits(), b.3.to_bits()))
        });
        let mut groups = Self { terms, ..Self::default() };
        let mut last: Option<&Vec<i64>> = None;
        for (key, x, t_x, age, row) in &all {
            if last != Some(key) {
                groups.starts.push(groups.cells.len());
                groups.rows.extend(row);
                last = Some(key);
            } else if is_last(&groups.cells, *x, *t_x, *age) {
                groups.cells.weight.last_mut().into_iter().for_each(|weight| *weight += 1.0);
                continue;
            }
            groups.cells.push(*x, *t_x, *age, 1.0);
        }
        groups.starts.push(groups.cells.len());
        groups
    }

    /// Rows with weights, of no customer: what a scale is learned from.
    pub(crate) fn weighed<'a>(rows: impl Iterator<Item = (f64, &'a [f64])>, terms: usize) -> Self {
        let mut groups = Self { terms, ..Self::default() };
        for (weight, row) in rows {
            groups.starts.push(groups.cells.len());
            groups.rows.extend(row);
            groups.cells.push(0, 0.0, 0.0, weight);
        }
        groups.starts.push(groups.cells.len());
        groups
    }

    pub(crate) fn len(&self) -> usize {
        self.starts.len().saturating_sub(1)
    }

    pub(crate) fn row(&self, group: usize) -> &[f64] {
        &self.rows[group * self.terms..(group + 1) * self.terms]
    }

    fn weight(&self, group: usize) -> f64 {
        self.cells.weight[self.starts[group]..self.starts[group + 1]].iter().sum()
    }

    /// Every `step`-th cell, for a first rough fit.
    pub(crate) fn thinned(&self, step: usize) -> Self {
        let mut thin = Self { terms: self.terms, ..Self::default() };
        for group in 0..self.len() {
            let some: Vec<usize> =
                (self.starts[group]..self.starts[group + 1]).filter(|i| i % step == step / 2).collect();
            if some.is_empty() {
                continue;
            }
            thin.starts.push(thin.cells.len());
            thin.rows.extend(self.row(group));
            for i in some {
                let Cells { frequency, recency, age, weight } = &self.cells;
                thin.cells.push(frequency[i], recency[i], age[i], weight[i]);
            }
        }
        thin.starts.push(thin.cells.len());
        thin
    }

    /// A group's cells, into a place that is used again.
    pub(crate) fn copy(&self, group: usize, to: &mut Cells) {
        to.clear();
        let Cells { frequency, recency, age, weight } = &self.cells;
        for i in self.starts[group]..self.starts[group + 1] {
            to.push(frequency[i], recency[i], age[i], weight[i]);
        }
    }
}

fn is_last(cells: &Cells, x: u32, t_x: f64, age: f64) -> bool {
    let last = (cells.frequency.last(), cells.recency.last(), cells.age.last());
    last == (Some(&x), Some(&t_x), Some(&age))
}

impl Design {
    /// Mean and standard deviation of each term among the customers.
    pub(crate) fn scales(groups: &Groups) -> Vec<(f64, f64)> {
        let customers = groups.cells.customers();
        let sum = |f: &dyn Fn(&[f64]) -> f64| {
            (0..groups.len()).map(|g| groups.weight(g) * f(groups.row(g))).sum::<f64>() / customers
        };
        let one = |term: usize| {
            let mean = sum(&|row| row[term]);
            let deviation = sum(&|row| (row[term] - mean).powi(2)).sqrt();
            // What varies by less than rounding does not vary.
            (mean, if deviation > 1e-12 * mean.abs() { deviation } else { f64::INFINITY })
        };
        (0..groups.terms).map(one).collect()
    }

    /// A term within the search.
    fn scaled(&self, term: usize, row: &[f64]) -> f64 {
        let (centre, scale) = self.scaling[term];
        (row[term] - centre) / scale
    }

    /// A customer's parameters.
    pub(crate) fn moved(&self, values: &[f64], row: &[f64], out: &mut [f64]) {
        out.copy_from_slice(&values[..self.parameters]);
        for (effect, coefficient) in self.effects.iter().zip(&values[self.parameters..]) {
            for &(p, power) in &effect.on {
                out[p] *= (power * coefficient * self.scaled(effect.term, row)).exp();
            }
        }
    }

    /// Log-likelihood of all groups with derivatives in parameters and coefficients, of that of a group in its parameters.
    pub(crate) fn derivatives(
        &self,
        values: &[f64],
        groups: &Groups,
        mut of: impl FnMut(usize, &[f64]) -> Option<Derivatives>,
    ) -> Option<Derivatives> {
        let (p, n) = (self.parameters, self.parameters + self.effects.len());
        let (mut value, mut gradient, mut hessian) = (0.0, vec![0.0; n], vec![0.0; n * n]);
        let mut own = vec![0.0; p];
        // By how much the logarithm of each parameter moves with each coefficient, and the bend along it.
        let (mut by, mut bend) = (vec![0.0; (n - p) * p], vec![0.0; (n - p) * p]);
        let (mut slope, mut curve) = (vec![0.0; p], vec![0.0; p * p]);
        for group in 0..groups.len() {
            let row = groups.row(group);
            self.moved(values, row, &mut own);
            let one = of(group, &own)?;
            value += one.value;
            // In the logarithms of the parameters everything is linear.
            for i in 0..p {
                slope[i] = own[i] * one.gradient[i];
                for j in 0..p {
                    curve[i * p + j] = own[i] * own[j] * one.hessian[i * p + j];
                }
                curve[i * p + i] += slope[i];
            }
            by.fill(0.0);
            for (c, effect) in self.effects.iter().enumerate() {
                for &(i, power) in &effect.on {
                    by[c * p + i] += power * self.scaled(effect.term, row);
                }
            }
            for i in 0..p {
                gradient[i] += slope[i];
                for j in 0..p {
                    hessian[i * n + j] += curve[i * p + j];
                }
            }
            for c in 0..n - p {
                for i in 0..p {
                    gradient[p + c] += by[c * p + i] * slope[i];
                    let along: f64 = (0..p).map(|j| curve[i * p + j] * by[c * p + j]).sum();
                    bend[c * p + i] = along;
                    hessian[i * n + p + c] += along;
                }
                for d in 0..=c {
                    hessian[(p + c) * n + p + d] +=
                        (0..p).map(|i| by[c * p + i] * bend[d * p + i]).sum::<f64>();
                }
            }
        }
        for c in p..n {
            for d in 0..n {
                hessian[c * n + d] = if d <= c && d >= p { hessian[c * n + d] } else { hessian[d * n + c] };
            }
        }
        // Back to the parameters themselves.
        for i in 0..p {
            hessian[i * n + i] -= gradient[i];
        }
        for i in 0..n {
            for j in 0..n {
                let scale = |k: usize| if k < p { values[k] } else { 1.0 };
                hessian[i * n + j] /= scale(i) * scale(j);
            }
        }
        for i in 0..p {
            gradient[i] /= values[i];
        }
        Some(Derivatives { value, gradient, hessian })
    }

    /// The coefficients of the search, those of terms that say nothing of their own held at 0; the penalty is on what is
    /// reported, standardized or not.
    pub(crate) fn coordinates(&self, idle: &[bool], standardized: bool) -> Vec<Coordinate> {
        let of = |effect: &Effect| Coordinate {
            name: Cow::Owned(effect.label.clone()),
            at_edge: "the column tells some customers from the others entirely; leave it out or add a penalty",
            is_positive: false,
            centre: 0.0,
            penalty: if standardized {
                effect.penalty
            } else {
                effect.penalty / self.scaling[effect.term].1.powi(2)
            },
            held: None,
        };
        let held =
            |(coordinate, &idle): (Coordinate, &bool)| Coordinate { held: idle.then_some(0.0), ..coordinate };
        self.effects.iter().map(of).zip(idle).map(held).collect()
    }

    /// Which coefficients say nothing beside those before them that act upon the same.
    pub(crate) fn idle(&self, groups: &Groups) -> Vec<bool> {
        let mut idle = vec![false; self.effects.len()];
        let root = |g: usize| groups.weight(g).sqrt();
        let customers = groups.cells.customers();
        let mut bases: Vec<(usize, Vec<f64>)> = Vec::new();
        for (c, effect) in self.effects.iter().enumerate() {
            if self.scaling[effect.term].1.is_infinite() {
                idle[c] = true;
                continue;
            }
            let column = |g: usize| root(g) * self.scaled(effect.term, groups.row(g));
            let mut rest: Vec<f64> = (0..groups.len()).map(column).collect();
            for (of, base) in &bases {
                if self.effects[*of].on == effect.on {
                    let along: f64 = rest.iter().zip(base).map(|(a, b)| a * b).sum();
                    rest.iter_mut().zip(base).for_each(|(a, b)| *a -= along * b);
                }
            }
            let length = rest.iter().map(|a| a * a).sum::<f64>().sqrt();
            if length <= 1e-7 * customers.sqrt() {
                idle[c] = true;
                continue;
            }
            rest.iter_mut().for_each(|a| *a /= length);
            bases.push((c, rest));
        }
        idle
    }

    /// Tells the columns that say nothing beside the others, if there are any.
    pub(crate) fn collinear(&self, idle: &[bool]) -> Option<Warning> {
        let columns: Vec<String> =
            self.effects.iter().zip(idle).filter(|(_, idle)| **idle).map(|(e, _)| e.label.clone()).collect();
        (!columns.is_empty()).then_some(Warning::Collinear { columns })
    }

    /// A column that does not change has no scale, and no coefficient that would need one.
    pub(crate) fn keep_finite_scales(&mut self) {
        for (centre, scale) in &mut self.scaling {
            if !scale.is_finite() {
                (*centre, *scale) = (0.0, 1.0);
            }
        }
    }

    /// Log-likelihood of all groups, of that of a group.
    pub(crate) fn value(
        &self,
        values: &[f64],
        groups: &Groups,
        mut of: impl FnMut(usize, &[f64]) -> Option<f64>,
    ) -> Option<f64> {
        let mut own = vec![0.0; self.parameters];
        let mut total = 0.0;
        for group in 0..groups.len() {
            self.moved(values, groups.row(group), &mut own);
            total += of(group, &own)?;
        }
        Some(total)
    }

    /// `ln θ = ln θ' − Σ e γ' m/s` and `γ = γ'/s`, which is linear in `(ln θ', γ')`.
    fn map(&self) -> Vec<f64> {
        let p = self.parameters;
        let n = p + self.effects.len();
        let mut map = vec![0.0; n * n];
        for i in 0..n {
            map[i * n + i] = 1.0;
        }
        for (c, effect) in self.effects.iter().enumerate() {
            let (centre, scale) = self.scaling[effect.term];
            map[(p + c) * n + p + c] = 1.0 / scale;
            for &(i, power) in &effect.on {
                map[i * n + p + c] -= power * centre / scale;
            }
        }
        map
    }

    /// Values in the terms' own units on the scale of the search: [`Design::unscale_values`] backwards.
    pub(crate) fn scale_values(&self, values: &[f64]) -> Vec<f64> {
        let mut scaled = values.to_vec();
        for (effect, place) in self.effects.iter().zip(self.parameters..) {
            let (centre, scale) = self.scaling[effect.term];
            for &(i, power) in effect.on.iter().filter(|_| values[place] * centre != 0.0) {
                scaled[i] *= (power * values[place] * centre).exp();
            }
            // A column that does not change has no coefficient.
            scaled[place] = if scale.is_finite() { values[place] * scale } else { 0.0 };
        }
        scaled
    }

    /// Values of the search in the terms' own units.
    pub(crate) fn unscale_values(&self, values: &mut [f64]) {
        let (p, n, map) = (self.parameters, values.len(), self.map());
        let old: Vec<f64> = values.to_vec();
        let line = |k: usize, values: &[f64]| if k < p { values[k].ln() } else { values[k] };
        for i in 0..n {
            let to: f64 = (0..n).map(|j| map[i * n + j] * line(j, &old)).filter(|v| *v != 0.0).sum();
            // What nothing moves stays to the last bit: k is a whole number.
            let stays = (0..n).all(|j| map[i * n + j] == f64::from(u8::from(i == j)));
            if !stays {
                values[i] = if i < p { to.exp() } else { to };
            }
        }
    }

    /// Values and report of the search in the terms' own units.
    pub(crate) fn unscale(&self, values: &mut [f64], report: &mut FitReport) {
        let (p, n, map) = (self.parameters, values.len(), self.map());
        let old: Vec<f64> = values.to_vec();
        self.unscale_values(values);
        let free: Vec<usize> = (0..n).filter(|&i| !report.parameters[i].fixed).collect();
        let f = free.len();
        let slope = |k: usize, values: &[f64]| if k < p { values[k] } else { 1.0 };
        if let Some(covariance) = &mut report.covariance {
            // J C Jᵀ with J the map between logarithms, on the natural scale on either side.
            let jacobian: Vec<f64> = (0..f * f)
                .map(|e| {
                    let (i, j) = (free[e / f], free[e % f]);
                    slope(i, values) * map[i * n + j] / slope(j, &old)
                })
                .collect();
            let mut half = vec![0.0; f * f];
            let mut moved = vec![0.0; f * f];
            for i in 0..f {
                for j in 0..f {
                    half[i * f + j] = (0..f).map(|k| jacobian[i * f + k] * covariance[k * f + j]).sum();
                }
            }
            for i in 0..f {
                for j in 0..f {
                    moved[i * f + j] = (0..f).map(|k| half[i * f + k] * jacobian[j * f + k]).sum();
                }
            }
            for (a, &i) in free.iter().enumerate() {
                report.parameters[i].standard_error = Some(moved[a * f + a].max(0.0).sqrt());
            }
            *covariance = moved;
        } else {
            // Without the covariance, only what is not mixed with others has an error of its own.
            for i in 0..n {
                let alone = (0..n).all(|j| j == i || map[i * n + j] == 0.0);
                let factor = map[i * n + i] * slope(i, values) / slope(i, &old);
                let Estimate { standard_error, .. } = &mut report.parameters[i];
                *standard_error = standard_error.filter(|_| alone).map(|e| e * factor.abs());
            }
        }
        for (estimate, &value) in report.parameters.iter_mut().zip(&*values) {
            estimate.value = value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::{Process, expect_derivatives};
    use crate::{GgomNbd, MbgNbd, ParetoNbd};

    fn groups() -> Groups {
        let who = (0..60_u32).map(|i| {
            let (x, age) = (i % 7, 20.0 + f64::from(i % 5));
            let t_x = if x == 0 { 0.0 } else { age * (0.3 + 0.1 * f64::from(i % 6)) };
            (x, t_x, age, vec![f64::from(i % 2), f64::from(i % 3) - 0.7])
        });
        Groups::of(who, 2)
    }

    fn design(on: [&[(usize, f64)]; 3], parameters: usize) -> Design {
        let effect = |(i, on): (usize, &[(usize, f64)])| Effect {
            label: String::new(),
            term: i % 2,
            on: on.to_vec(),
            penalty: 0.0,
        };
        let effects = on.into_iter().enumerate().map(effect).collect();
        Design { parameters, effects, scaling: vec![(0.4, 0.5), (0.2, 0.8)] }
    }

    fn check<P: Process>(design: &Design, values: &[f64]) {
        let groups = groups();
        let mut cells = Cells::default();
        let mut of = |values: &[f64]| {
            let one = |group: usize, own: &[f64]| {
                groups.copy(group, &mut cells);
                Some(P::from_values(own).unwrap().derivatives(&cells))
            };
            design.derivatives(values, &groups, one).unwrap()
        };
        // The sum of each customer's own.
        let mut own = vec![0.0; design.parameters];
        let mut sum = 0.0;
        for group in 0..groups.len() {
            design.moved(values, groups.row(group), &mut own);
            let process = P::from_values(&own).unwrap();
            for i in groups.starts[group]..groups.starts[group + 1] {
                let Cells { frequency, recency, age, weight } = &groups.cells;
                sum += weight[i] * process.ln_likelihood(frequency[i], recency[i], age[i]);
            }
        }
        let value = of(values).value;
        assert!((value - sum).abs() < 1e-9 * sum.abs(), "{value} {sum}");
        let of = std::cell::RefCell::new(of);
        expect_derivatives(values, 2e-5, |values| (of.borrow_mut())(values));
    }

    #[test]
    fn derivatives_in_parameters_and_coefficients() {
        let buys: &[(usize, f64)] = &[(1, -1.0)];
        check::<ParetoNbd>(
            &design([buys, &[(3, -1.0)], &[(1, -1.0), (3, -1.0)]], 4),
            &[0.6, 9.0, 0.7, 12.0, 0.4, -0.3, 0.2],
        );
        check::<MbgNbd>(&design([buys, &[(2, 1.0)], buys], 4), &[0.6, 9.0, 0.7, 2.0, 0.4, -0.3, 0.2]);
        check::<GgomNbd>(
            &design([buys, &[(4, -1.0)], &[(1, -1.0), (4, -1.0)]], 5),
            &[0.6, 9.0, 0.05, 0.7, 1.2, 0.4, -0.3, 0.2],
        );
    }

    #[test]
    fn groups_hold_every_customer_once() {
        let groups = groups();
        assert_eq!(groups.cells.customers(), 60.0);
        assert_eq!(groups.len(), 6);
        assert_eq!(groups.thinned(1).cells, groups.cells);
        assert!(groups.thinned(7).cells.len() < 12);
    }
}
