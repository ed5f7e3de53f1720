//! The textbook example done right: a table of users, a split, z-scores, a linear regression, its errors.
//!
//! `cargo run --example 12-textbook -- users.csv` takes a file of your own with the columns user_id, age,
//! frequency, average_order_value and lifetime_value.

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;

use clv::Gathering;
use clv::attributes::Values;
use clv::learn::{Mean, holdout};
use clv::metrics::{Pairs, errors, ranking};
use clv::prelude::*;
use clv::transform::{Encoder, Encoding, Fill, Step, Transforms};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::temp_dir().join(format!("clv-textbook-{}", std::process::id()));
    let path = match std::env::args_os().nth(1) {
        Some(path) => PathBuf::from(path),
        None => {
            std::fs::create_dir_all(&folder)?;
            let path = folder.join("users.csv");
            std::fs::write(&path, made_up_users()?)?;
            path
        }
    };

    // The table, typed column by column; what cannot be read is counted and quoted.
    let mut gathering = Gathering::default();
    clv::io::people::attributes(&path, &clv::io::ReadOptions::new(), &mut gathering)?;
    let users = gathering.finish().attributes;
    let worth = users.attribute("lifetime_value").ok_or("no column lifetime_value")?;
    let Values::Numbers(worth) = worth.values() else { return Err("lifetime_value has words in it".into()) };
    let worth: Vec<f64> =
        worth.iter().copied().collect::<Option<_>>().ok_or("a lifetime_value is missing")?;
    let number = Encoding::Number(Fill::Median);
    let plan = [("age", number), ("frequency", number), ("average_order_value", number)];

    // A fifth is put aside before anything is learned, scaling included.
    let (train, test) = holdout(worth.len(), 0.2, 42)?;
    let columns = Encoder::fit(&users, &plan, None)?.apply(&users)?;
    let pick = |rows: &[usize]| -> Vec<f64> { rows.iter().map(|&row| worth[row]).collect() };
    let (y_train, y_test) = (pick(&train), pick(&test));
    let z_scores = Transforms::fit(&[Step::Standard], &columns.select(&train)?)?;
    let x_train = z_scores.apply(&columns.select(&train)?)?;
    let x_test = z_scores.apply(&columns.select(&test)?)?;

    let rows = Rows::new(&x_train, &y_train)?;
    let line = LinearRegression.regress(&rows, &Context::default())?.model;
    println!("{} users to learn from, {} to be judged by", train.len(), test.len());
    println!("lifetime_value = {:.2}", line.intercept());
    for (name, slope) in x_train.names().iter().zip(line.slopes()) {
        println!("    {slope:+9.2} × z({name})");
    }

    let mean = Mean.regress(&rows, &Context::default())?.model;
    println!("{:>8} {:>12} {:>8} {:>8} {:>6} {:>6}", "", "MSE", "RMSE", "MAE", "R²", "Gini");
    for (name, forecast) in [("mean", mean.predict(&x_test)?), ("line", line.predict(&x_test)?)] {
        let pairs = Pairs::new(&y_test, &forecast)?;
        println!(
            "{name:>8} {:>12.1} {:>8.2} {:>8.2} {:>6.3} {:>6.3}",
            errors::mse(&pairs),
            errors::rmse(&pairs),
            errors::mae(&pairs),
            errors::r2(&pairs).unwrap_or(0.0),
            ranking::normalized_gini(&pairs).unwrap_or(0.0),
        );
    }
    let forecast = line.predict(&x_test)?;
    let equal = forecast.iter().zip(&y_test).filter(|(f, y)| f == y).count();
    println!(
        "\"Accuracy\", the share of forecasts exactly equal to what came, is {equal} of {}: for a value it says\n\
         nothing, as a forecast a cent off counts like one a thousand off. Hence MSE, MAE and R².",
        test.len()
    );
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    Ok(())
}

/// 1,000 users who are worth what they order times how often, as far as chance allows.
fn made_up_users() -> Result<String, Box<dyn Error>> {
    let mut text = "user_id,age,frequency,average_order_value,lifetime_value\n".to_owned();
    // Four independent streams of numbers between 0 and 1, the same on every machine.
    let unit = |user: u32, prime: u32| {
        f64::from(user.wrapping_mul(prime).wrapping_mul(2_654_435_761) >> 8) / 2_f64.powi(24)
    };
    for user in 1..=1_000 {
        let age = 18.0 + (50.0 * unit(user, 3)).floor();
        let frequency = 1.0 + (11.0 * unit(user, 7).powi(2)).floor();
        let order = 15.0 + 60.0 * unit(user, 13) + 0.3 * age;
        let worth = frequency * order * (0.6 + 0.8 * unit(user, 29));
        writeln!(text, "u{user},{age},{frequency},{order:.2},{worth:.2}")?;
    }
    Ok(text)
}
