//! The table.

use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use bytes::Bytes;
use model::json::Text;
use ports::table::PAGE_BYTES_MAX;
use ports::{
    Condition, IndexPage, IndexPosition, IndexQuery, IndexRow, Key, Order, Page, Query, Row, TableError,
};
use tokio::sync::oneshot;

use crate::codec::{self, Head, index_number};
use crate::error::Failure;
use crate::inbox::{Put, Request};
use crate::key::{self, Space};
use crate::shared::{Shared, lost};

/// Entries of rows that expired so long ago are not looked for again, in ms.
const EXPIRY_OVERLAP: i64 = 600_000;

/// The table of a store.
pub struct Table(pub Arc<Shared>);

#[async_trait]
impl ports::Table for Table {
    async fn get(&self, key: &Key) -> Result<Option<Row>, TableError> {
        let value = self.0.storage.get(Space::Rows, &key::row(&key.partition, &key.sort))?;
        let row = value.map(|value| codec::take_row(key.clone(), &value).ok_or(()));
        row.transpose().map_err(|()| TableError::Damaged(format!("the row {key} is not a row")))
    }

    async fn put(&self, row: Row, condition: Condition) -> Result<(), TableError> {
        row.check()?;
        let key = Bytes::from(key::row(&row.key.partition, &row.key.sort));
        let value = Bytes::from(codec::row(&row));
        let entry = row.summary.clone();
        let expires_at = row.expires_at.map(|at| at.millis());
        if let Some(at) = expires_at {
            self.0.expiry_from.fetch_min(at, Ordering::SeqCst);
        }
        let head = Head { revision: row.revision, expires_at, indexes: row.indexes };
        let (answer, answered) = oneshot::channel();
        let put = Put { key, value, head, entry, condition, answer };
        self.0.inbox.submit(Request::Put(Box::new(put))).await?;
        answered.await.unwrap_or_else(|_| Err(lost().into()))
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), TableError> {
        let key = Bytes::from(key::row(&key.partition, &key.sort));
        let (answer, answered) = oneshot::channel();
        self.0.inbox.submit(Request::Delete { key, condition, answer }).await?;
        answered.await.unwrap_or_else(|_| Err(lost().into()))
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        let at = |sort: &Text| key::row(&query.partition, sort);
        let bounds = bounds(at(&query.from), at(&query.to), query.after.as_ref().map(at), query.order);
        let mut page = Pages::new(query.limit);
        self.read(Space::Rows, &bounds, query.order, |key, value| {
            let (partition, sort) = key::row_parts(key).ok_or_else(|| unreadable(key))?;
            let row = codec::take_row(Key { partition, sort }, &value).ok_or_else(|| unreadable(key))?;
            let bytes = row.bytes();
            Ok(page.push(row, bytes))
        })?;
        Ok(Page { rows: page.rows, more: page.more })
    }

    async fn query_index(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        let index = index_number(query.index);
        let partition = key::entry_partition(index, &query.partition);
        // No key of a row is empty, so these lie before and behind every entry with their sort key.
        let at = |sort: &Text| key::entry(index, &query.partition, sort, &[]);
        let mut beyond = at(&query.to);
        beyond.push(0xFF);
        let after = query.after.as_ref().map(|IndexPosition { sort, key }| {
            key::entry(index, &query.partition, sort, &key::row(&key.partition, &key.sort))
        });
        let bounds = bounds(at(&query.from), beyond, after, query.order);
        let mut page = Pages::new(query.limit);
        self.read(Space::Entries, &bounds, query.order, |key, value| {
            let parts = key.get(partition.len()..).and_then(key::entry_parts);
            let (sort, row_partition, row_sort) = parts.ok_or_else(|| unreadable(key))?;
            let position = IndexPosition { sort, key: Key { partition: row_partition, sort: row_sort } };
            let row = IndexRow { position, summary: value };
            let bytes = row.bytes(query.partition.len());
            Ok(page.push(row, bytes))
        })?;
        Ok(IndexPage { rows: page.rows, more: page.more })
    }
}

impl Table {
    /// Removes up to `limit` rows that have expired. How many it removed.
    pub async fn sweep_expired(&self, limit: usize) -> Result<usize, TableError> {
        let now = self.0.now();
        let floor = self.0.expiry_from.load(Ordering::SeqCst);
        let (from, to) = (key::expiry_from(floor), key::expiry_from(now.saturating_add(1)));
        let mut due = Vec::new();
        let bounds = (Bound::Included(from), Bound::Excluded(to));
        if limit > 0 {
            self.read(Space::Entries, &bounds, Order::Ascending, |key, _| {
                let (at, row) = key::expiry_parts(key).ok_or_else(|| unreadable(key))?;
                due.push((at, Bytes::copy_from_slice(row)));
                Ok(due.len() < limit)
            })?;
        }
        let reached = if due.len() < limit { now } else { due.last().map_or(floor, |(at, _)| *at) };
        let mut answers = Vec::with_capacity(due.len());
        for (at, key) in due {
            let (answer, answered) = oneshot::channel();
            self.0.inbox.submit(Request::Expire { key, at, answer }).await?;
            answers.push(answered);
        }
        let mut removed = 0;
        for answered in answers {
            removed += usize::from(answered.await.unwrap_or_else(|_| Err(lost()))?);
        }
        // What was put meanwhile with an earlier expiry has moved it already.
        let next = reached.min(now.saturating_sub(EXPIRY_OVERLAP)).max(floor);
        let _ = self.0.expiry_from.compare_exchange(floor, next, Ordering::SeqCst, Ordering::SeqCst);
        Ok(removed)
    }

    fn read(
        &self,
        space: Space,
        (from, to): &(Bound<Vec<u8>>, Bound<Vec<u8>>),
        order: Order,
        visit: impl FnMut(&[u8], Bytes) -> Result<bool, Failure>,
    ) -> Result<(), TableError> {
        let bounds = (from.as_ref().map(Vec::as_slice), to.as_ref().map(Vec::as_slice));
        Ok(self.0.storage.range(space, bounds, order == Order::Descending, visit)?)
    }
}

/// From `from` to `to`, both inclusive, and behind `after` in the direction of the query.
fn bounds(
    from: Vec<u8>,
    to: Vec<u8>,
    after: Option<Vec<u8>>,
    order: Order,
) -> (Bound<Vec<u8>>, Bound<Vec<u8>>) {
    match (after, order) {
        (Some(after), Order::Ascending) if after >= from => (Bound::Excluded(after), Bound::Included(to)),
        (Some(after), Order::Descending) if after <= to => (Bound::Included(from), Bound::Excluded(after)),
        _ => (Bound::Included(from), Bound::Included(to)),
    }
}

/// A page that fills.
struct Pages<T> {
    rows: Vec<T>,
    bytes: usize,
    limit: usize,
    more: bool,
}

impl<T> Pages<T> {
    fn new(limit: usize) -> Pages<T> {
        Pages { rows: Vec::new(), bytes: 0, limit, more: false }
    }

    /// Takes a row in if it fits. Whether to go on.
    fn push(&mut self, row: T, bytes: usize) -> bool {
        self.bytes += bytes;
        // One row is less than a page, and no page is empty while there are rows.
        self.more = !self.rows.is_empty() && (self.rows.len() >= self.limit || self.bytes > PAGE_BYTES_MAX);
        if !self.more {
            self.rows.push(row);
        }
        !self.more
    }
}

fn unreadable(key: &[u8]) -> Failure {
    Failure::Damaged(format!("what stands under {} cannot be read", key.escape_ascii()))
}
