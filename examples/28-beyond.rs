//! What is known beyond the purchases: products and their likeness, events, attributes. Columns as of each origin that
//! is learned from, beside the same trees without them.

use std::error::Error;

use clv::attributes::{Attributes, Conflict};
use clv::backtest::BoxedFit;
use clv::events::{Event, EventKind, EventLog};
use clv::features::{Beyond, Remembered, Source, Taste};
use clv::prelude::*;
use clv::{Erased, Feature, leakage};

fn main() -> Result<(), Box<dyn Error>> {
    let shop = match std::env::args_os().nth(1) {
        Some(_) => Shop { log: clv_examples::shop()?, ..Shop::default() },
        None => Shop::simulated()?,
    };
    let backtest = clv_examples::backtest(&shop.log)?;
    let (cut, horizon) = (backtest.split().train, backtest.split().horizon());
    let spans = [Span::weeks(4.0)?, horizon];

    // Learned from the first 45% of what came before the holdout: every origin that is learned from is later.
    let (first, _) = shop.log.span().ok_or("the log is empty")?;
    let early = cut.minus(Span::days((cut.last().days_since(first) * 0.55).floor())?);
    let taste = Taste::of_products(&shop.log, early, 4)?;
    let named: Vec<&str> = (0..shop.log.len()).filter_map(|row| shop.log.product(row)).take(500).collect();
    if let Some((product, like)) = named.iter().find_map(|p| Some((p, taste.nearest(p, 1).first().copied()?)))
    {
        println!("bought by the same customers as {product}: {} ({:.2})", like.0, like.1);
    }

    let beyond = Beyond::of(&shop.log)
        .products()
        .taste(&taste)
        .within(&spans)
        .events(&shop.events)
        .attributes(&shop.people);
    let columns = beyond.names(cut)?;
    println!("{} columns beyond the purchases: {}", columns.len(), columns.join(", "));
    let customers = backtest.training()?.summary().customer.clone();
    let leaks = leakage::of_the_future(&shop.log, cut, |log| {
        Beyond::of(log).products().taste(&taste).columns(
            &Beyond::of(log).products().names(cut)?,
            cut,
            &customers,
        )
    })?;
    println!("columns that change with the future: {}", leaks.len());

    // Asked for by the search of a model, or here twice: kept.
    let beyond = Remembered::new(&beyond);
    let own = Feature::broad(&spans, shop.log.amount().is_some());
    let all: Vec<Feature> = own.iter().cloned().chain(beyond.features(cut)?).collect();
    let trees = BoostedTrees::new().trees(80).loss(clv::trees::Loss::Tweedie(1.5));
    let plain: BoxedFit = Box::new(Erased(trees.clone().over(horizon).features(own)));
    clv_examples::judge(&backtest, "purchases alone", plain)?;
    let knowing: BoxedFit = Box::new(Erased(trees.over(horizon).features(all)));
    let backtest = backtest.knowing(&beyond);
    clv_examples::judge(&backtest, "and all else", knowing)
}

#[derive(Default)]
struct Shop {
    log: TransactionLog,
    events: EventLog,
    people: Attributes,
}

impl Shop {
    /// The simulated shop, in which those who will spend more buy other products, look around more, and are members.
    fn simulated() -> Result<Self, Box<dyn Error>> {
        let plain = clv_examples::simulated_shop()?;
        let customers = plain.customers().len();
        let mut spent = vec![0.0; customers];
        let amounts = plain.amount().ok_or("the simulated shop has amounts")?;
        plain.customer().iter().zip(amounts).for_each(|(&c, a)| spent[c as usize] += a.to_f64());
        // In a shop of one's own this is what nobody knows; here it makes products and views say something.
        let eager = |customer: u32| spent[customer as usize] > 100.0;
        let (mut log, mut events, mut people) =
            (LogBuilder::new(), EventLog::default(), Attributes::new(Conflict::FirstStands));
        for row in 0..plain.len() {
            let (number, time) = (plain.customer()[row], plain.time()[row]);
            let customer = plain.customers().name(number);
            let noise = (number as usize * 7 + row * 3) % 10;
            let product = match (eager(number), noise) {
                (true, 0..7) | (false, 7..) => ["saddle", "helmet", "pump"][row % 3],
                _ => ["bell", "sticker", "mug"][row % 3],
            };
            let one = Transaction::new(customer, time);
            log.push(Transaction { product: Some(product), amount: Some(amounts[row]), ..one })?;
            let views = if eager(number) { 3 } else { 1 } + noise / 6;
            for view in 0..views {
                let time = time.plus_days(-(view as f64));
                events.push(Event {
                    customer,
                    time,
                    kind: EventKind::Viewed,
                    subject: Some(product),
                    value: None,
                });
            }
            people.state(customer, "club", if eager(number) && noise < 8 { "member" } else { "guest" });
        }
        Ok(Self { log: log.finish(), events, people: people.typed() })
    }
}
