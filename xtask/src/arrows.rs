//! Which crate may look into which.

use std::process::Command;

use serde_json::Value;

/// Each crate of ours with those of ours it may depend on. A crate that is not here is an error, so
/// that a new one is given its place on purpose.
const MAY_LOOK_INTO: &[(&str, &[&str])] = &[
    ("clv-core", &[]),
    ("clv-math", &[]),
    ("clv-io", &["clv-core"]),
    ("clv-btyd", &["clv-core", "clv-math"]),
    ("clv-linear", &["clv-core", "clv-math"]),
    ("clv-cluster", &["clv-core", "clv-math"]),
    ("clv-trees", &["clv-core", "clv-math"]),
    // The lasso's path is made of lines; its tests select through trees as well.
    ("clv-select", &["clv-core", "clv-linear", "clv-math", "clv-trees"]),
    ("clv", &["clv-core", "clv-io", "clv-btyd", "clv-linear", "clv-trees", "clv-cluster", "clv-select"]),
    ("clv-cli", &["clv"]),
    ("clv-testkit", &["clv", "clv-core"]),
    ("clv-examples", &["clv"]),
    ("clv-benches", &["clv", "clv-math"]),
    ("xtask", &[]),
];

/// Checks the dependencies of every member against the table.
pub(crate) fn check() -> Result<(), String> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .output()
        .map_err(|e| e.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|e| e.to_string())?;
    let mut wrong = Vec::new();
    for package in metadata["packages"].as_array().into_iter().flatten() {
        let name = package["name"].as_str().unwrap_or_default();
        let Some((_, allowed)) = MAY_LOOK_INTO.iter().find(|(n, _)| *n == name) else {
            wrong.push(format!("{name} has no place in xtask/src/arrows.rs"));
            continue;
        };
        for dependency in package["dependencies"].as_array().into_iter().flatten() {
            let target = dependency["name"].as_str().unwrap_or_default();
            let ours = MAY_LOOK_INTO.iter().any(|(n, _)| *n == target);
            if ours && !allowed.contains(&target) {
                wrong.push(format!("{name} looks into {target}"));
            }
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n")) }
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_crate_looks_only_where_it_may() {
        super::check().unwrap();
    }
}
