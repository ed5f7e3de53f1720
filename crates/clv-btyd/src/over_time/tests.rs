#![allow(clippy::excessive_precision)]

use std::ops::Range;

use clv_math::minimise::Derivatives;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::beta_geometric::Geometric;
use super::fit::sealed::Likelihood;
use super::future::{FutureOverTime, Stretch};
use super::pareto::Scratch;
use super::path::{Coefficient, Path, Pieces};
use crate::beta_geometric::Chance;
use crate::future::Future;
use crate::process::{Process, expect_derivatives};
use crate::{BgNbd, MbgNbd, ParetoNbd};

const LENGTHS: [f64; 5] = [5.0, 10.0, 7.5, 10.5, 7.0];
const SEASON: [f64; 5] = [0.0, 1.0, 0.0, 1.0, 0.0];

/// A customer over the five pieces, `x` repeat purchases of which `in_season` fell into the season, the last at `last`.
fn path(x: usize, last: f64, in_season: usize, second: f64) -> Path {
    let mut pieces = Pieces { terms: 2, ..Pieces::default() };
    let mut silent = None;
    let mut at = 0.0;
    for (length, season) in LENGTHS.into_iter().zip(SEASON) {
        let row = [season, second * (1.0 - season) + 0.3];
        if silent.is_none() && last < at + length {
            if last > at {
                pieces.push(last - at, &row, false);
            }
            silent = Some(pieces.len());
            pieces.push(at + length - last.max(at), &row, false);
        } else {
            pieces.push(length, &row, false);
        }
        at += length;
    }
    let (out, within) = (0, if pieces.row(1)[0] == 1.0 { 1 } else { 2 });
    let mut rows = vec![0];
    rows.extend((0..x).map(|j| if j < in_season { within } else { out }));
    Path { x: x as f64, silent: silent.unwrap_or(pieces.len()), pieces, at: rows }
}

fn of(acts: [(usize, bool, bool); 3]) -> Vec<Coefficient> {
    acts.into_iter().map(|(term, buys, leaves)| Coefficient { term, buys, leaves }).collect()
}

fn likelihood<P: Likelihood>(values: &[f64], of: &[Coefficient], paths: &[Path]) -> (Derivatives, f64) {
    let n = values.len();
    let mut total = Derivatives { value: 0.0, gradient: vec![0.0; n], hessian: vec![0.0; n * n] };
    let mut scratch = Scratch::new(4, of.len());
    let mut alive = 0.0;
    for path in paths {
        alive = P::add(values, of, path, &mut scratch, &mut total);
    }
    for i in 0..n {
        for j in 0..i {
            total.hessian[i * n + j] = total.hessian[j * n + i];
        }
    }
    (total, alive)
}

fn near(got: f64, want: f64, within: f64, what: &str) {
    assert!((got - want).abs() <= within * (1.0 + want.abs()), "{what}: {got}, expected {want}");
}

#[test]
fn pareto_nbd_beside_forty_digits() {
    // mpmath with 40 digits, each piece in 300 panels. The usual arrangement as a difference of two ₂F₁ is off by 225 at x = 200.
    let coefficients = of([(0, true, false), (0, false, true), (1, true, true)]);
    let values = [0.55, 10.58, 0.61, 11.67, 0.4, -0.3, 0.0];
    for (x, last, in_season, want, alive) in [
        (0, 0.0, 0, -0.59581109845222209106, -1.2060872545076312787),
        (3, 20.0, 1, -12.246569711811147436, -0.69478986223992331123),
        (200, 38.0, 90, 74.985058856148855431, -1.4846964146997518349),
        (200, 25.0, 90, 142.46318741796885437, -68.962824976519750777),
        (1000, 39.5, 450, 1982.842514820285459, -1.4290493103630997507),
        (1000, 30.0, 450, 2183.5387252481466578, -202.12525973822429847),
    ] {
        let (got, ln_alive) =
            likelihood::<ParetoNbd>(&values, &coefficients, &[path(x, last, in_season, 0.0)]);
        near(got.value, want, 2e-13, "ln L");
        near(ln_alive, alive, 1e-12, "ln P(alive)");
    }
}

#[test]
fn bg_nbd_and_mbg_nbd_beside_forty_digits() {
    fn check<P: Likelihood>(table: [(usize, f64, usize, f64, f64); 6]) {
        let coefficients = of([(0, true, false), (0, false, true), (1, true, true)]);
        let values = [0.55, 10.58, 0.61, 3.2, 0.4, -0.3, 0.0];
        for (x, last, in_season, want, alive) in table {
            let (got, ln_alive) = likelihood::<P>(&values, &coefficients, &[path(x, last, in_season, 0.0)]);
            near(got.value, want, 2e-13, "ln L");
            near(ln_alive, alive, 1e-12, "ln P(alive)");
        }
    }
    // mpmath with 40 digits: λ and p integrated out, each by quadrature of what the story says of a customer who has them.
    check::<BgNbd>([
        (0, 0.0, 0, -0.96049730904354828144, 0.0),
        (3, 20.0, 1, -11.891261117156326383, -0.60283750260400277616),
        (200, 38.0, 90, 73.192552003084100219, -1.3444933593815032349),
        (200, 25.0, 90, 141.20414626359540758, -69.356087619892810597),
        (1000, 39.5, 450, 1980.1012629006449723, -1.3136412913956568635),
        (1000, 30.0, 450, 2181.3186161590195951, -202.53099454977027966),
    ]);
    check::<MbgNbd>([
        (0, 0.0, 0, -0.73077652161053578998, -0.4041991667659412248),
        (3, 20.0, 1, -12.068273556372629342, -0.52356815294341656557),
        (200, 38.0, 90, 73.185047735928504933, -1.3403746244017097322),
        (200, 25.0, 90, 141.19518576181540173, -69.35051265028860653),
        (1000, 39.5, 450, 1980.0997500417844923, -1.3128162422745231026),
        (1000, 30.0, 450, 2181.3167997678607558, -202.52986596835078656),
    ]);
}

#[test]
fn derivatives_of_all_three() {
    let coefficients = of([(0, true, false), (0, false, true), (1, true, true)]);
    let paths = [path(0, 0.0, 0, 0.8), path(3, 20.0, 1, 0.8), path(12, 39.5, 5, 0.8), path(1, 2.0, 0, 0.8)];
    let values = [0.8, 9.0, 0.7, 11.0, 0.4, -0.5, 0.3];
    expect_derivatives(&values, 3e-5, |v| likelihood::<ParetoNbd>(v, &coefficients, &paths).0);
    expect_derivatives(&values, 3e-5, |v| likelihood::<BgNbd>(v, &coefficients, &paths).0);
    expect_derivatives(&values, 3e-5, |v| likelihood::<MbgNbd>(v, &coefficients, &paths).0);
}

/// Covariates that never change are a change of parameters: of Pareto/NBD both, of the others that of purchases.
#[test]
fn constant_covariates_move_parameters() {
    fn check<P: Process + Likelihood>(moved: &[f64], leaves: bool) {
        let coefficients = of([(1, true, false), (1, false, leaves), (1, false, false)]);
        for (x, last) in [(0, 0.0), (3, 20.0), (200, 39.0), (40, 40.0)] {
            let mut path = path(x, last, 0, 0.0);
            path.pieces.rows.chunks_exact_mut(2).for_each(|row| row[1] = 1.0);
            let values = [0.8, 9.0, 0.7, 11.0, 0.4, if leaves { -0.5 } else { 0.0 }, 0.0];
            let (got, ln_alive) = likelihood::<P>(&values, &coefficients, &[path]);
            let plain = P::from_values(moved).unwrap();
            near(got.value, plain.ln_likelihood(x as u32, last, 40.0), 1e-12, "ln L");
            near(ln_alive.exp(), plain.p_alive(x as u32, last, 40.0), 1e-10, "P(alive)");
        }
    }
    check::<ParetoNbd>(&[0.8, 9.0 * (-0.4_f64).exp(), 0.7, 11.0 * 0.5_f64.exp()], true);
    check::<BgNbd>(&[0.8, 9.0 * (-0.4_f64).exp(), 0.7, 11.0], false);
    check::<MbgNbd>(&[0.8, 9.0 * (-0.4_f64).exp(), 0.7, 11.0], false);
}

fn futures() -> [FutureOverTime; 3] {
    let stretches = [(6.0, 0.8, 1.3), (10.0, 2.2, 0.4), (0.5, 1.0, 3.0), (12.0, 0.7, 1.0)]
        .map(|(length, buys, leaves)| Stretch { length, buys, leaves })
        .to_vec();
    [
        Future::LeavesAnytime { k: 2.8, rate: 30.0, s: 0.9, life: 25.0 },
        Future::LeavesAfterPurchase { k: 2.8, rate: 20.0, a: 0.8, b: 4.5 },
        Future::LeavesAfterPurchase { k: 0.3, rate: 4.0, a: 0.2, b: 0.6 },
    ]
    .map(|now| FutureOverTime { now, stretches: stretches.clone() })
}

#[test]
fn expectations_are_sums_over_counts_and_means_of_simulated_futures() {
    for (i, future) in futures().into_iter().enumerate() {
        let t = future.reach();
        let (expected, discounted) = (future.expected(t, 0.0), future.expected(t, 0.05));
        let counts: Range<u32> = 0..1_000;
        let (mut sum, mut mean) = (0.0, 0.0);
        for n in counts {
            let p = future.probability_of(t, n);
            sum += p;
            mean += f64::from(n) * p;
            if n > 30 && p < 1e-11 {
                break;
            }
        }
        near(sum, 1.0, 1e-8, "sum of probabilities");
        near(mean, expected, 1e-7, "mean of counts");
        let mut rng = ChaCha8Rng::seed_from_u64(i as u64);
        let runs = 200_000;
        let (mut total, mut square, mut paid, mut paid_square, mut none) = (0.0, 0.0, 0.0, 0.0, 0.0);
        let mut times = Vec::new();
        for _ in 0..runs {
            times.clear();
            future.purchase_times(&mut rng, &mut times);
            let (count, value) = (times.len() as f64, times.iter().map(|t| (-0.05 * t).exp()).sum::<f64>());
            total += count;
            square += count * count;
            paid += value;
            paid_square += value * value;
            none += f64::from(u8::from(times.is_empty()));
        }
        let runs = f64::from(runs);
        let within = |mean: f64, square: f64, want: f64, what: &str| {
            let error = ((square - mean * mean) / runs).sqrt();
            assert!((mean - want).abs() < 4.0 * error, "{what} {i}: {mean} ± {error}, expected {want}");
        };
        within(total / runs, square / runs, expected, "purchases");
        within(paid / runs, paid_square / runs, discounted, "discounted");
        within(none / runs, none / runs, future.probability_of(t, 0), "none");
    }
}

#[test]
fn one_piece_is_the_plain_future() {
    for future in futures() {
        let one = FutureOverTime {
            now: future.now,
            stretches: vec![Stretch { length: 15.0, buys: 1.0, leaves: 1.0 }],
        };
        near(one.expected(15.0, 0.0), future.now.expected(0.0, 15.0), 1e-9, "expected");
        let (plain, discounted) = future.now.expected_and_discounted(15.0, 0.02);
        near(one.expected(15.0, 0.0), plain, 1e-9, "plain");
        near(one.expected(15.0, 0.02), discounted, 1e-9, "discounted");
        near(one.survival(9.0), future.now.survival(9.0), 1e-10, "survival");
        for n in [0, 1, 2, 7] {
            near(one.probability_of(15.0, n), future.now.probability_of(15.0, n), 1e-9, "count");
        }
    }
}

#[test]
fn chances_to_stay_add_up() {
    let coefficients = of([(0, false, true), (1, false, false), (1, false, false)]);
    let values = [0.8, 9.0, 0.7, 11.0, 0.5, 0.0, 0.0];
    let path = path(3, 20.0, 2, 0.0);
    for (chance, want) in
        [(Chance::AfterRepeats, 1.0 + 2.0 * 0.5_f64.exp()), (Chance::AfterAll, 2.0 + 2.0 * 0.5_f64.exp())]
    {
        near(Geometric { values: &values, of: &coefficients, chance }.chances(&path), want, 1e-14, "W");
    }
}
