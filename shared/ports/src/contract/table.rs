//! The rules of a table.

pub(super) mod conditions;
mod indexes;
mod limits;
mod ranges;

use std::sync::Arc;
use std::time::Duration;

use super::ok;
use crate::clock::Clock;
use crate::table::{Condition, Key, Order, PAGE_BYTES_MAX, Query, Row, Table};

/// How far index reads lag behind, if they do.
type IndexLag<'a> = Option<(&'a dyn Clock, Duration)>;

pub(super) async fn check(make: &impl AsyncFn() -> Arc<dyn Table>, lag: IndexLag<'_>) {
    conditions::check(&*make().await).await;
    conditions::races(make().await).await;
    ranges::check(&*make().await).await;
    ranges::pages(&*make().await).await;
    indexes::check(&*make().await, lag).await;
    indexes::ranges(&*make().await, lag).await;
    indexes::pages(&*make().await, lag).await;
    limits::check(&*make().await).await;
}

/// Beyond every key that the suite uses.
const LAST: &str = "\u{10ffff}";

async fn put(table: &dyn Table, row: &Row, condition: Condition, rule: &str) {
    ok(table.put(row.clone(), condition).await, rule);
}

async fn get(table: &dyn Table, key: &Key) -> Option<Row> {
    ok(table.get(key).await, "a row can be read")
}

/// Every row of a partition.
fn all_of(partition: &str) -> Query {
    Query {
        partition: partition.into(),
        from: "".into(),
        to: LAST.into(),
        order: Order::Ascending,
        after: None,
        limit: 1_000,
    }
}

/// All pages of a query, each checked.
async fn read_all(table: &dyn Table, query: &Query) -> Vec<Row> {
    let (mut query, mut rows) = (query.clone(), Vec::new());
    loop {
        let page = ok(table.query(&query).await, "a range can be read");
        assert!(page.rows.len() <= query.limit, "a page has at most `limit` rows");
        let bytes: usize = page.rows.iter().map(Row::bytes).sum();
        assert!(bytes <= PAGE_BYTES_MAX, "a page has at most {PAGE_BYTES_MAX} bytes of rows, not {bytes}");
        let Some(last) = page.rows.last() else {
            assert!(!page.more, "a page is empty only when there are no rows behind it");
            return rows;
        };
        query.after = Some(last.key.sort.clone());
        let more = page.more;
        rows.extend(page.rows);
        if !more {
            return rows;
        }
    }
}

/// The sort keys of rows.
fn sorts(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.key.sort.as_str()).collect()
}
