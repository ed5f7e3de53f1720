//! Which of the candidates, and in which shape.

use clv_core::backtest::{Backtest, Scores};
use clv_core::metrics::bootstrap::{Interval, interval_by_weights};
use clv_core::metrics::{Pairs, errors, ranking};
use clv_core::model::Shape;
use clv_core::tune::Objective;
use clv_core::{Context, Error};

use super::families::Scope;
use super::{Chosen, Gain, Member, Said, What, defined, said};

/// What a candidate forecast of each holdout of the search, and how good that was; both in no shape yet.
#[derive(Clone)]
pub(super) struct Candidate {
    pub chosen: Chosen,
    said: Vec<Said>,
    scores: Vec<Scores>,
}

/// By how much forecasts may be made smaller or larger, and flatter or steeper, at first; then in half steps about the best.
const SCALES: [f64; 7] = [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3];
const POWERS: [f64; 6] = [0.7, 0.85, 1.0, 1.15, 1.3, 1.5];

/// By what a member is multiplied.
#[derive(Clone, Copy)]
struct Correction {
    purchases: f64,
    judged: f64,
}

/// The holdouts of the search, and what a forecast of them is compared with.
pub(super) struct Judge<'a> {
    holdouts: &'a [Backtest<'a>],
    objective: Objective,
    /// Of forecasting the mean for everybody.
    means: Vec<Scores>,
}

/// The models of the process count as so many of a mean's members, of which there are at most so many.
const ANCHOR: f64 = 4.0;
const MEMBERS: f64 = 10.0;

impl<'a> Judge<'a> {
    pub(super) fn new(holdouts: &'a [Backtest<'a>], objective: Objective) -> Result<Self, Error> {
        let mean = |holdout: &Backtest<'_>| {
            let actual = actual(holdout);
            Scores::of(actual, &mean_for_all(actual))
        };
        let means = holdouts.iter().map(mean).collect::<Result<_, _>>()?;
        Ok(Self { holdouts, objective, means })
    }

    /// Fits a candidate on each holdout's past; none if it cannot be fitted on one.
    pub(super) fn hear(
        &self,
        chosen: Chosen,
        scope: &Scope,
        cx: &Context<'_>,
    ) -> Result<Option<Candidate>, Error> {
        let mut all = Vec::new();
        let mut scores = Vec::new();
        for holdout in self.holdouts {
            let Ok(forecast) = said(holdout, &chosen.settings(holdout.split().horizon(), scope)?, cx) else {
                return Ok(None);
            };
            scores.push(Scores::of(actual(holdout), &defined(&forecast.judged))?);
            all.push(forecast);
        }
        Ok(Some(Candidate { chosen, said: all, scores }))
    }

    fn mean_loss(&self, objective: Objective, scores: &[Scores]) -> f64 {
        let losses = scores.iter().zip(&self.means).map(|(scores, mean)| objective.loss(scores, mean));
        losses.sum::<f64>() / scores.len() as f64
    }

    /// The objective; a balanced one also by what each of its parts is worse than the anchor's.
    fn loss_beside(&self, anchor: Option<&[Scores]>, scores: &[Scores]) -> f64 {
        let loss = self.mean_loss(self.objective, scores);
        let (Objective::Balanced, Some(anchor)) = (self.objective, anchor) else { return loss };
        let worse = Objective::PARTS.map(|part| {
            let least = self.mean_loss(part, anchor);
            if least > 0.0 { (self.mean_loss(part, scores) / least - 1.0).max(0.0) } else { 0.0 }
        });
        loss + worse.iter().sum::<f64>()
    }

    /// A weighted mean of candidates: the models of the process, evenly, `ANCHOR` times, and then again and again the
    /// one (maybe the same) that lowers the loss most, as long as one does (ensemble selection, Caruana et al. 2004).
    ///
    /// The anchor is what holds when seasons change: what learners know of one season they take for granted in the
    /// next. A balanced mean is to be worse than the anchor at nothing. Each member is moved half the way to
    /// the totals that came in the holdouts; the other half is taken for chance. None of fewer than two candidates.
    pub(super) fn together(&self, pool: &[Candidate]) -> Result<Option<Candidate>, Error> {
        if pool.len() < 2 {
            return Ok(None);
        }
        let of_process: Vec<usize> =
            (0..pool.len()).filter(|&place| pool[place].chosen.is_of_process()).collect();
        let corrections: Vec<Correction> = pool.iter().map(|one| self.correction(one)).collect();
        let mut shares = vec![0.0; pool.len()];
        let mut total = 0.0;
        for &place in &of_process {
            shares[place] = ANCHOR / of_process.len() as f64;
            total = ANCHOR;
        }
        let mut anchor: Option<Vec<Scores>> = None;
        let mut best: Option<(f64, Vec<Scores>, Vec<Said>)> = None;
        if total > 0.0 {
            let uncorrected = vec![Correction { purchases: 1.0, judged: 1.0 }; pool.len()];
            anchor = Some(self.mix(pool, &shares, &uncorrected, total)?.0);
            let (scores, said) = self.mix(pool, &shares, &corrections, total)?;
            best = Some((self.loss_beside(anchor.as_deref(), &scores), scores, said));
        }
        while total < MEMBERS {
            let mut next = None;
            for place in 0..pool.len() {
                shares[place] += 1.0;
                let (scores, said) = self.mix(pool, &shares, &corrections, total + 1.0)?;
                shares[place] -= 1.0;
                let loss = self.loss_beside(anchor.as_deref(), &scores);
                if next.as_ref().is_none_or(|(_, least, _, _)| loss < *least) {
                    next = Some((place, loss, scores, said));
                }
            }
            let Some((place, loss, scores, said)) = next else { break };
            if best.as_ref().is_some_and(|(least, _, _)| loss >= *least) {
                break;
            }
            shares[place] += 1.0;
            total += 1.0;
            best = Some((loss, scores, said));
        }
        let members = pool.iter().zip(&shares).zip(&corrections).filter(|((_, share), _)| **share > 0.0);
        let members: Vec<_> = members
            .filter_map(|((one, share), correction)| match &one.chosen.what {
                What::Single(trial) => Some(Member {
                    trial: trial.clone(),
                    in_purchases: share / total * correction.purchases,
                    in_judged: share / total * correction.judged,
                }),
                What::Mean(_) => None,
            })
            .collect();
        let chosen = Chosen::of(What::Mean(members));
        Ok(best.map(|(_, scores, said)| Candidate { chosen, said, scores }))
    }

    /// The square root of what came over what was forecast, in the geometric mean of the holdouts.
    fn correction(&self, candidate: &Candidate) -> Correction {
        let log = |came: &[f64], said: &[f64]| {
            let (came, said) = (came.iter().sum::<f64>(), said.iter().sum::<f64>());
            if came > 0.0 && said > 0.0 { 0.5 * (came / said).ln() / self.holdouts.len() as f64 } else { 0.0 }
        };
        let (mut purchases, mut judged) = (0.0, 0.0);
        for (holdout, said) in self.holdouts.iter().zip(&candidate.said) {
            purchases += log(holdout.actual_purchases(), &said.purchases);
            judged += log(actual(holdout), &defined(&said.judged));
        }
        Correction { purchases: purchases.exp(), judged: judged.exp() }
    }

    /// Scores and forecasts of a weighted mean.
    fn mix(
        &self,
        pool: &[Candidate],
        shares: &[f64],
        corrections: &[Correction],
        total: f64,
    ) -> Result<(Vec<Scores>, Vec<Said>), Error> {
        let mut said = Vec::with_capacity(self.holdouts.len());
        let mut scores = Vec::with_capacity(self.holdouts.len());
        for (place, holdout) in self.holdouts.iter().enumerate() {
            let count = actual(holdout).len();
            let mut mean = Said { judged: vec![0.0; count], purchases: vec![0.0; count] };
            for ((one, share), correction) in pool.iter().zip(shares).zip(corrections) {
                if *share > 0.0 {
                    let add = |to: &mut [f64], said: &[f64], correction: f64| {
                        let weight = share / total * correction;
                        // Undefined by one of them is undefined, as in the stack that is made of them.
                        to.iter_mut().zip(said).for_each(|(sum, said)| *sum += weight * said);
                    };
                    add(&mut mean.judged, &one.said[place].judged, correction.judged);
                    add(&mut mean.purchases, &one.said[place].purchases, correction.purchases);
                }
            }
            scores.push(Scores::of(actual(holdout), &defined(&mean.judged))?);
            said.push(mean);
        }
        Ok((scores, said))
    }

    /// The shape that lowers a candidate's loss most: first of all, then in half steps about the best. A balanced forecast
    /// keeps its own.
    pub(super) fn shape(&self, candidate: &mut Candidate) -> Result<(), Error> {
        if self.objective == Objective::Balanced {
            return Ok(());
        }
        let mut least = self.mean_loss(self.objective, &candidate.scores);
        let (mut scale, mut power) = (1.0, 1.0);
        let grid = |scales: Vec<f64>, powers: Vec<f64>| -> Vec<(f64, f64)> {
            scales.iter().flat_map(|a| powers.iter().map(move |b| (*a, *b))).collect()
        };
        let mut tries = grid(SCALES.to_vec(), POWERS.to_vec());
        for round in 0..2 {
            for &(a, b) in &tries {
                if (a, b) == (1.0, 1.0) {
                    continue;
                }
                let shape = Shape::new(a, b)?;
                let loss = self.mean_loss(self.objective, &self.reshaped(candidate, shape)?);
                if loss < least {
                    least = loss;
                    candidate.chosen.shape = Some(shape);
                    (scale, power) = (a, b);
                }
            }
            if round == 0 {
                tries =
                    grid(vec![scale - 0.05, scale, scale + 0.05], vec![power - 0.07, power, power + 0.07]);
            }
        }
        Ok(())
    }

    fn reshaped(&self, candidate: &Candidate, shape: Shape) -> Result<Vec<Scores>, Error> {
        let of = |((holdout, said), plain): ((&Backtest<'_>, &Said), &Scores)| {
            let forecast = shaped(&defined(&said.judged), Some(shape));
            let pairs = Pairs::new(actual(holdout), &forecast)?;
            // The order of customers stays.
            let mut scores = *plain;
            (scores.mae, scores.rmse) = (errors::mae(&pairs), errors::rmse(&pairs));
            scores.decile_mape = ranking::decile_mape(&pairs);
            Ok(scores)
        };
        self.holdouts.iter().zip(&candidate.said).zip(&candidate.scores).map(of).collect()
    }

    /// By how much one candidate's objective is lower than another's, give or take a standard error over
    /// customers; that of one holdout, as they share customers.
    pub(super) fn gain(
        &self,
        of: &Candidate,
        over: &Candidate,
        (draws, seed): (usize, u64),
    ) -> Result<Option<Gain>, Error> {
        let (mut estimate, mut error) = (0.0, 0.0);
        for (place, holdout) in self.holdouts.iter().enumerate() {
            let actual = actual(holdout);
            let forecast = |of: &Candidate| shaped(&defined(&of.said[place].judged), of.chosen.shape);
            let (ours, theirs) = (forecast(of), forecast(over));
            let even = mean_for_all(actual);
            let scores = |forecast: &[f64], weights: &[f64]| {
                let pairs = Pairs::new(actual, forecast).and_then(|pairs| pairs.weighted(weights)).ok()?;
                Some(Scores::of_pairs(&pairs))
            };
            let loss = |forecast: &[f64], weights: &[f64]| {
                Some(self.objective.loss(&scores(forecast, weights)?, &scores(&even, weights)?))
            };
            let gain = |weights: &[f64]| Some(loss(&theirs, weights)? - loss(&ours, weights)?);
            let ones = vec![1.0; actual.len()];
            // Where a normal distribution has one standard deviation on either side.
            let found = interval_by_weights(&ones, gain, draws, 0.6827, seed)?;
            let Some(Interval { estimate: one, lower, upper }) = found else { return Ok(None) };
            estimate += one / self.holdouts.len() as f64;
            error += (upper - lower) / 2.0 / self.holdouts.len() as f64;
        }
        Ok(Some(Gain { estimate, error }))
    }
}

/// What is judged of a holdout: value if there are amounts, else purchases.
pub(super) fn actual<'a>(holdout: &'a Backtest<'_>) -> &'a [f64] {
    holdout.actual_value().unwrap_or_else(|| holdout.actual_purchases())
}

fn mean_for_all(actual: &[f64]) -> Vec<f64> {
    vec![actual.iter().sum::<f64>() / actual.len() as f64; actual.len()]
}

fn shaped(said: &[f64], shape: Option<Shape>) -> Vec<f64> {
    let Some(shape) = shape else { return said.to_vec() };
    let mean = said.iter().sum::<f64>() / said.len() as f64;
    said.iter().map(|v| shape.of(*v, mean)).collect()
}
