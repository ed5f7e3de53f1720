//! Coefficients beside those of scikit-learn 1.9.1 on the same 200 rows: its estimator after
//! `StandardScaler`, coefficients brought back to the columns as they came.

#![allow(clippy::unwrap_used)]

use clv_core::learn::{Regress, Regression, Rows};
use clv_core::{Context, FeatureMatrix};
use clv_linear::{ElasticNet, Glm, Kernel, LinearRegression, QuantileRegression, Svm};

struct Data {
    columns: FeatureMatrix,
    counts: Vec<f64>,
    amounts: Vec<f64>,
    with_zeros: Vec<f64>,
    yes_or_no: Vec<f64>,
}

fn data() -> Data {
    let number = |i: u32| f64::from(i);
    let x = |i: u32| [number(i * 37 % 101) / 10.0, number(i * 53 % 97) / 7.0, number(i % 5)];
    let amount = |i: u32| 1.0 + number(i * 31 % 13) * (1.0 + x(i)[2]) / 3.0;
    let names = ["a", "b", "c"].map(String::from).to_vec();
    Data {
        columns: FeatureMatrix::new(names, (0..200).flat_map(x).collect()).unwrap(),
        counts: (0..200).map(|i| number(i * 29 % 7) + (x(i)[0] / 3.0).floor()).collect(),
        amounts: (0..200).map(amount).collect(),
        with_zeros: (0..200).map(|i: u32| if i.is_multiple_of(3) { 0.0 } else { amount(i) }).collect(),
        yes_or_no: (0..200).map(|i| f64::from(number(i * i % 11) + x(i)[2] > 7.0)).collect(),
    }
}

/// `expected`: the intercept, then the slopes.
fn check(what: &str, found: (f64, &[f64]), expected: [f64; 4]) {
    for (found, expected) in [found.0].iter().chain(found.1).zip(expected) {
        assert!((found - expected).abs() < 1e-6 * (1.0 + expected.abs()), "{what}: {found} {expected}");
    }
}

#[test]
fn generalised_linear_models() {
    let data = data();
    let tweedie = Glm::tweedie(1.5).unwrap();
    for (what, glm, target, penalty, expected) in [
        (
            "poisson",
            Glm::poisson(),
            &data.counts,
            0.0,
            [1.0067886247586537, 0.08096173321560209, -0.0004895513887416093, -0.0018924838339533113],
        ),
        (
            "poisson",
            Glm::poisson(),
            &data.counts,
            0.1,
            [1.017439657990509, 0.07900375561269982, -0.00039798558046746566, -0.0019709102672510227],
        ),
        (
            "gamma",
            Glm::gamma(),
            &data.amounts,
            0.0,
            [1.1901155566810402, -0.0026850338854488526, 0.0045286293723019195, 0.3214587541148798],
        ),
        (
            "gamma",
            Glm::gamma(),
            &data.amounts,
            0.1,
            [1.2610815675291907, -0.002525638410862499, 0.00338292593410563, 0.28993302622830225],
        ),
        (
            "tweedie",
            tweedie,
            &data.with_zeros,
            0.0,
            [0.798952607745524, 0.009141531827238708, -0.0016395110544030007, 0.3095448723649791],
        ),
        (
            "tweedie",
            tweedie,
            &data.with_zeros,
            0.1,
            [0.8353960097376972, 0.008886971660291648, -0.001764007699642896, 0.29466191080516424],
        ),
        (
            "logistic",
            Glm::logistic(),
            &data.yes_or_no,
            0.0,
            [-2.2530148641102246, -0.09447245360965535, 0.08602668074832881, 0.5573112855409013],
        ),
        (
            "logistic",
            Glm::logistic(),
            &data.yes_or_no,
            0.1,
            [-1.6837678517894559, -0.05708498770381384, 0.051325188155526065, 0.34411032404360636],
        ),
    ] {
        let rows = Rows::new(&data.columns, target).unwrap();
        let learned = glm.penalty(penalty).unwrap().regress(&rows, &Context::default()).unwrap();
        assert!(learned.warnings.is_empty(), "{what}: {:?}", learned.warnings);
        check(what, (learned.model.intercept(), learned.model.slopes()), expected);
    }
}

#[test]
fn lines() {
    let data = data();
    let rows = Rows::new(&data.columns, &data.amounts).unwrap();
    let cx = Context::default();
    let line = LinearRegression.regress(&rows, &cx).unwrap().model;
    let expected = [2.953568085651364, 0.02017351642621872, -0.011883421827419858, 2.0073282969728266];
    check("least squares", (line.intercept(), line.slopes()), expected);
    for (what, settings, expected) in [
        ("elastic net", ElasticNet::new(0.3, 0.5), [3.682940899439968, 0.0, 0.0, 1.6526962169466821]),
        ("lasso", ElasticNet::lasso(0.5), [3.682106781186546, 0.0, 0.0, 1.653113276073393]),
        (
            "ridge",
            ElasticNet::ridge(0.3),
            [3.924767133389108, 0.01027417619155985, -0.011047803595493799, 1.5436568030421667],
        ),
    ] {
        let learned = settings.unwrap().regress(&rows, &cx).unwrap();
        assert!(learned.warnings.is_empty(), "{what}: {:?}", learned.warnings);
        check(what, (learned.model.intercept(), learned.model.slopes()), expected);
    }
}

#[test]
fn what_was_learned_survives_saving() {
    let data = data();
    let rows = Rows::new(&data.columns, &data.with_zeros).unwrap();
    let model = clv_linear::Hurdle::default().regress(&rows, &Context::default()).unwrap().model;
    let saved = serde_json::to_string(&model).unwrap();
    let loaded: clv_linear::HurdleModel = serde_json::from_str(&saved).unwrap();
    assert_eq!(loaded.predict(&data.columns).unwrap(), model.predict(&data.columns).unwrap());
}

/// `SVR(C=1, epsilon=.1, gamma=1/3)` on targets of mean 0 and standard deviation 1, and
/// `SVC(C=1, gamma=1/3).decision_function`, both after `StandardScaler`.
#[test]
fn support_vector_machines() {
    let data = data();
    let gaussian = Kernel::Gaussian { gamma: None };
    for (what, svm, kernel, target, expected) in [
        (
            "gaussian regression",
            Svm::regression(),
            gaussian,
            &data.amounts,
            [1.7657813502632154, 5.23234910919799, 7.687529924947137, 3.3223514693883343, 9.678131457093238],
        ),
        (
            "linear regression",
            Svm::regression(),
            Kernel::Linear,
            &data.amounts,
            [2.9110338079582263, 5.087748672260419, 7.205532883512062, 2.9310863328920185, 9.186543824668194],
        ),
        (
            "gaussian margin",
            Svm::classifier(),
            gaussian,
            &data.yes_or_no,
            [
                -1.3567521503191635,
                -0.37011094056347216,
                -0.8333710591210124,
                -0.8463743215679856,
                -0.71985899717415,
            ],
        ),
        ("linear margin", Svm::classifier(), Kernel::Linear, &data.yes_or_no, [-1.0; 5]),
    ] {
        let rows = Rows::new(&data.columns, target).unwrap();
        let model = svm.kernel(kernel).unwrap().regress(&rows, &Context::default()).unwrap().model;
        for (row, expected) in [0, 1, 7, 50, 123].into_iter().zip(expected) {
            let found = model.at(data.columns.row(row), &mut Vec::new()).unwrap();
            assert!((found - expected).abs() < 1e-3 * (1.0 + expected.abs()), "{what}: {found} {expected}");
        }
    }
}

/// `QuantileRegressor(alpha=0, solver="highs")`: its loss, as several lines may have the least.
#[test]
fn quantile_regression() {
    let data = data();
    let rows = Rows::new(&data.columns, &data.amounts).unwrap();
    for (level, expected) in [(0.1, 114.99443223443224), (0.5, 321.83333333333337), (0.9, 115.23333333333332)]
    {
        let line = QuantileRegression::new(level).unwrap().regress(&rows, &Context::default()).unwrap().model;
        let found = line.predict(&data.columns).unwrap();
        let loss = |(f, y): (&f64, &f64)| if y > f { level * (y - f) } else { (1.0 - level) * (f - y) };
        let loss: f64 = found.iter().zip(&data.amounts).map(loss).sum();
        assert!((loss / expected - 1.0).abs() < 1e-7, "{level}: {loss} {expected}");
    }
}
