//! Which of the candidates, and in which shape.

use clv_core::backtest::{Backtest, Scores};
use clv_core::metrics::bootstrap::{Interval, interval_by_weights};
use clv_core::metrics::{Pairs, errors, ranking};
use clv_core::model::Shape;
use clv_core::tune::Objective;
use clv_core::{Context, Error};

use super::families::Scope;
use super::{Chosen, Gain, What, said};

/// What a candidate forecast of each holdout of the search.
pub(super) struct Candidate {
    pub chosen: Chosen,
    said: Vec<Vec<f64>>,
    /// Scores in its best shape, and how far from perfect that is.
    scores: Vec<Scores>,
    pub loss: f64,
}

/// By how much forecasts may be made smaller or larger, and flatter or steeper, at first; then in half steps about the best.
const SCALES: [f64; 7] = [0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3];
const POWERS: [f64; 6] = [0.7, 0.85, 1.0, 1.15, 1.3, 1.5];

/// The holdouts of the search, and what a forecast of them is compared with.
pub(super) struct Judge<'a> {
    holdouts: &'a [Backtest<'a>],
    objective: Objective,
    /// Of forecasting the mean for everybody.
    means: Vec<Scores>,
    /// Of the best of the models as they come, averaged over the holdouts.
    reference: Option<[f64; 5]>,
}

/// What is as good as the reference on the holdouts of the search is worse on every second of the next: by this much it must
/// be better.
const MARGIN: f64 = 0.02;

/// A mean of at most so many, counted as often as they were taken.
const MEMBERS: usize = 10;

/// The scores that a balanced forecast is to be good at alike.
const PARTS: [Objective; 5] =
    [Objective::Mae, Objective::Rmse, Objective::Gini, Objective::Spearman, Objective::DecileMape];

impl<'a> Judge<'a> {
    pub(super) fn new(holdouts: &'a [Backtest<'a>], objective: Objective) -> Result<Self, Error> {
        let mean = |holdout: &Backtest<'_>| {
            let actual = actual(holdout);
            Scores::of(actual, &vec![actual.iter().sum::<f64>() / actual.len() as f64; actual.len()])
        };
        let means = holdouts.iter().map(mean).collect::<Result<_, _>>()?;
        Ok(Self { holdouts, objective, means, reference: None })
    }

    /// Fits a candidate on each holdout's past; none if it cannot be fitted on one.
    pub(super) fn hear(&self, chosen: &Chosen, scope: &Scope, cx: &Context<'_>) -> Result<Option<Candidate>, Error> {
        let mut all = Vec::new();
        let mut scores = Vec::new();
        for holdout in self.holdouts {
            let Ok(forecast) = said(holdout, &chosen.settings(holdout.split().horizon(), scope)?, cx) else {
                return Ok(None);
            };
            scores.push(Scores::of(actual(holdout), &forecast)?);
            all.push(forecast);
        }
        let loss = self.loss(&scores);
        Ok(Some(Candidate { chosen: chosen.clone(), said: all, scores, loss }))
    }

    /// From here on a balanced forecast is to be worse than this one at nothing.
    pub(super) fn refer_to(&mut self, reference: &Candidate) {
        self.reference = Some(PARTS.map(|part| self.mean_loss(part, &reference.scores)));
    }

    fn mean_loss(&self, objective: Objective, scores: &[Scores]) -> f64 {
        let losses = scores.iter().zip(&self.means).map(|(scores, mean)| objective.loss(scores, mean));
        losses.sum::<f64>() / scores.len() as f64
    }

    /// The objective; a balanced one also by what each of its parts is worse than the reference's.
    fn loss(&self, scores: &[Scores]) -> f64 {
        let loss = self.mean_loss(self.objective, scores);
        let (Objective::Balanced, Some(reference)) = (self.objective, &self.reference) else { return loss };
        let worse = PARTS.iter().zip(reference).map(|(part, reference)| {
            let most = (1.0 - MARGIN) * reference;
            if most > 0.0 { (self.mean_loss(*part, scores) / most - 1.0).max(0.0) } else { 0.0 }
        });
        loss + worse.sum::<f64>()
    }

    /// The mean of candidates that has the least loss: the best one, and then again and again the one (maybe the same)
    /// that lowers the loss of the mean most, as long as one does (ensemble selection, Caruana et al. 2004). None if that is
    /// a single one.
    pub(super) fn together(&self, pool: &[Candidate]) -> Result<Option<Candidate>, Error> {
        let mut taken = vec![0_u32; pool.len()];
        let mut sums: Vec<Vec<f64>> = self.holdouts.iter().map(|h| vec![0.0; actual(h).len()]).collect();
        let mut best: Option<Candidate> = None;
        for count in 1..=MEMBERS {
            let mut next: Option<(usize, Candidate)> = None;
            for (place, one) in pool.iter().enumerate() {
                let with = |(sum, own): (&Vec<f64>, &Vec<f64>)| -> Vec<f64> {
                    sum.iter().zip(own).map(|(sum, own)| (sum + own) / count as f64).collect()
                };
                let said: Vec<Vec<f64>> = sums.iter().zip(&one.said).map(with).collect();
                let scored = self.holdouts.iter().zip(&said).map(|(h, said)| Scores::of(actual(h), said));
                let scores = scored.collect::<Result<Vec<_>, _>>()?;
                let loss = self.loss(&scores);
                if next.as_ref().is_none_or(|(_, next)| loss < next.loss) {
                    next = Some((place, Candidate { chosen: one.chosen.clone(), said, scores, loss }));
                }
            }
            let Some((place, next)) = next else { break };
            if best.as_ref().is_some_and(|best| next.loss >= best.loss) {
                break;
            }
            taken[place] += 1;
            for (sum, own) in sums.iter_mut().zip(&pool[place].said) {
                sum.iter_mut().zip(own).for_each(|(sum, own)| *sum += own);
            }
            best = Some(next);
        }
        let total: u32 = taken.iter().sum();
        let members = pool.iter().zip(&taken).filter(|(_, taken)| **taken > 0);
        let members: Vec<_> = members
            .filter_map(|(one, taken)| match &one.chosen.what {
                What::Single(trial) => Some((trial.clone(), f64::from(*taken) / f64::from(total))),
                What::Mean(_) => None,
            })
            .collect();
        let mean = Chosen::of(What::Mean(members));
        Ok(best.filter(|_| taken.iter().filter(|t| **t > 0).count() > 1).map(|best| Candidate { chosen: mean, ..best }))
    }

    /// The shape that lowers a candidate's loss most: first of all, then in half steps about the best.
    pub(super) fn shape(&self, candidate: &mut Candidate) -> Result<(), Error> {
        let plain = candidate.scores.clone();
        candidate.loss = self.loss(&plain);
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
                let scores = self.reshaped(candidate, &plain, shape)?;
                let loss = self.loss(&scores);
                if loss < candidate.loss {
                    (candidate.loss, candidate.scores) = (loss, scores);
                    candidate.chosen.shape = Some(shape);
                    (scale, power) = (a, b);
                }
            }
            if round == 0 {
                tries = grid(vec![scale - 0.05, scale, scale + 0.05], vec![power - 0.07, power, power + 0.07]);
            }
        }
        Ok(())
    }

    fn reshaped(&self, candidate: &Candidate, plain: &[Scores], shape: Shape) -> Result<Vec<Scores>, Error> {
        let of = |((holdout, said), plain): ((&Backtest<'_>, &Vec<f64>), &Scores)| {
            let forecast = shaped(said, Some(shape));
            let pairs = Pairs::new(actual(holdout), &forecast)?;
            // The order of customers stays.
            let mut scores = plain.clone();
            (scores.mae, scores.rmse) = (errors::mae(&pairs), errors::rmse(&pairs));
            scores.decile_mape = ranking::decile_mape(&pairs);
            Ok(scores)
        };
        self.holdouts.iter().zip(&candidate.said).zip(plain).map(of).collect()
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
            let (ours, theirs) =
                (shaped(&of.said[place], of.chosen.shape), shaped(&over.said[place], over.chosen.shape));
            let even = vec![actual.iter().sum::<f64>() / actual.len() as f64; actual.len()];
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

fn shaped(said: &[f64], shape: Option<Shape>) -> Vec<f64> {
    let Some(shape) = shape else { return said.to_vec() };
    let mean = said.iter().sum::<f64>() / said.len() as f64;
    said.iter().map(|v| shape.of(*v, mean)).collect()
}
