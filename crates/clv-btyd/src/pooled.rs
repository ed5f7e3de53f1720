//! Customers who came in different periods: populations apart, together, or in between.

use std::collections::BTreeMap;

use clv_core::cohorts::Period;
use clv_core::model::{Answers, DrawTimes, Estimate, Kind, Reads};
use clv_core::saved::{Registry, SaveWriter};
use clv_core::{
    Ask, Cells, Context, Customers, Error, Feature, Fit, FitReport, Fitted, ForecastMut, Predict, Scratch,
    Summary, TimeUnit, Training,
};
use rand_chacha::ChaCha8Rng;

use crate::covariates::Groups;
use crate::estimate::MaximumLikelihood;
use crate::left_out::{LeftOut, best};
use crate::model::PurchaseModel;
use crate::process::{Process, expect_histories, times_of};
use crate::search::{Found, Level, Search};

/// How to fit acquisition cohorts: a population each, whose parameters are drawn from one about a common middle,
///
/// ```text
/// ln θ_c ~ N(ln θ, d²)        for each cohort c and each parameter
/// ```
///
/// and found at the highest point of likelihood and prior together. With a deviation `d` of 0 all cohorts are one population, with an infinite one each
/// stands alone; in between a small or young cohort keeps near the others, and a large one goes its own way. A customer of a cohort that was not fitted is
/// one of the common population.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `deviation` | .2 | cohorts of one shop: a factor of 1.5 either way holds 95%; [`CohortFit::choose_deviation`] asks the data |
///
/// ```
/// use clv_btyd::{BgNbd, CohortFit};
/// use clv_core::cohorts::Period;
///
/// let partly = CohortFit::<BgNbd>::by(Period::Month);
/// let apart = CohortFit::<BgNbd>::by(Period::Quarter).deviation(f64::INFINITY)?;
/// assert!(CohortFit::<BgNbd>::by(Period::Month).deviation(-1.0).is_err());
/// # let _ = (partly, apart);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CohortFit<P> {
    each: MaximumLikelihood<P>,
    period: Period,
    deviation: f64,
}

/// How well a deviation forecasts the likelihood of customers that were not fitted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DeviationScore {
    /// The deviation.
    pub deviation: f64,
    /// Mean log-likelihood per customer left out; none if a fold had no estimate.
    pub score: Option<f64>,
}

/// Cohorts as they were fitted: a purchase model each, and one for whoever is of none of them. Forecasts need the number of the cohort
/// ([`Feature::Cohort`]).
#[derive(Clone, Debug, PartialEq)]
pub struct CohortModel<P> {
    common: PurchaseModel<P>,
    period: Period,
    cohorts: BTreeMap<i64, PurchaseModel<P>>,
    needs: [Feature; 1],
    names: [String; 1],
}

/// Populations of cohorts about a middle.
struct Populations {
    middle: Vec<f64>,
    cohorts: BTreeMap<i64, (Vec<f64>, FitReport)>,
}

/// `x, t_x, T`.
type History = (u32, f64, f64);

fn cells(who: impl Iterator<Item = History>) -> Cells {
    Groups::of(who.map(|(x, t_x, age)| (x, t_x, age, Vec::new())), 0).cells
}

fn by_cohort(who: &[(i64, History)]) -> BTreeMap<i64, Cells> {
    let mut each: BTreeMap<i64, Vec<History>> = BTreeMap::new();
    who.iter().for_each(|(cohort, history)| each.entry(*cohort).or_default().push(*history));
    each.into_iter().map(|(cohort, histories)| (cohort, cells(histories.into_iter()))).collect()
}

/// So many times the middle is found anew.
const ROUNDS: usize = 200;
/// The middle stands when no logarithm moves by more.
const STANDS: f64 = 1e-5;

impl<P: Process> CohortFit<P> {
    /// By the period of the first purchase.
    pub fn by(period: Period) -> Self {
        Self { each: MaximumLikelihood::new(), period, deviation: 0.2 }
    }

    /// Settings of the parameters: fixed values, a penalty on the common population.
    pub fn each(self, settings: MaximumLikelihood<P>) -> Self {
        Self { each: settings, ..self }
    }

    /// How far cohorts may be from each other, in standard deviations of the logarithms: 0 for all together, infinite for each apart.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] if it is below 0 or no number.
    pub fn deviation(self, deviation: f64) -> Result<Self, Error> {
        if deviation.is_nan() || deviation < 0.0 {
            let allowed = "at least 0, infinite for cohorts apart";
            return Err(Error::Setting { name: "deviation", given: deviation, allowed });
        }
        Ok(Self { deviation, ..self })
    }

    /// The deviation that is set.
    pub fn deviation_value(&self) -> f64 {
        self.deviation
    }

    /// The deviation under which customers that are left out are most likely, by cross-validation over so many folds of customers, drawn by the context's
    /// seed.
    ///
    /// # Errors
    ///
    /// As [`Fit::fit`]; [`Error::Setting`] for fewer than 2 folds or a deviation below 0; [`Error::NoEstimate`] if no deviation had an estimate in every
    /// fold.
    pub fn choose_deviation(
        self,
        data: &Training<'_>,
        deviations: &[f64],
        folds: usize,
        cx: &Context<'_>,
    ) -> Result<(Self, Vec<DeviationScore>), Error> {
        expect_histories::<P>(data)?;
        let summary = data.summary();
        let left_out = LeftOut::new(summary.len(), folds, cx.seed_value())?;
        let mut scores = Vec::new();
        for &deviation in deviations {
            let with = self.clone().deviation(deviation)?;
            let score = left_out.mean(|learned, judged| {
                let found =
                    with.populations(&with.histories(summary, learned.iter().copied())?, summary.unit, cx);
                cx.check()?;
                let held_out = by_cohort(&with.histories(summary, judged.iter().copied())?);
                Ok(found.ok().and_then(|found| {
                    let of = |(cohort, cells): (&i64, &Cells)| {
                        let values = found.cohorts.get(cohort).map_or(&found.middle, |(values, _)| values);
                        Some(P::from_values(values).ok()?.ln_likelihood_of(cells))
                    };
                    held_out.iter().map(of).sum::<Option<f64>>()
                }))
            })?;
            scores.push(DeviationScore { deviation, score });
        }
        let why = "no deviation had an estimate in every fold";
        let deviation = best(P::KIND.name, scores.iter().map(|s| (s.deviation, s.score)), why)?;
        Ok((self.deviation(deviation)?, scores))
    }

    /// Customers' histories, each with the number of their cohort.
    fn histories(
        &self,
        summary: &Summary,
        rows: impl Iterator<Item = usize>,
    ) -> Result<Vec<(i64, History)>, Error> {
        if let Some(grain) = summary.histories.grain() {
            self.period.expect_grain(grain)?;
        }
        let one = |row: usize| {
            let x = summary.frequency[row];
            let (t_x, age) = times_of::<P>(row, x, summary.recency[row], summary.age[row])?;
            Ok((self.period.index(summary.first[row]), (x, t_x, age)))
        };
        rows.map(one).collect()
    }

    fn populations(
        &self,
        who: &[(i64, History)],
        unit: TimeUnit,
        cx: &Context<'_>,
    ) -> Result<Populations, Error> {
        let by_cohort = by_cohort(who);
        let together = self.each.fit_cells(&cells(who.iter().map(|(_, history)| *history)), unit, cx)?;
        let mut middle = together.model.parameters().values();
        let same = |_| (middle.clone(), together.report.clone());
        let mut cohorts: BTreeMap<i64, (Vec<f64>, FitReport)> =
            by_cohort.keys().map(|cohort| (*cohort, same(cohort))).collect();
        if self.deviation == 0.0 {
            return Ok(Populations { middle, cohorts });
        }
        if self.deviation.is_infinite() {
            for (cohort, cells) in &by_cohort {
                let alone = self.each.fit_cells(cells, unit, cx)?;
                cohorts.insert(*cohort, (alone.model.parameters().values(), alone.report));
            }
            return Ok(Populations { middle, cohorts });
        }
        let mut coordinates = self.each.coordinates(1.0);
        for _ in 0..ROUNDS {
            for (cohort, cells) in &by_cohort {
                let customers = cells.customers();
                for (coordinate, value) in coordinates.iter_mut().zip(&middle) {
                    coordinate.centre = value.ln();
                    coordinate.penalty = 0.5 / (self.deviation * self.deviation * customers);
                }
                let derivatives = |values: &[f64]| Some(P::from_values(values).ok()?.derivatives(cells));
                let level = Level { customers, derivatives: &derivatives };
                let search = Search::over(P::KIND.name, coordinates.clone(), None);
                let start = cohorts.get(cohort).map_or_else(|| middle.clone(), |(values, _)| values.clone());
                let Found { values, report } = search.run(&[start], &[level], cx)?;
                cohorts.insert(*cohort, (values, report));
            }
            let n = cohorts.len() as f64;
            let mut moved: f64 = 0.0;
            for (i, value) in middle.iter_mut().enumerate().filter(|(i, _)| coordinates[*i].held.is_none()) {
                let ln = cohorts.values().map(|(values, _)| values[i].ln()).sum::<f64>() / n;
                moved = moved.max((ln - value.ln()).abs());
                *value = ln.exp();
            }
            if moved < STANDS {
                break;
            }
        }
        Ok(Populations { middle, cohorts })
    }
}

impl<P: Process> Fit for CohortFit<P> {
    type Model = CohortModel<P>;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<CohortModel<P>>, Error> {
        expect_histories::<P>(data)?;
        let summary = data.summary();
        let Populations { middle, cohorts } =
            self.populations(&self.histories(summary, 0..summary.len())?, summary.unit, cx)?;
        let mut report = FitReport::new(P::KIND.name, summary.unit, summary.len());
        let common = |value: f64, name: &'static str| Estimate {
            name: name.into(),
            value,
            standard_error: None,
            fixed: false,
            is_coefficient: false,
            quantiles: None,
        };
        report.parameters.extend(P::PARAMETERS.iter().zip(&middle).map(|(p, value)| common(*value, p.name)));
        report.converged = true;
        for (cohort, (_, of)) in &cohorts {
            let name = self.period.name(*cohort);
            let one = |p: &Estimate| Estimate { name: format!("{}.{name}", p.name).into(), ..p.clone() };
            report.parameters.extend(of.parameters.iter().map(one));
            report.converged &= of.converged;
        }
        // In between there is no number of parameters that criteria could count.
        if self.deviation.is_infinite() {
            report.parameters.drain(..middle.len());
            report.log_likelihood = cohorts.values().map(|(_, of)| of.log_likelihood).sum();
        }
        let of = |values: &[f64]| Ok::<_, Error>(PurchaseModel::new(P::from_values(values)?, summary.unit));
        let cohorts = cohorts
            .into_iter()
            .map(|(cohort, (values, _))| Ok((cohort, of(&values)?)))
            .collect::<Result<_, Error>>()?;
        Ok(Fitted { model: CohortModel::of(of(&middle)?, self.period, cohorts), report })
    }
}

impl<P: Process> CohortModel<P> {
    const KIND: Kind = Kind::around("by-cohort", 1, &P::KIND);

    fn of(common: PurchaseModel<P>, period: Period, cohorts: BTreeMap<i64, PurchaseModel<P>>) -> Self {
        let needs = [Feature::Cohort(period)];
        let names = [needs[0].name()];
        Self { common, period, cohorts, needs, names }
    }

    /// The common population, which customers of a new cohort are taken to be of.
    pub fn common(&self) -> &PurchaseModel<P> {
        &self.common
    }

    /// The cohorts by name, `2024-02`, in order of time.
    pub fn cohorts(&self) -> impl Iterator<Item = (String, &PurchaseModel<P>)> {
        self.cohorts.iter().map(|(cohort, model)| (self.period.name(*cohort), model))
    }

    /// The model of a cohort by its number ([`Period::index`]); the common one if it was not fitted.
    pub fn of_cohort(&self, cohort: i64) -> &PurchaseModel<P> {
        self.cohorts.get(&cohort).unwrap_or(&self.common)
    }
}

impl<P: Process> CohortModel<P> {
    fn of_customer(&self, who: &Customers<'_>, row: usize) -> Result<&PurchaseModel<P>, Error> {
        let (mut places, mut number) = (Vec::new(), [0.0]);
        who.find(P::KIND.name, &self.names, &mut places)?;
        who.fill_row(&places, row, &mut number);
        self.of_number(number[0], row)
    }

    fn of_number(&self, given: f64, row: usize) -> Result<&PurchaseModel<P>, Error> {
        if given.fract() == 0.0 {
            return Ok(self.of_cohort(given as i64));
        }
        let (column, allowed) = (self.names[0].clone(), "a whole number: that of a period");
        Err(Error::Cell { row, column, given, allowed })
    }
}

impl<P: Process> DrawTimes for CohortModel<P> {
    fn visit_futures(
        &self,
        who: &Customers<'_>,
        row: usize,
        within: (f64, usize),
        rng: &mut ChaCha8Rng,
        see: &mut dyn FnMut(usize, &[f64]),
    ) -> Result<(), Error> {
        self.of_customer(who, row)?.visit_futures(who, row, within, rng, see)
    }
}

impl<P: Process> Predict for CohortModel<P> {
    fn kind(&self) -> Kind {
        Self::KIND
    }

    fn unit(&self) -> TimeUnit {
        self.common.unit()
    }

    fn answers(&self) -> Answers {
        self.common.answers()
    }

    fn needs(&self) -> &[Feature] {
        &self.needs
    }

    fn reads(&self) -> Reads {
        P::READS
    }

    fn predict_into(
        &self,
        who: &Customers<'_>,
        ask: &Ask,
        scratch: &mut Scratch,
        out: &mut ForecastMut<'_>,
    ) -> Result<(), Error> {
        who.expect(P::KIND.name, self.unit(), P::READS)?;
        out.expect(P::KIND.name, &self.answers(), who.len())?;
        if who.is_empty() {
            return Ok(());
        }
        let Scratch { places, row, .. } = scratch;
        who.find(P::KIND.name, &self.names, places)?;
        row.clear();
        row.resize(1, 0.0);
        for r in 0..who.len() {
            who.fill_row(places, r, row);
            self.of_number(row[0], r)?.predict_row(who, r, ask, out)?;
        }
        Ok(())
    }

    fn draw_times(&self) -> Option<&dyn DrawTimes> {
        Some(self)
    }

    fn own(&self, who: &Customers<'_>, row: usize) -> Result<Option<Box<dyn Predict>>, Error> {
        Ok(Some(Box::new(*self.of_customer(who, row)?)))
    }

    fn save(&self, to: &mut SaveWriter) -> Result<(), Error> {
        self.common.save(to)?;
        to.field("period", &self.period)?;
        let cohorts: Vec<(i64, Vec<f64>)> =
            self.cohorts.iter().map(|(cohort, model)| (*cohort, model.parameters().values())).collect();
        to.field("cohorts", &cohorts)
    }
}

pub(crate) fn register<P: Process>(registry: &mut Registry) {
    registry.register(CohortModel::<P>::KIND, |saved, _| {
        let common: PurchaseModel<P> = crate::model::load(saved)?;
        let mut cohorts = BTreeMap::new();
        for (cohort, values) in saved.field::<Vec<(i64, Vec<f64>)>>("cohorts")? {
            cohorts.insert(cohort, PurchaseModel::new(P::from_values(&values)?, common.unit()));
        }
        Ok(Box::new(CohortModel::of(common, saved.field("period")?, cohorts)))
    });
}
