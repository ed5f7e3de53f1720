//! `cargo xtask ci` runs what continuous integration runs; `cargo xtask arrows` checks which crate
//! looks into which.

mod arrows;

use std::process::{Command, ExitCode};
use std::time::Instant;

/// What continuous integration runs beyond the README's test command, in order.
const STEPS: &[(&str, &[&str])] = &[
    ("format", &["fmt", "--all", "--check"]),
    ("clippy", &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]),
    ("facade without features", &["check", "-p", "clv", "--no-default-features", "--locked"]),
    ("docs", &["doc", "--workspace", "--no-deps", "--locked"]),
    ("benches compile", &["check", "--workspace", "--benches", "--locked"]),
];

/// Run only where `CLV_DATA` names the folder of the public data sets.
const REAL_DATA: &[&str] = &[
    "test",
    "--workspace",
    "--test",
    "real_data",
    "--test",
    "covariates",
    "--test",
    "hierarchical",
    "--locked",
    "--",
    "--ignored",
];

fn main() -> ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("ci") => ci(),
        Some("arrows") => report("arrows", arrows::check()),
        Some("recovery") => {
            if run("recovery", RECOVERY) {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        _ => {
            eprintln!("usage: cargo xtask ci | arrows | recovery");
            ExitCode::from(2)
        }
    }
}

/// A thousand fits of each model to simulated customers: do intervals cover the truth?
const RECOVERY: &[&str] = &[
    "test",
    "--release",
    "-p",
    "clv-btyd",
    "--test",
    "recovery",
    "--locked",
    "--",
    "--ignored",
    "--nocapture",
];

fn ci() -> ExitCode {
    let mut failed = report("arrows", arrows::check()) != ExitCode::SUCCESS;
    for (name, step) in STEPS {
        failed |= !run(name, step);
    }
    if std::env::var_os("CLV_DATA").is_some() {
        failed |= !run("real data", REAL_DATA);
    } else {
        eprintln!("== real data: left out, CLV_DATA is not set");
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn run(name: &str, step: &[&str]) -> bool {
    eprintln!("== {name}: cargo {}", step.join(" "));
    let start = Instant::now();
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let done = Command::new(cargo).args(step).env("RUSTDOCFLAGS", "-D warnings").status();
    let passed = done.is_ok_and(|status| status.success());
    eprintln!("== {name}: {} in {:.0?}", if passed { "passed" } else { "FAILED" }, start.elapsed());
    passed
}

fn report(name: &str, outcome: Result<(), String>) -> ExitCode {
    match outcome {
        Ok(()) => {
            eprintln!("== {name}: passed");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("== {name}: FAILED\n{why}");
            ExitCode::FAILURE
        }
    }
}
