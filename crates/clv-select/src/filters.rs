//! Column by column.

use clv_core::learn::Rows;
use clv_core::{Error, FeatureMatrix};
use ndarray_stats::CorrelationExt;

use crate::Selection;

/// Keeps columns whose standard deviation is more than `least` of their mean size: a column that is the
/// same in nearly all rows says nothing.
///
/// # Errors
///
/// [`Error::Cell`] for a value that is not finite.
///
/// ```
/// use clv_core::FeatureMatrix;
///
/// let rows = FeatureMatrix::new(vec!["age".into(), "shop".into()], vec![20.0, 1.0, 40.0, 1.0])?;
/// let selection = clv_select::varying(&rows, 1e-9)?;
/// assert_eq!(selection.kept, ["age"]);
/// assert_eq!(selection.to_string(), "1 columns kept: age\nshop dropped: it hardly varies (standard deviation 0)");
/// # Ok::<(), clv_core::Error>(())
/// ```
pub fn varying(rows: &FeatureMatrix, least: f64) -> Result<Selection, Error> {
    rows.expect_finite()?;
    let mut selection = Selection { kept: Vec::new(), dropped: Vec::new() };
    let n = rows.rows() as f64;
    for (column, name) in rows.names().iter().enumerate() {
        let values = || (0..rows.rows()).map(|row| rows.row(row)[column]);
        let (mean, size) = (values().sum::<f64>() / n, values().map(f64::abs).sum::<f64>() / n);
        let deviation = (values().map(|v| (v - mean).powi(2)).sum::<f64>() / n).sqrt();
        if deviation > least * size {
            selection.kept.push(name.clone());
        } else {
            let why =
                format!("it hardly varies (standard deviation {deviation:.3e})").replace("0.000e0", "0");
            selection.dropped.push((name.clone(), why));
        }
    }
    Ok(selection)
}

/// Pearson's correlations of the columns, row by row of the symmetric matrix (ndarray-stats); 0 with a
/// column that does not vary.
///
/// # Errors
///
/// [`Error::Cell`] for a value that is not finite; [`Error::TooLittleData`] without rows.
pub fn correlations(rows: &FeatureMatrix) -> Result<Vec<f64>, Error> {
    rows.expect_finite()?;
    let found = rows.view().t().pearson_correlation().map_err(|_| Error::TooLittleData {
        model: "correlations",
        needs: "at least one row",
        found: 0,
    })?;
    Ok(found.iter().map(|r| if r.is_finite() { *r } else { 0.0 }).collect())
}

/// Of columns correlated by more than `most` in size, keeps the first.
///
/// # Errors
///
/// As [`correlations`].
pub fn uncorrelated(rows: &FeatureMatrix, most: f64) -> Result<Selection, Error> {
    let found = correlations(rows)?;
    let names = rows.names();
    let mut kept: Vec<usize> = Vec::new();
    let mut dropped = Vec::new();
    for (column, name) in names.iter().enumerate() {
        match kept.iter().find(|&&k| found[column * names.len() + k].abs() > most) {
            None => kept.push(column),
            Some(&k) => {
                let r = found[column * names.len() + k];
                dropped.push((name.clone(), format!("correlated with {} by {r:.4}", names[k])));
            }
        }
    }
    Ok(Selection { kept: kept.into_iter().map(|k| names[k].clone()).collect(), dropped })
}

/// Bins of a column, or of a target of many values.
const BINS: usize = 10;

/// Mutual information of each column with the target, in nats,
///
/// ```text
/// I(X; Y) = Σ p(x, y) ln (p(x, y) / (p(x) p(y))),
/// ```
///
/// columns and targets of more than ten values in bins of equal counts: by how much knowing the column
/// lowers the entropy of the target (so that of a target of classes it is the information gain). It sees
/// curves that a correlation does not. By chance alone it is about `(a − 1)(b − 1)/(2n)` for `a` and `b`
/// bins, not 0.
///
/// # Errors
///
/// [`Error::Cell`] for a missing value.
pub fn mutual_information(rows: &Rows<'_>) -> Result<Vec<f64>, Error> {
    rows.expect_complete()?;
    let target = binned(rows.target());
    let count = |bins: &[usize]| bins.iter().max().map_or(0, |b| b + 1);
    let total = rows.total_weight();
    let of = |column: usize| {
        let values: Vec<f64> = rows.features().column(column).collect();
        let bins = binned(&values);
        let (a, b) = (count(&bins), count(&target));
        let mut joint = vec![0.0; a * b];
        for row in 0..rows.len() {
            joint[bins[row] * b + target[row]] += rows.weight(row) / total;
        }
        let x: Vec<f64> = (0..a).map(|i| joint[i * b..(i + 1) * b].iter().sum()).collect();
        let y: Vec<f64> = (0..b).map(|j| (0..a).map(|i| joint[i * b + j]).sum()).collect();
        let part = |i: usize, j: usize| {
            let p = joint[i * b + j];
            if p > 0.0 { p * (p / (x[i] * y[j])).ln() } else { 0.0 }
        };
        (0..a).flat_map(|i| (0..b).map(move |j| (i, j))).map(|(i, j)| part(i, j)).sum::<f64>().max(0.0)
    };
    Ok((0..rows.features().names().len()).map(of).collect())
}

/// Each value's bin: one a value if there are few, else of equal counts, equal values together.
fn binned(values: &[f64]) -> Vec<usize> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let mut unlike = sorted.clone();
    unlike.dedup();
    let borders: Vec<f64> = if unlike.len() <= BINS {
        unlike
    } else {
        let mut borders: Vec<f64> = (1..=BINS).map(|i| sorted[sorted.len() * i / BINS - 1]).collect();
        borders.dedup();
        borders
    };
    values.iter().map(|v| borders.partition_point(|border| border < v)).collect()
}

/// Keeps the `count` columns with the most mutual information with the target.
///
/// # Errors
///
/// As [`mutual_information`].
pub fn informative(rows: &Rows<'_>, count: usize) -> Result<Selection, Error> {
    let found = mutual_information(rows)?;
    let mut order: Vec<usize> = (0..found.len()).collect();
    order.sort_by(|&a, &b| found[b].total_cmp(&found[a]).then(a.cmp(&b)));
    let names = rows.features().names();
    let (best, rest) = order.split_at(count.min(order.len()));
    let mut best = best.to_vec();
    best.sort_unstable();
    let why =
        |c: usize| format!("mutual information {:.4} with the target, less than the {count} best", found[c]);
    Ok(Selection {
        kept: best.into_iter().map(|c| names[c].clone()).collect(),
        dropped: rest.iter().rev().map(|&c| (names[c].clone(), why(c))).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> (FeatureMatrix, Vec<f64>) {
        let x = |i: u32| f64::from(i * 37 % 101) - 50.0;
        let row = |i: u32| [x(i), 2.0 * x(i) + 1.0, f64::from(i * 53 % 97), 7.0];
        let names = ["x", "twice", "noise", "same"].map(String::from).to_vec();
        let columns = FeatureMatrix::new(names, (0..505).flat_map(row).collect()).unwrap();
        // A curve without a slope.
        (columns, (0..505).map(|i| x(i) * x(i)).collect())
    }

    #[test]
    fn what_says_the_same_goes_and_is_told() {
        let (columns, _) = rows();
        assert_eq!(varying(&columns, 1e-9).unwrap().kept, ["x", "twice", "noise"]);
        let selection = uncorrelated(&columns, 0.95).unwrap();
        assert_eq!(selection.kept, ["x", "noise", "same"]);
        assert!(selection.to_string().contains("twice dropped: correlated with x by 1.0000"));
        assert_eq!(
            selection.apply(&columns).unwrap().row(3),
            [columns.row(3)[0], columns.row(3)[2], columns.row(3)[3]]
        );
    }

    #[test]
    fn information_sees_a_curve_and_is_what_the_entropy_loses() {
        let (columns, target) = rows();
        let found = mutual_information(&Rows::new(&columns, &target).unwrap()).unwrap();
        assert!(found[0] > 1.0 && found[1] > 1.0 && found[2] < 0.3 && found[3] == 0.0, "{found:?}");
        let selection = informative(&Rows::new(&columns, &target).unwrap(), 2).unwrap();
        assert_eq!((selection.kept, selection.dropped.len()), (vec!["x".into(), "twice".into()], 2));
        // A column that tells two classes apart fully takes away all their entropy.
        let one = FeatureMatrix::new(vec!["x".into()], vec![1.0, 1.0, 2.0, 3.0]).unwrap();
        let found = mutual_information(&Rows::new(&one, &[0.0, 0.0, 1.0, 1.0]).unwrap()).unwrap();
        assert!((found[0] - 2.0_f64.ln()).abs() < 1e-12);
    }
}
