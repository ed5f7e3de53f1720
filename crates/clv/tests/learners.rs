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

#[test]
fn a_longer_horizon_never_says_less() {
    let truth = PurchaseModel::new(ParetoNbd::new(0.9, 8.0, 0.6, 15.0).unwrap(), TimeUnit::Week);
    let spend = GammaGamma::new(6.25, 3.74, 15.44).unwrap();
    let date = |text| Moment::parse_date(text).unwrap();
    let log = Simulation::new(800, date("2022-01-01"), date("2023-12-31"), 5)
        .unwrap()
        .run(&truth, TimeUnit::Week, Some(&spend))
        .unwrap();
    let cut = Cut::end_of(date("2023-06-30"), Grain::Day);
    let purchases = Purchases::of(&log, Grain::Day).unwrap();
    let training = Training::new(&purchases, cut, TimeUnit::Week).unwrap();
    let horizons = [4.0, 13.0, 26.0].map(|weeks| Span::weeks(weeks).unwrap());
    let settings = clv::learn::NonDecreasing::new(BoostedTrees::new().trees(60), &horizons).unwrap();
    let models = settings.fit(&training, &Context::default()).unwrap();
    let who = training.summary().customers();
    let said = models.iter().zip(&horizons).map(|(fitted, horizon)| {
        let broken = clv::conformance::check(&fitted.model, &clv::registry(), &training, *horizon).unwrap();
        assert!(broken.is_empty(), "{broken:#?}");
        fitted.model.predict(&who, &Ask::over(*horizon)).unwrap()
    });
    let said: Vec<_> = said.collect();
    for pair in said.windows(2) {
        let of = |f: &clv::Forecast| (f.purchases.clone().unwrap(), f.value.clone().unwrap());
        let ((short, less), (long, more)) = (of(&pair[0]), of(&pair[1]));
        assert!(short.iter().zip(&long).all(|(a, b)| a <= b));
        assert!(less.iter().zip(&more).all(|(a, b)| a <= b));
    }
    // What is learned of all three adds up to about what the window brought.
    let total: f64 = said[2].purchases.as_ref().unwrap().iter().sum();
    let end = cut.plus(horizons[2]);
    let actual: f64 =
        training.summary().customer.iter().map(|c| f64::from(purchases.between(*c, &cut, &end).0)).sum();
    assert!((total / actual - 1.0).abs() < 0.4, "{total} {actual}");
    assert!(clv::learn::NonDecreasing::new(LinearRegression, &[horizons[1], horizons[0]]).is_err());
    assert!(
        clv::learn::NonDecreasing::new(LinearRegression, &[Span::weeks(90.0).unwrap()])
            .unwrap()
            .fit(&training, &Context::default())
            .is_err()
    );
}
