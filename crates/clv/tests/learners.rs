//! What every learner keeps to: the order of rows does not matter, but to those that say so.

#![allow(clippy::unwrap_used)]

use clv::FeatureMatrix;
use clv::learn::{Bagged, Chosen, Regress, Regression, Rows};
use clv::linear::{
    ElasticNet, Glm, Hurdle, LinearRegression, QuantileRegression, RecursiveLeastSquares, Svm, Ziln,
};
use clv::prelude::*;
use clv::trees::{BoostedZiln, Loss};

fn data() -> (FeatureMatrix, Vec<f64>) {
    let row = |i: u32| [f64::from(i * 37 % 101) / 7.0, f64::from(i * 53 % 97) / 3.0, f64::from(i % 9)];
    let names = ["visits", "age", "shop"].map(String::from).to_vec();
    let columns = FeatureMatrix::new(names, (0..400).flat_map(row).collect()).unwrap();
    let target = |i: u32| if i.is_multiple_of(3) { 0.0 } else { row(i)[0] + f64::from(i * 29 % 7) };
    (columns, (0..400).map(target).collect())
}

/// How far forecasts are apart at most when the rows are learned from in another order.
fn apart<R: Regress>(learner: &R) -> f64 {
    let (columns, target) = data();
    let rows = Rows::new(&columns, &target).unwrap();
    let order: Vec<usize> = (0..400).map(|i| i * 171 % 400).collect();
    let shuffled = Chosen::of(&rows, &order).unwrap();
    let cx = Context::default().seed(3);
    let said = |rows: &Rows<'_>| learner.regress(rows, &cx).unwrap().model.predict(&columns).unwrap();
    let (one, other) = (said(&rows), said(&shuffled.rows().unwrap()));
    one.iter().zip(&other).map(|(a, b)| (a - b).abs() / (1.0 + a.abs())).fold(0.0, f64::max)
}

#[test]
fn the_order_of_rows_does_not_matter() {
    let trees = BoostedTrees::new().trees(40).sample(0.7).unwrap();
    for (name, apart) in [
        ("line", apart(&LinearRegression)),
        ("elastic net", apart(&ElasticNet::new(0.1, 0.5).unwrap())),
        ("glm", apart(&Glm::tweedie(1.5).unwrap())),
        ("hurdle", apart(&Hurdle::default())),
        ("ziln", apart(&Ziln::default())),
        ("quantile", apart(&QuantileRegression::new(0.8).unwrap())),
        ("svm", apart(&Svm::regression().rows(200))),
        ("tree", apart(&DecisionTree::new())),
        ("forest", apart(&RandomForest::new().trees(20))),
        ("boosted", apart(&trees)),
        ("boosted on all rows", apart(&BoostedTrees::new().loss(Loss::Tweedie(1.5)))),
        ("tweedie", apart(&trees.clone().loss(Loss::Tweedie(1.5)))),
        ("boosted ziln", apart(&BoostedZiln::new(trees.clone()))),
        ("bagged", apart(&Bagged::new(trees.clone(), 3).unwrap())),
    ] {
        assert!(apart < 1e-5, "{name}: {apart}");
    }
    // This one forgets, and says so.
    assert!(apart(&RecursiveLeastSquares::default().forgetting(0.9).unwrap()) > 0.01);
    assert!(apart(&RecursiveLeastSquares::default()) < 1e-5);
}
