//! What customers' parameters are drawn from.

use clv_math::linalg::{cholesky, inverse};
use clv_math::special::ln_gamma;
use rand_chacha::ChaCha8Rng;
use rand_distr::{ChiSquared, Distribution, StandardNormal};

use super::own::{Logs, MOST, Own};
use super::sampler::slice;
use crate::future::Mixing;
use crate::simulate::gamma;

/// A distribution of customers' logarithms.
pub trait Population: Clone + std::fmt::Debug + PartialEq + Send + Sync + 'static {
    /// Before anything was drawn: of so many parameters about these, with so many columns of covariates.
    fn start(centres: &[f64], columns: usize, deviation: f64) -> Self;

    /// Names of its parameters.
    fn names<O: Own>(columns: &[String]) -> Vec<String>;

    /// Whether a name is that of a covariate's coefficient.
    fn is_coefficient(name: &str) -> bool;

    /// Its parameters in the order of the names.
    fn values(&self) -> Vec<f64>;

    /// From such values; none if they are not allowed.
    fn of_values(values: &[f64], parameters: usize, columns: usize) -> Option<Self>;

    /// Whether values are positive, so that logarithms tell more of them.
    const IS_POSITIVE: bool;

    /// The density of a customer's logarithms.
    fn ln_density(&self, own: &Logs, columns: &[f64]) -> f64;

    /// Draws a customer's logarithms.
    fn draw_own(&self, columns: &[f64], rng: &mut ChaCha8Rng) -> Logs;

    /// The middle of one parameter of a customer.
    fn middle(&self, parameter: usize, columns: &[f64]) -> f64;

    /// How one parameter differs across customers with these columns.
    fn mixing(&self, parameter: usize, columns: &[f64]) -> Mixing;

    /// The middle and the logarithm of the spread of a parameter, but for a constant.
    fn place(&self, parameter: usize) -> (f64, f64);

    /// The prior's density, on the scale on which [`Population::shift`] and [`Population::stretch`] act.
    fn ln_prior(&self) -> f64;

    /// With the middle of a parameter moved: customers that move with it are as likely as before.
    fn shift(&mut self, parameter: usize, by: f64);

    /// With the spread of a parameter times `e^by`.
    fn stretch(&mut self, parameter: usize, by: f64);

    /// Logarithm of the Jacobian of the stretch.
    fn ln_jacobian(&self, by: f64) -> f64;

    /// Draws it given the customers; columns row by row.
    fn draw(&mut self, customers: &[Logs], columns: &[f64], rng: &mut ChaCha8Rng);
}

/// Independent gamma distributions.
#[derive(Clone, Debug, PartialEq)]
pub struct Gammas {
    of: Vec<OneGamma>,
    /// Middles of the prior of the logarithms of the means, of a shape of 1.
    centres: Vec<f64>,
    deviation: f64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct OneGamma {
    ln_shape: f64,
    ln_mean: f64,
    shape: f64,
    /// `r ln r − ln Γ(r)`.
    constant: f64,
}

impl OneGamma {
    fn new(ln_shape: f64, ln_mean: f64) -> Self {
        let shape = ln_shape.exp();
        Self { ln_shape, ln_mean, shape, constant: shape * ln_shape - ln_gamma(shape) }
    }

    /// Of a logarithm; `α λ = r λ/m`.
    fn ln_density(&self, own: f64) -> f64 {
        let away = own - self.ln_mean;
        self.shape * (away - away.exp()) + self.constant
    }
}

impl Gammas {
    fn ln_prior_of(&self, parameter: usize, of: &OneGamma) -> f64 {
        // Of the logarithm of the rate; the middle and the shape move it by one each.
        let away = of.ln_shape - of.ln_mean + self.centres[parameter];
        -0.5 * (of.ln_shape * of.ln_shape + away * away) / (self.deviation * self.deviation)
    }
}

impl Population for Gammas {
    const IS_POSITIVE: bool = true;

    fn start(centres: &[f64], _columns: usize, deviation: f64) -> Self {
        Self {
            of: centres.iter().map(|&c| OneGamma::new(0.0, c)).collect(),
            centres: centres.to_vec(),
            deviation,
        }
    }

    fn names<O: Own>(_columns: &[String]) -> Vec<String> {
        O::OF_GAMMAS.iter().map(|&name| name.to_owned()).collect()
    }

    fn is_coefficient(_name: &str) -> bool {
        false
    }

    fn values(&self) -> Vec<f64> {
        self.of.iter().flat_map(|of| [of.shape, (of.ln_shape - of.ln_mean).exp()]).collect()
    }

    fn of_values(values: &[f64], parameters: usize, columns: usize) -> Option<Self> {
        let is_allowed = values.iter().all(|v| v.is_finite() && *v > 0.0);
        if !is_allowed || values.len() != 2 * parameters || columns != 0 {
            return None;
        }
        let one = |v: &[f64]| OneGamma::new(v[0].ln(), (v[0] / v[1]).ln());
        let of: Vec<OneGamma> = values.chunks(2).map(one).collect();
        let centres = of.iter().map(|of| of.ln_mean).collect();
        Some(Self { of, centres, deviation: 1.0 })
    }

    fn ln_density(&self, own: &Logs, _columns: &[f64]) -> f64 {
        self.of.iter().zip(own).map(|(of, own)| of.ln_density(*own)).sum()
    }

    fn draw_own(&self, _columns: &[f64], rng: &mut ChaCha8Rng) -> Logs {
        let mut own = [0.0; MOST];
        for (own, of) in own.iter_mut().zip(&self.of) {
            *own = gamma(of.shape, of.shape, rng).ln() + of.ln_mean;
        }
        own
    }

    fn middle(&self, parameter: usize, _columns: &[f64]) -> f64 {
        self.of[parameter].ln_mean
    }

    fn mixing(&self, parameter: usize, _columns: &[f64]) -> Mixing {
        let OneGamma { shape, ln_shape, ln_mean, .. } = self.of[parameter];
        Mixing::Gamma { shape, rate: (ln_shape - ln_mean).exp() }
    }

    fn place(&self, parameter: usize) -> (f64, f64) {
        (self.of[parameter].ln_mean, -0.5 * self.of[parameter].ln_shape)
    }

    fn ln_prior(&self) -> f64 {
        self.of.iter().enumerate().map(|(d, of)| self.ln_prior_of(d, of)).sum()
    }

    fn shift(&mut self, parameter: usize, by: f64) {
        let of = &mut self.of[parameter];
        *of = OneGamma::new(of.ln_shape, of.ln_mean + by);
    }

    fn stretch(&mut self, parameter: usize, by: f64) {
        // The shape falls with the square of the spread, where it is large.
        let of = &mut self.of[parameter];
        *of = OneGamma::new(of.ln_shape - 2.0 * by, of.ln_mean);
    }

    fn ln_jacobian(&self, _by: f64) -> f64 {
        0.0
    }

    fn draw(&mut self, customers: &[Logs], _columns: &[f64], rng: &mut ChaCha8Rng) {
        let n = customers.len() as f64;
        for d in 0..self.of.len() {
            let mean_ln = customers.iter().map(|own| own[d]).sum::<f64>() / n;
            let mean = customers.iter().map(|own| own[d].exp()).sum::<f64>() / n;
            let density = |of: &OneGamma| {
                n * (of.shape * (mean_ln - of.ln_mean - mean * (-of.ln_mean).exp()) + of.constant)
                    + self.ln_prior_of(d, of)
            };
            let mut of = self.of[d];
            let width = 3.0 / n.sqrt();
            for _ in 0..2 {
                let with = |v: f64| OneGamma::new(v, of.ln_mean);
                of = with(slice(of.ln_shape, density(&of), width, |v| density(&with(v)), rng).0);
                let with = |v: f64| OneGamma::new(of.ln_shape, v);
                of = with(slice(of.ln_mean, density(&of), width, |v| density(&with(v)), rng).0);
            }
            self.of[d] = of;
        }
    }
}

/// A multivariate normal distribution of the logarithms, whose middle covariates move.
#[derive(Clone, Debug, PartialEq)]
pub struct Lognormal {
    parameters: usize,
    columns: usize,
    /// `B`, a row for each of the columns, the first of which is 1.
    middle: Vec<f64>,
    /// `Γ`, row by row.
    spread: Vec<f64>,
    /// Lower triangle of it.
    root: Vec<f64>,
    ln_root: f64,
    prior: Prior,
}

/// `B | Γ ~ N(0, Γ ⊗ I / weight)`, `Γ ~ IW(degrees, scale I)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Prior {
    pub weight: f64,
    pub degrees: f64,
    pub scale: f64,
}

impl Prior {
    /// As in BTYDplus.
    fn of(columns: usize) -> Self {
        let degrees = 3.0 + columns as f64;
        Self { weight: 0.01, degrees, scale: degrees }
    }
}

impl Lognormal {
    fn with(middle: Vec<f64>, spread: Vec<f64>, parameters: usize, columns: usize) -> Option<Self> {
        let root = cholesky(&spread, parameters)?;
        let ln_root = (0..parameters).map(|i| root[i * parameters + i].ln()).sum();
        Some(Self { parameters, columns, middle, spread, root, ln_root, prior: Prior::of(columns) })
    }

    #[cfg(test)]
    pub(super) fn under(self, prior: Prior) -> Self {
        Self { prior, ..self }
    }

    fn set_spread(&mut self, spread: Vec<f64>) {
        // What is no covariance, by rounding alone, changes nothing.
        if let Some(next) = Self::with(self.middle.clone(), spread, self.parameters, self.columns) {
            *self = Self { prior: self.prior, ..next };
        }
    }

    /// `|L⁻¹ v|²`.
    fn square(&self, v: &[f64]) -> f64 {
        let n = self.parameters;
        let mut z = [0.0; MOST];
        let mut sum = 0.0;
        for i in 0..n {
            let rest: f64 = (0..i).map(|j| self.root[i * n + j] * z[j]).sum();
            z[i] = (v[i] - rest) / self.root[i * n + i];
            sum += z[i] * z[i];
        }
        sum
    }
}

impl Population for Lognormal {
    const IS_POSITIVE: bool = false;

    fn start(centres: &[f64], columns: usize, _deviation: f64) -> Self {
        let n = centres.len();
        let mut middle = vec![0.0; columns * n];
        middle[..n].copy_from_slice(centres);
        let unit: Vec<f64> = (0..n * n).map(|e| f64::from(u8::from(e / n == e % n))).collect();
        let prior = Prior::of(columns);
        Self { parameters: n, columns, middle, spread: unit.clone(), root: unit, ln_root: 0.0, prior }
    }

    fn names<O: Own>(columns: &[String]) -> Vec<String> {
        let mut names = Vec::new();
        for column in columns {
            names.extend(O::NAMES.iter().map(|name| format!("ln_{name}.{column}")));
        }
        for (i, one) in O::NAMES.iter().enumerate() {
            for (j, other) in O::NAMES.iter().enumerate().skip(i) {
                let kind = if i == j { "variance" } else { "covariance" };
                let both = if i == j { (*one).to_owned() } else { format!("{one}.{other}") };
                names.push(format!("{kind}.{both}"));
            }
        }
        names
    }

    fn is_coefficient(name: &str) -> bool {
        name.starts_with("ln_") && !name.ends_with(".intercept")
    }

    fn values(&self) -> Vec<f64> {
        let n = self.parameters;
        let upper = (0..n).flat_map(|i| (i..n).map(move |j| i * n + j)).map(|e| self.spread[e]);
        self.middle.iter().copied().chain(upper).collect()
    }

    fn of_values(values: &[f64], parameters: usize, columns: usize) -> Option<Self> {
        let n = parameters;
        if values.len() != columns * n + n * (n + 1) / 2 || values.iter().any(|v| !v.is_finite()) {
            return None;
        }
        let (middle, upper) = values.split_at(columns * n);
        let mut spread = vec![0.0; n * n];
        let mut upper = upper.iter();
        for i in 0..n {
            for j in i..n {
                let value = upper.next().copied().unwrap_or(f64::NAN);
                (spread[i * n + j], spread[j * n + i]) = (value, value);
            }
        }
        Self::with(middle.to_vec(), spread, n, columns)
    }

    fn ln_density(&self, own: &Logs, columns: &[f64]) -> f64 {
        let mut away = [0.0; MOST];
        for d in 0..self.parameters {
            away[d] = own[d] - self.middle(d, columns);
        }
        -0.5 * self.square(&away) - self.ln_root
    }

    fn draw_own(&self, columns: &[f64], rng: &mut ChaCha8Rng) -> Logs {
        let (n, mut own) = (self.parameters, [0.0; MOST]);
        let mut z = [0.0; MOST];
        z.iter_mut().for_each(|z| *z = StandardNormal.sample(rng));
        for (d, own) in own.iter_mut().enumerate().take(n) {
            let away: f64 = (0..=d).map(|j| self.root[d * n + j] * z[j]).sum();
            *own = self.middle(d, columns) + away;
        }
        own
    }

    fn middle(&self, parameter: usize, columns: &[f64]) -> f64 {
        let of = |(c, z): (usize, &f64)| self.middle[c * self.parameters + parameter] * z;
        columns.iter().enumerate().map(of).sum()
    }

    fn mixing(&self, parameter: usize, columns: &[f64]) -> Mixing {
        let sigma = self.spread[parameter * (self.parameters + 1)].sqrt();
        Mixing::Lognormal { mu: self.middle(parameter, columns), sigma }
    }

    fn place(&self, parameter: usize) -> (f64, f64) {
        (self.middle[parameter], 0.5 * self.spread[parameter * (self.parameters + 1)].ln())
    }

    fn ln_prior(&self) -> f64 {
        let n = self.parameters;
        let coefficients: f64 = self.middle.chunks(n).map(|row| self.square(row)).sum();
        let unit = |d: usize| {
            let mut v = [0.0; MOST];
            v[d] = 1.0;
            self.square(&v[..n])
        };
        let trace: f64 = (0..n).map(unit).sum();
        let Prior { weight, degrees, scale } = self.prior;
        -0.5 * (weight * coefficients + scale * trace)
            - (degrees + (n + 1 + self.columns) as f64) * self.ln_root
    }

    fn shift(&mut self, parameter: usize, by: f64) {
        self.middle[parameter] += by;
    }

    fn stretch(&mut self, parameter: usize, by: f64) {
        let n = self.parameters;
        let mut spread = self.spread.clone();
        for i in 0..n {
            spread[i * n + parameter] *= by.exp();
            spread[parameter * n + i] *= by.exp();
        }
        self.set_spread(spread);
    }

    fn ln_jacobian(&self, by: f64) -> f64 {
        (self.parameters + 1) as f64 * by
    }

    fn draw(&mut self, customers: &[Logs], columns: &[f64], rng: &mut ChaCha8Rng) {
        let (n, p) = (self.parameters, self.columns);
        // (XᵀX + A)⁻¹ and (XᵀX + A)⁻¹ XᵀY.
        let (mut gram, mut cross) = (vec![0.0; p * p], vec![0.0; p * n]);
        for (own, row) in customers.iter().zip(columns.chunks(p)) {
            for i in 0..p {
                for j in 0..p {
                    gram[i * p + j] += row[i] * row[j];
                }
                for d in 0..n {
                    cross[i * n + d] += row[i] * own[d];
                }
            }
        }
        (0..p).for_each(|i| gram[i * p + i] += self.prior.weight);
        let Some(gram) = inverse(&gram, p) else { return };
        let mut mean = vec![0.0; p * n];
        for i in 0..p {
            for d in 0..n {
                mean[i * n + d] = (0..p).map(|j| gram[i * p + j] * cross[j * n + d]).sum();
            }
        }
        // What is left, with the priors.
        let mut rest = vec![0.0; n * n];
        for (own, row) in customers.iter().zip(columns.chunks(p)) {
            let mut away = [0.0; MOST];
            for d in 0..n {
                away[d] = own[d] - (0..p).map(|i| row[i] * mean[i * n + d]).sum::<f64>();
            }
            for i in 0..n {
                for j in 0..n {
                    rest[i * n + j] += away[i] * away[j];
                }
            }
        }
        let Prior { weight, degrees, scale } = self.prior;
        for i in 0..n {
            for j in 0..n {
                rest[i * n + j] += weight * (0..p).map(|c| mean[c * n + i] * mean[c * n + j]).sum::<f64>();
            }
            rest[i * n + i] += scale;
        }
        let Some(spread) = inverse_wishart(degrees + customers.len() as f64, &rest, n, rng) else { return };
        self.set_spread(spread);
        let Some(root) = cholesky(&gram, p) else { return };
        let z: Vec<f64> = (0..p * n).map(|_| StandardNormal.sample(rng)).collect();
        for i in 0..p {
            for d in 0..n {
                // U Z Lᵀ, U the root of (XᵀX + A)⁻¹ and L that of Γ.
                let along = |j: usize| (0..=d).map(|e| z[j * n + e] * self.root[d * n + e]).sum::<f64>();
                mean[i * n + d] += (0..=i).map(|j| root[i * p + j] * along(j)).sum::<f64>();
            }
        }
        self.middle = mean;
    }
}

/// A draw from the inverse Wishart distribution by Bartlett's decomposition.
pub(super) fn inverse_wishart(
    degrees: f64,
    scale: &[f64],
    n: usize,
    rng: &mut ChaCha8Rng,
) -> Option<Vec<f64>> {
    let root = cholesky(&inverse(scale, n)?, n)?;
    let mut lower = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..i {
            lower[i * n + j] = StandardNormal.sample(rng);
        }
        lower[i * n + i] = ChiSquared::new(degrees - i as f64).ok()?.sample(rng).sqrt();
    }
    let mut product = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            product[i * n + j] = (j..=i).map(|k| root[i * n + k] * lower[k * n + j]).sum();
        }
    }
    let entry = |i: usize, j: usize| (0..n).map(|k| product[i * n + k] * product[j * n + k]).sum::<f64>();
    let wishart: Vec<f64> = (0..n * n).map(|e| entry(e / n, e % n)).collect();
    inverse(&wishart, n)
}
