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
use crate::{BgCnbd, BgNbd, MbgCnbd, MbgNbd, ParetoNbd};

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
    // Only at a beat do times matter.
    let times = (1..=x).map(|j| last * j as f64 / x as f64).collect();
    Path { x: x as f64, times, silent: silent.unwrap_or(pieces.len()), pieces, at: rows }
}

fn of(acts: [(usize, bool, bool); 3]) -> Vec<Coefficient> {
    acts.into_iter().map(|(term, buys, leaves)| Coefficient { term, buys, leaves }).collect()
}

fn likelihood<P: Likelihood>(values: &[f64], of: &[Coefficient], paths: &[Path]) -> (Derivatives, f64) {
    let n = values.len();
    let mut total = Derivatives { value: 0.0, gradient: vec![0.0; n], hessian: vec![0.0; n * n] };
    let mut scratch = Scratch::new(n - of.len(), of.len());
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

/// The same at a beat: `λ` integrated out on the clock of the purchases with what has been silent, `p` by what stays.
#[test]
fn regular_customers_beside_forty_digits() {
    fn check<P: Likelihood>(k: f64, table: [(usize, f64, usize, f64, f64); 6]) {
        let coefficients = of([(0, true, false), (0, false, true), (1, true, true)]);
        let values = [0.55, 10.58, 0.61, 3.2, k, 0.4, -0.3, 0.0];
        for (x, last, in_season, want, alive) in table {
            let (got, ln_alive) = likelihood::<P>(&values, &coefficients, &[path(x, last, in_season, 0.0)]);
            near(got.value, want, 1e-12, "ln L");
            near(ln_alive, alive, 1e-12, "ln P(alive)");
        }
    }
    check::<BgCnbd>(
        2.0,
        [
            (0, 0.0, 0, -0.58612688092869486982, 0.0),
            (3, 20.0, 1, -11.930948947632695821, -0.74701894503600462423),
            (200, 38.0, 90, 106.56087904998015052, -5.0999575860062008372),
            (200, 25.0, 90, 156.03938535625184925, -139.35089329138225207),
            (1000, 39.5, 450, 2153.0398652673212906, -6.4170629654783379959),
            (1000, 30.0, 450, 2306.5688659486983972, -406.28847774717576419),
        ],
    );
    check::<BgCnbd>(
        3.0,
        [
            (0, 0.0, 0, -0.4039670181957004453, 0.0),
            (3, 20.0, 1, -12.482884083160899351, -0.92091739773481539017),
            (200, 38.0, 90, 106.22484406655146718, -9.0720823967409375288),
            (200, 25.0, 90, 136.88036565683423189, -209.23244942454064803),
            (1000, 39.5, 450, 2156.3748936689184549, -11.749408327750343649),
            (1000, 30.0, 450, 2261.9056813683971629, -609.92978347387582662),
        ],
    );
    check::<MbgCnbd>(
        2.0,
        [
            (0, 0.0, 0, -0.46603003104986881848, -0.29457522921175478468),
            (3, 20.0, 1, -12.121440818626913263, -0.65427016359750393037),
            (200, 38.0, 90, 106.55195263316233134, -5.0944167013641834369),
            (200, 25.0, 90, 156.0304248544718434, -139.34531832177804801),
            (1000, 39.5, 450, 2153.0380507206789782, -6.4159362285753718102),
            (1000, 30.0, 450, 2306.5670495575395579, -406.28734916575627109),
        ],
    );
    check::<MbgCnbd>(
        3.0,
        [
            (0, 0.0, 0, -0.32729029034808396692, -0.25115510718054521172),
            (3, 20.0, 1, -12.687440951155875139, -0.81410361929555635035),
            (200, 38.0, 90, 106.21588420671701019, -9.0665080690822823226),
            (200, 25.0, 90, 136.87140515505422604, -209.22687445493644396),
            (1000, 39.5, 450, 2156.3730772866736597, -11.748279755244894746),
            (1000, 30.0, 450, 2261.9038649772383235, -609.92865489245633352),
        ],
    );
}

/// Who has just bought for the first time buys at a beat that is told from nothing else; and so many purchases that a beat is nothing are those of no beat.
#[test]
fn first_purchases_and_many() {
    for (shape, rate, a, b, k, t) in [
        (0.9, 6.0, 0.8, 3.0, 6, 26.0),
        (0.5, 10.0, 0.8, 2.5, 10, 30.0),
        (0.9, 4.0, 0.8, 3.0, 12, 52.0),
        (1.0, 4.0, 5.0, 1.0, 50, 100.0),
    ] {
        let now = Future::LeavesAfterRegular { shape, rate, a, b, k, silence: 0.0 };
        let stretches = vec![Stretch { length: t, buys: 1.0, leaves: 1.0 + 1e-13 }];
        let other = FutureOverTime { now, stretches };
        near(other.expected(t, 0.0), now.expected(0.0, t), 1e-8, "expected");
        near(other.survival(t), now.survival(t), 1e-8, "survival");
        near(other.probability_of(t, 1), now.probability_of(t, 1), 1e-8, "one");
    }
    let stretches = [(30.0, 1.0, 1.0), (20.0, 1.0, 0.4)]
        .map(|(length, buys, leaves)| Stretch { length, buys, leaves })
        .to_vec();
    let heavy = Future::LeavesAfterRegular { shape: 9e4, rate: 1.0, a: 0.5, b: 900.0, k: 2, silence: 0.0 };
    let future = FutureOverTime { now: heavy, stretches: stretches.clone() };
    let (expected, survival) = (future.expected(50.0, 0.0), future.survival(50.0));
    let same = FutureOverTime { now: heavy.without_beat(), stretches };
    near(expected, same.expected(50.0, 0.0), 1e-3, "expected");
    near(survival, same.survival(50.0), 1e-9, "survival");
    assert!(
        future.probability_of(50.0, 4_000_000_000) == 0.0 && future.probability_of(50.0, 1_000_000) >= 0.0
    );
}

/// Of one click a purchase, and so no beat, the likelihood and the future are those of BG/NBD and MBG/NBD.
#[test]
fn a_beat_of_one_is_at_random() {
    fn check<One: Likelihood, Plain: Likelihood>() {
        let coefficients = of([(0, true, false), (0, false, true), (1, true, true)]);
        let (plain, one) =
            ([0.8, 9.0, 0.7, 11.0, 0.4, -0.5, 0.3], [0.8, 9.0, 0.7, 11.0, 1.0, 0.4, -0.5, 0.3]);
        for path in [path(0, 0.0, 0, 0.8), path(3, 20.0, 1, 0.8), path(12, 39.5, 5, 0.8)] {
            let (a, alive) = likelihood::<One>(&one, &coefficients, std::slice::from_ref(&path));
            let (b, of_plain) = likelihood::<Plain>(&plain, &coefficients, std::slice::from_ref(&path));
            near(a.value, b.value, 1e-14, "ln L");
            near(alive, of_plain, 1e-13, "ln P(alive)");
        }
    }
    check::<BgCnbd, BgNbd>();
    check::<MbgCnbd, MbgNbd>();
    for plain in &futures()[1..3] {
        let Future::LeavesAfterPurchase { k: shape, rate, a, b } = plain.now else { continue };
        let now = Future::LeavesAfterRegular { shape, rate, a, b, k: 1, silence: 7.0 };
        let future = FutureOverTime { now, stretches: plain.stretches.clone() };
        for t in [0.5, 6.0, 11.0, 28.5] {
            near(future.survival(t), plain.survival(t), 1e-8, "survival");
            near(future.expected(t, 0.0), plain.expected(t, 0.0), 1e-8, "expected");
            near(future.expected(t, 0.02), plain.expected(t, 0.02), 1e-6, "discounted");
            for n in [0, 1, 2, 9] {
                near(future.probability_of(t, n), plain.probability_of(t, n), 1e-8, "count");
            }
        }
    }
}

#[test]
fn derivatives_of_all_five() {
    let coefficients = of([(0, true, false), (0, false, true), (1, true, true)]);
    let paths = [path(0, 0.0, 0, 0.8), path(3, 20.0, 1, 0.8), path(12, 39.5, 5, 0.8), path(1, 2.0, 0, 0.8)];
    let values = [0.8, 9.0, 0.7, 11.0, 0.4, -0.5, 0.3];
    expect_derivatives(&values, 3e-5, |v| likelihood::<ParetoNbd>(v, &coefficients, &paths).0);
    expect_derivatives(&values, 3e-5, |v| likelihood::<BgNbd>(v, &coefficients, &paths).0);
    expect_derivatives(&values, 3e-5, |v| likelihood::<MbgNbd>(v, &coefficients, &paths).0);
    // Of k there are none.
    for k in [2.0, 3.0] {
        let at_k = |v: &[f64]| [&v[..4], &[k], &v[4..]].concat();
        let without = |d: Derivatives| {
            let is_kept = |i: usize| i != 4;
            let gradient = (0..8).filter(|i| is_kept(*i)).map(|i| d.gradient[i]).collect();
            let kept = (0..64).filter(|e| is_kept(e / 8) && is_kept(e % 8));
            let hessian = kept.map(|e| d.hessian[e]).collect();
            Derivatives { value: d.value, gradient, hessian }
        };
        expect_derivatives(&values, 3e-5, |v| {
            without(likelihood::<BgCnbd>(&at_k(v), &coefficients, &paths).0)
        });
        expect_derivatives(&values, 3e-5, |v| {
            without(likelihood::<MbgCnbd>(&at_k(v), &coefficients, &paths).0)
        });
    }
}

/// Covariates that never change are a change of parameters: of Pareto/NBD both, of the others that of purchases.
#[test]
fn constant_covariates_move_parameters() {
    fn check<P: Process + Likelihood>(moved: &[f64], leaves: bool) {
        let coefficients = of([(1, true, false), (1, false, leaves), (1, false, false)]);
        for (x, last) in [(0, 0.0), (3, 20.0), (200, 39.0), (40, 40.0)] {
            let mut path = path(x, last, 0, 0.0);
            path.pieces.rows.chunks_exact_mut(2).for_each(|row| row[1] = 1.0);
            let by = [0.4, if leaves { -0.5 } else { 0.0 }, 0.0];
            let values = [&[0.8, 9.0, 0.7, 11.0], &moved[4..], &by].concat();
            let plain = P::from_values(moved).unwrap();
            // What histories do not tell of a beat.
            let k = moved.get(4).copied().unwrap_or(1.0);
            let gaps: f64 = (1..=x).map(|_| (last / x as f64).ln()).sum();
            let constant = (k - 1.0) * gaps - x as f64 * clv_math::special::ln_gamma(k);
            let (got, ln_alive) = likelihood::<P>(&values, &coefficients, &[path]);
            near(got.value, plain.ln_likelihood(x as u32, last, 40.0) + constant, 1e-12, "ln L");
            near(ln_alive.exp(), plain.p_alive(x as u32, last, 40.0), 1e-10, "P(alive)");
        }
    }
    check::<ParetoNbd>(&[0.8, 9.0 * (-0.4_f64).exp(), 0.7, 11.0 * 0.5_f64.exp()], true);
    check::<BgNbd>(&[0.8, 9.0 * (-0.4_f64).exp(), 0.7, 11.0], false);
    check::<MbgNbd>(&[0.8, 9.0 * (-0.4_f64).exp(), 0.7, 11.0], false);
    check::<BgCnbd>(&[0.8, 9.0 * (-0.4_f64).exp(), 0.7, 11.0, 3.0], false);
    check::<MbgCnbd>(&[0.8, 9.0 * (-0.4_f64).exp(), 0.7, 11.0, 2.0], false);
}

fn futures() -> [FutureOverTime; 6] {
    let stretches = [(6.0, 0.8, 1.3), (10.0, 2.2, 0.4), (0.5, 1.0, 3.0), (12.0, 0.7, 1.0)]
        .map(|(length, buys, leaves)| Stretch { length, buys, leaves })
        .to_vec();
    [
        Future::LeavesAnytime { k: 2.8, rate: 30.0, s: 0.9, life: 25.0 },
        Future::LeavesAfterPurchase { k: 2.8, rate: 20.0, a: 0.8, b: 4.5 },
        Future::LeavesAfterPurchase { k: 0.3, rate: 4.0, a: 0.2, b: 0.6 },
        Future::LeavesAfterRegular { shape: 7.3, rate: 20.0, a: 0.8, b: 4.5, k: 3, silence: 4.0 },
        Future::LeavesAfterRegular { shape: 0.6, rate: 12.0, a: 0.3, b: 0.7, k: 2, silence: 0.0 },
        Future::LeavesAfterRegular { shape: 40.0, rate: 16.0, a: 3.0, b: 60.0, k: 5, silence: 0.7 },
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
            assert!(
                (mean - want).abs() < 4.0 * error + 1e-9,
                "{what} {i}: {mean} ± {error}, expected {want}"
            );
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
        // Where leaving goes nearly as always the other way to compute is nearly the same.
        if matches!(future.now, Future::LeavesAfterRegular { .. }) {
            let stretches = vec![Stretch { length: 15.0, buys: 1.0, leaves: 1.0 + 1e-13 }];
            let other = FutureOverTime { now: future.now, stretches };
            near(other.expected(15.0, 0.0), one.expected(15.0, 0.0), 1e-8, "expected");
            near(other.expected(15.0, 0.02), one.expected(15.0, 0.02), 1e-6, "discounted");
            near(other.survival(9.0), one.survival(9.0), 1e-8, "survival");
            for n in [0, 1, 2, 7] {
                near(other.probability_of(15.0, n), one.probability_of(15.0, n), 1e-8, "count");
            }
        }
        near(one.expected(15.0, 0.0), future.now.expected(0.0, 15.0), 1e-9, "expected");
        let (plain, discounted) = future.now.expected_and_discounted(15.0, 0.02);
        near(one.expected(15.0, 0.0), plain, 1e-9, "plain");
        near(one.expected(15.0, 0.02), discounted, 1e-6, "discounted");
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
        near(
            Geometric { values: &values, of: &coefficients, chance, clicks: 1.0 }.chances(&path),
            want,
            1e-14,
            "W",
        );
    }
}
