//! clv's side of the comparison: fits and forecasts the histories of a summary file, and prints CPU
//! seconds per step as JSON lines. Reading the file is not timed; building cells is.

use std::error::Error;

use clv::prelude::*;
use cpu_time::ProcessTime;
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let file = std::env::args().nth(1).ok_or("usage: clv-peers SUMMARY.csv")?;
    let (mut x, mut t_x, mut age, mut spend) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut reader = csv::Reader::from_path(file)?;
    for row in reader.records() {
        let row = row?;
        x.push(row[1].parse::<u32>()?);
        t_x.push(row[2].parse::<f64>()?);
        age.push(row[3].parse::<f64>()?);
        spend.push(if row[4].is_empty() { 0.0 } else { row[4].parse::<f64>()? });
    }
    let who = Customers::new(TimeUnit::Week, &x, &t_x, &age, Some(&spend))?;
    let cx = Context::default();
    let start = ProcessTime::now();
    let gamma_gamma = GammaGammaFit::new().fit_customers(&who, &cx)?;
    let seconds = start.elapsed().as_secs_f64();
    let ln = gamma_gamma.report.log_likelihood;
    println!("{}", json!({"step": "fit", "model": "gamma-gamma", "seconds": seconds, "log_likelihood": ln}));
    fit_and_predict::<BgNbd>(&who, gamma_gamma.model)?;
    fit_and_predict::<MbgNbd>(&who, gamma_gamma.model)?;
    fit_and_predict::<ParetoNbd>(&who, gamma_gamma.model)?;
    Ok(())
}

fn fit_and_predict<P: clv::btyd::Process>(
    who: &Customers<'_>,
    spend: SpendModel,
) -> Result<(), Box<dyn Error>> {
    let name = P::KIND.name;
    let start = ProcessTime::now();
    let cells = clv::Cells::of(who);
    let fitted = MaximumLikelihood::<P>::new().fit_cells(&cells, TimeUnit::Week, &Context::default())?;
    let seconds = start.elapsed().as_secs_f64();
    let parameters: Vec<f64> = fitted.report.parameters.iter().map(|p| p.value).collect();
    println!(
        "{}",
        json!({"step": "fit", "model": name, "seconds": seconds, "cells": cells.len(),
               "log_likelihood": fitted.report.log_likelihood, "parameters": parameters})
    );
    let model = WithSpend::join(fitted.model, spend)?;
    let ask = Ask::over(Span::weeks(52.0)?).discount(Discount::yearly(0.1)?);
    let start = ProcessTime::now();
    let forecast = model.predict(who, &ask)?;
    let seconds = start.elapsed().as_secs_f64();
    let value: f64 = forecast.value.iter().flatten().flatten().sum();
    let purchases: f64 = forecast.purchases.iter().flatten().sum();
    println!(
        "{}",
        json!({"step": "predict", "model": name, "seconds": seconds, "purchases": purchases, "value": value})
    );
    Ok(())
}
