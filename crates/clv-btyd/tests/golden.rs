//! Every quantity of every model against mpmath with 40 digits (`golden/make_golden.py` beside the
//! tables).

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use clv_btyd::{BgNbd, GammaGamma, MbgNbd, Nbd, ParetoNbd, Process, PurchaseModel, SpendModel};
use clv_core::model::{Activity, PurchaseForecast, Spend};
use clv_core::{Discount, History, TimeUnit};

/// Relative error allowed; absolute below the floor.
const PROMISE: f64 = 1e-11;

struct Row<'a> {
    quantity: &'a str,
    parameters: Vec<f64>,
    args: Vec<f64>,
    value: f64,
}

fn rows<'a>(table: &'a str, model: &str) -> Vec<Row<'a>> {
    let numbers = |text: &str| -> Vec<f64> {
        text.split(',').filter(|t| !t.is_empty()).map(|t| t.parse().unwrap()).collect()
    };
    let rows: Vec<Row<'a>> = table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|f| f[0] == model)
        .map(|f| Row {
            quantity: f[1],
            parameters: numbers(f[2]),
            args: numbers(f[3]),
            value: f[4].parse().unwrap(),
        })
        .collect();
    assert!(rows.len() > 100, "{model}: only {} rows", rows.len());
    rows
}

/// Collects the worst error per quantity and fails with all of them.
#[derive(Default)]
struct Worst(std::collections::BTreeMap<String, (f64, String)>);

impl Worst {
    fn enter(&mut self, row: &Row<'_>, got: f64) {
        let want = row.value;
        // Probabilities below 1e-280 are at the edge of the floats.
        let floor = if row.quantity == "log_likelihood" { 1.0 } else { 1e-280 };
        let error = (got - want).abs() / want.abs().max(floor);
        let error = if error.is_nan() { f64::INFINITY } else { error };
        let entry = self.0.entry(row.quantity.to_owned()).or_default();
        if error >= entry.0 {
            *entry = (error, format!("{:?} {:?}: got {got}, want {want}", row.parameters, row.args));
        }
    }

    fn judge(&self, model: &str) {
        for (quantity, (error, evidence)) in &self.0 {
            println!("{model} {quantity}: {error:.2e} at {evidence}");
        }
        for (quantity, (error, evidence)) in &self.0 {
            assert!(*error <= PROMISE, "{model} {quantity}: error {error:.2e} at {evidence}");
        }
    }
}

fn history(a: &[f64]) -> History {
    History::new(a[0] as u32, a[1], a[2]).unwrap()
}

/// A discount whose continuous rate per week is `delta`.
fn discount(delta: f64) -> Discount {
    Discount::yearly((delta * 52.0).exp_m1()).unwrap().units_per_year(52.0, TimeUnit::Week).unwrap()
}

fn check<P: Process>() {
    let name = P::KIND.name.replace('-', "_");
    let mut worst = Worst::default();
    for row in rows(include_str!("golden/models.tsv"), &name) {
        let a = &row.args;
        let process = P::from_values(&row.parameters).unwrap();
        let model = PurchaseModel::new(process, TimeUnit::Week);
        let got = match row.quantity {
            "log_likelihood" => process.ln_likelihood(a[0] as u32, a[1], a[2]),
            "p_alive" => model.p_alive(&history(a), 0.0).unwrap(),
            "p_alive_at" => model.p_alive(&history(a), a[3]).unwrap(),
            "cet" => model.expected(&history(a), a[3], a[4]).unwrap(),
            "expected" => model.expected_of_new(a[0]).unwrap(),
            "pmf" => model.probability_of_new(a[0], a[1] as u32).unwrap(),
            "cond_pmf" => model.probability_of(&history(a), a[3], a[4] as u32).unwrap(),
            "discounted" => model.discounted(&history(a), discount(a[3]), Some(a[4])).unwrap(),
            "dert" => model.discounted(&history(a), discount(a[3]), None).unwrap(),
            other => panic!("no quantity {other}"),
        };
        worst.enter(&row, got);
    }
    worst.judge(&name);
}

#[test]
fn nbd() {
    check::<Nbd>();
}

#[test]
fn bg_nbd() {
    check::<BgNbd>();
}

#[test]
fn mbg_nbd() {
    check::<MbgNbd>();
}

#[test]
fn pareto_nbd() {
    check::<ParetoNbd>();
}

#[test]
fn gamma_gamma() {
    let mut worst = Worst::default();
    for row in rows(include_str!("golden/spend.tsv"), "gamma_gamma") {
        let [p, q, gamma] = row.parameters[..] else { panic!("three parameters") };
        let population = GammaGamma::new(p, q, gamma).unwrap();
        let model = SpendModel::new(population, TimeUnit::Week);
        let history = match row.args[..] {
            [x, mean, ..] if x > 0.0 => History::new(x as u32, 1.0, 2.0).unwrap().spend(mean).unwrap(),
            _ => History::new(0, 0.0, 2.0).unwrap(),
        };
        let mean = model.expected_spend(&history).unwrap();
        let got = match row.quantity {
            "log_likelihood" => population.ln_likelihood(row.args[0], row.args[1]),
            "expected_spend" | "population_mean" => mean.unwrap(),
            "amount_quantile" => model.spend_quantile(&history, row.args[2]).unwrap(),
            // The posterior of the mean itself is not part of the interface.
            "mean_quantile" => continue,
            other => panic!("no quantity {other}"),
        };
        worst.enter(&row, got);
    }
    worst.judge("gamma_gamma");
}
