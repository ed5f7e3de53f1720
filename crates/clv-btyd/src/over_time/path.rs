//! One customer's covariates from the first purchase on, in pieces over which they are constant.

/// A customer's past.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Repeat purchases.
    pub x: f64,
    /// When they were, in time units from the first purchase on.
    pub times: Vec<f64>,
    /// Pieces up to the cut; one of them ends at the last purchase.
    pub pieces: Pieces,
    /// The first piece after the last purchase.
    pub silent: usize,
    /// The row of terms at each purchase, the first one's too.
    pub at: Vec<usize>,
}

impl Path {
    /// Somebody with the same first purchase and the same columns until the same cut, who bought again at these times after it.
    pub(crate) fn with_purchases(&self, times: &[f64]) -> Self {
        let last = times.last().copied().unwrap_or(0.0);
        let mut pieces = Pieces { terms: self.pieces.terms, ..Pieces::default() };
        let (mut ends, mut silent, mut start) = (Vec::new(), None, 0.0);
        for piece in 0..self.pieces.len() {
            let (row, length) = (self.pieces.row(piece), self.pieces.length[piece]);
            let end = start + length;
            if length <= 0.0 {
                continue;
            }
            // One of them ends at the last purchase.
            if start < last && last < end {
                pieces.push(last - start, row, false);
                ends.push(last);
                start = last;
            }
            if silent.is_none() && start >= last {
                silent = Some(pieces.len());
            }
            pieces.push(end - start, row, false);
            ends.push(end);
            start = end;
        }
        let silent = silent.unwrap_or(pieces.len());
        let mut at = Vec::with_capacity(times.len() + 1);
        // A row for the first purchase, where nothing of the time is left.
        if let Some(&first) = self.at.first() {
            pieces.push(0.0, self.pieces.row(first), false);
            at.push(pieces.len() - 1);
        }
        let most = ends.len().saturating_sub(1);
        at.extend(times.iter().map(|t| ends.partition_point(|end| end < t).min(most)));
        Self { x: times.len() as f64, times: times.to_vec(), pieces, silent, at }
    }
}

/// Pieces of time with the terms that hold over them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pieces {
    pub length: Vec<f64>,
    /// A row of terms for each piece.
    pub rows: Vec<f64>,
    pub terms: usize,
}

impl Pieces {
    pub(crate) fn len(&self) -> usize {
        self.length.len()
    }

    pub(crate) fn row(&self, piece: usize) -> &[f64] {
        &self.rows[piece * self.terms..(piece + 1) * self.terms]
    }

    /// Adds a piece, to the last one if nothing has changed and that is allowed.
    pub(crate) fn push(&mut self, length: f64, row: &[f64], may_join: bool) {
        if may_join && self.len() > 0 && self.row(self.len() - 1) == row {
            self.length.last_mut().into_iter().for_each(|last| *last += length);
            return;
        }
        self.length.push(length);
        self.rows.extend(row);
    }
}

/// A coefficient: which term, and what it moves.
#[derive(Clone, Debug, PartialEq)]
pub struct Coefficient {
    pub term: usize,
    pub buys: bool,
    pub leaves: bool,
}

/// The two clocks at a moment: `A = ∫ e^{γz}` of purchases and `B = ∫ e^{δz}` of leaving, with their derivatives in the
/// coefficients.
#[derive(Clone, Debug)]
pub struct Clocks {
    pub a: f64,
    pub b: f64,
    pub a_e: Vec<f64>,
    pub b_e: Vec<f64>,
    /// Second derivatives, row by row.
    pub a_ef: Vec<f64>,
    pub b_ef: Vec<f64>,
}

/// How fast the clocks go over a piece.
#[derive(Debug)]
pub struct Pace {
    pub a: f64,
    pub b: f64,
    /// `ln b`.
    pub ln_b: f64,
    /// The term of each coefficient, where it acts.
    pub a_z: Vec<f64>,
    pub b_z: Vec<f64>,
}

impl Pace {
    pub(crate) fn new(coefficients: usize) -> Self {
        Self { a: 1.0, b: 1.0, ln_b: 0.0, a_z: vec![0.0; coefficients], b_z: vec![0.0; coefficients] }
    }

    pub(crate) fn set(&mut self, of: &[Coefficient], values: &[f64], row: &[f64]) {
        let (mut ln_a, mut ln_b) = (0.0, 0.0);
        for (e, coefficient) in of.iter().enumerate() {
            let z = row[coefficient.term];
            self.a_z[e] = if coefficient.buys { z } else { 0.0 };
            self.b_z[e] = if coefficient.leaves { z } else { 0.0 };
            ln_a += values[e] * self.a_z[e];
            ln_b += values[e] * self.b_z[e];
        }
        (self.a, self.b, self.ln_b) = (ln_a.exp(), ln_b.exp(), ln_b);
    }
}

impl Clocks {
    pub(crate) fn new(coefficients: usize) -> Self {
        let (line, square) = (vec![0.0; coefficients], vec![0.0; coefficients * coefficients]);
        Self { a: 0.0, b: 0.0, a_e: line.clone(), b_e: line, a_ef: square.clone(), b_ef: square }
    }

    /// Lets time pass.
    pub(crate) fn advance(&mut self, time: f64, pace: &Pace) {
        let (a, b) = (pace.a * time, pace.b * time);
        self.a += a;
        self.b += b;
        let n = self.a_e.len();
        for e in 0..n {
            self.a_e[e] += a * pace.a_z[e];
            self.b_e[e] += b * pace.b_z[e];
            for f in e..n {
                self.a_ef[e * n + f] += a * pace.a_z[e] * pace.a_z[f];
                self.b_ef[e * n + f] += b * pace.b_z[e] * pace.b_z[f];
            }
        }
    }

    /// Becomes another after some time.
    pub(crate) fn set_after(&mut self, from: &Self, time: f64, pace: &Pace) {
        (self.a, self.b) = (from.a, from.b);
        self.a_e.copy_from_slice(&from.a_e);
        self.b_e.copy_from_slice(&from.b_e);
        self.a_ef.copy_from_slice(&from.a_ef);
        self.b_ef.copy_from_slice(&from.b_ef);
        self.advance(time, pace);
    }
}
