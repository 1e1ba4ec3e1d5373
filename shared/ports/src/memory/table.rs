//! A table in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard};

use async_trait::async_trait;
use model::json::Text;
use model::timestamp::Timestamp;

use super::lock;
use crate::clock::Clock;
use crate::table::{
    Condition, Index, IndexPage, IndexPosition, IndexQuery, IndexRow, Key, Order, PAGE_BYTES_MAX, Page,
    Query, Row, TableError,
};

/// A table in memory. Its index reads never lag; a row vanishes with the first request at or after
/// its `expires_at`.
pub struct Table {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

impl Table {
    /// An empty table.
    pub fn new(clock: Arc<dyn Clock>) -> Table {
        Table { clock, state: Mutex::default() }
    }

    /// Every row, in the order of the keys: for whoever checks what is stored.
    pub fn rows(&self) -> Vec<Row> {
        self.current().rows.values().flat_map(BTreeMap::values).cloned().collect()
    }

    /// What is stored now, without what has expired.
    fn current(&self) -> MutexGuard<'_, State> {
        let now = self.clock.now();
        let mut state = lock(&self.state);
        state.expire(now);
        state
    }
}

#[async_trait]
impl crate::Table for Table {
    async fn get(&self, key: &Key) -> Result<Option<Row>, TableError> {
        Ok(self.current().row(key).cloned())
    }

    async fn put(&self, row: Row, condition: Condition) -> Result<(), TableError> {
        row.check()?;
        let mut state = self.current();
        state.meets(&row.key, condition)?;
        state.remove(&row.key);
        state.insert(row);
        Ok(())
    }

    async fn delete(&self, key: &Key, condition: Condition) -> Result<(), TableError> {
        let mut state = self.current();
        state.meets(key, condition)?;
        state.remove(key);
        Ok(())
    }

    async fn query(&self, query: &Query) -> Result<Page, TableError> {
        let state = self.current();
        let Some(rows) = state.rows.get(&query.partition) else { return Ok(Page::default()) };
        let beyond = just_behind(&query.to);
        let Some(range) = bounds(&query.from, &beyond, query.after.as_ref(), query.order) else {
            return Ok(Page::default());
        };
        let found = rows.range::<Text, _>(range).map(|(_, row)| row);
        let (rows, more) = page(found, query.order, query.limit, |row| row.bytes());
        Ok(Page { rows: rows.into_iter().cloned().collect(), more })
    }

    async fn query_index(&self, query: &IndexQuery) -> Result<IndexPage, TableError> {
        let state = self.current();
        let Some(entries) = state.indexes[slot(query.index)].get(&query.partition) else {
            return Ok(IndexPage::default());
        };
        // No key is empty, so these positions lie before every entry with their sort key.
        let before = |sort: Text| IndexPosition { sort, key: Key::new("", "") };
        let (from, beyond) = (before(query.from.clone()), before(just_behind(&query.to)));
        let Some(range) = bounds(&from, &beyond, query.after.as_ref(), query.order) else {
            return Ok(IndexPage::default());
        };
        let found = entries.range::<IndexPosition, _>(range).filter_map(|position| {
            let row = state.row(&position.key)?;
            Some(IndexRow::of(row, row.entry(query.index)?))
        });
        let partition_bytes = query.partition.len();
        let (rows, more) = page(found, query.order, query.limit, |row| row.bytes(partition_bytes));
        Ok(IndexPage { rows, more })
    }
}

#[derive(Default)]
struct State {
    rows: BTreeMap<Text, BTreeMap<Text, Row>>,
    /// For each index, by partition.
    indexes: [BTreeMap<Text, BTreeSet<IndexPosition>>; 2],
    expiries: BTreeSet<(Timestamp, Key)>,
}

fn slot(index: Index) -> usize {
    match index {
        Index::First => 0,
        Index::Second => 1,
    }
}

impl State {
    fn row(&self, key: &Key) -> Option<&Row> {
        self.rows.get(&key.partition)?.get(&key.sort)
    }

    fn meets(&self, key: &Key, condition: Condition) -> Result<(), TableError> {
        let row = self.row(key);
        let holds = match condition {
            Condition::Always => true,
            Condition::Absent => row.is_none(),
            Condition::Revision(revision) => row.is_some_and(|row| row.revision == revision),
        };
        if holds { Ok(()) } else { Err(TableError::Conflict) }
    }

    fn insert(&mut self, row: Row) {
        for entry in &row.indexes {
            let position = IndexPosition { sort: entry.sort.clone(), key: row.key.clone() };
            self.indexes[slot(entry.index)].entry(entry.partition.clone()).or_default().insert(position);
        }
        if let Some(at) = row.expires_at {
            self.expiries.insert((at, row.key.clone()));
        }
        self.rows.entry(row.key.partition.clone()).or_default().insert(row.key.sort.clone(), row);
    }

    fn remove(&mut self, key: &Key) {
        let Some(partition) = self.rows.get_mut(&key.partition) else { return };
        let Some(row) = partition.remove(&key.sort) else { return };
        if partition.is_empty() {
            self.rows.remove(&key.partition);
        }
        for entry in row.indexes {
            let index = &mut self.indexes[slot(entry.index)];
            let Some(positions) = index.get_mut(&entry.partition) else { continue };
            positions.remove(&IndexPosition { sort: entry.sort, key: key.clone() });
            if positions.is_empty() {
                index.remove(&entry.partition);
            }
        }
        if let Some(at) = row.expires_at {
            self.expiries.remove(&(at, row.key));
        }
    }

    fn expire(&mut self, now: Timestamp) {
        while let Some((at, key)) = self.expiries.first()
            && *at <= now
        {
            let key = key.clone();
            self.remove(&key);
        }
    }
}

/// The first text behind `text`, in the order of bytes.
fn just_behind(text: &Text) -> Text {
    let mut behind = String::with_capacity(text.len() + 1);
    behind.push_str(text);
    behind.push('\0');
    Text::from(behind)
}

/// From `from` to before `beyond`, and behind `after` in the direction of the query; `None` when
/// nothing can be there.
fn bounds<'a, K: Ord>(
    from: &'a K,
    beyond: &'a K,
    after: Option<&'a K>,
    order: Order,
) -> Option<(Bound<&'a K>, Bound<&'a K>)> {
    let (mut lower, mut upper) = ((from, Bound::Included(from)), beyond);
    match (after, order) {
        (Some(after), Order::Ascending) if after >= from => lower = (after, Bound::Excluded(after)),
        (Some(after), Order::Descending) if after < beyond => upper = after,
        _ => {}
    }
    (lower.0 < upper).then_some((lower.1, Bound::Excluded(upper)))
}

/// The first of what was found, in the direction of the query, and whether there is more.
fn page<T>(
    found: impl DoubleEndedIterator<Item = T>,
    order: Order,
    limit: usize,
    bytes: impl Fn(&T) -> usize,
) -> (Vec<T>, bool) {
    match order {
        Order::Ascending => first(found, limit, bytes),
        Order::Descending => first(found.rev(), limit, bytes),
    }
}

fn first<T>(found: impl Iterator<Item = T>, limit: usize, bytes: impl Fn(&T) -> usize) -> (Vec<T>, bool) {
    let (mut taken, mut taken_bytes) = (Vec::new(), 0);
    for row in found {
        taken_bytes += bytes(&row);
        // One row is less than a page, and no page is empty while there are rows.
        let is_full = taken.len() >= limit || taken_bytes > PAGE_BYTES_MAX;
        if is_full && !taken.is_empty() {
            return (taken, true);
        }
        taken.push(row);
    }
    (taken, false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Virtual;
    use crate::table::IndexKey;

    #[tokio::test(start_paused = true)]
    async fn rows_vanish_when_they_expire() {
        use crate::Table as _;
        let clock = Arc::new(Virtual::default());
        let table = Table::new(clock.clone());
        let key = Key::new("p", "s");
        let at = clock.now().plus_seconds(60);
        let entry = IndexKey { index: Index::Second, partition: "i".into(), sort: "s".into() };
        let row = Row { expires_at: Some(at), indexes: vec![entry], ..Row::new(key.clone(), 1, "body") };
        table.put(row.clone(), Condition::Absent).await.unwrap();
        clock.jump(59_999);
        assert_eq!(table.get(&key).await, Ok(Some(row.clone())));
        clock.jump(1);
        assert_eq!(table.get(&key).await, Ok(None));
        assert!(table.rows().is_empty());
        assert!(lock(&table.state).indexes[1].is_empty());

        // A put that takes the expiry back keeps the row.
        let row = Row { expires_at: Some(at.plus_seconds(60)), ..row };
        table.put(row.clone(), Condition::Absent).await.unwrap();
        let row = Row { expires_at: None, ..row };
        table.put(row.clone(), Condition::Always).await.unwrap();
        clock.jump(1_000_000);
        assert_eq!(table.rows(), [row]);
    }
}
