//! What several verbs ask for.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use clv::cleaning::{OutlierAction, OutlierRule, Outliers, Policy, Returns};
use clv::cohorts::Period;
use clv::io::values::{Decimal, Zone};
use clv::io::{CustomerKey, ReadOptions};
use clv::model::Reads;
use clv::{Ask, Cleaning, Discount, Grain, Moment, Predict, Price, Span, TimeUnit, WithSpend};

use crate::failure::Failure;
use crate::show::note;

/// Transaction files and how to read them.
#[derive(Clone, Debug, Args)]
pub(crate) struct Transactions {
    /// Transactions: .csv, .tsv, .txt, .jsonl (each also .gz or .zst), .parquet, .arrow, .xlsx, or a folder
    /// of such files. Several are one log.
    #[arg(value_name = "TX", required = true)]
    pub files: Vec<PathBuf>,
    #[command(flatten)]
    pub reading: Reading,
    /// What is one purchase: exact, hour, day, week, month, year [default: the model's, or day].
    #[arg(long)]
    pub grain: Option<Grain>,
    #[command(flatten)]
    pub cleaning: CleaningArgs,
}

impl Transactions {
    /// The files that are read.
    pub(crate) fn inputs(&self) -> Vec<&std::path::Path> {
        self.files.iter().chain(&self.reading.aliases).map(PathBuf::as_path).collect()
    }

    /// What is one purchase.
    pub(crate) fn grain(&self) -> Grain {
        self.grain.unwrap_or_default()
    }

    /// The same, read as models from these files want them: purchases merged as those that the first was fitted to which knows it.
    pub(crate) fn of<'a>(
        &self,
        models: impl IntoIterator<Item = (&'a dyn Predict, &'a Path)>,
    ) -> Result<Self, Failure> {
        let models: Vec<_> = models.into_iter().collect();
        let fitted = models.iter().find_map(|(model, file)| Some((model.grain()?, model, file)));
        match (fitted, self.grain) {
            (Some((fitted, model, file)), Some(given)) if fitted != given => {
                Err(Failure::usage(format_args!(
                    "--grain {given}: {} ({}) was fitted to purchases of grain {fitted}, and forecasts those: give --grain {fitted}, or none",
                    model.kind().full_name(),
                    file.display()
                )))
            }
            (fitted, given) => {
                if let (None, Some((model, file))) = (given, models.first())
                    && model.grain().is_none()
                    && model.reads() == Reads::Purchases
                {
                    note(format_args!(
                        "{} ({}) does not know of what grain the purchases were that it was fitted to: taken as {}{}, name another with --grain",
                        model.kind().full_name(),
                        file.display(),
                        fitted.map_or_else(|| self.grain(), |fitted| fitted.0),
                        fitted.map_or_else(String::new, |(_, _, file)| format!(", as of {}", file.display()))
                    ));
                }
                Ok(Self { grain: given.or(fitted.map(|fitted| fitted.0)), ..self.clone() })
            }
        }
    }
}

/// What changes with time.
#[derive(Debug, Args)]
#[command(next_help_heading = "Over time")]
pub(crate) struct OverTime {
    /// A table of columns that change with time: a date from which a row holds, a customer unless it is of everybody, and numbers (for
    /// pareto-nbd, bg-nbd, mbg-nbd, bg-cnbd-k, mbg-cnbd-k). A forecast needs it until the end of the horizon. May be repeated: files of the same columns are one table.
    #[arg(long = "over-time", value_name = "FILE")]
    pub over_time: Vec<PathBuf>,
}

impl OverTime {
    /// Reads the tables.
    pub(crate) fn read(&self, transactions: &Transactions) -> Result<Vec<clv::Timelines>, Failure> {
        let options = transactions.reading.options();
        let one = |path: &PathBuf| {
            let mut found = clv::Timelines::default();
            crate::beyond::one(path, transactions.cleaning.strict, |to| {
                let (timelines, columns) = clv::io::people::timelines(path, &options, to)?;
                found = timelines;
                Ok(columns)
            })?;
            Ok::<_, Failure>(found)
        };
        let mut tables: Vec<(&PathBuf, clv::Timelines)> = Vec::new();
        for path in &self.over_time {
            let found = one(path)?;
            let shares = |table: &clv::Timelines| found.columns().iter().any(|c| table.position(c).is_some());
            match tables.iter_mut().find(|(_, table)| shares(table)) {
                None => tables.push((path, found)),
                // Of the same columns one tells what has been, say, and another what is to come.
                Some((before, table)) => table.absorb(&found).map_err(|error| {
                    Failure::data(format_args!("{} beside {}: {error}", path.display(), before.display()))
                })?,
            }
        }
        Ok(tables.into_iter().map(|(_, table)| table).collect())
    }

    /// The files that are read.
    pub(crate) fn inputs(&self) -> impl Iterator<Item = &std::path::Path> {
        self.over_time.iter().map(PathBuf::as_path)
    }
}

/// What is said of transactions alone.
const NOT_OF_CONTRACTS: [&str; 13] = [
    "grain",
    "date",
    "latest",
    "aliases",
    "amount",
    "order",
    "product",
    "event_id",
    "returns",
    "zero_amounts",
    "duplicates",
    "outliers",
    "test_marks",
];

/// Contracts instead of transactions.
#[derive(Debug, Args)]
#[command(next_help_heading = "Contracts")]
pub(crate) struct Contracts {
    /// The files are contracts, one a row: customer, start, and end of those that have ended (for sbg, bdw, exponential-gamma,
    /// weibull-gamma). Renewals fall due each --unit after the start.
    #[arg(long, conflicts_with_all = NOT_OF_CONTRACTS)]
    pub contracts: bool,
    /// Column with the start [default: recognised].
    #[arg(long, value_name = "COLUMN", requires = "contracts")]
    pub start: Option<String>,
    /// Column with the end, empty for a contract that goes on [default: recognised].
    #[arg(long, value_name = "COLUMN", requires = "contracts")]
    pub end: Option<String>,
}

/// Refuses files that are of something else than what a model reads.
pub(crate) fn expect_histories(
    contracts: bool,
    what: impl std::fmt::Display,
    reads: Reads,
    grain: Grain,
    unit: TimeUnit,
) -> Result<(), Failure> {
    if contracts && !reads.contracts() {
        return Err(Failure::usage(format_args!(
            "--contracts is for {}, and not for {what}",
            clv::shelf::CONTRACT_MODELS.join(", ")
        )));
    }
    if reads == Reads::Tenures && !contracts {
        return Err(Failure::usage(format_args!(
            "{what} is of contracts: give a table of them (customer, start, end) and --contracts (clv fit, predict, evaluate)"
        )));
    }
    if reads.periods() && !contracts && !grain.is_one(unit) {
        return Err(Failure::usage(format_args!(
            "{what} tells period by period whether there was a purchase, and the period is a {unit}: give --grain {unit} (it is {grain}){}",
            if reads.contracts() { ", or --contracts with a table of them" } else { "" }
        )));
    }
    Ok(())
}

/// How files are read.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Reading")]
pub(crate) struct Reading {
    /// Column that names the customer [default: recognised].
    #[arg(long, value_name = "COLUMN")]
    pub customer: Option<String>,
    /// Column with the date or time [default: recognised].
    #[arg(long, value_name = "COLUMN")]
    pub date: Option<String>,
    /// Column with the amount [default: recognised, or quantity times unit price].
    #[arg(long, value_name = "COLUMN")]
    pub amount: Option<String>,
    /// Column with the order or invoice, which returns are matched by [default: recognised].
    #[arg(long, value_name = "COLUMN")]
    pub order: Option<String>,
    /// Column with the product, which returns are matched by [default: recognised].
    #[arg(long, value_name = "COLUMN")]
    pub product: Option<String>,
    /// How dates are written, such as %d.%m.%Y [default: proved from the file].
    #[arg(long, value_name = "FORMAT")]
    pub date_format: Option<String>,
    /// Whose clock counts where an offset stands beside a time: as-written, UTC, +02:00,
    /// Europe/Berlin.
    #[arg(long, value_name = "ZONE", default_value = "as-written", value_parser = zone)]
    pub zone: Zone,
    /// What stands before the cents [default: proved from the file].
    #[arg(long, value_enum)]
    pub decimal: Option<DecimalArg>,
    /// Encoding of text files, such as windows-1252 [default: UTF-8, or by its mark].
    #[arg(long, value_name = "NAME")]
    pub encoding: Option<String>,
    /// What names a customer: the text as it is, an e-mail address (in lower case), or its SHA-256.
    #[arg(long, value_enum, default_value_t = KeyArg::AsIs)]
    pub customer_key: KeyArg,
    /// A table of two columns: a name, and the name of the customer that counts.
    #[arg(long, value_name = "FILE")]
    pub aliases: Option<PathBuf>,
    /// Column that identifies an event: one delivered again counts once.
    #[arg(long, value_name = "COLUMN")]
    pub event_id: Option<String>,
}

impl Reading {
    pub(crate) fn customer_key(&self) -> CustomerKey {
        match self.customer_key {
            KeyArg::AsIs => CustomerKey::AsIs,
            KeyArg::Email => CustomerKey::Email,
            KeyArg::EmailHash => CustomerKey::EmailHash,
        }
    }

    pub(crate) fn options(&self) -> ReadOptions {
        let mut options = ReadOptions::new().zone(self.zone.clone()).customer_key(self.customer_key());
        if let Some(column) = &self.customer {
            options = options.customer(column);
        }
        if let Some(column) = &self.date {
            options = options.date(column);
        }
        if let Some(column) = &self.amount {
            options = options.amount(column);
        }
        if let Some(format) = &self.date_format {
            options = options.date_format(format);
        }
        if let Some(column) = &self.order {
            options = options.order(column);
        }
        if let Some(column) = &self.product {
            options = options.product(column);
        }
        if let Some(column) = &self.event_id {
            options = options.event_id(column);
        }
        if let Some(encoding) = &self.encoding {
            options = options.encoding(encoding);
        }
        match self.decimal {
            None => options,
            Some(DecimalArg::Point) => options.decimal(Decimal::Point),
            Some(DecimalArg::Comma) => options.decimal(Decimal::Comma),
        }
    }
}

/// A page of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PeriodArg {
    Week,
    Month,
    Quarter,
    Year,
}

impl From<PeriodArg> for Period {
    fn from(period: PeriodArg) -> Self {
        match period {
            PeriodArg::Week => Self::Week,
            PeriodArg::Month => Self::Month,
            PeriodArg::Quarter => Self::Quarter,
            PeriodArg::Year => Self::Year,
        }
    }
}

/// The decimal mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum DecimalArg {
    Point,
    Comma,
}

/// What names a customer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyArg {
    AsIs,
    Email,
    EmailHash,
}

fn zone(text: &str) -> Result<Zone, String> {
    text.parse()
}

/// What is done with rows that are no plain purchase.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Cleaning")]
pub(crate) struct CleaningArgs {
    /// Stop at the first row that cannot be read.
    #[arg(long)]
    pub strict: bool,
    /// Rows with a negative amount: keep, drop, or net (take them off the purchases they belong to).
    #[arg(long, value_enum, default_value_t = ReturnsArg::Drop)]
    pub returns: ReturnsArg,
    /// Rows with an amount of zero.
    #[arg(long, value_enum, default_value_t = KeepOrDrop::Keep)]
    pub zero_amounts: KeepOrDrop,
    /// Rows equal to an earlier one in every field.
    #[arg(long, value_enum, default_value_t = KeepOrDrop::Keep)]
    pub duplicates: KeepOrDrop,
    /// Leave out rows dated after this day.
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub latest: Option<Moment>,
    /// Which amounts are far from the others: iqr:K, z:K or robust-z:K; log-iqr:K and so on look at
    /// their logarithms.
    #[arg(long, value_name = "RULE", value_parser = outlier_rule)]
    pub outliers: Option<(OutlierRule, bool)>,
    /// What is done with them.
    #[arg(long, value_enum, default_value_t = OutlierArg::Cap, requires = "outliers")]
    pub outlier_action: OutlierArg,
    /// Leave out trial orders: rows whose customer, order or product contains this text. May be
    /// repeated.
    #[arg(long = "test-mark", value_name = "TEXT")]
    pub test_marks: Vec<String>,
}

impl CleaningArgs {
    pub(crate) fn cleaning(&self) -> clv::Result<Cleaning> {
        let outliers = self.outliers.map(|(rule, on_logs)| {
            let outliers = Outliers::new(rule, self.outlier_action.into())?;
            Ok::<_, clv::Error>(if on_logs { outliers.on_logs() } else { outliers })
        });
        Ok(Cleaning {
            zero_amounts: self.zero_amounts.into(),
            returns: self.returns.into(),
            duplicates: self.duplicates.into(),
            // Inclusive: the whole day.
            latest: self.latest.map(end_of_day),
            outliers: outliers.transpose()?,
            test_marks: self.test_marks.clone(),
            as_of: None,
            strict: self.strict,
        })
    }
}

/// What to do with a kind of row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeepOrDrop {
    Keep,
    Drop,
}

impl From<KeepOrDrop> for Policy {
    fn from(choice: KeepOrDrop) -> Self {
        match choice {
            KeepOrDrop::Keep => Self::Keep,
            KeepOrDrop::Drop => Self::Drop,
        }
    }
}

/// What to do with returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReturnsArg {
    Keep,
    Drop,
    Net,
}

impl From<ReturnsArg> for Returns {
    fn from(choice: ReturnsArg) -> Self {
        match choice {
            ReturnsArg::Keep => Self::Keep,
            ReturnsArg::Drop => Self::Drop,
            ReturnsArg::Net => Self::Net,
        }
    }
}

/// What to do with outliers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutlierArg {
    Cap,
    Drop,
    Flag,
}

impl From<OutlierArg> for OutlierAction {
    fn from(choice: OutlierArg) -> Self {
        match choice {
            OutlierArg::Cap => Self::Cap,
            OutlierArg::Drop => Self::Drop,
            OutlierArg::Flag => Self::Flag,
        }
    }
}

/// `iqr:1.5`, `log-iqr:3`, `z:4`, `robust-z:5`; true for logarithms.
pub(crate) fn outlier_rule(text: &str) -> Result<(OutlierRule, bool), String> {
    let allowed = "expected iqr:K, z:K or robust-z:K, each also with log- before it";
    let (name, k) = text.split_once(':').ok_or(allowed)?;
    let k: f64 = k.trim().parse().map_err(|_| format!("{k:?} is not a number"))?;
    let (name, on_logs) = name.strip_prefix("log-").map_or((name, false), |name| (name, true));
    let rule = match name {
        "iqr" => OutlierRule::Iqr(k),
        "z" => OutlierRule::ZScore(k),
        "robust-z" => OutlierRule::RobustZ(k),
        _ => return Err(allowed.to_owned()),
    };
    Ok((rule, on_logs))
}

/// When observation ends, and in what time is counted.
#[derive(Debug, Args)]
pub(crate) struct Observation {
    /// End of observation, inclusive [default: the last purchase; of weeks, months and years the last that is whole; of contracts there is none].
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub until: Option<Moment>,
    /// Time unit: day, week, month, year [default: the model's, or week, or month of contracts].
    #[arg(long)]
    pub unit: Option<TimeUnit>,
}

/// Which fitted model is asked, how far ahead.
#[derive(Debug, Args)]
pub(crate) struct Asking {
    /// A fitted model of purchases (or of value).
    #[arg(long)]
    pub model: PathBuf,
    /// A fitted model of spend, to make purchases into value.
    #[arg(long)]
    pub spend: Option<PathBuf>,
    /// One price for every purchase, or payment of a contract, instead of a model of spend.
    #[arg(long, value_name = "AMOUNT", conflicts_with = "spend", allow_negative_numbers = true)]
    pub price: Option<f64>,
    /// How far ahead, in the model's time unit.
    #[arg(long, value_name = "UNITS", allow_negative_numbers = true)]
    pub horizon: f64,
    /// Yearly discount rate (0.1 is 10%).
    #[arg(long, default_value_t = 0.0, value_name = "RATE", allow_negative_numbers = true)]
    pub discount_rate: f64,
    /// Discount each month from its end instead of continuously.
    #[arg(long)]
    pub monthly: bool,
}

impl Asking {
    /// What the file of the model holds.
    pub(crate) fn holds(&self, model: &dyn Predict) -> String {
        format!("{} ({})", model.kind().full_name(), self.model.display())
    }

    /// Refuses another unit than the model's.
    pub(crate) fn expect_unit(&self, observation: &Observation, model: &dyn Predict) -> Result<(), Failure> {
        match observation.unit.filter(|unit| *unit != model.unit()) {
            None => Ok(()),
            Some(unit) => Err(Failure::usage(format_args!(
                "--unit {unit}: {} counts in {}s; allowed: {}, or none",
                self.holds(model),
                model.unit(),
                model.unit()
            ))),
        }
    }

    /// The model of purchases, joined with the spend model if there is one, and the transactions as it wants them.
    pub(crate) fn model(&self, given: &Transactions) -> Result<(Box<dyn Predict>, Transactions), Failure> {
        let model = self.purchases()?;
        if model.foresee().is_some() {
            return Err(Failure::usage(format_args!(
                "{} holds a model of what changes with time: clv predict takes it, with --over-time",
                self.model.display()
            )));
        }
        let spend = self.spend(model.unit())?;
        let transactions = self.as_fitted(given, &model, spend.as_deref())?;
        expect_histories(false, self.holds(&model), model.reads(), transactions.grain(), model.unit())?;
        Ok((self.joined(model, spend)?, transactions))
    }

    /// Transactions read as the models want them.
    pub(crate) fn as_fitted(
        &self,
        given: &Transactions,
        model: &dyn Predict,
        spend: Option<&dyn Predict>,
    ) -> Result<Transactions, Failure> {
        given.of([(model, &*self.model)].into_iter().chain(spend.zip(self.spend.as_deref())))
    }

    /// The model of purchases.
    pub(crate) fn purchases(&self) -> Result<Box<dyn Predict>, Failure> {
        let model = load(&self.model)?;
        if !model.answers().purchases {
            return Err(Failure::usage(format_args!(
                "{} holds a model of spend ({}): give a purchase model to --model, and this one to --spend",
                self.model.display(),
                model.kind().name
            )));
        }
        Ok(model)
    }

    /// The model of spend, or a price, for purchases that count time in this unit.
    pub(crate) fn spend(&self, unit: TimeUnit) -> Result<Option<Box<dyn Predict>>, Failure> {
        if let Some(amount) = self.price {
            let price = Price::new(amount, unit).map_err(Failure::usage)?;
            return Ok(Some(Box::new(price)));
        }
        let Some(path) = &self.spend else { return Ok(None) };
        let spend = load(path)?;
        if !spend.answers().spend {
            return Err(Failure::usage(format_args!(
                "{} holds a model that does not say spend ({}): give a fitted gamma-gamma or lognormal-spend to --spend",
                path.display(),
                spend.kind().name
            )));
        }
        Ok(Some(spend))
    }

    /// A model joined with that of spend if there is one.
    pub(crate) fn joined(
        &self,
        model: Box<dyn Predict>,
        spend: Option<Box<dyn Predict>>,
    ) -> Result<Box<dyn Predict>, Failure> {
        let Some(spend) = spend else { return Ok(model) };
        if model.answers().value {
            note(format_args!(
                "{} says value by itself: with --spend or --price it is its purchases times that instead",
                self.holds(&model)
            ));
        }
        let joined = WithSpend::join(model, spend).map_err(|error| match &self.spend {
            Some(path) => Failure::usage(format_args!("--spend {}: {error}", path.display())),
            None => Failure::usage(error),
        })?;
        Ok(Box::new(joined))
    }

    /// All files that are read.
    pub(crate) fn inputs<'a>(&'a self, transactions: &'a Transactions) -> Vec<&'a std::path::Path> {
        let mut all = transactions.inputs();
        all.push(&self.model);
        all.extend(self.spend.as_deref());
        all
    }

    /// The question, in the model's unit.
    pub(crate) fn ask(&self, model: &dyn Predict) -> Result<Ask, Failure> {
        let horizon = Span::new(self.horizon, model.unit()).map_err(Failure::usage)?;
        // Payments of contracts come a whole unit after the other, as opportunities do.
        let counts_whole = model.reads().periods() || model.reads().contracts();
        if counts_whole && self.horizon.fract() != 0.0 {
            return Err(Failure::usage(format_args!(
                "--horizon is {}; allowed: whole {}s, which {} counts in",
                self.horizon,
                model.unit(),
                model.kind().full_name()
            )));
        }
        let mut discount = Discount::yearly(self.discount_rate).map_err(Failure::usage)?;
        if self.monthly {
            discount = discount.at_period_ends(Span::new(1.0, TimeUnit::Month)?)?;
        }
        Ok(Ask::over(horizon).discount(discount))
    }
}

/// A saved model, with its file's name in what may go wrong.
pub(crate) fn load(path: &std::path::Path) -> Result<Box<dyn Predict>, Failure> {
    clv::registry().load(path).map_err(|error| match error {
        clv::Error::Io { .. } => Failure::data(error),
        other => Failure::data(format_args!("{}: {other}", path.display())),
    })
}

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// One JSON document.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Output {
    /// How results are printed on standard output.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// The last moment of a day.
pub(crate) fn end_of_day(day: Moment) -> Moment {
    Moment::from_micros(day.plus_days(1.0).micros() - 1)
}

pub(crate) fn date(text: &str) -> Result<Moment, clv::Error> {
    Moment::parse_date(text)
}

/// A share between 0 and 1.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("expected a share from 0 to 1 (0.4 is 40%)".to_owned()),
    }
}

/// `name=value`.
pub(crate) fn assignment(text: &str) -> Result<(String, f64), String> {
    let (name, value) = text.split_once('=').ok_or("expected name=value")?;
    let value: f64 = value.trim().parse().map_err(|_| format!("{value:?} is not a number"))?;
    Ok((name.trim().to_owned(), value))
}
