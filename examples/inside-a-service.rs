//! Inside a service: a model loaded once scores single customers from many threads, and is swapped for
//! another while they run. A request allocates nothing and waits for nobody but the swap itself.

use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

use clv::ForecastMut;
use clv::prelude::*;
use clv::shelf;

/// The service's one slot: any model, behind a lock that is held only to take a reference.
struct Slot(RwLock<Arc<dyn Predict>>);

impl Slot {
    fn model(&self) -> Arc<dyn Predict> {
        self.0.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    fn swap(&self, model: Arc<dyn Predict>) {
        *self.0.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = model;
    }
}

/// One request: P(alive) and value of one customer.
fn answer(
    slot: &Slot,
    customer: &History,
    ask: &Ask,
    scratch: &mut Scratch,
) -> Result<(f64, f64), clv::Error> {
    let model = slot.model();
    let who = Customers::one(customer, model.unit())?;
    let (mut p_alive, mut value) = ([0.0], [None]);
    let mut out =
        ForecastMut { p_alive: Some(&mut p_alive), value: Some(&mut value), ..ForecastMut::default() };
    model.predict_into(&who, ask, scratch, &mut out)?;
    Ok((p_alive[0], value[0].unwrap_or(0.0)))
}

fn main() -> Result<(), Box<dyn Error>> {
    // The night job: fit and save.
    let log = clv_examples::simulated_shop()?;
    let purchases = Purchases::of(&log, Grain::Day)?;
    let training = Training::new(&purchases, clv_examples::end_of("2024-06-30")?, TimeUnit::Week)?;
    let folder = std::env::temp_dir().join(format!("clv-service-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    let horizon = Span::weeks(52.0)?;
    for name in ["bg-nbd", "pareto-nbd"] {
        let model = shelf::with_spend(name, horizon)?.fit(&training, &Context::default())?.model;
        clv::saved::save(&model, &folder.join(format!("{name}.json")))?;
    }

    // The service: load one, answer from four threads, swap while they run.
    let registry = clv::registry();
    let load = |name: &str| -> Result<Arc<dyn Predict>, clv::Error> {
        Ok(Arc::from(registry.load(&folder.join(format!("{name}.json")))?))
    };
    let slot = Slot(RwLock::new(load("bg-nbd")?));
    let ask = Ask::over(horizon).discount(Discount::yearly(0.1)?);
    let customer = History::new(3, 40.0, 60.0)?.spend(35.0)?;
    let before = answer(&slot, &customer, &ask, &mut Scratch::default())?;
    let (running, answered) = (AtomicBool::new(true), AtomicUsize::new(0));
    std::thread::scope(|scope| -> Result<(), Box<dyn Error>> {
        let workers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| -> Result<(), clv::Error> {
                    let mut scratch = Scratch::default();
                    while running.load(Ordering::Relaxed) {
                        answer(&slot, &customer, &ask, &mut scratch)?;
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    Ok(())
                })
            })
            .collect();
        while answered.load(Ordering::Relaxed) < 10_000 {
            std::thread::yield_now();
        }
        let swapped = load("pareto-nbd").map(|model| slot.swap(model));
        while swapped.is_ok() && answered.load(Ordering::Relaxed) < 20_000 {
            std::thread::yield_now();
        }
        running.store(false, Ordering::Relaxed);
        for worker in workers {
            worker.join().map_err(|_| "a worker panicked")??;
        }
        Ok(swapped?)
    })?;
    let after = answer(&slot, &customer, &ask, &mut Scratch::default())?;
    println!("{} requests answered by four threads", answered.load(Ordering::Relaxed));
    println!("BG/NBD:     P(alive) {:.3}, value {:.2}", before.0, before.1);
    println!("Pareto/NBD: P(alive) {:.3}, value {:.2}", after.0, after.1);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}
