//! Every dress a shop's files come in gives the same log, and every row is accounted for.

#![allow(clippy::unwrap_used)]

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use clv_core::attributes::Conflict;
use clv_core::cleaning::Returns;
use clv_core::events::EventKind;
use clv_core::ledger::Reason;
use clv_core::{Cleaning, Gathering, Moment, Notice, TransactionLog};
use clv_io::values::Decimal;
use clv_io::{CustomerKey, Error, ReadOptions, Reading, Shape, read_csv, read_log, read_logs};

fn csv(text: impl Into<Vec<u8>>, options: &ReadOptions) -> Result<Reading, Error> {
    read_csv(Cursor::new(text.into()), Path::new("shop.csv"), options)
}

fn rows(log: &TransactionLog) -> Vec<(String, String, Option<f64>)> {
    (0..log.len())
        .map(|row| {
            let customer = log.customers().name(log.customer()[row]).to_owned();
            (customer, log.time()[row].to_string(), log.amount().map(|a| a[row].to_f64()))
        })
        .collect()
}

fn file(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, bytes).unwrap();
    path
}

#[test]
fn every_row_is_read_or_told_of() {
    let text = b"\xef\xbb\xbfcustomer;date;amount\r\n\
        a;2024-01-01;1.50\r\n\
        \"b; the second\";2024-01-02;2\r\n\
        ;2024-01-02;2\r\n\
        c;;2\r\n\
        c;2024-02-30;2\r\n\
        c;2024-01-03;\r\n\
        c;2024-01-03;NaN\r\n\
        c;2024-01-03\r\n\
        c\xff;2024-01-03;1\r\n\
        c;2024-01-04;-3\r\n";
    let log = csv(text.as_slice(), &ReadOptions::new()).unwrap().log;
    let ledger = log.ledger();
    assert!(ledger.adds_up());
    assert_eq!((ledger.read, ledger.kept), (10, 2));
    assert_eq!(log.customers().name(1), "b; the second");
    for (reason, line) in [
        (Reason::MissingCustomer, 4),
        (Reason::MissingDate, 5),
        (Reason::BadDate, 6),
        (Reason::MissingAmount, 7),
        (Reason::BadAmount, 8),
        (Reason::Malformed, 9),
        (Reason::Return, 11),
    ] {
        let quoted = ledger.quoted.iter().find(|q| q.reason == reason).unwrap();
        assert_eq!(quoted.line, line, "{quoted}");
    }
    assert_eq!(ledger.dropped_for(Reason::Malformed), 2);
}

#[test]
fn one_log_in_many_dresses() {
    let want = vec![
        ("Zoë".to_owned(), "2024-01-31".to_owned(), Some(1234.5)),
        ("Zoë".to_owned(), "2024-02-03".to_owned(), Some(7.0)),
    ];
    let plain = "customer,date,amount\nZoë,2024-01-31,1234.50\nZoë,2024-02-03,7\n";
    let dresses = [
        plain.to_owned(),
        plain.replace(',', "\t"),
        plain.replace(',', "|"),
        "customer;date;amount\nZoë;31.01.2024;1.234,50\nZoë;03.02.2024;7\n".into(),
        "customer,date,amount\nZoë,01/31/2024,\"1,234.50\"\nZoë,02/03/2024,$7.00\n".into(),
        "customer;date;amount\nZoë;31/01/24;1.234,50 €\nZoë;3/2/24;7,00 €\n".into(),
        "Customer ID,Order Date,Total Amount\r\nZoë,31 Jan 2024,1234.5\r\nZoë,3 February 2024,7\r\n".into(),
    ];
    for text in &dresses {
        assert_eq!(rows(&csv(text.as_str(), &ReadOptions::new()).unwrap().log), want, "{text}");
    }
    for text in [
        format!("\n\r\n{plain}"),
        format!("sep=;\n{}", dresses[3]),
        plain.replace('\n', "\r"),
        plain.replace("\n", "\r\n").replace("Zoë", "\"Zoë\""),
    ] {
        assert_eq!(rows(&csv(text.as_str(), &ReadOptions::new()).unwrap().log), want, "{text:?}");
    }
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(plain.encode_utf16().flat_map(u16::to_le_bytes)).collect();
    assert_eq!(rows(&csv(utf16, &ReadOptions::new()).unwrap().log), want, "UTF-16 by its mark");
    let latin: Vec<u8> = plain.chars().map(|c| c as u8).collect();
    assert_eq!(rows(&csv(latin.clone(), &ReadOptions::new().encoding("windows-1252")).unwrap().log), want);
    let refused = csv(latin, &ReadOptions::new()).unwrap().log;
    assert_eq!(refused.ledger().dropped_for(Reason::Malformed), 2);
    assert!(refused.ledger().quoted[0].to_string().contains("--encoding"));
    assert!(matches!(csv(plain, &ReadOptions::new().encoding("klingon")), Err(Error::Encoding { .. })));

    let folder = tempfile::tempdir().unwrap();
    let mut gz = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    gz.write_all(plain.as_bytes()).unwrap();
    let json = "{\"customer\":\"Zoë\",\"order\":{\"date\":\"2024-01-31\",\"amount\":1234.5}}\n\n\
                {\"customer\":\"Zoë\",\"order\":{\"date\":\"2024-02-03\",\"amount\":\"7\"}}\n";
    for path in [
        file(folder.path(), "a.csv.gz", gz.finish().unwrap()),
        file(folder.path(), "a.csv.zst", zstd::encode_all(plain.as_bytes(), 3).unwrap()),
    ] {
        assert_eq!(rows(&read_log(&path, &ReadOptions::new()).unwrap().log), want, "{}", path.display());
    }
    let path = file(folder.path(), "a.jsonl", json);
    let named = ReadOptions::new().date("order.date").amount("order.amount");
    assert_eq!(rows(&read_log(&path, &named).unwrap().log), want);
}

#[test]
fn ambiguous_dates_are_refused_until_told_and_the_odd_one_out_is_quoted() {
    let text = "customer,date\na,01/02/2024\na,03/04/2024\n";
    let error = csv(text, &ReadOptions::new()).unwrap_err().to_string();
    assert!(error.contains("01/02/2024") && error.contains("--date-format"), "{error}");
    let told = ReadOptions::new().date_format("%d/%m/%Y");
    assert_eq!(csv(text, &told).unwrap().log.time()[0], Moment::parse_date("2024-02-01").unwrap());
    let mixed = "customer,date\na,13/02/2024\na,14/02/2024\na,02/15/2024\na,2024-02-16\n";
    let log = csv(mixed, &ReadOptions::new()).unwrap().log;
    assert_eq!((log.len(), log.ledger().dropped_for(Reason::BadDate)), (3, 1));
    assert_eq!(log.ledger().quoted[0].line, 4);
}

#[test]
fn cdnow_is_known_without_a_header() {
    let master = " 00001 19970101  1   11.77\n 00002 19970112  1   12.00\n 00002 19970112  5   77.00\n";
    let reading = csv(master, &ReadOptions::new()).unwrap();
    assert_eq!(reading.sources[0].shape, Shape::Cdnow);
    assert_eq!(rows(&reading.log)[2], ("00002".into(), "1997-01-12".into(), Some(77.0)));
    let sample = " 00004   1 19970101  2   29.33\n 00004   1 19970118  2   29.73\n";
    assert_eq!(csv(sample, &ReadOptions::new().customer("sample_id")).unwrap().log.customers().name(0), "1");
    let broken = " 00001 19970101  1   11.77\n 00002 19970112\n";
    assert_eq!(csv(broken, &ReadOptions::new()).unwrap().log.ledger().dropped_for(Reason::Malformed), 1);
}

#[test]
fn online_retail_is_known_in_both_editions() {
    let text = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
        536365,85123A,HEART,6,12/1/2010 8:26,2.55,17850,United Kingdom\n\
        C536379,D,Discount,-1,12/1/2010 9:41,27.5,14527,United Kingdom\n\
        536414,22139,,56,12/1/2010 11:52,0,,United Kingdom\n\
        C536380,X,Discount,-2,12/2/2010 9:41,1,,United Kingdom\n";
    let reading = csv(text, &ReadOptions::new()).unwrap();
    assert_eq!(reading.sources[0].shape, Shape::UciOnlineRetail);
    assert_eq!(rows(&reading.log), [("17850".into(), "2010-12-01T08:26:00".into(), Some(15.3))]);
    let ledger = reading.log.ledger();
    assert_eq!((ledger.noticed(Notice::Cancellation), ledger.noticed(Notice::NegativeQuantity)), (2, 2));
    assert_eq!(ledger.dropped_for(Reason::MissingCustomer), 2);
    let second = "Invoice,StockCode,Quantity,InvoiceDate,Price,Customer ID\n489434,85048,12,2009-12-01 07:45:00,6.95,13085\n";
    let reading = csv(second, &ReadOptions::new()).unwrap();
    assert_eq!(reading.sources[0].shape, Shape::UciOnlineRetail);
    assert!(reading.sources[0].to_string().contains("Quantity × Price"), "{}", reading.sources[0]);
}

#[test]
fn shopify_orders_are_counted_once_and_refunds_taken_off() {
    let text = "Name,Email,Financial Status,Currency,Total,Created at,Lineitem quantity,Lineitem name,Cancelled at,Refunded Amount\n\
        #1001,ada@example.org,paid,EUR,30.00,2024-01-05 10:00:00 +0100,1,Pen,,0.00\n\
        #1001,ada@example.org,,,,2024-01-05 10:00:00 +0100,2,Ink,,\n\
        #1002,bob@example.org,partially_refunded,EUR,50.00,2024-01-06 10:00:00 +0100,1,Pen,,20.00\n\
        #1003,bob@example.org,refunded,EUR,10.00,2024-01-07 10:00:00 +0100,1,Pen,2024-01-08 10:00:00 +0100,10.00\n\
        #1004,eve@example.org,voided,EUR,10.00,2024-01-07 10:00:00 +0100,1,Pen,,0.00\n";
    let net = ReadOptions::new().cleaning(Cleaning { returns: Returns::Net, ..Cleaning::default() });
    let reading = csv(text, &net).unwrap();
    assert_eq!(reading.sources[0].shape, Shape::ShopifyOrders);
    let log = reading.log;
    assert_eq!(
        rows(&log),
        [
            ("ada@example.org".into(), "2024-01-05T10:00:00".into(), Some(30.0)),
            ("bob@example.org".into(), "2024-01-06T10:00:00".into(), Some(30.0)),
        ]
    );
    let ledger = log.ledger();
    assert!(ledger.adds_up());
    for (reason, count) in [(Reason::NotAPurchase, 1), (Reason::Returned, 1), (Reason::NotPaid, 1)] {
        assert_eq!(ledger.dropped_for(reason), count, "{reason}");
    }
    assert_eq!((ledger.noticed(Notice::Lowered), ledger.noticed(Notice::Cancellation)), (1, 1));
    let dropped = csv(text, &ReadOptions::new()).unwrap().log;
    assert_eq!(rows(&dropped)[1].2, Some(50.0), "dropped, a refund of a part leaves the order whole");
    let ledger = dropped.ledger();
    assert_eq!(
        (dropped.len(), ledger.dropped_for(Reason::Returned), ledger.noticed(Notice::Refunded)),
        (2, 1, 1)
    );
}

#[test]
fn shopify_orders_are_known_by_fewer_columns_and_cancelled_as_of_a_date() {
    let text = "Name,Email,Financial Status,Total,Created at,Cancelled at,Refunded Amount\n\
        #1,a@x.com,refunded,50.00,2024-01-10 10:00:00 +0100,2024-06-03 10:00:00 +0100,50.00\n\
        #2,a@x.com,paid,20.00,2024-01-02 10:00:00 +0100,,0.00\n\
        #3,a@x.com,expired,20.00,2024-01-02 10:00:00 +0100,,0.00\n";
    let reading = csv(text, &ReadOptions::new()).unwrap();
    assert_eq!(reading.sources[0].shape, Shape::ShopifyOrders);
    assert_eq!(rows(&reading.log).len(), 1);
    for returns in [Returns::Drop, Returns::Net] {
        let as_of = Some(Moment::parse_date("2024-02-01").unwrap());
        let then = ReadOptions::new().cleaning(Cleaning { returns, as_of, ..Cleaning::default() });
        assert_eq!(rows(&csv(text, &then).unwrap().log).len(), 2, "{returns:?}");
    }
}

#[test]
fn a_quote_closed_by_that_of_another_row_costs_its_own_line_alone() {
    let text = "customer,date,amount,note\na,2024-01-01,10,\"ok\"\nb,2024-01-02,5,\"oops\nc,2024-01-03,7,\"x\"\n\
        d,2024-01-04,8,\"y\"\n";
    let log = csv(text, &ReadOptions::new()).unwrap().log;
    let who: Vec<String> = rows(&log).into_iter().map(|(who, _, _)| who).collect();
    assert_eq!(who, ["a", "c", "d"]);
    assert_eq!((log.ledger().read, log.ledger().dropped_for(Reason::Malformed)), (4, 1));
    let all_quoted =
        "\"customer\",\"date\",\"amount\"\n\"a\",\"2024-01-01\",\"5\n\"b\",\"2024-01-02\",\"7\"\n";
    let log = csv(all_quoted, &ReadOptions::new()).unwrap().log;
    assert_eq!((log.ledger().read, rows(&log).len()), (2, 1));
}

#[test]
fn ids_beyond_what_a_double_holds_stay_apart() {
    let text = "{\"customer\":9007199254740993,\"date\":\"2024-01-05\",\"amount\":1}\n\
        {\"customer\":9007199254740992,\"date\":20240106,\"amount\":2}\n\
        {\"customer\":18446744073709551615,\"date\":\"2024-01-07\",\"amount\":3}\n";
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), "log.jsonl", text);
    let log = read_log(&path, &ReadOptions::new()).unwrap().log;
    assert_eq!(
        rows(&log),
        [
            ("9007199254740993".into(), "2024-01-05".into(), Some(1.0)),
            ("9007199254740992".into(), "2024-01-06".into(), Some(2.0)),
            ("18446744073709551615".into(), "2024-01-07".into(), Some(3.0)),
        ]
    );
}

#[test]
fn segment_events_make_orders_events_attributes_and_identities() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(
        folder.path(),
        "events.jsonl",
        r#"{"type":"track","event":"Product Viewed","anonymousId":"dev1","messageId":"m1","timestamp":"2024-01-01T09:00:00Z","properties":{"product_id":"p1","duration":12}}
{"type":"track","event":"Products Searched","anonymousId":"dev1","messageId":"m2","timestamp":"2024-01-01T09:01:00Z","properties":{"query":"red shoes"}}
{"type":"identify","anonymousId":"dev1","userId":"ada","messageId":"m3","timestamp":"2024-01-01T09:02:00Z","traits":{"age":36,"gender":"f"}}
{"type":"track","event":"Product Added","userId":"ada","messageId":"m4","timestamp":"2024-01-01T09:03:00Z","properties":{"product_id":"p1","quantity":2}}
{"type":"track","event":"Order Completed","userId":"ada","messageId":"m5","timestamp":"2024-01-01T09:04:00Z","properties":{"order_id":"o1","total":40.5,"currency":"USD","products":[{"product_id":"p1","quantity":2}]}}
{"type":"track","event":"Order Completed","userId":"ada","messageId":"m5","timestamp":"2024-01-01T09:04:00Z","properties":{"order_id":"o1","total":40.5,"currency":"USD"}}
{"type":"track","event":"Order Refunded","userId":"ada","messageId":"m6","timestamp":"2024-01-09T09:04:00Z","properties":{"order_id":"o1","total":10.5,"currency":"USD"}}
{"type":"track","event":"Order Completed","userId":"bob","messageId":"m7","timestamp":"soon","properties":{"total":1}}
not json
"#,
    );
    let net = Cleaning { returns: Returns::Net, ..Cleaning::default() };
    let options = ReadOptions::new().cleaning(net.clone());
    let mut shop = Gathering::new(net, Conflict::FirstStands);
    let sources = clv_io::read_into(&[path], &options, &mut shop).unwrap();
    assert_eq!(sources[0].shape, Shape::SegmentEvents);
    let shop = shop.finish();
    assert_eq!(rows(&shop.log), [("ada".into(), "2024-01-01T09:04:00".into(), Some(30.0))]);
    let ledger = shop.log.ledger();
    assert!(ledger.adds_up(), "{ledger}");
    assert_eq!(ledger.read, 9);
    for (reason, count) in [
        (Reason::NotAPurchase, 4),
        (Reason::Duplicate, 1), // m5 again
        (Reason::ReturnMatched, 1),
        (Reason::BadDate, 1),
        (Reason::Malformed, 1),
    ] {
        assert_eq!(ledger.dropped_for(reason), count, "{reason}");
    }
    let events: Vec<_> = shop.events.iter().map(|e| (e.customer, e.kind, e.subject, e.value)).collect();
    assert_eq!(
        events,
        [
            ("ada", EventKind::Viewed, Some("p1"), Some(12.0)),
            ("ada", EventKind::Searched, Some("red shoes"), None),
            ("ada", EventKind::AddedToCart, Some("p1"), Some(2.0)),
        ]
    );
    assert_eq!(shop.attributes.attribute("age").unwrap().text(0).as_deref(), Some("36"));
}

#[test]
fn folders_are_one_log_in_order_of_names_and_rows_name_their_file() {
    let folder = tempfile::tempdir().unwrap();
    file(folder.path(), "2024/02.csv", "customer,date\nb,2024-02-01\n,2024-02-02\n");
    file(folder.path(), "2024/01.jsonl", "{\"customer\":\"a\",\"date\":\"2024-01-01\"}\n");
    file(folder.path(), "notes.md", "not data");
    let log = read_logs(&[folder.path().to_owned()], &ReadOptions::new()).unwrap().log;
    assert_eq!(log.customers().iter().collect::<Vec<_>>(), ["a", "b"]);
    let quoted = log.ledger().quoted[0].to_string();
    assert!(quoted.contains("02.csv, line 3"), "{quoted}");
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(
        read_logs(&[empty.path().to_owned()], &ReadOptions::new()),
        Err(Error::NothingInFolder { .. })
    ));
}

#[test]
fn customers_of_several_sources_are_one_by_hashed_address_and_alias_table() {
    let folder = tempfile::tempdir().unwrap();
    let shop = file(folder.path(), "shop.csv", "email,date\n Ada@Example.org ,2024-01-01\n");
    // SHA-256 of "ada@example.org".
    let hash = "cfe00dde46ef942601ffafb9e2825e802858b460e586b8305b344c1eb826357d";
    let people = file(folder.path(), "people.csv", format!("customer_id,age\n{},36\n", hash.to_uppercase()));
    let aliases = file(folder.path(), "alias.csv", format!("alias,customer\nold-77,{hash}\n"));
    let old = file(folder.path(), "old.csv", "customer_id,date\nold-77,2023-01-01\n");
    let hashed = ReadOptions::new().customer_key(CustomerKey::EmailHash);
    let as_is = ReadOptions::new();
    let mut all = Gathering::default();
    clv_io::read_into(&[shop], &hashed, &mut all).unwrap();
    clv_io::read_into(&[old], &as_is, &mut all).unwrap();
    clv_io::people::attributes(&people, &hashed, &mut all).unwrap();
    clv_io::people::aliases(&aliases, &as_is, &mut all).unwrap();
    let all = all.finish();
    assert_eq!(all.log.customers().len(), 1, "{:?}", all.log.customers().iter().collect::<Vec<_>>());
    assert_eq!(all.log.len(), 2);
    assert_eq!(all.log.ledger().noticed(Notice::Alias), 1);
    assert_eq!(all.attributes.attribute("age").unwrap().text(0).as_deref(), Some("36"));
}

#[test]
fn events_and_scores_come_from_plain_tables() {
    let folder = tempfile::tempdir().unwrap();
    let views = file(
        folder.path(),
        "e.csv",
        "user_id,timestamp,event,product_id,value\na,2024-01-01 10:00,Product Viewed,p,30\n,2024-01-01,view,p,\n",
    );
    let scores = file(folder.path(), "nps.csv", "customer,date,score\na,2024-01-02,9\na,soon,9\n");
    let mut shop = Gathering::default();
    clv_io::people::events(&views, None, &ReadOptions::new(), &mut shop).unwrap();
    clv_io::people::events(&scores, Some(EventKind::Satisfaction), &ReadOptions::new(), &mut shop).unwrap();
    assert!(clv_io::people::events(&scores, None, &ReadOptions::new(), &mut shop).is_err());
    let shop = shop.finish();
    assert_eq!((shop.events.count(EventKind::Viewed), shop.events.count(EventKind::Satisfaction)), (1, 1));
    assert_eq!(shop.events.event(1).value, Some(9.0));
    let ledger = shop.log.ledger();
    assert!(ledger.adds_up());
    assert_eq!((ledger.dropped_for(Reason::MissingCustomer), ledger.dropped_for(Reason::BadDate)), (1, 1));
}

#[test]
fn strict_stops_at_the_first_bad_row_and_empty_files_are_told_from_headers() {
    let options = ReadOptions::new().cleaning(Cleaning { strict: true, ..Default::default() });
    let error = csv("customer,date\na,2024-01-01\na,soon\n", &options).unwrap_err().to_string();
    assert!(error.contains("shop.csv") && error.contains("line 3") && error.contains("soon"), "{error}");
    assert!(matches!(csv("", &ReadOptions::new()), Err(Error::Empty { .. })));
    assert!(csv("customer,date\n", &ReadOptions::new()).unwrap().log.is_empty());
}

#[test]
fn a_message_in_two_files_counts_once_and_numbers_name_customers() {
    let folder = tempfile::tempdir().unwrap();
    let order = |id: &str, user: &str, device: &str| {
        format!(
            "{{\"type\":\"track\",\"event\":\"Order Completed\",\"userId\":{user},\"anonymousId\":\"{device}\",\"messageId\":\"{id}\",\
             \"timestamp\":\"2024-01-01T09:00:00Z\",\"properties\":{{\"total\":10,\"order_id\":7}}}}\n"
        )
    };
    let first = file(folder.path(), "a.jsonl", order("m1", "123", "d1") + &order("m2", "123", "d2"));
    let before = order("m3", "123", "d3").replace("\"userId\":123,", "");
    let second =
        file(folder.path(), "b.jsonl", order("m2", "123", "d2") + &before + &order("m4", "123", "d3"));
    for key in [CustomerKey::AsIs, CustomerKey::EmailHash] {
        let options = ReadOptions::new().customer_key(key);
        let log = read_logs(&[first.clone(), second.clone()], &options).unwrap().log;
        assert_eq!((log.len(), log.ledger().dropped_for(Reason::Duplicate)), (4, 1), "{}", log.ledger());
        assert!(log.order(0).is_some_and(|order| order == "7"));
        // The order from the device before it was known is the customer's too, at scale as well.
        let bought = log.customer().iter().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(bought.len(), 1);
        let paths = [first.clone(), second.clone()];
        let (ledger, _) = clv_io::read_scaled(&paths, &options, clv_core::Grain::Day, 2).unwrap();
        assert!(ledger.ledger().adds_up());
        assert_eq!((ledger.ledger().kept, ledger.ledger().dropped_for(Reason::Duplicate)), (4, 1));
        assert_eq!(ledger.purchases(1).unwrap().0.len(), 1);
    }
}

#[test]
fn tables_beside_the_log_are_read_in_its_dress() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let gathered = |path: &Path, options: &ReadOptions, events: bool| {
        let mut shop = Gathering::new(Cleaning::default(), Conflict::FirstStands);
        if events {
            clv_io::people::events(path, None, options, &mut shop).unwrap();
        } else {
            clv_io::people::attributes(path, options, &mut shop).unwrap();
        }
        shop.finish()
    };
    let people = write("people.csv", "kunde;einkommen;plz;anteil\na;1.234,50;01234;0,5\nb;2.500;98765;1\n");
    let options = ReadOptions::new().customer("kunde").decimal(Decimal::Comma);
    let told = gathered(&people, &options, false).attributes;
    let texts = |name: &str| -> Vec<String> {
        (0..2).filter_map(|row| told.attribute(name).unwrap().text(row)).collect()
    };
    assert_eq!(texts("einkommen"), ["1234.5", "2500"]);
    assert_eq!(texts("plz"), ["01234", "98765"]);
    // Proved from the column, where nothing is said.
    let told = gathered(&people, &ReadOptions::new().customer("kunde"), false).attributes;
    assert_eq!(told.attribute("anteil").unwrap().text(0).unwrap(), "0.5");
    let events = "kunde;tag;kind;ware;value\na;01.02.2023;view;P1;3,5\na;25.02.2023;view;P2;\nb;26.02.2023;view;P1;lang\n";
    let events = write("events.csv", events);
    let options = ReadOptions::new().customer("kunde").date("tag").product("ware");
    let told = gathered(&events, &options, true);
    let found: Vec<(Option<&str>, Option<f64>)> = told.events.iter().map(|e| (e.subject, e.value)).collect();
    assert_eq!(found, [(Some("P1"), Some(3.5)), (Some("P2"), None)]);
    assert_eq!(told.log.ledger().dropped_for(Reason::BadQuantity), 1);
}
