use clv_core::{Ask, Discount, Span, TimeUnit};
use clv_math::quadrature::gauss_legendre;
use clv_math::special::{gamma_q, ln_gamma};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::own::{AtABeat, AtRandom, Logs, MOST, Own, Seen, rest_of_gamma};
use super::population::{Gammas, Lognormal, Population, Prior, inverse_wishart};
use super::sampler::{State, slice};
use super::{Abe, HierarchicalModel, Hierarchy, MaLiu, ParetoGgg};
use crate::covariates::Term;

fn rng(stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    rng.set_stream(stream);
    rng
}

fn integral(f: impl Fn(f64) -> f64, from: f64, to: f64) -> f64 {
    let rule = gauss_legendre(40);
    let (panels, mut sum) = (60, 0.0);
    let width = (to - from) / f64::from(panels);
    for panel in 0..panels {
        let start = from + width * f64::from(panel);
        let of = |(x, w): (&f64, &f64)| w * width * f(start + x * width);
        sum += rule.nodes.iter().zip(&rule.weights).map(of).sum::<f64>();
    }
    sum
}

/// Platzer & Reutterer (2016), over the lifetime by quadrature.
#[test]
fn lifetimes_are_integrated_out() {
    for (k, lambda, mu) in [(1.0, 0.2, 0.03), (0.4, 0.5, 0.2), (3.7, 0.16, 0.01), (12.0, 1.3, 1e-5)] {
        for (x, t_x, age) in [(0.0, 0.0, 30.0), (4.0, 21.0, 30.0), (9.0, 29.0, 30.0), (2.0, 3.0, 80.0)] {
            let seen = Seen { x, t_x, age, ln_gaps: 0.7 * x };
            let own: Logs = [f64::ln(lambda), f64::ln(mu), f64::ln(k)];
            let theta = k * lambda;
            let gaps = x * (k * f64::ln(theta) - ln_gamma(k)) + (k - 1.0) * 0.7 * x - theta * t_x;
            let silent = |t: f64| gamma_q(k, theta * (t - t_x));
            let left = integral(|t| mu * (-mu * t).exp() * silent(t), t_x, age);
            let alive = (-mu * age).exp() * silent(age);
            let want = gaps + (left + alive).ln();
            let got = AtABeat::ln_likelihood(&own, &seen);
            assert!((got - want).abs() < 1e-6 * (1.0 + want.abs()), "{own:?} {seen:?}: {got} {want}");
            let p_alive = AtABeat::p_alive(&own, &seen);
            assert!((p_alive - alive / (left + alive)).abs() < 1e-6, "{own:?} {seen:?}: {p_alive}");
            if k == 1.0 {
                let plain = AtRandom::ln_likelihood(&own, &seen);
                assert!((got - plain).abs() < 1e-12 * (1.0 + plain.abs()), "{got} {plain}");
                let plain = AtRandom::p_alive(&own, &seen);
                assert!((p_alive - plain).abs() < 1e-12, "{p_alive} {plain}");
            }
        }
    }
}

#[test]
fn edges() {
    for own in [[-20.0, -20.0, 0.0], [8.0, -30.0, 3.0], [-3.0, 9.0, -3.0], [2.0, 2.0, 4.0]] {
        for (x, t_x, age) in [(0.0, 0.0, 0.0), (0.0, 0.0, 500.0), (50_000.0, 499.0, 500.0), (3.0, 9.0, 9.0)] {
            let seen = Seen { x, t_x, age, ln_gaps: if x > 0.0 { x * (t_x / x).ln() } else { 0.0 } };
            for (ln, alive) in [
                (AtABeat::ln_likelihood(&own, &seen), AtABeat::p_alive(&own, &seen)),
                (AtRandom::ln_likelihood(&own, &seen), AtRandom::p_alive(&own, &seen)),
            ] {
                assert!(!ln.is_nan() && ln < f64::INFINITY, "{own:?} {seen:?}: {ln}");
                assert!((0.0..=1.0).contains(&alive), "{own:?} {seen:?}: {alive}");
            }
        }
    }
}

#[test]
fn a_wait_goes_on_as_its_distribution_says() {
    let mut rng = rng(0);
    for (k, theta, passed) in [(0.3, 1.0, 1e-10), (0.05, 0.01, 3.0), (0.9, 1.0, 0.99)] {
        let draws: Vec<f64> = (0..40_000).map(|_| rest_of_gamma(k, theta, passed, &mut rng)).collect();
        for u in [1e-6, 0.2, 30.0] {
            let want = gamma_q(k, theta * (passed + u)) / gamma_q(k, theta * passed);
            let got = draws.iter().filter(|d| **d > u).count() as f64 / draws.len() as f64;
            assert!(
                (got - want).abs() < 4.5 * (want * (1.0 - want) / 40_000.0).sqrt() + 1e-9,
                "{k} {u}: {got} {want}"
            );
        }
    }
    for (k, theta, passed) in
        [(0.5, 1.0, 2.0), (1.0, 0.3, 5.0), (4.0, 2.0, 0.7), (4.0, 2.0, 6.0), (2.0, 1.0, 0.0)]
    {
        let draws: Vec<f64> = (0..40_000).map(|_| rest_of_gamma(k, theta, passed, &mut rng)).collect();
        for u in [0.2, 1.0, 3.0] {
            let want = gamma_q(k, theta * (passed + u)) / gamma_q(k, theta * passed);
            let got = draws.iter().filter(|d| **d > u).count() as f64 / draws.len() as f64;
            assert!(
                (got - want).abs() < 4.5 * (want * (1.0 - want) / 40_000.0).sqrt() + 1e-9,
                "{k} {u}: {got} {want}"
            );
        }
    }
}

/// Expected purchases, their discounted sum and the mean of simulated futures.
#[test]
fn what_is_expected_is_what_comes() {
    fn check<O: Own>(own: Logs) {
        let ask =
            Ask::over(Span::new(20.0, TimeUnit::Week).unwrap()).discount(Discount::yearly(0.4).unwrap());
        let delta = ask.discounting().rate_per(TimeUnit::Week);
        let seen = Seen { x: 0.0, t_x: 0.0, age: 0.0, ln_gaps: 0.0 };
        let (mut rng, n) = (rng(1), 200_000);
        let mut expected = [(0.0, 0.0); 2];
        let mut simulated = [(0.0, 0.0); 2];
        let add = |sums: &mut [(f64, f64); 2], pair: (f64, f64)| {
            for (sum, v) in sums.iter_mut().zip([pair.0, pair.1]) {
                *sum = (sum.0 + v, sum.1 + v * v);
            }
        };
        let mut times = Vec::new();
        for _ in 0..n {
            add(&mut expected, O::expected(&own, &seen, &ask, TimeUnit::Week, &mut rng));
            times.clear();
            O::purchase_times(&own, 0.0, 20.0, &mut rng, &mut times);
            let discounted: f64 = times.iter().map(|t| (-delta * t).exp()).sum();
            add(&mut simulated, (times.len() as f64, discounted));
        }
        for (one, other) in expected.iter().zip(&simulated) {
            let of = |(sum, squares): (f64, f64)| {
                let mean = sum / f64::from(n);
                (mean, (squares / f64::from(n) - mean * mean).max(0.0) / f64::from(n))
            };
            let ((a, va), (b, vb)) = (of(*one), of(*other));
            assert!((a - b).abs() < 4.5 * (va + vb).sqrt(), "{own:?}: {a} {b}");
        }
    }
    check::<AtRandom>([-1.2, -3.0, 0.0]);
    check::<AtABeat>([-1.2, -3.0, 0.0]);
    check::<AtABeat>([-0.5, -2.0, 1.5]);
    check::<AtABeat>([-1.0, -4.0, -1.0]);
    check::<AtABeat>([-1.0, -4.0, -2.5]);
}

#[test]
fn slices_draw_from_their_density() {
    // A gamma variable's logarithm, of shape 0.7.
    let ln_density = |l: f64| 0.7 * l - l.exp();
    let mut rng = rng(2);
    let (mut at, n) = (0.0, 60_000);
    let mut sums = (0.0, 0.0);
    for _ in 0..n {
        at = slice(at, ln_density(at), 1.5, ln_density, &mut rng).0;
        sums = (sums.0 + at.exp(), sums.1 + f64::from(u8::from(at > 0.0)));
    }
    let (mean, above) = (sums.0 / f64::from(n), sums.1 / f64::from(n));
    assert!((mean - 0.7).abs() < 0.02, "{mean}");
    assert!((above - gamma_q(0.7, 1.0)).abs() < 0.01, "{above}");
}

/// Of populations drawn from their prior, and customers of them, the ranks within draws given what the customers do are
/// uniform (Talts and others 2018): customers, population, shifts and stretches leave the posterior as it is.
fn is_calibrated<O: Own, P: Population>(
    rounds: u64,
    of_prior: impl Fn(&mut ChaCha8Rng) -> P,
    draw_own: impl Fn(&P, &[f64], &mut ChaCha8Rng) -> Logs,
    columns_of: impl Fn(usize) -> Vec<f64>,
) {
    const BINS: usize = 10;
    const CUSTOMERS: usize = 30;
    let mut ranks: Vec<[f64; BINS]> = Vec::new();
    for round in 0..rounds {
        let mut rng = rng(round);
        let population = of_prior(&mut rng);
        let truth = population.values();
        ranks.resize(truth.len(), [0.0; BINS]);
        let (mut seen, mut columns, mut times) = (Vec::new(), Vec::new(), Vec::new());
        for i in 0..CUSTOMERS {
            let row = columns_of(i);
            let own = draw_own(&population, &row, &mut rng);
            columns.extend(row);
            times.clear();
            let age = 6.0 + 0.3 * i as f64;
            O::purchase_times(&own, 0.0, age, &mut rng, &mut times);
            times.truncate(5_000);
            let mut last = 0.0;
            let mut ln_gaps = 0.0;
            for &t in &times {
                ln_gaps += (t - last).max(1e-300).ln();
                last = t;
            }
            seen.push(Seen { x: times.len() as f64, t_x: last, age, ln_gaps });
        }
        // The start is another draw of the prior: it must not matter.
        let mut state = State::<O, P>::start(of_prior(&mut rng), &seen, &columns, 0.0);
        let mut below = vec![0; truth.len()];
        for sweep in 0..120 + 12 * (BINS - 1) {
            if sweep < 120 {
                state.warm_up(&mut rng);
                continue;
            }
            state.sweep(&mut rng);
            if (sweep - 119) % 12 == 0 {
                for (below, (now, truth)) in
                    below.iter_mut().zip(state.population.values().iter().zip(&truth))
                {
                    *below += usize::from(now < truth);
                }
            }
        }
        for (ranks, below) in ranks.iter_mut().zip(below) {
            ranks[below] += 1.0;
        }
    }
    let expected = rounds as f64 / BINS as f64;
    for (place, bins) in ranks.iter().enumerate() {
        let chi: f64 = bins.iter().map(|n| (n - expected) * (n - expected) / expected).sum();
        let p = gamma_q(0.5 * (BINS as f64 - 1.0), 0.5 * chi);
        // Seventeen parameters in all: .01 corrected for them.
        assert!(p > 0.01 / 17.0, "{place}: p = {p}, ranks {bins:?}");
    }
}

fn gammas(parameters: usize) -> impl Fn(&mut ChaCha8Rng) -> Gammas {
    move |rng| {
        let centres = [-0.7, -2.0, 0.3];
        let mut population = Gammas::start(&centres[..parameters], 0, 0.4);
        for d in 0..parameters {
            let (shape, rate): (f64, f64) = (StandardNormal.sample(rng), StandardNormal.sample(rng));
            population.stretch(d, -0.2 * shape);
            population.shift(d, 0.4 * (shape - rate));
        }
        population
    }
}

fn own_of_gammas(population: &Gammas, _row: &[f64], rng: &mut ChaCha8Rng) -> Logs {
    let mut own = [0.0; MOST];
    for (own, of) in own.iter_mut().zip(population.values().chunks(2)) {
        *own = crate::simulate::gamma(of[0], of[1], rng).ln();
    }
    own
}

#[test]
fn ranks_are_uniform_gamma_rates() {
    is_calibrated::<AtRandom, _>(400, gammas(2), own_of_gammas, |_| Vec::new());
}

#[test]
fn ranks_are_uniform_at_a_beat() {
    is_calibrated::<AtABeat, _>(200, gammas(3), own_of_gammas, |_| Vec::new());
}

#[test]
fn ranks_are_uniform_lognormal_rates_and_a_covariate() {
    let prior = Prior { weight: 6.0, degrees: 12.0, scale: 6.0 };
    let of_prior = |rng: &mut ChaCha8Rng| {
        let spread = inverse_wishart(12.0, &[6.0, 0.0, 0.0, 6.0], 2, rng).unwrap();
        let root = clv_math::linalg::cholesky(&spread, 2).unwrap();
        let mut values = Vec::new();
        for _ in 0..2 {
            let z: [f64; 2] = [StandardNormal.sample(rng), StandardNormal.sample(rng)];
            let by = 1.0 / f64::sqrt(6.0);
            values.extend([by * root[0] * z[0], by * (root[2] * z[0] + root[3] * z[1])]);
        }
        values.extend([spread[0], spread[1], spread[3]]);
        Lognormal::of_values(&values, 2, 2).unwrap().under(prior)
    };
    let own = |population: &Lognormal, row: &[f64], rng: &mut ChaCha8Rng| {
        let values = population.values();
        let root = clv_math::linalg::cholesky(&[values[4], values[5], values[5], values[6]], 2).unwrap();
        let z: [f64; 2] = [StandardNormal.sample(rng), StandardNormal.sample(rng)];
        let away = [root[0] * z[0], root[2] * z[0] + root[3] * z[1], 0.0];
        [population.middle(0, row) + away[0], population.middle(1, row) + away[1], 0.0]
    };
    is_calibrated::<AtRandom, _>(400, of_prior, own, |i| vec![1.0, (i % 3) as f64 - 1.0]);
}

/// Of each population as many customers are drawn, and the mixture's quantiles part them as it says.
#[test]
fn customers_differ_as_populations_say() {
    fn check<H: Hierarchy>(
        values: Vec<Vec<f64>>,
        terms: Vec<Term>,
        columns: &[f64],
        row: &[f64],
    ) -> Vec<&'static str> {
        let n = H::Own::NAMES.len();
        let of = |v: &Vec<f64>| H::Population::of_values(v, n, row.len()).unwrap();
        let populations: Vec<H::Population> = values.iter().map(of).collect();
        let model = HierarchicalModel::<H>::of(values, (terms, Vec::new()), TimeUnit::Week, 1).unwrap();
        let differ = model.heterogeneity(columns).unwrap();
        assert_eq!(differ.len(), n);
        let (mut rng, each) = (rng(3), 20_000);
        let draws: Vec<Logs> = populations
            .iter()
            .flat_map(|p| (0..each).map(|_| p.draw_own(row, &mut rng)).collect::<Vec<_>>())
            .collect();
        let share = |d: usize, at: f64| {
            draws.iter().filter(|own| own[d].exp() < at).count() as f64 / draws.len() as f64
        };
        for (d, (name, mixture)) in differ.iter().enumerate() {
            assert_eq!(mixture.draws().len(), populations.len());
            for below in [0.05, 0.3, 0.5, 0.8, 0.98] {
                let found = share(d, mixture.quantile(below));
                assert!(
                    (found - below).abs() < 4.5 * (below * (1.0 - below) / draws.len() as f64).sqrt(),
                    "{name} {found}"
                );
            }
            let whole = integral(|ln| ln.exp() * mixture.density(ln.exp()), -40.0, 12.0);
            assert!((whole - 1.0).abs() < 1e-6, "{name} {whole}");
        }
        let too_many = vec![0.5; columns.len() + 1];
        assert!(model.heterogeneity(&too_many).is_err());
        differ.into_iter().map(|(name, _)| name).collect()
    }
    let beats = vec![vec![1.5, 6.0, 0.9, 12.0, 3.0, 2.0], vec![2.0, 7.0, 0.7, 15.0, 9.0, 2.0]];
    let names = check::<ParetoGgg>(beats.clone(), Vec::new(), &[], &[]);
    assert_eq!(names, ["purchase rate", "dropout rate", "regularity"]);
    // Means of k are t/γ, 1.5 and 4.5.
    let model = HierarchicalModel::<ParetoGgg>::of(beats, Default::default(), TimeUnit::Week, 1).unwrap();
    assert!((model.heterogeneity(&[]).unwrap()[2].1.mean() - 3.0).abs() < 1e-12);
    let rates = vec![vec![1.5, 6.0, 0.9, 12.0]];
    assert_eq!(check::<MaLiu>(rates, Vec::new(), &[], &[]), ["purchase rate", "dropout rate"]);
    let abe = vec![vec![-1.0, -3.0, 0.4, -0.2, 0.8, 0.1, 0.5], vec![-1.2, -2.5, 0.3, -0.1, 0.6, -0.2, 0.9]];
    check::<Abe>(abe.clone(), Term::parse("own_age").unwrap(), &[2.0], &[1.0, 2.0]);
    // With more of what moves purchases by e^0.35 they come the more often.
    let terms = Term::parse("own_age").unwrap();
    let model = HierarchicalModel::<Abe>::of(abe, (terms, Vec::new()), TimeUnit::Week, 1).unwrap();
    let middle = |z: f64| model.heterogeneity(&[z]).unwrap()[0].1.quantile(0.5);
    assert!((middle(1.0) / middle(0.0) - 0.35_f64.exp()).abs() < 0.05);
    assert!(model.heterogeneity(&[f64::NAN]).is_err());
}
