//! Filling what is missing, by a stated method, with a mark on what was filled.

use serde::{Deserialize, Serialize};

use super::{Attribute, Attributes, Values};
use crate::error::{Error, Result};

/// How a missing attribute is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Imputation {
    /// It is not: the customers are named, to be left out.
    Drop,
    /// The mean of the known numbers.
    Mean,
    /// Their median.
    Median,
    /// The most frequent value; of equals the one that was read first.
    MostFrequent,
    /// Least squares on the other attributes: numbers as they are (their own gaps at the mean),
    /// words as indicators of their twenty most frequent.
    Regression,
}

/// What an imputation did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imputed {
    /// Rows whose value was missing: filled, or (with [`Imputation::Drop`]) to be left out.
    pub rows: Vec<usize>,
}

pub(super) fn impute(people: &mut Attributes, position: usize, method: Imputation) -> Result<Imputed> {
    let column = &people.columns[position];
    let rows: Vec<usize> = (0..column.values.len()).filter(|&row| !column.values.is_known(row)).collect();
    if method == Imputation::Drop || rows.is_empty() {
        return Ok(Imputed { rows });
    }
    if rows.len() == column.values.len() {
        return Err(Error::TooLittleData { model: "imputation", needs: "a known value", found: 0 });
    }
    let filled: Vec<f64> = match (&column.values, method) {
        (Values::Numbers(values), Imputation::Mean) => vec![mean(values); rows.len()],
        (Values::Numbers(values), Imputation::Median) => {
            let mut known: Vec<f64> = values.iter().flatten().copied().collect();
            known.sort_unstable_by(f64::total_cmp);
            let n = known.len();
            vec![0.5 * (known[(n - 1) / 2] + known[n / 2]); rows.len()]
        }
        (Values::Numbers(values), Imputation::MostFrequent) => {
            vec![f64::from_bits(most_frequent(values.iter().flatten().map(|v| v.to_bits()))); rows.len()]
        }
        (Values::Numbers(values), Imputation::Regression) => {
            let design = design(people, position);
            let known: Vec<usize> = (0..values.len()).filter(|&r| values[r].is_some()).collect();
            let coefficients = least_squares(&design, &known, |row| values[row].unwrap_or(0.0));
            rows.iter().map(|&row| dot(&design[row], &coefficients)).collect()
        }
        (Values::Words(values), Imputation::MostFrequent) => {
            let word = most_frequent(values.iter().flatten().map(|w| u64::from(*w)));
            vec![word as f64; rows.len()]
        }
        (Values::Numbers(_), Imputation::Drop) => Vec::new(),
        (Values::Words(_), _) => {
            return Err(Error::CannotSay {
                model: "this imputation",
                quantity: "words",
                hint: "; it fits numbers: take most-frequent or drop",
            });
        }
    };
    match &mut people.columns[position].values {
        Values::Numbers(values) => rows.iter().zip(filled).for_each(|(&row, v)| values[row] = Some(v)),
        Values::Words(values) => rows.iter().zip(filled).for_each(|(&row, v)| values[row] = Some(v as u32)),
    }
    Ok(Imputed { rows })
}

fn mean(values: &[Option<f64>]) -> f64 {
    let (sum, count) = values.iter().flatten().fold((0.0, 0.0), |(s, n), v| (s + v, n + 1.0));
    if count > 0.0 { sum / count } else { 0.0 }
}

fn most_frequent(values: impl Iterator<Item = u64>) -> u64 {
    let mut counts: Vec<(u64, u64)> = Vec::new();
    let mut at = std::collections::HashMap::new();
    for value in values {
        let slot = *at.entry(value).or_insert_with(|| {
            counts.push((value, 0));
            counts.len() - 1
        });
        counts[slot].1 += 1;
    }
    counts.iter().rev().max_by_key(|(_, n)| *n).map_or(0, |(value, _)| *value)
}

/// One row per customer: a one, then the other attributes.
fn design(people: &Attributes, without: usize) -> Vec<Vec<f64>> {
    let mut rows = vec![vec![1.0]; people.customers.len()];
    for column in people.columns.iter().enumerate().filter(|(i, _)| *i != without).map(|(_, c)| c) {
        match &column.values {
            Values::Numbers(values) => {
                let centre = mean(values);
                for (row, value) in rows.iter_mut().zip(values) {
                    row.push(value.unwrap_or(centre) - centre);
                }
            }
            Values::Words(values) => {
                for word in frequent_words(column, values) {
                    for (row, value) in rows.iter_mut().zip(values) {
                        row.push(f64::from(u8::from(*value == Some(word))));
                    }
                }
            }
        }
    }
    rows
}

fn frequent_words(column: &Attribute, values: &[Option<u32>]) -> Vec<u32> {
    let mut counts = vec![0_usize; column.words.len()];
    values.iter().flatten().for_each(|w| counts[*w as usize] += 1);
    let mut words: Vec<u32> = (0..counts.len() as u32).collect();
    words.sort_by_key(|w| (std::cmp::Reverse(counts[*w as usize]), *w));
    words.truncate(20);
    words
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Normal equations with a ridge of a billionth of the diagonal, so that repeated columns do no
/// harm; solved by Cholesky.
fn least_squares(design: &[Vec<f64>], rows: &[usize], target: impl Fn(usize) -> f64) -> Vec<f64> {
    let k = design.first().map_or(0, Vec::len);
    let (mut a, mut b) = (vec![vec![0.0; k]; k], vec![0.0; k]);
    for &row in rows {
        let x = &design[row];
        for i in 0..k {
            b[i] += x[i] * target(row);
            for j in 0..=i {
                a[i][j] += x[i] * x[j];
            }
        }
    }
    for (i, row) in a.iter_mut().enumerate() {
        row[i] += 1e-9 * row[i].max(1e-12);
    }
    for i in 0..k {
        for j in 0..=i {
            let sum = a[i][j] - (0..j).map(|m| a[i][m] * a[j][m]).sum::<f64>();
            a[i][j] = if i == j { sum.max(1e-300).sqrt() } else { sum / a[j][j] };
        }
    }
    for i in 0..k {
        b[i] = (b[i] - (0..i).map(|m| a[i][m] * b[m]).sum::<f64>()) / a[i][i];
    }
    for i in (0..k).rev() {
        b[i] = (b[i] - (i + 1..k).map(|m| a[m][i] * b[m]).sum::<f64>()) / a[i][i];
    }
    b
}

#[cfg(test)]
mod tests {
    use super::super::Conflict;
    use super::*;

    /// Income is 10 × age + 100 in the north; the last customer's is missing.
    fn people() -> Attributes {
        let mut people = Attributes::new(Conflict::FirstStands);
        for (i, (age, region)) in
            [(20, "n"), (30, "s"), (40, "n"), (50, "s"), (60, "n"), (30, "n")].into_iter().enumerate()
        {
            let who = i.to_string();
            people.state(&who, "age", &age.to_string());
            people.state(&who, "region", region);
            let income = 10 * age + if region == "n" { 100 } else { 0 };
            people.state(&who, "income", if i == 5 { String::new() } else { income.to_string() }.as_str());
        }
        people.typed()
    }

    fn income(people: &Attributes) -> f64 {
        people.attribute("income").unwrap().text(5).unwrap().parse().unwrap()
    }

    #[test]
    fn each_method_by_hand() {
        // Known incomes: 300, 300, 500, 500, 700.
        for (method, want) in
            [(Imputation::Mean, 460.0), (Imputation::Median, 500.0), (Imputation::MostFrequent, 300.0)]
        {
            let mut people = people();
            assert_eq!(people.impute("income", method).unwrap().rows, [5]);
            assert_eq!(income(&people), want, "{method:?}");
        }
        let mut regressed = people();
        regressed.impute("income", Imputation::Regression).unwrap();
        assert!((income(&regressed) - 400.0).abs() < 1e-5, "{}", income(&regressed));
        let mut left = people();
        assert_eq!(left.impute("income", Imputation::Drop).unwrap().rows, [5]);
        assert_eq!(left.attribute("income").unwrap().missing(), 1);
    }

    #[test]
    fn words_take_the_most_frequent_and_refuse_a_mean() {
        let mut people = people();
        people.state("6", "age", "25");
        assert!(matches!(people.impute("region", Imputation::Mean), Err(Error::CannotSay { .. })));
        people.impute("region", Imputation::MostFrequent).unwrap();
        assert_eq!(people.attribute("region").unwrap().text(6).as_deref(), Some("n"));
        assert!(matches!(people.impute("shoe", Imputation::Mean), Err(Error::MissingColumn { .. })));
    }
}
