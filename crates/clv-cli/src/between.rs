//! Between what ends lies what may come.

use clv::model::{DrawAmounts, Intervals, Possible};
use clv::{Ask, Context, Customers, Predict};

use crate::args::{Asking, share};
use crate::failure::Failure;
use crate::input::Observed;
use crate::progress::Line;
use crate::show::{note, short, table};

/// Draws beyond an end from which on it is told well enough: its place among the draws is then off by a third.
const ENOUGH: f64 = 10.0;

/// Whether futures are drawn, and how many.
#[derive(Debug, clap::Args)]
pub(crate) struct Between {
    /// Say between what the middle of what may come lies, such as .9 of it, with each customer's own randomness.
    #[arg(long, value_name = "SHARE", value_parser = share, allow_negative_numbers = true)]
    pub interval: Option<f64>,
    /// Futures drawn for --interval.
    #[arg(long, value_name = "N", default_value_t = 1_000, requires = "interval")]
    pub draws: usize,
    /// Seed of the draws.
    #[arg(long, default_value_t = 0, requires = "interval")]
    pub seed: u64,
}

impl Between {
    /// What may come, by numbers that each customer's name leads to.
    pub(crate) fn draw(
        &self,
        asking: &Asking,
        model: &dyn Predict,
        who: &Customers<'_>,
        ask: &Ask,
        (observed, customers): (&Observed, &[u32]),
    ) -> Result<Option<Intervals>, Failure> {
        let Some(level) = self.interval else { return Ok(None) };
        let settings =
            Possible::new().level(level).and_then(|s| s.draws(self.draws)).map_err(Failure::usage)?;
        if asking.spend.is_some() && !model.draw_amounts().is_some_and(DrawAmounts::draws_population) {
            note(
                "intervals take the model of spend as certain: those of value hold a little less than they say, unless it is fitted with --posterior",
            );
        }
        let beyond = 0.5 * (1.0 - level) * self.draws as f64;
        if beyond < ENOUGH - 1e-9 {
            note(format_args!(
                "warning: of {} draws {beyond:.1} lie beyond each end of the middle {}%: ends are rough with fewer than {ENOUGH}, give more --draws or less of an --interval",
                self.draws,
                100.0 * level
            ));
        }
        let names = observed.log.customers();
        let key = |row: usize| Possible::key(names.name(customers[row]));
        let line = Line::new("drawing");
        Ok(Some(settings.of(model, who, ask, key, &Context::default().seed(self.seed).observer(&line))?))
    }
}

/// Warns of spend whose mean hardly exists.
pub(crate) fn tell_caution(model: &dyn Predict) {
    if let Some(warning) = model.draw_amounts().and_then(DrawAmounts::caution) {
        note(format_args!("warning: {warning}"));
    }
}

/// Prints what all customers come to together: mean, and from where to where.
pub(crate) fn of_all(
    level: f64,
    rows: impl IntoIterator<Item = (&'static str, [f64; 3])>,
) -> Result<(), Failure> {
    let header = format!("of all together, {}% of futures", 100.0 * level);
    let row = |(what, ends): (&str, [f64; 3])| {
        std::iter::once(what.to_owned()).chain(ends.map(short)).collect::<Vec<_>>()
    };
    table(&[header.as_str(), "mean", "from", "to"], rows.into_iter().map(row))
}
