//! Generalised linear models by Newton's method on the exact second derivative.
//!
//! Our own: linfa's Tweedie regression does not return at powers 1 and 2, and its Poisson deviance is
//! wrong.

use clv_core::learn::{Learned, Regress, Regression, Rows};
use clv_core::model::Kind;
use clv_core::{Context, Error, Warning, setting};
use serde::{Deserialize, Serialize};

use crate::columns::Standardised;
use crate::solve::solve_positive;

const NAME: &str = "glm";

/// How the target spreads around its mean `μ`, and how `μ` hangs on the line `η = b₀ + b·x`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Family {
    /// Variance `φ μ^p`, `μ = e^η`; `p = 1` is Poisson's, `p = 2` the gamma's, between them a mass at 0
    /// and a density above it.
    Tweedie { power: f64 },
    /// 0 or 1, `μ = 1 / (1 + e^{−η})`.
    Binomial,
}

impl Family {
    fn mean(self, eta: f64) -> f64 {
        match self {
            Self::Tweedie { .. } => eta.exp(),
            Self::Binomial => 1.0 / (1.0 + (-eta).exp()),
        }
    }

    /// Half the unit deviance, up to what only `y` decides, and its first and second derivative by `η`.
    fn loss(self, y: f64, eta: f64) -> (f64, f64, f64) {
        match self {
            Self::Tweedie { power: 1.0 } => {
                let mu = eta.exp();
                (eta.exp_m1() - y * eta, mu - y, mu)
            }
            Self::Tweedie { power: 2.0 } => {
                let ratio = y * (-eta).exp();
                (eta + y * (-eta).exp_m1(), 1.0 - ratio, ratio)
            }
            Self::Tweedie { power: p } => {
                let (one, two) = (((1.0 - p) * eta).exp(), ((2.0 - p) * eta).exp());
                // Less a constant, so that it stays small where p comes near 1 or 2.
                let value =
                    ((2.0 - p) * eta).exp_m1() / (2.0 - p) - y * ((1.0 - p) * eta).exp_m1() / (1.0 - p);
                (value, two - y * one, (2.0 - p) * two - (1.0 - p) * y * one)
            }
            Self::Binomial => {
                let mu = self.mean(eta);
                // ln(1 + e^η) without overflow.
                let log = eta.max(0.0) + (-eta.abs()).exp().ln_1p();
                (log - y * eta, mu - y, mu * (1.0 - mu))
            }
        }
    }

    fn link(self, mu: f64) -> f64 {
        match self {
            Self::Tweedie { .. } => mu.ln(),
            Self::Binomial => (mu / (1.0 - mu)).ln(),
        }
    }
}

/// Settings of a generalised linear model: minimises
///
/// ```text
/// 1/(2 Σw) Σ w d(y, μ) + α/2 Σ bⱼ²
/// ```
///
/// with `d` the unit deviance of the family, on columns with mean 0 and standard deviation 1; the
/// objective of scikit-learn's `TweedieRegressor` (and of its `LogisticRegression` with
/// `C = 1/(α Σw)`) after `StandardScaler`. The family's formulas: Jørgensen, "Exponential dispersion
/// models", J. R. Stat. Soc. B 49 (1987).
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | family | – | by the constructor: counts, money above 0, money with zeros, yes or no |
/// | `penalty` `α` | 0 | the plain model; give a little where classes can be told apart fully |
///
/// Means are `e^η` (or the logistic curve): they grow by factors, so skewed columns want
/// [`Step::Log`](clv_core::transform::Step::Log).
///
/// ```
/// use clv_core::learn::{Regress, Regression, Rows};
/// use clv_core::{Context, FeatureMatrix};
/// use clv_linear::Glm;
///
/// let columns = FeatureMatrix::new(vec!["member".into()], vec![0.0, 0.0, 1.0, 1.0])?;
/// let rows = Rows::new(&columns, &[1.0, 3.0, 5.0, 7.0])?;
/// let model = Glm::poisson().regress(&rows, &Context::default())?.model;
/// let means = model.predict(&columns)?;
/// assert!((means[0] - 2.0).abs() < 1e-9 && (means[2] - 6.0).abs() < 1e-9);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Glm {
    family: Family,
    penalty: f64,
}

impl Glm {
    /// For counts: variance `φ μ`.
    pub fn poisson() -> Self {
        Self { family: Family::Tweedie { power: 1.0 }, penalty: 0.0 }
    }

    /// For amounts above 0: variance `φ μ²`.
    pub fn gamma() -> Self {
        Self { family: Family::Tweedie { power: 2.0 }, penalty: 0.0 }
    }

    /// For amounts of which many are 0: variance `φ μ^power`.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless the power is between 1 and 2.
    pub fn tweedie(power: f64) -> Result<Self, Error> {
        if (1.0..=2.0).contains(&power) {
            Ok(Self { family: Family::Tweedie { power }, penalty: 0.0 })
        } else {
            Err(Error::Setting { name: "power", given: power, allowed: "1 (Poisson) to 2 (gamma)" })
        }
    }

    /// Logistic regression, for targets that are 0 or 1: the mean is the probability of 1.
    pub fn logistic() -> Self {
        Self { family: Family::Binomial, penalty: 0.0 }
    }

    /// With a price on slopes.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is finite and at least 0.
    pub fn penalty(self, penalty: f64) -> Result<Self, Error> {
        Ok(Self { penalty: setting::at_least_zero("penalty", penalty)?, ..self })
    }

    fn expect_target(&self, rows: &Rows<'_>) -> Result<(), Error> {
        match self.family {
            Family::Tweedie { power } => rows.expect_positive(power == 2.0),
            Family::Binomial => rows.expect_yes_or_no(),
        }
    }
}

/// A fitted generalised linear model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GlmModel {
    family: Family,
    intercept: f64,
    slopes: Vec<f64>,
}

impl GlmModel {
    /// `b₀`.
    pub fn intercept(&self) -> f64 {
        self.intercept
    }

    /// One slope a column; 0 for those left out.
    pub fn slopes(&self) -> &[f64] {
        &self.slopes
    }
}

impl Regression for GlmModel {
    const KIND: Kind = Kind::new(NAME, 1);

    fn width(&self) -> usize {
        self.slopes.len()
    }

    fn at(&self, row: &[f64], _: &mut Vec<f32>) -> Result<f64, Error> {
        let eta = self.intercept + self.slopes.iter().zip(row).map(|(b, x)| b * x).sum::<f64>();
        Ok(self.family.mean(eta))
    }
}

impl Regress for Glm {
    type Model = GlmModel;

    fn regress(&self, rows: &Rows<'_>, cx: &Context<'_>) -> Result<Learned<GlmModel>, Error> {
        self.expect_target(rows)?;
        let columns = Standardised::of(rows, self.penalty == 0.0)?;
        let total = rows.total_weight();
        let mean = rows.mean();
        let start = self.family.link(mean);
        if !start.is_finite() {
            let why = "every target is the same, and at the edge of what the family allows";
            return Err(Error::NoEstimate { model: NAME, why });
        }
        let mut warnings = columns.warning(rows);
        let mut search =
            Search { family: self.family, penalty: self.penalty, rows, columns: &columns, total };
        let mut line = vec![0.0; columns.kept.len() + 1];
        line[0] = start;
        warnings.extend(search.minimise(&mut line, cx)?);
        let (intercept, slopes) = columns.back(line[0], &line[1..]);
        Ok(Learned { model: GlmModel { family: self.family, intercept, slopes }, warnings })
    }
}

/// The objective over the intercept and the slopes on standardised columns.
#[derive(Debug)]
struct Search<'a> {
    family: Family,
    penalty: f64,
    rows: &'a Rows<'a>,
    columns: &'a Standardised,
    total: f64,
}

impl Search<'_> {
    fn value(&self, line: &[f64]) -> f64 {
        let p = self.columns.kept.len();
        let loss =
            |r: usize| self.rows.weight(r) * self.family.loss(self.rows.target()[r], self.eta(line, r, p)).0;
        (0..self.rows.len()).map(loss).sum::<f64>() / self.total
            + 0.5 * self.penalty * line[1..].iter().map(|b| b * b).sum::<f64>()
    }

    fn eta(&self, line: &[f64], r: usize, p: usize) -> f64 {
        line[0] + line[1..].iter().zip(&self.columns.data[r * p..]).map(|(b, x)| b * x).sum::<f64>()
    }

    /// Gradient and Hessian, the latter row by row.
    fn curvature(&self, line: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let p = self.columns.kept.len();
        let k = p + 1;
        let (mut gradient, mut hessian) = (vec![0.0; k], vec![0.0; k * k]);
        for r in 0..self.rows.len() {
            let (_, first, second) = self.family.loss(self.rows.target()[r], self.eta(line, r, p));
            let weight = self.rows.weight(r) / self.total;
            let x = |j: usize| if j == 0 { 1.0 } else { self.columns.data[r * p + j - 1] };
            for i in 0..k {
                gradient[i] += weight * first * x(i);
                let scaled = weight * second * x(i);
                for j in 0..=i {
                    hessian[i * k + j] += scaled * x(j);
                }
            }
        }
        for i in 1..k {
            gradient[i] += self.penalty * line[i];
            hessian[i * k + i] += self.penalty;
        }
        for i in 0..k {
            for j in 0..i {
                hessian[j * k + i] = hessian[i * k + j];
            }
        }
        (gradient, hessian)
    }

    /// Newton's steps, halved until they lower the value; the objective is convex. A warning if it does
    /// not come to rest, as when a column tells the classes apart fully.
    fn minimise(&mut self, line: &mut [f64], cx: &Context<'_>) -> Result<Option<Warning>, Error> {
        const STEPS: usize = 100;
        const AT_REST: f64 = 1e-10;

        let mut value = self.value(line);
        let mut largest = f64::INFINITY;
        for _ in 0..STEPS {
            cx.check()?;
            let (gradient, hessian) = self.curvature(line);
            largest = gradient.iter().fold(0.0, |a: f64, g| a.max(g.abs()));
            if !largest.is_finite() {
                return Err(Error::NoEstimate {
                    model: NAME,
                    why: "the likelihood left what numbers can hold",
                });
            }
            let step = solve_positive(&hessian, &gradient);
            let decrease: f64 = step.iter().zip(&gradient).map(|(s, g)| s * g).sum();
            // So near, a full step squares what is left to gain, below what values can tell apart.
            if decrease <= AT_REST * (1.0 + value.abs()) {
                line.iter_mut().zip(&step).for_each(|(b, s)| *b -= s);
                return Ok(None);
            }
            let mut share = 1.0;
            loop {
                let moved: Vec<f64> = line.iter().zip(&step).map(|(b, s)| b - share * s).collect();
                let found = self.value(&moved);
                if found <= value - 1e-4 * share * decrease {
                    line.copy_from_slice(&moved);
                    value = found;
                    break;
                }
                share /= 2.0;
                if share < 1e-10 {
                    return Ok(Some(Warning::NotConverged { gradient: largest }));
                }
            }
        }
        Ok(Some(Warning::NotConverged { gradient: largest }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clv_core::FeatureMatrix;

    const FAMILIES: [Family; 4] = [
        Family::Tweedie { power: 1.0 },
        Family::Tweedie { power: 1.5 },
        Family::Tweedie { power: 2.0 },
        Family::Binomial,
    ];

    #[test]
    fn derivatives_are_those_of_the_function() {
        for family in FAMILIES {
            for y in [0.0, 1.0] {
                for step in -30..30 {
                    let (eta, h) = (f64::from(step) / 10.0, 1e-5);
                    let (_, first, second) = family.loss(y, eta);
                    let (above, below) = (family.loss(y, eta + h), family.loss(y, eta - h));
                    let close = |a: f64, b: f64| (a - b).abs() < 1e-6 * (1.0 + a.abs());
                    assert!(close(first, (above.0 - below.0) / (2.0 * h)), "{family:?} {y} {eta}");
                    assert!(close(second, (above.1 - below.1) / (2.0 * h)), "{family:?} {y} {eta}");
                }
            }
        }
    }

    #[test]
    fn the_deviance_is_least_at_the_mean_and_continuous_in_the_power() {
        for y in [0.5, 2.0, 30.0_f64] {
            for family in &FAMILIES[..3] {
                assert!(family.loss(y, y.ln()).1.abs() < 1e-12 * y.max(1.0), "{family:?} {y}");
            }
            let near = |p: f64| Family::Tweedie { power: p };
            for eta in [-1.0, 0.3, 2.0] {
                for (at, beside) in [(1.0, 1.0 + 1e-7), (2.0, 2.0 - 1e-7)] {
                    let (a, b) = (near(at).loss(y, eta), near(beside).loss(y, eta));
                    for (a, b) in [(a.0, b.0), (a.1, b.1), (a.2, b.2)] {
                        assert!((a - b).abs() < 1e-5 * (1.0 + a.abs()), "{at}: {a:?} {b:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn what_the_family_cannot_have_brought_forth_is_refused() {
        let columns = FeatureMatrix::new(vec!["x".into()], vec![1.0, 2.0, 3.0]).unwrap();
        let error = |glm: Glm, y: [f64; 3]| {
            glm.regress(&Rows::new(&columns, &y).unwrap(), &Context::default()).unwrap_err().to_string()
        };
        assert!(error(Glm::poisson(), [1.0, -1.0, 2.0]).contains("row 1"));
        assert!(error(Glm::gamma(), [1.0, 2.0, 0.0]).contains("row 2"));
        assert!(error(Glm::logistic(), [1.0, 0.0, 0.5]).contains("0 or 1"));
        assert!(error(Glm::poisson(), [0.0; 3]).contains("same"));
        assert!(error(Glm::logistic(), [1.0; 3]).contains("same"));
        assert!(Glm::tweedie(2.5).is_err());
    }

    #[test]
    fn classes_told_apart_fully_are_warned_of_and_a_penalty_settles_it() {
        let columns = FeatureMatrix::new(vec!["x".into()], vec![1.0, 2.0, 3.0, 4.0]).unwrap();
        let rows = Rows::new(&columns, &[0.0, 0.0, 1.0, 1.0]).unwrap();
        let settled = Glm::logistic().penalty(0.01).unwrap().regress(&rows, &Context::default()).unwrap();
        assert!(settled.warnings.is_empty());
        let p = settled.model.predict(&columns).unwrap();
        assert!(p[0] < 0.1 && p[1] < 0.4 && p[2] > 0.6 && p[3] > 0.9, "{p:?}");
        let plain = Glm::logistic().regress(&rows, &Context::default()).unwrap();
        assert!(plain.model.predict(&columns).unwrap().iter().all(|p| (0.0..=1.0).contains(p)));
    }
}
