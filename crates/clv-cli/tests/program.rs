//! The program as a user runs it: every verb, its JSON keys, its exit codes.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn clv(folder: &Path, line: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_clv"))
        .args(line.split_whitespace())
        .current_dir(folder)
        .output()
        .unwrap()
}

fn done(folder: &Path, line: &str) -> String {
    let output = clv(folder, line);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "clv {line}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(folder: &Path, line: &str) -> Value {
    serde_json::from_str(&done(folder, &format!("{line} --format json"))).unwrap()
}

fn refused(folder: &Path, line: &str, code: i32, words: &str) {
    let output = clv(folder, line);
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "clv {line}: {errors}");
    assert!(errors.contains(words), "clv {line}: {errors}");
    assert!(output.stdout.is_empty());
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

const SIMULATE: &str = "simulate --model pareto-nbd --param r=.9 --param alpha=8 --param s=.6 --param beta=15 \
     --customers 600 --start 2022-01-01 --end 2023-12-31 --seed 42 --output tx.csv";

#[test]
fn the_main_job_from_simulation_to_stages() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, SIMULATE);
    let first = std::fs::read(folder.join("tx.csv")).unwrap();
    assert!(first.starts_with(b"customer,date,amount\n"));
    done(folder, SIMULATE);
    assert_eq!(std::fs::read(folder.join("tx.csv")).unwrap(), first, "same seed, same log");

    let summary = json(folder, "summarize tx.csv --until 2023-06-30 --output summary.csv");
    assert_eq!(summary["customers"], 600);
    assert_eq!(summary["ledger"]["read"], summary["ledger"]["kept"]);
    let text = std::fs::read_to_string(folder.join("summary.csv")).unwrap();
    assert!(text.starts_with("customer,frequency,recency,age,monetary_value\n"));
    assert_eq!(text.lines().count(), 601);

    let fit = json(folder, "fit pareto-nbd tx.csv --until 2023-06-30 --output model.json");
    for key in [
        "model",
        "unit",
        "customers",
        "parameters",
        "standard_errors",
        "log_likelihood",
        "aic",
        "bic",
        "converged",
        "warnings",
    ] {
        assert!(!fit[key].is_null(), "{key} is missing in {fit}");
    }
    assert_eq!(keys(&fit["parameters"]), ["alpha", "beta", "r", "s"]);
    assert_eq!(fit["converged"], true);
    done(folder, "fit gamma-gamma tx.csv --until 2023-06-30 --output spend.json");
    let fixed = json(folder, "fit pareto-nbd tx.csv --fix s=1 --penalty .01 --output other.json");
    assert_eq!(fixed["parameters"]["s"], 1.0);
    assert!(fixed["standard_errors"]["s"].is_null());

    let forecast = json(
        folder,
        "predict --model model.json --spend spend.json tx.csv --until 2023-06-30 --horizon 26 \
         --discount-rate 0.1 --output forecast.csv",
    );
    assert!(forecast["clv"].as_f64().unwrap() > 0.0);
    let text = std::fs::read_to_string(folder.join("forecast.csv")).unwrap();
    let header =
        "customer,frequency,recency,age,monetary_value,p_alive,expected_purchases,expected_spend,clv";
    assert_eq!(text.lines().next().unwrap(), header);
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let p_alive: f64 = fields[5].parse().unwrap();
        assert!((0.0..=1.0).contains(&p_alive) && fields[8].parse::<f64>().unwrap() >= 0.0, "{line}");
    }

    let evaluated = json(
        folder,
        "evaluate tx.csv --train-until 2023-06-30 --model mean --model pareto-nbd --model boosted-trees",
    );
    assert_eq!(evaluated["train"]["customers"], 600);
    assert!(evaluated["holdout"]["purchases"].as_f64().unwrap() > 0.0);
    let models = evaluated["models"].as_array().unwrap();
    assert_eq!(models.len(), 3);
    for model in models {
        for key in ["mse", "mae", "rmse", "bias", "total_predicted", "total_actual"] {
            assert!(model["purchases"][key].is_number(), "{key} is missing in {model}");
        }
        for key in ["mae", "mse", "rmse", "r2", "normalized_gini", "decile_mape"] {
            assert!(model["value"][key].is_number(), "{key} is missing in {model}");
        }
    }
    assert!(models[1]["log_likelihood"].is_number() && models[1]["parameters"]["p"].is_number());
    let mse = |i: usize| models[i]["purchases"]["mse"].as_f64().unwrap();
    assert!(mse(1) < mse(0));

    let stages = json(folder, "stages tx.csv --until 2023-06-30 --output stages.csv");
    let counts: u64 = stages["stages"].as_object().unwrap().values().map(|v| v.as_u64().unwrap()).sum();
    assert_eq!(counts, 600);
    assert_eq!(std::fs::read_to_string(folder.join("stages.csv")).unwrap().lines().count(), 601);
    let by_model = json(folder, "stages tx.csv --until 2023-06-30 --model model.json");
    assert_eq!(by_model["decided_by"], "pareto-nbd");
}

#[test]
fn people_get_tables_and_shells_completions() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, SIMULATE);
    assert!(done(folder, "fit bg-nbd tx.csv --output m.json").contains("log-likelihood"));
    let evaluated = done(folder, "evaluate tx.csv --train-until 2023-06-30");
    assert!(evaluated.contains("boosted-trees") && evaluated.contains("By BIC "), "{evaluated}");
    let regular =
        "evaluate tx.csv --train-until 2023-06-30 --model pareto-nbd --model ggom-nbd --model mbg-cnbd-k";
    assert!(done(folder, regular).contains("ggom-nbd"));
    let line = "auto tx.csv --horizon 20 --trials 1 --resume trials.json --output best.json";
    let card = json(folder, line);
    assert!(card["scores"].as_array().unwrap().iter().any(|s| s["metric"] == "normalised Gini"), "{card}");
    assert!(done(folder, &format!("{line} --threads 2")).contains("## Alternatives"));
    done(folder, "predict tx.csv --model best.json --horizon 20 --output best.csv");
    assert!(std::fs::read_to_string(folder.join("best.csv")).unwrap().contains("value"));
    refused(folder, "auto tx.csv --horizon 20 --objective accuracy --output b.json", 2, "balanced");
    refused(folder, "auto tx.csv --horizon 20 --output b.txt", 2, ".json");
    refused(folder, "auto tx.csv --horizon 20 --output nowhere/b.json", 1, "no such folder");
    refused(folder, "auto tx.csv --horizon 900 --output b.json", 1, "a horizon shorter than the log");
    assert!(done(folder, "stages tx.csv").contains("churned"));
    assert!(done(folder, "completions bash").contains("evaluate"));
    // A learner is fitted, saved and asked for its own horizon only.
    done(folder, "fit linear tx.csv --horizon 26 --output linear.json");
    done(folder, "predict --model linear.json tx.csv --horizon 26 --output f.csv");
    refused(folder, "predict --model linear.json tx.csv --horizon 30 --output f.csv", 2, "trained for");
}

/// Rates of their own, a beat, an age: what is not among the models that everything is tried with.
#[test]
fn hierarchical_regular_and_ageing_models_are_fitted_and_forecast() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, &SIMULATE.replace("--customers 600", "--customers 150"));
    let until = "tx.csv --until 2023-06-30";
    let forecast = |file: &str, model: &str| {
        let line =
            format!("predict {until} --model {file} --horizon 20 --interval .9 --draws 50 --output f.csv");
        let said = json(folder, &line);
        assert_eq!(said["model"], model);
        let (purchases, active) = (&said["expected_purchases"], &said["expected_active"]);
        assert!(purchases.as_f64().unwrap() > 0.0 && active.as_f64().unwrap() <= 150.0, "{said}");
        let ends = said["interval"]["purchases"].as_array().unwrap();
        assert!(ends[0].as_f64().unwrap() < ends[1].as_f64().unwrap(), "{said}");
        assert_eq!(std::fs::read_to_string(folder.join("f.csv")).unwrap().lines().count(), 151);
    };
    for (name, parameters) in [
        ("pareto-nbd-hb", vec!["alpha", "beta", "r", "s"]),
        ("pareto-ggg", vec!["alpha", "beta", "gamma", "r", "s", "t"]),
    ] {
        let line = format!("fit {name} {until} --chains 2 --draws 60 --threads 2 --output h.json");
        let fit = json(folder, &line);
        assert_eq!(keys(&fit["parameters"]), parameters);
        assert_eq!(fit["sampling"]["draws"], 120);
        assert!(fit["intervals_95"]["r"].is_array(), "{fit}");
        forecast("h.json", name);
        // The same on one thread, and another with another seed.
        let parameters = |more: &str| json(folder, &format!("{line} {more}"))["parameters"].clone();
        if name == "pareto-nbd-hb" {
            assert_eq!(parameters("").to_string(), fit["parameters"].to_string());
            assert_ne!(parameters("--seed 1"), fit["parameters"]);
            let four = json(folder, &line.replace("--chains 2 ", "").replace("--threads 2", "--threads 1"));
            assert_eq!(four["sampling"]["draws"], 240, "chains as ever");
        }
    }
    for (name, parameters) in
        [("ggom-nbd", vec!["alpha", "b", "beta", "r", "s"]), ("bg-cnbd-k", vec!["a", "alpha", "b", "k", "r"])]
    {
        let fit = json(folder, &format!("fit {name} {until} --output m.json"));
        assert_eq!(keys(&fit["parameters"]), parameters);
        forecast("m.json", name);
    }
    let line = "evaluate tx.csv --train-until 2023-06-30 --model ggom-nbd --model mbg-cnbd-k";
    let judged = json(folder, line);
    for (place, name) in ["ggom-nbd", "mbg-cnbd-k"].into_iter().enumerate() {
        let model = &judged["models"][place];
        assert_eq!(model["model"], name);
        assert!(model["log_likelihood"].is_number() && model["value"]["rmse"].is_number(), "{model}");
    }
    assert!(done(folder, line).contains("By BIC "));
    // What draws nothing has no chains; what always draws wants no --posterior, and draws that are some.
    for (line, says) in [
        ("fit pareto-nbd tx.csv --draws 100", "pareto-nbd without --posterior draws nothing"),
        ("fit linear tx.csv --horizon 9 --chains 2", "linear without --posterior draws nothing"),
        ("fit gamma-gamma tx.csv --chains 2", "pareto-nbd-hb, pareto-nbd-abe, pareto-ggg"),
        ("fit pareto-ggg tx.csv --chains 0", "at least 1"),
        ("fit pareto-nbd-abe tx.csv --draws 3", "at least 4"),
        ("fit pareto-ggg tx.csv --posterior --draws 100", "not for pareto-ggg"),
    ] {
        refused(folder, &format!("{line} --output x.json"), 2, says);
    }
}

#[test]
fn whose_fault_it_is_shows_in_the_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, SIMULATE);
    refused(folder, "fit crystal-ball tx.csv --output m.json", 2, "pareto-nbd");
    refused(folder, "fit linear tx.csv --output m.json", 2, "--horizon");
    refused(folder, "fit pareto-nbd tx.csv --fix q=1 --output m.json", 2, "q");
    refused(folder, "fit pareto-nbd tx.csv --customer who --output m.json", 2, "who");
    refused(folder, "fit pareto-nbd tx.csv --until tomorrow --output m.json", 2, "tomorrow");
    refused(folder, "evaluate tx.csv --train-until 2023-06-30 --model gamma-gamma", 2, "spend alone");
    refused(folder, "simulate --param r=1 --start 2024-01-01 --end 2024-02-01 --output x.csv", 2, "alpha");
    refused(folder, "simulate --start 2024-01-01 --end 2023-02-01 --output x.csv", 2, "days to simulate");
    refused(folder, "fit pareto-nbd missing.csv --output m.json", 1, "missing.csv");
    refused(folder, "evaluate tx.csv --train-until 2029-06-30", 1, "holdout");
    std::fs::write(folder.join("once.csv"), "customer,date\na,2024-01-01\nb,2024-01-05\n").unwrap();
    refused(folder, "fit pareto-nbd once.csv --until 2024-06-30 --output m.json", 1, "bought twice");
    std::fs::write(folder.join("bad.csv"), "customer,date,amount\na,2024-01-01,1\nb,someday,2\n").unwrap();
    refused(folder, "summarize bad.csv --strict --output s.csv", 1, "line 3");
    std::fs::write(folder.join("not.json"), "{}").unwrap();
    refused(folder, "predict --model not.json tx.csv --horizon 5 --output f.csv", 1, "not a saved model");
    assert!(!folder.join("m.json").exists() && !folder.join("f.csv").exists());
}

#[test]
fn a_failed_write_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, SIMULATE);
    std::fs::write(folder.join("s.csv"), "old").unwrap();
    refused(folder, "summarize tx.csv --until 1999-01-01 --output s.csv", 1, "customers");
    assert_eq!(std::fs::read_to_string(folder.join("s.csv")).unwrap(), "old");
    refused(folder, "summarize tx.csv --output nowhere/s.csv", 1, "nowhere");
    let leftovers = std::fs::read_dir(folder)
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().ends_with(".clv-tmp"));
    assert_eq!(leftovers.count(), 0);
}

#[cfg(unix)]
#[test]
fn a_killed_writer_leaves_the_old_file_and_no_other() {
    for signal in ["TERM", "INT", "HUP"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("tx.csv.zst"), "old").unwrap();
        let line = "simulate --customers 300000 --start 2022-01-01 --end 2023-12-31 --output tx.csv.zst";
        let mut running = Command::new(env!("CARGO_BIN_EXE_clv"))
            .args(line.split_whitespace())
            .current_dir(folder.path())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        // In the middle of writing: its temporary file is there.
        let entries = || std::fs::read_dir(folder.path()).unwrap().count();
        while entries() < 2 {
            assert!(running.try_wait().unwrap().is_none(), "it ended before it could be killed");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        let kill = Command::new("kill").args([format!("-{signal}"), running.id().to_string()]).status();
        assert!(kill.unwrap().success());
        assert_eq!(running.wait().unwrap().code(), Some(130), "{signal}");
        let left: Vec<_> =
            std::fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
        assert_eq!(left, ["tx.csv.zst"], "{signal}");
        assert_eq!(std::fs::read(folder.path().join("tx.csv.zst")).unwrap(), b"old", "{signal}");
    }
}

#[test]
fn a_writer_stopped_in_the_middle_of_a_file_leaves_nothing_half_written() {
    // The temporary file of a process that was killed outright is not the target, and is not read.
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, SIMULATE);
    std::fs::create_dir(folder.join("log")).unwrap();
    std::fs::rename(folder.join("tx.csv"), folder.join("log/tx.csv")).unwrap();
    std::fs::write(folder.join("log/.123-abc.clv-tmp"), "half").unwrap();
    std::fs::write(folder.join("log/.hidden.csv"), "half").unwrap();
    let summary = json(folder, "summarize log --output s.csv");
    assert_eq!(summary["customers"], 600);
}

#[test]
fn the_data_floor_verb_by_verb() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, SIMULATE);
    let report = json(folder, "inspect tx.csv");
    assert_eq!(keys(&report), ["after", "before", "currency", "ledger", "prospects", "sufficiency", "until"]);
    assert_eq!(report["before"]["rows"], report["after"]["rows"]);
    assert_eq!(report["sufficiency"]["customers"], 600);
    let text = done(folder, "inspect tx.csv");
    for words in ["What cleaning changes", "What the data can carry", "bg-nbd", "add up to"] {
        assert!(text.contains(words), "{words}:\n{text}");
    }
    let cohorts = json(folder, "cohorts tx.csv --by quarter --until 2023-12-31 --output c.parquet");
    let cohort = &cohorts["cohorts"][0];
    assert_eq!(cohort["retention"][0], 1.0);
    assert_eq!(cohort["retention"].as_array().unwrap().len(), 8);
    let course = json(folder, "stages tx.csv --every 30 --overdue learned --output course.csv");
    assert!(course["dates"].as_array().unwrap().len() > 5);
    assert!(course["flip_back_within_two_weeks"].as_f64().is_none_or(|rate| rate < 0.05));
    assert!(done(folder, "stages tx.csv --every 30").contains("won back"));

    let bought = std::fs::read_to_string(folder.join("tx.csv")).unwrap();
    let buyer = bought.lines().nth(1).unwrap().split(',').next().unwrap().to_owned();
    let signups = format!("customer,date\n{buyer},2021-12-01\nnever,2022-03-01\n");
    std::fs::write(folder.join("signups.csv"), signups).unwrap();
    let course = json(folder, "stages tx.csv --every 90 --from 2022-01-01 --prospects signups.csv");
    let prospects = |date: usize| course["dates"][date]["stages"]["prospect"].as_u64().unwrap();
    assert_eq!(prospects(course["dates"].as_array().unwrap().len() - 1), 1, "the one who never bought");

    std::fs::write(folder.join("alias.csv"), format!("name,customer\nweb-7,{buyer}\n")).unwrap();
    std::fs::write(folder.join("web.csv"), "customer,date,amount\nweb-7,2023-12-30,5\n").unwrap();
    let together = json(folder, "summarize tx.csv web.csv --aliases alias.csv --output s.csv");
    assert_eq!(together["customers"], 600);
    assert_eq!(together["ledger"]["noticed"]["names settled as an alias"], 1);

    // Stopped and resumed is the same as at once, on any number of threads.
    let text = std::fs::read_to_string(folder.join("tx.csv")).unwrap();
    let (header, rows) = text.split_once('\n').unwrap();
    let rows: Vec<&str> = rows.lines().collect();
    let (first, second) = rows.split_at(rows.len() / 3);
    for (name, rows) in [("a.csv", second), ("b.csv", first)] {
        std::fs::write(folder.join(name), format!("{header}\n{}\n", rows.join("\n"))).unwrap();
    }
    done(folder, "summarize tx.csv --until 2023-12-31 --threads 2 --output at-once.csv");
    done(folder, "summarize a.csv --save a.ledger --output part.csv");
    done(folder, "summarize b.csv --resume a.ledger --until 2023-12-31 --output resumed.csv");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(read("at-once.csv"), read("resumed.csv"));
    refused(folder, "summarize a.csv --resume a.ledger --returns net --output s.csv", 2, "whole");
    let rows = std::fs::read_to_string(folder.join("tx.csv")).unwrap();
    let mut rows: Vec<&str> = rows.lines().collect();
    rows[1..].sort_by_key(|row| row.split(',').nth(1).unwrap().to_owned());
    std::fs::write(folder.join("sorted.csv"), rows.join("\n")).unwrap();
    done(folder, "summarize sorted.csv --until 2023-06-30 --ordered --output ordered.csv");
    done(folder, "summarize tx.csv --until 2023-06-30 --output unordered.csv");
    assert_eq!(read("ordered.csv"), read("unordered.csv"));
    rows.swap(1, 900);
    std::fs::write(folder.join("late.csv"), rows.join("\n")).unwrap();
    refused(folder, "summarize a.csv --threads 0 --output s.csv", 2, "threads");
    refused(folder, "summarize a.csv --output s.xlsx", 2, ".parquet");

    done(folder, "fit pareto-nbd tx.csv --until 2023-06-30 --output m.json");
    done(folder, "fit gamma-gamma tx.csv --until 2023-06-30 --output g.json");
    std::fs::write(folder.join("people.csv"), format!("customer,channel\n{buyer},shop\n")).unwrap();
    let value = json(
        folder,
        "value --model m.json --spend g.json tx.csv --until 2023-06-30 --horizon 52 --discount-rate 0.1 \
         --margin 0.4 --per-year 2 --acquisition 5 --customers people.csv --by channel --output v.jsonl",
    );
    assert!(value["equity"]["total"].as_f64().unwrap() > 0.0);
    assert!(value["groups"].as_array().unwrap().iter().any(|g| g["label"] == "(unknown)"));
    assert_eq!(value["payback_of_a_new_customer_days"], 0.0, "the first purchase brings more than 5");
    let slow = "value --model m.json --spend g.json tx.csv --until 2023-06-30 --horizon 52 --margin 0.4";
    let payback = |cost: &str| {
        let found = json(folder, &format!("{slow} --acquisition {cost} --output v.csv"));
        found["payback_of_a_new_customer_days"].as_f64()
    };
    assert!(payback("20").is_some_and(|days| days > 0.0 && days < 364.0), "{:?}", payback("20"));
    assert_eq!(payback("100000"), None);
    refused(folder, "value --model m.json tx.csv --horizon 52 --output v.csv", 2, "--spend");
    refused(
        folder,
        "value --model m.json --spend g.json tx.csv --horizon 52 --by channel --output v.csv",
        2,
        "--customers",
    );
}

#[test]
fn the_future_does_not_reach_into_the_past_through_cleaning() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let past = "customer,date,order,amount\na,2024-01-01,1,10\na,2024-02-01,2,20\nb,2024-01-05,3,10\n";
    std::fs::write(folder.join("past.csv"), past).unwrap();
    std::fs::write(folder.join("all.csv"), format!("{past}a,2024-08-01,2,-20\nb,2024-09-01,4,5000\n"))
        .unwrap();
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    for policy in ["--returns net", "--outliers z:1"] {
        done(folder, &format!("summarize past.csv {policy} --until 2024-06-30 --output a.csv"));
        done(folder, &format!("summarize all.csv {policy} --until 2024-06-30 --output b.csv"));
        assert_eq!(read("a.csv"), read("b.csv"), "{policy}");
    }
}

/// Nobody reads what the program says, and it does its work.
#[cfg(unix)]
#[test]
fn a_reader_who_has_gone_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    done(folder.path(), SIMULATE);
    for closed in [">/dev/null 2>&-", "2>&1 | true", "2> >(true) >/dev/null"] {
        let line = format!(
            "{} summarize tx.csv --output s.csv {closed}; exit ${{PIPESTATUS[0]}}",
            env!("CARGO_BIN_EXE_clv")
        );
        let status = Command::new("bash").args(["-c", &line]).current_dir(folder.path()).status().unwrap();
        assert!(status.success(), "{closed}: {status}");
        assert!(folder.path().join("s.csv").exists(), "{closed}");
        std::fs::remove_file(folder.path().join("s.csv")).unwrap();
    }
}

#[test]
fn what_would_do_harm_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, SIMULATE);
    let before = std::fs::read(folder.join("tx.csv")).unwrap();
    refused(folder, "summarize tx.csv --output tx.csv", 2, "overwrite");
    refused(folder, "summarize tx.csv --output s.csv --save tx.csv", 2, "overwrite");
    refused(folder, "fit bg-nbd tx.csv --output tx.csv", 2, ".json");
    assert_eq!(std::fs::read(folder.join("tx.csv")).unwrap(), before);
    done(folder, "fit gamma-gamma tx.csv --output g.json");
    refused(folder, "predict --model g.json tx.csv --horizon 52 --output f.csv", 2, "--spend");
    done(folder, "fit bg-nbd tx.csv --output m.json");
    refused(folder, "predict --model m.json --spend m.json tx.csv --horizon 52 --output f.csv", 2, "m.json");
    refused(
        folder,
        "predict --model m.json --spend g.json tx.csv --horizon 52 --margin 1.4 --output f.csv",
        2,
        "share",
    );
    refused(folder, "predict --model m.json tx.csv --horizon -3 --output f.csv", 2, "at least 0");
    refused(
        folder,
        "value --model m.json --spend g.json tx.csv --horizon 52 --returns net --returned 0.1 --output v.csv",
        2,
        "twice",
    );
    std::fs::write(folder.join("costs.csv"), "customer,acquisition_cost\nc1,5\n").unwrap();
    refused(
        folder,
        "value --model m.json --spend g.json tx.csv --horizon 52 --acquisition-costs costs.csv --output v.csv",
        2,
        "acquisition_cost",
    );
    std::fs::write(folder.join("broken.json"), "{").unwrap();
    refused(folder, "predict --model broken.json tx.csv --horizon 52 --output f.csv", 1, "broken.json");
}

#[test]
fn prospects_are_as_of_the_date() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("tx.csv"), "buyer,when\na,2020-01-01\nb,2020-03-15\nc,2020-01-05\n").unwrap();
    std::fs::write(folder.join("pr.csv"), "customer,date\nb,2020-01-02\nlate,2020-03-01\nearly,2020-01-03\n")
        .unwrap();
    let line =
        "stages tx.csv --customer buyer --date when --prospects pr.csv --until 2020-02-15 --output s.csv";
    let stages = json(folder, line);
    assert_eq!(stages["stages"]["prospect"], 2);
    let text = std::fs::read_to_string(folder.join("s.csv")).unwrap();
    assert!(
        text.contains("b,prospect") && text.contains("early,prospect") && !text.contains("late"),
        "{text}"
    );
}

/// Members come back, guests do not; of both the log shows a first purchase, of many nothing more yet.
#[test]
fn tables_beyond_the_purchases_reach_the_model_and_its_forecast() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let (mut orders, mut people) =
        (String::from("customer,date,amount,product\n"), String::from("customer,club\n"));
    let mut views = String::from("customer,date,kind,subject\n");
    for customer in 0..300_u32 {
        let member = customer % 3 == 0;
        people += &format!("c{customer},{}\n", if member { "member" } else { "guest" });
        let mut day = customer * 601 % 340;
        while day < 360 {
            let date = format!("2023-{:02}-{:02}", 1 + day / 30, 1 + (day % 30).min(27));
            orders += &format!(
                "c{customer},{date},{},{}\n",
                20 + customer % 7,
                if member { "pro" } else { "basic" }
            );
            views += &format!("c{customer},{date},view,p{}\n", customer % 5);
            day += if member { 40 + (day + customer) % 13 } else { 1000 };
        }
    }
    let goods = "product,level\npro,high\nbasic,low\n";
    for (name, text) in [("tx.csv", &orders), ("people.csv", &people), ("views.csv", &views)] {
        std::fs::write(folder.join(name), text).unwrap();
    }
    std::fs::write(folder.join("goods.csv"), goods).unwrap();
    let tables = "--people people.csv --events views.csv --catalogue goods.csv --holiday 2023-12-25";
    let line = "auto tx.csv --horizon 8 --trials 3 --objective mae --seed 1";
    let card = json(folder, &format!("{line} --products {tables} --output best.json"));
    let columns: Vec<&str> =
        card["features"].as_array().unwrap().iter().map(|f| f.as_str().unwrap()).collect();
    for column in
        ["own_club=member", "viewed_count", "bought_level=high", "top_product_share", "days_to_holiday"]
    {
        assert!(columns.contains(&column), "{column}: {columns:?}");
    }
    let blind = json(folder, &format!("{line} --output blind.json"));
    let mae = |card: &Value| card["scores"][0]["of"][1].as_f64().unwrap();
    assert!(mae(&card) < mae(&blind), "{} {}", mae(&card), mae(&blind));

    let forecast =
        json(folder, &format!("predict tx.csv --model best.json --horizon 8 {tables} --output f.csv"));
    assert_eq!(forecast["customers"], 300);
    std::fs::write(folder.join("other.csv"), people.replace("guest", "visitor")).unwrap();
    let other = tables.replace("people.csv", "other.csv");
    let told = clv(folder, &format!("predict tx.csv --model best.json --horizon 8 {other} --output o.csv"));
    let told = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(told.contains("1 of its words are not known to the model, such as visitor"), "{told}");
    refused(folder, "predict tx.csv --model best.json --horizon 8 --output g.csv", 1, "--people");
    let onto = format!("predict tx.csv --model best.json --horizon 8 {tables} --output people.csv");
    refused(folder, &onto, 2, "overwrite an input");
    assert!(!folder.join("g.csv").exists());
}

/// Tables beside the log with its column names, and with what cannot be used in them.
#[test]
fn what_becomes_of_each_row_of_the_tables_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut orders = String::from("kunde,tag,betrag,ware\n");
    for customer in 0..60 {
        for day in 0..8 {
            orders += &format!("K{customer}@x.de,2023-{:02}-{:02},10,Pro\n", 1 + day, 1 + customer % 27);
        }
    }
    std::fs::write(folder.join("tx.csv"), &orders).unwrap();
    let people = "kunde,income,region\nk1@X.de,100,north\nk2@x.de,n/a,south\nk3@x.de,120,\nk1@x.de,90,north\n,5,north\nz@x.de,1,\n";
    std::fs::write(folder.join("people.csv"), people).unwrap();
    let events = "kunde,tag,kind\nk1@x.de,2023-02-01,view\nk2@x.de,never,view\nk2@x.de,2023-03-01,danced\n";
    std::fs::write(folder.join("events.csv"), events).unwrap();
    std::fs::write(folder.join("empty.csv"), "kunde,tag,kind\n").unwrap();
    std::fs::write(folder.join("goods.csv"), "product,level\nPro,high\npro,low\n").unwrap();
    let line = "auto tx.csv --customer kunde --date tag --amount betrag --product ware --customer-key email \
                --horizon 4 --trials 0 --output m.json";
    let tables = "--people people.csv --events events.csv --events empty.csv --catalogue goods.csv";
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let done = clv(folder, &format!("{line} {tables}"));
    assert!(done.status.success(), "{}", text(&done.stderr));
    let told = text(&done.stderr);
    for part in [
        "people.csv: customer = kunde: 6 rows read, 5 used, 1 left out: no customer",
        "people.csv: it knows 3 of the 60 customers in the log, and 1 others",
        "people.csv: values stated differently, of which the first stand: 1",
        "attribute \"income\" of customers is read as words: 1 of its values are no numbers, such as \"n/a\"",
        "events.csv: customer = kunde, date = tag, kind = kind: 3 rows read, 2 used, 1 left out: unreadable date",
        "events.csv: 1 viewed, 1 other, from 2023-02-01 to 2023-03-01",
        "kinds other than these are all one",
        "empty.csv: no event",
        // Names of products are not put into lower case as addresses are.
        "goods.csv: it knows 1 of the 1 products in the log",
    ] {
        assert!(told.contains(part), "{part}: {told}");
    }
    assert!(text(&done.stdout).contains("only models that are tuned look at them"), "{}", text(&done.stdout));
    refused(folder, &format!("{line} --people people.csv --strict"), 1, "no customer");
    std::fs::write(folder.join("odd.csv"), "kunde,tag,what\nk1@x.de,2023-02-01,view\n").unwrap();
    refused(
        folder,
        &format!("{line} --events odd.csv"),
        2,
        "no column of the kind of event; it may be named event",
    );
}

/// Half of the customers, the members, buy more often, which the model is told.
#[test]
fn covariates_move_a_model_and_its_forecast() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    for (name, alpha, seed) in [("members", "4", 1), ("guests", "12", 2)] {
        let line = format!(
            "simulate --customers 200 --start 2022-01-01 --end 2023-12-31 --seed {seed} --model pareto-nbd \
             --param r=1.2 --param alpha={alpha} --param s=0.8 --param beta=30 --output {name}.csv"
        );
        done(folder, &line);
    }
    let (mut orders, mut people) = ("customer,date\n".to_owned(), "customer,club,luck\n".to_owned());
    for name in ["members", "guests"] {
        let text = std::fs::read_to_string(folder.join(format!("{name}.csv"))).unwrap();
        let mut last = String::new();
        for row in text.lines().skip(1) {
            let mut cells = row.split(',');
            let (customer, date) = (cells.next().unwrap(), cells.next().unwrap());
            orders += &format!("{name}-{customer},{date}\n");
            if last != customer {
                people += &format!("{name}-{customer},{name},{}\n", customer.len() + people.len() % 7);
                customer.clone_into(&mut last);
            }
        }
    }
    std::fs::write(folder.join("tx.csv"), orders).unwrap();
    std::fs::write(folder.join("people.csv"), &people).unwrap();
    let by = "--people people.csv --purchases-by own_club,own_luck --dropout-by own_club";
    let report = json(folder, &format!("fit pareto-nbd tx.csv {by} --output moved.json"));
    let ratio = report["ratios"]["purchase.own_club=members"]["ratio"].as_f64().unwrap();
    assert!((2.0..4.5).contains(&ratio), "{ratio}");
    let luck = &report["ratios"]["purchase.own_luck"]["interval_95"];
    assert!(luck[0].as_f64().unwrap() < 1.03 && luck[1].as_f64().unwrap() > 0.97, "{luck}");
    let said = done(
        folder,
        &format!("fit mbg-nbd tx.csv {by} --standardize --penalty-of-columns 0,0.1 --output m.json"),
    );
    assert!(said.contains("one deviation more of"), "{said}");
    let forecast =
        json(folder, "predict tx.csv --people people.csv --model moved.json --horizon 20 --output f.csv");
    assert_eq!(forecast["customers"], 400);
    refused(folder, "predict tx.csv --model moved.json --horizon 20 --output f.csv", 1, "--people");
    refused(folder, "fit pareto-nbd tx.csv --people people.csv --output n.json", 2, "--purchases-by");
    refused(folder, "fit pareto-nbd tx.csv --standardize --output n.json", 2, "--purchases-by");
    refused(folder, &format!("fit zero tx.csv {by} --output n.json"), 2, "takes none of");
    let several = "--standardize --penalty-of-columns 0,0.1";
    refused(folder, &format!("fit bg-cnbd-k tx.csv {by} {several} --output n.json"), 2, "--fix k=");
    let regular = json(folder, &format!("fit bg-cnbd-k tx.csv {by} --output n.json"));
    assert!(regular["parameters"]["k"].as_f64().unwrap() >= 1.0, "{regular}");
    assert!(regular["ratios"]["purchase.own_club=members"]["ratio"].as_f64().unwrap() > 1.5, "{regular}");
    // A column that says nothing leaves the likelihood as it is, the part of the beat included.
    let with_same =
        |(number, row): (usize, &str)| format!("{row},{}\n", if number == 0 { "same" } else { "7" });
    let same: String = people.lines().enumerate().map(with_same).collect();
    std::fs::write(folder.join("same.csv"), same).unwrap();
    let plain = json(folder, "fit mbg-cnbd-k tx.csv --fix k=3 --output k.json");
    let with = json(
        folder,
        "fit mbg-cnbd-k tx.csv --fix k=3 --people same.csv --purchases-by own_same --output ks.json",
    );
    let ln = |report: &Value| report["log_likelihood"].as_f64().unwrap();
    assert!((ln(&plain) - ln(&with)).abs() < 1e-6 * ln(&plain).abs(), "{} {}", ln(&plain), ln(&with));
    let unknown = "fit pareto-nbd tx.csv --people people.csv --purchases-by own_shoe --output n.json";
    refused(folder, unknown, 2, "columns of --people are own_club, own_luck");
    let (first, rest) = people.split_once('\n').unwrap();
    let (dropped, rest) = rest.split_once('\n').unwrap();
    let absent = dropped.split(',').next().unwrap();
    std::fs::write(folder.join("few.csv"), format!("{first}\n{rest}")).unwrap();
    let few = by.replace("people.csv", "few.csv");
    refused(
        folder,
        &format!("fit pareto-nbd tx.csv {few} --output n.json"),
        1,
        &format!("customer {absent:?}"),
    );
    let line = "predict tx.csv --people few.csv --model moved.json --horizon 20 --output g.csv";
    refused(folder, line, 1, &format!("customer {absent:?}: own_club is not known"));
    std::fs::write(folder.join("new.csv"), people.replacen("members,", "visitors,", 1)).unwrap();
    let line = "predict tx.csv --people new.csv --model moved.json --horizon 20 --output g.csv";
    refused(folder, line, 1, "own_club is not known");
    assert!(!folder.join("g.csv").exists());
    refused(folder, "fit pareto-nbd tx.csv --purchases-by own_club --output n.json", 2, "--people");
    refused(
        folder,
        "fit pareto-nbd tx.csv --people people.csv --rates-by own_club --output n.json",
        2,
        "pareto-nbd-abe",
    );

    refused(folder, "fit bg-nbd tx.csv --fix lambda=1 --output x.json", 2, "allowed: r, alpha, a, b");
    // How sure the population is, and a forecast that holds it.
    let drawn = json(
        folder,
        "fit bg-nbd tx.csv --people people.csv --purchases-by own_club --posterior --chains 2 --draws 100 --until 2023-06-30 --output many.json",
    );
    assert_eq!(drawn["sampling"]["draws"], 200);
    assert!(drawn["sampling"]["r_hat"].as_f64().unwrap() < 1.1, "{drawn}");
    let ends = drawn["intervals_95"]["purchase.own_club=members"].as_array().unwrap();
    assert!(ends[0].as_f64().unwrap() < ends[1].as_f64().unwrap(), "{drawn}");
    let said = json(
        folder,
        "predict tx.csv --people people.csv --model many.json --until 2023-06-30 --horizon 20 --interval .9 --draws 200 --output many.csv",
    );
    assert_eq!(said["model"], "posterior of covariates of bg-nbd");
    let ends = said["interval"]["purchases"].as_array().unwrap();
    let mean = said["expected_purchases"].as_f64().unwrap();
    assert!(ends[0].as_f64().unwrap() < mean && mean < ends[1].as_f64().unwrap(), "{said}");
    let told = |line: &str| String::from_utf8(clv(folder, line).stderr).unwrap();
    done(folder, "fit bg-nbd tx.csv --until 2023-06-30 --output alone.json");
    // A year of a customer costs as long as they are one, of a model with columns too; of learners, which say nothing of it, the whole horizon.
    let bought = std::fs::read_to_string(folder.join("tx.csv")).unwrap();
    let paid = bought.lines().enumerate().map(|(row, line)| match row {
        0 => format!("{line},amount\n"),
        row => format!("{line},{}\n", 10 + row % 7 + 20 * (row % 3)),
    });
    std::fs::write(folder.join("paid.csv"), paid.collect::<String>()).unwrap();
    done(folder, "fit gamma-gamma paid.csv --until 2023-06-30 --output spend.json");
    done(
        folder,
        "fit bg-nbd tx.csv --people people.csv --purchases-by own_club --until 2023-06-30 --output by.json",
    );
    done(folder, "fit boosted-trees paid.csv --horizon 20 --until 2023-06-30 --output trees.json");
    done(folder, "fit pareto-nbd-hb tx.csv --until 2023-06-30 --output hb.json");
    let future = |model: &str, more: &str| {
        let line = format!(
            "value paid.csv --people people.csv --model {model} --spend spend.json --until 2023-06-30 --horizon 20 --output w.csv {more}"
        );
        json(folder, &line)["equity"]["future"].as_f64().unwrap()
    };
    let cost =
        |model: &str, more: &str| future(model, more) - future(model, &format!("--per-year 52 {more}"));
    // Of 400 customers at 1 a week: as many years as there are customers alive.
    let (plain, moved, many) = (cost("alone.json", ""), cost("by.json", ""), cost("many.json", ""));
    assert!(plain < 0.9 * 400.0 * 20.0 && plain > 0.1 * 400.0 * 20.0, "{plain}");
    assert!((moved / plain - 1.0).abs() < 0.1 && (many / plain - 1.0).abs() < 0.1, "{plain} {moved} {many}");
    let all = cost("trees.json", "");
    assert!((all / (400.0 * 20.0 * 7.0 / 365.25 * 52.0) - 1.0).abs() < 1e-3, "{all}");
    assert!(cost("trees.json", "--discount-rate .2") < 0.99 * all);
    // With rates of their own as much as without: both are Pareto/NBD.
    done(folder, "fit pareto-nbd tx.csv --until 2023-06-30 --output pareto.json");
    let (integrated, drawn) = (cost("pareto.json", ""), cost("hb.json", ""));
    assert!((drawn / integrated - 1.0).abs() < 0.05, "{integrated} {drawn}");
    let line = "predict tx.csv --people people.csv --model alone.json --until 2023-06-30 --horizon 20 --output y.csv";
    assert!(told(line).contains("reads nothing of the tables"));
    refused(folder, &format!("{line} --margin .3"), 2, "--margin is of value");
    refused(folder, &format!("{line} --discount-rate .1"), 2, "--discount-rate is of value");
    for (line, says) in [
        ("fit linear tx.csv --horizon 5 --posterior --output x.json", "not for linear"),
        ("fit linear tx.csv --horizon 4 --posterior --output x.json", "not for linear"),
        ("fit lognormal-spend tx.csv --posterior --penalty .1 --output x.json", "takes no --penalty"),
        ("fit gamma-gamma tx.csv --posterior --penalty .1 --output x.json", "takes no --penalty"),
        ("fit bg-cnbd-k tx.csv --posterior --output x.json", "--fix k"),
        ("fit bg-nbd tx.csv --posterior --penalty .1 --output x.json", "priors"),
        ("fit bg-nbd tx.csv --posterior --draws 2 --output x.json", "at least 4"),
        ("fit bg-nbd tx.csv --chains 2 --output x.json", "--posterior"),
    ] {
        refused(folder, line, 2, says);
    }
    let line = "evaluate tx.csv --train-until 2023-01-31 --model pareto-nbd --model boosted-trees --people people.csv --purchases-by own_club";
    let judged = json(folder, line);
    let names: Vec<&str> =
        judged["models"].as_array().unwrap().iter().map(|m| m["model"].as_str().unwrap()).collect();
    assert_eq!(names, ["pareto-nbd", "pareto-nbd with columns", "boosted-trees"]);
    let of = |place: usize| judged["models"][place]["log_likelihood"].as_f64().unwrap();
    assert!(of(1) > of(0) + 5.0, "{judged}");
    refused(
        folder,
        "evaluate tx.csv --train-until 2023-01-31 --model pareto-nbd --people people.csv",
        2,
        "--purchases-by",
    );
    // A column that is not there is named as in a fit, beside those that are.
    for threads in ["", "--threads 2"] {
        let line = format!(
            "evaluate tx.csv --train-until 2023-01-31 --model pareto-nbd --people people.csv --purchases-by own_x {threads}"
        );
        let output = clv(folder, &line);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(told.contains("no column \"own_x\"; columns of --people are own_club"), "{told}");
    }
    // What never leaves is judged without the column of leaving; of a penalised fit neither test nor criterion is told.
    let line = "evaluate tx.csv --train-until 2023-01-31 --model nbd --model bg-nbd --people people.csv --dropout-by own_club";
    let said = json(folder, line);
    let names: Vec<&str> =
        said["models"].as_array().unwrap().iter().map(|m| m["model"].as_str().unwrap()).collect();
    assert_eq!(names, ["nbd", "bg-nbd", "bg-nbd with columns"]);
    assert!(done(folder, line).contains("its case bg-nbd"));
    let penalised = done(folder, &format!("{line} --penalty-of-columns .1"));
    assert!(!penalised.contains("its case bg-nbd"), "{penalised}");

    let abe = json(
        folder,
        "fit pareto-nbd-abe tx.csv --people people.csv --rates-by own_club --threads 2 --output abe.json",
    );
    let ratio = abe["ratios"]["ln_lambda.own_club=members"]["ratio"].as_f64().unwrap();
    assert!((2.0..4.5).contains(&ratio), "{ratio}");
    let forecast =
        json(folder, "predict tx.csv --people people.csv --model abe.json --horizon 20 --output a.csv");
    assert_eq!(forecast["model"], "pareto-nbd-abe");
}

/// Cohorts of a shop whose customers buy less the later they came.
#[test]
fn models_remember_how_purchases_were_merged() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, SIMULATE);
    done(folder, "fit bg-nbd tx.csv --until 2023-06-30 --grain month --output month.json");
    done(folder, "fit gamma-gamma tx.csv --until 2023-06-30 --output day.json");
    let predict = "predict tx.csv --until 2023-06-30 --horizon 26 --output out.csv --model month.json";
    // As it was fitted, unless it is said otherwise.
    let by_itself = json(folder, predict);
    assert_eq!(by_itself, json(folder, &format!("{predict} --grain month")));
    refused(
        folder,
        &format!("{predict} --grain day"),
        2,
        "month.json) was fitted to purchases of grain month",
    );
    refused(
        folder,
        &format!("{predict} --spend day.json"),
        2,
        "bg-nbd was fitted to purchases of grain month and gamma-gamma to those of grain day: fit both to the same",
    );
    done(folder, "fit gamma-gamma tx.csv --until 2023-06-30 --grain month --output spend.json");
    let value =
        "value tx.csv --until 2023-06-30 --horizon 26 --model month.json --spend spend.json --output v.csv";
    done(folder, value);
    refused(folder, &format!("{value} --grain week"), 2, "give --grain month, or none");
    let stages = "stages tx.csv --until 2023-06-30 --model month.json";
    assert_eq!(json(folder, stages), json(folder, &format!("{stages} --grain month")));
    refused(folder, &format!("{stages} --grain day"), 2, "give --grain month, or none");

    // A first purchase of a week is of two months now and then.
    let of_weeks = json(folder, "cohorts tx.csv --grain week");
    assert!(of_weeks["cohorts"][0]["cohort"].as_str().unwrap().contains("-W"), "{of_weeks}");
    assert_eq!(json(folder, "cohorts tx.csv --grain year")["cohorts"][0]["cohort"], "2022");
    refused(folder, "cohorts tx.csv --grain week --by month", 2, "allowed: exact, hour, day, month");
    let line = "fit bg-nbd tx.csv --grain week --until 2023-06-25 --by-cohort month --output c.json";
    refused(folder, line, 2, "allowed: exact, hour, day, month");

    // A file that does not know: it is told of, and the spend model's grain holds where that knows one.
    let typed = clv::btyd::PurchaseModel::new(
        clv::btyd::BgNbd::new(0.9, 8.0, 0.7, 3.0).unwrap(),
        clv::TimeUnit::Week,
    );
    clv::saved::save(&typed, &folder.join("typed.json")).unwrap();
    let told = |line: &str| String::from_utf8(clv(folder, line).stderr).unwrap();
    let predict = "predict tx.csv --until 2023-06-30 --horizon 26 --output out.csv --model typed.json";
    let words = "typed.json) does not know of what grain";
    let of_spend = "taken as month, as of spend.json";
    assert!(told(predict).contains(words));
    assert!(!told(&format!("{predict} --grain day")).contains(words));
    let joined = format!("{predict} --spend spend.json");
    assert!(told(&joined).contains(words) && told(&joined).contains(of_spend));
    assert_eq!(json(folder, &joined), json(folder, &format!("{joined} --grain month")));
    let value =
        "value tx.csv --until 2023-06-30 --horizon 26 --output v.csv --model typed.json --spend spend.json";
    assert_eq!(json(folder, value), json(folder, &format!("{value} --grain month")));
    for line in [joined.as_str(), value] {
        let says = "gamma-gamma (spend.json) was fitted to purchases of grain month";
        refused(folder, &format!("{line} --grain day"), 2, says);
    }
}

#[test]
fn what_a_mean_does_not_exist_of_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Forty customers with amounts of a heavy tail.
    let simulate = "simulate --model pareto-nbd --param r=.9 --param alpha=8 --param s=.6 --param beta=15 --spend-param p=6 --spend-param q=1.2 --spend-param gamma=15 \
         --customers 40 --start 2022-01-01 --end 2023-12-31 --seed 3 --output tx.csv";
    done(folder, simulate);
    done(folder, "fit bg-nbd tx.csv --output model.json");
    let fit = json(folder, "fit gamma-gamma tx.csv --posterior --output spend.json");
    let warnings = fit["warnings"].to_string();
    assert!(warnings.contains("populations drawn have a q near or below 1"), "{warnings}");
    let predict = "predict tx.csv --model model.json --spend spend.json --horizon 52 --interval .9 --draws 200 --output out.csv";
    let said = json(folder, predict);
    let rows = std::fs::read_to_string(folder.join("out.csv")).unwrap();
    let header: Vec<&str> = rows.lines().next().unwrap().split(',').collect();
    let place = header.iter().position(|name| *name == "clv").unwrap();
    let cells: Vec<&str> = rows.lines().skip(1).map(|row| row.split(',').nth(place).unwrap()).collect();
    let unsaid = cells.iter().filter(|cell| cell.is_empty()).count();
    assert!(unsaid > 0 && unsaid < cells.len());
    assert_eq!(said["without_clv"].as_u64(), Some(unsaid as u64));
    let told = |line: &str| String::from_utf8(clv(folder, line).stderr).unwrap();
    let words = format!("{unsaid} of {} customers have no value", cells.len());
    assert!(told(predict).contains(&words), "{words}");
    let value = "value tx.csv --model model.json --spend spend.json --horizon 52 --output v.csv";
    assert!(told(value).contains(&format!("{unsaid} customers have an undefined future")));
    // Whoever forecasts later is told of it as well.
    assert!(
        [predict, value].iter().all(|line| told(line).contains("populations drawn have a q near or below 1"))
    );
}

#[test]
fn what_would_do_nothing_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, SIMULATE);
    contracts(folder);
    done(folder, "fit pareto-nbd tx.csv --until 2023-06-30 --output m.json");
    done(folder, "fit gamma-gamma tx.csv --until 2023-06-30 --output g.json");
    done(folder, "fit boosted-trees tx.csv --horizon 20 --until 2023-06-30 --output trees.json");
    std::fs::write(folder.join("people.csv"), "customer,kind\nc1,shop\nc1,home\nnobody,web\n").unwrap();
    let predict = "predict tx.csv --until 2023-06-30 --horizon 20 --output p.csv --model";
    for (line, says) in [
        ("fit pareto-nbd tx.csv --horizon 9 --output x.json", "--horizon is for models that learn for one"),
        ("fit gamma-gamma tx.csv --horizon 9 --output x.json", "--horizon is for models that learn for one"),
        ("fit bg-nbd tx.csv --fix r=.5 --fix r=.7 --output x.json", "--fix r is given twice"),
        (
            "fit bg-cnbd-k tx.csv --fix k=2.5 --output x.json",
            "k is 2.5; allowed: a whole number from 1 to 50",
        ),
        ("fit pareto-nbd tx.csv --penalty -1 --output x.json", "penalty is -1; allowed"),
        (
            "fit sbg contracts.csv --contracts --until 2023-07-01 --fix c=1.2 --output x.json",
            "sbg is bdw with c = 1",
        ),
        ("stages tx.csv --window 30", "--window is for --overdue learned"),
        (
            "value tx.csv --model m.json --spend g.json --horizon 20 --customers people.csv --output v.csv",
            "name its column with --by",
        ),
        (&format!("{predict} m.json --unit month"), "counts in weeks; allowed: week, or none"),
        (&format!("{predict} trees.json --interval .9"), "does not say what may come"),
        (
            &predict.replace("--horizon 20", "--horizon 21").replace("--model", "--model trees.json"),
            "was trained for",
        ),
    ] {
        refused(folder, line, 2, says);
    }
    let told = |line: &str| String::from_utf8(clv(folder, line).stderr).unwrap();
    let said = told(&format!("{predict} trees.json --spend g.json"));
    assert!(said.contains("says value by itself"), "{said}");
    let value = "value tx.csv --model m.json --spend g.json --horizon 20 --customers people.csv --by kind --output v.csv";
    let said = told(value);
    assert!(
        said.contains("(kind of \"c1\" is the first of them)") && said.contains("and 2 others"),
        "{said}"
    );
    // One price makes value of a log without amounts, of what has been too.
    let text = std::fs::read_to_string(folder.join("tx.csv")).unwrap();
    let bare = text.lines().map(|row| format!("{}\n", row.rsplit_once(',').unwrap().0)).collect::<String>();
    std::fs::write(folder.join("bare.csv"), &bare).unwrap();
    let line = "value bare.csv --model m.json --until 2023-12-31 --horizon 20 --output v.csv";
    refused(folder, line, 2, "give a fitted gamma-gamma with --spend, or one --price");
    let worth = json(folder, &format!("{line} --price 2"));
    let bought = json(folder, "summarize bare.csv --until 2023-12-31 --output s.csv")["purchases"].as_f64();
    let bought = bought.unwrap_or((bare.lines().count() - 1) as f64);
    assert!((worth["equity"]["historic"].as_f64().unwrap() / bought - 2.0).abs() < 0.05, "{worth}");
    // One row of another century is no end of observation.
    let text = std::fs::read_to_string(folder.join("tx.csv")).unwrap();
    let customer = text.lines().nth(1).unwrap().split(',').next().unwrap();
    std::fs::write(folder.join("far.csv"), format!("{text}{customer},2099-03-05,9\n")).unwrap();
    let (far, words) =
        ("fit bg-nbd far.csv --output x.json", "if that date is wrong, --latest leaves it out");
    assert!(told(far).contains(words) && !told("fit bg-nbd tx.csv --output x.json").contains(words));
    assert!(!told(&format!("{far} --latest 2024-01-01")).contains(words));
    // Beyond what a table of contracts knows it is not known who goes on.
    let beyond = "days after the last start or end in the table";
    assert!(told("fit sbg contracts.csv --contracts --until 2028-01-01 --output x.json").contains(beyond));
    assert!(!told("fit sbg contracts.csv --contracts --until 2023-07-01 --output x.json").contains(beyond));
    let line =
        "evaluate contracts.csv --contracts --train-until 2022-12-31 --holdout-until 2026-12-31 --model sbg";
    assert!(told(line).contains(beyond));
}

/// Who has left is not served any more, where payments tell it.
#[test]
fn a_year_costs_as_long_as_somebody_pays() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    // Sixty who pay on the first of each month, of whom the i-th stops after 1 + i % 12 payments.
    let mut table = "customer,date,amount\n".to_owned();
    let mut paid = 0.0;
    for i in 0..60_u32 {
        for month in 0..=(i % 12) {
            table += &format!("c{i},2023-{:02}-01,10\n", month + 1);
            paid += 1.0;
        }
    }
    std::fs::write(folder.join("pay.csv"), table).unwrap();
    let by = "pay.csv --grain month --unit month --until 2023-12-31";
    done(folder, &format!("fit sbg {by} --output m.json"));
    let worth = |more: &str| {
        let line = format!(
            "value pay.csv --until 2023-12-31 --model m.json --price 10 --horizon 12 --output v.csv {more}"
        );
        let of = json(folder, &line)["equity"].clone();
        (of["historic"].as_f64().unwrap(), of["future"].as_f64().unwrap())
    };
    let ((before, ahead), (charged, less)) = (worth(""), worth("--per-year 12"));
    // A payment is for a month, but the last month has begun a day before its end for nobody.
    assert!((before - 10.0 * paid).abs() < 1e-6);
    assert!((before - charged - paid).abs() < 0.1 * paid, "{before} {charged} {paid}");
    // In the future a customer costs a twelfth of a year for each month that is paid for, whole ones.
    assert!(((ahead - less) / (ahead / 10.0) - 1.0).abs() < 0.2, "{ahead} {less}");
}

#[test]
fn names_that_are_not_known_are_told_beside_those_that_are() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, SIMULATE);
    for (model, known) in [
        ("bg-nbd", "r, alpha, a, b"),
        ("bg-cnbd-k", "r, alpha, a, b, k"),
        ("gamma-gamma", "p, q, gamma"),
        ("lognormal-spend", "median, sigma, tau"),
    ] {
        let line = format!("fit {model} tx.csv --fix zeta=1 --output x.json");
        refused(
            folder,
            &line,
            2,
            &format!("--fix zeta=1: parameter \"zeta\" is not known; allowed: {known}"),
        );
    }
    refused(folder, "fit mbg-cnbd-k tx.csv --fix k=1.5 --output x.json", 2, "--fix k=1.5");
}

#[test]
fn cohorts_have_populations_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, SIMULATE);
    let common = "fit bg-nbd tx.csv --until 2023-06-30";
    let together = json(folder, &format!("{common} --by-cohort year --cohort-deviation 0 --output t.json"));
    let plain = json(folder, &format!("{common} --output p.json"));
    let near = |a: &Value, b: &Value, name: &str| {
        let (a, b) = (a["parameters"][name].as_f64().unwrap(), b["parameters"][name].as_f64().unwrap());
        assert!((a / b - 1.0).abs() < 1e-6, "{name}: {a} {b}");
    };
    near(&together, &plain, "r");
    let partly = json(folder, &format!("{common} --by-cohort year --output c.json"));
    let names = keys(&partly["parameters"]);
    assert!(names.iter().any(|name| name.starts_with("r.20")), "{names:?}");
    let said = json(folder, "predict --model c.json tx.csv --until 2023-06-30 --horizon 20 --output c.csv");
    assert_eq!(said["model"], "by-cohort of bg-nbd");
    assert!(said["expected_purchases"].as_f64().unwrap() > 0.0);
    let output =
        clv(folder, &format!("{common} --by-cohort quarter --cohort-deviation 0,0.2,inf --output b.json"));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("deviation 0.2: mean ln L") && told.contains("taken: deviation"), "{told}");
    for (line, says) in [
        ("fit linear tx.csv --horizon 4 --by-cohort year --output x.json", "not for linear"),
        ("fit bg-nbd tx.csv --by-cohort year --posterior --output x.json", "without --posterior"),
        ("fit bg-nbd tx.csv --by-cohort year --cohort-deviation -1 --output x.json", "at least 0"),
        ("fit bg-nbd tx.csv --cohort-deviation 1 --output x.json", "--by-cohort"),
    ] {
        refused(folder, line, 2, says);
    }
}

/// Windows as long as the holdout, one before the other.
#[test]
fn models_are_judged_at_several_origins() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, "simulate --customers 400 --start 2021-01-01 --end 2023-12-31 --seed 4 --output tx.csv");
    let line =
        "evaluate tx.csv --train-until 2023-06-30 --holdout-until 2023-12-31 --model mean --model pareto-nbd";
    let said = done(folder, &format!("{line} --origins 3"));
    for words in [
        "purchases, mean of 3 origins",
        "value, mean of 3 origins",
        "RMSE of purchases, trained until | 2023-06-30 | 2022-12-28 | 2022-06-27",
        "RMSE of value, trained until",
        "has the least squared error",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let found = json(folder, &format!("{line} --origins 3"));
    let origins = found["models"][1]["origins"].as_array().unwrap();
    let until: Vec<&str> = origins.iter().map(|o| o["train_until"].as_str().unwrap()).collect();
    // 184 days each.
    assert_eq!(until, ["2023-06-30", "2022-12-28", "2022-06-27"]);
    assert_eq!(origins[0]["purchases"], found["models"][1]["purchases"]);
    assert!(found["models"][0]["origins"][2]["purchases"]["rmse"].as_f64().unwrap() > 0.0);
    let one = json(folder, line);
    assert_eq!(one["models"][1]["purchases"], found["models"][1]["purchases"]);
    assert!(one["models"][1].get("origins").is_none());
    refused(folder, &format!("{line} --origins 40"), 1, "leaves room for 5 origins");
    refused(folder, "evaluate tx.csv --train-until 2024-06-30 --model mean", 1, "leaves no holdout");
    refused(
        folder,
        "evaluate tx.csv --train-until 2023-06-30 --model mean --origins 2",
        2,
        "--holdout-until",
    );
}

/// Sixty contracts, of which the longer they have lasted the fewer end, by plan.
fn contracts(folder: &Path) {
    let mut table = "customer_id,start,end,plan\n".to_owned();
    for i in 0..60_u32 {
        let (month, plan) = (1 + i % 6, if i % 2 == 0 { "basic" } else { "pro" });
        let lasts = if i % 2 == 0 { 1 + i % 7 } else { 2 + i % 19 };
        let ends = month + lasts;
        let end = if ends <= 18 {
            format!("{}-{:02}-10", 2022 + (ends - 1) / 12, (ends - 1) % 12 + 1)
        } else {
            String::new()
        };
        table += &format!("c{i},2022-{month:02}-10,{end},{plan}\n");
    }
    std::fs::write(folder.join("contracts.csv"), table).unwrap();
}

#[test]
fn contracts_are_fitted_compared_and_forecast() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    contracts(folder);
    let mut likelihoods = Vec::new();
    for model in ["sbg", "bdw", "exponential-gamma", "weibull-gamma"] {
        let found = json(
            folder,
            &format!("fit {model} contracts.csv --contracts --until 2023-07-01 --output {model}.json"),
        );
        assert_eq!((found["customers"].as_u64(), found["unit"].as_str()), (Some(60), Some("month")));
        assert_eq!(found["model"], model, "as it was asked for");
        likelihoods.push(found["log_likelihood"].as_f64().unwrap());
        let said = json(
            folder,
            &format!(
                "predict --model {model}.json contracts.csv --contracts --until 2023-07-01 --horizon 1 --output {model}.csv"
            ),
        );
        let rows = std::fs::read_to_string(folder.join(format!("{model}.csv"))).unwrap();
        let (mut alive, mut payments) = (0, 0.0);
        for row in rows.lines().skip(1) {
            let cells: Vec<&str> = row.split(',').collect();
            let (is_one, pays): (f64, f64) = (cells[5].parse().unwrap(), cells[6].parse().unwrap());
            assert!(pays < 1.0 && (pays > 0.0) == (is_one == 1.0), "{row}");
            alive += u32::from(is_one == 1.0);
            payments += pays;
        }
        assert_eq!(said["expected_active"].as_f64(), Some(f64::from(alive)));
        let priced = json(
            folder,
            &format!(
                "predict --model {model}.json contracts.csv --contracts --until 2023-07-01 --horizon 1 --price 8 --margin .5 --interval .9 --draws 50 --output priced.csv"
            ),
        );
        assert!((priced["clv"].as_f64().unwrap() - 4.0 * payments).abs() < 1e-9, "{priced}");
        let most = priced["interval"]["clv"][1].as_f64().unwrap();
        assert!(most > 4.0 * payments && most % 4.0 == 0.0, "payments are whole ones: {priced}");
        assert!((said["expected_purchases"].as_f64().unwrap() - payments).abs() < 1e-9);
    }
    // Cohorts of contracts, by when they began.
    for model in ["sbg", "bdw", "exponential-gamma", "weibull-gamma"] {
        let until = "contracts.csv --contracts --until 2023-07-01";
        let line =
            format!("fit {model} {until} --by-cohort quarter --cohort-deviation .2 --output of_{model}.json");
        let found = json(folder, &line);
        let names = keys(&found["parameters"]);
        assert!(names.iter().any(|name| name.ends_with(".2022-Q2")), "{names:?}");
        let said =
            json(folder, &format!("predict {until} --model of_{model}.json --horizon 6 --output o.csv"));
        let alone = json(folder, &format!("predict {until} --model {model}.json --horizon 6 --output o.csv"));
        let of = |said: &Value| said["expected_purchases"].as_f64().unwrap();
        assert!((of(&said) / of(&alone) - 1.0).abs() < 0.2, "{said} {alone}");
    }
    // The mean of ones is one.
    let until = "contracts.csv --contracts --until 2023-07-01";
    done(folder, &format!("fit sbg {until} --posterior --chains 2 --draws 200 --output many.json"));
    done(folder, &format!("predict {until} --model many.json --horizon 6 --output many.csv"));
    let rows = std::fs::read_to_string(folder.join("many.csv")).unwrap();
    let alive: Vec<&str> = rows.lines().skip(1).map(|row| row.split(',').nth(5).unwrap()).collect();
    assert!(alive.iter().all(|p| matches!(p.parse(), Ok(0.0 | 1.0))), "{alive:?}");
    // All end at a renewal: models that take ends as coming at any time are warned of, and of ends in between the others.
    let told = |line: &str| String::from_utf8(clv(folder, line).stderr).unwrap();
    let fit =
        |model, table| told(&format!("fit {model} {table} --contracts --until 2023-07-01 --output x.json"));
    assert!(
        fit("exponential-gamma", "contracts.csv").contains("contracts ended at renewals, one each month")
    );
    assert!(!fit("sbg", "contracts.csv").contains("between two renewals"));
    let table = std::fs::read_to_string(folder.join("contracts.csv")).unwrap();
    std::fs::write(folder.join("between.csv"), table.replace("-10,b", "-22,b").replace("-10,p", "-22,p"))
        .unwrap();
    assert!(fit("sbg", "between.csv").contains("ended between two renewals"));
    assert!(!fit("exponential-gamma", "between.csv").contains("ended at renewals"));
    let line = "evaluate between.csv --contracts --train-until 2022-12-31 --holdout-until 2023-03-31";
    assert!(told(line).contains("exponential-gamma and weibull-gamma take ends as they come"));
    refused(
        folder,
        "fit sbg contracts.csv --contracts --grain month --until 2023-07-01 --output x.json",
        2,
        "--grain",
    );
    // Payments by the month tell what a table of contracts tells, whichever the model was fitted to.
    let (mut payments, mut paid) = ("customer,date\n".to_owned(), "customer_id,start,end\n".to_owned());
    for i in 0..60_u32 {
        let (first, last) = (1 + i % 6, 2 + i % 6 + i % 9);
        let date = |month: u32, day: u32| {
            format!("{}-{:02}-{day:02}", 2022 + (month - 1) / 12, (month - 1) % 12 + 1)
        };
        (first..=last).for_each(|month| payments += &format!("c{i},{}\n", date(month, 1)));
        let end = if last < 12 { date(last + 1, 1) } else { String::new() };
        paid += &format!("c{i},{},{end}\n", date(first, 1));
    }
    payments = payments.lines().filter(|row| !row.contains(",2023")).map(|row| format!("{row}\n")).collect();
    std::fs::write(folder.join("payments.csv"), payments).unwrap();
    std::fs::write(folder.join("paid.csv"), paid).unwrap();
    let (of_payments, of_paid) = (
        "payments.csv --grain month --unit month --until 2022-12-31",
        "paid.csv --contracts --unit month --until 2022-12-31",
    );
    let [one, other] = [(of_payments, "p"), (of_paid, "c")].map(|(files, name)| {
        json(folder, &format!("fit sbg {files} --output {name}.json"))["parameters"].clone()
    });
    assert_eq!(one, other);
    let said = [of_payments, of_paid].map(|files| {
        ["p", "c"].map(|name| {
            let line = format!("predict {files} --model {name}.json --horizon 6 --output x.csv");
            let said = json(folder, &line);
            (said["expected_active"].clone(), said["expected_purchases"].clone())
        })
    });
    assert_eq!(said[0][0], said[0][1]);
    assert_eq!(said[1][0], said[1][1]);
    assert_eq!(said[0][0], said[1][0]);
    // What is said of transactions alone is refused beside contracts.
    for flag in [
        "--grain day",
        "--date start",
        "--amount plan",
        "--order plan",
        "--product plan",
        "--event-id plan",
        "--aliases contracts.csv",
        "--latest 2023-01-01",
        "--returns net",
        "--zero-amounts drop",
        "--duplicates drop",
        "--outliers iqr:3",
        "--test-mark x",
    ] {
        let (name, _) = flag.split_once(' ').unwrap();
        for line in [
            "fit sbg contracts.csv --contracts --until 2023-07-01 --output x.json",
            "predict --model sbg.json contracts.csv --contracts --until 2023-07-01 --horizon 1 --output x.csv",
            "evaluate contracts.csv --contracts --train-until 2022-12-31 --holdout-until 2023-03-31",
        ] {
            let output = clv(folder, &format!("{line} {flag}"));
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{line} {flag}: {told}");
            assert!(told.contains(name) && told.contains("cannot be used with"), "{told}");
        }
    }
    // Contracts of a year end at renewals of months too, and are told to be of years.
    let yearly = (0..30).fold("customer_id,start,end\n".to_owned(), |table, i| {
        let end = if i % 3 == 0 { String::new() } else { format!("{}-02-10", 2019 + i % 4) };
        table + &format!("c{i},2018-02-10,{end}\n")
    });
    std::fs::write(folder.join("yearly.csv"), yearly).unwrap();
    let tenures = fit("exponential-gamma", "yearly.csv");
    assert!(
        tenures.contains("one each year") && tenures.contains("sbg and bdw, fitted with --unit year"),
        "{tenures}"
    );
    assert!(fit("sbg", "yearly.csv").contains("one each year, and not each month: fit with --unit year"));
    assert!(!fit("sbg", "yearly.csv --unit year").contains("ended at renewals"));
    // One word of advice, whether the unit is too short or too long.
    for table in ["contracts.csv --unit week", "contracts.csv --unit year"] {
        let told = fit("sbg", table);
        assert!(
            told.contains("fit with --unit month") && !told.contains("take ends as they come"),
            "{table}: {told}"
        );
    }
    // What may bend fits no worse than what may not.
    assert!(likelihoods[1] >= likelihoods[0] - 1e-9 && likelihoods[3] >= likelihoods[2] - 1e-9);
    std::fs::write(
        folder.join("people.csv"),
        (0..60).fold("customer_id,plan\n".to_owned(), |table, i| {
            table + &format!("c{i},{}\n", if i % 2 == 0 { "basic" } else { "pro" })
        }),
    )
    .unwrap();
    let by = json(
        folder,
        "fit sbg contracts.csv --contracts --until 2023-07-01 --people people.csv --dropout-by own_plan --output by.json",
    );
    assert!(by["parameters"]["dropout.own_plan=pro"].as_f64().unwrap() < 0.0, "{by}");
    assert!(by["log_likelihood"].as_f64().unwrap() > likelihoods[0]);
    done(
        folder,
        "predict --model by.json contracts.csv --contracts --people people.csv --until 2023-07-01 --horizon 6 --output by.csv",
    );
    refused(
        folder,
        "fit sbg contracts.csv --contracts --until 2023-07-01 --people people.csv --purchases-by own_plan --output x.json",
        2,
        "pays as long as it lasts",
    );
    // A backtest of the last half of a year, at two origins.
    let line =
        "evaluate contracts.csv --contracts --train-until 2022-12-31 --holdout-until 2023-03-31 --origins 2";
    let judged = json(folder, line);
    let names: Vec<&str> =
        judged["models"].as_array().unwrap().iter().map(|m| m["model"].as_str().unwrap()).collect();
    assert_eq!(names, ["constant-retention", "sbg", "bdw"]);
    assert_eq!(
        (judged["train"]["unit"].as_str(), judged["holdout"]["horizon"].as_f64()),
        (Some("month"), Some(3.0))
    );
    refused(folder, &format!("{line} --spend-model gamma-gamma"), 2, "contracts have none");
    let broken = "evaluate contracts.csv --contracts --train-until 2022-12-31 --holdout-until 2023-03-20";
    refused(folder, broken, 2, "no whole number of months");
    let origins = judged["models"][1]["origins"].as_array().unwrap();
    assert_eq!(origins[1]["train_until"], "2022-09-30");
    let total = judged["models"][1]["purchases"]["total_actual"].as_f64().unwrap();
    assert!(total > 0.0 && total == judged["holdout"]["purchases"].as_f64().unwrap(), "{judged}");
    assert!(done(folder, line).contains("Of renewals "));
    let by = "--people people.csv --dropout-by own_plan --model sbg";
    let judged = json(folder, &format!("{line} {by}"));
    assert_eq!(judged["models"][1]["model"], "sbg with columns");
    let line = "evaluate contracts.csv --contracts --train-until 2022-12-31 --holdout-until 2023-03-31 --model exponential-gamma";
    assert!(done(folder, line).contains("whole units (actual"));
    refused(folder, &format!("{line} --model sbg"), 2, "evaluate them apart");
    refused(folder, &format!("{line} --model pareto-nbd"), 2, "and not for pareto-nbd");
    let broken = "evaluate contracts.csv --contracts --train-until 2022-12-31 --holdout-until 2023-03-15";
    refused(folder, broken, 2, "no whole number of months");
    refused(folder, &format!("{broken} --origins 2"), 2, "end a month");
    refused(folder, "fit weibull-gamma contracts.csv --output x.json", 2, "--contracts");
    refused(folder, "fit sbg contracts.csv --contracts --output x.json", 2, "needs --until");
    refused(folder, "fit pareto-nbd contracts.csv --contracts --output x.json", 2, "and not for pareto-nbd");
    done(folder, SIMULATE);
    refused(
        folder,
        "predict --model weibull-gamma.json tx.csv --horizon 1 --output x.csv",
        2,
        "give a table of them",
    );
    done(folder, "fit gamma-gamma tx.csv --output s.json");
    refused(
        folder,
        "value --model weibull-gamma.json --spend s.json tx.csv --horizon 1 --output x.csv",
        2,
        "is of contracts",
    );
    // A row that cannot be is an entry of the ledger.
    let odd = "customer_id,start,end\nada,2022-01-05,2021-01-05\nada,2022-01-05,\nada,2022-03-05,\nbob,2022-01-05,2022-04-01\n";
    std::fs::write(folder.join("odd.csv"), odd).unwrap();
    let output = clv(folder, "fit sbg odd.csv --contracts --until 2022-12-31 --penalty .1 --output x.json");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("4 rows read, 2 used") && said.contains("after the beginning"), "{said}");
    assert!(said.contains("one contract a customer"), "{said}");
}

#[test]
fn purchases_by_the_period_are_fitted_compared_and_forecast() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, SIMULATE);
    refused(folder, "fit bg-bb tx.csv --output m.json", 2, "give --grain week");
    refused(folder, "fit bg-bb tx.csv --grain week --unit day --output m.json", 2, "give --grain day");
    let broken = "fit bg-bb tx.csv --grain month --unit month --until 2023-06-10 --output m.json";
    refused(folder, broken, 2, "does not end a month");
    // The log ends in December, on a day of it: the last whole month is November, unless it ends with the year.
    let output = clv(folder, "fit bg-bb tx.csv --grain month --unit month --output m.json");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("as of 2023-11-30") || said.contains("as of 2023-12-31"), "{said}");
    let by = "--grain month --unit month";
    let fit = json(folder, &format!("fit bg-bb tx.csv --until 2023-06-30 {by} --output m.json"));
    assert_eq!(keys(&fit["parameters"]), ["alpha", "beta", "delta", "gamma"]);
    // Opportunities are whole ones, and what the log breaks off is none.
    let line =
        format!("predict --model m.json tx.csv --until 2023-06-30 {by} --horizon 2.5 --output out.csv");
    refused(folder, &line, 2, "whole months");
    refused(
        folder,
        "summarize tx.csv --grain month --until 2023-06-10 --output s.csv",
        2,
        "does not end a month",
    );
    let output = clv(folder, "summarize tx.csv --grain month --output s.csv");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("as of 2023-11-30") || said.contains("as of 2023-12-31"), "{said}");
    // Other periods than it was fitted to would be other opportunities.
    for grain in ["--grain day", "--grain week"] {
        let line =
            format!("predict --model m.json tx.csv --until 2023-06-25 {grain} --horizon 6 --output out.csv");
        refused(folder, &line, 2, "give --grain month");
    }
    refused(folder, "fit sbg tx.csv --grain week --until 2023-06-28 --output w.json", 2, "ends on Sunday");
    let said = json(
        folder,
        &format!("predict --model m.json tx.csv --until 2023-06-30 {by} --horizon 6 --output out.csv"),
    );
    assert!(said["expected_purchases"].as_f64().unwrap() < 6.0 * said["expected_active"].as_f64().unwrap());
    let line = format!(
        "evaluate tx.csv --train-until 2023-06-30 --holdout-until 2023-12-31 {by} --model mean --model bg-bb --model sbg --model bdw"
    );
    let said = done(folder, &line);
    // Of the two contracts one is taken by its likelihood, and not above BG/BB.
    assert!(said.contains("By BIC, of the models of contracts, "), "{said}");
    assert!(said.contains("are of different data"), "{said}");
    assert!(json(folder, &line)["models"][1]["purchases"]["rmse"].as_f64().unwrap() > 0.0);
}

#[test]
fn spend_has_three_models_and_columns_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, SIMULATE);
    done(
        folder,
        "fit bg-nbd tx.csv --posterior --chains 2 --draws 100 --until 2023-06-30 --output many.json",
    );
    // Of spend too, and then nothing is taken as certain.
    let spend = json(
        folder,
        "fit gamma-gamma tx.csv --posterior --chains 2 --draws 100 --until 2023-06-30 --output sure.json",
    );
    assert_eq!(spend["sampling"]["draws"], 200);
    done(folder, "fit gamma-gamma tx.csv --until 2023-06-30 --output one.json");
    let line_of = |spend: &str| {
        format!(
            "predict tx.csv --model many.json --spend {spend} --until 2023-06-30 --horizon 20 --interval .9 --draws 200 --margin .5 --output both.csv --format json"
        )
    };
    let told = |line: &str| String::from_utf8(clv(folder, line).stderr).unwrap();
    assert!(told(&line_of("one.json")).contains("take the model of spend as certain"));
    assert!(
        !told(&line_of("sure.json")).contains("certain") && !told(&line_of("sure.json")).contains("warning")
    );
    assert!(told(&line_of("sure.json").replace(".9", ".99")).contains("more --draws"));
    let said: Value = serde_json::from_str(&done(folder, &line_of("sure.json"))).unwrap();
    let ends = said["interval"]["clv"].as_array().unwrap();
    let (mean, drawn) = (said["clv"].as_f64().unwrap(), said["interval"]["clv_mean"].as_f64().unwrap());
    assert!(ends[0].as_f64().unwrap() < mean && mean < ends[1].as_f64().unwrap(), "{said}");
    assert!((drawn / mean - 1.0).abs() < 0.05, "{said}");
    // The same draws say between what lies the value of all together.
    let value = "value tx.csv --model many.json --spend sure.json --until 2023-06-30 --horizon 20 --interval .9 --draws 200 --output worth.csv";
    let worth = json(folder, &format!("{value} --margin .5"));
    assert_eq!(worth["interval"]["future"], said["interval"]["clv"]);
    assert_eq!(worth["interval"]["future_mean"], said["interval"]["clv_mean"]);
    let of = |value: &Value| value.as_f64().unwrap();
    let (low, historic) = (of(&worth["interval"]["future"][0]), of(&worth["equity"]["historic"]));
    assert!((of(&worth["interval"]["total"][0]) - historic - low).abs() < 1e-6, "{worth}");
    assert!(done(folder, value).contains("of all together, 90% of futures"));
    refused(folder, &format!("{value} --per-purchase 2"), 2, "without --per-purchase and --per-year");
    assert!(json(folder, &value.replace("--interval .9 --draws 200 ", ""))["interval"].is_null());
    // Amounts one by one, or with a parameter held, have a posterior as well, which is saved as it is.
    for more in ["--individually", "--fix p=6"] {
        let line = format!(
            "fit gamma-gamma tx.csv {more} --posterior --chains 2 --draws 100 --until 2023-06-30 --output held.json"
        );
        let found = json(folder, &line);
        let held = more.starts_with("--fix");
        assert_eq!(found["standard_errors"]["p"].is_null(), held, "{found}");
        let said: Value = serde_json::from_str(&done(folder, &line_of("held.json"))).unwrap();
        let near = said["clv"].as_f64().unwrap() / mean;
        assert!((near - 1.0).abs() < 0.1, "{more}: {near}");
    }
    let text = std::fs::read_to_string(folder.join("tx.csv")).unwrap();
    let (mut orders, mut people) = ("customer,date,amount\n".to_owned(), "customer,kind\n".to_owned());
    let mut last = String::new();
    for row in text.lines().skip(1) {
        let cells: Vec<&str> = row.split(',').collect();
        let shop = cells[0].ends_with(['0', '2', '4', '6', '8']);
        let amount: f64 = cells[2].parse().unwrap();
        orders += &format!("{},{},{:.2}\n", cells[0], cells[1], if shop { 3.0 * amount } else { amount });
        if last != cells[0] {
            people += &format!("{},{}\n", cells[0], if shop { "shop" } else { "home" });
            cells[0].clone_into(&mut last);
        }
    }
    std::fs::write(folder.join("orders.csv"), orders).unwrap();
    std::fs::write(folder.join("people.csv"), people).unwrap();
    done(folder, "fit pareto-nbd orders.csv --until 2023-06-30 --output p.json");
    let likelihood = |line: &str| {
        json(folder, &format!("fit {line} --until 2023-06-30 --output s.json"))["log_likelihood"]
            .as_f64()
            .unwrap()
    };
    let plain = likelihood("gamma-gamma orders.csv");
    let moved = likelihood("gamma-gamma orders.csv --people people.csv --spend-by own_kind");
    assert!(moved > plain + 50.0, "{plain} {moved}");
    let report = json(
        folder,
        "fit gamma-gamma orders.csv --people people.csv --spend-by own_kind --individually --until 2023-06-30 --output s.json",
    );
    let ratio = report["ratios"]["spend.own_kind=shop"]["ratio"].as_f64().unwrap();
    assert!((ratio / 3.0 - 1.0).abs() < 0.15, "{ratio}");
    // Drawn, it says how sure that is, and what comes of it.
    let draws = "--posterior --chains 2 --draws 100 --until 2023-06-30 --output many.json";
    let many =
        json(folder, &format!("fit gamma-gamma orders.csv --people people.csv --spend-by own_kind {draws}"));
    let drawn = many["ratios"]["spend.own_kind=shop"]["ratio"].as_f64().unwrap();
    assert!((drawn / ratio - 1.0).abs() < 0.05, "{drawn} {ratio}");
    let of_many = json(
        folder,
        "predict orders.csv --people people.csv --model p.json --spend many.json --horizon 20 --until 2023-06-30 --interval .9 --draws 200 --output y.csv",
    );
    let ends = of_many["interval"]["clv"].as_array().unwrap();
    let clv = of_many["clv"].as_f64().unwrap();
    assert!(ends[0].as_f64().unwrap() < clv && clv < ends[1].as_f64().unwrap(), "{of_many}");
    let ask = "--model p.json --spend s.json --horizon 20 --until 2023-06-30";
    let said = json(folder, &format!("predict {ask} orders.csv --people people.csv --output out.csv"));
    assert!(said["clv"].as_f64().unwrap() > 0.0);
    refused(folder, &format!("predict {ask} orders.csv --output out.csv"), 1, "--people");
    done(folder, &format!("value {ask} orders.csv --people people.csv --output value.csv"));
    // Of amounts one by one the two likelihoods are of the same.
    let (gamma, normal) =
        (likelihood("gamma-gamma orders.csv --individually"), likelihood("lognormal-spend orders.csv"));
    assert!((gamma / normal - 1.0).abs() < 0.05, "{gamma} {normal}");
    done(folder, &format!("predict {ask} orders.csv --output out.csv"));
    // They are judged by the money that comes; purchases are the same.
    let judge = |more: &str| {
        let line = format!("evaluate orders.csv --train-until 2023-06-30 --model pareto-nbd {more}");
        let models = json(folder, &line)["models"].clone();
        let last = models.as_array().unwrap().last().unwrap().clone();
        (last["purchases"]["rmse"].as_f64().unwrap(), last["value"]["rmse"].as_f64().unwrap())
    };
    let all = [
        "",
        "--spend-model lognormal-spend",
        "--spend-model gamma-gamma-individually",
        "--people people.csv --spend-by own_kind",
    ]
    .map(judge);
    assert!(all.iter().all(|one| one.0 == all[0].0), "{all:?}");
    assert!(all[1..].iter().all(|one| one.1 != all[0].1), "{all:?}");
    std::fs::write(folder.join("bare.csv"), "customer,date\na,2023-01-01\na,2023-02-01\nb,2023-01-05\n")
        .unwrap();
    let line = "evaluate orders.csv --train-until 2023-06-30 --model pareto-nbd --people people.csv --spend-by own_kind";
    refused(folder, &format!("{line} --spend-model lognormal-spend"), 2, "gamma-gamma");
    let said = done(folder, &format!("{line} --standardize"));
    assert!(said.contains("pareto-nbd with columns"));
    // Of purchases it is the same model, which is not ahead of itself.
    assert!(!said.contains("By BIC"), "{said}");
    refused(
        folder,
        "evaluate bare.csv --train-until 2023-01-31 --model nbd --spend-model gamma-gamma",
        1,
        "no amounts",
    );
    refused(folder, "fit gamma-gamma bare.csv --output x.json", 1, "needs amounts");
    refused(folder, "fit pareto-nbd orders.csv --individually --output x.json", 2, "gamma-gamma");
    refused(
        folder,
        "fit gamma-gamma orders.csv --people people.csv --purchases-by own_kind --output x.json",
        2,
        "--spend-by",
    );
}

#[test]
fn what_changes_with_time_moves_a_model_and_its_forecast() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    done(folder, SIMULATE);
    // Half of what was bought outside the last quarter of a year is left out: a season that doubles.
    let text = std::fs::read_to_string(folder.join("tx.csv")).unwrap();
    let is_season = |row: &str| matches!(&row.split(',').nth(1).unwrap()[5..7], "10" | "11" | "12");
    let mut orders = "customer,date,amount\n".to_owned();
    for (i, row) in text.lines().skip(1).enumerate() {
        if is_season(row) || i % 2 == 0 {
            orders += &format!("{row}\n");
        }
    }
    std::fs::write(folder.join("orders.csv"), orders).unwrap();
    let mut season = "from,season\n".to_owned();
    for year in [2021, 2022, 2023, 2024] {
        season += &format!("{year}-01-01,0\n{year}-10-01,1\n");
    }
    std::fs::write(folder.join("season.csv"), &season).unwrap();
    let by = "--over-time season.csv --until 2023-09-30";
    let report =
        json(folder, &format!("fit pareto-nbd orders.csv {by} --purchases-by season --output m.json"));
    let ratio = report["ratios"]["purchase.season"]["ratio"].as_f64().unwrap();
    assert!((1.6..2.5).contains(&ratio), "{ratio}");
    let expected = |line: &str| json(folder, line)["expected_purchases"].as_f64().unwrap();
    // The season that comes is known, and the plain model knows nothing of it.
    let known = expected(&format!("predict --model m.json orders.csv {by} --horizon 13 --output out.csv"));
    done(folder, "fit pareto-nbd orders.csv --until 2023-09-30 --output plain.json");
    let plain =
        expected("predict --model plain.json orders.csv --until 2023-09-30 --horizon 13 --output out.csv");
    assert!(known > 1.3 * plain, "{known} {plain}");
    // What has been and what is to come may be two files.
    let (past, future) = season.split_at(season.find("2023-01-01").unwrap());
    std::fs::write(folder.join("past.csv"), past).unwrap();
    std::fs::write(folder.join("future.csv"), format!("from,season\n{future}")).unwrap();
    let two = "--over-time past.csv --over-time future.csv --until 2023-09-30";
    let of_two = expected(&format!("predict --model m.json orders.csv {two} --horizon 13 --output out.csv"));
    assert_eq!(of_two, known);
    std::fs::write(folder.join("other.csv"), "from,season,price\n2021-01-01,0,1\n").unwrap();
    let other = "--over-time past.csv --over-time other.csv --until 2023-09-30";
    refused(
        folder,
        &format!("predict --model m.json orders.csv {other} --horizon 13 --output out.csv"),
        1,
        "other.csv beside past.csv",
    );
    // The holdout lies in the season, which only one of the two knows.
    let line = "evaluate orders.csv --train-until 2023-09-30 --holdout-until 2023-12-31 --model pareto-nbd --model mean --over-time season.csv --purchases-by season";
    let judged = json(folder, line);
    let bias = |place: usize| judged["models"][place]["purchases"]["bias"].as_f64().unwrap().abs();
    assert_eq!(judged["models"][1]["model"], "pareto-nbd over time");
    assert!(bias(1) < bias(0), "{judged}");
    let verdict = done(folder, line);
    assert!(
        verdict.contains("pareto-nbd over time tells more of the training period than its case pareto-nbd"),
        "{verdict}"
    );
    refused(
        folder,
        "evaluate orders.csv --train-until 2023-09-30 --model nbd --over-time season.csv --purchases-by season",
        2,
        "none of these models",
    );
    done(folder, "fit gamma-gamma orders.csv --until 2023-09-30 --output s.json");
    let said = json(
        folder,
        &format!("predict --model m.json --spend s.json orders.csv {by} --horizon 13 --output out.csv"),
    );
    assert!(said["clv"].as_f64().unwrap() > 0.0 && said["model"] == "over-time of pareto-nbd");
    // What may come, of each customer and of all.
    let ask = format!(
        "predict --model m.json --spend s.json orders.csv {by} --horizon 13 --interval .8 --draws 200"
    );
    let drawn = json(folder, &format!("{ask} --output drawn.csv"));
    let of = |what: &str| {
        drawn["interval"][what].as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect::<Vec<f64>>()
    };
    for (what, mean) in [("purchases", "expected_purchases"), ("clv", "clv")] {
        let (ends, mean) = (of(what), drawn[mean].as_f64().unwrap());
        assert!(ends[0] < mean && mean < ends[1], "{what}: {ends:?} {mean}");
    }
    let rows = std::fs::read_to_string(folder.join("drawn.csv")).unwrap();
    assert!(
        rows.lines().next().unwrap().ends_with("clv,p_purchase,purchases_from,purchases_to,clv_from,clv_to"),
        "{rows}"
    );
    let again = done(folder, &format!("{ask} --output again.csv"));
    assert!(again.contains("80% of futures"), "{again}");
    assert_eq!(rows, std::fs::read_to_string(folder.join("again.csv")).unwrap());
    refused(folder, &format!("{ask} --output x.csv").replace(" .8 ", " 1.5 "), 2, "a share from 0 to 1");
    refused(
        folder,
        "predict --model m.json orders.csv --horizon 13 --draws 9 --output x.csv",
        2,
        "--interval",
    );
    refused(
        folder,
        &format!("predict --model m.json orders.csv {by} --horizon 200 --output out.csv"),
        1,
        "needed until",
    );
    let line = "predict --model m.json orders.csv --until 2023-09-30 --horizon 13 --output out.csv";
    refused(folder, line, 2, "--over-time");
    refused(
        folder,
        "value --model m.json --spend s.json orders.csv --until 2023-09-30 --horizon 13 --output v.csv",
        2,
        "clv predict takes it",
    );
    // At a beat too, which customers have who are left every second purchase.
    let line = format!("fit mbg-cnbd-k orders.csv {by} --purchases-by season --output");
    let report = json(folder, &format!("{line} beat.json"));
    assert_eq!(report["parameters"]["k"], 2.0, "{report}");
    let ratio = report["ratios"]["purchase.season"]["ratio"].as_f64().unwrap();
    assert!((1.6..2.6).contains(&ratio), "{ratio}");
    let ask = format!("orders.csv {by} --horizon 13 --output out.csv");
    let beat = expected(&format!("predict --model beat.json {ask}"));
    assert!((beat / known - 1.0).abs() < 0.15, "{beat} {known}");
    done(folder, &format!("{line} two.json --fix k=2"));
    let two = json(folder, &format!("predict --model two.json {ask}"));
    assert_eq!(two["model"], "over-time of mbg-cnbd-k");
    assert_eq!(two["expected_purchases"], beat);
    let more = "--posterior --chains 2 --draws 20";
    refused(folder, &format!("{line} x.json {more}"), 2, "needs --fix k=");
    done(folder, &format!("{line} many.json --fix k=1 {more}"));
    assert!(expected(&format!("predict --model many.json {ask}")) > 0.0);
    refused(folder, &format!("{line} x.json --penalty-of-columns 0,1"), 2, "needs --fix k=");
    let judge = "evaluate orders.csv --train-until 2023-09-30 --holdout-until 2023-12-31 --model mbg-cnbd-k --over-time season.csv --purchases-by season";
    assert_eq!(json(folder, judge)["models"][1]["model"], "mbg-cnbd-k over time");
    let several = format!("{judge} --model bg-nbd --penalty-of-columns 0,.01");
    let models = json(folder, &several);
    let named: Vec<&str> =
        models["models"].as_array().unwrap().iter().map(|m| m["model"].as_str().unwrap()).collect();
    assert!(named.contains(&"bg-nbd over time") && !named.contains(&"mbg-cnbd-k over time"), "{named:?}");
    refused(
        folder,
        &format!("fit nbd orders.csv {by} --purchases-by season --output x.json"),
        2,
        "not for nbd",
    );
    refused(folder, &format!("fit bg-nbd orders.csv {by} --output x.json"), 2, "--purchases-by");
    refused(
        folder,
        &format!("fit bg-nbd orders.csv {by} --purchases-by saeson --output x.json"),
        2,
        "columns of --over-time are season",
    );
}
