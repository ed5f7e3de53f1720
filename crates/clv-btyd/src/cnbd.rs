//! BG/CNBD-k and MBG/CNBD-k: customers who buy more regularly than at random and may leave after a purchase.
//!
//! # Story
//!
//! While active, the time between two purchases is Erlang: the sum of `k` waiting times at rate `λ`. After each repeat
//! purchase (MBG: after the first as well) the customer leaves for good with probability `p`. Across customers
//! `λ ~ Gamma(r, α)` and `p ~ Beta(a, b)`, independently. With `k = 1` these are BG/NBD and MBG/NBD.
//!
//! # When to use it
//!
//! Groceries, subscriptions in all but name, supplies: purchases that come at a beat. A regular customer's silence tells
//! sooner that they have left.
//!
//! # Formula
//!
//! With `n = r + kx`, `m` the chances to leave that were not taken (`x`, or `x + 1` for MBG), `s = T − t_x`, the gaps
//! `Δ₁ … Δ_x` between purchases, and `C = ∏ Δᵢ^{k−1} / Γ(k)^x`, which no parameter changes:
//!
//! ```text
//! L = C Γ(n)/Γ(r) α^r B(a, b+m)/B(a, b) [ Σ_{j<k} (n)_j/j! s^j (α+T)^{−(n+j)} + a/(b+m−1) (α+t_x)^{−n} ]
//! ```
//!
//! without the second term for BG/CNBD-k at `x = 0`. [`Process::ln_likelihood`] leaves `C` out, so that histories suffice;
//! it is needed to compare one `k` with another: [`RegularFit`] does.
//!
//! # Reference
//!
//! Platzer & Reutterer (2016), Marketing Science 35(5), 779–799, for regularity; Reutterer, Platzer & Schröder (2021),
//! International Journal of Research in Marketing 38(1), 194–215, for these models. Here the expectations are exact, as long
//! as no more than a thousand purchases may come; the authors' package scales those of BG/NBD, by a factor that depends on who else is asked about.

use clv_core::model::Kind;
use clv_core::{Cells, Context, Error, Fit, FitReport, Fitted, Names, Timelines, Training, Warning};
use clv_math::logspace::ln_sum_exp;
use clv_math::minimise::Derivatives;
use clv_math::special::{digamma, ln_gamma, ln_rising, trigamma};

use crate::beta_geometric::{BetaGeometric, Chance};
use crate::covariates::{CovariateModel, Covariates, WithCovariates};
use crate::estimate::MaximumLikelihood;
use crate::future::Future;
use crate::model::PurchaseModel;
use crate::over_time::{OverTime, OverTimeFit, OverTimeModel};
use crate::process::{
    A, ALPHA, B, Parameter, Process, R, Scale, Sums, check_values, frequency_runs, sum_over_runs,
};

/// No shop is more regular than this: a standard deviation of a seventh of the mean.
pub(crate) const MOST: u32 = 50;

/// Parameters of either model.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Regular {
    bg: BetaGeometric,
    k: u32,
}

const PARAMETERS: &[Parameter] = &[R, ALPHA, A, B, Parameter::new("k", Scale::Count, "")];

macro_rules! regular {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $chance:expr) => {
        $(#[$doc])*
        ///
        /// | Field | Symbol | Unit | Range |
        /// | :-- | :-- | :-- | :-- |
        /// | `r` | `r` | none | `(0, ∞)` |
        /// | `alpha` | `α` | time units | `(0, ∞)` |
        /// | `a` | `a` | none | `(0, ∞)` |
        /// | `b` | `b` | none | `(0, ∞)` |
        /// | `k` | `k` | none | 1, 2, … 50 |
        #[derive(Clone, Copy, Debug, PartialEq)]
        pub struct $name(Regular);

        impl $name {
            /// A population with the given parameters.
            ///
            /// # Errors
            ///
            /// [`Error::Setting`] naming the first that is out of its range.
            pub fn new(r: f64, alpha: f64, a: f64, b: f64, k: u32) -> Result<Self, Error> {
                Self::from_values(&[r, alpha, a, b, f64::from(k)])
            }
        }

        impl Process for $name {
            const KIND: Kind = Kind::new($kind, 1);
            const DROPOUT: &'static [(&'static str, f64)] = &[("a", 1.0)];
    const PARAMETERS: &'static [Parameter] = PARAMETERS;

            fn from_values(values: &[f64]) -> Result<Self, Error> {
                Ok(Self(Regular::from_values(values, $chance)?))
            }

            fn values(&self) -> Vec<f64> {
                let BetaGeometric { r, alpha, a, b, .. } = self.0.bg;
                vec![r, alpha, a, b, f64::from(self.0.k)]
            }

            fn ln_likelihood(&self, frequency: u32, recency: f64, age: f64) -> f64 {
                self.0.ln_likelihood(f64::from(frequency), recency, age)
            }

            fn ln_likelihood_of(&self, cells: &Cells) -> f64 {
                self.0.ln_likelihood_of(cells)
            }

            fn derivatives(&self, cells: &Cells) -> Derivatives {
                self.0.derivatives(cells)
            }

            /// # Formula
            ///
            /// The sum in the bracket of the likelihood over the bracket.
            fn p_alive(&self, frequency: u32, recency: f64, age: f64) -> f64 {
                self.0.p_alive(f64::from(frequency), recency, age)
            }

            fn given_alive(&self, frequency: u32, recency: f64, age: f64) -> Future {
                self.0.given_alive(f64::from(frequency), recency, age)
            }

            fn new_customer(&self) -> (f64, Future) {
                (self.0.bg.stays_at_first(), self.given_alive(0, 0.0, 0.0))
            }

            fn purchase_times(&self, length: f64, rng: &mut rand_chacha::ChaCha8Rng, times: &mut Vec<f64>) {
                self.0.bg.purchase_times(self.0.k, length, rng, times);
            }

            fn starts(mean_age: f64, repeats_per_age: f64) -> Vec<Vec<f64>> {
                starts(mean_age, repeats_per_age)
            }
        }
    };
}

regular!(
    /// Population parameters of the BG/CNBD-k model.
    BgCnbd,
    "bg-cnbd-k",
    Chance::AfterRepeats
);
regular!(
    /// Population parameters of the MBG/CNBD-k model.
    MbgCnbd,
    "mbg-cnbd-k",
    Chance::AfterAll
);

fn starts(mean_age: f64, repeats_per_age: f64) -> Vec<Vec<f64>> {
    // The rate is k times that of the purchases.
    vec![
        vec![0.5, 0.2 / repeats_per_age, 0.8, 2.5, 1.0],
        vec![2.0, 0.5 / repeats_per_age, 0.2, 2.0, 1.0],
        vec![0.2, 0.1 * mean_age, 3.0, 10.0, 1.0],
        vec![30.0, 10.0 / repeats_per_age, 0.05, 0.1, 1.0],
    ]
}

impl Regular {
    fn from_values(values: &[f64], chance: Chance) -> Result<Self, Error> {
        let [r, alpha, a, b, k] = check_values(PARAMETERS, values)?;
        if k.fract() != 0.0 || k > f64::from(MOST) {
            return Err(Error::Setting { name: "k", given: k, allowed: "a whole number from 1 to 50" });
        }
        Ok(Self { bg: BetaGeometric { r, alpha, a, b, chance }, k: k as u32 })
    }

    /// `n = r + kx`.
    fn shape(&self, x: f64) -> f64 {
        self.bg.r + f64::from(self.k) * x
    }

    /// Logarithms of the terms of the bracket: alive in each phase, and gone, which is `−∞` where nobody can be.
    fn ln_terms(&self, x: f64, recency: f64, age: f64) -> (Vec<f64>, f64) {
        let BetaGeometric { alpha, a, b, .. } = self.bg;
        let (n, end) = (self.shape(x), alpha + age);
        let per_end = (age - recency) / end;
        let mut alive = vec![-n * end.ln()];
        for j in 1..self.k {
            let before = alive[alive.len() - 1];
            alive.push(before + ((n + f64::from(j - 1)) / f64::from(j) * per_end).ln());
        }
        let m = self.bg.chances(x);
        let gone =
            if m > 0.0 { (a / (b + (m - 1.0))).ln() - n * (alpha + recency).ln() } else { f64::NEG_INFINITY };
        (alive, gone)
    }

    fn ln_likelihood(&self, x: f64, recency: f64, age: f64) -> f64 {
        self.ln_of_frequency(x) + self.ln_bracket(x, recency, age)
    }

    fn ln_likelihood_of(&self, cells: &Cells) -> f64 {
        let bracket = |x, recency, age| self.ln_bracket(x, recency, age);
        sum_over_runs(cells, |x| self.ln_of_frequency(x), bracket)
    }

    fn ln_of_frequency(&self, x: f64) -> f64 {
        let BetaGeometric { r, alpha, a, b, .. } = self.bg;
        let (m, clicks) = (self.bg.chances(x), f64::from(self.k) * x);
        ln_rising(r, clicks) + r * alpha.ln() + ln_rising(b, m) - ln_rising(a + b, m)
    }

    fn ln_bracket(&self, x: f64, recency: f64, age: f64) -> f64 {
        let (mut terms, gone) = self.ln_terms(x, recency, age);
        terms.push(gone);
        ln_sum_exp(&terms)
    }

    fn p_alive(&self, x: f64, recency: f64, age: f64) -> f64 {
        let (alive, gone) = self.ln_terms(x, recency, age);
        1.0 / (1.0 + (gone - ln_sum_exp(&alive)).exp())
    }

    fn derivatives(&self, cells: &Cells) -> Derivatives {
        let BetaGeometric { r, alpha, a, b, .. } = self.bg;
        let (psi_r, psi_b, psi_ab) = (digamma(r), digamma(b), digamma(a + b));
        let (tri_r, tri_b, tri_ab) = (trigamma(r), trigamma(b), trigamma(a + b));
        let mut sums = Sums::<5>::ZERO;
        for (x, range, weight) in frequency_runs(cells) {
            let (m, clicks) = (self.bg.chances(x), f64::from(self.k) * x);
            let (d_ab, t_ab) = (psi_ab - digamma(a + b + m), tri_ab - trigamma(a + b + m));
            let mut run = Sums::<5>::ZERO;
            run.value = self.ln_of_frequency(x);
            run.gradient = [
                digamma(r + clicks) - psi_r + alpha.ln(),
                r / alpha,
                d_ab,
                digamma(b + m) - psi_b + d_ab,
                0.0,
            ];
            run.hessian[0][0] = trigamma(r + clicks) - tri_r;
            run.hessian[0][1] = 1.0 / alpha;
            run.hessian[1][1] = -r / (alpha * alpha);
            run.hessian[2][2] = t_ab;
            run.hessian[2][3] = t_ab;
            run.hessian[3][3] = trigamma(b + m) - tri_b + t_ab;
            sums.add(weight, &run);
            for i in range {
                sums.add(cells.weight[i], &self.bracket(x, m, cells.recency[i], cells.age[i]));
            }
        }
        sums.into_derivatives()
    }

    /// The logarithm of the bracket with its derivatives. Of `k` there are none.
    fn bracket(&self, x: f64, m: f64, recency: f64, age: f64) -> Sums<5> {
        let BetaGeometric { alpha, a, b, .. } = self.bg;
        let (n, end, last) = (self.shape(x), alpha + age, alpha + recency);
        let (alive, gone) = self.ln_terms(x, recency, age);
        let top = alive.iter().copied().fold(gone, f64::max);
        let (mut total, mut slope, mut curve) = (0.0, [0.0; 4], [[0.0; 4]; 4]);
        let mut add = |value: f64, g: [f64; 4], h: [f64; 5]| {
            let weight = (value - top).exp();
            if weight == 0.0 {
                return;
            }
            total += weight;
            // r r, r α, α α, a a, b b.
            let [rr, ra, aa, pp, qq] = h;
            let own = [[rr, ra, 0.0, 0.0], [0.0, aa, 0.0, 0.0], [0.0, 0.0, pp, 0.0], [0.0, 0.0, 0.0, qq]];
            for i in 0..4 {
                slope[i] += weight * g[i];
                for j in i..4 {
                    curve[i][j] += weight * (g[i] * g[j] + own[i][j]);
                }
            }
        };
        // ψ(n + j) − ψ(n) and its derivative, summed up as j grows.
        let (mut rise, mut bend) = (0.0, 0.0);
        for (j, &value) in alive.iter().enumerate() {
            let power = n + j as f64;
            let g = [rise - end.ln(), -power / end, 0.0, 0.0];
            add(value, g, [bend, -1.0 / end, power / (end * end), 0.0, 0.0]);
            rise += 1.0 / power;
            bend -= 1.0 / (power * power);
        }
        if m > 0.0 {
            let left = b + (m - 1.0);
            let g = [-last.ln(), -n / last, 1.0 / a, -1.0 / left];
            add(gone, g, [0.0, -1.0 / last, n / (last * last), -1.0 / (a * a), 1.0 / (left * left)]);
        }
        let mut sums = Sums::<5>::ZERO;
        sums.value = top + total.ln();
        slope.iter_mut().for_each(|v| *v /= total);
        sums.gradient[..4].copy_from_slice(&slope);
        for i in 0..4 {
            for j in i..4 {
                sums.hessian[i][j] = curve[i][j] / total - slope[i] * slope[j];
            }
        }
        sums
    }

    fn given_alive(&self, x: f64, recency: f64, age: f64) -> Future {
        let BetaGeometric { alpha, a, b, .. } = self.bg;
        Future::LeavesAfterRegular {
            shape: self.shape(x),
            rate: alpha + age,
            a,
            b: b + self.bg.chances(x),
            k: self.k,
            silence: age - recency,
        }
    }
}

/// How to fit a model of regular customers: by maximum likelihood for each `k`, of which the likeliest is taken.
///
/// | Name | Default | Why |
/// | :-- | :-- | :-- |
/// | `most` | 6 | the largest `k` that is tried |
/// | `penalty` | 0 | as for [`MaximumLikelihood`] |
///
/// How regular customers are is told by their purchases one by one, not by their histories: it needs a log
/// ([`Training::new`]). From histories alone fit a `k` that is known, `MaximumLikelihood::<MbgCnbd>::new().fix("k", 2.0)`.
///
/// ```
/// use clv_btyd::{MbgCnbd, PurchaseModel, RegularFit, Simulation};
/// use clv_core::{Context, Cut, Fit, Grain, Moment, TimeUnit, Training};
///
/// let beat = PurchaseModel::new(MbgCnbd::new(1.3, 2.8, 0.4, 0.8, 3)?, TimeUnit::Week);
/// let (start, end) = (Moment::parse_date("2023-01-01")?, Moment::parse_date("2024-12-31")?);
/// let log = Simulation::new(500, start, end, 1)?.run(&beat, TimeUnit::Week, None)?;
/// let cut = Cut::end_of(end, Grain::Day);
/// let purchases = Training::merge(&log, cut)?;
/// let training = Training::new(&purchases, cut, TimeUnit::Week)?;
/// let fitted = RegularFit::<MbgCnbd>::new().fit(&training, &Context::default())?;
/// assert_eq!(fitted.report.parameters[4].value, 3.0);
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RegularFit<P> {
    least: u32,
    most: u32,
    settings: MaximumLikelihood<P>,
}

impl<P: Process> Default for RegularFit<P> {
    fn default() -> Self {
        Self::new()
    }
}

impl<P: Process> RegularFit<P> {
    /// With the defaults.
    pub fn new() -> Self {
        Self { least: 1, most: 6, settings: MaximumLikelihood::new() }
    }

    /// The largest `k` that is tried.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is from 1 to 50.
    pub fn most(self, most: u32) -> Result<Self, Error> {
        if (1..=MOST).contains(&most) {
            return Ok(Self { least: 1, most, ..self });
        }
        Err(Error::Setting { name: "largest k", given: f64::from(most), allowed: "from 1 to 50" })
    }

    /// This `k` and no other; its log-likelihood has the constant `C`, too.
    ///
    /// # Errors
    ///
    /// [`Error::Setting`] unless it is from 1 to 50.
    pub fn only(self, k: u32) -> Result<Self, Error> {
        let only = self.most(k)?;
        Ok(Self { least: k, ..only })
    }

    /// Settings of each of the fits, such as a penalty.
    pub fn each(self, settings: MaximumLikelihood<P>) -> Self {
        Self { settings, ..self }
    }

    /// With covariates that move the other parameters; `k` is chosen together with them.
    pub fn with(self, covariates: Covariates) -> RegularWithCovariates<P> {
        RegularWithCovariates { regular: self, covariates }
    }

    /// With covariates that change with time; `k` is chosen together with them.
    pub fn over_time(self, covariates: Covariates) -> RegularOverTime<P> {
        RegularOverTime { regular: self, covariates }
    }

    /// The fit for each `k`, its log-likelihood with the constant `C`, so that they can be compared.
    ///
    /// # Errors
    ///
    /// As [`MaximumLikelihood::fit_cells`]; [`Error::TooLittleData`] if only a summary was given.
    pub fn profile(
        &self,
        data: &Training<'_>,
        cx: &Context<'_>,
    ) -> Result<Vec<Fitted<PurchaseModel<P>>>, Error> {
        let (cells, unit) = (data.cells(), data.summary().unit);
        self.each_k(|settings| {
            let mut fitted = settings.fit_cells(&cells, unit, cx)?;
            let constant = ln_constant(fitted.model.parameters(), data)?.unwrap_or_default();
            let FitReport { log_likelihood, .. } = &mut fitted.report;
            *log_likelihood = log_likelihood.map(|value| value + constant);
            Ok(fitted)
        })
    }

    fn each_k<M>(
        &self,
        mut fit: impl FnMut(MaximumLikelihood<P>) -> Result<Fitted<M>, Error>,
    ) -> Result<Vec<Fitted<M>>, Error> {
        if let Some(given) = self.settings.fixed_value("k") {
            let allowed = "left out of the settings of each fit; RegularFit::only sets it";
            return Err(Error::Setting { name: "k", given, allowed });
        }
        let mut one = |k: u32| {
            let mut fitted = fit(self.settings.clone().fix("k", f64::from(k))?)?;
            if self.least < self.most {
                // Chosen by the likelihood, it counts among what was.
                let of_k = fitted.report.parameters.iter_mut().filter(|p| p.name == "k");
                of_k.for_each(|p| p.fixed = false);
            }
            Ok(fitted)
        };
        (self.least..=self.most).map(&mut one).collect()
    }

    /// The likeliest, with a warning if a larger `k` may be likelier still.
    fn likeliest<M>(&self, fits: Vec<Fitted<M>>) -> Result<Fitted<M>, Error> {
        let ln = |fitted: &Fitted<M>| fitted.report.log_likelihood.unwrap_or(f64::NEG_INFINITY);
        let best = fits.into_iter().reduce(|best, next| if ln(&next) > ln(&best) { next } else { best });
        let mut best = best.ok_or(Error::NoEstimate { model: P::KIND.name, why: "no k was tried" })?;
        let value = f64::from(self.most);
        if self.least < self.most && best.report.parameter("k") == Some(value) {
            let meaning = "customers may buy at a firmer beat still: try a larger k";
            best.report.warnings.push(Warning::AtBoundary { parameter: "k".into(), value, meaning });
        }
        Ok(best)
    }
}

impl<P: Process> Fit for RegularFit<P> {
    type Model = PurchaseModel<P>;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>, Error> {
        self.likeliest(self.profile(data, cx)?)
    }
}

/// How to fit a model of regular customers with covariates: for each `k`, of which the likeliest is taken.
///
/// ```
/// use clv_btyd::{Covariates, MbgCnbd, RegularFit};
///
/// let settings = RegularFit::<MbgCnbd>::new().most(4)?.with(Covariates::new().on_purchases(["own_region"])?);
/// # let _ = settings;
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RegularWithCovariates<P> {
    regular: RegularFit<P>,
    covariates: Covariates,
}

impl<P: Process> Fit for RegularWithCovariates<P> {
    type Model = CovariateModel<P>;

    fn fit(&self, data: &Training<'_>, cx: &Context<'_>) -> Result<Fitted<Self::Model>, Error> {
        let with = |settings| WithCovariates::new(self.covariates.clone()).each(settings).fit(data, cx);
        self.regular.likeliest(self.regular.each_k(with)?)
    }
}

/// How to fit a model of regular customers with covariates that change with time: by [`OverTimeFit`] for each `k`, of which the likeliest is taken.
///
/// ```
/// use clv_btyd::{Covariates, MbgCnbd, RegularFit};
///
/// let settings = RegularFit::<MbgCnbd>::new().most(4)?.over_time(Covariates::new().on_purchases(["season"])?);
/// # let _ = settings;
/// # Ok::<(), clv_core::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct RegularOverTime<P> {
    regular: RegularFit<P>,
    covariates: Covariates,
}

impl<P: OverTime> RegularOverTime<P> {
    /// Fits the customers of a training log, whose names are those of the timelines.
    ///
    /// # Errors
    ///
    /// As [`OverTimeFit::fit`].
    pub fn fit(
        &self,
        training: &Training<'_>,
        timelines: &[&Timelines],
        names: &Names,
        cx: &Context<'_>,
    ) -> Result<Fitted<OverTimeModel<P>>, Error> {
        let with = |settings| {
            OverTimeFit::new(self.covariates.clone()).each(settings).fit(training, timelines, names, cx)
        };
        self.regular.likeliest(self.regular.each_k(with)?)
    }
}

/// What the times between purchases add to the log-likelihood at a `k`, `(k − 1) Σ ln Δ − n ln Γ(k)`: without it one `k` cannot be compared with
/// another. None of a model without `k`.
pub(crate) fn ln_constant<P: Process>(process: &P, data: &Training<'_>) -> Result<Option<f64>, Error> {
    let Some(place) = P::PARAMETERS.iter().position(|p| p.scale == Scale::Count) else { return Ok(None) };
    let k = process.values()[place];
    let repeats: f64 = data.summary().frequency.iter().map(|&x| f64::from(x)).sum();
    Ok(Some((k - 1.0) * data.sum_of_ln_gaps()? - repeats * ln_gamma(k)))
}
