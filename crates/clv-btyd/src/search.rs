//! The search for the maximum of a likelihood.
//!
//! It runs over the logarithms of the free parameters with exact first and second derivatives: from
//! several starts on a sample of the data, then from the best of them on more, at last on all.

use std::borrow::Cow;

use clv_core::model::{Estimate, Progress};
use clv_core::{Context, Error, FitReport, TimeUnit, Warning};
use clv_math::curvature::Curvature;
use clv_math::minimise::{Derivatives, Minimum, Newton, StopReason, newton};

use crate::cnbd::MOST;
use crate::process::{Parameter, Scale, unknown_parameter};
use crate::refit::Near;

/// A parameter is searched from 1e-6 to 1e6 times its centre.
const SEARCHED: f64 = 1e6;
/// On the logarithmic scale a standard error above 2 (a factor of seven either way) is called flat.
const FLAT_CURVATURE: f64 = 0.25;

/// What a caller may set: penalty, fixed parameters, start.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Options {
    pub penalty: f64,
    pub fixed: Vec<(&'static str, f64)>,
    pub start: Option<Vec<f64>>,
}

impl Options {
    /// In a posterior priors take the place of a penalty.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] for one.
    pub(crate) fn expect_no_penalty(&self) -> Result<(), Error> {
        match self.penalty {
            0.0 => Ok(()),
            given => {
                let allowed = "0: in a posterior priors take its place";
                Err(Error::Setting { name: "penalty", given, allowed })
            }
        }
    }

    pub(crate) fn penalty(self, lambda: f64) -> Result<Self, Error> {
        Ok(Self { penalty: clv_core::setting::at_least_zero("penalty", lambda)?, ..self })
    }

    /// From an estimate on, holding what a profile holds.
    pub(crate) fn near(self, parameters: &[Parameter], near: Near<'_>) -> Result<Self, Error> {
        let start = Some(near.start.to_vec());
        let held = near.held.map(|(place, value)| (parameters[place].name, value));
        let one = Self { start, ..self };
        held.map_or(Ok(one.clone()), |(name, value)| one.fix(parameters, name, value))
    }

    pub(crate) fn fixed_value(&self, name: &str) -> Option<f64> {
        self.fixed.iter().find(|(fixed, _)| *fixed == name).map(|(_, value)| *value)
    }

    pub(crate) fn fix(mut self, parameters: &[Parameter], name: &str, value: f64) -> Result<Self, Error> {
        let known = parameters.iter().find(|p| p.name == name);
        let known = known.ok_or_else(|| unknown_parameter(name, parameters))?;
        let name = known.name;
        let is_count = value.fract() == 0.0 && (1.0..=f64::from(MOST)).contains(&value);
        if known.scale == Scale::Count && !is_count {
            return Err(Error::Setting { name, given: value, allowed: "a whole number from 1 to 50" });
        }
        if !(value.is_finite() && value > 0.0) {
            return Err(Error::Setting { name, given: value, allowed: "finite, above 0" });
        }
        self.fixed.retain(|(n, _)| *n != name);
        self.fixed.push((name, value));
        Ok(self)
    }
}

/// A log-likelihood with derivatives on the natural scale, over so many customers; `None` at values
/// that the model refuses.
pub(crate) struct Level<'a> {
    pub customers: f64,
    pub derivatives: &'a dyn Fn(&[f64]) -> Option<Derivatives>,
}

/// One of the values that a likelihood is of.
#[derive(Clone, Debug)]
pub(crate) struct Coordinate {
    pub name: Cow<'static, str>,
    /// What it means if it runs to the edge of the search.
    pub at_edge: &'static str,
    /// Searched by its logarithm; a coefficient, which may have either sign, is searched as it is.
    pub is_positive: bool,
    /// The middle of the search and of the penalty, on the scale of the search.
    pub centre: f64,
    /// What is held against it for each square off the centre, on the mean log-likelihood.
    pub penalty: f64,
    /// The value of one that is not searched.
    pub held: Option<f64>,
}

impl Coordinate {
    /// A positive parameter of a model.
    pub(crate) fn of(parameter: &Parameter, options: &Options, centre: f64) -> Self {
        let fixed = options.fixed_value(parameter.name);
        Self {
            name: Cow::Borrowed(parameter.name),
            at_edge: parameter.at_edge,
            is_positive: true,
            centre: centre.ln(),
            penalty: options.penalty,
            held: fixed.or_else(|| (parameter.scale == Scale::Count).then_some(1.0)),
        }
    }

    pub(crate) fn natural(&self, point: f64) -> f64 {
        if self.is_positive { point.exp() } else { point }
    }

    pub(crate) fn point(&self, value: f64) -> f64 {
        if self.is_positive { value.ln() } else { value }
    }

    /// How fast the value changes with the point.
    fn slope(&self, value: f64) -> f64 {
        if self.is_positive { value } else { 1.0 }
    }
}

/// The search over the free parameters.
pub(crate) struct Search<'a> {
    model: &'static str,
    coordinates: Vec<Coordinate>,
    /// Where to start, if the caller says.
    start: Option<&'a Vec<f64>>,
    /// Which are searched.
    free: Vec<usize>,
    /// Values of all, those of the free ones to be overwritten.
    template: Vec<f64>,
}

/// Where a search ended.
pub(crate) struct Found {
    pub values: Vec<f64>,
    pub report: FitReport,
}

impl<'a> Search<'a> {
    /// Over these, of which some may be coefficients.
    pub(crate) fn over(
        model: &'static str,
        coordinates: Vec<Coordinate>,
        start: Option<&'a Vec<f64>>,
    ) -> Self {
        let free = (0..coordinates.len()).filter(|&i| coordinates[i].held.is_none()).collect();
        let template = coordinates.iter().map(|c| c.held.unwrap_or(1.0)).collect();
        Self { model, coordinates, start, free, template }
    }

    /// Tries the starts on the first level and follows the best through the others.
    pub(crate) fn run(
        &self,
        starts: &[Vec<f64>],
        levels: &[Level<'_>],
        cx: &Context<'_>,
    ) -> Result<Found, Error> {
        let no_estimate = |why| Error::NoEstimate { model: self.model, why };
        let from = |start: &[f64]| -> Vec<f64> {
            self.free.iter().map(|&i| self.coordinates[i].point(start[i])).collect()
        };
        let mut best: Option<(Minimum, Option<Derivatives>)> = None;
        let starts = self.start.map_or(starts, std::slice::from_ref);
        for start in starts {
            cx.check()?;
            let end = self.descend(&levels[0], &from(start), cx);
            if end.0.reason != StopReason::BadStart && best.as_ref().is_none_or(|b| end.0.value < b.0.value) {
                best = Some(end);
            }
        }
        let mut end = best.ok_or_else(|| no_estimate("the likelihood is not finite at any start"))?;
        for level in &levels[1..] {
            cx.check()?;
            end = self.descend(level, &end.0.point, cx);
        }
        cx.check()?;
        let (minimum, derivatives) = end;
        let derivatives = derivatives
            .ok_or_else(|| no_estimate("the likelihood is not finite where the search on a sample ended"))?;
        let customers = levels[levels.len() - 1].customers;
        let report = self.report(&minimum, &derivatives, customers);
        Ok(Found { values: self.natural(&minimum.point), report })
    }

    pub(crate) fn natural(&self, point: &[f64]) -> Vec<f64> {
        let mut values = self.template.clone();
        for (&i, &at) in self.free.iter().zip(point) {
            values[i] = self.coordinates[i].natural(at);
        }
        values
    }

    /// Minimises, and returns the log-likelihood's derivatives at the best point, on the natural scale.
    fn descend(&self, level: &Level<'_>, start: &[f64], cx: &Context<'_>) -> (Minimum, Option<Derivatives>) {
        let bounds = |sign: f64| {
            self.free.iter().map(|&i| self.coordinates[i].centre + sign * SEARCHED.ln()).collect()
        };
        let settings = Newton { lower: bounds(-1.0), upper: bounds(1.0), ..Newton::default() };
        let mut best: Option<(f64, Derivatives)> = None;
        let mut number = 0;
        let minimum = newton(
            |point| {
                if cx.stopped() {
                    return None;
                }
                let natural = (level.derivatives)(&self.natural(point))?;
                number += 1;
                cx.report(Progress::Pass { number, score: natural.value });
                let objective = self.objective(point, &natural, level.customers);
                if objective.value.is_finite() && best.as_ref().is_none_or(|b| objective.value <= b.0) {
                    best = Some((objective.value, natural));
                }
                Some(objective)
            },
            start,
            &settings,
        );
        (minimum, best.map(|b| b.1))
    }

    /// Minus the penalised mean log-likelihood on the scale of the search.
    pub(crate) fn objective(&self, point: &[f64], natural: &Derivatives, customers: f64) -> Derivatives {
        let (n, all) = (self.free.len(), self.coordinates.len());
        let values = self.natural(point);
        let slopes: Vec<f64> = self.free.iter().map(|&i| self.coordinates[i].slope(values[i])).collect();
        let mut out = Derivatives {
            value: -natural.value / customers,
            gradient: vec![0.0; n],
            hessian: vec![0.0; n * n],
        };
        for (a, &i) in self.free.iter().enumerate() {
            let Coordinate { centre, penalty: lambda, is_positive, .. } = self.coordinates[i];
            let off_centre = point[a] - centre;
            let slope = -natural.gradient[i] * slopes[a] / customers;
            out.value += lambda * off_centre * off_centre;
            out.gradient[a] = slope + 2.0 * lambda * off_centre;
            for (b, &j) in self.free.iter().enumerate() {
                out.hessian[a * n + b] = -natural.hessian[i * all + j] * slopes[a] * slopes[b] / customers;
            }
            out.hessian[a * n + a] += if is_positive { slope } else { 0.0 } + 2.0 * lambda;
        }
        out
    }

    /// Estimates with standard errors from the curvature, and what to beware of.
    fn report(&self, minimum: &Minimum, best: &Derivatives, customers: f64) -> FitReport {
        let values = self.natural(&minimum.point);
        let mut report = FitReport::new(self.model, TimeUnit::default(), customers as usize);
        report.log_likelihood = Some(best.value);
        report.penalised = self.free.iter().any(|&i| self.coordinates[i].penalty > 0.0);
        report.evaluations = minimum.evaluations;
        report.converged = minimum.reason.is_converged();
        if !report.converged {
            report.warnings.push(Warning::NotConverged { gradient: minimum.gradient_norm });
        }
        // Parameters inside the box have curvature; those on its edge are named and left out of it.
        let inside: Vec<usize> = (0..self.free.len()).filter(|&a| !minimum.at_bound[a]).collect();
        let objective = self.objective(&minimum.point, best, customers);
        let n = self.free.len();
        let hessian: Vec<f64> = inside
            .iter()
            .flat_map(|&a| inside.iter().map(move |&b| (a, b)))
            .map(|(a, b)| objective.hessian[a * n + b] * customers)
            .collect();
        let curvature = Curvature::new(&hessian, inside.len());
        for flat in curvature.flat_directions(FLAT_CURVATURE) {
            let name = |v: usize| self.coordinates[self.free[inside[v]]].name.clone();
            let parameters = flat.variables().into_iter().map(name).collect();
            let warning = Warning::FlatDirection { parameters };
            Warning::add_new(&mut report.warnings, [warning]);
        }
        let errors = curvature.standard_errors();
        for (i, coordinate) in self.coordinates.iter().enumerate() {
            let position = inside.iter().position(|&a| self.free[a] == i);
            let standard_error =
                position.and_then(|p| errors.as_ref().map(|e| e[p] * coordinate.slope(values[i])));
            let fixed = !self.free.contains(&i);
            report.parameters.push(Estimate {
                name: coordinate.name.clone(),
                value: values[i],
                standard_error,
                fixed,
                is_coefficient: !coordinate.is_positive,
                quantiles: None,
            });
            if !fixed && position.is_none() {
                let (parameter, meaning) = (coordinate.name.clone(), coordinate.at_edge);
                report.warnings.push(Warning::AtBoundary { parameter, value: values[i], meaning });
            }
        }
        if inside.len() == n {
            report.covariance = curvature.covariance().map(|c| {
                let slope = |a: usize| self.coordinates[self.free[a]].slope(values[self.free[a]]);
                (0..n * n).map(|e| c[e] * slope(e / n) * slope(e % n)).collect()
            });
        }
        report
    }
}
