//! Maximum likelihood with covariates.

use std::cell::RefCell;

use clv_core::setting::at_least_zero;
use clv_core::{Cells, Context, Error, Feature, Fit, Fitted, Summary, Training, Warning};
use clv_math::minimise::Derivatives;

use super::design::{Design, Effect, Groups};
use super::moved::Moved;
use super::{Asked, CovariateModel, Covariates, Movable, Term, Words};
use crate::estimate::MaximumLikelihood;
use crate::left_out::{LeftOut, best};
use crate::model::PurchaseModel;
use crate::process::{Process, expect_histories, mean_age, times_of};
use crate::refit::Near;
use crate::search::{Coordinate, Found, Level, Search};

/// Cells beyond which a search starts on some of them, and how many these are.
const MANY: usize = 15_000;
const SOME: usize = 5_000;

/// How to fit a purchase model with covariates: maximum likelihood with exact first and second derivatives, from the
/// estimate without them on.
///
/// `k` of BG/CNBD-k and MBG/CNBD-k must be fixed: choose it by [`RegularFit`](crate::RegularFit) first.
///
/// ```
/// use clv_btyd::{Covariates, MaximumLikelihood, ParetoNbd, WithCovariates};
///
/// let covariates = Covariates::new().on_purchases(["own_gender"])?.on_dropout(["own_gender"])?;
/// let settings = WithCovariates::<ParetoNbd>::new(covariates)
///     .each(MaximumLikelihood::new().fix("s", 1.0)?);
/// # let _ = settings;
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct WithCovariates<P> {
    pub(super) each: MaximumLikelihood<P>,
    pub(super) covariates: Covariates,
}

/// Customers, their terms, and the coefficients to find.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    pub summary: &'a Summary,
    pub terms: Vec<Term>,
    pub words: Vec<Words>,
    pub effects: Vec<Effect>,
    /// The terms, a row for each customer.
    rows: Vec<f64>,
}

/// How well a penalty forecasts the likelihood of customers that were not fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PenaltyScore {
    /// The penalty.
    pub lambda: f64,
    /// Mean log-likelihood per customer left out; none if a fold had no estimate.
    pub score: Option<f64>,
}

/// Parameters and coefficients on the scale of the search, with what they are of.
pub(crate) struct Fits {
    pub design: Design,
    pub values: Vec<f64>,
    pub report: clv_core::FitReport,
}

impl<P: Process> WithCovariates<P> {
    /// With these and the defaults of [`MaximumLikelihood`].
    pub fn new(covariates: Covariates) -> Self {
        Self { each: MaximumLikelihood::new(), covariates }
    }

    /// Settings of the parameters: a penalty, fixed values.
    pub fn each(self, settings: MaximumLikelihood<P>) -> Self {
        Self { each: settings, ..self }
    }

    /// The penalties of the coefficients, of purchases and of dropout.
    pub fn penalties(&self) -> (f64, f64) {
        self.covariates.penalties
    }

    /// The penalty under which customers that are left out are most likely, by cross-validation over so many folds of
    /// customers, drawn by the context's seed; the same for both processes.
    ///
    /// # Errors
    ///
    /// As [`Fit::fit`]; [`Error::Setting`] for fewer than 2 folds or a penalty below 0; [`Error::NoEstimate`] if no penalty had an
    /// estimate in every fold.
    pub fn choose_penalty(
        self,
        data: &Training<'_>,
        lambdas: &[f64],
        folds: usize,
        cx: &Context<'_>,
    ) -> Result<(Self, Vec<PenaltyScore>), Error> {
        let left_out = LeftOut::new(data.summary().len(), folds, cx.seed_value())?;
        let mut scores = Vec::new();
        for &lambda in lambdas {
            at_least_zero("penalty", lambda)?;
            let with = Self {
                covariates: Covariates { penalties: (lambda, lambda), ..self.covariates.clone() },
                ..self.clone()
            };
            let prepared = with.prepare(data)?;
            let score = left_out.mean(|learned, judged| {
                let fitted = with.fit_some(&prepared, learned.iter().copied(), cx);
                cx.check()?;
                let held_out = prepared.groups::<P>(judged.iter().copied())?;
                let of = |fit: Fits| with.derivatives(&fit.design, &held_out, &fit.values);
                Ok(fitted.ok().and_then(of).map(|found| found.value))
            })?;
            scores.push(PenaltyScore { lambda, score });
        }
        let why = "no penalty had an estimate in every fold";
        let lambda = best(P::KIND.name, scores.iter().map(|s| (s.lambda, s.score)), why)?;
        let covariates = Covariates { penalties: (lambda, lambda), ..self.covariates };
        Ok((Self { covariates, ..self }, scores))
    }

    pub(super) fn prepare<'a>(&self, data: &'a Training<'_>) -> Result<Prepared<'a>, Error> {
        let known = data.columns_beyond()?;
        let Columns { terms, words, rows, .. } =
            Columns::of(self.covariates.asked.iter().map(|asked| &asked.term), data)?;
        let effects = effects(&self.covariates, &Movable::of::<P>(), &terms, &known)?;
        Ok(Prepared { summary: data.summary(), effects, terms, words, rows })
    }

    pub(super) fn derivatives(
        &self,
        design: &Design,
        groups: &Groups,
        values: &[f64],
    ) -> Option<Derivatives> {
        let scratch = RefCell::new(Cells::default());
        design.derivatives(values, groups, |group, own| {
            let mut cells = scratch.borrow_mut();
            groups.copy(group, &mut cells);
            Some(P::from_values(own).ok()?.derivatives(&cells))
        })
    }

    fn fit_some(
        &self,
        prepared: &Prepared<'_>,
        which: impl Iterator<Item = usize> + Clone,
        cx: &Context<'_>,
    ) -> Result<Fits, Error> {
        let Summary { frequency, recency, age, unit, .. } = prepared.summary;
        let groups = prepared.groups::<P>(which.clone())?;
        let plain = Groups::of(which.map(|i| (frequency[i], recency[i], age[i], Vec::new())), 0).cells;
        let base = self.each.fit_cells(&plain, *unit, cx)?;
        let customers = plain.customers();
        let mean_age = mean_age(P::KIND.name, &plain)?;
        let mut starts = vec![base.model.parameters().values()];
        if P::SEVERAL_MAXIMA {
            let repeats: f64 =
                plain.frequency.iter().zip(&plain.weight).map(|(x, w)| f64::from(*x) * w).sum();
            starts.extend(P::starts(mean_age, repeats / (customers * mean_age)));
        }
        let mut fits = self.search(prepared, &groups, (mean_age, starts), None, cx)?;
        let few = base.report.warnings.into_iter().filter(|w| matches!(w, Warning::FewRepeatBuyers { .. }));
        fits.report.warnings.extend(few);
        Ok(fits)
    }

    /// The highest point of the likelihood of these customers, from several places or near one.
    pub(super) fn search(
        &self,
        prepared: &Prepared<'_>,
        groups: &Groups,
        (mean_age, starts): (f64, Vec<Vec<f64>>),
        near: Option<Near<'_>>,
        cx: &Context<'_>,
    ) -> Result<Fits, Error> {
        let of = |design: &Design, groups: &Groups, values: &[f64]| self.derivatives(design, groups, values);
        let (name, coordinates) = (P::KIND.name, self.each.coordinates(mean_age));
        let within = Within { name, coordinates, starts, is_sampled: near.is_none() };
        let effects = (&self.covariates, &prepared.effects[..]);
        let mut fits = coefficients(within, (effects, near), groups, &of, cx)?;
        fits.report.unit = prepared.summary.unit;
        Ok(fits)
    }

    /// The model of what was found.
    pub(super) fn model(
        &self,
        prepared: &Prepared<'_>,
        fits: Fits,
    ) -> Result<Fitted<CovariateModel<P>>, Error> {
        let Fits { design, values, report } = fits.in_units(&self.covariates);
        let process = P::from_values(&values[..design.parameters])?;
        process.expect_no_limit()?;
        let base = PurchaseModel::new(process, prepared.summary.unit);
        let of = (prepared.terms.clone(), prepared.words.clone());
        let moved = Moved::of(P::KIND.name, of, design, &values)?;
        Ok(Fitted { model: CovariateModel::of(base, moved), report })
    }
}

/// The coefficients, each of one of the terms, and no two of them alike.
pub(crate) fn effects(
    covariates: &Covariates,
    movable: &Movable,
    terms: &[Term],
    known: &[String],
) -> Result<Vec<Effect>, Error> {
    let mut effects: Vec<Effect> = Vec::new();
    for Asked { acts, term } in &covariates.asked {
        let on = acts.on(movable)?;
        let (other, dropout) = covariates.penalties;
        let penalty = if acts.is_dropout() { dropout } else { other };
        for term in term.spread(known) {
            let label = acts.name(&term);
            let Some(place) = terms.iter().position(|t| *t == term) else { continue };
            match effects.iter().find(|e| e.label == label) {
                Some(other) if other.on == on => {}
                Some(_) => {
                    let (what, allowed) = ("coefficient", "one of this name: give the other another label");
                    return Err(Error::Unreadable { what, given: label, allowed });
                }
                None => effects.push(Effect { label, term: place, on: on.clone(), penalty }),
            }
        }
    }
    Ok(effects)
}

/// The parameters that coefficients move, and where they are without them.
pub(crate) struct Within {
    pub name: &'static str,
    pub coordinates: Vec<Coordinate>,
    pub starts: Vec<Vec<f64>>,
    /// Whether a rough fit may be of some of the cells.
    pub is_sampled: bool,
}

/// A log-likelihood of groups with its derivatives.
pub(crate) type Likelihood<'a> = dyn Fn(&Design, &Groups, &[f64]) -> Option<Derivatives> + 'a;

/// What is searched: parameters, then coefficients on columns that are scaled within the search; and which of these say nothing.
pub(crate) fn designed(
    mut coordinates: Vec<Coordinate>,
    (covariates, effects): (&Covariates, &[Effect]),
    groups: &Groups,
) -> (Design, Vec<Coordinate>, Vec<bool>) {
    let mut design =
        Design { parameters: coordinates.len(), effects: effects.to_vec(), scaling: Design::scales(groups) };
    for effect in &design.effects {
        // The mean of a column goes into the parameters that it moves; into one that is fixed it cannot.
        let held = effect.on.iter().any(|&(p, _)| coordinates[p].held.is_some());
        if held && !covariates.standardized {
            design.scaling[effect.term].0 = 0.0;
        }
    }
    let idle = design.idle(groups);
    coordinates.extend(design.coordinates(&idle, covariates.standardized));
    (design, coordinates, idle)
}

/// The same with what is held.
fn designed_near(
    mut coordinates: Vec<Coordinate>,
    of: (&Covariates, &[Effect]),
    groups: &Groups,
    near: Option<Near<'_>>,
) -> (Design, Vec<Coordinate>, Vec<bool>) {
    let held = near.and_then(|near| near.held);
    if let Some((place, value)) = held {
        coordinates.get_mut(place).into_iter().for_each(|one| one.held = Some(value));
    }
    let (design, mut coordinates, idle) = designed(coordinates, of, groups);
    if let Some(near) = near {
        design.hold(near, of.0, &mut coordinates);
    }
    (design, coordinates, idle)
}

impl Design {
    /// Values of a report on the scale of the search.
    pub(crate) fn of_report(&self, values: &[f64], covariates: &Covariates) -> Vec<f64> {
        if covariates.standardized || values.len() != self.parameters + self.effects.len() {
            values.to_vec()
        } else {
            self.scale_values(values)
        }
    }

    /// Holds what a profile holds, and what was held in the report: coefficients that said nothing at nothing.
    pub(crate) fn hold(&self, near: Near<'_>, covariates: &Covariates, coordinates: &mut [Coordinate]) {
        for (place, coordinate) in coordinates.iter_mut().enumerate() {
            match near.held {
                Some((held, value)) if held == place && place < self.parameters => {
                    coordinate.held = Some(value)
                }
                Some((held, value)) if held == place => {
                    coordinate.held = Some(self.coefficient_of_report(place, value, covariates));
                }
                // Also k, which no search finds.
                _ if near.is_held(place) || place < self.parameters && coordinate.held.is_some() => {
                    coordinate.held = near.start.get(place).copied();
                }
                _ => {}
            }
        }
    }

    /// A coefficient of a report on the scale of the search.
    fn coefficient_of_report(&self, place: usize, value: f64, covariates: &Covariates) -> f64 {
        let (_, scale) = self.scaling[self.effects[place - self.parameters].term];
        if covariates.standardized || !scale.is_finite() { value } else { value * scale }
    }
}

/// Parameters and coefficients together.
pub(crate) fn coefficients(
    Within { name, coordinates, mut starts, is_sampled }: Within,
    (of, near): ((&Covariates, &[Effect]), Option<Near<'_>>),
    groups: &Groups,
    derivatives: &Likelihood<'_>,
    cx: &Context<'_>,
) -> Result<Fits, Error> {
    let (design, coordinates, idle) = designed_near(coordinates, of, groups, near);
    if let Some(near) = near {
        near.expect_names(coordinates.iter().map(|one| &*one.name))?;
        starts = vec![design.of_report(near.start, of.0)];
    }
    let sample = (is_sampled && groups.cells.len() > MANY).then(|| groups.thinned(groups.cells.len() / SOME));
    let passes: Vec<_> = sample
        .iter()
        .chain([groups])
        .map(|g| {
            let design = &design;
            (g.cells.customers(), move |values: &[f64]| derivatives(design, g, values))
        })
        .collect();
    let levels: Vec<Level<'_>> =
        passes.iter().map(|(customers, f)| Level { customers: *customers, derivatives: f }).collect();
    starts.iter_mut().for_each(|start| start.resize(coordinates.len(), 0.0));
    let search = Search::over(name, coordinates, None);
    let Found { values, mut report } = search.run(&starts, &levels, cx)?;
    report.rows = groups.cells.len();
    report.warnings.extend(design.collinear(&idle));
    Ok(Fits { design, values, report })
}

impl Fits {
    /// In the terms' own units, unless they are read in standard deviations.
    pub(crate) fn in_units(mut self, covariates: &Covariates) -> Self {
        if !covariates.standardized {
            self.design.unscale(&mut self.values, &mut self.report);
            self.design.scaling.fill((0.0, 1.0));
        }
        self.design.keep_finite_scales();
        self
    }
}

/// Terms of the customers that are fitted.
#[derive(Debug)]
pub(crate) struct Columns {
    pub terms: Vec<Term>,
    pub words: Vec<Words>,
    pub needs: Vec<Feature>,
    /// The terms, a row for each customer.
    pub rows: Vec<f64>,
}

impl Columns {
    /// Terms with their words spread, and the attributes of words among them, none twice.
    pub(crate) fn terms_of<'t>(
        asked: impl Iterator<Item = &'t Term>,
        known: &[String],
    ) -> Result<(Vec<Term>, Vec<Words>), Error> {
        let (mut terms, mut words): (Vec<Term>, Vec<Words>) = (Vec::new(), Vec::new());
        for asked in asked {
            for of_one in asked.words(known)? {
                if !words.contains(&of_one) {
                    words.push(of_one);
                }
            }
            for term in asked.spread(known) {
                if !terms.contains(&term) {
                    terms.push(term);
                }
            }
        }
        Ok((terms, words))
    }

    /// Of the customers of a training.
    pub(crate) fn of<'t>(asked: impl Iterator<Item = &'t Term>, data: &Training<'_>) -> Result<Self, Error> {
        let (terms, words) = Self::terms_of(asked, &data.columns_beyond()?)?;
        let needs = Term::needs(&terms, &words);
        let customers = data.summary().len();
        let features = data.features(&needs)?;
        let mut rows = Vec::with_capacity(customers * terms.len());
        let names: Vec<String> = needs.iter().map(Feature::name).collect();
        for row in 0..customers {
            let columns = if needs.is_empty() { &[][..] } else { features.row(row) };
            super::model::evaluate(&terms, &words, &names, columns, row, &mut rows)?;
        }
        Ok(Self { terms, words, needs, rows })
    }
}

impl Prepared<'_> {
    pub(super) fn groups<P: Process>(&self, which: impl Iterator<Item = usize>) -> Result<Groups, Error> {
        let Summary { frequency, recency, age, .. } = self.summary;
        let one = |i: usize| {
            let (t_x, age) = times_of::<P>(i, frequency[i], recency[i], age[i])?;
            Ok((frequency[i], t_x, age, self.row(i).to_vec()))
        };
        let who: Vec<_> = which.map(one).collect::<Result<_, Error>>()?;
        Ok(Groups::of(who.into_iter(), self.terms.len()))
    }

    /// The terms of a customer.
    pub(super) fn row(&self, customer: usize) -> &[f64] {
        let terms = self.terms.len();
        &self.rows[customer * terms..(customer + 1) * terms]
    }
}

impl<P: Process> Fit for WithCovariates<P> {
    type Model = CovariateModel<P>;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>, Error> {
        expect_histories::<P>(data)?;
        let prepared = self.prepare(data)?;
        let fits = self.fit_some(&prepared, 0..prepared.summary.len(), cx)?;
        let mut fitted = self.model(&prepared, fits)?;
        if let Some(constant) = crate::cnbd::ln_constant(fitted.model.parameters(), data)? {
            let report = &mut fitted.report;
            report.log_likelihood = report.log_likelihood.map(|value| value + constant);
        }
        Ok(fitted)
    }
}
