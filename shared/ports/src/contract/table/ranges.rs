//! Reading one partition in order.

use bytes::Bytes;

use super::{LAST, all_of, ok, put, read_all, sorts};
use crate::table::{Condition, Key, Order, PAGE_BYTES_MAX, Query, ROW_BYTES_MAX, Row, Table};

/// In the order of bytes, which is neither that of a locale nor that of UTF-16.
const ORDERED: [&str; 12] = ["\0", " ", "-", "10", "9", "A", "Z", "a", "a\0", "ü", "\u{ffff}", "\u{10000}"];

pub(in crate::contract) async fn check(table: &dyn Table) {
    for (partition, body) in
        [("ranges", "in"), ("range", "before"), ("ranges\0", "behind"), ("rangesa", "behind")]
    {
        // Neither ascending nor descending.
        for n in 0..ORDERED.len() {
            let sort = ORDERED[n * 5 % ORDERED.len()];
            let row = Row::new(Key::new(partition, sort), 1, body);
            put(table, &row, Condition::Absent, "a row can be written").await;
        }
    }
    let all: Vec<&str> = ORDERED.to_vec();
    let empty: Vec<&str> = Vec::new();
    let cases: [(&str, &str, Option<&str>, Vec<&str>); 16] = [
        ("", LAST, None, all.clone()),
        ("\0", "\u{10000}", None, all.clone()),
        ("10", "A", None, vec!["10", "9", "A"]),
        ("1", "Aa", None, vec!["10", "9", "A"]),
        ("a", "a", None, vec!["a"]),
        ("a", "a\0", None, vec!["a", "a\0"]),
        ("b", "c", None, empty.clone()),
        ("Z", "A", None, empty.clone()),
        ("ü", LAST, None, vec!["ü", "\u{ffff}", "\u{10000}"]),
        ("", LAST, Some("a\0"), vec!["ü", "\u{ffff}", "\u{10000}"]),
        ("", LAST, Some("b"), vec!["ü", "\u{ffff}", "\u{10000}"]),
        ("10", "Z", Some("9"), vec!["A", "Z"]),
        ("10", "Z", Some("Z"), empty.clone()),
        ("10", "Z", Some("a"), empty.clone()),
        ("10", "Z", Some(" "), vec!["10", "9", "A", "Z"]),
        ("Z", "A", Some("Z"), empty.clone()),
    ];
    for (from, to, after, expected) in cases {
        let query =
            Query { from: from.into(), to: to.into(), after: after.map(Into::into), ..all_of("ranges") };
        let rows = read_all(table, &query).await;
        let rule = "an ascending range has what lies from `from` to `to`, both inclusive, behind `after`";
        assert_eq!(sorts(&rows), expected, "{rule}: {query:?}");
        assert!(rows.iter().all(|row| row.body == "in"), "a range has rows of its partition only");
        if after.is_none() {
            let rows = read_all(table, &Query { order: Order::Descending, ..query }).await;
            let reversed: Vec<&str> = expected.into_iter().rev().collect();
            assert_eq!(sorts(&rows), reversed, "a descending range is the same, the other way round");
        }
    }
    let descending: [(&str, &str, &str, Vec<&str>); 5] = [
        ("10", "Z", "9", vec!["10"]),
        ("10", "Z", "B", vec!["A", "9", "10"]),
        ("10", "Z", "10", empty.clone()),
        ("10", "Z", " ", empty.clone()),
        ("10", "Z", "a", vec!["Z", "A", "9", "10"]),
    ];
    for (from, to, after, expected) in descending {
        let (from, to, after) = (from.into(), to.into(), Some(after.into()));
        let query = Query { from, to, after, order: Order::Descending, ..all_of("ranges") };
        let rule = "a descending range goes on before `after`";
        assert_eq!(sorts(&read_all(table, &query).await), expected, "{rule}: {query:?}");
    }
    assert_eq!(read_all(table, &all_of("no such partition")).await, [], "an absent partition has no rows");
}

pub(in crate::contract) async fn pages(table: &dyn Table) {
    let sort = |n: usize| format!("{n:03}");
    for n in 0..25 {
        let row = Row::new(Key::new("pages", sort(n)), 1, "x");
        put(table, &row, Condition::Absent, "a row can be written").await;
    }
    let ascending: Vec<String> = (0..25).map(sort).collect();
    let descending: Vec<String> = ascending.iter().rev().cloned().collect();
    for limit in [1, 2, 7, 24, 25, 26] {
        for (order, expected) in [(Order::Ascending, &ascending), (Order::Descending, &descending)] {
            let query = Query { limit, order, ..all_of("pages") };
            let rows = read_all(table, &query).await;
            assert_eq!(sorts(&rows), *expected, "pages of {limit} have every row once, in order");
            let page = ok(table.query(&query).await, "a range can be read");
            assert_eq!(page.rows.len(), limit.min(25), "a page of small rows is full while there are rows");
            assert!(page.more || limit >= 25, "`more` tells that there are rows behind the page");
        }
    }
    let page = ok(table.query(&Query { limit: 26, ..all_of("pages") }).await, "a range can be read");
    assert!(!page.more, "a page that is not full is the last");
    bytes_of_pages(table).await;
}

/// Pages end before they have too many bytes, whatever the limit.
async fn bytes_of_pages(table: &dyn Table) {
    let rows: Vec<Row> = (0..6)
        .map(|n| {
            let row = Row::new(Key::new("large pages", format!("{n}")), 1, "");
            let body = vec![b'0' + n; ROW_BYTES_MAX - row.bytes()];
            Row { body: Bytes::from(body), ..row }
        })
        .collect();
    for row in &rows {
        put(table, row, Condition::Absent, "a row of the largest size can be written").await;
    }
    for order in [Order::Ascending, Order::Descending] {
        let query = Query { order, ..all_of("large pages") };
        let page = ok(table.query(&query).await, "a range can be read");
        let most = PAGE_BYTES_MAX / ROW_BYTES_MAX;
        assert!(
            page.more && (1..=most).contains(&page.rows.len()),
            "a page ends before {PAGE_BYTES_MAX} bytes"
        );
        let mut read = read_all(table, &query).await;
        if order == Order::Descending {
            read.reverse();
        }
        assert!(read == rows, "pages of large rows have every row once, in order");
    }
}
