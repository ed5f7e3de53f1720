//! Every example runs and says what it promises.

#![allow(clippy::unwrap_used)]

use std::path::PathBuf;
use std::process::Command;

/// Cargo builds the examples of a package before its tests, beside them.
fn example(name: &str) -> PathBuf {
    let mut folder = std::env::current_exe().unwrap();
    folder.pop();
    folder.pop();
    folder.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

fn says(name: &str, args: &[&str], words: &[&str]) {
    let output = Command::new(example(name)).args(args).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
    for word in words {
        assert!(said.contains(word), "{name} does not say {word:?}:\n{said}");
    }
}

#[test]
fn quickstart_on_a_simulated_shop_and_on_a_file() {
    says("01-quickstart", &[], &["pareto-nbd", "stage", "over the next year"]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("orders.csv");
    let mut text = "customer_id,order_date\n".to_owned();
    for customer in 0..120_u32 {
        for purchase in 0..1 + customer % 6 {
            let day = (customer * 7 + purchase * (13 + customer % 29)) % 360;
            text += &format!("c{customer},2024-{:02}-{:02}\n", 1 + day / 30, 1 + day % 28);
        }
    }
    std::fs::write(&file, text).unwrap();
    says("01-quickstart", &[file.to_str().unwrap()], &["no amounts", "pareto-nbd", "All 120 customers"]);
}

#[test]
fn purchase_models() {
    for (name, title) in [
        ("02-nbd", "NBD on"),
        ("03-bg-nbd", "BG/NBD on"),
        ("04-mbg-nbd", "MBG/NBD on"),
        ("05-pareto-nbd", "Pareto/NBD on"),
    ] {
        says(name, &[], &[title, "alpha", "median wait", "comes back"]);
    }
}

#[test]
fn spend_and_learners() {
    says("06-gamma-gamma", &[], &["gamma", "expected", "one by one", "R-hat 1.0"]);
    says("07-linear", &[], &["× frequency", "purchases expected", "was trained for"]);
    says("08-boosted-trees", &[], &["with recent columns"]);
    says("09-compare", &[], &["rfm-cell-mean", "pareto-nbd", "(happened)"]);
}

#[test]
fn data_floor() {
    says("10-stages-and-cohorts", &[], &["churned after", "won back", "2023-Q1", "retention 100%"]);
    says("11-streaming", &[], &["4 events, 0 in conflict", "ada: 2 repeats", "bob: 0 repeats"]);
}

#[test]
fn learners() {
    says("12-textbook", &[], &["800 users to learn from, 200 to be judged by", "R²", "\"Accuracy\""]);
    says("13-elastic-net", &[], &["0.3: frequency, purchases_within_91_days\n", "lasso 0.1", "Gini"]);
    says("14-glm", &[], &["Tweedie 1.5", "log-odds", "Brier"]);
    says("15-hurdle-and-ziln", &[], &["hurdle", "ZILN", "with probability"]);
    says("16-decision-tree", &[], &["rows)", "decision tree"]);
    says("17-random-forest", &[], &["% frequency", "random forest"]);
    says("21-stack", &[], &["× pareto-nbd", "value: ", "stack "]);
}

#[test]
fn machines_classes_intervals_and_lines() {
    says("23-svm", &[], &["Gaussian kernel", "machine", "| leaves |"]);
    says("24-classes", &[], &["| much |", "mean F1"]);
    says("25-intervals", &[], &["within", "crosswise"]);
    says("26-online", &[], &["recursive line", "0.75"]);
}

#[test]
fn the_best_without_choosing_and_a_model_made_fast() {
    says("22-auto", &[], &["## Scores", "saved and loaded"]);
    says("27-made-fast", &[], &["fused", "rounded to 64 steps", "boosted trees"]);
    says("29-contracts", &[], &["alpha 0.704, beta 1.182", "constant churn", "payments more"]);
    says("30-bg-bb", &[], &["delta", "still a customer", "bg-bb"]);
    says(
        "32-covariates",
        &[],
        &["purchase.own_newsletter=yes", "without the distance", "by its profile", "comes back"],
    );
    says("33-covariates-over-time", &[], &["times as often", "with season", "nothing from 2026-09-01 on"]);
    says("34-how-sure", &[], &["R-hat", "with 90% from", "the customer base is worth"]);
    let words = ["Ma & Liu", "by Pareto/NBD", "Pareto/GGG", "P(alive)", "covariance.lambda.mu"];
    says("35-rates-of-their-own", &[], &words);
    says(
        "36-diagnostics",
        &[],
        &["2024-12-31", "P(active) of BG/NBD", "DERT of Pareto/NBD", "a ridge", "deviance"],
    );
    says("37-cohorts", &[], &["chosen: ", "together    apart   partly", "a new customer", "sum of errors"]);
    says("31-beat-and-age", &[], &["clicks to a purchase", "weeks of silence", "ggom-nbd"]);
    says("28-beyond", &[], &["columns that change with the future: 0", "purchases alone", "and all else"]);
}

#[test]
fn clusters() {
    says("18-k-means", &[], &["silhouette", "cluster 0", "and then"]);
    says("19-mixture-and-dbscan", &[], &["BIC", "group 0", "are like nobody"]);
    says("20-rfm-segments", &[], &["champions", "hibernating", "rfm-cell-mean"]);
}

#[test]
fn service() {
    says("inside-a-service", &[], &["requests answered", "Pareto/NBD"]);
}
