//! The covariates of customers, piece by piece.

use clv_core::{Error, FeatureMatrix, Moment, Names, Summary, TimeUnit, Timelines, Training};

use super::path::{Path, Pieces};
use crate::covariates::{Term, Words, expect_words};

/// The covariates of a log's customers, by name of the column.
pub(super) struct Known<'a> {
    pub timelines: &'a [&'a Timelines],
    pub terms: &'a [Term],
    /// Of each term what is taken off it and what it is divided by.
    pub scaling: &'a [(f64, f64)],
    /// Columns that are known all along, of each customer.
    pub fixed: FeatureMatrix,
}

impl Known<'_> {
    fn value(&self, name: &str, customer: &str, row: usize, at: Moment) -> f64 {
        for timelines in self.timelines {
            if let Some(place) = timelines.position(name) {
                return timelines.line(customer).at(at, timelines.columns().len())[place];
            }
        }
        self.fixed.position(name).map_or(f64::NAN, |place| self.fixed.row(row)[place])
    }

    fn row(&self, customer: &str, row: usize, at: Moment) -> Result<Vec<f64>, Error> {
        let of = |name: &str| self.value(name, customer, row, at);
        let one = |term: &Term| {
            let value = term.value(of);
            if value.is_finite() {
                return Ok(value);
            }
            let column = term.unknown(of);
            Err(Error::Attribute {
                whose: customer.to_owned(),
                attribute: column.to_owned(),
                given: of(column).to_string(),
                allowed: "known and finite, above 0 for a logarithm",
            })
        };
        let scaled = |(value, (centre, scale)): (f64, &(f64, f64))| (value - centre) / scale;
        let row: Vec<f64> = self.terms.iter().map(one).collect::<Result<_, Error>>()?;
        Ok(row.into_iter().zip(self.scaling).map(scaled).collect())
    }

    /// Pieces over `(from, to]`, with a boundary at each of these moments.
    pub(super) fn pieces(
        &self,
        customer: &str,
        row: usize,
        (from, to): (Moment, Moment),
        bounds: &[Moment],
        unit: TimeUnit,
    ) -> Result<Pieces, Error> {
        for timelines in self.used() {
            timelines.expect(customer, from, to)?;
        }
        let mut all: Vec<Moment> = self
            .used()
            .flat_map(|timelines| timelines.line(customer).changes(from, to).iter().copied())
            .chain(bounds.iter().copied().filter(|m| *m > from && *m < to))
            .chain([from, to])
            .collect();
        all.sort_unstable();
        all.dedup();
        let mut pieces = Pieces { terms: self.terms.len(), ..Pieces::default() };
        for pair in all.windows(2) {
            let length = pair[1].days_since(pair[0]) / unit.days();
            let may_join = !bounds.contains(&pair[0]);
            pieces.push(length, &self.row(customer, row, pair[0])?, may_join);
        }
        Ok(pieces)
    }

    /// Those that a term reads.
    fn used(&self) -> impl Iterator<Item = &Timelines> {
        let read = |t: &&&Timelines| {
            self.terms.iter().flat_map(Term::columns).any(|column| t.position(column).is_some())
        };
        self.timelines.iter().filter(read).copied()
    }
}

pub(super) fn known<'a>(
    training: &Training<'_>,
    timelines: &'a [&'a Timelines],
    (terms, words, scaling): (&'a [Term], &[Words], &'a [(f64, f64)]),
) -> Result<Known<'a>, Error> {
    let is_over_time = |column: &str| timelines.iter().any(|t| t.position(column).is_some());
    let mut needs = Term::needs(terms, words);
    needs.retain(|feature| !is_over_time(&feature.name()));
    let fixed = training.features(&needs)?;
    for row in 0..fixed.rows() {
        let of = |name: &str| fixed.position(name).map_or(f64::NAN, |place| fixed.row(row)[place]);
        expect_words(words, of, row)?;
    }
    Ok(Known { timelines, terms, scaling, fixed })
}

/// The past of a customer of the summary.
pub(super) fn path(
    known: &Known<'_>,
    training: &Training<'_>,
    names: &Names,
    row: usize,
) -> Result<(Path, Moment), Error> {
    let needs = "the log itself: histories do not tell when customers bought";
    let model = "covariates over time";
    let purchases = training.purchases().ok_or(Error::TooLittleData { model, needs, found: 0 })?;
    let Summary { customer, age, cut, unit, .. } = training.summary();
    let when = purchases.when(customer[row]);
    let when = &when[..when.partition_point(|m| *m <= cut.last())];
    let (first, last) = (when[0], when[when.len() - 1]);
    let name = names.name(customer[row]);
    // What the age says is the end.
    let end = first.plus_days(age[row] * unit.days());
    let mut pieces = known.pieces(name, row, (first, end), &[last], *unit)?;
    // A row for a purchase at the very end, where nothing of the time is left.
    let mut starts = Vec::with_capacity(pieces.len());
    let mut at = 0.0;
    for length in &pieces.length {
        starts.push(at);
        at += length;
    }
    let time = |m: &Moment| m.days_since(first) / unit.days();
    let silent = starts.partition_point(|start| *start < time(&last) - 1e-9);
    let mut rows = Vec::with_capacity(when.len());
    for moment in when {
        let place = starts.partition_point(|start| *start <= time(moment) + 1e-9);
        let own = known.row(name, row, *moment)?;
        match place.checked_sub(1).filter(|&place| pieces.row(place) == own) {
            Some(place) => rows.push(place),
            None => {
                pieces.push(0.0, &own, false);
                rows.push(pieces.len() - 1);
            }
        }
    }
    let x = (when.len() - 1) as f64;
    let times = when[1..].iter().map(time).collect();
    Ok((Path { x, times, pieces, silent, at: rows }, end))
}
