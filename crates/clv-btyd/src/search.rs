//! The search for the maximum of a likelihood.
//!
//! It runs over the logarithms of the free parameters with exact first and second derivatives: from
//! several starts on a sample of the data, then from the best of them on more, at last on all.

use clv_core::model::{Estimate, Progress};
use clv_core::{Context, Error, FitReport, TimeUnit, Warning};
use clv_math::curvature::Curvature;
use clv_math::minimise::{Derivatives, Minimum, Newton, StopReason, newton};

use crate::process::{Parameter, Scale};

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
    pub(crate) fn penalty(self, lambda: f64) -> Result<Self, Error> {
        Ok(Self { penalty: clv_core::setting::at_least_zero("penalty", lambda)?, ..self })
    }

    pub(crate) fn fixed_value(&self, name: &str) -> Option<f64> {
        self.fixed.iter().find(|(fixed, _)| *fixed == name).map(|(_, value)| *value)
    }

    pub(crate) fn fix(mut self, parameters: &[Parameter], name: &str, value: f64) -> Result<Self, Error> {
        let known = parameters.iter().find(|p| p.name == name);
        let unknown = || Error::Unreadable {
            what: "parameter name",
            given: name.to_owned(),
            allowed: "the names of the model's parameters",
        };
        let name = known.ok_or_else(unknown)?.name;
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

/// The search over the free parameters.
pub(crate) struct Search<'a> {
    model: &'static str,
    parameters: &'static [Parameter],
    options: &'a Options,
    /// `ln θ₀`: the middle of the search and of the penalty.
    centre: Vec<f64>,
    /// Which parameters are searched.
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
    pub(crate) fn new(
        model: &'static str,
        parameters: &'static [Parameter],
        options: &'a Options,
        centre: &[f64],
    ) -> Self {
        let fixed = |p: &Parameter| options.fixed_value(p.name);
        Self {
            model,
            parameters,
            options,
            centre: centre.iter().map(|c| c.ln()).collect(),
            free: (0..parameters.len())
                .filter(|&i| fixed(&parameters[i]).is_none() && parameters[i].scale != Scale::Count)
                .collect(),
            template: parameters.iter().map(|p| fixed(p).unwrap_or(1.0)).collect(),
        }
    }

    /// Tries the starts on the first level and follows the best through the others.
    pub(crate) fn run(
        &self,
        starts: &[Vec<f64>],
        levels: &[Level<'_>],
        cx: &Context<'_>,
    ) -> Result<Found, Error> {
        let no_estimate = |why| Error::NoEstimate { model: self.model, why };
        let from = |start: &[f64]| -> Vec<f64> { self.free.iter().map(|&i| start[i].ln()).collect() };
        let mut best: Option<(Minimum, Option<Derivatives>)> = None;
        let starts = self.options.start.as_ref().map_or(starts, std::slice::from_ref);
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

    fn natural(&self, point: &[f64]) -> Vec<f64> {
        let mut values = self.template.clone();
        for (&i, ln) in self.free.iter().zip(point) {
            values[i] = ln.exp();
        }
        values
    }

    /// Minimises, and returns the log-likelihood's derivatives at the best point, on the natural scale.
    fn descend(&self, level: &Level<'_>, start: &[f64], cx: &Context<'_>) -> (Minimum, Option<Derivatives>) {
        let bounds = |sign: f64| self.free.iter().map(|&i| self.centre[i] + sign * SEARCHED.ln()).collect();
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

    /// Minus the penalised mean log-likelihood, in the logarithms of the free parameters.
    fn objective(&self, point: &[f64], natural: &Derivatives, customers: f64) -> Derivatives {
        let (n, all) = (self.free.len(), self.parameters.len());
        let lambda = self.options.penalty;
        let mut out = Derivatives {
            value: -natural.value / customers,
            gradient: vec![0.0; n],
            hessian: vec![0.0; n * n],
        };
        for (a, &i) in self.free.iter().enumerate() {
            let off_centre = point[a] - self.centre[i];
            let slope = -natural.gradient[i] * point[a].exp() / customers;
            out.value += lambda * off_centre * off_centre;
            out.gradient[a] = slope + 2.0 * lambda * off_centre;
            for (b, &j) in self.free.iter().enumerate() {
                out.hessian[a * n + b] =
                    -natural.hessian[i * all + j] * point[a].exp() * point[b].exp() / customers;
            }
            out.hessian[a * n + a] += slope + 2.0 * lambda;
        }
        out
    }

    /// Estimates with standard errors from the curvature, and what to beware of.
    fn report(&self, minimum: &Minimum, best: &Derivatives, customers: f64) -> FitReport {
        let values = self.natural(&minimum.point);
        let mut report = FitReport::new(self.model, TimeUnit::default(), customers as usize);
        report.log_likelihood = Some(best.value);
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
            let name = |v: usize| self.parameters[self.free[inside[v]]].name;
            let parameters = flat.variables().into_iter().map(name).collect();
            let warning = Warning::FlatDirection { parameters };
            Warning::add_new(&mut report.warnings, [warning]);
        }
        let errors = curvature.standard_errors();
        for (i, parameter) in self.parameters.iter().enumerate() {
            let position = inside.iter().position(|&a| self.free[a] == i);
            let standard_error = position.and_then(|p| errors.as_ref().map(|e| e[p] * values[i]));
            let fixed = !self.free.contains(&i);
            report.parameters.push(Estimate {
                name: parameter.name,
                value: values[i],
                standard_error,
                fixed,
            });
            if !fixed && position.is_none() {
                let (parameter, meaning) = (parameter.name, parameter.at_edge);
                report.warnings.push(Warning::AtBoundary { parameter, value: values[i], meaning });
            }
        }
        if inside.len() == n {
            report.covariance = curvature.covariance().map(|c| {
                (0..n * n).map(|e| c[e] * values[self.free[e / n]] * values[self.free[e % n]]).collect()
            });
        }
        report
    }
}
