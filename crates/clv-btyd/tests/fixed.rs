//! Published numbers at fixed parameters, each with where it is printed.

#![allow(clippy::unwrap_used, clippy::excessive_precision)]

use clv_btyd::{BgNbd, GammaGamma, MbgNbd, ParetoNbd, Process, PurchaseModel};
use clv_core::model::{Activity, PurchaseForecast};
use clv_core::{History, TimeUnit};

fn close(got: f64, want: f64, relative: f64, what: &str) {
    assert!((got - want).abs() <= relative * want.abs().max(1e-300), "{what}: got {got}, want {want}");
}

/// Agreement to the digits printed.
fn printed(got: f64, want: f64, decimals: i32, what: &str) {
    assert!((got - want).abs() <= 0.5001 * 10_f64.powi(-decimals), "{what}: got {got}, printed {want}");
}

fn pareto(r: f64, alpha: f64, s: f64, beta: f64) -> ParetoNbd {
    ParetoNbd::new(r, alpha, s, beta).unwrap()
}

fn bg(r: f64, alpha: f64, a: f64, b: f64) -> BgNbd {
    BgNbd::new(r, alpha, a, b).unwrap()
}

fn mbg(r: f64, alpha: f64, a: f64, b: f64) -> MbgNbd {
    MbgNbd::new(r, alpha, a, b).unwrap()
}

fn week<P: clv_btyd::Process>(process: P) -> PurchaseModel<P> {
    PurchaseModel::new(process, TimeUnit::Week)
}

#[test]
fn bg_nbd_of_lifetimes_in_full() {
    // lifetimes prints 1.226; all digits with mpmath.
    let history = History::new(2, 30.43, 38.86).unwrap();
    let expected = week(bg(0.243, 4.414, 0.793, 2.426)).expected(&history, 0.0, 39.0).unwrap();
    close(expected, 1.2260281747671444, 1e-12, "E[X(39)]");
}

#[test]
fn bg_nbd_in_the_spreadsheet_of_note_004() {
    // Hardie, note 004; tests of pymc-marketing. r .243, α 4.414, a .793, b 2.426, T 38.86.
    let model = bg(0.243, 4.414, 0.793, 2.426);
    let at_fit = bg(0.2425945, 4.4136019, 0.7929199, 2.4258881);
    for (x, t_x, ln) in [
        (2, 30.43, -9.4596),
        (1, 1.71, -4.4711),
        (0, 0.0, -0.5538),
        (7, 29.43, -21.8644),
        (1, 5.00, -4.8651),
        (2, 35.71, -9.5367),
        (5, 24.43, -17.3593),
        (10, 34.14, -27.3144),
        (1, 4.86, -4.8520),
    ] {
        // Printed at the fit itself, of which (.243, 4.414, .793, 2.426) is the rounding, and for times
        // of which these are.
        close(at_fit.ln_likelihood(x, t_x, 38.86), ln, 2e-4, &format!("({x}, {t_x})"));
    }
    close(model.ln_likelihood(4, 30.7, 38.9), -15.32935235570709, 1e-13, "clvkit");
    let modified = mbg(0.243, 4.414, 0.793, 2.426);
    close(modified.ln_likelihood(4, 30.7, 38.9), -15.487436077892465, 1e-13, "clvkit");
}

#[test]
fn stability_of_note_027() {
    // Hardie, note 027 (BG/NBD), and pymc-marketing (MBG/NBD) at the same point.
    let model = mbg(0.25, 4.0, 0.8, 2.5);
    printed(model.ln_likelihood(0, 0.0, 40.0), -0.41792826, 8, "MBG/NBD, nobody back");
    printed(model.ln_likelihood(200, 38.0, 40.0), 100.7869, 4, "MBG/NBD, 200 purchases");
}

#[test]
fn likelihoods_of_pymc_marketing() {
    let p = |r, alpha, s, beta| pareto(r, alpha, s, beta);
    for (model, (t_x, x, age), ln) in [
        (p(0.55, 10.58, 0.61, 11.67), (1.5, 1, 12.0), -4.00694866),
        (p(0.45, 10.58, 0.61, 11.67), (1.5, 1, 12.0), -4.14770211),
        (p(0.45, 10.58, 0.71, 11.67), (1.5, 1, 12.0), -4.13593316),
        (p(0.55, 11.67, 0.61, 10.58), (1.5, 1, 12.0), -4.03618538),
        (p(0.55, 11.67, 0.61, 10.58), (5.3, 4, 10.0), -10.72932589),
        (p(0.55, 11.67, 0.61, 10.58), (6.0, 2, 8.0), -6.66878882),
    ] {
        printed(model.ln_likelihood(x, t_x, age), ln, 8, "Pareto/NBD");
    }
    let m = |r, alpha, a, b| mbg(r, alpha, a, b);
    for (model, (t_x, x, age), ln) in [
        (m(0.55, 10.58, 0.61, 11.67), (1.5, 1, 12.0), -4.11031673),
        (m(0.45, 10.58, 0.61, 11.67), (1.5, 1, 12.0), -4.24203129),
        (m(0.45, 10.58, 0.71, 11.67), (1.5, 1, 12.0), -4.24032809),
        (m(0.55, 11.67, 0.61, 10.58), (1.5, 1, 12.0), -4.13555424),
        (m(0.55, 11.67, 0.61, 10.58), (5.3, 4, 10.0), -10.72053738),
        (m(0.55, 11.67, 0.61, 10.58), (6.0, 2, 8.0), -6.49786493),
    ] {
        printed(model.ln_likelihood(x, t_x, age), ln, 8, "MBG/NBD");
    }
}

#[test]
fn new_customers_of_pymc_marketing() {
    let models: [(&dyn PurchaseForecast, [f64; 3]); 3] = [
        (
            &week(pareto(0.5534, 10.5802, 0.6061, 11.6562)),
            [0.05100453400231695, 0.14612427222155053, 0.2750506374292604],
        ),
        (
            &week(bg(0.243, 4.414, 0.793, 2.426)),
            [0.05326789117165627, 0.15086523089304896, 0.2807558935767553],
        ),
        (
            &week(mbg(0.525, 6.183, 0.891, 1.614)),
            [0.053084795263698685, 0.15086328860664794, 0.28136022398301175],
        ),
    ];
    for (model, want) in models {
        for (t, want) in [1.0, 3.0, 6.0].into_iter().zip(want) {
            close(model.expected_of_new(t).unwrap(), want, 1e-9, &format!("{model:?} E[X({t})]"));
        }
    }
}

#[test]
fn pareto_nbd_of_btyd_by_weeks() {
    // Tests of lifetimes, from R's BTYD with (.55, 10.56, .61, 11.64).
    let model = week(pareto(0.55, 10.56, 0.61, 11.64));
    let printed_values = [
        0.0, 0.05077821, 0.09916088, 0.14542507, 0.18979930, 0.23247466, 0.27361274, 0.31335159, 0.35181024,
        0.38909211,
    ];
    for (t, want) in (0..).zip(printed_values) {
        printed(model.expected_of_new(f64::from(t)).unwrap(), want, 8, &format!("E[X({t})]"));
    }
}

#[test]
fn where_lifetimes_underflowed() {
    // r .55, α 10.58, s .61, β 11.67; T = t_x = 200, ten units ahead.
    let model = week(pareto(0.55, 10.58, 0.61, 11.67));
    for (x, want) in [(132, 6.2060517889632418), (133, 6.2528722475748113)] {
        let history = History::new(x, 200.0, 200.0).unwrap();
        close(model.expected(&history, 0.0, 10.0).unwrap(), want, 1e-12, &format!("x = {x}"));
    }
}

#[test]
fn values_known_to_pymc_marketing() {
    // tests/clv/test_utils.py: BG/NBD in days, spend 1, one month of 30 days, no discount.
    let model = PurchaseModel::new(bg(0.16385072, 1.86428187, 1.85034151, 3.18105431), TimeUnit::Day);
    for ((x, t_x, age), want) in [
        ((0, 0.0, 298.0), 0.016053),
        ((0, 0.0, 224.0), 0.021171),
        ((6, 142.0, 292.0), 0.030461),
        ((0, 0.0, 147.0), 0.031686),
        ((2, 9.0, 183.0), 0.001607),
    ] {
        let history = History::new(x, t_x, age).unwrap();
        printed(model.expected(&history, 0.0, 30.0).unwrap(), want, 6, &format!("({x}, {t_x}, {age})"));
    }
}

#[test]
fn spends_of_note_025() {
    // Hardie, note 025, by way of lifetimes: the first ten customers of CDNOW.
    let model = GammaGamma::new(6.25, 3.74, 15.44).unwrap();
    for (x, mean, want) in [
        (2.0, 22.35, 24.65),
        (1.0, 11.77, 18.91),
        (0.0, 0.0, 35.17),
        (7.0, 73.74, 71.46),
        (1.0, 11.77, 18.91),
        (2.0, 25.55, 27.28),
    ] {
        let got = model.expected_mean(x, mean).unwrap();
        // The note's parameters have more digits: lifetimes compares within .1.
        assert!((got - want).abs() < 0.1, "({x}, {mean}): {got}, printed {want}");
    }
}

#[test]
fn dropout_of_the_walkthrough() {
    // BTYD: mean and variance of p ~ Beta(a, b) at the CDNOW fit.
    let (a, b) = (0.7929869, 2.426164);
    printed(a / (a + b), 0.2463, 4, "mean");
    printed(a * b / ((a + b) * (a + b) * (a + b + 1.0)), 0.044, 3, "variance");
    // And the model draws its customers from it: P(alive) right after the first repeat is b/(a + b).
    let history = History::new(1, 10.0, 10.0).unwrap();
    let alive = week(bg(0.2425967, 4.413659, a, b)).p_alive(&history, 0.0).unwrap();
    close(alive, b / (a + b), 1e-14, "P(alive)");
}

#[test]
fn counts_where_the_closed_form_loses_all_digits() {
    // α 500, β 1, s 1.5, T 52: the difference of two sums is wrong in the third digit by n = 16 and
    // NaN from 18. Here the probabilities fall smoothly and add up.
    let model = week(pareto(0.5, 500.0, 1.5, 1.0));
    let counts: Vec<f64> = (0..60).map(|n| model.probability_of_new(52.0, n).unwrap()).collect();
    let total: f64 = counts.iter().sum();
    assert!((total - 1.0).abs() < 1e-12, "{total}");
    let mean: f64 = counts.iter().enumerate().map(|(n, p)| n as f64 * p).sum();
    close(mean, model.expected_of_new(52.0).unwrap(), 1e-10, "mean");
    for pair in counts.windows(2).skip(1) {
        let ratio = pair[1] / pair[0];
        assert!(ratio > 0.0 && ratio < 1.0, "{ratio}");
    }
}
