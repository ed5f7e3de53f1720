//! Drawing customers and their population in turn.

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
    /// By how much shifts and stretches move, on average: learned only while `learns`.
    moved: [[f64; MOST]; 2],
    pub learns: bool,
    own_process: std::marker::PhantomData<O>,
}

impl<'a, O: Own, P: Population> State<'a, O, P> {
    pub(super) fn start(population: P, seen: &'a [Seen], columns: &'a [f64], centre: f64) -> Self {
        let first = |seen: &Seen| {
            let mut own = [0.0; MOST];
            own[0] = ((seen.x + 0.5) / (seen.age + 0.5 / centre.exp())).ln();
            own[1] = centre;
            own
        };
        let own = seen.iter().map(first).collect();
        let width = columns.len() / seen.len().max(1);
        let own_process = std::marker::PhantomData;
        Self { population, own, seen, columns, width, moved: [[0.1; MOST]; 2], learns: true, own_process }
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
        for d in 0..O::NAMES.len() {
            self.shift(d, rng);
            self.stretch(d, rng);
        }
    }

    /// Customers and the middle of the population together.
    fn shift(&mut self, d: usize, rng: &mut ChaCha8Rng) {
        let ln_density = |by: f64| {
            let mut population = self.population.clone();
            population.shift(d, by);
            let of = |(own, seen): (&Logs, &Seen)| {
                let mut own = *own;
                own[d] += by;
                O::ln_likelihood(&own, seen)
            };
            population.ln_prior() + self.own.iter().zip(self.seen).map(of).sum::<f64>()
        };
        let by = slice(0.0, ln_density(0.0), 2.0 * self.moved[0][d], ln_density, rng).0;
        self.learn(0, d, by);
        self.population.shift(d, by);
        self.own.iter_mut().for_each(|own| own[d] += by);
    }

    fn learn(&mut self, kind: usize, d: usize, by: f64) {
        if self.learns {
            let moved = &mut self.moved[kind][d];
            *moved += 0.05 * (by.abs() - *moved);
        }
    }

    /// The spread of customers and of the population together.
    fn stretch(&mut self, d: usize, rng: &mut ChaCha8Rng) {
        let stretched = |own: &Logs, row: usize, by: f64| {
            let middle = self.population.middle(d, self.row(row));
            let mut own = *own;
            own[d] = middle + by.exp() * (own[d] - middle);
            own
        };
        let ln_density = |by: f64| {
            let mut population = self.population.clone();
            population.stretch(d, by);
            let of = |(i, own): (usize, &Logs)| {
                let own = stretched(own, i, by);
                O::ln_likelihood(&own, &self.seen[i]) + population.ln_density(&own, self.row(i)) + by
            };
            population.ln_prior()
                + population.ln_jacobian(by)
                + self.own.iter().enumerate().map(of).sum::<f64>()
        };
        let by = slice(0.0, ln_density(0.0), 2.0 * self.moved[1][d], ln_density, rng).0;
        let own: Vec<Logs> = self.own.iter().enumerate().map(|(i, own)| stretched(own, i, by)).collect();
        self.learn(1, d, by);
        self.population.stretch(d, by);
        self.own = own;
    }
}

/// Draws each of a customer's parameters given the others and the population.
pub(super) fn move_own<O: Own, P: Population>(
    own: &mut Logs,
    seen: &Seen,
    population: &P,
    columns: &[f64],
    rng: &mut ChaCha8Rng,
) {
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
