//! Exact counts.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::json::Value;

use super::*;
use crate::bus::Event;
use crate::clock::Virtual;
use crate::memory;
use crate::queue::{MESSAGE_BYTES_MAX, QueueSettings};
use crate::table::{Condition, Index, IndexKey, IndexQuery, Key, Order, Query, Row};
use crate::{Blobs as _, Bus as _, Queues as _, Table as _};

fn table() -> (Table, Meter) {
    let meter = Meter::new();
    let table = memory::Table::new(Arc::new(Virtual::default()));
    (Table::new(Arc::new(table), meter.clone()), meter)
}

/// A row of so many bytes: 8 of them are its key, its revision and the names.
fn row(sort: &str, revision: u64, bytes: usize) -> Row {
    let row = Row::new(Key::new("p", sort), revision, "");
    Row { body: Bytes::from(vec![0; bytes - row_bytes(&row) - 1]), ..row }
}

fn entry(index: Index, sort: &str) -> IndexKey {
    IndexKey { index, partition: "i".into(), sort: sort.into() }
}

/// A request to a table.
enum Step {
    Put(Row, Condition),
    Delete(&'static str, Condition),
    Get(&'static str),
    Query(usize),
    QueryIndex(usize),
}

/// What the requests use, one after the other: write units, halves of read units.
async fn check(steps: Vec<(Step, u64, u64, &str)>) -> Usage {
    let (table, meter) = table();
    for (step, write_units, read_half_units, what) in steps {
        let before = meter.usage();
        match step {
            // That a write conflicts or is refused is part of some rows.
            Step::Put(row, condition) => drop(table.put(row, condition).await),
            Step::Delete(sort, condition) => drop(table.delete(&Key::new("p", sort), condition).await),
            Step::Get(sort) => drop(table.get(&Key::new("p", sort)).await.unwrap()),
            Step::Query(limit) => {
                let (partition, from, to) = ("p".into(), "".into(), "~".into());
                let query = Query { partition, from, to, order: Order::Ascending, after: None, limit };
                drop(table.query(&query).await.unwrap());
            }
            Step::QueryIndex(limit) => {
                let (index, partition, from, to) = (Index::First, "i".into(), "".into(), "~".into());
                let order = Order::Ascending;
                let query = IndexQuery { index, partition, from, to, order, after: None, limit };
                drop(table.query_index(&query).await.unwrap());
            }
        }
        let used = meter.usage() - before;
        let counted = (used.table_requests, used.write_units, used.read_half_units);
        assert_eq!(counted, (1, write_units, read_half_units), "{what}");
    }
    meter.usage()
}

#[tokio::test(start_paused = true)]
async fn writes_cost_by_the_larger_row() {
    use Condition::{Absent, Always, Revision};
    // The port leaves room for names: 58 bytes more than such a row needs.
    const LARGEST: usize = 400 * 1_024 - 58;
    let usage = check(vec![
        (Step::Put(row("a", 1, 1_024), Absent), 1, 0, "one KB"),
        (Step::Put(row("b", 1, 1_025), Absent), 2, 0, "one byte more"),
        (Step::Put(row("c", 1, LARGEST), Always), 400, 0, "the largest row"),
        (Step::Put(row("c", 2, 100), Revision(1)), 400, 0, "a smaller one in its place"),
        (Step::Put(row("c", 3, 100), Revision(2)), 1, 0, "which is small now"),
        (Step::Put(row("d", 1, 5_000), Absent), 5, 0, "a row"),
        (Step::Put(row("d", 1, 100), Absent), 5, 0, "a conflict costs by the row that is there"),
        (Step::Put(row("d", 2, 6_000), Revision(7)), 6, 0, "or by the new one"),
        (Step::Put(row("e", 2, 3_000), Revision(7)), 3, 0, "a conflict with nothing"),
        (Step::Put(row("f", 1, LARGEST + 1), Absent), 0, 0, "a refused row is free"),
        (Step::Delete("d", Revision(9)), 5, 0, "a delete that conflicts"),
        (Step::Delete("d", Absent), 5, 0, "a delete of a row, if absent"),
        (Step::Delete("d", Revision(1)), 5, 0, "a delete costs by its row"),
        (Step::Delete("d", Always), 1, 0, "a delete of nothing"),
        (Step::Delete("d", Absent), 1, 0, "a delete of nothing"),
        (Step::Delete("d", Revision(1)), 1, 0, "a delete of nothing conflicts"),
    ])
    .await;
    assert_eq!(usage.table_requests, 16);
    let put = 1_024 + 1_025 + LARGEST as u64 + 100 + 100 + 5_000 + 100 + 6_000 + 3_000;
    assert_eq!(usage.table_bytes_written, put);
}

#[tokio::test(start_paused = true)]
async fn writes_cost_by_the_index_entries_that_change() {
    use Condition::{Absent, Always};
    let with = |revision, summary: usize, indexes| Row {
        summary: Bytes::from(vec![0; summary]),
        indexes,
        ..Row::new(Key::new("p", "a"), revision, "")
    };
    let (first, second) = (|sort| entry(Index::First, sort), |sort| entry(Index::Second, sort));
    // A row with a summary and an entry has 20 bytes more than that, the entry has 17.
    check(vec![
        (Step::Put(with(1, 0, vec![first("a")]), Absent), 1 + 1, 0, "an entry appears"),
        (Step::Put(with(1, 0, vec![first("a")]), Always), 1, 0, "the entry stays as it is"),
        (Step::Put(with(2, 0, vec![first("a")]), Always), 1, 0, "and does not show a revision"),
        (Step::Put(with(2, 1, vec![first("a")]), Always), 1 + 1, 0, "it shows another summary"),
        (Step::Put(with(2, 0, vec![first("b")]), Always), 1 + 2, 0, "it moves"),
        (Step::Put(with(2, 0, vec![first("b"), second("a")]), Always), 1 + 1, 0, "another appears"),
        (Step::Put(with(3, 0, vec![second("c"), first("c")]), Always), 1 + 4, 0, "both move"),
        (Step::Put(with(3, 1_024 - 20, vec![first("c")]), Always), 1 + 1 + 1, 0, "one KB; one is gone"),
        (Step::Put(with(3, 1_024 - 17, vec![first("c")]), Always), 2 + 1, 0, "an entry of one KB"),
        (Step::Put(with(3, 1_024 - 16, vec![first("c")]), Always), 2 + 2, 0, "one byte more"),
        (Step::Put(with(3, 0, vec![first("c")]), Always), 2 + 2, 0, "the larger of before and after"),
        (
            Step::Put(with(3, 2_000, vec![first("d")]), Always),
            2 + 1 + 2,
            0,
            "a small one out, a large one in",
        ),
        (Step::Put(with(4, 0, vec![first("z")]), Absent), 2, 0, "a conflict changes no entry"),
        (Step::Delete("a", Always), 2 + 2, 0, "an entry goes with its row"),
        (Step::Delete("a", Always), 1, 0, "and is gone"),
    ])
    .await;
}

#[tokio::test(start_paused = true)]
async fn reads_cost_by_what_they_read() {
    use Condition::Absent;
    let indexed = |sort, bytes| {
        let listed = Row { indexes: vec![entry(Index::First, sort)], ..Row::new(Key::new("q", sort), 1, "") };
        Row { summary: Bytes::from(vec![0; bytes]), ..listed }
    };
    let usage = check(vec![
        (Step::Get("a"), 0, 2, "nothing there"),
        (Step::Query(9), 0, 2, "nothing there"),
        (Step::QueryIndex(9), 0, 1, "nothing there"),
        (Step::Put(row("a", 1, 4_096), Absent), 4, 0, "a row"),
        (Step::Put(row("b", 1, 4_097), Absent), 5, 0, "a row"),
        (Step::Put(row("c", 1, 100), Absent), 1, 0, "a row"),
        (Step::Get("a"), 0, 2, "4 KB"),
        (Step::Get("b"), 0, 4, "one byte more"),
        (Step::Query(1), 0, 2, "the first row"),
        (Step::Query(2), 0, 6, "two rows are rounded up together"),
        (Step::Query(9), 0, 6, "all rows are rounded up together"),
        (Step::Put(indexed("a", 4_096 - 17), Absent), 5 + 4, 0, "a row with an entry"),
        (Step::Put(indexed("b", 0), Absent), 1 + 1, 0, "a row with an entry"),
        (Step::QueryIndex(1), 0, 1, "4 KB, eventually"),
        (Step::QueryIndex(2), 0, 2, "some bytes more"),
    ])
    .await;
    let rows = 4_096 + 4_097 + 4_096 + (4_096 + 4_097) + (4_096 + 4_097 + 100);
    assert_eq!(usage.table_bytes_read, rows + 4_096 + (4_096 + 16));
    assert_eq!(usage.read_units(), 14.0);
}

#[tokio::test(start_paused = true)]
async fn queues_cost_by_calls_and_chunks() {
    let meter = Meter::new();
    let queues = memory::Queues::new(Arc::new(Virtual::default()));
    let queues = Queues::new(Arc::new(queues), meter.clone());
    let settings = QueueSettings { visibility: Duration::from_secs(30), dead_letters: None };
    let mut before = Usage::default();
    let mut used = |requests, bytes, what: &str| {
        let used = meter.usage() - before;
        before = meter.usage();
        assert_eq!((used.queue_requests, used.queue_bytes), (requests, bytes), "{what}");
    };
    queues.create("q", settings).await.unwrap();
    used(1, 0, "create");
    let queue = queues.open("q").await.unwrap();
    used(1, 0, "open");
    assert!(queues.open("r").await.is_err());
    used(0, 0, "a refused call is free");
    assert_eq!(queue.receive(10, Duration::from_secs(20)).await, Ok(Vec::new()));
    used(1, 0, "a receive of nothing");
    for (bytes, requests) in [(0, 1), (1, 1), (65_536, 1), (65_537, 2), (MESSAGE_BYTES_MAX, 16)] {
        queue.send(Bytes::from(vec![0; bytes]), Duration::ZERO).await.unwrap();
        used(requests, bytes as u64, "a send");
    }
    let sum = 1 + 65_536 + 65_537;
    let received = queue.receive(4, Duration::ZERO).await.unwrap();
    used(3, sum, "the messages of a receive are rounded up together");
    let receipts: Vec<_> = received.into_iter().map(|message| message.receipt).collect();
    queue.extend(&receipts, Duration::from_secs(60)).await.unwrap();
    used(1, 0, "a batch is one call");
    queue.delete(&receipts).await.unwrap();
    used(1, 0, "a batch is one call");
    queue.delete(&[]).await.unwrap();
    queue.extend(&[], Duration::ZERO).await.unwrap();
    used(0, 0, "an empty batch is no call");
    assert!(queue.receive(11, Duration::ZERO).await.is_err());
    used(0, 0, "a refused call is free");
    queues.remove("q").await.unwrap();
    used(1, 0, "remove");
}

#[tokio::test]
async fn blobs_cost_by_calls() {
    let meter = Meter::new();
    let blobs = Blobs::new(Arc::new(memory::Blobs::new()), meter.clone());
    for n in 0..1_001 {
        blobs.put(&format!("{n:04}"), Bytes::from_static(b"xyz")).await.unwrap();
    }
    blobs.get("0000").await.unwrap();
    blobs.get("none").await.unwrap();
    blobs.list("", None, 1_000).await.unwrap();
    blobs.list("", None, 5_000).await.unwrap();
    blobs.list("none", None, 5_000).await.unwrap();
    blobs.delete("0000").await.unwrap();
    assert!(blobs.put("", Bytes::new()).await.is_err());
    let expected = Usage {
        blob_puts: 1_001,
        blob_bytes_written: 3_003,
        blob_gets: 2,
        blob_bytes_read: 3,
        blob_lists: 1 + 2 + 1,
        blob_deletes: 1,
        ..Usage::default()
    };
    assert_eq!(meter.usage(), expected);
}

#[tokio::test]
async fn events_cost_by_chunks() {
    let meter = Meter::new();
    let bus = Bus::new(Arc::new(memory::Bus::new()), meter.clone());
    // 14 bytes of time, one each of source and type, and `{"p":""}`.
    let event = |bytes: usize| Event {
        time: Default::default(),
        source: "s".into(),
        detail_type: "t".into(),
        resources: Vec::new(),
        detail: Value::parse(&format!(r#"{{"p":"{}"}}"#, "p".repeat(bytes - 24))).unwrap(),
    };
    for bytes in [24, 65_536, 65_537, 262_144] {
        bus.publish(event(bytes)).await.unwrap();
    }
    assert!(bus.publish(event(262_145)).await.is_err());
    let usage = meter.usage();
    assert_eq!((usage.bus_events, usage.bus_bytes), (1 + 1 + 2 + 4, 24 + 65_536 + 65_537 + 262_144));
}

#[test]
fn usage_is_priced() {
    let check = |usage: Usage, dollars: f64| {
        let priced = usage.dollars(&Prices::US_EAST_1);
        assert!((priced - dollars).abs() < 1e-9, "{priced} instead of {dollars} for {usage:?}");
    };
    let none = Usage::default();
    check(none, 0.0);
    check(Usage { write_units: 1_000_000, ..none }, 0.625);
    check(Usage { read_half_units: 2_000_000, ..none }, 0.125);
    check(Usage { queue_requests: 1_000_000, ..none }, 0.40);
    check(Usage { blob_puts: 500, blob_lists: 500, ..none }, 0.005);
    check(Usage { blob_gets: 1_000, ..none }, 0.0004);
    check(Usage { bus_events: 1_000_000, ..none }, 1.0);
    check(Usage { blob_deletes: 9, table_requests: 9, queue_bytes: 9, ..none }, 0.0);
    let all =
        Usage { write_units: 3, read_half_units: 1, queue_requests: 2, blob_puts: 1, bus_events: 1, ..none };
    check(all, (3.0 * 0.625 + 0.5 * 0.125 + 2.0 * 0.4 + 5.0 + 1.0) / 1e6);
}
