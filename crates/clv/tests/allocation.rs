//! Scoring one customer allocates nothing.

#![allow(clippy::unwrap_used)]

use clv::prelude::*;

#[test]
fn one_customer_is_scored_without_allocation() {
    let spend = || SpendModel::new(GammaGamma::new(6.25, 3.74, 15.44).unwrap(), TimeUnit::Week);
    let unit = TimeUnit::Week;
    let models: Vec<Box<dyn Predict>> = vec![
        Box::new(
            WithSpend::join(PurchaseModel::new(Nbd::new(0.385, 12.07).unwrap(), unit), spend()).unwrap(),
        ),
        Box::new(
            WithSpend::join(
                PurchaseModel::new(BgNbd::new(0.243, 4.414, 0.793, 2.426).unwrap(), unit),
                spend(),
            )
            .unwrap(),
        ),
        Box::new(
            WithSpend::join(
                PurchaseModel::new(MbgNbd::new(0.525, 6.183, 0.891, 1.614).unwrap(), unit),
                spend(),
            )
            .unwrap(),
        ),
        Box::new(
            WithSpend::join(
                PurchaseModel::new(ParetoNbd::new(0.553, 10.578, 0.606, 11.669).unwrap(), unit),
                spend(),
            )
            .unwrap(),
        ),
    ];
    let ask = Ask::over(Span::weeks(52.0).unwrap()).discount(Discount::yearly(0.1).unwrap());
    let mut scratch = Scratch::default();
    for model in &models {
        let mut score = |x: u32| {
            let history = History::new(x, f64::from(x.min(1)) * 30.0, 38.0).unwrap().spend(20.0).unwrap();
            let who = Customers::one(&history, TimeUnit::Week).unwrap();
            let (mut p, mut n, mut s, mut v) = ([0.0], [0.0], [None], [None]);
            let mut out = clv::ForecastMut {
                p_alive: Some(&mut p),
                purchases: Some(&mut n),
                spend: Some(&mut s),
                value: Some(&mut v),
                ..clv::ForecastMut::default()
            };
            model.predict_into(&who, &ask, &mut scratch, &mut out).unwrap();
            p[0] + n[0] + v[0].unwrap()
        };
        // The first call may grow the scratch and fill the tables of nodes.
        let warm = score(2);
        let mut sum = 0.0;
        let counted = allocation_counter::measure(|| {
            for x in [0, 1, 2, 7, 29] {
                sum += score(x);
            }
        });
        assert!(warm > 0.0 && sum > 0.0);
        assert_eq!(counted.count_total, 0, "{:?}", model.purchases());
    }
}
