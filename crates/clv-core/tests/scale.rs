//! Summaries at scale: any split, order, number of threads and repeated delivery gives the same bits
//! as the whole log in memory.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use clv_core::cleaning::Returns;
use clv_core::scale::{GrainLedger, OrderedSummary};
use clv_core::summary::{Purchases, SpendBasis};
use clv_core::{Cleaning, Cut, Error, Grain, LogBuilder, Moment, Money, Summary, TimeUnit, Transaction};
use proptest::prelude::*;

/// Customer, hours since the start, millionths.
type Row = (String, i64, i64);

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        (0..40_u32).prop_map(|n| n.to_string()),
        (0..20_u32).prop_map(|n| format!("0{n}")),
        (0..20_u32).prop_map(|n| format!("customer-{n}")),
        Just("ü".to_owned()),
    ]
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let amount = prop_oneof![
        8 => (0..100_000_i64).prop_map(|c| c * 10_000),
        4 => -5..1_000_i64,
        1 => Just(4_000_000_000_000_000_000),
    ];
    prop::collection::vec((name(), 0..2_000_i64, amount), 1..200)
}

fn moment(hours: i64) -> Moment {
    Moment::from_micros((hours - 600) * 3_600_000_000)
}

fn money(micros: i64) -> Option<Money> {
    Some(Money::from_micros(micros))
}

fn end(hours: i64, grain: Grain) -> Cut {
    Cut::end_of(moment(hours), grain)
}

/// History by name, floats as bits.
type Bits = BTreeMap<String, (u32, [u64; 4])>;

fn bits(name: impl Fn(u32) -> String, s: &Summary) -> Bits {
    let spend = s.spend.as_ref().unwrap();
    let row = |row: usize| {
        let floats = [s.recency[row], s.age[row], spend.mean[row], spend.total[row]].map(f64::to_bits);
        (name(s.customer[row]), (s.frequency[row], floats))
    };
    (0..s.len()).map(row).collect()
}

fn whole(rows: &[Row], grain: Grain, cut: Cut) -> Result<Bits, Error> {
    let mut log = LogBuilder::with(Cleaning { returns: Returns::Keep, ..Cleaning::default() });
    for (customer, hours, micros) in rows {
        log.push(Transaction { amount: money(*micros), ..Transaction::new(customer, moment(*hours)) })?;
    }
    let log = log.finish();
    let summary = Purchases::of(&log, grain)?.summary(cut, TimeUnit::Week, SpendBasis::Repeats)?;
    Ok(bits(|c| log.customers().name(c).to_owned(), &summary))
}

fn pushed(rows: &[Row], grain: Grain) -> GrainLedger {
    let mut ledger = GrainLedger::new(grain);
    for (customer, hours, micros) in rows {
        ledger.push(customer, moment(*hours), money(*micros)).unwrap();
    }
    ledger
}

/// The customers in their order, and their histories.
fn summarised(ledger: GrainLedger, cut: Cut, threads: usize) -> Result<(Vec<String>, Bits), Error> {
    let (roster, summary) = ledger.summary(cut, TimeUnit::Week, SpendBasis::Repeats, threads)?;
    let name = |c| roster.name(c).into_owned();
    Ok(((0..roster.len() as u32).map(name).collect(), bits(name, &summary)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_split_order_and_thread_count_gives_the_same_bits(
        rows in rows(),
        shuffled in any::<u64>(),
        at in 0.0..1.0_f64,
        threads in 1..5_usize,
        grain in prop_oneof![Just(Grain::Day), Just(Grain::Hour), Just(Grain::Exact), Just(Grain::Week)],
    ) {
        let cut = end(1_500, grain);
        // Another order, in two ledgers, one of them saved and read again, on several threads.
        let mut others = rows.clone();
        for i in (1..others.len()).rev() {
            let j = shuffled.wrapping_mul(2 * i as u64 + 1) >> 7;
            others.swap(i, (j % (i as u64 + 1)) as usize);
        }
        let (left, right) = others.split_at((at * others.len() as f64) as usize);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("part");
        pushed(left, grain).save(&path).unwrap();
        let mut merged = GrainLedger::load(&path).unwrap();
        merged.merge(pushed(right, grain)).unwrap();
        prop_assert_eq!(merged.rows(), rows.len());
        let (got, alone) = (summarised(merged, cut, threads), summarised(pushed(&rows, grain), cut, 1));
        match whole(&rows, grain, cut) {
            Ok(want) => {
                let got = got.unwrap();
                prop_assert_eq!(&got.1, &want);
                prop_assert_eq!(got, alone.unwrap());
            }
            // Nobody by then, or money beyond the range: the same word from all.
            Err(_) => prop_assert!(got.is_err() && alone.is_err()),
        }
    }

    #[test]
    fn repeated_delivery_changes_nothing(
        rows in rows(),
        again in prop::collection::vec(any::<prop::sample::Index>(), 0..100),
    ) {
        let cut = end(2_000, Grain::Day);
        let push = |ledger: &mut GrainLedger, i: usize| {
            let (customer, hours, micros) = &rows[i];
            ledger.push_event(&format!("e{i}"), customer, moment(*hours), money(*micros)).unwrap();
        };
        let [mut once, mut often, mut other] = [0; 3].map(|_| GrainLedger::new(Grain::Day));
        for i in 0..rows.len() {
            push(&mut once, i);
            push(if i % 2 == 0 { &mut often } else { &mut other }, i);
        }
        for i in again {
            let i = i.index(rows.len());
            push(&mut often, i);
            push(&mut other, i);
        }
        other.merge(often).unwrap();
        prop_assert_eq!(other.conflicts(), 0);
        match (summarised(once, cut, 1), summarised(other, cut, 3)) {
            (Ok(once), Ok(other)) => prop_assert_eq!(once, other),
            (once, other) => prop_assert!(once.is_err() && other.is_err()),
        }
    }

    #[test]
    fn what_comes_after_the_cut_changes_nothing_before_it(rows in rows(), scramble in any::<i64>()) {
        let cut = end(1_000, Grain::Day);
        let mut changed = rows.clone();
        for row in changed.iter_mut().filter(|row| !cut.is_past(moment(row.1))) {
            let other = scramble.rem_euclid(50).to_string();
            *row = (other, 1_100 + scramble.rem_euclid(800), scramble.rem_euclid(1_000_000));
        }
        match (whole(&rows, Grain::Day, cut), whole(&changed, Grain::Day, cut)) {
            (Ok(before), Ok(after)) => prop_assert_eq!(before, after),
            // A sum beyond the range may be of purchases before the cut or after it.
            (before, after) => prop_assert!(before.is_err() || after.is_err()),
        }
    }

    #[test]
    fn in_order_of_time_a_few_words_a_customer_are_enough(mut rows in rows(), at in 0.0..1.0_f64) {
        rows.retain(|row| row.2 < 1_000_000_000_000);
        prop_assume!(!rows.is_empty());
        rows.sort_by_key(|row| row.1);
        let (early, late) = rows.split_at((at * rows.len() as f64) as usize);
        let ordered = |rows: &[Row]| {
            let mut summary = OrderedSummary::new(Grain::Day);
            for (customer, hours, micros) in rows {
                summary.push(customer, moment(*hours), money(*micros)).unwrap();
            }
            summary
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("early");
        ordered(early).save(&path).unwrap();
        let mut resumed = OrderedSummary::load(&path).unwrap();
        resumed.merge(ordered(late)).unwrap();
        let cut = end(2_000, Grain::Day);
        let (roster, summary) = resumed.summary(cut, TimeUnit::Week, SpendBasis::Repeats).unwrap();
        let name = |c| roster.name(c).into_owned();
        let order: Vec<String> = (0..roster.len() as u32).map(name).collect();
        let got = (order, bits(name, &summary));
        prop_assert_eq!(got, summarised(pushed(&rows, Grain::Day), cut, 2).unwrap());
    }
}

#[test]
fn several_origins_come_from_one_pass_and_agree_with_the_purchases() {
    let rows: Vec<Row> =
        (0..500).map(|i| (format!("c{}", i % 37), i * 4 % 2_000, 1_000_000 * (i % 9))).collect();
    let cuts = [400, 900, 2_000].map(|hours| end(hours, Grain::Day));
    let ledger = pushed(&rows, Grain::Day);
    let (roster, summaries) = ledger.clone().summaries(&cuts, TimeUnit::Week, SpendBasis::All, 2).unwrap();
    let (other, purchases) = ledger.purchases(2).unwrap();
    assert!(roster.names().iter().eq(other.names().iter()));
    for (cut, summary) in cuts.iter().zip(&summaries) {
        assert_eq!(*summary, purchases.summary(*cut, TimeUnit::Week, SpendBasis::All).unwrap());
    }
    // The holdout between two of them.
    let held = purchases.when(0).iter().filter(|m| !cuts[0].is_past(**m) && cuts[1].is_past(**m)).count();
    assert_eq!(purchases.between(0, &cuts[0], &cuts[1]).0, held as u32);
}

#[test]
fn conflicting_deliveries_are_settled_the_same_way_in_any_order() {
    let deliver = |order: [i64; 2]| {
        let mut ledger = GrainLedger::new(Grain::Day);
        for hours in order {
            ledger.push_event("e1", "ada", moment(hours), money(hours)).unwrap();
        }
        assert_eq!(ledger.conflicts(), 1);
        summarised(ledger, end(2_000, Grain::Day), 1).unwrap()
    };
    assert_eq!(deliver([700, 900]), deliver([900, 700]));
}

#[test]
fn a_late_purchase_is_refused_by_name_and_changes_nothing() {
    let mut summary = OrderedSummary::new(Grain::Day);
    summary.push("ada", moment(700), None).unwrap();
    let error = summary.push("ada", moment(600), None).unwrap_err().to_string();
    assert!(error.contains("ada") && error.contains("grain ledger"), "{error}");
    let mut early = OrderedSummary::new(Grain::Day);
    early.push("ada", moment(600), None).unwrap();
    assert!(matches!(summary.merge(early), Err(Error::Late { .. })));
    assert!(summary.push("ada", moment(800), money(0)).is_err(), "amounts are mixed");
    let at = |hours| summary.summary(end(hours, Grain::Day), TimeUnit::Day, SpendBasis::Repeats);
    assert_eq!(at(700).unwrap().1.frequency, [0]);
    assert!(at(600).is_err(), "it has forgotten");
}

#[test]
fn a_damaged_or_foreign_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let rows: Vec<Row> = (0..50).map(|i| (format!("customer number {i}"), i, i)).collect();
    pushed(&rows, Grain::Day).save(&path).unwrap();
    let bytes = std::fs::read(&path).unwrap();
    for at in [0, 9, bytes.len() / 2, bytes.len() - 1] {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        std::fs::write(&path, damaged).unwrap();
        assert!(matches!(GrainLedger::load(&path), Err(Error::Saved(_))), "byte {at}");
    }
    for length in [0, 3, 12, bytes.len() - 1] {
        std::fs::write(&path, &bytes[..length]).unwrap();
        assert!(matches!(GrainLedger::load(&path), Err(Error::Saved(_))), "cut at {length}");
    }
    OrderedSummary::new(Grain::Day).save(&path).unwrap();
    assert!(GrainLedger::load(&path).is_err());
}

#[test]
fn names_settled_before_or_after_are_one_customer() {
    let cut = end(2_000, Grain::Day);
    let fill = |ledger: &mut GrainLedger, half: bool| {
        ledger
            .push(
                if half { "device number 7" } else { "1001" },
                moment(if half { 700 } else { 900 }),
                money(5),
            )
            .unwrap();
    };
    let (mut one, mut two) = (GrainLedger::new(Grain::Day), GrainLedger::new(Grain::Day));
    fill(&mut one, true);
    fill(&mut two, false);
    two.alias("device number 7", "1001");
    let folder = tempfile::tempdir().unwrap();
    two.save(&folder.path().join("two")).unwrap();
    one.merge(GrainLedger::load(&folder.path().join("two")).unwrap()).unwrap();
    let (names, bits) = summarised(one, cut, 2).unwrap();
    assert_eq!(names, ["1001"]);
    assert_eq!(bits["1001"].0, 1);
    let mut early = OrderedSummary::new(Grain::Day);
    early.push("a", moment(1), None).unwrap();
    let mut hours = OrderedSummary::new(Grain::Hour);
    hours.push("a", moment(9), None).unwrap();
    assert!(early.merge(hours).is_err(), "another grain");
}
