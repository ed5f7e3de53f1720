//! From a part's rows to each customer's purchases in order of time.

use hashbrown::HashTable;

use super::grains::Part;
use super::key::{Key, mix};
use crate::error::{Error, Result};
use crate::names::Names;
use crate::units::{Grain, Moment};

/// What is done with each customer: key, moments, amounts in millionths.
pub(super) type Visit<'v> = dyn FnMut(Key, &[Moment], &[i64]) -> Result<()> + 'v;

/// Goes through the customers of a part in order of their names, purchases of the same grain merged.
///
/// Sorting whole rows by customer and time would take three times as long as this: number the
/// customers, put each one's rows side by side, and sort those few by time.
pub(super) fn collate(
    part: Part,
    grain: Grain,
    long: &Names,
    visit: &mut Visit<'_>,
    name: &dyn Fn(Key) -> String,
) -> Result<()> {
    let mut customers = Customers::default();
    let total = part.rows();
    let mut numbers: Vec<u32> = Vec::with_capacity(total);
    numbers.extend(part.blocks.iter().flatten().map(|row| customers.number(row.key)));
    numbers.extend(part.wide.iter().map(|(key, _)| customers.number(*key)));
    // Where each customer's rows begin, in order of names.
    let mut order: Vec<u32> = (0..customers.keys.len() as u32).collect();
    order.sort_unstable_by(|a, b| customers.keys[*a as usize].compare(customers.keys[*b as usize], long));
    let mut next = vec![0_u32; order.len()];
    let mut start = 0;
    for &customer in &order {
        next[customer as usize] = start;
        start += customers.counts[customer as usize];
    }
    let mut rows = vec![(0_i64, 0_i64); total];
    let mut numbers = numbers.into_iter();
    let mut place = |number: u32, grain: i64, micros: i64| {
        let slot = &mut next[number as usize];
        rows[*slot as usize] = (grain, micros);
        *slot += 1;
    };
    for (row, number) in part.blocks.iter().flatten().zip(&mut numbers) {
        place(number, i64::from(row.grain), i64::from(row.cents) * 10_000);
    }
    for ((_, wide), number) in part.wide.iter().zip(&mut numbers) {
        place(number, wide.grain, wide.micros);
    }
    drop(part);
    let (mut when, mut amounts) = (Vec::new(), Vec::new());
    let mut rest = rows.as_mut_slice();
    for customer in order {
        let key = customers.keys[customer as usize];
        let (own, others) = rest.split_at_mut(customers.counts[customer as usize] as usize);
        rest = others;
        own.sort_unstable_by_key(|row| row.0);
        when.clear();
        amounts.clear();
        for group in own.chunk_by(|a, b| a.0 == b.0) {
            // A single sum of i64 can overflow only with millions of the largest amounts.
            let sum: i128 = group.iter().map(|row| i128::from(row.1)).sum();
            when.push(grain.start(group[0].0));
            amounts.push(i64::try_from(sum).map_err(|_| Error::MoneyOverflow { customer: name(key) })?);
        }
        visit(key, &when, &amounts)?;
    }
    Ok(())
}

/// Keys numbered in order of appearance, with their counts.
#[derive(Default)]
struct Customers {
    table: HashTable<u32>,
    keys: Vec<Key>,
    counts: Vec<u32>,
}

impl Customers {
    #[inline]
    fn number(&mut self, key: Key) -> u32 {
        let keys = &mut self.keys;
        let hash = mix(key.word());
        let found = self.table.find(hash, |&n| keys[n as usize] == key).copied();
        let number = found.unwrap_or_else(|| {
            let number = keys.len() as u32;
            keys.push(key);
            self.counts.push(0);
            self.table.insert_unique(hash, number, |&n| mix(keys[n as usize].word()));
            number
        });
        self.counts[number as usize] += 1;
        number
    }
}

/// Works on runs of parts, one run a thread; the results are in the order of the parts.
pub(super) fn in_parallel<T: Send>(
    mut parts: Vec<Part>,
    threads: usize,
    work: impl Fn(Vec<Part>) -> Result<T> + Sync,
) -> Result<Vec<T>> {
    let threads = threads.clamp(1, parts.len().max(1));
    if threads == 1 {
        return Ok(vec![work(parts)?]);
    }
    let mut runs = Vec::new();
    for thread in (0..threads).rev() {
        runs.push(parts.split_off(parts.len() * thread / (thread + 1)));
    }
    runs.reverse();
    std::thread::scope(|scope| {
        let work = &work;
        let started: Vec<_> = runs.into_iter().map(|run| scope.spawn(move || work(run))).collect();
        started
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}
