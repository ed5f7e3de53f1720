//! Drawing customers and their population in turn.

use clv_math::linalg::symmetric_eigen;
use rand_chacha::ChaCha8Rng;

use super::own::{Logs, MOST, Own, Seen};
use super::population::Population;
use crate::simulate::uniform;

/// How often a slice is widened on either side together.
const STEPS: u32 = 12;

/// Moves a value within the slice under its density (Neal 2003, figures 3 and 5), and tells the density there.
pub(super) fn slice(
    at: f64,
    ln_at: f64,
    width: f64,
    mut ln_density: impl FnMut(f64) -> f64,
    rng: &mut ChaCha8Rng,
) -> (f64, f64) {
    let level = ln_at + (1.0 - uniform(rng)).ln();
    let mut left = at - width * uniform(rng);
    let mut right = left + width;
    // So many steps in all, shared out at random, leave the density as it is.
    let steps = (f64::from(STEPS) * uniform(rng)) as u32;
    for _ in 0..steps {
        if ln_density(left) <= level {
            break;
        }
        left -= width;
    }
    for _ in steps..STEPS - 1 {
        if ln_density(right) <= level {
            break;
        }
        right += width;
    }
    loop {
        let next = left + (right - left) * uniform(rng);
        let ln_next = ln_density(next);
        if ln_next > level {
            return (next, ln_next);
        }
        if next < at {
            left = next
        } else {
            right = next
        }
        if right - left <= 1e-13 * (1.0 + at.abs()) {
            return (at, ln_at);
        }
    }
}

/// Customers and a population, as far as they were drawn.
pub(super) struct State<'a, O, P> {
    pub population: P,
    pub own: Vec<Logs>,
    seen: &'a [Seen],
    /// Row by row, the first column being 1 if there are any.
    columns: &'a [f64],
    width: usize,
    /// Along which customers and population are moved together: shifts and stretches of each parameter in turn.
    ways: Vec<Vec<f64>>,
    /// Middles and logarithms of spreads, round by round, while the ways are learned.
    rounds: Vec<Vec<f64>>,
    own_process: std::marker::PhantomData<O>,
}

/// How far a way reaches that was not learned.
const REACH: f64 = 0.1;
/// Rounds after which ways are learned, of those since the last time; the first leave the start behind.
const LEARNED: [usize; 4] = [60, 150, 300, 500];

impl<'a, O: Own, P: Population> State<'a, O, P> {
    pub(super) fn start(population: P, seen: &'a [Seen], columns: &'a [f64], centre: f64) -> Self {
        let first = |seen: &Seen| {
            let mut own = [0.0; MOST];
            own[0] = ((seen.x + 0.5) / (seen.age + 0.5 / centre.exp())).ln();
            own[1] = centre;
            own
        };
        let n = 2 * O::NAMES.len();
        let ways = (0..n).map(|i| (0..n).map(|j| if i == j { REACH } else { 0.0 }).collect()).collect();
        Self {
            population,
            own: seen.iter().map(first).collect(),
            seen,
            columns,
            width: columns.len() / seen.len().max(1),
            ways,
            rounds: Vec::new(),
            own_process: std::marker::PhantomData,
        }
    }

    fn row(&self, i: usize) -> &'a [f64] {
        &self.columns[i * self.width..(i + 1) * self.width]
    }

    /// One round.
    pub(super) fn sweep(&mut self, rng: &mut ChaCha8Rng) {
        for i in 0..self.seen.len() {
            let (mut own, columns) = (self.own[i], self.row(i));
            move_own::<O, P>(&mut own, &self.seen[i], &self.population, columns, rng);
            self.own[i] = own;
        }
        self.population.draw(&self.own, self.columns, rng);
        for way in 0..self.ways.len() {
            self.move_all(way, rng);
        }
    }

    /// One round, of which the ways are learned: not one to draw from.
    pub(super) fn warm_up(&mut self, rng: &mut ChaCha8Rng) {
        self.sweep(rng);
        let now = (0..O::NAMES.len()).flat_map(|d| <[f64; 2]>::from(self.population.place(d)));
        self.rounds.push(now.collect());
        let count = self.rounds.len();
        if let Some(which) = LEARNED.iter().position(|&round| round == count) {
            let since = if which == 0 { count / 3 } else { LEARNED[which - 1] / 2 };
            self.learn(since);
        }
    }

    /// Principal axes of the places since a round, as long as their standard deviations.
    fn learn(&mut self, since: usize) {
        let (seen, n) = (&self.rounds[since..], 2 * O::NAMES.len());
        let count = seen.len() as f64;
        let mean: Vec<f64> = (0..n).map(|i| seen.iter().map(|h| h[i]).sum::<f64>() / count).collect();
        let entry = |i: usize, j: usize| {
            seen.iter().map(|h| (h[i] - mean[i]) * (h[j] - mean[j])).sum::<f64>() / count
        };
        let covariance: Vec<f64> = (0..n * n).map(|e| entry(e / n, e % n)).collect();
        let (values, vectors) = symmetric_eigen(&covariance, n);
        let long = |(value, vector): (&f64, &Vec<f64>)| {
            let reach = value.max(1e-6).sqrt();
            vector.iter().map(|v| reach * v).collect()
        };
        self.ways = values.iter().zip(&vectors).map(long).collect();
    }

    /// Moves customers and population together along a way. Shifts and stretches form a group that commutes, so that a slice
    /// along any way through it leaves the posterior as it is.
    fn move_all(&mut self, way: usize, rng: &mut ChaCha8Rng) {
        let way = &self.ways[way];
        let moved = |own: &Logs, row: usize, by: f64| {
            let mut next = *own;
            for (d, way) in way.chunks(2).enumerate() {
                let middle = self.population.middle(d, self.row(row));
                next[d] = middle + by * way[0] + (by * way[1]).exp() * (own[d] - middle);
            }
            next
        };
        let population = |by: f64| {
            let mut population = self.population.clone();
            for (d, way) in way.chunks(2).enumerate() {
                population.shift(d, by * way[0]);
                population.stretch(d, by * way[1]);
            }
            population
        };
        let stretched: f64 = way.iter().skip(1).step_by(2).sum();
        let ln_density = |by: f64| {
            let next = population(by);
            let of = |(i, own): (usize, &Logs)| {
                let own = moved(own, i, by);
                O::ln_likelihood(&own, &self.seen[i]) + next.ln_density(&own, self.row(i))
            };
            let customers: f64 = self.own.iter().enumerate().map(of).sum();
            let jacobian = self.own.len() as f64 * by * stretched + next.ln_jacobian(by * stretched);
            next.ln_prior() + customers + jacobian
        };
        let by = slice(0.0, ln_density(0.0), 2.0, ln_density, rng).0;
        let own = self.own.iter().enumerate().map(|(i, own)| moved(own, i, by)).collect();
        (self.population, self.own) = (population(by), own);
    }
}

/// Who bought less than this tells so little that the population proposes them anew.
const FEW: f64 = 4.0;

/// Draws each of a customer's parameters given the others and the population.
pub(super) fn move_own<O: Own, P: Population>(
    own: &mut Logs,
    seen: &Seen,
    population: &P,
    columns: &[f64],
    rng: &mut ChaCha8Rng,
) {
    if seen.x < FEW {
        let next = population.draw_own(columns, rng);
        let better = O::ln_likelihood(&next, seen) - O::ln_likelihood(own, seen);
        // A rate of nothing, from a tiny shape, has no logarithm.
        if next.iter().all(|v| v.is_finite()) && uniform(rng).ln() < better {
            *own = next;
        }
    }
    let joint = |own: &Logs| O::ln_likelihood(own, seen) + population.ln_density(own, columns);
    let mut now = joint(own);
    // About as wide as what is known.
    let told = 2.0 / (1.0 + seen.x).sqrt();
    for d in 0..O::NAMES.len() {
        let width = if d == 1 { 2.0 } else { told };
        let mut next = *own;
        let ln_density = |v: f64| {
            next[d] = v;
            joint(&next)
        };
        (own[d], now) = slice(own[d], now, width, ln_density, rng);
    }
}
