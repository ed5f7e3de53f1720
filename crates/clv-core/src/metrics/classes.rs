//! Precision, recall and F1 of a classification: stages, churn, value classes. Never of a value.

use crate::error::{Error, Result};

/// Counts of actual class (row) by forecast class (column).
#[derive(Clone, Debug, PartialEq)]
pub struct Confusion {
    classes: usize,
    counts: Vec<f64>,
}

impl Confusion {
    /// Counts pairs of class numbers below `classes`, with weights or each as one.
    ///
    /// # Errors
    ///
    /// [`Error::Length`]; [`Error::History`] naming the first row whose class is unknown.
    pub fn of(classes: usize, actual: &[usize], forecast: &[usize], weights: Option<&[f64]>) -> Result<Self> {
        let expected = actual.len();
        for (column, given) in
            [("forecast", forecast.len()), ("weight", weights.map_or(expected, <[f64]>::len))]
        {
            if given != expected {
                return Err(Error::Length { column, given, expected });
            }
        }
        let mut counts = vec![0.0; classes * classes];
        for row in 0..expected {
            for (field, class) in [("actual class", actual[row]), ("forecast class", forecast[row])] {
                if class >= classes {
                    return Err(Error::History {
                        row,
                        field,
                        given: class as f64,
                        allowed: "below the number of classes",
                    });
                }
            }
            counts[actual[row] * classes + forecast[row]] += weights.map_or(1.0, |w| w[row]);
        }
        Ok(Self { classes, counts })
    }

    /// How often class `actual` was forecast as `forecast`.
    pub fn count(&self, actual: usize, forecast: usize) -> f64 {
        self.counts[actual * self.classes + forecast]
    }

    /// Of those forecast in a class, the share that is; `None` if nobody was.
    pub fn precision(&self, class: usize) -> Option<f64> {
        ratio(self.count(class, class), (0..self.classes).map(|a| self.count(a, class)).sum())
    }

    /// Of those in a class, the share forecast in it; `None` if nobody is.
    pub fn recall(&self, class: usize) -> Option<f64> {
        ratio(self.count(class, class), (0..self.classes).map(|f| self.count(class, f)).sum())
    }

    /// Harmonic mean of precision and recall: `2 tp / (2 tp + fp + fn)`.
    pub fn f1(&self, class: usize) -> Option<f64> {
        let all: f64 = (0..self.classes).map(|k| self.count(k, class) + self.count(class, k)).sum();
        ratio(2.0 * self.count(class, class), all)
    }

    /// Precision, recall and F1 of each class, with how many there are: a page of Markdown. `names` are the
    /// classes'; those without one go by number.
    pub fn report(&self, names: &[&str]) -> String {
        let name = |class: usize| names.get(class).map_or_else(|| class.to_string(), ToString::to_string);
        let score = |score: Option<f64>| score.map_or_else(|| "–".to_owned(), |s| format!("{s:.3}"));
        let mut page = "| class | precision | recall | F1 | rows |".to_owned();
        for class in 0..self.classes {
            page += &format!(" {} |", name(class));
        }
        page += &format!("\n|---|--:|--:|--:|--:|{}", "--:|".repeat(self.classes));
        for class in 0..self.classes {
            let rows: f64 = (0..self.classes).map(|f| self.count(class, f)).sum();
            let (precision, recall, f1) = (self.precision(class), self.recall(class), self.f1(class));
            let scores = [precision, recall, f1].map(score).join(" | ");
            page += &format!("\n| {} | {scores} | {rows} |", name(class));
            for forecast in 0..self.classes {
                page += &format!(" {} |", self.count(class, forecast));
            }
        }
        page
    }

    /// Mean F1 over the classes that occur.
    pub fn macro_f1(&self) -> Option<f64> {
        let scores: Vec<f64> = (0..self.classes).filter_map(|c| self.f1(c)).collect();
        ratio(scores.iter().sum(), scores.len() as f64)
    }
}

fn ratio(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| part / whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_classes_by_hand() {
        let c = Confusion::of(3, &[0, 0, 1, 1, 1, 2], &[0, 1, 1, 1, 0, 0], None).unwrap();
        assert_eq!(c.count(1, 1), 2.0);
        assert_eq!(c.precision(0), Some(1.0 / 3.0));
        assert_eq!(c.recall(0), Some(0.5));
        assert_eq!(c.f1(1), Some(4.0 / 6.0));
        assert_eq!((c.precision(2), c.recall(2), c.f1(2)), (None, Some(0.0), Some(0.0)));
        assert!((c.macro_f1().unwrap() - (0.4 + 2.0 / 3.0) / 3.0).abs() < 1e-15);
        let page = c.report(&["new", "loyal"]);
        assert!(page.contains("| new | 0.333 | 0.500 | 0.400 | 2 | 1 | 1 | 0 |"), "{page}");
        assert!(page.ends_with("| 2 | – | 0.000 | 0.000 | 1 | 1 | 0 | 0 |"), "{page}");
        assert!(Confusion::of(2, &[2], &[0], None).is_err());
    }
}
