//! The secondary indexes.

use bytes::Bytes;

use super::{IndexLag, LAST, ok, put};
use crate::contract::{millis, sleep_until};
use crate::table::{
    Condition, Index, IndexKey, IndexPosition, IndexQuery, IndexRow, Key, Order, PAGE_BYTES_MAX, Row, Table,
    TableError,
};

fn all_of(index: Index, partition: &str) -> IndexQuery {
    IndexQuery {
        index,
        partition: partition.into(),
        from: "".into(),
        to: LAST.into(),
        order: Order::Ascending,
        after: None,
        limit: 1_000,
    }
}

fn entry(index: Index, partition: &str, sort: &str) -> IndexKey {
    IndexKey { index, partition: partition.into(), sort: sort.into() }
}

/// All pages of a query, each checked.
async fn read_all(table: &dyn Table, query: &IndexQuery) -> Vec<IndexRow> {
    let (mut query, mut rows) = (query.clone(), Vec::new());
    loop {
        let page = ok(table.query_index(&query).await, "an index can be read");
        assert!(page.rows.len() <= query.limit, "a page has at most `limit` entries");
        let bytes: usize = page.rows.iter().map(|row| row.bytes(query.partition.len())).sum();
        assert!(bytes <= PAGE_BYTES_MAX, "a page has at most {PAGE_BYTES_MAX} bytes of entries, not {bytes}");
        let Some(last) = page.rows.last() else {
            assert!(!page.more, "a page is empty only when there are no entries behind it");
            return rows;
        };
        query.after = Some(last.position.clone());
        let more = page.more;
        rows.extend(page.rows);
        if !more {
            return rows;
        }
    }
}

/// The index shows these entries: now, or as late as it may lag.
async fn shows(table: &dyn Table, lag: IndexLag<'_>, query: &IndexQuery, expected: &[IndexRow], rule: &str) {
    let until = lag.map(|(clock, lag)| clock.now().plus_millis(millis(lag)));
    loop {
        let rows = read_all(table, query).await;
        match (lag, until) {
            (Some((clock, _)), Some(until)) if rows != expected && clock.now() < until => {
                sleep_until(clock, clock.now().plus_millis(50).min(until)).await;
            }
            _ => {
                assert_eq!(rows, expected, "{rule}: {query:?}");
                return;
            }
        }
    }
}

/// The entry of a row.
fn entry_of(row: &Row, index: Index) -> IndexRow {
    match row.entry(index) {
        Some(entry) => IndexRow::of(row, entry),
        None => panic!("the row {} has an entry in {index:?}", row.key),
    }
}

pub(in crate::contract) async fn check(table: &dyn Table, lag: IndexLag<'_>) {
    let (first, second) = (all_of(Index::First, "entries"), all_of(Index::Second, "entries"));
    let moved = all_of(Index::First, "moved");
    let row = |revision, summary: &'static str, indexes| Row {
        summary: Bytes::from(summary),
        indexes,
        ..Row::new(Key::new("rows", "r"), revision, "body")
    };
    let shows = async |query, expected: &[IndexRow], rule| shows(table, lag, query, expected, rule).await;

    let one = row(1, "one", vec![entry(Index::First, "entries", "b")]);
    put(table, &one, Condition::Absent, "a row with an index entry can be written").await;
    shows(&first, &[entry_of(&one, Index::First)], "an entry carries the summary of its row").await;
    shows(&second, &[], "a row is in no index that it does not name").await;

    let both = vec![entry(Index::First, "entries", "c"), entry(Index::Second, "entries", "x")];
    let two = row(2, "two", both);
    put(table, &two, Condition::Revision(1), "a row can be replaced").await;
    shows(&first, &[entry_of(&two, Index::First)], "a new sort key moves the entry").await;
    shows(&second, &[entry_of(&two, Index::Second)], "a row may have an entry in each index").await;

    let conflicting = row(3, "lost", vec![entry(Index::First, "entries", "lost")]);
    let lost = table.put(conflicting, Condition::Revision(1)).await;
    assert_eq!(lost, Err(TableError::Conflict), "a put needs the revision that it names");
    shows(&first, &[entry_of(&two, Index::First)], "a conflict leaves the indexes alone").await;

    let three =
        row(3, "three", vec![entry(Index::Second, "entries", "x"), entry(Index::First, "moved", "c")]);
    put(table, &three, Condition::Revision(2), "a row can be replaced").await;
    shows(&first, &[], "a new partition takes the entry out of the old one").await;
    shows(&moved, &[entry_of(&three, Index::First)], "a new partition moves the entry").await;
    shows(&second, &[entry_of(&three, Index::Second)], "an entry that stays shows the new summary").await;

    let four = row(4, "", vec![entry(Index::Second, "entries", "x")]);
    put(table, &four, Condition::Always, "a row can be replaced").await;
    shows(&moved, &[], "an entry that the row does not name any more is gone").await;
    shows(&second, &[entry_of(&four, Index::Second)], "a summary may be empty").await;

    ok(table.delete(&four.key, Condition::Revision(4)).await, "a row can be deleted");
    shows(&second, &[], "a deleted row has no entries").await;
}

/// Order and ranges, with several entries under one sort key.
pub(in crate::contract) async fn ranges(table: &dyn Table, lag: IndexLag<'_>) {
    // In the order of the index: by sort key, then by the key of the row.
    let ordered = [
        ("-", "z", "z"),
        ("9", "p", "s"),
        ("B", "p", "a"),
        ("B", "p", "b"),
        ("B", "q", "a"),
        ("B", "ü", "a"),
        ("B\0", "a", "a"),
        ("a", "A", "a"),
        ("ü", "a", "ü"),
        ("\u{ffff}", "a", "1"),
        ("\u{10000}", "a", "2"),
    ];
    let rows = ordered.map(|(sort, partition, row_sort)| Row {
        indexes: vec![entry(Index::Second, "ordered", sort)],
        ..Row::new(Key::new(format!("ranges {partition}"), row_sort), 1, "")
    });
    for n in 0..rows.len() {
        put(table, &rows[n * 4 % rows.len()], Condition::Absent, "a row can be written").await;
    }
    let neighbour = Row {
        indexes: vec![entry(Index::First, "ordered", "B"), entry(Index::Second, "ordered\0", "B")],
        ..Row::new(Key::new("ranges p", "neighbour"), 1, "")
    };
    put(table, &neighbour, Condition::Absent, "a row can be written").await;

    let entries = rows.each_ref().map(|row| entry_of(row, Index::Second));
    let position = |n: usize| Some(entries[n].position.clone());
    let between = Some(IndexPosition { sort: "B".into(), key: Key::new("ranges p", "aa") });
    // From, to, after; the places of what is expected.
    let ascending = [
        ("", LAST, None, 0..11),
        ("9", "B", None, 1..6),
        ("B", "B", None, 2..6),
        ("A", "C", None, 2..7),
        ("Z", "a", None, 7..8),
        ("b", "c", None, 0..0),
        ("a", "B", None, 0..0),
        ("", LAST, position(3), 4..11),
        ("B", "B", position(2), 3..6),
        ("B", "B", position(5), 0..0),
        ("B", "B", position(7), 0..0),
        ("B", "B", position(0), 2..6),
        ("", LAST, between.clone(), 3..11),
    ];
    for (from, to, after, expected) in ascending {
        let query =
            IndexQuery { from: from.into(), to: to.into(), after, ..all_of(Index::Second, "ordered") };
        let rule = "an ascending range of an index is ordered by sort key and row key, behind `after`";
        shows(table, lag, &query, &entries[expected], rule).await;
    }
    let descending = [
        ("", LAST, None, 0..11),
        ("9", "B", None, 1..6),
        ("B", "B", position(5), 2..5),
        ("B", "B", position(2), 0..0),
        ("B", "B", position(0), 0..0),
        ("B", "B", position(9), 2..6),
        ("", LAST, between, 0..3),
        ("", "B", position(3), 0..3),
    ];
    for (from, to, after, expected) in descending {
        let (from, to, order) = (from.into(), to.into(), Order::Descending);
        let query = IndexQuery { from, to, after, order, ..all_of(Index::Second, "ordered") };
        let reversed: Vec<IndexRow> = entries[expected].iter().rev().cloned().collect();
        shows(table, lag, &query, &reversed, "a descending range of an index is the other way round").await;
    }
    shows(table, lag, &all_of(Index::First, "none"), &[], "an absent partition has no entries").await;
}

pub(in crate::contract) async fn pages(table: &dyn Table, lag: IndexLag<'_>) {
    let rows: Vec<Row> = (0..23)
        .map(|n| Row {
            // Seven entries share a sort key, so that pages end among them.
            indexes: vec![entry(Index::First, "pages", &format!("{}", n / 7))],
            ..Row::new(Key::new("index pages", format!("{n:02}")), n, "")
        })
        .collect();
    for row in &rows {
        put(table, row, Condition::Absent, "a row can be written").await;
    }
    let ascending: Vec<IndexRow> = rows.iter().map(|row| entry_of(row, Index::First)).collect();
    let descending: Vec<IndexRow> = ascending.iter().rev().cloned().collect();
    for limit in [1, 2, 3, 7, 22, 23, 24] {
        for (order, expected) in [(Order::Ascending, &ascending), (Order::Descending, &descending)] {
            let query = IndexQuery { limit, order, ..all_of(Index::First, "pages") };
            shows(table, lag, &query, expected, "pages of an index have every entry once, in order").await;
            let page = ok(table.query_index(&query).await, "an index can be read");
            assert_eq!(
                page.rows.len(),
                limit.min(23),
                "a page of small entries is full while there are some"
            );
            assert!(page.more || limit >= 23, "`more` tells that there are entries behind the page");
        }
    }

    let large: Vec<Row> = (0..5)
        .map(|n| Row {
            summary: Bytes::from(vec![b'0' + n; 300_000]),
            indexes: vec![entry(Index::First, "large pages", &format!("{n}"))],
            ..Row::new(Key::new("index pages", format!("large {n}")), 1, "")
        })
        .collect();
    for row in &large {
        put(table, row, Condition::Absent, "a row can be written").await;
    }
    let expected: Vec<IndexRow> = large.iter().map(|row| entry_of(row, Index::First)).collect();
    let query = all_of(Index::First, "large pages");
    shows(table, lag, &query, &expected, "pages of large entries have every entry once, in order").await;
    let page = ok(table.query_index(&query).await, "an index can be read");
    assert!(page.more && (1..=3).contains(&page.rows.len()), "a page ends before {PAGE_BYTES_MAX} bytes");
}
